//! Archives inside of programs, and of what archivers pass over in search of one: behind their end, in their resources,
//! wherever a whole head of one stands.
//!
//! A program that knows archives has their marks in it too; only a mark with a head that holds together counts.

mod ends;

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use memchr::memmem;

use crate::bytes::{index, slice, u16_at, u32_at, u64_at};
use crate::formats::{installshield, pe};
use crate::identify;
use crate::limits::Halt;
use crate::model::{Artifact, Fact, Family, Kind, Name, Trouble};

use super::{Child, Nest, Payload, carve};
use ends::{Streams, is_printer_setting, own_end};

/// Archives of one program at the most.
const ARCHIVES: usize = 256;

/// Bytes of a zip's record at the end.
const END_RECORD: usize = 22;

/// What starts, or in a zip ends, an archive.
const MARKS: [&[u8]; 4] = [
    b"MSCF\0\0\0\0",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"PK\x05\x06",
];

/// The same, in the first pass that decides which comes first.
static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let mut builder = AhoCorasick::builder();
    let builder = builder.match_kind(aho_corasick::MatchKind::LeftmostFirst);
    builder.build(MARKS).ok()
});

/// Programs, and what an archiver looks into for an archive: it takes what stands in front for the program that
/// unpacks it.
pub(super) const KINDS: &[Kind] = &[
    Kind::Pe,
    Kind::Dos,
    Kind::Elf,
    Kind::MachO,
    Kind::Data,
    Kind::Png,
    Kind::Jpg,
    Kind::Gif,
    Kind::Bmp,
    Kind::Tif,
    Kind::Webp,
    Kind::Ico,
    Kind::Psd,
    Kind::Heic,
    Kind::Jp2,
    Kind::Mp3,
    Kind::Mp4,
    Kind::Wav,
    Kind::Avi,
    Kind::Ogg,
    Kind::Flac,
    Kind::Mkv,
    Kind::Wmv,
    Kind::Swf,
    Kind::Ttf,
    Kind::Woff,
    Kind::Bat,
    Kind::Sh,
    Kind::Ps1,
    Kind::Js,
    Kind::Vbs,
    Kind::Hta,
    Kind::Py,
    Kind::Pl,
    Kind::Rb,
    Kind::Php,
];

/// What tells where it ends, but for zips and compound files.
pub(super) const ENDING: &[Kind] = &[
    Kind::SevenZip,
    Kind::Cab,
    Kind::Rtf,
    Kind::Html,
    Kind::Pdf,
    Kind::Iso,
    Kind::Udf,
    Kind::Chm,
    Kind::One,
    Kind::Onetoc2,
    Kind::Pst,
    Kind::Mdb,
    Kind::Accdb,
];

/// What stands behind the end of a program, or of the lines of a script, for it to unpack: kinds that bytes by chance
/// are not taken for.
const PAYLOADS: &[Kind] = &[
    Kind::Lzh,
    Kind::Arj,
    Kind::Ace,
    Kind::Alz,
    Kind::Egg,
    Kind::Tar,
    Kind::Cpio,
    Kind::Wim,
    Kind::Gz,
    Kind::Bz2,
    Kind::Xz,
    Kind::Zst,
    Kind::Msi,
    Kind::Deb,
    Kind::Rpm,
];

/// How those start that a script has behind its last line.
const BEHIND_LINES: [&[u8]; 5] = [
    b"\n\x1f\x8b\x08",
    b"\nBZh",
    b"\n\xfd7zXZ\0",
    b"\n\x28\xb5\x2f\xfd",
    b"\n070701",
];

/// Bytes of padding between a program and what is behind it.
const PADDING: usize = 4096;

/// Bytes between a program of ARJ and the archive that it unpacks, at the most.
const ARJ_LEAD: usize = 64;

