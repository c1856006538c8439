//! Quantum, the oldest method of cabinets ([MS-CAB] names it; Matthew Russotto, "Quantum compression format"): an
//! arithmetic code over adaptive models. Written from that description.
//!
//! Every block of a cabinet starts the code anew; models and window go on.

/// The smallest and the largest window, as powers of two.
const WINDOWS: std::ops::RangeInclusive<u8> = 10..=21;

/// Sum of frequencies above which a model is scaled down.
const MOST: u16 = 3800;

/// How much a symbol that was met becomes more frequent.
const STEP: u16 = 8;

/// Scalings between two that put the symbols into order, but for the first.
const SCALINGS: u8 = 50;

/// Bytes behind the end that the code may look at: zeros there may be left out.
const BEHIND: usize = 8;

/// Distances: pairs of one number of further bits, as many as a window of the largest size has.
const DISTANCES: usize = 42;

/// Base and number of further bits of the lengths of long matches.
const LENGTHS: [(u16, u8); 27] = [
    (0, 0),
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 1),
    (8, 1),
    (10, 1),
    (12, 1),
    (14, 2),
    (18, 2),
    (22, 2),
    (26, 2),
    (30, 3),
    (38, 3),
    (46, 3),
    (54, 3),
    (62, 4),
    (78, 4),
    (94, 4),
    (110, 4),
    (126, 5),
    (158, 5),
    (190, 5),
    (222, 5),
    (254, 0),
];

/// Why a block could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A match that reaches behind the start, or beyond the end of its block.
    #[error("Quantum: a match that leaves what is there")]
    Match,
    /// The data ends before the block does.
    #[error("Quantum: the data ends inside of a block")]
    Cut,
}

/// A symbol and the sum of its frequency and those behind it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    symbol: u8,
    sum: u16,
}

#[derive(Debug, Clone)]
struct Model {
    /// The last entry is no symbol: its sum is 0.
    entries: Vec<Entry>,
    scalings: u8,
}

impl Model {
    /// A model of so many symbols from the first on, each as frequent as any other.
    fn new(first: u8, count: u8) -> Self {
        let entry = |at: u8| Entry {
            symbol: first.saturating_add(at),
            sum: u16::from(count.saturating_sub(at)),
        };
        Self {
            entries: (0..=count).map(entry).collect(),
            scalings: 4,
        }
    }

    fn total(&self) -> u16 {
        self.entries.first().map_or(1, |entry| entry.sum).max(1)
    }

    /// The symbol whose share `sum` falls into: itself, where its share ends and starts, and its place.
    fn find(&self, sum: u16) -> (u8, u16, u16, usize) {
        let pairs = self.entries.iter().zip(self.entries.iter().skip(1));
        for (at, (entry, next)) in pairs.enumerate() {
            if next.sum <= sum {
                return (entry.symbol, entry.sum, next.sum, at);
            }
        }
        (0, 1, 0, 0)
    }

    /// Makes the symbol at a place more frequent.
    fn met(&mut self, at: usize) {
        for entry in self.entries.iter_mut().take(at.saturating_add(1)) {
            entry.sum = entry.sum.saturating_add(STEP);
        }
        if self.total() > MOST {
            self.scale();
        }
    }

    fn scale(&mut self) {
        self.scalings = self.scalings.saturating_sub(1);
        if self.scalings > 0 {
            let mut behind = 0;
            for entry in self.entries.iter_mut().rev().skip(1) {
                entry.sum = (entry.sum >> 1).max(behind + 1);
                behind = entry.sum;
            }
            return;
        }
        self.scalings = SCALINGS;
        // To frequencies, halved and put into order, and back to sums.
        let sums: Vec<u16> = self.entries.iter().skip(1).map(|entry| entry.sum).collect();
        for (entry, next) in self.entries.iter_mut().zip(&sums) {
            entry.sum = entry.sum.saturating_sub(*next).saturating_add(1) >> 1;
        }
        let count = sums.len();
        if let Some(symbols) = self.entries.get_mut(..count) {
            in_order(symbols);
        }
        let mut behind = 0;
        for entry in self.entries.iter_mut().take(count).rev() {
            entry.sum = entry.sum.saturating_add(behind);
            behind = entry.sum;
        }
    }
}

/// Puts the most frequent symbol first, and swaps equal ones as every reader has to.
fn in_order(symbols: &mut [Entry]) {
    for at in 0..symbols.len() {
        for other in at.saturating_add(1)..symbols.len() {
            let sum = |place: usize| symbols.get(place).map_or(0, |entry| entry.sum);
            if sum(at) < sum(other) {
                symbols.swap(at, other);
            }
        }
    }
}

