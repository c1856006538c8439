//! Report → text, JSON, SARIF, HTML.
//!
//! A [`Renderer`] turns one report after another into pieces of one output, so that no more than a window of reports
//! is ever held. Foreign texts in a report are safe to show already; each format escapes for its own syntax.

mod captions;
mod html;
mod json;
mod sarif;
mod text;
mod tree;
mod words;

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::knowledge::Language;
use crate::model::{Level, Report};

use captions::Captions;
pub(crate) use html::escape;
pub(crate) use words::words;

/// What the output is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people: verdict, tree, what to do.
    Text,
    /// One JSON document: an object, or an array of them.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// SARIF 2.1.0, for code scanning dashboards.
    Sarif,
    /// One page without scripts or references to elsewhere.
    Html,
}

/// How much the text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// One line for each input that is not clean and complete.
    Brief,
    /// The artifacts that carry findings.
    Normal,
    /// The whole tree with sizes and digests.
    Whole,
}

/// Whether the text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// No escape sequences.
    Plain,
    /// Colours of a terminal.
    Colours,
}

/// Whether the output holds one report by the shape of the command line, or any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One file was given.
    One,
    /// Several paths, or a folder.
    Many,
}

/// What became of all inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Inputs below the threshold `suspicious`.
    pub clean: u64,
    /// Inputs at or above it.
    pub suspicious: u64,
    /// Inputs at or above the threshold `malicious`.
    pub malicious: u64,
    /// Inputs, among the ones above, that could not be looked through whole.
    pub incomplete: u64,
    /// Inputs that could not be read, counted in none of the above.
    pub unreadable: u64,
    /// Time from the start of the run.
    pub elapsed: Duration,
}

impl Totals {
    /// Counts a report.
    pub fn count(&mut self, level: Level, complete: bool) {
        let counter = match level {
            Level::Clean => &mut self.clean,
            Level::Suspicious => &mut self.suspicious,
            Level::Malicious => &mut self.malicious,
        };
        *counter = counter.saturating_add(1);
        if !complete {
            self.incomplete = self.incomplete.saturating_add(1);
        }
    }

    /// Inputs with a report.
    pub fn reports(&self) -> u64 {
        self.clean
            .saturating_add(self.suspicious)
            .saturating_add(self.malicious)
    }
}

/// Makes the pieces of one output.
#[derive(Debug)]
pub struct Renderer {
    format: Format,
    detail: Detail,
    paint: Paint,
    shape: Shape,
    captions: Captions,
}

impl Renderer {
    /// A renderer of reports that `engine` made.
    pub fn new(engine: Arc<Engine>, format: Format, language: Language) -> Self {
        Self {
            format,
            detail: Detail::Normal,
            paint: Paint::Plain,
            shape: Shape::Many,
            captions: Captions::new(engine, language),
        }
    }

    /// Sets how much the text says.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// Sets whether the text is coloured.
    #[must_use]
    pub fn paint(mut self, paint: Paint) -> Self {
        self.paint = paint;
        self
    }

    /// Sets the shape of a JSON document.
    #[must_use]
    pub fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// What stands before the first report.
    pub fn begin(&self) -> String {
        match self.format {
            Format::Text | Format::Ndjson => String::new(),
            Format::Json => json::begin(self.shape).to_owned(),
            Format::Sarif => sarif::begin(&self.captions),
            Format::Html => html::begin(&self.captions),
        }
    }

    /// One report; may be empty, and then nothing separates it from the next.
    pub fn report(&self, report: &Report) -> Result<String, serde_json::Error> {
        match self.format {
            Format::Text => Ok(text::report(
                report,
                &self.captions,
                self.detail,
                self.paint,
            )),
            Format::Json => json::report(report, self.shape),
            Format::Ndjson => json::line(report),
            Format::Sarif => sarif::report(report, &self.captions),
            Format::Html => Ok(html::report(report, &self.captions)),
        }
    }

    /// What stands between two reports.
    pub fn between(&self) -> &'static str {
        match self.format {
            Format::Text | Format::Ndjson | Format::Html => "",
            Format::Json | Format::Sarif => ",\n",
        }
    }

    /// What stands after the last report.
    pub fn end(&self, totals: &Totals) -> String {
        match self.format {
            Format::Text if self.detail == Detail::Brief => String::new(),
            Format::Text => text::end(totals, &self.captions),
            Format::Json => json::end(self.shape).to_owned(),
            Format::Ndjson => String::new(),
            Format::Sarif => sarif::end(totals),
            Format::Html => html::end(totals, &self.captions),
        }
    }
}

#[cfg(test)]
mod samples;
