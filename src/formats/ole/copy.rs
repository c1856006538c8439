//! A storage as a compound file of its own ([MS-CFB]), as a program keeps a document or a message in another one.

use std::collections::{BTreeMap, BTreeSet};

use crate::bytes::length;
use crate::limits::Halt;

use super::header::{MINI_CUTOFF, SIGNATURE};
use super::{ObjectType, Ole};

/// Marks in the FAT (2.1).
const END: u32 = 0xffff_fffe;
const FREE: u32 = 0xffff_ffff;
const FAT: u32 = 0xffff_fffd;
const DIFAT: u32 = 0xffff_fffc;

/// FAT sectors that the header has room for; DIFAT sectors list the others.
const LISTED: usize = 109;

/// Bytes of a sector: the larger ones of version 4 are not for every reader.
const SECTOR: usize = 512;

/// FAT entries in a sector, and FAT sectors that a DIFAT sector lists: its last number leads to the next (2.5).
const PER_SECTOR: usize = SECTOR / 4;
const PER_DIFAT: usize = PER_SECTOR - 1;

/// Sectors at the most: version 3 ends at 2 GiB (2.6.3).
const SECTORS: usize = (2 << 30) / SECTOR;

/// Size of a mini sector and of a directory entry.
const MINI: usize = 64;
const ENTRY: usize = 128;

/// UTF-16 units of a name.
const NAME: usize = 31;

/// What is other in a copy.
#[derive(Default)]
pub struct Changes<'g> {
    /// Entries that are left out, with all below them.
    pub left_out: BTreeSet<usize>,
    /// Other bytes of streams.
    pub replaced: BTreeMap<usize, Vec<u8>>,
    /// Streams that storages get, with their names.
    pub added: BTreeMap<usize, Vec<(String, Vec<u8>)>>,
    /// Files whose roots take the places of storages.
    pub grafted: BTreeMap<usize, Ole<'g>>,
    /// Whether the file is no longer of a class.
    pub without_class: bool,
    /// Storages that are no longer of a class.
    pub classless: BTreeSet<usize>,
}

/// An entry of the copy.
struct Node {
    name: String,
    object_type: u8,
    clsid: [u8; 16],
    left: u32,
    right: u32,
    child: u32,
    start: u32,
    size: u64,
}

