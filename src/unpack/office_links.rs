//! What the parts of Office documents in XML name outside: relationships, fields, DDE links. Nothing is opened here,
//! the facts stand on the part.
//!
//! Every XML is looked at, whatever package it came from and whatever its name: a part is found by its content, as
//! its program finds it by content type and relationship.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::formats::fields::Field;
use crate::formats::html;
use crate::formats::office_html::{self, Program};
use crate::formats::office_links::{self, Link, MACROS};
use crate::formats::opc::{self, Relationship, Relationships, TargetMode};
use crate::formats::remote_reference;
use crate::limits::Halt;
use crate::model::{Artifact, Fact, Kind, Role, Trouble};
use crate::text::{self, AnyOf};

use super::{Child, Nest};

/// The kinds of parts; what is not called XML may still be read as such by a program.
pub(super) const KINDS: &[Kind] = &[
    Kind::Xml,
    Kind::Word2003Xml,
    Kind::Excel2003Xml,
    Kind::FlatOdf,
    Kind::Html,
    Kind::Svg,
    Kind::Text,
    Kind::Data,
];

/// Names of elements and attributes, which XML cannot write in another way, one of which each part of interest has.
const WORDS: &[&str] = &[
    "Relationship",
    "nstrText",
    "fldSimple",
    "ddeLink",
    "attachedTemplate",
    "sourceFileName",
    "subDoc",
    "manifestLocation",
    "classid",
    "customUI",
    "hlinkClick",
    "hlinkHover",
    "hlinkMouseOver",
    "webVideoPr",
];

/// What a formula with a remote reference has: the bar, or a reference or code that may be one.
const BARS: &[&str] = &["|", "&#", "_x007c_", "_x007C_"];

/// Elements that hold formulas.
const SHEETS: &[&str] = &[
    "worksheet",
    "workbook",
    "macrosheet",
    "Worksheet",
    "externalLink",
    "calculatedColumnFormula",
    "totalsRowFormula",
];

/// Drawings of sheets, whose shapes may have macros.
const SHAPES: &[&str] = &["wsDr", "FmlaMacro"];

/// Elements of VML that show a picture, and attributes that name one by its place.
const PICTURES: &[&str] = &["imagedata", ":fill", ":stroke"];
const NAMED: &[&str] = &["src", "href"];

/// What the namespaces of a part of an OpenDocument file begin with, unless there is a reference among their characters.
#[rustfmt::skip]
const OPEN_DOCUMENT: &[&str] = &["urn:oasis:names:tc:opendocument", "http://openoffice.org/2000/"];

/// Bytes of a namespace that are looked at for a reference; what is longer may have one.
const NAMESPACE: usize = 1024;

/// Elements by which such a part takes something from outside or starts it, with or without a prefix.
const SOURCES: &[&str] = &[
    ":object",
    "<object",
    "image",
    "plugin",
    "applet",
    "sound",
    "audio",
    ":template",
    "<template",
    "auto-reload",
    "event-listener",
    "DDE(",
    "Dde(",
    "dde(",
    "floating-frame",
    "section-source",
    "table-source",
    "cell-range-source",
    "dde-source",
    "dde-connection-decl",
];

/// Any of these words; a part without them names nothing outside, unless it writes a namespace by references.
static MARKED: LazyLock<AnyOf> =
    LazyLock::new(|| AnyOf::new(&[WORDS, SHEETS, SHAPES, PICTURES, OPEN_DOCUMENT].concat()));

static IN_SHEETS: LazyLock<AnyOf> = LazyLock::new(|| AnyOf::new(SHEETS));
static IN_SOURCES: LazyLock<AnyOf> = LazyLock::new(|| AnyOf::new(SOURCES));

/// No word is the start of another. Only this kind of match looks at many bytes at once.
static WORD_SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let builder = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .build(WORDS);
    builder.ok()
});

