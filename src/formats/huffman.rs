//! Canonical prefix codes over words of sixteen bits, as LZX ([MS-PATCH] 2.1, 2.3) and XPRESS ([MS-XCA] 2.2.4) share
//! them: the bits of a little-endian word come highest first, shorter codes before longer ones.

use crate::bytes::index;

/// Bits of the longest code.
pub const LONGEST: usize = 16;

/// The bits of a stream, word by word. Behind the end come zeros; [`Words::overrun`] tells of them.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    data: &'a [u8],
    at: usize,
    /// Bits that were loaded, the next one highest.
    held: u64,
    count: u32,
    /// Bits of zero that were made up.
    missing: u32,
}

impl<'a> Words<'a> {
    /// Starts at the first word of `data`.
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            held: 0,
            count: 0,
            missing: 0,
        }
    }

    /// Loads words until `bits` are there, 32 at the most.
    #[inline]
    fn need(&mut self, bits: u32) {
        while self.count < bits {
            let word = match self.data.get(self.at..) {
                Some([low, high, ..]) => u16::from_le_bytes([*low, *high]),
                Some([low]) => u16::from(*low),
                _ => {
                    self.missing = self.missing.saturating_add(16);
                    0
                }
            };
            self.at = self.at.saturating_add(2);
            let place = 48u32.saturating_sub(self.count);
            self.held |= u64::from(word) << place;
            self.count = self.count.saturating_add(16);
        }
    }

    /// The next sixteen bits, without taking them.
    #[inline]
    pub fn peek(&mut self) -> usize {
        self.need(16);
        index(self.held >> 48)
    }

    /// Passes over bits that were looked at, 16 at the most.
    #[inline]
    pub fn skip(&mut self, bits: u32) {
        self.held <<= bits & 31;
        self.count = self.count.saturating_sub(bits);
    }

    /// Takes `bits`, 24 at the most.
    #[inline]
    pub fn take(&mut self, bits: u32) -> u32 {
        if bits == 0 {
            return 0;
        }
        self.need(bits);
        let value = self.held >> 64u32.saturating_sub(bits).min(63);
        self.skip(bits);
        u32::try_from(value).unwrap_or(u32::MAX)
    }

    /// A byte from behind the words that are loaded ([MS-XCA] 2.2.4: lengths stand between the words).
    pub fn byte(&mut self) -> Option<u8> {
        self.need(16);
        let byte = self.data.get(self.at).copied();
        self.at = self.at.saturating_add(1);
        byte
    }

    /// Four bytes as a little-endian number, where no bits are loaded.
    pub fn bytes4(&mut self) -> Option<u32> {
        let number = crate::bytes::u32_at(self.data, self.at);
        self.at = self.at.saturating_add(4);
        number
    }

    /// Whether whole words were taken.
    pub fn is_whole(&self) -> bool {
        self.count.is_multiple_of(16)
    }

    /// The offset of the first word that no bit was taken of.
    pub fn word(&self) -> usize {
        self.at
            .saturating_sub(index(self.count / 16).saturating_mul(2))
    }

    /// Starts anew at byte `at`.
    pub fn seek(&mut self, at: usize) {
        self.at = at;
        self.held = 0;
        self.count = 0;
        self.missing = 0;
    }

    /// Whether bits were taken that are not there.
    pub fn overrun(&self) -> bool {
        self.missing > self.count
    }
}

/// A code.
#[derive(Debug, Clone, Default)]
pub struct Code {
    /// By the first bits: symbol and length; 0 where the code is longer or nobody's.
    lookup: Vec<u16>,
    bits: u32,
    /// Of each length: the first code, how many there are, and where their symbols stand.
    lengths: [(usize, usize, usize); LONGEST + 1],
    /// Symbols by length, then by number.
    symbols: Vec<u16>,
}

