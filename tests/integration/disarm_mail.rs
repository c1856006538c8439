//! Messages of Outlook with other attachments, and names in mails that go with new content.

use std::io::{Cursor, Read as _};

use sekisho::engine::Worker;

use crate::bench::engine;
use crate::build::{self, attachment};
use crate::disarm::{disarm, with_macro};
use crate::support::Folder;

/// The bytes of a stream of a compound file.
pub(crate) fn stream(file: &mut cfb::CompoundFile<Cursor<Vec<u8>>>, path: &str) -> Vec<u8> {
    let mut data = Vec::new();
    file.open_stream(path)
        .unwrap()
        .read_to_end(&mut data)
        .unwrap();
    data
}

pub(crate) fn text(units: &[u8]) -> String {
    let units: Vec<u16> = units
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).unwrap()
}

/// The size that a list of properties tells of a value.
pub(crate) fn told(list: &[u8], tag: u32) -> Option<u32> {
    let entry = list[8..]
        .chunks_exact(16)
        .find(|entry| entry[..4] == tag.to_le_bytes())?;
    Some(u32::from_le_bytes(entry[8..12].try_into().unwrap()))
}

#[test]
fn a_message_of_outlook_keeps_everything_but_what_its_attachments_had() {
    let data = std::fs::read("testdata/mail/outlook_message_with_message_in_it.msg").unwrap();
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let (_, made) = disarm(&engine, &mut worker, "a.msg", &data);
    let made = made.unwrap().unwrap().made;
    let mut new = cfb::CompoundFile::open_strict(Cursor::new(made.data.to_vec())).unwrap();
    let mut old = cfb::CompoundFile::open(Cursor::new(data)).unwrap();
    let first = "/__attach_version1.0_#00000000";
    let nested =
        "/__attach_version1.0_#00000001/__substg1.0_3701000D/__attach_version1.0_#00000000";
    let changed = [
        format!("{first}/__substg1.0_37010102"),
        format!("{first}/__properties_version1.0"),
        format!("{nested}/__substg1.0_37010102"),
        format!("{nested}/__substg1.0_3707001F"),
        format!("{nested}/__properties_version1.0"),
        "/__attach_version1.0_#00000001/__properties_version1.0".to_owned(),
    ];
    let paths: Vec<String> = old
        .walk()
        .filter(cfb::Entry::is_stream)
        .map(|entry| entry.path().to_string_lossy().into_owned())
        .collect();
    assert!(paths.len() > 15, "{paths:?}");
    for path in paths.iter().filter(|path| !changed.contains(path)) {
        assert_eq!(stream(&mut old, path), stream(&mut new, path), "{path}");
    }
    let document = stream(&mut new, &changed[0]);
    assert!(
        document.starts_with(b"PK") && memchr::memmem::find(&document, b"vbaProject").is_none()
    );
    let list = stream(&mut new, &changed[1]);
    assert_eq!(told(&list, 0x3701_0102), u32::try_from(document.len()).ok());
    let name = stream(&mut new, &format!("{first}/__substg1.0_3707001F"));
    assert_eq!(text(&name), "見積書.docm");
    let notice = stream(&mut new, &changed[2]);
    assert!(String::from_utf8(notice.clone()).unwrap().contains("\r\n"));
    let name = stream(&mut new, &changed[3]);
    assert_eq!(text(&name), "請求書.pdf.exe.txt");
    let list = stream(&mut new, &changed[4]);
    assert_eq!(told(&list, 0x3701_0102), u32::try_from(notice.len()).ok());
    assert_eq!(told(&list, 0x3707_001f), u32::try_from(name.len() + 2).ok());
    assert!(
        disarm(&engine, &mut worker, "a.msg", &made.data)
            .1
            .is_none()
    );
}

#[test]
fn names_in_mails_go_with_the_content_where_that_is_asked_for() {
    let headers = "Content-Type: application/vnd.ms-word.document.macroEnabled.12;\n name=\"=?ISO-2022-JP?B?GyRCSnM5cD1xGyhCLmRvY20=?=\"\nContent-Disposition: attachment;\n filename*=ISO-2022-JP''%1B%24BJs9p%3Dq%1B%28B.docm\nContent-Transfer-Encoding: base64";
    let message = build::mail("x", &[attachment(headers, &with_macro())]);
    let folder = Folder::new();
    folder.file("a.eml", &message);
    let run = folder.run(&["disarm", "a.eml", "-o", "kept.eml"]);
    assert_eq!(run.code, 0, "{run:?}");
    let kept = std::fs::read_to_string(folder.path("kept.eml")).unwrap();
    assert!(kept.contains(&headers.replace('\n', "\r\n")), "{kept}");
    let run = folder.run(&["disarm", "a.eml", "-o", "new.eml", "--rename"]);
    assert_eq!(run.code, 0, "{run:?}");
    let new = std::fs::read_to_string(folder.path("new.eml")).unwrap();
    let wanted = "Content-Type: application/vnd.openxmlformats-officedocument.wordprocessingml.document;\r\n name=\"=?UTF-8?B?5aCx5ZGK5pu4LmRvY3g=?=\"\r\nContent-Disposition: attachment;\r\n filename*=UTF-8''%E5%A0%B1%E5%91%8A%E6%9B%B8.docx\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    assert!(new.contains(wanted), "{new}");
    let scan = folder.run(&["scan", "new.eml", "--format", "json"]);
    let report = scan.json();
    let parts = report["artifacts"].as_array().unwrap();
    let part = parts.iter().find(|part| part["kind"] == "docx").unwrap();
    assert_eq!(part["name"], "報告書.docx");
    assert_eq!(report["level"], "clean");
}
