//! Programs and archives in base32 and base85: their first four bytes show in the first characters of the run, so that
//! one search for these finds every run, and nothing else is decoded.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::formats::bases::{BASES, Base, Decoder};
use crate::model::Trouble;

use super::{SHORTEST, Sink, over_gap};

/// How programs, archives and compound files begin.
const HEADS: [[u8; 4]; 11] = [
    *b"MZ\x90\0",
    *b"MZP\0",
    *b"MZ\0\0",
    *b"MZ\x80\0",
    *b"\x7fELF",
    *b"PK\x03\x04",
    *b"\x1f\x8b\x08\0",
    *b"\xd0\xcf\x11\xe0",
    *b"Rar!",
    *b"7z\xbc\xaf",
    *b"\xcf\xfa\xed\xfe",
];

/// Runs of one text at the most.
const RUNS: usize = 64;

/// The characters that runs begin with, and the base of each.
static STARTS: LazyLock<Option<(AhoCorasick, Vec<Base>)>> = LazyLock::new(|| {
    let (mut starts, mut bases) = (Vec::new(), Vec::new());
    for base in BASES {
        for head in HEADS {
            let start = base.start(head);
            if base == Base::Base32 {
                starts.push(start.to_ascii_lowercase());
                bases.push(base);
            }
            starts.push(start);
            bases.push(base);
        }
    }
    let automaton = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .build(starts)
        .ok()?;
    Some((automaton, bases))
});

/// Adds the runs that may start in a part of a text, which begins at `from`.
pub(super) fn look(part: &[u8], from: usize, found: &mut Vec<(usize, Base)>) {
    let Some((automaton, bases)) = STARTS.as_ref() else {
        return;
    };
    for one in automaton.find_iter(part) {
        if found.len() >= RUNS {
            return;
        }
        let at = from.saturating_add(one.start());
        if let Some(base) = bases.get(one.pattern().as_usize())
            && found.last() != Some(&(at, *base))
        {
            found.push((at, *base));
        }
    }
}

/// Pushes what the runs decode to. One that lies within another that was taken is passed over.
pub(super) fn run(
    text: &[u8],
    runs: &[(usize, Base)],
    sink: &mut Sink<'_, '_>,
) -> Result<(), Trouble> {
    let mut next = 0usize;
    for (start, base) in runs {
        if *start < next {
            continue;
        }
        let (decoded, end) = decode(text, *start, *base, sink)?;
        if end.saturating_sub(*start) >= SHORTEST && sink.offer(decoded, *start..end)? {
            next = end;
        }
    }
    Ok(())
}

/// What the run that starts here decodes to, and where it ends.
fn decode(
    text: &[u8],
    start: usize,
    base: Base,
    sink: &Sink<'_, '_>,
) -> Result<(Vec<u8>, usize), Trouble> {
    let mut decoder = Decoder::new(base);
    // Only Ascii85 writes quotes and bars itself, and where it stands in quotes, these end it.
    let quoted = base == Base::Ascii85;
    let around = start.checked_sub(1).and_then(|at| text.get(at)).copied();
    let quote = around.filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let mut at = start;
    // Ends because each turn goes on by at least one character.
    while let Some(&letter) = text.get(at) {
        sink.nest.tick()?;
        let escaped = quoted && quote.is_some() && letter == b'\\';
        if quoted && Some(letter) == quote {
            break;
        }
        if escaped {
            at = at.saturating_add(1);
        }
        let Some(&letter) = text.get(at) else {
            break;
        };
        if decoder.take(letter) {
            at = at.saturating_add(1);
            continue;
        }
        let gap = match letter {
            b'\r' | b'\n' | b' ' | b'\t' => over_gap(text, at, true),
            b'"' | b'\'' if !quoted => over_gap(text, at, true),
            _ => None,
        };
        match gap.filter(|next| *next > at) {
            Some(next) => at = next,
            None => break,
        }
    }
    let end = at;
    sink.nest.budget().spend(decoder.data.len())?;
    Ok((decoder.finish(), end))
}
