//! What a part of an Office document in XML names outside of itself: Word fields (ECMA-376 part 1, 17.16; the same in
//! WordprocessingML 2003), DDE links of workbooks (18.14), formulas with remote references, and the addresses that
//! WordprocessingML 2003 keeps in attributes where later formats have relationships.
//!
//! Elements are told by their local names, so that prefix and namespace, strict or transitional, do not matter.

use std::collections::BTreeSet;

use quick_xml::events::{BytesEnd, BytesStart, Event};
use quick_xml::name::QName;

use super::fields::{Field, Fields};
use super::xml;
use crate::bytes::Deviation;
use crate::limits::{Budget, Halt};

/// Something named outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// A Word field.
    Field(Field),
    /// A DDE link of a workbook.
    Dde {
        /// The program.
        service: String,
        /// What it is asked about.
        topic: String,
        /// The first item of it.
        item: String,
        /// Whether any item is updated by itself (`advise`).
        automatic: bool,
    },
    /// A formula that has a bar in it: it may hold a remote reference.
    Formula(String),
    /// An address in an attribute of an element.
    Address {
        /// The element: `attachedTemplate`, `sourceFileName`, `subDoc`, `object-ole` and others of OpenDocument; `ocx`, whose
        /// address is a class id; one of [`MACROS`], whose address is a procedure.
        element: &'static str,
        /// The address.
        target: String,
    },
    /// A click or the pointer over something starts a program: its address, or the id of the relationship that leads to it.
    Start(String),
    /// A page that stands in an attribute: that of a film to be shown ([MS-DOCX] 2.2.2 "webVideoPr").
    Page(String),
}

/// What a part names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    /// With their offsets in the text.
    pub list: Vec<(usize, Link)>,
    /// What kept the reader from the rest of the part.
    pub broken: Option<Deviation>,
    /// Whether values of nested fields were left out.
    pub cut: bool,
}

/// Elements whose attribute is an address, and that attribute (WordprocessingML 2003, activeX parts).
const ADDRESSES: &[(&str, &str)] = &[
    ("attachedTemplate", "val"),
    ("sourceFileName", "val"),
    ("subDoc", "link"),
    // 23.1: what a schema brings along to be loaded with the document.
    ("schema", "manifestLocation"),
    // [MS-OI29500] 2.1 activeX: the class of a control.
    ("ocx", "classid"),
    // [MS-CUSTOMUI] 2.2.1: a procedure to be called, which may stand in another document.
    ("customUI", "onLoad"),
    // VML (ECMA-376 part 4, 19.1.2.11, 19.1.2.5, 19.1.2.21): a picture, and where it was taken from.
    ("imagedata", "src"),
    ("imagedata", "href"),
    ("fill", "src"),
    ("fill", "href"),
    ("stroke", "src"),
    ("stroke", "href"),
    // ECMA-376 part 1, 20.5.2: the macro of a shape on a sheet.
    ("sp", "macro"),
    ("cxnSp", "macro"),
    ("graphicFrame", "macro"),
    ("pic", "macro"),
    // OpenDocument 1.3 part 3, 10.4.6 and following, 5.4.2, 9.3.1, 9.3.2, 19.
    ("object", "href"),
    ("object-ole", "href"),
    ("plugin", "href"),
    ("applet", "href"),
    ("floating-frame", "href"),
    ("section-source", "href"),
    ("table-source", "href"),
    ("cell-range-source", "href"),
    ("image", "href"),
    ("background-image", "href"),
    ("fill-image", "href"),
    ("list-level-style-image", "href"),
    ("sound", "href"),
    ("audio", "href"),
    // OpenDocument 1.3 part 3, 4.3.2.18 and 4.3.2.19.
    ("template", "href"),
    ("auto-reload", "href"),
];

/// Elements whose address is a macro: one of the document itself, unless it names a place.
pub const MACROS: &[&str] = &[
    "customUI",
    "sp",
    "cxnSp",
    "graphicFrame",
    "pic",
    "FmlaMacro",
];

/// Elements with an action for a click or the pointer over them (21.1.2.3.5 and 21.1.2.3.6, 19.5.18), and how one begins
/// that starts the program to which the relationship leads ([MS-OI29500] 2.1.1328).
const ACTIONS: &[&str] = &["hlinkClick", "hlinkHover", "hlinkMouseOver"];
const STARTS: &str = "ppaction://program";

