//! Areas of an SVG picture (SVG 2, 9 "Paths" and 10 "Basic shapes"): rectangles, circles, polygons, paths, copies of them.
//!
//! An element's own moves and scales count, those of what stands around it are left out: a code is moved as a whole.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Drawing, Point, css_dark, property};
use crate::formats::html::{self, Tag};

/// Tags that are read.
const TAGS: usize = 200_000;

/// Steps of one path at the most.
const STEPS: usize = 400_000;

/// What the picture paints.
pub fn drawing(source: &str) -> Drawing {
    let mut drawing = Drawing::default();
    let mut named: BTreeMap<String, Vec<Vec<Point>>> = BTreeMap::new();
    for tag in html::tags(source).take(TAGS) {
        let Some(lines) = lines(&tag, &named) else {
            continue;
        };
        if let Some(id) = tag.attribute("id")
            && named.len() < 1000
        {
            named.insert(id.into_owned(), lines.clone());
        }
        let style = tag.attribute("style").unwrap_or_default();
        let paint = |name: &str| match property(&style, &[name]) {
            Some(value) => Some(Cow::Borrowed(value)),
            None => tag.attribute(name),
        };
        let dark = |colour: Cow<'_, str>| css_dark(&colour);
        let width = || paint("stroke-width").and_then(|value| length(&value));
        let lines = moved(&tag, lines);
        let scale = scale(&tag);
        let stroke = paint("stroke").and_then(dark);
        // A path of open lines is drawn by its stroke; its area is black where nothing is said.
        match (paint("fill"), stroke) {
            (None, Some(dark)) if tag.name == "path" => {
                drawing.stroke(&lines, width().unwrap_or(1.0) * scale, dark);
            }
            (fill, stroke) => {
                if let Some(dark) = fill.map_or(Some(true), dark) {
                    drawing.fill(lines, dark);
                } else if let Some(dark) = stroke {
                    drawing.stroke(&lines, width().unwrap_or(1.0) * scale, dark);
                }
            }
        }
        if drawing.is_full() {
            break;
        }
    }
    drawing
}

fn length(value: &str) -> Option<f64> {
    let value = value.trim();
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    digits.parse().ok()
}

fn rectangle(x: f64, y: f64, width: f64, height: f64) -> Vec<Vec<Point>> {
    vec![vec![
        (x, y),
        (x + width, y),
        (x + width, y + height),
        (x, y + height),
    ]]
}

/// The closed lines of an element.
fn lines(tag: &Tag<'_>, named: &BTreeMap<String, Vec<Vec<Point>>>) -> Option<Vec<Vec<Point>>> {
    let number = |name: &str| tag.attribute(name).and_then(|value| length(&value));
    let place = |name: &str| number(name).unwrap_or(0.0);
    Some(match tag.name.as_ref() {
        "rect" => rectangle(place("x"), place("y"), number("width")?, number("height")?),
        "circle" | "ellipse" => {
            let across = number("r").or_else(|| number("rx"))?;
            let down = number("r").or_else(|| number("ry"))?;
            let (x, y) = (place("cx"), place("cy"));
            rectangle(x - across, y - down, across * 2.0, down * 2.0)
        }
        "polygon" => {
            let numbers = numbers(&tag.attribute("points")?);
            let pairs = numbers.chunks_exact(2).filter_map(|pair| match pair {
                [x, y] => Some((*x, *y)),
                _ => None,
            });
            vec![pairs.collect()]
        }
        "path" => path(&tag.attribute("d")?),
        "use" => {
            let lines = named.get(tag.attribute("href")?.strip_prefix('#')?)?;
            let (x, y) = (place("x"), place("y"));
            shifted(lines.clone(), |point| (point.0 + x, point.1 + y))
        }
        _ => return None,
    })
}

fn shifted(lines: Vec<Vec<Point>>, to: impl Fn(Point) -> Point) -> Vec<Vec<Point>> {
    lines
        .into_iter()
        .map(|line| line.into_iter().map(&to).collect())
        .collect()
}

