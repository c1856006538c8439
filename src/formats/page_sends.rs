//! What scripts of a page send, and where to: calls that go out, addresses with what somebody typed behind them, fields
//! that a script makes ones for passwords.
//!
//! No script is run. An address stands in quotation marks behind the word that sends, or under the name that is handed to
//! it. Whether an address leads out is for others to say.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

/// What a script says where it goes somewhere or sends something.
#[derive(Debug, Clone, Copy)]
struct Word {
    text: &'static str,
    /// An address behind it is where it leads.
    leads: bool,
    /// It sends something.
    sends: bool,
    /// What it is besides.
    role: Role,
}

/// What else a word shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    None,
    /// A field is made one for passwords.
    Made,
    /// A picture is asked for.
    Picture,
    /// Something is fetched, and what was typed may go with it.
    Fetch,
    /// Somebody is asked for a text.
    Prompt,
}

const fn word(text: &'static str, leads: bool, sends: bool) -> Word {
    Word {
        text,
        leads,
        sends,
        role: Role::None,
    }
}

const fn of_role(text: &'static str, role: Role) -> Word {
    Word {
        role,
        ..word(text, false, false)
    }
}

/// Of words that start alike, the longer stands first.
const WORDS: &[Word] = &[
    word("location.href", true, false),
    word("location=", true, false),
    word("location =", true, false),
    word("location.replace(", true, false),
    word("location.assign(", true, false),
    word("fetch(", true, true),
    word("fetch'](", true, true),
    word("fetch\"](", true, true),
    word(".open(", true, false),
    word("open'](", true, false),
    word("open\"](", true, false),
    word("url:", true, false),
    word("$.post(", true, true),
    word("$.ajax(", true, true),
    word("jQuery.post(", true, true),
    word("jQuery.ajax(", true, true),
    word("sendBeacon(", true, true),
    word("sendBeacon'](", true, true),
    word("sendBeacon\"](", true, true),
    of_role("$.get(", Role::Fetch),
    of_role("$.getJSON(", Role::Fetch),
    of_role("jQuery.get(", Role::Fetch),
    of_role("jQuery.getJSON(", Role::Fetch),
    of_role("axios.get(", Role::Fetch),
    word("axios.post(", true, true),
    word("axios(", true, true),
    word("WebSocket(", true, true),
    word(".action=", true, true),
    word(".action =", true, true),
    word("['action']", true, true),
    word("[\"action\"]", true, true),
    word("formAction=", true, true),
    word("formAction =", true, true),
    word("('action',", true, true),
    word("(\"action\",", true, true),
    word("XMLHttpRequest", false, true),
    word("$.ajax", false, true),
    word("$.post", false, true),
    word("axios", false, true),
    word("sendBeacon", false, true),
    word("api.telegram.org", false, true),
    of_role("'type','password'", Role::Made),
    of_role("\"type\",\"password\"", Role::Made),
    of_role("'type', 'password'", Role::Made),
    of_role("\"type\", \"password\"", Role::Made),
    of_role("type':'password'", Role::Made),
    of_role("type\":\"password\"", Role::Made),
    of_role("type': 'password'", Role::Made),
    of_role("type\": \"password\"", Role::Made),
    of_role("type:'password'", Role::Made),
    of_role("type:\"password\"", Role::Made),
    of_role("type: 'password'", Role::Made),
    of_role("type: \"password\"", Role::Made),
    of_role(".type=\"password\"", Role::Made),
    of_role(".type='password'", Role::Made),
    of_role(".type = \"password\"", Role::Made),
    of_role(".type = 'password'", Role::Made),
    of_role("'pass'+'word'", Role::Made),
    of_role("\"pass\"+\"word\"", Role::Made),
    of_role("'pass' + 'word'", Role::Made),
    of_role("\"pass\" + \"word\"", Role::Made),
    of_role(".src=", Role::Picture),
    of_role(".src =", Role::Picture),
    of_role("('src',", Role::Picture),
    of_role("(\"src\",", Role::Picture),
    of_role("prompt(", Role::Prompt),
];

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let mut builder = AhoCorasick::builder();
    let builder = builder.match_kind(MatchKind::LeftmostFirst);
    builder.build(WORDS.iter().map(|word| word.text)).ok()
});

