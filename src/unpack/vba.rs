//! VBA projects in compound files ([MS-OVBA]): every module's source is a child.
//!
//! A project is a storage with a stream `dir`, wherever it hides. What `dir` does not tell is recovered from the
//! streams themselves: a container of source has a look of its own, and every stream is searched for it, also
//! those that nothing leads to; where the file is damaged, its bytes as they lie are searched too. Compiled code is a
//! child only where it is something else than the source.

mod compiled;
mod forms;
mod signers;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::bytes::index;
use crate::formats::ole::{ObjectType, Ole, Reach, Stream};
use crate::formats::ovba::{self, Decompressed, Dir, Identifiers, Module, Tail};
use crate::formats::vba::known::{self, has_code};
use crate::limits::{Account, Fault, Halt};
use crate::model::{Artifact, Fact, Kind, Name, Trouble};

use super::{Child, Nest, Payload};
use compiled::{Compiled, Shared, Verdict};

pub use signers::signers;

/// The code page where a project names none.
const WESTERN: u16 = 1252;

/// Pushes the source of every module of every project.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if super::ole::is_older(artifact) {
        return Ok(());
    }
    let mut ole = super::ole::open(artifact, nest)?;
    let storages = Storages::of(&ole, nest)?;
    let mut finder = Finder {
        account: Account::new(crate::bytes::length(artifact.data.len())),
        taken: BTreeSet::new(),
        read: BTreeSet::new(),
        lost: false,
        modules: 0,
        with_code: 0,
        projects: 0,
        sources: Vec::new(),
        signed: None,
        unsure: false,
    };
    for (storage, dir) in storages.named("dir") {
        match finder.project(&mut ole, &storages, storage, dir, nest) {
            Err(Trouble::TooMuch(halt @ Halt::Ceiling(_))) => {
                nest.note(Fact::Limit {
                    halt,
                    what: "VBA project".to_owned(),
                });
            }
            other => other?,
        }
    }
    match finder.rest(&mut ole, &storages, nest) {
        Err(Trouble::TooMuch(halt @ Halt::Ceiling(_))) => {
            nest.note(Fact::Limit {
                halt,
                what: "VBA sources".to_owned(),
            });
        }
        other => other?,
    }
    // What a whole file no longer uses is no part of it: only what damage hides is searched for.
    let hidden = finder.modules == 0 || finder.lost;
    if ole.root().is_none() || hidden && !ole.deviations().is_empty() {
        finder.raw(&artifact.data, nest)?;
    }
    if finder.projects > 0 || finder.modules > 0 || storages.has("_vba_project") {
        nest.note(Fact::VbaStorage {
            modules: finder.modules,
            with_code: finder.with_code,
        });
    }
    if let Some(sha256) = finder.hash(nest) {
        nest.note(Fact::VbaHash { sha256 });
        finder.tell_signed(&mut ole, nest)?;
    }
    Ok(())
}

/// Streams by their storage and lower-case name, those of the tree before others of the same name.
struct Storages {
    streams: BTreeMap<(Option<usize>, String), usize>,
}

impl Storages {
    fn of(ole: &Ole<'_>, nest: &Nest<'_>) -> Result<Self, Halt> {
        let mut streams = BTreeMap::new();
        for reach in [Reach::Tree, Reach::Orphan, Reach::Carved] {
            for (position, entry) in ole.entries().iter().enumerate() {
                nest.tick()?;
                if entry.object_type == ObjectType::Stream && entry.reach == reach {
                    let key = (entry.parent, entry.name.to_lowercase());
                    streams.entry(key).or_insert(position);
                }
            }
        }
        Ok(Self { streams })
    }

    fn find(&self, storage: Option<usize>, name: &str) -> Option<usize> {
        self.streams.get(&(storage, name.to_lowercase())).copied()
    }

