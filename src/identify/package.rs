//! What a zip is by its members: Office Open XML by main content type, OpenDocument, Java, Android, or just a zip.

use crate::bytes::slice;
use crate::formats::opc::{self, ContentTypes, Relationships};
use crate::formats::zip::{self, Archive, Member};
use crate::limits::{Account, Budget, Halt, Metered};
use crate::model::Kind;

use super::Identity;

/// A part that tells what a package is, read so far: longer ones exist in packages of very many parts only.
const PART: u64 = 8 << 20;

/// How far into a file without end record the first local header is looked for: a damaged document behind some junk,
/// which Word repairs. A whole archive behind something longer has its end record.
const JUNK: usize = 64 * 1024;

/// Media types of main parts, lower case (ECMA-376 part 1, 11.3; [MS-OFFMACRO2] 2.2; [MS-VSDX] 2.2; the last for XPS and
/// OpenXPS).
const MAIN_PARTS: &[(&str, Kind)] = &[
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
        Kind::Docx,
    ),
    (
        "application/vnd.ms-word.document.macroenabled.main+xml",
        Kind::Docm,
    ),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
        Kind::Dotx,
    ),
    (
        "application/vnd.ms-word.template.macroenabledtemplate.main+xml",
        Kind::Dotm,
    ),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
        Kind::Xlsx,
    ),
    (
        "application/vnd.ms-excel.sheet.macroenabled.main+xml",
        Kind::Xlsm,
    ),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml",
        Kind::Xltx,
    ),
    (
        "application/vnd.ms-excel.template.macroenabled.main+xml",
        Kind::Xltm,
    ),
    (
        "application/vnd.ms-excel.addin.macroenabled.main+xml",
        Kind::Xlam,
    ),
    (
        "application/vnd.ms-excel.sheet.binary.macroenabled.main",
        Kind::Xlsb,
    ),
    (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
        Kind::Pptx,
    ),
    (
        "application/vnd.ms-powerpoint.presentation.macroenabled.main+xml",
        Kind::Pptm,
    ),
    (
        "application/vnd.openxmlformats-officedocument.presentationml.template.main+xml",
        Kind::Potx,
    ),
    (
        "application/vnd.ms-powerpoint.template.macroenabled.main+xml",
        Kind::Potm,
    ),
    (
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml",
        Kind::Ppsx,
    ),
    (
        "application/vnd.ms-powerpoint.slideshow.macroenabled.main+xml",
        Kind::Ppsm,
    ),
    (
        "application/vnd.ms-powerpoint.addin.macroenabled.main+xml",
        Kind::Ppam,
    ),
    (
        "application/vnd.openxmlformats-officedocument.presentationml.slide.main+xml",
        Kind::Sldx,
    ),
    (
        "application/vnd.ms-powerpoint.slide.macroenabled.main+xml",
        Kind::Sldm,
    ),
    (
        "application/vnd.openxmlformats-officedocument.thememanager+xml",
        Kind::Thmx,
    ),
    ("application/vnd.ms-visio.drawing.main+xml", Kind::Vsdx),
    (
        "application/vnd.ms-visio.drawing.macroenabled.main+xml",
        Kind::Vsdm,
    ),
    ("application/vnd.ms-visio.stencil.main+xml", Kind::Vssx),
    (
        "application/vnd.ms-visio.stencil.macroenabled.main+xml",
        Kind::Vssm,
    ),
    ("application/vnd.ms-visio.template.main+xml", Kind::Vstx),
    (
        "application/vnd.ms-visio.template.macroenabled.main+xml",
        Kind::Vstm,
    ),
    (
        "application/vnd.ms-package.xps-fixeddocumentsequence+xml",
        Kind::Xps,
    ),
    (
        "application/vnd.ms-package.oxps-fixeddocumentsequence+xml",
        Kind::Xps,
    ),
];

/// Media types of whole packages that say so in a `mimetype` member or a manifest (OpenDocument 1.3 part 2, 2.2.4 and
/// 4.8; OCF 3.3, 4.2; KS X 6101). Types that start with the OpenDocument prefix and are not listed are [`Kind::Odf`].
const PACKAGES: &[(&str, Kind)] = &[
    ("application/vnd.oasis.opendocument.text", Kind::Odt),
    (
        "application/vnd.oasis.opendocument.text-template",
        Kind::Ott,
    ),
    ("application/vnd.oasis.opendocument.spreadsheet", Kind::Ods),
    (
        "application/vnd.oasis.opendocument.spreadsheet-template",
        Kind::Ots,
    ),
    ("application/vnd.oasis.opendocument.presentation", Kind::Odp),
    ("application/vnd.oasis.opendocument.graphics", Kind::Odg),
    ("application/epub+zip", Kind::Epub),
    ("application/hwp+zip", Kind::Hwpx),
];

/// Prefixes of the media types of OpenDocument and of its forerunner.
const OPEN_DOCUMENT: [&str; 2] = [
    "application/vnd.oasis.opendocument.",
    "application/vnd.sun.xml.",
];

