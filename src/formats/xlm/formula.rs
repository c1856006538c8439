//! Formulas as trees ([MS-XLSX] 2.2.2, ECMA-376 part 1, 18.17.2; R1C1 notation as SYLK and `FORMULA` use it), read from
//! text and written as text.
//!
//! Nodes stand in one list, children before their parents, so that whoever works on a formula goes over the list once
//! and never recurses. Names of functions are kept as they stand; nothing is checked against what Excel would accept.

use std::fmt::Write as _;

/// Position of a node in its formula.
pub type NodeId = usize;

/// Brackets and signs within each other: Excel allows 64 levels of functions.
const DEPTH: usize = 200;

/// Nodes of one formula: Excel's formulas have at most 8192 characters.
const NODES: usize = 20_000;

/// Columns and rows of a sheet (Excel 2007 and later).
const COLUMNS: u32 = 16_384;
const ROWS: u32 = 1_048_576;

/// What stands between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "their signs say what they are")]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Concat,
    Less,
    LessEqual,
    Equal,
    GreaterEqual,
    Greater,
    NotEqual,
    Intersection,
    Union,
    Range,
}

impl Operator {
    /// How it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Power => "^",
            Self::Concat => "&",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Equal => "=",
            Self::GreaterEqual => ">=",
            Self::Greater => ">",
            Self::NotEqual => "<>",
            Self::Intersection => " ",
            Self::Union => ",",
            Self::Range => ":",
        }
    }

    /// How strongly it binds.
    fn strength(self) -> u8 {
        match self {
            Self::Less
            | Self::LessEqual
            | Self::Equal
            | Self::GreaterEqual
            | Self::Greater
            | Self::NotEqual => 1,
            Self::Concat => 2,
            Self::Add | Self::Subtract => 3,
            Self::Multiply | Self::Divide => 4,
            Self::Power => 5,
            Self::Intersection | Self::Union | Self::Range => 7,
        }
    }
}

/// A cell of a sheet; rows and columns count from 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Address {
    /// The sheet as written, where one is.
    pub sheet: Option<String>,
    /// Its row.
    pub row: u32,
    /// Its column.
    pub column: u32,
}

/// A part of a formula.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A text in quotes.
    Text(String),
    /// A number.
    Number(f64),
    /// TRUE or FALSE.
    Logical(bool),
    /// Nothing, where an argument could stand.
    Missing,
    /// A cell.
    Cell(Address),
    /// A name, an error value, an array, a reference outside: as it stands.
    Word(String),
    /// A sign in front of an operand.
    Prefix(char, NodeId),
    /// A percent sign behind one.
    Percent(NodeId),
    /// Two operands.
    Binary(Operator, NodeId, NodeId),
    /// A call of a function, with its arguments.
    Call(String, Vec<NodeId>),
    /// Something in brackets.
    Group(NodeId),
}

/// A formula.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Formula {
    nodes: Vec<Node>,
    root: Option<NodeId>,
}

impl Formula {
    /// Reads a formula without its equals sign. What it cannot make sense of stays as words.
    pub fn read(text: &str) -> Self {
        Self::read_at(text, 0, 0)
    }

    /// Reads a formula whose relative R1C1 references count from a cell.
    pub fn read_at(text: &str, row: u32, column: u32) -> Self {
        let mut parser = Parser {
            rest: text,
            base: (row, column),
            formula: Self::default(),
            depth: 0,
        };
        let mut root = parser.expression(0);
        // What follows a whole expression must not be hidden by it. Ends because every turn takes a character.
        while !parser.rest.is_empty() && parser.formula.nodes.len() < NODES {
            parser.step(1);
            let next = parser.expression(0);
            root = parser
                .formula
                .push(Node::Binary(Operator::Union, root, next));
        }
        parser.formula.root = Some(root);
        parser.formula
    }

