//! ar archives and Debian packages: every member is a slice.

use crate::formats::ar::{MAGIC, Members};
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest};

/// Pushes every member.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    if !data.starts_with(MAGIC) {
        return Err(Trouble::NotThis("no ar magic".to_owned()));
    }
    let mut members = Members::new(data);
    // Ends because each member takes at least its header.
    loop {
        nest.tick()?;
        let member = match members.next_member() {
            Ok(Some(member)) => member,
            Ok(None) => return Ok(()),
            Err(short) => {
                nest.note(Trouble::from(short).into_fact("the rest of the archive"));
                return Ok(());
            }
        };
        if member.is_table {
            continue;
        }
        let name = Name::from_raw(&member.name);
        let shown = text::excerpt(&name.text);
        let end = member.data.end.min(data.len());
        let range = member.data.start.min(end)..end;
        nest.push(
            Child::new("ar-member", data.slice(range.clone()))
                .named(name)
                .at(range),
        )?;
        if member.data.end > data.len() {
            let missing = member.data.end.saturating_sub(data.len());
            nest.unread(end, format!("{shown}: {missing} bytes lie beyond the end"));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::model::Fact;
    use crate::unpack::tests::opened;

    pub(crate) fn member(name: &str, data: &[u8]) -> Vec<u8> {
        let mut out = format!(
            "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
            0,
            0,
            0,
            644,
            data.len()
        )
        .into_bytes();
        out.extend(data);
        if data.len() % 2 == 1 {
            out.push(b'\n');
        }
        out
    }

    #[test]
    fn short_and_long_names_of_both_kinds_are_read() {
        let data = [
            b"!<arch>\n".to_vec(),
            member("//", b"a-name-that-is-quite-long.txt/\n"),
            member("/0", b"one"),
            member("b.txt/", b"two"),
            member("#1/8", b"c.txt\0\0\0three"),
        ]
        .concat();
        let (children, facts) = opened("ar", &data);
        assert_eq!(facts, []);
        let got: Vec<_> = children
            .iter()
            .map(|c| (c.label(), c.data.as_ref()))
            .collect();
        let wanted = [
            ("a-name-that-is-quite-long.txt", b"one".as_slice()),
            ("b.txt", b"two"),
            ("c.txt", b"three"),
        ];
        assert_eq!(got, wanted);
    }

    #[test]
    fn what_is_cut_is_told() {
        let data = [b"!<arch>\n".to_vec(), member("a", b"one two")].concat();
        let (children, facts) = opened("ar", &data[..data.len() - 4]);
        assert_eq!(children[0].data.as_ref(), b"one ");
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
    }
}
