//! LZFSE and LZVN, as disk images and compressed files of macOS have them. No specification is published; the layout
//! is that of Apple's open reference implementation.
//!
//! Left out: blocks with the longer form of the header (`bvx1`), which no released encoder writes.

use crate::bytes::{index, slice, u16_at, u32_at, u64_at};

/// Why data could not be decoded to its end; what came before stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A block of no known form.
    #[error("LZFSE: a block of no known form")]
    Block,
    /// Frequencies or states that do not fit each other.
    #[error("LZFSE: a table that does not fit")]
    Table,
    /// A match that reaches behind the start, or an undefined code.
    #[error("LZFSE: a match that leaves the data")]
    Match,
    /// The data ends inside of a block.
    #[error("LZFSE: the data ends inside of a block")]
    Cut,
}

/// Symbols of lengths of literals, of matches, of distances, and of literals; states of each.
const LENGTHS: usize = 20;
const DISTANCES: usize = 64;
const LITERALS: usize = 256;
const LENGTH_STATES: usize = 64;
const DISTANCE_STATES: usize = 256;
const LITERAL_STATES: usize = 1024;

/// Bytes of a header of `bvx2` in front of its frequencies.
const HEADER: usize = 32;

/// Decodes blocks to their end, or until there are `most` bytes.
pub fn decode(data: &[u8], most: usize) -> (Vec<u8>, Option<Broken>) {
    let mut out = Vec::new();
    let mut at = 0usize;
    // Ends because each block takes its head.
    while out.len() < most {
        let rest = data.get(at..).unwrap_or_default();
        let taken = match rest.first_chunk::<4>() {
            Some(b"bvx$") => break,
            Some(b"bvx-") => stored(rest, most, &mut out),
            Some(b"bvxn") => nested(rest, most, &mut out),
            Some(b"bvx2") => block(rest, most, &mut out),
            Some(_) => Err(Broken::Block),
            None => Err(Broken::Cut),
        };
        match taken {
            Ok(taken) => at = at.saturating_add(taken),
            Err(broken) => return (out, Some(broken)),
        }
    }
    (out, None)
}

fn stored(data: &[u8], most: usize, out: &mut Vec<u8>) -> Result<usize, Broken> {
    let len = index(u32_at(data, 4).ok_or(Broken::Cut)?);
    let rest = data.get(8..).unwrap_or_default();
    let there = rest.get(..len).unwrap_or(rest);
    let room = most.saturating_sub(out.len());
    out.extend_from_slice(there.get(..room).unwrap_or(there));
    if there.len() < len {
        return Err(Broken::Cut);
    }
    Ok(len.saturating_add(8))
}

fn nested(data: &[u8], most: usize, out: &mut Vec<u8>) -> Result<usize, Broken> {
    let (size, len) = (u32_at(data, 4), u32_at(data, 8));
    let (Some(size), Some(len)) = (size.map(index), len.map(index)) else {
        return Err(Broken::Cut);
    };
    let rest = data.get(12..).unwrap_or_default();
    let there = rest.get(..len).unwrap_or(rest);
    let until = out.len().saturating_add(size).min(most);
    lzvn_into(there, until, out)?;
    if there.len() < len {
        return Err(Broken::Cut);
    }
    Ok(len.saturating_add(12))
}

/// Decodes LZVN to its end, or until there are `most` bytes.
pub fn lzvn(data: &[u8], most: usize) -> (Vec<u8>, Option<Broken>) {
    let mut out = Vec::new();
    let broken = lzvn_into(data, most, &mut out).err();
    (out, broken)
}

/// One code of LZVN: the bytes that it takes, literals behind it, length of a match, distance where it has one.
struct Code {
    taken: usize,
    literals: usize,
    len: usize,
    distance: Option<usize>,
}

