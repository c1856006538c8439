//! Codes written in characters that look like squares: full and half blocks, coloured squares, number signs.

use memchr::memmem;

use super::{Drawing, cells, middle};

/// Lines of the smallest code, in half blocks.
const LEAST: usize = 11;

/// Characters of a line that is looked at: the largest code has 177 modules of two characters, and room around it.
const LONGEST: usize = 400;

/// Lines of one code at the most, and codes of one text.
const LINES: usize = 200;
const CODES: usize = 4;

/// Whether a text may hold a code; cheap on texts that have none.
pub fn may_hold(text: &str) -> bool {
    has_number_signs(text.as_bytes())
        || has_shapes(text) && (has_squares(text) || cells::has_cells(text))
        || cells::has_rows(text)
}

/// Whether any character stands in a block of Unicode that has squares, circles or dots.
fn has_shapes(text: &str) -> bool {
    let text = text.as_bytes();
    let mut leads = memchr::memchr2_iter(0xe2, 0xf0, text);
    leads.any(|at| {
        let end = at.saturating_add(3);
        match text.get(at..end) {
            Some([0xe2, next, _]) => matches!(next, 0x96 | 0x97 | 0x9a | 0xa0..=0xa3 | 0xac),
            Some(emoji) => emoji == b"\xf0\x9f\x9f",
            None => false,
        }
    })
}

/// Whether a text has enough of such characters in a row to be looked at.
fn has_squares(text: &str) -> bool {
    // The upper edge of a corner is seven modules wide: of half blocks seven characters, else fourteen.
    const OTHERS: [&str; 14] = [
        "███████",
        "▀▀▀▀▀▀▀",
        "▄▄▄▄▄▄▄",
        "⬛⬛⬛⬛⬛⬛⬛",
        "⬜⬜⬜⬜⬜⬜⬜",
        "■■■■■■■",
        "●●●●●●●",
        "⚫⚫⚫⚫⚫⚫⚫",
        "🟥🟥🟥🟥🟥🟥🟥",
        "🟦🟦🟦🟦🟦🟦🟦",
        "🟩🟩🟩🟩🟩🟩🟩",
        "🟪🟪🟪🟪🟪🟪🟪",
        "🟫🟫🟫🟫🟫🟫🟫",
        "🟨🟨🟨🟨🟨🟨🟨",
    ];
    let text = text.as_bytes();
    let has = |edge: &[u8]| memmem::find(text, edge).is_some();
    has_number_signs(text) || OTHERS.iter().any(|edge| has(edge.as_bytes()))
}

/// Whether a text in any charset that holds ASCII has number signs enough in a row.
pub fn has_number_signs(text: &[u8]) -> bool {
    memmem::find(text, b"##############").is_some()
}

/// Blocks of lines that may be a code.
pub fn drawings(text: &str) -> Vec<Drawing> {
    let mut found = Vec::new();
    if !has_squares(text) {
        return cells::drawings(text);
    }
    let mut block: Vec<&str> = Vec::new();
    for line in text.lines().chain([""]) {
        let squares = line
            .chars()
            .filter(|c| Square::of(*c).is_some_and(|square| square != Square::Light))
            .count();
        let others = line.chars().filter(|c| Square::of(*c).is_none()).count();
        let fits = line.chars().take(LONGEST).count() < LONGEST && squares >= 3 && others == 0;
        if fits && block.len() < LINES {
            block.push(line);
            continue;
        }
        if block.len() >= LEAST && found.len() < CODES {
            found.push(drawn(&block));
        }
        block.clear();
    }
    if found.is_empty() {
        found = cells::drawings(text);
    }
    found
}

/// What a character paints of its place, which is twice as high as wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Square {
    Light,
    Dark,
    Upper,
    Lower,
    /// As wide as high.
    WideDark,
    WideLight,
}

impl Square {
    fn of(c: char) -> Option<Self> {
        Some(match c {
            ' ' | '\u{a0}' | '\t' => Self::Light,
            '█' | '#' | '■' | '▓' => Self::Dark,
            '▀' => Self::Upper,
            '▄' => Self::Lower,
            '⬛' | '◼' => Self::WideDark,
            '⬜' | '◻' | '□' | '\u{3000}' => Self::WideLight,
            _ => return None,
        })
    }
}