/// Whether an action of a slide starts a program.
pub fn starts_program(action: &str) -> bool {
    let start = action.trim_start().get(..STARTS.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(STARTS))
}

/// Elements of OpenDocument that name a DDE link in their attributes (part 3, 14.6.5 and 14.6.3).
const DDE_ELEMENTS: &[&str] = &["dde-source", "dde-connection-decl"];

/// Elements whose text is a formula (18.3.1.40, 18.2.5, 18.3.1.43, 18.3.1.32, 18.3.1.33).
/// 18.5.1.1, 18.5.1.6.
const FORMULAS: &[&str] = &[
    "f",
    "definedName",
    "formula",
    "formula1",
    "formula2",
    "calculatedColumnFormula",
    "totalsRowFormula",
];

/// The element of a form control's macro ([MS-OI29500] 2.1 "FmlaMacro" of ECMA-376 part 4, 19.4.2.22).
const MACRO_TEXT: &str = "FmlaMacro";

/// Elements that have a formula in an attribute (SpreadsheetML 2003).
const FORMULA_ATTRIBUTES: &[(&str, &str)] = &[
    ("Cell", "Formula"),
    ("NamedRange", "RefersTo"),
    // OpenDocument 1.3 part 3, 19.642 and 19.632.
    ("table-cell", "formula"),
    ("covered-table-cell", "formula"),
    ("named-expression", "expression"),
];

/// Which of the alternatives are read that a text offers: tracked deletions (17.13.5), branches (part 3, 10.2), elements
/// that may be ignored (part 3, 7.2).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// All of them, one behind the other.
    #[default]
    All,
    /// No deletions, nothing that may be ignored, the first branch.
    Chosen,
    /// The same, but for the last branch.
    FallenBack,
}

/// Reads one part. Where the alternatives that a text offers touch its fields, each of them is read as well: in one row
/// they may make another field than each by itself.
pub fn read(text: &str, budget: &Budget) -> Result<Links, Halt> {
    let part = pass(text, Reading::All, budget)?;
    let doubtful = part.doubtful;
    let mut links = part.finish();
    if !doubtful {
        return Ok(links);
    }
    let name = |field: &Field| (field.keyword.clone(), field.arguments.clone());
    let fields = links.list.iter().filter_map(|(_, link)| match link {
        Link::Field(field) => Some(name(field)),
        _ => None,
    });
    let mut known: BTreeSet<_> = fields.collect();
    for reading in [Reading::Chosen, Reading::FallenBack] {
        let other = pass(text, reading, budget)?.finish();
        links.cut |= other.cut;
        for (at, link) in other.list {
            budget.tick()?;
            let Link::Field(field) = &link else { continue };
            if known.insert(name(field)) {
                links.list.push((at, link));
            }
        }
    }
    links.list.sort_by_key(|(at, _)| *at);
    Ok(links)
}

fn pass(text: &str, reading: Reading, budget: &Budget) -> Result<Part, Halt> {
    let mut reader = xml::reader(text);
    let mut part = Part {
        reading,
        ..Part::default()
    };
    // Ends because every event takes at least one byte, and an error ends it.
    loop {
        budget.tick()?;
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        match reader.read_event() {
            Ok(Event::Start(tag)) => part.open(&tag, at, Form::Open),
            Ok(Event::Empty(tag)) => part.open(&tag, at, Form::Empty),
            Ok(Event::End(tag)) => part.close(&tag),
            Ok(Event::Text(text)) => part.text(&text, at),
            Ok(Event::CData(text)) => part.text(&text, at),
            Ok(Event::GeneralRef(name)) => {
                if let Some(c) = xml::entity(&name) {
                    part.text(c.encode_utf8(&mut [0; 4]), at);
                }
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => {
                part.links.broken = Some(Deviation::new(at, format!("XML: {error}")));
                break;
            }
        }
    }
    Ok(part)
}

/// Whether a tag has content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Open,
    Empty,
}

/// What the text at hand is.
#[derive(Debug, Default)]
enum Text {
    #[default]
    Nothing,
    Code,
    Shown,
    Formula(usize, String),
    Macro(usize, String),
}

#[derive(Debug, Default)]
struct Part {
    links: Links,
    fields: Fields,
    text: Text,
    dde: Option<(usize, Link)>,
    reading: Reading,
    /// Prefixes whose elements may be ignored.
    ignorable: Vec<String>,
    /// Alternatives that are open.
    alternatives: usize,
    /// Elements that are open of what is left out.
    left_out: usize,
    /// Whether an alternative holds anything of a field.
    doubtful: bool,
}

