//! What the constant expressions of Excel 4 macros come to, in a bounded number of steps.
//!
//! Cells are taken in the order in which macros mostly run, down the columns; cells that `FORMULA` and its kin write are
//! taken along. Nothing is run: conditions, loops and whatever asks for the state of the computer stay unknown. Which
//! calls are worth telling is for the caller to say.

use std::collections::{BTreeMap, BTreeSet};

use super::formula::{Address, Formula, Node, NodeId, Operator};
use super::source::{Line, Source};

/// Nodes worked out, and characters by sixteens.
const STEPS: usize = 2_000_000;

/// Cells that refer to cells, names that refer to names.
const DEPTH: usize = 48;

/// Characters of a text: what Excel allows in a cell.
const TEXT: usize = 32_767;

/// Rounds over the cells: a cell that is written in one is taken in the next.
const ROUNDS: usize = 4;

/// Calls that are told.
const CALLS: usize = 2_000;

/// Characters of a call that are told.
const TOLD: usize = 2_000;

/// A call of a function that the caller asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Offset of its line in the source.
    pub offset: usize,
    /// The cell or name that it stands in, as written.
    pub place: String,
    /// The function, in capitals.
    pub function: String,
    /// The whole formula as it stands.
    pub formula: String,
    /// The call with its arguments worked out.
    pub call: String,
    /// The arguments that could be worked out.
    pub arguments: Vec<Option<String>>,
}

/// What folding showed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folded {
    /// Calls in the order of the source, those of written cells behind them.
    pub calls: Vec<Call>,
    /// Texts that were put together, without those that stand in the source as they are.
    pub texts: BTreeSet<String>,
}

/// Works out a source; `asked` says of the name of a function, in capitals, whether its calls are to be told.
pub fn fold(source: &Source<'_>, asked: &dyn Fn(&str) -> bool) -> Folded {
    let mut folder = Folder::new(source, asked);
    let mut before = usize::MAX;
    // Ends after a few rounds, or once nothing more is written.
    for _ in 0..ROUNDS {
        folder.round();
        if folder.written == before || folder.steps == 0 {
            break;
        }
        before = folder.written;
        folder.forget();
    }
    folder.folded.calls = folder.calls.into_values().collect();
    folder.folded
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(String),
    Number(f64),
    Logical(bool),
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Logical(value) => (if *value { "TRUE" } else { "FALSE" }).to_owned(),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Number(number) => Some(*number),
            Self::Logical(value) => Some(f64::from(u8::from(*value))),
        }
    }

    /// As a count of characters or a code.
    fn count(&self) -> Option<usize> {
        let number = self.number()?;
        // Saturating: what is too large is no count.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded just before"
        )]
        (0.0..=1_000_000.0)
            .contains(&number)
            .then_some(number as usize)
    }
}

/// Sheet in lower case, column, row: the order in which macros run.
type Place = (String, u32, u32);

struct Entry {
    offset: usize,
    place: String,
    formula: Option<Formula>,
    value: Option<Value>,
    /// Whether the value was worked out, or is being.
    done: bool,
}

struct Folder<'f> {
    asked: &'f dyn Fn(&str) -> bool,
    cells: BTreeMap<Place, Entry>,
    names: BTreeMap<String, Entry>,
    steps: usize,
    depth: usize,
    written: usize,
    /// Calls by the offset of their line, their place, formula and node.
    calls: BTreeMap<(usize, String, String, NodeId), Call>,
    folded: Folded,
}

impl<'f> Folder<'f> {
    fn new(source: &Source<'_>, asked: &'f dyn Fn(&str) -> bool) -> Self {
        let mut folder = Self {
            asked,
            cells: BTreeMap::new(),
            names: BTreeMap::new(),
            steps: STEPS,
            depth: 0,
            written: 0,
            calls: BTreeMap::new(),
            folded: Folded::default(),
        };
        for (offset, line) in &source.lines {
            match line {
                Line::Remark(_) => {}
                Line::Name { name, formula } => {
                    folder.names.insert(
                        name.to_lowercase(),
                        entry(*offset, name, Some(Formula::read(formula)), None),
                    );
                }
                Line::Cell {
                    place,
                    address,
                    content,
                } => {
                    let read = match content.strip_prefix('=') {
                        Some(formula) => entry(
                            *offset,
                            place,
                            Some(Formula::read_at(formula, address.row, address.column)),
                            None,
                        ),
                        None => {
                            let formula = Formula::read(content);
                            // A text with control characters stands there as an expression.
                            entry(*offset, place, Some(formula), None)
                        }
                    };
                    folder.cells.insert(key(address, ""), read);
                }
            }
        }
        folder
    }

