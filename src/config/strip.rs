//! `[strip]`: what stands in the place of parts that were taken out of a mail.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::knowledge::Language;
use crate::text;

/// Longest template, in bytes.
const LONGEST: usize = 64 << 10;

/// What a template may name for a part that is gone.
const GONE: &[&str] = &[
    "{name}",
    "{kind}",
    "{size}",
    "{sha256}",
    "{reasons}",
    "{id}",
];

/// What a template may name for a part from which something was taken out.
const DISARMED: &[&str] = &["{name}", "{removed}", "{id}"];

/// Which language a notice is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum NoticeLanguage {
    /// Japanese, then English.
    #[default]
    #[serde(rename = "both")]
    Both,
    /// English.
    #[serde(rename = "en")]
    English,
    /// Japanese.
    #[serde(rename = "ja")]
    Japanese,
}

/// What is done with a part that somebody signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Signed {
    /// The mail is held.
    #[default]
    Hold,
    /// The part is taken out all the same.
    Strip,
}

/// The text of a notice in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The file it came from, where it is not the built-in one.
    pub origin: Option<PathBuf>,
    /// The text with its placeholders.
    pub text: String,
}

/// The texts of one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates {
    /// For a part that is gone, with `{name}`, `{kind}`, `{size}`, `{sha256}`, `{reasons}` and `{id}`.
    pub gone: Template,
    /// For a part from which something was taken out, with `{name}`, `{removed}` and `{id}`.
    pub disarmed: Template,
}

impl Templates {
    fn built_in(gone: &str, disarmed: &str) -> Self {
        let template = |text: &str| Template {
            origin: None,
            text: text.to_owned(),
        };
        Self {
            gone: template(gone),
            disarmed: template(disarmed),
        }
    }
}

/// Settings of notices in mails, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strip {
    /// The language where nothing else is said.
    pub language: NoticeLanguage,
    /// Languages by the domain of the recipient, in lower case.
    pub languages: BTreeMap<String, NoticeLanguage>,
    /// The English texts.
    pub english: Templates,
    /// The Japanese texts.
    pub japanese: Templates,
    /// Whether parts are taken out that somebody signed.
    pub break_signatures: bool,
}