    /// Storages that hold a stream of this lower-case name, with that stream, in the order of the directory.
    fn named(&self, name: &str) -> Vec<(Option<usize>, usize)> {
        let all = self.streams.iter().filter(|((_, found), _)| found == name);
        let mut all: Vec<_> = all
            .map(|((storage, _), stream)| (*storage, *stream))
            .collect();
        all.sort_by_key(|(_, stream)| *stream);
        all
    }

    fn has(&self, name: &str) -> bool {
        self.streams.keys().any(|(_, found)| found == name)
    }
}

struct Finder {
    account: Account,
    /// Containers that were read: stream and offset.
    taken: BTreeSet<(usize, usize)>,
    /// Where in the file they start.
    read: BTreeSet<usize>,
    /// Whether a module's source is not where the project says.
    lost: bool,
    modules: usize,
    with_code: usize,
    projects: usize,
    /// Names and sources of the modules.
    sources: Vec<(String, Bytes)>,
    /// The digests that signatures of the project sign, and how many of the sources are in them.
    signed: Option<(ovba::Contents, usize)>,
    /// Whether some compiled code cannot be compared with its source.
    unsure: bool,
}

/// A module's source and where it was found.
struct Source<'s> {
    stream: usize,
    path: &'s str,
    offset: usize,
    name: String,
    code_page: u16,
    /// Why it is no ordinary module, where it is none.
    odd: Option<String>,
}

impl Finder {
    /// The hash of all modules; none where something else than their sources may run.
    fn hash(&self, nest: &Nest<'_>) -> Option<[u8; 32]> {
        let unsure = nest.facts.iter().any(|fact| {
            matches!(
                fact,
                Fact::PcodeDiffers { .. } | Fact::Unread { .. } | Fact::Limit { .. }
            )
        });
        if unsure || self.unsure || self.lost {
            return None;
        }
        let sources = self.sources.iter();
        let sources: Vec<(String, &[u8])> = sources
            .map(|(name, source)| (name.clone(), source.as_ref()))
            .collect();
        known::hash(&sources)
    }

    /// Tells what a signature of the project signs, where nothing but that project is there, and a signature that stands
    /// in the same compound file and holds. Those in a package stand in a part of their own: [`signers()`].
    fn tell_signed(&self, ole: &mut Ole<'_>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
        let Some((contents, modules)) = &self.signed else {
            return Ok(());
        };
        if self.projects != 1 || *modules != self.sources.len() {
            return Ok(());
        }
        nest.note(Fact::VbaContent {
            legacy: contents.legacy,
            newer: contents.newer.clone(),
        });
        let Some(summary) = ole.find(ole.root(), "\u{5}DocumentSummaryInformation") else {
            return Ok(());
        };
        let stream = ole.stream(summary)?;
        let signature = ovba::in_summary(&stream.data).and_then(ovba::read_signature);
        if let Some(signature) = signature.filter(|signature| signature.content.is_of(contents)) {
            nest.note(Fact::VbaSigner {
                sha256: signature.signer,
            });
        }
        Ok(())
    }

