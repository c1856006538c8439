//! Codes that are drawn instead of shown as a picture: squares of a PDF page, of an SVG picture, of a table of a page,
//! and characters that look like squares. What is drawn becomes a small picture in which a reader of codes looks.
//!
//! Only areas of one colour count, dark or light; curves are taken as the lines between their ends. What cannot be a
//! code, since it has no side that occurs again and again, is not drawn at all.

mod cells;
pub mod characters;
pub mod page;
pub mod painted;
pub mod svg;
pub mod table;

use std::collections::BTreeMap;

use super::qr::Gray;
use crate::bytes::index;

/// Corners of one drawing that are kept.
const CORNERS: usize = 400_000;

/// Sides of one length that make a code: the smallest one has some 120 runs of dark modules, each with two such sides.
const SIDES: usize = 160;

/// Pixels that a module is drawn with, and those of a side of the whole at the most.
const MODULE: f64 = 4.0;
const SIDE: f64 = 1600.0;

/// Pixels below which a module is not drawn.
const LEAST_MODULE: f64 = 1.5;

/// Modules around what has sides of a module's length: patterns in the corners are seven wide.
const AROUND: f64 = 8.0;

/// Pixels and crossings of rows that one drawing may cost.
const WORK: usize = 24 << 20;

/// A point, the second number counted downwards.
pub type Point = (f64, f64);

/// Areas in the order in which they are painted.
#[derive(Debug, Clone, Default)]
pub struct Drawing {
    areas: Vec<Area>,
    corners: usize,
}

/// One area: closed lines, filled where a ray out crosses an odd number of them.
#[derive(Debug, Clone)]
struct Area {
    lines: Vec<Vec<Point>>,
    dark: bool,
}

impl Drawing {
    /// Whether nothing more is kept.
    pub fn is_full(&self) -> bool {
        self.corners >= CORNERS
    }

    /// Paints an area within closed lines.
    pub fn fill(&mut self, lines: Vec<Vec<Point>>, dark: bool) {
        let sound = |point: &Point| point.0.is_finite() && point.1.is_finite();
        let lines: Vec<Vec<Point>> = lines
            .into_iter()
            .filter(|line| line.len() > 2 && line.iter().all(sound))
            .collect();
        if self.is_full() || lines.is_empty() {
            return;
        }
        let corners: usize = lines.iter().map(Vec::len).sum();
        self.corners = self.corners.saturating_add(corners);
        self.areas.push(Area { lines, dark });
    }

    /// Paints a rectangle from a corner with its width and height.
    pub fn rectangle(&mut self, corner: Point, width: f64, height: f64, dark: bool) {
        let (right, bottom) = (corner.0 + width, corner.1 + height);
        let line = vec![
            corner,
            (right, corner.1),
            (right, bottom),
            (corner.0, bottom),
        ];
        self.fill(vec![line], dark);
    }

    /// Paints a square of a grid dark, by its column and row.
    pub fn cell(&mut self, column: usize, row: usize) {
        self.rectangle((middle(column), middle(row)), 1.0, 1.0, true);
    }

    /// Paints lines of a width along the axes; slanted ones draw no code.
    pub fn stroke(&mut self, lines: &[Vec<Point>], width: f64, dark: bool) {
        let half = width / 2.0;
        for line in lines {
            for pair in line.windows(2) {
                let [from, to] = pair else { continue };
                let (left, right) = (from.0.min(to.0), from.0.max(to.0));
                let (top, bottom) = (from.1.min(to.1), from.1.max(to.1));
                if bottom - top < half / 4.0 && right > left {
                    self.rectangle((left, top - half), right - left, width, dark);
                } else if right - left < half / 4.0 && bottom > top {
                    self.rectangle((left - half, top), width, bottom - top, dark);
                }
            }
        }
    }

    /// The picture of what may be a code; none where nothing has the sides of one.
    pub fn picture(&self) -> Option<Gray> {
        let module = self.module()?;
        let fits = |line: &&Vec<Point>| sides(line).any(|side| (side / module - 1.0).abs() < 0.1);
        let (mut left, mut top) = (f64::MAX, f64::MAX);
        let (mut right, mut bottom) = (f64::MIN, f64::MIN);
        for (x, y) in self
            .areas
            .iter()
            .flat_map(|area| &area.lines)
            .filter(fits)
            .flatten()
        {
            left = left.min(*x);
            right = right.max(*x);
            top = top.min(*y);
            bottom = bottom.max(*y);
        }
        let around = module * AROUND;
        let (left, top) = (left - around, top - around);
        let (width, height) = (right + around - left, bottom + around - top);
        let scale = (MODULE / module).min(SIDE / width.max(height));
        if !scale.is_finite() || scale * module < LEAST_MODULE {
            return None;
        }
        let mut canvas = Canvas::new(pixel(width * scale), pixel(height * scale))?;
        for area in &self.areas {
            let lines = area.lines.iter().map(|line| {
                let moved = line
                    .iter()
                    .map(|(x, y)| ((x - left) * scale, (y - top) * scale));
                moved.collect::<Vec<_>>()
            });
            canvas.fill(&lines.collect::<Vec<_>>(), area.dark)?;
        }
        Gray::new(canvas.width, canvas.height, canvas.pixels)
    }

