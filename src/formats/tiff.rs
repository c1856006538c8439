//! TIFF pictures as brightness (TIFF 6.0): the first page, in strips or tiles, plain or packed by PackBits, LZW, deflate
//! (Adobe's supplements) or as fax machines do, of one or eight bits a sample. Left out: JPEG, planes apart.

use std::io::Read;

use super::fax::{self, Coding};
use super::picture::{LARGEST, LEAST_SIDE, luma};
use super::qr::Gray;
use crate::bytes::{index, length, slice};

/// Entries of a directory that are read.
const ENTRIES: usize = 256;

/// Strips or tiles of one picture.
const PARTS: usize = 65_536;

/// What the tags of the first page say.
#[derive(Debug, Default)]
struct Page {
    width: usize,
    height: usize,
    bits: usize,
    samples: usize,
    compression: usize,
    /// 0: white is zero, 1: black is zero, 2: colours, 3: of a palette.
    photometric: usize,
    predictor: usize,
    /// 2: the lowest bit of each byte comes first.
    fill_order: usize,
    /// Of T.4: 1 where rows are written in two dimensions too.
    fax_options: usize,
    /// Width and height of one part.
    part: (usize, usize),
    offsets: Vec<usize>,
    counts: Vec<usize>,
    palette: Vec<usize>,
}

struct File<'a> {
    data: &'a [u8],
    little: bool,
}

impl File<'_> {
    fn number(&self, at: usize, len: usize) -> Option<usize> {
        let bytes = slice(self.data, at, len)?.iter();
        let join = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        Some(match self.little {
            true => bytes.rev().fold(0, join),
            false => bytes.fold(0, join),
        })
    }

    /// The values of an entry: numbers of one, two or four bytes.
    fn values(&self, entry: usize) -> Option<Vec<usize>> {
        let size = match self.number(entry.checked_add(2)?, 2)? {
            1 => 1usize,
            3 => 2,
            4 => 4,
            _ => return None,
        };
        let count = self.number(entry.checked_add(4)?, 4)?.min(PARTS);
        let at = entry.checked_add(8)?;
        let from = match count.saturating_mul(size) {
            0..=4 => at,
            _ => self.number(at, 4)?,
        };
        let places = (0..count).map(|nth| from.saturating_add(nth.saturating_mul(size)));
        Some(places.map_while(|at| self.number(at, size)).collect())
    }

    fn page(&self) -> Option<Page> {
        let mut page = Page {
            bits: 1,
            samples: 1,
            compression: 1,
            predictor: 1,
            ..Page::default()
        };
        let mut rows = usize::MAX;
        let directory = self.number(4, 4)?;
        let entries = self.number(directory, 2)?.min(ENTRIES);
        for nth in 0..entries {
            let entry = directory
                .checked_add(2)?
                .checked_add(nth.checked_mul(12)?)?;
            let Some(values) = self.values(entry) else {
                continue;
            };
            let first = values.first().copied().unwrap_or_default();
            match self.number(entry, 2)? {
                256 => page.width = first,
                257 => page.height = first,
                258 => page.bits = first,
                259 => page.compression = first,
                262 => page.photometric = first,
                266 => page.fill_order = first,
                292 => page.fax_options = first,
                273 | 324 => page.offsets = values,
                277 => page.samples = first,
                278 => rows = first,
                279 | 325 => page.counts = values,
                // Planes apart: no code is shown so.
                284 if first != 1 => return None,
                317 => page.predictor = first,
                320 => page.palette = values,
                322 => page.part.0 = first,
                323 => page.part.1 = first,
                _ => {}
            }
        }
        if page.part == (0, 0) {
            page.part = (page.width, rows.min(page.height));
        }
        let sound = matches!(page.bits, 1 | 8)
            && (1..=4).contains(&page.samples)
            && page.width >= LEAST_SIDE
            && page.height >= LEAST_SIDE
            && length(page.width.checked_mul(page.height)?) <= LARGEST
            && page.part.0 > 0
            && page.part.1 > 0
            && length(page.part.0.checked_mul(page.part.1)?) <= LARGEST;
        sound.then_some(page)
    }
}

fn open(data: &[u8]) -> Option<(File<'_>, Page)> {
    let little = match data.first_chunk::<4>()? {
        [b'I', b'I', 42, 0] => true,
        [b'M', b'M', 0, 42] => false,
        _ => return None,
    };
    let file = File { data, little };
    let page = file.page()?;
    Some((file, page))
}

