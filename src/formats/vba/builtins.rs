//! Functions of the VBA library ([MS-VBAL] 6.1.2) on known values: the ones by which texts are built and hidden.

use std::rc::Rc;

use super::expression::Machine;
use super::fold::Argument;
use super::value::{Built, Text, Value, whole_to_number};

/// What an object is made from where that is not known.
const UNKNOWN_CLASS: &str = "?";

/// Most elements of an array that is kept.
const ELEMENTS: usize = 1 << 16;

/// Value of a constant of the library, where it matters for texts and calls.
pub(super) fn constant(name: &str) -> Option<Value> {
    let text = match name {
        "vbcrlf" | "vbnewline" => "\r\n",
        "vbcr" => "\r",
        "vblf" => "\n",
        "vbtab" => "\t",
        "vbnullchar" => "\0",
        "vbnullstring" => "",
        "vbback" => "\u{8}",
        "vbformfeed" => "\u{c}",
        "vbverticaltab" => "\u{b}",
        _ => {
            let number = match name {
                "true" => -1.0,
                "false" | "empty" | "vbhide" | "vbbinarycompare" => 0.0,
                "vbnormalfocus"
                | "vbtextcompare"
                | "vbmethod"
                | "vbuppercase"
                | "msoautomationsecuritylow" => 1.0,
                "vbminimizedfocus" | "vblowercase" | "vbget" => 2.0,
                "vbmaximizedfocus" | "msoautomationsecurityforcedisable" => 3.0,
                "vbnormalnofocus" | "vblet" => 4.0,
                "vbminimizednofocus" => 6.0,
                "vbunicode" => 64.0,
                "vbfromunicode" => 128.0,
                _ => return None,
            };
            return Some(Value::Number(number));
        }
    };
    Some(Value::Text(Text::literal(text.to_owned(), 0)))
}

/// What a call of a library function comes to; nothing where the name is none of them.
pub(super) fn call(machine: &Machine<'_, '_>, name: &str, arguments: &[Argument]) -> Option<Value> {
    let name = name.strip_suffix('$').unwrap_or(name);
    let text = |at: usize| argument(arguments, at).and_then(coerce);
    let whole = |at: usize| argument(arguments, at).and_then(Value::as_whole);
    let value = match name {
        "chr" | "chrb" | "chrw" => character(whole(0), name == "chrw"),
        "asc" | "ascw" | "ascb" => text(0).and_then(|text| {
            let first = text.as_str().chars().next()?;
            whole_to_number(i64::from(u32::from(first))).map(Value::Number)
        }),
        "strreverse" => text(0).and_then(|text| {
            machine.pay(text.as_str().len())?;
            let reversed = text.as_str().chars().rev().collect();
            Some(Value::Text(
                text.derive(reversed, Built::default().rearranged()),
            ))
        }),
        "replace" => replace(machine, arguments),
        "mid" | "midb" | "left" | "leftb" | "right" | "rightb" => cut(machine, name, arguments),
        "lcase" | "ucase" | "trim" | "ltrim" | "rtrim" => text(0).and_then(|text| {
            machine.pay(text.as_str().len())?;
            let changed = match name {
                "lcase" => text.as_str().to_lowercase(),
                "ucase" => text.as_str().to_uppercase(),
                "ltrim" => text.as_str().trim_start_matches(' ').to_owned(),
                "rtrim" => text.as_str().trim_end_matches(' ').to_owned(),
                _ => text.as_str().trim_matches(' ').to_owned(),
            };
            Some(Value::Text(text.derive(changed, Built::default())))
        }),
        "strconv" => match argument(arguments, 0) {
            Some(Value::Array(bytes)) => from_bytes(machine, bytes),
            _ => text(0).map(Value::Text),
        },
        "cstr" | "str" | "cvar" => text(0).map(Value::Text),
        "len" | "lenb" => text(0)
            .filter(|text| !text.is_partial())
            .and_then(|text| length(text.as_str().chars().count())),
        "val" | "cint" | "clng" | "cbyte" | "cdbl" | "csng" | "ccur" | "clnglng" | "int"
        | "fix" | "abs" | "round" | "sgn" | "sqr" | "cbool" => number(name, argument(arguments, 0)),
        "hex" | "oct" => whole(0).map(|number| {
            let digits = if name == "hex" {
                format!("{number:X}")
            } else {
                format!("{number:o}")
            };
            Value::Text(Text::literal(digits, 0))
        }),
        "space" => whole(0).and_then(|count| repeat(machine, " ", count)),
        "string" => whole(0).and_then(|count| {
            let text = match argument(arguments, 1)? {
                Value::Number(_) => character(whole(1), false)?.as_text()?.as_str().to_owned(),
                other => coerce(other)?.as_str().chars().take(1).collect(),
            };
            repeat(machine, &text, count)
        }),
        "array" => Some(array(arguments)),
        "split" => split(machine, arguments),
        "join" => join(machine, arguments),
        "lbound" => Some(Value::Number(0.0)),
        "ubound" => match argument(arguments, 0) {
            Some(Value::Array(items)) => length(items.len())
                .and_then(|len| len.as_number().map(|len| Value::Number(len - 1.0))),
            _ => None,
        },
        "instr" => find(machine, arguments),
        "iif" => match argument(arguments, 0).and_then(Value::as_number) {
            Some(truth) => argument(arguments, if truth == 0.0 { 2 } else { 1 }).cloned(),
            None => None,
        },
        "choose" => whole(0).and_then(|at| argument(arguments, usize::try_from(at).ok()?).cloned()),
        "environ" => Some(environment(machine, argument(arguments, 0))),
        // An object of a class that is not known is an object all the same.
        "createobject" => Some(Value::object(
            text(0).as_ref().map_or(UNKNOWN_CLASS, Text::as_str),
        )),
        "getobject" => arguments
            .iter()
            .find_map(|one| coerce(&one.value).filter(|text| !text.as_str().is_empty()))
            .map(|id| Value::object(id.as_str())),
        _ => return None,
    };
    Some(value.unwrap_or_default())
}

