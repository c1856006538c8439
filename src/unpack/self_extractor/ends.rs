//! Where files end by their own structure, and where what stands behind or between their parts is none of them.

use std::ops::Range;

use memchr::{memchr, memmem, memrchr2};

use super::heads::{self, END_RECORD, STRONG};
use crate::bytes::{index, slice, u16_at, u32_at, u64_at};
use crate::formats::grains::Map;
use crate::formats::{arj, chm, iso9660, onestore, qcow, tar, udf, vdi, vhd, vmdk};
use crate::limits::{Budget, Halt};
use crate::model::Kind;

/// A sector of a compound file that is free.
const FREE: u32 = u32::MAX;

/// Where a kind ends by its own structure. In text there are no marks at all.
pub(super) fn own_end(kind: Kind, data: &[u8], budget: &Budget) -> Result<Option<usize>, Halt> {
    Ok(match kind {
        Kind::Iso | Kind::Udf => disc_end(data, budget)?,
        _ => end_by_head(kind, data),
    })
}

/// Behind the last sector of a disc, and behind the last file where the disc makes itself out to be shorter.
fn disc_end(data: &[u8], budget: &Budget) -> Result<Option<usize>, Halt> {
    let volume = iso9660::volume_end(data);
    // Mostly the volume fills the image: then nothing is looked for.
    if volume.is_some_and(|end| end >= data.len()) {
        return Ok(volume);
    }
    let mut end = volume;
    let trees = [udf::list(data, budget)?, Some(iso9660::list(data, budget)?)];
    for file in trees.into_iter().flatten().flat_map(|tree| tree.files) {
        end = end.max(file.extents.iter().map(|extent| extent.end).max());
    }
    Ok(end)
}

fn end_by_head(kind: Kind, data: &[u8]) -> Option<usize> {
    match kind {
        Kind::Chm => chm::end(data),
        Kind::One | Kind::Onetoc2 => onestore::end(data),
        Kind::Pst => pst_end(data),
        Kind::Mdb | Kind::Accdb => jet_end(data),
        Kind::SevenZip | Kind::Cab => heads::end(data),
        Kind::Rar => rar(data, 0),
        Kind::Lzh => lzh(data, 0),
        Kind::Arj => arj(data, arj::first(data, 0).ok()?.0),
        Kind::Tar => tar(data, 0),
        Kind::Wim => wim(data),
        Kind::Xls4 => sheet_end(data),
        Kind::Img | Kind::Ntfs | Kind::Hfs | Kind::SquashFs => volume_end(kind, data),
        Kind::Vhd | Kind::Vhdx => blocks_end(data),
        Kind::Vmdk => grains_end(&vmdk::read(data).ok()?),
        Kind::Qcow => grains_end(&qcow::read(data).ok()?),
        Kind::Vdi => grains_end(&vdi::read(data).ok()?),
        // Its comment too may be an archive.
        _ if data.starts_with(b"PK") => {
            memmem::rfind(data, b"PK\x05\x06").map(|at| at.saturating_add(END_RECORD))
        }
        _ => compound_end(data),
    }
}

/// The length that the header of a file of Outlook tells ([MS-PST] 2.2.2.5), old or new.
fn pst_end(data: &[u8]) -> Option<usize> {
    /// The first version of the new format.
    const UNICODE: u16 = 23;
    let end = match u16_at(data, 10)? < UNICODE {
        true => index(u32_at(data, 168)?),
        false => index(u64_at(data, 184)?),
    };
    (end > 0).then_some(end)
}

/// The first page of a database of Access that starts as an archive does: pages start with their type.
fn jet_end(data: &[u8]) -> Option<usize> {
    let page = if data.get(20) == Some(&0) { 2048 } else { 4096 };
    let is_foreign = |page: &[u8]| STRONG.iter().any(|mark| page.starts_with(mark.bytes));
    let pages = data.chunks(page).position(is_foreign);
    // What is behind the last whole page is none.
    let whole = (data.len() / page).saturating_mul(page);
    Some(pages.map_or(whole, |number| number.saturating_mul(page)))
}

/// Behind the block that ends an archive of RAR 4 or 5; none where blocks are encrypted, or it is cut.
pub(super) fn rar(data: &[u8], at: usize) -> Option<usize> {
    match data.get(at.checked_add(6)?)? {
        0 => rar4(data, at.checked_add(7)?),
        _ => rar5(data, at.checked_add(8)?),
    }
}

