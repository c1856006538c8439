//! Macros of OpenDocument files: modules in Basic and in other languages, and listeners that start them (OpenDocument 1.3
//! part 3, 3.12 and 10.3.19; the folders `Basic` and `Scripts` of a package).

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::xml::{self, Element};
use crate::model::{Artifact, Family, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "odf_macro",
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
    sees: Sees::Place,
    findings: &["odf-macro"],
    run,
};

/// What a document tells of its macros.
#[derive(Debug, Default)]
struct Macros {
    /// Names of modules and scripts.
    modules: Vec<String>,
    /// What starts one of them by itself.
    starts: Option<String>,
    /// What one of them calls.
    calls: Option<String>,
    /// A script outside of the document that a listener names.
    foreign: Option<String>,
    /// One that it reaches by leaving the folder of scripts.
    escapes: Option<String>,
}

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    if artifact.kind.family() != Family::Odf {
        return;
    }
    let mut macros = Macros::default();
    if artifact.kind == Kind::FlatOdf {
        macros.read(look, artifact, "content.xml");
    }
    for child in look.children() {
        let name = child.name.as_ref().map(|name| name.text.clone());
        macros.read(look, child, &name.unwrap_or_default());
    }
    if let Some(target) = &macros.escapes {
        findings.report(Found::new("odf-macro", target).variant("autostart-with-call"));
    } else if let Some(target) = &macros.foreign {
        findings.report(Found::new("odf-macro", target));
    }
    let Some(first) = macros.modules.first() else {
        return;
    };
    let count = macros.modules.len();
    let modules = format!("{count} modules, the first: {first}");
    findings.report(match (&macros.starts, &macros.calls) {
        (Some(starts), Some(calls)) => {
            Found::new("odf-macro", &format!("{starts}; {calls}")).variant("autostart-with-call")
        }
        (Some(starts), None) => Found::new("odf-macro", &format!("{modules}; {starts}")),
        (None, Some(calls)) => Found::new("odf-macro", &format!("{modules}; {calls}")),
        (None, None) => Found::new("odf-macro", &modules),
    });
}

impl Macros {
    fn read(&mut self, look: &Look<'_>, part: &Artifact, name: &str) {
        let data = &part.data;
        let lists = &look.knowledge.commands;
        // A document within the document has folders of its own.
        let within = |folder: &str| name.split('/').rev().skip(1).any(|step| step == folder);
        let file = name.rsplit('/').next().unwrap_or_default();
        let basic = within("Basic") && name.ends_with(".xml");
        let script = within("Scripts") && !name.ends_with('/') && !data.is_empty();
        let content = matches!(file, "content.xml" | "styles.xml");
        let mentions = |words: &[&str]| {
            let found = |word: &&str| memchr::memmem::find(data, word.as_bytes()).is_some();
            words.iter().any(found)
        };
        if script {
            self.module(name, &text::to_utf8(data), &lists.odf_calls);
        } else if basic && !name.ends_with("-lc.xml") && !name.ends_with("-lb.xml") {
            let source = text::to_utf8(data);
            for element in xml::elements(&source).filter(|one| one.name == "module") {
                self.module(name, &element.text, &lists.odf_calls);
            }
        } else if content && mentions(&[":event", "<event", "vnd.sun.star.script", "&#"])
            || part.kind == Kind::FlatOdf
        {
            for element in xml::elements(&text::to_utf8(data)) {
                match element.name.as_str() {
                    "event-listener" | "event" => self.listener(&element, &lists.odf_events),
                    // A module within a document of one XML file.
                    "source-code" | "module" if part.kind == Kind::FlatOdf => {
                        self.module("module", &element.text, &lists.odf_calls);
                    }
                    // A link, a shape or a part of a picture that leads to a script.
                    _ if element.attribute("href").is_some() => self.foreign(&element),
                    _ => {}
                }
            }
        }
    }

    /// A module with code in it; the empty ones that every document gets do not count.
    fn module(&mut self, name: &str, source: &str, calls: &[String]) {
        let code: Vec<&str> = source
            .lines()
            .map(str::trim)
            .filter(|line| {
                let head: String = line.chars().take(4).collect::<String>().to_lowercase();
                !line.is_empty() && !line.starts_with(['\'', '#']) && head != "rem "
            })
            .collect();
        let lower: Vec<String> = code.iter().map(|line| line.to_lowercase()).collect();
        let empty = lower
            .iter()
            .all(|line| matches!(line.as_str(), "sub main" | "end sub"));
        if code.is_empty() || empty {
            return;
        }
        self.modules.push(name.to_owned());
        for (line, plain) in code.iter().zip(&lower) {
            let squeezed: String = plain.chars().filter(|c| !c.is_whitespace()).collect();
            if calls.iter().any(|call| squeezed.contains(call.as_str())) {
                self.calls.get_or_insert_with(|| (*line).to_owned());
            }
            let named = [
                "subautoopen",
                "subauto_open",
                "subdocument_open",
                "subworkbook_open",
            ];
            if named.iter().any(|name| squeezed.contains(name)) {
                self.starts.get_or_insert_with(|| (*line).to_owned());
            }
        }
    }

    fn listener(&mut self, element: &Element, events: &[String]) {
        let event = element.attribute("event-name").unwrap_or_default();
        let target = element
            .attribute("href")
            .or_else(|| element.attribute("macro-name"))
            .unwrap_or_default();
        let shown = || format!("{event}: {target}");
        if events.iter().any(|known| known.eq_ignore_ascii_case(event)) {
            self.starts.get_or_insert_with(shown);
        }
        self.named(target, &shown);
    }

    fn foreign(&mut self, element: &Element) {
        let target = element.attribute("href").unwrap_or_default();
        self.named(target, &|| format!("{}: {target}", element.name));
    }

    /// Takes the script of an address.
    fn named(&mut self, target: &str, shown: &dyn Fn() -> String) {
        let lower = target.to_lowercase();
        let Some((path, asked)) = lower
            .strip_prefix("vnd.sun.star.script:")
            .and_then(|script| script.split_once('?'))
        else {
            return;
        };
        // A function of any program file of the installation, which LibreOffice once took.
        if ["../", "..\\", "..%2f", "%2e%2e", "..%5c"]
            .iter()
            .any(|up| path.contains(up))
        {
            self.escapes.get_or_insert_with(shown);
        } else if asked.contains("language=python") && !asked.contains("location=document") {
            self.foreign.get_or_insert_with(shown);
        }
    }
}
