//! The byte order mark (U+FEFF in UTF-8) that some editors put at the start of a text file. It is
//! not part of the text.

const MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns `text` without a byte order mark at its start.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// Returns `text` without a byte order mark at its start.
pub fn without_mark_in(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mark_at_the_start_is_removed() {
        for (text, rest) in [
            ("", ""),
            ("a", "a"),
            ("\u{feff}a", "a"),
            ("a\u{feff}", "a\u{feff}"),
            ("\u{feff}", ""),
        ] {
            assert_eq!(without_mark_in(text), rest);
            assert_eq!(without_mark(text.as_bytes()), rest.as_bytes());
        }
    }
}
