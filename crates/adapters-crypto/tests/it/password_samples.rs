//! Passwords made by rule: those that a spray tries, and good ones. No list of real passwords is
//! involved.

#![expect(
    clippy::indexing_slicing,
    reason = "an index out of bounds should fail the test"
)]

use testkit::SplitMix;

/// The number of passwords of each kind.
pub const COUNT: usize = 500;

const SEASONS: [&str; 5] = ["Spring", "Summer", "Autumn", "Fall", "Winter"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Without May, which is not shortened.
const SHORT_MONTHS: [&str; 11] = [
    "Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
/// Words as in the names of companies, half of them invented. None is configured.
const COMPANIES: [&str; 16] = [
    "Company",
    "Acme",
    "Contoso",
    "Fabrikam",
    "Northwind",
    "Globex",
    "Initech",
    "Umbrella",
    "Hospital",
    "University",
    "Airport",
    "Helpdesk",
    "Finance",
    "Marketing",
    "Logistics",
    "Zenvoria",
];
const DEFAULTS: [&str; 14] = [
    "Welcome",
    "Password",
    "Changeme",
    "Letmein",
    "Administrator",
    "Secret",
    "Hello",
    "Login",
    "Temporary",
    "Testing",
    "Guest",
    "Default",
    "Access",
    "Qwerty",
];
const COMMON: [&str; 16] = [
    "password", "welcome", "admin", "letmein", "security", "changeme", "monkey", "dragon", "football",
    "sunshine", "princess", "master", "computer", "internet", "starwars", "superman",
];
const WALKS: [&str; 24] = [
    "qwertyuiop",
    "qwerty123",
    "1qaz2wsx",
    "1qaz@WSX",
    "!QAZ2wsx",
    "zaq12wsx",
    "zaq1@WSX",
    "qazwsxedc",
    "asdfghjkl",
    "1q2w3e4r",
    "q1w2e3r4t5",
    "zxcvbnm1",
    "qweasdzxc",
    "123qweasd",
    "asdf1234",
    "poiuytrewq",
    "0987654321",
    "1234qwer",
    "qwer1234",
    "147258369",
    "7418529630",
    "!@#$%^&*",
    "Qwerty!@#",
    "1qazxsw2",
];
const TAILS: [&str; 6] = ["", "!", "#", "1!", "123", "@1"];

/// Returns [`COUNT`] different passwords of at least 8 characters as a spray tries them.
pub fn spray() -> Vec<String> {
    let years: Vec<_> = (2022..=2027).map(|year| year.to_string()).collect();
    let years: Vec<_> = years.iter().map(String::as_str).collect();
    let after_word = [
        "123", "123!", "1234", "@123", "2025", "2026!", "@2026", "#1", "!1", "12345",
    ];
    let leet: Vec<_> = COMMON.map(leetspeak).to_vec();
    let leet: Vec<_> = leet.iter().map(String::as_str).collect();
    let groups = [
        (90, product(&[&SEASONS, &years, &TAILS])),
        (
            25,
            product(&[&["spring", "SUMMER", "w1nter", "$ummer"], &years, &TAILS]),
        ),
        (20, product(&[&SEASONS, &["25", "26", "@26"], &["!", "!!", "#"]])),
        (75, product(&[&MONTHS, &years, &TAILS])),
        (25, product(&[&SHORT_MONTHS, &years, &["!", "!!", "@1"]])),
        (35, product(&[&WEEKDAYS, &after_word])),
        (80, product(&[&COMPANIES, &after_word])),
        (60, product(&[&DEFAULTS, &after_word])),
        (50, product(&[&leet, &["", "!", "1", "1!", "123", "2026"]])),
        (40, product(&[&WALKS, &["", "!", "1", "2026"]])),
    ];
    let mut passwords: Vec<_> = groups
        .into_iter()
        .flat_map(|(count, group)| spread(group, count))
        .collect();
    passwords.sort();
    passwords.dedup();
    passwords
}

/// Returns [`COUNT`] passwords as password generators and careful users make them.
pub fn good() -> Vec<String> {
    let mut random = SplitMix::new(20_261_128);
    let passphrases = (0..200).map(|number| {
        let separator = [" ", "-", ".", ""][number % 4];
        let words: Vec<_> = (0..4).map(|_| *pick(&mut random, &WORDS)).collect();
        words.join(separator)
    });
    let mut passwords: Vec<_> = passphrases.collect();
    let alphabets = [
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789!#$%&()*+-./:;<=>?@_",
    ];
    for number in 0..200 {
        passwords.push(text(&mut random, alphabets[number % 3], 12 + number % 9));
    }
    for number in 0..100 {
        let (groups, length) = [(3, 3), (3, 6), (4, 4)][number % 3];
        let groups: Vec<_> = (0..groups)
            .map(|_| text(&mut random, alphabets[0], length))
            .collect();
        passwords.push(groups.join("-"));
    }
    passwords
}

/// Returns every concatenation of one text of each part.
fn product(parts: &[&[&str]]) -> Vec<String> {
    let start = vec![String::new()];
    parts.iter().fold(start, |texts, part| {
        let extended = texts
            .iter()
            .flat_map(|text| part.iter().map(move |tail| format!("{text}{tail}")));
        extended.collect()
    })
}

/// Returns `count` of the texts of at least 8 characters, at equal distances.
fn spread(texts: Vec<String>, count: usize) -> Vec<String> {
    let texts: Vec<_> = texts
        .into_iter()
        .filter(|text| text.chars().count() >= 8)
        .collect();
    assert!(texts.len() >= count, "only {} of {count}: {texts:?}", texts.len());
    (0..count)
        .map(|number| texts[number * texts.len() / count].clone())
        .collect()
}

/// Capitalises `word` and replaces letters by digits and signs.
fn leetspeak(word: &str) -> String {
    let substitute = |(place, letter)| match letter {
        'a' => '@',
        'e' => '3',
        'i' => '1',
        'o' => '0',
        's' => '$',
        letter if place == 0 => letter.to_ascii_uppercase(),
        letter => letter,
    };
    word.chars().enumerate().map(substitute).collect()
}

fn pick<'a, T>(random: &mut SplitMix, items: &'a [T]) -> &'a T {
    let number = random.below(items.len() as u64);
    &items[usize::try_from(number).expect("the number is below the length")]
}

