//! Files of Adobe's forms: data in XML (XFDF 3.0, ISO 19444-1) and forms by themselves (XDP, XFA 3.3). Acrobat opens the
//! document that they name, runs their scripts, and takes over the files that are attached to notes.

use crate::formats::xml;
use crate::limits::Fault;
use crate::model::{Artifact, Fact, Kind, Name, PdfDeed, Role, Trouble};
use crate::text;

use super::pdf::form;
use super::{Child, Nest, Payload};

/// What they are told to be.
pub(super) const KINDS: &[Kind] = &[Kind::Xml];

/// Facts and scripts of each kind that are told.
const TOLD: usize = 1 << 14;

/// Elements that hold a script: of an action, of the data as they are taken in.
const SCRIPTS: &[&str] = &["javascript", "before", "after", "afterpermsready"];

/// Pushes scripts and attached files, and notes what is opened.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    // The form of a document has been read with it.
    if artifact.via == Some("pdf-xfa") {
        return Ok(());
    }
    let root = xml::root(&artifact.data);
    let Some(root @ ("xfdf" | "xdp")) = root.as_deref() else {
        return Ok(());
    };
    nest.budget().spend(artifact.data.len())?;
    let source = text::to_utf8(&artifact.data);
    match root {
        "xdp" => form_alone(&source, nest),
        _ => form_data(xml::elements(&source), nest),
    }
}

fn form_alone(source: &str, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let form = form::read(source);
    for (code, on_open) in form.scripts.into_iter().take(TOLD) {
        script(code, on_open, nest)?;
    }
    for (role, target) in form.outside.into_iter().take(TOLD) {
        let at = None;
        nest.note(Fact::External { at, role, target });
    }
    Ok(())
}

fn form_data(
    elements: impl Iterator<Item = xml::Element>,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let (mut launches, mut name) = (false, String::new());
    let mut told = 0;
    for element in elements {
        nest.tick()?;
        let at = element.at;
        let fact = match element.name.as_str() {
            "f" => element.attribute("href").and_then(|href| belongs(href, at)),
            "launch" => {
                launches = true;
                None
            }
            "file" if launches => {
                launches = false;
                let file = element.attribute("originalname").map(str::to_owned);
                file.map(|target| Fact::PdfAction {
                    at,
                    deed: PdfDeed::Launch,
                    target,
                })
            }
            "fileattachment" => {
                name = element.attribute("file").unwrap_or_default().to_owned();
                None
            }
            "data" if element.attribute("encoding") == Some("hex") => {
                attached(&element, &name, nest)?;
                None
            }
            script_of if SCRIPTS.contains(&script_of) => {
                script(element.text.clone(), script_of != "javascript", nest)?;
                None
            }
            _ => None,
        };
        if let Some(fact) = fact.filter(|_| told < TOLD) {
            told += 1;
            nest.note(fact);
        }
    }
    Ok(())
}

/// The document that data belong to: one beside them is what every program writes.
fn belongs(href: &str, at: usize) -> Option<Fact> {
    let target = href.trim().to_owned();
    let scheme = target.split_once("://").map(|(scheme, _)| scheme);
    let web = scheme.is_some_and(|scheme| {
        ["http", "https", "ftp"]
            .iter()
            .any(|one| one.eq_ignore_ascii_case(scheme))
    });
    if web {
        let deed = PdfDeed::Belongs;
        return Some(Fact::PdfAction { at, deed, target });
    }
    (!target.is_empty()).then_some(Fact::External {
        at: Some(at),
        role: Role::Media,
        target,
    })
}

fn script(code: String, on_open: bool, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if code.trim().is_empty() {
        return Ok(());
    }
    let child = Child::new("pdf-javascript", code.into_bytes())
        .of_kind(Kind::Js)
        .with_fact(Fact::PdfScript {
            on_open,
            hidden: String::new(),
        });
    nest.push(child).map(|_| ())
}

/// A file that hangs on a note, its bytes as digits, perhaps of what a filter made of them.
fn attached(element: &xml::Element, name: &str, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let digits: Vec<u8> = element
        .text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    let (pairs, _) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    if bytes.is_empty() {
        return Ok(());
    }
    let raw = element
        .attribute("mode")
        .is_none_or(|mode| mode.eq_ignore_ascii_case("raw"));
    let (payload, fault): (Payload, Option<Fault>) = match raw {
        true => (bytes.into(), None),
        false => {
            let decoded = nest.inflate(&bytes, 0, flate2::bufread::ZlibDecoder::new);
            (Payload::Paid(decoded.data.into()), decoded.fault)
        }
    };
    let child = Child::new("pdf-embedded-file", payload);
    let child = match name {
        "" => child,
        name => child.named(Name::of(name)),
    };
    nest.push_decoded(child, fault, "file of a note")
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use super::*;

    #[test]
    fn what_data_and_forms_open_run_and_carry_is_told() {
        let data = |inner: &str| {
            let xml = format!(
                "<?xml version=\"1.0\"?><xfdf xmlns=\"http://ns.adobe.com/xfdf/\">{inner}</xfdf>"
            );
            opened("form_data", xml.as_bytes())
        };
        let (_, facts) = data("<f href='http://a.example/a.pdf'/>");
        assert!(matches!(
            &facts[..],
            [Fact::PdfAction {
                deed: PdfDeed::Belongs,
                ..
            }]
        ));
        let (_, facts) =
            data("<Launch><File OriginalName='a.exe'/></Launch><File OriginalName='b'/>");
        assert!(
            matches!(&facts[..], [Fact::PdfAction { deed: PdfDeed::Launch, target, .. }] if target == "a.exe")
        );
        let (children, _) = data(
            "<fileattachment file='a.txt'><data MODE='raw' encoding='hex'>68 69</data></fileattachment>",
        );
        assert_eq!(
            (children[0].label(), children[0].data.as_ref()),
            ("a.txt", &b"hi"[..])
        );
        let (children, facts) = data("<JavaScript>app.beep(0)</JavaScript><f/>");
        assert_eq!((children.len(), facts.len()), (1, 0));
        let form = "<?xml version='1.0'?><xdp:xdp xmlns:xdp='http://ns.adobe.com/xdp/'><event activity='docReady'><script contentType='application/x-javascript'>a()</script></event>\
            <pdf href='\\\\h\\s'/></xdp:xdp>";
        let (children, facts) = opened("form_data", form.as_bytes());
        assert_eq!((children.len(), facts.len()), (1, 1));
        assert!(
            opened(
                "form_data",
                b"<?xml version='1.0'?><order xmlns='http://ns.adobe.com/xfdf/'><JavaScript>a</JavaScript></order>"
            )
            .0
            .is_empty()
        );
    }
}