fn argument(arguments: &[Argument], at: usize) -> Option<&Value> {
    arguments.get(at).map(|one| &one.value)
}

/// The value as text, as `&` makes it one.
pub(super) fn coerce(value: &Value) -> Option<Text> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(number) => Some(Text::literal(number.to_string(), 0)),
        Value::Empty => Some(Text::literal(String::new(), 0)),
        Value::Unknown | Value::Object(_) | Value::Array(_) => None,
    }
}

fn length(len: usize) -> Option<Value> {
    let len = i64::try_from(len).ok()?;
    whole_to_number(len).map(Value::Number)
}

/// A character by its number. Numbers from 128 on are taken as Unicode: only ASCII matters for what is hidden.
fn character(code: Option<i64>, wide: bool) -> Option<Value> {
    let code = code?;
    let code = if wide && code < 0 {
        code.saturating_add(0x10000)
    } else {
        code
    };
    let made = char::from_u32(u32::try_from(code).ok()?)?;
    // A quote cannot be written otherwise without doubling; everybody takes Chr(34).
    let telling = made.is_ascii_graphic() && made != '"';
    let built = Built {
        characters: u32::from(telling),
        ..Built::default()
    };
    Some(Value::Text(Text::new(made.to_string(), 0, built)))
}

fn number(name: &str, value: Option<&Value>) -> Option<Value> {
    let value = value?;
    if name == "val" {
        let text = coerce(value)?;
        if text.is_partial() {
            return None;
        }
        let compact: String = text.as_str().chars().filter(|c| *c != ' ').collect();
        let end = if compact
            .get(..2)
            .is_some_and(|head| matches!(head, "&H" | "&h" | "&O" | "&o"))
        {
            compact.len()
        } else {
            compact
                .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
                .unwrap_or(compact.len())
        };
        let head = compact.get(..end).unwrap_or_default();
        return Some(Value::Number(super::value::number(head).unwrap_or(0.0)));
    }
    let given = value.as_number()?;
    Some(match name {
        "cint" | "clng" | "cbyte" | "clnglng" | "round" => Value::Number(given.round_ties_even()),
        "int" => Value::Number(given.floor()),
        "fix" => Value::Number(given.trunc()),
        "abs" => Value::Number(given.abs()),
        "sqr" => Value::Number(given.sqrt()),
        "sgn" => Value::Number(if given == 0.0 { 0.0 } else { given.signum() }),
        "cbool" => Value::of_bool(given != 0.0),
        _ => Value::Number(given),
    })
}

fn repeat(machine: &Machine<'_, '_>, text: &str, count: i64) -> Option<Value> {
    let count = usize::try_from(count).ok()?;
    machine.pay(count.saturating_mul(4))?;
    Some(Value::Text(Text::literal(
        text.repeat(count.min(1 << 20)),
        0,
    )))
}

fn replace(machine: &Machine<'_, '_>, arguments: &[Argument]) -> Option<Value> {
    let text = argument(arguments, 0).and_then(coerce)?;
    let from = argument(arguments, 1).and_then(coerce)?;
    let to = argument(arguments, 2).and_then(coerce)?;
    // Start or count are given: what remains is not worth the effort, the text is.
    if from.as_str().is_empty() || from.is_partial() {
        return Some(Value::Text(text));
    }
    let found =
        memchr::memmem::find_iter(text.as_str().as_bytes(), from.as_str().as_bytes()).count();
    let grown = found.saturating_mul(to.as_str().len());
    machine.pay(text.as_str().len().saturating_add(grown))?;
    if found == 0 {
        return Some(Value::Text(text));
    }
    let replaced = text.as_str().replace(from.as_str(), to.as_str());
    let mut made = text.derive(replaced, Built::default().rearranged());
    if to.is_partial() || to.plain() != 0 {
        // What the replacement showed plainly is plain in the result; the empty text carries it over.
        made.append(&to.derive(String::new(), Built::default()), machine.steps());
    }
    Some(Value::Text(made))
}