/// Pushes every archive, and the files behind a program of InstallShield.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let is_program = artifact.kind.family() == Family::Executable;
    let (behind, files) = match artifact.kind {
        Kind::Pe => {
            let behind = pe::read(data).map_or(data.len(), |program| program.end);
            let files = behind..install_shield(artifact, behind, nest)?;
            if is_inno(data, behind) {
                let what = "Inno Setup installer".to_owned();
                nest.note(Trouble::NoReader(what).into_fact(""));
            }
            (behind, files)
        }
        _ => {
            let program = identify::embedded_program(data, 0).filter(|_| is_program);
            let behind = program.map_or(0, |(_, range)| range.end);
            (behind, 0..0)
        }
    };
    let found = marked(artifact, is_program, behind, &files, nest)?;
    if is_program {
        let from = behind.max(files.end);
        if from > 0 && found <= from {
            payload(artifact, from, nest)?;
        }
        return Ok(());
    }
    // A line of the script itself may look like the start of one.
    for from in lines_ends(artifact.kind, data) {
        nest.tick()?;
        if found <= from && payload(artifact, from, nest)? {
            break;
        }
    }
    Ok(())
}

/// Pushes every archive behind the end of a document or of another archive.
pub(super) fn run_behind(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let end = own_end(artifact.kind, &artifact.data, nest.budget())?;
    let Some(end) = end.filter(|end| *end < artifact.data.len()) else {
        return Ok(());
    };
    marked(artifact, false, end, &(0..end), nest)?;
    Ok(())
}

/// Pushes every archive whose mark and head are there; gives the end of the last.
fn marked(
    artifact: &Artifact,
    is_program: bool,
    behind: usize,
    files: &Range<usize>,
    nest: &mut Nest<'_>,
) -> Result<usize, Trouble> {
    let data = &artifact.data;
    let mut next = 0usize;
    let Some(finder) = FINDER.as_ref() else {
        return Ok(next);
    };
    let followed = carve::tail(artifact.kind, data);
    let mut count = 0usize;
    let mut streams = Streams::default();
    let for_printer = artifact.kind == Kind::Data && is_printer_setting(data);
    // What is passed over from the front is not searched.
    let start = if files.start == 0 { files.end } else { 0 };
    // Each mark costs one look at fields of fixed size; what was found is passed over whole.
    for found in finder.find_iter(data.get(start..).unwrap_or_default()) {
        nest.tick()?;
        let at = start.saturating_add(found.start());
        // What stands right behind the end of a picture is told there.
        if at < next || files.contains(&at) || followed == Some(at) {
            continue;
        }
        if artifact.kind == Kind::Pdf && streams.hold(data, at) {
            continue;
        }
        let range = match MARKS.get(found.pattern().as_usize()) {
            Some(mark) if mark.starts_with(b"M") => cabinet(data, at),
            Some(mark) if mark.starts_with(b"7") => sevenz(data, at),
            Some(mark) if mark.starts_with(b"R") => rar(data, at),
            // Behind most of what is no program a zip is a reading of the whole.
            _ if !is_program && (behind == 0 || data.starts_with(b"PK")) => None,
            _ => zip(data, at, next).filter(|range| !is_followed(artifact, range)),
        };
        let Some(range) = range else {
            continue;
        };
        count = count.saturating_add(1);
        if count > ARCHIVES {
            let halt = Halt::Ceiling("256 archives in a program");
            nest.note(Trouble::TooMuch(halt).into_fact(&format!("from offset {at}")));
            return Ok(data.len());
        }
        next = range.end.max(at.saturating_add(1));
        let via = if behind > 0 && range.start >= behind {
            "appended"
        } else {
            "carved"
        };
        let inside = data.slice(range.clone());
        if !is_program && !for_printer {
            let kind = identify::identify(&inside, nest.budget()).kind;
            let at = range.start;
            nest.note(Fact::Polyglot { kind, at });
        }
        nest.push(Child::new(via, inside).at(range))?;
    }
    Ok(next)
}

