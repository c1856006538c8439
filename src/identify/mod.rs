//! Bytes → kind and other plausible readings, by structure; by name only where there is none.
//!
//! A strong mark at byte 0 comes first, then structures whose marks lie elsewhere, then text. What the bytes are
//! plausible as besides is added at the end, so that both readings are followed.

mod compound;
#[cfg(test)]
mod corpus;
mod crypto;
mod data_text;
mod disk;
mod executable;
mod ini;
mod magic;
mod mail;
mod markup;
mod named;
mod office_xml;
mod package;
mod polyglot;
mod prolog;
mod rare;
mod script;
mod told;
mod weak;
mod words;

pub use executable::{embedded as embedded_program, pe_length};

pub use mail::{MailStart, mail_start};

pub use named::{declared, named};

pub use told::Told;

use crate::limits::Budget;
use crate::model::{Fact, Kind, Name};

/// What bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The likeliest kind.
    pub kind: Kind,
    /// Other kinds that the victim's software may take them for; each is followed.
    pub readings: Vec<Kind>,
    /// What was seen on the way, such as a second file behind the first.
    pub facts: Vec<Fact>,
}

impl Identity {
    /// A kind that leaves no doubt.
    pub fn certain(kind: Kind) -> Self {
        Self {
            kind,
            readings: Vec::new(),
            facts: Vec::new(),
        }
    }
}

/// Tells what bytes are under a name. Content counts first; a text that is told to be nothing else is what its name
/// makes of it, for an interpreter reads whatever it is handed.
pub fn identify_named(data: &[u8], name: Option<&Name>, budget: &Budget) -> Identity {
    named(identify(data, budget), data, name)
}

/// Tells what bytes are. Never fails: bytes of no known structure are [`Kind::Text`] or [`Kind::Data`].
pub fn identify(data: &[u8], budget: &Budget) -> Identity {
    if data.is_empty() {
        return Identity::certain(Kind::Empty);
    }
    let mut identity = first_reading(data, budget);
    polyglot::add_readings(&mut identity, data, budget);
    note_details(&mut identity, data);
    identity
}

fn first_reading(data: &[u8], budget: &Budget) -> Identity {
    if let Some(identity) = compound::identify(data, budget) {
        return identity;
    }
    if data.starts_with(b"PK")
        && let Some(identity) = package::identify(data, budget)
    {
        return identity;
    }
    let kind = by_mark(data);
    if let Some(kind) = kind {
        return Identity::certain(kind);
    }
    if is_rich_text(data) {
        return Identity::certain(Kind::Rtf);
    }
    if polyglot::pdf_at(data).is_some_and(|at| at == 0) {
        return Identity::certain(Kind::Pdf);
    }
    // Mails stand here: their header is text, and what follows it may look like anything.
    if let Some(identity) = mail::identify(data) {
        return identity;
    }
    let words = words::Words::new(data);
    if let Some(kind) = words.as_ref().and_then(words::identify) {
        return Identity::certain(kind);
    }
    if polyglot::pdf_at(data).is_some() {
        return Identity::certain(Kind::Pdf);
    }
    // A zip behind junk, whatever the junk is.
    if let Some(identity) = package::identify(data, budget) {
        return identity;
    }
    if let Some(kind) = disk::by_far_mark(data) {
        return Identity::certain(kind);
    }
    if words.is_none()
        && let Some(kind) = script::with_binary_tail(data)
    {
        return Identity::certain(kind);
    }
    Identity::certain(if words.is_some() {
        Kind::Text
    } else {
        Kind::Data
    })
}

/// Kinds with a mark or a structure at a fixed place.
fn by_mark(data: &[u8]) -> Option<Kind> {
    executable::identify(data)
        .or_else(|| magic::identify(data))
        .or_else(|| disk::by_boot_sector(data))
        .or_else(|| crypto::identify(data))
        .or_else(|| encoded_script(data))
        .or_else(|| behind_prefix(data))
}

/// The mark, length and end of length of an encoded script: its text may look like no text.
fn encoded_script(data: &[u8]) -> Option<Kind> {
    let marked = data.starts_with(b"#@~^") && data.get(10..12) == Some(b"==");
    marked.then_some(Kind::Vbe)
}

