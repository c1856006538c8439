//! Containers of the table that are put together here alone.

use std::io::{Cursor, Write as _};

use crate::formats::{fsshttpb, jet, odf_crypt, vhd};
use crate::unpack;

use super::{NAME, length, shift_jis};

/// Content as it is, or in blocks of `MSZIP`: the name is cut in two, and both are in the code page of the system.
pub(super) fn kwaj(packed: bool, data: &[u8]) -> Vec<u8> {
    let name = [shift_jis("見積書"), vec![0], b"txt\0".to_vec()].concat();
    let (method, start) = (if packed { 4 } else { 1 }, 18 + name.len());
    let mut out = b"KWAJ\x88\xf0\x27\xd1".to_vec();
    out.extend([method, 0, u8::try_from(start).unwrap(), 0, 0x19, 0]);
    out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    out.extend(name);
    if !packed {
        out.extend(data.iter().map(|byte| !byte));
        return out;
    }
    for chunk in data.chunks(0x8000) {
        let block = [b"CK".to_vec(), unpack::hwp::tests::deflated(chunk)].concat();
        out.extend(u16::try_from(block.len()).unwrap().to_le_bytes());
        out.extend(block);
    }
    out
}

/// A package with a compressed archive behind its two headers.
pub(super) fn rpm(name: &str, data: &[u8]) -> Vec<u8> {
    let newc = unpack::cpio::tests::newc;
    let archive = [newc(name, 0o100_644, data), newc("TRAILER!!!", 0, b"")].concat();
    let mut payload = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    payload.write_all(&archive).unwrap();
    let mut out = vec![0xed, 0xab, 0xee, 0xdb, 3, 0];
    out.resize(96, 0);
    for size in [8u32, 16] {
        out.extend([0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0]);
        out.extend(1u32.to_be_bytes());
        out.extend(size.to_be_bytes());
        out.resize(out.len() + 16 + 8 * usize::from(size == 16) + 8, 7);
    }
    out.extend(payload.finish().unwrap());
    out
}

/// A disk of blocks of one megabyte, each entry of whose table names the place of one.
fn vhdx_of(size: usize, entries: &[u64], blocks: &[u8]) -> Vec<u8> {
    const MEGABYTE: usize = 1 << 20;
    let mut out = b"vhdxfile".to_vec();
    out.resize(192 << 10, 0);
    out.extend(b"regi");
    out.extend([[0; 4], 2u32.to_le_bytes(), [0; 4]].concat());
    for (id, at) in [
        (vhd::REGION_BAT, 2 * MEGABYTE),
        (vhd::REGION_METADATA, MEGABYTE),
    ] {
        out.extend(id);
        out.extend(length(at).to_le_bytes());
        out.extend([0; 8]);
    }
    out.resize(MEGABYTE, 0);
    out.extend(b"metadata");
    out.resize(MEGABYTE + 32, 0);
    let items = [
        (vhd::FILE_PARAMETERS, MEGABYTE),
        (vhd::DISK_SIZE, size),
        (vhd::SECTOR_SIZE, 512),
    ];
    for (place, (id, _)) in (0u32..).zip(items) {
        out.extend(id);
        out.extend((0x1_0000 + 16 * place).to_le_bytes());
        out.resize(out.len() + 12, 0);
    }
    out.resize(MEGABYTE + 0x1_0000, 0);
    for (_, value) in items {
        out.extend(length(value).to_le_bytes());
        out.extend([0; 8]);
    }
    out.resize(2 * MEGABYTE, 0);
    entries
        .iter()
        .for_each(|entry| out.extend((entry << 20 | 6).to_le_bytes()));
    out.resize(3 * MEGABYTE, 0);
    out.extend(blocks);
    out.resize(out.len().next_multiple_of(MEGABYTE), 0);
    out
}

pub(super) fn vhdx(inside: &[u8]) -> Vec<u8> {
    let blocks = inside.len().div_ceil(1 << 20);
    let entries: Vec<u64> = (3u64..).take(blocks).collect();
    vhdx_of(blocks << 20, &entries, inside)
}

