//! Artifact → findings. An analyzer never unpacks.
//!
//! A new analyzer is one file here, its `mod` line and its row in [`ANALYZERS`].

mod findings;
mod iocs;
mod macro_disguise;
mod vba;
mod vba_autoexec;
mod vba_calls;
mod vba_obfuscation;

pub use findings::{Findings, Found};

use crate::knowledge::Knowledge;
use crate::model::{Artifact, Kind};

/// What an analyzer depends on, and so how often it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// Bytes and facts alone: runs once per distinct bytes.
    Content,
    /// Name, claimed type, parents too: runs once per occurrence, when the tree is whole.
    Place,
}

/// One question asked of artifacts.
#[derive(Debug)]
pub struct Analyzer {
    /// Its name: the file it stands in.
    pub name: &'static str,
    /// The kinds it looks at, in any reading; empty for all.
    pub kinds: &'static [Kind],
    /// What it depends on.
    pub sees: Sees,
    /// The ids it may find.
    pub findings: &'static [&'static str],
    /// Reports what it finds.
    pub run: fn(&Look<'_>, &mut Findings<'_>),
}

/// What an analyzer looks at.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The whole tree, parents before children.
    pub tree: &'a [Artifact],
    /// The artifact in question.
    pub artifact: &'a Artifact,
    /// Lists to look things up in.
    pub knowledge: &'a Knowledge,
}

impl<'a> Look<'a> {
    /// The artifact that holds this one.
    pub fn parent(&self) -> Option<&'a Artifact> {
        self.above(self.artifact)
    }

    /// The artifact that holds `artifact`.
    pub fn above(&self, artifact: &Artifact) -> Option<&'a Artifact> {
        self.tree.get(usize::try_from(artifact.parent?).ok()?)
    }

    /// The artifacts above this one, the nearest first. Ends because a parent's id is smaller than its child's.
    pub fn ancestors(&self) -> impl Iterator<Item = &'a Artifact> {
        let look = *self;
        std::iter::successors(self.parent(), move |artifact| look.above(artifact))
    }

    /// The children of this artifact.
    pub fn children(&self) -> impl Iterator<Item = &'a Artifact> {
        let id = self.artifact.id;
        self.tree
            .iter()
            .filter(move |artifact| artifact.parent == Some(id))
    }
}

/// Every analyzer, in the order in which their findings are listed.
pub const ANALYZERS: &[Analyzer] = &[
    Analyzer {
        name: "vba",
        kinds: &[],
        sees: Sees::Content,
        findings: &["vba-macro"],
        run: vba::run,
    },
    Analyzer {
        name: "vba_autoexec",
        kinds: &[Kind::VbaSource],
        sees: Sees::Content,
        findings: &["vba-autoexec"],
        run: vba_autoexec::run,
    },
    Analyzer {
        name: "vba_calls",
        kinds: &[Kind::VbaSource],
        sees: Sees::Content,
        findings: &["vba-suspicious-call"],
        run: vba_calls::run,
    },
    Analyzer {
        name: "vba_obfuscation",
        kinds: &[Kind::VbaSource],
        sees: Sees::Content,
        findings: &["vba-obfuscated"],
        run: vba_obfuscation::run,
    },
    Analyzer {
        name: "macro_disguise",
        kinds: &[],
        sees: Sees::Place,
        findings: &["macro-in-disguise"],
        run: macro_disguise::run,
    },
    Analyzer {
        name: "iocs",
        kinds: &[Kind::VbaSource],
        sees: Sees::Content,
        findings: &[],
        run: iocs::run,
    },
];

/// Artifacts and runs for the tests of analyzers.
#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::model::{Finding, Ioc};

    /// An artifact of some bytes that stands alone.
    pub(super) fn artifact(kind: Kind, data: &[u8]) -> Artifact {
        Artifact {
            id: 0,
            parent: None,
            via: None,
            index: 0,
            at: None,
            depth: 0,
            kind,
            readings: Vec::new(),
            sha256: [0; 32],
            name: None,
            declared: None,
            same_as: None,
            mail: None,
            facts: Vec::new(),
            data: bytes::Bytes::copy_from_slice(data),
        }
    }

    /// What an analyzer finds in a tree, run on each of its artifacts.
    pub(super) fn run(
        run: fn(&Look<'_>, &mut Findings<'_>),
        tree: &[Artifact],
    ) -> (Vec<Finding>, Vec<Ioc>) {
        let knowledge = Knowledge::embedded().unwrap();
        let mut findings = Findings::new(&knowledge.catalogue);
        for artifact in tree {
            findings.turn_to(artifact.id);
            run(
                &Look {
                    tree,
                    artifact,
                    knowledge: &knowledge,
                },
                &mut findings,
            );
        }
        let (findings, iocs, _) = findings.finish();
        (findings, iocs)
    }

    /// What an analyzer finds in a module: texts and what they decode to.
    pub(super) fn in_module(
        analyzer: fn(&Look<'_>, &mut Findings<'_>),
        source: &str,
    ) -> Vec<(String, Option<String>)> {
        let (findings, _) = run(analyzer, &[artifact(Kind::VbaSource, source.as_bytes())]);
        findings
            .into_iter()
            .map(|finding| (finding.evidence.text, finding.evidence.decoded))
            .collect()
    }
}
