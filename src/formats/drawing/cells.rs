//! Codes written in characters of several modules each (quadrants of blocks, dots of Braille), and in any two characters
//! that take turns: coloured squares and circles, digits, number signs and dots.

use super::{Drawing, middle};

/// Modules of the smallest code.
const LEAST: usize = 21;

/// Characters of a line that is looked at.
const LONGEST: usize = 400;

/// Lines of one code at the most, and codes of one text.
const LINES: usize = 200;
const CODES: usize = 4;

/// Quarters of a block: above left, above right, below left, below right (Unicode, U+2580 to U+259F).
const QUARTERS: [(char, [bool; 4]); 17] = [
    (' ', [false, false, false, false]),
    ('\u{a0}', [false, false, false, false]),
    ('▘', [true, false, false, false]),
    ('▝', [false, true, false, false]),
    ('▀', [true, true, false, false]),
    ('▖', [false, false, true, false]),
    ('▌', [true, false, true, false]),
    ('▞', [false, true, true, false]),
    ('▛', [true, true, true, false]),
    ('▗', [false, false, false, true]),
    ('▚', [true, false, false, true]),
    ('▐', [false, true, false, true]),
    ('▜', [true, true, false, true]),
    ('▄', [false, false, true, true]),
    ('▙', [true, false, true, true]),
    ('▟', [false, true, true, true]),
    ('█', [true, true, true, true]),
];

/// Whether there are rows of two characters enough for a code.
pub(super) fn has_rows(text: &str) -> bool {
    let mut start = 0usize;
    let ends = memchr::memchr_iter(b'\n', text.as_bytes());
    let lines = ends.chain([text.len()]).map(|end| {
        let line = text.get(start..end).unwrap_or_default();
        start = end.saturating_add(1);
        line.strip_suffix('\r').unwrap_or(line)
    });
    lines.filter(|line| is_row(line)).take(LEAST).count() == LEAST
}

/// Whether there are dots of Braille, or quarters that no frame of a table has.
pub(super) fn has_cells(text: &str) -> bool {
    const FIRST: [&[u8]; 5] = [
        b"\xe2\xa0",
        b"\xe2\xa1",
        b"\xe2\xa2",
        b"\xe2\xa3",
        b"\xe2\x96",
    ];
    let has = |mark: &&[u8]| memchr::memmem::find(text.as_bytes(), mark).is_some();
    FIRST.iter().any(has) && text.chars().any(|c| is_braille(c) || is_quarter(c))
}

fn is_braille(c: char) -> bool {
    matches!(c, '\u{2800}'..='\u{28ff}')
}

fn is_quarter(c: char) -> bool {
    matches!(c, '▖'..='▟')
}

/// What may be codes.
pub(super) fn drawings(text: &str) -> Vec<Drawing> {
    let mut found = Vec::new();
    if has_cells(text) {
        let braille = |c: char| is_braille(c) || c == ' ';
        found.extend(blocks(text, 6, braille).map(|block| dotted(&block)));
        let quarter = |c: char| QUARTERS.iter().any(|(known, _)| *known == c);
        let quartered = blocks(text, LEAST / 2, quarter);
        let quartered =
            quartered.filter(|block| block.iter().any(|line| line.contains(is_quarter)));
        found.extend(quartered.map(|block| in_quarters(&block)));
    }
    if found.is_empty() {
        let two = blocks(text, LEAST, |_| true).filter_map(|block| of_two(&block));
        found.extend(two.take(CODES));
    }
    found
}

/// Whether a line is of two characters at the most, and long enough for a code.
fn is_row(line: &str) -> bool {
    if line.len() < LEAST {
        return false;
    }
    let mut chars = line.chars();
    let Some(first) = chars.next() else {
        return false;
    };
    let mut other = None;
    let mut len = 1usize;
    for c in chars {
        len = len.saturating_add(1);
        if c != first && *other.get_or_insert(c) != c || len > LONGEST {
            return false;
        }
    }
    len >= LEAST
}

/// Blocks of lines whose characters all fit; of any characters, where each is a row of two.
fn blocks(
    text: &str,
    least: usize,
    fits: impl Fn(char) -> bool,
) -> impl Iterator<Item = Vec<&str>> {
    let any = fits('x');
    let mut lines = text.lines().chain([""]);
    std::iter::from_fn(move || {
        let mut block = Vec::new();
        // Ends with the lines.
        loop {
            let line = lines.next()?;
            let drawn = match any {
                true => is_row(line),
                false => {
                    !line.trim().is_empty()
                        && line.chars().take(LONGEST).count() < LONGEST
                        && line.chars().all(&fits)
                }
            };
            if drawn && block.len() < LINES {
                block.push(line);
            } else if block.len() >= least {
                return Some(block);
            } else {
                block.clear();
            }
        }
    })
    .take(CODES)
}

fn dotted(lines: &[&str]) -> Drawing {
    // The dots of one character by their bits (Unicode, U+2800).
    const DOTS: [(u32, usize, usize); 8] = [
        (0, 0, 0),
        (1, 0, 1),
        (2, 0, 2),
        (3, 1, 0),
        (4, 1, 1),
        (5, 1, 2),
        (6, 0, 3),
        (7, 1, 3),
    ];
    let mut drawing = Drawing::default();
    for (row, line) in lines.iter().enumerate() {
        for (column, c) in line.chars().enumerate().filter(|(_, c)| is_braille(*c)) {
            let bits = u32::from(c);
            for (_, x, y) in DOTS.iter().filter(|(bit, ..)| bits >> bit & 1 == 1) {
                module(&mut drawing, (column, 2, *x), (row, 4, *y));
            }
        }
    }
    drawing
}

