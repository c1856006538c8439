//! Encrypted Office documents opened with a password ([MS-OFFCRYPTO]): packages in agile and standard encryption, and
//! the streams of Word and Excel 97 to 2003 in RC4 and RC4 CryptoAPI, those of Excel in XOR obfuscation too.

use aes::cipher::{BlockCipherDecrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::rc4::{Rc4, rc4};
use super::{base64, xml};
use crate::bytes::{Reader, index, length, slice, u16_at, u32_at};

/// Rounds of hashing that a document may ask for; the specification allows ten times as many, Office writes 100,000.
const ROUNDS: u32 = 1_000_000;

/// Bytes of one segment of a package (2.3.4.15).
const SEGMENT: usize = 4096;

/// Bytes of one block of a workbook stream ([MS-XLS] 2.2.10), and of the streams of a document ([MS-DOC] 2.2.6.2).
const BOOK_BLOCK: usize = 1024;
const WORD_BLOCK: usize = 512;

/// The package in an `EncryptedPackage` stream, where the password is right.
pub fn package(info: &[u8], package: &[u8], password: &str) -> Option<Vec<u8>> {
    let size = index(u64::from_le_bytes(package.get(..8)?.try_into().ok()?));
    let body = package.get(8..)?;
    let mut out = match (u16_at(info, 0)?, u16_at(info, 2)?) {
        (4, 4) => agile(info.get(8..)?, body, password)?,
        (2..=4, 2) => standard(info, body, password)?,
        _ => return None,
    };
    out.truncate(size);
    Some(out)
}

/// Hash functions by their names in the key data.
#[derive(Debug, Clone, Copy)]
enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().replace('-', "").as_str() {
            "MD5" => Self::Md5,
            "SHA1" => Self::Sha1,
            "SHA256" => Self::Sha256,
            "SHA384" => Self::Sha384,
            "SHA512" => Self::Sha512,
            _ => return None,
        })
    }

    fn digest(self, first: &[u8], second: &[u8]) -> Vec<u8> {
        fn both<D: Digest>(first: &[u8], second: &[u8]) -> Vec<u8> {
            D::new()
                .chain_update(first)
                .chain_update(second)
                .finalize()
                .to_vec()
        }
        match self {
            Self::Md5 => both::<Md5>(first, second),
            Self::Sha1 => both::<Sha1>(first, second),
            Self::Sha256 => both::<Sha256>(first, second),
            Self::Sha384 => both::<Sha384>(first, second),
            Self::Sha512 => both::<Sha512>(first, second),
        }
    }

    /// A password hashed so many times.
    fn spun(self, salt: &[u8], password: &str, rounds: u32) -> Vec<u8> {
        fn all<D: Digest>(salt: &[u8], password: &[u8], rounds: u32) -> Vec<u8> {
            let mut hash = D::new_with_prefix(salt).chain_update(password).finalize();
            for round in 0..rounds {
                let next = D::new_with_prefix(round.to_le_bytes());
                hash = next.chain_update(&hash).finalize();
            }
            hash.to_vec()
        }
        let password = utf16(password);
        match self {
            Self::Md5 => all::<Md5>(salt, &password, rounds),
            Self::Sha1 => spun_sha1(salt, &password, rounds),
            Self::Sha256 => all::<Sha256>(salt, &password, rounds),
            Self::Sha384 => all::<Sha384>(salt, &password, rounds),
            Self::Sha512 => all::<Sha512>(salt, &password, rounds),
        }
    }
}

