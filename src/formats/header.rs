//! Header blocks of mails and MIME parts (RFC 5322 section 2.2, RFC 2045 section 3) → fields with byte ranges.
//!
//! Mail readers differ on blank-only lines, on lines that are no field and on bare carriage returns; each choice is
//! an argument here, so that a caller can look at every reading. Values are not decoded: see
//! [`super::header_words`].

use std::ops::Range;

/// Fields of one block that are kept; further ones are passed over.
const FIELDS: usize = 2000;

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Breaks {
    /// LF, with or without a CR before it.
    #[default]
    Lf,
    /// LF, CR LF, and a CR by itself.
    Cr,
}

/// How doubtful lines of a header block are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Doubtful {
    /// By what follows: a blank-only line or a line that is no field ends the header unless fields follow it. A field
    /// with blanks before its colon is one.
    #[default]
    ByContext,
    /// The other way round, and blanks before its colon make a field unknown.
    Contrary,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name without blanks, as it stands.
    pub name: Range<usize>,
    /// Everything behind the colon, folds included, without the last line's end.
    pub value: Range<usize>,
}

/// A header block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The fields in order.
    pub fields: Vec<Field>,
    /// First byte of the body.
    pub body: usize,
    /// Whether there were lines that [`Doubtful`] decides on.
    pub doubtful: bool,
    /// Whether the block ends without a blank line.
    pub unended: bool,
    /// Whether a field has blanks before its colon.
    pub blank_before_colon: bool,
}

impl Header {
    /// The raw values of every field called `name`, in order.
    pub fn values<'a>(&'a self, data: &'a [u8], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter_map(move |field| {
            let found = data.get(field.name.clone())?;
            found
                .eq_ignore_ascii_case(name.as_bytes())
                .then(|| data.get(field.value.clone()))?
        })
    }
}

/// Where the line at `at` ends, and where the next one starts.
pub fn line_end(data: &[u8], at: usize, limit: usize, breaks: Breaks) -> (usize, usize) {
    let rest = data.get(at..limit).unwrap_or_default();
    let found = match breaks {
        Breaks::Lf => memchr::memchr(b'\n', rest),
        Breaks::Cr => memchr::memchr2(b'\n', b'\r', rest),
    };
    let Some(len) = found else {
        return (limit, limit);
    };
    let end = at.saturating_add(len);
    match rest.get(len) {
        Some(b'\r') => {
            let pair = rest.get(len.saturating_add(1)) == Some(&b'\n');
            (end, end.saturating_add(if pair { 2 } else { 1 }))
        }
        _ => {
            let before = len.checked_sub(1).and_then(|before| rest.get(before));
            let cr = usize::from(before == Some(&b'\r'));
            (end.saturating_sub(cr), end.saturating_add(1))
        }
    }
}

/// Length of the field name at the start of a line, where the line is a field: visible ASCII, then perhaps blanks,
/// then a colon. Gives the name's length and the colon's offset.
pub fn field_name(line: &[u8]) -> Option<(usize, usize)> {
    /// Longest name taken for one.
    const LONGEST: usize = 200;
    let head = line.get(..LONGEST).unwrap_or(line);
    let colon = memchr::memchr(b':', head)?;
    let name = head.get(..colon)?;
    let bare = name.trim_ascii_end();
    let legal = !bare.is_empty() && bare.iter().all(|byte| (33..=126).contains(byte));
    legal.then_some((bare.len(), colon))
}

