//! Programs under a mask that a script or a loader takes off: every byte combined with a key, turned around, widened,
//! pairs swapped.
//!
//! The header of a program for DOS ends in zeros (Microsoft PE and COFF specification, "MS-DOS Stub"), so that a key
//! shows there as it is. Only whole files are unmasked, from their first byte.

use super::pe;

/// Bytes of the header that linkers leave zero: e_res and what follows, up to the offset of the next header.
const ZEROS: std::ops::Range<usize> = 0x20..0x3c;

/// Bytes that are unmasked before the rest is: up to the next header.
const HEAD: usize = 4096;

/// Longest key that shows twice within the zeros.
const KEY: usize = 14;

/// The program under the mask, and what the mask is.
pub fn program(data: &[u8]) -> Option<(Vec<u8>, String)> {
    if data.len() < 128 {
        return None;
    }
    swapped(data)
        .map(|program| (program, "pairs of bytes swapped".to_owned()))
        .or_else(|| turned(data))
        .or_else(|| widened(data))
        .or_else(|| keyed(data))
}

/// Bytes of a word that may mark the place of a masked program behind a picture, at the most.
const MARKED: usize = 128;

/// Where in bytes behind a picture a program under a mask starts: at once, or behind a short mark by which a loader finds it.
pub fn start(data: &[u8]) -> Option<usize> {
    if program(data).is_some() {
        return Some(0);
    }
    (1..MARKED).find(|at| {
        let rest = data.get(*at..).unwrap_or_default();
        let head = rest.get(..HEAD).unwrap_or(rest);
        head.len() >= 128 && (swapped(head).is_some() || keyed(head).is_some())
    })
}

/// Keys of one script that are tried.
const KEYS: usize = 48;

/// Longest text of a script that is looked through for keys.
const SCRIPT: usize = 256 << 10;

/// The keys that a script may combine bytes with: numbers behind a sign or word for exclusive or, numbers that are
/// assigned, and its short strings; none where it combines nothing.
pub fn keys(script: &[u8]) -> Vec<Vec<u8>> {
    let text = script.get(..SCRIPT).unwrap_or(script).to_ascii_lowercase();
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut add = |key: Vec<u8>| {
        if !key.is_empty() && found.len() < KEYS && !found.contains(&key) {
            found.push(key);
        }
    };
    let marks: [&[u8]; 2] = [b"^", b"xor"];
    let behind = |mark: &'static [u8]| {
        memchr::memmem::find_iter(&text, mark)
            .take(KEYS)
            .map(move |at| at.saturating_add(mark.len()))
    };
    let places: Vec<usize> = marks.into_iter().flat_map(behind).collect();
    if places.is_empty() {
        return Vec::new();
    }
    for at in places.into_iter().chain(behind(b"=")) {
        if let Some(byte) = byte_at(&text, at).filter(|byte| *byte != 0) {
            add(vec![byte]);
        }
    }
    for quote in [b'"', b'\''] {
        let strings = script.get(..SCRIPT).unwrap_or(script);
        let strings = strings.split(|byte| *byte == quote).skip(1).step_by(2);
        let short = strings.filter(|one| (1..=64).contains(&one.len()));
        short.take(KEYS).for_each(|one| add(one.to_vec()));
    }
    found
}

/// The number that stands at a place of a text in lower case, behind blanks and signs of the language.
fn byte_at(text: &[u8], at: usize) -> Option<u8> {
    let rest = text.get(at..at.saturating_add(24).min(text.len()))?;
    let rest = rest.trim_ascii_start();
    let rest = rest.strip_prefix(b"=").unwrap_or(rest).trim_ascii_start();
    let rest = rest.strip_prefix(b"(").unwrap_or(rest);
    let hex = rest
        .strip_prefix(b"0x")
        .or_else(|| rest.strip_prefix(b"&h"));
    let (digits, base) = hex.map_or((rest, 10), |digits| (digits, 16));
    let digit = |byte: &&u8| char::from(**byte).is_digit(base);
    let number: String = digits
        .iter()
        .take_while(digit)
        .map(|one| char::from(*one))
        .collect();
    u8::from_str_radix(&number, base).ok()
}

/// Bytes without a key that is repeated over them.
pub fn without(data: &[u8], key: &[u8]) -> Vec<u8> {
    data.iter()
        .zip(key.iter().cycle())
        .map(|(byte, key)| byte ^ key)
        .collect()
}

fn is_program(data: &[u8]) -> bool {
    data.starts_with(b"MZ") && pe::read(data).is_some()
}

fn turned(data: &[u8]) -> Option<(Vec<u8>, String)> {
    let head: Vec<u8> = data.iter().rev().take(HEAD).copied().collect();
    is_program(&head).then(|| {
        let whole = data.iter().rev().copied().collect();
        (whole, "turned around".to_owned())
    })
}

/// The program in bytes whose pairs are swapped, as words of the other byte order are.
pub fn swapped(data: &[u8]) -> Option<Vec<u8>> {
    if !data.starts_with(b"ZM") {
        return None;
    }
    let swap = |bytes: &[u8]| -> Vec<u8> {
        let (pairs, last) = bytes.as_chunks::<2>();
        let swapped = pairs.iter().flat_map(|[first, second]| [*second, *first]);
        swapped.chain(last.iter().copied()).collect()
    };
    is_program(&swap(data.get(..HEAD).unwrap_or(data))).then(|| swap(data))
}

