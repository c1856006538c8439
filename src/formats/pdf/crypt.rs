//! Encryption by a password (ISO 32000-2 7.6): the standard security handler in every revision.

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256, Block};
use md5::Md5;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{Dict, Document, Object};
use crate::formats::rc4::rc4;

/// Pads passwords (7.6.4.3.2, step a).
const PADDING: [u8; 32] = [
    0x28, 0xbf, 0x4e, 0x5e, 0x4e, 0x75, 0x8a, 0x41, 0x64, 0x00, 0x4e, 0x56, 0xff, 0xfa, 0x01, 0x08,
    0x2e, 0x2e, 0x00, 0xb6, 0xd0, 0x68, 0x3e, 0x80, 0x2f, 0x0c, 0xa9, 0xfe, 0x64, 0x53, 0x69, 0x7a,
];

/// How a file is encrypted, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme(pub String);

/// What bytes are encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cipher {
    None,
    Rc4,
    Aes128,
    Aes256,
}

/// The key of a file that was opened.
#[derive(Debug, Clone)]
pub(super) struct Security {
    key: Vec<u8>,
    strings: Cipher,
    streams: Cipher,
    metadata: bool,
}

/// The words for a dictionary of encryption.
pub(super) fn scheme(document: &Document<'_>, dict: &Dict) -> Scheme {
    let handler = match dict.get("Filter") {
        Some(Object::Name(name)) => String::from_utf8_lossy(&name.text).into_owned(),
        _ => "unknown".to_owned(),
    };
    let what = match (handler.as_str(), ciphers(document, dict).1) {
        ("Standard", Cipher::Rc4) => format!("RC4-{}", key_len(document, dict).saturating_mul(8)),
        ("Standard", Cipher::Aes128) => "AES-128".to_owned(),
        ("Standard", Cipher::Aes256) => "AES-256".to_owned(),
        ("Standard", Cipher::None) => "none".to_owned(),
        (other, _) => format!("handler {}", crate::text::excerpt(other)),
    };
    Scheme(what)
}

fn number(document: &Document<'_>, dict: &Dict, key: &str) -> i64 {
    let value = dict
        .get(key)
        .and_then(|value| document.resolve(value).0.number());
    value.unwrap_or_default()
}

fn bytes(document: &Document<'_>, dict: &Dict, key: &str) -> Vec<u8> {
    match dict.get(key).map(|value| document.resolve(value).0) {
        Some(Object::Text(text)) => text.clone(),
        _ => Vec::new(),
    }
}

/// Length of the key in bytes for RC4.
fn key_len(document: &Document<'_>, dict: &Dict) -> usize {
    let version = number(document, dict, "V");
    let bits = match number(document, dict, "Length") {
        0 => 40,
        bits => bits,
    };
    match version {
        0 | 1 => 5,
        4.. => 16,
        _ => usize::try_from(bits / 8).unwrap_or(5).clamp(5, 16),
    }
}

/// Lengths of the key in bytes that a file may mean, the likeliest first: where a crypt filter says RC4, writers differ
/// about whether its length counts and in which unit (7.6.6.2, table 25), and readers take what fits.
fn key_lens(document: &Document<'_>, dict: &Dict) -> Vec<usize> {
    let mut lens = vec![key_len(document, dict)];
    if number(document, dict, "V") < 4 || ciphers(document, dict).1 != Cipher::Rc4 {
        return lens;
    }
    let bits = number(document, dict, "Length");
    if let Ok(len @ 5..16) = usize::try_from(bits / 8) {
        lens.push(len);
    }
    lens
}

/// The ciphers of strings and of streams.
fn ciphers(document: &Document<'_>, dict: &Dict) -> (Cipher, Cipher) {
    if number(document, dict, "V") < 4 {
        return (Cipher::Rc4, Cipher::Rc4);
    }
    let filters = match dict.get("CF").map(|value| document.resolve(value).0) {
        Some(Object::Dict(filters)) => Some(filters),
        _ => None,
    };
    let cipher = |key: &str| {
        let Some(Object::Name(name)) = dict.get(key) else {
            return Cipher::None;
        };
        let name = String::from_utf8_lossy(&name.text).into_owned();
        let filter = filters.and_then(|filters| filters.get(&name));
        let Some(Object::Dict(filter)) = filter.map(|value| document.resolve(value).0) else {
            return Cipher::None;
        };
        match filter.get("CFM") {
            Some(Object::Name(method)) => match method.text.as_slice() {
                b"V2" => Cipher::Rc4,
                b"AESV2" => Cipher::Aes128,
                b"AESV3" => Cipher::Aes256,
                _ => Cipher::None,
            },
            _ => Cipher::None,
        }
    };
    (cipher("StrF"), cipher("StmF"))
}

