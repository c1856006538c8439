//! Which objects a file holds now, as its tables of references say (ISO 32000-2 7.5.4, 7.5.5, 7.5.8), read strictly: for
//! who writes it anew. Readers repair wrong tables in different ways, so nothing is repaired here; nor are files read
//! that have tables of both kinds at once (7.5.8.4).

use std::collections::{BTreeMap, BTreeSet};

use super::lexer::{Parser, skip_blank};
use super::{Dict, Document, Indirect, Object, is_cross_reference};
use crate::bytes::{index, length};
use crate::limits::{Account, Budget, Fault, Halt};

/// Bytes of one field in a stream of references.
const WIDEST: usize = 8;

/// The objects that a file holds now.
#[derive(Debug)]
pub struct References {
    /// Their places in [`Document::objects`], by object number.
    pub places: BTreeMap<u32, usize>,
    /// The newest trailer.
    pub trailer: Dict,
}

/// Where an object stands.
#[derive(Debug, Clone, Copy)]
enum Entry {
    Free,
    /// Offset in the file, and generation.
    At(usize, u16),
    /// Number of an object stream, and the place among its objects.
    Packed(u32, usize),
}

/// One table with its trailer.
#[derive(Debug, Default)]
struct Section {
    entries: Vec<(u32, Entry)>,
    trailer: Dict,
}

impl Document<'_> {
    /// The objects that the file holds now, once its object streams are open; none where a table is wrong or there is more
    /// than one reading of it: an entry does not lead to its object, an object in the file has no entry, is not written as
    /// the specification has it, or is a stream of another length than it says. A table may inflate to `most` bytes.
    ///
    /// # Errors
    /// A limit of the whole scan was met.
    pub fn references(
        &self,
        most: u64,
        budget: &Budget,
        account: &mut Account,
    ) -> Result<Option<References>, Halt> {
        let mut entries = BTreeMap::new();
        let mut newest = None;
        let mut next = self.newest_table();
        let mut visited = BTreeSet::new();
        // Ends because each table is read once.
        while let Some(told) = next {
            budget.tick()?;
            let at = skip_blank(self.data, told);
            if !visited.insert(at) {
                return Ok(None);
            }
            let is_table = self.data.get(at..).unwrap_or_default().starts_with(b"xref");
            let section = match is_table {
                true => self.table(at, budget)?,
                false => self.reference_stream(at, most, budget, account)?,
            };
            let Some(Section {
                entries: found,
                trailer,
            }) = section
            else {
                return Ok(None);
            };
            for (number, entry) in found {
                entries.entry(number).or_insert(entry);
            }
            next = match trailer.get("Prev") {
                None => None,
                Some(Object::Number(at)) => usize::try_from(*at).ok(),
                Some(_) => return Ok(None),
            };
            if trailer.get("XRefStm").is_some() || trailer.get("Prev").is_some() != next.is_some() {
                return Ok(None);
            }
            newest.get_or_insert(trailer);
        }
        let Some(trailer) = newest else {
            return Ok(None);
        };
        let places = self.places(&entries, budget)?;
        Ok(places.map(|places| References { places, trailer }))
    }

    /// Where the newest table stands (7.5.5).
    fn newest_table(&self) -> Option<usize> {
        let at = memchr::memmem::rfind(self.data, b"startxref")?;
        let mut cursor = Cursor {
            data: self.data,
            at: at.saturating_add(9),
        };
        usize::try_from(cursor.number()?).ok()
    }

    /// A table as text (7.5.4).
    fn table(&self, at: usize, budget: &Budget) -> Result<Option<Section>, Halt> {
        let mut section = Section::default();
        let mut cursor = Cursor {
            data: self.data,
            at: at.saturating_add(4),
        };
        // Ends because each turn takes bytes.
        loop {
            let at = skip_blank(self.data, cursor.at);
            let rest = self.data.get(at..).unwrap_or_default();
            if rest.starts_with(b"trailer") {
                let mut parser = Parser::new(self.data, at.saturating_add(7), self.data.len());
                let trailer = parser.object();
                return Ok(match trailer {
                    Object::Dict(trailer) if parser.is_sound() => {
                        Some(Section { trailer, ..section })
                    }
                    _ => None,
                });
            }
            let (Some(first), Some(count)) = (cursor.number(), cursor.number()) else {
                return Ok(None);
            };
            for place in 0..count {
                budget.tick()?;
                let number = u32::try_from(first.saturating_add(place));
                let (Ok(number), Some(entry)) = (number, cursor.entry()) else {
                    return Ok(None);
                };
                section.entries.push((number, entry));
            }
        }
    }

    /// The first object that is announced at or behind an offset.
    fn first_from(&self, at: usize) -> usize {
        self.objects.partition_point(|object| object.at < at)
    }

    /// A table as a stream (7.5.8).
    fn reference_stream(
        &self,
        at: usize,
        most: u64,
        budget: &Budget,
        account: &mut Account,
    ) -> Result<Option<Section>, Halt> {
        let place = self.first_from(at);
        let object = self.objects.get(place);
        let Some((object, Object::Dict(dict))) = object.map(|object| (object, &object.object))
        else {
            return Ok(None);
        };
        if object.at != at || !object.is_stream() || !is_cross_reference(dict) {
            return Ok(None);
        }
        let decoded = self.stream(place, most, budget, account);
        match decoded.fault {
            Some(Fault::Halt(halt)) => return Err(halt),
            Some(Fault::Broken(_)) => return Ok(None),
            None if length(decoded.data.len()) >= most => return Ok(None),
            None => {}
        }
        let Some(widths) = numbers(dict.get("W")).filter(|widths| widths.len() == 3) else {
            return Ok(None);
        };
        let row = widths
            .iter()
            .fold(0usize, |sum, width| sum.saturating_add(*width));
        if row == 0 || widths.iter().any(|width| *width > WIDEST) {
            return Ok(None);
        }
        let whole = [0, self.count(place, "Size")];
        let ranges = match dict.get("Index") {
            None => whole.to_vec(),
            told => numbers(told).unwrap_or_default(),
        };
        let mut section = Section {
            entries: Vec::new(),
            trailer: dict.clone(),
        };
        let mut rows = decoded.data.chunks_exact(row);
        for range in ranges.chunks(2) {
            let [first, count] = range else {
                return Ok(None);
            };
            for number in (*first..).take(*count) {
                budget.tick()?;
                let entry = rows.next().and_then(|row| packed_entry(row, &widths));
                let (Ok(number), Some(entry)) = (u32::try_from(number), entry) else {
                    return Ok(None);
                };
                section.entries.push((number, entry));
            }
        }
        Ok(Some(section))
    }

    /// The places that entries lead to; none where one leads elsewhere, or an object in the file has none.
    fn places(
        &self,
        entries: &BTreeMap<u32, Entry>,
        budget: &Budget,
    ) -> Result<Option<BTreeMap<u32, usize>>, Halt> {
        let mut places = BTreeMap::new();
        for (number, entry) in entries {
            budget.tick()?;
            let found = match entry {
                Entry::Free => continue,
                Entry::At(at, generation) => self.standing(*number, *at, *generation),
                Entry::Packed(stream, inside) => match entries.get(stream) {
                    Some(Entry::At(at, generation)) => self
                        .standing(*stream, *at, *generation)
                        .map(|place| place.saturating_add(1).saturating_add(*inside)),
                    _ => None,
                },
            };
            let fits = |object: &&Indirect| {
                let packed = matches!(entry, Entry::Packed(..));
                object.number == *number && object.packed == packed && object.sound
            };
            let Some(place) =
                found.filter(|place| self.objects.get(*place).as_ref().is_some_and(fits))
            else {
                return Ok(None);
            };
            let is_stream = self.objects.get(place).is_some_and(Indirect::is_stream);
            if is_stream && self.told_range(place).is_none() {
                return Ok(None);
            }
            places.insert(*number, place);
        }
        let structural = |object: &Indirect| {
            matches!(&object.object, Object::Dict(dict)
            if is_cross_reference(dict) || dict.is("Type", "ObjStm"))
        };
        let mut rest = self.objects.iter();
        let told = rest.all(|object| places.contains_key(&object.number) || structural(object));
        Ok(told.then_some(places))
    }

    /// The place of an object that stands in the file itself.
    fn standing(&self, number: u32, at: usize, generation: u16) -> Option<usize> {
        let place = self.first_from(at);
        let object = self.objects.get(place)?;
        let fits = object.at == at && object.number == number && object.generation == generation;
        fits.then_some(place)
    }
}

