//! What a PDF runs, starts, carries and hides.

use std::borrow::Cow;

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::knowledge::PdfLists;
use crate::model::{Artifact, Fact, IocType, Kind, PdfDeed};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "pdf",
    kinds: &[Kind::Pdf, Kind::Xml],
    sees: Sees::Place,
    findings: &[
        "pdf-javascript",
        "pdf-open-action",
        "pdf-launch",
        "pdf-embedded-file",
        "pdf-encrypted",
        "internet-shortcut",
    ],
    run,
};

/// How scripts of PDFs are unpacked.
const SCRIPT: &str = "pdf-javascript";

/// Bytes of a script that are searched.
const LONGEST: usize = 4 << 20;

/// What the other places of a script's document say of the pages that it opens.
#[derive(Clone, Copy)]
struct Pages {
    /// It waits for a click.
    clicked: bool,
    /// No script gives the variables of Adobe's forms a page of somebody else.
    updates: bool,
}

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    // What equal bytes hold is said at the first of them.
    if look.artifact.same_as.is_some() {
        return;
    }
    let updates = look
        .children()
        .iter()
        .filter(|child| child.via == Some(SCRIPT))
        .all(|child| own_updates(&code_of(child), &look.knowledge.pdf));
    for child in look.children() {
        match child.via {
            Some(SCRIPT) => script(look, child, updates, findings),
            Some("pdf-embedded-file") => {
                let name = match child.label() {
                    "" => child.kind.describe(),
                    name => name,
                };
                findings.report(Found::new("pdf-embedded-file", name));
            }
            _ => {}
        }
    }
    for fact in &look.artifact.facts {
        match fact {
            Fact::PdfAction { at, deed, target } => action(*at, *deed, target, findings),
            Fact::PdfEncrypted {
                scheme,
                opened: true,
            } => {
                findings.report(Found::new(
                    "pdf-encrypted",
                    &format!("{scheme}; opens without a password"),
                ));
            }
            Fact::PdfEncrypted {
                scheme,
                opened: false,
            } => {
                findings.report(Found::new("pdf-encrypted", scheme).variant("locked"));
            }
            _ => {}
        }
    }
}

fn action(at: usize, deed: PdfDeed, target: &str, findings: &mut Findings<'_>) {
    match deed {
        PdfDeed::Open => findings.report(Found::new("pdf-open-action", target).at(at)),
        PdfDeed::Launch if names_nothing(target) => {}
        PdfDeed::Launch => {
            let found = Found::new("pdf-launch", target).at(at);
            findings.report(if is_document_beside(target) {
                found.variant("document")
            } else {
                found
            });
        }
        // Form data that are opened open the document that they belong to.
        PdfDeed::Belongs => {
            findings.ioc(IocType::Url, target);
            findings.report(Found::new("internet-shortcut", &format!("F={target}")).at(at));
        }
        PdfDeed::Submit | PdfDeed::Uri => {
            if target.contains("://") {
                findings.ioc(IocType::Url, target);
            }
        }
    }
}

/// Whether a name is made of dots alone, as an ellipsis in an example of a manual is: no file has such a name.
fn names_nothing(target: &str) -> bool {
    !target.is_empty() && target.chars().all(|c| matches!(c, '.' | '\u{2026}'))
}

/// Whether what is opened is a PDF beside this one, as manuals of several files link each other: a name without a
/// folder above, a drive, an address or parameters.
fn is_document_beside(target: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    let name = target.strip_prefix("./").unwrap_or(target);
    let lower = name.to_ascii_lowercase();
    let stem = lower.strip_suffix(".pdf").unwrap_or_default();
    !stem.is_empty() && !stem.starts_with('/') && !stem.contains("..") && stem.chars().all(plain)
}

fn script(look: &Look<'_>, child: &Artifact, updates: bool, findings: &mut Findings<'_>) {
    let lists = &look.knowledge.pdf;
    let code = code_of(child);
    let traits = child.facts.iter().find_map(|fact| match fact {
        Fact::PdfScript { on_open, hidden } => Some((*on_open, hidden.as_str())),
        _ => None,
    });
    let (on_open, hidden) = traits.unwrap_or_default();
    let pages = Pages {
        clicked: !on_open,
        updates,
    };
    let deed = deed(&code, lists, pages).or_else(|| {
        // Equal scripts are unpacked once.
        let artifact = child
            .same_as
            .and_then(|id| look.tree.get(crate::bytes::index(id)));
        let own = Look {
            artifact: artifact.unwrap_or(child),
            ..*look
        };
        own.children()
            .iter()
            .filter(|inner| inner.kind == Kind::Js)
            .find_map(|inner| pieced_deed(&code, inner, lists, pages))
    });
    let shown = match &deed {
        Some(deed) => deed.clone(),
        None => code.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    let mut found = Found::new("pdf-javascript", &shown);
    if let Some(at) = &child.at {
        found = found.at(at.start);
    }
    let variant = if deed.is_some() {
        Some("dangerous-call")
    } else if !hidden.is_empty() {
        found = found.decoded(&format!("/{hidden} is written with #xx codes"));
        Some("hidden-name")
    } else if on_open {
        Some("runs-on-open")
    } else {
        None
    };
    findings.report(match variant {
        Some(variant) => found.variant(variant),
        None => found,
    });
}

/// The text of a script, as far as it is searched.
fn code_of(script: &Artifact) -> Cow<'_, str> {
    let data = script.data.get(..LONGEST).unwrap_or(&script.data);
    String::from_utf8_lossy(data)
}

