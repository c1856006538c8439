//! Codes that a page paints without an element for each square: by shadows of a box (CSS Backgrounds 3, 4.6 "Drop
//! Shadows"), by gradients with hard stops (CSS Images 3, 3.4 "Color Stop Lists"), by a script on a canvas (HTML Standard,
//! 4.12.5.1.9 "Drawing rectangles").
//!
//! Only numbers that stand there are taken; what a script counts is not.

use super::{Drawing, css_dark};

/// Squares of one page at the most.
const SQUARES: usize = 40_000;

/// Squares of the smallest code, at least.
const LEAST: usize = 100;

/// Rows of the smallest code, and of the largest.
const ROWS: std::ops::RangeInclusive<usize> = 21..=400;

/// What stands in front of each way to paint.
pub const MARKS: &[&str] = &["box-shadow", "fillRect(", "linear-gradient("];

/// The drawings of a page.
pub fn drawings(source: &str) -> Vec<Drawing> {
    let found = [shadows(source), rectangles(source), gradients(source)];
    found.into_iter().flatten().collect()
}

/// Shadows without blur: each is a square as large as the box.
fn shadows(source: &str) -> Option<Drawing> {
    let values = source.split("box-shadow").skip(1);
    let value = values
        .map(|behind| {
            let end = behind.find([';', '}', '"', '\'']);
            behind
                .get(..end.unwrap_or(behind.len()))
                .unwrap_or_default()
        })
        .max_by_key(|value| value.len())?;
    let value = value.trim_start().trim_start_matches(':');
    let mut squares: Vec<(f64, f64, bool)> = Vec::new();
    for shadow in value.split(',').take(SQUARES) {
        let mut words = shadow.split_ascii_whitespace();
        let lengths: Vec<f64> = words.clone().filter_map(length).take(2).collect();
        let [x, y] = lengths.as_slice() else {
            continue;
        };
        let colour = words.find(|word| length(word).is_none());
        squares.push((*x, *y, colour.and_then(css_dark).unwrap_or(true)));
    }
    if squares.len() < LEAST {
        return None;
    }
    let mut columns: Vec<f64> = squares.iter().map(|(x, ..)| *x).collect();
    columns.sort_by(f64::total_cmp);
    let steps = columns.windows(2).filter_map(|pair| match pair {
        [from, to] if to - from > 0.2 => Some(to - from),
        _ => None,
    });
    let side = steps.min_by(f64::total_cmp)?;
    let mut drawing = Drawing::default();
    for (x, y, dark) in squares {
        drawing.rectangle((x, y), side, side, dark);
    }
    Some(drawing)
}

/// Rectangles that a script fills one by one.
fn rectangles(source: &str) -> Option<Drawing> {
    const STYLE: &str = "fillStyle";
    let mut drawing = Drawing::default();
    let mut filled = 0usize;
    let mut dark = true;
    let mut parts = source.split("fillRect(");
    let mut before = parts.next()?;
    for call in parts.take(SQUARES) {
        if let Some((_, style)) = before.rsplit_once(STYLE) {
            let colour = style.split(['"', '\'', '`']).nth(1);
            dark = colour.and_then(css_dark).unwrap_or(true);
        }
        before = call;
        let inner = call.split(')').next().unwrap_or_default();
        let numbers: Vec<f64> = inner
            .split(',')
            .map_while(|number| number.trim().parse().ok())
            .collect();
        if let [x, y, width, height] = numbers.as_slice() {
            drawing.rectangle((*x, *y), *width, *height, dark);
            filled = filled.saturating_add(1);
        }
    }
    (filled >= LEAST).then_some(drawing)
}

