//! What a PDF does on opening, and what else happens without a click (ISO 32000-2, 12.6.3).

use crate::formats::pdf::{Dict, Document, Object};
use crate::model::{Fact, PdfDeed, Role, Trouble};
use crate::text;

use super::{ACTIONS, Opened, kinds};

/// When the actions of a dictionary that is neither a catalogue nor a page by its type run by themselves (12.6.3): a page
/// opens, it or an annotation on it is seen, the document is closed, saved or printed.
const BY_ITSELF: &[&str] = &["O", "PO", "PV", "WC", "WS", "DS", "WP", "DP"];

impl Opened<'_, '_, '_> {
    /// Actions and scripts that run by themselves, each with the place of what names it; that of the document is told.
    pub(super) fn started<'d>(
        &mut self,
        document: &'d Document<'_>,
    ) -> Result<Vec<(usize, &'d Object)>, Trouble> {
        let mut started = Vec::new();
        let mut told = 0usize;
        let pairs = document
            .dicts()
            .flat_map(|(place, dict)| dict.0.iter().map(move |pair| (place, dict, pair)));
        for (place, dict, (key, value)) in pairs {
            self.nest.tick()?;
            let resolved = || document.resolve(value).0;
            match key.text.as_slice() {
                b"OpenAction" => {
                    if told < ACTIONS {
                        told = told.saturating_add(1);
                        self.tell_opening(document, place, value);
                    }
                    // A destination is an array that leads to a page (12.3.2); its fields do not run on opening.
                    let action = Some(value).filter(|_| !matches!(resolved(), Object::Array(_)));
                    started.extend(action.map(|action| (place, action)));
                }
                b"AA" => {
                    let actions = run_by_themselves(document, dict, value).into_iter();
                    started.extend(actions.map(|action| (place, action)));
                }
                b"Names" => {
                    let scripts = scripts(resolved()).into_iter();
                    started.extend(scripts.map(|script| (place, script)));
                }
                _ => {}
            }
        }
        Ok(started)
    }

    /// What an action on opening sends or fetches without a click: a form (12.7.5.2), data for one (12.7.5.4), an
    /// address; `sent` counts them. An address of the web that is only shown is no more than a link.
    pub(super) fn tell_sent(
        &mut self,
        document: &Document<'_>,
        dict: &Dict,
        place: usize,
        sent: &mut usize,
    ) -> Result<(), Trouble> {
        let at = document.objects.get(place).map(|object| object.at);
        for kind in kinds(document, dict) {
            let (role, key) = match kind {
                b"SubmitForm" | b"ImportData" => (Role::Subdocument, "F"),
                b"URI" => (Role::Media, "URI"),
                _ => continue,
            };
            for named in dict.few(key) {
                self.nest.tick()?;
                if *sent >= ACTIONS {
                    return Ok(());
                }
                let target = self.file_name(document, Some(named), place);
                if !target.is_empty() {
                    *sent = sent.saturating_add(1);
                    self.nest.note(Fact::External { at, role, target });
                }
            }
        }
        Ok(())
    }

    fn tell_opening(&mut self, document: &Document<'_>, place: usize, action: &Object) {
        let at = document.objects.get(place).map_or(0, |object| object.at);
        let target = match document.resolve(action).0 {
            Object::Dict(dict) => {
                let kinds = kinds(document, dict).into_iter();
                let kinds: Vec<_> = kinds.map(String::from_utf8_lossy).collect();
                match kinds.join(", ") {
                    none if none.is_empty() => "action".to_owned(),
                    kinds => kinds,
                }
            }
            Object::Null => return,
            _ => "destination".to_owned(),
        };
        self.nest.note(Fact::PdfAction {
            at,
            deed: PdfDeed::Open,
            target: text::excerpt(&target),
        });
    }
}

/// The tree of scripts among those of names.
fn scripts(names: &Object) -> Vec<&Object> {
    match names {
        Object::Dict(names) => names.few("JavaScript"),
        _ => Vec::new(),
    }
}

/// The actions of a dictionary under its `AA` that run without a click: all of a catalogue and a page, else some.
fn run_by_themselves<'d>(
    document: &'d Document<'_>,
    dict: &Dict,
    actions: &'d Object,
) -> Vec<&'d Object> {
    let root = dict.is("Type", "Catalog") || dict.get("OpenAction").is_some();
    if root || dict.is("Type", "Page") {
        return vec![actions];
    }
    match document.resolve(actions).0 {
        Object::Dict(actions) => BY_ITSELF
            .iter()
            .filter_map(|key| actions.get(key))
            .collect(),
        _ => Vec::new(),
    }
}
