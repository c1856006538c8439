//! What a PDF runs, starts, carries and hides.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::knowledge::PdfLists;
use crate::model::{Artifact, Fact, IocType, Kind, PdfDeed};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "pdf",
    kinds: &[Kind::Pdf],
    sees: Sees::Place,
    findings: &[
        "pdf-javascript",
        "pdf-open-action",
        "pdf-launch",
        "pdf-embedded-file",
        "pdf-encrypted",
    ],
    run,
};

/// Bytes of a script that are searched.
const LONGEST: usize = 4 << 20;

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    // What equal bytes hold is said at the first of them.
    if look.artifact.same_as.is_some() {
        return;
    }
    for child in look.children() {
        match child.via {
            Some("pdf-javascript") => script(look, child, findings),
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
        PdfDeed::Launch => findings.report(Found::new("pdf-launch", target).at(at)),
        PdfDeed::Submit | PdfDeed::Uri => {
            if target.contains("://") {
                findings.ioc(IocType::Url, target);
            }
        }
    }
}

fn script(look: &Look<'_>, child: &Artifact, findings: &mut Findings<'_>) {
    let lists = &look.knowledge.pdf;
    let data = child.data.get(..LONGEST).unwrap_or(&child.data);
    let code = String::from_utf8_lossy(data);
    let traits = child.facts.iter().find_map(|fact| match fact {
        Fact::PdfScript { on_open, hidden } => Some((*on_open, hidden.as_str())),
        _ => None,
    });
    let (on_open, hidden) = traits.unwrap_or_default();
    let deed = deed(&code, lists).or_else(|| {
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
            .find_map(|inner| pieced_deed(&code, inner, lists))
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

/// The call of a script whose name is put together, as its folded text shows: one that acts, or that runs text as code.
fn pieced_deed(code: &str, folded: &Artifact, lists: &PdfLists) -> Option<String> {
    let data = folded.data.get(..LONGEST).unwrap_or(&folded.data);
    let folded = String::from_utf8_lossy(data);
    deed(&folded, lists).or_else(|| {
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
fn deed(code: &str, lists: &PdfLists) -> Option<String> {
    let lower = code.to_ascii_lowercase();
    let first = |list: &[String]| {
        list.iter()
            .filter_map(|word| lower.find(&word.to_ascii_lowercase()))
            .min()
    };
    let at = first(&lists.acts)
        .or_else(|| first(&lists.abused))
        .or_else(|| {
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
    fn scripts_that_act_are_told_from_those_that_calculate() {
        let knowledge = Knowledge::embedded().unwrap();
        let acts = |code: &str| deed(code, &knowledge.pdf).is_some();
        assert!(acts("this.exportDataObject({ cName: \"a\", nLaunch: 2 })"));
        assert!(acts("var s = unescape('%61'); eval(s)"));
        assert!(!acts("AFNumber_Format(2, 0, 0, 0, '', true);"));
        assert!(!acts("var a = eval('1+1')"));
        assert!(!acts("event.value = this.getField('a').value * 2;"));
    }
}
