//! Images of macOS, and discs that are several file systems at once, as independent programs write them and as code
//! builds them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use sekisho::engine::{Engine, Worker};
use sekisho::model::{Kind, Report};

use crate::bench::{engine, scan};
use crate::build;
use crate::build_images::{MacFile, PACKINGS, Packing, hfs_plus, udif};
use crate::build_squashfs;
use crate::containers::{files, has, holds, ran, written};
use crate::support::Folder;

fn scanned(name: &str, data: &[u8]) -> Report {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    scan(
        &mut Worker::new(ENGINE.get_or_init(engine)),
        name,
        data.to_vec(),
    )
}

fn volume() -> (Vec<u8>, BTreeMap<String, Vec<u8>>) {
    let (program, text) = (build::program(), b"words of a text\n".repeat(400));
    let files = [
        MacFile {
            name: "見積書.exe",
            inside: true,
            data: program.clone(),
            ..MacFile::default()
        },
        MacFile {
            name: "text.txt",
            data: text.clone(),
            ..MacFile::default()
        },
    ];
    let expected = BTreeMap::from([
        ("資料/見積書.exe".to_owned(), program),
        ("text.txt".to_owned(), text),
    ]);
    (hfs_plus(&files), expected)
}

#[test]
fn disk_images_of_macos_are_read_to_the_files() {
    let (volume, files) = volume();
    let report = scanned("volume.img", &volume);
    assert_eq!(report.artifacts[0].kind.as_str(), "hfs");
    holds(&report, "disk-file", &files, "bare");
    for packing in PACKINGS {
        let image = udif(
            &[("MBR", &[1; 512]), ("a (Apple_HFS : 2)", &volume)],
            packing,
            8192,
        );
        let report = scanned("a.dmg", &image);
        assert!(report.artifacts[0].reads_as(Kind::Dmg), "{packing:?}");
        holds(&report, "disk-file", &files, &format!("{packing:?}"));
        // Everything is there but the end of the packed blocks.
        let mut cut = image.clone();
        let blocks = memchr::memmem::find(&cut, b"<?xml").unwrap();
        cut[blocks - 64..blocks].fill(0);
        if matches!(packing, Packing::Zlib | Packing::Bzip2 | Packing::Xz) {
            assert!(
                !scanned("a.dmg", &cut).complete,
                "{packing:?}: damaged blocks"
            );
        }
        assert!(
            !scanned("a.dmg", &image[image.len() / 2..]).complete,
            "{packing:?}: its first half gone"
        );
    }
    let report = scanned("a.dmg", &udif(&[("a", &volume)], Packing::Unknown, 8192));
    assert!(
        has(&report, "unsupported-container"),
        "{:?}",
        report.findings
    );
    let report = scanned(
        "a.dmg",
        &udif(&[("a (Linux)", &[7; 4096])], Packing::Zlib, 4096),
    );
    assert!(
        has(&report, "unsupported-container"),
        "{:?}",
        report.findings
    );
    let mut lying = udif(&[("a", &volume)], Packing::Zlib, 8192);
    let at = lying.len() - 512 + 0xd8;
    lying[at] = 0x7f;
    assert!(!scanned("a.dmg", &lying).complete);
    let report = scanned(
        "a.dmg",
        &udif(&[("a", &vec![1; 96 << 20])], Packing::Bzip2, 1 << 20),
    );
    assert!(has(&report, "archive-bomb"), "{:?}", report.findings);
}

