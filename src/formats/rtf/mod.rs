//! Rich text (RTF 1.9.1), read as Word reads it: the objects, fields and outside template in it. Text is not kept.
//!
//! Word takes hexadecimal digits of object data wherever they stand: between blanks, junk, control words and groups
//! of their own, and beside `\bin`. What reads differently by another plausible rule is kept as a second reading.

mod hexdata;
mod tokens;

use std::collections::BTreeSet;

use super::fields::{Field, Fields};
use crate::limits::{Budget, Halt};

pub use hexdata::{HexData, Noise};
pub use tokens::{Lower, Token, Tokens};

/// Groups within groups that are told apart; deeper ones belong to the last of them.
const DEEPEST: usize = 4096;

/// Objects and fields that are kept, each.
const KEPT: usize = 4096;

/// Text of a field, class or template that is kept, in bytes.
const LONGEST: usize = 64 * 1024;

/// An object as the text holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// Offset of its data, or of the object where it has none.
    pub at: usize,
    /// `\objclass` as written.
    pub class: Vec<u8>,
    /// What `\objdata` gives.
    pub data: HexData,
    /// Whether it is brought up to date, and so run, when the document is opened (`\objupdate`).
    pub update: bool,
    /// Whether it is a link (`\objlink`, `\objautlink`).
    pub link: bool,
    /// Whether it is a control (`\objocx`).
    pub control: bool,
}

/// What is of interest in a rich text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rtf {
    /// Objects in the order of their data.
    pub objects: Vec<Object>,
    /// Data stored beside the text (`\datastore`): offset and bytes.
    pub stored: Vec<(usize, Vec<u8>)>,
    /// Fields that name something outside, in the order of their ends.
    pub fields: Vec<Field>,
    /// Templates (`\*\template`): offset and text.
    pub templates: Vec<(usize, Vec<u8>)>,
    /// Pictures of shapes by their places (`\sn pibName`): offset and text.
    pub pictures: Vec<(usize, Vec<u8>)>,
    /// Whether the header is one that Word takes and no program writes.
    pub odd_header: bool,
    /// Whether there was more than is kept.
    pub more: bool,
}

/// What a group is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    Text,
    Object,
    ObjectData,
    ObjectClass,
    DataStore,
    Template,
    /// Name of a property of a shape (`\sn`), and its value (`\sv`).
    PropertyName,
    PropertyValue,
    Field,
    Instruction,
    Result,
    /// A destination that Word does not show and whose text is nobody's.
    Ignored,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    destination: Destination,
    /// Whether this group opened the destination, so that it ends with it.
    opened: bool,
    /// Bytes of fallback text behind `\u` (`\ucN`).
    fallback: usize,
    /// Whether its text is none of what is around it: a destination of its own, or deleted.
    aside: bool,
}

/// Properties of shapes whose values are places of pictures ([MS-ODRAW] 2.3.23.7 and others).
const PICTURES: &[&[u8]] = &[b"pibName", b"fillBlipName", b"lineFillBlipName"];

/// Words that turn a group to a text of its own, which is none of a field's or of an object's (RTF 1.9.1).
const ASIDE: &[&[u8]] = &[
    b"annotation",
    b"atnauthor",
    b"atnid",
    b"atrfend",
    b"atrfstart",
    b"author",
    b"bkmkend",
    b"bkmkstart",
    b"blipuid",
    b"category",
    b"colortbl",
    b"comment",
    b"company",
    b"datafield",
    b"doccomm",
    b"docvar",
    b"footer",
    b"footnote",
    b"fonttbl",
    b"header",
    b"info",
    b"keywords",
    b"listtext",
    b"manager",
    b"nonshppict",
    b"operator",
    b"pict",
    b"pntext",
    b"rxe",
    b"shppict",
    b"shptxt",
    b"stylesheet",
    b"subject",
    b"tc",
    b"title",
    b"txe",
    b"xe",
];