/// One zero behind or in front of every byte.
fn widened(data: &[u8]) -> Option<(Vec<u8>, String)> {
    let pairs = data.as_chunks::<2>().0;
    let near = pairs.get(..HEAD.min(pairs.len()))?;
    let low = near.iter().all(|[_, high]| *high == 0);
    let high = near.iter().all(|[low, _]| *low == 0);
    if low == high {
        return None;
    }
    let bare = |[first, second]: &[u8; 2]| if low { *first } else { *second };
    let whole: Vec<u8> = pairs.iter().map(bare).collect();
    is_program(&whole).then(|| (whole, "two bytes for each".to_owned()))
}

/// How a byte and its key are combined.
#[derive(Debug, Clone, Copy)]
enum Combined {
    Xor,
    Sum,
}

impl Combined {
    fn plain(self, byte: u8, key: u8) -> u8 {
        match self {
            Self::Xor => byte ^ key,
            Self::Sum => byte.wrapping_sub(key),
        }
    }
}

fn keyed(data: &[u8]) -> Option<(Vec<u8>, String)> {
    let shown = data.get(ZEROS)?;
    let key = repeated(shown).or_else(|| counted(shown))?;
    if key.iter().all(|byte| *byte == 0) {
        return None;
    }
    [Combined::Xor, Combined::Sum].into_iter().find_map(|how| {
        let unmask = |bytes: &[u8]| -> Vec<u8> {
            let keys = key.iter().cycle();
            bytes
                .iter()
                .zip(keys)
                .map(|(byte, key)| how.plain(*byte, *key))
                .collect()
        };
        // Two bytes tell nearly always that it is none.
        if unmask(data.get(..2)?) != b"MZ"
            || !is_program(&unmask(data.get(..HEAD.min(data.len()))?))
        {
            return None;
        }
        let told = match how {
            Combined::Xor => format!("XOR with a key of {}", key.len()),
            Combined::Sum => format!("sum with a key of {}", key.len()),
        };
        Some((unmask(data), told))
    })
}

/// The key, from the first byte of the file on, where it comes again and again.
fn repeated(shown: &[u8]) -> Option<Vec<u8>> {
    let period = (1..=KEY).find(|period| {
        let again = shown.iter().skip(*period);
        shown.iter().zip(again).all(|(one, other)| one == other)
    })?;
    // The zeros begin somewhere within the key.
    let shift = ZEROS.start.checked_rem(period)?;
    let keys = (0..period).map(|at| {
        let from = at
            .checked_add(period)?
            .checked_sub(shift)?
            .checked_rem(period)?;
        shown.get(from).copied()
    });
    keys.collect()
}

/// The key, from the first byte of the file on, where each byte is the one before and the same more.
fn counted(shown: &[u8]) -> Option<Vec<u8>> {
    let (first, second) = (*shown.first()?, *shown.get(1)?);
    let step = second.wrapping_sub(first);
    let even = shown.windows(2).all(|pair| match pair {
        [one, other] => other.wrapping_sub(*one) == step,
        _ => false,
    });
    // After 256 bytes the key is where it began, whatever the step.
    let before = u8::try_from(ZEROS.start).ok()?;
    let start = first.wrapping_sub(step.wrapping_mul(before));
    even.then(|| {
        (0..=u8::MAX)
            .map(|at| start.wrapping_add(step.wrapping_mul(at)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_script_are_its_numbers_and_short_strings() {
        let js = b"var k='k3Y!';for(;;)u[i]=d.charCodeAt(i) ^ 0x37;v^=k.charCodeAt(i)";
        let found = keys(js);
        assert!(found.contains(&vec![0x37]) && found.contains(&b"k3Y!".to_vec()));
        assert!(keys(b"$b[$i] = $b[$i] -bxor 85").contains(&vec![85]));
        assert!(keys(b"var k='k3y!', n = 55; plain()").is_empty());
        assert!(keys(&b"^=1\"".repeat(100_000)).len() <= KEYS);
        assert_eq!(without(&without(b"abc", b"xy"), b"xy"), b"abc");
    }

    use crate::unpack::tests::pe;

    fn unmasked(data: &[u8]) -> bool {
        program(data).is_some_and(|(found, _)| found.starts_with(&pe()))
    }

    #[test]
    fn masks_are_taken_off() {
        let plain = pe();
        let with = |key: &dyn Fn(usize) -> u8| -> Vec<u8> {
            plain
                .iter()
                .enumerate()
                .map(|(at, byte)| byte ^ key(at))
                .collect()
        };
        assert!(unmasked(&with(&|_| 0x35)));
        assert!(unmasked(&with(&|at| b"\x13\x57\x9b\xdf\x21"[at % 5])));
        assert!(unmasked(&with(
            &|at| u8::try_from((0x21 + at) % 256).unwrap()
        )));
        let sum: Vec<u8> = plain.iter().map(|byte| byte.wrapping_add(13)).collect();
        assert!(unmasked(&sum));
        let turned: Vec<u8> = plain.iter().rev().copied().collect();
        assert!(unmasked(&turned));
        let pairs = plain.as_chunks::<2>().0.iter();
        let swapped: Vec<u8> = pairs.flat_map(|[one, two]| [*two, *one]).collect();
        assert!(unmasked(&swapped));
        let wide: Vec<u8> = plain.iter().flat_map(|byte| [*byte, 0]).collect();
        assert!(unmasked(&wide));
    }

    #[test]
    fn what_is_no_program_stays() {
        assert_eq!(program(&pe()), None);
        assert_eq!(program(&[0x35; 4096]), None);
        assert_eq!(program(&[0; 4096]), None);
        let counting: Vec<u8> = (0..=u8::MAX).cycle().take(4096).collect();
        assert_eq!(program(&counting), None);
        for len in 0..200 {
            let _ = program(&vec![7; len]);
        }
    }
}
