//! A report and the decision on it → names as clamd gives them.
//!
//! Clients know some names of ClamAV's own: rspamd takes `Heuristics.Encrypted.*`, `Heuristics.OLE2.ContainsMacros.*`
//! and `Heuristics.Limits.Exceeded.*` for what they say and everything else for a virus. So those are used where they
//! fit, and only there: a macro that does harm is none that is merely contained. Everything else is
//! `Sekisho.<finding>`, to be looked up with `sekisho findings`.

use crate::gateway::inspect::Inspection;
use crate::model::{Finding, Kind, Level, Report, Severity};

/// The names of what the policy would not hand on, the worst first, none twice; one at least.
pub(super) fn names(inspection: &Inspection) -> Vec<String> {
    let report = &inspection.report;
    let reasons = &inspection.decision.grounds.because;
    let mut names = Vec::new();
    let mut add = |name: String| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    let because = |at: &usize| reasons.contains(at);
    for combination in &report.raised {
        if combination.findings.iter().any(because) {
            add(own(&combination.by));
        }
    }
    let mut findings: Vec<&Finding> = reasons
        .iter()
        .filter_map(|at| report.findings.get(*at))
        .collect();
    // Stable: what was found first stands first.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.score));
    for finding in findings {
        add(name(report, finding));
    }
    if names.is_empty() {
        names.push(own(report.level.as_str()));
    }
    names
}

fn own(id: &str) -> String {
    format!("Sekisho.{}", id.replace(':', "."))
}

fn name(report: &Report, finding: &Finding) -> String {
    let place = usize::try_from(finding.artifact).unwrap_or(usize::MAX);
    let kind = report.artifacts.get(place).map(|artifact| artifact.kind);
    let heuristic = match finding.id.as_ref() {
        "encrypted-archive" => Some(locked(kind, "Archive")),
        "encrypted-document" => Some(locked(kind, "Document")),
        // Another severity says that it opened.
        "pdf-encrypted" if finding.severity >= Severity::Medium => Some("Encrypted.PDF".to_owned()),
        "limit-exceeded" => Some(format!("Limits.Exceeded.{}", limit(&finding.evidence.text))),
        id if report.level < Level::Malicious && finding.severity <= Severity::Medium => {
            macros(id).map(|of| format!("OLE2.ContainsMacros.{of}"))
        }
        _ => None,
    };
    heuristic.map_or_else(|| own(&finding.id), |name| format!("Heuristics.{name}"))
}

fn locked(kind: Option<Kind>, other: &str) -> String {
    let what = match kind.map(Kind::as_str) {
        Some("zip") => "Zip",
        Some("rar") => "RAR",
        Some("7z") => "7Zip",
        Some("pdf") => "PDF",
        _ => other,
    };
    format!("Encrypted.{what}")
}

/// The limit of ClamAV's that comes nearest to the one that was met.
fn limit(evidence: &str) -> &'static str {
    let met = evidence.split(':').next().unwrap_or_default();
    match met {
        "timeout" => "MaxScanTime",
        "max-depth" => "MaxRecursion",
        "max-artifacts" => "MaxFiles",
        "max-file" => "MaxFileSize",
        // max-unpacked, and the ceilings of single formats.
        _ => "MaxScanSize",
    }
}

fn macros(id: &str) -> Option<&'static str> {
    match id {
        "vba-macro" | "vba-autoexec" | "vba-suspicious-call" | "vba-obfuscated" => Some("VBA"),
        "xlm-macro" | "xlm-autoexec" | "sylk-macro" => Some("XLM"),
        _ => None,
    }
}
