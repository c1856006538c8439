//! The inputs below the given paths, folder by folder, in sorted order.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Irregular, Source, Unreadable, special};
use crate::text;

/// Something met in a folder that is not scanned, with the reason.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{path}: skipped: is {what}")]
pub struct Skipped {
    /// The path, safe to show.
    pub path: String,
    /// What it is.
    pub what: Irregular,
}

/// One step of a walk.
#[derive(Debug)]
pub enum Step {
    /// An input to read.
    Input(Source),
    /// Something that is not an input.
    Skipped(Skipped),
    /// A folder that could not be listed, wholly or in part.
    Unreadable(Unreadable),
}

/// Walks the given paths in the order given; `-` is standard input.
#[derive(Debug)]
pub struct Walk {
    /// What is still to be visited, the next one last.
    todo: Vec<Todo>,
    /// Device and number of a folder that is not entered.
    left_out: Option<(u64, u64)>,
}

#[derive(Debug)]
enum Todo {
    /// A path that was given: symbolic links are followed.
    Given(PathBuf),
    /// A path met in a folder: they are not.
    Met(PathBuf),
    /// A folder whose listing broke off.
    Broken(Unreadable),
}

impl Walk {
    /// A walk over `paths`.
    pub fn new(paths: &[PathBuf]) -> Self {
        Self {
            todo: paths.iter().rev().cloned().map(Todo::Given).collect(),
            left_out: None,
        }
    }

    /// Does not enter a folder where it is met below a path that was given.
    pub(super) fn leaving_out(mut self, folder: Option<&Path>) -> Self {
        let metadata = folder.and_then(|folder| std::fs::metadata(folder).ok());
        self.left_out = metadata.map(|metadata| (metadata.dev(), metadata.ino()));
        self
    }

    /// Puts the entries of a folder before everything else that is to be visited. Ends because links are not
    /// followed below a given path, so that the folders form a tree.
    fn enter(&mut self, folder: &Path) {
        let broken = |error: &std::io::Error| {
            Todo::Broken(Unreadable {
                path: text::path(folder),
                reason: text::safe(&error.to_string()),
            })
        };
        let listing = match std::fs::read_dir(folder) {
            Ok(listing) => listing,
            Err(error) => return self.todo.push(broken(&error)),
        };
        let mut names = Vec::new();
        for entry in listing {
            match entry {
                Ok(entry) => names.push(entry.file_name()),
                Err(error) => self.todo.push(broken(&error)),
            }
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        self.todo
            .extend(names.iter().map(|name| Todo::Met(folder.join(name))));
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        while let Some(next) = self.todo.pop() {
            match next {
                Todo::Given(path) if path.as_os_str() == "-" => {
                    return Some(Step::Input(Source::Stdin));
                }
                Todo::Given(path) if path.is_dir() => self.enter(&path),
                Todo::Given(path) => return Some(Step::Input(Source::File(path))),
                Todo::Broken(unreadable) => return Some(Step::Unreadable(unreadable)),
                Todo::Met(path) => match std::fs::symlink_metadata(&path) {
                    Ok(metadata) if metadata.is_dir() => {
                        if self.left_out != Some((metadata.dev(), metadata.ino())) {
                            self.enter(&path);
                        }
                    }
                    Ok(metadata) => {
                        return Some(match special(&metadata) {
                            None => Step::Input(Source::File(path)),
                            Some(what) => Step::Skipped(Skipped {
                                path: text::path(&path),
                                what,
                            }),
                        });
                    }
                    Err(error) => {
                        return Some(Step::Unreadable(Unreadable {
                            path: text::path(&path),
                            reason: text::safe(&error.to_string()),
                        }));
                    }
                },
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_walked_sorted_and_below_the_path_given() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let files: Vec<PathBuf> = Walk::new(std::slice::from_ref(&root))
            .map(|step| match step {
                Step::Input(Source::File(path)) => path,
                other => panic!("{other:?}"),
            })
            .collect();
        let mut sorted = files.clone();
        sorted.sort();
        assert_eq!(files, sorted);
        assert!(files.contains(&root.join("source/walk.rs")));
        assert!(files.contains(&root.join("lib.rs")));
    }

    #[test]
    fn given_paths_keep_their_order_and_a_missing_one_is_left_to_the_reader() {
        let steps: Vec<Step> = Walk::new(&["no-such".into(), "-".into()]).collect();
        assert!(matches!(
            steps.as_slice(),
            [Step::Input(Source::File(_)), Step::Input(Source::Stdin)]
        ));
    }
}
