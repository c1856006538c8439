//! HFS+ and HFSX (Apple Technical Note TN1150) and HFS ("Inside Macintosh: Files"): the forks of every file.
//!
//! Leaves of the catalog are taken wherever they lie in it, so that no link between nodes is followed; what was
//! deleted and still stands in one comes along. Left out: times, rights, the journal, bad blocks.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::bytes::{be16_at, be32_at, be64_at, index, length, slice};
use crate::limits::{Budget, Halt};

use super::disk::{ENTRIES, File, Listing, PATH, Path, cut};

/// Where the header of a volume stands in it, in bytes.
pub const HEADER: usize = 1024;

/// Names of the trees.
const PLUS: &str = "HFS+";
const OLD: &str = "HFS";

/// Folders within folders.
const DEEPEST: usize = 64;

/// Bytes of a catalog, of extents or of attributes that are read.
const TREE: usize = 64 << 20;

/// Files whose catalog number is this one or higher are no part of the file system itself.
const FIRST_USER: u32 = 16;

/// Folder of the root.
const ROOT: u32 = 2;

/// What a volume holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Volume {
    /// The data forks.
    pub listing: Listing,
    /// Forks of resources, by the place of their file in the listing.
    pub resources: BTreeMap<usize, File>,
    /// Attributes that say how a file is compressed, by the place of its file in the listing.
    pub compressed: BTreeMap<usize, Vec<u8>>,
}

/// Whether a volume starts here.
pub fn is_volume(data: &[u8]) -> bool {
    Layout::read(data, 0).is_some()
}

/// Lists the files of the volume that starts at byte `base` of an image; none where there is no such volume. Fails
/// out of time only.
pub fn list(data: &[u8], base: usize, budget: &Budget) -> Result<Option<Volume>, Halt> {
    let Some(layout) = Layout::read(data, base) else {
        return Ok(None);
    };
    let mut reading = Reading {
        data,
        layout,
        overflow: BTreeMap::new(),
        volume: Volume::default(),
    };
    let extents = reading.layout.extents.clone();
    let extents = reading.tree(&extents, "extents");
    for record in records(&extents, budget)? {
        reading.overflow(record);
    }
    let catalog = reading.layout.catalog.clone();
    let catalog = reading.tree(&catalog, "catalog");
    let mut found = Catalog::default();
    for record in records(&catalog, budget)? {
        budget.tick()?;
        match reading.layout.is_plus {
            true => found.entry_plus(record),
            false => found.entry_old(record),
        }
        if found.files.len() >= ENTRIES {
            reading.volume.listing.full = true;
            break;
        }
    }
    let mut attributes = BTreeMap::new();
    if let Some(fork) = reading.layout.attributes.clone() {
        for record in records(&reading.tree(&fork, "attributes"), budget)? {
            budget.tick()?;
            if let Some((file, data)) = compression(record) {
                attributes.insert(file, data.to_vec());
            }
        }
    }
    reading.put_together(&found, attributes, budget)?;
    Ok(Some(reading.volume))
}

/// One fork: its size and the runs of blocks that its own record names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Fork {
    size: u64,
    runs: Vec<(u32, u32)>,
}

/// Where things lie in a volume.
struct Layout {
    is_plus: bool,
    /// Byte of block 0 in the image.
    start: usize,
    block: usize,
    extents: Fork,
    catalog: Fork,
    attributes: Option<Fork>,
}

impl Layout {
    fn read(data: &[u8], base: usize) -> Option<Self> {
        let at = base.checked_add(HEADER)?;
        let header = slice(data, at, 512)?;
        match header.first_chunk::<2>()? {
            b"H+" | b"HX" => {
                let block = index(be32_at(header, 40)?);
                (matches!(be16_at(header, 2)?, 4 | 5) && block.is_power_of_two() && block >= 512)
                    .then(|| Self {
                        is_plus: true,
                        start: base,
                        block,
                        extents: plus_fork(header, 192),
                        catalog: plus_fork(header, 272),
                        attributes: Some(plus_fork(header, 352)),
                    })
            }
            b"BD" => {
                let block = index(be32_at(header, 20)?);
                let start =
                    base.checked_add(usize::from(be16_at(header, 28)?).checked_mul(512)?)?;
                if block == 0 || !block.is_multiple_of(512) {
                    return None;
                }
                // A volume of the newer form, wrapped.
                if slice(header, 124, 2)? == b"H+" {
                    let first = usize::from(be16_at(header, 126)?).checked_mul(block)?;
                    return Self::read(data, start.checked_add(first)?).filter(|one| one.is_plus);
                }
                Some(Self {
                    is_plus: false,
                    start,
                    block,
                    extents: old_fork(header, 130, 134),
                    catalog: old_fork(header, 146, 150),
                    attributes: None,
                })
            }
            _ => None,
        }
    }
}

