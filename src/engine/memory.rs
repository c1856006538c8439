//! What was seen of artifacts before: equal bytes in an equal place are neither opened nor looked at again.
//!
//! A [`Memory`] belongs to one engine and so to its rules, lists and limits. What it holds is true of the bytes, their
//! kind, the facts that their container gave them, name, claimed type, how they were reached, at which depth, and the
//! kinds of what holds them; all of that is the key. Not kept is what depended on anything else: on words of the mail or
//! files beside (locked archives, volumes), on a limit or on the time, on a crash. Findings that look at the whole tree are made
//! anew each time. So a report is the same with and without a memory, but for the time it took.
//!
//! What is kept is copied, so that a small part of a large buffer does not keep all of it.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::analyze::Said;
use crate::identify::Told;
use crate::limits::{Budget, Spent};
use crate::model::{Artifact, Fact};
use crate::rules::RuleMatch;
use crate::unpack::{MESSAGE, Seen};

use super::Opened;

/// What an entry costs besides the bytes of its children, roughly.
const OVERHEAD: usize = 400;

/// Part of a memory that one entry may take.
const SHARE: usize = 8;

/// Part of a memory that is for what bytes were told to be.
const TOLD: usize = 16;

/// What was seen of artifacts before, in bounded memory: what was not asked for in a while is forgotten.
#[derive(Debug)]
pub struct Memory {
    most: usize,
    entries: Mutex<Entries>,
    told: Told,
}

#[derive(Debug, Default)]
struct Entries {
    young: Table,
    old: Table,
    /// Bytes of the young ones.
    cost: usize,
}

#[expect(
    clippy::disallowed_types,
    reason = "asked in constant time; its order is never seen"
)]
type Table = std::collections::HashMap<Key, Entry>;

/// A digest, and what is kept under it.
type Key = ([u8; 32], What);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Opening,
    Matches,
    Said,
}

#[derive(Debug, Clone)]
enum Entry {
    Opening(Arc<Opening>),
    Matches(Arc<Vec<RuleMatch>>),
    Said(Arc<Said>),
}

/// Bytes, kind and place of an artifact, as a digest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place([u8; 32]);

impl Place {
    /// The place of an artifact that was not opened yet; none for an input and for a mail of a mailbox.
    pub(super) fn of(tree: &[Artifact], artifact: &Artifact) -> Option<Self> {
        let parent = tree.get(usize::try_from(artifact.parent?).ok()?)?;
        if artifact.via == Some(MESSAGE) {
            return None;
        }
        let mut digest = Sha256::new();
        digest.update(artifact.sha256);
        let mut add = |text: &[u8]| {
            digest.update(crate::bytes::length(text.len()).to_le_bytes());
            digest.update(text);
        };
        for one in [artifact, parent] {
            add(one.kind.as_str().as_bytes());
            for reading in &one.readings {
                add(reading.as_str().as_bytes());
            }
            add(b"");
        }
        add(artifact.via.unwrap_or_default().as_bytes());
        add(artifact.declared.as_deref().unwrap_or_default().as_bytes());
        add(&artifact.depth.to_le_bytes());
        if let Some(name) = &artifact.name {
            add(&name.raw);
            for reading in &name.readings {
                add(reading.as_bytes());
            }
        }
        if !artifact.facts.is_empty() {
            add(format!("{:?}", artifact.facts).as_bytes());
        }
        Some(Self(digest.finalize().into()))
    }

    fn key(self, what: What) -> Key {
        (self.0, what)
    }

    /// The place with a path, where rules may ask for it.
    fn under(self, path: &str) -> Self {
        if path.is_empty() {
            return self;
        }
        let mut digest = Sha256::new();
        digest.update(self.0);
        digest.update(path);
        Self(digest.finalize().into())
    }
}

/// What all unpackers made of an artifact, and what it took of the budget.
#[derive(Debug)]
pub(super) struct Opening {
    /// Ids and parents are those of the first time, data is empty.
    opened: Opened,
    data: Vec<Data>,
    spent: Spent,
}

#[derive(Debug)]
enum Data {
    /// A part of the artifact's own bytes.
    Slice(Range<usize>),
    Own(Bytes),
}