/// Elements of which fields are made.
const OF_FIELDS: &[&str] = &["fldChar", "fldSimple", "instrText", "delInstrText"];

/// What somebody deleted or moved away (17.13.5.14, 17.13.5.22).
const DELETED: &[&str] = &["del", "moveFrom"];

/// Prefixes that are kept: Word's own files have fewer than twenty.
const PREFIXES: usize = 256;

impl Part {
    /// Takes a start tag, unless it belongs to what this reading leaves out.
    fn open(&mut self, tag: &BytesStart<'_>, at: usize, form: Form) {
        if self.left_out > 0 {
            self.left_out = self
                .left_out
                .saturating_add(usize::from(form == Form::Open));
            return;
        }
        if let Some(prefixes) = xml::attribute(tag, "Ignorable") {
            let room = PREFIXES.saturating_sub(self.ignorable.len());
            let prefixes = prefixes.split_whitespace().map(str::to_owned);
            self.ignorable.extend(prefixes.take(room));
        }
        let name = tag.local_name();
        let name = name.as_ref();
        let ignorable = self.is_ignorable(tag.name());
        let dropped = match self.reading {
            Reading::All => false,
            Reading::Chosen => name == "Fallback",
            Reading::FallenBack => name == "Choice",
        };
        let plain = self.reading == Reading::All;
        if dropped || !plain && (ignorable || DELETED.contains(&name) || name == "delInstrText") {
            self.left_out = usize::from(form == Form::Open);
            return;
        }
        let of_field = OF_FIELDS.contains(&name) || self.fields.is_open() && name == "t";
        let doubt = self.alternatives > 0 || ignorable || name == "delInstrText";
        self.doubtful |= of_field && doubt;
        if form == Form::Open && is_alternative(name, ignorable) {
            self.alternatives = self.alternatives.saturating_add(1);
        }
        self.start(tag, at, form);
    }

    fn close(&mut self, tag: &BytesEnd<'_>) {
        if self.left_out > 0 {
            self.left_out = self.left_out.saturating_sub(1);
            return;
        }
        let name = tag.local_name();
        if is_alternative(name.as_ref(), self.is_ignorable(tag.name())) {
            self.alternatives = self.alternatives.saturating_sub(1);
        }
        self.end(name.as_ref());
    }

    fn is_ignorable(&self, name: QName<'_>) -> bool {
        let known = |prefix: &str| self.ignorable.iter().any(|one| one == prefix);
        !self.ignorable.is_empty() && name.prefix().is_some_and(|prefix| known(prefix.as_ref()))
    }

    fn start(&mut self, tag: &BytesStart<'_>, at: usize, form: Form) {
        let name = tag.local_name();
        let name = name.as_ref();
        match name {
            "fldChar" => match xml::attribute(tag, "fldCharType").as_deref().map(str::trim) {
                Some("begin") => self.fields.begin(at),
                Some("separate") => self.fields.separate(),
                Some("end") => self.fields.end(),
                _ => {}
            },
            "fldSimple" => {
                self.fields.begin(at);
                let code = xml::attribute(tag, "instr").unwrap_or_default();
                self.fields.code(&code, at);
                self.fields.separate();
                if form == Form::Empty {
                    self.fields.end();
                }
            }
            "instrText" | "delInstrText" if form == Form::Open => self.text = Text::Code,
            // 17.3.3: characters of a run that separate words. The stop of a tabulator has a place.
            "tab" | "ptab" | "br" | "cr" if self.fields.is_open() => {
                if xml::attribute(tag, "pos").is_none() {
                    self.fields.text(" ");
                }
            }
            "t" | "delText" if form == Form::Open && self.fields.is_open() => {
                self.text = Text::Shown;
            }
            "ddeLink" => {
                self.close_dde();
                let link = Link::Dde {
                    service: string(tag, "ddeService"),
                    topic: string(tag, "ddeTopic"),
                    item: String::new(),
                    automatic: false,
                };
                self.dde = Some((at, link));
            }
            "ddeItem" => self.dde_item(tag),
            name if DDE_ELEMENTS.contains(&name) => {
                let link = Link::Dde {
                    service: xml::attribute(tag, "dde-application").unwrap_or_default(),
                    topic: xml::attribute(tag, "dde-topic").unwrap_or_default(),
                    item: xml::attribute(tag, "dde-item").unwrap_or_default(),
                    automatic: xml::attribute(tag, "automatic-update").as_deref() == Some("true"),
                };
                self.links.list.push((at, link));
            }
            name if FORMULAS.contains(&name) && form == Form::Open => {
                self.text = Text::Formula(at, String::new());
            }
            MACRO_TEXT if form == Form::Open => self.text = Text::Macro(at, String::new()),
            name => self.attributes(name, tag, at),
        }
    }