/// Reads a text. Linear in its length.
pub fn read(data: &[u8], budget: &Budget) -> Result<Rtf, Halt> {
    let start = memchr::memchr(b'{', data).unwrap_or(0);
    let mut reader = Reader::default();
    reader.rtf.odd_header = odd_header(data.get(start..).unwrap_or_default());
    for (at, token) in Tokens::new(data, start) {
        budget.tick()?;
        reader.at = at;
        reader.token(at, token);
    }
    reader.end();
    Ok(reader.rtf)
}

/// Every program writes `{\rtf` and a digit; Word needs the first four characters only.
fn odd_header(text: &[u8]) -> bool {
    let behind = text.strip_prefix(b"{\\rtf").and_then(|rest| rest.first());
    !behind.is_some_and(|byte| {
        byte.is_ascii_digit() || matches!(byte, b'\\' | b' ' | b'\r' | b'\n' | b'{')
    })
}

#[derive(Default)]
struct Reader {
    rtf: Rtf,
    groups: Vec<Group>,
    /// Groups opened beyond [`DEEPEST`].
    beyond: usize,
    /// Whether `\*` came before the next control word.
    starred: bool,
    /// Objects whose groups are open, the innermost last.
    objects: Vec<Object>,
    data: Option<hexdata::Collector>,
    stored: Option<hexdata::Collector>,
    fields: Fields,
    /// The same without the text of groups that stand aside.
    plain_fields: Fields,
    /// Text of a field that is not handed on yet.
    run: Vec<u8>,
    /// Where it began.
    run_at: usize,
    /// Whether it is code and no result.
    run_is_code: bool,
    /// Whether it stands aside.
    run_is_aside: bool,
    /// Offset of the token at hand.
    at: usize,
    template: Option<(usize, Vec<u8>)>,
    /// The name of a shape's property, and the value behind it with its offset.
    property: Vec<u8>,
    value: Option<(usize, Vec<u8>)>,
    /// Bytes of fallback text to be passed over.
    skip: usize,
}

impl Reader {
    fn destination(&self) -> Destination {
        self.groups
            .last()
            .map_or(Destination::Text, |group| group.destination)
    }

    fn token(&mut self, at: usize, token: Token<'_>) {
        match token {
            Token::Open => self.open(),
            Token::Close => self.close(),
            Token::Word { name, number } => self.word(at, name, number),
            Token::Symbol(b'*') => self.starred = true,
            Token::Symbol(byte) => self.symbol(byte),
            Token::Code(code) => self.code(code),
            Token::Binary { data, claimed } => self.binary(data, claimed),
            Token::Text(text) => self.text(text),
        }
        if !matches!(token, Token::Symbol(b'*') | Token::Word { .. }) {
            self.starred = false;
        }
    }

    fn open(&mut self) {
        if self.groups.len() >= DEEPEST {
            self.beyond = self.beyond.saturating_add(1);
            return;
        }
        let inherited = self.groups.last().copied().unwrap_or(Group {
            destination: Destination::Text,
            opened: false,
            fallback: 1,
            aside: false,
        });
        self.groups.push(Group {
            opened: false,
            ..inherited
        });
        if let Some(data) = &mut self.data {
            data.note_group();
        }
    }

    fn close(&mut self) {
        if self.beyond > 0 {
            self.beyond = self.beyond.saturating_sub(1);
            return;
        }
        self.skip = 0;
        let Some(group) = self.groups.pop() else {
            return;
        };
        if group.opened {
            self.finish(group.destination);
        }
    }

