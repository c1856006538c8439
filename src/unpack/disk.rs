//! Images of discs and disks: every file of every tree once, under each name that it has.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::bytes::length;
use crate::formats::disk::{File, Listing, Path};
use crate::formats::{fat, hfs, iso9660, partitions, udf, vhd};
use crate::limits::Halt;
use crate::model::{Artifact, Kind, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload, virtual_disk};

/// How a file of an image is reached, and an image inside another.
pub(super) const FILE: &str = "disk-file";
const IMAGE: &str = "disk-image";
pub(super) const PARTITION: &str = "disk-partition";

/// How many times the length of an image its files may claim: above it they share bytes, as only bombs do.
const OVERLAP: usize = 8;

/// Files that are told to be in one tree only.
const TOLD: usize = 8;

/// Opens ISO 9660 and UDF.
pub(super) fn run_iso(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if let Some(plain) = iso9660::from_raw_sectors(&artifact.data) {
        nest.push(Child::new(IMAGE, plain).of_kind(Kind::Iso))?;
        return Ok(());
    }
    // Windows mounts UDF where there is one: its names come first.
    let mut listing = udf::list(&artifact.data, nest.budget())?;
    if listing.is_none() && artifact.reads_as(Kind::Udf) {
        nest.unread(0, "UDF: no anchor volume descriptor");
    }
    if artifact.reads_as(Kind::Iso) {
        let other = iso9660::list(&artifact.data, nest.budget())?;
        match &mut listing {
            Some(listing) => listing.join(other),
            None => listing = Some(other),
        }
    }
    beside_tracks(artifact, &mut listing, nest)?;
    push_all(listing.unwrap_or_default(), artifact, nest)
}

/// What else a hybrid disc is: volumes of HFS, whose files are those of the disc for the most part, join its trees;
/// other file systems in partitions are children.
fn beside_tracks(
    artifact: &Artifact,
    listing: &mut Option<Listing>,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let data = &artifact.data;
    let whole = std::iter::once(0..data.len());
    for range in whole.chain(partitions::list(data).partitions) {
        nest.tick()?;
        if let Some(volume) = hfs::list(data, range.start, nest.budget())? {
            match listing {
                Some(listing) => listing.join(volume.listing),
                None => *listing = Some(volume.listing),
            }
            continue;
        }
        let is_other = range.start > 0
            && matches!(
                crate::identify::identify(
                    data.get(range.clone()).unwrap_or_default(),
                    nest.budget()
                )
                .kind,
                Kind::Img | Kind::Ntfs
            );
        if is_other {
            nest.push(Child::new(PARTITION, data.slice(range.clone())).at(range))?;
        }
    }
    Ok(())
}

/// Opens a FAT file system, or the partitions of a disk.
pub(super) fn run_img(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if artifact.data.get(3..11) == Some(b"EXFAT   ") {
        return Err(Trouble::NoReader("exFAT file system".to_owned()));
    }
    if let Some(listing) = fat::list(&artifact.data, nest.budget())? {
        return push_all(listing, artifact, nest);
    }
    let found = partitions::list(&artifact.data);
    for deviation in found.unread {
        nest.unread(deviation.at, deviation.what);
    }
    if found.partitions.is_empty() {
        return Err(Trouble::NoReader(
            "disk without a partition or file system that is known".to_owned(),
        ));
    }
    for range in found.partitions {
        nest.tick()?;
        let id = nest.push(Child::new(PARTITION, artifact.data.slice(range.clone())).at(range))?;
        let blank = nest.children.last().is_some_and(|child| {
            matches!(child.kind, Kind::Data) && child.data.iter().any(|byte| *byte != 0)
        });
        if blank {
            let what = "file system of a partition".to_owned();
            nest.note_on(id, crate::model::Fact::NoReader { what });
        }
    }
    Ok(())
}

