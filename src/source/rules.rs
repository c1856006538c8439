//! Files of YARA rules: one file, or every `*.yar` and `*.yara` of a folder.

use std::path::Path;

use thiserror::Error;

use super::{Source, Step, Walk};
use crate::rules::RuleSource;
use crate::text;

/// Rule files longer than this are refused: nobody writes them, and the compiler would take minutes.
const LONGEST: u64 = 256 << 20;

/// Why a path gave no rules.
#[derive(Debug, Error)]
pub enum NoRules {
    /// A file or folder could not be read.
    #[error("cannot read rules: {0}")]
    Unreadable(String),
    /// A folder has no rule files: most likely a mistake in the path.
    #[error("{0}: no rule files (*.yar, *.yara) in this folder")]
    Empty(String),
    /// A rule file is not text.
    #[error("{0}: line {1} is not UTF-8")]
    NotText(String, usize),
}

/// The rule files at a path, sorted; the first that cannot be read is the error.
pub fn rule_sources(path: &Path) -> Result<Vec<RuleSource>, NoRules> {
    let folder = path.is_dir();
    let mut sources = Vec::new();
    for step in Walk::new(&[path.to_path_buf()]) {
        match step {
            Step::Input(source) if !folder || is_rule_file(&source) => sources.push(read(&source)?),
            Step::Input(_) | Step::Skipped(_) => {}
            Step::Unreadable(error) => return Err(NoRules::Unreadable(error.to_string())),
        }
    }
    if sources.is_empty() {
        return Err(NoRules::Empty(text::path(path)));
    }
    Ok(sources)
}

fn is_rule_file(source: &Source) -> bool {
    let Source::File(path) = source else {
        return false;
    };
    path.extension()
        .is_some_and(|extension| extension == "yar" || extension == "yara")
}

fn read(source: &Source) -> Result<RuleSource, NoRules> {
    let input = source
        .read(LONGEST)
        .map_err(|error| NoRules::Unreadable(error.to_string()))?;
    let origin = text::safe(&input.path);
    if !input.facts.is_empty() {
        return Err(NoRules::Unreadable(format!(
            "{origin}: larger than {LONGEST} bytes"
        )));
    }
    match String::from_utf8(input.data.to_vec()) {
        Ok(text) => Ok(RuleSource { origin, text }),
        Err(error) => {
            let valid = input.data.get(..error.utf8_error().valid_up_to());
            let lines = memchr::memchr_iter(b'\n', valid.unwrap_or_default()).count();
            Err(NoRules::NotText(origin, lines.saturating_add(1)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_rules_is_an_error_and_not_an_empty_set() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/source");
        let error = rule_sources(&folder).unwrap_err().to_string();
        assert!(error.ends_with("no rule files (*.yar, *.yara) in this folder"));
    }

    #[test]
    fn a_file_is_taken_whatever_its_name() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let sources = rule_sources(&file).unwrap();
        assert_eq!(sources.len(), 1);
        assert!(sources[0].origin.ends_with("Cargo.toml"));
    }
}