/// Rows of gradients, each one row of modules, from the top.
fn gradients(source: &str) -> Option<Drawing> {
    let mut rows: Vec<Vec<(f64, f64, bool)>> = Vec::new();
    for gradient in source.split("linear-gradient(").skip(1).take(SQUARES) {
        let mut row = Vec::new();
        let mut from = 0.0;
        for stop in stops(gradient) {
            let mut words = stop.split_ascii_whitespace();
            let colour = words.next().and_then(css_dark);
            let ends: Vec<f64> = words.filter_map(length).collect();
            let (Some(dark), Some(to)) = (colour, ends.last()) else {
                continue;
            };
            let start = if ends.len() > 1 {
                ends.first().copied().unwrap_or(from)
            } else {
                from
            };
            if *to > start {
                row.push((start, *to, dark));
            }
            from = *to;
        }
        if row.len() > 2 {
            rows.push(row);
        }
    }
    if !ROWS.contains(&rows.len()) {
        return None;
    }
    let widths = rows.iter().flatten().map(|(from, to, _)| to - from);
    let side = widths.filter(|width| *width > 0.2).min_by(f64::total_cmp)?;
    let mut drawing = Drawing::default();
    let mut top = 0.0;
    for row in rows {
        for (from, to, dark) in row {
            // A square for each module: runs of several look like no module of their own.
            let mut x = from;
            while x + side / 2.0 < to && !drawing.is_full() {
                drawing.rectangle((x, top), side, side, dark);
                x += side;
            }
        }
        top += side;
    }
    Some(drawing)
}

/// The stops of a gradient: what stands between its commas outside of brackets, up to its end.
fn stops(gradient: &str) -> Vec<&str> {
    /// Stops of one gradient at the most: one or two for each module of a row.
    const STOPS: usize = 800;
    let mut found = Vec::new();
    let (mut depth, mut start) = (0usize, 0usize);
    for (at, byte) in gradient.bytes().enumerate() {
        match byte {
            b'(' => depth = depth.saturating_add(1),
            b')' if depth > 0 => depth = depth.saturating_sub(1),
            b')' | b',' if depth == 0 => {
                found.push(gradient.get(start..at).unwrap_or_default());
                start = at.saturating_add(1);
                if byte == b')' || found.len() >= STOPS {
                    return found;
                }
            }
            b'<' | b'{' => return found,
            _ => {}
        }
    }
    found
}

/// A length in any unit.
fn length(word: &str) -> Option<f64> {
    let number = word.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SAYS, modules, read};
    use super::*;

    #[test]
    fn what_shadows_calls_and_gradients_paint_is_read() {
        let shadows: Vec<String> = modules()
            .iter()
            .map(|(x, y)| format!("{}px {}px #000", x * 4, y * 4))
            .collect();
        let page = format!(
            "<p style=\"width:4px;height:4px;box-shadow:{}\">",
            shadows.join(",")
        );
        assert_eq!(read(&drawings(&page)[0]), [SAYS]);
        let calls: String = modules()
            .iter()
            .map(|(x, y)| format!("g.fillRect({},{},4,4);", x * 4, y * 4))
            .collect();
        assert_eq!(
            read(&drawings(&format!("<script>{calls}</script>"))[0]),
            [SAYS]
        );
        let side = modules().iter().map(|(_, y)| *y).max().unwrap();
        let rows: String = (0..=side)
            .map(|row| {
                let stops: Vec<String> = (0..=side)
                    .map(|column| {
                        let dark = modules().contains(&(column, row));
                        let colour = if dark { "#000" } else { "rgb(255, 255, 255)" };
                        format!("{colour} {}px {}px", column * 4, column * 4 + 4)
                    })
                    .collect();
                format!(
                    "<p style='background:linear-gradient(90deg,{})'>",
                    stops.join(",")
                )
            })
            .collect();
        assert_eq!(read(&drawings(&rows)[0]), [SAYS]);
    }

    #[test]
    fn a_few_shadows_and_gradients_of_a_page_draw_nothing() {
        let page = "<style>.a{box-shadow:0 1px 2px #000,0 2px 4px #888}.b{background:linear-gradient(90deg,#fff 0%,#000 100%)}</style><script>g.fillRect(0,0,9,9)</script>";
        assert!(drawings(page).is_empty());
        assert!(drawings("box-shadow linear-gradient( fillRect(").is_empty());
    }
}