#[test]
fn forks_and_compressed_files_of_macos_are_read() {
    let text = b"words of a text that is long\n".repeat(6000);
    let zlib = |data: &[u8]| {
        let mut encoder =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, data).unwrap();
        encoder.finish().unwrap()
    };
    let head = |method: u32, size: usize| {
        let mut out = b"fpmc".to_vec();
        out.extend(method.to_le_bytes());
        out.extend((size as u64).to_le_bytes());
        out
    };
    let blocks: Vec<Vec<u8>> = text.chunks(65_536).map(zlib).collect();
    let mut table = u32::try_from(blocks.len()).unwrap().to_le_bytes().to_vec();
    let mut at = 4 + 8 * blocks.len();
    for block in &blocks {
        table.extend(
            [at as u32, block.len() as u32]
                .into_iter()
                .flat_map(u32::to_le_bytes),
        );
        at += block.len();
    }
    let mut resource = 256u32.to_be_bytes().to_vec();
    resource.resize(260, 0);
    resource.extend(table);
    resource.extend(blocks.concat());
    let program = build::program();
    let files = [
        MacFile {
            name: "short.txt",
            compression: Some([head(3, 11), zlib(b"hello there")].concat()),
            ..MacFile::default()
        },
        MacFile {
            name: "stored.txt",
            compression: Some([head(3, 5), b"\xffwords".to_vec()].concat()),
            ..MacFile::default()
        },
        MacFile {
            name: "long.txt",
            resource,
            compression: Some(head(4, text.len())),
            ..MacFile::default()
        },
        MacFile {
            name: "fork",
            data: b"x".to_vec(),
            resource: program.clone(),
            ..MacFile::default()
        },
    ];
    let expected = BTreeMap::from([
        ("short.txt".to_owned(), b"hello there".to_vec()),
        ("stored.txt".to_owned(), b"words".to_vec()),
        ("long.txt".to_owned(), text),
    ]);
    let volume = hfs_plus(&files);
    let report = scanned("volume.img", &volume);
    holds(&report, "disk-file", &expected, "compressed");
    let fork = BTreeMap::from([("fork/..namedfork/rsrc".to_owned(), program)]);
    holds(&report, "resource-fork", &fork, "fork");
    let report = scanned("volume.img", &volume[..volume.len() - 9000]);
    assert!(has(&report, "malformed-container"), "{:?}", report.findings);
    let unknown = [MacFile {
        name: "a",
        compression: Some(head(99, 9)),
        ..MacFile::default()
    }];
    let report = scanned("volume.img", &hfs_plus(&unknown));
    assert!(
        has(&report, "unsupported-container"),
        "{:?}",
        report.findings
    );
    let lying = [MacFile {
        name: "a",
        compression: Some([head(3, 1 << 40), zlib(b"hello there")].concat()),
        ..MacFile::default()
    }];
    let report = scanned("volume.img", &hfs_plus(&lying));
    assert!(has(&report, "malformed-container"), "{:?}", report.findings);
}

#[test]
fn hybrid_discs_show_the_files_of_every_file_system() {
    let files = files();
    let folder = written(&files);
    let plus = [
        "-as", "mkisofs", "-quiet", "-hfsplus", "-J", "-R", "-o", "plus.iso", "in",
    ];
    if ran(&folder, "xorriso", &plus) {
        let disc = std::fs::read(folder.path("plus.iso")).unwrap();
        let report = scanned("plus.iso", &disc);
        holds(&report, "disk-file", &files, "HFS+ beside ISO 9660");
        assert!(
            !has(&report, "container-irregular"),
            "{:?}",
            report.findings
        );
        // The volume by itself, bare and packed.
        let start = memchr::memmem::find_iter(&disc, b"H+\0\x04")
            .find(|at| at % 512 == 0)
            .unwrap()
            - 1024;
        let report = scanned("volume.img", &disc[start..]);
        assert_eq!(report.artifacts[0].kind.as_str(), "hfs");
        holds(&report, "disk-file", &files, "HFS+ of xorriso");
        let image = udif(&[("a", &disc[start..])], Packing::Zlib, 262_144);
        holds(
            &scanned("a.dmg", &image),
            "disk-file",
            &files,
            "packed HFS+ of xorriso",
        );
        // Without the descriptors of the disc its map of partitions is left.
        let mut map = disc.clone();
        map[32_768..40_960].fill(0);
        let report = scanned("map.dmg", &map);
        assert_eq!(report.artifacts[0].kind.as_str(), "img");
        // What lies between the partitions is of no known structure.
        assert!(has(&report, "unsupported-container"));
        for (name, data) in &files {
            let file = report.artifacts.iter().find(|one| one.label() == name);
            assert!(file.is_some_and(|one| one.data == data), "{name}");
        }
    }
    let mut ascii = files.clone();
    ascii.retain(|name, _| name.is_ascii());
    ascii.insert("folder/a longer name.exe".to_owned(), build::program());
    let folder = written(&ascii);
    if ran(
        &folder,
        "genisoimage",
        &["-quiet", "-hfs", "-R", "-o", "old.iso", "in"],
    ) {
        let disc = std::fs::read(folder.path("old.iso")).unwrap();
        let report = scanned("old.iso", &disc);
        holds(&report, "disk-file", &ascii, "HFS beside ISO 9660");
        let mut bare = disc;
        bare[32_768..40_960].fill(0);
        let report = scanned("old.img", &bare);
        holds(&report, "disk-file", &ascii, "HFS");
    }
}

