//! Programs under a mask: taken off, the program is a child.

use crate::formats::masked;
use crate::model::{Artifact, Kind, Trouble};

use super::{Child, Nest};

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
        nest.push(Child::new("decoded-text", program))?;
    }
    Ok(())
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
