//! SquashFS 4.0 (Documentation/filesystems/squashfs.rst of Linux): the file system of AppImages and Snap packages.
//!
//! Left out on purpose: versions before 4, extended attributes, what links, devices and sockets point to.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use crate::bytes::{Deviation, Reader, Short, index, length, slice, u16_at, u32_at, u64_at};
use crate::limits::{Budget, Halt};

use super::disk::{ENTRIES, PATH, Path};

/// Length of the superblock.
const SUPERBLOCK: usize = 96;

/// Bytes of a block of metadata, at the most.
const METADATA: usize = 8192;

/// Bytes of all metadata of one kind that are decoded, at the most.
const METADATA_IN_ALL: usize = 64 << 20;

/// Fragments, at the most: a thousand times as many as a package has.
const FRAGMENTS: usize = 1 << 20;

/// The largest block of a file.
const BLOCK: u32 = 1 << 20;

/// Memory of one decoder in KiB.
const MEMORY: u32 = 64 << 10;

/// The largest window of Zstandard, as a power of two in bytes.
const ZSTD_WINDOW: u32 = 23;

/// Folders within folders.
const DEEPEST: usize = 256;

/// What is told of damage, at the most.
const TOLD: usize = 64;

/// How blocks are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// zlib.
    Gzip,
    /// LZMA in its old form.
    Lzma,
    /// xz.
    Xz,
    /// LZO1X.
    Lzo,
    /// Blocks of LZ4.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// Why an image is not read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// No reader for it.
    NoReader(String),
    /// Damaged.
    Broken(String),
    /// A limit.
    Halt(Halt),
}

impl From<Halt> for Closed {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

/// A block as it lies in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    at: u64,
    /// Bytes there; nothing is stored of a block of zeros.
    len: usize,
    is_packed: bool,
    /// Bytes that it gives.
    size: usize,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its paths: every hard link is one.
    pub paths: Vec<Path>,
    /// Its length in bytes.
    pub size: u64,
    /// Where its blocks lie, one behind the other.
    start: u64,
    /// Where their lengths stand among the inodes, and how many they are.
    words: usize,
    count: u64,
    /// Number of the fragment that holds its end, and where in it that starts.
    tail: Option<(u32, u32)>,
}

/// What an image holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its files, those with their ends in one fragment together.
    pub files: Vec<File>,
    /// What could not be read.
    pub unread: Vec<Deviation>,
    /// Whether there were more than [`ENTRIES`].
    pub full: bool,
    method: Method,
    block_size: u32,
    fragments: Vec<Block>,
    inodes: Vec<u8>,
}

/// Reads an image that starts at the first byte.
///
/// # Errors
/// It is none, of a version or a packing without a reader, or the account has no time left.
pub fn read(data: &[u8], budget: &Budget) -> Result<Volume, Closed> {
    let broken = |what: &str| Closed::Broken(what.to_owned());
    let superblock = data
        .get(..SUPERBLOCK)
        .ok_or_else(|| broken("superblock of SquashFS: it is cut"))?;
    let word = |at| u32_at(superblock, at).unwrap_or_default();
    let long = |at| u64_at(superblock, at).unwrap_or_default();
    if !superblock.starts_with(b"hsqs") || u16_at(superblock, 28) != Some(4) {
        return Err(Closed::NoReader("SquashFS before version 4".to_owned()));
    }
    let method = match u16_at(superblock, 20) {
        Some(1) => Method::Gzip,
        Some(2) => Method::Lzma,
        Some(3) => Method::Lzo,
        Some(4) => Method::Xz,
        Some(5) => Method::Lz4,
        Some(6) => Method::Zstd,
        other => {
            let what = format!("SquashFS with packing {}", other.unwrap_or_default());
            return Err(Closed::NoReader(what));
        }
    };
    let block_size = word(12);
    if !block_size.is_power_of_two() || !(4096..=BLOCK).contains(&block_size) {
        return Err(broken("superblock of SquashFS: the size of blocks"));
    }
    let mut image = Image {
        data,
        method,
        budget,
        unread: Vec::new(),
    };
    let used = long(40);
    if used > length(data.len()) {
        let missing = used.saturating_sub(length(data.len()));
        image.miss(data.len(), format!("SquashFS: {missing} bytes are missing"));
    }
    let (inodes_at, folders_at, fragments_at) = (long(64), long(72), long(80));
    let inodes = image.metadata(inodes_at, folders_at)?;
    // Behind the folders lie the tables of fragments, of exports or of owners, to each of which a list leads.
    let lists = [fragments_at, long(88), long(48)];
    let behind = lists.into_iter().filter_map(|at| u64_at(data, index(at)));
    let behind = behind.filter(|at| *at > folders_at).min();
    let folders = image.metadata(folders_at, behind.unwrap_or(used))?;
    let fragments = image.fragments(fragments_at, word(16), block_size)?;
    let root = long(32);
    let mut walk = Walk {
        image: &mut image,
        inodes: &inodes,
        folders: &folders,
        block_size,
        files: BTreeMap::new(),
        met: 0,
        full: false,
    };
    walk.run(root)?;
    let full = walk.full;
    let mut files: Vec<File> = walk.files.into_values().collect();
    files.sort_by_key(|file| file.tail.map(|(number, _)| number));
    Ok(Volume {
        files,
        unread: image.unread,
        full,
        method,
        block_size,
        fragments,
        inodes: inodes.bytes,
    })
}