    /// The length that most sides have.
    fn module(&self) -> Option<f64> {
        /// Steps of a scale on which a length of 5 % more is the next.
        const STEP: f64 = 20.0;
        let mut counts: BTreeMap<u64, (usize, f64)> = BTreeMap::new();
        for side in self
            .areas
            .iter()
            .flat_map(|area| &area.lines)
            .flat_map(|line| sides(line))
        {
            // Lengths from a millionth to a million.
            let step = ((side.ln() + 20.0) * STEP).clamp(0.0, 1000.0);
            let count = counts
                .entry(u64::try_from(pixel(step)).unwrap_or(0))
                .or_default();
            count.0 = count.0.saturating_add(1);
            count.1 += side;
        }
        let (_, (count, sum)) = counts.into_iter().max_by_key(|(_, (count, _))| *count)?;
        (count >= SIDES).then(|| sum / f64::from(u32::try_from(count).unwrap_or(u32::MAX)))
    }
}

/// Lengths of the sides of a closed line, along the axis where they are longer.
fn sides(line: &[Point]) -> impl Iterator<Item = f64> {
    let next = line.iter().cycle().skip(1);
    line.iter()
        .zip(next)
        .map(|(from, to)| (from.0 - to.0).abs().max((from.1 - to.1).abs()))
        .filter(|side| *side > 1e-6 && *side < 1e6)
}

struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    work: usize,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Option<Self> {
        let size = width.checked_mul(height)?;
        (size > 0).then(|| Self {
            width,
            height,
            pixels: vec![255; size],
            work: WORK,
        })
    }

    fn pay(&mut self, cost: usize) -> Option<()> {
        self.work = self.work.checked_sub(cost)?;
        Some(())
    }

    /// Paints what lies within lines; `None` where the work is used up.
    fn fill(&mut self, lines: &[Vec<Point>], dark: bool) -> Option<()> {
        // Where a row's middle meets a line: the row and the place.
        let mut crossings: Vec<(usize, f64)> = Vec::new();
        for line in lines {
            let next = line.iter().cycle().skip(1);
            for (from, to) in line.iter().zip(next) {
                let (upper, lower) = if from.1 <= to.1 {
                    (from, to)
                } else {
                    (to, from)
                };
                let first = row_below(upper.1);
                let last = row_below(lower.1).min(self.height);
                self.pay(last.saturating_sub(first))?;
                for row in first..last {
                    let share = (middle(row) - upper.1) / (lower.1 - upper.1);
                    crossings.push((row, upper.0 + (lower.0 - upper.0) * share));
                }
            }
        }
        crossings.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
        for pair in crossings.chunks_exact(2) {
            let [(row, from), (_, to)] = pair else {
                continue;
            };
            let (from, to) = (
                row_below(*from).min(self.width),
                row_below(*to).min(self.width),
            );
            self.pay(to.saturating_sub(from))?;
            let start = row.checked_mul(self.width)?;
            let span = start.checked_add(from)?..start.checked_add(to.max(from))?;
            if let Some(span) = self.pixels.get_mut(span) {
                span.fill(if dark { 0 } else { 255 });
            }
        }
        Some(())
    }
}

/// The first row whose middle is not above a place.
fn row_below(place: f64) -> usize {
    pixel((place - 0.5).ceil())
}

fn middle(row: usize) -> f64 {
    f64::from(u32::try_from(row).unwrap_or(u32::MAX)) + 0.5
}

/// The whole number at or below; 0 for what is negative or none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of a float saturates"
)]
fn pixel(number: f64) -> usize {
    index(number as u32)
}

/// Whether a colour of 0 to 1 a part is dark.
fn is_dark(red: f64, green: f64, blue: f64) -> bool {
    red.mul_add(0.3, green.mul_add(0.59, blue * 0.11)) < 0.5
}

/// Whether a colour as style sheets write it is dark.
pub fn is_dark_colour(colour: &str) -> Option<bool> {
    css_dark(colour)
}

