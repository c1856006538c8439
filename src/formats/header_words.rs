//! Words and parameters of header fields: encoded words (RFC 2047), parameters (RFC 2045 section 5.1) with
//! continuations and charsets (RFC 2231), raw eight-bit text.
//!
//! Mail readers decode the same name differently, so every plausible reading is given, the likeliest first. Nothing
//! here chooses between them.

use std::collections::BTreeMap;

use super::base64;
use super::quoted_printable::hex;
use crate::text;

/// Readings kept of one text.
const READINGS: usize = 12;

/// Bytes of a value that are looked at: names and subjects are short, and readings multiply.
const LONGEST: usize = 16 * 1024;

/// Parameters kept of one field.
const PARAMETERS: usize = 100;

/// A piece of a header text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece<'a> {
    /// Bytes as they stand.
    Plain(&'a [u8]),
    /// The bytes of one encoded word under its charset.
    Word { charset: &'a [u8], bytes: Vec<u8> },
}

/// One parameter of a field, undecoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in lower case, without the section and the star of RFC 2231.
    pub name: String,
    /// Number of the section where it is one of several (RFC 2231 section 3).
    pub section: Option<u32>,
    /// Whether its value carries percent signs and perhaps a charset (RFC 2231 section 4).
    pub extended: bool,
    /// The value between its quotes, escapes kept.
    pub value: Vec<u8>,
    /// Whether it stood in quotes.
    pub quoted: bool,
}

/// A field of the form `value; name=value; …`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters {
    /// The value before the first semicolon in lower case, blanks and comments dropped.
    pub value: String,
    /// The parameters in order, doubles included.
    pub list: Vec<Parameter>,
}

/// Every plausible reading of a text with encoded words or raw bytes, the likeliest first; never empty.
pub fn readings(raw: &[u8]) -> Vec<String> {
    let raw = raw.get(..LONGEST).unwrap_or(raw);
    if memchr::memmem::find(raw, b"=?").is_none() {
        return text::name_readings(raw);
    }
    let pieces = pieces(raw);
    let mut readings = Vec::new();
    add(&mut readings, joined(&pieces, Join::Neighbours));
    if pieces.len() > 1 {
        add(&mut readings, joined(&pieces, Join::Nothing));
    }
    for label in ["utf-8", "shift_jis", "euc-jp"] {
        let doubtful = readings.iter().any(|reading| reading.contains('\u{fffd}'));
        if doubtful {
            add(&mut readings, joined(&pieces, Join::As(label)));
        }
    }
    // A reading without a gap is likelier than one with gaps.
    readings.sort_by_key(|reading| reading.contains('\u{fffd}'));
    readings
}

/// The likeliest reading of a text.
pub fn likeliest(raw: &[u8]) -> String {
    readings(raw).into_iter().next().unwrap_or_default()
}

