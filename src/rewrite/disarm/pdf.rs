//! PDF (ISO 32000-2): written anew from its objects without scripts, actions that start or send something, attached files
//! and XFA forms. What nothing leads to any more, older versions of objects and what stands between them do not come along.
//!
//! A file whose tables of references lead to all that is in it is taken as our own reader sees it. Others are left to the
//! crate, which repairs them as many readers do, and which is trusted with nothing: our own reader has inflated every
//! object stream within the budget before, and each object that it found must be there. Either way it must see each page
//! in the result. What is encrypted but opens without a password is written without encryption: everybody reads it, and
//! whoever looks at it next can too; each stream that the crate decrypts must be what our own reader makes of it.

mod own;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use lopdf::{Dictionary, Document, LoadOptions, Object};

use super::asked::{Asked, COMMANDS, Log, MACROS, PACKAGES, PROGRAMS, SHEETS};
use super::{Disarmed, Disarmer, FindingId, Job, Refusal};
use crate::bytes::length;
use crate::formats::pdf;
use crate::limits::{Account, Budget, Fault};
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Disarmer = Disarmer {
    name: "pdf",
    kinds: &[Kind::Pdf],
    findings: &[OWN, FILES, PROGRAMS, COMMANDS, MACROS, SHEETS, PACKAGES],
    run,
};

/// Findings about actions, and about attached files.
const OWN: &[&str] = &[
    "pdf-javascript",
    "pdf-open-action",
    "pdf-launch",
    "external-object-link",
];
const FILES: &[&str] = &["pdf-embedded-file"];

/// Bytes that one stream of objects or references may come to, and all of them.
const STREAM: u64 = 64 << 20;

/// Objects within each other.
const DEEPEST: usize = 100;

fn run(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    let mut document = checked(job.data, budget)?;
    let pages = document.get_pages().len();
    let mut cleaner = Cleaner::of(Asked::of(job));
    let objects = document.objects.iter();
    let named = objects.clone();
    let named = named.filter_map(|(id, object)| Some((*id, object.as_name().ok()?.to_vec())));
    cleaner.names = named.collect();
    cleaner.starters = objects
        .filter(|(_, object)| cleaner.starts(object))
        .map(|(id, _)| *id)
        .collect();
    for (id, object) in &mut document.objects {
        budget.tick().map_err(Refusal::Limit)?;
        cleaner.number = id.0;
        cleaner.object(object, DEEPEST)?;
    }
    if cleaner.log.removed.is_empty() {
        return Ok(Disarmed {
            data: job.data.clone(),
            removed: Vec::new(),
        });
    }
    for id in &cleaner.files {
        document.objects.remove(id);
    }
    document.prune_objects();
    let left = document.get_pages().len();
    if left != pages {
        let what = format!("{pages} pages became {left}");
        return Err(Refusal::Broken(what));
    }
    let out = written::written(&document, job.data.len(), budget)?;
    whole(&document, &out, budget)?;
    Ok(Disarmed {
        data: Bytes::from(out),
        removed: cleaner.log.removed,
    })
}

/// Refuses a result in which our own reader does not see every page that was written. What else is in it, the scan of
/// it tells.
fn whole(document: &Document, out: &[u8], budget: &Budget) -> Result<(), Refusal> {
    let objects = document.objects.iter();
    let pages = objects.filter(|(_, object)| object.type_name().is_ok_and(|name| name == b"Page"));
    let pages: BTreeSet<u32> = pages.map(|(id, _)| id.0).collect();
    let seen = pdf::pages(out, &pages, budget).map_err(Refusal::Limit)?;
    match pages.difference(&seen).next() {
        None => Ok(()),
        Some(number) => {
            let what = format!("the page in object {number} is not in the result");
            Err(Refusal::Broken(what))
        }
    }
}

