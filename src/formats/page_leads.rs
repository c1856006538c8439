//! Where a script of a page takes the browser by itself (HTML Standard, 7.2.4 "The Location interface").
//!
//! Constant expressions are folded first, so that an address in pieces reads as one. No script is run: what stands in a
//! function that only a click calls is left out, and so is a function that nothing in the script calls.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::script::{self, Language, TokenKind};

/// Where a script leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// The address as far as it is constant; `None` where a decoder makes it at run time.
    pub target: Option<String>,
    /// Whether the address does not stand in the script as it is.
    pub hidden: bool,
}

/// Leads of one script at the most.
const LEADS: usize = 16;

/// Pieces looked at behind an assignment for what decodes.
const BEHIND: usize = 32;

/// Pieces looked at in front of an assignment for what saves a file: libraries of charts show it where they cannot save it.
const SAVING: usize = 96;

/// Pieces looked at in front of a function for what it is the handler of.
const BEFORE: usize = 8;

/// Names of the window and of what leads to it, in front of `location`.
const OWNERS: &[&str] = &[
    "window",
    "document",
    "top",
    "self",
    "parent",
    "globalThis",
    "opener",
    "frames",
    "this",
];

/// What makes texts out of codes.
const DECODERS: &[&str] = &[
    "atob",
    "unescape",
    "decodeURIComponent",
    "decodeURI",
    "fromCharCode",
    "charCodeAt",
    "fromCodePoint",
];

/// Events that a user brings about.
const ACTS: &[&str] = &[
    "click",
    "dblclick",
    "submit",
    "change",
    "input",
    "keydown",
    "keyup",
    "keypress",
    "mousedown",
    "mouseup",
    "touchstart",
    "touchend",
    "focus",
    "blur",
];

/// Where a script leads when it is run. `started` names functions that its page calls, such as on loading.
pub fn leads(source: &str, started: &BTreeSet<String>) -> Vec<Lead> {
    let folded = script::folded(source, Language::Js);
    let text = folded.text.as_deref().unwrap_or(source);
    let pieces = pieces(text);
    let decodes = pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Name(name) if DECODERS.contains(&name.as_str())));
    let mut found: Vec<Lead> = Vec::new();
    for (at, value) in assignments(&pieces, started) {
        let target = match pieces.get(value) {
            Some(Piece::Text(text)) => Some(text.clone()),
            Some(Piece::Name(_))
                if (decodes || decoder_near(&pieces, at)) && !saves_before(&pieces, at) =>
            {
                None
            }
            _ => continue,
        };
        let hidden = target
            .as_ref()
            .is_none_or(|target| !source.contains(target.as_str()));
        let lead = Lead { target, hidden };
        if found.len() < LEADS && !found.contains(&lead) {
            found.push(lead);
        }
    }
    found
}

/// Whether a link with a name to save under was clicked in front of this place.
fn saves_before(pieces: &[Piece], at: usize) -> bool {
    let near = pieces.get(at.saturating_sub(SAVING)..at);
    let has = |member: &str| {
        near.unwrap_or_default()
            .iter()
            .any(|piece| matches!(piece, Piece::Name(name) if name == member))
    };
    has("download") && has("click")
}

fn decoder_near(pieces: &[Piece], at: usize) -> bool {
    let behind = pieces.iter().skip(at).take(BEHIND);
    behind
        .take_while(|piece| **piece != Piece::Sign(b';'))
        .any(|piece| matches!(piece, Piece::Name(name) if DECODERS.contains(&name.as_str())))
}

/// A token as far as it matters here: lines are left out, `a["b"]` reads as `a.b`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Name(String),
    Text(String),
    Sign(u8),
    Other,
}

