//! What a mail says about itself: shown in reports, never trusted.

use mail_parser::{Address, Message};

use crate::formats::header::unfold;
use crate::formats::header_words;
use crate::formats::mime::Structure;
use crate::model::MailSummary;
use crate::text;

/// Addresses shown of one mail.
const ADDRESSES: usize = 100;

/// The summary of a mail whose own header is the first part's; addresses and date by the mail-parser crate.
pub(super) fn summary(
    data: &[u8],
    structure: &Structure,
    parsed: Option<&Message<'_>>,
) -> MailSummary {
    let header = structure.parts.first().map(|part| &part.header);
    let field = |name: &str| {
        header
            .and_then(|header| header.values(data, name).next())
            .map(unfold)
            .filter(|value| !value.is_empty())
    };
    let message_id = field("message-id").map(|raw| {
        let text = header_words::likeliest(&raw);
        text::excerpt(text.trim_matches(['<', '>', ' ']))
    });
    let date = parsed
        .and_then(Message::date)
        .filter(|date| date.is_valid())
        .map(mail_parser::DateTime::to_rfc3339);
    let from = parsed
        .and_then(Message::from)
        .and_then(|from| addresses(from).next());
    let to = parsed
        .into_iter()
        .flat_map(|message| [message.to(), message.cc()]);
    MailSummary {
        message_id,
        date,
        from: from
            .or_else(|| field("from").map(|raw| text::excerpt(&header_words::likeliest(&raw)))),
        to: to.flatten().flat_map(addresses).take(ADDRESSES).collect(),
        subject: field("subject").map(|raw| text::excerpt(&header_words::likeliest(&raw))),
    }
}

fn addresses<'a>(address: &'a Address<'_>) -> impl Iterator<Item = String> + 'a {
    address
        .iter()
        .filter_map(|one| one.address.as_deref().or(one.name.as_deref()))
        .map(text::excerpt)
}
