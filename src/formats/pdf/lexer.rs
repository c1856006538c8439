//! Tokens and objects (ISO 32000-2 7.2, 7.3), read leniently and without recursion.

/// Arrays and dictionaries within each other; deeper ones are left out.
const DEEPEST: usize = 100;

/// A name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name {
    /// Decoded.
    pub text: Vec<u8>,
    /// Whether a character of it was written as `#` and two digits.
    pub escaped: bool,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// Nothing, or nothing that could be read.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A number with a point: what stands in front of that, and all of it as the bits of an `f32`.
    Real(i64, u32),
    /// A name.
    Name(Name),
    /// A string, as it stands in the file: not decrypted.
    Text(Vec<u8>),
    /// An array.
    Array(Vec<Object>),
    /// A dictionary.
    Dict(Dict),
    /// A reference to the object of a number.
    Ref(u32),
}

/// A dictionary: keys and values in order, a key perhaps more than once; and the places of the pairs of a long one in
/// the order of their keys, since others may ask it again and again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dict(pub Vec<(Name, Object)>, Vec<usize>);

impl Dict {
    /// A dictionary of these pairs.
    fn new(pairs: Vec<(Name, Object)>) -> Self {
        /// Pairs that are gone through sooner than an order of them is made.
        const FEW: usize = 64;
        let mut order: Vec<usize> = Vec::new();
        if pairs.len() > FEW {
            order.extend(0..pairs.len());
            order.sort_by_key(|place| pairs.get(*place).map(|(name, _)| name.text.as_slice()));
        }
        Self(pairs, order)
    }

    /// The last value of a key.
    pub fn get(&self, key: &str) -> Option<&Object> {
        if !self.1.is_empty() {
            let pair = |place: &usize| self.0.get(*place);
            let is_before = |place: &usize| {
                pair(place).is_some_and(|(name, _)| name.text.as_slice() <= key.as_bytes())
            };
            let behind = self.1.partition_point(is_before);
            let (name, value) = pair(self.1.get(behind.checked_sub(1)?)?)?;
            return (name.text == key.as_bytes()).then_some(value);
        }
        let mut pairs = self.0.iter().rev();
        pairs
            .find(|(name, _)| name.text == key.as_bytes())
            .map(|(_, value)| value)
    }

    /// The key and value of every pair of this key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = (&'a Name, &'a Object)> {
        self.0
            .iter()
            .filter(move |(name, _)| name.text == key.as_bytes())
            .map(|(name, value)| (name, value))
    }

    /// The values of a key; of very many the first and the last, since viewers take either of these.
    pub fn few(&self, key: &str) -> Vec<&Object> {
        /// Values from each end.
        const EACH: usize = 4;
        let short: Vec<usize>;
        let places = if self.1.is_empty() {
            let pairs = self.0.iter().enumerate();
            short = pairs
                .filter(|(_, (name, _))| name.text == key.as_bytes())
                .map(|(place, _)| place)
                .collect();
            short.as_slice()
        } else {
            let text = |place: &usize| self.0.get(*place).map(|(name, _)| name.text.as_slice());
            let key = Some(key.as_bytes());
            let from = self.1.partition_point(|place| text(place) < key);
            let behind = self.1.partition_point(|place| text(place) <= key);
            self.1.get(from..behind).unwrap_or_default()
        };
        let (first, rest) = places.split_at(places.len().min(EACH));
        let last = rest.get(rest.len().saturating_sub(EACH)..);
        first
            .iter()
            .chain(last.unwrap_or_default())
            .filter_map(|place| self.0.get(*place))
            .map(|(_, value)| value)
            .collect()
    }

    /// Whether the value of a key is this name.
    pub fn is(&self, key: &str, name: &str) -> bool {
        matches!(self.get(key), Some(Object::Name(found)) if found.text == name.as_bytes())
    }

    /// Whether a value of a key is this name with a character of it escaped.
    pub fn hides(&self, key: &str, name: &str) -> bool {
        matches!(self.get(key), Some(Object::Name(found)) if found.text == name.as_bytes() && found.escaped)
    }
}