impl Code {
    fn read(data: &[u8], at: usize) -> Result<Self, Broken> {
        let byte = |place: usize| {
            let found = data.get(at.saturating_add(place)).copied();
            found.map(usize::from).ok_or(Broken::Cut)
        };
        let pair = || {
            u16_at(data, at.saturating_add(1))
                .map(usize::from)
                .ok_or(Broken::Cut)
        };
        let code = byte(0)?;
        let new = |taken, literals, len, distance| Self {
            taken,
            literals,
            len,
            distance,
        };
        let (literals, len) = (code >> 6, (code >> 3 & 7).saturating_add(3));
        Ok(match code {
            0x0e | 0x16 => new(1, 0, 0, None),
            0x1e | 0x26 | 0x2e | 0x36 | 0x3e | 0x70..=0x7f | 0xd0..=0xdf => {
                return Err(Broken::Match);
            }
            0xa0..=0xbf => {
                let pair = pair()?;
                let len = ((code & 7) << 2 | pair & 3).saturating_add(3);
                new(3, code >> 3 & 3, len, Some(pair >> 2))
            }
            0xe0 => new(2, byte(1)?.saturating_add(16), 0, None),
            0xe1..=0xef => new(1, code & 15, 0, None),
            0xf0 => new(2, 0, byte(1)?.saturating_add(16), None),
            0xf1.. => new(1, 0, code & 15, None),
            _ => match code & 7 {
                7 => new(3, literals, len, Some(pair()?)),
                6 => new(1, literals, len, None),
                high => new(2, literals, len, Some(high << 8 | byte(1)?)),
            },
        })
    }
}

fn lzvn_into(data: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Broken> {
    const END: u8 = 0x06;
    let (mut at, mut distance) = (0usize, 0usize);
    // Ends because each code takes a byte.
    while out.len() < most && data.get(at) != Some(&END) {
        let code = Code::read(data, at)?;
        at = at.saturating_add(code.taken);
        let literals = slice(data, at, code.literals).ok_or(Broken::Cut)?;
        at = at.saturating_add(code.literals);
        let room = most.saturating_sub(out.len());
        out.extend_from_slice(literals.get(..room).unwrap_or(literals));
        distance = code.distance.unwrap_or(distance);
        repeat(out, distance, code.len, most)?;
    }
    Ok(())
}

/// Appends `len` bytes from `distance` bytes back, as far as there is room.
fn repeat(out: &mut Vec<u8>, distance: usize, len: usize, most: usize) -> Result<(), Broken> {
    for _ in 0..len.min(most.saturating_sub(out.len())) {
        let from = out.len().checked_sub(distance).filter(|_| distance > 0);
        let byte = from.and_then(|from| out.get(from).copied());
        out.push(byte.ok_or(Broken::Match)?);
    }
    Ok(())
}

/// Bits from the end of a slice to its start.
struct Bits<'a> {
    data: &'a [u8],
    /// Bits that are left.
    left: usize,
}

impl<'a> Bits<'a> {
    /// `unused` bits of the last byte are none of the stream.
    fn new(data: &'a [u8], unused: usize) -> Result<Self, Broken> {
        let left = data.len().saturating_mul(8).checked_sub(unused);
        Ok(Self {
            data,
            left: left.ok_or(Broken::Cut)?,
        })
    }

    fn pull(&mut self, count: u32) -> Result<usize, Broken> {
        self.left = self.left.checked_sub(index(count)).ok_or(Broken::Cut)?;
        let first = self.left / 8;
        let mut value = 0u64;
        // At most 26 bits are asked for: five bytes hold them wherever they start.
        for (place, byte) in self
            .data
            .get(first..)
            .unwrap_or_default()
            .iter()
            .take(5)
            .enumerate()
        {
            value |= u64::from(*byte) << (place * 8);
        }
        let mask = 1u64.checked_shl(count).unwrap_or(0).saturating_sub(1);
        Ok(index(value >> (self.left % 8) & mask))
    }
}

/// What a state stands for, and how the next one is found.
#[derive(Clone, Copy)]
struct State {
    /// The symbol, or the value's base.
    base: usize,
    /// Bits of the value above its base.
    value: u32,
    /// Bits that the next state takes.
    bits: u32,
    delta: usize,
}

/// One table of states, and the state that it is in.
struct Machine {
    states: Vec<State>,
    at: usize,
}

impl Machine {
    /// `extra` and the bases are of the symbols.
    fn new(
        count: usize,
        frequencies: &[u16],
        extra: impl Fn(usize) -> (u32, usize),
    ) -> Result<Self, Broken> {
        let mut states = Vec::with_capacity(count);
        for (symbol, frequency) in frequencies.iter().enumerate() {
            let frequency = usize::from(*frequency);
            if frequency == 0 {
                continue;
            }
            if states.len().saturating_add(frequency) > count {
                return Err(Broken::Table);
            }
            let (value, base) = extra(symbol);
            // Shifted so far, a frequency is at least the number of states, and less than twice that.
            let shift = frequency
                .leading_zeros()
                .saturating_sub(count.leading_zeros());
            let many = (count.saturating_mul(2) >> shift).saturating_sub(frequency);
            for place in 0..frequency {
                let (bits, delta) = if place < many {
                    let sum = frequency.saturating_add(place);
                    (shift, (sum << shift).saturating_sub(count))
                } else {
                    let bits = shift.saturating_sub(1);
                    (bits, place.saturating_sub(many) << bits)
                };
                states.push(State {
                    base,
                    value,
                    bits,
                    delta,
                });
            }
        }
        Ok(Self { states, at: 0 })
    }

