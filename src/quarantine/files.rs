//! The files of the store: messages under their digests, packed with zlib, written once and never changed.
//!
//! A file is written and synced in `incoming/`, gets its row, and only then moves to `messages/`: what stands in
//! `incoming/` without a row was never promised to anybody.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::model::hex;

use super::digest::whole_digest;
use super::{StoreError, Ticket};

/// SHA-256 of a message: the name of its file.
pub(super) type Digest = [u8; 32];

const FOLDERS: [&str; 4] = ["messages", "incoming", "orphans", "damaged"];

/// More than deflate can make of one byte (1,032), for a bound on what a file may claim.
const EXPANSION: u64 = 1_040;

/// What a message may need at least.
static PROBE: [u8; 64 << 10] = [0; 64 << 10];

/// The folder of a store.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
}

/// A file that is written and synced, and waits for its row.
#[derive(Debug)]
pub(super) struct Waiting {
    path: PathBuf,
}

impl Waiting {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Holds the lock of the store until it is dropped; the kernel frees it when a process dies.
#[derive(Debug)]
pub(super) struct Guard(#[expect(dead_code, reason = "closing it is what frees the lock")] File);

/// Why the bytes of a message cannot be had.
#[derive(Debug)]
pub(super) enum Unread {
    /// There is no file.
    Missing,
    /// The file is not what its name says.
    Damaged(&'static str),
    /// The disk does not answer.
    Failed(StoreError),
}

impl Files {
    /// Makes what is not there yet.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        make_folder(root)?;
        for folder in FOLDERS {
            make_folder(&root.join(folder))?;
        }
        let files = Self {
            root: root.to_owned(),
        };
        for name in ["lock", "index.sqlite3"] {
            open_private(
                &files.path(name),
                OpenOptions::new().append(true).create(true),
            )?;
        }
        sync_folder(root)?;
        Ok(files)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn lock_file(&self) -> Result<File, StoreError> {
        let path = self.path("lock");
        File::open(&path).map_err(|error| StoreError::io("open", &path, error))
    }

    /// The lock that writers share: nobody takes files away meanwhile.
    pub(super) fn share(&self) -> Result<Guard, StoreError> {
        let file = self.lock_file()?;
        file.lock_shared()
            .map_err(|error| StoreError::io("lock", &self.path("lock"), error))?;
        Ok(Guard(file))
    }

    /// The lock for taking files away.
    pub(super) fn alone(&self) -> Result<Guard, StoreError> {
        let file = self.lock_file()?;
        file.lock()
            .map_err(|error| StoreError::io("lock", &self.path("lock"), error))?;
        Ok(Guard(file))
    }

    /// [`Files::alone`], if nobody else is at work.
    pub(super) fn alone_at_once(&self) -> Result<Option<Guard>, StoreError> {
        let file = self.lock_file()?;
        Ok(file.try_lock().is_ok().then_some(Guard(file)))
    }

    /// Whether messages lie here.
    pub(super) fn any_messages(&self) -> Result<bool, StoreError> {
        Ok(!self.messages()?.is_empty())
    }

    /// Writes and syncs a packed message under a name of its own.
    pub(super) fn write(&self, digest: &Digest, packed: &[u8]) -> Result<Waiting, StoreError> {
        let unique = Ticket::random()?;
        let path = self
            .path("incoming")
            .join(format!("{}.{unique}", hex(digest)));
        let written =
            write_private(&path, packed).and_then(|()| sync_folder(&self.path("incoming")));
        if let Err(error) = written {
            // A full disk must not stay full of halves.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Waiting { path })
    }

    /// Whether a message could be written now: tries it with [`PROBE`] bytes that nobody keeps. Not while somebody has the
    /// store alone.
    pub(super) fn try_out(&self) -> Result<(), StoreError> {
        let lock = self.lock_file()?;
        if lock.try_lock_shared().is_err() {
            return Ok(());
        }
        let path = self
            .path("incoming")
            .join(format!("probe.{}", Ticket::random()?));
        let tried = open_private(&path, OpenOptions::new().write(true).create_new(true)).and_then(
            |mut file| {
                let written = file.write_all(&PROBE);
                written.map_err(|error| StoreError::io("write", &path, error))
            },
        );
        let _ = fs::remove_file(&path);
        tried
    }

    /// Gives a waiting file its place, after its row is on the disk.
    pub(super) fn settle(&self, waiting: &Waiting, digest: &Digest) -> Result<(), StoreError> {
        let path = self.message(digest);
        if let Some(folder) = path.parent() {
            let is_new = !folder.is_dir();
            make_folder(folder)?;
            if is_new {
                sync_folder(&self.path("messages"))?;
            }
            fs::rename(&waiting.path, &path)
                .map_err(|error| StoreError::io("rename", &waiting.path, error))?;
            sync_folder(folder)?;
        }
        sync_folder(&self.path("incoming"))
    }

    /// Takes a waiting file away that got no row.
    pub(super) fn forget(&self, waiting: &Waiting) -> Result<(), StoreError> {
        fs::remove_file(&waiting.path)
            .map_err(|error| StoreError::io("remove", &waiting.path, error))
    }

    /// Files in `incoming/`, with the digest that each one's name claims.
    pub(super) fn waiting(&self) -> Result<Vec<(Option<Digest>, Waiting)>, StoreError> {
        let names = list(&self.path("incoming"))?;
        Ok(names
            .into_iter()
            .map(|path| (digest_of(&path), Waiting { path }))
            .collect())
    }

    /// Files in `messages/`, with the digest that each one's name claims.
    pub(super) fn messages(&self) -> Result<Vec<(Option<Digest>, PathBuf)>, StoreError> {
        let mut found = Vec::new();
        for folder in list(&self.path("messages"))? {
            if folder.is_dir() {
                let files = list(&folder)?.into_iter();
                found.extend(files.map(|path| (digest_of(&path), path)));
            } else {
                found.push((None, folder));
            }
        }
        Ok(found)
    }

    /// Where a message lies.
    pub(super) fn message(&self, digest: &Digest) -> PathBuf {
        let name = hex(digest);
        let folder: String = name.chars().take(2).collect();
        self.path("messages").join(folder).join(format!("{name}.z"))
    }

    /// The bytes of a message of `size` bytes, checked against their digest.
    pub(super) fn read(&self, digest: &Digest, size: u64) -> Result<Vec<u8>, Unread> {
        self.read_at(&self.message(digest), digest, size)
    }

    /// [`Files::read`] of a file that is not in its place.
    pub(super) fn read_at(
        &self,
        path: &Path,
        digest: &Digest,
        size: u64,
    ) -> Result<Vec<u8>, Unread> {
        let packed = read_file(path)?;
        let bytes = unpack(&packed, size).ok_or(Unread::Damaged("it does not unpack"))?;
        if whole_digest(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(Unread::Damaged("its digest is another"))
        }
    }

    /// Takes the file of a message away; one that is gone already is no error.
    pub(super) fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.message(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(StoreError::io("remove", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// Moves a file to `orphans/` or `damaged/`.
    pub(super) fn set_aside(&self, path: &Path, folder: &str) -> Result<(), StoreError> {
        let Some(name) = path.file_name() else {
            return Ok(());
        };
        let folder = self.path(folder);
        let mut place = folder.join(name);
        if place.exists() {
            place
                .as_mut_os_string()
                .push(format!(".{}", Ticket::random()?));
        }
        fs::rename(path, &place).map_err(|error| StoreError::io("rename", path, error))?;
        sync_folder(&folder)
    }

    /// Takes away what was set aside and last changed before a point in time.
    pub(super) fn purge_aside(&self, before: SystemTime) -> Result<(), StoreError> {
        for folder in ["orphans", "damaged"] {
            for path in list(&self.path(folder))? {
                let changed = path.metadata().and_then(|file| file.modified());
                if changed.is_ok_and(|changed| changed < before) {
                    fs::remove_file(&path)
                        .map_err(|error| StoreError::io("remove", &path, error))?;
                }
            }
        }
        Ok(())
    }

    /// The key of the store, made when it is first asked for.
    pub(super) fn secret(&self) -> Result<[u8; 32], StoreError> {
        let path = self.path("release.key");
        match fs::read(&path) {
            Ok(bytes) => <[u8; 32]>::try_from(bytes).map_err(|bytes| StoreError::Corrupt {
                file: crate::text::path(&path),
                what: format!("{} bytes, not 32; remove it to have a new one", bytes.len()),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => self.make_secret(&path),
            Err(error) => Err(StoreError::io("read", &path, error)),
        }
    }

    fn make_secret(&self, path: &Path) -> Result<[u8; 32], StoreError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| StoreError::Unreachable {
            what: "cannot get random numbers".to_owned(),
            source: error.to_string().into(),
        })?;
        // Of two processes that make one, the first to link it wins; a half-written key is never seen.
        let draft = self
            .path("incoming")
            .join(format!("key.{}", Ticket::random()?));
        write_private(&draft, &key)?;
        let linked = fs::hard_link(&draft, path);
        let _ = fs::remove_file(&draft);
        match linked {
            Ok(()) => {
                sync_folder(&self.root)?;
                Ok(key)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.secret(),
            Err(error) => Err(StoreError::io("make", path, error)),
        }
    }
}

/// zlib over bytes; fast, since most of a mail is packed already.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    // Writing to a Vec cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// The `size` bytes that `packed` holds; none where it does not hold just those.
pub(super) fn unpack(packed: &[u8], size: u64) -> Option<Vec<u8>> {
    if size > (packed.len() as u64).saturating_mul(EXPANSION) {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(size).ok()?];
    let mut decoder = ZlibDecoder::new(packed);
    decoder.read_exact(&mut bytes).ok()?;
    // Reading on to the end checks the checksum, too.
    (decoder.read(&mut [0]).ok()? == 0).then_some(bytes)
}

fn read_file(path: &Path) -> Result<Vec<u8>, Unread> {
    fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Unread::Missing,
        _ => Unread::Failed(StoreError::io("read", path, error)),
    })
}

fn digest_of(path: &Path) -> Option<Digest> {
    let name = path.file_name()?.to_str()?;
    let digits = name.get(..64)?.as_bytes();
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    (name.get(..64)? == hex(&digest)).then_some(digest)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let unreadable = |error| StoreError::io("read", folder, error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn make_folder(folder: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder
        .create(folder)
        .map_err(|error| StoreError::io("make", folder, error))
}

fn open_private(path: &Path, options: &mut OpenOptions) -> Result<File, StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
        .open(path)
        .map_err(|error| StoreError::io("open", path, error))
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = open_private(path, OpenOptions::new().write(true).create_new(true))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| StoreError::io("write", path, error))
}

/// What a rename or a new file changes in its folder is only safe once the folder is synced.
fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(|error| StoreError::io("sync", folder, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks_to_just_its_size() {
        for bytes in [&b""[..], b"one", &[0; 100_000]] {
            let packed = pack(bytes);
            let size = bytes.len() as u64;
            assert_eq!(unpack(&packed, size).as_deref(), Some(bytes));
            assert_eq!(unpack(&packed, size + 1), None);
            assert_eq!(unpack(&packed, u64::MAX), None);
            assert_eq!(unpack(&packed[..packed.len() - 1], size), None);
        }
        assert_eq!(unpack(&pack(b"one"), 2), None);
    }

    #[test]
    fn only_a_whole_digest_is_a_name() {
        let digest = [0xab; 32];
        let name = hex(&digest);
        assert_eq!(digest_of(Path::new(&format!("x/{name}.z"))), Some(digest));
        for wrong in [
            "",
            "key.1",
            &name.to_uppercase(),
            name.get(1..).unwrap(),
            &format!("+{}", name.get(1..).unwrap()),
        ] {
            assert_eq!(digest_of(Path::new(wrong)), None, "{wrong}");
        }
    }
}
