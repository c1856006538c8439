//! Scripts of the Windows Script Encoder: what they say, as children.

use crate::formats::script_encoder;
use crate::identify;
use crate::model::{Artifact, Kind, Trouble};

use super::{Child, Nest};

/// Kinds in which encoded blocks stand.
pub(super) const KINDS: &[Kind] = &[
    Kind::Jse,
    Kind::Vbe,
    Kind::Js,
    Kind::Vbs,
    Kind::Wsf,
    Kind::Sct,
    Kind::Hta,
    Kind::Html,
    Kind::Text,
];

/// Pushes each block decoded.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    // Texts in passing; a file that is nothing but a block is told as such.
    if artifact.kind == Kind::Text && artifact.data.len() > (1 << 20) {
        return Ok(());
    }
    for block in script_encoder::blocks(&artifact.data) {
        nest.tick()?;
        nest.budget().spend(block.text.len())?;
        if !block.whole {
            nest.deviation(block.span.start, "encoded script without its end");
        }
        let told = identify::identify(&block.text, nest.budget()).kind;
        let kind = match told {
            Kind::Js | Kind::Vbs => told,
            _ if artifact.kind == Kind::Js || is_javascript(artifact, &block.text) => Kind::Js,
            _ => Kind::Vbs,
        };
        let child = Child::new("decoded-text", block.text)
            .at(block.span)
            .of_kind(kind);
        nest.push(child)?;
    }
    Ok(())
}

/// Whether the name or the text speaks for JavaScript; encoded Basic is the commoner.
fn is_javascript(artifact: &Artifact, text: &[u8]) -> bool {
    let name = artifact.name.as_ref();
    if name.is_some_and(|name| name.extensions().any(|one| one == "jse" || one == "js")) {
        return true;
    }
    let has = |mark: &[u8]| memchr::memmem::find(text, mark).is_some();
    has(b";") && (has(b"var ") || has(b"function(") || has(b"new ActiveXObject"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use crate::formats::script_encoder::encoded;
    use crate::model::Kind;

    #[test]
    fn encoded_scripts_are_children_in_their_language() {
        let (children, _) = opened("script_encoder", &encoded("MsgBox \"hello\"\r\n"));
        assert_eq!(children[0].kind, Kind::Vbs);
        assert_eq!(&children[0].data[..], b"MsgBox \"hello\"\r\n");
        let (children, _) = opened(
            "script_encoder",
            &encoded("var a = new ActiveXObject('WScript.Shell'); a.Run('calc');"),
        );
        assert_eq!(children[0].kind, Kind::Js);
    }
}
