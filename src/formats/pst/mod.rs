//! Outlook's stores, PST and OST ([MS-PST]): their folders, messages and attachments.
//!
//! Messages are found by the tree of nodes and not by the tables of their folders, so that those are there too that a
//! folder no longer lists. Every form is read: numbers of 32 and of 64 bits, large pages with compressed blocks, either
//! way of obscuring. Deliberately not read: search folders, views, forms and what a store says of itself.
//!
//! A store is read through a function that gives bytes at an offset, since it may be larger than memory. Nothing of it
//! is believed: every tree is walked with a bound, and what cannot be read is told with the message that it belongs to.

mod cipher;
mod letter;
mod lists;
mod pages;

use std::collections::BTreeMap;

use crate::formats::mapi::{Properties, property_id, property_type, tag};

use lists::{Context, Heap};
use pages::{Database, Node};

pub use letter::letter;
pub use pages::{Fetch, NodeId};

/// Types of nodes (2.2.2.1).
const FOLDER: u32 = 0x02;
const MESSAGE: u32 = 0x04;
const ATTACHMENT: u32 = 0x05;
const RECIPIENTS: u32 = 0x12;

/// The store itself, and its uppermost folder (2.4.1).
const STORE: NodeId = 0x21;
const ROOT: NodeId = 0x122;

/// PidTagIpmSubTreeEntryId: the folder that users see as the uppermost one.
const VISIBLE_ROOT: u16 = 0x35e0;

/// Folders within folders whose names are told.
const DEEPEST: usize = 32;

/// Messages attached to messages that are read.
const NESTED: u8 = 8;

/// Attachments of one message.
const ATTACHMENTS: usize = 5000;

/// Bytes that a folder's properties may have.
const FOLDER_BYTES: usize = 1 << 20;

/// Whether bytes begin as a store does.
pub fn is_store(head: &[u8]) -> bool {
    head.starts_with(b"!BDN")
        && head
            .get(8..10)
            .is_some_and(|client| client == b"SM" || client == b"SO")
}

/// Where a message stands in its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Number of its node.
    pub id: NodeId,
    /// Names of its folder and those above it: `/Inbox`.
    pub folder: String,
    /// Its number in the folder, from 1.
    pub number: u64,
}

/// A message.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Its properties.
    pub properties: Properties<'static>,
    /// Those of its recipients.
    pub recipients: Vec<Properties<'static>>,
    /// Its attachments.
    pub attachments: Vec<Attachment>,
    /// What could not be read of it.
    pub unread: Vec<String>,
}

/// An attachment.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Its properties.
    pub properties: Properties<'static>,
    /// What it holds.
    pub content: Content,
}

/// What an attachment holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// Nothing: it is elsewhere, or could not be read.
    Nothing,
    /// Bytes.
    Bytes(Vec<u8>),
    /// A message.
    Message(Box<Message>),
}

/// An open store.
pub struct Store<'f> {
    database: Database<'f>,
    messages: BTreeMap<NodeId, Node>,
    /// Whether parts of the tree of nodes could not be read.
    pub damaged: bool,
}

impl<'f> Store<'f> {
    /// Reads the header and the tree of nodes.
    pub fn open(fetch: &'f mut Fetch<'f>) -> Result<Self, String> {
        let mut database = Database::open(fetch)?;
        let (messages, damaged) = database.nodes(&[MESSAGE]);
        if damaged && messages.is_empty() {
            return Err("the tree of its nodes cannot be read".to_owned());
        }
        Ok(Self {
            database,
            messages,
            damaged,
        })
    }

    /// Every message with its place, folder by folder.
    pub fn places(&mut self) -> Vec<Place> {
        let visible = self.visible_root();
        let mut folders: BTreeMap<NodeId, String> = BTreeMap::new();
        let mut by_folder: Vec<(NodeId, NodeId)> = self
            .messages
            .iter()
            .map(|(id, node)| (node.parent, *id))
            .collect();
        by_folder.sort_unstable();
        let mut places: Vec<Place> = Vec::with_capacity(by_folder.len());
        let (mut above, mut number) = (None, 0u64);
        for (folder, id) in by_folder {
            number = if above == Some(folder) {
                number.saturating_add(1)
            } else {
                1
            };
            above = Some(folder);
            let name = match folders.get(&folder) {
                Some(name) => name.clone(),
                None => {
                    let name = self.folder_path(folder, visible);
                    folders.insert(folder, name.clone());
                    name
                }
            };
            places.push(Place {
                id,
                folder: name,
                number,
            });
        }
        places.sort_by(|a, b| (&a.folder, a.id).cmp(&(&b.folder, b.id)));
        // Two folders of one name would give two messages one reference.
        let (mut folder, mut number) = (String::new(), 0u64);
        for place in &mut places {
            number = if place.folder == folder {
                number.saturating_add(1)
            } else {
                1
            };
            folder.clone_from(&place.folder);
            place.number = number;
        }
        places
    }

