//! Pictures of fax machines (ITU-T T.4 and T.6): runs of white and black, in one dimension or by what changes from row to
//! row. Left out: the uncompressed mode and repeats of rows that were damaged.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Runs, each row from a whole byte on (TIFF 6.0 section 10).
    Runs,
    /// T.4: rows behind marks, runs alone.
    Group3,
    /// T.4 in two dimensions: a bit behind each mark tells how the row is written.
    Group3Mixed,
    /// T.6: every row by the one above.
    Group4,
}

/// Bits of the longest code.
const LONGEST: usize = 13;

/// Codes of white runs of 0 to 63 (T.4 table 2).
const WHITE: &str = "\
    00110101 000111 0111 1000 1011 1100 1110 1111 10011 10100 00111 01000 001000 000011 110100 \
    110101 101010 101011 0100111 0001100 0001000 0010111 0000011 0000100 0101000 0101011 0010011 \
    0100100 0011000 00000010 00000011 00011010 00011011 00010010 00010011 00010100 00010101 \
    00010110 00010111 00101000 00101001 00101010 00101011 00101100 00101101 00000100 00000101 \
    00001010 00001011 01010010 01010011 01010100 01010101 00100100 00100101 01011000 01011001 \
    01011010 01011011 01001010 01001011 00110010 00110011 00110100";

/// Of 64 to 1728 in steps of 64 (table 3a).
const WHITE_MADE_UP: &str = "\
    11011 10010 010111 0110111 00110110 00110111 01100100 01100101 01101000 01100111 011001100 \
    011001101 011010010 011010011 011010100 011010101 011010110 011010111 011011000 011011001 \
    011011010 011011011 010011000 010011001 010011010 011000 010011011";

/// Codes of black runs of 0 to 63.
const BLACK: &str = "\
    0000110111 010 11 10 011 0011 0010 00011 000101 000100 0000100 0000101 0000111 00000100 \
    00000111 000011000 0000010111 0000011000 0000001000 00001100111 00001101000 00001101100 \
    00000110111 00000101000 00000010111 00000011000 000011001010 000011001011 000011001100 \
    000011001101 000001101000 000001101001 000001101010 000001101011 000011010010 000011010011 \
    000011010100 000011010101 000011010110 000011010111 000001101100 000001101101 000011011010 \
    000011011011 000001010100 000001010101 000001010110 000001010111 000001100100 000001100101 \
    000001010010 000001010011 000000100100 000000110111 000000111000 000000100111 000000101000 \
    000001011000 000001011001 000000101011 000000101100 000001011010 000001100110 000001100111";

/// Of 64 to 1728.
const BLACK_MADE_UP: &str = "\
    0000001111 000011001000 000011001001 000001011011 000000110011 000000110100 000000110101 \
    0000001101100 0000001101101 0000001001010 0000001001011 0000001001100 0000001001101 \
    0000001110010 0000001110011 0000001110100 0000001110101 0000001110110 0000001110111 \
    0000001010010 0000001010011 0000001010100 0000001010101 0000001011010 0000001011011 \
    0000001100100 0000001100101";

/// Of 1792 to 2560, of either colour (table 3b).
const LONG: &str = "\
    00000001000 00000001100 00000001101 000000010010 000000010011 000000010100 000000010101 \
    000000010110 000000010111 000000011100 000000011101 000000011110 000000011111";

/// Runs by the length of their code and the code.
type Codes = BTreeMap<(usize, usize), usize>;

static CODES: LazyLock<[Codes; 2]> =
    LazyLock::new(|| [codes(WHITE, WHITE_MADE_UP), codes(BLACK, BLACK_MADE_UP)]);

fn codes(short: &str, made_up: &str) -> Codes {
    let steps = |from: usize| (from..).step_by(64);
    let long = LONG.split_ascii_whitespace().zip(steps(1792));
    let made_up = made_up.split_ascii_whitespace().zip(steps(64));
    let all = short.split_ascii_whitespace().zip(0..);
    all.chain(made_up)
        .chain(long)
        .filter_map(|(code, run)| Some(((code.len(), usize::from_str_radix(code, 2).ok()?), run)))
        .collect()
}

