//! What a module's statements come to, in one pass: calls with the values of their arguments, texts that were built
//! from pieces, declarations of functions in libraries.
//!
//! Constants and variables keep the value that they were last given in the order of the source, texts accumulate;
//! control flow is followed only where [`super::interpreter`] runs a loop or function whose inputs are all known.
//! The work is linear in the source: every byte produced is paid from [`Steps`].

use std::collections::BTreeMap;
use std::ops::Range;

use super::expression::Machine;
use super::lexer::{Module, Symbol, TokenKind};
use super::procedures;
use super::value::{Steps, Text, Value};

/// Most nested `With` blocks that are kept.
const WITHS: usize = 64;

/// One argument of a call.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Its name, where it is given by name.
    pub name: Option<Symbol>,
    /// What it comes to.
    pub value: Value,
}

/// What a call is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver<'e> {
    /// Nothing: a function of the library or of another module.
    Nothing,
    /// A procedure of the same module.
    Module,
    /// An object that is known by its trail (see [`Value::Object`]).
    Object(&'e str),
    /// Something unknown, reached from a name.
    Named(&'e str),
}

/// A call, or the mention of a member.
#[derive(Debug)]
pub struct Call<'e> {
    /// What it is made on.
    pub receiver: Receiver<'e>,
    /// Lower-case name of the function, statement or member.
    pub name: &'e str,
    /// What it is given.
    pub arguments: &'e [Argument],
    /// The statement's bytes in the module.
    pub statement: Range<usize>,
    /// Offset of the name in the module.
    pub at: usize,
}

/// A function in a library that the module declares.
#[derive(Debug)]
pub struct Declared<'e> {
    /// Lower-case name by which the module calls it.
    pub name: &'e str,
    /// The library as written.
    pub library: &'e str,
    /// Its name in the library; the module's name for it where no alias is given.
    pub function: &'e str,
    /// The statement's bytes in the module.
    pub statement: Range<usize>,
}

/// Something seen in a module.
#[derive(Debug)]
pub enum Event<'e> {
    /// A call.
    Call(&'e Call<'e>),
    /// A property that is set.
    Assign {
        /// Lower-case name of the property.
        name: &'e str,
        /// What it is set to.
        value: &'e Value,
        /// The statement's bytes in the module.
        statement: Range<usize>,
    },
    /// A text that was built, whole; each once.
    Text {
        /// What it comes to.
        text: &'e Text,
        /// The bytes of the statement in which it became whole.
        statement: Range<usize>,
    },
    /// A function in a library.
    Declare(&'e Declared<'e>),
    /// The steps for folding ran out: what came after is known less well.
    Exhausted,
}

/// Folds a module and tells what was seen. `mark` gives the marks of a literal as bits; see [`Text::plain`].
pub fn fold(module: &Module<'_>, mark: &dyn Fn(&str) -> u128, sink: &mut dyn FnMut(Event<'_>)) {
    let procedures = module
        .procedures()
        .iter()
        .enumerate()
        .map(|(at, procedure)| (procedure.symbol, at))
        .collect();
    let mut machine = Machine {
        module,
        steps: Steps::of_source(module.data().len()),
        mark,
        sink,
        quiet: false,
        at: 0,
        end: 0,
        statement: 0..0,
        bare_from: None,
        depth: 0,
        calls: 0,
        runs: super::interpreter::runs_of_source(module.data().len()),
        globals: BTreeMap::new(),
        locals: BTreeMap::new(),
        withs: Vec::new(),
        procedures,
    };
    machine.walk();
    if machine.steps.are_exhausted() {
        (machine.sink)(Event::Exhausted);
    }
}

impl Machine<'_, '_> {
    fn walk(&mut self) {
        let mut inside = false;
        let mut loops: Vec<(usize, BTreeMap<Symbol, Value>)> = Vec::new();
        for ordinal in 0..self.module.statements().len() {
            let Some(statement) = self.module.statements().get(ordinal) else {
                break;
            };
            if statement.is_declarative(self.module) {
                continue;
            }
            let header = procedures::header(self.module, &statement.tokens);
            if let Some((_, name)) = header {
                self.leave();
                loops.clear();
                inside = true;
                self.enter(name, statement.tokens.end);
                continue;
            }
            if let Some((last, locals)) = self.run_loop(ordinal, inside) {
                loops.push((last, locals));
            }
            self.enter_statement(ordinal);
            let first = self.word();
            let ends_procedure = first == "end"
                && matches!(
                    self.module.word(self.at.saturating_add(1)),
                    "sub" | "function" | "property"
                );
            if ends_procedure {
                self.leave();
                inside = false;
                continue;
            }
            self.execute(inside);
            // Behind a loop that could be run, what it came to holds.
            while let Some((_, locals)) = loops.pop_if(|(last, _)| *last <= ordinal) {
                self.locals = locals;
            }
        }
        self.leave();
    }

