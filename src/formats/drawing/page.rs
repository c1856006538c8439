//! Areas that the content of a PDF page paints (ISO 32000-2 8.5 "Path construction and painting", 8.4 "Graphics state").
//!
//! Texts, pictures and patterns are left out, so are clipping and slanted coordinates.

use super::{Drawing, Point, is_dark};

/// Saved states at the most; the specification advises readers of pages to allow 28.
const SAVED: usize = 64;

/// Numbers in front of one operator that are kept.
const NUMBERS: usize = 64;

/// Points of one path at the most.
const POINTS: usize = 200_000;

/// What the content of a page paints.
pub fn drawing(content: &[u8]) -> Drawing {
    let mut painter = Painter::new();
    let mut lexer = Lexer { rest: content };
    // Ends because each step takes at least a byte.
    while let Some(word) = lexer.next() {
        match word {
            Word::Number(number) => {
                if painter.numbers.len() < NUMBERS {
                    painter.numbers.push(number);
                }
            }
            Word::Operator(b"ID") => lexer.over_picture(),
            Word::Operator(operator) => {
                painter.operate(operator);
                painter.numbers.clear();
            }
        }
        if painter.drawing.is_full() {
            break;
        }
    }
    painter.drawing
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// Scale and move of both axes; turns by a quarter swap them.
    matrix: [f64; 6],
    fill: bool,
    stroke: bool,
    width: f64,
}

struct Painter {
    drawing: Drawing,
    state: State,
    saved: Vec<State>,
    numbers: Vec<f64>,
    lines: Vec<Vec<Point>>,
    points: usize,
}

