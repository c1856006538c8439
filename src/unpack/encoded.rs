//! Programs and containers written in text: runs of base64 and of hexadecimal or decimal numbers.
//!
//! A run is decoded only where its head is that of something that counts, so certificates, pictures and ordinary data
//! cost nothing. Mails are left out: their parts are decoded by the reader of mails.

mod bases;
mod disguised;
mod layers;
mod moved;
mod shifted;
mod worth;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::formats::base64;
use crate::formats::bases::Base;
use crate::identify;
use crate::limits::{Budget, Halt};
use crate::model::{Artifact, Fact, Kind, Trouble};
use crate::text;

use super::{Child, Nest, Seen, uuencoded};

pub(super) use disguised::{PICTURES, run_picture};
pub(super) use worth::counts;
use worth::{is_chance, promising};

/// Characters of a run, at least.
const SHORTEST: usize = 64;

/// Bytes gone through for one notation before the next has its turn: they are in the cache of the processor by then.
const TURN: usize = 128 << 10;

/// Characters of one piece of a run that goes on behind a line's end or another string, at least.
const PIECE: usize = 16;

/// Children of one artifact, at most.
const CHILDREN: usize = 1024;

/// Characters behind a place that the start of a run in base32 goes on for.
const BASE: usize = 5;

/// Characters between two pieces of a run: a line's end, or the end of one string and the start of the next.
const GAP: usize = 48;

/// Text-like kinds.
pub(super) const KINDS: &[Kind] = &[
    Kind::Text,
    Kind::Html,
    Kind::Svg,
    Kind::Xml,
    Kind::Json,
    Kind::Csv,
    Kind::Css,
    Kind::Ics,
    Kind::Vcf,
    Kind::Ldif,
    Kind::Email,
    Kind::VbaSource,
    Kind::VbaPcode,
    Kind::XlmSource,
    Kind::Js,
    Kind::Vbs,
    Kind::Wsf,
    Kind::Sct,
    Kind::Hta,
    Kind::Ps1,
    Kind::Bat,
    Kind::Sh,
    Kind::Py,
    Kind::Pl,
    Kind::Rb,
    Kind::Php,
    Kind::Lua,
    Kind::Au3,
    Kind::AppleScript,
    Kind::MsBuild,
    Kind::Reg,
    Kind::Inf,
    Kind::Cert,
    Kind::Msc,
    Kind::Url,
    Kind::Desktop,
];

pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let wide =
        text::sniff(artifact.data.get(..4096).unwrap_or(&artifact.data)).is_some_and(|charset| {
            !charset.encoding.is_ascii_compatible() && charset.encoding != encoding_rs::ISO_2022_JP
        });
    // Offsets are those of the bytes: a text of two bytes a character has none.
    let text: Cow<'_, [u8]> = if wide {
        match text::to_utf8(&artifact.data) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    } else {
        Cow::Borrowed(&artifact.data)
    };
    let seen = in_plain(&text, wide, nest)?;
    let reads_as = |kinds: &[Kind]| kinds.iter().any(|kind| artifact.reads_as(*kind));
    if (seen.block || wide) && reads_as(uuencoded::TEXTS) && !reads_as(uuencoded::KINDS) {
        uuencoded::run(artifact, nest)?;
    }
    match seen.moved.and_then(|at| text.get(at..)) {
        Some(run) => disguised::moved(run, nest),
        None => Ok(()),
    }
}

/// Pushes what a text that was put together decodes to.
pub(super) fn in_text(text: &[u8], nest: &mut Nest<'_>) -> Result<(), Trouble> {
    in_plain(text, true, nest).map(|_| ())
}

/// What else a text shows that was gone through: a pass of its own for each costs more than the search, once a text
/// is longer than the cache of the processor.
#[derive(Debug, Default)]
struct Marks {
    /// Where a program in base64 with its letters moved may start.
    moved: Option<usize>,
    /// Whether there may be a block of uuencode or yEnc.
    block: bool,
    /// Where something in base32 or base85 may start.
    bases: Vec<(usize, Base)>,
}

