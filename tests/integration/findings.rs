//! Every finding that an analyzer may give, and every combination that such findings can meet, fires on its hits in
//! `testdata/findings/<id>/hit*` and on none of its near misses beside, `miss*`. A hit of a variant is named
//! `hit.<variant>.<ext>` and fires with that variant's severity.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use sekisho::analyze::ANALYZERS;
use sekisho::engine::{Context, Engine, Input, Worker};
use sekisho::knowledge::{Catalogue, Combination};
use sekisho::limits::Limits;
use sekisho::model::{Report, Severity};

use crate::bench::{engine, engine_within, scan};
use crate::golden::{cases, testdata, write_missing_fixtures};

/// Ids without a file that fires them; each has a test below.
const WITHOUT_FILE: &[(&str, &str)] = &[(
    "scanner-crashed",
    "a file that crashes the scanner is a fault to be repaired, not kept",
)];

/// The ids of the table of analyzers.
fn ids() -> BTreeSet<&'static str> {
    let rows = ANALYZERS.iter();
    rows.flat_map(|row| row.findings).copied().collect()
}

/// Whether findings of today's analyzers can meet it.
fn can_be_met(combination: &Combination, ids: &BTreeSet<&str>) -> bool {
    let any = |list: &Vec<String>| list.iter().any(|id| ids.contains(id.as_str()));
    let anchored = combination.anchor.is_empty() || any(&combination.anchor);
    anchored && combination.all.iter().all(any)
}

fn sources(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(sources(&path));
        } else {
            texts.push(std::fs::read_to_string(&path).unwrap());
        }
    }
    texts
}

/// The catalogue's variants of a finding that analyzers name.
fn variants(catalogue: &Catalogue, id: &str) -> BTreeSet<String> {
    let texts = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/analyze"));
    let quoted = |word: &str| format!("\"{word}\"");
    let named = |variant: &&String| {
        let mut texts = texts.iter();
        texts.any(|text| text.contains(&quoted(id)) && text.contains(&quoted(variant)))
    };
    let Some(entry) = catalogue.entry(id) else {
        return BTreeSet::new();
    };
    entry.variants.keys().filter(named).cloned().collect()
}

fn fires(report: &Report, id: &str, severity: Option<Severity>) -> bool {
    let found = report
        .findings
        .iter()
        .any(|finding| finding.id == id && severity.is_none_or(|one| one == finding.severity));
    found || report.raised.iter().any(|raised| raised.by == id)
}

fn shown(report: &Report) -> Vec<String> {
    let findings = report.findings.iter().map(|finding| {
        let (id, severity) = (&finding.id, finding.severity.as_str());
        format!(
            "{id} {severity} {}: {}",
            finding.artifact, finding.evidence.text
        )
    });
    findings
        .chain(report.raised.iter().map(|raised| raised.by.clone()))
        .collect()
}

/// What is wrong with the fixtures of one id.
fn faults(engine: &Engine, id: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut worker = Worker::new(engine);
    let catalogue = &engine.knowledge.catalogue;
    let mut missing = variants(catalogue, id);
    let (mut hits, mut misses) = (0, 0);
    let folder = testdata().join("findings").join(id);
    let files = if folder.exists() {
        cases(&folder)
    } else {
        Vec::new()
    };
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let parts: Vec<&str> = name.split('.').collect();
        let data = std::fs::read(&file).unwrap();
        // The fixture's own name says hit or miss; what is scanned has a name that says nothing.
        let report = scan(
            &mut worker,
            &format!("file.{}", parts.last().unwrap()),
            data,
        );
        if name.starts_with("hit") {
            hits += 1;
            let entry = catalogue.entry(id);
            let severity = match parts.as_slice() {
                [_, variant, _] => {
                    missing.remove(*variant);
                    Some(entry.unwrap().variants[*variant].severity)
                }
                _ => entry.map(|entry| entry.severity),
            };
            if !fires(&report, id, severity) {
                faults.push(format!("{id}/{name} does not fire: {:?}", shown(&report)));
            }
        } else {
            misses += 1;
            if fires(&report, id, None) {
                faults.push(format!("{id}/{name} fires: {:?}", shown(&report)));
            }
        }
    }
    let in_code = WITHOUT_FILE.iter().any(|(other, _)| *other == id);
    if !in_code && (hits == 0 || misses == 0 || !missing.is_empty()) {
        faults.push(format!(
            "{id}: {hits} hits, {misses} near misses, no hit of {missing:?}"
        ));
    }
    faults
}

#[test]
fn every_finding_has_a_hit_and_a_near_miss() {
    write_missing_fixtures();
    let engine = engine();
    let ids = ids();
    let combinations = engine.knowledge.catalogue.combinations();
    let met = combinations
        .iter()
        .filter(|combination| can_be_met(combination, &ids))
        .map(|combination| combination.id.as_str());
    let all: BTreeSet<&str> = ids.iter().copied().chain(met).collect();
    for entry in std::fs::read_dir(testdata().join("findings")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            all.contains(name.as_str()),
            "testdata/findings/{name}: no such id"
        );
    }
    let faults: Vec<String> = all.iter().flat_map(|id| faults(&engine, id)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_limit_of_a_scan_is_met_by_its_finding() {
    let path = testdata().join("findings/limit-exceeded/miss.zip");
    let data = std::fs::read(path).unwrap();
    let limits = [
        (
            Limits {
                max_depth: 3,
                ..Limits::default()
            },
            "max-depth",
        ),
        (
            Limits {
                max_artifacts: 3,
                ..Limits::default()
            },
            "max-artifacts",
        ),
        (
            Limits {
                max_unpacked: 2000,
                ..Limits::default()
            },
            "max-unpacked",
        ),
    ];
    for (limits, what) in limits {
        let engine = engine_within(limits);
        let report = scan(&mut Worker::new(&engine), "file.zip", data.clone());
        let named = report
            .findings
            .iter()
            .any(|finding| finding.id == "limit-exceeded" && finding.evidence.text.contains(what));
        assert!(named && !report.complete, "{what}: {:?}", shown(&report));
    }
    let engine = engine();
    let late = Input {
        data: data.into(),
        context: Context {
            deadline: Some(Instant::now()),
            ..Context::default()
        },
        ..Input::default()
    };
    let report = Worker::new(&engine).scan(late);
    assert!(
        fires(&report, "limit-exceeded", None),
        "{:?}",
        shown(&report)
    );
    assert!(!report.complete);
}

#[test]
fn a_crash_is_a_finding_and_leaves_the_input_incomplete() {
    let engine = engine();
    let input = Input {
        data: vec![b'a'; 9].into(),
        ..Input::default()
    };
    let report = engine.unfinished(&input, "scanner-crashed", "zip: index", Instant::now());
    assert!(fires(&report, "scanner-crashed", Some(Severity::Medium)));
    assert!(!report.complete);
    let report = Worker::new(&engine).scan(input);
    assert!(
        !fires(&report, "scanner-crashed", None),
        "{:?}",
        shown(&report)
    );
    assert!(report.complete);
}
