//! ARC archives (System Enhancement Associates; "ARC file format" of its documentation): headers, and what unpacks the
//! methods that are codes of bytes: runs, squeezing (Huffman), and LZW with codes that grow.
//!
//! Left out on purpose: the older forms of LZW (methods 5 to 7) and the rare methods behind 9.

use std::io::{Error, ErrorKind, Read, Result};
use std::ops::Range;

use crate::bytes::{Reader, Short, index, u16_at};

/// Bytes of a name; it ends in a zero.
const NAME: usize = 13;

/// What stands before and behind a run, and before nothing for itself.
const RUN: u8 = 0x90;

/// Nodes of a tree of squeezed data.
const NODES: usize = 256;

/// The code that ends squeezed data.
const END: u16 = 256;

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File<'a> {
    /// Its name, raw.
    pub name: &'a [u8],
    /// How it is packed.
    pub method: u8,
    /// Where it lies, as far as it is there.
    pub data: Range<usize>,
    /// Bytes of it that are not there.
    pub missing: usize,
    /// Bytes once unpacked.
    pub size: u64,
    /// Its checksum (CRC-16 with the polynomial a001).
    pub crc: u16,
}

/// The files of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing<'a> {
    /// They, in order.
    pub files: Vec<File<'a>>,
    /// Where the list ends early, and why.
    pub cut: Option<(usize, String)>,
}

/// Reads the headers.
pub fn read(data: &[u8]) -> Listing<'_> {
    let mut listing = Listing::default();
    let mut at = 0;
    // Ends because each turn takes at least a header.
    loop {
        match header(data, at) {
            Ok(Some(file)) => {
                at = file.data.end;
                listing.files.push(file);
            }
            Ok(None) => break,
            Err(short) => {
                listing.cut = Some((at, short.to_string()));
                break;
            }
        }
    }
    listing
}

/// The file whose header stands at `at`; none at the end of the archive.
fn header(data: &[u8], at: usize) -> std::result::Result<Option<File<'_>>, Short> {
    let mut reader = Reader::at(data, at);
    let start = reader.offset();
    let mark = reader.u8("mark of a header")?;
    let method = reader.u8("method")?;
    if mark != 0x1a {
        return Err(Short {
            field: "mark of a header",
            expected: 1,
            found: 0,
            offset: start,
        });
    }
    if method == 0 {
        return Ok(None);
    }
    let name = reader.take("name", NAME)?;
    let len = memchr::memchr(0, name).unwrap_or(NAME);
    let packed = index(u64::from(reader.u32("packed length")?));
    reader.skip("date and time", 4)?;
    let crc = reader.u16("checksum")?;
    // The oldest form has no second length.
    let size = match method {
        1 => crate::bytes::length(packed),
        _ => u64::from(reader.u32("length")?),
    };
    let from = reader.offset();
    let end = from.saturating_add(packed);
    let there = from..end.min(data.len());
    Ok(Some(File {
        name: name.get(..len).unwrap_or(name),
        method,
        missing: end.saturating_sub(there.end),
        data: there,
        size,
        crc,
    }))
}

/// The checksum of a file.
pub fn crc16(data: &[u8]) -> u16 {
    data.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| match crc & 1 {
            0 => crc >> 1,
            _ => crc >> 1 ^ 0xa001,
        })
    })
}

/// What a method makes of packed bytes; none where there is no reader for it.
pub fn unpacked<'a, R: Read + 'a>(method: u8, mut source: R) -> Result<Option<Box<dyn Read + 'a>>> {
    /// Codes of LZW that grow, with one that clears the table.
    const GROWING: u8 = 0x80;
    Ok(Some(match method {
        1 | 2 => Box::new(source),
        3 => Box::new(Runs::new(source)),
        4 => Box::new(Runs::new(Squeezed::new(source)?)),
        8 => {
            let mut longest = [0];
            source.read_exact(&mut longest)?;
            let [longest] = longest;
            let flags = std::io::Cursor::new([longest & 0x1f | GROWING]);
            Box::new(Runs::new(super::lzw::Decoder::new(flags.chain(source))?))
        }
        9 => {
            let flags = std::io::Cursor::new([13 | GROWING]);
            Box::new(super::lzw::Decoder::new(flags.chain(source))?)
        }
        _ => return Ok(None),
    }))
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

