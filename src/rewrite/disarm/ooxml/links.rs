//! What a package names outside: relationships, fields, DDE links, formulas with remote references. What is found here
//! is what a scan finds, by the same functions.

use std::collections::BTreeSet;

use super::Work;
use super::fields;
use crate::analyze;
use crate::formats::office_links::{self, Link};
use crate::formats::opc::TargetMode;
use crate::formats::{remote_reference, xml};
use crate::limits::Budget;
use crate::model::Fact;
use crate::rewrite::disarm::asked::OUTSIDE;
use crate::rewrite::disarm::outline::{Edits, Outline, Source};
use crate::rewrite::disarm::{Refusal, knowledge};
use crate::unpack;

/// Names that a part with a field, a link or a remote reference has, one of them at least.
const WORDS: &[&[u8]] = &[
    b"customUI",
    b"attachedTemplate",
    b"sourceFileName",
    b"subDoc",
    b"manifestLocation",
    b"nstrText",
    b"fldSimple",
    b"ddeLink",
    b"|",
    b"&#",
    b"_Assembly",
    b"action=",
];

impl Work<'_> {
    /// Takes out what leads outside. `any`: the document has a command line somewhere, and nothing else had it.
    pub(super) fn links(&mut self, any: bool) -> Result<(), Refusal> {
        if !any && !self.wants(OUTSIDE) {
            return Ok(());
        }
        let lists = &knowledge()?.links;
        let mut dropped = Vec::new();
        for (at, relation) in self.package.relations.iter().enumerate() {
            let Some(role) = unpack::leads_out(&relation.is) else {
                continue;
            };
            let fact = Fact::External {
                at: None,
                role,
                target: relation.is.target.clone(),
            };
            if let Some(id) = analyze::outside(&fact, lists).filter(|id| self.remove.contains(*id))
            {
                let place = format!("{} in {}", relation.is.target, relation.source);
                dropped.push((at, id, place));
            }
        }
        for (at, id, place) in dropped {
            if self.package.drop_relation(at) {
                self.note(&[id], &place);
            }
        }
        let parts: Vec<usize> = self
            .package
            .live()
            .filter(|(_, part)| {
                WORDS
                    .iter()
                    .any(|word| memchr::memmem::find(&part.data, word).is_some())
                    || part.data.starts_with(&[0xff, 0xfe])
                    || part.data.starts_with(&[0xfe, 0xff])
            })
            .map(|(at, _)| at)
            .collect();
        for at in parts {
            self.part_links(at, any)?;
        }
        Ok(())
    }

    /// Takes the fields, links and formulas of one part out.
    fn part_links(&mut self, at: usize, any: bool) -> Result<(), Refusal> {
        let Some(part) = self.package.parts.get(at) else {
            return Ok(());
        };
        let (data, name) = (part.data.clone(), part.shown.clone());
        let Some(source) = Source::read(&data) else {
            return Ok(());
        };
        let wanted = |id: &str| self.remove.contains(id) || any && id == "dde-link";
        let outward = Outward::read(&source.text, &wanted, self.budget)?;
        if outward.found.is_empty() {
            return Ok(());
        }
        self.edit(at, |outline, edits| {
            outward.cut(outline, edits);
            Ok(())
        })?;
        if outward.others {
            self.calculation();
        }
        for (id, what) in outward.found {
            self.note(&[id], &format!("{what} in {name}"));
        }
        Ok(())
    }

    /// Whether a relationship that is dropped leads to something that is shown: then the element that names it stays.
    pub(super) fn is_shown(&self, at: usize) -> bool {
        self.package.relations.get(at).is_some_and(|relation| {
            relation.is.mode == TargetMode::External
                && matches!(
                    relation.is.kind_name().to_ascii_lowercase().as_str(),
                    "image" | "video" | "audio" | "media" | "movie" | "sound"
                )
        })
    }
}

