//! Passwords that a mail describes instead of writing them: the last digits of a telephone number, a date, the name of a
//! company with a date behind it. Mails say so next to the word for a password; what they name is put together here.

mod sums;

use std::collections::BTreeSet;

/// Telephone numbers and dates of one text that are used.
const NAMED: usize = 4;

/// Names of companies that are used.
const NAMES: usize = 4;

/// Words that one text may come to.
const WORDS: usize = 64;

/// Bytes of a text that are looked through.
const LONGEST: usize = 64 << 10;

/// The year before the first of the era Reiwa, which was 2019.
const BEFORE_REIWA: u16 = 2018;

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

/// What is known of a mail besides its text.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Days on which it may have been sent.
    pub sent: Vec<Day>,
    /// Names of the sender's company.
    pub names: Vec<String>,
    /// The sender's name as it stands in the address, whole and in parts.
    pub person: Vec<String>,
    /// The host part of the sender's address.
    pub domain: Option<String>,
}

/// How people write dates and names, and ask for them; from `signatures/passwords.toml`.
#[derive(Debug, Clone, Copy)]
pub struct Spelling<'a> {
    /// Ways to write a day, the commonest first: `{YYYY}`, `{YY}`, `{MM}`, `{M}`, `{DD}`, `{D}`, `{MON}`, and `{RR}`, `{R}` of
    /// the era Reiwa.
    pub forms: &'a [String],
    /// Names of the months.
    pub months: &'a [String],
    /// How many letters the words in lower case ask for.
    pub asked: &'a [(usize, Vec<String>)],
    /// Words for a company.
    pub company: &'a [String],
    /// What stands in front of or behind a company's name in Japanese.
    pub company_marks: &'a [String],
    /// What ends a company's name in Western letters.
    pub company_endings: &'a [String],
    /// Words for a telephone number.
    pub phone: &'a [String],
    /// Words for a date.
    pub date: &'a [String],
    /// Words for the day before.
    pub day_before: &'a [String],
    /// Words for the day behind.
    pub day_after: &'a [String],
}

/// What a text says that its password is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is said by words of its own"
)]
pub struct Told {
    /// A telephone number.
    pub phone: bool,
    /// A date.
    pub date: bool,
    /// A company.
    pub company: bool,
    /// A postal code.
    pub postal: bool,
    /// A person.
    pub person: bool,
    /// A domain.
    pub domain: bool,
}

impl Day {
    /// The day at the start of a time as RFC 3339 has it, and the next where it is another day in Japan.
    pub fn of(time: &str) -> Vec<Self> {
        let part = |range: std::ops::Range<usize>| time.get(range)?.parse::<u16>().ok();
        let whole = (part(0..4), part(5..7), part(8..10));
        let (Some(year), Some(month), Some(day)) = whole else {
            return Vec::new();
        };
        let Some(first) = Self::new(year, month, day) else {
            return Vec::new();
        };
        let late = time.ends_with('Z') && part(11..13).is_some_and(|hour| hour >= 15);
        let mut days = vec![first];
        if late {
            days.insert(0, first.next());
        }
        days
    }