    /// Works out every name and cell once.
    fn round(&mut self) {
        for name in self.names.keys().cloned().collect::<Vec<_>>() {
            self.name_value(&name);
        }
        for place in self.cells.keys().cloned().collect::<Vec<_>>() {
            self.cell_value(&place);
        }
    }

    /// Makes the values of formulas unknown again.
    fn forget(&mut self) {
        for entry in self.cells.values_mut().chain(self.names.values_mut()) {
            if entry.formula.is_some() {
                entry.done = false;
            }
        }
    }

    fn spend(&mut self, steps: usize) -> bool {
        self.steps = self.steps.saturating_sub(steps);
        self.steps > 0
    }

    fn cell_value(&mut self, place: &Place) -> Option<Value> {
        let entry = self.cells.get_mut(place)?;
        if entry.done {
            return entry.value.clone();
        }
        entry.done = true;
        let formula = entry.formula.take()?;
        let (offset, written) = (entry.offset, entry.place.clone());
        let value = self.evaluate(&formula, &place.0, offset, &written);
        if let Some(entry) = self.cells.get_mut(place) {
            // `FORMULA` may have written the cell meanwhile.
            if entry.formula.is_none() && entry.offset == offset {
                entry.formula = Some(formula);
                entry.value.clone_from(&value);
            }
        }
        value
    }

    fn name_value(&mut self, name: &str) -> Option<Value> {
        let entry = self.names.get_mut(name)?;
        if entry.done {
            return entry.value.clone();
        }
        entry.done = true;
        let formula = entry.formula.take()?;
        let (offset, written) = (entry.offset, entry.place.clone());
        let value = self.evaluate(&formula, "", offset, &written);
        if let Some(entry) = self.names.get_mut(name) {
            entry.formula = Some(formula);
            entry.value.clone_from(&value);
        }
        value
    }

    /// The value of a formula that stands on `sheet`. What it calls and writes is noted on the way.
    fn evaluate(
        &mut self,
        formula: &Formula,
        sheet: &str,
        offset: usize,
        place: &str,
    ) -> Option<Value> {
        if self.depth >= DEPTH {
            return None;
        }
        self.depth = self.depth.saturating_add(1);
        let mut values: Vec<Option<Value>> = Vec::with_capacity(formula.nodes().len());
        for node in formula.nodes() {
            let value = if self.spend(1) {
                self.node(formula, node, &values, sheet, (offset, place))
            } else {
                None
            };
            if let Some(Value::Text(text)) = &value {
                self.spend(text.len() / 16);
            }
            values.push(value);
            if let Node::Call(name, arguments) = node {
                self.call(formula, name, arguments, &values, (offset, place));
            }
        }
        self.depth = self.depth.saturating_sub(1);
        let root = formula.root()?;
        let value = values.get(root).cloned().flatten();
        self.assignment(formula, &values);
        if let Some(Value::Text(text)) = &value
            && !matches!(formula.nodes().get(root), Some(Node::Text(_)))
            && self.folded.texts.len() < CALLS
        {
            self.folded.texts.insert(text.clone());
        }
        value
    }

    /// `name=expression` sets a name on a macro sheet.
    fn assignment(&mut self, formula: &Formula, values: &[Option<Value>]) {
        let Some(Node::Binary(Operator::Equal, left, right)) =
            formula.root().and_then(|root| formula.nodes().get(root))
        else {
            return;
        };
        if let Some(Node::Word(name)) = formula.nodes().get(*left) {
            self.set_name(name, values.get(*right).cloned().flatten());
        }
    }

