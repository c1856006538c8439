//! Outlook's stores in every form ([MS-PST]), with trees of several levels already where they hold little.

use std::io::Write as _;

use encoding_rs::SHIFT_JIS;

/// Form of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Ansi,
    Unicode,
    /// Pages of 4,096 bytes, compressed blocks.
    Large,
}

/// How blocks are obscured: the numbers are those of bCryptMethod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crypt {
    Plain = 0,
    Permuted = 1,
    Cyclic = 2,
}

/// A message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) attached: Vec<Attached>,
    /// Recipients besides the first.
    pub(crate) more: usize,
    /// Texts in cp932 and not in UTF-16.
    pub(crate) cp932: bool,
}

/// What a message carries.
#[derive(Debug, Clone)]
pub(crate) enum Attached {
    File(&'static str, Vec<u8>),
    Letter(Box<Letter>),
}

type Value = (u32, Vec<u8>);

/// Number, data, subnodes, parent.
type Node = (u32, u64, u64, u32);

/// Entries of one page or block of a tree: few, so that trees get levels.
const FAN: usize = 5;

/// Bytes of a heap's block.
const HEAP: usize = 1500;

/// How much stands in a leaf of the trees within heaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// Little, so that there are levels.
    Small = 64,
    /// All, as in blocks of subnodes: `readpst` knows no levels there.
    Whole = 3500,
}

/// A store of folders below the visible root.
pub(crate) fn store(
    form: Form,
    crypt: Crypt,
    leaves: Leaves,
    folders: &[(&str, &[Letter])],
) -> Vec<u8> {
    store_of_copies(form, crypt, leaves, folders, 1)
}