/// Main parts by their usual names, for packages whose content types are lost.
const USUAL_NAMES: &[(&[u8], Kind, Kind)] = &[
    (b"word/document.xml", Kind::Docx, Kind::Docm),
    (b"xl/workbook.xml", Kind::Xlsx, Kind::Xlsm),
    (b"xl/workbook.bin", Kind::Xlsb, Kind::Xlsb),
    (b"ppt/presentation.xml", Kind::Pptx, Kind::Pptm),
    (b"visio/document.xml", Kind::Vsdx, Kind::Vsdm),
];

/// Tells what a zip is; `None` where there is no zip structure at all. Offset 0 need not be its start.
pub(super) fn identify(data: &[u8], budget: &Budget) -> Option<Identity> {
    if starts_as_zip(data) {
        return walked(data, budget);
    }
    if let Some((_, identity)) = appended(data, budget) {
        return Some(identity);
    }
    let head = data.get(..JUNK).unwrap_or(data);
    let local = memchr::memmem::find_iter(head, b"PK\x03\x04").any(|at| zip::is_local(data, at));
    if local || zip::ends_as_zip(data) {
        return walked(data, budget);
    }
    None
}

/// Offset and identity of a zip that ends where `data` ends, or nearly: behind a picture, a program, a PDF.
pub(super) fn appended(data: &[u8], budget: &Budget) -> Option<(usize, Identity)> {
    let start = zip::appended(data, budget).ok()??;
    walked(data, budget).map(|identity| (start, identity))
}

/// Whether the first bytes are a local header, the end record of an empty archive or the mark of a spanned one.
fn starts_as_zip(data: &[u8]) -> bool {
    match slice(data, 0, 4) {
        Some(b"PK\x03\x04" | b"PK\x05\x06") => true,
        Some(b"PK\x07\x08" | b"PK00") => slice(data, 4, 4) == Some(b"PK\x03\x04"),
        _ => false,
    }
}

