//! The stream cipher RC4.

/// Its key stream; never ends.
#[derive(Debug, Clone)]
pub struct Rc4 {
    state: Vec<u8>,
    i: u8,
    j: u8,
}

impl Rc4 {
    /// The stream of a key; of an empty one, nothing useful.
    pub fn new(key: &[u8]) -> Self {
        let mut state: Vec<u8> = (0..=u8::MAX).collect();
        let mut j = 0u8;
        for (i, key) in (0..=u8::MAX).zip(key.iter().cycle()) {
            j = j.wrapping_add(at(&state, i)).wrapping_add(*key);
            state.swap(usize::from(i), usize::from(j));
        }
        Self { state, i: 0, j: 0 }
    }
}

impl Iterator for Rc4 {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.i = self.i.wrapping_add(1);
        self.j = self.j.wrapping_add(at(&self.state, self.i));
        self.state.swap(usize::from(self.i), usize::from(self.j));
        let sum = at(&self.state, self.i).wrapping_add(at(&self.state, self.j));
        Some(at(&self.state, sum))
    }
}

fn at(state: &[u8], place: u8) -> u8 {
    state.get(usize::from(place)).copied().unwrap_or_default()
}

/// Encrypts or decrypts.
pub fn rc4(key: &[u8], data: &[u8]) -> Vec<u8> {
    data.iter()
        .zip(Rc4::new(key))
        .map(|(byte, mask)| byte ^ mask)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_the_bytes_of_its_known_example() {
        let known = [0xbb, 0xf3, 0x16, 0xe8, 0xd9, 0x40, 0xaf, 0x0a, 0xd3];
        assert_eq!(rc4(b"Key", b"Plaintext"), known);
    }
}
