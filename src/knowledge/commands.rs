//! `signatures/commands.toml`: tools of Windows, and how command lines misuse them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// What is known of command lines.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// Programs that run what they are told, by lower-case name without extension.
    pub interpreters: BTreeSet<String>,
    /// Further tools that no shortcut has a reason to start.
    pub targets: BTreeSet<String>,
    /// Names of PowerShell.
    pub powershell: BTreeSet<String>,
    /// What the arguments of PowerShell contain where they are a command and no prose.
    pub powershell_marks: Vec<String>,
    /// What in a command for PowerShell fetches something.
    pub powershell_downloads: Vec<String>,
    /// What in a command for PowerShell decodes something.
    pub powershell_decodes: Vec<String>,
    /// What a text of a management console contains where it is script, in lower case.
    pub console_scripts: Vec<String>,
    /// Functions by which Office starts an add-in.
    pub addin_exports: BTreeSet<String>,
    /// Events of an OpenDocument file that start a macro without the user, in lower case.
    pub odf_events: Vec<String>,
    /// What a macro of an OpenDocument file contains that starts a program or fetches, in lower case without blanks.
    pub odf_calls: Vec<String>,
    tool: Vec<Tool>,
    lolbin: Vec<LolbinRow>,
    /// What is known of build projects.
    pub msbuild: BuildLists,
    #[serde(skip)]
    patterns: BTreeMap<String, Vec<Vec<String>>>,
}

/// What is known of build projects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildLists {
    /// Factories of tasks that compile text of the project, in lower case without their namespace.
    pub factories: BTreeSet<String>,
    /// Property functions that write files or start something.
    pub functions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    name: String,
    #[serde(default)]
    also: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LolbinRow {
    tools: Vec<String>,
    any: Vec<Vec<String>>,
}

impl Commands {
    /// Reads the text of the file; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut commands: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for row in &commands.lolbin {
            for text in row.any.iter().flatten() {
                if text.is_empty() || *text != text.to_lowercase() {
                    return Err(format!(
                        "lolbin {:?}: {text:?} is not in lower case",
                        row.tools
                    ));
                }
            }
            for tool in &row.tools {
                let patterns = commands.patterns.entry(tool.clone()).or_default();
                patterns.extend(row.any.iter().cloned());
            }
        }
        Ok(commands)
    }

    /// Whether the arguments make a tool run or fetch foreign code; both in lower case, options with a slash.
    pub fn misused(&self, tool: &str, arguments: &str) -> bool {
        self.patterns.get(tool).is_some_and(|any| {
            any.iter()
                .any(|all| all.iter().all(|text| arguments.contains(text.as_str())))
        })
    }

    /// The name of the tool that is called so, in lower case without extension.
    pub fn tool(&self, stem: &str) -> Option<&str> {
        let found = self.tool.iter().find(|tool| tool.name == stem);
        found.map(|tool| tool.name.as_str())
    }

    /// Whether a tool may come under a lower-case name without extension.
    pub fn is_name_of(&self, tool: &str, stem: &str) -> bool {
        let row = self.tool.iter().find(|row| row.name == tool);
        row.is_some_and(|row| row.name == stem || row.also.iter().any(|also| also == stem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_misused_by_its_arguments_alone() {
        let text = include_str!("../../signatures/commands.toml");
        let commands = Commands::parse(text).unwrap();
        assert!(commands.misused("certutil", " /urlcache /f http://x"));
        assert!(!commands.misused("certutil", " /dump a.cer"));
        assert!(!commands.misused("notepad", "/urlcache"));
        assert_eq!(commands.tool("mshta"), Some("mshta"));
        assert!(commands.is_name_of("psexec", "psexec64") && !commands.is_name_of("psexec", "svc"));
    }
}
