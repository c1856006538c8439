//! Blocks of 7-Zip archives that are packed with Deflate64 (7zFormat.txt, method 04 01 09), which the archive's crate
//! does not know: under a key or not, and through a filter for programs or not, as 7-Zip itself writes them.

use std::io::{Cursor, Read};

use deflate64::Deflate64Decoder;
use lzma_rust2::filter::bcj::BcjReader;
use lzma_rust2::filter::delta::DeltaReader;
use sevenz_rust2::{Archive, ArchiveEntry, BlockDecoder, Coder, EncoderMethod, Password};

use crate::bytes::{index, length, slice};
use crate::formats::zip::crc32;
use crate::limits::Fault;
use crate::model::{Name, Trouble};
use crate::text;
use crate::unpack::{Child, Nest, Payload};

use super::{CHECKED, MEMORY};

/// Length of the head of an archive, behind which the packed streams lie.
const HEAD: u64 = 32;

/// A block whose stream is Deflate64.
pub(super) struct Folder<'a> {
    archive: &'a Archive,
    /// The block's number.
    number: usize,
    /// The coder before it, AES, with the length of what it gives in bytes.
    lock: Option<(&'a Coder, u64)>,
    /// The coder behind it.
    filter: Option<&'a Coder>,
}

impl<'a> Folder<'a> {
    /// The block, where Deflate64 is in it and nothing that is not read here.
    pub(super) fn of(archive: &'a Archive, number: usize) -> Option<Self> {
        let block = archive.blocks.get(number)?;
        let mut coders = block.ordered_coder_iter();
        let (mut at, mut coder) = coders.next()?;
        let mut lock = None;
        if coder.encoder_method_id() == EncoderMethod::ID_AES256_SHA256 {
            lock = Some((coder, block.get_unpack_size_at_index(at)));
            (at, coder) = coders.next()?;
        }
        let is_deflate64 = coder.encoder_method_id() == EncoderMethod::ID_DEFLATE64;
        let filter = coders.next().map(|(_, coder)| coder);
        let known = filtered(filter, std::io::empty()).is_some();
        let chained = coders.next().is_none() && at < block.coders.len();
        (is_deflate64 && known && chained).then_some(Self {
            archive,
            number,
            lock,
            filter,
        })
    }

