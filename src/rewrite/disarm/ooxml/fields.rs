//! Word fields (ECMA-376 part 1, 17.16) cut out: the code goes, the result that the document keeps stays as text.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::rewrite::disarm::outline::{Edits, Outline};

/// A field whose end has not come yet.
struct Open {
    begin: usize,
    mark: Range<usize>,
    separator: Option<Range<usize>>,
}

/// Cuts out the fields that begin at these offsets.
pub(super) fn cut(outline: &Outline<'_>, begins: &BTreeSet<usize>, edits: &mut Edits) {
    let mut open: Vec<Open> = Vec::new();
    // Ranges of codes, in which every text and mark goes.
    let mut codes: Vec<Range<usize>> = Vec::new();
    for (_, node) in outline.named("fldSimple") {
        if begins.contains(&node.open.start) {
            edits.unwrap(node);
        }
    }
    for (_, node) in outline.named("fldChar") {
        let kind = outline.attribute(node, "fldCharType");
        match kind.as_ref().map(|kind| kind.value.trim()) {
            Some("begin") => open.push(Open {
                begin: node.open.start,
                mark: node.whole(),
                separator: None,
            }),
            Some("separate") => {
                if let Some(field) = open.last_mut() {
                    field.separator = Some(node.whole());
                }
            }
            Some("end") => {
                if let Some(field) = open.pop().filter(|field| begins.contains(&field.begin)) {
                    codes.push(cut_one(&field, node.whole(), edits));
                }
            }
            _ => {}
        }
    }
    // What has no end reaches to the end of the text.
    for field in open.into_iter().filter(|one| begins.contains(&one.begin)) {
        let end = outline.text.len();
        codes.push(cut_one(&field, end..end, edits));
    }
    let codes = merged(codes);
    let loose = merged(loose(outline, begins));
    for node in &outline.nodes {
        let place = node.open.start;
        let goes = match outline.local(node) {
            "instrText" | "delInstrText" => within(&codes, place) || within(&loose, place),
            "t" | "delText" | "fldChar" | "sym" | "tab" => within(&codes, place),
            _ => false,
        };
        if goes {
            edits.delete(node.whole());
        }
    }
}

/// Where code stands outside of any field that is taken for a field of its own: up to the next mark.
fn loose(outline: &Outline<'_>, begins: &BTreeSet<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = None;
    for node in &outline.nodes {
        match outline.local(node) {
            "instrText" | "delInstrText" => {
                let begins_here =
                    begins.contains(&node.open.start) || begins.contains(&node.open.end);
                if begins_here && from.is_none() {
                    from = Some(node.open.start);
                }
            }
            "fldChar" => {
                found.extend(from.take().map(|from| from..node.open.start));
            }
            _ => {}
        }
    }
    found.extend(from.map(|from| from..outline.text.len()));
    found
}

/// Ranges in order, none of which meets another.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

fn within(merged: &[Range<usize>], place: usize) -> bool {
    let next = merged.partition_point(|range| range.end <= place);
    merged.get(next).is_some_and(|range| range.contains(&place))
}

/// Takes the marks of a field out; answers where its code stands.
fn cut_one(field: &Open, end: Range<usize>, edits: &mut Edits) -> Range<usize> {
    edits.delete(field.mark.clone());
    edits.delete(end.clone());
    match &field.separator {
        Some(separator) => {
            edits.delete(separator.clone());
            field.mark.end..separator.start
        }
        None => field.mark.end..end.start,
    }
}