fn walked(data: &[u8], budget: &Budget) -> Option<Identity> {
    // A walk that met a limit is still of a zip: the unpacker meets the limit again and says so.
    let kinds = match zip::walk(data, budget) {
        Ok(None) => return None,
        Ok(Some(archive)) => kinds(data, &archive, budget).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let mut kinds = kinds.into_iter();
    Some(Identity {
        kind: kinds.next().unwrap_or(Kind::Zip),
        readings: kinds.collect(),
        facts: Vec::new(),
    })
}

/// The members that tell what a package is.
#[derive(Debug, Default)]
struct Tell<'m, 'a> {
    content_types: Vec<&'m Member<'a>>,
    relationships: Vec<&'m Member<'a>>,
    mimetype: Option<&'m Member<'a>>,
    manifest: Option<&'m Member<'a>>,
    usual: Option<(Kind, Kind)>,
    macros: bool,
    epub: bool,
    hwpx: bool,
    jar: bool,
    android: bool,
    dex: bool,
    appx: bool,
    extension: bool,
}

impl<'m, 'a> Tell<'m, 'a> {
    fn of(archive: &'m Archive<'a>) -> Self {
        /// Names longer than every name of interest are not looked at.
        const LONGEST: usize = 48;
        let mut tell = Self::default();
        for member in &archive.members {
            let views = member.central.iter().chain(&member.local);
            let mut last: &[u8] = b"";
            for view in views.filter(|view| view.name.len() <= LONGEST) {
                if view.name != last {
                    tell.see(&plain(view.name), member);
                }
                last = view.name;
            }
        }
        tell
    }

    fn see(&mut self, name: &[u8], member: &'m Member<'a>) {
        match name {
            b"[content_types].xml" => self.content_types.push(member),
            b"_rels/.rels" => self.relationships.push(member),
            b"mimetype" => self.mimetype = self.mimetype.or(Some(member)),
            b"meta-inf/manifest.xml" => self.manifest = self.manifest.or(Some(member)),
            b"meta-inf/container.xml" => self.epub = true,
            b"contents/content.hpf" => self.hwpx = true,
            b"meta-inf/manifest.mf" => self.jar = true,
            b"androidmanifest.xml" => self.android = true,
            b"classes.dex" | b"resources.arsc" => self.dex = true,
            b"appxmanifest.xml" | b"appxmetadata/appxbundlemanifest.xml" => self.appx = true,
            b"install.rdf" | b"meta-inf/mozilla.rsa" | b"meta-inf/cose.sig" => {
                self.extension = true;
            }
            name => {
                self.macros |= name.ends_with(b"vbaproject.bin");
                let usual = USUAL_NAMES.iter().find(|(usual, ..)| *usual == name);
                self.usual = self
                    .usual
                    .or(usual.map(|(_, plain, macros)| (*plain, *macros)));
            }
        }
    }
}

/// A name as it is compared: lower case, slashes forward and none in front.
fn plain(name: &[u8]) -> Vec<u8> {
    let mut name = name.to_ascii_lowercase();
    for byte in &mut name {
        if *byte == b'\\' {
            *byte = b'/';
        }
    }
    match name.strip_prefix(b"/") {
        Some(rest) => rest.to_vec(),
        None => name,
    }
}

/// Every kind that the members speak for, the likeliest first.
fn kinds(data: &[u8], archive: &Archive<'_>, budget: &Budget) -> Result<Vec<Kind>, Halt> {
    let tell = Tell::of(archive);
    let mut kinds: Vec<Kind> = Vec::new();
    let mut add = |kind: Kind| {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    };
    if tell.appx {
        add(Kind::Appx);
    }
    office(data, &tell, budget)?.into_iter().for_each(&mut add);
    if let Some(kind) = declared(data, &tell, budget) {
        add(kind);
    }
    if tell.epub {
        add(Kind::Epub);
    }
    if tell.hwpx {
        add(Kind::Hwpx);
    }
    match (tell.android && tell.dex, tell.extension, tell.jar) {
        (true, ..) => add(Kind::Apk),
        (_, true, _) => add(Kind::Xpi),
        (_, _, true) => add(Kind::Jar),
        _ => {}
    }
    Ok(kinds)
}

/// The kinds of Office Open XML that the main parts of a package are.
fn office(data: &[u8], tell: &Tell<'_, '_>, budget: &Budget) -> Result<Vec<Kind>, Halt> {
    /// Members of one name read at the most; an honest package has one.
    const SAME_NAME: usize = 4;
    let mut found = Vec::new();
    let mut typed = false;
    for member in tell.content_types.iter().take(SAME_NAME) {
        let xml = part(data, member, budget);
        let types = ContentTypes::read(&xml, budget)?;
        typed |= !types.defaults.is_empty() || !types.overrides.is_empty();
        let mut kinds = Vec::new();
        for member in tell.relationships.iter().take(SAME_NAME) {
            let relations = Relationships::read(&part(data, member, budget), budget)?;
            let (mains, others): (Vec<_>, Vec<_>) = relations
                .list
                .iter()
                .partition(|relation| relation.kind_name() == "officeDocument");
            let targets = mains.into_iter().chain(others);
            let parts = targets.map(|relation| opc::resolve("/", &relation.target));
            kinds.extend(parts.filter_map(|part| types.of(&part).and_then(main_part)));
        }
        if kinds.is_empty() {
            kinds.extend(
                types
                    .overrides
                    .values()
                    .filter_map(|media| main_part(media)),
            );
        }
        found.extend(kinds);
    }
    if found.is_empty() {
        match tell.usual {
            Some((plain, macros)) => found.push(if tell.macros { macros } else { plain }),
            None if typed && !tell.appx => found.push(Kind::Ooxml),
            None => {}
        }
    }
    Ok(found)
}

fn main_part(media_type: &str) -> Option<Kind> {
    lookup(MAIN_PARTS, media_type)
}

fn lookup(table: &[(&str, Kind)], media_type: &str) -> Option<Kind> {
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    table
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(media_type))
        .map(|(_, kind)| *kind)
}

/// The kind that a package states in its `mimetype` member or its manifest.
fn declared(data: &[u8], tell: &Tell<'_, '_>, budget: &Budget) -> Option<Kind> {
    let of = |media_type: &str| {
        let open = OPEN_DOCUMENT
            .iter()
            .any(|prefix| media_type.trim().starts_with(prefix));
        lookup(PACKAGES, media_type).or(open.then_some(Kind::Odf))
    };
    if let Some(member) = tell.mimetype
        && let Some(kind) = of(&String::from_utf8_lossy(&part(data, member, budget)))
    {
        return Some(kind);
    }
    let manifest = part(data, tell.manifest?, budget);
    // The package's own entry stands first in practice; it is the only one with such a type.
    let text = crate::text::to_utf8(&manifest);
    let values = text.split(['"', '\'']).take(4096);
    values.filter_map(of).next()
}

/// The content of a part, stored or deflated as packages have it, as far as it can be read.
fn part(data: &[u8], member: &Member<'_>, budget: &Budget) -> Vec<u8> {
    let Some(reading) = member.readings(data).into_iter().find(|r| r.lock.is_none()) else {
        return Vec::new();
    };
    let raw = data.get(reading.data.clone()).unwrap_or_default();
    match reading.method {
        0 => raw
            .get(..raw.len().min(usize::try_from(PART).unwrap_or(usize::MAX)))
            .unwrap_or_default()
            .to_vec(),
        8 => {
            use std::io::Read as _;
            let metered = Metered::new(raw);
            let meter = metered.meter();
            let mut decoder = flate2::bufread::DeflateDecoder::new(metered).take(PART);
            let mut account = Account::new(crate::bytes::length(raw.len()));
            let expected = reading.size.unwrap_or_default().min(PART);
            budget
                .read(&mut decoder, &meter, &mut account, expected)
                .data
        }
        _ => Vec::new(),
    }
}
