//! What a RAR archive makes beside its members' own bytes: streams of NTFS, which `WinRAR` writes to the file before
//! them, and members that are another one again (RAR 5.0 archive format, "service header" and "file system redirection
//! record").

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rars::{Archive, rar15_40, rar50};

use crate::bytes::length;
use crate::limits::{Fault, Halt};
use crate::model::{Fact, Name, Trouble};
use crate::text;

use super::{DICTIONARY, SCHEME, Sink, Taken, trouble};
use crate::unpack::{Child, Nest};

/// The service that is a stream of the file before it.
const STREAM: &[u8] = b"STM";

/// Bytes of one stream at the most: the crate decodes a service without a budget of its own.
const LARGEST: u64 = 256 << 20;

/// Redirections to a file of the archive: a hard link, and a copy that is stored once.
const SAME_FILE: [u64; 2] = [4, 5];

/// Pushes the streams, and the members that are another one again, of all volumes.
pub(super) fn run(
    volumes: &[Archive],
    password: Option<&str>,
    most: u64,
    taken: &[Taken],
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let mut reader = Reader {
        password: password.map(str::as_bytes),
        most: most.min(LARGEST),
        nest,
    };
    let mut known: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    // Of two members of one name the first is meant.
    for (at, member) in taken.iter().enumerate() {
        known.entry(plain(&member.stored)).or_insert(at);
    }
    for volume in volumes {
        if let Some(archive) = volume.as_rar50() {
            reader.links(archive, &mut known, taken)?;
            reader.streams_of_5(archive)?;
        }
        if let Some(archive) = volume.as_rar15_40() {
            reader.streams_of_4(archive)?;
        }
    }
    Ok(())
}

/// Targets of links are written with either separator.
fn plain(name: &[u8]) -> Vec<u8> {
    let slash = |byte: &u8| if *byte == b'\\' { b'/' } else { *byte };
    name.iter().map(slash).collect()
}

/// A stream of a file, as its header tells of it.
struct Stream {
    name: Name,
    size: u64,
    /// Whether a dictionary of this size may be allocated.
    fits: bool,
    is_part: bool,
    is_locked: bool,
}

struct Reader<'r, 'n> {
    password: Option<&'r [u8]>,
    /// Bytes of one stream at the most.
    most: u64,
    nest: &'r mut Nest<'n>,
}

impl Reader<'_, '_> {
    /// Pushes each hard link and copy under its own name, with the bytes of what it leads to.
    fn links(
        &mut self,
        archive: &rar50::Archive,
        known: &mut BTreeMap<Vec<u8>, usize>,
        taken: &[Taken],
    ) -> Result<(), Trouble> {
        for file in archive.files() {
            self.nest.tick()?;
            let Some(link) = &file.redirection else {
                continue;
            };
            let name = Name::of(String::from_utf8_lossy(&file.name));
            let shown = text::excerpt(&name.text);
            self.nest.deviation(0, format!("{shown}: a link"));
            let target = known.get(&plain(&link.target_name)).copied();
            let target = target.filter(|_| SAME_FILE.contains(&link.redirection_type));
            let Some((at, member)) = target.and_then(|at| Some((at, taken.get(at)?))) else {
                continue;
            };
            // It may be led to itself.
            known.entry(plain(&file.name)).or_insert(at);
            // Each is a file of its own to whoever looks at it: it costs what another member costs.
            let child = Child::new("rar-member", member.bytes.clone());
            self.nest.push(child.named(name))?;
        }
        Ok(())
    }

    fn streams_of_5(&mut self, archive: &rar50::Archive) -> Result<(), Trouble> {
        let mut file: &[u8] = b"";
        for block in &archive.blocks {
            self.nest.tick()?;
            let service = match block {
                rar50::Block::File(header) => {
                    file = &header.name;
                    continue;
                }
                rar50::Block::Service(service) if service.name == STREAM => service,
                _ => continue,
            };
            let name = service.service_data.as_deref().unwrap_or_default();
            let info = service.decoded_compression_info();
            let stream = Stream {
                name: named(
                    &String::from_utf8_lossy(file),
                    &String::from_utf8_lossy(name),
                ),
                size: service.unpacked_size,
                fits: service.is_stored()
                    || info.is_ok_and(|info| info.dictionary_size <= DICTIONARY),
                is_part: service.is_split_before() || service.is_split_after(),
                is_locked: service.encrypted,
            };
            let password = self.password;
            self.take(stream, |sink| service.write_to(archive, password, sink))?;
        }
        Ok(())
    }