    /// Points at a statement.
    pub(super) fn enter_statement(&mut self, ordinal: usize) {
        let Some(statement) = self.module.statements().get(ordinal) else {
            return;
        };
        self.at = statement.tokens.start;
        self.end = statement.tokens.end;
        self.statement = statement.span(self.module);
        self.bare_from = None;
        self.depth = 0;
    }

    /// A procedure starts: its parameters are known by their types alone.
    fn enter(&mut self, name: usize, end: usize) {
        self.at = name.saturating_add(1);
        self.end = end;
        let mut names = Vec::new();
        while self.at < self.end {
            let typed = self.word() == "as";
            let token = self.module.tokens().get(self.at);
            if typed {
                self.step();
                self.take_word("new");
                let class = self.type_name();
                if let Some(symbol) = names.pop() {
                    self.locals.insert(symbol, typed_value(&class));
                }
                continue;
            }
            if let Some(token) = token.filter(|token| token.kind == TokenKind::Name)
                && !matches!(self.word(), "byval" | "byref" | "optional" | "paramarray")
            {
                self.locals.insert(token.symbol, Value::Unknown);
                names.push(token.symbol);
            }
            self.step();
        }
    }

    /// A procedure ends: texts that it left in variables are handed out.
    fn leave(&mut self) {
        let locals = std::mem::take(&mut self.locals);
        for value in locals.values() {
            self.show(value);
        }
        self.withs.clear();
    }

    /// Executes one statement in the order of the source.
    pub(super) fn execute(&mut self, inside: bool) {
        let module = self.module;
        let first = module.word(self.at);
        let second = self.at.saturating_add(1);
        let plain_statement = !matches!(module.sign(second), b"=" | b"." | b"!");
        match first {
            "dim" | "redim" | "static" | "public" | "private" | "global" | "const" | "friend"
            | "declare" => {
                self.declaration(inside);
            }
            "end" if module.word(second) == "with" => {
                self.withs.pop();
            }
            "end" | "on" | "exit" | "goto" | "gosub" | "resume" | "next" | "type" | "enum"
            | "event" | "implements" | "stop" | "erase"
                if plain_statement => {}
            "with" => {
                self.step();
                let value = self.expression(0);
                self.show(&value);
                if self.withs.len() < WITHS {
                    self.withs.push(value);
                }
                self.rest();
            }
            "for" => self.loop_header(),
            "if" | "elseif" | "while" | "until" | "do" | "loop" | "select" | "case" | "wend"
            | "else"
                if plain_statement || module.sign(second) == b"." =>
            {
                self.step();
                self.rest();
            }
            "set" | "let" if plain_statement => {
                self.step();
                self.assignment_or_call();
            }
            "call" if plain_statement => {
                self.step();
                self.assignment_or_call();
            }
            "open" | "name" | "print" | "put" | "get" | "write" | "input" | "line" | "close"
            | "seek" | "lock" | "unlock" | "width"
                if plain_statement =>
            {
                let place = self.at;
                self.step();
                let arguments = self.rest();
                self.emit_statement(first, &arguments, place);
            }
            _ => self.assignment_or_call(),
        }
    }

    fn emit_statement(&mut self, name: &str, arguments: &[Argument], place: usize) {
        if self.quiet {
            return;
        }
        let at = self
            .module
            .tokens()
            .get(place)
            .map_or(0, |token| token.span().start);
        (self.sink)(Event::Call(&Call {
            receiver: Receiver::Nothing,
            name,
            arguments,
            statement: self.statement.clone(),
            at,
        }));
    }

    /// `For x = a To b` and `For Each x In y`: the variable is known only where the loop is run.
    fn loop_header(&mut self) {
        self.step();
        self.take_word("each");
        if let Some(token) = self
            .module
            .tokens()
            .get(self.at)
            .filter(|token| token.kind == TokenKind::Name)
        {
            self.set(token.symbol, Value::Unknown);
            self.step();
        }
        self.take_sign(b"=");
        self.rest();
    }

