//! Watches how long audit events stay pending.

use adapters_postgres::OldestPending;
use metrics::{describe_gauge, gauge};
use std::time::Duration;
use tokio::time::Instant;

const PENDING: &str = "authapi_audit_pending_seconds";
/// Events are sealed within about a second. Until then, another program can delete them unnoticed.
const LATE: Duration = Duration::from_secs(10);

/// The oldest pending event, as it was seen last.
#[derive(Default)]
pub struct PendingWatch {
    /// Its number, and when it was first seen.
    oldest: Option<(i64, Instant)>,
    is_late: bool,
}

impl PendingWatch {
    /// Describes the metric.
    pub fn describe() {
        describe_gauge!(
            PENDING,
            "Age in seconds of the oldest audit event that is not sealed."
        );
        gauge!(PENDING).set(0);
    }

    /// Records the oldest pending event, and logs once if it is pending for too long, whatever the
    /// reason.
    pub fn observe(&mut self, oldest: Option<OldestPending>) {
        let age = self.age(oldest, Instant::now());
        gauge!(PENDING).set(age.as_secs_f64());
        let was_late = std::mem::replace(&mut self.is_late, age > LATE);
        if self.is_late && !was_late {
            tracing::warn!(
                seconds = age.as_secs(),
                "audit events stay pending, where another program can delete them unnoticed; look for a transaction that \
                 holds the row of audit_chain"
            );
        }
    }

    /// Returns how long the oldest event is pending: since it was first seen, or longer if its time
    /// says so. Its time alone does not suffice, because another program may have set it.
    fn age(&mut self, oldest: Option<OldestPending>, now: Instant) -> Duration {
        let Some(OldestPending { seq, age }) = oldest else {
            self.oldest = None;
            return Duration::ZERO;
        };
        let first_seen = match self.oldest {
            Some((known, first_seen)) if known == seq => first_seen,
            _ => now,
        };
        self.oldest = Some((seq, first_seen));
        age.max(now.duration_since(first_seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_exporter_prometheus::PrometheusBuilder;

    fn pending(seq: i64, seconds: u64) -> OldestPending {
        OldestPending {
            seq,
            age: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn an_event_is_as_old_as_its_time_says_or_as_long_as_it_is_seen() {
        let (mut watch, start) = (PendingWatch::default(), Instant::now());
        let mut age = |oldest, seconds| {
            let age = watch.age(oldest, start + Duration::from_secs(seconds));
            age.as_secs()
        };
        assert_eq!(age(Some(pending(7, 30)), 0), 30);
        assert_eq!(age(Some(pending(7, 0)), 12), 12, "its time was moved");
        assert_eq!(age(Some(pending(8, 1)), 13), 1, "another one is the oldest");
        assert_eq!(age(None, 14), 0);
        assert_eq!(age(Some(pending(8, 0)), 15), 0);
    }

    #[test]
    fn an_event_is_late_until_the_oldest_one_is_younger() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let mut watch = PendingWatch::default();
        for (oldest, is_late, shown) in [
            (Some(pending(1, 10)), false, "10"),
            (Some(pending(1, 11)), true, "11"),
            (Some(pending(1, 12)), true, "12"),
            (Some(pending(2, 3)), false, "3"),
            (None, false, "0"),
        ] {
            watch.observe(oldest);
            assert_eq!(watch.is_late, is_late, "{oldest:?}");
            let rendered = recorder.handle().render();
            let line = format!("authapi_audit_pending_seconds {shown}");
            assert!(rendered.contains(&line), "{line}: {rendered}");
        }
    }
}
