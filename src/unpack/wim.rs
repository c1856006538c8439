//! Windows images: every stream once, under each path that leads to it.

use std::collections::BTreeSet;

use bytes::Bytes;
use sha1::{Digest as _, Sha1};

use crate::bytes::length;
use crate::formats::wim::{self, Chunks, Closed, Digest, Image, Names, Resource, Stream};
use crate::limits::Halt;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// How a file of an image is reached.
const VIA: &str = "wim-file";

/// Pushes every stream.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let image = wim::header(data)?;
    if data.starts_with(b"WLPWM") {
        return Err(Trouble::NoReader("pipable Windows image".to_owned()));
    }
    if image.part.1 > 1 {
        let (part, parts) = image.part;
        nest.unread(0, format!("part {part} of {parts} of a set"));
    }
    let Some(table) = decoded(data, &image, &image.table, "table of resources", nest)? else {
        return Ok(());
    };
    let (streams, cut) = wim::streams(&table);
    if cut {
        nest.unread(image.table.at, "the table of resources is cut");
    }
    let names = names(data, &image, &streams, nest)?;
    if image.part.1 <= 1 {
        elsewhere(&names, &streams, nest);
    }
    let mut solid = Solid::default();
    for stream in &streams {
        nest.tick()?;
        if stream.is_metadata() {
            continue;
        }
        if stream.is_solid {
            solid.take(data, &image, stream, &names, nest)?;
            continue;
        }
        let (name, shown) = named(&names, &stream.digest);
        match Chunks::open(data, &image, &stream.resource) {
            Err(closed) => tell(closed, &stream.resource, &shown, nest),
            Ok(mut chunks) => {
                let packed = stream.resource.packed;
                let read = nest.read(&mut chunks, packed, stream.resource.size);
                if read.fault.is_none() {
                    compare(&read.data, stream, &shown, nest);
                }
                let child = Child::new(VIA, Payload::Paid(read.data.into())).named(name);
                nest.push_decoded(child, read.fault, &shown)?;
            }
        }
    }
    solid.end(nest);
    Ok(())
}

/// Tells which files have their content in another image, as in one of differences.
fn elsewhere(names: &Names, streams: &[Stream], nest: &mut Nest<'_>) {
    /// Files that are told by name.
    const TOLD: usize = 16;
    let there: BTreeSet<&Digest> = streams.iter().map(|stream| &stream.digest).collect();
    let is_missing = |digest: &Digest| *digest != [0; 20] && !there.contains(digest);
    let paths = names.paths.iter().filter(|(digest, _)| is_missing(digest));
    for (_, paths) in paths.take(TOLD) {
        let path = paths.first().map(String::as_str).unwrap_or_default();
        let shown = text::excerpt(path);
        nest.unread(0, format!("{shown}: its content is not in this image"));
    }
}

/// The paths of every image.
fn names(
    data: &Bytes,
    image: &Image,
    streams: &[Stream],
    nest: &mut Nest<'_>,
) -> Result<Names, Trouble> {
    let mut names = Names::default();
    let mut images = 0u32;
    for stream in streams.iter().filter(|stream| stream.is_metadata()) {
        images = images.saturating_add(1);
        let folders = decoded(data, image, &stream.resource, "folders of an image", nest)?;
        if let Some(folders) = folders {
            names.read(&folders, nest.budget())?;
        }
    }
    if images < image.images {
        let what = format!("{} images are declared, {images} are there", image.images);
        nest.unread(0, what);
    }
    for cut in std::mem::take(&mut names.cut).into_iter().take(64) {
        nest.unread(0, format!("{cut}: cut"));
    }
    if names.full {
        let halt = Halt::Ceiling("entries of a Windows image");
        nest.note(Trouble::TooMuch(halt).into_fact(""));
    }
    Ok(names)
}

/// A resource that is needed to read others; none where it cannot be read, which is told.
fn decoded(
    data: &Bytes,
    image: &Image,
    resource: &Resource,
    what: &str,
    nest: &mut Nest<'_>,
) -> Result<Option<Bytes>, Trouble> {
    let mut chunks = match Chunks::open(data, image, resource) {
        Ok(chunks) => chunks,
        Err(closed) => {
            tell(closed, resource, what, nest);
            return Ok(None);
        }
    };
    let size = chunks.size();
    let read = nest.read(&mut chunks, resource.packed, size);
    match read.fault.map(Trouble::from) {
        Some(stop @ Trouble::TooMuch(_)) => return Err(stop),
        Some(other) => nest.note(other.into_fact(what)),
        None => {}
    }
    Ok(Some(read.data.into()))
}

