//! Archives inside of programs, and of what archivers pass over in search of one: behind their end, in their resources,
//! wherever a whole head of one stands.
//!
//! A program that knows archives has their marks in it too; only a mark with a head that holds together counts.

mod ends;
mod heads;
mod installers;

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use memchr::memmem;

use crate::bytes::slice;
use crate::formats::pe;
use crate::identify;
use crate::limits::Halt;
use crate::model::{Artifact, Fact, Family, Kind, Trouble};

use super::hosts::{self, Search};
use super::{Child, Nest, carve, gzip};
use ends::{Streams, free_sectors, is_printer_setting, own_end};
use heads::{ARJ, END_RECORD, FURTHER, Mark, Patience, STRONG, ZIP_END};
use installers::{install_shield, is_inno};

/// Archives of one program at the most.
const ARCHIVES: usize = 256;

/// Marks, and all of them in one pass.
struct Finder {
    marks: Vec<&'static Mark>,
    automaton: Option<AhoCorasick>,
    /// One that is searched for by itself.
    alone: Option<&'static Mark>,
}

impl Finder {
    fn of(marks: impl Iterator<Item = &'static Mark>, alone: Option<&'static Mark>) -> Self {
        let marks: Vec<_> = marks.collect();
        let mut builder = AhoCorasick::builder();
        let builder = builder.match_kind(aho_corasick::MatchKind::LeftmostFirst);
        let automaton = builder.build(marks.iter().map(|mark| mark.bytes)).ok();
        Self {
            marks,
            automaton,
            alone,
        }
    }

    /// Each mark in a part of the data that starts at byte `start`, and where it stands.
    fn find<'d>(
        &'d self,
        data: &'d [u8],
        start: usize,
    ) -> impl Iterator<Item = (usize, &'static Mark)> + 'd {
        let automaton = self.automaton.iter();
        let found = automaton.flat_map(move |automaton| automaton.find_iter(data));
        let found = found.filter_map(move |found| {
            let mark = self.marks.get(found.pattern().as_usize())?;
            Some((start.saturating_add(found.start()), *mark))
        });
        let alone = self.alone.into_iter().flat_map(move |mark| {
            let places = memmem::find_iter(data, mark.bytes);
            places.map(move |at| (start.saturating_add(at), mark))
        });
        let (mut found, mut alone) = (found.peekable(), alone.peekable());
        std::iter::from_fn(move || match (found.peek(), alone.peek()) {
            (Some((first, _)), Some((second, _))) if second < first => alone.next(),
            (None, _) => alone.next(),
            _ => found.next(),
        })
    }
}

static STRONG_ONES: LazyLock<Finder> = LazyLock::new(|| Finder::of(STRONG.iter(), None));
/// Zips are left out: themes of Office lie in streams as they are.
static OF_STREAMS: LazyLock<Finder> = LazyLock::new(|| {
    let marks = STRONG.iter().filter(|mark| mark.bytes != ZIP_END);
    Finder::of(marks, None)
});
static ALL: LazyLock<Finder> =
    LazyLock::new(|| Finder::of(STRONG.iter().chain(&FURTHER), Some(&ARJ)));

/// What stands behind the end of a program, or of the lines of a script, for it to unpack: kinds that bytes by chance
/// are not taken for.
const PAYLOADS: &[Kind] = &[
    Kind::Lzh,
    Kind::Arj,
    Kind::Ace,
    Kind::Alz,
    Kind::Egg,
    Kind::Tar,
    Kind::Cpio,
    Kind::Wim,
    Kind::Gz,
    Kind::Bz2,
    Kind::Xz,
    Kind::Zst,
    Kind::Msi,
    Kind::Deb,
    Kind::Rpm,
];

/// How those start that a script has behind its last line.
const BEHIND_LINES: [&[u8]; 5] = [
    b"\n\x1f\x8b\x08",
    b"\nBZh",
    b"\n\xfd7zXZ\0",
    b"\n\x28\xb5\x2f\xfd",
    b"\n070701",
];

/// Bytes of padding between a program and what is behind it.
const PADDING: usize = 4096;

