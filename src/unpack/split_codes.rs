//! QR codes that two pictures show half and half, side by side or one above the other, in a page or a mail: put together
//! they are read as one. Their texts become children of what holds the pictures.
//!
//! Only neighbours are tried that fit together: of one height or width, and square together.

use image::ImageFormat;

use crate::formats::picture;
use crate::formats::qr;
use crate::model::{Artifact, Kind, Trouble};

use super::{Child, Nest};

/// What may hold pictures that are shown together.
pub(super) const KINDS: &[Kind] = &[Kind::Eml, Kind::Mht, Kind::Html];

/// How the text of a code is reached.
const VIA: &str = "qr-code";

/// Pictures of one page that are looked at, and pairs of them that are put together.
const PICTURES: usize = 32;
const PAIRS: usize = 6;

/// Pixels of a half at the most.
const LARGEST: u64 = 1 << 20;

struct Half {
    data: bytes::Bytes,
    format: ImageFormat,
    width: u32,
    height: u32,
}

/// Pushes the texts of codes in pairs of pictures.
pub(super) fn run(_: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let halves: Vec<Half> = nest
        .children
        .iter()
        .filter_map(half)
        .take(PICTURES)
        .collect();
    let mut tried = 0usize;
    for pair in halves.windows(2) {
        let [first, second] = pair else { continue };
        let (beside, above) = (
            is_square_beside(first, second),
            is_square_above(first, second),
        );
        if !beside && !above {
            continue;
        }
        tried = tried.saturating_add(1);
        if tried > PAIRS {
            break;
        }
        let pixels = |half: &Half| u64::from(half.width).saturating_mul(u64::from(half.height));
        // Each of them once, and what they are together in either order.
        let cost = pixels(first)
            .saturating_add(pixels(second))
            .saturating_mul(3);
        if !nest.budget().may_look(cost) {
            break;
        }
        let (Some(first), Some(second)) = (
            picture::gray(&first.data, first.format),
            picture::gray(&second.data, second.format),
        ) else {
            continue;
        };
        for (one, other) in [(&first, &second), (&second, &first)] {
            let whole = if beside {
                one.beside(other)
            } else {
                one.above(other)
            };
            let Some(whole) = whole else { continue };
            let texts = qr::read(&whole, nest.budget())?;
            let found = !texts.is_empty();
            for text in texts {
                push(text, nest)?;
            }
            if found {
                break;
            }
        }
    }
    Ok(())
}

/// Pushes a text unless one of the halves shows it alone, which the reader of pictures tells.
fn push(text: String, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if !nest.holds(text.as_bytes()) {
        nest.push(Child::new(VIA, text.into_bytes()).else_kind(Kind::Text))?;
    }
    Ok(())
}

fn half(child: &Artifact) -> Option<Half> {
    let format = super::picture::format(child.kind)?;
    let (width, height) = picture::size(&child.data, format)?;
    let pixels = u64::from(width).checked_mul(u64::from(height))?;
    // The narrower side of a half of the smallest code is that of some ten modules.
    let fits = width.min(height) >= 10 && pixels <= LARGEST;
    fits.then(|| Half {
        data: child.data.clone(),
        format,
        width,
        height,
    })
}

/// Whether two sides are nearly of one length.
fn nearly(one: u32, other: u32) -> bool {
    one.abs_diff(other).saturating_mul(8) <= one.max(other)
}

fn is_square_beside(first: &Half, second: &Half) -> bool {
    first.height.abs_diff(second.height) <= 2
        && nearly(first.width.saturating_add(second.width), first.height)
}

fn is_square_above(first: &Half, second: &Half) -> bool {
    first.width.abs_diff(second.width) <= 2
        && nearly(first.height.saturating_add(second.height), first.width)
}
