//! `[notify]`: who is told of what was held back, by which server, in which language; the table turns it on.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::knowledge::Language;
use crate::model::Action;
use crate::text;

use super::mail_server::{Given, MailServer};
use super::strip::{NoticeLanguage, Strip};
use super::tls::StartTls;

/// Longest file of texts, in bytes.
const LONGEST: usize = 64 << 10;

/// Letters to one address within an hour where nothing is said.
const PER_HOUR: u32 = 20;

const TEXTS: &str = include_str!("../../signatures/notify.toml");

/// The texts of notices in one language.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// Subject of a notice about one message, with `{id}`.
    pub subject: String,
    /// Subject of a notice about several, with `{count}`.
    pub subject_many: String,
    /// What recipients read, with `{items}`.
    pub text: String,
    /// What administrators read, with `{items}`.
    pub admin_text: String,
    /// One message, with `{id}`, `{action}`, `{from}`, `{to}`, `{subject}`, `{received}` and `{reasons}`.
    pub item: String,
    hold: String,
    quarantine: String,
    strip: String,
    disarm: String,
    /// Stands for what is empty.
    pub none: String,
}

impl Texts {
    /// What was done with a message, in words.
    pub fn action(&self, action: Action) -> &str {
        match action {
            Action::Strip => &self.strip,
            Action::Disarm => &self.disarm,
            Action::Hold => &self.hold,
            _ => &self.quarantine,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct BothTexts {
    en: Texts,
    ja: Texts,
}

/// Settings of notices, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// Who writes them.
    pub from: Mailbox,
    /// Who takes them.
    pub server: MailServer,
    /// Whether those are told who should have got a message.
    pub recipients: bool,
    /// Who is told of every message.
    pub admins: Vec<String>,
    /// The language; none: that of the recipient, as `[strip]` has it.
    pub language: Option<NoticeLanguage>,
    /// The minute of the day, in UTC, at which all of a day is told at once; none: each at once.
    pub digest: Option<u16>,
    /// Letters to one address within an hour; what is more is told with the next.
    pub per_hour: u32,
    /// The file of texts, where they are not the built-in ones.
    pub texts_file: Option<PathBuf>,
    texts: BothTexts,
    by_domain: Strip,
}

/// In which language notices are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Lang {
    #[default]
    Auto,
    En,
    Ja,
    Both,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NotifyTable {
    /// Who writes them: an address, with or without a name.
    #[schemars(with = "String")]
    from: Option<Spanned<String>>,
    /// host:port or smtps:host:port of the server that takes them; by default the one of releases.
    #[schemars(with = "Option<String>")]
    smtp: Option<Spanned<String>>,
    /// When TLS is spoken to it.
    #[schemars(with = "StartTls")]
    starttls: Option<Spanned<StartTls>>,
    /// Certificates (PEM) that its own is checked against; a relative path lies beside the configuration.
    ca: Option<PathBuf>,
    /// Name for its login.
    #[schemars(with = "Option<String>")]
    user: Option<Spanned<String>>,
    /// File with the password, one line.
    #[schemars(with = "Option<PathBuf>")]
    password: Option<Spanned<PathBuf>>,
    /// Whether those are told who should have got a message (true).
    recipients: Option<bool>,
    /// Addresses that are told of every message.
    #[schemars(with = "Vec<String>")]
    admins: Vec<Spanned<String>>,
    /// Language: "auto" as `[strip]` has it for the recipient, "en", "ja" or "both".
    lang: Lang,
    /// Time of day for one notice a day, such as "07:30" (UTC) or "07:30+09:00"; without it each is told at once.
    #[schemars(with = "Option<String>")]
    digest: Option<Spanned<String>>,
    /// Notices to one address within an hour (20); what is more is told with the next.
    #[schemars(with = "Option<u32>")]
    per_hour: Option<Spanned<u32>>,
    /// File with texts of your own; a relative one lies beside the configuration.
    #[schemars(with = "Option<PathBuf>")]
    texts: Option<Spanned<PathBuf>>,
}

impl Notify {
    /// Checks the table. `usual`: the server of releases.
    pub(super) fn check(
        table: NotifyTable,
        strip: &Strip,
        usual: &MailServer,
        folder: &Path,
    ) -> Result<Self, (usize, String)> {
        let Some(from) = table.from else {
            let reason = "[notify] needs from = \"ADDRESS\": who writes the notices".to_owned();
            return Err((0, reason));
        };
        let sender: Mailbox = from.get_ref().parse().map_err(|_| {
            let reason = format!("notify.from = {:?}: no address of a mail", from.get_ref());
            (from.span().start, reason)
        })?;
        let given = Given {
            names: ("notify", "smtp"),
            address: table.smtp,
            starttls: table.starttls,
            ca: table.ca,
            user: table.user,
            password: table.password,
        };
        let server = MailServer::check(given, usual.clone(), folder)?;
        for admin in &table.admins {
            if !is_address(admin.get_ref()) {
                let reason = format!("notify.admins: {:?} is no address", admin.get_ref());
                return Err((admin.span().start, reason));
            }
        }
        let digest = match &table.digest {
            None => None,
            Some(time) => Some(minute(time.get_ref()).ok_or_else(|| {
                let reason = format!(
                    "notify.digest = {:?}: write a time of day, such as \"07:30\" or \"07:30+09:00\"",
                    time.get_ref()
                );
                (time.span().start, reason)
            })?),
        };
        let per_hour = match table.per_hour {
            None => PER_HOUR,
            Some(zero) if *zero.get_ref() == 0 => {
                let reason = "notify.per_hour = 0: must be at least 1".to_owned();
                return Err((zero.span().start, reason));
            }
            Some(number) => number.into_inner(),
        };
        let (texts, texts_file) = texts(table.texts.as_ref(), folder)?;
        Ok(Self {
            from: sender,
            server,
            recipients: table.recipients.unwrap_or(true),
            admins: table.admins.into_iter().map(Spanned::into_inner).collect(),
            language: match table.lang {
                Lang::Auto => None,
                Lang::En => Some(NoticeLanguage::English),
                Lang::Ja => Some(NoticeLanguage::Japanese),
                Lang::Both => Some(NoticeLanguage::Both),
            },
            digest,
            per_hour,
            texts_file,
            texts,
            by_domain: strip.clone(),
        })
    }

    /// The texts for an address, one a language.
    pub fn texts_for(&self, address: &str) -> Vec<(Language, &Texts)> {
        let english = (Language::English, &self.texts.en);
        let japanese = (Language::Japanese, &self.texts.ja);
        let language = self.language;
        match language.unwrap_or_else(|| self.by_domain.language_of([address])) {
            NoticeLanguage::English => vec![english],
            NoticeLanguage::Japanese => vec![japanese],
            NoticeLanguage::Both => vec![japanese, english],
        }
    }

    pub(super) fn write(&self, out: &mut String) {
        let quoted = |text: &str| toml::Value::String(text.to_owned());
        let admins: Vec<toml::Value> = self.admins.iter().map(|admin| quoted(admin)).collect();
        let lang = match self.language {
            None => "auto",
            Some(NoticeLanguage::English) => "en",
            Some(NoticeLanguage::Japanese) => "ja",
            Some(NoticeLanguage::Both) => "both",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "\n[notify]\nfrom = {}", quoted(&self.from.to_string()));
        self.server.write("smtp", out);
        let _ = writeln!(
            out,
            "recipients = {}\nadmins = {}\nlang = \"{lang}\"\nper_hour = {}",
            self.recipients,
            toml::Value::Array(admins),
            self.per_hour
        );
        if let Some(minute) = self.digest {
            let _ = writeln!(out, "digest = \"{:02}:{:02}\"", minute / 60, minute % 60);
        }
        if let Some(path) = &self.texts_file {
            let _ = writeln!(out, "texts = {}", quoted(&path.to_string_lossy()));
        }
    }
}

fn is_address(text: &str) -> bool {
    let blank = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',');
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(user, domain)| !user.is_empty() && !domain.is_empty())
        && !text.contains(blank)
}