    fn declaration(&mut self, inside: bool) {
        let mut constant = false;
        // Ends because every turn takes a word.
        loop {
            match self.word() {
                "dim" | "static" | "public" | "private" | "global" | "friend" | "withevents"
                | "preserve" => {}
                "redim" if self.at < self.end => {}
                "const" => constant = true,
                "declare" => return self.declare(),
                "type" | "enum" | "event" => return,
                _ => break,
            }
            self.step();
        }
        while self.at < self.end {
            let Some(token) = self.module.tokens().get(self.at) else {
                break;
            };
            if token.kind != TokenKind::Name {
                self.step();
                continue;
            }
            self.step();
            self.declared_name(token.symbol, constant, inside);
            while self.at < self.end && self.sign() != b"," {
                self.step();
            }
            self.step();
        }
    }

    /// One declared name: its bounds, type and value.
    fn declared_name(&mut self, symbol: Symbol, constant: bool, inside: bool) {
        // A variable of the module may be set by any procedure, here or elsewhere.
        let unset = if inside { Value::Empty } else { Value::Unknown };
        let mut value = unset.clone();
        let mut bounds = None;
        if self.sign() == b"(" {
            self.step();
            bounds = Some(self.list());
            self.take_sign(b")");
        }
        if self.take_word("as") {
            self.take_word("new");
            let class = self.type_name();
            value = match typed_value(&class) {
                Value::Unknown => unset,
                object => object,
            };
        }
        if let Some(bounds) = bounds {
            value = self.empty_array(&bounds);
        }
        if constant && self.take_sign(b"=") {
            value = self.expression(0);
            self.show(&value);
        }
        let scope = if inside {
            &mut self.locals
        } else {
            &mut self.globals
        };
        scope.insert(symbol, value);
    }

    /// `Declare [PtrSafe] Function name Lib "library" [Alias "function"]` ([MS-VBAL] 5.2.3.5).
    fn declare(&mut self) {
        let mut name = String::new();
        let mut library = String::new();
        let mut alias = None;
        while self.at < self.end && self.sign() != b"(" {
            match self.word() {
                "sub" | "function" => {
                    self.step();
                    name = self.word().to_owned();
                }
                word @ ("lib" | "alias") => {
                    let is_library = word == "lib";
                    self.step();
                    let text = self.text_here().unwrap_or_default();
                    if is_library {
                        library = text;
                    } else {
                        alias = Some(text);
                    }
                }
                _ => {}
            }
            self.step();
        }
        if !self.quiet && !name.is_empty() {
            (self.sink)(Event::Declare(&Declared {
                name: &name,
                library: &library,
                function: alias.as_deref().unwrap_or(&name),
                statement: self.statement.clone(),
            }));
        }
    }

    /// The literal here, if it is one.
    fn text_here(&self) -> Option<String> {
        let token = self.module.tokens().get(self.at)?;
        (token.kind == TokenKind::Text).then(|| self.module.literal(token).into_owned())
    }

    /// An assignment to what stands on the left of the first `=`, or a call.
    pub(super) fn assignment_or_call(&mut self) {
        let start = self.at;
        let target = self.target();
        if self.module.sign(target.end) == b"=" && target.end < self.end {
            return self.assign(start, &target);
        }
        let mut group = target.last_group.filter(|_| target.end < self.end);
        // `f (x) & y` and `f (x), y`: the parentheses belong to the first argument.
        if target.last_group.is_none() && target.end < self.end {
            group = Some(target.end);
        }
        // A call with neither parentheses nor arguments is a call all the same.
        self.bare_from = group
            .or_else(|| (target.names == 1 && target.last_group.is_none()).then_some(usize::MAX));
        let value = self.expression(0);
        self.show(&value);
        self.bare_from = None;
        self.rest();
    }

    /// The chain of names, members and parentheses at the start of a statement, without evaluating it.
    fn target(&self) -> Target {
        let mut at = self.at;
        let mut target = Target {
            end: at,
            names: 0,
            last_group: None,
        };
        let mut wants_name = true;
        while at < self.end {
            let sign = self.module.sign(at);
            if sign == b"(" && !wants_name {
                target.last_group = Some(at);
                at = self.closing(at);
            } else if matches!(sign, b"." | b"!") {
                wants_name = true;
                target.last_group = None;
                at = at.saturating_add(1);
            } else if wants_name && !self.module.word(at).is_empty() {
                wants_name = false;
                target.names = target.names.saturating_add(1);
                at = at.saturating_add(1);
            } else {
                break;
            }
            target.end = at;
        }
        target
    }

    /// Behind the parenthesis that closes the one at `at`.
    fn closing(&self, at: usize) -> usize {
        let mut depth: u32 = 0;
        for place in at..self.end {
            match self.module.sign(place) {
                b"(" => depth = depth.saturating_add(1),
                b")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return place.saturating_add(1);
            }
        }
        self.end
    }