    /// Reads the project whose `dir` stream is at `dir`, in `storage`.
    fn project(
        &mut self,
        ole: &mut Ole<'_>,
        storages: &Storages,
        storage: Option<usize>,
        dir: usize,
        nest: &mut Nest<'_>,
    ) -> Result<(), Trouble> {
        let path = ole.path(dir);
        let stream = ole.stream(dir)?;
        let Some((parsed, raw)) = self.dir(&stream.data, &path, nest)? else {
            // Other programs name streams like this too; a project is told by its other streams then.
            if storages.find(storage, "_vba_project").is_some() {
                self.projects = self.projects.saturating_add(1);
                nest.unread(0, format!("{path}: no compressed dir stream"));
            }
            return Ok(());
        };
        if parsed.modules.is_empty() && storages.find(storage, "_vba_project").is_none() {
            return Ok(());
        }
        self.projects = self.projects.saturating_add(1);
        for deviation in &parsed.deviations {
            nest.deviation(deviation.at, format!("{path}: {}", deviation.what));
        }
        let page = parsed.code_page.unwrap_or(WESTERN);
        let list = self.listed(ole, storages, storage)?;
        let listed = list.as_deref().map(ovba::parse_project);
        let cache = match storages.find(storage, "_vba_project") {
            Some(cache) => Some(ole.stream(cache)?),
            None => None,
        };
        let tables = match &cache {
            Some(cache) => Identifiers::read(&cache.data, nest.budget())?,
            None => Vec::new(),
        };
        let shared = Shared {
            page,
            tables: &tables,
            cached: cache
                .as_ref()
                .is_some_and(|cache| ovba::version(&cache.data) != Some(0xffff)),
        };
        let before = self.sources.len();
        for module in &parsed.modules {
            nest.tick()?;
            let with_code = self.with_code;
            self.module(ole, storages, storage, module, &shared, nest)?;
            let hidden = listed
                .as_ref()
                .filter(|project| !project.lists(&module.name));
            let Some(project) = hidden else { continue };
            let name = crate::text::excerpt(&module.name(page));
            // As many modules as there are, but others: programs that cannot spell a name write such lists.
            let fewer = (1..parsed.modules.len()).contains(&project.modules.len());
            nest.note(if fewer && self.with_code > with_code {
                Fact::HiddenModule { module: name }
            } else {
                let what = format!("{path}: module {name} is not listed in PROJECT");
                Fact::Deviation {
                    at: None,
                    what: crate::text::excerpt(&what),
                }
            });
        }
        let own = self.sources.get(before..).unwrap_or_default();
        self.signed = None;
        if own.len() == parsed.modules.len() {
            let sources: Vec<&[u8]> = own.iter().map(|(_, source)| source.as_ref()).collect();
            let forms = match &listed {
                Some(project) => forms::read(ole, storage, project, page, nest)?,
                None => None,
            };
            let signable = ovba::Signable {
                dir: &raw,
                sources: &sources,
                list: list.as_deref(),
                forms: forms.as_deref(),
            };
            let contents = signable.contents(nest.budget())?;
            self.signed = contents.map(|contents| (contents, own.len()));
        }
        Ok(())
    }

    /// Decompresses and reads a `dir` stream: at its start, or wherever a container starts in it.
    fn dir(
        &mut self,
        stream: &[u8],
        path: &str,
        nest: &mut Nest<'_>,
    ) -> Result<Option<(Dir, Vec<u8>)>, Trouble> {
        let Some(start) = memchr::memchr(1, stream) else {
            return Ok(None);
        };
        let body = stream.get(start..).unwrap_or_default();
        let Some(got) = ovba::decompress(body, Tail::Follow, nest.budget(), &mut self.account)
        else {
            return Ok(None);
        };
        if start > 0 {
            nest.deviation(0, format!("{path}: starts {start} bytes late"));
        }
        note(&got, path, nest);
        halted(got.fault.as_ref(), path, nest)?;
        let dir = ovba::parse_dir(&got.data, nest.budget())?;
        Ok(Some((dir, got.data)))
    }

