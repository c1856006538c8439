//! The table of shared strings ([MS-XLS] 2.4.265) and the texts of records (2.5.240, 2.5.293).

use super::Records;
use crate::bytes::{Reader, Short};
use crate::formats::xlm::{Biff, unicode};

/// The table of shared strings; texts are looked up one by one, since macros use few.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared {
    texts: Vec<String>,
}

/// Texts that are kept, and their characters together.
const TEXTS: usize = 500_000;
const CHARACTERS: usize = 16 << 20;

impl Shared {
    /// Reads the table whose record is at an offset.
    pub(super) fn of(stream: &[u8], at: Option<usize>) -> Self {
        let mut shared = Self::default();
        let Some(at) = at else { return shared };
        let mut records = Records::at(stream, at);
        let Some(first) = records.next() else {
            return shared;
        };
        let mut parts = vec![first.body];
        parts.extend(
            records
                .take_while(|record| record.id == 0x003c)
                .map(|record| record.body),
        );
        let mut table = Parts {
            parts,
            part: 0,
            reader: Reader::new(first.body),
        };
        if table.reader.skip("counts", 8).is_err() {
            return shared;
        }
        let mut characters = 0usize;
        // Ends because every text takes at least three bytes.
        while let Ok(text) = table.text() {
            characters = characters.saturating_add(text.len());
            if characters > CHARACTERS || shared.texts.len() >= TEXTS {
                break;
            }
            shared.texts.push(text);
        }
        shared
    }

    pub(super) fn get(&self, at: usize) -> Option<&str> {
        self.texts.get(at).map(String::as_str)
    }
}

/// A record and those that continue it.
struct Parts<'a> {
    parts: Vec<&'a [u8]>,
    part: usize,
    reader: Reader<'a>,
}

impl Parts<'_> {
    /// Goes on to the next part where this one is at its end.
    fn turn(&mut self) -> Result<bool, Short> {
        if !self.reader.is_empty() {
            return Ok(false);
        }
        self.part = self.part.saturating_add(1);
        let next = self.parts.get(self.part).copied();
        self.reader = Reader::new(next.unwrap_or_default());
        if next.is_none() {
            self.reader.take("continued record", 1)?;
        }
        Ok(true)
    }

    /// Passes over bytes that may go on in the next part.
    fn skip(&mut self, mut len: usize) -> Result<(), Short> {
        // Ends because every turn takes bytes or a part.
        while len > 0 {
            self.turn()?;
            let here = len.min(self.reader.remaining());
            self.reader.skip("string tail", here)?;
            len = len.saturating_sub(here);
        }
        Ok(())
    }

    /// XLUnicodeRichExtendedString (2.5.293); characters may go on in the next part behind flags of their own.
    fn text(&mut self) -> Result<String, Short> {
        self.turn()?;
        let mut left = usize::from(self.reader.u16("text length")?);
        let flags = self.reader.u8("text flags")?;
        let runs = if flags & 8 != 0 {
            usize::from(self.reader.u16("runs")?)
        } else {
            0
        };
        let phonetic = if flags & 4 != 0 {
            super::position(self.reader.u32("phonetic size")?)
        } else {
            0
        };
        let mut wide = flags & 1 != 0;
        let mut text = String::new();
        // Ends because every turn takes characters or a part.
        while left > 0 {
            if self.turn()? {
                wide = self.reader.u8("text flags")? & 1 != 0;
            }
            let width = if wide { 2 } else { 1 };
            let here = left.min(self.reader.remaining() / width);
            text.push_str(&unicode(
                self.reader.take("text", here.saturating_mul(width))?,
                wide,
            ));
            left = left.saturating_sub(here);
            if here == 0 {
                self.reader.rest();
            }
        }
        self.skip(runs.saturating_mul(4).saturating_add(phonetic))?;
        Ok(text)
    }
}

/// Characters of a text whose length is known: behind flags in BIFF8, in the code page in BIFF5.
pub(super) fn characters(reader: &mut Reader<'_>, len: usize, biff: Biff) -> Result<String, Short> {
    match biff {
        Biff::Five(page) => Ok(crate::text::decode(
            format!("windows-{page}").as_bytes(),
            reader.take("text", len)?,
        )),
        Biff::Eight | Biff::Twelve => {
            let wide = reader.u8("text flags")? & 1 != 0;
            let size = if wide { len.saturating_mul(2) } else { len };
            // A text that is cut is what is there of it.
            let bytes = match reader.take("text", size) {
                Ok(bytes) => bytes,
                Err(_) => reader.rest(),
            };
            Ok(unicode(bytes, wide))
        }
    }
}

/// A text behind a length of one byte.
pub(super) fn short(reader: &mut Reader<'_>, biff: Biff) -> Result<String, Short> {
    let len = usize::from(reader.u8("text length")?);
    characters(reader, len, biff)
}

/// A text behind a length of two bytes.
pub(super) fn long(reader: &mut Reader<'_>, biff: Biff) -> Result<String, Short> {
    let len = usize::from(reader.u16("text length")?);
    characters(reader, len, biff)
}
