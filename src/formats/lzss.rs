//! LZSS of Microsoft's COMPRESS.EXE (SZDD and KWAJ method 2): a window of 4,096 bytes, eight flags a byte.

use std::io::{Read, Result};

const WINDOW: usize = 4096;

/// Where the window starts to be written.
const START: usize = WINDOW - 16;

/// Shortest match.
const SHORTEST: u8 = 3;

/// A reader over the compressed data.
#[derive(Debug)]
pub struct Decoder<R> {
    source: R,
    window: Vec<u8>,
    at: usize,
    flags: u8,
    flags_left: u8,
    /// Where the match at hand goes on, and how many bytes of it are left.
    from: usize,
    left: u8,
}

impl<R: Read> Decoder<R> {
    /// A decoder over `source`, without any header.
    pub fn new(source: R) -> Self {
        Self {
            source,
            window: vec![b' '; WINDOW],
            at: START,
            flags: 0,
            flags_left: 0,
            from: 0,
            left: 0,
        }
    }

    fn next_byte(&mut self) -> Result<Option<u8>> {
        let mut byte = [0];
        let len = self.source.read(&mut byte)?;
        let [byte] = byte;
        Ok((len == 1).then_some(byte))
    }

    fn next(&mut self) -> Result<Option<u8>> {
        while self.left == 0 {
            if self.flags_left == 0 {
                let Some(flags) = self.next_byte()? else {
                    return Ok(None);
                };
                self.flags = flags;
                self.flags_left = 8;
            }
            let literal = self.flags & 1 != 0;
            self.flags >>= 1;
            self.flags_left = self.flags_left.saturating_sub(1);
            let Some(low) = self.next_byte()? else {
                return Ok(None);
            };
            if literal {
                return Ok(Some(self.put(low)));
            }
            let Some(high) = self.next_byte()? else {
                return Ok(None);
            };
            self.from = usize::from(low) | (usize::from(high & 0xf0) << 4);
            self.left = (high & 0x0f).saturating_add(SHORTEST);
        }
        self.left = self.left.saturating_sub(1);
        let byte = self.window.get(self.from).copied().unwrap_or_default();
        self.from = self.from.wrapping_add(1) % WINDOW;
        Ok(Some(self.put(byte)))
    }

    fn put(&mut self, byte: u8) -> u8 {
        if let Some(place) = self.window.get_mut(self.at) {
            *place = byte;
        }
        self.at = self.at.wrapping_add(1) % WINDOW;
        byte
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut written = 0usize;
        for place in out.iter_mut() {
            let Some(byte) = self.next()? else {
                break;
            };
            *place = byte;
            written = written.saturating_add(1);
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        std::io::copy(&mut Decoder::new(data), &mut out).unwrap();
        out
    }

    #[test]
    fn literals_and_matches_are_told_by_the_flags() {
        // Three literals, then five bytes from where they were written.
        let data = [0b0000_0111, b'a', b'b', b'c', 0xf0, 0xf2];
        assert_eq!(decoded(&data), b"abcabcab");
        assert_eq!(decoded(&[0, 1]), b"");
    }
}
