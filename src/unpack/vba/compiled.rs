//! Compiled code against the source beside it.
//!
//! Office makes the source from the compiled code when it saves, so every name and string of the one stands in the
//! other. A project whose cache is gone, which other programs write and the specification asks for, has nothing to
//! compare; one whose cache does not read cleanly is not judged.

use std::collections::BTreeSet;

use bytes::Bytes;
use memchr::memmem;

use crate::formats::ovba::{Identifiers, Pcode, Use, encoding};
use crate::limits::{Budget, Halt};
use crate::model::{Fact, Kind, Name, Trouble};

use super::super::{Child, Nest, Payload};

/// Names and strings that are told of one module.
const TOLD: usize = 8;

/// What the modules of a project have in common.
pub(super) struct Shared<'p> {
    pub(super) page: u16,
    /// The names that compiled code refers to; none where there is no cache that can be read.
    pub(super) tables: &'p [Identifiers<'p>],
    /// Whether the project claims to have a cache.
    pub(super) cached: bool,
}

/// The compiled code of a module, to be compared with its source.
pub(super) struct Compiled<'c> {
    pub(super) project: &'c Shared<'c>,
    /// The module's name in the code page.
    pub(super) module: &'c [u8],
    pub(super) name: String,
}

impl Compiled<'_> {
    /// Pushes the compiled code where it has what the source has not, and says what is known of it.
    pub(super) fn compare(
        &self,
        stream: &[u8],
        source: &[u8],
        nest: &mut Nest<'_>,
    ) -> Result<Verdict, Trouble> {
        if !self.project.cached {
            return Ok(Verdict::Same);
        }
        let module = Module {
            name: self.module,
            code_page: self.project.page,
            stream,
            source,
        };
        let name = crate::text::excerpt(&self.name);
        match compare(&module, self.project.tables, nest.budget())? {
            Compared::Same => Ok(Verdict::Same),
            Compared::Unread => Ok(Verdict::Unsure),
            Compared::Different { what, text } => {
                nest.note(Fact::PcodeDiffers {
                    module: name,
                    what: crate::text::excerpt(&what),
                });
                self.push(text, nest)?;
                Ok(Verdict::Differs)
            }
            Compared::Damaged(lines, all) => {
                let what = format!(
                    "VBA module {name}: {lines} of {all} lines of its compiled code cannot be read"
                );
                nest.note(Fact::Deviation { at: None, what });
                Ok(Verdict::Unsure)
            }
            Compared::Strings(text) => self.push(text, nest).map(|()| Verdict::Unsure),
        }
    }

    fn push(&self, text: Vec<u8>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
        let child = Child::new("vba-pcode", Payload::from(Bytes::from(text)))
            .named(Name::of(self.name.clone()))
            .of_kind(Kind::VbaPcode)
            .with_fact(Fact::CodePage {
                number: self.project.page,
            });
        nest.push(child).map(|_| ())
    }
}

/// Bytes of source that may be searched for names which are not made of plain letters; what is left counts as missing.
const SEARCHED: usize = 64 << 20;

/// Shortest string that is told of a cache that cannot be read.
const SHORTEST: usize = 5;

/// What is known of compiled code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has nothing that the source has not, or there is none.
    Same,
    /// It has what the source has not.
    Differs,
    /// Some of it cannot be read.
    Unsure,
}

/// What a comparison comes to.
enum Compared {
    /// They agree, or there is nothing to compare.
    Same,
    /// The compiled code has what the source has not.
    Different {
        /// The names and strings, the most telling first.
        what: String,
        /// The compiled code as text, in the project's code page.
        text: Vec<u8>,
    },
    /// What of the compiled code can be read agrees.
    Unread,
    /// So many of so many lines of the compiled code cannot be read.
    Damaged(usize, usize),
    /// There is neither a source nor compiled code that can be read; the strings of what is there instead.
    Strings(Vec<u8>),
}

/// The module whose code it is.
struct Module<'m> {
    /// Its name in the code page.
    name: &'m [u8],
    code_page: u16,
    /// Its stream, with compiled code and source.
    stream: &'m [u8],
    source: &'m [u8],
}

