//! Excel 4 macros of Office Open XML workbooks, in XML and in binary parts (ECMA-376 part 1, 12.3; [MS-OFFMACRO2],
//! [MS-XLSB]): their formulas as text are a child of the package.
//!
//! Parts are taken from the children that the reader of zips made: nothing is inflated twice. A macro sheet is told by
//! its relationship, by its media type and by its root element, whatever its name is.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::bytes::Deviation;
use crate::formats::opc::{self, ContentTypes, Relationships, TargetMode};
use crate::formats::xlm::{self, Cell, Link, Names, Sheet, SheetKind, Workbook};
use crate::formats::{biff12, spreadsheet};
use crate::limits::Halt;
use crate::model::{Artifact, Kind, Trouble};

use super::{Nest, workbook};

/// Kinds that are workbooks.
pub(super) const KINDS: &[Kind] = &[
    Kind::Xlsx,
    Kind::Xlsm,
    Kind::Xltx,
    Kind::Xltm,
    Kind::Xlam,
    Kind::Xlsb,
];

/// How the formulas are reached.
const FORMULAS: &str = "xlm-formulas";

/// Names of the main part, should nothing lead to it.
const USUAL: [&str; 2] = ["/xl/workbook.xml", "/xl/workbook.bin"];

/// Reads the workbook part and the sheets it leads to.
pub(super) fn run(_: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let package = Package::of(nest);
    let mut mains: BTreeSet<String> = USUAL.iter().map(|name| (*name).to_owned()).collect();
    for relation in package.relations("/", nest)?.list {
        if relation.kind_name() == "officeDocument" {
            mains.insert(opc::resolve("/", &relation.target));
        }
    }
    let mut book = Workbook::default();
    let mut read = BTreeSet::new();
    for main in mains {
        for part in package.parts(&main) {
            package.workbook(&main, part, &mut book, &mut read, nest)?;
        }
    }
    package.unlisted(&mut book, &read, nest)?;
    workbook::tell(&book, "workbook", FORMULAS, nest)
}

/// The parts of a package by their names as they are compared.
struct Package {
    parts: BTreeMap<String, Vec<Bytes>>,
}

/// What leads from the workbook to its other parts.
struct Lead {
    kind: SheetKind,
    part: String,
}

impl Package {
    fn of(nest: &Nest<'_>) -> Self {
        let mut parts: BTreeMap<String, Vec<Bytes>> = BTreeMap::new();
        for child in nest
            .children
            .iter()
            .filter(|child| child.via == Some("zip-member"))
        {
            if let Some(name) = &child.name {
                let name = name.readings.first().map_or("", String::as_str);
                parts
                    .entry(opc::part_name(name))
                    .or_default()
                    .push(child.data.clone());
            }
        }
        Self { parts }
    }

