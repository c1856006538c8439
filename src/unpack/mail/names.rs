//! The names of a part from all the places that give it one (RFC 2183 section 2.3, RFC 2045 section 5, RFC 2557).

use crate::formats::header::{Header, unfold};
use crate::formats::header_words::{Parameter, Parameters, parameters, readings};
use crate::model::Name;
use crate::text;

/// A part's name with all its readings, and what contradicts itself about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    /// The name, where there is any.
    pub(super) name: Option<Name>,
    /// Two places that give names of different extension, safe to show.
    pub(super) conflict: Option<String>,
}

/// Collects every name: `filename` and `name` of Content-Disposition and Content-Type, of fields given twice too;
/// the last component of Content-Location only where nothing else names the part. `encoded` is a name that the
/// transfer encoding carries.
pub(super) fn named(data: &[u8], header: &Header, encoded: Option<&[u8]>) -> Named {
    let mut values: Vec<Vec<String>> = Vec::new();
    let mut raw = None;
    for (field, keys) in [
        ("content-disposition", ["filename", "name"]),
        ("content-type", ["name", "filename"]),
    ] {
        for value in header.values(data, field).take(4) {
            let mut parameters = parameters(value);
            // A field whose value is missing starts with its parameters.
            if parameters.value.contains('=') {
                let all = [b";", value].concat();
                parameters = crate::formats::header_words::parameters(&all);
            }
            for key in keys {
                let mut found = parameters.values(key);
                if let Some(first) = found.first_mut() {
                    first.extend(loose(&parameters, key));
                    let twice = first.iter().filter(|one| one.starts_with("=?"));
                    let twice: Vec<String> =
                        twice.flat_map(|one| readings(one.as_bytes())).collect();
                    first.extend(twice);
                }
                if raw.is_none() && !found.is_empty() {
                    raw = parameters
                        .list
                        .iter()
                        .find(|parameter| parameter.name == key)
                        .map(|parameter| parameter.value.clone());
                }
                values.extend(found);
            }
        }
    }
    if let Some(encoded) = encoded.filter(|encoded| !encoded.is_empty()) {
        values.push(readings(encoded));
        raw = raw.or_else(|| Some(encoded.to_vec()));
    }
    if values.is_empty() {
        return Named {
            name: location(data, header).or_else(|| description(data, header)),
            conflict: None,
        };
    }
    let conflict = conflict(&values);
    let raw = raw.unwrap_or_default();
    Named {
        name: Some(Name::from_readings(raw, values.concat())),
        conflict,
    }
}

/// Two values that a user would be shown with different extensions.
fn conflict(values: &[Vec<String>]) -> Option<String> {
    let extension = |value: &[String]| {
        let likeliest = value.first().cloned().unwrap_or_default();
        Name::of(likeliest).extensions().next().unwrap_or_default()
    };
    let (first, others) = values.split_first()?;
    let other = others
        .iter()
        .find(|other| extension(other) != extension(first))?;
    let shown =
        |value: &[String]| text::excerpt(value.first().map(String::as_str).unwrap_or_default());
    Some(format!("{} / {}", shown(first), shown(other)))
}

/// Other readings of values without quotes: to the first blank, and without comments.
fn loose(parameters: &Parameters, key: &str) -> Vec<String> {
    let mut loose = Vec::new();
    let bare = |one: &&Parameter| one.name == key && !one.quoted && !one.extended;
    for parameter in parameters.list.iter().filter(bare).take(4) {
        let value = parameter.value.trim_ascii();
        if let Some(end) = value.iter().position(u8::is_ascii_whitespace) {
            let first = value.get(..end).unwrap_or_default();
            loose.extend(readings(first));
        }
        if memchr::memchr(b'(', value).is_some() {
            loose.extend(readings(&without_comments(value)));
        }
    }
    loose
}

/// A value without what stands in parentheses, and without quotation marks.
fn without_comments(value: &[u8]) -> Vec<u8> {
    let mut depth = 0u32;
    let mut kept = Vec::new();
    for byte in value {
        match byte {
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            b'"' => {}
            _ if depth == 0 => kept.push(*byte),
            _ => {}
        }
    }
    kept.trim_ascii().to_vec()
}

