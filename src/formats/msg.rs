//! Messages of Outlook as files ([MS-OXMSG]): properties, recipients and attachments in a compound file.
//!
//! Counts in the property streams are not asked: what storages are there are read. Left out on purpose: named
//! properties but for the one that makes Outlook fetch a file.

use std::collections::BTreeMap;

use crate::bytes::{Deviation, Reader, u16_at, u32_at};
use crate::limits::Halt;

use super::mapi::{Properties, REMINDER_FILE, property_id, property_type, tag};
use super::ole::{ObjectType, Ole};

/// Names of storages and streams (2.2).
const ATTACHMENT: &str = "__attach_version1.0_";
const RECIPIENT: &str = "__recip_version1.0_";
const PROPERTIES: &str = "__properties_version1.0";
const VALUE: &str = "__substg1.0_";
const NAMED: &str = "__nameid_version1.0";

/// Size of an entry of a property stream (2.4.2).
const ENTRY: usize = 16;

/// Positions of entries in each storage.
pub type Inside = BTreeMap<Option<usize>, Vec<usize>>;

/// One message, recipient or attachment.
#[derive(Debug, Clone, Default)]
pub struct Object<'a> {
    /// Its values.
    pub properties: Properties<'a>,
    /// The storage that it is in.
    pub storage: Option<usize>,
    /// The storage that holds a value of type PtypObject of PidTagAttachDataObject.
    pub data_object: Option<usize>,
    /// Where the value of PidTagAttachDataBinary lies in the file, where it is in one piece.
    pub data_range: Option<std::ops::Range<usize>>,
}

/// A message with what belongs to it.
#[derive(Debug, Clone, Default)]
pub struct Message<'a> {
    /// The message itself.
    pub own: Object<'a>,
    /// Its recipients.
    pub recipients: Vec<Object<'a>>,
    /// Its attachments, in the order of their names.
    pub attachments: Vec<Object<'a>>,
    /// The file that its reminder plays, where it names one.
    pub reminder_file: Option<String>,
    /// Values that are not there whole: which, and how much is missing.
    pub missing: Vec<Deviation>,
}

impl<'a> Message<'a> {
    /// Reads the message in the root of a compound file. Fails only on a limit.
    pub fn read(ole: &mut Ole<'a>, inside: &Inside) -> Result<Self, Halt> {
        let mut message = Self::default();
        let root = ole.root();
        message.own = message.object(ole, inside, root)?;
        for (name, storage) in storages(ole, inside, root) {
            if starts(&name, ATTACHMENT) {
                let object = message.object(ole, inside, Some(storage))?;
                message.attachments.push(object);
            } else if starts(&name, RECIPIENT) {
                let object = message.object(ole, inside, Some(storage))?;
                message.recipients.push(object);
            } else if starts(&name, NAMED) {
                message.reminder_file = reminder(ole, inside, storage, &message.own.properties)?;
            }
        }
        Ok(message)
    }

    fn object(
        &mut self,
        ole: &mut Ole<'a>,
        inside: &Inside,
        storage: Option<usize>,
    ) -> Result<Object<'a>, Halt> {
        let mut object = Object {
            storage,
            ..Object::default()
        };
        for &position in inside.get(&storage).into_iter().flatten() {
            let Some(entry) = ole.entries().get(position) else {
                continue;
            };
            let (name, is_stream) = (entry.name.clone(), entry.object_type == ObjectType::Stream);
            if name.eq_ignore_ascii_case(PROPERTIES) && is_stream {
                let data = ole.stream(position)?.data;
                fixed(&data, &mut object.properties);
                continue;
            }
            let Some(number) = value_tag(&name) else {
                continue;
            };
            if !is_stream {
                if number == tag(property_id::ATTACH_DATA, property_type::OBJECT) {
                    object.data_object = Some(position);
                }
                continue;
            }
            let stream = ole.stream(position)?;
            if stream.missing > 0 {
                let what = format!("{name}: {} bytes are missing", stream.missing);
                self.missing
                    .push(Deviation::new(entry_at(ole, position), what));
            }
            if number == tag(property_id::ATTACH_DATA, property_type::BINARY) {
                object.data_range = stream.range();
            }
            object.properties.add(number, stream.data);
        }
        Ok(object)
    }
}

/// Positions of the storages that attached messages and documents lie in: a reader of this message makes files of
/// them.
pub fn embedded(ole: &Ole<'_>, inside: &Inside) -> Vec<usize> {
    let wanted = tag(property_id::ATTACH_DATA, property_type::OBJECT);
    storages(ole, inside, ole.root())
        .into_iter()
        .filter(|(name, _)| starts(name, ATTACHMENT))
        .flat_map(|(_, storage)| storages(ole, inside, Some(storage)))
        .filter(|(name, _)| value_tag(name) == Some(wanted))
        .map(|(_, storage)| storage)
        .collect()
}

