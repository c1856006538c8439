//! Passwords for what is locked: well-known ones, those that were given, and words of the mails around it.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::formats::password_words;
use crate::knowledge::passwords;
use crate::limits::Budget;
use crate::model::{Artifact, Kind, Name, children};
use crate::text;

use super::volumes::{Set, Sets};

/// Passwords given by whoever asks for a scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passwords {
    /// The words, in the order in which they are tried.
    pub words: Vec<String>,
    /// Whether findings name the word that opened something.
    pub show: bool,
}

/// One word to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The word.
    pub word: String,
    /// Where it stood.
    pub origin: String,
}

/// Where an artifact's candidates come from; they are gathered only when something is locked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keys<'a> {
    tree: &'a [Artifact],
    artifact: Option<&'a Artifact>,
    given: Option<&'a Passwords>,
    /// Files that lie beside the input.
    outside: &'a [(Name, Bytes)],
    sets: Option<&'a Sets>,
}

/// Mails around an artifact that are looked through.
const MAILS: usize = 4;

/// Texts of one mail that are looked through.
const TEXTS: usize = 6;

impl<'a> Keys<'a> {
    /// The candidates for `artifact` of a tree.
    pub fn new(tree: &'a [Artifact], artifact: &'a Artifact, given: &'a Passwords) -> Self {
        Self {
            tree,
            artifact: Some(artifact),
            given: Some(given),
            outside: &[],
            sets: None,
        }
    }

    /// Says which files lie beside the input.
    #[must_use]
    pub fn with_files_beside(mut self, outside: &'a [(Name, Bytes)]) -> Self {
        self.outside = outside;
        self
    }

    /// Says where sets of volumes are kept from one artifact to the next.
    #[must_use]
    pub fn with_sets(mut self, sets: &'a Sets) -> Self {
        self.sets = Some(sets);
        self
    }

    pub(super) fn sets(self) -> Option<&'a Sets> {
        self.sets
    }

    /// What lies beside the artifact under a name: in the same container, or beside the input.
    pub(super) fn beside(self) -> impl Iterator<Item = (&'a Name, &'a Bytes)> {
        let own = self.artifact.map(|artifact| artifact.id);
        let parent = self.artifact.and_then(|artifact| artifact.parent);
        let within = parent.map_or(&[][..], |parent| children(self.tree, parent));
        let within = within.iter().filter(move |one| Some(one.id) != own);
        let within = within.filter_map(|one| Some((one.name.as_ref()?, &one.data)));
        let is_root = own.is_some() && parent.is_none();
        let outside = self.outside.iter().filter(move |_| is_root);
        within.chain(outside.map(|(name, data)| (name, data)))
    }

    /// The artifact around this one.
    pub(super) fn parent(self) -> Option<&'a Artifact> {
        let id = self.artifact?.parent?;
        let at = usize::try_from(id).ok()?;
        self.tree.get(at).filter(|parent| parent.id == id)
    }

    /// Whether other volumes of the archive that the artifact is one of lie beside it, or that cannot be told in time.
    pub fn has_other_volumes(self, budget: &Budget) -> bool {
        let Some(artifact) = self.artifact else {
            return false;
        };
        let set = Set::find(artifact, self.beside(), self.sets(), budget);
        set.map_or(true, |set| set.is_some_and(|set| set.has_others()))
    }

    /// Whether findings name words.
    pub(super) fn show(&self) -> bool {
        self.given.is_some_and(|given| given.show)
    }

    /// Every candidate, the best first, each word once.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let lists = passwords();
        let mut all: Vec<Candidate> = Vec::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        let mut add = |word: String, origin: &str| {
            if known.insert(word.clone()) {
                all.push(Candidate {
                    word,
                    origin: origin.to_owned(),
                });
            }
        };
        for word in &lists.well_known {
            add(word.clone(), "a well-known password");
        }
        for word in self.given.iter().flat_map(|given| &given.words) {
            add(word.clone(), "a given password");
        }
        let Some(artifact) = self.artifact else {
            return all;
        };
        let above = |artifact: &Artifact| self.tree.get(usize::try_from(artifact.parent?).ok()?);
        let chain: Vec<&Artifact> =
            std::iter::successors(Some(artifact), |one| above(one)).collect();
        let mails = chain.iter().filter(|one| one.mail.is_some()).take(MAILS);
        let mut late: Vec<(String, &str)> = Vec::new();
        for (place, mail) in mails.enumerate() {
            let (body, subject) = match place {
                0 => (
                    "a word in the body of the mail",
                    "a word in the subject of the mail",
                ),
                _ => (
                    "a word in the body of an enclosing mail",
                    "a word in the subject of an enclosing mail",
                ),
            };
            let texts = children(self.tree, mail.id)
                .iter()
                .filter(|one| matches!(one.kind, Kind::Text | Kind::Email | Kind::Html));
            for part in texts.take(TEXTS) {
                let shown = text::to_utf8(&part.data);
                let found = match part.kind {
                    Kind::Html => {
                        password_words::words(&password_words::plain(&shown), &lists.phrases)
                    }
                    _ => password_words::words(&shown, &lists.phrases),
                };
                for word in found {
                    add(word, body);
                }
            }
            let summary = mail.mail.as_ref();
            for word in summary
                .and_then(|summary| summary.subject.as_deref())
                .map(|line| password_words::words(line, &lists.phrases))
                .unwrap_or_default()
            {
                add(word, subject);
            }
            for word in summary
                .and_then(|summary| summary.date.as_deref())
                .map(password_words::dates)
                .unwrap_or_default()
            {
                late.push((word, "the date of the mail"));
            }
        }
        for one in chain.iter().take(MAILS) {
            let stem = one.label().rsplit(['/', '\\']).next().unwrap_or_default();
            let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
            late.extend(
                stem.split(['_', '-', ' ', '.'])
                    .map(|word| (word.to_owned(), "a word in the name of the file")),
            );
            late.push((stem.to_owned(), "the name of the file"));
        }
        for (word, origin) in late {
            if word.len() >= 3 {
                add(word, origin);
            }
        }
        all
    }
}
