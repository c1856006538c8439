//! The corpus and hand-made archives through the unpacker.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::identify;
use crate::limits::{Budget, Limits};
use crate::model::{Artifact, Fact, Kind, Trouble};
use crate::unpack::{Nest, Seen};

/// What unpacking gave: the members with their bytes, the facts, and how it ended.
struct Opened {
    kind: Kind,
    readings: Vec<Kind>,
    children: Vec<Artifact>,
    facts: Vec<Fact>,
    ended: Result<(), Trouble>,
}

pub(in crate::unpack) fn budget() -> Budget {
    Budget::new(Limits::default(), None)
}

pub(in crate::unpack) fn artifact(data: &[u8], kind: Kind) -> Artifact {
    Artifact::alone(kind, bytes::Bytes::copy_from_slice(data))
}

fn open(data: &[u8]) -> Opened {
    let budget = budget();
    let identity = identify::identify(data, &budget);
    let artifact = artifact(data, identity.kind);
    let mut seen = Seen::new();
    let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
    let ended = super::run(&artifact, &mut nest);
    Opened {
        kind: identity.kind,
        readings: identity.readings,
        children: nest.children,
        facts: nest.facts,
        ended,
    }
}

impl Opened {
    fn contents(&self) -> Vec<&[u8]> {
        self.children
            .iter()
            .map(|child| child.data.as_ref())
            .collect()
    }

    fn names(&self) -> Vec<&str> {
        self.children.iter().map(Artifact::label).collect()
    }

    fn deviations(&self) -> Vec<&str> {
        let mut told = Vec::new();
        for fact in &self.facts {
            if let Fact::Deviation { what, .. } = fact {
                told.push(what.as_str());
            }
        }
        told
    }

    fn lost(&self) -> Vec<&Fact> {
        self.facts
            .iter()
            .filter(|fact| !matches!(fact, Fact::Deviation { .. }))
            .collect()
    }
}

fn testdata() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata");
    if !folder.is_dir() {
        println!("skipped: no testdata beside the repository");
        return None;
    }
    Some(folder)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_member_that_the_zip_crate_reads_is_there() {
    let Some(folder) = testdata() else { return };
    let (mut archives, mut members) = (0, 0);
    for path in files(&folder) {
        let data = std::fs::read(&path).unwrap();
        let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(&data)) else {
            continue;
        };
        let opened = open(&data);
        archives += 1;
        for at in 0..archive.len() {
            let Ok(mut file) = archive.by_index(at) else {
                continue;
            };
            let reader = budget();
            let account = &mut crate::limits::Account::new(u64::MAX);
            let decoded = reader.read(&mut file, &std::cell::Cell::new(1 << 30), account, 0);
            if file.is_dir() || decoded.fault.is_some() {
                continue;
            }
            let content = decoded.data;
            members += 1;
            assert!(
                opened.contents().contains(&content.as_slice()),
                "{}: member {at}",
                path.display()
            );
        }
    }
    println!("{archives} archives, {members} members");
    assert!(archives > 150);
}

#[test]
fn archives_of_the_corpus_are_read_whole_or_say_what_is_not() {
    let Some(folder) = testdata() else { return };
    for path in files(&folder.join("archive/zip")) {
        let data = std::fs::read(&path).unwrap();
        let opened = open(&data);
        let listed = crate::formats::zip::walk(&data, &budget()).unwrap();
        let files = listed.map_or(0, |archive| {
            let files = archive.members.iter().filter(|member| !member.is_folder());
            files.count()
        });
        let told = !opened.lost().is_empty() || opened.ended.is_err();
        assert!(told || opened.children.len() >= files, "{}", path.display());
        println!(
            "{:<100} {:?} {} members; {:?}; {:?} {:?}",
            path.file_name().unwrap().to_string_lossy(),
            opened.kind,
            opened.children.len(),
            opened.deviations(),
            opened.lost(),
            opened.ended
        );
    }
}

