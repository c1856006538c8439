// What follows the first foothold in a branch office: credentials, the directory, other computers, tunnels home.

private rule is_tool_or_script {
    condition:
        kind matches /^(pe|ps1|bat|vbs|js|py|hta|wsf|vba-source|xlm-source|msbuild|lnk|sh)$/
}

rule Credential_Dumping_Tool {
    meta:
        description = "Program or script that takes passwords and tickets out of the memory of Windows"
        description_ja = "Windows のメモリーからパスワードやチケットを取り出すプログラムまたはスクリプトです"
        severity = "critical"
        attack = "T1003.001,T1558"
    strings:
        $command1 = "sekurlsa::" ascii wide nocase
        $command2 = "lsadump::" ascii wide nocase
        $command3 = "kerberos::golden" ascii wide nocase
        $command4 = "privilege::debug" ascii wide nocase
        $command5 = "dpapi::" ascii wide nocase
        $author = "gentilkiwi" ascii wide nocase
        $script = "Invoke-Mimikatz" ascii wide nocase
        $rubeus1 = "asreproast" ascii wide nocase
        $rubeus2 = "kerberoast" ascii wide nocase
        $rubeus3 = "/ptt" ascii wide nocase
    condition:
        is_tool_or_script and (2 of ($command*) or $script or ($author and any of ($command*)) or all of ($rubeus*))
}