/// Reads the header block that starts at `start` and does not go beyond `limit`.
pub fn read(data: &[u8], start: usize, limit: usize, breaks: Breaks, doubtful: Doubtful) -> Header {
    let mut header = Header::default();
    let mut at = start;
    // Ends because every line moves `at` on.
    loop {
        if at >= limit {
            header.unended = true;
            break;
        }
        let (end, next) = line_end(data, at, limit, breaks);
        let line = data.get(at..end).unwrap_or_default();
        if line.is_empty() {
            at = next;
            break;
        }
        if line.starts_with(b"--") && at > start {
            // A delimiter: no field begins like this, and so parts of a multipart never read each other's bytes.
            header.unended = true;
            break;
        }
        let blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t'));
        let starts_blank = matches!(line.first(), Some(b' ' | b'\t'));
        if !blank && starts_blank && !header.fields.is_empty() {
            extend_last(&mut header, end);
        } else if !blank && let Some((name, colon)) = field_name(line) {
            header.blank_before_colon |= name != colon;
            let unknown = name != colon && doubtful == Doubtful::Contrary;
            if !unknown && header.fields.len() < FIELDS {
                header.fields.push(Field {
                    name: at..at.saturating_add(name),
                    value: at.saturating_add(colon).saturating_add(1)..end,
                });
            }
        } else if at == start && (line.starts_with(b"From ") || line.starts_with(b">From ")) {
            // The postmark of a mailbox.
        } else {
            header.doubtful = true;
            let goes_on = goes_on(data, next, limit, breaks) == (doubtful == Doubtful::ByContext);
            if !goes_on {
                header.unended = !blank;
                at = if blank { next } else { at };
                break;
            }
        }
        at = next;
    }
    header.body = at.min(limit);
    header
}

fn extend_last(header: &mut Header, end: usize) {
    if let Some(last) = header.fields.last_mut() {
        last.value.end = end;
    }
}

/// Whether the next line that is not blank-only continues a header.
fn goes_on(data: &[u8], at: usize, limit: usize, breaks: Breaks) -> bool {
    /// Lines looked at.
    const AHEAD: usize = 3;
    let mut at = at;
    for _ in 0..AHEAD {
        let (end, next) = line_end(data, at, limit, breaks);
        let line = data.get(at..end).unwrap_or_default();
        if line.is_empty() {
            return false;
        }
        if field_name(line).is_some() {
            return true;
        }
        at = next;
    }
    false
}

/// A value with its folds taken out: line ends go, the blanks behind them stay.
pub fn unfold(value: &[u8]) -> Vec<u8> {
    value
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect::<Vec<_>>()
        .trim_ascii()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(data: &[u8], breaks: Breaks, doubtful: Doubtful) -> (Vec<String>, String) {
        let header = read(data, 0, data.len(), breaks, doubtful);
        let names = header
            .fields
            .iter()
            .map(|field| String::from_utf8_lossy(&data[field.name.clone()]).into_owned())
            .collect();
        (
            names,
            String::from_utf8_lossy(&data[header.body..]).into_owned(),
        )
    }

    #[test]
    fn fields_are_read_with_folds_and_blanks_before_the_colon() {
        let data = b"A: one\r\n\ttwo\r\nB : three\r\n\r\nbody";
        let header = read(data, 0, data.len(), Breaks::Lf, Doubtful::ByContext);
        assert_eq!(
            unfold(header.values(data, "a").next().unwrap()),
            b"one\ttwo"
        );
        assert_eq!(unfold(header.values(data, "b").next().unwrap()), b"three");
        assert!(header.blank_before_colon && !header.doubtful && !header.unended);
        assert_eq!(&data[header.body..], b"body");
    }

    #[test]
    fn a_blank_only_line_ends_the_header_unless_fields_follow() {
        let ends = b"A: 1\r\n \r\ntext here";
        assert_eq!(names(ends, Breaks::Lf, Doubtful::ByContext).1, "text here");
        let folds = b"A: 1\r\n \r\nB: 2\r\n\r\nbody";
        assert_eq!(names(folds, Breaks::Lf, Doubtful::ByContext).1, "body");
        assert_eq!(
            names(folds, Breaks::Lf, Doubtful::Contrary).1,
            "B: 2\r\n\r\nbody"
        );
    }

    #[test]
    fn a_line_that_is_no_field_is_passed_over_where_fields_follow() {
        let data = b"A: 1\nrubbish\nB: 2\n\nbody";
        let (fields, body) = names(data, Breaks::Lf, Doubtful::ByContext);
        assert_eq!((fields.len(), body.as_str()), (2, "body"));
        let (fields, body) = names(data, Breaks::Lf, Doubtful::Contrary);
        assert_eq!((fields.len(), body.as_str()), (1, "rubbish\nB: 2\n\nbody"));
    }

    #[test]
    fn bare_carriage_returns_end_lines_in_their_reading_only() {
        let data = b"A: 1\rB: 2\r\rbody";
        assert_eq!(names(data, Breaks::Cr, Doubtful::ByContext).1, "body");
        assert_eq!(names(data, Breaks::Lf, Doubtful::ByContext).0, ["A"]);
    }
}
