//! Parts of a mail replaced by notices or given new content: in place, in nested mails too, in single-part mails with
//! their header.
//!
//! A part is replaced from the first byte of its header to the last of its body. A block of uuencode or yEnc in a text
//! that is not encoded is replaced by itself; everything else below a part takes the part with it. What only a second
//! reading of a mail shows cannot be edited: the mail around it is replaced, and the outermost one refused.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use thiserror::Error;

use super::disarm::Removed;
use super::marks::{Mark, Marks};
use super::quoted;
use crate::formats::header::{self, Breaks};
use crate::formats::mime::{Part, Role, Structure};
use crate::limits::{Budget, Halt};
use crate::model::{Artifact, Id, Kind};
use crate::unpack;

mod renamed;
mod replace;

pub(super) use replace::base64;

/// Mails that turn out closed while a plan is made, before the whole message is refused.
const RETRIES: usize = 8;

/// What is to be taken out of a message.
pub struct Order<'a> {
    /// What a scan of the input found in it.
    pub tree: &'a [Artifact],
    /// The message in it.
    pub root: Id,
    /// What has to go.
    pub targets: &'a BTreeSet<Id>,
    /// Parts that get new content.
    pub replaced: &'a BTreeMap<Id, Content>,
    /// Whether parts go that somebody signed: the signature then no longer holds.
    pub break_signatures: bool,
    /// The text put in the place of a part, or in front of one from which something was taken: lines that end in `\n`.
    pub notice: &'a dyn Fn(&Artifact, &[Removed]) -> String,
    /// One line of ASCII put in the place of a block in a text.
    pub line: &'a dyn Fn(&Artifact) -> String,
}

/// New content of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its bytes.
    pub bytes: Bytes,
    /// What was taken out of the old ones.
    pub removed: Vec<Removed>,
    /// The extension of its name, where it is another one than before.
    pub extension: Option<&'static str>,
}

/// A message without what was to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// All of it.
    pub message: Bytes,
    /// The artifacts that notices stand for.
    pub removed: Vec<Id>,
}

/// Why nothing is rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is not in a part that can be taken out alone.
    #[error("what was found is in no part that can be taken out alone")]
    Whole,
    /// It is in a part that somebody signed.
    #[error("the part is signed")]
    Signed,
    /// The new message is not the old one with notices in it.
    #[error("the new message reads differently: {0}")]
    Differs(&'static str),
    /// The part is encoded in a way that new content cannot be put in.
    #[error("the encoding of the part cannot take new content")]
    Encoding,
    /// A limit was met.
    #[error("{0}")]
    Limit(Halt),
}

/// A mail in the message: the outermost one, or one that stands in it as it is.
struct Level {
    range: Range<usize>,
    structure: Structure,
    /// Closed parts by the range that a child of them has.
    places: BTreeMap<(usize, usize), usize>,
}

struct Edit {
    range: Range<usize>,
    bytes: Vec<u8>,
    /// Bytes at the start that are a part of their own.
    inserted: usize,
}

#[derive(Default)]
struct Plan {
    edits: Vec<Edit>,
    levels: Vec<Level>,
    removed: Vec<Id>,
}

/// Why a plan could not be made.
enum Stop {
    /// This mail can't be edited inside.
    Closed(Id),
    Refused(Refused),
}

/// Replaces everything that has to go or to change, and reads the result again.
pub fn rewrite(order: &Order<'_>, budget: &Budget) -> Result<Rewritten, Refused> {
    let root = usize::try_from(order.root).ok();
    let root = root.and_then(|root| order.tree.get(root));
    let root = root.ok_or(Refused::Whole)?;
    let changed: BTreeSet<Id> = order.replaced.keys().copied().collect();
    let mut marks = Marks::new(order.tree, order.targets, &changed);
    for _ in 0..RETRIES {
        marks.spread(order.tree);
        if marks.of(root.id) != Mark::Inside {
            return Err(Refused::Whole);
        }
        match plan(order, root, &marks, budget) {
            Ok(plan) => return plan.carry_out(&root.data, budget),
            Err(Stop::Refused(refused)) => return Err(refused),
            Err(Stop::Closed(mail)) => {
                marks.raise(mail, Mark::Whole);
            }
        }
    }
    Err(Refused::Whole)
}

