//! Properties of messages ([MS-OXPROPS], [MS-OXCDATA] 2.11): what `.msg` files and TNEF keep a message in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use encoding_rs::{EUC_JP, Encoding, ISO_2022_JP, UTF_8, UTF_16LE};

use crate::bytes::u64_at;

/// Property types ([MS-OXCDATA] 2.11.1) that are read.
pub mod property_type {
    /// PtypInteger32.
    pub const INTEGER32: u16 = 0x0003;
    /// PtypObject: a storage, or a message in TNEF.
    pub const OBJECT: u16 = 0x000d;
    /// PtypString8.
    pub const STRING8: u16 = 0x001e;
    /// PtypString.
    pub const UNICODE: u16 = 0x001f;
    /// PtypTime.
    pub const TIME: u16 = 0x0040;
    /// PtypBinary.
    pub const BINARY: u16 = 0x0102;
}

/// Property ids ([MS-OXPROPS] section 2) that are read.
pub mod property_id {
    /// PidTagSubject.
    pub const SUBJECT: u16 = 0x0037;
    /// PidTagClientSubmitTime.
    pub const CLIENT_SUBMIT_TIME: u16 = 0x0039;
    /// PidTagSentRepresentingName.
    pub const SENT_REPRESENTING_NAME: u16 = 0x0042;
    /// PidTagSentRepresentingEmailAddress.
    pub const SENT_REPRESENTING_ADDRESS: u16 = 0x0065;
    /// PidTagRecipientType.
    pub const RECIPIENT_TYPE: u16 = 0x0c15;
    /// PidTagSenderName.
    pub const SENDER_NAME: u16 = 0x0c1a;
    /// PidTagSenderEmailAddress.
    pub const SENDER_ADDRESS: u16 = 0x0c1f;
    /// PidTagDisplayTo.
    pub const DISPLAY_TO: u16 = 0x0e04;
    /// PidTagMessageDeliveryTime.
    pub const MESSAGE_DELIVERY_TIME: u16 = 0x0e06;
    /// PidTagNormalizedSubject.
    pub const NORMALIZED_SUBJECT: u16 = 0x0e1d;
    /// PidTagBody.
    pub const BODY: u16 = 0x1000;
    /// PidTagRtfCompressed.
    pub const RTF_COMPRESSED: u16 = 0x1009;
    /// PidTagHtml, and PidTagBodyHtml.
    pub const HTML: u16 = 0x1013;
    /// PidTagInternetMessageId.
    pub const INTERNET_MESSAGE_ID: u16 = 0x1035;
    /// PidTagDisplayName.
    pub const DISPLAY_NAME: u16 = 0x3001;
    /// PidTagEmailAddress.
    pub const EMAIL_ADDRESS: u16 = 0x3003;
    /// PidTagAttachDataBinary, and PidTagAttachDataObject.
    pub const ATTACH_DATA: u16 = 0x3701;
    /// PidTagAttachExtension.
    pub const ATTACH_EXTENSION: u16 = 0x3703;
    /// PidTagAttachFilename: 8.3.
    pub const ATTACH_FILENAME: u16 = 0x3704;
    /// PidTagAttachMethod.
    pub const ATTACH_METHOD: u16 = 0x3705;
    /// PidTagAttachLongFilename.
    pub const ATTACH_LONG_FILENAME: u16 = 0x3707;
    /// PidTagAttachPathname.
    pub const ATTACH_PATHNAME: u16 = 0x3708;
    /// PidTagAttachLongPathname.
    pub const ATTACH_LONG_PATHNAME: u16 = 0x370d;
    /// PidTagAttachMimeTag.
    pub const ATTACH_MIME_TAG: u16 = 0x370e;
    /// PidTagSmtpAddress.
    pub const SMTP_ADDRESS: u16 = 0x39fe;
    /// PidTagInternetCodepage.
    pub const INTERNET_CODEPAGE: u16 = 0x3fde;
    /// PidTagMessageCodepage.
    pub const MESSAGE_CODEPAGE: u16 = 0x3ffd;
    /// PidTagSenderSmtpAddress.
    pub const SENDER_SMTP_ADDRESS: u16 = 0x5d01;
    /// PidTagSentRepresentingSmtpAddress.
    pub const SENT_REPRESENTING_SMTP_ADDRESS: u16 = 0x5d02;
}

/// PidLidReminderFileParameter: the sound that a reminder plays, by its number in PSETID_Common.
pub const REMINDER_FILE: u32 = 0x851f;

/// The properties of one object: values by tag (id in the upper half, type in the lower).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties<'a> {
    values: BTreeMap<u32, Cow<'a, [u8]>>,
}

