//! `.env` files. Values are literal: `$name` and backslashes have no meaning.
//!
//! A line is blank, a comment that begins with `#`, or `NAME=value`, optionally after `export`. A
//! value ends before white space unless it is quoted with `'` or `"`; a comment may follow after
//! white space.

use crate::byte_order_mark::without_mark;
use thiserror::Error;
use zeroize::Zeroizing;

/// A line that is not valid. Contains no value, which may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The line number, starting at 1.
    pub number: usize,
    /// The name of the variable, if it is valid.
    pub name: Option<String>,
    pub cause: LineRefused,
}

/// Why a line is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LineRefused {
    #[error("it is not UTF-8; save the file as UTF-8")]
    NotUtf8,
    #[error("it is not NAME=value")]
    NoAssignment,
    #[error("it has text after the value; quote a value that contains spaces")]
    TextAfterValue,
    #[error("the closing quote is missing")]
    QuoteNotClosed,
}

/// A variable, with its value.
pub type Variable = (String, Zeroizing<String>);

/// Parses `file` and returns the variables whose names begin with `prefix`, in their order. Values
/// of other variables are not checked.
pub fn variables<'a>(file: &'a [u8], prefix: &'a str) -> impl Iterator<Item = Result<Variable, BadLine>> {
    let lines = without_mark(file).split(|byte| *byte == b'\n');
    lines.enumerate().filter_map(move |(index, line)| {
        let number = index + 1;
        match str::from_utf8(line) {
            Ok(line) => variable(number, line, prefix).transpose(),
            Err(_) => Some(Err(bad(number, None, LineRefused::NotUtf8))),
        }
    })
}

fn bad(number: usize, name: Option<&str>, cause: LineRefused) -> BadLine {
    BadLine {
        number,
        name: name.map(str::to_owned),
        cause,
    }
}

fn variable(number: usize, line: &str, prefix: &str) -> Result<Option<Variable>, BadLine> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let assignment = line
        .split_once('=')
        .map(|(name, rest)| (without_export(name), rest));
    let Some((name, rest)) = assignment.filter(|(name, _)| is_name(name)) else {
        return Err(bad(number, None, LineRefused::NoAssignment));
    };
    if !name.starts_with(prefix) {
        return Ok(None);
    }
    let value = value(rest).map_err(|cause| bad(number, Some(name), cause))?;
    Ok(Some((name.to_owned(), Zeroizing::new(value.to_owned()))))
}

fn without_export(name: &str) -> &str {
    let name = name.trim();
    match name.strip_prefix("export") {
        Some(rest) if rest.starts_with(char::is_whitespace) => rest.trim_start(),
        _ => name,
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
}

/// Returns the value in `rest`, the text after the equals sign.
fn value(rest: &str) -> Result<&str, LineRefused> {
    let text = rest.trim_start();
    let (value, after) = match text.chars().next() {
        Some(quote @ ('\'' | '"')) => text
            .split_at(1)
            .1
            .split_once(quote)
            .ok_or(LineRefused::QuoteNotClosed)?,
        // `NAME= # comment`, in contrast to a value that begins with `#`.
        Some('#') if text.len() < rest.len() => ("", ""),
        _ => text.split_at(text.find(char::is_whitespace).unwrap_or(text.len())),
    };
    let is_comment = after.starts_with(char::is_whitespace) && after.trim_start().starts_with('#');
    if after.is_empty() || is_comment {
        Ok(value)
    } else {
        Err(LineRefused::TextAfterValue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &[u8]) -> Result<Vec<(String, String)>, BadLine> {
        variables(file, "A_")
            .map(|line| line.map(|(name, value)| (name, String::clone(&value))))
            .collect()
    }

    #[test]
    fn values_are_literal() {
        for (written, value) in [
            ("", ""),
            ("plain", "plain"),
            ("Xk9$Treasure-77", "Xk9$Treasure-77"),
            ("${HOME}$$", "${HOME}$$"),
            ("'Xk9$Treasure-77'", "Xk9$Treasure-77"),
            ("\"Xk9$Treasure-77\"", "Xk9$Treasure-77"),
            (r"C:\new\table", r"C:\new\table"),
            (r#""C:\new\table\""#, r"C:\new\table\"),
            (r"'a\nb'", r"a\nb"),
            ("a'b\"c", "a'b\"c"),
            ("'say \"hi\"'", "say \"hi\""),
            ("\"it's\"", "it's"),
            ("' both spaces '", " both spaces "),
            ("  after-spaces  ", "after-spaces"),
            ("a#b", "a#b"),
            ("#not-a-comment", "#not-a-comment"),
            (" # a comment", ""),
            ("value # a comment", "value"),
            ("'a # b' # a comment", "a # b"),
            ("a=b==", "a=b=="),
            ("пароль", "пароль"),
            ("''", ""),
        ] {
            let line = format!("A_X={written}\n");
            assert_eq!(
                read(line.as_bytes()),
                Ok(vec![("A_X".to_owned(), value.to_owned())]),
                "{line}"
            );
        }
    }

    #[test]
    fn blank_lines_comments_line_endings_and_other_variables_are_skipped() {
        let file =
            b"\xef\xbb\xbfA_ONE=1\r\n\r\n  # A_NO=1\r\n\texport A_TWO = '2' \r\nOTHER=two words\nA_THREE=3";
        let expected = [("A_ONE", "1"), ("A_TWO", "2"), ("A_THREE", "3")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(file), Ok(expected.to_vec()));
        assert_eq!(read(b"export=1\nexported=1\n"), Ok(Vec::new()));
    }

    #[test]
    fn an_invalid_line_is_reported_with_its_number_and_name() {
        for (line, name, cause) in [
            ("A_X", None, LineRefused::NoAssignment),
            ("=1", None, LineRefused::NoAssignment),
            ("A X=1", None, LineRefused::NoAssignment),
            ("A-X=1", None, LineRefused::NoAssignment),
            ("1A=1", None, LineRefused::NoAssignment),
            ("A_X: 1", None, LineRefused::NoAssignment),
            ("A_X=two words", Some("A_X"), LineRefused::TextAfterValue),
            ("A_X='it's'", Some("A_X"), LineRefused::TextAfterValue),
            ("A_X='a'#b", Some("A_X"), LineRefused::TextAfterValue),
            (r#"A_X="a\"b""#, Some("A_X"), LineRefused::TextAfterValue),
            ("A_X='open", Some("A_X"), LineRefused::QuoteNotClosed),
            ("A_X=\"", Some("A_X"), LineRefused::QuoteNotClosed),
        ] {
            let file = format!("# first\n\n{line}\nA_Y=1\n");
            assert_eq!(read(file.as_bytes()), Err(bad(3, name, cause)), "{line}");
        }
        assert_eq!(
            read(b"A_Y=1\nA_X=caf\xe9\n"),
            Err(bad(2, None, LineRefused::NotUtf8))
        );
        let all: Vec<_> = variables(b"A_X='\nA_Y=1\nA_Z\n", "A_").collect();
        assert_eq!(all.iter().filter(|line| line.is_err()).count(), 2);
    }
}
