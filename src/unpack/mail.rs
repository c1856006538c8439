//! Mails (RFC 5322, RFC 2045-2049), web archives (RFC 2557) and Apple's emlx: every part becomes a child.
//!
//! A mail is read in every plausible way: by our own delimiter scanner, first as most mail programs do, then in each
//! style that its [`mime::Doubts`] name, and by the mail-parser crate. A later reading adds only what the earlier ones
//! lack. Parts are decoded from their raw range by our own lenient decoders. A nested message is a child of kind eml:
//! the engine opens it as an artifact of its own. Blocks of uuencode and yEnc in text are found by
//! [`super::uuencoded`] in the text parts.

mod decode;
mod names;
mod parts;
mod shortened;
mod summary;

use mail_parser::{HeaderName, Message, MessageParser, PartType};

use super::{Child, Nest};
use crate::formats::header::{Breaks, Doubtful};
use crate::formats::mime::{self, Boundaries, Closing, Delimiters, Doubts, Structure, Style};
use crate::identify::{MailStart, mail_start};
use crate::limits::Budget;
use crate::model::{Artifact, Fact, Hides, Kind, Trouble};
use parts::{Leaf, Readings};
use shortened::Shortened;

/// Further readings beside the first.
const READINGS: usize = 10;

/// How most mail programs read a mail: the reading that edits are made in.
pub fn first_reading(data: &[u8], budget: &Budget) -> Structure {
    mime::read(data, mail_start(data).at, first_style(data), budget)
}

fn first_style(data: &[u8]) -> Style {
    Style {
        breaks: breaks(data),
        ..Style::default()
    }
}

/// Opens a mail or web archive.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data: &[u8] = &artifact.data;
    let MailStart { at: start, lead } = mail_start(data);
    let style = first_style(data);
    let mut readings = Readings::new(artifact);
    let first = mime::read(data, start, style, nest.budget());
    parts::note_partials(data, &first, nest);
    readings.add(leaves(&first), "", nest)?;
    readings.add_gaps(&first, nest)?;
    for deviation in &first.deviations {
        nest.note(Fact::MimeMalformed {
            at: Some(deviation.at),
            what: deviation.what.clone(),
        });
    }
    if let Some(halt) = first.halt {
        return Err(halt.into());
    }
    for (style, what) in styles(style, first.doubts, data).into_iter().take(READINGS) {
        let other = mime::read(data, start, style, nest.budget());
        if let Some(halt) = other.halt {
            return Err(halt.into());
        }
        readings.add(leaves(&other), what, nest)?;
    }
    let short = Shortened::new(data, start, style.breaks, &first, nest)?;
    let parsed = Parsed(parser().parse(short.text()));
    if let Some(message) = &parsed.0 {
        readings.add(crate_leaves(message, &short), parts::BY_CRATE, nest)?;
    }
    if let Some(lead) = lead {
        note_lead(lead, readings.has_attachment(), start, artifact.kind, nest);
    }
    readings.finish(nest);
    let summary = summary::summary(data, &first, parsed.0.as_ref());
    nest.set_mail(summary);
    Ok(())
}

/// What the crate's reader gave. Messages stand in it one in the other, as deep as a mail has room for: dropped as they
/// are, they would exhaust the stack.
struct Parsed<'m>(Option<Message<'m>>);

impl Drop for Parsed<'_> {
    fn drop(&mut self) {
        let mut waiting: Vec<Message<'_>> = self.0.take().into_iter().collect();
        // Ends because each message is taken out of the one around it.
        while let Some(mut message) = waiting.pop() {
            for part in &mut message.parts {
                if let PartType::Message(inner) = &mut part.body {
                    waiting.push(std::mem::take(inner));
                }
            }
        }
    }
}

/// The crate's reader of structure, with the few fields that the summary takes from it.
fn parser() -> MessageParser {
    MessageParser::new()
        .with_mime_headers()
        .header_date(HeaderName::Date)
        .header_address(HeaderName::From)
        .header_address(HeaderName::To)
        .header_address(HeaderName::Cc)
        .default_header_ignore()
}

/// Opens an emlx: a line with the length of the message, the message, a property list.
pub(super) fn run_emlx(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let line = memchr::memchr(b'\n', data).ok_or_else(|| Trouble::NotThis("no line".to_owned()))?;
    let claimed = data
        .get(..line)
        .and_then(|text| std::str::from_utf8(text).ok()?.trim().parse::<usize>().ok())
        .ok_or_else(|| Trouble::NotThis("no length in the first line".to_owned()))?;
    let start = line.saturating_add(1);
    let mut end = start.saturating_add(claimed);
    if end > data.len() {
        let what = "the message is shorter than its length line says";
        // Line ends that became shorter cut nothing off: the list behind the message is there.
        match data.trim_ascii_end().ends_with(b"</plist>") {
            true => nest.deviation(0, what),
            false => nest.unread(data.len(), what),
        }
        end = data.len();
    }
    let message = Child::new("mime-part", data.slice(start.min(end)..end))
        .at(start..end)
        .declared("message/rfc822")
        .of_kind(Kind::Eml);
    nest.push(message)?;
    if end < data.len() {
        nest.push(Child::new("emlx-properties", data.slice(end..)).at(end..data.len()))?;
    }
    Ok(())
}

