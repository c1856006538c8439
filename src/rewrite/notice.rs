//! What stands in the place of a part: what it was, why it went, and the number to ask for it by.

use crate::knowledge::{Catalogue, Language};
use crate::model::{Artifact, Finding, Report};
use crate::text;

use super::disarm::Removed;

/// Reasons given of one part.
const REASONS: usize = 6;

/// Things taken out of one part that are listed.
const REMOVED: usize = 20;

/// The texts for one message.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// The templates of this copy, one a language, with `{name}`, `{kind}`, `{size}`, `{sha256}`, `{reasons}` and `{id}`.
    pub templates: &'a [(Language, &'a str)],
    /// The templates for files that were disarmed, with `{name}`, `{removed}` and `{id}`.
    pub disarmed: &'a [(Language, &'a str)],
    /// What findings are called.
    pub catalogue: &'a Catalogue,
    /// What was found.
    pub report: &'a Report,
    /// The number to ask for the original by.
    pub ticket: &'a str,
}

/// Texts for files outside of a mail flow: there is no number to ask by.
const FILES: &[(Language, &str)] = &[
    (
        Language::Japanese,
        include_str!("../../signatures/notice_file.ja.txt"),
    ),
    (
        Language::English,
        include_str!("../../signatures/notice_file.en.txt"),
    ),
];

/// The same for files that were disarmed.
const DISARMED_FILES: &[(Language, &str)] = &[
    (
        Language::Japanese,
        include_str!("../../signatures/disarmed_file.ja.txt"),
    ),
    (
        Language::English,
        include_str!("../../signatures/disarmed_file.en.txt"),
    ),
];

impl<'a> Notice<'a> {
    /// The texts for a file outside of a mail flow.
    pub fn of_file(report: &'a Report, catalogue: &'a Catalogue) -> Self {
        Self {
            templates: FILES,
            disarmed: DISARMED_FILES,
            catalogue,
            report,
            ticket: "-",
        }
    }

    /// The text for a part that is gone, or from which something was taken out; lines end in `\n`.
    pub fn text(&self, part: &Artifact, removed: &[Removed]) -> String {
        let texts: Vec<String> = match removed.is_empty() {
            true => {
                let texts = self.templates.iter();
                texts
                    .map(|(language, template)| self.fill(template, *language, part))
                    .collect()
            }
            false => {
                let texts = self.disarmed.iter();
                texts
                    .map(|(language, template)| {
                        self.fill_disarmed(template, *language, part, removed)
                    })
                    .collect()
            }
        };
        texts.join("\n\n")
    }

    fn fill_disarmed(
        &self,
        template: &str,
        language: Language,
        part: &Artifact,
        removed: &[Removed],
    ) -> String {
        let mut lines: Vec<String> = Vec::new();
        for one in removed {
            let entry = self.catalogue.entry(&one.finding);
            let title = entry.map_or(one.finding.as_ref(), |entry| {
                entry.text(language).title.as_str()
            });
            let line = format!("    {title} ({}): {}", one.finding, one.place);
            if lines.len() < REMOVED && !lines.contains(&line) {
                lines.push(line);
            }
        }
        let filled = template
            .replace("{id}", self.ticket)
            .replace("{removed}", &lines.join("\n"))
            .replace("{name}", &text::excerpt(name_of(part)));
        filled.trim_end().to_owned()
    }

    /// One line of ASCII, for a text in a charset of its own.
    pub fn line(&self, part: &Artifact) -> String {
        let reasons: Vec<&str> = self
            .reasons(part)
            .iter()
            .map(|finding| finding.id.as_ref())
            .collect();
        let line = format!(
            "[sekisho: {} taken out ({}); ask for {}]",
            part.label(),
            reasons.join(", "),
            self.ticket
        );
        let ascii = |c: char| match c {
            ' '..='~' => c.to_string(),
            other => other.escape_unicode().to_string(),
        };
        line.chars().map(ascii).collect()
    }

    fn fill(&self, template: &str, language: Language, part: &Artifact) -> String {
        let reasons: Vec<String> = self
            .reasons(part)
            .iter()
            .map(|finding| {
                let entry = self.catalogue.entry(&finding.id);
                let title = entry.map(|entry| entry.text(language).title.as_str());
                match title {
                    Some(title) => format!("    {title} ({})", finding.id),
                    None => format!("    {}", finding.id),
                }
            })
            .collect();
        // Text from outside is filled in last, so that what it holds is never taken for a placeholder.
        let filled = template
            .replace("{kind}", part.kind.as_str())
            .replace("{size}", &part.data.len().to_string())
            .replace("{sha256}", &part.sha256_hex())
            .replace("{reasons}", &reasons.join("\n"))
            .replace("{id}", self.ticket)
            .replace("{name}", &text::excerpt(name_of(part)));
        filled.trim_end().to_owned()
    }

    /// The worst findings on a part, in what it holds, and on equal bytes: each id once.
    fn reasons(&self, part: &Artifact) -> Vec<&Finding> {
        let tree = &self.report.artifacts;
        let first = part.same_as.unwrap_or(part.id);
        let within = |finding: &Finding| {
            let mut at = Some(finding.artifact);
            // Ends because parents stand before their children.
            while let Some(id) = at {
                if id == part.id || id == first {
                    return true;
                }
                let place = usize::try_from(id).unwrap_or(usize::MAX);
                at = tree.get(place).and_then(|artifact| artifact.parent);
            }
            false
        };
        let mut found: Vec<&Finding> = self.report.findings.iter().collect();
        found.retain(|finding| within(finding));
        found.sort_by_key(|finding| std::cmp::Reverse(finding.score));
        let mut named: Vec<&Finding> = Vec::new();
        for finding in found {
            if named.len() < REASONS && !named.iter().any(|known| known.id == finding.id) {
                named.push(finding);
            }
        }
        named
    }
}

fn name_of(part: &Artifact) -> &str {
    match part.label() {
        "" => "-",
        name => name,
    }
}
