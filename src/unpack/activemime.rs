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
