//! What would fill the memory, in every container that packs, shares its data or holds many members.

use sevenz_rust2::EncoderMethod;

use crate::formats::{ace, alz, arc, binhex, egg, fat, iscab, iso9660, nsis, ntfs, squashfs, udf};
use crate::unpack;

use super::{built, dynamic_vhd, le, mail, pe, qcow, vdi, written, zip};

/// Bytes that the bombs come to.
const SIZE: usize = 96 << 20;

/// So many bytes out of next to nothing, in every container that packs or shares and can be built here.
pub(super) fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    [packing(), archives(), sharing()].concat()
}

fn packing() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = vec![0; SIZE];
    let deflated = unpack::hwp::tests::deflated(&zeros);
    let packing = squashfs::build_squashfs::Packing::Zlib;
    let holes = u32::try_from(SIZE).unwrap();
    let quantum = unpack::cab::tests::quantum(b"a", &zeros[..36 << 20]);
    vec![
        ("arc", arc::tests::bomb()),
        ("cab with Quantum", quantum.clone()),
        ("alz", alz::tests::archive(&[("a", 2, &deflated, SIZE)])),
        ("egg", egg::tests::archive(&[("a", 1, &deflated, SIZE)])),
        (
            "squashfs",
            squashfs::build_squashfs::image("a", &[("b", &zeros)], packing, 0),
        ),
        (
            "squashfs of holes",
            squashfs::build_squashfs::image("a", &[], packing, holes),
        ),
        (
            "hwp",
            unpack::hwp::tests::file(1, &[("/BinData/a.txt", deflated.clone())]),
        ),
        ("activemime", unpack::activemime::tests::wrapped(50, &zeros)),
        (
            "hwpx",
            zip(&[("mimetype", b"application/hwp+zip"), ("BinData/a", &zeros)]),
        ),
        (
            "odt",
            zip(&[
                ("mimetype", b"application/vnd.oasis.opendocument.text"),
                ("a", &zeros),
            ]),
        ),
        (
            "jar",
            zip(&[
                ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n"),
                ("a", &zeros),
            ]),
        ),
        ("installshield", {
            let (header, volume) = iscab::tests::cabinet(&zeros, b"");
            zip(&[("data1.hdr", &header), ("data1.cab", &volume)])
        }),
        ("nsis", {
            let tables = nsis::tests::header("\\a", 0, true);
            [pe(), nsis::tests::installer(&tables, &[&zeros], true)].concat()
        }),
        ("self-extractor", [pe(), zip(&[("a", &zeros)])].concat()),
        ("ntfs", ntfs::tests::sparse(SIZE)),
        (
            "7z with Deflate64",
            unpack::sevenz::deflate64::tests::bomb(),
        ),
        ("kwaj with MSZIP", built::kwaj(true, &zeros)),
        ("rpm", built::rpm("a", &zeros)),
        ("vhdx", built::vhdx_bomb()),
        ("access", built::access_bomb()),
        ("msi", unpack::msi::tests::with_cabinet_of(&quantum)),
        (
            "onepkg",
            unpack::cab::tests::cabinet_of_zeros(b"a.one", 3072),
        ),
        ("odt with a password", built::locked_odt("a", &zeros)),
        ("compress", built::compress_bomb(SIZE)),
    ]
}

/// The same in archives that many programs write.
fn archives() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = vec![0; SIZE];
    let packed = written::matches(SIZE);
    vec![
        ("lzh", {
            let mut archive = unpack::lzh::tests::member(b"a", &packed, b"-lh7-");
            // The size of the content, and the sum over the header.
            archive[11..15].copy_from_slice(&le(SIZE));
            let body = archive[2..2 + usize::from(archive[0])].iter();
            archive[1] = body.fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
            archive.push(0);
            archive
        }),
        ("arj", {
            let header = unpack::arj::tests::header;
            let main = header(0, 2, 0, b"a.arj", b"", b"");
            let member = header(1, 0, 0, b"a", &packed, &zeros);
            [main, member, vec![0x60, 0xea, 0, 0]].concat()
        }),
        ("7z", written::sevenz(&zeros, EncoderMethod::LZMA2)),
        ("7z with PPMd", written::sevenz(&zeros, EncoderMethod::PPMD)),
        (
            "7z with Zstandard",
            written::sevenz(&zeros, EncoderMethod::ZSTD),
        ),
        ("zip", zip(&[("a", &zeros)])),
        (
            "zip of one member many times",
            written::zip_of_one(&[], 2000, &zeros[..1 << 20]),
        ),
        ("gzip", written::gzip(b"a", &zeros)),
        ("xar", written::xar("a", &zeros)),
        (
            "smime compressed",
            written::compressed_message(&mail(&zeros)),
        ),
    ]
}

