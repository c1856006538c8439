//! Databases of Access (Jet 3 and 4, ACE), as far as their long values go: a module's source lies in one, and so does
//! the way of a linked table. Tables, indexes and relations are not read.
//!
//! Microsoft does not publish the format. Pages are of one size; a page of data lists its rows from its end; a long value
//! is a row, or a chain of rows each of which begins with the page and row of the next.

use super::rc4::Rc4;
use crate::bytes::{index, slice, u16_at, u32_at};
use crate::limits::{Budget, Halt};

/// The key of the part of the first page that is masked.
const HEADER_KEY: [u8; 4] = [0xc7, 0xda, 0x39, 0x6b];

/// Rows of one page, and bytes of one long value, that are read.
const ROWS: usize = 1024;
const LONGEST: usize = 16 << 20;

/// Bytes of all long values together, by how much the file has.
const TOGETHER: usize = 2;

/// A database.
#[derive(Debug)]
pub struct Database<'a> {
    data: &'a [u8],
    page: usize,
    /// Where a page of data has the number of its rows.
    count_at: usize,
    /// The key of its pages, where they are encoded.
    key: Option<[u8; 4]>,
    /// Whether its pages are encrypted by a password.
    locked: bool,
}

impl<'a> Database<'a> {
    /// Reads the first page; none where it is no such database.
    pub fn read(data: &'a [u8]) -> Option<Self> {
        let mark = data.get(4..19)?;
        if mark != b"Standard Jet DB" && mark != b"Standard ACE DB" {
            return None;
        }
        let version = *data.get(0x14)?;
        let (page, count_at) = if version == 0 { (2048, 8) } else { (4096, 12) };
        let masked = data.get(0x18..0x98)?;
        let plain: Vec<u8> = masked
            .iter()
            .zip(Rc4::new(&HEADER_KEY))
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        let key = plain.get(0x26..0x2a)?.first_chunk::<4>().copied();
        let key = key.filter(|key| *key != [0; 4] && version != 0);
        // Of newer versions, a description of the encryption as Office documents have it.
        let described = u16_at(data, 0x299).is_some_and(|len| (0x20..0x900).contains(&len));
        let major = u16_at(data, 0x29b);
        let minor = u16_at(data, 0x29d);
        let office = matches!((major, minor), (Some(2..=4), Some(2..=4)));
        Some(Self {
            data,
            page,
            count_at,
            key,
            locked: version >= 2 && described && office,
        })
    }

    /// Whether its pages can be read with a password only.
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// Whether its last page is not whole. Pages that are not there at all cannot be told.
    pub fn is_cut(&self) -> bool {
        !self.data.len().is_multiple_of(self.page)
    }

    /// The bytes of a page, decoded.
    fn page(&self, number: usize) -> Option<std::borrow::Cow<'a, [u8]>> {
        let start = number.checked_mul(self.page)?;
        let page = slice(self.data, start, self.page)?;
        let Some(key) = self.key else {
            return Some(page.into());
        };
        let number = u32::try_from(number).ok()?;
        let key = (u32::from_le_bytes(key) ^ number).to_le_bytes();
        let plain = page
            .iter()
            .zip(Rc4::new(&key))
            .map(|(byte, mask)| byte ^ mask);
        Some(plain.collect::<Vec<u8>>().into())
    }

    /// Its pages in order, decoded.
    pub fn pages(&self) -> impl Iterator<Item = std::borrow::Cow<'a, [u8]>> + '_ {
        (1..self.data.len() / self.page).filter_map(|number| self.page(number))
    }

    /// The long values, chains put together.
    pub fn long_values(&self, budget: &Budget) -> Result<Vec<Vec<u8>>, Halt> {
        let count = self.data.len() / self.page;
        let mut rows: std::collections::BTreeMap<(usize, usize), Vec<u8>> =
            std::collections::BTreeMap::new();
        for number in 1..count {
            budget.tick()?;
            let Some(page) = self.page(number) else {
                continue;
            };
            if page.first() != Some(&1) || page.get(4..8) != Some(b"LVAL") {
                continue;
            }
            budget.spend(page.len())?;
            let rows_here = self.rows(&page).into_iter().enumerate();
            rows.extend(rows_here.map(|(row, bytes)| ((number, row), bytes.to_vec())));
        }
        let next = |bytes: &[u8]| {
            let pointer = u32_at(bytes, 0)?;
            let place = (index(pointer >> 8), index(pointer & 0xff));
            rows.contains_key(&place).then_some(place)
        };
        let targets: std::collections::BTreeSet<_> =
            rows.values().filter_map(|row| next(row)).collect();
        let mut values = Vec::new();
        let mut left = self.data.len().saturating_mul(TOGETHER);
        for (place, row) in rows.iter().filter(|(place, _)| !targets.contains(place)) {
            let Some(second) = next(row) else {
                values.push(row.clone());
                continue;
            };
            let mut value = row.get(4..).unwrap_or_default().to_vec();
            let mut at = Some(second);
            let mut seen = std::collections::BTreeSet::from([*place]);
            // Ends because a row is entered once.
            while let Some(place) = at.filter(|place| seen.insert(*place)) {
                budget.tick()?;
                let Some(row) = rows.get(&place) else {
                    break;
                };
                value.extend(row.get(4..).unwrap_or_default());
                at = next(row);
                if value.len() > LONGEST || value.len() > left {
                    break;
                }
            }
            left = left.saturating_sub(value.len());
            values.push(value);
        }
        Ok(values)
    }

    /// The rows of a page of data.
    fn rows<'p>(&self, page: &'p [u8]) -> Vec<&'p [u8]> {
        let count = usize::from(u16_at(page, self.count_at).unwrap_or_default());
        let mut end = page.len();
        let mut rows = Vec::new();
        for row in 0..count.min(ROWS) {
            let at = row
                .saturating_mul(2)
                .saturating_add(self.count_at)
                .saturating_add(2);
            let Some(told) = u16_at(page, at) else {
                break;
            };
            let start = usize::from(told & 0x1fff);
            rows.push(page.get(start..end).unwrap_or_default());
            if start < end {
                end = start;
            }
        }
        rows
    }
}

