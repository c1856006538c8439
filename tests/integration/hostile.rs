//! Inputs of hostile size and shape: time stays linear, what a limit cut off is said, memory stays bounded.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sekisho::engine::{Engine, Worker};
use sekisho::limits::Limits;
use sekisho::model::Report;

use crate::bench::{engine, engine_within, scan};
use crate::build;
use crate::support::Folder;

/// Below this nobody can tell a slow algorithm from a slow machine.
const QUICK: Duration = Duration::from_millis(400);

/// A tenfold input may take this many times as long; a quadratic loop takes a hundred times.
const TIMES: u32 = 20;

fn shared() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(engine)
}

/// Scans with the stack that scans get in the product.
fn scanned(engine: &Engine, name: &str, data: &[u8]) -> (Report, Duration) {
    std::thread::scope(|scope| {
        let run = || {
            let mut worker = Worker::new(engine);
            let started = Instant::now();
            let report = scan(&mut worker, name, data.to_vec());
            (report, started.elapsed())
        };
        let thread = std::thread::Builder::new().stack_size(16 << 20);
        thread.spawn_scoped(scope, run).unwrap().join().unwrap()
    })
}

/// Scans `make(count / 10)` and `make(count)`: no crash, never silent, and linear.
fn bears(name: &str, count: usize, make: impl Fn(usize) -> Vec<u8>) -> Report {
    let (small, large) = (make(count / 10), make(count));
    let mut last = (Duration::ZERO, Duration::ZERO);
    for _ in 0..3 {
        let (_, short) = scanned(shared(), name, &small);
        let (report, long) = scanned(shared(), name, &large);
        assert!(
            !has(&report, "scanner-crashed"),
            "{name}: {:?}",
            report.findings
        );
        assert!(
            report.complete || report.score > 0,
            "{name}: incomplete and silent"
        );
        println!("{name}: {} bytes, {short:?}, {long:?}", large.len());
        if long < QUICK || long < short * TIMES {
            return report;
        }
        last = (short, long);
    }
    panic!(
        "{name}: {} bytes take {:?}, ten times as many {:?}",
        small.len(),
        last.0,
        last.1
    );
}

fn has(report: &Report, id: &str) -> bool {
    report.findings.iter().any(|finding| finding.id == id)
}

fn says(report: &Report, id: &str, what: &str) -> bool {
    let fits = |text: &str| text.contains(what);
    report
        .findings
        .iter()
        .any(|finding| finding.id == id && fits(&finding.evidence.text))
}

fn mail_head(more: &str) -> String {
    format!(
        "From: a@b.example\r\nTo: c@d.example\r\nSubject: s\r\nDate: Mon, 02 Nov 2026 09:30:00 +0900\r\nMIME-Version: 1.0\r\n{more}\r\n"
    )
}

fn vba(code: &str) -> Vec<u8> {
    build::docm("t", &[("M", build::module("M", code))])
}

/// Stored members with empty content, written by hand: the crate's writer is slow on many.
fn zip_of_names(count: usize, name: impl Fn(usize) -> String, data: &[u8]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    let size = u32::try_from(data.len()).unwrap().to_le_bytes();
    for at in 0..count {
        let name = name(at);
        let offset = u32::try_from(out.len()).unwrap().to_le_bytes();
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend_from_slice(&crc32(data).to_le_bytes());
        common.extend_from_slice(&size);
        common.extend_from_slice(&size);
        common.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend_from_slice(&[0, 0]);
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&common);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(data);
        directory.extend_from_slice(b"PK\x01\x02\x14\0");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset);
        directory.extend_from_slice(name.as_bytes());
    }
    let start = u32::try_from(out.len()).unwrap().to_le_bytes();
    let entries = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
    let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    for field in [entries.as_slice(), &entries, &length, &start, &[0, 0]] {
        out.extend_from_slice(field);
    }
    out
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}

fn tar_of(count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for at in 0..count {
        let mut block = [0; 512];
        let name = format!("f{at}");
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[100..108].copy_from_slice(b"0000644\0");
        block[124..136].copy_from_slice(b"00000000000\0");
        block[156] = b'0';
        block[257..265].copy_from_slice(b"ustar\x0000");
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&block);
    }
    out.extend_from_slice(&[0; 1024]);
    out
}

