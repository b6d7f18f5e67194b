use std::time::Duration;

/// A period that one process relies on and another waits out, each by its own clock. The clocks may
/// run at slightly different rates, so the relying process stops a margin before the waiting
/// process continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    waited: Duration,
    trusted: Duration,
}

impl Span {
    /// Creates a span that is waited out for `waited` and relied on for `margin` less, at least
    /// zero.
    #[must_use]
    pub const fn new(waited: Duration, margin: Duration) -> Self {
        Self {
            waited,
            trusted: waited.saturating_sub(margin),
        }
    }

    /// Returns how long other processes wait for the span to end.
    #[must_use]
    pub const fn waited(self) -> Duration {
        self.waited
    }

    /// Returns the difference between the two durations.
    #[must_use]
    pub const fn margin(self) -> Duration {
        self.waited.saturating_sub(self.trusted)
    }

    /// Returns how long the process that owns the span may rely on it.
    #[must_use]
    pub const fn trusted(self) -> Duration {
        self.trusted
    }
}

/// The protocol's durations. All replicas and publishers of one database MUST use equal terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// How long a lease lasts after it was requested or renewed.
    pub lease: Span,
    /// How long a cached session snapshot may be served after its read began.
    pub snapshot: Span,
    /// The interval between renewals, and between retries after a failure.
    pub renew_every: Duration,
    /// The wait budget for acknowledgements. Replicas that exceed it are evicted.
    pub acknowledgement_budget: Duration,
    /// How long after its last request a replica stops renewing its lease.
    pub idle_after: Duration,
}

impl Terms {
    /// The service's terms. The margins allow for clocks whose rates differ by 5 %, far more than
    /// real clocks do.
    pub const STANDARD: Self = Self {
        lease: Span::new(Duration::from_secs(2), Duration::from_millis(100)),
        snapshot: Span::new(Duration::from_secs(30), Duration::from_millis(1500)),
        renew_every: Duration::from_millis(500),
        acknowledgement_budget: Duration::from_millis(200),
        idle_after: Duration::from_secs(5),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_never_trusted_for_longer_than_it_is_waited_out() {
        for span in [
            Terms::STANDARD.lease,
            Terms::STANDARD.snapshot,
            Span::new(Duration::from_secs(1), Duration::from_secs(2)),
        ] {
            assert!(span.trusted() < span.waited());
        }
    }

    #[test]
    fn a_lease_survives_a_failed_renewal() {
        let terms = Terms::STANDARD;
        assert!(terms.renew_every * 3 < terms.lease.trusted());
    }

    #[test]
    fn a_silent_replica_delays_a_revocation_by_less_than_two_and_a_half_seconds() {
        let terms = Terms::STANDARD;
        assert!(terms.acknowledgement_budget + terms.lease.waited() < Duration::from_millis(2500));
    }
}
