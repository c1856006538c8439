//! Programs in base64 that do not start where the run does: a few bytes or characters stand in front of them.

use std::ops::Range;

use crate::formats::base64;
use crate::identify;
use crate::model::Trouble;

use super::{Sink, join, without_words_behind};

/// `This program` as base64 writes it at each of the three places of a byte, as far as it is the same whatever stands
/// around it; and the character of a group of four at which it starts.
const STUBS: [(&[u8], usize); 3] = [
    (b"VGhpcyBwcm9ncmFt", 0),
    (b"RoaXMgcHJvZ3Jhb", 2),
    (b"UaGlzIHByb2dyYW", 3),
];

/// Characters of a run in which the text of a program's stub stands, where the run starts with a program or nearly so.
const STUB: usize = 600;

/// A program that does not start where the run does: a few bytes or characters stand in front of it.
pub(super) fn run(
    text: &[u8],
    pieces: &[Range<usize>],
    sink: &mut Sink<'_, '_>,
) -> Result<bool, Trouble> {
    let mut head = Vec::new();
    for piece in pieces {
        head.extend_from_slice(text.get(piece.clone()).unwrap_or_default());
        if head.len() >= STUB {
            break;
        }
    }
    head.truncate(STUB);
    let start = STUBS.iter().find_map(|(stub, within)| {
        let at = memchr::memmem::find(&head, stub)?;
        at.checked_sub(*within)?.checked_rem(4)
    });
    let Some(start) = start else {
        return Ok(false);
    };
    let joined = join(text, pieces);
    let decoded = base64::decode(joined.get(start..).unwrap_or_default());
    let decoded = without_words_behind(decoded);
    let near = decoded.get(..STUB).unwrap_or(&decoded);
    // At the very front it is found as everything else is.
    let program = memchr::memmem::find_iter(near, b"MZ")
        .find(|at| identify::embedded_program(&decoded, *at).is_some());
    match program {
        None | Some(0) if start == 0 => Ok(false),
        None => Ok(false),
        Some(at) => {
            let range = pieces.first().map_or(0, |piece| piece.start)
                ..pieces.last().map_or(0, |piece| piece.end);
            sink.offer(decoded.get(at..).unwrap_or_default().to_vec(), range)
        }
    }
}
