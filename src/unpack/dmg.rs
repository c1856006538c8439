//! Disk images of macOS: every partition, decoded.

use crate::formats::dmg::{self, Part};
use crate::model::{Artifact, Fact, Kind, Trouble};
use crate::text;

use super::disk::PARTITION;
use super::{Child, Nest, Payload, virtual_disk};

/// Pushes every partition that holds anything.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if artifact.data.starts_with(b"encrcdsa") {
        // Told as locked where it was recognised.
        return Ok(());
    }
    let image = dmg::read(&artifact.data)
        .ok_or_else(|| Trouble::Broken("the trailer is cut".to_owned()))?;
    for what in &image.unread {
        nest.unread(0, text::excerpt(what));
    }
    for part in &image.parts {
        nest.tick()?;
        push(artifact, part, nest)?;
    }
    Ok(())
}

fn push(artifact: &Artifact, part: &Part, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let name = match part.name.as_str() {
        "" => "partition".to_owned(),
        name => text::excerpt(name),
    };
    if let Some(method) = part.unknown() {
        nest.note(Trouble::NoReader(format!("{name}: {method}")).into_fact(""));
    }
    let mut stream = dmg::Stream::new(data, part);
    let claimed = (part.stored(), part.size());
    let decoded = virtual_disk::read_disk(&mut stream, data.len(), claimed, nest);
    if let Some(what) = &stream.broken
        && part.unknown().is_none()
    {
        nest.unread(0, format!("{name}: {what}"));
    }
    if decoded.data.iter().all(|byte| *byte == 0) {
        return match decoded.fault.map(Trouble::from) {
            Some(Trouble::TooMuch(halt)) => Err(Trouble::TooMuch(halt)),
            _ => Ok(()),
        };
    }
    let child = Child::new(PARTITION, Payload::Paid(decoded.data.into()));
    let id = nest.push_decoded(child, decoded.fault, &name)?;
    let is_unknown = nest
        .children
        .last()
        .is_some_and(|child| child.kind == Kind::Data);
    if is_unknown && !is_structure(&part.name) {
        let what = "file system of a partition".to_owned();
        nest.note_on(id, Fact::NoReader { what });
    }
    Ok(())
}

/// What stands between partitions: maps, records of drivers, free sectors.
fn is_structure(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "Master Boot Record",
        "MBR",
        "GPT Header",
        "GPT Partition Data",
        "Partition Map",
        "partition_map",
        "Apple_Free",
        "Driver Descriptor",
        "DDM",
        "Apple_Driver",
    ];
    WORDS.iter().any(|word| name.contains(word))
}
