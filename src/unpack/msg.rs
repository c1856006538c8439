//! Messages of Outlook (`.msg`, [MS-OXMSG]): bodies and attachments under their names, attached messages and
//! documents as files of their own. Whatever else is stored is a stream like any other: [`super::ole`] shows it.

use crate::bytes::Deviation;
use crate::formats::mapi::{property_id, property_type};
use crate::formats::msg::{Inside, Message, Object};
use crate::formats::ole::Ole;
use crate::limits::Halt;
use crate::model::{Artifact, Fact, Kind, Name, Role, Trouble};
use crate::text;

use super::{Child, Nest, mapi, ole};

/// How what a message carries is reached.
pub(super) const ATTACHMENT: &str = "msg-attachment";
/// How its body is reached.
pub const BODY: &str = "msg-body";

/// PidTagAttachMethod ([MS-OXCMSG] 2.2.2.9): the file is elsewhere, by path.
const BY_REFERENCE: std::ops::RangeInclusive<u32> = 2..=4;

/// Pushes attachments, then bodies.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let mut file = ole::open(artifact, nest)?;
    let inside = file.by_storage();
    let message = match Message::read(&mut file, &inside) {
        Ok(message) => message,
        Err(halt @ Halt::Ceiling(_)) => {
            let what = "message".to_owned();
            nest.note(Fact::Limit { halt, what });
            return Ok(());
        }
        Err(halt) => return Err(halt.into()),
    };
    for Deviation { at, what } in &message.missing {
        nest.unread(*at, text::excerpt(what));
    }
    let own = &message.own.properties;
    let charset = own.charset();
    let recipients = message.recipients.iter().map(|object| &object.properties);
    nest.set_mail(mapi::summary(own, recipients, charset));
    if let Some(target) = message.reminder_file {
        nest.note(Fact::External {
            at: None,
            role: Role::Media,
            target,
        });
    }
    for attachment in &message.attachments {
        nest.tick()?;
        push(attachment, charset, artifact, &mut file, &inside, nest)?;
    }
    mapi::push_bodies(own, charset, BODY, nest)
}

fn push(
    attachment: &Object<'_>,
    charset: Option<&'static encoding_rs::Encoding>,
    artifact: &Artifact,
    file: &mut Ole<'_>,
    inside: &Inside,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let properties = &attachment.properties;
    let name = mapi::name(properties, charset, None);
    let child = if let Some(storage) = attachment.data_object {
        match file.storage_file(storage, inside) {
            Ok(data) => Child::new(ATTACHMENT, data).else_kind(Kind::Ole),
            Err(halt @ Halt::Ceiling(_)) => {
                let what = name.map(|name| name.text).unwrap_or_default();
                nest.note(Fact::Limit { halt, what });
                return Ok(());
            }
            Err(halt) => return Err(halt.into()),
        }
    } else if let Some(data) = properties.bytes(property_id::ATTACH_DATA, property_type::BINARY) {
        match attachment.data_range.clone() {
            Some(range) if range.end <= artifact.data.len() => {
                Child::new(ATTACHMENT, artifact.data.slice(range.clone())).at(range)
            }
            _ => Child::new(ATTACHMENT, data.to_vec()),
        }
    } else {
        elsewhere(attachment, charset, name.as_ref(), nest);
        return Ok(());
    };
    let child = match name {
        Some(name) => child.named(name),
        None => child,
    };
    let declared = properties.shown(
        property_id::ATTACH_MIME_TAG,
        charset.unwrap_or(encoding_rs::WINDOWS_1252),
    );
    let child = match declared {
        Some(declared) => child.declared(&declared),
        None => child,
    };
    nest.push(child)?;
    Ok(())
}

