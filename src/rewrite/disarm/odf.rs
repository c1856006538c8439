//! OpenDocument (ODF 1.3 parts 2 and 3) without its active content: libraries of macros and dialogs, scripts, what calls
//! them on events, objects of other programs. The manifest no longer lists what is gone, `mimetype` stands first and
//! unpacked (part 2, 3.3); parts that do not change keep their packed bytes.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::asked::{Asked, COMMANDS, Log, MACROS, OBJECTS, OUTSIDE, PACKAGES, PROGRAMS, SHEETS};
use super::compound::leads_outside;
use super::members::{self, Packed};
use super::ooxml::objects;
use super::outline::{Edits, Node, Outline, Source};
use super::{Disarmed, Disarmer, FindingId, Job, Refusal};
use crate::formats::base64;
use crate::formats::ole::is_compound;
use crate::limits::Budget;
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Disarmer = Disarmer {
    name: "odf",
    kinds: &[
        Kind::Odt,
        Kind::Ott,
        Kind::Ods,
        Kind::Ots,
        Kind::Odp,
        Kind::Odg,
        Kind::Odf,
        Kind::FlatOdf,
    ],
    findings: &[
        OWN, COMMANDS, PACKAGES, PROGRAMS, OBJECTS, MACROS, SHEETS, OUTSIDE,
    ],
    run,
};

const OWN: &[&str] = &["odf-macro"];

/// Folders of a document, or of one in it, that hold macros and what belongs to them, in lower case.
const FOLDERS: &[&str] = &["basic", "scripts", "dialogs"];

/// Elements that hold code or call it (part 3, 3.12, 7.7.9, 7.7.10, 10.3.19).
const CALLS: &[&str] = &[
    "scripts",
    "event-listeners",
    "event-listener",
    "script",
    "execute-macro",
];

/// Elements that stand for objects of other programs (part 3, 10.4.6): the picture of one stands beside it.
const OBJECT_ELEMENTS: &[&str] = &["object-ole", "applet", "plugin", "floating-frame"];

/// Elements of conversations with other programs (part 3, 14.6).
const EXCHANGE: &[&str] = &["dde-links", "dde-connection-decls", "dde-source"];

/// Elements that fetch what they show from elsewhere (part 3, 10.4.6.2, 5.4.2, 9.3.1, 9.3.2): what was fetched last
/// stands in the document.
const SOURCES: &[&str] = &[
    "object",
    "section-source",
    "table-source",
    "cell-range-source",
];

/// Beginnings of addresses that call a macro.
const SCRIPT_ADDRESSES: &[&str] = &["vnd.sun.star.script:", "macro:", "script:", "javascript:"];

fn run(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    super::settled(job, budget, once)
}

/// What has to go.
struct Wanted {
    macros: Option<FindingId>,
    objects: Option<FindingId>,
    exchange: Option<FindingId>,
    links: Option<FindingId>,
}

fn once(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    let asked = Asked::of(job);
    let wanted = Wanted {
        macros: asked.first(&[OWN, COMMANDS]),
        objects: asked.first(&[PACKAGES, PROGRAMS, OBJECTS, MACROS, SHEETS, OUTSIDE]),
        exchange: asked.one("dde-link"),
        links: asked.one("external-object-link"),
    };
    let mut log = Log::default();
    if job.kind == Kind::FlatOdf {
        let edited = edited(job.data, "document", &wanted, &mut log, budget)?;
        return Ok(log.ended(job, || edited.map_or_else(|| job.data.clone(), Bytes::from)));
    }
    let mut document = Document::read(job.data, budget)?;
    document.macros(&wanted, &mut log);
    document.objects(&wanted, &mut log, budget)?;
    document.texts(&wanted, &mut log, budget)?;
    if log.removed.is_empty() {
        return Ok(log.ended(job, || job.data.clone()));
    }
    let data = document.written(budget)?;
    Ok(log.ended(job, || data))
}

/// A document as a package.
struct Document {
    members: Vec<Packed>,
    contents: Vec<Bytes>,
    gone: BTreeSet<usize>,
}

impl Document {
    fn read(data: &Bytes, budget: &Budget) -> Result<Self, Refusal> {
        let mut members = members::read(data, members::Locked::Refused, budget)?;
        let mut account = members::account(data);
        let mut contents = Vec::with_capacity(members.len());
        for member in &mut members {
            contents.push(member.content(budget, &mut account)?);
        }
        let document = Self {
            members,
            contents,
            gone: BTreeSet::new(),
        };
        // Part 2, 3.4.1: what is encrypted is none of what its name says.
        let locked = document
            .named("META-INF/manifest.xml")
            .any(|(_, content)| memchr::memmem::find(content, b"encryption-data").is_some());
        match locked {
            true => Err(Refusal::Locked),
            false => Ok(document),
        }
    }

