//! QR codes in a picture (ISO/IEC 18004): found by their three finder patterns, read by the crate rqrr.
//!
//! The crate's own search goes over regions of the picture again and again where somebody draws for that, so only its
//! decoder is used, on modules that are sampled here: a fixed amount of work for each pixel, however many patterns
//! there are. Codes that are turned or inverted are read; those photographed from the side are left out, and so is
//! Micro QR.

use std::borrow::Cow;

use crate::bytes::index;
use crate::limits::{Budget, Halt};

/// Finder patterns of one picture that are kept.
const PATTERNS: usize = 48;

/// Groups of three patterns of one picture that are read.
const GROUPS: usize = 48;

/// Codes of one picture that are told.
const CODES: usize = 16;

/// A picture's brightness, row by row from the top; 0 is black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gray {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Gray {
    /// A picture of these pixels; `None` where they are fewer than its size says.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        let size = width.checked_mul(height)?;
        (size > 0 && pixels.len() >= size).then_some(Self {
            width,
            height,
            pixels,
        })
    }

    /// Its pixels.
    pub fn pixels(&self) -> u64 {
        crate::bytes::length(self.pixels.len())
    }

    /// The picture at half its size where it is larger than any code has to be.
    fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let rows = self.pixels.chunks_exact(self.width);
        let (even, odd) = (rows.clone().step_by(2), rows.skip(1).step_by(2));
        let mut pixels = Vec::with_capacity(width.saturating_mul(height));
        for (upper, lower) in even.zip(odd).take(height) {
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            pixels.extend(pairs.take(width).map(|(upper, lower)| {
                let sum: u16 = upper.iter().chain(lower).map(|one| u16::from(*one)).sum();
                u8::try_from(sum / 4).unwrap_or(u8::MAX)
            }));
        }
        Self {
            width,
            height,
            pixels,
        }
    }

    /// Dark where a pixel is darker than the middle between the darkest and the brightest one.
    fn split_in_the_middle(&self) -> Bitmap {
        let (low, high) = self.pixels.iter().fold((u8::MAX, 0), |(low, high), one| {
            (low.min(*one), high.max(*one))
        });
        let middle = u16::from(low).saturating_add(u16::from(high));
        let dark = |one: &u8| u16::from(*one).saturating_mul(2) < middle;
        Bitmap {
            width: self.width,
            dark: self.pixels.iter().map(dark).collect(),
        }
    }

    /// Dark where a pixel is darker than its surroundings, a quarter of the picture wide.
    fn split_by_surroundings(&self) -> Bitmap {
        let reach = (self.width / 8).max(8);
        let mut dark = Vec::with_capacity(self.pixels.len());
        // Sums of columns over the rows of the window, and sums of those in front of each column.
        let mut columns = vec![0u32; self.width];
        let mut sums: Vec<u64> = Vec::with_capacity(self.width.saturating_add(1));
        let row = |number: usize| {
            let start = number.saturating_mul(self.width);
            self.pixels
                .get(start..start.saturating_add(self.width))
                .unwrap_or_default()
        };
        for number in 0..reach.min(self.height) {
            add(&mut columns, row(number));
        }
        for number in 0..self.height {
            if number.saturating_add(reach) < self.height {
                add(&mut columns, row(number.saturating_add(reach)));
            }
            if let Some(gone) = number.checked_sub(reach.saturating_add(1)) {
                for (sum, one) in columns.iter_mut().zip(row(gone)) {
                    *sum = sum.saturating_sub(u32::from(*one));
                }
            }
            let first = number.saturating_sub(reach);
            let last = number
                .saturating_add(reach)
                .min(self.height.saturating_sub(1));
            let rows = u64::try_from(last.saturating_sub(first)).unwrap_or(0) + 1;
            sums.clear();
            sums.push(0);
            let mut sum = 0u64;
            sums.extend(columns.iter().map(|column| {
                sum = sum.wrapping_add(u64::from(*column));
                sum
            }));
            let sum_to = |x: usize| sums.get(x.min(self.width)).copied().unwrap_or(sum);
            for (x, one) in row(number).iter().enumerate() {
                let from = x.saturating_sub(reach);
                let to = x.saturating_add(reach).saturating_add(1).min(self.width);
                let area = crate::bytes::length(to.wrapping_sub(from)).wrapping_mul(rows);
                let within = sum_to(to).wrapping_sub(sum_to(from));
                dark.push(u64::from(*one).wrapping_mul(area) < within);
            }
        }
        Bitmap {
            width: self.width,
            dark,
        }
    }
}