fn named(names: &Names, digest: &Digest) -> (Name, String) {
    let paths = names.paths.get(digest);
    let readings = paths.cloned().unwrap_or_default();
    // Copies under a thousand names tell no more than some of them, and what opens them hangs on how they end.
    let mut endings = BTreeSet::new();
    let (first, again): (Vec<String>, Vec<String>) = readings.into_iter().partition(|path| {
        let (_, ending) = path.rsplit_once('.').unwrap_or_default();
        endings.insert(ending.to_ascii_lowercase())
    });
    let few = again.len().min(16_usize.saturating_sub(first.len()));
    let readings: Vec<String> = first
        .into_iter()
        .take(64)
        .chain(again.into_iter().take(few))
        .collect();
    let shown = match readings.first() {
        Some(path) => text::excerpt(path),
        None => "a stream without a name".to_owned(),
    };
    let raw = readings.first().cloned().unwrap_or_default().into_bytes();
    let name = match readings.is_empty() {
        true => Name::default(),
        false => Name::from_readings(raw, readings),
    };
    (name, shown)
}

/// Tells content that is not what its digest says.
fn compare(content: &[u8], stream: &Stream, shown: &str, nest: &mut Nest<'_>) {
    let found: Digest = Sha1::digest(content).into();
    if stream.digest != [0; 20] && stream.digest != found {
        let at = stream.resource.at;
        nest.deviation(at, format!("{shown}: the checksum does not hold"));
    }
}

fn tell(closed: Closed, resource: &Resource, what: &str, nest: &mut Nest<'_>) {
    match closed {
        Closed::Cut(there) => {
            let missing = length(resource.packed.saturating_sub(there));
            nest.unread(resource.at, format!("{what}: {missing} bytes are missing"));
        }
        Closed::NoReader(why) => nest.note(Trouble::NoReader(why).into_fact(what)),
        Closed::Broken(why) => nest.unread(resource.at, format!("{what}: {why}")),
    }
}

/// Solid resources in a row: what lies in them follows them in the table, with offsets that count through all of them.
#[derive(Default)]
struct Solid {
    holders: Vec<Resource>,
    /// Decoded once the first of their streams comes.
    content: Option<Bytes>,
    lost: usize,
}

impl Solid {
    fn take(
        &mut self,
        data: &Bytes,
        image: &Image,
        stream: &Stream,
        names: &Names,
        nest: &mut Nest<'_>,
    ) -> Result<(), Trouble> {
        if stream.is_holder() {
            if self.content.take().is_some() {
                self.holders.clear();
            }
            self.holders.push(stream.resource);
            return Ok(());
        }
        let content = match &self.content {
            Some(content) => content.clone(),
            None => {
                let content = self.decode(data, image, nest)?;
                self.content = Some(content.clone());
                content
            }
        };
        let (name, shown) = named(names, &stream.digest);
        // Of a stream in a solid resource the packed size is its size.
        let start = stream.resource.at.min(content.len());
        let end = start
            .saturating_add(stream.resource.packed)
            .min(content.len());
        let missing = stream
            .resource
            .packed
            .saturating_sub(end.saturating_sub(start));
        if missing > 0 {
            // That no reader opens them was said of the resource.
            self.lost = self.lost.saturating_add(1);
            if content.is_empty() {
                return Ok(());
            }
            nest.unread(0, format!("{shown}: {missing} bytes are missing"));
        }
        let content = content.slice(start..end);
        if missing == 0 {
            compare(&content, stream, &shown, nest);
        }
        nest.push(Child::new(VIA, content).named(name))?;
        Ok(())
    }

    fn decode(&self, data: &Bytes, image: &Image, nest: &mut Nest<'_>) -> Result<Bytes, Trouble> {
        let mut whole = Vec::new();
        for holder in &self.holders {
            let part = decoded(data, image, holder, "a solid resource", nest)?;
            whole.extend_from_slice(&part.unwrap_or_default());
        }
        Ok(whole.into())
    }

    fn end(self, nest: &mut Nest<'_>) {
        if self.lost > 0 && self.content.is_some_and(|content| content.is_empty()) {
            let what = format!("{} files of a solid resource", self.lost);
            nest.unread(0, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_copies_those_that_end_otherwise_keep_their_names() {
        let paths = (0..40).map(|at| format!("copy {at}.txt"));
        let paths = paths.chain(["run.bat".to_owned(), "b.BAT".to_owned()]);
        let mut names = Names::default();
        names.paths.insert([7; 20], paths.collect());
        let (name, shown) = named(&names, &[7; 20]);
        assert_eq!(shown, "copy 0.txt");
        assert_eq!(name.readings.len(), 16);
        assert!(name.readings.contains(&"run.bat".to_owned()));
    }
}
