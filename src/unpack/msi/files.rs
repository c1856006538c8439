//! The names of files in cabinets of the Windows Installer: a cabinet has keys of the table File, and the tables
//! Component and Directory say where a file goes (Windows Installer SDK).

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::bytes::length;
use crate::formats::msi::{self, Cell, Column, Strings};
use crate::formats::ole::{self, Ole};
use crate::model::{Artifact, Kind, Name};

use super::{Nest, Package, decoded};

/// Longest streams of texts and of a table that are read for names, in bytes.
const TEXTS: usize = 16 << 20;
const TABLE: usize = 4 << 20;

/// Folders within folders.
const DEEPEST: usize = 32;

/// Bytes of a path.
const PATH: usize = 4096;

/// Paths by the names in a cabinet.
pub(in crate::unpack) type Names = BTreeMap<Vec<u8>, String>;

/// The paths of what is in a cabinet of a package around it, or of one that lies beside it and names it; empty where
/// there is none.
pub(in crate::unpack) fn names(artifact: &Artifact, nest: &Nest<'_>) -> Names {
    if let Some(package) = nest.parent().filter(|parent| parent.reads_as(Kind::Msi)) {
        return read(&package.data, None, nest).unwrap_or_default();
    }
    let Some(own) = artifact.name.as_ref() else {
        return Names::new();
    };
    let is_package = |name: &Name, data: &Bytes| {
        name.extensions().any(|extension| extension == "msi") && ole::is_compound(data)
    };
    let mut beside = nest.beside().filter(|(name, data)| is_package(name, data));
    beside
        .find_map(|(_, data)| read(data, Some(own), nest).filter(|names| !names.is_empty()))
        .unwrap_or_default()
}

/// Reads the tables; none where the package does not name the cabinet.
fn read(data: &Bytes, cabinet: Option<&Name>, nest: &Nest<'_>) -> Option<Names> {
    // Charged before anything is opened: each cabinet asks anew.
    if !nest.budget().may_name(length(data.len()) / 64) {
        return None;
    }
    let mut ole = Ole::open(data, nest.budget()).ok()?;
    let package = Package::of(&ole, ole.root());
    let mut stream = |name: &str, most: usize| -> Option<Vec<u8>> {
        let position = package.tables.get(name)?;
        let found = ole.stream(*position).ok()?.data;
        let fits = found.len() <= most && nest.budget().may_name(length(found.len()));
        fits.then(|| found.into_owned())
    };
    let (pool, texts) = (stream("_StringPool", TEXTS)?, stream("_StringData", TEXTS)?);
    let listed = stream("_Columns", TABLE)?;
    let strings = Strings::read(&pool, &texts)?;
    let columns = msi::columns(&listed, &strings);
    let mut table = |name: &str| {
        let data = stream(name, TABLE).unwrap_or_default();
        Table::of(
            &data,
            columns.get(name.as_bytes()).map_or(&[], Vec::as_slice),
            &strings,
        )
    };
    if let Some(cabinet) = cabinet {
        let media = table("Media");
        let mut named = media.rows(["Cabinet"]).map(|[cabinet]| cabinet.text());
        let is_own = |name: &[u8]| {
            let name = decode(name, strings.code_page);
            cabinet.files().any(|own| own.eq_ignore_ascii_case(&name))
        };
        if !named.any(is_own) {
            return None;
        }
    }
    Some(joined(
        &table("File"),
        &table("Component"),
        &table("Directory"),
        strings.code_page,
    ))
}

fn joined(files: &Table<'_>, components: &Table<'_>, folders: &Table<'_>, code_page: u32) -> Names {
    let folders: BTreeMap<&[u8], (&[u8], &[u8])> = folders
        .rows(["Directory", "Directory_Parent", "DefaultDir"])
        .map(|[id, parent, name]| (id.text(), (parent.text(), name.text())))
        .collect();
    let components: BTreeMap<&[u8], &[u8]> = components
        .rows(["Component", "Directory_"])
        .map(|[id, folder]| (id.text(), folder.text()))
        .collect();
    let mut paths: BTreeMap<&[u8], String> = BTreeMap::new();
    let mut names = Names::new();
    for [key, component, name] in files.rows(["File", "Component_", "FileName"]) {
        let name = long(&decode(name.text(), code_page)).to_owned();
        if name.is_empty() {
            continue;
        }
        let folder = components
            .get(component.text())
            .copied()
            .unwrap_or_default();
        let path = paths
            .entry(folder)
            .or_insert_with(|| path(folder, &folders, code_page));
        names.insert(key.text().to_vec(), format!("{path}{name}"));
    }
    names
}

/// The path of a folder with a slash at its end, without the root; ends of too long ones.
fn path(folder: &[u8], folders: &BTreeMap<&[u8], (&[u8], &[u8])>, code_page: u32) -> String {
    let mut path = String::new();
    let mut at = folder;
    for _ in 0..DEEPEST {
        let Some((parent, name)) = folders.get(at) else {
            break;
        };
        if parent.is_empty() || *parent == at || path.len() > PATH {
            break;
        }
        let name = decode(name, code_page);
        // Where it goes stands before where it comes from.
        let target = name.split(':').next().unwrap_or_default();
        let name = long(target);
        if !matches!(name, "" | ".") {
            path = format!("{name}/{path}");
        }
        at = parent;
    }
    path
}

/// The long one of two names of a file.
fn long(name: &str) -> &str {
    name.split_once('|').map_or(name, |(_, long)| long)
}

fn decode(raw: &[u8], code_page: u32) -> String {
    decoded(Some(&Cell::Text(raw)), code_page)
}

/// The rows of a table, and where its columns stand.
struct Table<'a> {
    columns: Vec<&'a [u8]>,
    rows: Vec<Vec<Cell<'a>>>,
}

impl<'a> Table<'a> {
    fn of(data: &[u8], columns: &[Column<'a>], strings: &Strings<'a>) -> Self {
        Self {
            columns: columns.iter().map(|column| column.name).collect(),
            rows: msi::rows(data, columns, strings),
        }
    }

    /// Some columns of every row, by their names.
    fn rows<const N: usize>(&self, names: [&str; N]) -> impl Iterator<Item = [Cell<'a>; N]> {
        let places = names.map(|name| {
            let mut columns = self.columns.iter();
            columns.position(|column| *column == name.as_bytes())
        });
        self.rows.iter().map(move |row| {
            places.map(|place| {
                let cell = place.and_then(|place| row.get(place));
                cell.copied().unwrap_or(Cell::Number(0))
            })
        })
    }
}
