//! Encrypted members of OpenDocument packages (OpenDocument 1.3 part 2, 3.4 and 4.16): each stands in the manifest with
//! the way in which it is locked. Opened are those under AES in CBC mode, which office programs have written since 2012;
//! of older ones (Blowfish) and of packages that are one locked member (AES in GCM) the lock is told.

use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::{base64, office_crypt, xml};

/// Rounds of key derivation above which nobody's program opens a document either.
const ROUNDS: u32 = 1_000_000;

/// Bytes of a decrypted member that its checksum is over.
const SUMMED: usize = 1024;

/// How a member is locked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    /// The path of the member.
    pub path: String,
    algorithm: String,
    start: Vec<u8>,
    derivation: String,
    salt: Vec<u8>,
    rounds: u32,
    key_len: usize,
    start_by_sha256: bool,
    checksum: Vec<u8>,
    sum_by_sha256: bool,
}

/// The locked members that a manifest lists.
pub fn locks(manifest: &str) -> Vec<Lock> {
    let mut found: Vec<Lock> = Vec::new();
    let mut path = String::new();
    let mut open = false;
    for element in xml::elements(manifest) {
        let of = |name: &str| {
            let value = element
                .attributes
                .iter()
                .find(|(found, _)| local(found) == name);
            value.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let bytes = |name: &str| base64::decode(of(name).as_bytes()).data;
        match local(&element.name) {
            "file-entry" => {
                of("full-path").clone_into(&mut path);
                open = false;
            }
            "encryption-data" => {
                open = true;
                found.push(Lock {
                    path: path.clone(),
                    checksum: bytes("checksum"),
                    sum_by_sha256: of("checksum-type").to_ascii_lowercase().contains("sha256"),
                    ..Lock::default()
                });
            }
            name => {
                let Some(lock) = found.last_mut().filter(|_| open) else {
                    continue;
                };
                match name {
                    "algorithm" => {
                        of("algorithm-name").clone_into(&mut lock.algorithm);
                        lock.start = bytes("initialisation-vector");
                    }
                    "start-key-generation" => {
                        let how = of("start-key-generation-name").to_ascii_lowercase();
                        lock.start_by_sha256 = how.contains("sha256");
                    }
                    "key-derivation" => {
                        of("key-derivation-name").clone_into(&mut lock.derivation);
                        lock.salt = bytes("salt");
                        lock.rounds = of("iteration-count").parse().unwrap_or_default();
                        lock.key_len = of("key-size").parse().unwrap_or(16);
                    }
                    _ => {}
                }
            }
        }
    }
    found
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

impl Lock {
    /// What it is called.
    pub fn scheme(&self) -> String {
        let algorithm = self.algorithm.rsplit(['#', ':']).next().unwrap_or_default();
        match algorithm.to_ascii_lowercase().as_str() {
            "aes128-cbc" => "AES-128 (OpenDocument)".to_owned(),
            "aes192-cbc" => "AES-192 (OpenDocument)".to_owned(),
            "aes256-cbc" => "AES-256 (OpenDocument)".to_owned(),
            "aes256-gcm" => "AES-256 GCM (OpenDocument)".to_owned(),
            "blowfish" | "blowfish cfb" => "Blowfish (OpenDocument)".to_owned(),
            _ => "unknown encryption (OpenDocument)".to_owned(),
        }
    }

    /// Whether there is a way to open it with a password.
    pub fn can_be_opened(&self) -> bool {
        let cbc = self.algorithm.to_ascii_lowercase().ends_with("-cbc");
        let derived = self.derivation.to_ascii_lowercase().ends_with("pbkdf2");
        cbc && derived
            && (1..=ROUNDS).contains(&self.rounds)
            && matches!(self.key_len, 16 | 24 | 32)
            && self.start.len() == 16
            && !self.checksum.is_empty()
    }

    /// The deflated bytes of a member, where the password is right.
    pub fn open(&self, locked: &[u8], password: &str) -> Option<Vec<u8>> {
        if !self.can_be_opened() {
            return None;
        }
        let start = match self.start_by_sha256 {
            true => Sha256::digest(password).to_vec(),
            false => Sha1::digest(password).to_vec(),
        };
        let mut key = vec![0; self.key_len];
        pbkdf2::pbkdf2_hmac::<Sha1>(&start, &self.salt, self.rounds, &mut key);
        let mut plain = office_crypt::cbc(&key, &self.start, locked)?;
        // The last byte says how many were added (XML Encryption 5.2).
        let added = usize::from(*plain.last()?);
        let len = plain
            .len()
            .checked_sub(added)
            .filter(|_| (1..=16).contains(&added))?;
        plain.truncate(len);
        let summed = plain.get(..SUMMED).unwrap_or(&plain);
        let sum = match self.sum_by_sha256 {
            true => Sha256::digest(summed).to_vec(),
            false => Sha1::digest(summed).to_vec(),
        };
        (sum == self.checksum).then_some(plain)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aes::cipher::{BlockCipherEncrypt, KeyInit};
    use aes::{Aes256, Block};

    use super::*;

    const SALT: [u8; 16] = [5; 16];
    const START: [u8; 16] = [9; 16];

    /// The locked bytes of a deflated member, and the element of the manifest that says how.
    pub(crate) fn locked(path: &str, deflated: &[u8], password: &str) -> (Vec<u8>, String) {
        let mut key = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha1>(&Sha256::digest(password), &SALT, 1000, &mut key);
        let cipher = Aes256::new_from_slice(&key).unwrap();
        let mut padded = deflated.to_vec();
        let added = 16 - padded.len() % 16;
        padded.resize(padded.len() + added, u8::try_from(added).unwrap());
        let mut before = START;
        let mut out = Vec::new();
        for chunk in padded.as_chunks::<16>().0 {
            let mut block = Block::from(*chunk);
            block
                .iter_mut()
                .zip(before)
                .for_each(|(byte, mask)| *byte ^= mask);
            cipher.encrypt_block(&mut block);
            before.copy_from_slice(&block);
            out.extend(block);
        }
        let sum = Sha256::digest(deflated.get(..1024).unwrap_or(deflated));
        let element = format!(
            "<m:file-entry m:full-path=\"{path}\" m:size=\"9\"><m:encryption-data m:checksum-type=\"urn:x#sha256-1k\" m:checksum=\"{}\">\
             <m:algorithm m:algorithm-name=\"http://www.w3.org/2001/04/xmlenc#aes256-cbc\" m:initialisation-vector=\"{}\"/>\
             <m:start-key-generation m:start-key-generation-name=\"http://www.w3.org/2000/09/xmldsig#sha256\"/>\
             <m:key-derivation m:key-derivation-name=\"PBKDF2\" m:key-size=\"32\" m:iteration-count=\"1000\" m:salt=\"{}\"/>\
             </m:encryption-data></m:file-entry>",
            base64::encode(&sum),
            base64::encode(&START),
            base64::encode(&SALT),
        );
        (out, element)
    }

    #[test]
    fn a_member_opens_with_its_password_and_no_other() {
        let (data, element) = locked("content.xml", b"deflated bytes of the content", "secret");
        let manifest =
            format!("<m:manifest><m:file-entry m:full-path=\"/\"/>{element}</m:manifest>");
        let locks = locks(&manifest);
        assert_eq!(locks.len(), 1);
        assert_eq!(locks[0].path, "content.xml");
        assert_eq!(locks[0].scheme(), "AES-256 (OpenDocument)");
        assert_eq!(
            locks[0].open(&data, "secret").unwrap(),
            b"deflated bytes of the content"
        );
        assert_eq!(locks[0].open(&data, "other"), None);
        assert_eq!(locks[0].open(b"", "secret"), None);
    }

    #[test]
    fn other_locks_are_told_and_not_tried() {
        let manifest = "<manifest><file-entry full-path=\"a\"><encryption-data><algorithm algorithm-name=\"Blowfish CFB\"/>\
                        <key-derivation key-derivation-name=\"PBKDF2\" iteration-count=\"4000000000\"/></encryption-data></file-entry></manifest>";
        let locks = locks(manifest);
        assert_eq!(locks[0].scheme(), "Blowfish (OpenDocument)");
        assert!(!locks[0].can_be_opened());
        assert!(super::locks("<manifest><file-entry full-path='a'/></manifest>").is_empty());
    }
}
