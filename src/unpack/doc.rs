//! Binary Word documents: fields and the attached template as facts. Streams and macros are other readings of the file.

use std::borrow::Cow;

use crate::formats::ole::{ObjectType, Ole};
use crate::formats::{office_art, word};
use crate::limits::Halt;
use crate::model::{Artifact, Fact, Kind, Role, Trouble};
use crate::text;

use super::Nest;
use super::office_links::{note_field, too_much};

/// The kinds that may hold a document, also an embedded one.
pub(super) const KINDS: &[Kind] = &[Kind::Doc, Kind::OleWord, Kind::Xls, Kind::Ppt, Kind::Ole];

/// Notes what every `WordDocument` stream names outside: the document's own, and those of embedded documents.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if super::ole::is_older(artifact) {
        return Ok(());
    }
    let mut ole = super::ole::open(artifact, nest)?;
    for position in 0..ole.entries().len() {
        nest.tick()?;
        let Some(entry) = ole.entries().get(position) else {
            break;
        };
        if entry.object_type == ObjectType::Stream
            && entry.name.eq_ignore_ascii_case("WordDocument")
        {
            let storage = entry.parent;
            document(&mut ole, position, storage, nest)?;
        }
    }
    Ok(())
}

fn document(
    ole: &mut Ole<'_>,
    position: usize,
    storage: Option<usize>,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let path = ole.path(position);
    let document = match ole.stream(position) {
        Ok(stream) => stream.data,
        Err(halt) => return limit(halt, path, nest),
    };
    let table = word::table_name(&document).and_then(|name| {
        let here = ole.find(storage, name);
        here.or_else(|| ole.find(None, name))
    });
    let table = match table.map(|table| ole.stream(table)) {
        Some(Ok(stream)) => stream.data,
        Some(Err(halt)) => return limit(halt, path, nest),
        None => Cow::Borrowed([].as_slice()),
    };
    let outside = match word::outside(&document, &table, nest.budget()) {
        Ok(outside) => outside,
        Err(halt) => return limit(halt, path, nest),
    };
    if outside.without_pieces {
        let what = format!("{path}: no piece table, its text was read without");
        nest.note(Fact::Deviation {
            at: None,
            what: text::excerpt(&what),
        });
    }
    if outside.cut {
        nest.note(too_much());
    }
    if let Some(target) = outside.template {
        nest.note(Fact::External {
            at: None,
            role: Role::Template,
            target,
        });
    }
    for field in &outside.fields {
        note_field(field, None, nest);
    }
    note_pictures(&table, nest)?;
    match ole.find(storage, "Data").map(|data| ole.stream(data)) {
        Some(Ok(data)) => note_pictures(&data.data, nest),
        Some(Err(halt)) => limit(halt, path, nest),
        None => Ok(()),
    }
}

/// Notes the places of pictures that a stream names.
pub(super) fn note_pictures(stream: &[u8], nest: &mut Nest<'_>) -> Result<(), Trouble> {
    for target in office_art::pictures(stream, nest.budget())? {
        let fact = Fact::External {
            at: None,
            role: Role::Media,
            target,
        };
        // Shapes of all pages may show the same picture.
        if !nest.facts.contains(&fact) {
            nest.note(fact);
        }
    }
    Ok(())
}

/// A ceiling of this document leaves the others readable; other limits end the scan.
fn limit(halt: Halt, what: String, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if !matches!(halt, Halt::Ceiling(_)) {
        return Err(halt.into());
    }
    nest.note(Fact::Limit { halt, what });
    Ok(())
}
