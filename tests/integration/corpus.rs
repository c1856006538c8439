//! Real files beside the repository, with labels: every macro is extracted, every clean file is clean.
//!
//! The folder is not part of the repository; where it is missing these tests say so and pass.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sekisho::model::{Kind, Level, Report};

use crate::bench::{engine, scan};

/// What a label of a document or program says, and the findings that say it here: any of them.
const TOLD: &[(&str, &[&str])] = &[
    ("dde", &["dde-link"]),
    (
        "encrypted",
        &[
            "decrypted-with-known-password",
            "encrypted-archive",
            "encrypted-document",
            "pdf-encrypted",
        ],
    ),
    ("external-object-remote", &["external-object-link"]),
    ("lnk", &["shortcut-lnk"]),
    ("macro-odf", &["odf-macro"]),
    ("ole-package", &["ole-package"]),
    ("pdf-embedded", &["pdf-embedded-file"]),
    ("pdf-js", &["pdf-javascript"]),
    ("pdf-launch", &["pdf-launch"]),
    ("rtf-object", &["rtf-object"]),
    ("template-injection", &["remote-template"]),
    ("xlm", &["xlm-macro", "sylk-macro"]),
];

/// One row of `labels.tsv`.
pub(crate) struct Labelled {
    pub(crate) file: String,
    pub(crate) labels: Vec<String>,
    pub(crate) modules: Vec<String>,
    pub(crate) embedded: Vec<String>,
    pub(crate) attachments: Vec<String>,
}

pub(crate) fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata");
    if folder.join("labels.tsv").exists() {
        return Some(folder);
    }
    println!("skipped: {} is not there", folder.display());
    None
}

pub(crate) fn rows(folder: &Path) -> Vec<Labelled> {
    let table = std::fs::read_to_string(folder.join("labels.tsv")).unwrap();
    let split = |cell: &str, at: &str| -> Vec<String> {
        cell.split(at)
            .map(str::trim)
            .filter(|word| !word.is_empty() && *word != "-")
            .map(str::to_owned)
            .collect()
    };
    let rows: Vec<Labelled> = table
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let hashes = |cell: &str| -> Vec<String> {
                let of = |entry: String| entry.rsplit('|').next().unwrap().to_owned();
                let all = split(cell, ";").into_iter().map(of);
                all.filter(|hash| hash.len() == 64).collect()
            };
            Labelled {
                file: cells[0].to_owned(),
                labels: split(cells[2], ","),
                modules: split(&cells[4].replace([';', ' '], ","), ","),
                embedded: hashes(cells[9]),
                attachments: hashes(cells[10]),
            }
        })
        .collect();
    assert!(rows.len() > 600, "labels.tsv has {} rows", rows.len());
    rows
}

fn is(row: &Labelled, label: &str) -> bool {
    row.labels.iter().any(|own| own == label)
}

fn hashes(report: &Report, kind: Option<Kind>) -> BTreeSet<String> {
    let wanted = report
        .artifacts
        .iter()
        .filter(|artifact| kind.is_none_or(|kind| artifact.kind == kind));
    wanted.map(sekisho::model::Artifact::sha256_hex).collect()
}

#[test]
fn real_files_are_unpacked_to_the_last_macro_and_clean_ones_are_clean() {
    let Some(folder) = folder() else { return };
    let engine = engine();
    let mut worker = sekisho::engine::Worker::new(&engine);
    let mut wrong = Vec::new();
    let (mut attachments, mut missing) = (0, Vec::new());
    for row in rows(&folder) {
        let data = std::fs::read(folder.join(&row.file)).unwrap();
        let started = Instant::now();
        let report = scan(&mut worker, &row.file, data);
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{} took {:?}",
            row.file,
            started.elapsed()
        );
        let sources = hashes(&report, Some(Kind::VbaSource));
        for module in &row.modules {
            if !sources.contains(module) {
                wrong.push(format!("{}: module {module} is missing", row.file));
            }
        }
        let all = hashes(&report, None);
        for hash in &row.embedded {
            if !all.contains(hash) {
                wrong.push(format!("{}: embedded file {hash} is missing", row.file));
            }
        }
        for (label, ids) in TOLD {
            let mut findings = report.findings.iter();
            let told = findings.any(|finding| ids.contains(&finding.id.as_ref()));
            if is(&row, label) && !told {
                wrong.push(format!("{}: labelled {label}, none of {ids:?}", row.file));
            }
        }
        let found: Vec<String> = report
            .findings
            .iter()
            .map(|f| format!("{} ({}) {}", f.id, f.severity.as_str(), f.evidence.text))
            .collect();
        if is(&row, "clean") && report.level != Level::Clean {
            wrong.push(format!("{} is labelled clean: {found:#?}", row.file));
        }
        if is(&row, "no-macro")
            && report
                .findings
                .iter()
                .any(|finding| finding.id == "vba-macro")
        {
            wrong.push(format!("{} has no macro: {found:#?}", row.file));
        }
        if report
            .findings
            .iter()
            .any(|finding| finding.id == "scanner-crashed")
        {
            wrong.push(format!("{}: {found:#?}", row.file));
        }
        for hash in &row.attachments {
            attachments += 1;
            if !all.contains(hash) {
                missing.push(format!("{} {hash}", row.file));
            }
        }
    }
    println!(
        "{} of {attachments} labelled attachments are not byte-equal here: {missing:#?}",
        missing.len()
    );
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
}
