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

/// What a template may name.
const PLACEHOLDERS: &[&str] = &[
    "{name}",
    "{kind}",
    "{size}",
    "{sha256}",
    "{reasons}",
    "{id}",
];

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

/// The text of notices in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The file it came from, where it is not the built-in one.
    pub origin: Option<PathBuf>,
    /// The text, with `{name}`, `{kind}`, `{size}`, `{sha256}`, `{reasons}` and `{id}`.
    pub text: String,
}

/// Settings of notices in mails, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strip {
    /// The language where nothing else is said.
    pub language: NoticeLanguage,
    /// Languages by the domain of the recipient, in lower case.
    pub languages: BTreeMap<String, NoticeLanguage>,
    /// The English text.
    pub english: Template,
    /// The Japanese text.
    pub japanese: Template,
    /// Whether parts are taken out that somebody signed.
    pub break_signatures: bool,
}

impl Default for Strip {
    fn default() -> Self {
        let built_in = |text: &str| Template {
            origin: None,
            text: text.to_owned(),
        };
        Self {
            language: NoticeLanguage::Both,
            languages: BTreeMap::new(),
            english: built_in(include_str!("../../signatures/notice.en.txt")),
            japanese: built_in(include_str!("../../signatures/notice.ja.txt")),
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
    /// File with the English text; a relative one lies beside the configuration.
    #[schemars(with = "Option<PathBuf>")]
    template_en: Option<Spanned<PathBuf>>,
    /// File with the Japanese text.
    #[schemars(with = "Option<PathBuf>")]
    template_ja: Option<Spanned<PathBuf>>,
    /// What is done with a part that somebody signed: taking it out breaks the signature.
    signed: Signed,
}

impl Strip {
    pub(super) fn take(&mut self, table: StripTable, folder: &Path) -> Result<(), (usize, String)> {
        self.language = table.language;
        let lower = |(domain, language): (String, _)| (domain.to_lowercase(), language);
        self.languages = table.languages.into_iter().map(lower).collect();
        self.break_signatures = table.signed == Signed::Strip;
        if let Some(path) = table.template_en {
            self.english = template("template_en", &path, folder)?;
        }
        if let Some(path) = table.template_ja {
            self.japanese = template("template_ja", &path, folder)?;
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
        for (key, template) in [
            ("template_en", &self.english),
            ("template_ja", &self.japanese),
        ] {
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

    /// The templates of a language.
    pub fn templates(&self, language: NoticeLanguage) -> Vec<(Language, &str)> {
        let english = (Language::English, self.english.text.as_str());
        let japanese = (Language::Japanese, self.japanese.text.as_str());
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
    if let Some(unknown) = unknown_placeholder(&read) {
        let known = PLACEHOLDERS.join(", ");
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
fn unknown_placeholder(template: &str) -> Option<&str> {
    template.match_indices('{').find_map(|(at, _)| {
        let rest = template.get(at..)?;
        let word = rest.get(..rest.find('}')?.saturating_add(1))?;
        (!PLACEHOLDERS.contains(&word)).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_templates_name_what_matters_and_nothing_unknown() {
        let strip = Strip::default();
        for template in [&strip.english, &strip.japanese] {
            assert_eq!(unknown_placeholder(&template.text), None);
            for name in PLACEHOLDERS {
                assert!(template.text.contains(name), "{name}");
            }
        }
        assert_eq!(unknown_placeholder("{id} and {what}"), Some("{what}"));
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