/// Relationship types by their last step (ECMA-376 part 1, 11 to 15; [MS-OFFMACRO2] 2), in lower case, with what their
/// target is to the document. Hyperlinks are missing on purpose: somebody has to click them.
const TYPES: &[(&str, Role)] = &[
    ("attachedtemplate", Role::Template),
    ("oleobject", Role::OleObject),
    ("package", Role::OleObject),
    ("control", Role::OleObject),
    ("activexcontrolbinary", Role::OleObject),
    ("frame", Role::Frame),
    ("subdocument", Role::Subdocument),
    ("afchunk", Role::Subdocument),
    // Parts of the document itself: no program writes them as external ones.
    ("customui", Role::Subdocument),
    ("ui/extensibility", Role::Subdocument),
    ("extensibility", Role::Subdocument),
    ("officedocument", Role::Subdocument),
    ("vbaproject", Role::Subdocument),
    ("settings", Role::Subdocument),
    ("websettings", Role::Subdocument),
    ("styles", Role::Subdocument),
    ("header", Role::Subdocument),
    ("footer", Role::Subdocument),
    ("footnotes", Role::Subdocument),
    ("endnotes", Role::Subdocument),
    ("comments", Role::Subdocument),
    ("glossarydocument", Role::Subdocument),
    ("theme", Role::Subdocument),
    ("themeoverride", Role::Subdocument),
    ("numbering", Role::Subdocument),
    ("fonttable", Role::Subdocument),
    ("styleswitheffects", Role::Subdocument),
    ("customxml", Role::Subdocument),
    ("customxmlprops", Role::Subdocument),
    ("sharedstrings", Role::Subdocument),
    ("connections", Role::Subdocument),
    ("table", Role::Subdocument),
    ("querytable", Role::Subdocument),
    ("pivottable", Role::Subdocument),
    ("pivotcachedefinition", Role::Subdocument),
    ("drawing", Role::Subdocument),
    ("vmldrawing", Role::Subdocument),
    ("chart", Role::Subdocument),
    ("chartsheet", Role::Subdocument),
    ("notesslide", Role::Subdocument),
    ("notesmaster", Role::Subdocument),
    ("handoutmaster", Role::Subdocument),
    ("webextension", Role::Subdocument),
    ("webextensiontaskpanes", Role::Subdocument),
    ("worksheet", Role::Subdocument),
    ("xlmacrosheet", Role::Subdocument),
    ("xlintlmacrosheet", Role::Subdocument),
    ("dialogsheet", Role::Subdocument),
    ("externallink", Role::Subdocument),
    ("slide", Role::Subdocument),
    ("slidemaster", Role::Subdocument),
    ("slidelayout", Role::Subdocument),
    ("transform", Role::Subdocument),
    ("externallinkpath", Role::Workbook),
    ("xlpathmissing", Role::Workbook),
    ("xlstartup", Role::Workbook),
    ("xlalternatestartup", Role::Workbook),
    ("xllibrary", Role::Workbook),
    ("externallinklongpath", Role::Workbook),
    // The data of form letters.
    ("mailmergesource", Role::Workbook),
    ("mailmergeheadersource", Role::Workbook),
    ("image", Role::Media),
    ("video", Role::Media),
    ("audio", Role::Media),
    ("media", Role::Media),
    ("movie", Role::Media),
    ("sound", Role::Media),
    ("font", Role::Media),
    ("hdphoto", Role::Media),
    ("model3d", Role::Media),
];

/// The type of ordinary links.
const HYPERLINK: &str = "hyperlink";

/// Schemes of links of every office: nobody has to look at them.
const ORDINARY: &[&str] = &["http", "https", "mailto", "file"];

