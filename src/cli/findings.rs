//! `sekisho findings [ID]`: the catalogue, with the severities of the configuration.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use crate::knowledge::{Catalogue, Combination, Entry, Language, Text};
use crate::report::words;

use super::exit::{Exit, Failure};
use super::put;
use super::settings::Settings;

/// How alike two ids must be for one to be suggested for the other, from 0 to 1.
const ALIKE: f64 = 0.8;

/// Suggestions at the most.
const SUGGESTIONS: usize = 3;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// One finding or combination [default: a list of all]
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Format of the output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// JSON with both languages
    Json,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Result<Exit, Failure> {
    let (knowledge, _) = settings.knowledge()?;
    let catalogue = &knowledge.catalogue;
    let language = settings.language();
    let out = match &arguments.id {
        None => match arguments.format {
            Format::Text => list(catalogue, language),
            Format::Json => json(&serde_json::json!({
                "findings": catalogue.entries().collect::<Vec<_>>(),
                "combinations": catalogue.combinations(),
            }))?,
        },
        Some(id) => one(catalogue, id, language, arguments.format)?,
    };
    put(&out)?;
    Ok(Exit::Success)
}

fn one(
    catalogue: &Catalogue,
    id: &str,
    language: Language,
    format: Format,
) -> Result<String, Failure> {
    let combination = || {
        let mut combinations = catalogue.combinations().iter();
        combinations.find(|combination| combination.id == id)
    };
    match (catalogue.entry(id), combination(), format) {
        (Some(entry), _, Format::Text) => Ok(explain_entry(entry, language)),
        (Some(entry), _, Format::Json) => json(entry),
        (None, Some(combination), Format::Text) => Ok(explain_combination(combination, language)),
        (None, Some(combination), Format::Json) => json(combination),
        (None, None, _) => Err(unknown(catalogue, id)),
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(Failure::new)
}

fn unknown(catalogue: &Catalogue, id: &str) -> Failure {
    let ids = catalogue.entries().map(|entry| entry.id.as_str());
    let combinations = catalogue.combinations().iter();
    let combinations = combinations.map(|combination| combination.id.as_str());
    let mut near: Vec<(f64, &str)> = ids
        .chain(combinations)
        .map(|known| (nearness(id, known), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let near: Vec<&str> = near.iter().take(SUGGESTIONS).map(|(_, id)| *id).collect();
    let failure = Failure::new(format!("no finding {id:?}"));
    if near.is_empty() {
        failure.hint("`sekisho findings` lists them all")
    } else {
        failure.hint(format!("did you mean {}?", near.join(", ")))
    }
}

fn nearness(wanted: &str, known: &str) -> f64 {
    let wanted = wanted.to_lowercase();
    if wanted.len() > 2 && known.contains(&wanted) {
        1.0
    } else {
        strsim::jaro_winkler(&wanted, known)
    }
}

fn list(catalogue: &Catalogue, language: Language) -> String {
    let words = words(language);
    let mut out = String::new();
    let mut group = "";
    // Writing to a String cannot fail.
    for entry in catalogue.entries() {
        if entry.group != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group = &entry.group;
            let _ = writeln!(out, "{gap}{group}");
        }
        let worst = entry
            .variants
            .values()
            .map(|variant| variant.severity)
            .filter(|severity| *severity != entry.severity)
            .max();
        let severity = match worst {
            None => words.severity(entry.severity).to_owned(),
            Some(worst) => format!(
                "{}–{}",
                words.severity(entry.severity),
                words.severity(worst)
            ),
        };
        let title = &entry.text(language).title;
        let _ = writeln!(out, "  {:<28} {}  {title}", entry.id, padded(&severity));
    }
    let _ = writeln!(out, "\ncombinations");
    for combination in catalogue.combinations() {
        let score = combination.score.to_string();
        let title = &combination.text(language).title;
        let _ = writeln!(out, "  {:<28} {}  {title}", combination.id, padded(&score));
    }
    out
}

/// Fills up to the columns that the longest pair of severities takes; Japanese characters take two.
fn padded(text: &str) -> String {
    const COLUMNS: usize = 15;
    let wide = |c: char| if u32::from(c) >= 0x2e80 { 2 } else { 1 };
    let columns: usize = text.chars().map(wide).sum();
    let blanks = COLUMNS.saturating_sub(columns);
    text.to_owned() + &" ".repeat(blanks)
}

fn explain_entry(entry: &Entry, language: Language) -> String {
    let words = words(language);
    let text = entry.text(language);
    let mut out = String::new();
    let unseen = |incomplete: bool| {
        if incomplete {
            format!("  ({})", words.incomplete)
        } else {
            String::new()
        }
    };
    let severity = words.severity(entry.severity);
    let _ = writeln!(out, "{}  [{}]\n{}\n", entry.id, entry.group, text.title);
    let _ = writeln!(
        out,
        "{severity}  {} {}{}",
        words.score,
        entry.severity.score(),
        unseen(entry.incomplete)
    );
    for (name, variant) in &entry.variants {
        let clause = match language {
            Language::English => &variant.en,
            Language::Japanese => &variant.ja,
        };
        let _ = writeln!(
            out,
            "{}  {} {}{}: {clause} ({name})",
            words.severity(variant.severity),
            words.score,
            variant.severity.score(),
            unseen(variant.incomplete)
        );
    }
    if !entry.attack.is_empty() {
        let _ = writeln!(out, "ATT&CK: {}", entry.attack.join(", "));
    }
    out + &explain(text, language)
}

fn explain_combination(combination: &Combination, language: Language) -> String {
    let words = words(language);
    let text = combination.text(language);
    let mut out = String::new();
    let _ = writeln!(out, "{}  [combination]\n{}\n", combination.id, text.title);
    let _ = writeln!(out, "{} {}", words.score, combination.score);
    for any in combination
        .all
        .iter()
        .chain(Some(&combination.anchor).filter(|anchor| !anchor.is_empty()))
    {
        let _ = writeln!(out, "{}: {}", words.findings, any.join(" | "));
    }
    out + &explain(text, language)
}

fn explain(text: &Text, language: Language) -> String {
    let words = words(language);
    format!(
        "\n{}: {}\n{}: {}\n",
        words.meaning, text.meaning, words.action, text.action
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Knowledge;

    fn catalogue() -> Catalogue {
        Knowledge::embedded().unwrap().catalogue
    }

    #[test]
    fn every_finding_and_combination_is_listed_once() {
        for language in [Language::English, Language::Japanese] {
            let list = list(&catalogue(), language);
            let catalogue = catalogue();
            let combinations = catalogue
                .combinations()
                .iter()
                .map(|combination| &combination.id);
            for id in catalogue
                .entries()
                .map(|entry| &entry.id)
                .chain(combinations)
            {
                let lines = list
                    .lines()
                    .filter(|line| line.split_whitespace().next() == Some(id));
                assert_eq!(lines.count(), 1, "{id}");
            }
        }
    }

    #[test]
    fn a_mistyped_id_gets_near_suggestions() {
        let hint = |id: &str| match unknown(&catalogue(), id) {
            Failure::Told { hint, .. } => hint.unwrap(),
            Failure::NobodyReads => String::new(),
        };
        assert!(hint("vba-macros").starts_with("did you mean vba-macro"));
        assert!(hint("autoexec").contains("vba-autoexec"));
        assert_eq!(hint("qqq"), "`sekisho findings` lists them all");
    }
}