/// Blocks of metadata one behind the other, and where each of them starts.
struct Metadata {
    bytes: Vec<u8>,
    /// Place in the image, from the start of the table, to place in `bytes`.
    starts: BTreeMap<u64, usize>,
}

impl Metadata {
    /// The bytes behind a place: a block and an offset in what it gives.
    fn at(&self, block: u64, offset: usize) -> Option<Reader<'_>> {
        let at = self.starts.get(&block)?.checked_add(offset)?;
        (at < self.bytes.len()).then(|| Reader::at(&self.bytes, at))
    }
}

struct Image<'a> {
    data: &'a [u8],
    method: Method,
    budget: &'a Budget,
    unread: Vec<Deviation>,
}

impl Image<'_> {
    fn miss(&mut self, at: usize, what: impl Into<String>) {
        if self.unread.len() < TOLD {
            self.unread.push(Deviation::new(at, what));
        }
    }

    /// Decodes a block of metadata; the bytes that it takes in the image come with it.
    fn block(&self, at: u64) -> Option<(Vec<u8>, u64)> {
        let start = index(at);
        let head = u16_at(self.data, start)?;
        let len = usize::from(head & 0x7fff);
        let stored = slice(self.data, start.checked_add(2)?, len)?;
        let plain = match head & 0x8000 {
            0 => decode(self.method, stored, METADATA).ok()?,
            _ => stored.get(..METADATA).unwrap_or(stored).to_vec(),
        };
        Some((plain, length(len).saturating_add(2)))
    }

    /// Decodes the blocks of a table that ends at `end`.
    fn metadata(&mut self, start: u64, end: u64) -> Result<Metadata, Closed> {
        let mut table = Metadata {
            bytes: Vec::new(),
            starts: BTreeMap::new(),
        };
        let mut at = start;
        while at < end {
            self.budget.tick()?;
            let Some((plain, taken)) = self.block(at) else {
                self.miss(index(at), "SquashFS: a block of metadata can't be decoded");
                break;
            };
            self.budget.spend(plain.len())?;
            table
                .starts
                .insert(at.saturating_sub(start), table.bytes.len());
            table.bytes.extend(plain);
            at = at.saturating_add(taken);
            if table.bytes.len() > METADATA_IN_ALL {
                return Err(Halt::Ceiling("metadata of SquashFS").into());
            }
        }
        Ok(table)
    }

    /// The table of fragments: blocks of metadata, to which a list of places leads.
    fn fragments(&mut self, list: u64, count: u32, size: u32) -> Result<Vec<Block>, Closed> {
        /// Entries of a block.
        const EACH: u32 = 512;
        let mut fragments = Vec::new();
        for number in 0..count.div_ceil(EACH) {
            self.budget.tick()?;
            let place = list.saturating_add(u64::from(number).saturating_mul(8));
            let block = u64_at(self.data, index(place)).and_then(|at| self.block(at));
            let Some((plain, _)) = block else {
                self.miss(index(place), "SquashFS: the table of fragments is cut");
                break;
            };
            self.budget.spend(plain.len())?;
            if fragments.len() > FRAGMENTS {
                return Err(Halt::Ceiling("fragments of SquashFS").into());
            }
            for entry in plain.chunks_exact(16) {
                let at = u64_at(entry, 0).unwrap_or_default();
                fragments.push(stored(at, u32_at(entry, 8).unwrap_or_default(), size));
            }
        }
        fragments.truncate(index(u64::from(count)));
        Ok(fragments)
    }
}

