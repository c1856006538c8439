//! The mark before the subject of a mail that is tagged, where a route asks for one (RFC 5322 section 3.6.5, RFC 2047).

use bytes::Bytes;

use crate::formats::base64;
use crate::formats::header::{self, Breaks, Doubtful};
use crate::model::Action;
use crate::policy::Decision;

/// The mark that a recipient's copy gets, if any.
pub(super) fn of(decision: &Decision, fate: Action) -> Option<&str> {
    match fate {
        Action::Tag => decision.route.subject_mark.as_deref(),
        _ => None,
    }
}

/// The message with the mark before its subject; as it was where the mark stands there.
pub(super) fn put(message: &Bytes, mark: &str) -> Bytes {
    let block = header::read(message, 0, message.len(), Breaks::Lf, Doubtful::default());
    let mark = encoded(mark);
    let subject = block.fields.iter().find(|field| {
        let name = message.get(field.name.clone()).unwrap_or_default();
        name.eq_ignore_ascii_case(b"subject")
    });
    let Some(subject) = subject else {
        return [format!("Subject: {mark}\r\n").as_bytes(), message]
            .concat()
            .into();
    };
    let value = message.get(subject.value.clone()).unwrap_or_default();
    // Of this line: what follows an empty subject is not its own.
    let blanks = value
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let text = subject.value.start.saturating_add(blanks);
    let (before, text) = message.split_at_checked(text).unwrap_or((message, &[]));
    if text.starts_with(mark.as_bytes()) {
        return message.clone();
    }
    let before = before.get(..subject.value.start).unwrap_or(before);
    [before, b" ", mark.as_bytes(), b" ", text].concat().into()
}

/// As it stands in a header: one encoded word where it is not plain ASCII.
fn encoded(mark: &str) -> String {
    match mark.is_ascii() {
        true => mark.to_owned(),
        // The blank within: readers drop the one between two encoded words (RFC 2047 section 6.2).
        false => format!(
            "=?UTF-8?B?{}?=",
            base64::encode(format!("{mark} ").as_bytes())
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_before_the_subject_once_and_nothing_else_changes() {
        let marked = |text: &str, mark: &str| {
            let put = put(&Bytes::copy_from_slice(text.as_bytes()), mark);
            String::from_utf8(put.to_vec()).unwrap()
        };
        for (before, mark, after) in [
            (
                "From: a@b\r\nsubject:Minutes\r\n of May\r\n\r\nSubject: x\r\n",
                "[odd]",
                "From: a@b\r\nsubject: [odd] Minutes\r\n of May\r\n\r\nSubject: x\r\n",
            ),
            (
                "Subject: =?UTF-8?B?6K2w?=\r\n\r\n",
                "[注意]",
                "Subject: =?UTF-8?B?W+azqOaEj10g?= =?UTF-8?B?6K2w?=\r\n\r\n",
            ),
            (
                "From: a@b\r\n\r\n",
                "[odd]",
                "Subject: [odd]\r\nFrom: a@b\r\n\r\n",
            ),
            (
                "Subject:\r\n\r\nbody",
                "[odd]",
                "Subject: [odd] \r\n\r\nbody",
            ),
        ] {
            assert_eq!(marked(before, mark), after);
            assert_eq!(marked(after, mark), after);
        }
    }
}
