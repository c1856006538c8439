//! Command lines of SMTP (RFC 5321 section 4.1.1) with the extensions that the relay takes part in: STARTTLS
//! (RFC 3207), CHUNKING (RFC 3030), and Postfix's XFORWARD and XCLIENT.
//!
//! Paths and parameters are kept as they were written: DSN (RFC 3461) and whatever else the next hop offers is its
//! business.

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// EHLO or HELO with the client's name.
    Hello {
        /// EHLO.
        extended: bool,
        /// As it was given.
        name: String,
    },
    /// MAIL FROM.
    Mail(Path),
    /// RCPT TO.
    Rcpt(Path),
    /// DATA.
    Data,
    /// BDAT.
    Bdat {
        /// Bytes that follow the line.
        size: u64,
        /// Whether the message ends with them.
        last: bool,
    },
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
    /// STARTTLS.
    StartTls,
    /// VRFY.
    Vrfy,
    /// XFORWARD: names in upper case, values still in xtext.
    Xforward(Vec<(String, String)>),
    /// XCLIENT, likewise.
    Xclient(Vec<(String, String)>),
}

/// A path with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Between the angle brackets, as it was written.
    pub path: String,
    /// `KEYWORD` or `KEYWORD=value`, as they were written.
    pub parameters: Vec<String>,
}

/// Why a line is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// None that is known, or none that is offered here.
    Unknown,
    /// Its arguments: what is wrong with them.
    Arguments(&'static str),
    /// BDAT with arguments that do not say how many bytes follow: nobody knows where the next command begins.
    Chunk,
}

/// Longest name of a client, path and number of parameters that are taken.
const NAME: usize = 255;
const PATH: usize = 1024;
const PARAMETERS: usize = 32;

impl Path {
    /// The value of a parameter; empty where it has none.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find_map(|parameter| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The mailbox, without the source route of olden days (RFC 5321 appendix C).
    pub fn mailbox(&self) -> &str {
        match self.path.strip_prefix('@') {
            Some(route) => route
                .split_once(':')
                .map_or(self.path.as_str(), |(_, mailbox)| mailbox),
            None => &self.path,
        }
    }
}

/// Reads a line.
pub fn parse(line: &[u8]) -> Result<Command, Wrong> {
    let line = std::str::from_utf8(line).map_err(|_| Wrong::Arguments("not UTF-8"))?;
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Wrong::Arguments("control characters"));
    }
    let (verb, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let rest = rest.trim_matches([' ', '\t']);
    let alone = |command| match rest.is_empty() {
        true => Ok(command),
        false => Err(Wrong::Arguments("no arguments here")),
    };
    match verb.to_ascii_uppercase().as_str() {
        "EHLO" => hello(true, rest),
        "HELO" => hello(false, rest),
        "MAIL" => path(rest, "FROM:").map(Command::Mail),
        "RCPT" => match path(rest, "TO:")? {
            to if to.path.is_empty() => Err(Wrong::Arguments("nobody as recipient")),
            to => Ok(Command::Rcpt(to)),
        },
        "DATA" => alone(Command::Data),
        "BDAT" => bdat(rest),
        "RSET" => alone(Command::Rset),
        "NOOP" => Ok(Command::Noop),
        "QUIT" => alone(Command::Quit),
        "STARTTLS" => alone(Command::StartTls),
        "VRFY" => Ok(Command::Vrfy),
        "XFORWARD" => attributes(rest).map(Command::Xforward),
        "XCLIENT" => attributes(rest).map(Command::Xclient),
        _ => Err(Wrong::Unknown),
    }
}

fn hello(extended: bool, name: &str) -> Result<Command, Wrong> {
    if name.is_empty() || name.len() > NAME || name.contains([' ', '\t']) {
        return Err(Wrong::Arguments("the name of the client"));
    }
    Ok(Command::Hello {
        extended,
        name: name.to_owned(),
    })
}

/// `FROM:<path> parameters`; blanks behind the colon are common enough.
fn path(rest: &str, word: &str) -> Result<Path, Wrong> {
    let wrong = Wrong::Arguments("the path");
    let rest = match rest.split_at_checked(word.len()) {
        Some((head, rest)) if head.eq_ignore_ascii_case(word) => rest.trim_start(),
        _ => return Err(wrong),
    };
    let rest = rest.strip_prefix('<').ok_or(wrong)?;
    let end = closing(rest).ok_or(wrong)?;
    let (path, rest) = rest.split_at_checked(end).ok_or(wrong)?;
    let rest = rest.strip_prefix('>').ok_or(wrong)?;
    if path.len() > PATH || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return Err(wrong);
    }
    let parameters: Vec<String> = rest.split_ascii_whitespace().map(str::to_owned).collect();
    if parameters.len() > PARAMETERS || parameters.iter().any(|one| one.starts_with('=')) {
        return Err(Wrong::Arguments("the parameters"));
    }
    Ok(Path {
        path: path.to_owned(),
        parameters,
    })
}

/// Where the bracket that ends a path stands: not within a quoted string (RFC 5321 section 4.1.2).
fn closing(path: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in path.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some(at),
            '<' if !quoted => return None,
            _ => {}
        }
    }
    None
}