/// A block by the word that tells its length: bit 24 says that it is not packed.
fn stored(at: u64, word: u32, size: u32) -> Block {
    Block {
        at,
        len: index(u64::from(word & 0x00ff_ffff)),
        is_packed: word & 0x0100_0000 == 0,
        size: index(u64::from(size)),
    }
}

/// Folders to be entered: the place of the list, its length, the path, how deep.
struct Folder {
    block: u64,
    offset: usize,
    len: usize,
    path: Path,
    depth: usize,
}

struct Walk<'i, 'd> {
    image: &'i mut Image<'d>,
    inodes: &'i Metadata,
    folders: &'i Metadata,
    block_size: u32,
    /// By the place of the inode.
    files: BTreeMap<u64, File>,
    /// Entries that were looked at.
    met: usize,
    full: bool,
}

impl Walk<'_, '_> {
    /// Walks the tree from the root; every folder is entered once.
    fn run(&mut self, root: u64) -> Result<(), Closed> {
        let mut entered = BTreeSet::from([root]);
        let mut waiting = Vec::new();
        waiting.extend(self.folder(root, Path::Raw(Vec::new()), 0));
        if waiting.is_empty() {
            self.image.miss(0, "SquashFS: no root folder");
        }
        while let Some(folder) = waiting.pop() {
            let list = self.list(&folder)?;
            for (name, place, is_folder) in list {
                self.image.budget.tick()?;
                self.met = self.met.saturating_add(1);
                if self.met > ENTRIES {
                    self.full = true;
                    return Ok(());
                }
                let path = folder.path.join(&Path::Raw(name));
                if !is_folder {
                    self.file(place, path);
                } else if folder.depth < DEEPEST && entered.insert(place) {
                    let next = self.subfolder(place, path, folder.depth);
                    waiting.extend(next);
                }
            }
        }
        Ok(())
    }

    fn inode(&self, place: u64) -> Option<(u16, Reader<'_>)> {
        let mut reader = self.inodes.at(place >> 16, index(place & 0xffff))?;
        let kind = reader.u16("type").ok()?;
        reader.skip("rights, owner, time, number", 14).ok()?;
        Some((kind, reader))
    }

    /// The folder at the inode of an entry, where there is one.
    fn subfolder(&mut self, place: u64, path: Path, above: usize) -> Option<Folder> {
        let found = self.folder(place, path, above.saturating_add(1));
        if found.is_none() {
            self.image.miss(0, "SquashFS: a folder without an inode");
        }
        found
    }