/// Adds a reading that is not there yet.
fn add(readings: &mut Vec<String>, reading: String) {
    if readings.len() < READINGS && !readings.contains(&reading) {
        readings.push(reading);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join<'a> {
    /// The bytes of neighbouring words of one charset are one text: a character may be split over two words.
    Neighbours,
    /// Each word by itself, as RFC 2047 section 5 wants it.
    Nothing,
    /// As neighbours, and all in another charset than they claim.
    As(&'a str),
}

fn joined(pieces: &[Piece<'_>], join: Join<'_>) -> String {
    let mut out = String::new();
    let mut held: Option<(&[u8], Vec<u8>)> = None;
    let flush = |held: &mut Option<(&[u8], Vec<u8>)>, out: &mut String| {
        if let Some((charset, bytes)) = held.take() {
            out.push_str(&match join {
                Join::As(label) => text::decode(label.as_bytes(), &bytes),
                Join::Neighbours | Join::Nothing => decode(charset, &bytes),
            });
        }
    };
    for piece in pieces {
        match piece {
            Piece::Plain(bytes) => {
                flush(&mut held, &mut out);
                out.push_str(
                    &text::name_readings(bytes)
                        .into_iter()
                        .next()
                        .unwrap_or_default(),
                );
            }
            Piece::Word { charset, bytes } => match &mut held {
                Some((before, all))
                    if join != Join::Nothing && before.eq_ignore_ascii_case(charset) =>
                {
                    all.extend_from_slice(bytes);
                }
                _ => {
                    flush(&mut held, &mut out);
                    held = Some((charset, bytes.clone()));
                }
            },
        }
    }
    flush(&mut held, &mut out);
    out
}

/// The text of bytes under a label; where the label is none or does not hold, what they look like.
fn decode(charset: &[u8], bytes: &[u8]) -> String {
    let charset = charset
        .split(|&byte| byte == b'*')
        .next()
        .unwrap_or_default();
    let by_look = || text::raw_readings(bytes).into_iter().next();
    if text::encoding(charset).is_none()
        && !text::utf7::is_label(charset)
        && let Some(text) = by_look()
    {
        return text;
    }
    text::decode(charset, bytes)
}

/// Splits a text into encoded words and the rest; blanks between two words are dropped (RFC 2047 section 6.2).
fn pieces(raw: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut plain_from = 0usize;
    let mut at = 0usize;
    // Ends because `at` moves on in each round.
    while let Some(found) = memchr::memmem::find(raw.get(at..).unwrap_or_default(), b"=?") {
        let start = at.saturating_add(found);
        let Some((word, end)) = word(raw, start) else {
            at = start.saturating_add(2);
            continue;
        };
        let between = raw.get(plain_from..start).unwrap_or_default();
        let after_word = matches!(pieces.last(), Some(Piece::Word { .. }));
        if !(between.is_empty() || after_word && between.trim_ascii().is_empty()) {
            pieces.push(Piece::Plain(between));
        }
        pieces.push(word);
        plain_from = end;
        at = end;
    }
    let rest = raw.get(plain_from..).unwrap_or_default();
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    pieces
}

/// The encoded word that starts at `start`, and where it ends. Blanks inside and a lacking end are tolerated.
fn word(raw: &[u8], start: usize) -> Option<(Piece<'_>, usize)> {
    /// Longest charset label with its language.
    const LABEL: usize = 64;
    let head = start.checked_add(2)?;
    let rest = raw.get(head..)?;
    let label = memchr::memchr(b'?', rest.get(..LABEL).unwrap_or(rest))?;
    let charset = rest.get(..label)?;
    if charset.is_empty() || charset.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    let [encoding, b'?', body @ ..] = rest.get(label.checked_add(1)?..)? else {
        return None;
    };
    let encoding = encoding.to_ascii_lowercase();
    if !matches!(encoding, b'b' | b'q') {
        return None;
    }
    // In the Q encoding "=?=" cannot occur, but "?=" may stand for "?" and an escape: the first "?=" ends.
    let (len, tail) = match memchr::memmem::find(body, b"?=") {
        Some(len) => (len, 2),
        None => (body.len(), 0),
    };
    let body_start = head.checked_add(label)?.checked_add(3)?;
    let encoded = body.get(..len)?;
    let bytes = match encoding {
        b'b' => base64::decode(encoded).data,
        _ => q(encoded),
    };
    let end = body_start.checked_add(len)?.checked_add(tail)?;
    Some((Piece::Word { charset, bytes }, end))
}

fn q(encoded: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|&byte| if byte == b'_' { b' ' } else { byte })
        .collect();
    unescape(&spaced, b'=')
}

/// Replaces `mark` and two hexadecimal digits by their byte; what is no escape stays.
fn unescape(value: &[u8], mark: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == mark
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high << 4 | low);
            rest = after;
        } else {
            out.push(byte);
        }
    }
    out
}

