//! One table over the containers that can be built here: what is whole comes out under its Japanese name, what is cut
//! or lies about a length is told, and what would fill the memory ends at a limit.

mod bombs;
mod built;
mod written;

use std::io::{Cursor, Write as _};

use bytes::Bytes;
use sevenz_rust2::EncoderMethod;

use crate::formats::{
    ace, alz, arc, asar, binhex, chm, cms, egg, fat, fsshttpb, iscab, iso9660, nsis, ntfs,
    partitions, squashfs, udf, vhd,
};
use crate::identify;
use crate::limits::{Budget, Halt, Limits};
use crate::model::{Artifact, Fact, Kind, Trouble};

use super::tests::pe;
use super::{Keys, Nest, Passwords, Seen, UNPACKERS};

/// Bytes within which a format may not be known yet.
const HEAD: usize = 128;

/// A name in the containers that have one.
const NAME: &str = "見積書.txt";

/// A container around a content, under a name.
pub(super) type Build = fn(&[u8]) -> Vec<u8>;

/// What is in a container at any depth, and what was told.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) kind: Option<Kind>,
    pub(super) artifacts: Vec<Artifact>,
    facts: Vec<Fact>,
    troubles: Vec<Trouble>,
}

impl Tree {
    /// Opens everything as the engine does, without what lies beside.
    pub(super) fn of(data: &[u8], limits: Limits) -> Self {
        let budget = Budget::new(limits, None);
        let identity = identify::identify(data, &budget);
        let mut tree = Self {
            kind: Some(identity.kind),
            ..Self::default()
        };
        tree.artifacts.push(Artifact {
            readings: identity.readings,
            facts: identity.facts,
            ..Artifact::alone(identity.kind, Bytes::copy_from_slice(data))
        });
        let mut seen = Seen::new();
        let given = Passwords::default();
        let mut at = 0;
        while let Some(artifact) = tree.artifacts.get(at).cloned() {
            at += 1;
            let next = u32::try_from(tree.artifacts.len()).unwrap();
            let keys = Keys::new(&tree.artifacts, &artifact, &given);
            let mut nest = Nest::new(&budget, &mut seen, &artifact, next).with_keys(keys);
            let rows = UNPACKERS.iter().filter(|row| {
                row.name != "volumes" && row.kinds.iter().any(|kind| artifact.reads_as(*kind))
            });
            let mut troubles = Vec::new();
            for row in rows {
                troubles.extend((row.run)(&artifact, &mut nest).err());
            }
            let (children, facts) = (nest.children, nest.facts);
            tree.troubles.append(&mut troubles);
            tree.facts.extend(facts);
            tree.facts.extend(artifact.facts.iter().cloned());
            tree.artifacts.extend(children);
        }
        tree
    }

    /// The artifacts with these bytes.
    pub(super) fn holding(&self, content: &[u8]) -> impl Iterator<Item = &Artifact> {
        let inside = self.artifacts.iter().skip(1);
        inside.filter(move |one| one.data == content)
    }

    /// Whether anything says that not all was seen.
    fn is_told(&self) -> bool {
        let is_incomplete = |fact: &Fact| {
            matches!(
                fact,
                Fact::Unread { .. }
                    | Fact::Locked { .. }
                    | Fact::NoReader { .. }
                    | Fact::Limit { .. }
                    | Fact::Crashed { .. }
            )
        };
        !self.troubles.is_empty() || self.facts.iter().any(is_incomplete)
    }

    fn is_halted(&self) -> bool {
        let halted = |fact: &Fact| matches!(fact, Fact::Limit { .. });
        let ended = |trouble: &Trouble| matches!(trouble, Trouble::TooMuch(_));
        self.troubles.iter().any(ended) || self.facts.iter().any(halted)
    }

    pub(super) fn shown(&self) -> String {
        let kinds: Vec<_> = self
            .artifacts
            .iter()
            .map(|one| (one.kind.as_str(), one.label(), one.data.len()))
            .collect();
        format!("{kinds:?} {:?} {:?}", self.facts, self.troubles)
    }
}

