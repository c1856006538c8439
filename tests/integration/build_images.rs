//! Images as macOS has them: a volume of HFS+, and what packs partitions.

use std::io::Write as _;

use crate::build_squashfs;

/// Size of a block and of a node.
const BLOCK: usize = 4096;

/// One file of a volume: in the folder `資料` where `inside`.
#[derive(Default, Clone)]
pub(crate) struct MacFile {
    pub(crate) name: &'static str,
    pub(crate) inside: bool,
    pub(crate) data: Vec<u8>,
    pub(crate) resource: Vec<u8>,
    /// The value of `com.apple.decmpfs`.
    pub(crate) compression: Option<Vec<u8>>,
}

/// The folder of a volume.
pub(crate) const FOLDER: &str = "資料";

fn be16(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap().to_be_bytes()
}

fn be32(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_be_bytes()
}

fn be64(number: usize) -> [u8; 8] {
    u64::try_from(number).unwrap().to_be_bytes()
}

fn utf16(name: &str) -> Vec<u8> {
    let units: Vec<u16> = name.encode_utf16().collect();
    let mut out = be16(units.len()).to_vec();
    out.extend(units.into_iter().flat_map(u16::to_be_bytes));
    out
}

fn fork(size: usize, first: usize) -> Vec<u8> {
    let blocks = size.div_ceil(BLOCK);
    let mut out = be64(size).to_vec();
    out.extend(be32(0));
    out.extend(be32(blocks));
    out.extend(be32(first));
    out.extend(be32(blocks));
    out.resize(80, 0);
    out
}

/// A tree of one leaf behind its head.
fn tree(records: &[Vec<u8>]) -> Vec<u8> {
    let node = |kind: u8, height: u8, records: &[Vec<u8>]| {
        let mut node = vec![0; 8];
        node.extend([kind, height]);
        node.extend(be16(records.len()));
        node.extend([0, 0]);
        let mut ends = Vec::new();
        for record in records {
            ends.push(node.len());
            node.extend(record);
        }
        ends.push(node.len());
        assert!(
            node.len() + 2 * ends.len() <= BLOCK,
            "one leaf holds no more"
        );
        node.resize(BLOCK, 0);
        for (number, at) in ends.iter().enumerate() {
            let place = BLOCK - 2 * (number + 1);
            node[place..place + 2].copy_from_slice(&be16(*at));
        }
        node
    };
    let mut head = [
        be16(1).to_vec(),
        be32(1).to_vec(),
        be32(records.len()).to_vec(),
    ]
    .concat();
    head.extend([be32(1), be32(1)].concat());
    head.extend(be16(BLOCK));
    head.resize(106, 0);
    [node(1, 0, &[head]), node(0xff, 1, records)].concat()
}

/// A volume.
pub(crate) fn hfs_plus(files: &[MacFile]) -> Vec<u8> {
    const FIRST: usize = 8;
    let mut content = Vec::new();
    let mut place = |data: &[u8]| {
        let first = FIRST + content.len() / BLOCK;
        content.extend_from_slice(data);
        content.resize(content.len().next_multiple_of(BLOCK), 0);
        fork(data.len(), first)
    };
    let key = |parent: usize, name: &str| {
        let key = [be32(parent).to_vec(), utf16(name)].concat();
        [be16(key.len()).to_vec(), key].concat()
    };
    let mut folder = [be16(1), be16(0)].concat();
    folder.extend([be32(files.len()), be32(16)].concat());
    folder.resize(88, 0);
    let mut records = vec![[key(2, FOLDER), folder].concat()];
    let mut attributes = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let id = 20 + number;
        let mut record = [be16(2).to_vec(), vec![0; 6], be32(id).to_vec()].concat();
        record.resize(88, 0);
        record.extend(place(&file.data));
        record.extend(place(&file.resource));
        let parent = if file.inside { 16 } else { 2 };
        records.push([key(parent, file.name), record].concat());
        if let Some(value) = &file.compression {
            let mut key = [be16(0).to_vec(), be32(id).to_vec(), be32(0).to_vec()].concat();
            key.extend(utf16("com.apple.decmpfs"));
            let mut record = [be16(key.len()).to_vec(), key, be32(0x10).to_vec()].concat();
            record.extend([[0; 4], [0; 4], be32(value.len())].concat());
            record.extend(value);
            attributes.push(record);
        }
    }
    let (catalog, attributes) = (tree(&records), tree(&attributes));
    let mut out = vec![0; 1024];
    out.extend(b"H+\0\x04");
    out.resize(1024 + 40, 0);
    out.extend(be32(BLOCK));
    out.extend(be32(FIRST + content.len() / BLOCK));
    out.resize(1024 + 192, 0);
    out.extend(fork(0, 0));
    out.extend(fork(catalog.len(), 1));
    out.extend(fork(attributes.len(), 3));
    out.resize(BLOCK, 0);
    out.extend(catalog);
    out.extend(attributes);
    out.resize(FIRST * BLOCK, 0);
    out.extend(content);
    out
}

