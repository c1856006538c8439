//! Documents on compound files ([MS-CFB]): what all of them share. Storages of macros ([MS-OVBA]) and of objects
//! ([MS-OLEDS]) are left out wherever they stand and whatever their names are; streams that other programs read are
//! edited by the files of their formats. The result is written anew, so that nothing of what went stays in free sectors.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::asked::{Asked, COMMANDS, Log, MACROS, PACKAGES, PROGRAMS, SHEETS};
use super::{Disarmed, FindingId, Job, Refusal};
use super::{excel_binary, powerpoint_binary, word_binary};
use crate::formats::ole::{Changes, ObjectType, Ole, same_name};
use crate::formats::ovba::{self, Tail};
use crate::formats::{monikers, mtef, ole1};
use crate::limits::{Account, Budget, Fault, Halt};
use crate::text;

/// Storages within storages that are looked at from an entry upwards.
const DEPTH: usize = 64;

/// Objects within objects that are compound files of their own.
const NESTED: u32 = 4;

/// A stream `\x01Ole` without a link ([MS-OLEDS] 2.3.3).
const NO_LINK: [u8; 20] = [1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Streams by which an object in a Word document is drawn, the last of which only tells how large ([MS-DOC] 2.1.10).
const PICTURES: [&str; 4] = ["\u{3}META", "\u{3}PICT", "\u{3}EPRINT", "\u{3}PIC"];

const EQUATION: &str = "equation-object";

/// What has to go, each with the finding that it is for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) macros: Option<FindingId>,
    pub(super) packages: Option<FindingId>,
    pub(super) equations: Option<FindingId>,
    pub(super) controls: Option<FindingId>,
    pub(super) links: Option<FindingId>,
    pub(super) template: Option<FindingId>,
    pub(super) exchange: Option<FindingId>,
    pub(super) sheets: Option<FindingId>,
    pub(super) hidden: Option<FindingId>,
}

impl Wanted {
    pub(super) fn of(asked: Asked<'_>) -> Self {
        Self {
            macros: asked.first(&[MACROS, COMMANDS]),
            packages: asked.first(&[PACKAGES, PROGRAMS, COMMANDS]),
            equations: asked.one(EQUATION),
            controls: asked.one("activex-control"),
            links: asked.one("external-object-link"),
            template: asked.one("remote-template"),
            exchange: asked.one("dde-link"),
            sheets: asked.first(&[SHEETS]),
            hidden: asked.one("hidden-sheet"),
        }
    }
}

/// Disarms a compound file.
pub(super) fn run(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    super::settled(job, budget, once)
}

fn once(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    let wanted = Wanted::of(Asked::of(job));
    let mut log = Log::default();
    let data = clean(job.data, &wanted, &mut log, NESTED, budget)?;
    Ok(log.ended(job, || data.map_or_else(|| job.data.clone(), Bytes::from)))
}

/// The file without what has to go; `None` where nothing of it is there.
pub(super) fn clean(
    data: &[u8],
    wanted: &Wanted,
    log: &mut Log,
    depth: u32,
    budget: &Budget,
) -> Result<Option<Vec<u8>>, Refusal> {
    let depth = depth.checked_sub(1).ok_or(Refusal::Limit(Halt::Depth))?;
    let ole = Ole::open(data, budget).map_err(|fault| match fault {
        Fault::Halt(halt) => Refusal::Limit(halt),
        Fault::Broken(what) => Refusal::Broken(what),
    })?;
    if ole.root().is_none() {
        return Err(Refusal::Broken("a compound file without a root".to_owned()));
    }
    let mut plan = Plan {
        ole,
        gone: BTreeSet::new(),
        new: BTreeMap::new(),
        without_class: false,
        pictures: BTreeSet::new(),
        log,
        budget,
    };
    plan.macros(wanted)?;
    plan.objects(wanted)?;
    plan.documents(wanted, depth)?;
    plan.written()
}