impl Marks {
    /// Looks at the bytes from `from` to `until`, and as far behind as a mark goes that starts there.
    fn look(&mut self, text: &[u8], from: usize, until: usize) {
        let starts = text.get(from..until.saturating_add(BASE).min(text.len()));
        bases::look(starts.unwrap_or_default(), from, &mut self.bases);
        let until = until.saturating_add(uuencoded::MARK.len()).min(text.len());
        let part = text.get(from..until).unwrap_or_default();
        if self.moved.is_none() {
            self.moved = disguised::first_moved(part).map(|at| from.saturating_add(at));
        }
        if !self.block {
            self.block = memchr::memmem::find(part, uuencoded::MARK).is_some();
        }
    }
}

/// Pushes what is written in a text; without places where it is no part of the artifact as it is.
fn in_plain(text: &[u8], wide: bool, nest: &mut Nest<'_>) -> Result<Marks, Trouble> {
    let mut sink = Sink {
        nest,
        wide,
        pushed: 0,
    };
    let (mut base64, mut numbers, mut until) = (0, 0, 0usize);
    let mut marks = Marks::default();
    while until < text.len() {
        let from = until;
        until = until.saturating_add(TURN).min(text.len());
        marks.look(text, from, until);
        base64_runs(text, &mut base64, until, &mut sink)?;
        number_runs(text, &mut numbers, until, &mut sink)?;
    }
    bases::run(text, &marks.bases, &mut sink)?;
    Ok(marks)
}

/// Where in a text programs and containers are written, of those that become children.
pub fn places(text: &Bytes, kind: Kind, budget: &Budget) -> Result<Vec<Range<usize>>, Halt> {
    let artifact = Artifact::alone(kind, text.clone());
    let mut seen = Seen::new();
    let mut nest = Nest::new(budget, &mut seen, &artifact, 1);
    if let Err(Trouble::TooMuch(halt)) = in_plain(text, false, &mut nest) {
        return Err(halt);
    }
    let children = nest.children.into_iter();
    Ok(children.filter_map(|child| child.at).collect())
}

/// Where decoded runs go.
struct Sink<'n, 'b> {
    nest: &'n mut Nest<'b>,
    wide: bool,
    pushed: usize,
}

impl Sink<'_, '_> {
    /// Pushes what a run decodes to, where it is something that counts; tells whether it was.
    fn offer(&mut self, decoded: Vec<u8>, at: Range<usize>) -> Result<bool, Trouble> {
        self.nest.tick()?;
        let decoded = layers::off(decoded, self.nest)?;
        let identity = identify::identify(&decoded, self.nest.budget());
        if !counts(identity.kind) || is_chance(identity.kind, &decoded) {
            return Ok(false);
        }
        if self.pushed >= CHILDREN {
            if self.pushed == CHILDREN {
                self.pushed = self.pushed.saturating_add(1);
                self.nest.note(Fact::Limit {
                    halt: Halt::Ceiling("1024 encoded files"),
                    what: format!("from offset {}", at.start),
                });
            }
            return Ok(true);
        }
        self.pushed = self.pushed.saturating_add(1);
        let child = Child::new("decoded-text", decoded);
        let child = if self.wide { child } else { child.at(at) };
        self.nest.push(child)?;
        Ok(true)
    }
}

/// Runs of base64 that start in front of `until`, in one pass, from `at` on. Other text is passed over by probing every
/// [`PIECE`]th byte until one is of the alphabet.
fn base64_runs(
    text: &[u8],
    at: &mut usize,
    until: usize,
    sink: &mut Sink<'_, '_>,
) -> Result<(), Trouble> {
    while let Some(start) = next_piece(text, at, until) {
        sink.nest.tick()?;
        // The way of an address, as pages have hundreds.
        let len = length_at(text, start, SHORTEST);
        let lone = start.saturating_add(len);
        if len < SHORTEST && over_gap(text, lone, len >= LINE).is_none() {
            *at = lone.max(start.saturating_add(1));
            continue;
        }
        let mut pieces = chain(text, start);
        let end = pieces
            .last()
            .map_or(start, |piece| piece.end)
            .max(start.saturating_add(1));
        *at = end;
        let total: usize = pieces.iter().map(Range::len).sum();
        if total < SHORTEST {
            continue;
        }
        without_dashes(text, &mut pieces);
        if shifted::run(text, &pieces, sink)? {
            continue;
        }
        forwards(text, &pieces, sink)?;
        backwards(text, &pieces, sink)?;
    }
    Ok(())
}

