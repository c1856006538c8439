//! Cabinets of InstallShield: the files that a header lists, out of the volumes that lie beside it.

use bytes::Bytes;

use crate::bytes::length;
use crate::formats::iscab::{self, File};
use crate::limits::Halt;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// How many times the length of all volumes their files may claim: above it they share bytes, as only bombs do.
const OVERLAP: u64 = 16;

/// Pushes every file, at the header.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let own = artifact.name.as_ref().and_then(volume);
    if !iscab::is_header(&artifact.data) {
        let is_header = |(name, data): (&Name, &Bytes)| {
            iscab::is_header(data)
                && volume(name).map(|one| one.0) == own.as_ref().map(|one| one.0.clone())
        };
        if !nest.beside().any(is_header) {
            nest.unread(0, "the header (hdr) of the cabinet is not there");
        }
        return Ok(());
    }
    let volumes = volumes(artifact, own, nest);
    let listing = iscab::list(&artifact.data);
    if listing.is_cut {
        nest.unread(0, "the list of files is cut");
    }
    let most: u64 = volumes.iter().map(|(_, data)| length(data.len())).sum();
    let mut claimed = 0u64;
    let mut missing: Vec<usize> = Vec::new();
    for file in &listing.files {
        nest.tick()?;
        claimed = claimed.saturating_add(file.packed);
        if claimed > most.saturating_mul(OVERLAP).saturating_add(1 << 20) && most > 0 {
            return Err(Trouble::TooMuch(Halt::Ceiling("files share their data")));
        }
        if let Some(number) = push(file, &volumes, nest)?
            && !missing.contains(&number)
        {
            missing.push(number);
            nest.unread(
                0,
                format!("volume {number} is not there, or too short for what it holds"),
            );
        }
        if missing.len() > 16 {
            break;
        }
    }
    Ok(())
}

/// Name without its number, and the number, of a header or volume such as `data2.cab`.
fn volume(name: &Name) -> Option<(String, usize)> {
    name.files().find_map(|file| {
        let lower = file.to_lowercase();
        let stem = lower
            .strip_suffix(".cab")
            .or_else(|| lower.strip_suffix(".hdr"))?;
        let base = stem.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = stem.get(base.len()..)?;
        Some((base.to_owned(), number.parse().unwrap_or(1)))
    })
}

/// Volumes of the same name by their numbers; the header itself where it holds files too.
fn volumes(
    artifact: &Artifact,
    own: Option<(String, usize)>,
    nest: &Nest<'_>,
) -> Vec<(usize, Bytes)> {
    let mut found: Vec<(usize, Bytes)> = Vec::new();
    let base = own.as_ref().map_or("data", |own| own.0.as_str());
    for (name, data) in nest.beside() {
        let is_volume =
            data.starts_with(iscab::MAGIC) && name.extensions().any(|extension| extension == "cab");
        if let Some((_, number)) = volume(name).filter(|one| is_volume && one.0 == base)
            && found.iter().all(|(known, _)| *known != number)
        {
            found.push((number, data.clone()));
        }
    }
    let number = own.map_or(1, |own| own.1);
    if found.iter().all(|(known, _)| *known != number) {
        found.push((number, artifact.data.clone()));
    }
    found
}

/// Pushes a file; gives the number of a volume that it lacks.
fn push(
    file: &File,
    volumes: &[(usize, Bytes)],
    nest: &mut Nest<'_>,
) -> Result<Option<usize>, Trouble> {
    let volume = |number: usize| {
        let found = volumes.iter().find(|(known, _)| *known == number);
        found.map(|(_, data)| data.as_ref())
    };
    let places = match iscab::places(file, volume) {
        Ok(places) => places,
        Err(number) => return Ok(Some(number)),
    };
    let parts = places
        .into_iter()
        .filter_map(|(number, range)| volume(number)?.get(range));
    let parts: Vec<&[u8]> = parts.collect();
    let joined;
    let data: &[u8] = match parts.as_slice() {
        [one] => one,
        parts => {
            joined = parts.concat();
            &joined
        }
    };
    let name = match file.is_wide {
        true => Name::of(String::from_utf8_lossy(&file.name).replace('\\', "/")),
        false => Name::from_raw(&file.name),
    };
    let shown = text::excerpt(&name.text);
    let decoded = nest.read(&mut file.content(data), data.len(), file.size);
    let short = decoded.fault.is_none() && length(decoded.data.len()) < file.size;
    let child = Child::new("installer-file", Payload::Paid(decoded.data.into()));
    nest.push_decoded(child.named(name), decoded.fault, &shown)?;
    if short {
        nest.unread(0, format!("{shown}: the data is cut"));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::iscab::tests::cabinet;
    use crate::model::{Fact, Kind};
    use crate::unpack::{Keys, Passwords, Seen};

    /// What one file of a folder gives.
    fn opened(files: &[(&str, &[u8])], at: usize) -> (Vec<Artifact>, Vec<Fact>) {
        let one = |data: &[u8]| super::super::zip::tests::artifact(data, Kind::IsCab);
        let mut tree = vec![one(b"")];
        for (number, (name, data)) in (1u32..).zip(files) {
            let mut artifact = one(data);
            (artifact.id, artifact.parent, artifact.name) =
                (number, Some(0), Some(Name::of(*name)));
            tree.push(artifact);
        }
        let budget = super::super::zip::tests::budget();
        let (mut seen, given) = (Seen::new(), Passwords::default());
        let artifact = &tree[at + 1];
        let mut nest = Nest::new(&budget, &mut seen, artifact, 100)
            .with_keys(Keys::new(&tree, artifact, &given));
        run(artifact, &mut nest).unwrap();
        (nest.children, nest.facts)
    }

    #[test]
    fn files_come_out_of_the_volumes_beside_the_header() {
        let (header, volume) = cabinet(b"MZ content content", b"plain words");
        let set: [(&str, &[u8]); 2] = [("Disk1/data1.hdr", &header), ("Disk1/DATA1.CAB", &volume)];
        let (children, facts) = opened(&set, 0);
        assert_eq!(facts, []);
        let names: Vec<&str> = children.iter().map(Artifact::label).collect();
        assert_eq!(
            names,
            ["folder/見積書.exe", "folder/b.txt", "folder/copy.exe"]
        );
        assert_eq!(children[1].data.as_ref(), b"plain words");
        let (children, facts) = opened(&set, 1);
        assert!(children.is_empty() && facts.is_empty());
    }

    #[test]
    fn what_is_missing_is_told() {
        let (header, volume) = cabinet(b"MZ content content", b"plain words");
        let told = |files: &[(&str, &[u8])]| {
            let (_, facts) = opened(files, 0);
            assert!(
                matches!(facts.as_slice(), [Fact::Unread { .. }, ..]),
                "{facts:?}"
            );
        };
        told(&[("data1.cab", &volume)]);
        told(&[("data1.hdr", &header)]);
        told(&[("data1.hdr", &header), ("data1.cab", &volume[..530])]);
        told(&[
            ("data1.hdr", &header[..header.len() - 40]),
            ("data1.cab", &volume),
        ]);
        let mut lying = volume.clone();
        lying[514..530].fill(0xff);
        told(&[("data1.hdr", &header), ("data1.cab", &lying)]);
    }
}