    fn assign(&mut self, start: usize, target: &Target) {
        let module = self.module;
        let Some(token) = module.tokens().get(start) else {
            return;
        };
        let value_at = target.end.saturating_add(1);
        if target.names == 1 && target.last_group.is_none() && token.kind == TokenKind::Name {
            self.at = value_at;
            return self.assign_variable(token.symbol);
        }
        // The target too may hold calls; its own evaluation ends before the sign.
        let end = std::mem::replace(&mut self.end, target.end);
        self.rest();
        self.end = end;
        self.at = value_at;
        let value = self.expression(0);
        self.show(&value);
        self.rest();
        // What is set by its default member (`Range("A1") = …`) goes by its own name.
        let last = match target.last_group {
            Some(group) if target.names > 1 => group.saturating_sub(1),
            _ if target.names == 1 => start,
            _ => target.end.saturating_sub(1),
        };
        if !self.quiet {
            (self.sink)(Event::Assign {
                name: module.word(last),
                value: &value,
                statement: self.statement.clone(),
            });
        }
        if target.names == 1 && matches!(module.word(start), "mid" | "midb") {
            self.overwrite(start, &value);
        } else if target.names == 1 {
            self.assign_element(start, token.symbol, value);
        }
    }

    fn assign_variable(&mut self, symbol: Symbol) {
        let module = self.module;
        // `s = s & "…"` adds in place: a copy for each piece would make the work quadratic.
        let own = module
            .tokens()
            .get(self.at)
            .is_some_and(|token| token.kind == TokenKind::Name && token.symbol == symbol);
        let joins = matches!(module.sign(self.at.saturating_add(1)), b"&" | b"+");
        let mut held = None;
        if own && joins {
            // What no statement declares or sets is empty where the first one adds to it.
            let known = self.locals.contains_key(&symbol) || self.globals.contains_key(&symbol);
            held = if known {
                self.take(symbol)
            } else {
                Some(Value::Empty)
            };
            if matches!(held, Some(Value::Empty)) && module.sign(self.at.saturating_add(1)) == b"&"
            {
                held = Some(Value::Text(Text::literal(String::new(), 0)));
            }
        }
        if let Some(Value::Text(mut text)) = held {
            self.at = self.at.saturating_add(2);
            let value = self.appended();
            let kept = text.append(&value, &self.steps);
            self.set(
                symbol,
                if kept {
                    Value::Text(text)
                } else {
                    Value::Unknown
                },
            );
        } else {
            if let Some(held) = held {
                self.set(symbol, held);
            }
            let value = self.expression(0);
            self.show(&value);
            if let Some(old) = self
                .locals
                .get(&symbol)
                .or_else(|| self.globals.get(&symbol))
                .cloned()
            {
                self.show(&old);
            }
            self.set(symbol, value);
        }
        self.rest();
    }

    /// What is added to a text: pieces joined by `&` or `+`, each evaluated on its own.
    fn appended(&mut self) -> Text {
        let start = self.at;
        let mut made: Option<Text> = None;
        while self.at < self.end {
            let before = self.at;
            let value = self.expression(9);
            if self.at == before {
                break;
            }
            let piece = match super::builtins::coerce(&value) {
                Some(text) => text,
                None => Text::placeholder(&self.source_of(before)),
            };
            match &mut made {
                Some(text) => {
                    text.append(&piece, &self.steps);
                }
                None => made = Some(piece),
            }
            if !self.take_sign(b"&") {
                break;
            }
        }
        made.unwrap_or_else(|| Text::placeholder(&self.source_of(start)))
    }

    fn source_of(&self, start: usize) -> String {
        let edge = |at: usize| self.module.tokens().get(at).map(|token| token.span());
        let last = self.at.min(start.saturating_add(8)).saturating_sub(1);
        match (edge(start), edge(last)) {
            (Some(first), Some(last)) => {
                let bytes = self
                    .module
                    .data()
                    .get(first.start..last.end)
                    .unwrap_or_default();
                self.module.decode(bytes).into_owned()
            }
            _ => String::new(),
        }
    }

    /// Takes a variable's value out, so that it can be changed in place.
    fn take(&mut self, symbol: Symbol) -> Option<Value> {
        let scope = if self.locals.contains_key(&symbol) {
            &mut self.locals
        } else {
            &mut self.globals
        };
        scope.get_mut(&symbol).map(std::mem::take)
    }