/// Bytes between a program of ARJ and the archive that it unpacks, at the most.
const ARJ_LEAD: usize = 64;

/// What is gone through of an artifact.
struct Area {
    is_program: bool,
    /// First byte behind the end of its own; 0 where it tells none.
    behind: usize,
    /// The parts of it, in order, and the marks that count in each.
    parts: Vec<(Range<usize>, &'static Finder)>,
}

/// Pushes every archive that is hidden in an artifact or behind it.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    match hosts::widest(artifact, |host| host.archives) {
        Search::Nowhere if artifact.kind == Kind::Gz => in_head(artifact, nest),
        Search::Nowhere => Ok(()),
        Search::Text if !hosts::is_more_than_text(&artifact.data) => Ok(()),
        Search::Behind => run_behind(artifact, nest),
        Search::Text | Search::Whole if is_program(artifact.kind) => in_program(artifact, nest),
        Search::Text | Search::Whole => in_all(artifact, nest),
    }
}

fn is_program(kind: Kind) -> bool {
    matches!(kind, Kind::Pe | Kind::Dos | Kind::Elf | Kind::MachO)
}

/// Whether archivers open it for what it is, and then look for no other archive but one of their own.
fn is_archivers_own(kind: Kind) -> bool {
    matches!(
        kind.family(),
        Family::Archive | Family::Compressed | Family::Disk | Family::Installer
    )
}

/// The archives of a program, and the files behind one of InstallShield.
fn in_program(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let (behind, passed) = match artifact.kind {
        Kind::Pe => {
            let behind = pe::read(data).map_or(data.len(), |program| program.end);
            let passed = behind..install_shield(artifact, behind, nest)?;
            if is_inno(data, behind) {
                let what = "Inno Setup installer".to_owned();
                nest.note(Trouble::NoReader(what).into_fact(""));
            }
            (behind, passed)
        }
        _ => {
            let program = identify::embedded_program(data, 0);
            (program.map_or(0, |(_, range)| range.end), 0..0)
        }
    };
    let from = behind.max(passed.end);
    let area = Area {
        is_program: true,
        behind,
        parts: vec![
            (0..behind.min(data.len()), &*STRONG_ONES),
            (from..data.len(), &*ALL),
        ],
    };
    let found = marked(artifact, &area, nest)?;
    if from > 0 && found <= from {
        payload(artifact, from, nest)?;
    }
    Ok(())
}

fn in_all(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let finder = match artifact.kind {
        Kind::OleStream => &*OF_STREAMS,
        kind if is_archivers_own(kind) => &*STRONG_ONES,
        _ => &*ALL,
    };
    let area = Area {
        is_program: false,
        behind: 0,
        parts: vec![(0..data.len(), finder)],
    };
    let found = marked(artifact, &area, nest)?;
    // A line of the script itself may look like the start of one.
    for from in lines_ends(artifact.kind, data) {
        nest.tick()?;
        if found <= from && payload(artifact, from, nest)? {
            break;
        }
    }
    Ok(())
}

/// The archives in the fields of a head of gzip, which its reader passes over.
fn in_head(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let end = gzip::head_end(&artifact.data).unwrap_or_default();
    let area = Area {
        is_program: false,
        behind: 0,
        parts: vec![(0..end, &*STRONG_ONES)],
    };
    marked(artifact, &area, nest).map(drop)
}

/// What of the first `end` bytes of an archive belongs to none of its files; nothing where one of them has no place of
/// its own.
fn gaps(artifact: &Artifact, end: usize, nest: &Nest<'_>) -> Vec<Range<usize>> {
    if nest.children.is_empty() || nest.children.iter().any(|child| child.at.is_none()) {
        return Vec::new();
    }
    let mut from = 0usize;
    let mut gaps = Vec::new();
    for range in taken(artifact, nest) {
        if from < range.start.min(end) {
            gaps.push(from..range.start.min(end));
        }
        from = from.max(range.end);
    }
    if from < end {
        gaps.push(from..end);
    }
    gaps
}