fn add(columns: &mut [u32], row: &[u8]) {
    for (sum, one) in columns.iter_mut().zip(row) {
        *sum = sum.saturating_add(u32::from(*one));
    }
}

/// Texts of the codes in a picture, each once.
///
/// # Errors
/// The time is over.
pub fn read(picture: &Gray, budget: &Budget) -> Result<Vec<String>, Halt> {
    let mut found = Vec::new();
    let mut picture = Cow::Borrowed(picture);
    // Fine noise and slanted edges go away with half the size, small modules do too.
    for _ in 0..2 {
        for bitmap in [
            picture.split_in_the_middle(),
            picture.split_by_surroundings(),
        ] {
            budget.check_time()?;
            bitmap.codes(&mut found, budget)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        if picture.width.min(picture.height) < 400 {
            break;
        }
        picture = Cow::Owned(picture.halved());
    }
    Ok(found)
}

/// A picture of two colours.
struct Bitmap {
    width: usize,
    dark: Vec<bool>,
}

/// A finder pattern: its centre, the width of a module, and whether its ring is dark.
#[derive(Debug, Clone, Copy)]
struct Pattern {
    x: f64,
    y: f64,
    module: f64,
    dark: bool,
    seen: u32,
}

impl Bitmap {
    fn codes(&self, found: &mut Vec<String>, budget: &Budget) -> Result<(), Halt> {
        let patterns = self.patterns(budget)?;
        let mut groups = Vec::new();
        for (at, corner) in patterns.iter().enumerate() {
            let others = || {
                patterns
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != at)
            };
            for (number, right) in others() {
                let belows = others().filter(|(other, _)| *other > number);
                let fitting = belows.filter(|(_, below)| is_group(corner, right, below));
                groups.extend(fitting.map(|(_, below)| (corner, right, below)));
            }
        }
        for (corner, right, below) in groups.into_iter().take(GROUPS) {
            budget.check_time()?;
            // As it is drawn first, then mirrored.
            let turn = (right.x - corner.x) * (below.y - corner.y)
                - (right.y - corner.y) * (below.x - corner.x);
            let (right, below) = match turn >= 0.0 {
                true => (right, below),
                false => (below, right),
            };
            let text = self
                .decoded(corner, right, below)
                .or_else(|| self.decoded(corner, below, right));
            if let Some(text) = text.filter(|text| !found.contains(text)) {
                found.push(text);
            }
            if found.len() >= CODES {
                break;
            }
        }
        Ok(())
    }

    /// Runs of one colour in the ratio 1:1:3:1:1 along a row, crossed by the same along the column.
    fn patterns(&self, budget: &Budget) -> Result<Vec<Pattern>, Halt> {
        let mut patterns: Vec<Pattern> = Vec::new();
        for (y, row) in self.dark.chunks_exact(self.width).enumerate() {
            budget.tick()?;
            let mut runs = [0usize; 5];
            let mut x = 0usize;
            // Ends because a run is at least a pixel long.
            while let Some((&colour, rest)) = row.get(x..).and_then(|rest| rest.split_first()) {
                let more = rest.iter().take_while(|one| **one == colour).count();
                let run = more.saturating_add(1);
                x = x.saturating_add(run);
                runs = [runs[1], runs[2], runs[3], runs[4], run];
                if in_ratio(runs)
                    && let Some(pattern) = self.crossed(runs, x, y, colour)
                {
                    keep(&mut patterns, pattern);
                }
            }
        }
        // What a single row shows is chance, unless a module is a pixel wide.
        patterns.retain(|one| one.seen > 1 || one.module < 2.0);
        patterns.truncate(PATTERNS);
        Ok(patterns)
    }

    /// The pattern whose row of runs ends in front of `x`.
    fn crossed(&self, runs: [usize; 5], x: usize, y: usize, dark: bool) -> Option<Pattern> {
        let total: usize = runs.iter().sum();
        let [.., inner, gap, outer] = runs;
        let behind = inner.div_ceil(2).saturating_add(gap).saturating_add(outer);
        let column = x.checked_sub(behind)?;
        let up = self.arms(column, y, dark, total, |y| y.checked_sub(1))?;
        let down = self.arms(column, y, dark, total, |y| y.checked_add(1))?;
        // The row at hand is in both arms.
        let middle = up[0].saturating_add(down[0]).saturating_sub(1);
        let tall = [up[2], up[1], middle, down[1], down[2]];
        let height: usize = tall.iter().sum();
        let alike = height.saturating_mul(2) <= total.saturating_mul(3)
            && total.saturating_mul(2) <= height.saturating_mul(3);
        if !alike || !in_ratio(tall) {
            return None;
        }
        let half = float(inner) / 2.0;
        Some(Pattern {
            x: float(x) - float(outer) - float(gap) - half,
            y: float(y) + (float(down[0]) - float(up[0])) / 2.0 + 0.5,
            module: float(total.saturating_add(height)) / 14.0,
            dark,
            seen: 1,
        })
    }

    /// Lengths of three runs of changing colour from a place on, itself included; none longer than the pattern.
    fn arms(
        &self,
        x: usize,
        y: usize,
        dark: bool,
        most: usize,
        step: impl Fn(usize) -> Option<usize>,
    ) -> Option<[usize; 3]> {
        let mut lengths = [0usize; 3];
        let mut y = Some(y);
        for (number, length) in lengths.iter_mut().enumerate() {
            let colour = dark ^ (number == 1);
            // Ends with the picture, or where the run is too long.
            while let Some(at) = y.filter(|y| self.pixel(x, *y) == Some(colour)) {
                *length = length.saturating_add(1);
                if *length > most {
                    return None;
                }
                y = step(at);
            }
        }
        lengths.iter().all(|length| *length > 0).then_some(lengths)
    }

    fn pixel(&self, x: usize, y: usize) -> Option<bool> {
        (x < self.width)
            .then(|| {
                self.dark
                    .get(y.checked_mul(self.width)?.checked_add(x)?)
                    .copied()
            })
            .flatten()
    }

    /// Samples the modules between three patterns and reads them; sizes go in steps of four modules (5.3.1).
    fn decoded(&self, corner: &Pattern, right: &Pattern, below: &Pattern) -> Option<String> {
        let module = (corner.module + right.module + below.module) / 3.0;
        let side = (distance(corner, right) + distance(corner, below)) / 2.0;
        let exact = side / module + 7.0;
        let version = ((exact - 17.0) / 4.0).round();
        [0.0, 1.0, -1.0].into_iter().find_map(|shift| {
            let version = version + shift;
            if !(1.0..=40.0).contains(&version) {
                return None;
            }
            let modules = version.mul_add(4.0, 17.0);
            let span = modules - 7.0;
            let sample = |x: usize, y: usize| {
                let (along, down) = ((float(x) - 3.0) / span, (float(y) - 3.0) / span);
                let at = |from: f64, right: f64, below: f64| {
                    from + along * (right - from) + down * (below - from)
                };
                let x = at(corner.x, right.x, below.x);
                let y = at(corner.y, right.y, below.y);
                let inside = x >= 0.0 && y >= 0.0;
                let pixel = self.pixel(truncated(x), truncated(y)).filter(|_| inside);
                pixel.is_some_and(|pixel| pixel == corner.dark)
            };
            let size = truncated(modules);
            if !has_timing(size, sample) {
                return None;
            }
            let grid = rqrr::SimpleGrid::from_func(size, sample);
            let mut bytes = Vec::new();
            rqrr::Grid::new(grid).decode_to(&mut bytes).ok()?;
            let text = text_of(bytes);
            (!text.trim().is_empty()).then_some(text)
        })
    }
}

