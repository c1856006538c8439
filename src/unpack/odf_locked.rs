//! OpenDocument packages with a password: their members in clear where a password is known, else a lock. Works on the
//! members that the reader of zips made; a manifest says which of them are locked.

use std::collections::BTreeMap;

use bytes::Bytes;
use flate2::bufread::DeflateDecoder;

use crate::formats::odf_crypt::{self, Lock};
use crate::model::{Artifact, Fact, Kind, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// Kinds whose members may be locked in this way.
pub(super) const KINDS: &[Kind] = &[
    Kind::Odt,
    Kind::Ott,
    Kind::Ods,
    Kind::Ots,
    Kind::Odp,
    Kind::Odg,
    Kind::Odf,
    Kind::Hwpx,
    Kind::Zip,
];

/// Members that are opened: each costs a derivation of its key.
const MEMBERS: usize = 64;

/// Longest manifest that is read.
const MANIFEST: usize = 4 << 20;

/// Pushes locked members in clear.
pub(super) fn run(_: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let mut by_path: BTreeMap<String, usize> = BTreeMap::new();
    for (place, child) in nest.children.iter().enumerate() {
        by_path.entry(child.label().to_lowercase()).or_insert(place);
    }
    let member = |path: &str| {
        let place = by_path.get(&path.to_lowercase())?;
        nest.children.get(*place).map(|child| child.data.clone())
    };
    let manifest = member("META-INF/manifest.xml").filter(|data| data.len() <= MANIFEST);
    let Some(manifest) = manifest else {
        return Ok(());
    };
    let mut members: Vec<(Lock, Bytes)> = Vec::new();
    for lock in odf_crypt::locks(&text::to_utf8(&manifest)) {
        nest.tick()?;
        if let Some(data) = member(&lock.path) {
            members.push((lock, data));
        }
    }
    // The shortest is the cheapest to try.
    members.sort_by_key(|(_, data)| data.len());
    let Some((first, _)) = members.first() else {
        return Ok(());
    };
    let scheme = first.scheme();
    let more = members.len() > MEMBERS;
    for (lock, data) in members.into_iter().take(MEMBERS) {
        nest.tick()?;
        let opened = match lock.can_be_opened() {
            true => nest.unlock(&scheme, None, |word| lock.open(&data, word)),
            false => None,
        };
        let Some(opened) = opened else {
            nest.note(Fact::Locked { scheme, what: None });
            return Ok(());
        };
        let decoded = nest.inflate(&opened, 0, DeflateDecoder::new);
        let child = Child::new("decrypted", Payload::Paid(decoded.data.into()));
        let child = child.named(Name::of(lock.path.clone()));
        nest.push_decoded(child, decoded.fault, &lock.path)?;
    }
    if more {
        nest.note(Fact::Locked {
            scheme,
            what: Some("further members".to_owned()),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;
    use crate::formats::odf_crypt::tests::locked;
    use crate::limits::{Budget, Limits};
    use crate::unpack::{Seen, UNPACKERS};

    /// Children and facts of a package whose content is locked with a password.
    fn opened(password: &str) -> (Vec<Artifact>, Vec<Fact>) {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"<office:document-content/>").unwrap();
        let (data, element) = locked("content.xml", &encoder.finish().unwrap(), password);
        let manifest = format!("<m:manifest>{element}</m:manifest>");
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        for (name, bytes) in [
            (
                "mimetype",
                b"application/vnd.oasis.opendocument.text".as_slice(),
            ),
            ("content.xml", &data),
            ("META-INF/manifest.xml", manifest.as_bytes()),
        ] {
            zip.start_file(name, stored).unwrap();
            zip.write_all(bytes).unwrap();
        }
        let file = zip.finish().unwrap().into_inner();
        let budget = Budget::new(Limits::default(), None);
        let identity = crate::identify::identify(&file, &budget);
        assert_eq!(identity.kind, Kind::Odt);
        let artifact = Artifact {
            id: 0,
            parent: None,
            via: None,
            index: 0,
            at: None,
            depth: 0,
            kind: identity.kind,
            readings: identity.readings,
            sha256: [0; 32],
            name: None,
            declared: None,
            same_as: None,
            mail: None,
            facts: Vec::new(),
            data: file.into(),
        };
        let given = super::super::Passwords::default();
        let tree = [artifact.clone()];
        let keys = super::super::Keys::new(&tree, &tree[0], &given);
        let mut seen = Seen::new();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1).with_keys(keys);
        for name in ["zip", "odf_locked"] {
            let row = UNPACKERS.iter().find(|row| row.name == name).unwrap();
            (row.run)(&artifact, &mut nest).unwrap();
        }
        (nest.children, nest.facts)
    }

    #[test]
    fn members_are_in_clear_where_a_password_is_known_and_a_lock_where_none_is() {
        let (children, _) = opened("1234");
        let clear = children
            .iter()
            .find(|child| child.via == Some("decrypted"))
            .unwrap();
        assert_eq!(clear.data.as_ref(), b"<office:document-content/>");
        assert_eq!(clear.label(), "content.xml");
        let (children, facts) = opened("no one knows");
        assert!(children.iter().all(|child| child.via != Some("decrypted")));
        assert!(facts.iter().any(|fact| matches!(fact, Fact::Locked { .. })));
    }
}
