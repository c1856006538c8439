//! Macros of packages: VBA projects with their signatures and what only serves them ([MS-OFFMACRO2] 2.2), and Excel 4
//! macro sheets (2.2.1.4; [MS-XLSB] 2.1.7.32).

use std::collections::BTreeSet;

use super::{SHEETS, Work};
use crate::formats::ole::{ObjectType, Ole, is_compound};
use crate::formats::ovba;
use crate::formats::{spreadsheet, xlm};
use crate::knowledge::XlmKnowledge;
use crate::limits::{Budget, Fault};
use crate::rewrite::disarm::asked::MACROS;
use crate::rewrite::disarm::outline::{Edits, Outline, Source};
use crate::rewrite::disarm::{Refusal, knowledge};

/// Pieces of media types, in lower case, of what is a project or serves one only.
const TYPES: &[&str] = &[
    "vbaproject",
    "vbadata",
    "keymapcustomizations",
    "attachedtoolbars",
];

/// Last steps of relationship types, in lower case, that lead to such parts: the ribbon calls macros too.
const RELATIONS: &[&str] = &[
    "vbaproject",
    "vbaprojectsignature",
    "vbaprojectsignatureagile",
    "vbaprojectsignaturev3",
    "wordvbadata",
    "keymapcustomizations",
    "attachedtoolbars",
    "extensibility",
    "customui",
];

/// Media type and relationship type of what a macro sheet becomes.
const SHEET_TYPE: &str =
    "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml";
const BINARY_SHEET_TYPE: &str = "application/vnd.ms-excel.worksheet";
const SHEET_RELATION: &str =
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet";
const STRICT_SHEET_RELATION: &str =
    "http://purl.oclc.org/ooxml/officeDocument/relationships/worksheet";

const EMPTY_SHEET: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData/></worksheet>";
const STRICT_EMPTY_SHEET: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<worksheet xmlns=\"http://purl.oclc.org/ooxml/spreadsheetml/main\"><sheetData/></worksheet>";

/// BrtBeginSheet, BrtBeginSheetData, BrtEndSheetData, BrtEndSheet, each without a body ([MS-XLSB] 2.1.4).
const EMPTY_BINARY_SHEET: &[u8] = &[0x81, 0x01, 0, 0x91, 0x01, 0, 0x92, 0x01, 0, 0x82, 0x01, 0];

