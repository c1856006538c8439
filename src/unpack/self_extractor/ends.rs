//! Where files end by their own structure, and where what stands behind or between their parts is none of them.

use memchr::{memchr, memmem, memrchr2};

use super::{END_RECORD, MARKS, cabinet, sevenz};
use crate::bytes::{index, slice, u16_at, u32_at, u64_at};
use crate::formats::{chm, iso9660, onestore, udf};
use crate::limits::{Budget, Halt};
use crate::model::Kind;

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
        Kind::Rtf | Kind::Html | Kind::Pdf => Some(0),
        Kind::SevenZip => Some(sevenz(data, 0)?.end),
        Kind::Cab => Some(cabinet(data, 0)?.end),
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
    let is_foreign = |page: &[u8]| MARKS.iter().any(|mark| page.starts_with(mark));
    let pages = data.chunks(page).position(is_foreign);
    // What is behind the last whole page is none.
    let whole = (data.len() / page).saturating_mul(page);
    Some(pages.map_or(whole, |number| number.saturating_mul(page)))
}

/// Behind the last sector of a compound file that its allocation table says is taken ([MS-CFB] 2.3).
fn compound_end(data: &[u8]) -> Option<usize> {
    const FREE: u32 = u32::MAX;
    if !data.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return None;
    }
    let shift = u16_at(data, 30).filter(|shift| matches!(shift, 9 | 12))?;
    let size = 1usize << shift;
    let mut taken = 0usize;
    for (place, sector) in table_sectors(data, size)?.into_iter().enumerate() {
        let table = sector_at(data, sector, size)?;
        let mut entries = table.as_chunks::<4>().0.iter();
        let last = entries.rposition(|entry| u32::from_le_bytes(*entry) != FREE);
        if let Some(last) = last {
            taken = place.saturating_mul(size / 4).saturating_add(last);
        }
    }
    taken.checked_add(2)?.checked_mul(size)
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
