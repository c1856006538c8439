//! QR codes in a picture (ISO/IEC 18004): found by their three finder patterns, read by the crate rqrr.
//!
//! The crate's own search goes over regions of the picture again and again where somebody draws for that, so only its
//! decoder is used, on modules that are sampled here: a fixed amount of work for each pixel, however many patterns
//! there are. Codes that are turned, inverted or photographed a little from the side are read; Micro QR is left out.

mod gray;
mod split;

use std::borrow::Cow;

use crate::bytes::index;
use crate::limits::{Budget, Halt};

pub use gray::Gray;
use split::Bitmap;

/// Finder patterns of one picture that are kept.
const PATTERNS: usize = 48;

/// Groups of three patterns of one picture that are read.
const GROUPS: usize = 48;

/// Codes of one picture that are told.
const CODES: usize = 16;

/// Modules of 25 that may be otherwise in an alignment pattern.
const WRONG: usize = 3;

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
                .decoded(corner, right, below, budget)
                .or_else(|| self.decoded(corner, below, right, budget));
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
        for (y, row) in self.words.chunks_exact(self.stride.max(1)).enumerate() {
            budget.tick()?;
            let mut runs = [0usize; 5];
            let mut start = 0usize;
            let mut end_run = |x: usize| {
                runs = [runs[1], runs[2], runs[3], runs[4], x.saturating_sub(start)];
                start = x;
                if in_ratio(runs)
                    && let Some(dark) = self.pixel(x.saturating_sub(1), y)
                    && let Some(pattern) = self.crossed(runs, x, y, dark)
                {
                    keep(&mut patterns, pattern);
                }
            };
            let mut before = row.first().map_or(0, |word| word & 1);
            for (number, word) in row.iter().enumerate() {
                // A bit for each pixel of another colour than the one in front.
                let mut edges = word ^ (word << 1 | before);
                before = word >> 63;
                // Ends because each round takes a bit away.
                while edges != 0 {
                    let bit = index(edges.trailing_zeros());
                    edges &= edges.wrapping_sub(1);
                    end_run(number.saturating_mul(64).saturating_add(bit));
                }
            }
            end_run(self.width);
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

    /// Samples the modules between three patterns and reads them; sizes go in steps of four modules (5.3.1).
    fn decoded(
        &self,
        corner: &Pattern,
        right: &Pattern,
        below: &Pattern,
        budget: &Budget,
    ) -> Option<String> {
        let along = distance(corner, right);
        // A row crosses a turned pattern on a longer way than its side.
        let slant = ((right.x - corner.x).abs()).max((right.y - corner.y).abs()) / along;
        let module = (corner.module + right.module + below.module) / 3.0 * slant;
        let side = (along + distance(corner, below)) / 2.0;
        let exact = side / module + 7.0;
        let version = ((exact - 17.0) / 4.0).round();
        let versions = [0.0, 1.0, -1.0].map(|shift| version + shift);
        let mut versions = versions
            .into_iter()
            .filter(|version| (1.0..=40.0).contains(version));
        versions.find_map(|version| {
            let modules = version.mul_add(4.0, 17.0);
            let flat = Grid::flat(corner, right, below, modules);
            self.sampled(&flat, budget).or_else(|| {
                let slanted = self.slanted(&flat, version, budget);
                slanted.iter().find_map(|grid| self.sampled(grid, budget))
            })
        })
    }

    /// Whether the pixel at a place is of the colour of the modules that count.
    fn is_set(&self, (x, y): (f64, f64), dark: bool) -> bool {
        let inside = x >= 0.0 && y >= 0.0;
        let pixel = self.pixel(truncated(x), truncated(y)).filter(|_| inside);
        pixel.is_some_and(|pixel| pixel == dark)
    }

    fn sampled(&self, grid: &Grid, budget: &Budget) -> Option<String> {
        let sample = |x: usize, y: usize| self.is_set(grid.place(float(x), float(y)), grid.dark);
        let size = truncated(grid.modules);
        // A module costs more to decode than to sample.
        let modules = size.saturating_mul(size).saturating_mul(4);
        let timing = size.saturating_mul(2);
        if !budget.may_probe(crate::bytes::length(timing))
            || !has_timing(size, sample)
            || !budget.may_probe(crate::bytes::length(modules))
        {
            return None;
        }
        let simple = rqrr::SimpleGrid::from_func(size, sample);
        let mut bytes = Vec::new();
        rqrr::Grid::new(simple).decode_to(&mut bytes).ok()?;
        let text = text_of(bytes);
        (!text.trim().is_empty()).then_some(text)
    }

    /// Modules around a place that are not as in an alignment pattern; counted until there are too many. Adds those
    /// that were looked at to `probed`.
    fn unlike_alignment(&self, flat: &Grid, x: f64, y: f64, probed: &mut u64) -> usize {
        let mut wrong = 0usize;
        for place in 0..25usize {
            *probed = probed.saturating_add(1);
            let (dx, dy) = (float(place % 5) - 2.0, float(place / 5) - 2.0);
            let ring = dx.abs().max(dy.abs());
            let set = self.is_set(flat.place(x + dx, y + dy), flat.dark);
            wrong = wrong.saturating_add(usize::from(set != ((ring - 1.0).abs() > 0.5)));
            if wrong > WRONG {
                break;
            }
        }
        wrong
    }

    /// Grids of a code that is seen from the side: by its last alignment pattern (6.3.6), which lies six and a half
    /// modules from both far sides, looked for around the place where it would be without a slant.
    fn slanted(&self, flat: &Grid, version: f64, budget: &Budget) -> Vec<Grid> {
        /// Places that are tried.
        const PLACES: usize = 4;
        /// Half a module.
        const STEP: f64 = 0.5;
        if version < 2.0 {
            return Vec::new();
        }
        let middle = flat.modules - 7.0;
        let reach = truncated((flat.modules * 0.16).clamp(3.0, 12.0) / STEP);
        let mut best: Vec<(usize, f64, f64)> = Vec::new();
        for row in 0..=reach.saturating_mul(2) {
            let mut probed = 0;
            for column in 0..=reach.saturating_mul(2) {
                let shift = |number: usize| (float(number) - float(reach)).mul_add(STEP, middle);
                let (x, y) = (shift(column), shift(row));
                let wrong = self.unlike_alignment(flat, x, y, &mut probed);
                if wrong <= WRONG {
                    best.push((wrong, x, y));
                }
            }
            if !budget.may_probe(probed) {
                return Vec::new();
            }
        }
        best.sort_by_key(|(wrong, _, _)| *wrong);
        best.truncate(PLACES);
        let grids = best.into_iter();
        grids
            .filter_map(|(_, x, y)| flat.through(flat.place(x, y)))
            .collect()
    }
}

