//! LZX ([MS-PATCH] section 2; [MS-CAB] for cabinets): blocks of 32 KiB of one stream as cabinets and compiled help have
//! them, and chunks that stand alone as Windows images have them ([MS-WIM] 2.1.1.1: no header of the stream, short
//! sizes of blocks, calls always translated).
//!
//! Left out: references into other data (LZX DELTA).

use super::huffman::{Code, Words, repeat};

/// Bytes of one block of a stream at the most.
pub const BLOCK: usize = 32 << 10;

/// The size that calls in Windows images are translated with.
const IMAGE: i32 = 12_000_000;

/// Symbols of literals; the rest of the main code are matches.
const LITERALS: usize = 256;
/// Symbols of the code of long lengths.
const LENGTHS: usize = 249;
/// The shortest match.
const SHORTEST: usize = 2;

/// Why a block could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A type of block that does not exist.
    #[error("LZX: a block of type {0}")]
    Type(u32),
    /// A code of too many symbols, or bits that are none of its.
    #[error("LZX: a code that tells nothing apart")]
    Code,
    /// A match that reaches behind the start, or beyond its block.
    #[error("LZX: a match that leaves its block")]
    Match,
    /// The data ends before its block does.
    #[error("LZX: the data ends inside of a block")]
    Cut,
}

/// Position slots of a window of so many bytes; none where no writer makes it.
fn slots(window: u32) -> Option<usize> {
    Some(match window {
        0x8000 => 30,
        0x1_0000 => 32,
        0x2_0000 => 34,
        0x4_0000 => 36,
        0x8_0000 => 38,
        0x10_0000 => 42,
        0x20_0000 => 50,
        _ => return None,
    })
}

/// Bits behind the number of a position slot.
fn footer(slot: usize) -> u32 {
    let bits = (slot / 2).saturating_sub(1).min(17);
    u32::try_from(bits).unwrap_or_default()
}

/// The first offset of each position slot.
fn bases() -> [usize; 51] {
    let mut bases = [0; 51];
    let mut next = 0usize;
    for (slot, base) in bases.iter_mut().enumerate() {
        *base = next;
        next = next.saturating_add(1 << footer(slot));
    }
    bases
}

/// What the block at hand is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Verbatim,
    Aligned,
    Plain,
}

/// Decodes one block behind another.
#[derive(Debug)]
pub struct Decoder {
    /// What was decoded: at least a window, at most two and a block.
    out: Vec<u8>,
    window: usize,
    /// The block that was given last, with calls translated.
    given: Vec<u8>,
    /// Bytes given since the decoder was made.
    position: u64,
    /// Chunks of Windows images.
    alone: bool,
    /// The block at hand is the last one: its matches may go beyond what is wanted of it.
    last: bool,
    bases: [usize; 51],
    state: State,
}

/// What a reset forgets.
#[derive(Debug)]
struct State {
    started: bool,
    /// The size that calls are translated with; 0: they are not.
    translated: i32,
    kind: Type,
    left: usize,
    /// A byte of filling stands behind the block.
    odd: bool,
    recent: [usize; 3],
    main_lengths: Vec<u8>,
    length_lengths: Vec<u8>,
    main: Code,
    length: Code,
    aligned: Code,
}

impl State {
    fn new(slots: usize, alone: bool) -> Self {
        Self {
            started: alone,
            translated: if alone { IMAGE } else { 0 },
            kind: Type::Plain,
            left: 0,
            odd: false,
            recent: [1; 3],
            main_lengths: vec![0; LITERALS.saturating_add(slots.saturating_mul(8))],
            length_lengths: vec![0; LENGTHS],
            main: Code::default(),
            length: Code::default(),
            aligned: Code::default(),
        }
    }
}

impl Decoder {
    /// A decoder of a stream with a window of so many bytes; `None` where no writer makes such a window.
    pub fn new(window: u32) -> Option<Self> {
        Self::with(window, false)
    }

