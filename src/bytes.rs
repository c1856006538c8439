//! A checked cursor over foreign bytes.
//!
//! Whatever comes from a message is read through [`Reader`]: it cannot leave its slice, and a read that
//! does not fit says which field it was, how much it wanted, how much was there, and where.

use std::fmt;

/// A read that went past the end of what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short {
    /// Name of the field in its specification.
    pub field: &'static str,
    /// Bytes wanted.
    pub expected: usize,
    /// Bytes left.
    pub found: usize,
    /// Offset of the field from the start of the outermost slice.
    pub offset: usize,
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            expected,
            found,
            offset,
        } = self;
        write!(
            f,
            "{field}: expected {expected} bytes at offset {offset}, found {found}"
        )
    }
}

impl std::error::Error for Short {}

impl Short {
    /// A number of `expected` bytes at `offset` that is missing, or is none that its specification allows.
    pub const fn number(field: &'static str, expected: usize, offset: usize) -> Self {
        Self {
            field,
            expected,
            found: 0,
            offset,
        }
    }
}

/// Something that its specification does not allow, and that was read all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// Offset in the bytes that were read.
    pub at: usize,
    /// What was expected and what was found.
    pub what: String,
}

impl Deviation {
    /// Makes a deviation from its offset and a sentence.
    pub fn new(at: usize, what: impl Into<String>) -> Self {
        Self {
            at,
            what: what.into(),
        }
    }
}

/// A cursor over `&[u8]` that never panics and never leaves its bounds.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `data`.
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            base: 0,
        }
    }

    /// Starts at byte `at` of `data` (at its end where `at` lies beyond).
    pub fn at(data: &'a [u8], at: usize) -> Self {
        Self {
            data,
            at: at.min(data.len()),
            base: 0,
        }
    }

    /// Offset of the next byte from the start of the outermost slice.
    pub fn offset(&self) -> usize {
        self.base.saturating_add(self.at)
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.data.len().saturating_sub(self.at)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// Takes the next `len` bytes.
    pub fn take(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], Short> {
        let short = Short {
            field,
            expected: len,
            found: self.remaining(),
            offset: self.offset(),
        };
        let end = self.at.checked_add(len).ok_or(short)?;
        let taken = self.data.get(self.at..end).ok_or(short)?;
        self.at = end;
        Ok(taken)
    }

    /// Takes the next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Short> {
        let short = Short {
            field,
            expected: N,
            found: self.remaining(),
            offset: self.offset(),
        };
        self.take(field, N)?.try_into().map_err(|_| short)
    }

    /// Takes all that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.data.get(self.at..).unwrap_or_default();
        self.at = self.data.len();
        rest
    }

    /// Looks at what is left without taking it.
    pub fn peek(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    /// Takes `len` bytes as a reader of their own, for a nested structure that must not leave its length.
    pub fn sub(&mut self, field: &'static str, len: usize) -> Result<Self, Short> {
        let base = self.offset();
        Ok(Self {
            data: self.take(field, len)?,
            at: 0,
            base,
        })
    }

    /// Passes over `len` bytes.
    pub fn skip(&mut self, field: &'static str, len: usize) -> Result<(), Short> {
        self.take(field, len).map(|_| ())
    }

    /// Next byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, Short> {
        self.array(field).map(u8::from_le_bytes)
    }

    /// Next two bytes, little endian.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, Short> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// Next four bytes, little endian.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, Short> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Next eight bytes, little endian.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, Short> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// Next two bytes, big endian.
    pub fn u16_be(&mut self, field: &'static str) -> Result<u16, Short> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// Next four bytes, big endian.
    pub fn u32_be(&mut self, field: &'static str) -> Result<u32, Short> {
        self.array(field).map(u32::from_be_bytes)
    }
}

/// The `len` bytes at `at`, or `None` where they are not all there.
pub fn slice(data: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    data.get(at..at.checked_add(len)?)
}

/// The little-endian 16-bit number at `at`.
pub fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    slice(data, at, 2)?.try_into().ok().map(u16::from_le_bytes)
}

/// The little-endian 32-bit number at `at`.
pub fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    slice(data, at, 4)?.try_into().ok().map(u32::from_le_bytes)
}

/// The little-endian 64-bit number at `at`.
pub fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    slice(data, at, 8)?.try_into().ok().map(u64::from_le_bytes)
}

/// The big-endian 16-bit number at `at`.
pub fn be16_at(data: &[u8], at: usize) -> Option<u16> {
    slice(data, at, 2)?.try_into().ok().map(u16::from_be_bytes)
}

/// The big-endian 32-bit number at `at`.
pub fn be32_at(data: &[u8], at: usize) -> Option<u32> {
    slice(data, at, 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// The big-endian 64-bit number at `at`.
pub fn be64_at(data: &[u8], at: usize) -> Option<u64> {
    slice(data, at, 8)?.try_into().ok().map(u64::from_be_bytes)
}

/// A length or offset of a file as an index; more than this machine can address saturates and so reads as "not there".
pub fn index(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(usize::MAX)
}

/// A length in memory as a length in a report.
pub fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sub_reader_cannot_leave_its_length_and_errors_count_from_the_outermost_slice() {
        let mut outer = Reader::new(&[1, 2, 3, 4, 5]);
        outer.skip("head", 1).unwrap();
        let mut inner = outer.sub("body", 2).unwrap();
        assert_eq!(inner.u8("first"), Ok(2));
        let short = inner.u16("second").unwrap_err();
        assert_eq!(
            short,
            Short {
                field: "second",
                expected: 2,
                found: 1,
                offset: 2
            }
        );
        assert_eq!(
            short.to_string(),
            "second: expected 2 bytes at offset 2, found 1"
        );
        assert_eq!(outer.rest(), [4, 5]);
    }

    #[test]
    fn lengths_that_overflow_are_short_reads() {
        let mut reader = Reader::at(&[0; 4], 3);
        assert!(reader.take("all", usize::MAX).is_err());
        assert_eq!(slice(&[0; 4], usize::MAX, 2), None);
    }
}
