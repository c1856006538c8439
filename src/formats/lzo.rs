//! LZO1X, one block of it (the kernel's `Documentation/staging/lzo.rst`): what `SquashFS` images of routers use.

use crate::bytes::{index, u16_at};

/// Distance of the match that ends a block.
const END: usize = 16_384;

/// Literals behind an instruction as the next one takes them: so many, or more than three.
const MANY: usize = 4;

/// What is wrong with a block.
pub type Fault = &'static str;

const SHORT: Fault = "an LZO block breaks off";
const LONG: Fault = "an LZO block is longer than it says";
const BEFORE: Fault = "an LZO block copies what is before its start";

/// Decodes a block of at most `most` bytes. Time and memory are linear in it and in the length of the block.
///
/// # Errors
/// The block is cut, leads out of what it made, or makes more.
pub fn decoded(data: &[u8], most: usize) -> Result<Vec<u8>, Fault> {
    let mut block = Block {
        data,
        at: 0,
        out: Vec::with_capacity(most.min(1 << 20)),
        most,
    };
    let mut state = 0usize;
    if let Some(first @ 18..) = data.first().copied() {
        block.at = 1;
        let count = usize::from(first).saturating_sub(17);
        block.literals(count)?;
        state = count.min(MANY);
    }
    // Each turn takes at least one byte.
    loop {
        let code = usize::from(block.byte()?);
        let (len, distance, behind) = match code {
            0..=15 if state == 0 => {
                let count = block.length(code, 15)?.saturating_add(3);
                block.literals(count)?;
                state = MANY;
                continue;
            }
            0..=15 => {
                let high = usize::from(block.byte()?) << 2;
                let (len, further) = if state == MANY { (3, 2049) } else { (2, 1) };
                (
                    len,
                    high.saturating_add(code >> 2).saturating_add(further),
                    code,
                )
            }
            16..=31 => {
                let len = block.length(code & 7, 7)?.saturating_add(2);
                let low = block.pair()?;
                let distance = END
                    .saturating_add((code & 8) << 11)
                    .saturating_add(low >> 2);
                if distance == END {
                    return Ok(block.out);
                }
                (len, distance, low)
            }
            32..=63 => {
                let len = block.length(code & 31, 31)?.saturating_add(2);
                let low = block.pair()?;
                (len, (low >> 2).saturating_add(1), low)
            }
            _ => {
                let len = match code {
                    64..=127 => ((code >> 5) & 1).saturating_add(3),
                    _ => ((code >> 5) & 3).saturating_add(5),
                };
                let high = usize::from(block.byte()?) << 3;
                let distance = high.saturating_add((code >> 2) & 7).saturating_add(1);
                (len, distance, code)
            }
        };
        block.copy(len, distance)?;
        state = behind & 3;
        block.literals(state)?;
    }
}

struct Block<'a> {
    data: &'a [u8],
    at: usize,
    out: Vec<u8>,
    most: usize,
}

