//! Passwords from whoever sits at the terminal, or from whatever is piped in; never from an argument, which other
//! users of the machine could read.

use crate::Failure;
use domain::password::Password;
use std::io::{BufRead, Error, IsTerminal, Write, stderr, stdin};
use zeroize::Zeroizing;

/// More than the longest password of 256 characters needs.
const MAX_BYTES: u64 = 4096;

/// A new password: typed twice without being shown, or one line of standard input.
pub fn new_password() -> Result<Password, Failure> {
    if !stdin().is_terminal() {
        return first_line(stdin().lock());
    }
    let password = ask("Password: ")?;
    let again = ask("Once more: ")?;
    if password == again {
        Ok(Password::new(String::clone(&password)))
    } else {
        Err(Failure::new("the two passwords differ: nothing was done"))
    }
}

/// Whether whoever sits at the terminal says yes to `question`.
///
/// # Errors
/// When nobody sits there.
pub fn confirmed(question: &str) -> Result<bool, Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::Usage("nobody is there to confirm it: give --yes"));
    }
    let unreadable = |error| Failure::because("the answer cannot be read from the terminal", error);
    write!(stderr(), "{question} [y/N] ").map_err(unreadable)?;
    says_yes(stdin().lock()).map_err(unreadable)
}

fn says_yes(input: impl BufRead) -> Result<bool, Error> {
    let mut answer = String::new();
    input.take(MAX_BYTES).read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn ask(question: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(question)
        .map(Zeroizing::new)
        .map_err(|error| Failure::because("the password cannot be read from the terminal", error))
}

fn first_line(input: impl BufRead) -> Result<Password, Failure> {
    let mut line = Zeroizing::new(String::with_capacity(256));
    input
        .take(MAX_BYTES)
        .read_line(&mut line)
        .map_err(|error| Failure::because("the password cannot be read from standard input", error))?;
    let text = line.strip_suffix('\n').unwrap_or(&line);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::new("no password on standard input: give it as one line"));
    }
    Ok(Password::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_standard_input_is_the_password_without_its_end() {
        for (input, password) in [
            ("hunter2", "hunter2"),
            ("hunter2\n", "hunter2"),
            (" hunter2 \r\nmore\n", " hunter2 "),
        ] {
            let read = first_line(input.as_bytes()).expect("a password");
            assert_eq!(read.expose(), password);
        }
    }

    #[test]
    fn only_a_clear_yes_is_one() {
        for (answer, yes) in [
            ("y\n", true),
            ("yes\r\n", true),
            ("", false),
            ("\n", false),
            ("yesterday\n", false),
        ] {
            assert_eq!(says_yes(answer.as_bytes()).expect("an answer"), yes, "{answer:?}");
        }
    }

    #[test]
    fn no_line_and_foreign_bytes_are_refused() {
        for input in [b"".as_slice(), b"\n", b"\r\n", b"\xff\xfe\n"] {
            assert!(first_line(input).is_err(), "{input:?}");
        }
    }
}
