//! A mail without the insides of its large parts, for a reader of structure that would decode them.
//!
//! Only bodies without two dashes in a row are cut: no reading of delimiters can find one in them, so that the
//! structure stays as it is. Offsets are mapped back.

use std::ops::Range;

use crate::formats::header::Breaks;
use crate::formats::mime::Structure;
use crate::model::Trouble;
use crate::unpack::Nest;

/// Bodies up to this many bytes stay whole.
const WHOLE: usize = 4 * 1024;

/// Fields up to this many bytes stay whole: the crate joins the sections of a parameter in time that grows with their
/// square. A reader of our own takes the whole field.
const FIELD: usize = 64 * 1024;

/// Bytes kept at either end of a body that is cut.
const KEPT: usize = 512;

/// A mail, perhaps shortened.
#[derive(Debug)]
pub(super) struct Shortened<'a> {
    whole: &'a [u8],
    start: usize,
    /// The text where it differs from the whole.
    text: Option<Vec<u8>>,
    /// Where the shortened text was cut, and how many bytes lack before that place, all cuts up to it together.
    cuts: Vec<(usize, usize)>,
}

impl<'a> Shortened<'a> {
    /// Shortens `data[start..]`; where bare CR end lines they become LF, as the crate knows no other line end.
    pub(super) fn new(
        data: &'a [u8],
        start: usize,
        breaks: Breaks,
        structure: &Structure,
        nest: &Nest<'_>,
    ) -> Result<Self, Trouble> {
        let whole = data.get(start..).unwrap_or_default();
        let holes = holes(data, structure);
        let folds = folds(data, structure);
        let mut short = Self {
            whole,
            start,
            text: None,
            cuts: Vec::new(),
        };
        if holes.is_empty() && folds.is_empty() && breaks == Breaks::Lf {
            return Ok(short);
        }
        let mut text = Vec::new();
        let mut at = start;
        let mut lacking = 0usize;
        for hole in &holes {
            text.extend_from_slice(data.get(at..hole.start).unwrap_or_default());
            lacking = lacking.saturating_add(hole.len());
            short.cuts.push((text.len(), lacking));
            at = hole.end;
        }
        text.extend_from_slice(data.get(at..).unwrap_or_default());
        nest.budget().spend(text.len())?;
        for fold in folds {
            let cut = holes.iter().filter(|hole| hole.end <= fold);
            let lacking: usize = cut.map(ExactSizeIterator::len).sum();
            let at = fold.checked_sub(start.saturating_add(lacking));
            if let Some(byte) = at.and_then(|at| text.get_mut(at)) {
                *byte = b' ';
            }
        }
        if breaks == Breaks::Cr {
            feed_lines(&mut text);
        }
        short.text = Some(text);
        Ok(short)
    }

    /// The text to be read.
    pub(super) fn text(&self) -> &[u8] {
        self.text.as_deref().unwrap_or(self.whole)
    }

    /// The offset in the mail of an offset in the text.
    pub(super) fn offset(&self, offset: usize) -> usize {
        let cut = self.cuts.partition_point(|(at, _)| *at < offset);
        let lacking = cut
            .checked_sub(1)
            .and_then(|cut| self.cuts.get(cut))
            .map_or(0, |(_, lacking)| *lacking);
        self.start.saturating_add(offset).saturating_add(lacking)
    }
}

/// The insides of large leaves that hold no delimiter, and the ends of huge fields, in order and apart from each other.
fn holes(data: &[u8], structure: &Structure) -> Vec<Range<usize>> {
    let finder = memchr::memmem::Finder::new(b"--");
    let mut holes: Vec<Range<usize>> = Vec::new();
    for part in &structure.parts {
        for field in &part.header.fields {
            let after = holes.last().map_or(0, |last| last.end);
            if field.value.len() > FIELD && field.value.start >= after {
                holes.push(field.value.start.saturating_add(FIELD)..field.value.end);
            }
        }
        if part.opened {
            continue;
        }
        let body = data.get(part.body.clone()).unwrap_or_default();
        let after = holes.last().map_or(0, |last| last.end);
        if body.len() <= WHOLE || part.body.start < after || finder.find(body).is_some() {
            continue;
        }
        let start = part.body.start.saturating_add(KEPT);
        let end = part.body.end.saturating_sub(KEPT);
        holes.push(start..end);
    }
    holes
}

/// Line ends between the word `boundary`, its sign and its value, of the whole mail at the most: the crate takes such a
/// field for one without a boundary, which no mail program does (RFC 5322, 2.2.3).
const FOLDS: usize = 64;

/// Where the bytes of such line ends are.
fn folds(data: &[u8], structure: &Structure) -> Vec<usize> {
    let mut found = Vec::new();
    let fields = structure.parts.iter().flat_map(|part| &part.header.fields);
    for field in fields {
        let value = data.get(field.value.clone()).unwrap_or_default();
        let value = value.get(..FIELD).unwrap_or(value);
        if !value.contains(&b'\n') {
            continue;
        }
        let word = b"boundary";
        let Some(at) = value
            .windows(word.len())
            .position(|bytes| bytes.eq_ignore_ascii_case(word))
        else {
            continue;
        };
        let behind = at.saturating_add(word.len());
        let between = value.get(behind..).unwrap_or_default().iter();
        let between = between.take_while(|byte| byte.is_ascii_whitespace() || **byte == b'=');
        for (skip, byte) in between.enumerate() {
            if matches!(byte, b'\r' | b'\n') && found.len() < FOLDS {
                let place = field.value.start.saturating_add(behind);
                found.push(place.saturating_add(skip));
            }
        }
    }
    found
}

/// Turns every bare CR into LF.
fn feed_lines(text: &mut [u8]) {
    let mut following = None;
    for byte in text.iter_mut().rev() {
        let before = *byte;
        if before == b'\r' && following != Some(b'\n') {
            *byte = b'\n';
        }
        following = Some(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::mime::{Style, read};
    use crate::limits::{Budget, Limits};

    #[test]
    fn offsets_of_a_shortened_mail_are_those_of_the_whole() {
        let body = "A".repeat(3 * WHOLE);
        let mail = format!(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n{body}\n--b\n\n{body}\n--b\n\nlast\n--b--"
        );
        let budget = Budget::new(Limits::default(), None);
        let structure = read(mail.as_bytes(), 0, Style::default(), &budget);
        let holes = holes(mail.as_bytes(), &structure);
        assert_eq!(holes.len(), 2);
        let mut text = mail.clone().into_bytes();
        let mut cuts = Vec::new();
        let mut lacking = 0;
        for hole in &holes {
            let at = hole.start - lacking;
            text.drain(at..at + hole.len());
            lacking += hole.len();
            cuts.push((at, lacking));
        }
        let short = Shortened {
            whole: mail.as_bytes(),
            start: 0,
            text: Some(text),
            cuts,
        };
        for mark in ["last", "--b--"] {
            let text = String::from_utf8_lossy(short.text()).into_owned();
            let offset = text.find(mark).unwrap();
            assert_eq!(Some(short.offset(offset)), mail.find(mark), "{mark}");
        }
    }

    #[test]
    fn bodies_with_dashes_stay_whole() {
        let mail = format!("A: b\n\n{} -- {}", "A".repeat(WHOLE), "A".repeat(WHOLE));
        let budget = Budget::new(Limits::default(), None);
        let structure = read(mail.as_bytes(), 0, Style::default(), &budget);
        assert!(holes(mail.as_bytes(), &structure).is_empty());
    }
}