/// The same with so many nodes for each message, which share its blocks.
pub(crate) fn store_of_copies(
    form: Form,
    crypt: Crypt,
    leaves: Leaves,
    folders: &[(&str, &[Letter])],
    copies: u32,
) -> Vec<u8> {
    let mut writer = Writer {
        form,
        crypt,
        leaves,
        cipher: Cipher::new(),
        out: vec![0; 0x4400],
        next: 4,
        blocks: Vec::new(),
    };
    let entry = [&[0; 20][..], &0x8022_u32.to_le_bytes()].concat();
    let name = |text: &str| (0x3001_001f, utf16(text));
    let counts = |messages: usize, below: bool| {
        let messages = u32::try_from(messages).unwrap().to_le_bytes().to_vec();
        [
            (0x3602_0003, messages),
            (0x360a_000b, vec![u8::from(below), 0, 0, 0]),
        ]
    };
    let folder = |label: &str, messages, below| {
        [vec![name(label)], counts(messages, below).to_vec()].concat()
    };
    let mut nodes: Vec<Node> = Vec::new();
    let mut add = |writer: &mut Writer, id, parent, values: Vec<Value>| {
        let (data, subnodes) = writer.context(&values, Vec::new());
        nodes.push((id, data, subnodes, parent));
    };
    add(
        &mut writer,
        0x21,
        0,
        vec![name("Store"), (0x35e0_0102, entry)],
    );
    add(&mut writer, 0x61, 0, vec![name("")]);
    add(&mut writer, 0x122, 0x122, folder("", 0, true));
    add(&mut writer, 0x8022, 0x122, folder("Top", 0, true));
    let mut letters = Vec::new();
    for (number, (label, own)) in (0..).zip(folders) {
        let id = 0x8042 + number * 0x20;
        add(&mut writer, id, 0x8022, folder(label, own.len(), false));
        letters.extend(own.iter().map(|letter| (id, letter)));
    }
    for (number, (folder, letter)) in (0..).zip(letters) {
        let (data, subnodes) = writer.letter(letter);
        for copy in number * copies..(number + 1) * copies {
            nodes.push((0x20_0004 + copy * 0x20, data, subnodes, folder));
        }
    }
    nodes.sort_unstable();
    writer.finish(&nodes)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The tables of the specification, which stand in the reader; that they are right an independent reader tells.
struct Cipher {
    r: Vec<u8>,
    s: Vec<u8>,
    i: Vec<u8>,
}

impl Cipher {
    fn new() -> Self {
        let source = include_str!("../../src/formats/pst/cipher.rs");
        let table = |name: &str| -> Vec<u8> {
            let start = source.find(&format!("const {name}: &str")).unwrap();
            let digits = source[start..].split('"').nth(1).unwrap();
            let digits: Vec<char> = digits.chars().filter(char::is_ascii_hexdigit).collect();
            let byte =
                |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
            digits.chunks(2).map(byte).collect()
        };
        let r = table("R");
        let mut i = vec![0; 256];
        for (plain, obscured) in (0..=u8::MAX).zip(&r) {
            i[usize::from(*obscured)] = plain;
        }
        Self {
            r,
            s: table("S"),
            i,
        }
    }

    fn obscure(&self, crypt: Crypt, block: u64, data: &mut [u8]) {
        let low = u32::try_from(block & 0xffff_ffff).unwrap();
        let mut key = u16::try_from(low >> 16 ^ low & 0xffff).unwrap();
        for byte in data {
            match crypt {
                Crypt::Plain => {}
                Crypt::Permuted => *byte = self.r[usize::from(*byte)],
                Crypt::Cyclic => {
                    let [low, high] = key.to_le_bytes();
                    let one = self.r[usize::from(byte.wrapping_add(low))];
                    let two = self.s[usize::from(one.wrapping_add(high))];
                    *byte = self.i[usize::from(two.wrapping_sub(high))].wrapping_sub(low);
                    key = key.wrapping_add(1);
                }
            }
        }
    }
}

struct Stored {
    id: u64,
    at: u64,
    len: usize,
    plain: usize,
}

struct Writer {
    form: Form,
    crypt: Crypt,
    leaves: Leaves,
    cipher: Cipher,
    out: Vec<u8>,
    next: u64,
    blocks: Vec<Stored>,
}

impl Writer {
    /// Bytes of data in a block.
    fn most(&self) -> usize {
        match self.form {
            Form::Ansi => 8180,
            Form::Unicode => 8176,
            Form::Large => 65_512,
        }
    }

    fn word(&self, number: u64) -> Vec<u8> {
        match self.form {
            Form::Ansi => u32::try_from(number).unwrap().to_le_bytes().to_vec(),
            Form::Unicode | Form::Large => number.to_le_bytes().to_vec(),
        }
    }

    fn block(&mut self, data: &[u8], internal: bool) -> u64 {
        assert!(data.len() <= self.most());
        let id = self.next | if internal { 2 } else { 0 };
        self.next += 4;
        let mut stored = data.to_vec();
        if !internal {
            self.cipher.obscure(self.crypt, id, &mut stored);
        }
        if self.form == Form::Large && !internal {
            let mut packed =
                flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            packed.write_all(&stored).unwrap();
            let packed = packed.finish().unwrap();
            if packed.len() < stored.len() {
                stored = packed;
            }
        }
        let (trailer, unit) = match self.form {
            Form::Ansi => (12, 64),
            Form::Unicode => (16, 64),
            Form::Large => (24, 512),
        };
        let at = self.out.len();
        self.out.extend(&stored);
        let whole = (stored.len() + trailer).next_multiple_of(unit);
        self.out.resize(at + whole - trailer, 0);
        let len = u16::try_from(stored.len()).unwrap();
        let at = u64::try_from(at).unwrap();
        self.out.extend(len.to_le_bytes());
        self.out.extend(signature(at, id).to_le_bytes());
        let (sum, own) = (checksum(&stored).to_le_bytes().to_vec(), self.word(id));
        match self.form {
            Form::Ansi => self.out.extend([own, sum].concat()),
            Form::Unicode => self.out.extend([sum, own].concat()),
            Form::Large => self.out.extend([sum, own, vec![0; 8]].concat()),
        }
        self.blocks.push(Stored {
            id,
            at,
            len: stored.len(),
            plain: data.len(),
        });
        id
    }

    /// Data in one block, or in a tree of one or two levels.
    fn data(&mut self, blocks: &[Vec<u8>]) -> u64 {
        let mut ids: Vec<(u64, usize)> = Vec::new();
        for block in blocks {
            ids.push((self.block(block, false), block.len()));
        }
        let mut level = 0;
        while ids.len() > 1 {
            level += 1;
            // The uppermost block takes all that is left: there are two levels at the most.
            let fan = if level == 2 || ids.len() <= FAN {
                ids.len()
            } else {
                FAN
            };
            let above = ids.chunks(fan).map(|below| {
                let total = below.iter().map(|(_, len)| len).sum();
                let mut block = vec![1, level];
                block.extend(u16::try_from(below.len()).unwrap().to_le_bytes());
                block.extend(u32::try_from(total).unwrap().to_le_bytes());
                below
                    .iter()
                    .for_each(|(id, _)| block.extend(self.word(*id)));
                (block, total)
            });
            let above: Vec<(Vec<u8>, usize)> = above.collect();
            ids = above
                .iter()
                .map(|(block, total)| (self.block(block, true), *total))
                .collect();
        }
        ids[0].0
    }

    fn bytes(&mut self, data: &[u8]) -> u64 {
        let blocks: Vec<Vec<u8>> = data.chunks(self.most()).map(<[u8]>::to_vec).collect();
        self.data(&blocks)
    }

    /// A tree of subnodes.
    fn subnodes(&mut self, mut nodes: Vec<(u32, u64, u64)>) -> u64 {
        nodes.sort_unstable();
        let head = |level: u8, count: usize, form: Form| {
            let mut block = vec![2, level];
            block.extend(u16::try_from(count).unwrap().to_le_bytes());
            block.resize(if form == Form::Ansi { 4 } else { 8 }, 0);
            block
        };
        let mut leaves = Vec::new();
        let fan = match self.leaves {
            Leaves::Small => FAN,
            Leaves::Whole => nodes.len().max(1),
        };
        for own in nodes.chunks(fan) {
            let mut block = head(0, own.len(), self.form);
            for (id, data, subnodes) in own {
                block.extend(self.word(u64::from(*id)));
                block.extend(self.word(*data));
                block.extend(self.word(*subnodes));
            }
            leaves.push((own[0].0, self.block(&block, true)));
        }
        match leaves.as_slice() {
            [] => 0,
            [(_, one)] => *one,
            several => {
                let mut block = head(1, several.len(), self.form);
                for (id, leaf) in several {
                    block.extend(self.word(u64::from(*id)));
                    block.extend(self.word(*leaf));
                }
                self.block(&block, true)
            }
        }
    }

    /// A value in a heap, or in a subnode where it is long.
    fn value(&mut self, heap: &mut Heap, value: &[u8], below: &mut Vec<(u32, u64, u64)>) -> u32 {
        if value.is_empty() {
            return 0;
        }
        if value.len() <= HEAP / 2 {
            return heap.add(value);
        }
        let id = 0x1f | u32::try_from(below.len() + 0x100).unwrap() << 5;
        let data = self.bytes(value);
        below.push((id, data, 0));
        id
    }

    /// A property context: its data and its subnodes.
    fn context(&mut self, values: &[Value], mut below: Vec<(u32, u64, u64)>) -> (u64, u64) {
        let mut heap = Heap::new(self.form, self.leaves, 0xbc);
        let mut values: Vec<&Value> = values.iter().collect();
        values.sort_by_key(|(tag, _)| tag >> 16);
        let mut records = Vec::new();
        for (tag, value) in values {
            let (id, kind) = (tag >> 16, tag & 0xffff);
            let held = match kind {
                0x0003 | 0x000b => u32::from_le_bytes(value.as_slice().try_into().unwrap()),
                _ => self.value(&mut heap, value, &mut below),
            };
            let mut record = u16::try_from(id).unwrap().to_le_bytes().to_vec();
            record.extend(u16::try_from(kind).unwrap().to_le_bytes());
            record.extend(held.to_le_bytes());
            records.push(record);
        }
        heap.root = heap.tree(2, 6, &records);
        let data = self.data(&heap.blocks());
        (data, self.subnodes(below))
    }

    /// A table context whose rows stand in a subnode.
    fn table(&mut self, columns: &[u32], rows: &[Vec<Value>], ids: &[u32]) -> (u64, u64) {
        let mut heap = Heap::new(self.form, self.leaves, 0x7c);
        let mut below = Vec::new();
        let all: Vec<u32> = [0x67f2_0003, 0x67f3_0003]
            .into_iter()
            .chain(columns.iter().copied())
            .collect();
        let end = all.len() * 4;
        let size = end + all.len().div_ceil(8);
        let mut matrix = Vec::new();
        for (row, id) in rows.iter().zip(ids) {
            let mut cells = vec![0; size];
            for (at, tag) in all.iter().enumerate() {
                let held = match at {
                    0 => *id,
                    1 => 1,
                    _ => match row.iter().find(|(own, _)| own == tag) {
                        None => continue,
                        Some((tag, value)) if tag & 0xffff == 3 => {
                            u32::from_le_bytes(value.as_slice().try_into().unwrap())
                        }
                        Some((_, value)) => self.value(&mut heap, value, &mut below),
                    },
                };
                cells[at * 4..at * 4 + 4].copy_from_slice(&held.to_le_bytes());
                cells[end + at / 8] |= 0x80 >> (at % 8);
            }
            matrix.push(cells);
        }
        // A block is filled but for what is too short for a row.
        let most = self.most();
        let mut blocks: Vec<Vec<u8>> = matrix
            .chunks(most / size)
            .map(<[Vec<u8>]>::concat)
            .collect();
        let last = blocks.len().saturating_sub(1);
        blocks
            .iter_mut()
            .take(last)
            .for_each(|block| block.resize(most, 0));
        let mut rows_at = 0;
        if !blocks.is_empty() {
            rows_at = 0x1f | 0x90 << 5;
            let data = self.data(&blocks);
            below.push((rows_at, data, 0));
        }
        let mut order: Vec<(u32, usize)> = ids.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let form = self.form;
        let records: Vec<Vec<u8>> = order
            .iter()
            .map(|(id, at)| {
                let mut record = id.to_le_bytes().to_vec();
                match form {
                    Form::Ansi => record.extend(u16::try_from(*at).unwrap().to_le_bytes()),
                    _ => record.extend(u32::try_from(*at).unwrap().to_le_bytes()),
                }
                record
            })
            .collect();
        let index = heap.tree(4, if form == Form::Ansi { 2 } else { 4 }, &records);
        let mut info = vec![0x7c, u8::try_from(all.len()).unwrap()];
        for offset in [end, end, end, size] {
            info.extend(u16::try_from(offset).unwrap().to_le_bytes());
        }
        info.extend(index.to_le_bytes());
        info.extend(rows_at.to_le_bytes());
        info.extend([0; 4]);
        let mut sorted: Vec<(usize, &u32)> = all.iter().enumerate().collect();
        sorted.sort_by_key(|(_, tag)| **tag);
        for (at, tag) in sorted {
            info.extend(tag.to_le_bytes());
            info.extend(u16::try_from(at * 4).unwrap().to_le_bytes());
            info.extend([4, u8::try_from(at).unwrap()]);
        }
        heap.root = heap.add(&info);
        let data = self.data(&heap.blocks());
        (data, self.subnodes(below))
    }

    fn letter(&mut self, letter: &Letter) -> (u64, u64) {
        let text = |id: u32, text: &str| match letter.cp932 {
            true => (id << 16 | 0x1e, SHIFT_JIS.encode(text).0.into_owned()),
            false => (id << 16 | 0x1f, utf16(text)),
        };
        let number = |id: u32, number: u32| (id << 16 | 3, number.to_le_bytes().to_vec());
        // 2026-11-02 00:30:00 UTC, in steps of 100 ns since 1601.
        let time = ((1_793_579_400_u64 + 11_644_473_600) * 10_000_000).to_le_bytes();
        let mut values = vec![
            text(0x001a, "IPM.Note"),
            text(0x0037, &letter.subject),
            (0x0039_0040, time.to_vec()),
            (0x0e06_0040, time.to_vec()),
            text(0x0c1a, "山田太郎"),
            text(0x0c1e, "SMTP"),
            text(0x0c1f, "taro@branch.example"),
            text(0x0e04, "本社"),
            number(0x0e07, 1),
            number(0x0e08, 5000),
            text(0x1000, &letter.body),
            text(0x1035, "<1.2@branch.example>"),
        ];
        values.extend([number(0x3ffd, 932), number(0x3fde, 932)]);
        let mut below = Vec::new();
        let mut rows = Vec::new();
        let names = [0x3705, 0x3707, 0x3704];
        let columns: Vec<u32> = names
            .iter()
            .map(|id| match id {
                0x3705 => number(*id, 0).0,
                _ => text(*id, "").0,
            })
            .collect();
        let mut ids = Vec::new();
        for (at, attached) in (0..).zip(&letter.attached) {
            let id = 0x8025 + at * 0x20;
            let (name, method) = match attached {
                Attached::File(name, _) => (*name, 1),
                Attached::Letter(_) => ("forwarded", 5),
            };
            let row = vec![
                number(0x3705, method),
                text(0x3707, name),
                text(0x3704, name),
            ];
            let mut values = row.clone();
            let mut own = Vec::new();
            match attached {
                Attached::File(_, data) => {
                    values.push(text(0x370e, "application/octet-stream"));
                    values.push((0x3701_0102, data.clone()));
                }
                Attached::Letter(inner) => {
                    let (data, subnodes) = self.letter(inner);
                    own.push((0x20_0024, data, subnodes));
                    values.push((0x3701_000d, [0x24, 0, 0x20, 0, 0, 16, 0, 0].to_vec()));
                }
            }
            let (data, subnodes) = self.context(&values, own);
            below.push((id, data, subnodes));
            rows.push(row);
            ids.push(id);
        }
        if !rows.is_empty() {
            let (data, subnodes) = self.table(&columns, &rows, &ids);
            below.push((0x671, data, subnodes));
        }
        let people: Vec<Vec<Value>> = (0..=letter.more)
            .map(|at| {
                vec![
                    number(0x0c15, 1 + u32::from(at % 3 == 1)),
                    text(0x3001, &format!("受信者{at}")),
                    text(0x3002, "SMTP"),
                    text(0x3003, &format!("to{at}@hq.example.co.jp")),
                ]
            })
            .collect();
        let columns: Vec<u32> = people[0].iter().map(|(tag, _)| *tag).collect();
        let ids: Vec<u32> = (0..u32::try_from(people.len()).unwrap()).collect();
        let (data, subnodes) = self.table(&columns, &people, &ids);
        below.push((0x692, data, subnodes));
        self.context(&values, below)
    }

    /// A page at the end of the store: its number and place.
    fn page(&mut self, kind: u8, level: u8, entries: &[Vec<u8>]) -> (u64, u64) {
        let (len, count_at, trailer) = match self.form {
            Form::Ansi => (512, 496, 500),
            Form::Unicode => (512, 488, 496),
            Form::Large => (4096, 4056, 4072),
        };
        self.out.resize(self.out.len().next_multiple_of(len), 0);
        let (id, at) = (self.next, u64::try_from(self.out.len()).unwrap());
        self.next += 4;
        let size = entries[0].len();
        let mut page = entries.concat();
        page.resize(count_at, 0);
        let (count, most) = (entries.len(), count_at / size);
        match self.form {
            Form::Large => {
                page.extend(u16::try_from(count).unwrap().to_le_bytes());
                page.extend(u16::try_from(most).unwrap().to_le_bytes());
            }
            _ => page.extend([count, most].map(|number| u8::try_from(number).unwrap())),
        }
        page.extend([u8::try_from(size).unwrap(), level]);
        page.resize(trailer, 0);
        let sum = checksum(&page).to_le_bytes().to_vec();
        page.extend([kind, kind]);
        page.extend(signature(at, id).to_le_bytes());
        match self.form {
            Form::Ansi => page.extend([self.word(id), sum].concat()),
            _ => page.extend([sum, self.word(id)].concat()),
        }
        page.resize(len, 0);
        self.out.extend(page);
        (id, at)
    }

    /// A tree of pages over entries with their keys: number and place of its root.
    fn pages(&mut self, kind: u8, leaves: Vec<(u64, Vec<u8>)>) -> (u64, u64) {
        let (mut level, mut entries) = (0, leaves);
        loop {
            let mut above = Vec::new();
            for own in entries.chunks(FAN) {
                let bytes: Vec<Vec<u8>> = own.iter().map(|(_, entry)| entry.clone()).collect();
                let (id, at) = self.page(kind, level, &bytes);
                let key = own[0].0;
                above.push((
                    key,
                    [self.word(key), self.word(id), self.word(at)].concat(),
                    id,
                    at,
                ));
            }
            if let [(_, _, id, at)] = above.as_slice() {
                return (*id, *at);
            }
            level += 1;
            entries = above
                .into_iter()
                .map(|(key, entry, ..)| (key, entry))
                .collect();
        }
    }

    fn finish(mut self, nodes: &[Node]) -> Vec<u8> {
        let leaves = nodes.iter().map(|(id, data, subnodes, parent)| {
            let mut entry = self.word(u64::from(*id));
            entry.extend(self.word(*data));
            entry.extend(self.word(*subnodes));
            entry.extend(self.word(u64::from(*parent)));
            (u64::from(*id), entry)
        });
        let leaves = leaves.collect();
        let node_root = self.pages(0x81, leaves);
        let mut blocks = std::mem::take(&mut self.blocks);
        blocks.sort_by_key(|block| block.id);
        let leaves = blocks.iter().map(|block| {
            let mut entry = self.word(block.id);
            entry.extend(self.word(block.at));
            entry.extend(u16::try_from(block.len).unwrap().to_le_bytes());
            if self.form == Form::Large {
                entry.extend(u16::try_from(block.plain).unwrap().to_le_bytes());
            }
            entry.extend(2_u16.to_le_bytes());
            entry.resize(if self.form == Form::Ansi { 12 } else { 24 }, 0);
            (block.id, entry)
        });
        let leaves = leaves.collect();
        let block_root = self.pages(0x80, leaves);
        let (version, roots, eof, crypt) = match self.form {
            Form::Ansi => (14_u16, 184, 168, 461),
            Form::Unicode => (23, 216, 184, 513),
            Form::Large => (36, 216, 184, 513),
        };
        let client = if self.form == Form::Large {
            b"SO"
        } else {
            b"SM"
        };
        self.out[..4].copy_from_slice(b"!BDN");
        self.out[8..10].copy_from_slice(client);
        self.out[10..12].copy_from_slice(&version.to_le_bytes());
        self.out[12..14].copy_from_slice(&19_u16.to_le_bytes());
        self.out[14..16].copy_from_slice(&[1, 1]);
        let len = u64::try_from(self.out.len()).unwrap();
        let numbers = [node_root.0, node_root.1, block_root.0, block_root.1];
        let root: Vec<u8> = numbers
            .iter()
            .flat_map(|number| self.word(*number))
            .collect();
        let len = self.word(len);
        self.out[eof..eof + len.len()].copy_from_slice(&len);
        self.out[roots..roots + root.len()].copy_from_slice(&root);
        self.out[crypt - 1] = 0x80;
        self.out[crypt] = self.crypt as u8;
        self.out
    }
}

/// A heap on a node.
struct Heap {
    form: Form,
    leaves: Leaves,
    kind: u8,
    root: u32,
    /// Bytes and ends of the items of each block.
    blocks: Vec<(Vec<u8>, Vec<usize>)>,
}

impl Heap {
    fn new(form: Form, leaves: Leaves, kind: u8) -> Self {
        Self {
            form,
            leaves,
            kind,
            root: 0,
            blocks: vec![(vec![0; 12], vec![12])],
        }
    }

    fn add(&mut self, item: &[u8]) -> u32 {
        let full = self
            .blocks
            .last()
            .is_some_and(|(data, _)| data.len() + item.len() > HEAP);
        if full {
            let number = self.blocks.len();
            // Some blocks hold how full the following ones are.
            let head = if number >= 8 && (number - 8).is_multiple_of(128) {
                66
            } else {
                2
            };
            self.blocks.push((vec![0; head], vec![head]));
        }
        let block = self.blocks.len() - 1;
        let (data, ends) = &mut self.blocks[block];
        data.extend(item);
        ends.push(data.len());
        let number = u32::try_from(ends.len() - 1).unwrap();
        let bits = if self.form == Form::Large { 14 } else { 11 };
        u32::try_from(block).unwrap() << (5 + bits) | number << 5
    }

    /// A B-tree of records of a key and a value.
    fn tree(&mut self, key: u8, value: u8, records: &[Vec<u8>]) -> u32 {
        let mut level = 0;
        let mut items: Vec<(Vec<u8>, u32)> = Vec::new();
        let keys = |record: &Vec<u8>| record[..usize::from(key)].to_vec();
        for leaf in records.chunks(self.leaves as usize / usize::from(key + value)) {
            items.push((keys(&leaf[0]), self.add(&leaf.concat())));
        }
        while items.len() > 1 {
            level += 1;
            let above: Vec<Vec<(Vec<u8>, u32)>> = items.chunks(FAN).map(<[_]>::to_vec).collect();
            items = above
                .into_iter()
                .map(|below| {
                    let entry = |(key, item): &(Vec<u8>, u32)| {
                        [key.clone(), item.to_le_bytes().to_vec()].concat()
                    };
                    let bytes: Vec<Vec<u8>> = below.iter().map(entry).collect();
                    (below[0].0.clone(), self.add(&bytes.concat()))
                })
                .collect();
        }
        let root = items.first().map_or(0, |(_, item)| *item);
        let mut header = vec![0xb5, key, value, level];
        header.extend(root.to_le_bytes());
        self.add(&header)
    }

    fn blocks(self) -> Vec<Vec<u8>> {
        let (kind, root) = (self.kind, self.root);
        let blocks = self.blocks.into_iter().enumerate();
        let done = blocks.map(|(at, (mut data, ends))| {
            data.resize(data.len().next_multiple_of(2), 0);
            let map = u16::try_from(data.len()).unwrap();
            data.extend(u16::try_from(ends.len() - 1).unwrap().to_le_bytes());
            data.extend([0, 0]);
            for end in ends {
                data.extend(u16::try_from(end).unwrap().to_le_bytes());
            }
            data[..2].copy_from_slice(&map.to_le_bytes());
            if at == 0 {
                data[2..4].copy_from_slice(&[0xec, kind]);
                data[4..8].copy_from_slice(&root.to_le_bytes());
            }
            data
        });
        done.collect()
    }
}

/// wSig (5.5).
fn signature(at: u64, id: u64) -> u16 {
    let both = (at ^ id) & 0xffff_ffff;
    u16::try_from((both >> 16 ^ both) & 0xffff).unwrap()
}

/// dwCRC (5.3): the usual polynomial without the usual inversions.
pub(crate) fn checksum(data: &[u8]) -> u32 {
    data.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| match sum & 1 {
            1 => sum >> 1 ^ 0xedb8_8320,
            _ => sum >> 1,
        })
    })
}
