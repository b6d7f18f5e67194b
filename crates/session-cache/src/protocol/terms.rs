use std::time::Duration;

/// A time that one process counts on and another waits out, each by its own clock. The two may run at slightly different
/// rates, so the first gives up a little earlier than the second goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    waited: Duration,
    trusted: Duration,
}

impl Span {
    /// A span that is waited out for `waited` and counted on for `margin` less.
    #[must_use]
    pub const fn new(waited: Duration, margin: Duration) -> Self {
        Self {
            waited,
            trusted: waited.saturating_sub(margin),
        }
    }

    /// How long others wait for it to be over.
    #[must_use]
    pub const fn waited(self) -> Duration {
        self.waited
    }

    /// How long it may be counted on.
    #[must_use]
    pub const fn trusted(self) -> Duration {
        self.trusted
    }
}

/// The protocol's times. All replicas and revokers of one database MUST have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// How long a lease lasts after it was asked for or renewed.
    pub lease: Span,
    /// How long a view is answered from memory after its read began.
    pub snapshot: Span,
    /// How long after one renewal comes the next, and after a failure the next attempt.
    pub renew_every: Duration,
    /// How long holders have for their acknowledgements before they are evicted.
    pub patience: Duration,
    /// A replica that was asked for nothing for so long lets its lease run out.
    pub idle_after: Duration,
}

impl Terms {
    /// What the service uses. The margins bear clocks whose rates differ by 5 %, hundreds of times what clocks do.
    pub const STANDARD: Self = Self {
        lease: Span::new(Duration::from_secs(2), Duration::from_millis(100)),
        snapshot: Span::new(Duration::from_secs(30), Duration::from_millis(1500)),
        renew_every: Duration::from_millis(500),
        patience: Duration::from_millis(200),
        idle_after: Duration::from_secs(5),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_counted_on_for_longer_than_it_is_waited_out() {
        for span in [
            Terms::STANDARD.lease,
            Terms::STANDARD.snapshot,
            Span::new(Duration::from_secs(1), Duration::from_secs(2)),
        ] {
            assert!(span.trusted() < span.waited());
        }
    }

    #[test]
    fn a_lease_outlives_a_renewal_that_fails() {
        let terms = Terms::STANDARD;
        assert!(terms.renew_every * 3 < terms.lease.trusted());
    }

    #[test]
    fn a_revocation_that_meets_a_silent_replica_takes_less_than_two_and_a_half_seconds() {
        let terms = Terms::STANDARD;
        assert!(terms.patience + terms.lease.waited() < Duration::from_millis(2500));
    }
}