#[test]
fn clean_documents_of_the_corpus_have_nothing_to_tell() {
    let Some(folder) = testdata() else { return };
    let mut total = Vec::new();
    let mut walks = Vec::new();
    for path in files(&folder.join("office")) {
        let data = std::fs::read(&path).unwrap();
        if !data.starts_with(b"PK") {
            continue;
        }
        let started = Instant::now();
        crate::formats::zip::walk(&data, &budget()).unwrap();
        walks.push(started.elapsed());
        let started = Instant::now();
        let opened = open(&data);
        total.push(started.elapsed());
        let malformed = path
            .components()
            .any(|part| part.as_os_str() == "malformed");
        if !malformed {
            assert_eq!(opened.facts, [], "{}", path.display());
            assert_eq!(opened.ended, Ok(()), "{}", path.display());
        }
        println!("{} {:?} {:?}", path.display(), opened.kind, opened.readings);
    }
    total.sort();
    walks.sort();
    println!("walk alone: median {:?}", walks.get(walks.len() / 2));
    println!("median {:?} of {}", total.get(total.len() / 2), total.len());
}

const TEXT: &[u8] = b"one two three one two three one two three one two three one two three";
const OTHER: &[u8] = b"stored bytes";

fn options(method: zip::CompressionMethod) -> zip::write::SimpleFileOptions {
    zip::write::SimpleFileOptions::default().compression_method(method)
}

/// A deflated `a.txt` and a stored `b.bin`, by the zip crate.
fn sample() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("a.txt", options(zip::CompressionMethod::Deflated))
        .unwrap();
    writer.write_all(TEXT).unwrap();
    writer
        .start_file("b.bin", options(zip::CompressionMethod::Stored))
        .unwrap();
    writer.write_all(OTHER).unwrap();
    writer.finish().unwrap().into_inner()
}

fn find(data: &[u8], needle: &[u8]) -> usize {
    memchr::memmem::find(data, needle).unwrap()
}

/// The sample with the bytes at `offset` behind the first `signature` changed.
fn broken(signature: &[u8], offset: usize, bytes: &[u8]) -> Opened {
    let mut data = sample();
    let at = find(&data, signature) + offset;
    data[at..at + bytes.len()].copy_from_slice(bytes);
    open(&data)
}

fn assert_whole(opened: &Opened, deviation: &str) {
    assert_eq!(opened.contents(), [TEXT, OTHER]);
    assert_eq!(opened.lost(), Vec::<&Fact>::new());
    assert_eq!(opened.ended, Ok(()));
    let told = opened.deviations();
    let fits = if deviation.is_empty() {
        told.is_empty()
    } else {
        told.iter().any(|what| what.contains(deviation))
    };
    assert!(fits, "{told:?}");
}

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";

#[test]
fn an_ordinary_archive_has_each_member_once_and_nothing_to_tell() {
    let opened = open(&sample());
    assert_whole(&opened, "");
    assert_eq!(opened.names(), ["a.txt", "b.bin"]);
    assert_eq!(opened.kind, Kind::Zip);
    let data = sample();
    assert_eq!(&data[opened.children[1].at.clone().unwrap()], OTHER);
}

#[test]
fn a_lying_end_record_hides_nothing() {
    assert_whole(
        &broken(END, 10, &11u16.to_le_bytes()),
        "expected 11 members, found 2",
    );
    assert_whole(
        &broken(END, 10, &1u16.to_le_bytes()),
        "expected 1 members, found 2",
    );
    let offset = find(&sample(), CENTRAL) + 3;
    let moved = broken(END, 16, &u32::try_from(offset).unwrap().to_le_bytes());
    assert_whole(&moved, "expected the central directory at offset");
    assert_whole(&broken(END, 12, &[9, 0, 0, 0]), "");
}

#[test]
fn what_is_glued_in_front_or_behind_is_opened_too() {
    let first = sample();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("c.exe", options(zip::CompressionMethod::Deflated))
        .unwrap();
    writer.write_all(b"MZ of the second").unwrap();
    let second = writer.finish().unwrap().into_inner();
    let glued = open(&[first.clone(), second].concat());
    let mut contents = glued.contents();
    contents.sort_unstable();
    assert_eq!(contents, [b"MZ of the second".as_slice(), TEXT, OTHER]);
    assert!(!glued.deviations().is_empty());
    assert_eq!(glued.lost(), Vec::<&Fact>::new());
    let trailing = [first.clone(), vec![b'x'; 70 * 1024]].concat();
    assert_whole(&open(&trailing), "71680 bytes behind the end record");
    let prefixed = [vec![b'x'; 1000], first].concat();
    assert_whole(&open(&prefixed), "1000 bytes in front of the archive");
}