/// A text of an odd length that compresses to about half, and starts as a module of a database does.
pub(super) fn content() -> Vec<u8> {
    let words = (0..900u32).map(|at| format!("{} ", at.wrapping_mul(2_654_435_761) >> 18));
    let words = words.collect::<String>();
    let mut out = format!("Attribute VB_Name = \"M\"\r\n' {words}").into_bytes();
    out.truncate(3573);
    out
}

fn shift_jis(text: &str) -> Vec<u8> {
    encoding_rs::SHIFT_JIS.encode(text).0.into_owned()
}

pub(super) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut to = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = ::zip::write::SimpleFileOptions::default();
    for (name, data) in members {
        to.start_file(*name, options).unwrap();
        to.write_all(data).unwrap();
    }
    to.finish().unwrap().into_inner()
}

/// A compound file of one stream beside the one that tells what it is.
pub(super) fn compound(mark: &str, content: &[u8]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    for (path, data) in [(mark, b"\xec\xa5".as_slice()), ("/見積書", content)] {
        file.create_stream(path).unwrap().write_all(data).unwrap();
    }
    file.flush().unwrap();
    file.into_inner().into_inner()
}

fn mail(content: &[u8]) -> Vec<u8> {
    let name = "=?utf-8?B?6KaL56mN5pu4LnR4dA==?=";
    let mut out = format!(
        "From: a@b.example\r\nTo: c@d.example\r\nSubject: s\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/octet-stream; name=\"{name}\"\r\n\
         Content-Disposition: attachment\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    .into_bytes();
    out.extend(content);
    out.extend(b"\r\n--b--\r\n");
    out
}

fn uuencoded(content: &[u8]) -> Vec<u8> {
    let mut out = format!("begin 644 {NAME}\n").into_bytes();
    let sign = |six: u8| if six == 0 { b'`' } else { six + 32 };
    for line in content.chunks(45) {
        out.push(sign(u8::try_from(line.len()).unwrap()));
        for three in line.chunks(3) {
            let mut bytes = [0; 3];
            bytes[..three.len()].copy_from_slice(three);
            let [a, b, c] = bytes;
            out.extend(
                [
                    a >> 2,
                    (a << 4 | b >> 4) & 63,
                    (b << 2 | c >> 6) & 63,
                    c & 63,
                ]
                .map(sign),
            );
        }
        out.push(b'\n');
    }
    out.extend(b"`\nend\n");
    out
}

/// Codes of nine bits and no more.
fn compressed(content: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x9d, 0x09];
    for eight in content.chunks(8) {
        let mut bits = 0u128;
        for (at, byte) in eight.iter().enumerate() {
            bits |= u128::from(*byte) << (9 * at);
        }
        out.extend(&bits.to_le_bytes()[..(9 * eight.len()).div_ceil(8)]);
    }
    out
}

/// A disk of two-megabyte blocks that is as long as what is in it.
fn dynamic_vhd(inside: &[u8]) -> Vec<u8> {
    let mut footer = b"conectix".to_vec();
    footer.resize(16, 0);
    footer.extend(512u64.to_be_bytes());
    footer.resize(60, 0);
    footer.extend(3u32.to_be_bytes());
    footer.resize(512, 0);
    let mut out = footer.clone();
    out.extend(b"cxsparse");
    out.resize(512 + 16, 0);
    out.extend(1536u64.to_be_bytes());
    out.extend([0, 1, 0, 0]);
    out.extend(1u32.to_be_bytes());
    out.extend(0x0020_0000u32.to_be_bytes());
    out.resize(1536, 0);
    out.extend(4u32.to_be_bytes());
    out.resize(2048, 0xff);
    out.resize(2560, 0xff);
    out.extend(inside);
    out.resize(2560 + (2 << 20), 0);
    out.extend(footer);
    out
}

fn le(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_le_bytes()
}

/// A disk of Parallels whose blocks of one sector lie in a row.
fn parallels(inside: &[u8]) -> Vec<u8> {
    let sectors = inside.len().div_ceil(512);
    let table = (64 + 4 * sectors).div_ceil(512);
    let mut out = b"WithoutFreeSpace".to_vec();
    for number in [2, 1, 1, 1, sectors, sectors, 0] {
        out.extend(le(number));
    }
    out.resize(64, 0);
    (0..sectors).for_each(|at| out.extend(le(table + at)));
    out.resize(512 * table, 0);
    out.extend(inside);
    out.resize(512 * (table + sectors), 0);
    out
}