    /// The folder at an inode.
    fn folder(&self, place: u64, path: Path, depth: usize) -> Option<Folder> {
        let (kind, mut reader) = self.inode(place)?;
        let read = |reader: &mut Reader<'_>| -> Result<(u32, u16, u32), Short> {
            Ok(match kind {
                8 => {
                    reader.skip("links", 4)?;
                    let len = reader.u32("length")?;
                    let block = reader.u32("block")?;
                    reader.skip("parent, entries of the index", 6)?;
                    (block, reader.u16("offset")?, len)
                }
                _ => {
                    let block = reader.u32("block")?;
                    reader.skip("links", 4)?;
                    let len = reader.u16("length")?;
                    (block, reader.u16("offset")?, u32::from(len))
                }
            })
        };
        if !matches!(kind, 1 | 8) {
            return None;
        }
        let (block, offset, len) = read(&mut reader).ok()?;
        Some(Folder {
            block: u64::from(block),
            offset: usize::from(offset),
            // Three more than there are: for the entries that lead to itself and up.
            len: index(u64::from(len.saturating_sub(3))),
            path,
            depth,
        })
    }

    /// The names in a folder, with the places of their inodes and whether they are folders themselves.
    fn list(&mut self, folder: &Folder) -> Result<Vec<(Vec<u8>, u64, bool)>, Closed> {
        let mut out = Vec::new();
        if folder.len == 0 {
            return Ok(out);
        }
        let whole = self.entries(folder, &mut out);
        self.image.budget.check_time()?;
        if whole.is_none() {
            self.image
                .miss(index(folder.block), "SquashFS: a folder is cut");
        }
        Ok(out)
    }

    /// Reads the names in a folder as far as they are there; none where that is not all of it.
    fn entries(&self, folder: &Folder, out: &mut Vec<(Vec<u8>, u64, bool)>) -> Option<()> {
        let mut reader = self.folders.at(folder.block, folder.offset)?;
        let len = folder.len.min(reader.remaining());
        let is_cut = len < folder.len;
        let mut reader = reader.sub("folder", len).ok()?;
        while !reader.is_empty() {
            let count = reader.u32("entries").ok()?;
            let block = reader.u32("block of inodes").ok()?;
            reader.skip("number of an inode", 4).ok()?;
            for _ in 0..=count.min(255) {
                self.image.budget.tick().ok()?;
                let offset = reader.u16("offset").ok()?;
                reader.skip("number", 2).ok()?;
                let kind = reader.u16("type").ok()?;
                let len = usize::from(reader.u16("length of a name").ok()?);
                let name = reader.take("name", len.saturating_add(1)).ok()?;
                let place = u64::from(block) << 16 | u64::from(offset);
                if matches!(kind, 1 | 2) && name.len() < PATH && out.len() <= ENTRIES {
                    out.push((name.to_vec(), place, kind == 1));
                }
            }
        }
        (!is_cut).then_some(())
    }

    /// Takes the file at an inode, or one more name of it.
    fn file(&mut self, place: u64, path: Path) {
        if let Some(known) = self.files.get_mut(&place) {
            if known.paths.len() < 16 {
                known.paths.push(path);
            }
            return;
        }
        match self.content(place, path) {
            Some(file) => {
                self.files.insert(place, file);
            }
            None => self.image.miss(0, "SquashFS: a file without an inode"),
        }
    }

    /// The file at an inode. Its blocks are looked up when they are read: many files may claim the same.
    fn content(&self, place: u64, path: Path) -> Option<File> {
        let (kind, mut reader) = self.inode(place)?;
        let (start, size, fragment, offset) = match kind {
            2 => {
                let start = u64::from(reader.u32("start").ok()?);
                let fragment = reader.u32("fragment").ok()?;
                let offset = reader.u32("offset").ok()?;
                let size = u64::from(reader.u32("length").ok()?);
                (start, size, fragment, offset)
            }
            9 => {
                let start = reader.u64("start").ok()?;
                let size = reader.u64("length").ok()?;
                reader.skip("zeros, links", 12).ok()?;
                let fragment = reader.u32("fragment").ok()?;
                let offset = reader.u32("offset").ok()?;
                reader.skip("attributes", 4).ok()?;
                (start, size, fragment, offset)
            }
            _ => return None,
        };
        let each = u64::from(self.block_size);
        let tail = (fragment != u32::MAX).then_some((fragment, offset));
        let count = match tail {
            Some(_) => size / each,
            None => size.div_ceil(each),
        };
        Some(File {
            paths: vec![path],
            size,
            start,
            words: reader.offset(),
            count,
            tail,
        })
    }
}

/// Reads the content of files; the fragment read last is kept, since files with their ends in it follow each other.
pub struct Contents<'a> {
    data: &'a [u8],
    volume: &'a Volume,
    /// Its number, its length in the image and what it gives.
    fragment: Option<(u32, usize, Vec<u8>)>,
}

impl<'a> Contents<'a> {
    /// Reads from the image that the volume was read from.
    pub fn new(data: &'a [u8], volume: &'a Volume) -> Self {
        Self {
            data,
            volume,
            fragment: None,
        }
    }

