//! Filters of streams (ISO 32000-2 7.4), one behind another; what came before damage is kept.

use std::cell::Cell;
use std::io::{Read, Result};

use bytes::Bytes;

use super::{Dict, Document, Object};
use crate::limits::{Account, Budget, Decoded, Fault, Metered};

/// Filters of one stream at the most.
const FILTERS: usize = 8;

/// One filter with what matters of its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) name: String,
    predictor: i64,
    colors: usize,
    bits: usize,
    columns: usize,
    early: bool,
}

/// The filters of a stream, in the order in which they are undone.
pub(super) fn chain(document: &Document<'_>, dict: &Dict) -> Vec<Filter> {
    let listed = |keys: [&str; 2]| -> Vec<&Object> {
        let value = keys.iter().find_map(|key| dict.get(key));
        match value.map(|value| document.resolve(value).0) {
            Some(Object::Array(items)) => items
                .iter()
                .take(FILTERS)
                .map(|item| document.resolve(item).0)
                .collect(),
            Some(other) => vec![other],
            None => Vec::new(),
        }
    };
    let parameters = listed(["DecodeParms", "DP"]);
    let names = listed(["Filter", "F"]);
    let filters = names.iter().enumerate().filter_map(|(at, name)| {
        let Object::Name(name) = name else {
            return None;
        };
        let own = match parameters.get(at) {
            Some(Object::Dict(own)) => Some(own),
            _ => None,
        };
        let number = |key: &str, default: i64| {
            let value = own.and_then(|own| own.get(key));
            let number = value.and_then(|value| document.resolve(value).0.number());
            number.unwrap_or(default)
        };
        let size = |key: &str, default: i64| {
            usize::try_from(number(key, default).clamp(1, 1 << 20)).unwrap_or(1)
        };
        Some(Filter {
            name: String::from_utf8_lossy(&name.text).into_owned(),
            predictor: number("Predictor", 1),
            colors: size("Colors", 1).min(64),
            bits: size("BitsPerComponent", 8).min(16),
            columns: size("Columns", 1),
            early: number("EarlyChange", 1) != 0,
        })
    });
    filters.collect()
}

/// Undoes the filters, up to the first one for pictures.
pub(super) fn decode(
    raw: Bytes,
    filters: &[Filter],
    most: u64,
    budget: &Budget,
    account: &mut Account,
) -> Decoded {
    let mut data = raw;
    let mut fault = None;
    for filter in filters {
        let metered = Metered::new(&data);
        let meter = metered.meter();
        let reader: Box<dyn Read + '_> = match filter.name.as_str() {
            "FlateDecode" | "Fl" => predicted(Box::new(Inflate::new(metered)), filter),
            "LZWDecode" | "LZW" => predicted(Box::new(Lzw::new(metered, filter.early)), filter),
            "ASCIIHexDecode" | "AHx" => Box::new(Hex { source: metered }),
            "ASCII85Decode" | "A85" => Box::new(Ascii85 {
                source: metered,
                waiting: Vec::new(),
                ended: false,
            }),
            "RunLengthDecode" | "RL" => Box::new(RunLength {
                source: metered,
                run: 0,
                byte: None,
            }),
            "Crypt" => continue,
            // Of pictures; what they are in is told by the bytes themselves.
            _ => break,
        };
        let mut limited = reader.take(most);
        let decoded = read(&mut limited, &meter, budget, account);
        drop(limited);
        data = decoded.data.into();
        fault = decoded.fault;
        if matches!(fault, Some(Fault::Halt(_))) {
            break;
        }
    }
    data.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Decoded {
        data: data.into(),
        fault,
    }
}

fn read(
    reader: &mut dyn Read,
    meter: &Cell<u64>,
    budget: &Budget,
    account: &mut Account,
) -> Decoded {
    budget.read(reader, meter, account, 0)
}

fn predicted<'a>(reader: Box<dyn Read + 'a>, filter: &Filter) -> Box<dyn Read + 'a> {
    match filter.predictor {
        2 | 10.. => Box::new(Predictor::new(reader, filter)),
        _ => reader,
    }
}

/// zlib, or raw deflate where its header is broken; bytes behind the end are padding.
struct Inflate<'a> {
    source: Metered<'a>,
    decoder: flate2::Decompress,
    ended: bool,
}

impl<'a> Inflate<'a> {
    fn new(mut source: Metered<'a>) -> Self {
        let head = std::io::BufRead::fill_buf(&mut source).unwrap_or_default();
        let has_header = match head {
            [first, second, ..] => {
                first & 0x0f == 8
                    && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31)
            }
            _ => true,
        };
        Self {
            source,
            decoder: flate2::Decompress::new(has_header),
            ended: false,
        }
    }
}