/// Names and positions of the storages in a storage, by name.
fn storages(ole: &Ole<'_>, inside: &Inside, storage: Option<usize>) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = inside
        .get(&storage)
        .into_iter()
        .flatten()
        .filter_map(|&position| {
            let entry = ole.entries().get(position)?;
            (entry.object_type == ObjectType::Storage).then(|| (entry.name.clone(), position))
        })
        .collect();
    found.sort();
    found
}

fn entry_at(ole: &Ole<'_>, position: usize) -> usize {
    ole.entries().get(position).map_or(0, |entry| entry.at)
}

fn starts(name: &str, with: &str) -> bool {
    name.get(..with.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(with))
}

/// The name of the stream of a value.
pub fn value_name(tag: u32) -> String {
    format!("{VALUE}{tag:08X}")
}

/// Whether a stream is the list of the properties of what it stands in.
pub fn is_list(name: &str) -> bool {
    name.eq_ignore_ascii_case(PROPERTIES)
}

/// The tag in the name of a value's stream or storage; of a value of several, such as `…-00000000`, none.
pub fn value_tag(name: &str) -> Option<u32> {
    if !starts(name, VALUE) {
        return None;
    }
    let digits = name.get(VALUE.len()..)?;
    (digits.len() == 8)
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

/// Where the entries of a property stream (2.4) start. Its header has 8, 24 or 32 bytes: what is left over tells which.
fn entries_at(data: &[u8]) -> usize {
    match data.len() % ENTRY {
        0 => 32,
        // An attachment's or a message's inside another: entries of the second start at 24, and what lies before
        // reads as an entry of no type.
        _ => 8,
    }
}

/// Changes the entries of a property stream of some tag: `change` gets the 16 bytes of each. Answers whether there
/// was one.
pub fn change_entries(data: &mut [u8], tag: u32, mut change: impl FnMut(&mut [u8])) -> bool {
    let at = entries_at(data);
    let entries = data.get_mut(at..).unwrap_or_default();
    let mut found = false;
    for entry in entries.chunks_exact_mut(ENTRY) {
        if u32_at(entry, 0) == Some(tag) {
            change(entry);
            found = true;
        }
    }
    found
}

/// The fixed values of a property stream.
fn fixed(data: &[u8], properties: &mut Properties<'_>) {
    let header = entries_at(data);
    let mut reader = Reader::at(data, header);
    while let Ok(entry) = reader.take("property entry", ENTRY) {
        let (Some(number), Some(value)) = (u32_at(entry, 0), entry.get(8..)) else {
            break;
        };
        let kind = number & 0xffff;
        if matches!(kind, 0x0002 | 0x0003 | 0x000b | 0x0014 | 0x0040) {
            properties.add(number, value.to_vec().into());
        }
    }
}

/// The text of PidLidReminderFileParameter by the mapping of named properties (2.2.3).
fn reminder(
    ole: &mut Ole<'_>,
    inside: &Inside,
    storage: usize,
    properties: &Properties<'_>,
) -> Result<Option<String>, Halt> {
    /// The entry stream: eight bytes a name.
    const ENTRIES: u32 = 0x0003_0102;
    for &position in inside.get(&Some(storage)).into_iter().flatten() {
        let name = ole
            .entries()
            .get(position)
            .map(|entry| entry.name.as_str())
            .unwrap_or_default();
        if value_tag(name) != Some(ENTRIES) {
            continue;
        }
        let data = ole.stream(position)?.data;
        for entry in data.chunks_exact(8) {
            let (Some(number), Some(kind), Some(at)) =
                (u32_at(entry, 0), u16_at(entry, 4), u16_at(entry, 6))
            else {
                break;
            };
            // The lowest bit tells a name from a number.
            if number == REMINDER_FILE && kind & 1 == 0 {
                let id = 0x8000u16.saturating_add(at);
                return Ok(properties.shown(id, encoding_rs::WINDOWS_1252));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_values_tell_their_tags() {
        assert_eq!(value_tag("__substg1.0_3707001F"), Some(0x3707_001f));
        assert_eq!(value_tag("__SUBSTG1.0_3701000d"), Some(0x3701_000d));
        assert_eq!(value_tag("__substg1.0_3707001F-00000001"), None);
        assert_eq!(value_tag("__substg1.0_3707001"), None);
        assert_eq!(value_tag("あ__substg1.0_3707001F"), None);
    }

    #[test]
    fn fixed_values_stand_behind_a_header_of_either_length() {
        let entry = [
            &0x3705_0003u32.to_le_bytes()[..],
            &[6, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        for header in [8, 24, 32] {
            let mut properties = Properties::default();
            fixed(&[vec![0; header], entry.clone()].concat(), &mut properties);
            assert_eq!(
                properties.number(property_id::ATTACH_METHOD),
                Some(5),
                "{header}"
            );
        }
        let mut properties = Properties::default();
        fixed(&entry, &mut properties);
        assert!(properties.is_empty());
    }
}
