//! Transport Neutral Encapsulation ([MS-OXTNEF]): the `winmail.dat` of Outlook.
//!
//! Checksums are compared and not trusted, unknown attributes passed over, and what a length leads out of is cut to
//! what is there.

use crate::bytes::{Deviation, Reader, Short, index};

use super::mapi::{Properties, REMINDER_FILE, property_id, property_type, tag};

/// The signature (2.1.3.1).
pub const SIGNATURE: u32 = 0x223e_9f78;

/// Attributes (2.1.3.2) that are read: type in the upper half.
mod attribute {
    pub(super) const SUBJECT: u32 = 0x0001_8004;
    pub(super) const DATE_SENT: u32 = 0x0003_8005;
    pub(super) const BODY: u32 = 0x0002_800c;
    pub(super) const ATTACH_DATA: u32 = 0x0006_800f;
    pub(super) const ATTACH_TITLE: u32 = 0x0001_8010;
    pub(super) const ATTACH_RENDERING: u32 = 0x0006_9002;
    pub(super) const MESSAGE_PROPERTIES: u32 = 0x0006_9003;
    pub(super) const RECIPIENTS: u32 = 0x0006_9004;
    pub(super) const ATTACHMENT: u32 = 0x0006_9005;
    pub(super) const CODE_PAGE: u32 = 0x0006_9007;
}

/// Interfaces of PtypObject values ([MS-OXTNEF] 2.1.3.4): a message inside.
const MESSAGE: &[u8; 16] = &[
    0x07, 0x03, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46,
];

/// Deviations that are told.
const TOLD: usize = 16;

/// An attachment.
#[derive(Debug, Clone, Default)]
pub struct Attachment<'a> {
    /// attAttachTitle: its name in an eight-bit charset.
    pub title: Option<&'a [u8]>,
    /// attAttachData with its offset; mostly one.
    pub data: Vec<(usize, &'a [u8])>,
    /// Its properties.
    pub properties: Properties<'a>,
}

impl Attachment<'_> {
    /// The object in its properties, and whether it is a message in this format.
    pub fn object(&self) -> Option<(&[u8], bool)> {
        let value = self
            .properties
            .bytes(property_id::ATTACH_DATA, property_type::OBJECT)?;
        let (interface, data) = value.split_at_checked(16)?;
        Some((data, interface == MESSAGE))
    }
}

/// A message.
#[derive(Debug, Clone, Default)]
pub struct Tnef<'a> {
    /// Its properties, those that old attributes tell included.
    pub properties: Properties<'a>,
    /// Its recipients.
    pub recipients: Vec<Properties<'a>>,
    /// Its attachments.
    pub attachments: Vec<Attachment<'a>>,
    /// attOemCodepage.
    pub code_page: Option<u32>,
    /// attDateSent: year, month, day, hour, minute, second.
    pub sent: Option<[u16; 6]>,
    /// The file that its reminder plays, where it names one.
    pub reminder_file: Option<String>,
    /// What was odd.
    pub deviations: Vec<Deviation>,
    /// What breaks off.
    pub cut: Vec<Short>,
}

/// Reads a message. Fails on a wrong signature only.
pub fn read(data: &[u8]) -> Result<Tnef<'_>, Short> {
    let mut reader = Reader::new(data);
    let signature = reader.u32("TNEFSignature")?;
    if signature != SIGNATURE {
        return Err(Short {
            field: "TNEFSignature 0x223e9f78",
            expected: 4,
            found: 0,
            offset: 0,
        });
    }
    reader.u16("LegacyKey")?;
    let mut tnef = Tnef::default();
    // Ends because each round takes at least the level.
    while !reader.is_empty() {
        if let Err(short) = tnef.attribute(&mut reader) {
            tnef.cut.push(short);
            break;
        }
    }
    tnef.deviations.truncate(TOLD);
    tnef.cut.truncate(TOLD);
    Ok(tnef)
}

