//! What a document fetches from outside: judged by what it is to the document, and where it lies.

use super::place::{Place, Reach, plain};
use super::{Analyzer, Findings, Found, Look, Sees};
use crate::knowledge::LinkLists;
use crate::model::{Fact, Role};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "external",
    kinds: &[],
    sees: Sees::Content,
    findings: &["remote-template", "external-object-link"],
    run,
};

/// Reports `remote-template` and `external-object-link` for the targets that unpackers noted.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    for fact in &look.artifact.facts {
        let Fact::External { at, role, target } = fact else {
            continue;
        };
        let plain = plain(target);
        let Some((id, variant)) = finding(*role, &plain, &look.knowledge.links) else {
            continue;
        };
        let mut found = Found::new(id, target);
        if let Some(variant) = variant {
            found = found.variant(variant);
        }
        if plain != target.trim() {
            found = found.decoded(&plain);
        }
        if let Some(at) = at {
            found = found.at(*at);
        }
        findings.report(found);
    }
}

/// The finding that a link of a document is, where it is one.
pub fn outside(fact: &Fact, lists: &LinkLists) -> Option<&'static str> {
    match fact {
        Fact::Dde { .. } => Some("dde-link"),
        Fact::External { role, target, .. } => {
            finding(*role, &plain(target), lists).map(|(id, _)| id)
        }
        _ => None,
    }
}

/// Id and variant of what a target is to a document.
fn finding(
    role: Role,
    plain: &str,
    lists: &LinkLists,
) -> Option<(&'static str, Option<&'static str>)> {
    if role == Role::Link && !acts_on_click(plain, lists) {
        return None;
    }
    judge(role, &Place::of(plain, lists))
}

/// Whether a click does more than to go somewhere. Reports made of web pages keep links that do nothing, such as
/// `javascript:void(0);`.
fn acts_on_click(target: &str, lists: &LinkLists) -> bool {
    let Some((scheme, asked)) = target.trim_start().split_once(':') else {
        return false;
    };
    let nothing = |c: char| c.is_whitespace() || matches!(c, '/' | ';');
    lists.clicked.contains(&scheme.to_ascii_lowercase())
        && !matches!(asked.trim_matches(nothing), "" | "void(0)")
}

/// Id and variant of what a target of a place is to a document.
fn judge(role: Role, place: &Place) -> Option<(&'static str, Option<&'static str>)> {
    let object = Some(("external-object-link", None));
    match (role, place) {
        // A program of the machine itself is started too.
        (Role::Started, _) => Some(("external-object-link", Some("started-program"))),
        (_, Place::Local | Place::Harmless) => None,
        (Role::Link, _) => Some(("external-object-link", Some("clicked-handler"))),
        (Role::Template, _) => Some(("remote-template", None)),
        (Role::OleObject | Role::Frame | Role::Subdocument, _) => object,
        // A handler of Windows, or a host that gets the user's sign-in: nobody shows a picture like that.
        (Role::Media | Role::Inclusion | Role::Workbook | Role::Other, Place::Moniker) => object,
        (
            Role::Media | Role::Inclusion | Role::Workbook | Role::Other,
            Place::Share(Reach::Outside),
        ) => object,
        (Role::Media | Role::Inclusion, Place::Share(Reach::Anywhere)) => {
            Some(("external-object-link", Some("linked-media")))
        }
        // Pictures of web pages, and workbooks that lie beside each other on a server, are ordinary.
        (Role::Media | Role::Inclusion | Role::Workbook, _) | (Role::Other, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_target_is_to_the_document_decides() {
        let id = |role, place| judge(role, &place).map(|(id, _)| id);
        assert_eq!(id(Role::Template, Place::Web), Some("remote-template"));
        assert_eq!(id(Role::Template, Place::Local), None);
        assert_eq!(
            id(Role::OleObject, Place::Share(Reach::Inside)),
            Some("external-object-link")
        );
        assert_eq!(
            judge(Role::Link, &Place::Moniker),
            Some(("external-object-link", Some("clicked-handler")))
        );
        assert_eq!(id(Role::Media, Place::Web), None);
        assert_eq!(id(Role::Media, Place::Share(Reach::Inside)), None);
        assert_eq!(
            judge(Role::Media, &Place::Share(Reach::Anywhere)),
            Some(("external-object-link", Some("linked-media")))
        );
        assert_eq!(id(Role::Workbook, Place::Share(Reach::Anywhere)), None);
        assert_eq!(
            id(Role::Workbook, Place::Moniker),
            Some("external-object-link")
        );
    }
}