/// A disk of VirtualBox with one block.
fn vdi(inside: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 1 << 20;
    let blocks = inside.len().div_ceil(BLOCK);
    let mut out = b"<<< a disk >>>\n".to_vec();
    out.resize(64, 0);
    for number in [0xbeda_107f_u32, 0x0001_0001, 400, 1] {
        out.extend(number.to_le_bytes());
    }
    out.resize(340, 0);
    out.extend([le(512), le(1024)].concat());
    out.resize(368, 0);
    out.extend(u64::try_from(inside.len()).unwrap().to_le_bytes());
    let numbers = [BLOCK, 0, blocks, blocks];
    numbers.iter().for_each(|number| out.extend(le(*number)));
    out.resize(512, 0);
    (0..blocks).for_each(|at| out.extend(le(at)));
    out.resize(1024, 0);
    out.extend(inside);
    out.resize(1024 + blocks * BLOCK, 0);
    out
}

/// A disk of QEMU with one table of clusters of 64 KiB.
fn qcow(inside: &[u8]) -> Vec<u8> {
    const CLUSTER: usize = 1 << 16;
    let clusters = inside.len().div_ceil(CLUSTER);
    let mut out = b"QFI\xfb\0\0\0\x02".to_vec();
    out.resize(20, 0);
    out.extend(16u32.to_be_bytes());
    out.extend(u64::try_from(inside.len()).unwrap().to_be_bytes());
    out.extend([0; 4]);
    out.extend(1u32.to_be_bytes());
    out.extend(u64::try_from(CLUSTER).unwrap().to_be_bytes());
    out.resize(CLUSTER, 0);
    let marked = |at: usize| (u64::try_from(at * CLUSTER).unwrap() | 1 << 63).to_be_bytes();
    out.extend(marked(2));
    out.resize(2 * CLUSTER, 0);
    (0..clusters).for_each(|at| out.extend(marked(3 + at)));
    out.resize(3 * CLUSTER, 0);
    out.extend(inside);
    out.resize((3 + clusters) * CLUSTER, 0);
    out
}

/// A sparse extent of VMware with grains of 64 KiB.
fn vmdk(inside: &[u8]) -> Vec<u8> {
    const GRAIN: usize = 128;
    let grains = inside.len().div_ceil(GRAIN * 512);
    let mut out = b"KDMV".to_vec();
    for number in [1, 3, grains * GRAIN, 0, GRAIN, 0, 0, 0, 0, 0, 512, 0, 0, 1] {
        out.extend(le(number));
    }
    out.resize(512, 0);
    out.extend(le(2));
    out.resize(1024, 0);
    (0..grains).for_each(|at| out.extend(le(GRAIN * (1 + at))));
    out.resize(GRAIN * 512, 0);
    out.extend(inside);
    out.resize(GRAIN * 512 * (1 + grains), 0);
    out
}

