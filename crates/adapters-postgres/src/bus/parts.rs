//! Messages as the texts of notifications.
//!
//! Postgres accepts texts below 8,000 bytes, without the byte zero. A message is encoded in base64
//! and split into parts, which one transaction sends: they arrive together and in order, and no
//! other notification between them.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

/// Maximum number of bytes of a message in one part: 7,867 characters, and the head has at most 27.
const MAX_BYTES: usize = 5_900;
/// Maximum number of parts of a message, for more than the 64 KiB that the port requires.
const MAX_PARTS: usize = 16;

/// Returns the parts of a message, or `None` if it is too long. Each part is
/// `NUMBER/INDEX/COUNT/BASE64`. Messages of one transaction MUST have different numbers, because
/// Postgres delivers equal texts of a transaction once.
pub fn split(number: u64, message: &[u8]) -> Option<Vec<String>> {
    let mut chunks: Vec<&[u8]> = message.chunks(MAX_BYTES).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    let count = chunks.len();
    if count > MAX_PARTS {
        return None;
    }
    let parts = chunks.into_iter().enumerate().map(|(index, bytes)| {
        let text = STANDARD_NO_PAD.encode(bytes);
        format!("{number}/{index}/{count}/{text}")
    });
    Some(parts.collect())
}

/// Joins the parts that arrive on one connection.
#[derive(Default)]
pub struct Joiner(Option<Incomplete>);

/// A message of which more parts follow.
struct Incomplete {
    number: u64,
    next_index: usize,
    count: usize,
    bytes: Vec<u8>,
}

impl Joiner {
    /// Adds the text of a notification, and returns the message that it completes. Other texts,
    /// such as probes, are ignored.
    pub fn add(&mut self, text: &str) -> Option<Vec<u8>> {
        let part = Part::parse(text)?;
        let mut message = match self.0.take() {
            Some(begun) if begun.continues_with(&part) => begun,
            _ if part.index == 0 => Incomplete {
                number: part.number,
                next_index: 0,
                count: part.count,
                bytes: Vec::new(),
            },
            // Its predecessors are lost, so the message is lost.
            _ => return None,
        };
        message.bytes.extend(part.bytes);
        message.next_index += 1;
        if message.next_index == message.count {
            return Some(message.bytes);
        }
        self.0 = Some(message);
        None
    }
}

impl Incomplete {
    fn continues_with(&self, part: &Part) -> bool {
        (self.number, self.next_index, self.count) == (part.number, part.index, part.count)
    }
}

struct Part {
    number: u64,
    index: usize,
    count: usize,
    bytes: Vec<u8>,
}

impl Part {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(4, '/');
        let part = Self {
            number: fields.next()?.parse().ok()?,
            index: fields.next()?.parse().ok()?,
            count: fields.next()?.parse().ok()?,
            bytes: STANDARD_NO_PAD.decode(fields.next()?).ok()?,
        };
        (part.index < part.count && part.count <= MAX_PARTS).then_some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONGEST: usize = MAX_BYTES * MAX_PARTS;

    fn joined(texts: &[String]) -> Vec<Vec<u8>> {
        let mut joiner = Joiner::default();
        texts.iter().filter_map(|text| joiner.add(text)).collect()
    }

    #[test]
    fn messages_of_every_length_are_split_into_texts_that_postgres_accepts() {
        for length in [0, 1, 43, MAX_BYTES, MAX_BYTES + 1, 65_536, LONGEST] {
            let message = vec![0xff; length];
            let texts = split(u64::MAX, &message).expect("the message is short enough");
            assert!(
                texts
                    .iter()
                    .all(|text| text.len() < 8_000 && !text.contains('\0'))
            );
            assert_eq!(joined(&texts), [message], "{length}");
        }
        assert_eq!(split(0, &vec![0; LONGEST + 1]), None);
    }

    #[test]
    fn equal_messages_and_equal_parts_have_different_texts() {
        let message = vec![7; 3 * MAX_BYTES];
        let mut texts = split(1, &message).expect("the message is short enough");
        texts.extend(split(2, &message).expect("the message is short enough"));
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), 6);
    }

    #[test]
    fn a_message_with_a_missing_part_is_lost_and_the_next_one_is_not() {
        let (long, short) = (vec![1; 3 * MAX_BYTES], vec![2]);
        for missing in 0..3 {
            let mut texts = split(1, &long).expect("the message is short enough");
            texts.remove(missing);
            texts.extend(split(2, &short).expect("the message is short enough"));
            texts.extend(split(3, &long).expect("the message is short enough"));
            assert_eq!(joined(&texts), [short.clone(), long.clone()], "{missing}");
        }
    }

    #[test]
    fn other_texts_are_ignored_even_within_a_message() {
        let message = vec![3; 2 * MAX_BYTES];
        let texts = split(1, &message).expect("the message is short enough");
        for other in [
            "", "probe/17", "1/1/2", "1/2/2/", "1/0/17/", "1/0/1/*", "-1/0/1/", "🦀",
        ] {
            let texts = [&texts[..1], &[other.to_owned()], &texts[1..]].concat();
            assert_eq!(joined(&texts), std::slice::from_ref(&message), "{other}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_texts_never_panic(texts in proptest::collection::vec(".{0,20}", 0..20)) {
            joined(&texts);
        }
    }
}
