//! Binary Word documents ([MS-DOC]): the text of all stories through the piece table, its fields, and the name of the
//! attached template.
//!
//! The stories stand one behind the other in one text (2.3), so that one walk over the marks 0x13, 0x14, 0x15 of that
//! text (2.8.25) sees the fields of all of them; PlcFld only repeats where they are. Where the piece table is not to be
//! read, and in files before Word 97, the marks are looked for in the stream as it stands.

use super::fields::{Field, Fields};
use crate::bytes::{Reader, index, slice, u16_at, u32_at};
use crate::limits::{Budget, Halt};

/// `wIdent` of a FIB (2.5.2).
const IDENT: u16 = 0xa5ec;

/// First `nFib` of Word 97 (2.5.1): before it the FIB is laid out in another way.
const WORD_97: u16 = 0x00c1;

/// Places of SttbfAssoc and Clx among the pairs of FibRgFcLcb97 (2.5.6).
const STTBF_ASSOC: usize = 32;
const CLX: usize = 33;

/// Place of the attached template in SttbfAssoc (2.9.271, ibstAssocDot).
const ASSOC_DOT: usize = 1;

/// What a document names outside of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outside {
    /// Fields; their offsets count characters of the whole text.
    pub fields: Vec<Field>,
    /// The attached template as it stands, where there is one.
    pub template: Option<String>,
    /// Whether the text was read without its piece table.
    pub without_pieces: bool,
    /// Whether values of nested fields were left out.
    pub cut: bool,
}

/// Which stream a document's table is, by its FIB (2.5.2, fWhichTblStm); `None` where it is no Word 97 document.
pub fn table_name(document: &[u8]) -> Option<&'static str> {
    let flags = u16_at(document, 10)?;
    is_97(document).then_some(if flags & 0x0200 != 0 {
        "1Table"
    } else {
        "0Table"
    })
}

fn is_97(document: &[u8]) -> bool {
    u16_at(document, 0) == Some(IDENT)
        && u16_at(document, 2).is_some_and(|version| version >= WORD_97)
}

/// Reads a `WordDocument` stream with its table stream, which is empty where there is none. Of an encrypted document
/// nothing is read: that it is locked is told elsewhere.
pub fn outside(document: &[u8], table: &[u8], budget: &Budget) -> Result<Outside, Halt> {
    let mut outside = Outside::default();
    // Behind a lock there is neither text nor a table to read (2.5.2, fEncrypted).
    if is_97(document) && u16_at(document, 10).is_some_and(|flags| flags & 0x0100 != 0) {
        return Ok(outside);
    }
    if is_97(document) {
        outside.template = structure(document, table, STTBF_ASSOC).and_then(template);
    }
    // Without a single mark there is no field, whatever else is there.
    if memchr::memchr(0x13, document).is_none() {
        return Ok(outside);
    }
    let mut fields = Marked::default();
    let pieces = is_97(document)
        .then(|| structure(document, table, CLX))
        .flatten()
        .and_then(pieces)
        .filter(|pieces| !pieces.is_empty());
    match pieces {
        Some(pieces) => {
            for piece in pieces {
                budget.tick()?;
                fields.piece(&piece, document, budget)?;
            }
        }
        None => {
            outside.without_pieces = is_97(document);
            fields.bytes(document, budget)?;
            fields.end_all();
            if is_97(document) {
                fields.wide(document, budget)?;
            }
        }
    }
    fields.end_all();
    outside.fields = fields.done;
    outside.cut = fields.cut;
    Ok(outside)
}

/// Where in the document stream a pair of FibRgFcLcb97 stands (2.5.1, 2.5.6).
pub fn pair_at(document: &[u8], place: usize) -> Option<usize> {
    let mut fib = Reader::at(document, 32);
    let csw = fib.u16("csw").ok()?;
    fib.skip("fibRgW", usize::from(csw).checked_mul(2)?).ok()?;
    let cslw = fib.u16("cslw").ok()?;
    fib.skip("fibRgLw", usize::from(cslw).checked_mul(4)?)
        .ok()?;
    let pairs = fib.u16("cbRgFcLcb").ok()?;
    if usize::from(pairs) <= place {
        return None;
    }
    fib.skip("fibRgFcLcb", place.checked_mul(8)?).ok()?;
    Some(fib.offset())
}