    /// Gives a variable a value; an unknown one does not make a known object forgotten.
    pub(super) fn set(&mut self, symbol: Symbol, value: Value) {
        let module_level = !self.locals.contains_key(&symbol) && self.globals.contains_key(&symbol);
        let scope = if module_level {
            &mut self.globals
        } else {
            &mut self.locals
        };
        let held = scope.entry(symbol).or_default();
        if !(matches!(value, Value::Unknown) && matches!(held, Value::Object(_))) {
            *held = value;
        }
    }

    /// `Mid(text, from, length) = value`: a piece of a text is overwritten in place ([MS-VBAL] 5.4.3.5).
    fn overwrite(&mut self, start: usize, value: &Value) {
        let at = start.saturating_add(2);
        let named = self.module.tokens().get(at);
        let Some(token) = named.filter(|token| token.kind == TokenKind::Name) else {
            return;
        };
        let symbol = token.symbol;
        let (before, end) = (self.at, self.end);
        self.at = at;
        let quiet = std::mem::replace(&mut self.quiet, true);
        let given = self.list();
        self.quiet = quiet;
        (self.at, self.end) = (before, end);
        let number = |at: usize| -> Option<usize> {
            let number = given.get(at)?.value.as_whole()?;
            usize::try_from(number).ok()
        };
        let changed = || {
            let held = given.first()?.value.as_text()?;
            let with = super::builtins::coerce(value)?;
            let from = number(1)?.checked_sub(1)?;
            let most = if given.len() > 2 {
                number(2)?
            } else {
                usize::MAX
            };
            let size = held.as_str().len();
            self.pay(size)?;
            let taken = with.as_str().chars().count().min(most);
            let behind = from.saturating_add(taken);
            let chars = held.as_str().chars().enumerate();
            let kept: String = chars
                .filter(|(at, _)| *at < from || *at >= behind)
                .map(|(_, c)| c)
                .collect();
            let split = kept
                .char_indices()
                .nth(from)
                .map_or(kept.len(), |(at, _)| at);
            let mut text = kept;
            let piece: String = with.as_str().chars().take(taken).collect();
            text.insert_str(split, &piece);
            text = text.chars().take(held.as_str().chars().count()).collect();
            let built = super::value::Built::default().rearranged();
            Some(Value::Text(held.derive(text, built)))
        };
        let changed = changed().unwrap_or(Value::Unknown);
        self.set(symbol, changed);
    }

    /// An element of an array that is known; elsewhere the array is known no longer.
    fn assign_element(&mut self, start: usize, symbol: Symbol, value: Value) {
        if self.module.sign(start.saturating_add(1)) != b"(" {
            return;
        }
        let (at, end) = (self.at, self.end);
        self.at = start.saturating_add(2);
        let quiet = std::mem::replace(&mut self.quiet, true);
        let index = self
            .expression(0)
            .as_whole()
            .and_then(|index| usize::try_from(index).ok());
        self.quiet = quiet;
        (self.at, self.end) = (at, end);
        let held = self.take(symbol);
        if let (Some(Value::Array(mut items)), Some(index)) = (held, index) {
            let unique = std::rc::Rc::strong_count(&items) == 1;
            let paid = self.pay(if unique { 1 } else { items.len() }).is_some();
            if let Some(item) = std::rc::Rc::make_mut(&mut items)
                .get_mut(index)
                .filter(|_| paid)
            {
                *item = value;
                self.set(symbol, Value::Array(items));
            }
        }
    }
}

/// Most elements of an array that is made by its declaration.
const ELEMENTS: usize = 1 << 16;

impl Machine<'_, '_> {
    /// An array of one dimension with a known upper bound, nothing in it.
    fn empty_array(&self, bounds: &[Argument]) -> Value {
        let [bound] = bounds else {
            return Value::Unknown;
        };
        let len = bound
            .value
            .as_whole()
            .and_then(|bound| usize::try_from(bound).ok());
        match len.map(|bound| bound.saturating_add(1)) {
            Some(len) if len <= ELEMENTS && self.pay(len).is_some() => {
                Value::Array(std::rc::Rc::new(vec![Value::Empty; len]))
            }
            _ => Value::Unknown,
        }
    }
}

/// A variable of a class is that object, whatever it is set to later; values of other types are unknown.
fn typed_value(class: &str) -> Value {
    match class {
        "string" | "variant" | "object" | "long" | "integer" | "boolean" | "byte" | "double"
        | "single" | "date" | "currency" | "longptr" | "longlong" | "any" | "" => Value::Unknown,
        class => Value::object(class),
    }
}

struct Target {
    end: usize,
    names: u32,
    last_group: Option<usize>,
}