/// Whether the two lines between the finder patterns alternate (6.3.5), as far as a photograph lets them: chance
/// patterns of a picture are told from a code by that, long before the code would be decoded.
fn has_timing(size: usize, dark: impl Fn(usize, usize) -> bool) -> bool {
    const LINE: usize = 6;
    let between = 8..size.saturating_sub(8);
    let cells = between.len().saturating_mul(2);
    let wrong = between
        .map(|at| {
            let expected = at % 2 == 0;
            usize::from(dark(at, LINE) != expected)
                .saturating_add(usize::from(dark(LINE, at) != expected))
        })
        .fold(0usize, usize::saturating_add);
    wrong.saturating_mul(10) <= cells.saturating_mul(3)
}

/// The text of a code: UTF-8, as nearly all writers make it, else Shift_JIS, which the standard takes from Japan.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        encoding_rs::SHIFT_JIS
            .decode(error.as_bytes())
            .0
            .into_owned()
    })
}

/// Adds a pattern to the one at the same place, where it is known.
fn keep(patterns: &mut Vec<Pattern>, pattern: Pattern) {
    let room = patterns.len() < PATTERNS.saturating_mul(8);
    let same = patterns.iter_mut().find(|one| {
        let near = one.module.max(pattern.module) * 1.5;
        one.dark == pattern.dark
            && (one.x - pattern.x).abs() <= near
            && (one.y - pattern.y).abs() <= near
    });
    match same {
        Some(one) => {
            let weight = f64::from(one.seen);
            let mean = |old: f64, new: f64| (old * weight + new) / (weight + 1.0);
            one.x = mean(one.x, pattern.x);
            one.y = mean(one.y, pattern.y);
            one.module = mean(one.module, pattern.module);
            one.seen = one.seen.saturating_add(1);
        }
        None if room => patterns.push(pattern),
        None => {}
    }
}

