//! LZW of Unix compress (`.Z`; the format of compress 4.0): a reader over the codes.

use std::io::{Error, ErrorKind, Read, Result};

/// First free code behind the bytes and, in block mode, the code that clears the table.
const CLEAR: u16 = 256;

/// Shortest code in bits.
const SHORTEST: u8 = 9;

/// Longest code in bits that any program writes.
const LONGEST: u8 = 16;

/// Decodes the data behind the two magic bytes.
#[derive(Debug)]
pub struct Decoder<R> {
    source: R,
    longest: u8,
    block_mode: bool,
    width: u8,
    bits: u32,
    held: u8,
    /// Codes read since the width last changed: codes come in groups of eight.
    in_group: u8,
    prefixes: Vec<u16>,
    suffixes: Vec<u8>,
    previous: Option<u16>,
    first: u8,
    /// Decoded bytes that were not asked for yet, the last one first.
    waiting: Vec<u8>,
    ended: bool,
    /// Damage that was met behind bytes that were handed out first.
    fault: Option<Error>,
}

impl<R: Read> Decoder<R> {
    /// A decoder over `source`, which begins with the flags byte.
    ///
    /// # Errors
    /// The source has no flags byte, or it asks for codes longer than 16 bits.
    pub fn new(mut source: R) -> Result<Self> {
        let mut flags = [0];
        source.read_exact(&mut flags)?;
        let [flags] = flags;
        let longest = flags & 0x1f;
        if !(SHORTEST..=LONGEST).contains(&longest) {
            return Err(broken("codes of a length that does not exist"));
        }
        let block_mode = flags & 0x80 != 0;
        let mut decoder = Self {
            source,
            longest,
            block_mode,
            width: SHORTEST,
            bits: 0,
            held: 0,
            in_group: 0,
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            previous: None,
            first: 0,
            waiting: Vec::new(),
            ended: false,
            fault: None,
        };
        decoder.clear();
        Ok(decoder)
    }

    fn clear(&mut self) {
        let reserved = usize::from(CLEAR).saturating_add(usize::from(self.block_mode));
        self.prefixes.clear();
        self.prefixes.resize(reserved, 0);
        self.suffixes = (0..=u8::MAX).collect();
        self.suffixes.resize(reserved, 0);
        self.previous = None;
    }

    fn entries(&self) -> usize {
        self.prefixes.len()
    }

    /// The next code; none at the end of the source.
    fn code(&mut self) -> Result<Option<u16>> {
        while self.held < self.width {
            let mut byte = [0];
            if self.source.read(&mut byte)? == 0 {
                return Ok(None);
            }
            let [byte] = byte;
            self.bits |= u32::from(byte) << self.held;
            self.held = self.held.saturating_add(8);
        }
        let mask = (1u32 << self.width).wrapping_sub(1);
        let code = self.bits & mask;
        self.bits >>= self.width;
        self.held = self.held.saturating_sub(self.width);
        self.in_group = self.in_group.wrapping_add(1) & 7;
        Ok(u16::try_from(code).ok())
    }

    /// The rest of a group of eight codes is padding when the width changes.
    fn set_width(&mut self, width: u8) -> Result<()> {
        while self.in_group != 0 {
            if self.code()?.is_none() {
                self.in_group = 0;
            }
        }
        self.bits = 0;
        self.held = 0;
        self.width = width;
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        let full = 1usize << self.width;
        if self.entries() >= full && self.width < self.longest {
            let width = self.width.saturating_add(1);
            self.set_width(width)?;
        }
        let Some(code) = self.code()? else {
            self.ended = true;
            return Ok(());
        };
        if self.block_mode && code == CLEAR {
            self.set_width(SHORTEST)?;
            self.clear();
            return Ok(());
        }
        let Some(previous) = self.previous else {
            let byte = u8::try_from(code).map_err(|_| broken("the first code is no byte"))?;
            self.first = byte;
            self.waiting.push(byte);
            self.previous = Some(code);
            return Ok(());
        };
        let known = usize::from(code) < self.entries();
        if usize::from(code) > self.entries() {
            return Err(broken("a code that does not exist yet"));
        }
        let mut at = code;
        if !known {
            self.waiting.push(self.first);
            at = previous;
        }
        // Ends because a prefix is always an older entry.
        while at > u16::from(u8::MAX) {
            let place = usize::from(at);
            let (Some(suffix), Some(prefix)) = (self.suffixes.get(place), self.prefixes.get(place))
            else {
                return Err(broken("a code without an entry"));
            };
            self.waiting.push(*suffix);
            at = *prefix;
        }
        self.first = u8::try_from(at).unwrap_or_default();
        self.waiting.push(self.first);
        if self.entries() < 1usize << self.longest {
            self.prefixes.push(previous);
            self.suffixes.push(self.first);
        }
        self.previous = Some(code);
        Ok(())
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if let Some(fault) = self.fault.take() {
            self.ended = true;
            return Err(fault);
        }
        let mut written = 0usize;
        for byte in out.iter_mut() {
            while self.waiting.is_empty() && !self.ended {
                match self.step() {
                    Ok(()) => {}
                    Err(fault) if written > 0 => {
                        self.fault = Some(fault);
                        return Ok(written);
                    }
                    Err(fault) => return Err(fault),
                }
            }
            match self.waiting.pop() {
                Some(decoded) => *byte = decoded,
                None => break,
            }
            written = written.saturating_add(1);
        }
        Ok(written)
    }
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes of nine bits, eight in nine bytes.
    fn packed(codes: &[u16]) -> Vec<u8> {
        let mut out = vec![0x90];
        let (mut bits, mut held) = (0u32, 0);
        for code in codes {
            bits |= u32::from(*code) << held;
            held += 9;
            while held >= 8 {
                out.push(bits.to_le_bytes()[0]);
                bits >>= 8;
                held -= 8;
            }
        }
        out.push(bits.to_le_bytes()[0]);
        out
    }

    fn decode(data: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        std::io::copy(&mut Decoder::new(data)?, &mut out)?;
        Ok(out)
    }

    #[test]
    fn codes_stand_for_bytes_and_for_what_came_before() {
        // 257 is "ab", 258 is "ba", 259 the one that is not there yet: "aba".
        let codes = [u16::from(b'a'), u16::from(b'b'), 257, 259];
        assert_eq!(decode(&packed(&codes)).unwrap(), b"abababa");
    }

    #[test]
    fn what_does_not_exist_is_an_error_and_no_loop() {
        assert!(decode(&[0x8f + 0x10, 0]).is_err());
        assert!(decode(&[0x88]).is_err());
        assert!(decode(&packed(&[97, 400])).is_err());
        assert!(decode(&[]).is_err());
    }
}
