//! Mails, web archives, mailboxes and emlx by the fields of their header: never by a name, never by a word in the text.
//!
//! Looks at the head only; whether a file that begins with a postmark holds several messages is searched for.

use crate::formats::header::{Breaks, field_name, line_end};
use crate::formats::{mbox, mime};
use crate::model::Kind;

use super::Identity;

/// Bytes of a header that are looked at.
const HEAD: usize = 16 * 1024;

/// Lines before the header that are passed over at the most.
const LEAD: usize = 12;

/// Fields that only mails have.
const MAIL_ONLY: &[&str] = &[
    "arc-authentication-results",
    "arc-message-signature",
    "arc-seal",
    "authentication-results",
    "content-disposition",
    "content-transfer-encoding",
    "delivered-to",
    "dkim-signature",
    "domainkey-signature",
    "envelope-to",
    "in-reply-to",
    "list-unsubscribe",
    "message-id",
    "mime-version",
    "original-recipient",
    "received",
    "received-spf",
    "references",
    "return-path",
    "return-receipt-to",
    "thread-index",
    "thread-topic",
    "x-mailer",
    "x-mimeole",
    "x-mozilla-status",
    "x-original-to",
    "x-originating-ip",
    "x-priority",
    "x-received",
    "x-spam-status",
    "x-uidl",
];

/// Fields of mails that other texts may begin with too.
const COMMON: &[&str] = &[
    "bcc",
    "cc",
    "content-base",
    "content-description",
    "content-id",
    "content-location",
    "content-type",
    "date",
    "errors-to",
    "from",
    "importance",
    "mailing-list",
    "organization",
    "precedence",
    "priority",
    "reply-to",
    "resent-date",
    "resent-from",
    "resent-to",
    "sender",
    "status",
    "subject",
    "to",
    "user-agent",
];

/// Fields of HTTP, which shares some with mails.
const HTTP: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-ranges",
    "cache-control",
    "connection",
    "cookie",
    "etag",
    "host",
    "last-modified",
    "location",
    "server",
    "set-cookie",
    "transfer-encoding",
    "x-powered-by",
];

/// Where a message's header starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailStart {
    /// Offset of the first field, or of the postmark before it.
    pub at: usize,
    /// What stands before it that some programs would take for the end of the header.
    pub lead: Option<&'static str>,
}

/// What a header's fields say.
#[derive(Debug, Default)]
struct Fields {
    mail_only: usize,
    common: usize,
    http: usize,
    lines: usize,
    ended: bool,
    content_type: bool,
    multipart: bool,
    related: bool,
    location: bool,
    transported: bool,
}

/// Tells mails; `None` where the head does not read as a header of one.
pub(super) fn identify(data: &[u8]) -> Option<Identity> {
    let head = head(data);
    if let Some(start) = emlx(head) {
        return fields(head, start)
            .is_mail()
            .then(|| Identity::certain(Kind::Emlx));
    }
    let MailStart { at, lead } = mail_start(data);
    let rest = data.get(at..).unwrap_or_default();
    if rest.starts_with(b"From ") && mbox::is_postmark(data, at) {
        let several = mbox::next_postmark(data, at).is_some();
        let (_, next) = line_end(head, at, head.len(), mbox::breaks(rest));
        let kind = if several { Kind::Mbox } else { Kind::Eml };
        let fields = fields(head, next);
        return (several && fields.is_fields() || fields.is_mail())
            .then(|| Identity::certain(kind));
    }
    if mime::begins_with_part(head, at) && lead.is_none() {
        return Some(Identity::certain(Kind::Eml));
    }
    let fields = fields(head, at);
    if !fields.is_mail() || lead == Some(JUNK) && !fields.multipart {
        return None;
    }
    Some(Identity::certain(if fields.is_archive() {
        Kind::Mht
    } else {
        Kind::Eml
    }))
}

/// What a program makes of a file that its name says to be a mail: any field of one will do, however many others there are.
pub(super) fn by_name(data: &[u8]) -> Option<Kind> {
    let fields = fields(data, mail_start(data).at);
    let known = fields.mail_only.saturating_add(fields.common);
    (known > 0).then(|| match fields.is_archive() {
        true => Kind::Mht,
        false => Kind::Eml,
    })
}

const JUNK: &str = "lines that are no field before the header";