/// A compound file (version 4) whose directory has `count` entries, each the right sibling of the one before.
fn compound_of(count: usize) -> Vec<u8> {
    const SECTOR: usize = 4096;
    let word = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let directory = count.div_ceil(SECTOR / 128);
    let fat = (directory + 200).div_ceil(SECTOR / 4);
    let mut out = vec![0; SECTOR];
    out[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    out[24..34].copy_from_slice(&[0x3e, 0, 4, 0, 0xfe, 0xff, 12, 0, 6, 0]);
    out[40..44].copy_from_slice(&word(directory));
    out[44..48].copy_from_slice(&word(fat));
    out[48..52].copy_from_slice(&word(fat));
    out[56..60].copy_from_slice(&word(4096));
    out[60..64].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
    out[68..72].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
    for at in 0..109 {
        let sector = if at < fat { word(at) } else { [0xff; 4] };
        out[76 + at * 4..80 + at * 4].copy_from_slice(&sector);
    }
    for at in 0..fat * (SECTOR / 4) {
        let next = match at {
            _ if at < fat => [0xfd, 0xff, 0xff, 0xff],
            _ if at + 1 < fat + directory => word(at + 1),
            _ if at + 1 == fat + directory => [0xfe, 0xff, 0xff, 0xff],
            _ => [0xff; 4],
        };
        out.extend_from_slice(&next);
    }
    for at in 0..directory * (SECTOR / 128) {
        let mut entry = [0; 128];
        let name: Vec<u8> = if at == 0 {
            "Root Entry".to_owned()
        } else {
            format!("s{at}")
        }
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
        entry[..name.len()].copy_from_slice(&name);
        entry[64] = u8::try_from(name.len() + 2).unwrap();
        entry[66] = match at {
            0 => 5,
            _ if at < count => 2,
            _ => 0,
        };
        entry[67] = 1;
        entry[68..80].fill(0xff);
        if at == 0 {
            entry[76..80].copy_from_slice(&word(1));
        } else if at + 1 < count {
            entry[72..76].copy_from_slice(&word(at + 1));
        }
        entry[116..120].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
        out.extend_from_slice(&entry);
    }
    out
}

#[test]
fn huge_counts_in_archives_stay_linear_and_are_said() {
    let report = bears("many.zip", 65_000, |n| {
        zip_of_names(n, |at| format!("f{at}"), b"")
    });
    assert!(
        says(&report, "limit-exceeded", "max-artifacts"),
        "{:?}",
        report.findings
    );
    let report = bears("many.tar", 100_000, tar_of);
    assert!(
        says(&report, "limit-exceeded", "max-artifacts"),
        "{:?}",
        report.findings
    );
    bears("many.doc", 100_000, compound_of);
    bears("gz.gz", 100_000, |n| {
        b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0".repeat(n)
    });
    bears("ends.zip", 100_000, |n| {
        [b"PK\x05\x06".as_slice(), &[0; 18]].concat().repeat(n)
    });
    bears("locals.zip", 30_000, |n| {
        let one = zip_of_names(1, |_| "a".to_owned(), b"");
        one[..31].repeat(n)
    });
}

#[test]
fn virtual_disks_of_many_files_stay_linear() {
    let mut text = "# Disk DescriptorFile\nversion=1\n".to_owned();
    for number in 0..255 {
        writeln!(text, "RW 128 SPARSE \"disk-s{number:05}.vmdk\"").unwrap();
    }
    let extent = [b"KDMV\x01\0\0\0\x03\0\0\0".as_slice(), &[0; 500]].concat();
    for others in [b"a text".as_slice(), &extent] {
        bears("disks.zip", 8000, |n| {
            let members: Vec<(String, &[u8])> = (0..4)
                .map(|at| (format!("a{at}.vmdk"), text.as_bytes()))
                .chain((0..n).map(|at| (format!("other-{at}"), others)))
                .chain((0..255).map(|at| (format!("disk-s{at:05}.vmdk"), extent.as_slice())))
                .collect();
            let borrowed: Vec<(&str, &[u8])> = members
                .iter()
                .map(|(name, data)| (name.as_str(), *data))
                .collect();
            build::zip(&borrowed)
        });
    }
}

#[test]
fn many_findings_and_many_copies_are_judged_in_time() {
    let program = build::program();
    bears("copies.zip", 19_000, |n| {
        zip_of_names(n, |at| format!("f{at}.pdf.exe"), &program)
    });
    // Every member differs, so that every one has findings of its own.
    bears("programs.zip", 19_000, |n| {
        let names = zip_of_names(n, |at| format!("f{at:06}.pdf.exe"), b"MZ______");
        let mut out = names;
        let marks: Vec<usize> = out
            .windows(8)
            .enumerate()
            .filter(|(_, w)| w == b"MZ______")
            .map(|(at, _)| at)
            .collect();
        for (number, at) in marks.into_iter().enumerate() {
            out[at + 2..at + 8].copy_from_slice(format!("{number:06}").as_bytes());
        }
        out
    });
    let document = vba(&"Sub AutoOpen()\nShell \"a\"\nEnd Sub\n".repeat(20));
    bears("documents.zip", 15_000, |n| {
        zip_of_names(
            n,
            |at| format!("f{at}.docm"),
            &document[..document.len().min(12_000)],
        )
    });
}

#[test]
fn hostile_mails_stay_linear() {
    bears("parts.eml", 100_000, |n| {
        let mut out = mail_head("Content-Type: multipart/mixed; boundary=b\r\n");
        (0..n).for_each(|at| write!(out, "--b\r\n\r\n{at}\r\n").unwrap());
        out.into_bytes()
    });
    bears("headers.eml", 100_000, |n| {
        mail_head(&"X: y\r\n".repeat(n)).into_bytes()
    });
    bears("types.eml", 50_000, |n| {
        mail_head(&"Content-Type: multipart/mixed; boundary=b\r\n".repeat(n)).into_bytes()
    });
    bears("parameters.eml", 400_000, |n| {
        let mut out = "Content-Type: multipart/mixed".to_owned();
        (0..n).for_each(|at| write!(out, ";\r\n boundary*{at}=x").unwrap());
        mail_head(&format!("{out}\r\n")).into_bytes()
    });
    bears("words.eml", 100_000, |n| {
        mail_head(&format!("Subject: {}\r\n", "=?utf-8?B?44GC?= ".repeat(n))).into_bytes()
    });
    let report = bears("nested.eml", 40_000, |n| {
        let mut out = mail_head("Content-Type: multipart/mixed; boundary=b0\r\n");
        for at in 1..n {
            write!(
                out,
                "--b{}\r\nContent-Type: multipart/mixed; boundary=b{at}\r\n\r\n",
                at - 1
            )
            .unwrap();
        }
        out.into_bytes()
    });
    assert!(says(&report, "limit-exceeded", ""), "{:?}", report.findings);
    let report = bears("messages.eml", 10_000, |n| {
        (mail_head("Content-Type: message/rfc822\r\n").repeat(n)).into_bytes()
    });
    assert!(
        says(&report, "limit-exceeded", "max-depth"),
        "{:?}",
        report.findings
    );
    bears("dashes.eml", 300_000, |n| {
        (mail_head("Content-Type: multipart/mixed; boundary=-\r\n") + &"---\r\n".repeat(n))
            .into_bytes()
    });
    bears("postmarks.mbox", 200_000, |n| {
        "From a@b Mon Nov  2 09:30:00 2026\nA: b\n\n"
            .repeat(n / 10)
            .into_bytes()
    });
}

#[test]
fn hostile_text_stays_linear() {
    let head = |text: String| text.into_bytes();
    bears("begins.txt", 1_000_000, |n| head("begin 644 a\n".repeat(n)));
    bears("ybegins.txt", 500_000, |n| {
        head("=ybegin line=128 size=3 name=a\n".repeat(n))
    });
    bears("line.txt", 20_000_000, |n| head("a".repeat(n)));
    bears("runs.txt", 200_000, |n| {
        head("TVqQAAMAAAAEAAAA//8AALgAAAAAAAAAQAAAAAAAAAA ".repeat(n / 4))
    });
    bears("long-run.txt", 10_000_000, |n| head("TVqQ".repeat(n / 4)));
    bears("numbers.txt", 2_000_000, |n| head("77,90,".repeat(n)));
    bears("urls.txt", 1_000_000, |n| head("http://".repeat(n)));
    bears("unc.txt", 4_000_000, |n| head("\\".repeat(n)));
    bears("quotes.ps1", 2_000_000, |n| {
        head("powershell \"'`(".repeat(n / 8))
    });
    bears("carets.bat", 4_000_000, |n| {
        head("@echo off\r\n".to_owned() + &"^%a:~0,1%".repeat(n / 8))
    });
    bears("tags.html", 500_000, |n| {
        head("<html>".to_owned() + &"<script>".repeat(n))
    });
    bears("comments.html", 1_000_000, |n| {
        head("<html><form>".to_owned() + &"<!--".repeat(n / 4))
    });
    bears("nested.xml", 500_000, |n| {
        head("<?xml version=\"1.0\"?><?mso-application progid=\"Word.Document\"?><pkg:package xmlns:pkg=\"http://schemas.microsoft.com/office/2006/xmlPackage\">".to_owned() + &"<pkg:part>".repeat(n))
    });
    bears("attributes.xml", 100_000, |n| {
        let mut out = "<?xml version=\"1.0\"?><pkg:package xmlns:pkg=\"http://schemas.microsoft.com/office/2006/xmlPackage\"><pkg:part".to_owned();
        (0..n).for_each(|at| write!(out, " a{at}='b'").unwrap());
        head(out)
    });
    bears("groups.rtf", 2_000_000, |n| {
        head("{\\rtf1".to_owned() + &"{".repeat(n))
    });
    bears("marks.bin", 1_000_000, |n| {
        [b"\0\x01\x02\x03".as_slice(), &b"MZ\x90\0".repeat(n / 4)].concat()
    });
    bears("programs.bin", 10_000, |n| {
        [b"\0\x01\x02\x03".as_slice(), &build::program().repeat(n)].concat()
    });
    bears("compounds.bin", 200_000, |n| {
        [
            b"\0\x01\x02\x03".as_slice(),
            &b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".repeat(n),
        ]
        .concat()
    });
}

#[test]
fn hostile_macros_stay_linear() {
    bears("parentheses.docm", 100_000, |n| {
        vba(&format!("Sub A()\nx = {}\nEnd Sub\n", "(".repeat(n)))
    });
    bears("minus.docm", 100_000, |n| {
        vba(&format!("Sub A()\nx = {}1\nEnd Sub\n", "-".repeat(n)))
    });
    bears("not.docm", 100_000, |n| {
        vba(&format!("Sub A()\nx = {}1\nEnd Sub\n", "Not ".repeat(n)))
    });
    bears("calls.docm", 100_000, |n| {
        vba(&format!("Sub A()\nx = {}\nEnd Sub\n", "Chr(".repeat(n)))
    });
    bears("powers.docm", 100_000, |n| {
        vba(&format!("Sub A()\nx = 2{}\nEnd Sub\n", "^2".repeat(n)))
    });
    bears("strings.docm", 100_000, |n| {
        let mut code = "Sub A()\n".to_owned();
        (0..n).for_each(|at| writeln!(code, "x = x & \"s{at}\"").unwrap());
        vba(&code)
    });
    bears("blocks.docm", 50_000, |n| {
        vba(&format!(
            "Sub A()\n{}",
            "If a Then\nFor i = 1 To 9\n".repeat(n)
        ))
    });
    bears("procedures.docm", 50_000, |n| {
        let mut code = String::new();
        (0..n).for_each(|at| {
            write!(
                code,
                "Function F{at}(a)\nF{at} = F{}(a & \"x\")\nEnd Function\n",
                at + 1
            )
            .unwrap();
        });
        vba(&code)
    });
    bears("doubling.docm", 5_000, |n| {
        vba(&format!(
            "Sub A()\nx = \"ab\"\n{}End Sub\n",
            "x = x & x\n".repeat(n)
        ))
    });
    bears("continued.docm", 200_000, |n| {
        vba(&format!(
            "Sub A()\nx = \"a\" {}\nEnd Sub\n",
            "& _\n\"b\" ".repeat(n / 4)
        ))
    });
}

#[test]
fn hostile_scripts_and_streams_stay_linear() {
    let run = "new ActiveXObject(\"WScript.Shell\").Run(a)";
    bears("texts.js", 20_000, |n| {
        let texts: String = (0..n).map(|at| format!("\"s{at}\",")).collect();
        let uses: String = (0..n).map(|at| format!("x+=a[{at}];")).collect();
        format!("var a=[{texts}],x='';{uses}{run}").into_bytes()
    });
    bears("lists-in-lists.js", 200_000, |n| {
        format!("a=['x'];{}{run}", "a=[a];".repeat(n)).into_bytes()
    });
    bears("doubled-lists.js", 600, |n| {
        let doubled: String = (1..n)
            .map(|at| format!("v{at}=[v{0},v{0}];", at - 1))
            .collect();
        format!("v0=['abcdefgh'];{doubled}a=v{};{run}", n - 1).into_bytes()
    });
    bears("one-long-text.js", 50_000, |n| {
        let text = "x".repeat(20_000);
        format!("a=['{text}'];{}{run}", "b=a[0];".repeat(n)).into_bytes()
    });
    bears("slices.bat", 100_000, |n| {
        let value = "x".repeat(8_000);
        let slices = "%a:~1,1%".repeat(n);
        format!("@echo off\r\nset a={value}\r\n{slices}\r\n").into_bytes()
    });
    bears("variables.bat", 50_000, |n| {
        let set: String = (0..n).map(|at| format!("set v{at}=x{at}\r\n")).collect();
        let used: String = (0..n).map(|at| format!("%v{at}%")).collect();
        format!("@echo off\r\n{set}{used}\r\n").into_bytes()
    });
    bears("blanks.bat", 500_000, |n| {
        let (blanks, empty) = (" ".repeat(n), "%e%".repeat(n / 2));
        format!("@echo off\r\nset e=\r\n{blanks}{empty}\r\n").into_bytes()
    });
    bears("reversed.vbs", 50_000, |n| {
        let (text, calls) = ("x".repeat(30_000), "b=StrReverse(a)\r\n".repeat(n));
        format!("a=\"{text}\"\r\n{calls}CreateObject(\"WScript.Shell\").Run b\r\n").into_bytes()
    });
    let stream = "1 0 obj <</Length 99999999>> stream\nx\n";
    bears("streams.pdf", 20_000, |n| {
        format!("%PDF-1.4\n{}", stream.repeat(n)).into_bytes()
    });
}

#[test]
fn every_limit_is_said_where_it_is_met() {
    let within = |limits: Limits, data: &[u8]| {
        let (report, _) = scanned(&engine_within(limits), "limit.bin", data);
        assert!(!report.complete, "{:?}", report.findings);
        report
    };
    let nested = (0..50).fold(b"deep".to_vec(), |inner, _| {
        zip_of_names(1, |_| "n.zip".to_owned(), &inner)
    });
    let report = within(Limits::default(), &nested);
    assert!(
        says(&report, "limit-exceeded", "max-depth"),
        "{:?}",
        report.findings
    );

    let many = zip_of_names(50, |at| format!("f{at}"), b"x");
    let report = within(
        Limits {
            max_artifacts: 10,
            ..Limits::default()
        },
        &many,
    );
    assert!(
        says(&report, "limit-exceeded", "max-artifacts"),
        "{:?}",
        report.findings
    );

    let large = build::zip(&[("a.txt", &vec![b'a'; 1 << 20])]);
    let report = within(
        Limits {
            max_unpacked: 1 << 16,
            ..Limits::default()
        },
        &large,
    );
    assert!(
        says(&report, "limit-exceeded", "max-unpacked"),
        "{:?}",
        report.findings
    );

    let bomb = build::zip(&[("a.txt", &vec![b'a'; 40 << 20])]);
    let report = within(Limits::default(), &bomb);
    assert!(has(&report, "archive-bomb"), "{:?}", report.findings);

    let report = within(
        Limits {
            timeout: Duration::ZERO,
            ..Limits::default()
        },
        &many,
    );
    assert!(
        says(&report, "limit-exceeded", "timeout"),
        "{:?}",
        report.findings
    );
}

/// The highest memory in bytes that the program had while it scanned a file; none where the system does not tell.
fn peak(folder: &Folder, file: &str) -> Option<u64> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sekisho"))
        .args(["scan", "--format", "json", file])
        .current_dir(folder.path(""))
        .env_remove("SEKISHO_CONFIG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut highest = None;
    // VmHWM only grows, so that the last look before the end counts.
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: Option<u64> =
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        highest = highest.max(kib.map(|kib| kib * 1024));
        std::thread::sleep(Duration::from_millis(5));
    }
    highest
}

