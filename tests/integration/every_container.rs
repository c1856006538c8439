//! One table over all containers that can be built or found here: what is whole comes out, what is cut is told
//! wherever it is cut, and what would fill the memory ends early and is told.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sekisho::engine::{Engine, Worker};
use sekisho::limits::Limits;
use sekisho::model::Report;

use crate::bench::{engine, engine_within, scan};
use crate::build_archives;
use crate::build_images::{self, MacFile, Packing};
use crate::build_pst::{Attached, Crypt, Form, Leaves, Letter, store_of_copies};
use crate::clamav_testfiles;
use crate::containers::ran;
use crate::support::Folder;

/// Bytes within which a format may not be known yet.
const HEAD: usize = 128;

/// What a bomb may take. Most are over in some hundredths of a second; the code under test is not optimised.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);

pub(crate) fn scanned(name: &str, data: &[u8]) -> Report {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    scan(
        &mut Worker::new(ENGINE.get_or_init(engine)),
        name,
        data.to_vec(),
    )
}

pub(crate) fn holds(report: &Report, content: &[u8]) -> bool {
    report
        .artifacts
        .iter()
        .skip(1)
        .any(|one| one.data == content)
}

/// Whether the content has its Japanese name.
pub(crate) fn is_named(report: &Report, content: &[u8]) -> bool {
    let mut inside = report.artifacts.iter().skip(1);
    inside.any(|one| one.data == content && one.label().ends_with(build_archives::NAME))
}

/// Whether every cut that loses content is told.
fn cuts_are_told(name: &str, whole: &[u8], content: &[u8]) -> Vec<String> {
    let places = (1..20usize).map(|part| whole.len() * part / 20);
    // Less than a head of any format is of none.
    let places = places
        .filter(|at| *at > HEAD)
        .chain([whole.len() - 2, whole.len() - 1]);
    let silent = places.filter(|at| {
        let report = scanned(name, &whole[..*at]);
        report.complete && !holds(&report, content)
    });
    let told = |at| {
        format!(
            "{name}: cut at byte {at} of {}, and nothing is told",
            whole.len()
        )
    };
    silent.map(told).collect()
}

/// Bytes that compress to about half.
pub(crate) fn content() -> Vec<u8> {
    let words = (0..900u32).map(|at| format!("{} ", at.wrapping_mul(2_654_435_761) >> 18));
    words.collect::<String>().into_bytes()
}

fn images(content: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let file = MacFile {
        name: build_archives::NAME,
        inside: true,
        data: content.to_vec(),
        ..MacFile::default()
    };
    let volume = build_images::hfs_plus(&[file]);
    vec![
        (
            "a.dmg",
            build_images::udif(&[("a", &volume)], Packing::Zlib, 8192),
        ),
        ("a.hfs", volume),
    ]
}

