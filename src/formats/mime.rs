//! The structure of a message (RFC 2045, 2046) by its delimiter lines: a reader of our own, independent of any mail
//! crate.
//!
//! Where mail programs differ, [`Style`] chooses, and [`Doubts`] says which other choices would read these bytes
//! differently, so that a caller can look at every reading. Nested messages are leaves here: the caller opens them as
//! messages of their own. Nothing is decoded.

use std::ops::Range;

use super::header::{self, Breaks, Doubtful, Header};
use super::header_words::parameters;
use crate::bytes::Deviation;
use crate::limits::{Budget, Halt};

/// Multiparts within multiparts; a deeper one stays a leaf, to be opened as a message of its own.
const DEEPEST: usize = 64;

/// Longest boundary (RFC 2046 section 5.1.1 allows 70 characters).
const LONGEST_BOUNDARY: usize = 2000;

/// Closed boundaries that are remembered to see whether one goes on after its end.
const REMEMBERED: usize = 16;

/// Bytes searched for an undeclared boundary.
const GUESSED_IN: usize = 64 * 1024;

/// Content types of one part that are told apart.
const OPTIONS: usize = 6;

/// What counts as a delimiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delimiters {
    /// A line of dashes, boundary, perhaps dashes, and blanks (RFC 2046 section 5.1.1).
    #[default]
    Lines,
    /// Whatever stands behind the boundary in the line.
    Prefixes,
    /// Anywhere in a line too.
    Anywhere,
}

/// What a closing delimiter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Closing {
    /// Ends the multipart: what follows is its epilogue.
    #[default]
    Ends,
    /// Only ends the part: the multipart may go on.
    Delimits,
}

/// Where boundaries come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Boundaries {
    /// The parameter; guessed only where there is none.
    #[default]
    Declared,
    /// Guessed also where the declared one never occurs.
    Guessed,
}

/// How a message is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Which one of several content types or boundaries counts; the last where there are fewer.
    pub pick: usize,
    /// What counts as a delimiter.
    pub delimiters: Delimiters,
    /// What a closing delimiter does.
    pub closing: Closing,
    /// Where boundaries come from.
    pub boundaries: Boundaries,
    /// How doubtful lines of headers are taken.
    pub doubtful: Doubtful,
    /// What ends a line.
    pub breaks: Breaks,
}

/// Choices that would read the same bytes differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Doubts {
    /// The most content types and boundaries that one part declares; above 1: [`Style::pick`].
    pub picks: usize,
    /// A line goes on behind a boundary.
    pub prefixes: bool,
    /// A boundary stands in the middle of a line.
    pub anywhere: bool,
    /// A closed boundary occurs again.
    pub reopened: bool,
    /// A declared boundary never occurs.
    pub unmatched: bool,
    /// A header has doubtful lines, or blanks before a colon.
    pub headers: bool,
}

/// What a part is in its multipart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A message or part with a header.
    Entity,
    /// What stands before the first delimiter.
    Preamble,
    /// What stands behind the closing delimiter.
    Epilogue,
}

/// One part.
#[derive(Debug, Clone)]
pub struct Part {
    /// Index of the multipart around it.
    pub parent: Option<usize>,
    /// What it is there.
    pub role: Role,
    /// First byte of its header.
    pub start: usize,
    /// Its header.
    pub header: Header,
    /// Its body without the line end that belongs to the delimiter behind it.
    pub body: Range<usize>,
    /// Its media type in lower case; empty where none is declared.
    pub media_type: String,
    /// Whether it was taken apart: its children are parts of their own.
    pub opened: bool,
    /// Whether it is a multipart that stayed closed because it lies too deep.
    pub too_deep: bool,
    /// Parts found in it.
    pub children: usize,
}

