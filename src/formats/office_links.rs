//! What a part of an Office document in XML names outside of itself: Word fields (ECMA-376 part 1, 17.16; the same in
//! WordprocessingML 2003), DDE links of workbooks (18.14), formulas with remote references, and the addresses that
//! WordprocessingML 2003 keeps in attributes where later formats have relationships.
//!
//! Elements are told by their local names, so that prefix and namespace, strict or transitional, do not matter.

use quick_xml::events::{BytesStart, Event};

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
        /// address is a class id; `customUI`, whose address is a procedure.
        element: &'static str,
        /// The address.
        target: String,
    },
    /// A click or the pointer over something starts a program: the id of the relationship that leads to it.
    Start(String),
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
    // [MS-OI29500] 2.1 activeX: the class of a control.
    ("ocx", "classid"),
    // [MS-CUSTOMUI] 2.2.1: a procedure to be called, which may stand in another document.
    ("customUI", "onLoad"),
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
const FORMULAS: &[&str] = &["f", "definedName", "formula", "formula1", "formula2"];

/// Elements that have a formula in an attribute (SpreadsheetML 2003).
const FORMULA_ATTRIBUTES: &[(&str, &str)] = &[("Cell", "Formula"), ("NamedRange", "RefersTo")];

/// Reads one part.
pub fn read(text: &str, budget: &Budget) -> Result<Links, Halt> {
    let mut reader = xml::reader(text);
    let mut part = Part::default();
    // Ends because every event takes at least one byte, and an error ends it.
    loop {
        budget.tick()?;
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        match reader.read_event() {
            Ok(Event::Start(tag)) => part.start(&tag, at, Form::Open),
            Ok(Event::Empty(tag)) => part.start(&tag, at, Form::Empty),
            Ok(Event::End(tag)) => part.end(tag.local_name().as_ref()),
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
    Ok(part.finish())
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
}

#[derive(Debug, Default)]
struct Part {
    links: Links,
    fields: Fields,
    text: Text,
    dde: Option<(usize, Link)>,
}

impl Part {
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
            "t" | "delText" if form == Form::Open && self.fields.is_open() => {
                self.text = Text::Shown;
            }
            "ddeLink" => {
                self.close_dde();
                let link = Link::Dde {
                    service: xml::attribute(tag, "ddeService").unwrap_or_default(),
                    topic: xml::attribute(tag, "ddeTopic").unwrap_or_default(),
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
                *item = xml::attribute(tag, "name").unwrap_or_default();
            }
        }
    }

    fn attributes(&mut self, name: &str, tag: &BytesStart<'_>, at: usize) {
        if let Some((element, attribute)) = ADDRESSES.iter().find(|(element, _)| *element == name)
            && let Some(target) = xml::attribute(tag, attribute)
        {
            self.links
                .list
                .push((at, Link::Address { element, target }));
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
            self.formula(at, formula);
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "fldSimple" => self.fields.end(),
            "ddeLink" => self.close_dde(),
            "instrText" | "delInstrText" | "t" | "delText" => self.text = Text::Nothing,
            name if FORMULAS.contains(&name) => {
                if let Text::Formula(at, formula) = std::mem::take(&mut self.text) {
                    self.formula(at, formula);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, at: usize) {
        match &mut self.text {
            Text::Nothing => {}
            Text::Code => self.fields.code(text, at),
            Text::Shown => self.fields.text(text),
            Text::Formula(_, formula) => formula.push_str(text),
        }
    }

    fn formula(&mut self, at: usize, formula: String) {
        if formula.contains('|') {
            self.links.list.push((at, Link::Formula(formula)));
        }
    }

    fn close_dde(&mut self) {
        self.links.list.extend(self.dde.take());
    }

    fn finish(mut self) -> Links {
        self.close_dde();
        if let Text::Formula(at, formula) = std::mem::take(&mut self.text) {
            self.formula(at, formula);
        }
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
                field("includetext", &[r"\srv\a.docx"])
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
    fn links_and_formulas_of_workbooks_are_told() {
        let text = "<s:externalLink><s:ddeLink ddeService='cmd' ddeTopic=\"/c calc\"><s:ddeItems><s:ddeItem name='A1'/><s:ddeItem name='B' advise='1'/></s:ddeItems></s:ddeLink>\
            <c><f>cmd&#124;'/c x'!A0</f></c><f>SUM(A1)</f><Cell ss:Formula=\"=a|'b'!c\"/><attachedTemplate w:val='http://a.example'/>";
        let found = links(text);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(matches!(&found[0], Link::Dde { item, automatic: true, .. } if item == "A1"));
        assert!(matches!(&found[1], Link::Formula(formula) if formula == "cmd|'/c x'!A0"));
    }
}
