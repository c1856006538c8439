//! The union of the readings of one mail: which leaves each shows, and the children they become.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::decode::{self, Encoding, Reading};
use super::names;
use crate::formats::header::{self, Breaks, Doubtful, Header};
use crate::formats::header_words::parameters;
use crate::formats::mime::{self, Role, Structure};
use crate::identify;
use crate::limits::Halt;
use crate::model::{Artifact, Fact, Family, Hides, Kind, Trouble};
use crate::text;
use crate::unpack::{Child, Nest};

/// What the reading by the mail-parser crate is called. It is noted only where it hides an attachment.
pub(super) const BY_CRATE: &str = "delimiters that a mail program may take differently";

/// A preamble or epilogue of at most this many bytes is the usual notice to old mail programs, or a footer.
const NOTICE: usize = 200;

/// Oddities of encodings noted of one mail.
const ODDITIES: usize = 8;

/// A part that holds no other parts, as one reading shows it.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    /// First byte of its header.
    pub(super) start: usize,
    /// Its body, encoded.
    pub(super) body: Range<usize>,
    /// Whether it is a message unless it says otherwise (RFC 2046 section 5.1.5).
    pub(super) in_digest: bool,
    /// Its media type in this reading; none: what its header says first.
    pub(super) media_type: Option<String>,
    /// Whether it is a multipart that is to be opened as a message of its own.
    pub(super) too_deep: bool,
}

/// What the readings say about the place where a body starts.
#[derive(Debug, Default)]
struct Place {
    /// One bit a reading.
    shown_by: u32,
    attachment: bool,
}

/// The readings of one mail so far.
#[derive(Debug)]
pub(super) struct Readings {
    data: Bytes,
    known: BTreeSet<(usize, usize)>,
    places: BTreeMap<usize, Place>,
    digests: BTreeSet<[u8; 32]>,
    names: Vec<&'static str>,
    odd: usize,
    /// Whether a multipart too deep in others was left closed.
    deep: bool,
}

impl Readings {
    /// No reading yet.
    pub(super) fn new(artifact: &Artifact) -> Self {
        Self {
            data: artifact.data.clone(),
            known: BTreeSet::new(),
            places: BTreeMap::new(),
            digests: BTreeSet::new(),
            names: Vec::new(),
            odd: 0,
            deep: false,
        }
    }

    /// Whether any leaf so far is an attachment.
    pub(super) fn has_attachment(&self) -> bool {
        self.places.values().any(|place| place.attachment)
    }

    /// Adds a reading: leaves that no earlier one shows become children.
    pub(super) fn add(
        &mut self,
        leaves: Vec<Leaf>,
        what: &'static str,
        nest: &mut Nest<'_>,
    ) -> Result<(), Trouble> {
        let bit = 1u32
            .checked_shl(u32::try_from(self.names.len()).unwrap_or(u32::MAX))
            .unwrap_or(0);
        let first = self.names.is_empty();
        self.names.push(what);
        for leaf in leaves {
            nest.tick()?;
            let end = leaf.body.end.min(self.data.len());
            let body = leaf.body.start.min(end)..end;
            let text = self.data.get(body.clone()).unwrap_or_default();
            let trimmed = text.trim_ascii_end().len();
            self.places.entry(body.start).or_default().shown_by |= bit;
            let news = self
                .known
                .insert((body.start, body.start.saturating_add(trimmed)));
            if news && (first || trimmed > 0) {
                self.push(&Leaf { body, ..leaf }, first, nest)?;
            }
        }
        Ok(())
    }

    /// Leaves a multipart closed that only another reading shows too deep in others: opened as messages of their own
    /// in every reading, their rests would multiply at each depth.
    fn leave_deep(&mut self, nest: &mut Nest<'_>) {
        if !std::mem::replace(&mut self.deep, true) {
            nest.note(Fact::Limit {
                halt: Halt::Ceiling("multiparts within multiparts"),
                what: "in another reading of the mail".to_owned(),
            });
        }
    }