/// The same where one piece of data is that of many files or blocks.
fn sharing() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("iso of one extent", {
            let file = vec![7; 24 << 20];
            let mut disc = iso9660::tests::image(("a", &file), None);
            // Files of the same bytes are one: each is a sector shorter than the last.
            let folder = &mut disc[20 * 2048..21 * 2048];
            let first = usize::from(folder[0]) + usize::from(folder[34]);
            let record = folder[first..first + usize::from(folder[first])].to_vec();
            let mut at = first;
            for less in 0..12u32 {
                let len = (24u32 << 20) - less * 2048;
                folder[at..at + record.len()].copy_from_slice(&record);
                folder[at + 10..at + 14].copy_from_slice(&len.to_le_bytes());
                at += record.len();
            }
            disc
        }),
        ("fat of one chain", {
            let mut volume = fat::tests::volume("a", &[7; 400_000]);
            let name = memchr::memmem::find(&volume, b"LONGNA~1EXE").unwrap();
            let entry = volume[name..name + 32].to_vec();
            let free = name + 64;
            for at in 0..12 {
                let place = free + 32 * at;
                volume[place..place + 32].copy_from_slice(&entry);
                volume[place] = b'A' + u8::try_from(at).unwrap();
            }
            volume
        }),
        ("udf of one extent", {
            let names: Vec<String> = (0..30).map(|at| format!("file {at}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            udf::tests::image_of(&names, &[7; 400_000])
        }),
        ("qcow of one cluster", {
            let mut disk = qcow(&[7; 1 << 16]);
            disk[24..32].copy_from_slice(&(8192u64 << 16).to_be_bytes());
            let entry = disk[2 << 16..][..8].to_vec();
            disk[2 << 16..3 << 16].copy_from_slice(&entry.repeat(8192));
            disk
        }),
        ("qcow of one packed cluster", {
            let mut disk = qcow(&[7; 1 << 16]);
            disk[24..32].copy_from_slice(&(8192u64 << 16).to_be_bytes());
            let entry = 1u64 << 62 | 3 << 16;
            disk[2 << 16..3 << 16].copy_from_slice(&entry.to_be_bytes().repeat(8192));
            let packed = unpack::hwp::tests::deflated(&[7; 1 << 16]);
            disk[3 << 16..][..packed.len()].copy_from_slice(&packed);
            disk
        }),
        ("vdi of one block", {
            let mut disk = vdi(&[7; 1 << 20]);
            disk[368..376].copy_from_slice(&(128u64 << 20).to_le_bytes());
            disk[384..392].copy_from_slice(&[le(128), le(128)].concat());
            disk[512..1024].fill(0);
            disk
        }),
        ("dynamic vhd of one block", {
            let mut disk = dynamic_vhd(&[7; 2 << 20]);
            disk[512 + 28..512 + 32].copy_from_slice(&256u32.to_be_bytes());
            disk[1536..2560].copy_from_slice(&4u32.to_be_bytes().repeat(256));
            disk
        }),
        ("asar of one file", written::asar_of_one(200, 1 << 20)),
        ("jar of one member", {
            let manifest: (&str, &[u8]) = ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n");
            written::zip_of_one(&[manifest], 400, &[7; 1 << 20])
        }),
        ("apk of one member", {
            let manifest: (&str, &[u8]) = ("AndroidManifest.xml", b"\x03\0\x08\0\x08\0\0\0");
            let code: (&str, &[u8]) = ("classes.dex", b"dex\n035\0");
            written::zip_of_one(&[manifest, code], 400, &[7; 1 << 20])
        }),
        ("installshield of one file", {
            let (header, volume) = iscab::tests::copies(&[7; 1 << 20], 400);
            zip(&[("data1.hdr", &header), ("data1.cab", &volume)])
        }),
        ("msi of one script", {
            unpack::msi::tests::of_one_script("a=1;", 5_000)
        }),
    ]
}

/// What comes to so many bytes, of which none packs as much as bombs do.
pub(super) fn of_little_ratio(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let zeros = vec![0; size];
    let megabyte = vec![7; 1 << 20];
    vec![
        ("binhex", binhex::tests::encoded(b"a", &zeros, b"")),
        ("arj of the fastest method", {
            let header = unpack::arj::tests::header;
            let main = header(0, 2, 0, b"a.arj", b"", b"");
            let member = header(4, 0, 0, b"a", &written::fastest(size), &zeros);
            [main, member, vec![0x60, 0xea, 0, 0]].concat()
        }),
        (
            "rar of copies",
            unpack::rar::tests::copies(&megabyte, size >> 20),
        ),
        ("tnef with a packed body", {
            use crate::formats::tnef::written;
            let body = unpack::tnef::tests::list(&[(0x1009, 0x102, written::rich(size))]);
            unpack::tnef::tests::file(&[written(1, 0x0006_9003, &body)])
        }),
        ("msg with a packed body", {
            use unpack::msg::tests::{file, fixed};
            file(&[
                ("/__properties_version1.0", fixed(32, &[])),
                ("/__substg1.0_10090102", written::rich(size)),
            ])
        }),
        ("msg of one attachment", written::msg_of_one(size)),
    ]
}

/// Members of some bytes, so many of them, in containers that pack nothing.
pub(super) fn of_many(count: usize) -> Vec<(&'static str, Vec<u8>)> {
    use crate::formats::tnef::written;
    let member = unpack::ar::tests::member("a", b"x");
    let newc = unpack::cpio::tests::newc;
    vec![
        (
            "ace",
            ace::tests::archive(&vec![(b"a".as_slice(), 0, b"x".as_slice()); count]),
        ),
        ("tnef", {
            let attachments = (0..count).flat_map(|at| {
                [
                    written(2, 0x0006_9002, &[0; 14]),
                    written(2, 0x0006_800f, &le(at)),
                ]
            });
            unpack::tnef::tests::file(&attachments.collect::<Vec<_>>())
        }),
        ("ar", [b"!<arch>\n".to_vec(), member.repeat(count)].concat()),
        ("cpio", newc("a", 0o100_644, b"x").repeat(count)),
        ("tar", written::tar(b"a", b"x")[..1024].repeat(count)),
        ("asar", written::asar_of_one(count, 1)),
    ]
}