/// A small one of each, for mutations.
pub(crate) fn all() -> Vec<Vec<u8>> {
    use build_squashfs::Packing as Blocks;
    let head = b"fpmc\x03\0\0\0\x05\0\0\0\0\0\0\0\xffwords";
    let file = MacFile {
        name: "a.txt",
        inside: true,
        data: b"content".to_vec(),
        resource: b"fork".to_vec(),
        compression: Some(head.to_vec()),
    };
    let volume = hfs_plus(&[file]);
    let mut all = vec![volume.clone()];
    for packing in [Blocks::Zlib, Blocks::Stored, Blocks::Lz4] {
        let files = [("a.txt", b"content".as_slice()), ("b.txt", &[7; 200_000])];
        all.push(build_squashfs::image("a", &files, packing, 200_000));
    }
    all.extend(PACKINGS.map(|packing| udif(&[("a", &volume)], packing, 8192)));
    all
}

/// How blocks are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Stored,
    Adc,
    Zlib,
    Bzip2,
    Lzfse,
    Xz,
    Unknown,
}

/// Every way that is known.
pub(crate) const PACKINGS: [Packing; 6] = [
    Packing::Lzfse,
    Packing::Stored,
    Packing::Adc,
    Packing::Zlib,
    Packing::Bzip2,
    Packing::Xz,
];

fn packed(packing: Packing, data: &[u8]) -> (u32, Vec<u8>) {
    match packing {
        Packing::Stored => (1, data.to_vec()),
        Packing::Adc => {
            let literals = data
                .chunks(128)
                .map(|chunk| [&[0x7f + u8::try_from(chunk.len()).unwrap()], chunk].concat());
            (0x8000_0004, literals.collect::<Vec<_>>().concat())
        }
        Packing::Zlib => {
            let mut encoder =
                flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(data).unwrap();
            (0x8000_0005, encoder.finish().unwrap())
        }
        Packing::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(data).unwrap();
            (0x8000_0006, encoder.finish().unwrap())
        }
        Packing::Lzfse => {
            let len = u32::try_from(data.len()).unwrap().to_le_bytes();
            (
                0x8000_0007,
                [b"bvx-".as_slice(), &len, data, b"bvx$"].concat(),
            )
        }
        Packing::Unknown => (0x8000_0010, data.to_vec()),
        Packing::Xz => {
            let options = lzma_rust2::XzOptions::with_preset(1);
            let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            writer.write_all(data).unwrap();
            (0x8000_0008, writer.finish().unwrap())
        }
    }
}

/// A disk image of partitions, packed in chunks of `chunk` bytes; a chunk that is as the one before it shares its data.
pub(crate) fn udif(parts: &[(&str, &[u8])], packing: Packing, chunk: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut list = "<?xml version=\"1.0\"?><!DOCTYPE plist><plist version=\"1.0\"><dict><key>resource-fork</key>\
                    <dict><key>blkx</key><array>"
        .to_owned();
    for (name, data) in parts {
        let mut entries: Vec<(u32, [usize; 4])> = Vec::new();
        let mut before: &[u8] = &[];
        for (number, part) in data.chunks(chunk).enumerate() {
            let same = entries.last().copied().filter(|_| part == before);
            if let Some((method, [_, sectors, at, len])) = same {
                entries.push((method, [number * chunk / 512, sectors, at, len]));
                continue;
            }
            before = part;
            let (method, bytes) = match part.iter().all(|byte| *byte == 0) {
                true => (2, Vec::new()),
                false => packed(packing, part),
            };
            let entry = [
                number * chunk / 512,
                part.len().div_ceil(512),
                out.len(),
                bytes.len(),
            ];
            entries.push((method, entry));
            out.extend(bytes);
        }
        let mut table = b"mish".to_vec();
        table.resize(200, 0);
        table.extend(be32(entries.len() + 1));
        for (method, entry) in entries {
            table.extend(u32::to_be_bytes(method));
            table.extend([0; 4]);
            table.extend(entry.iter().flat_map(|field| be64(*field)));
        }
        table.extend(u32::to_be_bytes(0xffff_ffff));
        table.resize(table.len() + 36, 0);
        let encoded = String::from_utf8(crate::build::base64(&table)).unwrap();
        list.push_str(&format!(
            "<dict><key>CFName</key><string>{name}</string><key>Data</key><data>\n{encoded}\n</data>\
             <key>Name</key><string>{name}</string></dict>"
        ));
    }
    list.push_str("</array></dict></dict></plist>");
    let mut trailer = b"koly".to_vec();
    trailer.extend([be32(4), be32(512), be32(1)].concat());
    trailer.resize(0x20, 0);
    trailer.extend(be64(out.len()));
    trailer.resize(0x3c, 0);
    trailer.extend(be32(1));
    trailer.resize(0xd8, 0);
    trailer.extend([be64(out.len()), be64(list.len())].concat());
    trailer.resize(512, 0);
    [out, list.into_bytes(), trailer].concat()
}