    /// The packed bytes, as far as they are there.
    fn packed<'d>(&self, data: &'d [u8]) -> Option<&'d [u8]> {
        let map = &self.archive.stream_map;
        let first = *map.block_first_pack_stream_index().get(self.number)?;
        let at = *map.pack_stream_offsets().get(first)?;
        let len = index(*self.archive.pack_sizes().get(first)?);
        let at = HEAD
            .checked_add(self.archive.pack_pos())?
            .checked_add(at)
            .map(index)?;
        slice(data, at, len).or_else(|| data.get(at..))
    }

    /// What lies under the key, up to `most` bytes; `None` where it does not open.
    fn unlocked(
        &self,
        lock: (&Coder, u64),
        packed: &[u8],
        key: &Password,
        most: u64,
    ) -> Option<Vec<u8>> {
        let (coder, size) = lock;
        // The crate opens AES in an archive that holds nothing else.
        let mut source = Cursor::new(archive(
            coder.encoder_method_id(),
            coder.properties(),
            packed,
            size,
            "a",
        ));
        let bare = Archive::read_with_memory_limit(&mut source, &Password::empty(), MEMORY).ok()?;
        let decoder = BlockDecoder::new_with_memory_limit(1, MEMORY, 0, &bare, key, &mut source);
        let mut plain = Vec::new();
        let ended = decoder.for_each_entries(&mut |_: &ArchiveEntry, from: &mut dyn Read| {
            std::io::copy(&mut from.take(most.min(length(packed.len()))), &mut plain)?;
            Ok(false)
        });
        ended.is_ok().then_some(plain)
    }

    /// The files that lie in the block, in their order.
    fn entries(&self) -> impl Iterator<Item = &'a ArchiveEntry> {
        let files = self.archive.files.iter();
        let blocks = self.archive.stream_map.file_block_index.iter();
        let number = self.number;
        files
            .zip(blocks)
            .filter(move |(_, block)| **block == Some(number))
            .map(|(entry, _)| entry)
            .filter(|entry| entry.has_stream() && !entry.is_directory())
    }

    /// Whether a password opens the first file, by its checksum where it is not too long.
    pub(super) fn check(&self, data: &[u8], key: &Password) -> bool {
        let (Some(lock), Some(packed)) = (self.lock, self.packed(data)) else {
            return true;
        };
        let Some(entry) = self.entries().next() else {
            return true;
        };
        let Some(plain) = self.unlocked(lock, packed, key, CHECKED) else {
            return false;
        };
        let Some(decoder) = filtered(self.filter, Deflate64Decoder::with_buffer(plain.as_slice()))
        else {
            return false;
        };
        let mut first = Vec::new();
        let wanted = entry.size().min(CHECKED);
        // What a wrong word gives ends early, mostly without an error.
        let _ = std::io::copy(&mut decoder.take(wanted), &mut first);
        let read = length(first.len());
        if read == entry.size() && entry.has_crc {
            return u64::from(crc32(&first)) == entry.crc;
        }
        // Of a longer file only the beginning was opened.
        let cut = length(plain.len()) >= CHECKED && read >= CHECKED / 2;
        read == wanted || cut
    }

    /// Pushes every file of the block.
    pub(super) fn read(
        &self,
        data: &[u8],
        key: &Password,
        nest: &mut Nest<'_>,
    ) -> Result<(), Trouble> {
        let packed = self.packed(data).unwrap_or_default();
        let opened = match self.lock {
            None => None,
            Some(lock) => {
                nest.budget().spend(packed.len())?;
                self.unlocked(lock, packed, key, u64::MAX)
            }
        };
        let source = opened.as_deref().unwrap_or(packed);
        let Some(mut decoder) = filtered(self.filter, Deflate64Decoder::with_buffer(source)) else {
            return Ok(());
        };
        let mut left = self.entries().count();
        for entry in self.entries() {
            nest.tick()?;
            left = left.saturating_sub(1);
            let mut decoded = nest.read(
                &mut (&mut decoder).take(entry.size()),
                packed.len(),
                entry.size(),
            );
            let short = length(decoded.data.len()) < entry.size();
            if decoded.fault.is_none() && short {
                decoded.fault = Some(Fault::Broken("the block ends early".to_owned()));
            }
            let ends = decoded.fault.is_some();
            if !ends && entry.has_crc && u64::from(crc32(&decoded.data)) != entry.crc {
                decoded.fault = Some(Fault::Broken("another checksum".to_owned()));
            }
            let shown = text::excerpt(entry.name());
            let child = Child::new(super::VIA, Payload::Paid(decoded.data.into()))
                .named(Name::of(entry.name()));
            nest.push_decoded(child, decoded.fault, &shown)?;
            if ends && left > 0 {
                let what = Trouble::Broken("damaged before".to_owned());
                let number = self.number;
                nest.note(what.into_fact(&format!("block {number}, with {left} more files")));
            }
            if ends {
                break;
            }
        }
        Ok(())
    }
}

/// What a filter makes of bytes; `None` where it is not known.
fn filtered<'r>(coder: Option<&Coder>, from: impl Read + 'r) -> Option<Box<dyn Read + 'r>> {
    let Some(coder) = coder else {
        return Some(Box::new(from));
    };
    Some(match coder.encoder_method_id() {
        EncoderMethod::ID_BCJ_X86 => Box::new(BcjReader::new_x86(from, 0)),
        EncoderMethod::ID_BCJ_ARM => Box::new(BcjReader::new_arm(from, 0)),
        EncoderMethod::ID_BCJ_ARM64 => Box::new(BcjReader::new_arm64(from, 0)),
        EncoderMethod::ID_BCJ_ARM_THUMB => Box::new(BcjReader::new_arm_thumb(from, 0)),
        EncoderMethod::ID_BCJ_PPC => Box::new(BcjReader::new_ppc(from, 0)),
        EncoderMethod::ID_DELTA => {
            let distance = coder.properties().first().copied().unwrap_or_default();
            Box::new(DeltaReader::new(
                from,
                usize::from(distance).saturating_add(1),
            ))
        }
        _ => return None,
    })
}

