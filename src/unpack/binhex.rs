//! BinHex 4.0 (RFC 1741): both forks of the file.

use bytes::Bytes;

use crate::formats::binhex;
use crate::model::{Artifact, Name, Trouble};

use super::{Child, Nest, Payload};

/// Pushes the data fork under the file's name, and the resource fork where there is one.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let start = binhex::start(&artifact.data)
        .ok_or_else(|| Trouble::Broken("no colon behind the BinHex line".to_owned()))?;
    let text = artifact.data.get(start..).unwrap_or_default();
    let mut decoder = binhex::Decoder::new(text);
    let decoded = nest.read(&mut decoder, text.len(), 0);
    let plain = Bytes::from(decoded.data);
    let file = binhex::file(&plain)?;
    // What a limit cut off is no damage.
    if file.missing > 0 && decoded.fault.is_none() {
        nest.unread(
            artifact.data.len(),
            format!("{} bytes of the file are missing", file.missing),
        );
    }
    for part in &file.wrong {
        nest.deviation(start, format!("the checksum of the {part} does not hold"));
    }
    let name = Name::from_raw(file.name);
    let fork = |range: std::ops::Range<usize>| Payload::Paid(plain.slice(range));
    let child = Child::new("binhex", fork(file.data)).named(name.clone());
    nest.push_decoded(child, decoded.fault, &name.text)?;
    if !file.resource.is_empty() {
        nest.push(Child::new("binhex-resource", fork(file.resource)).named(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use crate::formats::binhex::tests::encoded;
    use crate::model::Fact;

    #[test]
    fn the_forks_are_children() {
        let name = encoding_rs::SHIFT_JIS.encode("資料.exe").0;
        let (children, facts) = opened("binhex", &encoded(&name, b"MZ and more", b"resource"));
        assert_eq!(facts, []);
        assert_eq!(children[0].label(), "資料.exe");
        assert_eq!(children[0].data.as_ref(), b"MZ and more");
        assert_eq!(children[1].data.as_ref(), b"resource");
    }

    #[test]
    fn a_checksum_that_does_not_hold_is_told() {
        let mut text = encoded(b"a.txt", b"MZ and more", b"");
        let at = text.len() - 20;
        text[at] = if text[at] == b'a' { b'b' } else { b'a' };
        let (children, facts) = opened("binhex", &text);
        assert_eq!(children.len(), 1);
        assert!(
            matches!(facts.as_slice(), [Fact::Deviation { what, .. }] if what.contains("data")),
            "{facts:?}"
        );
    }

    #[test]
    fn a_cut_file_is_unread() {
        let varied: Vec<u8> = (0..90).collect();
        let text = encoded(b"a.txt", &varied, b"");
        let (children, facts) = opened("binhex", &text[..text.len() - 60]);
        assert_eq!(children.len(), 1);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
    }
}
