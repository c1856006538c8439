//! RAR archives of every generation, by the rars crate over the bytes in memory.
//!
//! The archive is parsed without a password (one that does not fit would make the crate refuse plain members too); a
//! member that fails does not end the others. The volumes of a set are read at the first of them, where the others lie
//! beside it.

mod beside;

use std::cell::RefCell;
use std::io::{Error as IoError, Write};
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use rars::{
    Archive, ArchiveMember, ArchiveReadOptions, ArchiveReader, Error, ErrorKind,
    ExtractionDecision, ExtractionErrorAction, rar15_40, rar50,
};

use crate::bytes::length;
use crate::limits::{Fault, Halt, RATIO_COUNTS_FROM};
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::volumes::Set;
use super::{Child, Nest};

/// The largest dictionary in bytes.
const DICTIONARY: u64 = 256 << 20;

/// Headers at the most.
const HEADERS: u64 = 200_000;

/// What locks a RAR archive.
const SCHEME: &str = "RAR AES";

/// Bytes of one member as they come.
#[derive(Clone)]
struct Sink {
    data: Rc<RefCell<Vec<u8>>>,
    deadline: Option<Instant>,
    /// So many and no more, for what the crate does not count itself.
    most: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Err(IoError::other("out of time"));
        }
        let mut data = self.data.borrow_mut();
        if length(data.len()).saturating_add(length(bytes.len())) > self.most {
            return Err(IoError::other("longer than it says"));
        }
        data.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A member that is being read, or was.
struct Taken {
    name: Name,
    /// The name as the archive has it.
    stored: Vec<u8>,
    data: Rc<RefCell<Vec<u8>>>,
    /// The bytes, once it is read.
    bytes: Bytes,
    size: u64,
    fault: Option<String>,
}

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let size = length(artifact.data.len());
    let limits = nest.budget().limits();
    let by_ratio = size.saturating_mul(limits.max_ratio).max(RATIO_COUNTS_FROM);
    let most = limits.max_unpacked.min(by_ratio);
    let mut options = ArchiveReadOptions::new()
        .with_max_header_count(HEADERS)
        .with_max_header_bytes(size.saturating_mul(2).saturating_add(1 << 16))
        .with_max_total_output_bytes(most)
        .with_max_member_output_bytes(most)
        .with_max_reader_workspace_bytes(DICTIONARY.saturating_mul(2))
        .with_rar50_dictionary_size_limit(DICTIONARY);
    let mut known: Option<String> = None;
    let archive = match ArchiveReader::read_with_options(&artifact.data, options) {
        Err(error) if error.kind() == ErrorKind::PasswordRequired => {
            let scheme = format!("{SCHEME}, names too");
            let opened = nest.unlock(&scheme, None, |word| {
                let mut options = options;
                options.password = Some(word.as_bytes());
                let archive = ArchiveReader::read_with_options(&artifact.data, options).ok()?;
                Some((archive, word.to_owned()))
            });
            let (archive, word) = opened.ok_or(Trouble::Locked(scheme))?;
            known = Some(word);
            archive
        }
        other => other.map_err(|error| trouble(&error, by_ratio == most))?,
    };
    if known.is_none() {
        known = member_password(&archive, options, nest);
    }
    options.password = known.as_deref().map(str::as_bytes);
    let solid = archive.members().any(|member| member.is_solid());
    let deadline = deadline(nest);
    let mut taken: Vec<Taken> = Vec::new();
    let (volumes, ended) = match Place::of(&archive, artifact, options, nest)? {
        Place::Elsewhere => return Ok(()),
        Place::Whole(volumes) => {
            let ended = joined(&volumes, options, deadline, &mut taken, nest);
            (volumes, ended)
        }
        Place::Alone => {
            let ended = extract(&archive, options, deadline, solid, &mut taken, nest);
            (vec![archive], ended)
        }
    };
    let limited = ended
        .as_ref()
        .err()
        .is_some_and(|error| error.kind() == ErrorKind::ResourceLimit);
    push_all(&mut taken, limited, nest)?;
    beside::run(&volumes, known.as_deref(), most, &taken, nest)?;
    // Of a member that goes on there it is told already.
    if ended.is_ok() && volumes.last().is_some_and(goes_on) {
        nest.unread(0, "goes on in another volume");
    }
    match ended {
        Ok(()) => Ok(()),
        Err(_) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
            Err(Trouble::TooMuch(Halt::OutOfTime))
        }
        Err(error) => match trouble(&error, by_ratio == most) {
            stop @ Trouble::TooMuch(_) => Err(stop),
            other => {
                nest.note(other.into_fact("the rest of the archive"));
                Ok(())
            }
        },
    }
}