/// Help files are opened with anything in front of them that is not too long.
fn behind_prefix(data: &[u8]) -> Option<Kind> {
    let head = data.get(..512)?;
    let at = memchr::memmem::find(head, b"ITSF")?;
    let version = crate::bytes::u32_at(data, at.checked_add(4)?)?;
    (matches!(version, 2..=4) && crate::bytes::u32_at(data, at.checked_add(8)?)? >= 0x58)
        .then_some(Kind::Chm)
}

/// Word needs no more than these four characters, and passes over blanks in front of them.
fn is_rich_text(data: &[u8]) -> bool {
    let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let blank = |byte: &&u8| byte.is_ascii_whitespace() || **byte == 0;
    let blanks = data.iter().take(1024).take_while(blank).count();
    data.get(blanks..).unwrap_or_default().starts_with(b"{\\rt")
}

/// How a file is encrypted that tells so at its start and shows nothing of what it holds: images of disks, and what
/// tools for single files write.
fn locked_as_a_whole(kind: Kind, data: &[u8]) -> Option<&'static str> {
    let starts = |mark: &[u8]| data.starts_with(mark);
    match kind {
        Kind::Dmg if starts(b"encrcdsa") => Some("encrypted disk image of macOS"),
        Kind::RareDisk if starts(b"LUKS\xba\xbe") => Some("LUKS"),
        Kind::RareDisk if data.get(3..11) == Some(b"-FVE-FS-") => Some("BitLocker"),
        // `openssl enc`: the salt, then whole blocks of the cipher.
        Kind::Data if starts(b"Salted__") && data.len() >= 24 && data.len().is_multiple_of(8) => {
            Some("OpenSSL")
        }
        Kind::Data if starts(b"AES\x02\0") || starts(b"AES\x03\0") => Some("AES Crypt"),
        _ if starts(b"age-encryption.org/v1\n-> ")
            || starts(b"-----BEGIN AGE ENCRYPTED FILE-----") =>
        {
            Some("age")
        }
        _ => None,
    }
}

