//! Windows Installer packages: what their custom actions run. Scripts become artifacts of their kind, command lines
//! texts with the command as a fact. Streams, and with them cabinets and binaries, are pushed by [`super::ole`].

use std::collections::{BTreeMap, BTreeSet};

use crate::bytes::index;
use crate::formats::msi::{self, Cell, Column, Strings};
use crate::formats::ole::Ole;
use crate::formats::script;
use crate::model::{Artifact, Fact, Kind, Name, Trouble};
use crate::text;

use super::{Child, Nest};

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

/// Longest value that properties are put into, in bytes.
const LONGEST: usize = 64 << 10;

/// Pushes scripts and command lines.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let mut ole = super::ole::open(artifact, nest)?;
    let package = Package::of(&ole);
    let (pool, data) = (
        package.table(&mut ole, "_StringPool", nest)?,
        package.texts(&mut ole, nest)?,
    );
    // A patch has none of its own: its transforms lie in storages.
    let Some(strings) = Strings::read(&pool, &data) else {
        return Ok(());
    };
    if strings.is_cut {
        nest.unread(0, "texts of the tables are missing");
    }
    let listed = package.table(&mut ole, "_Columns", nest)?;
    let columns = msi::columns(&listed, &strings);
    let (property, action) = (
        package.table(&mut ole, "Property", nest)?,
        package.table(&mut ole, "CustomAction", nest)?,
    );
    let rows = |name: &str, data: &[u8]| {
        let columns: &[Column<'_>] = columns.get(name.as_bytes()).map_or(&[], Vec::as_slice);
        msi::rows(data, columns, &strings)
    };
    let code_page = strings.code_page;
    let properties = properties(&rows("Property", &property), code_page, nest)?;
    for (name, value) in &properties {
        if is_command_line(name) {
            command(&format!("Property {name}"), value, nest)?;
        }
    }
    let mut actions = Vec::new();
    for row in rows("CustomAction", &action) {
        nest.tick()?;
        if actions.len() >= ACTIONS {
            nest.unread(0, format!("more than {ACTIONS} custom actions"));
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
                let data = package.binary(&mut ole, source)?;
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
    fn of(ole: &Ole<'_>) -> Self {
        let mut package = Self {
            tables: BTreeMap::new(),
            streams: BTreeMap::new(),
        };
        for position in ole.children(ole.root()) {
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
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;
    use crate::formats::msi::tests::packed;
    use crate::unpack::tests::opened;

    /// A package of a property, custom actions (number, source, target) and a script in the table Binary.
    fn package(actions: &[(u16, &str, &str)]) -> Vec<u8> {
        let mut texts: Vec<Vec<u8>> = vec![Vec::new()];
        let mut text = |text: &str| {
            if text.is_empty() {
                return 0;
            }
            texts.push(encoding_rs::SHIFT_JIS.encode(text).0.into_owned());
            u16::try_from(texts.len() - 1).unwrap()
        };
        let mut columns: Vec<[u16; 4]> = Vec::new();
        let (property, action) = (text("Property"), text("CustomAction"));
        let name = text("Name");
        for (table, count) in [(property, 2u16), (action, 4)] {
            for number in 1..=count {
                let is_number = table == action && number == 2;
                let kind = if is_number { 0x8502 } else { 0x8dff };
                columns.push([table, 0x8000 + number, name, kind]);
            }
        }
        let properties = [[text("Shell"), text("powershell.exe")]];
        let rows: Vec<[u16; 4]> = actions
            .iter()
            .map(|(number, source, target)| {
                [text("処理"), 0x8000 + number, text(source), text(target)]
            })
            .collect();
        fn stored<const N: usize>(rows: &[[u16; N]]) -> Vec<u8> {
            let cells = (0..N).flat_map(|column| rows.iter().map(move |row| row[column]));
            cells.flat_map(u16::to_le_bytes).collect()
        }
        let mut pool = 932u32.to_le_bytes().to_vec();
        for text in &texts[1..] {
            pool.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
            pool.extend([1, 0]);
        }
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        let class = uuid::Uuid::from_u128(0x000c_1084_0000_0000_c000_0000_0000_0046);
        file.set_storage_clsid("/", class).unwrap();
        let tables = [
            ("_StringPool", pool),
            ("_StringData", texts.concat()),
            ("_Columns", stored(&columns)),
            ("Property", stored(&properties)),
            ("CustomAction", stored(&rows)),
        ];
        for (name, data) in tables {
            let path = format!("/\u{4840}{}", packed(name));
            file.create_stream(path).unwrap().write_all(&data).unwrap();
        }
        let mut script = file
            .create_stream(format!("/{}", packed("Binary.scr")))
            .unwrap();
        script.write_all(b"MsgBox 1").unwrap();
        drop(script);
        file.flush().unwrap();
        file.into_inner().into_inner()
    }

    #[test]
    fn scripts_and_command_lines_of_actions_are_children() {
        let data = package(&[
            (6, "scr", ""),
            (37, "", "WScript.Echo('値')"),
            (34 + 3072, "SystemFolder", "[SystemFolder]cmd.exe /c a"),
            (50, "Shell", "-enc VwByAGkAdABlAC0ASABvAHMAdAAgADEA"),
            (51, "TARGETDIR", "[ProgramFilesFolder]x"),
            (1, "scr", "Entry"),
        ]);
        let (children, facts) = opened("msi", &data);
        assert_eq!(facts, []);
        let got: Vec<(Kind, String)> = children
            .iter()
            .map(|child| {
                (
                    child.kind,
                    String::from_utf8_lossy(&child.data).into_owned(),
                )
            })
            .collect();
        let expected = [
            (Kind::Vbs, "MsgBox 1"),
            (Kind::Js, "WScript.Echo('値')"),
            (Kind::Text, "C:\\Windows\\System32\\cmd.exe /c a"),
            (
                Kind::Text,
                "\"powershell.exe\" -enc VwByAGkAdABlAC0ASABvAHMAdAAgADEA",
            ),
            (Kind::Ps1, "Write-Host 1"),
        ];
        assert_eq!(got, expected.map(|(kind, text)| (kind, text.to_owned())));
        assert_eq!(children[0].label(), "CustomAction 処理");
    }

    #[test]
    fn what_is_cut_or_lies_is_told() {
        let data = package(&[(6, "none", ""), (34, "", "")]);
        let (children, facts) = opened("msi", &data);
        assert!(children.is_empty() && facts.is_empty());
        let mut cut = data;
        // The pool says that its first text, `Property`, is longer than all there is.
        let at = memchr::memmem::find(&cut, &[0xa4, 3, 0, 0, 8, 0, 1, 0]).unwrap();
        cut[at + 5] = 0xff;
        let (_, facts) = opened("msi", &cut);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
    }
}