/// Takes the dashes of a comment of markup off the front of a run: of the two alphabets one has them, but nothing
/// that counts starts with what they stand for.
fn without_dashes(text: &[u8], pieces: &mut [Range<usize>]) {
    if let Some(first) = pieces.first_mut() {
        let run = text.get(first.clone()).unwrap_or_default();
        let dashes = run.iter().take_while(|byte| **byte == b'-').count();
        first.start = first.start.saturating_add(dashes);
    }
}

/// Pieces of one run at which decoding starts, at most: a run may stand behind a word of the same alphabet.
const STARTS: usize = 8;

/// Bytes in front of a run's pieces whose decoding is tried.
const HEAD: usize = 32;

fn forwards(text: &[u8], pieces: &[Range<usize>], sink: &mut Sink<'_, '_>) -> Result<(), Trouble> {
    let promises = |piece: &&Range<usize>| {
        let head = text
            .get(piece.start..piece.end.min(piece.start.saturating_add(HEAD)))
            .unwrap_or_default();
        promising(&base64::decode(head).data)
    };
    let mut first = 0usize;
    for _ in 0..STARTS {
        let Some(rest) = pieces.get(first..) else {
            break;
        };
        let Some(skipped) = rest.iter().position(|piece| promises(&piece)) else {
            break;
        };
        first = first.saturating_add(skipped);
        let run = pieces.get(first..).unwrap_or_default();
        let joined = join(text, run);
        if joined.len() < SHORTEST {
            break;
        }
        let range =
            run.first().map_or(0, |piece| piece.start)..run.last().map_or(0, |piece| piece.end);
        if sink.offer(without_words_behind(base64::decode(&joined)), range)? {
            break;
        }
        first = first.saturating_add(1);
    }
    Ok(())
}

/// What was decoded, without a word of the text around it that followed the padding on a line of its own.
fn without_words_behind(decoded: base64::Base64) -> Vec<u8> {
    /// What decodes from a line at the most: longer, and the padding stands between parts of one content.
    const LINE: usize = 48;
    let mut data = decoded.data;
    if let Some(end) = decoded.after_padding
        && data.len().saturating_sub(end) <= LINE
    {
        data.truncate(end);
    }
    data
}

/// A run that was turned around: its padding, if any, stands in front.
fn backwards(text: &[u8], pieces: &[Range<usize>], sink: &mut Sink<'_, '_>) -> Result<(), Trouble> {
    let Some(last) = pieces.last() else {
        return Ok(());
    };
    let mut head = text
        .get(last.end.saturating_sub(HEAD).max(last.start)..last.end)
        .unwrap_or_default()
        .to_vec();
    head.reverse();
    let decoded = base64::decode(&head).data;
    // Text turned around promises nothing by its look, since all text does.
    if !promising(&decoded)
        || decoded.iter().all(u8::is_ascii)
            && !decoded.starts_with(b"MZ")
            && !decoded.starts_with(b"PK")
    {
        return Ok(());
    }
    let mut joined = join(text, pieces);
    joined.reverse();
    let range = pieces.first().map_or(0, |piece| piece.start)..last.end;
    sink.offer(base64::decode(&joined).data, range)?;
    Ok(())
}

fn join(text: &[u8], pieces: &[Range<usize>]) -> Vec<u8> {
    pieces
        .iter()
        .filter_map(|piece| text.get(piece.clone()))
        .collect::<Vec<_>>()
        .concat()
}

fn is_of_run(byte: u8) -> bool {
    base64::is_base64(byte) || byte == b'='
}