/// Notes what the part names outside.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = artifact.data.as_ref();
    if artifact.kind == Kind::Html && page(artifact, nest)? {
        return Ok(());
    }
    if is_wide(data) {
        let text = super::office_xml::decoded(data);
        let interest = interest(text.as_bytes());
        if interest != Interest::NONE {
            nest.budget().spend(text.len())?;
            read(artifact, &text, (Place::Copy, interest), nest)?;
        }
        return Ok(());
    }
    if !starts_as_markup(data) {
        return Ok(());
    }
    let interest = interest(data);
    if interest == Interest::NONE {
        return Ok(());
    }
    let text = super::office_xml::decoded(data);
    let place = match &text {
        std::borrow::Cow::Borrowed(text) => Place::Behind(data.len().saturating_sub(text.len())),
        std::borrow::Cow::Owned(_) => Place::Copy,
    };
    read(artifact, &text, (place, interest), nest)
}

/// What pages have that Word and Excel read in a way of their own; the last is a picture, the one before makes Excel
/// read one.
static OFFICE: [&str; 6] = [
    "mso-element",
    "attachedtemplate",
    "subdocument",
    ":fmla",
    "schemas-microsoft-com:office:excel",
    "imagedata",
];
const EXCEL: usize = 4;

static MARKS: LazyLock<AnyOf> = LazyLock::new(|| AnyOf::new(&OFFICE));

static OFFICE_SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let mut builder = AhoCorasick::builder();
    builder.ascii_case_insensitive(true).build(OFFICE).ok()
});