/// The bytes of the table stream that a pair of FibRgFcLcb97 names.
fn structure<'t>(document: &[u8], table: &'t [u8], place: usize) -> Option<&'t [u8]> {
    let mut fib = Reader::at(document, pair_at(document, place)?);
    let (fc, lcb) = (fib.u32("fc").ok()?, fib.u32("lcb").ok()?);
    let rest = table.get(index(fc)..)?;
    // A length that goes too far is cut: what is there is read.
    let found = rest.get(..index(lcb).min(rest.len()))?;
    (!found.is_empty()).then_some(found)
}

/// The attached template's name from SttbfAssoc (2.9.271), an STTB (2.2.4) of extended characters.
fn template(table: &[u8]) -> Option<String> {
    let mut reader = Reader::new(table);
    let extended = reader.u16("fExtend").ok()? == 0xffff;
    let count = reader.u16("cData").ok()?;
    let extra = reader.u16("cbExtra").ok()?;
    for at in 0..count {
        let units = usize::from(reader.u16("cchData").ok()?);
        let bytes = reader
            .take("Data", units.checked_mul(if extended { 2 } else { 1 })?)
            .ok()?;
        reader.skip("ExtraData", usize::from(extra)).ok()?;
        if usize::from(at) == ASSOC_DOT {
            let name = if extended {
                utf16(bytes)
            } else {
                bytes.iter().map(|byte| char::from(*byte)).collect()
            };
            let name = name.trim_matches('\0').trim().to_owned();
            return (!name.is_empty()).then_some(name);
        }
    }
    None
}

/// A unit of the text of all stories (2.3), and where it stands in the document stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Offset of its first byte.
    pub at: usize,
    /// Bytes that it takes: one or two.
    pub width: usize,
    /// Its value, in Windows-1252 or UTF-16.
    pub value: u16,
}

impl Unit {
    /// The character that it is; halves of pairs are replaced.
    pub fn character(self) -> char {
        match u8::try_from(self.value) {
            Ok(byte) if self.width == 1 => western(byte),
            _ => char::from_u32(self.value.into()).unwrap_or(char::REPLACEMENT_CHARACTER),
        }
    }
}

/// The text of all stories unit by unit: by the piece table, before Word 97 as the stream stands. `None` where the
/// piece table is not to be read; fails where pieces share their text again and again.
pub fn units(document: &[u8], table: &[u8], budget: &Budget) -> Result<Option<Vec<Unit>>, Halt> {
    let pieces = if is_97(document) {
        match structure(document, table, CLX).and_then(pieces) {
            Some(pieces) if !pieces.is_empty() => pieces,
            _ => return Ok(None),
        }
    } else {
        vec![Piece {
            at: 0,
            characters: document.len(),
            compressed: true,
        }]
    };
    let mut units = Vec::new();
    for piece in pieces {
        let width = if piece.compressed { 1 } else { 2 };
        let rest = document.get(piece.at..).unwrap_or_default();
        let length = piece.characters.saturating_mul(width).min(rest.len());
        if units.len().saturating_add(length / width) > document.len().saturating_mul(2) {
            return Err(Halt::Ceiling("pieces of a document share their text"));
        }
        for (at, bytes) in rest
            .get(..length)
            .unwrap_or_default()
            .chunks_exact(width)
            .enumerate()
        {
            budget.tick()?;
            let value = match bytes {
                [low, high] => u16::from_le_bytes([*low, *high]),
                _ => bytes.first().copied().unwrap_or_default().into(),
            };
            units.push(Unit {
                at: piece.at.saturating_add(at.saturating_mul(width)),
                width,
                value,
            });
        }
    }
    Ok(Some(units))
}

fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).filter_map(|pair| u16_at(pair, 0));
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// A run of text in the document stream.
#[derive(Debug)]
struct Piece {
    at: usize,
    characters: usize,
    compressed: bool,
}

