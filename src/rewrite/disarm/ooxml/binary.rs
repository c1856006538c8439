//! Binary workbooks ([MS-XLSB]) without links and objects: records that name what is gone go, formulas that asked a link
//! that is gone leave their last values, and links are counted anew.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;

use super::Work;
use crate::bytes::{Reader, index};
use crate::formats::biff12::{self, Edit};
use crate::formats::xlm::{Biff, Link, Names, formula_text};
use crate::limits::{Budget, Halt};
use crate::rewrite::disarm::Refusal;
use crate::rewrite::disarm::outline::Source;

/// BrtName, BrtBeginExternals, BrtEndExternals, BrtSupBookSrc, BrtExternSheet.
const NAME: u16 = 39;
const BEGIN_EXTERNALS: u16 = 353;
const END_EXTERNALS: u16 = 354;
const SUP_BOOK_SRC: u16 = 355;
const EXTERN_SHEET: u16 = 362;

/// BrtSupSelf, BrtSupSame, BrtSupBookSrc, BrtSupAddin: the links, which references count.
const LINKS: [u16; 4] = [357, 358, SUP_BOOK_SRC, 667];

/// BrtArrFmla, BrtShrFmla: a formula of several cells.
const ARRAY: u16 = 426;
const SHARED: u16 = 427;

/// BrtOleObject and BrtActiveX in their lists.
const OBJECT: u16 = 639;
const CONTROL: u16 = 644;
const LISTS: [(u16, u16, u16); 2] = [(638, OBJECT, 640), (643, CONTROL, 645)];

/// BrtHLink, BrtDrawing, BrtLegacyDrawing, BrtLegacyDrawingHF, BrtBkHim: they only lead to a part or an address.
const LEADING: [u16; 5] = [494, 550, 551, 552, 562];

/// References to links that are gone, and names of one link, at the most.
const REFERENCES: usize = 64;
const NAMES: usize = 1000;

/// What a reference to a link that is gone is written as.
const GONE: &str = "\u{e000}gone\u{e000}";

/// PtgErr #REF!.
const NO_REFERENCE: [u8; 2] = [0x1c, 0x17];