/// Bytes of a source one after the other.
fn next(source: &mut impl Read) -> Result<Option<u8>> {
    let mut byte = [0];
    let [byte] = match source.read(&mut byte)? {
        0 => return Ok(None),
        _ => byte,
    };
    Ok(Some(byte))
}

/// A byte, the mark and how often it stands there.
struct Runs<R> {
    source: std::io::BufReader<R>,
    last: u8,
    left: u8,
}

impl<R: Read> Runs<R> {
    fn new(source: R) -> Self {
        Self {
            source: std::io::BufReader::new(source),
            last: 0,
            left: 0,
        }
    }
}

impl<R: Read> Read for Runs<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut written = 0usize;
        for place in out.iter_mut() {
            while self.left == 0 {
                let Some(byte) = next(&mut self.source)? else {
                    return Ok(written);
                };
                if byte != RUN {
                    (self.last, self.left) = (byte, 1);
                    continue;
                }
                match next(&mut self.source)? {
                    None => return Err(broken("it ends inside of a run")),
                    Some(0) => (self.last, self.left) = (RUN, 1),
                    // The byte itself came before.
                    Some(count) => self.left = count.saturating_sub(1),
                }
            }
            *place = self.last;
            self.left = self.left.saturating_sub(1);
            written = written.saturating_add(1);
        }
        Ok(written)
    }
}

/// Squeezed bytes: a tree of pairs, then codes from the lowest bit on.
struct Squeezed<R> {
    source: R,
    nodes: Vec<[u16; 2]>,
    bits: u8,
    held: u8,
    ended: bool,
}

impl<R: Read> Squeezed<R> {
    fn new(mut source: R) -> Result<Self> {
        let mut word = || -> Result<u16> {
            let mut bytes = [0; 2];
            source.read_exact(&mut bytes)?;
            Ok(u16_at(&bytes, 0).unwrap_or_default())
        };
        let count = usize::from(word()?);
        if count > NODES {
            return Err(broken("a tree of too many nodes"));
        }
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push([word()?, word()?]);
        }
        Ok(Self {
            source,
            ended: nodes.is_empty(),
            nodes,
            bits: 0,
            held: 0,
        })
    }

    fn symbol(&mut self) -> Result<Option<u8>> {
        let mut node = 0u16;
        // Ends because no way through a tree is longer than it has nodes.
        for _ in 0..=NODES {
            if self.held == 0 {
                let Some(byte) = next(&mut self.source)? else {
                    return Err(broken("squeezed data without its end"));
                };
                (self.bits, self.held) = (byte, 8);
            }
            let side = usize::from(self.bits & 1);
            self.bits >>= 1;
            self.held = self.held.saturating_sub(1);
            let pair = self.nodes.get(usize::from(node));
            let to = pair.and_then(|pair| pair.get(side)).copied();
            let to = to.ok_or_else(|| broken("a tree that leads out of itself"))?;
            if to & 0x8000 != 0 {
                // Leaves are kept as their number's complement.
                return Ok(match !to {
                    END => None,
                    symbol => u8::try_from(symbol).ok(),
                });
            }
            node = to;
        }
        Err(broken("a tree that leads back into itself"))
    }
}