/// [`Hash::spun`] in SHA-1, which standard encryption has: each round hashes one block, in which only the number and
/// the hash before it change. The digest's own way to that block costs as much as a sixth of the rounds.
fn spun_sha1(salt: &[u8], password: &[u8], rounds: u32) -> Vec<u8> {
    /// What every hash begins with (FIPS 180-4 section 5.3.1).
    const START: [u32; 5] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    /// The end of the message, and its length in bits: four bytes and twenty (section 5.1.1).
    const PADDED: [u32; 16] = [0, 0, 0, 0, 0, 0, 0x8000_0000, 0, 0, 0, 0, 0, 0, 0, 0, 192];
    let first = Sha1::new_with_prefix(salt).chain_update(password);
    let first = first.finalize();
    let mut hash = START;
    for (word, bytes) in hash.iter_mut().zip(first.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    let mut block = [0; 64];
    for (bytes, word) in block.as_chunks_mut::<4>().0.iter_mut().zip(PADDED) {
        *bytes = word.to_be_bytes();
    }
    for round in 0..rounds {
        let words = std::iter::once(round.swap_bytes()).chain(hash);
        for (bytes, word) in block.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *bytes = word.to_be_bytes();
        }
        hash = START;
        sha1::block_api::compress(&mut hash, std::slice::from_ref(&block));
    }
    hash.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn utf16(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// What an element of the key data says.
#[derive(Debug, Default)]
struct KeyData {
    salt: Vec<u8>,
    key_bits: usize,
    block: usize,
    hash_size: usize,
    hash: String,
    cipher: String,
    chaining: String,
    rounds: u32,
    verifier: Vec<u8>,
    verifier_hash: Vec<u8>,
    key: Vec<u8>,
}

/// Agile encryption (2.3.4.10 to 2.3.4.15).
fn agile(descriptor: &[u8], body: &[u8], password: &str) -> Option<Vec<u8>> {
    let (data, locked) = key_data(&String::from_utf8_lossy(descriptor))?;
    if locked.rounds > ROUNDS
        || [&data, &locked]
            .iter()
            .any(|one| one.cipher != "AES" || !one.chaining.ends_with("CBC"))
    {
        return None;
    }
    let hash = Hash::of(&locked.hash)?;
    let spun = hash.spun(&locked.salt, password, locked.rounds);
    let start = fitted(locked.salt.clone(), locked.block, 0);
    let open = |purpose: [u8; 8], what: &[u8]| {
        let key = fitted(hash.digest(&spun, &purpose), locked.key_bits / 8, 0x36);
        cbc(&key, &start, what)
    };
    let verifier = open(
        [0xfe, 0xa7, 0xd2, 0x76, 0x3b, 0x4b, 0x9e, 0x79],
        &locked.verifier,
    )?;
    let wanted = open(
        [0xd7, 0xaa, 0x0f, 0x6d, 0x30, 0x61, 0x34, 0x4e],
        &locked.verifier_hash,
    )?;
    let found = hash.digest(verifier.get(..locked.salt.len()).unwrap_or(&verifier), &[]);
    if found.is_empty()
        || wanted.get(..locked.hash_size.min(found.len()))
            != Some(found.get(..locked.hash_size.min(found.len()))?)
    {
        return None;
    }
    let key = open(
        [0x14, 0x6e, 0x0b, 0xe7, 0xab, 0xac, 0xd0, 0xd6],
        &locked.key,
    )?;
    let key = key.get(..data.key_bits / 8)?;
    let hash = Hash::of(&data.hash)?;
    let mut out = Vec::with_capacity(body.len());
    for (number, segment) in (0u32..).zip(body.chunks(SEGMENT)) {
        let start = fitted(
            hash.digest(&data.salt, &number.to_le_bytes()),
            data.block,
            0x36,
        );
        out.extend(cbc(key, &start, segment)?);
    }
    Some(out)
}

fn key_data(descriptor: &str) -> Option<(KeyData, KeyData)> {
    use quick_xml::events::Event;
    let mut reader = xml::reader(descriptor);
    let (mut data, mut locked) = (None, None);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => {
                let text = |name: &str| xml::attribute(&tag, name).unwrap_or_default();
                let number = |name: &str| text(name).parse().unwrap_or_default();
                let raw = |name: &str| base64::decode(text(name).as_bytes()).data;
                let read = || KeyData {
                    salt: raw("saltValue"),
                    key_bits: number("keyBits"),
                    block: number("blockSize"),
                    hash_size: number("hashSize"),
                    hash: text("hashAlgorithm"),
                    cipher: text("cipherAlgorithm"),
                    chaining: text("cipherChaining"),
                    rounds: text("spinCount").parse().unwrap_or_default(),
                    verifier: raw("encryptedVerifierHashInput"),
                    verifier_hash: raw("encryptedVerifierHashValue"),
                    key: raw("encryptedKeyValue"),
                };
                match tag.local_name().as_ref() {
                    "keyData" => data = Some(read()),
                    "encryptedKey" if locked.is_none() => locked = Some(read()),
                    _ => {}
                }
            }
            Ok(Event::Eof) | Err(_) => return Some((data?, locked?)),
            Ok(_) => {}
        }
    }
}