/// Texts of a page that begin with a way to a share or a web address, in one byte a character or two.
pub fn remote_ways(page: &[u8]) -> Vec<String> {
    /// Texts of one page, and characters of one.
    const TEXTS: usize = 16;
    const LENGTH: usize = 260;
    let mut found: Vec<String> = Vec::new();
    for (mark, step) in [(b"\\\\".as_slice(), 1usize), (b"\\\0\\\0", 2)] {
        for at in memchr::memmem::find_iter(page, mark) {
            if found.len() >= TEXTS {
                return found;
            }
            let rest = page.get(at..).unwrap_or_default();
            let text: String = rest
                .chunks(step)
                .map_while(|unit| match unit {
                    [low] | [low, 0] if (b' '..0x7f).contains(low) && *low != b';' => {
                        Some(char::from(*low))
                    }
                    _ => None,
                })
                .take(LENGTH)
                .collect();
            // A host, a share and a file.
            if text.len() > 8
                && text
                    .get(2..)
                    .is_some_and(|way| way.matches('\\').count() >= 2)
            {
                found.push(text);
            }
        }
    }
    found
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::limits::Limits;

    /// A database with the long values: each in pages of its own, in chains where they are longer than one.
    pub(crate) fn database(values: &[&[u8]], page: &[u8]) -> Vec<u8> {
        let mut head = b"\0\x01\0\0Standard ACE DB\0\x02\0\0\0".to_vec();
        // No key: what is masked is nothing but the mask.
        head.extend(Rc4::new(&HEADER_KEY).take(0x80));
        head.resize(4096, 0);
        let mut file = head;
        let mut other = page.to_vec();
        other.resize(4096, 0);
        file.extend(other);
        for value in values {
            let chunks: Vec<&[u8]> = value.chunks(4000).collect();
            for (place, chunk) in chunks.iter().enumerate() {
                let number = file.len() / 4096;
                let last = place + 1 == chunks.len();
                let next = if last {
                    0
                } else {
                    u32::try_from(number + 1).unwrap() << 8
                };
                let mut row = next.to_le_bytes().to_vec();
                row.extend(*chunk);
                let start = 4096 - row.len();
                let mut page = vec![1, 1, 0, 0];
                page.extend(b"LVAL\0\0\0\0");
                page.extend(1u16.to_le_bytes());
                page.extend(u16::try_from(start).unwrap().to_le_bytes());
                page.resize(start, 0);
                page.extend(row);
                file.extend(page);
            }
        }
        file
    }

    #[test]
    fn long_values_are_put_together_from_their_pages() {
        let budget = Budget::new(Limits::default(), None);
        let long: Vec<u8> = (0..10_000u32).map(|n| n.to_le_bytes()[0]).collect();
        let file = database(&[&long, b"short"], &[]);
        let database = Database::read(&file).unwrap();
        assert!(!database.is_locked());
        let values = database.long_values(&budget).unwrap();
        assert_eq!(values[0], long);
        assert_eq!(values[1][4..], *b"short");
        assert!(Database::read(&file[..100]).is_none());
        // A chain that leads back to itself ends.
        let mut looped = file.clone();
        let at = 4096 * 5 - 2004;
        looped[at..at + 4].copy_from_slice(&(2u32 << 8).to_le_bytes());
        assert!(
            Database::read(&looped)
                .unwrap()
                .long_values(&budget)
                .is_ok()
        );
    }

    #[test]
    fn encoded_pages_are_decoded_by_their_number() {
        let budget = Budget::new(Limits::default(), None);
        let mut file = database(&[b"Attribute"], &[]);
        let key = [9u8, 8, 7, 6];
        for (byte, key) in file[0x3e..0x42].iter_mut().zip(key) {
            *byte ^= key;
        }
        for number in 1..file.len() / 4096 {
            let page_key = (u32::from_le_bytes(key) ^ u32::try_from(number).unwrap()).to_le_bytes();
            let page = &mut file[number * 4096..(number + 1) * 4096];
            page.iter_mut()
                .zip(Rc4::new(&page_key))
                .for_each(|(byte, mask)| *byte ^= mask);
        }
        let values = Database::read(&file).unwrap().long_values(&budget).unwrap();
        assert_eq!(values[0][4..], *b"Attribute");
    }

    #[test]
    fn a_password_of_newer_versions_is_told() {
        let mut file = database(&[], &[]);
        file[0x299..0x29f].copy_from_slice(&[0, 4, 4, 0, 4, 0]);
        assert!(Database::read(&file).unwrap().is_locked());
    }

    #[test]
    fn ways_to_shares_are_found_in_both_widths() {
        let wide: Vec<u8> = "\\\\host\\share\\b.accdb"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let page = [
            b"\0;DATABASE=\\\\203.0.113.5\\s\\a.mdb;TABLE\0\0".as_slice(),
            &wide,
        ]
        .concat();
        assert_eq!(
            remote_ways(&page),
            ["\\\\203.0.113.5\\s\\a.mdb", "\\\\host\\share\\b.accdb"]
        );
        assert!(remote_ways(b"C:\\a\\b.mdb \\\\").is_empty());
    }
}
