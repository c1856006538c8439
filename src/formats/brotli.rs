//! Brotli streams (RFC 7932): they have no mark, so that only decoding tells whether bytes are one.
//!
//! Left out: shared dictionaries and windows above 16 MiB, which a decoder takes only where it is told to.

use std::io::{BufRead, Error, ErrorKind, Read};

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};

/// Bytes that are decoded to tell whether data is a stream.
const PROBE: usize = 1 << 20;

/// Bytes that a damaged stream must have given to be taken for one: anything gives some.
const PLAUSIBLE: usize = 64;

/// A decoder that takes not one byte more from its source than the stream has.
pub struct Decoder<R> {
    source: R,
    state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
    ended: bool,
}

impl<R: BufRead> Decoder<R> {
    /// A decoder from the first byte of a stream on.
    pub fn new(source: R) -> Self {
        let alloc = StandardAlloc::default;
        Self {
            source,
            state: Box::new(BrotliState::new_strict(alloc(), alloc(), alloc())),
            ended: false,
        }
    }

    /// Whether the end of the stream was met.
    pub fn is_ended(&self) -> bool {
        self.ended
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        // Ends because each turn takes input, gives output or returns.
        while !self.ended && !out.is_empty() {
            let input = self.source.fill_buf()?;
            let is_last = input.is_empty();
            let (mut left, mut taken) = (input.len(), 0usize);
            let (mut room, mut given, mut total) = (out.len(), 0usize, 0usize);
            let result = BrotliDecompressStream(
                &mut left,
                &mut taken,
                input,
                &mut room,
                &mut given,
                out,
                &mut total,
                &mut self.state,
            );
            self.source.consume(taken);
            match result {
                BrotliResult::ResultSuccess => self.ended = true,
                BrotliResult::ResultFailure if given == 0 => {
                    return Err(Error::new(ErrorKind::InvalidData, "damaged brotli data"));
                }
                BrotliResult::NeedsMoreInput if is_last && given == 0 => {
                    return Err(Error::from(ErrorKind::UnexpectedEof));
                }
                BrotliResult::ResultFailure
                | BrotliResult::NeedsMoreInput
                | BrotliResult::NeedsMoreOutput => {}
            }
            if given > 0 {
                return Ok(given);
            }
            if taken == 0 && !self.ended {
                return Err(Error::new(
                    ErrorKind::InvalidData,
                    "brotli data goes on without end",
                ));
            }
        }
        Ok(0)
    }
}

impl<R> std::fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// Whether bytes of no known structure are a stream: one that ends where they end, or one that is cut, damaged or
/// followed by something after it gave more than it took. Costs the decoding of little more than a MiB, or than the
/// bytes have.
pub fn is_stream(data: &[u8]) -> bool {
    let mut rest = data;
    let mut decoder = Decoder::new(&mut rest);
    let mut out = vec![0; 16 << 10];
    let mut given = 0usize;
    loop {
        let read = decoder.read(&mut out);
        let ended = decoder.is_ended();
        let left = decoder.source.len();
        let taken = data.len().saturating_sub(left);
        // Bytes of any sort are full of blocks that are stored as they are.
        let grown = given >= PLAUSIBLE && given > taken.saturating_add(taken / 4);
        match read {
            Ok(0) => return ended && given > 0 && (left == 0 || grown),
            Ok(_) if given >= PROBE && grown => return true,
            Ok(len) => given = given.saturating_add(len),
            Err(_) => return grown,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write as _;

    use super::*;

    /// A stream.
    pub(crate) fn packed(content: &[u8]) -> Vec<u8> {
        let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
        writer.write_all(content).unwrap();
        writer.into_inner()
    }

    fn decoded(data: &[u8]) -> (Vec<u8>, bool) {
        let mut out = vec![0; 1 << 20];
        let mut given = 0;
        let mut decoder = Decoder::new(data);
        loop {
            match decoder.read(&mut out[given..]) {
                Ok(0) => break,
                Ok(len) => given += len,
                Err(_) => return (out[..given].to_vec(), false),
            }
        }
        (out[..given].to_vec(), decoder.is_ended())
    }

    #[test]
    fn a_stream_is_decoded_to_its_end_and_not_beyond() {
        let content = b"some words, some words and other words".repeat(100);
        let data = packed(&content);
        assert_eq!(decoded(&data), (content.clone(), true));
        let (cut, whole) = decoded(&data[..data.len() - 4]);
        assert!(!whole && content.starts_with(&cut));
        let behind = [data.as_slice(), b"behind"].concat();
        let mut rest = behind.as_slice();
        let mut decoder = Decoder::new(&mut rest);
        let mut out = vec![0; content.len() + 1];
        let mut given = 0;
        while let Ok(len @ 1..) = decoder.read(&mut out[given..]) {
            given += len;
        }
        assert_eq!(rest, b"behind");
    }

    #[test]
    fn only_decoding_tells_a_stream() {
        let data = packed(&b"a harmless line of text\n".repeat(40));
        assert!(is_stream(&data));
        assert!(is_stream(&packed(b"x")));
        assert!(is_stream(&[data.as_slice(), b"behind"].concat()));
        assert!(!is_stream(b""));
        assert!(!is_stream(b"a text whose name ends so"));
        let scattered: Vec<u8> = (0..4000u32)
            .map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0])
            .collect();
        assert!((1..200).all(|from| !is_stream(&scattered[from..])));
    }
}
