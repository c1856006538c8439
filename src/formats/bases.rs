//! Base32 (RFC 4648 section 6) and the notations of base 85: Ascii85 (ISO 32000-2 7.4.3, with the `z` and `y` of btoa), that of
//! RFC 1924 and Z85 (ZeroMQ RFC 32), as programs write bytes into texts. No length is kept: what ends a run ends it.

use crate::bytes::index;

/// A way to write bytes in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// RFC 4648, in either case.
    Base32,
    /// Adobe's.
    Ascii85,
    /// That of RFC 1924, which Python's `b85encode` writes.
    Rfc1924,
    /// That of ZeroMQ.
    Z85,
}

/// All of them.
pub const BASES: [Base; 4] = [Base::Base32, Base::Ascii85, Base::Rfc1924, Base::Z85];

impl Base {
    fn alphabet(self) -> &'static [u8] {
        match self {
            Self::Base32 => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
            Self::Ascii85 => {
                b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstu"
            }
            Self::Rfc1924 => {
                b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
            }
            Self::Z85 => {
                b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
            }
        }
    }

    /// What the characters stand for; 255: none of the alphabet.
    pub fn values(self) -> [u8; 256] {
        let mut table = [u8::MAX; 256];
        for (value, letter) in (0u8..).zip(self.alphabet()) {
            if let Some(entry) = table.get_mut(usize::from(*letter)) {
                *entry = value;
            }
            let lower = usize::from(letter.to_ascii_lowercase());
            if self == Self::Base32
                && let Some(entry) = table.get_mut(lower)
            {
                *entry = value;
            }
        }
        table
    }

    /// The characters that four bytes begin with, whatever follows them.
    pub fn start(self, bytes: [u8; 4]) -> Vec<u8> {
        let number = u32::from_be_bytes(bytes);
        let alphabet = self.alphabet();
        let letter = |value: u32| alphabet.get(index(value)).copied().unwrap_or_default();
        match self {
            // Six characters of five bits; two bits are left for the seventh.
            Self::Base32 => (0..6u32)
                .map(|at| letter(number.rotate_left(at.saturating_mul(5).saturating_add(5)) & 31))
                .collect(),
            _ => (0..5u32)
                .rev()
                .map(|power| letter(number / 85u32.saturating_pow(power) % 85))
                .collect(),
        }
    }
}

/// A run as it is decoded, character by character.
#[derive(Debug)]
pub struct Decoder {
    base: Base,
    values: [u8; 256],
    /// The group at hand, and the characters of it.
    group: u64,
    count: u32,
    /// What came out.
    pub data: Vec<u8>,
}

impl Decoder {
    /// Nothing decoded yet.
    pub fn new(base: Base) -> Self {
        Self {
            base,
            values: base.values(),
            group: 0,
            count: 0,
            data: Vec::new(),
        }
    }

    /// Takes a character; `false` where it is none that may stand there.
    pub fn take(&mut self, letter: u8) -> bool {
        if self.base == Base::Ascii85 && self.count == 0 && matches!(letter, b'z' | b'y') {
            let byte = if letter == b'z' { 0 } else { b' ' };
            self.data.extend([byte; 4]);
            return true;
        }
        let value = self
            .values
            .get(usize::from(letter))
            .copied()
            .unwrap_or(u8::MAX);
        if value == u8::MAX {
            return false;
        }
        let value = u64::from(value);
        if self.base == Base::Base32 {
            self.group = self.group << 5 & 0xfff | value;
            self.count = self.count.saturating_add(5);
            if self.count >= 8 {
                self.count = self.count.saturating_sub(8);
                let byte = self.group >> self.count & 0xff;
                self.data.push(u8::try_from(byte).unwrap_or_default());
            }
            return true;
        }
        self.group = self.group.saturating_mul(85).saturating_add(value);
        self.count = self.count.saturating_add(1);
        if self.count < 5 {
            return true;
        }
        let Ok(number) = u32::try_from(self.group) else {
            (self.group, self.count) = (0, 0);
            return false;
        };
        self.data.extend(number.to_be_bytes());
        (self.group, self.count) = (0, 0);
        true
    }

    /// The bytes, with those of the last group that is not whole.
    pub fn finish(mut self) -> Vec<u8> {
        let kept = self.count.saturating_sub(1);
        if self.base != Base::Base32 && (1..4).contains(&kept) {
            for _ in self.count..5 {
                self.group = self.group.saturating_mul(85).saturating_add(84);
            }
            let number = u32::try_from(self.group).unwrap_or(u32::MAX);
            let bytes = number.to_be_bytes();
            self.data
                .extend(bytes.get(..index(kept)).unwrap_or_default());
        }
        self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(base: Base, text: &[u8]) -> Vec<u8> {
        let mut decoder = Decoder::new(base);
        for letter in text {
            if !decoder.take(*letter) {
                break;
            }
        }
        decoder.finish()
    }

    #[test]
    fn what_other_writers_wrote_is_read() {
        // Python: base64.b32encode, a85encode, b85encode; ZeroMQ RFC 32 for the last.
        assert_eq!(
            decoded(Base::Base32, b"NBSWY3DPEB3W64TMMQ======"),
            b"hello world"
        );
        assert_eq!(decoded(Base::Base32, b"nbswy3dpeb3w64tmmq"), b"hello world");
        assert_eq!(decoded(Base::Ascii85, b"BOu!rD]j7BEbo7"), b"hello world");
        assert_eq!(decoded(Base::Ascii85, b"zBOu!r"), b"\0\0\0\0hell");
        assert_eq!(decoded(Base::Rfc1924, b"Xk~0{Zy<MXa%^M"), b"hello world");
        assert_eq!(
            decoded(Base::Z85, b"HelloWorld"),
            [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b]
        );
    }

    #[test]
    fn the_start_of_a_run_is_that_of_its_first_bytes() {
        let starts = BASES.map(|base| base.start(*b"MZ\x90\0"));
        assert_eq!(
            starts,
            [
                b"JVNJAA".to_vec(),
                b"9j3VY".to_vec(),
                b"O<Iru".to_vec(),
                b"o<iRU".to_vec()
            ]
        );
    }

    #[test]
    fn a_group_that_is_too_large_ends_the_run() {
        assert_eq!(decoded(Base::Ascii85, b"BOu!ruuuuu"), b"hell");
        assert_eq!(decoded(Base::Z85, b"#####Hello"), b"");
        for base in BASES {
            for len in 0..12 {
                let _ = decoded(base, &vec![b'5'; len]);
            }
        }
    }
}
