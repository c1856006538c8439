//! Runs loops and functions of a module whose inputs are all known: the decoders of hidden texts.
//!
//! `For`, `Do`, `While`, `If` and `Select` with known conditions; anything else that would branch, and anything
//! unknown in a condition, ends the run without a result. Bounded by the module's steps, by a number of statements a
//! run and by the depth of calls.

use std::collections::BTreeMap;
use std::ops::Range;

use super::expression::Machine;
use super::fold::Argument;
use super::lexer::{Symbol, TokenKind};
use super::procedures::ProcedureKind;
use super::value::Value;

/// Most statements of one run.
const STATEMENTS: u32 = 20_000;

/// Functions and operators without which nothing is decoded and no object made: loops and functions that use none of
/// them are not worth a run.
const DECODING: &[&str] = &[
    "chr",
    "chrw",
    "chrb",
    "asc",
    "ascw",
    "ascb",
    "mid",
    "midb",
    "xor",
    "strreverse",
    "replace",
    "split",
    "join",
    "left",
    "right",
    "strconv",
    "array",
    "createobject",
    "getobject",
];

/// Statements that all runs of a module of `len` bytes may execute together.
pub(super) fn runs_of_source(len: usize) -> u32 {
    u32::try_from(len / 16)
        .unwrap_or(u32::MAX)
        .saturating_add(60_000)
}

/// Calls of functions within functions.
const CALLS: u32 = 8;

/// How a stretch of statements ended.
enum Flow {
    /// At its end.
    On,
    /// At an `Exit` of a loop.
    Exit,
    /// At an `Exit` of the procedure.
    Return,
}

/// Why a run gave nothing.
struct Stopped;

/// What of the machine a run changes and must put back.
struct Saved {
    at: usize,
    end: usize,
    statement: Range<usize>,
    bare_from: Option<usize>,
    depth: u32,
    quiet: bool,
    withs: Vec<Value>,
}

impl Machine<'_, '_> {
    fn save(&mut self) -> Saved {
        Saved {
            at: self.at,
            end: self.end,
            statement: self.statement.clone(),
            bare_from: self.bare_from,
            depth: self.depth,
            quiet: std::mem::replace(&mut self.quiet, true),
            withs: std::mem::take(&mut self.withs),
        }
    }

    fn restore(&mut self, saved: Saved) {
        self.at = saved.at;
        self.end = saved.end;
        self.statement = saved.statement;
        self.bare_from = saved.bare_from;
        self.depth = saved.depth;
        self.quiet = saved.quiet;
        self.withs = saved.withs;
    }

    /// What a function of the module gives for these arguments, where all of them are known.
    pub(super) fn run_function(&mut self, procedure: usize, arguments: &[Argument]) -> Value {
        let module = self.module;
        let Some(procedure) = module.procedures().get(procedure) else {
            return Value::Unknown;
        };
        let runnable = procedure.kind == ProcedureKind::Function
            && !arguments.is_empty()
            && arguments
                .iter()
                .all(|one| one.name.is_none() && one.value.is_known())
            && self.calls < CALLS
            && self.decodes(&procedure.statements);
        if !runnable {
            return Value::Unknown;
        }
        let saved = self.save();
        let mut locals: BTreeMap<Symbol, Value> = BTreeMap::new();
        for (at, name) in procedure.parameters.iter().enumerate() {
            let value = arguments.get(at).map(|one| one.value.clone());
            locals.insert(*name, value.unwrap_or_default());
        }
        locals.insert(procedure.symbol, Value::Empty);
        let outer = std::mem::replace(&mut self.locals, locals);
        self.calls = self.calls.saturating_add(1);
        let mut left = STATEMENTS;
        let body = procedure.statements.start.saturating_add(1)
            ..procedure.statements.end.saturating_sub(1);
        let ended = self.run(body, &mut left, 0);
        self.calls = self.calls.saturating_sub(1);
        let locals = std::mem::replace(&mut self.locals, outer);
        self.restore(saved);
        match (ended, locals.get(&procedure.symbol)) {
            (Ok(_), Some(Value::Text(text))) => {
                // Whatever the function did, its result was not written where it is used.
                let result = text.derive(
                    text.as_str().to_owned(),
                    super::value::Built::default().rearranged(),
                );
                Value::Text(result)
            }
            (Ok(_), Some(Value::Empty)) => Value::Unknown,
            (Ok(_), Some(value)) => value.clone(),
            _ => Value::Unknown,
        }
    }