    /// Adds a node whose children were added before.
    pub(super) fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len().saturating_sub(1)
    }

    /// Makes a node the whole of the formula.
    pub(super) fn set_root(&mut self, root: NodeId) {
        self.root = Some(root);
    }

    /// Changes the cells that it names.
    pub fn move_cells(&mut self, change: impl Fn(&mut Address)) {
        for node in &mut self.nodes {
            if let Node::Cell(address) = node {
                change(address);
            }
        }
    }

    /// The nodes, children before parents.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node of the whole formula.
    pub fn root(&self) -> Option<NodeId> {
        self.root
    }

    /// Names of the functions that it calls.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Call(name, _) => Some(name.as_str()),
            _ => None,
        })
    }

    /// A node as text, at most `most` bytes and a little.
    pub fn text(&self, node: NodeId, most: usize) -> String {
        enum Piece<'p> {
            Node(NodeId),
            Sign(&'p str),
        }
        let mut out = String::new();
        let mut waiting = vec![Piece::Node(node)];
        // Ends because children have smaller numbers than their parents: a tree, each node written once for a parent.
        while let Some(piece) = waiting.pop() {
            if out.len() > most {
                out.push('…');
                break;
            }
            let id = match piece {
                Piece::Sign(sign) => {
                    out.push_str(sign);
                    continue;
                }
                Piece::Node(id) => id,
            };
            match self.nodes.get(id) {
                None | Some(Node::Missing) => {}
                Some(Node::Text(text)) => out.push_str(&quoted(text)),
                Some(Node::Number(number)) => {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "{number}");
                }
                Some(Node::Logical(value)) => out.push_str(if *value { "TRUE" } else { "FALSE" }),
                Some(Node::Cell(address)) => out.push_str(&address_text(address)),
                Some(Node::Word(word)) => out.push_str(word),
                Some(Node::Prefix(sign, operand)) => {
                    out.push(*sign);
                    waiting.push(Piece::Node(*operand));
                }
                Some(Node::Percent(operand)) => {
                    waiting.extend([Piece::Sign("%"), Piece::Node(*operand)]);
                }
                Some(Node::Binary(operator, left, right)) => {
                    waiting.extend([
                        Piece::Node(*right),
                        Piece::Sign(operator.sign()),
                        Piece::Node(*left),
                    ]);
                }
                Some(Node::Group(inner)) => {
                    waiting.extend([Piece::Sign(")"), Piece::Node(*inner), Piece::Sign("(")]);
                }
                Some(Node::Call(name, arguments)) => {
                    out.push_str(name);
                    out.push('(');
                    waiting.push(Piece::Sign(")"));
                    let separated = arguments.iter().rev();
                    let separated = separated.flat_map(|id| [Piece::Node(*id), Piece::Sign(",")]);
                    // The one in front of the first is none.
                    let pieces = arguments.len().saturating_mul(2).saturating_sub(1);
                    waiting.extend(separated.take(pieces));
                }
            }
        }
        out
    }
}

/// The letters of a column that counts from 0.
pub fn column_name(column: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = column;
    // Ends because each turn divides by 26.
    loop {
        let letter = u8::try_from(rest % 26).unwrap_or_default();
        letters.push(char::from(b'A'.saturating_add(letter)));
        rest /= 26;
        if rest == 0 {
            break;
        }
        rest = rest.saturating_sub(1);
    }
    letters.iter().rev().collect()
}

/// A text as a literal of a formula; what is no graphic character as a call of CHAR.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\"\""),
            c if c.is_control() => {
                let _ = write!(out, "\"&CHAR({})&\"", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A sheet's name and the mark behind it, in quotes where it needs them.
pub(super) fn sheet_prefix(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']');
    if !name.is_empty()
        && name.chars().all(plain)
        && !name.starts_with(|c: char| c.is_ascii_digit())
    {
        return format!("{name}!");
    }
    let name: String = name
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("'{}'!", name.replace('\'', "''"))
}

fn address_text(address: &Address) -> String {
    let sheet = address
        .sheet
        .as_deref()
        .map(sheet_prefix)
        .unwrap_or_default();
    format!(
        "{sheet}{}{}",
        column_name(address.column),
        address.row.saturating_add(1)
    )
}

struct Parser<'t> {
    rest: &'t str,
    base: (u32, u32),
    formula: Formula,
    depth: usize,
}