fn plan<'a>(
    order: &Order<'a>,
    root: &'a Artifact,
    marks: &Marks,
    budget: &Budget,
) -> Result<Plan, Stop> {
    let mut plan = Plan::default();
    let mut waiting = vec![(root, 0..root.data.len())];
    // Ends because a nested mail is a later artifact than the mail around it.
    while let Some((mail, range)) = waiting.pop() {
        let data = root.data.get(range.clone()).unwrap_or_default();
        let structure = unpack::first_reading(data, budget);
        if let Some(halt) = structure.halt {
            return Err(Stop::Refused(Refused::Limit(halt)));
        }
        let level = Level::new(range, structure);
        let mut done = BTreeSet::new();
        for child in order.tree {
            budget
                .tick()
                .map_err(|halt| Stop::Refused(Refused::Limit(halt)))?;
            let mark = marks.of(child.id);
            if child.parent != Some(mail.id) || mark == Mark::Clear {
                continue;
            }
            let part = level.part_of(child).ok_or(Stop::Closed(mail.id))?;
            if !order.break_signatures && level.is_signed(part) {
                return Err(Stop::Refused(Refused::Signed));
            }
            if mark == Mark::Changed {
                let new = order.replaced.get(&child.id);
                let content = new.ok_or(Stop::Closed(mail.id))?;
                if done.insert(part) {
                    let notice = (order.notice)(child, &content.removed);
                    let edit = level.fill(data, part, content, &notice, child);
                    plan.edits
                        .push(edit.ok_or(Stop::Refused(Refused::Encoding))?);
                }
                continue;
            }
            let inside = child.at.clone().unwrap_or_default();
            let as_it_is = data.get(inside.clone()) == Some(child.data.as_ref());
            let there = shift(&inside, level.range.start);
            if mark == Mark::Inside && as_it_is && child.kind == Kind::Eml {
                waiting.push((child, there));
                continue;
            }
            if mark == Mark::Inside
                && as_it_is
                && let Some(blocks) = blocks(order.tree, child, marks)
            {
                for block in blocks {
                    plan.removed.push(block.id);
                    plan.edits.push(Edit {
                        range: shift(&block.at.clone().unwrap_or_default(), there.start),
                        bytes: [(order.line)(block).into_bytes(), level.eol(data).to_vec()]
                            .concat(),
                        inserted: 0,
                    });
                }
                continue;
            }
            // Two decodings of one part are two children of it.
            if done.insert(part) {
                plan.removed.push(child.id);
                plan.edits
                    .push(level.replace(data, part, &(order.notice)(child, &[]), child));
            }
        }
        plan.levels.push(level);
    }
    plan.removed.sort_unstable();
    Ok(plan)
}

/// The blocks in a text that go, where nothing else in it does.
fn blocks<'a>(tree: &'a [Artifact], text: &Artifact, marks: &Marks) -> Option<Vec<&'a Artifact>> {
    let of_text = |artifact: &&Artifact| {
        artifact.parent == Some(text.id) && marks.of(artifact.id) != Mark::Clear
    };
    let blocks: Vec<&Artifact> = tree.iter().filter(of_text).collect();
    let is_block = |artifact: &&Artifact| {
        matches!(artifact.via, Some("uuencoded" | "yenc")) && artifact.at.is_some()
    };
    (!blocks.is_empty() && blocks.iter().all(is_block)).then_some(blocks)
}

fn shift(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start.saturating_add(by)..range.end.saturating_add(by)
}

impl Level {
    fn new(range: Range<usize>, structure: Structure) -> Self {
        let parts = structure.parts.iter().enumerate();
        let closed = parts.filter(|(_, part)| part.role == Role::Entity && !part.opened);
        let place = |(at, part): (usize, &Part)| {
            let start = match part.too_deep {
                true => part.start,
                false => part.body.start,
            };
            ((start, part.body.end), at)
        };
        let places = closed.map(place).collect();
        Self {
            range,
            structure,
            places,
        }
    }

    /// The part of the first reading that a child of the mail is, as its place in the structure.
    fn part_of(&self, child: &Artifact) -> Option<usize> {
        let at = child.at.as_ref()?;
        self.places.get(&(at.start, at.end)).copied()
    }

    /// Whether a signature covers the part (RFC 1847).
    fn is_signed(&self, part: usize) -> bool {
        let mut above = Some(part);
        // Ends because parents stand before their children.
        while let Some(part) = above.and_then(|above| self.structure.parts.get(above)) {
            if part.media_type == "multipart/signed" {
                return true;
            }
            above = part.parent;
        }
        false
    }

    /// How the lines of the mail end.
    fn eol(&self, data: &[u8]) -> &'static [u8] {
        match unpack::breaks(data) {
            Breaks::Cr => b"\r",
            Breaks::Lf => match memchr::memchr(b'\n', data) {
                Some(at) if at.checked_sub(1).and_then(|at| data.get(at)) != Some(&b'\r') => b"\n",
                _ => b"\r\n",
            },
        }
    }

    /// Puts a notice in the place of a part.
    fn replace(&self, data: &[u8], place: usize, notice: &str, child: &Artifact) -> Edit {
        let eol = self.eol(data);
        let mut bytes = Vec::new();
        let mut range = 0..0;
        if let Some(part) = self.structure.parts.get(place) {
            range = part.start..part.body.end;
            if part.parent.is_none() {
                bytes = kept_header(data, part, unpack::breaks(data), eol);
            }
        }
        let name = format!("removed-{:04}.txt", child.id);
        notice_part(notice, &name, eol, &mut bytes);
        Edit {
            range: shift(&range, self.range.start),
            bytes,
            inserted: 0,
        }
    }
}

