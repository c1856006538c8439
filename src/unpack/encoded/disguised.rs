//! Programs in base64 where no text is expected or no base64 is seen: in a comment of a picture or behind its end, and
//! with its letters moved by thirteen.

use crate::model::{Artifact, Kind, Trouble};

use super::super::Nest;
use super::in_plain;

/// Kinds that may carry a program in base64 in a comment or behind their end.
pub(in crate::unpack) const PICTURES: &[Kind] = &[
    Kind::Png,
    Kind::Jpg,
    Kind::Gif,
    Kind::Bmp,
    Kind::Webp,
    Kind::Ico,
];

/// Starts of programs in base64, as they are and with their letters moved by thirteen.
const PROGRAMS: [&[u8]; 3] = [b"TVqQ", b"TVpQ", b"TVoA"];
const MOVED: [&[u8]; 3] = [b"GIdD", b"GIcD", b"GIbN"];

/// Pushes programs that a picture carries in base64.
pub(in crate::unpack) fn run_picture(
    artifact: &Artifact,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let first = PROGRAMS
        .iter()
        .filter_map(|mark| memchr::memmem::find(&artifact.data, mark))
        .min();
    match first.and_then(|at| artifact.data.get(at..)) {
        Some(run) => in_plain(run, true, nest),
        None => Ok(()),
    }
}

/// Pushes programs in base64 whose letters were moved by thirteen.
pub(super) fn moved(text: &[u8], nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let first = MOVED
        .iter()
        .filter_map(|mark| memchr::memmem::find(text, mark))
        .min();
    let Some(run) = first.and_then(|at| text.get(at..)) else {
        return Ok(());
    };
    nest.budget().spend(run.len())?;
    let back = |byte: &u8| match byte {
        b'a'..=b'm' | b'A'..=b'M' => byte.saturating_add(13),
        b'n'..=b'z' | b'N'..=b'Z' => byte.saturating_sub(13),
        other => *other,
    };
    let run: Vec<u8> = run.iter().map(back).collect();
    in_plain(&run, true, nest)
}
