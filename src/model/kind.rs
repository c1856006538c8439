//! What bytes are: the kinds, and the families within which a wrong name is no surprise.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($family:ident: $($kind:ident $name:literal $text:literal),+;)+) => {
        /// What the bytes of an artifact are, never what a name claims.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[doc = $text] #[serde(rename = $name)] $kind,)+)+
        }

        impl Kind {
            /// Every kind, family by family.
            pub const ALL: &'static [Self] = &[$($(Self::$kind,)+)+];

            /// The short lower-case name used in reports and rules.
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$kind => $name,)+)+ }
            }

            /// What it is, in English words.
            pub fn describe(self) -> &'static str {
                match self { $($(Self::$kind => $text,)+)+ }
            }

            /// The family of the kind.
            pub fn family(self) -> Family {
                match self { $($(Self::$kind)|+ => Family::$family,)+ }
            }
        }
    };
}

/// Kinds that belong together: a wrong extension within a family is a slip, across families a disguise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Family {
    /// Mails and mailboxes.
    Mail,
    /// Documents on a compound file.
    Ole,
    /// Documents on Office Open XML.
    Ooxml,
    /// Documents on OpenDocument.
    Odf,
    /// Portable documents and print formats.
    Pdf,
    /// Notebooks.
    OneNote,
    /// Macro projects and their parts.
    Vba,
    /// Plain text, markup and data in text.
    Text,
    /// Web pages.
    Web,
    /// Programs in text, run by an interpreter.
    Script,
    /// Programs.
    Executable,
    /// Shortcuts and other small files that start or fetch something.
    Shortcut,
    /// Installers and packages of programs.
    Installer,
    /// Archives of files.
    Archive,
    /// One compressed stream.
    Compressed,
    /// Images of disks and file systems.
    Disk,
    /// Pictures.
    Image,
    /// Sound and video.
    Media,
    /// Fonts.
    Font,
    /// Signatures, certificates, encrypted messages.
    Crypto,
    /// Anything else.
    Data,
}

