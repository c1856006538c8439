//! Shards: pieces of work that are done by themselves, anywhere and in any order.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use crate::source::{Found, Portion, Prey, Unreadable};

/// Files of a slice at the most.
const FILES: usize = 5000;

/// A piece of work.
#[derive(Debug, Clone)]
pub struct Shard {
    /// The source as given.
    pub source: String,
    /// What is read.
    pub portion: Portion,
    /// Bytes of it.
    pub bytes: u64,
    /// What could not be read when the plan was made.
    pub troubles: Vec<Unreadable>,
}

/// Gathers single files into slices of about the size of a shard.
pub(super) struct Slices {
    source: String,
    size: u64,
    maildir: Slice,
    files: Slice,
    troubles: Vec<Unreadable>,
}

#[derive(Default)]
struct Slice {
    paths: Vec<PathBuf>,
    bytes: u64,
}

impl Slices {
    pub(super) fn new(source: &str, size: u64) -> Self {
        Self {
            source: source.to_owned(),
            size,
            maildir: Slice::default(),
            files: Slice::default(),
            troubles: Vec::new(),
        }
    }

    /// Adds a file.
    pub(super) fn add(&mut self, found: &Found) {
        let slice = match found.prey {
            Prey::Maildir => &mut self.maildir,
            _ => &mut self.files,
        };
        slice.paths.push(found.path.clone());
        slice.bytes = slice.bytes.saturating_add(found.size);
    }

    /// Adds something that cannot be read.
    pub(super) fn trouble(&mut self, trouble: Unreadable) {
        self.troubles.push(trouble);
    }

    /// The slices that are full.
    pub(super) fn full(&mut self) -> Vec<Shard> {
        let size = self.size;
        self.shards(|slice| slice.paths.len() >= FILES || slice.bytes >= size)
    }

    /// What is left.
    pub(super) fn rest(&mut self) -> Vec<Shard> {
        let mut shards = self.shards(|slice| !slice.paths.is_empty());
        if !self.troubles.is_empty() {
            shards.push(Shard {
                source: self.source.clone(),
                portion: Portion::Files(Vec::new()),
                bytes: 0,
                troubles: std::mem::take(&mut self.troubles),
            });
        }
        shards
    }

    fn shards(&mut self, due: impl Fn(&Slice) -> bool) -> Vec<Shard> {
        let mut shards = Vec::new();
        for maildir in [true, false] {
            let slice = if maildir {
                &mut self.maildir
            } else {
                &mut self.files
            };
            if !due(slice) {
                continue;
            }
            let Slice { paths, bytes } = std::mem::take(slice);
            let portion = if maildir {
                Portion::Maildir(paths)
            } else {
                Portion::Files(paths)
            };
            shards.push(Shard {
                source: self.source.clone(),
                portion,
                bytes,
                troubles: std::mem::take(&mut self.troubles),
            });
        }
        shards
    }
}

/// Which shards of a plan are done here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Every N-th one, beginning with the K-th: `K/N`.
    Every {
        /// K, from 1.
        first: u64,
        /// N.
        of: u64,
    },
    /// Single ones by their numbers from 0: `0,3,7-9`.
    Listed(BTreeSet<u64>),
}

impl Selection {
    /// Whether a shard is among them.
    pub fn has(&self, shard: u64) -> bool {
        match self {
            Self::Every { first, of } => shard % of.max(&1) == first.saturating_sub(1),
            Self::Listed(shards) => shards.contains(&shard),
        }
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| -> Result<u64, String> {
            text.trim()
                .parse()
                .map_err(|_| format!("{text:?} is no number of a shard"))
        };
        if let Some((first, of)) = text.split_once('/') {
            let (first, of) = (number(first)?, number(of)?);
            if first == 0 || first > of {
                return Err("K/N: K is from 1 to N".to_owned());
            }
            return Ok(Self::Every { first, of });
        }
        let mut listed = BTreeSet::new();
        for part in text.split(',') {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (from, to) = (number(from)?, number(to)?);
            if from > to || to.saturating_sub(from) > 10_000_000 {
                return Err(format!("{part:?} is no range of shards"));
            }
            listed.extend(from..=to);
        }
        Ok(Self::Listed(listed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_is_in_one_of_n_selections() {
        for of in 1..7 {
            let selections: Vec<Selection> = (1..=of)
                .map(|first| format!("{first}/{of}").parse().unwrap())
                .collect();
            for shard in 0..50 {
                let has = selections.iter().filter(|one| one.has(shard)).count();
                assert_eq!(has, 1, "{shard} of {of}");
            }
        }
    }

    #[test]
    fn lists_are_numbers_and_ranges_and_nothing_else() {
        let listed: Selection = "0,3,7-9".parse().unwrap();
        let has: Vec<u64> = (0..20).filter(|shard| listed.has(*shard)).collect();
        assert_eq!(has, [0, 3, 7, 8, 9]);
        for wrong in ["", "0/3", "4/3", "a", "3-1", "1,,2", "0-99999999999"] {
            assert!(wrong.parse::<Selection>().is_err(), "{wrong}");
        }
    }
}
