//! Archives and encodings of the table that are written here.

use std::io::{Cursor, Write as _};

use sevenz_rust2::{ArchiveEntry, ArchiveWriter, EncoderMethod, Password, encoder_options};

use crate::formats::zip::crc32;
use crate::unpack;

use super::{NAME, le, shift_jis, zip};

/// RAR 4 with one stored file.
pub(super) fn rar_4(name: &[u8], data: &[u8]) -> Vec<u8> {
    let half = |number: usize| u16::try_from(number).unwrap().to_le_bytes();
    let block = |kind: u8, flags: u16, fields: &[u8]| {
        let len = half(7 + fields.len());
        let body = [&[kind], &flags.to_le_bytes()[..], &len, fields].concat();
        let [low, high, ..] = crc32(&body).to_le_bytes();
        [&[low, high], body.as_slice()].concat()
    };
    // Sizes, Windows, checksum, time, version of the reader, stored, length of the name, attributes.
    let sizes = [le(data.len()); 2].concat();
    let sum = crc32(data).to_le_bytes();
    let rest = [0, 0, 0x21, 0x58, 20, 0x30];
    let file = [
        &sizes,
        &[2][..],
        &sum,
        &rest,
        &half(name.len()),
        &le(0x20),
        name,
    ];
    [
        b"Rar!\x1a\x07\0".to_vec(),
        block(0x73, 0, &[0; 6]),
        block(0x74, 0x8000, &file.concat()),
        data.to_vec(),
        block(0x7b, 0x4000, b""),
    ]
    .concat()
}

/// A 7-Zip archive by one method.
pub(super) fn sevenz(data: &[u8], method: EncoderMethod) -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    writer.set_content_methods(vec![method.into()]);
    let entry = ArchiveEntry::new_file(NAME);
    writer.push_archive_entry(entry, Some(data)).unwrap();
    writer.finish().unwrap().into_inner()
}

/// The same whose names are locked too, with a password that everybody knows.
pub(super) fn locked_sevenz(data: &[u8]) -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    let aes = encoder_options::AesEncoderOptions::new(Password::from("infected"));
    writer.set_content_methods(vec![aes.into(), EncoderMethod::LZMA2.into()]);
    let entry = ArchiveEntry::new_file(NAME);
    writer.push_archive_entry(entry, Some(data)).unwrap();
    writer.finish().unwrap().into_inner()
}

/// A zip whose name is in the code page of Japanese Windows, as its own archives are.
pub(super) fn zip_in_shift_jis(data: &[u8]) -> Vec<u8> {
    let name = shift_jis(NAME);
    let placeholder = "@".repeat(name.len());
    let mut out = zip(&[(&placeholder, data)]);
    let places: Vec<usize> = memchr::memmem::find_iter(&out, &placeholder).collect();
    for at in places {
        out[at..at + name.len()].copy_from_slice(&name);
    }
    out
}

/// A zip of so many members of the directory that are the same one in the file, each under another name.
pub(super) fn zip_of_one(before: &[(&str, &[u8])], count: usize, data: &[u8]) -> Vec<u8> {
    let one = zip(&[before, &[("0000", data)]].concat());
    let directory = memchr::memmem::find(&one, b"PK\x01\x02").unwrap();
    let start = memchr::memmem::rfind(&one, b"PK\x01\x02").unwrap();
    let end = memchr::memmem::find(&one, b"PK\x05\x06").unwrap();
    let members = &one[..directory];
    let entries = (0..count).map(|at| {
        let mut entry = one[start..end].to_vec();
        let name = memchr::memmem::find(&entry, b"0000").unwrap();
        entry[name..name + 4].copy_from_slice(format!("{at:04}").as_bytes());
        entry
    });
    let others = one[directory..start].to_vec();
    let directory = [others, entries.collect::<Vec<_>>().concat()].concat();
    let mut tail = one[end..].to_vec();
    let half = u16::try_from(before.len() + count).unwrap().to_le_bytes();
    tail[8..12].copy_from_slice(&[half, half].concat());
    tail[12..16].copy_from_slice(&le(directory.len()));
    [members, &directory, &tail].concat()
}

