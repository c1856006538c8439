//! XML in EBCDIC (XML 1.0, appendix F): told by its declaration, read as far as the code pages for Latin letters agree.

use super::{Child, Nest};
use crate::model::{Artifact, Kind, Trouble};

/// What such bytes are told to be.
pub(super) const KINDS: &[Kind] = &[Kind::Data];

/// `<?xml` in each of the code pages.
const DECLARATION: &[u8] = &[0x4c, 0x6f, 0xa7, 0x94, 0x93];

/// Pushes the text in UTF-8 under the same name.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if !artifact.data.starts_with(DECLARATION) {
        return Ok(());
    }
    nest.budget().spend(artifact.data.len())?;
    let text: String = artifact.data.iter().map(|byte| letter(*byte)).collect();
    let child = Child::new("decoded-text", text.into_bytes());
    let child = match &artifact.name {
        Some(name) => child.named(name.clone()),
        None => child,
    };
    nest.push(child).map(|_| ())
}

/// The character of a byte in the set that all pages share, with brackets where any of the common ones has them.
fn letter(byte: u8) -> char {
    let from = |first: u8, letter: u8| char::from(byte.wrapping_sub(first).wrapping_add(letter));
    match byte {
        0x81..=0x89 => from(0x81, b'a'),
        0x91..=0x99 => from(0x91, b'j'),
        0xa2..=0xa9 => from(0xa2, b's'),
        0xc1..=0xc9 => from(0xc1, b'A'),
        0xd1..=0xd9 => from(0xd1, b'J'),
        0xe2..=0xe9 => from(0xe2, b'S'),
        0xf0..=0xf9 => from(0xf0, b'0'),
        0x05 | 0x40 => ' ',
        0x0d | 0x15 | 0x25 => '\n',
        0x4b => '.',
        0x4c => '<',
        0x4d => '(',
        0x4e => '+',
        0x4f => '|',
        0x50 => '&',
        0x5a => '!',
        0x5b => '$',
        0x5c => '*',
        0x5d => ')',
        0x5e => ';',
        0x60 => '-',
        0x61 => '/',
        0x6b => ',',
        0x6c => '%',
        0x6d => '_',
        0x6e => '>',
        0x6f => '?',
        0x7a => ':',
        0x7b => '#',
        0x7c => '@',
        0x7d => '\'',
        0x7e => '=',
        0x7f => '"',
        0xa1 => '~',
        0xad | 0xba => '[',
        0xbb | 0xbd => ']',
        0xc0 => '{',
        0xd0 => '}',
        0xe0 => '\\',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;

    /// `<?xml version="1.0" encoding="IBM037"?><order x='y'/>`, by the encoder of Python.
    const WRITTEN: &[u8] = b"\x4c\x6f\xa7\x94\x93\x40\xa5\x85\x99\xa2\x89\x96\x95\x7e\x7f\xf1\x4b\xf0\x7f\x40\x85\x95\x83\x96\x84\x89\x95\
        \x87\x7e\x7f\xc9\xc2\xd4\xf0\xf3\xf7\x7f\x6f\x6e\x4c\x96\x99\x84\x85\x99\x40\xa7\x7e\x7d\xa8\x7d\x61\x6e";

    #[test]
    fn what_declares_itself_is_read_and_other_bytes_are_not() {
        let (children, facts) = opened("ebcdic", WRITTEN);
        assert_eq!(facts, []);
        let text = "<?xml version=\"1.0\" encoding=\"IBM037\"?><order x='y'/>";
        assert_eq!(children[0].data.as_ref(), text.as_bytes());
        assert_eq!(children[0].kind.as_str(), "xml");
        let behind = WRITTEN.split_at(1).1;
        assert!(opened("ebcdic", behind).0.is_empty());
    }
}