#[test]
fn memory_is_the_input_and_what_came_out_of_it() {
    const MIB: u64 = 1 << 20;
    let folder = Folder::new();
    let mut dice = crate::bench::Dice::new(9);
    let noise: Vec<u8> = (0..(8 << 20))
        .flat_map(|_| dice.roll().to_le_bytes())
        .collect();
    folder.file("noise.bin", &noise);
    drop(noise);
    // Text that packs well, but not as well as a bomb.
    let mut text = String::new();
    while text.len() < 200 << 20 {
        writeln!(
            text,
            "{:x} {}",
            dice.roll(),
            "the same words in every line of it, ".repeat(24)
        )
        .unwrap();
    }
    folder.file("text.zip", build::zip(&[("a.txt", text.as_bytes())]));
    let unpacked = u64::try_from(text.len()).unwrap();
    drop(text);
    // A mail whose attachments are decoded all at once.
    let mut table = String::new();
    while table.len() < 60 << 20 {
        writeln!(table, "{:x};{:x}", dice.roll(), dice.roll()).unwrap();
    }
    let attached = "Content-Type: text/csv; name=\"a.csv\"\nContent-Transfer-Encoding: base64";
    let part = build::attachment(attached, table.as_bytes());
    folder.file("mail.eml", build::mail("tables", &[part]));
    let decoded = u64::try_from(table.len()).unwrap();
    drop(table);
    let zeros = vec![0; 300 << 20];
    folder.file("bomb.zip", build::zip(&[("zeros.bin", &zeros)]));
    drop(zeros);
    let files = [
        ("noise.bin", 0),
        ("text.zip", unpacked),
        ("mail.eml", decoded),
        // Given up once so much came out of it that its ratio counts.
        ("bomb.zip", sekisho::limits::RATIO_COUNTS_FROM),
    ];
    for (file, unpacked) in files {
        let size = folder.path(file).metadata().unwrap().len();
        let Some(peak) = peak(&folder, file) else {
            println!("skipped: this system does not tell the memory of a process");
            return;
        };
        println!(
            "{file}: {} MiB, unpacked {} MiB, peak {} MiB",
            size / MIB,
            unpacked / MIB,
            peak / MIB
        );
        let allowed = size + unpacked + 128 * MIB;
        assert!(peak <= allowed, "{file}: peak {peak}, allowed {allowed}");
    }
}

