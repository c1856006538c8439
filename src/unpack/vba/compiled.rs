//! Compiled code against the source beside it.
//!
//! Office makes the source from the compiled code when it saves, so every name and string of the one stands in the
//! other. A project whose cache is gone, which other programs write and the specification asks for, has nothing to
//! compare; one whose cache does not read cleanly is not judged.

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
    /// Pushes the compiled code where it has what the source has not, and says whether it has.
    pub(super) fn compare(
        &self,
        stream: &[u8],
        source: &[u8],
        nest: &mut Nest<'_>,
    ) -> Result<bool, Trouble> {
        if !self.project.cached {
            return Ok(false);
        }
        let module = Module {
            name: self.module,
            code_page: self.project.page,
            stream,
            source,
        };
        let name = crate::text::excerpt(&self.name);
        match compare(&module, self.project.tables, nest.budget())? {
            Compared::Same => Ok(false),
            Compared::Different { what, text } => {
                nest.note(Fact::PcodeDiffers {
                    module: name,
                    what: crate::text::excerpt(&what),
                });
                self.push(text, nest)?;
                Ok(true)
            }
            Compared::Damaged(lines, all) => {
                let what = format!(
                    "VBA module {name}: {lines} of {all} lines of its compiled code cannot be read"
                );
                nest.note(Fact::Deviation { at: None, what });
                Ok(false)
            }
            Compared::Strings(text) => self.push(text, nest).map(|()| false),
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

/// Shortest string that is told of a cache that cannot be read.
const SHORTEST: usize = 5;

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
    let mut read = false;
    for names in tables {
        let Some(pcode) = Pcode::read(module.stream, names, budget)? else {
            break;
        };
        read = true;
        match one(&pcode, module, budget)? {
            Compared::Same => {}
            other => return Ok(other),
        }
    }
    if read || !module.source.is_empty() {
        return Ok(Compared::Same);
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
    let words = Words::of(module.source, budget)?;
    let mut missing: Vec<Use<'_>> = Vec::new();
    let damaged = pcode.uses(budget, &mut |used| {
        if missing.len() < TOLD.saturating_mul(TOLD)
            && !missing.contains(&used)
            && !words.have(&used, module.source)
        {
            missing.push(used);
        }
    })?;
    if damaged > pcode.len() / 2 {
        return Ok(Compared::Damaged(damaged, pcode.len()));
    }
    if missing.is_empty() {
        return Ok(Compared::Same);
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

/// Hashes of the words and strings of a source, sorted.
struct Words {
    words: Vec<u64>,
    texts: Vec<u64>,
}

impl Words {
    /// Takes a source apart without understanding it: runs of letters, and what stands between quotes of a line.
    fn of(source: &[u8], budget: &Budget) -> Result<Self, Halt> {
        let mut words = Vec::with_capacity(source.len() / 8);
        let mut texts = Vec::new();
        for line in source.split(|&byte| byte == b'\n' || byte == b'\r') {
            budget.tick()?;
            let runs = line.split(|&byte| !is_letter(byte));
            words.extend(runs.filter(|run| !run.is_empty()).map(word_hash));
            if memchr::memchr(b'"', line).is_some() {
                strings(line, &mut texts);
            }
        }
        words.sort_unstable();
        words.dedup();
        texts.sort_unstable();
        texts.dedup();
        Ok(Self { words, texts })
    }

    fn have(&self, used: &Use<'_>, source: &[u8]) -> bool {
        let bytes = used.bytes();
        if let Use::Text(text) = used {
            return self
                .texts
                .binary_search(&hash(text.iter().copied()))
                .is_ok()
                || memmem::find(source, &quoted(text)).is_some();
        }
        // Letters of two bytes may hold what looks like no letter.
        self.words.binary_search(&word_hash(bytes)).is_ok() || memmem::find(source, bytes).is_some()
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

/// Hashes of the strings of a line; a doubled quote stands for one.
fn strings(line: &[u8], texts: &mut Vec<u64>) {
    let mut rest = line;
    // Ends because every round takes at least a quote.
    while let Some(start) = memchr::memchr(b'"', rest) {
        let mut text = Vec::new();
        let mut inside = rest.get(start.saturating_add(1)..).unwrap_or_default();
        loop {
            let end = memchr::memchr(b'"', inside).unwrap_or(inside.len());
            text.extend_from_slice(inside.get(..end).unwrap_or_default());
            inside = inside.get(end.saturating_add(1)..).unwrap_or_default();
            if inside.first() != Some(&b'"') {
                break;
            }
            text.push(b'"');
            inside = inside.get(1..).unwrap_or_default();
        }
        texts.push(hash(text.iter().copied()));
        rest = inside;
    }
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        out.push(byte);
        if byte == b'"' {
            out.push(byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn words_and_strings_of_a_source_are_known() {
        let source =
            b"Sub Main()\r\n x = \"say \"\"hi\"\"\" & MID$(a_b, 1) ' it's \"odd\r\nEnd Sub";
        let budget = Budget::new(Limits::default(), None);
        let words = Words::of(source, &budget).unwrap();
        for used in [
            Use::Name(b"main"),
            Use::Call(b"Mid"),
            Use::Name(b"A_B"),
            Use::Text(b"say \"hi\""),
        ] {
            assert!(words.have(&used, source), "{used:?}");
        }
        for used in [Use::Procedure(b"AutoOpen"), Use::Text(b"say hi")] {
            assert!(!words.have(&used, source), "{used:?}");
        }
    }
}