    fn parts(&self, name: &str) -> &[Bytes] {
        self.parts.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The relationships of a part, `/` for those of the package.
    fn relations(&self, part: &str, nest: &Nest<'_>) -> Result<Relationships, Halt> {
        let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
        let name = format!("{folder}/_rels/{file}.rels");
        let mut all = Relationships::default();
        for xml in self.parts(&name) {
            all.list
                .extend(Relationships::read(xml, nest.budget())?.list);
        }
        Ok(all)
    }

    /// Reads one workbook part.
    fn workbook(
        &self,
        main: &str,
        part: &[u8],
        book: &mut Workbook,
        read: &mut BTreeSet<String>,
        nest: &Nest<'_>,
    ) -> Result<(), Halt> {
        let relations = self.relations(main, nest)?;
        let mut leads: BTreeMap<String, Lead> = BTreeMap::new();
        let (mut strings, mut externals) = (None, Vec::new());
        for relation in relations
            .list
            .into_iter()
            .filter(|relation| relation.mode == TargetMode::Internal)
        {
            let part = opc::resolve(main, &relation.target);
            let kind = match relation.kind_name().to_ascii_lowercase().as_str() {
                "worksheet" => SheetKind::Worksheet,
                "xlmacrosheet" | "xlintlmacrosheet" => SheetKind::Macro,
                "dialogsheet" => SheetKind::Dialog,
                "chartsheet" => SheetKind::Other,
                "sharedstrings" => {
                    strings = Some(part);
                    continue;
                }
                "externallink" => {
                    externals.push(part);
                    continue;
                }
                _ => continue,
            };
            leads.insert(relation.id, Lead { kind, part });
        }
        let binary = !looks_like_xml(part);
        let (listed, tokens) = if binary {
            let globals = biff12::workbook(part, nest.budget())?;
            book.names.extend(globals.names);
            book.deviations.extend(globals.deviations);
            let sheets = globals
                .sheets
                .into_iter()
                .map(|sheet| (sheet.name, sheet.visibility, sheet.relation));
            (sheets.collect::<Vec<_>>(), globals.tokens)
        } else {
            let globals = spreadsheet::workbook(part, nest.budget())?;
            book.names.extend(globals.names);
            let sheets = globals
                .sheets
                .into_iter()
                .map(|sheet| (sheet.name, sheet.visibility, sheet.relation));
            (sheets.collect(), Names::default())
        };
        let first = book.sheets.len();
        let mut parts = Vec::new();
        for (name, visibility, relation) in listed {
            let lead = leads.get(&relation);
            let part = lead.map(|lead| lead.part.clone()).unwrap_or_default();
            let kind = lead.map_or(SheetKind::Worksheet, |lead| lead.kind);
            let kind = if self.is_macro_sheet(&part) {
                SheetKind::Macro
            } else {
                kind
            };
            book.sheets.push(Sheet {
                name,
                kind,
                visibility,
                cells: Vec::new(),
            });
            read.insert(part.clone());
            parts.push(part);
        }
        // A macro sheet that the workbook part does not list.
        for lead in leads
            .into_values()
            .filter(|lead| lead.kind == SheetKind::Macro)
        {
            if read.insert(lead.part.clone()) {
                book.sheets.push(Sheet {
                    name: lead.part.clone(),
                    kind: SheetKind::Macro,
                    ..Sheet::default()
                });
                parts.push(lead.part);
            }
        }
        if book.has_macros() {
            let shared = Shared {
                part: strings,
                texts: None,
            };
            self.cells(first, &parts, &tokens, shared, book, nest)?;
        }
        self.links(&externals, book, nest)
    }

    /// Reads the cells of macro sheets, then those of others that macros name.
    fn cells(
        &self,
        first: usize,
        parts: &[String],
        tokens: &Names,
        mut shared: Shared,
        book: &mut Workbook,
        nest: &Nest<'_>,
    ) -> Result<(), Halt> {
        let sheets = book.sheets.get_mut(first..).unwrap_or_default();
        let mut broken = Vec::new();
        // A part that many sheets lead to is read for one of them.
        let mut seen = BTreeSet::new();
        for (sheet, part) in sheets
            .iter_mut()
            .zip(parts)
            .filter(|(sheet, _)| sheet.kind == SheetKind::Macro)
        {
            if !seen.insert(part) {
                continue;
            }
            if self.parts(part).is_empty() {
                broken.push(format!("macro sheet {}: its part is not there", sheet.name));
            }
            for data in self.parts(part) {
                let (cells, count) =
                    sheet_cells(data, tokens, shared.get(self, nest)?, None, nest)?;
                sheet.cells.extend(cells);
                if count > 0 {
                    broken.push(format!(
                        "macro sheet {}: {count} formulas break off",
                        sheet.name
                    ));
                }
            }
        }
        let unread = broken.into_iter().map(|what| Deviation::new(0, what));
        book.unread.extend(unread);
        let named = xlm::named_cells(book, nest.budget())?;
        let sheets = book.sheets.get_mut(first..).unwrap_or_default();
        for (sheet, part) in sheets
            .iter_mut()
            .zip(parts)
            .filter(|(sheet, _)| sheet.kind != SheetKind::Macro)
        {
            let wanted = named.get(&sheet.name.to_lowercase());
            let Some(wanted) = wanted.filter(|_| seen.insert(part)) else {
                continue;
            };
            for data in self.parts(part) {
                sheet.cells.extend(
                    sheet_cells(data, tokens, shared.get(self, nest)?, Some(wanted), nest)?.0,
                );
            }
        }
        Ok(())
    }

    /// Whether a part is a macro sheet by its media type or its root.
    fn is_macro_sheet(&self, part: &str) -> bool {
        self.parts(part)
            .iter()
            .any(|data| mentions_macro_sheet(data) && is_macro_root(data))
    }

    /// Adds macro sheets that nothing leads to.
    fn unlisted(
        &self,
        book: &mut Workbook,
        read: &BTreeSet<String>,
        nest: &Nest<'_>,
    ) -> Result<(), Halt> {
        let mut by_type = BTreeSet::new();
        for xml in self.parts("/[content_types].xml") {
            if memchr::memmem::find(xml, b"acrosheet").is_some() {
                let types = ContentTypes::read(xml, nest.budget())?;
                let named = types.overrides.into_iter().filter(|(_, media_type)| {
                    media_type.to_ascii_lowercase().contains("macrosheet")
                });
                by_type.extend(named.map(|(part, _)| part));
            }
        }
        for (name, versions) in self.parts.iter().filter(|(name, _)| !read.contains(*name)) {
            for data in versions {
                nest.tick()?;
                if by_type.contains(name) || mentions_macro_sheet(data) && is_macro_root(data) {
                    let (cells, _) = sheet_cells(data, &Names::default(), &[], None, nest)?;
                    let what = format!("macro sheet {name} that the workbook does not list");
                    book.deviations.push(Deviation::new(0, what));
                    book.sheets.push(Sheet {
                        name: name.clone(),
                        kind: SheetKind::Macro,
                        cells,
                        ..Sheet::default()
                    });
                }
            }
        }
        Ok(())
    }

    /// Reads external links in binary parts; those in XML are relationships like others.
    fn links(
        &self,
        externals: &[String],
        book: &mut Workbook,
        nest: &Nest<'_>,
    ) -> Result<(), Halt> {
        for external in externals {
            for data in self
                .parts(external)
                .iter()
                .filter(|data| !looks_like_xml(data))
            {
                let Some((link, by_relation)) = biff12::external_link(data, nest.budget())? else {
                    continue;
                };
                if !by_relation {
                    book.links.push(link);
                    continue;
                }
                let relations = self.relations(external, nest)?.list.into_iter();
                let outside = relations.filter(|relation| relation.mode == TargetMode::External);
                book.links.extend(outside.map(|relation| match &link {
                    Link::Object(_) => Link::Object(relation.target),
                    Link::File(_) | Link::Click(_) | Link::Exchange { .. } => {
                        Link::File(relation.target)
                    }
                }));
            }
        }
        Ok(())
    }
}

/// Shared texts, read once they are asked for.
struct Shared {
    part: Option<String>,
    texts: Option<Vec<String>>,
}

impl Shared {
    fn get(&mut self, package: &Package, nest: &Nest<'_>) -> Result<&[String], Halt> {
        if self.texts.is_none() {
            let part = self.part.take().unwrap_or_default();
            let texts = match package.parts(&part).first() {
                Some(data) if looks_like_xml(data) => {
                    spreadsheet::shared_strings(data, nest.budget())?
                }
                Some(data) => biff12::shared_strings(data, nest.budget())?,
                None => Vec::new(),
            };
            self.texts = Some(texts);
        }
        Ok(self.texts.as_deref().unwrap_or_default())
    }
}

fn sheet_cells(
    data: &[u8],
    tokens: &Names,
    shared: &[String],
    named: Option<&BTreeSet<(u32, u32)>>,
    nest: &Nest<'_>,
) -> Result<(Vec<Cell>, usize), Halt> {
    if looks_like_xml(data) {
        return Ok((spreadsheet::cells(data, shared, named, nest.budget())?, 0));
    }
    biff12::cells(data, tokens, shared, named, nest.budget())
}

/// Whether a part is XML: a byte order mark or an angle bracket, behind white space at the most.
fn looks_like_xml(data: &[u8]) -> bool {
    let start = data.trim_ascii_start();
    matches!(start.first(), Some(b'<' | 0xef | 0xfe | 0xff)) || start.starts_with(b"\0<")
}

/// Whether the word stands near the start, in one or in two bytes a letter.
fn mentions_macro_sheet(data: &[u8]) -> bool {
    let head = data.get(..2048).unwrap_or(data);
    let two = b"m\0a\0c\0r\0o\0s\0h\0e\0e\0t";
    memchr::memmem::find(head, b"macrosheet").is_some() || memchr::memmem::find(head, two).is_some()
}

fn is_macro_root(data: &[u8]) -> bool {
    spreadsheet::root(data).is_some_and(|root| root == "macrosheet")
}
