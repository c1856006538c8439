//! ARJ archives (the technical note of ARJ 2.41): headers, and its fastest method.

use std::ops::Range;

use crate::bytes::{Reader, Short, index};

/// Magic of every header.
const MAGIC: u16 = 0xea60;

/// Longest basic header.
const LONGEST: u16 = 2600;

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name, raw, with `/` between folders.
    pub name: &'a [u8],
    /// Whether its data is garbled with a password.
    pub is_locked: bool,
    /// Whether it goes on from or in another volume.
    pub is_split: bool,
    /// 0 stored, 1 to 3 Huffman, 4 fastest.
    pub method: u8,
    /// 0 and 1 are files, 3 is a folder.
    pub kind: u8,
    /// Its length once decoded.
    pub size: u32,
    /// CRC-32 of it.
    pub crc: u32,
    /// Range of its data, which may lie beyond the end.
    pub data: Range<usize>,
}

/// Reads the archive's own header at `at`; gives the offset of the first member.
///
/// # Errors
/// There is none.
pub fn first(data: &[u8], at: usize) -> Result<usize, Short> {
    let mut reader = Reader::at(data, at);
    header(&mut reader)?;
    Ok(reader.offset())
}

/// Reads the member at `at`; none where the archive ends.
///
/// # Errors
/// The header does not fit or has no magic.
pub fn member(data: &[u8], at: usize) -> Result<Option<Member<'_>>, Short> {
    let mut reader = Reader::at(data, at);
    let Some(basic) = header(&mut reader)? else {
        return Ok(None);
    };
    let mut fields = Reader::new(basic);
    let first = fields.u8("size of the first header")?;
    fields.skip("versions, host", 3)?;
    let flags = fields.u8("flags")?;
    let method = fields.u8("method")?;
    let kind = fields.u8("file type")?;
    fields.skip("reserved, time", 5)?;
    let packed = fields.u32("compressed size")?;
    let size = fields.u32("original size")?;
    let crc = fields.u32("checksum")?;
    let rest = basic.get(usize::from(first)..).unwrap_or_default();
    let len = memchr::memchr(0, rest).unwrap_or(rest.len());
    let start = reader.offset();
    Ok(Some(Member {
        name: rest.get(..len).unwrap_or_default(),
        is_locked: flags & 1 != 0,
        is_split: flags & 0x0c != 0,
        method,
        kind,
        size,
        crc,
        data: start..start.saturating_add(index(u64::from(packed))),
    }))
}

/// The basic header; none where its length is 0. The reader then stands behind its extensions.
fn header<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Short> {
    let at = reader.offset();
    let magic = reader.u16("magic of a header")?;
    let len = reader.u16("length of a header")?;
    if magic != MAGIC || len > LONGEST {
        return Err(Short {
            field: "magic of a header",
            expected: 2,
            found: 0,
            offset: at,
        });
    }
    if len == 0 {
        return Ok(None);
    }
    let basic = reader.take("header", usize::from(len))?;
    reader.skip("checksum of a header", 4)?;
    // Ends because each extension takes bytes.
    loop {
        let len = reader.u16("length of an extension")?;
        if len == 0 {
            return Ok(Some(basic));
        }
        reader.skip("extension", usize::from(len).saturating_add(4))?;
    }
}

/// Bits from the most significant one on.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<usize> {
        let byte = self.data.get(self.at >> 3)?;
        let bit = (byte >> (7 - (self.at & 7))) & 1;
        self.at = self.at.saturating_add(1);
        Some(usize::from(bit))
    }

    fn bits(&mut self, count: u32) -> Option<usize> {
        (0..count).try_fold(0, |number: usize, _| Some((number << 1) | self.bit()?))
    }

    /// A number whose width is told by the ones before it.
    fn number(&mut self, from: u32, to: u32) -> Option<usize> {
        let mut base = 0usize;
        let mut width = from;
        while width < to && self.bit()? == 1 {
            base = base.saturating_add(1 << width);
            width = width.saturating_add(1);
        }
        Some(base.saturating_add(self.bits(width)?))
    }
}

/// Decodes method 4 as far as it goes, `size` bytes at the most.
pub fn fastest(data: &[u8], size: usize) -> Vec<u8> {
    /// Shortest match less one.
    const SHORT: usize = 2;
    let mut bits = Bits { data, at: 0 };
    let mut out: Vec<u8> = Vec::with_capacity(size.min(data.len().saturating_mul(8)));
    while out.len() < size {
        let Some(len) = bits.number(0, 7) else {
            break;
        };
        if len == 0 {
            let Some(byte) = bits.bits(8) else {
                break;
            };
            out.push(u8::try_from(byte).unwrap_or_default());
            continue;
        }
        let Some(back) = bits.number(9, 13) else {
            break;
        };
        let Some(from) = out.len().checked_sub(back.saturating_add(1)) else {
            break;
        };
        for at in (from..).take(
            len.saturating_add(SHORT)
                .min(size.saturating_sub(out.len())),
        ) {
            let byte = out.get(at).copied().unwrap_or_default();
            out.push(byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_method_gives_literals_and_matches() {
        // a, b, then four bytes from two back, as bits.
        let bits = "0 01100001 0 01100010 10 0 0 000000001".replace(' ', "");
        let mut data = vec![0u8; bits.len().div_ceil(8)];
        for (at, bit) in bits.bytes().enumerate() {
            data[at / 8] |= (bit - b'0') << (7 - at % 8);
        }
        assert_eq!(fastest(&data, 5), b"ababa");
        assert_eq!(fastest(&data, 3), b"aba");
        assert_eq!(fastest(&[0xff; 9], 100), b"");
    }
}