/// The minute of the day in UTC of `HH:MM`, `HH:MMZ` or `HH:MM+09:00`.
fn minute(text: &str) -> Option<u16> {
    let clock = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let two = |text: &str| {
            let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<i32>().ok()).flatten()
        };
        let (hour, minute) = (two(hour)?, two(minute)?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let text = text.strip_suffix('Z').unwrap_or(text);
    let minutes = match text.find(['+', '-']) {
        None => clock(text)?,
        Some(at) => {
            let (time, offset) = text.split_at_checked(at)?;
            let ahead = clock(offset.get(1..)?)?;
            match offset.starts_with('+') {
                true => clock(time)? - ahead,
                false => clock(time)? + ahead,
            }
        }
    };
    u16::try_from(minutes.rem_euclid(24 * 60)).ok()
}

fn texts(
    file: Option<&Spanned<PathBuf>>,
    folder: &Path,
) -> Result<(BothTexts, Option<PathBuf>), (usize, String)> {
    let Some(file) = file else {
        let built_in = toml::from_str(TEXTS);
        return built_in
            .map(|texts| (texts, None))
            .map_err(|error| (0, format!("the built-in texts: {error}")));
    };
    let path = folder.join(file.get_ref());
    let shown = text::path(&path);
    let refuse = |what: String| (file.span().start, format!("notify.texts: {what}"));
    let read = std::fs::read_to_string(&path)
        .map_err(|error| refuse(format!("cannot read {shown}: {error}")))?;
    if read.len() > LONGEST {
        return Err(refuse(format!("{shown} is longer than {LONGEST} bytes")));
    }
    let texts: BothTexts = toml::from_str(&read)
        .map_err(|error| refuse(format!("{shown}: {}", text::safe(error.message()))))?;
    for (language, texts) in [("en", &texts.en), ("ja", &texts.ja)] {
        for (key, text, needed) in [
            ("text", &texts.text, "{items}"),
            ("admin_text", &texts.admin_text, "{items}"),
            ("item", &texts.item, "{id}"),
        ] {
            if !text.contains(needed) {
                let reason = format!("{shown}: {language}.{key} does not name {needed}");
                return Err(refuse(reason));
            }
        }
    }
    Ok((texts, Some(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Notify, String> {
        let table: NotifyTable = toml::from_str(text).map_err(|error| error.to_string())?;
        let strip = Strip::default();
        Notify::check(
            table,
            &strip,
            &MailServer::near("127.0.0.1:10026"),
            Path::new("conf"),
        )
        .map_err(|(_, reason)| reason)
    }

    #[test]
    fn a_table_is_taken_and_written_again() {
        let text = "from = \"関所 <gate@hq.example>\"\nadmins = [\"a..b@hq.example\"]\nlang = \"ja\"\n\
                    digest = \"07:30+09:00\"\nper_hour = 3\nrecipients = false\n";
        let notify = check(text).unwrap();
        assert_eq!(notify.digest, Some(22 * 60 + 30));
        assert_eq!(notify.server, MailServer::near("127.0.0.1:10026"));
        assert!(!notify.recipients);
        let mut out = String::new();
        notify.write(&mut out);
        assert_eq!(
            check(out.trim().strip_prefix("[notify]").unwrap()),
            Ok(notify)
        );
    }

    #[test]
    fn what_does_not_hold_is_refused() {
        for (text, reason) in [
            ("", "[notify] needs from"),
            ("from = \"nobody\"", "notify.from = \"nobody\""),
            ("from = \"a@b\"\nsmtp = \"25\"", "notify.smtp"),
            ("from = \"a@b\"\nadmins = [\"b\"]", "notify.admins: \"b\""),
            (
                "from = \"a@b\"\nstarttls = \"verify\"",
                "notify.starttls = \"verify\": name the certificates",
            ),
            (
                "from = \"a@b\"\nuser = \"u\"",
                "notify.user: name the file of its password",
            ),
            (
                "from = \"a@b\"\npassword = \"p\"",
                "notify.password: its user is missing",
            ),
            (
                "from = \"a@b\"\nstarttls = \"may\"\nuser = \"u\"\npassword = \"p\"",
                "notify.user: a password is not sent in clear",
            ),
            (
                "from = \"a@b\"\nstarttls = \"encrypt\"\nuser = \"u\"\npassword = \"none\"",
                "notify.password: cannot read conf/none",
            ),
            ("from = \"a@b\"\ndigest = \"25:00\"", "notify.digest"),
            ("from = \"a@b\"\ndigest = \"7:30\"", "notify.digest"),
            ("from = \"a@b\"\nper_hour = 0", "notify.per_hour"),
            (
                "from = \"a@b\"\ntexts = \"none.toml\"",
                "notify.texts: cannot read conf/none.toml",
            ),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