    /// Decodes a leaf in every reading and pushes what is new.
    fn push(&mut self, leaf: &Leaf, first: bool, nest: &mut Nest<'_>) -> Result<(), Trouble> {
        let data = self.data.clone();
        let header = header_of(&data, leaf);
        if leaf.too_deep {
            if !first {
                self.leave_deep(nest);
                return Ok(());
            }
            let range = leaf.start..leaf.body.end;
            let child = Child::new("mime-part", data.slice(range.clone())).of_kind(Kind::Eml);
            nest.push(child.at(range))?;
            return Ok(());
        }
        let media_type = leaf
            .media_type
            .clone()
            .unwrap_or_else(|| media_type(&data, &header));
        let encodings = decode::encodings(&data, &header);
        let several = encodings.len() > 1;
        let mut pushed = 0usize;
        let mut attachment = false;
        for encoding in encodings {
            for (at, reading) in decode::readings(&data, leaf.body.clone(), encoding)
                .into_iter()
                .enumerate()
            {
                self.note_oddity(&reading, leaf, nest);
                let certain = first && at == 0 && pushed == 0;
                if !certain && !self.is_news(&reading.data) {
                    continue;
                }
                // Kept beside what is shown: there is no telling text in UTF-7 from its bytes.
                let shown = is_utf7(&data, &header).then(|| text::utf7::decode(&reading.data));
                attachment |= self.push_reading(leaf, &header, &media_type, reading, nest)?;
                if let Some(shown) = shown.filter(|shown| self.is_news(shown.as_bytes())) {
                    let child = Child::new("mime-part", shown.into_bytes());
                    nest.push(child.declared(&media_type))?;
                }
                if let Some(child) = nest.children.last() {
                    self.digests.insert(child.sha256);
                }
                pushed = pushed.saturating_add(1);
            }
        }
        if let Some(place) = self.places.get_mut(&leaf.body.start) {
            place.attachment |= attachment;
        }
        if several && pushed > 1 {
            nest.note(Fact::MimeAmbiguous {
                what: "transfer encoding given twice".to_owned(),
                hides: hides(attachment),
            });
        }
        Ok(())
    }

    fn is_news(&mut self, data: &[u8]) -> bool {
        self.digests.insert(Sha256::digest(data).into())
    }

    fn note_oddity(&mut self, reading: &Reading, leaf: &Leaf, nest: &mut Nest<'_>) {
        if let Some(odd) = &reading.odd
            && self.odd < ODDITIES
        {
            self.odd = self.odd.saturating_add(1);
            nest.note(Fact::MimeMalformed {
                at: Some(leaf.body.start),
                what: odd.clone(),
            });
        }
    }

    /// Pushes one reading of a leaf; whether it is an attachment.
    fn push_reading(
        &self,
        leaf: &Leaf,
        header: &Header,
        media_type: &str,
        reading: Reading,
        nest: &mut Nest<'_>,
    ) -> Result<bool, Trouble> {
        let named = names::named(&self.data, header, reading.name.as_deref());
        let blank = reading.data.trim_ascii().is_empty();
        let message = holds_message(media_type, leaf.in_digest);
        let kind = if message {
            message_kind(&reading.data, nest)
        } else {
            None
        };
        let mut child = Child::new("mime-part", reading.data).at(leaf.body.clone());
        if !media_type.is_empty() {
            child = child.declared(media_type);
        }
        if let Some(name) = named.name {
            child = child.named(name);
        }
        if let Some(kind) = kind {
            child = child.of_kind(kind);
        }
        if let Some(what) = named.conflict {
            child = child.with_fact(Fact::NameConflict { what });
        }
        nest.push(child)?;
        let family = nest.children.last().map(|child| child.kind.family());
        let body_text = matches!(media_type, "" | "text/plain" | "text/html")
            && matches!(
                family,
                Some(Family::Text | Family::Web | Family::Mail | Family::Data) | None
            );
        let closed_multipart = media_type.starts_with("multipart/");
        Ok(!blank && !body_text && !closed_multipart)
    }

