//! Pagination: page size and cursor.

use crate::problem::{FieldCode, Problem};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;

/// The maximum number of entries of a page.
#[derive(Clone, Copy, Debug)]
pub struct Limit(u32);

impl Limit {
    /// Parses the requested limit; 20 by default.
    pub fn parse(asked: Option<u32>) -> Result<Self, Problem> {
        match asked.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(Self(limit)),
            _ => Err(Problem::field_refused(
                "limit",
                FieldCode::OutOfRange,
                format!("the limit must be between 1 and {MAX_LIMIT}"),
            )),
        }
    }

    /// Returns the limit.
    pub fn get(self) -> u32 {
        self.0
    }

    /// One more than the limit. The extra entry shows that there is another page.
    pub fn and_one(self) -> u32 {
        self.0 + 1
    }

    /// Truncates `entries` to the page and returns the cursor of the next page, if there is one.
    /// `key` identifies the entry after which the next page begins.
    pub fn cut<T>(self, entries: &mut Vec<T>, key: impl Fn(&T) -> String) -> Option<String> {
        let length = usize::try_from(self.0).expect("a limit is at most 100");
        let is_more = entries.len() > length;
        entries.truncate(length);
        let last = entries.last().filter(|_| is_more)?;
        Some(cursor(&key(last)))
    }
}

/// Returns the cursor of the page that begins after the entry with `key`.
pub fn cursor(key: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(key)
}

/// Parses the cursor of a page with `parse`, which reads the key of the last entry.
pub fn position<T>(cursor: Option<&str>, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    let key = BASE64_URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|key| String::from_utf8(key).ok());
    match key.and_then(|key| parse(&key)) {
        Some(position) => Ok(Some(position)),
        None => Err(Problem::field_refused(
            "cursor",
            FieldCode::InvalidCursor,
            "the cursor is not a next_cursor of this list".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_1_to_100_entries_and_20_by_default() {
        let limit = |asked| {
            Limit::parse(asked)
                .map(|limit| limit.0)
                .map_err(|problem| problem.code())
        };
        assert_eq!(limit(None), Ok(20));
        assert_eq!((limit(Some(1)), limit(Some(100))), (Ok(1), Ok(100)));
        for asked in [0, 101, u32::MAX] {
            assert_eq!(limit(Some(asked)), Err("validation_failed"), "{asked}");
        }
    }

    #[test]
    fn a_cursor_continues_after_the_page_and_the_last_page_has_none() {
        let limit = Limit(2);
        let mut entries = vec![1, 2, 3];
        let cursor = limit.cut(&mut entries, ToString::to_string);
        assert_eq!(entries, [1, 2]);
        let position = |cursor: Option<&str>| position(cursor, |key| key.parse::<i32>().ok());
        assert_eq!(position(cursor.as_deref()).ok(), Some(Some(2)));
        assert_eq!(position(None).ok(), Some(None));

        assert_eq!(limit.cut(&mut vec![1, 2], ToString::to_string), None);
        assert_eq!(limit.cut(&mut Vec::<i32>::new(), ToString::to_string), None);
        for foreign in ["", "x", "Mg==", "not base64!", "_w", "YWJj"] {
            assert!(position(Some(foreign)).is_err(), "{foreign}");
        }
    }
}