/// Bits, the highest of each byte first.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next bits as a number; behind the end come zeros.
    fn peek(&self, count: usize) -> usize {
        let bit = |at: usize| {
            let byte = self.data.get(at / 8).copied().unwrap_or_default();
            usize::from(byte << (at & 7) >> 7)
        };
        (0..count).fold(0, |sum, nth| sum << 1 | bit(self.at.saturating_add(nth)))
    }

    fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    fn is_empty(&self) -> bool {
        self.at / 8 >= self.data.len()
    }

    /// The length of a run: parts of 64 and more, and one of less.
    fn run(&mut self, black: bool) -> Option<usize> {
        let codes = CODES.get(usize::from(black))?;
        let mut sum = 0usize;
        // Ends because each turn takes at least two bits.
        while !self.is_empty() {
            let found =
                (2..=LONGEST).find_map(|len| Some((len, *codes.get(&(len, self.peek(len)))?)));
            let (len, run) = found?;
            self.skip(len);
            sum = sum.saturating_add(run);
            if run < 64 {
                return Some(sum);
            }
        }
        None
    }

    /// Passes over a mark of a row's end and what fills up in front of it.
    fn pass_mark(&mut self) {
        if self.peek(11) != 0 {
            return;
        }
        // Ends at the end of the data at the latest.
        while !self.is_empty() && self.peek(1) == 0 {
            self.skip(1);
        }
        self.skip(1);
    }
}

/// Rows of a picture as bits, black as 1, each row from a whole byte on; as many as can be read, `rows` at the most.
pub fn decode(data: &[u8], width: usize, rows: usize, coding: Coding) -> Vec<u8> {
    let mut bits = Bits { data, at: 0 };
    let mut out = Vec::new();
    // Where the colour changes in the row above, from white on.
    let mut above: Vec<usize> = Vec::new();
    for _ in 0..rows {
        let alone = match coding {
            Coding::Runs => {
                bits.at = bits.at.next_multiple_of(8);
                true
            }
            Coding::Group3 => {
                bits.pass_mark();
                true
            }
            Coding::Group3Mixed => {
                bits.pass_mark();
                let alone = bits.peek(1) == 1;
                bits.skip(1);
                alone
            }
            Coding::Group4 => false,
        };
        if bits.is_empty() {
            break;
        }
        let row = match alone {
            true => runs(&mut bits, width),
            false => changed(&mut bits, &above, width),
        };
        let Some(row) = row else { break };
        push(&row, width, &mut out);
        above = row;
    }
    out
}

/// A row of runs: where the colour changes.
fn runs(bits: &mut Bits<'_>, width: usize) -> Option<Vec<usize>> {
    let mut row = Vec::new();
    let (mut at, mut black) = (0usize, false);
    // Ends because each turn takes at least two bits.
    while at < width {
        at = at.saturating_add(bits.run(black)?).min(width);
        row.push(at);
        black = !black;
    }
    Some(row)
}