/// Whether the variables in which Adobe's forms keep the page of a newer viewer get no other page in a script.
fn own_updates(code: &str, lists: &PdfLists) -> bool {
    let own = |value: &str| {
        let page = value.trim_start().trim_start_matches(['"', '\'']);
        lists
            .update_pages
            .iter()
            .any(|own| page.starts_with(own.as_str()))
    };
    lists.updates.iter().all(|name| {
        let mut places = code.match_indices(name.as_str());
        places.all(|(at, name)| {
            let rest = code
                .get(at.saturating_add(name.len())..)
                .unwrap_or_default();
            let rest = rest.trim_start();
            match rest.strip_prefix('=') {
                Some(value) => value.starts_with('=') || own(value),
                None => !rest.starts_with("+="),
            }
        })
    })
}

/// Whether what stands behind the name of the call that opens a page makes it a link, or the offer of a newer viewer
/// that Adobe's own forms make.
fn is_link(rest: &str, lists: &PdfLists, pages: Pages) -> bool {
    let Some(page) = rest.trim_start().strip_prefix('(').map(str::trim_start) else {
        return false;
    };
    let literal = page.strip_prefix(['"', '\'']).is_some_and(|page| {
        ["http://", "https://"].iter().any(|scheme| {
            page.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })
    });
    let update = || {
        lists
            .updates
            .iter()
            .any(|name| page.starts_with(name.as_str()))
    };
    pages.clicked && literal || pages.updates && update()
}

/// The call of a script whose name is put together, as its folded text shows: one that acts, or that runs text as code.
fn pieced_deed(code: &str, folded: &Artifact, lists: &PdfLists, pages: Pages) -> Option<String> {
    let folded = code_of(folded);
    deed(&folded, lists, pages).or_else(|| {
        let call = lists
            .runs_by_name
            .iter()
            .find(|call| folded.contains(call.as_str()) && !code.contains(call.as_str()))?;
        let at = folded.find(call.as_str())?;
        let end = folded.floor_char_boundary(at.saturating_add(120).min(folded.len()));
        folded.get(at..end).map(str::to_owned)
    })
}

/// The call of a script that makes it dangerous, with its surroundings.
fn deed(code: &str, lists: &PdfLists, pages: Pages) -> Option<String> {
    let lower = code.to_ascii_lowercase();
    let first = |list: &[String]| {
        list.iter()
            .filter_map(|word| lower.find(&word.to_ascii_lowercase()))
            .min()
    };
    let acts = lists.acts.iter().filter_map(|word| {
        let sought = word.to_ascii_lowercase();
        let mut places = lower.match_indices(&sought).map(|(at, _)| at);
        places.find(|at| {
            let rest = code.get(at.saturating_add(word.len())..);
            *word != lists.opens_page || !is_link(rest.unwrap_or_default(), lists, pages)
        })
    });
    let at = acts.min().or_else(|| first(&lists.abused)).or_else(|| {
        let runs = first(&lists.runs)?;
        first(&lists.decodes).map(|_| runs)
    })?;
    let end = code.floor_char_boundary(at.saturating_add(160).min(code.len()));
    let start = code.floor_char_boundary(at.saturating_sub(40));
    let around = code.get(start..end)?;
    Some(around.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Knowledge;

    #[test]
    fn an_ellipsis_is_no_file_to_open() {
        assert!(names_nothing("...") && names_nothing("\u{2026}"));
        assert!(!names_nothing("") && !names_nothing("..\\a.exe") && !names_nothing("a"));
    }

    #[test]
    fn scripts_that_act_are_told_from_those_that_calculate() {
        let knowledge = Knowledge::embedded().unwrap();
        let pages = Pages {
            clicked: false,
            updates: true,
        };
        let acts = |code: &str| deed(code, &knowledge.pdf, pages).is_some();
        assert!(acts("this.exportDataObject({ cName: \"a\", nLaunch: 2 })"));
        assert!(acts("var s = unescape('%61'); eval(s)"));
        assert!(!acts("AFNumber_Format(2, 0, 0, 0, '', true);"));
        assert!(!acts("var a = eval('1+1')"));
        assert!(!acts("event.value = this.getField('a').value * 2;"));
    }

    #[test]
    fn pages_behind_a_click_and_newer_viewers_are_links() {
        let lists = Knowledge::embedded().unwrap().pdf;
        let acts =
            |code: &str, clicked, updates| deed(code, &lists, Pages { clicked, updates }).is_some();
        let literal = "app.launchURL( \"https://www.example.com/help\", true);";
        assert!(!acts(literal, true, true));
        assert!(acts(literal, false, true));
        assert!(acts("app.launchURL(page, true);", true, true));
        assert!(acts("app.launchURL('file:///c/a.exe');", true, true));
        assert!(acts(&format!("{literal} app.launchURL(b);"), true, true));
        let newer = "app.launchURL(ADBE.Viewer_Value_New_Version_URL + ADBE.SYSINFO, true);";
        assert!(!acts(newer, false, true));
        assert!(acts(newer, false, false));
        let own = |code: &str| own_updates(code, &lists);
        assert!(own(
            "ADBE.Viewer_Value_New_Version_URL = \"http://cgi.adobe.com/special\";"
        ));
        assert!(own(newer));
        assert!(own("if (ADBE.Viewer_Value_New_Version_URL == x) y();"));
        assert!(!own(
            "ADBE.Viewer_Value_New_Version_URL='http://www.example.com/';"
        ));
        assert!(!own("ADBE.Viewer_Value_New_Version_URL += x"));
    }
}