/// The way from a file to its result.
struct Plan<'a, 'l> {
    ole: Ole<'a>,
    /// Entries that are left out, with all below them.
    gone: BTreeSet<usize>,
    /// Streams with other bytes.
    new: BTreeMap<usize, Vec<u8>>,
    /// Whether the file is no longer an object of a class that has to go.
    without_class: bool,
    /// Storages of objects of which only the pictures are left.
    pictures: BTreeSet<usize>,
    log: &'l mut Log,
    budget: &'l Budget,
}

impl Plan<'_, '_> {
    /// Positions of streams, in the order of the directory.
    fn streams(&self) -> Vec<usize> {
        let entries = self.ole.entries().iter().enumerate();
        entries
            .filter(|(_, entry)| entry.object_type == ObjectType::Stream)
            .map(|(position, _)| position)
            .collect()
    }

    fn name(&self, position: usize) -> &str {
        let entry = self.ole.entries().get(position);
        entry.map_or("", |entry| entry.name.as_str())
    }

    fn parent(&self, position: usize) -> Option<usize> {
        self.ole.entries().get(position)?.parent
    }

    fn bytes(&mut self, position: usize) -> Result<Vec<u8>, Refusal> {
        let stream = self.ole.stream(position).map_err(Refusal::Limit)?;
        Ok(stream.data.into_owned())
    }

    fn leave_out(&mut self, position: usize, finding: &FindingId) {
        if self.gone.insert(position) {
            let path = self.ole.path(position);
            self.log.add(finding, &path);
        }
    }

    /// Whether an entry or a storage around it is left out.
    fn is_gone(&self, position: usize) -> bool {
        let mut next = Some(position);
        for _ in 0..DEPTH {
            match next {
                Some(at) if self.gone.contains(&at) => return true,
                Some(at) => next = self.parent(at),
                None => break,
            }
        }
        false
    }

    /// Leaves out every macro project.
    fn macros(&mut self, wanted: &Wanted) -> Result<(), Refusal> {
        let Some(finding) = &wanted.macros else {
            return Ok(());
        };
        for position in self.streams() {
            self.budget.tick().map_err(Refusal::Limit)?;
            if !self.is_gone(position) && self.tells_a_project(position)? {
                self.project(position, finding);
            }
        }
        // Modules outside of their projects.
        for position in self.streams() {
            if self.is_gone(position) || is_document(self.name(position)) {
                continue;
            }
            let data = self.bytes(position)?;
            let search = memchr::memmem::find(&data, b"\0Attribut");
            let follows = search.and_then(|at| data.get(at.saturating_add(9)..));
            if follows.is_some_and(|rest| rest.starts_with(b"\0e ") || rest.starts_with(b"e ")) {
                self.leave_out(position, finding);
            }
        }
        Ok(())
    }

    /// Whether a stream is one that only macro projects have.
    fn tells_a_project(&mut self, position: usize) -> Result<bool, Refusal> {
        let name = self.name(position);
        if same_name(name, "_VBA_PROJECT") {
            return Ok(true);
        }
        if !same_name(name, "dir") {
            return Ok(false);
        }
        let data = self.bytes(position)?;
        let Some(start) = memchr::memchr(1, &data) else {
            return Ok(false);
        };
        let body = data.get(start..).unwrap_or_default();
        let mut account = Account::new(crate::bytes::length(data.len()));
        let Some(got) = ovba::decompress(body, Tail::Follow, self.budget, &mut account) else {
            return Ok(false);
        };
        let dir = ovba::parse_dir(&got.data, self.budget).map_err(Refusal::Limit)?;
        Ok(!dir.modules.is_empty())
    }

