//! Logins.

use domain::login::{Login, LoginPrefix, MAX_LENGTH, MIN_LENGTH};
use unicode_normalization::UnicodeNormalization;

pub fn check(input: &[u8]) {
    let Ok(typed) = str::from_utf8(input) else {
        return;
    };
    let parsed = Login::parse(typed);
    let (nfc, nfd): (String, String) = (typed.nfc().collect(), typed.nfd().collect());
    if typed.chars().count() <= MAX_LENGTH {
        assert_eq!(Login::parse(&nfc), parsed, "NFC changes the login");
        assert_eq!(Login::parse(&nfd), parsed, "NFD changes the login");
    }
    let Ok(login) = parsed else {
        return;
    };
    assert_eq!(login.as_typed(), nfc);
    let canonical = login.canonical();
    let length = canonical.as_str().chars().count();
    assert!((MIN_LENGTH..=MAX_LENGTH).contains(&length), "{length}");
    let no_control = |text: &str| !text.chars().any(|c| c.is_control() || c.is_whitespace());
    assert!(no_control(login.as_typed()) && no_control(canonical.as_str()));

    let again = Login::parse(canonical.as_str()).expect("the canonical form is a login");
    assert_eq!(again.canonical(), canonical, "the canonical form is not stable");
    let stored = Login::parse(login.as_typed()).expect("the stored form is a login");
    assert_eq!(stored, login, "the stored form is another login");

    let prefix = LoginPrefix::parse(canonical.as_str()).expect("a login is a prefix of itself");
    assert_eq!(prefix.as_str(), canonical.as_str());
    assert!(
        canonical.as_str() < prefix.end().as_str(),
        "the prefix excludes its login"
    );
}
