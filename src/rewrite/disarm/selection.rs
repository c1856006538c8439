//! Which findings have to go where nobody names them: `signatures/disarm.toml`; else those of the groups and ids that
//! are named.

use std::collections::BTreeSet;

use serde::Deserialize;
use thiserror::Error;

use super::Refusal;
use crate::knowledge::Catalogue;
use crate::model::{Family, Id, Report, Severity};

const SOURCE: &str = include_str!("../../../signatures/disarm.toml");

/// Groups and ids of findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    groups: BTreeSet<String>,
    ids: BTreeSet<String>,
    /// Findings of the groups that stay.
    stay: BTreeSet<String>,
    /// Findings only worth knowing that go all the same from what a browser opens.
    opened: BTreeSet<String>,
    /// Whether what is only worth knowing stays.
    ordinary_stays: bool,
}

/// Neither a group nor an id of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{0}\" is neither a group nor an id of findings")]
pub struct UnknownName(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    groups: BTreeSet<String>,
    stay: BTreeSet<String>,
    opened: BTreeSet<String>,
}

impl Selection {
    /// What goes where nothing is said.
    pub fn usual() -> Result<Self, Refusal> {
        let file: File =
            toml::from_str(SOURCE).map_err(|error| Refusal::Broken(error.to_string()))?;
        Ok(Self {
            groups: file.groups,
            ids: BTreeSet::new(),
            stay: file.stay,
            opened: file.opened,
            ordinary_stays: true,
        })
    }

    /// Only what is named.
    pub fn named<'n>(
        names: impl IntoIterator<Item = &'n str>,
        catalogue: &Catalogue,
    ) -> Result<Self, UnknownName> {
        let mut selection = Self {
            groups: BTreeSet::new(),
            ids: BTreeSet::new(),
            stay: BTreeSet::new(),
            opened: BTreeSet::new(),
            ordinary_stays: false,
        };
        for name in names {
            if catalogue.entry(name).is_some() || name.starts_with("yara:") {
                selection.ids.insert(name.to_owned());
            } else if catalogue.entries().any(|entry| entry.group == name) {
                selection.groups.insert(name.to_owned());
            } else {
                return Err(UnknownName(name.to_owned()));
            }
        }
        Ok(selection)
    }

    /// The findings of a report that it names, as their places.
    pub fn of(&self, report: &Report, catalogue: &Catalogue) -> BTreeSet<usize> {
        let chosen = |id: &str, severity: Severity, artifact: Id| {
            if self.ids.contains(id) || self.opened.contains(id) && is_opened(report, artifact) {
                return true;
            }
            let group = catalogue.entry(id).map(|entry| entry.group.as_str());
            let listed = group.is_some_and(|group| self.groups.contains(group));
            let stays =
                self.ordinary_stays && (severity == Severity::Info || self.stay.contains(id));
            listed && !stays
        };
        let findings = report.findings.iter().enumerate();
        findings
            .filter(|(_, finding)| chosen(&finding.id, finding.severity, finding.artifact))
            .map(|(at, _)| at)
            .collect()
    }
}

/// Whether a file is opened by itself: what was given, or a file that a mail brings. Programs for mail run no scripts in
/// the text that they show, and a page in an archive may be one of a manual.
fn is_opened(report: &Report, artifact: Id) -> bool {
    let at = |id: Id| {
        let place = usize::try_from(id).ok();
        place.and_then(|place| report.artifacts.get(place))
    };
    let Some(file) = at(artifact) else {
        return false;
    };
    let above = file.parent.and_then(at).map(|above| above.kind.family());
    file.parent.is_none() || file.name.is_some() && above == Some(Family::Mail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Knowledge;

    #[test]
    fn names_are_those_of_the_catalogue() {
        let catalogue = Knowledge::embedded().unwrap().catalogue;
        let usual = Selection::usual().unwrap();
        for group in &usual.groups {
            assert!(
                catalogue.entries().any(|entry| entry.group == *group),
                "{group}"
            );
        }
        for id in usual.stay.iter().chain(&usual.opened) {
            assert!(catalogue.entry(id).is_some(), "{id}");
        }
        assert!(Selection::named(["macros", "dde-link"], &catalogue).is_ok());
        let unknown = Selection::named(["macro"], &catalogue).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "\"macro\" is neither a group nor an id of findings"
        );
    }
}
