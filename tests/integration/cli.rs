//! The command line: arguments and files → standard output, standard error, exit code.
//!
//! Findings come from rules of the test, so that these tests hold whatever the analyzers find.

use crate::support::{Folder, Run};

const RULES: &str = r#"
rule marked_bad { meta: description = "bad mark" score = 90 attack = "T1204.002" strings: $a = "BAD-MARK" condition: $a }
rule marked_odd { meta: description = "odd mark" score = 40 strings: $a = "ODD-MARK" condition: $a }
"#;

/// A folder with the rules and a file of each level.
fn samples() -> Folder {
    let folder = Folder::new();
    folder.file("rules.yar", RULES);
    folder.file("in/bad.txt", "a BAD-MARK in a text\n");
    folder.file("in/clean.txt", "an ordinary text\n");
    folder.file("in/odd.txt", "an ODD-MARK in a text\n");
    folder
}

fn scan(folder: &Folder, arguments: &[&str]) -> Run {
    let mut all = vec!["scan", "--no-default-rules", "--rules", "rules.yar"];
    all.extend(arguments);
    folder.run(&all)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn arguments_and_files_give_output_and_exit_code() {
    struct Case {
        arguments: &'static [&'static str],
        code: i32,
        stdout: &'static str,
        stderr: &'static str,
    }
    let cases = [
        Case {
            arguments: &["in/clean.txt"],
            code: 0,
            stdout: "clean  in/clean.txt\n1 input: 1 clean",
            stderr: "",
        },
        Case {
            arguments: &["in/odd.txt"],
            code: 1,
            stdout: "suspicious  in/odd.txt  score 40\n  odd.txt  [text]\n    - medium  odd mark (yara:marked_odd): ODD-MARK  at byte 3\n",
            stderr: "",
        },
        Case {
            arguments: &["in/bad.txt"],
            code: 1,
            stdout: "malicious  in/bad.txt  score 90\n",
            stderr: "",
        },
        Case {
            arguments: &["--fail-at", "malicious", "in/odd.txt"],
            code: 0,
            stdout: "suspicious",
            stderr: "",
        },
        Case {
            arguments: &["--fail-at", "malicious", "in/bad.txt"],
            code: 1,
            stdout: "malicious",
            stderr: "",
        },
        Case {
            arguments: &["-q", "in"],
            code: 1,
            stdout: "malicious  in/bad.txt  score 90\nsuspicious  in/odd.txt  score 40\n",
            stderr: "",
        },
        Case {
            arguments: &["missing.txt"],
            code: 2,
            stdout: "0 inputs: ",
            stderr: "sekisho: missing.txt: No such file",
        },
        Case {
            arguments: &["missing.txt", "in/clean.txt"],
            code: 2,
            stdout: "clean  in/clean.txt\n",
            stderr: "sekisho: missing.txt: ",
        },
        Case {
            arguments: &["missing.txt", "in/bad.txt"],
            code: 1,
            stdout: "malicious",
            stderr: "sekisho: missing.txt: ",
        },
        Case {
            arguments: &["-", "-"],
            code: 2,
            stdout: "",
            stderr: "sekisho: - (standard input) can be given only once\n",
        },
        Case {
            arguments: &["--max-file", "2 pounds", "in"],
            code: 2,
            stdout: "",
            stderr: "error: invalid value '2 pounds' for '--max-file <SIZE>': \"2 pounds\" is no size",
        },
        Case {
            arguments: &["--timeout", "0", "in"],
            code: 2,
            stdout: "",
            stderr: "error: invalid value '0' for '--timeout <SECONDS>'",
        },
        Case {
            arguments: &["--format", "xml", "in"],
            code: 2,
            stdout: "",
            stderr: "error: invalid value 'xml' for '--format <FORMAT>'",
        },
        Case {
            arguments: &["--passwords", "no-such", "in"],
            code: 2,
            stdout: "",
            stderr: "sekisho: cannot read passwords: no-such: ",
        },
        Case {
            arguments: &["--rules", "no-such.yar", "in"],
            code: 2,
            stdout: "",
            stderr: "sekisho: cannot read rules: no-such.yar: ",
        },
        Case {
            arguments: &["--rules", "in", "in"],
            code: 2,
            stdout: "",
            stderr: "sekisho: in: no rule files (*.yar, *.yara) in this folder\n",
        },
        Case {
            arguments: &[],
            code: 2,
            stdout: "",
            stderr: "error: the following required arguments were not provided",
        },
    ];
    let folder = samples();
    for case in cases {
        let run = scan(&folder, case.arguments);
        assert_eq!(run.code, case.code, "{:?}: {run:?}", case.arguments);
        assert!(
            run.stdout.starts_with(case.stdout),
            "{:?}: {run:?}",
            case.arguments
        );
        assert!(
            run.stderr.starts_with(case.stderr),
            "{:?}: {run:?}",
            case.arguments
        );
        if case.stderr.is_empty() {
            assert_eq!(run.stderr, "", "{:?}", case.arguments);
        }
    }
}

