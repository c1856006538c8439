//! Blocks of uuencode and yEnc in text: each becomes a child, wherever the text came from.

use super::{Child, Nest};
use crate::formats::header_words::readings;
use crate::formats::uuencode::{self, Block};
use crate::formats::yenc;
use crate::model::{Artifact, Fact, Kind, Name, Trouble};

/// Kinds that are gone through for it alone. yEnc makes text look like no text.
pub(super) const KINDS: &[Kind] = &[Kind::Uue, Kind::Data];

/// Kinds that are gone through for other encodings in the same pass.
pub(super) const TEXTS: &[Kind] = &[Kind::Text, Kind::Email, Kind::Html, Kind::Csv, Kind::Sh];

/// In the first line of a block of either.
pub(super) const MARK: &[u8] = b"begin";

/// Opens every block.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let text: &[u8] = &artifact.data;
    // Most texts are gone through once for both.
    if memchr::memmem::find(text, MARK).is_none() {
        return Ok(());
    }
    if artifact.kind == Kind::Sh {
        in_lines_of_shar(text, nest)?;
    }
    let mut at = 0;
    // Ends because a block is never empty.
    while let Some(block) = uuencode::next(text, at) {
        nest.tick()?;
        at = block.range.end;
        push("uuencoded", block, nest)?;
    }
    let mut at = 0;
    while let Some(block) = yenc::next(text, at) {
        nest.tick()?;
        at = block.range.end;
        let is_wrong = block.is_wrong;
        push("yenc", block, nest)?;
        if is_wrong {
            nest.deviation(at, "the checksum of an encoded block does not hold");
        }
    }
    Ok(())
}

/// Opens the blocks of a shell archive that has an `X` in front of every line, for a line of its own to end them.
fn in_lines_of_shar(text: &[u8], nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if memchr::memmem::find(text, b"\nXbegin ").is_none() {
        return Ok(());
    }
    nest.budget().spend(text.len())?;
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let lines = lines.filter_map(|line| line.strip_prefix(b"X"));
    let plain: Vec<u8> = lines.flatten().copied().collect();
    let mut at = 0;
    // Ends because a block is never empty.
    while let Some(block) = uuencode::next(&plain, at) {
        nest.tick()?;
        at = block.range.end;
        nest.push(child("uuencoded", block))?;
    }
    Ok(())
}

fn child(via: &'static str, block: Block) -> Child {
    let child = Child::new(via, block.data);
    if block.name.is_empty() {
        return child;
    }
    let texts = readings(&block.name);
    child.named(Name::from_readings(block.name, texts))
}

fn push(via: &'static str, block: Block, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let (range, cut) = (block.range.clone(), block.cut);
    let start = range.start;
    nest.push(child(via, block).at(range))?;
    if cut {
        nest.note(Fact::Deviation {
            at: Some(start),
            what: "an encoded block has no end line".to_owned(),
        });
    }
    Ok(())
}
