//! What is said of a message in headers and in answers to the client.

use crate::model::{Action, Report};
use crate::policy::{Decision, Trouble};
use crate::text;

/// Lines of findings at the most.
const FINDINGS: usize = 16;

/// Characters of a line at the most.
const WIDTH: usize = 300;

/// The headers of a message that goes on, in order.
pub(super) fn verdict(
    id: &str,
    report: &Report,
    decisions: &[Decision],
    fates: &[Action],
) -> Vec<(String, String)> {
    let mut routes: Vec<&str> = Vec::new();
    for (decision, fate) in decisions.iter().zip(fates) {
        let name = decision.route.name.as_str();
        if fate.delivers() && !routes.contains(&name) {
            routes.push(name);
        }
    }
    let verdict = format!(
        "{}; score={}; id={id}; route={}",
        report.level.as_str(),
        report.score,
        routes.join(",")
    );
    let mut headers = vec![("X-Sekisho-Verdict".to_owned(), line(&verdict))];
    for finding in report.findings.iter().take(FINDINGS) {
        let artifact = usize::try_from(finding.artifact)
            .ok()
            .and_then(|at| report.artifacts.get(at));
        let name = artifact
            .map(|artifact| artifact.label())
            .unwrap_or_default();
        let text = format!(
            "{}; {}; {name}; {}",
            finding.id,
            finding.severity.as_str(),
            finding.evidence.text
        );
        headers.push(("X-Sekisho-Finding".to_owned(), line(&text)));
    }
    let more = report.findings.len().saturating_sub(FINDINGS);
    if more > 0 {
        let text = format!("and {more} more");
        headers.push(("X-Sekisho-Finding".to_owned(), text));
    }
    headers
}

/// The answer to a message that is refused for good.
pub(super) fn reject(id: &str, report: &Report) -> String {
    let worst = report.findings.iter().max_by_key(|finding| finding.score);
    let why = worst.map_or("policy", |finding| finding.id.as_ref());
    line(&format!("550 5.7.1 refused by sekisho ({why}); id={id}"))
}

/// The answer to a message that is to come again.
pub(super) fn tempfail(trouble: Trouble) -> String {
    let why = match trouble {
        Trouble::Busy => "busy",
        Trouble::OutOfTime => "the scan took too long",
        Trouble::Lost => "the scan did not end",
        Trouble::Unreachable => "a service does not answer",
        Trouble::NotOffered => "configuration error",
    };
    format!("451 4.7.1 cannot be scanned now ({why}), try again later")
}

/// One line of printable ASCII: a header must not depend on how its reader takes other bytes.
fn line(text: &str) -> String {
    let mut out = String::new();
    for c in text::safe(text).chars().take(WIDTH) {
        match c {
            ' '..='~' => out.push(c),
            other => out.extend(other.escape_unicode()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_of_printable_ascii() {
        assert_eq!(line("a\r\nBcc: x\u{202e}"), "a\\r\\nBcc: x\\u{202e}");
        assert_eq!(line("報"), "\\u{5831}");
        assert!(tempfail(Trouble::Busy).starts_with("451 4.7.1 "));
    }
}
