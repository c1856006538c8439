//! Compiled HTML help: every file; the compressed section is decoded once, its files are slices of it.

use std::io::Read;
use std::ops::Range;

use bytes::Bytes;

use crate::bytes::{index, length};
use crate::formats::chm::{self, BLOCK, Compressed, File};
use crate::formats::lzx;
use crate::limits::Halt;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// How many times the bytes of the sections their files may claim: above it they share bytes, as only bombs do.
const OVERLAP: u64 = 4;

/// First bytes of a help file.
const MARK: &[u8] = b"ITSF";

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    // Behind a few other bytes: all offsets count from its own start.
    if !data.starts_with(MARK)
        && let Some(at) = memchr::memmem::find(data, MARK)
    {
        let range = at..data.len();
        let child = Child::new("appended", data.slice(range.clone()));
        return nest.push(child.at(range)).map(|_| ());
    }
    let help = chm::read(data, nest.budget())?.map_err(Trouble::Broken)?;
    for cut in help.cut.iter().take(16) {
        nest.unread(cut.at, format!("directory: {}", cut.what));
    }
    let files = || {
        let listed = help.files.iter();
        listed.filter(|file| file.size > 0 && !file.name.starts_with(chm::INTERNAL))
    };
    let needed = files()
        .filter(|file| file.section == 1)
        .map(|file| file.offset.saturating_add(file.size))
        .max();
    let mut section = Section::default();
    let mut ended = None;
    if let Some(needed) = needed {
        match help.compressed(data) {
            Ok(compressed) => {
                let decoded = section.decode(data, &compressed, needed, nest);
                ended = decoded.map(Trouble::from);
            }
            Err(what) => nest.unread(help.content, what),
        }
    }
    let bytes = length(data.len()).saturating_add(length(section.content.len()));
    let mut claimed = 0u64;
    for file in files() {
        nest.tick()?;
        claimed = claimed.saturating_add(file.size);
        if claimed > bytes.saturating_mul(OVERLAP).saturating_add(1 << 20) {
            return Err(Trouble::TooMuch(Halt::Ceiling("files share their data")));
        }
        push(data, help.plain(data, file), file, &section, nest)?;
    }
    match ended {
        Some(trouble @ Trouble::TooMuch(_)) => Err(trouble),
        _ => Ok(()),
    }
}

fn push(
    data: &Bytes,
    plain: Range<usize>,
    file: &File<'_>,
    section: &Section,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let name = file.name.strip_prefix(b"/").unwrap_or(file.name);
    let name = Name::of(String::from_utf8_lossy(name));
    let label = text::excerpt(&name.text);
    let (child, found) = match file.section {
        0 => {
            let found = plain.len();
            let child = Child::new("chm-member", data.slice(plain.clone()));
            (child.at(plain), found)
        }
        1 => {
            let start = index(file.offset);
            let wanted = start..start.saturating_add(index(file.size));
            if section.misses(&wanted) {
                nest.unread(0, format!("{label}: lies in a damaged block"));
            }
            let end = wanted.end.min(section.content.len());
            let bytes = section.content.slice(start.min(end)..end);
            let found = bytes.len();
            (Child::new("chm-member", Payload::Paid(bytes)), found)
        }
        other => {
            nest.unread(0, format!("{label}: lies in section {other}"));
            return Ok(());
        }
    };
    let missing = file.size.saturating_sub(length(found));
    if missing > 0 {
        nest.unread(0, format!("{label}: {missing} bytes are missing"));
    }
    if found > 0 {
        nest.push(child.named(name))?;
    }
    Ok(())
}

/// The compressed section, decoded.
#[derive(Default)]
struct Section {
    content: Bytes,
    /// What could not be decoded and is zero there, in order.
    lost: Vec<Range<usize>>,
}

impl Section {
    /// Whether some of it could not be decoded.
    fn misses(&self, wanted: &Range<usize>) -> bool {
        let first = self.lost.partition_point(|lost| lost.end <= wanted.start);
        let next = self.lost.get(first);
        next.is_some_and(|lost| lost.start < wanted.end)
    }