fn pieces(text: &str) -> Vec<Piece> {
    let (tokens, _) = script::tokens(text, Language::Js);
    let mut kinds = tokens
        .into_iter()
        .map(|token| token.kind)
        .filter(|kind| *kind != TokenKind::Line)
        .peekable();
    let mut out: Vec<Piece> = Vec::new();
    while let Some(kind) = kinds.next() {
        out.push(match kind {
            TokenKind::Name(name) => Piece::Name(name.into_owned()),
            TokenKind::Text(text) => Piece::Text(text.into_owned()),
            TokenKind::Sign(sign) => Piece::Sign(sign),
            TokenKind::Pattern(_) | TokenKind::Number(_) | TokenKind::Line => Piece::Other,
        });
        // `a [ "b" ]` is `a . b`; a list that starts with a text stays one.
        if let [
            ..,
            Piece::Name(_) | Piece::Sign(b')' | b']'),
            Piece::Sign(b'['),
            Piece::Text(_),
        ] = out.as_slice()
            && kinds.peek() == Some(&TokenKind::Sign(b']'))
        {
            kinds.next();
            let Some(Piece::Text(name)) = out.pop() else {
                continue;
            };
            out.pop();
            out.push(Piece::Sign(b'.'));
            out.push(Piece::Name(name));
        }
    }
    out
}

/// A function's body that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    /// Run where it stands, or no function.
    Plain,
    /// Run where it is called by this name.
    Named(String),
    /// Run when the user does something.
    Act,
}

/// Where the window is given an address without anybody's doing: the place of `location`, and of the value.
fn assignments(pieces: &[Piece], started: &BTreeSet<String>) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open: Vec<Body> = Vec::new();
    let mut pending = Body::Plain;
    let called = OnceCell::new();
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Name(word) if word == "function" => pending = body(pieces, at),
            // An arrow; without braces behind it, its one expression is taken as run.
            Piece::Sign(b'>')
                if at.checked_sub(1).and_then(|at| pieces.get(at)) == Some(&Piece::Sign(b'=')) =>
            {
                pending = arrow(pieces, at);
            }
            Piece::Sign(b'{') => open.push(std::mem::replace(&mut pending, Body::Plain)),
            Piece::Sign(b'}') => {
                open.pop();
            }
            Piece::Name(word) if matches!(word.as_str(), "location" | "open" | "navigate") => {
                let runs = || {
                    open.iter().all(|body| match body {
                        Body::Plain => true,
                        Body::Act => false,
                        Body::Named(name) => {
                            let called = called.get_or_init(|| called_names(pieces));
                            started.contains(name) || called.contains(name.as_str())
                        }
                    })
                };
                if pending != Body::Act
                    && let Some(value) = taken(pieces, at, word)
                    && runs()
                {
                    found.push((at, value));
                }
            }
            _ => {}
        }
        if found.len() >= LEADS {
            break;
        }
    }
    found
}

fn name_at(pieces: &[Piece], at: usize) -> Option<&str> {
    match pieces.get(at)? {
        Piece::Name(name) => Some(name),
        _ => None,
    }
}

/// What a function of a script is run by.
fn body(pieces: &[Piece], at: usize) -> Body {
    if let Some(name) = name_at(pieces, at.saturating_add(1)) {
        return Body::Named(name.to_owned());
    }
    before(pieces, at)
}

fn arrow(pieces: &[Piece], at: usize) -> Body {
    // Over the parameters: a name, or what stands in parentheses.
    let mut start = at.saturating_sub(2);
    if pieces.get(start) == Some(&Piece::Sign(b')')) {
        for _ in 0..BEFORE {
            if pieces.get(start) == Some(&Piece::Sign(b'(')) {
                break;
            }
            start = start.saturating_sub(1);
        }
    }
    before(pieces, start)
}

