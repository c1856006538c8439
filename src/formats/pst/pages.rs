//! The node database of a store ([MS-PST] 2.2): B-trees of nodes and blocks, blocks and trees of them.
//!
//! Checksums are not looked at: Outlook's own repair does not stop at them either. A page is believed where its type
//! stands in its trailer twice, its entries fit, and its level is below that of the page that names it.

use std::collections::{BTreeMap, BTreeSet};

use crate::bytes::{index, slice, u16_at, u32_at, u64_at};

use super::cipher::{Method, Tables};

/// Gives bytes of the store at an offset; `None` where not all of them are there.
pub type Fetch<'f> = dyn FnMut(u64, usize) -> Option<Vec<u8>> + 'f;

/// Pages remembered: those near the roots are asked for all the time.
const REMEMBERED: usize = 4096;

/// Entries of one tree of subnodes.
const SUBNODES: usize = 100_000;

/// Nodes of a store.
const NODES: usize = 50_000_000;

/// Types of pages (ptype).
const BLOCK_TREE: u8 = 0x80;
const NODE_TREE: u8 = 0x81;

/// Bit of a block's number: it holds other blocks (2.2.2.2).
const INTERNAL: u64 = 2;

/// Number of a node (NID): its type in the low five bits.
pub type NodeId = u32;

/// The forms of stores by wVer (2.2.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Numbers of 32 bits: Outlook 97 to 2002.
    Ansi,
    /// Numbers of 64 bits.
    Unicode,
    /// The same with pages of 4,096 bytes and compressed blocks: Outlook 2013 and later, for OST.
    Large,
}

/// Where the parts of a page are, in a form.
struct Layout {
    page: usize,
    /// Offset of cEnt; cbEnt and cLevel stand behind it.
    count: usize,
    trailer: usize,
    /// Bytes of a number (BID, IB).
    word: usize,
}

impl Form {
    fn layout(self) -> Layout {
        let (page, count, trailer, word) = match self {
            Self::Ansi => (512, 496, 500, 4),
            Self::Unicode => (512, 488, 496, 8),
            Self::Large => (4096, 4056, 4072, 8),
        };
        Layout {
            page,
            count,
            trailer,
            word,
        }
    }

    fn word(self, data: &[u8], at: usize) -> Option<u64> {
        match self {
            Self::Ansi => u32_at(data, at).map(u64::from),
            Self::Unicode | Self::Large => u64_at(data, at),
        }
    }
}

/// The blocks of a node: its data, and its subnodes (0: none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Node {
    /// Number of the data's block.
    pub data: u64,
    /// Number of the block of subnodes.
    pub subnodes: u64,
    /// The node above, where it is a folder or a message.
    pub parent: NodeId,
}

/// A page of a B-tree.
struct Page {
    level: u8,
    entries: Vec<Vec<u8>>,
}

/// A store's node database.
pub(super) struct Database<'f> {
    fetch: &'f mut Fetch<'f>,
    pub(super) form: Form,
    method: Method,
    tables: Tables,
    nodes: u64,
    blocks: u64,
    pages: BTreeMap<u64, std::rc::Rc<Page>>,
    /// Bytes of blocks that may still be read.
    left: usize,
}

impl<'f> Database<'f> {
    /// Reads the header.
    pub(super) fn open(fetch: &'f mut Fetch<'f>) -> Result<Self, String> {
        let header = fetch(0, 564).ok_or("shorter than its header")?;
        if !header.starts_with(b"!BDN") {
            return Err("does not begin with !BDN".to_owned());
        }
        let version = u16_at(&header, 10).unwrap_or_default();
        let form = match version {
            14 | 15 => Form::Ansi,
            36.. => Form::Large,
            _ => Form::Unicode,
        };
        let (nodes, blocks, method) = match form {
            Form::Ansi => (188, 196, 461),
            Form::Unicode | Form::Large => (224, 240, 513),
        };
        let method = match header.get(method) {
            Some(0) => Method::Plain,
            Some(1) => Method::Permuted,
            Some(2) => Method::Cyclic,
            other => return Err(format!("unknown encryption {other:?}")),
        };
        Ok(Self {
            nodes: form.word(&header, nodes).unwrap_or_default(),
            blocks: form.word(&header, blocks).unwrap_or_default(),
            fetch,
            form,
            method,
            tables: Tables::new(),
            pages: BTreeMap::new(),
            left: 0,
        })
    }

