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

/// What all of the latter begin with.
const MOVED_START: &[u8] = b"GI";

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
        Some(run) => in_plain(run, true, nest).map(|_| ()),
        None => Ok(()),
    }
}

/// Where the first program in base64 whose letters were moved by thirteen may start.
pub(super) fn first_moved(text: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(text, MOVED_START).find(|at| {
        let rest = text.get(*at..).unwrap_or_default();
        MOVED.iter().any(|mark| rest.starts_with(mark))
    })
}

/// Pushes programs in base64 whose letters were moved by thirteen, the first of which starts here.
pub(super) fn moved(run: &[u8], nest: &mut Nest<'_>) -> Result<(), Trouble> {
    nest.budget().spend(run.len())?;
    let back = |byte: &u8| match byte {
        b'a'..=b'm' | b'A'..=b'M' => byte.saturating_add(13),
        b'n'..=b'z' | b'N'..=b'Z' => byte.saturating_sub(13),
        other => *other,
    };
    let run: Vec<u8> = run.iter().map(back).collect();
    in_plain(&run, true, nest).map(|_| ())
}
