//! The content types stream (ECMA-376 part 2, 10.1.2.2) of a package without its active content, and main parts that
//! stop claiming macros.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::package::Package;
use super::{Edits, Outline, Work};
use crate::limits::Budget;
use crate::model::Kind;
use crate::rewrite::disarm::Refusal;
use crate::rewrite::disarm::outline::{Source, escape};

/// Main media types that claim macros, in lower case, those without, and the extension that goes with them.
const PLAIN: &[(&str, &str, &str)] = &[
    (
        "application/vnd.ms-word.document.macroenabled.main+xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
        "docx",
    ),
    (
        "application/vnd.ms-word.template.macroenabledtemplate.main+xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
        "dotx",
    ),
    (
        "application/vnd.ms-excel.sheet.macroenabled.main+xml",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
        "xlsx",
    ),
    (
        "application/vnd.ms-excel.template.macroenabled.main+xml",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml",
        "xltx",
    ),
    (
        ADDIN_SHEET,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
        "xlsx",
    ),
    (
        "application/vnd.ms-powerpoint.presentation.macroenabled.main+xml",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
        "pptx",
    ),
    (
        "application/vnd.ms-powerpoint.template.macroenabled.main+xml",
        "application/vnd.openxmlformats-officedocument.presentationml.template.main+xml",
        "potx",
    ),
    (
        "application/vnd.ms-powerpoint.slideshow.macroenabled.main+xml",
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml",
        "ppsx",
    ),
    (
        ADDIN_SLIDES,
        "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
        "pptx",
    ),
    (
        "application/vnd.ms-powerpoint.slide.macroenabled.main+xml",
        "application/vnd.openxmlformats-officedocument.presentationml.slide.main+xml",
        "sldx",
    ),
    (
        "application/vnd.ms-visio.drawing.macroenabled.main+xml",
        "application/vnd.ms-visio.drawing.main+xml",
        "vsdx",
    ),
    (
        "application/vnd.ms-visio.stencil.macroenabled.main+xml",
        "application/vnd.ms-visio.stencil.main+xml",
        "vssx",
    ),
    (
        "application/vnd.ms-visio.template.macroenabled.main+xml",
        "application/vnd.ms-visio.template.main+xml",
        "vstx",
    ),
];

/// The media type of a file with an extension that goes with new content; that of bytes for others.
pub(in crate::rewrite) fn media_type(extension: &str) -> String {
    let plain = PLAIN.iter().find(|(_, _, end)| *end == extension);
    let media_type = match plain {
        Some((_, main, _)) => main.strip_suffix(".main+xml"),
        None if extension == "zip" => Some("application/zip"),
        None => None,
    };
    media_type.unwrap_or("application/octet-stream").to_owned()
}

/// Main media types of add-ins.
const ADDIN_SHEET: &str = "application/vnd.ms-excel.addin.macroenabled.main+xml";
const ADDIN_SLIDES: &str = "application/vnd.ms-powerpoint.addin.macroenabled.main+xml";

const ADDINS: &[&str] = &["office-addin"];

impl Work<'_> {
    /// Makes a document of an add-in, and takes out the properties that name the place of one.
    pub(super) fn addin(&mut self, kind: Kind) -> Result<(), Refusal> {
        if !self.wants(ADDINS) {
            return Ok(());
        }
        if matches!(kind, Kind::Xlam | Kind::Ppam) {
            let at = self.package.types_part;
            self.edit(at, |outline, edits| {
                plain(outline, edits, &|media_type| {
                    media_type == ADDIN_SHEET || media_type == ADDIN_SLIDES
                });
                Ok(())
            })?;
            self.note(ADDINS, "main part");
        }
        let named: Vec<usize> = self
            .package
            .live()
            .filter(|(_, part)| memchr::memmem::find(&part.data, b"_Assembly").is_some())
            .map(|(at, _)| at)
            .collect();
        for at in named {
            let mut found = false;
            self.edit(at, |outline, edits| {
                let named = outline.named("property").map(|(_, node)| node);
                let of_addin = named.filter(|node| {
                    let name = outline.attribute(node, "name");
                    name.is_some_and(|name| name.value.starts_with("_Assembly"))
                });
                for node in of_addin {
                    edits.delete(node.whole());
                    found = true;
                }
                Ok(())
            })?;
            if found {
                self.note(ADDINS, "_AssemblyLocation");
            }
        }
        Ok(())
    }

    /// Takes the entries of parts out that are gone, and gives others their new types.
    pub(super) fn content_types(&mut self) -> Result<(), Refusal> {
        let extension = |name: &str| name.rsplit_once('.').map(|(_, end)| end.to_owned());
        let left: BTreeSet<String> = self
            .package
            .live()
            .filter_map(|(_, part)| extension(&part.name))
            .collect();
        let gone: BTreeSet<String> = (0..self.package.parts.len())
            .filter(|at| self.package.is_gone(*at))
            .filter_map(|at| self.package.parts.get(at).map(|part| part.name.clone()))
            .collect();
        let unused: BTreeSet<String> = gone
            .iter()
            .filter_map(|name| extension(name))
            .filter(|extension| !left.contains(extension))
            .collect();
        let retyped: Vec<(String, &'static str)> = self
            .retyped
            .iter()
            .filter_map(|(at, to)| Some((self.package.parts.get(*at)?.name.clone(), *to)))
            .collect();
        let all = gone
            .iter()
            .any(|name| self.package.types.of(name).is_some_and(is_project));
        let at = self.package.types_part;
        let changes = Changes {
            gone,
            unused,
            retyped,
            no_project: all,
        };
        self.edit(at, |outline, edits| {
            changes.carry_out(outline, edits);
            Ok(())
        })?;
        Ok(())
    }
}

