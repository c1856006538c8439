//! YARA-X over artifacts: compiled once, one scanner a thread.
//!
//! A rule may use the globals of public rule sets (`filename`, `filepath`, `extension`, `filetype`, `owner`) and
//! `kind`, `via`, `parent_kind`, `depth`. Its metadata gives `severity` or `score`, `attack`, `description`.
//!
//! The engine goes over the bytes once for all patterns, slowly, as soon as one condition asks for a pattern. A rule for
//! pages and XML, of which most inputs have many, says in its metadata `marks` which words, in lower case and with commas
//! between them, one of which stands in all that it matches, and asks for the global `marked` first: whether any
//! mark of any rule was seen.

use std::time::Duration;

use sha2::{Digest, Sha256};
use thiserror::Error;
use yara_x::{MetaValue, Rule, ScanError, Scanner, SourceCode};

use crate::model::{Evidence, Severity};
use crate::text::{self, AnyOf};

mod compiler;

pub use compiler::EMBEDDED;

/// Score of a rule that says nothing of it.
const DEFAULT_SCORE: u8 = 60;

/// Bytes of a match that are shown.
const SHOWN: usize = 80;

/// Kinds in which marks of rules are looked for, and bytes of one at the most.
const MARKED_KINDS: [&str; 4] = ["html", "svg", "xml", "rtf"];
const MARKED_SIZE: usize = 16 << 20;

/// One source file of rules.
#[derive(Debug, Clone)]
pub struct RuleSource {
    /// What to call it in errors: a path, or the name of an embedded file.
    pub origin: String,
    /// The text.
    pub text: String,
}

/// The embedded rules, compiled when sekisho was built; the code of the processor is in them.
const COMPILED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rules.bin"));

/// The embedded rules as sources.
pub fn embedded() -> impl Iterator<Item = RuleSource> {
    EMBEDDED.iter().map(|(origin, text)| RuleSource {
        origin: (*origin).to_owned(),
        text: (*text).to_owned(),
    })
}

/// What to do with a rule that does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Refuse the whole set.
    Strict,
    /// Leave the rule out and say so.
    Lenient,
}

/// A rule that does not compile: the compiler's own words, with file and line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct BadRule(pub String);

/// Compiled rules.
pub struct Rules {
    compiled: yara_x::Rules,
    digest: String,
    skipped: Vec<BadRule>,
    sees: Paths,
    marks: AnyOf,
}

/// Whether rules ask for `filepath`, which is another one for each input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// Some rule may.
    Asked,
    /// None does.
    Unasked,
}

impl Paths {
    fn of(sources: &[RuleSource]) -> Self {
        let asks = |source: &RuleSource| source.text.contains("filepath");
        match sources.iter().any(asks) {
            true => Self::Asked,
            false => Self::Unasked,
        }
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules")
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// What is known of a compiled rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its identifier.
    pub name: String,
    /// Score of its finding, 0 to 100.
    pub score: u8,
    /// ATT&CK technique ids.
    pub attack: Vec<String>,
    /// Its description, safe to show.
    pub description: String,
}

impl Rules {
    /// Compiles sources; with [`Strictness::Strict`] the first rule that does not compile is the error, with
    /// [`Strictness::Lenient`] all of them are in [`Rules::skipped`] and the good ones of the same source are kept.
    pub fn compile(
        sources: impl IntoIterator<Item = RuleSource>,
        strictness: Strictness,
    ) -> Result<Self, BadRule> {
        let sources: Vec<RuleSource> = sources.into_iter().collect();
        if let Some(rules) = Self::as_built(&sources) {
            return Ok(rules);
        }
        let bad = |error: &dyn std::fmt::Display| BadRule(error.to_string());
        let mut compiler = compiler::with_globals().map_err(|error| bad(&error))?;
        for source in &sources {
            let code = SourceCode::from(source.text.as_str()).with_origin(source.origin.as_str());
            if let Err(error) = compiler.add_source(code)
                && strictness == Strictness::Strict
            {
                return Err(bad(&error));
            }
        }
        let skipped = compiler.errors().iter().map(|error| bad(error)).collect();
        let compiled = compiler.build();
        Ok(Self {
            marks: marks(&compiled),
            compiled,
            digest: digest(&sources),
            skipped,
            sees: Paths::of(&sources),
        })
    }

