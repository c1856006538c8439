//! PostScript that works on the computer (PostScript Language Reference 3.8 "File operations", 8.2): starts a program by
//! a pipe, writes or deletes files, runs what it decodes. A picture or a page to print does none of that.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "postscript",
    kinds: &[Kind::Ps],
    sees: Sees::Content,
    findings: &["script"],
    run,
};

/// Digits of a text in hexadecimal that is more than a font's or a small picture's.
const DIGITS: usize = 4096;

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let source = &look.artifact.data;
    let find = |word: &str| memchr::memmem::find(source, word.as_bytes());
    if let Some(at) = find("(%pipe%") {
        findings.report(told("pipe to a program", at, source).variant("starts-process"));
        return;
    }
    // A program of its own in a text that it takes apart and runs, as no driver of a printer writes it.
    let decodes = ["xor", "cvx", "exec"]
        .iter()
        .all(|word| has_word(source, word));
    let text = source.split(|byte| *byte == b'<').skip(1).find(|rest| {
        rest.iter()
            .take_while(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace())
            .count()
            >= DIGITS
    });
    if decodes && text.is_some() {
        let at = find("cvx").unwrap_or(0);
        findings
            .report(told("runs a text that it decodes", at, source).variant("decodes-and-runs"));
        return;
    }
    for word in ["deletefile", "renamefile"] {
        if has_word(source, word) {
            findings.report(told(word, find(word).unwrap_or(0), source));
            return;
        }
    }
    if let Some(at) = find("(w) file").or_else(|| find("(w)file")) {
        findings.report(told("writes a file", at, source));
    }
}

fn told(what: &str, at: usize, source: &[u8]) -> Found {
    let near = source
        .get(at..at.saturating_add(120).min(source.len()))
        .unwrap_or_default();
    let near = String::from_utf8_lossy(near);
    Found::new("script", &format!("PostScript: {what}: {near}")).at(at)
}

/// Whether an operator stands in the text by itself.
fn has_word(source: &[u8], word: &str) -> bool {
    let apart = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    memchr::memmem::find_iter(source, word.as_bytes())
        .take(1000)
        .any(|at| {
            apart(at.checked_sub(1).and_then(|at| source.get(at)))
                && apart(source.get(at.saturating_add(word.len())))
        })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;

    fn found(body: &str) -> Vec<&'static str> {
        let source = format!("%!PS-Adobe-3.0 EPSF-3.0\n{body}\n");
        let found = findings_of("postscript", &[holding(Kind::Ps, source.as_bytes())]);
        found.into_iter().map(|(_, severity)| severity).collect()
    }

    #[test]
    fn what_works_on_the_computer_is_told_and_what_draws_is_not() {
        assert_eq!(found("(%pipe%calc) (w) file closefile"), ["critical"]);
        let digits = "4a".repeat(3000);
        assert_eq!(
            found(&format!(
                "/a <{digits}> def 0 1 a length {{ a exch dup a exch get 7 xor put }} for a cvx exec"
            )),
            ["critical"]
        );
        assert_eq!(
            found("(c:\\\\a.vbs) (w) file dup (x) writestring closefile"),
            ["medium"]
        );
        assert_eq!(found("(/tmp/a) deletefile"), ["medium"]);
        assert!(found("0 0 moveto 10 10 lineto stroke showpage").is_empty());
        assert!(
            found(&format!(
                "currentfile eexec {digits} /a {{ cvx exec }} bind def"
            ))
            .is_empty()
        );
    }
}
