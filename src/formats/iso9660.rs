//! ISO 9660 (ECMA-119) with Joliet and Rock Ridge (IEEE P1282): every tree of every volume descriptor, and those of
//! sessions that later ones took the place of.
//!
//! Left out on purpose: times, owners, El Torito, interleaved files (told as unread), zisofs (told).

use std::collections::BTreeSet;

use encoding_rs::UTF_16BE;

use crate::bytes::{index, length, slice, u16_at, u32_at};
use crate::limits::{Budget, Halt};

use super::disk::{ENTRIES, File, Listing, Path, cut};

/// Sector of volume descriptors, and the first one's (6.2.1).
const SECTOR: usize = 2048;
const FIRST: usize = 16 * SECTOR;

/// Descriptors that are read: discs have three.
const DESCRIPTORS: usize = 64;

/// Flags of a directory record (9.1.6).
const FOLDER: u8 = 1 << 1;
const MORE: u8 = 1 << 7;

/// Names of the trees.
const PLAIN: &str = "ISO 9660";
const JOLIET: &str = "Joliet";

/// The name of trees that no volume descriptor leads to any more.
pub const EARLIER: &str = "an earlier session";

/// Trees of earlier sessions at the most: a disc has 99 tracks.
const SESSIONS: usize = 99;

/// A tree to be walked.
struct Tree {
    name: &'static str,
    is_joliet: bool,
    block: usize,
    root: (u32, u32),
}

/// A folder to be read: its extent, size, path, and its path by Rock Ridge.
struct Folder {
    block: u32,
    size: u32,
    path: Path,
    other: Path,
}

/// Lists every file. Fails out of time only.
pub fn list(data: &[u8], budget: &Budget) -> Result<Listing, Halt> {
    let mut listing = Listing::default();
    let mut trees = trees(data);
    if trees.is_empty() {
        listing.miss(FIRST, "no volume descriptor with a root directory");
    }
    earlier(data, &mut trees, budget)?;
    for tree in trees {
        walk(data, &tree, &mut listing, budget)?;
    }
    Ok(listing)
}

/// Behind the last sector that the first volume descriptor counts (8.4.8).
pub fn volume_end(data: &[u8]) -> Option<usize> {
    let descriptor = slice(data, FIRST, SECTOR)?;
    if slice(descriptor, 0, 6)? != b"\x01CD001" {
        return None;
    }
    let block = usize::from(u16_at(descriptor, 128)?);
    index(u32_at(descriptor, 80)?).checked_mul(block)
}

fn trees(data: &[u8]) -> Vec<Tree> {
    let mut trees: Vec<Tree> = Vec::new();
    for number in 0..DESCRIPTORS {
        let at = FIRST.saturating_add(number.saturating_mul(SECTOR));
        let Some(descriptor) = slice(data, at, SECTOR) else {
            break;
        };
        if slice(descriptor, 1, 5) != Some(b"CD001") {
            break;
        }
        let name = match descriptor.first() {
            Some(1) => PLAIN,
            Some(2) => match slice(descriptor, 88, 3) {
                Some([b'%', b'/', b'@' | b'C' | b'E']) => JOLIET,
                _ => PLAIN,
            },
            Some(255) | None => break,
            Some(_) => continue,
        };
        let block = u16_at(descriptor, 128).map_or(SECTOR, usize::from);
        let root = (u32_at(descriptor, 158), u32_at(descriptor, 166));
        if let (Some(extent), Some(size)) = root {
            let known = |tree: &Tree| tree.root == (extent, size) && tree.name == name;
            if !trees.iter().any(known) {
                let block = if block.is_power_of_two() {
                    block
                } else {
                    SECTOR
                };
                let root = (extent, size);
                trees.push(Tree {
                    name,
                    is_joliet: name == JOLIET,
                    block,
                    root,
                });
            }
        }
    }
    // What Windows shows first gives the names.
    trees.sort_by_key(|tree| tree.name != JOLIET);
    trees
}

