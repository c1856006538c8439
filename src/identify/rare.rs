//! Signatures of archives and disks that hardly anybody sends and no reader here opens: to be told, never passed over
//! in silence.
//!
//! Each mark is as the format's own tool writes it. Formats known by two letters only are left out: text and pictures
//! would be taken for them.

use crate::bytes::{index, slice, u16_at, u32_at, u64_at};
use crate::model::Kind;

use super::magic::{Row, row, weak};

#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    // Archives.
    row(0, b"\x89LZO\0\r\n\x1a\n", Kind::RareArchive),
    weak(0, b"LRZI", Kind::RareArchive, |data| matches!(data.get(4), Some(0))),
    weak(0, b"RZIP", Kind::RareArchive, |data| matches!(data.get(4), Some(1 | 2))),
    weak(0, b"zPQ", Kind::RareArchive, |data| matches!(data.get(3), Some(1 | 2))),
    row(0, b"7kSt\xa0\x31\x83\xd3\x8c\xb2\x28\xb0\xd3zPQ", Kind::RareArchive),
    row(0, b"ArC\x01", Kind::RareArchive),
    // dar: the label of ten bytes, whether it is the last slice, how its header goes on.
    weak(0, b"\0\0\0\x7b", Kind::RareArchive, |data| matches!(slice(data, 14, 2), Some([b'T' | b'N' | b'E', b'T' | b'N' | b'S']))),
    row(0, b"ANDROID BACKUP\n", Kind::RareArchive),
    // PeaZip's own: version, revision, error control, and an operating system below 16.
    weak(0, &[0xea], Kind::RareArchive, |data| matches!(slice(data, 1, 2), Some([1, 0..=9])) && slice(data, 10, 4) == Some(b"POD\0")),
    weak(0, b"UHA", Kind::RareArchive, |data| matches!(data.get(3), Some(1..=9))),
    row(7, b"-sqx-", Kind::RareArchive),
    weak(0, b"PACK", Kind::RareArchive, is_pak),
    row(0, &[0xda, 0xda, 0xfe, 0xca], Kind::RareArchive),
    row(0, &[0xca, 0xfe, 0xda, 0xda], Kind::RareArchive),
    row(0, b"flatpak\0", Kind::RareArchive),
    row(0, b"xdg-app\0", Kind::RareArchive),
    row(0, b"idska32\x1a", Kind::RareArchive),
    row(0, &[0x13, 0x5d, 0x65, 0x8c], Kind::RareArchive),
    row(0, b"KGB_arch -", Kind::RareArchive),
    weak(0, b"paq8", Kind::RareArchive, is_binary),
    // Once common in Japan.
    weak(0, b"yz01", Kind::RareArchive, is_binary),
    weak(0, b"DGCA", Kind::RareArchive, is_binary),
    weak(0, b"GCA", Kind::RareArchive, |data| matches!(data.get(3), Some(b'X' | b'0' | b'1')) && is_binary(data)),
    weak(0, b"IMP\n", Kind::RareArchive, is_binary),
    weak(0, b"BH", Kind::RareArchive, |data| matches!(slice(data, 2, 2), Some([2 | 5, 7]))),
    weak(4, b"GZIP", Kind::RareArchive, is_binary),
    weak(4, b"BZ2\0", Kind::RareArchive, |data| data.len() > 64),
    weak(0, b"RKA", Kind::RareArchive, |data| matches!(data.get(3), Some(1..=9))),
    row(0, b"MPQ\x1a", Kind::RareArchive),
    weak(0, b"TAPE", Kind::RareArchive, |data| u16_at(data, 8).is_some_and(|at| (52..=8192).contains(&at)) && data.len() > 1024),
    // Streams.
    weak(0, &[0x1f, 0x9e], Kind::RareArchive, |data| data.len() > 16),
    weak(0, &[0x1f, 0x9f], Kind::RareArchive, |data| data.len() > 16),
    weak(0, &[0x1f, 0x1e], Kind::RareArchive, is_packed),
    weak(0, b"bvx", Kind::RareArchive, |data| data.ends_with(b"bvx$")),
    row(0, b"\xff\x06\0\0sNaPpY", Kind::RareArchive),
    row(0, b"pbzx\0", Kind::RareArchive),
    row(0, &[0x37, 0xe4, 0x53, 0x96, 0xc9, 0xdb, 0xd6, 0x07], Kind::RareArchive),
    // File systems.
    row(0, b"-rom1fs-", Kind::RareDisk),
    weak(0, b"XFSB", Kind::RareDisk, |data| matches!(slice(data, 4, 2), Some(&[0, 0]))),
    weak(3, b"ReFS\0\0\0\0", Kind::RareDisk, |data| slice(data, 16, 4) == Some(b"FSRS")),
    row(16, b"Compressed ROMFS", Kind::RareDisk),
    // ext2 and its like: the mark, and a size of blocks and of groups that agree.
    weak(1080, &[0x53, 0xef], Kind::RareDisk, |data| {
        u32_at(data, 1048).is_some_and(|shift| shift <= 6)
            && u32_at(data, 1024 + 32).is_some_and(|group| group > 0)
            && u32_at(data, 1024 + 40).is_some_and(|inodes| inodes > 0)
    }),
    weak(1024, &[0xe2, 0xe1, 0xf5, 0xe0], Kind::RareDisk, |data| matches!(data.get(1036), Some(9..=16))),
    weak(1024, &[0x10, 0x20, 0xf5, 0xf2], Kind::RareDisk, |data| u16_at(data, 1028).is_some_and(|version| version < 16)),
    row(65_600, b"_BHRfS_M", Kind::RareDisk),
    row(65_588, b"ReIsEr", Kind::RareDisk),
    weak(32_768, b"JFS1", Kind::RareDisk, |data| u32_at(data, 32_772).is_some_and(|version| version < 16)),
    weak(0, b"DWARFS", Kind::RareDisk, |data| matches!(data.get(6), Some(1..=9))),
    row(0, b"UBI#\x01\0\0\0", Kind::RareDisk),
    // UBIFS: the mark of a node, and the superblock's type, which is the first.
    weak(0, &[0x31, 0x18, 0x10, 0x06], Kind::RareDisk, |data| matches!(data.get(20), Some(0..=11)) && data.get(22..24) == Some(&[0, 0])),
    // JFFS2: the mark of a node, a type that there is, and a length.
    weak(0, &[0x85, 0x19], Kind::RareDisk, |data| {
        matches!(slice(data, 2, 2), Some([0x01 | 0x02 | 0x08 | 0x09, 0xe0] | [0x03 | 0x04 | 0x06, 0x20]))
            && u32_at(data, 4).is_some_and(|len| (12..=1 << 20).contains(&len))
    }),
    row(0, b"LUKS\xba\xbe", Kind::RareDisk),
    row(3, b"-FVE-FS-", Kind::RareDisk),
    row(512, b"LABELONE", Kind::RareDisk),
    // Images of disks and discs.
    row(0, b"PaRtImAgE-VoLuMe", Kind::RareDisk),
    row(0, b"partclone-image", Kind::RareDisk),
    weak(0, &[0xfe, 0xef, 0x01], Kind::RareDisk, |data| data.len() > 1024 && matches!(data.get(3), Some(0..=15))),
    row(0, &[0xce, 0x24, 0xb9, 0xa2, 0x20, 0, 0, 0], Kind::RareDisk),
    row(0, &[0xb4, 0x6e, 0x68, 0x44], Kind::RareDisk),
    row(0, b"EVF\x09\r\n\xff\0", Kind::RareDisk),
    row(0, b"MEDIA DESCRIPTOR", Kind::RareDisk),
    weak(0, b"DAA\0", Kind::RareDisk, |data| matches!(u32_at(data, 20), Some(0x100 | 0x110))),
    row(0, b"GBI\0\0\0\0\0\0\0\0\0\0\0\0\0", Kind::RareDisk),
    weak(0, b"IsZ!", Kind::RareDisk, is_binary),
    weak(0, b"CISO", Kind::RareDisk, |data| matches!(u32_at(data, 4), Some(0 | 24 | 0x20_0000))),
    weak(0, b"ZISO", Kind::RareDisk, |data| u32_at(data, 4) == Some(24)),
    weak(0, b"", Kind::RareDisk, has_trailer),
];