impl Work<'_> {
    /// Takes out projects, and what names their macros.
    pub(super) fn macros(&mut self, any: bool) -> Result<(), Refusal> {
        let mut found = Vec::new();
        for (at, part) in self.package.live() {
            let media_type = self.package.media_type(part);
            let by_type = TYPES.iter().any(|piece| media_type.contains(piece));
            let by_relation = self
                .package
                .leads_to(at)
                .any(|kind| RELATIONS.contains(&kind));
            if by_type || by_relation || holds_project(&part.data, self.budget)? {
                found.push(at);
            }
        }
        let had = !found.is_empty();
        for at in found {
            self.remove_part(at, MACROS);
        }
        match had || any {
            true => self.calls(),
            false => Ok(()),
        }
    }

    /// Takes away what calls a macro from a button, a shape, a form field.
    fn calls(&mut self) -> Result<(), Refusal> {
        let words: [&[u8]; 5] = [
            b"macro=",
            b"FmlaMacro",
            b"ppaction://macro",
            b"entryMacro",
            b"exitMacro",
        ];
        let named: Vec<usize> = self
            .package
            .live()
            .filter(|(_, part)| {
                words
                    .iter()
                    .any(|word| memchr::memmem::find(&part.data, word).is_some())
            })
            .map(|(at, _)| at)
            .collect();
        for at in named {
            self.edit(at, |outline, edits| {
                uncall(outline, edits);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Makes empty worksheets of macro sheets, and takes out the names that start macros.
    pub(super) fn macro_sheets(&mut self) -> Result<(), Refusal> {
        let strict = |kind: &str| kind.starts_with("http://purl.oclc.org/");
        let mut sheets = Vec::new();
        for (at, part) in self.package.live() {
            let by_type = self.package.media_type(part).contains("macrosheet");
            let by_relation = self
                .package
                .leads_to(at)
                .any(|kind| matches!(kind, "xlmacrosheet" | "xlintlmacrosheet"));
            let by_root = memchr::memmem::find(&part.data, b"macrosheet").is_some()
                && spreadsheet::root(&part.data).is_some_and(|root| root == "macrosheet");
            if by_type || by_relation || by_root {
                let is_xml = Source::read(&part.data).is_some();
                sheets.push((at, is_xml, part.name.clone(), part.shown.clone()));
            }
        }
        let is_strict = self
            .package
            .relations
            .iter()
            .any(|relation| strict(&relation.is.kind));
        let kind = match is_strict {
            true => STRICT_SHEET_RELATION,
            false => SHEET_RELATION,
        };
        let places: BTreeSet<usize> = sheets.iter().map(|(at, ..)| *at).collect();
        if !sheets.is_empty() {
            self.calculation();
        }
        let names: BTreeSet<&str> = sheets.iter().map(|(_, _, name, _)| name.as_str()).collect();
        let mut own = Vec::new();
        for (place, relation) in self.package.relations.iter().enumerate() {
            if relation
                .target
                .is_some_and(|target| places.contains(&target))
            {
                self.reled.insert(place, kind);
            }
            // What the macro sheet led to: comments, drawings, printer settings.
            if names.contains(relation.source.as_str()) {
                own.push(place);
            }
        }
        for place in own {
            self.package.drop_relation(place);
        }
        for (at, is_xml, _, name) in &sheets {
            let (content, media_type) = match (is_xml, is_strict) {
                (true, false) => (EMPTY_SHEET, SHEET_TYPE),
                (true, true) => (STRICT_EMPTY_SHEET, SHEET_TYPE),
                (false, _) => (EMPTY_BINARY_SHEET, BINARY_SHEET_TYPE),
            };
            self.package.change(*at, content.to_vec());
            self.retyped.insert(*at, media_type);
            self.note(SHEETS, name);
        }
        self.names()
    }

    /// Takes out the names at which Excel starts macros, and those whose formulas are macros.
    fn names(&mut self) -> Result<(), Refusal> {
        let books: Vec<usize> = self
            .package
            .live()
            .filter(|(_, part)| memchr::memmem::find(&part.data, b"definedName").is_some())
            .map(|(at, _)| at)
            .collect();
        let starts = &knowledge()?.xlm;
        for at in books {
            let mut found = Vec::new();
            self.edit(at, |outline, edits| {
                found = unname(outline, starts, edits);
                Ok(())
            })?;
            for name in found {
                self.note(SHEETS, &format!("name {name}"));
            }
        }
        self.binary_names()
    }

    /// Changes the names of a binary workbook at which Excel starts macros, in place: names are counted by formulas.
    fn binary_names(&mut self) -> Result<(), Refusal> {
        /// `auto_` as it stands in a record, two bytes a letter.
        const AUTO: [&[u8]; 2] = [b"a\0u\0t\0o\0_\0", b"A\0u\0t\0o\0_\0"];
        let books: Vec<usize> = self
            .package
            .live()
            .filter(|(_, part)| {
                self.package
                    .media_type(part)
                    .starts_with("application/vnd.ms-excel.sheet.binary")
            })
            .map(|(at, _)| at)
            .collect();
        for at in books {
            let data = self.package.parts.get(at).map(|part| part.data.to_vec());
            let mut data = data.unwrap_or_default();
            let mut places: Vec<usize> = AUTO
                .iter()
                .flat_map(|word| memchr::memmem::find_iter(&data, word))
                .collect();
            places.sort_unstable();
            for place in &places {
                if let Some(byte) = data.get_mut(*place) {
                    *byte = b'X';
                }
            }
            if !places.is_empty() {
                self.package.change(at, data);
                self.note(SHEETS, "names that start macros");
            }
        }
        Ok(())
    }
}

/// Takes away what calls a macro in a drawing, a slide, a form.
fn uncall(outline: &Outline<'_>, edits: &mut Edits) {
    for node in &outline.nodes {
        match outline.local(node) {
            "FmlaMacro" | "entryMacro" | "exitMacro" => edits.delete(node.whole()),
            "sp" | "pic" | "graphicFrame" | "cxnSp" | "grpSp" => {
                if let Some(call) = outline.attribute(node, "macro") {
                    edits.delete(call.inside);
                }
            }
            "hlinkClick" | "hlinkHover" | "hlinkMouseOver" => {
                let action = outline.attribute(node, "action");
                let runs = |value: &str| value.trim().starts_with("ppaction://macro");
                if let Some(action) = action.filter(|one| runs(&one.value)) {
                    edits.replace(action.inside, "ppaction://noaction");
                }
            }
            _ => {}
        }
    }
}

/// Takes out the names of a workbook that are macros or start some; answers which.
fn unname(outline: &Outline<'_>, known: &XlmKnowledge, edits: &mut Edits) -> Vec<String> {
    let mut found = Vec::new();
    let mut kept = 0usize;
    for (_, node) in outline.named("definedName") {
        let name = outline.attribute(node, "name");
        let name = name.map(|name| name.value.into_owned()).unwrap_or_default();
        let flag = |which: &str| {
            let flag = outline.attribute(node, which);
            flag.is_some_and(|flag| matches!(flag.value.trim(), "1" | "true" | "on"))
        };
        let formula = crate::formats::xml::unescape(outline.inside(node));
        let is_macro = known.starts_by_itself(&plain(&name))
            || flag("xlm")
            || flag("function")
            || flag("vbProcedure")
            || xlm::is_macro_formula(&formula);
        if is_macro {
            edits.delete(node.whole());
            found.push(name);
        } else {
            kept = kept.saturating_add(1);
        }
    }
    // A list of names has one at least (ECMA-376 part 1, 18.2.6).
    if kept == 0 {
        for (_, node) in outline.named("definedNames") {
            edits.delete(node.whole());
        }
    }
    found
}

/// A name as Excel compares it: without the prefix of built-in names and letters that nobody sees.
fn plain(name: &str) -> String {
    let plain: String = name
        .chars()
        .filter(|c| !crate::text::is_deceptive(*c))
        .collect();
    let plain = plain.trim().to_lowercase();
    plain.strip_prefix("_xlnm.").unwrap_or(&plain).to_owned()
}

/// Whether bytes are a compound file with a macro project or pieces of one, or pack such a file.
fn holds_project(data: &[u8], budget: &Budget) -> Result<bool, Refusal> {
    if data.starts_with(b"ActiveMime") {
        return Ok(true);
    }
    if !is_compound(data) {
        return Ok(false);
    }
    let mut ole = match Ole::open(data, budget) {
        Ok(ole) => ole,
        Err(Fault::Halt(halt)) => return Err(Refusal::Limit(halt)),
        // Nobody can say what is in it.
        Err(Fault::Broken(_)) => return Ok(true),
    };
    let named = |name: &str| {
        ole.entries()
            .iter()
            .any(|entry| entry.name.eq_ignore_ascii_case(name))
    };
    if named("_VBA_PROJECT") {
        return Ok(true);
    }
    for position in 0..ole.entries().len() {
        budget.tick().map_err(Refusal::Limit)?;
        let is_stream = ole
            .entries()
            .get(position)
            .is_some_and(|entry| entry.object_type == ObjectType::Stream);
        if is_stream {
            let stream = ole.stream(position).map_err(Refusal::Limit)?;
            if ovba::find_containers(&stream.data).next().is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
