//! ar archives (ar(5)): GNU, BSD and the one of Debian packages.

use std::ops::Range;

use crate::bytes::{Reader, Short};

/// Magic of the archive.
pub const MAGIC: &[u8] = b"!<arch>\n";

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, raw; a long one is taken from the table of names.
    pub name: Vec<u8>,
    /// The range of its data, which may lie beyond the end.
    pub data: Range<usize>,
    /// First byte behind it and its padding.
    pub end: usize,
    /// Whether it is a table of the archive's own.
    pub is_table: bool,
}

/// Reads members one behind the other.
#[derive(Debug)]
pub struct Members<'a> {
    data: &'a [u8],
    at: usize,
    names: Range<usize>,
}

impl<'a> Members<'a> {
    /// The members of an archive.
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: MAGIC.len(),
            names: 0..0,
        }
    }

    /// The next member; none at the end.
    ///
    /// # Errors
    /// The header does not fit, or its length is no number.
    pub fn next_member(&mut self) -> Result<Option<Member>, Short> {
        if self.at >= self.data.len() {
            return Ok(None);
        }
        let mut reader = Reader::at(self.data, self.at);
        let name = reader.take("name of a member", 16)?.trim_ascii_end();
        reader.skip("date, owner, group, mode", 32)?;
        let at = reader.offset();
        let size = reader.take("size of a member", 10)?;
        reader.skip("end of a header", 2)?;
        let size: usize = number(size).ok_or(Short {
            field: "size of a member",
            expected: 10,
            found: 0,
            offset: at,
        })?;
        let mut start = reader.offset();
        let end = start.saturating_add(size);
        let mut own = name.to_vec();
        let is_table = matches!(name, b"/" | b"//" | b"/SYM64/") || name.starts_with(b"__.SYMDEF");
        if name == b"//" {
            self.names = start..end.min(self.data.len());
        } else if let Some(len) = name.strip_prefix(b"#1/").and_then(number) {
            own = reader.take("name of a member", len)?.to_vec();
            own.truncate(memchr::memchr(0, &own).unwrap_or(own.len()));
            start = start.saturating_add(len).min(end);
        } else if let Some(at) = name.strip_prefix(b"/").and_then(number) {
            own = self.long_name(at);
        } else if let Some(bare) = name.strip_suffix(b"/").filter(|_| !is_table) {
            own = bare.to_vec();
        }
        self.at = end.saturating_add(end & 1);
        Ok(Some(Member {
            name: own,
            data: start..end,
            end: self.at,
            is_table,
        }))
    }

    fn long_name(&self, at: usize) -> Vec<u8> {
        let table = self.data.get(self.names.clone()).unwrap_or_default();
        let rest = table.get(at..).unwrap_or_default();
        let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let name = rest.get(..len).unwrap_or_default();
        name.strip_suffix(b"/").unwrap_or(name).to_vec()
    }
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}