/// What of one text leads outside.
#[derive(Debug, Default)]
pub(in crate::rewrite::disarm) struct Outward {
    /// Where fields begin.
    begins: BTreeSet<usize>,
    /// Whether there is anything but fields.
    others: bool,
    /// Ids of findings and what each is for.
    pub(in crate::rewrite::disarm) found: Vec<(&'static str, String)>,
}

impl Outward {
    /// Reads a text; only what is for a wanted finding counts.
    pub(in crate::rewrite::disarm) fn read(
        text: &str,
        wanted: &dyn Fn(&str) -> bool,
        budget: &Budget,
    ) -> Result<Self, Refusal> {
        let lists = &knowledge()?.links;
        let links = office_links::read(text, budget).map_err(Refusal::Limit)?;
        if links.cut {
            return Err(Refusal::Broken("fields beyond a limit".to_owned()));
        }
        let mut outward = Self::default();
        for (begin, link) in links.list {
            let is_field = matches!(link, Link::Field(_));
            for fact in unpack::link_facts(link, Some(begin)) {
                let Some(id) = analyze::outside(&fact, lists).filter(|id| wanted(id)) else {
                    continue;
                };
                if is_field {
                    outward.begins.insert(begin);
                } else {
                    outward.others = true;
                }
                outward.found.push((id, what(&fact)));
            }
        }
        Ok(outward)
    }

    /// Cuts it out.
    pub(in crate::rewrite::disarm) fn cut(&self, outline: &Outline<'_>, edits: &mut Edits) {
        fields::cut(outline, &self.begins, edits);
        if self.others {
            formulas(outline, edits);
        }
    }
}

fn what(fact: &Fact) -> String {
    match fact {
        Fact::Dde { command, .. } => command.clone(),
        Fact::External { target, .. } => target.clone(),
        _ => String::new(),
    }
}

/// Takes DDE links and formulas with remote references out of a part of a workbook; cells keep their last values.
fn formulas(outline: &Outline<'_>, edits: &mut Edits) {
    for node in &outline.nodes {
        let name = outline.local(node);
        if name == "ddeLink" {
            edits.delete(node.whole());
            continue;
        }
        // Addresses in attributes, as WordprocessingML 2003 has them, and the call of a ribbon.
        if matches!(name, "attachedTemplate" | "sourceFileName" | "subDoc")
            && node.parent.is_some()
            && outline.attributes(node).iter().any(|one| {
                matches!(one.local(), "val" | "link") && one.value.contains(['/', '\\', ':'])
            })
        {
            edits.delete(node.whole());
            continue;
        }
        if name == "customUI" {
            if let Some(call) = outline.attribute(node, "onLoad") {
                edits.delete(call.range);
            }
            continue;
        }
        // The schema stays.
        if name == "schema" {
            if let Some(address) = outline.attribute(node, "manifestLocation") {
                edits.delete(address.range);
            }
            continue;
        }
        // The button stays.
        if matches!(name, "hlinkClick" | "hlinkHover" | "hlinkMouseOver") {
            let action = outline.attribute(node, "action");
            if action.is_some_and(|one| office_links::starts_program(&one.value)) {
                edits.delete(node.whole());
            }
            continue;
        }
        // Formulas in attributes, as SpreadsheetML 2003 has them.
        let in_attribute = match name {
            "Cell" => outline.attribute(node, "Formula"),
            "NamedRange" => outline.attribute(node, "RefersTo"),
            _ => None,
        };
        if let Some(formula) = in_attribute
            && !remote_reference::find(&formula.value).is_empty()
        {
            match name {
                "Cell" => edits.delete(formula.range),
                _ => edits.replace(formula.inside, "=#REF!"),
            }
            continue;
        }
        let instead = match name {
            "f" => None,
            "definedName" => Some("#REF!"),
            "formula" | "formula1" | "formula2" => Some("FALSE"),
            _ => continue,
        };
        if remote_reference::find(&xml::unescape(outline.inside(node))).is_empty() {
            continue;
        }
        match instead {
            Some(text) => edits.replace(node.inside(), text),
            None => edits.delete(node.whole()),
        }
    }
}