impl Object {
    /// A number, without what stands behind its point.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) | Self::Real(number, _) => Some(*number),
            _ => None,
        }
    }

    /// Every dictionary in it, itself first.
    pub fn dicts(&self) -> Vec<&Dict> {
        let mut found = Vec::new();
        let mut waiting = vec![self];
        // Ends because each object stands in one other only.
        while let Some(object) = waiting.pop() {
            match object {
                Self::Dict(dict) => {
                    found.push(dict);
                    waiting.extend(dict.0.iter().rev().map(|(_, value)| value));
                }
                Self::Array(items) => waiting.extend(items.iter().rev()),
                _ => {}
            }
        }
        found
    }
}

/// Reads objects one behind another.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    data: &'a [u8],
    start: usize,
    at: usize,
    limit: usize,
    /// Whether something was read that is not as it must be.
    flawed: bool,
}

enum Token {
    Object(Object),
    ArrayStart,
    ArrayEnd,
    DictStart,
    DictEnd,
    Reference,
    Stop,
}

enum Open {
    Array(Vec<Object>),
    Dict(Vec<Object>),
    /// Too deep: read and dropped.
    Dropped,
}

impl<'a> Parser<'a> {
    /// Reads `most` bytes from `at` on at the most.
    pub(super) fn new(data: &'a [u8], at: usize, most: usize) -> Self {
        Self {
            data,
            start: at,
            at,
            limit: at.saturating_add(most).min(data.len()),
            flawed: false,
        }
    }

    /// First byte behind what was read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Bytes read so far, at least 1.
    pub(super) fn used(&self) -> usize {
        self.at.saturating_sub(self.start).max(1)
    }

    /// Whether all that was read is as the specification has it, so that every reader sees the same.
    pub(super) fn is_sound(&self) -> bool {
        !self.flawed
    }

    /// The next object; what breaks off is what is there of it.
    pub(super) fn object(&mut self) -> Object {
        let mut open: Vec<Open> = Vec::new();
        // Ends because every token takes bytes, and the end of them is a stop.
        loop {
            let done = match self.token() {
                Token::Object(object) => Some(object),
                Token::ArrayStart | Token::DictStart if open.len() >= DEEPEST => {
                    open.push(Open::Dropped);
                    None
                }
                Token::ArrayStart => {
                    open.push(Open::Array(Vec::new()));
                    None
                }
                Token::DictStart => {
                    open.push(Open::Dict(Vec::new()));
                    None
                }
                end @ (Token::ArrayEnd | Token::DictEnd) => {
                    let closed = open.pop();
                    self.flawed |= !matches!(
                        (end, &closed),
                        (Token::ArrayEnd, Some(Open::Array(_)))
                            | (Token::DictEnd, Some(Open::Dict(_)))
                    );
                    match closed {
                        Some(closed) => Some(close(closed, &mut self.flawed)),
                        None => return Object::Null,
                    }
                }
                Token::Reference => {
                    self.flawed |= !refer(&mut open);
                    None
                }
                Token::Stop => {
                    self.flawed = true;
                    return close_all(open);
                }
            };
            if let Some(object) = done {
                match open.last_mut() {
                    Some(container) => put(container, object),
                    None => return self.reference(object),
                }
            }
        }
    }

    /// A number by itself may be the start of a reference.
    fn reference(&mut self, object: Object) -> Object {
        let Some(number) = object.number() else {
            return object;
        };
        let (behind, flawed) = (self.at, self.flawed);
        if let (Token::Object(second), Token::Reference) = (self.token(), self.token())
            && second.number().is_some()
            && let Ok(number) = u32::try_from(number)
        {
            return Object::Ref(number);
        }
        (self.at, self.flawed) = (behind, flawed);
        object
    }

    fn peek(&self, behind: usize) -> Option<u8> {
        let at = self.at.saturating_add(behind);
        self.data.get(at).copied().filter(|_| at < self.limit)
    }

