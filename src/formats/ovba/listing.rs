//! P-code as text that reads like the source it was compiled from, in the project's code page.
//!
//! Close enough to Visual Basic for whoever reads source, a person or an analyzer: names, literals, calls and their
//! arguments are exact; spelling, types of variables and of arguments are not all kept.

use crate::bytes::{index, slice, u16_at, u32_at};
use crate::limits::{Budget, Halt};

use super::identifiers::Identifier;
use super::opcodes::{Base, Does, Form, On};
use super::pcode::{Instruction, Pcode};

/// Bytes that one module's text may cost to put together: damaged code could else be written for ever.
const WORK: usize = 8 << 20;

/// Arguments of a procedure that are followed.
const ARGUMENTS: usize = 64;

/// What every line is that could not be read.
const DAMAGED: &str = "' (line cannot be read)";

impl Pcode<'_> {
    /// The code of a module of this name, line by line.
    pub fn text(&self, module: &[u8], budget: &Budget) -> Result<Vec<u8>, Halt> {
        let mut out = b"Attribute VB_Name = \"".to_vec();
        out.extend_from_slice(module);
        out.extend_from_slice(b"\"\r\n");
        let mut work = WORK;
        for line in self.lines() {
            budget.tick()?;
            let mut writer = Writer {
                pcode: self,
                line: Vec::new(),
                stack: Vec::new(),
                items: Vec::new(),
                declares: false,
                work,
            };
            match line {
                Some(line) => line.iter().for_each(|one| writer.write(one)),
                None => writer.line = DAMAGED.into(),
            }
            writer.flush();
            work = writer.work;
            out.append(&mut writer.line);
            out.extend_from_slice(b"\r\n");
            if work == 0 {
                out.extend_from_slice(b"' (and more)\r\n");
                break;
            }
        }
        Ok(out)
    }
}

struct Writer<'p, 'a> {
    pcode: &'p Pcode<'a>,
    /// Statements that are done.
    line: Vec<u8>,
    /// Expressions that wait for what uses them.
    stack: Vec<Vec<u8>>,
    /// A list that is being put together: what is printed, or the cases of a selection.
    items: Vec<u8>,
    /// Whether a declaration stands open, so that another variable goes on with it.
    declares: bool,
    work: usize,
}