/// Compares the compiled code in a module's stream with its source, by each table of names: of more than one, Office
/// may take any.
fn compare(
    module: &Module<'_>,
    tables: &[Identifiers<'_>],
    budget: &Budget,
) -> Result<Compared, Halt> {
    let (mut read, mut whole) = (false, true);
    for names in tables {
        let Some(pcode) = Pcode::read(module.stream, names, budget)? else {
            break;
        };
        read = true;
        match one(&pcode, module, budget)? {
            Compared::Same => {}
            Compared::Unread => whole = false,
            other => return Ok(other),
        }
    }
    if read || !module.source.is_empty() {
        return Ok(match read && whole {
            true => Compared::Same,
            false => Compared::Unread,
        });
    }
    let strings = strings_of(module.stream, budget)?;
    Ok(if strings.is_empty() {
        Compared::Same
    } else {
        Compared::Strings(strings)
    })
}

fn one(pcode: &Pcode<'_>, module: &Module<'_>, budget: &Budget) -> Result<Compared, Halt> {
    if pcode.is_empty() {
        return Ok(Compared::Same);
    }
    let mut words = Words::of(module.source, module.code_page, budget)?;
    let mut missing: Vec<Use<'_>> = Vec::new();
    let damaged = pcode.uses(budget, &mut |used| {
        if missing.len() < TOLD.saturating_mul(TOLD)
            && !missing.contains(&used)
            && !words.have(&used)
        {
            missing.push(used);
        }
    })?;
    if damaged > pcode.len() / 2 {
        return Ok(Compared::Damaged(damaged, pcode.len()));
    }
    if missing.is_empty() {
        return Ok(match damaged {
            0 => Compared::Same,
            _ => Compared::Unread,
        });
    }
    missing.sort_by_key(rank);
    let decoded = |bytes: &[u8]| {
        let (text, _) = encoding(module.code_page).decode_without_bom_handling(bytes);
        text.into_owned()
    };
    let told: Vec<String> = missing
        .iter()
        .take(TOLD)
        .map(|used| match used {
            Use::Text(text) => format!("\"{}\"", decoded(text)),
            _ => decoded(used.bytes()),
        })
        .collect();
    Ok(Compared::Different {
        what: told.join(", "),
        text: pcode.text(module.name, budget)?,
    })
}

/// Runs of printable bytes, a line each.
fn strings_of(stream: &[u8], budget: &Budget) -> Result<Vec<u8>, Halt> {
    let mut out = Vec::new();
    for run in stream.split(|byte| !(0x20..0x7f).contains(byte)) {
        budget.tick()?;
        if run.len() >= SHORTEST {
            out.extend_from_slice(run);
            out.extend_from_slice(b"\r\n");
        }
    }
    Ok(out)
}

/// Procedures first, then what is called, then strings.
fn rank(used: &Use<'_>) -> u8 {
    match used {
        Use::Procedure(_) => 0,
        Use::Call(_) => 1,
        Use::Text(_) => 2,
        Use::Name(_) => 3,
    }
}

/// Hashes of what a source is made of, sorted: names in comments and strings are none.
struct Words {
    /// Names.
    words: Vec<u64>,
    /// Names behind `Sub`, `Function` and the like.
    procedures: Vec<u64>,
    /// Strings.
    texts: Vec<u64>,
    /// The source without comments, for names that are not made of plain letters.
    code: Vec<u8>,
    /// Names found only in there, and the bytes that may still be searched for others.
    found: BTreeSet<Vec<u8>>,
    left: usize,
}

impl Words {
    /// Takes a source apart, line by line, as far as telling code from comments and strings needs it.
    fn of(source: &[u8], code_page: u16, budget: &Budget) -> Result<Self, Halt> {
        let mut words = Self {
            words: Vec::with_capacity(source.len() / 8),
            procedures: Vec::new(),
            texts: Vec::new(),
            code: Vec::with_capacity(source.len()),
            found: BTreeSet::new(),
            left: SEARCHED,
        };
        let two_bytes = matches!(
            code_page,
            932 | 936 | 949 | 950 | 10001 | 10002 | 10003 | 10008 | 54936
        );
        let (mut before, mut continued) = (Before::Start, false);
        for line in source.split(|&byte| byte == b'\n' || byte == b'\r') {
            budget.tick()?;
            if !continued {
                before = Before::Start;
            }
            let mut scan = Scan {
                line,
                at: 0,
                two_bytes,
            };
            while let Some(token) = scan.next() {
                // Behind it the statement goes on in the next line.
                continued = matches!(token, Token::Word(b"_"));
                if continued || matches!(token, Token::Comment) {
                    break;
                }
                before = words.take(&token, before);
                if before == Before::Remark {
                    break;
                }
            }
            words
                .code
                .extend_from_slice(line.get(..scan.at).unwrap_or_default());
            words.code.push(b'\n');
        }
        for list in [&mut words.words, &mut words.procedures, &mut words.texts] {
            list.sort_unstable();
            list.dedup();
        }
        Ok(words)
    }

    fn take(&mut self, token: &Token<'_>, before: Before) -> Before {
        match token {
            Token::Word(word) => {
                let is = |other: &str| word.eq_ignore_ascii_case(other.as_bytes());
                if before == Before::Start && (is("rem") || is("attribute")) {
                    return Before::Remark;
                }
                let hashed = word_hash(word);
                self.words.push(hashed);
                if before == Before::Defines {
                    self.procedures.push(hashed);
                }
                match before {
                    _ if is("sub") || is("function") || is("event") => Before::Defines,
                    _ if is("property") => Before::Property,
                    Before::Property if is("get") || is("let") || is("set") => Before::Defines,
                    _ => Before::Other,
                }
            }
            Token::Text(text) => {
                self.texts.push(hash(text.iter().copied()));
                Before::Other
            }
            Token::Other | Token::Comment => Before::Other,
        }
    }

    fn have(&mut self, used: &Use<'_>) -> bool {
        let bytes = used.bytes();
        let list = match used {
            Use::Text(text) => {
                let hashed = hash(text.iter().copied());
                return self.texts.binary_search(&hashed).is_ok();
            }
            Use::Procedure(_) => &self.procedures,
            Use::Call(_) | Use::Name(_) => &self.words,
        };
        if list.binary_search(&word_hash(bytes)).is_ok() {
            return true;
        }
        // In brackets a name may hold anything, and letters of two bytes may be told apart in another way.
        let plain = bytes.iter().all(|&byte| is_letter(byte) && byte < 0x80);
        if plain || self.found.contains(bytes) {
            return !plain;
        }
        let Some(left) = self.left.checked_sub(self.code.len()) else {
            return false;
        };
        self.left = left;
        let there = memmem::find(&self.code, bytes).is_some();
        if there {
            self.found.insert(bytes.to_vec());
        }
        there
    }
}

/// What stands before a token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The start of a line.
    Start,
    /// `Property`, behind which another word may define one.
    Property,
    /// A word that defines a procedure.
    Defines,
    /// A comment or attribute, to the end of the line.
    Remark,
    /// Anything else.
    Other,
}

