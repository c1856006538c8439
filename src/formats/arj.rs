//! ARJ archives (the technical note of ARJ 2.41): headers, and its fastest method.

use std::io::Read;
use std::ops::Range;

use super::zip::crc32;
use crate::bytes::{Reader, Short, index};

/// Magic of every header.
const MAGIC: u16 = 0xea60;

/// Longest basic header.
const LONGEST: u16 = 2600;

/// Extensions of one header: no version of ARJ has written any.
const EXTENSIONS: usize = 64;

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
    /// Whether the checksum of its header holds.
    pub holds: bool,
}

/// Reads the archive's own header at `at`; gives the offset of the first member, and whether its checksum holds.
///
/// # Errors
/// There is none.
pub fn first(data: &[u8], at: usize) -> Result<(usize, bool), Short> {
    let mut reader = Reader::at(data, at);
    let header = header(&mut reader)?;
    Ok((reader.offset(), header.is_none_or(|(_, holds)| holds)))
}

/// Reads the member at `at`; none where the archive ends.
///
/// # Errors
/// The header does not fit or has no magic.
pub fn member(data: &[u8], at: usize) -> Result<Option<Member<'_>>, Short> {
    let mut reader = Reader::at(data, at);
    let Some((basic, holds)) = header(&mut reader)? else {
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
        holds,
    }))
}

/// The basic header, and whether its checksum holds; none where its length is 0. The reader then stands behind its
/// extensions.
fn header<'a>(reader: &mut Reader<'a>) -> Result<Option<(&'a [u8], bool)>, Short> {
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
    let holds = reader.u32("checksum of a header")? == crc32(basic);
    for _ in 0..EXTENSIONS {
        let len = reader.u16("length of an extension")?;
        if len == 0 {
            return Ok(Some((basic, holds)));
        }
        reader.skip("extension", usize::from(len).saturating_add(4))?;
    }
    Err(Short {
        field: "end of the extensions of a header",
        expected: 2,
        found: 0,
        offset: reader.offset(),
    })
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

/// Bytes that a match may go back: all that the widest number can say.
const WINDOW: usize = 1 << 15;

/// Decodes method 4 as far as it goes.
pub struct Fastest<'a> {
    bits: Bits<'a>,
    /// The bytes that came last, and some that nobody took yet.
    window: Vec<u8>,
    given: usize,
    left: usize,
}

impl<'a> Fastest<'a> {
    /// A decoder of `size` bytes at the most.
    pub fn new(data: &'a [u8], size: usize) -> Self {
        Self {
            bits: Bits { data, at: 0 },
            window: Vec::new(),
            given: 0,
            left: size,
        }
    }

    /// Decodes one byte or one match; none where nothing more comes.
    fn step(&mut self) -> Option<()> {
        /// Shortest match less one.
        const SHORT: usize = 2;
        let len = self.bits.number(0, 7)?;
        if len == 0 {
            let byte = self.bits.bits(8)?;
            self.window.push(u8::try_from(byte).unwrap_or_default());
            self.left = self.left.saturating_sub(1);
            return Some(());
        }
        let back = self.bits.number(9, 13)?;
        let from = self.window.len().checked_sub(back.saturating_add(1))?;
        let len = len.saturating_add(SHORT).min(self.left);
        for at in (from..).take(len) {
            let byte = self.window.get(at).copied().unwrap_or_default();
            self.window.push(byte);
        }
        self.left = self.left.saturating_sub(len);
        Some(())
    }
}

impl Read for Fastest<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.window.len() > 4 * WINDOW {
            let old = self.window.len().saturating_sub(WINDOW).min(self.given);
            self.window.drain(..old);
            self.given = self.given.saturating_sub(old);
        }
        let wanted = self.given.saturating_add(out.len().min(WINDOW));
        // Ends because each step takes bits and makes a byte.
        while self.window.len() < wanted && self.left > 0 && self.step().is_some() {}
        let waiting = self.window.get(self.given..).unwrap_or_default();
        let len = waiting.len().min(out.len());
        for (place, byte) in out.iter_mut().zip(waiting) {
            *place = *byte;
        }
        self.given = self.given.saturating_add(len);
        Ok(len)
    }
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
        let fastest = |data: &[u8], size: usize| {
            let mut out: Vec<u8> = Vec::new();
            let mut decoder = Fastest::new(data, size);
            let mut piece = [0; 3];
            while let Ok(len @ 1..) = decoder.read(&mut piece) {
                out.extend(&piece[..len]);
            }
            out
        };
        assert_eq!(fastest(&data, 5), b"ababa");
        assert_eq!(fastest(&data, 3), b"aba");
        assert_eq!(fastest(&[0xff; 9], 100), b"");
        // A byte and matches of 256 from one back, far beyond a window.
        let bits = format!("0 01100001 {}", "1111111 1111111 0 000000000 ".repeat(1000));
        let bits = bits.replace(' ', "");
        let mut data = vec![0u8; bits.len().div_ceil(8)];
        for (at, bit) in bits.bytes().enumerate() {
            data[at / 8] |= (bit - b'0') << (7 - at % 8);
        }
        assert_eq!(fastest(&data, 250_000), vec![b'a'; 250_000]);
    }
}