/// Whether five runs are in the ratio of a finder pattern, half a module more or less (6.3.3, with play for blur).
fn in_ratio(runs: [usize; 5]) -> bool {
    let [a, b, inner, c, d] = runs;
    // Whole numbers first: most runs are not even longest in the middle.
    let longest = a.max(b).max(c).max(d);
    let total: usize = runs.iter().sum();
    if inner <= longest || total < 7 || runs.contains(&0) {
        return false;
    }
    let unit = float(total) / 7.0;
    let near = |run: usize, modules: f64| {
        (float(run) - modules * unit).abs() <= unit.mul_add(0.5, 0.1) * modules.sqrt()
    };
    near(inner, 3.0) && [a, b, c, d].into_iter().all(|run| near(run, 1.0))
}

/// Whether three patterns may be the corners of one code: alike, and at a right angle of equal sides.
fn is_group(corner: &Pattern, right: &Pattern, below: &Pattern) -> bool {
    let alike = |one: &Pattern| {
        let ratio = one.module / corner.module;
        one.dark == corner.dark && (0.66..=1.5).contains(&ratio)
    };
    let (along, down) = (distance(corner, right), distance(corner, below));
    let dot =
        (right.x - corner.x) * (below.x - corner.x) + (right.y - corner.y) * (below.y - corner.y);
    alike(right)
        && alike(below)
        && along > corner.module * 10.0
        && (0.8..=1.25).contains(&(along / down))
        && (dot / (along * down)).abs() < 0.2
}

fn distance(one: &Pattern, other: &Pattern) -> f64 {
    (one.x - other.x).hypot(one.y - other.y)
}