/// HFSPlusForkData.
fn plus_fork(data: &[u8], at: usize) -> Fork {
    Fork {
        size: be64_at(data, at).unwrap_or_default(),
        runs: plus_runs(data, at.saturating_add(16)),
    }
}

/// HFSPlusExtentRecord.
fn plus_runs(data: &[u8], at: usize) -> Vec<(u32, u32)> {
    let run = |number: usize| {
        let at = at.saturating_add(number.saturating_mul(8));
        Some((be32_at(data, at)?, be32_at(data, at.saturating_add(4))?))
    };
    (0..8)
        .map_while(run)
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// A size in one place, three runs in another.
fn old_fork(data: &[u8], size: usize, runs: usize) -> Fork {
    Fork {
        size: be32_at(data, size).unwrap_or_default().into(),
        runs: old_runs(data, runs),
    }
}

fn old_runs(data: &[u8], at: usize) -> Vec<(u32, u32)> {
    let run = |number: usize| {
        let at = at.saturating_add(number.saturating_mul(4));
        Some((
            be16_at(data, at)?.into(),
            be16_at(data, at.saturating_add(2))?.into(),
        ))
    };
    (0..3)
        .map_while(run)
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Key and data of every record of every leaf of a tree of nodes.
fn records<'t>(tree: &'t [u8], budget: &Budget) -> Result<Vec<&'t [u8]>, Halt> {
    let mut found = Vec::new();
    // The header record of node 0 says how long a node is.
    let size = be16_at(tree, 14 + 18).map_or(0, usize::from);
    if !(512..=32_768).contains(&size) || !size.is_power_of_two() {
        return Ok(found);
    }
    for node in tree.chunks_exact(size) {
        budget.tick()?;
        // Leaves have kind -1 and stand at height 1.
        if node.get(8..10) != Some(&[0xff, 1]) {
            continue;
        }
        let count = usize::from(be16_at(node, 10).unwrap_or_default()).min(size / 4);
        for number in 0..count {
            let at = |number: usize| {
                let place = size.checked_sub(number.checked_add(1)?.checked_mul(2)?)?;
                be16_at(node, place).map(usize::from)
            };
            let (start, end) = (at(number), at(number.saturating_add(1)));
            if let (Some(start), Some(end)) = (start, end)
                && let Some(record) = node.get(start..end)
            {
                found.push(record);
            }
        }
    }
    Ok(found)
}

/// A file of the catalog.
struct Entry {
    id: u32,
    folder: u32,
    name: Path,
    data: Fork,
    resource: Fork,
    /// The number of the file that it is another name of.
    link: Option<u32>,
}

#[derive(Default)]
struct Catalog {
    folders: BTreeMap<u32, (u32, Path)>,
    files: Vec<Entry>,
}

