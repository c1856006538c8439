//! Findings → combinations, score, level.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

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

impl Thresholds {
    /// The level of a score.
    pub fn level(self, score: u8) -> Level {
        if score >= self.malicious {
            Level::Malicious
        } else if score >= self.suspicious {
            Level::Suspicious
        } else {
            Level::Clean
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
    let places = Places::new(tree, findings);
    let raised: Vec<Raised> = catalogue
        .combinations()
        .iter()
        .flat_map(|combination| places.met(combination))
        .collect();
    let highest = findings
        .iter()
        .map(|finding| finding.score)
        .chain(raised.iter().map(|raised| raised.score))
        .max();
    let score = highest.unwrap_or(0);
    Verdict {
        level: thresholds.level(score),
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
    "msg-attachment",
    "tnef-attachment",
    "disk-file",
    "signed-content",
];

/// Which artifacts stand under which.
struct Places<'a> {
    tree: &'a [Artifact],
    children: Vec<Vec<Id>>,
    findings: &'a [Finding],
    /// Numbers of the findings on each artifact, in their order: many findings on many artifacts must not cost their
    /// product.
    on: BTreeMap<Id, Vec<usize>>,
    /// Steps left for following copies: many copies of one large container would else cost their product.
    steps: Cell<u32>,
}

/// Artifacts entered by all combinations together, at the most.
const STEPS: u32 = 2_000_000;

impl<'a> Places<'a> {
    fn new(tree: &'a [Artifact], findings: &'a [Finding]) -> Self {
        let mut on: BTreeMap<Id, Vec<usize>> = BTreeMap::new();
        for (number, finding) in findings.iter().enumerate() {
            on.entry(finding.artifact).or_default().push(number);
        }
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
            findings,
            on,
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

    /// The findings on an artifact with their numbers.
    fn findings_on(&self, id: Id) -> impl Iterator<Item = (usize, &'a Finding)> + '_ {
        let numbers = self.on.get(&id).into_iter().flatten();
        numbers.filter_map(|number| Some((*number, self.findings.get(*number)?)))
    }

    fn met(&self, combination: &Combination) -> Vec<Raised> {
        let wanted =
            |finding: &Finding| combination.all.iter().flatten().any(|id| *id == finding.id);
        let possible = combination.all.iter().all(|any| {
            self.findings
                .iter()
                .any(|finding| any.iter().any(|id| *id == finding.id))
        });
        if !possible {
            return Vec::new();
        }
        let mut raised: Vec<Raised> = Vec::new();
        let mut known: BTreeSet<Vec<usize>> = BTreeSet::new();
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
                Scope::Below if self.is_above(combination, root) => {
                    let mut artifacts = self.below(root.id, Reach::Everything);
                    artifacts.remove(&root.id);
                    artifacts
                }
                Scope::Document | Scope::Below => continue,
            };
            let here: Vec<(usize, &Finding)> = artifacts
                .iter()
                .flat_map(|id| self.findings_on(*id))
                .filter(|(_, finding)| wanted(finding))
                .collect();
            let met = combination.all.iter().all(|any| {
                here.iter()
                    .any(|(_, finding)| any.iter().any(|id| *id == finding.id))
            });
            if !met {
                continue;
            }
            let mut numbers: Vec<usize> = here.iter().map(|(number, _)| *number).collect();
            numbers.sort_unstable();
            if known.insert(numbers.clone()) {
                raised.push(Raised {
                    by: combination.id.clone(),
                    score: combination.score,
                    findings: numbers,
                });
            }
        }
        raised
    }

    /// Whether what lies below the artifact counts for the combination.
    fn is_above(&self, combination: &Combination, artifact: &Artifact) -> bool {
        let family = match artifact.kind.family() {
            _ if artifact.kind == Kind::Rtf => "rtf",
            Family::Ole => "ole",
            Family::Ooxml => "ooxml",
            Family::Odf => "odf",
            Family::Pdf => "pdf",
            Family::OneNote => "onenote",
            _ => "",
        };
        let anchored =
            |(_, finding): (usize, &Finding)| combination.anchor.iter().any(|id| *id == finding.id);
        combination.families.iter().any(|named| named == family)
            || self.findings_on(artifact.id).any(anchored)
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