    fn with(window: u32, alone: bool) -> Option<Self> {
        Some(Self {
            out: Vec::new(),
            window: crate::bytes::index(window),
            given: Vec::new(),
            position: 0,
            alone,
            last: false,
            bases: bases(),
            state: State::new(slots(window)?, alone),
        })
    }

    /// Forgets everything but what was decoded: the stream starts anew.
    pub fn reset(&mut self) {
        let symbols = self.state.main_lengths.len();
        self.state = State::new(symbols.saturating_sub(LITERALS) / 8, self.alone);
        self.out.clear();
    }

    /// Decodes the last block of the stream, of which `size` bytes are wanted: some writers fill it up to a whole one.
    ///
    /// # Errors
    /// As those of [`Decoder::block`].
    pub fn last_block(&mut self, data: &[u8], size: usize) -> Result<&[u8], Broken> {
        self.last = true;
        self.block(data, size)
    }

    /// Decodes the next block of the stream, of `size` bytes decoded.
    ///
    /// # Errors
    /// The data is none of LZX's, or too short. What follows in the stream is lost up to a reset.
    pub fn block(&mut self, data: &[u8], size: usize) -> Result<&[u8], Broken> {
        if self.out.len() > self.window.saturating_mul(2) {
            let old = self.out.len().saturating_sub(self.window);
            self.out.drain(..old);
        }
        let start = self.out.len();
        let end = start.saturating_add(size);
        self.out.reserve(size.min(self.window.max(BLOCK)));
        let mut words = Words::new(data);
        if !self.state.started {
            self.state.started = true;
            self.state.translated = match words.take(1) {
                0 => 0,
                _ => (words.take(16) << 16 | words.take(16)).cast_signed(),
            };
        }
        // Ends because each turn appends a byte, or fails at the end of the data.
        while self.out.len() < end {
            if words.overrun() {
                return Err(Broken::Cut);
            }
            if self.state.left == 0 {
                self.head(&mut words)?;
                continue;
            }
            let before = self.out.len();
            let run = end.saturating_sub(before).min(self.state.left);
            match self.state.kind {
                Type::Plain => self.plain(data, run, &mut words)?,
                Type::Aligned | Type::Verbatim => self.coded(run, &mut words)?,
            }
            let made = self.out.len().saturating_sub(before);
            self.state.left = self.state.left.saturating_sub(made);
            if self.state.kind == Type::Plain && self.state.left == 0 {
                // Blocks start at whole words.
                let at = words.word();
                words.seek(at.saturating_add(usize::from(self.state.odd)));
            }
        }
        if words.overrun() {
            return Err(Broken::Cut);
        }
        self.given.clear();
        self.given
            .extend_from_slice(self.out.get(start..).unwrap_or_default());
        let blocks = self.position / 0x8000;
        if self.state.translated != 0 && blocks < 0x8000 {
            let at = i32::try_from(self.position).unwrap_or(i32::MAX);
            translate(&mut self.given, at, self.state.translated);
        }
        self.position = self.position.saturating_add(crate::bytes::length(size));
        Ok(&self.given)
    }

    /// Reads the head of a block with its codes.
    fn head(&mut self, words: &mut Words<'_>) -> Result<(), Broken> {
        let number = words.take(3);
        let size = match self.alone {
            true => match words.take(1) {
                1 => 0x8000,
                _ if self.window > 0x8000 => words.take(16) << 8 | words.take(8),
                _ => words.take(16),
            },
            false => words.take(16) << 8 | words.take(8),
        };
        self.state.left = crate::bytes::index(size);
        self.state.odd = size & 1 == 1;
        self.state.kind = match number {
            1 => Type::Verbatim,
            2 => Type::Aligned,
            3 => Type::Plain,
            other => return Err(Broken::Type(other)),
        };
        let state = &mut self.state;
        if state.kind == Type::Plain {
            // One to sixteen bits up to the next word.
            let mut at = words.word();
            if words.is_whole() {
                at = at.saturating_add(2);
            }
            words.seek(at);
            for recent in &mut state.recent {
                let number = words.bytes4().ok_or(Broken::Cut)?;
                *recent = crate::bytes::index(number);
            }
            return Ok(());
        }
        if state.kind == Type::Aligned {
            let mut lengths = [0u8; 8];
            for length in &mut lengths {
                *length = u8::try_from(words.take(3)).unwrap_or_default();
            }
            state.aligned = Code::new(&lengths, 7).ok_or(Broken::Code)?;
        }
        let (literals, matches) = state.main_lengths.split_at_mut(LITERALS);
        read_lengths(literals, words)?;
        read_lengths(matches, words)?;
        read_lengths(&mut state.length_lengths, words)?;
        state.main = Code::new(&state.main_lengths, 11).ok_or(Broken::Code)?;
        state.length = Code::new(&state.length_lengths, 10).ok_or(Broken::Code)?;
        if words.overrun() {
            return Err(Broken::Cut);
        }
        Ok(())
    }

