//! Programs under a mask: taken off, the program is a child.

use crate::formats::masked;
use crate::identify;
use crate::model::{Artifact, Family, Kind, Trouble};

use super::{Child, Nest, encoded};

/// Kinds that may be a mask: zeros under a key may look like letters.
pub(super) const KINDS: &[Kind] = &[Kind::Data, Kind::OleStream, Kind::Text];

/// Longest file that is looked at: loaders unmask what they hold in memory.
const LONGEST: usize = 64 << 20;

/// Pushes the program.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if artifact.data.len() > LONGEST {
        return Ok(());
    }
    if let Some((program, _)) = masked::program(&artifact.data) {
        nest.budget().spend(program.len())?;
        return nest.push(Child::new("decoded-text", program)).map(|_| ());
    }
    by_script(artifact, nest)
}

/// Bytes from which a kind shows.
const HEAD: usize = 4096;

/// Pushes what comes out under a key of the script that the bytes were decoded in.
fn by_script(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if artifact.via != Some("decoded-text") || artifact.data.len() < 16 {
        return Ok(());
    }
    let Some(script) = nest.parent() else {
        return Ok(());
    };
    if !matches!(script.kind.family(), Family::Script | Family::Web)
        && script.kind != Kind::VbaSource
    {
        return Ok(());
    }
    let head = artifact.data.get(..HEAD).unwrap_or(&artifact.data);
    for key in masked::keys(&script.data) {
        nest.budget().spend(head.len())?;
        let bare = masked::without(head, &key);
        let kind = identify::identify(&bare, nest.budget()).kind;
        let told = encoded::counts(kind) && !matches!(kind, Kind::Dos | Kind::Gz | Kind::Z);
        if told || is_script_text(&bare) {
            nest.budget().spend(artifact.data.len())?;
            let whole = masked::without(&artifact.data, &key);
            nest.push(Child::new("decoded-text", whole))?;
            break;
        }
    }
    Ok(())
}

/// Whether bytes are plain text with an address, as a script of one command is.
fn is_script_text(bare: &[u8]) -> bool {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let has = |word: &[u8]| memchr::memmem::find(bare, word).is_some();
    bare.iter().all(plain) && (has(b"http://") || has(b"https://"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{opened, pe};

    #[test]
    fn a_masked_program_is_a_child() {
        let masked: Vec<u8> = pe().iter().map(|byte| byte ^ 0xa5).collect();
        let (children, _) = opened("masked", &masked);
        assert_eq!(children.len(), 1);
        assert_eq!(&children[0].data[..], pe());
    }
}
