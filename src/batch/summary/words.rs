//! The fixed words of the page: `signatures/summary.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::knowledge::{Catalogue, Language};
use crate::report::escape;

const SOURCE: &str = include_str!("../../../signatures/summary.toml");

/// A text in both languages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Both {
    en: String,
    ja: String,
}

impl Both {
    /// The texts of both languages; the page shows one of them.
    pub(super) fn of(en: &str, ja: &str) -> Self {
        Self {
            en: en.to_owned(),
            ja: ja.to_owned(),
        }
    }

    /// With a value in the place of a name in braces.
    #[must_use]
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let name = format!("{{{name}}}");
        Self::of(
            &self.en.replace(&name, value),
            &self.ja.replace(&name, value),
        )
    }

    /// The text of one language, as content of an element.
    pub(super) fn plain(&self, language: Language) -> String {
        escape(match language {
            Language::English => &self.en,
            Language::Japanese => &self.ja,
        })
    }

    /// Both, each marked with its language.
    pub(super) fn html(&self) -> String {
        if self.en == self.ja {
            return escape(&self.en);
        }
        format!(
            "<span lang=\"en\">{}</span><span lang=\"ja\">{}</span>",
            escape(&self.en),
            escape(&self.ja)
        )
    }
}

/// All words by their names.
#[derive(Debug)]
pub(super) struct Words(BTreeMap<String, Both>);

impl Words {
    pub(super) fn embedded() -> Result<Self, String> {
        toml::from_str(SOURCE)
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// The words of a name; the name itself where there are none.
    pub(super) fn both(&self, name: &str) -> Both {
        debug_assert!(self.0.contains_key(name), "no words for {name}");
        self.0
            .get(name)
            .cloned()
            .unwrap_or_else(|| Both::of(name, name))
    }

    /// The words of a name, as content of an element.
    pub(super) fn html(&self, name: &str) -> String {
        self.both(name).html()
    }
}

/// The title of a finding or combination; of a rule, and of what is in no catalogue any more, its id.
pub(super) fn title(catalogue: &Catalogue, id: &str) -> Both {
    let mut combinations = catalogue.combinations().iter();
    match catalogue.entry(id) {
        Some(entry) => Both::of(&entry.en.title, &entry.ja.title),
        None => combinations
            .find(|combination| combination.id == id)
            .map_or_else(
                || Both::of(id, id),
                |found| Both::of(&found.en.title, &found.ja.title),
            ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_said_in_both_languages() {
        let words = Words::embedded().unwrap();
        for (name, both) in &words.0 {
            let japanese = both.ja.chars().any(|c| c > '\u{2fff}');
            assert!(!both.en.is_empty() && japanese, "{name}");
            let braces = |text: &str| text.matches('{').count();
            assert_eq!(braces(&both.en), braces(&both.ja), "{name}");
        }
    }

    #[test]
    fn values_are_escaped() {
        let both = Both::of("{n} & more", "{n}など").with("n", "<b>");
        assert_eq!(both.plain(Language::English), "&lt;b&gt; &amp; more");
        assert!(
            both.html()
                .contains("<span lang=\"ja\">&lt;b&gt;など</span>")
        );
    }
}