    /// Looks into preambles and epilogues: parts that no boundary encloses, and texts longer than the usual notices.
    pub(super) fn add_gaps(
        &mut self,
        structure: &Structure,
        nest: &mut Nest<'_>,
    ) -> Result<(), Trouble> {
        for part in structure
            .parts
            .iter()
            .filter(|part| part.role != Role::Entity)
        {
            nest.tick()?;
            let body = part.body.start..part.body.end.min(self.data.len());
            let gap = self.data.get(body.clone()).unwrap_or_default();
            if gap.trim_ascii().is_empty() {
                continue;
            }
            let above = part.parent.and_then(|parent| structure.parts.get(parent));
            let childless = above.is_some_and(|above| above.children == 0);
            if let Some(start) = mime::parts_within(&self.data, body.clone()) {
                self.push_outside(start..body.end, nest)?;
            } else if childless || gap.trim_ascii().len() > NOTICE || has_block(gap) {
                let via = match part.role {
                    Role::Epilogue => "mime-epilogue",
                    Role::Preamble | Role::Entity => "mime-preamble",
                };
                nest.push(Child::new(via, self.data.slice(body.clone())).at(body.clone()))?;
                let opened = nest.children.last();
                let kind = opened.map(|child| child.kind);
                if !childless && kind == Some(Kind::Eml) {
                    note_outside(gap, nest);
                }
                // An archiver finds it in the mail as it is.
                if let Some(kind) = kind.filter(|kind| kind.family() == Family::Archive) {
                    let at = body.start;
                    nest.note(Fact::Polyglot { kind, at });
                }
            }
            if childless && let Some(above) = above {
                self.push_encoded_multipart(&above.header, body, nest)?;
            }
        }
        Ok(())
    }

    /// Parts outside of all boundaries, opened as a message of their own.
    fn push_outside(&self, range: Range<usize>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
        let outside = self.data.slice(range.clone());
        note_outside(&outside, nest);
        let child = Child::new("mime-part", outside)
            .at(range)
            .of_kind(Kind::Eml);
        nest.push(child)?;
        Ok(())
    }

    /// A multipart must not be encoded (RFC 2045 section 6.4); some programs decode it all the same.
    fn push_encoded_multipart(
        &mut self,
        header: &Header,
        body: Range<usize>,
        nest: &mut Nest<'_>,
    ) -> Result<(), Trouble> {
        for encoding in decode::encodings(&self.data, header) {
            if encoding == Encoding::Identity {
                continue;
            }
            for reading in decode::readings(&self.data, body.clone(), encoding) {
                if mime::begins_with_part(&reading.data, 0) && self.is_news(&reading.data) {
                    let child = Child::new("mime-part", reading.data);
                    nest.push(child.at(body.clone()).of_kind(Kind::Eml))?;
                }
            }
        }
        Ok(())
    }

    /// Says where the readings differ.
    pub(super) fn finish(self, nest: &mut Nest<'_>) {
        for (reading, what) in self.names.iter().enumerate().skip(1) {
            let bit = 1u32
                .checked_shl(u32::try_from(reading).unwrap_or(u32::MAX))
                .unwrap_or(0);
            let differs = |place: &&Place| (place.shown_by & bit != 0) != (place.shown_by & 1 != 0);
            let mut differing = self.places.values().filter(differs).peekable();
            if differing.peek().is_none() {
                continue;
            }
            let hidden = differing.any(|place| place.attachment);
            if hidden || *what != BY_CRATE {
                nest.note(Fact::MimeAmbiguous {
                    what: (*what).to_owned(),
                    hides: hides(hidden),
                });
            }
        }
    }
}

/// Says that a preamble or epilogue holds parts, which a program that skips it does not show.
fn note_outside(outside: &[u8], nest: &mut Nest<'_>) {
    let parts = mime::read(outside, 0, mime::Style::default(), nest.budget()).parts;
    let attachment = parts.iter().any(|part| {
        part.role == Role::Entity
            && !part.opened
            && !matches!(part.media_type.as_str(), "" | "text/plain" | "text/html")
    });
    nest.note(Fact::MimeAmbiguous {
        what: "parts outside of the declared boundaries".to_owned(),
        hides: hides(attachment),
    });
}

