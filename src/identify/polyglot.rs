//! Second readings: bytes that are plausible as two kinds, both of which the victim's software may take.
//!
//! A program with an archive behind it is an ordinary self-extractor: its reading is followed and nothing is noted.

use crate::bytes::u16_at;
use crate::limits::Budget;
use crate::model::{Fact, Family, Kind};

use super::{Identity, disk, package};

/// Bytes in which a PDF reader looks for the header (Adobe's implementation note 13 to PDF 1.7).
const PDF_HEADER_WITHIN: usize = 1024;

/// Bytes at both ends of a file of another kind in which an HTML application is looked for.
const APPLICATION_HEAD: usize = 4 * 1024;
const APPLICATION_TAIL: usize = 64 * 1024;

/// The record at the end of a zip is this long, without its comment.
const END_RECORD: usize = 22;

/// Where a PDF starts that a reader would open. Behind other bytes a mere mention is none: something of a PDF follows.
pub(super) fn pdf_at(data: &[u8]) -> Option<usize> {
    let head = data
        .get(..PDF_HEADER_WITHIN.saturating_add(5))
        .unwrap_or(data);
    let at = memchr::memmem::find(head, b"%PDF-")?;
    if at == 0 {
        return Some(at);
    }
    // A pattern that finds the header has a sign where the version stands. Readers do not mind that sign, but what they
    // read has objects.
    let pattern = |at: usize| {
        let version = data.get(at.saturating_add(5));
        version.is_some_and(|byte| b"[(\\\"'%$*.".contains(byte))
    };
    let behind = data.get(at..)?;
    let follows = |mark: &[u8]| memchr::memmem::find(behind, mark).is_some();
    let found = match memchr::memmem::find_iter(head, b"%PDF-").all(pattern) {
        true => has_object(behind),
        false => follows(b" obj") || follows(b"%%EOF"),
    };
    found.then_some(at)
}

/// Whether an object is announced: its numbers, a blank, and the keyword.
fn has_object(data: &[u8]) -> bool {
    memchr::memmem::find_iter(data, b"obj").any(|at| {
        let before = at
            .checked_sub(2)
            .and_then(|start| data.get(start..at));
        matches!(before, Some([digit, blank]) if digit.is_ascii_digit() && blank.is_ascii_whitespace())
    })
}

/// Adds what the bytes are plausible as besides `identity.kind`.
pub(super) fn add_readings(identity: &mut Identity, data: &[u8], budget: &Budget) {
    // Mails hold their parts plainly, and a part's archive is none of the mail's.
    if matches!(identity.kind.family(), Family::Mail) || data.len() < END_RECORD {
        return;
    }
    if identity.kind != Kind::Pdf
        && !is_package(identity.kind)
        && let Some(at) = pdf_at(data)
        && at > 0
        && !may_quote_pdf(identity.kind)
    {
        also(identity, Kind::Pdf, at);
    }
    if identity.kind == Kind::Pdf {
        behind_pdf(identity, data);
    }
    if identity.kind.family() != Family::Disk
        && let Some(kind) = disk::by_far_mark(data)
    {
        // Its first block is a stream.
        if kind == Kind::Dmg && identity.kind.family() == Family::Compressed {
            identity.readings.push(identity.kind);
            identity.kind = kind;
        }
        also(identity, kind, 0);
    }
    // An application of Linux in one file: the file system stands behind the program.
    if identity.kind == Kind::Elf && data.get(8..11) == Some(b"AI\x02") {
        also(identity, Kind::SquashFs, 0);
    }
    if !is_package(identity.kind) && may_hide_zip(identity.kind, data) {
        zip_behind(identity, data, budget);
    }
    if is_binary(identity.kind)
        && let Some(at) = application_at(data)
    {
        also(identity, Kind::Hta, at);
    }
}

/// Adds a reading, and notes it unless the first reading is a program.
fn also(identity: &mut Identity, kind: Kind, at: usize) {
    if kind == identity.kind || identity.readings.contains(&kind) {
        return;
    }
    identity.readings.push(kind);
    if identity.kind.family() != Family::Executable {
        identity.facts.push(Fact::Polyglot { kind, at });
    }
}

fn zip_behind(identity: &mut Identity, data: &[u8], budget: &Budget) {
    let Some((at, other)) = package::appended(data, budget) else {
        return;
    };
    also(identity, other.kind, at);
    for kind in other.readings {
        if kind != identity.kind && !identity.readings.contains(&kind) {
            identity.readings.push(kind);
        }
    }
    identity.facts.extend(other.facts);
}