    /// The `PROJECT` stream beside or above the storage, where there is one.
    fn listed<'a>(
        &self,
        ole: &mut Ole<'a>,
        storages: &Storages,
        storage: Option<usize>,
    ) -> Result<Option<Cow<'a, [u8]>>, Halt> {
        let above = storage
            .and_then(|storage| ole.entries().get(storage))
            .and_then(|entry| entry.parent);
        let stream = storages.find(above, "project");
        let Some(stream) = stream.or_else(|| storages.find(storage, "project")) else {
            return Ok(None);
        };
        Ok(Some(ole.stream(stream)?.data))
    }

    /// Pushes the source of a module that `dir` names.
    fn module(
        &mut self,
        ole: &mut Ole<'_>,
        storages: &Storages,
        storage: Option<usize>,
        module: &Module,
        project: &Shared<'_>,
        nest: &mut Nest<'_>,
    ) -> Result<(), Trouble> {
        let page = project.page;
        let name = module.name(page);
        let names = module.stream_names(page);
        let found = names.iter().find_map(|name| storages.find(storage, name));
        let Some(position) = found else {
            self.lost = true;
            nest.unread(
                0,
                crate::text::excerpt(&format!("VBA module {name}: its stream is missing")),
            );
            return Ok(());
        };
        let path = ole.path(position);
        let declared = module.offset.map_or(0, index);
        if self.taken.contains(&(position, declared)) {
            let what = format!("{path}: VBA module {name} has the source of another");
            nest.note(Fact::Deviation {
                at: None,
                what: crate::text::excerpt(&what),
            });
            return Ok(());
        }
        let stream = ole.stream(position)?;
        let source = Source {
            stream: position,
            path: &path,
            offset: declared,
            name,
            code_page: page,
            odd: None,
        };
        let compiled = Compiled {
            project,
            module: &module.name,
            name: source.name.clone(),
        };
        if let Some(text) = self.container(&stream, &source, Tail::Follow, nest)? {
            return self.compiled(&compiled, &stream, &text, nest);
        }
        // The offset leads to no container: the first one of the right look is taken.
        let elsewhere = ovba::find_containers(&stream.data).next();
        let what = match elsewhere {
            Some(offset) => format!("{path}: expected source at {declared}, found at {offset}"),
            None => format!("{path}: no source at {declared}"),
        };
        self.lost |= elsewhere.is_none();
        let mut text = None;
        if let Some(offset) = elsewhere {
            let source = Source {
                offset,
                odd: Some(what),
                ..source
            };
            text = self.container(&stream, &source, Tail::Follow, nest)?;
        } else if stream.missing > 0 || is_any_left(stream.data.get(declared..)) {
            nest.unread(0, crate::text::excerpt(&what));
        } else {
            nest.note(Fact::Deviation {
                at: None,
                what: crate::text::excerpt(&what),
            });
        }
        self.compiled(&compiled, &stream, &text.unwrap_or_default(), nest)
    }

    /// Compares the compiled code of a module with its source, and counts it as code where the source has none.
    fn compiled(
        &mut self,
        compiled: &Compiled<'_>,
        stream: &Stream<'_>,
        source: &[u8],
        nest: &mut Nest<'_>,
    ) -> Result<(), Trouble> {
        let verdict = compiled.compare(&stream.data, source, nest)?;
        self.unsure |= verdict == Verdict::Unsure && has_code(source);
        if verdict == Verdict::Differs && !has_code(source) {
            self.with_code = self.with_code.saturating_add(1);
        }
        Ok(())
    }

    /// Searches all streams for sources that no project names.
    fn rest(
        &mut self,
        ole: &mut Ole<'_>,
        storages: &Storages,
        nest: &mut Nest<'_>,
    ) -> Result<(), Trouble> {
        for position in 0..ole.entries().len() {
            nest.tick()?;
            let Some(entry) = ole.entries().get(position) else {
                break;
            };
            if entry.object_type != ObjectType::Stream || entry.size == 0 {
                continue;
            }
            let (name, storage) = (entry.name.clone(), entry.parent);
            let stream = ole.stream(position)?;
            let offsets: Vec<usize> = ovba::find_containers(&stream.data)
                .filter(|offset| !self.taken.contains(&(position, *offset)))
                .collect();
            if offsets.is_empty() {
                continue;
            }
            let path = ole.path(position);
            let known = storages.find(storage, "dir").is_some();
            let mut read_to = 0;
            for offset in offsets {
                nest.tick()?;
                // A container inside another that was just read is text, not source.
                if offset < read_to {
                    continue;
                }
                let why = if known {
                    "dir does not name it"
                } else {
                    "there is no dir stream"
                };
                let source = Source {
                    stream: position,
                    path: &path,
                    offset,
                    name: name.clone(),
                    code_page: WESTERN,
                    odd: Some(format!("{path}: source at {offset}, {why}")),
                };
                if self
                    .container(&stream, &source, Tail::Stop, nest)?
                    .is_some()
                {
                    read_to = offset.saturating_add(1);
                }
            }
        }
        Ok(())
    }

    /// Searches the bytes of a damaged file for sources that no stream led to.
    fn raw(&mut self, data: &[u8], nest: &mut Nest<'_>) -> Result<(), Trouble> {
        let whole = Stream {
            data: Cow::Borrowed(data),
            ranges: std::iter::once(0..data.len()).collect(),
            deviations: Vec::new(),
            missing: 0,
        };
        for offset in ovba::find_containers(data) {
            nest.tick()?;
            if self.read.contains(&offset) {
                continue;
            }
            let source = Source {
                stream: usize::MAX,
                path: "damaged file",
                offset,
                name: String::new(),
                code_page: WESTERN,
                odd: Some(format!("source at {offset}, no stream leads to it")),
            };
            self.container(&whole, &source, Tail::Stop, nest)?;
        }
        Ok(())
    }

    /// Decompresses one container and pushes its source, which it gives back; none where there is no container.
    fn container(
        &mut self,
        stream: &Stream<'_>,
        source: &Source<'_>,
        tail: Tail,
        nest: &mut Nest<'_>,
    ) -> Result<Option<Bytes>, Trouble> {
        let body = stream.data.get(source.offset..).unwrap_or_default();
        let got = ovba::decompress(body, tail, nest.budget(), &mut self.account);
        let Some(got) = got else { return Ok(None) };
        self.taken.insert((source.stream, source.offset));
        self.read.extend(place(stream, source.offset));
        if let Some(odd) = &source.odd {
            nest.note(Fact::Deviation {
                at: None,
                what: crate::text::excerpt(odd),
            });
        }
        note(&got, source.path, nest);
        self.modules = self.modules.saturating_add(1);
        self.with_code = self
            .with_code
            .saturating_add(usize::from(has_code(&got.data)));
        let text = Bytes::from(got.data);
        self.sources.push((source.name.clone(), text.clone()));
        let mut child = Child::new("vba-module", Payload::Paid(text.clone()))
            .of_kind(Kind::VbaSource)
            .with_fact(Fact::CodePage {
                number: source.code_page,
            });
        if !source.name.is_empty() {
            child = child.named(Name::of(source.name.clone()));
        }
        nest.push(child)?;
        halted(got.fault.as_ref(), source.path, nest)?;
        Ok(Some(text))
    }
}

