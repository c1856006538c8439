//! The report for people: verdict, the artifacts that carry findings with what shows them, what to do.
//!
//! Every line that holds foreign text goes through [`Pen`], which makes it safe to show once more: what is safe
//! already stays as it is.

use anstyle::{AnsiColor, Style};

use crate::knowledge::Language;
use crate::model::{Artifact, Finding, Id, Level, Report, Severity};
use crate::text;

use super::captions::Captions;
use super::tree::{Shown, artifact, findings_of, rows};
use super::words::Words;
use super::{Detail, Paint, Totals};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const PLAIN: Style = Style::new();

/// Blanks by which a level of the tree moves to the right.
const STEP: usize = 2;

/// Addresses of To and Cc that are shown.
const RECIPIENTS: usize = 5;

pub(super) fn report(report: &Report, captions: &Captions, detail: Detail, paint: Paint) -> String {
    let mut pen = Pen {
        out: String::new(),
        paint,
    };
    if detail == Detail::Brief && report.level == Level::Clean && report.complete {
        return pen.out;
    }
    verdict(&mut pen, report, captions.words());
    if detail == Detail::Brief {
        return pen.out;
    }
    let shown = match detail {
        Detail::Whole => Shown::All,
        Detail::Normal | Detail::Brief => Shown::WithFindings,
    };
    for (depth, id) in rows(report, shown) {
        if let Some(artifact) = artifact(report, id) {
            let indent = depth.saturating_add(1).saturating_mul(STEP);
            artifact_line(&mut pen, artifact, report, indent, detail, captions.words());
            for finding in findings_of(report, id) {
                finding_line(&mut pen, finding, indent.saturating_add(STEP), captions);
            }
        }
    }
    raised(&mut pen, report, captions);
    if detail == Detail::Whole {
        indicators(&mut pen, report, captions.words());
    }
    if report.level > Level::Clean || !report.complete {
        advice(&mut pen, report, captions);
    }
    if pen.out.lines().nth(1).is_some() {
        pen.out.push('\n');
    }
    pen.out
}

fn verdict(pen: &mut Pen, report: &Report, words: &Words) {
    let style = match report.level {
        Level::Clean => Style::new().fg_color(Some(AnsiColor::Green.into())),
        Level::Suspicious => BOLD.fg_color(Some(AnsiColor::Yellow.into())),
        Level::Malicious => BOLD.fg_color(Some(AnsiColor::Red.into())),
    };
    pen.put(style, words.level(report.level));
    pen.put(PLAIN, "  ");
    pen.put(BOLD, &report.path);
    if report.score > 0 {
        pen.put(DIM, &format!("  {} {}", words.score, report.score));
    }
    if !report.complete {
        pen.put(
            Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            &format!("  ({})", words.incomplete),
        );
    }
    pen.end_line();
}

fn artifact_line(
    pen: &mut Pen,
    artifact: &Artifact,
    report: &Report,
    indent: usize,
    detail: Detail,
    words: &Words,
) {
    pen.indent(indent);
    let label = text::excerpt(artifact.label());
    match (label.as_str(), artifact.via) {
        ("", None) => pen.put(PLAIN, &report.path),
        ("", Some(via)) => pen.put(DIM, &format!("({via})")),
        (label, _) => pen.put(PLAIN, label),
    }
    pen.put(DIM, &format!("  [{}]", artifact.kind.as_str()));
    if let Some(first) = artifact.same_as {
        pen.put(DIM, &format!("  {} #{first}", words.same_as));
    }
    if detail == Detail::Whole {
        let via = artifact
            .via
            .map(|via| format!(" {via}"))
            .unwrap_or_default();
        pen.put(
            DIM,
            &format!(
                "  #{}{via} {} B {}",
                artifact.id,
                artifact.data.len(),
                artifact.sha256_hex()
            ),
        );
        if let Some(declared) = &artifact.declared {
            pen.put(DIM, &format!("  {} {declared}", words.declared));
        }
    }
    pen.end_line();
    if let Some(hash) = artifact.vba_hash() {
        pen.indent(indent.saturating_add(STEP));
        pen.put(DIM, &format!("{}: {hash}", words.vba_hash));
        pen.end_line();
    }
    if let Some(signer) = artifact.vba_signer() {
        pen.indent(indent.saturating_add(STEP));
        pen.put(DIM, &format!("{}: signer:{signer}", words.vba_signer));
        pen.end_line();
    }
    if let Some(mail) = &artifact.mail {
        let to = (!mail.to.is_empty()).then(|| {
            let more = if mail.to.len() > RECIPIENTS {
                ", …"
            } else {
                ""
            };
            let shown: Vec<&str> = mail
                .to
                .iter()
                .take(RECIPIENTS)
                .map(String::as_str)
                .collect();
            shown.join(", ") + more
        });
        let fields = [
            (words.from, mail.from.as_deref()),
            (words.to, to.as_deref()),
            (words.date, mail.date.as_deref()),
            (words.subject, mail.subject.as_deref()),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                pen.indent(indent.saturating_add(STEP));
                pen.put(DIM, &format!("{name}: {}", text::excerpt(value)));
                pen.end_line();
            }
        }
    }
}