/// Notes what a page names outside that Word or Excel reads as a document; false where it is none of theirs.
fn page(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<bool, Trouble> {
    let name = artifact.name.as_ref();
    let named = name.is_some_and(|name| name.extensions().any(|one| one.starts_with("xl")));
    // Most pages are none of theirs, and this pass is shared and quick.
    let read = html::Page::of(&artifact.data, artifact.sha256);
    if !named && !MARKS.is_in(read.lower().as_bytes()) {
        return Ok(false);
    }
    let text = super::office_xml::decoded(&artifact.data);
    let Some(search) = OFFICE_SEARCH
        .as_ref()
        .filter(|_| text.len() <= html::Page::LONGEST)
    else {
        return Ok(false);
    };
    let mut seen = [false; OFFICE.len()];
    for found in search.find_iter(text.as_bytes()) {
        if let Some(seen) = seen.get_mut(found.pattern().as_usize()) {
            *seen = true;
        }
    }
    let has = |words: &[&str]| {
        let found = |word: &&str| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some();
        words.iter().any(found)
    };
    let [.., excel, picture] = seen;
    let program = match named || excel {
        true => Program::Sheet,
        false => Program::Text,
    };
    let may_hold = seen.iter().take(EXCEL).any(|seen| *seen)
        || program == Program::Sheet && has(BARS)
        || picture && has(&["file:", "\\\\"]);
    if !may_hold {
        return Ok(false);
    }
    nest.budget().spend(text.len())?;
    let links = office_html::read(&text, program, nest.budget())?;
    if links.cut {
        nest.note(too_much());
    }
    for (_, link) in links.list {
        note(link, None, nest);
    }
    Ok(true)
}

/// Whether it is markup in UTF-16, with a mark or without.
fn is_wide(data: &[u8]) -> bool {
    let opens = |byte: u8| byte == b'<' || byte.is_ascii_whitespace();
    match data {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [first, 0, ..] | [0, first, ..] => opens(*first),
        _ => false,
    }
}

/// Whether the first byte behind a mark and blanks opens a tag.
fn starts_as_markup(data: &[u8]) -> bool {
    let data = data.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(data);
    data.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

/// What there may be to find in a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interest {
    relationships: bool,
    links: bool,
}

impl Interest {
    const NONE: Self = Self {
        relationships: false,
        links: false,
    };
}

fn interest(data: &[u8]) -> Interest {
    let mut interest = Interest::NONE;
    let written = || has_written_namespace(data);
    if !MARKED.is_in(data) && !written() {
        return interest;
    }
    let Some(search) = WORD_SEARCH.as_ref() else {
        return Interest {
            relationships: true,
            links: true,
        };
    };
    for found in search.find_iter(data) {
        if found.pattern().as_usize() == 0 {
            interest.relationships = true;
        } else {
            interest.links = true;
        }
        if interest.relationships && interest.links {
            return interest;
        }
    }
    let has = |words: &[&str]| {
        words
            .iter()
            .any(|word| memchr::memmem::find(data, word.as_bytes()).is_some())
    };
    interest.links = interest.links
        || IN_SHEETS.is_in(data) && has(BARS)
        || (has(OPEN_DOCUMENT) || written()) && IN_SOURCES.is_in(data)
        || has(SHAPES)
        || has(PICTURES) && has(NAMED);
    interest
}

/// Whether there is a reference among the characters of a namespace.
fn has_written_namespace(data: &[u8]) -> bool {
    if memchr::memmem::find(data, b"&#").is_none() {
        return false;
    }
    let mut names = memchr::memmem::find_iter(data, b"xmlns");
    names.any(|at| {
        let rest = data.get(at..).unwrap_or_default();
        let window = rest.get(..NAMESPACE).unwrap_or(rest);
        let value = memchr::memchr2(b'"', b'\'', window).and_then(|open| {
            let quote = *window.get(open)?;
            let value = window.get(open.checked_add(1)?..)?;
            value.get(..memchr::memchr(quote, value)?)
        });
        value.is_none_or(|value| value.contains(&b'&'))
    })
}

/// Where the text lies in the artifact.
#[derive(Debug, Clone, Copy)]
enum Place {
    Behind(usize),
    Copy,
}

impl Place {
    fn of(self, at: usize) -> Option<usize> {
        match self {
            Self::Behind(mark) => at.checked_add(mark),
            Self::Copy => None,
        }
    }
}

fn read(
    artifact: &Artifact,
    text: &str,
    (place, interest): (Place, Interest),
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    // Pages are no XML: what a reader of XML makes of one is no fault of it.
    let is_page = artifact.kind == Kind::Html;
    if interest.relationships {
        let relationships = Relationships::read(text.as_bytes(), nest.budget())?;
        for deviation in relationships.deviations.into_iter().filter(|_| !is_page) {
            nest.deviation(
                place.of(deviation.at).unwrap_or_default(),
                text::excerpt(&deviation.what),
            );
        }
        let outside = relationships.list.iter().filter_map(|relationship| {
            let role = role(relationship)?;
            Some((relationship, role))
        });
        let outside: Vec<_> = outside.collect();
        let of_chart = outside.iter().any(|(_, role)| *role == Role::OleObject)
            && is_of_chart(artifact, nest)?;
        for (relationship, role) in outside {
            // The table behind a chart is fetched when somebody edits it.
            let role = match role {
                Role::OleObject if of_chart => Role::Workbook,
                role => role,
            };
            nest.note(Fact::External {
                at: place.of(relationship.at),
                role,
                target: relationship.target.clone(),
            });
        }
    }
    if !interest.links {
        return Ok(());
    }
    let links = office_links::read(text, nest.budget())?;
    if let Some(broken) = links.broken.filter(|_| !is_page) {
        nest.unread(
            place.of(broken.at).unwrap_or_default(),
            text::excerpt(&broken.what),
        );
    }
    if links.cut {
        nest.note(too_much());
    }
    let mut programs: Option<Relationships> = None;
    for (at, link) in links.list {
        if let Link::Page(page) = link {
            let child = Child::new("html-srcdoc", page.into_bytes());
            nest.push(child.of_kind(Kind::Html))?;
            continue;
        }
        let Link::Start(id) = &link else {
            note(link, place.of(at), nest);
            continue;
        };
        if programs.is_none() {
            programs = Some(relationships_of(artifact, nest)?);
        }
        let mut known = programs.iter().flat_map(|all| &all.list);
        let known = known.find(|one| one.id == *id).map(|one| &one.target);
        nest.note(Fact::External {
            at: place.of(at),
            role: Role::Started,
            target: known.unwrap_or(id).clone(),
        });
    }
    Ok(())
}

/// Parts that are looked through at most for one that belongs to another: each part of a package looks for its own.
const PARTS: usize = 4096;

/// The relationships of a part; none where they are not beside it.
fn relationships_of(artifact: &Artifact, nest: &Nest<'_>) -> Result<Relationships, Trouble> {
    let Some(name) = artifact.name.as_ref() else {
        return Ok(Relationships::default());
    };
    let name = opc::part_name(&name.text);
    nest.budget().tick()?;
    let mut beside = nest.beside().take(PARTS);
    let own = beside.find(|(other, _)| source_of(&other.text).is_some_and(|one| one == name));
    Ok(match own {
        Some((_, data)) => Relationships::read(data, nest.budget())?,
        None => Relationships::default(),
    })
}

/// Whether the relationships are those of a chart (ECMA-376 part 1, 14.2.1): by what stands in the part that has them.
fn is_of_chart(artifact: &Artifact, nest: &Nest<'_>) -> Result<bool, Trouble> {
    let source = artifact
        .name
        .as_ref()
        .and_then(|name| source_of(&name.text));
    let Some(source) = source else {
        return Ok(false);
    };
    nest.budget().tick()?;
    let part = nest
        .beside()
        .take(PARTS)
        .find(|(name, _)| opc::part_name(&name.text) == source);
    Ok(part.is_some_and(|(_, data)| is_chart(data)))
}

/// The part whose relationships stand in the part of this name.
fn source_of(name: &str) -> Option<String> {
    let name = opc::part_name(name);
    let (folder, file) = name.rsplit_once("/_rels/")?;
    Some(format!("{folder}/{}", file.strip_suffix(".rels")?))
}

/// Whether the first element of a part is that of a chart.
fn is_chart(data: &[u8]) -> bool {
    const HEAD: usize = 4096;
    let head = String::from_utf8_lossy(data.get(..HEAD).unwrap_or(data));
    let mut rest = head.trim_start_matches('\u{feff}').trim_start();
    if let Some(declaration) = rest.strip_prefix("<?xml") {
        rest = declaration
            .split_once("?>")
            .map_or("", |(_, rest)| rest)
            .trim_start();
    }
    let name = rest.strip_prefix('<').and_then(|tag| {
        tag.split(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
            .next()
    });
    name.is_some_and(|name| name == "chartSpace" || name.ends_with(":chartSpace"))
}

/// The fact that values of nested fields were left out.
pub(super) fn too_much() -> Fact {
    Fact::Limit {
        halt: Halt::Ceiling("values of nested fields"),
        what: String::new(),
    }
}

/// What the target of a relationship is, where it is outside and no link to click.
pub fn role(relationship: &Relationship) -> Option<Role> {
    let kind = relationship.kind_name().trim().to_ascii_lowercase();
    // An address of a host is outside, whatever the mode says.
    let outside = relationship.mode == TargetMode::External || relationship.target.contains("://");
    if !outside || relationship.target.trim().is_empty() {
        return None;
    }
    if kind == HYPERLINK {
        let scheme = relationship.target.trim_start().split_once(':')?.0;
        let ordinary = ORDINARY.iter().any(|one| one.eq_ignore_ascii_case(scheme));
        return (!ordinary).then_some(Role::Link);
    }
    let known = TYPES.iter().find(|(name, _)| *name == kind);
    Some(known.map_or(Role::Other, |(_, role)| *role))
}

fn note(link: Link, at: Option<usize>, nest: &mut Nest<'_>) {
    for fact in facts(link, at) {
        nest.note(fact);
    }
}

/// What a link says.
pub fn facts(link: Link, at: Option<usize>) -> Vec<Fact> {
    match link {
        Link::Field(field) => field_facts(&field, at),
        Link::Dde {
            service,
            topic,
            item,
            automatic,
        } => vec![Fact::Dde {
            at,
            command: line(&[&service, &topic, &item]),
            automatic,
        }],
        // A file of its own.
        Link::Page(_) => Vec::new(),
        Link::Start(target) => vec![Fact::External {
            at,
            role: Role::Started,
            target,
        }],
        Link::Formula(formula) => remote_reference::find(&formula)
            .iter()
            .map(|found| Fact::Dde {
                at,
                command: line(&[&found.service, &found.topic, &found.item]),
                automatic: true,
            })
            .collect(),
        Link::Address {
            element: "ocx",
            target,
        } => vec![Fact::Control {
            class: target.trim().to_ascii_lowercase(),
        }],
        Link::Address { element, target } if MACROS.contains(&element) => {
            let place = place_of_macro(&target);
            // A button of a sheet may well run a macro of a workbook on a server of the office.
            let told = |target: &str| Fact::External {
                at,
                role: match element {
                    "customUI" => Role::Template,
                    _ if target.contains("://") && !is_file(target) => Role::Subdocument,
                    _ => Role::Workbook,
                },
                target: target.to_owned(),
            };
            place.map(told).into_iter().collect()
        }
        Link::Address { element, target } => {
            let role = match element {
                "attachedTemplate" | "template" => Role::Template,
                "sourceFileName" | "floating-frame" => Role::Frame,
                "object" | "object-ole" | "plugin" | "applet" => Role::OleObject,
                "table-source" | "cell-range-source" => Role::Workbook,
                "image"
                | "imagedata"
                | "fill"
                | "stroke"
                | "background-image"
                | "fill-image"
                | "list-level-style-image"
                | "sound"
                | "audio" => Role::Media,
                _ => Role::Subdocument,
            };
            let told = !target.trim().is_empty();
            let fact = Fact::External { at, role, target };
            told.then_some(fact).into_iter().collect()
        }
    }
}

/// Whether an address is that of a file.
fn is_file(target: &str) -> bool {
    let scheme = target.get(.."file:".len());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"))
}

/// The place in the name of a macro, `'http://host/book'!name`, where it is no document of this machine.
fn place_of_macro(name: &str) -> Option<&str> {
    let name =
        name.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '=' | '\'' | '"'));
    let outside = name.contains("://") || name.starts_with("\\\\") || name.starts_with("//");
    let place = name.rsplit_once('!').map_or(name, |(place, _)| place);
    outside.then(|| place.trim_end_matches(['\'', '"']))
}

