//! Containers as independent programs write them: every file comes out under its name with its bytes, and what is
//! missing is told. A program that is not installed is said.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use sekisho::engine::{Engine, Input, Worker};
use sekisho::model::{Artifact, Name, Report};

use crate::bench::{engine, scan};
use crate::build;
use crate::build_archives;
use crate::support::Folder;

fn shared() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(engine)
}

fn scanned(name: &str, data: Vec<u8>) -> Report {
    scan(&mut Worker::new(shared()), name, data)
}

/// Runs a program in a folder; false where it is not installed.
pub(crate) fn ran(folder: &Folder, program: &str, arguments: &[&str]) -> bool {
    let ended = Command::new(program)
        .args(arguments)
        .current_dir(folder.path(""))
        .env("LC_ALL", "C.UTF-8")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match ended {
        Ok(status) => {
            assert!(status.success(), "{program} {arguments:?}: {status}");
            true
        }
        Err(_) => {
            eprintln!("skipped: {program} is not installed");
            false
        }
    }
}

/// Files of every sort: text that repeats, code with calls, bytes that do not compress, a Japanese name.
pub(crate) fn files() -> BTreeMap<String, Vec<u8>> {
    let mut dice = crate::bench::Dice::new(7);
    let random = |len: usize, dice: &mut crate::bench::Dice| -> Vec<u8> {
        (0..len)
            .map(|_| u8::try_from(dice.below(256)).unwrap())
            .collect()
    };
    let text: String = (0..9000)
        .map(|at| format!("line {} of a long text\n", at % 700))
        .collect();
    let mut code = Vec::new();
    for at in 0..12_000usize {
        code.extend([0x55, 0x8b, 0xec, 0xe8]);
        code.extend(u32::try_from(at * 37 % 5000).unwrap().to_le_bytes());
        code.extend(random(at % 3, &mut dice));
    }
    BTreeMap::from([
        ("text.txt".to_owned(), text.into_bytes()),
        ("資料/見積書.bin".to_owned(), random(70_001, &mut dice)),
        ("資料/code.bin".to_owned(), code),
        (
            "資料/small.txt".to_owned(),
            b"a few words of a small file".to_vec(),
        ),
    ])
}

pub(crate) fn written(files: &BTreeMap<String, Vec<u8>>) -> Folder {
    let folder = Folder::new();
    for (name, data) in files {
        folder.file(Path::new("in").join(name), data);
    }
    folder
}

pub(crate) fn has(report: &Report, id: &str) -> bool {
    report.findings.iter().any(|finding| finding.id == id)
}

/// Every file is an artifact of this way, with its name and bytes, and nothing is missing.
pub(crate) fn holds(report: &Report, via: &str, files: &BTreeMap<String, Vec<u8>>, what: &str) {
    let found: Vec<&Artifact> = report
        .artifacts
        .iter()
        .filter(|one| one.via == Some(via))
        .collect();
    for (name, data) in files {
        let one = found.iter().find(|one| one.label() == name);
        let one = one.unwrap_or_else(|| panic!("{what}: {name} is not there"));
        assert!(
            one.data.as_ref() == data.as_slice(),
            "{what}: {name} differs"
        );
    }
    assert!(report.complete, "{what}: {:?}", report.findings);
}