#[test]
fn a_cut_archive_is_read_from_its_local_headers() {
    let data = sample();
    let directory = find(&data, CENTRAL);
    assert_whole(
        &open(&data[..directory]),
        "expected an end record, found none",
    );
    let cut = open(&data[..directory - 4]);
    assert_eq!(cut.contents(), [TEXT, &OTHER[..8]]);
    assert_eq!(
        cut.lost(),
        [&Fact::Unread {
            at: Some(directory - 4),
            what: "b.bin: 4 bytes lie beyond the end of the file".to_owned()
        }]
    );
    let in_directory = open(&data[..directory + 60]);
    assert_eq!(in_directory.contents(), [TEXT, OTHER]);
}

#[test]
fn headers_that_disagree_are_both_believed() {
    let renamed = broken(LOCAL, 30, b"a.exe");
    assert_whole(
        &renamed,
        "a.txt in the directory, a.exe in the local header",
    );
    let name = renamed.children[0].name.as_ref().unwrap();
    assert_eq!(name.readings, ["a.txt", "a.exe"]);
    assert_whole(
        &broken(CENTRAL, 10, &[77, 0]),
        "method: 77 in the directory, 8",
    );
    assert_whole(
        &broken(LOCAL, 6, &[1]),
        "encryption: none in the directory, ZipCrypto",
    );
    assert_whole(
        &broken(CENTRAL, 8, &[1]),
        "encryption: ZipCrypto in the directory, none",
    );
    assert_whole(
        &broken(CENTRAL, 16, &[1, 2, 3, 4]),
        "CRC-32: 04030201 in the directory",
    );
    assert_whole(&broken(LOCAL, 0, b"PX"), "expected its signature");
}

#[test]
fn a_bit_alone_does_not_lock_a_member() {
    let mut data = sample();
    let local = find(&data, LOCAL) + 6;
    let central = find(&data, CENTRAL) + 8;
    (data[local], data[central]) = (1, 1);
    assert_whole(&open(&data), "marked as encrypted, but is not");
    let packed = find(&data, b"a.txt") + 8;
    data[packed] ^= 0x55;
    let locked = open(&data);
    assert_eq!(
        locked.lost(),
        [&Fact::Locked {
            scheme: "ZipCrypto".to_owned(),
            what: Some("a.txt".to_owned())
        }]
    );
    assert_eq!(locked.contents(), [OTHER]);
}

#[test]
fn a_wrong_checksum_keeps_nothing_back() {
    let mut data = sample();
    for at in [find(&data, LOCAL) + 14, find(&data, CENTRAL) + 16] {
        data[at..at + 4].copy_from_slice(&[1, 2, 3, 4]);
    }
    assert_whole(&open(&data), "a.txt: expected CRC-32 04030201, found");
}

#[test]
fn members_of_one_name_are_all_there() {
    let mut data = sample();
    for signature in [LOCAL, CENTRAL] {
        let finder = memchr::memmem::find_iter(&data, signature).nth(1).unwrap();
        let name = finder + if signature == LOCAL { 30 } else { 46 };
        data[name..name + 5].copy_from_slice(b"a.txt");
    }
    assert_whole(&open(&data), "more than one member of this name");
}

#[test]
fn a_deflated_member_under_another_method_is_told_by_its_checksum() {
    for method in [0u8, 7, 60] {
        let mut data = sample();
        let local = find(&data, LOCAL);
        let central = find(&data, CENTRAL);
        data[local + 8] = method;
        data[central + 10] = method;
        let opened = open(&data);
        let contents = opened.contents();
        assert!(
            contents.contains(&TEXT) && contents.contains(&OTHER),
            "{method}"
        );
        let told = opened.deviations();
        let marked = format!("marked as method {method}, but deflated");
        assert!(told.iter().any(|what| what.contains(&marked)), "{told:?}");
        assert_eq!(opened.lost(), Vec::<&Fact>::new(), "{method}");
    }
}

