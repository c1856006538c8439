//! What names a relationship that is no more: its line in the relationships part, and the element in the part that it
//! is of, so that no id dangles.

use std::collections::{BTreeMap, BTreeSet};

use super::{Work, controls};
use crate::rewrite::disarm::Refusal;
use crate::rewrite::disarm::outline::{Edits, Outline, escape};

/// Relationships that no element of their part names.
const UNNAMED: &[&str] = &[
    "vbaproject",
    "vbaprojectsignature",
    "vbaprojectsignatureagile",
    "vbaprojectsignaturev3",
    "wordvbadata",
    "keymapcustomizations",
    "attachedtoolbars",
    "extensibility",
    "customui",
    "activexcontrolbinary",
    "calcchain",
];

/// Elements that are nothing without what is in them.
const LISTS: &[&str] = &[
    "oleObjects",
    "controls",
    "externalReferences",
    "AlternateContent",
    "Choice",
    "Fallback",
];

/// How an element that names a dropped relationship is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Element,
    Attribute,
}

impl Work<'_> {
    /// Drops relationships with what is gone, and cuts out what names them.
    pub(super) fn references(&mut self) -> Result<(), Refusal> {
        let dropped = self.package.settle();
        // Relationships parts, and in each the offsets of what goes or gets another type.
        let mut lines: BTreeMap<usize, BTreeMap<usize, Option<&'static str>>> = BTreeMap::new();
        let mut named: BTreeMap<usize, BTreeMap<String, Cut>> = BTreeMap::new();
        let mut texts: BTreeMap<usize, BTreeMap<String, Option<String>>> = BTreeMap::new();
        for (at, relation) in self.package.relations.iter().enumerate() {
            let goes = dropped.contains(&at);
            let new = self.reled.get(&at).copied();
            if !goes && new.is_none() {
                continue;
            }
            let line = lines.entry(relation.holder).or_default();
            line.insert(relation.is.at, new.filter(|_| !goes));
            let kind = relation.is.kind_name().to_ascii_lowercase();
            let Some(source) = self.package.find(&relation.source) else {
                continue;
            };
            if !goes || self.package.is_gone(source) || UNNAMED.contains(&kind.as_str()) {
                continue;
            }
            let cut = match self.is_shown(at) {
                true => Cut::Attribute,
                false => Cut::Element,
            };
            let id = relation.is.id.clone();
            if kind == "control" {
                let text = self.shown(relation)?;
                texts.entry(source).or_default().insert(id.clone(), text);
            }
            named.entry(source).or_default().insert(id, cut);
        }
        for (holder, places) in lines {
            if !self.package.is_gone(holder) {
                self.relationships(holder, &places)?;
            }
        }
        for (source, ids) in named {
            // A macro sheet that became an empty one names nothing any more.
            if self.retyped.contains_key(&source) {
                continue;
            }
            let texts = texts.remove(&source).unwrap_or_default();
            let mut bare = 0usize;
            let read = self.edit(source, |outline, edits| {
                bare = cut(outline, &ids, &texts, edits)?;
                Ok(())
            })?;
            if bare > 0 {
                self.bare(source, bare);
            }
            if !read {
                self.records(source, &ids.keys().map(String::as_str).collect())?;
            }
        }
        Ok(())
    }

    /// Tells of controls in whose place nothing stands.
    fn bare(&mut self, source: usize, count: usize) {
        let name = self
            .package
            .parts
            .get(source)
            .map(|part| part.shown.clone());
        let name = name.unwrap_or_default();
        let what = match count {
            1 => "a control that showed neither a picture nor a text".to_owned(),
            count => format!("{count} controls that showed neither a picture nor a text"),
        };
        self.note(&["activex-control"], &format!("{name}: {what}"));
    }

    /// Takes relationships out of a relationships part, and gives others their new types.
    fn relationships(
        &mut self,
        holder: usize,
        places: &BTreeMap<usize, Option<&'static str>>,
    ) -> Result<(), Refusal> {
        let expected = places.len();
        let mut seen = 0usize;
        self.edit(holder, |outline, edits| {
            seen = relate(outline, places, edits);
            Ok(())
        })?;
        match seen == expected {
            true => Ok(()),
            false => Err(Refusal::Broken(
                "a relationship is not where it was".to_owned(),
            )),
        }
    }
}

/// Takes lines out of a relationships part, and gives others new types; answers how many there were.
fn relate(
    outline: &Outline<'_>,
    places: &BTreeMap<usize, Option<&'static str>>,
    edits: &mut Edits,
) -> usize {
    let mut seen = 0usize;
    for (_, node) in outline.named("Relationship") {
        let Some(change) = places.get(&node.open.start) else {
            continue;
        };
        seen = seen.saturating_add(1);
        match (change, outline.attribute(node, "Type")) {
            (None, _) => edits.delete(node.whole()),
            (Some(kind), Some(attribute)) => edits.replace(attribute.inside, &escape(kind)),
            (Some(_), None) => {}
        }
    }
    seen
}