    /// What the build compiled, where these are the embedded sources and nothing else. Compiling them takes most of the
    /// time of a cold scan. A processor that lacks what the building one had gets its code made anew by the engine.
    fn as_built(sources: &[RuleSource]) -> Option<Self> {
        let same = sources.len() == EMBEDDED.len()
            && sources
                .iter()
                .zip(EMBEDDED)
                .all(|(source, (origin, text))| source.origin == *origin && source.text == *text);
        let compiled = same.then(|| yara_x::Rules::deserialize(COMPILED).ok())??;
        Some(Self {
            marks: marks(&compiled),
            compiled,
            digest: digest(sources),
            skipped: Vec::new(),
            sees: Paths::of(sources),
        })
    }

    /// SHA-256 over the sources, in hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether rules ask for `filepath`.
    pub fn paths(&self) -> Paths {
        self.sees
    }

    /// Rules that were left out, with the reason.
    pub fn skipped(&self) -> &[BadRule] {
        &self.skipped
    }

    /// Every compiled rule.
    pub fn list(&self) -> Vec<RuleInfo> {
        self.compiled
            .iter()
            .filter(|rule| !rule.is_private())
            .map(|rule| info(&rule))
            .collect()
    }

    /// A scanner for one thread.
    pub fn scanner(&self) -> RuleScanner<'_> {
        RuleScanner {
            scanner: Scanner::new(&self.compiled),
            marks: &self.marks,
        }
    }
}

/// What rules may ask about the place of the bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Globals<'a> {
    /// Last component of the name.
    pub filename: &'a str,
    /// Names from the input down, joined by slashes.
    pub filepath: &'a str,
    /// Behind the last dot, lower case, with the dot, as public rule sets expect.
    pub extension: &'a str,
    /// The kind in upper case, as public rule sets expect.
    pub filetype: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// How the artifact was reached.
    pub via: &'a str,
    /// The kind of the artifact that holds it.
    pub parent_kind: &'a str,
    /// Containers above it.
    pub depth: u32,
}

/// A rule that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleMatch {
    /// The rule.
    pub rule: RuleInfo,
    /// The first pattern that matched, or the description where the rule has none.
    pub evidence: Evidence,
}

/// Why a scan with rules gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleTrouble {
    /// The time was over.
    #[error("timeout")]
    OutOfTime,
    /// The engine failed on these bytes.
    #[error("{0}")]
    Failed(String),
}

/// One thread's scanner; costs milliseconds to make, so it is reused.
pub struct RuleScanner<'r> {
    scanner: Scanner<'r>,
    marks: &'r AnyOf,
}

impl std::fmt::Debug for RuleScanner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleScanner").finish_non_exhaustive()
    }
}

