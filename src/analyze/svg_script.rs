//! SVG pictures that run something in the browser: scripts, handlers, addresses of script, pages within them.

use super::place::percent_decoded;
use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::html::{self, Tag};
use crate::model::{Family, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "svg_script",
    kinds: &[Kind::Svg],
    sees: Sees::Place,
    findings: &["svg-script"],
    run,
};

/// Findings of one picture: more of the same say nothing new.
const TOLD: usize = 8;

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    // Office shows pictures without running them.
    let in_document = look
        .parent()
        .is_some_and(|parent| matches!(parent.kind.family(), Family::Ooxml | Family::Odf));
    if artifact.kind != Kind::Svg || in_document {
        return;
    }
    let source = text::to_utf8(&artifact.data);
    let mut told = 0usize;
    for tag in html::tags(&source) {
        let Some(what) = acts(&tag) else {
            continue;
        };
        let shown = source.get(tag.at..).unwrap_or_default();
        let shown: String = shown.chars().take(text::EXCERPT).collect();
        findings.report(Found::new("svg-script", &format!("{what}: {shown}")).at(tag.at));
        told = told.saturating_add(1);
        if told >= TOLD {
            return;
        }
    }
    // An entity that stands for markup: a browser puts it in before it reads the tags.
    if let Some(at) = source.find("<!ENTITY") {
        let entity = source.get(at..).unwrap_or_default();
        let entity = entity
            .get(..entity.floor_char_boundary(4096))
            .unwrap_or(entity);
        let lower = entity.to_ascii_lowercase();
        if lower.contains("&#60;script")
            || lower.contains("<script")
            || lower.contains("&#x3c;script")
            || lower.contains("javascript:")
        {
            findings.report(Found::new("svg-script", entity).at(at));
        }
    }
}

/// What of a tag runs something.
fn acts(tag: &Tag<'_>) -> Option<&'static str> {
    match tag.name.as_ref() {
        // Data of programs that draw: no browser runs it.
        "script"
            if !tag
                .attribute("type")
                .is_some_and(|kind| kind.contains("json")) =>
        {
            return Some("script");
        }
        "handler" | "listener" => return Some("handler"),
        "iframe" | "embed" | "object" | "frame" => return Some("page within"),
        "form" | "input" => return Some("form within"),
        "meta"
            if tag
                .attribute("http-equiv")
                .is_some_and(|value| value.eq_ignore_ascii_case("refresh")) =>
        {
            return Some("redirect");
        }
        _ => {}
    }
    for (name, value) in tag.attributes() {
        let handler = name.strip_prefix("on").is_some_and(|rest| {
            rest.len() > 2 && rest.bytes().all(|byte| byte.is_ascii_lowercase())
        });
        if handler && !value.trim().is_empty() {
            return Some("handler");
        }
        let address = matches!(
            name.as_ref(),
            "href" | "src" | "to" | "from" | "values" | "action" | "data"
        );
        if address && is_script(&value) {
            return Some("address of script");
        }
    }
    None
}

/// Whether an address runs a script or holds a page.
pub fn is_script(value: &str) -> bool {
    let plain: String = percent_decoded(value)
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .take(64)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    plain.starts_with("javascript:")
        || plain.starts_with("vbscript:")
        || plain.starts_with("data:text/html")
        || plain.starts_with("data:application/xhtml")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;

    fn found(inner: &str) -> usize {
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\">{inner}</svg>"
        );
        findings_of("svg_script", &[holding(Kind::Svg, svg.as_bytes())]).len()
    }

    #[test]
    fn what_runs_is_found_and_drawings_are_not() {
        for inner in [
            "<script>/*test*/</script>",
            "<svg:script xlink:href=\"a.js\"/>",
            "<rect onclick=\"x()\"/>",
            "<a xlink:href=\"&#106;avascript:x()\"><rect/></a>",
            "<foreignObject><iframe src=\"https://example.invalid/\"/></foreignObject>",
            "<image href=\"data:text/html;base64,PGh0bWw+\"/>",
            "<set attributeName=\"href\" to=\"java\tscript:x()\"/>",
        ] {
            assert_eq!(found(inner), 1, "{inner}");
        }
        for inner in [
            "<style>.a{fill:red}</style><path d=\"M0 0\"/>",
            "<a href=\"https://www.example.com/\"><text>the &lt;script&gt; tag</text></a>",
            "<foreignObject><div>label</div></foreignObject>",
            "<image href=\"data:image/png;base64,iVBORw0KGgo=\"/>",
            "<animate attributeName=\"x\" values=\"0;1\" begin=\"0s\"/>",
        ] {
            assert_eq!(found(inner), 0, "{inner}");
        }
    }
}