/// Whether a colour as style sheets write it is dark (CSS Color 4); `None` for what paints nothing or is unknown.
fn css_dark(colour: &str) -> Option<bool> {
    let colour = colour.trim().to_ascii_lowercase();
    if let Some(digits) = colour.strip_prefix('#') {
        let value = |at: usize, len: usize| {
            let digits = digits.get(at..at.checked_add(len)?)?;
            let most = if len == 1 { 15.0 } else { 255.0 };
            Some(f64::from(u32::from_str_radix(digits, 16).ok()?) / most)
        };
        let wide = if digits.len() < 6 { 1 } else { 2 };
        return Some(is_dark(
            value(0, wide)?,
            value(wide, wide)?,
            value(wide.saturating_mul(2), wide)?,
        ));
    }
    if let Some((kind, rest)) = colour.split_once('(') {
        let parts: Vec<&str> = rest
            .trim_end_matches(')')
            .split([',', ' ', '/'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect();
        let part = |at: usize| {
            let part = parts.get(at)?;
            Some(match part.strip_suffix('%') {
                Some(share) => share.parse::<f64>().ok()? / 100.0,
                None => part.parse::<f64>().ok()? / 255.0,
            })
        };
        let seen = parts
            .get(3)
            .is_none_or(|alpha| !matches!(*alpha, "0" | "0.0" | "0%"));
        return match kind {
            "rgb" | "rgba" if seen => Some(is_dark(part(0)?, part(1)?, part(2)?)),
            _ => None,
        };
    }
    match colour.as_str() {
        "" | "none" | "transparent" | "inherit" | "initial" | "unset" => None,
        "white" | "snow" | "ivory" | "whitesmoke" | "ghostwhite" | "floralwhite" | "azure"
        | "mintcream" | "seashell" | "lightgray" | "lightgrey" | "silver" | "yellow" => Some(false),
        // A name that is none of the light ones is taken as ink.
        _ => Some(true),
    }
}

/// The value of a property in the text of a `style` attribute.
fn property<'a>(style: &'a str, names: &[&str]) -> Option<&'a str> {
    style.split(';').find_map(|one| {
        let (name, value) = one.split_once(':')?;
        let name = name.trim();
        names
            .iter()
            .any(|wanted| name.eq_ignore_ascii_case(wanted))
            .then(|| value.trim())
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::formats::qr;
    use crate::limits::{Budget, Limits};

    /// The modules of a code for `https://example.invalid/a`, dark as `#`; made by the Python package segno.
    pub(crate) const CODE: &str = include_str!("code.txt");

    pub(crate) const SAYS: &str = "https://example.invalid/a";

    /// Places of dark modules.
    pub(crate) fn modules() -> Vec<(usize, usize)> {
        let rows = CODE.lines().enumerate();
        rows.flat_map(|(y, row)| {
            let dark = row.char_indices().filter(|(_, c)| *c == '#');
            dark.map(move |(x, _)| (x, y))
        })
        .collect()
    }

    pub(crate) fn read(drawing: &Drawing) -> Vec<String> {
        let budget = Budget::new(Limits::default(), None);
        match drawing.picture() {
            Some(picture) => qr::read(&picture, &budget).unwrap(),
            None => Vec::new(),
        }
    }

    #[test]
    fn a_code_of_squares_is_drawn() {
        let mut drawing = Drawing::default();
        drawing.rectangle((0.0, 0.0), 600.0, 800.0, false);
        for (x, y) in modules() {
            let corner = (middle(x) * 2.5 + 100.0, middle(y) * 2.5 + 300.0);
            drawing.rectangle(corner, 2.5, 2.5, true);
        }
        assert_eq!(read(&drawing), [SAYS]);
    }

    #[test]
    fn few_squares_and_tables_of_lines_are_no_code() {
        let mut drawing = Drawing::default();
        for number in 0..50 {
            drawing.rectangle((0.0, middle(number) * 20.0), 500.0, 1.0, true);
        }
        assert!(drawing.picture().is_none());
        assert!(Drawing::default().picture().is_none());
        let mut endless = Drawing::default();
        endless.rectangle((f64::NAN, 0.0), f64::INFINITY, 1.0, true);
        assert!(endless.picture().is_none());
    }

    #[test]
    fn colours_are_dark_or_light() {
        for (colour, dark) in [
            ("#000", Some(true)),
            ("#FFFFFF", Some(false)),
            ("rgb(10, 20, 30)", Some(true)),
            ("rgba(0,0,0,0)", None),
            ("rgb(100% 100% 100%)", Some(false)),
            ("Black", Some(true)),
            ("white", Some(false)),
            ("none", None),
            ("#x", None),
        ] {
            assert_eq!(css_dark(colour), dark, "{colour}");
        }
    }
}
