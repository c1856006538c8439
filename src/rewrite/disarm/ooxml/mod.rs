//! Office Open XML (ECMA-376) without its active content: macros, controls, packages, programs, remote parts, DDE.
//!
//! Parts are found by what they are: content, media type and relationships, never by name. What goes takes its
//! relationships, content types and the elements that name it along, so that no reader has anything to repair; parts
//! that only it led to go too. Parts that do not change keep their packed bytes. A macro sheet becomes an empty
//! worksheet: indexes of sheets, which formulas, names and views count by, stay what they were.

mod binary;
mod controls;
mod fields;
pub(super) mod links;
mod macros;
pub(super) mod objects;
mod package;
mod references;
mod types;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use self::package::Package;
use super::asked::{COMMANDS, MACROS, OBJECTS, OUTSIDE, PACKAGES, PROGRAMS};
use super::outline::{Edits, Outline, Source};
use super::{Disarmed, Disarmer, FindingId, Job, Refusal, Removed};
use crate::limits::Budget;
use crate::text;
use crate::unpack;

pub(in crate::rewrite) use self::types::media_type;
pub(super) use self::types::without_macros;

/// Its row in the table.
pub(super) const ROW: Disarmer = Disarmer {
    name: "ooxml",
    kinds: unpack::PACKAGES,
    findings: &[
        MACROS,
        SHEETS,
        OUTSIDE,
        PACKAGES,
        OBJECTS,
        &["office-addin", QUERY],
        PROGRAMS,
        COMMANDS,
    ],
    run,
};

/// What is taken out with macro sheets.
const SHEETS: &[&str] = &["xlm-macro", "xlm-autoexec", "macro-in-disguise"];

/// What is found for pages that are fetched on opening.
const QUERY: &str = "web-query";

/// Takes the mark that makes a connection fetch on opening from each in a list of connections; whether there was one.
fn hold_back(outline: &Outline<'_>, edits: &mut Edits) -> bool {
    let named = |node, name: &str| outline.local(node).eq_ignore_ascii_case(name);
    let mut nodes = outline.nodes.iter();
    if !nodes.next().is_some_and(|root| named(root, "connections")) {
        return false;
    }
    let mut found = false;
    let connections = nodes.filter(|node| named(node, "connection"));
    for attribute in connections.flat_map(|node| outline.attributes(node)) {
        let is_set = matches!(attribute.value.trim(), "1" | "true");
        if is_set && attribute.name.eq_ignore_ascii_case("refreshOnLoad") {
            edits.replace(attribute.inside, "0");
            found = true;
        }
    }
    found
}

/// A package at work.
struct Work<'a> {
    package: Package,
    remove: &'a BTreeSet<FindingId>,
    budget: &'a Budget,
    removed: Vec<Removed>,
    /// Edits of parts, by place.
    edits: BTreeMap<usize, Edits>,
    /// Media types that parts get, and types that relationships get, by place.
    retyped: BTreeMap<usize, &'static str>,
    reled: BTreeMap<usize, &'static str>,
}

fn run(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    let mut work = Work {
        package: Package::read(job.data, budget)?,
        remove: job.remove,
        budget,
        removed: Vec::new(),
        edits: BTreeMap::new(),
        retyped: BTreeMap::new(),
        reled: BTreeMap::new(),
    };
    work.objects()?;
    let commands = work.wants(COMMANDS) && work.removed.is_empty();
    if commands || work.wants(MACROS) {
        work.macros(commands)?;
    }
    if commands || work.wants(SHEETS) {
        work.macro_sheets()?;
    }
    work.links(commands)?;
    work.binary_links(commands)?;
    work.addin(job.kind)?;
    work.connections()?;
    if work.removed.is_empty() {
        let id = job.remove.first().cloned().unwrap_or_default();
        return Err(Refusal::NoWay(id));
    }
    work.references()?;
    work.content_types()?;
    work.finish()
}

impl Work<'_> {
    /// Whether any of these findings has to go.
    fn wants(&self, ids: &[&str]) -> bool {
        ids.iter().any(|id| self.remove.contains(*id))
    }

    /// Notes that something was taken out, for each of the findings that it may have been for.
    fn note(&mut self, ids: &[&'static str], place: &str) {
        let mut ids: Vec<&'static str> = ids
            .iter()
            .copied()
            .filter(|id| self.remove.contains(*id))
            .collect();
        if ids.is_empty() {
            ids = COMMANDS
                .iter()
                .copied()
                .filter(|id| self.remove.contains(*id))
                .collect();
        }
        let place = text::excerpt(place.trim_start_matches('/'));
        for id in ids {
            let removed = Removed {
                finding: id.into(),
                place: place.clone(),
            };
            if !self.removed.contains(&removed) {
                self.removed.push(removed);
            }
        }
    }

    /// Takes a part out for some findings.
    fn remove_part(&mut self, at: usize, ids: &[&'static str]) {
        if self.package.remove(at)
            && let Some(name) = self.package.parts.get(at).map(|part| part.shown.clone())
        {
            self.note(ids, &name);
        }
    }

    /// Lets `edit` see the outline of a part that is XML; a part that is none is left alone.
    fn edit(
        &mut self,
        at: usize,
        edit: impl FnOnce(&Outline<'_>, &mut Edits) -> Result<(), Refusal>,
    ) -> Result<bool, Refusal> {
        let Some(part) = self.package.parts.get(at) else {
            return Ok(false);
        };
        let data = part.data.clone();
        let Some(source) = Source::read(&data) else {
            return Ok(false);
        };
        let outline = Outline::read(&source.text, self.budget)?;
        let edits = self.edits.entry(at).or_default();
        edit(&outline, edits)?;
        Ok(true)
    }

    /// Lets connections of a workbook (ECMA-376 part 1, 18.13.1) wait until somebody asks for them; cells keep what was
    /// fetched.
    fn connections(&mut self) -> Result<(), Refusal> {
        if !self.wants(&[QUERY]) {
            return Ok(());
        }
        // A part that starts with a mark of its charset may have its letters in more bytes than one.
        let may_hold = |data: &[u8]| {
            memchr::memmem::find(data, b"onnections").is_some()
                || data.starts_with(b"\xff\xfe")
                || data.starts_with(b"\xfe\xff")
        };
        let parts = self.package.live();
        let parts = parts.filter(|(_, part)| may_hold(&part.data));
        let parts: Vec<(usize, String)> =
            parts.map(|(at, part)| (at, part.shown.clone())).collect();
        for (at, shown) in parts {
            let mut found = false;
            self.edit(at, |outline, edits| {
                found = hold_back(outline, edits);
                Ok(())
            })?;
            if found {
                self.note(&[QUERY], &shown);
            }
        }
        Ok(())
    }

    /// Carries out what was noted on parts, and writes the package.
    fn finish(mut self) -> Result<Disarmed, Refusal> {
        for (at, edits) in std::mem::take(&mut self.edits) {
            if edits.is_empty() || self.package.is_gone(at) {
                continue;
            }
            let data = self.package.parts.get(at).map(|part| part.data.clone());
            let data: Bytes = data.unwrap_or_default();
            let Some(source) = Source::read(&data) else {
                continue;
            };
            let edited = edits.apply(&source.text)?;
            // What was empty before is as it was.
            if edited == source.text {
                continue;
            }
            self.budget.spend(edited.len()).map_err(Refusal::Limit)?;
            self.package.change(at, source.written(edited));
        }
        Ok(Disarmed {
            data: self.package.write(self.budget)?,
            removed: self.removed,
        })
    }
}