/// Adds the trees whose root no descriptor leads to: a root is a folder whose first two records, for itself and for what
/// is above it, both lead to the sector that they stand in (9.1, 6.8.2.2).
fn earlier(data: &[u8], trees: &mut Vec<Tree>, budget: &Budget) -> Result<(), Halt> {
    let described = trees.len();
    for (number, sector) in data.chunks_exact(SECTOR).enumerate().skip(FIRST / SECTOR) {
        // Read in any case: what is looked at of a sector are its first bytes.
        if number.is_multiple_of(1024) {
            budget.tick()?;
        }
        let Some(root) = root_here(number, sector) else {
            continue;
        };
        let known = |tree: &Tree| {
            let scale = tree.block.max(1);
            index(tree.root.0).saturating_mul(scale) == number.saturating_mul(SECTOR)
        };
        if trees.iter().any(known) {
            continue;
        }
        if trees.len().saturating_sub(described) >= SESSIONS {
            return Ok(());
        }
        trees.push(root);
    }
    Ok(())
}

fn root_here(number: usize, sector: &[u8]) -> Option<Tree> {
    // One byte tells nearly all apart.
    if *sector.get(32)? != 1 {
        return None;
    }
    let mut at = 0usize;
    for name in [0, 1] {
        let record = sector.get(at..)?;
        let fits = *record.first()? >= 34
            && index(u32_at(record, 2)?) == number
            && u32_at(record, 6)?.swap_bytes() == u32_at(record, 2)?
            && record.get(25)? & FOLDER != 0
            && slice(record, 32, 2)? == [1, name];
        if !fits {
            return None;
        }
        at = at.checked_add(usize::from(*record.first()?))?;
    }
    let first = sector.get(at..).and_then(Record::read);
    Some(Tree {
        name: EARLIER,
        // Names of one byte a character have no zero in them.
        is_joliet: first.is_some_and(|record| record.name.contains(&0)),
        block: SECTOR,
        root: (u32_at(sector, 2)?, u32_at(sector, 10)?),
    })
}

fn walk(data: &[u8], tree: &Tree, listing: &mut Listing, budget: &Budget) -> Result<(), Halt> {
    let empty = || match tree.is_joliet {
        true => Path::Text(String::new()),
        false => Path::Raw(Vec::new()),
    };
    let mut waiting = vec![Folder {
        block: tree.root.0,
        size: tree.root.1,
        path: empty(),
        other: empty(),
    }];
    let mut seen = BTreeSet::new();
    // Ends because an extent is entered once, and the files are counted.
    while let Some(folder) = waiting.pop() {
        budget.tick()?;
        if !seen.insert(folder.block) {
            listing.odd(
                index(folder.block).saturating_mul(tree.block),
                "a folder that was read before",
            );
            continue;
        }
        let start = u64::from(folder.block).saturating_mul(length(tree.block));
        let (range, missing) = cut(start, folder.size.into(), data.len());
        if missing > 0 {
            listing.miss(range.end, format!("folder: {missing} bytes are missing"));
        }
        let body = data.get(range.clone()).unwrap_or_default();
        entries(
            data,
            body,
            range.start,
            tree,
            &folder,
            listing,
            &mut waiting,
            budget,
        )?;
        if listing.files.len() >= ENTRIES || waiting.len() >= ENTRIES {
            listing.full = true;
            break;
        }
    }
    Ok(())
}

/// One directory record (9.1).
struct Record<'a> {
    block: u32,
    size: u32,
    flags: u8,
    gap: u8,
    name: &'a [u8],
    system: &'a [u8],
}

impl<'a> Record<'a> {
    fn read(raw: &'a [u8]) -> Option<Self> {
        let name_len = usize::from(*raw.get(32)?);
        let name = slice(raw, 33, name_len)?;
        // The name is filled up to an even length.
        let behind = 33usize.checked_add(name_len)?;
        let behind = behind.saturating_add(usize::from(name_len.is_multiple_of(2)));
        let attributes = u32::from(*raw.get(1)?);
        Some(Self {
            block: u32_at(raw, 2)?.saturating_add(attributes),
            size: u32_at(raw, 10)?,
            flags: *raw.get(25)?,
            gap: *raw.get(27)?,
            name,
            system: raw.get(behind..).unwrap_or_default(),
        })
    }
}

