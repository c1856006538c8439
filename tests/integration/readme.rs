//! The README's tables of formats and of a batch's columns are made of the code's own tables; `SEKISHO_BLESS=1` puts
//! them in their places.

use std::collections::BTreeMap;
use std::path::Path;

use sekisho::analyze::ANALYZERS;
use sekisho::batch::schema::{CAMPAIGNS, TABLES};
use sekisho::model::Kind;
use sekisho::unpack::{UNPACKERS, UNSUPPORTED};

const START: &str = "<!-- formats: made by tests/integration/readme.rs -->\n";
const END: &str = "<!-- end of formats -->";
const COLUMNS_START: &str = "<!-- columns: made by tests/integration/readme.rs -->\n";
const COLUMNS_END: &str = "<!-- end of columns -->";

/// Readers that search any bytes for hidden files: what they search is not what they open.
const SEARCHES: &[&str] = &[
    "carve",
    "encoded",
    "nsis",
    "self_extractor",
    "uuencoded",
    "volumes",
];

/// What is done with a kind, the most first.
fn degree(kind: Kind) -> usize {
    let opens = |name| !SEARCHES.contains(&name) || kind == Kind::Uue;
    let opened = UNPACKERS
        .iter()
        .any(|row| opens(row.name) && row.kinds.contains(&kind));
    let judged = ANALYZERS.iter().any(|row| row.kinds.contains(&kind));
    let told = UNSUPPORTED.contains(&kind);
    match (opened, judged, told) {
        (true, ..) => 0,
        (false, true, _) => 1,
        (false, false, true) => 2,
        (false, false, false) => 3,
    }
}

fn table() -> String {
    let mut families = BTreeMap::<_, [Vec<&str>; 4]>::new();
    for kind in Kind::ALL {
        families.entry(kind.family()).or_default()[degree(*kind)].push(kind.as_str());
    }
    let mut table = "| family | opened | judged | told as unsupported | recognised |\n\
        | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (family, kinds) in families {
        let cells: Vec<String> = kinds.iter().map(|kinds| kinds.join(" ")).collect();
        table.push_str(&format!("| {family:?} | {} |\n", cells.join(" | ")));
    }
    table
}

/// Compares what stands between two marks, or puts it there where this run may.
fn compare(start: &str, end: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme
        .split_once(start)
        .expect("the table starts with its mark");
    let (found, after) = rest.split_once(end).expect("the table ends with its mark");
    if crate::golden::blessing() {
        std::fs::write(&path, format!("{before}{start}{expected}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(
        found, expected,
        "run this test once with SEKISHO_BLESS=1 and look at the difference"
    );
}

#[test]
fn the_tables_are_those_of_the_code() {
    compare(START, END, &table());
    compare(COLUMNS_START, COLUMNS_END, &columns());
}

/// The columns of every table of a batch.
fn columns() -> String {
    let mut out = String::new();
    for (table, columns) in TABLES.iter().chain(&[("campaigns", CAMPAIGNS)]) {
        out.push_str(&format!(
            "\n| `{table}` | type | what |\n| --- | --- | --- |\n"
        ));
        for column in *columns {
            out.push_str(&format!(
                "| `{}` | {} | {} |\n",
                column.name,
                column.holds.as_sql(),
                column.meaning
            ));
        }
    }
    out.push('\n');
    out
}

#[test]
fn every_kind_that_may_hold_files_is_opened_or_told() {
    use sekisho::model::Family;
    // What is an archive or an image of a disk can never be only recognised.
    for kind in Kind::ALL {
        let holds = matches!(
            kind.family(),
            Family::Archive | Family::Compressed | Family::Disk | Family::OneNote
        );
        assert!(!holds || degree(*kind) != 3, "{kind} is passed over");
    }
}
