//! Files that a stranger asks for by path: only beneath folders that the configuration names, and by no link.
//!
//! The way down is opened folder by folder (openat(2) with `O_NOFOLLOW`), so that nobody who may write there can lead
//! it elsewhere between the look and the opening.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

/// Folders within folders that are entered; as many descriptors are open at a time.
const DEEPEST: usize = 64;

/// Names of one folder that are listed.
const MOST_NAMES: usize = 100_000;

/// Why a path is not opened.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// It is beneath none of the folders, or names its way by `..`.
    #[error("not beneath a folder that may be scanned by path")]
    Outside,
    /// The system says no, or a link is on the way.
    #[error("{0}")]
    System(io::Error),
    /// It is neither a file nor a folder.
    #[error("not a regular file")]
    Irregular,
}

/// What stands at a path.
#[derive(Debug)]
pub enum Opened {
    /// A file.
    File(File),
    /// A folder.
    Folder(Folder),
}

/// A file met in a folder.
#[derive(Debug)]
pub struct Met {
    /// Where.
    pub path: PathBuf,
    /// The file, or why it could not be opened.
    pub file: Result<File, NotOpened>,
}

/// Opens what stands at an absolute path beneath one of `roots`.
pub fn open_beneath(roots: &[PathBuf], path: &Path) -> Result<Opened, NotOpened> {
    let mut components = path.components();
    let plain = components.next() == Some(Component::RootDir)
        && components.all(|component| matches!(component, Component::Normal(_)));
    let root = roots.iter().find(|root| path.starts_with(root));
    let (true, Some(root)) = (plain, root) else {
        return Err(NotOpened::Outside);
    };
    let rest = path.strip_prefix(root).map_err(|_| NotOpened::Outside)?;
    // The administrator may have put a link where the folder is named.
    let mut folder = OwnedFd::from(File::open(root).map_err(NotOpened::System)?);
    let mut left: Vec<&OsStr> = rest.iter().collect();
    let Some(last) = left.pop() else {
        return Folder::new(folder, path.to_owned()).map(Opened::Folder);
    };
    for name in left {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        folder = rustix::fs::openat(&folder, name, flags, Mode::empty()).map_err(system)?;
    }
    let last = CString::new(last.as_bytes()).map_err(|_| NotOpened::Outside)?;
    match open_at(folder.as_fd(), &last)? {
        (FileType::Directory, opened) => Folder::new(opened, path.to_owned()).map(Opened::Folder),
        (_, opened) => Ok(Opened::File(File::from(opened))),
    }
}

/// Opens a file or a folder in a folder; nothing else, so that no pipe blocks and no device notices.
fn open_at(folder: BorrowedFd<'_>, name: &CStr) -> Result<(FileType, OwnedFd), NotOpened> {
    let kind = |mode| match FileType::from_raw_mode(mode) {
        kind @ (FileType::RegularFile | FileType::Directory) => Ok(kind),
        _ => Err(NotOpened::Irregular),
    };
    let seen = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(system)?;
    kind(seen.st_mode)?;
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(folder, name, flags, Mode::empty()).map_err(system)?;
    // It may be another one by now.
    let kind = kind(rustix::fs::fstat(&opened).map_err(system)?.st_mode)?;
    Ok((kind, opened))
}

fn system(error: rustix::io::Errno) -> NotOpened {
    NotOpened::System(error.into())
}

/// The files of a folder and of the folders in it, in the order of their names; links, pipes and the like are passed
/// over.
#[derive(Debug)]
pub struct Folder {
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    folder: OwnedFd,
    path: PathBuf,
    names: std::vec::IntoIter<CString>,
}

impl Folder {
    fn new(folder: OwnedFd, path: PathBuf) -> Result<Self, NotOpened> {
        let level = Level::new(folder, path)?;
        Ok(Self {
            levels: vec![level],
        })
    }
}

impl Level {
    fn new(folder: OwnedFd, path: PathBuf) -> Result<Self, NotOpened> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder).map_err(system)? {
            let entry = entry.map_err(system)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if names.len() >= MOST_NAMES {
                let why = format!("more than {MOST_NAMES} files in a folder");
                return Err(NotOpened::System(io::Error::other(why)));
            }
            names.push(name.to_owned());
        }
        names.sort();
        Ok(Self {
            folder,
            path,
            names: names.into_iter(),
        })
    }
}

impl Iterator for Folder {
    type Item = Met;

    /// The next file. A folder that cannot be entered is told as a file that cannot be opened.
    fn next(&mut self) -> Option<Met> {
        // Ends because each turn takes a name from a listing or a level away, and levels have an end.
        loop {
            let depth = self.levels.len();
            let level = self.levels.last_mut()?;
            let Some(name) = level.names.next() else {
                self.levels.pop();
                continue;
            };
            let path = level.path.join(OsStr::from_bytes(name.to_bytes()));
            let file = match open_at(level.folder.as_fd(), &name) {
                Err(NotOpened::Irregular) => continue,
                Err(error) => Err(error),
                Ok((FileType::Directory, _)) if depth >= DEEPEST => {
                    let why = format!("more than {DEEPEST} folders deep");
                    Err(NotOpened::System(io::Error::other(why)))
                }
                Ok((FileType::Directory, folder)) => match Level::new(folder, path.clone()) {
                    Ok(level) => {
                        self.levels.push(level);
                        continue;
                    }
                    Err(error) => Err(error),
                },
                Ok((_, opened)) => Ok(File::from(opened)),
            };
            return Some(Met { path, file });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("beneath-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(path.join("root/sub")).unwrap();
            std::fs::create_dir_all(path.join("other")).unwrap();
            for file in ["root/a", "root/sub/b", "other/secret"] {
                std::fs::write(path.join(file), file).unwrap();
            }
            Self(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn files_beneath_are_met_in_order() {
        let place = Place::new("order");
        let roots = [place.0.join("root")];
        let open = |path: &str| open_beneath(&roots, &place.0.join(path));
        assert!(matches!(open("root/sub/b").unwrap(), Opened::File(_)));
        let Opened::Folder(folder) = open("root").unwrap() else {
            panic!("no folder");
        };
        let met: Vec<_> = folder.map(|met| (met.path, met.file.is_ok())).collect();
        let expected = ["root/a", "root/sub/b"].map(|file| (place.0.join(file), true));
        assert_eq!(met, expected);
    }

    #[test]
    fn no_way_leads_out() {
        let place = Place::new("out");
        let root = place.0.join("root");
        let other = place.0.join("other");
        std::os::unix::fs::symlink(&other, root.join("link")).unwrap();
        std::os::unix::fs::symlink(other.join("secret"), root.join("file")).unwrap();
        std::os::unix::fs::symlink(root.join("a"), root.join("within")).unwrap();
        let roots = [root.clone()];
        for outside in ["other/secret", "root/../other/secret", "rooted", ""] {
            let opened = open_beneath(&roots, &place.0.join(outside));
            assert!(matches!(opened, Err(NotOpened::Outside)), "{outside}");
        }
        assert!(matches!(
            open_beneath(&roots, Path::new("root/a")),
            Err(NotOpened::Outside)
        ));
        for linked in ["link/secret", "file", "link", "within", "nosuch"] {
            let opened = open_beneath(&roots, &root.join(linked));
            assert!(opened.is_err(), "{linked}: {opened:?}");
        }
        let Ok(Opened::Folder(folder)) = open_beneath(&roots, &root) else {
            panic!("no folder");
        };
        // Links are passed over.
        assert_eq!(folder.count(), 2);
        assert!(open_beneath(&[], &root).is_err());
    }
}
