//! What a signature of a macro project covers ([MS-OVBA] 2.4.2), in its three kinds: Content Normalized Data (2.4.2.1),
//! of which the oldest signs the MD5; the forms behind it (2.4.2.2), which an Agile one signs too; and V3 Content and
//! Project Normalized Data (2.4.2.5, 2.4.2.6), which leave nearly nothing out: [`super::normalized`].
//!
//! The first leaves much open: line ends, names of modules, targets of references, forms, and every line that starts
//! with `attribute`, also `attribute_1: Shell "…"`. So this is stricter than Office: a project has no such digest where a
//! line that is not covered is anything but an attribute as the editor writes it, or where a reference leads to another
//! computer.

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::dir::Record;
use super::normalized::{self, Form};
use crate::bytes::{index, u16_at, u32_at};
use crate::limits::{Budget, Halt};

const PROJECT_NAME: u16 = 0x0004;
const PROJECT_CONSTANTS: u16 = 0x000c;
const PROJECT_MODULES: u16 = 0x000f;
const TERMINATOR: u16 = 0x0010;
const REFERENCE_REGISTERED: u16 = 0x000d;
const REFERENCE_PROJECT: u16 = 0x000e;
const REFERENCE_ORIGINAL: u16 = 0x0033;
const REFERENCE_CONTROL: u16 = 0x002f;
const REFERENCE_EXTENDED: u16 = 0x0030;

/// What signatures of a project sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// MD5, by a signature of the oldest kind (2.4.2.3).
    pub legacy: [u8; 16],
    /// SHA-256, by Agile (2.4.2.4) and V3 signatures (2.4.2.7); none where forms or lines leave it open.
    pub newer: Vec<[u8; 32]>,
}

/// A project as its signatures see it.
#[derive(Debug, Clone, Copy)]
pub struct Signable<'p> {
    /// The `dir` stream, decompressed.
    pub dir: &'p [u8],
    /// The sources of its modules in the order of `dir`.
    pub sources: &'p [&'p [u8]],
    /// The `PROJECT` stream.
    pub list: Option<&'p [u8]>,
    /// Its forms in the order of `PROJECT`; none where one cannot be read.
    pub forms: Option<&'p [Form]>,
}

impl Signable<'_> {
    /// The digests of the project. None where something in it may run that the oldest of them does not cover.
    pub fn contents(&self, budget: &Budget) -> Result<Option<Contents>, Halt> {
        let (mut md5, mut sha) = (Md5::new(), Sha256::new());
        let add = |part: &[u8]| {
            md5.update(part);
            sha.update(part);
        };
        if !content(self.dir, self.sources, budget, add)? {
            return Ok(None);
        }
        let mut newer = Vec::new();
        if let (Some(list), Some(forms)) = (self.list, self.forms) {
            for form in forms {
                sha.update(&form.data);
            }
            newer.push(sha.finalize().into());
            newer.extend(normalized::digests(
                self.dir,
                self.sources,
                list,
                forms,
                budget,
            )?);
        }
        Ok(Some(Contents {
            legacy: md5.finalize().into(),
            newer,
        }))
    }
}

