//! What a compound file is by its streams and class id: Word, Excel, PowerPoint, Outlook, an installer …
//!
//! Streams directly below the root decide, so that an embedded document does not speak for the one around it.
//! Only header, FAT and directory are read, and the first bytes of a stream where its name is not enough.

use crate::formats::ole::{Ole, is_compound};
use crate::limits::Budget;
use crate::model::Kind;

use super::Identity;

/// What an ActiveMime file starts with: a compressed compound file, as Word puts it into web archives.
const ACTIVE_MIME: &[u8] = b"ActiveMime";

/// Tells what a compound file is; `None` where there is no compound file header. Also tells ActiveMime.
pub(super) fn identify(data: &[u8], budget: &Budget) -> Option<Identity> {
    if data.starts_with(ACTIVE_MIME) {
        return Some(Identity::certain(Kind::ActiveMime));
    }
    if !is_compound(data) {
        return None;
    }
    let Ok(mut ole) = Ole::open(data, budget) else {
        return Some(Identity::certain(Kind::Ole));
    };
    let mut kinds: Vec<Kind> = kinds(&mut ole);
    let kind = if kinds.is_empty() {
        Kind::Ole
    } else {
        kinds.remove(0)
    };
    Some(Identity {
        kind,
        readings: kinds,
        facts: Vec::new(),
    })
}

/// Root streams that stand for a kind, the ones that leave least doubt first.
const STREAMS: &[(&str, Kind)] = &[
    ("EncryptedPackage", Kind::OoxmlEncrypted),
    ("WordDocument", Kind::Doc),
    ("Workbook", Kind::Xls),
    ("Book", Kind::Xls),
    ("PowerPoint Document", Kind::Ppt),
    ("PP97_DUALSTORAGE", Kind::Ppt),
    ("PP40", Kind::Ppt),
    ("VisioDocument", Kind::Vsd),
    ("Quill", Kind::Pub),
    ("__properties_version1.0", Kind::Msg),
    ("MatOST", Kind::Works),
    ("JSRV_SegmentInformation", Kind::Ichitaro),
];

/// Class ids of the root that stand for a kind, in their byte order in the file.
const CLASSES: &[([u8; 16], Kind)] = &[
    (class(0x000c_1084, 0, 0, OLE), Kind::Msi),
    (class(0x000c_1082, 0, 0, OLE), Kind::Msp),
    (class(0x000c_1086, 0, 0, OLE), Kind::Msp),
    (
        class(
            0x74b7_8f3a,
            0xc8c8,
            0x11d1,
            [0xbe, 0x11, 0x00, 0xc0, 0x4f, 0xb6, 0xfa, 0xf1],
        ),
        Kind::Mpp,
    ),
    (
        class(
            0x28cd_dbc2,
            0x0ae2,
            0x11ce,
            [0xa2, 0x9a, 0x00, 0xaa, 0x00, 0x4a, 0x1a, 0x72],
        ),
        Kind::Works,
    ),
    (
        class(0x0002_1201, 0, 0, [0, 0, 0, 0, 0, 0xc0, 0, 0x46]),
        Kind::Pub,
    ),
    (class(0x0002_0d0b, 0, 0, OLE), Kind::Msg),
];

/// The last eight bytes of the class ids that Microsoft gave out for OLE itself.
const OLE: [u8; 8] = [0xc0, 0, 0, 0, 0, 0, 0, 0x46];

const fn class(a: u32, b: u16, c: u16, d: [u8; 8]) -> [u8; 16] {
    let [a0, a1, a2, a3] = a.to_le_bytes();
    let [b0, b1] = b.to_le_bytes();
    let [c0, c1] = c.to_le_bytes();
    let [d0, d1, d2, d3, d4, d5, d6, d7] = d;
    [
        a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, d2, d3, d4, d5, d6, d7,
    ]
}

/// Every kind that something at the root stands for, the likeliest first.
fn kinds(ole: &mut Ole<'_>) -> Vec<Kind> {
    let root = ole.root();
    let names: Vec<(String, usize)> = ole
        .children(root)
        .chain(ole.children(None))
        .filter_map(|position| {
            let entry = ole.entries().get(position)?;
            Some((entry.name.to_ascii_lowercase(), position))
        })
        .collect();
    let place = |name: &str| {
        let mut named = names.iter();
        let found = named.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, position)| *position)
    };
    let mut kinds: Vec<Kind> = Vec::new();
    let mut add = |kind: Kind| {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    };
    let class = ole.root_clsid().unwrap_or_default();
    let installer = CLASSES.iter().filter(|(id, _)| *id == class);
    installer.for_each(|(_, kind)| add(*kind));
    let word = place("WordDocument");
    let header = place("FileHeader");
    for (name, kind) in STREAMS {
        if place(name).is_some() {
            add(*kind);
        }
    }
    if place("Props").is_some() && names.iter().any(|(name, _)| name.trim().ends_with("114")) {
        add(Kind::Mpp);
    }
    let old_word = word.is_some_and(|word| starts_with(ole, word, &[0xdc, 0xa5]));
    if header.is_some_and(|header| starts_with(ole, header, b"HWP Document File")) {
        add(Kind::Hwp);
    }
    if kinds.is_empty() && (place("VBA").is_some() || place("_VBA_PROJECT").is_some()) {
        kinds.push(Kind::VbaProject);
    }
    if old_word {
        for kind in kinds.iter_mut().filter(|kind| **kind == Kind::Doc) {
            *kind = Kind::OleWord;
        }
    }
    kinds
}

fn starts_with(ole: &mut Ole<'_>, position: usize, bytes: &[u8]) -> bool {
    ole.stream(position)
        .is_ok_and(|stream| stream.data.starts_with(bytes))
}