/// A part with a notice.
fn notice_part(notice: &str, name: &str, eol: &[u8], out: &mut Vec<u8>) {
    let mut field = |text: &str| {
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(eol);
    };
    field("Content-Type: text/plain; charset=utf-8");
    field("Content-Transfer-Encoding: quoted-printable");
    field(&format!("Content-Disposition: inline; filename=\"{name}\""));
    field("");
    out.extend(quoted::encode(notice, eol));
}

/// The header of a mail without what it says of its content; ends with a whole line, or is empty.
fn kept_header(data: &[u8], part: &Part, breaks: Breaks, eol: &[u8]) -> Vec<u8> {
    let end = part.header.body.min(data.len());
    let raw = data.get(part.start..end).unwrap_or_default();
    let blank = raw
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    let end = end.saturating_sub(blank);
    let mut out = Vec::with_capacity(raw.len());
    let mut from = part.start;
    let mut versioned = false;
    for field in &part.header.fields {
        let name = data.get(field.name.clone()).unwrap_or_default();
        let name = name.to_ascii_lowercase();
        versioned |= name == b"mime-version";
        if !name.starts_with(b"content-") {
            continue;
        }
        let kept = data.get(from..field.name.start.min(end));
        out.extend_from_slice(kept.unwrap_or_default());
        from = header::line_end(data, field.value.end, part.header.body, breaks).1;
    }
    out.extend_from_slice(data.get(from..end).unwrap_or_default());
    if !out.is_empty() && !matches!(out.last(), Some(b'\r' | b'\n')) {
        out.extend_from_slice(eol);
    }
    if !versioned {
        out.extend_from_slice(b"MIME-Version: 1.0");
        out.extend_from_slice(eol);
    }
    out
}

impl Plan {
    fn carry_out(mut self, message: &Bytes, budget: &Budget) -> Result<Rewritten, Refused> {
        self.edits.sort_by_key(|edit| edit.range.start);
        let mut out = Vec::with_capacity(message.len());
        let mut from = 0;
        for edit in &self.edits {
            if edit.range.start < from || edit.range.end > message.len() {
                return Err(Refused::Differs("two edits meet"));
            }
            out.extend_from_slice(message.get(from..edit.range.start).unwrap_or_default());
            out.extend_from_slice(&edit.bytes);
            from = edit.range.end;
        }
        out.extend_from_slice(message.get(from..).unwrap_or_default());
        for level in &self.levels {
            self.prove(level, message, &out, budget)?;
        }
        Ok(Rewritten {
            message: out.into(),
            removed: self.removed,
        })
    }

    /// The same parts in the same order, with the same bytes where nothing was edited.
    fn prove(&self, level: &Level, old: &[u8], new: &[u8], budget: &Budget) -> Result<(), Refused> {
        let start = level.range.start;
        let (old, new) = (
            old.get(level.range.clone()).unwrap_or_default(),
            new.get(self.moved(start)..self.moved(level.range.end))
                .unwrap_or_default(),
        );
        let again = unpack::first_reading(new, budget);
        if let Some(halt) = again.halt {
            return Err(Refused::Limit(halt));
        }
        // Places of the new parts among the old ones: notices in front of parts come on top.
        let put_in = self.put_in();
        let from = self.moved(start);
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        let mut kept = Vec::new();
        for (at, part) in again.parts.iter().enumerate() {
            let there = part.start.saturating_add(from);
            if !put_in.iter().any(|range| range.contains(&there)) {
                places.insert(at, kept.len());
                kept.push(part);
            }
        }
        if kept.len() != level.structure.parts.len() {
            return Err(Refused::Differs("number of parts"));
        }
        for (before, after) in level.structure.parts.iter().zip(kept) {
            let parent = match after.parent {
                Some(parent) => places.get(&parent).copied(),
                None => None,
            };
            let same_parent = before.parent == parent && after.parent.is_some() == parent.is_some();
            if !same_parent || (before.role, before.opened) != (after.role, after.opened) {
                return Err(Refused::Differs("structure"));
            }
            let range = before.start..before.body.end;
            let there = shift(&range, start);
            let next = self
                .edits
                .partition_point(|edit| edit.range.end <= there.start);
            let edited = self
                .edits
                .get(next)
                .is_some_and(|edit| edit.range.start < there.end);
            let same = old.get(range) == new.get(after.start..after.body.end);
            if !edited && !same {
                return Err(Refused::Differs("a part that was not to change"));
            }
        }
        Ok(())
    }

    /// Where in the new message parts stand that the old one has not.
    fn put_in(&self) -> Vec<Range<usize>> {
        let edits = self.edits.iter().filter(|edit| edit.inserted > 0);
        let range = |edit: &Edit| {
            let start = self.moved(edit.range.start);
            start..start.saturating_add(edit.inserted)
        };
        edits.map(range).collect()
    }

    /// Where an offset of the old message that no edit covers is in the new one.
    fn moved(&self, offset: usize) -> usize {
        let before = self.edits.iter().filter(|edit| edit.range.end <= offset);
        before.fold(offset, |offset, edit| {
            offset
                .saturating_add(edit.bytes.len())
                .saturating_sub(edit.range.len())
        })
    }
}

#[cfg(test)]
mod tests;