/// Kinds that are zips by nature.
fn is_package(kind: Kind) -> bool {
    let family = matches!(kind.family(), Family::Ooxml | Family::Odf)
        && !matches!(
            kind,
            Kind::FlatOpc | Kind::Word2003Xml | Kind::Excel2003Xml | Kind::FlatOdf
        );
    family
        || matches!(
            kind,
            Kind::Zip | Kind::Jar | Kind::Apk | Kind::Appx | Kind::Xpi
        )
}

/// An archive or a compound file may store a whole zip inside, so that its end record stands near the end by chance;
/// there only a zip that ends with the file counts.
fn may_hide_zip(kind: Kind, data: &[u8]) -> bool {
    match kind.family() {
        Family::Ole | Family::Archive | Family::Disk | Family::OneNote => ends_with_zip(data),
        _ => kind != Kind::Msi || ends_with_zip(data),
    }
}

/// Whether the last end record's comment ends where the file ends.
fn ends_with_zip(data: &[u8]) -> bool {
    let from = data
        .len()
        .saturating_sub(END_RECORD + usize::from(u16::MAX));
    let tail = data.get(from..).unwrap_or_default();
    memchr::memmem::rfind(tail, b"PK\x05\x06").is_some_and(|at| {
        let comment = u16_at(tail, at.saturating_add(20)).map_or(usize::MAX, usize::from);
        at.saturating_add(END_RECORD).saturating_add(comment) == tail.len()
    })
}

/// Text about PDF has its mark in its words; so has the source of a PDF library.
fn may_quote_pdf(kind: Kind) -> bool {
    match kind.family() {
        Family::Text => kind != Kind::Rtf && kind != Kind::Text,
        Family::Script
        | Family::Vba
        | Family::Pdf
        | Family::Ole
        | Family::Archive
        | Family::Disk
        | Family::Installer
        | Family::Compressed => true,
        _ => false,
    }
}

/// Word opens a web archive behind a PDF's header, and a browser a page.
fn behind_pdf(identity: &mut Identity, data: &[u8]) {
    let found = memchr::memmem::find(data, b"MIME-Version:")
        .or_else(|| memchr::memmem::find(data, b"mime-version:"));
    if let Some(at) = found
        && let Some(rest) = data.get(at..)
    {
        let head = rest.get(..4096).unwrap_or(rest).to_ascii_lowercase();
        if memchr::memmem::find(&head, b"multipart/").is_some()
            || memchr::memmem::find(&head, b"content-location").is_some()
        {
            also(identity, Kind::Mht, at);
        }
    }
    let start = pdf_at(data).unwrap_or(0);
    let before = data.get(..start).unwrap_or_default().to_ascii_lowercase();
    let page = [b"<html".as_slice(), b"<script", b"<!doctype html"]
        .iter()
        .find_map(|tag| memchr::memmem::find(&before, tag));
    if let Some(at) = page {
        also(identity, Kind::Html, at);
    }
}

/// Kinds in which a mark of markup is no part of the text.
fn is_binary(kind: Kind) -> bool {
    matches!(
        kind.family(),
        Family::Pdf
            | Family::Image
            | Family::Media
            | Family::Font
            | Family::Executable
            | Family::Archive
            | Family::Compressed
            | Family::Shortcut
            | Family::Data
    ) && !matches!(kind, Kind::Msc | Kind::ClickOnce | Kind::Odc)
}

/// Where an HTML application starts near either end of the file; the host looks for its tag anywhere.
fn application_at(data: &[u8]) -> Option<usize> {
    const TAG: &[u8] = b"<hta:application";
    let find = |part: &[u8], from: usize| {
        memchr::memchr_iter(b'<', part)
            .find(|at| {
                part.get(*at..at.saturating_add(TAG.len()))
                    .is_some_and(|tag| tag.eq_ignore_ascii_case(TAG))
            })
            .map(|at| from.saturating_add(at))
    };
    let head = data.get(..APPLICATION_HEAD).unwrap_or(data);
    let from = data.len().saturating_sub(APPLICATION_TAIL).max(head.len());
    find(head, 0).or_else(|| find(data.get(from..).unwrap_or_default(), from))
}
