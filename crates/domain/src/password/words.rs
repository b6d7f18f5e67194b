//! Words that attackers try first, because many users choose them for their passwords.

use super::MIN_UNPREDICTABLE;
use chrono::{DateTime, Datelike, Utc};
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The name of this program, and by default of the service.
const SERVICE: &str = "authapi";
/// Minimum number of characters of a word. Shorter ones occur in random passwords.
const MIN_WORD: usize = 3;
/// Minimum number of letters of a part of a name. Shorter ones, such as `com` or `lee`, occur in
/// other words.
const MIN_PART: usize = 4;
/// How many years before and after the current one are predictable.
const YEARS_BEFORE: i32 = 10;
const YEARS_AFTER: i32 = 5;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const SEASONS: [&str; 5] = ["spring", "summer", "autumn", "fall", "winter"];
const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Digits that users append.
const SEQUENCES: [&str; 4] = ["123", "1234", "12345", "123456"];

/// Words that make a password of one service predictable, such as its name and host, and those that
/// its operator lists (OWASP ASVS 5.0, V6.1.2 and V6.2.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextWords(BTreeSet<String>);

impl Default for ContextWords {
    /// The name of this program.
    fn default() -> Self {
        Self::new([])
    }
}

impl ContextWords {
    /// Collects the words of `names` and the name of this program. A name counts as a whole,
    /// without its spaces, and so does each of its parts of at least 4 letters: `auth.example.com`
    /// adds `auth` and `example`. Case does not matter. Names shorter than 3 characters are
    /// ignored.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words = BTreeSet::from([SERVICE.to_owned()]);
        for name in names {
            let name: String = name.nfc().filter(|letter| !letter.is_control()).collect();
            let name = name.to_lowercase();
            let whole: String = name.chars().filter(|letter| !letter.is_whitespace()).collect();
            if whole.chars().count() >= MIN_WORD {
                words.insert(whole);
            }
            words.extend(parts(&name));
        }
        Self(words)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Returns the runs of at least 4 letters in `name`, unless it is one such run.
pub(super) fn parts(name: &str) -> impl Iterator<Item = String> {
    name.split(|letter: char| !letter.is_alphabetic())
        .filter(move |part| *part != name && part.chars().count() >= MIN_PART)
        .map(str::to_owned)
}

/// Returns the words that any user may choose: months, seasons, weekdays, the years near `now`, and
/// sequences of digits.
pub(super) fn of_any_user(now: DateTime<Utc>) -> impl Iterator<Item = String> {
    let years = now.year() - YEARS_BEFORE..=now.year() + YEARS_AFTER;
    [MONTHS.as_slice(), &SEASONS, &WEEKDAYS, &SEQUENCES]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .chain(years.map(|year| year.to_string()))
}

/// Returns whether `password` contains at least one of `words`, in any case and with the usual
/// substitutions (`$pr1ng`), and fewer than [`MIN_UNPREDICTABLE`] letters and digits besides them.
///
/// A passphrase that has a month among other words has more of these, and is not predictable.
pub(super) fn is_predictable(password: &str, words: &[String]) -> bool {
    let typed: Zeroizing<Vec<char>> = Zeroizing::new(password.chars().flat_map(char::to_lowercase).collect());
    let words: Vec<Vec<char>> = words
        .iter()
        .map(|word| word.chars().flat_map(char::to_lowercase).collect())
        .filter(|word: &Vec<char>| word.len() >= MIN_WORD)
        .collect();
    let (mut rest, mut any, mut others) = (typed.as_slice(), false, 0);
    while let Some((first, after)) = rest.split_first() {
        if let Some(after_word) = longest_at_start(rest, &words) {
            rest = after_word;
            any = true;
        } else {
            others += usize::from(counts(*first));
            rest = after;
        }
    }
    any && others < MIN_UNPREDICTABLE
}

/// Returns what follows the longest of `words` with which `typed` begins.
fn longest_at_start<'a>(typed: &'a [char], words: &[Vec<char>]) -> Option<&'a [char]> {
    let lengths = words.iter().filter(|word| begins_with(typed, word)).map(Vec::len);
    typed.get(lengths.max()?..)
}

fn begins_with(typed: &[char], word: &[char]) -> bool {
    typed.len() >= word.len()
        && typed
            .iter()
            .zip(word)
            .all(|(typed, letter)| stands_for(*typed, *letter))
}