fn finding_line(pen: &mut Pen, finding: &Finding, indent: usize, captions: &Captions) {
    let words = captions.words();
    pen.indent(indent);
    pen.put(PLAIN, "- ");
    pen.put(colour(finding.severity), words.severity(finding.severity));
    pen.put(PLAIN, "  ");
    pen.put(BOLD, &captions.title(&finding.id));
    pen.put(DIM, &format!(" ({})", finding.id));
    if !finding.evidence.text.is_empty() {
        pen.put(PLAIN, &format!(": {}", finding.evidence.text));
    }
    if let Some(offset) = finding.evidence.offset {
        pen.put(DIM, &format!("  {} {offset}", words.offset));
    }
    if let Some(more) = finding.more {
        let more = match captions.language {
            Language::English => format!("  and {more} more like it"),
            Language::Japanese => format!("  ほか{more}件"),
        };
        pen.put(DIM, &more);
    }
    pen.end_line();
    if let Some(decoded) = &finding.evidence.decoded {
        pen.indent(indent.saturating_add(STEP));
        pen.put(DIM, words.decoded);
        pen.put(PLAIN, &format!(": {decoded}"));
        pen.end_line();
    }
}

fn raised(pen: &mut Pen, report: &Report, captions: &Captions) {
    let words = captions.words();
    let mut said: Vec<&str> = Vec::new();
    for raised in &report.raised {
        if said.contains(&raised.by.as_str()) {
            continue;
        }
        said.push(&raised.by);
        let severity = Severity::of_score(raised.score);
        pen.indent(STEP);
        pen.put(PLAIN, &format!("{}: ", words.together));
        pen.put(colour(severity), words.severity(severity));
        pen.put(PLAIN, "  ");
        pen.put(BOLD, &captions.title(&raised.by));
        pen.put(DIM, &format!(" ({})", raised.by));
        pen.end_line();
    }
}

fn indicators(pen: &mut Pen, report: &Report, words: &Words) {
    for ioc in &report.iocs {
        pen.indent(STEP);
        pen.put(DIM, &format!("{}: ", words.indicators));
        pen.put(PLAIN, &defanged(&ioc.value));
        pen.put(DIM, &format!("  #{}", ioc.artifact));
        pen.end_line();
    }
}

fn advice(pen: &mut Pen, report: &Report, captions: &Captions) {
    let Some(text) = captions.advice(report) else {
        return;
    };
    let words = captions.words();
    for (label, said) in [(words.meaning, &text.meaning), (words.action, &text.action)] {
        pen.indent(STEP);
        pen.put(BOLD, &format!("{label}: "));
        pen.put(PLAIN, said);
        pen.end_line();
    }
}

/// The summary after all inputs.
pub(super) fn end(totals: &Totals, captions: &Captions) -> String {
    summary(totals, captions) + "\n"
}

/// The totals in one line, without its end.
pub(super) fn summary(totals: &Totals, captions: &Captions) -> String {
    let words = captions.words();
    let count = |number: u64, word: &str| match captions.language {
        Language::English => format!("{number} {word}"),
        Language::Japanese => format!("{word} {number}"),
    };
    let inputs = match (captions.language, totals.reports()) {
        (Language::English, 1) => "1 input".to_owned(),
        (Language::English, number) => format!("{number} {}", words.inputs),
        (Language::Japanese, number) => format!("{number}{}", words.inputs),
    };
    let mut parts = vec![
        count(totals.clean, words.level(Level::Clean)),
        count(totals.suspicious, words.level(Level::Suspicious)),
        count(totals.malicious, words.level(Level::Malicious)),
    ];
    if totals.incomplete > 0 {
        parts.push(count(totals.incomplete, words.incomplete));
    }
    if totals.unreadable > 0 {
        parts.push(count(totals.unreadable, words.unread));
    }
    let seconds = totals.elapsed.as_secs_f64();
    format!(
        "{inputs}: {}  ({seconds:.2} {})",
        parts.join(", "),
        words.seconds
    )
}

/// An indicator that nobody clicks by mistake: `hxxp://192[.]0[.]2[.]9/a.bin`.
pub(super) fn defanged(value: &str) -> String {
    let (scheme, rest) = match value.split_once("://") {
        Some((scheme, rest)) => (
            format!("{}://", scheme.replace('t', "x").replace('T', "X")),
            rest,
        ),
        None => (String::new(), value),
    };
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(host_end);
    format!("{scheme}{}{path}", host.replace('.', "[.]"))
}

fn colour(severity: Severity) -> Style {
    match severity {
        Severity::Info => DIM,
        Severity::Low => Style::new().fg_color(Some(AnsiColor::Cyan.into())),
        Severity::Medium => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
        Severity::High => Style::new().fg_color(Some(AnsiColor::Red.into())),
        Severity::Critical => BOLD.fg_color(Some(AnsiColor::Red.into())),
    }
}

/// Writes styled text, every piece of it safe to show.
struct Pen {
    out: String,
    paint: Paint,
}