/// A message taken apart in one style.
#[derive(Debug, Clone, Default)]
pub struct Structure {
    /// The parts, parents before children, in order of their offsets; the first is the message itself.
    pub parts: Vec<Part>,
    /// Other styles that would differ.
    pub doubts: Doubts,
    /// What was wrong and read all the same.
    pub deviations: Vec<Deviation>,
    /// A limit that ended the reading early.
    pub halt: Option<Halt>,
}

struct Open {
    part: usize,
    boundary: Vec<u8>,
}

struct Scan<'a> {
    data: &'a [u8],
    limit: usize,
    style: Style,
    out: Structure,
    open: Vec<Open>,
    closed: Vec<Vec<u8>>,
    current: usize,
    unended: usize,
    guesses: usize,
}

/// A delimiter found.
struct Delimiter {
    level: usize,
    start: usize,
    end: usize,
    closing: bool,
}

/// Takes `data[start..]` apart. Time is linear in the data; `budget` is asked for the time and for the most parts.
pub fn read(data: &[u8], start: usize, style: Style, budget: &Budget) -> Structure {
    let mut scan = Scan {
        data,
        limit: data.len(),
        style,
        out: Structure::default(),
        open: Vec::new(),
        closed: Vec::new(),
        current: 0,
        unended: 0,
        guesses: 0,
    };
    let from = scan.begin_root(start);
    if let Err(halt) = scan.run(from, budget) {
        scan.out.halt = Some(halt);
    }
    scan.finish()
}