    fn set_name(&mut self, name: &str, value: Option<Value>) {
        let (Some(value), false) = (value, self.names.len() > CALLS) else {
            return;
        };
        let name = name.to_lowercase();
        if self
            .names
            .get(&name)
            .is_some_and(|entry| entry.formula.is_some() || entry.value.as_ref() == Some(&value))
        {
            return;
        }
        self.written = self.written.saturating_add(1);
        let mut set = entry(0, &name, None, Some(value));
        set.done = true;
        self.names.insert(name, set);
    }

    fn node(
        &mut self,
        formula: &Formula,
        node: &Node,
        values: &[Option<Value>],
        sheet: &str,
        from: (usize, &str),
    ) -> Option<Value> {
        let known = |id: &NodeId| values.get(*id).cloned().flatten();
        match node {
            Node::Text(text) => Some(Value::Text(text.clone())),
            Node::Number(number) => Some(Value::Number(*number)),
            Node::Logical(value) => Some(Value::Logical(*value)),
            Node::Missing => None,
            Node::Cell(address) => self.cell_value(&key(address, sheet)),
            Node::Word(name) => {
                // A name may be written with the sheet that it belongs to.
                let name = name.rsplit('!').next().unwrap_or(name).to_lowercase();
                self.name_value(&name)
            }
            Node::Prefix('-', operand) => Some(Value::Number(-known(operand)?.number()?)),
            Node::Prefix(_, operand) | Node::Group(operand) => known(operand),
            Node::Percent(operand) => Some(Value::Number(known(operand)?.number()? / 100.0)),
            Node::Binary(operator, left, right) => binary(*operator, &known(left)?, &known(right)?),
            Node::Call(name, arguments) => self.function(formula, name, arguments, values, from),
        }
    }

    fn function(
        &mut self,
        formula: &Formula,
        name: &str,
        arguments: &[NodeId],
        values: &[Option<Value>],
        from: (usize, &str),
    ) -> Option<Value> {
        let argument = |at: usize| {
            arguments
                .get(at)
                .and_then(|id| values.get(*id))
                .cloned()
                .flatten()
        };
        let name = name.to_ascii_uppercase();
        match name.as_str() {
            "EVALUATE" => {
                let text = argument(0)?.text();
                let inner = Formula::read(text.strip_prefix('=').unwrap_or(&text));
                self.evaluate(&inner, "", from.0, from.1)
            }
            "SET.NAME" => {
                let name = argument(0)?.text();
                self.set_name(&name, argument(1));
                None
            }
            "FORMULA" | "FORMULA.FILL" | "FORMULA.ARRAY" => {
                let text = argument(0)?;
                self.write(formula, arguments.get(1), argument(1), text, from);
                None
            }
            "SET.VALUE" => {
                let value = argument(1)?;
                self.write(formula, arguments.first(), None, value, from);
                None
            }
            "SUM" => self.sum(formula, arguments, values),
            _ => {
                let arguments: Vec<_> = (0..arguments.len()).map(argument).collect();
                constant_function(&name, &arguments)
            }
        }
    }

    /// The sum of constants; areas stay unknown.
    fn sum(
        &self,
        formula: &Formula,
        arguments: &[NodeId],
        values: &[Option<Value>],
    ) -> Option<Value> {
        let mut sum = 0.0;
        for id in arguments {
            let plain = !matches!(
                formula.nodes().get(*id),
                Some(Node::Binary(Operator::Range, ..))
            );
            sum += values.get(*id)?.as_ref().filter(|_| plain)?.number()?;
        }
        Some(Value::Number(sum))
    }

