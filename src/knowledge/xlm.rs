//! What Excel 4 macros do by themselves and what they can do: `signatures/xlm.toml`.

use std::collections::BTreeSet;

use serde::Deserialize;

/// What is known of Excel 4 macros.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XlmKnowledge {
    starts: Vec<String>,
    dangerous: BTreeSet<String>,
    opens: Vec<Opening>,
    telling: Telling,
}

/// A function that opens a file, for writing unless an argument says otherwise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    function: String,
    argument: usize,
    harmless: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Telling {
    functions: BTreeSet<String>,
}

impl XlmKnowledge {
    /// Reads the text of `xlm.toml`; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let known: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if let Some(name) = known
            .starts
            .iter()
            .find(|name| name.to_lowercase() != **name)
        {
            return Err(format!("{name} is not in lower case"));
        }
        let functions = known.dangerous.iter().chain(&known.telling.functions);
        let mut functions = functions.chain(known.opens.iter().map(|opening| &opening.function));
        match functions.find(|name| name.to_ascii_uppercase() != **name) {
            Some(name) => Err(format!("{name} is not in capitals")),
            None => Ok(known),
        }
    }

    /// Whether Excel starts a macro at a name, in lower case and without invisible characters.
    pub fn starts_by_itself(&self, name: &str) -> bool {
        self.starts
            .iter()
            .any(|start| name.starts_with(start.as_str()))
    }

    /// Whether a call of a function, in capitals, starts a program, calls into Windows or writes a file.
    pub fn is_dangerous(&self, function: &str, arguments: &[Option<String>]) -> bool {
        let opening = self
            .opens
            .iter()
            .find(|opening| opening.function == function);
        opening.map_or_else(
            || self.dangerous.contains(function),
            |opening| {
                arguments.get(opening.argument).and_then(Option::as_deref)
                    != Some(opening.harmless.as_str())
            },
        )
    }

    /// Whether calls of a function, in capitals, are worth showing.
    pub fn is_worth_showing(&self, function: &str) -> bool {
        self.dangerous.contains(function) || self.telling.functions.contains(function)
    }
}