impl Scan<'_> {
    fn begin_root(&mut self, start: usize) -> usize {
        if let Some(boundary) = undeclared(self.data, start, start.saturating_add(1)) {
            // Parts without a header around them.
            self.out.parts.push(Part {
                parent: None,
                role: Role::Entity,
                start,
                header: Header {
                    body: start,
                    ..Header::default()
                },
                body: start..self.limit,
                media_type: "multipart/mixed".to_owned(),
                opened: false,
                too_deep: false,
                children: 0,
            });
            self.enter(0, boundary);
            return start;
        }
        self.begin(start, None)
    }

    /// Begins the entity whose header starts at `start`; gives the offset of its body.
    fn begin(&mut self, start: usize, parent: Option<usize>) -> usize {
        let header = header::read(
            self.data,
            start,
            self.limit,
            self.style.breaks,
            self.style.doubtful,
        );
        self.out.doubts.headers |= header.doubtful || header.blank_before_colon;
        self.note_header(&header, start);
        let options = options(self.data, &header);
        self.out.doubts.picks = self.out.doubts.picks.max(options.len());
        let last = options.len().saturating_sub(1);
        let chosen = options.into_iter().nth(self.style.pick.min(last));
        let (media_type, boundary) = chosen.unwrap_or_default();
        let body = header.body;
        let index = self.out.parts.len();
        let multipart = media_type.starts_with("multipart/");
        self.out.parts.push(Part {
            parent,
            role: Role::Entity,
            start,
            header,
            body: body..self.limit,
            media_type,
            opened: false,
            too_deep: false,
            children: 0,
        });
        self.current = index;
        if let Some(above) = parent.and_then(|parent| self.out.parts.get_mut(parent)) {
            above.children = above.children.saturating_add(1);
        }
        if multipart && let Some(boundary) = self.boundary(boundary, body) {
            self.enter(index, boundary);
        }
        body
    }

    fn note_header(&mut self, header: &Header, start: usize) {
        if header.blank_before_colon {
            self.deviation(start, "a field has blanks before its colon");
        }
        if header.doubtful {
            self.deviation(start, "a header has lines that are no field");
        }
    }

    fn deviation(&mut self, at: usize, what: &str) {
        /// Deviations kept of one message.
        const KEPT: usize = 8;
        if self.out.deviations.len() < KEPT {
            self.out.deviations.push(Deviation::new(at, what));
        }
    }

    /// The boundary to split at, where the multipart can be split at all.
    fn boundary(&mut self, declared: Option<Vec<u8>>, body: usize) -> Option<Vec<u8>> {
        /// Multiparts whose boundary is searched for, so that the time stays linear.
        const SEARCHED: usize = 32;
        let declared = declared.filter(|declared| declared.len() <= LONGEST_BOUNDARY);
        if self.guesses >= SEARCHED {
            return declared;
        }
        let missing = match &declared {
            None => true,
            Some(declared) => {
                self.style.boundaries == Boundaries::Guessed && {
                    let rest = self.data.get(body..).unwrap_or_default();
                    let line = [b"--".as_slice(), declared].concat();
                    memchr::memmem::find(rest, &line).is_none()
                }
            }
        };
        if missing || self.style.boundaries == Boundaries::Guessed {
            self.guesses = self.guesses.saturating_add(1);
        }
        if missing {
            undeclared(self.data, body, body.saturating_add(GUESSED_IN)).or(declared)
        } else {
            declared
        }
    }

    fn enter(&mut self, part: usize, boundary: Vec<u8>) {
        let too_deep = self.open.len() >= DEEPEST;
        let body = self.out.parts.get_mut(part).map(|part| {
            part.opened = !too_deep;
            part.too_deep = too_deep;
            part.body.start
        });
        if too_deep {
            return;
        }
        self.open.push(Open { part, boundary });
        self.begin_gap(part, Role::Preamble, body.unwrap_or_default());
    }

    fn begin_gap(&mut self, parent: usize, role: Role, start: usize) {
        self.current = self.out.parts.len();
        self.out.parts.push(Part {
            parent: Some(parent),
            role,
            start,
            header: Header {
                body: start,
                ..Header::default()
            },
            body: start..self.limit,
            media_type: String::new(),
            opened: false,
            too_deep: false,
            children: 0,
        });
    }

    fn run(&mut self, from: usize, budget: &Budget) -> Result<(), Halt> {
        let most = usize::try_from(budget.limits().max_artifacts).unwrap_or(usize::MAX);
        let finder = memchr::memmem::Finder::new(b"--");
        let mut at = from;
        // Ends because `at` moves on in each round.
        while !(self.open.is_empty() && self.closed.is_empty())
            && let Some(found) = finder.find(self.data.get(at..self.limit).unwrap_or_default())
        {
            budget.tick()?;
            let dashes = at.saturating_add(found);
            let run = self
                .data
                .get(dashes..)
                .unwrap_or_default()
                .iter()
                .take_while(|byte| **byte == b'-')
                .count();
            at = match self.delimiter(dashes, run) {
                Some(delimiter) => self.split(&delimiter),
                None => dashes.saturating_add(run),
            };
            if self.out.parts.len() > most.saturating_mul(2) {
                return Err(Halt::Artifacts);
            }
        }
        Ok(())
    }

    /// Whether the run of dashes at `dashes` begins a delimiter of an open multipart, the innermost first.
    fn delimiter(&mut self, dashes: usize, run: usize) -> Option<Delimiter> {
        let before = dashes.checked_sub(1).and_then(|at| self.data.get(at));
        let line_start = match before {
            None | Some(b'\n') => true,
            Some(b'\r') => self.style.breaks == Breaks::Cr,
            Some(_) => self
                .out
                .parts
                .get(self.current)
                .is_some_and(|part| part.body.start == dashes),
        };
        if line_start {
            if let Some(exact) = self.line(dashes, Delimiters::Lines) {
                return Some(exact);
            }
            if let Some(prefix) = self.line(dashes, Delimiters::Prefixes) {
                self.out.doubts.prefixes = true;
                if self.style.delimiters != Delimiters::Lines {
                    return Some(prefix);
                }
            }
            self.out.doubts.reopened |= self.reopens(dashes);
        }
        let inside = self.inside(dashes, run, line_start)?;
        self.out.doubts.anywhere = true;
        (self.style.delimiters == Delimiters::Anywhere).then_some(inside)
    }

    fn line(&self, dashes: usize, delimiters: Delimiters) -> Option<Delimiter> {
        let text = self.data.get(dashes.checked_add(2)?..self.limit)?;
        self.open
            .iter()
            .enumerate()
            .rev()
            .find_map(|(level, open)| {
                let tail = text.strip_prefix(open.boundary.as_slice())?;
                let closing = tail.starts_with(b"--");
                let exact = ends_line(tail) || closing && ends_line(tail.get(2..)?);
                (exact || delimiters != Delimiters::Lines).then(|| Delimiter {
                    level,
                    start: dashes,
                    end: self.limit.saturating_sub(tail.len()),
                    closing,
                })
            })
    }

    fn reopens(&self, dashes: usize) -> bool {
        let text = self
            .data
            .get(dashes.saturating_add(2)..)
            .unwrap_or_default();
        self.closed.iter().any(|boundary| {
            text.strip_prefix(boundary.as_slice())
                .is_some_and(ends_line)
        })
    }

    /// A delimiter in the middle of a line, or behind more dashes than it needs.
    fn inside(&self, dashes: usize, run: usize, line_start: bool) -> Option<Delimiter> {
        let text = self.data.get(dashes.checked_add(run)?..self.limit)?;
        self.open
            .iter()
            .enumerate()
            .rev()
            .find_map(|(level, open)| {
                let own = open
                    .boundary
                    .iter()
                    .take_while(|byte| **byte == b'-')
                    .count();
                let surplus = run.checked_sub(own.checked_add(2)?)?;
                let rest = open.boundary.get(own..).filter(|rest| !rest.is_empty())?;
                if surplus == 0 && line_start {
                    return None;
                }
                let tail = text.strip_prefix(rest)?;
                Some(Delimiter {
                    level,
                    start: dashes.checked_add(surplus)?,
                    end: self.limit.saturating_sub(tail.len()),
                    closing: tail.starts_with(b"--"),
                })
            })
    }

    /// Ends what the delimiter ends and begins what follows it; gives the offset to go on from.
    fn split(&mut self, delimiter: &Delimiter) -> usize {
        self.end_current(delimiter.start);
        while self.open.len() > delimiter.level.saturating_add(1) {
            self.pop(delimiter.start);
            self.unended = self.unended.saturating_add(1);
        }
        let (_, next) = header::line_end(self.data, delimiter.end, self.limit, self.style.breaks);
        let Some(part) = self.open.last().map(|open| open.part) else {
            return next;
        };
        if delimiter.closing && self.style.closing == Closing::Ends {
            if let Some(boundary) = self.pop(next) {
                self.closed.push(boundary);
                let surplus = self.closed.len().saturating_sub(REMEMBERED);
                self.closed.drain(..surplus);
            }
            self.begin_gap(part, Role::Epilogue, next);
            return next;
        }
        self.begin(next, Some(part))
    }

    fn end_current(&mut self, at: usize) {
        let end = before_break(self.data, at, self.style.breaks);
        if let Some(part) = self.out.parts.get_mut(self.current) {
            part.body.end = end.max(part.body.start);
        }
    }

    fn pop(&mut self, end: usize) -> Option<Vec<u8>> {
        let open = self.open.pop()?;
        if let Some(part) = self.out.parts.get_mut(open.part) {
            part.body.end = end.max(part.body.start);
            self.out.doubts.unmatched |= part.children == 0;
        }
        Some(open.boundary)
    }

    fn finish(mut self) -> Structure {
        if let Some(part) = self.out.parts.get_mut(self.current) {
            part.body.end = self.limit.max(part.body.start);
        }
        self.unended = self.unended.saturating_add(self.open.len());
        let end = self.limit;
        while self.pop(end).is_some() {}
        if self.unended > 0 {
            self.deviation(self.limit, "a multipart has no closing delimiter");
        }
        self.out
    }
}