impl<'a> Tnef<'a> {
    fn attribute(&mut self, reader: &mut Reader<'a>) -> Result<(), Short> {
        let start = reader.offset();
        let level = reader.u8("attrLevel")?;
        if !matches!(level, 1 | 2) {
            // Bytes behind the last attribute, as some mail systems leave them.
            let rest = reader.rest();
            if rest
                .iter()
                .chain([&level])
                .any(|byte| !byte.is_ascii_whitespace() && *byte != 0)
            {
                let what = format!("attrLevel: expected 1 or 2, found {level}");
                self.deviations.push(Deviation::new(start, what));
                self.carve(rest, start.saturating_add(1));
            }
            return Ok(());
        }
        let id = reader.u32("attribute")?;
        let len = index(reader.u32("attribute length")?);
        let at = reader.offset();
        let there = reader.remaining();
        let value = match reader.take("attribute data", len) {
            Ok(value) => value,
            Err(short) => {
                let rest = reader.rest();
                self.take(id, rest, at);
                return Err(short);
            }
        };
        self.take(id, value, at);
        let checksum = reader.u16("checksum")?;
        let found = value
            .iter()
            .fold(0u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        if checksum != found && there > 0 {
            let what = format!("checksum: expected {checksum:#06x}, found {found:#06x}");
            self.deviations.push(Deviation::new(at, what));
        }
        Ok(())
    }

    /// What stands behind a broken attribute is an attachment by itself, so that it is looked at.
    fn carve(&mut self, rest: &'a [u8], at: usize) {
        if rest.len() > 64 {
            self.attachments.push(Attachment {
                data: vec![(at, rest)],
                ..Attachment::default()
            });
        }
    }

    fn take(&mut self, id: u32, value: &'a [u8], at: usize) {
        let text = |id: u16| tag(id, property_type::STRING8);
        match id {
            attribute::SUBJECT => self
                .properties
                .add(text(property_id::SUBJECT), value.into()),
            attribute::BODY => self.properties.add(text(property_id::BODY), value.into()),
            attribute::CODE_PAGE => self.code_page = crate::bytes::u32_at(value, 0),
            attribute::DATE_SENT => self.sent = date(value),
            attribute::MESSAGE_PROPERTIES => {
                let mut reader = Reader::new(value);
                let reminder = &mut self.reminder_file;
                if let Err(short) = properties(&mut reader, &mut self.properties, reminder) {
                    self.cut.push(moved(short, at));
                }
            }
            attribute::RECIPIENTS => {
                if let Err(short) = self.recipients(value) {
                    self.cut.push(moved(short, at));
                }
            }
            attribute::ATTACH_RENDERING => self.attachments.push(Attachment::default()),
            attribute::ATTACH_DATA => {
                if let Some(own) = self.attachment() {
                    own.data.push((at, value));
                }
            }
            attribute::ATTACH_TITLE => {
                let end = memchr::memchr(0, value).unwrap_or(value.len());
                let title = value.get(..end).filter(|title| !title.is_empty());
                if let Some(own) = self.attachment() {
                    own.title = title;
                }
            }
            attribute::ATTACHMENT => {
                let mut reader = Reader::new(value);
                let read = self
                    .attachment()
                    .map(|own| properties(&mut reader, &mut own.properties, &mut None));
                if let Some(Err(short)) = read {
                    self.cut.push(moved(short, at));
                }
            }
            _ => {}
        }
    }

    /// The attachment at hand; one without rendering data in front is one too.
    fn attachment(&mut self) -> Option<&mut Attachment<'a>> {
        if self.attachments.is_empty() {
            self.attachments.push(Attachment::default());
        }
        self.attachments.last_mut()
    }

    fn recipients(&mut self, value: &'a [u8]) -> Result<(), Short> {
        let mut reader = Reader::new(value);
        let rows = reader.u32("recipient rows")?;
        for _ in 0..rows {
            let mut row = Properties::default();
            let read = properties(&mut reader, &mut row, &mut None);
            self.recipients.push(row);
            read?;
        }
        Ok(())
    }
}

fn moved(short: Short, by: usize) -> Short {
    Short {
        offset: short.offset.saturating_add(by),
        ..short
    }
}

/// A date (2.1.3.3.5): seven words, the last of which is the day of the week.
fn date(value: &[u8]) -> Option<[u16; 6]> {
    let mut words = [0u16; 6];
    for (slot, pair) in words.iter_mut().zip(value.chunks_exact(2)) {
        *slot = u16::from_le_bytes(pair.try_into().ok()?);
    }
    (value.len() >= 12).then_some(words)
}