/// Where the lines of a script may end that has an archive behind them.
fn lines_ends(kind: Kind, data: &[u8]) -> Vec<usize> {
    /// Places that start alike.
    const PLACES: usize = 16;
    if !matches!(kind, Kind::Sh | Kind::Bat | Kind::Pl | Kind::Php) {
        return Vec::new();
    }
    let ends = BEHIND_LINES.iter();
    let ends = ends.flat_map(|mark| {
        memmem::find_iter(data, mark)
            .filter(|at| goes_on(data, *at))
            .take(PLACES)
    });
    let mut ends: Vec<usize> = ends.map(|at| at.saturating_add(1)).collect();
    ends.sort_unstable();
    ends
}

/// Whether the marks that are letters too go on as those of archives do.
fn goes_on(data: &[u8], at: usize) -> bool {
    match slice(data, at, 11).unwrap_or_default() {
        [b'\n', b'B', _, _, level, mark @ ..] => {
            level.is_ascii_digit()
                && (mark.starts_with(b"1AY&SY") || mark.starts_with(b"\x17rE8P\x90"))
        }
        [b'\n', b'0', rest @ ..] => rest.iter().all(u8::is_ascii_hexdigit),
        _ => true,
    }
}

/// Pushes what stands at `from`, where it is an archive; whether it is one.
fn payload(artifact: &Artifact, from: usize, nest: &mut Nest<'_>) -> Result<bool, Trouble> {
    let data = &artifact.data;
    let tail = data.get(from..).unwrap_or_default();
    let zeros = tail.iter().take(PADDING).take_while(|byte| **byte == 0);
    let start = from.saturating_add(zeros.count());
    // ARJ has a few bytes of its own in front.
    let near = slice(tail, 0, ARJ_LEAD.min(tail.len())).unwrap_or_default();
    let arj = memmem::find(near, b"\x60\xea").map(|at| from.saturating_add(at));
    for start in std::iter::once(start).chain(arj.filter(|at| *at != start)) {
        let tail = data.get(start..).unwrap_or_default();
        if tail.is_empty() {
            continue;
        }
        let kind = identify::identify(tail, nest.budget()).kind;
        if !PAYLOADS.contains(&kind) {
            continue;
        }
        if !artifact.readings.contains(&kind) {
            let range = start..data.len();
            let child = Child::new("appended", data.slice(range.clone()));
            nest.push(child.at(range))?;
        }
        return Ok(true);
    }
    Ok(false)
}

/// The head of the packed script of Inno Setup, or the table of where its parts lie, behind the program or in its
/// resources.
fn is_inno(data: &[u8], behind: usize) -> bool {
    const TABLES: [&[u8]; 2] = [b"rDlPtS", b"nS5W7dT\x83\xaa\x1b\x0f\x6a"];
    let tail = data.get(behind..).unwrap_or_default();
    let has_head = memmem::find(tail, b"Inno Setup Setup Data (").is_some();
    has_head || !tail.is_empty() && TABLES.iter().any(|mark| memmem::find(data, mark).is_some())
}

/// Pushes what a program of InstallShield has behind its end; gives the first byte behind it.
fn install_shield(artifact: &Artifact, from: usize, nest: &mut Nest<'_>) -> Result<usize, Trouble> {
    let listing = installshield::files(&artifact.data, from);
    for file in listing.files {
        nest.tick()?;
        let name = match file.is_wide {
            true => Name::of(file.name),
            false => Name::from_raw(file.name.as_bytes()),
        };
        let child = Child::new("installer-file", artifact.data.slice(file.data.clone()));
        nest.push(child.at(file.data).named(name))?;
    }
    if listing.is_cut {
        nest.unread(listing.end, "a file of an InstallShield installer is cut");
    }
    if listing.end > from {
        return Ok(listing.end);
    }
    scrambled(artifact, from, nest)
}

