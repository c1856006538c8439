//! Whole reports: a case is a file `testdata/<area>/<situation>.<ext>` and `<situation>.<ext>.json`, the report on it
//! but for what differs from run to run and with every change of a rule.
//!
//! `SEKISHO_BLESS=1` writes the reports, and the fixtures that are missing. A mail runs a second time with LF line
//! ends, as mail stores of Unix keep it.

use std::path::{Path, PathBuf};

use sekisho::engine::Worker;
use sekisho::model::Report;
use serde_json::Value;

use crate::bench::{engine, scan};
use crate::fixtures;

/// The folder of all fixtures.
pub(crate) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Whether this run writes what others compare.
pub(crate) fn blessing() -> bool {
    std::env::var_os("SEKISHO_BLESS").is_some()
}

/// Writes the fixtures of our own builders that are missing, where this run may. What is there stays: compound files
/// carry time stamps and would differ at every run.
pub(crate) fn write_missing_fixtures() {
    use std::sync::Once;
    static WRITTEN: Once = Once::new();
    WRITTEN.call_once(|| {
        if !blessing() {
            return;
        }
        for (path, data) in fixtures::all() {
            let path = testdata().join(path);
            if !path.exists() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, data).unwrap();
            }
        }
    });
}

/// Areas, and where their reports lie: the samples' apart, since users scan that whole folder.
const AREAS: &[(&str, &str)] = &[
    ("archives", "archives"),
    ("documents", "documents"),
    ("mail", "mail"),
    ("samples", "samples-reports"),
];

/// The files of a folder that are no reports, in order.
pub(crate) fn cases(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries
        .filter(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            !matches!(extension, Some("json" | "new" | "md"))
        })
        .collect();
    cases.sort();
    cases
}

/// The report but for its time, and the versions of program and rules.
fn kept(report: &Report) -> Value {
    let mut value = serde_json::to_value(report).unwrap();
    let fields = value.as_object_mut().unwrap();
    for changing in ["elapsed_us", "version", "rules"] {
        assert!(fields.remove(changing).is_some(), "{changing}");
    }
    value
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn ids(report: &Report) -> Vec<String> {
    let mut ids: Vec<String> = report
        .findings
        .iter()
        .map(|finding| finding.id.to_string())
        .chain(report.raised.iter().map(|raised| raised.by.clone()))
        .collect();
    ids.sort();
    ids
}

/// The same mail with bare LF line ends.
fn with_bare_lf(data: &[u8]) -> Vec<u8> {
    let mut out = data.to_vec();
    let mut at = 0;
    out.retain(|byte| {
        at += 1;
        *byte != b'\r' || data.get(at) != Some(&b'\n')
    });
    out
}

#[test]
fn every_case_gives_the_report_that_is_kept() {
    write_missing_fixtures();
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let mut wrong = Vec::new();
    for (area, reports) in AREAS {
        let files = cases(&testdata().join(area));
        assert!(!files.is_empty(), "{area}: no case");
        for file in files {
            let name = file.file_name().unwrap().to_str().unwrap();
            let data = std::fs::read(&file).unwrap();
            let report = scan(&mut worker, &format!("{area}/{name}"), data.clone());
            if name.ends_with(".eml") {
                let without = with_bare_lf(&data);
                assert_ne!(without.len(), data.len(), "{name} is kept with CRLF");
                let other = scan(&mut worker, &format!("{area}/{name}"), without);
                assert_eq!(ids(&report), ids(&other), "{name} with LF");
            }
            let golden = testdata().join(reports).join(format!("{name}.json"));
            if !matches(&golden, &kept(&report)) {
                wrong.push(format!("{area}/{name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "other reports than kept: {wrong:?}");
}

/// Compares, or writes where this run may; a difference is printed and written beside.
fn matches(golden: &Path, report: &Value) -> bool {
    if blessing() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(golden, pretty(report)).unwrap();
        return true;
    }
    let text = std::fs::read_to_string(golden).unwrap_or_default();
    if serde_json::from_str::<Value>(&text).ok().as_ref() == Some(report) {
        return true;
    }
    let new = golden.with_extension("json.new");
    std::fs::write(&new, pretty(report)).unwrap();
    println!(
        "{} holds\n{text}\nbut the report is ({})\n{}",
        golden.display(),
        new.display(),
        pretty(report)
    );
    false
}

#[test]
fn reports_without_a_case_are_none() {
    for (area, reports) in AREAS {
        for entry in std::fs::read_dir(testdata().join(reports)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if let Some(case) = name.strip_suffix(".json") {
                assert!(testdata().join(area).join(case).exists(), "{area}/{name}");
            }
        }
    }
}