    /// Ends what a destination collected.
    fn finish(&mut self, destination: Destination) {
        match destination {
            Destination::ObjectData => {
                let Some(data) = self.data.take() else { return };
                match self.objects.last_mut() {
                    Some(object) if object.data.is_empty() => {
                        object.at = data.at();
                        object.data = data.finish();
                    }
                    // A second one, or one outside of an object.
                    _ => {
                        let at = data.at();
                        self.keep_object(Object {
                            at,
                            data: data.finish(),
                            ..Object::default()
                        });
                    }
                }
            }
            Destination::Object => {
                if let Some(object) = self.objects.pop() {
                    self.keep_object(object);
                }
            }
            Destination::DataStore => {
                if let Some(data) = self.stored.take() {
                    let at = data.at();
                    self.rtf.stored.push((at, data.finish().bytes));
                }
            }
            Destination::Template => {
                if let Some(template) = self.template.take()
                    && self.rtf.templates.len() < KEPT
                {
                    self.rtf.templates.push(template);
                }
            }
            Destination::PropertyValue => {
                if let Some(value) = self.value.take()
                    && self.rtf.pictures.len() < KEPT
                {
                    self.rtf.pictures.push(value);
                }
            }
            Destination::Instruction | Destination::Result => self.hand_on(),
            Destination::Field => {
                self.hand_on();
                self.fields.end();
                self.plain_fields.end();
            }
            Destination::Text
            | Destination::ObjectClass
            | Destination::PropertyName
            | Destination::Ignored => {}
        }
    }

    fn keep_object(&mut self, object: Object) {
        if self.rtf.objects.len() < KEPT {
            self.rtf.objects.push(object);
        } else {
            self.rtf.more = true;
        }
    }

    /// Turns the group at hand to a destination.
    fn turn(&mut self, destination: Destination) {
        if self.groups.is_empty() || self.beyond > 0 {
            self.groups.push(Group {
                destination: Destination::Text,
                opened: false,
                fallback: 1,
                aside: false,
            });
        }
        if let Some(group) = self.groups.last_mut() {
            let before = (group.opened, group.destination);
            group.destination = destination;
            group.opened = true;
            group.aside = false;
            // Two destinations in one group: the first one ends, but for what the second is a part of.
            let part = match before.1 {
                Destination::Object => matches!(
                    destination,
                    Destination::ObjectData | Destination::ObjectClass
                ),
                Destination::Field => {
                    matches!(destination, Destination::Instruction | Destination::Result)
                }
                _ => false,
            };
            if before.0 && !part {
                self.finish(before.1);
            }
        }
    }

    fn word(&mut self, at: usize, name: &[u8], number: Option<i32>) {
        let starred = std::mem::take(&mut self.starred);
        match Lower::of(name).letters() {
            b"object" => {
                self.turn(Destination::Object);
                self.objects.push(Object {
                    at,
                    ..Object::default()
                });
            }
            b"objdata" => {
                // Inside of other object data it is one more control word.
                if self.data.is_none() {
                    self.turn(Destination::ObjectData);
                    self.data = Some(hexdata::Collector::new(at));
                } else {
                    self.set_aside(true);
                }
            }
            b"objclass" => self.turn(Destination::ObjectClass),
            b"objupdate" => self.mark(|object| object.update = true),
            b"objlink" | b"objautlink" => self.mark(|object| object.link = true),
            b"objocx" => self.mark(|object| object.control = true),
            b"datastore" if self.stored.is_none() => {
                self.turn(Destination::DataStore);
                self.stored = Some(hexdata::Collector::new(at));
            }
            b"template" => {
                self.turn(Destination::Template);
                self.template = Some((at, Vec::new()));
            }
            b"field" => {
                self.hand_on();
                self.turn(Destination::Field);
                self.fields.begin(at);
                self.plain_fields.begin(at);
            }
            b"fldinst" => self.turn(Destination::Instruction),
            b"fldrslt" => {
                self.hand_on();
                self.turn(Destination::Result);
                self.fields.separate();
                self.plain_fields.separate();
            }
            b"sn" => {
                self.turn(Destination::PropertyName);
                self.property.clear();
            }
            b"sv" if is_picture(&self.property) => {
                self.turn(Destination::PropertyValue);
                self.value = Some((at, Vec::new()));
            }
            // The first of two groups is for readers without Unicode, the second counts.
            b"upr" => self.set_aside(true),
            b"ud" => self.set_aside(false),
            b"deleted" => self.set_aside(number != Some(0)),
            b"uc" => {
                if let Some(group) = self.groups.last_mut() {
                    group.fallback = usize::try_from(number.unwrap_or(1)).unwrap_or(1);
                }
            }
            b"u" => self.unicode(number),
            b"tab" => self.put(b"\t"),
            b"par" | b"line" | b"cell" | b"row" | b"sect" | b"page" | b"column" | b"emspace"
            | b"enspace" | b"qmspace" => self.put(b" "),
            b"lquote" | b"rquote" => self.put(b"'"),
            b"ldblquote" | b"rdblquote" => self.put(b"\""),
            name => {
                if let Some(data) = &mut self.data {
                    data.note_word();
                }
                if starred || ASIDE.contains(&name) {
                    self.set_aside(true);
                }
                if starred && !matches!(self.destination(), Destination::Instruction) {
                    self.turn_aside();
                }
            }
        }
    }