/// Whether only blanks stand before the line's end.
fn ends_line(tail: &[u8]) -> bool {
    let blanks = tail
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    matches!(tail.get(blanks), None | Some(b'\r' | b'\n'))
}

/// The end of the line before the one at `at`, without its line end.
fn before_break(data: &[u8], at: usize, breaks: Breaks) -> usize {
    let head = data.get(..at).unwrap_or_default();
    let bare = match head.strip_suffix(b"\n") {
        Some(bare) => bare.strip_suffix(b"\r").unwrap_or(bare),
        None if breaks == Breaks::Cr => head.strip_suffix(b"\r").unwrap_or(head),
        None => head,
    };
    bare.len()
}

/// Every media type that a header declares, each with its boundary or one row for each boundary, doubles dropped.
fn options(data: &[u8], header: &Header) -> Vec<(String, Option<Vec<u8>>)> {
    let mut options: Vec<(String, Option<Vec<u8>>)> = Vec::new();
    for value in header.values(data, "content-type") {
        let parameters = parameters(value);
        let mut boundaries: Vec<Option<Vec<u8>>> = parameters
            .tokens("boundary")
            .into_iter()
            .map(|boundary| boundary.trim_ascii_end().to_vec())
            .filter(|boundary| !boundary.is_empty())
            .map(Some)
            .collect();
        if boundaries.is_empty() || !parameters.value.starts_with("multipart/") {
            boundaries = vec![None];
        }
        for boundary in boundaries {
            let option = (parameters.value.clone(), boundary);
            if options.len() < OPTIONS && !options.contains(&option) {
                options.push(option);
            }
        }
    }
    options
}

