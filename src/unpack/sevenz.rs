//! 7-Zip archives (7zFormat.txt), by the sevenz-rust2 crate over the bytes in memory: each block is decoded once.

pub(super) mod deflate64;

use std::io::Cursor;

use bytes::Bytes;
use sevenz_rust2::{Archive, ArchiveEntry, BlockDecoder, Error, Password};

use crate::bytes::index;
use crate::limits::Halt;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// Memory of one decoder in KiB.
const MEMORY: usize = 256 << 10;

/// Bytes decoded to see whether a password fits.
const CHECKED: u64 = 8 << 20;

/// How a file is reached.
const VIA: &str = "7z-member";

/// What locks a 7-Zip archive.
const SCHEME: &str = "7-Zip AES-256";

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let mut source = Cursor::new(artifact.data.clone());
    let mut key = Password::empty();
    let archive = match read(&mut source, &key) {
        Err(Trouble::Locked(scheme)) => {
            let opened = nest.unlock(&scheme, None, |word| {
                let key = Password::from(word);
                Some((read(&mut source, &key).ok()?, key))
            });
            let (archive, known) = opened.ok_or(Trouble::Locked(scheme))?;
            key = known;
            archive
        }
        other => other?,
    };
    let mut of_blocks: Vec<Vec<usize>> = vec![Vec::new(); archive.blocks.len()];
    for (file, block) in archive.stream_map.file_block_index.iter().enumerate() {
        nest.tick()?;
        if let Some(files) = block.and_then(|block| of_blocks.get_mut(block)) {
            files.push(file);
        }
    }
    for (block, files) in of_blocks.into_iter().enumerate() {
        nest.tick()?;
        let locked = files
            .first()
            .is_some_and(|first| archive.is_file_encrypted(*first));
        if locked && !check(&archive, block, &mut source, &key) {
            let opened = nest.unlock(SCHEME, None, |word| {
                let key = Password::from(word);
                check(&archive, block, &mut source, &key).then_some(key)
            });
            match opened {
                Some(known) => key = known,
                None => {
                    tell_locked(&archive, &files, nest);
                    continue;
                }
            }
        }
        read_block(&archive, block, &mut source, &key, nest)?;
    }
    // Empty files are in no block.
    for entry in &archive.files {
        nest.tick()?;
        if !entry.has_stream() && !entry.is_directory() && !entry.is_anti_item() {
            let child = Child::new(VIA, Payload::Paid(Bytes::new()));
            nest.push(child.named(Name::of(entry.name())))?;
        }
    }
    Ok(())
}

fn read(source: &mut Cursor<Bytes>, password: &Password) -> Result<Archive, Trouble> {
    source.set_position(0);
    Archive::read_with_memory_limit(source, password, MEMORY).map_err(trouble)
}

fn tell_locked(archive: &Archive, files: &[usize], nest: &mut Nest<'_>) {
    for file in files {
        let name = archive.files.get(*file).map(ArchiveEntry::name);
        let name = text::excerpt(name.unwrap_or_default());
        nest.note(Trouble::Locked(SCHEME.to_owned()).into_fact(&name));
    }
}

/// Whether a password opens the first file of a block, by its checksum where it is not too long.
fn check(archive: &Archive, block: usize, source: &mut Cursor<Bytes>, password: &Password) -> bool {
    if let Some(folder) = deflate64::Folder::of(archive, block) {
        return folder.check(source.get_ref(), password);
    }
    let decoder = BlockDecoder::new_with_memory_limit(1, MEMORY, block, archive, password, source);
    let mut good = false;
    let ended = decoder.for_each_entries(
        &mut |entry: &ArchiveEntry, reader: &mut dyn std::io::Read| {
            let mut head = std::io::Read::take(reader, CHECKED);
            let read = std::io::copy(&mut head, &mut std::io::sink())?;
            good = read > 0 || entry.size() == 0;
            // A longer file is not read to its checksum.
            Ok(entry.size() <= CHECKED && !good)
        },
    );
    good && ended.is_ok()
}

fn read_block(
    archive: &Archive,
    block: usize,
    source: &mut Cursor<Bytes>,
    key: &Password,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    if let Some(folder) = deflate64::Folder::of(archive, block) {
        return folder.read(source.get_ref(), key, nest);
    }
    let packed = packed_len(archive, block);
    let mut stopped = None;
    let mut read = 0usize;
    let decoder = BlockDecoder::new_with_memory_limit(1, MEMORY, block, archive, key, source);
    let count = decoder.entry_count();
    let ended = decoder.for_each_entries(
        &mut |entry: &ArchiveEntry, reader: &mut dyn std::io::Read| {
            read = read.saturating_add(1);
            if entry.is_directory() || !entry.has_stream() {
                return Ok(true);
            }
            let decoded = nest.read(reader, packed, entry.size());
            let child =
                Child::new(VIA, Payload::Paid(decoded.data.into())).named(Name::of(entry.name()));
            match nest.push_decoded(child, decoded.fault, &text::excerpt(entry.name())) {
                Ok(_) => Ok(true),
                Err(trouble) => {
                    stopped = Some(trouble);
                    Ok(false)
                }
            }
        },
    );
    if let Some(trouble) = stopped {
        return Err(trouble);
    }
    if let Err(error) = ended {
        let left = count.saturating_sub(read);
        let what = trouble(error);
        nest.note(what.into_fact(&format!("block {block}, with {left} more files")));
    }
    Ok(())
}