impl Painter {
    fn new() -> Self {
        Self {
            drawing: Drawing::default(),
            state: State {
                matrix: [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
                fill: true,
                stroke: true,
                width: 1.0,
            },
            saved: Vec::new(),
            numbers: Vec::new(),
            lines: Vec::new(),
            points: 0,
        }
    }

    /// The last numbers in front of the operator.
    fn last<const N: usize>(&self) -> Option<[f64; N]> {
        self.numbers.last_chunk::<N>().copied()
    }

    fn operate(&mut self, operator: &[u8]) {
        match operator {
            b"q" if self.saved.len() < SAVED => self.saved.push(self.state),
            b"Q" => {
                if let Some(state) = self.saved.pop() {
                    self.state = state;
                }
            }
            b"cm" => self.concatenate(),
            b"w" => {
                if let Some([width]) = self.last() {
                    self.state.width = width;
                }
            }
            b"g" | b"rg" | b"k" | b"sc" | b"scn" => self.state.fill = self.colour(self.state.fill),
            b"G" | b"RG" | b"K" | b"SC" | b"SCN" => {
                self.state.stroke = self.colour(self.state.stroke);
            }
            b"m" => {
                if let Some([x, y]) = self.last() {
                    self.begin(x, y);
                }
            }
            b"l" | b"c" | b"v" | b"y" => {
                if let Some([x, y]) = self.last() {
                    self.line(x, y);
                }
            }
            b"re" => {
                if let Some([x, y, width, height]) = self.last() {
                    self.begin(x, y);
                    self.line(x + width, y);
                    self.line(x + width, y + height);
                    self.line(x, y + height);
                    self.close();
                }
            }
            b"h" => self.close(),
            b"f" | b"F" | b"f*" => self.paint(true, false),
            b"B" | b"B*" | b"b" | b"b*" => self.paint(true, true),
            b"S" | b"s" => self.paint(false, true),
            b"n" => self.paint(false, false),
            _ => {}
        }
    }

    fn concatenate(&mut self) {
        let Some([a, b, c, d, e, f]) = self.last() else {
            return;
        };
        let [oa, ob, oc, od, oe, of] = self.state.matrix;
        self.state.matrix = [
            a * oa + b * oc,
            a * ob + b * od,
            c * oa + d * oc,
            c * ob + d * od,
            e * oa + f * oc + oe,
            e * ob + f * od + of,
        ];
    }

    /// Gray, red green blue, or four inks by the count of numbers; a pattern leaves what was.
    fn colour(&self, before: bool) -> bool {
        match self.numbers.as_slice() {
            [gray] => is_dark(*gray, *gray, *gray),
            [red, green, blue] => is_dark(*red, *green, *blue),
            [cyan, magenta, yellow, black] => {
                let light = |ink: &f64| (1.0 - ink - black).max(0.0);
                is_dark(light(cyan), light(magenta), light(yellow))
            }
            _ => before,
        }
    }

    /// A point on the page, counted from the top.
    fn placed(&self, x: f64, y: f64) -> Point {
        let [a, b, c, d, e, f] = self.state.matrix;
        (a * x + c * y + e, -(b * x + d * y + f))
    }

    fn begin(&mut self, x: f64, y: f64) {
        let point = self.placed(x, y);
        if self.points < POINTS {
            self.points = self.points.saturating_add(1);
            self.lines.push(vec![point]);
        }
    }

    fn line(&mut self, x: f64, y: f64) {
        let point = self.placed(x, y);
        if self.points < POINTS
            && let Some(line) = self.lines.last_mut()
        {
            self.points = self.points.saturating_add(1);
            line.push(point);
        }
    }

    fn close(&mut self) {
        if let Some(line) = self.lines.last_mut()
            && let Some(first) = line.first().copied()
        {
            line.push(first);
        }
    }

    fn paint(&mut self, fills: bool, strokes: bool) {
        let lines = std::mem::take(&mut self.lines);
        self.points = 0;
        // An area of its own for each closed line, unless one lies in another as the holes of an outline do.
        if fills {
            self.drawing.fill(lines.clone(), self.state.fill);
        }
        let [a, b, c, d, ..] = self.state.matrix;
        let scale = (a * d - b * c).abs().sqrt();
        // A hairline around a filled square adds nothing.
        if strokes && !fills {
            self.drawing
                .stroke(&lines, self.state.width * scale, self.state.stroke);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Word<'a> {
    Number(f64),
    Operator(&'a [u8]),
}

struct Lexer<'a> {
    rest: &'a [u8],
}

impl<'a> Lexer<'a> {
    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn next(&mut self) -> Option<Word<'a>> {
        // Ends because each round takes at least a byte.
        loop {
            let first = *self.rest.first()?;
            match first {
                b'(' => self.over_text(),
                b'%' => {
                    let len = memchr::memchr2(b'\r', b'\n', self.rest);
                    self.skip(len.unwrap_or(self.rest.len()));
                }
                b'/' => {
                    let len = self
                        .rest
                        .iter()
                        .skip(1)
                        .take_while(|byte| is_regular(**byte))
                        .count();
                    self.skip(len.saturating_add(1));
                }
                byte if is_regular(byte) => {
                    let len = self
                        .rest
                        .iter()
                        .take_while(|byte| is_regular(**byte))
                        .count();
                    let word = self.rest.get(..len).unwrap_or_default();
                    self.skip(len);
                    let number = matches!(first, b'0'..=b'9' | b'-' | b'+' | b'.');
                    let text = std::str::from_utf8(word).ok().filter(|_| number);
                    return Some(match text.and_then(|text| text.parse().ok()) {
                        Some(number) => Word::Number(number),
                        None => Word::Operator(word),
                    });
                }
                _ => self.skip(1),
            }
        }
    }

    fn over_text(&mut self) {
        let mut depth = 0usize;
        let mut escaped = false;
        let mut len = 0usize;
        for byte in self.rest {
            len = len.saturating_add(1);
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'(' => depth = depth.saturating_add(1),
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        self.skip(len);
    }

    /// Over the samples of a picture within the content, up to its `EI` (8.9.7).
    fn over_picture(&mut self) {
        let mut ends = memchr::memmem::find_iter(self.rest, b"EI");
        let end = ends.find(|at| {
            let before = at.checked_sub(1).and_then(|at| self.rest.get(at));
            let behind = self.rest.get(at.saturating_add(2));
            before.is_some_and(u8::is_ascii_whitespace)
                && behind.is_none_or(|byte| byte.is_ascii_whitespace())
        });
        self.skip(end.map_or(self.rest.len(), |at| at.saturating_add(2)));
    }
}

fn is_regular(byte: u8) -> bool {
    !byte.is_ascii_whitespace()
        && byte != 0
        && !matches!(
            byte,
            b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%'
        )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SAYS, modules, read};
    use super::*;

    #[test]
    fn squares_lines_and_outlines_of_a_page_are_read() {
        let squares: String = modules()
            .iter()
            .map(|(x, y)| format!("{x} -{y} 1 1 re f\n"))
            .collect();
        let content = format!(
            "q 3 0 0 3 100 500 cm 1 g -9 -99 999 999 re f 0 0 0 rg (a \\) b) Tj\n{squares}Q"
        );
        assert_eq!(read(&drawing(content.as_bytes())), [SAYS]);
        let lines: String = modules()
            .iter()
            .map(|(x, y)| format!("{x} -{y}.5 m {} -{y}.5 l\n", x + 1))
            .collect();
        let content = format!("1 w 0 G\n{lines}S");
        assert_eq!(read(&drawing(content.as_bytes())), [SAYS]);
        let one: String = modules()
            .iter()
            .map(|(x, y)| {
                format!(
                    "{x} -{y} m {} -{y} l {} -{} l {x} -{} l h\n",
                    x + 1,
                    x + 1,
                    y + 1,
                    y + 1
                )
            })
            .collect();
        assert_eq!(read(&drawing(format!("{one}f").as_bytes())), [SAYS]);
    }

    #[test]
    fn content_that_is_cut_or_no_content_ends() {
        for content in [
            "(",
            "((((",
            "1 2",
            "q q q Q",
            "BI /W 1 ID xx",
            "<< /A [ 1 2 ] >>",
            "1 1 re f",
            "%",
        ] {
            assert!(drawing(content.as_bytes()).picture().is_none(), "{content}");
        }
    }
}
