//! What stands in front of the first element of markup: blanks, declarations, comments, processing instructions, a
//! document type (XML 1.0, 2.8; HTML 13.2.6.4.1). However long it is, a parser reads over it.

use memchr::{memchr, memmem};

/// The end of what stands in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prolog {
    /// Where the first element starts.
    pub(super) at: usize,
    /// Whether a document type says HTML.
    pub(super) html: bool,
}

/// The prolog of a text whose letters of ASCII are bytes; `None` where it does not end, or no element follows. One pass.
pub(super) fn of(text: &[u8]) -> Option<Prolog> {
    // Pages have instructions that end at the first bracket, and no declaration.
    // What is missing once is missing behind it too.
    let mut strict = begins(text, blanks(text), b"<?xml");
    let mut html = false;
    let mut at = 0usize;
    // Ends because each turn goes on behind what it found.
    loop {
        at = at.checked_add(blanks(text.get(at..)?))?;
        if begins(text, at, b"<!--") {
            at = behind(text, at.checked_add(4)?, b"-->")?;
        } else if begins(text, at, b"<!doctype") {
            let inner = at.checked_add(9)?;
            let name = inner.checked_add(blanks(text.get(inner..)?))?;
            html |= begins(text, name, b"html");
            at = behind_type(text, inner)?;
        } else if begins(text, at, b"<?") {
            let instruction = match strict {
                true => behind(text, at, b"?>"),
                false => None,
            };
            strict = instruction.is_some();
            at = instruction.or_else(|| behind(text, at, b">"))?;
        } else if begins(text, at, b"<!") {
            at = behind(text, at, b">")?;
        } else {
            return begins(text, at, b"<").then_some(Prolog { at, html });
        }
    }
}

/// Behind the tag that starts `text`: a bracket between quotes does not end it, unless nothing else does.
pub(super) fn end_of_tag(text: &[u8]) -> Option<usize> {
    let mut quote = None;
    let end = text.iter().position(|byte| {
        match (quote, *byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(*byte),
            (None, byte) => return byte == b'>',
        }
        false
    });
    end.or_else(|| memchr(b'>', text))?.checked_add(1)
}

/// How many bytes in front are blanks, marks of a byte order among them.
pub(super) fn blanks(text: &[u8]) -> usize {
    let mut rest = text;
    loop {
        rest = match rest {
            [byte, tail @ ..] if byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b) => tail,
            [0xef, 0xbb, 0xbf, tail @ ..] => tail,
            _ => return text.len().saturating_sub(rest.len()),
        }
    }
}

fn begins(text: &[u8], at: usize, word: &[u8]) -> bool {
    let found = crate::bytes::slice(text, at, word.len());
    found.is_some_and(|found| found.eq_ignore_ascii_case(word))
}

fn behind(text: &[u8], at: usize, end: &[u8]) -> Option<usize> {
    let found = memmem::find(text.get(at..)?, end)?;
    at.checked_add(found)?.checked_add(end.len())
}

/// Behind a document type: within its own brackets there are declarations, comments and quoted texts.
fn behind_type(text: &[u8], start: usize) -> Option<usize> {
    let close = behind(text, start, b">")?;
    let open = memchr(b'[', text.get(start..close)?);
    let Some(open) = open else {
        return Some(close);
    };
    let mut at = start.checked_add(open)?.checked_add(1)?;
    // Ends because each turn goes on behind what it found.
    loop {
        let skip = next_mark(text.get(at..)?)?;
        at = at.checked_add(skip)?;
        let byte = *text.get(at)?;
        if begins(text, at, b"<!--") {
            at = behind(text, at.checked_add(4)?, b"-->")?;
        } else if begins(text, at, b"<?") {
            at = behind(text, at, b"?>")?;
        } else if byte == b']' {
            return behind(text, at, b">");
        } else if byte == b'<' {
            at = at.checked_add(1)?;
        } else {
            at = behind(text, at.checked_add(1)?, &[byte])?;
        }
    }
}

/// The next byte that matters within the brackets of a document type.
fn next_mark(text: &[u8]) -> Option<usize> {
    text.iter()
        .position(|byte| matches!(byte, b'<' | b']' | b'"' | b'\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<(&str, bool)> {
        let found = of(text.as_bytes())?;
        Some((text.get(found.at..).unwrap(), found.html))
    }

    #[test]
    fn whatever_stands_in_front_is_passed_over() {
        for front in [
            "",
            "\u{feff} \r\n\0",
            "<?xml version='1.0'?><!-- <b> -->",
            "<?xml?><?a ><b ?>",
            "<!DOCTYPE a [<!ENTITY b ']>'><!-- ]> --><?c ]> ?><!ELEMENT d (e)>]>",
            "<!doctype a system \"b\">",
            "<!x><?y>",
        ] {
            let text = format!("{front}<r a='1'>");
            assert_eq!(first(&text), Some(("<r a='1'>", false)), "{front}");
        }
        assert_eq!(first(" <!DOCTYPE  html><p>"), Some(("<p>", true)));
        for front in ["<!-- a -->\n", "<?a>", "<?a ?>", "<!a>"] {
            for start in ["", "<?xml?>"] {
                let long = start.to_owned() + &front.repeat(100_000) + "<r>";
                assert_eq!(first(&long), Some(("<r>", false)), "{front}");
            }
        }
    }

    #[test]
    fn what_does_not_end_has_no_element() {
        for text in [
            "",
            "a <r>",
            "<!-- <r>",
            "<!DOCTYPE a [<!-- ]><r>",
            "<!DOCTYPE a [']><r>",
        ] {
            assert_eq!(first(text), None, "{text}");
        }
    }

    #[test]
    fn brackets_between_quotes_end_no_tag() {
        assert_eq!(end_of_tag(b"<a b='>' c=\">\"> d"), Some(15));
        assert_eq!(end_of_tag(b"<a b='> c"), Some(7));
        assert_eq!(end_of_tag(b"<a b"), None);
    }
}