/// A tar with the name as it is in the header.
pub(super) fn tar(name: &[u8], data: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut out = [header.as_bytes().as_slice(), data].concat();
    out.resize(out.len().next_multiple_of(512) + 1024, 0);
    out
}

/// A tar whose name stands in a record in front.
pub(super) fn pax(data: &[u8]) -> Vec<u8> {
    let mut record = format!(" path={NAME}\n");
    record.insert_str(0, &(record.len() + 2).to_string());
    let mut header = tar::Header::new_ustar();
    header.set_path("x").unwrap();
    header.set_entry_type(tar::EntryType::XHeader);
    header.set_size(record.len() as u64);
    header.set_cksum();
    let mut out = [header.as_bytes().as_slice(), record.as_bytes()].concat();
    out.resize(1024, 0);
    [out, tar(b"a", data)].concat()
}

pub(super) fn gzip(name: &[u8], data: &[u8]) -> Vec<u8> {
    let builder = flate2::GzBuilder::new().filename(name);
    let mut encoder = builder.write(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn xar(name: &str, data: &[u8]) -> Vec<u8> {
    let heap = zlib(data);
    let toc = format!(
        "<?xml version=\"1.0\"?><xar><toc><file id=\"1\"><name>{name}</name><type>file</type><data>\
         <length>{}</length><offset>0</offset><size>{}</size>\
         <encoding style=\"application/x-gzip\"/></data></file></toc></xar>",
        heap.len(),
        data.len()
    );
    let packed = zlib(toc.as_bytes());
    let mut out = b"xar!\0\x1c\0\x01".to_vec();
    out.extend((packed.len() as u64).to_be_bytes());
    out.extend((toc.len() as u64).to_be_bytes());
    out.extend([[0; 4].to_vec(), packed, heap].concat());
    out
}

pub(super) fn yenc(name: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = format!("=ybegin line=128 size={} name=", data.len()).into_bytes();
    out.extend(name);
    out.extend(b"\r\n");
    for line in data.chunks(128) {
        for byte in line {
            match byte.wrapping_add(42) {
                mark @ (0 | b'\n' | b'\r' | b'=') => out.extend([b'=', mark.wrapping_add(64)]),
                plain => out.push(plain),
            }
        }
        out.extend(b"\r\n");
    }
    let end = format!("=yend size={} crc32={:08x}\r\n", data.len(), crc32(data));
    out.extend(end.bytes());
    out
}

/// A message of S/MIME that is compressed (RFC 3274).
pub(super) fn compressed_message(data: &[u8]) -> Vec<u8> {
    const SEQUENCE: u8 = 0x30;
    const SMIME: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10";
    let tlv = |tag: u8, parts: &[&[u8]]| {
        let content = parts.concat();
        let len = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x84], &len[..], &content].concat()
    };
    let id = |end: &[u8]| tlv(6, &[SMIME, end]);
    let plain = tlv(6, &[b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"]);
    let octets = tlv(0xa0, &[&tlv(4, &[&zlib(data)])]);
    let body = tlv(
        SEQUENCE,
        &[
            &tlv(2, &[&[0]]),
            &tlv(SEQUENCE, &[&id(&[3, 8])]),
            &tlv(SEQUENCE, &[&plain, &octets]),
        ],
    );
    tlv(SEQUENCE, &[&id(&[1, 9]), &tlv(0xa0, &[&body])])
}

/// Bits from the most significant one on.
#[derive(Default)]
struct Bits(Vec<u8>, usize);

impl Bits {
    fn put(&mut self, count: usize, number: u64) {
        for at in (0..count).rev() {
            if self.1.is_multiple_of(8) {
                self.0.push(0);
            }
            let [bit, ..] = (number >> at & 1).to_le_bytes();
            *self.0.last_mut().unwrap() |= bit << (7 - self.1 % 8);
            self.1 += 1;
        }
    }
}

/// At least so many bytes by LHA's method 7, and ARJ's: trees of one leaf, so that a match of 256 bytes takes no bit.
pub(super) fn matches(size: usize) -> Vec<u8> {
    const MATCHES: usize = 0xffff;
    let mut bits = Bits::default();
    for _ in 0..size.div_ceil(MATCHES * 256) {
        bits.put(16, MATCHES as u64);
        // The tree of lengths, of matches of 256, of the distance before.
        for (count, leaf) in [(5, 0), (9, 509), (5, 0)] {
            bits.put(count, 0);
            bits.put(count, leaf);
        }
    }
    bits.put(64, 0);
    bits.0
}

/// So many zeros by ARJ's fastest method.
pub(super) fn fastest(size: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    // A zero as it is, then the longest matches from the byte before.
    bits.put(9, 0);
    for _ in 0..size.div_ceil(256) {
        bits.put(14, 0x3fff);
        bits.put(10, 0);
    }
    bits.put(64, 0);
    bits.0
}

/// A text of the size, packed as bodies of messages are ([MS-OXRTFCP]): matches of 17 bytes.
pub(super) fn rich(size: usize) -> Vec<u8> {
    const RING: usize = 4096;
    let (mut content, mut at, mut made) = (Vec::new(), 207, 0);
    while made < size {
        content.push(0xff);
        for _ in 0..8 {
            // Never from where the next byte goes: that is the mark of the end.
            let from = u16::try_from((at + 1) % RING).unwrap();
            content.extend((from << 4 | 15).to_be_bytes());
            at = (at + 17) % RING;
            made += 17;
        }
    }
    let head = [le(content.len() + 12), le(made), *b"LZFu", le(0)];
    [head.concat(), content].concat()
}

/// A message with so many bytes in attachments of a megabyte, all of which lie in the same sectors.
pub(super) fn msg_of_one(size: usize) -> Vec<u8> {
    use unpack::msg::tests::{file, fixed};
    const EACH: usize = 1 << 20;
    let mut paths = vec!["/__properties_version1.0".to_owned()];
    for number in 0..size / EACH {
        let storage = format!("/__attach_version1.0_#{number:08X}");
        paths.push(format!("{storage}/__properties_version1.0"));
        paths.push(format!("{storage}/__substg1.0_37010102"));
    }
    let data = |path: &str| match path {
        path if path.ends_with("37010102") => vec![7; 4096],
        path if path.matches('/').count() == 1 => fixed(32, &[]),
        _ => fixed(8, &[(0x3705_0003, 1)]),
    };
    let mut streams: Vec<(&str, Vec<u8>)> = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        let is_first = at == 2;
        let large = is_first.then(|| vec![7; EACH]);
        streams.push((path, large.unwrap_or_else(|| data(path))));
    }
    let mut out = file(&streams);
    let name: Vec<u8> = "__substg1.0_37010102"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let entries: Vec<usize> = memchr::memmem::find_iter(&out, &name).collect();
    let is_large = |at: &&usize| out[**at + 120..**at + 124] == le(EACH);
    let first = *entries.iter().find(is_large).unwrap();
    // Start and size.
    let place = out[first + 116..first + 128].to_vec();
    for at in entries {
        out[at + 116..at + 128].copy_from_slice(&place);
    }
    out
}

/// An archive of so many files that are one in its data.
pub(super) fn asar_of_one(count: usize, size: usize) -> Vec<u8> {
    let file = serde_json::json!({ "size": size, "offset": "0" });
    let names = (0..count).map(|at| (at.to_string(), file.clone()));
    let list: serde_json::Map<_, _> = names.collect();
    let text = serde_json::json!({ "files": list })
        .to_string()
        .into_bytes();
    let padded = text.len().next_multiple_of(4);
    let head = [4, padded + 8, padded + 4, text.len()].map(le).concat();
    let mut out = [head, text].concat();
    out.resize(16 + padded, 0);
    out.extend(vec![7; size]);
    out
}
