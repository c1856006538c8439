//! Windows Installer packages: what their custom actions run. Scripts become artifacts of their kind, command lines
//! texts with the command as a fact. Streams, and with them cabinets and binaries, are pushed by [`super::ole`].

mod files;

use std::collections::{BTreeMap, BTreeSet};

use crate::bytes::index;
use crate::formats::msi::{self, Cell, Column, Strings};
use crate::formats::ole::{ObjectType, Ole};
use crate::formats::script;
use crate::limits::Halt;
use crate::model::{Artifact, Fact, Kind, Name, Trouble};
use crate::text;

use super::{Child, Nest};

pub(super) use files::names;

/// The kinds that are packages of the Windows Installer.
pub(super) const KINDS: &[Kind] = &[Kind::Msi, Kind::Msp];

/// Longest stream that is read as a table, in bytes: real ones are far below, and a row takes more room than its bytes.
const TABLE: usize = 4 << 20;

/// Longest stream that is read as the texts of the tables, in bytes.
const TEXTS: usize = 64 << 20;

/// Bytes of properties that are kept at the most.
const PROPERTIES: usize = 16 << 20;

/// Actions of one package that are looked at, at the most.
const ACTIONS: usize = 4096;

/// Storages of one file that are looked at, at the most.
const DATABASES: usize = 256;

/// Class id of a package, in its byte order in the file.
const PACKAGE: [u8; 16] = [
    0x84, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46,
];

/// Longest value that properties are put into, in bytes.
const LONGEST: usize = 64 << 10;

/// Pushes scripts and command lines, also those that transforms bring in.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let mut ole = super::ole::open(artifact, nest)?;
    let root = ole.root();
    let is_patch = artifact.reads_as(Kind::Msp) && !artifact.reads_as(Kind::Msi);
    let mut databases = vec![(root, !is_patch)];
    // Transforms, and packages that a package installs, lie in storages.
    for position in ole.children(root) {
        let entry = ole.entries().get(position);
        let Some(entry) = entry.filter(|entry| entry.object_type == ObjectType::Storage) else {
            continue;
        };
        if databases.len() > DATABASES {
            let halt = Halt::Ceiling("256 storages of a package");
            nest.note(Trouble::TooMuch(halt).into_fact(""));
            break;
        }
        databases.push((Some(position), entry.clsid == PACKAGE));
    }
    for (position, is_package) in databases {
        nest.tick()?;
        let database = Package::of(&ole, position);
        match is_package {
            true => package(&database, &mut ole, nest)?,
            false => transform(&database, &mut ole, nest)?,
        }
    }
    Ok(())
}

fn package(package: &Package, ole: &mut Ole<'_>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let (pool, data) = (
        package.table(ole, "_StringPool", nest)?,
        package.texts(ole, nest)?,
    );
    let Some(strings) = Strings::read(&pool, &data) else {
        return Ok(());
    };
    if strings.is_cut {
        nest.unread(0, "texts of the tables are missing");
    }
    let listed = package.table(ole, "_Columns", nest)?;
    let columns = msi::columns(&listed, &strings);
    let (property, action) = (
        package.table(ole, "Property", nest)?,
        package.table(ole, "CustomAction", nest)?,
    );
    let rows = |name: &str, data: &[u8]| {
        let columns: &[Column<'_>] = columns.get(name.as_bytes()).map_or(&[], Vec::as_slice);
        msi::rows(data, columns, &strings)
    };
    let (properties, actions) = (rows("Property", &property), rows("CustomAction", &action));
    act(package, ole, &properties, &actions, strings.code_page, nest)
}

/// What a transform adds to tables or changes in them; the tables themselves are elsewhere.
fn transform(package: &Package, ole: &mut Ole<'_>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let (pool, data) = (
        package.table(ole, "_StringPool", nest)?,
        package.texts(ole, nest)?,
    );
    // A patch has none of its own: its transforms lie in storages.
    let Some(strings) = Strings::read(&pool, &data) else {
        return Ok(());
    };
    if strings.is_cut {
        nest.unread(0, "texts of the tables are missing");
    }
    let (property, action) = (
        package.table(ole, "Property", nest)?,
        package.table(ole, "CustomAction", nest)?,
    );
    let properties = msi::changes(&property, msi::PROPERTY, &strings);
    let actions = msi::changes(&action, msi::CUSTOM_ACTION, &strings);
    act(package, ole, &properties, &actions, strings.code_page, nest)
}

