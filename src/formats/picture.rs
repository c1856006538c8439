//! Pictures as brightness: PNG, JPEG, GIF, bitmap, WebP; of moving ones the first frame. Decoded by the crate image.
//!
//! Size is asked before anything is decoded. A picture that is damaged or too large is none: nothing but its codes is
//! looked for in it.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::qr::Gray;
use crate::bytes::index;

/// Least pixels of a side: the smallest code has 21 modules.
const LEAST: u32 = 21;

/// The same, for readers that count in it.
pub(super) const LEAST_SIDE: usize = 21;

/// Pixels of a picture at the most.
const PIXELS: u64 = 4 << 20;

/// The same, for other readers of pictures.
pub(super) const LARGEST: u64 = PIXELS;

/// Brightness above which nothing stands out from white.
const FAINT: u8 = 160;

/// Pixels from which on a picture that hardly compresses is taken for a photograph.
const LARGE: u64 = 1 << 20;

/// Longest file in bytes.
const LONGEST: usize = 8 << 20;

/// The pixels of a picture by its header, where it may show a code.
pub fn pixels(data: &[u8], format: ImageFormat) -> Option<u64> {
    if data.len() > LONGEST {
        return None;
    }
    let reader = ImageReader::with_format(Cursor::new(data), format);
    let (width, height) = reader.into_dimensions().ok()?;
    let pixels = u64::from(width).checked_mul(u64::from(height))?;
    // Codes are plain areas: noise over a large picture is that of a camera.
    let bytes = crate::bytes::length(data.len());
    let noisy = match format {
        ImageFormat::Jpeg => bytes.saturating_mul(2) > pixels,
        ImageFormat::Png | ImageFormat::WebP => bytes > pixels,
        _ => false,
    };
    let fits = width >= LEAST && height >= LEAST && pixels <= PIXELS;
    (fits && !(noisy && pixels > LARGE)).then_some(pixels)
}

/// Width and height of a picture by its header.
pub fn size(data: &[u8], format: ImageFormat) -> Option<(u32, u32)> {
    let data = data.get(..LONGEST).unwrap_or(data);
    let reader = ImageReader::with_format(Cursor::new(data), format);
    reader.into_dimensions().ok()
}

/// Decodes a picture for which [`pixels`] gave a number; what is transparent is white.
pub fn gray(data: &[u8], format: ImageFormat) -> Option<Gray> {
    if let Some(gray) = jpeg_luma(data, format) {
        return Some(gray);
    }
    let picture = decoded(data, format)?;
    let (width, height) = (index(picture.width()), index(picture.height()));
    Gray::new(width, height, brightness(picture))
}

/// Decodes such a picture and shows it in up to two ways: what is transparent as white, and, where nearly nothing is seen
/// so and a part of it is transparent, all that is not as black. Light modules on nothing are seen on a dark page alone.
pub fn ways(data: &[u8], format: ImageFormat) -> Vec<Gray> {
    if let Some(gray) = jpeg_luma(data, format) {
        return vec![gray];
    }
    let Some(picture) = decoded(data, format) else {
        return Vec::new();
    };
    let (width, height) = (index(picture.width()), index(picture.height()));
    let opacity = opacity(&picture);
    let seen = opacity.iter().any(|alpha| *alpha > 128);
    let through = opacity.iter().any(|alpha| *alpha < 128);
    let whole = brightness(picture);
    let faint = seen && through && whole.iter().all(|luma| *luma > FAINT);
    let shape = opacity
        .into_iter()
        .map(|alpha| u8::MAX.saturating_sub(alpha));
    let shape = faint.then(|| Gray::new(width, height, shape.collect()));
    let whole = Gray::new(width, height, whole);
    [whole, shape.flatten()].into_iter().flatten().collect()
}

/// How much is seen of each pixel; nothing for a picture without holes.
fn opacity(picture: &DynamicImage) -> Vec<u8> {
    match picture {
        DynamicImage::ImageLumaA8(gray) => {
            gray.as_raw().iter().skip(1).step_by(2).copied().collect()
        }
        DynamicImage::ImageRgba8(colours) => colours
            .as_raw()
            .iter()
            .skip(3)
            .step_by(4)
            .copied()
            .collect(),
        _ => Vec::new(),
    }
}

