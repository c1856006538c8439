//! Which objects of a file are pages, without taking all of it apart: for who only has to know that none is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::lexer::Parser;
use super::{OVERLAP, Object, heading};
use crate::limits::{Budget, Halt};

/// Which of the objects of these numbers are pages, as [`super::read`] sees those that stand in the file themselves; nothing else
/// is taken apart.
///
/// # Errors
/// The time is over.
pub fn pages(data: &[u8], numbers: &BTreeSet<u32>, budget: &Budget) -> Result<BTreeSet<u32>, Halt> {
    let mut last = BTreeMap::new();
    for at in memchr::memmem::find_iter(data, b"obj") {
        budget.tick()?;
        if let Some((_, number, _)) = heading(data, at)
            && numbers.contains(&number)
        {
            last.insert(number, at);
        }
    }
    let mut work = data.len().saturating_mul(OVERLAP).saturating_add(1 << 16);
    let mut pages = BTreeSet::new();
    for (number, at) in last {
        budget.tick()?;
        let mut parser = Parser::new(data, at.saturating_add(3), work);
        if matches!(parser.object(), Object::Dict(dict) if dict.is("Type", "Page")) {
            pages.insert(number);
        }
        work = work.saturating_sub(parser.used());
        if work == 0 {
            break;
        }
    }
    Ok(pages)
}
