//! Which artifacts of a tree hold something that has to go.

use std::collections::BTreeSet;

use crate::model::{Artifact, Id};

/// What is to be done with one artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// Nothing.
    Clear,
    /// It gets new content.
    Changed,
    /// Something below it goes.
    Inside,
    /// It goes as a whole.
    Whole,
}

/// The marks of a tree.
#[derive(Debug)]
pub(super) struct Marks {
    marks: Vec<Mark>,
    /// What gets new content, also where it has the bytes of something else.
    changed: BTreeSet<Id>,
}

impl Marks {
    /// The targets are marked whole, the others changed; [`Marks::spread`] tells the rest.
    pub(super) fn new(tree: &[Artifact], targets: &BTreeSet<Id>, changed: &BTreeSet<Id>) -> Self {
        let mark = |artifact: &Artifact| match targets.contains(&artifact.id) {
            true => Mark::Whole,
            false if changed.contains(&artifact.id) => Mark::Changed,
            false => Mark::Clear,
        };
        Self {
            marks: tree.iter().map(mark).collect(),
            changed: changed.clone(),
        }
    }

    /// The mark of an artifact.
    pub(super) fn of(&self, id: Id) -> Mark {
        let place = usize::try_from(id).unwrap_or(usize::MAX);
        self.marks.get(place).copied().unwrap_or(Mark::Clear)
    }

    /// Raises the mark of an artifact; answers whether that changed it.
    pub(super) fn raise(&mut self, id: Id, to: Mark) -> bool {
        let place = usize::try_from(id).unwrap_or(usize::MAX);
        match self.marks.get_mut(place) {
            Some(mark) if *mark < to => {
                *mark = to;
                true
            }
            _ => false,
        }
    }

    /// Marks what stands above a marked artifact, and what has the bytes of one: what is inside of equal bytes is
    /// listed once only, so the others go as a whole.
    ///
    /// Ends: marks only rise, and each round climbs from equal bytes to the containers around them.
    pub(super) fn spread(&mut self, tree: &[Artifact]) {
        let mut changed = true;
        while changed {
            changed = false;
            for artifact in tree.iter().rev() {
                if self.of(artifact.id) != Mark::Clear
                    && let Some(parent) = artifact.parent
                {
                    changed |= self.raise(parent, Mark::Inside);
                }
            }
            for artifact in tree {
                let same = artifact.same_as;
                if same.is_some_and(|same| self.of(same) != Mark::Clear)
                    && !self.changed.contains(&artifact.id)
                {
                    changed |= self.raise(artifact.id, Mark::Whole);
                }
            }
        }
    }
}
