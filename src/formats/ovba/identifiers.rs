//! The names that p-code refers to: the table near the end of `_VBA_PROJECT` ([MS-OVBA] 2.3.4.1, PerformanceCache).
//!
//! The specification leaves the cache out, so the table is found by what all known files have in common, and believed
//! only where everything fits: the counts, every entry, and the bytes behind the last one. Not read: caches of
//! Office 97 and older, and those of a big-endian Macintosh, which no Office of today runs.

use crate::bytes::{Reader, Short, u16_at};
use crate::limits::{Budget, Halt};

/// Versions below this are Office 97's and older, with other numbers for the instructions.
const OFFICE_2000: u16 = 0x6b;

/// Where the table can start at the earliest: behind the version, the host's languages and the count of references.
const HEAD: usize = 0x1e;

/// Names of Visual Basic itself that come before the table's, by their count: VBA 6, VBA 7, and VBA 7 of 64 bits.
/// The count tells how instructions are numbered; where it is another one, nothing is known of them.
const RESERVED_COUNTS: [u16; 3] = [0xff, 0x103, WIDE];

/// The count in a 64-bit Office.
const WIDE: u16 = 0x106;

/// What follows the table in every file.
const BEHIND: [u8; 5] = [0x02, 0xff, 0xff, 0x01, 0x01];

/// Tables that are kept: there is one in real files, and any other is there to be taken for it.
const TABLES: usize = 4;

/// Entries that are read in all, also of what only looks like the start of a table.
const ENTRIES: usize = 1 << 20;

/// The names of one project, as bytes in its code page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifiers<'a> {
    /// Whether the cache was made by a 64-bit Office: instructions are numbered otherwise.
    pub(super) wide: bool,
    /// Number of the first name of the table.
    first: usize,
    names: Vec<&'a [u8]>,
}

impl<'a> Identifiers<'a> {
    /// Reads every table of a `_VBA_PROJECT` stream; none where there is no cache, or none that is understood.
    pub fn read(stream: &'a [u8], budget: &Budget) -> Result<Vec<Self>, Halt> {
        let mut tables = Vec::new();
        let version = super::version(stream);
        let usual = version.is_some_and(|version| (OFFICE_2000..0xffff).contains(&version));
        // The system that wrote it: 1 and 3 are Windows of 32 and 64 bits, 2 a Macintosh of today.
        let system = u16_at(stream, 5).unwrap_or_default();
        if !usual || !(1..=3).contains(&system) {
            return Ok(tables);
        }
        let mut left = ENTRIES;
        for at in HEAD..stream.len() {
            budget.tick()?;
            // A 64-bit Windows counts as such; of a Macintosh only the count tells.
            let counts = Counts::at(stream, at)
                .filter(|counts| system == 2 || (system == 3) == (counts.reserved == WIDE));
            let Some(counts) = counts else {
                continue;
            };
            if let Ok(Some(names)) = entries(stream, at, &counts, &mut left) {
                tables.push(Self {
                    wide: counts.reserved == WIDE,
                    first: usize::from(counts.reserved).saturating_add(1),
                    names,
                });
            }
            if left == 0 || tables.len() == TABLES {
                break;
            }
        }
        Ok(tables)
    }

    /// How many names the table has.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name that an operand means: a word of Visual Basic or one of the table.
    pub fn name(&self, operand: u16) -> Option<Identifier<'a>> {
        if operand == 0xffff {
            return Some(Identifier::Reserved("Me"));
        }
        let number = usize::from(operand >> 1);
        if let Some(position) = number.checked_sub(self.first) {
            return self.names.get(position).copied().map(Identifier::Own);
        }
        // VBA 7 has one word more from here on.
        let shifted = number.checked_sub(usize::from(self.first > 0x100 && number >= 0xc3))?;
        let word = super::opcodes::RESERVED.get(shifted).copied();
        word.map(Identifier::Reserved)
    }
}

/// A name that p-code refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identifier<'a> {
    /// A word that Visual Basic reserves.
    Reserved(&'static str),
    /// A name of the project or of a library that it uses, in the project's code page.
    Own(&'a [u8]),
}

impl<'a> Identifier<'a> {
    /// Its bytes.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Reserved(word) => word.as_bytes(),
            Self::Own(name) => name,
        }
    }
}

/// What stands before the entries: how many names there are with the reserved ones, how many entries, how many
/// reserved names; then four bytes of unknown meaning.
struct Counts {
    all: u16,
    entries: u16,
    reserved: u16,
}

impl Counts {
    fn at(stream: &[u8], at: usize) -> Option<Self> {
        let word = |by: usize| u16_at(stream, at.checked_add(by)?);
        let counts = Self {
            all: word(0)?,
            entries: word(2)?,
            reserved: word(4)?,
        };
        let names = counts.all.checked_sub(counts.reserved)?;
        let plausible =
            RESERVED_COUNTS.contains(&counts.reserved) && names > 0 && names <= counts.entries;
        plausible.then_some(counts)
    }
}

