//! QR codes that the cells of a workbook draw by their colours (ECMA-376 part 1, 18.8.20: fills of the styles; 18.3.1.4:
//! cells): small squares of dark and light ones. Their texts become children, as those of pictures do.
//!
//! Parts are taken from the children that the reader of zips made. Colours of themes and conditional ones are left out but
//! for the theme's own black.

use std::collections::BTreeMap;

use crate::formats::drawing::{Drawing, is_dark_colour};
use crate::formats::xml::{self, Element};
use crate::model::{Artifact, Kind, Trouble};
use crate::text;

use super::{Nest, drawn_codes};

/// Kinds that are workbooks.
pub(super) const KINDS: &[Kind] = &[Kind::Xlsx, Kind::Xlsm, Kind::Xltx, Kind::Xltm, Kind::Xlam];

/// Bytes of a part that are read, and elements of it.
const LONGEST: usize = 4 << 20;
const ELEMENTS: usize = 200_000;

/// Sheets of one workbook that are looked at.
const SHEETS: usize = 16;

/// Dark cells of the smallest code, nearly.
const LEAST: usize = 150;

/// Columns and rows in which a code is looked for.
const EDGE: usize = 2048;

/// Pushes the texts of codes.
pub(super) fn run(_: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let part = |wanted: &str| {
        let mut children = nest.children.iter();
        children.find(|child| named(child).ends_with(wanted))
    };
    let Some(styles) = part("/styles.xml") else {
        return Ok(());
    };
    let styles = read(styles);
    let dark = dark_styles(&styles);
    // A workbook of reports has coloured headings; without any dark one there is no code.
    if !dark.values().any(|dark| *dark) {
        return Ok(());
    }
    let sheets = nest
        .children
        .iter()
        .filter(|child| named(child).contains("/worksheets/") && child.data.len() <= LONGEST);
    let sheets: Vec<Artifact> = sheets.take(SHEETS).cloned().collect();
    for sheet in &sheets {
        // The bytes are paid for, as the sheet is a child.
        nest.budget().check_time()?;
        if let Some(drawing) = drawing(&read(sheet), &dark) {
            drawn_codes::push(&drawing, nest)?;
        }
    }
    Ok(())
}

fn named(child: &Artifact) -> String {
    let name = child.name.as_ref().and_then(|name| name.readings.first());
    name.map_or_else(String::new, |name| {
        format!("/{}", name.to_ascii_lowercase().replace('\\', "/"))
    })
}

fn read(part: &Artifact) -> Vec<Element> {
    let data = part.data.get(..LONGEST).unwrap_or(&part.data);
    xml::elements(&text::to_utf8(data)).take(ELEMENTS).collect()
}

/// Which styles of cells have a fill, and whether it is dark.
fn dark_styles(elements: &[Element]) -> BTreeMap<usize, bool> {
    let mut fills: Vec<Option<bool>> = Vec::new();
    let mut styles = BTreeMap::new();
    let (mut in_fills, mut in_cells, mut solid) = (false, false, false);
    let mut next = 0usize;
    for element in elements {
        match element.name.as_str() {
            "fills" => in_fills = true,
            "borders" | "cellstylexfs" | "cellstyles" | "dxfs" => {
                (in_fills, in_cells) = (false, false);
            }
            "cellxfs" => (in_fills, in_cells) = (false, true),
            "fill" if in_fills => fills.push(None),
            "patternfill" if in_fills => {
                solid = element.attribute("patterntype") == Some("solid");
            }
            "fgcolor" if in_fills && solid => {
                if let Some(fill) = fills.last_mut() {
                    *fill = colour(element);
                }
            }
            "xf" if in_cells => {
                let number = element.attribute("fillid").and_then(|id| id.parse().ok());
                let fill = number.and_then(|id: usize| fills.get(id).copied().flatten());
                if let Some(dark) = fill {
                    styles.insert(next, dark);
                }
                next = next.saturating_add(1);
            }
            _ => {}
        }
    }
    styles
}

/// Whether a colour is dark: by its parts, by the first numbers of the palette, or the theme's colour of text.
fn colour(element: &Element) -> Option<bool> {
    if let Some(argb) = element.attribute("rgb") {
        let from = argb.len().checked_sub(6)?;
        return is_dark_colour(&format!("#{}", argb.get(from..)?));
    }
    if let Some(indexed) = element.attribute("indexed") {
        // Black, twice (18.8.27), and what the system writes text in.
        return Some(matches!(indexed, "0" | "8" | "64"));
    }
    let theme = element.attribute("theme")?;
    // 18.8.3: the first two are swapped: light and dark.
    Some(theme == "1")
}

