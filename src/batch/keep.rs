//! What a batch keeps: artifacts by their digest, each once, compressed.
//!
//! `<folder>/ab/abcd….zst`. A file is written beside and renamed, so that what has its name is whole; two that write
//! the same at the same time write the same bytes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::model::hex;

use super::{OutputError, make_folder};

/// Level of compression: fast.
const LEVEL: i32 = 3;

/// A store of artifacts.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store of a batch's results.
    pub fn of(results: &Path) -> Self {
        Self {
            folder: results.join("kept"),
        }
    }

    /// Whether anything was ever kept.
    pub fn exists(&self) -> bool {
        self.folder.is_dir()
    }

    /// Makes the folder, so that a batch that kept nothing for lack of anything has kept all the same.
    pub fn create(&self) -> Result<(), OutputError> {
        make_folder(&self.folder)
    }

    fn path(&self, digest: &str) -> PathBuf {
        let shelf = digest.get(..2).unwrap_or_default();
        self.folder.join(shelf).join(format!("{digest}.zst"))
    }

    /// Keeps bytes under their digest, unless they are kept already.
    pub fn put(&self, digest: &[u8; 32], data: &[u8]) -> Result<(), OutputError> {
        let path = self.path(&hex(digest));
        if path.exists() {
            return Ok(());
        }
        let shelf = path.parent().unwrap_or(&self.folder);
        make_folder(shelf)?;
        let packed = zstd::bulk::compress(data, LEVEL).map_err(OutputError::disk("pack", &path))?;
        write_whole(&path, &packed)
    }

    /// The bytes of a digest; None where they were not kept. At most `limit` bytes are unpacked, and what is not what
    /// was kept is damaged.
    pub fn take(&self, digest: &str, limit: usize) -> Result<Option<Vec<u8>>, OutputError> {
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_digest {
            return Ok(None);
        }
        let path = self.path(digest);
        let packed = match std::fs::read(&path) {
            Ok(packed) => packed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OutputError::disk("read", &path)(error)),
        };
        let data = zstd::bulk::decompress(&packed, limit)
            .map_err(|error| OutputError::damaged(&path, &error))?;
        if hex(&Sha256::digest(&data)) != digest {
            return Err(OutputError::damaged(&path, &"other bytes than were kept"));
        }
        Ok(Some(data))
    }

    /// Takes over everything that another store keeps.
    pub(super) fn take_over(&self, other: &Self) -> Result<(), OutputError> {
        self.create()?;
        for shelf in list(&other.folder)? {
            let into = self.folder.join(shelf.file_name().unwrap_or_default());
            make_folder(&into)?;
            for path in list(&shelf)? {
                let name = path.file_name().unwrap_or_default();
                let target = into.join(name);
                if !name.as_encoded_bytes().starts_with(b".") && !target.exists() {
                    link_or_copy(&path, &target)?;
                }
            }
        }
        Ok(())
    }
}

/// The entries of a folder in order.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, OutputError> {
    let entries = std::fs::read_dir(folder).map_err(OutputError::disk("read", folder))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(OutputError::disk("read", folder))?;
    paths.sort();
    Ok(paths)
}

/// A second name for a file where the file system allows it, else a copy.
pub(super) fn link_or_copy(from: &Path, to: &Path) -> Result<(), OutputError> {
    if std::fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let beside = beside(to);
    std::fs::copy(from, &beside)
        .and_then(|_| std::fs::rename(&beside, to))
        .map_err(OutputError::disk("write", to))
}

/// A name beside a file that nobody else uses.
fn beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{number}.part", std::process::id()))
}

/// Writes a file that is there whole or not at all, readable by its owner only.
pub(super) fn write_whole(path: &Path, data: &[u8]) -> Result<(), OutputError> {
    use std::io::Write as _;
    let beside = beside(path);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
        .open(&beside)
        .and_then(|mut file| file.write_all(data))
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|error| {
            // What is left of it is of no use; that it cannot be written is told.
            let _ = std::fs::remove_file(&beside);
            OutputError::disk("write", path)(error)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("sekisho-keep-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn what_is_kept_comes_back_and_is_kept_once() {
        let folder = folder("back");
        let store = Store::of(&folder);
        assert!(!store.exists());
        let data = b"the same logo ".repeat(100);
        let digest: [u8; 32] = Sha256::digest(&data).into();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| store.put(&digest, &data).unwrap()));
            }
        });
        assert_eq!(
            store.take(&hex(&digest), 1 << 20).unwrap(),
            Some(data.clone())
        );
        assert_eq!(store.take(&"0".repeat(64), 1 << 20).unwrap(), None);
        assert_eq!(store.take("../../../etc/passwd", 1 << 20).unwrap(), None);
        let shelves = list(&folder.join("kept")).unwrap();
        let files: Vec<_> = shelves
            .iter()
            .flat_map(|shelf| list(shelf).unwrap())
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert!(std::fs::metadata(&files[0]).unwrap().len() < 200);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn damage_and_more_than_the_limit_are_told() {
        let folder = folder("damage");
        let store = Store::of(&folder);
        let data = vec![7; 4096];
        let digest: [u8; 32] = Sha256::digest(&data).into();
        store.put(&digest, &data).unwrap();
        assert!(store.take(&hex(&digest), 4095).is_err());
        let path = store.path(&hex(&digest));
        std::fs::write(&path, zstd::bulk::compress(b"other", 3).unwrap()).unwrap();
        let error = store.take(&hex(&digest), 4096).unwrap_err().to_string();
        assert!(error.contains("other bytes than were kept"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