/// The same of a program that installs a package of the Windows Installer.
fn scrambled(artifact: &Artifact, from: usize, nest: &mut Nest<'_>) -> Result<usize, Trouble> {
    let data = &artifact.data;
    let Some(setup) = installshield::scrambled(data, from) else {
        return Ok(from);
    };
    if setup.is_stream {
        let what = "InstallShield installer in stream form".to_owned();
        nest.note(Trouble::NoReader(what).into_fact(""));
    }
    for file in &setup.files {
        nest.tick()?;
        let name = Name::from_raw(&file.name);
        let shown = crate::text::excerpt(&name.text);
        let clear = file.clear(data);
        // The head of a zlib stream: method 8, and a checksum of the two bytes.
        let is_packed = matches!(clear.first_chunk::<2>(), Some(head @ [0x78, _]) if u16::from_be_bytes(*head) % 31 == 0);
        if !is_packed {
            nest.push(Child::new("installer-file", clear).named(name))?;
            continue;
        }
        let decoded = nest.inflate(&clear, 0, flate2::bufread::ZlibDecoder::new);
        let child = Child::new("installer-file", Payload::Paid(decoded.data.into()));
        nest.push_decoded(child.named(name), decoded.fault, &shown)?;
    }
    if setup.is_cut {
        nest.unread(setup.end, "a file of an InstallShield installer is cut");
    }
    Ok(setup.end)
}

/// The range of `len` bytes at `at`, as far as it is there.
fn range(data: &[u8], at: usize, len: usize) -> Range<usize> {
    at..at.saturating_add(len).min(data.len())
}

/// CFHEADER ([MS-CAB] 2.1): version 1.3, and an offset of files inside of its length.
fn cabinet(data: &[u8], at: usize) -> Option<Range<usize>> {
    let head = slice(data, at, 36)?;
    let (len, files) = (index(u32_at(head, 8)?), index(u32_at(head, 16)?));
    let fits = u16_at(head, 24)? == 0x0103
        && (36..len).contains(&files)
        && u16_at(head, 26)? > 0
        && u16_at(head, 28)? > 0;
    fits.then(|| range(data, at, len))
}

/// SignatureHeader and StartHeader (7zFormat.txt): the checksum of the latter.
fn sevenz(data: &[u8], at: usize) -> Option<Range<usize>> {
    let head = slice(data, at, 32)?;
    let start = head.get(12..)?;
    if crate::formats::zip::crc32(start) != u32_at(head, 8)? {
        return None;
    }
    let end = u64_at(head, 12)?
        .checked_add(u64_at(head, 20)?)?
        .checked_add(32)?;
    Some(range(data, at, index(end)))
}

/// The main header behind the mark; the archive says itself where it ends.
fn rar(data: &[u8], at: usize) -> Option<Range<usize>> {
    let head = slice(data, at, 20)?;
    let fits = match head.get(6)? {
        // Type and length of the main header.
        0 => *head.get(9)? == 0x73 && u16_at(head, 12)? >= 13,
        // Its length, and its type: main or encryption.
        1 => {
            *head.get(7)? == 0
                && (1..0x80).contains(head.get(12)?)
                && matches!(head.get(13)?, 1 | 4)
        }
        _ => false,
    };
    fits.then_some(at..data.len())
}

/// The archive that ends with the record at `at`: its directory stands before it, and its members before that.
fn zip(data: &[u8], at: usize, from: usize) -> Option<Range<usize>> {
    let record = slice(data, at, END_RECORD)?;
    let before = index(u32_at(record, 12)?).checked_add(index(u32_at(record, 16)?))?;
    let start = at.checked_sub(before).filter(|start| *start >= from)?;
    let directory = index(u32_at(record, 16)?).checked_add(start)?;
    let comment = usize::from(u16_at(record, 20)?);
    let fits =
        slice(data, directory, 4)? == b"PK\x01\x02" && slice(data, start, 4)? == b"PK\x03\x04";
    let end = at.saturating_add(END_RECORD).saturating_add(comment);
    (fits && start > 0).then(|| start..end.min(data.len()))
}

