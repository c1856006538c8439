//! Compound files: every stream is a child, also the ones that only a look at every directory entry shows.
//!
//! Whether the document is encrypted is told from the few streams that say so; its streams are children all the
//! same. VBA sources and PowerPoint objects are further readings of the same file, in files of their own.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::bytes::Deviation;
use crate::formats::ole::{Changes, ObjectType, Ole, Reach, Stream, is_compound};
use crate::formats::{self, msg, msi, offcrypto, office_crypt};
use crate::limits::{Fault, Halt};
use crate::model::{Artifact, Fact, Kind, Name, Trouble};

use super::{Child, Nest, Payload, objects};

/// The kinds that are compound files.
pub(super) const KINDS: &[Kind] = &[
    Kind::Doc,
    Kind::OleWord,
    Kind::Xls,
    Kind::Ppt,
    Kind::Vsd,
    Kind::Pub,
    Kind::Mpp,
    Kind::Msg,
    Kind::Msi,
    Kind::Msp,
    Kind::Hwp,
    Kind::Works,
    Kind::Ichitaro,
    Kind::OoxmlEncrypted,
    Kind::VbaProject,
    Kind::Ole,
];

/// Pushes every stream that holds anything.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if is_older(artifact) {
        return Err(Trouble::NoReader(format!(
            "{} that is no compound file",
            artifact.kind.describe()
        )));
    }
    let mut ole = open(artifact, nest)?;
    for deviation in ole.deviations().to_vec() {
        nest.deviation(deviation.at, deviation.what);
    }
    if ole.root().is_none() {
        // Cut before its directory, mostly: whatever it held is not found by what is left.
        nest.unread(0, "the directory of the compound file is not there");
    } else if ole.is_cut() {
        nest.unread(
            artifact.data.len(),
            "a part of the directory of the compound file is not there",
        );
    }
    lock(&mut ole, nest)?;
    objects::classes(&ole, nest);
    let is_message = artifact.reads_as(Kind::Msg);
    let is_installer = artifact.reads_as(Kind::Msi) || artifact.reads_as(Kind::Msp);
    let made_files = made_files(artifact, &ole);
    for position in 0..ole.entries().len() {
        nest.tick()?;
        let Some(entry) = ole.entries().get(position) else {
            break;
        };
        if entry.object_type != ObjectType::Stream || entry.size == 0 {
            continue;
        }
        if made_files.contains(&position) {
            continue;
        }
        let reach = entry.reach;
        let mut path = ole.path(position);
        if is_installer {
            path = msi::stream_name(&path).0;
        }
        let part = objects::Part::of(&ole, position);
        let stream = match ole.stream(position) {
            Ok(stream) => stream,
            Err(halt @ Halt::Ceiling(_)) => {
                nest.note(Fact::Limit { halt, what: path });
                return Ok(());
            }
            Err(halt) => return Err(halt.into()),
        };
        note(nest, &stream, reach, &path);
        // What the reader of messages gave as an attachment is not given again.
        if stream.data.is_empty() || (is_message && nest.holds(&stream.data)) {
            continue;
        }
        let mut child = Child::new("ole-stream", payload(artifact, &stream))
            .named(Name::of(path))
            .else_kind(Kind::OleStream);
        if let Some(range) = stream.range() {
            child = child.at(range);
        }
        if let Some(part) = part {
            child = part.describe(child, &stream.data, nest.budget())?;
        }
        nest.push(child)?;
    }
    Ok(())
}

/// Positions of all that lies in storages of which [`super::msg`] makes files of their own.
fn made_files(artifact: &Artifact, ole: &Ole<'_>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    if !artifact.reads_as(Kind::Msg) {
        return found;
    }
    let inside = ole.by_storage();
    let mut waiting = msg::embedded(ole, &inside);
    // Ends because a position is entered once.
    while let Some(position) = waiting.pop() {
        if found.insert(position) {
            waiting.extend(inside.get(&Some(position)).into_iter().flatten());
        }
    }
    found
}