/// The pixels of a picture by its header, where it may show a code.
pub fn pixels(data: &[u8]) -> Option<u64> {
    let (_, page) = open(data)?;
    Some(length(page.width.checked_mul(page.height)?))
}

/// Decodes a picture for which [`pixels`] gave a number; what is missing is white.
pub fn gray(data: &[u8]) -> Option<Gray> {
    let (file, page) = open(data)?;
    let mut out = vec![u8::MAX; page.width.checked_mul(page.height)?];
    let row = page.row_bytes()?;
    let across = page.width.div_ceil(page.part.0);
    let size = row.checked_mul(page.part.1)?;
    for (nth, (at, count)) in page.offsets.iter().zip(&page.counts).enumerate() {
        let left = nth.checked_rem(across)?.checked_mul(page.part.0)?;
        let top = nth.checked_div(across)?.checked_mul(page.part.1)?;
        if top >= page.height {
            break;
        }
        let end = at.saturating_add(*count).min(file.data.len());
        let packed = file.data.get(*at..end).unwrap_or_default();
        // A strip at the end has fewer rows.
        let wanted = size.min(row.saturating_mul(page.height.saturating_sub(top)));
        let plain = page.unpacked(packed, wanted)?;
        for (down, line) in plain.chunks(row).take(page.part.1).enumerate() {
            let from = top
                .checked_add(down)
                .filter(|y| *y < page.height)
                .and_then(|y| y.checked_mul(page.width))
                .and_then(|from| from.checked_add(left));
            let Some(from) = from else { break };
            let len = page.part.0.min(page.width.saturating_sub(left));
            let Some(target) = out.get_mut(from..from.saturating_add(len)) else {
                break;
            };
            page.brightness(line, target);
        }
    }
    Gray::new(page.width, page.height, out)
}

impl Page {
    /// Bytes of one row of a part.
    fn row_bytes(&self) -> Option<usize> {
        let bits = self
            .part
            .0
            .checked_mul(self.samples)?
            .checked_mul(self.bits)?;
        Some(bits.div_ceil(8).max(1))
    }

    fn brightness(&self, line: &[u8], target: &mut [u8]) {
        if self.bits == 1 {
            for (x, pixel) in target.iter_mut().enumerate() {
                let byte = line.get(x / 8).copied().unwrap_or_default();
                let set = byte & 0x80u8.wrapping_shr(u32::try_from(x & 7).unwrap_or(0)) != 0;
                *pixel = self.shade(if set { u8::MAX } else { 0 });
            }
            return;
        }
        let mut before = [0u8; 4];
        let pixels = line.chunks_exact(self.samples);
        for (pixel, samples) in target.iter_mut().zip(pixels) {
            let mut now = [0u8; 4];
            for ((sample, value), before) in now.iter_mut().zip(samples).zip(before) {
                // Differences of neighbours (section 14).
                *sample = match self.predictor {
                    2 => value.wrapping_add(before),
                    _ => *value,
                };
            }
            before = now;
            let [first, second, third, _] = now;
            *pixel = match (self.photometric, self.samples) {
                (2, 3..) => luma([first, second, third]),
                _ => self.shade(first),
            };
        }
    }

    /// A strip or a tile of `wanted` bytes, as far as it can be read; `None` where nobody here reads its packing.
    fn unpacked(&self, packed: &[u8], wanted: usize) -> Option<Vec<u8>> {
        Some(match self.compression {
            1 => packed.get(..wanted).unwrap_or(packed).to_vec(),
            2..=4 => self.faxed(packed, wanted)?,
            5 => lzw(packed, wanted),
            8 | 32_946 => {
                let mut plain = Vec::new();
                let mut reader = flate2::bufread::ZlibDecoder::new(packed).take(length(wanted));
                let mut turn = [0u8; 8192];
                // Ends at the end of the data, at what is wanted, or where it is broken.
                while let Ok(read @ 1..) = reader.read(&mut turn) {
                    plain.extend_from_slice(turn.get(..read).unwrap_or_default());
                }
                plain
            }
            32_773 => pack_bits(packed, wanted),
            _ => return None,
        })
    }

