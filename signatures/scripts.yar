// Scripts and command lines that fetch, decode or start something.
//
// Conditions name the kinds: a mail or a page that speaks of these commands is no script. Patterns are long enough
// to search fast; short words belong to analyzers on decoded scripts.

private rule is_script {
    condition:
        kind matches /^(js|jse|vbs|vbe|wsf|sct|hta|ps1|bat|msbuild|inf|lnk|vba-source|xlm-source|scf|url|desktop|settingcontent-ms|msc)$/
}

rule PowerShell_Encoded_Command {
    meta:
        description = "PowerShell started with an encoded command"
        description_ja = "エンコードされたコマンドで PowerShell を起動しています"
        severity = "high"
        attack = "T1059.001,T1027.010"
    strings:
        $command = /powershell[^\r\n]{1,60}[-\/]e[a-z]{0,14}\s{1,4}["']?[A-Za-z0-9+\/]{24}/ nocase ascii wide
    condition:
        is_script and $command
}

rule PowerShell_Download_Cradle {
    meta:
        description = "PowerShell that fetches code from the network and runs it"
        description_ja = "ネットワークからコードを取得して実行する PowerShell です"
        severity = "critical"
        attack = "T1059.001,T1105"
    strings:
        $fetch1 = ".DownloadString(" nocase
        $fetch2 = ".DownloadData(" nocase
        $fetch3 = "Invoke-WebRequest" nocase
        $fetch4 = "Invoke-RestMethod" nocase
        $run1 = "Invoke-Expression" nocase
        $run2 = "iex " nocase fullword
        $run5 = "iex(" nocase
        $run3 = "Reflection.Assembly]::Load" nocase
        $run4 = "[scriptblock]::Create" nocase
    condition:
        is_script and any of ($fetch*) and any of ($run*)
}

rule Certutil_Fetch_Or_Decode {
    meta:
        description = "certutil used to fetch or decode a file"
        description_ja = "certutil でファイルを取得またはデコードしています"
        severity = "high"
        attack = "T1105,T1140"
    strings:
        $tool = /certutil[^\r\n]{1,40}[-\/](urlcache|decode|verifyctl)/ nocase ascii wide
    condition:
        is_script and $tool
}

rule Bitsadmin_Transfer {
    meta:
        description = "bitsadmin or BITS used to fetch a file"
        description_ja = "bitsadmin または BITS でファイルを取得しています"
        severity = "high"
        attack = "T1197,T1105"
    strings:
        $tool = /bitsadmin[^\r\n]{1,30}\/(transfer|addfile)/ nocase ascii wide
        $cmdlet = "Start-BitsTransfer" nocase
    condition:
        is_script and any of them
}

rule Mshta_Remote_Or_Inline {
    meta:
        description = "mshta started with a remote page or inline script"
        description_ja = "リモートのページまたはインラインスクリプトで mshta を起動しています"
        severity = "critical"
        attack = "T1218.005"
    strings:
        $tool = /mshta(\.exe)?["']?\s{1,4}["']?(https?:|vbscript:|javascript:|\\\\)/ nocase ascii wide
    condition:
        is_script and $tool
}

rule Regsvr32_Remote_Scriptlet {
    meta:
        description = "regsvr32 started with a scriptlet"
        description_ja = "スクリプトレットを指定して regsvr32 を起動しています"
        severity = "critical"
        attack = "T1218.010"
    strings:
        $tool = /regsvr32[^\r\n]{1,40}\/i:[^\r\n]{1,80}scrobj/ nocase ascii wide
    condition:
        is_script and $tool
}

rule Rundll32_Script {
    meta:
        description = "rundll32 used to run script or to open a file by URL"
        description_ja = "rundll32 でスクリプトを実行、または URL を開いています"
        severity = "critical"
        attack = "T1218.011"
    strings:
        $tool = /rundll32(\.exe)?["']?\s{1,4}["']?(javascript:|vbscript:|(url|mshtml|ieframe|zipfldr)(\.dll)?,\s{0,4}(RunHTMLApplication|FileProtocolHandler|OpenURL|RouteTheCall))/ nocase ascii wide
    condition:
        is_script and $tool
}

rule Wmi_Starts_Process {
    meta:
        description = "Script that starts a process through WMI"
        description_ja = "WMI 経由でプロセスを起動するスクリプトです"
        severity = "high"
        attack = "T1047"
    strings:
        $moniker = "winmgmts:" nocase
        $class = "Win32_Process" nocase
        $create = /\.Create[\s(]/ nocase
        $wmic = /wmic[^\r\n]{1,40}process\s{1,4}call\s{1,4}["']?create/ nocase
    condition:
        is_script and ($wmic or all of ($moniker, $class, $create))
}

rule Script_Drops_Downloaded_File {
    meta:
        description = "Script that downloads a file, writes it to disk and starts it"
        description_ja = "ファイルをダウンロードし、保存して起動するスクリプトです"
        severity = "critical"
        attack = "T1059.005,T1105,T1204.002"
    strings:
        $http1 = "MSXML2.XMLHTTP" nocase
        $http2 = "MSXML2.ServerXMLHTTP" nocase
        $http3 = "WinHttp.WinHttpRequest" nocase
        $http4 = /URLDownloadToFile[AW]?\s*["(0]/
        $http5 = "Microsoft.XMLHTTP" nocase
        $write1 = "ADODB.Stream" nocase
        $write2 = ".SaveToFile" nocase
        $run1 = "WScript.Shell" nocase
        $run2 = "Shell.Application" nocase
        $run3 = "ShellExecute"
        $run4 = /\bShell[\s(]+["A-Za-z]/
    condition:
        is_script and any of ($http*) and any of ($run*) and ($http4 or any of ($write*))
}

rule MSBuild_Inline_Code {
    meta:
        description = "MSBuild project that compiles and runs code of its own"
        description_ja = "独自のコードをコンパイルして実行する MSBuild プロジェクトです"
        severity = "critical"
        attack = "T1127.001"
        marks = "codetaskfactory"
    strings:
        $task = "UsingTask" nocase
        $factory1 = "CodeTaskFactory" nocase
        $factory2 = "RoslynCodeTaskFactory" nocase
        $code = /<Code\s+Type\s*=\s*["'](Class|Fragment|Method)["']/ nocase
    condition:
        kind matches /^(msbuild|xml)$/ and marked and $task and any of ($factory*) and $code
}

rule System_Tool_Copied_Under_Another_Name {
    meta:
        description = "Script that copies a Windows tool to another name"
        description_ja = "Windows の標準ツールを別名でコピーするスクリプトです"
        severity = "high"
        attack = "T1036.003"
    strings:
        $copy = /(copy|Copy-Item|FileCopy|CopyFile)[^\r\n]{1,80}\\(powershell|mshta|wscript|cscript|rundll32|regsvr32|msbuild|certutil|bitsadmin|cmd)\.exe["']?[\s,]{1,4}[^\r\n]{1,60}\.(exe|com|scr|dat|tmp|log|txt|jpg)/ nocase
        // To another folder under the name that it has.
        $same = /(copy|Copy-Item|FileCopy|CopyFile)[^\r\n]{1,80}(\\powershell\.exe["']?[\s,]{1,4}[^\r\n]{0,60}\bpowershell\.exe|\\mshta\.exe["']?[\s,]{1,4}[^\r\n]{0,60}\bmshta\.exe|\\wscript\.exe["']?[\s,]{1,4}[^\r\n]{0,60}\bwscript\.exe|\\cscript\.exe["']?[\s,]{1,4}[^\r\n]{0,60}\bcscript\.exe|\\rundll32\.exe["']?[\s,]{1,4}[^\r\n]{0,60}\brundll32\.exe|\\regsvr32\.exe["']?[\s,]{1,4}[^\r\n]{0,60}\bregsvr32\.exe|\\msbuild\.exe["']?[\s,]{1,4}[^\r\n]{0,60}\bmsbuild\.exe|\\certutil\.exe["']?[\s,]{1,4}[^\r\n]{0,60}\bcertutil\.exe|\\bitsadmin\.exe["']?[\s,]{1,4}[^\r\n]{0,60}\bbitsadmin\.exe|\\cmd\.exe["']?[\s,]{1,4}[^\r\n]{0,60}\bcmd\.exe)/ nocase
    condition:
        is_script and $copy and #copy > #same
}

rule Security_Software_Switched_Off {
    meta:
        description = "Script that weakens the built-in protection of Windows"
        description_ja = "Windows 標準の保護機能を弱めるスクリプトです"
        severity = "critical"
        attack = "T1562.001"
    strings:
        $set = "Set-MpPreference" nocase
        $disable = "-Disable" nocase
        $add = "Add-MpPreference" nocase
        $exclusion = "-Exclusion" nocase
        $shadow = /vssadmin[^\r\n]{1,10}delete\s{1,4}shadows/ nocase
        $amsi = "AmsiUtils" nocase
        $types = "[Ref].Assembly.GetTypes()" nocase
        $hidden_fields = "NonPublic,Static" nocase
        $office1 = "\\Security\\VBAWarnings" nocase
        $office2 = "\\Security\\AccessVBOM" nocase
    condition:
        is_script and (($set and $disable) or ($add and $exclusion) or $shadow or $amsi or ($types and $hidden_fields) or any of ($office*))
}

rule Script_Installs_Itself_For_Logon {
    meta:
        description = "Script that arranges to be started again at logon or on schedule"
        description_ja = "ログオン時またはスケジュールで再度起動されるよう設定するスクリプトです"
        severity = "high"
        attack = "T1547.001,T1053.005"
    strings:
        $task = "schtasks" nocase
        $create = "/create" nocase
        $start = "/tr " nocase
        $run = "CurrentVersion\\Run" nocase
        $write1 = "reg add" nocase
        $write2 = "RegWrite" nocase
        $write3 = "Set-ItemProperty" nocase
        $write4 = "New-ItemProperty" nocase
    condition:
        is_script and (all of ($task, $create, $start) or ($run and any of ($write*)))
}