    fn token(&mut self) -> Token {
        self.at = skip_blank(self.data, self.at).min(self.limit);
        let Some(byte) = self.peek(0) else {
            return Token::Stop;
        };
        let (token, len) = match (byte, self.peek(1)) {
            (b'<', Some(b'<')) => (Token::DictStart, 2),
            (b'>', Some(b'>')) => (Token::DictEnd, 2),
            (b'[', _) => (Token::ArrayStart, 1),
            (b']', _) => (Token::ArrayEnd, 1),
            (b'/', _) => return Token::Object(Object::Name(self.name())),
            (b'(', _) => return Token::Object(Object::Text(self.literal())),
            (b'<', _) => return Token::Object(Object::Text(self.hex())),
            (b'{' | b'}' | b'>' | b')', _) => {
                self.flawed = true;
                (Token::Object(Object::Null), 1)
            }
            _ => return self.word(),
        };
        self.at = self.at.saturating_add(len);
        token
    }

    /// A number or a keyword.
    fn word(&mut self) -> Token {
        let start = self.at;
        while self.peek(0).is_some_and(is_regular) {
            self.at = self.at.saturating_add(1);
        }
        let word = self.data.get(start..self.at).unwrap_or_default();
        match word {
            b"R" => Token::Reference,
            b"true" => Token::Object(Object::Bool(true)),
            b"false" => Token::Object(Object::Bool(false)),
            b"null" => Token::Object(Object::Null),
            word if is_stop(word) => {
                self.at = start;
                Token::Stop
            }
            word => {
                self.flawed |= !is_number(word);
                Token::Object(number(word))
            }
        }
    }

    fn name(&mut self) -> Name {
        self.at = self.at.saturating_add(1);
        let mut name = Name::default();
        while let Some(byte) = self.peek(0).filter(|byte| is_regular(*byte)) {
            let digits = (self.peek(1).and_then(digit), self.peek(2).and_then(digit));
            if let (b'#', (Some(high), Some(low))) = (byte, digits) {
                name.text.push(high << 4 | low);
                name.escaped = true;
                self.at = self.at.saturating_add(3);
            } else {
                name.text.push(byte);
                self.at = self.at.saturating_add(1);
            }
        }
        name
    }

    /// A string in parentheses (7.3.4.2).
    fn literal(&mut self) -> Vec<u8> {
        self.at = self.at.saturating_add(1);
        let mut out = Vec::new();
        let mut depth = 1usize;
        while let Some(byte) = self.peek(0) {
            self.at = self.at.saturating_add(1);
            match byte {
                b'(' => depth = depth.saturating_add(1),
                b')' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                }
                b'\\' => {
                    self.escape(&mut out);
                    continue;
                }
                _ => {}
            }
            out.push(byte);
        }
        out
    }

    fn escape(&mut self, out: &mut Vec<u8>) {
        let Some(byte) = self.peek(0) else {
            return;
        };
        self.at = self.at.saturating_add(1);
        match byte {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'\n' => {}
            b'\r' => {
                if self.peek(0) == Some(b'\n') {
                    self.at = self.at.saturating_add(1);
                }
            }
            b'0'..=b'7' => {
                let mut code = u32::from(byte & 7);
                for _ in 0..2 {
                    let Some(next @ b'0'..=b'7') = self.peek(0) else {
                        break;
                    };
                    code = (code << 3) | u32::from(next & 7);
                    self.at = self.at.saturating_add(1);
                }
                out.push(u8::try_from(code & 0xff).unwrap_or_default());
            }
            other => out.push(other),
        }
    }

    /// A string in angle brackets (7.3.4.3).
    fn hex(&mut self) -> Vec<u8> {
        self.at = self.at.saturating_add(1);
        let mut out = Vec::new();
        let mut high = None;
        while let Some(byte) = self.peek(0) {
            self.at = self.at.saturating_add(1);
            if byte == b'>' {
                break;
            }
            let Some(value) = digit(byte) else {
                continue;
            };
            match high.take() {
                None => high = Some(value),
                Some(high) => out.push(high << 4 | value),
            }
        }
        out.extend(high.map(|high| high << 4));
        out
    }
}