impl Work<'_> {
    /// Takes out the links of binary workbooks that are conversations, or whose target is gone.
    pub(super) fn binary_links(&mut self, any: bool) -> Result<(), Refusal> {
        let asked = any || self.remove.contains("dde-link");
        let mut gone = Vec::new();
        for (at, part) in self.package.live() {
            if !self.package.leads_to(at).any(|kind| kind == "externallink")
                || Source::read(&part.data).is_some()
            {
                continue;
            }
            let link = biff12::external_link(&part.data, self.budget).map_err(Refusal::Limit)?;
            match link {
                Some((Link::Exchange { service, topic, .. }, _)) if asked => {
                    gone.push((at, Some(format!("{service} {topic} in {}", part.shown))));
                }
                _ if self.package.has_dropped(&part.name) => gone.push((at, None)),
                _ => {}
            }
        }
        if !gone.is_empty() {
            self.calculation();
        }
        for (at, conversation) in gone {
            self.package.remove(at);
            if let Some(place) = conversation {
                self.note(&["dde-link"], &place);
            }
        }
        Ok(())
    }

    /// Takes the order in which cells are computed out, which names the cells that have formulas: Excel makes it anew.
    pub(super) fn calculation(&mut self) {
        let chains: Vec<usize> = self
            .package
            .live()
            .filter(|(at, _)| self.package.leads_to(*at).any(|kind| kind == "calcchain"))
            .map(|(at, _)| at)
            .collect();
        for at in chains {
            self.package.remove(at);
        }
    }

    /// Takes out the records of a binary part that name relationships which are gone.
    pub(super) fn records(&mut self, at: usize, ids: &BTreeSet<&str>) -> Result<(), Refusal> {
        let part = self.package.parts.get(at);
        let (data, shown) = part
            .map(|part| (part.data.clone(), part.shown.clone()))
            .unwrap_or_default();
        let wanted = Relationships::of(ids);
        let mut found = BTreeSet::new();
        let mut links = Links::default();
        let new = biff12::edited(&data, self.budget, |id, body| {
            if LINKS.contains(&id) {
                let named = wanted.named(body).filter(|_| id == SUP_BOOK_SRC);
                links.add(id, named.is_some());
                found.extend(named);
            } else if id == OBJECT || id == CONTROL || LEADING.contains(&id) {
                let named = wanted.named(body);
                let gone = named.is_some();
                found.extend(named);
                return keep_unless(gone);
            } else if id == EXTERN_SHEET {
                links.references(body);
            }
            Edit::Keep
        });
        let new = new.map_err(Refusal::Limit)?;
        if found.len() != ids.len() {
            let what = crate::text::excerpt(&shown);
            let what = format!("{what}: records that name what was taken out");
            return Err(Refusal::Broken(what));
        }
        if !links.has_gone() {
            let new = hollow(&new, self.budget).map_err(Refusal::Limit)?;
            self.package.change(at, new);
            return Ok(());
        }
        let names = links.names()?;
        let new = links.unlinked(&new, &names, self.budget);
        self.package.change(at, new.map_err(Refusal::Limit)?);
        self.cells(&names)
    }

    /// Leaves the last values of the cells whose formulas ask what is gone.
    fn cells(&mut self, names: &Names) -> Result<(), Refusal> {
        let sheets: Vec<usize> = self
            .package
            .live()
            .filter(|(at, part)| {
                let sheet = |kind: &str| kind.ends_with("sheet");
                self.package.leads_to(*at).any(sheet) && Source::read(&part.data).is_none()
            })
            .map(|(at, _)| at)
            .collect();
        for at in sheets {
            let data = self.package.parts.get(at).map(|part| part.data.clone());
            let data = data.unwrap_or_default();
            let new = sheet(&data, names, self.budget).map_err(Refusal::Limit)?;
            if new.as_slice() != data.as_ref() {
                self.package.change(at, new);
            }
        }
        Ok(())
    }
}

fn keep_unless(gone: bool) -> Edit {
    match gone {
        true => Edit::Drop,
        false => Edit::Keep,
    }
}

/// Relationships by which records are told.
struct Relationships<'a> {
    ids: Vec<&'a str>,
    texts: Option<AhoCorasick>,
}

impl<'a> Relationships<'a> {
    fn of(ids: &BTreeSet<&'a str>) -> Self {
        let ids: Vec<&str> = ids.iter().copied().collect();
        let texts = ids.iter().map(|id| {
            let units: Vec<u8> = id.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let count = u32::try_from(units.len() / 2).unwrap_or(u32::MAX);
            [&count.to_le_bytes()[..], &units].concat()
        });
        let texts = AhoCorasick::new(texts).ok();
        Self { ids, texts }
    }

    /// The first that a record names as a text.
    fn named(&self, body: &[u8]) -> Option<&'a str> {
        let found = self.texts.as_ref()?.find(body)?;
        self.ids.get(found.pattern().as_usize()).copied()
    }
}

/// The links of a workbook.
#[derive(Debug, Default)]
struct Links {
    /// Whether each is gone.
    gone: Vec<bool>,
    /// The first that is the workbook itself.
    own: Option<usize>,
    /// Links of the references, by number.
    references: Vec<usize>,
}

impl Links {
    fn add(&mut self, id: u16, gone: bool) {
        if id == 357 && self.own.is_none() {
            self.own = Some(self.gone.len());
        }
        self.gone.push(gone);
    }

    fn references(&mut self, body: &[u8]) {
        let links = body.get(4..).unwrap_or_default().chunks_exact(12);
        let link = |one: &[u8]| crate::bytes::u32_at(one, 0).map_or(usize::MAX, index);
        self.references.extend(links.map(link));
    }

    fn is_gone(&self, link: usize) -> bool {
        self.gone.get(link) == Some(&true)
    }