    /// Runs the loop that starts at a statement: its last statement and the variables behind it.
    pub(super) fn run_loop(
        &mut self,
        ordinal: usize,
        inside: bool,
    ) -> Option<(usize, BTreeMap<Symbol, Value>)> {
        let module = self.module;
        let statement = module.statements().get(ordinal).filter(|_| inside)?;
        let first = module.word(statement.tokens.start);
        if !matches!(first, "for" | "do" | "while") || self.locals.is_empty() {
            return None;
        }
        let last = self.block_end(ordinal)?;
        if !self.decodes(&(ordinal..last)) {
            return None;
        }
        self.pay(self.locals.len())?;
        let before = self.locals.clone();
        let saved = self.save();
        let mut left = STATEMENTS;
        let ended = self.run(ordinal..last.saturating_add(1), &mut left, 0);
        self.restore(saved);
        let after = std::mem::replace(&mut self.locals, before);
        ended.is_ok().then_some((last, after))
    }

    /// Counts a statement of a run, which ends where there are none left for it or for the module.
    fn count(&mut self, left: &mut u32) -> Result<(), Stopped> {
        *left = left.checked_sub(1).ok_or(Stopped)?;
        self.runs = self.runs.checked_sub(1).ok_or(Stopped)?;
        Ok(())
    }

    /// Whether statements use something by which texts are decoded; paid from the statements of runs.
    fn decodes(&mut self, statements: &Range<usize>) -> bool {
        let module = self.module;
        let edge = |at: usize| module.statements().get(at).map(|one| one.tokens.clone());
        let (Some(first), Some(last)) = (
            edge(statements.start),
            edge(statements.end.saturating_sub(1)),
        ) else {
            return false;
        };
        let mut tokens = first.start..last.end;
        let price = u32::try_from(tokens.len() / 64).unwrap_or(u32::MAX);
        let Some(rest) = self.runs.checked_sub(price) else {
            return false;
        };
        self.runs = rest;
        tokens.any(|at| DECODING.contains(&module.word(at)))
    }

    /// The statement that closes the block opened at `ordinal`; paid by the statements passed.
    fn block_end(&self, ordinal: usize) -> Option<usize> {
        let module = self.module;
        let opening = module.statements().get(ordinal)?;
        let closes = match module.word(opening.tokens.start) {
            "for" => "next",
            "do" => "loop",
            "while" => "wend",
            "select" | "if" | "with" => "end",
            _ => return None,
        };
        let mut depth: u32 = 0;
        for (at, statement) in module.statements().iter().enumerate().skip(ordinal) {
            self.pay(1)?;
            let first = module.word(statement.tokens.start);
            let second = module.word(statement.tokens.start.saturating_add(1));
            let opens = first == module.word(opening.tokens.start)
                && (first != "if" || self.is_block_if(at));
            let closed =
                first == closes && (closes != "end" || second == module.word(opening.tokens.start));
            if opens {
                depth = depth.saturating_add(1);
            } else if closed {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            } else if first == "end" && matches!(second, "sub" | "function" | "property") {
                return None;
            }
        }
        None
    }

    /// Whether nothing follows `Then` on the line of the `If` at `ordinal`.
    fn is_block_if(&self, ordinal: usize) -> bool {
        let statements = self.module.statements();
        match (
            statements.get(ordinal),
            statements.get(ordinal.saturating_add(1)),
        ) {
            (Some(one), Some(next)) => one.line != next.line,
            _ => true,
        }
    }

