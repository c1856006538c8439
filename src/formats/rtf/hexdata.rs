//! The data of an object, written as hexadecimal digits with whatever an attacker puts between them.

use super::tokens::hex;

/// What stands between the digits that no program writes there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Noise {
    /// Blanks and tabulators.
    pub blanks: usize,
    /// Of these, those between the two digits of a byte.
    pub split: usize,
    /// Characters that are neither digits nor blanks.
    pub junk: usize,
    /// Control words.
    pub words: usize,
    /// Groups.
    pub groups: usize,
    /// Characters by code (`\'hh`).
    pub codes: usize,
    /// Runs of binary data.
    pub binary: usize,
    /// Digits.
    pub digits: usize,
}

impl Noise {
    /// What of it hides the data, in words; nothing for what programs write.
    pub fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        let parts = [
            (self.junk, "characters that are no digits"),
            (self.words, "control words"),
            (self.groups, "groups"),
            (self.codes, "character codes"),
        ];
        for (count, what) in parts {
            if count > 0 {
                told.push(format!("{count} {what}"));
            }
        }
        // Programs write lines of the same length and nothing else between the digits.
        let (many, split) = (self.blanks > 8, self.split > 2);
        if many && self.blanks > self.digits / 8 || split {
            told.push(format!("{} blanks", self.blanks.max(self.split)));
        }
        if self.binary > 0 && self.digits > 0 {
            told.push(format!("{} runs of binary data among digits", self.binary));
        }
        told
    }
}

/// Decoded data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HexData {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The bytes as a second rule reads them, where that differs: digits paired from the second one on, or codes taken
    /// for digits.
    pub others: Vec<Vec<u8>>,
    /// What stood between the digits.
    pub noise: Noise,
    /// Whether a digit was left over.
    pub odd: bool,
}

impl HexData {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.others.is_empty()
    }
}

/// One rule's way of pairing digits.
#[derive(Debug, Clone, Default)]
struct Pairing {
    bytes: Vec<u8>,
    half: Option<u8>,
}

impl Pairing {
    fn digit(&mut self, digit: u8) {
        match self.half.take() {
            None => self.half = Some(digit),
            Some(high) => self.bytes.push(high << 4 | digit),
        }
    }

    fn binary(&mut self, data: &[u8]) {
        // A digit left over before binary data is dropped.
        self.half = None;
        self.bytes.extend(data);
    }
}

/// Collects the data of one object.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    at: usize,
    plain: Pairing,
    /// Takes the digits of `\'hh` as well; apart from the first only once one was seen.
    with_codes: Option<Pairing>,
    /// Leaves out what stands aside; apart from the first only once there was any.
    without_groups: Option<Pairing>,
    noise: Noise,
}

impl Collector {
    pub(super) fn new(at: usize) -> Self {
        Self {
            at,
            plain: Pairing::default(),
            with_codes: None,
            without_groups: None,
            noise: Noise::default(),
        }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Takes text, which may stand aside: in a group that is none of the object's.
    pub(super) fn text(&mut self, text: &[u8], aside: bool) {
        if aside && !text.is_empty() {
            self.without_groups
                .get_or_insert_with(|| self.plain.clone());
        }
        for &byte in text {
            if let Some(digit) = hex(byte) {
                self.noise.digits = self.noise.digits.saturating_add(1);
                if let Some(other) = self.without_groups.as_mut().filter(|_| !aside) {
                    other.digit(digit);
                }
                self.plain.digit(digit);
                if let Some(other) = &mut self.with_codes {
                    other.digit(digit);
                }
            } else if matches!(byte, b' ' | b'\t') {
                self.noise.blanks = self.noise.blanks.saturating_add(1);
                let split = usize::from(self.plain.half.is_some());
                self.noise.split = self.noise.split.saturating_add(split);
            } else if !matches!(byte, b'\r' | b'\n' | 0) {
                self.note_junk(1);
            }
        }
    }

    pub(super) fn binary(&mut self, data: &[u8], claimed: usize) {
        // `\bin0` is a control word like any other.
        if claimed == 0 {
            self.note_word();
            return;
        }
        self.noise.binary = self.noise.binary.saturating_add(1);
        self.plain.binary(data);
        let others = [&mut self.with_codes, &mut self.without_groups];
        others
            .into_iter()
            .flatten()
            .for_each(|other| other.binary(data));
    }

    pub(super) fn code(&mut self, code: Option<u8>) {
        self.noise.codes = self.noise.codes.saturating_add(1);
        let other = self.with_codes.get_or_insert_with(|| self.plain.clone());
        if let Some(code) = code {
            other.digit(code >> 4);
            other.digit(code & 15);
        }
    }

    pub(super) fn note_word(&mut self) {
        self.noise.words = self.noise.words.saturating_add(1);
    }

    pub(super) fn note_group(&mut self) {
        self.noise.groups = self.noise.groups.saturating_add(1);
    }

    pub(super) fn note_junk(&mut self, count: usize) {
        self.noise.junk = self.noise.junk.saturating_add(count);
    }

    pub(super) fn finish(self) -> HexData {
        let odd = self.plain.half.is_some();
        let others = [self.with_codes, self.without_groups].into_iter();
        let mut others: Vec<Vec<u8>> = others.flatten().map(|other| other.bytes).collect();
        // A digit too many may stand in front as well as behind.
        if odd && self.noise.binary == 0 {
            let mut shifted = Pairing::default();
            let digits = self
                .plain
                .bytes
                .iter()
                .flat_map(|byte| [byte >> 4, byte & 15])
                .chain(self.plain.half);
            digits.skip(1).for_each(|digit| shifted.digit(digit));
            others.push(shifted.bytes);
        }
        HexData {
            bytes: self.plain.bytes,
            others,
            noise: self.noise,
            odd,
        }
    }
}
