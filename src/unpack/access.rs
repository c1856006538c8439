//! Databases of Access: the sources of their modules, the ways of linked tables, and macros that start by themselves.
//! What else they hold, attachments among it, is not read, and the database stays one that could not be looked through.

use bytes::Bytes;

use crate::formats::jet::{self, Database};
use crate::formats::ovba::{self, Tail};
use crate::formats::vba::known::has_code;
use crate::limits::{Account, Fault, Halt};
use crate::model::{Artifact, Fact, Kind, Role, Trouble};

use super::{Child, Nest, Payload};

/// Kinds that are read.
pub(super) const KINDS: &[Kind] = &[Kind::Mdb, Kind::Accdb];

/// Modules, and ways of linked tables, of one database.
const MODULES: usize = 2000;
const WAYS: usize = 64;

/// Pushes every source that a long value holds, and notes what the database links to.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let Some(database) = Database::read(&artifact.data) else {
        return Err(Trouble::Broken("the first page is cut".to_owned()));
    };
    if database.is_cut() {
        nest.unread(artifact.data.len(), "the last page is cut");
    }
    if database.is_locked() {
        nest.note(Fact::Locked {
            scheme: "Access password".to_owned(),
            what: None,
        });
        return Ok(());
    }
    let mut ways: Vec<String> = Vec::new();
    for page in database.pages() {
        nest.tick()?;
        for way in jet::remote_ways(&page) {
            if ways.len() < WAYS && !ways.contains(&way) {
                ways.push(way);
            }
        }
    }
    for target in ways {
        nest.note(Fact::External {
            at: None,
            role: Role::Workbook,
            target,
        });
    }
    let mut account = Account::new(crate::bytes::length(artifact.data.len()));
    let (mut modules, mut with_code) = (0usize, 0usize);
    for value in database.long_values(nest.budget())? {
        let mut read_to = 0;
        for at in ovba::find_containers(&value) {
            nest.tick()?;
            if at < read_to || modules >= MODULES {
                continue;
            }
            let body = value.get(at..).unwrap_or_default();
            let got = ovba::decompress(body, Tail::Stop, nest.budget(), &mut account);
            let Some(got) = got else { continue };
            if let Some(Fault::Halt(halt @ (Halt::OutOfTime | Halt::Unpacked | Halt::Ratio))) =
                got.fault
            {
                return Err(halt.into());
            }
            read_to = at.saturating_add(1);
            if nest.holds(&got.data) {
                continue;
            }
            modules = modules.saturating_add(1);
            with_code = with_code.saturating_add(usize::from(has_code(&got.data)));
            let source = Payload::Paid(Bytes::from(got.data));
            nest.push(Child::new("vba-module", source).of_kind(Kind::VbaSource))?;
        }
    }
    if modules > 0 {
        nest.note(Fact::VbaStorage { modules, with_code });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::jet::tests::database;
    use crate::unpack::tests::opened;

    /// A container of one chunk that is written as it is.
    fn container(source: &str) -> Vec<u8> {
        let mut out = vec![1];
        let mut body = Vec::new();
        for piece in source.as_bytes().chunks(8) {
            body.push(0);
            body.extend(piece);
        }
        let header = u16::try_from(body.len() - 1).unwrap() | 0xb000;
        out.extend(header.to_le_bytes());
        out.extend(body);
        out
    }

    #[test]
    fn sources_in_long_values_are_children_and_ways_are_facts() {
        let source = format!(
            "Attribute VB_Name = \"Module1\"\r\nSub Go()\r\n{}Shell \"x\"\r\nEnd Sub\r\n",
            "' a comment\r\n".repeat(20)
        );
        let value = [vec![7; 3900], container(&source)].concat();
        let file = database(&[&value], b"\x01\x01\0\0\\\\203.0.113.5\\s\\a.mdb\0");
        let (children, facts) = opened("access", &file);
        let sources: Vec<_> = children.iter().map(|child| child.data.to_vec()).collect();
        assert_eq!(sources, [source.into_bytes()]);
        assert!(facts.contains(&Fact::VbaStorage {
            modules: 1,
            with_code: 1
        }));
        let way = |fact: &Fact| matches!(fact, Fact::External { target, .. } if target.ends_with("a.mdb"));
        assert!(facts.iter().any(way));
    }

    #[test]
    fn a_database_that_is_cut_is_told() {
        let whole = database(&[&container("Attribute VB_Name = \"M\"\r\n")], b"");
        let (_, facts) = opened("access", &whole[..whole.len() - 9]);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }, ..]),
            "{facts:?}"
        );
    }
}
