//! NTFS volumes: every stream of every file.

use crate::bytes::index;
use crate::formats::ntfs::{self, File, Stream, Volume};
use crate::limits::Halt;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// How a file is reached.
const VIA: &str = "disk-file";

/// The stream in which Windows notes where a file came from.
const ORIGIN: &str = "Zone.Identifier";

/// Pushes every stream; one beside the content of a file is told.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let Some(volume) = ntfs::read(&artifact.data, nest.budget())? else {
        return Err(Trouble::Broken("boot sector of NTFS".to_owned()));
    };
    for unread in &volume.unread {
        nest.unread(unread.at, unread.what.clone());
    }
    for file in &volume.files {
        for stream in &file.streams {
            nest.tick()?;
            push(&volume, file, stream, artifact, nest)?;
        }
    }
    if volume.full {
        return Err(Trouble::TooMuch(Halt::Ceiling("files of an NTFS volume")));
    }
    Ok(())
}

fn push(
    volume: &Volume,
    file: &File,
    stream: &Stream,
    artifact: &Artifact,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let full = |path: &String| match stream.name.is_empty() {
        true => path.clone(),
        false => format!("{path}:{}", stream.name),
    };
    let paths: Vec<String> = file.paths.iter().take(16).map(full).collect();
    let first = paths.first().cloned().unwrap_or_default();
    let shown = text::excerpt(&first);
    if !stream.name.is_empty() && stream.name != ORIGIN {
        nest.deviation(
            0,
            format!("{shown}: a stream beside the content of the file"),
        );
    }
    if stream.size == 0 {
        return Ok(());
    }
    if stream.encrypted {
        nest.note(Trouble::Locked("EFS".to_owned()).into_fact(&shown));
        return Ok(());
    }
    let name = match paths.is_empty() {
        true => Name::default(),
        false => Name::from_readings(first.into_bytes(), paths),
    };
    if let Some(range) = volume.place(&artifact.data, stream) {
        let child = Child::new(VIA, artifact.data.slice(range.clone()));
        nest.push(child.at(range).named(name))?;
        return Ok(());
    }
    let mut content = volume.content(&artifact.data, stream);
    let packed = artifact.data.len().min(index(stream.size));
    let decoded = nest.read(&mut content, packed, stream.size);
    let child = Child::new(VIA, Payload::Paid(decoded.data.into())).named(name);
    nest.push_decoded(child, decoded.fault, &shown)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::formats::ntfs::tests::volume;
    use crate::model::Fact;
    use crate::unpack::tests::opened;

    #[test]
    fn every_stream_is_a_child_and_hidden_ones_are_told() {
        let (children, facts) = opened("ntfs", &volume("見積書.txt", b"a plain text"));
        let got: Vec<_> = children
            .iter()
            .map(|c| (c.label(), c.data.as_ref()))
            .collect();
        let want = [
            ("資料/見積書.txt", b"a plain text".as_slice()),
            ("資料/見積書.txt:隠し.exe", b"MZ in a stream"),
        ];
        assert_eq!(got, want);
        assert!(
            matches!(facts.as_slice(), [Fact::Deviation { what, .. }] if what.contains("隠し.exe"))
        );
    }

    #[test]
    fn what_is_cut_is_told() {
        let image = volume("a.bin", &[7; 5000]);
        let (children, facts) = opened("ntfs", &image[..image.len() - 3000]);
        assert_eq!(children.len(), 2);
        assert!(
            facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })),
            "{facts:?}"
        );
    }
}
