//! VBA source → tokens ([MS-VBAL] 3.2 and 3.3) with their offsets in the module's bytes.
//!
//! The bytes are in the project's code page, which is not asked for: what matters to the lexer is ASCII in all of
//! them. The second byte of a double-byte character (code pages 932, 936, 949, 950) may look like ASCII from `@` on,
//! never like a quote, an apostrophe or a line end. Full-width blanks separate tokens as half-width ones do.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;

use encoding_rs::Encoding;

use super::procedures::{self, Procedure};
use super::statements::{self, Statement};
use crate::text;

/// Bytes outside ASCII that are looked at to guess the code page.
const SNIFFED: usize = 4096;

/// Longest date literal in bytes: `#September 30, 2026 12:59:59 PM#` with room for blanks.
const LONGEST_DATE: usize = 48;

/// Ordinal of a distinct name in its module; names that differ in case alone are one.
pub type Symbol = u32;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// An identifier or keyword, without its type suffix; bracketed names without their brackets.
    Name,
    /// A string with its quotes.
    Text,
    /// A number in any base.
    Number,
    /// A date between `#`.
    Date,
    /// An operator or separator of one or two characters.
    Sign,
    /// The end of a logical line; comments are gone, continued lines are one.
    EndOfLine,
}

/// A piece of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    start: u32,
    end: u32,
    /// Which name it is; meaningless for other kinds.
    pub symbol: Symbol,
}

impl Token {
    /// Its bytes in the module.
    pub fn span(&self) -> Range<usize> {
        let place = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
        place(self.start)..place(self.end)
    }
}

/// A module taken apart.
#[derive(Debug)]
pub struct Module<'a> {
    data: &'a [u8],
    tokens: Vec<Token>,
    names: Vec<Box<str>>,
    encoding: OnceCell<&'static Encoding>,
    statements: Vec<Statement>,
    procedures: Vec<Procedure>,
}

impl<'a> Module<'a> {
    /// Takes a module's source apart. Never fails: what is no token is passed over.
    pub fn read(data: &'a [u8]) -> Self {
        let mut lexer = Lexer::new(data);
        lexer.run();
        let mut module = Self {
            data,
            tokens: lexer.tokens,
            names: lexer.names,
            encoding: OnceCell::new(),
            statements: Vec::new(),
            procedures: Vec::new(),
        };
        module.statements = statements::split(&module);
        module.procedures = procedures::find(&module);
        module
    }

    /// The bytes it was read from.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// All tokens.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// All statements, in the order of the source.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// All procedures, in the order of the source.
    pub fn procedures(&self) -> &[Procedure] {
        &self.procedures
    }

    /// Distinct names, lower-case.
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The lower-case text of a name; bytes outside ASCII stand for themselves as Latin-1 characters.
    pub fn name(&self, symbol: Symbol) -> &str {
        usize::try_from(symbol)
            .ok()
            .and_then(|at| self.names.get(at))
            .map(|name| &**name)
            .unwrap_or_default()
    }

    /// The bytes of a token.
    pub fn bytes(&self, token: &Token) -> &'a [u8] {
        self.data.get(token.span()).unwrap_or_default()
    }

    /// The lower-case name that the token at `at` is, or an empty text where it is none.
    pub fn word(&self, at: usize) -> &str {
        match self.tokens.get(at) {
            Some(token) if token.kind == TokenKind::Name => self.name(token.symbol),
            _ => "",
        }
    }

    /// The operator or separator that the token at `at` is, or nothing.
    pub fn sign(&self, at: usize) -> &'a [u8] {
        match self.tokens.get(at) {
            Some(token) if token.kind == TokenKind::Sign => self.bytes(token),
            _ => b"",
        }
    }

    /// Source text as Unicode.
    pub fn decode(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        match std::str::from_utf8(bytes) {
            Ok(ascii) if ascii.is_ascii() => Cow::Borrowed(ascii),
            _ => self.encoding().decode_without_bom_handling(bytes).0,
        }
    }

    /// What a string token says: quotes off, doubled quotes single.
    pub fn literal(&self, token: &Token) -> Cow<'a, str> {
        let bytes = self.bytes(token);
        let inner = bytes.strip_prefix(b"\"").unwrap_or(bytes);
        let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
        let text = self.decode(inner);
        if text.contains("\"\"") {
            Cow::Owned(text.replace("\"\"", "\""))
        } else {
            text
        }
    }

    fn encoding(&self) -> &'static Encoding {
        self.encoding.get_or_init(|| {
            // Neighbours of high bytes are kept: the second byte of a pair may be ASCII.
            let mut sample: Vec<u8> = Vec::new();
            let mut follows = false;
            for &byte in self.data {
                if follows || byte >= 0x80 {
                    sample.push(byte);
                }
                follows = byte >= 0x80;
                if sample.len() >= SNIFFED {
                    break;
                }
            }
            text::sniff(&sample).map_or(encoding_rs::WINDOWS_1252, |charset| charset.encoding)
        })
    }
}

