//! Tables of a web page whose cells are the modules of a code: coloured cells (HTML Standard, 4.9; `bgcolor` and styles).

use std::collections::BTreeMap;

use super::{Drawing, css_dark, property};
use crate::formats::html::{self, Tag};

/// Tags that are read.
const TAGS: usize = 200_000;

/// Cells in a row of the smallest code.
const LEAST: usize = 21;

/// Tables of one page at the most.
const TABLES: usize = 8;

/// Columns that one cell may take.
const WIDEST: usize = 400;

/// Tables that may be a code, each by itself.
pub fn drawings(source: &str) -> Vec<Drawing> {
    let mut found = Vec::new();
    let mut table = Table::default();
    let classes = classes(source);
    let ink = |tag: &Tag<'_>| ink(tag, &classes);
    for tag in html::tags(source).take(TAGS) {
        match tag.name.as_ref() {
            "table" => {
                found.extend(std::mem::take(&mut table).drawn());
                table.dark = ink(&tag);
            }
            "tr" => table.row(ink(&tag)),
            "td" | "th" => table.cell(&tag, ink(&tag)),
            _ => {}
        }
        if found.len() >= TABLES {
            break;
        }
    }
    found.extend(table.drawn());
    found
}

/// A code out of other coloured elements: boxes in rows, each row an element of its own, or boxes that say where they lie
/// (CSS 2, 9.3.2 "Box offsets").
pub fn boxes(source: &str) -> Option<Drawing> {
    let classes = classes(source);
    let mut table = Table::default();
    let mut placed = Drawing::default();
    let mut places = 0usize;
    for tag in html::tags(source).take(TAGS) {
        let coloured = ink(&tag, &classes);
        match (tag.name.as_ref(), coloured) {
            ("div" | "span" | "i" | "b" | "p" | "li", Some(dark)) => {
                let style = tag.attribute("style").unwrap_or_default();
                let of = |name| property(&style, &[name]).and_then(pixels);
                if let (Some(x), Some(y), Some(width), Some(height)) =
                    (of("left"), of("top"), of("width"), of("height"))
                {
                    placed.rectangle((x, y), width, height, dark);
                    places = places.saturating_add(1);
                } else {
                    table.cell(&tag, Some(dark));
                }
            }
            ("div" | "p" | "li" | "br", None) => table.row(None),
            _ => {}
        }
    }
    if places >= LEAST.saturating_mul(4) {
        return Some(placed);
    }
    table.drawn()
}

/// A length in CSS without its unit.
fn pixels(value: &str) -> Option<f64> {
    value
        .trim_end_matches(|c: char| c.is_ascii_alphabetic())
        .parse()
        .ok()
}

const BACKGROUND: &[&str] = &["background-color", "background"];

/// Rules of style sheets that are read.
const RULES: usize = 1024;

/// Which classes have a background, and whether it is dark: rules of one class (CSS Syntax 3, 5.4.3; Selectors 4, 6.6).
fn classes(source: &str) -> BTreeMap<&str, bool> {
    let mut found = BTreeMap::new();
    let rules = source.split('{').zip(source.split('{').skip(1));
    for (before, behind) in rules.take(RULES) {
        let selectors = before.rsplit(['}', '>', ';']).next().unwrap_or_default();
        let body = behind.split('}').next().unwrap_or_default();
        let Some(dark) = property(body, BACKGROUND).and_then(css_dark) else {
            continue;
        };
        for selector in selectors.split(',') {
            if let Some((_, class)) = selector.trim().rsplit_once('.') {
                found.insert(class, dark);
            }
        }
    }
    found
}

/// Whether an element's background is dark.
fn ink(tag: &Tag<'_>, classes: &BTreeMap<&str, bool>) -> Option<bool> {
    let style = tag.attribute("style").unwrap_or_default();
    let colour = match property(&style, BACKGROUND) {
        Some(colour) => css_dark(colour),
        None => tag
            .attribute("bgcolor")
            .and_then(|colour| css_dark(&colour)),
    };
    if colour.is_some() || classes.is_empty() {
        return colour;
    }
    let names = tag.attribute("class")?;
    names
        .split_ascii_whitespace()
        .filter_map(|name| classes.get(name).copied())
        .next_back()
}

