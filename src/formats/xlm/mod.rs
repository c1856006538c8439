//! Excel 4 macros: the formulas of macro sheets, whichever container they come in.
//!
//! [`Workbook`] is what the readers of BIFF, BIFF12, XML and SYLK agree on; [`Workbook::source`] is it as text, one line
//! a cell, and [`Source`] reads that text again and works out what constant expressions come to.

mod fold;
mod formula;
mod functions;
mod ptg;
mod source;

pub use fold::{Call, Folded, fold};
pub use formula::{Address, Formula, Node, NodeId, Operator, column_name};
pub use functions::is_macro_function;
pub(crate) use ptg::unicode;
pub use ptg::{Biff, Names, formula_text};
pub use source::{Line, Source};

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::bytes::Deviation;
use crate::limits::{Budget, Halt};

/// What kind of sheet a sheet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SheetKind {
    /// Cells and their values.
    #[default]
    Worksheet,
    /// Formulas that are run.
    Macro,
    /// A dialog of Excel 5.
    Dialog,
    /// A chart, a Visual Basic module of Excel 5, or anything else without cells of interest.
    Other,
}

/// Whether a sheet is shown ([MS-XLS] 2.4.28, `hsState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility {
    /// It is.
    #[default]
    Visible,
    /// Hidden; the user can show it.
    Hidden,
    /// Hidden so that no menu shows it.
    VeryHidden,
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A formula without its equals sign.
    Formula(String),
    /// Text.
    Text(String),
    /// A number.
    Number(f64),
    /// TRUE or FALSE.
    Logical(bool),
}

/// One cell; rows and columns count from 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its row.
    pub row: u32,
    /// Its column.
    pub column: u32,
    /// What stands in it.
    pub content: Content,
}

/// One sheet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sheet {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SheetKind,
    /// Whether it is shown.
    pub visibility: Visibility,
    /// Cells that are not empty, as they stand.
    pub cells: Vec<Cell>,
}

/// A defined name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DefinedName {
    /// The name as Excel shows it; a built-in one by its English word.
    pub name: String,
    /// Its formula without equals sign.
    pub formula: String,
    /// Whether it is shown in the list of names.
    pub visibility: Visibility,
}

/// Something outside that the workbook links to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Another workbook, a library or an object: its path or address.
    File(String),
    /// The file of a linked object.
    Object(String),
    /// Where a click leads to, but for pages, files and letters.
    Click(String),
    /// A dynamic data exchange conversation: program, topic and the items asked for.
    Exchange {
        /// The program, such as `cmd`.
        service: String,
        /// What it is asked about.
        topic: String,
        /// Items of the topic, and whether they are kept up to date.
        items: Vec<(String, Update)>,
    },
}

/// Whether a linked item is brought up to date by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// It is.
    Automatic,
    /// Only on demand.
    Manual,
}

/// What a workbook has of macros, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Workbook {
    /// Its sheets; those without macros have cells only where macros name them.
    pub sheets: Vec<Sheet>,
    /// Its names.
    pub names: Vec<DefinedName>,
    /// What it links to.
    pub links: Vec<Link>,
    /// What was odd but did not keep anything from being read.
    pub deviations: Vec<Deviation>,
    /// What could not be read.
    pub unread: Vec<Deviation>,
}

impl Workbook {
    /// Whether it holds anything that runs: a macro sheet, or a name that calls what only macro sheets may.
    pub fn has_macros(&self) -> bool {
        self.sheets
            .iter()
            .any(|sheet| sheet.kind == SheetKind::Macro)
            || self.names.iter().any(calls_macro_function)
    }

    /// The macros as text.
    ///
    /// First a line for each sheet in words, behind an apostrophe; then a line for each name, `Auto_Open<TAB>=Macro1!$A$1`;
    /// then one for each cell, `Macro1!A1<TAB>=EXEC("calc.exe")`, constants without an equals sign and texts in quotes.
    pub fn source(&self) -> String {
        let mut out = String::new();
        for sheet in &self.sheets {
            let kind = match sheet.kind {
                SheetKind::Worksheet => "sheet",
                SheetKind::Macro => "macro sheet",
                SheetKind::Dialog => "dialog sheet",
                SheetKind::Other => "other sheet",
            };
            let state = match sheet.visibility {
                Visibility::Visible => "",
                Visibility::Hidden => ", hidden",
                Visibility::VeryHidden => ", very hidden",
            };
            // Writing to a String cannot fail.
            let _ = writeln!(out, "' {kind}{state}: {}", one_line(&sheet.name));
        }
        for name in &self.names {
            let _ = writeln!(
                out,
                "{}\t={}",
                one_line(&name.name),
                one_line(&name.formula)
            );
        }
        for sheet in &self.sheets {
            let prefix = formula::sheet_prefix(&sheet.name);
            for cell in &sheet.cells {
                let _ = write!(
                    out,
                    "{prefix}{}{}\t",
                    column_name(cell.column),
                    cell.row.saturating_add(1)
                );
                let _ = match &cell.content {
                    Content::Formula(text) => writeln!(out, "={}", one_line(text)),
                    Content::Text(text) => writeln!(out, "{}", formula::quoted(text)),
                    Content::Number(number) => writeln!(out, "{number}"),
                    Content::Logical(true) => writeln!(out, "TRUE"),
                    Content::Logical(false) => writeln!(out, "FALSE"),
                };
            }
        }
        out
    }
}

/// Whether a name's formula calls what only macro sheets may call.
fn calls_macro_function(name: &DefinedName) -> bool {
    is_macro_formula(&name.formula)
}

/// Whether a formula calls what only macro sheets may call.
pub fn is_macro_formula(formula: &str) -> bool {
    // A call needs a bracket; most names have none.
    formula.contains('(') && Formula::read(formula).calls().any(is_macro_function)
}

/// Text without what would end a line or a column.
fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r', '\t', '\0']) {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        return Cow::Owned(text.chars().map(plain).collect());
    }
    Cow::Borrowed(text)
}

/// Cells (row, column) that the formulas of a workbook name with their sheet, by its name in lower case.
pub fn named_cells(
    book: &Workbook,
    budget: &Budget,
) -> Result<BTreeMap<String, BTreeSet<(u32, u32)>>, Halt> {
    /// Cells that are looked up.
    const MOST: usize = 100_000;
    let mut named: BTreeMap<String, BTreeSet<(u32, u32)>> = BTreeMap::new();
    let mut count = 0usize;
    let cells = book.sheets.iter().flat_map(|sheet| &sheet.cells);
    let formulas = cells.filter_map(|cell| match &cell.content {
        Content::Formula(formula) => Some(formula),
        Content::Text(_) | Content::Number(_) | Content::Logical(_) => None,
    });
    for formula in formulas.chain(book.names.iter().map(|name| &name.formula)) {
        budget.tick()?;
        if !formula.contains('!') || count > MOST {
            continue;
        }
        for node in Formula::read(formula).nodes() {
            if let Node::Cell(Address {
                sheet: Some(sheet),
                row,
                column,
            }) = node
            {
                count = count.saturating_add(1);
                named
                    .entry(sheet.to_lowercase())
                    .or_default()
                    .insert((*row, *column));
            }
        }
    }
    Ok(named)
}