/// Lines after the element's own `transform`, as far as it moves and scales.
fn moved(tag: &Tag<'_>, lines: Vec<Vec<Point>>) -> Vec<Vec<Point>> {
    let Some(transform) = tag.attribute("transform") else {
        return lines;
    };
    let mut lines = lines;
    // The last one is nearest to the element.
    for step in transform
        .split(')')
        .take(16)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        let Some((name, values)) = step.split_once('(') else {
            continue;
        };
        let values = numbers(values);
        let name = name.trim_start_matches([',', ' ']).trim();
        lines = match (name, values.as_slice()) {
            ("translate", [x]) => shifted(lines, |point| (point.0 + x, point.1)),
            ("translate", [x, y]) => shifted(lines, |point| (point.0 + x, point.1 + y)),
            ("scale", [by]) => shifted(lines, |point| (point.0 * by, point.1 * by)),
            ("scale", [x, y]) => shifted(lines, |point| (point.0 * x, point.1 * y)),
            ("matrix", [a, b, c, d, e, f]) => {
                shifted(lines, |(x, y)| (a * x + c * y + e, b * x + d * y + f))
            }
            _ => lines,
        };
    }
    lines
}

/// How much larger an element's own `transform` makes its lines.
fn scale(tag: &Tag<'_>) -> f64 {
    let unit = moved(tag, vec![vec![(0.0, 0.0), (0.0, 1.0)]]);
    match unit.first().map(Vec::as_slice) {
        Some([from, to]) => (to.0 - from.0).hypot(to.1 - from.1),
        _ => 1.0,
    }
}

fn numbers(text: &str) -> Vec<f64> {
    let mut reader = Steps { rest: text };
    let mut found = Vec::new();
    while let Some(number) = reader.number()
        && found.len() < STEPS
    {
        found.push(number);
    }
    found
}

/// The lines of path data (9.3); of curves and arcs, the straight line to their end.
fn path(data: &str) -> Vec<Vec<Point>> {
    let mut steps = Steps { rest: data };
    let mut lines: Vec<Vec<Point>> = Vec::new();
    let mut at: Point = (0.0, 0.0);
    let mut start = at;
    let mut command = 'm';
    for _ in 0..STEPS {
        if let Some(next) = steps.command() {
            command = next;
            if command.eq_ignore_ascii_case(&'z') {
                at = start;
                if let Some(line) = lines.last_mut() {
                    line.push(start);
                }
                continue;
            }
        }
        let Some(target) = steps.target(command, at) else {
            break;
        };
        at = target;
        if command.eq_ignore_ascii_case(&'m') {
            start = at;
            lines.push(vec![at]);
            // What follows a move without a letter are lines.
            command = if command == 'm' { 'l' } else { 'L' };
        } else if let Some(line) = lines
            .last_mut()
            .filter(|line| line.last() != Some(&start) || line.len() < 3)
        {
            line.push(at);
        } else {
            // A line that was closed goes on from where it began.
            lines.push(vec![start, at]);
        }
    }
    lines
}

struct Steps<'a> {
    rest: &'a str,
}