    /// Runs statements one after the other.
    fn run(&mut self, range: Range<usize>, left: &mut u32, depth: u32) -> Result<Flow, Stopped> {
        if depth > 16 {
            return Err(Stopped);
        }
        let module = self.module;
        let mut at = range.start;
        while at < range.end {
            self.count(left)?;
            let statement = module.statements().get(at).ok_or(Stopped)?;
            let start = statement.tokens.start;
            self.enter_statement(at);
            match module.word(start) {
                "for" => {
                    let last = self.block_end(at).ok_or(Stopped)?;
                    if let Flow::Return = self.run_for(at, last, left, depth)? {
                        return Ok(Flow::Return);
                    }
                    at = last;
                }
                "do" | "while" => {
                    let last = self.block_end(at).ok_or(Stopped)?;
                    if let Flow::Return = self.run_while(at, last, left, depth)? {
                        return Ok(Flow::Return);
                    }
                    at = last;
                }
                "if" => {
                    let (flow, next) = self.run_if(at, left, depth)?;
                    if !matches!(flow, Flow::On) {
                        return Ok(flow);
                    }
                    at = next;
                    continue;
                }
                "exit" => {
                    return Ok(match module.word(start.saturating_add(1)) {
                        "for" | "do" => Flow::Exit,
                        _ => Flow::Return,
                    });
                }
                "end" if module.word(start.saturating_add(1)) == "if" => {}
                "select" | "goto" | "gosub" | "return" | "else" | "elseif" => return Err(Stopped),
                "end" => {}
                _ => self.execute(true),
            }
            at = at.saturating_add(1);
        }
        Ok(Flow::On)
    }

    fn run_for(
        &mut self,
        header: usize,
        last: usize,
        left: &mut u32,
        depth: u32,
    ) -> Result<Flow, Stopped> {
        let module = self.module;
        self.step();
        let each = self.take_word("each");
        let token = module.tokens().get(self.at).ok_or(Stopped)?;
        if token.kind != TokenKind::Name {
            return Err(Stopped);
        }
        let variable = token.symbol;
        self.step();
        let values: Box<dyn Iterator<Item = Value>> = if each {
            self.take_word("in");
            match self.expression(0) {
                Value::Array(items) => {
                    Box::new((0..items.len()).filter_map(move |at| items.get(at).cloned()))
                }
                _ => return Err(Stopped),
            }
        } else {
            if !self.take_sign(b"=") {
                return Err(Stopped);
            }
            let from = self.expression(0).as_whole().ok_or(Stopped)?;
            if !self.take_word("to") {
                return Err(Stopped);
            }
            let to = self.expression(0).as_whole().ok_or(Stopped)?;
            let by = if self.take_word("step") {
                self.expression(0)
                    .as_whole()
                    .filter(|by| *by != 0)
                    .ok_or(Stopped)?
            } else {
                1
            };
            Box::new(counted(from, to, by))
        };
        for value in values {
            self.count(left)?;
            self.set(variable, value);
            match self.run(
                header.saturating_add(1)..last,
                left,
                depth.saturating_add(1),
            )? {
                Flow::On => {}
                Flow::Exit => break,
                Flow::Return => return Ok(Flow::Return),
            }
        }
        Ok(Flow::On)
    }

    /// `Do [While|Until c] … Loop [While|Until c]` and `While c … Wend`.
    fn run_while(
        &mut self,
        header: usize,
        last: usize,
        left: &mut u32,
        depth: u32,
    ) -> Result<Flow, Stopped> {
        let goes_on = |machine: &mut Self, ordinal: usize| {
            machine.enter_statement(ordinal);
            let first = machine.word().to_owned();
            machine.step();
            let until = match machine.word() {
                "while" | "until" => {
                    let until = machine.word() == "until";
                    machine.step();
                    until
                }
                _ if first == "while" => false,
                _ => return Ok(true),
            };
            let truth = machine.expression(0).as_number().ok_or(Stopped)? != 0.0;
            Ok(truth != until)
        };
        while goes_on(self, header)? {
            self.count(left)?;
            match self.run(
                header.saturating_add(1)..last,
                left,
                depth.saturating_add(1),
            )? {
                Flow::On => {}
                Flow::Exit => break,
                Flow::Return => return Ok(Flow::Return),
            }
            if !goes_on(self, last)? {
                break;
            }
        }
        Ok(Flow::On)
    }