/// An attachment without bytes: by reference, or empty.
fn elsewhere(
    attachment: &Object<'_>,
    charset: Option<&'static encoding_rs::Encoding>,
    name: Option<&Name>,
    nest: &mut Nest<'_>,
) {
    let properties = &attachment.properties;
    let method = properties.number(property_id::ATTACH_METHOD);
    let charset = charset.unwrap_or(encoding_rs::WINDOWS_1252);
    let path = properties
        .shown(property_id::ATTACH_LONG_PATHNAME, charset)
        .or_else(|| properties.shown(property_id::ATTACH_PATHNAME, charset));
    if let Some(path) = path.filter(|_| method.is_some_and(|method| BY_REFERENCE.contains(&method)))
    {
        nest.note(Fact::External {
            at: None,
            role: Role::Other,
            target: path.clone(),
        });
        let what = text::excerpt(&format!("attachment is a link to {path}"));
        nest.note(Fact::Deviation { at: None, what });
    } else if method == Some(1) && name.is_some() {
        let name = name.map(|name| name.text.as_str()).unwrap_or_default();
        let what = text::excerpt(&format!("attachment without content: {name}"));
        nest.note(Fact::Deviation { at: None, what });
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Cursor, Write as _};

    use super::super::tests::opened;
    use super::*;
    use crate::formats::rtf_compressed;

    pub(crate) fn units(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    pub(crate) fn fixed(header: usize, entries: &[(u32, u32)]) -> Vec<u8> {
        let mut out = vec![0; header];
        for (tag, value) in entries {
            out.extend(tag.to_le_bytes());
            out.extend([6, 0, 0, 0]);
            out.extend(value.to_le_bytes());
            out.extend([0; 4]);
        }
        out
    }

    /// A compound file of streams under their paths.
    pub(crate) fn file(streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        for (path, data) in streams {
            let (storage, _) = path.rsplit_once('/').unwrap();
            file.create_storage_all(storage).unwrap();
            file.create_stream(path).unwrap().write_all(data).unwrap();
        }
        file.flush().unwrap();
        file.into_inner().into_inner()
    }

    fn message() -> Vec<u8> {
        let inner = "/__attach_version1.0_#00000001/__substg1.0_3701000D";
        let at = |name: &str| format!("{inner}/{name}");
        let (properties, subject) = (at("__properties_version1.0"), at("__substg1.0_0037001F"));
        let (nested, long) = (
            at("__attach_version1.0_#00000000/__substg1.0_37010102"),
            at("__attach_version1.0_#00000000/__substg1.0_3707001F"),
        );
        file(&[
            ("/__properties_version1.0", fixed(32, &[(0x3ffd_0003, 932)])),
            ("/__substg1.0_0037001F", units("見積書の件")),
            ("/__substg1.0_1000001F", units("ご確認ください。")),
            (
                "/__substg1.0_10130102",
                b"<html><body>x</body></html>".to_vec(),
            ),
            (
                "/__substg1.0_10090102",
                rtf_compressed::compressed(b"{\\rtf1\\ansi Hello}"),
            ),
            (
                "/__recip_version1.0_#00000000/__substg1.0_39FE001F",
                units("hanako@hq.example.co.jp"),
            ),
            (
                "/__attach_version1.0_#00000000/__properties_version1.0",
                fixed(8, &[(0x3705_0003, 1)]),
            ),
            (
                "/__attach_version1.0_#00000000/__substg1.0_37010102",
                b"%PDF-1.7\n%%EOF".to_vec(),
            ),
            (
                "/__attach_version1.0_#00000000/__substg1.0_3704001F",
                units("REPORT~1.PDF"),
            ),
            (
                "/__attach_version1.0_#00000000/__substg1.0_3707001F",
                units("四半期報告書.pdf"),
            ),
            (
                "/__attach_version1.0_#00000001/__properties_version1.0",
                fixed(8, &[(0x3705_0003, 5)]),
            ),
            (
                "/__attach_version1.0_#00000001/__substg1.0_3001001F",
                units("転送"),
            ),
            (&properties, fixed(24, &[])),
            (&subject, units("inner")),
            (&nested, b"MZ".to_vec()),
            (&long, units("内.exe")),
        ])
    }

    #[test]
    fn attachments_bear_their_names_and_attached_messages_are_files() {
        let (children, facts) = opened("msg", &message());
        assert_eq!(facts, []);
        let told: Vec<(&str, Kind, Option<&str>)> = children
            .iter()
            .map(|child| (child.label(), child.kind, child.via))
            .collect();
        assert_eq!(
            told,
            [
                ("四半期報告書.pdf", Kind::Pdf, Some(ATTACHMENT)),
                ("転送", Kind::Msg, Some(ATTACHMENT)),
                ("", Kind::Email, Some(BODY)),
                ("", Kind::Html, Some(BODY)),
                ("", Kind::Rtf, Some(BODY)),
            ]
        );
        assert_eq!(children[2].data.as_ref(), "ご確認ください。".as_bytes());
        let (inner, facts) = opened("msg", &children[1].data);
        assert_eq!(facts, []);
        assert_eq!(inner[0].label(), "内.exe");
        assert_eq!(inner[0].data.as_ref(), b"MZ");
    }

    #[test]
    fn a_reminder_that_plays_a_file_of_a_share_is_told() {
        let mut entry = 0x851f_u32.to_le_bytes().to_vec();
        entry.extend([4, 0, 3, 0]);
        let data = file(&[
            ("/__properties_version1.0", fixed(32, &[])),
            ("/__nameid_version1.0/__substg1.0_00030102", entry),
            ("/__substg1.0_8003001F", units("\\\\192.0.2.1\\a\\b.wav")),
        ]);
        let (_, facts) = opened("msg", &data);
        assert!(
            matches!(facts.as_slice(), [Fact::External { target, .. }] if target == "\\\\192.0.2.1\\a\\b.wav"),
            "{facts:?}"
        );
    }

    #[test]
    fn a_cut_message_gives_what_is_there_and_says_so() {
        let whole = message();
        for len in [whole.len() / 2, whole.len() / 3] {
            let data = &whole[..len];
            let budget = super::super::zip::tests::budget();
            let artifact = super::super::zip::tests::artifact(data, Kind::Msg);
            let mut seen = super::super::Seen::new();
            let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
            run(&artifact, &mut nest).unwrap();
            ole::run(&artifact, &mut nest).unwrap();
            assert!(
                nest.facts
                    .iter()
                    .any(|fact| matches!(fact, Fact::Unread { .. })),
                "{len}: {:?}",
                nest.facts
            );
        }
    }

    #[test]
    fn an_attachment_by_path_is_told() {
        let data = file(&[
            ("/__properties_version1.0", fixed(32, &[])),
            (
                "/__attach_version1.0_#00000000/__properties_version1.0",
                fixed(8, &[(0x3705_0003, 2)]),
            ),
            (
                "/__attach_version1.0_#00000000/__substg1.0_370D001F",
                units("\\\\srv\\share\\a.exe"),
            ),
        ]);
        let (children, facts) = opened("msg", &data);
        assert_eq!(children.len(), 0);
        assert_eq!(facts.len(), 2, "{facts:?}");
    }
}