/// Pushes what rows of custom actions run.
fn act(
    package: &Package,
    ole: &mut Ole<'_>,
    property: &[Vec<Cell<'_>>],
    rows: &[Vec<Cell<'_>>],
    code_page: u32,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let properties = properties(property, code_page, nest)?;
    for (name, value) in &properties {
        if is_command_line(name) {
            command(&format!("Property {name}"), value, nest)?;
        }
    }
    let mut actions = Vec::new();
    for row in rows {
        nest.tick()?;
        if actions.len() >= ACTIONS {
            let halt = Halt::Ceiling("4096 custom actions");
            nest.note(Trouble::TooMuch(halt).into_fact(""));
            break;
        }
        actions.push(Action {
            name: decoded(row.first(), code_page),
            number: row.get(1).copied().map_or(0, Cell::number),
            source: decoded(row.get(2), code_page),
            target: row.get(3).copied(),
        });
    }
    // A library takes what it is to run from the property that bears its action's name.
    let libraries = actions.iter().filter(|action| action.number & 0x3f == 1);
    let libraries: BTreeSet<&str> = libraries.map(|action| action.name.as_str()).collect();
    for action in &actions {
        nest.tick()?;
        let place = format!("CustomAction {}", action.name);
        let source = action.source.as_str();
        let target = || decoded(action.target.as_ref(), code_page);
        let property = || properties.get(source).map_or("", String::as_str);
        // The lowest six bits: what is run, and where it lies.
        match action.number & 0x3f {
            kind @ (5 | 6) => {
                let data = package.binary(ole, source)?;
                pushed(&place, kind, data, nest)?;
            }
            kind @ (37 | 38) => pushed(&place, kind, target().into_bytes(), nest)?,
            kind @ (53 | 54) => pushed(&place, kind, property().as_bytes().to_vec(), nest)?,
            2 | 18 | 34 => command(&place, &filled(&target(), &properties), nest)?,
            50 => {
                let line = format!("\"{}\" {}", property(), target());
                command(&place, &filled(&line, &properties), nest)?;
            }
            51 if is_command_line(source) || libraries.contains(source) => {
                command(&place, &filled(&target(), &properties), nest)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// One custom action.
struct Action<'a> {
    name: String,
    /// What it does, with options in the higher bits.
    number: i64,
    source: String,
    target: Option<Cell<'a>>,
}

/// Names and values of the properties.
fn properties(
    rows: &[Vec<Cell<'_>>],
    code_page: u32,
    nest: &mut Nest<'_>,
) -> Result<BTreeMap<String, String>, Trouble> {
    let mut properties = BTreeMap::new();
    let mut kept = 0usize;
    for row in rows {
        nest.tick()?;
        let (name, value) = (
            decoded(row.first(), code_page),
            decoded(row.get(1), code_page),
        );
        kept = kept.saturating_add(name.len()).saturating_add(value.len());
        if kept > PROPERTIES {
            nest.unread(0, "more properties than are kept");
            break;
        }
        properties.insert(name, value);
    }
    Ok(properties)
}

fn is_command_line(property: &str) -> bool {
    let property = property.to_ascii_lowercase();
    property.ends_with("cmdline") || property.contains("commandline")
}

fn decoded(cell: Option<&Cell<'_>>, code_page: u32) -> String {
    let raw = cell.copied().map_or(&b""[..], Cell::text);
    match code_page {
        0 | 65001 => text::to_utf8(raw).into_owned(),
        932 => text::decode(b"cp932", raw),
        number => text::decode(format!("windows-{number}").as_bytes(), raw),
    }
}

/// Pushes a script; odd numbers are JScript, even ones VBScript.
fn pushed(place: &str, kind: i64, data: Vec<u8>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if data.is_empty() {
        return Ok(());
    }
    let kind = if kind & 1 == 1 { Kind::Js } else { Kind::Vbs };
    let child = Child::new("msi-action", data).named(Name::of(place));
    nest.push(child.of_kind(kind))?;
    Ok(())
}

/// Pushes a command line, and what it hands to PowerShell in base64.
fn command(place: &str, line: &str, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if line.trim().is_empty() {
        return Ok(());
    }
    let child = Child::new("msi-action", line.as_bytes().to_vec())
        .named(Name::of(place))
        .of_kind(Kind::Text)
        .with_fact(Fact::CommandLine {
            line: line.to_owned(),
        });
    nest.push(child)?;
    for (_, script) in script::encoded_commands(line) {
        nest.push(Child::new("decoded-text", script.into_bytes()).of_kind(Kind::Ps1))?;
    }
    Ok(())
}

/// A value with properties put in, one level deep (Formatted, in the Windows Installer SDK).
fn filled(value: &str, properties: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, behind)) = rest.split_once('[')
        && out.len() < LONGEST
    {
        out.push_str(before);
        let Some((name, after)) = behind.split_once(']') else {
            out.push('[');
            rest = behind;
            continue;
        };
        rest = after;
        match name {
            "SystemFolder" | "System64Folder" => out.push_str("C:\\Windows\\System32\\"),
            "WindowsFolder" => out.push_str("C:\\Windows\\"),
            name => match (name.strip_prefix('\\'), properties.get(name)) {
                (Some(escaped), _) => out.push_str(escaped),
                (None, Some(value)) => {
                    let len = value.floor_char_boundary(index(LONGEST));
                    out.push_str(value.get(..len).unwrap_or_default());
                }
                (None, None) => {
                    out.push('[');
                    out.push_str(name);
                    out.push(']');
                }
            },
        }
    }
    out.push_str(rest);
    out
}

/// Where streams lie, by the names that their writer gave.
struct Package {
    tables: BTreeMap<String, usize>,
    streams: BTreeMap<String, usize>,
}

impl Package {
    /// Those below a storage.
    fn of(ole: &Ole<'_>, storage: Option<usize>) -> Self {
        let mut package = Self {
            tables: BTreeMap::new(),
            streams: BTreeMap::new(),
        };
        for position in ole.children(storage) {
            let Some(entry) = ole.entries().get(position) else {
                continue;
            };
            let (name, is_table) = msi::stream_name(&entry.name);
            let names = match is_table {
                true => &mut package.tables,
                false => &mut package.streams,
            };
            names.entry(name).or_insert(position);
        }
        package
    }

    /// A table's stream, cut where it is longer than any real one.
    fn table(
        &self,
        ole: &mut Ole<'_>,
        name: &str,
        nest: &mut Nest<'_>,
    ) -> Result<Vec<u8>, Trouble> {
        read(ole, self.tables.get(name).copied(), TABLE, name, nest)
    }

    fn texts(&self, ole: &mut Ole<'_>, nest: &mut Nest<'_>) -> Result<Vec<u8>, Trouble> {
        let name = "_StringData";
        read(ole, self.tables.get(name).copied(), TEXTS, name, nest)
    }

    /// What the table Binary holds under a name; the unpacker of streams tells what is missing of it.
    fn binary(&self, ole: &mut Ole<'_>, name: &str) -> Result<Vec<u8>, Trouble> {
        match self.streams.get(&format!("Binary.{name}")) {
            Some(position) => Ok(ole.stream(*position)?.data.into_owned()),
            None => Ok(Vec::new()),
        }
    }
}

fn read(
    ole: &mut Ole<'_>,
    position: Option<usize>,
    most: usize,
    name: &str,
    nest: &mut Nest<'_>,
) -> Result<Vec<u8>, Trouble> {
    let Some(position) = position else {
        return Ok(Vec::new());
    };
    let stream = ole.stream(position)?;
    if stream.data.len() > most {
        nest.unread(0, format!("table {name} is longer than {most} bytes"));
    }
    let data = stream.data.get(..most).unwrap_or(&stream.data);
    Ok(data.to_vec())
}

#[cfg(test)]
pub(super) mod tests;