    fn named<'d>(&'d self, name: &'d str) -> impl Iterator<Item = (usize, &'d Bytes)> {
        let members = self.members.iter().zip(&self.contents).enumerate();
        let named = members.filter(move |(_, (member, _))| member.text == name);
        named.map(|(at, (_, content))| (at, content))
    }

    fn leave_out(&mut self, at: usize, finding: &FindingId, log: &mut Log) {
        if self.gone.insert(at)
            && let Some(member) = self.members.get(at).filter(|member| !member.folder)
        {
            log.add(finding, &member.text);
        }
    }

    /// Leaves out libraries, dialogs and scripts of the document and of those in it.
    fn macros(&mut self, wanted: &Wanted, log: &mut Log) {
        let Some(finding) = &wanted.macros else {
            return;
        };
        for at in 0..self.members.len() {
            let Some(member) = self.members.get(at) else {
                continue;
            };
            let lower = member.text.replace('\\', "/").to_lowercase();
            let (folders, _) = lower.rsplit_once('/').unwrap_or_default();
            let inside = folders.split('/').any(|step| FOLDERS.contains(&step));
            if inside || lower == "meta-inf/macrosignatures.xml" {
                self.leave_out(at, finding, log);
            }
        }
    }

    /// Leaves out objects of other programs, and files that no document has.
    fn objects(&mut self, wanted: &Wanted, log: &mut Log, budget: &Budget) -> Result<(), Refusal> {
        let Some(finding) = &wanted.objects else {
            return Ok(());
        };
        for at in 0..self.members.len() {
            budget.tick().map_err(Refusal::Limit)?;
            let Some(content) = self.contents.get(at) else {
                continue;
            };
            let text = Source::read(content).is_some();
            let program = !text && objects::is_program(content, budget);
            if !self.gone.contains(&at) && (is_compound(content) || program || is_zip(content)) {
                self.leave_out(at, finding, log);
            }
        }
        Ok(())
    }

    /// Edits every text.
    fn texts(&mut self, wanted: &Wanted, log: &mut Log, budget: &Budget) -> Result<(), Refusal> {
        for (at, content) in self.contents.iter().enumerate() {
            budget.tick().map_err(Refusal::Limit)?;
            let Some(member) = self.members.get_mut(at) else {
                continue;
            };
            let is_part = member.text.to_lowercase().ends_with(".xml");
            if self.gone.contains(&at) || !is_part || member.text.starts_with("META-INF/") {
                continue;
            }
            if let Some(edited) = edited(content, &member.text, wanted, log, budget)? {
                member.fill(&edited)?;
            }
        }
        Ok(())
    }

    /// The package without what is gone.
    fn written(mut self, budget: &Budget) -> Result<Bytes, Refusal> {
        // A signature of the document holds no longer.
        let signed: Vec<usize> = self
            .named("META-INF/documentsignatures.xml")
            .map(|(at, _)| at)
            .collect();
        self.gone.extend(signed);
        let names: BTreeSet<String> = self
            .gone
            .iter()
            .filter_map(|at| self.members.get(*at))
            .map(|member| member.text.clone())
            .collect();
        let manifests: Vec<usize> = self
            .named("META-INF/manifest.xml")
            .map(|(at, _)| at)
            .collect();
        for at in manifests {
            let content = self.contents.get(at).cloned().unwrap_or_default();
            if let (Some(edited), Some(member)) = (
                unlisted(&content, &names, budget)?,
                self.members.get_mut(at),
            ) {
                member.fill(&edited)?;
            }
        }
        let mut first = Vec::new();
        let mut rest = Vec::new();
        for (at, (mut member, content)) in self.members.into_iter().zip(self.contents).enumerate() {
            if self.gone.contains(&at) {
                continue;
            }
            if member.text == "mimetype" {
                member.store(&content);
                first.push(member);
            } else {
                rest.push(member);
            }
        }
        first.extend(rest);
        members::write(&first, budget)
    }
}

fn is_zip(content: &[u8]) -> bool {
    content.starts_with(b"PK\x03\x04")
}

