//! DuckDB reads the tables as they are: five questions of an incident responder, which stand in the README with what
//! it answers. `SEKISHO_BLESS=1` puts the answers there.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sekisho::batch::Keep;

use crate::batch_world::batch;
use crate::support::Folder;

const START: &str = "<!-- questions: made by tests/integration/batch_duckdb.rs -->\n";
const END: &str = "<!-- end of questions -->";

/// Questions, and how they are asked.
const QUESTIONS: &[(&str, &str)] = &[
    (
        "Since when are they in, by which message?",
        "SELECT date, \"from\", \"to\", subject, reference\nFROM 'DIR/messages/*.parquet'\nWHERE level = 'malicious' ORDER BY date LIMIT 1",
    ),
    (
        "Who else got it, how often, and when first?",
        "SELECT recipient, count(*) AS messages, min(date) AS first\nFROM (SELECT unnest(\"to\") AS recipient, date FROM 'DIR/messages/*.parquet' WHERE level = 'malicious')\nGROUP BY recipient ORDER BY first, recipient",
    ),
    (
        "How did the attack move from site to site?",
        "SELECT unnest(sites) AS site, unnest(site_first_seen) AS first, unnest(site_messages) AS messages\nFROM (SELECT * FROM 'DIR/campaigns.parquet' ORDER BY messages DESC LIMIT 1)",
    ),
    (
        "Which of our people sent it on after they had got it?",
        "WITH bad AS (SELECT * FROM 'DIR/messages/*.parquet' WHERE level = 'malicious'),\n     got AS (SELECT unnest(\"to\") AS address, date FROM bad)\nSELECT got.address, min(got.date) AS got, min(bad.date) AS sent\nFROM got JOIN bad ON bad.\"from\" = got.address AND bad.date > got.date\nGROUP BY got.address ORDER BY sent",
    ),
    (
        "What did the macros of that kind run, and under which file names did they come?",
        "SELECT m.date, d.name, coalesce(f.decoded, f.evidence) AS command\nFROM 'DIR/findings/*.parquet' f\nJOIN 'DIR/artifacts/*.parquet' a ON a.reference = f.reference AND a.id = f.artifact AND a.vba IS NOT NULL\nJOIN 'DIR/artifacts/*.parquet' d ON d.reference = f.reference AND d.kind = 'docm'\nJOIN 'DIR/messages/*.parquet' m ON m.reference = f.reference\nWHERE f.id = 'powershell-command' ORDER BY m.date",
    ),
];

/// Runs statements and prints rows in columns.
const PROGRAM: &str = r#"
import sys, duckdb
connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
for question in sys.stdin.read().split(";"):
    found = connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM ({question})")
    names = [column[0] for column in found.description]
    rows = [[cell or "" for cell in row] for row in found.fetchall()]
    widths = [max(len(row[at]) for row in [names] + rows) for at in range(len(names))]
    for row in [names] + rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print("--")
"#;

/// A Python that has DuckDB, where there is one. `SEKISHO_TEST_DUCKDB` says that there must be.
fn python() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("SEKISHO_TEST_DUCKDB") {
        return Some(path.into());
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/duckdb/bin/python");
    for path in [own, PathBuf::from("python3")] {
        let tried = Command::new(&path)
            .args(["-c", "import duckdb"])
            .stderr(Stdio::null())
            .status();
        if tried.is_ok_and(|status| status.success()) {
            return Some(path);
        }
    }
    println!("skipped: DuckDB is not there");
    None
}

fn answers(python: &Path, folder: &Folder) -> Vec<String> {
    let statements: Vec<String> = QUESTIONS
        .iter()
        .map(|(_, sql)| sql.replace("DIR/", "out/"))
        .collect();
    let mut child = Command::new(python)
        .args(["-c", PROGRAM])
        .current_dir(folder.path(""))
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(statements.join(";").as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.split("--\n")
        .map(str::to_owned)
        .filter(|answer| !answer.is_empty())
        .collect()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

#[test]
fn five_questions_are_answered_as_the_readme_says() {
    let Some(python) = python() else { return };
    let folder = Folder::new();
    batch(&folder.path("out"), Keep::default());
    let answers = answers(&python, &folder);
    assert_eq!(answers.len(), QUESTIONS.len(), "{answers:?}");
    let mut expected = String::new();
    for ((question, sql), answer) in QUESTIONS.iter().zip(&answers) {
        assert!(answer.lines().count() > 1, "{question}: no answer");
        expected.push_str(&format!(
            "\n{question}\n\n{}\n{}",
            indented(&format!("{sql};")),
            indented(answer)
        ));
    }
    expected.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme
        .split_once(START)
        .expect("the questions start with their mark");
    let (found, after) = rest
        .split_once(END)
        .expect("the questions end with their mark");
    if crate::golden::blessing() {
        std::fs::write(&path, format!("{before}{START}{expected}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        found, expected,
        "run this test once with SEKISHO_BLESS=1 and look at the difference"
    );
}
