//! `signatures/scripts.toml`: what programs in text look like, language by language.
//!
//! One automaton finds the features of all languages in one pass over a text in which each line begins with a line
//! feed, is trimmed and in lower case.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, MatchKind, StartKind};
use serde::Deserialize;

use crate::model::Kind;

/// The text of the file.
const SOURCE: &str = include_str!("../../signatures/scripts.toml");

/// With what does not hold, for there is nobody to complain to where they are used.
static SCRIPTS: LazyLock<(Scripts, Option<String>)> =
    LazyLock::new(|| match Scripts::parse(SOURCE) {
        Ok(scripts) => (scripts, None),
        Err(reason) => (Scripts::default(), Some(reason)),
    });

/// The embedded features; a test holds that they parse.
pub fn scripts() -> &'static Scripts {
    &SCRIPTS.0
}

/// What does not hold in the embedded features.
pub(super) fn fault() -> Option<String> {
    SCRIPTS.1.clone()
}

/// One language.
#[derive(Debug, Clone)]
pub struct Language {
    /// What a text in it is.
    pub kind: Kind,
    /// What a line that is a comment starts with, in lower case.
    pub comment: Vec<String>,
    /// What opens a comment of several lines, and what closes it.
    pub block: Vec<(String, String)>,
    /// Sum of the weights of different features from which a text is in this language.
    pub weight: u32,
    /// Different features that it takes at least.
    pub distinct: u32,
    /// Lines with a feature, of a hundred lines that are no comment, at least.
    pub share: usize,
    /// Lines of prose, of a hundred lines that are no comment, at most.
    pub prose: usize,
}

/// What a feature says about one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// Index among the languages.
    pub language: usize,
    /// Number of the feature within the language, below 128.
    pub bit: u32,
    /// How much it says; 0: the language cannot have it.
    pub weight: u32,
    /// Whether it stands at a line's start or end.
    pub anchored: bool,
}

/// One feature found in a text.
#[derive(Debug, Clone, Copy)]
pub struct Feature<'a> {
    /// Offset in bytes; of the line feed where the feature begins a line.
    pub at: usize,
    /// What it says.
    pub meanings: &'a [Meaning],
}

/// The features of all languages.
#[derive(Debug, Default)]
pub struct Scripts {
    languages: Vec<Language>,
    automaton: Option<AhoCorasick>,
    /// The same as a table of all states, once so much was searched that making it pays.
    table: OnceLock<Option<AhoCorasick>>,
    /// Bytes searched so far.
    searched: AtomicUsize,
    patterns: Vec<String>,
    meanings: Vec<Vec<Meaning>>,
    /// The features that begin a line, and those that only end one by the byte in front of the line's end.
    first: Option<AhoCorasick>,
    last: BTreeMap<u8, Vec<String>>,
    /// What extensions say of a text.
    named: BTreeMap<String, Kind>,
}

/// Bytes searched from which the table of all states is made: it takes several milliseconds and gains a few
/// nanoseconds a byte.
const WORTH_A_TABLE: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    named: BTreeMap<Kind, Vec<String>>,
    language: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: Kind,
    #[serde(default)]
    comment: Vec<String>,
    #[serde(default)]
    block: Vec<(String, String)>,
    weight: u32,
    distinct: u32,
    share: usize,
    prose: usize,
    strong: Vec<String>,
    weak: Vec<String>,
    #[serde(default)]
    never: Vec<String>,
}

/// Weight of a feature that says much, and of one that says little.
const STRONG: u32 = 3;
const WEAK: u32 = 1;

