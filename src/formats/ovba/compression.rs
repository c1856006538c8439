//! Decompression ([MS-OVBA] 2.4.1): a signature byte, then chunks of up to 4,096 bytes each.
//!
//! What the specification calls an error is a deviation here, since nobody knows which of them Office minds.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use crate::bytes::{Deviation, index, length, slice, u16_at};
use crate::limits::{Account, Budget, Fault, Metered};

/// The first byte of a container.
const SIGNATURE: u8 = 1;

/// Bytes of a decompressed chunk, and of a raw one.
const CHUNK: usize = 4096;

/// How far back a copy token can reach: what is kept of earlier chunks.
const HISTORY: usize = 65536;

/// What to do behind the last chunk that looks like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Read on whatever the chunk header's signature is: the place is one that the directory of the project names.
    Follow,
    /// Stop: the place was found by its look, and anything may follow.
    Stop,
}

/// What a container gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decompressed {
    /// The bytes, paid from the budget.
    pub data: Vec<u8>,
    /// Bytes of the container that were read.
    pub taken: usize,
    /// What was odd; offsets count from the start of the container.
    pub deviations: Vec<Deviation>,
    /// What was cut or pointed nowhere, so that bytes are missing; offsets count from the start of the container.
    pub missing: Vec<Deviation>,
    /// A limit that ended it.
    pub fault: Option<Fault>,
}

/// Decompresses the container that starts at the first byte of `source`; `None` without its signature.
///
/// Output counts against `account` for the ratio.
pub fn decompress(
    source: &[u8],
    tail: Tail,
    budget: &Budget,
    account: &mut Account,
) -> Option<Decompressed> {
    if source.first() != Some(&SIGNATURE) {
        return None;
    }
    let notes = Rc::new(RefCell::new(Notes::default()));
    let metered = Metered::new(source);
    let meter = metered.meter();
    let mut chunks = Chunks {
        source,
        metered,
        tail,
        at: 1,
        out: Vec::with_capacity(2 * CHUNK),
        given: 0,
        notes: Rc::clone(&notes),
    };
    let expected = length(source.len()).saturating_mul(2);
    let decoded = budget.read(&mut chunks, &meter, account, expected);
    let taken = chunks.at.min(source.len());
    drop(chunks);
    let notes = notes.take();
    Some(Decompressed {
        data: decoded.data,
        taken,
        deviations: notes.deviations,
        missing: notes.missing,
        fault: decoded.fault,
    })
}

/// Offsets at which a container of module source starts, by the look of its first chunk: every module starts with
/// the text `Attribute`, which no token can shorten.
pub fn find_containers(data: &[u8]) -> impl Iterator<Item = usize> + '_ {
    memchr::memmem::find_iter(data, b"Attribut").filter_map(|text| container_before(data, text))
}

fn container_before(data: &[u8], text: usize) -> Option<usize> {
    // Signature, chunk header, then for a compressed chunk a byte of flags.
    let compressed = text.checked_sub(4).filter(|&start| {
        data.get(start) == Some(&SIGNATURE)
            && u16_at(data, start.saturating_add(1)).is_some_and(|header| header >> 12 == 0xb)
            && data.get(start.saturating_add(3)) == Some(&0)
    });
    let raw = text.checked_sub(3).filter(|&start| {
        data.get(start) == Some(&SIGNATURE)
            && u16_at(data, start.saturating_add(1)).is_some_and(|header| header >> 12 == 3)
    });
    compressed.or(raw)
}

/// Deviations told of one container.
const TOLD: usize = 8;

#[derive(Debug, Default)]
struct Notes {
    deviations: Vec<Deviation>,
    missing: Vec<Deviation>,
}

/// The chunks of a container as a stream of bytes.
struct Chunks<'a> {
    source: &'a [u8],
    /// Tells the budget how much was read.
    metered: Metered<'a>,
    tail: Tail,
    at: usize,
    out: Vec<u8>,
    given: usize,
    notes: Rc<RefCell<Notes>>,
}

impl Read for Chunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Ends because every chunk takes at least three bytes of the source.
        while self.given >= self.out.len() {
            if !self.next_chunk() {
                return Ok(0);
            }
        }
        let ready = self.out.get(self.given..).unwrap_or_default();
        let len = ready.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(ready) {
            *to = *from;
        }
        self.given = self.given.saturating_add(len);
        Ok(len)
    }
}

