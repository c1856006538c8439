//! A part with new content: encoded as the old one was (RFC 2045 section 6), a notice in front; its header is
//! untouched where its name stays.

use super::renamed::NewForm;
use super::{Content, Edit, Level, quoted, shift};
use crate::formats::header::Breaks;
use crate::formats::mime::Part;
use crate::formats::uuencode;
use crate::model::Artifact;
use crate::rewrite::blocks;
use crate::unpack;

/// Characters of a line of base64 (RFC 2045 section 6.8).
const WIDTH: usize = 76;

/// Multiparts of which every part has a place of its own: what is put between them would be shown as one of them.
const ORDERED: &[&str] = &["multipart/alternative", "multipart/related"];

impl Level {
    /// Puts new content into a part. None where its encoding cannot take it.
    pub(super) fn fill(
        &self,
        data: &[u8],
        place: usize,
        content: &Content,
        notice: &str,
        child: &Artifact,
    ) -> Option<Edit> {
        let eol = self.eol(data);
        let part = self.structure.parts.get(place)?;
        let old = data.get(part.body.clone())?;
        let body = encoded(data, part, content, old, eol)?;
        let renamed = NewForm::of(child, content.extension);
        let renamed = renamed.map(|form| form.header(data, part, eol));
        let delimiter = self.delimiter(data, part).filter(|_| !notice.is_empty());
        // Where nothing changes but the body, nothing else is in the edit.
        let start = match renamed.is_some() || delimiter.is_some() {
            true => part.start,
            false => part.body.start,
        };
        let mut bytes = Vec::new();
        if let Some(delimiter) = delimiter {
            let name = format!("disarmed-{:04}.txt", child.id);
            super::notice_part(notice, &name, eol, &mut bytes);
            bytes.extend_from_slice(delimiter);
            bytes.extend_from_slice(eol);
        }
        let inserted = bytes.len();
        match &renamed {
            Some(header) => bytes.extend_from_slice(header),
            None => bytes.extend_from_slice(data.get(start..part.body.start)?),
        }
        bytes.extend_from_slice(&body);
        Some(Edit {
            range: shift(&(start..part.body.end), self.range.start),
            bytes,
            inserted,
        })
    }

    /// The delimiter line in front of a part, where another part may stand between the two.
    fn delimiter<'d>(&self, data: &'d [u8], part: &Part) -> Option<&'d [u8]> {
        let around = self.structure.parts.get(part.parent?)?;
        if ORDERED.contains(&around.media_type.as_str()) {
            return None;
        }
        let before = data.get(..part.start)?.trim_ascii_end();
        let start = match unpack::breaks(data) {
            Breaks::Cr => memchr::memrchr(b'\r', before),
            Breaks::Lf => memchr::memrchr(b'\n', before),
        };
        let line = before.get(start.map_or(0, |at| at.saturating_add(1))..)?;
        line.starts_with(b"--").then_some(line)
    }
}

/// Content in the encoding of a part.
fn encoded(data: &[u8], part: &Part, new: &Content, old: &[u8], eol: &[u8]) -> Option<Vec<u8>> {
    let content: &[u8] = &new.bytes;
    let encoding = part.header.values(data, "content-transfer-encoding").next();
    let encoding = encoding
        .unwrap_or_default()
        .trim_ascii()
        .to_ascii_lowercase();
    let mut out = match encoding.as_slice() {
        b"base64" => base64(content, eol),
        b"quoted-printable" => quoted::encode_bytes(content, eol),
        b"" | b"7bit" | b"8bit" | b"binary" => {
            // What was ASCII may pass where nothing else does.
            let fits = content.is_ascii() || !old.is_ascii() || encoding == b"binary";
            return fits.then(|| content.to_vec());
        }
        // No specification of mail has it; what stands around the block stays.
        b"x-uuencode" | b"x-uue" | b"uuencode" | b"uue" => {
            let block = uuencode::next(old, 0)?;
            let (before, behind) = (old.get(..block.range.start)?, old.get(block.range.end..)?);
            let filled = blocks::filled(old.get(block.range)?, content, new.extension)?;
            return Some([before, &filled, behind].concat());
        }
        _ => return None,
    };
    let ended = old.ends_with(b"\n") || old.ends_with(b"\r");
    if !ended && out.ends_with(eol) {
        out.truncate(out.len().saturating_sub(eol.len()));
    } else if ended && !out.ends_with(eol) {
        out.extend_from_slice(eol);
    }
    Some(out)
}

/// Base64 in lines that all end.
pub(in crate::rewrite) fn base64(content: &[u8], eol: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len().div_ceil(3).saturating_mul(4));
    for line in content.chunks(WIDTH / 4 * 3) {
        out.extend(crate::formats::base64::encode(line).bytes());
        out.extend_from_slice(eol);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        for len in [0, 1, 2, 3, 56, 57, 58, 1000] {
            let content: Vec<u8> = (0..=255u8).cycle().take(len).collect();
            let text = base64(&content, b"\r\n");
            assert!(
                text.split(|byte| *byte == b'\n')
                    .all(|line| line.len() <= 77)
            );
            assert_eq!(crate::formats::base64::decode(&text).data, content);
            let text = quoted::encode_bytes(&content, b"\r\n");
            let decoded = crate::formats::quoted_printable::decode(&text).data;
            assert_eq!(decoded, content, "{len}");
        }
        let lines = b"a\r\n b \r\n\r\nc=".as_slice();
        let text = quoted::encode_bytes(lines, b"\r\n");
        assert_eq!(text, b"a\r\n b=20\r\n\r\nc=3D");
    }
}
