//! PDF: scripts, attached files, forms in XML and streams that hold something become children; actions are told.
//!
//! Every dictionary of every object is looked at, whether or not anything leads to it; what leads to it from the
//! catalogue tells what runs on opening.

pub(super) mod form;
mod named;
mod opening;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use image::ImageFormat;

use crate::bytes;
use crate::formats::drawing::page;
use crate::formats::pdf::{self, Dict, Document, Inline, Object, inline_pictures};
use crate::formats::picture::samples;
use crate::identify;
use crate::limits::{Account, Fault, Halt};
use crate::model::{Artifact, Fact, Family, Kind, Name, PdfDeed, Role, Trouble};
use crate::text;

use super::{Child, Nest, Payload, drawn_codes, picture};

/// Bytes of one script.
const SCRIPT: u64 = 16 << 20;

/// Bytes by which a stream is told for what it is.
const HEAD: u64 = 512;

/// Streams whose heads are looked at.
const HEADS: usize = 20_000;

/// Actions of each kind that are told, and links to pages.
const TOLD: usize = 200;

/// Other actions that are told: many links hide none of them.
const ACTIONS: usize = 1 << 16;

/// Actions followed from the catalogue.
const FOLLOWED: usize = 100_000;

/// Pixels of a side of a picture that may show a code.
const LEAST_SIDE: usize = 21;

/// Pixels of a picture that is looked at for codes.
const LARGEST: u64 = 4 << 20;

/// Streams of content that are searched for a drawn code, what each may come to, and how long it is at the least.
const PAGES: usize = 8;
const CONTENT: u64 = 1 << 20;
const LEAST_CONTENT: usize = 300;

/// Keys that lead to what runs, or name it; nothing but a disguise writes them with codes.
const TELLING: &[&str] = &[
    "JS",
    "JavaScript",
    "OpenAction",
    "AA",
    "Launch",
    "EmbeddedFile",
    "EmbeddedFiles",
    "RichMedia",
    "XFA",
    "SubmitForm",
    "Names",
    "URI",
    "GoToE",
    "GoToR",
    "ObjStm",
    "AcroForm",
    "Action",
];

/// What an object is read as.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Meaning {
    Script,
    Form,
    /// A stream of a form.
    Piece,
    /// Scripts of form data, and the list of their names.
    FormData,
    List,
    File,
}

/// What an action does (12.6.2), each once, nothing where it is none. Of a key that stands twice one reader takes the
/// first, another the last.
fn kinds<'d>(document: &'d Document<'_>, dict: &'d Dict) -> Vec<&'d [u8]> {
    /// Bytes of a kind that are looked at: longer than any that there is.
    const LONGEST: usize = 64;
    let mut kinds = Vec::new();
    for kind in dict.few("S") {
        if let Object::Name(kind) = document.resolve(kind).0 {
            kinds.push(kind.text.get(..LONGEST).unwrap_or(&kind.text));
        }
    }
    let mut seen = BTreeSet::new();
    kinds.retain(|kind| seen.insert(*kind));
    kinds
}

/// How a script of a drawing in three dimensions reaches its document; what reaches it does so without a click.
const FROM_DRAWING: &str = "host.app";

