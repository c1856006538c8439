//! A package as a graph: parts by their names as they are compared, content types, relationships (ECMA-376 part 2).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::formats::opc::{self, ContentTypes, Relationship, Relationships, TargetMode};
use crate::limits::Budget;
use crate::rewrite::disarm::Refusal;
use crate::rewrite::disarm::members::{self, Packed};

/// One part.
#[derive(Debug)]
pub(super) struct Part {
    /// Its name as it is compared, with a slash in front.
    pub(super) name: String,
    /// Its name as it is shown.
    pub(super) shown: String,
    /// Its content.
    pub(super) data: Bytes,
    packed: Packed,
    changed: Option<Vec<u8>>,
    gone: bool,
}

/// One relationship and where it stands.
#[derive(Debug)]
pub(super) struct Relation {
    /// The part that lists it.
    pub(super) holder: usize,
    /// The name of the part that it is of; `/` for the package.
    pub(super) source: String,
    /// What it says.
    pub(super) is: Relationship,
    /// The part that it leads to, where there is one.
    pub(super) target: Option<usize>,
}

/// A package.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) parts: Vec<Part>,
    pub(super) relations: Vec<Relation>,
    pub(super) types: ContentTypes,
    /// The part with the content types.
    pub(super) types_part: usize,
    by_name: BTreeMap<String, usize>,
    /// Last steps of the types of the relationships that lead to a part, in lower case.
    kinds: BTreeMap<usize, BTreeSet<String>>,
    /// Relationships that are no more.
    dropped: BTreeSet<usize>,
}

/// Name of the content types stream, as it is compared.
const TYPES: &str = "/[content_types].xml";

impl Package {
    /// Reads a package whole.
    pub(super) fn read(data: &Bytes, budget: &Budget) -> Result<Self, Refusal> {
        let mut account = members::account(data);
        let mut parts: Vec<Part> = Vec::new();
        let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
        for mut packed in members::read(data, members::Locked::Refused, budget)? {
            if packed.folder {
                continue;
            }
            let name = opc::part_name(&packed.text);
            let data = packed.content(budget, &mut account)?;
            if let Some(other) = by_name.get(&name).and_then(|at| parts.get(*at)) {
                if other.data == data {
                    continue;
                }
                let what = format!("two parts are called {}", crate::text::excerpt(&name));
                return Err(Refusal::Broken(what));
            }
            by_name.insert(name.clone(), parts.len());
            parts.push(Part {
                name,
                shown: packed.text.clone(),
                data,
                packed,
                changed: None,
                gone: false,
            });
        }
        let types_part = by_name.get(TYPES).copied();
        let no_types = || Refusal::Broken("it has no content types".to_owned());
        let types_part = types_part.ok_or_else(no_types)?;
        let stream = parts.get(types_part).map(|part| part.data.clone());
        let types = ContentTypes::read(&stream.unwrap_or_default(), budget);
        let mut package = Self {
            parts,
            relations: Vec::new(),
            types: types.map_err(Refusal::Limit)?,
            types_part,
            by_name,
            kinds: BTreeMap::new(),
            dropped: BTreeSet::new(),
        };
        package.read_relations(budget)?;
        Ok(package)
    }

    fn read_relations(&mut self, budget: &Budget) -> Result<(), Refusal> {
        for (holder, part) in self.parts.iter().enumerate() {
            let Some(source) = source_of(&part.name) else {
                continue;
            };
            let read = Relationships::read(&part.data, budget).map_err(Refusal::Limit)?;
            for is in read.list {
                let target = match is.mode {
                    TargetMode::Internal => self
                        .by_name
                        .get(&opc::resolve(&source, &is.target))
                        .copied(),
                    TargetMode::External => None,
                };
                if let Some(target) = target {
                    let kind = is.kind_name().to_ascii_lowercase();
                    self.kinds.entry(target).or_default().insert(kind);
                }
                self.relations.push(Relation {
                    holder,
                    source: source.clone(),
                    is,
                    target,
                });
            }
        }
        Ok(())
    }

