//! The mail that tells somebody what was held back (RFC 5322; headers and text encoded by lettre, RFC 2045 and 2047).
//!
//! Names, addresses and subjects in it were written by senders: they are shown safely and never as links, since
//! mail programs make links of what looks like one.

use lettre::address::Envelope;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Message, SinglePart};

use crate::config::{Notify, Texts};
use crate::knowledge::{Catalogue, Language};
use crate::quarantine::{Entry, Role};
use crate::text;

/// Recipients of a message that are named.
const NAMED: usize = 5;

/// One stored message, for whoever is told of it.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The message.
    pub(super) entry: Entry,
    /// What led to it: id of the finding and name of the file, the worst first.
    pub(super) reasons: Vec<(String, String)>,
}

/// A mail to send.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Without angle brackets.
    pub(super) message_id: String,
    /// Lines end in CRLF.
    pub(super) message: Vec<u8>,
}

/// Writes the mail to one address.
pub(super) fn write(
    notify: &Notify,
    catalogue: &Catalogue,
    to: &str,
    role: Role,
    items: &[Item],
) -> Result<Written, String> {
    let texts = notify.texts_for(to);
    let count = items.len().to_string();
    let id = items.first().map(|item| item.entry.id.to_string());
    let subject = texts.first().map(|(_, texts)| {
        let subject = match items.len() {
            1 => &texts.subject,
            _ => &texts.subject_many,
        };
        let filled = subject.replace("{count}", &count);
        filled.replace("{id}", id.as_deref().unwrap_or_default())
    });
    let parts = texts.iter().map(|(language, texts)| {
        let told: Vec<String> = items
            .iter()
            .map(|item| item.told(texts, *language, catalogue, role, to))
            .collect();
        let text = match role {
            Role::Recipient => &texts.text,
            Role::Administrator => &texts.admin_text,
        };
        let text = text.replace("{count}", &count);
        text.replace("{items}", told.join("\n\n").trim())
            .trim()
            .to_owned()
    });
    let body = parts
        .collect::<Vec<_>>()
        .join("\n\n--\n\n")
        .replace('\n', "\r\n");
    let random = getrandom::u64().map_err(|error| error.to_string())?;
    let domain = notify.from.email.domain();
    let message_id = format!("{random:016x}.notice@{domain}");
    // What lettre makes of an envelope is not used: the message goes out by its own transaction.
    let from = notify.from.email.clone();
    let envelope = Envelope::new(None, vec![from]).map_err(|error| error.to_string())?;
    let message = Message::builder()
        .from(notify.from.clone())
        .header(To(addressed(to)))
        .subject(subject.unwrap_or_default())
        .message_id(Some(format!("<{message_id}>")))
        .header(AutoSubmitted)
        .header(NoAutoResponse)
        .envelope(envelope)
        .singlepart(
            SinglePart::builder()
                .header(ContentType::TEXT_PLAIN)
                .body(body + "\r\n"),
        )
        .map_err(|error| error.to_string())?;
    Ok(Written {
        message_id,
        message: message.formatted(),
    })
}

impl Item {
    fn told(
        &self,
        texts: &Texts,
        language: Language,
        catalogue: &Catalogue,
        role: Role,
        to: &str,
    ) -> String {
        let entry = &self.entry;
        let or_none = |text: Option<&str>| match text.map(str::trim) {
            None | Some("") => texts.none.clone(),
            Some(text) => unlinked(&text::excerpt(text)),
        };
        let reasons: Vec<String> = self
            .reasons
            .iter()
            .map(|(finding, name)| {
                let title = catalogue.entry(finding).map_or_else(
                    || finding.clone(),
                    |entry| format!("{} ({finding})", entry.text(language).title),
                );
                match name.as_str() {
                    "" => format!("  {title}"),
                    name => format!("  {}: {title}", unlinked(&text::excerpt(name))),
                }
            })
            .collect();
        let reasons = match reasons.as_slice() {
            [] => format!("  {}", texts.none),
            reasons => reasons.join("\n"),
        };
        // Who else should have got a message is nobody's business but the administrators'.
        let recipients = match role {
            Role::Recipient => to.to_owned(),
            Role::Administrator => named(&entry.envelope.recipients),
        };
        let from = match entry.mail.from.as_deref() {
            Some(from) if !from.trim().is_empty() => Some(from),
            _ => Some(entry.envelope.sender.as_str()),
        };
        // Text from outside is filled in last, so that what it holds is never taken for a placeholder.
        fill(
            &texts.item,
            &[
                ("{id}", entry.id.to_string()),
                ("{action}", texts.action(entry.action).to_owned()),
                ("{received}", entry.received.clone()),
                ("{reasons}", reasons),
                ("{to}", or_none(Some(&recipients))),
                ("{from}", or_none(from)),
                ("{subject}", or_none(entry.mail.subject.as_deref())),
            ],
        )
        .trim()
        .to_owned()
    }
}