/// Returns whether `typed` is `letter` or a usual substitute for it.
fn stands_for(typed: char, letter: char) -> bool {
    typed == letter
        || matches!(
            (typed, letter),
            ('0', 'o')
                | ('1' | '!' | '|', 'i' | 'l')
                | ('2', 'z')
                | ('3', 'e')
                | ('4' | '@', 'a')
                | ('5' | '$', 's')
                | ('6' | '9', 'g')
                | ('7' | '+', 't')
                | ('8', 'b')
        )
}

/// Returns whether a character adds to what an attacker must guess. Punctuation and spaces do not:
/// attackers append and insert them by rule.
fn counts(character: char) -> bool {
    !character.is_ascii_punctuation() && !character.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> DateTime<Utc> {
        "2026-11-28T00:00:00Z".parse().expect("the time is valid")
    }

    fn known(names: &[&str]) -> Vec<String> {
        let words = ContextWords::new(names.iter().copied());
        words
            .iter()
            .map(str::to_owned)
            .chain(of_any_user(now()))
            .collect()
    }

    #[test]
    fn a_predictable_word_with_little_else_is_predictable() {
        let known = known(&["auth.example.com", "Acme Corp", "März"]);
        for password in [
            "Spring2026!",
            "spring2026",
            "SPRING-2026",
            "$pr1ng2026!!",
            "5pr!ng_2O26",
            "Winter2025",
            "2025Winter#",
            "!!Fall2031!!",
            "Sommer2016!",
            "Contoso2026!",
            "Contoso123!",
            "Initech@12345",
            "Northwind#2026",
            "Monday123!",
            "Dienstag2024",
            "AcmeCorp1234!",
            "Acme-2026-Corp",
            "@cm3c0rp99",
            "Example123!",
            "auth.example.com",
            "Authapi1234!",
            "März12345",
            "OctoberOctober12",
            "JuneJuly2026August",
        ] {
            assert!(is_predictable(password, &known), "{password}");
        }
    }

    #[test]
    fn a_predictable_word_among_enough_others_or_none_at_all_is_not_predictable() {
        let known = known(&["auth.example.com", "Acme"]);
        for password in [
            "purple october lantern",
            "seven otters in spring rain",
            "maypole-quartz-venture",
            "the example of acme is unclear",
            "kq7v2mzx",
            "otter-lantern-123",
            "Xk9#mQ2vLp4z",
            "tulip-2026-gravel-anchor",
            "Tr0ub4dor&3x!",
            "2015 is not 2032",
            "пароль-не-для-всех-2026",
            "",
        ] {
            assert!(!is_predictable(password, &known), "{password}");
        }
    }

    #[test]
    fn the_years_near_now_are_predictable_and_others_are_not() {
        let known = known(&[]);
        for (year, predictable) in [
            (2015, false),
            (2016, true),
            (2026, true),
            (2031, true),
            (2032, false),
        ] {
            assert_eq!(
                is_predictable(&format!("Contoso{year}!"), &known),
                predictable,
                "{year}"
            );
        }
    }

    #[test]
    fn a_name_counts_as_a_whole_and_in_its_parts() {
        let words = ContextWords::new(["auth.Example.com", "Acme Corp", "SAP", "ab", "", "web2print"]);
        let words: Vec<_> = words.iter().collect();
        assert_eq!(
            words,
            [
                "acme",
                "acmecorp",
                "auth",
                "auth.example.com",
                "authapi",
                "corp",
                "example",
                "print",
                "sap",
                "web2print",
            ]
        );
    }

    proptest! {
        #[test]
        fn a_word_of_any_user_with_a_year_and_punctuation_is_predictable(
            word in prop::sample::select([MONTHS.as_slice(), &SEASONS, &WEEKDAYS].concat()),
            year in 2016..=2031,
            tail in "[!-/:-@]{0,6}",
            upper in any::<bool>(),
        ) {
            let word = if upper { word.to_uppercase() } else { word.to_owned() };
            let (known, password) = (known(&[]), format!("{word}{year}{tail}"));
            prop_assert!(is_predictable(&password, &known));
        }

        #[test]
        fn four_words_with_one_of_any_user_are_never_predictable(
            word in prop::sample::select([MONTHS.as_slice(), &SEASONS, &WEEKDAYS].concat()),
            others in prop::collection::vec("[bcdfhjkpqvwx]{4,8}", 3),
        ) {
            let password = format!("{} {word} {} {}", others[0], others[1], others[2]);
            prop_assert!(!is_predictable(&password, &known(&[])));
        }

        #[test]
        fn the_check_never_panics(password in any::<String>(), name in any::<String>()) {
            let known = known(&[&name]);
            is_predictable(&password, &known);
        }
    }
}
