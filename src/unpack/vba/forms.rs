//! Forms of a macro project as its signatures see them ([MS-OVBA] 2.4.2.2): a storage each beside that of the sources.

use crate::formats::ole::{ObjectType, Ole};
use crate::formats::ovba::{self, Form, Project};
use crate::model::Trouble;
use crate::unpack::Nest;

/// Bytes of all forms of a project, with what fills their blocks; larger ones are not looked at.
const BYTES: usize = 32 << 20;

/// Storages in storages: frames and pages of a form.
const DEPTH: usize = 16;

/// Reads the forms that `PROJECT` lists, for the project whose sources stand in `storage`; none where one is missing,
/// twice there, or too large.
pub(super) fn read(
    ole: &mut Ole<'_>,
    storage: Option<usize>,
    project: &Project,
    page: u16,
    nest: &Nest<'_>,
) -> Result<Option<Vec<Form>>, Trouble> {
    let mut forms = Vec::new();
    let mut seen = Vec::new();
    let mut left = BYTES;
    let above = storage
        .and_then(|storage| ole.entries().get(storage))
        .and_then(|entry| entry.parent);
    for listed in project
        .modules
        .iter()
        .filter(|listed| listed.kind == "baseclass")
    {
        nest.tick()?;
        let (name, _) = ovba::encoding(page).decode_without_bom_handling(&listed.name);
        let found = ole.find(above, &name).filter(|found| {
            let entry = ole.entries().get(*found);
            entry.is_some_and(|entry| entry.object_type == ObjectType::Storage)
        });
        let Some(found) = found.filter(|found| !seen.contains(found)) else {
            return Ok(None);
        };
        seen.push(found);
        let mut form = Form {
            name: listed.name.clone(),
            data: Vec::new(),
        };
        if !add(ole, found, &mut form, left, nest)? {
            return Ok(None);
        }
        left = left.saturating_sub(form.data.len());
        forms.push(form);
    }
    Ok(Some(forms))
}

/// Adds the streams below a storage in the order of names ([MS-CFB] 2.6.4); false where they are too large or deep.
fn add(
    ole: &mut Ole<'_>,
    storage: usize,
    form: &mut Form,
    left: usize,
    nest: &Nest<'_>,
) -> Result<bool, Trouble> {
    // Behind each entry its depth; the next one lies last.
    let mut open = vec![(storage, 0usize)];
    // Ends because an entry has one storage that it is in, and depth is bounded.
    while let Some((position, depth)) = open.pop() {
        nest.tick()?;
        let Some(entry) = ole.entries().get(position) else {
            continue;
        };
        match entry.object_type {
            ObjectType::Stream => {
                let stream = ole.stream(position)?;
                let blocks = form.data.len().saturating_add(stream.data.len());
                if stream.missing > 0 || blocks.saturating_add(1023) > left {
                    return Ok(false);
                }
                form.add(&stream.data);
            }
            _ if depth > DEPTH => return Ok(false),
            _ => {
                let children: Vec<usize> = ole.children(Some(position)).collect();
                let order = |child: &usize| {
                    let name = ole
                        .entries()
                        .get(*child)
                        .map(|entry| entry.name.to_uppercase());
                    let name: Vec<u16> = name.unwrap_or_default().encode_utf16().collect();
                    std::cmp::Reverse((name.len(), name))
                };
                let mut children = children;
                children.sort_by_cached_key(order);
                let below = depth.saturating_add(1);
                open.extend(children.into_iter().map(|child| (child, below)));
            }
        }
    }
    Ok(true)
}