#[test]
fn windows_images_of_every_method_are_read() {
    let files = files();
    let folder = written(&files);
    let methods: &[(&str, &[&str])] = &[
        ("none", &["--compress=none"]),
        ("xpress", &["--compress=XPRESS"]),
        ("xpress-64k", &["--compress=XPRESS", "--chunk-size=65536"]),
        ("lzx", &["--compress=LZX"]),
        ("lzx-100", &["--compress=LZX:100"]),
        ("lzx-2m", &["--compress=LZX", "--chunk-size=2097152"]),
        (
            "solid-lzx",
            &[
                "--solid",
                "--compress=LZX",
                "--solid-compress=LZX",
                "--solid-chunk-size=1048576",
            ],
        ),
        (
            "solid-xpress",
            &[
                "--solid",
                "--compress=XPRESS",
                "--solid-compress=XPRESS",
                "--solid-chunk-size=32768",
            ],
        ),
    ];
    for (name, options) in methods {
        let wim = format!("{name}.wim");
        let arguments = [&["capture", "in", &wim, "--no-acls"], *options].concat();
        if !ran(&folder, "wimlib-imagex", &arguments) {
            return;
        }
        let data = std::fs::read(folder.path(&wim)).unwrap();
        let report = scanned(&wim, data.clone());
        assert_eq!(report.artifacts[0].kind.as_str(), "wim");
        holds(&report, "wim-file", &files, name);
        let report = scanned(&wim, data[..data.len() / 2].to_vec());
        assert!(!report.complete, "{name}: half of it is whole");
    }
    ran(
        &folder,
        "wimlib-imagex",
        &[
            "capture",
            "in",
            "lzms.esd",
            "--compress=LZMS",
            "--solid",
            "--no-acls",
        ],
    );
    let report = scanned("lzms.esd", std::fs::read(folder.path("lzms.esd")).unwrap());
    assert!(
        has(&report, "unsupported-container"),
        "{:?}",
        report.findings
    );
    // Of one of differences the content is in the other image.
    let delta = [
        "capture",
        "in",
        "delta.wim",
        "--no-acls",
        "--delta-from=none.wim",
    ];
    ran(&folder, "wimlib-imagex", &delta);
    let report = scanned(
        "delta.wim",
        std::fs::read(folder.path("delta.wim")).unwrap(),
    );
    let told = report
        .findings
        .iter()
        .filter(|one| one.id == "malformed-container");
    assert_eq!(told.count(), files.len(), "{:?}", report.findings);
}

#[test]
fn ntfs_volumes_are_read_bare_and_in_virtual_disks() {
    let mut files = files();
    let folder = written(&files);
    std::fs::write(folder.path("volume.img"), vec![0; 4 << 20]).unwrap();
    let format = ["-F", "-q", "-c", "1024", "-s", "512", "volume.img"];
    let capture = ["capture", "in", "files.wim", "--no-acls"];
    let apply = ["apply", "files.wim", "1", "volume.img"];
    if !ran(&folder, "/usr/sbin/mkntfs", &format)
        || !ran(&folder, "wimlib-imagex", &capture)
        || !ran(&folder, "wimlib-imagex", &apply)
    {
        return;
    }
    files.insert("text.txt:隠し.exe".to_owned(), build::program());
    std::fs::write(folder.path("stream"), build::program()).unwrap();
    if !ran(
        &folder,
        "ntfscp",
        &["-q", "-N", "隠し.exe", "volume.img", "stream", "text.txt"],
    ) {
        return;
    }
    let volume = std::fs::read(folder.path("volume.img")).unwrap();
    let report = scanned("volume.img", volume.clone());
    assert_eq!(report.artifacts[0].kind.as_str(), "ntfs");
    holds(&report, "disk-file", &files, "bare");
    assert!(has(&report, "container-irregular"), "{:?}", report.findings);
    let report = scanned("volume.img", volume[..1 << 20].to_vec());
    assert!(!report.complete, "{:?}", report.findings);
    for (kind, format) in [("vhd", "vpc"), ("vhdx", "vhdx")] {
        let disk = format!("volume.{kind}");
        if ran(
            &folder,
            "qemu-img",
            &["convert", "-O", format, "volume.img", &disk],
        ) {
            let report = scanned(&disk, std::fs::read(folder.path(&disk)).unwrap());
            assert_eq!(report.artifacts[0].kind.as_str(), kind);
            holds(&report, "disk-file", &files, kind);
        }
    }
}

/// A mail with files attached under their names.
fn mail(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let head = |(name, _): &(String, Vec<u8>)| {
        format!(
            "Content-Type: application/octet-stream; name=\"{name}\"\nContent-Transfer-Encoding: base64"
        )
    };
    let heads: Vec<String> = parts.iter().map(head).collect();
    let parts: Vec<_> = heads
        .iter()
        .zip(parts)
        .map(|(head, (_, data))| build::attachment(head, data))
        .collect();
    build::mail("volumes", &parts)
}