#[derive(Default)]
struct Table {
    drawing: Drawing,
    /// Of the table, and of the row at hand.
    dark: Option<bool>,
    row_dark: Option<bool>,
    rows: usize,
    column: usize,
    widest: usize,
    coloured: usize,
}

impl Table {
    fn row(&mut self, dark: Option<bool>) {
        self.rows = self.rows.saturating_add(1);
        self.column = 0;
        self.row_dark = dark;
    }

    fn cell(&mut self, tag: &Tag<'_>, own: Option<bool>) {
        let span = tag
            .attribute("colspan")
            .and_then(|value| value.trim().parse().ok());
        let span: usize = span.unwrap_or(1).clamp(1, WIDEST);
        if let Some(dark) = own.or(self.row_dark).or(self.dark) {
            self.coloured = self.coloured.saturating_add(1);
            for one in self.column..self.column.saturating_add(span) {
                let corner = (super::middle(one), super::middle(self.rows));
                self.drawing.rectangle(corner, 1.0, 1.0, dark);
            }
        }
        self.column = self.column.saturating_add(span);
        self.widest = self.widest.max(self.column);
    }

    fn drawn(self) -> Option<Drawing> {
        let large =
            self.rows >= LEAST && self.widest >= LEAST && self.coloured >= LEAST.saturating_mul(4);
        large.then_some(self.drawing)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{CODE, SAYS, modules, read};
    use super::*;

    fn of(cell: impl Fn(bool) -> String) -> Vec<String> {
        let rows: String = CODE
            .lines()
            .map(|row| {
                let cells: String = row.chars().map(|c| cell(c == '#')).collect();
                format!("<tr>{cells}</tr>")
            })
            .collect();
        let page =
            format!("<table><tr><td>Scan me</td></tr></table><table cellspacing=0>{rows}</table>");
        drawings(&page).iter().flat_map(read).collect()
    }

    #[test]
    fn coloured_cells_are_modules() {
        let styled = |dark| match dark {
            true => "<td style=\"width:4px;height:4px;background-color:#000000\"></td>".to_owned(),
            false => "<td style=\"background: #fff\"></td>".to_owned(),
        };
        assert_eq!(of(styled), [SAYS]);
        let attribute = |dark| match dark {
            true => "<td bgcolor=black width=4>".to_owned(),
            false => "<td>".to_owned(),
        };
        assert_eq!(of(attribute), [SAYS]);
        assert!(of(|_| "<td>1</td>".to_owned()).is_empty());
        let sheet = "<style>td.b, .c { background:#000 } .w{background-color:#fff}</style>";
        let page = |dark: &str, light: &str| {
            let row = |row: &str| row.replace('#', dark).replace('.', light);
            let rows = CODE.lines().map(|line| format!("<tr>{}</tr>", row(line)));
            let rows: String = rows.collect();
            format!("{sheet}<table>{rows}</table>")
        };
        let read_all = |page: &str| drawings(page).iter().flat_map(read).collect::<Vec<_>>();
        assert_eq!(read_all(&page("<td class=b>", "<td class=w>")), [SAYS]);
        assert_eq!(read_all(&page("<td class='x c'>", "<td class=w>")), [SAYS]);
        assert!(read_all(&page("<td class=x>", "<td class=y>")).is_empty());
    }

    #[test]
    fn coloured_boxes_are_modules() {
        let of = |page: &str| boxes(page).iter().flat_map(read).collect::<Vec<_>>();
        let rows = |dark: &str, light: &str| -> String {
            let row = |row: &str| row.replace('#', dark).replace('.', light);
            let rows = CODE
                .lines()
                .map(|line| format!("<div class=row>{}</div>", row(line)));
            rows.collect()
        };
        let cell = |colour: &str| format!("<div style=\"width:4px;background:{colour}\"></div>");
        assert_eq!(of(&rows(&cell("black"), &cell("white"))), [SAYS]);
        let placed: String = modules()
            .iter()
            .map(|(x, y)| {
                format!(
                    "<div style=\"position:absolute;left:{}px;top:{}px;width:4px;height:4px;background:#000\"></div>",
                    x * 4,
                    y * 4
                )
            })
            .collect();
        assert_eq!(of(&placed), [SAYS]);
        let chart: String = (0..300)
            .map(|x| {
                format!(
                    "<div style=\"left:{x}px;top:0px;width:1px;height:9px;background:#000\"></div>"
                )
            })
            .collect();
        assert!(of(&chart).is_empty());
    }
}