impl Default for Strip {
    fn default() -> Self {
        Self {
            language: NoticeLanguage::Both,
            languages: BTreeMap::new(),
            english: Templates::built_in(
                include_str!("../../signatures/notice.en.txt"),
                include_str!("../../signatures/disarmed.en.txt"),
            ),
            japanese: Templates::built_in(
                include_str!("../../signatures/notice.ja.txt"),
                include_str!("../../signatures/disarmed.ja.txt"),
            ),
            break_signatures: false,
        }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StripTable {
    /// Language of the notices.
    language: NoticeLanguage,
    /// Language by the domain of the recipient.
    languages: BTreeMap<String, NoticeLanguage>,
    /// File with the English text for a part that is gone; a relative one lies beside the configuration.
    #[schemars(with = "Option<PathBuf>")]
    template_en: Option<Spanned<PathBuf>>,
    /// File with the Japanese text, likewise.
    #[schemars(with = "Option<PathBuf>")]
    template_ja: Option<Spanned<PathBuf>>,
    /// File with the English text for a part from which something was taken out.
    #[schemars(with = "Option<PathBuf>")]
    disarmed_en: Option<Spanned<PathBuf>>,
    /// File with the Japanese text, likewise.
    #[schemars(with = "Option<PathBuf>")]
    disarmed_ja: Option<Spanned<PathBuf>>,
    /// What is done with a part that somebody signed: taking it out breaks the signature.
    signed: Signed,
}

impl Strip {
    pub(super) fn take(&mut self, table: StripTable, folder: &Path) -> Result<(), (usize, String)> {
        self.language = table.language;
        let lower = |(domain, language): (String, _)| (domain.to_lowercase(), language);
        self.languages = table.languages.into_iter().map(lower).collect();
        self.break_signatures = table.signed == Signed::Strip;
        let given = [
            ("template_en", table.template_en, GONE),
            ("template_ja", table.template_ja, GONE),
            ("disarmed_en", table.disarmed_en, DISARMED),
            ("disarmed_ja", table.disarmed_ja, DISARMED),
        ];
        for ((_, own), (key, path, placeholders)) in self.files_mut().into_iter().zip(given) {
            if let Some(path) = path {
                *own = template(key, &path, folder, placeholders)?;
            }
        }
        Ok(())
    }

    pub(super) fn write(&self, out: &mut String) {
        let word = |language: NoticeLanguage| match language {
            NoticeLanguage::Both => "both",
            NoticeLanguage::English => "en",
            NoticeLanguage::Japanese => "ja",
        };
        let signed = if self.break_signatures {
            "strip"
        } else {
            "hold"
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "\n[strip]\nlanguage = \"{}\"\nsigned = \"{signed}\"",
            word(self.language)
        );
        for (key, template) in self.files() {
            if let Some(path) = &template.origin {
                let path = toml::Value::String(path.to_string_lossy().into_owned());
                let _ = writeln!(out, "{key} = {path}");
            }
        }
        if !self.languages.is_empty() {
            let _ = writeln!(out, "\n[strip.languages]");
        }
        for (domain, language) in &self.languages {
            let domain = toml::Value::String(domain.clone());
            let _ = writeln!(out, "{domain} = \"{}\"", word(*language));
        }
    }

    /// The settings that name files, and what came out of them.
    fn files(&self) -> [(&'static str, &Template); 4] {
        let (english, japanese) = (&self.english, &self.japanese);
        [
            ("template_en", &english.gone),
            ("template_ja", &japanese.gone),
            ("disarmed_en", &english.disarmed),
            ("disarmed_ja", &japanese.disarmed),
        ]
    }

    fn files_mut(&mut self) -> [(&'static str, &mut Template); 4] {
        let (english, japanese) = (&mut self.english, &mut self.japanese);
        [
            ("template_en", &mut english.gone),
            ("template_ja", &mut japanese.gone),
            ("disarmed_en", &mut english.disarmed),
            ("disarmed_ja", &mut japanese.disarmed),
        ]
    }

    /// The templates of a language for parts that are gone.
    pub fn templates(&self, language: NoticeLanguage) -> Vec<(Language, &str)> {
        self.of_language(language, |texts| &texts.gone)
    }

    /// The templates of a language for parts from which something was taken out.
    pub fn disarmed(&self, language: NoticeLanguage) -> Vec<(Language, &str)> {
        self.of_language(language, |texts| &texts.disarmed)
    }

    fn of_language(
        &self,
        language: NoticeLanguage,
        which: impl Fn(&Templates) -> &Template,
    ) -> Vec<(Language, &str)> {
        let english = (Language::English, which(&self.english).text.as_str());
        let japanese = (Language::Japanese, which(&self.japanese).text.as_str());
        match language {
            NoticeLanguage::English => vec![english],
            NoticeLanguage::Japanese => vec![japanese],
            NoticeLanguage::Both => vec![japanese, english],
        }
    }

    /// The language for one copy of a mail: that of all its recipients, or both.
    pub fn language_of<'a>(&self, recipients: impl IntoIterator<Item = &'a str>) -> NoticeLanguage {
        let of = |address: &str| {
            let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
            let known = self.languages.get(&domain.to_lowercase());
            known.copied().unwrap_or(self.language)
        };
        let mut languages = recipients.into_iter().map(of);
        let Some(first) = languages.next() else {
            return self.language;
        };
        match languages.all(|language| language == first) {
            true => first,
            false => NoticeLanguage::Both,
        }
    }
}

fn template(
    key: &str,
    path: &Spanned<PathBuf>,
    folder: &Path,
    placeholders: &[&str],
) -> Result<Template, (usize, String)> {
    let at = path.span().start;
    let path = folder.join(path.get_ref());
    let refuse = |what: String| Err((at, format!("strip.{key}: {what}")));
    let shown = text::path(&path);
    let read = match std::fs::read_to_string(&path) {
        Ok(read) => read,
        Err(error) => return refuse(format!("cannot read {shown}: {error}")),
    };
    if read.len() > LONGEST {
        return refuse(format!("{shown} is longer than {LONGEST} bytes"));
    }
    if let Some(unknown) = unknown_placeholder(&read, placeholders) {
        let known = placeholders.join(", ");
        return refuse(format!("{shown} names {unknown:?}; known are {known}"));
    }
    if !read.contains("{id}") {
        return refuse(format!(
            "{shown} does not name {{id}}: without it nobody can ask for the part"
        ));
    }
    Ok(Template {
        origin: Some(path),
        text: read,
    })
}

/// The first word in braces that is no placeholder.
fn unknown_placeholder<'t>(template: &'t str, known: &[&str]) -> Option<&'t str> {
    template.match_indices('{').find_map(|(at, _)| {
        let rest = template.get(at..)?;
        let word = rest.get(..rest.find('}')?.saturating_add(1))?;
        (!known.contains(&word)).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_templates_name_what_matters_and_nothing_unknown() {
        let strip = Strip::default();
        for texts in [&strip.english, &strip.japanese] {
            for (template, known) in [(&texts.gone, GONE), (&texts.disarmed, DISARMED)] {
                assert_eq!(unknown_placeholder(&template.text, known), None);
                for name in known {
                    assert!(template.text.contains(name), "{name}");
                }
            }
        }
        let words = "{id} and {what}";
        assert_eq!(unknown_placeholder(words, GONE), Some("{what}"));
        assert_eq!(
            unknown_placeholder("{id} {reasons}", DISARMED),
            Some("{reasons}")
        );
    }

    #[test]
    fn a_copy_for_several_domains_is_in_both_languages() {
        let strip = Strip {
            language: NoticeLanguage::English,
            languages: [("hq.test".to_owned(), NoticeLanguage::Japanese)].into(),
            ..Strip::default()
        };
        assert_eq!(strip.language_of(["a@HQ.test"]), NoticeLanguage::Japanese);
        assert_eq!(
            strip.language_of(["a@branch.test"]),
            NoticeLanguage::English
        );
        assert_eq!(
            strip.language_of(["a@hq.test", "a@branch.test"]),
            NoticeLanguage::Both
        );
    }
}
