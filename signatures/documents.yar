// Documents and pages: lures and carriers that are told by their content.

rule EICAR_Test_File {
    meta:
        description = "The EICAR test file: harmless, made to try whether a scanner works"
        description_ja = "EICAR テストファイルです(スキャナーの動作確認用で無害です)"
        score = 100
    strings:
        // The test string, in hexadecimal so that this file is not taken for it.
        $eicar = { 58 35 4F 21 50 25 40 41 50 5B 34 5C 50 5A 58 35 34 28 50 5E 29 37 43 43 29 37 7D 24 45 49 43 41 52 2D 53 54 41 4E 44 41 52 44 2D 41 4E 54 49 56 49 52 55 53 2D 54 45 53 54 2D 46 49 4C 45 21 24 48 2B 48 2A }
    condition:
        // The definition of the file: at its start, white space behind it, 128 bytes at the most. What is cheap stands
        // first, in every rule: patterns are searched only once a condition asks for one.
        filesize <= 128 and $eicar at 0
}

rule Html_Builds_A_File {
    meta:
        description = "Web page that builds a file in the browser and hands it to the user"
        description_ja = "ブラウザー内でファイルを組み立てて利用者に渡すページです"
        severity = "high"
        attack = "T1027.006"
        marks = "new blob("
    strings:
        $decode1 = "atob("
        $decode2 = "fromCharCode"
        $decode3 = "Uint8Array("
        $blob = "new Blob("
        $give1 = "createObjectURL"
        $give2 = "msSaveOrOpenBlob"
        $give3 = "msSaveBlob"
        $click = ".click("
        $download = /\.download\s*=|setAttribute\(\s*["']download["']/
        $library1 = "typeof define"
        $library2 = "define.amd"
        $library3 = "module.exports"
        // How programs, archives and documents start in base64.
        $start1 = "TVqQ"
        $start2 = "TVpQ"
        $start3 = "UEsDB"
        $start4 = "UmFyI"
        $start5 = "N3q8"
        $start6 = "H4sIA"
        $start7 = "TVNDR"
        $start8 = "0M8R4"
        $start9 = "JVBER"
    condition:
        // Large libraries of charts and tables save what they draw.
        kind matches /^(html|svg|js|hta)$/ and marked and (filesize < 100KB or any of ($start*) or not any of ($library*)) and any of ($decode*) and
        ($blob and ($give2 or $give3 or ($give1 and ($click or $download))))
}

rule Html_Opens_Troubleshooter {
    meta:
        description = "Page that starts the Windows troubleshooter with a command (CVE-2022-30190)"
        description_ja = "コマンド付きで Windows のトラブルシューティングツールを起動するページです(CVE-2022-30190)"
        severity = "critical"
        attack = "T1203,T1218"
        marks = "ms-msdt:"
    strings:
        $scheme = /ms-msdt:[^\r\n"']{0,40}(IT_RebrowseForFile|IT_BrowseForFile|PCWDiagnostic)/ nocase
    condition:
        kind matches /^(html|js|svg|hta|rtf|xml)$/ and marked and $scheme
}

rule Page_Opens_Search_On_Remote_Share {
    meta:
        description = "Page or shortcut that opens an Explorer search on a remote share"
        description_ja = "リモート共有をエクスプローラーの検索で開かせるページまたはショートカットです"
        severity = "high"
        attack = "T1204.001"
        marks = "search:,search-ms:"
    strings:
        $scheme = /search(-ms)?:[^"'\r\n]{0,80}(crumb=location:|&query=)[^"'\r\n]{0,40}\\\\/ nocase
    condition:
        kind matches /^(html|svg|url|lnk|js)$/ and marked and $scheme
}

rule Macro_Asks_To_Be_Enabled {
    meta:
        description = "Document text that talks the reader into enabling macros"
        description_ja = "マクロを有効にするよう読み手を誘導する文面です"
        score = 20
        attack = "T1204.002"
    strings:
        $en1 = /enable\s(the\s)?(content|editing|macros?)\W[^\r\n]{0,60}(view|display|see|show|decrypt|protected)/ nocase
        $ja1 = "コンテンツの有効化"
        $ja2 = "マクロを有効に"
        $ja3 = "編集を有効にする"
        $see1 = "表示するには"
        $see2 = "閲覧するには"
    condition:
        parent_kind matches /^(docm|dotm|xlsm|xltm|xlsb|pptm|ppsm|doc|xls|ppt)$/ and ($en1 or (any of ($ja*) and any of ($see*)))
}