    /// Leaves out the project that a stream belongs to.
    fn project(&mut self, stream: usize, finding: &FindingId) {
        let root = self.ole.root();
        let storage = self.parent(stream);
        let above = storage.and_then(|storage| self.parent(storage));
        let Some(storage) = storage.filter(|storage| Some(*storage) != root) else {
            // A project without a storage of its own: what only projects have goes.
            let inside: Vec<usize> = self.ole.children(storage).collect();
            for position in inside {
                let name = self.name(position).to_lowercase();
                let own = matches!(name.as_str(), "dir" | "_vba_project" | "vba");
                if own || is_listing(&name) || name.starts_with("__srp_") {
                    self.leave_out(position, finding);
                }
            }
            return;
        };
        let beside: Vec<usize> = self.ole.children(above).collect();
        let mut listing = Vec::new();
        let mut own = above.is_some() && above != root;
        for position in beside {
            let name = self.name(position).to_lowercase();
            if is_listing(&name) || self.ole.find(Some(position), "\u{3}VBFrame").is_some() {
                listing.push(position);
            } else if is_document(&name) {
                own = false;
            }
        }
        match above.filter(|_| own && !listing.is_empty()) {
            Some(above) => self.leave_out(above, finding),
            None => {
                self.leave_out(storage, finding);
                for position in listing {
                    self.leave_out(position, finding);
                }
            }
        }
    }

    /// Leaves out objects of other programs, by the streams in their storages.
    fn objects(&mut self, wanted: &Wanted) -> Result<(), Refusal> {
        for position in self.streams() {
            self.budget.tick().map_err(Refusal::Limit)?;
            if self.is_gone(position) {
                continue;
            }
            let name = self.name(position).to_owned();
            let class = self.class(position);
            let finding = if same_name(&name, "\u{1}Ole10Native") {
                self.native(position, &class, wanted)?
            } else if same_name(&name, "Equation Native") {
                wanted.equations.clone()
            } else if same_name(&name, "\u{3}OCXNAME") {
                wanted.controls.clone()
            } else if same_name(&name, "Ctls") {
                // The controls of a workbook, all of them.
                if let Some(finding) = &wanted.controls {
                    self.leave_out(position, finding);
                }
                None
            } else if same_name(&name, "Package") {
                self.package(position, wanted)?
            } else {
                None
            };
            if let Some(finding) = finding {
                match self.parent(position).filter(|_| finding == EQUATION) {
                    Some(storage) if self.leave_picture(storage, &finding) => {}
                    _ => self.object(position, &finding),
                }
            } else if let Some(finding) = &wanted.links
                && same_name(&name, "\u{1}Ole")
                && !monikers::targets(&self.bytes(position)?).is_empty()
            {
                self.new.insert(position, NO_LINK.to_vec());
                let path = self.ole.path(position);
                self.log.add(finding, &path);
            }
        }
        self.editors(wanted);
        Ok(())
    }

    /// Leaves out storages of the Equation Editor, whatever is in them.
    fn editors(&mut self, wanted: &Wanted) {
        let Some(finding) = &wanted.equations else {
            return;
        };
        // An object that is a file of its own keeps its picture.
        if self
            .ole
            .root_clsid()
            .is_some_and(|class| mtef::is_editor(&class))
        {
            self.without_class = true;
            self.log.add(finding, "class of the file");
        }
        let entries = self.ole.entries().iter().enumerate();
        let storages: Vec<usize> = entries
            .filter(|(_, entry)| entry.object_type == ObjectType::Storage)
            .filter(|(_, entry)| mtef::is_editor(&entry.clsid))
            .map(|(position, _)| position)
            .collect();
        for position in storages {
            let done = self.is_gone(position) || self.pictures.contains(&position);
            if !done && !self.leave_picture(position, finding) {
                self.leave_out(position, finding);
            }
        }
    }

    /// Leaves of an object in a Word document what its place shows, where it has that by itself ([MS-DOC] 2.1.10); else
    /// nothing is done.
    fn leave_picture(&mut self, storage: usize, finding: &FindingId) -> bool {
        let pool = self.parent(storage);
        if !pool.is_some_and(|pool| same_name(self.name(pool), "ObjectPool")) {
            return false;
        }
        let inside: Vec<usize> = self.ole.children(Some(storage)).collect();
        let (pictures, rest): (Vec<usize>, Vec<usize>) = inside.into_iter().partition(|at| {
            let name = self.name(*at);
            PICTURES.iter().any(|picture| same_name(name, picture))
        });
        let size = |at: &usize| same_name(self.name(*at), "\u{3}PIC");
        if pictures.iter().all(size) {
            return false;
        }
        let path = self.ole.path(storage);
        self.log.add(finding, &path);
        self.gone.extend(rest);
        self.pictures.insert(storage);
        true
    }

