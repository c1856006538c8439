//! MSZIP ([MS-MCI]): blocks of at most 32 KiB, each `CK` and one deflate stream, with the block before as dictionary.

use std::io::{Error, ErrorKind, Read, Result};

use flate2::{Decompress, FlushDecompress, Status};

/// Most bytes of one block, decoded.
pub const BLOCK: usize = 32 << 10;

/// Decodes one block behind another.
#[derive(Debug)]
pub struct Decoder {
    inflate: Decompress,
    before: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            inflate: Decompress::new(false),
            before: Vec::new(),
        }
    }
}

impl Decoder {
    /// Decodes a block with its two magic bytes.
    ///
    /// # Errors
    /// It does not begin with `CK`, its stream is broken, or it gives more than 32 KiB.
    pub fn block(&mut self, data: &[u8]) -> Result<&[u8]> {
        let stream = data
            .strip_prefix(b"CK")
            .ok_or_else(|| broken("a block does not begin with CK"))?;
        self.inflate.reset(false);
        if !self.before.is_empty() {
            self.inflate
                .set_dictionary(&self.before)
                .map_err(|error| broken(&error.to_string()))?;
        }
        let mut out = vec![0; BLOCK];
        let status = self
            .inflate
            .decompress(stream, &mut out, FlushDecompress::Finish)
            .map_err(|error| broken(&error.to_string()))?;
        let len = usize::try_from(self.inflate.total_out()).unwrap_or(BLOCK);
        if status != Status::StreamEnd {
            return Err(broken("the stream of a block does not end in it"));
        }
        out.truncate(len);
        if !out.is_empty() {
            self.before = out;
        }
        Ok(self.before.get(..len).unwrap_or_default())
    }
}

/// A reader over blocks with their lengths before them (KWAJ method 4).
#[derive(Debug)]
pub struct Blocks<R> {
    source: R,
    decoder: Decoder,
    waiting: Vec<u8>,
    given: usize,
}

impl<R: Read> Blocks<R> {
    /// A reader over `source`.
    pub fn new(source: R) -> Self {
        Self {
            source,
            decoder: Decoder::default(),
            waiting: Vec::new(),
            given: 0,
        }
    }

    fn fill(&mut self) -> Result<bool> {
        let mut len = [0; 2];
        if self.source.read(&mut len[..1])? == 0 {
            return Ok(false);
        }
        self.source.read_exact(&mut len[1..])?;
        let len = u16::from_le_bytes(len);
        if len == 0 {
            return Ok(false);
        }
        let mut block = vec![0; usize::from(len)];
        self.source.read_exact(&mut block)?;
        self.waiting = self.decoder.block(&block)?.to_vec();
        self.given = 0;
        Ok(!self.waiting.is_empty())
    }
}

impl<R: Read> Read for Blocks<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.given >= self.waiting.len() && !self.fill()? {
            return Ok(0);
        }
        let rest = self.waiting.get(self.given..).unwrap_or_default();
        let len = rest.len().min(out.len());
        for (place, byte) in out.iter_mut().zip(rest) {
            *place = *byte;
        }
        self.given = self.given.saturating_add(len);
        Ok(len)
    }
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_block_refers_to_the_one_before() {
        let mut encoder = flate2::Compress::new(flate2::Compression::default(), false);
        let text = b"the same sentence as before, the same sentence as before";
        let mut first =
            flate2::write::DeflateEncoder::new(b"CK".to_vec(), flate2::Compression::default());
        first.write_all(text).unwrap();
        let first = first.finish().unwrap();
        encoder.set_dictionary(text).unwrap();
        let mut second = Vec::with_capacity(200);
        encoder
            .compress_vec(text, &mut second, flate2::FlushCompress::Finish)
            .unwrap();
        assert!(second.len() < 12);
        let second = [b"CK".as_slice(), &second].concat();
        let mut decoder = Decoder::default();
        assert_eq!(decoder.block(&first).unwrap(), text);
        assert_eq!(decoder.block(&second).unwrap(), text);
        assert!(decoder.block(&second[..5]).is_err());
        assert!(decoder.block(b"XX").is_err());
        let len = |block: &[u8]| u16::try_from(block.len()).unwrap().to_le_bytes();
        let data = [len(&first).as_slice(), &first, &len(&second), &second].concat();
        let mut out = Vec::new();
        std::io::copy(&mut Blocks::new(data.as_slice()), &mut out).unwrap();
        assert_eq!(out, [text.as_slice(), text].concat());
    }
}
