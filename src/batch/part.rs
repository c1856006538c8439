//! The part of one shard: its rows, its reports, its errors. Nothing has its name before all of it is whole.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::model::{Artifact, Level, Report};
use crate::text;

use super::keep::write_whole;
use super::schema::{ARTIFACTS, FINDINGS, MESSAGES};
use super::table::TableWriter;
use super::{Item, OutputError, PARTS, ShardId, Staged, Store, make_folder, rows};

/// Level of compression of reports.
const LEVEL: i32 = 3;

/// Which artifacts are kept for rules of later days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Artifacts {
    /// None.
    #[default]
    Dropped,
    /// All, in the [`Store`].
    Kept,
}

/// What becomes of the artifacts of malicious messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Malicious {
    /// Nothing.
    #[default]
    Left,
    /// Written to `extracted/` under their digests.
    Extracted,
}

/// What is kept of messages besides rows and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// Artifacts for rules of later days.
    pub artifacts: Artifacts,
    /// Artifacts of malicious messages.
    pub malicious: Malicious,
}

/// What a shard came to; the mark of its being done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PartSummary {
    /// Messages.
    pub messages: u64,
    /// Messages below the threshold `suspicious`.
    pub clean: u64,
    /// Messages at or above it.
    pub suspicious: u64,
    /// Messages at or above the threshold `malicious`.
    pub malicious: u64,
    /// Messages, among the ones above, that could not be looked through whole.
    pub incomplete: u64,
    /// Lines of errors.
    pub errors: u64,
    /// Rows of `artifacts`.
    pub artifacts: u64,
    /// Rows of `findings`.
    pub findings: u64,
    /// Bytes of all messages.
    pub bytes: u64,
    /// SHA-256 over the rule sources.
    pub rules: String,
    /// Version of the program.
    pub version: String,
    /// The source of the first message.
    #[serde(default)]
    pub source: String,
    /// The first message.
    #[serde(default)]
    pub first: String,
}

impl PartSummary {
    /// What a shard came to, where it is done.
    pub fn read(output: &Path, shard: &ShardId) -> Result<Option<Self>, OutputError> {
        let path = mark(output, shard);
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| OutputError::damaged(&path, &error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OutputError::disk("read", &path)(error)),
        }
    }

    /// Adds what another shard came to.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.messages, other.messages),
            (&mut self.clean, other.clean),
            (&mut self.suspicious, other.suspicious),
            (&mut self.malicious, other.malicious),
            (&mut self.incomplete, other.incomplete),
            (&mut self.errors, other.errors),
            (&mut self.artifacts, other.artifacts),
            (&mut self.findings, other.findings),
            (&mut self.bytes, other.bytes),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
    }
}

/// The mark of a shard that is done.
pub(super) fn mark(output: &Path, shard: &ShardId) -> PathBuf {
    output.join(PARTS).join(format!("{shard}.json"))
}

/// The reports of a shard.
pub(super) fn reports(output: &Path, shard: &ShardId) -> PathBuf {
    output.join(PARTS).join(format!("{shard}.ndjson.zst"))
}

/// The errors of a shard.
pub(super) fn errors(output: &Path, shard: &ShardId) -> PathBuf {
    output.join(PARTS).join(format!("{shard}.errors.ndjson"))
}

/// A file of a table.
pub(super) fn table(output: &Path, table: &str, shard: &ShardId) -> PathBuf {
    output.join(table).join(format!("{shard}.parquet"))
}

/// A line of `errors.ndjson`.
#[derive(Serialize)]
struct ErrorLine<'a> {
    reference: &'a str,
    error: &'a str,
}

/// Writes the results of one shard.
#[derive(Debug)]
pub struct PartWriter {
    engine: Arc<Engine>,
    output: PathBuf,
    shard: ShardId,
    keep: Keep,
    messages: TableWriter,
    artifacts: TableWriter,
    findings: TableWriter,
    reports: Lines,
    errors: Errors,
    summary: PartSummary,
}

impl PartWriter {
    /// Starts the part of a shard. What an earlier run left of the same shard is replaced once this one is done.
    pub fn create(
        engine: &Arc<Engine>,
        output: &Path,
        shard: &ShardId,
        keep: Keep,
    ) -> Result<Self, OutputError> {
        make_folder(&output.join(PARTS))?;
        if keep.artifacts == Artifacts::Kept {
            Store::of(output).create()?;
        }
        let start = |name: &str, columns| TableWriter::create(table(output, name, shard), columns);
        Ok(Self {
            engine: Arc::clone(engine),
            output: output.to_owned(),
            shard: shard.clone(),
            keep,
            messages: start("messages", MESSAGES)?,
            artifacts: start("artifacts", ARTIFACTS)?,
            findings: start("findings", FINDINGS)?,
            reports: Lines::create(reports(output, shard))?,
            errors: Errors::create(errors(output, shard))?,
            summary: PartSummary {
                rules: engine.rules.digest().to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                ..PartSummary::default()
            },
        })
    }