/// Ends because each block takes at least seven bytes.
fn rar4(data: &[u8], mut at: usize) -> Option<usize> {
    const MAIN: u8 = 0x73;
    const LAST: u8 = 0x7b;
    loop {
        let (kind, flags) = (
            *data.get(at.checked_add(2)?)?,
            u16_at(data, at.checked_add(3)?)?,
        );
        let size = usize::from(u16_at(data, at.checked_add(5)?)?);
        if size < 7 || !(0x72..=LAST).contains(&kind) || kind == MAIN && flags & 0x80 != 0 {
            return None;
        }
        let body = at.checked_add(7)?;
        let mut added = 0;
        // The data of a file is longer than 32 bits tell where there is room for more.
        if flags & 0x8000 != 0 || matches!(kind, 0x74 | 0x7a) {
            added = index(u32_at(data, body)?);
            if matches!(kind, 0x74 | 0x7a) && flags & 0x100 != 0 {
                added = added
                    .checked_add(index(u32_at(data, body.checked_add(25)?)?).checked_shl(32)?)?;
            }
        }
        at = at.checked_add(size)?;
        if kind == LAST {
            return Some(at);
        }
        at = at.checked_add(added)?;
    }
}

/// Ends because each block takes at least five bytes.
fn rar5(data: &[u8], mut at: usize) -> Option<usize> {
    const LOCKED: u64 = 4;
    const LAST: u64 = 5;
    loop {
        let mut field = at.checked_add(4)?;
        let size = number(data, &mut field)?;
        let end = field.checked_add(index(size))?;
        let (kind, flags) = (number(data, &mut field)?, number(data, &mut field)?);
        if kind == LOCKED || end < field {
            return None;
        }
        if flags & 1 != 0 {
            number(data, &mut field)?;
        }
        let added = if flags & 2 != 0 {
            number(data, &mut field)?
        } else {
            0
        };
        at = end.checked_add(index(added))?;
        if kind == LAST {
            return (at <= data.len()).then_some(at);
        }
    }
}

