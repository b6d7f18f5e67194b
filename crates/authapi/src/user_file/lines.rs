use super::Refusal;
use std::io::{self, BufRead};

/// The most bytes of a line: more than any user needs.
const MAX_LINE: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of a file, one at a time, however long they are.
pub struct Lines<R> {
    input: R,
    number: u64,
    position: u64,
    line: Vec<u8>,
}

/// A line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// 1 for the first.
    pub number: u64,
    /// How many bytes have been read with it.
    pub position: u64,
    pub text: Result<&'a str, Refusal>,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            position: 0,
            line: Vec::new(),
        }
    }

    /// The next line that is not blank.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let is_whole = loop {
            let Some(is_whole) = self.read()? else {
                return Ok(None);
            };
            if !self.line.trim_ascii().is_empty() {
                break is_whole;
            }
        };
        Ok(Some(Line {
            number: self.number,
            position: self.position,
            text: if is_whole {
                str::from_utf8(&self.line).map_err(|_| Refusal::NOT_UTF8)
            } else {
                Err(Refusal::LINE_TOO_LONG)
            },
        }))
    }

    /// Whether the next line was read whole, if there is one. What is too long is left out, not held.
    fn read(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        let most = MAX_LINE as u64 + 1;
        let read = io::Read::take(&mut self.input, most).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.position += read as u64;
        let is_whole = self.line.ends_with(b"\n") || read <= MAX_LINE;
        if !is_whole {
            self.position += self.input.skip_until(b'\n')? as u64;
        }
        self.tidy();
        Ok(Some(is_whole))
    }

    fn tidy(&mut self) {
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
        while let Some(line) = lines.next().expect("memory can be read") {
            read.push((line.number, line.text.map(ToOwned::to_owned)));
        }
        assert_eq!(lines.position, input.len() as u64);
        read
    }

    #[test]
    fn lines_are_numbered_and_lose_their_ends() {
        let read = lines(b"\xef\xbb\xbfone\r\n\n  \ntwo\nthree");
        let expected = [(1, "one"), (4, "two"), (5, "three")];
        assert_eq!(read, expected.map(|(number, text)| (number, Ok(text.to_owned()))));
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn a_line_that_is_too_long_or_not_utf_8_is_refused_and_the_next_is_read() {
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
    fn a_last_line_without_an_end_may_be_as_long_as_any() {
        let longest = "x".repeat(MAX_LINE);
        assert!(lines(longest.as_bytes())[0].1.is_ok());
        assert!(lines(format!("{longest}x").as_bytes())[0].1.is_err());
    }
}