/// A description that is the name of a file names what nothing else names ([MS-OXCMAIL] 2.2.3.4). That of a text, of
/// several parts or of a mail is a sentence, and so is one with blanks in it.
fn description(data: &[u8], header: &Header) -> Option<Name> {
    let first = |name| header.values(data, name).next().map(<[u8]>::trim_ascii);
    let begins = |value: &[u8], word: &[u8]| {
        let start = value.get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let attached = first("content-disposition").is_some_and(|value| begins(value, b"attachment"));
    let file = first("content-type").is_some_and(|value| {
        let shown: [&[u8]; 3] = [b"text", b"multipart", b"message"];
        !shown.iter().any(|word| begins(value, word))
    });
    if !attached && !file {
        return None;
    }
    let value = first("content-description")?;
    let value = unfold(value.get(..2000).unwrap_or(value));
    if value.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    let name = Name::from_readings(value.trim_ascii().to_vec(), readings(value.trim_ascii()));
    let extension = name.extensions().next()?;
    let plain = !extension.is_empty() && !extension.contains(char::is_whitespace);
    plain.then_some(name)
}

fn location(data: &[u8], header: &Header) -> Option<Name> {
    let value = header.values(data, "content-location").next()?;
    let value = unfold(value.get(..2000).unwrap_or(value));
    let last = value
        .rsplit(|byte| matches!(byte, b'/' | b'\\'))
        .next()
        .filter(|last| !last.is_empty())?;
    Some(Name::from_readings(last.to_vec(), readings(last)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::header::{self, Breaks, Doubtful};

    fn of(head: &[u8]) -> Named {
        let header = header::read(head, 0, head.len(), Breaks::Lf, Doubtful::ByContext);
        named(head, &header, None)
    }

    #[test]
    fn all_places_are_read_and_contradictions_told() {
        let both = of(b"Content-Type: application/octet-stream; name=\"a.txt\"\nContent-Disposition: attachment; filename=\"b.exe\"\n\n");
        assert_eq!(both.name.unwrap().readings, ["b.exe", "a.txt"]);
        assert_eq!(both.conflict.unwrap(), "b.exe / a.txt");
        let fallback = of(b"Content-Disposition: attachment; filename=\"_.pdf\"; filename*=utf-8''%E5%A0%B1.pdf\n\n");
        assert_eq!(fallback.name.unwrap().text, "報.pdf");
        assert_eq!(fallback.conflict, None);
    }

    #[test]
    fn names_are_found_where_other_readers_find_them() {
        for field in [
            "Content-Disposition: filename=\"a.bat\"",
            "Content-Disposition: attachment; filename=a.bat (x)",
            "Content-Disposition: attachment; filename = (z) \"a.bat\"",
            "Content-Disposition: attachment; filename=\"=?utf-8?B?PT91dGYtOD9RP2E9MkViYXQ/PQ==?=\"",
            "Content-Type: application/octet-stream\nContent-Description: a.bat",
            "Content-Disposition: attachment\nContent-Description: a.bat",
        ] {
            let name = of(format!("{field}\n\n").as_bytes()).name.unwrap();
            assert!(name.readings.contains(&"a.bat".to_owned()), "{field}");
        }
        let plain = of(b"Content-Disposition: attachment; filename=\"a b.bat\"\n\n");
        assert_eq!(plain.name.unwrap().readings, ["a b.bat"]);
        for none in [
            "Content-Description: Mr. Smith and friends",
            "Content-Type: text/plain\nContent-Description: example.com",
            "Content-Type: application/pdf\nContent-Description: Letter of example.com",
        ] {
            assert!(
                of(format!("{none}\n\n").as_bytes()).name.is_none(),
                "{none}"
            );
        }
    }

    #[test]
    fn a_location_names_what_nothing_else_names() {
        let part =
            of(b"Content-Location: file:///C:/1/editdata.mso\nContent-Type: application/x-mso\n\n");
        assert_eq!(part.name.unwrap().text, "editdata.mso");
    }
}
