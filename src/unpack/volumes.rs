//! Archives in several volumes that lie beside each other: pieces of one file, and zips, are joined here at the volume
//! that opens them; the volumes of a RAR archive, each an archive by itself, by its reader.
//!
//! A volume that is missing is told at those that are there.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;

use crate::bytes::u16_at;
use crate::formats::volumes::{self, LAST, Scheme, Volume};
use crate::limits::{Budget, Halt};
use crate::model::{Artifact, Family, Id, Kind, Name, Trouble};

use super::{Child, Nest, Payload};

/// How the whole of several volumes is reached.
const VIA: &str = "joined-volumes";

/// The highest number of a volume that is read.
const VOLUMES: usize = 1000;

/// Sets by what the names of their volumes have in common.
type ByBase = BTreeMap<(String, Scheme), Rc<Found>>;

/// The sets among the children of one container, looked for once for all of its volumes: they are opened one after
/// the other.
#[derive(Debug, Default)]
pub struct Sets {
    within: RefCell<Option<(Id, Rc<ByBase>)>>,
    /// Names of files of virtual disks that a description beside them opens.
    described: RefCell<Option<(Id, Rc<BTreeSet<String>>)>>,
}

impl Sets {
    fn among<'n>(
        &self,
        parent: Id,
        named: impl Iterator<Item = (&'n Name, &'n Bytes)>,
        budget: &Budget,
    ) -> Result<Rc<ByBase>, Halt> {
        if let Some((known, sets)) = self.within.borrow().as_ref()
            && *known == parent
        {
            return Ok(Rc::clone(sets));
        }
        let sets = Rc::new(found(named, budget)?);
        self.within.replace(Some((parent, Rc::clone(&sets))));
        Ok(sets)
    }

    /// The names among the children of one container that `look` finds, which is asked once for all of them.
    pub(super) fn described<E>(
        &self,
        parent: Id,
        look: impl FnOnce() -> Result<BTreeSet<String>, E>,
    ) -> Result<Rc<BTreeSet<String>>, E> {
        if let Some((known, names)) = self.described.borrow().as_ref()
            && *known == parent
        {
            return Ok(Rc::clone(names));
        }
        let names = Rc::new(look()?);
        self.described.replace(Some((parent, Rc::clone(&names))));
        Ok(names)
    }
}

/// The volumes of one set that are there.
#[derive(Debug, Default)]
struct Found {
    /// By number: of several of one number the first.
    volumes: BTreeMap<usize, Bytes>,
    /// The first number that is missing between those that are there.
    gap: Option<usize>,
    /// Whether the first opens the others.
    leads: OnceCell<bool>,
    /// How many volumes the last of a zip says to be before it.
    declared: OnceCell<Option<usize>>,
}

fn found<'n>(
    named: impl Iterator<Item = (&'n Name, &'n Bytes)>,
    budget: &Budget,
) -> Result<ByBase, Halt> {
    let mut sets: BTreeMap<(String, Scheme), (Found, usize)> = BTreeMap::new();
    for (name, data) in named {
        budget.tick()?;
        let Some(volume) = name.files().find_map(volumes::of) else {
            continue;
        };
        let (set, highest) = sets.entry((volume.base, volume.scheme)).or_default();
        if volume.number != LAST {
            *highest = volume.number.max(*highest);
        }
        if volume.number <= VOLUMES || volume.number == LAST {
            set.volumes
                .entry(volume.number)
                .or_insert_with(|| data.clone());
        }
    }
    let sets = sets.into_iter().map(|(base, (mut set, highest))| {
        // Ends at the first that is missing.
        set.gap = (1..highest).find(|number| !set.volumes.contains_key(number));
        (base, Rc::new(set))
    });
    Ok(sets.collect())
}

/// Files that lie beside an artifact and are volumes of the same set, itself among them.
pub(super) struct Set {
    /// The artifact itself.
    pub(super) volume: Volume,
    own: Bytes,
    found: Rc<Found>,
}

impl Set {
    /// The set that an artifact's name puts it into; `None` where the name says nothing of one.
    pub(super) fn of(artifact: &Artifact, nest: &Nest<'_>) -> Result<Option<Self>, Halt> {
        let set = Self::find(artifact, nest.volumes_beside(), nest.sets(), nest.budget())?;
        if set.as_ref().is_some_and(Self::has_others) {
            nest.asked.set(true);
        }
        Ok(set)
    }