    /// Rows of a fax machine.
    fn faxed(&self, packed: &[u8], wanted: usize) -> Option<Vec<u8>> {
        if self.bits != 1 || self.samples != 1 {
            return None;
        }
        let rows = wanted.checked_div(self.row_bytes()?)?;
        let coding = match (self.compression, self.fax_options & 1) {
            (2, _) => Coding::Runs,
            (3, 0) => Coding::Group3,
            (3, _) => Coding::Group3Mixed,
            _ => Coding::Group4,
        };
        if self.fill_order == 2 {
            let turned: Vec<u8> = packed.iter().map(|byte| byte.reverse_bits()).collect();
            return Some(fax::decode(&turned, self.part.0, rows, coding));
        }
        Some(fax::decode(packed, self.part.0, rows, coding))
    }

    /// The brightness of a sample.
    fn shade(&self, sample: u8) -> u8 {
        match self.photometric {
            0 => u8::MAX.saturating_sub(sample),
            3 => {
                let colours = self.palette.len() / 3;
                let nth = match self.bits {
                    1 => usize::from(sample != 0),
                    _ => usize::from(sample),
                };
                let part = |plane: usize| {
                    let at = plane.saturating_mul(colours).saturating_add(nth);
                    let value = self.palette.get(at).copied().unwrap_or_default();
                    u8::try_from(value >> 8).unwrap_or(u8::MAX)
                };
                luma([part(0), part(1), part(2)])
            }
            _ => sample,
        }
    }
}

/// PackBits (section 9).
fn pack_bits(packed: &[u8], wanted: usize) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut at = 0usize;
    // Ends because each turn takes at least one byte.
    while let Some(&head) = packed.get(at).filter(|_| plain.len() < wanted) {
        at = at.saturating_add(1);
        match head.cast_signed() {
            len @ 0.. => {
                let len = usize::from(len.unsigned_abs()).saturating_add(1);
                let bytes = packed.get(at..).unwrap_or_default();
                plain.extend_from_slice(bytes.get(..len).unwrap_or(bytes));
                at = at.saturating_add(len);
            }
            i8::MIN => {}
            len => {
                let len = usize::from(len.unsigned_abs()).saturating_add(1);
                let byte = packed.get(at).copied().unwrap_or_default();
                plain.resize(plain.len().saturating_add(len), byte);
                at = at.saturating_add(1);
            }
        }
    }
    plain.truncate(wanted);
    plain
}

