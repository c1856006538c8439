//! What a batch writes, and what can be asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sekisho::batch::schema::{CAMPAIGNS, Holds, TABLES};
use sekisho::batch::{
    Keep, OutputError, PartSummary, PartWriter, Results, ShardId, campaigns, finish, merge,
};
use sekisho::engine::Worker;
use sekisho::knowledge::Language;
use sekisho::rules::{RuleSource, Rules, Strictness};
use serde_json::{Value, json};

use crate::batch_world::{ATTACK, EVERYTHING, SCRIPTS, batch, messages, reference, write};
use crate::bench::{engine, scan};
use crate::support::{Folder, Run};

/// Every row of the files of a folder, or of one file, as JSON.
fn rows(path: &Path) -> Vec<Value> {
    let mut files: Vec<PathBuf> = if path.is_dir() {
        std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    } else {
        vec![path.to_owned()]
    };
    files.sort();
    let mut rows = Vec::new();
    for file in files {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file).unwrap()).unwrap();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            rows.extend((0..batch.num_rows()).map(|row| object(&batch, row)));
        }
    }
    rows
}

fn object(batch: &RecordBatch, row: usize) -> Value {
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    names
        .zip(batch.columns())
        .map(|(name, column)| (name, value(column, row)))
        .collect()
}

fn value(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return json!(texts.value(row));
    }
    if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
        return json!(numbers.value(row));
    }
    if let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        return json!(times.value(row));
    }
    if let Some(truths) = column.as_boolean_opt() {
        return json!(truths.value(row));
    }
    let list = column.as_list::<i32>().value(row);
    (0..list.len()).map(|at| value(&list, at)).collect()
}

/// The reports of a batch, as they stand in its file.
fn reports(folder: &Path) -> Vec<Value> {
    let packed = File::open(folder.join("report.ndjson.zst")).unwrap();
    let text = zstd::decode_all(packed).unwrap();
    let text = String::from_utf8(text).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn rows_say_what_the_reports_say() {
    let folder = Folder::new();
    let output = folder.path("out");
    let scanned = batch(&output, EVERYTHING);
    let reports = reports(&output);
    assert_eq!(reports.len(), scanned.len());
    let messages = rows(&output.join("messages"));
    let (artifacts, findings) = (
        rows(&output.join("artifacts")),
        rows(&output.join("findings")),
    );
    assert_eq!(messages.len(), reports.len());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (mut seen_artifacts, mut seen_findings) = (artifacts.iter(), findings.iter());
    for (report, message) in reports.iter().zip(&messages) {
        let mail = &report["artifacts"][0]["mail"];
        assert_eq!(message["reference"], report["path"]);
        assert_eq!(message["source"], "export.mbox");
        for field in ["level", "score", "complete"] {
            assert_eq!(message[field], report[field], "{field}");
        }
        for field in ["message_id", "from", "subject"] {
            assert_eq!(message[field], mail[field], "{field}");
        }
        assert_eq!(message["to"], mail["to"]);
        let date = text(&mail["date"])
            .map(|date| date.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        assert_eq!(message["date"], json!(date));
        assert_eq!(message["sha256"], report["artifacts"][0]["sha256"]);
        let list = |name: &str, id: &str| -> BTreeSet<String> {
            report[name]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| text(&one[id]).unwrap())
                .collect()
        };
        assert_eq!(message["findings"], json!(list("findings", "id")));
        assert_eq!(message["raised"], json!(list("raised", "by")));
        for artifact in report["artifacts"].as_array().unwrap() {
            let row = seen_artifacts.next().unwrap();
            assert_eq!(row["reference"], report["path"]);
            for field in [
                "id", "parent", "via", "kind", "size", "sha256", "name", "declared", "same_as",
            ] {
                assert_eq!(row[field], artifact[field], "{field} of {artifact}");
            }
        }
        for finding in report["findings"].as_array().unwrap() {
            let row = seen_findings.next().unwrap();
            assert_eq!(row["reference"], report["path"]);
            for field in ["artifact", "id", "severity", "score", "more"] {
                assert_eq!(row[field], finding[field], "{field} of {finding}");
            }
            let evidence = &finding["evidence"];
            assert_eq!(
                row["evidence"].as_str(),
                Some(evidence["text"].as_str().unwrap_or_default())
            );
            assert_eq!(row["offset"], evidence["offset"]);
            assert_eq!(row["decoded"], evidence["decoded"]);
            let attack = finding.get("attack").cloned().unwrap_or_else(|| json!([]));
            assert_eq!(row["attack"], attack);
        }
    }
    assert!(seen_artifacts.next().is_none() && seen_findings.next().is_none());
    let errors = std::fs::read_to_string(output.join("errors.ndjson")).unwrap();
    let error: Value = serde_json::from_str(errors.trim_end()).unwrap();
    assert_eq!(
        error,
        json!({"reference": "export.mbox#99", "error": "no such \\u{1b}[2J message"})
    );
}

#[test]
fn files_have_the_columns_that_are_documented_in_their_order() {
    let folder = Folder::new();
    let output = folder.path("out");
    batch(&output, Keep::default());
    let files = TABLES
        .iter()
        .map(|(name, columns)| (output.join(name).join("000000.parquet"), *columns));
    for (path, columns) in files.chain([(output.join("campaigns.parquet"), CAMPAIGNS)]) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        let fields = reader.schema().fields().clone();
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let expected: Vec<&str> = columns.iter().map(|column| column.name).collect();
        assert_eq!(names, expected, "{}", path.display());
        assert!(columns.iter().any(|column| column.holds == Holds::Text));
    }
}