    fn dde_item(&mut self, tag: &BytesStart<'_>) {
        if let Some((
            _,
            Link::Dde {
                item, automatic, ..
            },
        )) = &mut self.dde
        {
            let advise = xml::attribute(tag, "advise");
            *automatic |= advise.is_some_and(|advise| matches!(advise.trim(), "1" | "true"));
            if item.is_empty() {
                *item = string(tag, "name");
            }
        }
    }

    fn attributes(&mut self, name: &str, tag: &BytesStart<'_>, at: usize) {
        for (element, attribute) in ADDRESSES.iter().filter(|(element, _)| *element == name) {
            if let Some(target) = xml::attribute(tag, attribute) {
                self.links
                    .list
                    .push((at, Link::Address { element, target }));
            }
        }
        if name == "webVideoPr"
            && let Some(page) = xml::attribute(tag, "embeddedHtml")
        {
            self.links.list.push((at, Link::Page(page)));
        }
        // OpenDocument 1.3 part 3, 19.385: a program that a click starts.
        if name == "event-listener" && xml::attribute(tag, "action").as_deref() == Some("execute") {
            let target = xml::attribute(tag, "href").unwrap_or_default();
            self.links.list.push((at, Link::Start(target)));
        }
        if ACTIONS.contains(&name)
            && xml::attribute(tag, "action").is_some_and(|action| starts_program(&action))
        {
            let relationship = xml::attribute(tag, "id").unwrap_or_default();
            self.links.list.push((at, Link::Start(relationship)));
        }
        if let Some((_, attribute)) = FORMULA_ATTRIBUTES
            .iter()
            .find(|(element, _)| *element == name)
            && let Some(formula) = xml::attribute(tag, attribute)
        {
            self.formula(at, &formula);
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "fldSimple" => self.fields.end(),
            "ddeLink" => self.close_dde(),
            "instrText" | "delInstrText" | "t" | "delText" => self.text = Text::Nothing,
            name if name == MACRO_TEXT || FORMULAS.contains(&name) => self.close_text(),
            _ => {}
        }
    }

    fn close_text(&mut self) {
        match std::mem::take(&mut self.text) {
            Text::Formula(at, formula) => self.formula(at, &formula),
            Text::Macro(at, target) => {
                let element = MACRO_TEXT;
                self.links
                    .list
                    .push((at, Link::Address { element, target }));
            }
            Text::Nothing | Text::Code | Text::Shown => {}
        }
    }

    fn text(&mut self, text: &str, at: usize) {
        match &mut self.text {
            Text::Nothing => {}
            Text::Code => self.fields.code(text, at),
            Text::Shown => self.fields.text(text),
            Text::Formula(_, kept) | Text::Macro(_, kept) => kept.push_str(text),
        }
    }

    fn formula(&mut self, at: usize, formula: &str) {
        let formula = xml::xstring(formula);
        self.links
            .list
            .extend(call(&formula).map(|link| (at, link)));
        if formula.contains('|') {
            let formula = formula.into_owned();
            self.links.list.push((at, Link::Formula(formula)));
        }
    }

    fn close_dde(&mut self) {
        self.links.list.extend(self.dde.take());
    }

    fn finish(mut self) -> Links {
        self.close_dde();
        self.close_text();
        let (fields, cut) = self.fields.finish();
        let fields = fields
            .into_iter()
            .map(|field| (field.at, Link::Field(field)));
        self.links.list.extend(fields);
        self.links.list.sort_by_key(|(at, _)| *at);
        self.links.cut = cut;
        self.links
    }
}

/// Whether an element is one of several alternatives, or may be left out.
fn is_alternative(name: &str, ignorable: bool) -> bool {
    ignorable || DELETED.contains(&name) || matches!(name, "Choice" | "Fallback")
}

