use super::Refusal;
use std::io::{self, BufRead};

/// Maximum length of a line, in bytes.
const MAX_LINE: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Iterates over the lines of a file. Overlong lines are skipped, so memory use is bounded.
pub struct Lines<R> {
    input: R,
    number: u64,
    position: u64,
    line: Vec<u8>,
}

/// A line without its line ending.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line number, starting at 1.
    pub number: u64,
    /// The number of bytes read so far, including this line.
    pub position: u64,
    pub text: Result<&'a str, Refusal>,
    /// The line as read; of an overlong line only its start.
    pub bytes: &'a [u8],
}

impl<R: BufRead> Lines<R> {
    /// Creates an iterator over the lines of `input`.
    pub fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            position: 0,
            line: Vec::new(),
        }
    }

    /// Returns the next line that is not blank.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        let is_complete = loop {
            let Some(is_complete) = self.read()? else {
                return Ok(None);
            };
            if !self.line.trim_ascii().is_empty() {
                break is_complete;
            }
        };
        Ok(Some(Line {
            number: self.number,
            position: self.position,
            text: if is_complete {
                str::from_utf8(&self.line).map_err(|_| Refusal::NOT_UTF8)
            } else {
                Err(Refusal::LINE_TOO_LONG)
            },
            bytes: &self.line,
        }))
    }

    /// Reads the next line, and returns whether it was read completely; `None` at the end of the
    /// file. The rest of an overlong line is skipped.
    fn read(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        let most = MAX_LINE as u64 + 1;
        let read = io::Read::take(&mut self.input, most).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.position += read as u64;
        let is_complete = self.line.ends_with(b"\n") || read <= MAX_LINE;
        if !is_complete {
            self.position += self.input.skip_until(b'\n')? as u64;
        }
        self.trim();
        Ok(Some(is_complete))
    }

    fn trim(&mut self) {
        for end in [b'\n', b'\r'] {
            if self.line.last() == Some(&end) {
                self.line.pop();
            }
        }
        if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
            self.line.drain(..BYTE_ORDER_MARK.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<(u64, Result<String, Refusal>)> {
        let mut lines = Lines::new(input);
        let mut read = Vec::new();
        while let Some(line) = lines.next_line().expect("memory can be read") {
            read.push((line.number, line.text.map(ToOwned::to_owned)));
        }
        assert_eq!(lines.position, input.len() as u64);
        read
    }

    #[test]
    fn lines_are_numbered_and_their_endings_removed() {
        let read = lines(b"\xef\xbb\xbfone\r\n\n  \ntwo\nthree");
        let expected = [(1, "one"), (4, "two"), (5, "three")];
        assert_eq!(read, expected.map(|(number, text)| (number, Ok(text.to_owned()))));
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn an_overlong_or_non_utf_8_line_is_refused_and_reading_continues() {
        let longest = "x".repeat(MAX_LINE);
        let mut input = format!("{longest}\n{longest}x\n{longest}{longest}{longest}\n").into_bytes();
        input.extend(b"caf\xe9\nlast\n");
        let read: Vec<_> = lines(&input)
            .into_iter()
            .map(|(number, text)| (number, text.map(|text| text.len())))
            .collect();
        let expected = [
            (1, Ok(MAX_LINE)),
            (2, Err(Refusal::LINE_TOO_LONG)),
            (3, Err(Refusal::LINE_TOO_LONG)),
            (4, Err(Refusal::NOT_UTF8)),
            (5, Ok(4)),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_last_line_without_a_line_feed_has_the_usual_limit() {
        let longest = "x".repeat(MAX_LINE);
        assert!(lines(longest.as_bytes())[0].1.is_ok());
        assert!(lines(format!("{longest}x").as_bytes())[0].1.is_err());
    }
}