/// Bytes behind a word in which its address stands.
const NEAR: usize = 400;

/// Where each of [`WORDS`] ends in a text, the first 32 times.
#[derive(Debug)]
pub struct Sends<'t> {
    source: &'t str,
    ends: Vec<Vec<usize>>,
}

impl<'t> Sends<'t> {
    /// Reads the scripts of a page, or one of them. Linear in the length of the text.
    pub fn of(source: &'t str) -> Self {
        const MOST: usize = 32;
        let mut ends = vec![Vec::new(); WORDS.len()];
        for found in FINDER.iter().flat_map(|finder| finder.find_iter(source)) {
            let list = ends.get_mut(found.pattern().as_usize());
            if let Some(list) = list.filter(|list| list.len() < MOST) {
                list.push(found.end());
            }
        }
        Self { source, ends }
    }

    /// The words with the places where they end.
    fn each(&self) -> impl Iterator<Item = (&'static Word, &[usize])> {
        WORDS.iter().zip(self.ends.iter().map(Vec::as_slice))
    }

    /// What stands behind the words for which something holds.
    fn behind(&self, which: fn(&Word) -> bool) -> impl Iterator<Item = &'t str> {
        let ends = self.each().filter(move |(word, _)| which(word));
        let ends = ends.flat_map(|(_, ends)| ends);
        ends.map(|end| start_of(self.source.get(*end..).unwrap_or_default(), NEAR))
    }

    /// Whether something is sent.
    pub fn send(&self) -> bool {
        self.each()
            .any(|(word, ends)| word.sends && !ends.is_empty())
    }

    /// Where a script makes a field one for passwords: settings alone, such as the data of a page, make none.
    pub fn password_field(&self) -> Option<usize> {
        const MAKES: [&str; 6] = [
            "createElement",
            "jsx",
            "'input'",
            "\"input\"",
            "'<input",
            "\"<input",
        ];
        let has =
            |word: &&str| memchr::memmem::find(self.source.as_bytes(), word.as_bytes()).is_some();
        let mut makes = None;
        let mut made = self.each().filter(|(word, ends)| {
            let setting = word.text.starts_with("type");
            word.role == Role::Made
                && !ends.is_empty()
                && (!setting || *makes.get_or_insert_with(|| MAKES.iter().any(has)))
        });
        made.find_map(|(word, ends)| ends.first()?.checked_sub(word.text.len()))
    }

    /// What a script asks the user in a window of its own.
    pub fn prompts(&self) -> impl Iterator<Item = (usize, &'t str)> {
        let asked = self.each().filter(|(word, _)| word.role == Role::Prompt);
        let ends = asked.flat_map(|(_, ends)| ends);
        ends.filter_map(|end| {
            let behind = start_of(self.source.get(*end..)?, NEAR).trim_start();
            let text = behind.starts_with(['"', '\'', '`']);
            Some((*end, quoted(behind).next().filter(|_| text)?))
        })
    }

    /// For each place where it goes somewhere the texts in quotation marks behind it: the address is the first, or the
    /// second where the first is a method.
    pub fn leads(&self) -> impl Iterator<Item = impl Iterator<Item = &'t str> + use<'t>> {
        self.behind(|word| word.leads).map(quoted)
    }

    /// Addresses that are asked for as a picture, with something behind them.
    pub fn pictures(&self) -> impl Iterator<Item = &'t str> {
        let pictures = self.behind(|word| word.role == Role::Picture);
        pictures.filter_map(|near| {
            let near = near.trim_start();
            let text = near.starts_with(['"', '\'', '`']);
            let address = text.then(|| quoted(near).next()).flatten()?;
            let open = address.ends_with('=') || address.contains("=${");
            (open && (!is_program(address) || is_typed(statement(near)))).then_some(address)
        })
    }

    /// Addresses that are fetched with what somebody typed.
    pub fn fetched(&self) -> impl Iterator<Item = &'t str> {
        let fetches = self.behind(|word| word.role == Role::Fetch);
        let typed = fetches.filter(|near| is_typed(statement(near)));
        typed.filter_map(|near| quoted(near).next())
    }

    /// Addresses that reach what sends under a name (`const u = 'https://…'; fetch(u)`), and addresses behind which
    /// stands what somebody typed.
    pub fn handed(&self) -> Vec<&'t str> {
        /// Text in which names of one or two letters mean one thing.
        const SHORT: usize = 64 << 10;
        let mut names: Vec<&str> = Vec::new();
        for near in self.behind(|word| word.leads && word.text != "url:") {
            names.extend(arguments(near));
        }
        for near in self.behind(|word| word.text == "url:") {
            names.extend(arguments(near).take(1));
        }
        names.retain(|name| name.len() > 2 || self.source.len() <= SHORT);
        names.sort_unstable();
        names.dedup();
        let found = literals(self.source).filter(|literal| {
            let named = literal.name.is_some_and(|name| names.contains(&name));
            named || is_typed(literal.added())
        });
        found.map(|literal| literal.text).take(NAMED).collect()
    }
}

