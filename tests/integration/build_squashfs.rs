//! SquashFS images of one folder (Documentation/filesystems/squashfs.rst of Linux), written by hand: the metadata is not
//! packed.

use std::io::Write;

/// How the blocks of files are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Stored,
    Zlib,
    Lz4,
}

/// Bytes of a block.
const BLOCK: usize = 1 << 17;

fn packed(packing: Packing, data: &[u8]) -> (Vec<u8>, u32) {
    let out = match packing {
        Packing::Stored => data.to_vec(),
        Packing::Zlib => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap()
        }
        Packing::Lz4 => lz4_flex::block::compress(data),
    };
    let mark = u32::from(packing == Packing::Stored) << 24;
    let word = u32::try_from(out.len()).unwrap() | mark;
    (out, word)
}

/// The head of an inode.
fn inode(kind: u16, number: u32) -> Vec<u8> {
    let mut out = kind.to_le_bytes().to_vec();
    out.extend([0xa4, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend(number.to_le_bytes());
    out
}

fn list(entries: &[(usize, u16, &str)]) -> Vec<u8> {
    let mut out = u32::try_from(entries.len() - 1)
        .unwrap()
        .to_le_bytes()
        .to_vec();
    out.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    for (offset, kind, name) in entries {
        out.extend(u16::try_from(*offset).unwrap().to_le_bytes());
        out.extend([0, 0]);
        out.extend(kind.to_le_bytes());
        out.extend(u16::try_from(name.len() - 1).unwrap().to_le_bytes());
        out.extend(name.bytes());
    }
    out
}

fn folder(at: usize, len: usize, number: u32) -> Vec<u8> {
    let mut out = inode(1, number);
    out.extend([0, 0, 0, 0, 2, 0, 0, 0]);
    out.extend(u16::try_from(len + 3).unwrap().to_le_bytes());
    out.extend(u16::try_from(at).unwrap().to_le_bytes());
    out.extend([0; 4]);
    out
}

fn metadata(out: &mut Vec<u8>, plain: &[u8]) {
    out.extend((0x8000 | u16::try_from(plain.len()).unwrap()).to_le_bytes());
    out.extend(plain);
}

/// An image of one folder with files, their ends in one fragment, and a file `holes` of so many zeros that are not
/// stored.
pub(crate) fn image(name: &str, files: &[(&str, &[u8])], packing: Packing, holes: u32) -> Vec<u8> {
    let mut out = vec![0; 96];
    let (mut inodes, mut entries, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    let word = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    for (name, data) in files {
        let start = out.len();
        let (whole, end) = data.split_at(data.len() / BLOCK * BLOCK);
        let mut words = Vec::new();
        for block in whole.chunks(BLOCK) {
            let (stored, word) = packed(packing, block);
            out.extend(stored);
            words.extend(word.to_le_bytes());
        }
        entries.push((inodes.len(), 2, *name));
        inodes.extend(inode(2, 1));
        let number = if end.is_empty() { [0xff; 4] } else { [0; 4] };
        let offset = ends.len();
        for field in [word(start), number, word(offset), word(data.len())] {
            inodes.extend(field);
        }
        inodes.extend(words);
        ends.extend(end);
    }
    if holes > 0 {
        entries.push((inodes.len(), 2, "holes"));
        inodes.extend(inode(2, 1));
        for field in [[0; 4], [0xff; 4], [0; 4], holes.to_le_bytes()] {
            inodes.extend(field);
        }
        let count = usize::try_from(holes).unwrap().div_ceil(BLOCK);
        inodes.extend(vec![0; 4 * count]);
    }
    let fragment_at = out.len();
    let (fragment, fragment_word) = packed(packing, &ends);
    out.extend(fragment);
    let inner = list(&entries);
    let inner_at = inodes.len();
    inodes.extend(folder(0, inner.len(), 2));
    let root_at = inodes.len();
    let outer = list(&[(inner_at, 1, name)]);
    inodes.extend(folder(inner.len(), outer.len(), 3));
    let inodes_at = out.len();
    metadata(&mut out, &inodes);
    let folders_at = out.len();
    metadata(&mut out, &[inner, outer].concat());
    let table_at = out.len();
    let mut table = u64::try_from(fragment_at).unwrap().to_le_bytes().to_vec();
    table.extend(fragment_word.to_le_bytes());
    table.extend([0; 4]);
    metadata(&mut out, &table);
    let fragments_at = out.len();
    out.extend(u64::try_from(table_at).unwrap().to_le_bytes());
    let owners_at = out.len();
    metadata(&mut out, &[0; 4]);
    let owners_list = out.len();
    out.extend(u64::try_from(owners_at).unwrap().to_le_bytes());
    let mut head = b"hsqs".to_vec();
    head.extend(word(files.len() + 2));
    head.extend([0; 4]);
    head.extend(word(BLOCK));
    head.extend([1, 0, 0, 0]);
    head.extend([if packing == Packing::Lz4 { 5 } else { 1 }, 0, 17, 0]);
    head.extend([0, 0, 1, 0, 4, 0, 0, 0]);
    let used = out.len();
    for number in [root_at, used, owners_list] {
        head.extend(u64::try_from(number).unwrap().to_le_bytes());
    }
    head.extend([0xff; 8]);
    for number in [inodes_at, folders_at, fragments_at] {
        head.extend(u64::try_from(number).unwrap().to_le_bytes());
    }
    head.extend([0xff; 8]);
    out[..96].copy_from_slice(&head);
    out
}
