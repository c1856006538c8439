//! Outlook's stores as sources of a batch: each message becomes a mail that the engine reads like any other.
//!
//! A store is read in the process itself: the reader is our own, has no unsafe code, asks for blocks of bounded size,
//! recurses nowhere without a bound, and every loop of it ends at the limits below at the latest. Where it panics all
//! the same, the batch goes on with the next source.

use std::cell::Cell;
use std::fs::File;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::bytes::index;
use crate::engine::Input;
use crate::formats::pst::{Fetch, Place, Store, letter};
use crate::model::{Fact, Kind};
use crate::text;

use super::Unreadable;

/// How long opening a store, and how long one of its messages may take: damage can make trees of any width.
const OPENING: Duration = Duration::from_secs(600);
const MESSAGE: Duration = Duration::from_secs(60);
use super::messages::{Piece, Sink, trouble};

/// Hands on the messages of a store in a file.
pub(super) fn read_file(path: &Path, max_file: u64, sink: &mut Sink<'_>) -> ControlFlow<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return sink(trouble(path, &error)),
    };
    let mut fetch = |at: u64, len: usize| {
        let mut data = vec![0; len];
        file.read_exact_at(&mut data, at).ok()?;
        Some(data)
    };
    read(&text::path_lossless(path), &mut fetch, max_file, sink)
}

/// Hands on the messages of a store in memory.
pub(super) fn read_bytes(
    name: &str,
    data: &Bytes,
    max_file: u64,
    sink: &mut Sink<'_>,
) -> ControlFlow<()> {
    let mut fetch =
        |at: u64, len: usize| crate::bytes::slice(data, index(at), len).map(<[u8]>::to_vec);
    read(name, &mut fetch, max_file, sink)
}

fn read(name: &str, fetch: &mut Fetch<'_>, max_file: u64, sink: &mut Sink<'_>) -> ControlFlow<()> {
    let trouble = |reference: &str, what: &str| {
        Piece::Trouble(Unreadable {
            path: text::safe(reference),
            reason: text::safe(what),
        })
    };
    let deadline = Cell::new(Instant::now().checked_add(OPENING));
    let is_over = || deadline.get().is_some_and(|end| Instant::now() >= end);
    let mut timed = |at: u64, len: usize| if is_over() { None } else { fetch(at, len) };
    let mut store = match Store::open(&mut timed) {
        Ok(store) => store,
        Err(why) => return sink(trouble(name, &why)),
    };
    if store.damaged {
        let what = "parts of the tree of its nodes cannot be read: messages may be missing";
        sink(trouble(name, what))?;
    }
    let places = store.places();
    if is_over() {
        sink(trouble(name, "its folders could not be read in time"))?;
    }
    for Place { id, folder, number } in places {
        deadline.set(Instant::now().checked_add(MESSAGE));
        let reference = format!("{name}:{folder}#{number}");
        let message = match store.message(id, index(max_file)) {
            Ok(message) => message,
            Err(why) => {
                sink(trouble(&reference, &why))?;
                continue;
            }
        };
        let facts = message.unread.iter().map(|why| Fact::Unread {
            at: None,
            what: text::excerpt(why),
        });
        let mut input = Input {
            facts: facts.collect(),
            data: letter(&message).into(),
            path: reference.clone(),
            ..Input::default()
        };
        input.context.given = Some(Kind::Eml);
        sink(Piece::Message(input))?;
        if !message.unread.is_empty() {
            sink(trouble(&reference, &message.unread.join("; ")))?;
        }
    }
    ControlFlow::Continue(())
}
