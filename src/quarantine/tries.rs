//! How often a message was tried in vain, and which are in work: one that cannot be scanned must not come for ever,
//! and one that takes the whole process down must not do it a third time.
//!
//! `tries` holds a line for each failure, `running-PID` the digests of the messages that a living process works on,
//! locked by it. A file that nobody locks is of a process that died: its messages count as crashes. Nothing is
//! synced: what counts is that a process dies, not the machine.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::hex;

use super::StoreError;

/// Crashes in which a message may have been in work before it is not scanned any more.
const CRASHES: u32 = 2;

/// Bytes of the file of failures that are read; older ones are forgotten.
const LONGEST: u64 = 1 << 20;

/// Messages of a process that died, at the most.
const RUNNING: u64 = 1 << 16;

type Digest = [u8; 32];

/// The counts, shared by threads.
#[derive(Debug)]
pub struct Tries {
    folder: PathBuf,
    running: Mutex<Running>,
    failed: Mutex<BTreeMap<String, Counts>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    tries: u32,
    crashes: u32,
}

#[derive(Debug)]
struct Running {
    file: File,
    slots: Vec<bool>,
}

/// A message in work; not any more when dropped.
#[derive(Debug)]
pub struct InWork<'a> {
    tries: &'a Tries,
    slot: usize,
}

impl Tries {
    /// Reads the counts in the folder of a store, and counts what processes that died had in work.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let dead = dead(folder)?;
        let path = folder.join(format!("running-{}", std::process::id()));
        let io = |error| StoreError::io("write", &path, error);
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .read(true)
            .open(&path)
            .map_err(io)?;
        file.try_lock().map_err(|error| io(error.into()))?;
        let tries = Self {
            folder: folder.to_path_buf(),
            running: Mutex::new(Running {
                file,
                slots: Vec::new(),
            }),
            failed: Mutex::new(read(folder)?),
        };
        for digest in dead {
            tries.note('c', &digest);
        }
        Ok(tries)
    }

    /// Whether a message was in work at so many crashes that it is not scanned any more.
    pub fn is_poison(&self, digest: &Digest) -> bool {
        let failed = lock(&self.failed);
        !failed.is_empty()
            && failed
                .get(&hex(digest))
                .is_some_and(|counts| counts.crashes >= CRASHES)
    }

    /// Notes that a message is in work.
    pub fn begin(&self, digest: &Digest) -> InWork<'_> {
        let mut running = lock(&self.running);
        let free = running.slots.iter().position(|used| !used);
        let slot = free.unwrap_or(running.slots.len());
        match running.slots.get_mut(slot) {
            Some(used) => *used = true,
            None => running.slots.push(true),
        }
        running.write(slot, digest);
        InWork { tries: self, slot }
    }

    /// Counts a try in vain; gives the number of them, this one included.
    pub fn failed(&self, digest: &Digest) -> u32 {
        self.note('t', &hex(digest)).tries
    }

    fn note(&self, what: char, digest: &str) -> Counts {
        // A count that cannot be written is still a count for this process.
        let _ = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("tries"))
            .and_then(|mut file| file.write_all(format!("{what} {digest}\n").as_bytes()));
        let mut failed = lock(&self.failed);
        let counts = failed.entry(digest.to_owned()).or_default();
        counts.add(what);
        *counts
    }
}

impl Counts {
    fn add(&mut self, what: char) {
        let count = match what {
            'c' => &mut self.crashes,
            _ => &mut self.tries,
        };
        *count = count.saturating_add(1);
    }
}

impl Running {
    /// What cannot be written is not counted: scanning goes on.
    fn write(&self, slot: usize, digest: &Digest) {
        let at = (slot as u64).saturating_mul(32);
        let _ = self.file.write_all_at(digest, at);
    }
}

impl Drop for InWork<'_> {
    fn drop(&mut self) {
        let mut running = lock(&self.tries.running);
        running.write(self.slot, &[0; 32]);
        if let Some(used) = running.slots.get_mut(self.slot) {
            *used = false;
        }
    }
}

impl Drop for Tries {
    fn drop(&mut self) {
        let path = self.folder.join(format!("running-{}", std::process::id()));
        // An empty one that stays says nothing.
        let _ = std::fs::remove_file(path);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The digests of messages that were in work when their process died.
fn dead(folder: &Path) -> Result<Vec<String>, StoreError> {
    let io = |error| StoreError::io("read", folder, error);
    let mut digests = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("running-") {
            continue;
        }
        let Ok(file) = File::open(&path) else {
            // Another process was faster.
            continue;
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let mut bytes = Vec::new();
        bounded(file, RUNNING, &mut bytes).map_err(io)?;
        let noted = bytes.chunks_exact(32).filter(|digest| **digest != [0; 32]);
        digests.extend(noted.map(hex));
        std::fs::remove_file(&path).map_err(io)?;
    }
    Ok(digests)
}

fn read(folder: &Path) -> Result<BTreeMap<String, Counts>, StoreError> {
    let path = folder.join("tries");
    let io = |error| StoreError::io("read", &path, error);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(io(error)),
    };
    let size = file.metadata().map_err(io)?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(LONGEST)))
        .map_err(io)?;
    let mut bytes = Vec::new();
    bounded(file, LONGEST, &mut bytes).map_err(io)?;
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    for line in String::from_utf8_lossy(&bytes).lines() {
        let Some((what, digest)) = line.split_once(' ') else {
            continue;
        };
        if matches!(what, "t" | "c") && digest.len() == 64 {
            let what = if what == "c" { 'c' } else { 't' };
            counts.entry(digest.to_owned()).or_default().add(what);
        }
    }
    if size > LONGEST {
        // Starts anew with what was read.
        std::fs::write(&path, &bytes).map_err(io)?;
    }
    Ok(counts)
}

#[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
fn bounded(file: File, limit: u64, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    file.take(limit).read_to_end(bytes).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_in_work_at_two_crashes_is_poison_and_tries_outlive_the_process() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("target/tmp/tries-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (bad, good) = ([7; 32], [9; 32]);
        for crash in 1..=2_u32 {
            // As a process leaves it that dies.
            std::fs::write(
                folder.join(format!("running-x{crash}")),
                [bad, [0; 32]].concat(),
            )
            .unwrap();
            let tries = Tries::open(&folder).unwrap();
            assert_eq!(tries.is_poison(&bad), crash == 2);
            assert_eq!(tries.failed(&good), crash);
            let work = (tries.begin(&good), tries.begin(&bad));
            drop(work.0);
            assert_eq!(tries.begin(&bad).slot, 0);
        }
        assert!(!Tries::open(&folder).unwrap().is_poison(&good));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
