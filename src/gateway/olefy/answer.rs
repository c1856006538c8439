//! A report as the JSON array of `olevba --json`, as far as readers of olefy look at it.
//!
//! rspamd scores a document whose analysis has an entry of type AutoExec and one of type Suspicious, beside a macro.
//! So a document gets both exactly where the verdict on it is malicious or its findings say so by themselves: where
//! what acts is no macro (a remote template, an embedded program), it stands among the macros with its evidence in
//! the place of code. `return_code` is 9 where the document is locked, 5 where something else of it could not be
//! looked through, else 0; rspamd takes 9 and 5 for an answer of its own, so they are given only where nothing was
//! found that is worse.

use serde::Serialize;

use crate::gateway::inspect::Inspection;
use crate::knowledge::Catalogue;
use crate::model::{Artifact, Finding, Kind, Level, Report, Severity};
use crate::policy::Trouble;
use crate::text;

/// Entries of the analysis, and macros, at the most.
const MOST: usize = 48;

/// Bytes of code in an answer: rspamd reads no more than one packet with certainty, and does not look at code.
const MOST_CODE: usize = 6 << 10;

/// Characters of a keyword or a description.
const LONGEST: usize = 100;

/// Return codes of olevba.
const OK: u8 = 0;
const OPEN_ERROR: u8 = 5;
const ENCRYPTED: u8 = 9;

#[derive(Serialize)]
struct Program {
    script_name: &'static str,
    version: &'static str,
    url: &'static str,
    r#type: &'static str,
}

#[derive(Serialize)]
struct Container {
    file: String,
    container: Option<String>,
    json_conversion_successful: bool,
    r#type: &'static str,
    analysis: Option<Vec<Entry>>,
    code_deobfuscated: Option<String>,
    do_deobfuscate: bool,
    macros: Option<Vec<Macro>>,
    /// Why not all of it was looked through; rspamd reads it here.
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'static str,
    /// What olevba does not have: the verdict in our words.
    sekisho: Verdict,
}

#[derive(Serialize, PartialEq, Eq, Clone)]
struct Entry {
    r#type: &'static str,
    keyword: String,
    description: String,
}

#[derive(Serialize)]
struct Macro {
    vba_filename: String,
    subfilename: String,
    ole_stream: String,
    code: String,
}

#[derive(Serialize)]
struct Verdict {
    level: &'static str,
    score: u8,
    complete: bool,
    action: &'static str,
}

#[derive(Serialize)]
struct End {
    r#type: &'static str,
    return_code: u8,
    n_processed: u8,
}

#[derive(Serialize)]
struct Failure {
    error: &'static str,
}

/// An answer that says what went wrong; rspamd asks another server, or again.
pub(super) fn error(why: &'static str) -> Vec<u8> {
    array(&[Failure { error: why }])
}

/// What is said of trouble of ours.
pub(super) fn reason(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Busy => "too busy",
        Trouble::OutOfTime => "the scan did not end in time",
        Trouble::Lost => "the scan broke down",
        Trouble::Unreachable => "the store does not answer",
        Trouble::NotOffered => "not offered",
    }
}