rule Memory_Of_Logon_Process_Dumped {
    meta:
        description = "Command that writes the memory of the Windows logon process to a file"
        description_ja = "Windows のログオンプロセスのメモリーをファイルに書き出すコマンドです"
        severity = "critical"
        attack = "T1003.001"
    strings:
        $comsvcs = /comsvcs(\.dll)?["']?\s{0,4},?\s{0,4}(MiniDump|#\+?24)/ nocase ascii wide
        $procdump = /procdump(64)?(\.exe)?\s[^\r\n]{0,60}lsass/ nocase ascii wide
        $outminidump = "Out-Minidump" nocase
        $api = "MiniDumpWriteDump" ascii wide
        $lsass = "lsass" nocase ascii wide
    condition:
        is_tool_or_script and ($comsvcs or $procdump or ($lsass and ($outminidump or $api)))
}

rule Registry_Hives_Or_Directory_Copied {
    meta:
        description = "Command that copies the account database of Windows or of the domain"
        description_ja = "Windows またはドメインのアカウントデータベースをコピーするコマンドです"
        severity = "critical"
        attack = "T1003.002,T1003.003"
    strings:
        $hive = /reg(\.exe)?["']?\s{1,4}save\s{1,4}["']?(hklm|hkey_local_machine)\\(sam|security|system)\b/ nocase ascii wide
        $ntds1 = "ntds.dit" nocase ascii wide
        $ntds2 = /ntdsutil[^\r\n]{1,120}\bifm\b/ nocase ascii wide
        $shadow1 = /vssadmin[^\r\n]{1,20}create\s{1,4}shadow/ nocase ascii wide
        $shadow2 = "HarddiskVolumeShadowCopy" nocase ascii wide
        $shadow3 = /esentutl[^\r\n]{1,60}\/vss/ nocase ascii wide
    condition:
        is_tool_or_script and ($hive or $ntds2 or ($ntds1 and any of ($shadow*)))
}

rule Remote_Execution_Tool {
    meta:
        description = "Tool that runs commands on other computers through a service it installs there"
        description_ja = "他のコンピューターにサービスを登録してコマンドを実行させるツールです"
        severity = "high"
        attack = "T1569.002,T1021.002"
    strings:
        $service1 = "PSEXESVC" ascii wide
        $service2 = "PAExec" ascii wide
        $service3 = "RemComSvc" ascii wide
        $service4 = "csexecsvc" ascii wide
        $pipe1 = "\\pipe\\" ascii wide
        $share = "ADMIN$" ascii wide
    condition:
        kind == "pe" and any of ($service*) and ($pipe1 or $share)
}

rule Remote_Command_With_Output_On_Share {
    meta:
        description = "Command as remote shells of the Impacket kind run it: its output goes to a hidden share"
        description_ja = "出力を隠し共有に書き込む、Impacket 系リモートシェル特有のコマンドです"
        severity = "critical"
        attack = "T1021.002,T1047,T1570"
    strings:
        $output = /cmd(\.exe)?["']?\s{1,4}\/Q\s{1,4}\/c[^\r\n]{1,200}1?>\s{0,2}\\\\127\.0\.0\.1\\(ADMIN|C)\$\\/ nocase ascii wide
        $library = /(from|import)\s{1,4}impacket\b/
        $shell1 = "wmiexec" nocase
        $shell2 = "smbexec" nocase
        $shell3 = "dcomexec" nocase
        $shell4 = "secretsdump" nocase
        $shell5 = "atexec" nocase
    condition:
        is_tool_or_script and ($output or ($library and any of ($shell*)))
}

rule Process_Started_On_Other_Computer {
    meta:
        description = "Command that starts a program on another computer"
        description_ja = "別のコンピューター上でプログラムを起動するコマンドです"
        severity = "high"
        attack = "T1047,T1021.003,T1053.005"
    strings:
        $wmic = /wmic[^\r\n]{0,40}\/node:[^\r\n]{1,160}call\s{1,4}["']?create/ nocase ascii wide
        $sc = /\bsc(\.exe)?\s{1,4}\\\\[^\r\n\s]{1,80}\s{1,4}create\s[^\r\n]{1,80}binpath/ nocase ascii wide
        $task = /schtasks[^\r\n]{0,60}\/create[^\r\n]{0,160}\s\/s\s{1,4}[^\r\n]{1,160}\/tr\s/ nocase ascii wide
        $psexec = /psexec(64)?(\.exe)?["']?\s[^\r\n]{0,40}\\\\[^\r\n]{1,160}-(s|d|c)\b/ nocase ascii wide
        $dcom = /GetTypeFromProgID\(["'](MMC20\.Application|ShellWindows|ShellBrowserWindow)["'],\s{0,4}["'][^"'\r\n]{1,80}["']\)/ nocase
    condition:
        is_tool_or_script and any of them
}

rule Directory_Is_Collected {
    meta:
        description = "Tool that collects users, computers and rights of the whole domain"
        description_ja = "ドメイン全体のユーザー、コンピューター、権限の情報を収集するツールです"
        severity = "critical"
        attack = "T1087.002,T1482,T1069.002"
    strings:
        $name1 = "SharpHound" ascii wide nocase
        $name2 = "Invoke-BloodHound" ascii wide nocase
        $name3 = "PowerView" ascii wide nocase
        $name4 = "ADRecon" ascii wide nocase
        $option1 = "CollectionMethod" ascii wide nocase
        $option2 = "Get-DomainUser" ascii wide nocase
        $option3 = "Get-NetDomainTrust" ascii wide nocase
        $option4 = "Find-LocalAdminAccess" ascii wide nocase
        $option5 = "StealthMode" ascii wide nocase
    condition:
        is_tool_or_script and any of ($name*) and any of ($option*)
}

rule Command_And_Control_Pipe_Names {
    meta:
        description = "Program or script with the pipe names of a known remote control kit"
        description_ja = "既知の遠隔操作ツールが使うパイプ名を含むプログラムまたはスクリプトです"
        severity = "critical"
        attack = "T1071,T1559"
    strings:
        $pipe1 = "\\\\.\\pipe\\msagent_" ascii wide nocase
        $pipe2 = /\\\\\.\\pipe\\MSSE-[0-9%a-z]{1,5}-server/ ascii wide nocase
        $pipe3 = "\\\\.\\pipe\\postex_" ascii wide nocase
        $pipe4 = /\\\\\.\\pipe\\status_[0-9a-f%]{2}/ ascii wide nocase
        $pipe5 = "ReflectiveLoader" ascii wide
        $pipe6 = "beacon.x64.dll" ascii wide nocase
        $pipe7 = "beacon.dll" ascii wide nocase
    condition:
        is_tool_or_script and (any of ($pipe1, $pipe2, $pipe3) or 2 of them)
}

rule Tunnel_Out_Of_The_Network {
    meta:
        description = "Command that opens a tunnel out of the network for others to come in"
        description_ja = "外部から侵入できるトンネルをネットワークの外に向けて開くコマンドです"
        severity = "high"
        attack = "T1572,T1090"
    strings:
        $plink = /(plink|ssh)(\.exe)?["']?\s[^\r\n]{0,160}-R\s{0,4}[0-9a-z.:*]{1,60}:3389\b/ nocase ascii wide
        $plink2 = /plink(\.exe)?["']?\s[^\r\n]{0,160}-R\s{0,4}[0-9]{2,5}:/ nocase ascii wide
        $chisel = /chisel(\.exe)?["']?\s{1,4}client\s[^\r\n]{1,160}R:/ nocase ascii wide
        $ngrok = /ngrok(\.exe)?["']?\s{1,4}tcp\s{1,4}(3389|445|22)\b/ nocase ascii wide
        $proxy = /netsh[^\r\n]{1,40}portproxy\s{1,4}add\s/ nocase ascii wide
    condition:
        is_tool_or_script and any of them
}

rule Remote_Desktop_Switched_On {
    meta:
        description = "Script that switches remote desktop on or weakens the firewall for it"
        description_ja = "リモートデスクトップを有効化、またはそのためにファイアウォールを弱めるスクリプトです"
        severity = "high"
        attack = "T1021.001,T1562.004"
    strings:
        $deny = /fDenyTSConnections["']?[^\r\n]{0,80}(\/d\s{1,4}["']?0|-Value\s{1,4}0|,\s{0,4}0)/ nocase
        $restricted = /DisableRestrictedAdmin["']?[^\r\n]{0,80}(\/d\s{1,4}["']?0|-Value\s{1,4}0)/ nocase
        $firewall = /netsh\s{1,4}advfirewall\s{1,4}set\s{1,4}\w{1,20}\s{1,4}state\s{1,4}off/ nocase
    condition:
        is_tool_or_script and any of them
}