#[test]
fn nothing_of_a_shard_is_seen_before_it_is_done() {
    let folder = Folder::new();
    let output = folder.path("out");
    let engine = Arc::new(engine());
    let shard = ShardId::new(7);
    let part = PartWriter::create(&engine, &output, &shard, Keep::default()).unwrap();
    drop(part);
    assert!(matches!(
        Results::open(&output),
        Err(OutputError::NoResults { .. })
    ));
    assert_eq!(PartSummary::read(&output, &shard).unwrap(), None);
    // What a killed run left is taken again.
    std::fs::write(output.join("messages/.000007.parquet.part"), b"half").unwrap();
    let part = PartWriter::create(&engine, &output, &shard, Keep::default()).unwrap();
    let done = part.finish().unwrap();
    assert_eq!(PartSummary::read(&output, &shard).unwrap(), Some(done));
    assert_eq!(
        rows(&output.join("messages/000007.parquet")),
        Vec::<Value>::new()
    );
    let left = std::fs::read_dir(output.join("messages")).unwrap().count();
    assert_eq!(left, 1);
}

#[test]
fn an_attack_is_one_campaign_and_ordinary_mail_is_none() {
    let folder = Folder::new();
    let output = folder.path("out");
    batch(&output, Keep::default());
    let found = campaigns(&Results::open(&output).unwrap()).unwrap();
    let members: Vec<Vec<String>> = found
        .iter()
        .map(|campaign| campaign.references.clone())
        .collect();
    let expected = [ATTACK, SCRIPTS].map(|numbers| numbers.map(reference).collect::<Vec<_>>());
    assert_eq!(members, expected, "{found:#?}");
    let [attack, scripts] = found.as_slice() else {
        panic!("{found:#?}")
    };
    assert_eq!(attack.level, "malicious");
    assert!(
        attack.alike.contains(&"vba".to_owned()),
        "{:?}",
        attack.alike
    );
    assert!(
        scripts.alike.contains(&"tlsh".to_owned()),
        "{:?}",
        scripts.alike
    );
    let sites: Vec<(&str, i64)> = attack
        .sites
        .iter()
        .map(|site| (site.domain.as_str(), site.messages))
        .collect();
    assert_eq!(
        sites,
        [
            ("osaka.example", 2),
            ("nagoya.example", 1),
            ("hq.example.co.jp", 2)
        ]
    );
    assert_eq!(attack.senders.first().unwrap(), "recruiter@jobs.example");
    assert_eq!(attack.recipients.len(), 6);
    assert!(
        attack.names.contains(&"予算案.docm".to_owned()),
        "{:?}",
        attack.names
    );
    let day = |time: Option<i64>| {
        jiff::Timestamp::from_microsecond(time.unwrap())
            .unwrap()
            .to_string()
    };
    assert_eq!(day(attack.first_seen), "2026-03-02T00:12:00Z");
    assert_eq!(day(attack.last_seen), "2026-08-31T22:55:00Z");
    // The file says the same.
    let rows = rows(&output.join("campaigns.parquet"));
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["references"], json!(attack.references));
    assert_eq!(rows[0]["site_messages"], json!([2, 1, 2]));
    assert_eq!(rows[0]["first_seen"], json!(attack.first_seen));
}