    /// The place of a part by its name as it is compared.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The parts that are still there.
    pub(super) fn live(&self) -> impl Iterator<Item = (usize, &Part)> {
        let parts = self.parts.iter().enumerate();
        parts.filter(|(_, part)| !part.gone)
    }

    /// The media type of a part in lower case.
    pub(super) fn media_type(&self, part: &Part) -> String {
        let media_type = self.types.of(&part.name).unwrap_or_default();
        media_type.to_ascii_lowercase()
    }

    /// Last steps of the types of the relationships that lead to a part, in lower case.
    pub(super) fn leads_to(&self, at: usize) -> impl Iterator<Item = &str> {
        let kinds = self.kinds.get(&at).into_iter().flatten();
        kinds.map(String::as_str)
    }

    /// Takes a part out; answers whether it was there.
    pub(super) fn remove(&mut self, at: usize) -> bool {
        match self.parts.get_mut(at) {
            Some(part) if !part.gone => {
                part.gone = true;
                true
            }
            _ => false,
        }
    }

    /// Takes a relationship out; answers whether it was there.
    pub(super) fn drop_relation(&mut self, at: usize) -> bool {
        self.dropped.insert(at)
    }

    /// Whether a relationship of a part was taken out.
    pub(super) fn has_dropped(&self, source: &str) -> bool {
        let dropped = self.dropped.iter();
        let mut dropped = dropped.filter_map(|at| self.relations.get(*at));
        dropped.any(|relation| relation.source == source)
    }

    /// Gives a part new content.
    pub(super) fn change(&mut self, at: usize, data: Vec<u8>) {
        if let Some(part) = self.parts.get_mut(at) {
            part.data = data.clone().into();
            part.changed = Some(data);
        }
    }

    /// Whether a part is gone.
    pub(super) fn is_gone(&self, at: usize) -> bool {
        self.parts.get(at).is_none_or(|part| part.gone)
    }

    /// Relationships to drop with what is gone: those of gone parts, and those that lead to gone parts. Parts that only
    /// gone ones led to go too, until nothing changes.
    ///
    /// Ends because every round takes at least one part out.
    pub(super) fn settle(&mut self) -> BTreeSet<usize> {
        loop {
            let mut more: Vec<usize> = Vec::new();
            for (at, relation) in self.relations.iter().enumerate() {
                let source = self.find(&relation.source);
                let source_gone = source.is_some_and(|source| self.is_gone(source));
                let target_gone = relation.target.is_some_and(|target| self.is_gone(target));
                if source_gone || target_gone {
                    self.dropped.insert(at);
                }
                if source_gone && !self.is_gone(relation.holder) {
                    more.push(relation.holder);
                }
            }
            let mut led: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
            for (at, relation) in self.relations.iter().enumerate() {
                if let Some(target) = relation.target {
                    let (all, dropped) = led.entry(target).or_default();
                    *all = all.saturating_add(1);
                    *dropped = dropped.saturating_add(usize::from(self.dropped.contains(&at)));
                }
            }
            let orphans = led.iter().filter(|(at, (all, dropped))| {
                all == dropped && *dropped > 0 && !self.is_gone(**at)
            });
            more.extend(orphans.map(|(at, _)| *at));
            let mut changed = false;
            for at in more {
                changed |= self.remove(at);
            }
            if !changed {
                return self.dropped.clone();
            }
        }
    }

    /// Writes what is left.
    pub(super) fn write(self, budget: &Budget) -> Result<Bytes, Refusal> {
        let mut members = Vec::new();
        for part in self.parts.into_iter().filter(|part| !part.gone) {
            let mut packed = part.packed;
            if let Some(data) = part.changed {
                packed.fill(&data)?;
            }
            members.push(packed);
        }
        members::write(&members, budget)
    }
}

/// The part that a relationships part is of; none for other parts.
fn source_of(name: &str) -> Option<String> {
    let (folder, file) = name.rsplit_once("/_rels/")?;
    let file = file.strip_suffix(".rels")?;
    Some(format!("{folder}/{file}"))
}