/// Cuts out the elements of a part that name dropped relationships; `texts` are what controls among them show. Answers how
/// many of these leave nothing: they have neither a text nor a picture.
fn cut(
    outline: &Outline<'_>,
    ids: &BTreeMap<String, Cut>,
    texts: &BTreeMap<String, Option<String>>,
    edits: &mut Edits,
) -> Result<usize, Refusal> {
    let prefixes = prefixes(outline.text);
    let mut gone: BTreeSet<usize> = BTreeSet::new();
    let mut shown: BTreeMap<usize, (usize, &str)> = BTreeMap::new();
    let mut bare = BTreeSet::new();
    for (at, node) in outline.nodes.iter().enumerate() {
        for attribute in outline.attributes(node) {
            let Some((prefix, name)) = attribute.name.split_once(':') else {
                continue;
            };
            if !prefixes.contains(prefix) && name != "relid" {
                continue;
            }
            match ids.get(attribute.value.as_ref()) {
                Some(Cut::Element) => {
                    gone.insert(target(outline, at)?);
                    let text = texts.get(attribute.value.as_ref());
                    match node.parent.zip(text) {
                        Some((frame, Some(text))) => {
                            shown.insert(frame, (at, text.as_str()));
                        }
                        Some((frame, None)) if controls::is_bare(outline, frame) => {
                            bare.insert(frame);
                        }
                        _ => {}
                    }
                }
                Some(Cut::Attribute) => edits.delete(attribute.range.clone()),
                None => {}
            }
        }
    }
    hollow(outline, &mut gone);
    for at in &gone {
        let Some(node) = outline.nodes.get(*at) else {
            continue;
        };
        match outline.local(node) {
            "graphicFrame" => match picture(outline, *at) {
                Some(picture) => edits.replace(node.whole(), picture),
                None => edits.delete(node.whole()),
            },
            // An alternative without a choice is no alternative; an empty one is.
            "Choice" | "Fallback" => {}
            _ => edits.delete(node.whole()),
        }
    }
    objects(outline, &gone, edits);
    for (frame, (control, text)) in shown {
        controls::say(outline, frame, control, text, edits);
    }
    Ok(bare.len())
}

/// Prefixes of the namespace of relationships, wherever one is declared.
fn prefixes(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for (_, declaration) in text.match_indices("xmlns:").map(|(at, word)| {
        let behind = text.get(at.saturating_add(word.len())..);
        (at, behind.unwrap_or_default())
    }) {
        let Some((prefix, value)) = declaration.split_once('=') else {
            continue;
        };
        let value = value.trim_start();
        let quote = value.chars().next().unwrap_or('"');
        let uri = value.split(quote).nth(1).unwrap_or_default();
        if uri.trim_end_matches('/').ends_with("/relationships") {
            found.insert(prefix.trim());
        }
    }
    found
}

/// The element to cut for one that names what is gone: a frame of a slide as a whole.
fn target(outline: &Outline<'_>, at: usize) -> Result<usize, Refusal> {
    let node = outline.nodes.get(at);
    let name = node.map(|node| outline.local(node)).unwrap_or_default();
    if name == "oleObj"
        && let Some(frame) = outline.around(at, "graphicFrame")
    {
        return Ok(frame);
    }
    match node.and_then(|node| node.parent) {
        Some(_) => Ok(at),
        None => Err(Refusal::Broken(format!("the whole of a part is {name}"))),
    }
}

/// Adds the lists that have nothing left in them.
fn hollow(outline: &Outline<'_>, gone: &mut BTreeSet<usize>) {
    let mut children: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    // Children stand behind their parents: from the end, every list is told after all that is in it.
    for (at, node) in outline.nodes.iter().enumerate().rev() {
        let (all, empty) = children.get(&at).copied().unwrap_or_default();
        if all > 0 && all == empty && LISTS.contains(&outline.local(node)) && node.parent.is_some()
        {
            gone.insert(at);
        }
        if let Some(parent) = node.parent {
            let (all, empty) = children.entry(parent).or_default();
            *all = all.saturating_add(1);
            *empty = empty.saturating_add(usize::from(gone.contains(&at)));
        }
    }
}

/// The picture that a frame shows in the place of its object.
fn picture<'t>(outline: &Outline<'t>, frame: usize) -> Option<&'t str> {
    let whole = outline.nodes.get(frame)?.whole();
    // What stands in an element follows it.
    let inside = outline.nodes.get(frame.checked_add(1)?..)?.iter();
    let inside = inside.take_while(|node| node.open.start < whole.end);
    let last = inside.filter(|node| outline.local(node) == "pic").last()?;
    outline.text.get(last.whole())
}

/// What is left of a Word object without its program is a picture (17.3.3.19, 17.3.3.21).
fn objects(outline: &Outline<'_>, gone: &BTreeSet<usize>, edits: &mut Edits) {
    let mut emptied = BTreeSet::new();
    for at in gone {
        let Some(node) = outline.nodes.get(*at) else {
            continue;
        };
        let parent = node.parent.and_then(|parent| outline.nodes.get(parent));
        if let Some(parent) = parent
            && outline.local(parent) == "object"
        {
            emptied.extend(node.parent);
        }
    }
    for node in emptied.iter().filter_map(|at| outline.nodes.get(*at)) {
        let name = format!("{}pict", outline.prefix(node));
        let Some(close) = &node.close else { continue };
        edits.replace(node.open.clone(), &format!("<{name}>"));
        edits.replace(close.clone(), &format!("</{name}>"));
    }
}