/// Whether bytes stand near the start that no text has.
fn is_binary(data: &[u8]) -> bool {
    data.iter().take(512).any(|byte| *byte < 8)
}

/// The archives of a game: a directory of entries of 64 bytes that lies in the file.
fn is_pak(data: &[u8]) -> bool {
    let place = u32_at(data, 4).zip(u32_at(data, 8));
    place.is_some_and(|(at, len)| {
        len > 0 && len % 64 == 0 && slice(data, index(at), index(len)).is_some()
    })
}

/// The `pack` of old Unix: a length of more than what is there, and not beyond what Huffman codes make of it.
fn is_packed(data: &[u8]) -> bool {
    let len = slice(data, 2, 4).and_then(|raw| raw.try_into().ok());
    let len = len.map(u32::from_be_bytes).map(index);
    let levels = data.get(6).copied().unwrap_or(0);
    (1..=24).contains(&levels)
        && len.is_some_and(|len| len > data.len() / 2 && len < data.len().saturating_mul(8))
}

/// Images of discs by the trailer that their makers put behind them: where it starts lies in the file.
fn has_trailer(data: &[u8]) -> bool {
    let back = |len: usize| data.len().checked_sub(len);
    let inside = |at: u64| index(at) < data.len();
    let nero5 = back(12).is_some_and(|at| {
        slice(data, at, 4) == Some(b"NER5")
            && u64_at(data, at.saturating_add(4)).is_some_and(|start| inside(start.swap_bytes()))
    });
    let nero = back(8).is_some_and(|at| {
        slice(data, at, 4) == Some(b"NERO")
            && u32_at(data, at.saturating_add(4)).is_some_and(|at| inside(at.swap_bytes().into()))
    });
    nero5 || nero || back(64).is_some_and(|at| slice(data, at, 4) == Some(b"bbis"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(data: &[u8]) -> Option<Kind> {
        super::super::magic::identify(data)
    }

    fn padded(head: &[u8], len: usize) -> Vec<u8> {
        let mut data = head.to_vec();
        data.resize(len, 0);
        data
    }

    #[test]
    fn rare_archives_and_disks_are_known() {
        for head in [
            b"UHA\x06rest".as_slice(),
            b"GCAX\0",
            b"yz01",
            b"paq8px",
            b"PACK\x0c\0\0\0\x40\0\0\0",
            b"flatpak\0\x01\0\x89\xe5",
            b"idska32\x1a",
            b"\0\0\0\x7b0123456789TT\x80",
        ] {
            assert_eq!(kind(&padded(head, 96)), Some(Kind::RareArchive), "{head:?}");
        }
        let mut disk = vec![0; 66_000];
        disk[65_600..65_608].copy_from_slice(b"_BHRfS_M");
        assert_eq!(kind(&disk), Some(Kind::RareDisk));
        let mut disk = vec![0; 2048];
        disk[1024..1028].copy_from_slice(&[0xe2, 0xe1, 0xf5, 0xe0]);
        assert_eq!(kind(&disk), None);
        disk[1036] = 12;
        assert_eq!(kind(&disk), Some(Kind::RareDisk));
        let mut disk = vec![0; 128];
        disk[..8].copy_from_slice(&[0x85, 0x19, 0x03, 0x20, 12, 0, 0, 0]);
        assert_eq!(kind(&disk), Some(Kind::RareDisk));
        disk[3] = 0x21;
        assert_eq!(kind(&disk), None);
        disk[..4].copy_from_slice(&[0x31, 0x18, 0x10, 0x06]);
        disk[20] = 6;
        assert_eq!(kind(&disk), Some(Kind::RareDisk));
        disk[20] = 12;
        assert_eq!(kind(&disk), None);
        let image = [&[7; 100], b"NER5".as_slice(), &[0, 0, 0, 0, 0, 0, 0, 50]].concat();
        assert_eq!(kind(&image), Some(Kind::RareDisk));
    }

    #[test]
    fn what_only_starts_like_them_is_not_taken_for_them() {
        for text in [
            b"PACKING LIST\r\nfor the order".as_slice(),
            b"GCA0 is the name of a gene",
            b"GCAX",
            b"IMP\nORTANT",
            b"TAPE measure, two of them",
            b"CISO and others",
            b"bvx2 is a mark\0",
            b"DAA\0 and nothing that fits",
            b"UHAUL receipt",
            b"DGCA: notes on air traffic",
            b"Dear NERO...text",
            &[0x1f, 0x1e, 0, 0, 0, 1, 200],
        ] {
            assert_eq!(kind(text), None, "{}", text.escape_ascii());
        }
    }
}
