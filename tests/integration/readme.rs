//! The README's table of formats is made of the code's own tables; `SEKISHO_BLESS=1` puts it in its place.

use std::collections::BTreeMap;
use std::path::Path;

use sekisho::analyze::ANALYZERS;
use sekisho::model::Kind;
use sekisho::unpack::{UNPACKERS, UNSUPPORTED};

const START: &str = "<!-- formats: made by tests/integration/readme.rs -->\n";
const END: &str = "<!-- end of formats -->";

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

#[test]
fn the_table_of_formats_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme
        .split_once(START)
        .expect("the table starts with its mark");
    let (found, after) = rest.split_once(END).expect("the table ends with its mark");
    let expected = table();
    if crate::golden::blessing() {
        std::fs::write(&path, format!("{before}{START}{expected}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        found, expected,
        "run this test once with SEKISHO_BLESS=1 and look at the difference"
    );
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
