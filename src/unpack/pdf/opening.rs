//! What a PDF does on opening, and what else happens without a click (ISO 32000-2, 12.6.3).

use crate::formats::pdf::{Dict, Document, Object};
use crate::model::{Fact, PdfDeed};
use crate::text;

use super::{Opened, kinds};

/// When the actions of a dictionary that is neither a catalogue nor a page by its type run by themselves (12.6.3): a page
/// opens, it or an annotation on it is seen, the document is closed, saved or printed.
const BY_ITSELF: &[&str] = &["O", "PO", "PV", "WC", "WS", "DS", "WP", "DP"];

impl Opened<'_, '_, '_> {
    /// Actions and scripts that run by themselves, each with the place of what names it; that of the document is told.
    pub(super) fn started<'d>(&mut self, document: &'d Document<'_>) -> Vec<(usize, &'d Object)> {
        let mut started = Vec::new();
        let pairs = document
            .dicts()
            .flat_map(|(place, dict)| dict.0.iter().map(move |pair| (place, dict, pair)));
        for (place, dict, (key, value)) in pairs {
            let resolved = || document.resolve(value).0;
            match key.text.as_slice() {
                b"OpenAction" => {
                    self.tell_opening(document, place, value);
                    // A destination is an array that leads to a page (12.3.2); its fields do not run on opening.
                    let action = Some(value).filter(|_| !matches!(resolved(), Object::Array(_)));
                    started.extend(action.map(|action| (place, action)));
                }
                b"AA" => {
                    let actions = run_by_themselves(document, dict, value).into_iter();
                    started.extend(actions.map(|action| (place, action)));
                }
                b"Names" => started.extend(scripts(resolved()).map(|script| (place, script))),
                _ => {}
            }
        }
        started
    }

    fn tell_opening(&mut self, document: &Document<'_>, place: usize, action: &Object) {
        let at = document.objects.get(place).map_or(0, |object| object.at);
        let target = match document.resolve(action).0 {
            Object::Dict(dict) => {
                let kinds: Vec<_> = kinds(document, dict).map(String::from_utf8_lossy).collect();
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
fn scripts(names: &Object) -> impl Iterator<Item = &Object> {
    let names = match names {
        Object::Dict(names) => Some(names),
        _ => None,
    };
    let scripts = names.into_iter().flat_map(|names| names.all("JavaScript"));
    scripts.map(|(_, scripts)| scripts)
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
