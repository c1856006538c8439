//! Compiled code against the source beside it.
//!
//! Office makes the source from the compiled code when it saves, so every name and string of the one stands in the
//! other. A project whose cache is gone, which other programs write and the specification asks for, has nothing to
//! compare; one whose cache does not read cleanly is not judged.

use memchr::memmem;

use crate::formats::ovba::{Identifiers, Pcode, Use, encoding};
use crate::limits::{Budget, Halt};

/// Names and strings that are told of one module.
const TOLD: usize = 8;

/// What compiled code has that its source has not.
pub(super) struct Difference {
    /// The names and strings, the most telling first.
    pub(super) what: String,
    /// The compiled code as text, in the project's code page.
    pub(super) text: Vec<u8>,
}

/// Compares the compiled code in a module's stream with its source; none where they agree or cannot be compared.
pub(super) fn compare(
    stream: &[u8],
    names: &Identifiers<'_>,
    source: &[u8],
    module: &Module<'_>,
    budget: &Budget,
) -> Result<Option<Difference>, Halt> {
    let Some(pcode) = Pcode::read(stream, names, budget)? else {
        return Ok(None);
    };
    if pcode.is_empty() {
        return Ok(None);
    }
    let words = Words::of(source, budget)?;
    let mut missing: Vec<Use<'_>> = Vec::new();
    let damaged = pcode.uses(budget, &mut |used| {
        if missing.len() < TOLD.saturating_mul(TOLD)
            && !missing.contains(&used)
            && !words.have(&used, source)
        {
            missing.push(used);
        }
    })?;
    if missing.is_empty() || damaged > pcode.len() / 2 {
        return Ok(None);
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
    Ok(Some(Difference {
        what: told.join(", "),
        text: pcode.text(module.name, budget)?,
    }))
}

/// The module whose code it is.
pub(super) struct Module<'m> {
    /// Its name in the code page.
    pub(super) name: &'m [u8],
    pub(super) code_page: u16,
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
