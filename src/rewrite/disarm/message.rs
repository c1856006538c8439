//! Messages of Outlook (`.msg`, [MS-OXMSG]) with other attachments: new bytes in the streams of old ones, nested
//! messages in their storages, notices under the name of the file that they stand for with `.txt` behind. A body gets
//! other content in the property that it stands in; recipients and every other property stay.

use std::collections::BTreeMap;

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_16LE, WINDOWS_1252};

use super::Refusal;
use super::archive::{Change, notice_text, with_extension};
use crate::bytes::u32_at;
use crate::formats::mapi::{property_id, property_type, tag};
use crate::formats::msg::{self, Inside, Message, Object};
use crate::formats::ole::{Changes, ObjectType, Ole};
use crate::formats::rtf_compressed;
use crate::limits::{Budget, Fault};
use crate::model::{Artifact, Id};

/// PidTagAttachSize ([MS-OXPROPS] 2.606).
const ATTACH_SIZE: u32 = 0x0e20_0003;

/// PidTagAttachMethod for an attachment that is bytes ([MS-OXCMSG] 2.2.2.9).
const BY_VALUE: u32 = 1;

/// Flags of a property that may be read and written ([MS-OXMSG] 2.4.2).
const FLAGS: u32 = 6;

/// Puts changed attachments into a message; `attachments` are all of its files, in their order.
pub(super) fn edit(
    data: &Bytes,
    attachments: &[&Artifact],
    list: &[Change<'_>],
    budget: &Budget,
) -> Result<Bytes, Refusal> {
    let mut ole = open(data, budget)?;
    let inside = ole.by_storage();
    let message = Message::read(&mut ole, &inside).map_err(Refusal::Limit)?;
    let files: Vec<&Object<'_>> = message.attachments.iter().filter(has_file).collect();
    if files.len() != attachments.len() || !message.missing.is_empty() {
        return Err(Refusal::Broken("not all of it was read".to_owned()));
    }
    let ids = attachments.iter().map(|artifact| artifact.id);
    let by_id: BTreeMap<Id, &Object<'_>> = ids.zip(files).collect();
    let charset = message.own.properties.charset().unwrap_or(WINDOWS_1252);
    let mut changes = Changes::default();
    bodies(
        &mut ole,
        &inside,
        message.own.storage,
        charset,
        list,
        &mut changes,
    )?;
    for change in list {
        budget.tick().map_err(Refusal::Limit)?;
        if is_body(change) {
            continue;
        }
        let storage = by_id.get(&change.artifact.id).and_then(|one| one.storage);
        let Some(mut attachment) = Attachment::read(&mut ole, &inside, storage)? else {
            let what = "an attachment has no list of properties".to_owned();
            return Err(Refusal::Broken(what));
        };
        attachment.change(change, &mut changes, budget)?;
        if let Some(name) = new_name(change) {
            attachment.rename(&name, charset, &mut changes);
            if change.new.is_none() {
                let kind = property_id::ATTACH_MIME_TAG;
                attachment.text(kind, "text/plain", charset, &mut changes);
            }
        }
        let Attachment {
            list, properties, ..
        } = attachment;
        changes.replaced.insert(list, properties);
    }
    let written = ole.changed(&mut changes).map_err(Refusal::Limit)?;
    budget.spend(written.len()).map_err(Refusal::Limit)?;
    Ok(written.into())
}

fn is_body(change: &Change<'_>) -> bool {
    change.artifact.via == Some(crate::unpack::MSG_BODY)
}

/// Puts new bodies into the properties that the old ones stand in.
fn bodies(
    ole: &mut Ole<'_>,
    inside: &Inside,
    root: Option<usize>,
    charset: &'static Encoding,
    list: &[Change<'_>],
    changes: &mut Changes<'_>,
) -> Result<(), Refusal> {
    let wanted: Vec<&Change<'_>> = list.iter().filter(|change| is_body(change)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let no_place = || Refusal::Broken("a body is in no property of its own".to_owned());
    let mut own = Attachment::read(ole, inside, root)?.ok_or_else(no_place)?;
    for change in wanted {
        let (old, new) = (&change.artifact.data, change.new.as_ref());
        let new = new.ok_or_else(no_place)?;
        let mut value = None;
        for (tag, position) in &own.values {
            let Some(form) = Form::of(*tag, charset) else {
                continue;
            };
            let stream = ole.stream(*position).map_err(Refusal::Limit)?;
            if form.read(&stream.data).as_deref() == Some(old.as_ref()) {
                value = form.written(new).map(|bytes| (*tag, bytes));
                break;
            }
        }
        let (tag, bytes) = value.ok_or_else(no_place)?;
        own.value(tag, bytes, changes);
    }
    changes.replaced.insert(own.list, own.properties);
    Ok(())
}

/// How a property has a body ([MS-OXCMSG] 2.2.1.56).
#[derive(Debug, Clone, Copy)]
enum Form {
    Bytes,
    Packed,
    Text(Option<&'static Encoding>),
}

impl Form {
    fn of(value: u32, charset: &'static Encoding) -> Option<Self> {
        let of = |id, kind| value == tag(id, kind);
        let is_text = |kind| of(property_id::BODY, kind) || of(property_id::HTML, kind);
        match () {
            () if of(property_id::HTML, property_type::BINARY) => Some(Self::Bytes),
            () if of(property_id::RTF_COMPRESSED, property_type::BINARY) => Some(Self::Packed),
            () if is_text(property_type::UNICODE) => Some(Self::Text(None)),
            () if is_text(property_type::STRING8) => Some(Self::Text(Some(charset))),
            () => None,
        }
    }

    /// The body as a scan shows it.
    fn read(self, value: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Bytes => Some(value.to_vec()),
            Self::Packed => rtf_compressed::decompress(value).ok().map(|rich| rich.data),
            Self::Text(charset) => {
                let (text, _) = charset
                    .unwrap_or(UTF_16LE)
                    .decode_without_bom_handling(value);
                Some(text.into_owned().into_bytes())
            }
        }
    }

    fn written(self, new: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Bytes => Some(new.to_vec()),
            Self::Packed => rtf_compressed::stored(new),
            Self::Text(charset) => std::str::from_utf8(new)
                .ok()
                .map(|text| encoded(text, charset)),
        }
    }
}

fn open<'d>(data: &'d [u8], budget: &Budget) -> Result<Ole<'d>, Refusal> {
    Ole::open(data, budget).map_err(|fault| match fault {
        Fault::Halt(halt) => Refusal::Limit(halt),
        Fault::Broken(what) => Refusal::Broken(what),
    })
}