    fn new(year: u16, month: u16, day: u16) -> Option<Self> {
        let fits = (1900..2200).contains(&year) && (1..=12).contains(&month);
        let fits = fits && (1..=31).contains(&day);
        fits.then_some(Self {
            year,
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day).ok()?,
        })
    }

    fn next(self) -> Self {
        let leap = self.year.is_multiple_of(4) && !self.year.is_multiple_of(100)
            || self.year.is_multiple_of(400);
        let last = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        match (self.day < last, self.month < 12) {
            (true, _) => Self {
                day: self.day.saturating_add(1),
                ..self
            },
            (false, true) => Self {
                month: self.month.saturating_add(1),
                day: 1,
                ..self
            },
            (false, false) => Self {
                year: self.year.saturating_add(1),
                month: 1,
                day: 1,
            },
        }
    }

    fn before(self) -> Self {
        let (year, month) = match (self.day, self.month) {
            (2.., month) => (self.year, month),
            (_, 1) => (self.year.saturating_sub(1), 12),
            (_, month) => (self.year, month.saturating_sub(1)),
        };
        let on = |day| Self { year, month, day };
        match self.day {
            2.. => on(self.day.saturating_sub(1)),
            // The last of its month: the day behind it is this one.
            _ => (28..=31)
                .map(on)
                .find(|day| day.next() == self)
                .unwrap_or(self),
        }
    }

    /// The ways in which people write it, the commonest first.
    fn forms(self, spelling: &Spelling<'_>) -> Vec<String> {
        let Self { year, month, day } = self;
        let reiwa = year.saturating_sub(BEFORE_REIWA);
        let place = usize::from(month.saturating_sub(1));
        let name = spelling.months.get(place).map_or("", String::as_str);
        let parts = [
            ("{YYYY}", year.to_string()),
            ("{YY}", format!("{:02}", year % 100)),
            ("{MM}", format!("{month:02}")),
            ("{M}", month.to_string()),
            ("{DD}", format!("{day:02}")),
            ("{D}", day.to_string()),
            ("{RR}", format!("{reiwa:02}")),
            ("{R}", reiwa.to_string()),
            ("{MON}", name.to_owned()),
        ];
        let written = spelling.forms.iter().map(|form| {
            let filled = parts.iter();
            filled.fold(form.clone(), |text, (mark, value)| {
                text.replace(mark, value)
            })
        });
        let mut known = BTreeSet::new();
        written.filter(|form| known.insert(form.clone())).collect()
    }
}

/// The years that a number in front of a month means: whole, of this century, or of Reiwa; the one nearest to the year of
/// the mail first.
fn years(number: u16, before: &str, sent: u16) -> Vec<u16> {
    let reiwa = number.saturating_add(BEFORE_REIWA);
    match number {
        1900.. => vec![number],
        100.. | 0 => Vec::new(),
        _ if before.ends_with("令和") || before.ends_with(['R', 'r']) => vec![reiwa],
        _ => {
            let mut both = vec![number.saturating_add(2000), reiwa];
            both.sort_by_key(|year| year.abs_diff(sent));
            both
        }
    }
}

/// The words that a text's password may be, the likeliest first; none where it says of nothing that its password is
/// made of it.
pub fn words(
    text: &str,
    told: Told,
    around: &Surroundings,
    spelling: &Spelling<'_>,
) -> Vec<String> {
    if told == Told::default() {
        return Vec::new();
    }
    let text = folded(text);
    let phones = phones(&text);
    let mut days = dates(&text, &around.sent);
    days.retain(|day| !around.sent.contains(day));
    // A date that the text itself names is meant before the day on which it was sent, and that before its neighbours,
    // unless it is them that the text speaks of.
    days.extend(&around.sent);
    let says = |words: &[String]| words.iter().any(|word| text.contains(word.as_str()));
    if let Some(sent) = around.sent.first() {
        let shifted = [
            (spelling.day_before, sent.before()),
            (spelling.day_after, sent.next()),
        ];
        let meant = shifted.into_iter().filter(|(words, _)| says(words));
        days.splice(0..0, meant.map(|(_, day)| day).collect::<Vec<Day>>());
    }
    days.truncate(NAMED);
    let mut found = sums::words(&text, &phones, &days, spelling);
    if told.postal {
        found.extend(sums::postal_codes(&text));
    }
    if told.domain {
        found.extend(around.domain.clone());
        found.extend(around.names.iter().cloned());
    }
    if told.person {
        found.extend(around.person.iter().cloned());
    }
    if told.phone {
        for digits in phones {
            let last = digits.len().saturating_sub(4);
            found.extend(digits.get(last..).map(str::to_owned));
            found.push(digits.clone());
            found.extend(
                digits
                    .get(digits.len().saturating_sub(8)..)
                    .map(str::to_owned),
            );
        }
    }
    if told.company {
        found.extend(with_names(&text, told, around, spelling, &days));
    }
    if told.date {
        let asked = lengths(&text, spelling);
        let each: Vec<Vec<String>> = days.iter().map(|day| day.forms(spelling)).collect();
        for fitting in [true, false] {
            let longest = each.iter().map(Vec::len).max().unwrap_or_default();
            // The commonest form of every day before the next form of any.
            for place in 0..longest {
                let forms = each.iter().filter_map(|forms| forms.get(place));
                found.extend(
                    forms
                        .filter(|form| asked.contains(&form.len()) == fitting)
                        .cloned(),
                );
            }
        }
    }
    let mut known = BTreeSet::new();
    found.retain(|word| word.len() >= 3 && known.insert(word.clone()));
    found.truncate(WORDS);
    found
}

