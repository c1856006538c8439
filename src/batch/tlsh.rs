//! TLSH: a digest that changes little when the bytes change little (Oliver, Cheng, Chen: "TLSH – A Locality Sensitive
//! Hash", 2013; version 1, 128 buckets, one byte of checksum).

use tlsh2::TlshDefaultBuilder;

/// The digest as text: `T1` and 70 hexadecimal digits. None for what is too short or too uniform to have one.
pub(super) fn digest(data: &[u8]) -> Option<String> {
    let hash = TlshDefaultBuilder::build_from(data)?.hash();
    String::from_utf8(hash.to_vec()).ok()
}

/// A digest to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tlsh {
    checksum: u8,
    /// Logarithm of the length.
    length: u8,
    /// Ratios of the quartiles of the buckets.
    ratios: [u8; 2],
    /// Two bits a bucket: its quartile.
    pub(super) body: [u8; 32],
}

impl Tlsh {
    /// Reads the text of a digest.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("T1")?.as_bytes();
        let mut bytes = [0; 35];
        if digits.len() != bytes.len().saturating_mul(2) {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        let [checksum, length, ratios, body @ ..] = bytes;
        Some(Self {
            // These two stand with their halves swapped.
            checksum: checksum.rotate_left(4),
            length: length.rotate_left(4),
            ratios: [ratios >> 4, ratios & 0x0f],
            body,
        })
    }

    /// How far two digests are apart: 0 for the same, below 30 for what is nearly the same, 200 and more for what has
    /// nothing in common.
    pub(super) fn distance(&self, other: &Self) -> u32 {
        let length = match around(self.length, other.length, 256) {
            near @ (0 | 1) => near,
            far => far.saturating_mul(12),
        };
        let ratios = self
            .ratios
            .iter()
            .zip(other.ratios)
            .map(|(a, b)| match around(*a, b, 16) {
                near @ (0 | 1) => near,
                far => far.saturating_sub(1).saturating_mul(12),
            });
        let buckets = self.body.iter().zip(other.body).map(|(a, b)| apart(*a, b));
        let checksum = u32::from(self.checksum != other.checksum);
        ratios
            .chain(buckets)
            .fold(length.saturating_add(checksum), u32::saturating_add)
    }
}

/// The distance of two numbers on a ring.
fn around(a: u8, b: u8, ring: u32) -> u32 {
    let apart = u32::from(a.abs_diff(b));
    apart.min(ring.saturating_sub(apart))
}

/// The distance of four buckets each: quartiles at opposite ends count for more.
fn apart(a: u8, b: u8) -> u32 {
    [0, 2, 4, 6]
        .iter()
        .map(|shift| {
            let quartile = |byte: u8| (byte >> shift) & 3;
            match quartile(a).abs_diff(quartile(b)) {
                3 => 6,
                apart => u32::from(apart),
            }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Tlsh {
        Tlsh::parse(&digest(text.as_bytes()).unwrap()).unwrap()
    }

    fn script(address: &str) -> String {
        let lines = (1..60_u32).map(|n| format!("x{n} = f{}({})\r\n", n % 7, n * n * 31 % 9973));
        format!(
            "{}o.Open \"GET\", \"http://{address}/a.bin\"\r\n",
            lines.collect::<String>()
        )
    }

    #[test]
    fn nearly_the_same_is_near_and_something_else_is_far() {
        let one = of(&script("192.0.2.9"));
        assert_eq!(one.distance(&one), 0);
        let near = one.distance(&of(&script("192.0.2.77")));
        assert!((1..=30).contains(&near), "{near}");
        let letter: String = (0..90)
            .map(|n| format!("{n}. 拝啓 貴社ますますご清栄のこととお慶び申し上げます。\r\n"))
            .collect();
        let far = one.distance(&of(&letter));
        assert!(far > 100, "{far}");
        assert_eq!(far, of(&letter).distance(&one));
    }

    #[test]
    fn distances_are_those_of_the_paper() {
        // Worked out by hand: checksum 1; lengths 0x21 and 0x23: 2 × 12; ratios 1 and 2: 1, 2 and 5: (3 - 1) × 12; and
        // in the last byte the quartiles 2 and 1: 1, 3 and 0: 6.
        let body = |last: &str| format!("{}{last}", "00".repeat(31));
        let one = Tlsh::parse(&format!("T1AA1212{}", body("0E"))).unwrap();
        let other = Tlsh::parse(&format!("T1AB3225{}", body("01"))).unwrap();
        assert_eq!(one.distance(&other), 1 + 24 + 1 + 24 + 1 + 6);
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for wrong in [
            "",
            "T1",
            "T1zz",
            &"0".repeat(72),
            &format!("T1{}é", "0".repeat(68)),
        ] {
            assert_eq!(Tlsh::parse(wrong), None, "{wrong}");
        }
        assert_eq!(digest(b"too short"), None);
        assert_eq!(digest(&[0; 4096]), None);
    }
}
