//! Pictures: the text of a QR code in them becomes a child, so that it is looked at as any text is.

use image::ImageFormat;

use crate::formats::qr::{self, Gray};
use crate::formats::{picture, tiff};
use crate::model::{Artifact, Kind, Trouble};

use super::{Child, Nest};

/// How the text of a code is reached.
const VIA: &str = "qr-code";

/// Kinds that are looked into.
pub(super) const KINDS: &[Kind] = &[
    Kind::Png,
    Kind::Jpg,
    Kind::Gif,
    Kind::Bmp,
    Kind::Webp,
    Kind::Tif,
];

/// Pushes the texts of codes. A picture that cannot be decoded hides nothing else, so that is no trouble.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if artifact.kind == Kind::Tif {
        let may = tiff::pixels(&artifact.data).is_some_and(|pixels| nest.budget().may_look(pixels));
        return match may.then(|| tiff::gray(&artifact.data)).flatten() {
            Some(gray) => push(&gray, nest),
            None => Ok(()),
        };
    }
    match format(artifact.kind) {
        Some(format) => encoded(&artifact.data, format, nest),
        None => Ok(()),
    }
}

/// How a picture of this kind is decoded.
pub(super) fn format(kind: Kind) -> Option<ImageFormat> {
    Some(match kind {
        Kind::Png => ImageFormat::Png,
        Kind::Jpg => ImageFormat::Jpeg,
        Kind::Gif => ImageFormat::Gif,
        Kind::Bmp => ImageFormat::Bmp,
        Kind::Webp => ImageFormat::WebP,
        _ => return None,
    })
}

/// Pushes the texts of codes in a picture of this format.
pub(super) fn encoded(
    data: &[u8],
    format: ImageFormat,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let Some(pixels) = picture::pixels(data, format) else {
        return Ok(());
    };
    if !nest.budget().may_look(pixels) {
        return Ok(());
    }
    match picture::gray(data, format) {
        Some(gray) => push(&gray, nest),
        None => Ok(()),
    }
}

/// Pushes the texts of codes in a picture that is paid for.
pub(super) fn push(gray: &Gray, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    for text in qr::read(gray, nest.budget())? {
        nest.push(Child::new(VIA, text.into_bytes()).else_kind(Kind::Text))?;
    }
    Ok(())
}
