//! Tokens of scripts: JavaScript (ECMA-262 12), PowerShell (language specification 2.0, 2.3) and languages with the
//! same texts and comments. Lenient: what is no token is passed over.

use std::borrow::Cow;
use std::ops::Range;

/// A family of languages that write texts alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// JavaScript, JScript.
    Js,
    /// PowerShell.
    PowerShell,
    /// Python, Perl, Ruby, PHP, Lua and their like.
    Other,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind<'t> {
    /// A text literal, escapes resolved.
    Text(Cow<'t, str>),
    /// A regular expression literal, without its slashes.
    Pattern(&'t str),
    /// A whole number.
    Number(i64),
    /// A name; lower case where the language does not tell case.
    Name(Cow<'t, str>),
    /// A sign.
    Sign(u8),
    /// The end of a line.
    Line,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'t> {
    /// What it is.
    pub kind: TokenKind<'t>,
    /// Its bytes.
    pub span: Range<usize>,
}

/// Escapes in one text from which it counts.
const ESCAPED: usize = 8;

/// Tokens of one text at the most.
const CEILING: usize = 1 << 20;

/// What the tokens of a text say besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Printable ASCII characters that are written as `\x` or `\u` escapes, in texts that are written so throughout.
    pub escaped: u32,
    /// Escape marks that stand inside of names for nothing.
    pub ticks: u32,
}

/// Cuts a text into tokens; comments and blanks are left out.
pub fn tokens(text: &str, language: Language) -> (Vec<Token<'_>>, Written) {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        language,
        at: 0,
        // Without blanks, a program has some three characters a token; room that is not used costs nothing.
        out: Vec::with_capacity((text.len() / 3).min(CEILING)),
        written: Written::default(),
    };
    // Ends because each step takes at least a byte.
    while lexer.at < lexer.bytes.len() && lexer.out.len() < CEILING {
        lexer.step();
    }
    (lexer.out, lexer.written)
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    language: Language,
    at: usize,
    out: Vec<Token<'a>>,
    written: Written,
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

impl<'a> Lexer<'a> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes
            .get(self.at.saturating_add(ahead))
            .copied()
            .unwrap_or_default()
    }

    fn push(&mut self, kind: TokenKind<'a>, start: usize) {
        self.out.push(Token {
            kind,
            span: start..self.at,
        });
    }

    fn step(&mut self) {
        let start = self.at;
        let byte = self.peek(0);
        let next = self.peek(1);
        match byte {
            b'\n' => {
                self.at = self.at.saturating_add(1);
                self.push(TokenKind::Line, start);
            }
            b if b.is_ascii_whitespace() => {
                let more = self.run(|byte| byte.is_ascii_whitespace() && byte != b'\n');
                self.at = self.at.saturating_add(more.max(1));
            }
            b'/' if next == b'/' && self.language == Language::Js => self.line(),
            b'/' if next == b'*' && self.language != Language::PowerShell => self.until("*/"),
            b'<' if next == b'#' && self.language == Language::PowerShell => self.until("#>"),
            b'#' if self.language != Language::Js => self.line(),
            b'"' | b'\'' => self.quoted(byte),
            b'@' if matches!(next, b'"' | b'\'') && self.language == Language::PowerShell => {
                self.here(next);
            }
            b'`' if self.language == Language::Js => self.quoted(byte),
            b'/' if self.language == Language::Js && self.is_pattern_next() => self.pattern(),
            b if b.is_ascii_digit() => self.number(),
            b if is_name_start(b) => self.name(),
            b'`' if self.language == Language::PowerShell && is_name_start(next) => self.name(),
            _ => {
                self.at = self.at.saturating_add(1);
                self.push(TokenKind::Sign(byte), start);
            }
        }
    }

    /// Passes over a comment to the line's end.
    fn line(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at = self
            .at
            .saturating_add(memchr::memchr(b'\n', rest).unwrap_or(rest.len()));
    }

    /// Passes over what ends in a mark.
    fn until(&mut self, mark: &str) {
        let rest = self
            .bytes
            .get(self.at.saturating_add(2)..)
            .unwrap_or_default();
        let len = memchr::memmem::find(rest, mark.as_bytes());
        self.at = match len {
            Some(len) => self.at.saturating_add(len).saturating_add(4),
            None => self.bytes.len(),
        };
    }

    /// A here-string of PowerShell: from a line's end to a line that starts with the closing mark.
    fn here(&mut self, quote: u8) {
        let start = self.at;
        let close = [b'\n', quote, b'@'];
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let body = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
        let from = self.at.saturating_add(body);
        let found = memchr::memmem::find(
            rest.get(body.saturating_sub(1)..).unwrap_or_default(),
            &close,
        );
        let end = found.map_or(self.bytes.len(), |len| {
            from.saturating_add(len).saturating_sub(1)
        });
        let text = self.text.get(from..end.max(from)).unwrap_or_default();
        self.at = if found.is_some() {
            end.saturating_add(3).min(self.bytes.len())
        } else {
            self.bytes.len()
        };
        self.push(TokenKind::Text(text.trim_end_matches('\r').into()), start);
    }

    fn quoted(&mut self, quote: u8) {
        let start = self.at;
        let shell = self.language == Language::PowerShell;
        self.at = self.at.saturating_add(1);
        // Up to what may end it or stand for something else.
        let special = |rest: &[u8]| {
            let found = match (shell, quote) {
                (true, _) => memchr::memchr2(quote, b'`', rest),
                (false, b'`') => memchr::memchr2(quote, b'\\', rest),
                _ => memchr::memchr3(quote, b'\\', b'\n', rest),
            };
            found.unwrap_or(rest.len())
        };
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = special(rest);
        // Most texts are as they are written.
        if rest.get(len) == Some(&quote)
            && !(shell && rest.get(len.saturating_add(1)) == Some(&quote))
        {
            let end = self.at.saturating_add(len);
            if let Some(text) = self.text.get(self.at..end) {
                self.at = end.saturating_add(1);
                self.push(TokenKind::Text(Cow::Borrowed(text)), start);
                return;
            }
        }
        let mut out: Vec<u8> = Vec::new();
        let mut escaped = 0usize;
        while self.at < self.bytes.len() {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let run = rest.get(..special(rest)).unwrap_or_default();
            out.extend_from_slice(run);
            self.at = self.at.saturating_add(run.len());
            if self.at >= self.bytes.len() {
                break;
            }
            let byte = self.peek(0);
            let next = self.peek(1);
            if byte == quote && shell && next == quote {
                out.push(quote);
                self.at = self.at.saturating_add(2);
            } else if byte == quote {
                self.at = self.at.saturating_add(1);
                break;
            } else if byte == b'\\' && !shell {
                escaped = escaped.saturating_add(usize::from(self.escape(&mut out)));
            } else if byte == b'`' && shell && quote == b'"' {
                out.push(match next {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    other => other,
                });
                self.at = self.at.saturating_add(2);
            } else if byte == b'\n' && !shell && quote != b'`' {
                // A text does not go over a line's end: this quote was none.
                break;
            } else {
                out.push(byte);
                self.at = self.at.saturating_add(1);
            }
        }
        self.at = self.at.min(self.bytes.len());
        // Bytes of a file format have readable ones among them by chance.
        if escaped >= ESCAPED && escaped.saturating_mul(4) >= out.len().saturating_mul(3) {
            let escaped = u32::try_from(escaped).unwrap_or(u32::MAX);
            self.written.escaped = self.written.escaped.saturating_add(escaped);
        }
        let text = String::from_utf8(out)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        self.push(TokenKind::Text(Cow::Owned(text)), start);
    }

    /// Resolves an escape; tells whether it stands for a readable character that needs none.
    fn escape(&mut self, out: &mut Vec<u8>) -> bool {
        let next = self.peek(1);
        let from = self.at.saturating_add(2);
        let code = self.code_of_escape(next, from);
        if let Some((code, end)) = code {
            let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            self.at = end;
            return c.is_ascii_graphic() || c == ' ';
        }
        match next {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'\n' | 0 => {}
            other => out.push(other),
        }
        self.at = from;
        false
    }

    /// The character that an escape stands for by its number, in any of the ways of ECMAScript (12.9.4 and B.1.2), and
    /// where it ends; `from` is behind its second character.
    fn code_of_escape(&self, next: u8, from: usize) -> Option<(u32, usize)> {
        let rest = self.text.get(from..)?;
        if self.language == Language::Js && matches!(next, b'0'..=b'7') {
            let most = if next < b'4' { 2 } else { 1 };
            let more = rest.bytes().take(most);
            let more = more.take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            let end = from.saturating_add(more);
            let digits = self.text.get(from.checked_sub(1)?..end)?;
            // Behind the end of a line written as NUL stands nothing else.
            let nul = next == b'0' && more == 0;
            let code = u32::from_str_radix(digits, 8).ok()?;
            return (!nul).then_some((code, end));
        }
        let (digits, taken) = match next {
            b'x' => (rest.get(..2)?, 2),
            b'u' => match rest.strip_prefix('{') {
                Some(braced) => {
                    let digits = braced.get(..braced.find('}').filter(|len| *len <= 8)?)?;
                    (digits, digits.len().checked_add(2)?)
                }
                None => (rest.get(..4)?, 4),
            },
            _ => return None,
        };
        let code = u32::from_str_radix(digits, 16).ok()?;
        Some((code, from.checked_add(taken)?))
    }

    /// Whether a slash starts a regular expression: behind nothing that could be divided.
    fn is_pattern_next(&self) -> bool {
        match self.out.last().map(|token| &token.kind) {
            None | Some(TokenKind::Line) => true,
            Some(TokenKind::Sign(sign)) => b"(,=:[!&|?{};+".contains(sign),
            Some(TokenKind::Name(name)) => *name == "return",
            Some(TokenKind::Text(_) | TokenKind::Pattern(_) | TokenKind::Number(_)) => false,
        }
    }

    fn pattern(&mut self) {
        let start = self.at;
        let mut class = false;
        self.at = self.at.saturating_add(1);
        while self.at < self.bytes.len() {
            match self.peek(0) {
                b'\n' => break,
                b'\\' => self.at = self.at.saturating_add(1),
                b'[' => class = true,
                b']' => class = false,
                b'/' if !class => break,
                _ => {}
            }
            self.at = self.at.saturating_add(1);
        }
        let end = self.at.min(self.bytes.len());
        let text = self
            .text
            .get(start.saturating_add(1)..end)
            .unwrap_or_default();
        self.at = end.saturating_add(1).min(self.bytes.len());
        while self.peek(0).is_ascii_alphabetic() {
            self.at = self.at.saturating_add(1);
        }
        self.push(TokenKind::Pattern(text), start);
    }

    fn number(&mut self) {
        let start = self.at;
        while self.peek(0).is_ascii_alphanumeric() {
            self.at = self.at.saturating_add(1);
        }
        let word = self.text.get(start..self.at).unwrap_or_default();
        let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
        let number = match hex {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => word.parse().ok(),
        };
        match number {
            Some(number) => self.push(TokenKind::Number(number), start),
            None => self.push(TokenKind::Name(Cow::Borrowed(word)), start),
        }
    }

    fn name(&mut self) {
        let start = self.at;
        let shell = self.language == Language::PowerShell;
        if !shell {
            let len = self.run(|byte| is_name_start(byte) || byte.is_ascii_digit());
            self.at = start.saturating_add(len.max(1));
            if let Some(name) = self.text.get(start..self.at) {
                self.push(TokenKind::Name(Cow::Borrowed(name)), start);
                return;
            }
            self.at = start;
        }
        let mut name = Vec::new();
        loop {
            let byte = self.peek(0);
            if byte == b'`' && shell && is_name_start(self.peek(1)) {
                self.written.ticks = self.written.ticks.saturating_add(1);
            } else if is_name_start(byte) || byte.is_ascii_digit() {
                name.push(byte);
            } else if byte == b'-'
                && shell
                && !name.is_empty()
                && self.peek(1).is_ascii_alphabetic()
                && name.first() != Some(&b'$')
            {
                // A cmdlet: `Invoke-Expression`.
                name.push(byte);
            } else {
                break;
            }
            self.at = self.at.saturating_add(1);
        }
        if self.at == start {
            self.at = self.at.saturating_add(1);
            return;
        }
        let mut name = String::from_utf8_lossy(&name).into_owned();
        if shell {
            name.make_ascii_lowercase();
        }
        self.push(TokenKind::Name(Cow::Owned(name)), start);
    }

    /// How many bytes of a kind stand here.
    fn run(&self, of: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let other = rest.iter().position(|byte| !of(*byte));
        other.unwrap_or(rest.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str, language: Language) -> Vec<TokenKind<'_>> {
        tokens(text, language)
            .0
            .into_iter()
            .map(|token| token.kind)
            .collect()
    }

    #[test]
    fn javascript_texts_patterns_and_comments_are_told_apart() {
        assert_eq!(
            kinds("a='\\x41\\u0042' // 'x'\n.b(/[/]'/g)/2", Language::Js),
            [
                TokenKind::Name("a".into()),
                TokenKind::Sign(b'='),
                TokenKind::Text("AB".into()),
                TokenKind::Line,
                TokenKind::Sign(b'.'),
                TokenKind::Name("b".into()),
                TokenKind::Sign(b'('),
                TokenKind::Pattern("[/]'"),
                TokenKind::Sign(b')'),
                TokenKind::Sign(b'/'),
                TokenKind::Number(2),
            ]
        );
    }

    #[test]
    fn texts_end_where_their_language_ends_them() {
        let text = |text: &'static str| TokenKind::Text(text.into());
        assert_eq!(
            kinds("'a\nb `c\nd` \"e\\\"f\" 'g", Language::Js),
            [
                text("a"),
                TokenKind::Line,
                TokenKind::Name("b".into()),
                text("c\nd"),
                text("e\"f"),
                text("g"),
            ]
        );
        assert_eq!(
            kinds("'a`b' \"c`nd\" 'e\nf' 'g''", Language::PowerShell),
            [text("a`b"), text("c\nd"), text("e\nf"), text("g'")]
        );
    }

    #[test]
    fn powershell_marks_in_names_and_texts_are_resolved() {
        let (found, written) = tokens(
            "i`E`X \"a`\"b\" + 'c''d' # x\n@'\nq'r\n'@",
            Language::PowerShell,
        );
        assert_eq!(written.ticks, 2);
        let texts: Vec<TokenKind<'_>> = found.into_iter().map(|token| token.kind).collect();
        assert_eq!(
            texts,
            [
                TokenKind::Name("iex".into()),
                TokenKind::Text("a\"b".into()),
                TokenKind::Sign(b'+'),
                TokenKind::Text("c'd".into()),
                TokenKind::Line,
                TokenKind::Text("q'r".into()),
            ]
        );
    }
}