fn bdat(rest: &str) -> Result<Command, Wrong> {
    let wrong = Wrong::Chunk;
    let mut words = rest.split_ascii_whitespace();
    let size = words.next().ok_or(wrong)?;
    if !size.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong);
    }
    let size = size.parse().map_err(|_| wrong)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(wrong),
    };
    match words.next() {
        None => Ok(Command::Bdat { size, last }),
        Some(_) => Err(wrong),
    }
}

fn attributes(rest: &str) -> Result<Vec<(String, String)>, Wrong> {
    let wrong = Wrong::Arguments("name=value");
    let mut all = Vec::new();
    for word in rest.split_ascii_whitespace() {
        let (name, value) = word.split_once('=').ok_or(wrong)?;
        if value.len() > NAME || all.len() >= PARAMETERS {
            return Err(wrong);
        }
        all.push((name.to_ascii_uppercase(), value.to_owned()));
    }
    if all.is_empty() {
        return Err(wrong);
    }
    Ok(all)
}

/// An attribute's value in clear (xtext, RFC 3461 section 4); none where the peer does not know it.
pub fn clear(xtext: &str) -> Option<String> {
    if xtext.eq_ignore_ascii_case("[UNAVAILABLE]") || xtext.eq_ignore_ascii_case("[TEMPUNAVAIL]") {
        return None;
    }
    let mut out = Vec::new();
    let mut bytes = xtext.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'+' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push(u8::try_from((high << 4) | low).ok()?);
    }
    let text = String::from_utf8_lossy(&out).into_owned();
    Some(text).filter(|text| !text.is_empty() && !text.chars().any(char::is_control))
}

/// A value as xtext, not longer than an attribute may be.
pub fn xtext(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let piece = match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => char::from(byte).to_string(),
            other => format!("+{other:02X}"),
        };
        if out.len().saturating_add(piece.len()) > NAME {
            break;
        }
        out.push_str(&piece);
    }
    match out.is_empty() {
        true => "[UNAVAILABLE]".to_owned(),
        false => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rcpt(line: &str) -> Path {
        match parse(line.as_bytes()) {
            Ok(Command::Rcpt(path) | Command::Mail(path)) => path,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn paths_and_parameters_are_kept_as_they_were_written() {
        let path =
            rcpt("rcpt to: <\"a>b\\\" \"@x.example>  NOTIFY=SUCCESS,delay ORCPT=rfc822;a+2Bb@x");
        assert_eq!(path.path, "\"a>b\\\" \"@x.example");
        assert_eq!(
            path.parameters,
            ["NOTIFY=SUCCESS,delay", "ORCPT=rfc822;a+2Bb@x"]
        );
        assert_eq!(path.parameter("notify"), Some("SUCCESS,delay"));
        assert_eq!(rcpt("MAIL FROM:<>").path, "");
        assert_eq!(rcpt("RCPT TO:<@a,@b:c@d>").mailbox(), "c@d");
        assert_eq!(rcpt("RCPT TO:<山@例.jp>").mailbox(), "山@例.jp");
    }

    #[test]
    fn what_is_no_command_is_told_apart() {
        for (line, wrong) in [
            (b"GET / HTTP/1.0".as_slice(), None),
            (b"", None),
            (b"AUTH PLAIN", None),
            (b"MAIL FROM:a@b", Some("the path")),
            (b"MAIL FROM:<a@b", Some("the path")),
            (b"MAIL FROM:<a@b>SIZE=1", Some("the path")),
            (b"RCPT TO:<a<b>", Some("the path")),
            (b"RCPT TO:<>", Some("nobody as recipient")),
            (b"EHLO", Some("the name of the client")),
            (b"DATA now", Some("no arguments here")),
            (b"MAIL FROM:<\x01@b>", Some("control characters")),
            (b"MAIL FROM:<\xff@b>", Some("not UTF-8")),
            (b"XFORWARD ADDR", Some("name=value")),
        ] {
            let expected = wrong.map_or(Wrong::Unknown, Wrong::Arguments);
            assert_eq!(parse(line), Err(expected), "{line:?}");
        }
        for line in [
            b"BDAT".as_slice(),
            b"BDAT -1",
            b"BDAT 99999999999999999999",
            b"BDAT 1 LAST LAST",
            b"BDAT 1 FIRST",
        ] {
            assert_eq!(parse(line), Err(Wrong::Chunk), "{line:?}");
        }
        assert_eq!(
            parse(b"bdat 12 last"),
            Ok(Command::Bdat {
                size: 12,
                last: true
            })
        );
    }

    #[test]
    fn attributes_are_decoded_and_encoded() {
        assert_eq!(clear("a+2Bb+20c").as_deref(), Some("a+b c"));
        for none in ["[unavailable]", "", "+4", "+zz", "a+0Ab"] {
            assert_eq!(clear(none), None, "{none}");
        }
        assert_eq!(xtext("a+b c=é"), "a+2Bb+20c+3D+C3+A9");
        assert_eq!(xtext(""), "[UNAVAILABLE]");
        assert!(xtext(&" ".repeat(1000)).len() <= 255);
    }
}