/// The manifest without entries of members that are gone, and of folders that had nothing else.
fn unlisted(
    manifest: &Bytes,
    names: &BTreeSet<String>,
    budget: &Budget,
) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(source) = Source::read(manifest) else {
        return Ok(None);
    };
    let outline = Outline::read(&source.text, budget)?;
    let mut edits = Edits::default();
    for (_, node) in outline.named("file-entry") {
        let path = outline.attribute(node, "full-path");
        let path = path.map(|path| path.value.into_owned()).unwrap_or_default();
        let folder = path.ends_with('/') && path.len() > 1;
        let emptied = folder && {
            let lower = path.to_lowercase();
            let of_macros = lower.split('/').any(|step| FOLDERS.contains(&step));
            of_macros && names.iter().any(|name| name.starts_with(&path))
        };
        if names.contains(&path) || emptied {
            edits.delete(node.whole());
        }
    }
    let edited = edits.apply(&source.text)?;
    Ok((edited != source.text).then(|| source.written(edited)))
}

/// A text without what calls macros, and without elements of objects; none where nothing changes.
fn edited(
    content: &Bytes,
    place: &str,
    wanted: &Wanted,
    log: &mut Log,
    budget: &Budget,
) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(source) = Source::read(content) else {
        return Ok(None);
    };
    if wanted.links.is_none() && !names_any(&source.text) {
        return Ok(None);
    }
    let outline = Outline::read(&source.text, budget)?;
    let mut edits = Edits::default();
    for node in &outline.nodes {
        budget.tick().map_err(Refusal::Limit)?;
        let name = outline.local(node);
        let empty = outline.inside(node).trim().is_empty();
        let nothing = empty && matches!(name, "scripts" | "event-listeners");
        let finding = match name {
            name if CALLS.contains(&name) => &wanted.macros,
            // OpenOffice.org 1.
            "event" if outline.prefix(node) == "script:" => &wanted.macros,
            name if OBJECT_ELEMENTS.contains(&name) => &wanted.objects,
            name if EXCHANGE.contains(&name) => &wanted.exchange,
            name if SOURCES.contains(&name) && fetches(&outline, node, leads_outside) => {
                &wanted.links
            }
            "image" if fetches(&outline, node, is_share) => &wanted.links,
            "binary-data" if holds_file(outline.inside(node), budget) => &wanted.objects,
            _ => &None,
        };
        if let Some(finding) = finding
            && !nothing
        {
            edits.delete(node.whole());
            log.add(finding, &format!("{place}: {name}"));
            continue;
        }
        if let Some(finding) = &wanted.macros
            && let Some(address) = outline.attribute(node, "href")
            && calls(&address.value)
        {
            edits.replace(address.inside, "");
            log.add(finding, &format!("{place}: {}", address.value));
        }
    }
    if edits.is_empty() {
        return Ok(None);
    }
    let edited = edits.apply(&source.text)?;
    budget.spend(edited.len()).map_err(Refusal::Limit)?;
    Ok((edited != source.text).then(|| source.written(edited)))
}

/// Whether a text has a word of what goes at all.
fn names_any(text: &str) -> bool {
    [
        "script",
        "macro",
        "event-listener",
        "object-ole",
        "applet",
        "plugin",
        "floating-frame",
        "dde-",
        "binary-data",
    ]
    .iter()
    .any(|word| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some())
}

/// Whether an element names an address of this kind.
fn fetches(outline: &Outline<'_>, node: &Node, kind: impl Fn(&str) -> bool) -> bool {
    let address = outline.attribute(node, "href");
    address.is_some_and(|address| kind(&address.value))
}

/// Whether an address is one of a file server, at which Windows signs in.
fn is_share(address: &str) -> bool {
    let address = address.trim_start().to_ascii_lowercase();
    let server = address.strip_prefix("file:").unwrap_or(&address);
    let behind = server.trim_start_matches(['/', '\\']);
    let slashes = server.len().saturating_sub(behind.len());
    // `file:///c:/a` is a file of this computer, `file:////server/a` is not.
    slashes == 2 || slashes > 3
}

fn calls(address: &str) -> bool {
    let address = address.trim_start().to_ascii_lowercase();
    SCRIPT_ADDRESSES
        .iter()
        .any(|scheme| address.starts_with(scheme))
}

/// Whether base64 in a flat document is no picture.
fn holds_file(text: &str, budget: &Budget) -> bool {
    let content = base64::decode(text.as_bytes()).data;
    is_compound(&content) || is_zip(&content) || objects::is_program(&content, budget)
}

#[cfg(test)]
mod tests {
    use super::super::tests::run_on;
    use super::*;
    use crate::limits::Limits;

    const MANIFEST: &str = "<manifest:manifest><manifest:file-entry manifest:full-path=\"/\"/>\
         <manifest:file-entry manifest:full-path=\"content.xml\"/>\
         <manifest:file-entry manifest:full-path=\"Basic/\"/>\
         <manifest:file-entry manifest:full-path=\"Basic/Standard/Module1.xml\"/></manifest:manifest>";