    /// Adds a message and the report on it, whose path is the message's reference.
    pub fn push(&mut self, item: &Item, report: &Report) -> Result<(), OutputError> {
        rows::push(
            &self.engine,
            item,
            report,
            &mut self.messages,
            &mut self.artifacts,
            &mut self.findings,
        )?;
        self.reports.push(report)?;
        self.keep(report)?;
        let summary = &mut self.summary;
        if summary.messages == 0 {
            summary.source.clone_from(&item.source);
            summary.first.clone_from(&item.reference);
        }
        let level = match report.level {
            Level::Clean => &mut summary.clean,
            Level::Suspicious => &mut summary.suspicious,
            Level::Malicious => &mut summary.malicious,
        };
        *level = level.saturating_add(1);
        summary.messages = summary.messages.saturating_add(1);
        let incomplete = u64::from(!report.complete);
        summary.incomplete = summary.incomplete.saturating_add(incomplete);
        let size = u64::try_from(item.data.len()).unwrap_or(u64::MAX);
        summary.bytes = summary.bytes.saturating_add(size);
        Ok(())
    }

    fn keep(&self, report: &Report) -> Result<(), OutputError> {
        let once = |artifact: &&Artifact| artifact.same_as.is_none();
        if self.keep.artifacts == Artifacts::Kept {
            let store = Store::of(&self.output);
            for artifact in report.artifacts.iter().filter(once) {
                store.put(&artifact.sha256, &artifact.data)?;
            }
        }
        if self.keep.malicious == Malicious::Extracted && report.level == Level::Malicious {
            let folder = self.output.join("extracted");
            make_folder(&folder)?;
            for artifact in report.artifacts.iter().filter(once) {
                let path = folder.join(format!("{}.bin", artifact.sha256_hex()));
                if !path.exists() {
                    write_whole(&path, &artifact.data)?;
                }
            }
        }
        Ok(())
    }

    /// Adds an error: something of the shard that could not be read.
    pub fn error(&mut self, reference: &str, what: &str) -> Result<(), OutputError> {
        self.summary.errors = self.summary.errors.saturating_add(1);
        self.errors.push(reference, what)
    }

    /// Ends the part: everything gets its name, the mark of its being done last.
    pub fn finish(self) -> Result<PartSummary, OutputError> {
        let mut summary = self.summary;
        summary.artifacts = self.artifacts.rows();
        summary.findings = self.findings.rows();
        // Whoever sees a part of `messages` finds the rest of the shard.
        self.findings.finish()?;
        self.artifacts.finish()?;
        self.reports.finish()?;
        self.errors.finish()?;
        self.messages.finish()?;
        let path = mark(&self.output, &self.shard);
        let json =
            serde_json::to_vec(&summary).map_err(|error| OutputError::damaged(&path, &error))?;
        write_whole(&path, &json)?;
        Ok(summary)
    }
}

/// Reports, one a line, compressed.
struct Lines {
    staged: Staged,
    encoder: zstd::Encoder<'static, BufWriter<File>>,
    line: Vec<u8>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines")
            .field("staged", &self.staged)
            .finish_non_exhaustive()
    }
}

impl Lines {
    fn create(path: PathBuf) -> Result<Self, OutputError> {
        let (staged, file) = Staged::create(path)?;
        let encoder = zstd::Encoder::new(BufWriter::new(file), LEVEL)
            .map_err(OutputError::disk("write", &staged.path))?;
        Ok(Self {
            staged,
            encoder,
            line: Vec::new(),
        })
    }

    fn push(&mut self, report: &Report) -> Result<(), OutputError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, report)
            .map_err(|error| OutputError::damaged(&self.staged.path, &error))?;
        self.line.push(b'\n');
        self.encoder
            .write_all(&self.line)
            .map_err(OutputError::disk("write", &self.staged.path))
    }

    fn finish(self) -> Result<(), OutputError> {
        let path = self.staged.path.clone();
        let file = self
            .encoder
            .finish()
            .and_then(|buffer| {
                buffer
                    .into_inner()
                    .map_err(std::io::IntoInnerError::into_error)
            })
            .map_err(OutputError::disk("write", &path))?;
        self.staged.settle(&file)
    }
}

/// Errors, one a line.
#[derive(Debug)]
struct Errors {
    staged: Staged,
    file: BufWriter<File>,
}

impl Errors {
    fn create(path: PathBuf) -> Result<Self, OutputError> {
        let (staged, file) = Staged::create(path)?;
        Ok(Self {
            staged,
            file: BufWriter::new(file),
        })
    }

    fn push(&mut self, reference: &str, what: &str) -> Result<(), OutputError> {
        let line = ErrorLine {
            reference: &text::safe(reference),
            error: &text::excerpt(what),
        };
        let mut json = serde_json::to_vec(&line)
            .map_err(|error| OutputError::damaged(&self.staged.path, &error))?;
        json.push(b'\n');
        self.file
            .write_all(&json)
            .map_err(OutputError::disk("write", &self.staged.path))
    }

    fn finish(self) -> Result<(), OutputError> {
        let path = self.staged.path.clone();
        let file = self
            .file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .map_err(OutputError::disk("write", &path))?;
        self.staged.settle(&file)
    }
}