    /// Leaves out the storage of an object, or its stream alone where that storage is the file.
    fn object(&mut self, stream: usize, finding: &FindingId) {
        let storage = self.parent(stream);
        let own = storage.filter(|storage| Some(*storage) != self.ole.root());
        self.leave_out(own.unwrap_or(stream), finding);
    }

    fn class(&self, position: usize) -> [u8; 16] {
        let storage = self.parent(position);
        let storage = storage.and_then(|storage| self.ole.entries().get(storage));
        storage.map(|storage| storage.clsid).unwrap_or_default()
    }

    /// Why the data of an object that knows no storages has to go.
    fn native(
        &mut self,
        position: usize,
        class: &[u8; 16],
        wanted: &Wanted,
    ) -> Result<Option<FindingId>, Refusal> {
        if mtef::is_editor(class) {
            return Ok(wanted.equations.clone());
        }
        let Some(finding) = wanted.packages.clone() else {
            return Ok(None);
        };
        let data = self.bytes(position)?;
        let package = ole1::package(data.get(4..).unwrap_or_default()).is_ok();
        // What is no package may hold a program all the same; pictures and charts stay.
        let program = !PACKAGES.iter().any(|id| finding == *id);
        Ok((package || program).then_some(finding))
    }

    /// Why an embedded document of Office Open XML has to go: for its macros, which stay closed here.
    fn package(&mut self, position: usize, wanted: &Wanted) -> Result<Option<FindingId>, Refusal> {
        let data = self.bytes(position)?;
        if !data.starts_with(b"PK") {
            return Ok(None);
        }
        let names = |name: &[u8]| memchr::memmem::find(&data, name).is_some();
        Ok(if names(b"vbaProject") || names(b"vbaData") {
            wanted.macros.clone()
        } else if names(b"macrosheets/") {
            wanted.sheets.clone()
        } else {
            None
        })
    }

    /// Edits the streams of documents.
    fn documents(&mut self, wanted: &Wanted, depth: u32) -> Result<(), Refusal> {
        for position in self.streams() {
            self.budget.tick().map_err(Refusal::Limit)?;
            if self.is_gone(position) {
                continue;
            }
            let name = self.name(position).to_owned();
            if same_name(&name, "WordDocument") {
                self.word(position, wanted)?;
            } else if same_name(&name, "Workbook") || same_name(&name, "Book") {
                self.workbook(position, wanted)?;
            } else if same_name(&name, "PowerPoint Document") {
                let data = self.bytes(position)?;
                let user = self.ole.find(self.parent(position), "Current User");
                let user = match user {
                    Some(user) => self.bytes(user)?,
                    None => Vec::new(),
                };
                let edited =
                    powerpoint_binary::edit(&data, &user, wanted, self.log, depth, self.budget)?;
                self.new.extend(edited.map(|edited| (position, edited)));
            }
        }
        Ok(())
    }

    /// A workbook, without a lock that everybody opens.
    fn workbook(&mut self, position: usize, wanted: &Wanted) -> Result<(), Refusal> {
        let mut data = self.bytes(position)?;
        let path = self.ole.path(position);
        let opened = excel_binary::opened(&data, self.budget)?;
        let is_opened = opened.is_some();
        if let Some(opened) = opened {
            let beside: Vec<usize> = self.ole.children(self.parent(position)).collect();
            let in_clear =
                |at: &usize| self.gone.contains(at) || is_clear_beside_a_lock(self.name(*at));
            if !beside.iter().all(in_clear) {
                return Err(Refusal::Locked);
            }
            data = opened;
        }
        let edited = excel_binary::edit(&data, wanted, &path, self.log, self.budget)?;
        if let Some(new) = edited.or(is_opened.then_some(data)) {
            self.new.insert(position, new);
        }
        Ok(())
    }