/// Whether it is a document from before its program wrote compound files, told by a mark of its own.
pub(super) fn is_older(artifact: &Artifact) -> bool {
    matches!(artifact.kind, Kind::OleWord | Kind::Hwp) && !is_compound(&artifact.data)
}

/// Opens an artifact as a compound file.
pub(super) fn open<'a>(artifact: &'a Artifact, nest: &Nest<'_>) -> Result<Ole<'a>, Trouble> {
    Ole::open(&artifact.data, nest.budget()).map_err(|fault| match fault {
        Fault::Halt(halt) => Trouble::TooMuch(halt),
        Fault::Broken(what) => Trouble::Broken(what),
    })
}

/// The bytes of a stream, without a copy where they lie in one piece.
fn payload(artifact: &Artifact, stream: &Stream<'_>) -> Payload {
    match stream.range() {
        Some(range) if range.end <= artifact.data.len() => artifact.data.slice(range).into(),
        _ => Bytes::from(stream.data.to_vec()).into(),
    }
}

/// Tells what was odd about a stream. Bytes that are missing are unread only where a reader would look for them:
/// an entry that nothing leads to is mostly the rest of something deleted.
fn note(nest: &mut Nest<'_>, stream: &Stream<'_>, reach: Reach, path: &str) {
    let unread = stream.missing > 0 && reach == Reach::Tree;
    for Deviation { at, what } in &stream.deviations {
        let what = crate::text::excerpt(&format!("{path}: {what}"));
        if unread {
            nest.unread(*at, what);
        } else {
            nest.deviation(*at, what);
        }
    }
}

/// Notes that the document is encrypted, by the streams of its root that say so, and opens it where a password is known.
fn lock(ole: &mut Ole<'_>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let Some(scheme) = scheme(ole, nest)? else {
        return Ok(());
    };
    let (package, info) = (head(ole, "EncryptedPackage")?, head(ole, "EncryptionInfo")?);
    if !package.is_empty() {
        let opened = nest.unlock(&scheme, None, |word| {
            office_crypt::package(&info, &package, word)
        });
        return settle(
            scheme,
            opened.map(|data| Child::new("decrypted", data)),
            nest,
        );
    }
    if let Some(opened) = word(ole, &scheme, nest)? {
        return settle(scheme, Some(Child::new("decrypted", opened)), nest);
    }
    if let Some(opened) = presentation(ole, &scheme, nest)? {
        return settle(scheme, Some(Child::new("decrypted", opened)), nest);
    }
    let mut book = head(ole, "Workbook")?;
    if book.is_empty() {
        book = head(ole, "Book")?;
    }
    let opened = match book.is_empty() {
        true => None,
        false => nest.unlock(&scheme, None, |word| office_crypt::workbook(&book, word)),
    };
    settle(
        scheme,
        opened.map(|data| Child::new("decrypted", data).of_kind(Kind::Xls4)),
        nest,
    )
}

/// A Word document again with its streams in clear, where a password is known.
fn word(ole: &mut Ole<'_>, scheme: &str, nest: &mut Nest<'_>) -> Result<Option<Vec<u8>>, Trouble> {
    let document = head(ole, "WordDocument")?;
    let Some(table_name) = formats::word::table_name(&document) else {
        return Ok(None);
    };
    let (table, data) = (head(ole, table_name)?, head(ole, "Data")?);
    let opened = nest.unlock(scheme, None, |word| {
        office_crypt::word(&document, &table, &data, word)
    });
    let Some(opened) = opened else {
        return Ok(None);
    };
    let mut replaced = BTreeMap::new();
    for (name, bytes) in [
        ("WordDocument", opened.document),
        (table_name, opened.table),
        ("Data", opened.data),
    ] {
        if let Some(position) = ole.find(ole.root(), name) {
            replaced.insert(position, bytes);
        }
    }
    let mut changes = Changes {
        replaced,
        ..Changes::default()
    };
    Ok(Some(ole.changed(&mut changes)?))
}

