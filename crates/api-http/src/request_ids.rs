use chrono::{DateTime, Utc};
use domain::ports::Randomness;
use std::{cell::Cell, sync::Arc};
use uuid::{Builder, Uuid};

/// Generates ids for requests without one: `UUIDv7` (RFC 9562, section 5.7).
///
/// Drawing random bits for each id would take as long as authenticating the caller. A worker draws
/// them once per millisecond and increments them within it (section 6.2, method 2). An id reveals
/// nothing about ids of another millisecond.
pub struct RequestIds {
    randomness: Arc<dyn Randomness>,
    last: Cell<Drawn>,
}

/// The state of the current millisecond.
#[derive(Clone, Copy)]
struct Drawn {
    milli: i64,
    prefix: [u8; 2],
    count: u64,
}

impl RequestIds {
    /// Creates the generator of one worker.
    pub fn new(randomness: Arc<dyn Randomness>) -> Self {
        // Begin in the past, so that the first id draws random bits.
        let last = Cell::new(Drawn::at(i64::MIN, &*randomness));
        Self { randomness, last }
    }

    /// Returns the next id, for a request that begins at `now`.
    pub fn next(&self, now: DateTime<Utc>) -> Uuid {
        let milli = now.timestamp_millis();
        let last = self.last.get();
        let drawn = if last.milli == milli {
            Drawn {
                count: last.count.wrapping_add(1),
                ..last
            }
        } else {
            Drawn::at(milli, &*self.randomness)
        };
        self.last.set(drawn);
        drawn.id()
    }
}

impl Drawn {
    fn at(milli: i64, randomness: &dyn Randomness) -> Self {
        let [first, second, number @ ..] = randomness.bytes();
        Self {
            milli,
            prefix: [first, second],
            count: number.first_chunk().copied().map_or(0, u64::from_be_bytes),
        }
    }

    fn id(self) -> Uuid {
        let mut random = [0; 10];
        let (prefix, number) = random.split_at_mut(self.prefix.len());
        prefix.copy_from_slice(&self.prefix);
        number.copy_from_slice(&self.count.to_be_bytes());
        Builder::from_unix_timestamp_millis(u64::try_from(self.milli).unwrap_or_default(), &random)
            .into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        collections::HashSet,
        sync::atomic::{AtomicU8, Ordering},
    };

    /// Randomness whose bytes are equal within a call and differ between calls.
    struct Next(AtomicU8);

    impl Randomness for Next {
        fn bytes(&self) -> [u8; 32] {
            [self.0.fetch_add(1, Ordering::Relaxed); 32]
        }
    }

    fn ids(first: u8) -> RequestIds {
        RequestIds::new(Arc::new(Next(AtomicU8::new(first))))
    }

    fn at(milli: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(milli).expect("the time is in range")
    }

    #[test]
    fn ids_are_uuids_of_their_time_and_differ_within_a_millisecond() {
        // The counter overflows in between.
        for first in [0, 0x7f, 0xfe] {
            let ids = ids(first);
            let drawn: HashSet<Uuid> = (0..1_000).map(|_| ids.next(at(1_234))).collect();
            assert_eq!(drawn.len(), 1_000);
            for id in drawn {
                assert_eq!(id.get_version_num(), 7);
                assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
                let (seconds, nanos) = id.get_timestamp().expect("the id is a version 7 UUID").to_unix();
                assert_eq!((seconds, nanos), (1, 234_000_000));
            }
        }
    }

    #[test]
    fn an_id_reveals_nothing_about_later_milliseconds() {
        let ids = ids(1);
        let random = |id: Uuid| id.as_u128() << 64;
        let (one, next) = (ids.next(at(1)), ids.next(at(1)));
        assert_eq!(random(next) - random(one), 1 << 64);
        let later = ids.next(at(2));
        assert!(random(later).abs_diff(random(next)) > 1 << 72);
    }

    #[test]
    fn workers_with_different_bits_use_different_ids() {
        assert_ne!(ids(1).next(at(0)), ids(2).next(at(0)));
    }
}
