//! What links of documents lead to: `signatures/links.toml`.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::text;

/// Lists for links.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkLists {
    /// Programs that give data to other documents.
    pub data_programs: BTreeSet<String>,
    /// Programs that serve a stranger.
    pub tools: BTreeSet<String>,
    /// Extensions of files that run, besides those of the indicators.
    pub runs: BTreeSet<String>,
    /// Schemes with which a file is fetched from a host.
    pub network_schemes: BTreeSet<String>,
    /// Schemes of shares.
    pub share_schemes: BTreeSet<String>,
    /// Schemes and names of monikers.
    pub monikers: BTreeSet<String>,
    /// Of those, the ones that act on a click.
    pub clicked: BTreeSet<String>,
    /// Schemes that fetch nothing.
    pub harmless_schemes: BTreeSet<String>,
    /// Endings of host names within an office's own network.
    pub local_domains: BTreeSet<String>,
    /// Extensions with which a spreadsheet opens a text as a table.
    pub table_extensions: BTreeSet<String>,
    /// Functions of spreadsheets that fetch or ask another program.
    pub fetching_functions: BTreeSet<String>,
    /// Functions of the queries of workbooks that fetch a page.
    pub query_functions: Vec<String>,
    /// Words for what nobody else is to know, as fields ask for it.
    pub secrets: Vec<String>,
    /// Services that take what a page of somebody else sends them.
    pub collectors: Vec<String>,
}

impl LinkLists {
    /// Reads the text of `links.toml`; the error says what does not hold.
    pub fn parse(source: &str) -> Result<Self, String> {
        let mut lists: Self = toml::from_str(source).map_err(|error| error.to_string())?;
        // They are compared in the letters that they look like.
        for word in &mut lists.secrets {
            *word = text::plain_letters(word);
        }
        Ok(lists)
    }
}
