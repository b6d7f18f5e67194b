//! Step-up authentication (RFC 9470): changes for which an access token is not enough unless the
//! password was checked recently.

use chrono::{DateTime, Duration, Utc};

/// Whether a caller's password was checked recently enough for changes that require it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepUp {
    /// The token was issued after a check of the password that is recent enough.
    Recent,
    /// The password must be checked again. A check suffices for `max_age`.
    Required { max_age: Duration },
}

impl StepUp {
    /// How long a check of the password suffices by default.
    pub const DEFAULT_MAX_AGE: Duration = Duration::minutes(15);

    /// Returns whether a token with the claim `auth_time`, in seconds since the Unix epoch, is
    /// sufficient at `now`. A check that is exactly `max_age` old suffices (RFC 9470, section 4).
    ///
    /// A token without the claim, which an earlier version of the service issued, is never
    /// sufficient.
    #[must_use]
    pub fn at(now: DateTime<Utc>, auth_time: Option<i64>, max_age: Duration) -> Self {
        let age = auth_time.map(|checked| now.timestamp().saturating_sub(checked));
        if age.is_some_and(|age| age <= max_age.num_seconds()) {
            Self::Recent
        } else {
            Self::Required { max_age }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_of_the_password_suffices_until_it_is_older_than_the_maximum() {
        let (now, max_age) = (
            DateTime::from_timestamp(10_000, 999_000_000),
            Duration::minutes(1),
        );
        for (auth_time, is_recent) in [
            (Some(9_939), false),
            (Some(9_940), true),
            (Some(10_000), true),
            // The clock of the replica that issued the token is ahead.
            (Some(10_005), true),
            (Some(0), false),
            (Some(i64::MIN), false),
            (None, false),
        ] {
            let expected = if is_recent {
                StepUp::Recent
            } else {
                StepUp::Required { max_age }
            };
            let now = now.expect("chrono represents the second");
            assert_eq!(StepUp::at(now, auth_time, max_age), expected, "{auth_time:?}");
        }
    }
}