/// Opens a virtual disk.
pub(super) fn run_vhd(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let disk = vhd::read(&artifact.data)?;
    if let Some(short) = &disk.missing {
        nest.unread(short.at, short.what.clone());
    }
    match disk.content {
        vhd::Content::Plain(range) => {
            nest.push(Child::new(IMAGE, artifact.data.slice(range.clone())).at(range))?;
        }
        vhd::Content::Blocks(blocks) => {
            let mut decoder = vhd::Blocks::new(&artifact.data, &blocks);
            let there = blocks.iter().filter(|block| block.at.is_some());
            let claimed = there.map(|block| length(block.size)).sum();
            let len = artifact.data.len();
            let decoded = virtual_disk::read_disk(&mut decoder, len, (claimed, 0), nest);
            let child = Child::new(IMAGE, Payload::Paid(decoded.data.into()));
            nest.push_decoded(child, decoded.fault, "virtual disk")?;
        }
    }
    if disk.is_child {
        let what = "differences to another virtual disk".to_owned();
        return Err(Trouble::NoReader(what));
    }
    let opens = |kind: Kind| kind.family() == crate::model::Family::Disk;
    if let Some(child) = nest.children.last()
        && !opens(child.kind)
        && child.data.iter().any(|byte| *byte != 0)
    {
        return Err(Trouble::NoReader("content of the virtual disk".to_owned()));
    }
    Ok(())
}

pub(super) fn name(path: &Path) -> Name {
    match path {
        Path::Text(text) => Name::of(text.as_str()),
        Path::Raw(raw) => Name::from_raw(raw),
    }
}

