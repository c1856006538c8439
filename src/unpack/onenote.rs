//! OneNote sections: every embedded file becomes a child.

use crate::formats::onestore;
use crate::identify;
use crate::model::{Artifact, Family, Name, Trouble};

use super::{Child, Nest};

/// How an embedded file is reached.
pub(super) const VIA: &str = "onenote-file";

/// Pushes every embedded file, pictures of the pages too.
///
/// Names stand apart from the files; where there are as many as files that are no pictures, each has its own.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    if onestore::is_packed(data) {
        return Err(Trouble::NoReader("section as services send it".to_owned()));
    }
    let files = onestore::files(data);
    let is_picture = |file: &onestore::File, nest: &Nest<'_>| {
        let bytes = data.get(file.data.clone()).unwrap_or_default();
        identify::identify(bytes, nest.budget()).kind.family() == Family::Image
    };
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