/// Compressed bytes of a block.
fn packed_len(archive: &Archive, block: usize) -> usize {
    let firsts = archive.stream_map.block_first_pack_stream_index();
    let first = firsts.get(block).copied().unwrap_or_default();
    let next = firsts.get(block.saturating_add(1)).copied();
    let sizes = archive.pack_sizes();
    let sizes = sizes.get(first..next.unwrap_or(sizes.len()).max(first));
    let sum = sizes
        .unwrap_or_default()
        .iter()
        .fold(0u64, |sum, size| sum.saturating_add(*size));
    index(sum)
}

fn trouble(error: Error) -> Trouble {
    match error {
        Error::PasswordRequired | Error::MaybeBadPassword(_) => {
            Trouble::Locked(format!("{SCHEME}, names too"))
        }
        Error::MaxMemLimited { .. } => Trouble::TooMuch(Halt::Ceiling("memory of a 7-Zip decoder")),
        Error::UnsupportedCompressionMethod(method) => {
            Trouble::NoReader(format!("7-Zip method {}", text::excerpt(&method)))
        }
        Error::Unsupported(what) => Trouble::NoReader(text::excerpt(&what)),
        Error::ExternalUnsupported => {
            Trouble::NoReader("7-Zip header in another stream".to_owned())
        }
        other => Trouble::Broken(text::excerpt(&other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fact;
    use crate::unpack::tests::opened;

    fn archive(password: Option<&str>) -> Vec<u8> {
        let mut writer = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
        if let Some(password) = password {
            let aes =
                sevenz_rust2::encoder_options::AesEncoderOptions::new(Password::from(password));
            writer.set_content_methods(vec![aes.into(), sevenz_rust2::EncoderMethod::LZMA2.into()]);
            writer.set_encrypt_header(false);
        }
        for (name, data) in [("請求書.txt", "one"), ("b/two.txt", "two two")] {
            let entry = ArchiveEntry::new_file(name);
            writer
                .push_archive_entry(entry, Some(data.as_bytes()))
                .unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn files_come_with_their_names() {
        let (children, facts) = opened("sevenz", &archive(None));
        assert_eq!(facts, []);
        let got: Vec<_> = children
            .iter()
            .map(|c| (c.label().to_owned(), c.data.to_vec()))
            .collect();
        assert_eq!(
            got,
            [
                ("請求書.txt".to_owned(), b"one".to_vec()),
                ("b/two.txt".to_owned(), b"two two".to_vec())
            ]
        );
    }

    #[test]
    fn empty_files_come_too_and_folders_do_not() {
        let mut writer = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
        let mut push = |entry, data: Option<&[u8]>| {
            writer.push_archive_entry(entry, data).unwrap();
        };
        push(ArchiveEntry::new_directory("b"), None);
        push(ArchiveEntry::new_file("b/空.txt"), None);
        push(ArchiveEntry::new_file("one.txt"), Some(b"one"));
        let data = writer.finish().unwrap().into_inner();
        let (children, facts) = opened("sevenz", &data);
        assert_eq!(facts, []);
        let names: Vec<_> = children.iter().map(|child| child.label()).collect();
        assert_eq!(names, ["one.txt", "b/空.txt"]);
        assert!(children.iter().any(|child| child.data.is_empty()));
    }

    #[test]
    fn locked_files_are_told_by_name() {
        let (children, facts) = opened("sevenz", &archive(Some("secret")));
        assert!(children.is_empty());
        let named = |fact: &Fact| matches!(fact, Fact::Locked { what: Some(name), .. } if name == "請求書.txt");
        assert!(facts.iter().any(named), "{facts:?}");
    }

    #[test]
    fn a_cut_archive_is_broken_and_a_damaged_block_costs_itself() {
        let whole = archive(None);
        let mut seen = crate::unpack::Seen::new();
        let budget = crate::unpack::zip::tests::budget();
        let cut = crate::unpack::zip::tests::artifact(
            &whole[..whole.len() - 4],
            crate::model::Kind::SevenZip,
        );
        let mut nest = Nest::new(&budget, &mut seen, &cut, 1);
        assert!(matches!(run(&cut, &mut nest), Err(Trouble::Broken(_))));
        let mut damaged = whole;
        damaged[34] ^= 0xff;
        let (children, facts) = opened("sevenz", &damaged);
        assert!(children.len() <= 2 && !facts.is_empty(), "{facts:?}");
    }
}