/// The template with its placeholders filled in, each place once: what is filled in is not searched again.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    // Ends because the rest gets shorter.
    while let Some((before, from_brace)) = rest.find('{').and_then(|at| rest.split_at_checked(at)) {
        out.push_str(before);
        let known = values
            .iter()
            .find_map(|(name, value)| Some((value, from_brace.strip_prefix(name)?)));
        match known {
            Some((value, after)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push('{');
                rest = from_brace.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// The first recipients, and how many more there are.
fn named(recipients: &[String]) -> String {
    let named: Vec<&str> = recipients.iter().take(NAMED).map(String::as_str).collect();
    match recipients.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} (+{more})", named.join(", ")),
    }
}

/// Text in which no mail program sees a link.
fn unlinked(text: &str) -> String {
    text.replace("://", ":// ").replace("www.", "www .")
}

/// An address as a header has it: a local part that is no dot-atom in quotes (RFC 5322 section 3.4.1).
fn addressed(address: &str) -> String {
    let Some((user, domain)) = address.rsplit_once('@') else {
        return address.to_owned();
    };
    let atom = |c: char| c.is_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let is_dot_atom = user
        .split('.')
        .all(|word| !word.is_empty() && word.chars().all(atom));
    if is_dot_atom || user.starts_with('"') {
        return address.to_owned();
    }
    let mut quoted = String::new();
    for c in user.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    format!("\"{quoted}\"@{domain}")
}

/// The address as it came: lettre's own type refuses some that exist.
#[derive(Clone)]
struct To(String);

/// RFC 3834 section 5: nothing may answer this by itself.
#[derive(Clone)]
struct AutoSubmitted;

/// The same for Exchange.
#[derive(Clone)]
struct NoAutoResponse;

type Parsed<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

impl Header for To {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("To")
    }

    fn parse(text: &str) -> Parsed<Self> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        // Encoded words have no place in an address (RFC 2047 section 5).
        HeaderValue::dangerous_new_pre_encoded(Self::name(), self.0.clone(), self.0.clone())
    }
}

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Parsed<Self> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Header for NoAutoResponse {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Auto-Response-Suppress")
    }

    fn parse(_: &str) -> Parsed<Self> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "All".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_searched_for_placeholders() {
        let values = [("{a}", "{b}".to_owned()), ("{b}", "{a}".to_owned())];
        assert_eq!(fill("x {a} {b} {c} {", &values), "x {b} {a} {c} {");
    }

    #[test]
    fn addresses_that_exist_and_strict_readers_refuse_are_quoted() {
        for (address, header) in [
            ("hanako@hq.example", "hanako@hq.example"),
            ("a..b@docomo.example", "\"a..b\"@docomo.example"),
            ("b.@docomo.example", "\"b.\"@docomo.example"),
            ("a \"b@x", "\"a \\\"b\"@x"),
            ("花子@例.example", "花子@例.example"),
        ] {
            assert_eq!(addressed(address), header);
        }
    }

    #[test]
    fn links_of_senders_are_none() {
        assert_eq!(unlinked("see https://a.example"), "see https:// a.example");
    }
}