/// Every block of the disk is the same one.
pub(super) fn vhdx_bomb() -> Vec<u8> {
    vhdx_of(4096 << 20, &[3; 4096], &[7; 1 << 20])
}

/// A database with the source of a module in a long value.
pub(super) fn access(source: &[u8]) -> Vec<u8> {
    let chunks = source.chunks(3600).map(|chunk| {
        let body: Vec<u8> = chunk
            .chunks(8)
            .flat_map(|piece| [&[0], piece].concat())
            .collect();
        let head = u16::try_from(body.len() - 1).unwrap() | 0xb000;
        [head.to_le_bytes().to_vec(), body].concat()
    });
    let container = [vec![1], chunks.collect::<Vec<_>>().concat()].concat();
    jet::tests::database(&[&container], b"")
}

/// The same with a source that repeats itself without end.
pub(super) fn access_bomb() -> Vec<u8> {
    let start = b"Attribute VB_Name = \"M\"\r\n";
    let literals = |bytes: &[u8]| -> Vec<u8> {
        let pieces = bytes.chunks(8);
        pieces.flat_map(|piece| [&[0], piece].concat()).collect()
    };
    let mut container = vec![1];
    for chunk in 0..24_000 {
        // One byte, and the 4095 behind it: with twelve bits of length at the front of a chunk.
        let body = match chunk {
            0 => literals(start),
            _ => [&[2, b'\''][..], &0x0fff_u16.to_le_bytes()].concat(),
        };
        let head = u16::try_from(body.len() - 1).unwrap() | 0xb000;
        container.extend(head.to_le_bytes());
        container.extend(body);
    }
    jet::tests::database(&[&container], b"")
}

/// A package of sections: a cabinet.
pub(super) fn onepkg(data: &[u8]) -> Vec<u8> {
    let section = fsshttpb::tests::section(NAME, &[data]);
    unpack::cab::tests::cabinet(&[(&shift_jis("会議.one"), &section)], true)
}

/// A document whose one member is locked with a password that everybody knows.
pub(super) fn locked_odt(name: &str, data: &[u8]) -> Vec<u8> {
    let deflated = unpack::hwp::tests::deflated(data);
    let (locked, element) = odf_crypt::tests::locked(name, &deflated, "infected");
    let manifest = format!("<m:manifest>{element}</m:manifest>");
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let kind = b"application/vnd.oasis.opendocument.text".as_slice();
    let members = [
        ("mimetype", kind),
        (name, &locked),
        ("META-INF/manifest.xml", manifest.as_bytes()),
    ];
    for (name, bytes) in members {
        zip.start_file(name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Zeros by `compress`: each code stands for one byte more than the last, until there are no more codes.
pub(super) fn compress_bomb(size: usize) -> Vec<u8> {
    let mut out = vec![0x1f, 0x9d, 0x90];
    let (mut held, mut count) = (0u64, 0u32);
    let (mut width, mut codes) = (9u32, 0usize);
    let (mut code, mut free, mut run, mut total) = (0u64, 257u64, 1, 0);
    while total < size {
        held |= code << count;
        count += width;
        codes += 1;
        total += run;
        if free < 1 << 16 {
            (code, free, run) = (free, free + 1, run + 1);
        }
        let is_wider = free > 1 << width && width < 16;
        // Codes of one width come in eights, filled up where the width changes.
        while is_wider && !codes.is_multiple_of(8) {
            count += width;
            codes += 1;
            while count >= 32 {
                out.extend(&held.to_le_bytes()[..4]);
                (held, count) = (held >> 32, count - 32);
            }
        }
        if is_wider {
            (width, codes) = (width + 1, 0);
        }
        while count >= 8 {
            out.push(u8::try_from(held & 0xff).unwrap());
            (held, count) = (held >> 8, count - 8);
        }
    }
    out
}