/// Where the header starts: behind a byte order mark, blank lines and, before `MIME-Version` or a transport field, a
/// few lines of junk, as Word and Outlook pass over them.
pub fn mail_start(data: &[u8]) -> MailStart {
    let head = head(data);
    let mark = mark(head);
    let text = head.get(mark..).unwrap_or_default();
    let blanks = text.len().saturating_sub(text.trim_ascii_start().len());
    let at = mark.saturating_add(blanks);
    let line_break = text
        .get(..blanks)
        .is_some_and(|blanks| memchr::memchr2(b'\n', b'\r', blanks).is_some());
    let lead = line_break.then_some("blank lines before the header");
    let here = MailStart {
        // A blank in front of the first field is passed over too, but it hides nothing.
        at,
        lead,
    };
    let rest = head.get(at..).unwrap_or_default();
    if rest.starts_with(b"From ") || name_at(head, at).is_some() {
        return here;
    }
    let mut junk = at;
    for _ in 0..LEAD {
        let (_, next) = line_end(head, junk, head.len(), Breaks::Lf);
        if next <= junk || next >= head.len() {
            break;
        }
        junk = next;
        if name_at(head, junk).is_some_and(|name| name.eq_ignore_ascii_case(b"mime-version")) {
            return MailStart {
                at: junk,
                lead: Some(JUNK),
            };
        }
    }
    MailStart {
        at: if line_break { at } else { mark },
        lead,
    }
}

/// Length of the byte order mark in front.
fn mark(data: &[u8]) -> usize {
    if data.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    }
}

/// What is looked at: [`HEAD`] bytes behind the blanks in front, however many those are.
fn head(data: &[u8]) -> &[u8] {
    let text = data.get(mark(data)..).unwrap_or_default();
    let blanks = data.len().saturating_sub(text.trim_ascii_start().len());
    data.get(..blanks.saturating_add(HEAD)).unwrap_or(data)
}

/// The name of the field at `at`, where the line is one.
fn name_at(head: &[u8], at: usize) -> Option<&[u8]> {
    let line = head.get(at..)?;
    let (len, _) = field_name(line)?;
    line.get(..len)
}

fn is_of(list: &[&str], name: &str) -> bool {
    list.binary_search(&name).is_ok()
}

/// Length of the first line where it is a number and nothing else.
fn emlx(head: &[u8]) -> Option<usize> {
    let (end, next) = line_end(head, 0, head.len().min(24), Breaks::Lf);
    let line = head.get(..end)?.trim_ascii();
    let number = !line.is_empty() && line.iter().all(u8::is_ascii_digit);
    (number && next > end).then_some(next)
}

fn fields(head: &[u8], start: usize) -> Fields {
    let mut fields = Fields::default();
    // A mail of bare carriage returns has no other line end before its first field ends.
    let first = memchr::memchr2(b'\r', b'\n', head.get(start..).unwrap_or_default());
    let bare = first
        .and_then(|at| head.get(start.saturating_add(at)..))
        .is_some_and(|rest| matches!(rest, [b'\r', next, ..] if *next != b'\n' && *next != b'\r'));
    let breaks = if bare { Breaks::Cr } else { Breaks::Lf };
    let mut at = start;
    // Ends because every line moves `at` on.
    while at < head.len() {
        let (end, next) = line_end(head, at, head.len(), breaks);
        let line = head.get(at..end).unwrap_or_default();
        if line.trim_ascii().is_empty() {
            fields.ended = fields.lines > 0;
            break;
        }
        let folded = matches!(line.first(), Some(b' ' | b'\t')) && fields.lines > 0;
        if !folded {
            let Some(name) = name_at(head, at) else {
                // The first line that is no field: what came before must do.
                break;
            };
            fields.lines = fields.lines.saturating_add(1);
            fields.count(name);
        }
        if memchr::memchr(b'/', line).is_some() {
            let text = line.to_ascii_lowercase();
            fields.multipart |= memchr::memmem::find(&text, b"multipart/").is_some();
            fields.related |= memchr::memmem::find(&text, b"multipart/related").is_some();
        }
        at = next;
    }
    fields
}

impl Fields {
    fn count(&mut self, name: &[u8]) {
        // No known name is longer.
        let mut lower = [0; 40];
        let Some(lower) = lower.get_mut(..name.len()) else {
            return;
        };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let name = std::str::from_utf8(lower).unwrap_or_default();
        let one = |yes: bool| usize::from(yes);
        self.mail_only = self.mail_only.saturating_add(one(is_of(MAIL_ONLY, name)));
        self.common = self.common.saturating_add(one(is_of(COMMON, name)));
        self.http = self.http.saturating_add(one(is_of(HTTP, name)));
        self.content_type |= name == "content-type";
        self.location |= matches!(name, "content-location" | "content-base");
        self.transported |= matches!(
            name,
            "received" | "return-path" | "delivered-to" | "to" | "message-id" | "dkim-signature"
        );
    }