/// The brightness that a JPEG holds apart from its colours, which take twice as long to decode; `None` for one that has
/// other components, such as four inks.
fn jpeg_luma(data: &[u8], format: ImageFormat) -> Option<Gray> {
    if format != ImageFormat::Jpeg {
        return None;
    }
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(data), options);
    decoder.decode_headers().ok()?;
    let (width, height) = decoder.dimensions()?;
    let apart = matches!(
        decoder.input_colorspace()?,
        ColorSpace::YCbCr | ColorSpace::Luma
    );
    let pixels = width.checked_mul(height)?;
    if !apart || crate::bytes::length(pixels) > PIXELS {
        return None;
    }
    let mut luma = vec![0; pixels];
    decoder.decode_into(&mut luma).ok()?;
    Gray::new(width, height, luma)
}

fn decoded(data: &[u8], format: ImageFormat) -> Option<DynamicImage> {
    let mut reader = ImageReader::with_format(Cursor::new(data), format);
    let mut limits = Limits::default();
    // Four samples of two bytes each, and as much for the decoder.
    limits.max_alloc = PIXELS.checked_mul(16);
    reader.limits(limits);
    reader.decode().ok()
}

/// The brightness of each pixel. The conversions of the crate go by colour profiles, at many times the cost.
fn brightness(picture: DynamicImage) -> Vec<u8> {
    match picture {
        DynamicImage::ImageLuma8(gray) => gray.into_raw(),
        DynamicImage::ImageLumaA8(gray) => {
            let pixels = gray.as_raw().as_chunks::<2>().0.iter();
            pixels.map(|&[luma, alpha]| on_white(luma, alpha)).collect()
        }
        DynamicImage::ImageRgb8(colours) => {
            let pixels = colours.as_raw().as_chunks::<3>().0.iter();
            pixels.map(|&colour| luma(colour)).collect()
        }
        DynamicImage::ImageRgba8(colours) => {
            let pixels = colours.as_raw().as_chunks::<4>().0.iter();
            pixels
                .map(|&[red, green, blue, alpha]| on_white(luma([red, green, blue]), alpha))
                .collect()
        }
        other if other.color().has_alpha() => {
            brightness(DynamicImage::ImageLumaA8(other.into_luma_alpha8()))
        }
        other => other.into_luma8().into_raw(),
    }
}

/// The brightness of a colour (ITU-R BT.709), in parts of 256.
pub(super) fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let part = |sample: u8, weight: u16| u16::from(sample).wrapping_mul(weight);
    // The weights add up to 256, so that nothing wraps.
    let sum = part(red, 54)
        .wrapping_add(part(green, 183))
        .wrapping_add(part(blue, 19));
    sum.to_be_bytes()[0]
}

/// What is transparent is white.
fn on_white(luma: u8, alpha: u8) -> u8 {
    let seen = u16::from(luma).saturating_mul(u16::from(alpha)) / 255;
    let white = u16::from(u8::MAX.saturating_sub(alpha));
    u8::try_from(seen.saturating_add(white)).unwrap_or(u8::MAX)
}

/// The brightness of samples as a PDF holds them (ISO 32000-2 8.9.5): how many there are for a pixel shows by the length.
pub fn samples(data: &[u8], width: usize, height: usize, bits: usize) -> Option<Gray> {
    let pixels = width.checked_mul(height)?;
    let small = width < index(LEAST) || height < index(LEAST);
    if small || crate::bytes::length(pixels) > PIXELS {
        return None;
    }
    let row = data.len() / height;
    let gray: Vec<u8> = match bits {
        8 => {
            let each = row
                .checked_div(width)
                .filter(|each| (1..=4).contains(each))?;
            // The second sample of a pixel is green, which is most of its brightness; of one sample it is that.
            let nth = usize::from(each >= 3);
            let rows = data.chunks_exact(row).take(height);
            rows.flat_map(|row| row.iter().skip(nth).step_by(each).take(width))
                .copied()
                .collect()
        }
        1 => {
            let row = width.div_ceil(8);
            let rows = data.chunks_exact(row).take(height);
            rows.flat_map(|row| {
                let bits = row
                    .iter()
                    .flat_map(|byte| (0..8u32).map(move |bit| byte.rotate_left(bit) & 0x80));
                bits.take(width).map(|bit| if bit == 0 { 0 } else { 255 })
            })
            .collect()
        }
        _ => return None,
    };
    Gray::new(width, height, gray)
}
