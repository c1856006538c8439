//! Batches: what mailbox exports hold, as tables that answer questions years later.
//!
//! The results of a batch lie in one folder, a part for each shard of the work in each table:
//!
//! | path | what |
//! | --- | --- |
//! | `messages/`, `artifacts/`, `findings/` | Parquet files, one a shard; columns in [`schema`] |
//! | `campaigns.parquet` | messages that carry the same or nearly the same payload |
//! | `report.ndjson.zst` | the report on each message, in the order of the shards |
//! | `errors.ndjson` | what could not be read |
//! | `summary.html` | what it all comes to, for people |
//! | `kept/` | every artifact by its digest, where it was asked for |
//! | `extracted/` | the artifacts of malicious messages, where it was asked for |
//! | `plan.json` | the sources, their shards, and what the results depend on |
//! | `parts/` | reports, errors and a mark of each shard that is done |
//!
//! A [`plan`] cuts the sources into shards, a [`run`] does those that no mark says to be done ([`checkpoint`]).
//! [`PartWriter`] writes a shard, [`finish`] makes the whole of the parts; [`Results`] reads them again.

mod alike;
mod campaigns;
pub mod checkpoint;
mod keep;
mod merge;
mod part;
pub mod plan;
pub mod progress;
mod query;
mod read;
mod retro;
mod rows;
pub mod run;
pub mod schema;
pub mod shard;
mod summary;
mod table;
mod tlsh;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::text;

pub use campaigns::{Campaign, Site};
pub use keep::Store;
pub use merge::{finish, merge};
pub use part::{Artifacts, Keep, Malicious, PartSummary, PartWriter};
pub use query::{BadPattern, Filter, Hit, Named, Pattern, query};
pub use read::Results;
pub use retro::{Found, Retro, RetroHit, Sighting};
pub use rows::Item;

/// One shard of a batch: a number with zeros in front, the name of its files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShardId(String);

impl ShardId {
    /// Digits of a name; more shards than these can number sort behind them all the same.
    const DIGITS: usize = 6;

    /// The shard of a number.
    pub fn new(number: u64) -> Self {
        let digits = Self::DIGITS;
        Self(format!("{number:0digits$}"))
    }

    /// Reads a name; only digits are one.
    pub fn parse(name: &str) -> Option<Self> {
        let is_number =
            name.len() >= Self::DIGITS && name.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What shards are sorted by: longer names are greater numbers.
    fn order(&self) -> (usize, &str) {
        (self.0.len(), &self.0)
    }
}

impl std::fmt::Display for ShardId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Results that could not be written or read.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The file system refuses.
    #[error("cannot {doing} {path}: {source}")]
    Disk {
        /// What was tried, such as `write`.
        doing: &'static str,
        /// The file, safe to show.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {why}")]
    Damaged {
        /// The file, safe to show.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The folder holds no results of a batch.
    #[error("{path}: no results of a batch there")]
    NoResults {
        /// The folder, safe to show.
        path: String,
    },
    /// The batch kept no artifacts.
    #[error("{path}: this batch kept no artifacts")]
    NothingKept {
        /// The folder, safe to show.
        path: String,
    },
    /// Two results hold the same message.
    #[error("{first} and {second} both hold the message {message}")]
    Twice {
        /// One folder, safe to show.
        first: String,
        /// The other, safe to show.
        second: String,
        /// The message, safe to show.
        message: String,
    },
    /// A shard of results that are to be united is not done.
    #[error("{path}: shard {shard} is not done")]
    Unfinished {
        /// The folder, safe to show.
        path: String,
        /// The shard.
        shard: ShardId,
    },
    /// There are results where others are to be written.
    #[error("{path}: there are results of a batch already")]
    Occupied {
        /// The folder, safe to show.
        path: String,
    },
}

impl OutputError {
    fn disk(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = text::path(path);
        move |source| Self::Disk {
            doing,
            path,
            source,
        }
    }

    fn damaged(path: &Path, why: &dyn std::fmt::Display) -> Self {
        Self::Damaged {
            path: text::path(path),
            why: text::excerpt(&why.to_string()),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Disk { .. } | Self::Damaged { .. } => None,
            Self::NoResults { .. } => Some("give the folder that `sekisho batch -o DIR` wrote"),
            Self::NothingKept { .. } => {
                Some("`sekisho batch --keep artifacts` keeps what rules can be run over later")
            }
            Self::Twice { .. } => Some(
                "leave one of them out; mailboxes of the same name are told apart by their paths",
            ),
            Self::Unfinished { .. } => Some("`sekisho batch --resume` does what is missing"),
            Self::Occupied { .. } => Some("give -o a folder that does not exist yet"),
        }
    }
}

/// Folder of the parts' own files.
const PARTS: &str = "parts";

/// Makes a folder that only its owner can look into, and those above it.
fn make_folder(path: &Path) -> Result<(), OutputError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder
        .create(path)
        .map_err(OutputError::disk("make the folder", path))
}

/// A file in the making: it gets its name once it is whole, and vanishes where it never is.
#[derive(Debug)]
struct Staged {
    beside: PathBuf,
    path: PathBuf,
    kept: bool,
}

impl Staged {
    /// Starts a file, readable by its owner only, under a name that no reader of the folder takes for a result, and that
    /// the next try takes again where this one is killed.
    fn create(path: PathBuf) -> Result<(Self, std::fs::File), OutputError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{name}.part"));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options
            .open(&beside)
            .map_err(OutputError::disk("write", &beside))?;
        let staged = Self {
            beside,
            path,
            kept: false,
        };
        Ok((staged, file))
    }

    /// Gives the file its name; what it holds is on the disk before.
    fn settle(mut self, file: &std::fs::File) -> Result<(), OutputError> {
        file.sync_data()
            .and_then(|()| std::fs::rename(&self.beside, &self.path))
            .map_err(OutputError::disk("write", &self.path))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            // What is left of it is of no use to anybody, and the next run takes it away.
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_sort_by_number_even_beyond_their_zeros() {
        let mut shards: Vec<ShardId> = [1_000_000, 12, 999_999].map(ShardId::new).into();
        shards.sort_by(|a, b| a.order().cmp(&b.order()));
        let names: Vec<&str> = shards.iter().map(ShardId::as_str).collect();
        assert_eq!(names, ["000012", "999999", "1000000"]);
    }

    #[test]
    fn only_digits_name_a_shard() {
        assert_eq!(ShardId::parse("000012"), Some(ShardId::new(12)));
        for wrong in ["", "12", "00001a", ".00012", "../../0"] {
            assert_eq!(ShardId::parse(wrong), None, "{wrong}");
        }
    }
}