    fn has_gone(&self) -> bool {
        self.gone.contains(&true)
    }

    /// The numbers that links have when the others are gone.
    fn anew(&self) -> Vec<u32> {
        let mut next = 0u32;
        let numbers = self.gone.iter().map(|gone| {
            let number = next;
            next = next.saturating_add(u32::from(!gone));
            number
        });
        numbers.collect()
    }

    /// What references of formulas are written as.
    fn names(&self) -> Result<Names, Refusal> {
        let mut names = Names::default();
        let mut gone = 0usize;
        for (number, link) in self.references.iter().enumerate() {
            let is_gone = self.is_gone(*link);
            names.externs.push(match is_gone {
                true => GONE.to_owned(),
                false => String::new(),
            });
            if is_gone {
                gone = gone.saturating_add(1);
                let all = (0..=NAMES).map(|name| ((number, name), GONE.to_owned()));
                names.extern_names.extend(all);
            }
            if gone > REFERENCES {
                return Err(Refusal::Broken("too many references to links".to_owned()));
            }
        }
        Ok(names)
    }

    /// The workbook part without the links that are gone.
    fn unlinked(&self, part: &[u8], names: &Names, budget: &Budget) -> Result<Vec<u8>, Halt> {
        let none_left = !self.gone.contains(&false);
        let numbers = self.anew();
        let mut link = 0usize;
        biff12::edited(part, budget, |id, body| match id {
            BEGIN_EXTERNALS | END_EXTERNALS | EXTERN_SHEET if none_left => Edit::Drop,
            EXTERN_SHEET => Edit::Replace(id, self.rewired(body, &numbers)),
            NAME => named_formula(body, names).map_or(Edit::Keep, |new| Edit::Replace(id, new)),
            _ if LINKS.contains(&id) => {
                let gone = self.is_gone(link);
                link = link.saturating_add(1);
                keep_unless(gone)
            }
            _ => Edit::Keep,
        })
    }

    /// References with the new numbers of links; those to links that are gone lead to no sheet (2.5.172).
    fn rewired(&self, body: &[u8], numbers: &[u32]) -> Vec<u8> {
        let (count, list) = body.split_at(body.len().min(4));
        let mut new = count.to_vec();
        for one in list.chunks(12) {
            let link = crate::bytes::u32_at(one, 0).map_or(0, index);
            // Behind the last link there is none of any number.
            let number = |link: usize| numbers.get(link).copied().unwrap_or(u32::MAX);
            if self.is_gone(link) {
                let own = self.own.map_or(0, number);
                new.extend_from_slice(&own.to_le_bytes());
                new.extend_from_slice(&[0xff; 8]);
            } else {
                new.extend_from_slice(&number(link).to_le_bytes());
                new.extend_from_slice(one.get(4..).unwrap_or_default());
            }
        }
        new
    }
}

/// Whether tokens ask a link that is gone.
fn asks(tokens: &[u8], names: &Names) -> bool {
    let (text, _) = formula_text(tokens, &[], Biff::Twelve, (0, 0), names);
    text.contains(GONE)
}

/// The tokens of a formula with their size in front (2.2.2).
fn formula<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let size = index(reader.u32("size of the formula").ok()?);
    reader.take("formula", size).ok()
}

/// BrtName with an error for a formula that asks what is gone; none where its formula stays.
fn named_formula(body: &[u8], names: &Names) -> Option<Vec<u8>> {
    let mut reader = Reader::new(body);
    reader.skip("flags, shortcut key, sheet", 9).ok()?;
    biff12::text(&mut reader).ok()?;
    let head = body.get(..reader.offset())?;
    let tokens = formula(&mut reader)?;
    if !asks(tokens, names) {
        return None;
    }
    // What stands behind the tokens belongs to them.
    formula(&mut reader)?;
    let size = u32::try_from(NO_REFERENCE.len()).unwrap_or_default();
    let error = [&size.to_le_bytes()[..], &NO_REFERENCE, &[0; 4]].concat();
    Some([head, &error, reader.rest()].concat())
}