    /// Whether these are the fields of a mail or of a part.
    fn is_mail(&self) -> bool {
        let known = self.mail_only.saturating_add(self.common);
        if self.http > self.mail_only {
            return false;
        }
        // Of a long run of fields a fair share must be known, whatever a producer adds of its own.
        let share = known.saturating_mul(12) >= self.lines;
        let enough = self.mail_only >= 1 && (known >= 2 || self.ended)
            || self.common >= 2
            || self.content_type && (self.multipart || self.ended);
        share && enough
    }

    fn is_fields(&self) -> bool {
        self.mail_only.saturating_add(self.common) >= 1 || self.ended && self.lines >= 1
    }

    /// Whether a page was saved as this: a root with its parts that nobody sent to anybody.
    fn is_archive(&self) -> bool {
        !self.transported && (self.related || self.location && self.content_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(data: &[u8]) -> Option<Kind> {
        identify(data).map(|identity| identity.kind)
    }

    #[test]
    fn lists_are_sorted() {
        for list in [MAIL_ONLY, COMMON, HTTP] {
            assert!(list.is_sorted());
            assert!(list.iter().all(|name| name.len() <= 40));
        }
    }

    #[test]
    fn mails_are_told_by_their_fields() {
        for mail in [
            "Return-Path: <a@b>\r\nReceived: by x\r\n\r\nhi",
            "From: a\nTo: b\n\nhi",
            "\n\nSubject: x\nMIME-Version: 1.0\n\nhi",
            "\u{feff}Received: x\nX-Own: y\n\n",
            "From a@b Mon Jun 01 10:00:00 2009\nSubject: x\nFrom: y\n\nhi",
            "Content-Type: multipart/mixed; boundary=1\n\n--1\n",
            "--x\r\nContent-Type: text/plain\r\n\r\nhi\r\n--x--",
            "From: a\rTo: b\r\rhi",
        ] {
            assert_eq!(kind(mail.as_bytes()), Some(Kind::Eml), "{mail}");
        }
    }

    #[test]
    fn archives_mailboxes_and_emlx_are_told_apart() {
        let archive =
            "junk\nmore junk\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\n";
        assert_eq!(kind(archive.as_bytes()), Some(Kind::Mht));
        let mailbox =
            "From a Mon Jun 01 10:00:00 2009\nSubject: x\n\nhi\n\nFrom b\nSubject: y\n\nhi";
        assert_eq!(kind(mailbox.as_bytes()), Some(Kind::Mbox));
        let carriage_returns = mailbox.replace('\n', "\r");
        assert_eq!(kind(carriage_returns.as_bytes()), Some(Kind::Mbox));
        let emlx = "25       \nFrom: a\nTo: b\nSubject: c\n\nhi<?xml";
        assert_eq!(kind(emlx.as_bytes()), Some(Kind::Emlx));
    }

    #[test]
    fn blank_lines_in_front_hide_no_mail() {
        let mail = "From: a\r\nTo: b\r\nSubject: c\r\n\r\nhi";
        for front in ["\r\n".repeat(40_000), " ".repeat(100_000) + "\n"] {
            let padded = format!("\u{feff}{front}{mail}");
            assert_eq!(kind(padded.as_bytes()), Some(Kind::Eml));
            assert_eq!(mail_start(padded.as_bytes()).at, front.len() + 3);
            assert_eq!(kind(format!("{front}words").as_bytes()), None);
        }
    }

    #[test]
    fn other_texts_are_no_mail() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nServer: x\r\n\r\n",
            "Content-Type: text/html\r\nServer: x\r\nCache-Control: no\r\n\r\n",
            "From here on, all is well.\n\nReally: yes\n",
            "date,from,to\n1,2,3\n",
            "2024-01-01 10:00:00 INFO from: x\n2024-01-01 10:00:01 INFO to: y\n",
            "#include <stdio.h>\nint main(void) { return 0; }\n",
            "To whom it may concern\n\nHello",
            "BEGIN:VCARD\nVERSION:3.0\nEND:VCARD\n",
            "12345\n67890\n",
            "",
        ] {
            assert_eq!(kind(text.as_bytes()), None, "{text}");
        }
    }
}
