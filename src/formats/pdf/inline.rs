//! Pictures that stand within the content of a page (ISO 32000-2, 8.9.7 "Inline images").

use bytes::Bytes;

use super::lexer::Parser;
use super::{Dict, Document, Object, filters};
use crate::limits::{Account, Budget};

/// A picture with its samples, or with what comes of a filter for pictures.
#[derive(Debug, PartialEq, Eq)]
pub struct Inline {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bits of a sample.
    pub bits: usize,
    /// The samples.
    pub data: Bytes,
}

/// Pictures of one content at the most, and bytes of what one says of itself.
const PICTURES: usize = 16;
const ENTRIES: usize = 1024;

/// Samples of one picture at the most.
const SAMPLES: u64 = 16 << 20;

/// The pictures of a content in their order.
pub fn inline_pictures(
    document: &Document<'_>,
    content: &[u8],
    budget: &Budget,
    account: &mut Account,
) -> Vec<Inline> {
    let mut found = Vec::new();
    let mut at = 0usize;
    // Ends because each round goes on behind the mark that it found; so each byte is searched a few times only.
    while let Some(data) = word(content, at, b"ID") {
        if found.len() >= PICTURES || budget.tick().is_err() {
            break;
        }
        let near = data.saturating_sub(ENTRIES).max(at);
        at = data.saturating_add(2);
        // Of many starts the last one counts, unless it is a name within the entries.
        let mut starts = words(content.get(..data).unwrap_or_default(), near, b"BI");
        let first = starts.next();
        let tried = [starts.last(), first].into_iter().flatten();
        let said = tried.filter_map(|start| content.get(start.saturating_add(2)..data));
        let Some((dict, width, height)) = said.filter_map(entries).find_map(sized) else {
            continue;
        };
        let number = |keys: [&str; 2]| number(&dict, keys);
        // One blank stands between the mark and the samples.
        let from = data.saturating_add(3);
        // Samples that are written as they are may look like the mark of the end.
        let bits = number(["BPC", "BitsPerComponent"]).unwrap_or(1);
        let filters = filters::chain(document, &dict);
        let least = if filters.is_empty() {
            width
                .saturating_mul(bits)
                .div_ceil(8)
                .saturating_mul(height)
        } else {
            0
        };
        let end = word(content, from.saturating_add(least), b"EI").unwrap_or(content.len());
        let raw = content.get(from..end).unwrap_or_default();
        at = end;
        let raw = Bytes::copy_from_slice(raw);
        let decoded = filters::decode(raw, &filters, SAMPLES, budget, account);
        found.push(Inline {
            width,
            height,
            bits,
            data: decoded.data.into(),
        });
    }
    found
}

/// The dictionary of a picture with its width and height.
fn sized(dict: Dict) -> Option<(Dict, usize, usize)> {
    let width = number(&dict, ["W", "Width"])?;
    let height = number(&dict, ["H", "Height"])?;
    Some((dict, width, height))
}

/// The number at either of two keys.
fn number(dict: &Dict, keys: [&str; 2]) -> Option<usize> {
    let value = keys.iter().find_map(|key| dict.get(key))?;
    usize::try_from(value.number()?).ok()
}

/// What stands between the two marks, as a dictionary.
fn entries(text: &[u8]) -> Option<Dict> {
    let whole = [b"<<", text, b">>"].concat();
    match Parser::new(&whole, 0, whole.len()).object() {
        Object::Dict(dict) => Some(dict),
        _ => None,
    }
}

/// Where a mark stands by itself, from `at` on.
fn word(content: &[u8], at: usize, mark: &[u8]) -> Option<usize> {
    words(content, at, mark).next()
}

/// Every place where a mark stands by itself, from `at` on.
fn words<'c>(content: &'c [u8], at: usize, mark: &'c [u8]) -> impl Iterator<Item = usize> + 'c {
    let rest = content.get(at..).unwrap_or_default();
    let ends = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    memchr::memmem::find_iter(rest, mark)
        .filter_map(move |skip| at.checked_add(skip))
        .filter(move |start| {
            let before = start.checked_sub(1).and_then(|before| content.get(before));
            ends(before) && ends(content.get(start.saturating_add(mark.len())))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn pictures_of_a_content_are_read_with_their_filters() {
        let budget = Budget::new(Limits::default(), None);
        let document = super::super::read(b"%PDF-1.4\n%%EOF", &budget).unwrap();
        let of =
            |content: &[u8]| inline_pictures(&document, content, &budget, &mut Account::default());
        let found = of(b"q BI /W 2 /H 2 /BPC 8 /CS /G ID \n EI\nEI Q BI/W 8/H 1/F/AHx ID ff>\nEI");
        let sizes: Vec<_> = found
            .iter()
            .map(|one| (one.width, one.height, one.bits))
            .collect();
        assert_eq!(sizes, [(2, 2, 8), (8, 1, 1)]);
        assert!(found[0].data.starts_with(b"\n EI"));
        assert_eq!(found[1].data.as_ref(), b"\xff");
        assert!(of(b"(BI) Tj BIG ID 1 EI").is_empty());
        assert!(of(b"BI /W 2 ID").is_empty());
        assert_eq!(of(b"BI /W 1 /H 1 /BPC 8 /L /BI ID a EI").len(), 1);
    }

    #[test]
    fn many_starts_before_one_mark_cost_no_more_than_their_bytes() {
        let budget = Budget::new(Limits::default(), None);
        let document = super::super::read(b"%PDF-1.4\n%%EOF", &budget).unwrap();
        let many = [b"BI ".repeat(340), b"ID ".to_vec()].concat().repeat(4_000);
        let content = [many.as_slice(), b"BI /W 1 /H 1 /BPC 8 ID a EI"].concat();
        let started = std::time::Instant::now();
        let found = inline_pictures(&document, &content, &budget, &mut Account::default());
        assert_eq!(found.len(), 1);
        // Three hundred times as long would be minutes.
        assert!(started.elapsed() < std::time::Duration::from_secs(20));
    }
}
