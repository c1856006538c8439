//! The language M of Power Query (Power Query M formula language specification): its texts.

/// Texts at the most: more than a query of a few MiB has.
const TEXTS: usize = 1 << 20;

/// The texts of a query, those put together with `&` as one. Comments are left out.
pub fn texts(source: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut rest = source;
    let mut joined = false;
    // Ends because each turn takes at least one character.
    while let Some(c) = rest.chars().next() {
        let behind = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = match c {
            '"' => {
                let (text, behind) = text(behind);
                if found.len() >= TEXTS {
                    return found;
                }
                match found.last_mut() {
                    Some(last) if joined => last.push_str(&text),
                    _ => found.push(text),
                }
                joined = behind.trim_start().starts_with('&');
                behind
            }
            '/' if behind.starts_with('/') => behind.split_once('\n').map_or("", |(_, rest)| rest),
            '/' if behind.starts_with('*') => behind.split_once("*/").map_or("", |(_, rest)| rest),
            '&' | '(' => behind,
            c if c.is_whitespace() => behind,
            _ => {
                joined = false;
                behind
            }
        };
    }
    found
}

/// A text behind its quote, and what follows it: a quote is written twice, other characters by name or number.
fn text(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut rest = source;
    loop {
        let Some(end) = rest.find(['"', '#']) else {
            text.push_str(rest);
            return (text, "");
        };
        let (before, behind) = rest.split_at(end);
        text.push_str(before);
        if let Some(quoted) = behind.strip_prefix("\"\"") {
            text.push('"');
            rest = quoted;
        } else if let Some(behind) = behind.strip_prefix('"') {
            return (text, behind);
        } else if let Some((names, behind)) = behind.strip_prefix("#(").and_then(escape) {
            text.extend(names.split(',').filter_map(|name| character(name.trim())));
            rest = behind;
        } else {
            text.push('#');
            rest = behind.get(1..).unwrap_or_default();
        }
    }
}

/// The names in an escape, and what stands behind it.
fn escape(behind: &str) -> Option<(&str, &str)> {
    /// Bytes of the longest that is read.
    const LONGEST: usize = 256;
    let head = behind.get(..behind.floor_char_boundary(LONGEST))?;
    let end = head.find(')')?;
    Some((behind.get(..end)?, behind.get(end.saturating_add(1)..)?))
}

fn character(name: &str) -> Option<char> {
    match name {
        "tab" => Some('\t'),
        "cr" => Some('\r'),
        "lf" => Some('\n'),
        "#" => Some('#'),
        hex => u32::from_str_radix(hex, 16).ok().and_then(char::from_u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_put_together_and_escapes_resolved() {
        let source = "let a = Web.Contents(\"ht\" & \"tp://a.example/\"), // \"no\"\n b = /* \"no\" */ \"c\"\"d#(tab,0041)#(x\" in b, \"e\" f \"g";
        assert_eq!(texts(source), ["http://a.example/", "c\"d\tA#(x", "e", "g"]);
    }
}