/// Where in the file the byte of a stream at `offset` lies.
fn place(stream: &Stream<'_>, offset: usize) -> Option<usize> {
    let mut left = offset;
    for range in &stream.ranges {
        match left.checked_sub(range.len()) {
            None => return range.start.checked_add(left),
            Some(rest) => left = rest,
        }
    }
    None
}

/// Tells what was odd about a container.
fn note(got: &Decompressed, path: &str, nest: &mut Nest<'_>) {
    let told = |what: &str| crate::text::excerpt(&format!("{path}: {what}"));
    for deviation in &got.deviations {
        nest.note(Fact::Deviation {
            at: None,
            what: told(&deviation.what),
        });
    }
    for missing in &got.missing {
        nest.note(Fact::Unread {
            at: None,
            what: told(&missing.what),
        });
    }
}

/// A limit of the whole scan ends the unpacking; any other is noted.
fn halted(fault: Option<&Fault>, path: &str, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    match fault {
        None => Ok(()),
        Some(Fault::Halt(halt @ (Halt::OutOfTime | Halt::Unpacked | Halt::Ratio))) => {
            Err(Trouble::TooMuch(*halt))
        }
        Some(fault) => {
            nest.note(Trouble::from(fault.clone()).into_fact(path));
            Ok(())
        }
    }
}

/// Whether something stands where the source should: programs against viruses leave zeros in its place.
fn is_any_left(rest: Option<&[u8]>) -> bool {
    rest.unwrap_or_default().iter().any(|byte| *byte != 0)
}

#[cfg(test)]
mod tests;
