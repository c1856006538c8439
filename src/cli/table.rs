//! Rows for people and for spreadsheets. Every cell is made safe here.

use crate::text;

/// Columns of a terminal that a cell takes at most; the last one of a row takes what it needs.
const WIDEST: usize = 40;

/// Rows under their headings, in columns that line up.
pub(super) fn aligned(head: &[&str], rows: &[Vec<String>]) -> String {
    let last = head.len().saturating_sub(1);
    let cell = |at: usize, text: &str| {
        if at == last {
            text::safe(text)
        } else {
            cut(&text::safe(text))
        }
    };
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(&head)
        .chain(rows)
        .map(|row| {
            row.iter()
                .enumerate()
                .map(|(at, text)| cell(at, text))
                .collect()
        })
        .collect();
    let mut widths = vec![0; head.len()];
    for line in &lines {
        for (widest, text) in widths.iter_mut().zip(line) {
            *widest = width(text).max(*widest);
        }
    }
    let mut out = String::new();
    for line in &lines {
        let mut text = String::new();
        for (cell, widest) in line.iter().zip(&widths) {
            text.push_str(cell);
            let blanks = widest.saturating_sub(width(cell)).saturating_add(2);
            text.extend(std::iter::repeat_n(' ', blanks));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

/// Comma-separated values (RFC 4180) that no spreadsheet takes for formulas.
pub(super) fn csv(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = head.join(",");
    out.push_str("\r\n");
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| field(cell)).collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

fn field(text: &str) -> String {
    let text = text::safe(text);
    // What a spreadsheet takes for a formula starts with one of these, in Japanese ones in full width too.
    let formula = text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let text = if formula { format!("'{text}") } else { text };
    if text.contains(['"', ',', '\n', '\r', ';']) || formula {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// The first of several, and how many more there are.
pub(super) fn first_of(texts: &[String]) -> String {
    match texts {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} (+{})", rest.len()),
    }
}

fn cut(text: &str) -> String {
    if width(text) <= WIDEST {
        return text.to_owned();
    }
    let mut taken = 0;
    let mut out = String::new();
    for c in text.chars() {
        taken = columns(c).saturating_add(taken);
        if taken >= WIDEST {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// Columns of a terminal that a text takes.
fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Columns of a character: two for those of East Asian scripts (Unicode Standard Annex 11, the large blocks of it).
fn columns(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn columns_line_up_in_japanese_too() {
        let rows = [row(&["請求書", "a"]), row(&["x", "\u{1b}[2Jb"])];
        assert_eq!(
            aligned(&["NAME", "WHAT"], &rows),
            "NAME    WHAT\n請求書  a\nx       \\u{1b}[2Jb\n"
        );
        let long = "あ".repeat(50);
        let cut = aligned(&["A", "B"], &[row(&[&long, "b"])]);
        assert!(
            cut.contains('…') && cut.lines().all(|line| width(line) <= WIDEST + 3),
            "{cut}"
        );
    }

    #[test]
    fn no_cell_is_a_formula() {
        let rows = [row(&[
            "=HYPERLINK(\"http://x\",\"y\")",
            "a,b",
            "-1+2",
            "plain",
            "＝1",
        ])];
        assert_eq!(
            csv(&["a", "b", "c", "d", "e"], &rows),
            "a,b,c,d,e\r\n\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\",\"a,b\",\"'-1+2\",plain,\"'＝1\"\r\n"
        );
    }
}