/// The volumes of a set: whole in one mail and in one folder, and with each of them missing.
fn joins(set: &[(String, Vec<u8>)], files: &BTreeMap<String, Vec<u8>>, via: &str, what: &str) {
    assert!(set.len() > 2, "{what}: {} volumes", set.len());
    holds(&scanned("all.eml", mail(set)), via, files, what);
    for gone in 0..set.len() {
        let mut rest = set.to_vec();
        let (name, _) = rest.remove(gone);
        let report = scanned("some.eml", mail(&rest));
        assert!(
            has(&report, "malformed-container"),
            "{what} without {name}: {:?}",
            report.findings
        );
        assert!(!report.complete);
    }
    let folder = Folder::new();
    set.iter()
        .for_each(|(name, data)| drop(folder.file(Path::new("set").join(name), data)));
    let run = folder.run(&["scan", "--format", "json", "set"]);
    let reports = run.json();
    let reports = reports.as_array().unwrap();
    assert!(
        reports.iter().all(|report| report["complete"] == true),
        "{what}: {run:?}"
    );
    let members = reports
        .iter()
        .flat_map(|report| report["artifacts"].as_array().unwrap());
    let members = members.filter(|one| one["via"] == via).count();
    assert!(members >= files.len(), "{what}: {members} members");
    alone(&folder, set, what);
}

/// A volume that is given without the one that opens the set says so; given with it, or its folder, it does not.
fn alone(folder: &Folder, set: &[(String, Vec<u8>)], what: &str) {
    let is_opener = |name: &str| {
        let first = name.ends_with(".001") || name.ends_with("part1.rar");
        first || name.ends_with(".zip")
    };
    let path = |name: &str| format!("set/{name}");
    let complete = |paths: &[&str]| -> Vec<bool> {
        let run = folder.run(&[&["scan", "--format", "ndjson"], paths].concat());
        let lines = run.stdout.lines();
        let report = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        lines.map(|line| report(line)["complete"] == true).collect()
    };
    let (openers, others): (Vec<_>, Vec<_>) = set.iter().partition(|(name, _)| is_opener(name));
    let opener = path(&openers[0].0);
    assert_eq!(openers.len(), 1, "{what}");
    for (name, _) in others {
        let name = path(name);
        assert_eq!(complete(&[&name]), [false], "{what}: {name}");
        assert_eq!(complete(&[&name, &opener]), [true; 2], "{what}: {name}");
    }
    assert_eq!(complete(&[&opener]), [true], "{what}");
}