fn text(random: &mut SplitMix, alphabet: &str, length: usize) -> String {
    let alphabet: Vec<_> = alphabet.chars().collect();
    (0..length).map(|_| *pick(random, &alphabet)).collect()
}

/// Words of four to seven letters for passphrases, some of them of the calendar.
const WORDS: [&str; 128] = [
    "acorn", "amber", "anchor", "apron", "arrow", "autumn", "badger", "bamboo", "barrel", "basket", "beacon",
    "bishop", "blanket", "bottle", "branch", "brick", "bridge", "bronze", "bucket", "butter", "button",
    "cabin", "camel", "candle", "canvas", "carpet", "castle", "cedar", "cello", "chalk", "cherry", "circus",
    "clover", "cobalt", "cotton", "cradle", "crater", "cricket", "crystal", "curtain", "daisy", "desert",
    "diesel", "dolphin", "donkey", "dragon", "eagle", "ember", "engine", "falcon", "feather", "fender",
    "ferry", "fiddle", "forest", "fossil", "friday", "garden", "ginger", "glacier", "goblet", "gravel",
    "hammer", "harbor", "hazel", "helmet", "hollow", "honey", "hornet", "island", "ivory", "jacket",
    "jaguar", "jungle", "kettle", "ladder", "lagoon", "lantern", "lemon", "lilac", "lizard", "magnet",
    "mango", "maple", "marble", "march", "meadow", "mirror", "mitten", "monday", "mosaic", "muffin",
    "napkin", "needle", "nickel", "october", "olive", "orchid", "otter", "oyster", "paddle", "parrot",
    "pebble", "pepper", "pigeon", "pillow", "pirate", "planet", "pocket", "pumpkin", "quartz", "rabbit",
    "raven", "ribbon", "saddle", "salmon", "silver", "spring", "squash", "summer", "thunder", "timber",
    "tulip", "turtle", "velvet", "walnut", "winter", "zipper",
];
