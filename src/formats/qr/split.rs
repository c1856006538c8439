//! Pictures in two colours, by what counts as dark.

use super::gray::Gray;
use super::number;

/// A picture of two colours: a bit for each pixel, set where it is dark.
pub(super) struct Bitmap {
    pub(super) width: usize,
    /// Words of a row.
    pub(super) stride: usize,
    /// The first pixel is the lowest bit. Behind the last one of a row its colour goes on.
    pub(super) words: Vec<u64>,
}

impl Bitmap {
    /// An empty one with room for a picture.
    fn new(width: usize, height: usize) -> Self {
        let stride = width.div_ceil(64);
        Self {
            width,
            stride,
            words: Vec::with_capacity(stride.saturating_mul(height)),
        }
    }

    /// Adds a row: 1 where it is dark, else 0.
    fn push(&mut self, dark: &[u8]) {
        let (whole, rest) = dark.as_chunks::<64>();
        self.words.extend(whole.iter().map(word));
        if let Some(last) = rest.last() {
            let mut padded = [*last; 64];
            for (to, from) in padded.iter_mut().zip(rest) {
                *to = *from;
            }
            self.words.push(word(&padded));
        }
    }

    /// Whether a pixel is dark; `None` outside of the picture.
    pub(super) fn pixel(&self, x: usize, y: usize) -> Option<bool> {
        if x >= self.width {
            return None;
        }
        let word = self
            .words
            .get(y.checked_mul(self.stride)?.checked_add(x / 64)?)?;
        Some(word >> (x % 64) & 1 == 1)
    }
}

impl Gray {
    /// Dark where a pixel is darker than the middle between the darkest and the brightest one.
    pub(super) fn split_in_the_middle(&self) -> Bitmap {
        let low = self.pixels.iter().copied().fold(u8::MAX, u8::min);
        let high = self.pixels.iter().copied().fold(0, u8::max);
        let sum = u16::from(low).saturating_add(u16::from(high));
        let middle = u8::try_from(sum.div_ceil(2)).unwrap_or(u8::MAX);
        let mut bitmap = Bitmap::new(self.width, self.height);
        let mut dark = vec![0u8; self.width];
        for row in self.pixels.chunks_exact(self.width) {
            for (dark, one) in dark.iter_mut().zip(row) {
                *dark = u8::from(*one < middle);
            }
            bitmap.push(&dark);
        }
        bitmap
    }

    /// Dark where a pixel is darker than its surroundings, a quarter of the picture wide.
    ///
    /// Nothing in it wraps: the brightness of a whole picture of sixteen million pixels fits 32 bits, and none is as
    /// large. Written so that the compiler goes over several pixels at a time.
    pub(super) fn split_by_surroundings(&self) -> Bitmap {
        let reach = (self.width / 8).max(8);
        let window = reach.saturating_mul(2).saturating_add(1);
        let mut bitmap = Bitmap::new(self.width, self.height);
        // Sums of columns over the rows of the window.
        let mut columns = vec![0u32; self.width];
        // Sums of the columns in front of each, from half a window in front of the first one to half a window behind
        // the last one.
        let mut sums = vec![0u32; self.width.saturating_add(window)];
        // Columns in the window around each.
        let spans: Vec<u32> = (0..self.width)
            .map(|x| {
                let to = x.saturating_add(reach).saturating_add(1).min(self.width);
                number(to.saturating_sub(x.saturating_sub(reach)))
            })
            .collect();
        let mut dark = vec![0u8; self.width];
        let row = |number: usize| {
            let start = number.saturating_mul(self.width);
            self.pixels
                .get(start..start.saturating_add(self.width))
                .unwrap_or_default()
        };
        for number in 0..reach.min(self.height) {
            add(&mut columns, row(number));
        }
        for y in 0..self.height {
            if y.saturating_add(reach) < self.height {
                add(&mut columns, row(y.saturating_add(reach)));
            }
            if let Some(gone) = y.checked_sub(reach.saturating_add(1)) {
                for (sum, one) in columns.iter_mut().zip(row(gone)) {
                    *sum = sum.wrapping_sub(u32::from(*one));
                }
            }
            let first = y.saturating_sub(reach);
            let last = y.saturating_add(reach).min(self.height.saturating_sub(1));
            let rows = number(last.saturating_sub(first).saturating_add(1));
            let mut sum = 0u32;
            let mut places = sums.iter_mut().skip(reach.saturating_add(1));
            for (column, place) in columns.iter().zip(places.by_ref()) {
                sum = sum.wrapping_add(*column);
                *place = sum;
            }
            places.for_each(|place| *place = sum);
            let ends = sums.get(window..).unwrap_or_default();
            let around = sums.iter().zip(ends).zip(&spans);
            for ((dark, one), ((start, end), span)) in dark.iter_mut().zip(row(y)).zip(around) {
                let area = span.wrapping_mul(rows);
                let level = u32::from(*one).wrapping_mul(area);
                *dark = u8::from(level < end.wrapping_sub(*start));
            }
            bitmap.push(&dark);
        }
        bitmap
    }
}

/// The lowest bits of 64 bytes.
fn word(bytes: &[u8; 64]) -> u64 {
    /// Moves the lowest bits of eight bytes beside each other, into the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = bytes.as_chunks::<8>();
    eights.iter().rev().fold(0, |word, eight| {
        let bits = u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56;
        word << 8 | bits
    })
}

fn add(columns: &mut [u32], row: &[u8]) {
    for (sum, one) in columns.iter_mut().zip(row) {
        *sum = sum.wrapping_add(u32::from(*one));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(width: usize, height: usize) -> Gray {
        let mut state = 0x1234_5678u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        let pixels = (0..width * height).map(|_| next()).collect();
        Gray::new(width, height, pixels).unwrap()
    }

    #[test]
    fn pixels_are_dark_where_their_surroundings_are_brighter() {
        for (width, height) in [(21, 21), (64, 30), (65, 100), (200, 90), (5, 3), (130, 17)] {
            let gray = noise(width, height);
            let at = |x: usize, y: usize| u64::from(gray.pixels[y * width + x]);
            let (low, high) = gray.pixels.iter().fold((255u64, 0), |(low, high), one| {
                (low.min(u64::from(*one)), high.max(u64::from(*one)))
            });
            let middle = gray.split_in_the_middle();
            let around = gray.split_by_surroundings();
            let reach = (width / 8).max(8);
            let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            for (x, y) in places {
                assert_eq!(middle.pixel(x, y), Some(at(x, y) * 2 < low + high));
                let rows = y.saturating_sub(reach)..=(y + reach).min(height - 1);
                let columns = x.saturating_sub(reach)..=(x + reach).min(width - 1);
                let window: Vec<u64> = rows
                    .flat_map(|row| columns.clone().map(move |column| (column, row)))
                    .map(|(column, row)| at(column, row))
                    .collect();
                let (sum, count) = (window.iter().sum::<u64>(), window.len() as u64);
                assert_eq!(around.pixel(x, y), Some(at(x, y) * count < sum), "{x} {y}");
            }
            assert_eq!(middle.pixel(width, 0), None);
            assert_eq!(middle.pixel(0, height), None);
        }
    }
}
