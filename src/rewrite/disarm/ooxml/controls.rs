//! What is left of a control in a Word document: its picture. Where a writer put none beside it, the text that the
//! control showed takes the place of the empty shape.

use super::Work;
use super::package::{Package, Relation};
use crate::formats::forms;
use crate::formats::ole::{Ole, is_compound};
use crate::limits::{Budget, Fault};
use crate::rewrite::disarm::Refusal;
use crate::rewrite::disarm::outline::{Edits, Node, Outline, Source, escape};

impl Work<'_> {
    /// The text that the control at the end of a relationship shows.
    pub(super) fn shown(&self, relation: &Relation) -> Result<Option<String>, Refusal> {
        match relation.target {
            Some(control) => shown(&self.package, control, self.budget),
            None => Ok(None),
        }
    }
}

/// [MS-OI29500] 2.1: a part `ocx` names the class and how the control keeps its properties.
fn shown(package: &Package, control: usize, budget: &Budget) -> Result<Option<String>, Refusal> {
    let Some(part) = package.parts.get(control) else {
        return Ok(None);
    };
    let Some(source) = Source::read(&part.data) else {
        return Ok(None);
    };
    let outline = Outline::read(&source.text, budget)?;
    let Some(root) = outline.nodes.first() else {
        return Ok(None);
    };
    let value = |name: &str| {
        let value = outline.attribute(root, name);
        value.map(|value| value.value.trim_matches(['{', '}']).to_lowercase())
    };
    let class = value("classid").unwrap_or_default();
    let persistence = value("persistence").unwrap_or_default();
    if persistence == "persistpropertybag" {
        return Ok(listed(&outline, forms::names_of_text(&class)));
    }
    let mut own = package
        .relations
        .iter()
        .filter(|relation| relation.source == part.name)
        .filter_map(|relation| package.parts.get(relation.target?));
    let Some(data) = own.next().map(|part| &part.data) else {
        return Ok(None);
    };
    if !is_compound(data) {
        // The class stands in front of a stream.
        return Ok(forms::shown(&class, data.get(16..).unwrap_or_default()));
    }
    let mut ole = match Ole::open(data, budget) {
        Ok(ole) => ole,
        Err(Fault::Halt(halt)) => return Err(Refusal::Limit(halt)),
        Err(Fault::Broken(_)) => return Ok(None),
    };
    let Some(contents) = ole.find(ole.root(), "contents") else {
        return Ok(None);
    };
    let stream = ole.stream(contents).map_err(Refusal::Limit)?;
    Ok(forms::shown(&class, &stream.data))
}

/// The first property of a bag that has one of these names.
fn listed(outline: &Outline<'_>, names: &[&str]) -> Option<String> {
    let properties = || {
        outline.named("ocxPr").filter_map(|(_, node)| {
            let name = outline.attribute(node, "name")?.value.to_lowercase();
            Some((name, outline.attribute(node, "value")?.value.into_owned()))
        })
    };
    let mut texts = properties().filter(|(name, _)| names.contains(&name.as_str()));
    let (name, text) = texts.find(|(_, value)| !value.trim().is_empty())?;
    let cover = properties().find(|(name, _)| name == "passwordchar");
    let letter = cover.filter(|_| name != "caption");
    let letter = letter.and_then(|(_, value)| value.trim().parse().ok());
    Some(forms::covered(text, letter.unwrap_or_default()))
}

/// What stands in the frame of a control in a document, where no picture does (17.3.3.19).
fn without_picture<'o>(outline: &'o Outline<'_>, frame: usize) -> Option<Vec<&'o Node>> {
    let around = outline.nodes.get(frame)?;
    if !matches!(outline.local(around), "object" | "pict") {
        return None;
    }
    let end = around.whole().end;
    // What stands in an element follows it.
    let inside = outline.nodes.iter().skip(frame.saturating_add(1));
    let inside: Vec<_> = inside.take_while(|node| node.open.start < end).collect();
    let pictures = ["imagedata", "blip", "pic"];
    let pictured = |node: &&Node| pictures.contains(&outline.local(node));
    (!inside.iter().any(pictured)).then_some(inside)
}

/// Whether nothing is left of a control in a frame but the text that it showed.
pub(super) fn is_bare(outline: &Outline<'_>, frame: usize) -> bool {
    without_picture(outline, frame).is_some()
}

/// Puts a text into the place of the shape of a control in a frame, where no picture stands in it.
pub(super) fn say(
    outline: &Outline<'_>,
    frame: usize,
    control: usize,
    text: &str,
    edits: &mut Edits,
) {
    let Some(inside) = without_picture(outline, frame) else {
        return;
    };
    let shape = inside.iter().find(|node| outline.local(node) == "shape");
    let (Some(shape), Some(word)) = (shape, outline.nodes.get(control)) else {
        return;
    };
    let vector = outline.prefix(shape);
    let word = outline.prefix(word);
    let style = outline.attribute(shape, "style");
    let style = style.map(|style| style.value.into_owned());
    let paragraphs: String = text
        .split(['\r', '\n'])
        .filter(|line| !line.is_empty())
        .map(|line| {
            let line: String = line.chars().filter(|c| !c.is_control()).collect();
            format!(
                "<{word}p><{word}r><{word}t xml:space=\"preserve\">{}</{word}t></{word}r></{word}p>",
                escape(&line)
            )
        })
        .collect();
    edits.replace(
        shape.whole(),
        &format!(
            "<{vector}rect style=\"{}\" filled=\"f\" stroked=\"f\"><{vector}textbox inset=\"0,0,0,0\"><{word}txbxContent>{paragraphs}</{word}txbxContent></{vector}textbox></{vector}rect>",
            escape(&style.unwrap_or_default())
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn said(frame: &str) -> String {
        let budget = Budget::new(Limits::default(), None);
        let outline = Outline::read(frame, &budget).unwrap();
        let control = outline.named("control").next().unwrap().0;
        let mut edits = Edits::default();
        say(&outline, 0, control, "I agree & sign", &mut edits);
        edits.apply(frame).unwrap()
    }

    #[test]
    fn what_a_control_shows_stands_where_its_empty_shape_was() {
        let empty = "<w:object><v:shape id=\"a\" style=\"width:9pt\"></v:shape><w:control r:id=\"rId2\"/></w:object>";
        assert_eq!(
            said(empty),
            "<w:object><v:rect style=\"width:9pt\" filled=\"f\" stroked=\"f\"><v:textbox inset=\"0,0,0,0\"><w:txbxContent><w:p><w:r><w:t xml:space=\"preserve\">I agree &amp; sign</w:t></w:r></w:p></w:txbxContent></v:textbox></v:rect><w:control r:id=\"rId2\"/></w:object>"
        );
        let pictured = "<w:object><v:shape><v:imagedata r:id=\"rId3\"/></v:shape><w:control r:id=\"rId2\"/></w:object>";
        assert_eq!(said(pictured), pictured);
        let elsewhere = "<controls><v:shape/><control r:id=\"rId2\"/></controls>";
        assert_eq!(said(elsewhere), elsewhere);
    }
}
