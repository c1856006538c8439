//! Files as numbers that are each the same more or less than their bytes: a script takes the difference off. And files
//! as numbers of two or four bytes (ECMAScript, 23.2 "TypedArray Objects": the lowest first on every machine).

use std::ops::Range;

use crate::model::Trouble;

use super::Sink;

/// First bytes of what counts, long enough to tell it by their differences alone.
const STARTS: &[&[u8]] = &[
    b"PK\x03\x04",
    b"MZ\x90\0\x03\0",
    b"MZ\0\0\x01\0",
    b"MZP\0\x02\0",
    b"MZ@\0\x01\0",
    b"\xd0\xcf\x11\xe0\xa1\xb1",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"MSCF\0\0",
    b"ITSF\x03\0",
    b"%PDF-1",
    b"\x4c\0\0\0\x01\x14\x02",
    b"\x1f\x8b\x08\0\0",
];

/// Numbers by which a start is told at the most, and numbers of a run at the least.
const HEAD: usize = 8;
const LEAST: usize = 64;

/// Digits of a number: a byte and what was added to it, or four bytes.
const DIGITS: usize = 10;

/// Offers the file whose numbers are those of a stretch, each with the same added.
pub(super) fn run(
    text: &[u8],
    stretch: Range<usize>,
    sink: &mut Sink<'_, '_>,
) -> Result<(), Trouble> {
    let stretch_text = text.get(stretch.clone()).unwrap_or_default();
    let head: Vec<i64> = Numbers::of(stretch_text).take(HEAD).collect();
    if let Some(width) = width(&head) {
        return wide(stretch_text, width, stretch, sink);
    }
    let added = STARTS.iter().find_map(|start| added(&head, start));
    let Some(added) = added.filter(|added| *added != 0) else {
        return Ok(());
    };
    sink.nest.budget().spend(stretch_text.len())?;
    let mut bytes = Vec::new();
    for number in Numbers::of(stretch_text) {
        sink.nest.tick()?;
        let Ok(byte) = u8::try_from(number.saturating_sub(added).rem_euclid(256)) else {
            return Ok(());
        };
        bytes.push(byte);
    }
    if bytes.len() >= LEAST {
        sink.offer(bytes, stretch)?;
    }
    Ok(())
}

/// Offers the file whose numbers are those of a text, each of so many bytes.
fn wide(
    text: &[u8],
    width: usize,
    at: Range<usize>,
    sink: &mut Sink<'_, '_>,
) -> Result<(), Trouble> {
    sink.nest.budget().spend(text.len())?;
    let mut bytes = Vec::new();
    for number in Numbers::of(text) {
        sink.nest.tick()?;
        bytes.extend_from_slice(number.to_le_bytes().get(..width).unwrap_or_default());
    }
    if bytes.len() >= LEAST {
        sink.offer(bytes, at)?;
    }
    Ok(())
}

/// The bytes of each number, where the first ones are those of a start.
fn width(head: &[i64]) -> Option<usize> {
    // Most numbers are small, and of those the readers of bytes tell.
    if head.first().is_none_or(|first| (0..256).contains(first)) {
        return None;
    }
    [2usize, 4].into_iter().find(|width| {
        let bytes: Vec<u8> = head
            .iter()
            .flat_map(|number| number.to_le_bytes().into_iter().take(*width))
            .collect();
        let fits = |number: &i64| match width {
            2 => i16::try_from(*number).is_ok() || u16::try_from(*number).is_ok(),
            _ => i32::try_from(*number).is_ok() || u32::try_from(*number).is_ok(),
        };
        head.iter().all(fits) && STARTS.iter().any(|start| bytes.starts_with(start))
    })
}

/// What was added to each byte of a start, where the numbers are those.
fn added(head: &[i64], start: &[u8]) -> Option<i64> {
    let first = head.first()?.saturating_sub(i64::from(*start.first()?));
    let fits = |(number, byte): (&i64, &u8)| {
        number.saturating_sub(first).rem_euclid(256) == i64::from(*byte)
    };
    (head.len() >= start.len() && head.iter().zip(start).all(fits)).then_some(first)
}

/// Whole numbers one after the other, decimal or behind `0x`. Ends because each takes at least one digit.
struct Numbers<'t> {
    rest: &'t [u8],
}

impl<'t> Numbers<'t> {
    fn of(text: &'t [u8]) -> Self {
        Self { rest: text }
    }
}

impl Iterator for Numbers<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let at = self.rest.iter().position(u8::is_ascii_digit)?;
        let minus = at.checked_sub(1).and_then(|at| self.rest.get(at)) == Some(&b'-');
        let rest = self.rest.get(at..)?;
        let (digits, radix) = match rest {
            [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
            digits => (digits, 10),
        };
        let mut value = 0i64;
        let mut taken = 0usize;
        for digit in digits
            .iter()
            .map_while(|one| char::from(*one).to_digit(radix))
        {
            value = value
                .saturating_mul(radix.into())
                .saturating_add(digit.into());
            taken = taken.saturating_add(1);
        }
        self.rest = digits.get(taken..)?;
        // A longer one, or letters behind: no numbers of bytes.
        let behind = self.rest.first().is_some_and(u8::is_ascii_alphabetic);
        (taken > 0 && taken <= DIGITS && !behind).then_some(if minus {
            value.saturating_neg()
        } else {
            value
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_told_by_the_differences() {
        let numbers = |text: &str| Numbers::of(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(numbers("83, 78,\n0x6,-7"), [83, 78, 6, -7]);
        assert_eq!(numbers("1,2f,3"), [1]);
        assert_eq!(added(&numbers("83,78,6,7,9"), b"PK\x03\x04"), Some(3));
        assert_eq!(added(&numbers("180,175,103,104"), b"PK\x03\x04"), Some(100));
        assert_eq!(added(&numbers("83,78,6,8"), b"PK\x03\x04"), None);
        assert_eq!(added(&numbers("83,78"), b"PK\x03\x04"), None);
    }

    #[test]
    fn numbers_of_more_than_a_byte_are_told_by_their_start() {
        assert_eq!(width(&[0x4b50, 0x0403, 20]), Some(2));
        assert_eq!(width(&[0x0403_4b50, 20]), Some(4));
        assert_eq!(width(&[0x5a4d, 0x90, 3, 0]), Some(2));
        assert_eq!(
            width(&[i64::from(0xcfd0_u16.cast_signed()), 0xe011, 0xb1a1]),
            Some(2)
        );
        for head in [
            &[80, 75, 3, 4][..],
            &[0x4b50, 9, 9],
            &[0x4b50],
            &[19_280, 1_027_000],
            &[],
        ] {
            assert_eq!(width(head), None, "{head:?}");
        }
    }
}
