//! Passwords that a mail describes instead of writing them: the last digits of a telephone number, a date, the name of a
//! company with a date behind it. Mails say so next to the word for a password; what they name is put together here.

use std::collections::BTreeSet;

/// Telephone numbers and dates of one text that are used.
const NAMED: usize = 4;

/// Names of companies that are used.
const NAMES: usize = 4;

/// Words that one text may come to.
const WORDS: usize = 64;

/// Bytes of a text that are looked through.
const LONGEST: usize = 64 << 10;

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
}

/// What a text says that its password is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// A telephone number.
    pub phone: bool,
    /// A date.
    pub date: bool,
    /// A company.
    pub company: bool,
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

    /// The ways in which people write it, the commonest first.
    fn forms(self) -> Vec<String> {
        let Self { year, month, day } = self;
        let short = year % 100;
        // Reiwa began in 2019.
        let reiwa = year.saturating_sub(2018);
        let name = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        .get(usize::from(month.saturating_sub(1)))
        .copied()
        .unwrap_or_default();
        let mut forms = vec![
            format!("{year}{month:02}{day:02}"),
            format!("{short:02}{month:02}{day:02}"),
            format!("{month:02}{day:02}"),
            format!("{year}/{month:02}/{day:02}"),
            format!("{day:02}{month:02}{year}"),
            format!("{year}-{month:02}-{day:02}"),
            format!("{month:02}{day:02}{year}"),
            format!("R{reiwa:02}{month:02}{day:02}"),
            format!("{year}年{month}月{day}日"),
            format!("{year}/{month}/{day}"),
            format!("{reiwa:02}{month:02}{day:02}"),
            format!("R{reiwa}.{month}.{day}"),
            format!("令和{reiwa}年{month}月{day}日"),
            format!("{month}月{day}日"),
            format!("{name}{day:02}{year}"),
            format!("{day:02}{name}{year}"),
            format!("{day:02}{month:02}{short:02}"),
            format!("{month:02}{day:02}{short:02}"),
            format!("{year}.{month:02}.{day:02}"),
            format!("{year}{month}{day}"),
            format!("{month:02}/{day:02}"),
            format!("{month}/{day}"),
        ];
        let mut known = BTreeSet::new();
        forms.retain(|form| known.insert(form.clone()));
        forms
    }
}

/// The words that a text's password may be, the likeliest first; none where it says of nothing that its password is
/// made of it.
pub fn words(text: &str, told: Told, around: &Surroundings) -> Vec<String> {
    if told == Told::default() {
        return Vec::new();
    }
    let text = folded(text);
    let mut found = Vec::new();
    if told.phone {
        for digits in phones(&text) {
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
    let mut days = dates(&text, &around.sent);
    days.retain(|day| !around.sent.contains(day));
    // A date that the text itself names is meant before the day on which it was sent.
    days.extend(&around.sent);
    days.truncate(NAMED);
    if told.company {
        with_names(&text, told, around, &days, &mut found);
    }
    if told.date {
        let asked = lengths(&text);
        let each: Vec<Vec<String>> = days.iter().map(|day| day.forms()).collect();
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
fn lengths(text: &str) -> Vec<usize> {
    let counts = [
        (8, ["8桁", "八桁", "8 digit", "8-digit", "yyyymmdd", "西暦"]),
        (6, ["6桁", "六桁", "6 digit", "6-digit", "yymmdd", "6ケタ"]),
        (4, ["4桁", "四桁", "4 digit", "4-digit", "月日", "4ケタ"]),
    ];
    let lower = text.to_lowercase();
    let counts = counts.into_iter();
    counts
        .filter(|(_, words)| words.iter().any(|word| lower.contains(word)))
        .map(|(count, _)| count)
        .collect()
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
        let day = match (get(0), get(1), get(2)) {
            (Some((year, '年')), Some((month, '月')), Some((day, '日'))) => {
                let year = if year < 100 {
                    year.saturating_add(2018)
                } else {
                    year
                };
                Day::new(year, month, day)
            }
            (Some((year, '/' | '-' | '.')), Some((month, '/' | '-' | '.')), Some((day, _)))
                if year >= 1900 =>
            {
                Day::new(year, month, day)
            }
            (Some((month, '月')), Some((day, '日')), _)
                if place == 0 || marks.get(place.saturating_sub(1)) != Some(&'年') =>
            {
                Day::new(year_sent, month, day)
            }
            _ => None,
        };
        if let Some(day) = day
            && !found.contains(&day)
            && found.len() < NAMED
        {
            found.push(day);
        }
    }
    found
}

/// Names with dates behind them.
fn with_names(
    text: &str,
    told: Told,
    around: &Surroundings,
    days: &[Day],
    found: &mut Vec<String>,
) {
    let mut names = companies(text);
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
    let asked = lengths(text);
    let day = days.first().map(|day| day.forms()).unwrap_or_default();
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
}

/// Names beside the words for a company: in front of or behind them, and in Latin letters in brackets behind that.
fn companies(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let part = |c: char| c.is_alphanumeric() || matches!(c, '・' | 'ー' | '&');
    for mark in ["株式会社", "(株)", "有限会社", "合同会社"] {
        for (at, _) in text.match_indices(mark).take(NAMES) {
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
    for mark in ["Co.", "Ltd", "Inc", "Corporation", "GmbH", "LLC"] {
        if let Some((before, _)) = text.split_once(mark) {
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

    const PHONE: Told = Told {
        phone: true,
        date: false,
        company: false,
    };
    const DATE: Told = Told {
        phone: false,
        date: true,
        company: false,
    };

    fn sent() -> Surroundings {
        Surroundings {
            sent: Day::of("2025-11-27T01:00:00Z"),
            names: vec!["sample".to_owned()],
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
    fn the_day_of_a_mail_is_also_that_of_japan() {
        let days = Day::of("2025-12-31T20:00:00Z");
        assert_eq!(days.first().unwrap().forms().first().unwrap(), "20260101");
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
            phone: false,
        };
        for (text, word) in [
            ("会社名+日付", "sample20251127"),
            ("会社名+日付 4桁", "Sample1127"),
            ("株式会社タナカ（tanaka）", "tanaka20251127"),
            ("タナカ商事株式会社", "タナカ商事20251127"),
            ("Tanaka Trading Co., Ltd.", "tanakatrading20251127"),
            ("会社名_日付", "sample_20251127"),
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
        };
        for text in ["株式会社", "1-", "2025年1月", "0", "Co."] {
            assert!(words(&text.repeat(100_000), all, &sent()).len() <= WORDS);
        }
    }
}
