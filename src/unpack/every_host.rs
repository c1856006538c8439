//! Every archive, and a program, behind every kind of file: opened, or decided not to be looked for. A new kind does
//! not compile here before it has a sample.

use std::io::Write as _;

use super::every_container::{TABLE, Tree, compound, content, zip};
use super::hosts::{self, Search, host};
use super::tests::pe;
use crate::identify;
use crate::limits::{Budget, Limits};
use crate::model::{Family, Kind};

const NAME: &str = "a.txt";

/// What is hidden, and whether archivers find it in other archives too.
fn payloads(content: &[u8]) -> Vec<(&'static str, bool, Vec<u8>)> {
    let built = |wanted: &str| {
        let row = TABLE.iter().find(|(name, _)| *name == wanted).unwrap();
        (row.1)(content)
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(content).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bzip2.write_all(content).unwrap();
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    xz.write_all(content).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(u64::try_from(content.len()).unwrap());
    tar.append_data(&mut header, NAME, content).unwrap();
    let mut out = vec![
        ("rar of version 4", true, rar4(content)),
        ("gz", false, gzip.finish().unwrap()),
        ("bz2", false, bzip2.finish().unwrap()),
        ("xz", false, xz.finish().unwrap()),
        ("zst", false, zstd::encode_all(content, 3).unwrap()),
        ("tar", false, tar.into_inner().unwrap()),
        ("zip", true, zip(&[(NAME, content)])),
    ];
    for (name, strong) in [
        ("rar", true),
        ("7z with Deflate64", true),
        ("cab", true),
        ("lzh", false),
        ("arj", false),
        ("ace", false),
        ("cpio of hexadecimal numbers", false),
        ("iso", false),
        ("compiled help", false),
        ("rpm", false),
        ("alz", false),
        ("egg", false),
    ] {
        out.push((name, strong, built(name)));
    }
    out
}

fn rar4(content: &[u8]) -> Vec<u8> {
    let mut out = b"Rar!\x1a\x07\0".to_vec();
    let len = u32::try_from(content.len()).unwrap().to_le_bytes();
    let sum = crate::formats::zip::crc32(content).to_le_bytes();
    let file = [
        &len[..],
        &len,
        &[2],
        &sum,
        &[0, 0, 0x21, 0x58, 20, 0x30, 5, 0, 0x20, 0, 0, 0],
        NAME.as_bytes(),
    ]
    .concat();
    let blocks = [
        (0x73u8, 0u16, vec![0; 6], [].as_slice()),
        (0x74, 0x8000, file, content),
        (0x7b, 0x4000, vec![], &[]),
    ];
    for (kind, flags, body, data) in blocks {
        let size = u16::try_from(7 + body.len()).unwrap().to_le_bytes();
        let head = [&[kind], &flags.to_le_bytes()[..], &size, &body].concat();
        let sum = crate::formats::zip::crc32(&head).to_le_bytes();
        out.extend([&sum[..2], &head, data].concat());
    }
    out
}

fn padded(mark: &[u8], len: usize) -> Vec<u8> {
    let mut out = mark.to_vec();
    out.resize(len, 0);
    out
}

fn at(place: usize, mark: &[u8], len: usize) -> Vec<u8> {
    padded(&[vec![0; place], mark.to_vec()].concat(), len)
}

/// A package of Office Open XML by the type of its main part.
fn office(kind: &str) -> Vec<u8> {
    let types = format!(
        "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
         <Override PartName=\"/a.xml\" ContentType=\"application/{kind}\"/></Types>"
    );
    zip(&[
        ("[Content_Types].xml", types.as_bytes()),
        ("a.xml", b"<a/>"),
    ])
}

fn open_document(kind: &str) -> Vec<u8> {
    let kind = format!("application/{kind}");
    zip(&[("mimetype", kind.as_bytes()), ("content.xml", b"<a/>")])
}

fn xml(root: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\"?>\n<{root}></{}>\n",
        root.split(' ').next().unwrap()
    )
    .into_bytes()
}