/// The boundary of the first line in `data[from..to]` that looks like a delimiter: dashes, a text, and a `Content-`
/// field in the next line.
fn undeclared(data: &[u8], from: usize, to: usize) -> Option<Vec<u8>> {
    let window = data.get(from..to.min(data.len()))?;
    let finder = memchr::memmem::Finder::new(b"--");
    let mut at = 0usize;
    // Ends because `at` moves on in each round.
    loop {
        // The last byte of the window may begin the dashes.
        let rest = data.get(from.checked_add(at)?..)?;
        let found = match finder.find(window.get(at..)?) {
            Some(found) => found,
            None if at == 0 && rest.starts_with(b"--") => 0,
            None => return None,
        };
        let dashes = from.checked_add(at)?.checked_add(found)?;
        let before = dashes.checked_sub(1).and_then(|before| data.get(before));
        let line_start = found == 0 && at == 0 || matches!(before, Some(b'\n' | b'\r'));
        let limit = dashes.checked_add(LONGEST_BOUNDARY)?.min(data.len());
        let (end, next) = header::line_end(data, dashes, limit, Breaks::Lf);
        if line_start
            && let Some(boundary) = data.get(dashes.checked_add(2)?..end)
            && !boundary.trim_ascii().is_empty()
            && data
                .get(next..)
                .and_then(|line| line.get(..8))
                .is_some_and(|name| name.eq_ignore_ascii_case(b"content-"))
        {
            return Some(boundary.trim_ascii_end().to_vec());
        }
        let run = data
            .get(dashes..)?
            .iter()
            .take_while(|byte| **byte == b'-')
            .count();
        at = dashes.checked_add(run)?.checked_sub(from)?;
        if at >= window.len() {
            return None;
        }
    }
}

/// Whether `data[start..]` is parts without a header around them: a delimiter line and a `Content-` field behind it.
pub fn begins_with_part(data: &[u8], start: usize) -> bool {
    undeclared(data, start, start.saturating_add(1)).is_some()
}