    /// Decodes the fragment that a file ends in, where that is another one than before; its bytes are paid.
    ///
    /// # Errors
    /// The account has nothing left for it.
    pub fn open<'c>(
        &'c mut self,
        file: &'c File,
        meter: &'c Cell<u64>,
        budget: &Budget,
    ) -> Result<Content<'c>, Halt> {
        let wanted = file.tail.map(|(number, _)| number);
        if let Some(number) = wanted
            && self.fragment.as_ref().map(|(known, ..)| *known) != wanted
        {
            budget.spend(index(u64::from(self.volume.block_size)))?;
            let at = usize::try_from(number).unwrap_or(usize::MAX);
            let block = self.volume.fragments.get(at);
            let plain = block.and_then(|block| self.volume.block(self.data, *block).ok());
            let len = block.map_or(0, |block| block.len);
            self.fragment = Some((number, len, plain.unwrap_or_default()));
        }
        let known = self.fragment.as_ref().filter(|_| wanted.is_some());
        let tail = file.tail.map(|(_, offset)| {
            let size = file.size % u64::from(self.volume.block_size);
            let plain = known.map_or([].as_slice(), |(.., plain)| plain);
            slice(plain, index(u64::from(offset)), index(size))
        });
        Ok(Content {
            data: self.data,
            volume: self.volume,
            words: Reader::at(&self.volume.inodes, file.words),
            count: file.count,
            next_at: file.start,
            tail,
            tail_len: known.map_or(0, |(_, len, _)| length(*len)),
            left: file.size,
            meter,
            plain: Vec::new(),
            at: 0,
        })
    }
}

/// The content of one file.
pub struct Content<'a> {
    data: &'a [u8],
    volume: &'a Volume,
    /// Lengths of the blocks that are still to come, how many they are, and where the next one lies.
    words: Reader<'a>,
    count: u64,
    next_at: u64,
    /// Its end, where that lies in a fragment, and whether it is there.
    tail: Option<Option<&'a [u8]>>,
    tail_len: u64,
    /// Bytes that are still to come.
    left: u64,
    /// Bytes of the image that were taken.
    meter: &'a Cell<u64>,
    plain: Vec<u8>,
    at: usize,
}

impl Content<'_> {
    /// Decodes the next block, or takes the end of the file.
    fn advance(&mut self) -> std::io::Result<()> {
        let failed = |what: String| std::io::Error::other(what);
        self.at = 0;
        if self.count > 0 {
            self.count = self.count.saturating_sub(1);
            let word = self.words.u32("length of a block");
            let word = word.map_err(|short| failed(short.to_string()))?;
            let mut block = stored(self.next_at, word, self.volume.block_size);
            block.size = block.size.min(index(self.left));
            self.next_at = self.next_at.saturating_add(length(block.len));
            self.meter
                .set(self.meter.get().saturating_add(length(block.len)));
            let plain = self.volume.block(self.data, block);
            self.plain = plain.map_err(|what| failed(format!("block at {}: {what}", block.at)))?;
        } else {
            let tail = self.tail.take().flatten();
            let tail = tail.ok_or_else(|| failed("its end is not there".to_owned()))?;
            self.plain = tail.to_vec();
            self.meter
                .set(self.meter.get().saturating_add(self.tail_len));
        }
        match self.plain.is_empty() {
            true => Err(failed("an empty block".to_owned())),
            false => Ok(()),
        }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 || out.is_empty() {
            return Ok(0);
        }
        if self.at >= self.plain.len() {
            self.advance()?;
        }
        let most = index(self.left).min(out.len());
        let rest = self.plain.get(self.at..).unwrap_or_default();
        let taken = rest.len().min(most);
        for (to, from) in out.iter_mut().zip(rest.iter().take(taken)) {
            *to = *from;
        }
        self.at = self.at.saturating_add(taken);
        self.left = self.left.saturating_sub(length(taken));
        Ok(taken)
    }
}

impl Volume {
    /// Decodes a block of a file, or a fragment.
    fn block(&self, data: &[u8], block: Block) -> Result<Vec<u8>, String> {
        if block.len == 0 {
            return Ok(vec![0; block.size]);
        }
        let stored = slice(data, index(block.at), block.len).ok_or("it lies behind the end")?;
        match block.is_packed {
            true => decode(self.method, stored, block.size),
            false => Ok(stored.get(..block.size).unwrap_or(stored).to_vec()),
        }
    }
}

