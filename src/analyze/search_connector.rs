//! Libraries, search connectors and saved searches that show a remote folder, and pages that open such a search.

use std::sync::LazyLock;

use memchr::memmem;

use super::internet_shortcut::is_search;
use super::place::{Place, plain};
use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::xml;
use crate::model::{IocType, Kind};
use crate::text::{self, AnyOf};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "search_connector",
    kinds: &[
        Kind::LibraryMs,
        Kind::SearchConnectorMs,
        Kind::SearchMs,
        Kind::Html,
        Kind::Hta,
    ],
    sees: Sees::Content,
    findings: &["search-connector"],
    run,
};

/// How the address of a search begins.
const SEARCHES: [&str; 4] = ["search-ms:", "search-ms%3a", "SEARCH-MS:", "Search-ms:"];

static STARTS_SEARCH: LazyLock<AnyOf> = LazyLock::new(|| AnyOf::new(&SEARCHES));

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    if matches!(artifact.kind, Kind::Html | Kind::Hta) {
        return in_page(&artifact.data, findings);
    }
    let source = text::to_utf8(&artifact.data);
    for element in xml::elements(&source) {
        let values = element.attributes.iter().map(|(_, value)| value);
        for value in values.chain([&element.text]) {
            let target = plain(value);
            let lists = &look.knowledge.indicators.namespaces;
            if lists.iter().any(|space| target.contains(space.as_str())) {
                continue;
            }
            let r#type = match Place::of(&target, &look.knowledge.links) {
                Place::Share(_) => IocType::Unc,
                Place::Web => IocType::Url,
                _ => continue,
            };
            findings.ioc(r#type, &target);
            let shown = format!("{}: {target}", element.name);
            findings.report(Found::new("search-connector", &shown).at(element.at));
        }
    }
}

/// An address that opens a search, wherever it stands in a page.
fn in_page(data: &[u8], findings: &mut Findings<'_>) {
    /// Bytes of an address that are looked at.
    const ADDRESS: usize = 400;
    if !STARTS_SEARCH.is_in(data) {
        return;
    }
    for start in SEARCHES {
        let Some(at) = memmem::find(data, start.as_bytes()) else {
            continue;
        };
        let rest = data.get(at..).unwrap_or_default();
        let address = rest
            .get(..ADDRESS)
            .unwrap_or(rest)
            .split(|byte| matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'\n' | b'`'))
            .next()
            .unwrap_or_default();
        let address = String::from_utf8_lossy(address).replace("&amp;", "&");
        if is_search(&plain(&address)) {
            findings.report(Found::new("search-connector", &address).at(at));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;

    fn found(kind: Kind, text: &str) -> usize {
        findings_of("search_connector", &[holding(kind, text.as_bytes())]).len()
    }

    #[test]
    fn remote_folders_are_found_and_known_ones_are_not() {
        let library = |url: &str| {
            found(
                Kind::LibraryMs,
                &format!(
                    "<libraryDescription xmlns=\"http://schemas.microsoft.com/windows/2009/library\"><searchConnectorDescriptionList>\
                     <searchConnectorDescription><simpleLocation><url>{url}</url></simpleLocation></searchConnectorDescription>\
                     </searchConnectorDescriptionList></libraryDescription>"
                ),
            )
        };
        assert_eq!(library("\\\\192.0.2.1\\share"), 1);
        assert_eq!(library("http://192.0.2.1/dav"), 1);
        assert_eq!(
            library("knownfolder:{FDD39AD0-238F-46AF-ADB4-6C85480369C7}"),
            0
        );
        assert_eq!(library("C:\\Users\\Public"), 0);
    }

    #[test]
    fn pages_that_open_a_search_are_found() {
        let page = "<script>location.href = 'search-ms:query=a&crumb=location:\\\\192.0.2.1@80\\s&displayname=b';</script>";
        assert_eq!(found(Kind::Html, page), 1);
        assert_eq!(found(Kind::Html, "<p>The search-ms: scheme</p>"), 0);
    }
}