/// Where the modules of a code lie: a projection that takes its three corners to the centres of their patterns.
#[derive(Debug, Clone)]
struct Grid {
    corner: (f64, f64),
    right: (f64, f64),
    below: (f64, f64),
    modules: f64,
    dark: bool,
    /// How much the picture shrinks along the two sides; 0 where it is seen from the front.
    slant: (f64, f64),
}

impl Grid {
    fn flat(corner: &Pattern, right: &Pattern, below: &Pattern, modules: f64) -> Self {
        Self {
            corner: (corner.x, corner.y),
            right: (right.x, right.y),
            below: (below.x, below.y),
            modules,
            dark: corner.dark,
            slant: (0.0, 0.0),
        }
    }

    /// The place of the centre of a module.
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let span = self.modules - 7.0;
        let (along, down) = ((x - 3.0) / span, (y - 3.0) / span);
        let (g, h) = self.slant;
        let weight = g.mul_add(along, h.mul_add(down, 1.0));
        let at = |corner: f64, right: f64, below: f64| {
            let right = (1.0 + g).mul_add(right, -corner);
            let below = (1.0 + h).mul_add(below, -corner);
            (corner + along * right + down * below) / weight
        };
        (
            at(self.corner.0, self.right.0, self.below.0),
            at(self.corner.1, self.right.1, self.below.1),
        )
    }

    /// The grid whose last alignment pattern lies at a place; none where there is no such projection.
    fn through(&self, (x, y): (f64, f64)) -> Option<Self> {
        let t = (self.modules - 10.0) / (self.modules - 7.0);
        let (a, b) = (t * (self.right.0 - x), t * (self.below.0 - x));
        let (c, d) = (t * (self.right.1 - y), t * (self.below.1 - y));
        let rest = |at: f64, corner: f64, right: f64, below: f64| {
            at - corner - t * (right - corner) - t * (below - corner)
        };
        let e = rest(x, self.corner.0, self.right.0, self.below.0);
        let f = rest(y, self.corner.1, self.right.1, self.below.1);
        let determinant = a * d - b * c;
        (determinant.abs() > 1e-6).then(|| Self {
            slant: ((e * d - b * f) / determinant, (a * f - e * c) / determinant),
            ..self.clone()
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
fn number(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// Exact for every size of a picture that is read.
fn float(size: usize) -> f64 {
    f64::from(number(size))
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

    /// Finder patterns in a lattice on black, so that many groups of three may be corners of large codes.
    fn lattice(side: usize, step: usize, module: usize) -> Gray {
        let pixel = |at: usize| {
            let (x, y) = (at % side % step / module, at / side % step / module);
            let ring = x.abs_diff(4).max(y.abs_diff(4));
            // White around it, a black frame, white, black in the middle.
            u8::from(matches!(ring, 2 | 4)) * 255
        };
        Gray::new(side, side, (0..side * side).map(pixel).collect()).unwrap()
    }

    #[test]
    fn looking_for_slanted_codes_is_paid_for_all_pictures_of_a_scan_together() {
        let budget = Budget::new(Limits::default(), None);
        let crafted = lattice(480, 160, 2);
        assert!(read(&crafted, &budget).unwrap().is_empty());
        assert!(!budget.may_probe(1 << 20), "the picture costs little");
        // What is over is over, for the next picture too.
        let before = budget.spent();
        assert!(read(&crafted, &budget).unwrap().is_empty());
        assert!(budget.spent_since(before).is_none());
        // An ordinary code costs next to nothing.
        let budget = Budget::new(Limits::default(), None);
        assert_eq!(read(&drawn(4, 4, 0, 255), &budget).unwrap().len(), 1);
        assert!(budget.may_probe((8 << 20) - (1 << 14)));
    }

    /// The colour of the module that a pixel shows, by the place in modules that it is at.
    fn seen(place: impl Fn(f64, f64) -> (f64, f64)) -> Gray {
        /// A code of version 2 that says `HTTP://A.INVALID/REPORT`, by another writer.
        const LARGER: [&str; 25] = [
            "#######...#.####..#######",
            "#.....#.#####..#..#.....#",
            "#.###.#.##..#.#.#.#.###.#",
            "#.###.#.#.#.#.###.#.###.#",
            "#.###.#..##.####..#.###.#",
            "#.....#...#.###.#.#.....#",
            "#######.#.#.#.#.#.#######",
            "........#.##.#..#........",
            "#.....#.##....#.###..###.",
            "#.##....###.#.#..######..",
            "##....##.#.#.....#.##..##",
            "...###..#.....#.####.##..",
            "##....#...#..###.#.##..#.",
            "##.###.#..#.###..###..#..",
            "#..#..#.#.#..####..#.....",
            "#.#.##..#.#.####.#.###.##",
            "#.#.####..#.#.#.#####.#.#",
            "........###....##...####.",
            "#######..##.#####.#.####.",
            "#.....#....#..#.#...####.",
            "#.###.#...##...#######...",
            "#.###.#..##.##.###..##..#",
            "#.###.#..#...##..#..#.#.#",
            "#.....#...#.##..#....#...",
            "#######.#.####.#.#..#..##",
        ];
        let side = 420usize;
        let mut pixels = Vec::new();
        for y in 0..side {
            for x in 0..side {
                let (u, v) = place(float(x), float(y));
                let inside = u >= 0.0 && v >= 0.0;
                let row = LARGER.get(truncated(v)).filter(|_| inside);
                let dark = row.and_then(|row| row.as_bytes().get(truncated(u)));
                pixels.push(if dark == Some(&b'#') { 30 } else { 220 });
            }
        }
        Gray::new(side, side, pixels).unwrap()
    }

    #[test]
    fn codes_are_read_half_turned_and_from_the_side() {
        let budget = Budget::new(Limits::default(), None);
        let says = |picture: &Gray| read(picture, &budget).unwrap();
        let turned = seen(|x, y| {
            let (x, y) = (x - 210.0, y - 210.0);
            let part = std::f64::consts::FRAC_1_SQRT_2 / 8.0;
            (12.5 + (x + y) * part, 12.5 + (y - x) * part)
        });
        assert_eq!(says(&turned), ["HTTP://A.INVALID/REPORT"]);
        for slant in [0.0, 0.0003, 0.0006] {
            let from_the_side = seen(|x, y| {
                let weight = y.mul_add(slant, x.mul_add(slant / 2.0, 1.0)) * 10.0;
                ((x - 40.0) / weight, (y - 40.0) / weight)
            });
            assert_eq!(says(&from_the_side), ["HTTP://A.INVALID/REPORT"], "{slant}");
        }
    }
}