/// The pieces of a Clx (2.9.38): property changes are passed over, the piece table behind them is read (2.8.35).
fn pieces(clx: &[u8]) -> Option<Vec<Piece>> {
    let mut reader = Reader::new(clx);
    loop {
        match reader.u8("clxt").ok()? {
            1 => {
                let length = reader.u16("cbGrpprl").ok()?;
                reader.skip("GrpPrl", usize::from(length)).ok()?;
            }
            2 => break,
            _ => return None,
        }
    }
    let length = index(reader.u32("lcb").ok()?);
    let plc = reader.peek();
    let plc = plc.get(..length.min(plc.len()))?;
    let count = plc.len().checked_sub(4)? / 12;
    let positions = count.checked_add(1)?.checked_mul(4)?;
    let mut pieces = Vec::with_capacity(count);
    for at in 0..count {
        let start = u32_at(plc, at.checked_mul(4)?)?;
        let end = u32_at(plc, at.checked_add(1)?.checked_mul(4)?)?;
        let descriptor = slice(plc, positions.checked_add(at.checked_mul(8)?)?, 8)?;
        // FcCompressed (2.9.73): one byte a character, at half the offset.
        let fc = u32_at(descriptor, 2)?;
        let compressed = fc & 0x4000_0000 != 0;
        let place = index(fc & 0x3fff_ffff);
        pieces.push(Piece {
            at: if compressed { place / 2 } else { place },
            characters: index(end.saturating_sub(start)),
            compressed,
        });
    }
    Some(pieces)
}

/// Fields by the marks in a text.
#[derive(Debug, Default)]
struct Marked {
    fields: Fields,
    at: usize,
    plain: String,
    /// Bytes of pieces read: they may name the same text again and again.
    taken: usize,
    done: Vec<Field>,
    cut: bool,
}

impl Marked {
    fn piece(&mut self, piece: &Piece, document: &[u8], budget: &Budget) -> Result<(), Halt> {
        let width = if piece.compressed { 1 } else { 2 };
        let rest = document.get(piece.at..).unwrap_or_default();
        let length = piece.characters.saturating_mul(width).min(rest.len());
        let bytes = rest.get(..length).unwrap_or_default();
        self.taken = self.taken.saturating_add(length);
        if self.taken > document.len().saturating_mul(4) {
            return Err(Halt::Ceiling("pieces of a document share their text"));
        }
        if piece.compressed {
            self.bytes(bytes, budget)
        } else {
            self.wide(bytes, budget)
        }
    }

    /// Eight-bit text: Windows-1252 (2.9.73).
    fn bytes(&mut self, bytes: &[u8], budget: &Budget) -> Result<(), Halt> {
        let mut rest = bytes;
        // Between fields there is nothing to see but the next mark.
        while let Some((&byte, behind)) = rest.split_first() {
            if !self.fields.is_open() {
                budget.tick()?;
                let Some(skip) = memchr::memchr(0x13, rest) else {
                    self.at = self.at.saturating_add(rest.len());
                    return Ok(());
                };
                if skip > 0 {
                    self.at = self.at.saturating_add(skip);
                    rest = rest.get(skip..).unwrap_or_default();
                    continue;
                }
            }
            self.character(western(byte));
            rest = behind;
        }
        Ok(())
    }

