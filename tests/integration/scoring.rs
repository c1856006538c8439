//! What a finding, a variant and a combination score, written down apart from the catalogue: who changes one there has
//! to mean it.

use std::collections::{BTreeMap, BTreeSet};

use sekisho::engine::Worker;
use sekisho::knowledge::{Catalogue, Knowledge};
use sekisho::model::{Artifact, Evidence, Finding, Level, Severity};
use sekisho::score::{Thresholds, judge};

use crate::bench;

/// Every finding: its group, its base severity, whether it leaves something unseen, and its other cases.
type Row = (
    &'static str,
    &'static str,
    Severity,
    bool,
    &'static [(&'static str, Severity, bool)],
);

use Severity::{Critical, High, Info, Low, Medium};

const NONE: &[(&str, Severity, bool)] = &[];

const FINDINGS: &[Row] = &[
    ("vba-macro", "macros", Low, false, NONE),
    ("vba-autoexec", "macros", Low, false, NONE),
    ("vba-suspicious-call", "macros", Medium, false, NONE),
    ("vba-obfuscated", "macros", Medium, false, NONE),
    ("vba-stomped", "macros", High, false, NONE),
    ("macro-in-disguise", "macros", High, false, NONE),
    (
        "xlm-macro",
        "macros",
        Medium,
        false,
        &[("dangerous-call", Critical, false)],
    ),
    ("xlm-autoexec", "macros", Low, false, NONE),
    ("hidden-sheet", "macros", Low, false, NONE),
    (
        "sylk-macro",
        "macros",
        Medium,
        false,
        &[("dangerous-call", Critical, false)],
    ),
    (
        "odf-macro",
        "macros",
        Low,
        false,
        &[("autostart-with-call", Critical, false)],
    ),
    (
        "dde-link",
        "active-content",
        Low,
        false,
        &[("starts-program", Critical, false)],
    ),
    ("remote-template", "active-content", Critical, false, NONE),
    (
        "external-object-link",
        "active-content",
        Critical,
        false,
        &[
            ("linked-media", Medium, false),
            ("clicked-handler", Medium, false),
            ("started-program", High, false),
        ],
    ),
    ("ole-package", "active-content", Low, false, NONE),
    (
        "ole-package-executable",
        "active-content",
        Critical,
        false,
        NONE,
    ),
    (
        "activex-control",
        "active-content",
        Low,
        false,
        &[("unknown-class", Medium, false)],
    ),
    (
        "equation-object",
        "active-content",
        Low,
        false,
        &[
            ("overflow", Critical, false),
            ("invalid", Critical, false),
            ("objupdate", Critical, false),
        ],
    ),
    ("rtf-object", "active-content", Low, false, NONE),
    ("rtf-obfuscated", "active-content", High, false, NONE),
    (
        "csv-formula-injection",
        "active-content",
        Medium,
        false,
        NONE,
    ),
    (
        "web-query",
        "active-content",
        Medium,
        false,
        &[("workbook", Medium, false)],
    ),
    ("office-addin", "active-content", Medium, false, NONE),
    (
        "pdf-javascript",
        "pdf",
        Low,
        false,
        &[
            ("runs-on-open", Medium, false),
            ("dangerous-call", Critical, false),
            ("hidden-name", Critical, false),
        ],
    ),
    ("pdf-open-action", "pdf", Info, false, NONE),
    (
        "pdf-launch",
        "pdf",
        Critical,
        false,
        &[("document", Low, false)],
    ),
    ("pdf-embedded-file", "pdf", Low, false, NONE),
    (
        "pdf-encrypted",
        "pdf",
        Info,
        false,
        &[("locked", Medium, true)],
    ),
    (
        "executable",
        "executables",
        Medium,
        false,
        &[("side-loading", High, false)],
    ),
    ("executable-disguised", "executables", Critical, false, NONE),
    ("embedded-executable", "executables", High, false, NONE),
    (
        "renamed-system-binary",
        "executables",
        Critical,
        false,
        NONE,
    ),
    (
        "shortcut-lnk",
        "executables",
        Medium,
        false,
        &[
            ("interpreter-target", Critical, false),
            ("padded-arguments", Critical, false),
            ("appended-payload", Critical, false),
            ("remote-program", Critical, false),
        ],
    ),
    ("installer", "executables", Medium, false, NONE),
    ("java-archive", "executables", Medium, false, NONE),
    ("clickonce", "executables", Medium, false, NONE),
    ("disk-image", "executables", Medium, false, NONE),
    (
        "msc-console",
        "executables",
        Critical,
        false,
        &[("address", High, false)],
    ),
    (
        "settingcontent-command",
        "executables",
        Critical,
        false,
        NONE,
    ),
    ("remote-desktop-file", "executables", Medium, false, NONE),
    (
        "script",
        "scripts",
        Medium,
        false,
        &[
            ("starts-process", Critical, false),
            ("downloads", Critical, false),
            ("decodes-and-runs", Critical, false),
        ],
    ),
    ("script-obfuscated", "scripts", High, false, NONE),
    (
        "powershell-command",
        "scripts",
        High,
        false,
        &[
            ("encoded", Critical, false),
            ("hidden-window", Critical, false),
            ("downloads", Critical, false),
        ],
    ),
    ("lolbin-command", "scripts", High, false, NONE),
    (
        "msbuild-inline-task",
        "scripts",
        Critical,
        false,
        &[("description", Low, false)],
    ),
    (
        "msbuild-build-event",
        "scripts",
        High,
        false,
        &[("interpreter", Critical, false)],
    ),
    ("html-smuggling", "web", High, false, NONE),
    ("svg-script", "web", High, false, NONE),
    (
        "html-script",
        "web",
        Info,
        false,
        &[("link-page", Low, false), ("leads-away", Medium, false)],
    ),
    ("credential-form", "web", Medium, false, NONE),
    (
        "internet-shortcut",
        "web",
        Low,
        false,
        &[
            ("remote-file", Medium, false),
            ("remote-program", Critical, false),
        ],
    ),
    ("search-connector", "web", Medium, false, NONE),
    (
        "type-mismatch",
        "names",
        Info,
        false,
        &[("across-families", Medium, false)],
    ),
    (
        "double-extension",
        "names",
        Info,
        false,
        &[("last-one-runs", High, false)],
    ),
    ("rtlo-filename", "names", High, false, NONE),
    ("padded-filename", "names", High, false, NONE),
    ("encrypted-archive", "encrypted", Medium, true, NONE),
    ("encrypted-document", "encrypted", Medium, true, NONE),
    (
        "decrypted-with-known-password",
        "encrypted",
        Info,
        false,
        NONE,
    ),
    ("ppap-archive", "encrypted", Info, false, NONE),
    ("ppap-unlocked", "encrypted", Info, false, NONE),
    ("archive-bomb", "containers", High, true, NONE),
    ("limit-exceeded", "containers", Medium, true, NONE),
    ("malformed-container", "containers", Medium, true, NONE),
    ("container-irregular", "containers", Info, false, NONE),
    ("unsupported-container", "containers", Medium, true, NONE),
    ("polyglot", "containers", Low, false, NONE),
    ("onenote-embedded-file", "containers", Low, false, NONE),
    ("scanner-crashed", "containers", Medium, true, NONE),
    (
        "mime-ambiguous",
        "mail",
        Info,
        false,
        &[("hides-attachment", Medium, false)],
    ),
    ("mime-malformed", "mail", Info, false, NONE),
    ("mime-partial", "mail", Medium, true, NONE),
    ("novel-attachment-kind", "mail", Info, false, NONE),
];

