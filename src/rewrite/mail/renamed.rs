//! The header of a part whose content became another kind of file: the name in it, as old readers (RFC 2047 in quotes)
//! and newer ones (RFC 2231) write it, and the media type. Every other field and parameter stays.

use std::collections::BTreeSet;

use crate::formats::header_words::{self, Parameter};
use crate::formats::mime::Part;
use crate::model::Artifact;
use crate::rewrite::disarm;

/// Bytes in an encoded word (RFC 2047 section 2: 75 characters with what is around them), and in a section of RFC 2231.
const WORD: usize = 39;
const SECTION: usize = 18;

/// What a part is from now on.
pub(super) struct NewForm {
    name: String,
    media_type: String,
}

impl NewForm {
    /// The name of a part with another extension; none where it keeps its own, or has no name.
    pub(super) fn of(part: &Artifact, extension: Option<&str>) -> Option<Self> {
        let extension = extension?;
        let name = part.name.as_ref()?.readings.first()?;
        // A line break in a name would begin a field of its own.
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let name = disarm::with_extension(&name, extension);
        Some(Self {
            name,
            media_type: disarm::media_type(extension),
        })
    }

    /// The header of a part, up to its body, with the new name wherever it had one.
    pub(super) fn header(&self, data: &[u8], part: &Part, eol: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut from = part.start;
        for field in &part.header.fields {
            let name = data.get(field.name.clone()).unwrap_or_default();
            let main = match name.to_ascii_lowercase().as_slice() {
                b"content-type" => Some(self.media_type.as_str()),
                b"content-disposition" => None,
                _ => continue,
            };
            let value = data.get(field.value.clone()).unwrap_or_default();
            out.extend_from_slice(data.get(from..field.value.start).unwrap_or_default());
            out.push(b' ');
            out.extend(composed(value, main, &self.name, eol));
            from = field.value.end;
        }
        out.extend_from_slice(data.get(from..part.body.start).unwrap_or_default());
        out
    }
}

/// How a parameter writes its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Style {
    Plain,
    Extended,
}

/// A field with its parameters, each on a line of its own.
fn composed(value: &[u8], main: Option<&str>, name: &str, eol: &[u8]) -> Vec<u8> {
    let parameters = header_words::parameters(value);
    let mut out = main.unwrap_or(&parameters.value).as_bytes().to_vec();
    let mut line = |bytes: &[u8]| {
        out.extend_from_slice(b";");
        out.extend_from_slice(eol);
        out.extend_from_slice(b" ");
        out.extend_from_slice(bytes);
    };
    let mut told: BTreeSet<(&str, Style)> = BTreeSet::new();
    for parameter in &parameters.list {
        match parameter.name.as_str() {
            // RFC 2183 section 2.7: of the old content.
            "size" => {}
            known @ ("name" | "filename") => {
                let style = match parameter.extended || parameter.section.is_some() {
                    true => Style::Extended,
                    false => Style::Plain,
                };
                let new = match style {
                    _ if !told.insert((known, style)) => Vec::new(),
                    Style::Plain => vec![plain(known, name, eol)],
                    Style::Extended => extended(known, name),
                };
                new.iter().for_each(|one| line(one));
            }
            _ => line(&as_it_was(parameter)),
        }
    }
    out
}

fn as_it_was(parameter: &Parameter) -> Vec<u8> {
    let mut out = parameter.name.clone().into_bytes();
    if let Some(section) = parameter.section {
        out.extend_from_slice(format!("*{section}").as_bytes());
    }
    if parameter.extended {
        out.push(b'*');
    }
    out.push(b'=');
    let quote: &[u8] = if parameter.quoted { b"\"" } else { b"" };
    out.extend_from_slice(quote);
    out.extend_from_slice(&parameter.value);
    out.extend_from_slice(quote);
    out
}

/// A name in quotes, in encoded words where it is more than ASCII.
fn plain(key: &str, name: &str, eol: &[u8]) -> Vec<u8> {
    if name.is_ascii() {
        let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
        return format!("{key}=\"{escaped}\"").into_bytes();
    }
    let mut out = format!("{key}=\"").into_bytes();
    for (at, piece) in pieces(name, WORD).iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(eol);
            out.push(b' ');
        }
        let encoded = crate::formats::base64::encode(piece.as_bytes());
        out.extend_from_slice(format!("=?UTF-8?B?{encoded}?=").as_bytes());
    }
    out.push(b'"');
    out
}

/// A name with its charset, in sections where it is long (RFC 2231 sections 3 and 4).
fn extended(key: &str, name: &str) -> Vec<Vec<u8>> {
    let pieces = pieces(name, SECTION);
    if let [only] = pieces.as_slice() {
        return vec![format!("{key}*=UTF-8''{}", header_words::percent(only)).into_bytes()];
    }
    let section = |(at, piece): (usize, &&str)| {
        let charset = if at == 0 { "UTF-8''" } else { "" };
        format!("{key}*{at}*={charset}{}", header_words::percent(piece)).into_bytes()
    };
    pieces.iter().enumerate().map(section).collect()
}

/// A text in pieces of whole letters.
fn pieces(text: &str, most: usize) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    // Ends because a letter has four bytes at the most, and a piece has room for more.
    while rest.len() > most {
        let (piece, behind) = rest.split_at(rest.floor_char_boundary(most));
        found.push(piece);
        rest = behind;
    }
    found.push(rest);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

    fn field(value: &str, main: Option<&str>, name: &str) -> String {
        String::from_utf8(composed(value.as_bytes(), main, name, b"\r\n")).unwrap()
    }

    #[test]
    fn a_name_takes_the_place_of_the_old_one_in_its_style() {
        let old = " application/vnd.ms-word.document.macroEnabled.12;\r\n name=\"a b.docm\"; x-unix-mode=0644";
        assert_eq!(
            field(old, Some(TYPE), "a b.docx"),
            format!("{TYPE};\r\n name=\"a b.docx\";\r\n x-unix-mode=0644")
        );
        let old = "attachment; size=12; filename=\"=?ISO-2022-JP?B?GyRCSnM5cBsoQi5kb2Nt?=\"; filename*=ISO-2022-JP''%1B$B";
        assert_eq!(
            field(old, None, "報告.docx"),
            "attachment;\r\n filename=\"=?UTF-8?B?5aCx5ZGKLmRvY3g=?=\";\r\n filename*=UTF-8''%E5%A0%B1%E5%91%8A.docx"
        );
    }

    #[test]
    fn long_names_stand_in_words_and_sections_that_read_back() {
        let name = "令和八年度第一四半期決算報告書および補足資料（最終版）.docx";
        for old in [
            "attachment; filename=\"x.docm\"",
            "attachment; filename*0*=UTF-8''x; filename*1*=.docm",
        ] {
            let new = field(old, None, name);
            assert!(new.lines().all(|line| line.len() <= 78), "{new}");
            let read = header_words::parameters(new.as_bytes());
            let values = read.values("filename");
            assert_eq!(values.len(), 1, "{new}");
            assert_eq!(values[0][0], name, "{new}");
        }
    }

    #[test]
    fn a_field_without_a_name_gets_none() {
        assert_eq!(field("attachment", None, "a.docx"), "attachment");
        assert_eq!(
            field("a/b; charset=\"x\\\"y\"", None, "c"),
            "a/b;\r\n charset=\"x\\\"y\""
        );
    }
}