#[test]
fn zip64_and_streamed_archives_are_ordinary() {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let large = options(zip::CompressionMethod::Deflated).large_file(true);
    writer.start_file("a.txt", large).unwrap();
    writer.write_all(TEXT).unwrap();
    writer
        .start_file("b.bin", options(zip::CompressionMethod::Stored))
        .unwrap();
    writer.write_all(OTHER).unwrap();
    assert_whole(&open(&writer.finish().unwrap().into_inner()), "");
    let mut writer = zip::ZipWriter::new_stream(Vec::new());
    writer
        .start_file("a.txt", options(zip::CompressionMethod::Deflated))
        .unwrap();
    writer.write_all(TEXT).unwrap();
    writer
        .start_file("b.bin", options(zip::CompressionMethod::Stored))
        .unwrap();
    writer.write_all(OTHER).unwrap();
    let streamed = writer.finish().unwrap().into_inner();
    assert_whole(&open(&streamed), "");
    let directory = find(&streamed, CENTRAL);
    let cut = open(&streamed[..directory]);
    assert_eq!(cut.contents()[0], TEXT);
    assert!(cut.contents()[1].starts_with(OTHER));
}

#[test]
fn every_method_of_the_crate_is_decoded() {
    use zip::CompressionMethod as Method;
    for method in [
        Method::BZIP2,
        Method::LZMA,
        Method::XZ,
        Method::PPMD,
        Method::ZSTD,
    ] {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        if writer.start_file("a.txt", options(method)).is_err() {
            println!("the crate does not write {method}");
            continue;
        }
        writer.write_all(TEXT).unwrap();
        let opened = open(&writer.finish().unwrap().into_inner());
        assert_eq!(opened.contents(), [TEXT], "{method} {:?}", opened.facts);
        assert_eq!(opened.facts, [], "{method}");
    }
}

/// Made with Python's zipfile, which writes an end mark into LZMA members.
const MARKED_LZMA: &[u8] = b"PK\x03\x04?\x00\x02\x00\x0e\x00\x00\x00!X\xaf\x1d\xa2\xa9+\x00\x00\x00\xa8\x02\x00\x00\x05\x00\x00\
    \x00a.txt\x09\x04\x05\x00]\x00\x00\x80\x00\x00:\x1b\xc0\x06A\xb9w\x09\xe3\xa2\x03\xa0\x06qb\xa8z\x9e\
    kB2\x09\x06\xfaS\x02L\xff\xff\xfcE0\x00PK\x01\x02?\x03?\x00\x02\x00\x0e\x00\x00\x00!X\xaf\x1d\xa2\
    \xa9+\x00\x00\x00\xa8\x02\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\
    \x00\x00a.txtPK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x003\x00\x00\x00N\x00\x00\x00\x00\x00";

#[test]
fn lzma_members_end_at_their_mark() {
    let opened = open(MARKED_LZMA);
    assert_eq!(opened.contents(), [b"to the end mark, ".repeat(40)]);
    assert_eq!(opened.lost().len(), 0);
    let mut lying = MARKED_LZMA.to_vec();
    let local = find(&lying, b"PK\x03\x04").strict_add(22);
    let central = find(&lying, b"PK\x01\x02").strict_add(24);
    for at in [local, central] {
        lying[at..at + 4].copy_from_slice(&17u32.to_le_bytes());
    }
    assert!(
        open(&lying)
            .contents()
            .contains(&b"to the end mark, ".repeat(40).as_slice())
    );
}