kinds! {
    Mail: Eml "eml" "mail message", Mht "mht" "web archive (MHTML)", Mbox "mbox" "mailbox (mbox)", Emlx "emlx" "Apple mail message",
        Msg "msg" "Outlook message", Tnef "tnef" "TNEF (winmail.dat)", Pst "pst" "Outlook data file", Dbx "dbx" "Outlook Express mailbox";
    Ole: Doc "doc" "Word 97-2003 document", Xls "xls" "Excel 97-2003 workbook", Ppt "ppt" "PowerPoint 97-2003 presentation",
        Vsd "vsd" "Visio drawing", Pub "pub" "Publisher document", Mpp "mpp" "Project plan", Hwp "hwp" "Hangul document",
        Xls4 "xls4" "Excel 2-4 sheet", Works "works" "Works document", Mdb "mdb" "Access database", Accdb "accdb" "Access 2007 database",
        Ichitaro "ichitaro" "Ichitaro document", OleWord "ole-word" "Word document before 97",
        OoxmlEncrypted "ooxml-encrypted" "encrypted Office Open XML document", Ole "ole" "compound file";
    Ooxml: Docx "docx" "Word document", Docm "docm" "Word document with macros", Dotx "dotx" "Word template",
        Dotm "dotm" "Word template with macros", Xlsx "xlsx" "Excel workbook", Xlsm "xlsm" "Excel workbook with macros",
        Xltx "xltx" "Excel template", Xltm "xltm" "Excel template with macros", Xlam "xlam" "Excel add-in",
        Xlsb "xlsb" "Excel binary workbook", Pptx "pptx" "PowerPoint presentation", Pptm "pptm" "PowerPoint presentation with macros",
        Potx "potx" "PowerPoint template", Potm "potm" "PowerPoint template with macros", Ppsx "ppsx" "PowerPoint show",
        Ppsm "ppsm" "PowerPoint show with macros", Ppam "ppam" "PowerPoint add-in", Sldx "sldx" "PowerPoint slide",
        Sldm "sldm" "PowerPoint slide with macros", Thmx "thmx" "Office theme", Vsdx "vsdx" "Visio drawing (XML)",
        Vsdm "vsdm" "Visio drawing with macros", Vssx "vssx" "Visio stencil", Vssm "vssm" "Visio stencil with macros",
        Vstx "vstx" "Visio template", Vstm "vstm" "Visio template with macros", Ooxml "ooxml" "Office Open XML package",
        Xps "xps" "XPS document", FlatOpc "flat-opc" "Office document as one XML file", Word2003Xml "word2003xml" "Word 2003 XML document",
        Excel2003Xml "excel2003xml" "Excel 2003 XML workbook", Hwpx "hwpx" "Hangul document (XML)", Hwpml "hwpml" "Hangul document in one XML file";
    Odf: Odt "odt" "OpenDocument text", Ott "ott" "OpenDocument text template", Ods "ods" "OpenDocument spreadsheet",
        Ots "ots" "OpenDocument spreadsheet template", Odp "odp" "OpenDocument presentation", Odg "odg" "OpenDocument drawing",
        Odf "odf" "OpenDocument file", FlatOdf "flat-odf" "OpenDocument as one XML file", Epub "epub" "electronic book";
    Pdf: Pdf "pdf" "PDF document", Ps "ps" "PostScript", Djvu "djvu" "DjVu document";
    OneNote: One "one" "OneNote section", Onetoc2 "onetoc2" "OneNote table of contents";
    Vba: VbaProject "vba-project" "VBA project", VbaSource "vba-source" "VBA source", VbaPcode "vba-pcode" "compiled VBA as text", ActiveMime "activemime" "ActiveMime object",
        XlmSource "xlm-source" "Excel 4 macro formulas";
    Text: Text "text" "text", Csv "csv" "comma-separated values", Sylk "sylk" "SYLK spreadsheet", Rtf "rtf" "rich text",
        Xml "xml" "XML", Json "json" "JSON", Ics "ics" "calendar entry", Vcf "vcf" "contact card", Ldif "ldif" "directory entries",
        Css "css" "style sheet", Email "email-text" "text of a mail";
    Web: Html "html" "web page", Svg "svg" "SVG picture";
    Script: Js "js" "JavaScript", Jse "jse" "encoded JavaScript", Vbs "vbs" "VBScript", Vbe "vbe" "encoded VBScript",
        Wsf "wsf" "Windows script file", Sct "sct" "Windows script component or style sheet with script", Hta "hta" "HTML application",
        Ps1 "ps1" "PowerShell script", Bat "bat" "batch file", Sh "sh" "shell script", Py "py" "Python script",
        Pl "pl" "Perl script", Rb "rb" "Ruby script", Php "php" "PHP script", Lua "lua" "Lua script", Au3 "au3" "AutoIt or AutoHotkey script",
        AppleScript "applescript" "AppleScript", MsBuild "msbuild" "MSBuild project", Reg "reg" "registry entries", Inf "inf" "setup information";
    Executable: Pe "pe" "Windows program", Dos "dos" "DOS program", Elf "elf" "Linux program", MachO "macho" "macOS program",
        Class "class" "Java class", Dex "dex" "Android program", Pyc "pyc" "compiled Python", Wasm "wasm" "WebAssembly module";
    Shortcut: Lnk "lnk" "Windows shortcut", Url "url" "internet shortcut", Website "website" "pinned website", Desktop "desktop" "desktop entry",
        Scf "scf" "shell command file", Wsh "wsh" "settings of a script", DesktopIni "desktop-ini" "settings of a folder", SearchMs "search-ms" "saved search", LibraryMs "library-ms" "Windows library",
        SearchConnectorMs "searchconnector-ms" "search connector", SettingContentMs "settingcontent-ms" "settings shortcut",
        Theme "theme" "desktop theme", Rdp "rdp" "remote desktop connection", Msc "msc" "management console",
        Iqy "iqy" "Excel web query", Udl "udl" "data link", Odc "odc" "data connection", ClickOnce "clickonce" "ClickOnce manifest",
        AppInstaller "appinstaller" "app installer", Jnlp "jnlp" "Java web start";
    Installer: Msi "msi" "Windows installer", Msp "msp" "Windows installer patch", Jar "jar" "Java archive", Apk "apk" "Android package",
        Appx "appx" "Windows app package", Deb "deb" "Debian package", Rpm "rpm" "RPM package", Xpi "xpi" "browser extension", Crx "crx" "Chrome extension",
        MobileConfig "mobileconfig" "configuration profile of Apple devices";
    Archive: Zip "zip" "zip archive", SevenZip "7z" "7-Zip archive", Rar "rar" "RAR archive", Tar "tar" "tar archive", Cab "cab" "cabinet", Sis "sis" "Symbian package",
        Arj "arj" "ARJ archive", Lzh "lzh" "LHA archive", Ace "ace" "ACE archive", Arc "arc" "ARC archive", Zoo "zoo" "ZOO archive",
        Cpio "cpio" "cpio archive", Ar "ar" "ar archive", Xar "xar" "xar archive", Chm "chm" "compiled help", Alz "alz" "ALZ archive",
        Egg "egg" "EGG archive", Wim "wim" "Windows image", Uue "uue" "uuencoded file", BinHex "binhex" "BinHex file", StuffIt "sit" "StuffIt archive",
        IsCab "iscab" "InstallShield cabinet", Asar "asar" "Electron archive",
        RareArchive "rare-archive" "archive of a rare form";
    Compressed: Gz "gz" "gzip data", Bz2 "bz2" "bzip2 data", Xz "xz" "xz data", Lzma "lzma" "LZMA data", Zst "zst" "Zstandard data",
        Lz4 "lz4" "LZ4 data", Z "z" "compress data", Szdd "szdd" "SZDD data", Kwaj "kwaj" "KWAJ data", Lzip "lzip" "lzip data",
        Brotli "brotli" "brotli data";
    Disk: Iso "iso" "ISO 9660 image", Udf "udf" "UDF image", Img "img" "FAT image", Vhd "vhd" "virtual disk", Vhdx "vhdx" "virtual disk (VHDX)",
        Vmdk "vmdk" "virtual disk (VMDK)", Qcow "qcow" "virtual disk (QCOW)", Vdi "vdi" "virtual disk (VirtualBox, Parallels)", Dmg "dmg" "macOS disk image", Ntfs "ntfs" "NTFS image",
        Hfs "hfs" "HFS image", Apfs "apfs" "APFS container",
        SquashFs "squashfs" "SquashFS image", RareDisk "rare-disk" "image of a rare file system or disk";
    Image: Png "png" "PNG picture", Jpg "jpg" "JPEG picture", Gif "gif" "GIF picture", Bmp "bmp" "bitmap", Tif "tif" "TIFF picture",
        Webp "webp" "WebP picture", Ico "ico" "icon", Emf "emf" "enhanced metafile", Wmf "wmf" "metafile", Psd "psd" "Photoshop picture",
        Heic "heic" "HEIC picture", Pict "pict" "QuickDraw picture", Jp2 "jp2" "JPEG 2000 picture";
    Media: Mp3 "mp3" "MP3 sound", Mp4 "mp4" "MP4 video", Wav "wav" "WAV sound", Avi "avi" "AVI video", Ogg "ogg" "Ogg media",
        Flac "flac" "FLAC sound", Mkv "mkv" "Matroska video", Wmv "wmv" "Windows media", Swf "swf" "Flash movie", Midi "midi" "MIDI sound";
    Font: Ttf "ttf" "font", Woff "woff" "web font";
    Crypto: P7s "p7s" "signature", P7m "p7m" "S/MIME message", Pgp "pgp" "PGP data", Cert "cert" "certificate";
    Data: OleStream "ole-stream" "stream of a compound file", OleNative "ole-native" "native data of an OLE object", Sqlite "sqlite" "SQLite database", Empty "empty" "no bytes", Data "data" "unknown data";
}

impl Kind {
    /// The kind of a short name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_lower_case_and_unique() {
        for kind in Kind::ALL {
            let name = kind.as_str();
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{name}"
            );
            assert_eq!(Kind::from_name(name), Some(*kind));
        }
    }
}