    fn decode(
        &mut self,
        data: &Bytes,
        compressed: &Compressed,
        needed: u64,
        nest: &mut Nest<'_>,
    ) -> Option<crate::limits::Fault> {
        let Some(decoder) = lzx::Decoder::new(compressed.window) else {
            let what = format!("LZX window of {} bytes", compressed.window);
            nest.unread(compressed.stream.start, what);
            return None;
        };
        let stream = data.get(compressed.stream.clone()).unwrap_or_default();
        let mut blocks = Blocks {
            stream,
            compressed,
            decoder,
            next: 0,
            skipping: false,
            waiting: Vec::new(),
            given: 0,
            lost: Vec::new(),
        };
        let decoded = nest.read(&mut blocks.by_ref().take(needed), stream.len(), needed);
        self.lost = blocks.lost;
        self.content = decoded.data.into();
        decoded.fault
    }
}

/// The blocks of the compressed section as one stream; a damaged one is zero up to the next reset.
struct Blocks<'a> {
    stream: &'a [u8],
    compressed: &'a Compressed,
    decoder: lzx::Decoder,
    next: usize,
    skipping: bool,
    waiting: Vec<u8>,
    given: usize,
    lost: Vec<Range<usize>>,
}

impl Blocks<'_> {
    /// Decodes the next block; none is left: nothing waits.
    fn fill(&mut self) {
        self.given = 0;
        self.waiting.clear();
        let number = self.next;
        let start = number.saturating_mul(BLOCK);
        let left = self.compressed.size.saturating_sub(length(start));
        let size = index(left).min(BLOCK);
        let Some(&from) = self.compressed.blocks.get(number) else {
            return;
        };
        if size == 0 {
            return;
        }
        self.next = number.saturating_add(1);
        if number.checked_rem(self.compressed.reset) == Some(0) {
            self.decoder.reset();
            self.skipping = false;
        }
        let to = self.compressed.blocks.get(self.next).copied();
        let block = self.stream.get(from..to.unwrap_or(self.stream.len()));
        let block = block.filter(|block| !self.skipping && !block.is_empty());
        let decoded = block.and_then(|block| match size {
            BLOCK => self.decoder.block(block, size).ok(),
            _ => self.decoder.last_block(block, size).ok(),
        });
        match decoded {
            Some(decoded) if decoded.len() == size => self.waiting.extend_from_slice(decoded),
            _ => {
                self.skipping = true;
                let end = start.saturating_add(size);
                match self.lost.last_mut() {
                    Some(last) if last.end == start => last.end = end,
                    _ => self.lost.push(start..end),
                }
                self.waiting.resize(size, 0);
            }
        }
    }
}

impl Read for Blocks<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.given >= self.waiting.len() {
            self.fill();
        }
        let ready = self.waiting.get(self.given..).unwrap_or_default();
        let len = ready.len().min(out.len());
        if let (Some(out), Some(ready)) = (out.get_mut(..len), ready.get(..len)) {
            out.copy_from_slice(ready);
        }
        self.given = self.given.saturating_add(len);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use crate::formats::chm::tests::help;
    use crate::model::Fact;

    #[test]
    fn files_are_children_and_what_is_missing_is_told() {
        let mut data = help(&[
            ("/a.htm", b"<html><p>hello</p></html>"),
            ("/b.txt", b"hello"),
        ]);
        let (children, facts) = opened("chm", &data);
        let names: Vec<_> = children.iter().map(|child| child.label()).collect();
        assert_eq!(names, ["a.htm", "b.txt"]);
        assert_eq!(&children[1].data[..], b"hello");
        assert!(facts.is_empty());
        data.truncate(data.len() - 3);
        let (children, facts) = opened("chm", &data);
        assert_eq!(&children[1].data[..], b"he");
        assert!(
            facts
                .iter()
                .any(|fact| matches!(fact, Fact::Unread { what, .. } if what == "b.txt: 3 bytes are missing")),
            "{facts:?}"
        );
    }

    #[test]
    fn files_of_a_section_that_nothing_describes_are_told() {
        let mut data = help(&[("/a.htm", b"<p>")]);
        let at = memchr::memmem::find(&data, b"/a.htm").unwrap();
        // Section 1.
        data[at + 8] = 1;
        let (children, facts) = opened("chm", &data);
        assert!(children.is_empty());
        assert!(facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })));
    }
}
