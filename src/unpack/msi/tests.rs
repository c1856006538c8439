use std::io::{Cursor, Write as _};

use super::*;
use crate::formats::msi::tests::packed;
use crate::unpack::tests::opened;
use crate::unpack::zip::tests::artifact;
use crate::unpack::{Keys, Passwords, Seen};

/// A database of tables and streams.
fn compound(class: u128, tables: &[(&str, Vec<u8>)], streams: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    file.set_storage_clsid("/", uuid::Uuid::from_u128(class))
        .unwrap();
    let tables = tables
        .iter()
        .map(|(name, data)| (format!("/\u{4840}{}", packed(name)), data));
    let streams = streams.iter().map(|(path, data)| (path.clone(), data));
    for (path, data) in tables.chain(streams) {
        file.create_stream(path).unwrap().write_all(data).unwrap();
    }
    file.flush().unwrap();
    file.into_inner().into_inner()
}

const MSI: u128 = 0x000c_1084_0000_0000_c000_0000_0000_0046;
const MSP: u128 = 0x000c_1082_0000_0000_c000_0000_0000_0046;

/// Texts and their numbers.
struct Texts(Vec<Vec<u8>>);

impl Texts {
    fn add(&mut self, text: &str) -> u16 {
        if text.is_empty() {
            return 0;
        }
        self.0
            .push(encoding_rs::SHIFT_JIS.encode(text).0.into_owned());
        u16::try_from(self.0.len()).unwrap()
    }

