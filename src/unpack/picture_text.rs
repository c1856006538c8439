//! Compressed texts and colour profiles in PNG (PNG third edition, 11.3.3): where loaders keep what a viewer never shows.
//!
//! Ordinary texts and profiles make no child.

use crate::identify;
use crate::model::{Artifact, Family, Kind, Trouble};

use super::{Child, Nest, Payload};

/// Kinds that are looked into.
pub(super) const KINDS: &[Kind] = &[Kind::Png];

/// Bytes of the signature.
const SIGNATURE: usize = 8;

/// Chunks that are looked into, at the most.
const CHUNKS: usize = 256;

/// A text of so many bytes may be a program in letters.
const LONG: usize = 1024;

/// Pushes what is no ordinary text or profile.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let mut at = SIGNATURE;
    let mut looked = 0usize;
    // Ends because each turn goes on by twelve bytes at least.
    while let Some(head) = data
        .get(at..at.saturating_add(8))
        .filter(|_| looked < CHUNKS)
    {
        nest.tick()?;
        let (len, kind) = head.split_at(4);
        let len = len
            .iter()
            .fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
        let start = at.saturating_add(8);
        let end = start.saturating_add(len);
        at = end.saturating_add(4);
        let Some(chunk) = data.get(start..end.min(data.len())) else {
            break;
        };
        let Some(packed) = packed(kind, chunk) else {
            continue;
        };
        looked = looked.saturating_add(1);
        let decoded = nest.inflate(packed, 0, flate2::bufread::ZlibDecoder::new);
        if let Some(Trouble::TooMuch(halt)) = decoded.fault.map(Trouble::from) {
            return Err(Trouble::TooMuch(halt));
        }
        if counts(&decoded.data, nest) {
            let child = Child::new("picture-text", Payload::Paid(decoded.data.into()));
            nest.push(child)?;
        }
    }
    Ok(())
}

/// The zlib stream of a chunk that has one: behind a keyword, in `iTXt` behind flags and two more words.
fn packed<'a>(kind: &[u8], chunk: &'a [u8]) -> Option<&'a [u8]> {
    let behind = |data: &'a [u8]| data.get(memchr::memchr(0, data)?.checked_add(1)?..);
    match kind {
        b"zTXt" | b"iCCP" => behind(chunk)?.get(1..),
        b"iTXt" => match behind(chunk)? {
            [1, _, rest @ ..] => behind(behind(rest)?),
            _ => None,
        },
        _ => None,
    }
}

/// Whether it is something other than a short text or a profile.
fn counts(data: &[u8], nest: &Nest<'_>) -> bool {
    let kind = identify::identify(data, nest.budget()).kind;
    match kind.family() {
        Family::Text => data.len() >= LONG,
        Family::Data | Family::Image | Family::Media | Family::Font => {
            let mut marks = memchr::memmem::find_iter(data, b"MZ").take(64);
            marks.any(|at| identify::embedded_program(data, at).is_some())
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::tests::{opened, pe};

    fn picture(kind: &[u8], before: &[u8], content: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(content).unwrap();
        let chunk = [before, &packer.finish().unwrap()].concat();
        let len = u32::try_from(chunk.len()).unwrap().to_be_bytes();
        let end = b"\0\0\0\0IEND\xae\x42\x60\x82";
        [
            b"\x89PNG\r\n\x1a\n".as_slice(),
            &len,
            kind,
            &chunk,
            &[0; 4],
            end,
        ]
        .concat()
    }

    #[test]
    fn programs_in_packed_texts_and_profiles_are_children_and_ordinary_ones_are_not() {
        for (kind, before) in [
            (b"zTXt", b"Comment\0\0".as_slice()),
            (b"iCCP", b"profile\0\0"),
            (b"iTXt", b"Comment\0\x01\0ja\0\xe6\x96\x87\0"),
        ] {
            let (children, _) = opened("picture_text", &picture(kind, before, &pe()));
            assert_eq!(children.len(), 1, "{}", kind.escape_ascii());
            assert_eq!(children[0].data, pe());
            let note = b"made by hand with a brush".as_slice();
            let (children, _) = opened("picture_text", &picture(kind, before, note));
            assert!(children.is_empty());
        }
        let plain = picture(b"iTXt", b"Comment\0\0\0ja\0\0", &pe());
        assert!(opened("picture_text", &plain).0.is_empty());
        let whole = picture(b"zTXt", b"Comment\0\0", &pe());
        for cut in 8..whole.len() {
            opened("picture_text", &whole[..cut]);
        }
    }
}
