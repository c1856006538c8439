//! Archives of Electron: every file.

use crate::formats::asar;
use crate::limits::Halt;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest};

/// How many times the length of an archive its files may claim: above it they share bytes, as only bombs do.
const OVERLAP: usize = 4;

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let listing = asar::list(data);
    for unread in listing.unread {
        nest.unread(unread.at, unread.what);
    }
    let mut claimed = 0usize;
    for file in listing.files {
        nest.tick()?;
        claimed = claimed.saturating_add(file.data.len());
        if claimed > data.len().saturating_mul(OVERLAP) {
            return Err(Trouble::TooMuch(Halt::Ceiling("files share their data")));
        }
        if file.is_cut {
            let what = format!("{}: bytes are missing", file.name);
            nest.unread(file.data.end, text::excerpt(&what));
        }
        if !file.data.is_empty() {
            let child = Child::new("asar-member", data.slice(file.data.clone()));
            nest.push(child.at(file.data).named(Name::of(file.name)))?;
        }
    }
    if listing.full {
        return Err(Trouble::TooMuch(Halt::Ceiling("files of an archive")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::formats::asar::tests::archive;
    use crate::model::{Artifact, Fact};
    use crate::unpack::tests::opened;

    #[test]
    fn files_are_children_and_missing_bytes_are_told() {
        let data = archive(&[("見積書.js", b"x(1)")]);
        let (children, facts) = opened("asar", &data);
        let names: Vec<&str> = children.iter().map(Artifact::label).collect();
        assert_eq!(
            (names, facts),
            (vec!["見積書.js", "folder/last.txt"], vec![])
        );
        let (_, facts) = opened("asar", &data[..data.len() - 1]);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
    }
}
