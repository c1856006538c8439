//! What bytes were told to be before, by their digest: equal bytes are not told again.
//!
//! Kept is what [`super::identify`] answers, which depends on the bytes alone; what a name makes of it is cheap, and told
//! anew each time. Not kept is what a limit or the time had a part in.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Identity, identify};
use crate::limits::{Budget, Spent};

/// Bytes that an entry takes, roughly, and each fact in it.
const COST: usize = 300;

/// Facts of one entry at the most.
const FACTS: usize = 8;

type Digest = [u8; 32];

#[expect(
    clippy::disallowed_types,
    reason = "asked in constant time; its order is never seen"
)]
type Entries = std::collections::HashMap<Digest, (Identity, Spent)>;

/// Answers in bounded memory: what was not asked for in a while is forgotten.
#[derive(Debug)]
pub struct Told {
    most: usize,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: Entries,
    old: Entries,
    /// Bytes of the young ones.
    cost: usize,
}

impl Told {
    /// Answers of about `most` bytes.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            generations: Mutex::default(),
        }
    }

    /// [`identify`] for bytes of a known digest.
    pub fn identify(&self, data: &[u8], digest: &Digest, budget: &Budget) -> Identity {
        let known = self.lock().find(digest, self.most);
        if let Some((identity, spent)) = known
            && budget.pay(spent)
        {
            return identity;
        }
        let before = budget.spent();
        let identity = identify(data, budget);
        if let Some(spent) = budget.spent_since(before)
            && identity.facts.len() <= FACTS
            && budget.check_time().is_ok()
        {
            let entry = (identity.clone(), spent);
            self.lock().add(*digest, entry, self.most);
        }
        identity
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        let locked = self.generations.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn find(&mut self, digest: &Digest, most: usize) -> Option<(Identity, Spent)> {
        if let Some(entry) = self.young.get(digest) {
            return Some(entry.clone());
        }
        let entry = self.old.remove(digest)?;
        self.add(*digest, entry.clone(), most);
        Some(entry)
    }

    /// Adds an entry; once the young ones fill half of the room they are the old ones, and the old ones are gone.
    fn add(&mut self, digest: Digest, entry: (Identity, Spent), most: usize) {
        let facts = entry.0.facts.len();
        let cost = COST.saturating_mul(facts.saturating_add(1));
        self.cost = self.cost.saturating_add(cost);
        self.young.insert(digest, entry);
        if self.cost > most / 2 {
            self.old = std::mem::take(&mut self.young);
            self.cost = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::limits::Limits;
    use crate::model::Kind;

    fn digest(number: u32) -> Digest {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&number.to_le_bytes());
        digest
    }

    fn budget() -> Budget {
        Budget::new(Limits::default(), None)
    }

    #[test]
    fn bytes_of_a_digest_are_told_once_and_what_is_not_asked_for_is_forgotten() {
        let told = Told::new(100 * COST);
        let kind = |data: &[u8], number| told.identify(data, &digest(number), &budget()).kind;
        assert_eq!(kind(b"%PDF-1.7\n", 0), Kind::Pdf);
        // Other bytes under the same digest cannot be: what was told stays.
        assert_eq!(kind(b"MZ", 0), Kind::Pdf);
        for number in 1..1000 {
            assert_eq!(kind(b"{\\rtf1 }", number), Kind::Rtf);
            assert_eq!(kind(b"", 0), Kind::Pdf, "{number}");
        }
        assert_eq!(kind(b"%PDF-1.7\n", 1), Kind::Pdf);
        let generations = told.lock();
        assert!(generations.young.len() + generations.old.len() <= 101);
    }

    #[test]
    fn what_the_time_had_a_part_in_is_told_anew() {
        let told = Told::new(1 << 20);
        let over = Budget::new(Limits::default(), Some(Instant::now()));
        told.identify(b"%PDF-1.7\n", &digest(0), &over);
        assert!(told.lock().young.is_empty());
    }
}