#[test]
fn inside_a_mailbox_the_limits_hold_per_message() {
    let message = |number: usize, attachments: usize| {
        let parts: Vec<String> = (0..attachments)
            .map(|part| format!("--b\r\nContent-Type: text/plain; name=\"{number}-{part}.txt\"\r\n\r\ntext {number} {part}\r\n"))
            .collect();
        format!(
            "From a@branch.example Mon Nov  2 09:30:00 2026\r\nFrom: a@branch.example\r\nSubject: {number}\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n\r\n",
            parts.concat()
        )
    };
    let limits = Limits {
        max_artifacts: 10,
        ..Limits::default()
    };
    let engine = engine_within(limits);
    let mut worker = Worker::new(&engine);
    // Together they are far more than the limit, each by itself is below it.
    let mailbox: String = (0..50).map(|number| message(number, 5)).collect();
    let report = scan(&mut worker, "export.mbox", mailbox.into_bytes());
    assert!(report.complete, "{:?}", report.findings);
    assert!(report.artifacts.len() > 250, "{}", report.artifacts.len());
    // One message over the limit says so, and the others are looked through all the same.
    let mailbox: String = (0..50)
        .map(|number| message(number, if number == 7 { 30 } else { 5 }))
        .collect();
    let report = scan(&mut worker, "export.mbox", mailbox.into_bytes());
    let met: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.id == "limit-exceeded")
        .collect();
    assert!(!report.complete && !met.is_empty(), "{met:?}");
    // The eighth message, and no other.
    assert!(met.iter().all(|finding| finding.artifact == 8), "{met:?}");
    let last = report
        .artifacts
        .iter()
        .any(|artifact| artifact.label() == "49-4.txt");
    assert!(last, "what follows the message over its limit is not there");
}