/// Pushes each file once, and tells which files only some of the trees show.
pub(super) fn push_all(
    listing: Listing,
    artifact: &Artifact,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    for deviation in listing.deviations {
        nest.deviation(deviation.at, deviation.what);
    }
    for deviation in listing.unread {
        nest.unread(deviation.at, deviation.what);
    }
    let mut trees: Vec<&'static str> = Vec::new();
    let mut merged: Vec<(File, Vec<&'static str>)> = Vec::new();
    let mut places: BTreeMap<Vec<(usize, usize)>, usize> = BTreeMap::new();
    for file in listing.files {
        nest.tick()?;
        // What a later session left out is told; what it added is ordinary.
        if !trees.contains(&file.tree) && file.tree != iso9660::EARLIER {
            trees.push(file.tree);
        }
        let key = |range: &Range<usize>| (range.start, range.end);
        let key: Vec<(usize, usize)> = file.extents.iter().map(key).collect();
        let empty = key.iter().all(|(start, end)| start == end);
        let known = places.get(&key).and_then(|at| merged.get_mut(*at));
        match known
            .filter(|(one, seen)| !empty && (!seen.contains(&file.tree) || one.paths == file.paths))
        {
            Some((one, seen)) => {
                one.paths.extend(file.paths);
                seen.push(file.tree);
            }
            None => {
                places.insert(key, merged.len());
                let tree = file.tree;
                merged.push((file, vec![tree]));
            }
        }
    }
    let mut told = 0usize;
    let mut claimed = 0usize;
    for (file, seen) in merged {
        nest.tick()?;
        let size: usize = file.extents.iter().map(ExactSizeIterator::len).sum();
        claimed = claimed.saturating_add(size);
        if claimed > artifact.data.len().saturating_mul(OVERLAP) {
            return Err(Trouble::TooMuch(Halt::Ceiling("files share their data")));
        }
        let in_all = trees.iter().all(|tree| seen.contains(tree));
        let at = file.extents.first().map_or(0, |extent| extent.start);
        let label = file.paths.first().map(name).unwrap_or_default().text;
        if !in_all && told < TOLD {
            told = told.saturating_add(1);
            let what = format!("{label}: only in the tree of {}", seen.join(", "));
            nest.deviation(at, text::excerpt(&what));
        }
        push(&file, &label, artifact, nest)?;
    }
    if listing.full {
        return Err(Trouble::TooMuch(Halt::Ceiling("files of a disk image")));
    }
    Ok(())
}

fn push(file: &File, label: &str, artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let at = file.extents.first().map_or(0, |extent| extent.start);
    if file.missing > 0 {
        let what = format!("{label}: {} bytes are missing", file.missing);
        nest.unread(at, text::excerpt(&what));
    }
    let total: usize = file.extents.iter().map(ExactSizeIterator::len).sum();
    if total == 0 {
        return Ok(());
    }
    let child = match file.extents.as_slice() {
        [range] => Child::new(FILE, artifact.data.slice(range.clone())).at(range.clone()),
        extents => {
            nest.budget().spend(total)?;
            let mut data = Vec::with_capacity(total.min(artifact.data.len()));
            for range in extents {
                data.extend_from_slice(artifact.data.get(range.clone()).unwrap_or_default());
            }
            Child::new(FILE, Payload::Paid(data.into()))
        }
    };
    let names: Vec<Name> = file.paths.iter().map(name).collect();
    let raw = names
        .first()
        .map(|name| name.raw.clone())
        .unwrap_or_default();
    let readings = names.into_iter().flat_map(|name| name.readings).collect();
    nest.push(child.named(Name::from_readings(raw, distinct(readings))))?;
    Ok(())
}

/// Names without the 8.3 forms of the first one.
fn distinct(readings: Vec<String>) -> Vec<String> {
    let extension = |name: &str| -> String {
        let (_, extension) = name.rsplit_once('.').unwrap_or_default();
        extension.to_lowercase().chars().take(3).collect()
    };
    let first = readings
        .first()
        .map(|name| extension(name))
        .unwrap_or_default();
    let mut kept: Vec<String> = Vec::new();
    for (at, reading) in readings.into_iter().enumerate() {
        if at == 0 || extension(&reading) != first {
            kept.push(reading);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use super::*;
    use crate::formats::fat::tests::volume;
    use crate::formats::iso9660::tests::image;
    use crate::formats::partitions::tests::disk;
    use crate::formats::vhd::tests::{dynamic, fixed};
    use crate::model::Fact;

    #[test]
    fn a_file_of_several_trees_is_one_child_and_one_that_is_hidden_from_a_tree_is_told() {
        let data = image(("見積書.exe", b"MZ content"), Some(("HIDDEN.EXE;1", b"MZ")));
        let (children, facts) = opened("disk", &data);
        let names: Vec<&str> = children.iter().map(Artifact::label).collect();
        assert_eq!(names, ["見積書.exe", "HIDDEN.EXE"]);
        let told = |fact: &Fact| matches!(fact, Fact::Deviation { what, .. } if what.contains("HIDDEN.EXE: only in the tree of ISO 9660"));
        assert!(facts.iter().any(told), "{facts:?}");
    }

    #[test]
    fn a_file_that_a_later_session_left_out_is_a_child_and_told() {
        let mut data = image(("見積書.exe", b"MZ content"), None);
        let sector = |number: usize| number * 2048..(number + 1) * 2048;
        // The plain tree as an earlier session had it, and a root of its own for the later one, without the file.
        let at = data.len() / 2048;
        data.extend_from_within(sector(20));
        let number = u8::try_from(at).unwrap();
        let records = &mut data[at * 2048..];
        let folder = records.windows(4).position(|name| name == b"LOOP");
        records[folder.unwrap() - 33] = 0;
        for record in [0, 34] {
            records[record + 2] = number;
            records[record + 9] = number;
        }
        let (_, facts) = opened("disk", &data);
        let is_told = |facts: &[Fact]| {
            facts.iter().any(|fact| matches!(fact, Fact::Deviation { what, .. } if what.contains("見積書.exe: only in the tree of an earlier session")))
        };
        assert!(!is_told(&facts), "a session that shows no more: {facts:?}");
        let place = data[at * 2048..]
            .windows(2)
            .position(|pair| pair == [23, 0]);
        let place = at * 2048 + place.unwrap();
        data[place] = 22;
        data[place + 7] = 22;
        data[22 * 2048..][..10].copy_from_slice(b"MZ earlier");
        let (children, facts) = opened("disk", &data);
        assert!(
            children
                .iter()
                .any(|child| child.data.starts_with(b"MZ earlier"))
        );
        assert!(is_told(&facts), "{facts:?}");
    }

    #[test]
    fn a_disc_of_both_kinds_is_read_as_both() {
        let mut data = udf::tests::image("見積書.exe", b"MZ content");
        let (children, facts) = opened("disk", &data);
        assert_eq!(children[0].label(), "見積書.exe");
        assert_eq!(facts, []);
        let plain = image(("other.txt", b"another content"), None);
        // The descriptors of both stand one behind the other, the sectors of the trees behind them.
        data[20 * 2048..24 * 2048].copy_from_slice(&plain[20 * 2048..24 * 2048]);
        data.copy_within(16 * 2048..18 * 2048, 18 * 2048);
        data[16 * 2048..18 * 2048].copy_from_slice(&plain[16 * 2048..18 * 2048]);
        let (children, facts) = opened("disk", &data);
        let names: Vec<&str> = children.iter().map(Artifact::label).collect();
        assert_eq!(names, ["見積書.exe", "other.txt"]);
        let told = facts.iter().filter(|fact| {
            matches!(fact, Fact::Deviation { what, .. } if what.contains("only in the tree"))
        });
        assert_eq!(told.count(), 2);
    }

    fn ran(
        data: &[u8],
        kind: Kind,
        run: fn(&Artifact, &mut Nest<'_>) -> Result<(), Trouble>,
    ) -> (Vec<Artifact>, Vec<Fact>, Result<(), Trouble>) {
        let budget = super::super::zip::tests::budget();
        let artifact = super::super::zip::tests::artifact(data, kind);
        let mut seen = super::super::Seen::new();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        let ended = run(&artifact, &mut nest);
        (nest.children, nest.facts, ended)
    }

    #[test]
    fn disks_partitions_and_volumes_open_one_after_the_other() {
        let inside = disk(&volume("資料.exe", b"MZ and more"));
        let (children, _, ended) = ran(&fixed(&inside), Kind::Vhd, run_vhd);
        assert_eq!(ended, Ok(()));
        assert_eq!(children[0].kind, Kind::Img);
        let (parts, _, ended) = ran(&children[0].data, Kind::Img, run_img);
        assert_eq!(ended, Ok(()));
        let (files, facts, ended) = ran(&parts[0].data, Kind::Img, run_img);
        assert_eq!(ended, Ok(()));
        assert_eq!(files[0].label(), "FOLDER/資料.exe");
        assert_eq!(files[0].data.as_ref(), b"MZ and more");
        assert!(!facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })));
    }

    #[test]
    fn what_no_reader_knows_is_told() {
        let (_, _, ended) = ran(&dynamic(b"nothing that is known"), Kind::Vhd, run_vhd);
        assert!(matches!(ended, Err(Trouble::NoReader(_))), "{ended:?}");
        let (_, _, ended) = ran(b"\xeb\x76\x90EXFAT   ", Kind::Img, run_img);
        assert!(matches!(ended, Err(Trouble::NoReader(_))), "{ended:?}");
        let (_, facts, _) = ran(&disk(&[7; 2048]), Kind::Img, run_img);
        assert_eq!(facts, []);
    }

    #[test]
    fn of_differences_to_another_disk_what_is_there_is_read_and_the_rest_told() {
        let mut data = dynamic(b"second block");
        for footer in [0, data.len() - 512] {
            data[footer + 63] = 4;
        }
        let (children, _, ended) = ran(&data, Kind::Vhd, run_vhd);
        assert!(children[0].data[4096..].starts_with(b"second block"));
        assert!(
            matches!(&ended, Err(Trouble::NoReader(what)) if what.starts_with("differences")),
            "{ended:?}"
        );
    }

    #[test]
    fn a_cut_disk_is_unread() {
        let whole = dynamic(&[1; 4096]);
        let (_, facts, _) = ran(&whole[..whole.len() - 2000], Kind::Vhd, run_vhd);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
    }
}
