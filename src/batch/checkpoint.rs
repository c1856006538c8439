//! What of a batch is done: its plan in `plan.json`, the marks of its shards, and a lock while it is worked on.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::text;

use super::plan::{Record, Times};
use super::{OutputError, PartSummary, ShardId, make_folder};

const PLAN: &str = "plan.json";

/// A batch that cannot be begun, gone on with or united.
#[derive(Debug, Error)]
pub enum CannotGoOn {
    /// The folder holds a batch, and it was not said to go on with it.
    #[error("{path}: a batch is there already")]
    Begun {
        /// The folder, safe to show.
        path: String,
    },
    /// The folder holds no batch to go on with.
    #[error("{path}: no batch is there to go on with")]
    NotBegun {
        /// The folder, safe to show.
        path: String,
    },
    /// Something that the results depend on has changed.
    #[error("{path}: cannot go on with this batch: {what}")]
    Changed {
        /// The folder, safe to show.
        path: String,
        /// What has changed.
        what: String,
    },
    /// Another process works on it.
    #[error("{path}: another process works on this batch")]
    InWork {
        /// The folder, safe to show.
        path: String,
    },
    /// Shards of a plan are in none of the folders.
    #[error("{missing} of {shards} shards are not done: {listed}")]
    Missing {
        /// How many.
        missing: u64,
        /// Of how many.
        shards: u64,
        /// Their numbers, as `--shard` takes them.
        listed: String,
    },
    /// The results cannot be written or read.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl CannotGoOn {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Begun { .. } => {
                Some("--resume goes on with it; give another folder for a new one")
            }
            Self::NotBegun { .. } => Some("leave --resume out to begin one"),
            Self::Changed { .. } => Some(
                "give everything as it was, or begin a new batch in another folder: results of two kinds do not mix",
            ),
            Self::InWork { .. } => Some("wait until it ends, or give another folder"),
            Self::Missing { .. } => {
                Some("do them with --shard, and give the folders of all of them")
            }
            Self::Output(error) => error.hint(),
        }
    }
}

/// How a batch is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Anew: there must be none.
    Anew,
    /// With what is missing of one.
    Resume,
    /// One of several processes begins it, perhaps on another computer.
    Share,
}