/// A number of seven bits a byte.
fn number(data: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let byte = *data.get(*at)?;
        *at = at.checked_add(1)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Behind the byte of zero that follows the last member of an archive of LHA, or where no member follows.
pub(super) fn lzh(data: &[u8], mut at: usize) -> Option<usize> {
    // Ends because each member takes at least its header.
    while let Some(end) = lzh_member(data, at) {
        at = end;
    }
    match data.get(at)? {
        0 => at.checked_add(1),
        _ => Some(at),
    }
}

/// Behind the member of LHA at `at`, whose header holds together.
pub(super) fn lzh_member(data: &[u8], at: usize) -> Option<usize> {
    const EXTENSIONS: usize = 64;
    let head = slice(data, at, 22)?;
    let method = slice(head, 2, 5)?;
    if !method.starts_with(b"-") || !method.ends_with(b"-") {
        return None;
    }
    if !matches!(method.get(1..4)?, [b'l', b'h', b'0'..=b'9' | b'a'..=b'f' | b'x'] | [b'l', b'z', _] | [b'p', b'm', _])
    {
        return None;
    }
    let packed = index(u32_at(head, 7)?);
    let first = usize::from(*head.first()?);
    match head.get(20)? {
        0 | 1 => {
            let body = slice(data, at.checked_add(2)?, first)?;
            let sum = body.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            let fits = first >= 22 && sum == *head.get(1)?;
            fits.then(|| at.checked_add(2)?.checked_add(first)?.checked_add(packed))?
        }
        level @ (2 | 3) => {
            // The lengths of the extensions lead to the end of the header.
            let (wide, start, size) = match level {
                2 => (2, 24, usize::from(u16_at(head, 0)?)),
                _ => (4, 28, index(u32_at(data, at.checked_add(24)?)?)),
            };
            let mut next = start;
            for _ in 0..EXTENSIONS {
                let place = at.checked_add(next)?;
                let len = match wide {
                    2 => usize::from(u16_at(data, place)?),
                    _ => index(u32_at(data, place)?),
                };
                next = next.checked_add(if len == 0 { wide } else { len })?;
                if len == 0 || next > size {
                    break;
                }
            }
            // One byte of padding is allowed.
            let fits = next <= size && size.saturating_sub(next) <= 1;
            fits.then(|| at.checked_add(size)?.checked_add(packed))?
        }
        _ => None,
    }
}

/// Behind the header without a length that ends an archive of ARJ whose first member stands at `at`.
pub(super) fn arj(data: &[u8], mut at: usize) -> Option<usize> {
    // Ends because each header takes bytes.
    while let Some(member) = arj::member(data, at).ok()? {
        at = member.data.end;
    }
    at.checked_add(4)
}

/// Behind the blocks of zeros at the end, or where no header follows.
pub(super) fn tar(data: &[u8], mut at: usize) -> Option<usize> {
    const BLOCK: usize = 512;
    // Ends because each member takes at least its header.
    while let Some(header) = slice(data, at, BLOCK).filter(|header| tar::is_tar(header)) {
        let size = slice(header, 124, 12)?;
        let size = match size.first()? {
            // A number in bytes, of which eight are enough.
            0x80 => u64::from_be_bytes(*size.last_chunk::<8>()?),
            _ => {
                let digits = size
                    .trim_ascii()
                    .split(|byte| matches!(byte, 0 | b' '))
                    .next()?;
                let digits = std::str::from_utf8(digits).ok()?;
                u64::from_str_radix(digits, 8).unwrap_or(0)
            }
        };
        let stored = index(size).checked_next_multiple_of(BLOCK)?;
        at = at.checked_add(BLOCK)?.checked_add(stored)?;
    }
    let rest = data.get(at..)?;
    let zeros = rest.iter().take_while(|byte| **byte == 0).count();
    at.checked_add(zeros / BLOCK * BLOCK)
}

/// Behind the last of the resources that the header of an image of Windows names.
pub(super) fn wim(data: &[u8]) -> Option<usize> {
    const RESOURCES: [usize; 4] = [48, 72, 96, 124];
    let ends = RESOURCES.map(|at| {
        let size = index(u64_at(data, at)? & 0x00ff_ffff_ffff_ffff);
        index(u64_at(data, at.checked_add(8)?)?).checked_add(size)
    });
    ends.into_iter().flatten().max().filter(|end| *end > 0)
}

/// Behind the last record of a sheet ([MS-XLS] 2.1.4): records follow one another, and behind the end of a part only
/// another one starts.
fn sheet_end(data: &[u8]) -> Option<usize> {
    const END: u16 = 0x000a;
    const STARTS: [u16; 4] = [0x0009, 0x0209, 0x0409, 0x0809];
    let mut at = 0usize;
    let mut depth = 0usize;
    // Ends because each record takes at least four bytes.
    loop {
        let kind = u16_at(data, at);
        let is_start = kind.is_some_and(|kind| STARTS.contains(&kind));
        if depth == 0 && at > 0 && !is_start {
            return Some(at);
        }
        let len = usize::from(u16_at(data, at.checked_add(2)?)?);
        at = at.checked_add(4)?.checked_add(len)?;
        match kind {
            Some(END) => depth = depth.saturating_sub(1),
            _ if is_start => depth = depth.saturating_add(1),
            _ => {}
        }
    }
}

/// As long as the header of a file system says that it is.
fn volume_end(kind: Kind, data: &[u8]) -> Option<usize> {
    let big = |at: usize| Some(u32::from_be_bytes(slice(data, at, 4)?.try_into().ok()?));
    let sector = usize::from(u16_at(data, 11)?);
    match kind {
        // The table of a disk is told where its partitions are read.
        Kind::Img if matches!(sector, 512 | 1024 | 2048 | 4096) => {
            let short = usize::from(u16_at(data, 19)?);
            let count = if short > 0 {
                short
            } else {
                index(u32_at(data, 32)?)
            };
            count.checked_mul(sector)
        }
        Kind::Ntfs => index(u64_at(data, 40)?).checked_add(1)?.checked_mul(sector),
        Kind::Hfs => index(big(1024 + 44)?).checked_mul(index(big(1024 + 40)?)),
        Kind::SquashFs => Some(index(u64_at(data, 40)?)),
        _ => None,
    }
    .filter(|end| *end > 0)
}

/// Behind the last block of a virtual disk of either form, and behind the footer of the old one.
fn blocks_end(data: &[u8]) -> Option<usize> {
    const FOOTER: &[u8] = b"conectix";
    let end = match vhd::read(data).ok()?.content {
        vhd::Content::Plain(range) => range.end,
        vhd::Content::Blocks(blocks) => {
            let ends = blocks
                .iter()
                .filter_map(|block| block.at?.checked_add(block.size));
            ends.max()?
        }
    };
    // It may be a byte shorter than a sector.
    match data.get(end..)?.starts_with(FOOTER) {
        true => Some(end.saturating_add(512).min(data.len())),
        false => Some(end),
    }
}

/// Behind the last grain that lies in the file.
fn grains_end(map: &Map) -> Option<usize> {
    let grains = map.grains.iter();
    grains
        .filter_map(|grain| grain.at?.checked_add(grain.len))
        .max()
}

/// Behind the last sector of a compound file that its allocation table says is taken ([MS-CFB] 2.3).
fn compound_end(data: &[u8]) -> Option<usize> {
    let (size, tables) = tables(data)?;
    let mut taken = 0usize;
    for (place, table) in tables.into_iter().enumerate() {
        let mut entries = table.as_chunks::<4>().0.iter();
        let last = entries.rposition(|entry| u32::from_le_bytes(*entry) != FREE);
        if let Some(last) = last {
            taken = place.saturating_mul(size / 4).saturating_add(last);
        }
    }
    taken.checked_add(2)?.checked_mul(size)
}

/// Runs of sectors before `end` that a compound file says are free; what was deleted lies there, or what never was
/// part of it.
pub(super) fn free_sectors(data: &[u8], end: usize) -> Vec<Range<usize>> {
    let Some((size, tables)) = tables(data) else {
        return Vec::new();
    };
    let entries = tables.iter().flat_map(|table| table.as_chunks::<4>().0);
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut at = size;
    for entry in entries {
        if at >= end {
            break;
        }
        let next = at.saturating_add(size);
        if u32::from_le_bytes(*entry) == FREE {
            match runs.last_mut().filter(|last| last.end == at) {
                Some(last) => last.end = next,
                None => runs.push(at..next),
            }
        }
        at = next;
    }
    runs
}

/// The size of a sector of a compound file, and its allocation table.
fn tables(data: &[u8]) -> Option<(usize, Vec<&[u8]>)> {
    if !data.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return None;
    }
    let shift = u16_at(data, 30).filter(|shift| matches!(shift, 9 | 12))?;
    let size = 1usize << shift;
    let sectors = table_sectors(data, size)?.into_iter();
    let tables: Option<Vec<_>> = sectors
        .map(|sector| sector_at(data, sector, size))
        .collect();
    Some((size, tables?))
}