#[test]
fn no_arguments_show_the_usage() {
    let run = Folder::new().run::<&str>(&[]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(
        run.stderr.contains("Usage: sekisho") && run.stderr.contains("scan"),
        "{run:?}"
    );
    let run = Folder::new().run(&["--version"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.starts_with("sekisho "));
}

#[test]
fn a_folder_is_scanned_in_sorted_order_and_summed_up() {
    let folder = samples();
    folder.file("in/deep/er/clean.txt", "text");
    let run = scan(&folder, &["in", "-j", "3"]);
    let verdicts: Vec<&str> = run
        .stdout
        .lines()
        .filter(|line| line.contains("  in/"))
        .collect();
    assert_eq!(
        verdicts,
        [
            "malicious  in/bad.txt  score 90",
            "clean  in/clean.txt",
            "clean  in/deep/er/clean.txt",
            "suspicious  in/odd.txt  score 40"
        ]
    );
    assert!(
        run.stdout
            .contains("4 inputs: 2 clean, 1 suspicious, 1 malicious  ("),
        "{run:?}"
    );
    assert!(run.stdout.contains("What to do: "));
}

#[test]
fn standard_input_is_an_input() {
    let folder = samples();
    let arguments = ["scan", "--rules", "rules.yar", "--format", "json", "-"];
    let run = folder.run_with(&arguments, b"BAD-MARK", &[]);
    let report = run.json();
    assert_eq!((run.code, report["path"].as_str()), (1, Some("-")));
    assert_eq!(report["artifacts"][0]["size"], 8);
    assert_eq!(report["artifacts"][0].get("name"), None);
}

#[test]
fn an_empty_file_has_a_report() {
    let folder = samples();
    folder.file("empty", "");
    let report = scan(&folder, &["--format", "json", "empty"]).json();
    assert_eq!(report["artifacts"][0]["size"], 0);
    assert_eq!(report["level"], "clean");
}

#[test]
fn json_is_an_object_for_a_file_and_an_array_otherwise() {
    let folder = samples();
    let run = scan(&folder, &["--format", "json", "in/bad.txt"]);
    let report = run.json();
    assert_eq!(run.code, 1);
    assert_eq!(report["path"], "in/bad.txt");
    assert_eq!(report["level"], "malicious");
    assert_eq!(report["score"], 90);
    let finding = &report["findings"][0];
    assert_eq!(finding["id"], "yara:marked_bad");
    assert_eq!(finding["severity"], "high");
    assert_eq!(finding["attack"][0], "T1204.002");
    assert_eq!(finding["evidence"]["offset"], 2);
    let order = [
        "path",
        "level",
        "score",
        "complete",
        "artifacts",
        "findings",
        "raised",
        "iocs",
        "rules",
        "version",
        "elapsed_us",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|name| run.stdout.find(&format!("\n  \"{name}\"")).unwrap())
        .collect();
    assert!(places.is_sorted());

    let reports = scan(&folder, &["--format", "json", "in"]).json();
    let paths: Vec<&str> = reports
        .as_array()
        .unwrap()
        .iter()
        .map(|report| report["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["in/bad.txt", "in/clean.txt", "in/odd.txt"]);
    let none = scan(&folder, &["--format", "json", "missing", "gone"]);
    assert_eq!((none.code, none.json().as_array().unwrap().len()), (2, 0));
}

#[test]
fn ndjson_is_a_report_on_each_line() {
    let folder = samples();
    let run = scan(&folder, &["--format", "ndjson", "in"]);
    let mut paths: Vec<String> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|report| report["path"].as_str().unwrap().to_owned())
        .collect();
    paths.sort();
    assert_eq!(paths, ["in/bad.txt", "in/clean.txt", "in/odd.txt"]);
}

#[test]
fn sarif_is_one_log_with_the_results_of_all_inputs() {
    let folder = samples();
    let run = scan(&folder, &["--format", "sarif", "in", "missing"]);
    let log = run.json();
    assert_eq!(log["version"], "2.1.0");
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert_eq!(results[0]["ruleId"], "yara:marked_bad");
    assert_eq!(results[0]["level"], "error");
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "in/bad.txt");
    assert_eq!(place["region"]["byteOffset"], 2);
    assert_eq!(
        log["runs"][0]["invocations"][0]["executionSuccessful"],
        false
    );
    let empty = scan(&folder, &["--format", "sarif", "in/clean.txt"]).json();
    assert_eq!(empty["runs"][0]["results"].as_array().unwrap().len(), 0);
}

#[test]
fn html_is_one_page_in_the_chosen_language() {
    let folder = samples();
    let run = scan(&folder, &["--format", "html", "--lang", "ja", "in"]);
    assert!(
        run.stdout
            .starts_with("<!doctype html>\n<html lang=\"ja\">")
    );
    assert!(run.stdout.ends_with("</html>\n"));
    assert_eq!(run.stdout.matches("<section class=").count(), 3);
    assert!(run.stdout.contains("悪性") && !run.stdout.contains("<script"));
}

#[test]
fn the_language_follows_the_locale_and_colours_follow_the_option() {
    let folder = samples();
    let arguments = ["scan", "--rules", "rules.yar", "in/bad.txt"];
    let run = folder.run_with(&arguments, b"", &[("LANG", "ja_JP.UTF-8")]);
    assert!(
        run.stdout.starts_with("悪性  in/bad.txt  スコア 90\n"),
        "{run:?}"
    );
    assert!(!run.stdout.contains('\u{1b}'));
    let run = scan(&folder, &["--color", "always", "in/bad.txt"]);
    assert!(run.stdout.contains("\u{1b}["));
}

#[test]
fn a_larger_file_is_looked_at_as_far_as_the_limit_goes() {
    let folder = samples();
    folder.file("long.txt", format!("BAD-MARK{}ODD-MARK", " ".repeat(100)));
    let report = scan(
        &folder,
        &["--format", "json", "--max-file", "50", "long.txt"],
    )
    .json();
    assert_eq!(report["artifacts"][0]["size"], 50);
    let ids: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|finding| finding["id"].as_str())
        .collect();
    assert!(
        ids.contains(&"yara:marked_bad") && !ids.contains(&"yara:marked_odd"),
        "{ids:?}"
    );
    assert!(ids.contains(&"limit-exceeded") && report["complete"] == false);
    // Nothing at that level was found, but something was not looked through.
    folder.file("long.txt", " ".repeat(100));
    let run = scan(
        &folder,
        &["--fail-at", "malicious", "--max-file", "50", "long.txt"],
    );
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stdout.contains("(not looked through whole)"), "{run:?}");
    let run = scan(
        &folder,
        &[
            "--fail-at",
            "malicious",
            "--max-file",
            "50",
            "long.txt",
            "missing",
        ],
    );
    assert_eq!(run.code, 2, "{run:?}");
}