/// Findings as (artifact, id), and the combination they raise, if any.
type Together = (&'static [(u32, &'static str)], Option<&'static str>);

/// Findings under one document: what they raise, if anything. The tree is the one of [`tree`].
const TOGETHER: &[Together] = &[
    (
        &[(3, "vba-autoexec"), (3, "vba-suspicious-call")],
        Some("autostart-with-call"),
    ),
    (
        &[(3, "vba-autoexec"), (3, "vba-obfuscated")],
        Some("autostart-with-call"),
    ),
    (
        &[(3, "xlm-autoexec"), (3, "vba-obfuscated")],
        Some("autostart-with-call"),
    ),
    (&[(3, "vba-autoexec"), (3, "vba-macro")], None),
    (&[(3, "vba-suspicious-call"), (3, "vba-obfuscated")], None),
    // Two attachments of one mail are two documents.
    (&[(3, "vba-autoexec"), (5, "vba-suspicious-call")], None),
    (&[(4, "executable")], Some("program-in-document")),
    (&[(4, "script")], Some("program-in-document")),
    (&[(4, "shortcut-lnk")], Some("program-in-document")),
    (
        &[(4, "ole-package-executable")],
        Some("program-in-document"),
    ),
    (&[(4, "ole-package")], None),
    // A command line in a macro is no program in the document; a program beside the document is not in it.
    (&[(3, "powershell-command"), (3, "lolbin-command")], None),
    (&[(6, "executable")], None),
    (
        &[(6, "executable"), (6, "double-extension")],
        Some("name-trick"),
    ),
    (&[(6, "script"), (6, "rtlo-filename")], Some("name-trick")),
    (
        &[(6, "shortcut-lnk"), (6, "padded-filename")],
        Some("name-trick"),
    ),
    (&[(6, "executable"), (1, "double-extension")], None),
    (
        &[(7, "html-smuggling"), (8, "executable")],
        Some("smuggled-program"),
    ),
    (
        &[(7, "svg-script"), (8, "shortcut-lnk")],
        Some("smuggled-program"),
    ),
    (&[(7, "html-smuggling"), (6, "executable")], None),
    (&[(7, "html-script"), (8, "executable")], None),
    (
        &[(7, "installer"), (8, "script")],
        Some("installer-runs-script"),
    ),
    (&[(7, "installer"), (8, "html-script")], None),
    (
        &[
            (3, "vba-stomped"),
            (3, "vba-autoexec"),
            (3, "vba-suspicious-call"),
        ],
        Some("stomped-macro"),
    ),
    (&[(3, "vba-stomped"), (3, "vba-autoexec")], None),
];

