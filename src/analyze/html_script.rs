//! Web pages with script in them: worth knowing, and nothing more.

use memchr::memmem;

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::model::{Family, Kind};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "html_script",
    kinds: &[Kind::Html],
    sees: Sees::Place,
    findings: &["html-script"],
    run,
};

/// Bytes of a page that are looked through.
const LONGEST: usize = 4 << 20;

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    // The parts of a document are read by its program, and by no browser.
    if look.artifact.kind != Kind::Html
        || look
            .parent()
            .is_some_and(|parent| matches!(parent.kind.family(), Family::Ooxml | Family::Odf))
    {
        return;
    }
    let data = look
        .artifact
        .data
        .get(..LONGEST)
        .unwrap_or(&look.artifact.data);
    let begins = |at: usize, word: &[u8]| {
        let behind = at.saturating_add(1);
        data.get(behind..behind.saturating_add(word.len()))
            .is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    let found = memchr::memchr2_iter(b'<', b'=', data).find(|at| match data.get(*at) {
        Some(b'<') => begins(*at, b"script") && is_code(data, at.saturating_add(7)),
        _ => begins(*at, b"\"javascript:") || begins(*at, b"'javascript:"),
    });
    if let Some(at) = found {
        let end = at.saturating_add(120).min(data.len());
        let shown = String::from_utf8_lossy(data.get(at..end).unwrap_or_default());
        findings.report(Found::new("html-script", &shown).at(at));
    }
}

/// Whether a tag whose name ends here is one, and its element holds code: a type of data makes it a mere container.
fn is_code(data: &[u8], at: usize) -> bool {
    let rest = data.get(at..).unwrap_or_default();
    let ends = rest
        .first()
        .is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'));
    let head = rest.get(..512).unwrap_or(rest);
    let tag = head
        .split(|byte| *byte == b'>')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let types = [
        &b"application/ld+json"[..],
        b"application/json",
        b"text/template",
        b"text/x-template",
    ];
    ends && !types.iter().any(|kind| memmem::find(&tag, kind).is_some())
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;

    #[test]
    fn pages_with_script_are_told_from_pages_without() {
        let count = |page: &str| {
            testing::run(run, &[testing::holding(Kind::Html, page.as_bytes())])
                .0
                .len()
        };
        assert_eq!(count("<html><SCRIPT>x()</SCRIPT></html>"), 1);
        assert_eq!(count("<a href=\"javascript:x()\">a</a>"), 1);
        assert_eq!(
            count("<p>the word script, and a javascript: address in prose</p>"),
            0
        );
        assert_eq!(count("<script type=\"application/ld+json\">{}</script>"), 0);
    }
}