impl<'t> Parser<'t> {
    /// Reads operands joined by operators that bind more strongly than `least`.
    fn expression(&mut self, least: u8) -> NodeId {
        let mut left = self.operand();
        // Ends because every turn takes an operator.
        loop {
            if self.formula.nodes.len() > NODES {
                return left;
            }
            self.blanks();
            if let Some(rest) = self.rest.strip_prefix('%') {
                self.rest = rest;
                left = self.formula.push(Node::Percent(left));
                continue;
            }
            let ended = self.rest.is_empty() || self.rest.starts_with([')', ',', ';']);
            // Two operands side by side: what both have in common.
            let side_by_side = (!ended).then_some((Operator::Intersection, 0));
            let Some((operator, len)) = operator(self.rest).or(side_by_side) else {
                return left;
            };
            if operator.strength() <= least {
                return left;
            }
            self.rest = self.rest.get(len..).unwrap_or_default();
            let right = self.expression(operator.strength());
            left = self.formula.push(Node::Binary(operator, left, right));
        }
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
    }

    fn operand(&mut self) -> NodeId {
        self.blanks();
        self.depth = self.depth.saturating_add(1);
        let node = if self.depth > DEPTH {
            self.remainder()
        } else {
            self.plain_operand()
        };
        self.depth = self.depth.saturating_sub(1);
        self.formula.push(node)
    }

    /// All that is left, as it stands.
    fn remainder(&mut self) -> Node {
        let word = std::mem::take(&mut self.rest);
        Node::Word(word.to_owned())
    }

    fn plain_operand(&mut self) -> Node {
        let Some(first) = self.rest.chars().next() else {
            return Node::Missing;
        };
        match first {
            '"' => Node::Text(self.literal('"')),
            '(' => {
                self.step(1);
                let inner = self.expression(0);
                self.close();
                Node::Group(inner)
            }
            '+' | '-' | '@' => {
                self.step(1);
                let operand = self.expression(6);
                Node::Prefix(first, operand)
            }
            '{' => {
                let len = self
                    .rest
                    .find('}')
                    .map_or(self.rest.len(), |at| at.saturating_add(1));
                Node::Word(self.step(len).to_owned())
            }
            ',' | ';' | ')' => Node::Missing,
            '0'..='9' | '.' => self.number(),
            '#' => {
                let end = self
                    .rest
                    .find(['!', '?', ',', ')', '&'])
                    .unwrap_or(self.rest.len());
                let mark = usize::from(
                    self.rest
                        .get(end..)
                        .is_some_and(|rest| rest.starts_with(['!', '?'])),
                );
                Node::Word(self.step(end.saturating_add(mark)).to_owned())
            }
            _ => self.word(),
        }
    }

