// Developer tools as a way in: projects, packages and settings that run something when they are built, installed or opened.

rule Build_Project_Injects_Or_Fetches_Code {
    meta:
        description = "Build project whose code fetches, decodes or injects other code"
        description_ja = "別のコードを取得、復号または注入するコードを含むビルドプロジェクトです"
        severity = "critical"
        attack = "T1127.001,T1620"
    strings:
        $task = "TaskFactory" nocase
        $event = /<(Pre|Post)(Build|Link)Event|<Exec\s/ nocase
        $do1 = "VirtualAlloc"
        $do2 = "CreateThread"
        $do3 = "Assembly.Load"
        $do4 = "DownloadString"
        $do5 = "DownloadData"
        $do6 = "FromBase64String"
        $do7 = "Process.Start"
        $do8 = /powershell[^\r\n<]{1,80}(-e[a-z]{0,13}\s|http|hidden)/ nocase
        $do9 = /(certutil|bitsadmin|mshta|curl)[^\r\n<]{1,80}https?:/ nocase
    condition:
        kind == "msbuild" and ($task or $event) and any of ($do*)
}

rule Package_Install_Script_Fetches_Code {
    meta:
        description = "Package for Node.js whose installation fetches or decodes a program"
        description_ja = "インストール時にプログラムを取得または復号する Node.js パッケージです"
        severity = "high"
        attack = "T1195.002,T1059.007"
    strings:
        $hook = /"(pre|post)?install"\s*:\s*"[^"\r\n]{0,200}(curl|wget|powershell|Invoke-WebRequest|certutil|base64|node\s+-e|\/dev\/tcp)/ nocase
    condition:
        kind == "json" and $hook
}

rule Folder_Task_Runs_When_Opened {
    meta:
        description = "Editor settings that run a command as soon as the folder is opened"
        description_ja = "フォルダーを開くだけでコマンドを実行するエディターの設定ファイルです"
        severity = "high"
        attack = "T1204.002,T1059"
    strings:
        $open = /"runOn"\s*:\s*"folderOpen"/
        $command = /"(command|args)"\s*:\s*(\[\s*)?"[^"\r\n]{0,200}(powershell|cmd|curl|wget|bash|mshta|wscript|node|python|certutil)/ nocase
    condition:
        kind == "json" and $open and $command
}

rule Python_Package_Runs_Hidden_Code {
    meta:
        description = "Python installation script that decodes or fetches code and runs it"
        description_ja = "コードを復号または取得して実行する Python のインストールスクリプトです"
        severity = "critical"
        attack = "T1195.002,T1059.006"
    strings:
        $setup = /\bsetup\s{0,4}\([^)]{0,400}\bname\s{0,4}=/
        $run = /\b(exec|eval)\s{0,4}\([^\r\n]{0,80}(b64decode|urlopen|requests\.get|decompress|marshal\.loads|fromhex)/
        $start1 = "os.system("
        $start2 = "subprocess."
        $what1 = /powershell[^\r\n]{1,60}-e[a-z]{0,13}\s/ nocase
        $what2 = /(curl|wget|certutil|bitsadmin|mshta)\s[^\r\n]{0,80}https?:/ nocase
    condition:
        kind == "py" and $setup and ($run or (any of ($start*) and any of ($what*)))
}

rule Download_Piped_Into_Shell {
    meta:
        description = "Shell script that fetches a script and runs it unseen"
        description_ja = "取得したスクリプトをそのまま実行するシェルスクリプトです"
        severity = "high"
        attack = "T1059.004,T1105"
    strings:
        $pipe = /(curl|wget)\s[^\r\n|;]{0,160}https?:[^\r\n|;]{1,160}\|\s*(sudo\s+)?(ba|z|da)?sh\b/
        $eval = /(eval|bash\s+-c|sh\s+-c)\s+"?\$\((curl|wget)\s/
        $tcp = /\/dev\/tcp\/[0-9a-z.]{4,80}\/[0-9]{1,5}/
    condition:
        kind matches /^(sh|json|applescript)$/ and any of them
}

rule Setup_Information_Runs_Scriptlet {
    meta:
        description = "Setup information that runs a command or a scriptlet through cmstp"
        description_ja = "cmstp を通じてコマンドやスクリプトレットを実行するセットアップ情報ファイルです"
        severity = "critical"
        attack = "T1218.003"
    strings:
        $section1 = "RunPreSetupCommandsSection" nocase
        $section2 = "UnRegisterOCXSection" nocase
        $section3 = "RegisterOCXSection" nocase
        $run1 = "scrobj.dll" nocase
        $run2 = /(powershell|cmd|mshta|rundll32|regsvr32|taskkill)(\.exe)?\s/ nocase
        $run3 = "ni,http" nocase
    condition:
        kind == "inf" and any of ($section*) and any of ($run*)
}
