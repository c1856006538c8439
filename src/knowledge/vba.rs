//! What VBA does by itself and what it can do: `signatures/vba.toml`, lower-cased and checked.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;
use serde::Deserialize;

/// Words that a mark has room for.
const MARKS: usize = 128;

/// When a call is suspicious.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Whatever it is given.
    Always,
    /// An argument names an executable or script file.
    Executable,
    /// An argument is the web address of an executable or script file.
    RemoteExecutable,
    /// An argument contains one of the texts.
    Containing,
    /// An argument is a web address and contains one of the texts.
    RemoteContaining,
    /// Its only argument is not known, and its statement contains one of the texts.
    Hidden,
    /// An argument is a formula that starts a program.
    Formula,
    /// It is more than opening a document, folder or web address.
    NotOpened,
}

impl When {
    /// Whether it needs a list of texts.
    fn has_texts(self) -> bool {
        matches!(
            self,
            Self::Containing | Self::RemoteContaining | Self::Hidden
        )
    }
}

/// How telling a function of Windows is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// As soon as it is declared.
    Declared,
    /// Where it is called.
    Called,
    /// Where it is called in a module that takes the address of no procedure of its own.
    Callback,
    /// Not by itself.
    Hint,
}

/// A call that is suspicious.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRule {
    /// What it is able to do.
    pub category: String,
    /// Names of functions, statements or members.
    pub names: Vec<String>,
    /// Objects it is made on; `*` for any. Empty: a function, on nothing.
    #[serde(default)]
    pub on: Vec<String>,
    /// Objects on which it is something else.
    #[serde(default)]
    pub except_on: Vec<String>,
    /// When.
    pub when: When,
    /// Texts for those that need them.
    #[serde(default)]
    pub containing: Vec<String>,
}

/// A property whose setting is suspicious.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentRule {
    /// What it is able to do.
    pub category: String,
    /// Names of the property.
    pub names: Vec<String>,
    /// Numbers that it must be set to.
    #[serde(default)]
    pub numbers: Vec<i64>,
    /// Texts in lower case, one of which what it is set to must contain.
    #[serde(default)]
    pub containing: Vec<String>,
}

