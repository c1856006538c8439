//! Every embedded rule matches its samples in `testdata/rules` and leaves their harmless neighbours alone.

use std::collections::BTreeSet;
use std::path::Path;

use sekisho::rules::{Globals, Rules, Strictness, embedded};

fn matches(rules: &Rules, file: &str, data: &[u8]) -> BTreeSet<String> {
    let kind = file.rsplit('.').next().unwrap();
    let inside = file.contains(".in.");
    let globals = Globals {
        kind: if inside { "text" } else { kind },
        parent_kind: if inside { kind } else { "" },
        ..Globals::default()
    };
    rules
        .scanner()
        .scan(data, globals, None)
        .unwrap()
        .into_iter()
        .map(|found| found.rule.name)
        .collect()
}

#[test]
fn every_rule_has_a_hit_and_a_near_miss() {
    let rules = Rules::compile(embedded(), Strictness::Strict).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rules");
    for rule in rules.list() {
        assert!(
            !rule.description.is_empty(),
            "{} has no description",
            rule.name
        );
        let (mut hits, mut misses) = (0, 0);
        for entry in std::fs::read_dir(folder.join(&rule.name)).expect(&rule.name) {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap();
            let found = matches(&rules, file, &std::fs::read(&path).unwrap());
            if file.starts_with("hit.") {
                hits += 1;
                assert!(found.contains(&rule.name), "{} misses {file}", rule.name);
            } else {
                misses += 1;
                assert!(!found.contains(&rule.name), "{} matches {file}", rule.name);
            }
        }
        // No scanner shall object to the repository: this one is put together here.
        if rule.name == "EICAR_Test_File" {
            let eicar = [
                "X5O!P%@AP[4\\PZX54(P^)7CC)7}$",
                "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
            ]
            .concat();
            assert!(matches(&rules, "hit.text", eicar.as_bytes()).contains(&rule.name));
            hits += 1;
        }
        assert!(
            hits > 0 && misses > 0,
            "{}: {hits} hits, {misses} near misses",
            rule.name
        );
    }
}

#[test]
fn rules_say_what_they_score_and_broken_ones_say_where() {
    let source = |text: &str| sekisho::rules::RuleSource {
        origin: "own.yar".to_owned(),
        text: text.to_owned(),
    };
    let rules = Rules::compile(
        [source("rule A { meta: score = 80 condition: true }")],
        Strictness::Strict,
    )
    .unwrap();
    assert_eq!(rules.list()[0].score, 80);
    let broken = "rule A {\n condition: nosuch }";
    let error = Rules::compile([source(broken)], Strictness::Strict)
        .unwrap_err()
        .to_string();
    assert!(error.contains("own.yar:2"), "{error}");
    let lenient = Rules::compile(
        [source(broken), source("rule B { condition: true }")],
        Strictness::Lenient,
    )
    .unwrap();
    assert_eq!((lenient.list().len(), lenient.skipped().len()), (1, 1));
}

#[test]
fn a_large_page_builds_a_file_and_a_large_library_does_not() {
    let rules = Rules::compile(embedded(), Strictness::Strict).unwrap();
    let told = |texts: &str| {
        let filling = "draws(a.b, 1); ".repeat(8_000);
        let saves = "atob(p);new Blob(n);URL.createObjectURL(b);a.click();";
        let page = format!("<script>{filling}var p=[{texts}];{saves}</script>");
        matches(&rules, "page.html", page.as_bytes()).contains("Html_Builds_A_File")
    };
    assert!(told(&format!("'{}',", "Ab3/".repeat(25)).repeat(40)));
    assert!(!told("typeof define"));
    assert!(told("typeof define,'UEsDBBQAAAAI','Ab3/Ab3/'"));
}
