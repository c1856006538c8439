//! Virtual disks with a map of their own: VMDK, QCOW and QED, VDI, Parallels. Each is put together to the disk that a
//! guest sees.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::rc::Rc;

use bytes::Bytes;

use crate::bytes::length;
use crate::formats::grains::{Grain, Grains, Map, Packing};
use crate::formats::vmdk::Extent;
use crate::formats::{qcow, vdi, vmdk};
use crate::limits::{Decoded, Fault, Halt};
use crate::model::{Artifact, Family, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

const IMAGE: &str = "disk-image";

/// How the text starts that names the extents of a disk.
const DESCRIPTION: &[u8] = b"# Disk DescriptorFile";

/// Opens VMDK: an extent with a map, or the text that names extents.
pub(super) fn run_vmdk(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if artifact.data.starts_with(DESCRIPTION) {
        return described(artifact, nest);
    }
    if is_opened_elsewhere(artifact, nest)? {
        return Ok(());
    }
    let map = vmdk::read(&artifact.data)?;
    push(&[(artifact.data.clone(), map)], nest)
}

/// Opens QCOW and QED.
pub(super) fn run_qcow(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let map = qcow::read(&artifact.data)?;
    push(&[(artifact.data.clone(), map)], nest)
}

/// Opens the disks of VirtualBox and of Parallels.
pub(super) fn run_vdi(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let map = vdi::read(&artifact.data)?;
    push(&[(artifact.data.clone(), map)], nest)
}

/// Extents one behind the other.
struct Joined<'a>(Vec<Grains<'a>>, usize);

impl Read for Joined<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while let Some(extent) = self.0.get_mut(self.1) {
            let len = extent.read(out)?;
            if len > 0 || out.is_empty() {
                return Ok(len);
            }
            self.1 = self.1.saturating_add(1);
        }
        Ok(0)
    }
}

/// How many times the length of its file the blocks of a disk may claim that lie in it as they are: above it they share
/// bytes, as only bombs do.
const OVERLAP: u64 = 4;

/// Reads a disk whose blocks claim so many bytes of the file, and that claims to be so large: of one whose blocks share
/// bytes only a part.
pub(super) fn read_disk(
    disk: &mut dyn Read,
    source_len: usize,
    (claimed, size): (u64, u64),
    nest: &mut Nest<'_>,
) -> Decoded {
    let most = length(source_len).saturating_mul(OVERLAP);
    if claimed <= most {
        return nest.read(disk, source_len, size);
    }
    let mut decoded = nest.read(&mut disk.take(most), source_len, most);
    let shared = Fault::Halt(Halt::Ceiling("blocks of a disk share their data"));
    decoded.fault.get_or_insert(shared);
    decoded
}

/// Pushes the disk that the extents make.
fn push(extents: &[(Bytes, Map)], nest: &mut Nest<'_>) -> Result<(), Trouble> {
    for cut in extents.iter().flat_map(|(_, map)| &map.unread) {
        nest.unread(cut.at, cut.what.clone());
    }
    let readers = extents.iter();
    let mut joined = Joined(
        readers
            .map(|(data, map)| Grains::new(data, &map.grains))
            .collect(),
        0,
    );
    let source_len = extents.iter().map(|(data, _)| data.len()).sum();
    let grains = extents.iter().flat_map(|(_, map)| &map.grains);
    let stored = grains.filter(|grain| grain.at.is_some() && grain.packing == Packing::Stored);
    let claimed = stored.map(|grain| length(grain.size)).sum();
    let decoded = read_disk(&mut joined, source_len, (claimed, 0), nest);
    if let Some(at) = joined.0.iter().find_map(|extent| extent.broken) {
        nest.unread(at, format!("grain at {at}: it can't be decoded"));
    }
    let is_blank = decoded.data.iter().all(|byte| *byte == 0);
    let child = Child::new(IMAGE, Payload::Paid(decoded.data.into()));
    nest.push_decoded(child, decoded.fault, "virtual disk")?;
    // What else is told of it may be all that is known: the disk it builds on, a key.
    if let Some(what) = extents.iter().find_map(|(_, map)| map.other.clone()) {
        return Err(match what.starts_with("encrypted") {
            true => Trouble::Locked(what),
            false => Trouble::NoReader(what),
        });
    }
    let is_known = nest
        .children
        .last()
        .is_some_and(|child| child.kind.family() == Family::Disk);
    match is_known || is_blank {
        true => Ok(()),
        false => Err(Trouble::NoReader("content of the virtual disk".to_owned())),
    }
}