/// What the cells draw, where enough of them are dark.
fn drawing(elements: &[Element], dark: &BTreeMap<usize, bool>) -> Option<Drawing> {
    let mut drawing = Drawing::default();
    let (mut row, mut column, mut count) = (0usize, 0usize, 0usize);
    for element in elements {
        match element.name.as_str() {
            "row" => {
                let number = element.attribute("r").and_then(|r| r.parse().ok());
                row = number.unwrap_or(row.saturating_add(1));
                column = 0;
            }
            "c" => {
                column = match element.attribute("r").and_then(place) {
                    Some(column) => column,
                    None => column.saturating_add(1),
                };
                let style = element.attribute("s").and_then(|s| s.parse().ok());
                let is_dark = style.and_then(|style: usize| dark.get(&style));
                if let Some(true) = is_dark
                    && row < EDGE
                    && column < EDGE
                {
                    drawing.cell(column, row);
                    count = count.saturating_add(1);
                }
            }
            _ => {}
        }
    }
    (count >= LEAST).then_some(drawing)
}

/// The column of a cell by its name: letters count from 1.
fn place(name: &str) -> Option<usize> {
    let letters = name.bytes().take_while(u8::is_ascii_alphabetic).take(4);
    let column = letters.fold(0usize, |sum, letter| {
        let value = letter.to_ascii_uppercase().saturating_sub(b'A' - 1);
        sum.saturating_mul(26).saturating_add(usize::from(value))
    });
    (column > 0).then_some(column)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{Child, Seen};
    use super::*;
    use crate::formats::drawing::tests::{CODE, SAYS, read as says};
    use crate::limits::{Budget, Limits};
    use crate::model::Name;

    const STYLES: &str = "<styleSheet><fills count=\"3\"><fill><patternFill patternType=\"none\"/></fill>\
        <fill><patternFill patternType=\"solid\"><fgColor rgb=\"FF000000\"/></patternFill></fill>\
        <fill><patternFill patternType=\"solid\"><fgColor rgb=\"FFFFFFFF\"/></patternFill></fill></fills>\
        <cellStyleXfs><xf fillId=\"1\"/></cellStyleXfs><cellXfs><xf fillId=\"0\"/><xf fillId=\"1\"/><xf fillId=\"2\"/></cellXfs></styleSheet>";

    fn column(number: usize) -> String {
        let letter = |number: usize| char::from(b'A' + u8::try_from(number).unwrap());
        match number / 26 {
            0 => letter(number).to_string(),
            high => format!("{}{}", letter(high - 1), letter(number % 26)),
        }
    }

    fn sheet(dark: usize) -> String {
        let rows = CODE.lines().enumerate().map(|(y, row)| {
            let cells = row.char_indices().map(|(x, module)| {
                let style = if module == '#' { dark } else { 2 };
                format!("<c r=\"{}{}\" s=\"{style}\"/>", column(x + 2), y + 3)
            });
            format!("<row r=\"{}\">{}</row>", y + 3, cells.collect::<String>())
        });
        format!(
            "<worksheet><sheetData>{}</sheetData></worksheet>",
            rows.collect::<String>()
        )
    }

    #[test]
    fn cells_are_modules_where_their_fill_is_dark() {
        let dark = dark_styles(&xml::elements(STYLES).collect::<Vec<_>>());
        assert_eq!(dark, BTreeMap::from([(1, true), (2, false)]));
        let drawn = |sheet: &str| drawing(&xml::elements(sheet).collect::<Vec<_>>(), &dark);
        let found = drawn(&sheet(1)).map(|drawing| says(&drawing));
        assert_eq!(found, Some(vec![SAYS.to_owned()]));
        assert!(drawn(&sheet(2)).is_none());
        assert_eq!(place("AB12"), Some(28));
    }

    #[test]
    fn sheets_are_paid_for_once() {
        let budget = Budget::new(Limits::default(), None);
        let book = Artifact::alone(Kind::Xlsx, Bytes::from_static(b"PK"));
        let opened = |dark: usize| {
            let mut seen = Seen::new();
            let mut nest = Nest::new(&budget, &mut seen, &book, 1);
            for (name, part) in [
                ("xl/styles.xml", STYLES.to_owned()),
                ("xl/worksheets/sheet1.xml", sheet(dark)),
            ] {
                let child = Child::new("zip-member", part.into_bytes()).named(Name::of(name));
                nest.push(child).unwrap();
            }
            let before = budget.unpacked_left();
            run(&book, &mut nest).unwrap();
            let spent = before - budget.unpacked_left();
            (nest.len(), spent)
        };
        assert_eq!(opened(1), (3, SAYS.len() as u64));
        assert_eq!(opened(2), (2, 0));
    }
}