/// Exact for every size of a picture that is read.
fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// The whole number at or below `number`; 0 for what is no place in a picture.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of a float saturates"
)]
fn truncated(number: f64) -> usize {
    index(number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    /// A code of version 1 that says `HTTP://A.INVALID`, by another writer.
    const CODE: [&str; 21] = [
        "#######.#.##..#######",
        "#.....#....##.#.....#",
        "#.###.#..####.#.###.#",
        "#.###.#.##.##.#.###.#",
        "#.###.#.#.###.#.###.#",
        "#.....#.#...#.#.....#",
        "#######.#.#.#.#######",
        "........###..........",
        "#...#.###...######..#",
        "##.###..##..#.#....#.",
        "#####.#...#.##.#.##.#",
        "..#..#.#..####.##..#.",
        ".#...###.#.#.###...##",
        "........#.#.#.#####..",
        "#######.##.#.##.#....",
        "#.....#..#.#.#....#..",
        "#.###.#.#.#.#.####.#.",
        "#.###.#..#..#......##",
        "#.###.#....###.......",
        "#.....#..#..#.###.#.#",
        "#######.#.#...####.##",
    ];

    fn drawn(module: usize, margin: usize, dark: u8, light: u8) -> Gray {
        let side = (21 + 2 * margin) * module;
        let mut pixels = Vec::new();
        for y in 0..side {
            for x in 0..side {
                let row = (y / module).checked_sub(margin).and_then(|y| CODE.get(y));
                let cell = (x / module).checked_sub(margin);
                let cell = row.zip(cell).and_then(|(row, x)| row.as_bytes().get(x));
                pixels.push(if cell == Some(&b'#') { dark } else { light });
            }
        }
        Gray::new(side, side, pixels).unwrap()
    }

    fn texts(picture: &Gray) -> Vec<String> {
        read(picture, &Budget::new(Limits::default(), None)).unwrap()
    }

    #[test]
    fn codes_of_any_size_and_colour_are_read() {
        for (module, margin) in [(1, 4), (2, 1), (3, 0), (10, 4), (40, 4)] {
            assert_eq!(
                texts(&drawn(module, margin, 0, 255)),
                ["HTTP://A.INVALID"],
                "{module} {margin}"
            );
        }
        assert_eq!(texts(&drawn(4, 4, 255, 0)), ["HTTP://A.INVALID"]);
        assert_eq!(texts(&drawn(4, 4, 120, 90)), ["HTTP://A.INVALID"]);
    }

    #[test]
    fn turned_and_mirrored_codes_are_read_and_ruined_ones_are_not() {
        let straight = drawn(5, 4, 0, 255);
        let mut turned = straight.clone();
        turned.pixels.reverse();
        assert_eq!(texts(&turned), ["HTTP://A.INVALID"]);
        let mut mirrored = straight.clone();
        mirrored.pixels = straight
            .pixels
            .chunks(straight.width)
            .flat_map(|row| row.iter().rev().copied())
            .collect();
        assert_eq!(texts(&mirrored), ["HTTP://A.INVALID"]);
        let mut ruined = straight.clone();
        let half = ruined.pixels.len() / 2;
        for (at, pixel) in ruined.pixels.iter_mut().skip(half).enumerate() {
            *pixel = if at % 7 < 3 { 0 } else { 255 };
        }
        assert!(texts(&ruined).is_empty());
    }

    #[test]
    fn a_picture_full_of_patterns_ends_in_time() {
        let started = std::time::Instant::now();
        let finder = [
            "#######", "#.....#", "#.###.#", "#.###.#", "#.###.#", "#.....#", "#######",
        ];
        let side = 1600;
        let pixel = |at: usize| {
            let (x, y) = (at % side % 9, at / side % 9);
            let cell = finder.get(y).and_then(|row| row.as_bytes().get(x));
            if cell == Some(&b'#') { 0 } else { 255 }
        };
        let picture = Gray::new(side, side, (0..side * side).map(pixel).collect()).unwrap();
        assert!(texts(&picture).is_empty());
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}