impl Chunks<'_> {
    fn odd(&self, at: usize, what: String) {
        let mut notes = self.notes.borrow_mut();
        if notes.deviations.len() < TOLD {
            notes.deviations.push(Deviation::new(at, what));
        }
    }

    fn missing(&self, at: usize, what: String) {
        let mut notes = self.notes.borrow_mut();
        if notes.missing.len() < TOLD {
            notes.missing.push(Deviation::new(at, what));
        }
    }

    /// Decodes the next chunk; false at the end.
    fn next_chunk(&mut self) -> bool {
        let at = self.at;
        let Some(header) = u16_at(self.source, at) else {
            if at < self.source.len() {
                self.odd(at, "chunk header: expected 2 bytes, found 1".to_owned());
                self.advance(self.source.len());
            }
            return false;
        };
        if header >> 12 & 7 != 3 {
            let rest = self.source.get(at..).unwrap_or_default();
            if self.tail == Tail::Stop || rest.iter().all(|&byte| byte == 0) {
                return false;
            }
            self.odd(
                at,
                format!("chunk signature: expected 3, found {}", header >> 12 & 7),
            );
        }
        // What a token can reach back to is kept, the rest of what was given is not.
        let surplus = self.out.len().saturating_sub(HISTORY);
        if surplus >= HISTORY {
            self.out.drain(..surplus);
        }
        self.given = self.out.len();
        let start = at.saturating_add(2);
        let size = usize::from(header & 0xfff).saturating_add(1);
        let end = if header & 0x8000 == 0 {
            self.raw_chunk(start, size)
        } else {
            self.compressed_chunk(start, size)
        };
        self.advance(end);
        true
    }

    fn advance(&mut self, to: usize) {
        let step = to.saturating_sub(self.at);
        self.at = to;
        io::BufRead::consume(&mut self.metered, step);
    }

    /// A raw chunk is 4,096 bytes whatever its header says (2.4.1.3.3); the last one as many as there are.
    fn raw_chunk(&mut self, start: usize, size: usize) -> usize {
        if size != CHUNK {
            self.odd(
                start,
                format!("raw chunk: expected 4096 bytes, header says {size}"),
            );
        }
        let end = start.saturating_add(CHUNK).min(self.source.len());
        let bytes = self.source.get(start..end).unwrap_or_default();
        if bytes.len() < CHUNK {
            self.odd(
                start,
                format!("raw chunk: expected 4096 bytes, found {}", bytes.len()),
            );
        }
        self.out.extend_from_slice(bytes);
        end
    }

    fn compressed_chunk(&mut self, start: usize, size: usize) -> usize {
        let end = start.saturating_add(size);
        let there = end.min(self.source.len());
        if there < end {
            let found = there.saturating_sub(start);
            self.missing(
                start,
                format!("compressed chunk: expected {size} bytes, found {found}"),
            );
        }
        let chunk_start = self.out.len();
        let source = self.source;
        let mut at = start;
        // Ends because every round takes at least one byte.
        while let Some(&flags) = source.get(at).filter(|_| at < there) {
            at = at.saturating_add(1);
            for bit in 0..8 {
                if at >= there {
                    break;
                }
                if flags >> bit & 1 == 0 {
                    self.out.extend(source.get(at));
                    at = at.saturating_add(1);
                } else if let Some(token) =
                    slice(source, at, 2).filter(|_| at.saturating_add(2) <= there)
                {
                    self.copy(u16_at(token, 0).unwrap_or_default(), at, chunk_start);
                    at = at.saturating_add(2);
                } else {
                    self.odd(at, "copy token: expected 2 bytes, found 1".to_owned());
                    at = there;
                }
            }
        }
        let len = self.out.len().saturating_sub(chunk_start);
        if len > CHUNK {
            self.odd(
                start,
                format!("chunk: expected up to 4096 bytes, it gives {len}"),
            );
        }
        there
    }

    /// Unpacks a copy token (2.4.1.3.19): the further into the chunk, the more bits are offset.
    fn copy(&mut self, token: u16, at: usize, chunk_start: usize) {
        let position = self.out.len().saturating_sub(chunk_start);
        let bits = offset_bits(position);
        let length_mask = 0xffffu16.checked_shr(bits).unwrap_or(0);
        let len = usize::from(token & length_mask).saturating_add(3);
        let offset =
            index(token.checked_shr(16u32.saturating_sub(bits)).unwrap_or(0)).saturating_add(1);
        if offset > position {
            self.odd(
                at,
                format!("copy token: {offset} bytes back, the chunk has {position}"),
            );
        }
        for _ in 0..len {
            let from = self.out.len().checked_sub(offset);
            let byte = from.and_then(|from| self.out.get(from)).copied();
            self.out.push(byte.unwrap_or(0));
        }
    }
}