impl Code {
    /// The code of these lengths in bits (0: no code, 16 at the most), of at most 4,096 symbols; `bits` are looked up at
    /// once, 12 at the most. `None` where there are more codes than bits tell apart; fewer are tolerated.
    pub fn new(lengths: &[u8], bits: u32) -> Option<Self> {
        let mut code = Self {
            bits: bits.min(12),
            ..Self::default()
        };
        for length in lengths {
            let (_, count, _) = code.lengths.get_mut(usize::from(*length))?;
            *count = count.saturating_add(1);
        }
        let (mut next, mut place) = (0usize, 0usize);
        for (length, (first, count, start)) in code.lengths.iter_mut().enumerate().skip(1) {
            next = next.saturating_mul(2);
            (*first, *start) = (next, place);
            next = next.saturating_add(*count);
            place = place.saturating_add(*count);
            if next > 1 << length {
                return None;
            }
        }
        code.symbols = vec![0; place];
        let mut taken = [0usize; LONGEST + 1];
        code.lookup = vec![0; 1 << code.bits];
        for (symbol, length) in (0u16..).zip(lengths).filter(|(_, length)| **length != 0) {
            let length = usize::from(*length);
            let (first, _, start) = *code.lengths.get(length)?;
            let number = taken.get_mut(length)?;
            *code.symbols.get_mut(start.saturating_add(*number))? = symbol;
            let word = first.saturating_add(*number);
            *number = number.saturating_add(1);
            let Some(spare) = index(code.bits).checked_sub(length) else {
                continue;
            };
            let entry = symbol << 4 | u16::try_from(length).ok()?;
            let from = word << spare;
            code.lookup
                .get_mut(from..from.saturating_add(1 << spare))?
                .fill(entry);
        }
        Some(code)
    }

    /// The next symbol; `None` where the bits are nobody's code.
    #[inline]
    pub fn read(&self, words: &mut Words<'_>) -> Option<usize> {
        let peek = words.peek();
        let entry = *self.lookup.get(peek >> 16u32.saturating_sub(self.bits))?;
        if entry != 0 {
            words.skip(u32::from(entry & 15));
            return Some(usize::from(entry >> 4));
        }
        self.long(peek, words)
    }

    fn long(&self, peek: usize, words: &mut Words<'_>) -> Option<usize> {
        let behind = index(self.bits).saturating_add(1)..=LONGEST;
        for length in behind {
            let (first, count, start) = *self.lengths.get(length)?;
            let word = peek >> LONGEST.saturating_sub(length);
            let number = word.checked_sub(first).filter(|number| *number < count);
            if let Some(number) = number {
                words.skip(u32::try_from(length).unwrap_or_default());
                return self
                    .symbols
                    .get(start.saturating_add(number))
                    .copied()
                    .map(usize::from);
            }
        }
        None
    }
}

/// Appends `len` bytes that stand `distance` before the end of `out`, which may be fewer than `len`; `None` where there
/// is nothing so far back.
#[inline]
pub fn repeat(out: &mut Vec<u8>, distance: usize, len: usize) -> Option<()> {
    let start = out.len().checked_sub(distance)?;
    if distance == 0 {
        return None;
    }
    if distance == 1 {
        let byte = *out.get(start)?;
        out.resize(out.len().saturating_add(len), byte);
        return Some(());
    }
    let mut left = len;
    // Ends because each turn appends at least one byte.
    while left > 0 {
        let step = left.min(distance);
        let from = out.len().checked_sub(distance)?;
        out.extend_from_within(from..from.saturating_add(step));
        left = left.saturating_sub(step);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_every_length_are_read() {
        // 0, 10, 110 … and two of the longest.
        let mut lengths: Vec<u8> = (1..=16).collect();
        lengths.push(16);
        for bits in [1, 7, 12] {
            let code = Code::new(&lengths, bits).unwrap();
            let bytes = |word: u16| word.to_le_bytes();
            let stream = [bytes(0b0101_1000_0000_0000), bytes(0xffff), bytes(0xfffe)].concat();
            let mut words = Words::new(&stream);
            assert_eq!(code.read(&mut words), Some(0));
            assert_eq!(code.read(&mut words), Some(1));
            assert_eq!(code.read(&mut words), Some(2));
            words.seek(2);
            assert_eq!(code.read(&mut words), Some(16));
            assert_eq!(code.read(&mut words), Some(15));
            assert!(!words.overrun());
            assert_eq!(code.read(&mut words), Some(0));
            assert!(words.overrun());
        }
        assert!(Code::new(&[1, 1, 1], 8).is_none());
        assert!(Code::new(&[17], 8).is_none());
        let few = Code::new(&[2, 2], 8).unwrap();
        assert_eq!(few.read(&mut Words::new(&[0xff; 4])), None);
        assert_eq!(
            Code::new(&[], 8).unwrap().read(&mut Words::new(&[0; 4])),
            None
        );
    }

    #[test]
    fn repeated_bytes_overlap_and_never_come_from_before_the_start() {
        let mut out = b"ab".to_vec();
        assert_eq!(repeat(&mut out, 2, 5), Some(()));
        assert_eq!(repeat(&mut out, 1, 2), Some(()));
        assert_eq!(out, b"abababaaa");
        assert_eq!(repeat(&mut out, 10, 1), None);
        assert_eq!(repeat(&mut out, 0, 1), None);
    }
}