fn drawn(lines: &[&str]) -> Drawing {
    let mut drawing = Drawing::default();
    let halves = lines.iter().any(|line| line.contains(['▀', '▄']));
    for (row, line) in lines.iter().enumerate() {
        let top = middle(row) * 2.0;
        let mut column = 0usize;
        for c in line.chars() {
            let left = middle(column);
            let square = Square::of(c);
            match square {
                Some(Square::Dark) if halves => {
                    drawing.rectangle((left, top), 1.0, 1.0, true);
                    drawing.rectangle((left, top + 1.0), 1.0, 1.0, true);
                }
                // Two of them side by side are a module.
                Some(Square::Dark) => drawing.rectangle((left, top), 1.0, 2.0, true),
                Some(Square::Upper) => drawing.rectangle((left, top), 1.0, 1.0, true),
                Some(Square::Lower) => drawing.rectangle((left, top + 1.0), 1.0, 1.0, true),
                Some(Square::WideDark) => drawing.rectangle((left, top), 2.0, 2.0, true),
                Some(Square::Light | Square::WideLight) | None => {}
            }
            let wide = matches!(square, Some(Square::WideDark | Square::WideLight));
            column = column.saturating_add(if wide { 2 } else { 1 });
        }
    }
    drawing
}

#[cfg(test)]
mod tests {
    use super::super::tests::{CODE, SAYS, read};
    use super::*;

    fn of(dark: &str, light: &str) -> Vec<String> {
        let lines: Vec<String> = CODE
            .lines()
            .map(|row| {
                row.chars()
                    .map(|c| if c == '#' { dark } else { light })
                    .collect()
            })
            .collect();
        let text = format!("Scan the code:\n\n{}\n\nThank you.\n", lines.join("\n"));
        drawings(&text).iter().flat_map(read).collect()
    }

    #[test]
    fn codes_in_characters_are_read() {
        assert_eq!(of("██", "  "), [SAYS]);
        assert_eq!(of("##", "  "), [SAYS]);
        assert_eq!(of("⬛", "⬜"), [SAYS]);
        assert_eq!(of("--", "  "), [SAYS]);
        // Light on dark, as terminals show it: what is drawn is the light, with room around the code.
        let edge = "█".repeat(58);
        let side = "█".repeat(4);
        let rows = CODE
            .lines()
            .map(|row| row.replace('#', "  ").replace('.', "██"));
        let rows: Vec<String> = rows.map(|row| format!("{side}{row}{side}")).collect();
        let text = format!("{edge}\n{edge}\n{}\n{edge}\n{edge}\n", rows.join("\n"));
        assert_eq!(
            drawings(&text).iter().flat_map(read).collect::<Vec<_>>(),
            [SAYS]
        );
    }

    #[test]
    fn half_blocks_are_two_modules() {
        let rows: Vec<Vec<bool>> = CODE
            .lines()
            .map(|row| row.chars().map(|c| c == '#').collect())
            .collect();
        let none = vec![false; rows[0].len()];
        let text: String = rows
            .chunks(2)
            .map(|pair| {
                let lower = pair.get(1).unwrap_or(&none);
                let line: String = pair[0]
                    .iter()
                    .zip(lower)
                    .map(|both| match both {
                        (true, true) => '█',
                        (true, false) => '▀',
                        (false, true) => '▄',
                        (false, false) => ' ',
                    })
                    .collect();
                format!("{line}\n")
            })
            .collect();
        assert_eq!(
            drawings(&text).iter().flat_map(read).collect::<Vec<_>>(),
            [SAYS]
        );
    }

    #[test]
    fn rules_and_boxes_of_texts_are_no_code() {
        let rule = format!("{}\nTitle\n{}\n", "#".repeat(70), "#".repeat(70));
        assert!(drawings(&rule).is_empty());
        assert!(!may_hold("# Title\n## Part\n"));
    }
}
