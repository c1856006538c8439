//! Expressions ([MS-VBAL] 5.6): read and evaluated in one pass over the tokens, bounded in depth and steps.
//!
//! What cannot be evaluated is unknown; what cannot be read is passed over, so that every call in a statement is
//! seen whatever stands around it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use super::builtins;
use super::fold::{Argument, Call, Event, Receiver};
use super::lexer::{Module, Symbol, TokenKind};
use super::value::{self, Built, Steps, Text, Value, whole_to_number};

/// Deepest nesting of an expression that is evaluated; what lies deeper is read on its own.
const DEEPEST: u32 = 96;

/// Namespaces of the library that may stand in front of its functions.
const NAMESPACES: &[&str] = &[
    "vba",
    "strings",
    "interaction",
    "conversion",
    "information",
    "math",
    "filesystem",
];

/// Words of the language that are no names of anything.
const KEYWORDS: &[&str] = &[
    "then", "else", "to", "step", "as", "in", "is", "like", "and", "or", "xor", "not", "mod",
    "eqv", "imp", "byval", "byref", "each", "goto", "until", "while", "new", "for", "access",
    "read", "write", "shared", "lock", "output", "append", "binary", "random", "input", "len",
];

/// Runs through a module: where it stands and what it knows.
pub(super) struct Machine<'m, 's> {
    pub(super) module: &'m Module<'m>,
    pub(super) steps: Steps,
    pub(super) mark: &'s dyn Fn(&str) -> u128,
    pub(super) sink: &'s mut dyn FnMut(Event<'_>),
    /// Values are wanted, events are not: a procedure or loop is run for its result.
    pub(super) quiet: bool,
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) statement: Range<usize>,
    /// Where the arguments of a call without parentheses start in this statement.
    pub(super) bare_from: Option<usize>,
    pub(super) depth: u32,
    pub(super) calls: u32,
    /// Statements that runs of loops and functions may still execute.
    pub(super) runs: u32,
    pub(super) globals: BTreeMap<Symbol, Value>,
    pub(super) locals: BTreeMap<Symbol, Value>,
    pub(super) withs: Vec<Value>,
    pub(super) procedures: BTreeMap<Symbol, usize>,
}

impl Machine<'_, '_> {
    /// Pays for work; nothing once there are no steps left.
    pub(super) fn pay(&self, count: usize) -> Option<()> {
        self.steps.take(count).then_some(())
    }

    /// The steps left.
    pub(super) fn steps(&self) -> &Steps {
        &self.steps
    }

    pub(super) fn word(&self) -> &str {
        if self.at < self.end {
            self.module.word(self.at)
        } else {
            ""
        }
    }

    pub(super) fn sign(&self) -> &[u8] {
        if self.at < self.end {
            self.module.sign(self.at)
        } else {
            b""
        }
    }

    pub(super) fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    pub(super) fn take_sign(&mut self, sign: &[u8]) -> bool {
        let found = self.sign() == sign;
        if found {
            self.step();
        }
        found
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.word() == word;
        if found {
            self.step();
        }
        found
    }

    /// Evaluates from here to the statement's end whatever can be read, passing over the rest.
    pub(super) fn rest(&mut self) -> Vec<Argument> {
        let mut found = Vec::new();
        while self.at < self.end {
            let before = self.at;
            let value = self.expression(0);
            if self.at == before {
                self.step();
                continue;
            }
            self.show(&value);
            found.push(Argument { name: None, value });
        }
        found
    }

    /// Evaluates an expression of operators that bind at least as tightly as `least`.
    pub(super) fn expression(&mut self, least: u8) -> Value {
        if self.depth >= DEEPEST {
            return Value::Unknown;
        }
        self.depth = self.depth.saturating_add(1);
        let start = self.at;
        let mut left = self.unary();
        while let Some((level, operator)) = self.operator() {
            if level < least || self.at == start {
                break;
            }
            let left_source = start..self.at;
            self.step();
            let right_start = self.at;
            let right = self.expression(level.saturating_add(1));
            left = self.apply(operator, (left, left_source), (right, right_start..self.at));
        }
        self.depth = self.depth.saturating_sub(1);
        left
    }

    fn unary(&mut self) -> Value {
        match self.sign() {
            b"-" => {
                self.step();
                return match self.expression(13).as_number() {
                    Some(number) => Value::Number(-number),
                    None => Value::Unknown,
                };
            }
            b"+" => {
                self.step();
                return self.expression(13);
            }
            _ => {}
        }
        if self.take_word("not") {
            return match self.expression(7).as_whole() {
                Some(number) => whole_to_number(!number).map_or(Value::Unknown, Value::Number),
                None => Value::Unknown,
            };
        }
        self.primary()
    }