impl Catalog {
    /// A record of HFS+: key, then HFSPlusCatalogFolder or HFSPlusCatalogFile.
    fn entry_plus(&mut self, record: &[u8]) {
        let read = || -> Option<(u32, Path, &[u8])> {
            let len = usize::from(be16_at(record, 0)?);
            let characters = usize::from(be16_at(record, 6)?);
            let name = slice(record, 8, characters.checked_mul(2)?)?;
            let units = name.chunks_exact(2);
            let units: Vec<u16> = units.filter_map(|unit| be16_at(unit, 0)).collect();
            // Slashes of the Finder are stored as colons' counterpart.
            let name = String::from_utf16_lossy(&units).replace('/', ":");
            Some((
                be32_at(record, 2)?,
                Path::Text(name),
                record.get(len.checked_add(2)?..)?,
            ))
        };
        let Some((folder, name, data)) = read() else {
            return;
        };
        let id = be32_at(data, 8).unwrap_or_default();
        match be16_at(data, 0) {
            Some(1) => drop(self.folders.insert(id, (folder, name))),
            Some(2) => {
                let is_link = slice(data, 48, 8) == Some(b"hlnkhfs+");
                self.files.push(Entry {
                    id,
                    folder,
                    name,
                    data: plus_fork(data, 88),
                    resource: plus_fork(data, 168),
                    link: is_link.then(|| be32_at(data, 44)).flatten(),
                });
            }
            _ => {}
        }
    }

    /// A record of HFS.
    fn entry_old(&mut self, record: &[u8]) {
        let read = || -> Option<(u32, Path, &[u8])> {
            let len = usize::from(*record.first()?);
            let characters = usize::from(*record.get(6)?);
            let name = slice(record, 7, characters)?.to_vec();
            // Data stands at even places.
            let start = len.checked_add(1)?.checked_add(1)? & !1;
            Some((be32_at(record, 2)?, Path::Raw(name), record.get(start..)?))
        };
        let Some((folder, name, data)) = read() else {
            return;
        };
        match data.first() {
            Some(1) => {
                let id = be32_at(data, 6).unwrap_or_default();
                self.folders.insert(id, (folder, name));
            }
            Some(2) => self.files.push(Entry {
                id: be32_at(data, 20).unwrap_or_default(),
                folder,
                name,
                data: old_fork(data, 26, 74),
                resource: old_fork(data, 36, 86),
                link: None,
            }),
            _ => {}
        }
    }

    /// The path of an entry in a folder; paths that are known already are not built again.
    fn path(&self, folder: u32, name: &Path, known: &mut BTreeMap<u32, Path>) -> Path {
        if let Some(path) = known.get(&folder) {
            return path.join(name);
        }
        let mut chain = Vec::new();
        let (mut at, mut len) = (folder, 0usize);
        while at != ROOT
            && chain.len() < DEEPEST
            && len < PATH
            && let Some((parent, name)) = self.folders.get(&at)
        {
            len = len.saturating_add(match name {
                Path::Text(text) => text.len(),
                Path::Raw(raw) => raw.len(),
            });
            chain.push(name);
            at = *parent;
        }
        let start = match name {
            Path::Text(_) => Path::Text(String::new()),
            Path::Raw(_) => Path::Raw(Vec::new()),
        };
        let path = chain.iter().rev().fold(start, |path, name| path.join(name));
        let whole = path.join(name);
        known.insert(folder, path);
        whole
    }
}

/// Runs that did not fit into a file's own record, and their first block in the fork.
struct Overflow {
    first: u32,
    runs: Vec<(u32, u32)>,
}

struct Reading<'a> {
    data: &'a [u8],
    layout: Layout,
    /// Runs beyond those of a file's own record, by fork and file, each with its first block in the fork.
    overflow: BTreeMap<(u8, u32), Vec<Overflow>>,
    volume: Volume,
}

