use chrono::{DateTime, Utc};
use domain::ports::Randomness;
use std::cell::Cell;
use uuid::{Builder, Uuid};

/// Ids for the requests that bring none: `UUIDv7` (RFC 9562, section 5.7).
///
/// They have to differ and need not be hard to guess, so that a worker draws random bits once and counts on from there (section
/// 6.2, method 2): to draw them anew for each takes as long as to find out who is calling.
pub struct RequestIds {
    prefix: [u8; 2],
    count: Cell<u64>,
}

impl RequestIds {
    /// Those of one worker.
    pub fn new(randomness: &dyn Randomness) -> Self {
        let [first, second, number @ ..] = randomness.bytes();
        Self {
            prefix: [first, second],
            count: Cell::new(number.first_chunk().copied().map_or(0, u64::from_be_bytes)),
        }
    }

    pub fn next(&self, now: DateTime<Utc>) -> Uuid {
        let count = self.count.get();
        self.count.set(count.wrapping_add(1));
        let mut random = [0; 10];
        let (prefix, number) = random.split_at_mut(self.prefix.len());
        prefix.copy_from_slice(&self.prefix);
        number.copy_from_slice(&count.to_be_bytes());
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Always the same bytes.
    struct Fixed(u8);

    impl Randomness for Fixed {
        fn bytes(&self) -> [u8; 32] {
            [self.0; 32]
        }
    }

    fn at(milli: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(milli).expect("a valid millisecond")
    }

    #[test]
    fn ids_are_uuids_of_their_time_and_differ_within_a_millisecond() {
        // The count runs over the top in between.
        for start in [0, 0x7f, 0xff] {
            let ids = RequestIds::new(&Fixed(start));
            let drawn: HashSet<Uuid> = (0..1_000).map(|_| ids.next(at(1_234))).collect();
            assert_eq!(drawn.len(), 1_000);
            for id in drawn {
                assert_eq!(id.get_version_num(), 7);
                assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
                let (seconds, nanos) = id.get_timestamp().expect("of version 7").to_unix();
                assert_eq!((seconds, nanos), (1, 234_000_000));
            }
        }
    }

    #[test]
    fn workers_that_drew_other_bits_count_elsewhere() {
        let one = RequestIds::new(&Fixed(1));
        let other = RequestIds::new(&Fixed(2));
        assert_ne!(one.next(at(0)), other.next(at(0)));
    }
}