/// What is known of a function of Windows.
#[derive(Debug, Clone)]
pub struct Api {
    /// What it is able to do.
    pub category: String,
    /// How telling it is.
    pub weight: Weight,
    /// When a call of it is, with [`Weight::Called`].
    pub when: When,
    /// Texts for [`When::Containing`].
    pub containing: Vec<String>,
    /// Parts of the names of libraries, in lower case, out of which it is telling as soon as it is declared.
    pub declared_in: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    autoexec: AutoExec,
    call: Vec<CallRule>,
    assignment: Vec<AssignmentRule>,
    api: Vec<ApiRow>,
    hidden: Hidden,
    commands: Commands,
    disguise: Disguise,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiRow {
    category: String,
    weight: Weight,
    names: Vec<String>,
    #[serde(default)]
    when: Option<When>,
    #[serde(default)]
    declared_in: Vec<String>,
    #[serde(default)]
    containing: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AutoExec {
    procedures: Vec<String>,
    modules: Vec<String>,
    suffixes: Vec<String>,
    suffix_exceptions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hidden {
    words: Vec<String>,
    ordinary: Vec<String>,
}

/// What command lines are made of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// Extensions of files that run.
    pub executable_extensions: Vec<String>,
    /// Programs that only show what they are given.
    pub viewers: Vec<String>,
    /// Programs that only show a document, where they are given one.
    pub editors: Vec<String>,
    /// Extensions of documents that are merely opened.
    pub document_extensions: Vec<String>,
    /// Expressions that name a folder of the user's own.
    pub folders: Vec<String>,
}

/// Names and types that claim no macros.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disguise {
    /// Extensions.
    pub extensions: BTreeSet<String>,
    /// Media types.
    pub types: BTreeSet<String>,
}

/// What is known of VBA.
#[derive(Debug)]
pub struct VbaKnowledge {
    procedures: BTreeSet<String>,
    modules: BTreeSet<String>,
    suffixes: Vec<String>,
    suffix_exceptions: Vec<String>,
    calls: Vec<CallRule>,
    by_name: BTreeMap<String, Vec<usize>>,
    assignments: Vec<AssignmentRule>,
    apis: BTreeMap<String, Api>,
    hidden: AhoCorasick,
    words: Vec<String>,
    ordinary: u128,
    /// What command lines are made of.
    pub commands: Commands,
    /// Names and types that claim no macros.
    pub disguise: Disguise,
}

impl VbaKnowledge {
    /// Reads the text of `vba.toml`; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let lower = |list: &[String]| {
            list.iter()
                .map(|one| one.to_lowercase())
                .collect::<Vec<_>>()
        };
        for rule in &mut file.call {
            rule.names = lower(&rule.names);
            if rule.when.has_texts() == rule.containing.is_empty() {
                return Err(format!(
                    "call {:?}: containing and when disagree",
                    rule.names
                ));
            }
        }
        for rule in &mut file.assignment {
            rule.names = lower(&rule.names);
        }
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, rule) in file.call.iter().enumerate() {
            for name in &rule.names {
                by_name.entry(name.clone()).or_default().push(at);
            }
        }
        let mut apis = BTreeMap::new();
        for row in &file.api {
            for name in lower(&row.names) {
                let api = Api {
                    category: row.category.clone(),
                    weight: row.weight,
                    when: row.when.unwrap_or(When::Always),
                    containing: row.containing.clone(),
                    declared_in: row.declared_in.clone(),
                };
                if apis.insert(name.clone(), api).is_some() {
                    return Err(format!("api {name} stands twice"));
                }
            }
        }
        if file.hidden.words.len() > MARKS {
            return Err(format!(
                "hidden words: {} of at most {MARKS}",
                file.hidden.words.len()
            ));
        }
        let ordinary = file.hidden.ordinary.iter().try_fold(0u128, |bits, word| {
            let at = file.hidden.words.iter().position(|one| one == word);
            at.map(|at| bits | bit(at))
                .ok_or_else(|| format!("no hidden word {word:?}"))
        })?;
        let hidden = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(&file.hidden.words)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            procedures: lower(&file.autoexec.procedures).into_iter().collect(),
            modules: lower(&file.autoexec.modules).into_iter().collect(),
            suffixes: lower(&file.autoexec.suffixes),
            suffix_exceptions: lower(&file.autoexec.suffix_exceptions),
            calls: file.call,
            by_name,
            assignments: file.assignment,
            apis,
            hidden,
            words: file.hidden.words,
            ordinary,
            commands: file.commands,
            disguise: file.disguise,
        })
    }

    /// Whether a procedure of this lower-case name runs without being asked for.
    pub fn starts_by_itself(&self, procedure: &str) -> bool {
        let excepted = || {
            self.suffix_exceptions
                .iter()
                .any(|prefix| procedure.starts_with(prefix.as_str()))
        };
        let suffixed = || {
            self.suffixes.iter().any(|suffix| {
                procedure.len() > suffix.len() && procedure.ends_with(suffix.as_str())
            })
        };
        self.procedures.contains(procedure) || (suffixed() && !excepted())
    }

    /// Whether a `Sub Main` in a module of this name runs without being asked for.
    pub fn module_starts_by_itself(&self, module: &str) -> bool {
        self.modules.contains(&module.to_lowercase())
    }

    /// The rules on calls of a lower-case name.
    pub fn calls(&self, name: &str) -> impl Iterator<Item = &CallRule> {
        let found = self.by_name.get(name).into_iter().flatten();
        found.filter_map(|at| self.calls.get(*at))
    }

    /// The rules on properties of a lower-case name.
    pub fn assignments(&self, name: &str) -> impl Iterator<Item = &AssignmentRule> {
        self.assignments
            .iter()
            .filter(move |rule| rule.names.iter().any(|one| one == name))
    }

    /// Whether some rule wants a call on an object of this lower-case trail.
    pub fn is_dangerous_object(&self, trail: &str) -> bool {
        let named = |rule: &CallRule| {
            rule.on
                .iter()
                .any(|on| on != "*" && trail.starts_with(on.as_str()))
        };
        self.calls.iter().any(named)
    }

    /// What is known of a function of Windows, with or without the `A` or `W` behind its name.
    pub fn api(&self, name: &str) -> Option<&Api> {
        let name = name.to_lowercase();
        self.apis.get(&name).or_else(|| {
            let stem = name.strip_suffix('a').or_else(|| name.strip_suffix('w'))?;
            self.apis.get(stem)
        })
    }

    /// The hidden words in a text, as bits.
    pub fn mark(&self, text: &str) -> u128 {
        self.hidden.marks(text)
    }

    /// Of the words in `found`, those that ordinary texts are not pieced together around.
    pub fn telling(&self, found: u128) -> u128 {
        found & !self.ordinary
    }

    /// The words of a mark.
    pub fn words(&self, mark: u128) -> impl Iterator<Item = &str> {
        let marked = move |(at, _): &(usize, &String)| mark & bit(*at) != 0;
        self.words
            .iter()
            .enumerate()
            .filter(marked)
            .map(|(_, word)| word.as_str())
    }
}

/// Finding every word, also one within another.
trait Marks {
    fn marks(&self, text: &str) -> u128;
}

impl Marks for AhoCorasick {
    fn marks(&self, text: &str) -> u128 {
        self.find_overlapping_iter(text)
            .fold(0, |bits, found| bits | bit(found.pattern().as_usize()))
    }
}

fn bit(at: usize) -> u128 {
    u32::try_from(at)
        .ok()
        .and_then(|at| 1u128.checked_shl(at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded() -> VbaKnowledge {
        VbaKnowledge::parse(include_str!("../../signatures/vba.toml")).unwrap()
    }

    #[test]
    fn what_starts_by_itself_is_told_from_what_the_user_does() {
        let vba = embedded();
        for name in [
            "autoopen",
            "workbook_open",
            "document_close",
            "inkpicture1_painted",
            "worksheet_calculate",
        ] {
            assert!(vba.starts_by_itself(name), "{name}");
        }
        for name in [
            "button1_click",
            "combobox1_change",
            "userform_layout",
            "openfile",
            "_layout",
            "run",
        ] {
            assert!(!vba.starts_by_itself(name), "{name}");
        }
    }

    #[test]
    fn functions_are_known_in_both_character_sets() {
        let vba = embedded();
        assert!(vba.api("URLDownloadToFileA").is_some());
        assert!(vba.api("VirtualAlloc").is_some());
        assert!(vba.api("GetTickCount").is_none());
    }

    #[test]
    fn marks_name_their_words() {
        let vba = embedded();
        let mark = vba.mark("x = WScript.Shell");
        assert_eq!(vba.words(mark).collect::<Vec<_>>(), ["wscript.shell"]);
        assert_eq!(vba.mark("ordinary text"), 0);
    }
}