/// A text value as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text<'t> {
    /// UTF-16, decoded.
    Unicode(String),
    /// In an eight-bit charset.
    Raw(&'t [u8]),
}

impl<'a> Properties<'a> {
    /// Adds a value; the first of a tag stays. Fixed values are little endian in eight bytes or fewer.
    pub fn add(&mut self, tag: u32, value: Cow<'a, [u8]>) {
        self.values.entry(tag).or_insert(value);
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The bytes of a property in a type.
    pub fn bytes(&self, id: u16, kind: u16) -> Option<&[u8]> {
        self.values.get(&tag(id, kind)).map(AsRef::as_ref)
    }

    /// A text, in UTF-16 where it is there in that.
    pub fn text(&self, id: u16) -> Option<Text<'_>> {
        if let Some(units) = self.bytes(id, property_type::UNICODE) {
            let text = UTF_16LE.decode_without_bom_handling(units).0;
            return Some(Text::Unicode(text.trim_end_matches('\0').to_owned()));
        }
        let raw = self.bytes(id, property_type::STRING8)?;
        let end = memchr::memchr(0, raw).unwrap_or(raw.len());
        Some(Text::Raw(raw.get(..end).unwrap_or(raw)))
    }

    /// A text in the charset of the message where it is in eight bits; none where it is empty.
    pub fn shown(&self, id: u16, charset: &'static Encoding) -> Option<String> {
        let text = match self.text(id)? {
            Text::Unicode(text) => text,
            Text::Raw(raw) => charset.decode_without_bom_handling(raw).0.into_owned(),
        };
        (!text.is_empty()).then_some(text)
    }

    /// A number of 32 bits.
    pub fn number(&self, id: u16) -> Option<u32> {
        let value = self.bytes(id, property_type::INTEGER32)?;
        value.first_chunk().copied().map(u32::from_le_bytes)
    }

    /// A time in seconds from 1970.
    pub fn seconds(&self, id: u16) -> Option<i64> {
        /// From 1601 to 1970.
        const TO_UNIX: i64 = 11_644_473_600;
        let ticks = u64_at(self.bytes(id, property_type::TIME)?, 0)?;
        let seconds = i64::try_from(ticks / 10_000_000).ok()?;
        (seconds > 0).then(|| seconds.saturating_sub(TO_UNIX))
    }

    /// The charset of eight-bit texts, as far as the message says.
    pub fn charset(&self) -> Option<&'static Encoding> {
        let page = self
            .number(property_id::MESSAGE_CODEPAGE)
            .or_else(|| self.number(property_id::INTERNET_CODEPAGE))?;
        Some(charset(page))
    }
}

/// A tag of its id and type.
pub fn tag(id: u16, kind: u16) -> u32 {
    u32::from(id) << 16 | u32::from(kind)
}

/// The charset of a code page, those of mails included.
pub fn charset(code_page: u32) -> &'static Encoding {
    match code_page {
        65001 => UTF_8,
        1200 => UTF_16LE,
        50220..=50222 => ISO_2022_JP,
        20932 | 51932 => EUC_JP,
        other => super::ovba::encoding(u16::try_from(other).unwrap_or(1252)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_in_utf16_first_and_else_in_the_charset_of_the_message() {
        let mut properties = Properties::default();
        let raw = encoding_rs::SHIFT_JIS.encode("見積書").0.into_owned();
        let at = |kind| tag(property_id::SUBJECT, kind);
        properties.add(at(property_type::STRING8), [raw, vec![0]].concat().into());
        properties.add(
            tag(property_id::MESSAGE_CODEPAGE, property_type::INTEGER32),
            932u32.to_le_bytes().to_vec().into(),
        );
        let charset = properties.charset().unwrap();
        let subject = |properties: &Properties<'_>| properties.shown(property_id::SUBJECT, charset);
        assert_eq!(subject(&properties).as_deref(), Some("見積書"));
        let units: Vec<u8> = "報告\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        properties.add(at(property_type::UNICODE), units.into());
        assert_eq!(subject(&properties).as_deref(), Some("報告"));
    }

    #[test]
    fn times_count_from_1970_and_short_values_are_none() {
        let mut properties = Properties::default();
        let ticks = (11_644_473_600u64 + 86_400) * 10_000_000;
        let at = tag(property_id::CLIENT_SUBMIT_TIME, property_type::TIME);
        properties.add(at, ticks.to_le_bytes().to_vec().into());
        assert_eq!(
            properties.seconds(property_id::CLIENT_SUBMIT_TIME),
            Some(86_400)
        );
        let at = tag(property_id::ATTACH_METHOD, property_type::INTEGER32);
        properties.add(at, vec![1, 0].into());
        assert_eq!(properties.number(property_id::ATTACH_METHOD), None);
    }
}