fn deadline(nest: &Nest<'_>) -> Option<Instant> {
    let left = nest.budget().time_left()?;
    Instant::now().checked_add(left)
}

/// Whether a member of it goes on in another volume, or comes from one.
fn is_split(archive: &Archive) -> bool {
    let mut members = archive.members();
    members.any(|one| one.meta.is_split_before || one.meta.is_split_after)
}

/// Whether it is a volume of a set; its members may all be whole.
fn is_volume(archive: &Archive) -> bool {
    let of_5 = archive.as_rar50();
    let of_4 = archive.as_rar15_40();
    let says = of_5.is_some_and(|archive| archive.main.is_volume())
        || of_4.is_some_and(|archive| archive.main.is_volume());
    says || is_split(archive)
}

/// Whether its end says that there is a volume behind it, and its last member does not.
fn goes_on(archive: &Archive) -> bool {
    /// The flag of the block at the end in RAR 4.
    const NEXT_VOLUME: u16 = 1;
    if archive.members().any(|one| one.meta.is_split_after) {
        return false;
    }
    let of_5 = archive.as_rar50().into_iter();
    let mut ends_of_5 = of_5.flat_map(|archive| &archive.blocks);
    let of_4 = archive.as_rar15_40().into_iter();
    let mut ends_of_4 = of_4.flat_map(|archive| &archive.blocks);
    ends_of_5.any(|block| matches!(block, rar50::Block::End(end) if end.has_next_volume()))
        || ends_of_4
            .any(|block| matches!(block, rar15_40::Block::End(end) if end.flags & NEXT_VOLUME != 0))
}

/// Where the members of an archive that is a volume are read.
enum Place {
    /// It is none, or the others are not there.
    Alone,
    /// Here: the first volume, with all that follow.
    Whole(Vec<Archive>),
    /// At the first volume, which is there.
    Elsewhere,
}

impl Place {
    /// Volumes are found by their names; what is missing between them is told.
    fn of(
        archive: &Archive,
        artifact: &Artifact,
        options: ArchiveReadOptions<'_>,
        nest: &mut Nest<'_>,
    ) -> Result<Self, Halt> {
        if !is_volume(archive) {
            return Ok(Self::Alone);
        }
        let Some(set) = Set::of(artifact, nest)?.filter(Set::has_others) else {
            return Ok(Self::Alone);
        };
        let read = |data: &[u8]| ArchiveReader::read_with_options(data, options).ok();
        if set.volume.number != 1 {
            let leads = |first: &[u8]| read(first).is_some_and(|first| is_volume(&first));
            let is_led = set.is_led(|first| leads(first)) && set.gap().is_none();
            if is_led {
                set.leave_to_opener(nest);
                return Ok(Self::Elsewhere);
            }
            return Ok(Self::Alone);
        }
        let mut volumes = Vec::new();
        for (number, data) in set.volumes() {
            nest.budget().check_time()?;
            if volumes.len().saturating_add(1) != number {
                break;
            }
            match read(data) {
                Some(volume) => volumes.push(volume),
                None => break,
            }
        }
        if volumes.len() < set.len() {
            let missing = volumes.len().saturating_add(1);
            nest.unread(0, format!("volume {missing} is missing or damaged"));
        }
        Ok(Self::Whole(volumes))
    }
}