impl Ole<'_> {
    /// Positions of the entries in each storage, in the order of the directory.
    pub fn by_storage(&self) -> BTreeMap<Option<usize>, Vec<usize>> {
        let mut map: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (position, entry) in self.directory.entries.iter().enumerate() {
            if Some(position) != self.directory.root {
                map.entry(entry.parent).or_default().push(position);
            }
        }
        map
    }

    /// The storage at a position with all below it as a compound file of its own; streams keep their bytes.
    ///
    /// Fails as [`Ole::stream`] does, and where the copy would be larger than its header can tell.
    pub fn storage_file(
        &mut self,
        storage: usize,
        inside: &BTreeMap<Option<usize>, Vec<usize>>,
    ) -> Result<Vec<u8>, Halt> {
        self.file_with(storage, inside, &mut Changes::default())
    }

    /// The whole file again with what changes; what no storage leads to is left out.
    ///
    /// Fails as [`Ole::storage_file`] does.
    pub fn changed(&mut self, changes: &mut Changes<'_>) -> Result<Vec<u8>, Halt> {
        let mut inside = self.by_storage();
        for positions in inside.values_mut() {
            positions.retain(|position| !changes.left_out.contains(position));
        }
        let root = self.directory.root.unwrap_or_default();
        self.file_with(root, &inside, changes)
    }

    fn file_with(
        &mut self,
        storage: usize,
        inside: &BTreeMap<Option<usize>, Vec<usize>>,
        changes: &mut Changes<'_>,
    ) -> Result<Vec<u8>, Halt> {
        let (mut nodes, streams) = self.nodes(storage, inside, changes)?;
        let mut sheet = Sheet::default();
        let mut mini = Vec::new();
        let mut mini_fat: Vec<u32> = Vec::new();
        for (node, data) in &streams {
            let start = if length(data.len()) < MINI_CUTOFF {
                let first = count(mini_fat.len());
                chain(&mut mini_fat, data.len().div_ceil(MINI));
                mini.extend_from_slice(data);
                mini.resize(mini.len().next_multiple_of(MINI), 0);
                first
            } else {
                sheet.put(data)
            };
            if let Some(node) = nodes.get_mut(*node) {
                node.start = start;
                node.size = length(data.len());
            }
        }
        if let Some(root) = nodes.first_mut() {
            root.size = length(mini.len());
            root.start = sheet.put(&mini);
        }
        let mini_sectors = count(mini_fat.len().div_ceil(PER_SECTOR));
        // What is left of its last sector is free.
        mini_fat.resize(mini_fat.len().next_multiple_of(PER_SECTOR), FREE);
        let mini_start = sheet.put(&numbers(&mini_fat));
        let directory = sheet.put(&directory(&nodes));
        let (fat_sectors, difat_sectors) = sheet.close();
        if sheet.fat.len() > SECTORS {
            return Err(Halt::Ceiling("storage of a compound file"));
        }
        let mut out = header(&fat_sectors, directory, mini_start, mini_sectors);
        put_u32(&mut out, 68, difat_sectors.first().copied().unwrap_or(END));
        put_u32(&mut out, 72, count(difat_sectors.len()));
        out.extend_from_slice(&sheet.data);
        Ok(out)
    }

    /// The entries of the copy, the root first, and the bytes of its streams.
    #[allow(
        clippy::type_complexity,
        reason = "a pair of lists that are taken apart at once"
    )]
    fn nodes(
        &mut self,
        storage: usize,
        inside: &BTreeMap<Option<usize>, Vec<usize>>,
        changes: &mut Changes<'_>,
    ) -> Result<(Vec<Node>, Vec<(usize, Vec<u8>)>), Halt> {
        let entry = self.directory.entries.get(storage);
        let clsid = entry.filter(|_| !changes.without_class);
        let clsid = clsid.map(|entry| entry.clsid);
        let mut nodes = vec![node("Root Entry", 5, clsid.unwrap_or_default())];
        let mut streams = Vec::new();
        let mut waiting = vec![(storage, 0usize)];
        let mut seen = BTreeSet::from([storage]);
        // Ends because a position is entered once.
        while let Some((from, to)) = waiting.pop() {
            let mut children = Vec::new();
            for &position in inside.get(&Some(from)).into_iter().flatten() {
                if !seen.insert(position) {
                    continue;
                }
                let Some(entry) = self.directory.entries.get(position) else {
                    continue;
                };
                let own = nodes.len();
                let is_stream = entry.object_type == ObjectType::Stream;
                let class = match changes.classless.contains(&position) {
                    true => [0; 16],
                    false => entry.clsid,
                };
                let object_type = if is_stream { 2 } else { 1 };
                nodes.push(node(&entry.name, object_type, class));
                children.push(own);
                if is_stream {
                    let data = match changes.replaced.remove(&position) {
                        Some(data) => data,
                        None => self.stream(position)?.data.into_owned(),
                    };
                    streams.push((own, data));
                } else if let Some(mut other) = changes.grafted.remove(&position) {
                    graft(&mut other, own, &mut nodes, &mut streams)?;
                } else {
                    waiting.push((position, own));
                }
            }
            for (name, data) in changes.added.remove(&from).into_iter().flatten() {
                children.push(nodes.len());
                streams.push((nodes.len(), data));
                nodes.push(node(&name, 2, [0; 16]));
            }
            let child = tree(&mut nodes, &mut children);
            if let Some(parent) = nodes.get_mut(to) {
                parent.child = child;
            }
        }
        Ok((nodes, streams))
    }
}

/// Adds all that is below the root of another file to a node of this one.
fn graft(
    other: &mut Ole<'_>,
    to: usize,
    nodes: &mut Vec<Node>,
    streams: &mut Vec<(usize, Vec<u8>)>,
) -> Result<(), Halt> {
    let inside = other.by_storage();
    let root = other.directory.root.unwrap_or_default();
    let (more, own) = other.nodes(root, &inside, &mut Changes::default())?;
    // Its root is the node itself, so what follows moves up by one.
    let by = nodes.len().saturating_sub(1);
    let moved = |link: u32| match link {
        FREE => FREE,
        link => link.saturating_add(count(by)),
    };
    for (at, one) in more.into_iter().enumerate() {
        if at == 0 {
            if let Some(node) = nodes.get_mut(to) {
                node.clsid = one.clsid;
                node.child = moved(one.child);
            }
            continue;
        }
        nodes.push(Node {
            left: moved(one.left),
            right: moved(one.right),
            child: moved(one.child),
            ..one
        });
    }
    streams.extend(
        own.into_iter()
            .map(|(at, data)| (at.saturating_add(by), data)),
    );
    Ok(())
}

fn node(name: &str, object_type: u8, clsid: [u8; 16]) -> Node {
    Node {
        name: name.to_owned(),
        object_type,
        clsid,
        left: FREE,
        right: FREE,
        child: FREE,
        start: if object_type == 1 { 0 } else { END },
        size: 0,
    }
}