/// A volume of FAT with these files; none where the tools are not there.
fn fat_volume() -> Option<(Folder, BTreeMap<String, Vec<u8>>)> {
    let files = BTreeMap::from([
        ("見積書.exe".to_owned(), build::program()),
        ("text.txt".to_owned(), b"words of a text\n".repeat(9000)),
    ]);
    let folder = written(&files);
    std::fs::write(folder.path("volume.img"), vec![0; 8 << 20]).unwrap();
    if !ran(&folder, "mkfs.vfat", &["-F", "12", "volume.img"]) {
        return None;
    }
    for name in files.keys() {
        let copy = ["-i", "volume.img", &format!("in/{name}"), "::/"];
        if !ran(&folder, "mcopy", &copy) {
            return None;
        }
    }
    Some((folder, files))
}

#[test]
fn virtual_disks_of_every_maker_are_read_to_the_files() {
    let Some((folder, files)) = fat_volume() else {
        return;
    };
    for (disk, kind, options) in [
        (
            "two.qcow2",
            "qcow",
            &["-O", "qcow2", "-o", "compat=0.10"][..],
        ),
        ("three.qcow2", "qcow", &["-O", "qcow2"]),
        ("packed.qcow2", "qcow", &["-O", "qcow2", "-c"]),
        (
            "zstd.qcow2",
            "qcow",
            &["-O", "qcow2", "-c", "-o", "compression_type=zstd"],
        ),
        ("one.qcow", "qcow", &["-O", "qcow"]),
        ("a.qed", "qcow", &["-O", "qed"]),
        ("a.vmdk", "vmdk", &["-O", "vmdk"]),
        (
            "stream.vmdk",
            "vmdk",
            &["-O", "vmdk", "-o", "subformat=streamOptimized"],
        ),
        ("a.vdi", "vdi", &["-O", "vdi"]),
        ("a.hds", "vdi", &["-O", "parallels"]),
    ] {
        let arguments = [&["convert"], options, &["volume.img", disk]].concat();
        if !ran(&folder, "qemu-img", &arguments) {
            return;
        }
        let whole = std::fs::read(folder.path(disk)).unwrap();
        let report = scanned(disk, &whole);
        assert_eq!(report.artifacts[0].kind.as_str(), kind, "{disk}");
        holds(&report, "disk-file", &files, disk);
        let report = scanned(disk, &whole[..whole.len() / 2]);
        assert!(!report.complete, "{disk}: {:?}", report.findings);
    }
}