/// Bits of a token that are offset: enough for `position`, at least 4, at most 12.
fn offset_bits(position: usize) -> u32 {
    let needed = usize::BITS.saturating_sub(position.saturating_sub(1).leading_zeros());
    needed.clamp(4, 12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn read(source: &[u8]) -> Decompressed {
        let budget = Budget::new(Limits::default(), None);
        let mut account = Account::new(length(source.len()));
        decompress(source, Tail::Follow, &budget, &mut account).unwrap()
    }

    /// The three worked examples of [MS-OVBA] 3.2.
    const EXAMPLES: [(&[u8], &[u8]); 3] = [
        (
            &[
                0x01, 0x19, 0xb0, 0x00, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x00, 0x69,
                0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x00, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76,
                0x2e,
            ],
            b"abcdefghijklmnopqrstuv.",
        ),
        (
            &[
                0x01, 0x2f, 0xb0, 0x00, 0x23, 0x61, 0x61, 0x61, 0x62, 0x63, 0x64, 0x65, 0x82, 0x66,
                0x00, 0x70, 0x61, 0x67, 0x68, 0x69, 0x6a, 0x01, 0x38, 0x08, 0x61, 0x6b, 0x6c, 0x00,
                0x30, 0x6d, 0x6e, 0x6f, 0x70, 0x06, 0x71, 0x02, 0x70, 0x04, 0x10, 0x72, 0x73, 0x74,
                0x75, 0x76, 0x10, 0x77, 0x78, 0x79, 0x7a, 0x00, 0x3c,
            ],
            b"#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa",
        ),
        (
            &[0x01, 0x03, 0xb0, 0x02, 0x61, 0x45, 0x00],
            b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
    ];

    #[test]
    fn the_examples_of_the_specification_decompress_exactly() {
        for (source, expected) in EXAMPLES {
            let got = read(source);
            assert_eq!(got.data, expected);
            assert_eq!(got.taken, source.len());
            assert_eq!(
                (got.deviations, got.missing, got.fault),
                (vec![], vec![], None)
            );
        }
    }

    #[test]
    fn a_chunk_cut_short_gives_what_is_there_and_says_so() {
        let (source, expected) = EXAMPLES[0];
        let got = read(&source[..source.len() - 4]);
        assert_eq!(got.data, &expected[..expected.len() - 4]);
        assert_eq!(
            got.missing,
            [Deviation::new(
                3,
                "compressed chunk: expected 26 bytes, found 22"
            )]
        );
    }

    #[test]
    fn a_wrong_chunk_signature_is_read_and_told_or_stops_where_the_place_was_guessed() {
        let (source, expected) = EXAMPLES[0];
        let mut bad = source.to_vec();
        bad[2] = 0x80;
        let got = read(&bad);
        assert_eq!(got.data, expected);
        assert_eq!(
            got.deviations,
            [Deviation::new(1, "chunk signature: expected 3, found 0")]
        );
        let budget = Budget::new(Limits::default(), None);
        let got = decompress(&bad, Tail::Stop, &budget, &mut Account::new(99)).unwrap();
        assert_eq!(got.data, b"");
    }

    #[test]
    fn raw_chunks_are_whole_or_the_rest() {
        let mut source = vec![1, 0xff, 0x3f];
        source.extend([b'x'; CHUNK]);
        source.extend([0xff, 0x3f]);
        source.extend(b"end");
        let got = read(&source);
        assert_eq!(got.data.len(), CHUNK + 3);
        assert_eq!(
            got.deviations,
            [Deviation::new(
                4101,
                "raw chunk: expected 4096 bytes, found 3"
            )]
        );
    }

    #[test]
    fn a_token_that_reaches_before_the_start_gives_zeros_and_the_rest_is_read() {
        let got = read(&[1, 0x05, 0xb0, 0x02, b'a', 0x00, 0xf0, b'b', b'c']);
        assert_eq!(got.data, b"a\0\0\0bc");
        assert_eq!(
            got.deviations,
            [Deviation::new(
                5,
                "copy token: 16 bytes back, the chunk has 1"
            )]
        );
    }

    #[test]
    fn zeros_behind_the_last_chunk_are_padding() {
        let (source, expected) = EXAMPLES[0];
        let mut padded = source.to_vec();
        padded.extend([0; 40]);
        let got = read(&padded);
        assert_eq!((got.data.as_slice(), got.deviations), (expected, vec![]));
    }

    #[test]
    fn a_bomb_stops_at_the_ratio() {
        let mut source = vec![1];
        for _ in 0..20_000 {
            source.extend([0x03, 0xb0, 0x02, b'a', 0xff, 0x0f]);
        }
        let got = read(&source);
        assert_eq!(got.fault, Some(Fault::Halt(crate::limits::Halt::Ratio)));
        assert!(got.data.len() < 34 << 20);
    }

    #[test]
    fn containers_are_found_by_their_look() {
        let mut data = vec![9; 50];
        data.extend([1, 0x20, 0xb0, 0]);
        data.extend(b"Attribut\0e");
        data.extend([1, 0xff, 0x3f]);
        data.extend(b"Attribute VB_Name");
        data.extend(b"Attribute in plain text");
        assert_eq!(find_containers(&data).collect::<Vec<_>>(), [50, 64]);
    }
}