/// Whether a keyword ends whatever object is open.
fn is_stop(word: &[u8]) -> bool {
    matches!(
        word,
        b"endobj" | b"stream" | b"endstream" | b"obj" | b"xref" | b"trailer" | b"startxref"
    )
}

/// Closes everything that is open where it breaks off.
fn close_all(mut open: Vec<Open>) -> Object {
    let mut inner = None;
    while let Some(mut outer) = open.pop() {
        inner
            .take()
            .into_iter()
            .for_each(|object| put(&mut outer, object));
        inner = Some(close(outer, &mut false));
    }
    inner.unwrap_or(Object::Null)
}

fn put(container: &mut Open, object: Object) {
    match container {
        Open::Array(items) | Open::Dict(items) => items.push(object),
        Open::Dropped => {}
    }
}

/// Makes a reference of the last two numbers; whether they are there.
fn refer(open: &mut [Open]) -> bool {
    let Some(Open::Array(items) | Open::Dict(items)) = open.last_mut() else {
        return false;
    };
    if let [.., number, second] = items.as_slice()
        && let (Some(number), Some(_)) = (number.number(), second.number())
        && let Ok(number) = u32::try_from(number)
    {
        items.truncate(items.len().saturating_sub(2));
        items.push(Object::Ref(number));
        return true;
    }
    false
}

fn close(open: Open, flawed: &mut bool) -> Object {
    match open {
        Open::Array(items) => Object::Array(items),
        Open::Dropped => Object::Null,
        Open::Dict(items) => {
            let mut pairs = Vec::with_capacity(items.len() / 2);
            let mut items = items.into_iter().peekable();
            while let Some(item) = items.next() {
                // What stands where a key must is passed over.
                let value = match &item {
                    Object::Name(_) => items.next(),
                    _ => None,
                };
                *flawed |= value.is_none();
                if let Object::Name(key) = item {
                    pairs.push((key, value.unwrap_or(Object::Null)));
                }
            }
            Object::Dict(Dict::new(pairs))
        }
    }
}

/// Whether a word is a number as the specification has it (7.3.3), and one that every reader holds.
fn is_number(word: &[u8]) -> bool {
    /// Digits of a number of 64 bits, whatever they are.
    const DIGITS: usize = 18;
    let digits = match word {
        [b'+' | b'-', rest @ ..] => rest,
        word => word,
    };
    let points = digits.iter().filter(|byte| **byte == b'.').count();
    let wanted = digits.iter().all(|byte| matches!(byte, b'.' | b'0'..=b'9'));
    wanted && points <= 1 && digits.len() > points && digits.len() <= DIGITS
}

fn number(word: &[u8]) -> Object {
    let text = std::str::from_utf8(word).unwrap_or_default();
    let whole = text.split('.').next().unwrap_or_default();
    let number = match whole.parse() {
        Ok(number) => number,
        Err(_) if text.starts_with(['.', '-', '+']) => 0,
        Err(_) => return Object::Null,
    };
    match text.parse::<f32>() {
        Ok(real) if text.contains('.') => Object::Real(number, real.to_bits()),
        _ => Object::Number(number),
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 12 | b'\r' | b' ')
}

fn is_regular(byte: u8) -> bool {
    !is_blank(byte)
        && !matches!(
            byte,
            b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%'
        )
}

/// The first byte at or behind `at` that is neither blank nor in a comment.
pub(super) fn skip_blank(data: &[u8], mut at: usize) -> usize {
    // Ends because each turn takes a byte.
    while let Some(byte) = data.get(at) {
        if is_blank(*byte) {
            at = at.saturating_add(1);
        } else if *byte == b'%' {
            let rest = data.get(at..).unwrap_or_default();
            let len = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            at = at.saturating_add(len.max(1));
        } else {
            break;
        }
    }
    at
}