/// The objects of a file: as our own reader sees them where nothing about them is in doubt, else as the crate reads them.
fn checked(data: &[u8], budget: &Budget) -> Result<Document, Refusal> {
    let mut read = pdf::read(data, budget).map_err(Refusal::Limit)?;
    if read.scheme().is_some() && !read.unlock(b"") {
        return Err(Refusal::Locked);
    }
    let mut account = Account::new(length(data.len()));
    let known = read.faults.len();
    read.open_object_streams(STREAM, budget, &mut account)
        .map_err(Refusal::Limit)?;
    // Who writes it anew would leave it out without a word.
    if let Some((_, what)) = read.faults.get(known) {
        return Err(Refusal::Broken(what.clone()));
    }
    if known == 0
        && let Some(document) = own::document(data, &read, budget, &mut account)?
    {
        return Ok(document);
    }
    bounded(&read, budget, &mut account)?;
    compared(data, &read, budget)
}

/// A file as the crate reads it, object by object beside what our own reader makes of it.
fn compared(data: &[u8], read: &pdf::Document<'_>, budget: &Budget) -> Result<Document, Refusal> {
    let encrypted = read.scheme().is_some();
    let document = load(data)?;
    if document.is_encrypted() {
        return Err(Refusal::Locked);
    }
    if encrypted {
        decrypted_alike(read, &document, budget)?;
    }
    let known: BTreeSet<u32> = document.objects.keys().map(|(number, _)| *number).collect();
    let mut used = None;
    for object in &read.objects {
        budget.tick().map_err(Refusal::Limit)?;
        let structural = matches!(&object.object, pdf::Object::Dict(dict)
            if dict.is("Type", "XRef") || dict.is("Type", "ObjStm")
                || encrypted && dict.is("Filter", "Standard"));
        if structural || known.contains(&object.number) {
            continue;
        }
        if used
            .get_or_insert_with(|| used_in(read))
            .contains(&object.number)
        {
            let what = format!("object {} is read differently", object.number);
            return Err(Refusal::Broken(what));
        }
    }
    Ok(document)
}

/// Refuses what the crate decrypts in another way than our own reader: it goes on after a failure without a word.
fn decrypted_alike(
    read: &pdf::Document<'_>,
    document: &Document,
    budget: &Budget,
) -> Result<(), Refusal> {
    for (id, object) in &document.objects {
        budget.tick().map_err(Refusal::Limit)?;
        let Object::Stream(stream) = object else {
            continue;
        };
        let place = read.find(id.0);
        let own = place.and_then(|place| read.decrypted(place));
        let own = own.unwrap_or_default();
        budget.spend(own.len()).map_err(Refusal::Limit)?;
        if own.trim_ascii_end() != stream.content.trim_ascii_end() {
            let what = format!("object {} is decrypted differently", id.0);
            return Err(Refusal::Broken(what));
        }
    }
    Ok(())
}