fn sector_at(data: &[u8], sector: u32, size: usize) -> Option<&[u8]> {
    slice(data, index(sector).checked_add(1)?.checked_mul(size)?, size)
}

/// Sectors of the allocation table: the first 109 stand in the header, the others in sectors of their own, each of which
/// ends with the number of the next ([MS-CFB] 2.5).
fn table_sectors(data: &[u8], size: usize) -> Option<Vec<u32>> {
    let count = index(u32_at(data, 44)?);
    if count > data.len() / size {
        return None;
    }
    let numbers = |part: &[u8]| -> Vec<u32> {
        let entries = part.as_chunks::<4>().0.iter();
        entries.map(|entry| u32::from_le_bytes(*entry)).collect()
    };
    let mut sectors = numbers(slice(data, 76, 436)?);
    let mut next = u32_at(data, 68)?;
    // Ends because each turn adds to what is at most `count` long.
    while sectors.len() < count {
        let mut more = numbers(sector_at(data, next, size)?);
        next = more.pop()?;
        sectors.append(&mut more);
    }
    sectors.truncate(count);
    Some(sectors)
}

/// Whether it is what a printer is set to (`DEVMODE` of the Windows SDK, with names of one or two bytes a character): Office
/// keeps it in workbooks, and some drivers keep a cabinet in their part of it.
pub(super) fn is_printer_setting(data: &[u8]) -> bool {
    [32, 64].into_iter().any(|names| {
        let field = |at: usize| u16_at(data, at.saturating_add(names)).map(index);
        let lengths = field(4).zip(field(6));
        let fits = lengths
            .is_some_and(|(own, driver)| own > names && own.saturating_add(driver) == data.len());
        fits && matches!(field(0), Some(0x0400 | 0x0401))
    })
}

/// Where the streams of a PDF begin and end (ISO 32000-2, 7.3.8.1), by their words alone: one begins behind the end of a
/// dictionary, not in a comment.
#[derive(Default)]
pub(super) struct Streams {
    seen: usize,
    is_open: bool,
    in_comment: bool,
}