    /// Takes bytes as they are.
    fn plain(&mut self, data: &[u8], run: usize, words: &mut Words<'_>) -> Result<(), Broken> {
        let at = words.word();
        let bytes = crate::bytes::slice(data, at, run).ok_or(Broken::Cut)?;
        self.out.extend_from_slice(bytes);
        words.seek(at.saturating_add(run));
        Ok(())
    }

    /// Decodes `run` bytes of literals and matches.
    fn coded(&mut self, run: usize, words: &mut Words<'_>) -> Result<(), Broken> {
        let end = self.out.len().saturating_add(run);
        let state = &mut self.state;
        let [mut first, mut second, mut third] = state.recent;
        while self.out.len() < end {
            let symbol = state.main.read(words).ok_or(Broken::Code)?;
            let Some(symbol) = symbol.checked_sub(LITERALS) else {
                self.out.push(u8::try_from(symbol).unwrap_or_default());
                continue;
            };
            let mut len = symbol & 7;
            if len == 7 {
                let more = state.length.read(words).ok_or(Broken::Code)?;
                len = len.saturating_add(more);
            }
            len = len.saturating_add(SHORTEST);
            match symbol >> 3 {
                0 => {}
                1 => std::mem::swap(&mut first, &mut second),
                2 => std::mem::swap(&mut first, &mut third),
                slot => {
                    let bits = footer(slot);
                    let low = match state.kind {
                        Type::Aligned if bits >= 3 => {
                            let high = words.take(bits.saturating_sub(3)) << 3;
                            let low = state.aligned.read(words).ok_or(Broken::Code)?;
                            crate::bytes::index(high).saturating_add(low)
                        }
                        _ => crate::bytes::index(words.take(bits)),
                    };
                    let base = self.bases.get(slot).copied().unwrap_or_default();
                    third = second;
                    second = first;
                    first = base.saturating_add(low).saturating_sub(2);
                }
            }
            let room = end.saturating_sub(self.out.len());
            if len > room {
                if !self.last {
                    return Err(Broken::Match);
                }
                len = room;
            }
            repeat(&mut self.out, first, len).ok_or(Broken::Match)?;
            if words.overrun() {
                return Err(Broken::Cut);
            }
        }
        state.recent = [first, second, third];
        Ok(())
    }
}

/// A chunk of a Windows image: `size` bytes decoded, by a window of `window` bytes.
///
/// # Errors
/// The data is none of LZX's, or too short.
pub fn chunk(data: &[u8], size: usize, window: u32) -> Result<Vec<u8>, Broken> {
    let mut decoder = Decoder::with(window, true).ok_or(Broken::Code)?;
    decoder.block(data, size)?;
    Ok(decoder.given)
}

