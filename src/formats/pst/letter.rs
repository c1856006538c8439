//! A message of a store as a mail (RFC 5322, RFC 2045): its headers as they came where they are kept, else made of its
//! properties; bodies and attachments in base64, attached messages as mails within it.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use crate::formats::header_words::percent;
use crate::formats::mapi::{Properties, property_id as id, property_type};
use crate::formats::rtf_compressed;

use super::{Attachment, Content, Message};

/// PidTagTransportMessageHeaders.
const HEADERS: u16 = 0x007d;

/// Characters of a line of base64.
const LINE: usize = 76;

/// Bytes of one encoded word.
const WORD: usize = 42;

/// Writes a message as a mail.
pub fn letter(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    write(message, 0, &mut out);
    out
}

fn write(message: &Message, depth: u8, out: &mut Vec<u8>) {
    let own = &message.properties;
    let charset = own.charset().unwrap_or(WINDOWS_1252);
    let kept = headers(own, charset, out);
    let has = |name: &str| kept.iter().any(|kept| kept.eq_ignore_ascii_case(name));
    let mut made: Vec<(&str, String)> = Vec::new();
    if !has("From") {
        let sender = address(
            &shown(own, &[id::SENDER_NAME, id::SENT_REPRESENTING_NAME], charset),
            &sender(own, charset),
        );
        made.push(("From", sender));
    }
    if !has("To") && !has("Cc") {
        for (field, kind) in [("To", 1), ("Cc", 2), ("Bcc", 3)] {
            made.push((field, recipients(message, kind, charset)));
        }
    }
    if !has("Date") {
        let sent = own.seconds(id::CLIENT_SUBMIT_TIME);
        let time = sent.or_else(|| own.seconds(id::MESSAGE_DELIVERY_TIME));
        let time = time.and_then(|time| jiff::Timestamp::from_second(time).ok());
        let date = time.map(|time| time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string());
        made.push(("Date", date.unwrap_or_default()));
    }
    if !has("Subject") {
        made.push(("Subject", words(&subject(own, charset))));
    }
    if !has("Message-ID") {
        let own_id = shown(own, &[id::INTERNET_MESSAGE_ID], charset);
        made.push(("Message-ID", plain(&own_id)));
    }
    for (name, value) in made.iter().filter(|(_, value)| !value.is_empty()) {
        out.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    let boundary = format!("=_sekisho_{depth}");
    let mixed =
        format!("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"{boundary}\"\r\n");
    out.extend(mixed.into_bytes());
    for (media_type, body) in bodies(own, charset) {
        start(&boundary, out);
        out.extend(format!("Content-Type: {media_type}\r\n").into_bytes());
        encode(&body, out);
    }
    for attachment in &message.attachments {
        push(attachment, charset, &boundary, depth, out);
    }
    out.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
}

fn start(boundary: &str, out: &mut Vec<u8>) {
    out.extend(format!("\r\n--{boundary}\r\n").into_bytes());
}

/// Writes the headers as they came but for those of the old body, and gives their names.
fn headers(own: &Properties<'_>, charset: &'static Encoding, out: &mut Vec<u8>) -> Vec<String> {
    let text = own.shown(HEADERS, charset).unwrap_or_default();
    let (mut names, mut keeps) = (Vec::new(), false);
    for line in text.split(['\r', '\n']).filter(|line| !line.is_empty()) {
        if !line.starts_with([' ', '\t']) {
            let name = line.split_once(':').map(|(name, _)| name.trim_end());
            let old = |name: &str| {
                let name = name.to_ascii_lowercase();
                name.starts_with("content-") || name == "mime-version"
            };
            // A name with a dash in front could be taken for a boundary.
            let legal = |name: &&str| {
                let visible = name.bytes().all(|byte| byte.is_ascii_graphic());
                !name.is_empty() && visible && !name.starts_with('-') && !old(name)
            };
            let name = name.filter(legal);
            keeps = name.is_some();
            names.extend(name.map(str::to_owned));
        }
        if keeps {
            out.extend(line.as_bytes());
            out.extend(b"\r\n");
        }
    }
    names
}

fn shown(properties: &Properties<'_>, ids: &[u16], charset: &'static Encoding) -> String {
    let mut found = ids.iter().filter_map(|id| properties.shown(*id, charset));
    found.next().unwrap_or_default()
}

fn sender(own: &Properties<'_>, charset: &'static Encoding) -> String {
    let ids = [
        id::SENDER_SMTP_ADDRESS,
        id::SENT_REPRESENTING_SMTP_ADDRESS,
        id::SENDER_ADDRESS,
        id::SENT_REPRESENTING_ADDRESS,
    ];
    let mut all = ids.iter().filter_map(|id| own.shown(*id, charset));
    // Inside Exchange the address is a path of its directory.
    all.find(|address| address.contains('@'))
        .unwrap_or_default()
}

fn recipients(message: &Message, kind: u32, charset: &'static Encoding) -> String {
    let of_kind = |row: &&Properties<'static>| {
        // The upper bits are flags ([MS-OXOMSG] 2.2.3.1).
        row.number(id::RECIPIENT_TYPE).map_or(1, |own| own & 0xf) == kind
    };
    let rows = message.recipients.iter().filter(of_kind);
    let all: Vec<String> = rows
        .map(|row| {
            let addresses = [id::SMTP_ADDRESS, id::EMAIL_ADDRESS];
            let mut addresses = addresses.iter().filter_map(|id| row.shown(*id, charset));
            let found = addresses.find(|address| address.contains('@'));
            address(
                &shown(row, &[id::DISPLAY_NAME], charset),
                &found.unwrap_or_default(),
            )
        })
        .filter(|address| !address.is_empty())
        .collect();
    if all.is_empty() && kind == 1 && message.recipients.is_empty() {
        return words(&shown(&message.properties, &[id::DISPLAY_TO], charset));
    }
    all.join(",\r\n ")
}

