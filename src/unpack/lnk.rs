//! Shortcuts: what they start is a fact; data behind their end and a command that is encoded in their arguments are children.

use crate::formats::{lnk, script};
use crate::model::{Artifact, Fact, Kind, Trouble};

use super::{Child, Nest};

/// Bytes behind the end that are worth a look: writers pad links to a few bytes more.
const APPENDED: usize = 16;

/// Notes what the link starts and pushes what it carries.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let link = lnk::read(&artifact.data)?;
    for deviation in link.deviations {
        nest.deviation(deviation.at, deviation.what);
    }
    if let Some(short) = &link.cut {
        nest.unread(short.offset, format!("shortcut breaks off: {short}"));
    }
    let arguments = link.arguments.unwrap_or_default();
    nest.note(Fact::Shortcut {
        targets: link.targets,
        arguments: arguments.clone(),
        minimized: link.show == 7,
        icon: link.icon,
    });
    for (_, command) in script::encoded_commands(&arguments) {
        nest.push(Child::new("decoded-text", command.into_bytes()).of_kind(Kind::Ps1))?;
    }
    let behind = artifact.data.get(link.end..).unwrap_or_default();
    if behind.len() >= APPENDED && behind.iter().any(|byte| *byte != 0) && link.cut.is_none() {
        let range = link.end..artifact.data.len();
        nest.push(Child::new("appended", artifact.data.slice(range.clone())).at(range))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use super::*;

    fn link(arguments: &str, behind: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 0x4c];
        out[..20].copy_from_slice(b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46");
        out[20] = 0x20 | 0x80;
        let units: Vec<u16> = arguments.encode_utf16().collect();
        out.extend(u16::try_from(units.len()).unwrap().to_le_bytes());
        out.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        out.extend([0; 4]);
        out.extend(behind);
        out
    }

    #[test]
    fn what_a_shortcut_carries_is_a_child() {
        let data = link("/c more +1", b"%PDF-1.4 and so on, to be taken out");
        let (children, facts) = opened("lnk", &data);
        assert_eq!(children.len(), 1);
        assert_eq!(children[0].via, Some("appended"));
        assert!(facts.iter().any(
            |fact| matches!(fact, Fact::Shortcut { arguments, .. } if arguments == "/c more +1")
        ));
        let (children, _) = opened("lnk", &link("-enc VwByAGkAdABlAC0ASABvAHMAdAAgADEA", &[]));
        assert_eq!(children[0].kind, Kind::Ps1);
        assert_eq!(&children[0].data[..], b"Write-Host 1");
    }
}