type Names<'a> = Result<Option<Vec<&'a [u8]>>, Short>;

/// The entries behind `counts`, of which `left` may be read; none where they are not what the counts say.
fn entries<'a>(stream: &'a [u8], at: usize, counts: &Counts, left: &mut usize) -> Names<'a> {
    let mut reader = Reader::at(stream, at.saturating_add(10));
    let mut names = Vec::new();
    let mut trailer = None;
    for _ in 0..counts.entries {
        *left = left.saturating_sub(1);
        match entry(&mut reader)? {
            _ if *left == 0 => return Ok(None),
            (_, None) => {}
            (name, found) if trailer.is_none() || trailer == found => {
                trailer = found;
                names.push(name);
            }
            _ => return Ok(None),
        }
    }
    let fits = reader.peek().starts_with(&BEHIND)
        && names.len() == usize::from(counts.all.saturating_sub(counts.reserved));
    Ok(fits.then_some(names))
}

/// One entry: its name, and the word behind its hash, which is the same for all of them. A reserved word that is
/// written in another case than usual has an entry too, without hash, and no number.
fn entry<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], Option<u16>), Short> {
    let [mut len, mut flags] = reader.array("identifier")?;
    let reserved = len == 0 && flags == 0;
    if reserved {
        reader.skip("reserved word", 2)?;
        [len, flags] = reader.array("identifier")?;
    }
    if flags & 0x80 != 0 {
        reader.skip("identifier type", 6)?;
    }
    let name = reader.take("identifier name", usize::from(len))?;
    if reserved {
        return Ok((name, None));
    }
    reader.skip("identifier hash", 2)?;
    Ok((name, Some(reader.u16("identifier end")?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn stream(reserved: u16, entries: &[&[u8]], all: u16) -> Vec<u8> {
        let mut out = vec![0xcc, 0x61, 0x97, 0, 0, 1, 0];
        out.resize(64, 0);
        for number in [all, u16::try_from(entries.len()).unwrap(), reserved, 0, 0] {
            out.extend(number.to_le_bytes());
        }
        out.extend(entries.concat());
        out.extend(BEHIND);
        out
    }

    const PLAIN: &[u8] = b"\x04\x04MainAB\x10\0";
    const TYPED: &[u8] = b"\x05\x80\0\0\xff\x03\x01\0ShellCD\x10\0";
    const EMPTY: &[u8] = b"\0\x80\0\0\xff\x03\xff\xffEF\x10\0";
    const RESERVED_WORD: &[u8] = b"\0\0\x5e\0\x04\x04Goto";

    fn read(stream: &[u8]) -> Option<Vec<Vec<u8>>> {
        let budget = Budget::new(Limits::default(), None);
        let read = Identifiers::read(stream, &budget).unwrap().pop()?;
        Some(read.names.iter().map(|name| name.to_vec()).collect())
    }

    #[test]
    fn names_keep_their_numbers_past_reserved_and_empty_ones() {
        let data = stream(0x103, &[PLAIN, RESERVED_WORD, EMPTY, TYPED], 0x106);
        let budget = Budget::new(Limits::default(), None);
        let names = Identifiers::read(&data, &budget).unwrap().pop().unwrap();
        assert_eq!(names.len(), 3);
        assert_eq!(names.name(0x104 << 1), Some(Identifier::Own(b"Main")));
        assert_eq!(names.name(0x105 << 1), Some(Identifier::Own(b"")));
        assert_eq!(names.name(0x106 << 1), Some(Identifier::Own(b"Shell")));
        assert_eq!(names.name(0x107 << 1), None);
        assert_eq!(names.name(0xffff), Some(Identifier::Reserved("Me")));
        assert_eq!(names.name(2 << 1), Some(Identifier::Reserved("Abs")));
    }

    #[test]
    fn a_table_that_does_not_fit_is_none() {
        let good = stream(0xff, &[PLAIN, TYPED], 0x101);
        assert_eq!(read(&good), Some(vec![b"Main".to_vec(), b"Shell".to_vec()]));
        assert_eq!(read(&stream(0xff, &[PLAIN, TYPED], 0x100)), None);
        assert_eq!(read(&stream(0x80, &[PLAIN, TYPED], 0x82)), None);
        let other_end = b"\x04\x04MainAB\x11\0";
        assert_eq!(read(&stream(0xff, &[PLAIN, other_end], 0x101)), None);
        for len in 0..good.len() {
            assert_eq!(read(&good[..len]), None, "{len}");
        }
        let twice = [good.as_slice(), &good[64..]].concat();
        let budget = Budget::new(Limits::default(), None);
        assert_eq!(Identifiers::read(&twice, &budget).unwrap().len(), 2);
        let mut purged = good.clone();
        purged[2..4].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(read(&purged), None);
        let mut old = good;
        old[2..4].copy_from_slice(&[0x5e, 0]);
        assert_eq!(read(&old), None);
    }
}