/// The numbers of the objects that dictionaries and lists in them name.
fn used_in(document: &pdf::Document<'_>) -> BTreeSet<u32> {
    let values = document
        .dicts()
        .flat_map(|(_, dict)| dict.0.iter().map(|(_, value)| value));
    let mut used = BTreeSet::new();
    for value in values {
        let named = match value {
            pdf::Object::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        used.extend(named.iter().filter_map(|one| match one {
            pdf::Object::Ref(number) => Some(*number),
            _ => None,
        }));
    }
    used
}

fn load(data: &[u8]) -> Result<Document, Refusal> {
    let options = LoadOptions {
        max_decompressed_size: usize::try_from(STREAM).ok(),
        ..LoadOptions::default()
    };
    Document::load_mem_with_options(data, options)
        .map_err(|error| Refusal::Broken(error.to_string()))
}

/// Refuses tables of references that inflate beyond measure.
fn bounded(
    document: &pdf::Document<'_>,
    budget: &Budget,
    account: &mut Account,
) -> Result<(), Refusal> {
    for (place, object) in document.objects.iter().enumerate() {
        budget.tick().map_err(Refusal::Limit)?;
        let pdf::Object::Dict(dict) = &object.object else {
            continue;
        };
        if !dict.is("Type", "XRef") {
            continue;
        }
        let decoded = document.stream(place, STREAM, budget, account);
        match decoded.fault {
            Some(Fault::Halt(halt)) => return Err(Refusal::Limit(halt)),
            Some(Fault::Broken(what)) => return Err(Refusal::Broken(what)),
            None if length(decoded.data.len()) >= STREAM => {
                let what = format!("object {} is too large", object.number);
                return Err(Refusal::Broken(what));
            }
            None => {}
        }
    }
    Ok(())
}

/// What goes, and what went.
struct Cleaner {
    scripts: Option<FindingId>,
    opening: Option<FindingId>,
    launches: Option<FindingId>,
    attached: Option<FindingId>,
    links: Option<FindingId>,
    /// Files that were attached.
    files: BTreeSet<lopdf::ObjectId>,
    /// Actions that run or start something.
    starters: BTreeSet<lopdf::ObjectId>,
    /// Names that are objects of their own.
    names: BTreeMap<lopdf::ObjectId, Vec<u8>>,
    log: Log,
    /// Of the object at hand.
    number: u32,
}

impl Cleaner {
    fn of(asked: Asked<'_>) -> Self {
        Self {
            scripts: asked.one("pdf-javascript"),
            opening: asked.one("pdf-open-action"),
            launches: asked.one("pdf-launch"),
            attached: asked.first(&[FILES, PROGRAMS, COMMANDS, MACROS, SHEETS, PACKAGES]),
            links: asked.one("external-object-link"),
            files: BTreeSet::new(),
            starters: BTreeSet::new(),
            names: BTreeMap::new(),
            log: Log::default(),
            number: 0,
        }
    }

    /// The kind of an action (12.6.2), by its name or by the object that is its name; empty where it has none.
    fn kind<'o>(&'o self, action: &'o Dictionary) -> &'o [u8] {
        match action.get(b"S") {
            Ok(Object::Name(kind)) => kind,
            Ok(Object::Reference(id)) => self.names.get(id).map_or(&[], Vec::as_slice),
            _ => &[],
        }
    }

    /// Whether an object is an action that runs or starts something.
    fn starts(&self, object: &Object) -> bool {
        let action = object.as_dict();
        action.is_ok_and(|action| matches!(self.kind(action), b"JavaScript" | b"Launch"))
    }

    fn told(&mut self, finding: &FindingId, what: &str) {
        let place = format!("object {}: {what}", self.number);
        self.log.add(finding, &place);
    }

    /// Cleans an object and all in it. Recursion ends with the depth.
    fn object(&mut self, object: &mut Object, depth: usize) -> Result<(), Refusal> {
        let Some(depth) = depth.checked_sub(1) else {
            let what = format!("object {} is nested too deep", self.number);
            return Err(Refusal::Broken(what));
        };
        match object {
            Object::Array(items) => {
                for item in items {
                    self.object(item, depth)?;
                }
            }
            Object::Dictionary(dict) => self.dictionary(dict, depth)?,
            Object::Stream(stream) => {
                self.own_data(&mut stream.dict);
                self.dictionary(&mut stream.dict, depth)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Leaves a stream the data that stand in the file (7.3.8.2).
    fn own_data(&mut self, dict: &mut Dictionary) {
        let Some(finding) = self.links.clone() else {
            return;
        };
        for key in ["F", "FFilter", "FDecodeParms"] {
            if dict.remove(key.as_bytes()).is_some() {
                self.told(&finding, key);
            }
        }
    }

    fn dictionary(&mut self, dict: &mut Dictionary, depth: usize) -> Result<(), Refusal> {
        let kind = self.kind(dict);
        let finding = match kind {
            b"JavaScript" => self.scripts.clone(),
            b"Launch" => self.launches.clone(),
            b"SubmitForm" | b"ImportData" => {
                let launches = self.scripts.clone().or(self.launches.clone());
                launches.or(self.links.clone())
            }
            b"GoToR" | b"GoToE" | b"Thread" => self.links.clone(),
            b"URI" if !is_page(dict) => self.links.clone(),
            _ => None,
        };
        if let Some(finding) = finding {
            let what = format!("action {}", String::from_utf8_lossy(kind));
            self.told(&finding, &what);
            *dict = Dictionary::new();
            return Ok(());
        }
        if let Some(finding) = self.scripts.clone() {
            // Keys that hold scripts, those of XFA forms included (12.6.3, 12.6.4.17, 12.7.8).
            for key in ["JS", "JavaScript", "AA", "XFA", "OnInstantiate"] {
                if dict.remove(key.as_bytes()).is_some() {
                    self.told(&finding, key);
                }
            }
        }
        let starts = dict.get(b"OpenAction").is_ok_and(|action| match action {
            Object::Reference(id) => self.starters.contains(id),
            action => self.starts(action),
        });
        let finding = self.opening.clone();
        let finding = finding.or_else(|| self.scripts.clone().filter(|_| starts));
        if let Some(finding) = finding
            && dict.remove(b"OpenAction").is_some()
        {
            self.told(&finding, "OpenAction");
        }
        if let Some(finding) = self.attached.clone() {
            self.detach(dict, &finding);
        }
        for (_, value) in dict.iter_mut() {
            self.object(value, depth)?;
        }
        Ok(())
    }

    /// Takes files off: of file specifications, of names, of portfolios and of rich media (7.11.4, 13.7).
    fn detach(&mut self, dict: &mut Dictionary, finding: &FindingId) {
        if let Some(Object::Dictionary(files)) = dict.get(b"EF").ok().cloned() {
            let named = files
                .iter()
                .filter_map(|(_, file)| file.as_reference().ok());
            self.files.extend(named);
        }
        for key in [
            "EF",
            "EmbeddedFiles",
            "Collection",
            "RichMediaContent",
            "RichMediaSettings",
        ] {
            if dict.remove(key.as_bytes()).is_some() {
                self.told(finding, key);
            }
        }
    }
}

/// Whether a link leads to a page or a letter, as far as its address is written in plain.
fn is_page(link: &Dictionary) -> bool {
    const PAGES: &[&str] = &["http", "https", "mailto"];
    let Ok(Object::String(address, _)) = link.get(b"URI") else {
        return true;
    };
    let address = pdf::text(address);
    let scheme = address.trim_start().split_once(':');
    scheme.is_none_or(|(scheme, _)| PAGES.iter().any(|one| one.eq_ignore_ascii_case(scheme)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::disarm::tests::run_on;

    /// A page and what the catalogue has besides.
    fn file(more: &str) -> Vec<u8> {
        let mut out = b"%PDF-1.4\n".to_vec();
        let catalogue = format!("<</Type/Catalog/Pages 2 0 R{more}>>");
        let objects = [
            catalogue.as_str(),
            "<</Type/Pages/Kids[3 0 R]/Count 1>>",
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
            "<</S/JavaScript/JS(app.alert\\(1\\);)>>",
            "<</S/GoTo/D[3 0 R/Fit]>>",
            "/JavaScript",
        ];
        let mut table = "xref\n0 7\n0000000000 65535 f \n".to_owned();
        for (number, object) in (1..).zip(objects) {
            table.push_str(&format!("{:010} 00000 n \n", out.len()));
            out.extend(format!("{number} 0 obj\n{object}\nendobj\n").bytes());
        }
        let at = out.len();
        out.extend(
            format!("{table}trailer<</Size 7/Root 1 0 R>>\nstartxref\n{at}\n%%EOF\n").bytes(),
        );
        out
    }

    #[test]
    fn an_action_that_opens_goes_with_its_script_wherever_it_stands() {
        for (more, stays) in [
            ("/OpenAction 4 0 R", false),
            ("/OpenAction<</S/JavaScript/JS(x)>>", false),
            ("/OpenAction<</S 6 0 R/JS(alert)>>", false),
            (
                "/OpenAction 5 0 R/Names<</JavaScript<</Names[(a)4 0 R]>>>>",
                true,
            ),
        ] {
            let made = run_on(&ROW, Kind::Pdf, &file(more), &["pdf-javascript"]).unwrap();
            assert!(!made.removed.is_empty(), "{more}");
            let document = Document::load_mem(&made.data).unwrap();
            let catalogue = document.catalog().unwrap();
            assert_eq!(catalogue.has(b"OpenAction"), stays, "{more}");
            assert!(
                memchr::memmem::find(&made.data, b"alert").is_none(),
                "{more}"
            );
        }
    }
}