#[test]
fn bytes_behind_compressed_data_are_looked_at() {
    let mut data = sample();
    let central = find(&data, CENTRAL);
    let inner = sample();
    let more = u32::try_from(inner.len()).unwrap();
    let end_of_first = memchr::memmem::find_iter(&data, LOCAL).nth(1).unwrap();
    for at in [central + 20, find(&data, LOCAL) + 18] {
        let size = u32::from_le_bytes(data[at..at + 4].try_into().unwrap()) + more;
        data[at..at + 4].copy_from_slice(&size.to_le_bytes());
    }
    let slack: Vec<u8> = [&data[..end_of_first], &inner, &data[end_of_first..]].concat();
    let opened = open(&slack);
    assert!(
        opened.contents().contains(&inner.as_slice()),
        "{:?}",
        opened.names()
    );
    assert!(opened.contents().contains(&TEXT));
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder =
        flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A local or central header with the fields that matter.
fn header(signature: &[u8], name: &str, compressed: usize, size: usize, offset: usize) -> Vec<u8> {
    let narrow = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let mut out = signature.to_vec();
    if signature == CENTRAL {
        out.extend([20, 0]);
    }
    out.extend([20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend(narrow(compressed));
    out.extend(narrow(size));
    out.extend([u8::try_from(name.len()).unwrap(), 0, 0, 0]);
    if signature == CENTRAL {
        out.extend([0; 10]);
        out.extend(narrow(offset));
    }
    out.extend(name.as_bytes());
    out
}

fn with_directory(mut data: Vec<u8>, entries: &[Vec<u8>]) -> Vec<u8> {
    let start = data.len();
    data.extend(entries.concat());
    let size = data.len() - start;
    data.extend(END);
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    data.extend([[0, 0], [0, 0], count, count].concat());
    data.extend(u32::try_from(size).unwrap().to_le_bytes());
    data.extend(u32::try_from(start).unwrap().to_le_bytes());
    data.extend([0, 0]);
    data
}

fn assert_stops_early(data: &[u8]) {
    let started = Instant::now();
    let opened = open(data);
    let elapsed = started.elapsed();
    assert!(
        matches!(opened.ended, Err(Trouble::TooMuch(_))),
        "{:?}",
        opened.ended
    );
    assert!(elapsed < Duration::from_millis(500), "{elapsed:?}");
    assert!(!opened.children.is_empty());
    println!(
        "bomb of {} bytes: {elapsed:?}, {:?}",
        data.len(),
        opened.ended
    );
}

#[test]
fn a_deflate_bomb_stops_early() {
    let size = 256 << 20;
    let packed = deflate(&vec![0; size]);
    let local = header(LOCAL, "bomb", packed.len(), size, 0);
    let central = header(CENTRAL, "bomb", packed.len(), size, 0);
    assert_stops_early(&with_directory([local, packed].concat(), &[central]));
}

#[test]
fn members_that_share_a_local_header_stop_early() {
    let noise: Vec<u8> = (0u32..200_000)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let packed = deflate(&noise);
    let local = header(LOCAL, "same", packed.len(), noise.len(), 0);
    let entries: Vec<Vec<u8>> = (0..1000)
        .map(|n| header(CENTRAL, &format!("m{n}"), packed.len(), noise.len(), 0))
        .collect();
    assert_stops_early(&with_directory([local, packed].concat(), &entries));
}

#[test]
fn members_that_quote_each_other_stop_early() {
    let kernel = deflate(&vec![0; 1 << 20]);
    let mut body = kernel;
    let mut size = 1 << 20;
    let mut lengths = Vec::new();
    let count = 500;
    for n in (0..count).rev() {
        let name = format!("{n:04}");
        let local = header(LOCAL, &name, body.len(), size, 0);
        lengths.push((name, body.len(), size));
        body = [local.clone(), body].concat();
        if n > 0 {
            let len = u16::try_from(local.len()).unwrap();
            let quote = [&[0][..], &len.to_le_bytes(), &(!len).to_le_bytes()].concat();
            size += local.len();
            body = [quote, body].concat();
        }
    }
    let total = body.len();
    let entries: Vec<Vec<u8>> = lengths
        .iter()
        .rev()
        .map(|(name, packed, size)| header(CENTRAL, name, *packed, *size, total - packed - 34))
        .collect();
    assert_stops_early(&with_directory(body, &entries));
}

#[test]
fn files_full_of_signatures_are_walked_in_linear_time() {
    let local = header(LOCAL, "n", 0xff_ffff, 1, 0);
    let mut streamed = header(LOCAL, "n", 0, 0, 0);
    streamed[6] = 8;
    let central = header(CENTRAL, "n", 1, 1, 0);
    let mut end = with_directory(Vec::new(), &[]);
    end[10] = 1;
    end[12] = 46;
    for unit in [
        local,
        streamed,
        central.clone(),
        end,
        LOCAL.to_vec(),
        b"PK".to_vec(),
        [central, END.to_vec()].concat(),
    ] {
        let data = unit.repeat((2 << 20) / unit.len());
        let started = Instant::now();
        let budget = budget();
        let members = crate::formats::zip::walk(&data, &budget)
            .map(|archive| archive.map(|archive| archive.members.len()));
        let elapsed = started.elapsed();
        println!(
            "{} bytes of {:?}: {elapsed:?} {members:?}",
            data.len(),
            &unit[..2]
        );
        assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    }
}

#[test]
fn large_members_inflate_at_speed() {
    let line = b"The quick brown fox jumps over the lazy dog, ";
    let mut content = Vec::new();
    let mut n = 0u32;
    while content.len() < 64 << 20 {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        content.extend_from_slice(line.get(..(n >> 27) as usize).unwrap_or(line));
        content.extend_from_slice(&n.to_le_bytes());
    }
    let packed = deflate(&content);
    let local = header(LOCAL, "big", packed.len(), content.len(), 0);
    let central = header(CENTRAL, "big", packed.len(), content.len(), 0);
    let data = with_directory([local, packed].concat(), &[central]);
    let started = Instant::now();
    let opened = open(&data);
    let elapsed = started.elapsed();
    assert_eq!(opened.children[0].data.len(), content.len());
    println!("inflate of {} MiB: {elapsed:?}", content.len() >> 20);
}

#[test]
fn packages_are_told_by_their_main_part() {
    let package = |members: &[(&str, &str)]| {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in members {
            writer
                .start_file(*name, options(zip::CompressionMethod::Deflated))
                .unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    };
    let kind = |members: &[(&str, &str)]| open(&package(members)).kind;
    let types = r#"<Types><Override PartName="/x/main.xml" ContentType="application/vnd.ms-word.document.macroEnabled.main+xml"/></Types>"#;
    let rels = r#"<Relationships><Relationship Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="x/main.xml"/></Relationships>"#;
    let docm = [
        ("[content_types].XML", types),
        ("_rels\\.rels", rels),
        ("x/main.xml", "<w/>"),
    ];
    assert_eq!(kind(&docm), Kind::Docm);
    let whole = package(&docm);
    assert_eq!(open(&whole[..find(&whole, CENTRAL)]).kind, Kind::Docm);
    assert_eq!(
        open(&[b"junk".repeat(30), whole[..find(&whole, CENTRAL)].to_vec()].concat()).kind,
        Kind::Docm
    );
    assert_eq!(
        kind(&[(
            "[Content_Types].xml",
            "<Types><Default Extension='a' ContentType='b'/></Types>"
        )]),
        Kind::Ooxml
    );
    assert_eq!(
        kind(&[("word/document.xml", ""), ("word/vbaProject.bin", "")]),
        Kind::Docm
    );
    assert_eq!(
        kind(&[("mimetype", "application/vnd.oasis.opendocument.text")]),
        Kind::Odt
    );
    assert_eq!(kind(&[("mimetype", "application/epub+zip")]), Kind::Epub);
    assert_eq!(
        kind(&[(
            "META-INF/manifest.xml",
            "<m full-path='/' media-type='application/vnd.oasis.opendocument.spreadsheet'/>"
        )]),
        Kind::Ods
    );
    assert_eq!(kind(&[("META-INF/MANIFEST.MF", "")]), Kind::Jar);
    assert_eq!(
        kind(&[
            ("META-INF/MANIFEST.MF", ""),
            ("AndroidManifest.xml", ""),
            ("classes.dex", "")
        ]),
        Kind::Apk
    );
    assert_eq!(
        kind(&[("AppxManifest.xml", ""), ("[Content_Types].xml", "")]),
        Kind::Appx
    );
    assert_eq!(kind(&[("a.txt", "")]), Kind::Zip);
    let both = open(&package(&[
        docm[0],
        docm[1],
        docm[2],
        ("META-INF/MANIFEST.MF", ""),
    ]));
    assert_eq!((both.kind, both.readings), (Kind::Docm, vec![Kind::Jar]));
    let picture = [b"\x89PNG\r\n\x1a\n".repeat(100), whole].concat();
    let start = crate::formats::zip::appended(&picture, &budget());
    assert_eq!(start, Ok(Some(800)));
    assert_eq!(
        crate::formats::zip::appended(&[7; 100_000], &budget()),
        Ok(None)
    );
}