impl Streams {
    /// Whether a place is in one; places are asked for in order.
    pub(super) fn hold(&mut self, data: &[u8], at: usize) -> bool {
        let part = data.get(self.seen..at).unwrap_or_default();
        let mut from = 0;
        for word in memmem::find_iter(part, b"stream") {
            let front = part.get(from..word).unwrap_or_default();
            self.follow_comment(front);
            from = word;
            if front.ends_with(b"end") {
                self.is_open = false;
            } else if !self.in_comment && front.trim_ascii_end().ends_with(b">>") {
                self.is_open = true;
            }
        }
        self.follow_comment(part.get(from..).unwrap_or_default());
        self.seen = at;
        self.is_open
    }

    /// A comment goes from its sign to the end of its line (7.2.4).
    fn follow_comment(&mut self, part: &[u8]) {
        let line = memrchr2(b'\r', b'\n', part).and_then(|end| part.get(end..));
        let begins = memchr(b'%', line.unwrap_or(part)).is_some();
        self.in_comment = begins || line.is_none() && self.in_comment;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_opens_no_stream() {
        let held = |front: &str| Streams::default().hold(front.as_bytes(), front.len());
        assert!(held("1 0 obj <</Length 9>>\nstream\n"));
        assert!(held("% note\n1 0 obj <</Length 9>> stream\r\n"));
        assert!(held("<<>>stream\nstream of words\n"));
        for front in [
            "%stream\n",
            "% <<>>stream\n",
            "<<>>stream\nendstream\n%>>stream\r",
            "stream\n",
        ] {
            assert!(!held(front), "{front}");
        }
        // Asked for in pieces, the comment is remembered.
        let text = "% MSCF >>stream\n";
        let mut streams = Streams::default();
        assert!(!streams.hold(text.as_bytes(), 3));
        assert!(!streams.hold(text.as_bytes(), text.len()));
    }

    #[test]
    fn what_a_printer_is_set_to_tells_its_own_length() {
        for names in [32, 64] {
            let mut data = vec![0u8; 300];
            data[names..names + 2].copy_from_slice(&0x0401u16.to_le_bytes());
            data[names + 4..names + 6].copy_from_slice(&220u16.to_le_bytes());
            data[names + 6..names + 8].copy_from_slice(&80u16.to_le_bytes());
            assert!(is_printer_setting(&data));
            data.push(0);
            assert!(!is_printer_setting(&data));
            data.pop();
            data[names] = 9;
            assert!(!is_printer_setting(&data));
        }
    }

    /// A compound file of this many sectors of data, all taken, with its tables behind them.
    fn compound(count: u32) -> Vec<u8> {
        let tables = count.div_ceil(126);
        let further = tables.saturating_sub(109).div_ceil(127);
        let mut data = vec![0u8; 512 * (1 + (count + tables + further) as usize)];
        data[..4].copy_from_slice(&[0xd0, 0xcf, 0x11, 0xe0]);
        data[30] = 9;
        let mut put = |at: usize, number: u32| {
            data[at..at + 4].copy_from_slice(&number.to_le_bytes());
        };
        put(44, tables);
        put(68, count + tables);
        for table in 0..tables {
            let number = table as usize;
            let at = match number.checked_sub(109) {
                None => 76 + number * 4,
                Some(beyond) => {
                    let sector = (count + tables) as usize + beyond / 127;
                    (sector + 1) * 512 + beyond % 127 * 4
                }
            };
            put(at, count + table);
        }
        for sector in 0..further.saturating_sub(1) {
            let at = ((count + tables + sector) as usize + 2) * 512 - 4;
            put(at, count + tables + sector + 1);
        }
        let taken = (count + tables + further) as usize;
        for entry in taken..tables as usize * 128 {
            put((count as usize + 1) * 512 + entry * 4, u32::MAX);
        }
        data
    }

    #[test]
    fn a_compound_file_ends_behind_its_last_sector_however_many_tables_it_has() {
        for count in [10, 14_000, 40_000] {
            let data = compound(count);
            let tailed = [&data[..], b"more"].concat();
            assert_eq!(compound_end(&tailed), Some(data.len()), "{count}");
        }
        // Tables that lead nowhere, or in a circle, end too.
        let mut data = compound(14_000);
        let at = data.len() - 4;
        data[at..].copy_from_slice(&u32::MAX.to_le_bytes());
        data[44..48].copy_from_slice(&10_000u32.to_le_bytes());
        assert_eq!(compound_end(&data), None);
        data[44..48].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(compound_end(&data), None);
    }
}