impl Steps<'_> {
    fn blanks(&mut self) {
        self.rest = self
            .rest
            .trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    }

    fn command(&mut self) -> Option<char> {
        self.blanks();
        let first = self.rest.chars().next().filter(char::is_ascii_alphabetic)?;
        self.rest = self.rest.get(1..)?;
        Some(first)
    }

    /// One number; `0.5.5` are two, and so are `1-2`.
    fn number(&mut self) -> Option<f64> {
        self.blanks();
        let bytes = self.rest.as_bytes();
        let mut len = 0usize;
        let (mut dot, mut exponent) = (false, false);
        for byte in bytes {
            let sign_fits = len == 0
                || matches!(
                    len.checked_sub(1).and_then(|at| bytes.get(at)),
                    Some(b'e' | b'E')
                );
            let fits = match byte {
                b'0'..=b'9' => true,
                b'+' | b'-' => sign_fits,
                b'.' => !std::mem::replace(&mut dot, true) && !exponent,
                b'e' | b'E' => len > 0 && !std::mem::replace(&mut exponent, true),
                _ => false,
            };
            if !fits {
                break;
            }
            len = len.saturating_add(1);
        }
        let number = self.rest.get(..len)?.parse().ok()?;
        self.rest = self.rest.get(len..)?;
        Some(number)
    }

    /// Where a command leads from a point.
    fn target(&mut self, command: char, from: Point) -> Option<Point> {
        let relative = command.is_ascii_lowercase();
        let base = if relative { from } else { (0.0, 0.0) };
        match command.to_ascii_lowercase() {
            'h' => Some((base.0 + self.number()?, from.1)),
            'v' => Some((from.0, base.1 + self.number()?)),
            letter => {
                let before = match letter {
                    'm' | 'l' | 't' => 0,
                    's' | 'q' => 2,
                    'c' => 4,
                    'a' => 5,
                    _ => return None,
                };
                for _ in 0..before {
                    self.number()?;
                }
                let (x, y) = (self.number()?, self.number()?);
                Some((base.0 + x, base.1 + y))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SAYS, modules, read};
    use super::*;

    fn of(inner: &str) -> Vec<String> {
        read(&drawing(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\">{inner}</svg>"
        )))
    }

    #[test]
    fn codes_of_every_way_of_drawing_are_read() {
        let each = |one: &dyn Fn(usize, usize) -> String| -> String {
            modules().iter().map(|(x, y)| one(*x, *y)).collect()
        };
        let squares =
            each(&|x, y| format!("<rect x=\"{x}mm\" y=\"{y}mm\" width=\"1mm\" height=\"1mm\"/>"));
        assert_eq!(
            of(&format!(
                "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>{squares}"
            )),
            [SAYS]
        );
        let lines = each(&|x, y| format!("M{x} {y}.5h1"));
        assert_eq!(
            of(&format!("<path stroke=\"#000\" d=\"{lines}\"/>")),
            [SAYS]
        );
        assert_eq!(
            of(&format!(
                "<path transform=\"scale(4)\" stroke=\"#000\" d=\"{lines}\"/>"
            )),
            [SAYS]
        );
        let closed = each(&|x, y| format!("M{x},{y}H{}V{}H{x}z", x + 1, y + 1));
        assert_eq!(
            of(&format!("<path d=\"{closed}\" fill=\"#000000\"/>")),
            [SAYS]
        );
        let copies = each(&|x, y| format!("<use xlink:href=\"#p\" x=\"{x}\" y=\"{y}\"/>"));
        assert_eq!(
            of(&format!(
                "<defs><rect id=\"p\" width=\"1\" height=\"1\"/></defs>{copies}"
            )),
            [SAYS]
        );
        let round = each(&|x, y| format!("<circle cx=\"{x}.5\" cy=\"{y}.5\" r=\".5\"/>"));
        assert_eq!(of(&round), [SAYS]);
        let light = each(&|x, y| {
            format!("<rect x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\" style=\"fill:white\"/>")
        });
        assert_eq!(
            of(&format!(
                "<rect x=\"-4\" y=\"-4\" width=\"40\" height=\"40\"/>{light}"
            )),
            [SAYS]
        );
    }

    #[test]
    fn numbers_run_into_each_other() {
        assert_eq!(numbers("1-2.5.5,1e-1 +3"), [1.0, -2.5, 0.5, 0.1, 3.0]);
        assert_eq!(
            path("m1 1 2 0v1h-2zm5 0h1"),
            path("M1,1L3,1L3,2L1,2Z M6,1 H7")
        );
    }

    #[test]
    fn broken_paths_end() {
        for data in [
            "",
            "M",
            "M1",
            "z",
            "zzzz",
            "M0 0h",
            "M0 0x1",
            "L1 1",
            "M0 0a1 1 0 0 1",
        ] {
            let _ = path(data);
        }
        assert!(of("<path d=\"M0 0h1v1h-1z\"/>").is_empty());
    }
}
