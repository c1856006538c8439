//! The reports as one page: no scripts, no references to elsewhere, light and dark, to be mailed or printed.
//!
//! Everything that is not written here is escaped by [`escape`]; a content security policy stands behind that. The
//! summary is written last and shown first, so that the page needs no memory of its inputs.

use std::fmt::Write as _;

use crate::knowledge::Language;
use crate::model::{Artifact, Finding, Level, Report, Severity};
use crate::text;

use super::Totals;
use super::captions::Captions;
use super::text::{defanged, summary};
use super::tree::{Shown, artifact, findings_of, rows};
use super::words::Words;

const STYLE: &str = include_str!("html.css");

pub(super) fn begin(captions: &Captions) -> String {
    let words = captions.words();
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        words.tag,
        escape(words.title)
    )
}

pub(super) fn report(report: &Report, captions: &Captions) -> String {
    let words = captions.words();
    let mut out = String::new();
    let level = report.level.as_str();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "<section class=\"input {level}\">\n<h2><span class=\"verdict\">{}</span> {} <small>{} {}{}</small></h2>",
        escape(words.level(report.level)),
        escape(&report.path),
        escape(words.score),
        report.score,
        if report.complete {
            String::new()
        } else {
            format!(" · {}", escape(words.incomplete))
        }
    );
    if report.level > Level::Clean || !report.complete {
        advice(&mut out, report, captions);
    }
    raised(&mut out, report, captions);
    findings(&mut out, report, captions);
    indicators(&mut out, report, words);
    tree(&mut out, report, words);
    let _ = writeln!(
        out,
        "<p class=\"meta\">{} {} · {} {} · {:.3} {}</p>\n</section>",
        escape(words.version),
        escape(report.version),
        escape(words.rules),
        escape(&report.rules),
        std::time::Duration::from_micros(report.elapsed_us).as_secs_f64(),
        escape(words.seconds)
    );
    out
}

fn advice(out: &mut String, report: &Report, captions: &Captions) {
    let Some(text) = captions.advice(report) else {
        return;
    };
    let words = captions.words();
    let _ = writeln!(
        out,
        "<p class=\"advice\"><b>{}</b> {}<br><b>{}</b> {}</p>",
        escape(words.meaning),
        escape(&text.meaning),
        escape(words.action),
        escape(&text.action)
    );
}

fn raised(out: &mut String, report: &Report, captions: &Captions) {
    for raised in &report.raised {
        let severity = Severity::of_score(raised.score);
        let _ = writeln!(
            out,
            "<p class=\"together\">{}: {} <b>{}</b> <code>{}</code></p>",
            escape(captions.words().together),
            badge(severity, captions.words()),
            escape(&captions.title(&raised.by)),
            escape(&raised.by)
        );
    }
}

fn findings(out: &mut String, report: &Report, captions: &Captions) {
    if report.findings.is_empty() {
        return;
    }
    let _ = writeln!(out, "<h3>{}</h3>", escape(captions.words().findings));
    for (_, id) in rows(report, Shown::WithFindings) {
        let mut found = findings_of(report, id).peekable();
        if found.peek().is_none() {
            continue;
        }
        let Some(artifact) = artifact(report, id) else {
            continue;
        };
        let _ = writeln!(
            out,
            "<div class=\"artifact\"><p>#{id} {}</p>\n<ul>",
            label(artifact, report)
        );
        for finding in found {
            one_finding(out, finding, captions);
        }
        out.push_str("</ul></div>\n");
    }
}

fn one_finding(out: &mut String, finding: &Finding, captions: &Captions) {
    let words = captions.words();
    let _ = write!(
        out,
        "<li>{} <b>{}</b> <code>{}</code>",
        badge(finding.severity, words),
        escape(&captions.title(&finding.id)),
        escape(&finding.id)
    );
    for attack in &finding.attack {
        let _ = write!(out, " <small>{}</small>", escape(attack));
    }
    if let Some(more) = finding.more {
        let _ = match captions.language {
            Language::English => write!(out, " <small>and {more} more like it</small>"),
            Language::Japanese => write!(out, " <small>ほか{more}件</small>"),
        };
    }
    let evidence = &finding.evidence;
    if !evidence.text.is_empty() {
        let _ = write!(out, "<pre>{}</pre>", escape(&evidence.text));
    }
    if let Some(decoded) = &evidence.decoded {
        let _ = write!(
            out,
            "{}<pre>{}</pre>",
            escape(words.decoded),
            escape(decoded)
        );
    }
    if let Some(offset) = evidence.offset {
        let _ = write!(out, "<small>{} {offset}</small>", escape(words.offset));
    }
    if let Some(text) = captions.text(&finding.id) {
        let _ = write!(
            out,
            "<details><summary>{} / {}</summary><p>{}</p><p>{}</p></details>",
            escape(words.meaning),
            escape(words.action),
            escape(&text.meaning),
            escape(&text.action)
        );
    }
    out.push_str("</li>\n");
}