    /// Text in UTF-16.
    fn wide(&mut self, bytes: &[u8], budget: &Budget) -> Result<(), Halt> {
        let units = bytes.chunks_exact(2).filter_map(|pair| u16_at(pair, 0));
        for c in char::decode_utf16(units) {
            budget.tick()?;
            self.character(c.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        Ok(())
    }

    fn character(&mut self, c: char) {
        match c {
            '\u{13}' => {
                self.flush();
                self.fields.begin(self.at);
            }
            '\u{14}' => {
                self.flush();
                self.fields.separate();
            }
            '\u{15}' => {
                self.flush();
                self.fields.end();
            }
            c if self.fields.is_open() => self.plain.push(c),
            _ => {}
        }
        self.at = self.at.saturating_add(1);
    }

    fn flush(&mut self) {
        self.fields.text(&self.plain);
        self.plain.clear();
    }

    /// Ends what is open: what follows is another reading of the text.
    fn end_all(&mut self) {
        self.flush();
        let (mut done, cut) = std::mem::take(&mut self.fields).finish();
        self.done.append(&mut done);
        self.cut |= cut;
    }
}

fn western(byte: u8) -> char {
    if byte < 0x80 {
        return char::from(byte);
    }
    let text = encoding_rs::WINDOWS_1252
        .decode_without_bom_handling(std::slice::from_ref(&byte))
        .0;
    text.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    const CODE: &str =
        "Text \u{13}DDEAUTO \u{13}QUOTE 99 109 100\u{14}\u{15} \"/c calc\"\u{14}old\u{15} more";

    /// A FIB, then the text in two pieces: eight bits, then sixteen.
    fn document(clx: bool) -> (Vec<u8>, Vec<u8>) {
        let mut fib = vec![0; 1024];
        fib[..4].copy_from_slice(&[0xec, 0xa5, 0xc1, 0]);
        fib[32] = 14;
        fib[62] = 22;
        fib[152] = 93;
        let (first, second) = CODE.split_at(12);
        fib.extend_from_slice(first.as_bytes());
        let wide = u32::try_from(fib.len()).unwrap();
        fib.extend(second.encode_utf16().flat_map(u16::to_le_bytes));
        let mut assoc = vec![0xff, 0xff, 2, 0, 0, 0, 0, 0, 3, 0];
        assoc.extend(r"\\h".encode_utf16().flat_map(u16::to_le_bytes));
        let mut table = assoc.clone();
        table.extend_from_slice(&[1, 2, 0, 9, 9, 2, 28, 0, 0, 0]);
        let ends = [0, 12, u32::try_from(CODE.len()).unwrap()];
        ends.iter()
            .for_each(|end| table.extend_from_slice(&end.to_le_bytes()));
        for fc in [(1024 * 2) | 0x4000_0000, wide] {
            table.extend_from_slice(&[0, 0]);
            table.extend_from_slice(&u32::to_le_bytes(fc));
            table.extend_from_slice(&[0, 0]);
        }
        let mut pair = |place: usize, fc: usize, lcb: usize| {
            let at = 154 + place * 8;
            fib[at..at + 4].copy_from_slice(&u32::try_from(fc).unwrap().to_le_bytes());
            fib[at + 4..at + 8].copy_from_slice(&u32::try_from(lcb).unwrap().to_le_bytes());
        };
        pair(STTBF_ASSOC, 0, assoc.len());
        if clx {
            pair(CLX, assoc.len(), table.len() - assoc.len());
        }
        (fib, table)
    }

    fn read(document: &[u8], table: &[u8]) -> Outside {
        outside(document, table, &Budget::new(Limits::default(), None)).unwrap()
    }

    #[test]
    fn fields_are_read_through_pieces_of_both_widths_and_the_template_is_named() {
        let (document, table) = document(true);
        assert_eq!(table_name(&document), Some("0Table"));
        let outside = read(&document, &table);
        assert_eq!(outside.template.as_deref(), Some(r"\\h"));
        assert_eq!(outside.fields.len(), 1);
        assert_eq!(outside.fields[0].arguments, ["cmd", "/c calc"]);
        assert!(!outside.without_pieces);
    }

    #[test]
    fn an_encrypted_document_is_not_guessed_at() {
        let (mut document, table) = document(true);
        document[11] = 1;
        assert_eq!(read(&document, &table), Outside::default());
    }

    #[test]
    fn without_a_piece_table_the_marks_are_found_in_the_stream() {
        let (mut document, table) = document(false);
        document.extend_from_slice(b"\x13 DDE cmd \"/c x\" \x15");
        let outside = read(&document, &table);
        assert!(outside.without_pieces);
        assert!(
            outside
                .fields
                .iter()
                .any(|field| field.arguments == ["cmd", "/c x"]),
            "{outside:?}"
        );
        document[2] = 0x65;
        let older = read(&document, &[]);
        assert!(!older.without_pieces);
        assert_eq!(older.template, None);
        assert!(older.fields.iter().any(|field| field.keyword == "dde"));
    }
}
