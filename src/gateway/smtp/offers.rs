//! What the next hop offers in its answer to EHLO, and what of it we offer in turn.
//!
//! A client must not be promised what its mail would then be refused for: 8BITMIME, SMTPUTF8 and DSN are offered where
//! the next hop offers them. PIPELINING, CHUNKING and SIZE are ours: the body goes on only after the verdict, as DATA.

use super::command::Path;
use super::reply::Reply;

/// Extensions of the next hop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offers {
    /// Keywords in upper case with their parameters.
    keywords: Vec<(String, String)>,
}

/// Extensions that are the next hop's alone, offered where it offers them.
const PASSED_ON: &[&str] = &["8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"];

/// What is offered to a client beside what the next hop offers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Own {
    /// Bytes of a message at the most.
    pub size: usize,
    /// STARTTLS, as long as it was not used.
    pub starttls: bool,
    /// XFORWARD and XCLIENT.
    pub trusted: bool,
}

impl Offers {
    /// Out of the answer to EHLO or LHLO.
    pub fn of(reply: &Reply) -> Self {
        let keyword = |line: &String| {
            let (keyword, rest) = line.split_once([' ', '=']).unwrap_or((line, ""));
            (keyword.to_ascii_uppercase(), rest.trim().to_owned())
        };
        Self {
            keywords: reply.lines.iter().skip(1).map(keyword).collect(),
        }
    }

    /// Whether an extension is offered.
    pub fn has(&self, keyword: &str) -> bool {
        self.parameters(keyword).is_some()
    }

    /// The parameters of an extension that is offered.
    pub fn parameters(&self, keyword: &str) -> Option<&str> {
        let mut known = self.keywords.iter();
        known.find_map(|(name, rest)| (name == keyword).then_some(rest.as_str()))
    }

    /// The size of a message that the next hop takes; none where it does not say.
    fn size(&self) -> Option<usize> {
        let size = self.parameters("SIZE")?.parse().ok()?;
        Some(size).filter(|size| *size > 0)
    }

    /// The most that a message may have.
    pub fn size_with(&self, own: usize) -> usize {
        self.size().map_or(own, |size| size.min(own))
    }

    /// The keywords that a client is offered.
    pub fn offered(&self, own: Own) -> Vec<String> {
        let mut all = vec![
            "PIPELINING".to_owned(),
            format!("SIZE {}", self.size_with(own.size)),
        ];
        if own.starttls {
            all.push("STARTTLS".to_owned());
        }
        let passed_on = PASSED_ON.iter().filter(|keyword| self.has(keyword));
        all.extend(passed_on.map(|keyword| (*keyword).to_owned()));
        all.push("CHUNKING".to_owned());
        if own.trusted {
            all.push("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE".to_owned());
            all.push("XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT".to_owned());
        }
        all
    }

    /// A command of the envelope as the next hop takes it. Postfix, as a proxy, passes on parameters of extensions that
    /// we never offered: those that say nothing that the message itself does not say are left out, the others are the
    /// next hop's to refuse.
    pub fn command(&self, verb: &str, path: &Path) -> String {
        let mut line = format!("{verb}:<{}>", path.path);
        for parameter in &path.parameters {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (key, value) = (key.to_ascii_uppercase(), value.to_ascii_uppercase());
            let idle = match (key.as_str(), value.as_str()) {
                ("SIZE", _) => !self.has("SIZE"),
                ("BODY", "7BIT" | "8BITMIME") => !self.has("8BITMIME"),
                ("AUTH", _) => !self.has("AUTH"),
                _ => false,
            };
            if !idle {
                line.push(' ');
                line.push_str(parameter);
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(lines: &[&str]) -> Offers {
        let lines = std::iter::once(&"mx").chain(lines);
        Offers::of(&Reply {
            code: 250,
            lines: lines.map(|line| (*line).to_owned()).collect(),
        })
    }

    #[test]
    fn what_the_next_hop_lacks_is_not_offered_and_not_said_to_it() {
        let own = Own {
            size: 1000,
            starttls: true,
            trusted: false,
        };
        let full = offers(&[
            "size 500",
            "8bitmime",
            "DSN",
            "VRFY",
            "STARTTLS",
            "CHUNKING",
            "XFORWARD NAME",
        ]);
        assert_eq!(
            full.offered(own),
            [
                "PIPELINING",
                "SIZE 500",
                "STARTTLS",
                "8BITMIME",
                "DSN",
                "CHUNKING"
            ]
        );
        let bare = offers(&[]);
        assert_eq!(
            bare.offered(own),
            ["PIPELINING", "SIZE 1000", "STARTTLS", "CHUNKING"]
        );
        let path = Path {
            path: "a@b".to_owned(),
            parameters: ["SIZE=7", "BODY=8BITMIME", "RET=HDRS", "AUTH=<>"]
                .map(str::to_owned)
                .into(),
        };
        assert_eq!(
            full.command("MAIL FROM", &path),
            "MAIL FROM:<a@b> SIZE=7 BODY=8BITMIME RET=HDRS"
        );
        assert_eq!(bare.command("MAIL FROM", &path), "MAIL FROM:<a@b> RET=HDRS");
        assert_eq!(offers(&["SIZE 0"]).size_with(9), 9);
    }
}
