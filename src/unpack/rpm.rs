//! RPM packages: the payload, a compressed cpio archive, becomes a child.

use crate::formats::rpm;
use crate::model::{Artifact, Trouble};

use super::{Child, Nest};

/// Pushes the payload.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let start = rpm::payload(data)?.min(data.len());
    let payload = data.slice(start..);
    nest.push(Child::new("rpm-payload", payload).at(start..data.len()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::unpack::tests::opened;

    #[test]
    fn the_payload_stands_behind_two_headers() {
        let mut data = [0xed, 0xab, 0xee, 0xdb, 3, 0].to_vec();
        data.resize(96, 0);
        let header = |entries: u32, size: u32| {
            let mut out = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
            out.extend(entries.to_be_bytes());
            out.extend(size.to_be_bytes());
            out.resize(out.len() + 16 * entries as usize + size as usize, 7);
            out
        };
        data.extend(header(1, 3));
        data.resize(data.len().next_multiple_of(8), 0);
        data.extend(header(2, 5));
        data.extend(b"payload");
        let (children, facts) = opened("rpm", &data);
        assert_eq!(facts, []);
        assert_eq!(children[0].data.as_ref(), b"payload");
    }
}