/// Whether the program reads as this zip too, which is followed as such.
fn is_followed(artifact: &Artifact, range: &Range<usize>) -> bool {
    /// Bytes at the end in which that reading is looked for.
    const TAIL: usize = END_RECORD + 65_535;
    let zipped = |kind: &Kind| {
        matches!(kind.family(), Family::Ooxml | Family::Odf)
            || matches!(
                kind,
                Kind::Zip | Kind::Jar | Kind::Apk | Kind::Appx | Kind::Xpi
            )
    };
    let near = artifact.data.len().saturating_sub(range.end) < TAIL;
    near && artifact.readings.iter().any(zipped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::iso9660;
    use crate::unpack::cab::tests::cabinet as cabinet_of;
    use crate::unpack::tests::{opened, pe};

    /// A program with something in the middle of its section, as resources lie.
    fn holding(bytes: &[u8]) -> Vec<u8> {
        let mut program = pe();
        let at = program.len() - bytes.len();
        program[at..].copy_from_slice(bytes);
        program
    }

    #[test]
    fn archives_in_resources_and_behind_the_end_are_children() {
        let archive = cabinet_of(&[("見積書.exe".as_bytes(), b"MZ")], false);
        let (inside, _) = opened("self_extractor", &holding(&archive));
        assert_eq!(
            (inside.len(), inside[0].via, inside[0].kind),
            (1, Some("carved"), Kind::Cab)
        );
        assert_eq!(inside[0].data, archive);
        let filling = vec![0x90; 3 << 20];
        let (behind, _) = opened("self_extractor", &[pe(), filling, archive.clone()].concat());
        assert_eq!((behind.len(), behind[0].via), (1, Some("appended")));
        let (two, _) = opened("self_extractor", &[pe(), archive.clone(), archive].concat());
        assert_eq!(two.len(), 2);
    }

    #[test]
    fn marks_alone_are_none() {
        let marks = MARKS.concat();
        let (children, facts) = opened("self_extractor", &holding(&marks));
        assert!(children.is_empty() && facts.is_empty());
        let (children, _) = opened("self_extractor", &[pe(), marks.repeat(100_000)].concat());
        assert!(children.is_empty());
    }

    #[test]
    fn a_cut_archive_is_as_long_as_what_is_there() {
        let archive = cabinet_of(&[(b"a.txt", b"content")], false);
        let (children, _) = opened(
            "self_extractor",
            &[pe(), archive[..archive.len() - 3].to_vec()].concat(),
        );
        assert_eq!(children[0].data.len(), archive.len() - 3);
    }

    #[test]
    fn an_archive_behind_anything_is_a_child_as_archivers_see_it() {
        let archive = crate::unpack::rar::tests::rar(&[("見積書.exe", b"MZ", 0)]);
        for front in [b"junk \x17\xff in front".as_slice(), &pe()] {
            let data = [front, &archive].concat();
            let (children, facts) = opened("self_extractor", &data);
            assert_eq!(children.len(), 1, "{front:?}");
            assert_eq!(children[0].data, archive);
            let is_polyglot = |fact: &Fact| {
                matches!(
                    fact,
                    Fact::Polyglot {
                        kind: Kind::Rar,
                        ..
                    }
                )
            };
            assert_eq!(facts.iter().any(is_polyglot), front.starts_with(b"junk"));
        }
        let junk = [
            b"junk \x17\xff".as_slice(),
            b"Rar!\x1a\x07\x01\0",
            &[0x80; 90],
        ]
        .concat();
        let (children, facts) = opened("self_extractor", &junk);
        assert!(children.is_empty() && facts.is_empty());
    }

    #[test]
    fn an_archive_of_arj_behind_a_program_with_a_few_bytes_between_is_a_child() {
        let archive = [
            crate::unpack::arj::tests::header(0, 2, 0, b"a.arj", b"", b""),
            crate::unpack::arj::tests::header(0, 0, 0, b"a.txt", b"content", b"content"),
            b"\x60\xea\0\0".to_vec(),
        ]
        .concat();
        for (lead, expected) in [
            (b"\x02\0\x02\0\xbd\x6e\xbd\xcb".to_vec(), 1),
            (vec![7; 200], 0),
        ] {
            let (children, _) = opened("self_extractor", &[pe(), lead, archive.clone()].concat());
            assert_eq!(children.len(), expected);
            assert!(children.iter().all(|child| child.data == archive));
        }
    }

    #[test]
    fn an_archive_of_lha_behind_a_program_is_a_child() {
        let member = crate::unpack::lzh::tests::member(b"a.txt", b"content", b"-lh0-");
        let archive = [member, vec![0]].concat();
        for padding in [0, 512] {
            let data = [pe(), vec![0; padding], archive.clone()].concat();
            let (children, _) = opened("self_extractor", &data);
            assert_eq!((children.len(), children[0].via), (1, Some("appended")));
            assert_eq!(children[0].data, archive);
        }
        let (children, _) = opened("self_extractor", &[pe(), b"no archive".to_vec()].concat());
        assert!(children.is_empty());
    }

    #[test]
    fn what_a_shell_script_has_behind_its_lines_is_a_child() {
        let gzip = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice(), &[0xff; 40]].concat();
        let script = b"#!/bin/sh\ntail -n +3 \"$0\" | gzip -dc | sh\n";
        let (children, _) = opened("self_extractor", &[script.as_slice(), &gzip].concat());
        assert_eq!((children.len(), children[0].kind), (1, Kind::Gz));
        let (children, _) = opened("self_extractor", script);
        assert!(children.is_empty());
        // Lines of the script that look like the start of another one hide nothing.
        let lines = b"\nBZh\n070701 is a number\n".repeat(20);
        let (children, _) = opened(
            "self_extractor",
            &[script.as_slice(), &lines, &gzip].concat(),
        );
        assert_eq!((children.len(), children[0].kind), (1, Kind::Gz));
    }

    #[test]
    fn an_archive_behind_a_document_or_another_archive_is_a_child() {
        let archive = crate::unpack::rar::tests::rar(&[("見積書.exe", b"MZ", 0)]);
        let mut compound = cfb::CompoundFile::create(std::io::Cursor::new(Vec::new())).unwrap();
        // One that is a stream is a child of the reader of streams.
        let mut stream = compound.create_stream("/a").unwrap();
        std::io::Write::write_all(&mut stream, &[&archive[..], &[7; 5000]].concat()).unwrap();
        drop(stream);
        let compound = compound.into_inner().into_inner();
        let cabinet = cabinet_of(&[(b"a.rar", &archive)], false);
        for front in [compound, cabinet, b"{\\rtf1 a}".to_vec()] {
            let budget = crate::unpack::zip::tests::budget();
            let kind = identify::identify(&front, &budget).kind;
            for (tail, expected) in [(&archive[..], 1), (b"no archive", 0)] {
                let data = [&front[..], tail].concat();
                let artifact = Artifact::alone(kind, data.into());
                let mut seen = crate::unpack::Seen::new();
                let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
                run_behind(&artifact, &mut nest).unwrap();
                assert_eq!(nest.children.len(), expected, "{kind}");
                assert!(nest.children.iter().all(|child| child.data == archive));
            }
        }
    }

    fn behind(front: &[u8], tail: &[u8]) -> (Vec<Artifact>, Vec<Fact>) {
        let budget = crate::unpack::zip::tests::budget();
        let kind = identify::identify(front, &budget).kind;
        let data = [front, tail].concat();
        let artifact = Artifact::alone(kind, data.into());
        let mut seen = crate::unpack::Seen::new();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        run_behind(&artifact, &mut nest).unwrap();
        (nest.children, nest.facts)
    }

    #[test]
    fn an_archive_behind_what_tells_its_length_is_a_child_and_one_in_it_is_none() {
        let archive = crate::unpack::rar::tests::rar(&[("見積書.exe", b"MZ", 0)]);
        let mut disc = iso9660::tests::image(("a.rar", &archive), None);
        let sectors = u32::try_from(disc.len() / 2048).unwrap();
        disc[16 * 2048 + 80..][..4].copy_from_slice(&sectors.to_le_bytes());
        // It makes itself out to be shorter than it is.
        let mut short = disc.clone();
        short[16 * 2048 + 80] = 20;
        let mut help = b"ITSF\x03\0\0\0\x60\0\0\0".to_vec();
        help.resize(56, 0);
        help.extend(96u64.to_le_bytes());
        help.resize(104, 0);
        help.extend((120 + archive.len() as u64).to_le_bytes());
        help.resize(120, 0);
        help.extend(&archive);
        let packed = crate::formats::fsshttpb::tests::section("a.rar", &[&archive]);
        let mut note = packed[..16].to_vec();
        note.resize(204, 0);
        note.extend(&archive);
        let len = note.len() as u64;
        note[196..204].copy_from_slice(&len.to_le_bytes());
        let mut store = b"!BDN\0\0\0\0SM\x17\0\x13\0\x01\x01".to_vec();
        store.resize(564, 0);
        store.extend(&archive);
        let len = store.len() as u64;
        store[184..192].copy_from_slice(&len.to_le_bytes());
        let mut base = b"\0\x01\0\0Standard Jet DB\0\x01".to_vec();
        base.resize(4096, 0);
        base.extend(b"\x01\x01\0\0");
        base.extend(&archive);
        base.resize(8192, 0);
        for front in [disc, short, help, note, packed, store, base] {
            assert_eq!(behind(&front, b"no archive").0.len(), 0);
            let (children, facts) = behind(&front, &archive);
            assert_eq!(children.len(), 1, "{:?}", front.get(..8));
            assert_eq!(children[0].data, archive);
            assert_eq!(children[0].via, Some("appended"));
            let at = front.len();
            assert_eq!(
                facts,
                [Fact::Polyglot {
                    kind: Kind::Rar,
                    at
                }]
            );
        }
    }

    #[test]
    fn a_cabinet_of_a_printer_is_a_child_and_makes_no_second_kind() {
        let archive = cabinet_of(&[(b"a.txt", b"content")], false);
        let setting = |own: u16| {
            let mut data = vec![0xe5u8; 220];
            data[64..66].copy_from_slice(&0x0401u16.to_le_bytes());
            data[68..70].copy_from_slice(&own.to_le_bytes());
            let driver = u16::try_from(archive.len()).unwrap();
            data[70..72].copy_from_slice(&driver.to_le_bytes());
            [&data[..], &archive].concat()
        };
        for (own, expected) in [(220, 0), (221, 1)] {
            let (children, facts) = opened("self_extractor", &setting(own));
            assert_eq!((children.len(), facts.len()), (1, expected), "{facts:?}");
            assert_eq!(children[0].data, archive);
        }
    }

    #[test]
    fn an_archive_between_the_objects_of_a_pdf_is_a_child_and_one_in_a_stream_is_none() {
        let archive = cabinet_of(&[(b"a.txt", b"content")], false);
        let stream = [b"<< /Length 9 >>\nstream\n", &archive[..], b"\nendstream\n"].concat();
        let object =
            |inside: &[u8]| [b"%PDF-1.4\n1 0 obj\n".as_slice(), inside, b"endobj\n"].concat();
        let (children, facts) = behind(&object(&stream), b"%%EOF");
        assert!(children.is_empty() && facts.is_empty());
        let between = [&object(&stream)[..], b"junk\n", &archive].concat();
        let at = between.len() - archive.len();
        let (children, facts) = behind(&between, b"\n%%EOF");
        assert_eq!((children.len(), &children[0].data[..]), (1, &archive[..]));
        assert_eq!(
            facts,
            [Fact::Polyglot {
                kind: Kind::Cab,
                at
            }]
        );
    }
}