/// Where undeclared parts begin in `data[range]`, if they do.
pub fn parts_within(data: &[u8], range: Range<usize>) -> Option<usize> {
    let boundary = undeclared(data, range.start, range.end)?;
    let line = [b"--".as_slice(), &boundary].concat();
    let found = memchr::memmem::find(data.get(range.clone())?, &line)?;
    range.start.checked_add(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn parts(data: &str, style: Style) -> (Vec<String>, Doubts) {
        let budget = Budget::new(Limits::default(), None);
        let structure = read(data.as_bytes(), 0, style, &budget);
        assert_eq!(structure.halt, None);
        let leaves = structure
            .parts
            .iter()
            .filter(|part| part.role == Role::Entity && !part.opened)
            .map(|part| data.get(part.body.clone()).unwrap().to_owned())
            .collect();
        (leaves, structure.doubts)
    }

    const HEAD: &str = "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n";

    #[test]
    fn parts_are_split_at_their_delimiters() {
        let mail = format!(
            "{HEAD}pre\r\n--b\r\n\r\none\r\n--b \r\nContent-Type: text/html\r\n\r\ntwo\r\n\r\n--b--\r\npost"
        );
        let (leaves, doubts) = parts(&mail, Style::default());
        assert_eq!(leaves, ["one", "two\r\n"]);
        assert_eq!(
            doubts,
            Doubts {
                picks: 1,
                ..Doubts::default()
            }
        );
    }

    #[test]
    fn an_outer_delimiter_ends_inner_parts() {
        let mail = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bc\n\n--bc\n\none\n--b\n\ntwo\n--b--";
        let (leaves, doubts) = parts(mail, Style::default());
        assert_eq!(leaves, ["one", "two"]);
        assert!(!doubts.prefixes);
    }

    #[test]
    fn a_boundary_in_the_middle_of_a_line_is_a_doubt_and_another_reading() {
        let mail = format!("{HEAD}--b\n\none x--b\nA: 1\n\nhidden\n--b--");
        let (leaves, doubts) = parts(&mail, Style::default());
        assert_eq!((leaves.len(), doubts.anywhere), (1, true));
        let style = Style {
            delimiters: Delimiters::Anywhere,
            ..Style::default()
        };
        assert_eq!(parts(&mail, style).0, ["one x", "hidden"]);
    }

    #[test]
    fn what_goes_on_behind_the_end_is_a_doubt_and_another_reading() {
        let mail = format!("{HEAD}--b\n\none\n--b--\n--b\n\nhidden\n--b--");
        let (leaves, doubts) = parts(&mail, Style::default());
        assert_eq!((leaves.len(), doubts.reopened), (1, true));
        let style = Style {
            closing: Closing::Delimits,
            ..Style::default()
        };
        assert!(parts(&mail, style).0.contains(&"hidden".to_owned()));
    }

    #[test]
    fn each_of_two_boundaries_can_be_picked() {
        let mail = "Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--a\n\none\n--b\n\ntwo\n--a--\n";
        let (leaves, doubts) = parts(mail, Style::default());
        assert_eq!(
            (leaves.as_slice(), doubts.picks),
            (["one\n--b\n\ntwo".to_owned()].as_slice(), 2)
        );
        let style = Style {
            pick: 1,
            ..Style::default()
        };
        assert_eq!(parts(mail, style).0, ["two\n--a--\n"]);
    }

    #[test]
    fn a_missing_or_wrong_boundary_is_guessed() {
        let mail = "Content-Type: multipart/mixed\n\n--x\nContent-Type: text/plain\n\none\n--x--";
        assert_eq!(parts(mail, Style::default()).0, ["one"]);
        let mail = mail.replace("mixed", "mixed; boundary=y");
        assert!(parts(&mail, Style::default()).1.unmatched);
        let style = Style {
            boundaries: Boundaries::Guessed,
            ..Style::default()
        };
        assert_eq!(parts(&mail, style).0, ["one"]);
    }

    #[test]
    fn delimiters_within_headers_and_endless_nesting_end() {
        let mail = format!("{HEAD}--b\nA: 1\n--b\n--b\n\n--b--");
        assert_eq!(parts(&mail, Style::default()).0.len(), 3);
        let nested = "Content-Type: multipart/mixed; boundary=b\n\n--b\n".repeat(200);
        let (leaves, _) = parts(&nested, Style::default());
        assert!(!leaves.is_empty());
    }
}
