//! Disarmers of single formats on real files: what had to go is no longer found, the second time nothing changes, the
//! document still opens, and damaged files never end in a panic.

use std::collections::BTreeSet;

use bytes::Bytes;
use sekisho::engine::Worker;
use sekisho::limits::Budget;
use sekisho::model::{Kind, Report};
use sekisho::rewrite::disarm::{DISARMERS, Disarmed, Disarmer, FindingId, Job, Refusal, Turns};

use crate::bench::{Dice, engine, scan};
use crate::corpus;
use crate::mutate::{fixtures, mutate, number};
use crate::office_opens::{Pair, Text, differences};

/// Kinds that this looks at: documents of one file each.
fn row(kind: Kind) -> Option<&'static Disarmer> {
    const ROWS: &[&str] = &[
        "ooxml",
        "word_binary",
        "excel_binary",
        "powerpoint_binary",
        "rtf",
        "pdf",
        "html",
        "odf",
        "office_xml",
        "sylk",
        "csv",
    ];
    let row = DISARMERS.iter().find(|row| row.kinds.contains(&kind))?;
    ROWS.contains(&row.name).then_some(row)
}

/// What a row takes out of what was found.
fn asked(row: &Disarmer, report: &Report) -> BTreeSet<FindingId> {
    let ids = report.findings.iter().map(|finding| &finding.id);
    ids.filter(|id| row.takes_out(id)).cloned().collect()
}

fn disarm(
    row: &Disarmer,
    data: &Bytes,
    kind: Kind,
    remove: &BTreeSet<FindingId>,
) -> Result<Disarmed, Refusal> {
    let limits = sekisho::limits::Limits::default();
    let budget = Budget::new(limits, None);
    let job = Job {
        data,
        kind,
        remove,
        turns: Turns::All,
    };
    (row.run)(&job, &budget)
}

/// Disarms a file and says what is wrong with the result.
pub(crate) fn check(
    worker: &mut Worker<'_>,
    path: &str,
    data: Vec<u8>,
) -> Result<Option<Pair>, String> {
    let report = scan(worker, path, data.clone());
    let kind = report.artifacts[0].kind;
    let Some(row) = row(kind) else {
        return Ok(None);
    };
    let remove = asked(row, &report);
    let data = Bytes::from(data);
    // A sheet that is only hidden stays so: nobody asks to show it.
    if !remove.is_empty() && remove.iter().all(|id| id == "hidden-sheet") {
        return Ok(None);
    }
    if remove.is_empty() {
        let all = row.ids().map(FindingId::Borrowed);
        let everything = disarm(row, &data, kind, &all.collect());
        return match everything {
            Ok(made) if made.removed.is_empty() && made.data != data => {
                Err(format!("{path}: changed without a word"))
            }
            _ => Ok(None),
        };
    }
    let made = match disarm(row, &data, kind, &remove) {
        Ok(made) => made,
        Err(refusal) => return Err(format!("{path}: refused: {refusal}")),
    };
    let again = scan(worker, path, made.data.to_vec());
    // A page that was nothing but what runs is a text then.
    let emptied = kind == Kind::Html && again.artifacts[0].kind == Kind::Text;
    if again.artifacts[0].kind != kind && !emptied {
        return Err(format!("{path}: became {}", again.artifacts[0].kind));
    }
    let left: Vec<_> = asked(row, &again).intersection(&remove).cloned().collect();
    if !left.is_empty() {
        return Err(format!("{path}: still {left:?} of {remove:?}"));
    }
    if report.complete && !again.complete {
        return Err(format!("{path}: no longer read whole"));
    }
    let same = match disarm(row, &made.data, kind, &remove) {
        Ok(second) => second.data == made.data,
        Err(refusal) => matches!(refusal, Refusal::NoWay(_)),
    };
    if !same {
        return Err(format!("{path}: changes again"));
    }
    if made.removed.is_empty() {
        return Err(format!("{path}: nothing told"));
    }
    let has = |start: &str| remove.iter().any(|id| id.starts_with(start));
    let text = match () {
        () if has("xlm-") => Text::Loses,
        // A formula that could not be computed shows its last value.
        () if kind == Kind::Excel2003Xml => Text::Gains,
        () if has("ole-package") || has("rtf-object") || has("equation-") => Text::Gains,
        () => Text::Same,
    };
    Ok(Some(Pair {
        text,
        functions: has("vba-") || has("xlm-"),
        name: path.to_owned(),
        kind,
        before: data.to_vec(),
        after: made.data.to_vec(),
    }))
}

#[test]
fn what_is_taken_out_is_gone_and_the_document_opens() {
    if corpus::folder().is_none() {
        return;
    }
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let only = std::env::var("SEKISHO_TEST_ONLY").unwrap_or_default();
    let (mut pairs, mut wrong) = (Vec::new(), Vec::new());
    for path in fixtures() {
        let name = path.display().to_string();
        if !name.contains(&only) || name.contains("malformed") || name.contains("encrypted") {
            continue;
        }
        let data = std::fs::read(&path).unwrap();
        match check(&mut worker, &name, data) {
            Ok(pair) => pairs.extend(pair),
            Err(what) => wrong.push(what),
        }
    }
    println!("{} files disarmed", pairs.len());
    wrong.extend(differences(&pairs).unwrap_or_default());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!pairs.is_empty());
}

#[test]
fn damaged_documents_are_disarmed_or_refused() {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let mut dice = Dice::new(7);
    let rounds = number("SEKISHO_TEST_ROUNDS").unwrap_or(6);
    let mut last = Vec::new();
    for path in fixtures() {
        let data = std::fs::read(&path).unwrap();
        let report = scan(&mut worker, &path.display().to_string(), data.clone());
        let kind = report.artifacts[0].kind;
        let Some(row) = row(kind) else { continue };
        let all: BTreeSet<FindingId> = row.ids().map(FindingId::Borrowed).collect();
        for _ in 0..rounds {
            let mut damaged = data.clone();
            mutate(&mut damaged, &last, &mut dice);
            let damaged = Bytes::from(damaged);
            // Either answer is one; a panic is none.
            let made = disarm(row, &damaged, kind, &all);
            if let Ok(made) = made {
                let twice = disarm(row, &made.data, kind, &all);
                // A package in which nothing is left says that.
                let same = match twice {
                    Ok(twice) => twice.data == made.data,
                    Err(refusal) => matches!(refusal, Refusal::NoWay(_)),
                };
                assert!(same, "{}: changes again", path.display());
            }
        }
        last = data;
    }
}
