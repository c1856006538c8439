//! Pages as Word and Excel write them and read them again (Microsoft Office HTML and XML Reference): the attached
//! template, parts of a master document, fields in spans that are marked as such, formulas of cells.
//!
//! Much of it stands in conditional comments, which these programs look into: here their marks are tags like others.

use super::fields::Fields;
use super::html::{self, Tag};
use super::office_links::{Link, Links};
use super::xml::unescape;
use crate::limits::{Budget, Halt};

/// Which program a page is opened with, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Word, or one that has no formulas.
    Text,
    /// Excel: the text of a cell may be a formula.
    Sheet,
}

/// Bytes of a cell that are read.
const CELL: usize = 8192;

/// Reads a page.
pub fn read(text: &str, program: Program, budget: &Budget) -> Result<Links, Halt> {
    let mut page = Page {
        program,
        ..Page::new()
    };
    let mut rest = text;
    let mut at = 0usize;
    // Ends because each turn takes at least the bracket.
    while let Some((before, behind)) = rest.split_once('<') {
        budget.tick()?;
        page.text(before, at);
        let tag_at = at.saturating_add(before.len());
        let (inside, tail) = behind.split_once('>').unwrap_or((behind, ""));
        let end = tag_at.saturating_add(inside.len()).saturating_add(2);
        page.tag(
            text.get(tag_at..end.min(text.len())).unwrap_or_default(),
            tag_at,
        );
        (rest, at) = (tail, end);
    }
    page.text(rest, at);
    Ok(page.finish())
}

struct Page {
    program: Program,
    links: Links,
    fields: Fields,
    /// The text of the cell at hand.
    cell: Option<(usize, String)>,
}

impl Page {
    fn new() -> Self {
        Self {
            program: Program::Text,
            links: Links::default(),
            fields: Fields::default(),
            cell: None,
        }
    }

    fn text(&mut self, text: &str, at: usize) {
        if self.fields.is_open() {
            self.fields.text(&unescape(text));
        }
        if let Some((place, cell)) = &mut self.cell
            && cell.len() < CELL
        {
            if cell.is_empty() {
                *place = at;
            }
            cell.push_str(&unescape(text));
        }
    }

    fn tag(&mut self, source: &str, at: usize) {
        if matches!(source.get(1..3), Some("/t" | "/T")) {
            self.end_cell();
        }
        let Some(tag) = html::tags(source).next() else {
            return;
        };
        let address = |name| tag.attribute(name).map(|value| value.trim().to_owned());
        let found = match tag.name.as_ref() {
            "attachedtemplate" => address("href").map(|target| ("attachedTemplate", target)),
            "link" if is(&tag, "rel", "subdocument") => {
                address("href").map(|target| ("subDoc", target))
            }
            "imagedata" | "fill" => address("src").map(|target| ("imagedata", target)),
            "td" | "th" => {
                self.end_cell();
                self.cell = (self.program == Program::Sheet).then(|| (at, String::new()));
                None
            }
            _ => None,
        };
        let address = |(element, target)| (at, Link::Address { element, target });
        self.links.list.extend(found.map(address));
        if let Some(formula) = tag.attribute("fmla") {
            self.formula(at, &formula);
        }
        if let Some(style) = tag.attribute("style") {
            self.mark(&style.to_ascii_lowercase(), at);
        }
    }

    /// A mark of a field in the style of a span.
    fn mark(&mut self, style: &str, at: usize) {
        let Some((_, behind)) = style.split_once("mso-element") else {
            return;
        };
        let value = behind.trim_start().trim_start_matches(':').trim_start();
        if value.starts_with("field-begin") {
            self.fields.begin(at);
        } else if value.starts_with("field-separator") {
            self.fields.separate();
        } else if value.starts_with("field-end") {
            self.fields.end();
        }
    }

    fn end_cell(&mut self) {
        if let Some((at, text)) = self.cell.take()
            && text.trim_start().starts_with(['=', '+', '-', '@'])
        {
            self.formula(at, &text);
        }
    }

    fn formula(&mut self, at: usize, formula: &str) {
        if formula.contains('|') {
            let formula = formula.to_owned();
            self.links.list.push((at, Link::Formula(formula)));
        }
    }

    fn finish(mut self) -> Links {
        self.end_cell();
        let (fields, cut) = self.fields.finish();
        let fields = fields
            .into_iter()
            .map(|field| (field.at, Link::Field(field)));
        self.links.list.extend(fields);
        self.links.cut = cut;
        self.links
    }
}

fn is(tag: &Tag<'_>, name: &str, value: &str) -> bool {
    tag.attribute(name)
        .is_some_and(|found| found.trim().eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn told(text: &str, program: Program) -> Vec<String> {
        let links = read(text, program, &Budget::new(Limits::default(), None)).unwrap();
        let told = links.list.into_iter().map(|(_, link)| match link {
            Link::Address { element, target } => format!("{element} {target}"),
            Link::Field(field) => format!("{} {}", field.keyword, field.arguments.join(" ")),
            Link::Formula(formula) => formula,
            other => format!("{other:?}"),
        });
        told.collect()
    }

    #[test]
    fn templates_subdocuments_and_pictures_are_told_within_comments_too() {
        let page = "<!--[if gte mso 9]><xml><w:AttachedTemplate HRef=\"http://h/a\"/></xml><![endif]-->\
            <link rel=Subdocument href=b><link rel=stylesheet href=c><v:imagedata src='d' o:title=''/>";
        let expected = ["attachedTemplate http://h/a", "subDoc b", "imagedata d"];
        assert_eq!(told(page, Program::Text), expected);
    }

    #[test]
    fn fields_in_marked_spans_are_told() {
        let field = |code: &str| {
            format!(
                "<!--[if supportFields]><span style='mso-element:field-begin'></span>{code}<span \
                 style=\"a:b; MSO-ELEMENT: field-separator\"></span><![endif]-->x<span style='mso-element:field-end'></span> DDEAUTO y"
            )
        };
        assert_eq!(
            told(&field("<b>DDE</b>AUTO cmd &quot;/c x&quot;"), Program::Text),
            ["ddeauto cmd /c x"]
        );
        assert!(told(&field(" PAGE "), Program::Text).is_empty());
    }

    #[test]
    fn formulas_of_cells_are_told_where_a_sheet_is_made_of_them() {
        let page = "<table><tr><td x:fmla=\"=a|'b'!c\">1</td><td>&#61;d<b>|</b>'e'!f</td><td>no | more</td></tr></table>";
        assert_eq!(told(page, Program::Sheet), ["=a|'b'!c", "=d|'e'!f"]);
        assert_eq!(told(page, Program::Text), ["=a|'b'!c"]);
    }
}
