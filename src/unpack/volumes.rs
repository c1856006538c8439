//! Archives in several volumes that lie beside each other: pieces of one file, and zips, are joined here at the volume
//! that opens them; the volumes of a RAR archive, each an archive by itself, by its reader.
//!
//! A volume that is missing is told at those that are there.

use bytes::Bytes;

use crate::bytes::u16_at;
use crate::formats::volumes::{self, LAST, Scheme, Volume};
use crate::model::{Artifact, Family, Kind, Name, Trouble};

use super::{Child, Nest, Payload};

/// How the whole of several volumes is reached.
const VIA: &str = "joined-volumes";

/// Volumes of one set at the most.
const VOLUMES: usize = 1000;

/// Files that lie beside an artifact and are volumes of the same set, by their numbers, itself among them.
pub(super) struct Set {
    /// The artifact itself.
    pub(super) volume: Volume,
    /// Each number once.
    pub(super) volumes: Vec<(usize, Bytes)>,
}

impl Set {
    /// The set that an artifact's name puts it into; `None` where the name says nothing of one.
    pub(super) fn of(artifact: &Artifact, nest: &mut Nest<'_>) -> Option<Self> {
        let set = Self::among(artifact, nest.beside());
        nest.asked |= set.as_ref().is_some_and(Self::has_others);
        set
    }

    /// The set among files that lie beside an artifact.
    pub(super) fn among<'b>(
        artifact: &Artifact,
        beside: impl Iterator<Item = (&'b Name, &'b Bytes)>,
    ) -> Option<Self> {
        let name = artifact.name.as_ref()?;
        let volume = name.files().find_map(volumes::of)?;
        let mut found = vec![(volume.number, artifact.data.clone())];
        for (name, data) in beside {
            let other = name.files().find_map(volumes::of);
            if let Some(other) = other.filter(|other| other.is_beside(&volume))
                && found.iter().all(|(number, _)| *number != other.number)
                && found.len() < VOLUMES
            {
                found.push((other.number, data.clone()));
            }
        }
        found.sort_by_key(|(number, _)| *number);
        Some(Self {
            volume,
            volumes: found,
        })
    }

    /// Whether others are there.
    pub(super) fn has_others(&self) -> bool {
        self.volumes.len() > 1
    }

    /// The first volume that is missing between those that are there.
    pub(super) fn gap(&self) -> Option<usize> {
        let numbers: Vec<usize> = self.volumes.iter().map(|(number, _)| *number).collect();
        Volume::gap(&numbers)
    }

    /// The volume of a number.
    pub(super) fn get(&self, number: usize) -> Option<&Bytes> {
        let found = self.volumes.iter().find(|(one, _)| *one == number);
        found.map(|(_, data)| data)
    }
}

/// Joins a set at its first piece, or at the last volume of a zip.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    // A whole bears the name of its last volume.
    if artifact.via == Some(VIA) {
        return Ok(());
    }
    let Some(set) = Set::of(artifact, nest) else {
        return Ok(());
    };
    match set.volume.scheme {
        Scheme::Pieces => pieces(artifact, &set, nest),
        Scheme::Zip => zip(artifact, &set, nest),
        Scheme::Parts | Scheme::Letters => Ok(()),
    }
}

fn pieces(artifact: &Artifact, set: &Set, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let base = &set.volume.base;
    let first = set.get(1);
    let is_archive = is_archive_name(base);
    if set.volume.number != 1 {
        if first.is_none() && is_archive && artifact.kind == Kind::Data {
            nest.unread(0, format!("{}: volume 1 is missing", shown(base)));
        }
        // The last piece of a zip reads as one with most of it missing; the walk through the whole meets all of it.
        let is_zip = first.is_some_and(|first| first.starts_with(b"PK\x03\x04"));
        if is_zip && is_archive && set.gap().is_none() && artifact.reads_as(Kind::Zip) {
            nest.close();
        }
        return Ok(());
    }
    // Numbers at the end of names of ordinary files mean nothing.
    let opens = is_archive
        || matches!(
            artifact.kind.family(),
            Family::Archive
                | Family::Compressed
                | Family::Executable
                | Family::Disk
                | Family::Installer
        );
    if !opens || !set.has_others() {
        return Ok(());
    }
    let whole = set.volumes.iter().map(|(_, data)| data);
    match set.gap() {
        None => join(whole, base, nest),
        Some(gap) => {
            nest.unread(0, format!("{}: volume {gap} is missing", shown(base)));
            join(whole.take(gap.saturating_sub(1)), base, nest)
        }
    }
}

fn zip(artifact: &Artifact, set: &Set, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let name = format!("{}.zip", set.volume.base);
    let declared = set.get(LAST).and_then(|last| earlier(last));
    if set.volume.number != LAST {
        match set.get(LAST) {
            None => nest.unread(0, format!("{}: the last volume is missing", shown(&name))),
            // Opened as a whole at the last volume.
            Some(_) if declared.is_some() => nest.close(),
            Some(_) => {}
        }
        return Ok(());
    }
    let Some(declared) = declared.filter(|_| artifact.kind != Kind::Empty) else {
        return Ok(());
    };
    if let Some(gap) = (1..=declared).find(|number| set.get(*number).is_none()) {
        nest.unread(
            0,
            format!(
                "{}: volume {gap} of {} is missing",
                shown(&name),
                declared.saturating_add(1)
            ),
        );
        if !set.has_others() {
            return Ok(());
        }
    }
    join(set.volumes.iter().map(|(_, data)| data), &name, nest)
}

/// Volumes before the last of a zip, by the record at its end; `None` where there is none but itself.
fn earlier(last: &[u8]) -> Option<usize> {
    let from = last.len().saturating_sub(22 + 65_535);
    let tail = last.get(from..)?;
    let at = memchr::memmem::rfind(tail, b"PK\x05\x06")?;
    let number = u16_at(tail, at.checked_add(4)?)?;
    (1..VOLUMES)
        .contains(&usize::from(number))
        .then_some(usize::from(number))
}

/// Pushes the whole; the volumes by themselves are not opened, for all of their bytes are in it.
fn join<'d>(
    volumes: impl Iterator<Item = &'d Bytes>,
    name: &str,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let mut whole = Vec::new();
    for data in volumes {
        nest.budget().spend(data.len())?;
        whole.extend_from_slice(data);
    }
    nest.push(Child::new(VIA, Payload::Paid(whole.into())).named(Name::of(name)))?;
    nest.close();
    Ok(())
}

fn is_archive_name(base: &str) -> bool {
    const ENDINGS: &[&str] = &[
        "7z", "zip", "rar", "tar", "gz", "tgz", "bz2", "xz", "zst", "cab", "lzh", "arj", "iso",
        "img", "exe", "wim", "alz", "egg", "vhd", "vhdx",
    ];
    base.rsplit_once('.')
        .is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

fn shown(name: &str) -> String {
    crate::text::excerpt(name)
}