/// Start of the next stretch of at least [`PIECE`] characters of the alphabet, from `at` on; none: `at` is moved on to
/// where the search stopped at `until`.
fn next_piece(text: &[u8], at: &mut usize, until: usize) -> Option<usize> {
    loop {
        // A stretch that long must cover the probed byte.
        let probe = at.checked_add(PIECE - 1).filter(|probe| *probe < until)?;
        if !is_of_run(*text.get(probe)?) {
            *at = probe.checked_add(1)?;
            continue;
        }
        let window = text.get(*at..probe)?;
        let back = window
            .iter()
            .rev()
            .take_while(|byte| is_of_run(**byte))
            .count();
        let start = probe.saturating_sub(back);
        let len = back.saturating_add(length_at(text, probe, PIECE));
        if len >= PIECE {
            return Some(start);
        }
        *at = start.checked_add(len)?.checked_add(1)?;
    }
}

/// Characters of the alphabet from `at` on, as far as they are no more than `most`.
fn length_at(text: &[u8], at: usize, most: usize) -> usize {
    text.get(at..)
        .unwrap_or_default()
        .iter()
        .take(most)
        .take_while(|byte| is_of_run(**byte))
        .count()
}

/// The pieces of the run that starts at `start`: it goes on over line ends and from one string to the next.
fn chain(text: &[u8], start: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut at = start;
    // Ends because each piece is at least one character long.
    loop {
        let len = length_at(text, at, usize::MAX);
        let end = at.saturating_add(len);
        pieces.push(at..end);
        let Some(next) = over_gap(text, end, len >= LINE) else {
            return pieces;
        };
        if len < PIECE || length_at(text, next, 1) == 0 {
            return pieces;
        }
        at = next;
    }
}

/// Characters from which on a piece is a line of a run: a blank behind it was a line's end in the value of an attribute.
const LINE: usize = 60;

/// Behind a line's end with its indentation, behind the blank after a `line`, or behind the end of a string, what joins two strings, and the start of the next.
fn over_gap(text: &[u8], end: usize, line: bool) -> Option<usize> {
    let rest = text.get(end..)?;
    let rest = rest.get(..GAP).unwrap_or(rest);
    let first = *rest.first()?;
    if matches!(first, b'"' | b'\'' | b'`') {
        let close = rest.iter().skip(1).position(|byte| *byte == first)?;
        let between = rest.get(1..close.checked_add(1)?)?;
        let joins = |byte: &u8| {
            matches!(
                byte,
                b' ' | b'\t' | b'\r' | b'\n' | b'&' | b'+' | b'_' | b',' | b'.' | b'\\'
            )
        };
        return between
            .iter()
            .all(joins)
            .then(|| end.saturating_add(close).saturating_add(2));
    }
    let mut blank = 0usize;
    let mut broken = false;
    // Ends because each step is at least one byte of `rest`.
    while let Some(behind) = rest.get(blank..).filter(|behind| !behind.is_empty()) {
        let (step, breaks) = match behind {
            [b' ' | b'\t', ..] => (1, false),
            [b'\r' | b'\n', ..] => (1, true),
            [b'&', ..] => match LINE_ENDS.iter().find(|end| behind.starts_with(end)) {
                Some(end) => (end.len(), true),
                None => break,
            },
            _ => break,
        };
        blank = blank.saturating_add(step);
        broken |= breaks;
    }
    (broken || line && blank == 1).then(|| end.saturating_add(blank))
}

/// A line's end in the value of an attribute, as Word writes it in the pictures of its drawings.
const LINE_ENDS: &[&[u8]] = &[
    b"&#xA;", b"&#xD;", b"&#xa;", b"&#xd;", b"&#10;", b"&#13;", b"&#x0A;", b"&#x0D;",
];

/// How the numbers of a run are written.
#[derive(Debug, Clone, Copy)]
struct Notation {
    /// What stands in front of each number, in lower case.
    prefix: &'static [u8],
    /// 16 or 10.
    radix: u8,
}

#[rustfmt::skip]
const NOTATIONS: &[Notation] = &[
    Notation { prefix: b"\\x", radix: 16 },
    Notation { prefix: b"0x", radix: 16 },
    Notation { prefix: b"&h", radix: 16 },
    Notation { prefix: b"%", radix: 16 },
    Notation { prefix: b"$", radix: 16 },
    Notation { prefix: b"", radix: 16 },
    Notation { prefix: b"", radix: 10 },
];