    fn word(&mut self, position: usize, wanted: &Wanted) -> Result<(), Refusal> {
        let document = self.bytes(position)?;
        let path = self.ole.path(position);
        let table = crate::formats::word::table_name(&document).and_then(|name| {
            let here = self.ole.find(self.parent(position), name);
            here.or_else(|| self.ole.find(None, name))
        });
        let table_bytes = match table {
            Some(table) => self.bytes(table)?,
            None => Vec::new(),
        };
        let mut streams = word_binary::Streams {
            document,
            table: table_bytes,
        };
        if word_binary::edit(&mut streams, wanted, &path, self.log, self.budget)? {
            self.new.insert(position, streams.document);
            self.new.extend(table.map(|table| (table, streams.table)));
        }
        Ok(())
    }

    /// Streams of a document to which nothing leads in a damaged directory: programs that search for their names find
    /// them, so they stand in the root of the result.
    fn stray(&mut self) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
        let root = self.ole.root();
        let known: Vec<String> = self
            .ole
            .children(root)
            .map(|at| self.name(at).to_lowercase())
            .collect();
        let mut known: BTreeSet<String> = known.into_iter().collect();
        let mut found = Vec::new();
        for position in self.streams() {
            let name = self.name(position).to_owned();
            let stray = self.parent(position).is_none() && !self.is_gone(position);
            if stray && is_document(&name) && known.insert(name.to_lowercase()) {
                let data = match self.new.remove(&position) {
                    Some(data) => data,
                    None => self.bytes(position)?,
                };
                found.push((name, data));
            }
        }
        Ok(found)
    }

    /// The result, where anything changed.
    fn written(mut self) -> Result<Option<Vec<u8>>, Refusal> {
        if self.gone.is_empty() && self.new.is_empty() && !self.without_class {
            return Ok(None);
        }
        for position in self.streams() {
            if self.new.contains_key(&position) || self.is_gone(position) {
                continue;
            }
            let stream = self.ole.stream(position).map_err(Refusal::Limit)?;
            let missing = stream.missing;
            if missing == 0 {
                continue;
            }
            // Writers leave out the end of the last sector; more is damage.
            if missing > 4096 {
                let path = text::excerpt(&self.ole.path(position));
                return Err(Refusal::Broken(format!(
                    "{path}: {missing} of its bytes are missing"
                )));
            }
            let mut data = stream.data.into_owned();
            data.resize(data.len().saturating_add(crate::bytes::index(missing)), 0);
            self.new.insert(position, data);
        }
        let root = self.ole.root();
        let stray = self.stray()?;
        let mut changes = Changes {
            left_out: self.gone,
            replaced: self.new,
            added: root.map(|root| (root, stray)).into_iter().collect(),
            without_class: self.without_class,
            classless: self.pictures,
            ..Changes::default()
        };
        let written = self.ole.changed(&mut changes);
        written.map(Some).map_err(Refusal::Limit)
    }
}

/// Streams beside the storage of a project that belong to it ([MS-OVBA] 2.2.1), in lower case.
fn is_listing(name: &str) -> bool {
    matches!(name, "project" | "projectwm" | "projectlk")
}

/// Streams that are the document itself.
fn is_document(name: &str) -> bool {
    const DOCUMENTS: [&str; 7] = [
        "WordDocument",
        "Workbook",
        "Book",
        "PowerPoint Document",
        "1Table",
        "0Table",
        "Data",
    ];
    DOCUMENTS.iter().any(|document| same_name(name, document))
}

