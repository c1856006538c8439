//! What may hide an archive or a program that its own reader does not open, and where that is looked for: decided
//! here, for every kind.
//!
//! Archivers take what stands in front of an archive for the program that unpacks it, whatever that is.

use crate::model::{Artifact, Kind};

/// Where something hidden is looked for; the farther one wins where bytes read as two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Search {
    /// Nowhere: its reader goes through all of it, or it stands for parts of something else.
    Nowhere,
    /// Behind its end, which its structure tells.
    Behind,
    /// In all of it, once it holds a byte that no text has.
    Text,
    /// In all of it but what its reader made children of.
    Whole,
}

/// Where archives and programs are looked for in a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Host {
    /// Archives.
    pub(super) archives: Search,
    /// Programs that lie in it as they are.
    pub(super) programs: Search,
}

/// The widest search among the readings of an artifact.
pub(super) fn widest(artifact: &Artifact, search: fn(Host) -> Search) -> Search {
    let readings = artifact.readings.iter().copied();
    let searches = std::iter::once(artifact.kind).chain(readings);
    let widest = searches.map(|kind| search(host(kind))).max();
    widest.unwrap_or(Search::Nowhere)
}

/// What a kind may hide. Exhaustive, so that a new kind is decided on.
#[rustfmt::skip]
pub(super) fn host(kind: Kind) -> Host {
    use Kind::*;
    use Search::{Behind, Nowhere, Text as InText, Whole};
    let (archives, programs) = match kind {
        // Their parts are files; so are the streams of a project and what was decoded.
        Eml | Mht | Mbox | Emlx | P7m | OleNative | Empty => (Nowhere, Nowhere),
        // A compressed stream ends where its decoder says, and what is behind is a child. Bytes that do not shrink lie in
        // it as they are.
        Gz | Bz2 | Xz | Zst | Lz4 | Brotli | Szdd | Kwaj => (Nowhere, Nowhere),
        // The bytes of their files lie anywhere; what is behind the last of them is none of theirs.
        Vhd | Vhdx | Vmdk | Qcow | Vdi => (Behind, Nowhere),
        // It ends with what tells it.
        Dmg => (Nowhere, Nowhere),
        OleStream => (Whole, Whole),
        // Compound files, and what tells its length.
        Msg | Doc | Xls | Ppt | Vsd | Pub | Mpp | Hwp | Works | Ichitaro | OleWord | OoxmlEncrypted | Ole | Msi | Msp
        | Xls4 | Pst | Mdb | Accdb | Onetoc2 => (Behind, Behind),
        One => (Behind, Whole),
        // Packages.
        Docx | Docm | Dotx | Dotm | Xlsx | Xlsm | Xltx | Xltm | Xlam | Xlsb | Pptx | Pptm | Potx | Potm | Ppsx | Ppsm
        | Ppam | Sldx | Sldm | Thmx | Vsdx | Vsdm | Vssx | Vssm | Vstx | Vstm | Ooxml | Xps | Hwpx | Odt | Ott | Ods
        | Ots | Odp | Odg | Odf | Epub | Jar | Apk | Appx | Xpi | Zip => (Behind, Behind),
        SevenZip | Rar | Tar | Cab | Arj | Lzh | Wim | Chm => (Behind, Behind),
        Iso | Udf | Img | Ntfs | Hfs | SquashFs => (Behind, Behind),
        // Archives that tell no end, or none that is known here.
        Tnef | Sis | Ace | Cpio | Ar | Deb | Rpm | Xar | Alz | Egg | IsCab | Asar | Lzma | Lzip | Z => (Whole, Nowhere),
        // No reader opens these, or not all of them: a program may lie in them as it is.
        Dbx | Crx | Arc | Zoo | StuffIt | RareArchive | Apfs | RareDisk => (Whole, Whole),
        // Programs of an operating system have readers of their own.
        Pe | Dos | Elf | MachO => (Whole, Nowhere),
        Class | Dex | Pyc | Wasm => (Whole, Whole),
        // Neither archive nor text.
        Pdf | Ps | Djvu | Lnk | ActiveMime | VbaProject | Sqlite | Data | P7s | Pgp | Cert => (Whole, Whole),
        Png | Jpg | Gif | Bmp | Tif | Webp | Ico | Emf | Wmf | Psd | Heic | Pict | Jp2 => (Whole, Whole),
        Mp3 | Mp4 | Wav | Avi | Ogg | Flac | Mkv | Wmv | Swf | Midi | Ttf | Woff => (Whole, Whole),
        // Lines, with anything behind them.
        Js | Jse | Vbs | Vbe | Wsf | Sct | Hta | Ps1 | Bat | Sh | Py | Pl | Rb | Php | Lua | Au3 | AppleScript
        | MsBuild | Reg | Inf => (Whole, InText),
        FlatOpc | Word2003Xml | Excel2003Xml | Hwpml | FlatOdf | VbaSource | VbaPcode | XlmSource | Text | Csv | Sylk
        | Rtf | Xml | Json | Ics | Vcf | Ldif | Css | Email | Html | Svg | Url | Website | Desktop | Scf | Wsh | DesktopIni | SearchMs
        | LibraryMs | SearchConnectorMs | SettingContentMs | Theme | Rdp | Msc | Iqy | Odc | ClickOnce | AppInstaller
        | Jnlp | Udl | MobileConfig | Uue | BinHex => (InText, InText),
    };
    Host { archives, programs }
}

/// Whether a search of [`Search::Text`] has anything to look for.
pub(super) fn is_more_than_text(data: &[u8]) -> bool {
    memchr::memchr(0, data).is_some()
}