    /// Allows so many bytes of blocks, for whatever is read next: a tree may name one block as often as it likes.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.left = bytes;
    }

    fn page(&mut self, at: u64, kind: u8) -> Option<std::rc::Rc<Page>> {
        if let Some(page) = self.pages.get(&at) {
            return Some(std::rc::Rc::clone(page));
        }
        let layout = self.form.layout();
        let data = (self.fetch)(at, layout.page)?;
        if slice(&data, layout.trailer, 2)? != [kind, kind] {
            return None;
        }
        let (count, size, level) = match self.form {
            Form::Large => (
                usize::from(u16_at(&data, layout.count)?),
                *data.get(layout.count.checked_add(4)?)?,
                *data.get(layout.count.checked_add(5)?)?,
            ),
            Form::Ansi | Form::Unicode => (
                usize::from(*data.get(layout.count)?),
                *data.get(layout.count.checked_add(2)?)?,
                *data.get(layout.count.checked_add(3)?)?,
            ),
        };
        let size = usize::from(size);
        if size == 0 || count.checked_mul(size)? > layout.count {
            return None;
        }
        let entries = data.chunks_exact(size).take(count).map(<[u8]>::to_vec);
        let page = std::rc::Rc::new(Page {
            level,
            entries: entries.collect(),
        });
        if self.pages.len() >= REMEMBERED {
            self.pages.clear();
        }
        self.pages.insert(at, std::rc::Rc::clone(&page));
        Some(page)
    }

    /// The leaf entry of a key.
    fn find(&mut self, root: u64, kind: u8, key: u64) -> Option<Vec<u8>> {
        let (form, word) = (self.form, self.form.layout().word);
        let mut page = self.page(root, kind)?;
        // Ends because levels fall.
        loop {
            let key_of = |entry: &Vec<u8>| form.word(entry, 0).unwrap_or(u64::MAX);
            let wanted = |entry: &&Vec<u8>| match kind {
                // Of a node's number 32 bits count.
                NODE_TREE => key_of(entry) & 0xffff_ffff <= key,
                _ => key_of(entry) & !1 <= key,
            };
            let entry = page.entries.iter().rev().find(wanted)?;
            if page.level == 0 {
                let exact = match kind {
                    NODE_TREE => key_of(entry) & 0xffff_ffff == key,
                    _ => key_of(entry) & !1 == key,
                };
                return exact.then(|| entry.clone());
            }
            let below = self.page(form.word(entry, word.checked_mul(2)?)?, kind)?;
            if below.level >= page.level {
                return None;
            }
            page = below;
        }
    }

    fn node_of(&self, entry: &[u8]) -> Option<(NodeId, Node)> {
        let word = self.form.layout().word;
        let id = u32_at(entry, 0)?;
        let node = Node {
            data: self.form.word(entry, word)?,
            subnodes: self.form.word(entry, word.checked_mul(2)?)?,
            parent: u32_at(entry, word.checked_mul(3)?)?,
        };
        Some((id, node))
    }

    /// The node of a number.
    pub(super) fn node(&mut self, id: NodeId) -> Option<Node> {
        let entry = self.find(self.nodes, NODE_TREE, u64::from(id))?;
        Some(self.node_of(&entry)?.1)
    }

    /// Every node of the wanted types, and whether some could not be read.
    pub(super) fn nodes(&mut self, types: &[u32]) -> (BTreeMap<NodeId, Node>, bool) {
        let word = self.form.layout().word;
        let (mut found, mut damaged) = (BTreeMap::new(), false);
        let mut seen = BTreeSet::from([self.nodes]);
        let mut todo = vec![(self.nodes, u8::MAX)];
        // Ends because each page is visited once.
        while let Some((at, above)) = todo.pop() {
            let page = self.page(at, NODE_TREE).filter(|page| page.level < above);
            let Some(page) = page else {
                damaged = true;
                continue;
            };
            for entry in &page.entries {
                if page.level == 0 {
                    let fits = |id: NodeId| types.contains(&(id & 0x1f)) && found.len() < NODES;
                    let node = self.node_of(entry).filter(|(id, _)| fits(*id));
                    found.extend(node);
                    continue;
                }
                let below = self.form.word(entry, word.saturating_mul(2));
                match below.filter(|below| seen.insert(*below)) {
                    Some(below) => todo.push((below, page.level)),
                    None => damaged = true,
                }
            }
        }
        (found, damaged)
    }

    /// A block as it is stored, made plain.
    fn block(&mut self, number: u64) -> Option<Vec<u8>> {
        let entry = self.find(self.blocks, BLOCK_TREE, number & !1)?;
        let word = self.form.layout().word;
        let at = self.form.word(&entry, word)?;
        let len = usize::from(u16_at(&entry, word.checked_mul(2)?)?);
        let mut data = (self.fetch)(at, len)?;
        let mut packed = None;
        if self.form == Form::Large {
            let size = usize::from(u16_at(&entry, word.checked_mul(2)?.checked_add(2)?)?);
            packed = (size > len).then_some(size);
        }
        // Which comes first the specification does not say: it does not know this form.
        if let Some(inflated) = packed.and_then(|size| inflate(&data, size)) {
            data = inflated;
            packed = None;
        }
        if number & INTERNAL == 0 {
            self.tables.reveal(self.method, number, &mut data);
        }
        match packed {
            Some(size) => inflate(&data, size),
            None => Some(data),
        }
    }

    /// The data blocks of a node (2.2.2.8.3), as far as bytes are allowed.
    pub(super) fn blocks(&mut self, number: u64) -> Result<Vec<Vec<u8>>, String> {
        let mut blocks = Vec::new();
        // A tree has two levels at the most.
        let mut todo = vec![(number, 3u8)];
        while let Some((number, levels)) = todo.pop() {
            let missing = || format!("block {number:#x} cannot be read");
            let data = self.block(number).ok_or_else(missing)?;
            if number & INTERNAL == 0 {
                let left = self.left.checked_sub(data.len());
                self.left = left.ok_or("larger than max-file")?;
                blocks.push(data);
                continue;
            }
            let levels = levels.checked_sub(1).ok_or_else(missing)?;
            if data.first() != Some(&1) {
                return Err(missing());
            }
            let count = usize::from(u16_at(&data, 2).unwrap_or_default());
            let word = self.form.layout().word;
            let numbers = (0..count)
                .map_while(|at| self.form.word(&data, at.checked_mul(word)?.checked_add(8)?));
            let mut numbers: Vec<(u64, u8)> = numbers.map(|number| (number, levels)).collect();
            if numbers.len() < count {
                return Err(missing());
            }
            numbers.reverse();
            todo.extend(numbers);
        }
        Ok(blocks)
    }

    /// The subnodes of a node (2.2.2.8.3.3).
    pub(super) fn subnodes(&mut self, number: u64) -> Result<BTreeMap<NodeId, Node>, String> {
        let mut found = BTreeMap::new();
        if number == 0 {
            return Ok(found);
        }
        let word = self.form.layout().word;
        let first = match self.form {
            Form::Ansi => 4,
            Form::Unicode | Form::Large => 8,
        };
        let mut todo = vec![(number, 2u8)];
        while let Some((number, levels)) = todo.pop() {
            let missing = || format!("subnodes in block {number:#x} cannot be read");
            let levels = levels.checked_sub(1).ok_or_else(missing)?;
            let data = self.block(number).ok_or_else(missing)?;
            let (Some(2), Some(level)) = (data.first(), data.get(1)) else {
                return Err(missing());
            };
            let words = if *level == 0 { 3usize } else { 2 };
            let entries = data.get(first..).unwrap_or_default();
            let entries = entries.chunks_exact(word.saturating_mul(words));
            for entry in entries.take(usize::from(u16_at(&data, 2).unwrap_or_default())) {
                let at = |number: usize| {
                    let offset = word.saturating_mul(number);
                    self.form.word(entry, offset).unwrap_or_default()
                };
                if words == 2 {
                    todo.push((at(1), levels));
                } else if found.len() < SUBNODES {
                    let node = Node {
                        data: at(1),
                        subnodes: at(2),
                        parent: 0,
                    };
                    found.insert(u32_at(entry, 0).unwrap_or_default(), node);
                } else {
                    return Err(format!("more than {SUBNODES} subnodes"));
                }
            }
        }
        Ok(found)
    }
}

/// A compressed block (zlib) of a known size.
fn inflate(data: &[u8], size: usize) -> Option<Vec<u8>> {
    use std::io::Read as _;
    let mut out = vec![0; index(size)];
    flate2::read::ZlibDecoder::new(data)
        .read_exact(&mut out)
        .ok()?;
    Some(out)
}