/// Pushes what is behind the end of a document or of another archive, and the archives between its parts.
fn run_behind(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let end = own_end(artifact.kind, data, nest.budget())?;
    let is_package = data.starts_with(b"PK");
    // A package that lost its end: its members were read, and are passed over. Old documents tell none.
    let is_flat = artifact.kind.family() == Family::Ole && !data.starts_with(&[0xd0, 0xcf]);
    let Some(end) = end.or_else(|| (is_package || is_flat).then_some(0)) else {
        return Ok(());
    };
    let end = end.min(data.len());
    let mut parts: Vec<Range<usize>> = match artifact.kind {
        _ if is_package => std::iter::once(0..end).collect(),
        Kind::Tar | Kind::Iso | Kind::Udf => gaps(artifact, end, nest),
        _ => free_sectors(data, end),
    };
    parts.push(end..data.len());
    let parts = parts.into_iter().map(|part| (part, &*STRONG_ONES));
    let area = Area {
        is_program: false,
        behind: end,
        parts: parts.collect(),
    };
    marked(artifact, &area, nest)?;
    match (end > 0 || is_flat) && end < data.len() {
        true => carve::run_behind(artifact, end, nest),
        false => Ok(()),
    }
}

/// What the children that were pushed take up of an artifact, in order and without overlaps.
fn taken(artifact: &Artifact, nest: &Nest<'_>) -> Vec<Range<usize>> {
    let whole = 0..artifact.data.len();
    let ranges = nest.children.iter().filter_map(|child| child.at.clone());
    let mut ranges: Vec<_> = ranges.filter(|range| *range != whole).collect();
    ranges.sort_unstable_by_key(|range| range.start);
    let mut taken: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match taken.last_mut().filter(|last| range.start <= last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => taken.push(range),
        }
    }
    taken
}

/// Pushes every archive whose mark and head are there; gives the end of the last.
fn marked(artifact: &Artifact, area: &Area, nest: &mut Nest<'_>) -> Result<usize, Trouble> {
    let data = &artifact.data;
    let mut next = 0usize;
    let followed = carve::tail(artifact.kind, data);
    let taken = match artifact.kind {
        // What their decoders went through may be more than they wrote.
        Kind::Lzma | Kind::Lzip | Kind::Z => Vec::new(),
        _ => taken(artifact, nest),
    };
    let is_taken = |at: usize| {
        let before = taken.partition_point(|range| range.start <= at);
        let last = before.checked_sub(1).and_then(|last| taken.get(last));
        last.is_some_and(|range| at < range.end)
    };
    let mut count = 0usize;
    let mut streams = Streams::default();
    let mut patience = Patience::of(data.len());
    let mut has_stream = false;
    let for_printer = artifact.kind == Kind::Data && is_printer_setting(data);
    let parts = area.parts.iter();
    let found = parts.flat_map(|(part, finder)| {
        let bytes = data.get(part.clone()).unwrap_or_default();
        finder.find(bytes, part.start)
    });
    // Each mark costs one look at fields of fixed size; what was found is passed over whole.
    for (at, mark) in found {
        nest.tick()?;
        let is_zip = mark.bytes == ZIP_END;
        if at < next || !is_zip && mark.start(at).is_none_or(is_taken) {
            continue;
        }
        if artifact.kind == Kind::Pdf && streams.hold(data, at) {
            continue;
        }
        let Some(range) = mark.range(data, at, next, &mut patience) else {
            if patience.is_out() {
                let halt = Halt::Ceiling("heads of archives that are none");
                nest.note(Trouble::TooMuch(halt).into_fact(&format!("from offset {at}")));
                return Ok(next);
            }
            continue;
        };
        // Archivers open the first stream that they find; files of resources hold hundreds.
        if mark.is_stream() && std::mem::replace(&mut has_stream, true) {
            continue;
        }
        // A second zip behind a zip is a reading of the whole.
        if is_zip
            && (is_taken(range.start)
                || area.behind > 0 && data.starts_with(b"PK")
                || is_followed(artifact, &range))
        {
            continue;
        }
        next = range.end.max(at.saturating_add(1));
        // What stands right behind the end of a picture is told there.
        if followed == Some(range.start) {
            continue;
        }
        let inside = data.slice(range.clone());
        if !area.is_program && !nest.is_empty() && nest.holds(&inside) {
            continue;
        }
        count = count.saturating_add(1);
        if count > ARCHIVES {
            let halt = Halt::Ceiling("256 archives in a program");
            nest.note(Trouble::TooMuch(halt).into_fact(&format!("from offset {at}")));
            return Ok(data.len());
        }
        let via = if area.behind > 0 && range.start >= area.behind {
            "appended"
        } else {
            "carved"
        };
        if !area.is_program && !for_printer {
            let kind = identify::identify(&inside, nest.budget()).kind;
            let at = range.start;
            nest.note(Fact::Polyglot { kind, at });
        }
        nest.push(Child::new(via, inside).at(range))?;
    }
    Ok(next)
}

