//! The text of [`super::Workbook::source`], read again line by line.

use super::formula::{Address, Formula, Node};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<'t> {
    /// A sheet, in words.
    Remark(&'t str),
    /// A defined name and its formula.
    Name {
        /// The name.
        name: &'t str,
        /// Its formula without equals sign.
        formula: &'t str,
    },
    /// A cell and what stands in it.
    Cell {
        /// Where it is, as written.
        place: &'t str,
        /// Where it is.
        address: Address,
        /// A formula with its equals sign, or a constant.
        content: &'t str,
    },
}

/// Excel 4 macros as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source<'t> {
    /// Lines with their offsets in bytes.
    pub lines: Vec<(usize, Line<'t>)>,
}

impl<'t> Source<'t> {
    /// Reads the text. Lines that are none of the three kinds are left out.
    pub fn read(text: &'t str) -> Self {
        let mut lines = Vec::new();
        let mut at = 0usize;
        for line in text.split('\n') {
            if let Some(parsed) = parse(line) {
                lines.push((at, parsed));
            }
            at = at.saturating_add(line.len()).saturating_add(1);
        }
        Self { lines }
    }

    /// Cells that hold formulas.
    pub fn formulas(&self) -> usize {
        let formula = |line: &&(usize, Line<'_>)| matches!(&line.1, Line::Cell { content, .. } if content.starts_with('='));
        self.lines.iter().filter(formula).count()
    }
}

fn parse(line: &str) -> Option<Line<'_>> {
    let Some((place, content)) = line.split_once('\t') else {
        return line.strip_prefix("' ").map(Line::Remark);
    };
    let formula = content.strip_prefix('=');
    if let Some(address) = address(place) {
        return Some(Line::Cell {
            place,
            address,
            content,
        });
    }
    formula.map(|formula| Line::Name {
        name: place,
        formula,
    })
}

fn address(place: &str) -> Option<Address> {
    if !place.contains('!') {
        return None;
    }
    let formula = Formula::read(place);
    match formula.nodes() {
        [Node::Cell(address)] => Some(address.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cell, Content, DefinedName, Sheet, SheetKind, Visibility, Workbook};
    use super::*;

    #[test]
    fn what_a_workbook_writes_is_read_again() {
        let cell = |row, content| Cell {
            row,
            column: 1,
            content,
        };
        let book = Workbook {
            sheets: vec![Sheet {
                name: "it's\ta".to_owned(),
                kind: SheetKind::Macro,
                visibility: Visibility::VeryHidden,
                cells: vec![
                    cell(0, Content::Formula("HALT()".to_owned())),
                    cell(1, Content::Text("a\"\nb".to_owned())),
                    cell(2, Content::Number(1.5)),
                ],
            }],
            names: vec![DefinedName {
                name: "Auto_Open".to_owned(),
                formula: "'it''s a'!$B$1".to_owned(),
                ..DefinedName::default()
            }],
            ..Workbook::default()
        };
        let text = book.source();
        let source = Source::read(&text);
        assert_eq!(source.formulas(), 1);
        let [
            (0, Line::Remark(remark)),
            (_, Line::Name { name, .. }),
            (_, Line::Cell { address, .. }),
            (_, Line::Cell { content, .. }),
            _,
        ] = source.lines.as_slice()
        else {
            panic!("{text}");
        };
        assert_eq!(*remark, "macro sheet, very hidden: it's a");
        assert_eq!(*name, "Auto_Open");
        assert_eq!(
            (address.sheet.as_deref(), address.row, address.column),
            (Some("it's a"), 0, 1)
        );
        assert_eq!(*content, "\"a\"\"\"&CHAR(10)&\"b\"");
    }
}