    fn next(&mut self, bits: &mut Bits<'_>) -> Result<usize, Broken> {
        let state = self.states.get(self.at).ok_or(Broken::Table)?;
        let pulled = bits.pull(state.bits.saturating_add(state.value))?;
        self.at = state.delta.saturating_add(pulled >> state.value);
        let mask = (1usize << state.value).saturating_sub(1);
        Ok(state.base.saturating_add(pulled & mask))
    }
}

/// Extra bits of a symbol, and its base: each base stands behind all values of the one before.
fn ladder(extra: impl Fn(usize) -> u32, count: usize) -> Vec<(u32, usize)> {
    let mut base = 0usize;
    let steps = (0..count).map(|symbol| {
        let step = (extra(symbol), base);
        base = base.saturating_add(1 << extra(symbol));
        step
    });
    steps.collect()
}

/// Some bits of a field.
fn field(word: u64, at: u32, count: u32) -> usize {
    index(word >> at & (1u64 << count).saturating_sub(1))
}

/// The frequencies behind the head of a block.
fn frequencies(data: &[u8]) -> Result<Vec<u16>, Broken> {
    const BITS: [u32; 8] = [2, 3, 2, 5, 2, 3, 2, 8];
    const VALUES: [u16; 8] = [0, 2, 1, 4, 0, 3, 1, 0];
    let mut found = Vec::with_capacity(2 * LENGTHS + DISTANCES + LITERALS);
    let mut bytes = data.iter();
    let (mut word, mut there) = (0u32, 0u32);
    while found.len() < 2 * LENGTHS + DISTANCES + LITERALS {
        while there <= 24
            && let Some(byte) = bytes.next()
        {
            word |= u32::from(*byte) << there;
            there = there.saturating_add(8);
        }
        let low = index(word & 7);
        let wide = |from: u32, mask: u32| u16::try_from(word >> from & mask).unwrap_or_default();
        let (bits, value) = match (low, word & 15, word & 31) {
            (7, 15, _) => (14, wide(4, 0x3ff).saturating_add(24)),
            (7, ..) => (8, wide(4, 15).saturating_add(8)),
            (3, _, five) => (
                5,
                u16::try_from(five >> 3)
                    .unwrap_or_default()
                    .saturating_add(4),
            ),
            _ => (
                BITS.get(low).copied().unwrap_or_default(),
                VALUES.get(low).copied().unwrap_or_default(),
            ),
        };
        there = there.checked_sub(bits).ok_or(Broken::Cut)?;
        word = word.checked_shr(bits).unwrap_or(0);
        found.push(value);
    }
    Ok(found)
}