/// The conversation of a call of `DDE` (OpenDocument 1.3 part 4, 6.14.2), where a formula has one.
fn call(formula: &str) -> Option<Link> {
    const CALL: &str = "dde(";
    let at = formula.to_ascii_lowercase().find(CALL)?;
    let before = formula.get(..at)?.chars().next_back();
    if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '"' | '_' | '.')) {
        return None;
    }
    // Texts stand at the odd places, also where one is put together of several.
    let mut arguments = vec![String::new()];
    let behind = formula.get(at.checked_add(CALL.len())?..)?;
    for (place, piece) in behind.split('"').enumerate() {
        if place % 2 == 1 {
            arguments.last_mut()?.push_str(piece);
        } else if piece.contains([';', ',']) && arguments.len() < 4 {
            arguments.push(String::new());
        }
        if place % 2 == 0 && piece.trim_start().starts_with(')') {
            break;
        }
    }
    let mut arguments = arguments.into_iter();
    let service = arguments.next().filter(|service| !service.is_empty())?;
    Some(Link::Dde {
        service,
        topic: arguments.next().unwrap_or_default(),
        item: arguments.next().unwrap_or_default(),
        automatic: true,
    })
}

/// An attribute that is a string of a workbook.
fn string(tag: &BytesStart<'_>, name: &str) -> String {
    let value = xml::attribute(tag, name).unwrap_or_default();
    xml::xstring(&value).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn links(text: &str) -> Vec<Link> {
        let links = read(text, &Budget::new(Limits::default(), None)).unwrap();
        links.list.into_iter().map(|(_, link)| link).collect()
    }

    fn field(keyword: &str, arguments: &[&str]) -> Link {
        let arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
        Link::Field(Field {
            at: 0,
            keyword: keyword.to_owned(),
            arguments,
        })
    }

    fn placeless(link: Link) -> Link {
        match link {
            Link::Field(field) => Link::Field(Field { at: 0, ..field }),
            other => other,
        }
    }

    #[test]
    fn fields_split_over_runs_of_any_prefix_are_put_together() {
        let text = "<q:p><q:r><q:fldChar q:fldCharType='begin'/></q:r><q:r><q:instrText>DD</q:instrText></q:r>\
            <x:ins><q:r><q:instrText> EAUTO &quot;c&#109;d</q:instrText></q:r></x:ins><q:r><q:delInstrText>\" <![CDATA[/c]]> calc</q:delInstrText></q:r>\
            <q:fldSimple q:instr=' INCLUDETEXT &quot;\\\\srv\\a.docx&quot;'><q:t>old</q:t></q:fldSimple>";
        let text = text.replace(
            "DD</q:instrText></q:r><x:ins><q:r><q:instrText> EAUTO",
            "DD</q:instrText></q:r><x:ins><q:r><q:instrText>EAUTO",
        );
        let found: Vec<Link> = links(&text).into_iter().map(placeless).collect();
        assert_eq!(
            found,
            [
                field("ddeauto", &["cmd", "/c", "calcold"]),
                // Without what was deleted.
                field("ddeauto", &["cmdold"]),
                field("includetext", &[r"\srv\a.docx"])
            ]
        );
    }

    fn fields(body: &str) -> Vec<Link> {
        let text = format!(
            "<w:document mc:Ignorable='w14 zz'><w:fldChar w:fldCharType='begin'/>{body}<w:fldChar w:fldCharType='end'/></w:document>"
        );
        links(&text).into_iter().map(placeless).collect()
    }

    #[test]
    fn what_word_leaves_out_of_a_field_does_not_hide_it() {
        const ATTACK: &str = "<w:instrText> DDEAUTO cmd &quot;/c x&quot; </w:instrText>";
        let found = [field("ddeauto", &["cmd", "/c x"])];
        let other = |before: &str| fields(&format!("{before}{ATTACK}"));
        assert_eq!(other(""), found);
        for decoy in [
            "<w:del><w:r><w:delInstrText> PAGE </w:delInstrText></w:r></w:del>",
            "<w:moveFrom><w:instrText> PAGE </w:instrText></w:moveFrom>",
            "<zz:x><w:instrText> PAGE </w:instrText></zz:x>",
            "<zz:instrText> PAGE </zz:instrText>",
            "<zz:t> PAGE </zz:t>",
            "<mc:Choice Requires='zz'><w:instrText>PAGE </w:instrText></mc:Choice>",
            "<mc:Fallback><w:instrText>PAGE </w:instrText></mc:Fallback>",
        ] {
            assert_eq!(other(decoy), found, "{decoy}");
            assert!(fields(decoy).is_empty(), "{decoy}");
        }
        let branches = format!(
            "<mc:Choice><w:instrText>PAGE</w:instrText></mc:Choice><mc:Fallback>{ATTACK}</mc:Fallback>"
        );
        assert_eq!(fields(&branches), found);
        assert_eq!(
            fields(
                "<w:instrText>DDE</w:instrText><w:del><w:delInstrText>x</w:delInstrText></w:del><w:instrText>AUTO cmd</w:instrText>"
            ),
            [field("ddeauto", &["cmd"])]
        );
    }

    #[test]
    fn tabulators_and_breaks_part_the_words_of_a_field() {
        let part = |between: &str| {
            fields(&format!(
                "<w:r><w:instrText>DDEAUTO</w:instrText>{between}<w:instrText>cmd</w:instrText></w:r>"
            ))
        };
        for between in [
            "<w:tab/>",
            "<w:br/>",
            "<w:cr/>",
            "<w:ptab w:alignment='left'/>",
        ] {
            assert_eq!(part(between), [field("ddeauto", &["cmd"])]);
        }
        assert!(part("<w:tabs><w:tab w:pos='720'/></w:tabs>").is_empty());
    }

    #[test]
    fn pictures_of_vml_and_macros_of_shapes_are_told() {
        let text = "<v:imagedata r:id='rId1'/><v:fill src='\\\\h\\s' o:href='a'/><xdr:sp macro=''/><xdr:pic macro='x!y'/>\
            <x:FmlaMacro>[0]!a</x:FmlaMacro>";
        let found = links(text).into_iter().map(|link| match link {
            Link::Address { element, target } => format!("{element} {target}"),
            other => format!("{other:?}"),
        });
        let found: Vec<_> = found.collect();
        assert_eq!(
            found,
            [
                "fill \\\\h\\s",
                "fill a",
                "sp ",
                "pic x!y",
                "FmlaMacro [0]!a"
            ]
        );
    }

    #[test]
    fn objects_and_links_of_opendocument_are_told() {
        let text = "<d:object-ole x:href='http://a.example/o'/><t:section-source x:href='\\\\h\\s'/>\
            <office:dde-source office:dde-application='cmd' office:dde-topic='/c rem' office:automatic-update='true'/>";
        let found = links(text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(matches!(
            &found[1],
            Link::Address {
                element: "section-source",
                ..
            }
        ));
        assert!(
            matches!(&found[2], Link::Dde { service, automatic: true, .. } if service == "cmd")
        );
    }

    #[test]
    fn calls_of_dde_are_told_and_texts_that_show_one_are_not() {
        let told = |formula: &str| match call(formula) {
            Some(Link::Dde {
                service,
                topic,
                item,
                ..
            }) => format!("{service} # {topic} # {item}"),
            _ => String::new(),
        };
        assert_eq!(told("of:=1+DDE(\"cmd\";\"/c x\"; \"a\")"), "cmd # /c x # a");
        assert_eq!(
            told("of:=dde(\"cm\"&\"d\";\"/c x\";\"a\")+\"b\""),
            "cmd # /c x # a"
        );
        assert_eq!(told("of:=CONCAT(\"DDE(\";\"cmd\")"), "");
        assert_eq!(told("of:=MYDDE(\"cmd\")"), "");
    }

    #[test]
    fn links_and_formulas_of_workbooks_are_told() {
        let text = "<s:externalLink><s:ddeLink ddeService='cmd' ddeTopic=\"/c calc\"><s:ddeItems><s:ddeItem name='A1'/><s:ddeItem name='B' advise='1'/></s:ddeItems></s:ddeLink>\
            <c><f>cmd&#124;'/c x'!A0</f></c><f>SUM(A1)</f><Cell ss:Formula=\"=a|'b'!c\"/><attachedTemplate w:val='http://a.example'/>";
        let found = links(text);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(matches!(&found[0], Link::Dde { item, automatic: true, .. } if item == "A1"));
        assert!(matches!(&found[1], Link::Formula(formula) if formula == "cmd|'/c x'!A0"));
    }
    #[test]
    fn many_fields_beside_a_deletion_are_each_told_once() {
        // Compared with one another, these would take minutes.
        const MANY: usize = 60_000;
        let many: String = (0..MANY)
            .map(|number| format!("<w:fldSimple w:instr='DDE a {number}'/>"))
            .collect();
        let doubt = "<w:del><w:fldSimple w:instr='DDE a 0'/></w:del>";
        let text = format!("<w:p xmlns:w='w'>{many}{doubt}</w:p>");
        assert_eq!(links(&text).len(), MANY + 1);
    }
}
