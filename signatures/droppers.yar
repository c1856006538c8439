// What carries a program in and starts it: scripts that write or inject one, pairs of a genuine program and a library of its
// neighbour's name, shortcuts that take a payload out of themselves.

private rule is_program_text {
    condition:
        kind matches /^(js|vbs|wsf|sct|hta|ps1|bat|vba-source|xlm-source|msbuild|au3|py)$/
}

rule Archive_Holds_Side_Loading_Pair {
    meta:
        description = "Archive with a genuine program and a library that it loads from its own folder in the place of the real one"
        description_ja = "正規のプログラムと、本物の代わりに同じフォルダーから読み込ませるDLLを組にしたアーカイブです（DLLサイドローディング）"
        severity = "high"
        attack = "T1574.002"
    strings:
        $a1 = "winword.exe" nocase
        $a2 = "wwlib.dll" nocase
        $b1 = /(MpCmdRun|NisSrv|MsMpEng)\.exe/ nocase
        $b2 = "mpclient.dll" nocase
        $b3 = "mpsvc.dll" nocase
        $c1 = "GoogleUpdate.exe" nocase
        $c2 = "goopdate.dll" nocase
        $d1 = /OneDrive(StandaloneUpdater|Updater)?\.exe/ nocase
        $d2 = "version.dll" nocase
        $e1 = "WerFault.exe" nocase
        $e2 = "faultrep.dll" nocase
        $f1 = "VMwareXferlogs.exe" nocase
        $f2 = "glib-2.0.dll" nocase
        $g1 = "mscorsvw.exe" nocase
        $g2 = "mscorsvc.dll" nocase
        $h1 = "colorcpl.exe" nocase
        $h2 = "colorui.dll" nocase
        $i1 = "vmnat.exe" nocase
        $i2 = "shfolder.dll" nocase
        $j1 = "dism.exe" nocase fullword
        $j2 = "dismcore.dll" nocase
        $k1 = "calc.exe" nocase fullword
        $k2 = "windowscodecs.dll" nocase
        $l1 = "FileCoAuth.exe" nocase
        $l2 = "secur32.dll" nocase
        $m1 = "bdreinit.exe" nocase
        $m2 = "log.dll" nocase fullword
        $n1 = "rekeywiz.exe" nocase
        $n2 = "duser.dll" nocase
    condition:
        kind matches /^(zip|tar|iso|7z|rar)$/ and (
            all of ($a*) or ($b1 and ($b2 or $b3)) or all of ($c*) or all of ($d*) or all of ($e*) or all of ($f*) or all of ($g*) or
            all of ($h*) or all of ($i*) or all of ($j*) or all of ($k*) or all of ($l*) or all of ($m*) or all of ($n*))
}

rule Script_Injects_Machine_Code {
    meta:
        description = "Script that writes machine code into memory and starts it"
        description_ja = "機械語のコードをメモリーに書き込んで実行するスクリプトです"
        severity = "critical"
        attack = "T1055,T1106"
    strings:
        $memory1 = "VirtualAlloc" nocase
        $memory2 = "VirtualProtect" nocase
        $memory3 = "NtAllocateVirtualMemory" nocase
        $start1 = "CreateThread" nocase
        $start2 = "CreateRemoteThread" nocase
        $start3 = "QueueUserAPC" nocase
        $start4 = "EnumSystemLocales" nocase
        $start5 = "GetDelegateForFunctionPointer" nocase
        $start6 = "DllCallAddress" nocase
        $start7 = "CallWindowProc" nocase
        $write1 = "RtlMoveMemory" nocase
        $write2 = "Marshal]::Copy" nocase
        $write3 = "Marshal.Copy" nocase
        $write4 = "WriteProcessMemory" nocase
        $write5 = "DllStructSetData" nocase
        $write6 = "RtlCopyMemory" nocase
    condition:
        is_program_text and any of ($memory*) and any of ($start*) and any of ($write*)
}

rule Script_Deserializes_Net_Object {
    meta:
        description = "Script that starts a .NET program out of a serialized object"
        description_ja = "シリアル化されたオブジェクトから .NET プログラムを起動するスクリプトです"
        severity = "critical"
        attack = "T1059.005,T1059.007,T1620"
    strings:
        $formatter = "Serialization.Formatters.Binary.BinaryFormatter" nocase
        $read = "Deserialize_2" nocase
        $call1 = "DynamicInvoke" nocase
        $call2 = "CreateInstance" nocase
    condition:
        is_program_text and $formatter and ($read or any of ($call*))
}