/// What changes in the stream.
struct Changes {
    /// Parts that are gone.
    gone: BTreeSet<String>,
    /// Extensions that no part has any more.
    unused: BTreeSet<String>,
    /// Parts with new types.
    retyped: Vec<(String, &'static str)>,
    /// Whether the type of a project may be the usual one of no extension: it would make projects of other parts.
    no_project: bool,
}

impl Changes {
    fn carry_out(&self, outline: &Outline<'_>, edits: &mut Edits) {
        let mut missing = self.retyped.clone();
        for node in &outline.nodes {
            let value = |name: &str| {
                let attribute = outline.attribute(node, name);
                attribute
                    .map(|one| one.value.into_owned())
                    .unwrap_or_default()
            };
            match outline.local(node) {
                "Override" => {
                    let part = crate::formats::opc::part_name(&value("PartName"));
                    let new = self.retyped.iter().find(|(name, _)| *name == part);
                    if self.gone.contains(&part) {
                        edits.delete(node.whole());
                    } else if let Some((_, to)) = new
                        && let Some(attribute) = outline.attribute(node, "ContentType")
                    {
                        edits.replace(attribute.inside, to);
                        missing.retain(|(name, _)| *name != part);
                    }
                }
                "Default" => {
                    let extension = value("Extension").to_ascii_lowercase();
                    let project = self.no_project && is_project(&value("ContentType"));
                    if self.unused.contains(&extension) || project {
                        edits.delete(node.whole());
                    }
                }
                _ => {}
            }
        }
        add_missing(outline, &missing, edits);
    }
}

fn is_project(media_type: &str) -> bool {
    media_type.to_ascii_lowercase().contains("vbaproject")
}

/// Entries for parts whose type came from their extension.
fn add_missing(outline: &Outline<'_>, missing: &[(String, &'static str)], edits: &mut Edits) {
    let Some(close) = outline.nodes.first().and_then(|root| root.close.clone()) else {
        return;
    };
    let name = outline.text.get(close.clone()).unwrap_or_default();
    let prefix = name.trim_start_matches("</").split_once(':');
    let prefix = prefix
        .map(|(prefix, _)| format!("{prefix}:"))
        .unwrap_or_default();
    let mut new = String::new();
    for (part, media_type) in missing {
        let part = escape(part);
        new.push_str(&format!(
            "<{prefix}Override PartName=\"{part}\" ContentType=\"{media_type}\"/>"
        ));
    }
    if !new.is_empty() {
        edits.replace(close.start..close.start, &new);
    }
}

/// Replaces main media types that claim macros.
fn plain(outline: &Outline<'_>, edits: &mut Edits, which: &dyn Fn(&str) -> bool) -> bool {
    let mut changed = false;
    for node in &outline.nodes {
        let Some(attribute) = outline.attribute(node, "ContentType") else {
            continue;
        };
        let media_type = attribute.value.trim().to_ascii_lowercase();
        let plain = PLAIN.iter().find(|(claims, ..)| *claims == media_type);
        if let Some((_, to, _)) = plain.filter(|_| which(&media_type)) {
            edits.replace(attribute.inside, to);
            changed = true;
        }
    }
    changed
}

/// A package whose main part no longer claims macros, and the extension that goes with it; none where it claims none.
/// The package must have no macros: nothing else is changed.
pub(in crate::rewrite::disarm) fn without_macros(
    data: &Bytes,
    budget: &Budget,
) -> Result<Option<(Bytes, &'static str)>, Refusal> {
    let mut package = Package::read(data, budget)?;
    let at = package.types_part;
    let stream = package.parts.get(at).map(|part| part.data.clone());
    let stream = stream.unwrap_or_default();
    let Some(source) = Source::read(&stream) else {
        return Ok(None);
    };
    let outline = Outline::read(&source.text, budget)?;
    let mut edits = Edits::default();
    if !plain(&outline, &mut edits, &|_| true) {
        return Ok(None);
    }
    let claimed = package
        .types
        .overrides
        .values()
        .chain(package.types.defaults.values())
        .map(|media_type| media_type.trim().to_ascii_lowercase());
    let extension = claimed.into_iter().find_map(|media_type| {
        let found = PLAIN.iter().find(|(claims, ..)| *claims == media_type);
        found.map(|(_, _, extension)| *extension)
    });
    let edited = edits.apply(&source.text)?;
    let written = source.written(edited);
    package.change(at, written);
    Ok(Some((
        package.write(budget)?,
        extension.unwrap_or_default(),
    )))
}