/// The code of one block.
struct Code<'a> {
    data: &'a [u8],
    /// Bits taken.
    at: usize,
    low: u16,
    high: u16,
    code: u16,
}

impl<'a> Code<'a> {
    fn new(data: &'a [u8]) -> Self {
        let mut code = Self {
            data,
            at: 0,
            low: 0,
            high: 0xffff,
            code: 0,
        };
        code.code = u16::try_from(code.bits(16)).unwrap_or_default();
        code
    }

    fn bit(&mut self) -> u16 {
        let byte = self.data.get(self.at / 8).copied().unwrap_or_default();
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at = self.at.saturating_add(1);
        u16::from(bit)
    }

    fn bits(&mut self, count: u8) -> u32 {
        (0..count).fold(0, |bits, _| bits << 1 | u32::from(self.bit()))
    }

    fn is_behind_the_end(&self) -> bool {
        self.at / 8 > self.data.len().saturating_add(BEHIND)
    }

    fn symbol(&mut self, model: &mut Model) -> u8 {
        let total = u32::from(model.total());
        let (low, range) = (
            u32::from(self.low),
            u32::from(self.high.wrapping_sub(self.low)) + 1,
        );
        let inside = u32::from(self.code.wrapping_sub(self.low)) + 1;
        let sum = (inside * total).saturating_sub(1) / range;
        let sum = u16::try_from(sum).unwrap_or(u16::MAX);
        let (symbol, ends, starts, at) = model.find(sum);
        let to = |sum: u16| low.wrapping_add(u32::from(sum) * range / total);
        let half = |number: u32| u16::try_from(number & 0xffff).unwrap_or_default();
        self.high = half(to(ends).wrapping_sub(1));
        self.low = half(to(starts));
        model.met(at);
        self.shift();
        symbol
    }

    /// Shifts out the bits that low and high agree on. Ends because each turn makes their distance twice as large.
    fn shift(&mut self) {
        for _ in 0..32 {
            if (self.low ^ self.high) & 0x8000 != 0 {
                if self.low & 0x4000 == 0 || self.high & 0x4000 != 0 {
                    return;
                }
                self.code ^= 0x4000;
                self.low &= 0x3fff;
                self.high |= 0x4000;
            }
            self.low <<= 1;
            self.high = self.high << 1 | 1;
            self.code = self.code << 1 | self.bit();
        }
    }
}

/// A decoder of the blocks of one folder.
#[derive(Debug)]
pub struct Decoder {
    window: usize,
    /// What came last, up to two windows of it.
    out: Vec<u8>,
    selector: Model,
    literals: [Model; 4],
    threes: Model,
    fours: Model,
    distances: Model,
    lengths: Model,
}

impl Decoder {
    /// A decoder with a window of this power of two in bytes; `None` where there is no such window.
    pub fn new(window: u8) -> Option<Self> {
        if !WINDOWS.contains(&window) {
            return None;
        }
        let distances = window.saturating_mul(2);
        Some(Self {
            window: 1usize.checked_shl(window.into())?,
            out: Vec::new(),
            selector: Model::new(0, 7),
            literals: [0u8, 64, 128, 192].map(|first| Model::new(first, 64)),
            threes: Model::new(0, distances.min(24)),
            fours: Model::new(0, distances.min(36)),
            distances: Model::new(0, distances),
            lengths: Model::new(0, 27),
        })
    }

    /// Decodes a block of `size` bytes.
    ///
    /// # Errors
    /// The data is none of Quantum's, or too short.
    pub fn block(&mut self, data: &[u8], size: usize) -> Result<&[u8], Broken> {
        if self.out.len() > self.window.saturating_mul(2) {
            let old = self.out.len().saturating_sub(self.window);
            self.out.drain(..old);
        }
        let start = self.out.len();
        let end = start.saturating_add(size);
        let mut code = Code::new(data);
        while self.out.len() < end {
            if code.is_behind_the_end() {
                return Err(Broken::Cut);
            }
            let (model, length) = match code.symbol(&mut self.selector) {
                4 => (&mut self.threes, 3),
                5 => (&mut self.fours, 4),
                6 => {
                    let symbol = code.symbol(&mut self.lengths);
                    let (base, more) = LENGTHS
                        .get(usize::from(symbol))
                        .copied()
                        .unwrap_or_default();
                    let length = u32::from(base).saturating_add(code.bits(more)) + 5;
                    (&mut self.distances, length)
                }
                literal => {
                    if let Some(model) = self.literals.get_mut(usize::from(literal)) {
                        self.out.push(code.symbol(model));
                    }
                    continue;
                }
            };
            let symbol = code.symbol(model);
            let (base, more) = distance(symbol);
            let distance = base.saturating_add(code.bits(more)).saturating_add(1);
            self.copy(distance, length, end)?;
        }
        self.out.get(start..).ok_or(Broken::Cut)
    }

