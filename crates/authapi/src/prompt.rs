//! Reads passwords from the terminal or from standard input. Passwords in arguments are not
//! supported, because other users of the machine could read them.

use crate::{Failure, byte_order_mark::without_mark_in, terminal};
use domain::password::Password;
use std::io::{BufRead, Error, ErrorKind, IsTerminal, Write, stderr, stdin};
use zeroize::Zeroizing;

/// Maximum length of the input, in bytes; more than a password of 256 characters needs.
const MAX_BYTES: u64 = 4096;

/// Reads a new password: twice from the terminal without echo, or one line of standard input.
///
/// MUST be called inside a multi-thread tokio runtime.
pub fn new_password() -> Result<Password, Failure> {
    if !stdin().is_terminal() {
        return first_line(stdin().lock());
    }
    terminal::restore_on_signal().map_err(unusable)?;
    let password = ask("Password: ")?;
    let again = ask("Repeat password: ")?;
    if password == again {
        Ok(Password::new(String::clone(&password)))
    } else {
        Err(Failure::new("the passwords differ; try again"))
    }
}

/// Reads a password that is only checked: once from the terminal without echo, or one line of
/// standard input.
///
/// MUST be called inside a multi-thread tokio runtime.
pub fn password() -> Result<Password, Failure> {
    if !stdin().is_terminal() {
        return first_line(stdin().lock());
    }
    terminal::restore_on_signal().map_err(unusable)?;
    Ok(Password::new(String::clone(&*ask("Password: ")?)))
}

/// Asks `question` on the terminal and returns whether the answer is yes.
///
/// # Errors
/// If standard input is not a terminal.
pub fn confirmed(question: &str) -> Result<bool, Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::Usage("there is no terminal to confirm on; pass --yes"));
    }
    let unreadable = |error| Failure::because("the terminal cannot be read", error);
    write!(stderr(), "{question} [y/N] ").map_err(unreadable)?;
    read_yes(stdin().lock()).map_err(unreadable)
}

fn read_yes(input: impl BufRead) -> Result<bool, Error> {
    let mut answer = String::new();
    input.take(MAX_BYTES).read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn unusable(error: Error) -> Failure {
    Failure::because("the terminal cannot be used", error)
}

fn ask(question: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(question)
        .map(Zeroizing::new)
        .map_err(|error| match error.kind() {
            ErrorKind::Interrupted => Failure::Interrupted,
            _ => Failure::because("the password cannot be read from the terminal", error),
        })
}

fn first_line(input: impl BufRead) -> Result<Password, Failure> {
    let mut line = Zeroizing::new(String::with_capacity(256));
    input
        .take(MAX_BYTES)
        .read_line(&mut line)
        .map_err(|error| Failure::because("the password cannot be read from standard input", error))?;
    let text = without_mark_in(&line);
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::new(
            "standard input contains no password; pass it as one line",
        ));
    }
    Ok(Password::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_first_line_without_its_line_ending() {
        for (input, password) in [
            ("hunter2", "hunter2"),
            ("hunter2\n", "hunter2"),
            (" hunter2 \r\nmore\n", " hunter2 "),
            ("\u{feff}hunter2\n", "hunter2"),
        ] {
            let read = first_line(input.as_bytes()).expect("the line is a password");
            assert_eq!(read.expose(), password);
        }
    }

    #[test]
    fn only_y_and_yes_confirm() {
        for (answer, yes) in [
            ("y\n", true),
            ("yes\r\n", true),
            ("", false),
            ("\n", false),
            ("yesterday\n", false),
        ] {
            assert_eq!(
                read_yes(answer.as_bytes()).expect("the answer can be read"),
                yes,
                "{answer:?}"
            );
        }
    }

    #[test]
    fn an_empty_or_non_utf_8_line_is_refused() {
        for input in [b"".as_slice(), b"\n", b"\r\n", b"\xef\xbb\xbf\n", b"\xff\xfe\n"] {
            assert!(first_line(input).is_err(), "{input:?}");
        }
    }
}
