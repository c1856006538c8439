//! One table over the archives and images that independent programs write: what is whole comes out under its Japanese
//! name, what is cut or has another byte anywhere in its content is told, and bombs end at a limit. A row whose program
//! is not installed is left out.

use std::time::Instant;

use sekisho::model::Report;

use crate::build_archives::NAME;
use crate::containers::ran;
use crate::every_container::{PATIENCE, content, holds, is_named, scanned};
use crate::support::Folder;

/// What a row is like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Row {
    /// Its content has a checksum.
    Checked,
    /// It has none.
    Unchecked,
    /// Checked, and its writer has no Japanese names here.
    Nameless,
    /// Checked, behind a program that is one without it too.
    Installer,
}

use Row::{Checked, Installer, Nameless, Unchecked};

/// The archive that a program writes of the file `見積書.txt`, and the commands.
#[rustfmt::skip]
const TABLE: &[(&str, Row, &[&str])] = &[
    ("lzma2.7z", Checked, &["7z", "a", "-m0=LZMA2", "lzma2.7z", NAME]),
    ("lzma.7z", Checked, &["7z", "a", "-m0=LZMA", "lzma.7z", NAME]),
    ("ppmd.7z", Checked, &["7z", "a", "-m0=PPMd", "ppmd.7z", NAME]),
    ("bcj2.7z", Checked, &["7z", "a", "-m0=BCJ2", "-m1=LZMA2", "-m2=LZMA", "-m3=LZMA", "-mb0:1", "-mb0s1:2", "-mb0s2:3", "bcj2.7z", NAME]),
    ("bzip2.7z", Checked, &["7z", "a", "-m0=BZip2", "bzip2.7z", NAME]),
    ("deflate.7z", Checked, &["7z", "a", "-m0=Deflate", "deflate.7z", NAME]),
    ("copy.7z", Checked, &["7z", "a", "-m0=Copy", "copy.7z", NAME]),
    ("solid.7z", Checked, &["7z", "a", "-ms=on", "solid.7z", "other.txt", NAME]),
    ("locked.7z", Checked, &["7z", "a", "-pinfected", "locked.7z", NAME]),
    ("names.7z", Checked, &["7z", "a", "-pinfected", "-mhe=on", "names.7z", NAME]),
    ("deflate.zip", Checked, &["zip", "-q", "-X", "deflate.zip", NAME]),
    ("store.zip", Checked, &["zip", "-q", "-X", "-0", "store.zip", NAME]),
    ("bzip2.zip", Checked, &["7z", "a", "-mm=BZip2", "bzip2.zip", NAME]),
    ("lzma.zip", Checked, &["7z", "a", "-mm=LZMA", "lzma.zip", NAME]),
    ("ppmd.zip", Checked, &["7z", "a", "-mm=PPMd", "ppmd.zip", NAME]),
    ("deflate64.zip", Checked, &["7z", "a", "-mm=Deflate64", "deflate64.zip", NAME]),
    ("aes.zip", Checked, &["7z", "a", "-pinfected", "-mem=AES256", "aes.zip", NAME]),
    ("zipcrypto.zip", Checked, &["7z", "a", "-pinfected", "-mem=ZipCrypto", "zipcrypto.zip", NAME]),
    ("rar5.rar", Checked, &["rar", "a", "rar5.rar", NAME]),
    ("rar5-stored.rar", Checked, &["rar", "a", "-m0", "rar5-stored.rar", NAME]),
    ("rar5-solid.rar", Checked, &["rar", "a", "-s", "rar5-solid.rar", "other.txt", NAME]),
    ("rar5-blake.rar", Checked, &["rar", "a", "-htb", "rar5-blake.rar", NAME]),
    ("rar5-locked.rar", Checked, &["rar", "a", "-pinfected", "rar5-locked.rar", NAME]),
    ("rar5-names.rar", Checked, &["rar", "a", "-hpinfected", "rar5-names.rar", NAME]),
    ("rar7.rar", Checked, &["rar", "a", "-md8g", "-mcx", "rar7.rar", NAME]),
    ("huffman.arj", Nameless, &["arj", "a", "-e", "huffman.arj", "ascii.txt"]),
    ("fastest.arj", Nameless, &["arj", "a", "-e", "-m4", "fastest.arj", "ascii.txt"]),
    ("stored.arj", Nameless, &["arj", "a", "-e", "-m0", "stored.arj", "ascii.txt"]),
    ("lh5.lzh", Nameless, &["jlha", "ao5", "lh5.lzh", "ascii.txt"]),
    ("lh6.lzh", Nameless, &["jlha", "ao6", "lh6.lzh", "ascii.txt"]),
    ("lh7.lzh", Nameless, &["jlha", "ao7", "lh7.lzh", "ascii.txt"]),
    ("lh0.lzh", Nameless, &["jlha", "az", "lh0.lzh", "ascii.txt"]),
    ("level0.lzh", Nameless, &["jlha", "a0", "level0.lzh", "ascii.txt"]),
    ("level2.lzh", Nameless, &["jlha", "a2", "level2.lzh", "ascii.txt"]),
    ("mszip.cab", Checked, &["gcab", "-cz", "mszip.cab", NAME]),
    ("stored.cab", Checked, &["gcab", "-c", "stored.cab", NAME]),
    ("xpress.wim", Checked, &["wimlib-imagex", "capture", "in", "xpress.wim", "--compress=XPRESS"]),
    ("lzx.wim", Checked, &["wimlib-imagex", "capture", "in", "lzx.wim", "--compress=LZX"]),
    ("stored.wim", Checked, &["wimlib-imagex", "capture", "in", "stored.wim", "--compress=none"]),
    ("ustar.tar", Unchecked, &["tar", "--format=ustar", "-cf", "ustar.tar", NAME]),
    ("gnu.tar", Unchecked, &["tar", "--format=gnu", "-cf", "gnu.tar", NAME]),
    ("pax.tar", Unchecked, &["tar", "--format=pax", "-cf", "pax.tar", NAME]),
    ("gzip.tgz", Checked, &["tar", "-czf", "gzip.tgz", NAME]),
    ("joliet.iso", Unchecked, &["genisoimage", "-quiet", "-J", "-input-charset", "utf-8", "-o", "joliet.iso", "in"]),
    ("rock.iso", Unchecked, &["genisoimage", "-quiet", "-R", "-input-charset", "utf-8", "-o", "rock.iso", "in"]),
    ("udf.iso", Unchecked, &["genisoimage", "-quiet", "-udf", "-J", "-input-charset", "utf-8", "-o", "udf.iso", "in"]),
    ("zlib.sqfs", Unchecked, &["mksquashfs", "in", "zlib.sqfs", "-quiet", "-no-progress"]),
    ("xz.sqfs", Unchecked, &["mksquashfs", "in", "xz.sqfs", "-quiet", "-no-progress", "-comp", "xz"]),
    ("zstd.sqfs", Unchecked, &["mksquashfs", "in", "zstd.sqfs", "-quiet", "-no-progress", "-comp", "zstd"]),
    ("deflate.exe", Installer, &["makensis", "-V1", "-XOutFile deflate.exe", "-XSetCompressor zlib", "a.nsi"]),
    ("solid.exe", Installer, &["makensis", "-V1", "-XOutFile solid.exe", "-XSetCompressor /SOLID lzma", "a.nsi"]),
];

