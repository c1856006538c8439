//! SYLK, the symbolic link format of Multiplan that Excel still opens ("SYLK File Format", Excel 4 documentation).
//!
//! Records are lines of fields behind semicolons; a doubled semicolon is one. Only what makes macros is read: the option
//! `E`, names (`NN`), cells (`C`) with expressions and values, and the format record's position; and what expressions ask
//! other programs for.

use crate::formats::remote_reference;
use crate::formats::xlm::{
    Cell, Content, DefinedName, Formula, Link, Sheet, SheetKind, Update, Visibility, Workbook,
};
use crate::limits::{Budget, Halt};
use crate::text;

/// Cells that are kept.
const CELLS: usize = 200_000;

/// Conversations with other programs that are kept.
const LINKS: usize = 64;

/// Reads a file. It is a macro sheet where its options say so; else its expressions are those of a plain sheet.
pub fn read(data: &[u8], budget: &Budget) -> Result<Workbook, Halt> {
    let text = text::to_utf8(data);
    let mut sheet = Sheet {
        name: "SYLK".to_owned(),
        ..Sheet::default()
    };
    let mut names = Vec::new();
    let mut links = Vec::new();
    let (mut row, mut column) = (0u32, 0u32);
    for line in text.split(['\n', '\r']) {
        budget.tick()?;
        let mut fields = fields(line.trim_start());
        let kind = fields.next().unwrap_or_default();
        let fields: Vec<String> = fields.collect();
        let field = |mark: char| fields.iter().find_map(|field| field.strip_prefix(mark));
        if let Some(expression) = field('E').filter(|expression| expression.contains('|'))
            && links.len() < LINKS
        {
            links.extend(conversations(expression));
        }
        match kind.to_ascii_uppercase().as_str() {
            "O" if fields.iter().any(|field| field.eq_ignore_ascii_case("E")) => {
                sheet.kind = SheetKind::Macro;
            }
            "NN" | "NE" => {
                if let (Some(name), Some(expression)) = (field('N'), field('E')) {
                    let formula = plain(expression, (0, 0));
                    names.push(DefinedName {
                        name: name.to_owned(),
                        formula,
                        visibility: Visibility::Visible,
                    });
                }
            }
            "C" | "F" => {
                let number = |mark| field(mark).and_then(|field| field.trim().parse::<u32>().ok());
                row = number('Y').map_or(row, |row| row.saturating_sub(1));
                column = number('X').map_or(column, |column| column.saturating_sub(1));
                let content = match (field('E'), field('K')) {
                    _ if !kind.eq_ignore_ascii_case("C") => None,
                    (Some(expression), _) => {
                        Some(Content::Formula(plain(expression, (row, column))))
                    }
                    (None, Some(value)) => Some(constant(value)),
                    (None, None) => None,
                };
                if let Some(content) = content.filter(|_| sheet.cells.len() < CELLS) {
                    sheet.cells.push(Cell {
                        row,
                        column,
                        content,
                    });
                }
            }
            _ => {}
        }
    }
    // Nobody names a cell of a plain sheet like this.
    let starts = |name: &DefinedName| name.name.to_ascii_lowercase().starts_with("auto_");
    if names.iter().any(starts) {
        sheet.kind = SheetKind::Macro;
    }
    Ok(Workbook {
        sheets: vec![sheet],
        names,
        links,
        ..Workbook::default()
    })
}

/// What an expression asks other programs for.
fn conversations(expression: &str) -> impl Iterator<Item = Link> {
    let found = remote_reference::find(expression).into_iter();
    found.map(|one| Link::Exchange {
        service: one.service,
        topic: one.topic,
        items: vec![(one.item, Update::Automatic)],
    })
}

/// The fields of a record, doubled semicolons made single.
fn fields(line: &str) -> impl Iterator<Item = String> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let mut text = rest?;
        let mut field = String::new();
        // Ends because every turn takes a semicolon or everything.
        loop {
            let Some((before, behind)) = text.split_once(';') else {
                field.push_str(text);
                rest = None;
                return Some(field);
            };
            field.push_str(before);
            let Some(behind) = behind.strip_prefix(';') else {
                rest = Some(behind);
                return Some(field);
            };
            field.push(';');
            text = behind;
        }
    })
}

/// An expression in R1C1 notation, written in A1 notation.
fn plain(expression: &str, (row, column): (u32, u32)) -> String {
    let formula = Formula::read_at(expression, row, column);
    formula
        .root()
        .map(|root| formula.text(root, 64 * 1024))
        .unwrap_or_default()
}

fn constant(value: &str) -> Content {
    if let Some(text) = value.strip_prefix('"') {
        return Content::Text(text.strip_suffix('"').unwrap_or(text).replace("\"\"", "\""));
    }
    match (value, value.trim().parse()) {
        ("TRUE", _) => Content::Logical(true),
        ("FALSE", _) => Content::Logical(false),
        (_, Ok(number)) => Content::Number(number),
        (_, Err(_)) => Content::Text(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn source(text: &str) -> (bool, String) {
        let book = read(text.as_bytes(), &Budget::new(Limits::default(), None)).unwrap();
        (book.has_macros(), book.source())
    }

    #[test]
    fn options_names_and_expressions_make_macros() {
        let text = "ID;PWXL;N;E\r\nO;L;E;D\r\nNN;NAuto_open;ER1C1\r\nC;Y1;X1;K0;EEXEC(R[1]C&\"a;;b\")\r\nC;Y2;K\"calc\"\r\nE\r\n";
        let wanted =
            "' macro sheet: SYLK\nAuto_open\t=A1\nSYLK!A1\t=EXEC(A2&\"a;b\")\nSYLK!A2\t\"calc\"\n";
        assert_eq!(source(text), (true, wanted.to_owned()));
    }

    #[test]
    fn what_an_expression_asks_another_program_for_is_a_link() {
        let links = |text: &str| {
            let budget = Budget::new(Limits::default(), None);
            read(text.as_bytes(), &budget).unwrap().links
        };
        let wanted = Link::Exchange {
            service: "cmd".to_owned(),
            topic: "/c calc".to_owned(),
            items: vec![("A0".to_owned(), Update::Automatic)],
        };
        assert_eq!(links("ID;P\nC;X1;Y1;K0;Ecmd|'/c calc'!A0\nE\n"), [wanted]);
        assert_eq!(
            links("ID;P\nC;X1;Y1;K\"cmd|'x'!a\";E\"cmd|'x'!a\"\nE\n"),
            []
        );
    }

    #[test]
    fn a_plain_table_has_none() {
        assert!(!source("ID;PWXL;N;E\nO;L;D\nC;Y1;X1;K1\nC;Y2;K2;ESUM(R1C1:R[-1]C)\nE\n").0);
    }
}
