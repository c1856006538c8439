//! What `.msg` files and TNEF have in common: names of attachments, bodies, and what a message says about itself.

use encoding_rs::Encoding;

use crate::formats::mapi::{Properties, Text, property_id, property_type};
use crate::formats::rtf_compressed;
use crate::model::{Kind, MailSummary, Name, Trouble};
use crate::text;

use super::{Child, Nest};

/// Addresses shown of one message.
const ADDRESSES: usize = 100;

/// The readings of a stored text, the likeliest first.
fn readings(value: &Text<'_>, charset: Option<&'static Encoding>) -> Vec<String> {
    match value {
        Text::Unicode(text) => vec![text.clone()],
        Text::Raw(raw) => {
            let told = charset.and_then(|charset| {
                charset.decode_without_bom_handling_and_without_replacement(raw)
            });
            let told = told.map(std::borrow::Cow::into_owned);
            told.into_iter().chain(text::name_readings(raw)).collect()
        }
    }
    .into_iter()
    .filter(|reading| !reading.is_empty())
    .collect()
}

fn shown(
    properties: &Properties<'_>,
    ids: &[u16],
    charset: Option<&'static Encoding>,
) -> Option<String> {
    ids.iter().find_map(|id| {
        let value = properties.text(*id)?;
        readings(&value, charset).into_iter().next()
    })
}

/// The name of an attachment in every reading: the long one, then a short one that is not its 8.3 form.
pub(super) fn name(
    properties: &Properties<'_>,
    charset: Option<&'static Encoding>,
    more: Option<&[u8]>,
) -> Option<Name> {
    let of = |id: u16| {
        let value = properties.text(id);
        value.map_or_else(Vec::new, |value| readings(&value, charset))
    };
    let long = of(property_id::ATTACH_LONG_FILENAME);
    let mut all = long.clone();
    let title = more.map_or_else(Vec::new, |raw| readings(&Text::Raw(raw), charset));
    for short in of(property_id::ATTACH_FILENAME).into_iter().chain(title) {
        if !long.iter().any(|long| is_short_form(&short, long)) {
            all.push(short);
        }
    }
    if all.is_empty() {
        all = of(property_id::DISPLAY_NAME);
    }
    let raw = all.first()?.clone().into_bytes();
    Some(Name::from_readings(raw, all))
}

/// Whether a short name may be the 8.3 form of a long one: the extensions agree in their first three letters.
fn is_short_form(short: &str, long: &str) -> bool {
    let extension = |name: &str| -> String {
        let (_, extension) = name.rsplit_once('.').unwrap_or_default();
        extension.to_lowercase().chars().take(3).collect()
    };
    extension(short) == extension(long)
}

/// Pushes the bodies of a message as children: text, HTML, rich text.
pub(super) fn push_bodies(
    properties: &Properties<'_>,
    charset: Option<&'static Encoding>,
    via: &'static str,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    if let Some(value) = properties.text(property_id::BODY)
        && let Some(body) = readings(&value, charset).into_iter().next()
        && !body.trim().is_empty()
    {
        nest.push(Child::new(via, body.into_bytes()).of_kind(Kind::Email))?;
    }
    let page = match properties.bytes(property_id::HTML, property_type::BINARY) {
        Some(page) => Some(page.to_vec()),
        None => properties
            .text(property_id::HTML)
            .and_then(|value| readings(&value, charset).into_iter().next())
            .map(String::into_bytes),
    };
    if let Some(page) = page.filter(|page| !page.is_empty()) {
        let child = Child::new(via, page).declared("text/html");
        nest.push(child.of_kind(Kind::Html))?;
    }
    match properties.bytes(property_id::RTF_COMPRESSED, property_type::BINARY) {
        Some(packed) => push_rich_text(packed, via, nest),
        None => Ok(()),
    }
}

/// Pushes compressed rich text.
pub(super) fn push_rich_text(
    packed: &[u8],
    via: &'static str,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let rich = match rtf_compressed::decompress(packed) {
        Ok(rich) => rich,
        Err(short) => {
            nest.unread(short.offset, format!("compressed rich text: {short}"));
            return Ok(());
        }
    };
    for deviation in rich.deviations {
        nest.deviation(
            deviation.at,
            format!("compressed rich text: {}", deviation.what),
        );
    }
    if rich.cut {
        nest.unread(0, "compressed rich text breaks off");
    }
    if !rich.data.is_empty() {
        nest.push(Child::new(via, rich.data).else_kind(Kind::Rtf))?;
    }
    Ok(())
}

/// What a message says about itself, by its properties and those of its recipients.
pub(super) fn summary<'p>(
    own: &Properties<'_>,
    recipients: impl Iterator<Item = &'p Properties<'p>>,
    charset: Option<&'static Encoding>,
) -> MailSummary {
    use property_id as id;
    let safe = |text: String| text::excerpt(&text);
    let address = |properties: &Properties<'_>, ids: &[u16]| {
        let found = ids
            .iter()
            .filter_map(|id| shown(properties, &[*id], charset));
        let all: Vec<String> = found.collect();
        // Inside Exchange the address is a path of its directory: a name says more.
        let plain = all.iter().find(|text| text.contains('@'));
        plain.or(all.last()).cloned().map(safe)
    };
    let mut to: Vec<String> = recipients
        .filter_map(|properties| {
            let ids = [id::SMTP_ADDRESS, id::EMAIL_ADDRESS, id::DISPLAY_NAME];
            address(properties, &ids)
        })
        .take(ADDRESSES)
        .collect();
    if to.is_empty() {
        to.extend(shown(own, &[id::DISPLAY_TO], charset).map(safe));
    }
    let date = own
        .seconds(id::CLIENT_SUBMIT_TIME)
        .or_else(|| own.seconds(id::MESSAGE_DELIVERY_TIME));
    MailSummary {
        message_id: shown(own, &[id::INTERNET_MESSAGE_ID], charset)
            .map(|text| text::excerpt(text.trim_matches(['<', '>', ' ']))),
        date: date.and_then(rfc3339),
        from: address(
            own,
            &[
                id::SENDER_SMTP_ADDRESS,
                id::SENT_REPRESENTING_SMTP_ADDRESS,
                id::SENDER_ADDRESS,
                id::SENT_REPRESENTING_ADDRESS,
                id::SENDER_NAME,
                id::SENT_REPRESENTING_NAME,
            ],
        ),
        to,
        subject: shown(own, &[id::SUBJECT, id::NORMALIZED_SUBJECT], charset)
            // A first character of 1 says how long the prefix is ([MS-OXCMSG] 2.2.1.46).
            .map(|text| match text.strip_prefix('\u{1}') {
                Some(rest) => rest.chars().skip(1).collect(),
                None => text,
            })
            .map(safe),
    }
}

/// A time in seconds from 1970 as RFC 3339.
pub(super) fn rfc3339(seconds: i64) -> Option<String> {
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Some(time.to_string())
}