/// A presentation again with its streams in clear, where a password is known.
fn presentation(
    ole: &mut Ole<'_>,
    scheme: &str,
    nest: &mut Nest<'_>,
) -> Result<Option<Vec<u8>>, Trouble> {
    let (user, document) = (
        head(ole, "Current User")?,
        head(ole, "PowerPoint Document")?,
    );
    if user.is_empty() || document.is_empty() {
        return Ok(None);
    }
    let opened = nest.unlock(scheme, None, |word| {
        office_crypt::presentation(&user, &document, word)
    });
    let Some(opened) = opened else {
        return Ok(None);
    };
    let mut replaced = BTreeMap::new();
    for (name, bytes) in [
        ("Current User", opened.user),
        ("PowerPoint Document", opened.document),
    ] {
        if let Some(position) = ole.find(ole.root(), name) {
            replaced.insert(position, bytes);
        }
    }
    let mut changes = Changes {
        replaced,
        ..Changes::default()
    };
    Ok(Some(ole.changed(&mut changes)?))
}

fn settle(scheme: String, opened: Option<Child>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    match opened {
        Some(child) => {
            nest.push(child)?;
        }
        None => nest.note(Fact::Locked { scheme, what: None }),
    }
    Ok(())
}

fn scheme(ole: &mut Ole<'_>, nest: &Nest<'_>) -> Result<Option<String>, Halt> {
    let root = ole.root();
    let place = |ole: &Ole<'_>, name: &str| {
        let found = ole.find(root, name);
        found.or_else(|| ole.find(None, name))
    };
    if place(ole, "EncryptedPackage").is_some() {
        let info = place(ole, "EncryptionInfo");
        let scheme = match info {
            Some(info) => offcrypto::encryption_info(&ole.stream(info)?.data),
            None => "rights management".to_owned(),
        };
        return Ok(Some(scheme));
    }
    if place(ole, "\tDRMContent").is_some() {
        return Ok(Some("rights management".to_owned()));
    }
    for name in ["Workbook", "Book"] {
        if let Some(book) = place(ole, name) {
            let stream = ole.stream(book)?;
            if let Some(scheme) = offcrypto::workbook(&stream.data, nest.budget())? {
                return Ok(Some(scheme));
            }
        }
    }
    if let Some(word) = place(ole, "WordDocument") {
        let stream = ole.stream(word)?;
        let (one, zero) = (head(ole, "1Table")?, head(ole, "0Table")?);
        let table = |name: &str| {
            if name == "1Table" {
                one.as_ref()
            } else {
                zero.as_ref()
            }
        };
        if let Some(scheme) = offcrypto::word(&stream.data, table) {
            return Ok(Some(scheme));
        }
    }
    if let Some(document) = place(ole, "PowerPoint Document") {
        let document = ole.stream(document)?;
        let user = head(ole, "Current User")?;
        return Ok(offcrypto::presentation(&user, &document.data));
    }
    Ok(None)
}

