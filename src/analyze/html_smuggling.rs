//! Pages that carry a file and hand it to the user as a download.
//!
//! Two things together: something saves or opens what a script made, and there is a file to save. A file is one that was
//! decoded out of the page, or a decoder beside a text that is most of its script. A page that saves the table it shows, and
//! a library that could, carry none.

use std::sync::LazyLock;

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::model::{Artifact, Family, Kind};
use crate::text::{self, AnyOf};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "html_smuggling",
    kinds: &[Kind::Html, Kind::Svg],
    sees: Sees::Place,
    findings: &["html-smuggling"],
    run,
};

/// Artifacts below a page that are looked at, and how deep.
const BELOW: usize = 256;
const DEPTH: usize = 5;

/// What saves or opens what a script made, and behind it an address that is the data itself.
const MARKED: &[&str] = &[
    "msSaveOrOpenBlob",
    "msSaveBlob",
    "createObjectURL",
    "saveAs(",
    "showSaveFilePicker",
    "readAsDataURL",
    "new Response(",
    ADDRESS,
];
const ADDRESS: &str = "data:application/";

/// All of these, of which most pages have none.
static MARKS: LazyLock<AnyOf> = LazyLock::new(|| AnyOf::new(MARKED));

/// What decodes a text.
const DECODES: &[&str] = &["atob", "Uint8Array", "charCodeAt", "fromCharCode", "base64"];

/// Characters of an encoded text that is worth smuggling.
const LITERAL: usize = 256;

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let page = look.artifact;
    if !matches!(page.kind, Kind::Html | Kind::Svg) {
        return;
    }
    let below = below(look);
    if let Some(file) = below.iter().find(|one| is_in_address(look, one)) {
        let name = file_name(&page.data).map_or_else(String::new, |name| format!(" as {name}"));
        let what = format!("data: address: {}{name}", file.kind.describe());
        let at = file.at.as_ref().map_or(0, |at| at.start);
        findings.report(Found::new("html-smuggling", &what).at(at));
        return;
    }
    let carried = below.iter().find(|one| is_file(one));
    let texts =
        std::iter::once(page).chain(below.iter().copied().filter(|one| one.kind == Kind::Js));
    for script in texts {
        let data = &script.data;
        let Some((at, how)) = saving(data) else {
            continue;
        };
        // Of a page, each script by itself is a text below; the page's own markup has no literals of a script.
        let dominated = script.kind == Kind::Js && decodes_most_of_itself(data);
        let name = file_name(data);
        // A short script fits into any page; what counts is that it is saved as one.
        let runs = || {
            name.as_deref()
                .is_some_and(|name| decodes(data) && runs(look, name))
        };
        let what = match carried {
            Some(file) => file.kind.describe(),
            None if dominated || runs() => "encoded data",
            None => continue,
        };
        let name = name.map_or_else(String::new, |name| format!(" as {name}"));
        let found = Found::new("html-smuggling", &format!("{how}: {what}{name}"));
        findings.report(if script.id == page.id {
            found.at(at)
        } else {
            found
        });
        return;
    }
}

/// What lies below the page, in the order of the tree, not looking into archives.
fn below<'a>(look: &Look<'a>) -> Vec<&'a Artifact> {
    let mut found: Vec<&Artifact> = Vec::new();
    let mut layer = vec![look.artifact];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for parent in layer {
            let of = Look {
                artifact: parent,
                ..*look
            };
            for child in of
                .children()
                .iter()
                .filter(|one| one.via.is_some_and(is_decoded))
            {
                if found.len() >= BELOW {
                    return found;
                }
                found.push(child);
                next.push(child);
            }
        }
        layer = next;
    }
    found
}

fn is_decoded(via: &str) -> bool {
    matches!(via, "decoded-text" | "script-block" | ADDRESS_VIA)
}

/// How a file is reached that stands in an address in a way that does not read as base64.
const ADDRESS_VIA: &str = "data-uri";

