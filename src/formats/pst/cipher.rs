//! How blocks of stores are obscured ([MS-PST] 5.1 and 5.2): no secret is in it.

/// The substitutions mpbbR and mpbbS of the specification, two hexadecimal digits a byte. mpbbS is its own inverse, and
/// mpbbI that of mpbbR.
const R: &str = "\
41361362a8216ebbf416cc047f64e85d1ef2cb2a74c55e35d295479e962d9a884c7d843fdbac31b6485ff6c4d8398be7233b388ec8c1df25\
b120a546604e9cfbaad35651457c550007c92b9d859b09a08fadb30f63ab894bd7a7155a716642bf264a6b98faea7753b270052cfd593a86\
7ece06eb827857c78d43afb41cd45bcde2e9274fc3087280cfb0eff5286dbe304d3492d50e3c2232e5e4f99fc2d10a8112e1ee918376e397\
e6618a1779a4b7dc907a5c8c02a6ca69de501a1193b9528758fced1d37491b6ae0293399bd6cd994f340546ff0c673b8d63e6518441fdd67\
10f10c19ecae03a1147ba90bfff8a3c0a201f72ebc2468750dfeba2fb5d0da3d";
const S: &str = "\
14530f56b3c87a9ceb65481716159f02cc547c83000d0c0ba262a876dbd9edc7c5a4dcac8574d6d0a79bae9a967166c36399b8dd73928e84\
7da55ed15d93b1575150808952944f4e0a6bbc8d7f6e47464140440111cb033ff7f4e1a98f3c3af9fbf0193082092ec99da08649ee6f4d6d\
c42d813425871b88aafc06a11238fd4c4272641337246a757743ffe6b44b365ce4d8353d45b92cecb7312b290768a30e697b189e2139be28\
1a5b78f523ca2ab0af3efe048ce7e5983295d3f64ae8a6eae9f3d52f7020f21f0567ad5510cecde3273bdabad7c226d4911dd21c2233f8fa\
f15aefcf90b68bb5bdc0bf08971e6ce261e0c6c159abbb58de5fdf60797eb28a";

/// How the blocks of a store are obscured (bCryptMethod).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Not at all.
    Plain,
    /// Byte by byte.
    Permuted,
    /// By the position, and the block's number.
    Cyclic,
}

/// The tables, ready for use.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    r: Vec<u8>,
    s: Vec<u8>,
    i: Vec<u8>,
}

impl Tables {
    pub(super) fn new() -> Self {
        let r = bytes(R);
        let mut i = vec![0; r.len()];
        for (plain, obscured) in (0..=u8::MAX).zip(&r) {
            if let Some(place) = i.get_mut(usize::from(*obscured)) {
                *place = plain;
            }
        }
        Self { r, s: bytes(S), i }
    }

    /// Makes a block plain; `block` is its number (BID).
    pub(super) fn reveal(&self, method: Method, block: u64, data: &mut [u8]) {
        match method {
            Method::Plain => {}
            Method::Permuted => {
                for byte in data {
                    *byte = at(&self.i, *byte);
                }
            }
            Method::Cyclic => self.cyclic(block, data),
        }
    }

    fn cyclic(&self, block: u64, data: &mut [u8]) {
        let [a, b, c, d, ..] = block.to_le_bytes();
        let (low, high) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        let mut key = low ^ high;
        for byte in data {
            let [low, high] = key.to_le_bytes();
            let turned = at(&self.r, byte.wrapping_add(low));
            let turned = at(&self.s, turned.wrapping_add(high));
            let turned = at(&self.i, turned.wrapping_sub(high));
            *byte = turned.wrapping_sub(low);
            key = key.wrapping_add(1);
        }
    }
}

fn at(table: &[u8], byte: u8) -> u8 {
    table.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Bytes of their hexadecimal digits.
fn bytes(digits: &str) -> Vec<u8> {
    let digit = |byte: &u8| match byte {
        b'a'..=b'f' => byte.wrapping_sub(b'a').wrapping_add(10),
        other => other.wrapping_sub(b'0'),
    };
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| match pair {
            [high, low] => digit(high) << 4 | digit(low),
            _ => 0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_permutations_and_the_cyclic_one_undoes_itself() {
        let tables = Tables::new();
        for table in [&tables.r, &tables.s, &tables.i] {
            let mut sorted = table.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..=255).collect::<Vec<u8>>());
        }
        let plain: Vec<u8> = (0..=255).collect();
        let mut data = plain.clone();
        tables.reveal(Method::Cyclic, 0x1234_5678, &mut data);
        assert_ne!(data, plain);
        tables.reveal(Method::Cyclic, 0x1234_5678, &mut data);
        assert_eq!(data, plain);
    }
}