enum Token<'l> {
    Word(&'l [u8]),
    /// A string without its quotes.
    Text(Vec<u8>),
    Other,
    Comment,
}

/// A line of source being taken apart.
struct Scan<'l> {
    line: &'l [u8],
    at: usize,
    /// Whether letters from 0x81 on take two bytes.
    two_bytes: bool,
}

impl<'l> Scan<'l> {
    /// The next token, or none at the end. Ends because each takes at least a byte.
    fn next(&mut self) -> Option<Token<'l>> {
        let rest = self.line.get(self.at..)?;
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
        let start = self.at.saturating_add(blanks.count());
        let rest = self.line.get(start..)?;
        let first = *rest.first()?;
        self.at = start;
        if first == b'\'' {
            return Some(Token::Comment);
        }
        if first == b'"' {
            return Some(Token::Text(self.text()));
        }
        if first == b'[' {
            // What stands in brackets is one name.
            let len = memchr::memchr(b']', rest).unwrap_or(0);
            self.at = start.saturating_add(len).saturating_add(1);
            let name = rest.get(1..len).filter(|name| !name.is_empty());
            return Some(name.map_or(Token::Other, Token::Word));
        }
        let len = self.word(rest);
        self.at = start.saturating_add(len.max(1));
        let word = rest.get(..len).filter(|word| !word.is_empty());
        Some(word.map_or(Token::Other, Token::Word))
    }

    /// Bytes of the word that `rest` starts with.
    fn word(&self, rest: &[u8]) -> usize {
        let mut len = 0usize;
        while let Some(&byte) = rest.get(len).filter(|byte| is_letter(**byte)) {
            let two = self.two_bytes && matches!(byte, 0x81..=0x9f | 0xe0..=0xfe);
            len = len.saturating_add(if two { 2 } else { 1 });
        }
        len.min(rest.len())
    }

    /// The string that starts here; a doubled quote in it stands for one.
    fn text(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        loop {
            let start = self.at.saturating_add(1);
            let rest = self.line.get(start..).unwrap_or_default();
            let end = memchr::memchr(b'"', rest).unwrap_or(rest.len());
            text.extend_from_slice(rest.get(..end).unwrap_or_default());
            self.at = start.saturating_add(end).saturating_add(1);
            if self.line.get(self.at) != Some(&b'"') {
                self.at = self.at.min(self.line.len());
                return text;
            }
            text.push(b'"');
        }
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn word_hash(word: &[u8]) -> u64 {
    hash(word.iter().map(u8::to_ascii_lowercase))
}

/// FNV-1a.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn words(source: &[u8]) -> Words {
        Words::of(source, 932, &Budget::new(Limits::default(), None)).unwrap()
    }

    #[test]
    fn names_and_strings_of_the_code_are_known() {
        let source = b"Public Sub _\r\n Main()\r\n x = \"say \"\"hi\"\"\" & MID$(a_b, 1) ' it's \"odd\r\n['It''s'!A1].Copy y\r\nEnd Sub";
        let mut words = words(source);
        for used in [
            Use::Procedure(b"main"),
            Use::Call(b"Mid"),
            Use::Name(b"A_B"),
            Use::Name(b"'It''s'!A1"),
            Use::Call(b"copy"),
            Use::Name(b"Y"),
            Use::Text(b"say \"hi\""),
        ] {
            assert!(words.have(&used), "{used:?}");
        }
        let mut japanese = words_of_japanese();
        assert!(japanese.have(&Use::Procedure(b"\x95\x5c\x8e\xa6")));
        assert!(japanese.have(&Use::Name(b"\x83\x5b\x83\x5d")));
    }

    /// `Sub 表示(ゼゾ)`: letters whose second bytes look like other signs.
    fn words_of_japanese() -> Words {
        words(b"Sub \x95\x5c\x8e\xa6(\x83\x5b\x83\x5d)\r\n")
    }

    #[test]
    fn what_comments_strings_and_attributes_say_is_no_code() {
        let source = b"Attribute AutoOpen.VB_Description = \"x\"\r\n' Sub AutoOpen: Shell \"cmd\"\r\nRem Sub AutoOpen\r\nSub Other()\r\n AutoOpen = \"Shell\"\r\nEnd Sub";
        let mut words = words(source);
        for used in [
            Use::Procedure(b"AutoOpen"),
            Use::Call(b"Shell"),
            Use::Text(b"cmd"),
            Use::Text(b"x"),
        ] {
            assert!(!words.have(&used), "{used:?}");
        }
        assert!(words.have(&Use::Procedure(b"Other")) && words.have(&Use::Name(b"autoopen")));
    }

    #[test]
    fn odd_names_are_searched_for_in_time() {
        let source = [b"x = 1\r\n".repeat(200_000), b"a\xe9\xe9!".to_vec()].concat();
        let mut words = words(&source);
        let started = std::time::Instant::now();
        for number in 0..20_000u16 {
            let name = [b"\xe9\xe9!".as_slice(), &number.to_le_bytes()].concat();
            words.have(&Use::Name(&name));
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(2));
    }
}