/// The plan of a folder, where there is one.
pub fn plan_of(folder: &Path) -> Result<Option<Record>, OutputError> {
    let path = folder.join(PLAN);
    match std::fs::read(&path) {
        Ok(json) => serde_json::from_slice(&json)
            .map(Some)
            .map_err(|error| OutputError::damaged(&path, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OutputError::disk("read", &path)(error)),
    }
}

/// Looks whether a batch may be begun in a folder; gives its plan where it is gone on with.
pub fn old_plan(folder: &Path, begin: Begin) -> Result<Option<Record>, CannotGoOn> {
    let path = || text::path(folder);
    let old = plan_of(folder)?;
    match (begin, &old) {
        (Begin::Anew, Some(_)) => Err(CannotGoOn::Begun { path: path() }),
        (Begin::Anew, None) if has_files(folder) => Err(CannotGoOn::Begun { path: path() }),
        (Begin::Resume, None) => Err(CannotGoOn::NotBegun { path: path() }),
        _ => Ok(old),
    }
}

/// Whether something is in a folder that a batch would mix with.
fn has_files(folder: &Path) -> bool {
    ["messages", "parts"]
        .iter()
        .any(|name| folder.join(name).exists())
}

/// Begins a batch, or goes on with it: the plan is written where there is none yet, else compared with the one there.
pub fn begin(folder: &Path, plan: &Record, how: Begin) -> Result<(), CannotGoOn> {
    make_folder(folder)?;
    let times = match how {
        Begin::Anew | Begin::Resume => Times::Compared,
        Begin::Share => Times::Ignored,
    };
    let old = match plan_of(folder)? {
        Some(old) => old,
        None if write(folder, plan)? => return Ok(()),
        // Another process was faster.
        None => plan_of(folder)?.unwrap_or_else(|| plan.clone()),
    };
    match plan.changed_since(&old, times) {
        None => Ok(()),
        Some(what) => Err(CannotGoOn::Changed {
            path: text::path(folder),
            what,
        }),
    }
}

/// Writes a plan, whole and only where there is none; whether it was written.
pub fn write(folder: &Path, plan: &Record) -> Result<bool, OutputError> {
    let path = folder.join(PLAN);
    let beside = folder.join(format!(".{PLAN}.{}", std::process::id()));
    let json =
        serde_json::to_vec_pretty(plan).map_err(|error| OutputError::damaged(&path, &error))?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options
        .open(&beside)
        .and_then(|mut file| file.write_all(&json).and_then(|()| file.sync_all()))
        .and_then(|()| match std::fs::hard_link(&beside, &path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            // A file system without links: two processes would write the same.
            Err(_) => std::fs::rename(&beside, &path).map(|()| true),
        });
    // Where it was renamed there is none left.
    let _ = std::fs::remove_file(&beside);
    written.map_err(OutputError::disk("write", &path))
}

/// Keeps other processes from the same shards of a folder, as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Locks the shards of a folder that go by a name.
    pub fn take(folder: &Path, name: &str) -> Result<Self, CannotGoOn> {
        make_folder(folder)?;
        let path = folder.join(format!(".lock-{name}"));
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(OutputError::disk("write", &path))?;
        match file.try_lock() {
            // On a file system without locks there is only the user's care.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { _file: file, path }),
            Err(TryLockError::WouldBlock) => Err(CannotGoOn::InWork {
                path: text::path(folder),
            }),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Who waits for it opens it anew.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The marks of the shards of a plan that are done in some folders: where, and what they came to.
pub fn done(folders: &[PathBuf], shards: u64) -> Result<BTreeMap<u64, PartSummary>, OutputError> {
    let mut done = BTreeMap::new();
    for folder in folders {
        for number in 0..shards {
            if let Some(part) = PartSummary::read(folder, &ShardId::new(number))? {
                done.entry(number).or_insert(part);
            }
        }
    }
    Ok(done)
}

/// Sees to it that every shard of every plan is done in one of the folders. Gives the plan, where it is one.
pub fn complete(folders: &[PathBuf]) -> Result<Option<Record>, CannotGoOn> {
    let mut plans: BTreeMap<String, (Record, Vec<PathBuf>)> = BTreeMap::new();
    for folder in folders {
        let plan = plan_of(folder)?.ok_or_else(|| OutputError::NoResults {
            path: text::path(folder),
        })?;
        let (_, with) = plans
            .entry(plan.id.clone())
            .or_insert_with(|| (plan, Vec::new()));
        with.push(folder.clone());
    }
    for (plan, folders) in plans.values() {
        let done = done(folders, plan.shards)?;
        let missing: Vec<u64> = (0..plan.shards)
            .filter(|number| !done.contains_key(number))
            .collect();
        if !missing.is_empty() {
            return Err(CannotGoOn::Missing {
                missing: crate::bytes::length(missing.len()),
                shards: plan.shards,
                listed: ranges(&missing),
            });
        }
    }
    let mut plans = plans.into_values();
    match (plans.next(), plans.next()) {
        (Some((plan, _)), None) => Ok(Some(plan)),
        _ => Ok(None),
    }
}

/// Numbers in order as ranges, the first few of them.
fn ranges(numbers: &[u64]) -> String {
    const SHOWN: usize = 20;
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.saturating_add(1) == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let shown = ranges.iter().take(SHOWN).map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    let more = if ranges.len() > SHOWN { ",…" } else { "" };
    shown.collect::<Vec<_>>().join(",") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_shards_are_told_as_the_command_line_takes_them() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(ranges(&[]), "");
    }

    #[test]
    fn a_folder_is_worked_on_by_one_process_at_a_time() {
        let folder = std::env::temp_dir().join(format!("lock-{}", std::process::id()));
        let first = Lock::take(&folder, "all").unwrap();
        assert!(matches!(
            Lock::take(&folder, "all"),
            Err(CannotGoOn::InWork { .. })
        ));
        assert!(Lock::take(&folder, "1-of-2").is_ok());
        drop(first);
        assert!(Lock::take(&folder, "all").is_ok());
        let _ = std::fs::remove_dir_all(&folder);
    }
}