fn catalogue() -> Catalogue {
    Knowledge::embedded().unwrap().catalogue
}

/// A mail (0) with a docm (1) that holds a project (2), its module (3) and an embedded file (4), a second document's
/// module (5 below 9), a program (6), and a page (7) from which a file (8) comes.
fn tree() -> Vec<Artifact> {
    let rows: [(&str, Option<u32>, Option<&'static str>); 10] = [
        ("eml", None, None),
        ("docm", Some(0), Some("mime-part")),
        ("vba-project", Some(1), Some("zip-member")),
        ("vba-source", Some(2), Some("vba-module")),
        ("pe", Some(1), Some("zip-member")),
        ("vba-source", Some(9), Some("vba-module")),
        ("pe", Some(0), Some("mime-part")),
        ("html", Some(0), Some("mime-part")),
        ("pe", Some(7), Some("decoded-text")),
        ("docm", Some(0), Some("mime-part")),
    ];
    let engine = bench::engine();
    let scanned = bench::scan(&mut Worker::new(&engine), "a.txt", b"a".to_vec());
    let model = scanned.artifacts.first().unwrap();
    (0u32..)
        .zip(rows)
        .map(|(id, (kind, parent, via))| {
            let mut artifact = model.clone();
            artifact.id = id;
            artifact.kind = serde_json::from_value(kind.into()).unwrap();
            artifact.parent = parent;
            artifact.via = via;
            artifact
        })
        .collect()
}

fn finding(id: &'static str, artifact: u32, severity: Severity) -> Finding {
    Finding {
        id: id.into(),
        severity,
        score: severity.score(),
        artifact,
        evidence: Evidence {
            text: String::new(),
            offset: None,
            decoded: None,
        },
        attack: Vec::new(),
        more: None,
    }
}

#[test]
fn every_finding_and_variant_scores_as_written_here() {
    let catalogue = catalogue();
    let written: BTreeSet<&str> = FINDINGS.iter().map(|row| row.0).collect();
    let listed: BTreeSet<&str> = catalogue.entries().map(|entry| entry.id.as_str()).collect();
    assert_eq!(written, listed);
    for (id, group, severity, incomplete, variants) in FINDINGS {
        let entry = catalogue.entry(id).unwrap();
        assert_eq!(
            (entry.group.as_str(), entry.severity, entry.incomplete),
            (*group, *severity, *incomplete),
            "{id}"
        );
        let expected: BTreeMap<&str, (Severity, bool)> = variants
            .iter()
            .map(|(name, severity, incomplete)| (*name, (*severity, *incomplete)))
            .collect();
        let found: BTreeMap<&str, (Severity, bool)> = entry
            .variants
            .iter()
            .map(|(name, variant)| (name.as_str(), (variant.severity, variant.incomplete)))
            .collect();
        assert_eq!(found, expected, "{id}");
    }
}

#[test]
fn severities_score_and_scores_make_levels() {
    let tree = tree();
    let catalogue = catalogue();
    for (severity, score, level) in [
        (Info, 0, Level::Clean),
        (Low, 10, Level::Clean),
        (Medium, 30, Level::Suspicious),
        (High, 60, Level::Suspicious),
        (Critical, 100, Level::Malicious),
    ] {
        let found = [
            finding("vba-macro", 3, Info),
            finding("html-script", 3, severity),
        ];
        let verdict = judge(&tree, &found, &catalogue, Thresholds::default());
        assert_eq!(
            (verdict.score, verdict.level),
            (score, level),
            "{severity:?}"
        );
    }
    let verdict = judge(&tree, &[], &catalogue, Thresholds::default());
    assert_eq!((verdict.score, verdict.level), (0, Level::Clean));
}

#[test]
fn combinations_are_raised_under_one_document_and_by_nothing_less() {
    let tree = tree();
    let catalogue = catalogue();
    for (found, expected) in TOGETHER {
        let found: Vec<Finding> = found
            .iter()
            .map(|(artifact, id)| finding(id, *artifact, Low))
            .collect();
        let verdict = judge(&tree, &found, &catalogue, Thresholds::default());
        let raised: Vec<&str> = verdict
            .raised
            .iter()
            .map(|raised| raised.by.as_str())
            .collect();
        match expected {
            Some(by) => {
                assert!(raised.contains(by), "{found:?}: {raised:?}");
                assert_eq!((verdict.score, verdict.level), (100, Level::Malicious));
            }
            None => assert!(raised.is_empty(), "{found:?}: {raised:?}"),
        }
    }
    let tried: BTreeSet<&str> = TOGETHER.iter().filter_map(|(_, by)| *by).collect();
    let listed: BTreeSet<&str> = catalogue
        .combinations()
        .iter()
        .map(|combination| combination.id.as_str())
        .collect();
    assert_eq!(tried, listed);
}