#[allow(
    clippy::too_many_arguments,
    reason = "one loop of the walk, apart for its length"
)]
fn entries(
    data: &[u8],
    body: &[u8],
    base: usize,
    tree: &Tree,
    folder: &Folder,
    listing: &mut Listing,
    waiting: &mut Vec<Folder>,
    budget: &Budget,
) -> Result<(), Halt> {
    let mut at = 0usize;
    let mut open: Option<File> = None;
    // Ends because each round goes forward.
    while let Some(&len) = body.get(at) {
        budget.tick()?;
        if len == 0 {
            at = at.saturating_add(1).next_multiple_of(SECTOR);
            continue;
        }
        let raw = slice(body, at, usize::from(len));
        let Some(record) = raw.and_then(Record::read) else {
            listing.miss(base.saturating_add(at), "directory record breaks off");
            break;
        };
        let here = base.saturating_add(at);
        at = at.saturating_add(usize::from(len));
        if matches!(record.name, [0 | 1]) {
            continue;
        }
        let rock = rock_ridge(data, record.system, tree.block);
        let name = plain_name(record.name, tree);
        let other = rock.name.map(Path::Raw).unwrap_or_else(|| name.clone());
        let path = folder.path.join(&name);
        let other = folder.other.join(&other);
        if let Some(block) = rock.child {
            waiting.push(Folder {
                block,
                size: folder_size(data, block, tree.block),
                path,
                other,
            });
            continue;
        }
        if record.flags & FOLDER != 0 {
            let (block, size) = (record.block, record.size);
            waiting.push(Folder {
                block,
                size,
                path,
                other,
            });
            continue;
        }
        if record.gap != 0 {
            listing.miss(here, "interleaved file");
        }
        if rock.packed {
            listing.miss(here, "file compressed by zisofs");
        }
        let start = u64::from(record.block).saturating_mul(length(tree.block));
        let (range, missing) = cut(start, record.size.into(), data.len());
        let mut file = open.take().unwrap_or_else(|| File {
            paths: if other == path {
                vec![path]
            } else {
                vec![other, path]
            },
            extents: Vec::new(),
            missing: 0,
            tree: tree.name,
        });
        file.extents.push(range);
        file.missing = file.missing.saturating_add(missing);
        if record.flags & MORE != 0 {
            open = Some(file);
        } else {
            listing.files.push(file);
        }
        if listing.files.len() >= ENTRIES {
            listing.full = true;
            break;
        }
    }
    listing.files.extend(open);
    Ok(())
}

/// The size of a moved folder: its own first record tells.
fn folder_size(data: &[u8], block: u32, size: usize) -> u32 {
    let at = index(block).saturating_mul(size);
    u32_at(data, at.saturating_add(10)).unwrap_or(0)
}

fn plain_name(raw: &[u8], tree: &Tree) -> Path {
    if tree.is_joliet {
        let text = UTF_16BE.decode_without_bom_handling(raw).0;
        return Path::Text(without_version(&text).to_owned());
    }
    let end = memchr::memrchr(b';', raw).unwrap_or(raw.len());
    let name = raw.get(..end).unwrap_or(raw);
    Path::Raw(name.strip_suffix(b".").unwrap_or(name).to_vec())
}

fn without_version(name: &str) -> &str {
    match name.rsplit_once(';') {
        Some((name, version)) if version.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => name,
    }
}

/// What Rock Ridge says of a record.
#[derive(Default)]
struct Rock {
    name: Option<Vec<u8>>,
    child: Option<u32>,
    packed: bool,
}

