//! Small archives and compressed files around one content, written by the crates' own encoders or by hand.

use std::io::{Cursor, Write};

/// One of each kind that can be written here.
pub(crate) fn all(content: &[u8]) -> Vec<Vec<u8>> {
    vec![
        bzip2(content),
        xz(content),
        lzma(content),
        zstd::stream::encode_all(content, 1).unwrap(),
        lz4(content),
        sevenz("a.txt", content, None),
        sevenz("a.txt", content, Some("secret")),
        cpio("a.txt", content),
        ar("a.txt", content),
        szdd(content),
        rar("a.txt", content),
        lzh(b"a.txt", content),
        chm("a.txt", content),
        [b"\x1f\x9d\x90".as_slice(), content].concat(),
    ]
}

/// The name of the file in archives that have one.
pub(crate) const NAME: &str = "見積書.txt";

/// Streams and archives that pack their content, under names that are right for them.
pub(crate) fn packing(content: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(content).unwrap();
    let mut brotli = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
    brotli.write_all(content).unwrap();
    vec![
        ("a.txt.gz", gzip.finish().unwrap()),
        ("a.txt.bz2", bzip2(content)),
        ("a.txt.xz", xz(content)),
        ("a.txt.lzma", lzma(content)),
        ("a.txt.zst", zstd::stream::encode_all(content, 1).unwrap()),
        ("a.txt.lz4", lz4(content)),
        ("a.txt.br", brotli.into_inner()),
        ("a.7z", sevenz(NAME, content, None)),
        ("a.zip", crate::build::zip(&[(NAME, content)])),
        ("a.xar", xar(content)),
    ]
}