impl Opening {
    /// Takes over what was made, where it depends on nothing but bytes, kind and place.
    fn new(artifact: &Artifact, opened: &Opened, spent: Spent) -> Option<Self> {
        let crashed = |fact: &Fact| matches!(fact, Fact::Crashed { .. });
        let facts = opened
            .children
            .iter()
            .flat_map(|child| &child.facts)
            .chain(&opened.facts);
        let message = |child: &Artifact| child.via == Some(MESSAGE);
        if opened.halt.is_some()
            || opened.asked
            || facts.clone().any(crashed)
            || opened.children.iter().any(message)
        {
            return None;
        }
        let children = opened.children.iter();
        let data = children
            .clone()
            .map(|child| match position(&artifact.data, &child.data) {
                Some(range) => Data::Slice(range),
                None => Data::Own(child.data.clone()),
            });
        let data = data.collect();
        let children = children.map(|child| Artifact {
            data: Bytes::new(),
            ..child.clone()
        });
        Some(Self {
            data,
            opened: Opened {
                children: children.collect(),
                facts: opened.facts.clone(),
                mail: opened.mail.clone(),
                ..Opened::default()
            },
            spent,
        })
    }

    fn cost(&self) -> usize {
        let own = |data: &Data| match data {
            Data::Slice(_) => OVERHEAD,
            Data::Own(bytes) => bytes.len().saturating_add(OVERHEAD),
        };
        let name = |child: &Artifact| {
            let name = child.name.as_ref();
            let readings = name.into_iter().flat_map(|name| &name.readings);
            let raw = name.map_or(0, |name| name.raw.len().saturating_mul(2));
            readings.fold(raw, |sum, reading| sum.saturating_add(reading.len()))
        };
        let children = &self.opened.children;
        let facts = children.iter().map(|child| child.facts.len());
        let facts = facts.fold(self.opened.facts.len(), usize::saturating_add);
        let data = self.data.iter().map(own);
        data.chain(children.iter().map(name)).fold(
            facts.saturating_add(1).saturating_mul(OVERHEAD),
            usize::saturating_add,
        )
    }

    /// Copies what is no part of the artifact: the buffer that it was cut from may be many times as large.
    fn detach(&mut self) {
        for data in &mut self.data {
            if let Data::Own(bytes) = data {
                *bytes = Bytes::copy_from_slice(bytes);
            }
        }
    }

    /// Makes the children of an equal artifact, the first of which gets the id `next`; `None` where the budget does not admit them.
    pub(super) fn again(
        &self,
        artifact: &Artifact,
        next: usize,
        budget: &Budget,
        seen: &mut Seen,
    ) -> Option<Opened> {
        if !budget.pay(self.spent) {
            return None;
        }
        let ids = (0..).map(|number: usize| next.saturating_add(number));
        let pairs = self.opened.children.iter().zip(&self.data).zip(ids);
        let children = pairs.map(|((child, data), id)| {
            let id = u32::try_from(id).unwrap_or(u32::MAX);
            let same_as = seen.get(&child.sha256).copied();
            if same_as.is_none() {
                seen.insert(child.sha256, id);
            }
            Artifact {
                id,
                parent: Some(artifact.id),
                same_as,
                data: match data {
                    Data::Slice(range) => artifact.data.slice(range.clone()),
                    Data::Own(bytes) => bytes.clone(),
                },
                ..child.clone()
            }
        });
        Some(Opened {
            children: children.collect(),
            facts: self.opened.facts.clone(),
            mail: self.opened.mail.clone(),
            ..Opened::default()
        })
    }
}

/// Where `part` lies in `whole`, if it is a part of the same memory.
fn position(whole: &Bytes, part: &Bytes) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

impl Memory {
    /// A memory of about `most` bytes.
    pub fn new(most: usize) -> Self {
        let told = most / TOLD;
        Self {
            most: most.saturating_sub(told),
            entries: Mutex::default(),
            told: Told::new(told),
        }
    }

    /// What bytes were told to be.
    pub(super) fn told(&self) -> &Told {
        &self.told
    }

    pub(super) fn opening(&self, place: Place) -> Option<Arc<Opening>> {
        match self.find(place.key(What::Opening))? {
            Entry::Opening(opening) => Some(opening),
            _ => None,
        }
    }

    /// Keeps what was made of an artifact; tells whether it depends on nothing else.
    pub(super) fn keep_opening(
        &self,
        place: Place,
        artifact: &Artifact,
        opened: &Opened,
        spent: Spent,
    ) -> bool {
        let Some(mut opening) = Opening::new(artifact, opened, spent) else {
            return false;
        };
        let cost = opening.cost();
        if cost <= self.most / SHARE {
            opening.detach();
            let entry = Entry::Opening(Arc::new(opening));
            self.keep(place.key(What::Opening), entry, cost);
        }
        true
    }

