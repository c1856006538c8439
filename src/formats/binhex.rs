//! BinHex 4.0 (RFC 1741): a file of old Macintosh as text: name, type, data fork, resource fork.

use std::io::Read;

use crate::bytes::{Reader, Short, be16_at, index};

/// The line in front (RFC 1741 section 4), as far as all writers agree.
pub const MARK: &[u8] = b"(This file must be converted with BinHex";

/// The characters of the encoding, in the order of their values.
const ALPHABET: &[u8; 64] = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";

/// Marks a run: the byte before it, as often as the next says.
const RUN: u8 = 0x90;

/// Offset of the first character between the colons; none without the mark.
pub fn start(data: &[u8]) -> Option<usize> {
    let mark = memchr::memmem::find(data, MARK)?;
    let line = memchr::memchr2(b'\r', b'\n', data.get(mark..)?)?.checked_add(mark)?;
    memchr::memchr(b':', data.get(line..)?)?
        .checked_add(line)?
        .checked_add(1)
}

/// Decodes the characters up to the closing colon, and expands runs.
#[derive(Debug)]
pub struct Decoder<'a> {
    text: std::slice::Iter<'a, u8>,
    bits: u32,
    count: u32,
    last: u8,
    left: u8,
    ended: bool,
}

impl<'a> Decoder<'a> {
    /// A decoder of what stands behind the first colon.
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            text: text.iter(),
            bits: 0,
            count: 0,
            last: 0,
            left: 0,
            ended: false,
        }
    }

    /// The next byte before runs are expanded.
    fn raw(&mut self) -> Option<u8> {
        while self.count < 8 {
            let &byte = self.text.next().filter(|_| !self.ended)?;
            if byte.is_ascii_whitespace() {
                continue;
            }
            let Some(value) = ALPHABET.iter().position(|known| *known == byte) else {
                self.ended = true;
                return None;
            };
            self.bits = (self.bits & 0x3ff) << 6 | u32::try_from(value).unwrap_or(0);
            self.count = self.count.saturating_add(6);
        }
        self.count = self.count.saturating_sub(8);
        let [byte, ..] = (self.bits >> self.count & 0xff).to_le_bytes();
        Some(byte)
    }

    fn next(&mut self) -> Option<u8> {
        // Ends because each turn takes a byte of the text or of a run.
        loop {
            if let Some(left) = self.left.checked_sub(1) {
                self.left = left;
                return Some(self.last);
            }
            let byte = self.raw()?;
            if byte != RUN {
                self.last = byte;
                return Some(byte);
            }
            match self.raw()? {
                0 => {
                    self.last = RUN;
                    return Some(RUN);
                }
                // The byte itself is out already.
                times => self.left = times.saturating_sub(1),
            }
        }
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let mut len = 0;
        for slot in out.iter_mut() {
            let Some(byte) = self.next() else { break };
            *slot = byte;
            len += 1;
        }
        Ok(len)
    }
}

/// A decoded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File<'a> {
    /// Its name, in an eight-bit charset.
    pub name: &'a [u8],
    /// Where the data fork lies in the decoded bytes, as far as it is there.
    pub data: std::ops::Range<usize>,
    /// Where the resource fork lies.
    pub resource: std::ops::Range<usize>,
    /// Bytes of both that are missing.
    pub missing: usize,
    /// The parts whose checksums are there and do not hold.
    pub wrong: Vec<&'static str>,
}

/// Reads the header in decoded bytes (RFC 1741 section 4).
pub fn file(decoded: &[u8]) -> Result<File<'_>, Short> {
    let mut reader = Reader::new(decoded);
    let len = usize::from(reader.u8("name length")?);
    let name = reader.take("name", len)?;
    reader.skip("version, type, creator, flags", 11)?;
    let data_len = index(reader.u32_be("data length")?);
    let resource_len = index(reader.u32_be("resource length")?);
    let header = decoded.get(..reader.offset()).unwrap_or_default();
    let mut wrong = Vec::new();
    if reader.u16_be("header checksum")? != checksum(header) {
        wrong.push("header");
    }
    let mut missing = 0usize;
    let mut fork = |start: usize, len: usize| {
        let start = start.min(decoded.len());
        let end = start.saturating_add(len).min(decoded.len());
        missing = missing.saturating_add(len.saturating_sub(end.saturating_sub(start)));
        start..end
    };
    let at = reader.offset();
    let data = fork(at, data_len);
    let behind = at.saturating_add(data_len).saturating_add(2);
    let resource = fork(behind, resource_len);
    let parts = [
        ("data", data_len, &data),
        ("resource fork", resource_len, &resource),
    ];
    for (part, len, range) in parts {
        let fork = decoded.get(range.clone()).unwrap_or_default();
        let stored = be16_at(decoded, range.end);
        if fork.len() == len && stored.is_some_and(|stored| stored != checksum(fork)) {
            wrong.push(part);
        }
    }
    Ok(File {
        name,
        data,
        resource,
        missing,
        wrong,
    })
}