/// The answer for a file that was looked at.
pub(super) fn of(inspection: &Inspection, catalogue: &Catalogue) -> Vec<u8> {
    let report = &inspection.report;
    let analysis = analysis(inspection, catalogue);
    let macros = macros(report, &analysis);
    let caught = ["AutoExec", "Suspicious"]
        .iter()
        .all(|kind| analysis.iter().any(|entry| entry.r#type == *kind));
    let (return_code, message) = match caught || inspection.passes() {
        true => (OK, ""),
        false => unseen(report, catalogue).unwrap_or((OK, "")),
    };
    let is_empty = macros.is_empty();
    let parts = (
        Program {
            script_name: "sekisho",
            version: env!("CARGO_PKG_VERSION"),
            url: "",
            r#type: "MetaInformation",
        },
        Container {
            file: report.path.clone(),
            container: None,
            json_conversion_successful: true,
            r#type: report
                .artifacts
                .first()
                .map_or("", |root| root.kind.as_str()),
            analysis: (!is_empty).then_some(analysis),
            code_deobfuscated: None,
            do_deobfuscate: false,
            macros: (!is_empty).then_some(macros),
            message,
            sekisho: Verdict {
                level: report.level.as_str(),
                score: report.score,
                complete: report.complete,
                action: inspection.decision.action.as_str(),
            },
        },
        End {
            r#type: "MetaInformation",
            return_code,
            n_processed: 1,
        },
    );
    array(&parts)
}

fn array<T: Serialize + ?Sized>(parts: &T) -> Vec<u8> {
    // Plain data: writing it cannot fail.
    serde_json::to_vec(parts).unwrap_or_else(|_| b"[ { \"error\": \"no answer\" } ]".to_vec())
}

fn analysis(inspection: &Inspection, catalogue: &Catalogue) -> Vec<Entry> {
    let report = &inspection.report;
    let mut entries: Vec<Entry> = Vec::new();
    let mut add = |entry: Entry| {
        if entries.len() < MOST && !entries.contains(&entry) {
            entries.push(entry);
        }
    };
    for combination in &report.raised {
        let entry = catalogue.entry(&combination.by);
        let keyword = combination.by.clone();
        let description = entry.map_or_else(String::new, |entry| entry.en.title.clone());
        add(Entry {
            r#type: "Suspicious",
            keyword,
            description,
        });
    }
    for finding in &report.findings {
        let Some(of) = kind(finding) else { continue };
        let keyword = match of {
            "AutoExec" if !finding.evidence.text.is_empty() => short(&finding.evidence.text),
            _ => finding.id.to_string(),
        };
        add(Entry {
            r#type: of,
            keyword,
            description: short(&finding.evidence.text),
        });
        if let Some(decoded) = &finding.evidence.decoded {
            add(Entry {
                r#type: "VBA strings",
                keyword: short(decoded),
                description: finding.id.to_string(),
            });
        }
    }
    for ioc in &report.iocs {
        add(Entry {
            r#type: "IOC",
            keyword: short(&ioc.value),
            description: ioc.r#type.as_str().to_owned(),
        });
    }
    let lacks = |of: &str| !entries.iter().any(|entry| entry.r#type == of);
    if report.level == Level::Malicious && lacks("AutoExec") {
        // It needs nobody's click: opening it is enough, or it is a program.
        let worst = report.raised.first().map(|raised| raised.by.clone());
        let worst = worst.or_else(|| {
            let findings = report.findings.iter();
            let worst = findings.max_by_key(|finding| finding.score);
            worst.map(|finding| finding.id.to_string())
        });
        entries.insert(
            0,
            Entry {
                r#type: "AutoExec",
                keyword: worst.unwrap_or_default(),
                description: "malicious as a whole".to_owned(),
            },
        );
    }
    entries
}

/// The type of olevba's that a finding comes under.
fn kind(finding: &Finding) -> Option<&'static str> {
    match finding.id.as_ref() {
        "vba-autoexec" | "xlm-autoexec" => Some("AutoExec"),
        // What was not seen is said by the return code.
        "encrypted-archive"
        | "encrypted-document"
        | "pdf-encrypted"
        | "limit-exceeded"
        | "malformed-container"
        | "unsupported-container"
        | "mime-partial" => None,
        _ if finding.severity >= Severity::Medium => Some("Suspicious"),
        _ => None,
    }
}

fn macros(report: &Report, analysis: &[Entry]) -> Vec<Macro> {
    let mut room = MOST_CODE;
    let mut macros: Vec<Macro> = report
        .artifacts
        .iter()
        .filter(|artifact| is_code(artifact.kind) && artifact.same_as.is_none())
        .take(MOST)
        .map(|artifact| {
            let code = code(artifact, room);
            room = room.saturating_sub(code.len());
            Macro {
                vba_filename: short(artifact.label()),
                subfilename: above(report, artifact),
                ole_stream: artifact.via.unwrap_or_default().to_owned(),
                code,
            }
        })
        .collect();
    let acts = |entry: &Entry| matches!(entry.r#type, "AutoExec" | "Suspicious");
    if macros.is_empty() && analysis.iter().any(acts) {
        let lines = analysis.iter().filter(|entry| acts(entry));
        let lines: Vec<String> = lines
            .map(|entry| format!("{}: {}", entry.keyword, entry.description))
            .collect();
        macros.push(Macro {
            vba_filename: String::new(),
            subfilename: String::new(),
            ole_stream: String::new(),
            code: cut(&lines.join("\n"), MOST_CODE),
        });
    }
    macros
}

fn is_code(kind: Kind) -> bool {
    matches!(kind, Kind::VbaSource | Kind::XlmSource)
}

fn code(artifact: &Artifact, room: usize) -> String {
    let head = artifact.data.get(..room).unwrap_or(&artifact.data);
    cut(&String::from_utf8_lossy(head), room)
}

/// The file that a macro stands in.
fn above(report: &Report, artifact: &Artifact) -> String {
    let parent = artifact.parent.and_then(|id| usize::try_from(id).ok());
    let parent = parent.and_then(|id| report.artifacts.get(id));
    parent.map_or_else(String::new, |parent| short(parent.label()))
}

/// What could not be looked through, as a return code.
fn unseen(report: &Report, catalogue: &Catalogue) -> Option<(u8, &'static str)> {
    if report.complete {
        return None;
    }
    let locked = report.findings.iter().any(|finding| {
        let entry = catalogue.entry(&finding.id);
        let group = entry.is_some_and(|entry| entry.group == "encrypted" && entry.incomplete);
        group || (finding.id == "pdf-encrypted" && finding.severity >= Severity::Medium)
    });
    Some(match locked {
        true => (ENCRYPTED, "the document is locked"),
        false => (OPEN_ERROR, "the document could not be looked through whole"),
    })
}

fn short(text: &str) -> String {
    text::excerpt(text).chars().take(LONGEST).collect()
}

fn cut(text: &str, bytes: usize) -> String {
    let end = text.floor_char_boundary(bytes.min(text.len()));
    text.get(..end).unwrap_or_default().to_owned()
}