/// Whether a file is the content of an address of the page: no browser shows one of these kinds, all save it.
fn is_in_address(look: &Look<'_>, file: &Artifact) -> bool {
    /// Bytes in front of a file in which its address starts.
    const TYPE: usize = 128;
    let saved = match file.kind.family() {
        Family::Archive | Family::Installer | Family::Disk | Family::Shortcut | Family::OneNote => {
            true
        }
        // Modules of a page's own program are none of Windows.
        Family::Executable => file.kind != Kind::Wasm,
        // Of scripts, pages load their own this way.
        Family::Script => file.kind != Kind::Js,
        _ => false,
    };
    if !saved || file.parent != Some(look.artifact.id) {
        return false;
    }
    if file.via == Some(ADDRESS_VIA) {
        return true;
    }
    let Some(at) = &file.at else {
        return false;
    };
    let before = look.artifact.data.get(..at.start).unwrap_or_default();
    let before = before.get(before.len().saturating_sub(TYPE)..);
    let before = before.unwrap_or_default().to_ascii_lowercase();
    let start = memchr::memmem::rfind(&before, b"data:");
    let head = start.and_then(|start| before.get(start..));
    head.is_some_and(|head| {
        head.ends_with(b"base64,")
            && !head
                .iter()
                .any(|byte| matches!(byte, b'"' | b'\'' | b'<' | b'>'))
    })
}

/// Whether a decoded artifact is a file that a user would be made to open.
fn is_file(artifact: &Artifact) -> bool {
    let family = matches!(
        artifact.kind.family(),
        Family::Archive
            | Family::Compressed
            | Family::Disk
            | Family::Executable
            | Family::Installer
            | Family::Shortcut
            | Family::Ole
            | Family::Ooxml
            | Family::Odf
            | Family::OneNote
            | Family::Pdf
    );
    let script = artifact.kind.family() == Family::Script && artifact.kind != Kind::Js;
    artifact.via == Some("decoded-text") && (family || script || artifact.kind == Kind::Html)
}

/// Where a page saves or opens what it made, and by what.
fn saving(data: &[u8]) -> Option<(usize, &'static str)> {
    if !MARKS.is_in(data) {
        return None;
    }
    let find = |word: &str| memchr::memmem::find(data, word.as_bytes());
    let mut saves = MARKED.iter().filter(|word| **word != ADDRESS);
    let made = saves.find_map(|word| Some((find(word)?, *word)));
    if made.is_some() {
        return made;
    }
    // A link to the data itself that is saved under a name, or that the page goes to.
    let address = find(ADDRESS)?;
    let saved = find("download").map(|_| "download of a data: address");
    let gone = || find("location").map(|_| "location of a data: address");
    Some((address, saved.or_else(gone)?))
}

/// Whether a file of this name is run by opening it.
fn runs(look: &Look<'_>, name: &str) -> bool {
    let extension = name.rsplit('.').next().unwrap_or_default();
    let known = look
        .knowledge
        .extensions
        .of(&extension.to_ascii_lowercase());
    known.is_some_and(|known| known.runs)
}

/// Whether there is something in a script that decodes.
fn decodes(data: &[u8]) -> bool {
    let has = |word: &&str| memchr::memmem::find(data, word.as_bytes()).is_some();
    DECODES.iter().any(has)
}

/// Whether a script decodes, and most of it is one encoded text.
fn decodes_most_of_itself(data: &[u8]) -> bool {
    if !decodes(data) {
        return false;
    }
    let pieces = data.split(|byte| matches!(byte, b'"' | b'\'' | b'`' | b'[' | b']'));
    let encoded = pieces
        .filter(|piece| {
            piece.len() >= LITERAL
                && piece.iter().all(|byte| {
                    byte.is_ascii_alphanumeric()
                        || matches!(
                            byte,
                            b'+' | b'/' | b'=' | b',' | b' ' | b'\n' | b'\r' | b'-' | b'_'
                        )
                })
                && !piece.contains(&b';')
        })
        .map(<[u8]>::len)
        .max();
    encoded.is_some_and(|len| len >= data.len() / 2)
}