/// Archives that store their content, of some thousand bytes.
pub(crate) fn storing(content: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, NAME, content).unwrap();
    vec![
        ("a.tar", tar.into_inner().unwrap()),
        ("a.cpio", cpio(NAME, content)),
        ("a.a", ar("a.txt", content)),
        ("a.tx_", szdd(content)),
        (
            "a.lzh",
            lzh(&encoding_rs::SHIFT_JIS.encode(NAME).0, content),
        ),
        ("a.cab", cab(NAME, content)),
        ("a.chm", chm(NAME, content)),
    ]
}

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn xz(content: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

fn lzma(content: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::LzmaOptions::with_preset(1);
    let mut writer = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

fn lz4(content: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A 7-Zip archive of one file; its content is locked where there is a password.
pub(crate) fn sevenz(name: &str, content: &[u8], password: Option<&str>) -> Vec<u8> {
    let mut writer = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    if let Some(password) = password {
        let password = sevenz_rust2::Password::from(password);
        let aes = sevenz_rust2::encoder_options::AesEncoderOptions::new(password);
        writer.set_content_methods(vec![aes.into(), sevenz_rust2::EncoderMethod::LZMA2.into()]);
        writer.set_encrypt_header(false);
    }
    let entry = sevenz_rust2::ArchiveEntry::new_file(name);
    writer.push_archive_entry(entry, Some(content)).unwrap();
    writer.finish().unwrap().into_inner()
}

fn cpio(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, mode, data) in [(name, 0o100_644, content), ("TRAILER!!!", 0, b"")] {
        out.extend(b"070701");
        let (data_len, name_len) = (data.len(), name.len() + 1);
        for number in [1, mode, 0, 0, 1, 0, data_len, 0, 0, 0, 0, name_len, 0] {
            out.extend(format!("{number:08X}").bytes());
        }
        out.extend(name.bytes());
        out.push(0);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(data);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

fn ar(name: &str, content: &[u8]) -> Vec<u8> {
    let len = content.len();
    let header = format!(
        "!<arch>\n{name:<16}{:<12}{:<6}{:<6}{:<8}{len:<10}`\n",
        0, 0, 0, 644
    );
    [header.as_bytes(), content].concat()
}

/// Literals only.
fn szdd(content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(content.len()).unwrap().to_le_bytes();
    let groups = content
        .chunks(8)
        .flat_map(|group| [&[0xff], group].concat());
    [
        b"SZDD\x88\xf0\x27\x33At".as_slice(),
        &len,
        &groups.collect::<Vec<u8>>(),
    ]
    .concat()
}

/// RAR 5, stored; every number here fits into one byte of a variable-length one.
fn rar(name: &str, content: &[u8]) -> Vec<u8> {
    let block = |fields: &[u8]| {
        let sized = [&[u8::try_from(fields.len()).unwrap()], fields].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&sized);
        [crc.sum().to_le_bytes().as_slice(), &sized].concat()
    };
    let len = u8::try_from(content.len()).unwrap();
    assert!(len < 0x80);
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let mut file = vec![2, 2, len, 4, len, 0x20];
    file.extend(crc.sum().to_le_bytes());
    file.extend([0, 1, u8::try_from(name.len()).unwrap()]);
    file.extend(name.bytes());
    [
        b"Rar!\x1a\x07\x01\0".as_slice(),
        &block(&[1, 0, 0]),
        &block(&file),
        content,
        &block(&[5, 0, 0]),
    ]
    .concat()
}

/// RAR 5 in so many volumes, a stored file that goes through all of them.
pub(crate) fn rar_volumes(name: &str, content: &[u8], count: usize) -> Vec<Vec<u8>> {
    let crc_of = |data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(data);
        crc.sum().to_le_bytes()
    };
    let block = |fields: &[u8]| {
        let sized = [&[u8::try_from(fields.len()).unwrap()], fields].concat();
        [crc_of(&sized).as_slice(), &sized].concat()
    };
    let whole = u8::try_from(content.len()).unwrap();
    let pieces: Vec<&[u8]> = content.chunks(content.len().div_ceil(count)).collect();
    let last = pieces.len() - 1;
    let volume = |(at, piece): (usize, &&[u8])| {
        let number = u8::try_from(at).unwrap();
        // A volume, and from the second on its number.
        let main = if at == 0 {
            vec![1, 0, 1]
        } else {
            vec![1, 0, 3, number]
        };
        let split = if at > 0 { 8 } else { 0 } | if at < last { 16 } else { 0 };
        let mut file = vec![
            2,
            2 | split,
            u8::try_from(piece.len()).unwrap(),
            4,
            whole,
            0x20,
        ];
        // Of the whole at the end, of the piece before.
        file.extend(crc_of(if at == last { content } else { piece }));
        file.extend([0, 1, u8::try_from(name.len()).unwrap()]);
        file.extend(name.bytes());
        let mark: &[u8] = b"Rar!\x1a\x07\x01\0";
        let end = block(&[5, 0, u8::from(at < last)]);
        [mark, &block(&main), &block(&file), piece, &end].concat()
    };
    pieces.iter().enumerate().map(volume).collect()
}

/// A cabinet of one stored file.
pub(crate) fn cab(name: &str, content: &[u8]) -> Vec<u8> {
    cabinet(&[(0, content, content.len(), name)])
}

/// A cabinet like another, with a second folder of LZX of one block that claims `size` bytes.
pub(crate) fn cab_with_lzx(content_of: &[u8], block: &[u8], size: usize) -> Vec<u8> {
    // Behind the head, one folder, one file and the head of its block.
    let at = memchr::memmem::find(content_of, b"MZ").unwrap();
    let content = &content_of[at..];
    cabinet(&[
        (0, content, content.len(), "good.exe"),
        (0x0f03, block, size, "lost.exe"),
    ])
}

/// A cabinet of folders with one file each: method, block, size, name.
fn cabinet(folders: &[(u16, &[u8], usize, &str)]) -> Vec<u8> {
    let word = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let half = |number: usize| u16::try_from(number).unwrap().to_le_bytes();
    let count = folders.len();
    let files_at = 36 + 8 * count;
    let mut list = Vec::new();
    for (number, (_, _, size, name)) in folders.iter().enumerate() {
        list.extend(word(*size));
        list.extend(word(0));
        list.extend(half(number));
        list.extend([0x21, 0x58, 0, 0, 0xa0, 0]);
        list.extend(name.bytes());
        list.push(0);
    }
    let (mut heads, mut blocks) = (Vec::new(), Vec::new());
    for (method, block, size, _) in folders {
        heads.extend(word(files_at + list.len() + blocks.len()));
        heads.extend(half(1));
        heads.extend(method.to_le_bytes());
        blocks.extend(word(0));
        blocks.extend(half(block.len()));
        blocks.extend(half(*size));
        blocks.extend(*block);
    }
    let mut out = b"MSCF\0\0\0\0".to_vec();
    out.extend(word(files_at + list.len() + blocks.len()));
    out.extend(word(0));
    out.extend(word(files_at));
    out.extend([0, 0, 0, 0, 3, 1]);
    out.extend(half(count));
    out.extend(half(count));
    out.extend([0; 6]);
    out.extend(heads);
    out.extend(list);
    out.extend(blocks);
    out
}

/// A stored member with a level 0 header.
/// Two cabinets of a set: a stored file that begins in the first and ends in the second, cut inside of a block.
pub(crate) fn cab_set(name: &str, content: &[u8], cut: usize) -> [Vec<u8>; 2] {
    let place = |at: usize, number: u8, folder: [u8; 2], part: &[u8], size: usize| {
        let mut one = cabinet(&[(0, part, size, name)]);
        // The length of the file, its folder, the flags and the number in the set.
        one[44..48].copy_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
        one[52..54].copy_from_slice(&folder);
        one[30] = u8::from(at == 0) * 2 + u8::from(at == 1);
        one[32] = 7;
        one[34] = number;
        // The name of the other cabinet and of its disk stand behind the head.
        let names = b"x.cab\0\0";
        let shift = u32::try_from(names.len()).unwrap();
        for field in [8, 16, 36] {
            let old = u32::from_le_bytes(one[field..field + 4].try_into().unwrap());
            one[field..field + 4].copy_from_slice(&(old + shift).to_le_bytes());
        }
        one.splice(36..36, names.iter().copied());
        one
    };
    [
        place(0, 0, [0xfe, 0xff], &content[..cut], 0),
        place(1, 1, [0xfd, 0xff], &content[cut..], content.len()),
    ]
}

/// A cabinet of MSZIP blocks of zeros.
pub(crate) fn cab_of_zeros(blocks: u16) -> Vec<u8> {
    let mut encoder =
        flate2::write::DeflateEncoder::new(b"CK".to_vec(), flate2::Compression::best());
    encoder.write_all(&[0; 32768]).unwrap();
    let packed = encoder.finish().unwrap();
    let mut out = cabinet(&[(1, &packed, 32768, "a")]);
    let block = out[out.len() - packed.len() - 8..].to_vec();
    for _ in 1..blocks {
        out.extend(&block);
    }
    out[40..42].copy_from_slice(&blocks.to_le_bytes());
    out[44..48].copy_from_slice(&(u32::from(blocks) * 32768).to_le_bytes());
    let len = u32::try_from(out.len()).unwrap();
    out[8..12].copy_from_slice(&len.to_le_bytes());
    out
}

/// A tar whose one file is a hole of so many bytes.
pub(crate) fn tar_of_a_hole(size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.set_path("a").unwrap();
    header.set_mode(0o644);
    header.set_size(0);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.sparse[0].offset[..11].copy_from_slice(format!("{size:011o}").as_bytes());
    gnu.sparse[0].numbytes[..11].copy_from_slice(format!("{:011o}", 0).as_bytes());
    gnu.realsize[..11].copy_from_slice(format!("{size:011o}").as_bytes());
    header.set_cksum();
    [header.as_bytes().as_slice(), &[0; 1024]].concat()
}

/// A xar of one packed file.
pub(crate) fn xar(content: &[u8]) -> Vec<u8> {
    let pack = |data: &[u8]| {
        let mut encoder =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    let heap = pack(content);
    let toc = format!(
        "<?xml version=\"1.0\"?><xar><toc><file id=\"1\"><name>{NAME}</name><type>file</type><data>\
         <length>{}</length><offset>0</offset><size>{}</size>\
         <encoding style=\"application/x-gzip\"/></data></file></toc></xar>",
        heap.len(),
        content.len()
    );
    let packed = pack(toc.as_bytes());
    let long = |number: usize| u64::try_from(number).unwrap().to_be_bytes();
    let mut out = b"xar!\0\x1c\0\x01".to_vec();
    out.extend(long(packed.len()));
    out.extend(long(toc.len()));
    out.extend([0; 4]);
    out.extend(packed);
    out.extend(heap);
    out
}

fn lzh(name: &[u8], content: &[u8]) -> Vec<u8> {
    let crc = content.iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| match crc & 1 {
            0 => crc >> 1,
            _ => (crc >> 1) ^ 0xa001,
        })
    });
    let size = u32::try_from(content.len()).unwrap().to_le_bytes();
    let mut body = b"-lh0-".to_vec();
    for field in [&size, &size] {
        body.extend(field);
    }
    body.extend([0, 0, 0x21, 0x58, 0x20, 0, u8::try_from(name.len()).unwrap()]);
    body.extend(name);
    body.extend(crc.to_le_bytes());
    let sum = body.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    [
        &[u8::try_from(body.len()).unwrap(), sum],
        body.as_slice(),
        content,
        &[0],
    ]
    .concat()
}