/// A block of literals and matches, all of whose numbers are coded by states.
fn block(data: &[u8], most: usize, out: &mut Vec<u8>) -> Result<usize, Broken> {
    let word = |at: usize| u64_at(data, at).ok_or(Broken::Cut);
    let (first, second, third) = (word(8)?, word(16)?, word(24)?);
    let size = index(u32_at(data, 4).ok_or(Broken::Cut)?);
    let header = field(third, 0, 32);
    let (literal_bytes, match_bytes) = (field(first, 20, 20), field(second, 40, 20));
    let found = frequencies(data.get(HEADER..header).ok_or(Broken::Cut)?)?;
    let part = |from: usize, len: usize| {
        found
            .get(from..from.saturating_add(len))
            .unwrap_or_default()
    };
    let lengths = |bits: [u32; 4]| {
        move |symbol: usize| match symbol.checked_sub(16) {
            Some(high) => bits.get(high).copied().unwrap_or_default(),
            None => 0,
        }
    };
    let machine = |states: usize, from: usize, steps: Vec<(u32, usize)>| {
        Machine::new(states, part(from, steps.len()), |symbol| {
            steps.get(symbol).copied().unwrap_or_default()
        })
    };
    let mut literal_lengths = machine(LENGTH_STATES, 0, ladder(lengths([2, 3, 5, 8]), LENGTHS))?;
    let mut match_lengths = machine(
        LENGTH_STATES,
        LENGTHS,
        ladder(lengths([3, 5, 8, 11]), LENGTHS),
    )?;
    let distance = |symbol: usize| u32::try_from(symbol / 4).unwrap_or_default();
    let mut distances = machine(DISTANCE_STATES, 2 * LENGTHS, ladder(distance, DISTANCES))?;
    let mut literals = machine(
        LITERAL_STATES,
        2 * LENGTHS + DISTANCES,
        ladder(|_| 0, LITERALS),
    )?;
    literal_lengths.at = field(third, 32, 10);
    match_lengths.at = field(third, 42, 10);
    distances.at = field(third, 52, 10);
    let unused = |word: u64| 7usize.saturating_sub(field(word, 60, 3));
    // Literals come first, four machines in turn.
    let packed = slice(data, header, literal_bytes).ok_or(Broken::Cut)?;
    let mut bits = Bits::new(packed, unused(first))?;
    let mut states = [0u32, 10, 20, 30].map(|at| field(second, at, 10));
    let count = field(first, 0, 20);
    let mut plain = Vec::with_capacity(count);
    while plain.len() < count {
        for state in &mut states {
            literals.at = *state;
            let byte = literals.next(&mut bits)?;
            *state = literals.at;
            plain.push(u8::try_from(byte).unwrap_or_default());
        }
    }
    let start = header.saturating_add(literal_bytes);
    let packed = slice(data, start, match_bytes).ok_or(Broken::Cut)?;
    let mut bits = Bits::new(packed, unused(second))?;
    let until = out.len().saturating_add(size).min(most);
    let (mut at, mut back) = (0usize, 0usize);
    for _ in 0..field(first, 40, 20) {
        let run = literal_lengths.next(&mut bits)?;
        let len = match_lengths.next(&mut bits)?;
        match distances.next(&mut bits)? {
            0 => {}
            other => back = other,
        }
        let literals = slice(&plain, at, run).ok_or(Broken::Table)?;
        at = at.saturating_add(run);
        let room = until.saturating_sub(out.len());
        out.extend_from_slice(literals.get(..room).unwrap_or(literals));
        repeat(out, back, len, until)?;
        if out.len() >= until {
            break;
        }
    }
    Ok(start.saturating_add(match_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = digits.chunks(2);
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    // What the reference encoder makes of the texts below.
    const NESTED: &str = "6276786ed30000004a000000e0016c696e652030206f66206120746578740a10116e31f86e34f8683339f9681236f89e\
        3235fa682433f9684834f9686b36f9688e38f96e33f8683532f1e378740a060000000000000062767824";
    const BLOCK: &str = "6276783270170000040010000004005000000420800e00708900000032c0800c8fc02187000000008700000000f0183c\
        1a8f028f02000000000000000000000000000000000000000000000000000000000000008fcea3f3e801000000000000\
        000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
        000000e3f17ff83f62767824";

    fn lines() -> Vec<u8> {
        let lines = (0..12).map(|at| format!("line {} of a text\n", at * at % 97));
        lines.collect::<String>().into_bytes()
    }

    #[test]
    fn blocks_of_every_form_are_decoded() {
        assert_eq!(decode(&bytes(NESTED), 1 << 20), (lines(), None));
        let turns: Vec<u8> = (0..6000u32)
            .map(|at| b'A' + u8::try_from(at % 3).unwrap())
            .collect();
        assert_eq!(decode(&bytes(BLOCK), 1 << 20), (turns.clone(), None));
        assert_eq!(decode(&bytes(BLOCK), 100), (turns[..100].to_vec(), None));
        assert_eq!(
            decode(b"bvx-\x05\0\0\0wordsbvx$", 9),
            (b"words".to_vec(), None)
        );
    }

    #[test]
    fn what_is_cut_or_lies_gives_what_is_there() {
        for (whole, most) in [(bytes(NESTED), lines().len()), (bytes(BLOCK), 6000)] {
            for len in 4..whole.len() - 4 {
                let (got, broken) = decode(&whole[..len], 1 << 20);
                assert!(got.len() <= most);
                assert!(broken.is_some() || got.len() == most, "{len}");
            }
            for at in 4..whole.len() {
                let mut lying = whole.clone();
                lying[at] ^= 0x55;
                assert!(decode(&lying, 1 << 16).0.len() <= 1 << 16);
            }
        }
        assert_eq!(decode(b"bvx1 and more", 9).1, Some(Broken::Block));
    }
}