    /// The rules that matched; `path` is given where rules may ask for it.
    pub(super) fn matches(&self, place: Place, path: &str) -> Option<Arc<Vec<RuleMatch>>> {
        match self.find(place.under(path).key(What::Matches))? {
            Entry::Matches(matches) => Some(matches),
            _ => None,
        }
    }

    pub(super) fn keep_matches(&self, place: Place, path: &str, matches: Vec<RuleMatch>) {
        let cost = matches.len().saturating_mul(OVERHEAD);
        let entry = Entry::Matches(Arc::new(matches));
        self.keep(place.under(path).key(What::Matches), entry, cost);
    }

    pub(super) fn said(&self, place: Place) -> Option<Arc<Said>> {
        match self.find(place.key(What::Said))? {
            Entry::Said(said) => Some(said),
            _ => None,
        }
    }

    pub(super) fn keep_said(&self, place: Place, said: Arc<Said>) {
        let cost = said.cost();
        self.keep(place.key(What::Said), Entry::Said(said), cost);
    }

    fn find(&self, key: Key) -> Option<Entry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.young.get(&key) {
            return Some(entry.clone());
        }
        let entry = entries.old.remove(&key)?;
        let cost = entry.cost();
        entries.add(key, entry.clone(), cost, self.most);
        Some(entry)
    }

    fn keep(&self, key: Key, entry: Entry, cost: usize) {
        if cost > self.most / SHARE {
            return;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if !entries.young.contains_key(&key) {
            entries.add(key, entry, cost, self.most);
        }
    }
}

impl Entry {
    fn cost(&self) -> usize {
        match self {
            Self::Opening(opening) => opening.cost(),
            Self::Matches(matches) => matches.len().saturating_mul(OVERHEAD),
            Self::Said(said) => said.cost(),
        }
    }
}

impl Entries {
    /// Adds an entry; once the young ones fill half of the memory they are the old ones, and the old ones are gone.
    fn add(&mut self, key: Key, entry: Entry, cost: usize, most: usize) {
        self.cost = self.cost.saturating_add(cost).saturating_add(OVERHEAD);
        self.young.insert(key, entry);
        if self.cost > most / 2 {
            self.old = std::mem::take(&mut self.young);
            self.cost = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    fn key(number: u32) -> Key {
        (Sha256::digest(number.to_le_bytes()).into(), What::Opening)
    }

    fn opening(len: usize) -> Entry {
        Entry::Opening(Arc::new(Opening {
            opened: Opened::default(),
            data: vec![Data::Own(vec![0; len].into())],
            spent: Spent::default(),
        }))
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_forgotten_within_the_bound() {
        let memory = Memory::new(1 << 20);
        let keep = |number: u32| {
            let entry = opening(10_000);
            let cost = entry.cost();
            memory.keep(key(number), entry, cost);
        };
        keep(0);
        for number in 1..2000 {
            keep(number);
            assert!(memory.find(key(0)).is_some(), "{number}");
            let entries = memory.entries.lock().unwrap();
            let all = entries.young.values().chain(entries.old.values());
            let cost: usize = all.map(Entry::cost).sum();
            assert!(cost <= (1 << 20) + 30_000, "{cost}");
        }
        assert!(memory.find(key(1)).is_none());
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let memory = Memory::new(1 << 20);
        let entry = opening(1 << 19);
        let cost = entry.cost();
        memory.keep(key(1), entry, cost);
        assert!(memory.find(key(1)).is_none());
    }

    #[test]
    fn a_part_of_a_large_buffer_does_not_keep_the_rest() {
        let memory = Memory::new(1 << 20);
        let mut buffer = bytes::BytesMut::zeroed(1 << 20);
        let part = buffer.split_to(10).freeze();
        let (artifact, child) = (
            Artifact::alone(Kind::Zip, Bytes::from_static(b"PK")),
            Artifact::alone(Kind::Data, part.clone()),
        );
        let opened = Opened {
            children: vec![child],
            ..Opened::default()
        };
        let place = Place([0; 32]);
        assert!(memory.keep_opening(place, &artifact, &opened, Spent::default()));
        let kept = memory.opening(place).unwrap();
        let Data::Own(bytes) = &kept.data[0] else {
            panic!("not a slice of the artifact");
        };
        assert_eq!(bytes, &part);
        assert_ne!(bytes.as_ptr(), part.as_ptr());
    }

    #[test]
    fn parts_of_the_artifact_are_slices() {
        let whole = Bytes::from(vec![7; 100]);
        assert_eq!(position(&whole, &whole.slice(10..20)), Some(10..20));
        assert_eq!(position(&whole, &Bytes::from(vec![7; 10])), None);
        assert_eq!(position(&whole.slice(10..20), &whole), None);
    }
}
