//! Which addresses and names are worth keeping as indicators: `signatures/indicators.toml`.

use std::collections::BTreeSet;

use serde::Deserialize;

/// Lists for indicators.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndicatorLists {
    /// Hosts of names of vocabularies: no indicators.
    pub namespaces: BTreeSet<String>,
    /// Extensions of files that run.
    pub executable_extensions: BTreeSet<String>,
    /// Words with which a command line starts.
    pub commands: BTreeSet<String>,
}

impl IndicatorLists {
    /// Reads the text of `indicators.toml`; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }
}