/// A row by what changes from the one above (T.4 4.2.1.3).
fn changed(bits: &mut Bits<'_>, above: &[usize], width: usize) -> Option<Vec<usize>> {
    let mut row: Vec<usize> = Vec::new();
    let (mut at, mut black, mut next) = (0usize, false, 0usize);
    let mut started = false;
    // Ends because each turn takes at least one bit.
    while at < width {
        if bits.is_empty() {
            return None;
        }
        // The first change of the row above behind this place, to the other colour.
        next = next.saturating_sub(2);
        while let Some(change) = above.get(next) {
            let behind = *change > at || !started;
            let fits = (next & 1 == 1) == black;
            if behind && fits {
                break;
            }
            next = next.saturating_add(1);
        }
        let first = above.get(next).copied().unwrap_or(width);
        let second = above.get(next.saturating_add(1)).copied().unwrap_or(width);
        let (len, shift) = match bits.peek(7) {
            0b100_0000.. => (1, Some((0, 0))),
            0b011_0000.. => (3, Some((1, 0))),
            0b010_0000.. => (3, Some((0, 1))),
            0b001_0000.. => {
                bits.skip(3);
                for _ in 0..2 {
                    at = at.saturating_add(bits.run(black)?).min(width);
                    row.push(at);
                    black = !black;
                }
                started = true;
                continue;
            }
            0b000_1000.. => {
                bits.skip(4);
                at = second;
                started = true;
                continue;
            }
            6 | 7 => (6, Some((2, 0))),
            4 | 5 => (6, Some((0, 2))),
            3 => (7, Some((3, 0))),
            2 => (7, Some((0, 3))),
            _ => (7, None),
        };
        let (right, left) = shift?;
        bits.skip(len);
        let change = first.saturating_add(right).saturating_sub(left).min(width);
        if change < at {
            return None;
        }
        at = change;
        row.push(at);
        black = !black;
        started = true;
    }
    Some(row)
}

/// Writes a row as bits.
fn push(row: &[usize], width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start.saturating_add(width.div_ceil(8)), 0);
    for pair in row.chunks(2) {
        let from = pair.first().copied().unwrap_or(width);
        let to = pair.get(1).copied().unwrap_or(width).min(width);
        for at in from..to {
            if let Some(byte) = out.get_mut(start.saturating_add(at / 8)) {
                *byte |= 0x80 >> (at & 7);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(bits: &str) -> Vec<u8> {
        let bits: Vec<char> = bits.chars().filter(|c| *c != ' ').collect();
        let byte = |eight: &[char]| {
            let text: String = eight.iter().collect();
            u8::from_str_radix(&format!("{text:0<8}"), 2).unwrap()
        };
        bits.chunks(8).map(byte).collect()
    }

    #[test]
    fn rows_are_read_in_every_coding() {
        // Two white, three black, three white; the second row one further to the right, the third as the second.
        let rows = [0b0011_1000, 0b0001_1100, 0b0001_1100];
        let runs = "0111 10 1000";
        let moved = "011 011 1";
        assert_eq!(
            decode(
                &bytes(&format!("001 0111 10 1 {moved} 111")),
                8,
                3,
                Coding::Group4
            ),
            rows
        );
        let again = "1000 10 0111";
        let mark = "000000000001";
        let group3 = format!("{mark} {runs} {mark} {again} {mark} {again}");
        assert_eq!(decode(&bytes(&group3), 8, 3, Coding::Group3), rows);
        let mixed = format!("{mark}1 {runs} {mark}0 {moved} {mark}0 111");
        assert_eq!(decode(&bytes(&mixed), 8, 3, Coding::Group3Mixed), rows);
        let whole = format!("{runs} 000000 {again}");
        assert_eq!(decode(&bytes(&whole), 8, 2, Coding::Runs), rows[..2]);
    }

    #[test]
    fn no_code_begins_with_another_and_none_is_missing() {
        for codes in CODES.iter() {
            assert_eq!(codes.len(), 64 + 27 + 13);
            for (len, code) in codes.keys() {
                let prefix =
                    |other: &&(usize, usize)| other.0 < *len && code >> (len - other.0) == other.1;
                assert_eq!(codes.keys().find(prefix), None);
            }
        }
    }

    #[test]
    fn damage_ends_the_picture() {
        let whole = bytes("001 0111 10 1 011 011 1 111");
        for cut in 0..whole.len() {
            let _ = decode(&whole[..cut], 8, 100, Coding::Group4);
        }
        assert!(decode(&[0; 64], 1000, 1000, Coding::Group4).is_empty());
        let _ = decode(&[0xff; 64], 1000, 1000, Coding::Group4);
    }
}
