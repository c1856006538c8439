//! The corpus and hand-made archives through the unpacker.

use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::identify;
use crate::limits::{Budget, Limits};
use crate::model::{Artifact, Fact, Kind, Trouble};
use crate::unpack::{Nest, Seen};

/// What unpacking gave: the members with their bytes, the facts, and how it ended.
struct Opened {
    kind: Kind,
    readings: Vec<Kind>,
    children: Vec<Artifact>,
    facts: Vec<Fact>,
    ended: Result<(), Trouble>,
}

fn budget() -> Budget {
    Budget::new(Limits::default(), None)
}

fn artifact(data: &[u8], kind: Kind) -> Artifact {
    Artifact {
        id: 0,
        parent: None,
        via: None,
        index: 0,
        at: None,
        depth: 0,
        kind,
        readings: Vec::new(),
        sha256: [0; 32],
        name: None,
        declared: None,
        same_as: None,
        mail: None,
        facts: Vec::new(),
        data: bytes::Bytes::copy_from_slice(data),
    }
}

fn open(data: &[u8]) -> Opened {
    let budget = budget();
    let identity = identify::identify(data, &budget);
    let artifact = artifact(data, identity.kind);
    let mut seen = Seen::new();
    let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
    let ended = super::run(&artifact, &mut nest);
    Opened {
        kind: identity.kind,
        readings: identity.readings,
        children: nest.children,
        facts: nest.facts,
        ended,
    }
}

impl Opened {
    fn contents(&self) -> Vec<&[u8]> {
        self.children
            .iter()
            .map(|child| child.data.as_ref())
            .collect()
    }

    fn names(&self) -> Vec<&str> {
        self.children.iter().map(Artifact::label).collect()
    }

    fn deviations(&self) -> Vec<&str> {
        let only = |fact| match fact {
            &Fact::Deviation { ref what, .. } => Some(what.as_str()),
            _ => None,
        };
        self.facts.iter().filter_map(only).collect()
    }

    fn lost(&self) -> Vec<&Fact> {
        self.facts
            .iter()
            .filter(|fact| !matches!(fact, Fact::Deviation { .. }))
            .collect()
    }
}

fn testdata() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata");
    if !folder.is_dir() {
        println!("skipped: no testdata beside the repository");
        return None;
    }
    Some(folder)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_member_that_the_zip_crate_reads_is_there() {
    let Some(folder) = testdata() else { return };
    let (mut archives, mut members) = (0, 0);
    for path in files(&folder) {
        let data = std::fs::read(&path).unwrap();
        let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(&data)) else {
            continue;
        };
        let opened = open(&data);
        archives += 1;
        for at in 0..archive.len() {
            let mut content = Vec::new();
            let Ok(file) = archive.by_index(at) else {
                continue;
            };
            if file.is_dir() || file.take(64 << 20).read_to_end(&mut content).is_err() {
                continue;
            }
            members += 1;
            assert!(
                opened.contents().contains(&content.as_slice()),
                "{}: member {at}",
                path.display()
            );
        }
    }
    println!("{archives} archives, {members} members");
    assert!(archives > 150);
}

#[test]
fn archives_of_the_corpus_are_read_whole_or_say_what_is_not() {
    let Some(folder) = testdata() else { return };
    for path in files(&folder.join("archive/zip")) {
        let data = std::fs::read(&path).unwrap();
        let opened = open(&data);
        println!(
            "{:<100} {:?} {} members; {:?}; {:?} {:?}",
            path.file_name().unwrap().to_string_lossy(),
            opened.kind,
            opened.children.len(),
            opened.deviations(),
            opened.lost(),
            opened.ended
        );
    }
}

#[test]
fn clean_documents_of_the_corpus_have_nothing_to_tell() {
    let Some(folder) = testdata() else { return };
    let mut total = Vec::new();
    for path in files(&folder.join("office")) {
        let data = std::fs::read(&path).unwrap();
        if !data.starts_with(b"PK") {
            continue;
        }
        let started = Instant::now();
        let opened = open(&data);
        total.push(started.elapsed());
        if !opened.facts.is_empty() || opened.ended.is_err() {
            println!(
                "{} {:?} {:?} {:?} {:?}",
                path.display(),
                opened.kind,
                opened.deviations(),
                opened.lost(),
                opened.ended
            );
        } else {
            println!("{} {:?} {:?}", path.display(), opened.kind, opened.readings);
        }
    }
    total.sort();
    println!("median {:?} of {}", total.get(total.len() / 2), total.len());
}