/// Decodes a block that gives up to `size` bytes.
fn decode(method: Method, stored: &[u8], size: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(size);
    let mut take = |from: &mut dyn Read| {
        std::io::copy(&mut from.take(length(size)), &mut out).map_err(|error| error.to_string())
    };
    match method {
        Method::Gzip => take(&mut flate2::bufread::ZlibDecoder::new(stored))?,
        Method::Lzma => {
            let reader = lzma_rust2::LzmaReader::new_mem_limit(stored, MEMORY, None);
            take(&mut reader.map_err(|error| error.to_string())?)?
        }
        Method::Xz => take(&mut lzma_rust2::XzReader::new_mem_limit(
            stored, false, MEMORY,
        ))?,
        Method::Zstd => {
            let reader = zstd::stream::read::Decoder::with_buffer(stored);
            let mut reader = reader.map_err(|error| error.to_string())?;
            let bounded = reader.window_log_max(ZSTD_WINDOW);
            bounded.map_err(|error| error.to_string())?;
            take(&mut reader)?
        }
        Method::Lzo => return super::lzo::decoded(stored, size).map_err(str::to_owned),
        Method::Lz4 => {
            let plain = lz4_flex::block::decompress(stored, size);
            return plain.map_err(|error| error.to_string());
        }
    };
    Ok(out)
}

#[cfg(test)]
#[path = "../../tests/integration/build_squashfs.rs"]
pub(crate) mod build_squashfs;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    use super::build_squashfs::{Packing, image};

    fn contents(data: &[u8]) -> (Vec<(String, Vec<u8>)>, Volume) {
        let budget = Budget::new(Limits::default(), None);
        let volume = read(data, &budget).unwrap();
        let mut contents = Contents::new(data, &volume);
        let mut out = Vec::new();
        for file in &volume.files {
            let meter = Cell::new(0);
            let mut plain = Vec::new();
            let mut content = contents.open(file, &meter, &budget).unwrap();
            std::io::copy(&mut content, &mut plain).unwrap();
            assert_eq!(length(plain.len()), file.size);
            out.push((file.paths[0].likeliest(), plain));
        }
        out.sort();
        (out, volume)
    }

    #[test]
    fn files_of_blocks_ends_and_holes_are_read() {
        let long = b"words of a text ".repeat(20_000);
        let files = [("a.txt", b"short".as_slice()), ("見積書.exe", &long)];
        for packing in [Packing::Stored, Packing::Zlib, Packing::Lz4] {
            let (got, volume) = contents(&image("資料", &files, packing, 300_000));
            assert_eq!(volume.unread, []);
            let names: Vec<&str> = got.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["資料/a.txt", "資料/holes", "資料/見積書.exe"]);
            assert_eq!(got[0].1, b"short");
            assert_eq!(got[1].1, vec![0; 300_000]);
            assert_eq!(got[2].1, long);
        }
    }

    #[test]
    fn a_folder_that_holds_itself_is_entered_once() {
        let mut data = image("a", &[("b", b"words")], Packing::Stored, 0);
        // The folder's own entry leads to itself instead of to a file.
        let at = memchr::memmem::rfind(&data, b"\x02\0\0\0b").unwrap();
        let root = memchr::memmem::rfind(&data, b"\x01\0\0\0a").unwrap();
        data.copy_within(root - 4..root - 2, at - 4);
        data[at] = 1;
        let budget = Budget::new(Limits::default(), None);
        assert_eq!(read(&data, &budget).unwrap().files, []);
    }

    #[test]
    fn a_list_that_leads_to_one_block_again_and_again_ends_at_a_ceiling() {
        let mut data = image("a", &[("b", b"words")], Packing::Stored, 0);
        let block = length(data.len());
        data.extend((0x8000u16 | 8192).to_le_bytes());
        data.extend([0; 8192]);
        let list = length(data.len());
        data.extend(block.to_le_bytes().repeat(4_000));
        data[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        data[80..88].copy_from_slice(&list.to_le_bytes());
        let budget = Budget::new(Limits::default(), None);
        let closed = read(&data, &budget);
        assert!(matches!(closed, Err(Closed::Halt(Halt::Ceiling(_)))));
    }

    #[test]
    fn what_is_cut_or_unknown_is_told() {
        let whole = image("a", &[("b", b"words")], Packing::Stored, 0);
        let budget = Budget::new(Limits::default(), None);
        let cut = read(&whole[..whole.len() - 3], &budget).unwrap();
        assert!(!cut.unread.is_empty());
        for (at, value) in [(20, 99), (28, 3)] {
            let mut other = whole.clone();
            other[at] = value;
            assert!(matches!(read(&other, &budget), Err(Closed::NoReader(_))));
        }
        let mut broken = whole.clone();
        broken[13] = 7;
        assert!(matches!(read(&broken, &budget), Err(Closed::Broken(_))));
        assert!(matches!(
            read(&whole[..50], &budget),
            Err(Closed::Broken(_))
        ));
    }
}