/// Cut or filled to a length.
fn fitted(mut bytes: Vec<u8>, len: usize, fill: u8) -> Vec<u8> {
    bytes.resize(len.min(64), fill);
    bytes
}

/// AES in CBC mode; what is no whole block at the end is left out.
pub(super) fn cbc(key: &[u8], start: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mut out = ecb(key, data)?;
    let mut before = start;
    for (plain, locked) in out
        .as_chunks_mut::<16>()
        .0
        .iter_mut()
        .zip(data.as_chunks::<16>().0)
    {
        for (byte, mask) in plain.iter_mut().zip(before) {
            *byte ^= mask;
        }
        before = locked;
    }
    Some(out)
}

/// AES block by block.
fn ecb(key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    fn by<C: BlockCipherDecrypt + KeyInit>(key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
        let cipher = C::new_from_slice(key).ok()?;
        let mut out = Vec::with_capacity(data.len());
        for chunk in data.as_chunks::<16>().0 {
            let mut block = aes::cipher::Block::<C>::try_from(chunk.as_slice()).ok()?;
            cipher.decrypt_block(&mut block);
            out.extend_from_slice(&block);
        }
        Some(out)
    }
    match key.len() {
        16 => by::<Aes128>(key, data),
        24 => by::<Aes192>(key, data),
        32 => by::<Aes256>(key, data),
        _ => None,
    }
}

/// The verifier behind a header (2.3.3), and the bits of the key.
struct Verifier<'a> {
    key_bits: u32,
    salt: &'a [u8],
    input: &'a [u8],
    hash: &'a [u8],
}

/// Reads a header with its size before it, and the verifier behind it.
fn verifier(data: &[u8]) -> Option<Verifier<'_>> {
    let mut reader = Reader::new(data);
    let size = index(u64::from(reader.u32("size of the header").ok()?));
    let header = reader.take("header", size).ok()?;
    let salt_size = reader.u32("size of the salt").ok()?;
    let salt = reader
        .take("salt", index(u64::from(salt_size.min(64))))
        .ok()?;
    let input = reader.take("verifier", 16).ok()?;
    reader.skip("size of the hash", 4).ok()?;
    Some(Verifier {
        key_bits: u32_at(header, 16)?,
        salt,
        input,
        hash: reader.rest(),
    })
}

/// Standard encryption (2.3.4.5 to 2.3.4.9).
fn standard(info: &[u8], body: &[u8], password: &str) -> Option<Vec<u8>> {
    let check = verifier(info.get(8..)?)?;
    let spun = Hash::Sha1.spun(check.salt, password, 50_000);
    let hash = Hash::Sha1.digest(&spun, &[0; 4]);
    let mixed = |fill: u8| {
        let block: Vec<u8> = (0..64)
            .map(|at| fill ^ hash.get(at).copied().unwrap_or(0))
            .collect();
        Hash::Sha1.digest(&block, &[])
    };
    let both = [mixed(0x36), mixed(0x5c)].concat();
    let key = both.get(..index(u64::from(check.key_bits / 8)))?;
    let input = ecb(key, check.input)?;
    let wanted = ecb(key, check.hash.get(..32)?)?;
    if wanted.get(..20)? != Hash::Sha1.digest(&input, &[]) {
        return None;
    }
    ecb(key, body)
}