/// Changes the lengths of a code from those of the block before, by a code of their own ([MS-PATCH] 2.5.1.1).
fn read_lengths(lengths: &mut [u8], words: &mut Words<'_>) -> Result<(), Broken> {
    let mut own = [0u8; 20];
    for length in &mut own {
        *length = u8::try_from(words.take(4)).unwrap_or_default();
    }
    let code = Code::new(&own, 8).ok_or(Broken::Code)?;
    let changed = |old: u8, by: usize| {
        let by = u8::try_from(by).unwrap_or_default();
        old.saturating_add(17).saturating_sub(by) % 17
    };
    let mut at = 0usize;
    // Ends because each turn changes at least one length.
    while let Some(old) = lengths.get(at).copied() {
        let (count, length) = match code.read(words).ok_or(Broken::Code)? {
            17 => (words.take(4).saturating_add(4), 0),
            18 => (words.take(5).saturating_add(20), 0),
            19 => {
                let count = words.take(1).saturating_add(4);
                let by = code.read(words).ok_or(Broken::Code)?;
                (count, changed(old, by))
            }
            by => (1, changed(old, by)),
        };
        let end = at.saturating_add(crate::bytes::index(count));
        let end = end.min(lengths.len());
        lengths.get_mut(at..end).ok_or(Broken::Code)?.fill(length);
        at = end;
        if words.overrun() {
            return Err(Broken::Cut);
        }
    }
    Ok(())
}

/// Turns targets of calls back into distances ([MS-PATCH] 2.5.1.3); `position` is that of the first byte.
fn translate(data: &mut [u8], position: i32, size: i32) {
    let Some(end) = data.len().checked_sub(10).filter(|end| *end > 0) else {
        return;
    };
    let mut at = 0usize;
    while at < end {
        let rest = data.get(at..end).unwrap_or_default();
        let Some(found) = memchr::memchr(0xe8, rest) else {
            return;
        };
        at = at.saturating_add(found).saturating_add(1);
        let Some(field) = data
            .get_mut(at..)
            .and_then(|rest| rest.first_chunk_mut::<4>())
        else {
            return;
        };
        let here = i32::try_from(at)
            .unwrap_or(i32::MAX)
            .wrapping_sub(1)
            .wrapping_add(position);
        let absolute = i32::from_le_bytes(*field);
        if absolute >= here.wrapping_neg() && absolute < size {
            let relative = match absolute >= 0 {
                true => absolute.wrapping_sub(here),
                false => absolute.wrapping_add(size),
            };
            *field = relative.to_le_bytes();
        }
        at = at.saturating_add(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of one block that is not compressed.
    fn plain(content: &[u8]) -> Vec<u8> {
        let size = u16::try_from(content.len()).unwrap();
        let mut stream = (0x3000 | size >> 12).to_le_bytes().to_vec();
        stream.extend((size << 4).to_le_bytes());
        stream.extend([1, 0, 0, 0].repeat(3));
        stream.extend_from_slice(content);
        stream.extend(vec![0; content.len() % 2]);
        stream
    }

    #[test]
    fn a_plain_block_is_as_it_is_and_one_that_lies_about_its_length_is_told() {
        let stream = plain(b"one two three");
        let mut decoder = Decoder::new(0x8000).unwrap();
        assert_eq!(decoder.block(&stream, 13), Ok(b"one two three".as_slice()));
        for cut in 0..stream.len() - 1 {
            let mut decoder = Decoder::new(0x8000).unwrap();
            assert!(decoder.block(&stream[..cut], 13).is_err(), "{cut}");
        }
        let mut decoder = Decoder::new(0x8000).unwrap();
        assert_eq!(decoder.block(&stream, 14), Err(Broken::Type(0)));
        assert!(Decoder::new(0x9000).is_none());
    }

    #[test]
    fn calls_are_translated_but_not_at_the_end() {
        let mut data = [
            [0xe8, 0x10, 0, 0, 0].as_slice(),
            &[0; 20],
            &[0xe8, 1, 0, 0, 0],
        ]
        .concat();
        translate(&mut data, 0x8, 0x1000);
        assert_eq!(data[..5], [0xe8, 8, 0, 0, 0]);
        assert_eq!(data[25..], [0xe8, 1, 0, 0, 0]);
    }

    #[test]
    fn slots_and_offsets_are_those_of_the_specification() {
        let bases = bases();
        assert_eq!(bases[..8], [0, 1, 2, 3, 4, 6, 8, 12]);
        assert_eq!(
            (bases[30], bases[36], bases[50]),
            (0x8000, 0x4_0000, 0x20_0000)
        );
    }
}