/// Half-width letters, as far as a text is looked through.
fn folded(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST.min(text.len()));
    let text = text.get(..end).unwrap_or_default();
    text.chars().map(super::password_words::fold).collect()
}

/// How many digits the text asks for: `8桁`, `4 digits`.
fn lengths(text: &str, spelling: &Spelling<'_>) -> Vec<usize> {
    let lower = text.to_lowercase();
    let asked = spelling.asked.iter();
    let asked = asked.filter(|(_, words)| words.iter().any(|word| lower.contains(word.as_str())));
    asked.map(|(count, _)| *count).collect()
}

/// The digits of telephone numbers: nine to thirteen, alone or in groups; those of a country begin with a nought.
fn phones(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut digits = String::new();
    let mut plus = false;
    let mut groups = 1usize;
    let mut gap = 0usize;
    for c in text.chars().chain(['\n']) {
        match c {
            _ if c.is_ascii_digit() => {
                if gap > 0 && !digits.is_empty() {
                    groups = groups.saturating_add(1);
                }
                gap = 0;
                digits.push(c);
                continue;
            }
            '-' | '(' | ')' | ' ' | '.' | '‐' | '‑' | '–' | '−' | 'ー'
                if gap < 2 && !digits.is_empty() =>
            {
                gap = gap.saturating_add(1);
                continue;
            }
            _ => {}
        }
        let fits = (9..=13).contains(&digits.len()) && (groups > 1 || digits.starts_with('0'));
        if fits && groups <= 5 && found.len() < NAMED {
            let country = plus.then(|| digits.strip_prefix("81")).flatten();
            found.push(match country {
                Some(rest) => format!("0{}", rest.trim_start_matches('0')),
                None => std::mem::take(&mut digits),
            });
        }
        digits.clear();
        plus = c == '+';
        groups = 1;
        gap = 0;
    }
    found
}

/// The days that a text names; those without a year are of the year in which it was sent.
fn dates(text: &str, sent: &[Day]) -> Vec<Day> {
    let mut numbers: Vec<(usize, u16)> = Vec::new();
    let mut found = Vec::new();
    let year_sent = sent.first().map_or(2025, |day| day.year);
    // Numbers with the character behind each: `2025` `年`, `12` `月`, `15` `日`.
    let mut at = 0usize;
    let mut marks = Vec::new();
    for run in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let mut chars = run.chars();
        let mark = chars.next_back().filter(|c| !c.is_ascii_digit());
        let digits = run.trim_end_matches(|c: char| !c.is_ascii_digit());
        if let Ok(number) = digits.parse::<u16>()
            && numbers.len() < 512
        {
            numbers.push((at, number));
            marks.push(mark.unwrap_or(' '));
        }
        at = at.saturating_add(run.len());
    }
    for place in 0..numbers.len() {
        let get = |step: usize| {
            let place = place.saturating_add(step);
            Some((numbers.get(place)?.1, *marks.get(place)?))
        };
        let before = numbers.get(place).and_then(|(at, _)| text.get(..*at));
        let in_years = |year, month, day| {
            let years = years(year, before.unwrap_or_default(), year_sent).into_iter();
            let days = years.filter_map(move |year| Day::new(year, month, day));
            days.collect::<Vec<Day>>()
        };
        let days = match (get(0), get(1), get(2)) {
            (Some((year, '年')), Some((month, '月')), Some((day, '日'))) => {
                in_years(year, month, day)
            }
            // As Americans write it, and as the British do.
            (Some((one, '/' | '-' | '.')), Some((two, '/' | '-' | '.')), Some((year, _)))
                if year >= 1900 =>
            {
                let days = [(one, two), (two, one)].into_iter();
                days.filter_map(|(month, day)| Day::new(year, month, day))
                    .collect()
            }
            (Some((year, '/' | '-' | '.')), Some((month, '/' | '-' | '.')), Some((day, _))) => {
                in_years(year, month, day)
            }
            (Some((month, '月')), Some((day, '日')), _)
                if place == 0 || marks.get(place.saturating_sub(1)) != Some(&'年') =>
            {
                Day::new(year_sent, month, day).into_iter().collect()
            }
            _ => Vec::new(),
        };
        for day in days {
            if !found.contains(&day) && found.len() < NAMED {
                found.push(day);
            }
        }
    }
    found
}