impl<R: Read> Read for Squeezed<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut written = 0usize;
        for place in out.iter_mut() {
            if self.ended {
                break;
            }
            match self.symbol() {
                Ok(Some(byte)) => *place = byte,
                Ok(None) => {
                    self.ended = true;
                    break;
                }
                Err(_) if written > 0 => break,
                Err(error) => return Err(error),
            }
            written = written.saturating_add(1);
        }
        Ok(written)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A file: name, method, packed, content.
    pub(crate) type Packed<'a> = (&'a [u8], u8, &'a [u8], &'a [u8]);

    /// An archive of files.
    pub(crate) fn archive(files: &[Packed<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, method, packed, content) in files {
            out.extend([0x1a, *method]);
            let mut field = name.to_vec();
            field.resize(NAME, 0);
            out.extend(field);
            out.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
            out.extend([0x21, 0x58, 0, 0]);
            out.extend(crc16(content).to_le_bytes());
            out.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
            out.extend(*packed);
        }
        out.extend([0x1a, 0]);
        out
    }

    /// Runs of up to 255 bytes.
    pub(crate) fn with_runs(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for run in content.chunk_by(|one, other| one == other) {
            for part in run.chunks(255) {
                out.push(part[0]);
                if part[0] == RUN {
                    out.push(0);
                }
                if part.len() > 1 {
                    out.extend([RUN, u8::try_from(part.len()).unwrap()]);
                }
            }
        }
        out
    }

    /// Codes of nine bits, cleared before any would have to grow.
    pub(crate) fn with_codes(content: &[u8]) -> Vec<u8> {
        const FULL: u16 = 510;
        let mut codes: Vec<u16> = Vec::new();
        let (mut table, mut free, mut prefix) = (BTreeMap::new(), 257u16, None);
        for byte in content {
            let Some(known) = prefix else {
                prefix = Some(u16::from(*byte));
                continue;
            };
            if let Some(longer) = table.get(&(known, *byte)) {
                prefix = Some(*longer);
                continue;
            }
            codes.push(known);
            table.insert((known, *byte), free);
            free += 1;
            prefix = Some(u16::from(*byte));
            if free == FULL {
                codes.push(256);
                // A clearing code ends its group of eight.
                codes.resize(codes.len().next_multiple_of(8), 0);
                (table, free) = (BTreeMap::new(), 257);
            }
        }
        codes.extend(prefix);
        let pack = |eight: &[u16]| {
            let bits = eight.iter().enumerate();
            let bits = bits.fold(0u128, |bits, (at, code)| {
                bits | u128::from(*code) << (9 * at)
            });
            bits.to_le_bytes()[..(9 * eight.len()).div_ceil(8)].to_vec()
        };
        codes.chunks(8).flat_map(pack).collect()
    }

    /// An archive of one file of zeros, far more than it is itself.
    pub(crate) fn bomb() -> Vec<u8> {
        const RUNS: usize = 170_000;
        let codes = with_codes(&[0, RUN, 255].repeat(RUNS));
        let mut out = archive(&[(b"A", 8, &[&[12], codes.as_slice()].concat(), b"")]);
        let size = u32::try_from(255 * RUNS).unwrap();
        out[25..29].copy_from_slice(&size.to_le_bytes());
        out
    }

    fn all(method: u8, packed: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        std::io::copy(&mut unpacked(method, packed)?.unwrap(), &mut out)?;
        Ok(out)
    }

    #[test]
    fn every_method_gives_its_bytes() {
        let content = [
            b"a text of words\x90 and ".as_slice(),
            &[b'x'; 700],
            b"the end",
        ]
        .concat();
        let runs = with_runs(&content);
        assert!(runs.len() < 100);
        assert_eq!(all(2, &content).unwrap(), content);
        assert_eq!(all(3, &runs).unwrap(), content);
        let codes = [&[12], with_codes(&runs).as_slice()].concat();
        assert_eq!(all(8, &codes).unwrap(), content);
        assert_eq!(all(9, &with_codes(&content)).unwrap(), content);
        // A tree of three leaves: b is 0, a is 10, the end is 11.
        let leaf = |symbol: u16| (!symbol).to_le_bytes();
        let tree = [[2, 0], leaf(98), [1, 0], leaf(97), leaf(256)].concat();
        // b, a, b and the end, from the lowest bit on.
        let squeezed = [tree.as_slice(), &[0b0011_0010]].concat();
        assert_eq!(all(4, &squeezed).unwrap(), b"bab");
        assert!(all(4, &squeezed[..tree.len()]).is_err());
        assert!(unpacked(5, &b""[..]).unwrap().is_none());
    }

    #[test]
    fn trees_that_lead_nowhere_end() {
        let looped = [1, 0, 0, 0, 0, 0, 0xff, 0xff];
        assert!(all(4, &looped).is_err());
        let outside = [1, 0, 9, 0, 9, 0, 0xff];
        assert!(all(4, &outside).is_err());
        assert!(all(4, &[0xff, 0xff]).is_err());
        assert!(all(3, &[b'a', RUN]).is_err());
    }
}