/// Extracts the members of all volumes. What is locked needs a password that opens all of it.
fn joined(
    volumes: &[Archive],
    options: ArchiveReadOptions<'_>,
    deadline: Option<Instant>,
    taken: &mut Vec<Taken>,
    nest: &mut Nest<'_>,
) -> rars::Result<()> {
    let mut members = volumes.iter().flat_map(Archive::members);
    let locked = members.any(|member| member.meta.is_encrypted);
    if !locked || options.password.is_some() {
        return extract_volumes(volumes, options, deadline, taken);
    }
    let opened = nest.unlock(SCHEME, None, |word| {
        let mut options = options;
        options.password = Some(word.as_bytes());
        let mut taken = Vec::new();
        let ended = extract_volumes(volumes, options, deadline, &mut taken);
        ended.is_ok().then_some(taken)
    });
    match opened {
        Some(opened) => *taken = opened,
        None => nest.note(Trouble::Locked(SCHEME.to_owned()).into_fact("a set of volumes")),
    }
    Ok(())
}

fn extract_volumes(
    volumes: &[Archive],
    options: ArchiveReadOptions<'_>,
    deadline: Option<Instant>,
    taken: &mut Vec<Taken>,
) -> rars::Result<()> {
    let sizes: std::collections::BTreeMap<Vec<u8>, u64> = rars::volume_members(volumes)?
        .into_iter()
        .map(|one| (one.meta.name, one.meta.unpacked_size))
        .collect();
    rars::extract_volumes_to_with_options(volumes, options, |meta| {
        let name = match meta.name_is_unicode {
            true => Name::of(String::from_utf8_lossy(&meta.name)),
            false => Name::from_raw(&meta.name),
        };
        let data: Rc<RefCell<Vec<u8>>> = Rc::default();
        if !meta.is_directory {
            taken.push(Taken {
                name,
                stored: meta.name.clone(),
                data: Rc::clone(&data),
                bytes: Bytes::new(),
                size: sizes.get(&meta.name).copied().unwrap_or_default(),
                fault: None,
            });
        }
        Ok(Box::new(Sink {
            data,
            deadline,
            most: u64::MAX,
        }) as Box<dyn Write>)
    })
}

/// Pushes what was read. Where a limit ended that, the last member is not damaged: it is short by that limit.
fn push_all(taken: &mut [Taken], limited: bool, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let count = taken.len();
    for (at, member) in taken.iter_mut().enumerate() {
        nest.tick()?;
        member.bytes = std::mem::take(&mut *member.data.borrow_mut()).into();
        let by_limit = limited && at.saturating_add(1) == count;
        let short = length(member.bytes.len()) < member.size && !by_limit;
        let fault = match member.fault.take() {
            Some(what) => Some(Fault::Broken(what)),
            None if short => Some(Fault::Broken("it breaks off".to_owned())),
            None => None,
        };
        let shown = text::excerpt(&member.name.text);
        let child = Child::new("rar-member", member.bytes.clone()).named(member.name.clone());
        nest.push_decoded(child, fault, &shown)?;
    }
    Ok(())
}

/// The password of the members, where some are locked: the one that opens the smallest of them.
fn member_password(
    archive: &Archive,
    options: ArchiveReadOptions<'_>,
    nest: &mut Nest<'_>,
) -> Option<String> {
    /// Bytes of a member that is decoded to see it.
    const CHECKED: u64 = 64 << 20;
    let members = archive.members().enumerate();
    let (at, member) = members
        .filter(|(_, member)| {
            let meta = &member.meta;
            meta.is_encrypted && !meta.is_directory && !meta.is_split_after && !meta.is_split_before
        })
        .min_by_key(|(_, member)| member.meta.unpacked_size)
        .filter(|(_, member)| member.meta.unpacked_size <= CHECKED)?;
    let name = text::excerpt(&String::from_utf8_lossy(&member.meta.name));
    nest.unlock(SCHEME, Some(&name), |word| {
        let mut options = options;
        options.password = Some(word.as_bytes());
        let read = archive.read_member_at_with_options(at, options);
        matches!(read, Ok(Some(_))).then(|| word.to_owned())
    })
}

