//! Which objects a file has, without taking them apart: for who only has to know that nothing is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::lexer::Parser;
use super::{Document, Indirect, OBJECTS, OVERLAP, Object, filters, heading, heads};
use crate::bytes::length;
use crate::limits::{Account, Budget, Fault, Halt};

/// Keys whose values tell what a stream of objects or references holds.
const TELLING: &[&str] = &["Length", "Filter", "F", "DecodeParms", "DP", "N", "First"];

/// Types of streams of objects and of references.
const KINDS: &[&str] = &["ObjStm", "XRef"];

/// Bytes that DEFLATE makes of one at the most: 258 of two bits (RFC 1951, 3.2.5).
const DEFLATED: u64 = 1032;

/// What stands in a file.
#[derive(Debug)]
pub struct Outline<'a> {
    /// Numbers of the other objects that stand in the file itself, in the order of their places.
    pub numbers: Vec<u32>,
    /// The streams that hold other objects or references to them, and the trailers.
    layout: Document<'a>,
}

/// Goes over a file as [`super::read`] does; none where its layout cannot be told without all of it: it is encrypted, the
/// dictionary of such a stream refers to other objects, or something is wrong with it.
///
/// # Errors
/// The time is over.
pub fn outline<'a>(data: &'a [u8], budget: &Budget) -> Result<Option<Outline<'a>>, Halt> {
    let mut outline = Outline {
        numbers: Vec::new(),
        layout: Document::new(data),
    };
    let mut work = data.len().saturating_mul(OVERLAP).saturating_add(1 << 16);
    for at in memchr::memmem::find_iter(data, b"obj") {
        budget.tick()?;
        let Some((start, number, generation)) = heading(data, at) else {
            continue;
        };
        let from = at.saturating_add(3);
        let mut parser = Parser::new(data, from, work);
        let telling = parser.pass(KINDS);
        work = work.saturating_sub(parser.used());
        if work == 0 || outline.numbers.len() >= OBJECTS {
            return Ok(None);
        }
        let layout = &mut outline.layout;
        if telling {
            work = work.saturating_sub(layout.push(start, number, generation, from, work));
        }
        let is_layout = |object: &Indirect| matches!(&object.object, Object::Dict(dict) if KINDS.iter().any(|kind| dict.is("Type", kind)));
        if !telling || layout.objects.pop_if(|object| !is_layout(object)).is_some() {
            outline.numbers.push(number);
        }
    }
    let work = outline.layout.read_trailers(work, budget)?;
    Ok((work > 0 && outline.is_told()).then_some(outline))
}

impl Outline<'_> {
    /// Whether what tells the layout stands in itself.
    fn is_told(&self) -> bool {
        let objects = self.layout.objects.iter();
        let dicts = objects.filter_map(|object| match &object.object {
            Object::Dict(dict) => Some(dict),
            _ => None,
        });
        dicts.chain(&self.layout.trailers).all(|dict| {
            let mut values = TELLING
                .iter()
                .flat_map(|key| dict.all(key).map(|(_, value)| value));
            !values.any(refers) && dict.get("Encrypt").is_none()
        })
    }

    /// The streams that hold other objects or references to them.
    pub fn layout(&self) -> &Document<'_> {
        &self.layout
    }

    /// Whether all streams of objects and references together cannot come to more than `most` bytes, however they are
    /// made.
    pub fn is_within(&self, most: u64) -> bool {
        let mut bound = 0u64;
        for (place, object) in self.layout.objects.iter().enumerate() {
            let Object::Dict(dict) = &object.object else {
                continue;
            };
            let filters = filters::chain(&self.layout, dict);
            let growth = match filters.as_slice() {
                [] => 1,
                [one] if matches!(one.name.as_str(), "FlateDecode" | "Fl") => DEFLATED,
                _ => return false,
            };
            let raw = length(self.layout.range(place).len());
            bound = bound.saturating_add(raw.saturating_mul(growth));
        }
        bound <= most
    }

    /// Numbers of the objects in object streams, each of which may come to `most` bytes; none where one is damaged or
    /// longer. Where it is known that they cannot, only their heads are looked at.
    ///
    /// # Errors
    /// A limit of the whole scan was met.
    pub fn packed(
        &self,
        most: u64,
        budget: &Budget,
        account: &mut Account,
    ) -> Result<Option<Vec<u32>>, Halt> {
        let within = self.is_within(most);
        let mut found = Vec::new();
        for place in self.layout.object_streams() {
            budget.tick()?;
            let wanted = match within {
                true => length(self.layout.count(place, "First")),
                false => most,
            };
            let decoded = self.layout.stream(place, wanted, budget, account);
            match decoded.fault {
                Some(Fault::Halt(halt)) => return Err(halt),
                Some(Fault::Broken(_)) => return Ok(None),
                None if !within && length(decoded.data.len()) >= most => return Ok(None),
                None => {}
            }
            let count = self.layout.count(place, "N");
            let heads = heads(&decoded.data, count, budget)?;
            if within && heads.len() < count {
                return Ok(None);
            }
            found.extend(heads.into_iter().map(|(number, _)| number));
            if found.len().saturating_add(self.numbers.len()) > OBJECTS {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }
}

/// Whether an object or one in it refers to another one.
fn refers(value: &Object) -> bool {
    let mut waiting = vec![value];
    // Ends because each object stands in one other only.
    while let Some(value) = waiting.pop() {
        match value {
            Object::Ref(_) => return true,
            Object::Array(items) => waiting.extend(items),
            Object::Dict(dict) => waiting.extend(dict.0.iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    false
}

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