fn is_named(name: &Name, file: &str) -> bool {
    name.files().any(|one| one.eq_ignore_ascii_case(file))
}

/// What lies beside the artifact under the names of extents, by the name in lower case: one pass over what lies there,
/// however many names are asked for.
fn files_of(extents: &[Extent], nest: &Nest<'_>) -> Result<BTreeMap<String, Bytes>, Trouble> {
    let wanted = extents.iter().map(|one| one.file.to_ascii_lowercase());
    let wanted: BTreeSet<String> = wanted.filter(|file| !file.is_empty()).collect();
    let mut found = BTreeMap::new();
    for (name, data) in nest.beside() {
        nest.tick()?;
        for file in name.files().map(str::to_ascii_lowercase) {
            if wanted.contains(&file) {
                found.entry(file).or_insert_with(|| data.clone());
            }
        }
        if found.len() == wanted.len() {
            break;
        }
    }
    Ok(found)
}

/// Puts a disk together from the files beside its description.
fn described(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let extents = vmdk::extents(&artifact.data);
    let files = files_of(&extents, nest)?;
    let mut found: Vec<(Bytes, Map)> = Vec::new();
    for extent in &extents {
        nest.tick()?;
        let mut map = Map::default();
        if extent.file.is_empty() {
            map.grains.push(Grain::zeros(extent.size));
            found.push((Bytes::new(), map));
            continue;
        }
        let Some(data) = files.get(&extent.file.to_ascii_lowercase()).cloned() else {
            let what = format!("virtual disk that lies in {}", extent.file);
            return Err(Trouble::NoReader(text::excerpt(&what)));
        };
        let map = match extent.flat {
            Some(first) => {
                let there = data.len().saturating_sub(first).min(extent.size);
                map.grains.push(Grain::stored(first, there));
                map
            }
            None => vmdk::read(&data).map(|map| padded(map, extent.size))?,
        };
        found.push((data, map));
    }
    if vmdk::is_child(&artifact.data) {
        let what = "differences to another virtual disk".to_owned();
        if let Some((_, map)) = found.first_mut() {
            map.other = Some(what);
        }
    }
    match found.is_empty() {
        true => Err(Trouble::NoReader(
            "virtual disk without an extent".to_owned(),
        )),
        false => push(&found, nest),
    }
}

/// The map of an extent with the zeros that others need in front of them.
fn padded(mut map: Map, size: usize) -> Map {
    let there: usize = map.grains.iter().map(|grain| grain.size).sum();
    if there < size {
        map.grains.push(Grain::zeros(size.saturating_sub(there)));
    }
    map
}

/// Whether a description beside it names the extent and all its fellows.
fn is_opened_elsewhere(artifact: &Artifact, nest: &Nest<'_>) -> Result<bool, Trouble> {
    let Some(own) = artifact.name.as_ref() else {
        return Ok(false);
    };
    nest.asked.set(true);
    let opened = match (artifact.parent, nest.sets()) {
        (Some(parent), Some(sets)) => sets.described(parent, || opened_by_others(own, nest))?,
        _ => Rc::new(opened_by_others(own, nest)?),
    };
    Ok(own
        .files()
        .any(|file| opened.contains(&file.to_ascii_lowercase())))
}