/// The workbook stream in clear, where the password is right.
pub fn workbook(stream: &[u8], password: &str) -> Option<Vec<u8>> {
    let pass = file_pass(stream)?;
    let cipher = match (u16_at(pass, 0)?, u16_at(pass, 2), u16_at(pass, 4)) {
        // Excel 5 and 95 know no other way, and do not name it.
        (key, Some(hash), None) => obfuscated(key, hash, password)?,
        (1, Some(1), Some(1)) => old_rc4(pass.get(6..)?, password)?,
        (1, Some(2..=4), Some(2)) => crypto_api(pass.get(10..)?, password)?,
        (0, Some(key), Some(hash)) => obfuscated(key, hash, password)?,
        _ => return None,
    };
    Some(clear(stream, &cipher))
}

/// The body of the FilePass record.
fn file_pass(stream: &[u8]) -> Option<&[u8]> {
    let mut at = 0usize;
    // Ends because every round takes at least four bytes.
    while let (Some(id), Some(len)) = (u16_at(stream, at), u16_at(stream, at.checked_add(2)?)) {
        let start = at.checked_add(4)?;
        match id {
            0x002f => return slice(stream, start, usize::from(len)),
            0x000a => return None,
            _ => at = start.checked_add(usize::from(len))?,
        }
    }
    None
}

/// The streams of a Word document in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// `WordDocument`, which no longer says that it is encrypted.
    pub document: Vec<u8>,
    /// The table stream that it names.
    pub table: Vec<u8>,
    /// `Data`.
    pub data: Vec<u8>,
}

/// The streams of a Word document in RC4 or RC4 CryptoAPI, where the password is right.
pub fn word(document: &[u8], table: &[u8], data: &[u8], password: &str) -> Option<Word> {
    /// Bytes of the FIB that stay in clear ([MS-DOC] 2.2.6.2).
    const FIB: usize = 68;
    // Encrypted, and not obfuscated by XOR.
    if u16_at(document, 10)? & 0x8100 != 0x0100 {
        return None;
    }
    let header = index(u64::from(u32_at(document, 14)?));
    let cipher = match (u16_at(table, 0)?, u16_at(table, 2)?) {
        (1, 1) => old_rc4(table.get(4..)?, password)?,
        (2..=4, 2) => crypto_api(table.get(8..)?, password)?,
        _ => return None,
    };
    let mut document = unmasked(document, FIB, &cipher);
    let flags = u16_at(&document, 10)? & !0x0100;
    for (at, byte) in flags.to_le_bytes().iter().enumerate() {
        *document.get_mut(at.saturating_add(10))? = *byte;
    }
    Some(Word {
        document,
        table: unmasked(table, header, &cipher),
        data: unmasked(data, 0, &cipher),
    })
}

/// The streams of an encrypted presentation in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presentation {
    /// `Current User`.
    pub user: Vec<u8>,
    /// `PowerPoint Document`.
    pub document: Vec<u8>,
}