impl Scripts {
    /// Reads the text of the file; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut named = BTreeMap::new();
        for (kind, extensions) in file.named {
            named.extend(extensions.into_iter().map(|extension| (extension, kind)));
        }
        let mut languages = Vec::new();
        let mut patterns: BTreeMap<String, Vec<Meaning>> = BTreeMap::new();
        for (language, row) in file.language.into_iter().enumerate() {
            let weighted = [(&row.strong, STRONG), (&row.weak, WEAK), (&row.never, 0)];
            let features = weighted
                .into_iter()
                .flat_map(|(list, weight)| list.iter().map(move |feature| (feature, weight)));
            for (bit, (feature, weight)) in (0u32..).zip(features) {
                if bit >= 128 {
                    return Err(format!("{}: more than 128 features", row.kind));
                }
                let (pattern, anchored) = pattern(feature)?;
                let meaning = Meaning {
                    language,
                    bit,
                    weight,
                    anchored,
                };
                patterns.entry(pattern).or_default().push(meaning);
            }
            languages.push(Language {
                kind: row.kind,
                comment: row.comment,
                block: row.block,
                weight: row.weight,
                distinct: row.distinct,
                share: row.share,
                prose: row.prose,
            });
        }
        let (patterns, meanings): (Vec<_>, Vec<_>) = patterns.into_iter().unzip();
        let automaton = automaton(&patterns, AhoCorasickKind::ContiguousNFA)
            .map_err(|error| error.to_string())?;
        let counted = patterns.iter().zip(&meanings).filter(|(_, meanings)| {
            let counts = |meaning: &Meaning| meaning.anchored && meaning.weight > 0;
            meanings.iter().any(counts)
        });
        let (first, last): (Vec<&str>, Vec<&str>) = counted
            .map(|(pattern, _)| pattern.as_str())
            .partition(|pattern| pattern.starts_with('\n'));
        let first = AhoCorasick::builder()
            .start_kind(StartKind::Anchored)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(first)
            .map_err(|error| error.to_string())?;
        let mut closing: BTreeMap<u8, Vec<String>> = BTreeMap::new();
        for pattern in last {
            let byte = pattern.as_bytes().iter().nth_back(1).copied();
            let ends = closing.entry(byte.unwrap_or(b'\n')).or_default();
            ends.push(pattern.to_owned());
        }
        Ok(Self {
            first: Some(first),
            last: closing,
            languages,
            automaton: Some(automaton),
            table: OnceLock::new(),
            named,
            searched: AtomicUsize::new(0),
            patterns,
            meanings,
        })
    }

    /// What Windows, or an interpreter that is installed, runs a text with this extension as.
    pub fn by_extension(&self, extension: &str) -> Option<Kind> {
        self.named.get(extension).copied()
    }

    /// The languages, in the order of the file.
    pub fn languages(&self) -> &[Language] {
        &self.languages
    }

    /// Makes now what pays once much is searched: for a program that is going to.
    pub fn prepare(&self) {
        self.searched.fetch_max(WORTH_A_TABLE, Ordering::Relaxed);
        self.automaton(0);
    }

    /// What to search `len` more bytes with.
    fn automaton(&self, len: usize) -> Option<&AhoCorasick> {
        let before = self.searched.fetch_add(len, Ordering::Relaxed);
        if before < WORTH_A_TABLE {
            return self.automaton.as_ref();
        }
        let table = || automaton(&self.patterns, AhoCorasickKind::DFA).ok();
        self.table
            .get_or_init(table)
            .as_ref()
            .or(self.automaton.as_ref())
    }

    /// Whether any feature that counts stands at a line's start or end in a text of the form described above: no
    /// language is told without one, and most texts have none.
    pub fn may_tell(&self, text: &str) -> bool {
        let first = |at: usize| {
            let input = Input::new(text).range(at..).anchored(Anchored::Yes);
            let mut search = self.first.iter();
            search.any(|search| {
                search
                    .try_find(input.clone())
                    .is_ok_and(|found| found.is_some())
            })
        };
        let last = |at: usize| {
            let line = text.as_bytes().get(..=at).unwrap_or_default();
            let byte = line.iter().nth_back(1);
            let ends = byte.and_then(|byte| self.last.get(byte));
            ends.is_some_and(|ends| ends.iter().any(|end| line.ends_with(end.as_bytes())))
        };
        memchr::memchr_iter(b'\n', text.as_bytes()).any(|at| first(at) || last(at))
    }

    /// The features in a text of the form described above, in the order in which they end.
    pub fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Feature<'a>> {
        let found = self
            .automaton(text.len())
            .into_iter()
            .flat_map(move |automaton| automaton.find_overlapping_iter(text));
        found.map(|found| Feature {
            at: found.start(),
            meanings: self
                .meanings
                .get(found.pattern().as_usize())
                .map(Vec::as_slice)
                .unwrap_or_default(),
        })
    }
}

fn automaton(
    patterns: &[String],
    kind: AhoCorasickKind,
) -> Result<AhoCorasick, aho_corasick::BuildError> {
    AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .kind(Some(kind))
        .build(patterns)
}

/// The text to look for: `^` in front is a line's start, `$$` behind a line's end.
fn pattern(feature: &str) -> Result<(String, bool), String> {
    if feature.to_ascii_lowercase() != *feature {
        return Err(format!("{feature:?} is not in lower case"));
    }
    let (feature, start) = feature
        .strip_prefix('^')
        .map_or((feature, ""), |feature| (feature, "\n"));
    let (feature, end) = feature
        .strip_suffix("$$")
        .map_or((feature, ""), |feature| (feature, "\n"));
    if feature.len() < 2 && start.is_empty() && end.is_empty() {
        return Err(format!("{feature:?} is too short"));
    }
    Ok((
        format!("{start}{feature}{end}"),
        !start.is_empty() || !end.is_empty(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_file_holds() {
        let scripts = Scripts::parse(SOURCE).unwrap();
        assert!(scripts.languages().len() > 8);
    }

    #[test]
    fn texts_without_a_line_of_any_language_are_told_at_once() {
        let scripts = Scripts::parse(SOURCE).unwrap();
        for (text, may) in [
            (
                "\nお世話になっております。\nthe figures are below.\n",
                false,
            ),
            ("\na var b\n", false),
            ("\nhello\nvar b = 1\n", true),
            ("\nhello\nx.each(function() {};\n", true),
            ("\n", false),
        ] {
            assert_eq!(scripts.may_tell(text), may, "{text}");
        }
    }

    #[test]
    fn the_table_finds_the_same() {
        let scripts = Scripts::parse(SOURCE).unwrap();
        let text =
            "\nset s = createobject(\"wscript.shell\")\ns.run \"calc.exe\"\nend if\n".repeat(200);
        let found = || {
            scripts
                .find(&text)
                .map(|found| found.at)
                .collect::<Vec<_>>()
        };
        let before = found();
        assert!(before.len() > 400 && scripts.table.get().is_none());
        scripts.searched.store(WORTH_A_TABLE, Ordering::Relaxed);
        assert_eq!(found(), before);
        assert!(scripts.table.get().is_some());
    }

    #[test]
    fn a_feature_is_found_at_its_anchor_only() {
        let text = "[[language]]\nkind = \"vbs\"\nweight = 1\ndistinct = 1\nshare = 1\nprose = 1\nstrong = [\"^dim \"]\nweak = [\"then$$\"]\n";
        let scripts = Scripts::parse(text).unwrap();
        let found = |text: &str| {
            scripts
                .find(text)
                .map(|feature| feature.at)
                .collect::<Vec<_>>()
        };
        assert_eq!(found("\ndim a\nx then\nadim b then\n"), [0, 9, 21]);
        assert!(Scripts::parse(&text.replace("^dim ", "DIM ")).is_err());
        assert!(Scripts::parse(&text.replace("vbs", "no-such-kind")).is_err());
    }
}