/// The name under which the file is saved, where it stands in the page.
fn file_name(data: &[u8]) -> Option<String> {
    for at in memchr::memmem::find_iter(data, b"download").take(16) {
        let rest = data.get(at.checked_add(8)?..)?;
        let near = String::from_utf8_lossy(rest.get(..160).unwrap_or(rest)).into_owned();
        let value = near.trim_start_matches(['"', '\'', ']', ' ', ',']);
        let Some(value) = value
            .strip_prefix('=')
            .or_else(|| near.strip_prefix("\",").or_else(|| near.strip_prefix("',")))
        else {
            continue;
        };
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let name = quote.and_then(|quote| value.get(1..)?.split(quote).next());
        if let Some(name) = name.filter(|name| name.contains('.')) {
            return Some(text::excerpt(name));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding, run_on};
    use super::*;

    const SAVE: &[u8] = b"<html><script>var b = new Blob([x]); a.href = URL.createObjectURL(b); a.download = 'invoice.zip'; a.click();</script></html>";

    fn child(kind: Kind, data: &[u8], via: &'static str) -> Artifact {
        let mut child = holding(kind, data);
        child.id = 1;
        child.parent = Some(0);
        child.via = Some(via);
        child
    }

    fn found(tree: &[Artifact]) -> usize {
        run_on(run, tree, tree.first()).0.len()
    }

    #[test]
    fn a_page_that_saves_a_file_which_it_carries_is_found() {
        let page = holding(Kind::Html, SAVE);
        assert_eq!(
            found(&[page.clone(), child(Kind::Zip, b"PK", "decoded-text")]),
            1
        );
        assert_eq!(found(std::slice::from_ref(&page)), 0);
        assert_eq!(
            found(&[page.clone(), child(Kind::Png, b"x", "decoded-text")]),
            0
        );
        let encoded = format!(
            "var x = atob('{}'); URL.createObjectURL(new Blob([x]))",
            "QUJD".repeat(100)
        );
        assert_eq!(
            found(&[
                page.clone(),
                child(Kind::Js, encoded.as_bytes(), "script-block")
            ]),
            1
        );
        let named = |name: &str| {
            let page = format!(
                "<html><script>var x = atob('dmFyIHM9MQ'); a.href = URL.createObjectURL(new Blob([x])); a.download = '{name}';</script></html>"
            );
            found(&[holding(Kind::Html, page.as_bytes())])
        };
        assert_eq!((named("invoice.js"), named("table.csv")), (1, 0));
        let library = holding(
            Kind::Html,
            b"<script>saveAs(new Blob([x]), 'invoice.zip')</script>",
        );
        assert_eq!(
            found(&[library.clone(), child(Kind::Zip, b"PK", "decoded-text")]),
            1
        );
        assert_eq!(found(&[library]), 0);
        let quiet = holding(Kind::Html, b"<html><p>An archive: </p></html>");
        assert_eq!(found(&[quiet, child(Kind::Zip, b"PK", "decoded-text")]), 0);
        let link = holding(
            Kind::Html,
            b"<a download=\"a.zip\" href=\"data:application/zip;base64,UEsDB\">a</a>",
        );
        assert_eq!(found(&[link, child(Kind::Zip, b"PK", "decoded-text")]), 1);
        assert_eq!(findings_of("html_smuggling", &[page]).len(), 0);
    }

    #[test]
    fn the_name_is_told() {
        assert_eq!(file_name(SAVE).as_deref(), Some("invoice.zip"));
        assert_eq!(
            file_name(b"a.setAttribute('download', 'b.iso')").as_deref(),
            Some("b.iso")
        );
        assert_eq!(file_name(b"download it"), None);
    }
}
