//! Images of disks and file systems: ISO 9660 (ECMA-119 8.1), UDF (ECMA-167 2/9.1), FAT, exFAT, NTFS, partitioned
//! disks, VHD, VMDK and its like, Apple disk images.
//!
//! Most of them are known by marks far from byte 0, so that almost anything may stand before those.

use crate::bytes::{slice, u16_at, u32_at};
use crate::formats::hfs;
use crate::model::Kind;

/// Where the volume descriptors of ISO 9660 and UDF start, in bytes, and how far apart they are.
const DESCRIPTORS: usize = 32 * 1024;
const SECTOR: usize = 2048;

/// Marks that stand far from byte 0, whatever the file starts with; `None` for the others.
pub(super) fn by_far_mark(data: &[u8]) -> Option<Kind> {
    if let Some(kind) = volume(data) {
        return Some(kind);
    }
    let tail = data.len().checked_sub(512)?;
    match slice(data, tail, 8)? {
        [b'k', b'o', b'l', b'y', 0, 0, 0, _] => Some(Kind::Dmg),
        b"conectix" => Some(Kind::Vhd),
        _ => None,
    }
}

/// ISO 9660 or UDF by the volume descriptors from sector 16 on; a disc that is both counts as UDF where it says so,
/// since Windows mounts it as that.
fn volume(data: &[u8]) -> Option<Kind> {
    let identifier = |at: usize| slice(data, at.checked_add(1)?, 5);
    let mut iso = false;
    for number in 0..16usize {
        let at = DESCRIPTORS.saturating_add(number.saturating_mul(SECTOR));
        match identifier(at) {
            Some(b"CD001" | b"CDW02") => iso = true,
            Some(b"NSR02" | b"NSR03") => return Some(if iso { Kind::Iso } else { Kind::Udf }),
            Some(b"BEA01" | b"TEA01" | b"BOOT2") => {}
            _ => break,
        }
    }
    // Raw sectors of 2,352 bytes with their sync fields.
    let raw = slice(data, 16 * 2352, 24 + 6).is_some_and(|sector| {
        sector.starts_with(&[0, 0xff, 0xff, 0xff])
            && memchr::memmem::find(sector, b"CD001").is_some()
    });
    (iso || raw).then_some(Kind::Iso)
}

/// File systems and disks that start with a boot sector.
pub(super) fn by_boot_sector(data: &[u8]) -> Option<Kind> {
    match slice(data, 3, 8) {
        Some(b"NTFS    ") => return Some(Kind::Ntfs),
        Some(b"EXFAT   ") => return Some(Kind::Img),
        _ => {}
    }
    if is_fat(data) || is_partitioned(data) {
        return Some(Kind::Img);
    }
    // On a hybrid disc, and in a disk image whose first block is stored, the reader of those looks for it.
    (hfs::is_volume(data) && by_far_mark(data).is_none()).then_some(Kind::Hfs)
}

/// The BIOS parameter block of FAT ([Microsoft FAT specification] section 3): a jump and fields that agree.
fn is_fat(data: &[u8]) -> bool {
    let fits = || -> Option<bool> {
        let jump = matches!(
            data.first_chunk::<3>()?,
            [0xeb, _, 0x90] | [0xe9, _, _] | [0xeb, _, _]
        );
        let sector = u16_at(data, 11)?;
        let cluster = *data.get(13)?;
        let reserved = u16_at(data, 14)?;
        let tables = *data.get(16)?;
        let media = *data.get(21)?;
        let total = u32::from(u16_at(data, 19)?).max(u32_at(data, 32)?);
        Some(
            jump && matches!(sector, 512 | 1024 | 2048 | 4096)
                && cluster.is_power_of_two()
                && reserved > 0
                && matches!(tables, 1 | 2)
                && matches!(media, 0xf0 | 0xf8..=0xff)
                && total > 0,
        )
    };
    fits() == Some(true)
}

/// A master boot record whose entries agree, or a GUID partition table behind it.
fn is_partitioned(data: &[u8]) -> bool {
    if [512, 4096]
        .into_iter()
        .any(|at| slice(data, at, 8) == Some(b"EFI PART"))
    {
        return true;
    }
    if data.starts_with(b"ER") && slice(data, 512, 4) == Some(b"PM\0\0") && volume(data).is_none() {
        return true;
    }
    if slice(data, 510, 2) != Some(&[0x55, 0xaa]) || data.len() < 1024 {
        return false;
    }
    let mut used = 0;
    for number in 0..4usize {
        let Some(entry) = slice(data, 446 + number * 16, 16) else {
            return false;
        };
        let (Some(status), Some(system)) = (entry.first(), entry.get(4)) else {
            return false;
        };
        if !matches!(status, 0 | 0x80) {
            return false;
        }
        let start = u32_at(entry, 8).unwrap_or(0);
        let len = u32_at(entry, 12).unwrap_or(0);
        // What only keeps others off (UEFI 5.2.3) is no partition where the table is not behind it.
        if matches!(*system, 0 | 0xee) {
            continue;
        }
        if start == 0 || len == 0 {
            return false;
        }
        used += 1;
    }
    used > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_known_by_their_descriptors() {
        let mut data = vec![0; DESCRIPTORS + 4 * SECTOR];
        data[DESCRIPTORS..DESCRIPTORS + 6].copy_from_slice(b"\x01CD001");
        assert_eq!(by_far_mark(&data), Some(Kind::Iso));
        data[DESCRIPTORS..DESCRIPTORS + 6].copy_from_slice(b"\0BEA01");
        data[DESCRIPTORS + SECTOR..DESCRIPTORS + SECTOR + 6].copy_from_slice(b"\0NSR03");
        assert_eq!(by_far_mark(&data), Some(Kind::Udf));
        data[DESCRIPTORS + 1] = b'X';
        assert_eq!(by_far_mark(&data), None);
    }

    #[test]
    fn images_are_known_by_their_end() {
        let mut data = vec![1; 2048];
        data[1536..1544].copy_from_slice(b"koly\0\0\0\x04");
        assert_eq!(by_far_mark(&data), Some(Kind::Dmg));
        data[1536..1544].copy_from_slice(b"conectix");
        assert_eq!(by_far_mark(&data), Some(Kind::Vhd));
    }

    #[test]
    fn a_fat_boot_sector_is_one_only_where_its_fields_agree() {
        let mut data = vec![0; 1024];
        data[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
        data[11..13].copy_from_slice(&512u16.to_le_bytes());
        data[13] = 4;
        data[14] = 1;
        data[16] = 2;
        data[19] = 64;
        data[21] = 0xf8;
        assert_eq!(by_boot_sector(&data), Some(Kind::Img));
        data[13] = 3;
        assert_eq!(by_boot_sector(&data), None);
        data[3..11].copy_from_slice(b"NTFS    ");
        assert_eq!(by_boot_sector(&data), Some(Kind::Ntfs));
    }

    #[test]
    fn a_partition_table_needs_entries_that_agree() {
        let mut data = vec![0; 1024];
        data[510..512].copy_from_slice(&[0x55, 0xaa]);
        assert_eq!(by_boot_sector(&data), None);
        data[446] = 0x80;
        data[450] = 7;
        data[454] = 1;
        data[458] = 1;
        assert_eq!(by_boot_sector(&data), Some(Kind::Img));
    }
}