    /// The set among files that lie beside an artifact.
    pub(super) fn find<'n>(
        artifact: &'n Artifact,
        beside: impl Iterator<Item = (&'n Name, &'n Bytes)>,
        sets: Option<&Sets>,
        budget: &Budget,
    ) -> Result<Option<Self>, Halt> {
        let Some(name) = artifact.name.as_ref() else {
            return Ok(None);
        };
        let Some(volume) = name.files().find_map(volumes::of) else {
            return Ok(None);
        };
        let own = std::iter::once((name, &artifact.data));
        let named = own.chain(beside);
        let sets = match (artifact.parent, sets) {
            (Some(parent), Some(sets)) => sets.among(parent, named, budget)?,
            _ => Rc::new(found(named, budget)?),
        };
        let key = (volume.base.clone(), volume.scheme);
        Ok(Some(Self {
            volume,
            own: artifact.data.clone(),
            found: sets.get(&key).map(Rc::clone).unwrap_or_default(),
        }))
    }

    /// Says that the whole is looked at where the volume that opens it is, or that nobody does.
    pub(super) fn leave_to_opener(&self, nest: &mut Nest<'_>) {
        if nest.lacks_opener() {
            let opener = match self.volume.scheme {
                Scheme::Zip => "last",
                Scheme::Parts | Scheme::Letters | Scheme::Pieces => "first",
            };
            let base = shown(&self.volume.base);
            nest.unread(
                0,
                format!("{base}: opened with its {opener} volume, which was not given"),
            );
        }
    }

    /// Volumes that are there.
    pub(super) fn len(&self) -> usize {
        self.found.volumes.len()
    }

    /// Whether others are there.
    pub(super) fn has_others(&self) -> bool {
        self.len() > usize::from(self.found.volumes.contains_key(&self.volume.number))
    }

    /// The first volume that is missing between those that are there.
    pub(super) fn gap(&self) -> Option<usize> {
        self.found.gap
    }

    /// The volume of a number.
    pub(super) fn get(&self, number: usize) -> Option<&Bytes> {
        match number == self.volume.number {
            true => Some(&self.own),
            false => self.found.volumes.get(&number),
        }
    }

    /// The volumes by their numbers.
    pub(super) fn volumes(&self) -> impl Iterator<Item = (usize, &Bytes)> {
        let numbers = self.found.volumes.keys().copied();
        numbers.filter_map(|number| Some((number, self.get(number)?)))
    }

    /// Whether the first volume opens the others: asked once for all of them.
    pub(super) fn is_led(&self, leads: impl FnOnce(&Bytes) -> bool) -> bool {
        let first = || self.found.volumes.get(&1).is_some_and(leads);
        *self.found.leads.get_or_init(first)
    }

    /// How many volumes the last of a zip says to be before it; `None` where it is not there or there are none.
    fn declared(&self) -> Option<usize> {
        let last = |set: &Found| set.volumes.get(&LAST).and_then(|last| earlier(last));
        match self.volume.number {
            LAST => earlier(&self.own),
            _ => *self.found.declared.get_or_init(|| last(&self.found)),
        }
    }
}

/// Joins a set at its first piece, or at the last volume of a zip.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    // A whole bears the name of its last volume.
    if artifact.via == Some(VIA) {
        return Ok(());
    }
    let Some(set) = Set::of(artifact, nest)? else {
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
        if first.is_some() && is_archive {
            set.leave_to_opener(nest);
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
    let whole = set.volumes().map(|(_, data)| data);
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
    let declared = set.declared();
    if set.volume.number != LAST {
        match set.get(LAST) {
            None => nest.unread(0, format!("{}: the last volume is missing", shown(&name))),
            // Opened as a whole at the last volume.
            Some(_) if declared.is_some() => {
                set.leave_to_opener(nest);
                nest.close();
            }
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
    join(set.volumes().map(|(_, data)| data), &name, nest)
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
        nest.tick()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::unpack::{Keys, Passwords, Seen};

    /// Steps that many volumes of one set, or of as many sets, cost.
    fn steps(count: usize, name: fn(usize) -> String) -> u32 {
        let mut tree = vec![Artifact::alone(Kind::Tar, Bytes::new())];
        for (number, id) in (1..=count).zip(1..) {
            let mut volume = Artifact::alone(Kind::Data, Bytes::from_static(b"x"));
            (volume.id, volume.parent) = (id, Some(0));
            volume.name = Some(Name::of(name(number)));
            tree.push(volume);
        }
        let limits = Limits {
            max_artifacts: u32::MAX,
            ..Limits::default()
        };
        let budget = Budget::new(limits, None);
        let (mut seen, sets, passwords) = (Seen::new(), Sets::default(), Passwords::default());
        for artifact in tree.iter().skip(1) {
            let keys = Keys::new(&tree, artifact, &passwords).with_sets(&sets);
            let mut nest = Nest::new(&budget, &mut seen, artifact, 1).with_keys(keys);
            run(artifact, &mut nest).unwrap();
        }
        budget.steps()
    }

    #[test]
    fn many_volumes_are_found_in_linear_time() {
        let names: [fn(usize) -> String; 4] = [
            |number| format!("x.{number:03}"),
            |number| format!("x.7z.{number:03}"),
            |number| format!("{number}.zip"),
            |number| format!("x.z{number:02}"),
        ];
        for name in names {
            let (few, many) = (steps(1_000, name), steps(10_000, name));
            assert!(many <= few * 11, "{}: {few} {many}", name(1));
        }
    }

    #[test]
    fn gaps_are_found() {
        let gap = |numbers: &[&str]| {
            let names: Vec<Name> = numbers
                .iter()
                .map(|number| Name::of(format!("a.{number}")))
                .collect();
            let data = Bytes::new();
            let budget = Budget::new(Limits::default(), None);
            let sets = found(names.iter().map(|name| (name, &data)), &budget).unwrap();
            sets.values().next().and_then(|set| set.gap)
        };
        assert_eq!(gap(&["001", "002", "004"]), Some(3));
        assert_eq!(gap(&["z02", "zip"]), Some(1));
        assert_eq!(gap(&["z01", "zip"]), None);
        assert_eq!(gap(&["001", "2024"]), Some(2));
        assert_eq!(gap(&[]), None);
    }
}
