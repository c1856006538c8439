//! TNEF (`winmail.dat`, [MS-OXTNEF]): attachments under their names, messages in messages, bodies.

use crate::formats::mapi;
use crate::formats::mapi::property_id;
use crate::formats::tnef::{self, Attachment};
use crate::model::{Artifact, Fact, Kind, Role, Trouble};

use super::mapi::{name, push_bodies, summary};
use super::{Child, Nest};

const ATTACHMENT: &str = "tnef-attachment";
const BODY: &str = "tnef-body";

/// Pushes attachments, then bodies.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let message = tnef::read(&artifact.data)?;
    for deviation in message.deviations {
        nest.deviation(deviation.at, deviation.what);
    }
    for short in message.cut {
        nest.unread(short.offset, short.to_string());
    }
    let own = &message.properties;
    let charset = message.code_page.map(mapi::charset).or(own.charset());
    let mut told = summary(own, message.recipients.iter(), charset);
    told.date = told.date.or(message.sent.and_then(date));
    nest.set_mail(told);
    if let Some(target) = message.reminder_file {
        nest.note(Fact::External {
            at: None,
            role: Role::Media,
            target,
        });
    }
    for attachment in &message.attachments {
        nest.tick()?;
        push(attachment, charset, artifact, nest)?;
    }
    push_bodies(own, charset, BODY, nest)
}

fn push(
    attachment: &Attachment<'_>,
    charset: Option<&'static encoding_rs::Encoding>,
    artifact: &Artifact,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let properties = &attachment.properties;
    let name = name(properties, charset, attachment.title);
    let declared = properties.shown(
        property_id::ATTACH_MIME_TAG,
        charset.unwrap_or(encoding_rs::WINDOWS_1252),
    );
    let dressed = |mut child: Child| {
        if let Some(name) = &name {
            child = child.named(name.clone());
        }
        match &declared {
            Some(declared) => child.declared(declared),
            None => child,
        }
    };
    if let Some((data, is_message)) = attachment.object() {
        let child = dressed(Child::new(ATTACHMENT, data.to_vec()));
        nest.push(if is_message {
            child.of_kind(Kind::Tnef)
        } else {
            child
        })?;
    }
    for (at, data) in &attachment.data {
        let range = *at..at.saturating_add(data.len());
        // Beside an object stands a picture or an old form of it.
        if data.is_empty() && attachment.object().is_some() || nest.holds(data) {
            continue;
        }
        let child = Child::new(ATTACHMENT, artifact.data.slice(range.clone())).at(range);
        nest.push(dressed(child))?;
    }
    Ok(())
}

/// A date without its time zone, which is not told.
fn date([year, month, day, hour, minute, second]: [u16; 6]) -> Option<String> {
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day);
    let fits = fits && hour < 24 && minute < 60 && second < 60 && (1970..10_000).contains(&year);
    fits.then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::opened;
    use super::*;
    use crate::formats::rtf_compressed::compressed;
    use crate::formats::tnef::{SIGNATURE, written};

    pub(crate) fn list(entries: &[(u16, u16, Vec<u8>)]) -> Vec<u8> {
        let mut out = u32::try_from(entries.len()).unwrap().to_le_bytes().to_vec();
        for (id, kind, value) in entries {
            out.extend(kind.to_le_bytes());
            out.extend(id.to_le_bytes());
            if *kind == 3 {
                out.extend(value);
                continue;
            }
            out.extend(1u32.to_le_bytes());
            out.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
            out.extend(value);
            out.resize(out.len().next_multiple_of(4), 0);
        }
        out
    }

    fn units(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    pub(crate) fn file(attributes: &[Vec<u8>]) -> Vec<u8> {
        let head = [SIGNATURE.to_le_bytes().to_vec(), vec![1, 0]].concat();
        [head, attributes.concat()].concat()
    }

    #[test]
    fn attachments_messages_and_bodies_are_children() {
        let (title, _, _) = encoding_rs::SHIFT_JIS.encode("見積書.exe\0");
        let inner = file(&[written(1, 0x0001_8004, b"inner\0")]);
        let interface = [
            0x07, 0x03, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46,
        ];
        let object = [interface.to_vec(), inner.clone()].concat();
        let data = file(&[
            written(1, 0x0006_9007, &932u32.to_le_bytes()),
            written(1, 0x0001_8004, &encoding_rs::SHIFT_JIS.encode("件名\0").0),
            written(
                1,
                0x0006_9003,
                &list(&[(0x1009, 0x102, compressed(b"{\\rtf1 x}"))]),
            ),
            written(2, 0x0006_9002, &[0; 14]),
            written(2, 0x0001_8010, &title),
            written(2, 0x0006_800f, b"MZ"),
            written(2, 0x0006_9002, &[0; 14]),
            written(
                2,
                0x0006_9005,
                &list(&[(0x3701, 0x0d, object), (0x3001, 0x1f, units("転送\0"))]),
            ),
        ]);
        let (children, facts) = opened("tnef", &data);
        assert_eq!(facts, []);
        let told: Vec<(&str, Kind)> = children.iter().map(|c| (c.label(), c.kind)).collect();
        assert_eq!(
            told[..2],
            [("見積書.exe", children[0].kind), ("転送", Kind::Tnef)]
        );
        assert_eq!(children[0].data.as_ref(), b"MZ");
        assert_eq!(children[1].data.as_ref(), inner);
        assert_eq!(children[2].kind, Kind::Rtf);
    }

    #[test]
    fn a_cut_file_and_a_reminder_with_a_share_are_told() {
        let mut named = 1u32.to_le_bytes().to_vec();
        named.extend([0x1f, 0, 0x1f, 0x85]);
        named.extend([0; 16]);
        named.extend([0; 4]);
        named.extend(0x851f_u32.to_le_bytes());
        let path = units("\\\\192.0.2.1\\a");
        named.extend(1u32.to_le_bytes());
        named.extend(u32::try_from(path.len()).unwrap().to_le_bytes());
        named.extend(path);
        let data = file(&[
            written(1, 0x0006_9003, &named),
            written(2, 0x0006_800f, &[b'a'; 100]),
        ]);
        let (children, facts) = opened("tnef", &data[..data.len() - 50]);
        assert_eq!(children[0].data.len(), 52);
        assert!(
            facts
                .iter()
                .any(|fact| matches!(fact, Fact::External { .. })),
            "{facts:?}"
        );
        assert!(
            facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })),
            "{facts:?}"
        );
    }
}
