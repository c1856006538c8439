//! Which of many payloads are the same or nearly the same, in near-linear time.
//!
//! Payloads with equal macro code are joined by a map. Near ones are looked for by banding: two digests within the
//! distance that counts differ in few of their 128 quartiles, so they agree on some run of eight; only payloads that
//! agree on one are compared, and each with a bounded number of others.

use std::collections::{BTreeMap, VecDeque};

use super::tlsh::Tlsh;

/// Payloads of one band that a further one is compared with; the most recent ones that are not near each other.
const COMPARED: usize = 64;

/// What joined two payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alike {
    /// Equal bytes.
    Sha256,
    /// Equal macro code.
    Vba,
    /// A small TLSH distance.
    Tlsh,
}

impl Alike {
    /// The lower-case word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Vba => "vba",
            Self::Tlsh => "tlsh",
        }
    }
}

/// What payloads are compared by.
#[derive(Debug, Clone, Default)]
pub(super) struct Likeness {
    /// Digest of the macro code.
    pub(super) vba: Option<[u8; 32]>,
    /// Digest of the bytes or the code.
    pub(super) tlsh: Option<Tlsh>,
}

/// Groups of payloads: each points to one of its group, the first points to itself.
#[derive(Debug)]
pub(super) struct Groups {
    above: Vec<usize>,
    /// What joined payloads, with one of them.
    joins: Vec<(Alike, usize)>,
}

impl Groups {
    /// Joins payloads that have equal macro code or are within `distance` of each other.
    pub(super) fn of(payloads: &[Likeness], distance: u32) -> Self {
        let mut groups = Self {
            above: (0..payloads.len()).collect(),
            joins: Vec::new(),
        };
        groups.join_equal(payloads);
        let digests: Vec<(usize, Tlsh)> = payloads
            .iter()
            .enumerate()
            .filter_map(|(at, payload)| Some((at, payload.tlsh?)))
            .collect();
        for band in 0..32 {
            groups.join_near(&digests, band, distance);
        }
        groups
    }

    /// The first of the group of a payload.
    pub(super) fn first(&self, mut payload: usize) -> usize {
        // Ends because every step goes to a smaller number.
        while let Some(above) = self.above.get(payload).filter(|above| **above < payload) {
            payload = *above;
        }
        payload
    }

    /// What joined payloads, with one of each pair.
    pub(super) fn joins(&self) -> impl Iterator<Item = (Alike, usize)> + '_ {
        self.joins.iter().copied()
    }

    fn join(&mut self, a: usize, b: usize, alike: Alike) {
        let (a_first, b_first) = (self.first(a), self.first(b));
        self.joins.push((alike, a));
        let (low, high) = (a_first.min(b_first), a_first.max(b_first));
        if let Some(above) = self.above.get_mut(high) {
            *above = low;
        }
        // Keeps the ways short.
        for payload in [a, b] {
            if let Some(above) = self.above.get_mut(payload) {
                *above = low.min(*above);
            }
        }
    }

    fn join_equal(&mut self, payloads: &[Likeness]) {
        let mut first: BTreeMap<[u8; 32], usize> = BTreeMap::new();
        for (at, payload) in payloads.iter().enumerate() {
            let Some(code) = payload.vba else { continue };
            match first.get(&code) {
                Some(other) => self.join(*other, at, Alike::Vba),
                None => drop(first.insert(code, at)),
            }
        }
    }

    /// Compares the payloads that agree on the eight quartiles of a band and of the next.
    fn join_near(&mut self, digests: &[(usize, Tlsh)], band: usize, distance: u32) {
        let key = |tlsh: &Tlsh| {
            let byte = |at: usize| tlsh.body.get(at % 32).copied().unwrap_or_default();
            u16::from_be_bytes([byte(band), byte(band.saturating_add(1))])
        };
        let mut sorted: Vec<(u16, usize)> = digests
            .iter()
            .enumerate()
            .map(|(at, (_, tlsh))| (key(tlsh), at))
            .collect();
        sorted.sort_unstable();
        for run in sorted.chunk_by(|a, b| a.0 == b.0) {
            self.join_run(digests, run, distance);
        }
    }

    /// Joins each payload of a run with the first of those before it that is near.
    fn join_run(&mut self, digests: &[(usize, Tlsh)], run: &[(u16, usize)], distance: u32) {
        let mut compared: VecDeque<usize> = VecDeque::new();
        for (_, at) in run {
            let Some((payload, tlsh)) = digests.get(*at) else {
                continue;
            };
            let near = compared.iter().find_map(|other| {
                let (other, its) = digests.get(*other)?;
                (tlsh.distance(its) <= distance).then_some(*other)
            });
            match near {
                Some(other) if self.first(other) == self.first(*payload) => continue,
                Some(other) => {
                    self.join(other, *payload, Alike::Tlsh);
                    continue;
                }
                None => {}
            }
            if compared.len() >= COMPARED {
                compared.pop_front();
            }
            compared.push_back(*at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::tlsh::digest;
    use super::*;

    fn near(text: &str) -> Likeness {
        Likeness {
            vba: None,
            tlsh: Tlsh::parse(&digest(text.as_bytes()).unwrap()),
        }
    }

    fn script(family: u32, copy: u32) -> String {
        // Words of a family, and an address that differs from copy to copy.
        let words: Vec<u32> = (1..60_u32)
            .map(|n| n.wrapping_mul(family.wrapping_mul(2_654_435_761) | 1) % 9973)
            .collect();
        let body: String = words
            .iter()
            .map(|word| format!("x{word} = f{}({word})\r\n", word % 7))
            .collect();
        format!("{body}o.Open \"GET\", \"http://192.0.2.{copy}/{copy}\"\r\n")
    }

    #[test]
    fn copies_of_a_script_are_one_group_and_others_are_not() {
        let payloads: Vec<Likeness> = [(1, 1), (2, 2), (1, 77), (3, 3), (1, 200)]
            .map(|(family, copy)| near(&script(family, copy)))
            .into();
        let groups = Groups::of(&payloads, 30);
        let first: Vec<usize> = (0..5).map(|at| groups.first(at)).collect();
        assert_eq!(first, [0, 1, 0, 3, 0]);
        assert!(groups.joins().all(|(alike, _)| alike == Alike::Tlsh));
    }

    #[test]
    fn equal_code_joins_what_is_far_apart() {
        let mut payloads: Vec<Likeness> = [1, 2, 3].map(|family| near(&script(family, 1))).into();
        for at in [0, 2] {
            payloads[at].vba = Some([9; 32]);
        }
        let groups = Groups::of(&payloads, 30);
        assert_eq!([0, 1, 2].map(|at| groups.first(at)), [0, 1, 0]);
        assert_eq!(groups.joins().collect::<Vec<_>>(), [(Alike::Vba, 0)]);
    }

    #[test]
    fn many_payloads_that_agree_on_every_band_take_no_square_of_time() {
        let mut one = Tlsh::parse(&digest(script(1, 1).as_bytes()).unwrap()).unwrap();
        let mut took = Vec::new();
        for count in [200_usize, 800] {
            let payloads: Vec<Likeness> = (0..count)
                .map(|at| {
                    // All agree on most bands and none is near another.
                    one.body[3] = at.to_le_bytes()[0];
                    one.body[17] = at.to_le_bytes()[1];
                    Likeness {
                        vba: None,
                        tlsh: Some(one),
                    }
                })
                .collect();
            let started = Instant::now();
            Groups::of(&payloads, 0);
            took.push(started.elapsed());
        }
        assert!(took[1] < took[0] * 10, "{took:?}");
    }
}
