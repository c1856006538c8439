//! What scripts of PDFs do: `signatures/pdf.toml`.

use serde::Deserialize;

/// Lists for scripts of PDFs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PdfLists {
    /// Calls that start, export or send something.
    pub acts: Vec<String>,
    /// The one of them that opens a page in the browser.
    pub opens_page: String,
    /// Variables in which forms of Adobe's own designer keep the page of a newer viewer.
    pub updates: Vec<String>,
    /// What such a page starts with.
    pub update_pages: Vec<String>,
    /// Calls that only attacks have a use for.
    pub abused: Vec<String>,
    /// Calls that run text as code.
    pub runs: Vec<String>,
    /// The same by a name in brackets, as a folded script shows it.
    pub runs_by_name: Vec<String>,
    /// Calls that make such text.
    pub decodes: Vec<String>,
}

impl PdfLists {
    /// Reads the text of `pdf.toml`; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }
}
