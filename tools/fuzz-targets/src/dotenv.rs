//! `.env` files.

use authapi::settings::dotenv::{BadLine, variables};

pub fn check(input: &[u8]) {
    let all: Vec<_> = variables(input, "").collect();
    for line in &all {
        match line {
            Ok((name, value)) => check_round_trip(name, value),
            Err(bad) => check_message(bad, input),
        }
    }
    // A prefix only selects lines. It never turns a bad line into a variable.
    for line in variables(input, "AUTHAPI_").flatten() {
        assert!(line.0.starts_with("AUTHAPI_"));
        assert!(all.contains(&Ok(line)), "the prefix changed a variable");
    }
}

/// A value that was read is read again from its quoted form.
fn check_round_trip(name: &str, value: &str) {
    assert!(!value.contains('\n'));
    let Some(quote) = ['\'', '"'].into_iter().find(|quote| !value.contains(*quote)) else {
        return;
    };
    for export in ["", "export "] {
        let line = format!("{export}{name}={quote}{value}{quote} # comment\n");
        let read: Vec<_> = variables(line.as_bytes(), "").collect();
        let is_same = matches!(&read[..], [Ok((again, text))] if again == name && text.as_str() == value);
        // A name may itself be the word `export`.
        assert!(is_same || name == "export", "{line:?} became {read:?}");
    }
}

/// An error names the line and never quotes it: it may contain a secret.
fn check_message(bad: &BadLine, input: &[u8]) {
    let lines = input.split(|byte| *byte == b'\n').count();
    assert!((1..=lines).contains(&bad.number));
    if let Some(name) = &bad.name {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        assert!(!name.is_empty() && name.chars().all(is_name), "{name:?}");
    }
}
