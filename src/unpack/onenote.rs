//! OneNote sections: every embedded file becomes a child.

use std::ops::Range;

use crate::formats::{fsshttpb, onestore};
use crate::identify;
use crate::model::{Artifact, Family, Kind, Name, Trouble};

use super::{Child, Nest};

/// How an embedded file is reached.
pub(super) const VIA: &str = "onenote-file";

/// Pushes every embedded file, pictures of the pages too.
///
/// Names stand apart from the files; where there are as many as files that are no pictures, each has its own.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let mut files = onestore::files(data);
    let kind = |range: &Range<usize>, nest: &Nest<'_>| {
        let bytes = data.get(range.clone()).unwrap_or_default();
        identify::identify(bytes, nest.budget()).kind
    };
    if onestore::is_packed(data) {
        let (items, cut) = fsshttpb::items(data);
        for item in items {
            nest.tick()?;
            // What is no file is properties, which look like nothing.
            let is_known = |kind| !matches!(kind, Kind::Data | Kind::Text | Kind::Empty);
            if item.is_file || is_known(kind(&item.data, nest)) {
                files.push(onestore::File {
                    data: item.data,
                    cut: item.cut,
                });
            }
        }
        if let Some(at) = cut {
            nest.unread(at, "objects of the section");
        }
    }
    let is_picture =
        |file: &onestore::File, nest: &Nest<'_>| kind(&file.data, nest).family() == Family::Image;
    let pictures: Vec<bool> = files.iter().map(|file| is_picture(file, nest)).collect();
    let others = pictures.iter().filter(|picture| !**picture).count();
    let mut names = Vec::new();
    if others > 0 {
        names = onestore::names(data);
    }
    let clear = names.len() == others;
    let mut names = names.into_iter();
    for (file, picture) in files.into_iter().zip(pictures) {
        nest.tick()?;
        let mut child = Child::new(VIA, data.slice(file.data.clone())).at(file.data.clone());
        if !picture
            && clear
            && let Some(name) = names.next()
        {
            child = child.named(Name::of(name));
        }
        nest.push(child)?;
        if file.cut {
            nest.unread(file.data.start, "an embedded file is cut");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::formats::fsshttpb::tests::section;
    use crate::model::{Fact, Kind};
    use crate::unpack::tests::{opened, pe};

    #[test]
    fn a_section_as_services_send_it_gives_its_files() {
        let data = section("請求書.exe", &[&pe(), b"%PDF-1.4 in an object"]);
        let (children, facts) = opened("onenote", &data);
        let kinds: Vec<Kind> = children.iter().map(|child| child.kind).collect();
        assert_eq!(kinds, [Kind::Pe, Kind::Pdf]);
        assert_eq!(facts, []);
        let (children, _) = opened("onenote", &section("請求書.exe", &[&pe()]));
        assert_eq!(children[0].label(), "請求書.exe");
        let (children, facts) = opened("onenote", &data[..data.len() - 20]);
        assert_eq!(children[0].data, pe());
        assert!(
            facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })),
            "{facts:?}"
        );
    }
}