/// A 7-Zip archive of one file in one block of one coder, of which nothing has a checksum.
pub(super) fn archive(
    id: &[u8],
    properties: &[u8],
    packed: &[u8],
    size: u64,
    name: &str,
) -> Vec<u8> {
    // A number of eight bytes behind a mark: the longest form holds any.
    let number = |out: &mut Vec<u8>, number: u64| {
        out.push(0xff);
        out.extend(number.to_le_bytes());
    };
    // Header, its streams, where the packed ones lie.
    let mut header = vec![1, 4, 6];
    number(&mut header, 0);
    header.extend([1, 9]);
    number(&mut header, length(packed.len()));
    // One folder of one coder with properties.
    header.extend([0, 7, 0x0b, 1, 0, 1]);
    header.push(0x20 | u8::try_from(id.len() & 15).unwrap_or_default());
    header.extend(id);
    number(&mut header, length(properties.len()));
    header.extend(properties);
    header.push(0x0c);
    number(&mut header, size);
    // Nothing is told of what is in the folder: one file.
    header.extend([0, 8, 0, 0]);
    // One file under its name.
    let units: Vec<u8> = name
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect();
    header.extend([5, 1, 0x11]);
    number(&mut header, length(units.len()).saturating_add(1));
    header.push(0);
    header.extend(units);
    header.extend([0, 0]);
    let mut start = length(packed.len()).to_le_bytes().to_vec();
    start.extend(length(header.len()).to_le_bytes());
    start.extend(crc32(&header).to_le_bytes());
    let mut out = b"7z\xbc\xaf\x27\x1c\0\x04".to_vec();
    out.extend(crc32(&start).to_le_bytes());
    out.extend(start);
    out.extend(packed);
    out.extend(header);
    out
}

#[cfg(test)]
pub(in crate::unpack) mod tests {
    use super::*;
    use crate::model::{Fact, Kind};
    use crate::unpack::tests::opened;

    /// Packed bytes in one block that is not compressed.
    fn stored(content: &[u8]) -> Vec<u8> {
        let len = u16::try_from(content.len()).unwrap();
        let mut out = vec![1];
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(content);
        out
    }

    /// An archive of one file in one block that is not compressed.
    pub(in crate::unpack) fn packed(content: &[u8], size: u64) -> Vec<u8> {
        let stored = stored(content);
        archive(
            EncoderMethod::ID_DEFLATE64,
            &[],
            &stored,
            size,
            "見積書.txt",
        )
    }

    /// An archive of zeros: one of them, then the longest copies that there are, in fixed codes.
    pub(in crate::unpack) fn bomb() -> Vec<u8> {
        /// What one copy gives.
        const COPY: u64 = 65_538;
        const COPIES: u64 = 2000;
        let (mut out, mut bits, mut count) = (Vec::new(), 0u64, 0u32);
        let mut put = |value: u64, len: u32| {
            bits |= value << count;
            count += len;
            while count >= 8 {
                out.push(u8::try_from(bits & 0xff).unwrap());
                bits >>= 8;
                count -= 8;
            }
        };
        // The last block; the literal 0, whose code is 00110000 from its highest bit on.
        put(1 | 1 << 1, 3);
        put(0b0000_1100, 8);
        for _ in 0..COPIES {
            // 11000101 from its highest bit on, sixteen more bits of length, the distance 1.
            put(0b1010_0011, 8);
            put(0xffff, 16);
            put(0, 5);
        }
        put(0, 7);
        put(0, 8);
        archive(
            EncoderMethod::ID_DEFLATE64,
            &[],
            &out,
            1 + COPY * COPIES,
            "a",
        )
    }

    #[test]
    fn a_block_is_read_to_its_files() {
        let (children, facts) = opened("sevenz", &packed(b"a plain text", 12));
        assert_eq!(facts, []);
        assert_eq!(children[0].label(), "見積書.txt");
        assert_eq!(children[0].data.as_ref(), b"a plain text");
    }

    #[test]
    fn what_is_cut_lies_or_is_no_stream_is_told() {
        let unread = |data: &[u8]| {
            let (children, facts) = opened("sevenz", data);
            assert!(
                matches!(facts.as_slice(), [Fact::Unread { .. }, ..]),
                "{facts:?}"
            );
            children[0].data.len()
        };
        // More than there is.
        assert_eq!(unread(&packed(b"a plain text", 13)), 12);
        let mut broken = packed(b"a plain text", 12);
        broken[33] ^= 0xff;
        assert_eq!(unread(&broken), 0);
        let whole = packed(b"a plain text", 12);
        let budget = crate::unpack::zip::tests::budget();
        let cut = crate::unpack::zip::tests::artifact(&whole[..whole.len() - 9], Kind::SevenZip);
        let mut seen = crate::unpack::Seen::new();
        let mut nest = Nest::new(&budget, &mut seen, &cut, 1);
        assert!(matches!(
            super::super::run(&cut, &mut nest),
            Err(Trouble::Broken(_))
        ));
    }

    #[test]
    fn an_archive_of_one_coder_is_one_to_the_crate() {
        let whole = archive(EncoderMethod::ID_COPY, &[], b"words", 5, "a");
        let (children, facts) = opened("sevenz", &whole);
        assert_eq!(facts, []);
        assert_eq!(children[0].data.as_ref(), b"words");
    }
}