/// The least that is taken for a kind; none for what is no file.
#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "a row for each kind")]
fn sample(kind: Kind) -> Option<Vec<u8>> {
    use Kind::*;
    let text = |text: &str| text.as_bytes().to_vec();
    let built = |wanted: &str| {
        let row = TABLE.iter().find(|(name, _)| *name == wanted).unwrap();
        (row.1)(b"words that mean nothing")
    };
    Some(match kind {
        // Parts of something else, or told by what they stand in.
        Empty | Mpp | Msp | Ooxml | OleStream | OleNative | VbaSource | VbaPcode | XlmSource | Email => return None,
        Docx => office("vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"),
        Docm => office("vnd.ms-word.document.macroEnabled.main+xml"),
        Dotx => office("vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml"),
        Dotm => office("vnd.ms-word.template.macroEnabledTemplate.main+xml"),
        Xlsx => office("vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"),
        Xlsm => office("vnd.ms-excel.sheet.macroEnabled.main+xml"),
        Xltx => office("vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml"),
        Xltm => office("vnd.ms-excel.template.macroEnabled.main+xml"),
        Xlam => office("vnd.ms-excel.addin.macroEnabled.main+xml"),
        Xlsb => office("vnd.ms-excel.sheet.binary.macroEnabled.main"),
        Pptx => office("vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"),
        Pptm => office("vnd.ms-powerpoint.presentation.macroEnabled.main+xml"),
        Potx => office("vnd.openxmlformats-officedocument.presentationml.template.main+xml"),
        Potm => office("vnd.ms-powerpoint.template.macroEnabled.main+xml"),
        Ppsx => office("vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml"),
        Ppsm => office("vnd.ms-powerpoint.slideshow.macroEnabled.main+xml"),
        Ppam => office("vnd.ms-powerpoint.addin.macroEnabled.main+xml"),
        Sldx => office("vnd.openxmlformats-officedocument.presentationml.slide.main+xml"),
        Sldm => office("vnd.ms-powerpoint.slide.macroEnabled.main+xml"),
        Thmx => office("vnd.openxmlformats-officedocument.themeManager+xml"),
        Vsdx => office("vnd.ms-visio.drawing.main+xml"),
        Vsdm => office("vnd.ms-visio.drawing.macroEnabled.main+xml"),
        Vssx => office("vnd.ms-visio.stencil.main+xml"),
        Vssm => office("vnd.ms-visio.stencil.macroEnabled.main+xml"),
        Vstx => office("vnd.ms-visio.template.main+xml"),
        Vstm => office("vnd.ms-visio.template.macroEnabled.main+xml"),
        Xps => office("vnd.ms-package.xps-fixeddocumentsequence+xml"),
        Ott => open_document("vnd.oasis.opendocument.text-template"),
        Ods => open_document("vnd.oasis.opendocument.spreadsheet"),
        Ots => open_document("vnd.oasis.opendocument.spreadsheet-template"),
        Odp => open_document("vnd.oasis.opendocument.presentation"),
        Odg => open_document("vnd.oasis.opendocument.graphics"),
        Odf => open_document("vnd.oasis.opendocument.image"),
        Epub => open_document("epub+zip"),
        Rar => built("rar"),
        Arj => built("arj"),
        Arc => built("arc"),
        Lzh => built("lzh"),
        Cab => built("cab"),
        Ace => built("ace"),
        Cpio => built("cpio of octal numbers"),
        Ar => built("ar"),
        Alz => built("alz"),
        Egg => built("egg"),
        Asar => built("asar"),
        Chm => { let mut out = padded(b"ITSF\x03\0\0\0\x60\0\0\0", 56); out.extend(96u64.to_le_bytes()); out.resize(104, 0); out.extend(120u64.to_le_bytes()); out.resize(120, 0); out },
        BinHex => built("binhex"),
        Uue => built("uuencoded"),
        Z => built("compress"),
        Tnef => built("tnef"),
        Msg => built("msg"),
        One => built("onenote"),
        P7m => built("smime"),
        Eml => built("eml"),
        Mbox => text("From a@b.example Mon Nov  2 09:30:00 2026\nFrom: a@b.example\nTo: c@d.example\nSubject: s\n\nwords\n\nFrom a@b.example Mon Nov  2 09:31:00 2026\nFrom: a@b.example\nTo: c@d.example\nSubject: s\n\nwords\n\n"),
        Emlx => built("emlx"),
        Iso => built("iso"),
        Udf => built("udf"),
        Img => { let mut out = built("fat"); let count = u16::from_le_bytes([out[19], out[20]]).max(1); out.resize(usize::from(count) * 512, 0); out },
        Ntfs => built("ntfs"),
        Vhd => built("dynamic vhd"),
        Vdi => built("vdi"),
        Qcow => built("qcow"),
        Vmdk => built("vmdk"),
        SquashFs => built("squashfs"),
        Hwp => built("hwp"),
        Hwpx => built("hwpx"),
        Odt => built("odt"),
        Jar => built("jar"),
        Apk => built("apk"),
        ActiveMime => built("activemime"),
        Pub => built("publisher"),
        Vsd => built("visio"),
        SevenZip => built("7z with Deflate64"),
        Kwaj => built("kwaj"),
        Rpm => built("rpm"),
        Vhdx => built("vhdx"),
        Msi => built("msi"),
        Csv => text("a,b,c\n1,2,3\n4,5,6\n7,8,9\n"),
        Json => text("{\"a\": [1, 2, 3], \"b\": \"words\"}\n"),
        Ics => text("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:a\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"),
        Vcf => text("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:A B\r\nEND:VCARD\r\n"),
        Ldif => text("dn: cn=a,dc=b\nobjectClass: person\ncn: a\n"),
        Css => text("body { color: red; }\np { margin: 0; }\na { color: blue; }\n"),
        Text => text("Some words that mean nothing at all.\n"),
        Html => text("<!DOCTYPE html><html><body><p>words</p></body></html>\n"),
        Svg => text("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"><rect width=\"3\" height=\"3\"/></svg>\n"),
        Rtf => text("{\\rtf1 words}"),
        Sylk => text("ID;PWXL;N;E\nC;Y1;X1;K1\nE\n"),
        Sh => text("#!/bin/sh\necho words\n"),
        Py => text("#!/usr/bin/python3\nimport os\nprint('words')\n"),
        Pl => text("#!/usr/bin/perl\nuse strict;\nprint 'words';\n"),
        Rb => text("#!/usr/bin/ruby\nputs 'words'\n"),
        Php => text("<?php echo 'words'; ?>\n"),
        Lua => text("#!/usr/bin/lua\nlocal a = 1\nprint('words')\n"),
        AppleScript => text("#!/usr/bin/osascript\ntell application \"Finder\"\nend tell\n"),
        Reg => text("Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\A]\r\n\"a\"=\"b\"\r\n"),
        Inf => text("[Version]\r\nSignature=\"$CHICAGO$\"\r\nClass=A\r\n"),
        Url => text("[InternetShortcut]\r\nURL=https://www.example.com/\r\n"),
        Desktop => text("[Desktop Entry]\nType=Application\nName=a\nExec=a\n"),
        Scf => text("[Shell]\r\nCommand=2\r\n[Taskbar]\r\nCommand=ToggleDesktop\r\n"),
        Wsh => text("[ScriptFile]\r\nPath=C:\\a.vbs\r\n[Options]\r\nTimeout=0\r\n"),
        DesktopIni => text("[.ShellClassInfo]\r\nIconIndex=0\r\nInfoTip=words\r\n"),
        Rdp => text("full address:s:a.example\r\nscreen mode id:i:2\r\n"),
        Udl => text("[oledb]\r\n; Everything after this line is an OLE DB initstring\r\nProvider=SQLOLEDB.1;Data Source=db\r\n"),
        MobileConfig => text("<?xml version=\"1.0\"?>\n<plist version=\"1.0\"><dict><key>PayloadType</key><string>Configuration</string><key>PayloadVersion</key><integer>1</integer></dict></plist>\n"),
        Iqy => text("WEB\r\n1\r\nhttps://www.example.com/a\r\n\r\n"),
        Bat => text("@echo off\nset a=1\necho words\n"),
        Vbs => text("Dim a\na = 1\nFunction F(x)\n F = x + a\nEnd Function\n"),
        Ps1 => text("param($a)\n$b = Get-ChildItem $a\nWrite-Host $b\n"),
        Js => text("var a = new ActiveXObject('A.B');\nfunction f(x) { return x + a; }\nvar b = f(2);\n"),
        Wsf => text("<job><script language=\"VBScript\">Dim a</script></job>\n"),
        Sct => text("<?xml version=\"1.0\"?><scriptlet><registration progid=\"a\"/></scriptlet>\n"),
        Hta => text("<html><head><hta:application id=a></head><body>words</body></html>\n"),
        Vbe => text("#@~^CgAAAA==abcdefghij"),
        Xml => xml("list"),
        FlatOdf => xml("office:document xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" office:mimetype=\"application/vnd.oasis.opendocument.text\""),
        Hwpml => xml("HWPML Version=\"2.8\""),
        FlatOpc => xml("pkg:package xmlns:pkg=\"http://schemas.microsoft.com/office/2006/xmlPackage\""),
        Word2003Xml => xml("w:wordDocument xmlns:w=\"http://schemas.microsoft.com/office/word/2003/wordml\""),
        Excel2003Xml => xml("Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\""),
        SearchMs => xml("persistedQuery version=\"1.0\""),
        LibraryMs => xml("libraryDescription xmlns=\"http://schemas.microsoft.com/windows/2009/library\""),
        SearchConnectorMs => xml("searchConnectorDescription xmlns=\"http://schemas.microsoft.com/windows/2009/searchConnector\""),
        SettingContentMs => xml("PCSettings"),
        Msc => xml("MMC_ConsoleFile ConsoleVersion=\"3.0\""),
        MsBuild => xml("Project xmlns=\"http://schemas.microsoft.com/developer/msbuild/2003\""),
        Jnlp => xml("jnlp spec=\"1.0+\""),
        AppInstaller => xml("AppInstaller xmlns=\"http://schemas.microsoft.com/appx/appinstaller/2017\""),
        ClickOnce => text("<asmv1:assembly xmlns=\"urn:schemas-microsoft-com:asm.v2\"><deployment install=\"true\"/></asmv1:assembly>\n"),
        Png => padded(b"\x89PNG\r\n\x1a\n\0\0\0\x04IDAT\x01\x02\x03\x04", 40),
        Jpg => padded(b"\xff\xd8\xff\xe0\0\x10JFIF\0", 40),
        Gif => padded(b"GIF89a\x01\0\x01\0", 40),
        Bmp => [padded(b"BM", 14), padded(&[40], 60)].concat(),
        Tif => padded(b"II*\0\x08", 40),
        Webp => padded(b"RIFF\0\0\0\0WEBP", 40),
        Wav => padded(b"RIFF\0\0\0\0WAVE", 40),
        Avi => padded(b"RIFF\0\0\0\0AVI ", 40),
        Ico => [&[0, 0, 1, 0, 1, 0, 16, 16, 0, 0, 1, 0, 32, 0, 40, 0, 0, 0, 22, 0, 0, 0][..], &[7; 40]].concat(),
        Emf => [padded(&[1], 40), padded(b" EMF", 40)].concat(),
        Wmf => padded(&[0xd7, 0xcd, 0xc6, 0x9a], 40),
        Psd => padded(b"8BPS\0\x01", 40),
        Heic => padded(b"\0\0\0\x18ftypheic", 40),
        Pict => at(522, &[0, 0x11, 2, 0xff, 0x0c, 0], 560),
        Jp2 => padded(b"\0\0\0\x0cjP  \r\n\x87\n", 40),
        Mp3 => padded(b"ID3\x03", 40),
        Mp4 => padded(b"\0\0\0\x18ftypmp42", 40),
        Ogg => padded(b"OggS", 40),
        Flac => padded(b"fLaC", 40),
        Mkv => padded(&[0x1a, 0x45, 0xdf, 0xa3], 40),
        Wmv => padded(&[0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11], 40),
        Swf => padded(b"FWS\x05\x40\0\0\0", 64),
        Midi => padded(b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk\0\0\0\x04\0\xff\x2f\0", 26),
        Ttf => padded(b"OTTO\0\x01\0\0\0\0\0\0CFF ", 40),
        Woff => padded(b"wOF2", 48),
        Pe => pe(),
        Dos => padded(b"MZ\x40\0\x01\0\0\0\x04\0\0\0\xff\xff\0\0\0\0\0\0\0\0\0\0\x1c", 64),
        Elf => elf(),
        MachO => [&[0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 24, 0, 0, 0][..], &[0; 8], &[0x1b, 0, 0, 0, 24, 0, 0, 0], &[0; 80]].concat(),
        Class => padded(b"\xca\xfe\xba\xbe\0\0\0\x34\0\x0a", 40),
        Dex => padded(b"dex\n035\0", 112),
        Pyc => { let mut out = padded(&[0x6f, 0x0d, b'\r', b'\n'], 32); out[16] = 0xe3; out },
        Wasm => padded(b"\0asm\x01\0\0\0", 16),
        Lnk => padded(b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46", 80),
        Onetoc2 => [&[0xa1, 0x2f, 0xff, 0x43, 0xd9, 0xef, 0x76, 0x4c, 0x9e, 0xe2, 0x10, 0xea, 0x57, 0x22, 0x76, 0x5f][..], &[0; 180], &1024u64.to_le_bytes(), &[0; 820]].concat(),
        Pst => [b"!BDN\0\0\0\0SM\x17\0\x13\0\x01\x01".as_slice(), &[0; 168], &564u64.to_le_bytes(), &[0; 372]].concat(),
        Mdb => padded(b"\0\x01\0\0Standard Jet DB\0\0", 4096),
        Accdb => padded(b"\0\x01\0\0Standard ACE DB\0\x02", 8192),
        Dbx => padded(&[0xcf, 0xad, 0x12, 0xfe], 300),
        Pdf => text("%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\n%%EOF\n"),
        Ps => text("%!PS-Adobe-3.0\nshowpage\n%%EOF\n"),
        Djvu => padded(b"AT&TFORM\0\0\0\x20DJVUINFO", 44),
        Zip => zip(&[(NAME, b"words")]),
        Appx => zip(&[("AppxManifest.xml", b"<Package/>"), ("AppxBlockMap.xml", b"<BlockMap/>")]),
        Xpi => zip(&[("manifest.json", br#"{"manifest_version": 2, "applications": {"gecko": {"id": "a@b"}}}"#), ("META-INF/mozilla.rsa", b"a")]),
        Tar => { let mut tar = tar::Builder::new(Vec::new()); let mut header = tar::Header::new_ustar(); header.set_size(5); tar.append_data(&mut header, NAME, b"words".as_slice()).unwrap(); tar.into_inner().unwrap() },
        Deb => { let member = super::ar::tests::member("debian-binary", b"2.0\n"); [b"!<arch>\n".to_vec(), member].concat() },
        Sis => at(8, &[0x19, 4, 0, 0x10], 100),
        Zoo => at(20, &[0xdc, 0xa7, 0xc4, 0xfd], 80),
        StuffIt => padded(b"SIT!\0\x01\0\0\0\x40rLau", 60),
        Xar => padded(b"xar!\0\x1c\0\x01", 60),
        Wim => { let mut out = padded(b"MSWIM\0\0\0\xd0", 208); out[48] = 8; out[56] = 208; out.resize(216, 0); out },
        IsCab => padded(b"ISc(\0\0\0\x01", 600),
        RareArchive => padded(b"ArC\x01", 60),
        Crx => padded(b"Cr24\x03\0\0\0", 60),
        Gz => gz(),
        Bz2 => { let mut to = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default()); to.write_all(b"words").unwrap(); to.finish().unwrap() },
        Xz => { let mut to = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap(); to.write_all(b"words").unwrap(); to.finish().unwrap() },
        Zst => zstd::encode_all(b"words".as_slice(), 3).unwrap(),
        Lz4 => padded(&[0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82], 15),
        Lzma => padded(&[0x5d, 0, 0, 0x80, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x83], 60),
        Lzip => padded(b"LZIP\x01\x0c", 60),
        Szdd => padded(b"SZDD\x88\xf0\x27\x33A\0", 40),
        Brotli => return None,
        Dmg => padded(b"encrcdsa\0\0\0\x02", 600),
        Hfs => { let mut out = at(1024, b"H+\0\x04", 8192); out[1064..1068].copy_from_slice(&512u32.to_be_bytes()); out[1068..1072].copy_from_slice(&16u32.to_be_bytes()); out },
        Apfs => at(32, b"NXSB\0\x10\0\0", 4096),
        RareDisk => padded(b"-rom1fs-", 1024),
        Doc => compound("/WordDocument", b"words"),
        Xls => compound("/Workbook", b"words"),
        Ppt => compound("/PowerPoint Document", b"words"),
        Ole => compound("/other", b"words"),
        Works => compound("/MatOST", b"words"),
        Ichitaro => compound("/JSRV_SegmentInformation", b"words"),
        OoxmlEncrypted => compound("/EncryptedPackage", b"words"),
        OleWord => padded(&[0xdb, 0xa5, 0x2d, 0], 600),
        Xls4 => padded(&[9, 4, 6, 0, 0, 0, 0x10, 0, 0, 0, 0x0a, 0, 0, 0], 14),
        VbaProject => compound("/_VBA_PROJECT", b"words"),
        Sqlite => padded(b"SQLite format 3\0\x10\0\x01\x01", 4096),
        Data => (0..900u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
        Pgp => [&[0x85, 1, 0x0c, 3][..], &[9; 64]].concat(),
        P7s => return None,
        Cert => text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
        Mht => text("MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Location: a.htm\r\nContent-Type: text/html\r\n\r\n<p>words\r\n--b--\r\n"),
        Website => return None,
        Theme => return None,
        Odc => text("<html xmlns:odc=\"urn:schemas-microsoft-com:office:odc\"><xml><odc:OfficeDataConnection/></xml></html>\n"),
        Jse => return None,
        Au3 => at(16, b"AU3!EA06", 60),
    })
}

fn gz() -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    to.write_all(b"words").unwrap();
    to.finish().unwrap()
}

fn elf() -> Vec<u8> {
    let mut out = padded(b"\x7fELF\x02\x01\x01", 16);
    out.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    for number in [0x0040_0078u64, 64, 136] {
        out.extend(number.to_le_bytes());
    }
    out.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 1, 0, 0, 0]);
    out.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for number in [0u64, 0x0040_0000, 0x0040_0000, 136, 136, 4096] {
        out.extend(number.to_le_bytes());
    }
    out.resize(136, 0x90);
    out.resize(200, 0);
    out
}

/// Kinds whose reader goes through all of their bytes, or whose bytes lie anywhere.
fn is_no_host(kind: Kind) -> bool {
    matches!(host(kind).archives, Search::Nowhere)
}

#[test]
fn every_kind_has_a_sample_that_is_one() {
    let budget = Budget::new(Limits::default(), None);
    let mut wrong = Vec::new();
    for kind in Kind::ALL {
        let Some(data) = sample(*kind) else { continue };
        let told = identify::identify(&data, &budget).kind;
        if told != *kind {
            wrong.push(format!("{kind}: {told}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_archive_behind_any_kind_is_opened() {
    let content = content();
    let payloads = payloads(&content);
    let mut wrong = Vec::new();
    for kind in Kind::ALL {
        let Some(front) = sample(*kind).filter(|_| !is_no_host(*kind)) else {
            continue;
        };
        // Archivers open these as what they are, and look for no other archive in them; the strong marks are searched
        // for all the same.
        let is_own = host(*kind).archives == Search::Behind
            || matches!(
                kind.family(),
                Family::Archive | Family::Compressed | Family::Disk | Family::Installer
            );
        for (name, is_strong, payload) in &payloads {
            if is_own && !is_strong {
                continue;
            }
            for padding in [0, 33] {
                // Databases are made of pages.
                if padding > 0 && *kind == Kind::Mdb {
                    continue;
                }
                let data = [&front[..], &vec![0; padding], payload].concat();
                let tree = Tree::of(&data, Limits::default());
                if tree.holding(&content).next().is_none() {
                    wrong.push(format!("{name} behind {kind} and {padding}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
}

#[test]
fn a_program_behind_any_kind_is_found() {
    let mut wrong = Vec::new();
    for kind in Kind::ALL {
        let Some(front) = sample(*kind).filter(|_| host(*kind).programs != Search::Nowhere) else {
            continue;
        };
        for padding in [0, 1, 33] {
            let data = [&front[..], &vec![0; padding], &pe()].concat();
            let tree = Tree::of(&data, Limits::default());
            if !tree.artifacts.iter().any(|one| one.kind == Kind::Pe) {
                wrong.push(format!("{kind} and {padding}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
}

#[test]
fn a_kind_with_nothing_behind_it_is_none() {
    let mut wrong = Vec::new();
    for kind in Kind::ALL {
        let Some(front) = sample(*kind) else { continue };
        for tail in [b"".as_slice(), b"no archive, but words", &[0; 64]] {
            let data = [&front[..], tail].concat();
            let tree = Tree::of(&data, Limits::default());
            let hidden = |via: Option<&'static str>| matches!(via, Some("carved" | "appended"));
            if tree
                .artifacts
                .iter()
                .any(|one| hidden(one.via) && one.kind != Kind::Text)
            {
                wrong.push(format!("{kind}: {}", tree.shown()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
}

#[test]
fn what_is_no_more_than_text_is_not_searched() {
    assert!(!hosts::is_more_than_text("見積書 ascii".as_bytes()));
    assert!(hosts::is_more_than_text(b"words\0"));
}

/// The places that readers pass over, each around an archive.
fn passed_over(archive: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(5);
    tar.append_data(&mut header, NAME, b"words".as_slice())
        .unwrap();
    let mut tar = tar.into_inner().unwrap();
    tar[517..517 + archive.len()].copy_from_slice(archive);
    let mut disc = crate::formats::iso9660::tests::image((NAME, b"words"), None);
    // Behind the file in its sector.
    disc.resize(disc.len().max(24 * 2048), 0);
    disc[23 * 2048 + 512..][..archive.len()].copy_from_slice(archive);
    disc[16 * 2048 + 80] = 24;
    let plain = gz();
    let len = u16::try_from(archive.len()).unwrap().to_le_bytes();
    let field = [
        &(4 + u16::from_le_bytes(len)).to_le_bytes(),
        b"ab".as_slice(),
        &len,
        archive,
    ];
    let mut gzip = [&plain[..10], &field.concat(), &plain[10..]].concat();
    gzip[3] |= 4;
    let stream = [b"the head of a stream\x01\x02".as_slice(), archive].concat();
    vec![
        ("padding of a tar", tar),
        ("gap of a disc", disc),
        ("field of gzip", gzip),
        ("stream of a document", compound("/WordDocument", &stream)),
    ]
}

#[test]
fn an_archive_in_what_a_reader_passes_over_is_opened() {
    let content = b"some words that lie in an archive";
    let mut wrong = Vec::new();
    for (name, is_strong, archive) in payloads(content) {
        // Zips lie in streams as themes do.
        if !is_strong || name == "zip" {
            continue;
        }
        for (place, data) in passed_over(&archive) {
            let tree = Tree::of(&data, Limits::default());
            if tree.holding(content).next().is_none() {
                wrong.push(format!("{name} in {place}: {}", tree.shown()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_no_archive_in_such_places_is_none() {
    let marks = b"Rar!\x1a\x07\0 7z\xbc\xaf\x27\x1c MSCF\0\0\0\0 and words";
    let theme = zip(&[(NAME, b"words")]);
    for (place, data) in [passed_over(marks), passed_over(&theme)[3..].to_vec()].concat() {
        let tree = Tree::of(&data, Limits::default());
        let hidden = |via: Option<&'static str>| matches!(via, Some("carved" | "appended"));
        let found = tree.artifacts.iter().any(|one| hidden(one.via));
        assert!(!found, "{place}: {}", tree.shown());
    }
}