    /// Runs the branch whose condition holds; tells the statement that comes next.
    fn run_if(
        &mut self,
        header: usize,
        left: &mut u32,
        depth: u32,
    ) -> Result<(Flow, usize), Stopped> {
        let module = self.module;
        let mut holds = self.condition()?;
        if !self.is_block_if(header) {
            return self.run_line_if(header, holds, left, depth);
        }
        let end = self.block_end(header).ok_or(Stopped)?;
        let next = end.saturating_add(1);
        let mut start = header.saturating_add(1);
        let mut nested: u32 = 0;
        for at in header.saturating_add(1)..next {
            self.pay(1).ok_or(Stopped)?;
            let statement = module.statements().get(at).ok_or(Stopped)?;
            let first = module.word(statement.tokens.start);
            if first == "if" && self.is_block_if(at) {
                nested = nested.saturating_add(1);
            } else if first == "end"
                && module.word(statement.tokens.start.saturating_add(1)) == "if"
                && at != end
            {
                nested = nested.saturating_sub(1);
            }
            let own_line = at
                .checked_sub(1)
                .and_then(|before| module.statements().get(before))
                .is_none_or(|before| before.line != statement.line);
            let branches = matches!(first, "else" | "elseif") && nested == 0 && own_line;
            if !(branches || at == end) {
                continue;
            }
            if holds {
                return Ok((self.run(start..at, left, depth.saturating_add(1))?, next));
            }
            start = at.saturating_add(1);
            if first == "elseif" {
                self.enter_statement(at);
                holds = self.condition()?;
            } else {
                holds = first == "else";
            }
        }
        Ok((Flow::On, next))
    }

    fn run_line_if(
        &mut self,
        header: usize,
        holds: bool,
        left: &mut u32,
        depth: u32,
    ) -> Result<(Flow, usize), Stopped> {
        let statements = self.module.statements();
        let line = statements.get(header).ok_or(Stopped)?.line;
        let mut end = header.saturating_add(1);
        let mut other = None;
        while let Some(statement) = statements.get(end).filter(|one| one.line == line) {
            self.pay(1).ok_or(Stopped)?;
            match self.module.word(statement.tokens.start) {
                "else" if other.is_none() => other = Some(end),
                // A second condition on the line binds its own Else: seldom, and not followed.
                "if" => return Err(Stopped),
                _ => {}
            }
            end = end.saturating_add(1);
        }
        let branch = match (holds, other) {
            (true, other) => header.saturating_add(1)..other.unwrap_or(end),
            (false, Some(other)) => other.saturating_add(1)..end,
            (false, None) => end..end,
        };
        Ok((self.run(branch, left, depth.saturating_add(1))?, end))
    }

    /// The condition behind `If` or `ElseIf`.
    fn condition(&mut self) -> Result<bool, Stopped> {
        self.step();
        let number = self.expression(0).as_number().ok_or(Stopped)?;
        Ok(number != 0.0)
    }
}

/// The numbers of a `For` loop; ends with the range or where a number does not fit.
fn counted(from: i64, to: i64, by: i64) -> impl Iterator<Item = Value> {
    let within = move |at: &i64| if by > 0 { *at <= to } else { *at >= to };
    std::iter::successors(Some(from), move |at| at.checked_add(by))
        .take_while(within)
        .map_while(super::value::whole_to_number)
        .map(Value::Number)
}