/// What a function without a name is given to.
fn before(pieces: &[Piece], at: usize) -> Body {
    let near = pieces
        .get(at.saturating_sub(BEFORE)..at)
        .unwrap_or_default();
    match near {
        [.., Piece::Name(name), Piece::Sign(b'=')] => match name.strip_prefix("on") {
            Some(event) if ACTS.contains(&event) => Body::Act,
            // `window.onload = …` is run by the browser.
            Some(_) => Body::Plain,
            None => Body::Named(name.clone()),
        },
        [
            ..,
            Piece::Name(call),
            Piece::Sign(b'('),
            Piece::Text(event),
            Piece::Sign(b','),
        ] if matches!(call.as_str(), "addEventListener" | "on" | "attachEvent") => {
            let event = event.strip_prefix("on").unwrap_or(event);
            if ACTS.contains(&event) {
                Body::Act
            } else {
                Body::Plain
            }
        }
        [.., Piece::Name(call), Piece::Sign(b'(')] if ACTS.contains(&call.as_str()) => Body::Act,
        _ => Body::Plain,
    }
}

/// Names that stand anywhere but where a function of theirs is made.
fn called_names(pieces: &[Piece]) -> BTreeSet<&str> {
    let made = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| name_at(pieces, at));
        before == Some("function") || pieces.get(at.saturating_add(1)) == Some(&Piece::Sign(b'='))
    };
    let places = (0..pieces.len()).filter(|at| !made(*at));
    places.filter_map(|at| name_at(pieces, at)).collect()
}

/// The place of the address that a name takes the window to, if it does.
fn taken(pieces: &[Piece], at: usize, word: &str) -> Option<usize> {
    let sign = |at: usize, sign: u8| pieces.get(at) == Some(&Piece::Sign(sign));
    let owner = || {
        let dot = at.checked_sub(1).filter(|dot| sign(*dot, b'.'))?;
        name_at(pieces, dot.checked_sub(1)?)
    };
    let value = at.checked_add(2)?;
    match word {
        "location" if is_windows(pieces, at) => given(pieces, at),
        // The Navigation interface (HTML Standard, 7.2.6).
        "navigate" if owner() == Some("navigation") && sign(at.checked_add(1)?, b'(') => {
            Some(value)
        }
        // Into the window itself; another one is what browsers let nobody open unasked.
        "open" if owner() == Some("window") && sign(at.checked_add(1)?, b'(') => {
            let into = pieces.get(value.checked_add(2)?)?;
            let itself = matches!(into, Piece::Text(into) if matches!(into.as_str(), "_self" | "_top" | "_parent"));
            (itself && sign(value.checked_add(1)?, b',')).then_some(value)
        }
        _ => None,
    }
}

/// Whether the `location` here is the window's: by itself, or behind a name of the window.
fn is_windows(pieces: &[Piece], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| pieces.get(at));
    match before(1) {
        Some(Piece::Sign(b'.')) => match before(2) {
            // Short names are mostly what a minifier or a hand gave the window.
            Some(Piece::Name(owner)) => OWNERS.contains(&owner.as_str()) || owner.len() <= 2,
            Some(Piece::Sign(b')' | b']')) => true,
            _ => false,
        },
        Some(Piece::Name(word)) => !matches!(word.as_str(), "var" | "let" | "const" | "function"),
        _ => true,
    }
}