fn extract(
    archive: &Archive,
    options: ArchiveReadOptions<'_>,
    deadline: Option<Instant>,
    solid: bool,
    taken: &mut Vec<Taken>,
    nest: &mut Nest<'_>,
) -> rars::Result<()> {
    let failed: RefCell<Option<String>> = RefCell::default();
    let settle = |taken: &mut Vec<Taken>| {
        if let (Some(what), Some(last)) = (failed.borrow_mut().take(), taken.last_mut()) {
            last.fault = Some(what);
        }
    };
    let locked = options.password.is_none();
    let decide = |member: &ArchiveMember| {
        settle(taken);
        let meta = &member.meta;
        let name = match member.name_is_unicode() {
            true => Name::of(String::from_utf8_lossy(&meta.name)),
            false => Name::from_raw(&meta.name),
        };
        let shown = text::excerpt(&name.text);
        if meta.is_directory {
            return Ok(ExtractionDecision::Skip);
        }
        // Told with those of the other volumes.
        if meta.is_redirection {
            return Ok(ExtractionDecision::Skip);
        }
        if meta.is_split_before || meta.is_split_after {
            nest.unread(0, format!("{shown}: goes on in another volume"));
            return Ok(ExtractionDecision::Skip);
        }
        if meta.is_encrypted && locked {
            nest.note(Trouble::Locked(SCHEME.to_owned()).into_fact(&shown));
            // In a solid archive the members behind it need it too.
            return Ok(match solid {
                true => ExtractionDecision::Stop,
                false => ExtractionDecision::Skip,
            });
        }
        let data: Rc<RefCell<Vec<u8>>> = Rc::default();
        taken.push(Taken {
            name,
            stored: meta.name.clone(),
            data: Rc::clone(&data),
            bytes: Bytes::new(),
            size: meta.unpacked_size,
            fault: None,
        });
        Ok(ExtractionDecision::Extract(Box::new(Sink {
            data,
            deadline,
            most: u64::MAX,
        })))
    };
    let on_error = |_: &ArchiveMember, error: &Error| {
        *failed.borrow_mut() = Some(text::excerpt(&error.to_string()));
        Ok(ExtractionErrorAction::Continue)
    };
    let ended = archive.extract_with_control_and_errors(options, decide, on_error);
    settle(taken);
    ended.map(|_| ())
}

/// The fault itself, without where it was met.
fn innermost(mut error: &Error) -> &Error {
    // Ends because each stands in one other only.
    while let Error::AtEntry { source, .. }
    | Error::AtArchiveOffset { source, .. }
    | Error::InVolume { source, .. } = error
    {
        error = source;
    }
    error
}