    /// The folder that users see as the uppermost one.
    fn visible_root(&mut self) -> Option<NodeId> {
        let context = self.context_of(STORE).ok()?;
        let entry = context
            .properties
            .bytes(VISIBLE_ROOT, property_type::BINARY)?;
        entry.last_chunk().copied().map(u32::from_le_bytes)
    }

    fn context_of(&mut self, id: NodeId) -> Result<Context, String> {
        self.database.allow(FOLDER_BYTES);
        let node = self.database.node(id).ok_or("no such node")?;
        let heap = Heap::read(&mut self.database, node)?;
        heap.context(&mut self.database)
    }

    fn folder_path(&mut self, folder: NodeId, visible: Option<NodeId>) -> String {
        let mut names = Vec::new();
        let mut id = folder;
        // Ends with the depth.
        while id != ROOT && Some(id) != visible && id & 0x1f == FOLDER && names.len() < DEEPEST {
            let name = self.context_of(id).ok().and_then(|context| {
                let charset = context.properties.charset();
                let charset = charset.unwrap_or(encoding_rs::WINDOWS_1252);
                context.properties.shown(property_id::DISPLAY_NAME, charset)
            });
            names.push(name.unwrap_or_else(|| format!("{id:#x}")));
            let Some(node) = self.database.node(id) else {
                break;
            };
            id = node.parent;
        }
        names
            .iter()
            .rev()
            .fold(String::new(), |path, name| path + "/" + name)
    }

    /// Reads a message of at most `limit` bytes.
    pub fn message(&mut self, id: NodeId, limit: usize) -> Result<Message, String> {
        let node = *self.messages.get(&id).ok_or("no such message")?;
        self.database.allow(limit);
        self.read(node, 0)
    }

    fn read(&mut self, node: Node, depth: u8) -> Result<Message, String> {
        let heap = Heap::read(&mut self.database, node)?;
        let context = heap.context(&mut self.database)?;
        let mut message = Message {
            properties: context.properties,
            unread: context.unread,
            ..Message::default()
        };
        let of = |kind: u32| {
            let wanted = move |(id, _): &(&NodeId, &Node)| **id & 0x1f == kind;
            heap.subnodes.iter().filter(wanted)
        };
        for (_, node) in of(RECIPIENTS).take(1) {
            let rows = Heap::read(&mut self.database, *node)
                .ok()
                .and_then(|table| table.rows(&mut self.database));
            match rows {
                Some(rows) => message.recipients = rows,
                None => message
                    .unread
                    .push("its recipients cannot be read".to_owned()),
            }
        }
        for (id, node) in of(ATTACHMENT).take(ATTACHMENTS) {
            match self.attachment(*node, depth, &mut message.unread) {
                Ok(attachment) => message.attachments.push(attachment),
                Err(why) => message.unread.push(format!("attachment {id:#x}: {why}")),
            }
        }
        if of(ATTACHMENT).count() > ATTACHMENTS {
            message
                .unread
                .push(format!("more than {ATTACHMENTS} attachments"));
        }
        Ok(message)
    }

    fn attachment(
        &mut self,
        node: Node,
        depth: u8,
        unread: &mut Vec<String>,
    ) -> Result<Attachment, String> {
        let heap = Heap::read(&mut self.database, node)?;
        let context = heap.context(&mut self.database)?;
        unread.extend(
            context
                .unread
                .iter()
                .map(|why| format!("attachment: {why}")),
        );
        let object = tag(property_id::ATTACH_DATA, property_type::OBJECT);
        let content = if let Some(id) = context.objects.get(&object) {
            let node = *heap.subnodes.get(id).ok_or("its object is not there")?;
            /// PidTagAttachMethod of an attached message ([MS-OXCMSG] 2.2.2.9).
            const ATTACHED_MESSAGE: u32 = 5;
            let method = context.properties.number(property_id::ATTACH_METHOD);
            if method != Some(ATTACHED_MESSAGE) {
                Content::Bytes(self.database.blocks(node.data)?.concat())
            } else if depth >= NESTED {
                return Err(format!("more than {NESTED} messages within messages"));
            } else {
                let inner = self.read(node, depth.saturating_add(1))?;
                unread.extend(inner.unread.iter().cloned());
                Content::Message(Box::new(inner))
            }
        } else {
            let bytes = context
                .properties
                .bytes(property_id::ATTACH_DATA, property_type::BINARY);
            bytes.map_or(Content::Nothing, |bytes| Content::Bytes(bytes.to_vec()))
        };
        Ok(Attachment {
            properties: context.properties,
            content,
        })
    }
}