#[test]
fn a_rule_that_does_not_compile_is_told_with_file_and_line() {
    let folder = samples();
    folder.file(
        "bad.yar",
        "rule good { condition: false }\n\nrule bad { condition: $a }\n",
    );
    let run = scan(&folder, &["--rules", "bad.yar", "in/bad.txt"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(
        run.stderr.contains("a rule does not compile") && run.stderr.contains("bad.yar:3:"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("hint: --rules-lenient"),
        "{}",
        run.stderr
    );
    let run = scan(
        &folder,
        &["--rules-lenient", "--rules", "bad.yar", "in/bad.txt"],
    );
    assert_eq!(run.code, 1);
    assert!(run.stdout.starts_with("malicious"));
    assert!(
        run.stderr.starts_with("sekisho: rule skipped") && run.stderr.contains("bad.yar:3:"),
        "{}",
        run.stderr
    );
}

#[cfg(unix)]
#[test]
fn names_reach_no_terminal_raw() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = samples();
    folder.file("in/\u{1b}[2J\u{202e}fdp.exe", "BAD-MARK");
    folder.file(OsStr::from_bytes(b"in/\xff\xfe.txt"), "BAD-MARK");
    for format in ["text", "json", "ndjson", "sarif", "html"] {
        for detail in ["--color=never", "-v", "-q"] {
            let run = scan(&folder, &["--format", format, detail, "in"]);
            let said = run.stdout + &run.stderr;
            assert!(
                !said.contains(['\u{1b}', '\u{202e}']),
                "{format} {detail}: {said}"
            );
            let (escape, bytes) = match format {
                "text" | "html" => (r"in/\u{1b}[2J\u{202e}fdp.exe", r"in/\xff\xfe.txt"),
                "sarif" => (
                    "in/%5Cu%7B1b%7D%5B2J%5Cu%7B202e%7Dfdp.exe",
                    "in/%5Cxff%5Cxfe.txt",
                ),
                _ => (r"in/\\u{1b}[2J\\u{202e}fdp.exe", r"in/\\xff\\xfe.txt"),
            };
            assert!(
                said.contains(escape) && said.contains(bytes),
                "{format} {detail}: {said}"
            );
        }
    }
}

#[cfg(unix)]
#[test]
fn links_and_pipes_in_folders_are_passed_over() {
    use std::os::unix::fs::symlink;
    let folder = samples();
    symlink("..", folder.path("in/loop")).unwrap();
    symlink("bad.txt", folder.path("in/link.txt")).unwrap();
    std::os::unix::net::UnixListener::bind(folder.path("in/socket")).unwrap();
    let run = scan(&folder, &["in"]);
    assert!(run.stdout.contains("3 inputs: "), "{run:?}");
    assert_eq!(run.stderr, "sekisho: in/socket: skipped: is a socket\n");
    let run = scan(&folder, &["-v", "in"]);
    assert!(
        run.stderr
            .contains("in/link.txt: skipped: is a symbolic link"),
        "{run:?}"
    );
    // Given by name, a link is followed and a socket is an error.
    let run = scan(&folder, &["in/link.txt"]);
    assert!(run.stdout.starts_with("malicious  in/link.txt"));
    let run = scan(&folder, &["in/socket"]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (2, "sekisho: in/socket: is a socket, not a file\n")
    );
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_said_and_the_others_go_on() {
    use std::os::unix::fs::PermissionsExt;
    let folder = samples();
    let path = folder.file("in/locked.txt", "text");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o0)).unwrap();
    if std::fs::File::open(&path).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    let run = scan(
        &folder,
        &["--fail-at", "malicious", "in/clean.txt", "in/locked.txt"],
    );
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .starts_with("sekisho: in/locked.txt: Permission denied"),
        "{run:?}"
    );
    assert!(
        run.stdout
            .contains("1 input: 1 clean, 0 suspicious, 0 malicious, 1 could not be read"),
        "{run:?}"
    );
}

