//! ActiveMime, the wrapper that Office puts around a compressed compound file in web archives and Word 2003 XML.
//!
//! The format is not published. A zlib stream stands at an offset that differs between writers; here it is the
//! first one, the usual places before others, that inflates to a compound file, or else to anything.

use crate::bytes::{index, u16_at};
use crate::formats::ole::is_compound;
use crate::formats::ppt::zlib_follows;
use crate::limits::{Decoded, Fault, Halt};
use crate::model::{Artifact, Trouble};

use super::{Child, Nest, Payload};

/// Where Office's own writers put the zlib stream.
const USUAL: [usize; 2] = [0x32, 0x22a];

/// Places that are tried at the most: a wrapper made of zlib headers alone must end.
const TRIES: usize = 256;

/// Pushes what is wrapped.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = artifact.data.as_ref();
    // Office writes the distance from byte 0x2e at 0x1e.
    let told = u16_at(data, 0x1e).map(|distance| index(distance).saturating_add(0x2e));
    let usual = told.into_iter().chain(USUAL);
    let anywhere = memchr::memchr_iter(b'x', data).filter(|&at| {
        let size = at.checked_sub(4);
        size.and_then(|size| data.get(size..))
            .is_some_and(zlib_follows)
    });
    let mut best: Option<(usize, Decoded)> = None;
    for at in usual.chain(anywhere).take(TRIES) {
        nest.tick()?;
        let packed = data.get(at..).unwrap_or_default();
        let decoded = nest.inflate(packed, 0, flate2::bufread::ZlibDecoder::new);
        if let Some(Fault::Halt(halt @ (Halt::OutOfTime | Halt::Unpacked | Halt::Ratio))) =
            decoded.fault
        {
            return Err(halt.into());
        }
        if is_compound(&decoded.data) {
            best = Some((at, decoded));
            break;
        }
        let longer = best
            .as_ref()
            .is_none_or(|(_, other)| other.data.len() < decoded.data.len());
        if longer && !decoded.data.is_empty() {
            best = Some((at, decoded));
        }
    }
    let Some((at, decoded)) = best else {
        return Err(Trouble::Broken(
            "ActiveMime: no zlib stream in it".to_owned(),
        ));
    };
    let child = Child::new("activemime", Payload::Paid(decoded.data.into()));
    nest.push_decoded(child, decoded.fault, &format!("ActiveMime at {at}"))?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;
    use crate::limits::{Budget, Limits};
    use crate::model::Kind;
    use crate::unpack::Seen;

    fn unpack(data: Vec<u8>) -> Result<Vec<Vec<u8>>, Trouble> {
        let artifact = Artifact::alone(Kind::ActiveMime, data.into());
        let budget = Budget::new(Limits::default(), None);
        let mut seen = Seen::default();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        run(&artifact, &mut nest)?;
        Ok(nest
            .children
            .iter()
            .map(|child| child.data.to_vec())
            .collect())
    }

    fn packed(data: &[u8]) -> Vec<u8> {
        let mut encoder =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// A wrapper with the stream at `offset`.
    pub(crate) fn wrapped(offset: usize, data: &[u8]) -> Vec<u8> {
        let mut out = b"ActiveMime".to_vec();
        out.resize(offset, 0);
        out.extend(packed(data));
        out
    }

    fn ole() -> Vec<u8> {
        let mut ole = crate::formats::ole::SIGNATURE.to_vec();
        ole.extend([0; 600]);
        ole
    }

    #[test]
    fn the_compound_file_is_found_at_any_offset() {
        for offset in [0x32, 0x22a, 0x3e, 100] {
            assert_eq!(unpack(wrapped(offset, &ole())), Ok(vec![ole()]), "{offset}");
        }
    }

    #[test]
    fn a_decoy_before_the_compound_file_does_not_hide_it() {
        let mut data = wrapped(0x32, b"decoy");
        data.extend(packed(&ole()));
        assert_eq!(unpack(data), Ok(vec![ole()]));
    }

    #[test]
    fn a_cut_stream_gives_what_is_there_and_none_is_trouble() {
        let whole = wrapped(0x32, &ole());
        assert!(unpack(whole[..whole.len() - 4].to_vec()).unwrap()[0].starts_with(&ole()));
        assert!(matches!(
            unpack(b"ActiveMime and nothing".to_vec()),
            Err(Trouble::Broken(_))
        ));
    }
}
