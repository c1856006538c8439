//! The shape of the code: layers, tables, catalogue, sizes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sekisho::analyze::ANALYZERS;
use sekisho::knowledge::Knowledge;
use sekisho::rewrite::disarm::DISARMERS;
use sekisho::unpack::UNPACKERS;

/// Rows of the architecture: a module names only modules of rows above its own.
const LAYERS: &[(u32, &[&str])] = &[
    (0, &["bytes", "limits", "text"]),
    (1, &["model"]),
    (2, &["formats", "knowledge"]),
    (3, &["identify"]),
    (4, &["unpack", "analyze", "rules"]),
    (5, &["score"]),
    (6, &["engine"]),
    (7, &["source", "report", "config", "rewrite"]),
    (8, &["policy"]),
    (9, &["quarantine"]),
    (10, &["notify"]),
    (11, &["batch", "gateway"]),
    (12, &["cli"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn row(module: &str) -> Option<u32> {
    LAYERS
        .iter()
        .find(|(_, modules)| modules.contains(&module))
        .map(|(row, _)| *row)
}

/// Modules of this crate that a line of code names.
fn named(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices("crate::")
        .map(|(at, mark)| {
            let rest = &code[at + mark.len()..];
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn a_module_names_only_modules_of_rows_above_its_own() {
    let src = root().join("src");
    for path in rust_files(&src) {
        let relative = path.strip_prefix(&src).unwrap();
        let own = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let own = own.trim_end_matches(".rs");
        if ["lib", "main"].contains(&own) || is_test_module(&path) {
            continue;
        }
        let own_row = row(own).unwrap_or_else(|| panic!("module {own} is not in the table"));
        let text = std::fs::read_to_string(&path).unwrap();
        // Tests at the foot of a file may drive the whole product.
        let product = text
            .lines()
            .take_while(|line| line.trim() != "#[cfg(test)]");
        for (number, line) in product.enumerate() {
            let place = format!("{}:{}", relative.display(), number + 1);
            for other in named(line) {
                let other_row = row(&other)
                    .unwrap_or_else(|| panic!("{place}: no module {other} in the table"));
                assert!(
                    other == own || other_row < own_row,
                    "{place}: {own} must not name {other}"
                );
                let pure = own != "formats" || other == own || other_row == 0;
                assert!(pure, "{place}: formats names row 0 only");
            }
            let sockets = ["std::net::Tcp", "std::net::Udp", "unix::net", "tokio::"];
            assert!(
                ["notify", "gateway"].contains(&own)
                    || !sockets.iter().any(|word| line.contains(word)),
                "{place}: sockets belong to the gateway"
            );
            // The gateway's: the file of a socket that it listens on; the program starts the runtime.
            let may_touch_files =
                ["source", "config", "quarantine", "batch", "gateway", "cli"].contains(&own);
            let files = line.contains("std::fs") && !may_touch_files;
            assert!(!files, "{place}: {own} must not touch the file system");
        }
    }
}

/// Whether the whole file is a module that only tests have: its `mod` line stands under `#[cfg(test)]`.
fn is_test_module(path: &Path) -> bool {
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let folder = path.parent().unwrap();
    let above = [folder.join("mod.rs"), folder.with_extension("rs")];
    let text: String = above
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .collect();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines
        .windows(2)
        .any(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with(&format!("mod {stem};")))
}

#[test]
fn every_file_of_unpack_and_analyze_is_in_its_table() {
    let tables: [(&str, BTreeSet<&str>); 2] = [
        ("unpack", UNPACKERS.iter().map(|row| row.name).collect()),
        ("analyze", ANALYZERS.iter().map(|row| row.name).collect()),
    ];
    for (folder, names) in tables {
        assert!(!names.is_empty(), "the table of {folder} is empty");
        let files: BTreeSet<String> = rust_files(&root().join("src").join(folder))
            .iter()
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        for name in names {
            assert!(
                files.contains(name),
                "{folder}: row {name} has no file of that name"
            );
        }
        // A file with a `run` of its own must be a row.
        for path in rust_files(&root().join("src").join(folder)) {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            let is_row = text.contains("const ROW:") || text.contains("const ROWS:");
            let table =
                std::fs::read_to_string(root().join("src").join(folder).join("mod.rs")).unwrap();
            assert!(
                !is_row || table.contains(&format!("{stem}::ROW")),
                "{folder}/{stem}.rs is not in the table"
            );
        }
    }
}

#[test]
fn every_disarmer_is_a_file_and_takes_out_what_the_catalogue_has() {
    let catalogue = Knowledge::embedded().unwrap().catalogue;
    let folder = root().join("src/rewrite/disarm");
    let mut kinds = BTreeSet::new();
    for row in DISARMERS {
        let file = folder.join(format!("{}.rs", row.name));
        let module = folder.join(row.name).join("mod.rs");
        assert!(file.exists() || module.exists(), "no file {}", row.name);
        for id in row.ids() {
            assert!(catalogue.entry(id).is_some(), "{}: {id}", row.name);
        }
        for kind in row.kinds {
            assert!(kinds.insert(*kind), "{kind} stands in two rows");
        }
    }
    assert!(!kinds.is_empty());
}

#[test]
fn every_id_that_code_may_find_is_in_the_catalogue_and_every_variant_too() {
    let knowledge = Knowledge::embedded().unwrap();
    for analyzer in ANALYZERS {
        for id in analyzer.findings {
            assert!(
                knowledge.catalogue.entry(id).is_some(),
                "{}: {id} is not in the catalogue",
                analyzer.name
            );
        }
    }
    let source: String = rust_files(&root().join("src/analyze"))
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let variants: BTreeSet<&str> = knowledge
        .catalogue
        .entries()
        .flat_map(|entry| entry.variants.keys().map(String::as_str))
        .collect();
    for (at, mark) in source.match_indices(".variant(\"") {
        let name = source[at + mark.len()..].split('"').next().unwrap();
        assert!(variants.contains(name), "no finding has a variant {name}");
    }
}

#[test]
fn the_catalogue_says_everything_in_both_languages() {
    let knowledge = Knowledge::embedded().unwrap();
    let mut titles = BTreeMap::new();
    for entry in knowledge.catalogue.entries() {
        assert!(
            entry
                .id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
            "{}",
            entry.id
        );
        for (text, language) in [(&entry.en, "en"), (&entry.ja, "ja")] {
            let place = format!("{} {language}", entry.id);
            assert!(
                text.title.len() > 5 && text.meaning.len() > 20 && text.action.len() > 10,
                "{place} says too little"
            );
            let japanese = text
                .meaning
                .chars()
                .any(|c| ('\u{3040}'..='\u{30ff}').contains(&c));
            assert_eq!(
                japanese,
                language == "ja",
                "{place} is in the wrong language"
            );
            assert_eq!(
                titles.insert(text.title.clone(), place.clone()),
                None,
                "{place}: the title stands twice"
            );
        }
    }
}

#[test]
fn files_are_short_and_named_after_something() {
    for folder in ["src", "tests", "benches", "fuzz"] {
        let files = rust_files(&root().join(folder)).into_iter();
        // What a run of the fuzzer builds is nobody's source.
        for path in files.filter(|path| !path.starts_with(root().join("fuzz/target"))) {
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 800, "{} has {lines} lines", path.display());
            let stem = path.file_stem().unwrap().to_str().unwrap();
            assert!(
                !["util", "utils", "helper", "helpers", "common", "misc"].contains(&stem),
                "{}",
                path.display()
            );
        }
    }
}