/// Names with dates behind them.
fn with_names(
    text: &str,
    told: Told,
    around: &Surroundings,
    spelling: &Spelling<'_>,
    days: &[Day],
) -> Vec<String> {
    let mut found = Vec::new();
    let mut names = companies(text, spelling);
    names.extend(around.names.iter().cloned());
    let mut known = BTreeSet::new();
    names.retain(|name| name.chars().count() >= 2 && known.insert(name.to_lowercase()));
    names.truncate(NAMES);
    let cased = |name: &str| {
        let mut chars = name.chars();
        let lower = name.to_lowercase();
        let first: String = chars
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .collect();
        let capital = format!("{first}{}", chars.as_str().to_lowercase());
        let mut all = vec![lower, capital, name.to_owned(), name.to_uppercase()];
        let mut known = BTreeSet::new();
        all.retain(|name| known.insert(name.clone()));
        all
    };
    let asked = lengths(text, spelling);
    let day = days
        .first()
        .map(|day| day.forms(spelling))
        .unwrap_or_default();
    let mut forms: Vec<&String> = day.iter().take(3).collect();
    forms.sort_by_key(|form| !asked.contains(&form.len()));
    for form in forms.iter().filter(|_| told.date).take(2) {
        for name in &names {
            found.extend(cased(name).iter().map(|name| format!("{name}{form}")));
        }
    }
    if let Some(form) = forms.first().filter(|_| told.date) {
        for name in &names {
            for sign in ["_", "-"] {
                found.push(format!("{}{sign}{form}", name.to_lowercase()));
            }
        }
    }
    if !told.date {
        found.extend(names.iter().flat_map(|name| cased(name)));
    }
    found
}