impl Read for Inflate<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        // Ends because each turn takes bytes, gives bytes, or ends it.
        while !self.ended && !out.is_empty() {
            let input = std::io::BufRead::fill_buf(&mut self.source)?;
            let (before_in, before_out) = (self.decoder.total_in(), self.decoder.total_out());
            let status = self
                .decoder
                .decompress(input, out, flate2::FlushDecompress::None);
            let taken = usize::try_from(self.decoder.total_in().saturating_sub(before_in))
                .unwrap_or_default();
            let given = usize::try_from(self.decoder.total_out().saturating_sub(before_out))
                .unwrap_or_default();
            std::io::BufRead::consume(&mut self.source, taken);
            match status {
                Ok(flate2::Status::StreamEnd) => self.ended = true,
                Ok(_) if taken == 0 && given == 0 => {
                    self.ended = true;
                    return Err(std::io::Error::other("the compressed data breaks off"));
                }
                Ok(_) => {}
                Err(error) => {
                    self.ended = true;
                    if given == 0 {
                        return Err(std::io::Error::other(error));
                    }
                }
            }
            if given > 0 {
                return Ok(given);
            }
        }
        Ok(0)
    }
}

/// LZW (7.4.4).
struct Lzw<'a> {
    source: Metered<'a>,
    decoder: weezl::decode::Decoder,
    ended: bool,
}

impl<'a> Lzw<'a> {
    fn new(source: Metered<'a>, early: bool) -> Self {
        let order = weezl::BitOrder::Msb;
        let decoder = match early {
            true => weezl::decode::Decoder::with_tiff_size_switch(order, 8),
            false => weezl::decode::Decoder::new(order, 8),
        };
        Self {
            source,
            decoder,
            ended: false,
        }
    }
}

impl Read for Lzw<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        // Ends because each turn takes bytes, gives bytes, or ends it.
        while !self.ended && !out.is_empty() {
            let input = std::io::BufRead::fill_buf(&mut self.source)?;
            let step = self.decoder.decode_bytes(input, out);
            std::io::BufRead::consume(&mut self.source, step.consumed_in);
            match step.status {
                Ok(weezl::LzwStatus::Ok) if step.consumed_in > 0 || step.consumed_out > 0 => {}
                Ok(_) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    if step.consumed_out == 0 {
                        return Err(std::io::Error::other(error));
                    }
                }
            }
            if step.consumed_out > 0 {
                return Ok(step.consumed_out);
            }
        }
        Ok(0)
    }
}

fn next_byte(source: &mut Metered<'_>) -> Result<Option<u8>> {
    let mut byte = [0];
    let len = source.read(&mut byte)?;
    let [byte] = byte;
    Ok((len == 1).then_some(byte))
}

/// Pairs of digits (7.4.2).
struct Hex<'a> {
    source: Metered<'a>,
}

impl Read for Hex<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut written = 0usize;
        for place in out.iter_mut() {
            let mut digits = [None, None];
            for digit in &mut digits {
                while digit.is_none() {
                    match next_byte(&mut self.source)? {
                        None | Some(b'>') => break,
                        Some(byte) => *digit = char::from(byte).to_digit(16),
                    }
                }
            }
            let [Some(high), low] = digits else {
                break;
            };
            *place = u8::try_from(high << 4 | low.unwrap_or(0)).unwrap_or_default();
            written = written.saturating_add(1);
        }
        Ok(written)
    }
}

/// Five characters for four bytes (7.4.3).
struct Ascii85<'a> {
    source: Metered<'a>,
    /// Decoded bytes, the last one first.
    waiting: Vec<u8>,
    ended: bool,
}

impl Ascii85<'_> {
    fn fill(&mut self) -> Result<()> {
        let mut group: Vec<u8> = Vec::with_capacity(5);
        while group.len() < 5 {
            match next_byte(&mut self.source)? {
                None | Some(b'~') => {
                    self.ended = true;
                    break;
                }
                Some(b'z') if group.is_empty() => {
                    self.waiting.extend([0; 4]);
                    return Ok(());
                }
                Some(byte @ b'!'..=b'u') => group.push(byte.saturating_sub(b'!')),
                Some(_) => {}
            }
        }
        let count = group.len();
        if count < 2 {
            return Ok(());
        }
        group.resize(5, 84);
        let value = group.iter().fold(0u32, |value, digit| {
            value.wrapping_mul(85).wrapping_add(u32::from(*digit))
        });
        let bytes = value.to_be_bytes();
        self.waiting
            .extend(bytes.iter().take(count.saturating_sub(1)).rev());
        Ok(())
    }
}

