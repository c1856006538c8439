//! Builders of fixtures: mails by hand, zips by the zip crate, compound files by the cfb crate, VBA projects by the
//! letter of [MS-OVBA]. Independent of the readers under test, and harmless throughout.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;

/// A zip archive of deflated members, written by the zip crate; the same bytes at every call.
pub(crate) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, data) in members {
        let options =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(data).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A CompressedContainer ([MS-OVBA] 2.4.1) of literal tokens only: it decompresses to exactly `data`.
pub(crate) fn ovba_container(data: &[u8]) -> Vec<u8> {
    /// Literals of a chunk: with a flag byte for eight of them they stay below the 4,096 bytes of one.
    const LITERALS: usize = 3600;
    let mut out = vec![1];
    for chunk in data.chunks(LITERALS) {
        let mut tokens = Vec::new();
        for eight in chunk.chunks(8) {
            tokens.push(0);
            tokens.extend_from_slice(eight);
        }
        let header = u16::try_from(tokens.len() + 2 - 3).unwrap() | 0b1011 << 12;
        out.extend_from_slice(&header.to_le_bytes());
        out.extend_from_slice(&tokens);
    }
    out
}

fn record(out: &mut Vec<u8>, id: u16, data: &[u8]) {
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
    out.extend_from_slice(data);
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The `dir` stream ([MS-OVBA] 2.3.4.2) of standard modules of the given names and offsets of source, in code page 932.
pub(crate) fn dir_stream(modules: &[(&str, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    record(&mut out, 0x01, &1u32.to_le_bytes());
    record(&mut out, 0x02, &0x0411u32.to_le_bytes());
    record(&mut out, 0x14, &0x0411u32.to_le_bytes());
    record(&mut out, 0x03, &932u16.to_le_bytes());
    record(&mut out, 0x04, b"Project");
    record(&mut out, 0x05, b"");
    record(&mut out, 0x40, b"");
    record(&mut out, 0x06, b"");
    record(&mut out, 0x3d, b"");
    record(&mut out, 0x07, &0u32.to_le_bytes());
    record(&mut out, 0x08, &0u32.to_le_bytes());
    // PROJECTVERSION: its size field says 4 and six bytes follow.
    out.extend_from_slice(&0x09u16.to_le_bytes());
    out.extend_from_slice(&4u32.to_le_bytes());
    out.extend_from_slice(&[1, 0, 0, 0, 1, 0]);
    record(&mut out, 0x0c, b"");
    record(&mut out, 0x3c, b"");
    record(
        &mut out,
        0x0f,
        &u16::try_from(modules.len()).unwrap().to_le_bytes(),
    );
    record(&mut out, 0x13, &0xffffu16.to_le_bytes());
    for (name, offset) in modules {
        record(&mut out, 0x19, name.as_bytes());
        record(&mut out, 0x47, &utf16(name));
        record(&mut out, 0x1a, name.as_bytes());
        record(&mut out, 0x32, &utf16(name));
        record(&mut out, 0x1c, b"");
        record(&mut out, 0x48, b"");
        record(&mut out, 0x31, &offset.to_le_bytes());
        record(&mut out, 0x1e, &0u32.to_le_bytes());
        record(&mut out, 0x2c, &0xffffu16.to_le_bytes());
        record(&mut out, 0x21, b"");
        record(&mut out, 0x2b, b"");
    }
    record(&mut out, 0x10, b"");
    out
}

/// A module's source with the attribute lines that every module starts with.
pub(crate) fn module(name: &str, code: &str) -> Vec<u8> {
    let text = format!(
        "Attribute VB_Name = \"{name}\"\r\n{}",
        code.replace('\n', "\r\n")
    );
    encoding_rs::SHIFT_JIS.encode(&text).0.into_owned()
}

/// A compound file of streams, by the cfb crate. A path may lie in storages: `Macros/VBA/dir`.
pub(crate) fn compound(streams: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    for (path, data) in streams {
        if let Some((storage, _)) = path.rsplit_once('/') {
            file.create_storage_all(storage).unwrap();
        }
        file.create_stream(path).unwrap().write_all(data).unwrap();
    }
    file.flush().unwrap();
    file.into_inner().into_inner()
}

/// The streams of a VBA project below `at` (empty, or ending in a slash).
pub(crate) fn project(at: &str, modules: &[(&str, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let names: Vec<(&str, u32)> = modules.iter().map(|(name, _)| (*name, 0)).collect();
    let mut text = "ID=\"{00000000-0000-0000-0000-000000000000}\"\r\n".to_owned();
    for (name, _) in &names {
        text.push_str(&format!("Module={name}\r\n"));
    }
    text.push_str("Name=\"Project\"\r\n");
    let mut streams = vec![
        (format!("{at}PROJECT"), text.into_bytes()),
        (format!("{at}VBA/dir"), ovba_container(&dir_stream(&names))),
        // The performance cache as [MS-OVBA] 2.3.4.1 wants it written: version 0xFFFF and nothing else.
        (
            format!("{at}VBA/_VBA_PROJECT"),
            vec![0xcc, 0x61, 0xff, 0xff, 0, 0, 0],
        ),
    ];
    for (name, source) in modules {
        streams.push((format!("{at}VBA/{name}"), ovba_container(source)));
    }
    streams
}

/// A `vbaProject.bin` of modules.
pub(crate) fn vba_project(modules: &[(&str, Vec<u8>)]) -> Vec<u8> {
    compound(&project("", modules))
}

/// The parts of a Word document: main content type, text, and further parts with their relations.
fn word_parts(main: &str, text: &str, vba: Option<&[u8]>) -> Vec<(String, Vec<u8>)> {
    let override_vba = "<Override PartName=\"/word/vbaProject.bin\" ContentType=\"application/vnd.ms-office.vbaProject\"/>";
    let types = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
         <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
         <Default Extension=\"xml\" ContentType=\"application/xml\"/>\
         <Override PartName=\"/word/document.xml\" ContentType=\"{main}\"/>{}</Types>",
        if vba.is_some() { override_vba } else { "" }
    );
    let rels = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
         <Relationship Id=\"rId1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" Target=\"word/document.xml\"/></Relationships>";
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\">\
         <w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>"
    );
    let mut parts = vec![
        ("[Content_Types].xml".to_owned(), types.into_bytes()),
        ("_rels/.rels".to_owned(), rels.as_bytes().to_vec()),
        ("word/document.xml".to_owned(), document.into_bytes()),
    ];
    if let Some(vba) = vba {
        let rels = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
             <Relationship Id=\"rId1\" Type=\"http://schemas.microsoft.com/office/2006/relationships/vbaProject\" Target=\"vbaProject.bin\"/></Relationships>";
        parts.push((
            "word/_rels/document.xml.rels".to_owned(),
            rels.as_bytes().to_vec(),
        ));
        parts.push(("word/vbaProject.bin".to_owned(), vba.to_vec()));
    }
    parts
}

fn package(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    zip(&parts
        .iter()
        .map(|(name, data)| (name.as_str(), data.as_slice()))
        .collect::<Vec<_>>())
}

/// A Word document without macros.
pub(crate) fn docx(text: &str) -> Vec<u8> {
    let main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml";
    package(&word_parts(main, text, None))
}

/// A Word document with the macros of `modules`.
pub(crate) fn docm(text: &str, modules: &[(&str, Vec<u8>)]) -> Vec<u8> {
    docm_of(text, &vba_project(modules))
}

/// A Word document with a `vbaProject.bin`.
pub(crate) fn docm_of(text: &str, project: &[u8]) -> Vec<u8> {
    let main = "application/vnd.ms-word.document.macroEnabled.main+xml";
    package(&word_parts(main, text, Some(project)))
}

/// One part of a mail to be.
pub(crate) struct Part<'a> {
    pub(crate) headers: &'a str,
    pub(crate) body: Vec<u8>,
}

/// An attachment in base64.
pub(crate) fn attachment<'a>(headers: &'a str, data: &[u8]) -> Part<'a> {
    Part {
        headers,
        body: base64(data),
    }
}

/// A mail of parts, lines ending in CRLF.
pub(crate) fn mail(subject: &str, parts: &[Part<'_>]) -> Vec<u8> {
    let head = format!(
        "From: Taro Yamada <taro@branch.example>\r\nTo: hanako@hq.example.co.jp\r\nSubject: {subject}\r\n\
         Date: Mon, 02 Nov 2026 09:30:00 +0900\r\nMessage-ID: <20261102093000.1@branch.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"=_sekisho\"\r\n\r\n"
    );
    let mut out = head.into_bytes();
    for part in parts {
        out.extend_from_slice(b"--=_sekisho\r\n");
        out.extend_from_slice(part.headers.replace('\n', "\r\n").as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&part.body);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"--=_sekisho--\r\n");
    out
}

/// Base64 in lines of 76 characters.
pub(crate) fn base64(data: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for line in data.chunks(57) {
        if !out.is_empty() {
            out.extend_from_slice(b"\r\n");
        }
        for group in line.chunks(3) {
            let mut bytes = [0; 3];
            bytes[..group.len()].copy_from_slice(group);
            let bits = u32::from(bytes[0]) << 16 | u32::from(bytes[1]) << 8 | u32::from(bytes[2]);
            for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
                let six = usize::try_from(bits >> shift & 63).unwrap();
                out.push(if at <= group.len() {
                    ALPHABET[six]
                } else {
                    b'='
                });
            }
        }
    }
    out
}

/// The smallest thing that Windows would call a program: headers, no code that does anything.
pub(crate) fn program() -> Vec<u8> {
    let mut out = vec![0; 0x200];
    out[..2].copy_from_slice(b"MZ");
    out[0x3c..0x40].copy_from_slice(&0x80u32.to_le_bytes());
    out[0x80..0x84].copy_from_slice(b"PE\0\0");
    // Machine i386, one section, optional header of 0xE0 bytes, executable image.
    out[0x84..0x98].copy_from_slice(&[
        0x4c, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe0, 0, 2, 1,
    ]);
    out[0x98..0x9a].copy_from_slice(&[0x0b, 1]);
    out[0x178..0x17d].copy_from_slice(b".text");
    out.resize(0x400, 0xc3);
    out
}