/// A text with everything but letters, digits, dots and dashes as `%xx` (RFC 2231).
pub fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Takes a field of parameters apart. `value` is raw; folds are taken out here.
pub fn parameters(value: &[u8]) -> Parameters {
    let value = super::header::unfold(value);
    let mut rest: &[u8] = value.get(..LONGEST).unwrap_or(&value);
    let head_len = memchr::memchr(b';', rest).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(head_len);
    let (main, stray) = main_value(head);
    let mut out = Parameters {
        value: main,
        list: Vec::new(),
    };
    // A semicolon lacks before the first parameter: `text/plain charset=x`.
    let stray = stray.to_vec();
    if memchr::memchr(b'=', &stray).is_some() {
        parameter(&stray, &mut out.list);
    }
    rest = tail;
    // Ends because every round takes at least the semicolon.
    while let Some((_, tail)) = rest.split_first() {
        if out.list.len() >= PARAMETERS {
            break;
        }
        rest = parameter(tail, &mut out.list);
    }
    out
}

/// The value without comments and blanks, and what stands behind its first blank.
fn main_value(head: &[u8]) -> (String, &[u8]) {
    let head = head.trim_ascii();
    let head = match head.strip_prefix(b"(") {
        // A comment in front.
        Some(comment) => comment
            .splitn(2, |&byte| byte == b')')
            .nth(1)
            .unwrap_or_default()
            .trim_ascii(),
        None => head,
    };
    let open = memchr::memchr(b'(', head).unwrap_or(head.len());
    let bare = head.get(..open).unwrap_or_default();
    let words: Vec<&[u8]> = bare
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty())
        .collect();
    // "multipart / mixed" is one value, "text/plain charset=x" is a value and a parameter.
    let mut main = Vec::new();
    let mut taken = 0usize;
    for word in &words {
        if taken > 0 && !main.ends_with(b"/") && !word.starts_with(b"/") {
            break;
        }
        main.extend_from_slice(word);
        taken = taken.saturating_add(1);
    }
    let stray = words
        .get(taken)
        .and_then(|word| {
            let at = memchr::memmem::find(bare, word)?;
            bare.get(at..)
        })
        .unwrap_or_default();
    let main = String::from_utf8_lossy(&main).to_ascii_lowercase();
    (main.trim_matches('"').to_owned(), stray)
}

/// Reads one parameter and gives what is left from the next semicolon on.
fn parameter<'a>(rest: &'a [u8], list: &mut Vec<Parameter>) -> &'a [u8] {
    let stop = memchr::memchr2(b';', b'=', rest).unwrap_or(rest.len());
    if rest.get(stop) != Some(&b'=') {
        return rest.get(stop..).unwrap_or_default();
    }
    let name = rest.get(..stop).unwrap_or_default();
    let after = rest.get(stop.saturating_add(1)..).unwrap_or_default();
    let after = after.trim_ascii_start();
    let (value, quoted, left) = match after.split_first() {
        Some((b'"', inner)) => quoted_value(inner),
        _ => {
            let len = bare_length(after);
            let (value, left) = after.split_at(len);
            (value.trim_ascii_end(), false, left)
        }
    };
    let name: Vec<u8> = uncommented(name);
    if !name.is_empty() {
        let (name, section, extended) = section(&name);
        list.push(Parameter {
            name,
            section,
            extended,
            value: value.to_vec(),
            quoted,
        });
    }
    let next = memchr::memchr(b';', left).unwrap_or(left.len());
    left.get(next..).unwrap_or_default()
}

/// Length of a value without quotes: up to a semicolon, but not one inside an encoded word.
fn bare_length(value: &[u8]) -> usize {
    let mut at = 0usize;
    loop {
        let rest = value.get(at..).unwrap_or_default();
        let stop = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let word = memchr::memmem::find(rest.get(..stop).unwrap_or_default(), b"=?");
        let Some((_, end)) = word.and_then(|found| self::word(value, at.saturating_add(found)))
        else {
            return at.saturating_add(stop);
        };
        // Ends because an encoded word is never empty.
        at = end;
    }
}

