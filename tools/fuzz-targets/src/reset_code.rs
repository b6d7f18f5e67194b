//! One-time passwords as users type them.

use domain::{one_time_password::ResetCode, password::Password};

/// The digits of Crockford's base 32.
const DIGITS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

pub fn check(input: &[u8]) {
    if let Some(bytes) = input.first_chunk::<32>() {
        check_code(&ResetCode::new(*bytes));
    }
    if let Ok(typed) = str::from_utf8(input) {
        check_text(typed);
    }
}

/// A generated code is read in every spelling that a person may choose.
fn check_code(code: &ResetCode) {
    let text = code.expose().to_owned();
    let spellings = [
        text.clone(),
        text.to_uppercase(),
        text.replace('-', ""),
        text.replace('-', " "),
        text.replace('0', "O").replace('1', "l"),
    ];
    for spelling in spellings {
        let read = ResetCode::parse(&spelling).expect("a spelling of a code is one");
        assert_eq!(read.expose(), text, "{spelling}");
        assert!(Password::new(spelling).is_same_as(&code.password()));
    }
}

/// A text is a code exactly if it has 20 digits between separators, and stands for those.
fn check_text(typed: &str) {
    let code = ResetCode::parse(typed);
    let digits = digits(typed).filter(|digits| digits.chars().count() == 20);
    let read = code.as_ref().map(|code| code.expose().replace('-', ""));
    assert_eq!(read, digits, "{typed:?}");

    let password = Password::new(typed.to_owned());
    let read = password.clone().into_one_time();
    assert!(read.is_same_as(&password) && password.is_same_as(&read));
    assert_eq!(read.clone().into_one_time().expose(), read.expose());
    // The normalisation of passwords may make a digit of another letter, such as the Kelvin sign.
    match ResetCode::parse(password.expose()) {
        Some(code) => {
            assert_eq!(code.expose().len(), 23);
            check_code(&code);
        }
        None => assert_eq!(read.expose(), password.expose(), "another password was changed"),
    }
}

/// Returns the digits of a text that contains nothing else but separators, read with other code.
fn digits(typed: &str) -> Option<String> {
    let mut digits = String::new();
    for letter in typed.chars() {
        let digit = match letter.to_ascii_uppercase() {
            '-' | '\u{2212}' => continue,
            dash if ('\u{2010}'..='\u{2015}').contains(&dash) => continue,
            letter if letter.is_whitespace() => continue,
            'O' => '0',
            'I' | 'L' => '1',
            letter if DIGITS.contains(letter) => letter.to_ascii_lowercase(),
            _ => return None,
        };
        digits.push(digit);
    }
    Some(digits)
}