/// The extents of the descriptions that lie beside an extent, of those whose extents are all there.
fn opened_by_others(own: &Name, nest: &Nest<'_>) -> Result<BTreeSet<String>, Trouble> {
    /// Descriptions that are read.
    const DESCRIPTIONS: usize = 4;
    let mut descriptions = Vec::new();
    for (_, data) in nest.beside() {
        nest.tick()?;
        if data.starts_with(DESCRIPTION) {
            descriptions.push(data);
        }
        if descriptions.len() == DESCRIPTIONS {
            break;
        }
    }
    let mut opened = BTreeSet::new();
    for data in descriptions {
        let extents = vmdk::extents(data);
        let files = files_of(&extents, nest)?;
        let is_there = |file: &str| {
            file.is_empty() || is_named(own, file) || files.contains_key(&file.to_ascii_lowercase())
        };
        if extents.iter().all(|one| is_there(&one.file)) {
            opened.extend(extents.iter().map(|one| one.file.to_ascii_lowercase()));
        }
    }
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use super::super::{Keys, Passwords, Sets};
    use super::*;
    use crate::formats::fat::tests::volume;
    use crate::model::{Fact, Kind};

    #[test]
    fn the_disk_comes_out_and_what_no_reader_knows_is_told() {
        let volume = volume("資料.exe", b"MZ and more");
        // Grains of one sector: only the last is kept here.
        let tail = &volume[volume.len() - 512..];
        for (data, run) in [
            (
                vmdk::tests::sparse(tail),
                run_vmdk as fn(&Artifact, &mut Nest<'_>) -> Result<(), Trouble>,
            ),
            (vmdk::tests::stream(b"x"), run_vmdk),
            (qcow::tests::disk(b"x", b"y"), run_qcow),
            (vdi::tests::disk(b"x"), run_vdi),
        ] {
            let budget = super::super::zip::tests::budget();
            let artifact = super::super::zip::tests::artifact(&data, Kind::Vmdk);
            let mut seen = super::super::Seen::new();
            let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
            let ended = run(&artifact, &mut nest);
            assert_eq!(nest.children.len(), 1);
            let blank = nest.children[0].data.iter().all(|byte| *byte == 0);
            assert_eq!(ended.is_ok(), blank, "{ended:?}");
        }
    }

    /// The steps that the extents of disks take, which lie beside so many other ones and their descriptions.
    fn steps(count: u32) -> u32 {
        let mut text = DESCRIPTION.to_vec();
        for number in 0..255 {
            text.extend(format!("\nRW 128 SPARSE \"disk-s{number:05}.vmdk\"").bytes());
        }
        let child = |id: u32| Artifact {
            id,
            parent: (id > 0).then_some(0),
            depth: 1,
            name: Some(Name::of(format!("disk-s{id:05}.vmdk"))),
            ..Artifact::alone(Kind::Vmdk, Bytes::from_static(b"KDMV"))
        };
        let mut tree: Vec<Artifact> = (0..count).map(child).collect();
        for one in tree.iter_mut().skip(1).take(4) {
            one.data = text.clone().into();
        }
        let (given, sets) = (Passwords::default(), Sets::default());
        let budget = super::super::zip::tests::budget();
        let mut seen = super::super::Seen::new();
        for artifact in &tree[5..] {
            let keys = Keys::new(&tree, artifact, &given).with_sets(&sets);
            let mut nest = Nest::new(&budget, &mut seen, artifact, 1).with_keys(keys);
            drop(run_vmdk(artifact, &mut nest));
        }
        budget.steps()
    }

    #[test]
    fn many_extents_beside_their_descriptions_take_time_by_their_number() {
        let (few, many) = (steps(800), steps(8000));
        assert!(many <= few * 11, "{few}, {many}");
    }

    #[test]
    fn a_file_system_behind_a_map_is_an_image() {
        let volume = volume("資料.exe", b"MZ and more");
        let mut head = b"WithoutFreeSpace".to_vec();
        let sectors = u32::try_from(volume.len().div_ceil(512)).unwrap();
        for number in [2, 1, 1, sectors, 1, sectors, 0] {
            head.extend(number.to_le_bytes());
        }
        head.resize(64, 0);
        head.extend(1u32.to_le_bytes());
        head.resize(512, 0);
        head.extend(&volume);
        head.resize(512 + usize::try_from(sectors).unwrap() * 512, 0);
        let (children, facts) = opened("virtual_disk", &head);
        assert_eq!(children[0].kind, Kind::Img);
        assert_eq!(facts, []);
        let cut = &head[..head.len() - 600];
        let (_, facts) = opened("virtual_disk", cut);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
    }
}
