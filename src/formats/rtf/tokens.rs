//! Tokens of rich text (RTF 1.9.1, "RTF Syntax"): groups, control words, control symbols, binary data, text.

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// `{`.
    Open,
    /// `}`.
    Close,
    /// `\word` with its number, if any.
    Word {
        /// The letters, as written.
        name: &'a [u8],
        /// The number behind them.
        number: Option<i32>,
    },
    /// `\'hh`: a character by its code; `None` where no two hexadecimal digits follow.
    Code(Option<u8>),
    /// `\` and one character that is no letter, such as `\*`.
    Symbol(u8),
    /// The data of `\binN`, as much of it as is there, and the number that was claimed.
    Binary {
        /// The bytes.
        data: &'a [u8],
        /// Bytes claimed.
        claimed: usize,
    },
    /// Text without line ends.
    Text(&'a [u8]),
}

/// Longest control word that is read; longer ones end there.
const LONGEST_WORD: usize = 64;

/// A control word in lower case, as Word reads it.
#[derive(Debug, Clone, Copy)]
pub struct Lower {
    letters: [u8; LONGEST_WORD],
    len: usize,
}

impl Lower {
    /// Of the letters of a [`Token::Word`].
    pub fn of(name: &[u8]) -> Self {
        let mut letters = [0; LONGEST_WORD];
        let mut len = 0usize;
        for (place, letter) in letters.iter_mut().zip(name) {
            *place = letter.to_ascii_lowercase();
            len = len.saturating_add(1);
        }
        Self { letters, len }
    }

    /// The letters.
    pub fn letters(&self) -> &[u8] {
        self.letters.get(..self.len).unwrap_or_default()
    }
}

/// Reads tokens one after the other. Ends because every token takes at least one byte.
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    /// Starts at byte `at`.
    pub fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at }
    }

    /// Offset of the next token.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// What stands at the next token.
    pub fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let end = self.at.saturating_add(len).min(self.data.len());
        let taken = self.data.get(self.at..end).unwrap_or_default();
        self.at = end;
        taken
    }

    fn control(&mut self) -> Token<'a> {
        // The backslash.
        self.take(1);
        let Some(&first) = self.rest().first() else {
            return Token::Symbol(b'\\');
        };
        if first == b'\'' {
            let digits = self.rest().get(1..3).unwrap_or_default();
            let code = match digits {
                [high, low] => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
                _ => None,
            };
            self.take(if code.is_some() { 3 } else { 1 });
            return Token::Code(code);
        }
        if !first.is_ascii_alphabetic() {
            self.take(1);
            return Token::Symbol(first);
        }
        let letters = self
            .rest()
            .iter()
            .take(LONGEST_WORD)
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let name = self.take(letters);
        let number = self.number();
        if self.rest().first() == Some(&b' ') {
            self.take(1);
        }
        if name.eq_ignore_ascii_case(b"bin") {
            let claimed = usize::try_from(number.unwrap_or(0)).unwrap_or(0);
            let data = self.take(claimed);
            return Token::Binary { data, claimed };
        }
        Token::Word { name, number }
    }

    fn number(&mut self) -> Option<i32> {
        let rest = self.rest();
        let sign = usize::from(rest.first() == Some(&b'-'));
        let digits = rest
            .iter()
            .skip(sign)
            .take(10)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 {
            return None;
        }
        let text = self.take(sign.saturating_add(digits));
        let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        Some(i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX }))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (usize, Token<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let token = match *self.rest().first()? {
            b'{' => {
                self.take(1);
                Token::Open
            }
            b'}' => {
                self.take(1);
                Token::Close
            }
            b'\\' => self.control(),
            _ => {
                let special = |byte: &u8| matches!(byte, b'{' | b'}' | b'\\');
                let len = self
                    .rest()
                    .iter()
                    .position(special)
                    .unwrap_or(self.rest().len());
                Token::Text(self.take(len))
            }
        };
        Some((at, token))
    }
}

/// The value of a hexadecimal digit.
pub(super) fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &[u8]) -> Vec<Token<'_>> {
        Tokens::new(text, 0).map(|(_, token)| token).collect()
    }

    #[test]
    fn words_numbers_symbols_and_text_are_told_apart() {
        assert_eq!(
            tokens(b"{\\rtf1\\fs-24 a b\\'e9\\*\\~}"),
            [
                Token::Open,
                Token::Word {
                    name: b"rtf",
                    number: Some(1)
                },
                Token::Word {
                    name: b"fs",
                    number: Some(-24)
                },
                Token::Text(b"a b"),
                Token::Code(Some(0xe9)),
                Token::Symbol(b'*'),
                Token::Symbol(b'~'),
                Token::Close,
            ]
        );
    }

    #[test]
    fn binary_data_is_taken_whole_and_never_past_the_end() {
        assert_eq!(
            tokens(b"\\bin3 a}bc"),
            [
                Token::Binary {
                    data: b"a}b",
                    claimed: 3
                },
                Token::Text(b"c")
            ]
        );
        assert_eq!(
            tokens(b"\\bin2147483647 ab"),
            [Token::Binary {
                data: b"ab",
                claimed: 2_147_483_647
            }]
        );
        assert_eq!(
            tokens(b"\\bin-4 ab"),
            [
                Token::Binary {
                    data: b"",
                    claimed: 0
                },
                Token::Text(b"ab")
            ]
        );
    }

    #[test]
    fn damage_at_the_end_is_read_as_far_as_it_goes() {
        assert_eq!(tokens(b"\\"), [Token::Symbol(b'\\')]);
        assert_eq!(tokens(b"\\'g"), [Token::Code(None), Token::Text(b"g")]);
        assert_eq!(
            tokens(b"\\a99999999999"),
            [
                Token::Word {
                    name: b"a",
                    number: Some(i32::MAX)
                },
                Token::Text(b"9")
            ]
        );
    }
}