    /// A starred destination that Word does not know is passed over with all that is in it.
    fn turn_aside(&mut self) {
        if let Some(group) = self.groups.last_mut()
            && !group.opened
        {
            group.destination = Destination::Ignored;
            group.opened = true;
        }
    }

    /// What follows in the group at hand stands aside or does not. That of a destination is its own text.
    fn set_aside(&mut self, aside: bool) {
        if let Some(group) = self.groups.last_mut()
            && !(aside && group.opened)
        {
            group.aside = aside;
        }
    }

    fn is_aside(&self) -> bool {
        self.groups.last().is_some_and(|group| group.aside)
    }

    fn mark(&mut self, set: impl FnOnce(&mut Object)) {
        if let Some(object) = self.objects.last_mut() {
            set(object);
        } else if let Some(object) = self.rtf.objects.last_mut() {
            set(object);
        }
    }

    fn symbol(&mut self, byte: u8) {
        match byte {
            b'\\' | b'{' | b'}' => self.put(&[byte]),
            b'~' => self.put(b" "),
            b'_' => self.put(b"-"),
            _ => {
                if let Some(data) = &mut self.data {
                    data.note_junk(1);
                }
            }
        }
    }

    fn code(&mut self, code: Option<u8>) {
        if self.skip > 0 {
            self.skip = self.skip.saturating_sub(1);
            return;
        }
        if self.destination() == Destination::ObjectData
            && let Some(data) = &mut self.data
        {
            data.code(code);
            return;
        }
        if let Some(code) = code {
            self.put(&[code]);
        }
    }

    fn unicode(&mut self, number: Option<i32>) {
        let unit = u32::try_from(number.unwrap_or(0).rem_euclid(0x1_0000)).unwrap_or(0);
        self.skip = self.groups.last().map_or(1, |group| group.fallback);
        let shown = char::from_u32(unit).unwrap_or('\u{fffd}');
        let mut buffer = [0; 4];
        let text = shown.encode_utf8(&mut buffer).as_bytes().to_vec();
        self.put(&text);
    }

    fn binary(&mut self, bytes: &[u8], claimed: usize) {
        if self.destination() == Destination::ObjectData
            && let Some(data) = &mut self.data
        {
            data.binary(bytes, claimed);
        } else if self.destination() == Destination::DataStore
            && let Some(data) = &mut self.stored
        {
            data.binary(bytes, claimed);
        }
    }