fn trouble(error: &Error, by_ratio: bool) -> Trouble {
    let what = text::excerpt(&error.to_string());
    match error.kind() {
        ErrorKind::PasswordRequired | ErrorKind::BadPassword => Trouble::Locked(SCHEME.to_owned()),
        ErrorKind::UnsupportedFeature | ErrorKind::UnsupportedFormat => Trouble::NoReader(what),
        ErrorKind::ResourceLimit => match innermost(error) {
            Error::TotalOutputLimitExceeded { .. } | Error::MemberOutputLimitExceeded { .. } => {
                Trouble::TooMuch(match by_ratio {
                    true => Halt::Ratio,
                    false => Halt::Unpacked,
                })
            }
            _ => Trouble::TooMuch(Halt::Ceiling("memory or headers of a RAR archive")),
        },
        _ => Trouble::Broken(what),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::formats::zip::crc32;
    use crate::model::Fact;
    use crate::unpack::tests::opened;

    pub(super) fn vint(mut number: u64, out: &mut Vec<u8>) {
        while number >= 0x80 {
            out.push((number as u8 & 0x7f) | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }

    pub(super) fn block(fields: &[u8], out: &mut Vec<u8>) {
        let mut sized = Vec::new();
        vint(fields.len() as u64, &mut sized);
        sized.extend(fields);
        out.extend(crc32(&sized).to_le_bytes());
        out.extend(sized);
    }

    /// A RAR 5 archive (RAR 5.0 archive format) of stored members.
    pub(crate) fn rar(members: &[(&str, &[u8], u64)]) -> Vec<u8> {
        let sized = |one: &(&str, &[u8], u64)| one.1.len() as u64;
        claiming(members, sized)
    }

    /// The same of members that are as large as they claim, or not.
    fn claiming(
        members: &[(&str, &[u8], u64)],
        claim: impl Fn(&(&str, &[u8], u64)) -> u64,
    ) -> Vec<u8> {
        let mut out = b"Rar!\x1a\x07\x01\0".to_vec();
        block(&[1, 0, 0], &mut out);
        for member @ (name, data, flags) in members {
            let mut fields = Vec::new();
            // File, with data behind it; sizes; attributes; CRC; method stored; host; name.
            let sizes = [data.len() as u64, 4, claim(member), 0x20];
            for number in [2, 2 | flags].into_iter().chain(sizes) {
                vint(number, &mut fields);
            }
            fields.extend(crc32(data).to_le_bytes());
            for number in [0, 1, name.len() as u64] {
                vint(number, &mut fields);
            }
            fields.extend(name.as_bytes());
            block(&fields, &mut out);
            out.extend(*data);
        }
        block(&[5, 0, 0], &mut out);
        out
    }

    /// A file, and members that are that file again, so many of all.
    pub(crate) fn copies(data: &[u8], count: usize) -> Vec<u8> {
        use super::beside::tests::{archive, link};
        let more: Vec<Vec<u8>> = (1..count)
            .map(|at| link(5, &format!("{at}"), "a"))
            .collect();
        archive(&[("a", data, 0)], &more)
    }

    #[test]
    fn members_come_with_their_names() {
        let data = rar(&[("見積.txt", b"one", 0), ("b.txt", b"two two", 0)]);
        let (children, facts) = opened("rar", &data);
        assert_eq!(facts, []);
        let got: Vec<_> = children
            .iter()
            .map(|c| (c.label(), c.data.as_ref()))
            .collect();
        assert_eq!(
            got,
            [("見積.txt", b"one".as_slice()), ("b.txt", b"two two")]
        );
    }

    #[test]
    fn a_damaged_member_is_told_and_costs_itself_only() {
        let mut data = rar(&[("a.txt", b"one", 0), ("b.txt", b"two two", 0)]);
        let at = data.windows(3).position(|three| three == b"one").unwrap();
        data[at] = b'O';
        let (children, facts) = opened("rar", &data);
        assert_eq!(children.len(), 2);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { what, .. }] if what.starts_with("a.txt")),
            "{facts:?}"
        );
    }

    #[test]
    fn what_would_become_too_large_meets_the_ratio_and_is_not_damaged() {
        for (claim, expected) in [(1 << 40, Some(Halt::Ratio)), (3, None)] {
            let data = claiming(&[("a.txt", b"one", 0)], |_| claim);
            let budget = crate::unpack::zip::tests::budget();
            let artifact = Artifact::alone(crate::model::Kind::Rar, data.into());
            let mut seen = crate::unpack::Seen::new();
            let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
            let ended = run(&artifact, &mut nest);
            let halt = match ended {
                Err(Trouble::TooMuch(halt)) => Some(halt),
                _ => None,
            };
            assert_eq!(halt, expected);
            assert_eq!(nest.facts, []);
        }
    }

    #[test]
    fn a_part_of_a_set_is_told() {
        let (children, facts) = opened("rar", &rar(&[("a.txt", b"one", 0x10)]));
        assert!(children.is_empty());
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
    }
}