impl<'a> Writer<'_, 'a> {
    fn write(&mut self, one: &Instruction<'a>) {
        if self.work == 0 {
            return;
        }
        let count = index(one.number & 0xffff);
        match one.opcode.form {
            Form::Silent => {}
            Form::Separator => self.flush(),
            Form::Infix(between) => {
                let (right, left) = (self.pop(), self.pop());
                self.push(&[&left, between.as_bytes(), &right]);
            }
            Form::Prefix(before) => {
                let value = self.pop();
                self.push(&[before.as_bytes(), &value]);
            }
            Form::Function(name, arguments) => {
                let arguments = self.arguments(arguments);
                self.push(&[name.as_bytes(), b"(", &arguments, b")"]);
            }
            Form::Bound(name) => {
                let arguments = self.arguments(count.saturating_add(1));
                self.push(&[name.as_bytes(), b"(", &arguments, b")"]);
            }
            Form::Push(word) => self.push(&[word.as_bytes()]),
            Form::Named(before, after) => {
                let name = self.name(one);
                self.push(&[before.as_bytes(), &name, after.as_bytes()]);
            }
            Form::Jump(before, after) => {
                let name = self.name(one);
                self.say(&[before.as_bytes(), &name, after.as_bytes()]);
            }
            Form::Access(on, does) => self.access(one, on, does, count),
            Form::Statement(word, operands) => self.statement(word, operands),
            Form::Counted(word) => {
                let operands = self.arguments(count);
                self.say(&[word.as_bytes(), &operands]);
            }
            Form::Around(before, after) => {
                let value = self.pop();
                self.say(&[before.as_bytes(), &value, after.as_bytes()]);
            }
            Form::Between(before, between) => self.between(before, between),
            Form::Method(name) => {
                let (argument, object) = (self.pop(), self.pop());
                self.say(&[&object, name.as_bytes(), &argument]);
            }
            Form::Comment(mark) => self.say(&[mark.as_bytes(), one.text]),
            Form::OnError | Form::Resume => self.jump(one),
            Form::OptionLine => self.option(one.kind),
            Form::Open => self.open(one.number),
            Form::Dim | Form::Variable | Form::Type | Form::Procedure | Form::Redim(_) => {
                self.declare(one, count);
            }
            Form::Items(..)
            | Form::Item(..)
            | Form::ItemTo
            | Form::LastItem
            | Form::EndItems(_) => self.list(one.opcode.form),
            Form::Number(base) => {
                let text = number(base, one);
                self.push(&[text.as_bytes()]);
            }
            Form::Text
            | Form::Special
            | Form::Coerce
            | Form::NamedArgument
            | Form::New
            | Form::TypeOf => self.expression(one),
        }
    }

    /// Expressions of their own.
    fn expression(&mut self, one: &Instruction<'a>) {
        match one.opcode.form {
            Form::Text => {
                let mut quoted = Vec::with_capacity(one.text.len().saturating_add(2));
                for &byte in one.text {
                    quoted.push(byte);
                    if byte == b'"' {
                        quoted.push(byte);
                    }
                }
                self.push(&[b"\"", &quoted, b"\""]);
            }
            Form::Special => {
                let words = ["False", "True", "Null", "Empty"];
                let word = words.get(usize::from(one.kind)).copied();
                self.push(&[word.unwrap_or_default().as_bytes()]);
            }
            Form::Coerce => {
                let value = self.pop();
                self.push(&[b"C", conversion(one.kind).as_bytes(), b"(", &value, b")"]);
            }
            Form::NamedArgument => {
                let value = self.pop();
                let name = self.name(one);
                self.push(&[&name, b":=", &value]);
            }
            Form::New => {
                let class = self.import(one.number);
                self.push(&[b"New ", class]);
            }
            _ => {
                let value = self.pop();
                let class = self.import(one.number);
                self.push(&[b"TypeOf ", &value, b" Is ", class]);
            }
        }
    }

    /// A name with what it belongs to and its arguments, and what is done with it. Arguments were written before the
    /// object, and a value before the arguments.
    fn access(&mut self, one: &Instruction<'a>, on: On, does: Does, count: usize) {
        let mut target = match on {
            On::Member | On::Dictionary | On::Index => self.pop(),
            On::Name | On::WithMember | On::WithDictionary => Vec::new(),
        };
        match on {
            On::Member | On::WithMember => target.push(b'.'),
            On::Dictionary | On::WithDictionary => target.push(b'!'),
            On::Name | On::Index => {}
        }
        target.append(&mut self.name(one));
        let takes = one.opcode.operands.contains('w');
        let arguments = if takes {
            self.arguments(count)
        } else {
            Vec::new()
        };
        // `Call name(…)` keeps its brackets, `name …` has none.
        let bare = matches!(does, Does::Call) && one.kind & 0x10 != 0;
        if takes && bare {
            if !arguments.is_empty() {
                target.push(b' ');
                target.extend_from_slice(&arguments);
            }
        } else if takes && !(arguments.is_empty() && does == Does::Call) {
            target.push(b'(');
            target.extend_from_slice(&arguments);
            target.push(b')');
        }
        match does {
            Does::Load => self.push(&[&target]),
            Does::Store => {
                let value = self.pop();
                self.say(&[&target, b" = ", &value]);
            }
            Does::Set => {
                let value = self.pop();
                self.say(&[b"Set ", &target, b" = ", &value]);
            }
            Does::Constant => {
                let value = self.pop();
                self.say(&[b"#Const ", &target, b" = ", &value]);
            }
            Does::Call if bare => self.say(&[&target]),
            Does::Call => self.say(&[b"Call ", &target]),
            Does::Raise => self.say(&[b"RaiseEvent ", &target]),
        }
    }

    fn statement(&mut self, word: &str, operands: usize) {
        let operands = self.arguments(operands);
        let blank: &[u8] = if operands.is_empty() { b"" } else { b" " };
        self.say(&[word.as_bytes(), blank, &operands]);
    }

    fn between(&mut self, before: &str, between: &[&str]) {
        let mut parts: Vec<Vec<u8>> = between.iter().map(|_| self.pop()).collect();
        parts.reverse();
        let mut out = before.as_bytes().to_vec();
        out.append(&mut self.pop());
        for (word, part) in between.iter().zip(parts) {
            out.extend_from_slice(word.as_bytes());
            out.extend_from_slice(&part);
        }
        self.say(&[&out]);
    }

    fn list(&mut self, form: Form) {
        match form {
            Form::Items(before, after) => {
                let value = self.pop();
                self.items = [before.as_bytes(), &value, after.as_bytes()].concat();
            }
            Form::Item(before, after) => {
                let value = self.pop();
                self.item(&[before.as_bytes(), &value, after.as_bytes()]);
            }
            Form::ItemTo => {
                let (last, first) = (self.pop(), self.pop());
                self.item(&[&first, b" To ", &last, b", "]);
            }
            Form::LastItem => {
                let value = self.pop();
                self.item(&[&value]);
                self.end_items("");
            }
            Form::EndItems(before) => self.end_items(before),
            _ => {}
        }
    }

    fn item(&mut self, parts: &[&[u8]]) {
        let item = parts.concat();
        self.work = self.work.saturating_sub(item.len());
        self.items.extend_from_slice(&item);
    }

    fn end_items(&mut self, before: &str) {
        let items = std::mem::take(&mut self.items);
        let items = items.strip_suffix(b", ").unwrap_or(&items);
        self.say(&[before.as_bytes(), items]);
    }

    fn jump(&mut self, one: &Instruction<'a>) {
        let target = match one.kind {
            0 => self.name(one),
            _ => Vec::new(),
        };
        let text: &[u8] = match (one.opcode.form, one.kind) {
            (Form::OnError, 1) => b"On Error Resume Next",
            (Form::OnError, 2) => b"On Error GoTo 0",
            (Form::OnError, _) => b"On Error GoTo ",
            (_, 1) => b"Resume Next",
            _ => b"Resume ",
        };
        self.say(&[text, &target]);
    }

    fn option(&mut self, kind: u16) {
        let words = [
            "Base 0",
            "Base 1",
            "Compare Text",
            "Compare Binary",
            "Explicit",
            "Private Module",
        ];
        let word = words.get(usize::from(kind)).copied().unwrap_or_default();
        self.say(&[b"Option ", word.as_bytes()]);
    }

    /// Path, number and length of records were written before it; how it is opened stands in its word.
    fn open(&mut self, how: u64) {
        let mode = match how & 0xff {
            0x01 => "Input",
            0x02 => "Output",
            0x04 => "Random",
            0x08 => "Append",
            _ => "Binary",
        };
        let access = match how >> 8 & 0xf {
            1 => " Access Read",
            2 => " Access Write",
            3 => " Access Read Write",
            _ => "",
        };
        let (length, channel, path) = (self.pop(), self.pop(), self.pop());
        let before: &[u8] = if length.is_empty() { b"" } else { b" Len = " };
        let how = [" For ", mode, access, " As "].concat();
        self.say(&[b"Open ", &path, how.as_bytes(), &channel, before, &length]);
    }

    fn declare(&mut self, one: &Instruction<'a>, count: usize) {
        match one.opcode.form {
            Form::Dim => {
                let word: &[u8] = match one.kind {
                    kind if kind & 0x04 != 0 => b"Global",
                    kind if kind & 0x08 != 0 => b"Public",
                    kind if kind & 0x10 != 0 => b"Private",
                    kind if kind & 0x20 != 0 => b"Static",
                    _ => b"Dim",
                };
                let constant: &[u8] = if one.kind & 1 != 0 { b" Const" } else { b"" };
                self.say(&[word, constant]);
            }
            Form::Variable => self.variable(one),
            Form::Type => {
                let name = self.name(one);
                let word: &[u8] = if one.kind & 2 != 0 {
                    b"Enum "
                } else {
                    b"Type "
                };
                self.say(&[word, &name]);
            }
            Form::Redim(on) => {
                let object = if on == On::Member {
                    self.pop()
                } else {
                    Vec::new()
                };
                let dot: &[u8] = if on == On::Name { b"" } else { b"." };
                let name = self.name(one);
                let bounds = self.bounds(count);
                let kept: &[u8] = if one.kind & 0x10 != 0 {
                    b"Preserve "
                } else {
                    b""
                };
                self.say(&[b"ReDim ", kept, &object, dot, &name, b"(", &bounds, b")"]);
            }
            _ => self.procedure(one),
        }
    }

    /// Pairs of bounds, the lower one empty where it is the usual one.
    fn bounds(&mut self, count: usize) -> Vec<u8> {
        let mut pairs = Vec::new();
        for _ in 0..count.min(self.stack.len()) {
            let (upper, lower) = (self.pop(), self.pop());
            let to: &[u8] = if lower.is_empty() { b"" } else { b" To " };
            pairs.push([lower.as_slice(), to, &upper].concat());
        }
        pairs.reverse();
        pairs.join(b", ".as_slice())
    }

    /// A variable; what was written before it is the value of a constant, or the bounds of an array.
    fn variable(&mut self, one: &Instruction<'a>) {
        let name = self.name(one);
        let waiting = std::mem::take(&mut self.stack);
        let between: &[u8] = if self.declares { b", " } else { b" " };
        let mut out = [between, &name].concat();
        match waiting.as_slice() {
            [] => {}
            [value] => {
                out.extend_from_slice(b" = ");
                out.extend_from_slice(value);
            }
            _ => {
                self.stack = waiting;
                let pairs = self.stack.len() / 2;
                let bounds = self.bounds(pairs);
                out.extend_from_slice(&[b"(", bounds.as_slice(), b")"].concat());
            }
        }
        if let Some(class) = self.class(index(one.number)) {
            out.extend_from_slice(b" As ");
            out.extend_from_slice(&class);
        }
        self.work = self.work.saturating_sub(out.len());
        // In an enumeration or type there is no word before it.
        let out = if self.line.is_empty() {
            out.trim_ascii_start()
        } else {
            &out
        };
        self.line.extend_from_slice(out);
        self.declares = true;
    }

    /// The class of a variable, with `New` before it; none for the types of Visual Basic and where it is not known.
    fn class(&self, at: usize) -> Option<Vec<u8>> {
        let records = self.pcode.records;
        let flags = u16_at(records, at)?;
        // In 64-bit records the place of the type is not known.
        if self.pcode.names.wide || flags & 0x20 == 0 {
            return None;
        }
        let described = index(u32_at(records, at.checked_add(12)?)?);
        if u16_at(records, described)? & 2 != 0 {
            return None;
        }
        let name = self.import(u64::from(u16_at(records, described.checked_add(2)?)?));
        let new: &[u8] = if flags & 0x2000 != 0 { b"New " } else { b"" };
        Some([new, name].concat())
    }

    /// The head of a procedure, with the library of a declared one.
    fn procedure(&mut self, one: &Instruction<'a>) {
        self.stack.clear();
        let at = index(one.number);
        let shift = if self.pcode.names.wide { 20 } else { 4 };
        let records = self.pcode.records;
        let place = |by: usize| at.saturating_add(shift).saturating_add(by);
        let byte = |by: usize| records.get(place(by)).copied().unwrap_or_default();
        let flags = u16_at(records, at).unwrap_or_default();
        let function = one.kind & 2 != 0;
        let word: &[u8] = match flags {
            flags if flags & 0x2000 != 0 => b"Property Get ",
            flags if flags & 0x4000 != 0 => b"Property Let ",
            flags if flags & 0x8000 != 0 => b"Property Set ",
            _ if function => b"Function ",
            _ => b"Sub ",
        };
        let scope: &[u8] = if one.kind & 4 != 0 { b"Public " } else { b"" };
        let name = self.name(one);
        let library = u16_at(records, place(44))
            .filter(|&at| at != 0xffff && byte(54) & 0x90 == 0)
            .and_then(|at| self.library(usize::from(at)));
        let (declares, library) = match library {
            Some(library) if byte(57) & 0x20 != 0 => (b"Declare PtrSafe ".as_slice(), library),
            Some(library) => (b"Declare ".as_slice(), library),
            None => (b"".as_slice(), Vec::new()),
        };
        let first = u32_at(records, place(36)).map_or(usize::MAX, index);
        let arguments = self.parameters(first, usize::from(byte(55)));
        self.say(&[
            scope, declares, word, &name, &library, b"(", &arguments, b")",
        ]);
    }

    /// `Lib "…" Alias "…"` of a declared procedure.
    fn library(&self, at: usize) -> Option<Vec<u8>> {
        let table = self.pcode.declarations;
        let name = self.pcode.names.name(u16_at(table, at.checked_add(2)?)?)?;
        let Identifier::Own(name) = name else {
            return None;
        };
        let mut out = [b" Lib \"", name, b"\""].concat();
        let alias = usize::from(u16_at(table, at.checked_add(4)?)?);
        let alias = table.get(alias..).filter(|_| alias != 0 && alias != 0xffff);
        let end = alias.and_then(|text| memchr::memchr(0, text));
        if let Some(alias) = alias.zip(end).and_then(|(text, end)| text.get(..end)) {
            out.extend_from_slice(&[b" Alias \"", alias, b"\""].concat());
        }
        Some(out)
    }

    /// Names of arguments, which are a list of records.
    fn parameters(&self, first: usize, count: usize) -> Vec<u8> {
        // Where a 64-bit record names the next one is not known.
        if self.pcode.names.wide {
            return Vec::new();
        }
        let mut at = first;
        let mut names: Vec<&[u8]> = Vec::new();
        for _ in 0..count.min(ARGUMENTS) {
            let record = slice(self.pcode.records, at, 26);
            let name = record.and_then(|record| self.pcode.names.name(u16_at(record, 2)?));
            let Some((record, name)) = record.zip(name) else {
                break;
            };
            names.push(name.bytes());
            at = u32_at(record, 20).map_or(usize::MAX, index);
        }
        names.join(b", ".as_slice())
    }

    /// The class that an object's number means; the table has ten bytes for each.
    fn import(&self, number: u64) -> &'a [u8] {
        let name = (index(number & 0xffff) >> 2)
            .saturating_mul(10)
            .saturating_add(6);
        let name = u16_at(self.pcode.objects, name);
        let name = name.and_then(|number| self.pcode.names.name(number));
        name.map_or(b"Object", Identifier::bytes)
    }

    /// A name as it is written: in brackets, or with the letter of its type.
    fn name(&self, one: &Instruction<'a>) -> Vec<u8> {
        let Some(name) = self.pcode.name(one) else {
            return Vec::new();
        };
        let mut out = name.bytes().to_vec();
        match one.opcode.form {
            Form::Access(..) if one.kind & 0x20 != 0 => {
                return [b"[", out.as_slice(), b"]"].concat();
            }
            Form::Access(_, Does::Load | Does::Store) => {
                let letters = b"\0\0%&!#@\0$";
                let letter = letters.get(usize::from(one.kind));
                out.extend(letter.filter(|letter| **letter != 0));
            }
            _ => {}
        }
        out
    }

    fn arguments(&mut self, count: usize) -> Vec<u8> {
        let start = self.stack.len().saturating_sub(count);
        let arguments = self.stack.split_off(start);
        arguments.join(b", ".as_slice())
    }

    fn pop(&mut self) -> Vec<u8> {
        self.stack.pop().unwrap_or_default()
    }

    fn push(&mut self, parts: &[&[u8]]) {
        let whole = parts.concat();
        self.work = self.work.saturating_sub(whole.len());
        self.stack.push(whole);
    }

    /// Adds a statement to the line.
    fn say(&mut self, parts: &[&[u8]]) {
        let joined = [b" Then".as_slice(), b"Else"]
            .iter()
            .any(|word| self.line.ends_with(word));
        if !self.line.is_empty() {
            let between: &[u8] = if joined { b" " } else { b": " };
            self.line.extend_from_slice(between);
        }
        for part in parts {
            self.work = self.work.saturating_sub(part.len());
            self.line.extend_from_slice(part);
        }
        self.declares = false;
    }

    /// Ends a statement: what nothing used is written as it is.
    fn flush(&mut self) {
        if !self.items.is_empty() {
            self.end_items("");
        }
        let rest = std::mem::take(&mut self.stack);
        if rest.iter().any(|one| !one.is_empty()) {
            self.say(&[&rest.join(b", ".as_slice())]);
        }
    }
}

/// What follows the `C` of a conversion.
fn conversion(kind: u16) -> &'static str {
    match kind {
        2 => "Int",
        3 => "Lng",
        4 => "Sng",
        5 => "Dbl",
        6 => "Cur",
        7 => "Date",
        8 => "Str",
        11 => "Bool",
        17 => "Byte",
        _ => "Var",
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "the bits of an operand are read as the type that the instruction says"
)]
fn number(base: Base, one: &Instruction<'_>) -> String {
    let bits = one.number;
    let words = one.opcode.operands.len();
    match base {
        Base::Decimal => match words {
            1 => (bits as i16).to_string(),
            2 => (bits as i32).to_string(),
            _ => (bits as i64).to_string(),
        },
        Base::Hexadecimal => format!("&H{bits:X}"),
        Base::Octal => format!("&O{bits:o}"),
        Base::Float if words == 2 => f32::from_bits(bits as u32).to_string(),
        Base::Float => f64::from_bits(bits).to_string(),
        Base::Currency => {
            let value = bits as i64;
            format!("{}.{:04}", value / 10_000, (value % 10_000).unsigned_abs())
        }
        Base::Date => format!("CDate({})", f64::from_bits(bits)),
        Base::Small => one.kind.to_string(),
    }
}