    fn packed(parts: &[(&str, &str)]) -> Bytes {
        let members: Vec<Packed> = parts
            .iter()
            .map(|(name, text)| Packed::new(name, text.as_bytes()).unwrap())
            .collect();
        members::write(&members, &Budget::new(Limits::default(), None)).unwrap()
    }

    #[test]
    fn macros_and_what_calls_them_go_and_the_manifest_follows() {
        let content = "<office:document-content><office:scripts><office:event-listeners><script:event-listener xlink:href=\"vnd.sun.star.script:a\"/></office:event-listeners></office:scripts><text:p>a<text:a xlink:href=\"macro:x\">b</text:a></text:p></office:document-content>";
        let data = packed(&[
            ("content.xml", content),
            ("mimetype", "application/vnd.oasis.opendocument.text"),
            (
                "Basic/Standard/Module1.xml",
                "<script:module>Shell</script:module>",
            ),
            ("META-INF/manifest.xml", MANIFEST),
        ]);
        let made = run_on(&ROW, Kind::Odt, &data, &["odf-macro"]).unwrap();
        let budget = Budget::new(Limits::default(), None);
        let mut account = members::account(&made.data);
        let members = members::read(&made.data, members::Locked::Refused, &budget)
            .unwrap()
            .into_iter();
        let parts: Vec<(String, String)> = members
            .map(|mut member| {
                let content = member.content(&budget, &mut account).unwrap();
                (
                    member.text.clone(),
                    String::from_utf8(content.to_vec()).unwrap(),
                )
            })
            .collect();
        let wanted = [
            ("mimetype", "application/vnd.oasis.opendocument.text"),
            (
                "content.xml",
                "<office:document-content><text:p>a<text:a xlink:href=\"\">b</text:a></text:p></office:document-content>",
            ),
            (
                "META-INF/manifest.xml",
                "<manifest:manifest><manifest:file-entry manifest:full-path=\"/\"/>\
                 <manifest:file-entry manifest:full-path=\"content.xml\"/></manifest:manifest>",
            ),
        ];
        let wanted: Vec<(String, String)> = wanted
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .to_vec();
        assert_eq!(parts, wanted);
        // The name and the text of the first member stand where a reader of magic numbers looks.
        assert_eq!(made.data.get(30..38), Some(&b"mimetype"[..]));
        assert_eq!(made.data.get(38..49), Some(&b"application"[..]));
    }

    #[test]
    fn a_document_without_macros_stays_and_a_locked_one_is_refused() {
        let data = packed(&[
            ("mimetype", "x"),
            ("content.xml", "<a><office:scripts/></a>"),
        ]);
        let made = run_on(&ROW, Kind::Odt, &data, &["odf-macro"]).unwrap();
        assert_eq!((made.data, made.removed.len()), (data, 0));
        let locked = packed(&[("META-INF/manifest.xml", "<m:encryption-data/>")]);
        let refused = run_on(&ROW, Kind::Odt, &locked, &["odf-macro"]);
        assert_eq!(refused.unwrap_err(), Refusal::Locked);
    }

    #[test]
    fn what_is_fetched_from_elsewhere_goes_and_what_was_fetched_stays() {
        let text =
            |inside: &str| format!("<text:section>{inside}<text:p>a</text:p></text:section>");
        let inside = "<text:section-source xlink:href=\"http://a.example/x.odt\"/><draw:image xlink:href=\"file:////h/s/a.png\"/>";
        let stays = "<draw:object xlink:href=\"./Object 1\"/><draw:image xlink:href=\"Pictures/a.png\"/><draw:image xlink:href=\"http://a.example/a.png\"/>";
        let content = text(&format!("{inside}{stays}"));
        let data = packed(&[("content.xml", &content)]);
        let made = run_on(&ROW, Kind::Odt, &data, &["external-object-link"]).unwrap();
        assert_eq!(made.removed.len(), 2, "{:?}", made.removed);
        let budget = Budget::new(Limits::default(), None);
        let mut members = members::read(&made.data, members::Locked::Refused, &budget).unwrap();
        let mut account = members::account(&made.data);
        let left = members[0].content(&budget, &mut account).unwrap();
        assert_eq!(String::from_utf8_lossy(&left), text(stays));
        assert!(is_share("\\\\h\\s") && is_share("//h/s") && is_share("file://h/s"));
        assert!(!is_share("file:///c:/a.png") && !is_share("http://a.example/"));
    }
}
