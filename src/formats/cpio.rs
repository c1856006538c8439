//! cpio archives (cpio(5)): old binary in either byte order, odc, newc and crc.

use std::ops::Range;

use crate::bytes::{Reader, Short, index};

/// Name of the entry behind the last one.
const TRAILER: &[u8] = b"TRAILER!!!";

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name, raw.
    pub name: &'a [u8],
    /// File type and permissions.
    pub mode: u32,
    /// The range of its data.
    pub data: Range<usize>,
    /// First byte behind it and its padding.
    pub end: usize,
    /// The sum of the bytes of its data, in the form that has one.
    pub sum: Option<u32>,
}

impl Entry<'_> {
    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        matches!(self.mode & 0o170_000, 0o100_000 | 0)
    }

    /// Whether it is a link, whose data is the target.
    pub fn is_link(&self) -> bool {
        self.mode & 0o170_000 == 0o120_000
    }
}

/// Reads the entry at `at`; none behind the last one.
///
/// # Errors
/// The header is none, or it does not fit. The data may lie beyond the end.
pub fn entry(data: &[u8], at: usize) -> Result<Option<Entry<'_>>, Short> {
    let mut reader = Reader::at(data, at);
    let magic = reader.peek().get(..6).unwrap_or_default();
    let mut sum = None;
    let (mode, name_len, size, pad) = match magic {
        b"070701" | b"070702" => {
            reader.skip("magic", 6)?;
            let fields = numbers(&mut reader, &[8; 13], 16)?;
            sum = (magic == b"070702").then(|| u32::try_from(field(&fields, 12)).unwrap_or(0));
            (field(&fields, 1), field(&fields, 11), field(&fields, 6), 4)
        }
        b"070707" => {
            reader.skip("magic", 6)?;
            let fields = numbers(&mut reader, &[6, 6, 6, 6, 6, 6, 6, 11, 6, 11], 8)?;
            (field(&fields, 2), field(&fields, 8), field(&fields, 9), 1)
        }
        [0xc7, 0x71, ..] => binary(&mut reader, u16::from_le_bytes)?,
        [0x71, 0xc7, ..] => binary(&mut reader, u16::from_be_bytes)?,
        _ => {
            return Err(Short {
                offset: at,
                field: "magic of a cpio entry",
                expected: 6,
                found: magic.len(),
            });
        }
    };
    let name = reader.take("name of an entry", index(name_len))?;
    let name = name.strip_suffix(b"\0").unwrap_or(name);
    if name == TRAILER {
        return Ok(None);
    }
    let aligned = |offset: usize| offset.checked_next_multiple_of(pad).unwrap_or(usize::MAX);
    // Padding counts from the start of the archive in newc, of the header in binary; both are even there.
    let start = aligned(reader.offset().saturating_sub(at)).saturating_add(at);
    let end = start.saturating_add(index(size));
    Ok(Some(Entry {
        name,
        mode: u32::try_from(mode).unwrap_or_default(),
        data: start..end,
        end: aligned(end.saturating_sub(at)).saturating_add(at),
        sum,
    }))
}

fn binary(
    reader: &mut Reader<'_>,
    order: fn([u8; 2]) -> u16,
) -> Result<(u64, u64, u64, usize), Short> {
    let raw = reader.take("header of an entry", 26)?;
    let words: Vec<u64> = raw
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u64::from(order(*pair)))
        .collect();
    let size = (field(&words, 11) << 16) | field(&words, 12);
    Ok((field(&words, 3), field(&words, 10), size, 2))
}

fn field(fields: &[u64], at: usize) -> u64 {
    fields.get(at).copied().unwrap_or_default()
}

fn numbers(reader: &mut Reader<'_>, widths: &[usize], radix: u32) -> Result<Vec<u64>, Short> {
    let mut fields = Vec::with_capacity(widths.len());
    for width in widths {
        let at = reader.offset();
        let raw = reader.take("number of a header", *width)?;
        let number = std::str::from_utf8(raw)
            .ok()
            .and_then(|text| u64::from_str_radix(text.trim(), radix).ok());
        fields.push(number.ok_or(Short {
            offset: at,
            field: "number of a header",
            expected: *width,
            found: 0,
        })?);
    }
    Ok(fields)
}