#[test]
fn what_is_whole_comes_out_and_what_is_cut_is_told() {
    let content = content();
    let wholes = [
        build_archives::packing(&content),
        build_archives::storing(&content),
        images(&content),
    ];
    // In what follows there is no name, or one of sixteen bytes.
    let nameless = |name: &str| name.starts_with("a.txt.") || matches!(name, "a.a" | "a.tx_");
    let mut wrong = Vec::new();
    for (name, whole) in wholes.concat() {
        let report = scanned(name, &whole);
        let named = nameless(name) || is_named(&report, &content);
        if !holds(&report, &content) || !named || !report.complete {
            let kinds: Vec<_> = report
                .artifacts
                .iter()
                .map(|one| one.kind.as_str())
                .collect();
            wrong.push(format!("{name}: {kinds:?} {:?}", report.findings));
            continue;
        }
        // Without its trailer nothing opens a disk image of macOS, nor knows it.
        if name != "a.dmg" {
            wrong.extend(cuts_are_told(name, &whole, &content));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The forms in which a container may write a length, with a longer one in the same form.
fn lies(len: usize, longer: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let both = |form: fn(usize) -> Vec<u8>| (form(len), form(longer));
    vec![
        both(|len| u32::try_from(len).unwrap().to_le_bytes().to_vec()),
        both(|len| u32::try_from(len).unwrap().to_be_bytes().to_vec()),
        both(|len| u16::try_from(len).unwrap().to_le_bytes().to_vec()),
        both(|len| u16::try_from(len).unwrap().to_be_bytes().to_vec()),
        both(|len| format!("{len:08x}").into_bytes()),
        both(|len| format!("{len:011o}").into_bytes()),
        both(|len| format!("{len:<10}").into_bytes()),
    ]
}

#[test]
fn a_length_that_lies_hides_nothing_in_silence() {
    let content = content();
    let wholes = [
        build_archives::packing(&content),
        build_archives::storing(&content),
        images(&content),
        windows_image(&content, "--compress=none")
            .into_iter()
            .collect(),
    ];
    let mut wrong = Vec::new();
    for (name, whole) in wholes.concat() {
        let kind = scanned(name, &whole).artifacts[0].kind;
        let longer = [content.len() + 1, 60_000].into_iter();
        let mut told = 0;
        for (honest, lie) in longer.flat_map(|longer| lies(content.len(), longer)) {
            for at in memchr::memmem::find_iter(&whole, &honest) {
                let mut lying = whole.clone();
                lying[at..at + lie.len()].copy_from_slice(&lie);
                let report = scanned(name, &lying);
                // All of it is there, with what lies behind it perhaps.
                let mut inside = report.artifacts.iter().skip(1);
                let held = inside.any(|one| one.data.starts_with(&content));
                told += usize::from(!report.complete);
                if report.complete && !held && report.artifacts[0].kind == kind {
                    wrong.push(format!("{name}: at {at} of {}", whole.len()));
                }
            }
        }
        eprintln!("{name}: {told} lies told");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn cut_files_of_other_writers_are_told() {
    /// In these a shorter text is a text all the same, and readers of PDF rebuild what has no end.
    const TEXTS: &[&str] = &[
        "clam.pdf",
        "clam.exe.html",
        "clam.exe.mbox.base64",
        "clam.exe.mbox.uu",
        "clam.mail",
        "clam.exe.rtf",
    ];
    let folder = Path::new(clamav_testfiles::FOLDER);
    let Ok(program) = std::fs::read(folder.join("clam.exe")) else {
        eprintln!("skipped: the package clamav-testfiles is not there");
        return;
    };
    let mut wrong = Vec::new();
    for (name, kind, _) in clamav_testfiles::HOLDING {
        let whole = std::fs::read(folder.join(name)).unwrap();
        if !TEXTS.contains(name) && *kind != "pe" {
            wrong.extend(cuts_are_told(name, &whole, &program));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Zeros that come out of next to nothing.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = vec![0; 96 << 20];
    let mut all = build_archives::packing(&zeros);
    let volume = vec![1; 96 << 20];
    all.push((
        "a.dmg",
        build_images::udif(&[("a", &volume)], Packing::Bzip2, 1 << 20),
    ));
    let mut dice = crate::bench::Dice::new(7);
    let noise: Vec<u8> = (0..1 << 17)
        .map(|_| u8::try_from(dice.below(256)).unwrap())
        .collect();
    all.push((
        "b.dmg",
        build_images::udif(&[("a", &noise.repeat(768))], Packing::Zlib, noise.len()),
    ));
    // A disk whose last block alone is there.
    let mut disk = b"conectix".to_vec();
    disk.resize(16, 0);
    disk.extend([0, 0, 0, 0, 0, 0, 2, 0]);
    disk.resize(60, 0);
    disk.extend([0, 0, 0, 3]);
    disk.resize(512, 0);
    disk.extend(b"cxsparse");
    disk.resize(512 + 16, 0);
    disk.extend([0, 0, 0, 0, 0, 0, 6, 0]);
    disk.resize(512 + 28, 0);
    disk.extend([0, 0, 4, 0, 0, 0x20, 0, 0]);
    disk.resize(1536, 0);
    disk.extend([0xff; 4 * 1023]);
    disk.extend([0, 0, 0, 11]);
    disk.resize(5632 + 512 + (2 << 20), 7);
    let footer = disk[..512].to_vec();
    disk.extend(footer);
    all.push(("a.vhd", disk));
    all.push(("a.cab", build_archives::cab_of_zeros(3072)));
    all.push((
        "a.chm",
        build_archives::chm_of_blocks("a.txt", &[0; 0x8000], 3072),
    ));
    all.push(("a.tar", build_archives::tar_of_a_hole(96 << 20)));
    // Every block of the disk is the same one.
    let word = |number: u32| number.to_le_bytes();
    let mut disk = b"WithoutFreeSpace".to_vec();
    for number in [2, 1, 1, 128, 1536, 1536 * 128, 0] {
        disk.extend(word(number));
    }
    disk.resize(64, 0);
    disk.extend([16, 0, 0, 0].repeat(1536));
    disk.resize(8192 + 65536, 7);
    all.push(("a.hds", disk));
    let mut disk = b"KDMV".to_vec();
    for number in [1, 3, 1536 * 128, 0, 128, 0, 0, 0, 0, 0, 2048, 0, 0, 1] {
        disk.extend(word(number));
    }
    disk.resize(512, 0);
    disk.extend(word(2));
    disk.resize(1024, 0);
    disk.extend([32, 0, 0, 0].repeat(2048));
    disk.resize(16384 + 65536, 7);
    all.push(("a.vmdk", disk));
    all.extend(windows_image(&vec![0; 96 << 20], "--compress=LZX"));
    all
}

/// A store of one message with a file, under so many nodes.
fn store_of_one(file: &[u8], copies: u32) -> Vec<u8> {
    let letter = Letter {
        subject: "s".to_owned(),
        attached: vec![Attached::File("a.bin", file.to_vec())],
        ..Letter::default()
    };
    let folders: &[(&str, &[Letter])] = &[("a", &[letter])];
    store_of_copies(Form::Unicode, Crypt::Plain, Leaves::Whole, folders, copies)
}

#[test]
fn a_message_that_many_nodes_share_ends_at_a_limit() {
    let limits = Limits {
        max_unpacked: 2 << 20,
        ..Limits::default()
    };
    let engine = engine_within(limits);
    let store = store_of_one(&[7; 1 << 14], 1000);
    let report = scan(&mut Worker::new(&engine), "a.pst", store);
    let ids: Vec<&str> = report.findings.iter().map(|one| one.id.as_ref()).collect();
    assert!(ids.contains(&"limit-exceeded"), "{ids:?}");
    assert!(report.artifacts.len() < 300);
}

#[test]
fn a_tree_of_nodes_that_leads_to_itself_ends_and_is_told() {
    let mut store = store_of_one(b"words", 40);
    let at = |data: &[u8], place: usize| {
        let word = data[place..place + 8].try_into().unwrap();
        usize::try_from(u64::from_le_bytes(word)).unwrap()
    };
    // The root of the nodes: its number and place, which stand behind the key of each of its entries too.
    for root in [216, 232] {
        let reference = store[root..root + 16].to_vec();
        let page = at(&store, root + 8);
        let entry = page + 24;
        store[entry + 8..entry + 24].copy_from_slice(&reference);
        let sum = crate::build_pst::checksum(&store[page..page + 496]);
        store[page + 500..page + 504].copy_from_slice(&sum.to_le_bytes());
    }
    let started = Instant::now();
    let report = scanned("a.pst", &store);
    assert!(!report.complete && started.elapsed() < PATIENCE);
}

/// A Windows image of one file, where the tool is there that writes them.
fn windows_image(content: &[u8], method: &str) -> Option<(&'static str, Vec<u8>)> {
    let folder = Folder::new();
    folder.file("in/a", content);
    let arguments = ["capture", "in", "a.wim", method];
    let made = ran(&folder, "wimlib-imagex", &arguments);
    made.then(|| ("a.wim", std::fs::read(folder.path("a.wim")).unwrap()))
}

#[test]
fn a_cabinet_that_goes_on_in_another_is_read_where_both_are_there() {
    let content = content();
    let [first, second] = build_archives::cab_set("見積書.txt", &content, 1234);
    let both = crate::build::zip(&[("any.cab", &first), ("other.cab", &second)]);
    let report = scanned("a.zip", &both);
    assert!(holds(&report, &content), "{:?}", report.findings);
    assert!(report.complete, "{:?}", report.findings);
    for (name, one) in [("any.cab", &first), ("other.cab", &second)] {
        let report = scanned(name, one);
        assert!(!report.complete, "{:?}", report.findings);
    }
    // Of another set.
    let mut stray = second;
    stray[32] = 8;
    let report = scanned(
        "a.zip",
        &crate::build::zip(&[("a.cab", &first), ("b.cab", &stray)]),
    );
    assert!(!report.complete, "{:?}", report.findings);
}

#[test]
fn bombs_end_early_and_are_told() {
    let mut wrong = Vec::new();
    for (name, data) in bombs() {
        let started = Instant::now();
        let report = scanned(name, &data);
        let took = started.elapsed();
        let told = report
            .findings
            .iter()
            .any(|one| matches!(one.id.as_ref(), "archive-bomb" | "limit-exceeded"));
        eprintln!(
            "{name}: {} bytes, {took:?}, {} artifacts",
            data.len(),
            report.artifacts.len()
        );
        if !told || took > PATIENCE {
            let kinds: Vec<_> = report
                .artifacts
                .iter()
                .map(|one| one.kind.as_str())
                .collect();
            wrong.push(format!("{name}: {took:?} {kinds:?} {:?}", report.findings));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
