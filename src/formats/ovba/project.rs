//! The `PROJECT` stream ([MS-OVBA] 2.3.1): the modules that the editor lists, and how the project is protected.

use std::collections::BTreeSet;

use crate::bytes::u32_at;

/// A module as the editor lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, in the project's code page.
    pub name: Vec<u8>,
    /// The property that names it: `Document`, `Module`, `Class` or `BaseClass`, in lower case.
    pub kind: String,
}

/// Who protected the project (2.3.1.15, ProjectProtectionState).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Protection {
    /// Bits 0 to 2: by the user, by the host, by the editor.
    pub bits: u32,
}

impl Protection {
    /// Whether anybody protected it.
    pub fn is_protected(self) -> bool {
        self.bits != 0
    }
}

/// What a `PROJECT` stream says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Project {
    /// The modules listed, in their order.
    pub modules: Vec<Listed>,
    /// Protection by `CMG`; `None` where it is missing or does not decode, which makes a project unviewable.
    pub protection: Option<Protection>,
    /// Whether `DPB` holds a password or its hash.
    pub password: bool,
    /// Names of the modules in lower case, to be looked up.
    names: BTreeSet<Vec<u8>>,
}

impl Project {
    /// Whether the editor lists a module of this name, upper and lower case alike in ASCII.
    pub fn lists(&self, name: &[u8]) -> bool {
        self.names.contains(&name.to_ascii_lowercase())
    }
}

/// Reads a `PROJECT` stream. Never refuses; lines of unknown form are passed over.
pub fn parse(data: &[u8]) -> Project {
    let mut project = Project::default();
    for line in data.split(|&byte| byte == b'\n' || byte == b'\r') {
        // Sections behind the first hold window places and host extensions (2.3.1.17 and on).
        if line.starts_with(b"[") {
            break;
        }
        let Some(equals) = memchr::memchr(b'=', line) else {
            continue;
        };
        let (key, value) = line.split_at(equals);
        let key = String::from_utf8_lossy(key.trim_ascii()).to_ascii_lowercase();
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        match key.as_str() {
            "document" | "module" | "class" | "baseclass" => {
                // A document's name is followed by its type library version: `ThisDocument/&H00000000`.
                let name = value.split(|&byte| byte == b'/').next().unwrap_or_default();
                project.names.insert(name.to_ascii_lowercase());
                project.modules.push(Listed {
                    name: name.to_vec(),
                    kind: key,
                });
            }
            "cmg" => {
                let state = decrypt(value).and_then(|state| u32_at(&state, 0));
                project.protection = state.map(|bits| Protection { bits: bits & 7 });
            }
            "dpb" => project.password = decrypt(value).is_some_and(|data| data.len() > 1),
            _ => {}
        }
    }
    project
}

/// Data decryption (2.4.3.3) of hexadecimal digits in quotes; `None` where it is not of that form.
fn decrypt(value: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = value.iter().copied().filter(|&byte| byte != b'"').collect();
    let bytes: Option<Vec<u8>> = digits
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let bytes = bytes?;
    let (&seed, &version, &key) = (bytes.first()?, bytes.get(1)?, bytes.get(2)?);
    let version_plain = seed ^ version;
    let project_key = seed ^ key;
    let mut unencrypted = project_key;
    let (mut newer, mut older) = (key, version);
    let plain: Vec<u8> = bytes
        .get(3..)?
        .iter()
        .map(|&encrypted| {
            let byte = encrypted ^ older.wrapping_add(unencrypted);
            older = newer;
            newer = encrypted;
            unencrypted = byte;
            byte
        })
        .collect();
    let ignored = usize::from((seed & 6) / 2);
    let length = crate::bytes::index(u32_at(plain.get(ignored..)?, 0)?);
    if version_plain != 2 {
        return None;
    }
    let start = ignored.checked_add(4)?;
    plain
        .get(start..start.checked_add(length)?)
        .map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encrypts as 2.4.3.2 says, with a seed that asks for one ignored byte.
    fn encrypt(data: &[u8]) -> String {
        let (seed, project_key) = (0x02u8, 0x5au8);
        let (version, key) = (seed ^ 2, seed ^ project_key);
        let mut out = vec![seed, version, key];
        let mut plain = vec![7u8];
        plain.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        plain.extend(data);
        let (mut unencrypted, mut newer, mut older) = (project_key, key, version);
        for byte in plain {
            let encrypted = byte ^ older.wrapping_add(unencrypted);
            out.push(encrypted);
            older = newer;
            newer = encrypted;
            unencrypted = byte;
        }
        out.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    #[test]
    fn modules_and_protection_are_read() {
        let text = format!(
            "ID=\"{{0}}\"\r\nDocument=ThisDocument/&H00000000\r\nModule=Module1\r\nclass = Worker\r\nCMG=\"{}\"\r\nDPB=\"{}\"\r\n\r\n[Host Extender Info]\r\nModule=NotOne\r\n",
            encrypt(&1u32.to_le_bytes()),
            encrypt(&[0]),
        );
        let project = parse(text.as_bytes());
        assert_eq!(project.modules.len(), 3);
        assert!(
            project.lists(b"thisdocument") && project.lists(b"Worker") && !project.lists(b"NotOne")
        );
        assert_eq!(project.protection, Some(Protection { bits: 1 }));
        assert!(!project.password);
    }

    #[test]
    fn a_protection_that_does_not_decode_is_none() {
        assert_eq!(parse(b"CMG=\"zz\"\r\nModule=M").protection, None);
        assert_eq!(parse(b"CMG=\"\"").protection, None);
        assert_eq!(parse(b""), Project::default());
        let password = format!("DPB=\"{}\"", encrypt(&[9; 29]));
        assert!(parse(password.as_bytes()).password);
    }
}
