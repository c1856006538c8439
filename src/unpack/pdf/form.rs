//! Forms in XML (XFA 3.3): their scripts, and what they fetch or send without a click.

use quick_xml::events::{BytesStart, Event};

use crate::formats::xml;
use crate::model::Role;

/// Activities of events that happen by themselves when a form is opened (XFA 3.3, "event").
const ON_OPEN: &[&str] = &[
    "initialize",
    "ready",
    "docReady",
    "layout:ready",
    "indexChange",
    "preOpen",
    "postOpen",
];

/// Calls of one script that are told.
const CALLS: usize = 16;

/// What a form holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::unpack) struct Form {
    /// Scripts, and whether they run when it is opened.
    pub(in crate::unpack) scripts: Vec<(String, bool)>,
    /// Style sheets, pictures, and places to which it is sent on opening.
    pub(in crate::unpack) outside: Vec<(Role, String)>,
}

/// Reads a form as far as its XML goes.
pub(in crate::unpack) fn read(text: &str) -> Form {
    let mut reader = xml::reader(text);
    let mut form = Form::default();
    let (mut on_open, mut code) = (false, None::<Code>);
    // Ends because every event takes at least one byte, and an error ends it.
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => form.open(&tag, &mut on_open, &mut code),
            Ok(Event::Empty(tag)) => {
                let around = on_open;
                form.open(&tag, &mut on_open, &mut code);
                on_open = around;
                if tag.local_name().as_ref() == "script" {
                    code = None;
                }
            }
            // A style sheet is fetched before anything is shown.
            Ok(Event::PI(instruction)) => {
                let target = style_sheet(&instruction);
                let target = target.map(|target| (Role::Subdocument, target));
                form.outside.extend(target);
            }
            Ok(Event::Text(part)) => add(&mut code, &part),
            Ok(Event::CData(part)) => add(&mut code, &part),
            Ok(Event::GeneralRef(name)) => {
                if let Some(code) = &mut code {
                    code.text.extend(xml::entity(&name));
                }
            }
            Ok(Event::End(tag)) => match tag.local_name().as_ref() {
                "script" => form.script(code.take(), on_open),
                "event" => on_open = false,
                _ => {}
            },
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    form.outside.retain(|(_, target)| !target.trim().is_empty());
    form
}

/// The text of a script at hand, and whether its language is FormCalc, which is that of a form that names none.
#[derive(Debug, Default)]
struct Code {
    text: String,
    calculates: bool,
}

impl Form {
    /// Keeps a script. FormCalc reaches out by a few functions alone (FormCalc reference, "URL functions").
    fn script(&mut self, code: Option<Code>, on_open: bool) {
        let Some(code) = code else {
            return;
        };
        if !code.calculates {
            self.scripts.push((code.text, on_open));
            return;
        }
        let targets = asked(&code.text);
        if !targets.is_empty() {
            self.scripts.push((code.text, on_open));
        }
        if on_open {
            let targets = targets.into_iter();
            self.outside
                .extend(targets.map(|target| (Role::Subdocument, target)));
        }
    }

    fn open(&mut self, tag: &BytesStart<'_>, on_open: &mut bool, code: &mut Option<Code>) {
        let mut address = |role, name| {
            let target = xml::attribute(tag, name);
            self.outside.extend(target.map(|target| (role, target)));
        };
        match tag.local_name().as_ref() {
            "event" => {
                let activity = xml::attribute(tag, "activity").unwrap_or_default();
                *on_open = ON_OPEN.contains(&activity.as_str());
            }
            "script" => {
                let kind = xml::attribute(tag, "contentType").unwrap_or_default();
                *code = Some(Code {
                    calculates: !kind.to_ascii_lowercase().contains("javascript"),
                    ..Code::default()
                });
            }
            "submit" if *on_open => address(Role::Subdocument, "target"),
            "image" | "exData" => address(Role::Media, "href"),
            // The document around the form, which a file of the form alone may leave elsewhere (XFA 3.3, "pdf").
            "pdf" => address(Role::Subdocument, "href"),
            _ => {}
        }
    }
}

fn add(code: &mut Option<Code>, part: &str) {
    if let Some(code) = code {
        code.text.push_str(part);
    }
}

/// What the functions of FormCalc ask that fetch or send something, as far as it is written out.
fn asked(code: &str) -> Vec<String> {
    const REACHING: &[&str] = &["get", "post", "put"];
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
    let calls = code.match_indices('(').filter_map(|(at, _)| {
        let before = code.get(..at)?.trim_end();
        let name = before.get(before.trim_end_matches(is_name).len()..)?;
        let known = REACHING.iter().any(|one| one.eq_ignore_ascii_case(name));
        let argument = code.get(at.saturating_add(1)..).filter(|_| known)?;
        let quoted = argument.trim_start().strip_prefix('"');
        let text = quoted.and_then(|text| text.split('"').next());
        Some(text.unwrap_or_default().to_owned())
    });
    calls.take(CALLS).collect()
}

/// The place of a style sheet in an instruction (Associating Style Sheets with XML documents 1.0).
fn style_sheet(instruction: &str) -> Option<String> {
    let settings = instruction.strip_prefix("xml-stylesheet")?;
    let (_, behind) = settings.split_once("href")?;
    let value = behind.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let value = value.strip_prefix(quote)?.split(quote).next()?;
    Some(xml::unescape(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_form_fetches_and_sends_by_itself_is_told() {
        let form = read(
            "<?xml version='1.0'?><?xml-stylesheet type='text/xsl' href = '\\\\h&amp;\\s'?><t>\
             <event activity='docReady'><submit target='http://a.example/1'/></event>\
             <event activity='click'><submit target='http://a.example/2'/></event>\
             <image href='a.png'/><image>aGk=</image>\
             <event activity='initialize'><script contentType='application/x-JavaScript'>a<![CDATA[<]]>&#98;</script></event></t>",
        );
        let outside = [
            (Role::Subdocument, "\\\\h&\\s"),
            (Role::Subdocument, "http://a.example/1"),
            (Role::Media, "a.png"),
        ];
        let outside: Vec<_> = outside
            .map(|(role, target)| (role, target.to_owned()))
            .into();
        assert_eq!(form.outside, outside);
        assert_eq!(form.scripts, [("a<b".to_owned(), true)]);
    }

    #[test]
    fn calculations_are_kept_where_they_reach_out() {
        let form = |code: &str| {
            read(&format!(
                "<event activity='initialize'><script>{code}</script></event>"
            ))
        };
        let asks = form("$ = Get (\"http://a.example/1\")");
        let page = "http://a.example/1".to_owned();
        assert_eq!(asks.outside, [(Role::Subdocument, page)]);
        assert_eq!(asks.scripts.len(), 1);
        assert_eq!(form("Post(a, b)").scripts.len(), 1);
        for calculates in ["Sum(a, b)", "x.get(\"http://a.example/\")", "Budget(1)"] {
            assert_eq!(form(calculates), Form::default(), "{calculates}");
        }
    }
}
