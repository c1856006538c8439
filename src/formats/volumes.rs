//! Volumes of archives by their names, as the programs that write them name them: WinRAR (`a.part1.rar`, `a.rar` and
//! `a.r00`), 7-Zip and byte splitters (`a.7z.001`), zip (`a.z01` … `a.zip`).

/// How the volumes of a set are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// `a.part1.rar`, `a.part2.rar` …
    Parts,
    /// `a.rar`, `a.r00`, `a.r01` …
    Letters,
    /// `a.7z.001`, `a.7z.002` …: the bytes of one file in pieces.
    Pieces,
    /// `a.z01`, `a.z02` …, `a.zip`.
    Zip,
}

/// One volume by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// What the names of all volumes start with, in lower case.
    pub base: String,
    /// How they are named.
    pub scheme: Scheme,
    /// Its number, from 1; [`LAST`] for the last of a zip, whose number its name does not say.
    pub number: usize,
}

/// The number of a last volume.
pub const LAST: usize = usize::MAX;

impl Volume {
    /// Whether another volume is of the same set.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.base == other.base && self.scheme == other.scheme
    }

    /// Whether it is the one that the set is opened with.
    pub fn opens(&self) -> bool {
        match self.scheme {
            Scheme::Zip => self.number == LAST,
            Scheme::Parts | Scheme::Letters | Scheme::Pieces => self.number == 1,
        }
    }
}

/// The volume that a file name, without folders, is that of; `None` where it is none.
pub fn of(name: &str) -> Option<Volume> {
    /// Digits of a number at the most.
    const DIGITS: usize = 5;
    let name = name.to_lowercase();
    let (stem, ending) = name.rsplit_once('.')?;
    if stem.is_empty() {
        return None;
    }
    let volume = |base: &str, scheme: Scheme, number: usize| {
        Some(Volume {
            base: base.to_owned(),
            scheme,
            number,
        })
    };
    let digits = |text: &str| {
        let good =
            (1..=DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| text.parse::<usize>().ok()).flatten()
    };
    if let "rar" | "exe" = ending {
        let part = stem.rsplit_once(".part").and_then(|(base, number)| {
            let number = digits(number).filter(|number| *number > 0)?;
            (!base.is_empty()).then_some((base, number))
        });
        return match part {
            Some((base, number)) => volume(base, Scheme::Parts, number),
            None if ending == "rar" => volume(stem, Scheme::Letters, 1),
            None => None,
        };
    }
    if ending == "zip" {
        return volume(stem, Scheme::Zip, LAST);
    }
    if let Some(number) = ending.strip_prefix('z').filter(|text| text.len() >= 2) {
        let number = digits(number).filter(|number| *number > 0)?;
        return volume(stem, Scheme::Zip, number);
    }
    // `.r99` goes on in `.s00`.
    if let (letter @ b'r'..=b'z', 3) = (ending.bytes().next()?, ending.len()) {
        let number = digits(ending.get(1..)?)?;
        let hundreds = usize::from(letter.saturating_sub(b'r')).saturating_mul(100);
        return volume(
            stem,
            Scheme::Letters,
            number.saturating_add(hundreds).saturating_add(2),
        );
    }
    let number = digits(ending).filter(|number| *number > 0 && ending.len() >= 3)?;
    volume(stem, Scheme::Pieces, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_volumes_are_told() {
        let cases = [
            ("見積.Part03.RAR", Some(("見積", Scheme::Parts, 3))),
            ("a.part1.exe", Some(("a", Scheme::Parts, 1))),
            ("a.rar", Some(("a", Scheme::Letters, 1))),
            ("a.r00", Some(("a", Scheme::Letters, 2))),
            ("a.s01", Some(("a", Scheme::Letters, 103))),
            ("a.7z.002", Some(("a.7z", Scheme::Pieces, 2))),
            ("a.z10", Some(("a", Scheme::Zip, 10))),
            ("a.zip", Some(("a", Scheme::Zip, LAST))),
            ("a.exe", None),
            ("a.000", None),
            ("a.12", None),
            ("report.2024", Some(("report", Scheme::Pieces, 2024))),
            (".rar", None),
            ("a.part0.rar", Some(("a.part0", Scheme::Letters, 1))),
            ("a.r\u{e9}0", None),
            ("a.\u{ff12}\u{ff12}\u{ff12}", None),
        ];
        for (name, want) in cases {
            let found = of(name);
            let found = found
                .as_ref()
                .map(|one| (one.base.as_str(), one.scheme, one.number));
            assert_eq!(found, want, "{name}");
        }
    }
}