/// Compiled help of one file in the compressed section: an LZX stream of one block that is not compressed.
pub(crate) fn chm(name: &str, content: &[u8]) -> Vec<u8> {
    chm_of_blocks(name, content, 1)
}

/// The same of many blocks, each of which is the same piece of the stream.
pub(crate) fn chm_of_blocks(name: &str, content: &[u8], blocks: usize) -> Vec<u8> {
    assert!(content.len() <= 0x8000);
    let whole = (blocks - 1) * 0x8000 + content.len();
    let size = u16::try_from(content.len()).unwrap();
    // No translation of calls, block type 3, 24 bits of length.
    let mut stream = (0x3000 | size >> 12).to_le_bytes().to_vec();
    stream.extend((size << 4).to_le_bytes());
    stream.extend([1, 0, 0, 0].repeat(3));
    stream.extend_from_slice(content);
    stream.extend(vec![0; content.len() % 2]);
    let mut control = 6u32.to_le_bytes().to_vec();
    control.extend(b"LZXC");
    for value in [2u32, 2, 2, 0] {
        control.extend(value.to_le_bytes());
    }
    let mut table = Vec::new();
    for value in [2u32, u32::try_from(blocks).unwrap(), 8, 0x28] {
        table.extend(value.to_le_bytes());
    }
    // Every second block is the whole stream.
    let places = (0..blocks).map(|at| at % 2 * stream.len());
    for value in [whole, stream.len(), 0x8000].into_iter().chain(places) {
        table.extend(u64::try_from(value).unwrap().to_le_bytes());
    }
    let storage = "::DataSpace/Storage/MSCompressed";
    let transform = "Transform/{7FC28940-9D31-11D0-9B27-00A0C91E9C7C}/InstanceData/ResetTable";
    let parts = [
        (format!("{storage}/Content"), stream),
        (format!("{storage}/ControlData"), control),
        (format!("{storage}/{transform}"), table),
    ];
    let mut entries = Vec::new();
    let mut plain = Vec::new();
    for (name, data) in &parts {
        chm_entry(name, 0, plain.len(), data.len(), &mut entries);
        plain.extend_from_slice(data);
    }
    chm_entry(&format!("/{name}"), 1, 0, whole, &mut entries);
    const CHUNK: usize = 4096;
    let mut out = b"ITSF\x03\0\0\0\x60\0\0\0\x01\0\0\0".to_vec();
    out.extend([0; 56]);
    for value in [0x60, 0x54 + CHUNK, 0x60 + 0x54 + CHUNK] {
        out.extend(u64::try_from(value).unwrap().to_le_bytes());
    }
    out.extend(b"ITSP\x01\0\0\0\x54\0\0\0\x0a\0\0\0");
    out.extend(u32::try_from(CHUNK).unwrap().to_le_bytes());
    out.extend([0; 0x54 - 20]);
    out.extend(b"PMGL");
    let free = CHUNK - 20 - entries.len();
    out.extend(u32::try_from(free).unwrap().to_le_bytes());
    out.extend([0; 12]);
    out.extend(entries);
    out.extend(vec![0; free]);
    out.extend(plain);
    out
}

fn chm_entry(name: &str, section: u8, offset: usize, size: usize, out: &mut Vec<u8>) {
    let number = |number: usize, out: &mut Vec<u8>| {
        out.push(0x80 | u8::try_from(number >> 21 & 0x7f).unwrap());
        out.push(0x80 | u8::try_from(number >> 14 & 0x7f).unwrap());
        out.push(0x80 | u8::try_from(number >> 7 & 0x7f).unwrap());
        out.push(u8::try_from(number & 0x7f).unwrap());
    };
    number(name.len(), out);
    out.extend_from_slice(name.as_bytes());
    out.push(section);
    number(offset, out);
    number(size, out);
}
