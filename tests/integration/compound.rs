//! Compound files beside the repository: streams as an independent reader gives them, every labelled macro, locks
//! where there are locks. Where the folder is missing these tests say so and pass.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sekisho::engine::{Engine, Input, Worker};
use sekisho::formats::ole::is_compound;
use sekisho::knowledge::Knowledge;
use sekisho::limits::Limits;
use sekisho::model::{Artifact, Fact, Kind, Report};
use sekisho::rules::{Rules, Strictness};
use sekisho::score::Thresholds;

pub(crate) struct Row {
    pub(crate) file: String,
    labels: String,
    modules: BTreeSet<String>,
    pub(crate) data: Vec<u8>,
}

/// Rows of `labels.tsv` with their files; none where the folder is missing.
pub(crate) fn rows() -> Vec<Row> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata");
    let Ok(table) = std::fs::read_to_string(folder.join("labels.tsv")) else {
        println!("skipped: {} is not there", folder.display());
        return Vec::new();
    };
    table
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let digests = cells[4]
                .split([',', ';', ' '])
                .filter(|cell| cell.len() == 64);
            Row {
                file: cells[0].to_owned(),
                labels: cells[2].to_owned(),
                modules: digests.map(str::to_owned).collect(),
                data: std::fs::read(folder.join(cells[0])).unwrap(),
            }
        })
        .collect()
}

pub(crate) fn engine() -> Engine {
    Engine {
        rules: Rules::compile(Vec::new(), Strictness::Strict).unwrap(),
        knowledge: Knowledge::embedded().unwrap(),
        limits: Limits::default(),
        thresholds: Thresholds::default(),
    }
}

pub(crate) fn scan(worker: &mut Worker<'_>, data: &[u8]) -> Report {
    worker.scan(Input {
        data: data.to_vec().into(),
        ..Input::default()
    })
}

/// The compound files in a file: itself, or the members of a zip.
pub(crate) fn compound_files(data: &[u8]) -> Vec<Vec<u8>> {
    if is_compound(data) {
        return vec![data.to_vec()];
    }
    let Ok(mut zip) = zip::ZipArchive::new(Cursor::new(data)) else {
        return Vec::new();
    };
    let mut members = Vec::new();
    for index in 0..zip.len() {
        let mut member = Vec::new();
        let read = zip
            .by_index(index)
            .map(|mut file| file.read_to_end(&mut member));
        if matches!(read, Ok(Ok(_))) && is_compound(&member) {
            members.push(member);
        }
    }
    members
}

/// Whether it is, or was before a known password opened it.
fn locked(artifact: &Artifact) -> bool {
    let mut facts = artifact.facts.iter();
    facts.any(|fact| matches!(fact, Fact::Locked { .. } | Fact::Unlocked { .. }))
}

#[test]
fn every_labelled_module_is_a_source_and_nothing_else_is() {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let (mut wanted, mut found) = (0, 0);
    for row in rows() {
        let mut sources = BTreeSet::new();
        for file in compound_files(&row.data) {
            let report = scan(&mut worker, &file);
            let artifacts = report.artifacts.iter();
            let modules = artifacts.filter(|artifact| artifact.kind == Kind::VbaSource);
            sources.extend(modules.map(Artifact::sha256_hex));
        }
        wanted += row.modules.len();
        found += row.modules.intersection(&sources).count();
        // Damaged files give more than the labels' tool found.
        if !row.labels.contains("malformed") {
            assert_eq!(sources, row.modules, "{}", row.file);
        }
    }
    println!("{found} of {wanted} modules");
    assert_eq!(found, wanted);
}

#[test]
fn streams_are_what_an_independent_reader_gives() {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let (mut files, mut streams) = (0, 0);
    for row in rows().into_iter().filter(|row| is_compound(&row.data)) {
        let started = Instant::now();
        let report = scan(&mut worker, &row.data);
        assert!(started.elapsed() < Duration::from_secs(5), "{}", row.file);
        let Ok(mut judge) = cfb::CompoundFile::open(Cursor::new(&row.data)) else {
            continue;
        };
        files += 1;
        let walk = judge
            .walk()
            .filter(|entry| entry.is_stream() && !entry.is_empty());
        let paths: Vec<PathBuf> = walk.map(|entry| entry.path().to_path_buf()).collect();
        for path in paths {
            let mut expected = Vec::new();
            // Names with slashes cannot be opened there, and a short last sector drops the stream.
            let Ok(mut stream) = judge.open_stream(&path) else {
                continue;
            };
            if stream.read_to_end(&mut expected).is_err() {
                continue;
            }
            streams += 1;
            let name = path.to_string_lossy().trim_start_matches('/').to_owned();
            let mut artifacts = report.artifacts.iter();
            // Attachments of a message bear other names, and lie deeper where they are messages.
            let is_message = report.artifacts[0].kind == Kind::Msg;
            let same = artifacts.any(|artifact| {
                let named = artifact
                    .name
                    .as_ref()
                    .and_then(|name| name.readings.first());
                let in_place = artifact.parent == Some(0) && named == Some(&name);
                (in_place || is_message) && artifact.data == expected
            });
            assert!(same, "{}: {name:?}", row.file);
        }
    }
    println!("{streams} streams of {files} files");
}

#[test]
fn encrypted_documents_are_locked_and_clean_ones_are_not() {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    for row in rows().into_iter().filter(|row| is_compound(&row.data)) {
        let report = scan(&mut worker, &row.data);
        let encrypted = row.labels.split(',').any(|label| label == "encrypted");
        assert_eq!(
            report.artifacts.iter().any(locked),
            encrypted,
            "{}",
            row.file
        );
        if row.labels.split(',').any(|label| label == "clean") {
            let odd = |artifact: &Artifact| {
                let mut facts = artifact.facts.iter();
                facts.any(|fact| matches!(fact, Fact::Unread { .. } | Fact::Limit { .. }))
            };
            assert!(!report.artifacts.iter().any(odd), "{}", row.file);
        }
    }
}