impl Pen {
    fn put(&mut self, style: Style, words: &str) {
        let words = text::safe(words);
        match self.paint {
            Paint::Colours => self.out.push_str(&format!("{style}{words}{style:#}")),
            Paint::Plain => self.out.push_str(&words),
        }
    }

    fn indent(&mut self, blanks: usize) {
        self.out.extend(std::iter::repeat_n(' ', blanks));
    }

    fn end_line(&mut self) {
        self.out.push('\n');
    }
}

/// The artifacts that a combination joined, for the other formats.
pub(super) fn artifacts_of(report: &Report, findings: &[usize]) -> Vec<Id> {
    let mut ids: Vec<Id> = findings
        .iter()
        .filter_map(|at| report.findings.get(*at))
        .map(|finding| finding.artifact)
        .collect();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::samples;
    use super::*;

    fn render(report: &Report, language: Language, detail: Detail, paint: Paint) -> String {
        super::report(report, &samples::captions(language), detail, paint)
    }

    #[test]
    fn a_malicious_mail_shows_its_chain_and_what_to_do() {
        let text = render(
            &samples::mail_with_macro(),
            Language::English,
            Detail::Normal,
            Paint::Plain,
        );
        let expected = "malicious  in/mail.eml  score 100
  mail.eml  [eml]
    From: a@example.com
    To: b@example.com
    Date: 2026-11-22T10:00:00+09:00
    Subject: <script>alert(1)</script>
    報告書\\u{202e}<b>.docm  [docm]
      word/vbaProject.bin  [vba-project]
        - low  VBA macro (vba-macro): 1 module with code
        ThisDocument  [vba-source]
          - low  Macro that starts by itself (vba-autoexec): AutoOpen
          - medium  Macro that can start programs or fetch files (vba-suspicious-call): o.Run \"x\"\\u{1b}[2J  at byte 130  and 3 more like it
            decoded: powershell -w hidden & <i>
  Together: critical";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("\n  What it means: ") && text.contains("\n  What to do: "));
        assert!(text.ends_with(".\n\n"), "{text:?}");
    }

    #[test]
    fn japanese_speaks_japanese() {
        let text = render(
            &samples::mail_with_macro(),
            Language::Japanese,
            Detail::Normal,
            Paint::Plain,
        );
        assert!(
            text.starts_with("悪性  in/mail.eml  スコア 100\n"),
            "{text}"
        );
        assert!(text.contains("- 低  VBAマクロ (vba-macro): 1 module with code"));
        assert!(text.contains("\n  対処: "));
    }

    #[test]
    fn a_clean_file_is_one_line_and_none_when_brief() {
        let clean = samples::clean();
        let text = render(&clean, Language::English, Detail::Normal, Paint::Plain);
        assert_eq!(text, "clean  note.txt\n");
        assert_eq!(
            render(&clean, Language::English, Detail::Brief, Paint::Plain),
            ""
        );
        let incomplete = Report {
            complete: false,
            ..clean
        };
        assert_eq!(
            render(&incomplete, Language::English, Detail::Brief, Paint::Plain),
            "clean  note.txt  (not looked through whole)\n"
        );
    }

    #[test]
    fn the_whole_tree_has_sizes_and_digests() {
        let text = render(
            &samples::mail_with_macro(),
            Language::English,
            Detail::Whole,
            Paint::Plain,
        );
        let digest = "01".repeat(32);
        assert!(
            text.contains(&format!(
                "    (mime-part)  [text]  #1 mime-part 100 B {digest}\n"
            )),
            "{text}"
        );
        assert!(
            text.contains("Indicators: hxxp://192[.]0[.]2[.]9/a.bin  #4\n"),
            "{text}"
        );
    }

    #[test]
    fn escape_sequences_are_only_our_own() {
        let text = render(
            &samples::mail_with_macro(),
            Language::English,
            Detail::Whole,
            Paint::Plain,
        );
        assert!(!text.contains(['\u{1b}', '\u{202e}']));
        let text = render(
            &samples::mail_with_macro(),
            Language::English,
            Detail::Whole,
            Paint::Colours,
        );
        assert!(text.contains("\u{1b}[") && !text.contains("\u{1b}[2J"));
    }

    #[test]
    fn the_summary_counts() {
        let mut totals = Totals {
            unreadable: 1,
            elapsed: Duration::from_millis(1234),
            ..Totals::default()
        };
        totals.count(Level::Clean, true);
        totals.count(Level::Malicious, false);
        assert_eq!(
            end(&totals, &samples::captions(Language::English)),
            "2 inputs: 1 clean, 0 suspicious, 1 malicious, 1 not looked through whole, 1 could not be read  (1.23 s)\n"
        );
        assert_eq!(
            end(&totals, &samples::captions(Language::Japanese)),
            "2件: 検出なし 1, 不審 0, 悪性 1, 一部検査不可 1, 読み取り不可 1  (1.23 秒)\n"
        );
    }

    #[test]
    fn indicators_are_defanged() {
        assert_eq!(
            defanged("https://a.example/x.y?z"),
            "hxxps://a[.]example/x.y?z"
        );
        assert_eq!(defanged("evil.example"), "evil[.]example");
    }
}
