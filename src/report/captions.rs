//! What is said of findings in one language: the catalogue's words, and those of rules.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::Engine;
use crate::knowledge::{Catalogue, Language, Text};
use crate::model::Report;
use crate::rules::RuleInfo;

use super::words::{self, Words};

/// What marks the finding of a rule.
const RULE: &str = "yara:";

/// The words for findings, combinations and rules in one language.
#[derive(Debug)]
pub(super) struct Captions {
    engine: Arc<Engine>,
    rules: BTreeMap<String, RuleInfo>,
    pub(super) language: Language,
}

impl Captions {
    pub(super) fn new(engine: Arc<Engine>, language: Language) -> Self {
        let rules = engine
            .rules
            .list()
            .into_iter()
            .map(|rule| (rule.name.clone(), rule))
            .collect();
        Self {
            engine,
            rules,
            language,
        }
    }

    pub(super) fn words(&self) -> &'static Words {
        words::words(self.language)
    }

    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.engine.knowledge.catalogue
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &RuleInfo> {
        self.rules.values()
    }

    /// The text of a finding or combination; a rule of the operator has a general one.
    pub(super) fn text(&self, id: &str) -> Option<Cow<'_, Text>> {
        let catalogue = self.catalogue();
        if let Some(rule) = id.strip_prefix(RULE) {
            return Some(Cow::Owned(self.rule_text(rule)));
        }
        catalogue
            .entry(id)
            .map(|entry| entry.text(self.language))
            .or_else(|| {
                let mut combinations = catalogue.combinations().iter();
                combinations
                    .find(|combination| combination.id == id)
                    .map(|combination| combination.text(self.language))
            })
            .map(Cow::Borrowed)
    }

    fn rule_text(&self, rule: &str) -> Text {
        let words = self.words();
        let described = self
            .rules
            .get(rule)
            .map(|rule| rule.description.as_str())
            .filter(|description| !description.is_empty());
        Text {
            title: described.unwrap_or(words.rule_title).to_owned(),
            meaning: words.rule_meaning.to_owned(),
            action: words.rule_action.to_owned(),
        }
    }

    /// The title of a finding or combination; the id itself where it is not known.
    pub(super) fn title(&self, id: &str) -> String {
        self.text(id)
            .map_or_else(|| id.to_owned(), |text| text.title.clone())
    }

    /// What to say of a report as a whole: the words of its worst combination or finding.
    pub(super) fn advice(&self, report: &Report) -> Option<Cow<'_, Text>> {
        // The first of the worst: combinations say more than the findings they join.
        let raised = report
            .raised
            .iter()
            .map(|raised| (raised.score, raised.by.as_str()));
        let found = report
            .findings
            .iter()
            .map(|finding| (finding.score, &*finding.id));
        let (_, id) = raised.chain(found).reduce(
            |worst, next| {
                if next.0 > worst.0 { next } else { worst }
            },
        )?;
        self.text(id)
    }
}
