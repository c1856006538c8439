//! Lists, tables and properties of a store ([MS-PST] 2.3): heaps on nodes, B-trees on heaps, property contexts, tables.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::bytes::{index, slice, u16_at, u32_at};
use crate::formats::mapi::Properties;

use super::pages::{Database, Form, Node, NodeId};

/// Values of one object, at most.
const VALUES: usize = 5000;

/// Rows of one table, at most.
const ROWS: usize = 100_000;

/// A node that is read: its data block by block, and its subnodes.
pub(super) struct Heap {
    form: Form,
    pub(super) blocks: Vec<Vec<u8>>,
    pub(super) subnodes: BTreeMap<NodeId, Node>,
}

/// What a property context held.
#[derive(Default)]
pub(super) struct Context {
    pub(super) properties: Properties<'static>,
    /// Nodes of the objects among the values, by tag.
    pub(super) objects: BTreeMap<u32, NodeId>,
    /// What could not be read.
    pub(super) unread: Vec<String>,
}

impl Heap {
    pub(super) fn read(database: &mut Database<'_>, node: Node) -> Result<Self, String> {
        Ok(Self {
            form: database.form,
            blocks: database.blocks(node.data)?,
            subnodes: database.subnodes(node.subnodes)?,
        })
    }

    /// The item of a heap (2.3.1.1).
    fn item(&self, id: u32) -> Option<&[u8]> {
        let (bits, mask) = match self.form {
            Form::Large => (14, 0x3fff),
            Form::Ansi | Form::Unicode => (11, 0x7ff),
        };
        let number = index(id >> 5 & mask).checked_sub(1)?;
        let block = self.blocks.get(index(id >> 5 >> bits))?;
        let map = usize::from(u16_at(block, 0)?);
        let allocated = usize::from(u16_at(block, map)?);
        if number >= allocated {
            return None;
        }
        let at = map.checked_add(4)?.checked_add(number.checked_mul(2)?)?;
        let start = usize::from(u16_at(block, at)?);
        let end = usize::from(u16_at(block, at.checked_add(2)?)?);
        block.get(start..end)
    }

    /// The item that the heap's header names, where the heap holds what `signature` says.
    fn root(&self, signature: u8) -> Option<u32> {
        let block = self.blocks.first()?;
        let is_one = slice(block, 2, 2)? == [0xec, signature];
        is_one.then(|| u32_at(block, 4))?
    }

    /// The records of a B-tree (2.3.2), each of a key and a value.
    fn records(&self, header: u32, most: usize) -> Option<(usize, Vec<&[u8]>)> {
        let header = self.item(header)?;
        let &[0xb5, key, value, levels, ..] = header else {
            return None;
        };
        let (key, value) = (usize::from(key), usize::from(value));
        let mut records = Vec::new();
        let mut todo = vec![(u32_at(header, 4)?, levels.min(8))];
        // Ends because levels fall, and with the records.
        while let Some((item, level)) = todo.pop() {
            if item == 0 {
                continue;
            }
            let data = self.item(item)?;
            if level == 0 {
                let left = most.saturating_sub(records.len());
                records.extend(data.chunks_exact(key.checked_add(value)?.max(1)).take(left));
            } else if todo.len() < most {
                let below = data.chunks_exact(key.checked_add(4)?);
                let below: Vec<u32> = below.filter_map(|entry| u32_at(entry, key)).collect();
                let level = level.saturating_sub(1);
                todo.extend(below.into_iter().rev().map(|item| (item, level)));
            }
            if records.len() >= most {
                break;
            }
        }
        Some((key, records))
    }

    /// A value that is an item of the heap or a subnode (2.3.3.2).
    fn value(&self, database: &mut Database<'_>, id: u32) -> Result<Vec<u8>, String> {
        if id == 0 {
            return Ok(Vec::new());
        }
        if id & 0x1f == 0 {
            let item = self.item(id);
            return item
                .map(<[u8]>::to_vec)
                .ok_or_else(|| format!("item {id:#x} is not there"));
        }
        let node = self
            .subnodes
            .get(&id)
            .ok_or_else(|| format!("subnode {id:#x} is not there"))?;
        Ok(database.blocks(node.data)?.concat())
    }

