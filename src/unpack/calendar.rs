//! Calendars (RFC 5545): what is attached to an event stands in base64 or is named by its place, and an alarm may play
//! or start it.

use crate::formats::base64;
use crate::model::{Artifact, Fact, Kind, Name, Role, Trouble};

use super::{Child, Nest};

/// Kinds that are opened.
pub(super) const KINDS: &[Kind] = &[Kind::Ics];

/// Places of one calendar that are noted: pages, of which calendars have many, and others, which those do not hide.
const PAGES: usize = 256;
const OTHERS: usize = 1 << 14;

/// Pushes what is attached, and notes what is named.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = artifact.data.as_ref();
    let mut places: Vec<String> = Vec::new();
    let mut starts = false;
    let (mut pages, mut others) = (0usize, 0usize);
    let mut note = |places: &mut Vec<String>, role, nest: &mut Nest<'_>| {
        for target in places.drain(..) {
            let (noted, most) = match is_page(&target) {
                true => (&mut pages, PAGES),
                false => (&mut others, OTHERS),
            };
            *noted = noted.saturating_add(1);
            if *noted <= most {
                let at = None;
                nest.note(Fact::External { at, role, target });
            }
        }
    };
    let mut lines = Lines { rest: data };
    while let Some(line) = lines.next() {
        nest.tick()?;
        let Some(line) = Line::of(&line) else {
            continue;
        };
        match line.name.as_str() {
            "BEGIN" => {
                note(&mut places, Role::Media, nest);
                starts = false;
            }
            // RFC 2445, 4.8.6.1: a program that an alarm starts.
            "ACTION" => starts |= line.value.trim().eq_ignore_ascii_case("PROCEDURE"),
            "END" => {
                let role = if starts { Role::Started } else { Role::Media };
                note(&mut places, role, nest);
                starts = false;
            }
            "ATTACH" | "IMAGE" if line.is_binary() => attached(&line, nest)?,
            "ATTACH" | "IMAGE" => places.push(line.value.trim().to_owned()),
            _ => {}
        }
    }
    note(&mut places, Role::Media, nest);
    Ok(())
}

fn is_page(place: &str) -> bool {
    ["http:", "https:"].iter().any(|scheme| {
        let start = place.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

/// Pushes what stands in a line.
fn attached(line: &Line<'_>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let file = base64::decode(line.value.as_bytes()).data;
    if file.is_empty() {
        return Ok(());
    }
    let mut child = Child::new("calendar-attachment", file);
    if let Some(name) = line.file_name() {
        child = child.named(Name::of(name));
    }
    nest.push(child)?;
    Ok(())
}

/// Lines, those put together that go on behind a blank (3.1). Ends because each takes at least one byte.
struct Lines<'d> {
    rest: &'d [u8],
}

impl Lines<'_> {
    fn next(&mut self) -> Option<String> {
        if self.rest.is_empty() {
            return None;
        }
        let mut whole = Vec::new();
        loop {
            let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
            let (line, behind) = self.rest.split_at_checked(end)?;
            whole.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            self.rest = behind.get(1..).unwrap_or_default();
            let Some(more) = self
                .rest
                .strip_prefix(b" ")
                .or(self.rest.strip_prefix(b"\t"))
            else {
                break;
            };
            self.rest = more;
        }
        Some(String::from_utf8_lossy(&whole).into_owned())
    }
}

/// A property: its name in upper case, its parameters as they stand, its value.
struct Line<'t> {
    name: String,
    parameters: Vec<(String, &'t str)>,
    value: &'t str,
}

impl<'t> Line<'t> {
    fn of(line: &'t str) -> Option<Self> {
        let mut quoted = false;
        let colon = line.char_indices().find_map(|(at, c)| {
            quoted ^= c == '"';
            (c == ':' && !quoted).then_some(at)
        })?;
        let (head, value) = line.split_at_checked(colon)?;
        let mut parts = head.split(';');
        let name = parts.next()?.trim().to_ascii_uppercase();
        let parameters = parts.filter_map(|part| part.split_once('='));
        let parameters = parameters.map(|(key, value)| {
            let key = key.trim().to_ascii_uppercase();
            (key, value.trim().trim_matches('"'))
        });
        Some(Self {
            name,
            parameters: parameters.collect(),
            value: value.get(1..)?,
        })
    }

    fn parameter(&self, key: &str) -> Option<&'t str> {
        let mut parameters = self.parameters.iter();
        parameters
            .find(|(known, _)| known == key)
            .map(|(_, value)| *value)
    }

    fn is_binary(&self) -> bool {
        let is = |key, value: &str| {
            let found = self.parameter(key);
            found.is_some_and(|found| found.eq_ignore_ascii_case(value))
        };
        is("ENCODING", "BASE64") || is("ENCODING", "B") || is("VALUE", "BINARY")
    }

    fn file_name(&self) -> Option<&'t str> {
        let keys = [
            "X-FILENAME",
            "FILENAME",
            "X-APPLE-FILENAME",
            "X-ORACLE-FILENAME",
        ];
        let mut names = keys.iter().filter_map(|key| self.parameter(key));
        names.find(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use super::*;

    type Files = Vec<(String, Vec<u8>)>;
    type Places = Vec<(Role, String)>;

    fn calendar(lines: &str) -> (Files, Places) {
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let (children, facts) = opened("calendar", text.as_bytes());
        let children = children.iter();
        let facts = facts.into_iter().filter_map(|fact| match fact {
            Fact::External { role, target, .. } => Some((role, target)),
            _ => None,
        });
        (
            children
                .map(|child| (child.label().to_owned(), child.data.to_vec()))
                .collect(),
            facts.collect(),
        )
    }

    #[test]
    fn links_to_pages_hide_no_other_place() {
        let pages: String = (0..300)
            .map(|number| format!("ATTACH:https://example.invalid/{number}\r\n"))
            .collect();
        let (_, places) = calendar(&format!("{pages}ATTACH:file://example.invalid/a.exe"));
        assert_eq!(places.len(), PAGES + 1);
        assert!(places.iter().any(|(_, place)| place.starts_with("file:")));
    }

    #[test]
    fn what_is_attached_is_opened_under_its_name() {
        let line = "attach;X-FILENAME=\"a:b.txt\";encoding=BASE64;VALUE=BINARY:aGVs\r\n bG8=";
        let (files, facts) = calendar(line);
        assert_eq!(files, [("a:b.txt".to_owned(), b"hello".to_vec())]);
        assert!(facts.is_empty());
        assert!(
            calendar("DESCRIPTION:ATTACH;VALUE=BINARY:aGVsbG8=")
                .0
                .is_empty()
        );
    }

    #[test]
    fn what_alarms_play_and_start_is_told() {
        let alarm = |action: &str| {
            let (_, facts) = calendar(&format!(
                "BEGIN:VALARM\r\nATTACH:file://h/a\r\nACTION:{action}\r\nEND:VALARM"
            ));
            facts
        };
        let place = "file://h/a".to_owned();
        assert_eq!(alarm("AUDIO"), [(Role::Media, place.clone())]);
        assert_eq!(alarm("procedure"), [(Role::Started, place)]);
        let link = calendar("ATTACH:https://a.example/b").1;
        assert_eq!(link, [(Role::Media, "https://a.example/b".to_owned())]);
    }
}