/// Whether an address is a page's or a letter's.
fn is_page(target: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| {
        let start = target.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

/// Whether an address is a page, a file, a letter, or a script, which viewers of PDF do not run.
fn is_ordinary(target: &str) -> bool {
    const ORDINARY: &[&str] = &[
        "http",
        "https",
        "file",
        "mailto",
        "javascript",
        "jscript",
        "vbscript",
    ];
    let scheme = target.trim_start().split_once(':');
    scheme.is_none_or(|(scheme, _)| ORDINARY.iter().any(|one| one.eq_ignore_ascii_case(scheme)))
}

struct Opened<'a, 'n, 'b> {
    document: Rc<Document<'a>>,
    nest: &'n mut Nest<'b>,
    account: Account,
    /// Digests of scripts that were pushed.
    scripts: BTreeSet<Vec<u8>>,
    /// Places of streams that were pushed or looked into.
    done: BTreeSet<usize>,
    /// Objects that were taken for what they were read as: any number of others may lead to them.
    taken: BTreeSet<(usize, Meaning)>,
    /// Texts of objects that were shown, for the same reason.
    texts: RefCell<BTreeMap<usize, String>>,
}

/// Pushes what a document holds.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let mut document = pdf::read(data, nest.budget())?;
    if document.is_empty() {
        return Err(Trouble::Broken("no object".to_owned()));
    }
    let mut account = Account::new(bytes::length(data.len()));
    if let Some(scheme) = document.scheme() {
        let opened = document.unlock(b"");
        let by_word = !opened
            && nest
                .unlock(&scheme.0, None, |word| {
                    document.unlock(word.as_bytes()).then_some(())
                })
                .is_some();
        if !by_word {
            nest.note(Fact::PdfEncrypted {
                scheme: scheme.0,
                opened,
            });
        }
        if !opened && !by_word {
            return Ok(());
        }
    }
    document.open_object_streams(u64::MAX, nest.budget(), &mut account)?;
    for (at, what) in &document.faults {
        nest.unread(*at, text::excerpt(what));
    }
    let mut opened = Opened {
        document: Rc::new(document),
        nest,
        account,
        scripts: BTreeSet::new(),
        done: BTreeSet::new(),
        taken: BTreeSet::new(),
        texts: RefCell::default(),
    };
    let escaped = opened.escaped();
    opened.follow(&escaped)?;
    opened.actions(&escaped)?;
    opened.files()?;
    opened.streams()?;
    opened.pictures()?;
    opened.drawings()
}

