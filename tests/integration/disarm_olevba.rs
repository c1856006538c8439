//! olevba as a judge: it finds macros in the originals, and none in what is made of them.
//!
//! `SEKISHO_TEST_OLEVBA` names a Python that has oletools; `deploy/test` installs it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use sekisho::engine::Worker;
use sekisho::model::{Family, Kind};

use crate::bench::engine;
use crate::disarm::disarm;
use crate::mutate::fixtures;
use crate::support::Folder;

/// Says of each file whose name it reads whether there are macros in it, or that it is plain text, all of which olevba
/// takes for macros.
const SCRIPT: &str = "
import logging, sys
from oletools.olevba import TYPE_TEXT, VBA_Parser
logging.disable(logging.CRITICAL)
for line in sys.stdin:
    name = line.rstrip('\\n')
    try:
        parser = VBA_Parser(name)
        found = 'text' if parser.type == TYPE_TEXT else str(bool(parser.detect_macros()))
    except Exception:
        found = 'unread'
    print(name, found, sep='\\t', flush=True)
";

/// What olevba says of files.
fn olevba(python: &str, files: &[String]) -> BTreeMap<String, String> {
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let names = files.join("\n");
    let writer = std::thread::spawn(move || input.write_all(names.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, found)| (name.to_owned(), found.to_owned()))
        .collect()
}

/// Files that olevba opens by itself, apart from the mails and archives around them.
fn opens(kind: Kind) -> bool {
    let single = [
        Kind::FlatOpc,
        Kind::Word2003Xml,
        Kind::Excel2003Xml,
        Kind::Mht,
        Kind::Sylk,
    ];
    matches!(kind.family(), Family::Ole | Family::Ooxml) || single.contains(&kind)
}

#[test]
fn olevba_finds_no_macros_in_what_is_made_of_them() {
    let Ok(python) = std::env::var("SEKISHO_TEST_OLEVBA") else {
        println!("passed over: SEKISHO_TEST_OLEVBA names no Python (deploy/test installs one)");
        return;
    };
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let folder = Folder::new();
    let mut originals = BTreeMap::new();
    for (number, path) in fixtures().into_iter().enumerate() {
        let name = path.display().to_string();
        let data = std::fs::read(&path).unwrap();
        let (before, made) = disarm(&engine, &mut worker, &name, &data);
        let Some(Ok(proven)) = made else { continue };
        if !opens(before.artifacts[0].kind) {
            continue;
        }
        let original = folder.file(format!("{number}-before"), &data);
        let result = folder.file(format!("{number}-after"), &proven.made.data);
        let [original, result] = [original, result].map(|path| path.display().to_string());
        originals.insert(original, (name, result));
    }
    let results = originals.values().map(|(_, result)| result.clone());
    let all: Vec<String> = originals.keys().cloned().chain(results).collect();
    let said = olevba(&python, &all);
    assert_eq!(said.len(), all.len());
    let of = |file: &String| said.get(file).map(String::as_str);
    let with_macros = originals.keys().filter(|file| of(file) == Some("True"));
    let with_macros = with_macros.count();
    println!(
        "{} documents disarmed, macros in {with_macros}",
        originals.len()
    );
    assert!(with_macros >= 2, "olevba finds no macros in the originals");
    let mut wrong = Vec::new();
    for (original, (name, result)) in &originals {
        let (before, after) = (of(original), of(result));
        match after {
            Some("False") => {}
            _ if before == after && before != Some("True") => {}
            _ => wrong.push(format!("{name}: {before:?}, then {after:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