rule Batch_Writes_Encoded_Program {
    meta:
        description = "Script that writes an encoded file line by line and decodes it with a Windows tool"
        description_ja = "符号化したファイルを一行ずつ書き出し、Windows のツールで復号するスクリプトです"
        severity = "critical"
        attack = "T1140,T1027"
    strings:
        $begin = "-----BEGIN CERTIFICATE-----"
        $line = /echo\s*[\(]?[A-Za-z0-9+\/=]{32,120}\s*>>/ nocase
        $decode1 = /certutil[^\r\n]{1,40}[-\/]decode/ nocase
        $decode2 = "FromBase64String" nocase
        $decode3 = "bin.base64" nocase
    condition:
        kind matches /^(bat|vbs|ps1|vba-source)$/ and ($line or $begin) and any of ($decode*)
}

rule Script_Copies_File_Into_Startup_Folder {
    meta:
        description = "Script that puts a program or script into the startup folder"
        description_ja = "スタートアップフォルダーにプログラムやスクリプトを置くスクリプトです"
        severity = "high"
        attack = "T1547.001"
    strings:
        $folder1 = "Start Menu\\Programs\\Startup" nocase
        $folder2 = /SpecialFolders\s*\(\s*["']Startup["']/ nocase
        $folder3 = "GetFolderPath('Startup')" nocase
        $write1 = /\b(copy|xcopy|move|robocopy)\s/ nocase
        $write2 = "Copy-Item" nocase
        $write3 = "CopyFile" nocase
        $write4 = "CreateShortcut" nocase
        $write5 = "SaveToFile" nocase
        $write6 = "CreateTextFile" nocase
        $write7 = "Out-File" nocase
    condition:
        is_program_text and any of ($folder*) and any of ($write*)
}

rule Shortcut_Takes_Payload_Out_Of_Itself {
    meta:
        description = "Shortcut whose command reads a payload out of the shortcut file"
        description_ja = "ショートカットファイル自身に埋め込まれたデータを取り出すコマンドを実行するショートカットです"
        severity = "critical"
        attack = "T1204.002,T1027.009"
    strings:
        $own = ".lnk" nocase ascii wide
        $read1 = "ReadAllBytes" nocase ascii wide
        $read2 = "Get-Content" nocase ascii wide
        $read3 = "FileStream" nocase ascii wide
        $read4 = "findstr" nocase ascii wide
        $read5 = "more +" nocase ascii wide
        $read6 = "certutil" nocase ascii wide
        $tool = /(powershell|cmd|mshta|wscript)/ nocase ascii wide
    condition:
        kind == "lnk" and $own and $tool and any of ($read*)
}

rule AutoIt_Script_Loads_Code {
    meta:
        description = "AutoIt script that decodes and starts machine code"
        description_ja = "機械語のコードを復号して実行する AutoIt スクリプトです"
        severity = "critical"
        attack = "T1059.010,T1055"
    strings:
        $struct = "DllStructCreate" nocase
        $call1 = "DllCallAddress" nocase
        $call2 = "CallWindowProc" nocase
        $call3 = "VirtualProtect" nocase
        $decode = /BinaryToString|StringReplace|Execute\(/ nocase
    condition:
        kind == "au3" and $struct and any of ($call*) and $decode
}

rule Script_Looks_For_Analysis_Machine {
    meta:
        description = "Script that looks for virtual machines and analysis tools before it goes on"
        description_ja = "仮想マシンや解析ツールの有無を確かめてから動作するスクリプトです"
        severity = "high"
        attack = "T1497.001"
    strings:
        $ask1 = "Win32_ComputerSystem" nocase
        $ask2 = "Win32_BIOS" nocase
        $ask3 = "Win32_Process" nocase
        $name1 = "virtualbox" nocase
        $name2 = "vmware" nocase
        $name3 = "sandboxie" nocase
        $name4 = "wireshark" nocase
        $name5 = "procmon" nocase
        $name6 = "vboxservice" nocase
        $name7 = "qemu" nocase
    condition:
        is_program_text and any of ($ask*) and 3 of ($name*)
}
