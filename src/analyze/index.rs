//! What is looked up in a tree as a whole: made once, so that many artifacts that ask do not cost their product.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::formats::pe;
use crate::model::{Artifact, Id, Kind, children};

use super::{vba_ribbon, web_query};

/// A library by the container, the folder in it and its name, both in lower case.
type Place = (Id, String, String);

/// The programs of one name in one folder.
#[derive(Debug, Default)]
struct Libraries {
    ids: Vec<Id>,
    /// The first of them that is a library without a signature.
    unsigned: OnceCell<Option<Id>>,
}

/// The look-ups of one tree.
#[derive(Debug)]
pub struct Index<'a> {
    tree: &'a [Artifact],
    copies: OnceCell<BTreeMap<Id, Vec<Id>>>,
    libraries: OnceCell<BTreeMap<Place, Libraries>>,
    ribbons: RefCell<BTreeMap<Id, Rc<[String]>>>,
    tables: RefCell<BTreeMap<Id, bool>>,
}

impl<'a> Index<'a> {
    /// Of a tree.
    pub fn new(tree: &'a [Artifact]) -> Self {
        Self {
            tree,
            copies: OnceCell::new(),
            libraries: OnceCell::new(),
            ribbons: RefCell::default(),
            tables: RefCell::default(),
        }
    }

    fn artifact(&self, id: Id) -> Option<&'a Artifact> {
        self.tree.get(usize::try_from(id).ok()?)
    }

    /// An artifact and all later ones with its bytes.
    pub(super) fn copies(&self, of: Id) -> impl Iterator<Item = &'a Artifact> {
        let copies = self.copies.get_or_init(|| {
            let mut copies: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
            for artifact in self.tree {
                if let Some(first) = artifact.same_as {
                    copies.entry(first).or_default().push(artifact.id);
                }
            }
            copies
        });
        let later = copies.get(&of).into_iter().flatten().copied();
        std::iter::once(of)
            .chain(later)
            .filter_map(|id| self.artifact(id))
    }

    /// The library without a signature of a file name, in a folder of a container; each program is read once.
    pub(super) fn unsigned_library(
        &self,
        container: Id,
        folder: &str,
        file: &str,
    ) -> Option<&'a Artifact> {
        let libraries = self.libraries.get_or_init(|| self.named_programs());
        let place = (
            container,
            folder.to_ascii_lowercase(),
            file.to_ascii_lowercase(),
        );
        let found = libraries.get(&place)?;
        let unsigned = |id: &Id| {
            let program = self.artifact(*id).and_then(|one| pe::read(&one.data));
            program.is_some_and(|program| program.library && !program.signed)
        };
        let first = found
            .unsigned
            .get_or_init(|| found.ids.iter().copied().find(unsigned));
        self.artifact((*first)?)
    }

    /// The procedures that the ribbons of a package call when it is opened, in lower case.
    pub(super) fn called_by_ribbon(&self, package: Id) -> Rc<[String]> {
        let mut ribbons = self.ribbons.borrow_mut();
        let called = || {
            let parts = children(self.tree, package).iter();
            parts.filter_map(vba_ribbon::called).collect()
        };
        Rc::clone(ribbons.entry(package).or_insert_with(called))
    }

    /// Whether a table of a workbook is filled when it is opened.
    pub(super) fn refreshes_a_table(&self, workbook: Id) -> bool {
        let mut tables = self.tables.borrow_mut();
        let filled = || {
            children(self.tree, workbook)
                .iter()
                .any(web_query::fills_a_table)
        };
        *tables.entry(workbook).or_insert_with(filled)
    }

    fn named_programs(&self) -> BTreeMap<Place, Libraries> {
        let mut places: BTreeMap<Place, Libraries> = BTreeMap::new();
        for artifact in self.tree.iter().filter(|one| one.kind == Kind::Pe) {
            let name = artifact.name.as_ref();
            let way = name.and_then(|name| name.readings.first());
            if let (Some(parent), Some(way)) = (artifact.parent, way) {
                let (folder, file) = split(way);
                let place = (
                    parent,
                    folder.to_ascii_lowercase(),
                    file.to_ascii_lowercase(),
                );
                places.entry(place).or_default().ids.push(artifact.id);
            }
        }
        places
    }
}

/// A way's folder and file name.
pub(super) fn split(way: &str) -> (&str, &str) {
    let at = way.rfind(['/', '\\']);
    match at.and_then(|at| Some((way.get(..at)?, way.get(at.saturating_add(1)..)?))) {
        Some(parts) => parts,
        None => ("", way),
    }
}