impl Security {
    /// Opens a file with a password of the user or the owner.
    pub(super) fn open(
        document: &Document<'_>,
        dict: &Dict,
        id: &[u8],
        password: &[u8],
    ) -> Option<Self> {
        if !dict.is("Filter", "Standard") {
            return None;
        }
        let revision = number(document, dict, "R");
        let metadata = dict.get("EncryptMetadata") != Some(&Object::Bool(false));
        let user = bytes(document, dict, "U");
        let key = match revision {
            2..=4 => {
                let owner = bytes(document, dict, "O");
                let permissions = number(document, dict, "P");
                let permissions = permissions.to_le_bytes();
                let hide = revision >= 4 && !metadata;
                let owner = owner.get(..32).unwrap_or(&owner);
                let words = key_lens(document, dict).into_iter().flat_map(|len| {
                    let words = [padded(password), of_owner(password, owner, revision, len)];
                    words.map(|word| (len, word))
                });
                let keys = words.map(|(len, word)| {
                    let parts: [&[u8]; 5] = [
                        &word,
                        owner,
                        permissions.get(..4).unwrap_or_default(),
                        id,
                        if hide { &[0xff; 4] } else { &[] },
                    ];
                    old_key(&parts, revision, len)
                });
                let mut keys = keys.filter(|key| fits(key, revision, id, &user));
                let mut key = keys.next()?;
                // A short key of a crypt filter is filled up with zeros before objects have keys of it, as Acrobat does.
                if number(document, dict, "V") >= 4 && key.len() < 16 {
                    key.resize(16, 0);
                }
                key
            }
            5 | 6 => {
                let password = password.get(..127).unwrap_or(password);
                let owner = bytes(document, dict, "O");
                // Algorithm 2.A: the owner's hashes are over the user's entry too.
                let wrap = new_key(password, &user, &[], revision).map(|key| (key, "UE"));
                let (wrap, entry) = wrap.or_else(|| {
                    let key = new_key(password, &owner, user.get(..48)?, revision)?;
                    Some((key, "OE"))
                })?;
                let wrapped = bytes(document, dict, entry);
                decrypt::<Aes256>(&wrap, &[0; 16], wrapped.get(..32)?)
            }
            _ => return None,
        };
        let (strings, streams) = ciphers(document, dict);
        Some(Self {
            key,
            strings,
            streams,
            metadata,
        })
    }

    /// Decrypts a string of an object.
    pub(super) fn string(&self, data: &[u8], number: u32, generation: u16) -> Vec<u8> {
        self.undo(self.strings, data, number, generation)
    }

    /// Decrypts a stream of an object.
    pub(super) fn stream(&self, data: &[u8], number: u32, generation: u16, dict: &Dict) -> Vec<u8> {
        match !self.metadata && dict.is("Type", "Metadata") {
            true => data.to_vec(),
            false => self.undo(self.streams, data, number, generation),
        }
    }

    fn undo(&self, cipher: Cipher, data: &[u8], number: u32, generation: u16) -> Vec<u8> {
        match cipher {
            Cipher::None => data.to_vec(),
            Cipher::Rc4 => rc4(&self.object_key(number, generation, false), data),
            Cipher::Aes128 => unpadded::<Aes128>(&self.object_key(number, generation, true), data),
            Cipher::Aes256 => unpadded::<Aes256>(&self.key, data),
        }
    }

    /// The key of one object (7.6.3.2, algorithm 1).
    fn object_key(&self, number: u32, generation: u16, aes: bool) -> Vec<u8> {
        let number = number.to_le_bytes();
        let mut hash = Md5::new()
            .chain_update(&self.key)
            .chain_update(number.get(..3).unwrap_or_default())
            .chain_update(generation.to_le_bytes());
        if aes {
            hash = hash.chain_update(b"sAlT");
        }
        let len = self.key.len().saturating_add(5).min(16);
        hash.finalize().get(..len).unwrap_or_default().to_vec()
    }
}

fn padded(password: &[u8]) -> Vec<u8> {
    let password = password.iter().chain(&PADDING);
    password.copied().take(32).collect()
}

/// Algorithm 2.
fn old_key(parts: &[&[u8]], revision: i64, len: usize) -> Vec<u8> {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    let mut key = hash.finalize().to_vec();
    if revision >= 3 {
        for _ in 0..50 {
            key = Md5::digest(key.get(..len).unwrap_or_default()).to_vec();
        }
    }
    key.truncate(len);
    key
}

/// Algorithm 7: the user's password, padded, that the owner's opens.
fn of_owner(password: &[u8], owner: &[u8], revision: i64, len: usize) -> Vec<u8> {
    let mut key = Md5::digest(padded(password)).to_vec();
    let rounds = if revision >= 3 { 50 } else { 0 };
    for _ in 0..rounds {
        key = Md5::digest(&key).to_vec();
    }
    key.truncate(len);
    let mut word = owner.to_vec();
    let turns = if revision >= 3 { 20u8 } else { 1 };
    for turn in (0..turns).rev() {
        let turned: Vec<u8> = key.iter().map(|byte| byte ^ turn).collect();
        word = rc4(&turned, &word);
    }
    word
}

