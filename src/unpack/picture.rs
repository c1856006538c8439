//! Pictures: the text of a QR code in them becomes a child, so that it is looked at as any text is.

use image::ImageFormat;

use crate::formats::qr::{self, Gray};
use crate::formats::{icon, picture, tiff};
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
    Kind::Ico,
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
    if artifact.kind == Kind::Ico {
        for picture in icon::pictures(&artifact.data) {
            match picture {
                icon::Picture::Png(data) => encoded(data, ImageFormat::Png, nest)?,
                icon::Picture::Bitmap(data) => encoded(&data, ImageFormat::Bmp, nest)?,
            }
        }
        return Ok(());
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
    for (number, gray) in picture::ways(data, format).iter().enumerate() {
        let before = nest.len();
        if number > 0 && !nest.budget().may_look(gray.pixels()) {
            break;
        }
        push(gray, nest)?;
        if nest.len() > before {
            break;
        }
    }
    Ok(())
}

/// Pushes the texts of codes in a picture that is paid for.
pub(super) fn push(gray: &Gray, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    for text in qr::read(gray, nest.budget())? {
        nest.push(Child::new(VIA, text.into_bytes()).else_kind(Kind::Text))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use super::*;
    use crate::formats::drawing::tests::{CODE, SAYS};

    /// A code in a picture of four bytes a pixel: red, green, blue, opacity.
    fn code(dark: [u8; 4], light: [u8; 4]) -> image::RgbaImage {
        const SCALE: u32 = 4;
        const EDGE: u32 = 4;
        let rows: Vec<&[u8]> = CODE.lines().map(str::as_bytes).collect();
        let side = u32::try_from(rows.len()).unwrap() + 2 * EDGE;
        image::RgbaImage::from_fn(side * SCALE, side * SCALE, |x, y| {
            let place = |at: u32| usize::try_from((at / SCALE).checked_sub(EDGE)?).ok();
            let of = || rows.get(place(y)?)?.get(place(x)?);
            image::Rgba(if of() == Some(&b'#') { dark } else { light })
        })
    }

    fn says(data: &[u8]) -> Vec<String> {
        let (children, _) = opened("picture", data);
        let codes = children.iter().filter(|child| child.via == Some(VIA));
        codes
            .map(|child| String::from_utf8_lossy(&child.data).into_owned())
            .collect()
    }

    fn file(picture: &image::RgbaImage, format: ImageFormat) -> Vec<u8> {
        let mut out = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut out, format).unwrap();
        out.into_inner()
    }

    const WHITE: [u8; 4] = [255; 4];
    const CLEAR: [u8; 4] = [255, 255, 255, 0];

    #[test]
    fn light_modules_on_nothing_are_read_and_a_light_shape_says_nothing() {
        for (dark, light) in [(WHITE, CLEAR), (CLEAR, WHITE), ([0, 0, 0, 255], CLEAR)] {
            assert_eq!(says(&file(&code(dark, light), ImageFormat::Png)), [SAYS]);
        }
        assert!(says(&file(&code(WHITE, WHITE), ImageFormat::Png)).is_empty());
        assert!(says(&file(&code(CLEAR, CLEAR), ImageFormat::Png)).is_empty());
    }

    #[test]
    fn the_pictures_of_an_icon_are_looked_at() {
        let icon = |picture: &[u8]| {
            let mut data = vec![0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 32, 0];
            data.extend(u32::try_from(picture.len()).unwrap().to_le_bytes());
            data.extend(22u32.to_le_bytes());
            data.extend(picture);
            data
        };
        let picture = code([0, 0, 0, 255], WHITE);
        assert_eq!(says(&icon(&file(&picture, ImageFormat::Png))), [SAYS]);
        for picture in [picture, code(WHITE, CLEAR)] {
            let side = picture.width();
            let mut bitmap = Vec::new();
            for number in [40, side, side * 2, 0x20_0001, 0, 0, 0, 0, 0, 0] {
                bitmap.extend(number.to_le_bytes());
            }
            for row in picture.rows().rev() {
                bitmap.extend(row.flat_map(|pixel| [pixel[2], pixel[1], pixel[0], pixel[3]]));
            }
            // The mask below.
            bitmap.resize(bitmap.len() + picture.len() / 8, 0);
            assert_eq!(says(&icon(&bitmap)), [SAYS]);
        }
        assert!(says(&icon(&[40, 0, 0, 0])).is_empty());
    }
}
