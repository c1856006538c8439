//! The hash by which a macro project is known again: over its source as the editor means it, not as a file keeps it.
//!
//! Taken out of the source: line ends (CR, LF, both), blank lines, blanks at both ends of a line, runs of blanks and
//! tabs within it (one blank stands for them), upper and lower case of ASCII letters. Text between quotes stays as it is
//! but for line ends. Comments count, and so do `Attribute` lines: what a reader of another kind takes for a comment
//! may be code. Modules without code do not count: every sheet has one. Order and names' case of modules do not matter.
//! Compiled code, forms and references are not in it.

use sha2::{Digest as _, Sha256};

/// SHA-256 over the modules of a project: names and sources in the code page of the project. None where no module
/// has code.
pub fn hash(modules: &[(String, &[u8])]) -> Option<[u8; 32]> {
    let mut normal: Vec<(String, Vec<u8>)> = modules
        .iter()
        .filter(|(_, source)| has_code(source))
        .map(|(name, source)| (name.to_lowercase(), normalized(source)))
        .collect();
    if normal.is_empty() {
        return None;
    }
    normal.sort();
    let mut digest = Sha256::new();
    for (name, source) in &normal {
        // Lengths in front: no two projects come to the same bytes.
        for part in [name.as_bytes(), source] {
            digest.update(crate::bytes::length(part.len()).to_le_bytes());
            digest.update(part);
        }
    }
    Some(digest.finalize().into())
}

/// Whether any line is neither blank nor an attribute. Line ends and `Attribute` are ASCII in every code page.
pub fn has_code(source: &[u8]) -> bool {
    lines(source).any(|line| {
        let word = line.get(..9).unwrap_or(line);
        !line.is_empty() && !word.eq_ignore_ascii_case(b"Attribute")
    })
}

fn lines(source: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = source.split(|byte| matches!(byte, b'\r' | b'\n'));
    lines.map(<[u8]>::trim_ascii)
}

/// Lines that end in LF.
fn normalized(source: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(source.len());
    for line in lines(source).filter(|line| !line.is_empty()) {
        let (mut quoted, mut blank) = (false, false);
        for byte in line {
            match byte {
                b' ' | b'\t' if !quoted => {
                    blank = true;
                    continue;
                }
                b'"' => quoted = !quoted,
                _ => {}
            }
            if std::mem::take(&mut blank) {
                out.push(b' ');
            }
            out.push(match quoted {
                true => *byte,
                false => byte.to_ascii_lowercase(),
            });
        }
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> Option<[u8; 32]> {
        hash(&[("Module1".to_owned(), source.as_bytes())])
    }

    const SOURCE: &str = "Attribute VB_Name = \"Module1\"\r\nSub AutoOpen()\r\n    x = \"a  B\" ' why\r\nEnd Sub\r\n";

    #[test]
    fn what_files_and_editors_change_changes_nothing() {
        for other in [
            SOURCE.replace("\r\n", "\n"),
            SOURCE.replace("\r\n", "\r"),
            SOURCE.replace("    x", "\tx"),
            SOURCE.replace(" ' why", "   '  why"),
            SOURCE.replace("End Sub\r\n", "\r\n\r\nEND SUB"),
        ] {
            assert_eq!(of(&other), of(SOURCE), "{other}");
        }
        let modules = [
            ("Module1".to_owned(), SOURCE.as_bytes()),
            ("Other".to_owned(), &b"y = 1"[..]),
            ("Sheet1".to_owned(), &b"Attribute VB_Name = \"Sheet1\""[..]),
        ];
        let [first, second, _] = modules.clone();
        assert_eq!(hash(&modules), hash(&[second, first]));
    }

    #[test]
    fn what_means_something_else_is_another_project() {
        for other in [
            SOURCE.replace("a  B", "a B"),
            SOURCE.replace("a  B", "a  b"),
            SOURCE.replace("' why", ": y"),
            SOURCE.replace("x =", "xy ="),
            SOURCE.replace("End Sub", "Shell \"calc\"\r\nEnd Sub"),
        ] {
            assert_ne!(of(&other), of(SOURCE), "{other}");
        }
        let named = hash(&[("Module2".to_owned(), SOURCE.as_bytes())]);
        assert_ne!(named, of(SOURCE));
        assert_eq!(of("Attribute VB_Name = \"a\"\r\n\r\n"), None);
    }
}