/// Notes what a Word field asks for.
pub(super) fn note_field(field: &Field, at: Option<usize>, nest: &mut Nest<'_>) {
    for fact in field_facts(field, at) {
        nest.note(fact);
    }
}

/// What a Word field asks for.
fn field_facts(field: &Field, at: Option<usize>) -> Vec<Fact> {
    let arguments = field.arguments.as_slice();
    let (role, targets) = match field.keyword.as_str() {
        "dde" | "ddeauto" => {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            return vec![Fact::Dde {
                at,
                command: line(&arguments),
                automatic: field.keyword == "ddeauto",
            }];
        }
        // The class of the object stands in front (ECMA-376 part 1, 17.16.5.32).
        "link" => (Role::OleObject, arguments.get(1..).unwrap_or_default()),
        "hyperlink" => (Role::Link, arguments.get(..1).unwrap_or(arguments)),
        "includetext" | "include" | "rd" => (Role::Subdocument, arguments),
        _ => (Role::Inclusion, arguments),
    };
    // The first is the file; others may be one where a switch stands in front with a name of its own.
    let named = targets.iter().enumerate().filter(|(place, target)| {
        *place == 0 || target.contains("://") || target.starts_with("\\\\")
    });
    named
        .map(|(_, target)| Fact::External {
            at,
            role,
            target: target.clone(),
        })
        .collect()
}