/// What else the unpackers and analyzers should know that is cheap to see here.
fn note_details(identity: &mut Identity, data: &[u8]) {
    if identity.kind == Kind::Vbe {
        identity.readings.push(Kind::Jse);
    }
    if let Some(scheme) = locked_as_a_whole(identity.kind, data) {
        identity.facts.push(Fact::Locked {
            scheme: scheme.to_owned(),
            what: None,
        });
    }
    // A signature stands beside what it signs; a message holds what cannot be read without its key.
    if identity.kind == Kind::Pgp
        && memchr::memmem::find(data, b"-----BEGIN PGP MESSAGE-----").is_some()
    {
        identity.facts.push(Fact::Locked {
            scheme: "OpenPGP".to_owned(),
            what: None,
        });
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::limits::Limits;

    pub(crate) use super::executable::tests::pe;

    pub(crate) fn kind(data: &[u8]) -> Kind {
        full(data).kind
    }

    fn full(data: &[u8]) -> Identity {
        identify(data, &Budget::new(Limits::default(), None))
    }

    #[test]
    fn files_that_say_they_are_encrypted_are_locked() {
        let locked = |data: &[u8]| {
            let facts = full(data).facts;
            facts.iter().any(|fact| matches!(fact, Fact::Locked { .. }))
        };
        let noise = [0xa5u8, 0x13, 0x80, 0xfe, 0x07, 0x99].repeat(100);
        let with = |mark: &[u8]| [mark, noise.as_slice()].concat();
        for mark in [
            b"encrcdsa\0\0\0\x02".as_slice(),
            b"LUKS\xba\xbe\0\x02",
            b"\xeb\x58\x90-FVE-FS-",
            b"Salted__\x94\x1a\x84\x3f\x97\xce\xa9\xb8",
            b"AES\x02\0\0\x1bCREATED_BY\0",
            b"age-encryption.org/v1\n-> X25519 ",
        ] {
            assert!(locked(&with(mark)), "{}", mark.escape_ascii());
        }
        assert!(locked(b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n"));
        assert!(!locked(b"Salted__ and smoked are two ways."));
        assert!(!locked(b"See age-encryption.org/v1 for the format."));
        assert!(!locked(&with(b"AESOP")));
    }

    #[test]
    fn marks_count_before_text_and_text_before_nothing() {
        assert_eq!(kind(b""), Kind::Empty);
        assert_eq!(kind(b"hello, this is a letter"), Kind::Text);
        assert_eq!(kind(&[0, 1, 2, 3, 200, 201]), Kind::Data);
        assert_eq!(kind(&pe()), Kind::Pe);
    }

    #[test]
    fn structures_are_found_where_their_readers_tolerate_them() {
        assert_eq!(kind(b"\r\n {\\rt and anything"), Kind::Rtf);
        assert_eq!(kind(b"{\\r tf"), Kind::Text);
        assert_eq!(
            kind(&[b"junk\n".to_vec(), b"%PDF-1.4\n%%EOF".to_vec()].concat()),
            Kind::Pdf
        );
        assert_eq!(
            kind(&[vec![b'x'; 2000], b"%PDF-1.4\n".to_vec()].concat()),
            Kind::Text
        );
        assert_eq!(
            kind(b"patterns: [[%PDF-[12]\\.\\d]], [[%%EOF]]\n"),
            Kind::Text
        );
        // The pattern hides no header behind it, nor objects.
        assert_eq!(kind(b"a %PDF-[ %PDF-1.7\n%%EOF"), Kind::Pdf);
        assert_eq!(kind(b"a %PDF-[\n1 0 obj<</Type/Catalog>>endobj"), Kind::Pdf);
        let mut help = vec![0x90; 600];
        help[100..112].copy_from_slice(b"ITSF\x03\0\0\0\x60\0\0\0");
        assert_eq!(kind(&help), Kind::Chm);
    }

    #[test]
    fn a_text_of_no_structure_is_the_script_that_its_name_says() {
        let named = |data: &[u8], name: &str| {
            let budget = Budget::new(Limits::default(), None);
            identify_named(data, Some(&Name::of(name)), &budget).kind
        };
        assert_eq!(named(b"x(1)", "a.JS"), Kind::Js);
        assert_eq!(named(b"x(1)", "a.js.txt"), Kind::Text);
        assert_eq!(named(b"calc", "a.cmd "), Kind::Bat);
        assert_eq!(named(b"{\\rtf1\r\n@start calc\r\n", "a.bat"), Kind::Bat);
        assert_eq!(named(b"{\\rtf1 the text}", "a.doc"), Kind::Rtf);
        assert_eq!(
            named(b"<html><script>1</script></html>", "a.hta"),
            Kind::Hta
        );
        assert_eq!(
            named(b"<html><script>1</script></html>", "a.js"),
            Kind::Html
        );
        assert_eq!(named(&pe(), "a.bat"), Kind::Pe);
        for mark in ["GIF89a", "ID3", "OggS", "wOFF"] {
            let script = format!("{mark}=1;x(1)");
            assert_eq!(named(script.as_bytes(), "a.js"), Kind::Js, "{mark}");
            assert_ne!(named(script.as_bytes(), "a.dat"), Kind::Js, "{mark}");
        }
        assert_eq!(named(b"", "a.bat"), Kind::Empty);
    }

    #[test]
    fn control_characters_and_odd_lines_hide_nothing_that_a_name_tells() {
        let named = |data: &[u8], name: &str| {
            let budget = Budget::new(Limits::default(), None);
            identify_named(data, Some(&Name::of(name)), &budget).kind
        };
        let odd = b"\x01\x02\x03\x04\x05\x06";
        let with = |text: &str| [&odd[..], b"\r\n", text.as_bytes()].concat();
        for (text, name, kind) in [
            ("x(1)", "a.js", Kind::Js),
            ("x 1", "a.vbs", Kind::Vbs),
            ("x 1", "a.ps1", Kind::Ps1),
            ("[InternetShortcut]\r\nURL=a", "a.url", Kind::Url),
            ("[Shell]\r\nCommand=2", "a.scf", Kind::Scf),
            ("[Version]\r\nSignature=a", "a.inf", Kind::Inf),
            (
                "[.ShellClassInfo]\r\nIconResource=a",
                "Desktop.ini",
                Kind::DesktopIni,
            ),
            ("REGEDIT4\r\n\r\n[HKEY_CURRENT_USER\\A]", "a.reg", Kind::Reg),
            ("WEB\r\n1\r\nhttp://www.example.com/a", "a.iqy", Kind::Iqy),
            ("ID;PWXL;N;E\r\nE", "a.slk", Kind::Sylk),
        ] {
            assert_eq!(named(&with(text), name), kind, "{name}");
        }
        for name in ["a.lua", "a.bin", "a", "a.url"] {
            assert_eq!(named(&with("x(1)"), name), Kind::Data, "{name}");
        }
        // Lines of nothing in front, few or many.
        let shell = "[Shell]\r\nCommand=2\r\nIconFile=a\r\n";
        for front in [
            "x\r\n".to_owned(),
            "; words of nothing\r\n".repeat(3000),
            "words of nothing\r".repeat(100_000),
        ] {
            assert_eq!(
                named(format!("{front}{shell}").as_bytes(), "a.scf"),
                Kind::Scf
            );
            assert_ne!(
                named(format!("{front}{shell}").as_bytes(), "a.txt"),
                Kind::Scf
            );
        }
    }

    #[test]
    fn control_characters_make_a_page_of_a_mail_no_data() {
        let page = [&[1, 2, 3, 4, 5][..], b"<html><body>x</body></html>"].concat();
        let told = |data: &[u8], media_type: &str| {
            let budget = Budget::new(Limits::default(), None);
            declared(identify(data, &budget), data, Some(media_type), None).kind
        };
        assert_eq!(told(&page, "Text/HTML; charset=utf-8"), Kind::Html);
        assert_eq!(told(&page, "application/octet-stream"), Kind::Data);
        assert_eq!(told(&page[..5], "text/html"), Kind::Data);
        let part = [&[1, 2, 3, 4, 5][..], b"<form action=a>"].concat();
        assert_eq!(told(&part, "text/html"), Kind::Html);
        assert_eq!(told(b"words", "text/html"), Kind::Text);
    }

    #[test]
    fn a_page_behind_a_mark_is_read_as_its_name_says() {
        let readings = |data: &[u8], name: &str| {
            let budget = Budget::new(Limits::default(), None);
            identify_named(data, Some(&Name::of(name)), &budget).readings
        };
        let picture = b"GIF89a\0\0<HTML><script>1</script>";
        assert_eq!(readings(picture, "a.html"), [Kind::Gif]);
        assert_eq!(
            readings(b"{\\rtf1 <script>1</script>", "a.hta"),
            [Kind::Rtf]
        );
        assert_eq!(
            readings(&[pe(), picture.to_vec()].concat(), "a.hta"),
            [Kind::Hta]
        );
        let far = [&b"GIF89a\0\0"[..], &[7; 100_000], b"<script>1</script>"].concat();
        assert_eq!(readings(&far, "a.html"), [Kind::Gif]);
        assert!(readings(picture, "a.gif").is_empty());
        assert!(readings(b"GIF89a\0\0 no markup", "a.html").is_empty());
        assert!(readings(b"<html><script>1</script>", "a.html").is_empty());
    }

    #[test]
    fn both_readings_are_told() {
        let picture = [
            b"GIF89a".to_vec(),
            vec![0; 100],
            b"%PDF-1.5\n1 0 obj\n".to_vec(),
            vec![0; 100],
        ]
        .concat();
        let identity = full(&picture);
        assert_eq!(
            (identity.kind, identity.readings),
            (Kind::Gif, vec![Kind::Pdf])
        );
        assert_eq!(
            identity.facts,
            [Fact::Polyglot {
                kind: Kind::Pdf,
                at: 106
            }]
        );
        // A mention is no document.
        let mention = [
            b"GIF89a".to_vec(),
            vec![0; 100],
            b"%PDF-".to_vec(),
            vec![0; 100],
        ]
        .concat();
        assert!(full(&mention).readings.is_empty());
        let archive =
            b"%PDF-1.4\nobj\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n"
                .to_vec();
        assert_eq!(full(&archive).readings, [Kind::Mht]);
        let application = [
            b"\x89PNG\r\n\x1a\n".to_vec(),
            vec![0; 60],
            b"<HTA:Application id=a><script>1</script>".to_vec(),
        ]
        .concat();
        assert_eq!(full(&application).readings, [Kind::Hta]);
        // A program that is a disk image too: followed, not noted.
        let mut program = pe();
        program.resize(40_000, 0);
        program[32_768..32_774].copy_from_slice(b"\x01CD001");
        let identity = full(&program);
        assert_eq!(
            (identity.readings, identity.facts),
            (vec![Kind::Iso], vec![])
        );
        assert!(full(b"%PDF-1.4\nnothing else\n%%EOF").readings.is_empty());
    }

    #[test]
    fn an_encoded_script_may_be_of_either_language() {
        assert_eq!(full(b"#@~^EgAAAA==abc^#~@").readings, [Kind::Jse]);
    }
}