fn cut(machine: &Machine<'_, '_>, name: &str, arguments: &[Argument]) -> Option<Value> {
    let text = argument(arguments, 0).and_then(coerce)?;
    if text.is_partial() {
        return None;
    }
    let second = usize::try_from(argument(arguments, 1)?.as_whole()?).ok()?;
    let third = match argument(arguments, 2) {
        Some(value) => usize::try_from(value.as_whole()?).ok()?,
        None => usize::MAX,
    };
    let all = text.as_str();
    let ascii = all.is_ascii_cached(machine)?;
    let len = if ascii {
        all.len()
    } else {
        all.chars().count()
    };
    let (skip, take) = match name {
        "left" | "leftb" => (0, second),
        "right" | "rightb" => (len.saturating_sub(second), second),
        _ => (second.checked_sub(1)?, third),
    };
    let part: String = if ascii {
        let end = skip.saturating_add(take).min(len);
        all.get(skip.min(len)..end).unwrap_or_default().to_owned()
    } else {
        all.chars().skip(skip).take(take).collect()
    };
    machine.pay(part.len())?;
    Some(Value::Text(
        text.derive(part, Built::default().rearranged()),
    ))
}

/// Texts that tell whether they are ASCII, at the price of reading them.
trait Ascii {
    fn is_ascii_cached(&self, machine: &Machine<'_, '_>) -> Option<bool>;
}

impl Ascii for str {
    fn is_ascii_cached(&self, machine: &Machine<'_, '_>) -> Option<bool> {
        // Sixteen bytes are looked at in one step.
        machine.pay((self.len() / 16).saturating_add(1))?;
        let ascii = self.is_ascii();
        if !ascii {
            machine.pay(self.len())?;
        }
        Some(ascii)
    }
}

fn array(arguments: &[Argument]) -> Value {
    let items = arguments.iter().take(ELEMENTS).map(|one| one.value.clone());
    Value::Array(Rc::new(items.collect()))
}

fn split(machine: &Machine<'_, '_>, arguments: &[Argument]) -> Option<Value> {
    let text = argument(arguments, 0).and_then(coerce)?;
    let separator = argument(arguments, 1).and_then(coerce);
    let separator = separator.as_ref().map_or(" ", Text::as_str);
    machine.pay(text.as_str().len().saturating_mul(4))?;
    let piece = |part: &str| Value::Text(text.derive(part.to_owned(), Built::default()));
    let items: Vec<Value> = if separator.is_empty() {
        vec![Value::Text(text.clone())]
    } else {
        text.as_str()
            .split(separator)
            .take(ELEMENTS)
            .map(piece)
            .collect()
    };
    Some(Value::Array(Rc::new(items)))
}

fn join(machine: &Machine<'_, '_>, arguments: &[Argument]) -> Option<Value> {
    let Some(Value::Array(items)) = argument(arguments, 0) else {
        return None;
    };
    let separator = match argument(arguments, 1) {
        Some(value) => coerce(value)?,
        None => Text::literal(" ".to_owned(), 0),
    };
    let mut made = Text::new(String::new(), 0, Built::default().rearranged());
    for (at, item) in items.iter().enumerate() {
        let item = coerce(item)?;
        let separated =
            at == 0 || separator.as_str().is_empty() || made.append(&separator, machine.steps());
        if !(separated && made.append(&item, machine.steps())) {
            return None;
        }
    }
    Some(Value::Text(made))
}

/// A text from an array of bytes, each a character.
fn from_bytes(machine: &Machine<'_, '_>, bytes: &[Value]) -> Option<Value> {
    machine.pay(bytes.len())?;
    let character = |value: &Value| u8::try_from(value.as_whole()?).ok().map(char::from);
    let text: Option<String> = bytes.iter().map(character).collect();
    Some(Value::Text(Text::new(
        text?,
        0,
        Built::default().rearranged(),
    )))
}

fn find(machine: &Machine<'_, '_>, arguments: &[Argument]) -> Option<Value> {
    let (start, text, wanted) = match argument(arguments, 0)? {
        Value::Number(_) => (
            usize::try_from(argument(arguments, 0)?.as_whole()?)
                .ok()?
                .checked_sub(1)?,
            argument(arguments, 1).and_then(coerce)?,
            argument(arguments, 2).and_then(coerce)?,
        ),
        first => (0, coerce(first)?, argument(arguments, 1).and_then(coerce)?),
    };
    if text.is_partial() || wanted.is_partial() {
        return None;
    }
    machine.pay(text.as_str().len().saturating_add(wanted.as_str().len()))?;
    let skipped: usize = text.as_str().chars().take(start).map(char::len_utf8).sum();
    let rest = text.as_str().get(skipped..)?;
    let Some(at) = rest.find(wanted.as_str()) else {
        return Some(Value::Number(0.0));
    };
    let before = rest.get(..at)?.chars().count();
    length(start.saturating_add(before).saturating_add(1))
}

fn environment(machine: &Machine<'_, '_>, name: Option<&Value>) -> Value {
    let Some(name) = name.and_then(coerce) else {
        return Value::Unknown;
    };
    let shown = format!("%{}%", name.as_str());
    let plain = name.plain() | (machine.mark)(&shown);
    Value::Text(Text::new(shown, plain, name.built()))
}