/// Undoes the encryption of a presentation where the password is right ([MS-PPT] 2.3.7): each object of the persist
/// directory is encrypted by itself, with its number as that of the block. Pictures stay as they are.
pub fn presentation(user: &[u8], document: &[u8], password: &str) -> Option<Presentation> {
    /// HeaderToken of a file that is not encrypted ([MS-PPT] 2.3.2).
    const PLAIN: u32 = 0xe391_c05f;
    let edits = edits(document, index(u32_at(user, 16)?));
    let session = edits.iter().find_map(|edit| edit.session)?;
    let objects: Vec<(u32, usize)> = edits
        .iter()
        .flat_map(|edit| persisted(document, edit.directory))
        .collect();
    let (_, at) = objects.iter().find(|(number, _)| *number == session)?;
    let container = record_body(document, *at, 0x2f14)?;
    let cipher = crypto_api(container.get(8..)?, password)?;
    let mut clear = document.to_vec();
    let mut done = std::collections::BTreeSet::new();
    let mut work = 0usize;
    for (number, at) in objects {
        if number == session || !done.insert(at) {
            continue;
        }
        let rest = document.get(at..).unwrap_or_default();
        let key = cipher.block_key(number);
        let header = rc4(&key, rest.get(..8).unwrap_or_default());
        let len = index(u32_at(&header, 4).unwrap_or_default()).saturating_add(8);
        let body = rest.get(..len).unwrap_or(rest);
        // Objects do not overlap, but where somebody means them to.
        work = work.saturating_add(body.len());
        if work > document.len().saturating_mul(2) {
            break;
        }
        let plain = rc4(&key, body);
        if let Some(place) = clear.get_mut(at..at.saturating_add(plain.len())) {
            place.copy_from_slice(&plain);
        }
    }
    // No longer encrypted, for those who read on.
    for edit in &edits {
        let field = edit.at.saturating_add(SESSION);
        if let Some(place) = clear.get_mut(field..field.saturating_add(4)) {
            place.fill(0);
        }
    }
    let mut user = user.to_vec();
    user.get_mut(12..16)?.copy_from_slice(&PLAIN.to_le_bytes());
    Some(Presentation {
        user,
        document: clear,
    })
}

/// Offset of encryptSessionPersistIdRef in a UserEditAtom with its header ([MS-PPT] 2.3.3).
const SESSION: usize = 36;

/// One save of a presentation.
struct Edit {
    at: usize,
    directory: usize,
    /// Number of the object that tells the encryption.
    session: Option<u32>,
}

/// The saves of a presentation, the last one first. Ends because each lies at a place of its own, and at a bound.
fn edits(document: &[u8], last: usize) -> Vec<Edit> {
    const SAVES: usize = 256;
    let mut edits: Vec<Edit> = Vec::new();
    let mut at = last;
    while let Some(body) = record_body(document, at, 0x0ff5) {
        let field = |place| u32_at(body, place).unwrap_or_default();
        if edits.len() >= SAVES || edits.iter().any(|edit| edit.at == at) {
            break;
        }
        edits.push(Edit {
            at,
            directory: index(field(12)),
            session: u32_at(body, SESSION.saturating_sub(8)).filter(|number| *number != 0),
        });
        at = index(field(8));
        if at == 0 {
            break;
        }
    }
    edits
}

/// Numbers and places of the objects of a PersistDirectoryAtom ([MS-PPT] 2.3.4).
fn persisted(document: &[u8], at: usize) -> Vec<(u32, usize)> {
    let body = record_body(document, at, 0x1772).unwrap_or_default();
    let mut words = body
        .chunks_exact(4)
        .filter_map(|word| Some(u32::from_le_bytes(word.try_into().ok()?)));
    let mut objects = Vec::new();
    // Ends with the words of the record.
    while let Some(entry) = words.next() {
        let (first, count) = (entry & 0x000f_ffff, entry >> 20);
        for number in first..first.saturating_add(count) {
            match words.next() {
                Some(place) => objects.push((number, index(place))),
                None => return objects,
            }
        }
    }
    objects
}

/// The body of the record of this type at a place.
fn record_body(document: &[u8], at: usize, kind: u16) -> Option<&[u8]> {
    let rest = document.get(at..)?;
    let len = index(u32_at(rest, 4)?);
    (u16_at(rest, 2)? == kind)
        .then(|| rest.get(8..len.checked_add(8)?))
        .flatten()
}

/// A stream without its masks from `from` on; the keys run on over what stays in clear.
fn unmasked(stream: &[u8], from: usize, cipher: &Cipher) -> Vec<u8> {
    let mut out = stream.to_vec();
    let mut keys = KeyStream::new(WORD_BLOCK);
    for (place, byte) in out.iter_mut().enumerate().skip(from) {
        *byte ^= keys.at(place, cipher);
    }
    out
}