/// First two bytes of what counts, as they stand in a text: where these are not, no run starts.
const STARTS_OF_NUMBERS: &[[u8; 2]] = &[
    *b"MZ",
    [0x7f, b'E'],
    *b"PK",
    [0xd0, 0xcf],
    [0x4c, 0],
    *b"MS",
    [0x1f, 0x8b],
    *b"Ra",
    *b"7z",
    *b"%P",
    *b"{\\",
    // A program whose pairs of bytes are swapped.
    *b"ZM",
];

/// Runs of numbers from `at` on that start in front of `until`, each at least [`SHORTEST`] characters and 32 bytes. Ends
/// because each run is passed over whole.
fn number_runs(
    text: &[u8],
    at: &mut usize,
    until: usize,
    sink: &mut Sink<'_, '_>,
) -> Result<(), Trouble> {
    while let Some(stretch) = next_stretch(text, at, until) {
        *at = stretch.end.saturating_add(1);
        moved::run(text, stretch.clone(), sink)?;
        runs_within(text.get(..stretch.end).unwrap_or(text), stretch.start, sink)?;
    }
    Ok(())
}

/// Whether a byte may stand in a run of numbers in any notation: digits, prefixes, separators.
const OF_NUMBERS: [bool; 256] = of_numbers();

#[expect(
    clippy::indexing_slicing,
    reason = "constants, evaluated at compile time"
)]
const fn of_numbers() -> [bool; 256] {
    let members = b"0123456789abcdefABCDEFxXhH\\&%$ \t\r\n,;:-\"'+_|.";
    let mut table = [false; 256];
    let mut at = 0;
    while at < members.len() {
        table[members[at] as usize] = true;
        at += 1;
    }
    table
}

/// The next stretch of at least [`SHORTEST`] bytes that may all stand in a run of numbers. Ordinary text is passed
/// over by probing every [`SHORTEST`]th byte, since a stretch that long must cover one.
fn next_stretch(text: &[u8], at: &mut usize, until: usize) -> Option<Range<usize>> {
    let fits = |byte: &u8| {
        OF_NUMBERS
            .get(usize::from(*byte))
            .copied()
            .unwrap_or_default()
    };
    loop {
        let probe = at
            .checked_add(SHORTEST - 1)
            .filter(|probe| *probe < until)?;
        if !fits(text.get(probe)?) {
            *at = probe.checked_add(1)?;
            continue;
        }
        let back = text
            .get(*at..probe)?
            .iter()
            .rev()
            .take_while(|byte| fits(byte))
            .count();
        let ahead = text
            .get(probe..)?
            .iter()
            .take_while(|byte| fits(byte))
            .count();
        let stretch = probe.saturating_sub(back)..probe.saturating_add(ahead);
        if stretch.len() >= SHORTEST {
            return Some(stretch);
        }
        *at = stretch.end.checked_add(1)?;
    }
}

/// The runs of a stretch, which ends where `text` does.
fn runs_within(text: &[u8], from: usize, sink: &mut Sink<'_, '_>) -> Result<(), Trouble> {
    let mut at = from;
    while let Some(start) = next_number(text, at) {
        sink.nest.tick()?;
        at = start.saturating_add(1);
        let before = start
            .checked_sub(1)
            .and_then(|before| text.get(before))
            .copied()
            .unwrap_or(b' ');
        if before.is_ascii_alphanumeric() {
            continue;
        }
        for notation in NOTATIONS {
            let Some((decoded, end)) = notation.read(text, start) else {
                continue;
            };
            if end.saturating_sub(start) >= SHORTEST && decoded.len() >= 32 {
                at = end;
                sink.offer(decoded, start..end)?;
                break;
            }
        }
    }
    Ok(())
}