/// A sheet without what asks links that are gone.
fn sheet(part: &[u8], names: &Names, budget: &Budget) -> Result<Vec<u8>, Halt> {
    let mut ranges = ranges(part, names, budget)?;
    let new = biff12::edited(part, budget, |id, body| match id {
        0 => {
            ranges.go(crate::bytes::u32_at(body, 0).unwrap_or(ranges.row));
            Edit::Keep
        }
        8..=11 => {
            let Some((value, tokens)) = computed_cell(id, body) else {
                return Edit::Keep;
            };
            let column = crate::bytes::u32_at(body, 0).unwrap_or_default();
            let of_several = tokens.first() == Some(&0x01) && ranges.holds(column);
            if !of_several && !asks(tokens, names) {
                return Edit::Keep;
            }
            // BrtFmlaString to BrtCellSt, BrtFmlaNum to BrtCellReal, BrtFmlaBool to BrtCellBool, BrtFmlaError to
            // BrtCellError.
            Edit::Replace(14u16.saturating_sub(id), value.to_vec())
        }
        ARRAY | SHARED => keep_unless(several(id, body).is_some_and(|(_, of)| asks(of, names))),
        OBJECT => keep_unless(linked(body).is_some_and(|tokens| asks(tokens, names))),
        _ => Edit::Keep,
    })?;
    if ranges.steps > STEPS {
        return Err(Halt::Ceiling("formulas of several cells"));
    }
    hollow(&new, budget)
}

/// Comparisons of cells with formulas of several cells: real sheets take thousands.
const STEPS: usize = 500_000_000;

/// Places of formulas of several cells, row after row.
#[derive(Debug, Default)]
struct Ranges {
    /// Top, bottom, left, right; by their tops.
    list: Vec<[u32; 4]>,
    /// The first of them that lies below the row at hand.
    next: usize,
    /// Those that reach into it.
    open: Vec<[u32; 4]>,
    row: u32,
    steps: usize,
}

impl Ranges {
    /// Goes to a row.
    fn go(&mut self, row: u32) {
        if row < self.row {
            self.next = 0;
            self.open.clear();
        }
        self.row = row;
        self.steps = self.steps.saturating_add(self.open.len());
        if self.steps > STEPS {
            return;
        }
        self.open.retain(|[_, bottom, ..]| *bottom >= row);
        // Ends because each turn passes one of the list.
        while let Some(range) = self.list.get(self.next).filter(|[top, ..]| *top <= row) {
            self.next = self.next.saturating_add(1);
            self.steps = self.steps.saturating_add(1);
            let [_, bottom, ..] = *range;
            if bottom >= row {
                self.open.push(*range);
            }
        }
    }

    /// Whether a cell of the row at hand lies in one of them.
    fn holds(&mut self, column: u32) -> bool {
        self.steps = self.steps.saturating_add(self.open.len());
        let inside = |[_, _, left, right]: &[u32; 4]| (*left..=*right).contains(&column);
        self.steps <= STEPS && self.open.iter().any(inside)
    }
}

/// Where formulas of several cells ask what is gone.
fn ranges(part: &[u8], names: &Names, budget: &Budget) -> Result<Ranges, Halt> {
    let mut ranges = Ranges::default();
    biff12::edited(part, budget, |id, body| {
        if matches!(id, ARRAY | SHARED)
            && let Some((range, tokens)) = several(id, body)
            && asks(tokens, names)
        {
            ranges.list.push(range);
        }
        Edit::Drop
    })?;
    ranges.list.sort_unstable();
    Ok(ranges)
}

/// The range of a formula of several cells, and its tokens.
fn several(id: u16, body: &[u8]) -> Option<([u32; 4], &[u8])> {
    let mut reader = Reader::new(body);
    let mut range = [0u32; 4];
    for side in &mut range {
        *side = reader.u32("range").ok()?;
    }
    if id == ARRAY {
        reader.skip("flags", 1).ok()?;
    }
    Some((range, formula(&mut reader)?))
}