/// Whether an attachment has bytes of its own.
fn has_file(object: &&Object<'_>) -> bool {
    let properties = &object.properties;
    let data = properties.bytes(property_id::ATTACH_DATA, property_type::BINARY);
    object.data_object.is_some() || data.is_some()
}

/// The name that an attachment gets; none where it keeps its own.
fn new_name(change: &Change<'_>) -> Option<String> {
    let name = change.artifact.name.as_ref();
    let name = name.and_then(|name| name.readings.first());
    let name = name.map_or_else(|| change.artifact.label(), String::as_str);
    let name = name.rsplit(['/', '\\']).next()?;
    match (&change.new, change.extension) {
        (None, _) => Some(format!("{name}.txt")),
        (Some(_), Some(extension)) => Some(with_extension(name, extension)),
        (Some(_), None) => None,
    }
}

/// The storage of an attachment.
struct Attachment {
    storage: usize,
    /// Positions of the values by their tags.
    values: BTreeMap<u32, usize>,
    /// Position of the list of properties, and its bytes.
    list: usize,
    properties: Vec<u8>,
}

impl Attachment {
    fn read(
        ole: &mut Ole<'_>,
        inside: &Inside,
        storage: Option<usize>,
    ) -> Result<Option<Self>, Refusal> {
        let Some(storage) = storage else {
            return Ok(None);
        };
        let mut values = BTreeMap::new();
        let mut list = None;
        for position in inside.get(&Some(storage)).into_iter().flatten() {
            let Some(entry) = ole.entries().get(*position) else {
                continue;
            };
            if let Some(number) = msg::value_tag(&entry.name) {
                values.insert(number, *position);
            } else if msg::is_list(&entry.name) && entry.object_type == ObjectType::Stream {
                list = Some(*position);
            }
        }
        let Some(list) = list else {
            return Ok(None);
        };
        let properties = ole.stream(list).map_err(Refusal::Limit)?;
        Ok(Some(Self {
            storage,
            values,
            list,
            properties: properties.data.into_owned(),
        }))
    }