/// The name of a parameter without comments and blanks, in lower case.
fn uncommented(name: &[u8]) -> Vec<u8> {
    let mut depth = 0u32;
    let mut out = Vec::new();
    for &byte in name {
        match byte {
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && !byte.is_ascii_whitespace() => out.push(byte.to_ascii_lowercase()),
            _ => {}
        }
    }
    out
}

/// The text between quotes, and what stands behind the closing one. In Shift_JIS and ISO-2022-JP a backslash may be
/// half of a character, so that it does not escape the quote behind it: where no other quote closes, it does not.
fn quoted_value(inner: &[u8]) -> (&[u8], bool, &[u8]) {
    let split = |at: usize| {
        let value = inner.get(..at).unwrap_or_default();
        let left = inner.get(at.saturating_add(1)..).unwrap_or_default();
        (value, true, left)
    };
    let mut at = 0usize;
    let mut escaped_quote = None;
    // Ends because `at` moves on in each round.
    while let Some(found) = memchr::memchr2(b'"', b'\\', inner.get(at..).unwrap_or_default()) {
        let mark = at.saturating_add(found);
        if inner.get(mark) == Some(&b'"') {
            return split(mark);
        }
        let next = mark.saturating_add(1);
        let half = mark
            .checked_sub(1)
            .and_then(|before| inner.get(before))
            .is_some_and(|before| *before >= 0x80);
        if inner.get(next) == Some(&b'"') {
            let closes = matches!(
                inner
                    .get(next.saturating_add(1)..)
                    .unwrap_or_default()
                    .trim_ascii_start()
                    .first(),
                None | Some(b';')
            );
            if half && closes {
                return split(next);
            }
            escaped_quote = escaped_quote.or(Some(next));
        }
        at = mark.saturating_add(2);
    }
    match escaped_quote {
        Some(at) => split(at),
        // Never closed: up to the next parameter that could be one.
        None => split(memchr::memchr(b';', inner).unwrap_or(inner.len())),
    }
}

/// Splits `filename*1*` into name, section and whether it is extended.
fn section(name: &[u8]) -> (String, Option<u32>, bool) {
    let text = String::from_utf8_lossy(name).into_owned();
    let Some((base, rest)) = text.split_once('*') else {
        return (text, None, false);
    };
    let (number, extended) = match rest.strip_suffix('*') {
        Some(number) => (number, true),
        None => (rest, rest.is_empty()),
    };
    let section = number.parse().ok();
    (base.to_owned(), section, extended)
}

impl Parameters {
    /// Every value given for `name` (lower case), each with its readings, in the order in which readers prefer them:
    /// RFC 2231 sections, extended values, plain values. A name given twice gives two values.
    pub fn values(&self, name: &str) -> Vec<Vec<String>> {
        let named = || self.list.iter().filter(|parameter| parameter.name == name);
        let mut values = Vec::new();
        let mut sections: BTreeMap<u32, Vec<&Parameter>> = BTreeMap::new();
        for parameter in named() {
            if let Some(section) = parameter.section {
                sections.entry(section).or_default().push(parameter);
            }
        }
        if !sections.is_empty() {
            let first = join_sections(sections.values().filter_map(|same| same.first().copied()));
            let last = join_sections(sections.values().filter_map(|same| same.last().copied()));
            values.push(first.clone());
            if first != last {
                values.push(last);
            }
        }
        let single = |extended: bool| {
            named().filter(move |parameter| {
                parameter.section.is_none() && parameter.extended == extended
            })
        };
        values.extend(single(true).map(|parameter| join_sections([parameter].into_iter())));
        values.extend(single(false).map(plain));
        values.retain(|readings| readings.iter().any(|reading| !reading.is_empty()));
        values
    }

    /// The raw values given for a parameter that is plain ASCII by nature, such as `boundary`, escapes taken out.
    pub fn tokens(&self, name: &str) -> Vec<Vec<u8>> {
        let mut sections: BTreeMap<u32, &Parameter> = BTreeMap::new();
        let mut tokens = Vec::new();
        for parameter in self.list.iter().filter(|parameter| parameter.name == name) {
            match parameter.section {
                Some(section) => {
                    sections.entry(section).or_insert(parameter);
                }
                None => tokens.push(token(parameter)),
            }
        }
        if !sections.is_empty() {
            tokens.push(
                sections
                    .values()
                    .flat_map(|section| token(section))
                    .collect(),
            );
        }
        tokens
    }
}

