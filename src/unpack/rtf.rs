//! Rich text: its objects as children; what it names outside as facts.

use bytes::Bytes;

use crate::formats::ole::is_compound;
use crate::formats::rtf::{self, HexData, Object};
use crate::formats::{ole1, rtf::Rtf};
use crate::limits::Halt;
use crate::model::{Artifact, Fact, Kind, Role, Trouble};
use crate::text;

use super::office_links::note_field;
use super::{Child, Nest, objects};

/// Pushes every object.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    nest.budget().spend(artifact.data.len())?;
    let rtf = rtf::read(&artifact.data, nest.budget())?;
    if rtf.more {
        nest.note(Fact::Limit {
            halt: Halt::Ceiling("objects and fields of a rich text"),
            what: String::new(),
        });
    }
    let Rtf {
        objects,
        stored,
        fields,
        templates,
        pictures,
        odd_header,
        ..
    } = rtf;
    for object in objects {
        nest.tick()?;
        open(object, odd_header, nest)?;
    }
    for (_, bytes) in stored {
        nest.tick()?;
        store(bytes, nest)?;
    }
    for field in &fields {
        note_field(field, Some(field.at), nest);
    }
    let templates = templates.into_iter().map(|one| (Role::Template, one));
    let pictures = pictures.into_iter().map(|one| (Role::Media, one));
    for (role, (at, target)) in templates.chain(pictures) {
        nest.note(Fact::External {
            at: Some(at),
            role,
            target: plain(&target),
        });
    }
    Ok(())
}

fn open(object: Object, odd_header: bool, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let mut hidden = object.data.noise.told();
    if object.data.odd {
        hidden.push("a digit too many".to_owned());
    }
    if odd_header && !object.data.is_empty() {
        hidden.push("a header that no program writes".to_owned());
    }
    let Object {
        at,
        class,
        data,
        update,
        link,
        control,
    } = object;
    let class = plain(&class);
    let data = Bytes::from(likeliest(data));
    let header = ole1::object(&data).ok();
    let named = match &header {
        Some(ole1::Object::Embedded { class, .. } | ole1::Object::Linked { class, .. }) => {
            plain(class)
        }
        None => String::new(),
    };
    // What the data says is what is loaded; what the text says is shown to readers of the text.
    let shown = match (class.is_empty(), named.is_empty()) {
        (false, false) if !class.eq_ignore_ascii_case(&named) => {
            format!("{named} (declared as {class})")
        }
        (_, false) => named.clone(),
        _ => class.clone(),
    };
    let linked = link || matches!(header, Some(ole1::Object::Linked { .. }));
    nest.note(Fact::Object {
        at,
        class: shown,
        linked,
        updates: update,
        hidden,
    });
    if control {
        let class = if named.is_empty() {
            class
        } else {
            named.clone()
        };
        nest.note(Fact::Control { class });
    }
    match header {
        Some(ole1::Object::Linked { topic, .. }) => nest.note(Fact::External {
            at: Some(at),
            role: Role::OleObject,
            target: plain(&topic),
        }),
        Some(ole1::Object::Embedded {
            at: start,
            data: native,
            claimed,
            ..
        }) => {
            let missing = claimed.saturating_sub(native.len());
            if missing > 0 {
                nest.unread(at, format!("object: {missing} of its bytes are missing"));
            }
            let end = start.saturating_add(native.len());
            embedded(&data.slice(start..end), &named, update, nest)?;
        }
        None if data.is_empty() => {}
        None => {
            nest.deviation(at, "object data: no OLE 1.0 header");
            embedded(&data, &named, update, nest)?;
        }
    }
    Ok(())
}

/// Pushes the data of an embedded object.
fn embedded(data: &Bytes, class: &str, update: bool, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if data.is_empty() || objects::push_package(data, None, nest)? {
        return Ok(());
    }
    let mut child = Child::new("rtf-object", data.clone()).else_kind(Kind::OleStream);
    if class.to_ascii_lowercase().starts_with("equation") && !is_compound(data) {
        child = child.with_fact(objects::equation(data, nest.budget())?);
    }
    if update {
        child = child.with_fact(Fact::LoadedOnOpening);
    }
    nest.push(child)?;
    Ok(())
}

/// Data that Word keeps beside the text: an object of its own, mostly a schema cache.
fn store(bytes: Vec<u8>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let bytes = Bytes::from(bytes);
    let data = match ole1::object(&bytes) {
        Ok(ole1::Object::Embedded {
            at: start, data, ..
        }) => bytes.slice(start..start.saturating_add(data.len())),
        _ => bytes,
    };
    if data.is_empty() {
        return Ok(());
    }
    let child = Child::new("rtf-datastore", data).else_kind(Kind::OleStream);
    nest.push(child)?;
    Ok(())
}

/// The reading of object data that makes an object, else the first.
fn likeliest(data: HexData) -> Vec<u8> {
    let makes = |bytes: &[u8]| {
        let named =
            |class: &[u8]| !class.is_empty() && class.iter().all(|b| (0x20..0x7f).contains(b));
        let header = match ole1::object(bytes) {
            Ok(ole1::Object::Embedded { class, .. } | ole1::Object::Linked { class, .. }) => {
                named(&class)
            }
            Err(_) => false,
        };
        header || is_compound(bytes)
    };
    if makes(&data.bytes) {
        return data.bytes;
    }
    let other = data.others.into_iter().find(|bytes| makes(bytes));
    other.unwrap_or(data.bytes)
}

/// Text of the file as it is shown; its code page matters for names only.
fn plain(raw: &[u8]) -> String {
    let readings = text::name_readings(raw);
    let first = readings.into_iter().next().unwrap_or_default();
    first
        .trim_matches(|c: char| c.is_whitespace() || c == '\0')
        .to_owned()
}