fn indicators(out: &mut String, report: &Report, words: &Words) {
    if report.iocs.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "<h3>{}</h3>\n<ul class=\"iocs\">",
        escape(words.indicators)
    );
    for ioc in &report.iocs {
        let kind = serde_json::to_value(ioc.r#type).unwrap_or_default();
        let _ = writeln!(
            out,
            "<li><small>{}</small> <code>{}</code> <small>#{}</small></li>",
            escape(kind.as_str().unwrap_or_default()),
            escape(&defanged(&ioc.value)),
            ioc.artifact
        );
    }
    out.push_str("</ul>\n");
}

fn tree(out: &mut String, report: &Report, words: &Words) {
    let _ = writeln!(
        out,
        "<details><summary>{} ({})</summary>\n<table>",
        escape(words.tree),
        report.artifacts.len()
    );
    for (depth, id) in rows(report, Shown::All) {
        let Some(artifact) = artifact(report, id) else {
            continue;
        };
        let _ = write!(
            out,
            "<tr><td>#{id}</td><td style=\"padding-left:{}em\">{}",
            depth.min(40),
            label(artifact, report)
        );
        mail(out, artifact, words);
        let _ = writeln!(
            out,
            "</td><td>{}</td><td>{}</td><td class=\"number\">{}</td><td><code>{}</code></td></tr>",
            escape(artifact.via.unwrap_or_default()),
            escape(artifact.declared.as_deref().unwrap_or_default()),
            artifact.data.len(),
            artifact.sha256_hex()
        );
    }
    out.push_str("</table></details>\n");
}

fn mail(out: &mut String, artifact: &Artifact, words: &Words) {
    let Some(mail) = &artifact.mail else { return };
    let to = mail.to.join(", ");
    let fields = [
        (words.from, mail.from.as_deref()),
        (words.to, Some(to.as_str()).filter(|to| !to.is_empty())),
        (words.date, mail.date.as_deref()),
        (words.subject, mail.subject.as_deref()),
        ("Message-ID", mail.message_id.as_deref()),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            let _ = write!(
                out,
                "<br><small>{}: {}</small>",
                escape(name),
                escape(value)
            );
        }
    }
}

fn label(artifact: &Artifact, report: &Report) -> String {
    let name = match (artifact.label(), artifact.via) {
        ("", None) => report.path.clone(),
        ("", Some(via)) => format!("({via})"),
        (label, _) => text::excerpt(label),
    };
    let same = artifact
        .same_as
        .map(|first| format!(" = #{first}"))
        .unwrap_or_default();
    format!(
        "{} <small>[{}]{same}</small>",
        escape(&name),
        escape(artifact.kind.as_str())
    )
}

fn badge(severity: Severity, words: &Words) -> String {
    format!(
        "<span class=\"badge {}\">{}</span>",
        severity.as_str(),
        escape(words.severity(severity))
    )
}

pub(super) fn end(totals: &Totals, captions: &Captions) -> String {
    let words = captions.words();
    format!(
        "<header>\n<h1>{}</h1>\n<p>{}: {}</p>\n</header>\n</body>\n</html>\n",
        escape(words.title),
        escape(words.summary),
        escape(&summary(totals, captions))
    )
}

/// Text as the content of an element or of a quoted attribute, safe to show.
pub(crate) fn escape(text: &str) -> String {
    let text = text::safe(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn page(language: Language) -> String {
        let captions = samples::captions(language);
        let mut totals = Totals::default();
        totals.count(Level::Malicious, true);
        begin(&captions)
            + &report(&samples::mail_with_macro(), &captions)
            + &end(&totals, &captions)
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let page = page(Language::English);
        for raw in ["<script", "<b>.docm", "<i>", "\u{202e}", "\u{1b}"] {
            assert!(!page.contains(raw), "{raw:?}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.contains("powershell -w hidden &amp; &lt;i&gt;"));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let page = page(Language::English);
        for outside in ["http://", "https://", "src=", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("hxxp://192[.]0[.]2[.]9/a.bin"));
    }

    #[test]
    fn every_element_that_opens_closes() {
        let page = page(Language::Japanese);
        for element in [
            "section", "div", "ul", "li", "table", "tr", "td", "details", "pre", "header", "body",
            "html",
        ] {
            let opened = page.matches(&format!("<{element}>")).count()
                + page.matches(&format!("<{element} ")).count();
            let closed = page.matches(&format!("</{element}>")).count();
            assert_eq!(opened, closed, "{element}");
        }
        assert!(page.contains("<html lang=\"ja\">") && page.contains("悪性"));
    }
}
