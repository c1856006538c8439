//! `summary.html`: what a batch comes to, for people. One page without scripts and without anything from elsewhere,
//! in English and Japanese, light and dark.
//!
//! It is made of the tables, so that both tell the same, and says no more than fits a page however long the run was.

mod charts;
mod facts;
mod page;
mod words;

use crate::knowledge::{Knowledge, Language};

use super::keep::write_whole;
use super::{OutputError, Results};

use facts::Facts;
use page::Page;
use words::Words;

/// Writes the page.
pub(super) fn write(
    results: &Results,
    knowledge: &Knowledge,
    language: Language,
) -> Result<(), OutputError> {
    let path = results.folder().join("summary.html");
    let words = Words::embedded().map_err(|why| OutputError::damaged(&path, &why))?;
    let facts = Facts::gather(results)?;
    let page = Page {
        facts: &facts,
        catalogue: &knowledge.catalogue,
        words: &words,
        language,
    };
    write_whole(&path, page.html().as_bytes())
}
