//! Codes that a picture, a page or a text draws out of squares instead of showing a picture: their texts become
//! children, as those of pictures do.

use std::sync::LazyLock;

use encoding_rs::WINDOWS_1252;

use crate::formats::drawing::{Drawing, characters, painted, svg, table};
use crate::formats::html::Page;
use crate::formats::password_words;
use crate::model::{Artifact, Kind, Trouble};
use crate::text::{self, AnyOf};

use super::{Nest, picture};

/// Kinds that are looked into.
pub(super) const KINDS: &[Kind] = &[Kind::Svg, Kind::Html, Kind::Text, Kind::Email];

/// Longest file that is looked into: a code of the largest size takes a few hundred KiB.
const LONGEST: usize = 2 << 20;

/// Cells of the smallest code, in tags of a table.
const CELLS: usize = 200;

/// Characters that a page writes by their number or name.
static BLOCKS: LazyLock<AnyOf> = LazyLock::new(|| {
    AnyOf::new(&[
        "&#9608", "&#x2588", "&#9600", "&#x2580", "&block;", "&#11035", "&#x2b1b",
    ])
});

/// What paints without an element for each square.
static PAINTS: LazyLock<AnyOf> = LazyLock::new(|| AnyOf::new(painted::MARKS));

/// Pushes the texts of codes.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let markup = matches!(artifact.kind, Kind::Svg | Kind::Html);
    if artifact.data.len() > LONGEST || !markup && !may_draw(&artifact.data) {
        return Ok(());
    }
    let page = Page::of(&artifact.data, artifact.sha256);
    let source = page.text();
    let mut drawings = Vec::new();
    match artifact.kind {
        Kind::Svg => drawings.push(svg::drawing(source)),
        Kind::Html => of_page(source, &mut drawings),
        _ => drawings.extend(characters::drawings(source)),
    }
    for drawing in drawings {
        push(&drawing, nest)?;
    }
    Ok(())
}

/// Pushes the text of a code that is drawn.
pub(super) fn push(drawing: &Drawing, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    match drawing.picture() {
        Some(gray) if nest.budget().may_look(gray.pixels()) => picture::push(&gray, nest),
        _ => Ok(()),
    }
}

/// Whether a text may hold a code, by its bytes: most texts are ASCII or nearly so, and cheap to pass over.
fn may_draw(data: &[u8]) -> bool {
    /// Behind it ASCII is another charset; zeros are wider characters.
    const ESCAPE: u8 = 0x1b;
    if let Ok(text) = std::str::from_utf8(data)
        && memchr::memchr2(0, ESCAPE, data).is_none()
    {
        return characters::may_hold(text);
    }
    let encoding = text::sniff(data).map_or(WINDOWS_1252, |charset| charset.encoding);
    // These have letters where others have squares.
    let letters = ["windows-", "ISO-8859-"]
        .iter()
        .any(|family| encoding.name().starts_with(family));
    !(letters && encoding.is_single_byte()) || characters::has_number_signs(data)
}

fn of_page(source: &str, drawings: &mut Vec<Drawing>) {
    if memchr::memmem::find(source.as_bytes(), b"<svg").is_some() {
        drawings.push(svg::drawing(source));
    }
    let cells = memchr::memmem::find_iter(source.as_bytes(), "<td");
    let cells = cells.take(CELLS).count();
    if cells == CELLS {
        drawings.extend(table::drawings(source));
    }
    // Boxes that are no cells of a table each say their colour.
    let colours = memchr::memmem::find_iter(source.as_bytes(), "background").take(CELLS);
    if cells < CELLS && colours.count() == CELLS {
        drawings.extend(table::boxes(source));
    }
    if PAINTS.is_in(source.as_bytes()) {
        drawings.extend(painted::drawings(source));
    }
    if characters::may_hold(source) || BLOCKS.is_in(source.as_bytes()) {
        drawings.extend(characters::drawings(&password_words::plain(source)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;

    const CODE: &str = include_str!("../formats/drawing/code.txt");

    #[test]
    fn a_code_in_a_page_is_a_child_however_it_is_drawn() {
        let lines: Vec<String> = CODE
            .lines()
            .map(|row| {
                row.replace('#', "&#9608;&#9608;")
                    .replace('.', "&nbsp;&nbsp;")
            })
            .collect();
        let page = format!("<html><body><pre>{}</pre></body></html>", lines.join("\n"));
        let (children, _) = opened("drawn_codes", page.as_bytes());
        assert_eq!(children.len(), 1);
        assert_eq!(children[0].via, Some("qr-code"));
        let (children, _) = opened("drawn_codes", b"<html><body><pre>text</pre></body></html>");
        assert!(children.is_empty());
    }
}
