//! Scripts of web pages that start a program or fetch one: old browsers, compiled help and gadgets let them.
//!
//! Only what a page asks of the system's own objects counts; libraries that try them for a request are left alone.

use super::{Analyzer, Findings, Found, Look, Sees, scripts};
use crate::formats::html::Page;
use crate::formats::script::Dialect;
use crate::knowledge::Deed;
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "page_commands",
    kinds: &[Kind::Html],
    sees: Sees::Content,
    findings: &["script"],
    run,
};

/// What makes an object of the system, in lower case.
const MAKERS: [&str; 3] = ["activexobject(", "createobject(", "getobject("];

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let page = Page::of(&look.artifact.data, look.artifact.sha256);
    let makes = |mark: &str| {
        let mark = mark.as_bytes();
        memchr::memmem::find(page.lower().as_bytes(), mark).is_some()
    };
    if !["object(", "object ("].into_iter().any(makes) {
        return;
    }
    for (range, dialect) in page.scripts() {
        let kind = match dialect {
            Dialect::Js => Kind::Js,
            Dialect::Basic => Kind::Vbs,
            Dialect::Other => continue,
        };
        let start = range.start;
        let source = page.text().get(range.clone()).unwrap_or_default();
        let squeezed = scripts::squeezed(source, kind);
        if !MAKERS.iter().any(|maker| squeezed.contains(maker)) {
            continue;
        }
        let Some((deed, texts)) = look.knowledge.behaviour.deed(kind, &squeezed) else {
            continue;
        };
        let variant = match deed {
            Deed::DecodesAndRuns => "decodes-and-runs",
            Deed::Downloads => "downloads",
            Deed::StartsProcess => "starts-process",
        };
        let shown = format!("page: {}", texts.join(", ").trim());
        let found = Found::new("script", &shown).variant(variant);
        findings.report(if page.is_as_written() {
            found.at(start)
        } else {
            found
        });
        break;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;

    #[test]
    fn pages_that_start_programs_are_told_and_those_that_ask_a_server_are_not() {
        let found = |body: &str| {
            let page = format!("<html><head>{body}</head><body>text</body></html>");
            findings_of("page_commands", &[holding(Kind::Html, page.as_bytes())])
        };
        let critical = vec![("script".to_owned(), "critical")];
        assert_eq!(
            found(
                "<script>var s = new ActiveXObject('WScript.Shell'); s.Run('calc.exe');</script>"
            ),
            critical
        );
        assert_eq!(
            found(
                "<script language=\"VBScript\">CreateObject(\"WScript.Shell\").Run \"calc\"</script>"
            ),
            critical
        );
        for miss in [
            "<script>var x = new ActiveXObject('Microsoft.XMLHTTP'); x.open('GET', '/a'); x.send();</script>",
            "<pre>var s = new ActiveXObject('WScript.Shell'); s.Run('calc.exe');</pre>",
            "<script>// new ActiveXObject('WScript.Shell').Run(x)\nvar a = makeObject('b');</script>",
        ] {
            assert!(found(miss).is_empty(), "{miss}");
        }
    }
}