    /// Puts what `FORMULA` writes into its cell; where that is unknown it is worked out by itself.
    fn write(
        &mut self,
        formula: &Formula,
        target: Option<&NodeId>,
        named: Option<Value>,
        value: Value,
        from: (usize, &str),
    ) {
        let address = match target.and_then(|id| formula.nodes().get(*id)) {
            Some(Node::Cell(address)) => Some(address.clone()),
            Some(Node::Text(_) | Node::Call(..)) => {
                named.and_then(|text| match Formula::read(&text.text()).nodes() {
                    [Node::Cell(address)] => Some(address.clone()),
                    _ => None,
                })
            }
            _ => None,
        };
        let own_sheet = || {
            from.1
                .rsplit_once('!')
                .map_or("", |(sheet, _)| sheet)
                .trim_matches('\'')
                .to_owned()
        };
        let text = value.text();
        let base = address
            .as_ref()
            .map_or((0, 0), |address| (address.row, address.column));
        let inner = text
            .strip_prefix('=')
            .map(|text| Formula::read_at(text, base.0, base.1));
        let Some(mut address) = address else {
            if let Some(inner) = inner {
                self.evaluate(&inner, &own_sheet().to_lowercase(), from.0, from.1);
            }
            return;
        };
        address.sheet.get_or_insert_with(own_sheet);
        let place = key(&address, "");
        if self.cells.len() > CALLS.saturating_mul(50)
            || self
                .cells
                .get(&place)
                .is_some_and(|cell| cell.offset == from.0)
        {
            return;
        }
        let prefix = super::formula::sheet_prefix(address.sheet.as_deref().unwrap_or_default());
        let shown = format!(
            "{prefix}{}{}",
            super::formula::column_name(address.column),
            address.row.saturating_add(1)
        );
        self.written = self.written.saturating_add(1);
        let constant = inner.is_none().then_some(value);
        let mut written = entry(from.0, &shown, inner, constant);
        written.done = written.formula.is_none();
        self.cells.insert(place, written);
    }

    /// Notes a call that was asked for.
    fn call(
        &mut self,
        formula: &Formula,
        name: &str,
        arguments: &[NodeId],
        values: &[Option<Value>],
        from: (usize, &str),
    ) {
        for id in arguments {
            let literal = matches!(formula.nodes().get(*id), Some(Node::Text(_)));
            if let Some(Some(Value::Text(text))) = values.get(*id)
                && !literal
                && text.len() > 3
                && self.folded.texts.len() < CALLS
            {
                self.folded.texts.insert(text.clone());
            }
        }
        let function = name.rsplit('!').next().unwrap_or(name).to_ascii_uppercase();
        if !(self.asked)(&function) || self.calls.len() >= CALLS {
            return;
        }
        let mut call = format!("{function}(");
        for (at, id) in arguments.iter().enumerate() {
            if at > 0 {
                call.push(',');
            }
            if call.len() > TOLD {
                call.push('…');
                break;
            }
            match values.get(*id).and_then(Option::as_ref) {
                Some(Value::Text(text)) => call.push_str(&super::formula::quoted(text)),
                Some(value) => call.push_str(&value.text()),
                None => call.push_str(&formula.text(*id, TOLD)),
            }
        }
        call.push(')');
        let written = formula
            .root()
            .map(|root| formula.text(root, TOLD))
            .unwrap_or_default();
        let arguments: Vec<_> = arguments
            .iter()
            .map(|id| values.get(*id).and_then(Option::as_ref).map(Value::text))
            .collect();
        let known = |arguments: &[Option<String>]| arguments.iter().flatten().count();
        let key = (
            from.0,
            from.1.to_owned(),
            written.clone(),
            values.len().saturating_sub(1),
        );
        // A later round may know less, where the macro wipes what it used.
        if let Some(before) = self.calls.get(&key)
            && known(&before.arguments) > known(&arguments)
        {
            return;
        }
        let call = Call {
            offset: from.0,
            place: from.1.to_owned(),
            function,
            formula: written,
            call,
            arguments,
        };
        self.calls.insert(key, call);
    }
}

fn entry(offset: usize, place: &str, formula: Option<Formula>, value: Option<Value>) -> Entry {
    Entry {
        offset,
        place: place.to_owned(),
        formula,
        value,
        done: false,
    }
}

fn key(address: &Address, sheet: &str) -> Place {
    let sheet = address.sheet.as_deref().unwrap_or(sheet).to_lowercase();
    (sheet, address.column, address.row)
}