impl Block<'_> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.data.get(self.at).ok_or(SHORT)?;
        self.at = self.at.saturating_add(1);
        Ok(byte)
    }

    fn pair(&mut self) -> Result<usize, Fault> {
        let pair = u16_at(self.data, self.at).ok_or(SHORT)?;
        self.at = self.at.saturating_add(2);
        Ok(index(pair))
    }

    /// A length that goes on in the bytes behind it where it is 0: each 0 is 255 more.
    fn length(&mut self, short: usize, base: usize) -> Result<usize, Fault> {
        if short > 0 {
            return Ok(short);
        }
        let mut len = base;
        loop {
            match self.byte()? {
                0 => len = len.saturating_add(255),
                last => return Ok(len.saturating_add(usize::from(last))),
            }
        }
    }

    fn room(&self, len: usize) -> Result<(), Fault> {
        match self.out.len().saturating_add(len) <= self.most {
            true => Ok(()),
            false => Err(LONG),
        }
    }

    fn literals(&mut self, count: usize) -> Result<(), Fault> {
        self.room(count)?;
        let end = self.at.saturating_add(count);
        let plain = self.data.get(self.at..end).ok_or(SHORT)?;
        self.out.extend_from_slice(plain);
        self.at = end;
        Ok(())
    }

    fn copy(&mut self, len: usize, distance: usize) -> Result<(), Fault> {
        self.room(len)?;
        let start = self.out.len().checked_sub(distance).ok_or(BEFORE)?;
        let mut left = len;
        // What overlaps grows with each turn.
        while left > 0 {
            let there = self.out.len().saturating_sub(start).min(left);
            self.out
                .extend_from_within(start..start.saturating_add(there));
            left = left.saturating_sub(there);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOP: [u8; 3] = [0x11, 0, 0];

    fn block(parts: &[&[u8]]) -> Vec<u8> {
        [&parts.concat()[..], &STOP].concat()
    }

    #[test]
    fn every_instruction_gives_its_bytes() {
        // Four literals, and each kind of match with the nearest distances.
        let start: &[u8] = &[17 + 4, b'a', b'b', b'c', b'd'];
        for (code, expected) in [
            (&[0x40 | 3 << 2, 0][..], "abcdabc"),
            (&[0x60 | 3 << 2, 0], "abcdabcd"),
            (&[0x80 | 3 << 2, 0], "abcdabcda"),
            (&[0xe0 | 3 << 2 | 1, 0, b'z'], "abcdabcdabcdz"),
            (&[0x20 | 1, 3 << 2, 0], "abcdabc"),
            (&[0x20, 1, 0, 0], &("abcd".to_owned() + &"d".repeat(34))),
            (&[0x20, 0, 1, 0, 0], &("abcd".to_owned() + &"d".repeat(289))),
        ] {
            let out = decoded(&block(&[start, code]), 1000).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{code:?}");
        }
    }

    #[test]
    fn matches_that_depend_on_what_was_before_and_far_ones() {
        let long: Vec<u8> = (0..40_000u32).map(|at| (at % 251) as u8).collect();
        let mut start = vec![0];
        let mut rest = long.len() - 18;
        while rest > 255 {
            start.push(0);
            rest -= 255;
        }
        start.push(u8::try_from(rest).unwrap());
        start.extend(&long);
        let at = |distance: usize, len: usize| {
            let from = long.len() - distance;
            [&long[..], &long[from..from + len]].concat()
        };
        // Three bytes from beyond 2048, right behind many literals.
        let code = [0b0100, 1];
        assert_eq!(
            decoded(&block(&[&start, &code]), 50_000).unwrap(),
            at(2049 + 4 + 1, 3)
        );
        // From beyond 16 KiB, and from beyond 32 KiB.
        let code = [0x10 | 2, 5 << 2, 0];
        assert_eq!(
            decoded(&block(&[&start, &code]), 50_000).unwrap(),
            at(16_384 + 5, 4)
        );
        let code = [0x18 | 2, 5 << 2, 0];
        assert_eq!(
            decoded(&block(&[&start, &code]), 50_000).unwrap(),
            at(32_768 + 5, 4)
        );
        // Two bytes, behind one literal.
        let code = [0x40 | 3 << 2 | 1, 0, b'z', 0b0100, 0];
        let out = decoded(&block(&[&[21, b'a', b'b', b'c', b'd'], &code]), 100).unwrap();
        assert_eq!(out, b"abcdabczcz");
    }

    #[test]
    fn what_is_cut_or_lies_is_told() {
        let whole = block(&[&[21, b'a', b'b', b'c', b'd'], &[0x40 | 3 << 2, 0]]);
        for len in 0..whole.len() {
            assert_eq!(decoded(&whole[..len], 100), Err(SHORT), "{len}");
        }
        assert_eq!(decoded(&whole, 6), Err(LONG));
        let far = block(&[&[21, b'a', b'b', b'c', b'd'], &[0x40, 1]]);
        assert_eq!(decoded(&far, 100), Err(BEFORE));
        let endless = [
            &[21, b'a', b'b', b'c', b'd', 0x20][..],
            &[0; 100_000],
            &[1, 0, 0],
        ]
        .concat();
        assert_eq!(decoded(&endless, 1 << 20), Err(LONG));
    }
}