/// Addresses of one text that [`Sends::handed`] gives, at the most.
const NAMED: usize = 16;

/// Names handed to a call, or put on the right of a sign of equality, the first two.
fn arguments(near: &str) -> impl Iterator<Item = &str> {
    let end = near.find([')', ';', '}', '<', '\n']).unwrap_or(near.len());
    let all = near.get(..end).unwrap_or_default();
    let parts = all.trim_start_matches([' ', '=', '(']).split(',').take(2);
    parts.filter_map(|part| {
        let part = part.split(['+', '?']).next()?.trim();
        let name = part.rsplit('.').next()?;
        let first = name.chars().next()?;
        let named = name.chars().all(is_of_name) && !first.is_ascii_digit();
        named.then_some(name)
    })
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

/// An address in quotation marks.
struct Literal<'t> {
    text: &'t str,
    quote: char,
    /// The name that it is given.
    name: Option<&'t str>,
    /// What stands behind its quotation mark.
    behind: &'t str,
}

impl<'t> Literal<'t> {
    /// What is put behind the address, in it where it is a template.
    fn added(&self) -> &'t str {
        let behind = self.behind.trim_start();
        if behind.starts_with('+') || behind.starts_with(".concat(") {
            return statement(behind);
        }
        let within = self.text.find("${").filter(|_| self.quote == '`');
        within.map_or("", |at| self.text.get(at..).unwrap_or_default())
    }
}

/// The addresses of a host that stand in quotation marks.
fn literals(source: &str) -> impl Iterator<Item = Literal<'_>> {
    /// Letters of a scheme and of a name.
    const SCHEME: usize = 6;
    const NAME: usize = 48;
    memchr::memmem::find_iter(source.as_bytes(), b"//").filter_map(|at| {
        let before = source.get(..at)?;
        let head = before.trim_end_matches(':');
        let head = head.get(head.ceil_char_boundary(head.len().saturating_sub(SCHEME))..)?;
        let scheme = head.rfind(['"', '\'', '`'])?;
        let word = head.get(scheme..)?;
        let quote = word.chars().next()?;
        let word = word.get(1..)?;
        let network = ["", "http", "https", "ws", "wss"];
        if !network.iter().any(|one| word.eq_ignore_ascii_case(one)) {
            return None;
        }
        let colon = before
            .len()
            .saturating_sub(before.trim_end_matches(':').len());
        let start = at.checked_sub(colon)?.checked_sub(word.len())?;
        let text = start_of(source.get(start..)?, NEAR);
        let end = text.find(quote)?;
        let behind = source.get(start.checked_add(end)?.checked_add(1)?..)?;
        let before = source.get(..start.checked_sub(1)?)?.trim_end();
        let name = before.strip_suffix(['=', ':']).map(|before| {
            let before = before.trim_end().trim_end_matches(['"', '\'']);
            let from = before.ceil_char_boundary(before.len().saturating_sub(NAME));
            let tail = before.get(from..).unwrap_or_default();
            let name = tail.trim_end_matches(is_of_name).len();
            tail.get(name..).unwrap_or_default()
        });
        Some(Literal {
            text: text.get(..end)?,
            quote,
            name: name.filter(|name| !name.is_empty()),
            behind: start_of(behind, NEAR),
        })
    })
}