/// Reads the system use entries behind a record, and where they go on (SUSP 4, 5.1).
fn rock_ridge(data: &[u8], system: &[u8], block: usize) -> Rock {
    /// Continuations of one record.
    const AREAS: usize = 8;
    let mut rock = Rock::default();
    let mut area = Some(system);
    for _ in 0..AREAS {
        let Some(mut rest) = area.take() else { break };
        while let Some(&[a, b, len, _]) = rest.first_chunk::<4>() {
            let Some(entry) = rest.get(..usize::from(len)).filter(|_| len >= 4) else {
                break;
            };
            rest = rest.get(usize::from(len)..).unwrap_or_default();
            match &[a, b] {
                b"NM" => {
                    let name = rock.name.get_or_insert_default();
                    name.extend_from_slice(entry.get(5..).unwrap_or_default());
                }
                b"CL" => rock.child = u32_at(entry, 4),
                b"ZF" => rock.packed = true,
                b"CE" => area = continuation(data, entry, block),
                b"ST" => break,
                _ => {}
            }
        }
    }
    rock.name = rock.name.filter(|name| !name.is_empty());
    rock
}

fn continuation<'a>(data: &'a [u8], entry: &[u8], block: usize) -> Option<&'a [u8]> {
    let at = index(u32_at(entry, 4)?)
        .checked_mul(block)?
        .checked_add(index(u32_at(entry, 12)?))?;
    slice(data, at, index(u32_at(entry, 20)?))
}