impl RuleScanner<'_> {
    /// Whether the bytes hold a mark, in letters of any case; of other kinds than pages and XML, and of large ones, that
    /// is not asked.
    fn is_marked(&self, data: &[u8], kind: &str) -> bool {
        !MARKED_KINDS.contains(&kind)
            || data.len() > MARKED_SIZE
            || self.marks.is_in(&data.to_ascii_lowercase())
    }

    /// Every rule that matches the bytes, in the order of the rule set.
    pub fn scan(
        &mut self,
        data: &[u8],
        globals: Globals<'_>,
        time_left: Option<Duration>,
    ) -> Result<Vec<RuleMatch>, RuleTrouble> {
        let failed = |error: &dyn std::fmt::Display| RuleTrouble::Failed(error.to_string());
        let texts = [
            ("filename", globals.filename),
            ("filepath", globals.filepath),
            ("extension", globals.extension),
            ("filetype", globals.filetype),
            ("kind", globals.kind),
            ("via", globals.via),
            ("parent_kind", globals.parent_kind),
        ];
        for (name, value) in texts {
            self.scanner
                .set_global(name, value)
                .map_err(|error| failed(&error))?;
        }
        self.scanner
            .set_global("depth", i64::from(globals.depth))
            .map_err(|error| failed(&error))?;
        self.scanner
            .set_global("marked", self.is_marked(data, globals.kind))
            .map_err(|error| failed(&error))?;
        if let Some(left) = time_left {
            // The timer counts beats of a process-wide one-second clock, so one second can mean a tenth.
            self.scanner
                .set_timeout(Duration::from_secs(left.as_secs().saturating_add(2)));
        }
        match self.scanner.scan(data) {
            Ok(results) => Ok(results
                .matching_rules()
                .map(|rule| matched(&rule, data))
                .collect()),
            Err(ScanError::Timeout) => Err(RuleTrouble::OutOfTime),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// The words that rules name as theirs.
fn marks(rules: &yara_x::Rules) -> AnyOf {
    let named = rules.iter().flat_map(|rule| rule.metadata());
    let named = named.filter_map(|(key, value)| match value {
        MetaValue::String(words) if key == "marks" => Some(words),
        _ => None,
    });
    let words = named.flat_map(|words| words.split(','));
    let words: Vec<&str> = words
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    AnyOf::new(&words)
}

fn digest(sources: &[RuleSource]) -> String {
    let mut hash = Sha256::new();
    for source in sources {
        hash.update(source.text.as_bytes());
        hash.update([0]);
    }
    crate::model::hex(&hash.finalize())
}

fn matched(rule: &Rule<'_, '_>, data: &[u8]) -> RuleMatch {
    let info = info(rule);
    let first = rule
        .patterns()
        .flat_map(|pattern| {
            pattern
                .matches()
                .take(1)
                .map(|found| found.range())
                .collect::<Vec<_>>()
        })
        .min_by_key(|range| range.start);
    let evidence = match first {
        None => Evidence {
            text: info.description.clone(),
            ..Evidence::default()
        },
        Some(range) => {
            let end = range.end.min(range.start.saturating_add(SHOWN));
            let shown = String::from_utf8_lossy(data.get(range.start..end).unwrap_or_default())
                .replace('\0', "");
            Evidence {
                text: text::excerpt(&shown),
                offset: Some(range.start),
                decoded: None,
            }
        }
    };
    RuleMatch {
        rule: info,
        evidence,
    }
}

fn info(rule: &Rule<'_, '_>) -> RuleInfo {
    let mut score = DEFAULT_SCORE;
    let mut attack = Vec::new();
    let mut description = String::new();
    for (key, value) in rule.metadata() {
        match (key, value) {
            ("score", MetaValue::Integer(number)) => {
                score = u8::try_from(number.clamp(0, 100)).unwrap_or(score);
            }
            ("severity", MetaValue::String(word)) => {
                let named = Severity::ALL
                    .into_iter()
                    .find(|severity| severity.as_str().eq_ignore_ascii_case(word));
                score = named.map_or(score, Severity::score);
            }
            ("attack", MetaValue::String(ids)) => {
                attack = ids
                    .split([',', ' '])
                    .filter(|id| !id.is_empty())
                    .map(text::safe)
                    .collect();
            }
            ("description", MetaValue::String(words)) => description = text::excerpt(words),
            _ => {}
        }
    }
    RuleInfo {
        name: rule.identifier().to_owned(),
        score,
        attack,
        description,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_build_compiled_is_taken_for_the_embedded_rules_only() {
        let sources: Vec<RuleSource> = embedded().collect();
        let built = Rules::as_built(&sources).unwrap();
        let mut more = sources.clone();
        more.push(RuleSource {
            origin: "own.yar".to_owned(),
            text: "rule own { condition: false }".to_owned(),
        });
        assert!(Rules::as_built(&more).is_none());
        let compiled = Rules::compile(more, Strictness::Strict).unwrap();
        let mut names = compiled.list();
        assert_eq!(names.pop().map(|rule| rule.name), Some("own".to_owned()));
        assert_eq!(built.list(), names);
        let mut changed = sources;
        if let Some(first) = changed.first_mut() {
            first.text.push(' ');
        }
        assert!(Rules::as_built(&changed).is_none());
    }

    #[test]
    fn pages_and_xml_are_searched_where_they_have_a_mark_in_any_case() {
        let rules = Rules::compile(embedded(), Strictness::Strict).unwrap();
        let mut scanner = rules.scanner();
        let mut names = |kind: &str, data: &str| -> Vec<String> {
            let globals = Globals {
                kind,
                ..Globals::default()
            };
            let found = scanner.scan(data.as_bytes(), globals, None).unwrap();
            found.into_iter().map(|found| found.rule.name).collect()
        };
        let starts = "<a href='MS-Msdt:/id PCWDiagnostic'>";
        let opens = "location = 'SEARCH:query=a&crumb=location:\\\\192.0.2.1\\a'";
        let builds = "new Blob([atob(a)]); URL.createObjectURL(b); a.click();";
        for kind in ["html", "svg", "js"] {
            assert_eq!(names(kind, starts), ["Html_Opens_Troubleshooter"]);
            assert_eq!(names(kind, opens), ["Page_Opens_Search_On_Remote_Share"]);
            assert_eq!(names(kind, builds), ["Html_Builds_A_File"]);
            assert!(names(kind, "new Blob(a); search: b; ms-msdt:").is_empty());
        }
        assert_eq!(names("xml", starts), ["Html_Opens_Troubleshooter"]);
        let inline = "<USINGTASK TaskFactory='RoslynCODETaskFactory'><Code Type='Class'>";
        assert_eq!(names("xml", inline), ["MSBuild_Inline_Code"]);
        assert!(names("html", inline).is_empty());
    }
}