/// Names beside the words for a company: in front of or behind them, and in Latin letters in brackets behind that.
fn companies(text: &str, spelling: &Spelling<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let part = |c: char| c.is_alphanumeric() || matches!(c, '・' | 'ー' | '&');
    for mark in spelling.company_marks {
        for (at, _) in text.match_indices(mark.as_str()).take(NAMES) {
            let behind = text
                .get(at.saturating_add(mark.len())..)
                .unwrap_or_default();
            let behind = behind.trim_start_matches(' ');
            let name: String = behind.chars().take_while(|c| part(*c)).take(20).collect();
            let rest = behind.get(name.len()..).unwrap_or_default().trim_start();
            if let Some(inner) = rest.strip_prefix('(') {
                let latin = inner.chars().take_while(char::is_ascii_alphanumeric);
                found.push(latin.take(24).collect());
            }
            if !name.is_empty() {
                found.push(format!("{mark}{name}"));
            }
            found.push(name);
            let before = text.get(..at).unwrap_or_default();
            let mut name: Vec<char> = before
                .chars()
                .rev()
                .take_while(|c| part(*c))
                .take(20)
                .collect();
            name.reverse();
            found.push(name.into_iter().collect());
        }
    }
    // `弊社名(tanaka)`: the word for a company with its name behind it.
    for word in spelling.company {
        for (at, _) in text.match_indices(word.as_str()).take(NAMES) {
            let behind = text
                .get(at.saturating_add(word.len())..)
                .unwrap_or_default();
            if let Some(inner) = behind.trim_start().strip_prefix(['(', '「', '『', '"']) {
                found.push(inner.chars().take_while(|c| part(*c)).take(24).collect());
            }
        }
    }
    for mark in spelling.company_endings {
        if let Some((before, _)) = text.split_once(mark.as_str()) {
            let line = before.lines().next_back().unwrap_or_default();
            let name: String = line.chars().filter(char::is_ascii_alphanumeric).collect();
            if name.len() <= 24 {
                found.push(name);
            }
        }
    }
    found.retain(|name: &String| !name.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct File {
        recipes: Recipes,
    }

    #[derive(serde::Deserialize)]
    struct Recipes {
        forms: Vec<String>,
        months: Vec<String>,
        asked: Vec<(usize, Vec<String>)>,
        company: Vec<String>,
        company_marks: Vec<String>,
        company_endings: Vec<String>,
        phone: Vec<String>,
        date: Vec<String>,
        day_before: Vec<String>,
        day_after: Vec<String>,
    }

    fn words(text: &str, told: Told, around: &Surroundings) -> Vec<String> {
        let file = include_str!("../../signatures/passwords.toml");
        let recipes = toml::from_str::<File>(file).unwrap().recipes;
        let spelling = Spelling {
            forms: &recipes.forms,
            months: &recipes.months,
            asked: &recipes.asked,
            company: &recipes.company,
            company_marks: &recipes.company_marks,
            company_endings: &recipes.company_endings,
            phone: &recipes.phone,
            date: &recipes.date,
            day_before: &recipes.day_before,
            day_after: &recipes.day_after,
        };
        super::words(text, told, around, &spelling)
    }

    const NONE: Told = Told {
        phone: false,
        date: false,
        company: false,
        postal: false,
        person: false,
        domain: false,
    };
    const PHONE: Told = Told {
        phone: true,
        ..NONE
    };
    const DATE: Told = Told { date: true, ..NONE };

    fn sent() -> Surroundings {
        Surroundings {
            sent: Day::of("2025-11-27T01:00:00Z"),
            names: vec!["sample".to_owned()],
            person: vec!["yamada".to_owned()],
            domain: Some("sample.example".to_owned()),
        }
    }

    fn place(text: &str, told: Told, word: &str) -> Option<usize> {
        let found = words(text, told, &sent());
        found.iter().position(|one| one == word)
    }

    #[test]
    fn last_digits_of_a_telephone_number_are_a_password() {
        for text in [
            "TEL: 03-1234-5678",
            "携帯 ０９０－１２３４－５６７８",
            "Phone +81-3-1234-5678",
            "電話(03)1234-5678",
            "tel 0312345678",
        ] {
            assert!(
                place(text, PHONE, "5678").is_some_and(|at| at < 3),
                "{text}"
            );
        }
        assert!(place("Phone +81-3-1234-5678", PHONE, "0312345678").is_some());
        assert!(place("注文番号 12345678901234567890", PHONE, "7890").is_none());
        assert!(words("TEL 03-1234-5678", Told::default(), &sent()).is_empty());
    }

    #[test]
    fn a_word_and_what_is_described_beside_it_are_put_together() {
        for (text, told, word) in [
            (
                "パスワードは「tanaka」＋本日の日付（西暦８桁）です",
                DATE,
                "tanaka20251127",
            ),
            ("パスワードはyamada+送信日(MMDD)です", DATE, "yamada1127"),
            ("本日の日付(6桁)＋kaisha", DATE, "251127kaisha"),
            (
                "パスワードは、kaisha＋電話番号下４桁です。\nTEL: 03-1234-5678",
                PHONE,
                "kaisha5678",
            ),
        ] {
            assert!(place(text, told, word).is_some_and(|at| at < 4), "{text}");
        }
        let near = "見積A+B\n本日の日付";
        assert!(place(near, DATE, "A20251127").is_none());
        assert!(words("tanaka+本日の日付", NONE, &sent()).is_empty());
    }

    #[test]
    fn the_day_before_and_the_month_are_a_password_where_the_mail_says_so() {
        let first = |text: &str| words(text, DATE, &sent()).first().cloned();
        assert_eq!(first("昨日の日付(8桁)").unwrap(), "20251126");
        assert_eq!(first("翌日の日付(8桁)").unwrap(), "20251128");
        assert_eq!(first("本日の日付(8桁)").unwrap(), "20251127");
        assert!(place("今月(6桁)", DATE, "202511").is_some_and(|at| at < 10));
        let day = |year, month, day| Day::new(year, month, day).unwrap();
        assert_eq!(day(2024, 3, 1).before(), day(2024, 2, 29));
        assert_eq!(day(2026, 1, 1).before(), day(2025, 12, 31));
    }

    #[test]
    fn postal_codes_people_and_domains_are_a_password_where_the_mail_says_so() {
        let all = Told {
            postal: true,
            person: true,
            domain: true,
            ..NONE
        };
        let text = "〒100-0001 東京都";
        for word in ["1000001", "100-0001", "yamada", "sample.example", "sample"] {
            assert!(place(text, all, word).is_some(), "{word}");
            assert!(place(text, DATE, word).is_none(), "{word}");
        }
    }

    #[test]
    fn dates_are_a_password_in_all_their_forms() {
        for word in [
            "20251127",
            "251127",
            "1127",
            "2025/11/27",
            "27112025",
            "11272025",
            "R071127",
            "令和7年11月27日",
            "Nov272025",
            "2025年11月27日",
            "11/27",
        ] {
            assert!(
                place("本日の日付", DATE, word).is_some_and(|at| at < 24),
                "{word}"
            );
        }
        let meeting = "会議の日付（8桁）: 2025年12月15日";
        assert_eq!(place(meeting, DATE, "20251215"), Some(0));
        assert_eq!(
            place("令和7年12月15日の日付 8桁", DATE, "20251215"),
            Some(0)
        );
        assert_eq!(place("12月15日の日付 4桁", DATE, "1215"), Some(0));
        assert_eq!(place("本日の日付4桁", DATE, "1127"), Some(0));
    }

    #[test]
    fn years_of_two_digits_are_western_ones_and_of_reiwa() {
        for (text, word) in [
            ("会議の日付8桁: 25年12月15日", "20251215"),
            ("会議の日付8桁: 7年12月15日", "20251215"),
            ("会議の日付8桁: 令和7年12月15日", "20251215"),
            ("会議の日付8桁: R7.12.15", "20251215"),
            ("会議の日付8桁: 25/12/15", "20251215"),
            ("会議の日付6桁: 25/12/15", "251215"),
            ("the date of the meeting, YYYYMMDD: 12/15/2025", "20251215"),
            ("the date of the meeting, YYYYMMDD: 15.12.2025", "20251215"),
        ] {
            assert_eq!(place(text, DATE, word), Some(0), "{text}");
        }
        assert!(place("日付8桁: 令和25年12月15日", DATE, "20251215").is_none());
        assert!(place("日付8桁: 03-1234-5678", DATE, "20031234").is_none());
    }

    #[test]
    fn the_day_of_a_mail_is_also_that_of_japan() {
        let days = Day::of("2025-12-31T20:00:00Z");
        assert_eq!(days.first().copied(), Day::new(2026, 1, 1));
        assert_eq!(days.len(), 2);
        assert_eq!(Day::of("2024-02-28T23:00:00Z").first().unwrap().day, 29);
        assert!(Day::of("no date").is_empty());
        assert!(Day::of("2025-13-40").is_empty());
    }

    #[test]
    fn a_company_and_a_date_are_a_password() {
        let told = Told {
            date: true,
            company: true,
            ..NONE
        };
        for (text, word) in [
            ("会社名+日付", "sample20251127"),
            ("会社名+日付 4桁", "Sample1127"),
            ("株式会社タナカ（tanaka）", "tanaka20251127"),
            ("タナカ商事株式会社", "タナカ商事20251127"),
            ("Tanaka Trading Co., Ltd.", "tanakatrading20251127"),
            ("会社名_日付", "sample_20251127"),
            ("弊社名(tanaka)＋日付8桁", "tanaka20251127"),
        ] {
            assert!(
                place(text, told, word).is_some_and(|at| at < 40),
                "{text}: {word}"
            );
        }
    }

    #[test]
    fn long_texts_end() {
        let all = Told {
            phone: true,
            date: true,
            company: true,
            postal: true,
            person: true,
            domain: true,
        };
        for text in [
            "株式会社",
            "+1",
            "a+日付",
            "100-0001 ",
            "1-",
            "2025年1月",
            "0",
            "Co.",
        ] {
            assert!(words(&text.repeat(100_000), all, &sent()).len() <= WORDS);
        }
    }
}