    fn tables(&self) -> [(&'static str, Vec<u8>); 2] {
        let mut pool = 932u32.to_le_bytes().to_vec();
        for text in &self.0 {
            pool.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
            pool.extend([1, 0]);
        }
        [("_StringPool", pool), ("_StringData", self.0.concat())]
    }
}

fn stored<const N: usize>(rows: &[[u16; N]]) -> Vec<u8> {
    let cells = (0..N).flat_map(|column| rows.iter().map(move |row| row[column]));
    cells.flat_map(u16::to_le_bytes).collect()
}

/// A package with a cabinet in it and the tables that name its files.
pub(in crate::unpack) fn with_cabinet() -> Vec<u8> {
    with_cabinet_of(&crate::unpack::cab::tests::cabinet(CONTENT, true))
}

/// The same around a cabinet whose first file is `F1`.
pub(in crate::unpack) fn with_cabinet_of(cabinet: &[u8]) -> Vec<u8> {
    let mut texts = Texts(Vec::new());
    let mut columns: Vec<[u16; 4]> = Vec::new();
    let mut tables = Vec::new();
    type Rows<'a> = &'a [&'a [&'a str]];
    let given: &[(&str, Rows<'_>)] = &[
        (
            "File",
            &[
                &["File", "Component_", "FileName"],
                &["F1", "C", "MITSUM~1.EXE|見積書.exe"],
                &["F2", "C", "a.txt"],
                &["F3", "", "b.txt"],
            ],
        ),
        ("Component", &[&["Component", "Directory_"], &["C", "D2"]]),
        (
            "Directory",
            &[
                &["Directory", "Directory_Parent", "DefaultDir"],
                &["TOP", "", "SourceDir"],
                &["D1", "TOP", "."],
                &["D2", "D1", "KAISHA|会社:src"],
                &["L", "L", "loop"],
            ],
        ),
        ("Media", &[&["Cabinet"], &["#data.cab"], &["外.cab"]]),
    ];
    for (name, rows) in given {
        let table = texts.add(name);
        for (number, column) in (1u16..).zip(rows[0].iter()) {
            columns.push([table, 0x8000 + number, texts.add(column), 0x8dff]);
        }
        let mut data = Vec::new();
        for column in 0..rows[0].len() {
            for row in &rows[1..] {
                data.extend(texts.add(row[column]).to_le_bytes());
            }
        }
        tables.push((*name, data));
    }
    tables.push(("_Columns", stored(&columns)));
    tables.extend(texts.tables());
    compound(
        MSI,
        &tables,
        &[(format!("/{}", packed("data.cab")), cabinet.to_vec())],
    )
}

const CONTENT: &[(&[u8], &[u8])] = &[
    (b"F1", b"MZ"),
    (b"F2", b"text"),
    (b"F3", b"more"),
    (b"other", b"unlisted"),
];

/// What the reader of cabinets makes of one artifact of a tree.
fn named(tree: &[Artifact], at: usize) -> Vec<String> {
    let budget = crate::unpack::zip::tests::budget();
    let (mut seen, given) = (Seen::new(), Passwords::default());
    let mut nest =
        Nest::new(&budget, &mut seen, &tree[at], 100).with_keys(Keys::new(tree, &tree[at], &given));
    let row = crate::unpack::UNPACKERS
        .iter()
        .find(|row| row.name == "cab")
        .unwrap();
    (row.run)(&tree[at], &mut nest).unwrap();
    nest.children
        .iter()
        .map(|child| child.label().to_owned())
        .collect()
}

/// A package of a property, custom actions (number, source, target) and a script in the table Binary.
fn package(actions: &[(u16, &str, &str)]) -> Vec<u8> {
    let mut texts = Texts(Vec::new());
    let mut columns: Vec<[u16; 4]> = Vec::new();
    let (property, action) = (texts.add("Property"), texts.add("CustomAction"));
    let name = texts.add("Name");
    for (table, count) in [(property, 2u16), (action, 4)] {
        for number in 1..=count {
            let is_number = table == action && number == 2;
            let kind = if is_number { 0x8502 } else { 0x8dff };
            columns.push([table, 0x8000 + number, name, kind]);
        }
    }
    let properties = [[texts.add("Shell"), texts.add("powershell.exe")]];
    let rows: Vec<[u16; 4]> = actions
        .iter()
        .map(|(number, source, target)| {
            [
                texts.add("処理"),
                0x8000 + number,
                texts.add(source),
                texts.add(target),
            ]
        })
        .collect();
    let mut tables = texts.tables().to_vec();
    tables.push(("_Columns", stored(&columns)));
    tables.push(("Property", stored(&properties)));
    tables.push(("CustomAction", stored(&rows)));
    compound(
        MSI,
        &tables,
        &[(format!("/{}", packed("Binary.scr")), b"MsgBox 1".to_vec())],
    )
}

/// A package of so many actions that run one script, which they share.
pub(in crate::unpack) fn of_one_script(script: &str, count: usize) -> Vec<u8> {
    let mut texts = Texts(Vec::new());
    let action = texts.add("CustomAction");
    let name = texts.add("Name");
    let columns = [(1, 0x8dff), (2, 0x8502), (3, 0x8dff), (4, 0x8dff)];
    let columns = columns.map(|(number, kind)| [action, 0x8000 + number, name, kind]);
    let row = [texts.add("処理"), 0x8000 + 37, 0, texts.add(script)];
    let mut tables = texts.tables().to_vec();
    tables.push(("_Columns", stored(&columns)));
    tables.push(("CustomAction", stored(&vec![row; count])));
    compound(MSI, &tables, &[])
}

/// A transform that adds an action, changes one, and takes one away.
fn transform() -> Vec<u8> {
    let mut texts = Texts(Vec::new());
    let (added, changed, gone) = (texts.add("Added"), texts.add("Changed"), texts.add("Gone"));
    let (line, other) = (texts.add("cmd.exe /c added"), texts.add("x()"));
    let mut rows = Vec::new();
    for word in [0x0501, added, 0x8000 + 34, 0, line, 0, 0] {
        rows.extend(u16::to_le_bytes(word));
    }
    for word in [1 << 1 | 1 << 3, changed, 0x8000 + 37, other] {
        rows.extend(u16::to_le_bytes(word));
    }
    for word in [0, gone] {
        rows.extend(u16::to_le_bytes(word));
    }
    let mut tables = texts.tables().to_vec();
    tables.push(("CustomAction", rows));
    compound(MSP, &tables, &[])
}

#[test]
fn what_a_transform_brings_in_is_looked_at_by_itself_and_in_a_patch() {
    let got = |data: &[u8]| -> Vec<(String, Kind, Vec<u8>)> {
        let (children, facts) = opened("msi", data);
        assert_eq!(facts, []);
        let one = |child: &Artifact| (child.label().to_owned(), child.kind, child.data.to_vec());
        children.iter().map(one).collect()
    };
    let alone = got(&transform());
    let expected = [
        (
            "CustomAction Added",
            Kind::Text,
            b"cmd.exe /c added".as_slice(),
        ),
        ("CustomAction Changed", Kind::Js, b"x()"),
    ];
    let expected = expected.map(|(name, kind, data)| (name.to_owned(), kind, data.to_vec()));
    assert_eq!(alone, expected);
    // The same in a storage of a patch.
    let mut inner = cfb::CompoundFile::open(Cursor::new(transform())).unwrap();
    let mut patch = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    patch
        .set_storage_clsid("/", uuid::Uuid::from_u128(MSP))
        .unwrap();
    patch.create_storage("/#a.mst").unwrap();
    let streams: Vec<_> = inner
        .walk()
        .filter(|one| one.is_stream())
        .map(|one| one.path().to_owned())
        .collect();
    for path in streams {
        let mut data = Vec::new();
        std::io::copy(&mut inner.open_stream(&path).unwrap(), &mut data).unwrap();
        let mut inside = std::path::PathBuf::from("/#a.mst");
        inside.push(path.strip_prefix("/").unwrap());
        patch
            .create_stream(inside)
            .unwrap()
            .write_all(&data)
            .unwrap();
    }
    patch.flush().unwrap();
    assert_eq!(got(&patch.into_inner().into_inner()), alone);
}

#[test]
fn files_of_cabinets_bear_the_names_that_the_tables_give_them() {
    let package = with_cabinet();
    let (streams, _) = opened("ole", &package);
    let cabinet = streams
        .into_iter()
        .find(|one| one.kind == Kind::Cab)
        .unwrap();
    let root = artifact(&package, Kind::Msi);
    let expected = ["会社/見積書.exe", "会社/a.txt", "b.txt", "other"];
    assert_eq!(named(&[root.clone(), cabinet.clone()], 1), expected);
    // Beside the package that names it, under another id.
    let beside = |name: &str| {
        let (mut package, mut cabinet) = (root.clone(), cabinet.clone());
        (package.id, package.parent, package.name) = (1, Some(0), Some(Name::of("setup.msi")));
        (cabinet.id, cabinet.parent, cabinet.name) = (2, Some(0), Some(Name::of(name)));
        named(&[artifact(b"PK", Kind::Zip), package, cabinet], 2)
    };
    assert_eq!(beside("d/外.CAB"), expected);
    assert_eq!(beside("strange.cab"), ["F1", "F2", "F3", "other"]);
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