/// A list of properties (2.1.3.4). What was read before it breaks off stays.
fn properties<'a>(
    reader: &mut Reader<'a>,
    out: &mut Properties<'a>,
    reminder: &mut Option<String>,
) -> Result<(), Short> {
    let count = reader.u32("property count")?;
    for _ in 0..count {
        let kind = reader.u16("property type")?;
        let id = reader.u16("property id")?;
        let mut number = None;
        if id >= 0x8000 {
            reader.skip("property set", 16)?;
            if reader.u32("name kind")? == 0 {
                number = Some(reader.u32("name id")?);
            } else {
                let len = index(reader.u32("name length")?);
                padded(reader, "name", len)?;
            }
        }
        let values = match size(kind & 0x0fff) {
            Some(size) if kind & 0x1000 == 0 => {
                let value = reader.take("property value", size)?;
                out.add(tag(id, kind), value.into());
                continue;
            }
            Some(size) => {
                let count = index(reader.u32("value count")?);
                reader.skip("property values", count.saturating_mul(size))?;
                continue;
            }
            None => reader.u32("value count")?,
        };
        for _ in 0..values {
            let len = index(reader.u32("value length")?);
            let value = padded(reader, "property value", len)?;
            if number == Some(REMINDER_FILE) {
                let mut own = Properties::default();
                own.add(tag(id, kind), value.into());
                *reminder = own.shown(id, encoding_rs::WINDOWS_1252);
            }
            // Named ids are this list's own.
            if kind & 0x1000 == 0 && number.is_none() {
                out.add(tag(id, kind), value.into());
            }
        }
    }
    Ok(())
}

/// Bytes and what fills them up to four; at the end of the list that may be left out.
fn padded<'a>(reader: &mut Reader<'a>, field: &'static str, len: usize) -> Result<&'a [u8], Short> {
    let value = reader.take(field, len)?;
    let fill = len.next_multiple_of(4).saturating_sub(len);
    reader.skip(field, fill.min(reader.remaining()))?;
    Ok(value)
}

/// Bytes of a fixed type, as TNEF pads them; none for the others.
fn size(kind: u16) -> Option<usize> {
    match kind {
        0x0001 => Some(0),
        0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => Some(4),
        0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => Some(8),
        0x0048 => Some(16),
        _ => None,
    }
}

/// One attribute of a level, for tests and fixtures.
#[cfg(test)]
pub(crate) fn written(level: u8, id: u32, value: &[u8]) -> Vec<u8> {
    let mut out = vec![level];
    out.extend(id.to_le_bytes());
    out.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
    out.extend(value);
    let sum = value
        .iter()
        .fold(0u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
    out.extend(sum.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut list = 2u32.to_le_bytes().to_vec();
        list.extend([
            0x1f, 0, 0x07, 0x37, 1, 0, 0, 0, 6, 0, 0, 0, b'a', 0, b'.', 0, b'b', 0, 0, 0,
        ]);
        list.extend([3, 0, 5, 0x37, 1, 0, 0, 0]);
        [
            SIGNATURE.to_le_bytes().to_vec(),
            vec![1, 0],
            written(1, attribute::CODE_PAGE, &932u32.to_le_bytes()),
            written(1, attribute::SUBJECT, b"Report\0"),
            written(2, attribute::ATTACH_RENDERING, &[0; 14]),
            written(2, attribute::ATTACH_TITLE, b"short.txt\0"),
            written(2, attribute::ATTACH_DATA, b"content"),
            written(2, attribute::ATTACHMENT, &list),
        ]
        .concat()
    }

    #[test]
    fn attachments_have_their_bytes_titles_and_properties() {
        let data = sample();
        let tnef = read(&data).unwrap();
        assert_eq!(
            (tnef.deviations.len(), tnef.cut.len()),
            (0, 0),
            "{:?}",
            tnef.cut
        );
        assert_eq!(tnef.code_page, Some(932));
        let [attachment] = tnef.attachments.as_slice() else {
            panic!("{:?}", tnef.attachments)
        };
        assert_eq!(attachment.title, Some(b"short.txt".as_slice()));
        assert_eq!(attachment.data[0].1, b"content");
        let properties = &attachment.properties;
        let charset = encoding_rs::UTF_8;
        let name = properties.shown(property_id::ATTACH_LONG_FILENAME, charset);
        assert_eq!(name.as_deref(), Some("a.b"));
        assert_eq!(properties.number(property_id::ATTACH_METHOD), Some(1));
    }

    #[test]
    fn a_wrong_checksum_and_bytes_behind_are_told_and_all_is_read() {
        let mut data = sample();
        let last = data.len() - 1;
        data[last] ^= 0x55;
        data.extend(b"\r\n");
        let tnef = read(&data).unwrap();
        assert_eq!(tnef.deviations.len(), 1);
        assert_eq!(tnef.attachments.len(), 1);
    }

    #[test]
    fn a_cut_attachment_keeps_what_is_there() {
        let data = sample();
        let at = memchr::memmem::find(&data, b"content").unwrap();
        let tnef = read(&data[..at + 3]).unwrap();
        assert_eq!(tnef.attachments[0].data[0].1, b"con");
        assert_eq!(tnef.cut.len(), 1);
        assert!(read(&data[1..]).is_err());
    }
}