/// The next place at which a number may start whose first digits are those of something that counts.
fn next_number(text: &[u8], from: usize) -> Option<usize> {
    /// First digits of the first byte in either radix: 4d 7f 50 d0 4c 1f 52 37 25 7b 5a, 77 127 80 208 76 31 82 55 37 123 90.
    const FIRST: &[[u8; 2]] = &[
        *b"4d", *b"7f", *b"50", *b"d0", *b"4c", *b"1f", *b"52", *b"37", *b"25", *b"7b", *b"77",
        *b"12", *b"80", *b"20", *b"76", *b"31", *b"82", *b"55", *b"5a", *b"90",
    ];
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        // Digits and letters in any case; what is not the start of a word is passed over fast.
        let skip = rest.iter().position(|byte| byte.is_ascii_hexdigit())?;
        let start = at.checked_add(skip)?;
        let word = text.get(start..)?;
        let len = word
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count()
            .max(1);
        let digits = match word {
            [b'0', b'x' | b'X', rest @ ..] => rest,
            all => all,
        };
        let pair = [
            digits.first()?.to_ascii_lowercase(),
            digits.get(1)?.to_ascii_lowercase(),
        ];
        let begin = start
            .checked_sub(prefix_before(text, start))
            .unwrap_or(start);
        if FIRST.contains(&pair) && begin >= from {
            return Some(begin);
        }
        at = start.checked_add(len)?;
    }
}

/// Length of the prefix that ends where the digits start.
fn prefix_before(text: &[u8], start: usize) -> usize {
    let two = start
        .checked_sub(2)
        .and_then(|at| text.get(at..start))
        .map(<[u8]>::to_ascii_lowercase);
    match two.as_deref() {
        Some(b"\\x" | b"&h") => 2,
        Some([_, b'%' | b'$']) => 1,
        _ => 0,
    }
}

impl Notation {
    /// The bytes of the run at `start` and its end; `None` where no run in this notation starts there with something that counts.
    fn read(self, text: &[u8], start: usize) -> Option<(Vec<u8>, usize)> {
        let mut out = Vec::new();
        let mut at = start;
        let mut end = start;
        while let Some((byte, after)) = self.number(text, at) {
            out.push(byte);
            if out.len() == 2 && !STARTS_OF_NUMBERS.iter().any(|start| out == *start) {
                return None;
            }
            end = after;
            let Some(next) = self.over_separator(text, after) else {
                break;
            };
            at = next;
        }
        (out.len() > 2).then_some((out, end))
    }

    /// One number with its prefix, and where it ends.
    fn number(self, text: &[u8], at: usize) -> Option<(u8, usize)> {
        let begin = at.checked_add(self.prefix.len())?;
        if !text.get(at..begin)?.eq_ignore_ascii_case(self.prefix) {
            return None;
        }
        let digits = text.get(begin..)?;
        let digits = digits.get(..3).unwrap_or(digits);
        if self.radix == 10 {
            let len = digits
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let value = std::str::from_utf8(digits.get(..len)?)
                .ok()?
                .parse::<u8>()
                .ok()?;
            return Some((value, begin.checked_add(len)?));
        }
        let high = digit(*digits.first()?)?;
        match digits.get(1).copied().and_then(digit) {
            Some(low) => Some((high << 4 | low, begin.checked_add(2)?)),
            // A single digit only where a prefix and a separator set it apart.
            None => (self.prefix.len() == 2 && self.prefix != b"\\x")
                .then_some((high, begin.checked_add(1)?)),
        }
    }

    /// Behind what separates two numbers: up to some blanks, a comma and its like, the end of one string and the start of the next.
    fn over_separator(self, text: &[u8], end: usize) -> Option<usize> {
        let rest = text.get(end..)?;
        let rest = rest.get(..GAP).unwrap_or(rest);
        let separates = |byte: &u8| {
            matches!(
                byte,
                b' ' | b'\t'
                    | b'\r'
                    | b'\n'
                    | b','
                    | b';'
                    | b':'
                    | b'-'
                    | b'"'
                    | b'\''
                    | b'&'
                    | b'+'
                    | b'_'
                    | b'|'
                    | b'.'
            )
        };
        let mut len = rest.iter().take_while(|byte| separates(byte)).count();
        // The sign of the next prefix looks like one that joins two strings.
        if self.prefix == b"&h"
            && len > 0
            && rest
                .get(len)
                .is_some_and(|byte| byte.eq_ignore_ascii_case(&b'h'))
        {
            len = len.checked_sub(1)?;
        }
        if self.radix == 10 && len == 0 || len >= GAP {
            return None;
        }
        end.checked_add(len)
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => byte.checked_sub(b'0'),
        b'a'..=b'f' => byte.checked_sub(b'a' - 10),
        b'A'..=b'F' => byte.checked_sub(b'A' - 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