/// Whether a byte can stand in a name; bytes outside ASCII are letters of some code page.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

struct Lexer<'a> {
    data: &'a [u8],
    at: usize,
    tokens: Vec<Token>,
    names: Vec<Box<str>>,
    symbols: BTreeMap<Box<str>, Symbol>,
}

impl<'a> Lexer<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            tokens: Vec::with_capacity(data.len() / 6),
            names: Vec::new(),
            symbols: BTreeMap::new(),
        }
    }

    fn byte(&self, ahead: usize) -> u8 {
        let at = self.at.saturating_add(ahead);
        // A zero byte is no token and ends every other one, as the end does.
        self.data.get(at).copied().unwrap_or(0)
    }

    fn step(&mut self, by: usize) {
        self.at = self.at.saturating_add(by).min(self.data.len());
    }

    fn run(&mut self) {
        // Ends because every branch takes at least one byte.
        while self.at < self.data.len() {
            let start = self.at;
            match self.byte(0) {
                b'\r' | b'\n' => self.end_line(),
                b'\'' => self.comment(),
                b'"' => self.string(),
                0x81 if self.byte(1) == 0x40 => self.step(2),
                b'_' if self.continues_line() => {}
                b'[' => self.bracketed(),
                b'#' => self.hash(),
                b'&' if self.based_number() => {}
                byte if byte.is_ascii_digit() => self.number(),
                b'.' if self.byte(1).is_ascii_digit() && !self.follows_name() => self.number(),
                byte if is_name(byte) => self.word(),
                b'<' | b'>' | b'=' | b':' => self.comparison(),
                b'&' | b'+' | b'-' | b'*' | b'/' | b'\\' | b'^' | b'(' | b')' | b',' | b'.'
                | b'!' | b';' | b'?' | b'@' | b'{' | b'}' => {
                    self.step(1);
                    self.push(TokenKind::Sign, start);
                }
                _ => self.step(1),
            }
        }
        self.end_line();
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.push_span(kind, start, self.at, 0);
    }

    fn push_span(&mut self, kind: TokenKind, start: usize, end: usize, symbol: Symbol) {
        let place = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        self.tokens.push(Token {
            kind,
            start: place(start),
            end: place(end),
            symbol,
        });
    }

    fn end_line(&mut self) {
        let start = self.at;
        self.step(1);
        let ended = self
            .tokens
            .last()
            .is_none_or(|token| token.kind == TokenKind::EndOfLine);
        if !ended {
            self.push_span(TokenKind::EndOfLine, start, start, 0);
        }
    }

    /// A comment goes to the end of its line; it too is continued by a blank and an underscore.
    fn comment(&mut self) {
        loop {
            let rest = self.data.get(self.at..).unwrap_or_default();
            let Some(len) = memchr::memchr2(b'\r', b'\n', rest) else {
                self.at = self.data.len();
                return;
            };
            let line = rest.get(..len).unwrap_or_default();
            self.step(len);
            let continued = line
                .trim_ascii_end()
                .strip_suffix(b"_")
                .is_some_and(|before| before.last().is_some_and(u8::is_ascii_whitespace));
            if !continued {
                return;
            }
            self.line_break();
        }
    }

    fn line_break(&mut self) {
        let len = if self
            .data
            .get(self.at..)
            .unwrap_or_default()
            .starts_with(b"\r\n")
        {
            2
        } else {
            1
        };
        self.step(len);
    }

    fn string(&mut self) {
        let start = self.at;
        self.step(1);
        loop {
            let rest = self.data.get(self.at..).unwrap_or_default();
            let Some(len) = memchr::memchr3(b'"', b'\r', b'\n', rest) else {
                self.at = self.data.len();
                break;
            };
            self.step(len);
            if self.byte(0) != b'"' {
                break;
            }
            self.step(1);
            if self.byte(0) != b'"' {
                break;
            }
            self.step(1);
        }
        self.push(TokenKind::Text, start);
    }

    /// A blank, an underscore and nothing else but blanks before the line's end: the line goes on.
    fn continues_line(&mut self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.data.get(at));
        let after_blank = before.is_none_or(|byte| byte.is_ascii_whitespace() || *byte == 0x40);
        let rest = self
            .data
            .get(self.at.saturating_add(1)..)
            .unwrap_or_default();
        let blanks = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let ends = matches!(rest.get(blanks), None | Some(b'\r' | b'\n'));
        if !(after_blank && ends) {
            return false;
        }
        self.step(blanks.saturating_add(1));
        self.line_break();
        true
    }

    fn bracketed(&mut self) {
        let start = self.at;
        let mut len: usize = 1;
        // Ends at the closing bracket or with the line.
        loop {
            let byte = self.byte(len);
            match byte {
                b']' => break,
                0 | b'\r' | b'\n' => {
                    self.step(1);
                    self.push(TokenKind::Sign, start);
                    return;
                }
                byte if byte >= 0x80 && self.byte(len.saturating_add(1)) >= 0x40 => {
                    len = len.saturating_add(2);
                }
                _ => len = len.saturating_add(1),
            }
        }
        let inner = start.saturating_add(1);
        let end = start.saturating_add(len);
        let symbol = self.symbol(inner..end);
        self.push_span(TokenKind::Name, inner, end, symbol);
        self.step(len.saturating_add(1));
    }

    /// A date between hashes, or the sign before a file number or a directive.
    fn hash(&mut self) {
        let start = self.at;
        let rest = self.data.get(start.saturating_add(1)..).unwrap_or_default();
        let window = rest.get(..LONGEST_DATE).unwrap_or(rest);
        let inner = window
            .iter()
            .take_while(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b':' | b'-' | b' ' | b',')
            })
            .count();
        let text = window.get(..inner).unwrap_or_default();
        let dated = text.iter().any(|byte| matches!(byte, b'/' | b':' | b'-'));
        if dated && window.get(inner) == Some(&b'#') {
            self.step(inner.saturating_add(2));
            self.push(TokenKind::Date, start);
        } else {
            self.step(1);
            self.push(TokenKind::Sign, start);
        }
    }

    /// `&H1F` or `&O17`, with an optional suffix; not `&Hello`.
    fn based_number(&mut self) -> bool {
        let hexadecimal = match self.byte(1) {
            b'h' | b'H' => true,
            b'o' | b'O' => false,
            _ => return false,
        };
        let rest = self
            .data
            .get(self.at.saturating_add(2)..)
            .unwrap_or_default();
        let is_digit = |byte: &&u8| {
            if hexadecimal {
                byte.is_ascii_hexdigit()
            } else {
                matches!(byte, b'0'..=b'7')
            }
        };
        let digits = rest.iter().take_while(is_digit).count();
        if digits == 0 || rest.get(digits).copied().is_some_and(is_name) {
            return false;
        }
        let start = self.at;
        self.step(digits.saturating_add(2));
        self.push(TokenKind::Number, start);
        if matches!(self.byte(0), b'&' | b'%' | b'^') {
            self.suffix();
        }
        true
    }

    fn follows_name(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.data.get(at));
        before.is_some_and(|byte| is_name(*byte) || matches!(byte, b')' | b']'))
    }

    fn number(&mut self) {
        let start = self.at;
        let mut exponent = false;
        // Ends at the first byte that is not of the number.
        loop {
            match self.byte(0) {
                b'0'..=b'9' | b'.' => self.step(1),
                b'e' | b'E' | b'd' | b'D' if !exponent => {
                    let signed = matches!(self.byte(1), b'+' | b'-');
                    let digit = if signed { self.byte(2) } else { self.byte(1) };
                    if !digit.is_ascii_digit() {
                        break;
                    }
                    exponent = true;
                    self.step(if signed { 2 } else { 1 });
                }
                _ => break,
            }
        }
        self.push(TokenKind::Number, start);
        if matches!(self.byte(0), b'&' | b'%' | b'^' | b'!' | b'#' | b'@') {
            self.suffix();
        }
    }

    fn word(&mut self) {
        let start = self.at;
        // Ends at the first byte that is not of the name.
        loop {
            let (byte, next) = (self.byte(0), self.byte(1));
            if (byte, next) == (0x81, 0x40) {
                break;
            } else if byte >= 0x80 && next >= 0x40 {
                self.step(2);
            } else if is_name(byte) {
                self.step(1);
            } else {
                break;
            }
        }
        let word = self.data.get(start..self.at).unwrap_or_default();
        let first = self.tokens.last().is_none_or(|token| {
            token.kind == TokenKind::EndOfLine
                || self
                    .data
                    .get(token.span())
                    .is_some_and(|bytes| bytes == b":")
        });
        if first && word.eq_ignore_ascii_case(b"rem") && !matches!(self.byte(0), b'.' | b'(' | b'=')
        {
            self.comment();
            return;
        }
        let symbol = self.symbol(start..self.at);
        self.push_span(TokenKind::Name, start, self.at, symbol);
        match self.byte(0) {
            b'$' | b'%' => self.step(1),
            b'&' | b'!' | b'#' | b'@' | b'^' => self.suffix(),
            _ => {}
        }
    }

    /// Passes over a type suffix; the same characters are operators where an operand follows.
    fn suffix(&mut self) {
        let next = self.byte(1);
        let after = self.byte(2);
        let ends = match next {
            b',' | b')' | b'\r' | b'\n' | b':' | 0 => true,
            b'(' => self.byte(0) != b'&',
            b' ' => {
                let operator = matches!(
                    after,
                    b'=' | b'+' | b'-' | b'*' | b'/' | b'\\' | b'&' | b'<' | b'>' | b'^' | b'\''
                );
                let word = matches!(after, b'a' | b'A') && self.byte(0) != b'&';
                operator || word || matches!(after, b'\r' | b'\n')
            }
            _ => false,
        };
        if ends {
            self.step(1);
        }
    }

    fn comparison(&mut self) {
        let start = self.at;
        let two = matches!(
            (self.byte(0), self.byte(1)),
            (b'<', b'=' | b'>') | (b'>' | b':', b'=') | (b'=', b'<' | b'>')
        );
        self.step(if two { 2 } else { 1 });
        self.push(TokenKind::Sign, start);
    }

    fn symbol(&mut self, span: Range<usize>) -> Symbol {
        let bytes = self.data.get(span).unwrap_or_default();
        let name: String = bytes
            .iter()
            .map(|byte| char::from(byte.to_ascii_lowercase()))
            .collect();
        if let Some(symbol) = self.symbols.get(name.as_str()) {
            return *symbol;
        }
        let symbol = Symbol::try_from(self.names.len()).unwrap_or(Symbol::MAX);
        let name: Box<str> = name.into();
        self.names.push(name.clone());
        self.symbols.insert(name, symbol);
        symbol
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(source: &str) -> Vec<String> {
        let module = Module::read(source.as_bytes());
        module
            .tokens()
            .iter()
            .filter(|token| token.kind != TokenKind::EndOfLine)
            .map(|token| String::from_utf8_lossy(module.bytes(token)).into_owned())
            .collect()
    }

    #[test]
    fn comments_and_rem_lines_are_no_tokens_and_continue_like_code() {
        assert_eq!(
            tokens("a = 1 ' Shell \"x\"\r\nREM Shell y\r\nb"),
            ["a", "=", "1", "b"]
        );
        assert_eq!(tokens("' one _\r\nShell x\r\nb"), ["b"]);
        assert_eq!(tokens("a: Rem x\nRemove 1"), ["a", ":", "Remove", "1"]);
    }

    #[test]
    fn a_continued_line_is_one_line() {
        let module = Module::read(b"a = \"x\" & _\r\n  \"y\"\r\nb");
        let ends = |token: &&Token| token.kind == TokenKind::EndOfLine;
        assert_eq!(module.tokens().iter().filter(ends).count(), 2);
    }

    #[test]
    fn strings_keep_doubled_quotes_and_end_with_their_line() {
        let module = Module::read(b"a = \"say \"\"hi\"\"\": b = \"open\r\nc");
        let texts: Vec<_> = module
            .tokens()
            .iter()
            .filter(|token| token.kind == TokenKind::Text)
            .map(|token| module.literal(token).into_owned())
            .collect();
        assert_eq!(texts, ["say \"hi\"", "open"]);
    }

    #[test]
    fn numbers_dates_suffixes_and_operators_are_told_apart() {
        assert_eq!(
            tokens("x = &HFF& + &O17 + 1.5E+3#"),
            ["x", "=", "&HFF", "+", "&O17", "+", "1.5E+3"]
        );
        assert_eq!(tokens("d = #1/2/2003#"), ["d", "=", "#1/2/2003#"]);
        assert_eq!(
            tokens("Print #1, Chr$(65)&b"),
            ["Print", "#", "1", ",", "Chr", "(", "65", ")", "&", "b"]
        );
        assert_eq!(tokens("x = \"a\"&Hello"), ["x", "=", "\"a\"", "&", "Hello"]);
        assert_eq!(tokens("Dim a&, b%"), ["Dim", "a", ",", "b"]);
        assert_eq!(tokens("[My Name] = 1"), ["My Name", "=", "1"]);
    }

    #[test]
    fn japanese_names_are_whole_and_full_width_blanks_separate() {
        let (source, _, _) = encoding_rs::SHIFT_JIS.encode("Sub 表示ソ()\r\n売上　= \"構ソ\"\r\n");
        let module = Module::read(&source);
        let kinds: Vec<_> = module.tokens().iter().map(|token| token.kind).collect();
        assert_eq!(
            kinds,
            [
                TokenKind::Name,
                TokenKind::Name,
                TokenKind::Sign,
                TokenKind::Sign,
                TokenKind::EndOfLine,
                TokenKind::Name,
                TokenKind::Sign,
                TokenKind::Text,
                TokenKind::EndOfLine
            ]
        );
        assert_eq!(module.literal(module.tokens().get(7).unwrap()), "構ソ");
    }

    #[test]
    fn names_are_one_in_any_case() {
        let module = Module::read(b"Alpha alpha ALPHA beta");
        assert_eq!(module.names().len(), 2);
    }
}