    fn copy(&mut self, distance: u32, length: u32, end: usize) -> Result<(), Broken> {
        let distance = usize::try_from(distance).map_err(|_| Broken::Match)?;
        let length = usize::try_from(length).map_err(|_| Broken::Match)?;
        let from = self.out.len().checked_sub(distance).ok_or(Broken::Match)?;
        if distance > self.window || length > end.saturating_sub(self.out.len()) {
            return Err(Broken::Match);
        }
        for at in from..from.saturating_add(length) {
            let byte = self.out.get(at).copied().ok_or(Broken::Match)?;
            self.out.push(byte);
        }
        Ok(())
    }
}

/// Base and number of further bits of a distance.
fn distance(symbol: u8) -> (u32, u8) {
    let symbol = symbol.min(u8::try_from(DISTANCES - 1).unwrap_or_default());
    if symbol < 4 {
        return (u32::from(symbol), 0);
    }
    let more = symbol / 2 - 1;
    ((2 + u32::from(symbol % 2)) << more, more)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An arithmetic coder over the decoder's models.
    struct Writer {
        low: u32,
        high: u32,
        waiting: usize,
        bits: Vec<u16>,
        shifts: usize,
        /// Further bits, and behind how many bits of the code they stand.
        more: Vec<(usize, u32, u8)>,
    }

    impl Writer {
        fn emit(&mut self, bit: u16) {
            self.bits.push(bit);
            let waiting = std::mem::take(&mut self.waiting);
            self.bits.extend(vec![1 - bit; waiting]);
        }

        fn symbol(&mut self, model: &mut Model, symbol: u8) {
            let entries = &model.entries;
            let at = entries.iter().position(|one| one.symbol == symbol).unwrap();
            let (total, range) = (u32::from(model.total()), self.high - self.low + 1);
            let to = |sum: u16| self.low + u32::from(sum) * range / total;
            let (high, low) = (to(entries[at].sum) - 1, to(entries[at + 1].sum));
            (self.high, self.low) = (high, low);
            model.met(at);
            loop {
                if (self.low ^ self.high) & 0x8000 == 0 {
                    self.emit(u16::from(self.low & 0x8000 != 0));
                } else if self.low & 0x4000 != 0 && self.high & 0x4000 == 0 {
                    self.waiting += 1;
                    self.low &= 0x3fff;
                    self.high |= 0x4000;
                } else {
                    return;
                }
                self.shifts += 1;
                self.low = self.low << 1 & 0xffff;
                self.high = (self.high << 1 | 1) & 0xffff;
            }
        }

        /// Writes further bits: the decoder is sixteen bits of the code ahead when it reads them.
        fn more(&mut self, bits: u32, count: u8) {
            self.more.push((self.shifts + 16, bits, count));
        }

        fn bytes(mut self) -> Vec<u8> {
            self.waiting += 1;
            self.emit(u16::from(self.low & 0x4000 != 0));
            self.bits.extend([0; 32]);
            let mut bits = Vec::new();
            let mut more = self.more.iter().peekable();
            for (at, bit) in self.bits.iter().enumerate() {
                while let Some((_, value, count)) = more.next_if(|(place, ..)| *place == at) {
                    bits.extend((0..*count).rev().map(|at| u16::from(value >> at & 1 == 1)));
                }
                bits.push(*bit);
            }
            let byte = |bits: &[u16]| {
                let bits = bits.iter().chain(&[0; 8]).take(8);
                bits.fold(0u8, |byte, bit| byte << 1 | u8::try_from(*bit).unwrap())
            };
            bits.chunks(8).map(byte).collect()
        }
    }

    /// The last place where the three bytes at each place stood before.
    fn places(content: &[u8]) -> Vec<Option<usize>> {
        let mut known = vec![None; 1 << 24];
        let place = |(at, three): (usize, &[u8])| {
            let key = three
                .iter()
                .fold(0, |key, byte| key << 8 | usize::from(*byte));
            known[key].replace(at)
        };
        content.windows(3).enumerate().map(place).collect()
    }

    /// Packs blocks as literals and matches of every length at any distance.
    pub(crate) fn packed(content: &[u8], window: u8) -> Vec<Vec<u8>> {
        let mut models = Decoder::new(window).unwrap();
        let places = places(content);
        let mut blocks = Vec::new();
        let mut start = 0;
        for block in content.chunks(32_768) {
            let mut writer = Writer {
                low: 0,
                high: 0xffff,
                waiting: 0,
                bits: Vec::new(),
                shifts: 0,
                more: Vec::new(),
            };
            let end = start + block.len();
            let mut at = start;
            while at < end {
                let place = places.get(at).copied().flatten();
                let place = place.filter(|place| at - place <= models.window);
                let length = place.map_or(0, |place| {
                    let pairs = content[at..end].iter().zip(&content[place..]);
                    pairs
                        .take(259)
                        .take_while(|(one, other)| one == other)
                        .count()
                });
                let far = u32::try_from(place.map_or(0, |place| at - place - 1)).unwrap();
                let symbol = (0..42)
                    .rev()
                    .find(|symbol| distance(*symbol).0 <= far)
                    .unwrap();
                let known = |model: &Model| usize::from(symbol) + 1 < model.entries.len();
                let model = match length {
                    3 if known(&models.threes) => &mut models.threes,
                    4 if known(&models.fours) => &mut models.fours,
                    5.. => &mut models.distances,
                    _ => {
                        let byte = content[at];
                        writer.symbol(&mut models.selector, byte / 64);
                        writer.symbol(&mut models.literals[usize::from(byte / 64)], byte);
                        at += 1;
                        continue;
                    }
                };
                let selector = u8::try_from(length.min(5) + 1).unwrap();
                writer.symbol(&mut models.selector, selector);
                if selector == 6 {
                    let long = u16::try_from(length - 5).unwrap();
                    let entry = LENGTHS.iter().rposition(|(base, _)| *base <= long).unwrap();
                    writer.symbol(&mut models.lengths, u8::try_from(entry).unwrap());
                    writer.more(u32::from(long - LENGTHS[entry].0), LENGTHS[entry].1);
                }
                writer.symbol(model, symbol);
                let (base, count) = distance(symbol);
                writer.more(far - base, count);
                at += length;
            }
            start = end;
            blocks.push(writer.bytes());
        }
        blocks
    }

    fn unpacked(blocks: &[Vec<u8>], size: usize) -> Result<Vec<u8>, Broken> {
        let mut decoder = Decoder::new(15).unwrap();
        let mut out = Vec::new();
        for block in blocks {
            let size = (size - out.len()).min(32_768);
            out.extend_from_slice(decoder.block(block, size)?);
        }
        Ok(out)
    }

    #[test]
    fn literals_matches_and_scaled_models_are_read() {
        let mut content = b"abababababcabcabcabcaaaaaaaaaaaa".to_vec();
        // Long enough for every way of scaling, and for a second block.
        content.extend((0..40_000u32).map(|at| u8::try_from(at * at / 7 % 251).unwrap()));
        content.extend([0; 500]);
        let blocks = packed(&content, 15);
        assert_eq!(blocks.len(), 2);
        assert_eq!(unpacked(&blocks, content.len()), Ok(content));
    }

    #[test]
    fn what_is_cut_or_reaches_too_far_is_told() {
        let content: Vec<u8> = (0..9000u32)
            .map(|at| u8::try_from(at * at / 7 % 251).unwrap())
            .collect();
        let blocks = packed(&content, 15);
        let cut = vec![blocks[0][..blocks[0].len() / 2].to_vec()];
        let ended = unpacked(&cut, content.len());
        assert!(
            matches!(ended, Err(Broken::Cut | Broken::Match)),
            "{ended:?}"
        );
        // A match is the first symbol.
        assert_eq!(unpacked(&[vec![0; 20]], 10), Err(Broken::Match));
        assert!(Decoder::new(9).is_none() && Decoder::new(22).is_none());
    }

    #[test]
    fn distances_go_on_in_pairs() {
        let far: Vec<(u32, u8)> = (0..10).map(distance).collect();
        let want = [
            (0, 0),
            (1, 0),
            (2, 0),
            (3, 0),
            (4, 1),
            (6, 1),
            (8, 2),
            (12, 2),
            (16, 3),
            (24, 3),
        ];
        assert_eq!(far, want);
        assert_eq!(distance(41), (1_572_864, 19));
    }
}