/// The whole numbers of an array; none where something else is in it.
fn numbers(object: Option<&Object>) -> Option<Vec<usize>> {
    let Some(Object::Array(items)) = object else {
        return None;
    };
    let number = |item: &Object| match item {
        Object::Number(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    items.iter().map(number).collect()
}

/// An entry of a stream of references (7.5.8.3).
fn packed_entry(row: &[u8], widths: &[usize]) -> Option<Entry> {
    let mut rest = row;
    let mut fields = widths.iter().map(|width| {
        let (field, behind) = rest.split_at_checked(*width)?;
        rest = behind;
        let number = field
            .iter()
            .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        Some((*width > 0).then_some(number))
    });
    let (kind, second, third) = (fields.next()??, fields.next()??, fields.next()??);
    let second = second.unwrap_or_default();
    let third = third.unwrap_or_default();
    match kind.unwrap_or(1) {
        0 => Some(Entry::Free),
        1 => Some(Entry::At(index(second), u16::try_from(third).ok()?)),
        2 => Some(Entry::Packed(u32::try_from(second).ok()?, index(third))),
        _ => None,
    }
}

/// Reads a table as text.
struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    /// The next number.
    fn number(&mut self) -> Option<u64> {
        self.at = skip_blank(self.data, self.at);
        let rest = self.data.get(self.at..)?;
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at = self.at.saturating_add(len);
        std::str::from_utf8(rest.get(..len)?).ok()?.parse().ok()
    }

    /// The next entry: offset, generation, and whether it is in use.
    fn entry(&mut self) -> Option<Entry> {
        let (offset, generation) = (self.number()?, self.number()?);
        self.at = skip_blank(self.data, self.at);
        let used = self.data.get(self.at)?;
        self.at = self.at.saturating_add(1);
        match used {
            b'f' => Some(Entry::Free),
            b'n' => Some(Entry::At(index(offset), u16::try_from(generation).ok()?)),
            _ => None,
        }
    }
}