    /// Puts new bytes or a notice into the place of the old bytes.
    fn change<'g>(
        &mut self,
        change: &'g Change<'_>,
        changes: &mut Changes<'g>,
        budget: &Budget,
    ) -> Result<(), Refusal> {
        let data = tag(property_id::ATTACH_DATA, property_type::BINARY);
        let object = tag(property_id::ATTACH_DATA, property_type::OBJECT);
        let position = self.values.get(&object).copied();
        let size = match (&change.new, position) {
            (Some(new), Some(position)) => {
                changes.grafted.insert(position, open(new, budget)?);
                new.len()
            }
            (Some(new), None) => {
                self.value(data, new.to_vec(), changes);
                new.len()
            }
            (None, position) => {
                if let Some(position) = position {
                    changes.left_out.insert(position);
                    msg::change_entries(&mut self.properties, object, |entry| {
                        set(entry, 0, data);
                        set(entry, 12, 0);
                    });
                    let method = tag(property_id::ATTACH_METHOD, property_type::INTEGER32);
                    msg::change_entries(&mut self.properties, method, |entry| {
                        set(entry, 8, BY_VALUE);
                    });
                }
                let text = notice_text(&change.notice);
                let size = text.len();
                self.value(data, text, changes);
                size
            }
        };
        let old = change.artifact.data.len();
        msg::change_entries(&mut self.properties, ATTACH_SIZE, |entry| {
            let told = u32_at(entry, 8).unwrap_or_default();
            let rest = crate::bytes::index(told).saturating_sub(old);
            set(entry, 8, number(rest.saturating_add(size)));
        });
        Ok(())
    }

    /// Gives an attachment a name wherever it has one (2.2.2.10, 2.2.2.11).
    fn rename(&mut self, name: &str, charset: &'static Encoding, changes: &mut Changes<'_>) {
        let long = property_id::ATTACH_LONG_FILENAME;
        let kinds = [property_type::UNICODE, property_type::STRING8];
        let has_long = kinds
            .iter()
            .any(|kind| self.values.contains_key(&tag(long, *kind)));
        if !has_long {
            self.value(
                tag(long, property_type::UNICODE),
                encoded(name, None),
                changes,
            );
        }
        for id in [
            long,
            property_id::ATTACH_FILENAME,
            property_id::DISPLAY_NAME,
        ] {
            self.text(id, name, charset, changes);
        }
        if let Some((_, extension)) = name.rsplit_once('.') {
            let extension = format!(".{extension}");
            let id = property_id::ATTACH_EXTENSION;
            self.text(id, &extension, charset, changes);
        }
    }

    /// Gives a text another value in the types that it has.
    fn text(&mut self, id: u16, text: &str, charset: &'static Encoding, changes: &mut Changes<'_>) {
        for (kind, charset) in [
            (property_type::UNICODE, None),
            (property_type::STRING8, Some(charset)),
        ] {
            if self.values.contains_key(&tag(id, kind)) {
                self.value(tag(id, kind), encoded(text, charset), changes);
            }
        }
    }

    /// Gives a property of variable length its bytes, and its entry their number.
    fn value(&mut self, tag: u32, data: Vec<u8>, changes: &mut Changes<'_>) {
        // [MS-OXMSG] 2.4.2.2: the size of a text counts its end, which the stream does not have.
        let end = match tag {
            tag if tag & 0xffff == u32::from(property_type::UNICODE) => 2,
            tag if tag & 0xffff == u32::from(property_type::STRING8) => 1,
            _ => 0,
        };
        let size = number(data.len().saturating_add(end));
        let known = msg::change_entries(&mut self.properties, tag, |entry| set(entry, 8, size));
        if !known {
            for number in [tag, FLAGS, size, 0] {
                self.properties.extend(number.to_le_bytes());
            }
        }
        match self.values.get(&tag) {
            Some(position) => {
                changes.replaced.insert(*position, data);
            }
            None => {
                let added = changes.added.entry(self.storage).or_default();
                added.push((msg::value_name(tag), data));
            }
        }
    }
}

fn encoded(text: &str, charset: Option<&'static Encoding>) -> Vec<u8> {
    match charset {
        None => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Some(charset) => charset.encode(text).0.into_owned(),
    }
}

fn set(entry: &mut [u8], at: usize, number: u32) {
    if let Some(slot) = entry.get_mut(at..at.saturating_add(4)) {
        slot.copy_from_slice(&number.to_le_bytes());
    }
}

fn number(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
