//! Archives inside of programs: behind their end, in their resources, wherever a whole head of one stands.
//!
//! A program that knows archives has their marks in it too; only a mark with a head that holds together counts.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use memchr::memmem;

use crate::bytes::{index, slice, u16_at, u32_at, u64_at};
use crate::formats::{installshield, pe};
use crate::limits::Halt;
use crate::model::{Artifact, Family, Kind, Name, Trouble};

use super::{Child, Nest, Payload};

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

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(MARKS).ok());

/// Pushes every archive, and the files behind a program of InstallShield.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let behind = pe::read(data).map_or(data.len(), |program| program.end);
    let files = behind..install_shield(artifact, behind, nest)?;
    if is_inno(data, behind) {
        let what = "Inno Setup installer".to_owned();
        nest.note(Trouble::NoReader(what).into_fact(""));
    }
    let mut next = 0usize;
    let Some(finder) = FINDER.as_ref() else {
        return Ok(());
    };
    let mut count = 0usize;
    // Each mark costs one look at fields of fixed size; what was found is passed over whole.
    for found in finder.find_iter(data.as_ref()) {
        nest.tick()?;
        let at = found.start();
        if at < next || files.contains(&at) {
            continue;
        }
        let range = match MARKS.get(found.pattern().as_usize()) {
            Some(mark) if mark.starts_with(b"M") => cabinet(data, at),
            Some(mark) if mark.starts_with(b"7") => sevenz(data, at),
            Some(mark) if mark.starts_with(b"R") => rar(data, at),
            _ => zip(data, at, next).filter(|range| !is_followed(artifact, range)),
        };
        let Some(range) = range else {
            continue;
        };
        count = count.saturating_add(1);
        if count > ARCHIVES {
            let halt = Halt::Ceiling("256 archives in a program");
            nest.note(Trouble::TooMuch(halt).into_fact(&format!("from offset {at}")));
            return Ok(());
        }
        next = range.end.max(at.saturating_add(1));
        let via = if range.start >= behind {
            "appended"
        } else {
            "carved"
        };
        nest.push(Child::new(via, data.slice(range.clone())).at(range))?;
    }
    Ok(())
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
}