/// Links siblings as a balanced tree in their order (2.6.4) and gives its top.
fn tree(nodes: &mut [Node], children: &mut [usize]) -> u32 {
    let key = |at: &usize| {
        let name = nodes.get(*at).map_or("", |node| node.name.as_str());
        (name.encode_utf16().count(), name.to_uppercase())
    };
    children.sort_by_cached_key(key);
    let middle = |range: &std::ops::Range<usize>| range.start.midpoint(range.end);
    let top = |range: &std::ops::Range<usize>| match children.get(middle(range)) {
        Some(at) if !range.is_empty() => count(*at),
        _ => FREE,
    };
    let all = 0..children.len();
    let mut waiting = Vec::from([all]);
    // Ends because each range is cut in two without its middle.
    while let Some(range) = waiting.pop() {
        if range.is_empty() {
            continue;
        }
        let at = middle(&range);
        let (left, right) = (range.start..at, at.saturating_add(1)..range.end);
        if let Some(node) = children.get(at).and_then(|at| nodes.get_mut(*at)) {
            (node.left, node.right) = (top(&left), top(&right));
        }
        waiting.extend([left, right]);
    }
    top(&(0..children.len()))
}

/// The sectors behind the header, and what their FAT says.
#[derive(Default)]
struct Sheet {
    data: Vec<u8>,
    fat: Vec<u32>,
}

impl Sheet {
    /// Adds a chain of sectors with these bytes and gives its first; none for no bytes.
    fn put(&mut self, data: &[u8]) -> u32 {
        if data.is_empty() {
            return END;
        }
        let first = count(self.fat.len());
        chain(&mut self.fat, data.len().div_ceil(SECTOR));
        self.data.extend_from_slice(data);
        self.data
            .resize(self.data.len().next_multiple_of(SECTOR), 0);
        first
    }

    /// Adds the FAT itself and what lists its sectors, and gives the sectors of both.
    fn close(&mut self) -> (Vec<u32>, Vec<u32>) {
        let (mut own, mut lists) = (0, 0);
        // Each sector of both needs an entry too. Ends because both only grow, and by ever less.
        loop {
            let all = self.fat.len().saturating_add(own).saturating_add(lists);
            let needed = all.div_ceil(PER_SECTOR);
            if needed == own {
                break;
            }
            own = needed;
            lists = own.saturating_sub(LISTED).div_ceil(PER_DIFAT);
        }
        let first = self.fat.len();
        self.fat.extend(std::iter::repeat_n(FAT, own));
        let second = self.fat.len();
        self.fat.extend(std::iter::repeat_n(DIFAT, lists));
        let sectors: Vec<u32> = (first..second).map(count).collect();
        let lists: Vec<u32> = (second..self.fat.len()).map(count).collect();
        let mut fat = self.fat.clone();
        fat.resize(own.saturating_mul(PER_SECTOR), FREE);
        self.data.extend(numbers(&fat));
        let listed = sectors.get(LISTED..).unwrap_or_default();
        for (at, listed) in listed.chunks(PER_DIFAT).enumerate() {
            let mut list = listed.to_vec();
            list.resize(PER_DIFAT, FREE);
            let next = lists.get(at.saturating_add(1));
            list.push(next.copied().unwrap_or(END));
            self.data.extend(numbers(&list));
        }
        (sectors, lists)
    }
}

/// Adds a chain of `len` sectors in a row to a table.
fn chain(table: &mut Vec<u32>, len: usize) {
    for left in (0..len).rev() {
        let next = count(table.len().saturating_add(1));
        table.push(if left == 0 { END } else { next });
    }
}

fn numbers(table: &[u32]) -> Vec<u8> {
    table
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

fn directory(nodes: &[Node]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nodes.len().saturating_mul(ENTRY));
    for node in nodes {
        let mut name: Vec<u8> = node
            .name
            .encode_utf16()
            .take(NAME)
            .flat_map(u16::to_le_bytes)
            .collect();
        let len = u16::try_from(name.len().saturating_add(2)).unwrap_or(2);
        name.resize(64, 0);
        out.extend(name);
        out.extend(len.to_le_bytes());
        // Black throughout, which every reader takes.
        out.extend([node.object_type, 1]);
        for number in [node.left, node.right, node.child] {
            out.extend(number.to_le_bytes());
        }
        out.extend(node.clsid);
        out.extend([0; 20]);
        out.extend(node.start.to_le_bytes());
        out.extend(node.size.to_le_bytes());
    }
    out
}