fn binary(operator: Operator, left: &Value, right: &Value) -> Option<Value> {
    let numbers = || Some((left.number()?, right.number()?));
    let number = |number: f64| number.is_finite().then_some(Value::Number(number));
    match operator {
        Operator::Concat => {
            let mut text = left.text();
            text.push_str(&right.text());
            bounded(text)
        }
        Operator::Add => numbers().and_then(|(a, b)| number(a + b)),
        Operator::Subtract => numbers().and_then(|(a, b)| number(a - b)),
        Operator::Multiply => numbers().and_then(|(a, b)| number(a * b)),
        Operator::Divide => numbers().and_then(|(a, b)| number(a / b)),
        Operator::Power => numbers().and_then(|(a, b)| number(a.powf(b))),
        Operator::Equal => Some(Value::Logical(left == right)),
        Operator::NotEqual => Some(Value::Logical(left != right)),
        Operator::Less => numbers().map(|(a, b)| Value::Logical(a < b)),
        Operator::LessEqual => numbers().map(|(a, b)| Value::Logical(a <= b)),
        Operator::Greater => numbers().map(|(a, b)| Value::Logical(a > b)),
        Operator::GreaterEqual => numbers().map(|(a, b)| Value::Logical(a >= b)),
        Operator::Intersection | Operator::Union | Operator::Range => None,
    }
}

fn bounded(text: String) -> Option<Value> {
    (text.len() <= TEXT).then_some(Value::Text(text))
}

/// Functions whose value follows from constant arguments.
fn constant_function(name: &str, arguments: &[Option<Value>]) -> Option<Value> {
    let value = |at: usize| arguments.get(at).and_then(Option::as_ref);
    let text = |at: usize| value(at).map(Value::text);
    let count = |at: usize| value(at).and_then(Value::count);
    let number = |at: usize| value(at).and_then(Value::number);
    match name {
        "CHAR" => character(count(0)?),
        "UNICHAR" => bounded(char::from_u32(u32::try_from(count(0)?).ok()?)?.to_string()),
        "CODE" | "UNICODE" => Some(Value::Number(f64::from(u32::from(
            text(0)?.chars().next()?,
        )))),
        "CONCATENATE" | "CONCAT" => {
            let mut joined = String::new();
            for at in 0..arguments.len() {
                joined.push_str(&text(at)?);
            }
            bounded(joined)
        }
        "MID" | "MIDB" => {
            let start = count(1)?.checked_sub(1)?;
            bounded(text(0)?.chars().skip(start).take(count(2)?).collect())
        }
        "LEFT" | "LEFTB" => bounded(
            text(0)?
                .chars()
                .take(if arguments.len() > 1 { count(1)? } else { 1 })
                .collect(),
        ),
        "RIGHT" | "RIGHTB" => {
            let whole = text(0)?;
            let wanted = if arguments.len() > 1 { count(1)? } else { 1 };
            bounded(
                whole
                    .chars()
                    .skip(whole.chars().count().saturating_sub(wanted))
                    .collect(),
            )
        }
        "LEN" => Some(Value::Number(f64::from(
            u32::try_from(text(0)?.chars().count()).ok()?,
        ))),
        "LOWER" => bounded(text(0)?.to_lowercase()),
        "UPPER" => bounded(text(0)?.to_uppercase()),
        "TRIM" | "T" | "RETURN" | "CLEAN" => bounded(text(0)?.trim_matches(' ').to_owned()),
        "REPT" => {
            let (piece, times) = (text(0)?, count(1)?);
            (piece.len().saturating_mul(times) <= TEXT).then(|| Value::Text(piece.repeat(times)))
        }
        "SUBSTITUTE" => {
            let (old, new) = (text(1)?, text(2)?);
            if old.is_empty() || arguments.len() > 3 || new.len() > 1000 {
                return None;
            }
            bounded(text(0)?.replace(&old, &new))
        }
        "REPLACE" => {
            let (whole, start, len) = (text(0)?, count(1)?.checked_sub(1)?, count(2)?);
            let head: String = whole.chars().take(start).collect();
            let tail: String = whole.chars().skip(start.saturating_add(len)).collect();
            bounded(format!("{head}{}{tail}", text(3)?))
        }
        "VALUE" | "N" => Some(Value::Number(number(0)?)),
        "INT" | "TRUNC" => Some(Value::Number(number(0)?.floor())),
        "ABS" => Some(Value::Number(number(0)?.abs())),
        "ROUND" => Some(Value::Number(number(0)?.round())),
        "SQRT" => Some(Value::Number(number(0)?.sqrt())),
        "MOD" => {
            let (a, b) = (number(0)?, number(1)?);
            (b != 0.0).then(|| Value::Number(a - b * (a / b).floor()))
        }
        "PRODUCT" => (0..arguments.len())
            .try_fold(1.0, |all, at| Some(all * number(at)?))
            .map(Value::Number),
        "HEX2DEC" => u32::from_str_radix(&text(0)?, 16)
            .ok()
            .map(|number| Value::Number(f64::from(number))),
        "IF" => match value(0)? {
            Value::Logical(true) => value(1).cloned(),
            Value::Logical(false) => value(2).cloned(),
            other => if other.number()? != 0.0 {
                value(1)
            } else {
                value(2)
            }
            .cloned(),
        },
        _ => None,
    }
}