fn in_quarters(lines: &[&str]) -> Drawing {
    let mut drawing = Drawing::default();
    for (row, line) in lines.iter().enumerate() {
        for (column, c) in line.chars().enumerate() {
            let known = QUARTERS.iter().find(|(known, _)| *known == c);
            let quarters = known.iter().flat_map(|(_, quarters)| quarters.iter());
            for (number, _) in quarters.enumerate().filter(|(_, dark)| **dark) {
                module(&mut drawing, (column, 2, number % 2), (row, 2, number / 2));
            }
        }
    }
    drawing
}

/// Paints one module: the character, modules of one, and which of them.
fn module(drawing: &mut Drawing, x: (usize, usize, usize), y: (usize, usize, usize)) {
    let place = |(character, each, own): (usize, usize, usize)| {
        middle(character.saturating_mul(each).saturating_add(own))
    };
    drawing.rectangle((place(x), place(y)), 1.0, 1.0, true);
}

/// A code of two characters: what the first row or the first corner has tells which of them is light.
fn of_two(lines: &[&str]) -> Option<Drawing> {
    let first = lines.first()?;
    let corner = first.chars().next()?;
    let plain = first.chars().all(|c| c == corner);
    let mut characters: Vec<char> = Vec::new();
    for c in lines.iter().flat_map(|line| line.chars()) {
        if !characters.contains(&c) {
            characters.push(c);
        }
        if characters.len() > 2 {
            return None;
        }
    }
    let other = *characters.iter().find(|c| **c != corner)?;
    let dark = if plain { other } else { corner };
    // Two characters of the same kind side by side are a module, unless one is as wide as high.
    let longest = lines.iter().map(|line| line.chars().count()).max()?;
    let high = if longest.saturating_mul(2) > lines.len().saturating_mul(3) {
        2.0
    } else {
        1.0
    };
    let mut drawing = Drawing::default();
    for (row, line) in lines.iter().enumerate() {
        for (column, _) in line.chars().enumerate().filter(|(_, c)| *c == dark) {
            let corner = (middle(column), middle(row) * high);
            drawing.rectangle(corner, 1.0, high, true);
        }
    }
    Some(drawing)
}

#[cfg(test)]
mod tests {
    use super::super::characters::may_hold;
    use super::super::tests::{CODE, SAYS, modules, read};
    use super::*;

    fn of(text: &str) -> Vec<String> {
        assert!(may_hold(text));
        drawings(text).iter().flat_map(read).collect()
    }

    #[test]
    fn any_two_characters_draw_a_code() {
        for (dark, light) in [
            ("🟦", "🟨"),
            ("11", "00"),
            ("##", ".."),
            ("●", "○"),
            ("@@", "  "),
        ] {
            let text = CODE
                .replace('.', "\0")
                .replace('#', dark)
                .replace('\0', light);
            // Blanks at the end of a line fall away in mails.
            let lines: Vec<String> = text.lines().map(|line| format!("{line}{light}")).collect();
            assert_eq!(
                of(&format!("Scan:\n\n{}\n\nBye", lines.join("\n"))),
                [SAYS],
                "{dark}"
            );
        }
    }

    #[test]
    fn dots_and_quarters_are_modules() {
        let dark = modules();
        let has = |x: usize, y: usize| dark.contains(&(x, y));
        let size = CODE.lines().count();
        let rows = (0..size).step_by(2).map(|y| {
            let cell = |x: usize| {
                let wanted = [has(x, y), has(x + 1, y), has(x, y + 1), has(x + 1, y + 1)];
                let cells = QUARTERS.iter().filter(|(c, _)| *c != '\u{a0}');
                cells
                    .clone()
                    .find(|(_, quarters)| *quarters == wanted)
                    .unwrap()
                    .0
            };
            (0..size).step_by(2).map(cell).collect::<String>()
        });
        assert_eq!(of(&rows.collect::<Vec<_>>().join("\n")), [SAYS]);
        let rows = (0..size).step_by(4).map(|y| {
            let cell = |x: usize| {
                let bits = [
                    (0, 0),
                    (0, 1),
                    (0, 2),
                    (1, 0),
                    (1, 1),
                    (1, 2),
                    (0, 3),
                    (1, 3),
                ];
                let bits = bits
                    .iter()
                    .enumerate()
                    .filter(|(_, (dx, dy))| has(x + dx, y + dy));
                char::from_u32(0x2800 + bits.map(|(bit, _)| 1 << bit).sum::<u32>()).unwrap()
            };
            (0..size).step_by(2).map(cell).collect::<String>()
        });
        assert_eq!(of(&rows.collect::<Vec<_>>().join("\n")), [SAYS]);
    }

    #[test]
    fn rules_and_matrices_are_no_code() {
        assert!(!may_hold(&"-".repeat(70)));
        assert!(!may_hold("the quick brown fox jumps\n"));
        let matrix = "0 1 0 1 0 1 0 1 0 1 0 1 0 1\n".repeat(30);
        assert!(drawings(&matrix).iter().flat_map(read).next().is_none());
        let bits = "0101010101010101010101010\n1010101010101010101010101\n".repeat(20);
        assert!(drawings(&bits).iter().flat_map(read).next().is_none());
    }
}