/// LZW (section 13): codes of nine to twelve bits, the highest bit first.
fn lzw(packed: &[u8], wanted: usize) -> Vec<u8> {
    const CLEAR: usize = 256;
    const END: usize = 257;
    let mut plain: Vec<u8> = Vec::new();
    // Each text by the place where it stands in what was decoded.
    let mut texts: Vec<(usize, usize)> = Vec::new();
    let mut previous: Option<(usize, usize)> = None;
    let (mut held, mut bits) = (0u32, 0u32);
    let mut bytes = packed.iter();
    // Ends because each turn takes at least nine bits.
    while plain.len() < wanted {
        let known = texts.len().saturating_add(258);
        let width = match known {
            0..=510 => 9,
            511..=1022 => 10,
            1023..=2046 => 11,
            _ => 12,
        };
        while bits < width {
            let Some(byte) = bytes.next() else {
                return plain;
            };
            held = held << 8 | u32::from(*byte);
            bits = bits.saturating_add(8);
        }
        bits = bits.saturating_sub(width);
        let code = index(held >> bits & (1u32 << width).saturating_sub(1));
        held &= (1u32 << bits).saturating_sub(1);
        let start = plain.len();
        match code {
            CLEAR => {
                texts.clear();
                previous = None;
                continue;
            }
            END => break,
            0..=255 => plain.push(u8::try_from(code).unwrap_or_default()),
            _ => {
                let Some((from, len)) = texts
                    .get(code.saturating_sub(258))
                    .copied()
                    .or_else(|| previous.map(|(from, len)| (from, len.saturating_add(1))))
                else {
                    return plain;
                };
                // The last byte may be the first one that is written here.
                for nth in 0..len {
                    let byte = plain.get(from.saturating_add(nth)).copied();
                    plain.push(byte.unwrap_or_default());
                }
            }
        }
        if let Some((from, len)) = previous
            && texts.len() < 4096
        {
            texts.push((from, len.saturating_add(1)));
        }
        previous = Some((start, plain.len().saturating_sub(start)));
    }
    plain.truncate(wanted);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::drawing::tests::CODE;
    use crate::formats::qr;
    use crate::limits::{Budget, Limits};

    /// A picture of the code with four pixels a module and a margin, one byte a pixel, in one strip.
    fn picture(compression: u16, strip: &[u8], photometric: u16, bits: u16) -> Vec<u8> {
        let side = u32::try_from(SIDE).unwrap();
        let entry = |tag: u16, kind: u16, value: u32| {
            [
                &tag.to_le_bytes()[..],
                &kind.to_le_bytes(),
                &1u32.to_le_bytes(),
                &value.to_le_bytes(),
            ]
            .concat()
        };
        let entries = [
            entry(256, 4, side),
            entry(257, 4, side),
            entry(258, 3, bits.into()),
            entry(259, 3, compression.into()),
            entry(262, 3, photometric.into()),
            entry(273, 4, 8),
            entry(277, 3, 1),
            entry(278, 4, side),
            entry(279, 4, u32::try_from(strip.len()).unwrap()),
        ];
        let at = u32::try_from(8 + strip.len()).unwrap();
        let mut out = [b"II*\0".as_slice(), &at.to_le_bytes(), strip].concat();
        out.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
        out.extend(entries.concat());
        out.extend([0; 4]);
        out
    }

    const SIDE: usize = 132;

    fn plain() -> Vec<u8> {
        let rows: Vec<&[u8]> = CODE.lines().map(str::as_bytes).collect();
        let mut pixels = vec![255; SIDE * SIDE];
        for (y, row) in rows.iter().enumerate() {
            for (x, _) in row.iter().enumerate().filter(|(_, one)| **one == b'#') {
                for at in 0..16 {
                    pixels[(16 + y * 4 + at / 4) * SIDE + 16 + x * 4 + at % 4] = 0;
                }
            }
        }
        pixels
    }

    fn read(data: &[u8]) -> Vec<String> {
        let budget = Budget::new(Limits::default(), None);
        gray(data).map_or_else(Vec::new, |gray| qr::read(&gray, &budget).unwrap())
    }

    #[test]
    fn codes_are_read_in_every_packing() {
        const SAYS: &str = "https://example.invalid/a";
        let plain = plain();
        assert_eq!(read(&picture(1, &plain, 1, 8)), [SAYS]);
        let inverted: Vec<u8> = plain.iter().map(|byte| !byte).collect();
        assert_eq!(read(&picture(1, &inverted, 0, 8)), [SAYS]);
        let runs = plain.chunk_by(|one, other| one == other);
        let packed: Vec<u8> = runs
            .flat_map(|run| run.chunks(100))
            .flat_map(|run| match run.len() {
                1 => [0, run[0]],
                len => [u8::try_from(257 - len).unwrap(), run[0]],
            })
            .collect();
        assert_eq!(read(&picture(32_773, &packed, 1, 8)), [SAYS]);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut zlib, &plain).unwrap();
        let deflated = zlib.finish().unwrap();
        assert_eq!(read(&picture(8, &deflated, 1, 8)), [SAYS]);
        let bits = |row: &[u8]| -> Vec<u8> {
            let byte = |eight: &[u8]| eight.iter().fold(0, |sum, one| sum << 1 | (one & 1));
            row.chunks(8)
                .map(|eight| byte(eight) << (8 - eight.len()))
                .collect()
        };
        let single: Vec<u8> = plain.chunks(SIDE).flat_map(bits).collect();
        assert_eq!(read(&picture(1, &single, 1, 1)), [SAYS]);
    }

    #[test]
    fn lzw_is_that_of_the_specification() {
        // Section 13: 7 7 7 8 8 7 7 6 6 is written as Clear 7 258 8 8 258 6 6 End.
        let codes = [256u32, 7, 258, 8, 8, 258, 6, 6, 257];
        let bits: String = codes.iter().map(|code| format!("{code:09b}")).collect();
        let bytes: Vec<u8> = bits
            .as_bytes()
            .chunks(8)
            .map(|eight| {
                let text = format!("{:0<8}", std::str::from_utf8(eight).unwrap());
                u8::from_str_radix(&text, 2).unwrap()
            })
            .collect();
        assert_eq!(lzw(&bytes, 100), [7, 7, 7, 8, 8, 7, 7, 6, 6]);
    }

    #[test]
    fn what_lies_is_no_picture() {
        let whole = picture(1, &plain(), 1, 8);
        for cut in (0..whole.len()).step_by(97) {
            let _ = gray(&whole[..cut]);
        }
        assert!(pixels(&picture(1, &[], 1, 16)).is_none());
        let mut large = whole;
        let at = memchr::memmem::find(&large, &[0, 1, 4, 0, 1, 0, 0, 0]).unwrap();
        large[at + 8..at + 12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(pixels(&large).is_none());
    }
}