impl Opened<'_, '_, '_> {
    /// The first telling key or name that is written with codes.
    fn escaped(&self) -> String {
        let telling = |name: &pdf::Name| {
            name.escaped && TELLING.iter().any(|known| known.as_bytes() == name.text)
        };
        let hidden = self.document.dicts().find_map(|(_, dict)| {
            dict.0.iter().find_map(|(key, value)| match value {
                _ if telling(key) => Some(key.text.clone()),
                Object::Name(name) if telling(name) => Some(name.text.clone()),
                _ => None,
            })
        });
        String::from_utf8_lossy(&hidden.unwrap_or_default()).into_owned()
    }

    /// Scripts and actions that run on opening: from the catalogue, from pages, from the tree of names.
    fn follow(&mut self, escaped: &str) -> Result<(), Trouble> {
        let document = Rc::clone(&self.document);
        let mut waiting = self.started(&document)?;
        let mut seen = BTreeSet::new();
        let (mut steps, mut sent) = (0usize, 0usize);
        // Ends because each object is gone into once, and what is in it is finite.
        while let Some((place, object)) = waiting.pop() {
            self.nest.tick()?;
            let (object, at) = document.resolve(object);
            let place = at.unwrap_or(place);
            if !seen.insert(std::ptr::from_ref(object)) {
                continue;
            }
            steps = steps.saturating_add(1);
            if steps > FOLLOWED {
                self.nest
                    .unread(0, "more actions on opening than any document has");
                break;
            }
            match object {
                Object::Array(items) => waiting.extend(items.iter().map(|item| (place, item))),
                // Pages have a turn of their own above.
                Object::Dict(dict) if dict.is("Type", "Page") || dict.is("Type", "Pages") => {}
                Object::Dict(dict) => {
                    for script in dict.few("JS") {
                        self.push_script(script, place, true, escaped)?;
                    }
                    self.tell_sent(&document, dict, place, &mut sent)?;
                    // A page's own actions, an annotation's, a tree of names: never up to its parent.
                    let down = dict.0.iter().filter(|(key, _)| {
                        !matches!(
                            key.text.as_slice(),
                            b"JS" | b"P" | b"Parent" | b"D" | b"Dest" | b"F" | b"Fields"
                        )
                    });
                    waiting.extend(down.map(|(_, value)| (place, value)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Every action of every dictionary, and scripts that nothing on opening leads to.
    fn actions(&mut self, escaped: &str) -> Result<(), Trouble> {
        let document = Rc::clone(&self.document);
        let mut told = (0usize, 0usize, 0usize);
        let mut shares = BTreeSet::new();
        for (place, dict) in document.dicts() {
            self.nest.tick()?;
            if shares.len() < TOLD {
                self.shares(&document, dict, place, &mut shares);
            }
            self.form_data_scripts(&document, dict, place, escaped)?;
            for (key, value) in &dict.0 {
                match key.text.as_slice() {
                    // The second is what a drawing in three dimensions runs as soon as it is shown (13.6.3).
                    b"JS" | b"OnInstantiate" => self.push_script(value, place, false, escaped)?,
                    b"XFA" => self.push_form(value, place, escaped)?,
                    b"FDF" => self.belongs(&document, value, place),
                    _ => {}
                }
            }
            self.elsewhere(&document, dict, place);
            for kind in kinds(&document, dict) {
                self.nest.tick()?;
                self.tell(&document, dict, (place, kind), &mut told);
            }
        }
        Ok(())
    }

    /// What an action names, counting the programs, the links to pages and the others so far.
    fn tell(
        &mut self,
        document: &Document<'_>,
        dict: &Dict,
        (place, kind): (usize, &[u8]),
        (launches, links, others): &mut (usize, usize, usize),
    ) {
        let is_full = match kind {
            b"Launch" => *launches >= TOLD,
            b"URI" => *links >= TOLD && *others >= ACTIONS,
            _ => *others >= ACTIONS,
        };
        if is_full {
            return;
        }
        let at = document.objects.get(place).map_or(0, |object| object.at);
        let file = |key| self.file_name(document, dict.get(key), place);
        let (deed, target) = match kind {
            b"Launch" => (PdfDeed::Launch, self.launched(document, dict, place)),
            b"SubmitForm" | b"ImportData" => (PdfDeed::Submit, file("F")),
            b"URI" => (PdfDeed::Uri, file("URI")),
            b"GoToR" | b"GoToE" | b"Thread" => {
                let named = dict.few("F").into_iter();
                let targets = named.flat_map(|one| self.file_names(document, Some(one), place));
                let targets: Vec<_> = targets.take(ACTIONS.saturating_sub(*others)).collect();
                *others = others.saturating_add(targets.len());
                for target in targets {
                    self.nest.note(Fact::External {
                        at: Some(at),
                        role: Role::Subdocument,
                        target,
                    });
                }
                return;
            }
            _ => return,
        };
        let (told, most) = match deed {
            PdfDeed::Launch => (launches, TOLD),
            PdfDeed::Uri if is_page(&target) => (links, TOLD),
            _ => (others, ACTIONS),
        };
        if *told < most {
            *told = told.saturating_add(1);
            // A click on an address may make a handler of Windows work.
            if deed == PdfDeed::Uri && !is_ordinary(&target) {
                self.nest.note(Fact::External {
                    at: Some(at),
                    role: Role::Link,
                    target: target.clone(),
                });
            }
            self.nest.note(Fact::PdfAction { at, deed, target });
        }
    }

    fn push_script(
        &mut self,
        script: &Object,
        place: usize,
        on_open: bool,
        escaped: &str,
    ) -> Result<(), Trouble> {
        let document = &self.document;
        let (object, at) = document.resolve(script);
        let is_script = matches!(object, Object::Text(_) | Object::Dict(_));
        if !is_script || at.is_some_and(|at| !self.taken.insert((at, Meaning::Script))) {
            return Ok(());
        }
        let place = at.unwrap_or(place);
        let code = match object {
            Object::Text(raw) => document.string(raw, place),
            Object::Dict(_) => {
                self.done.insert(place);
                let decoded = document.stream(place, SCRIPT, self.nest.budget(), &mut self.account);
                if let Some(fault) = decoded.fault {
                    self.settle(fault, "script")?;
                }
                decoded.data
            }
            _ => return Ok(()),
        };
        self.push_code(&code, place, on_open, escaped)
    }

    fn push_code(
        &mut self,
        code: &[u8],
        place: usize,
        on_open: bool,
        escaped: &str,
    ) -> Result<(), Trouble> {
        let code = pdf::text(code);
        let on_open = on_open || code.contains(FROM_DRAWING);
        if code.trim().is_empty() || !self.scripts.insert(code.clone().into_bytes()) {
            return Ok(());
        }
        let range = self
            .document
            .objects
            .get(place)
            .map_or(0, |object| object.at);
        let child = Child::new("pdf-javascript", code.into_bytes())
            .of_kind(Kind::Js)
            .at(range..range)
            .with_fact(Fact::PdfScript {
                on_open,
                hidden: escaped.to_owned(),
            });
        self.nest.push(child)?;
        Ok(())
    }

    /// The form of XML (12.7.8): one stream, or pieces with names between them.
    fn push_form(&mut self, form: &Object, place: usize, escaped: &str) -> Result<(), Trouble> {
        let document = Rc::clone(&self.document);
        let (form, at) = document.resolve(form);
        let is_form = matches!(form, Object::Array(_) | Object::Dict(_));
        if !is_form || at.is_some_and(|at| !self.taken.insert((at, Meaning::Form))) {
            return Ok(());
        }
        let place = at.unwrap_or(place);
        let pieces = match form {
            Object::Array(items) => items.as_slice(),
            Object::Dict(_) => &[Object::Null],
            _ => return Ok(()),
        };
        let mut whole = Vec::new();
        for piece in pieces {
            let at = match (piece, form) {
                (Object::Ref(_), _) => document.resolve(piece).1,
                (Object::Null, Object::Dict(_)) => Some(place),
                _ => None,
            };
            let Some(at) = at.filter(|at| {
                document
                    .objects
                    .get(*at)
                    .is_some_and(|object| object.is_stream())
            }) else {
                continue;
            };
            if !self.taken.insert((at, Meaning::Piece)) {
                continue;
            }
            self.done.insert(at);
            let decoded = document.stream(at, SCRIPT, self.nest.budget(), &mut self.account);
            if let Some(fault) = decoded.fault {
                self.settle(fault, "form")?;
            }
            whole.extend(decoded.data);
        }
        if whole.is_empty() {
            return Ok(());
        }
        let form = form::read(&text::to_utf8(&whole));
        for (code, on_open) in form.scripts {
            self.push_code(code.as_bytes(), place, on_open, escaped)?;
        }
        for (role, target) in form.outside.into_iter().take(TOLD) {
            let at = None;
            self.nest.note(Fact::External { at, role, target });
        }
        let child = Child::new("pdf-xfa", Payload::Paid(whole.into())).of_kind(Kind::Xml);
        self.nest.push(child)?;
        Ok(())
    }

    /// Attached files: those of file specifications with their names, then streams that only say that they are one.
    fn files(&mut self) -> Result<(), Trouble> {
        let document = Rc::clone(&self.document);
        for (place, dict) in document.dicts() {
            self.nest.tick()?;
            let Some(Object::Dict(files)) = dict.get("EF").map(|files| document.resolve(files).0)
            else {
                continue;
            };
            let own = Object::Dict(dict.clone());
            let name = self.file_name(&document, Some(&own), place);
            for (_, file) in &files.0 {
                if let (Object::Dict(_), Some(at)) = document.resolve(file) {
                    self.push_file(at, &name)?;
                }
            }
        }
        for place in 0..document.objects.len() {
            self.nest.tick()?;
            let is_file = match document.objects.get(place).map(|object| &object.object) {
                Some(Object::Dict(dict)) => dict.is("Type", "EmbeddedFile"),
                _ => false,
            };
            // Pieces of a form say the same of themselves.
            if is_file && !self.taken.contains(&(place, Meaning::Piece)) {
                self.push_file(place, "")?;
            }
        }
        Ok(())
    }

    fn push_file(&mut self, place: usize, name: &str) -> Result<(), Trouble> {
        let is_stream = self
            .document
            .objects
            .get(place)
            .is_some_and(|object| object.is_stream());
        if !is_stream || !self.taken.insert((place, Meaning::File)) {
            return Ok(());
        }
        self.done.insert(place);
        let decoded = self
            .document
            .stream(place, u64::MAX, self.nest.budget(), &mut self.account);
        let mut child = Child::new("pdf-embedded-file", Payload::Paid(decoded.data.into()));
        if !name.is_empty() {
            child = child.named(Name::of(name));
        }
        self.nest
            .push_decoded(child, decoded.fault, "embedded file")?;
        Ok(())
    }

    /// Streams that are neither drawn nor named, where they hold a program, an archive, a document or a script.
    fn streams(&mut self) -> Result<(), Trouble> {
        let drawn = self.document.drawn();
        let mut looked = 0usize;
        for place in 0..self.document.objects.len() {
            self.nest.tick()?;
            let Some(object) = self
                .document
                .objects
                .get(place)
                .filter(|object| object.is_stream())
            else {
                continue;
            };
            let Object::Dict(dict) = &object.object else {
                continue;
            };
            let known = ["XRef", "ObjStm", "Metadata", "EmbeddedFile"]
                .iter()
                .any(|kind| dict.is("Type", kind));
            let shown = ["Image", "Form"]
                .iter()
                .any(|kind| dict.is("Subtype", kind));
            if known || shown || drawn.contains(&place) || self.done.contains(&place) {
                continue;
            }
            looked = looked.saturating_add(1);
            if looked > HEADS {
                self.nest
                    .unread(object.at, "more streams than are looked into");
                break;
            }
            let head = self
                .document
                .stream(place, HEAD, self.nest.budget(), &mut self.account);
            if let Some(Fault::Halt(halt)) = head.fault {
                return Err(halt.into());
            }
            let kind = identify::identify(&head.data, self.nest.budget()).kind;
            let telling = matches!(
                kind.family(),
                Family::Executable
                    | Family::Archive
                    | Family::Ole
                    | Family::Ooxml
                    | Family::Installer
                    | Family::Shortcut
            ) || matches!(kind, Kind::Swf | Kind::Pdf | Kind::Hta | Kind::Wsf);
            if !telling {
                continue;
            }
            let decoded =
                self.document
                    .stream(place, u64::MAX, self.nest.budget(), &mut self.account);
            let child = Child::new("pdf-stream", Payload::Paid(decoded.data.into()));
            self.nest.push_decoded(child, decoded.fault, "stream")?;
        }
        Ok(())
    }

    /// Codes in pictures (8.9.5). JPEG is handed to its decoder, samples are looked at as they are; fax and JBIG2 are left.
    fn pictures(&mut self) -> Result<(), Trouble> {
        let document = Rc::clone(&self.document);
        let number = |dict: &Dict, keys: [&str; 2]| {
            let value = keys.iter().find_map(|key| dict.get(key))?;
            let number = document.resolve(value).0.number()?;
            usize::try_from(number).ok()
        };
        for (place, object) in document.objects.iter().enumerate() {
            self.nest.tick()?;
            let Object::Dict(dict) = &object.object else {
                continue;
            };
            if !object.is_stream() || !dict.is("Subtype", "Image") {
                continue;
            }
            let width = number(dict, ["Width", "W"]).unwrap_or(0);
            let height = number(dict, ["Height", "H"]).unwrap_or(0);
            let bits = number(dict, ["BitsPerComponent", "BPC"]).unwrap_or(1);
            let pixels = width.saturating_mul(height);
            let small = width < LEAST_SIDE || height < LEAST_SIDE;
            // Noise over a large picture is that of a camera.
            let noisy = pixels > 1 << 20 && document.range(place).len() > pixels / 2;
            let pixels = bytes::length(pixels);
            if small || noisy || pixels > LARGEST || !self.nest.budget().may_look(pixels) {
                continue;
            }
            // Four samples of a pixel at the most, and what a compressed picture may be longer.
            let most = pixels.saturating_mul(4).saturating_add(1 << 16);
            let decoded = document.stream(place, most, self.nest.budget(), &mut self.account);
            if let Some(Fault::Halt(halt @ (Halt::OutOfTime | Halt::Unpacked))) = decoded.fault {
                return Err(halt.into());
            }
            let data = decoded.data;
            if data.starts_with(b"\xff\xd8") {
                picture::encoded(&data, ImageFormat::Jpeg, self.nest)?;
            } else if let Some(gray) = samples(&data, width, height, bits) {
                picture::push(&gray, self.nest)?;
            }
        }
        Ok(())
    }

    /// Codes that the content of pages draws; a lure has a page or two, so only the first are looked at.
    fn drawings(&mut self) -> Result<(), Trouble> {
        let document = Rc::clone(&self.document);
        let drawn = document.drawn();
        let content = document
            .objects
            .iter()
            .enumerate()
            .filter(|(place, object)| {
                let Object::Dict(dict) = &object.object else {
                    return false;
                };
                let form = dict.is("Subtype", "Form");
                object.is_stream()
                    && !dict.is("Subtype", "Image")
                    && (form || drawn.contains(place))
            });
        for (place, _) in content.take(PAGES) {
            self.nest.budget().check_time()?;
            if document.range(place).len() < LEAST_CONTENT {
                continue;
            }
            let decoded = document.stream(place, CONTENT, self.nest.budget(), &mut self.account);
            if let Some(Fault::Halt(halt @ (Halt::OutOfTime | Halt::Unpacked))) = decoded.fault {
                return Err(halt.into());
            }
            drawn_codes::push(&page::drawing(&decoded.data), self.nest)?;
            let budget = self.nest.budget();
            let pictures = inline_pictures(&document, &decoded.data, budget, &mut self.account);
            for picture in pictures {
                self.inline(&picture)?;
            }
        }
        Ok(())
    }

    /// A code in a picture within the content of a page.
    fn inline(&mut self, picture: &Inline) -> Result<(), Trouble> {
        let Inline {
            width,
            height,
            bits,
            data,
        } = picture;
        let pixels = bytes::length(width.saturating_mul(*height));
        let small = *width < LEAST_SIDE || *height < LEAST_SIDE;
        if small || pixels > LARGEST || !self.nest.budget().may_look(pixels) {
            return Ok(());
        }
        if data.starts_with(b"\xff\xd8") {
            return picture::encoded(data, ImageFormat::Jpeg, self.nest);
        }
        match samples(data, *width, *height, *bits) {
            Some(gray) => picture::push(&gray, self.nest),
            None => Ok(()),
        }
    }

    fn settle(&mut self, fault: Fault, place: &str) -> Result<(), Trouble> {
        match fault {
            Fault::Halt(halt) => Err(halt.into()),
            broken => {
                self.nest.note(Trouble::from(broken).into_fact(place));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use super::*;

    #[test]
    fn what_is_sent_or_fetched_on_opening_is_noted_and_a_link_is_not() {
        let noted = |key: &str, action: &str| {
            let data = format!(
                "%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R/{key} 3 0 R>>\nendobj\n\
                 2 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n3 0 obj\n<<{action}>>\nendobj\n\
                 trailer\n<</Root 1 0 R>>\n%%EOF\n"
            );
            let (_, facts) = opened("pdf", data.as_bytes());
            let roles = facts.into_iter().filter_map(|fact| match fact {
                Fact::External { role, target, .. } => Some((role, target)),
                _ => None,
            });
            roles.collect::<Vec<_>>()
        };
        let form = "/S/SubmitForm/F<</FS/URL/F(http://example.invalid/c)>>";
        let page = "http://example.invalid/c".to_owned();
        assert_eq!(noted("OpenAction", form), [(Role::Subdocument, page)]);
        assert!(noted("Button", form).is_empty());
        let share = "/S/URI/URI(file://192.0.2.4/s/a)";
        let place = "file://192.0.2.4/s/a".to_owned();
        assert_eq!(noted("OpenAction", share), [(Role::Media, place.clone())]);
        assert_eq!(
            noted("OpenAction", "/S/ImportData/F(file://192.0.2.4/s/a)"),
            [(Role::Subdocument, place)]
        );
        assert!(noted("Link", share).is_empty());
        let page = "http://example.invalid/c".to_owned();
        let shown = "/AA<</PV<</S/SubmitForm/F<</FS/URL/F(http://example.invalid/c)>>>>>>";
        assert_eq!(noted("Screen", shown), [(Role::Subdocument, page)]);
        assert!(noted("Button", &shown.replace("PV", "U")).is_empty());
        let page = "http://example.invalid/c".to_owned();
        let untyped = shown.replace("PV", "O");
        assert_eq!(noted("Untyped", &untyped), [(Role::Subdocument, page)]);
    }

    #[test]
    fn what_many_actions_share_is_read_once() {
        let text = format!("({})", "http://a.example/b".repeat(20_000));
        let array = format!("[{}]", "(a) 9 0 R ".repeat(20_000));
        let long = |key: usize| format!("/K{key} 9 0 R ");
        let dict = format!("<<{}>>", (0..20_000).map(long).collect::<String>());
        let stream = format!("<</Length {}>>\nstream\n{text}\nendstream", text.len());
        let started = std::time::Instant::now();
        for shared in [text, array, dict, stream] {
            for action in [
                "<</S/URI/URI 1 0 R>>",
                "<</S/Launch/F 1 0 R/Win 1 0 R>>",
                "<</S/JavaScript/JS 1 0 R>>",
                "<</XFA 1 0 R>>",
                "<</JavaScript<</Before 1 0 R/Doc 1 0 R>>>>",
                "<</Type/Catalog/OpenAction 1 0 R/Names 1 0 R>>",
            ] {
                let one = |number: usize| format!("{} 0 obj\n{action}\nendobj\n", number + 10);
                let actions: String = (0..10_000).map(one).collect();
                let data = format!("%PDF-1.7\n1 0 obj\n{shared}\nendobj\n{actions}%%EOF\n");
                let (children, _) = opened("pdf", data.as_bytes());
                assert!(children.len() < 3, "{action}: {}", children.len());
            }
        }
        // Ten thousand times as long would be some hours.
        assert!(started.elapsed() < std::time::Duration::from_secs(120));
    }

    #[test]
    fn actions_and_names_are_told_wherever_they_stand() {
        let facts = |objects: &str| {
            let data = format!("%PDF-1.7\n{objects}\ntrailer\n<</Root 1 0 R>>\n%%EOF\n");
            opened("pdf", data.as_bytes()).1
        };
        let launched = |objects: &str| {
            facts(objects).into_iter().find_map(|fact| match fact {
                Fact::PdfAction {
                    deed: PdfDeed::Launch,
                    target,
                    ..
                } => Some(target),
                _ => None,
            })
        };
        let by_reference = "1 0 obj\n<</S 2 0 R/F(a.exe)>>\nendobj\n2 0 obj\n/Launch\nendobj";
        assert_eq!(launched(by_reference).as_deref(), Some("a.exe"));
        let two = "1 0 obj\n<</S/Launch/F<</UF(a.pdf)/F(b.exe)>>>>\nendobj";
        assert_eq!(launched(two).as_deref(), Some("a.pdf b.exe"));
        let shares = |objects: &str| {
            let all = facts(objects).into_iter();
            all.filter(|fact| matches!(fact, Fact::External { .. }))
                .count()
        };
        let film = "1 0 obj\n<</Type/Annot/Movie<</F(//192.0.2.4/s/a)>>>>\nendobj";
        assert_eq!(shares(film), 1);
        assert_eq!(shares(&film.replace("//192.0.2.4/s/a", "a.avi")), 0);
        let attached = "1 0 obj\n<</F(//192.0.2.4/s/a)/EF<<>>>>\nendobj";
        assert_eq!(shares(attached), 0);
        let twice = "1 0 obj\n<</S/Launch/S/GoTo/F(b.exe)/F(a.pdf)>>\nendobj";
        assert_eq!(launched(twice).as_deref(), Some("b.exe a.pdf"));
        let elsewhere = "1 0 obj\n<</F<</FS/URL/F(http://example.invalid/a)>>/Length 0>>\nstream\n\nendstream\nendobj";
        assert_eq!(shares(elsewhere), 1);
        assert_eq!(shares(&elsewhere.replace("http:", "a")), 0);
        let click = "1 0 obj\n<</S/URI/URI(search-ms:query=a)>>\nendobj";
        assert_eq!(shares(click), 1);
        assert_eq!(shares(&click.replace("search-ms:", "https:")), 0);
        let links = (2..302).map(|number| {
            format!("{number} 0 obj\n<</S/URI/URI(https://example.invalid/{number})>>\nendobj\n")
        });
        let last = click.replace("1 0 obj", "900 0 obj");
        assert_eq!(shares(&format!("{}{last}", links.collect::<String>())), 1);
        let thread = "1 0 obj\n<</S/Thread/F(http://example.invalid/a.pdf)>>\nendobj";
        assert_eq!(shares(thread), 1);
    }
}