/// Lines end in a bare CR where the first line does.
pub fn breaks(data: &[u8]) -> Breaks {
    let first = memchr::memchr2(b'\r', b'\n', data).unwrap_or(data.len());
    match data.get(first..).unwrap_or_default() {
        [b'\r', b'\r' | b'\n', ..] | [b'\n', ..] | [] | [b'\r'] => Breaks::Lf,
        [_, ..] => Breaks::Cr,
    }
}

/// The other styles that would read this mail differently, and what makes them plausible.
fn styles(base: Style, doubts: Doubts, data: &[u8]) -> Vec<(Style, &'static str)> {
    let mut styles = Vec::new();
    for pick in 1..doubts.picks.max(1) {
        styles.push((
            Style { pick, ..base },
            "content type or boundary given twice",
        ));
    }
    if doubts.prefixes {
        let delimiters = Delimiters::Prefixes;
        styles.push((Style { delimiters, ..base }, "text behind a boundary"));
    }
    if doubts.anywhere {
        let delimiters = Delimiters::Anywhere;
        styles.push((
            Style { delimiters, ..base },
            "boundary in the middle of a line",
        ));
    }
    if doubts.reopened {
        let closing = Closing::Delimits;
        styles.push((
            Style { closing, ..base },
            "parts behind the closing delimiter",
        ));
    }
    if doubts.unmatched {
        let boundaries = Boundaries::Guessed;
        styles.push((
            Style { boundaries, ..base },
            "declared boundary does not occur",
        ));
    }
    if doubts.headers {
        let doubtful = Doubtful::Contrary;
        styles.push((
            Style { doubtful, ..base },
            "lines in a header that not every program takes for a field",
        ));
    }
    if base.breaks == Breaks::Lf && has_bare_cr(data) {
        let breaks = Breaks::Cr;
        styles.push((
            Style { breaks, ..base },
            "lines that end in a bare carriage return",
        ));
    }
    if styles.len() > 1 {
        let all = Style {
            pick: doubts.picks.saturating_sub(1),
            delimiters: Delimiters::Anywhere,
            closing: Closing::Delimits,
            boundaries: Boundaries::Guessed,
            doubtful: base.doubtful,
            breaks: base.breaks,
        };
        styles.push((all, "several contradictions"));
    }
    styles
}

/// Whether a bare CR stands where it could end a line that matters: before dashes or before another line end.
fn has_bare_cr(data: &[u8]) -> bool {
    let marks = [b"\r--".as_slice(), b"\r\r", b"\rContent-", b"\rcontent-"];
    // Mailboxes mostly have none at all.
    memchr::memchr(b'\r', data).is_some()
        && marks
            .iter()
            .any(|mark| memchr::memmem::find(data, mark).is_some())
}

fn leaves(structure: &Structure) -> Vec<Leaf> {
    let of = |part: &mime::Part| structure.parts.get(part.parent?);
    structure
        .parts
        .iter()
        .filter(|part| part.role == mime::Role::Entity && !part.opened)
        .map(|part| Leaf {
            start: part.start,
            body: part.body.clone(),
            in_digest: of(part).is_some_and(|above| above.media_type == "multipart/digest"),
            media_type: Some(part.media_type.clone()),
            too_deep: part.too_deep,
        })
        .collect()
}

/// The leaves as the mail-parser crate sees them; offsets of its own decoded copies are never used.
fn crate_leaves(message: &Message<'_>, short: &Shortened<'_>) -> Vec<Leaf> {
    let offset = |offset: u32| short.offset(crate::bytes::index(offset));
    let opened =
        |body: &PartType<'_>| matches!(body, PartType::Multipart(parts) if !parts.is_empty());
    message
        .parts
        .iter()
        .filter(|part| !opened(&part.body))
        .map(|part| Leaf {
            start: offset(part.offset_header),
            body: offset(part.offset_body)..offset(part.offset_end),
            in_digest: false,
            media_type: None,
            too_deep: false,
        })
        .collect()
}

/// What stands before the header: nothing for the programs that pass over it, everything for those that do not.
fn note_lead(lead: &str, attachment: bool, at: usize, kind: Kind, nest: &mut Nest<'_>) {
    if kind == Kind::Mht {
        nest.note(Fact::MimeMalformed {
            at: Some(at),
            what: lead.to_owned(),
        });
        return;
    }
    nest.note(Fact::MimeAmbiguous {
        what: lead.to_owned(),
        hides: if attachment {
            Hides::Attachment
        } else {
            Hides::Nothing
        },
    });
}

#[cfg(test)]
mod tests;