/// The files of a folder whose names start so, in order.
fn volumes(folder: &Folder, start: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.path("")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(start) {
            found.push((name, std::fs::read(entry.path()).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn sets_of_volumes_are_joined_and_a_missing_one_is_told() {
    let mut files = files();
    files.remove("text.txt");
    let folder = written(&files);
    if ran(&folder, "7z", &["a", "-v30k", "seven.7z", "./in/*"]) {
        joins(&volumes(&folder, "seven.7z"), &files, "7z-member", "7z");
    }
    if ran(
        &folder,
        "7z",
        &["a", "-v30k", "-tzip", "pieces.zip", "./in/*"],
    ) {
        joins(
            &volumes(&folder, "pieces.zip"),
            &files,
            "zip-member",
            "zip in pieces",
        );
    }
    let scattered = |at: u32| {
        at.wrapping_mul(2_654_435_761)
            .rotate_left(at % 29)
            .to_le_bytes()
    };
    let more: Vec<u8> = (0..40_000).flat_map(scattered).collect();
    folder.file("in/more.bin", &more);
    files.insert("more.bin".to_owned(), more);
    if ran(
        &folder,
        "sh",
        &["-c", "cd in && zip -q -r -s 64k ../split.zip ."],
    ) {
        joins(
            &volumes(&folder, "split.z"),
            &files,
            "zip-member",
            "split zip",
        );
    }
}

#[test]
fn volumes_of_rar_are_read_together() {
    let content: Vec<u8> = (0..90u8).collect();
    let set: Vec<(String, Vec<u8>)> = build_archives::rar_volumes("見積書.bin", &content, 3)
        .into_iter()
        .enumerate()
        .map(|(at, data)| (format!("a.part{}.rar", at + 1), data))
        .collect();
    let files = BTreeMap::from([("見積書.bin".to_owned(), content)]);
    joins(&set, &files, "rar-member", "rar");
}

#[test]
fn names_that_look_like_volumes_mean_nothing_by_themselves() {
    for name in ["report.002", "log.123", "data.z01x", "a.r2d"] {
        let report = scanned(name, b"some words of a report".to_vec());
        assert!(report.findings.is_empty(), "{name}: {:?}", report.findings);
    }
    let report = scanned("a.zip", build::zip(&[("a.txt", b"words")]));
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn a_folder_of_lzx_that_is_broken_loses_only_itself() {
    // A second folder whose one block lies about what follows its head.
    let good = build_archives::cab("good.exe", &build::program());
    for broken in [
        [0u8, 0x30, 0, 0].as_slice(),
        &[0xff; 40],
        &[0, 0x30, 0xf0, 0xff, 1, 0, 0, 0],
        &[],
    ] {
        let data = build_archives::cab_with_lzx(&good, broken, 0x8000);
        let report = scanned("a.cab", data);
        assert!(!has(&report, "scanner-crashed"), "{:?}", report.findings);
        assert!(has(&report, "malformed-container"), "{:?}", report.findings);
        assert!(report.artifacts.iter().any(|one| one.label() == "good.exe"));
    }
}

#[test]
fn files_beside_an_input_count_for_the_input_alone() {
    let set = build_archives::rar_volumes("a.bin", &[7; 60], 2);
    let input = Input {
        path: "a.part1.rar".to_owned(),
        name: Some(Name::of("a.part1.rar")),
        data: set[0].clone().into(),
        context: sekisho::engine::Context {
            beside: vec![(Name::of("a.part2.rar"), set[1].clone().into())],
            ..Default::default()
        },
        ..Input::default()
    };
    let report = Worker::new(shared()).scan(input);
    assert_eq!(report.artifacts.last().unwrap().data.as_ref(), [7; 60]);
    assert!(report.complete);
}

#[test]
fn a_package_of_notebooks_is_read_to_the_file_in_a_section() {
    let section = crate::fixtures::onenote::section(&[("見積書.exe", &build::program())]);
    let folder = Folder::new();
    folder.file("in/開く.one", &section);
    let mut packages = vec![build_archives::cab("a.one", &section)];
    if ran(
        &folder,
        "gcab",
        &["-c", "-z", "notes.onepkg", "in/開く.one"],
    ) {
        packages.push(std::fs::read(folder.path("notes.onepkg")).unwrap());
    }
    for data in packages {
        let report = scanned("notes.onepkg", data);
        assert_eq!(report.artifacts[0].kind.as_str(), "cab");
        assert!(!has(&report, "type-mismatch"), "{:?}", report.findings);
        let file = report
            .artifacts
            .iter()
            .find(|one| one.data == build::program());
        assert!(file.is_some(), "{:?}", report.findings);
        assert!(has(&report, "onenote-embedded-file"));
        assert_eq!(report.score, 100);
    }
}

#[test]
fn files_of_installers_come_under_their_own_names() {
    let folder = Folder::new();
    folder.file("files/a.vbs", "WScript.Echo 1\r\n");
    folder.file("files/a.exe", build::program());
    let source = |embedded: &str| {
        format!(
            "<?xml version=\"1.0\"?><Wix xmlns=\"http://schemas.microsoft.com/wix/2006/wi\">\
             <Product Id=\"*\" Name=\"P\" Language=\"1041\" Version=\"1.0.0\" Manufacturer=\"M\" \
             UpgradeCode=\"12345678-1234-1234-1234-123456789012\"><Package InstallerVersion=\"200\" Compressed=\"yes\"/>\
             <Media Id=\"1\" Cabinet=\"data1.cab\" EmbedCab=\"{embedded}\"/>\
             <Directory Id=\"TARGETDIR\" Name=\"SourceDir\"><Directory Id=\"ProgramFilesFolder\">\
             <Directory Id=\"D\" Name=\"Maker of things\"><Component Id=\"C\" Guid=\"12345678-1234-1234-1234-123456789013\">\
             <File Id=\"F1\" Name=\"a longer name.pdf.exe\" Source=\"files/a.exe\"/>\
             <File Id=\"F2\" Name=\"script.vbs\" Source=\"files/a.vbs\"/></Component></Directory></Directory></Directory>\
             <Feature Id=\"F\" Level=\"1\"><ComponentRef Id=\"C\"/></Feature></Product></Wix>"
        )
    };
    folder.file("in.wxs", source("yes"));
    folder.file("out.wxs", source("no"));
    if !ran(&folder, "wixl", &["-o", "in.msi", "in.wxs"])
        || !ran(&folder, "wixl", &["-o", "out.msi", "out.wxs"])
    {
        return;
    }
    let files = BTreeMap::from([
        (
            "Maker of things/a longer name.pdf.exe".to_owned(),
            build::program(),
        ),
        (
            "Maker of things/script.vbs".to_owned(),
            b"WScript.Echo 1\r\n".to_vec(),
        ),
    ]);
    let package = std::fs::read(folder.path("in.msi")).unwrap();
    let report = scanned("in.msi", package);
    holds(&report, "cab-member", &files, "a cabinet inside");
    assert!(has(&report, "double-extension"), "{:?}", report.findings);
    let cabinet = report
        .artifacts
        .iter()
        .find(|one| one.kind.as_str() == "cab")
        .unwrap();
    let outer = std::fs::read(folder.path("out.msi")).unwrap();
    let both = build::zip(&[("data1.cab", &cabinet.data), ("setup.msi", &outer)]);
    holds(
        &scanned("both.zip", both),
        "cab-member",
        &files,
        "a cabinet beside",
    );
}

#[test]
fn archives_with_deflate64_are_read() {
    let mut files = files();
    // The tool filters what it takes for a program.
    files.insert("資料/program.exe".to_owned(), build::program());
    let folder = written(&files);
    let arguments = ["a", "-m0=Deflate64", "plain.7z", "./in/*"];
    if !ran(&folder, "7z", &arguments) {
        return;
    }
    let filtered = ["a", "-m0=BCJ", "-m1=Deflate64", "filtered.7z", "./in/*"];
    let delta = ["a", "-m0=Delta:4", "-m1=Deflate64", "delta.7z", "./in/*"];
    let locked = ["a", "-pinfected", "-m0=Deflate64", "locked.7z", "./in/*"];
    let names_too = [
        "a",
        "-pinfected",
        "-mhe=on",
        "-m0=Deflate64",
        "names.7z",
        "./in/*",
    ];
    for arguments in [&filtered[..], &delta, &locked, &names_too] {
        assert!(ran(&folder, "7z", arguments));
    }
    for name in [
        "plain.7z",
        "filtered.7z",
        "delta.7z",
        "locked.7z",
        "names.7z",
    ] {
        let data = std::fs::read(folder.path(name)).unwrap();
        let report = scanned(name, data.clone());
        holds(&report, "7z-member", &files, name);
        assert_eq!(
            has(&report, "decrypted-with-known-password"),
            matches!(name, "locked.7z" | "names.7z"),
        );
        let mut damaged = data;
        damaged[40..60].fill(0x55);
        assert!(!scanned(name, damaged).complete, "{name}");
    }
    let other = ["a", "-pQ7vx9Lm2", "-m0=Deflate64", "other.7z", "./in/*"];
    assert!(ran(&folder, "7z", &other));
    let report = scanned("other.7z", std::fs::read(folder.path("other.7z")).unwrap());
    assert!(has(&report, "encrypted-archive"), "{:?}", report.findings);
}

#[test]
fn arc_archives_are_read() {
    // Names have no folder, and room for twelve bytes.
    let files = BTreeMap::from([
        ("TEXT.TXT".to_owned(), b"words of a text\n".repeat(3000)),
        ("PROGRAM.EXE".to_owned(), build::program()),
        ("ZEROS.BIN".to_owned(), vec![0; 9000]),
    ]);
    let folder = Folder::new();
    for (name, data) in &files {
        folder.file(name, data);
    }
    // Crunched, stored and squashed.
    for options in ["a", "as", "aq"] {
        let name = format!("{options}.arc");
        let arguments = [options, &name, "TEXT.TXT", "PROGRAM.EXE", "ZEROS.BIN"];
        if !ran(&folder, "arc", &arguments) {
            return;
        }
        let data = std::fs::read(folder.path(&name)).unwrap();
        let report = scanned(&name, data.clone());
        assert_eq!(report.artifacts[0].kind.as_str(), "arc");
        holds(&report, "arc-member", &files, options);
        assert!(!scanned(&name, data[..data.len() - 60].to_vec()).complete);
    }
}
