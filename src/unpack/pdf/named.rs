//! What dictionaries of a PDF name: files (ISO 32000-2, 7.11), programs, places on shares, scripts of form data.

use std::collections::BTreeSet;

use crate::formats::pdf::{self, Dict, Document, Object};
use crate::model::{Fact, PdfDeed, Role, Trouble};
use crate::text;

use super::{Meaning, Opened, kinds};

/// Keys of the names in a file specification (7.11.3), the one that counts today first.
const NAMES: [&str; 5] = ["UF", "F", "DOS", "Unix", "Mac"];

/// Whether a file lies on the web.
fn is_page(target: &str) -> bool {
    const WEB: &[&str] = &["http", "https", "ftp"];
    let scheme = target.trim_start().split_once(':');
    scheme.is_some_and(|(scheme, _)| WEB.iter().any(|one| one.eq_ignore_ascii_case(scheme)))
}

impl Opened<'_, '_, '_> {
    /// What a launch action starts: the file, and what Windows is told in its own dictionary (12.6.4.6).
    pub(super) fn launched(&self, document: &Document<'_>, dict: &Dict, place: usize) -> String {
        let files = dict.few("F").into_iter();
        let mut parts: Vec<String> = files
            .flat_map(|file| self.file_names(document, Some(file), place))
            .collect();
        if let Some(Object::Dict(windows)) =
            dict.get("Win").map(|windows| document.resolve(windows).0)
        {
            parts.extend(self.file_names(document, windows.get("F"), place));
            parts.push(self.shown(document, windows.get("P"), place));
        }
        parts.retain(|part| !part.is_empty());
        parts.dedup();
        parts.join(" ")
    }

    /// A string as text.
    pub(super) fn shown(
        &self,
        document: &Document<'_>,
        object: Option<&Object>,
        place: usize,
    ) -> String {
        match object.map(|object| document.resolve(object)) {
            Some((Object::Text(raw), at)) => self.excerpt(document, raw, at, place),
            _ => String::new(),
        }
    }

    /// The beginning of a text; that of an object of its own is decoded once.
    fn excerpt(
        &self,
        document: &Document<'_>,
        raw: &[u8],
        at: Option<usize>,
        place: usize,
    ) -> String {
        let decoded = |place| text::excerpt(&pdf::text(&document.string(raw, place)));
        let Some(at) = at else {
            return decoded(place);
        };
        let mut texts = self.texts.borrow_mut();
        texts.entry(at).or_insert_with(|| decoded(at)).clone()
    }

    /// The first name in a file specification.
    pub(super) fn file_name(
        &self,
        document: &Document<'_>,
        object: Option<&Object>,
        place: usize,
    ) -> String {
        let names = self.file_names(document, object, place);
        names.into_iter().next().unwrap_or_default()
    }

    /// The names in a file specification (7.11): one for each of the readers of old and new.
    pub(super) fn file_names(
        &self,
        document: &Document<'_>,
        object: Option<&Object>,
        place: usize,
    ) -> Vec<String> {
        let Some((object, at)) = object.map(|object| document.resolve(object)) else {
            return Vec::new();
        };
        let within = at.unwrap_or(place);
        let mut names: Vec<String> = match object {
            Object::Text(raw) => vec![self.excerpt(document, raw, at, place)],
            Object::Dict(dict) => NAMES
                .iter()
                .map(|key| self.shown(document, dict.get(key), within))
                .collect(),
            _ => Vec::new(),
        };
        let mut seen = BTreeSet::new();
        names.retain(|name| !name.is_empty() && seen.insert(name.clone()));
        names
    }

    /// Files on shares, whatever they are to the document: films, sounds, drawings, data of streams. What is attached
    /// tells only where it came from.
    pub(super) fn shares(
        &mut self,
        document: &Document<'_>,
        dict: &Dict,
        place: usize,
        told: &mut BTreeSet<String>,
    ) {
        // Of actions that lead elsewhere it is told what they do.
        const TOLD_AS_ACTIONS: &[&[u8]] = &[
            b"GoToE",
            b"GoToR",
            b"ImportData",
            b"Launch",
            b"SubmitForm",
            b"Thread",
        ];
        if dict.get("EF").is_some()
            || kinds(document, dict)
                .iter()
                .any(|kind| TOLD_AS_ACTIONS.contains(kind))
        {
            return;
        }
        for key in NAMES {
            let target = self.shown(document, dict.get(key), place);
            let share = ["\\\\", "//", "file:", "smb:"].iter().any(|start| {
                let head = target.get(..start.len());
                head.is_some_and(|head| head.eq_ignore_ascii_case(start))
            });
            if share && told.insert(target.clone()) {
                let at = document.objects.get(place).map(|object| object.at);
                let role = Role::Media;
                self.nest.note(Fact::External { at, role, target });
            }
        }
    }

    /// The data of a stream that are taken from the web (7.3.8.2); those on shares are told with the others.
    pub(super) fn elsewhere(&mut self, document: &Document<'_>, dict: &Dict, place: usize) {
        let Some(object) = document.objects.get(place).filter(|one| one.is_stream()) else {
            return;
        };
        let own = matches!(&object.object, Object::Dict(own) if std::ptr::eq(own, dict));
        let Some(file) = dict.get("F").filter(|_| own) else {
            return;
        };
        let target = self.file_name(document, Some(file), place);
        if is_page(&target) {
            let (at, role) = (Some(object.at), Role::Subdocument);
            self.nest.note(Fact::External { at, role, target });
        }
    }

    /// The document on the web to which form data belong (12.7.8.3.2).
    pub(super) fn belongs(&mut self, document: &Document<'_>, data: &Object, place: usize) {
        let (Object::Dict(data), at) = document.resolve(data) else {
            return;
        };
        let place = at.unwrap_or(place);
        let target = self.file_name(document, data.get("F"), place);
        if is_page(&target) {
            let at = document.objects.get(place).map_or(0, |object| object.at);
            let deed = PdfDeed::Belongs;
            self.nest.note(Fact::PdfAction { at, deed, target });
        }
    }

    /// Scripts that form data bring along (12.7.8.3): they run as soon as it is taken in.
    pub(super) fn form_data_scripts(
        &mut self,
        document: &Document<'_>,
        dict: &Dict,
        place: usize,
        escaped: &str,
    ) -> Result<(), Trouble> {
        let scripts = dict
            .get("JavaScript")
            .map(|scripts| document.resolve(scripts));
        let Some((Object::Dict(scripts), at)) = scripts else {
            return Ok(());
        };
        if at.is_some_and(|at| !self.taken.insert((at, Meaning::FormData))) {
            return Ok(());
        }
        let place = at.unwrap_or(place);
        for key in ["Before", "After", "AfterPermsReady"] {
            if let Some(script) = scripts.get(key) {
                self.push_script(script, place, true, escaped)?;
            }
        }
        let all = scripts.get("Doc").map(|all| document.resolve(all));
        if let Some((Object::Array(pairs), at)) = all
            && at.is_none_or(|at| self.taken.insert((at, Meaning::List)))
        {
            for script in pairs.iter().skip(1).step_by(2) {
                self.push_script(script, place, true, escaped)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Fact, PdfDeed};
    use crate::unpack::tests::opened;

    #[test]
    fn a_piece_of_a_form_is_no_attachment_unless_something_attaches_it() {
        let attached = |more: &str| {
            let piece = "<</Type/EmbeddedFile/Length 4>>\nstream\n<a/>\nendstream";
            let data = format!(
                "%PDF-1.7\n1 0 obj\n<</XFA[(a)6 0 R]>>\nendobj\n{more}6 0 obj\n{piece}\nendobj\n%%EOF\n"
            );
            let children = opened("pdf", data.as_bytes()).0;
            let files = children.iter();
            files
                .filter(|child| child.via == Some("pdf-embedded-file"))
                .count()
        };
        assert_eq!(attached(""), 0);
        assert_eq!(
            attached("2 0 obj\n<</EF<</F 6 0 R>>/F(a.xml)>>\nendobj\n"),
            1
        );
    }

    #[test]
    fn keys_that_stand_very_often_are_read_at_their_ends() {
        let facts = |pairs: &str| {
            let data = format!(
                "%PDF-1.7\n1 0 obj\n<</Type/Catalog/OpenAction 5 0 R>>\nendobj\n\
                 5 0 obj\n<<{pairs}>>\nendobj\ntrailer\n<</Root 1 0 R>>\n%%EOF\n"
            );
            opened("pdf", data.as_bytes()).1
        };
        let started = std::time::Instant::now();
        for (kind, file) in [
            ("/S/Launch", "/F(a)"),
            ("/S/GoToR", "/F(a)"),
            ("/S/URI", "/URI(http://example.invalid/)"),
        ] {
            let often = format!("{}{}", kind.repeat(20_000), file.repeat(20_000));
            let facts = facts(&often);
            assert!(!facts.is_empty() && facts.len() < 40, "{}", facts.len());
        }
        // Twenty thousand times as long would be some hours.
        assert!(started.elapsed() < std::time::Duration::from_secs(60));
        let launched = |pairs: &str| {
            facts(pairs).into_iter().find_map(|fact| match fact {
                Fact::PdfAction {
                    deed: PdfDeed::Launch,
                    target,
                    ..
                } => Some(target),
                _ => None,
            })
        };
        let (kinds, files) = ("/S/A".repeat(20_000), "/F(a)".repeat(20_000));
        let last = format!("{kinds}/S/Launch{files}/F(b)");
        assert_eq!(launched(&last).as_deref(), Some("a b"));
        let first = format!("/S/Launch{kinds}/F(b){files}");
        assert_eq!(launched(&first).as_deref(), Some("b a"));
    }

    #[test]
    fn an_object_that_is_read_as_two_things_is_told_as_both() {
        let script = "app.alert(1)";
        let stream = format!("<</Length 12>>\nstream\n{script}\nendstream");
        let list = "[(a)(app.alert\\(1\\))]".to_owned();
        for (held, one, other) in [
            (&stream, "<</XFA 6 0 R>>", "<</S/JavaScript/JS 6 0 R>>"),
            (&list, "<</S/X/JS 6 0 R>>", "<</JavaScript<</Doc 6 0 R>>>>"),
        ] {
            for (first, second) in [(one, other), (other, one)] {
                let data = format!(
                    "%PDF-1.7\n4 0 obj\n{first}\nendobj\n5 0 obj\n{second}\nendobj\n\
                     6 0 obj\n{held}\nendobj\n%%EOF\n"
                );
                let (children, _) = opened("pdf", data.as_bytes());
                let told = children.iter().any(|child| {
                    let is_script = |fact: &Fact| matches!(fact, Fact::PdfScript { .. });
                    child.facts.iter().any(is_script)
                });
                assert!(told, "{first} {second}");
            }
        }
    }
}
