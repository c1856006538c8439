//! What dictionaries of a PDF name: files (ISO 32000-2, 7.11), programs, places on shares, scripts of form data.

use std::collections::BTreeSet;

use crate::formats::pdf::{self, Dict, Document, Object};
use crate::model::{Fact, PdfDeed, Role, Trouble};
use crate::text;

use super::{Opened, kinds};

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
        let files = dict.all("F");
        let mut parts: Vec<String> = files
            .flat_map(|(_, file)| self.file_names(document, Some(file), place))
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
            || kinds(document, dict).any(|kind| TOLD_AS_ACTIONS.contains(&kind))
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
        let Some(Object::Dict(scripts)) = dict
            .get("JavaScript")
            .map(|scripts| document.resolve(scripts).0)
        else {
            return Ok(());
        };
        for key in ["Before", "After", "AfterPermsReady"] {
            if let Some(script) = scripts.get(key) {
                self.push_script(script, place, true, escaped)?;
            }
        }
        let all = scripts.get("Doc").map(|all| document.resolve(all));
        if let Some((Object::Array(pairs), at)) = all
            && at.is_none_or(|at| self.taken.insert(at))
        {
            for script in pairs.iter().skip(1).step_by(2) {
                self.push_script(script, place, true, escaped)?;
            }
        }
        Ok(())
    }
}