fn hides(attachment: bool) -> Hides {
    if attachment {
        Hides::Attachment
    } else {
        Hides::Nothing
    }
}

/// Whether text holds a block of uuencode or yEnc, or the header of an attachment; or is no text.
fn has_block(text: &[u8]) -> bool {
    if memchr::memchr(0, text).is_some() {
        return true;
    }
    let lower = text.to_ascii_lowercase();
    let field = |name: &[u8]| memchr::memmem::find(&lower, name).is_some();
    if field(b"content-transfer-encoding") || field(b"content-disposition") {
        return true;
    }
    memchr::memmem::find(text, b"begin ").is_some()
        || memchr::memmem::find(text, b"=ybegin ").is_some()
}

/// The header of a leaf; its body's start is the reading's choice.
fn header_of(data: &[u8], leaf: &Leaf) -> Header {
    let limit = leaf.body.start.max(leaf.start).min(data.len());
    let block = data.get(leaf.start..limit).unwrap_or_default();
    let breaks = if memchr::memchr(b'\n', block).is_some() {
        Breaks::Lf
    } else {
        Breaks::Cr
    };
    header::read(
        data,
        leaf.start.min(limit),
        limit,
        breaks,
        Doubtful::ByContext,
    )
}

fn media_type(data: &[u8], header: &Header) -> String {
    header
        .values(data, "content-type")
        .next()
        .map(|value| parameters(value).value)
        .unwrap_or_default()
}

fn is_utf7(data: &[u8], header: &Header) -> bool {
    let mut types = header.values(data, "content-type");
    let labels = types
        .next()
        .map(|value| parameters(value).tokens("charset"));
    labels.is_some_and(|labels| labels.iter().any(|label| text::utf7::is_label(label)))
}

/// Whether a body of this type is a message with a header of its own. Reports (`message/delivery-status` and the
/// like) are fields only.
fn holds_message(media_type: &str, in_digest: bool) -> bool {
    match media_type.strip_prefix("message/") {
        Some(subtype) => {
            !subtype.ends_with("-status")
                && !subtype.ends_with("-notification")
                && !subtype.ends_with("-report")
        }
        None => media_type.is_empty() && in_digest,
    }
}

/// The kind of a claimed message: a mail where its bytes begin like one and are nothing else for certain.
fn message_kind(data: &[u8], nest: &Nest<'_>) -> Option<Kind> {
    let start = identify::mail_start(data).at;
    let rest = data.get(start..).unwrap_or_default();
    let (end, _) = header::line_end(rest, 0, rest.len(), Breaks::Cr);
    header::field_name(rest.get(..end).unwrap_or_default())?;
    let kind = nest.identify(data).kind;
    let plain = matches!(
        kind.family(),
        Family::Text | Family::Web | Family::Script | Family::Data
    );
    (plain || kind == Kind::Mht).then_some(Kind::Eml)
}

/// Notes parts that are fragments of a message (RFC 2046 section 5.2.2).
pub(super) fn note_partials(data: &[u8], structure: &Structure, nest: &mut Nest<'_>) {
    /// Fragments noted of one mail.
    const NOTED: usize = 8;
    let fragments = structure
        .parts
        .iter()
        .filter(|part| part.media_type == "message/partial")
        .take(NOTED);
    for part in fragments {
        let value = part.header.values(data, "content-type").next();
        let parameters = value.map(parameters).unwrap_or_default();
        let of = |name: &str| {
            let value = parameters.tokens(name).into_iter().next();
            value.map_or_else(
                || "?".to_owned(),
                |value| text::excerpt(&text::to_utf8(&value)),
            )
        };
        nest.note(Fact::MimePartial {
            what: format!("part {} of {}, id {}", of("number"), of("total"), of("id")),
        });
    }
}
