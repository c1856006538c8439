//! SquashFS: the packages of Snap, and behind the program of an AppImage.

use std::cell::Cell;

use crate::formats::squashfs::{self, Closed, Contents};
use crate::limits::Halt;
use crate::model::{Artifact, Kind, Name, Trouble};
use crate::text;

use super::disk::{FILE, name};
use super::{Child, Nest, Payload};

/// Places of the mark behind a program that are looked at.
const TRIED: usize = 64;

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let start = start(artifact);
    let data = artifact.data.slice(start..);
    let volume = squashfs::read(&data, nest.budget()).map_err(|closed| match closed {
        Closed::NoReader(what) => Trouble::NoReader(what),
        Closed::Broken(what) => Trouble::Broken(what),
        Closed::Halt(halt) => Trouble::TooMuch(halt),
    })?;
    for unread in &volume.unread {
        nest.unread(unread.at.saturating_add(start), unread.what.clone());
    }
    let mut contents = Contents::new(&data, &volume);
    for file in &volume.files {
        nest.tick()?;
        if file.size == 0 {
            continue;
        }
        let names: Vec<Name> = file.paths.iter().map(name).collect();
        let first = names.first().cloned().unwrap_or_default();
        let shown = text::excerpt(&first.text);
        let meter = Cell::new(0);
        let mut content = contents.open(file, &meter, nest.budget())?;
        let decoded = nest.read_metered(&mut content, &meter, file.size);
        let readings = names.into_iter().flat_map(|name| name.readings).collect();
        let child = Child::new(FILE, Payload::Paid(decoded.data.into()))
            .named(Name::from_readings(first.raw, readings));
        nest.push_decoded(child, decoded.fault, &shown)?;
    }
    if volume.full {
        return Err(Trouble::TooMuch(Halt::Ceiling("files of a SquashFS image")));
    }
    Ok(())
}

/// Where the image starts: behind a program, at the first mark that a superblock follows.
fn start(artifact: &Artifact) -> usize {
    if artifact.kind == Kind::SquashFs {
        return 0;
    }
    let marks = memchr::memmem::find_iter(&artifact.data, b"hsqs");
    marks
        .take(TRIED)
        .find(|at| {
            let version = at
                .checked_add(28)
                .and_then(|at| crate::bytes::u32_at(&artifact.data, at));
            version == Some(4)
        })
        .unwrap_or_default()
}