    /// Takes bytes up to a boundary of characters.
    fn step(&mut self, len: usize) -> &'t str {
        let len = len.min(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn close(&mut self) {
        self.blanks();
        self.rest = self.rest.strip_prefix(')').unwrap_or(self.rest);
    }

    /// Takes what stands in quotes, doubled ones made single.
    fn literal(&mut self, quote: char) -> String {
        self.step(1);
        let mut out = String::new();
        // Ends because every turn takes a quote or everything.
        loop {
            let Some(end) = self.rest.find(quote) else {
                out.push_str(self.step(self.rest.len()));
                return out;
            };
            out.push_str(self.step(end));
            self.step(1);
            if !self.rest.starts_with(quote) {
                return out;
            }
            self.step(1);
            out.push(quote);
        }
    }

    fn number(&mut self) -> Node {
        let digits = |text: &str| {
            text.len().saturating_sub(
                text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                    .len(),
            )
        };
        let mut len = digits(self.rest);
        let behind = self.rest.get(len..).unwrap_or_default();
        if let Some(exponent) = behind.strip_prefix(['e', 'E']) {
            let signed = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let figures = digits(signed);
            if figures > 0 {
                let sign = exponent.len().saturating_sub(signed.len());
                len = len
                    .saturating_add(1)
                    .saturating_add(sign)
                    .saturating_add(figures);
            }
        }
        let taken = self.step(len.max(1));
        taken
            .parse()
            .map_or_else(|_| Node::Word(taken.to_owned()), Node::Number)
    }

    /// A name, a reference or a call.
    fn word(&mut self) -> Node {
        let mut sheet = None;
        if self.rest.starts_with('\'') {
            let name = self.literal('\'');
            self.rest = self.rest.strip_prefix('!').unwrap_or(self.rest);
            sheet = Some(name);
        }
        let mut word = self.taken_word();
        if sheet.is_none() && self.rest.starts_with('!') && !word.is_empty() {
            self.step(1);
            sheet = Some(word.to_owned());
            word = self.taken_word();
        } else if sheet.is_none() && word.is_empty() && self.rest.starts_with('!') {
            // `!A1`: the active sheet.
            self.step(1);
            word = self.taken_word();
        }
        if word.is_empty() && sheet.is_none() {
            let len = self.rest.chars().next().map_or(0, char::len_utf8);
            return Node::Word(self.step(len).to_owned());
        }
        // Excel takes blanks between the name and the parenthesis of a call, other than behind a reference.
        let behind = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
        let called = behind.starts_with('(')
            && (behind.len() == self.rest.len() || cell(word, self.base).is_none());
        if called && !word.is_empty() {
            self.rest = behind;
            return self.call(sheet.as_deref(), word);
        }
        if let Some((row, column)) = cell(word, self.base) {
            return Node::Cell(Address { sheet, row, column });
        }
        match (sheet, word.to_ascii_uppercase().as_str()) {
            (None, "TRUE") => Node::Logical(true),
            (None, "FALSE") => Node::Logical(false),
            (None, _) => Node::Word(word.to_owned()),
            (Some(sheet), _) => Node::Word(format!("{}{word}", sheet_prefix(&sheet))),
        }
    }

    fn taken_word(&mut self) -> &'t str {
        let part = |c: char| {
            c.is_alphanumeric()
                || matches!(c, '_' | '.' | '$' | '\\' | '?' | '[' | ']')
                || !c.is_ascii() && !c.is_whitespace()
        };
        let mut len = 0usize;
        let mut inside = 0usize;
        for c in self.rest.chars() {
            // Within brackets stands the sign of a relative reference or the name of a workbook.
            if !part(c) && (inside == 0 || matches!(c, '(' | ')' | '"' | ',')) {
                break;
            }
            match c {
                '[' => inside = inside.saturating_add(1),
                ']' => inside = inside.saturating_sub(1),
                _ => {}
            }
            len = len.saturating_add(c.len_utf8());
        }
        self.step(len)
    }

    fn call(&mut self, sheet: Option<&str>, name: &str) -> Node {
        self.step(1);
        let mut arguments = Vec::new();
        // Ends because every turn takes a comma, or stops.
        loop {
            arguments.push(self.expression(0));
            self.blanks();
            let Some(rest) = self.rest.strip_prefix([',', ';']) else {
                break;
            };
            self.rest = rest;
            if self.formula.nodes.len() > NODES {
                break;
            }
        }
        self.close();
        if let [only] = arguments.as_slice()
            && self.formula.nodes.get(*only) == Some(&Node::Missing)
        {
            arguments.clear();
        }
        let sheet = sheet.map(sheet_prefix).unwrap_or_default();
        let name = name
            .strip_prefix("_xlfn.")
            .or_else(|| name.strip_prefix("_xll."))
            .unwrap_or(name);
        Node::Call(format!("{sheet}{name}"), arguments)
    }
}

fn operator(rest: &str) -> Option<(Operator, usize)> {
    let two = match rest.get(..2) {
        Some("<=") => Some(Operator::LessEqual),
        Some(">=") => Some(Operator::GreaterEqual),
        Some("<>") => Some(Operator::NotEqual),
        _ => None,
    };
    if let Some(operator) = two {
        return Some((operator, 2));
    }
    let one = match rest.chars().next()? {
        '+' => Operator::Add,
        '-' => Operator::Subtract,
        '*' => Operator::Multiply,
        '/' => Operator::Divide,
        '^' => Operator::Power,
        '&' => Operator::Concat,
        '<' => Operator::Less,
        '=' => Operator::Equal,
        '>' => Operator::Greater,
        ':' => Operator::Range,
        _ => return None,
    };
    Some((one, 1))
}

