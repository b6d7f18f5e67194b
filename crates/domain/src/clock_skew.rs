//! The difference between the clocks of a replica and of the database.

use chrono::{DateTime, Duration, Utc};

/// The difference between two clocks, as far as it can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSkew {
    /// How far this process's clock is ahead of the database's; negative if it is behind.
    pub ahead: Duration,
    /// By how much `ahead` may be wrong.
    pub uncertainty: Duration,
}

impl ClockSkew {
    /// Compares the database's time with the middle of the request for it, since nothing shows when
    /// within the request the database read its clock. `asked` and `answered` are times of this
    /// process's clock.
    #[must_use]
    pub fn measured(asked: DateTime<Utc>, database: DateTime<Utc>, answered: DateTime<Utc>) -> Self {
        let half = (answered - asked) / 2;
        Self {
            ahead: asked + half - database,
            uncertainty: half.abs(),
        }
    }

    /// Returns whether the clocks differ by more than `limit`, however long the request took.
    #[must_use]
    pub fn certainly_exceeds(self, limit: Duration) -> bool {
        self.ahead.abs() > limit + self.uncertainty
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_000_000 + millis).expect("a valid instant")
    }

    fn measured(asked: i64, database: i64, answered: i64) -> ClockSkew {
        ClockSkew::measured(at(asked), at(database), at(answered))
    }

    #[test]
    fn the_round_trip_is_subtracted() {
        for (asked, database, answered, ahead, uncertainty) in [
            (0, 0, 0, 0, 0),
            (0, 400, 800, 0, 400),
            (0, 0, 800, 400, 400),
            (0, 800, 800, -400, 400),
            (60_000, 5, 60_010, 60_000, 5),
            (0, 60_005, 10, -60_000, 5),
            // The clock was set back during the request.
            (10_000, 0, 0, 5_000, 5_000),
        ] {
            let expected = ClockSkew {
                ahead: Duration::milliseconds(ahead),
                uncertainty: Duration::milliseconds(uncertainty),
            };
            assert_eq!(
                measured(asked, database, answered),
                expected,
                "{asked} {database} {answered}"
            );
        }
    }

    #[test]
    fn only_a_difference_beyond_the_limit_and_the_uncertainty_exceeds_it() {
        let limit = Duration::seconds(5);
        for (asked, database, answered, exceeds) in [
            (0, 0, 0, false),
            (0, 5_000, 0, false),
            (0, 5_001, 0, true),
            (5_000, 0, 5_000, false),
            (5_001, 0, 5_001, true),
            (0, 5_800, 800, false),
            (0, 5_801, 800, true),
            (86_400_000, 0, 0, false),
        ] {
            let skew = measured(asked, database, answered);
            assert_eq!(
                skew.certainly_exceeds(limit),
                exceeds,
                "{asked} {database} {answered}"
            );
        }
    }

    proptest! {
        #[test]
        fn synchronised_clocks_never_exceed_a_limit_however_slow_the_request(
            asked in 0i64..1_000_000,
            until_read in 0i64..100_000,
            until_answered in 0i64..100_000,
        ) {
            let read = asked + until_read;
            let skew = measured(asked, read, read + until_answered);
            prop_assert!(!skew.certainly_exceeds(Duration::zero()));
        }
    }
}
