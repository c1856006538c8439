//! The catalogue: everything said about a finding stands in `signatures/findings.toml`; code names only its id.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::Severity;

/// Language of explanations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Japanese.
    Japanese,
}

/// What is said of a finding in one language.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// A short noun phrase.
    pub title: String,
    /// What it is and what would have happened.
    pub meaning: String,
    /// What to do.
    pub action: String,
}

/// A case of a finding that is worse, or less bad, than its base.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Severity in this case.
    pub severity: Severity,
    /// Whether this case leaves something unseen.
    #[serde(default)]
    pub incomplete: bool,
    /// What makes it this case, in English.
    pub en: String,
    /// The same in Japanese.
    pub ja: String,
}

/// One finding of the catalogue.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its id, stable for ever.
    pub id: String,
    /// Its one group; policy may name it.
    pub group: String,
    /// Base severity.
    pub severity: Severity,
    /// Whether it means that something was left unseen.
    #[serde(default)]
    pub incomplete: bool,
    /// ATT&CK technique ids.
    #[serde(default)]
    pub attack: Vec<String>,
    /// What is said of it in English.
    pub en: Text,
    /// What is said of it in Japanese.
    pub ja: Text,
    /// Cases with another severity.
    #[serde(default)]
    pub variants: BTreeMap<String, Variant>,
}

/// What the findings of a combination have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All stand on one artifact.
    Artifact,
    /// All stand under one document: the nearest ancestor that is a file by itself.
    Document,
    /// All stand strictly below one artifact, which is of one of the families or carries one of the anchors.
    Below,
}

/// Findings that together say more than each.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Combination {
    /// Its id.
    pub id: String,
    /// Score of the input once it is met, 0 to 100.
    pub score: u8,
    /// What its findings have in common.
    pub scope: Scope,
    /// Families of the artifact above, with [`Scope::Below`].
    #[serde(default)]
    pub families: Vec<String>,
    /// Findings of the artifact above, with [`Scope::Below`].
    #[serde(default)]
    pub anchor: Vec<String>,
    /// Each inner list is met by any one of its ids.
    pub all: Vec<Vec<String>>,
    /// What is said of it in English.
    pub en: Text,
    /// What is said of it in Japanese.
    pub ja: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    finding: Vec<Entry>,
    combination: Vec<Combination>,
}

/// The findings and combinations, by id.
#[derive(Debug, Clone)]
pub struct Catalogue {
    entries: BTreeMap<String, Entry>,
    order: Vec<String>,
    combinations: Vec<Combination>,
}

impl Catalogue {
    /// Reads the text of a catalogue file; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let order: Vec<String> = file.finding.iter().map(|entry| entry.id.clone()).collect();
        let known: BTreeSet<&str> = order.iter().map(String::as_str).collect();
        if known.len() != order.len() {
            return Err("an id stands twice".to_owned());
        }
        for combination in &file.combination {
            let mut named = combination.all.iter().flatten().chain(&combination.anchor);
            if let Some(unknown) = named.find(|id| !known.contains(id.as_str())) {
                return Err(format!(
                    "combination {}: no finding {unknown:?}",
                    combination.id
                ));
            }
        }
        let entries = file
            .finding
            .into_iter()
            .map(|entry| (entry.id.clone(), entry))
            .collect();
        Ok(Self {
            entries,
            order,
            combinations: file.combination,
        })
    }

    /// The entry of an id.
    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// All entries in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.order.iter().filter_map(|id| self.entries.get(id))
    }

    /// Gives a finding another severity, in every variant. Answers whether the id is known.
    pub fn set_severity(&mut self, id: &str, severity: Severity) -> bool {
        let Some(entry) = self.entries.get_mut(id) else {
            return false;
        };
        entry.severity = severity;
        for variant in entry.variants.values_mut() {
            variant.severity = severity;
        }
        true
    }

    /// All combinations in the order of the file.
    pub fn combinations(&self) -> &[Combination] {
        &self.combinations
    }
}

impl Entry {
    /// What is said of it in a language.
    pub fn text(&self, language: Language) -> &Text {
        match language {
            Language::English => &self.en,
            Language::Japanese => &self.ja,
        }
    }
}

impl Combination {
    /// What is said of it in a language.
    pub fn text(&self, language: Language) -> &Text {
        match language {
            Language::English => &self.en,
            Language::Japanese => &self.ja,
        }
    }
}
