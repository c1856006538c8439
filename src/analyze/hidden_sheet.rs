//! Sheets of a workbook that are not shown.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::model::{Fact, Hiding};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "hidden_sheet",
    kinds: &[],
    sees: Sees::Content,
    findings: &["hidden-sheet"],
    run,
};

/// Reports `hidden-sheet` once, with the names of the sheets; those that no menu shows come first.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let names = |wanted: Hiding| {
        let names = look
            .artifact
            .facts
            .iter()
            .filter_map(move |fact| match fact {
                Fact::HiddenSheet { name, how } if *how == wanted => Some(name.as_str()),
                _ => None,
            });
        names.collect::<Vec<_>>()
    };
    let (very, hidden) = (names(Hiding::VeryHidden), names(Hiding::Hidden));
    let groups = [("very hidden", very), ("hidden", hidden)];
    let told: Vec<String> = groups
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(how, names)| format!("{how}: {}", names.join(", ")))
        .collect();
    if !told.is_empty() {
        findings.report(Found::new("hidden-sheet", &told.join("; ")));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;
    use crate::model::Kind;

    #[test]
    fn hidden_sheets_are_told_once_with_their_names() {
        let mut book = testing::holding(Kind::Xls, b"");
        assert!(testing::run(run, &[book.clone()]).0.is_empty());
        for (name, how) in [
            ("list", Hiding::Hidden),
            ("Macro1", Hiding::VeryHidden),
            ("b", Hiding::Hidden),
        ] {
            book.facts.push(Fact::HiddenSheet {
                name: name.to_owned(),
                how,
            });
        }
        let (found, _) = testing::run(run, &[book]);
        let [found] = found.as_slice() else {
            panic!("one finding")
        };
        assert_eq!(found.evidence.text, "very hidden: Macro1; hidden: list, b");
    }
}