/// A name and an address, either of which may be empty.
fn address(name: &str, address: &str) -> String {
    let address = plain(address);
    let name = if name.contains('@') { "" } else { name };
    match (name.is_empty(), address.is_empty()) {
        (_, true) => words(name),
        (true, false) => format!("<{address}>"),
        (false, false) => format!("{} <{address}>", words(name)),
    }
}

/// What may stand in an address or an id without being encoded.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() && !c.is_whitespace())
        .collect::<String>()
        .trim_matches(['<', '>'])
        .to_owned()
}

/// A text as encoded words (RFC 2047).
fn words(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if word.len().saturating_add(c.len_utf8()) > WORD {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let words = words.iter().filter(|word| !word.is_empty());
    let encoded = words.map(|word| format!("=?utf-8?B?{}?=", base64(word.as_bytes())));
    encoded.collect::<Vec<_>>().join("\r\n ")
}

fn subject(own: &Properties<'_>, charset: &'static Encoding) -> String {
    let text = shown(own, &[id::SUBJECT, id::NORMALIZED_SUBJECT], charset);
    // A first character of 1 says how long the prefix is ([MS-OXCMSG] 2.2.1.46).
    match text.strip_prefix('\u{1}') {
        Some(rest) => rest.chars().skip(1).collect(),
        None => text,
    }
}

/// The bodies with their media types.
fn bodies(own: &Properties<'_>, charset: &'static Encoding) -> Vec<(String, Vec<u8>)> {
    let utf8 = |kind: &str| format!("text/{kind}; charset=utf-8");
    let mut bodies = Vec::new();
    if let Some(text) = own.shown(id::BODY, charset) {
        bodies.push((utf8("plain"), text.into_bytes()));
    }
    if let Some(page) = own.bytes(id::HTML, property_type::BINARY) {
        let page_charset = own.number(id::INTERNET_CODEPAGE);
        let page_charset = page_charset.map_or(UTF_8, crate::formats::mapi::charset);
        let declared = format!("text/html; charset={}", page_charset.name());
        bodies.push((declared, page.to_vec()));
    } else if let Some(page) = own.shown(id::HTML, charset) {
        bodies.push((utf8("html"), page.into_bytes()));
    }
    let packed = own.bytes(id::RTF_COMPRESSED, property_type::BINARY);
    if let Some(Ok(rich)) = packed.map(rtf_compressed::decompress) {
        bodies.push(("text/rtf".to_owned(), rich.data));
    }
    bodies.retain(|(_, body)| !body.is_empty());
    bodies
}

fn push(
    attachment: &Attachment,
    charset: &'static Encoding,
    boundary: &str,
    depth: u8,
    out: &mut Vec<u8>,
) {
    let properties = &attachment.properties;
    let ids = [
        id::ATTACH_LONG_FILENAME,
        id::ATTACH_FILENAME,
        id::DISPLAY_NAME,
    ];
    let name = shown(properties, &ids, charset);
    let disposition = match name.is_empty() {
        true => "Content-Disposition: attachment\r\n".to_owned(),
        false => format!(
            "Content-Disposition: attachment; filename*=utf-8''{}\r\n",
            percent(&name)
        ),
    };
    match &attachment.content {
        Content::Nothing => {}
        Content::Message(inner) => {
            start(boundary, out);
            out.extend(b"Content-Type: message/rfc822\r\n");
            out.extend(disposition.into_bytes());
            out.extend(b"\r\n");
            write(inner, depth.saturating_add(1), out);
        }
        Content::Bytes(data) => {
            start(boundary, out);
            let declared = shown(properties, &[id::ATTACH_MIME_TAG], charset);
            out.extend(format!("Content-Type: {}\r\n", media_type(&declared)).into_bytes());
            out.extend(disposition.into_bytes());
            encode(data, out);
        }
    }
}

/// A media type that makes no structure.
fn media_type(text: &str) -> &str {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-._".contains(&byte);
    let lower = text.to_ascii_lowercase();
    let structured = lower.starts_with("multipart/") || lower.starts_with("message/");
    match text.bytes().all(legal) && text.matches('/').count() == 1 && !structured {
        true => text,
        false => "application/octet-stream",
    }
}

/// Ends a part's header and writes its body in base64.
fn encode(data: &[u8], out: &mut Vec<u8>) {
    out.extend(b"Content-Transfer-Encoding: base64\r\n\r\n");
    out.reserve(data.len() / 3 * 4 + data.len() / 27);
    for line in data.chunks(LINE / 4 * 3) {
        push_base64(line, out);
        out.extend(b"\r\n");
    }
}

fn base64(data: &[u8]) -> String {
    let mut out = Vec::new();
    push_base64(data, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Base64 with its padding (RFC 4648 4).
fn push_base64(data: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| {
        let at = crate::bytes::index(bits & 0x3f);
        ALPHABET.get(at).copied().unwrap_or_default()
    };
    for chunk in data.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let all = [bits >> 18, bits >> 12, bits >> 6, bits].map(digit);
        let len = chunk.len().saturating_add(1);
        out.extend(all.iter().take(len));
        out.extend(std::iter::repeat_n(b'=', 4usize.saturating_sub(len)));
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::formats::mapi::tag;

    fn unicode(id: u16, text: &str) -> (u32, Vec<u8>) {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        (tag(id, property_type::UNICODE), units)
    }

    fn properties(values: &[(u32, Vec<u8>)]) -> Properties<'static> {
        let mut properties = Properties::default();
        for (tag, value) in values {
            properties.add(*tag, Cow::Owned(value.clone()));
        }
        properties
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn headers_that_came_are_kept_without_those_of_the_old_body() {
        let headers = "Received: by a;\r\n\tMon\r\nSubject: x\r\nContent-Type: multipart/mixed;\r\n boundary=y\r\n\r\n--=_sekisho_0: z\r\nMIME-Version: 1.0\r\n";
        let message = Message {
            properties: properties(&[unicode(HEADERS, headers), unicode(id::SENDER_NAME, "太郎")]),
            ..Message::default()
        };
        let text = String::from_utf8(letter(&message)).unwrap();
        assert!(text.starts_with(
            "Received: by a;\r\n\tMon\r\nSubject: x\r\nFrom: =?utf-8?B?5aSq6YOO?=\r\n"
        ));
        assert_eq!(text.matches("Content-Type").count(), 1);
        assert_eq!(text.matches("--=_sekisho_0").count(), 1);
    }

    #[test]
    fn names_and_types_cannot_break_out() {
        assert_eq!(percent("a\r\nb\"見.exe"), "a%0D%0Ab%22%E8%A6%8B.exe");
        assert_eq!(media_type("text/html\r\nX: y"), "application/octet-stream");
        assert_eq!(media_type("Message/rfc822"), "application/octet-stream");
        assert_eq!(media_type("image/png"), "image/png");
        assert_eq!(address("", "a@b>\r\n"), "<a@b>");
    }
}