fn header(fat_sectors: &[u32], directory: u32, mini_start: u32, mini_sectors: u32) -> Vec<u8> {
    let mut out = vec![0; SECTOR];
    put(&mut out, 0, &SIGNATURE);
    put(&mut out, 24, &[0x3e, 0, 3, 0, 0xfe, 0xff, 9, 0, 6, 0]);
    put_u32(&mut out, 44, count(fat_sectors.len()));
    put_u32(&mut out, 48, directory);
    put_u32(&mut out, 56, 4096);
    put_u32(&mut out, 60, mini_start);
    put_u32(&mut out, 64, mini_sectors);
    let listed = fat_sectors.iter().copied().chain(std::iter::repeat(FREE));
    for (slot, sector) in listed.take(LISTED).enumerate() {
        put_u32(&mut out, slot.saturating_mul(4).saturating_add(76), sector);
    }
    out
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(slot) = out.get_mut(at..at.saturating_add(bytes.len())) {
        slot.copy_from_slice(bytes);
    }
}

fn put_u32(out: &mut [u8], at: usize, number: u32) {
    put(out, at, &number.to_le_bytes());
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(FREE)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;
    use crate::limits::{Budget, Limits};

    fn file(large: usize) -> Vec<u8> {
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        file.create_storage_all("/a/b/c").unwrap();
        for number in 0..40u8 {
            let path = format!("/a/b/stream {number}");
            let data = vec![number; usize::from(number) * 300];
            file.create_stream(path).unwrap().write_all(&data).unwrap();
        }
        let mut stream = file.create_stream("/a/b/c/大きい").unwrap();
        stream.write_all(&vec![7; large]).unwrap();
        drop(stream);
        file.flush().unwrap();
        file.into_inner().into_inner()
    }

    fn copy(data: &[u8], name: &str) -> Vec<u8> {
        let budget = Budget::new(Limits::default(), None);
        let mut ole = Ole::open(data, &budget).unwrap();
        let inside = ole.by_storage();
        let named = |entry: &crate::formats::ole::Entry| entry.name == name;
        let position = ole.entries().iter().position(named).unwrap();
        ole.storage_file(position, &inside).unwrap()
    }

    #[test]
    fn an_independent_reader_finds_the_same_streams_in_the_copy() {
        // The header lists the FAT of 7 MB; of the last, a second DIFAT sector lists the end.
        for large in [
            5,
            10_000,
            6_800_000,
            7_000_000,
            7_100_000,
            9 << 20,
            17 << 20,
        ] {
            let copied = copy(&file(large), "b");
            assert_eq!(&copied[26..32], [3, 0, 0xfe, 0xff, 9, 0]);
            let budget = Budget::new(Limits::default(), None);
            let own = Ole::open(&copied, &budget).unwrap();
            assert!(own.deviations().is_empty(), "{large}");
            let mut read = cfb::CompoundFile::open_strict(Cursor::new(copied)).unwrap();
            for number in 0..40u8 {
                let mut data = Vec::new();
                let mut stream = read.open_stream(format!("/stream {number}")).unwrap();
                std::io::copy(&mut stream, &mut data).unwrap();
                assert_eq!(data, vec![number; usize::from(number) * 300]);
            }
            let mut data = Vec::new();
            let mut stream = read.open_stream("/c/大きい").unwrap();
            std::io::copy(&mut stream, &mut data).unwrap();
            assert_eq!(data, vec![7; large]);
        }
    }

    #[test]
    fn an_empty_storage_is_an_empty_file() {
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        file.create_storage("/only").unwrap();
        file.flush().unwrap();
        let copied = copy(&file.into_inner().into_inner(), "only");
        let read = cfb::CompoundFile::open_strict(Cursor::new(copied)).unwrap();
        assert_eq!(read.walk().count(), 1);
    }

    #[test]
    fn shared_sectors_do_not_multiply_in_the_copy() {
        let data = file(2 << 20);
        let mut lying = data.clone();
        // Every large entry points to the same chain with the largest size.
        let mut marks = 0;
        for at in (0..lying.len() - 128).step_by(128) {
            if lying[at + 66] == 2 && lying[at + 67] < 2 && lying[at + 64] > 4 {
                lying[at + 120..at + 124].copy_from_slice(&(2u32 << 20).to_le_bytes());
                marks += 1;
            }
        }
        assert!(marks > 30);
        let budget = Budget::new(Limits::default(), None);
        let mut ole = Ole::open(&lying, &budget).unwrap();
        let inside = ole.by_storage();
        let position = ole.entries().iter().position(|entry| entry.name == "b");
        match ole.storage_file(position.unwrap(), &inside) {
            Ok(copied) => assert!(copied.len() < data.len() * 9),
            Err(halt) => assert!(matches!(halt, Halt::Ceiling(_))),
        }
    }
}