impl Read for Ascii85<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut written = 0usize;
        for place in out.iter_mut() {
            while self.waiting.is_empty() && !self.ended {
                self.fill()?;
            }
            let Some(byte) = self.waiting.pop() else {
                break;
            };
            *place = byte;
            written = written.saturating_add(1);
        }
        Ok(written)
    }
}

/// Runs (7.4.5).
struct RunLength<'a> {
    source: Metered<'a>,
    run: usize,
    /// The repeated byte; none: bytes as they stand.
    byte: Option<u8>,
}

impl Read for RunLength<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut written = 0usize;
        for place in out.iter_mut() {
            if self.run == 0 {
                match next_byte(&mut self.source)? {
                    None | Some(128) => break,
                    Some(len @ ..=127) => {
                        self.run = usize::from(len).saturating_add(1);
                        self.byte = None;
                    }
                    Some(len) => {
                        self.run = 257usize.saturating_sub(usize::from(len));
                        self.byte = next_byte(&mut self.source)?;
                    }
                }
            }
            let byte = match self.byte {
                Some(byte) => Some(byte),
                None => next_byte(&mut self.source)?,
            };
            let Some(byte) = byte else {
                break;
            };
            *place = byte;
            self.run = self.run.saturating_sub(1);
            written = written.saturating_add(1);
        }
        Ok(written)
    }
}

/// Undoes the predictors of PNG and TIFF (7.4.4.4).
struct Predictor<'a> {
    source: Box<dyn Read + 'a>,
    png: bool,
    /// Bytes of a pixel, and whether components are whole bytes.
    pixel: usize,
    bytes: bool,
    above: Vec<u8>,
    row: Vec<u8>,
    given: usize,
}

impl<'a> Predictor<'a> {
    fn new(source: Box<dyn Read + 'a>, filter: &Filter) -> Self {
        let bits = filter.colors.saturating_mul(filter.bits);
        let row = bits
            .saturating_mul(filter.columns)
            .div_ceil(8)
            .clamp(1, 1 << 24);
        Self {
            source,
            png: filter.predictor >= 10,
            pixel: bits.div_ceil(8).max(1),
            bytes: filter.bits == 8,
            above: vec![0; row],
            row: Vec::new(),
            given: 0,
        }
    }

    fn fill(&mut self) -> Result<bool> {
        let mut kind = 0;
        if self.png {
            let mut byte = [0];
            if self.source.read(&mut byte)? == 0 {
                return Ok(false);
            }
            [kind] = byte;
        }
        let mut row = vec![0; self.above.len()];
        let mut len = 0usize;
        while let Some(rest) = row.get_mut(len..).filter(|rest| !rest.is_empty()) {
            match self.source.read(rest) {
                Ok(0) => break,
                Ok(read) => len = len.saturating_add(read),
                // What came before the damage counts; the next row meets it again.
                Err(_) if len > 0 => break,
                Err(error) => return Err(error),
            }
        }
        if len == 0 {
            return Ok(false);
        }
        for at in 0..row.len() {
            let left = |line: &[u8]| {
                at.checked_sub(self.pixel)
                    .and_then(|at| line.get(at))
                    .copied()
                    .unwrap_or(0)
            };
            let (a, b, c) = (
                left(&row),
                self.above.get(at).copied().unwrap_or(0),
                left(&self.above),
            );
            let add = match (self.png, kind) {
                (false, _) if self.bytes => a,
                (true, 1) => a,
                (true, 2) => b,
                (true, 3) => {
                    u8::try_from(u16::from(a).saturating_add(u16::from(b)) / 2).unwrap_or_default()
                }
                (true, 4) => paeth(a, b, c),
                _ => 0,
            };
            if let Some(byte) = row.get_mut(at) {
                *byte = byte.wrapping_add(add);
            }
        }
        self.above.clone_from(&row);
        row.truncate(len);
        self.row = row;
        self.given = 0;
        Ok(true)
    }
}

fn paeth(a: u8, b: u8, c: u8) -> u8 {
    let [left, above, corner] = [a, b, c].map(i16::from);
    let guess = left.saturating_add(above).saturating_sub(corner);
    let far = |from: i16| guess.saturating_sub(from).saturating_abs();
    if far(left) <= far(above) && far(left) <= far(corner) {
        a
    } else if far(above) <= far(corner) {
        b
    } else {
        c
    }
}

impl Read for Predictor<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.given >= self.row.len() && !self.fill()? {
            return Ok(0);
        }
        let rest = self.row.get(self.given..).unwrap_or_default();
        let len = rest.len().min(out.len());
        for (place, byte) in out.iter_mut().zip(rest) {
            *place = *byte;
        }
        self.given = self.given.saturating_add(len);
        Ok(len)
    }
}