/// Whether an address is that of a script: pages load those of others with a number of their own behind them.
fn is_program(address: &str) -> bool {
    let path = address.split('?').next().unwrap_or_default();
    path.ends_with(".js")
}

/// What stands up to the end of a statement.
fn statement(text: &str) -> &str {
    text.split([';', '\n']).next().unwrap_or_default()
}

/// Whether what is put behind an address is what somebody typed.
fn is_typed(added: &str) -> bool {
    let typed = ["value", "val(", "pass", "pwd", "innerText", "textContent"];
    typed.iter().any(|word| added.contains(word))
}

/// The first bytes of a text, whole characters.
fn start_of(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// The first two texts in quotation marks of any kind; the last mark may lie beyond the end.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let mut marks = memchr::memchr3_iter(b'"', b'\'', b'`', text.as_bytes());
    std::iter::from_fn(move || {
        let start = marks.next()?.saturating_add(1);
        let end = marks.next().unwrap_or(text.len());
        text.get(start..end)
    })
    .take(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_they_stand_and_are_what_their_rows_say() {
        let of = |text: &str| {
            let sends = Sends::of(text);
            let found = sends.each().filter(|(_, ends)| !ends.is_empty());
            found
                .map(|(word, ends)| (word.text, ends.to_vec()))
                .collect::<Vec<_>>()
        };
        let sends = Sends::of("axios.post('/a'); a.type='password'; $.ajax; $.post(b)");
        assert_eq!(of("axios.post('/a')"), [("axios.post(", vec![11])]);
        assert_eq!(sends.password_field(), Some(19));
        assert!(sends.send() && !Sends::of("x.src = location.href").send());
        // Every word is found where it stands alone.
        for word in WORDS {
            assert_eq!(of(word.text), [(word.text, vec![word.text.len()])]);
            assert_eq!(word.role == Role::Made, word.text.contains("pass"));
            assert_eq!(word.role == Role::Picture, word.text.contains("src"));
        }
    }

    #[test]
    fn texts_in_quotation_marks_are_the_first_two() {
        let texts = |text| quoted(text).collect::<Vec<_>>();
        assert_eq!(texts("('POST', \"https://a\", `b`)"), ["POST", "https://a"]);
        assert_eq!(texts(" = \"あ'い"), ["あ"]);
        assert_eq!(texts("'' + 'open"), ["", "open"]);
        assert!(texts("none").is_empty());
    }

    #[test]
    fn addresses_reach_what_sends_by_name_or_take_what_was_typed() {
        let handed = |text: &str| Sends::of(text).handed().join(" ");
        for text in [
            "const to = 'https://a.example/'; fetch(to, {})",
            "to='https://a.example/';x.open('POST',to,true)",
            "conf={to:'https://a.example/'};$.ajax({type:'POST',url:conf.to})",
            "to = \"https://a.example/\"\nf.action = to",
            "'https://a.example/' + p.value",
            "'https://a.example/'.concat(p.value)",
        ] {
            assert_eq!(handed(text), "https://a.example/", "{text}");
        }
        assert_eq!(
            handed("s(`https://a.example/?p=${p.value}`)"),
            "https://a.example/?p=${p.value}"
        );
        for text in [
            "const to = 'https://a.example/'; show(to)",
            "fetch(to); 'https://a.example/' + page",
            "// https://a.example/ + p.value",
            "it's https://a.example/' + p.value",
        ] {
            assert_eq!(handed(text), "", "{text}");
        }
    }

    #[test]
    fn what_is_fetched_counts_where_something_typed_goes_with_it() {
        let sends = Sends::of(
            "$.get('https://a.example/', {p: $('#p').val()}); $.getJSON('https://b.example/n.json', f); a=p.value",
        );
        assert_eq!(sends.fetched().collect::<Vec<_>>(), ["https://a.example/"]);
    }

    #[test]
    fn what_is_asked_in_a_window_is_told() {
        let sends = Sends::of("a=prompt('Your password', ''); prompt(b, 'c'); prompt(\"d\")");
        let asked: Vec<_> = sends.prompts().map(|(_, text)| text).collect();
        assert_eq!(asked, ["Your password", "d"]);
    }
}