/// The place of the value that `location` at a place is given: `= v`, `.href = v`, `.replace(v)`, `.assign(v)`.
fn given(pieces: &[Piece], at: usize) -> Option<usize> {
    let sign = |at: usize, sign: u8| pieces.get(at) == Some(&Piece::Sign(sign));
    let mut next = at.checked_add(1)?;
    if sign(next, b'.') {
        let member = name_at(pieces, next.checked_add(1)?)?;
        next = next.checked_add(2)?;
        match member {
            "href" => {}
            "replace" | "assign" if sign(next, b'(') => return next.checked_add(1),
            _ => return None,
        }
    }
    let assigned = sign(next, b'=') && !sign(next.checked_add(1)?, b'=');
    assigned.then(|| next.checked_add(1)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> Vec<(Option<String>, bool)> {
        let found = leads(source, &BTreeSet::new());
        found
            .into_iter()
            .map(|lead| (lead.target, lead.hidden))
            .collect()
    }

    const TARGET: &str = "https://a.example/";

    #[test]
    fn every_way_of_writing_it_is_read() {
        for source in [
            "location='https://a.example/'",
            "window.location.href = \"https://a.example/\";",
            "top.location.replace('https://a.example/')",
            "document.location.assign(`https://a.example/`)",
            "window.onload = function () { location.href = 'https://a.example/' }",
            "setTimeout(() => { self.location = 'https://a.example/' }, 10)",
            "document.addEventListener('DOMContentLoaded', function () { location = 'https://a.example/' })",
            "function go() { location = 'https://a.example/' }\ngo();",
            "window.open('https://a.example/', '_self')",
            "navigation.navigate('https://a.example/')",
        ] {
            assert_eq!(of(source), [(Some(TARGET.to_owned()), false)], "{source}");
        }
        for source in [
            "location=atob('aHR0cHM6Ly9hLmV4YW1wbGUv')",
            "var a='https://'+'a.exam'+'ple/';window['loca'+'tion']['re'+'place'](a)",
            "location.href=String.fromCharCode(104,116,116,112,115,58,47,47,97,46,101,120,97,109,112,108,101,47)",
        ] {
            assert_eq!(of(source), [(Some(TARGET.to_owned()), true)], "{source}");
        }
        assert_eq!(
            of("for (i of d) u += String.fromCharCode(i ^ 7);\nlocation.href = u"),
            [(None, true)]
        );
    }

    #[test]
    fn what_waits_for_the_user_or_leads_nowhere_is_none() {
        for source in [
            "b.onclick = function () { location.href = 'https://a.example/' }",
            "b.addEventListener('click', () => { location.href = 'https://a.example/' })",
            "$('#b').click(function () { location.href = 'https://a.example/' })",
            "function go() { location.href = 'https://a.example/' }",
            "if (location == 'https://a.example/') x()",
            "var location = 'https://a.example/'",
            "entry.location = 'https://a.example/'",
            "location.reload()",
            "location.hash = 'top'",
            "location = where",
            "window.open('https://a.example/', '_blank')",
            "map.open('https://a.example/', '_self')",
            "router.navigate('https://a.example/')",
        ] {
            assert!(of(source).is_empty(), "{source}: {:?}", of(source));
        }
        let started = BTreeSet::from(["go".to_owned()]);
        let source = "function go() { location.href = 'https://a.example/' }";
        assert_eq!(leads(source, &started).len(), 1);
    }

    #[test]
    fn what_a_library_shows_where_it_cannot_save_is_none() {
        let source = |link: &str| {
            format!(
                "function s(e,t){{let i=d.createElement('a');if(e.length>9){{e=atob(e)}}{link}try{{w.open(e,'chart')}}catch(x){{w.location.href=e}}}}s(q,'a')"
            )
        };
        let saved = source("if(void 0!==i.download){i.href=e;i.download=t;i.click()}else ");
        assert!(of(&saved).is_empty(), "{:?}", of(&saved));
        assert_eq!(of(&source("")), [(None, true)]);
    }

    #[test]
    fn broken_scripts_end() {
        for source in [
            "location=",
            "location.",
            "location['",
            "function",
            "=>",
            "{{{{}}}}}}",
            "x=>{",
        ] {
            let _ = of(source);
        }
        let _ = of(&"location['href']=".repeat(10_000));
        let _ = of(&"function a(){".repeat(10_000));
    }

    #[test]
    fn functions_that_nobody_calls_are_told_in_one_pass() {
        let function = |at: usize| format!("function f{at}() {{ location = 'x{at}' }}\n");
        let functions: String = (0..20_000).map(function).collect();
        let started = BTreeSet::new();
        let late = pieces(&format!("{functions}f7();"));
        assert!(assignments(&pieces(&functions), &started).is_empty());
        assert_eq!(assignments(&late, &started).len(), 1);
    }
}
