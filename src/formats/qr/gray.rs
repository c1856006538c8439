//! Pictures as brightness.

/// A picture's brightness, row by row from the top; 0 is black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gray {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<u8>,
}

impl Gray {
    /// A picture of these pixels; `None` where they are fewer than its size says.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        let size = width.checked_mul(height)?;
        (size > 0 && pixels.len() >= size).then_some(Self {
            width,
            height,
            pixels,
        })
    }

    /// Its pixels.
    pub fn pixels(&self) -> u64 {
        crate::bytes::length(self.pixels.len())
    }

    /// The picture with another of the same height at its right.
    pub fn beside(&self, other: &Self) -> Option<Self> {
        let height = self.height.min(other.height);
        let width = self.width.checked_add(other.width)?;
        let rows = self.pixels.chunks_exact(self.width);
        let others = other.pixels.chunks_exact(other.width);
        let rows = rows.zip(others).take(height);
        let pixels = rows.flat_map(|(left, right)| left.iter().chain(right).copied());
        Self::new(width, height, pixels.collect())
    }

    /// The picture with another of the same width below it.
    pub fn above(&self, other: &Self) -> Option<Self> {
        let width = self.width.min(other.width);
        let height = self.height.checked_add(other.height)?;
        let rows = self.pixels.chunks_exact(self.width);
        let rows = rows.chain(other.pixels.chunks_exact(other.width));
        let pixels = rows.flat_map(|row| row.iter().take(width).copied());
        Self::new(width, height, pixels.collect())
    }

    /// The picture at half its size where it is larger than any code has to be.
    pub(super) fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let rows = self.pixels.chunks_exact(self.width);
        let (even, odd) = (rows.clone().step_by(2), rows.skip(1).step_by(2));
        let mut pixels = Vec::with_capacity(width.saturating_mul(height));
        for (upper, lower) in even.zip(odd).take(height) {
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            pixels.extend(pairs.take(width).map(|(upper, lower)| {
                let sum: u16 = upper.iter().chain(lower).map(|one| u16::from(*one)).sum();
                u8::try_from(sum / 4).unwrap_or(u8::MAX)
            }));
        }
        Self {
            width,
            height,
            pixels,
        }
    }
}
