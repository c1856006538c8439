//! Excel 4 macros: what they call, worked out as far as it is constant, and what makes them start by themselves.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::xlm::{Line, Source, fold};
use crate::model::Kind;
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "xlm",
    kinds: &[Kind::XlmSource],
    sees: Sees::Content,
    findings: &["xlm-macro", "xlm-autoexec", "sylk-macro"],
    run,
};

/// Harmless calls that are shown.
const SHOWN: usize = 4;

/// Reports `xlm-macro` or `sylk-macro`, and `xlm-autoexec`.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let known = &look.knowledge.xlm;
    let source = String::from_utf8_lossy(&look.artifact.data);
    let source = Source::read(&source);
    let sylk = look
        .parent()
        .is_some_and(|parent| parent.reads_as(Kind::Sylk));
    let macros = |evidence: &str| {
        // Both are named here so that the catalogue's variants of both are looked for.
        if sylk {
            Found::new("sylk-macro", evidence)
        } else {
            Found::new("xlm-macro", evidence)
        }
    };
    let folded = fold(&source, &|function| known.is_worth_showing(function));
    let (mut dangerous, mut shown) = (false, 0usize);
    for call in &folded.calls {
        let is_dangerous = known.is_dangerous(&call.function, &call.arguments);
        dangerous |= is_dangerous;
        if !is_dangerous && shown >= SHOWN {
            continue;
        }
        let mut found = macros(&format!("{}: ={}", call.place, call.formula)).at(call.offset);
        if call.call != call.formula {
            found = found.decoded(&call.call);
        }
        if is_dangerous {
            found = found.variant("dangerous-call");
        } else {
            shown = shown.saturating_add(1);
        }
        findings.report(found);
    }
    if !dangerous
        && shown == 0
        && let Some((offset, evidence)) = present(&source)
    {
        findings.report(macros(&evidence).at(offset));
    }
    for (offset, line) in &source.lines {
        if let Line::Name { name, formula } = line
            && known.starts_by_itself(&plain(name))
        {
            findings.report(Found::new("xlm-autoexec", &format!("{name} ={formula}")).at(*offset));
        }
    }
}

/// What shows that there are macros, where none of their calls is worth showing: a formula, else the sheet for them.
fn present(source: &Source<'_>) -> Option<(usize, String)> {
    let first = source.lines.iter().find_map(|(offset, line)| match line {
        Line::Cell { place, content, .. } if content.starts_with('=') => {
            Some((*offset, format!("{place}: {content}")))
        }
        Line::Cell { .. } | Line::Name { .. } | Line::Remark(_) => None,
    });
    let sheet = source.lines.iter().find_map(|(offset, line)| match line {
        Line::Remark(remark) if remark.starts_with("macro sheet") => Some((*offset, *remark)),
        Line::Cell { .. } | Line::Name { .. } | Line::Remark(_) => None,
    });
    match (first, sheet?) {
        (Some((offset, formula)), _) => Some((
            offset,
            format!("{} formulas, such as {formula}", source.formulas()),
        )),
        (None, (offset, sheet)) => Some((offset, format!("{sheet}, without formulas"))),
    }
}

/// A name as Excel compares it: lower case, without characters that do not show, full-width letters made plain.
fn plain(name: &str) -> String {
    let seen = name
        .chars()
        .filter(|c| !text::is_deceptive(*c) && !c.is_control() && !c.is_whitespace());
    let narrow = seen.map(|c| match c {
        '\u{ff01}'..='\u{ff5e}' => u32::from(c)
            .checked_sub(0xfee0)
            .and_then(char::from_u32)
            .unwrap_or(c),
        c => c,
    });
    narrow.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;
    use crate::model::Severity;

    fn found(text: &str) -> Vec<(String, Severity, Option<String>)> {
        let (found, _) = testing::run(run, &[testing::holding(Kind::XlmSource, text.as_bytes())]);
        found
            .into_iter()
            .map(|one| (one.id.into_owned(), one.severity, one.evidence.decoded))
            .collect()
    }

    #[test]
    fn dangerous_calls_are_told_with_what_they_come_to() {
        let text = "' macro sheet: M\nM!A1\t=EXEC(\"calc\"&CHAR(46)&\"exe\")\n";
        let decoded = Some("EXEC(\"calc.exe\")".to_owned());
        assert_eq!(
            found(text),
            [("xlm-macro".to_owned(), Severity::Critical, decoded)]
        );
        let reading = "' macro sheet: M\nM!A1\t=FOPEN(\"a\",2)\n";
        assert_eq!(found(reading)[0].1, Severity::Medium);
        assert_eq!(
            found("' macro sheet: M\nM!A1\t=FOPEN(\"a\",3)\n")[0].1,
            Severity::Critical
        );
    }

    #[test]
    fn a_macro_sheet_is_told_even_empty_and_a_name_alone_only_where_it_is_dangerous() {
        assert_eq!(found("' macro sheet: M\n").len(), 1);
        assert_eq!(found("' sheet: S\nlist\t=GET.WORKBOOK(1)\n"), []);
        assert_eq!(found("' sheet: S\nlist\t=EXEC(\"a\")\n").len(), 1);
    }

    #[test]
    fn names_that_start_a_macro_are_found_however_they_are_written() {
        for name in [
            "Auto_Open",
            "AUTO_OPEN.x",
            "Au\u{200b}to_Close",
            "Au\u{0}to_Open",
            "Ａuto_Activate",
        ] {
            let text = format!("' macro sheet: M\n{name}\t=M!A1\n");
            assert!(
                found(&text).iter().any(|(id, ..)| id == "xlm-autoexec"),
                "{name}"
            );
        }
        let text = "' macro sheet: M\nAutoOpen\t=M!A1\nmy_Auto_Open\t=M!A1\n";
        assert!(!found(text).iter().any(|(id, ..)| id == "xlm-autoexec"));
    }
}