/// The checksum of a part (RFC 1741 section 4): CRC-16 with the polynomial 1021.
pub fn checksum(data: &[u8]) -> u16 {
    data.iter().fold(0, |crc: u16, byte| {
        // The eight steps of a byte at once.
        let crc = crc.rotate_left(8) ^ u16::from(*byte);
        let crc = crc ^ (crc & 0xff) >> 4;
        let crc = crc ^ crc << 12;
        crc ^ (crc & 0xff) << 5
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A file as BinHex text.
    pub(crate) fn encoded(name: &[u8], data: &[u8], resource: &[u8]) -> Vec<u8> {
        let mut plain = vec![u8::try_from(name.len()).unwrap()];
        plain.extend(name);
        plain.extend(b"\0TEXTttxt\0\0");
        plain.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        plain.extend(u32::try_from(resource.len()).unwrap().to_be_bytes());
        plain.extend(checksum(&plain).to_be_bytes());
        for fork in [data, resource] {
            plain.extend(fork);
            plain.extend(checksum(fork).to_be_bytes());
        }
        let mut runs = Vec::new();
        for run in plain.chunk_by(|one, next| one == next && *one != RUN) {
            for part in run.chunks(255) {
                match part {
                    [RUN] => runs.extend([RUN, 0]),
                    [byte, _, _, ..] => {
                        runs.extend([*byte, RUN, u8::try_from(part.len()).unwrap()]);
                    }
                    few => runs.extend(few),
                }
            }
        }
        text(&runs)
    }

    /// Bytes with runs as text.
    fn text(runs: &[u8]) -> Vec<u8> {
        let mut out = [MARK, b" 4.0)\r\n:"].concat();
        for three in runs.chunks(3) {
            let mut bytes = [0u8; 4];
            bytes[1..=three.len()].copy_from_slice(three);
            let bits = u32::from_be_bytes(bytes);
            for at in 0..=three.len() {
                out.push(ALPHABET[usize::try_from(bits >> (18 - 6 * at) & 63).unwrap()]);
            }
        }
        out.extend(b":\r\n");
        out
    }

    fn decoded(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let from = start(text).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the decoder by itself is tested")]
        Decoder::new(&text[from..]).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn forks_and_name_are_read() {
        let text = encoded(b"a.txt", b"Hello \x90 there", b"rsrc");
        let plain = decoded(&text);
        let file = file(&plain).unwrap();
        assert_eq!(file.name, b"a.txt");
        assert_eq!(&plain[file.data.clone()], b"Hello \x90 there");
        assert_eq!(&plain[file.resource.clone()], b"rsrc");
        assert_eq!(file.missing, 0);
    }

    #[test]
    fn runs_expand() {
        // The bytes 0x41 0x90 0x04: four times the letter.
        let bits = 0x0041_9004u32;
        let text: Vec<u8> = (0..4)
            .map(|at| ALPHABET[usize::try_from(bits >> (18 - 6 * at) & 63).unwrap()])
            .collect();
        let mut out = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "the decoder by itself is tested")]
        Decoder::new(&text).read_to_end(&mut out).unwrap();
        assert_eq!(out, b"AAAA");
    }

    #[test]
    fn a_run_of_one_byte_adds_none_and_a_run_may_follow_it() {
        let runs = |runs: &[u8]| decoded(&text(runs));
        assert_eq!(runs(b"A\x90\x01\x90\x03BC"), b"AAABC");
        assert_eq!(runs(b"A\x90\x01\x90\x00B\x90\x02"), b"A\x90BB");
        assert_eq!(runs(b"A\x90\x01BCD"), b"ABCD");
    }

    #[test]
    fn checksums_that_do_not_hold_are_told() {
        // As the standard's check value of this CRC is given.
        assert_eq!(checksum(b"123456789"), 0x31c3);
        let plain = decoded(&encoded(b"a.txt", b"content", b"rsrc"));
        assert_eq!(file(&plain).unwrap().wrong, [""; 0]);
        for (at, part) in [(1, "header"), (30, "data"), (40, "resource fork")] {
            let mut lying = plain.clone();
            lying[at] ^= 1;
            assert_eq!(file(&lying).unwrap().wrong, [part], "{at}");
        }
    }

    #[test]
    fn a_cut_file_tells_what_is_missing() {
        let varied: Vec<u8> = (0..90).collect();
        let text = encoded(b"a.txt", &varied, b"");
        let plain = decoded(&text[..text.len() - 60]);
        let file = file(&plain).unwrap();
        assert!(file.missing > 30);
        assert!(!file.data.is_empty());
    }
}