/// Where the lines of a script may end that has an archive behind them.
fn lines_ends(kind: Kind, data: &[u8]) -> Vec<usize> {
    /// Places that start alike.
    const PLACES: usize = 16;
    if !matches!(kind, Kind::Sh | Kind::Bat | Kind::Pl | Kind::Php) {
        return Vec::new();
    }
    let ends = BEHIND_LINES.iter();
    let ends = ends.flat_map(|mark| {
        memmem::find_iter(data, mark)
            .filter(|at| goes_on(data, *at))
            .take(PLACES)
    });
    let mut ends: Vec<usize> = ends.map(|at| at.saturating_add(1)).collect();
    ends.sort_unstable();
    ends
}

/// Whether the marks that are letters too go on as those of archives do.
fn goes_on(data: &[u8], at: usize) -> bool {
    match slice(data, at, 11).unwrap_or_default() {
        [b'\n', b'B', _, _, level, mark @ ..] => {
            level.is_ascii_digit()
                && (mark.starts_with(b"1AY&SY") || mark.starts_with(b"\x17rE8P\x90"))
        }
        [b'\n', b'0', rest @ ..] => rest.iter().all(u8::is_ascii_hexdigit),
        _ => true,
    }
}

/// Pushes what stands at `from`, where it is an archive; whether it is one.
fn payload(artifact: &Artifact, from: usize, nest: &mut Nest<'_>) -> Result<bool, Trouble> {
    let data = &artifact.data;
    let tail = data.get(from..).unwrap_or_default();
    let zeros = tail.iter().take(PADDING).take_while(|byte| **byte == 0);
    let start = from.saturating_add(zeros.count());
    // ARJ has a few bytes of its own in front.
    let near = slice(tail, 0, ARJ_LEAD.min(tail.len())).unwrap_or_default();
    let arj = memmem::find(near, b"\x60\xea").map(|at| from.saturating_add(at));
    for start in std::iter::once(start).chain(arj.filter(|at| *at != start)) {
        let tail = data.get(start..).unwrap_or_default();
        if tail.is_empty() {
            continue;
        }
        let kind = identify::identify(tail, nest.budget()).kind;
        if !PAYLOADS.contains(&kind) {
            continue;
        }
        if !artifact.readings.contains(&kind) {
            let range = start..data.len();
            let child = Child::new("appended", data.slice(range.clone()));
            nest.push(child.at(range))?;
        }
        return Ok(true);
    }
    Ok(false)
}

/// Whether the program reads as this zip too, which is followed as such.
fn is_followed(artifact: &Artifact, range: &Range<usize>) -> bool {
    /// Bytes at the end in which that reading is looked for.
    const TAIL: usize = END_RECORD + 65_535;
    let zipped = |kind: &Kind| {
        matches!(kind.family(), Family::Ooxml | Family::Odf)
            || matches!(
                kind,
                Kind::Zip | Kind::Jar | Kind::Apk | Kind::Appx | Kind::Xpi
            )
    };
    let near = artifact.data.len().saturating_sub(range.end) < TAIL;
    near && artifact.readings.iter().any(zipped)
}

#[cfg(test)]
mod tests;
