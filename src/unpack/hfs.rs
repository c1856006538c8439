//! HFS+ and HFS volumes: both forks of every file, compressed ones decoded.

use crate::formats::disk::File;
use crate::formats::{decmpfs, hfs};
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::disk::{self, FILE};
use super::{Child, Nest, Payload};

/// The name of the other fork, as macOS shows it.
const RESOURCE: &str = "/..namedfork/rsrc";

/// Pushes every fork.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let volume = hfs::list(&artifact.data, 0, nest.budget())?
        .ok_or_else(|| Trouble::Broken("header of an HFS volume".to_owned()))?;
    let places = volume.compressed.keys().chain(volume.resources.keys());
    let mut places: Vec<usize> = places.copied().collect();
    places.sort_unstable();
    places.dedup();
    let named = |place: usize| {
        let file = volume.listing.files.get(place)?;
        file.paths.first().map(disk::name)
    };
    let names: Vec<Name> = places
        .iter()
        .map(|place| named(*place).unwrap_or_default())
        .collect();
    let ended = disk::push_all(volume.listing, artifact, nest);
    for (place, name) in places.iter().zip(names) {
        nest.tick()?;
        let resource = volume
            .resources
            .get(place)
            .map(|file| bytes(artifact, file, &name, nest));
        let resource = resource.transpose()?.unwrap_or_default();
        match volume.compressed.get(place) {
            Some(attribute) => compressed(attribute, &resource, name, nest)?,
            None if resource.is_empty() => {}
            None => {
                let readings = name.readings.iter().map(|name| format!("{name}{RESOURCE}"));
                let name = Name::from_readings(name.raw.clone(), readings.collect());
                nest.push(Child::new("resource-fork", Payload::Paid(resource.into())).named(name))?;
            }
        }
    }
    ended
}

/// The bytes of a fork, paid.
fn bytes(
    artifact: &Artifact,
    file: &File,
    name: &Name,
    nest: &mut Nest<'_>,
) -> Result<Vec<u8>, Trouble> {
    if file.missing > 0 {
        let what = format!(
            "{}: {} bytes of a resource fork are missing",
            name.text, file.missing
        );
        nest.unread(0, text::excerpt(&what));
    }
    let mut out = Vec::new();
    for range in &file.extents {
        nest.budget().spend(range.len())?;
        out.extend_from_slice(artifact.data.get(range.clone()).unwrap_or_default());
    }
    Ok(out)
}

fn compressed(
    attribute: &[u8],
    resource: &[u8],
    name: Name,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let shown = text::excerpt(&name.text);
    let mut content = match decmpfs::open(attribute, resource) {
        Ok(content) => content,
        Err(decmpfs::Refused::Method(method)) => {
            let what = format!("{shown}: compressed by method {method}");
            nest.note(Trouble::NoReader(what).into_fact(""));
            return Ok(());
        }
        Err(decmpfs::Refused::Cut) => {
            nest.unread(0, format!("{shown}: the compressed content is cut"));
            return Ok(());
        }
    };
    let size = content.size();
    let packed = attribute.len().saturating_add(resource.len());
    let decoded = nest.read(&mut content, packed, size);
    let short = crate::bytes::length(decoded.data.len()) < size && decoded.fault.is_none();
    let child = Child::new(FILE, Payload::Paid(decoded.data.into())).named(name);
    nest.push_decoded(child, decoded.fault, &shown)?;
    if short {
        nest.unread(0, format!("{shown}: the compressed content is cut"));
    }
    Ok(())
}