    /// The operator here and how tightly it binds ([MS-VBAL] 5.6.9).
    fn operator(&self) -> Option<(u8, Operator)> {
        Some(match self.sign() {
            b"&" => (8, Operator::Concatenate),
            b"+" => (9, Operator::Add),
            b"-" => (9, Operator::Subtract),
            b"\\" => (11, Operator::Divide),
            b"*" => (12, Operator::Multiply),
            b"/" => (12, Operator::Over),
            b"^" => (14, Operator::Power),
            b"=" => (7, Operator::Equal),
            b"<>" | b"><" => (7, Operator::Unequal),
            b"<" => (7, Operator::Less),
            b">" => (7, Operator::Greater),
            b"<=" | b"=<" => (7, Operator::AtMost),
            b">=" | b"=>" => (7, Operator::AtLeast),
            _ => match self.word() {
                "mod" => (10, Operator::Modulo),
                "is" | "like" => (7, Operator::Other),
                "and" => (5, Operator::And),
                "or" => (4, Operator::Or),
                "xor" => (3, Operator::Xor),
                "eqv" => (2, Operator::Other),
                "imp" => (1, Operator::Other),
                _ => return None,
            },
        })
    }

    fn apply(
        &self,
        operator: Operator,
        left: (Value, Range<usize>),
        right: (Value, Range<usize>),
    ) -> Value {
        let texts = matches!(
            (&left.0, &right.0),
            (Value::Text(_), _) | (_, Value::Text(_))
        );
        let numbers = matches!(
            (&left.0, &right.0),
            (Value::Number(_), _) | (_, Value::Number(_))
        );
        match operator {
            Operator::Concatenate => self.concatenate(left, right),
            Operator::Add if texts && !numbers => self.concatenate(left, right),
            Operator::Equal | Operator::Unequal if texts && !numbers => {
                match (builtins::coerce(&left.0), builtins::coerce(&right.0)) {
                    (Some(a), Some(b)) if !a.is_partial() && !b.is_partial() => {
                        Value::of_bool((a.as_str() == b.as_str()) == (operator == Operator::Equal))
                    }
                    _ => Value::Unknown,
                }
            }
            _ => match (left.0.as_number(), right.0.as_number()) {
                (Some(a), Some(b)) => arithmetic(operator, a, b),
                _ => Value::Unknown,
            },
        }
    }

    fn concatenate(&self, left: (Value, Range<usize>), right: (Value, Range<usize>)) -> Value {
        let known = |value: &Value| builtins::coerce(value);
        if known(&left.0).is_none() && known(&right.0).is_none() {
            return Value::Unknown;
        }
        let text = |(value, source): (Value, Range<usize>)| match value {
            Value::Text(text) => text,
            value => {
                builtins::coerce(&value).unwrap_or_else(|| Text::placeholder(&self.source(source)))
            }
        };
        let (mut made, right) = (text(left), text(right));
        if made.append(&right, &self.steps) {
            Value::Text(made)
        } else {
            Value::Unknown
        }
    }

    /// Source text of a range of tokens, the first few of them.
    fn source(&self, tokens: Range<usize>) -> String {
        let last = tokens
            .end
            .min(tokens.start.saturating_add(12))
            .saturating_sub(1);
        let edge = |at: usize| self.module.tokens().get(at).map(|token| token.span());
        match (edge(tokens.start), edge(last)) {
            (Some(first), Some(last)) => {
                let end = last.end.min(first.start.saturating_add(160));
                let bytes = self.module.data().get(first.start..end).unwrap_or_default();
                self.module.decode(bytes).into_owned()
            }
            _ => String::new(),
        }
    }

    fn primary(&mut self) -> Value {
        let Some(token) = self
            .module
            .tokens()
            .get(self.at)
            .filter(|_| self.at < self.end)
        else {
            return Value::Unknown;
        };
        match token.kind {
            TokenKind::Text => {
                self.step();
                let text = self.module.literal(token);
                if self.pay(text.len().saturating_add(1)).is_none() {
                    return Value::Unknown;
                }
                let plain = (self.mark)(&text);
                Value::Text(Text::literal(text.into_owned(), plain))
            }
            TokenKind::Number => {
                self.step();
                let text = String::from_utf8_lossy(self.module.bytes(token)).into_owned();
                value::number(&text).map_or(Value::Unknown, Value::Number)
            }
            TokenKind::Date => {
                self.step();
                Value::Unknown
            }
            TokenKind::Name => self.name(),
            TokenKind::Sign => match self.sign() {
                b"." | b"!" => {
                    let with = self.withs.last().cloned().unwrap_or_default();
                    self.members(with, None)
                }
                b"(" => self.parenthesised(),
                _ => Value::Unknown,
            },
            TokenKind::EndOfLine => Value::Unknown,
        }
    }