/// Gives Content Normalized Data to `add`; false where something in the project may run that it does not cover.
fn content(
    dir: &[u8],
    sources: &[&[u8]],
    budget: &Budget,
    mut add: impl FnMut(&[u8]),
) -> Result<bool, Halt> {
    let mut at = 0usize;
    let (mut names, mut constants) = (0usize, 0usize);
    // Ends because every record has at least its six bytes of head.
    while at < dir.len() {
        budget.tick()?;
        let Some(record) = Record::at(dir, at) else {
            // The last record has nothing behind it: what is odd has no digest.
            return Ok(false);
        };
        at = record.end;
        names = names.saturating_add(usize::from(record.id == PROJECT_NAME));
        constants = constants.saturating_add(usize::from(record.id == PROJECT_CONSTANTS));
        let is_last = at == dir.len();
        if names > 1 || constants > 1 || !is_regular(&record, sources.len(), is_last) {
            return Ok(false);
        }
        match record.id {
            PROJECT_NAME | PROJECT_CONSTANTS => add(record.data),
            REFERENCE_REGISTERED => add(b"{"),
            // The length of the first path, up to its first zero byte.
            REFERENCE_PROJECT => {
                let end = record.data.iter().position(|byte| *byte == 0);
                add(end
                    .and_then(|end| record.data.get(..end))
                    .unwrap_or_default());
            }
            _ => {}
        }
        let reference = [
            REFERENCE_REGISTERED,
            REFERENCE_PROJECT,
            REFERENCE_ORIGINAL,
            REFERENCE_CONTROL,
            REFERENCE_EXTENDED,
        ];
        if reference.contains(&record.id) && leads_away(record.data) {
            return Ok(false);
        }
    }
    for source in sources {
        for line in source.split(|byte| matches!(byte, b'\r' | b'\n')) {
            budget.tick()?;
            let start = line.get(..9).unwrap_or_default();
            if !start.eq_ignore_ascii_case(b"attribute") {
                add(line);
            } else if !is_attribute(line) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Whether a record is of the form that the specification has (2.3.4.2). What is signed tells neither lengths nor where
/// one thing ends and the next begins: else a name could hold the first lines of somebody's code up to a comment, and
/// leave that as a statement, or Office could end before modules that are signed.
fn is_regular(record: &Record<'_>, modules: usize, is_last: bool) -> bool {
    const LONGEST_NAME: usize = 128;
    const LONGEST_CONSTANTS: usize = 1015;
    let data = record.data;
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    match record.id {
        PROJECT_NAME => data.len() <= LONGEST_NAME && data.iter().all(in_name),
        PROJECT_CONSTANTS => {
            let fits = |byte: &u8| in_name(byte) || b" =:-+&".contains(byte);
            data.len() <= LONGEST_CONSTANTS && data.iter().all(fits)
        }
        REFERENCE_PROJECT => {
            let len = u32_at(data, 0).map(index);
            len.is_some_and(|len| data.len().saturating_sub(4) >= len)
        }
        PROJECT_MODULES => u16_at(data, 0).map(usize::from) == Some(modules),
        TERMINATOR => is_last,
        _ => true,
    }
}

/// Whether the path in a reference leads to another computer.
fn leads_away(reference: &[u8]) -> bool {
    let has = |what: &[u8]| memchr::memmem::find(reference, what).is_some();
    has(b"\\\\") || has(b"//")
}

/// Whether a line is an attribute as the editor writes it: `Attribute NAME.VB_NAME = VALUE, …`.
fn is_attribute(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"Attribute ") else {
        return false;
    };
    let Some(equals) = memchr::memmem::find(rest, b" = ") else {
        return false;
    };
    let (name, values) = rest.split_at(equals);
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.".contains(byte) || *byte >= 0x80;
    let named = name.iter().all(in_name) && memchr::memmem::find(name, b"VB_").is_some();
    // Outside of quotes nothing can stand that would be another statement.
    let mut quoted = false;
    let plain = values.iter().skip(3).all(|byte| {
        quoted ^= *byte == b'"';
        quoted || byte.is_ascii_alphanumeric() || b"\" ,-&".contains(byte)
    });
    named && plain && !quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn record(id: u16, data: &[u8]) -> Vec<u8> {
        let len = u32::try_from(data.len()).unwrap();
        [&id.to_le_bytes()[..], &len.to_le_bytes(), data].concat()
    }

    fn of(dir: &[u8], sources: &[&str]) -> Option<[u8; 16]> {
        let budget = Budget::new(Limits::default(), None);
        let sources: Vec<&[u8]> = sources.iter().map(|source| source.as_bytes()).collect();
        let project = Signable {
            dir,
            sources: &sources,
            list: None,
            forms: None,
        };
        let contents = project.contents(&budget).unwrap();
        contents.map(|contents| contents.legacy)
    }

    fn dir() -> Vec<u8> {
        [
            record(PROJECT_NAME, b"VBAProject"),
            record(PROJECT_CONSTANTS, b""),
            record(REFERENCE_REGISTERED, b"*\\G{0}#2.0#0#C:\\a.tlb#OLE"),
        ]
        .concat()
    }

    #[test]
    fn what_is_signed_are_the_lines_without_their_ends() {
        let wanted: [u8; 16] = Md5::digest(b"VBAProject{Sub a()End Sub").into();
        let source = "Attribute VB_Name = \"Module1\"\r\nSub a()\r\nEnd Sub\r\n";
        assert_eq!(of(&dir(), &[source]), Some(wanted));
        let parts = ["Attribute VB_Name = \"M\"\r\nSub a()\r\n", "End Sub"];
        assert_eq!(of(&dir(), &parts), Some(wanted));
    }

    #[test]
    fn code_that_hides_in_what_is_not_signed_has_no_digest() {
        for line in [
            "attribute_1: Shell \"calc\"",
            "Attribute VB_Name = \"a\": Shell \"calc\"",
            "Attribute VB_Name = \"a\" 'b",
            "Attribute VB_Name = \"a",
            "ATTRIBUTE VB_Name = \"a\"",
            "attribute = 1",
        ] {
            assert_eq!(of(&dir(), &[line]), None, "{line}");
        }
        for line in [
            "Attribute VB_Control = \"A, 1, 0, MSForms, CommandButton\"",
            "Attribute run.VB_ProcData.VB_Invoke_Func = \"a\\n14\"",
            "Attribute x.VB_VarHelpID = -1",
            "Attribute VB_Ext_KEY = \"RVB_UniqueId\" ,\"346\"",
        ] {
            assert!(of(&dir(), &[line]).is_some(), "{line}");
        }
        let far = record(
            REFERENCE_REGISTERED,
            b"*\\G{0}#2.0#0#\\\\192.0.2.1\\a.tlb#A",
        );
        assert_eq!(of(&[dir(), far].concat(), &[]), None);
        assert_eq!(of(&dir()[..20], &[]), None);
    }
    #[test]
    fn what_is_signed_as_code_cannot_be_taken_for_something_else() {
        let code = "Sub a()\r\n'b: Shell c\r\nEnd Sub";
        let signed = of(&dir(), &[code]).unwrap();
        let rest = "b: Shell c\r\nEnd Sub";
        // The same bytes, without the sign of the comment in the code.
        let taken = Md5::digest(b"VBAProject{Sub a()'b: Shell cEnd Sub");
        assert_eq!(signed[..], taken[..]);
        let name = |name: &[u8]| record(PROJECT_NAME, name);
        for odd in [
            name(b"VBAProject{Sub a()'"),
            [dir(), name(b"Sub"), name(b"_a")].concat(),
            [dir(), record(PROJECT_CONSTANTS, b"Sub a()'")].concat(),
            record(PROJECT_CONSTANTS, b"VBAProject{Sub a()'"),
            record(REFERENCE_PROJECT, b"VBAProject{Sub a()'\0"),
        ] {
            assert_eq!(of(&odd, &[rest]), None);
        }
        let modules = |count: u16| record(PROJECT_MODULES, &count.to_le_bytes());
        let end = record(TERMINATOR, b"");
        let whole = [dir(), modules(1), end.clone()].concat();
        assert_eq!(of(&whole, &[code]), Some(signed));
        assert_eq!(of(&[dir(), modules(2), end].concat(), &[code]), None);
        assert_eq!(of(&[whole, record(0x0019, b"M")].concat(), &[code]), None);
        let linked = record(REFERENCE_PROJECT, b"\x05\0\0\0*\\CC:\0\0\0\0");
        assert!(of(&[dir(), linked].concat(), &[code]).is_some());
    }
}