/// The key that wraps the file's key, where the password is that of an entry (`U` or `O`).
fn new_key(password: &[u8], entry: &[u8], user: &[u8], revision: i64) -> Option<Vec<u8>> {
    let hash = |salt: &[u8]| match revision {
        5 => Sha256::new()
            .chain_update(password)
            .chain_update(salt)
            .chain_update(user)
            .finalize()
            .to_vec(),
        _ => hash(password, salt, user),
    };
    let fits = hash(entry.get(32..40)?) == entry.get(..32)?;
    fits.then(|| entry.get(40..48).map(hash)).flatten()
}

/// Algorithms 4 to 6: whether a key is that of the user's entry.
fn fits(key: &[u8], revision: i64, id: &[u8], user: &[u8]) -> bool {
    if revision == 2 {
        return rc4(key, &PADDING) == user.get(..32).unwrap_or(user);
    }
    let mut check = Md5::new()
        .chain_update(PADDING)
        .chain_update(id)
        .finalize()
        .to_vec();
    for round in 0..20u8 {
        let turned: Vec<u8> = key.iter().map(|byte| byte ^ round).collect();
        check = rc4(&turned, &check);
    }
    !check.is_empty() && user.get(..16) == Some(check.as_slice())
}

/// Algorithm 2.B; `user` is empty for the user's own password.
fn hash(password: &[u8], salt: &[u8], user: &[u8]) -> Vec<u8> {
    let mut key = Sha256::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(user)
        .finalize()
        .to_vec();
    let mut round = 0u32;
    // Ends: the last byte is at most 255, so round 288 is the last at the latest.
    loop {
        let one = [password, &key, user].concat();
        let many = one.repeat(64);
        let (Some(secret), Some(start)) = (key.get(..16), key.get(16..32)) else {
            return key;
        };
        let encrypted = encrypt(secret, start, &many);
        let sum: u32 = encrypted.iter().take(16).map(|byte| u32::from(*byte)).sum();
        key = match sum % 3 {
            0 => Sha256::digest(&encrypted).to_vec(),
            1 => Sha384::digest(&encrypted).to_vec(),
            _ => Sha512::digest(&encrypted).to_vec(),
        };
        round = round.saturating_add(1);
        let last = encrypted.last().copied().unwrap_or_default();
        if round >= 64 && u32::from(last) <= round.saturating_sub(32) {
            key.truncate(32);
            return key;
        }
    }
}

/// AES-128 in CBC mode, whole blocks.
fn encrypt(key: &[u8], start: &[u8], data: &[u8]) -> Vec<u8> {
    let Ok(cipher) = Aes128::new_from_slice(key) else {
        return Vec::new();
    };
    let mut before = start.to_vec();
    let mut out = Vec::with_capacity(data.len());
    for chunk in data.as_chunks::<16>().0 {
        let mixed: Vec<u8> = chunk.iter().zip(&before).map(|(a, b)| a ^ b).collect();
        let Ok(mut block) = Block::try_from(mixed.as_slice()) else {
            return out;
        };
        cipher.encrypt_block(&mut block);
        before = block.to_vec();
        out.extend_from_slice(&block);
    }
    out
}

/// AES in CBC mode, whole blocks.
fn decrypt<C: BlockCipherDecrypt + KeyInit>(key: &[u8], start: &[u8], data: &[u8]) -> Vec<u8> {
    let Ok(cipher) = C::new_from_slice(key) else {
        return Vec::new();
    };
    let mut before = start;
    let mut out = Vec::with_capacity(data.len());
    for chunk in data.as_chunks::<16>().0 {
        let Ok(mut block) = aes::cipher::Block::<C>::try_from(chunk.as_slice()) else {
            return out;
        };
        cipher.decrypt_block(&mut block);
        out.extend(block.iter().zip(before).map(|(a, b)| a ^ b));
        before = chunk;
    }
    out
}

/// AES in CBC mode: the start stands in front, padding behind (7.6.3.1).
fn unpadded<C: BlockCipherDecrypt + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let Some((start, rest)) = data.split_at_checked(16) else {
        return Vec::new();
    };
    let mut out = decrypt::<C>(key, start, rest);
    let padding = out.last().copied().map_or(0, usize::from);
    if (1..=16).contains(&padding) {
        out.truncate(out.len().saturating_sub(padding));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encrypted_decrypts_to_itself() {
        let data: Vec<u8> = (0..64).collect();
        let encrypted = encrypt(&[7; 16], &[9; 16], &data);
        assert_eq!(decrypt::<Aes128>(&[7; 16], &[9; 16], &encrypted), data);
        assert!(decrypt::<Aes128>(&[7; 3], &[9; 16], &encrypted).is_empty());
    }
}