/// A folder with what the archives hold, and one with the one file alone.
fn folder(content: &[u8]) -> Folder {
    let folder = Folder::new();
    for name in [NAME, "ascii.txt", &format!("in/{NAME}")] {
        folder.file(name, content);
    }
    folder.file("other.txt", b"another text");
    let script = format!("Unicode true\nSection\nSetOutPath $TEMP\nFile \"{NAME}\"\nSectionEnd\n");
    folder.file("a.nsi", script);
    folder
}

/// What a row's program writes; none where it is not installed.
fn made(content: &[u8], name: &str, command: &[&str]) -> Option<Vec<u8>> {
    let folder = folder(content);
    let (program, arguments) = command.split_first().unwrap();
    ran(&folder, program, arguments).then(|| std::fs::read(folder.path(name)).unwrap())
}

/// Whether anything says that it is not as it was written.
fn is_told(report: &Report) -> bool {
    let irregular = |one: &sekisho::model::Finding| one.id == "container-irregular";
    !report.complete || report.findings.iter().any(irregular)
}

#[test]
fn what_other_programs_write_comes_out_and_damage_is_told() {
    let content = content();
    let mut wrong = Vec::new();
    for (name, row, command) in TABLE {
        let Some(whole) = made(&content, name, command) else {
            continue;
        };
        let report = scanned(name, &whole);
        let named = *row == Nameless || is_named(&report, &content);
        if !holds(&report, &content) || !named || is_told(&report) {
            let labels: Vec<&str> = report.artifacts.iter().map(|one| one.label()).collect();
            wrong.push(format!("{name}: {labels:?} {:?}", report.findings));
            continue;
        }
        let kind = report.artifacts[0].kind;
        let places = (1..20).map(|part| whole.len() * part / 20);
        let places = places.filter(|_| *row != Installer);
        for at in places.chain([whole.len() - 2, whole.len() - 1]) {
            let report = scanned(name, &whole[..at]);
            // Of a disc nothing is known before its first descriptor.
            let is_known = report.artifacts[0].kind == kind;
            if is_known && report.complete && !holds(&report, &content) {
                wrong.push(format!("{name}: cut at {at} of {}", whole.len()));
            }
        }
        if *row == Unchecked {
            continue;
        }
        // Any byte of the archive: those that matter are told, and the others leave the content as it is.
        for at in (8..whole.len()).step_by(whole.len() / 40) {
            let mut other = whole.clone();
            other[at] ^= 0x15;
            let report = scanned(name, &other);
            if !is_told(&report) && !holds(&report, &content) {
                wrong.push(format!("{name}: byte {at} of {} is another", whole.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What comes to much more than it is, and the commands.
#[rustfmt::skip]
const BOMBS: &[(&str, &[&str])] = &[
    ("bomb.arj", &["arj", "a", "-e", "bomb.arj", "zeros"]),
    ("bomb.rar", &["rar", "a", "bomb.rar", "zeros"]),
    ("bomb.lzh", &["jlha", "ao7", "bomb.lzh", "zeros"]),
    ("bzip2.7z", &["7z", "a", "-m0=BZip2", "bzip2.7z", "zeros"]),
    ("bomb.iso", &["genisoimage", "-quiet", "-cache-inodes", "-J", "-o", "bomb.iso", "links"]),
    ("bomb.sqfs", &["mksquashfs", "copies", "bomb.sqfs", "-quiet", "-no-progress"]),
    ("bomb.udf", &["genisoimage", "-quiet", "-cache-inodes", "-udf", "-o", "bomb.udf", "links"]),
];

#[test]
fn bombs_of_other_programs_end_early_and_are_told() {
    let folder = Folder::new();
    folder.file("zeros", vec![0; 96 << 20]);
    // Of half a megabyte that does not repeat itself within the window of old methods, so that it is no bomb by itself.
    let words: Vec<u8> = content().repeat(64);
    let first = folder.file("links/0", &words);
    for number in 1..3000 {
        std::fs::hard_link(&first, folder.path(format!("links/{number}"))).unwrap();
    }
    // Written once by what looks for copies.
    for number in 0..400 {
        folder.file(format!("copies/{number}"), &words);
    }
    let mut wrong = Vec::new();
    for (name, command) in BOMBS {
        let (program, arguments) = command.split_first().unwrap();
        if !ran(&folder, program, arguments) {
            continue;
        }
        let data = std::fs::read(folder.path(name)).unwrap();
        let started = Instant::now();
        let report = scanned(name, &data);
        let took = started.elapsed();
        let ids = report.findings.iter().map(|one| one.id.as_ref());
        let ids: Vec<&str> = ids.collect();
        let is_bomb = ids
            .iter()
            .any(|id| matches!(*id, "archive-bomb" | "limit-exceeded"));
        eprintln!("{name}: {} bytes, {took:?}", data.len());
        if !is_bomb || ids.contains(&"malformed-container") || took > PATIENCE {
            wrong.push(format!("{name}: {took:?} {ids:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