/// A character of the code page of Western Europe, which is what macros put together mean.
fn character(code: usize) -> Option<Value> {
    let byte = u8::try_from(code).ok()?;
    let (text, ..) =
        encoding_rs::WINDOWS_1252.decode_without_bom_handling(std::slice::from_ref(&byte));
    Some(Value::Text(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(text: &str) -> Vec<String> {
        let asked = |name: &str| matches!(name, "EXEC" | "CALL");
        fold(&Source::read(text), &asked)
            .calls
            .into_iter()
            .map(|call| call.call)
            .collect()
    }

    #[test]
    fn constants_are_put_together_over_cells_and_names() {
        let text =
            "part\t=\"lc.e\"\nM!A1\t=EXEC(CHAR(98+1)&M!B1&part&MID(\"axeb\",2,2))\nM!B1\t\"a\"\n";
        assert_eq!(calls(text), ["EXEC(\"calc.exe\")"]);
        assert_eq!(
            calls("M!A1\t=EXEC(GET.WORKSPACE(1)&\"x\")"),
            ["EXEC(GET.WORKSPACE(1)&\"x\")"]
        );
        assert_eq!(
            calls("M!A1\t=SET.NAME(\"v\",\"x\")\nM!A2\t=CALL(v,UPPER(v))"),
            ["CALL(\"x\",\"X\")"]
        );
        assert_eq!(calls("M!A1\t=v=\"x\"\nM!A2\t=EXEC(v)"), ["EXEC(\"x\")"]);
    }

    #[test]
    fn what_formula_writes_is_taken_along() {
        let text = "M!A1\t=FORMULA(\"=EX\"&\"EC(\"\"calc\"\"&R1C4)\",M!C9)\nM!D1\t\".exe\"\n";
        assert_eq!(calls(text), ["EXEC(\"calc.exe\")"]);
        assert_eq!(
            calls("M!A1\t=FORMULA.FILL(\"=EXEC(1)\",ACTIVE.CELL())"),
            ["EXEC(1)"]
        );
        assert_eq!(calls("M!A1\t=EVALUATE(\"EXEC(1+1)\")"), ["EXEC(2)"]);
    }

    #[test]
    fn circles_and_bombs_end() {
        assert_eq!(
            calls("M!A1\t=M!A2&1\nM!A2\t=M!A1&1\nM!A3\t=EXEC(M!A1)"),
            ["EXEC(M!A1)"]
        );
        let mut text = "M!A1\t\"aaaaaaaaaaaaaaaa\"\n".to_owned();
        for row in 2..5000 {
            text.push_str(&format!("M!A{row}\t=M!A{0}&M!A{0}\n", row - 1));
        }
        assert!(calls(&text).is_empty());
        assert!(
            calls(&format!(
                "M!A1\t=FORMULA(\"=FORMULA(M!A1,M!A1)\",M!A1){}",
                "&1".repeat(9000)
            ))
            .is_empty()
        );
    }
}