impl Reading<'_> {
    /// The bytes of a tree of nodes.
    fn tree(&mut self, fork: &Fork, what: &str) -> Vec<u8> {
        let file = self.file(fork, &[], Path::Text(String::new()));
        if file.missing > 0 {
            let at = file
                .extents
                .first()
                .map_or(self.layout.start, |range| range.start);
            self.volume
                .listing
                .miss(at, format!("{what}: {} bytes are missing", file.missing));
        }
        let mut bytes = Vec::new();
        for range in file.extents {
            let room = TREE.saturating_sub(bytes.len());
            let part = self.data.get(range).unwrap_or_default();
            if part.len() > room {
                self.volume
                    .listing
                    .miss(0, format!("{what}: longer than {TREE} bytes"));
            }
            bytes.extend_from_slice(part.get(..room).unwrap_or(part));
        }
        bytes
    }

    /// A record of the extents that did not fit into the catalog.
    fn overflow(&mut self, record: &[u8]) {
        let read = || match self.layout.is_plus {
            true => Some((
                (*record.get(2)?, be32_at(record, 4)?),
                be32_at(record, 8)?,
                plus_runs(record, 12),
            )),
            false => Some((
                (*record.get(1)?, be32_at(record, 2)?),
                u32::from(be16_at(record, 6)?),
                old_runs(record, 8),
            )),
        };
        if let Some((key, first, runs)) = read() {
            let overflow = Overflow { first, runs };
            self.overflow.entry(key).or_default().push(overflow);
        }
    }

    /// Where the bytes of a fork lie.
    fn file(&self, fork: &Fork, more: &[(u32, u32)], path: Path) -> File {
        let mut left = fork.size;
        let mut missing = 0u64;
        let mut extents: Vec<Range<usize>> = Vec::new();
        for (first, count) in fork.runs.iter().chain(more) {
            if left == 0 {
                break;
            }
            let block = length(self.layout.block);
            let start = u64::from(*first)
                .saturating_mul(block)
                .saturating_add(length(self.layout.start));
            let size = u64::from(*count).saturating_mul(block).min(left);
            left = left.saturating_sub(size);
            let (range, short) = cut(start, size, self.data.len());
            missing = missing.saturating_add(short);
            match extents.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ if range.is_empty() => {}
                _ => extents.push(range),
            }
        }
        File {
            paths: vec![path],
            extents,
            missing: missing.saturating_add(left),
            tree: if self.layout.is_plus { PLUS } else { OLD },
        }
    }

    fn more(&mut self, kind: u8, id: u32) -> Vec<(u32, u32)> {
        let mut runs = self.overflow.remove(&(kind, id)).unwrap_or_default();
        runs.sort_by_key(|one| one.first);
        runs.into_iter().flat_map(|one| one.runs).collect()
    }

    fn put_together(
        &mut self,
        catalog: &Catalog,
        mut attributes: BTreeMap<u32, Vec<u8>>,
        budget: &Budget,
    ) -> Result<(), Halt> {
        let mut known = BTreeMap::new();
        let mut links: BTreeMap<String, Vec<Path>> = BTreeMap::new();
        for entry in &catalog.files {
            budget.tick()?;
            if let Some(link) = entry.link {
                let path = catalog.path(entry.folder, &entry.name, &mut known);
                links.entry(format!("iNode{link}")).or_default().push(path);
            }
        }
        for entry in &catalog.files {
            budget.tick()?;
            if entry.id < FIRST_USER {
                continue;
            }
            let path = catalog.path(entry.folder, &entry.name, &mut known);
            let place = self.volume.listing.files.len();
            let more = self.more(0, entry.id);
            let mut file = self.file(&entry.data, &more, path.clone());
            // The names that lead to it count, not the number under which it is kept.
            if let Path::Text(name) = &entry.name
                && let Some(names) = links.remove(name)
            {
                file.paths = names;
            }
            let more = self.more(0xff, entry.id);
            if entry.resource.size > 0 {
                let resource = self.file(&entry.resource, &more, path);
                self.volume.resources.insert(place, resource);
            }
            // Once, since no two files have one number.
            if let Some(data) = attributes.remove(&entry.id) {
                self.volume.compressed.insert(place, data);
            }
            self.volume.listing.files.push(file);
        }
        Ok(())
    }
}

/// File and value of an attribute that says how a file is compressed.
fn compression(record: &[u8]) -> Option<(u32, &[u8])> {
    const NAME: &[u8] = b"\0c\0o\0m\0.\0a\0p\0p\0l\0e\0.\0d\0e\0c\0m\0p\0f\0s";
    let len = usize::from(be16_at(record, 0)?);
    let characters = usize::from(be16_at(record, 12)?);
    if slice(record, 14, characters.checked_mul(2)?)? != NAME {
        return None;
    }
    let data = record.get(len.checked_add(2)?..)?;
    // Kept in the record itself.
    let size = index(be32_at(data, 12)?);
    (be32_at(data, 0)? == 0x10).then_some(())?;
    Some((be32_at(record, 4)?, slice(data, 16, size)?))
}
