//! ARC archives: the methods that a reader is known for; files of others are told by their names.

use std::io::{Error, Read};

use crate::bytes::length;
use crate::formats::arc::{self, File};
use crate::limits::Fault;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// Files that are told by their names.
const TOLD: usize = 16;

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let listing = arc::read(data);
    let mut closed = 0usize;
    for file in &listing.files {
        nest.tick()?;
        let name = Name::from_raw(file.name);
        let shown = text::excerpt(&name.text);
        if file.missing > 0 {
            let what = format!("{shown}: {} bytes are missing", file.missing);
            nest.unread(file.data.start, what);
        }
        if !matches!(file.method, 1..=4 | 8 | 9) {
            closed = closed.saturating_add(1);
            if closed <= TOLD {
                let what = format!("ARC method {}", file.method);
                nest.note(Trouble::NoReader(what).into_fact(&shown));
            }
            continue;
        }
        push(file, name, &shown, artifact, nest)?;
    }
    if let Some((at, why)) = listing.cut {
        nest.unread(at, format!("the rest of the archive: {why}"));
    }
    match closed.checked_sub(TOLD) {
        Some(more @ 1..) => Err(Trouble::NoReader(format!("ARC: {more} more files"))),
        _ => Ok(()),
    }
}

fn push(
    file: &File<'_>,
    name: Name,
    shown: &str,
    artifact: &Artifact,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let packed = artifact.data.get(file.data.clone()).unwrap_or_default();
    let mut decoded = nest.inflate(packed, file.size, |source| {
        let reader = arc::unpacked(file.method, source);
        let missing = || Error::other("no reader");
        let reader = reader.and_then(|reader| reader.ok_or_else(missing));
        reader
            .unwrap_or_else(|error| Box::new(Failed(Some(error))))
            .take(file.size)
    });
    if decoded.fault.is_none() && length(decoded.data.len()) < file.size {
        decoded.fault = Some(Fault::Broken("it ends early".to_owned()));
    } else if decoded.fault.is_none() && arc::crc16(&decoded.data) != file.crc {
        decoded.fault = Some(Fault::Broken("another checksum".to_owned()));
    }
    let is_stored = decoded.data == packed;
    let child = Child::new("arc-member", Payload::Paid(decoded.data.into())).named(name);
    let child = match is_stored {
        true => child.at(file.data.clone()),
        false => child,
    };
    nest.push_decoded(child, decoded.fault, shown)?;
    Ok(())
}

/// A reader that only says why there is none.
struct Failed(Option<Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[cfg(test)]
mod tests {
    use crate::formats::arc::tests::{Packed, archive, with_codes, with_runs};
    use crate::model::Fact;
    use crate::unpack::tests::opened;

    #[test]
    fn files_of_every_method_are_children_and_others_are_told() {
        let name = encoding_rs::SHIFT_JIS.encode("見積.EXE").0;
        let content = b"a program, a program";
        let crunched = [&[12], with_codes(&with_runs(content)).as_slice()].concat();
        let files: [Packed<'_>; 3] = [
            (&name, 2, content, content),
            (b"B.TXT", 8, &crunched, content),
            (b"C.TXT", 6, b"?", content),
        ];
        let (children, facts) = opened("arc", &archive(&files));
        let got: Vec<_> = children
            .iter()
            .map(|c| (c.label(), c.data.as_ref()))
            .collect();
        assert_eq!(got, [("見積.EXE", content.as_slice()), ("B.TXT", content)]);
        assert!(
            matches!(facts.as_slice(), [Fact::NoReader { what }] if what == "C.TXT: ARC method 6"),
            "{facts:?}"
        );
    }

    #[test]
    fn what_is_damaged_is_told() {
        let mut data = archive(&[(b"A.TXT", 3, b"abc", b"abc")]);
        let at = data.len() - 5;
        data[at] ^= 1;
        let (children, facts) = opened("arc", &data);
        assert_eq!(children.len(), 1);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
    }
}