    fn text(&mut self, text: &[u8]) {
        match self.destination() {
            Destination::ObjectData => {
                let aside = self.is_aside();
                let skipped = self.skip.min(text.len());
                self.skip = 0;
                if let Some(data) = &mut self.data {
                    data.text(text.get(..skipped).unwrap_or_default(), true);
                    data.text(text.get(skipped..).unwrap_or_default(), aside);
                }
            }
            Destination::DataStore => {
                if let Some(data) = &mut self.stored {
                    data.text(text, false);
                }
            }
            Destination::ObjectClass
            | Destination::PropertyName
            | Destination::PropertyValue
            | Destination::Instruction
            | Destination::Result
            | Destination::Template => {
                for line in text.split(|byte| matches!(byte, b'\r' | b'\n')) {
                    let skipped = self.skip.min(line.len());
                    self.skip = self.skip.saturating_sub(skipped);
                    self.put(line.get(skipped..).unwrap_or_default());
                }
            }
            Destination::Text | Destination::Object | Destination::Field | Destination::Ignored => {
                self.skip = 0;
            }
        }
    }

    /// Text that belongs to what the group is about.
    fn put(&mut self, text: &[u8]) {
        match self.destination() {
            Destination::ObjectClass => {
                if let Some(object) = self.objects.last_mut() {
                    append(&mut object.class, text);
                }
            }
            Destination::Instruction => self.field_text(text, true),
            Destination::Result => self.field_text(text, false),
            Destination::Template => {
                if let Some((_, template)) = &mut self.template {
                    append(template, text);
                }
            }
            Destination::PropertyName => append(&mut self.property, text),
            Destination::PropertyValue => {
                if let Some((_, value)) = &mut self.value {
                    append(value, text);
                }
            }
            Destination::ObjectData => {
                if let Some(data) = &mut self.data {
                    data.note_junk(text.len());
                }
            }
            _ => {}
        }
    }

    fn field_text(&mut self, text: &[u8], is_code: bool) {
        // Results are of use inside of fields only.
        if !is_code && !self.fields.is_open() {
            return;
        }
        let aside = self.is_aside();
        if self.run_is_code != is_code || self.run_is_aside != aside {
            self.hand_on();
            self.run_is_code = is_code;
            self.run_is_aside = aside;
        }
        if self.run.is_empty() {
            self.run_at = self.at;
        }
        self.run.extend(text);
    }

    /// Hands the text at hand to the field that it belongs to.
    fn hand_on(&mut self) {
        if self.run.is_empty() {
            return;
        }
        let text = match String::from_utf8(std::mem::take(&mut self.run)) {
            Ok(text) => text,
            // In the document's code page: keywords and addresses are ASCII in all of them.
            Err(error) => error.into_bytes().iter().map(|b| char::from(*b)).collect(),
        };
        let plain = (!self.run_is_aside).then_some(&mut self.plain_fields);
        for fields in plain.into_iter().chain([&mut self.fields]) {
            if self.run_is_code {
                fields.code(&text, self.run_at);
            } else {
                fields.text(&text);
            }
        }
    }

    /// Ends whatever the text left open.
    fn end(&mut self) {
        self.beyond = 0;
        while !self.groups.is_empty() {
            self.close();
        }
        while let Some(object) = self.objects.pop() {
            self.keep_object(object);
        }
        self.rtf.objects.sort_by_key(|object| object.at);
        self.hand_on();
        let (mut fields, cut) = std::mem::take(&mut self.fields).finish();
        let (plain, plain_cut) = std::mem::take(&mut self.plain_fields).finish();
        // Both are in the same order but for those that only one reading sees.
        let mut known = fields.iter().cloned().collect::<BTreeSet<_>>();
        fields.extend(
            plain
                .into_iter()
                .filter(|field| known.insert(field.clone())),
        );
        self.rtf.more |= cut || plain_cut || fields.len() > KEPT;
        self.rtf.fields = fields;
        self.rtf.fields.truncate(KEPT);
    }
}

fn is_picture(property: &[u8]) -> bool {
    let property = property.trim_ascii();
    PICTURES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(property))
}

fn append(to: &mut Vec<u8>, text: &[u8]) {
    let room = LONGEST.saturating_sub(to.len());
    to.extend(text.get(..room).unwrap_or(text));
}

#[cfg(test)]
mod tests;