/// A cell up to its value, and the tokens behind it (2.4.659 and following).
fn computed_cell(id: u16, body: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader::new(body);
    reader.skip("column, format", 8).ok()?;
    match id {
        8 => drop(biff12::text(&mut reader).ok()?),
        9 => reader.skip("number", 8).ok()?,
        _ => reader.skip("value", 1).ok()?,
    }
    let value = body.get(..reader.offset())?;
    reader.skip("flags of the formula", 2).ok()?;
    Some((value, formula(&mut reader)?))
}

/// The tokens by which a linked object names its link (2.4.735).
fn linked(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    reader.skip("aspect, update, shape", 12).ok()?;
    if reader.u16("flags").ok()? & 1 == 0 {
        return None;
    }
    biff12::text(&mut reader).ok()?;
    formula(&mut reader)
}

/// A part without lists of objects and controls that have nothing left in them.
fn hollow(part: &[u8], budget: &Budget) -> Result<Vec<u8>, Halt> {
    let mut left: BTreeMap<u16, usize> = BTreeMap::new();
    biff12::edited(part, budget, |id, _| {
        let count = left.entry(id).or_default();
        *count = count.saturating_add(1);
        Edit::Drop
    })?;
    let empty = |id: u16| {
        LISTS.iter().any(|(begin, one, end)| {
            (id == *begin || id == *end) && !left.contains_key(one) && left.contains_key(begin)
        })
    };
    biff12::edited(part, budget, |id, _| keep_unless(empty(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_numbered_anew_however_many_there_are() {
        let mut links = Links::default();
        for link in 0..200_000u32 {
            links.add(if link == 0 { 357 } else { SUP_BOOK_SRC }, link == 1);
        }
        let mut body = 200_000u32.to_le_bytes().to_vec();
        for link in (0..200_000u32).rev() {
            body.extend([link.to_le_bytes(), [7; 4], [8; 4]].concat());
        }
        let new = links.rewired(&body, &links.anew());
        assert_eq!(new.len(), body.len());
        assert_eq!(
            new[4..16],
            [&199_998u32.to_le_bytes()[..], &[7; 4], &[8; 4]].concat()
        );
        let gone = [&[0; 4][..], &[0xff; 8]].concat();
        assert_eq!(new[new.len() - 24..new.len() - 12], gone);
    }

    #[test]
    fn cells_of_any_number_of_formulas_of_several_cells_are_told() {
        let mut list: Vec<[u32; 4]> = (0..20_000).map(|row| [row, row, 3, 3]).collect();
        list.push([5, 7, 10, 12]);
        list.sort_unstable();
        let mut ranges = Ranges {
            list,
            ..Ranges::default()
        };
        for row in 0..20_000 {
            ranges.go(row);
            assert!(ranges.holds(3) && !ranges.holds(4));
            assert_eq!(ranges.holds(11), (5..=7).contains(&row));
        }
        // Rows that stand in no order.
        ranges.go(6);
        assert!(ranges.holds(3) && ranges.holds(12));
        assert!(ranges.steps < 1_000_000);
    }

    #[test]
    fn records_name_relationships_whole() {
        let names: Vec<String> = (1..20_000).map(|id| format!("rId{id}")).collect();
        let ids = names.iter().map(String::as_str).collect();
        let wanted = Relationships::of(&ids);
        let text = |id: &str| {
            let units: Vec<u8> = id.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let count = u32::try_from(units.len() / 2).unwrap();
            [&[1; 16][..], &count.to_le_bytes(), &units, &[0; 4]].concat()
        };
        for id in ["rId1", "rId12", "rId12345"] {
            assert_eq!(wanted.named(&text(id)), Some(id));
        }
        for id in ["rId0", "rId20000", "xrId1"] {
            assert_eq!(wanted.named(&text(id)), None);
        }
    }
}