/// Whether an entry beside a locked workbook is known not to be locked with it ([MS-XLS] 2.2.10).
fn is_clear_beside_a_lock(name: &str) -> bool {
    const CLEAR: [&str; 8] = [
        "Workbook",
        "Book",
        "\u{1}CompObj",
        "\u{1}Ole",
        "\u{5}SummaryInformation",
        "\u{5}DocumentSummaryInformation",
        "_VBA_PROJECT_CUR",
        "_VBA_PROJECT",
    ];
    let object = |start: &str| {
        let end = name.get(start.len()..).filter(|_| name.starts_with(start));
        end.is_some_and(|end| end.len() == 8 && end.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    CLEAR.iter().any(|clear| same_name(clear, name)) || object("MBD") || object("LNK")
}

/// Whether a target leads out of the computer: an address, a share or a moniker, no file of a drive or a folder.
pub(super) fn leads_outside(target: &str) -> bool {
    let target = target.trim();
    let after = target.find(':');
    target.contains("://")
        || target.starts_with("\\\\")
        || target.starts_with("//")
        || after.is_some_and(|at| at > 1)
}

/// Puts bytes over those at an offset; nothing where they do not fit.
pub(super) fn put(data: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(slot) = data.get_mut(at..at.saturating_add(bytes.len())) {
        slot.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;
    use crate::limits::Limits;

    /// An object of a class with data and a picture, a file of its own.
    fn object(class: &[u8; 16]) -> Vec<u8> {
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        for name in ["/Equation Native", "/\u{2}OlePres000"] {
            let mut stream = file.create_stream(name).unwrap();
            stream.write_all(&[7; 64]).unwrap();
        }
        let mut data = file.into_inner().into_inner();
        let name: Vec<u8> = "Root Entry"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let root = memchr::memmem::find(&data, &name).unwrap();
        put(&mut data, root + 80, class);
        data
    }

    #[test]
    fn an_equation_in_a_word_document_leaves_its_picture() {
        let class = uuid::Uuid::parse_str("0002ce02-0000-0000-c000-000000000046").unwrap();
        let wanted = Wanted {
            equations: Some(FindingId::Borrowed(EQUATION)),
            ..Wanted::default()
        };
        let budget = Budget::new(Limits::default(), None);
        for (pool, picture, left) in [
            ("ObjectPool", "\u{3}META", true),
            ("ObjectPool", "\u{3}PIC", false),
            ("Objects", "\u{3}META", false),
        ] {
            let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
            let storage = format!("/{pool}/_1009175560");
            file.create_storage_all(&storage).unwrap();
            file.set_storage_clsid(&storage, class).unwrap();
            for name in ["Equation Native", "\u{1}CompObj", picture] {
                let mut stream = file.create_stream(format!("{storage}/{name}")).unwrap();
                stream.write_all(&[7; 64]).unwrap();
            }
            file.flush().unwrap();
            let data = file.into_inner().into_inner();
            let mut log = Log::default();
            let new = clean(&data, &wanted, &mut log, NESTED, &budget).unwrap();
            let new = new.unwrap();
            assert_eq!(log.removed.len(), 1, "{:?}", log.removed);
            let ole = Ole::open(&new, &budget).unwrap();
            let pool = ole.find(ole.root(), pool);
            let object = pool.and_then(|pool| ole.find(Some(pool), "_1009175560"));
            assert_eq!(object.is_some(), left, "{picture}");
            if left {
                let name = |at: usize| ole.entries()[at].name.clone();
                assert!(ole.children(object).map(name).eq([picture.to_owned()]));
            }
            let classes = ole.entries().iter().filter(|entry| entry.clsid != [0; 16]);
            assert_eq!(classes.count(), 0);
            assert_eq!(clean(&new, &wanted, &mut log, NESTED, &budget), Ok(None));
        }
    }

    #[test]
    fn an_object_that_is_a_file_of_its_own_loses_its_class_and_keeps_its_picture() {
        const EDITOR: [u8; 16] = [2, 0xce, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
        let other = [9; 16];
        let budget = Budget::new(Limits::default(), None);
        let wanted = Wanted {
            equations: Some(FindingId::Borrowed("equation-object")),
            ..Wanted::default()
        };
        for (class, left) in [(EDITOR, [0; 16]), (other, other)] {
            let mut log = Log::default();
            let data = clean(&object(&class), &wanted, &mut log, NESTED, &budget).unwrap();
            let data = data.unwrap();
            let ole = Ole::open(&data, &budget).unwrap();
            assert_eq!(ole.root_clsid(), Some(left));
            assert!(ole.find(ole.root(), "Equation Native").is_none());
            assert!(ole.find(ole.root(), "\u{2}OlePres000").is_some());
            assert_eq!(clean(&data, &wanted, &mut log, NESTED, &budget), Ok(None));
        }
    }
}
