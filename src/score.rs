//! Findings → combinations, score, level.

use std::cell::Cell;
use std::collections::BTreeSet;

use crate::knowledge::{Catalogue, Combination, Scope};
use crate::model::{Artifact, Family, Finding, Id, Kind, Level, Raised};

/// Scores from which an input is suspicious and malicious.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Suspicious from here.
    pub suspicious: u8,
    /// Malicious from here.
    pub malicious: u8,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            suspicious: 30,
            malicious: 80,
        }
    }
}

/// What all findings together say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Against the thresholds.
    pub level: Level,
    /// The highest of the findings and combinations, 0 to 100.
    pub score: u8,
    /// Combinations that were met.
    pub raised: Vec<Raised>,
}

/// Judges an input: its score is the highest of its findings and of the combinations.
pub fn judge(
    tree: &[Artifact],
    findings: &[Finding],
    catalogue: &Catalogue,
    thresholds: Thresholds,
) -> Verdict {
    let places = Places::new(tree);
    let raised: Vec<Raised> = catalogue
        .combinations()
        .iter()
        .flat_map(|combination| places.met(combination, findings))
        .collect();
    let highest = findings
        .iter()
        .map(|finding| finding.score)
        .chain(raised.iter().map(|raised| raised.score))
        .max();
    let score = highest.unwrap_or(0);
    let level = if score >= thresholds.malicious {
        Level::Malicious
    } else if score >= thresholds.suspicious {
        Level::Suspicious
    } else {
        Level::Clean
    };
    Verdict {
        level,
        score,
        raised,
    }
}

/// Ways by which an artifact is a file by itself, never a piece of the document above it.
const FILES_BY_THEMSELVES: &[&str] = &[
    "mime-part",
    "zip-member",
    "tar-member",
    "archive-member",
    "mbox-message",
    "uuencoded",
    "yenc",
    "gzip",
];

/// Which artifacts stand under which.
struct Places<'a> {
    tree: &'a [Artifact],
    children: Vec<Vec<Id>>,
    /// Steps left for following copies: many copies of one large container would else cost their product.
    steps: Cell<u32>,
}

/// Artifacts entered by all combinations together, at the most.
const STEPS: u32 = 2_000_000;

impl<'a> Places<'a> {
    fn new(tree: &'a [Artifact]) -> Self {
        let mut children = vec![Vec::new(); tree.len()];
        for artifact in tree {
            let above = artifact
                .parent
                .and_then(|parent| children.get_mut(usize::try_from(parent).ok()?));
            if let Some(siblings) = above {
                siblings.push(artifact.id);
            }
        }
        Self {
            tree,
            children,
            steps: Cell::new(STEPS),
        }
    }

    fn artifact(&self, id: Id) -> Option<&'a Artifact> {
        self.tree.get(usize::try_from(id).ok()?)
    }

    /// Whether the artifact is a file by itself: the input, an attachment, a member of an archive (but not a part
    /// of a document that happens to be stored as a zip).
    fn is_file(&self, artifact: &Artifact) -> bool {
        let Some(parent) = artifact.parent.and_then(|id| self.artifact(id)) else {
            return true;
        };
        let by_itself = artifact
            .via
            .is_some_and(|via| FILES_BY_THEMSELVES.contains(&via));
        by_itself && !is_document(parent)
    }

    /// The artifacts below `root` (itself included), through copies to what was said of the first of equal bytes.
    /// With [`Reach::OneFile`] it does not enter files by themselves.
    fn below(&self, root: Id, reach: Reach) -> BTreeSet<Id> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![root];
        // Ends because an id is entered once.
        while let Some(id) = waiting.pop() {
            let Some(artifact) = self.artifact(id) else {
                continue;
            };
            let Some(steps) = self.steps.get().checked_sub(1) else {
                break;
            };
            self.steps.set(steps);
            let other_file = id != root && reach == Reach::OneFile && self.is_file(artifact);
            if other_file || !found.insert(id) {
                continue;
            }
            waiting.extend(artifact.same_as);
            waiting.extend(
                self.children
                    .get(usize::try_from(id).unwrap_or(usize::MAX))
                    .into_iter()
                    .flatten(),
            );
        }
        found
    }

    fn met(&self, combination: &Combination, findings: &[Finding]) -> Vec<Raised> {
        let wanted =
            |finding: &Finding| combination.all.iter().flatten().any(|id| *id == finding.id);
        if !combination
            .all
            .iter()
            .all(|any| findings.iter().any(|f| any.iter().any(|id| *id == f.id)))
        {
            return Vec::new();
        }
        let mut raised: Vec<Raised> = Vec::new();
        // What is true of equal bytes is said at the first of them.
        for root in self
            .tree
            .iter()
            .filter(|root| root.same_as.is_none() || combination.scope == Scope::Artifact)
        {
            let artifacts = match combination.scope {
                Scope::Artifact => {
                    BTreeSet::from_iter([Some(root.id), root.same_as].into_iter().flatten())
                }
                Scope::Document if self.is_file(root) => self.below(root.id, Reach::OneFile),
                Scope::Below if is_above(combination, root, findings) => {
                    let mut artifacts = self.below(root.id, Reach::Everything);
                    artifacts.remove(&root.id);
                    artifacts
                }
                Scope::Document | Scope::Below => continue,
            };
            let here = |finding: &Finding| artifacts.contains(&finding.artifact);
            let met = combination.all.iter().all(|any| {
                findings
                    .iter()
                    .any(|finding| here(finding) && any.iter().any(|id| *id == finding.id))
            });
            if met {
                let numbered = findings
                    .iter()
                    .enumerate()
                    .filter(|(_, finding)| here(finding) && wanted(finding));
                let met = Raised {
                    by: combination.id.clone(),
                    score: combination.score,
                    findings: numbered.map(|(number, _)| number).collect(),
                };
                if !raised.contains(&met) {
                    raised.push(met);
                }
            }
        }
        raised
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    OneFile,
    Everything,
}

/// Whether the bytes are one document, so that what is stored in it is a piece of it.
fn is_document(artifact: &Artifact) -> bool {
    let families = [
        Family::Ole,
        Family::Ooxml,
        Family::Odf,
        Family::Pdf,
        Family::OneNote,
    ];
    families.contains(&artifact.kind.family()) || artifact.kind == Kind::Rtf
}

fn is_above(combination: &Combination, artifact: &Artifact, findings: &[Finding]) -> bool {
    let family = match artifact.kind.family() {
        _ if artifact.kind == Kind::Rtf => "rtf",
        Family::Ole => "ole",
        Family::Ooxml => "ooxml",
        Family::Odf => "odf",
        Family::Pdf => "pdf",
        Family::OneNote => "onenote",
        _ => "",
    };
    let anchored = |finding: &Finding| {
        finding.artifact == artifact.id && combination.anchor.iter().any(|id| *id == finding.id)
    };
    combination.families.iter().any(|named| named == family) || findings.iter().any(anchored)
}