/// How the bytes of a workbook are masked.
enum Cipher {
    /// The key of a block from its number.
    Rc4 {
        base: Vec<u8>,
        hash: Hash,
        len: usize,
    },
    Xor(Vec<u8>),
}

impl Cipher {
    fn block_key(&self, number: u32) -> Vec<u8> {
        match self {
            Self::Rc4 { base, hash, len } => {
                let mut key = hash.digest(base, &number.to_le_bytes());
                key.truncate(*len);
                // Forty bits are filled up with zeros (2.3.5.2).
                if *len == 5 && matches!(hash, Hash::Sha1) {
                    key.resize(16, 0);
                }
                key
            }
            Self::Xor(_) => Vec::new(),
        }
    }
}

/// RC4 with keys of 40 bits (2.3.6).
fn old_rc4(header: &[u8], password: &str) -> Option<Cipher> {
    let (salt, input, wanted) = (header.get(..16)?, header.get(16..32)?, header.get(32..48)?);
    let short = Hash::Md5.digest(&utf16(password), &[]);
    let mixed = [short.get(..5)?, salt].concat().repeat(16);
    let base = Hash::Md5.digest(&mixed, &[]).get(..5)?.to_vec();
    let cipher = Cipher::Rc4 {
        base,
        hash: Hash::Md5,
        len: 16,
    };
    let clear = rc4(&cipher.block_key(0), &[input, wanted].concat());
    let (input, wanted) = clear.split_at_checked(16)?;
    (Hash::Md5.digest(input, &[]) == wanted).then_some(cipher)
}

/// RC4 by CryptoAPI (2.3.5).
fn crypto_api(header: &[u8], password: &str) -> Option<Cipher> {
    let check = verifier(header)?;
    let len = match check.key_bits {
        0 => 5,
        bits => index(u64::from(bits / 8)),
    };
    let cipher = Cipher::Rc4 {
        base: Hash::Sha1.digest(check.salt, &utf16(password)),
        hash: Hash::Sha1,
        len: len.min(16),
    };
    let clear = rc4(
        &cipher.block_key(0),
        &[check.input, check.hash.get(..20)?].concat(),
    );
    let (input, wanted) = clear.split_at_checked(16)?;
    (Hash::Sha1.digest(input, &[]) == wanted).then_some(cipher)
}

/// XOR obfuscation, method 1 (2.3.7.1 to 2.3.7.3).
fn obfuscated(key: u16, hash: u16, password: &str) -> Option<Cipher> {
    let word: Vec<u8> = password
        .chars()
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect::<Option<_>>()?;
    if word.is_empty() || word.len() > 15 || hash != xor_hash(&word) || key != xor_key(&word)? {
        return None;
    }
    let [low, high] = key.to_le_bytes();
    let padding = PADDING.iter().copied();
    let padded = word.iter().copied().chain(padding).take(16);
    let masks = padded.enumerate().map(|(at, byte)| {
        let mask = if at % 2 == 0 { low } else { high };
        (byte ^ mask).rotate_right(1)
    });
    Some(Cipher::Xor(masks.collect()))
}

fn xor_hash(word: &[u8]) -> u16 {
    let len = u8::try_from(word.len()).unwrap_or_default();
    let all = word.iter().rev().chain(std::iter::once(&len));
    all.fold(0u16, |hash, byte| {
        let turned = ((hash >> 14) & 1) | ((hash << 1) & 0x7fff);
        turned ^ u16::from(*byte)
    }) ^ 0xce4b
}

fn xor_key(word: &[u8]) -> Option<u16> {
    let mut key = *INITIAL.get(word.len().checked_sub(1)?)?;
    let mut at = MATRIX.len();
    for byte in word.iter().rev() {
        for bit in 0..7u8 {
            at = at.checked_sub(1)?;
            if byte & (0x40 >> bit) != 0 {
                key ^= *MATRIX.get(at)?;
            }
        }
    }
    Some(key)
}