    /// Reads the heap as a property context (2.3.3).
    pub(super) fn context(&self, database: &mut Database<'_>) -> Result<Context, String> {
        let records = self.root(0xbc).and_then(|root| self.records(root, VALUES));
        let (_, records) = records.ok_or("holds no properties")?;
        let mut context = Context::default();
        for record in records {
            let (Some(id), Some(kind), Some(value)) =
                (u16_at(record, 0), u16_at(record, 2), u32_at(record, 4))
            else {
                continue;
            };
            let tag = u32::from(id) << 16 | u32::from(kind);
            let bytes = match kind {
                // Values of four bytes or fewer stand in the record.
                0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => Ok(value.to_le_bytes().to_vec()),
                _ => self.value(database, value),
            };
            match bytes {
                Ok(bytes) => {
                    if kind == 0x000d
                        && let Some(node) = u32_at(&bytes, 0)
                    {
                        context.objects.insert(tag, node);
                    }
                    context.properties.add(tag, Cow::Owned(bytes));
                }
                Err(why) => context.unread.push(format!("property {tag:#010x}: {why}")),
            }
        }
        Ok(context)
    }

    /// Reads the heap as a table (2.3.4): the rows that its index names.
    pub(super) fn rows(&self, database: &mut Database<'_>) -> Option<Vec<Properties<'static>>> {
        let info = self.item(self.root(0x7c)?)?;
        let columns = usize::from(*info.get(1)?);
        let existence = usize::from(u16_at(info, 6)?);
        let size = usize::from(u16_at(info, 8)?);
        let (keys, matrix) = (u32_at(info, 10)?, u32_at(info, 14)?);
        let columns: Vec<&[u8]> = info.get(22..)?.chunks_exact(8).take(columns).collect();
        let (key, index_rows) = self.records(keys, ROWS)?;
        let blocks = match matrix {
            0 => return Some(Vec::new()),
            id if id & 0x1f == 0 => vec![self.item(id)?.to_vec()],
            id => database.blocks(self.subnodes.get(&id)?.data).ok()?,
        };
        // No row reaches from one block into the next.
        let rows: Vec<&[u8]> = blocks
            .iter()
            .flat_map(|block| block.chunks_exact(size.max(1)))
            .collect();
        let mut found = Vec::new();
        for record in index_rows {
            let at = match self.form {
                Form::Ansi => usize::from(u16_at(record, key)?),
                Form::Unicode | Form::Large => index(u32_at(record, key)?),
            };
            let Some(row) = rows.get(at) else { continue };
            found.push(self.row(database, row, existence, &columns));
        }
        Some(found)
    }

    fn row(
        &self,
        database: &mut Database<'_>,
        row: &[u8],
        existence: usize,
        columns: &[&[u8]],
    ) -> Properties<'static> {
        let mut properties = Properties::default();
        for column in columns {
            let &[_, _, _, _, low, high, len, bit] = *column else {
                continue;
            };
            let tag = u32_at(column, 0).unwrap_or_default();
            let at = usize::from(u16::from_le_bytes([low, high]));
            let byte = row.get(existence.saturating_add(usize::from(bit / 8)));
            if byte.is_none_or(|byte| byte & (0x80 >> (bit % 8)) == 0) {
                continue;
            }
            let Some(cell) = slice(row, at, usize::from(len)) else {
                continue;
            };
            let fixed = matches!(
                tag & 0xffff,
                0x0002..=0x0007 | 0x000a | 0x000b | 0x0014 | 0x0040
            );
            let value = match u32_at(cell, 0) {
                Some(id) if !fixed => self.value(database, id).ok(),
                _ => Some(cell.to_vec()),
            };
            if let Some(value) = value {
                properties.add(tag, Cow::Owned(value));
            }
        }
        properties
    }
}
