//! Logins that a spreadsheet would execute as a formula, in CSV files.
//!
//! OWASP, "CSV Injection": a leading apostrophe makes a spreadsheet show a cell as text. The
//! apostrophe is added to a login that is a formula or that is a formula after its own apostrophes,
//! and removed from one that is a formula after at least one. So an import undoes an export, and a
//! login such as `'tis` is left alone by both.

use std::borrow::Cow;

/// The characters with which a formula starts, and their full-width forms.
const STARTS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
const APOSTROPHE: char = '\'';

/// Returns the text of a CSV field that shows `login` in a spreadsheet and is never executed.
pub fn neutralised(login: &str) -> Cow<'_, str> {
    if is_formula(login.trim_start_matches(APOSTROPHE)) {
        Cow::Owned(format!("{APOSTROPHE}{login}"))
    } else {
        Cow::Borrowed(login)
    }
}

/// Returns the login whose [`neutralised`] form is `field`; a login that was not neutralised is
/// returned unchanged.
pub fn original(field: &str) -> &str {
    match field.strip_prefix(APOSTROPHE) {
        Some(login) if is_formula(login.trim_start_matches(APOSTROPHE)) => login,
        _ => field,
    }
}

fn is_formula(text: &str) -> bool {
    text.starts_with(STARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_neutralised_and_other_logins_are_unchanged() {
        for (login, field) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("＝1+1", "'＝1+1"),
            ("'=1+1", "''=1+1"),
            ("''@x", "'''@x"),
            ("alice", "alice"),
            ("a=1", "a=1"),
            ("'tis", "'tis"),
            ("'", "'"),
            ("", ""),
        ] {
            assert_eq!(neutralised(login), field);
            assert_eq!(original(field), login);
        }
    }

    #[test]
    fn a_formula_of_another_system_is_read_as_it_is() {
        assert_eq!(original("=1+1"), "=1+1");
        assert_eq!(original("-dash-"), "-dash-");
    }
}