#[test]
fn disks_of_several_files_are_put_together_where_all_of_them_are_there() {
    let Some((folder, files)) = fat_volume() else {
        return;
    };
    for (format, extent) in [
        ("twoGbMaxExtentSparse", "a-s001.vmdk"),
        ("monolithicFlat", "a-flat.vmdk"),
    ] {
        let option = format!("subformat={format}");
        let arguments = [
            "convert",
            "-O",
            "vmdk",
            "-o",
            &option,
            "volume.img",
            "a.vmdk",
        ];
        if !ran(&folder, "qemu-img", &arguments) {
            return;
        }
        let text = std::fs::read(folder.path("a.vmdk")).unwrap();
        let disk = std::fs::read(folder.path(extent)).unwrap();
        let both = build::zip(&[("a.vmdk", &text), (extent, &disk)]);
        holds(&scanned("a.zip", &both), "disk-file", &files, format);
        let report = scanned("a.vmdk", &text);
        assert!(
            has(&report, "unsupported-container"),
            "{:?}",
            report.findings
        );
        let report = scanned(extent, &disk);
        holds(&report, "disk-file", &files, extent);
    }
}

#[test]
fn disks_that_build_on_another_and_locked_ones_are_told() {
    let Some((folder, _)) = fat_volume() else {
        return;
    };
    for (disk, format) in [("b.qcow2", "qcow2"), ("b.vmdk", "vmdk"), ("b.qed", "qed")] {
        let arguments = [
            "create",
            "-f",
            format,
            "-b",
            "volume.img",
            "-F",
            "raw",
            disk,
        ];
        let based: &[&str] = &["convert", "-O", "vmdk", "volume.img", "base.vmdk"];
        let vmdk = [
            "create",
            "-f",
            "vmdk",
            "-b",
            "base.vmdk",
            "-F",
            "vmdk",
            disk,
        ];
        let made = match format {
            "vmdk" => ran(&folder, "qemu-img", based) && ran(&folder, "qemu-img", &vmdk),
            _ => ran(&folder, "qemu-img", &arguments),
        };
        if !made {
            return;
        }
        let report = scanned(disk, &std::fs::read(folder.path(disk)).unwrap());
        assert!(
            has(&report, "unsupported-container"),
            "{disk}: {:?}",
            report.findings
        );
    }
    let arguments = [
        "create",
        "-f",
        "qcow2",
        "--object",
        "secret,id=s,data=secret",
        "-o",
        "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10",
        "l.qcow2",
        "1M",
    ];
    if ran(&folder, "qemu-img", &arguments) {
        let report = scanned("l.qcow2", &std::fs::read(folder.path("l.qcow2")).unwrap());
        assert!(has(&report, "encrypted-archive"), "{:?}", report.findings);
    }
}

#[test]
fn squashfs_of_every_packing_is_read() {
    let files = files();
    let folder = written(&files);
    for packing in ["gzip", "xz", "lz4", "zstd", "lzma", "lzo"] {
        let name = format!("{packing}.sqfs");
        let arguments = ["in", &name, "-comp", packing, "-noappend", "-quiet"];
        if !ran(&folder, "mksquashfs", &arguments) {
            return;
        }
        let image = std::fs::read(folder.path(&name)).unwrap();
        let report = scanned("a.snap", &image);
        assert_eq!(report.artifacts[0].kind.as_str(), "squashfs");
        holds(&report, "disk-file", &files, packing);
        assert!(
            !scanned("a.snap", &image[..image.len() / 2]).complete,
            "{packing}: cut"
        );
        // An application of Linux: a program with a mark, the image behind it.
        let mut program = b"\x7fELF\x02\x01\x01\0AI\x02\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
        program.resize(4096, 0);
        let report = scanned("a.AppImage", &[program, image].concat());
        let inside: Vec<_> = report.artifacts.iter().map(|one| one.label()).collect();
        for name in files.keys() {
            assert!(inside.contains(&name.as_str()), "{packing}: {inside:?}");
        }
    }
}

#[test]
fn squashfs_that_fills_the_memory_ends_early() {
    use build_squashfs::{Packing, image};
    let zeros = vec![0; 96 << 20];
    let whole = image("a", &[("見積書.txt", &zeros)], Packing::Zlib, 0);
    // A megabyte of them in a block each, and nothing at all.
    for data in [whole, image("a", &[], Packing::Stored, 1 << 27)] {
        let report = scanned("a.snap", &data);
        assert!(has(&report, "archive-bomb"), "{:?}", report.findings);
    }
}