    fn parenthesised(&mut self) -> Value {
        let start = self.at;
        self.step();
        let inner = self.expression(0);
        if self.at == start.saturating_add(1) && self.depth >= DEEPEST {
            // Too deep: left to be read on its own.
            return Value::Unknown;
        }
        self.take_sign(b")");
        self.members(inner, None)
    }

    fn name(&mut self) -> Value {
        let word = self.word();
        match word {
            "new" => return self.made_new(),
            "addressof" | "typeof" | "byval" => {
                self.step();
                return self.primary_or_unknown();
            }
            word if KEYWORDS.contains(&word) && word != "len" && word != "input" => {
                return Value::Unknown;
            }
            _ => {}
        }
        while NAMESPACES.contains(&self.word())
            && self.module.sign(self.at.saturating_add(1)) == b"."
        {
            let next = self.at.saturating_add(2);
            if next >= self.end || self.module.word(next).is_empty() {
                break;
            }
            self.at = next;
            if !NAMESPACES.contains(&self.word()) {
                return self.base(Scope::Library);
            }
        }
        self.base(Scope::Any)
    }

    fn primary_or_unknown(&mut self) -> Value {
        if self.depth < DEEPEST {
            self.depth = self.depth.saturating_add(1);
            self.primary();
            self.depth = self.depth.saturating_sub(1);
        }
        Value::Unknown
    }

    /// `New` and the name of a class: the object is known by its class.
    fn made_new(&mut self) -> Value {
        self.step();
        let class = self.type_name();
        if class.is_empty() {
            Value::Unknown
        } else {
            Value::object(&class)
        }
    }

    /// A name of one or more parts, such as `MSXML2.XMLHTTP60`.
    pub(super) fn type_name(&mut self) -> String {
        let mut name = self.word().to_owned();
        self.step();
        let mut parts: u32 = 0;
        while self.sign() == b"." && parts < 4 {
            self.step();
            name.push('.');
            name.push_str(self.word());
            self.step();
            parts = parts.saturating_add(1);
        }
        name
    }

    fn base(&mut self, scope: Scope) -> Value {
        let place = self.at;
        let Some(symbol) = self.module.tokens().get(place).map(|token| token.symbol) else {
            return Value::Unknown;
        };
        self.step();
        let arguments = self.arguments();
        let value = self.resolve(symbol, scope, place, arguments);
        self.members(value, Some(symbol))
    }

    fn resolve(
        &mut self,
        symbol: Symbol,
        scope: Scope,
        place: usize,
        arguments: Option<Vec<Argument>>,
    ) -> Value {
        let module = self.module;
        let name = module.name(symbol);
        if scope == Scope::Any
            && let Some(known) = self
                .locals
                .get(&symbol)
                .or_else(|| self.globals.get(&symbol))
        {
            return match (known.clone(), &arguments) {
                (Value::Array(items), Some(at)) => element(&items, at),
                (value, None) => value,
                (
                    Value::Object(_)
                    | Value::Text(_)
                    | Value::Number(_)
                    | Value::Empty
                    | Value::Unknown,
                    Some(_),
                ) => Value::Unknown,
            };
        }
        let procedure = self
            .procedures
            .get(&symbol)
            .copied()
            .filter(|_| scope == Scope::Any);
        let receiver = if procedure.is_some() {
            Receiver::Module
        } else {
            Receiver::Nothing
        };
        let called = arguments.is_some();
        let arguments = arguments.unwrap_or_default();
        if called || self.bare_from == Some(usize::MAX) {
            self.emit_call(receiver, name, &arguments, place);
        }
        if let Some(procedure) = procedure {
            return self.run_function(procedure, &arguments);
        }
        if let Some(value) = builtins::constant(name).filter(|_| !called) {
            return value;
        }
        if called || name == "createobject" {
            builtins::call(self, name, &arguments).unwrap_or_default()
        } else {
            Value::Unknown
        }
    }

    /// Members behind a value: `.Name`, `!Name`, each with or without arguments, and calls of what they give.
    fn members(&mut self, mut value: Value, root: Option<Symbol>) -> Value {
        let module = self.module;
        loop {
            if matches!(self.sign(), b"." | b"!") {
                let place = self.at.saturating_add(1);
                let Some(token) = module.tokens().get(place) else {
                    break;
                };
                if token.kind != TokenKind::Name || place >= self.end {
                    break;
                }
                self.at = place.saturating_add(1);
                let name = module.name(token.symbol);
                let arguments = self.arguments().unwrap_or_default();
                let receiver = match (&value, root) {
                    (Value::Object(trail), _) => Receiver::Object(trail),
                    (_, Some(root)) => Receiver::Named(module.name(root)),
                    _ => Receiver::Named(""),
                };
                self.emit_call(receiver, name, &arguments, place);
                let first = arguments.first().and_then(|one| one.value.as_text());
                value = value.member(name, first.map(Text::as_str));
            } else if self.sign() == b"(" && self.bare_from != Some(self.at) {
                if self.arguments().is_none() {
                    break;
                }
                value = if matches!(value, Value::Object(_)) {
                    value
                } else {
                    Value::Unknown
                };
            } else {
                break;
            }
        }
        value
    }