/// The content of raw sectors of 2,352 bytes (ECMA-130 14): what a reader of files would see.
pub fn from_raw_sectors(data: &[u8]) -> Option<Vec<u8>> {
    const RAW: usize = 2352;
    let start = match (slice(data, 0, 12)?, data.get(15)?) {
        ([0, 0xff, .., 0], 1) => 16,
        ([0, 0xff, .., 0], 2) => 24,
        _ => return None,
    };
    let sectors = data.chunks_exact(RAW);
    Some(
        sectors
            .flat_map(|sector| slice(sector, start, SECTOR).unwrap_or_default())
            .copied()
            .collect(),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::limits::Limits;

    fn both(number: u32) -> Vec<u8> {
        [number.to_le_bytes(), number.to_be_bytes()].concat()
    }

    fn record(block: u32, size: usize, flags: u8, name: &[u8], system: &[u8]) -> Vec<u8> {
        let mut out = vec![0, 0];
        out.extend(both(block));
        out.extend(both(u32::try_from(size).unwrap()));
        out.extend([0; 7]);
        out.extend([flags, 0, 0, 1, 0, 0, 1, u8::try_from(name.len()).unwrap()]);
        out.extend(name);
        out.resize(out.len().next_multiple_of(2), 0);
        out.extend(system);
        out.resize(out.len().next_multiple_of(2), 0);
        out[0] = u8::try_from(out.len()).unwrap();
        out
    }

    fn put(image: &mut Vec<u8>, sector: usize, bytes: &[u8]) {
        let at = sector * SECTOR;
        let len = (at + bytes.len()).next_multiple_of(SECTOR).max(image.len());
        image.resize(len, 0);
        image[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn descriptor(kind: u8, escape: &[u8], root: u32) -> Vec<u8> {
        let mut out = vec![0; SECTOR];
        out[0] = kind;
        out[1..6].copy_from_slice(b"CD001");
        out[88..88 + escape.len()].copy_from_slice(escape);
        out[128..132].copy_from_slice(&[0, 8, 8, 0]);
        let root = record(root, SECTOR, FOLDER, &[0], &[]);
        out[156..156 + root.len()].copy_from_slice(&root);
        out
    }

    /// An image with `shown` in both trees and `only` in the plain one; a folder with a loop to itself.
    pub(crate) fn image(shown: (&str, &[u8]), only: Option<(&str, &[u8])>) -> Vec<u8> {
        let mut image = Vec::new();
        put(&mut image, 16, &descriptor(1, b"", 20));
        put(&mut image, 17, &descriptor(2, b"%/E", 21));
        put(&mut image, 18, &descriptor(255, b"", 0));
        put(&mut image, 23, shown.1);
        let wide: Vec<u8> = shown.0.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let rock = [
            b"NM".as_slice(),
            &[u8::try_from(5 + shown.0.len()).unwrap(), 1, 0],
            shown.0.as_bytes(),
        ]
        .concat();
        let dots = [
            record(20, SECTOR, FOLDER, &[0], &[]),
            record(20, SECTOR, FOLDER, &[1], &[]),
        ]
        .concat();
        let mut plain = [
            dots.clone(),
            record(23, shown.1.len(), 0, b"FILE.TXT;1", &rock),
        ]
        .concat();
        plain.extend(record(20, SECTOR, FOLDER, b"LOOP", &[]));
        if let Some((name, data)) = only {
            put(&mut image, 40, data);
            plain.extend(record(40, data.len(), 0, name.as_bytes(), &[]));
        }
        put(&mut image, 20, &plain);
        put(
            &mut image,
            21,
            &[dots, record(23, shown.1.len(), 0, &wide, &[])].concat(),
        );
        image
    }

    fn listed(data: &[u8]) -> Listing {
        list(data, &Budget::new(Limits::default(), None)).unwrap()
    }

    #[test]
    fn every_tree_is_listed_with_the_names_of_its_extensions() {
        let data = image(("見積書.exe", b"MZ content"), Some(("HIDDEN.EXE;1", b"MZ")));
        let listing = listed(&data);
        let names: Vec<(&str, &Path)> = listing
            .files
            .iter()
            .map(|file| (file.tree, &file.paths[0]))
            .collect();
        assert_eq!(
            names,
            [
                (JOLIET, &Path::Text("見積書.exe".to_owned())),
                (PLAIN, &Path::Raw("見積書.exe".into())),
                (PLAIN, &Path::Raw(b"HIDDEN.EXE".to_vec())),
            ]
        );
        let file = &listing.files[0];
        assert_eq!(&data[file.extents[0].clone()], b"MZ content");
        assert_eq!(listing.unread, []);
        // The folder that leads to itself.
        assert_eq!(listing.deviations.len(), 1);
    }

    #[test]
    fn a_cut_image_says_what_is_missing() {
        let data = image(("a.txt", &[b'x'; 5000]), None);
        let listing = listed(&data[..23 * SECTOR + 100]);
        assert_eq!(listing.files[0].missing, 4900);
        assert!(!listed(&data[..19 * SECTOR]).unread.is_empty());
    }

    #[test]
    fn raw_sectors_give_their_content() {
        let mut sector = vec![0; 2352];
        sector[1..11].fill(0xff);
        sector[15] = 1;
        sector[16] = b'x';
        let plain = from_raw_sectors(&sector).unwrap();
        assert_eq!((plain.len(), plain[0]), (SECTOR, b'x'));
        assert_eq!(from_raw_sectors(&[0; 3000]), None);
    }

    #[test]
    fn what_a_later_session_left_out_is_listed_as_such() {
        let mut data = image(("見積書.txt", b"kept"), None);
        let session = |own: u32, name: &[u8]| {
            let dots = [0, 1].map(|dot| record(own, SECTOR, FOLDER, &[dot], &[]));
            [dots.concat(), record(50, 4, 0, name, &[])].concat()
        };
        put(&mut data, 50, b"gone");
        put(&mut data, 60, &session(60, b"GONE.EXE;1"));
        put(&mut data, 61, &session(61, b"\x89\x8b\0.\0e\0x\0e"));
        // One that counts from elsewhere, as in an image in the image.
        put(&mut data, 62, &session(30, b"OTHER.EXE;1"));
        let budget = Budget::new(Limits::default(), None);
        let found = list(&data, &budget).unwrap();
        let earlier = found.files.iter().filter(|file| file.tree == EARLIER);
        let paths: Vec<Path> = earlier.map(|file| file.paths[0].clone()).collect();
        let expected = [
            Path::Raw(b"GONE.EXE".to_vec()),
            Path::Text("見.exe".to_owned()),
        ];
        assert_eq!(paths, expected);
    }
}