fn query(folder: &Folder, arguments: &[&str]) -> Run {
    let fixed = ["query", "out", "--format", "json"];
    folder.run(&[&fixed[..], arguments].concat())
}

/// Numbers of the messages of an answer.
fn numbers(run: &Run) -> Vec<usize> {
    assert!(run.code < 2, "{run:?}");
    let hits = run.json();
    let numbers = hits.as_array().unwrap().iter().map(|hit| {
        let reference = hit["reference"].as_str().unwrap();
        reference.rsplit('#').next().unwrap().parse().unwrap()
    });
    numbers.collect()
}

#[test]
fn every_filter_has_a_hit_and_a_near_miss() {
    let folder = Folder::new();
    let output = folder.path("out");
    batch(&output, Keep::default());
    let docm = rows(&output.join("artifacts"));
    let docm = docm
        .iter()
        .find(|row| row["name"] == "budget.docm")
        .unwrap();
    let digest = docm["sha256"].as_str().unwrap();
    let other = digest.replacen(
        |_: char| true,
        if digest.starts_with('0') { "1" } else { "0" },
        1,
    );
    let upper = digest[..12].to_uppercase();
    let attack: Vec<usize> = ATTACK.collect();
    let table: &[(&[&str], &[usize])] = &[
        (&["--finding", "vba-autoexec"], &attack),
        (&["--finding", "autostart-with-call"], &attack),
        (&["--finding", "rtlo-filename"], &[]),
        (&["--finding", "macros", "--level", "clean"], &[5, 6, 7]),
        (&["--kind", "js"], &[13, 14]),
        (&["--kind", "lnk"], &[]),
        (&["--hash", digest], &[11, 12]),
        (&["--hash", &upper], &[11, 12]),
        (&["--hash", &other], &[]),
        (&["--sender", "Suzuki@"], &[9]),
        (&["--sender", "*@osaka.example"], &[9, 10]),
        (&["--sender", "osaka.example.net"], &[]),
        (&["--recipient", "kato@osaka.example"], &[9, 14]),
        (&["--recipient", "kato@osaka"], &[9, 14]),
        (&["--recipient", "kato@osaka*com"], &[]),
        (&["--since", "2026-08-25"], &[11, 12]),
        (&["--since", "2026-08-25T17:30:01+09:00"], &[12]),
        (&["--until", "2026-02-03T01:00:00Z"], &[]),
        (&["--until", "2026-02-03T01:00:01Z"], &[1]),
        (&["--name", "予算"], &[12]),
        (&["--name", "*.JS"], &[13, 14]),
        (&["--name", "予算*.xlsm"], &[]),
        (&["--name", "track.js", "--kind", "docm"], &[]),
        (&["--subject", "shipping"], &[9, 10]),
        (&["--level", "malicious", "--sender", "friend"], &[15]),
        (&["--level", "suspicious", "--sender", "suzuki"], &[]),
        (&["--level", "malicious", "--limit", "1"], &[8]),
    ];
    for (arguments, expected) in table {
        let run = query(&folder, arguments);
        assert_eq!(numbers(&run), *expected, "{arguments:?}");
        assert_eq!(run.code, i32::from(expected.is_empty()), "{arguments:?}");
    }
    let found = campaigns(&Results::open(&output).unwrap()).unwrap();
    assert_eq!(
        numbers(&query(&folder, &["--campaign", &found[0].campaign])),
        attack
    );
    let run = query(&folder, &["--campaign", "c-none"]);
    assert!(
        run.code == 2 && run.stderr.contains("no campaign"),
        "{run:?}"
    );
    for wrong in [
        ["--kind", "docmm"],
        ["--hash", "xyz"],
        ["--finding", "nothing"],
        ["--since", "soon"],
    ] {
        assert_eq!(query(&folder, &wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn tables_are_safe_for_terminals_and_spreadsheets() {
    let folder = Folder::new();
    batch(&folder.path("out"), Keep::default());
    let table = folder.run(&["query", "out", "--level", "malicious"]);
    assert!(table.stdout.starts_with("DATE"), "{table:?}");
    assert!(
        table.stdout.contains("予算案") && table.stdout.contains("2026-03-02T00:12:00Z"),
        "{table:?}"
    );
    assert!(table.stdout.ends_with("8 messages, first 2026-03-02T00:12:00Z, last 2026-08-31T22:55:00Z; 6 senders, 8 recipients\n"), "{table:?}");
    let csv = folder.run(&["query", "out", "--sender", "sato", "--format", "csv"]);
    assert_eq!(csv.stdout.lines().count(), 3, "{csv:?}");
    assert!(
        csv.stdout
            .contains("\"'=HYPERLINK(\"\"http://192.0.2.1\"\",\"\"Budget\"\")\""),
        "{csv:?}"
    );
    let nothing = folder.run(&["query", "."]);
    assert!(
        nothing.code == 2 && nothing.stderr.contains("no results of a batch"),
        "{nothing:?}"
    );
    assert!(nothing.stderr.contains("hint: "), "{nothing:?}");
    std::fs::write(folder.path("out/messages/000001.parquet"), b"PAR1 no more").unwrap();
    let damaged = folder.run(&["query", "out"]);
    assert!(
        damaged.code == 2 && damaged.stderr.contains("000001.parquet"),
        "{damaged:?}"
    );
}

const RULES: &str = r#"
rule fetches { meta: severity = "high" description = "fetches a program" strings: $a = "-OutFile a.bin" condition: $a }
rule offer { condition: filename == "offer.docm" and kind == "docm" and parent_kind == "eml" and depth == 1 and filepath contains "export.mbox" and extension == ".docm" }
rule header { strings: $a = "Message-ID: <13@mail.example>" condition: $a }
rule silent { strings: $a = "nothing says this" condition: $a }
"#;

#[test]
fn rules_over_what_was_kept_find_what_a_scan_with_them_finds() {
    let folder = Folder::new();
    let output = folder.path("out");
    batch(&output, EVERYTHING);
    let rules = folder.file("new.yar", RULES);
    let run = folder.run(&["retro", "out", "--rules", "new.yar", "--format", "json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let found = run.json();
    let hits = found["hits"].as_array().unwrap().iter();
    let own: BTreeSet<(String, i64, String)> = hits
        .map(|hit| {
            let text = |name: &str| hit[name].as_str().unwrap().to_owned();
            (
                text("reference"),
                hit["artifact"].as_i64().unwrap(),
                text("rule"),
            )
        })
        .collect();
    let source = RuleSource {
        origin: "new.yar".to_owned(),
        text: RULES.to_owned(),
    };
    let mut engine = engine();
    engine.rules = Rules::compile([source], Strictness::Strict).unwrap();
    let mut worker = Worker::new(&engine);
    let mut scanned = BTreeSet::new();
    for (mail, number) in messages().into_iter().zip(1..) {
        let report = scan(&mut worker, &reference(number), mail);
        for finding in &report.findings {
            if let Some(rule) = finding.id.strip_prefix("yara:") {
                scanned.insert((
                    reference(number),
                    i64::from(finding.artifact),
                    rule.to_owned(),
                ));
            }
        }
    }
    assert_eq!(own, scanned);
    let rules_hit: BTreeSet<&str> = own.iter().map(|(.., rule)| rule.as_str()).collect();
    assert_eq!(rules_hit, BTreeSet::from(["fetches", "header", "offer"]));
    let fetches = &found["rules"][0];
    assert_eq!(fetches["rule"], "fetches");
    assert_eq!(fetches["messages"], 5);
    assert_eq!(fetches["first_seen"], "2026-03-02T00:12:00Z");
    assert_eq!(fetches["first_message"], reference(8));
    assert_eq!(fetches["recipients"].as_array().unwrap().len(), 6);
    let table = folder.run(&["retro", "out", "--rules", "new.yar"]);
    assert!(table.stdout.contains("fetches  score 60  fetches a program\n  5 messages, first 2026-03-02T00:12:00Z (export.mbox#8)"), "{table:?}");
    let csv = folder.run(&["retro", "out", "--rules", "new.yar", "--format", "csv"]);
    assert_eq!(csv.stdout.lines().count(), own.len() + 1, "{csv:?}");
    std::fs::write(&rules, "rule silent { condition: filesize == 7777777 }").unwrap();
    assert_eq!(folder.run(&["retro", "out", "--rules", "new.yar"]).code, 1);
}

#[test]
fn what_stands_in_the_way_of_new_rules_is_said() {
    let folder = Folder::new();
    let output = folder.path("out");
    batch(&output, Keep::default());
    folder.file("new.yar", "rule silent { condition: filesize == 7777777 }");
    folder.file("bad.yar", "rule {");
    let nothing = folder.run(&["retro", "out", "--rules", "new.yar"]);
    assert!(
        nothing.code == 2 && nothing.stderr.contains("kept no artifacts"),
        "{nothing:?}"
    );
    assert!(nothing.stderr.contains("--keep artifacts"), "{nothing:?}");
    let none = folder.run(&["retro", "out"]);
    assert!(
        none.code == 2 && none.stderr.contains("no rules are given"),
        "{none:?}"
    );
    let bad = folder.run(&["retro", "out", "--rules", "bad.yar"]);
    assert!(bad.code == 2 && bad.stderr.contains("bad.yar"), "{bad:?}");
    // Kept by one of two machines only.
    std::fs::create_dir_all(output.join("kept")).unwrap();
    let missing = folder.run(&["retro", "out", "--rules", "new.yar"]);
    assert!(
        missing.code == 3 && missing.stderr.contains("was not kept"),
        "{missing:?}"
    );
}

#[test]
fn only_what_malicious_messages_hold_is_extracted_under_digests() {
    let folder = Folder::new();
    let output = folder.path("out");
    batch(&output, EVERYTHING);
    let bad: BTreeSet<String> = rows(&output.join("messages"))
        .iter()
        .filter(|row| row["level"] == "malicious")
        .map(|row| row["reference"].as_str().unwrap().to_owned())
        .collect();
    let digests = |among: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
        let rows = rows(&output.join("artifacts")).into_iter();
        let rows = rows.filter(|row| among(row["reference"].as_str().unwrap()));
        rows.map(|row| row["sha256"].as_str().unwrap().to_owned())
            .collect()
    };
    let names: BTreeSet<String> = std::fs::read_dir(output.join("extracted"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".bin").unwrap().to_owned())
        .collect();
    assert_eq!(names, digests(&|reference| bad.contains(reference)));
    let store = Results::open(&output).unwrap().store().unwrap();
    for digest in digests(&|_| true) {
        assert!(store.take(&digest, 1 << 24).unwrap().is_some(), "{digest}");
    }
}

/// Every file that the parts of a result are made of, by its name.
fn files(output: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (table, _) in TABLES {
        for entry in std::fs::read_dir(output.join(table)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{table}/{}", path.file_name().unwrap().to_str().unwrap());
            files.insert(name, std::fs::read(path).unwrap());
        }
    }
    for name in ["campaigns.parquet", "errors.ndjson", "summary.html"] {
        files.insert(name.to_owned(), std::fs::read(output.join(name)).unwrap());
    }
    files
}

#[test]
fn results_of_several_machines_united_are_those_of_one() {
    let folder = Folder::new();
    let [one, left, right, both] = ["one", "left", "right", "both"].map(|name| folder.path(name));
    let engine = Arc::new(engine());
    // Documents carry the time at which they were made: all are written from the same ones.
    let shards = [(0, 1..8), (1, 15..17)];
    write(&engine, &one, &shards, EVERYTHING);
    finish(&one, &engine.knowledge, Language::English).unwrap();
    write(&engine, &right, &shards[..1], EVERYTHING);
    write(&engine, &left, &shards[1..], EVERYTHING);
    assert_eq!(merge(&[left.clone(), right.clone()], &both).unwrap(), 2);
    let total = finish(&both, &engine.knowledge, Language::English).unwrap();
    assert_eq!((total.messages, total.errors), (9, 1));
    let names = |output: &Path| files(output).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&one), names(&both));
    let paths = |output: &Path| {
        reports(output)
            .iter()
            .map(|report| report["path"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(paths(&one), paths(&both));
    assert!(Results::open(&both).unwrap().store().is_ok());
    let occupied = merge(std::slice::from_ref(&left), &both).unwrap_err();
    assert!(
        matches!(occupied, OutputError::Occupied { .. }),
        "{occupied}"
    );
    let twice = merge(&[left.clone(), left.clone()], &folder.path("twice")).unwrap_err();
    assert!(matches!(twice, OutputError::Twice { .. }), "{twice}");
    std::fs::remove_file(left.join("parts/000001.json")).unwrap();
    let unfinished = merge(&[left], &folder.path("none")).unwrap_err();
    assert!(
        matches!(unfinished, OutputError::Unfinished { .. }),
        "{unfinished}"
    );
}

#[test]
fn making_the_whole_twice_makes_the_same() {
    let folder = Folder::new();
    let output = folder.path("out");
    batch(&output, Keep::default());
    let before = files(&output);
    let engine = engine();
    finish(&output, &engine.knowledge, Language::English).unwrap();
    assert_eq!(before, files(&output));
}