/// The containers.
pub(super) const TABLE: &[(&str, Build)] = &[
    ("rar", |data| super::rar::tests::rar(&[(NAME, data, 0)])),
    ("rar 4", |data| written::rar_4(&shift_jis(NAME), data)),
    ("7z", |data| written::sevenz(data, EncoderMethod::LZMA2)),
    ("7z with PPMd", |data| {
        written::sevenz(data, EncoderMethod::PPMD)
    }),
    ("7z with Zstandard", |data| {
        written::sevenz(data, EncoderMethod::ZSTD)
    }),
    ("7z with names locked", written::locked_sevenz),
    ("zip", |data| zip(&[(NAME, data)])),
    ("zip with a name in Shift_JIS", written::zip_in_shift_jis),
    ("tar", |data| written::tar(NAME.as_bytes(), data)),
    ("tar with a name in Shift_JIS", |data| {
        written::tar(&shift_jis(NAME), data)
    }),
    ("tar with a name in a record", written::pax),
    ("gzip", |data| written::gzip(&shift_jis(NAME), data)),
    ("xar", |data| written::xar(NAME, data)),
    ("yenc", |data| written::yenc(&shift_jis(NAME), data)),
    ("smime compressed", |data| {
        written::compressed_message(&mail(data))
    }),
    ("arj", |data| {
        let header = super::arj::tests::header;
        let name = shift_jis(NAME);
        let main = header(0, 2, 0, b"a.arj", b"", b"");
        [
            main,
            header(0, 0, 0, &name, data, data),
            vec![0x60, 0xea, 0, 0],
        ]
        .concat()
    }),
    ("arc", |data| {
        let codes = arc::tests::with_codes(&arc::tests::with_runs(data));
        let packed = [&[12], codes.as_slice()].concat();
        arc::tests::archive(&[(&shift_jis(NAME), 8, &packed, data)])
    }),
    ("lzh", |data| {
        let member = super::lzh::tests::member(&shift_jis(NAME), data, b"-lh0-");
        [member, vec![0]].concat()
    }),
    ("cab", |data| {
        super::cab::tests::cabinet(&[(&shift_jis(NAME), data)], true)
    }),
    ("cab with Quantum", |data| {
        super::cab::tests::quantum(&shift_jis(NAME), data)
    }),
    ("ace", |data| {
        ace::tests::archive(&[(&shift_jis(NAME), 0, data)])
    }),
    ("cpio of hexadecimal numbers", |data| {
        let newc = super::cpio::tests::newc;
        [newc(NAME, 0o100_644, data), newc("TRAILER!!!", 0, b"")].concat()
    }),
    ("cpio of octal numbers", |data| {
        let odc = super::cpio::tests::odc;
        [odc(NAME, data), odc("TRAILER!!!", b"")].concat()
    }),
    ("ar", |data| {
        let named = [NAME.as_bytes(), data].concat();
        let member = super::ar::tests::member(&format!("#1/{}", NAME.len()), &named);
        [b"!<arch>\n".to_vec(), member].concat()
    }),
    ("alz", |data| {
        let packed = super::hwp::tests::deflated(data);
        alz::tests::archive(&[("資料.txt", 2, &packed, data.len())])
    }),
    ("egg", |data| {
        let packed = super::hwp::tests::deflated(data);
        egg::tests::archive(&[(NAME, 1, &packed, data.len())])
    }),
    ("asar", |data| asar::tests::archive(&[(NAME, data)])),
    ("compiled help", |data| {
        chm::tests::help(&[(&format!("/{NAME}"), data)])
    }),
    ("binhex", |data| {
        binhex::tests::encoded(&shift_jis(NAME), data, b"")
    }),
    ("uuencoded", uuencoded),
    ("compress", compressed),
    ("tnef", |data| {
        use crate::formats::tnef::written;
        super::tnef::tests::file(&[
            written(1, 0x0006_9007, &932u32.to_le_bytes()),
            written(2, 0x0006_9002, &[0; 14]),
            written(2, 0x0001_8010, &shift_jis("見積書.txt\0")),
            written(2, 0x0006_800f, data),
        ])
    }),
    ("msg", |data| {
        use super::msg::tests::{file, fixed, units};
        let at = |name: &str| format!("/__attach_version1.0_#00000000/{name}");
        file(&[
            ("/__properties_version1.0", fixed(32, &[])),
            (
                &at("__properties_version1.0"),
                fixed(8, &[(0x3705_0003, 1)]),
            ),
            (&at("__substg1.0_37010102"), data.to_vec()),
            (&at("__substg1.0_3707001F"), units(NAME)),
        ])
    }),
    ("onenote", |data| fsshttpb::tests::section(NAME, &[data])),
    ("smime", |data| {
        cms::tests::signed(&cms::tests::octets(&mail(data)), false)
    }),
    ("eml", mail),
    ("mbox", |data| {
        [
            b"From a@b.example Mon Nov  2 09:30:00 2026\n".as_slice(),
            &mail(data),
            b"\n",
        ]
        .concat()
    }),
    ("emlx", |data| {
        let mail = mail(data);
        let list = b"<?xml version=\"1.0\"?><plist version=\"1.0\"><dict/></plist>\n";
        [format!("{:<10}\n", mail.len()).as_bytes(), &mail, list].concat()
    }),
    ("iso", |data| iso9660::tests::image((NAME, data), None)),
    ("udf", |data| udf::tests::image(NAME, data)),
    ("fat", |data| fat::tests::volume(NAME, data)),
    ("partitions", |data| {
        partitions::tests::disk(&fat::tests::volume(NAME, data))
    }),
    ("ntfs", |data| ntfs::tests::volume(NAME, data)),
    ("fixed vhd", |data| {
        vhd::tests::fixed(&partitions::tests::disk(&fat::tests::volume(NAME, data)))
    }),
    ("dynamic vhd", |data| {
        dynamic_vhd(&ntfs::tests::volume(NAME, data))
    }),
    ("parallels", |data| {
        parallels(&ntfs::tests::volume(NAME, data))
    }),
    ("vdi", |data| vdi(&fat::tests::volume(NAME, data))),
    ("qcow", |data| qcow(&ntfs::tests::volume(NAME, data))),
    ("vmdk", |data| vmdk(&fat::tests::volume(NAME, data))),
    ("squashfs", |data| {
        let packing = squashfs::build_squashfs::Packing::Zlib;
        squashfs::build_squashfs::image("資料", &[(NAME, data)], packing, 0)
    }),
    ("hwp", |data| {
        let packed = super::hwp::tests::deflated(data);
        super::hwp::tests::file(1, &[("/BinData/見積書.txt", packed)])
    }),
    ("hwpx", |data| {
        zip(&[
            ("mimetype", b"application/hwp+zip"),
            ("BinData/見積書.txt", data),
        ])
    }),
    ("odt", |data| {
        let kind = b"application/vnd.oasis.opendocument.text";
        zip(&[("mimetype", kind), ("Object 1/見積書.txt", data)])
    }),
    ("jar", |data| {
        zip(&[
            ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n"),
            (NAME, data),
        ])
    }),
    ("apk", |data| {
        let manifest = b"\x03\0\x08\0\x08\0\0\0";
        zip(&[
            ("AndroidManifest.xml", manifest),
            ("classes.dex", b"dex\n035\0"),
            (NAME, data),
        ])
    }),
    ("activemime", |data| {
        super::activemime::tests::wrapped(50, &compound("/WordDocument", data))
    }),
    ("publisher", |data| compound("/Quill", data)),
    ("visio", |data| compound("/VisioDocument", data)),
    ("project", |data| compound("/\u{1}CompObj", data)),
    ("nsis", |data| {
        let tables = nsis::tests::header("\\見積書.txt", 0, true);
        [pe(), nsis::tests::installer(&tables, &[data], true)].concat()
    }),
    ("self-extractor", |data| {
        [pe(), super::rar::tests::rar(&[(NAME, data, 0)])].concat()
    }),
    ("7z with Deflate64", |data| {
        super::sevenz::deflate64::tests::packed(data, length(data.len()))
    }),
    ("kwaj", |data| built::kwaj(false, data)),
    ("kwaj with MSZIP", |data| built::kwaj(true, data)),
    ("rpm", |data| built::rpm(NAME, data)),
    ("vhdx", |data| built::vhdx(&fat::tests::volume(NAME, data))),
    ("access", built::access),
    ("msi", |data| {
        super::msi::tests::with_cabinet_of(&super::cab::tests::cabinet(&[(b"F1", data)], true))
    }),
    ("onepkg", built::onepkg),
    ("installshield", |data| {
        let (header, volume) = iscab::tests::cabinet(data, b"words");
        zip(&[("data1.hdr", &header), ("data1.cab", &volume)])
    }),
    ("odt with a password", |data| {
        built::locked_odt("見積書.txt", data)
    }),
];

fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap()
}

#[test]
fn what_is_whole_comes_out_under_its_name() {
    /// These have no name for it that could be Japanese.
    const NAMELESS: &[&str] = &["compress", "access"];
    let content = content();
    let mut wrong = Vec::new();
    for (name, build) in TABLE {
        let tree = Tree::of(&build(&content), Limits::default());
        let named = tree.holding(&content).any(|one| {
            let label = one.label();
            label.contains("見積書") || label.contains("資料") || NAMELESS.contains(name)
        });
        if !named || tree.is_told() {
            wrong.push(format!("{name}: {}", tree.shown()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_cut_is_told() {
    /// In these what is shorter is whole all the same: texts, and streams without an end.
    const ENDLESS: &[&str] = &["eml", "mbox", "uuencoded", "yenc", "compress"];
    /// Of these a page that is not there at all cannot be told.
    const IN_PAGES: &[(&str, usize)] = &[("access", 4096)];
    let content = content();
    let mut wrong = Vec::new();
    for (name, build) in TABLE {
        let whole = build(&content);
        let kind = Tree::of(&whole, Limits::default()).kind;
        let places = (1..20usize).map(|part| whole.len() * part / 20);
        for at in places.chain([whole.len() - 2, whole.len() - 1]) {
            let tree = Tree::of(&whole[..at], Limits::default());
            let silent = !tree.is_told() && tree.holding(&content).next().is_none();
            let head = if whole.starts_with(b"MZ") {
                pe().len()
            } else {
                HEAD
            };
            let pages = IN_PAGES.iter().find(|(paged, _)| paged == name);
            let between = pages.is_some_and(|(_, page)| at.is_multiple_of(*page));
            let silent = silent && !between && !ENDLESS.contains(name);
            if at > head && tree.kind == kind && silent {
                wrong.push(format!(
                    "{name}: cut at {at} of {}: {}",
                    whole.len(),
                    tree.shown()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The forms in which a container may write a length, with a longer one in the same form.
fn lengths(len: usize, longer: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let both = |form: fn(usize) -> Vec<u8>| (form(len), form(longer));
    vec![
        both(|len| u32::try_from(len).unwrap().to_le_bytes().to_vec()),
        both(|len| u32::try_from(len).unwrap().to_be_bytes().to_vec()),
        both(|len| u16::try_from(len).unwrap().to_le_bytes().to_vec()),
        both(|len| u16::try_from(len).unwrap().to_be_bytes().to_vec()),
        both(|len| format!("{len:08X}").into_bytes()),
        both(|len| format!("{len:011o}").into_bytes()),
        both(|len| format!("{len:<10}").into_bytes()),
    ]
}

#[test]
fn a_length_that_lies_hides_nothing_in_silence() {
    let content = content();
    let longer = [content.len() + 1, 60_000].into_iter();
    let lies: Vec<_> = longer
        .flat_map(|longer| lengths(content.len(), longer))
        .collect();
    let mut wrong = Vec::new();
    for (name, build) in TABLE {
        let whole = build(&content);
        let kind = Tree::of(&whole, Limits::default()).kind;
        for (honest, lie) in &lies {
            for at in memchr::memmem::find_iter(&whole, honest) {
                let mut lying = whole.clone();
                lying[at..at + lie.len()].copy_from_slice(lie);
                let tree = Tree::of(&lying, Limits::default());
                // All of it is there, with what lies behind it perhaps.
                let mut inside = tree.artifacts.iter().skip(1);
                let held = inside.any(|one| one.data.starts_with(&content));
                if !tree.is_told() && !held && tree.kind == kind {
                    wrong.push(format!("{name}: at {at}: {}", tree.shown()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn bombs_end_at_a_limit() {
    let mut wrong = Vec::new();
    for (name, data) in bombs::bombs() {
        let tree = Tree::of(&data, Limits::default());
        if !tree.is_halted() {
            wrong.push(format!("{name}: {} bytes: {}", data.len(), tree.shown()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_packs_little_or_shares_its_data_ends_at_the_limit_of_bytes() {
    let limits = Limits {
        max_unpacked: 4 << 20,
        ..Limits::default()
    };
    let mut wrong = Vec::new();
    for (name, data) in bombs::of_little_ratio(12 << 20) {
        let tree = Tree::of(&data, limits.clone());
        let is_damage = |fact: &Fact| matches!(fact, Fact::Unread { .. });
        let is_one = tree.is_halted() && !tree.facts.iter().any(is_damage);
        if !is_one || data.len() > 4 << 20 {
            wrong.push(format!("{name}: {} bytes: {}", data.len(), tree.shown()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn too_many_members_end_at_the_limit_of_artifacts() {
    let limits = Limits {
        max_artifacts: 50,
        ..Limits::default()
    };
    let mut wrong = Vec::new();
    for (name, data) in bombs::of_many(100) {
        let tree = Tree::of(&data, limits.clone());
        let halted = |trouble: &Trouble| matches!(trouble, Trouble::TooMuch(Halt::Artifacts));
        if tree.troubles.len() != 1 || !tree.troubles.iter().all(halted) {
            wrong.push(format!("{name}: {}", tree.shown()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