/// The bytes of a stream of the root, or none.
fn head<'a>(ole: &mut Ole<'a>, name: &str) -> Result<Cow<'a, [u8]>, Halt> {
    match ole.find(ole.root(), name) {
        Some(position) => Ok(ole.stream(position)?.data),
        None => Ok(Cow::Borrowed(&[])),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;
    use crate::limits::{Budget, Limits};
    use crate::unpack::Seen;

    fn file(streams: &[(&str, &[u8])]) -> Vec<u8> {
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        file.create_storage("/Sub").unwrap();
        for (path, data) in streams {
            file.create_stream(path).unwrap().write_all(data).unwrap();
        }
        file.flush().unwrap();
        file.into_inner().into_inner()
    }

    /// Names, kinds and sizes of the children, and the facts.
    type Unpacked = (Vec<(String, Kind, usize)>, Vec<Fact>);

    fn unpack(data: Vec<u8>, limits: Limits) -> Result<Unpacked, Trouble> {
        let artifact = Artifact::alone(Kind::Ole, data.into());
        let budget = Budget::new(limits, None);
        let mut seen = Seen::default();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        run(&artifact, &mut nest)?;
        for child in &nest.children {
            if let Some(range) = child.at.clone() {
                assert_eq!(artifact.data.get(range), Some(child.data.as_ref()));
            }
        }
        let children = nest.children.iter();
        let told = children.map(|child| (child.label().to_owned(), child.kind, child.data.len()));
        Ok((told.collect(), nest.facts))
    }

    const BINARY: [u8; 5000] = [1; 5000];

    #[test]
    fn a_file_cut_before_its_directory_is_unread() {
        let data = [formats::ole::SIGNATURE.as_slice(), &[0; 900]].concat();
        let (_, facts) = unpack(data, Limits::default()).unwrap();
        let unread = |fact: &Fact| matches!(fact, Fact::Unread { .. });
        assert!(facts.iter().any(unread), "{facts:?}");
    }

    #[test]
    fn every_stream_is_a_child_under_its_path() {
        let data = file(&[
            ("/\u{1}Ole", &BINARY),
            ("/Sub/Inner", &BINARY[..20]),
            ("/Empty", b""),
        ]);
        let (mut children, facts) = unpack(data, Limits::default()).unwrap();
        children.sort();
        assert_eq!(
            children,
            [
                ("Sub/Inner".to_owned(), Kind::OleStream, 20),
                ("\\u{1}Ole".to_owned(), Kind::OleStream, 5000),
            ]
        );
        assert_eq!(facts, []);
    }

    #[test]
    fn a_cut_file_gives_what_is_there_and_is_unread() {
        let data = file(&[("/Large", &BINARY)]);
        let (children, facts) =
            unpack(data[..data.len() - 4000].to_vec(), Limits::default()).unwrap();
        assert_eq!(children.len(), 1);
        assert!(children[0].2 < 5000);
        assert!(facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })));
        let header = unpack(data[..40].to_vec(), Limits::default());
        assert!(matches!(header, Err(Trouble::Broken(_))));
    }

    #[test]
    fn locks_are_told_by_the_streams_of_the_root() {
        let locked =
            |streams: &[(&str, &[u8])]| unpack(file(streams), Limits::default()).unwrap().1;
        let info = [3, 0, 3, 0, 0, 0, 0, 0];
        let scheme = |scheme: &str| Fact::Locked {
            scheme: scheme.to_owned(),
            what: None,
        };
        assert_eq!(
            locked(&[("/EncryptedPackage", &BINARY), ("/EncryptionInfo", &info)]),
            [scheme("extensible encryption")]
        );
        assert_eq!(locked(&[("/Sub/EncryptedPackage", &BINARY)]), []);
        let book = [9, 8, 4, 0, 0, 6, 5, 0, 0x2f, 0, 2, 0, 0, 0];
        assert_eq!(locked(&[("/Workbook", &book)]), [scheme("XOR obfuscation")]);
    }

    #[test]
    fn more_streams_than_the_budget_admits_end_it() {
        let streams: Vec<(String, [u8; 4])> = (0..50u32)
            .map(|number| (format!("/s{number}"), number.to_le_bytes()))
            .collect();
        let streams: Vec<(&str, &[u8])> = streams
            .iter()
            .map(|(name, data)| (name.as_str(), data.as_slice()))
            .collect();
        let limits = Limits {
            max_artifacts: 10,
            ..Limits::default()
        };
        let ended = unpack(file(&streams), limits);
        assert_eq!(ended.unwrap_err(), Trouble::TooMuch(Halt::Artifacts));
    }
}