/// Words in one line.
fn line(words: &[&str]) -> String {
    let words = words
        .iter()
        .map(|word| word.trim())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use super::*;

    fn outside(data: &str) -> Vec<String> {
        let (_, facts) = opened("office_links", data.as_bytes());
        let told = facts.into_iter().filter_map(|fact| match fact {
            Fact::External { role, target, .. } => Some(format!("{role:?} {target}")),
            Fact::Dde { command, .. } => Some(command),
            _ => None,
        });
        told.collect()
    }

    #[test]
    fn pages_are_read_as_word_and_excel_read_them() {
        let page = |head: &str, body: &str| {
            outside(&format!(
                "<html><head>{head}</head><body>{body}</body></html>"
            ))
        };
        let template = |place: &str| {
            format!("<!--[if mso]><xml><w:AttachedTemplate HRef=\"{place}\"/></xml><![endif]-->")
        };
        assert_eq!(page(&template("http://h/a"), ""), ["Template http://h/a"]);
        let cell = "<table><tr><td>=cmd|'/c x'!A0</td></tr></table>";
        let excel = "<meta content='urn:schemas-microsoft-com:office:excel'>";
        assert_eq!(page(excel, cell), ["cmd /c x A0"]);
        assert!(page("", cell).is_empty());
        let picture = |place: &str| format!("<v:imagedata src=\"{place}\"/>");
        assert_eq!(page("", &picture("file://h/a")), ["Media file://h/a"]);
    }

    #[test]
    fn parts_of_opendocument_are_read_however_their_names_are_written() {
        let part = |space: &str, inner: &str| {
            outside(&format!(
                "<o:document xmlns:o=\"{space}\" xmlns=\"{space}\">{inner}</o:document>"
            ))
        };
        let space = "urn:oasis:names:tc:opendocument:xmlns:office:1.0";
        let object = "<object href='http://h/a'/>";
        assert_eq!(part(space, object), ["OleObject http://h/a"]);
        assert_eq!(
            part(&space.replace('n', "&#110;"), object),
            ["OleObject http://h/a"]
        );
        assert_eq!(
            part(
                space,
                "<auto-reload href='http://h/a'/><template href='http://h/b'/><sound href='file://h/c'/>"
            ),
            [
                "Subdocument http://h/a",
                "Template http://h/b",
                "Media file://h/c"
            ]
        );
        assert_eq!(
            part(
                space,
                "<event-listener action='execute' href='file:///c:/a.exe'/>"
            ),
            ["Started file:///c:/a.exe"]
        );
        assert!(part(space, "<event-listener action='next-page'/>").is_empty());
        assert_eq!(
            part(space, "<table-cell formula='of:=DDE(\"a\";\"b\";\"c\")'/>"),
            ["a b c"]
        );
    }

    #[test]
    fn a_macro_of_a_shape_is_told_where_it_stands_in_a_book_elsewhere() {
        let shape =
            |name: &str| outside(&format!("<xdr:wsDr><xdr:sp macro=\"{name}\"/></xdr:wsDr>"));
        assert_eq!(
            shape("'http://h/a.xlsm'!x"),
            ["Subdocument http://h/a.xlsm"]
        );
        assert_eq!(shape("'\\\\h\\a.xlsm'!x"), ["Workbook \\\\h\\a.xlsm"]);
        assert!(shape("[0]!x").is_empty() && shape("'a b.xlsm'!x").is_empty());
    }

    #[test]
    fn a_page_in_the_attribute_of_a_film_is_a_child() {
        let film = "<w:document><wp15:webVideoPr embeddedHtml='&lt;iframe src=\"https://a.example/\">'/></w:document>";
        let (children, _) = opened("office_links", film.as_bytes());
        assert_eq!(children.len(), 1);
        assert_eq!(children[0].kind, Kind::Html);
    }

    #[test]
    fn a_page_that_is_no_xml_is_no_broken_part() {
        let page = "<!DOCTYPE html><html><script>var t = '<Relationship Id=\"', u = /<(\\/?)([^\\s?><!\\/:]*:|)>/; fldSimple = 1 < 2;</script></html>";
        assert!(opened("office_links", page.as_bytes()).1.is_empty());
        let part =
            "<?xml version=\"1.0\"?><w:document><w:fldSimple w:instr=\"DATE\"><!</w:document>";
        assert!(!opened("office_links", part.as_bytes()).1.is_empty());
    }
}