/// The cell that a word names in A1 or in R1C1 notation, relative ones counted from `base` (row, column).
fn cell(word: &str, base: (u32, u32)) -> Option<(u32, u32)> {
    a1(word).or_else(|| r1c1(word, base))
}

fn a1(word: &str) -> Option<(u32, u32)> {
    let word = word.strip_prefix('$').unwrap_or(word);
    let letters = word.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (letters, digits) = word.split_at_checked(letters)?;
    let digits = digits.strip_prefix('$').unwrap_or(digits);
    if !(1..=3).contains(&letters.len())
        || digits.is_empty()
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let column = letters.bytes().fold(0u32, |sum, letter| {
        let letter = u32::from(letter.to_ascii_uppercase().saturating_sub(b'A')).saturating_add(1);
        sum.saturating_mul(26).saturating_add(letter)
    });
    let row: u32 = digits.parse().ok()?;
    let fits = (1..=COLUMNS).contains(&column) && (1..=ROWS).contains(&row);
    fits.then(|| (row.saturating_sub(1), column.saturating_sub(1)))
}

fn r1c1(word: &str, base: (u32, u32)) -> Option<(u32, u32)> {
    let rest = word.strip_prefix(['R', 'r'])?;
    let (row, rest) = coordinate(rest, base.0)?;
    let rest = rest.strip_prefix(['C', 'c'])?;
    let (column, rest) = coordinate(rest, base.1)?;
    let fits = rest.is_empty() && row < ROWS && column < COLUMNS;
    fits.then_some((row, column))
}

/// A number, an offset in brackets, or nothing: the coordinate, from 0, and what follows.
fn coordinate(text: &str, base: u32) -> Option<(u32, &str)> {
    if let Some(inner) = text.strip_prefix('[') {
        let (offset, rest) = inner.split_once(']')?;
        let offset: i64 = offset.trim().parse().ok()?;
        let sum = i64::from(base).checked_add(offset)?;
        return Some((u32::try_from(sum).ok()?, rest));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(digits)?;
    if digits.is_empty() {
        return Some((base, rest));
    }
    let number: u32 = digits.parse().ok()?;
    Some((number.checked_sub(1)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> String {
        let formula = Formula::read(text);
        formula.text(formula.root().unwrap(), 10_000)
    }

    #[test]
    fn formulas_are_read_and_written() {
        for text in [
            "EXEC(\"calc.exe\")",
            "IF(A1>=3,GOTO(B2),)",
            "'my sheet'!B12&\"a\"\"b\"&CHAR(7+8*2)",
            "-(1+2)^2%",
            "SUM(Sheet1!A1:C3,{1,2})",
            "Name.x+#REF!",
        ] {
            assert_eq!(again(text), text);
        }
        assert_eq!(again("  HALT( ) "), "HALT()");
        assert_eq!(again("EXEC (\n \"calc\")"), "EXEC(\"calc\")");
        assert_eq!(again("A1 (B2)"), "A1 (B2)");
        assert_eq!(again("R2C3"), "C2");
        let relative = Formula::read_at("RC[-1]&R[1]C", 4, 3);
        assert_eq!(relative.text(relative.root().unwrap(), 99), "C5&D6");
    }

    #[test]
    fn nonsense_ends_and_keeps_what_it_is() {
        for text in [
            "",
            "(((((",
            "EXEC(",
            "a b c",
            "\"open",
            "((1)",
            "&&&",
            "R[99999999999]C",
            "ＥＸ",
            "1..2e",
            "'x",
        ] {
            let _ = again(text);
        }
        let deep = "(".repeat(50_000);
        let _ = again(&deep);
        let _ = again(&"-".repeat(50_000));
        assert_eq!(again("EXEC(\"a\" junk)"), "EXEC(\"a\" junk)");
    }

    #[test]
    fn columns_have_letters() {
        assert_eq!(column_name(0), "A");
        assert_eq!(column_name(25), "Z");
        assert_eq!(column_name(26), "AA");
        assert_eq!(column_name(16_383), "XFD");
    }
}