    fn emit_call(
        &mut self,
        receiver: Receiver<'_>,
        name: &str,
        arguments: &[Argument],
        place: usize,
    ) {
        if self.quiet {
            return;
        }
        let at = self
            .module
            .tokens()
            .get(place)
            .map_or(0, |token| token.span().start);
        (self.sink)(Event::Call(&Call {
            receiver,
            name,
            arguments,
            statement: self.statement.clone(),
            at,
        }));
    }

    /// Arguments in parentheses here, or without where the statement's call has them so.
    fn arguments(&mut self) -> Option<Vec<Argument>> {
        if self.bare_from == Some(self.at) {
            // The statement's own call; within its arguments nothing is bare.
            self.bare_from = None;
            return Some(self.list());
        }
        if self.sign() != b"(" || self.depth >= DEEPEST {
            return None;
        }
        self.step();
        let found = self.list();
        self.take_sign(b")");
        Some(found)
    }

    /// Arguments up to the closing parenthesis or the statement's end.
    pub(super) fn list(&mut self) -> Vec<Argument> {
        let mut found = Vec::new();
        while self.at < self.end && self.sign() != b")" {
            let name = match self.module.tokens().get(self.at) {
                Some(token)
                    if token.kind == TokenKind::Name
                        && self.module.sign(self.at.saturating_add(1)) == b":=" =>
                {
                    self.at = self.at.saturating_add(2);
                    Some(token.symbol)
                }
                _ => None,
            };
            let before = self.at;
            let value = self.expression(0);
            self.show(&value);
            let separated = matches!(self.sign(), b"," | b";");
            if self.at > before || separated {
                found.push(Argument { name, value });
            } else if self.depth.saturating_add(1) >= DEEPEST {
                // Too deep: what follows is read by those above, which have taken a token each.
                break;
            }
            if separated || self.at == before {
                self.step();
            }
        }
        found
    }

    /// Hands out a text that was built, once.
    pub(super) fn show(&mut self, value: &Value) {
        let Value::Text(text) = value else { return };
        if self.quiet || text.built() == Built::default() || !text.is_news() {
            return;
        }
        if self.pay(text.as_str().len()).is_some() {
            (self.sink)(Event::Text {
                text,
                statement: self.statement.clone(),
            });
        }
    }
}

fn element(items: &Rc<Vec<Value>>, at: &[Argument]) -> Value {
    let at = at.first().and_then(|one| one.value.as_whole());
    at.and_then(|at| items.get(usize::try_from(at).ok()?).cloned())
        .unwrap_or_default()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Any,
    Library,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Concatenate,
    Add,
    Subtract,
    Multiply,
    Over,
    Divide,
    Modulo,
    Power,
    Equal,
    Unequal,
    Less,
    Greater,
    AtMost,
    AtLeast,
    And,
    Or,
    Xor,
    Other,
}

fn arithmetic(operator: Operator, a: f64, b: f64) -> Value {
    let on_whole = |combine: fn(i64, i64) -> Option<i64>| {
        let (a, b) = (value::whole(a)?, value::whole(b)?);
        combine(a, b).and_then(whole_to_number)
    };
    let result = match operator {
        Operator::Add => Some(a + b),
        Operator::Subtract => Some(a - b),
        Operator::Multiply => Some(a * b),
        Operator::Over if b != 0.0 => Some(a / b),
        Operator::Divide => on_whole(i64::checked_div),
        Operator::Modulo => on_whole(i64::checked_rem),
        Operator::Power => Some(a.powf(b)),
        Operator::And => on_whole(|a, b| Some(a & b)),
        Operator::Or => on_whole(|a, b| Some(a | b)),
        Operator::Xor => on_whole(|a, b| Some(a ^ b)),
        Operator::Equal => return Value::of_bool(a == b),
        Operator::Unequal => return Value::of_bool(a != b),
        Operator::Less => return Value::of_bool(a < b),
        Operator::Greater => return Value::of_bool(a > b),
        Operator::AtMost => return Value::of_bool(a <= b),
        Operator::AtLeast => return Value::of_bool(a >= b),
        Operator::Over | Operator::Concatenate | Operator::Other => None,
    };
    result
        .filter(|number| number.is_finite())
        .map_or(Value::Unknown, Value::Number)
}