    fn streams_of_4(&mut self, archive: &rar15_40::Archive) -> Result<(), Trouble> {
        let mut file = String::new();
        for block in &archive.blocks {
            self.nest.tick()?;
            let service = match block {
                rar15_40::Block::File(header) => {
                    file = match header.unicode_name.is_some() {
                        true => String::from_utf8_lossy(&header.name).into_owned(),
                        false => Name::from_raw(&header.name).text,
                    };
                    continue;
                }
                rar15_40::Block::NewSub(service) if service.file.name == STREAM => &service.file,
                _ => continue,
            };
            let stream = Stream {
                // Its name stands where the crate does not look.
                name: named(&file, ""),
                size: service.unp_size,
                fits: true,
                is_part: service.is_split_before() || service.is_split_after(),
                is_locked: service.is_encrypted(),
            };
            let password = self.password;
            self.take(stream, |sink| service.write_to(archive, password, sink))?;
        }
        Ok(())
    }

    /// Decodes a stream, and pushes it.
    fn take(
        &mut self,
        stream: Stream,
        write: impl FnOnce(&mut Sink) -> rars::Result<()>,
    ) -> Result<(), Trouble> {
        let shown = text::excerpt(&stream.name.text);
        let nest = &mut *self.nest;
        nest.note(Fact::Deviation {
            at: None,
            what: format!("{shown}: a stream beside the file"),
        });
        if stream.is_locked && self.password.is_none() {
            nest.note(Trouble::Locked(SCHEME.to_owned()).into_fact(&shown));
            return Ok(());
        }
        if stream.is_part {
            nest.unread(0, format!("{shown}: goes on in another volume"));
            return Ok(());
        }
        if stream.size > self.most || !stream.fits {
            let halt = Halt::Ceiling("bytes or memory of a stream in a RAR archive");
            nest.note(Trouble::TooMuch(halt).into_fact(&shown));
            return Ok(());
        }
        let data: Rc<RefCell<Vec<u8>>> = Rc::default();
        let ended = write(&mut Sink {
            data: Rc::clone(&data),
            deadline: super::deadline(nest),
            most: stream.size,
        });
        let data = std::mem::take(&mut *data.borrow_mut());
        let fault = match ended.map_err(|error| trouble(&error, false)) {
            Ok(()) if length(data.len()) == stream.size => None,
            Ok(()) => Some(Fault::Broken("it breaks off".to_owned())),
            Err(Trouble::Broken(what)) => Some(Fault::Broken(what)),
            Err(other) => {
                nest.note(other.into_fact(&shown));
                None
            }
        };
        let child = Child::new("rar-member", data).named(stream.name);
        nest.push_decoded(child, fault, &shown)?;
        Ok(())
    }
}