const PADDING: [u8; 15] = [
    0xbb, 0xff, 0xff, 0xba, 0xff, 0xff, 0xb9, 0x80, 0x00, 0xbe, 0x0f, 0x00, 0xbf, 0x0f, 0x00,
];

const INITIAL: [u16; 15] = [
    0xe1f0, 0x1d0f, 0xcc9c, 0x84c0, 0x110c, 0x0e10, 0xf1ce, 0x313e, 0x1872, 0xe139, 0xd40f, 0x84f9,
    0x280c, 0xa96a, 0x4ec3,
];

const MATRIX: [u16; 105] = [
    0xaefc, 0x4dd9, 0x9bb2, 0x2745, 0x4e8a, 0x9d14, 0x2a09, 0x7b61, 0xf6c2, 0xfda5, 0xeb6b, 0xc6f7,
    0x9dcf, 0x2bbf, 0x4563, 0x8ac6, 0x05ad, 0x0b5a, 0x16b4, 0x2d68, 0x5ad0, 0x0375, 0x06ea, 0x0dd4,
    0x1ba8, 0x3750, 0x6ea0, 0xdd40, 0xd849, 0xa0b3, 0x5147, 0xa28e, 0x553d, 0xaa7a, 0x44d5, 0x6f45,
    0xde8a, 0xad35, 0x4a4b, 0x9496, 0x390d, 0x721a, 0xeb23, 0xc667, 0x9cef, 0x29ff, 0x53fe, 0xa7fc,
    0x5fd9, 0x47d3, 0x8fa6, 0x0f6d, 0x1eda, 0x3db4, 0x7b68, 0xf6d0, 0xb861, 0x60e3, 0xc1c6, 0x93ad,
    0x377b, 0x6ef6, 0xddec, 0x45a0, 0x8b40, 0x06a1, 0x0d42, 0x1a84, 0x3508, 0x6a10, 0xaa51, 0x4483,
    0x8906, 0x022d, 0x045a, 0x08b4, 0x1168, 0x76b4, 0xed68, 0xcaf1, 0x85c3, 0x1ba7, 0x374e, 0x6e9c,
    0x3730, 0x6e60, 0xdcc0, 0xa9a1, 0x4363, 0x86c6, 0x1dad, 0x3331, 0x6662, 0xccc4, 0x89a9, 0x0373,
    0x06e6, 0x0dcc, 0x1021, 0x2042, 0x4084, 0x8108, 0x1231, 0x2462, 0x48c4,
];

/// Records that stay in clear ([MS-XLS] 2.2.10): BOF, FilePass, UsrExcl, FileLock, InterfaceHdr, RRDInfo, RRDHead.
const CLEAR: &[u16] = &[0x0809, 0x002f, 0x0194, 0x0195, 0x00e1, 0x0196, 0x0138];

/// What takes the number of FilePass in a workbook that was opened.
pub const BLANKED: u16 = 0xffff;

/// Unmasks the bodies of records; the keys run on over what stays in clear.
fn clear(stream: &[u8], cipher: &Cipher) -> Vec<u8> {
    let mut out = stream.to_vec();
    let mut keys = KeyStream::new(BOOK_BLOCK);
    let mut at = 0usize;
    // Ends because every round takes at least four bytes.
    while let (Some(id), Some(len)) = (u16_at(stream, at), u16_at(stream, at.saturating_add(2))) {
        let start = at.saturating_add(4);
        let end = start.saturating_add(usize::from(len)).min(out.len());
        // The place of a sheet in the stream is not masked either.
        let skip = if id == 0x0085 { 4 } else { 0 };
        if !CLEAR.contains(&id) {
            for place in start.saturating_add(skip)..end {
                let Some(byte) = out.get_mut(place) else {
                    break;
                };
                *byte = match cipher {
                    Cipher::Rc4 { .. } => *byte ^ keys.at(place, cipher),
                    Cipher::Xor(masks) => {
                        let mask = place.saturating_add(usize::from(len)) % 16;
                        (*byte ^ masks.get(mask).copied().unwrap_or(0)).rotate_left(3)
                    }
                };
            }
        }
        // FilePass is blanked: the stream is in clear now.
        if id == 0x002f
            && let Some(number) = out.get_mut(at..at.saturating_add(2))
        {
            number.copy_from_slice(&BLANKED.to_le_bytes());
        }
        at = end.max(start);
    }
    out
}