#[test]
fn extract_writes_numbers_and_keeps_names_in_the_report() {
    let folder = samples();
    let file = folder.file("in/\u{202e}x.exe", "BAD-MARK");
    let run = folder.run(&["extract", file.to_str().unwrap(), "-o", "out"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let mut names: Vec<String> = std::fs::read_dir(folder.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["0000-text.bin", "report.json"]);
    assert_eq!(
        std::fs::read(folder.path("out/0000-text.bin")).unwrap(),
        b"BAD-MARK"
    );
    let report = std::fs::read_to_string(folder.path("out/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["artifacts"][0]["name"], "\\u{202e}x.exe");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for name in names {
            let metadata = std::fs::metadata(folder.path("out").join(name)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
    }
    let again = folder.run(&["extract", "in/bad.txt", "-o", "out"]);
    assert_eq!(again.code, 2);
    assert!(
        again
            .stderr
            .starts_with("sekisho: out: the folder is not empty\nsekisho: hint: "),
        "{again:?}"
    );
    let missing = folder.run(&["extract", "missing", "-o", "new"]);
    assert_eq!(missing.code, 2);
    assert!(!folder.path("new").exists());
    let dir = folder.run(&["extract", "in", "-o", "new"]);
    assert!(
        dir.stderr.starts_with("sekisho: in: is a folder"),
        "{dir:?}"
    );
}

#[test]
fn extract_packs_with_the_password_infected() {
    let folder = samples();
    let run = folder.run(&["extract", "in/bad.txt", "-o", "out", "--zip"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(folder.path("out/report.json").exists());
    let file = std::fs::File::open(folder.path("out/artifacts.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    assert!(
        archive.by_name("0000-text.bin").is_err(),
        "readable without a password"
    );
    let mut member = archive
        .by_name_decrypt("0000-text.bin", b"infected")
        .unwrap();
    let mut data = Vec::new();
    std::io::Read::read_to_end(&mut member, &mut data).unwrap();
    assert_eq!(data, b"a BAD-MARK in a text\n");
    drop(member);
    assert!(archive.by_name_decrypt("report.json", b"infected").is_ok());
}

#[test]
fn findings_are_explained_in_both_languages() {
    let folder = Folder::new();
    let run = folder.run(&["findings"]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains("  vba-macro ") && run.stdout.contains("  autostart-with-call "));
    let run = folder.run(&["findings", "vba-macro"]);
    assert!(
        run.stdout.starts_with(
            "vba-macro  [macros]\nVBA macro\n\nlow  score 10\nATT&CK: T1059.005\n\nWhat it means: "
        ),
        "{run:?}"
    );
    let run = folder.run(&["findings", "vba-macro", "--lang", "ja"]);
    assert!(
        run.stdout.starts_with("vba-macro  [macros]\nVBAマクロ\n"),
        "{run:?}"
    );
    let run = folder.run(&["findings", "autostart-with-call"]);
    assert!(run.stdout.contains("score 100"), "{run:?}");
    let all = folder.run(&["findings", "--format", "json"]).json();
    assert!(all["findings"].as_array().unwrap().len() > 50);
    let one = folder
        .run(&["findings", "dde-link", "--format", "json"])
        .json();
    assert_eq!(one["severity"], "low");
    let run = folder.run(&["findings", "vba-makro"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(
        run.stderr.starts_with(
            "sekisho: no finding \"vba-makro\"\nsekisho: hint: did you mean vba-macro"
        ),
        "{run:?}"
    );
}

#[test]
fn rules_are_checked_and_listed() {
    let folder = samples();
    folder.file(
        "bad.yar",
        "rule a { condition: $x }\nrule b { condition: $y }\n",
    );
    let run = folder.run(&["rules", "check", "--no-default-rules", "rules.yar"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "1 files: 2 rules good, 0 errors\n")
    );
    let run = folder.run(&[
        "rules",
        "check",
        "--no-default-rules",
        "rules.yar",
        "bad.yar",
    ]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (1, "2 files: 2 rules good, 2 errors\n"),
        "{run:?}"
    );
    assert!(
        run.stderr.contains("bad.yar:1:") && run.stderr.contains("bad.yar:2:"),
        "{run:?}"
    );
    let run = folder.run(&["rules", "check", "gone.yar"]);
    assert_eq!(run.code, 2);
    let run = folder.run(&[
        "rules",
        "list",
        "--no-default-rules",
        "--rules",
        "rules.yar",
    ]);
    assert_eq!(
        run.stdout,
        "marked_bad   90  T1204.002   bad mark\nmarked_odd   40              odd mark\n"
    );
    let arguments = [
        "rules",
        "list",
        "--format",
        "json",
        "--no-default-rules",
        "--rules",
        "rules.yar",
    ];
    assert_eq!(folder.run(&arguments).json()[1]["severity"], "medium");
}

#[test]
fn rules_are_tried_on_samples() {
    let folder = samples();
    let arguments = [
        "rules",
        "test",
        "in",
        "--no-default-rules",
        "--rules",
        "rules.yar",
    ];
    let run = folder.run(&arguments);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("in/expected.toml: No such file"),
        "{run:?}"
    );
    let sample =
        |file: &str, hit: &str| format!("[[sample]]\nfile = \"{file}\"\nhits = [\"{hit}\"]\n");
    folder.file(
        "in/expected.toml",
        sample("bad.txt", "marked_bad") + &sample("odd.txt", "marked_odd"),
    );
    let run = folder.run(&arguments);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (
            0,
            "3 samples, 2 rules: 0 mistakes, 0 rules without a hit\n",
            ""
        )
    );
    folder.file(
        "in/expected.toml",
        sample("bad.txt", "marked_odd") + &sample("gone.txt", "no_rule"),
    );
    let run = folder.run(&arguments);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (1, "3 samples, 2 rules: 5 mistakes, 0 rules without a hit\n")
    );
    for mistake in [
        "in/expected.toml: no rule \"no_rule\" in the set",
        "in/bad.txt: marked_odd should have matched",
        "in/bad.txt: marked_bad should not have matched",
        "in/odd.txt: marked_odd should not have matched",
        "in/gone.txt: named in in/expected.toml but not there",
    ] {
        assert!(run.stderr.contains(mistake), "{mistake}: {run:?}");
    }
}

#[test]
fn the_configuration_is_checked_shown_and_heeded() {
    let folder = samples();
    folder.file(
        "good.toml",
        "[score]\nsuspicious = 50\n[rules]\npaths = [\"rules.yar\"]\ndefault_rules = false\n",
    );
    folder.file("bad.toml", "[scan]\nmax_dept = 3\n");
    let run = folder.run(&["config", "check", "good.toml"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "good.toml: good\n"));
    let run = folder.run(&["config", "check", "bad.toml"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .starts_with("sekisho: bad.toml:2: unknown setting `max_dept`"),
        "{run:?}"
    );
    assert_eq!(folder.run(&["config", "check", "gone.toml"]).code, 2);
    let run = folder.run(&["config", "show", "-c", "good.toml"]);
    assert!(
        run.stdout.contains("suspicious = 50") && run.stdout.contains("max_file = \"2GiB\""),
        "{run:?}"
    );
    let run = folder.run(&["config", "schema"]);
    let schema: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let limits = &schema["$defs"]["ScanTable"];
    assert!(
        limits["properties"]["max_file"].is_object() && limits["additionalProperties"] == false,
        "{run:?}"
    );
    let run = folder.run(&["scan", "-c", "good.toml", "in/odd.txt"]);
    assert!(
        run.stdout.starts_with("clean  in/odd.txt  score 40"),
        "{run:?}"
    );
    let run = folder.run_with(&["scan", "in"], b"", &[("SEKISHO_CONFIG", "bad.toml")]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.starts_with("sekisho: bad.toml:2: "), "{run:?}");
}

#[test]
fn every_file_that_a_configuration_names_is_tried() {
    let folder = Folder::new();
    let pem = |what: &str| format!("-----BEGIN {what}-----\nMAoCAQA=\n-----END {what}-----\n");
    folder.file("key.pem", pem("PRIVATE KEY").as_bytes());
    folder.file("cert.pem", pem("CERTIFICATE").as_bytes());
    folder.file("empty.pem", b"\n");
    folder.file("bad.yar", b"rule a { condition: nonsense }\n");
    folder.file("store", b"");
    folder.file(
        "all.toml",
        b"[rules]\npaths = [\"bad.yar\"]\n[arc]\ndomain = \"a.test\"\nselector = \"s\"\nkey = \"key.pem\"\n\
          [relay]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n[notify]\nfrom = \"a@b.test\"\nstarttls = \"verify\"\n\
          ca = \"empty.pem\"\n[quarantine]\npath = \"store\"\n[clamd]\nroots = [\"/nowhere\"]\n",
    );
    let run = folder.run(&["config", "check", "all.toml"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    for told in [
        "all.toml: a rule does not compile\n",
        "all.toml: arc.key: key.pem is no RSA key that can be used: ",
        "all.toml: relay.key: key.pem: ",
        "all.toml: notify.ca: empty.pem: no certificate in it",
        "all.toml: quarantine.path: store is no folder",
        "all.toml: clamd.roots: /nowhere is no folder",
        "hint: `openssl genrsa -out FILE 2048` makes a key",
        "hint: `sekisho rules check FILE` lists",
    ] {
        assert!(run.stderr.contains(told), "{told}: {run:?}");
    }
    folder.file(
        "none.toml",
        b"[relay]\ncertificate = \"gone.pem\"\nkey = \"gone.pem\"\n",
    );
    let run = folder.run(&["config", "check", "none.toml"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("relay.certificate: gone.pem: "),
        "{run:?}"
    );
}

#[test]
fn completions_and_manual_pages_are_written() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = folder.run(&["completions", shell]);
        assert_eq!(run.code, 0);
        assert!(
            run.stdout.contains("sekisho") && run.stdout.contains("fail-at"),
            "{shell}"
        );
    }
    let run = folder.run(&["man"]);
    assert!(run.stdout.contains(".TH sekisho 1"), "{run:?}");
    let run = folder.run(&["man", "scan"]);
    assert!(run.stdout.contains("fail\\-at"), "{run:?}");
    assert_eq!(folder.run(&["man", "-o", "pages"]).code, 0);
    assert!(folder.path("pages/sekisho-scan.1").exists());
    assert_eq!(folder.run(&["man", "nothing"]).code, 2);
}
