//! `signatures/behaviour.toml`: what scripts do, and from when on they hide it.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;
use serde::Deserialize;

use crate::model::Kind;

/// What is known of what scripts do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviours {
    /// Texts of JavaScript that unpacks itself, as they stand in a script without blanks: all of one list.
    packed: Vec<Vec<String>>,
    behaviour: Vec<Row>,
    /// What is known of batch files.
    pub batch: Batch,
    /// From when on a script is obfuscated.
    pub obfuscation: Obfuscation,
}

/// What is known of batch files.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Programs by which they start foreign code.
    pub starters: BTreeSet<String>,
    /// What such a program is given where nothing foreign is started, in lower case.
    pub ordinary: BTreeMap<String, String>,
}

/// Counts from which texts are put together so that nobody shall read them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Obfuscation {
    /// Characters given by their code.
    pub characters: u32,
    /// Pieces of one text.
    pub pieces: u32,
    /// Bytes of such a piece on an average, at the most.
    pub piece_len: usize,
    /// Texts turned around, replaced in, formatted, cut out.
    pub rearranged: u32,
    /// Printable characters written as escapes.
    pub escaped: u32,
    /// Names that an obfuscator gave.
    pub scrambled: usize,
    /// Marks within words of PowerShell.
    pub ticks: u32,
    /// Carets within words of batch files.
    pub carets: u32,
    /// Slices of variables in batch files.
    pub slices: u32,
    /// Pieces of words out of variables in batch files.
    pub variable_pieces: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kinds: Vec<Kind>,
    starts: Vec<Vec<String>>,
    downloads: Vec<Vec<String>>,
    decodes: Vec<Vec<String>>,
    /// What runs the text behind it.
    #[serde(default)]
    evaluates: Vec<String>,
}

/// What a script does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Decodes hidden code and runs it.
    DecodesAndRuns,
    /// Downloads something.
    Downloads,
    /// Starts another program.
    StartsProcess,
}

impl Behaviours {
    /// What shows that a script in JavaScript unpacks itself, blanks left out.
    pub fn packed(&self, squeezed: &str) -> Option<&[String]> {
        let met = |texts: &&Vec<String>| texts.iter().all(|text| has(squeezed, text));
        self.packed.iter().find(met).map(Vec::as_slice)
    }

    /// Reads the text of the file; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let behaviours: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for row in &behaviours.behaviour {
            let lists = row.starts.iter().chain(&row.downloads).chain(&row.decodes);
            for text in lists.flatten().chain(&row.evaluates) {
                let squeezed = text.to_lowercase().replace([' ', '\t'], "");
                if text.is_empty() || *text != squeezed {
                    return Err(format!("{:?}: {text:?} has blanks or capitals", row.kinds));
                }
            }
        }
        Ok(behaviours)
    }

    /// What of a script of a kind runs a text that does not stand there: `eval(` and a name behind it.
    pub fn evaluator(&self, kind: Kind, squeezed: &str) -> Option<&str> {
        let names = |behind: &str| {
            behind.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$' | '('))
        };
        let rows = self
            .behaviour
            .iter()
            .filter(|row| row.kinds.contains(&kind));
        let mut evaluators = rows.flat_map(|row| &row.evaluates);
        evaluators
            .find(|text| {
                let mut found = memmem::find_iter(squeezed.as_bytes(), text.as_bytes());
                found.any(|at| {
                    let behind = at.saturating_add(text.len());
                    squeezed.get(behind..).is_some_and(names)
                })
            })
            .map(String::as_str)
    }

    /// The first thing that a script of a kind does, with the texts that show it; `squeezed` is its text in lower
    /// case without blanks.
    pub fn deed(&self, kind: Kind, squeezed: &str) -> Option<(Deed, &[String])> {
        let rows = || {
            self.behaviour
                .iter()
                .filter(|row| row.kinds.contains(&kind))
        };
        let met = |list: fn(&Row) -> &Vec<Vec<String>>| {
            let mut all = rows().flat_map(list);
            all.find(|texts| texts.iter().all(|text| has(squeezed, text)))
        };
        let first = met(|row| &row.decodes).map(|texts| (Deed::DecodesAndRuns, texts));
        let first =
            first.or_else(|| met(|row| &row.downloads).map(|texts| (Deed::Downloads, texts)));
        let first =
            first.or_else(|| met(|row| &row.starts).map(|texts| (Deed::StartsProcess, texts)));
        first.map(|(deed, texts)| (deed, texts.as_slice()))
    }
}

fn has(squeezed: &str, text: &str) -> bool {
    memmem::find(squeezed.as_bytes(), text.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_does_is_told_by_all_texts_of_an_entry() {
        let behaviours =
            Behaviours::parse(include_str!("../../signatures/behaviour.toml")).unwrap();
        let deed = |kind, text: &str| behaviours.deed(kind, text).map(|(deed, _)| deed);
        assert_eq!(
            deed(Kind::Js, "newactivexobject(\"wscript.shell\").run("),
            Some(Deed::StartsProcess)
        );
        assert_eq!(deed(Kind::Js, "newactivexobject(\"wscript.shell\")"), None);
        let runs = |text: &str| behaviours.evaluator(Kind::Js, text).is_some();
        assert!(runs("eval(r)") && !runs("newfunction(\"returnthis\")()"));
        for (kind, text) in [
            (Kind::Hta, "<scriptsrc=\"http://192.0.2.1/a.vbs\">"),
            (
                Kind::Hta,
                "<iframesrc=\"http://192.0.2.1/a\"application=\"yes\">",
            ),
            (
                Kind::Vbs,
                "x.load\"http://192.0.2.1/a.xsl\"\nx.transformnodex",
            ),
            (Kind::Ps1, "(resolve-dnsname-typetxta).strings|iex"),
            (Kind::Au3, "urldownloadtofile,http://192.0.2.1/a,b"),
        ] {
            assert_eq!(deed(kind, text), Some(Deed::Downloads), "{text}");
        }
        assert_eq!(deed(Kind::Hta, "<imgsrc=\"http://192.0.2.1/a.png\">"), None);
        assert_eq!(
            deed(Kind::Ps1, "resolve-dnsnamewww.example.com|format-table"),
            None
        );
        assert_eq!(deed(Kind::Vbs, "x.load\"a.xsl\"\nx.transformnodex"), None);
        assert_eq!(
            deed(Kind::Bat, "newactivexobject(\"wscript.shell\").run("),
            None
        );
    }
}