/// The masks of a block at hand.
struct KeyStream {
    size: usize,
    block: Option<usize>,
    masks: Vec<u8>,
}

impl KeyStream {
    fn new(size: usize) -> Self {
        Self {
            size,
            block: None,
            masks: Vec::new(),
        }
    }

    fn at(&mut self, place: usize, cipher: &Cipher) -> u8 {
        let block = place / self.size;
        if self.block != Some(block) {
            let number = u32::try_from(length(block)).unwrap_or(u32::MAX);
            self.masks = Rc4::new(&cipher.block_key(number))
                .take(self.size)
                .collect();
            self.block = Some(block);
        }
        self.masks.get(place % self.size).copied().unwrap_or(0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The body of FilePass for XOR obfuscation by a password.
    pub(crate) fn xor_pass(word: &str) -> Vec<u8> {
        let key = xor_key(word.as_bytes()).unwrap();
        let hash = xor_hash(word.as_bytes());
        [0, key, hash]
            .iter()
            .flat_map(|one| one.to_le_bytes())
            .collect()
    }

    /// A workbook with its records obscured by a password; [`clear`] the other way round.
    pub(crate) fn obscured(stream: &[u8], word: &str) -> Vec<u8> {
        let key = xor_key(word.as_bytes()).unwrap();
        let cipher = obfuscated(key, xor_hash(word.as_bytes()), word).unwrap();
        let Cipher::Xor(masks) = &cipher else {
            panic!("no masks");
        };
        let mut out = stream.to_vec();
        let mut at = 0;
        while let (Some(id), Some(len)) = (u16_at(stream, at), u16_at(stream, at + 2)) {
            let end = at + 4 + usize::from(len);
            let skip = if id == 0x0085 { 4 } else { 0 };
            if !CLEAR.contains(&id) {
                for place in at + 4 + skip..end {
                    let mask = masks[(place + usize::from(len)) % 16];
                    out[place] = out[place].rotate_right(3) ^ mask;
                }
            }
            at = end;
        }
        out
    }

    #[test]
    fn a_password_is_hashed_block_by_block_as_by_the_digest() {
        for rounds in [0, 1, 300] {
            let mut hash = Sha1::digest(b"saltword").to_vec();
            for round in 0u32..rounds {
                hash = Sha1::new_with_prefix(round.to_le_bytes())
                    .chain_update(&hash)
                    .finalize()
                    .to_vec();
            }
            assert_eq!(spun_sha1(b"salt", b"word", rounds), hash, "{rounds}");
        }
    }

    #[test]
    fn the_key_of_an_obfuscated_workbook_follows_from_its_password() {
        // The example of [MS-XLS]: the default password of Excel.
        assert!(xor_key(b"VelvetSweatshop").is_some());
        assert!(obfuscated(0, 0, "abc").is_none());
        assert!(obfuscated(xor_key(b"abc").unwrap(), xor_hash(b"abc"), "abc").is_some());
        assert!(obfuscated(0, 0, "a password that is too long").is_none());
    }

    #[test]
    fn what_is_damaged_is_not_opened() {
        assert_eq!(package(&[4, 0, 4, 0, 0, 0, 0, 0], &[0; 64], "x"), None);
        assert_eq!(package(&[], &[], "x"), None);
        assert_eq!(workbook(&[0x2f, 0, 54, 0, 1, 0, 1, 0, 1, 0], "x"), None);
    }
}