/// The name of a stream of a file, without the type of the stream, which says nothing.
fn named(file: &str, stream: &str) -> Name {
    let stream = stream.strip_prefix(':').unwrap_or(stream);
    let stream = stream.strip_suffix(":$DATA").unwrap_or(stream);
    Name::of(format!("{file}:{stream}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::formats::zip::crc32;
    use crate::limits::{Budget, Limits};
    use crate::model::{Artifact, Kind};
    use crate::unpack::Seen;
    use crate::unpack::rar::tests::{block, rar, vint};
    use crate::unpack::tests::opened;

    /// A header with an extra record, and data behind it.
    fn with_record(kind: u64, name: &str, record: &[u8], data: &[u8]) -> Vec<u8> {
        let mut extra = Vec::new();
        vint(record.len() as u64, &mut extra);
        extra.extend(record);
        let mut fields = Vec::new();
        for number in [
            kind,
            3,
            extra.len() as u64,
            data.len() as u64,
            4,
            data.len() as u64,
            0x20,
        ] {
            vint(number, &mut fields);
        }
        fields.extend(crc32(data).to_le_bytes());
        for number in [0, 0, name.len() as u64] {
            vint(number, &mut fields);
        }
        fields.extend(name.as_bytes());
        fields.extend(extra);
        let mut out = Vec::new();
        block(&fields, &mut out);
        out.extend(data);
        out
    }

    fn stream(name: &str, data: &[u8]) -> Vec<u8> {
        with_record(3, "STM", &[b"\x07", name.as_bytes()].concat(), data)
    }

    pub(in crate::unpack::rar) fn link(kind: u8, name: &str, target: &str) -> Vec<u8> {
        let mut record = vec![5, kind, 0];
        vint(target.len() as u64, &mut record);
        record.extend(target.as_bytes());
        with_record(2, name, &record, b"")
    }

    /// An archive with more behind its last member.
    pub(in crate::unpack::rar) fn archive(
        members: &[(&str, &[u8], u64)],
        more: &[Vec<u8>],
    ) -> Vec<u8> {
        let mut out = rar(members);
        let mut end = Vec::new();
        block(&[5, 0, 0], &mut end);
        out.truncate(out.len() - end.len());
        out.extend(more.concat());
        out.extend(end);
        out
    }

    #[test]
    fn a_stream_of_a_file_is_a_member_too() {
        let evil = ":..\\..\\Startup\\b.lnk:$DATA";
        let data = archive(
            &[("見積.pdf", b"one", 0)],
            &[stream(evil, b"two two"), stream(":c", b"three")],
        );
        let (children, facts) = opened("rar", &data);
        let got: Vec<_> = children
            .iter()
            .map(|c| (c.label(), c.data.as_ref()))
            .collect();
        let expected = [
            ("見積.pdf", b"one".as_slice()),
            ("見積.pdf:..\\..\\Startup\\b.lnk", b"two two"),
            ("見積.pdf:c", b"three"),
        ];
        assert_eq!(got, expected);
        let is_deviation = |fact: &Fact| matches!(fact, Fact::Deviation { .. });
        assert!(facts.len() == 2 && facts.iter().all(is_deviation));
    }

    #[test]
    fn other_services_are_none() {
        let comment = with_record(3, "CMT", b"\x07", b"a comment");
        let (children, facts) = opened("rar", &archive(&[("a", b"one", 0)], &[comment]));
        assert_eq!((children.len(), facts.len()), (1, 0));
    }

    #[test]
    fn a_stream_that_is_broken_is_told() {
        let mut data = archive(&[("a", b"one", 0)], &[stream(":b", b"two two")]);
        let at = memchr::memmem::find(&data, b"two two").unwrap();
        data[at] = b'T';
        let (_, facts) = opened("rar", &data);
        assert!(facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })));
    }

    #[test]
    fn a_copy_and_a_hard_link_bear_the_bytes_under_their_own_name() {
        let data = archive(
            &[("dir/a.pdf", b"one", 0)],
            &[
                link(5, "請求書.pdf.exe", "dir\\a.pdf"),
                link(4, "b", "請求書.pdf.exe"),
                link(1, "c", "dir/a.pdf"),
                link(5, "d", "d"),
                link(5, "e", "elsewhere"),
            ],
        );
        let (children, facts) = opened("rar", &data);
        let got: Vec<_> = children
            .iter()
            .map(|c| (c.label(), c.data.as_ref()))
            .collect();
        let one = b"one".as_slice();
        assert_eq!(
            got,
            [("dir/a.pdf", one), ("請求書.pdf.exe", one), ("b", one)]
        );
        assert_eq!(facts.len(), 5);
    }

    #[test]
    fn links_to_a_large_member_end_at_the_limit_of_all_bytes() {
        let links: Vec<_> = (0..50).map(|at| link(5, &format!("b{at}"), "a")).collect();
        let data = archive(&[("a", &[7; 1000], 0)], &links);
        let limits = Limits {
            max_unpacked: 10_000,
            ..Limits::default()
        };
        let budget = Budget::new(limits, None);
        let artifact = Artifact::alone(Kind::Rar, data.into());
        let mut seen = Seen::new();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        let ended = crate::unpack::rar::run(&artifact, &mut nest);
        assert!(matches!(ended, Err(Trouble::TooMuch(_))), "{ended:?}");
        assert!(nest.len() <= 10);
    }

    #[test]
    fn a_volume_of_whole_members_that_goes_on_is_told() {
        let mut data = rar(&[("a", b"one", 0)]);
        let mut end = Vec::new();
        block(&[5, 0, 0], &mut end);
        data.truncate(data.len() - end.len());
        block(&[5, 0, 1], &mut data);
        let (children, facts) = opened("rar", &data);
        assert_eq!(children.len(), 1);
        assert!(facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })));
    }
}