/// A parameter's bytes without escapes, percent signs and charset.
fn token(parameter: &Parameter) -> Vec<u8> {
    if parameter.extended {
        let (_, value) = charset_and_value(&parameter.value);
        return unescape(value, b'%');
    }
    if parameter.quoted {
        without_backslashes(&parameter.value)
    } else {
        // A comment may follow a bare value.
        let end = memchr::memmem::find(&parameter.value, b" (").unwrap_or(parameter.value.len());
        parameter.value.get(..end).unwrap_or_default().to_vec()
    }
}

/// The readings of a value without RFC 2231: backslashes that quote (as Windows paths have them: kept), backslashes
/// taken out, encoded words, raw bytes.
fn plain(parameter: &Parameter) -> Vec<String> {
    let raw = &parameter.value;
    if !parameter.quoted || memchr::memchr(b'\\', raw).is_none() {
        return readings(raw);
    }
    let mut all = Vec::new();
    let escapes_only = escaped_marks_only(raw);
    for value in [&escapes_only, raw, &without_backslashes(raw)] {
        for reading in readings(value) {
            add(&mut all, reading);
        }
    }
    all
}

/// Takes out a backslash only before a quote or a backslash.
fn escaped_marks_only(raw: &[u8]) -> Vec<u8> {
    drop_backslashes(raw, |next| matches!(next, b'"' | b'\\'))
}

fn without_backslashes(raw: &[u8]) -> Vec<u8> {
    drop_backslashes(raw, |_| true)
}

fn drop_backslashes(raw: &[u8], quotes: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match bytes.peek() {
            Some(&next) if byte == b'\\' && quotes(next) => {
                out.push(next);
                bytes.next();
            }
            _ => out.push(byte),
        }
    }
    out
}

/// Charset and value of `charset'language'value`; without two quotes all of it is the value.
fn charset_and_value(value: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = value.splitn(3, |&byte| byte == b'\'');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(charset), Some(_), Some(value)) => (charset, value),
        _ => (b"", value),
    }
}

/// Joins sections in order, then decodes once: a section may end inside a character or an escape sequence.
fn join_sections<'a>(sections: impl Iterator<Item = &'a Parameter>) -> Vec<String> {
    let mut charset: &[u8] = b"";
    let mut bytes = Vec::new();
    let mut literal = Vec::new();
    for (at, section) in sections.enumerate() {
        if !section.extended {
            let value = if section.quoted {
                escaped_marks_only(&section.value)
            } else {
                section.value.clone()
            };
            bytes.extend_from_slice(&value);
            literal.extend_from_slice(&value);
            continue;
        }
        let (label, value) = if at == 0 {
            charset_and_value(&section.value)
        } else {
            (b"".as_slice(), section.value.as_slice())
        };
        if at == 0 {
            charset = label;
        }
        bytes.extend(unescape(value, b'%'));
        literal.extend_from_slice(value);
    }
    let mut all = Vec::new();
    if charset.is_empty() {
        for reading in readings(&bytes) {
            add(&mut all, reading);
        }
        return all;
    }
    add(&mut all, text::decode(charset, &bytes));
    let legal =
        text::encoding(charset).is_some() && all.iter().all(|text| !text.contains('\u{fffd}'));
    if !legal {
        for reading in text::raw_readings(&bytes) {
            add(&mut all, reading);
        }
        all.sort_by_key(|reading| reading.contains('\u{fffd}'));
    }
    if memchr::memmem::find(&literal, b"=?").is_some() {
        for reading in readings(&literal) {
            add(&mut all, reading);
        }
    }
    all
}

#[cfg(test)]
#[path = "header_words_tests.rs"]
mod tests;
