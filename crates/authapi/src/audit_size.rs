//! Measures how large the audit log is.

use chrono::{DateTime, Utc};
use domain::{
    audit::AuditNumber,
    ports::{AuditLog, PortError},
};
use metrics::{describe_gauge, gauge};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

const EVENTS: &str = "authapi_audit_events";
const OLDEST: &str = "authapi_audit_oldest_event_timestamp_seconds";
/// The interval between two measurements. Each reads two rows.
const PERIOD: Duration = Duration::from_mins(1);

/// Measures the audit log, and warns when it is larger than expected.
pub struct AuditSize {
    audit_log: Arc<dyn AuditLog>,
    /// The number of events above which it warns.
    warn_above: u64,
}

/// The size of the audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    events: u64,
    /// The time of the oldest event, if there is one and it can be read.
    oldest: Option<DateTime<Utc>>,
}

impl AuditSize {
    /// Creates a watch that warns when `audit_log` has more than `warn_above` events.
    pub fn new(audit_log: Arc<dyn AuditLog>, warn_above: u64) -> Self {
        describe_gauge!(EVENTS, "Events in the audit log.");
        describe_gauge!(OLDEST, "Time of the oldest audit event, as a Unix timestamp.");
        Self {
            audit_log,
            warn_above,
        }
    }

    /// Measures periodically until it is dropped. Logs once each time the log becomes too large.
    pub async fn run(&self) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_large = false;
        loop {
            ticks.tick().await;
            match self.measure().await {
                Ok(size) => is_large = self.observe(size, is_large),
                Err(error) => tracing::debug!(
                    error = &error as &dyn Error,
                    "the audit log cannot be measured; retrying later"
                ),
            }
        }
    }

    /// Numbers have no gaps, so the two ends give the number of events.
    async fn measure(&self) -> Result<Size, PortError> {
        let oldest = self.audit_log.rows(AuditNumber::NONE, 1).await?;
        let (first, at) = match oldest.first() {
            None => return Ok(Size::default()),
            Some(Ok(sealed)) => (sealed.row.number, Some(sealed.row.at)),
            Some(Err(broken)) => (broken.0, None),
        };
        let last = self.audit_log.ends().await?.head.number;
        let events = last.0.saturating_sub(first.0).saturating_add(1);
        Ok(Size {
            events: u64::try_from(events).unwrap_or_default(),
            oldest: at,
        })
    }

    /// Sets the metrics, and warns if the log has become too large. Returns whether it is.
    #[expect(
        clippy::cast_precision_loss,
        reason = "gauges are floats, which hold a log's events and microseconds exactly"
    )]
    fn observe(&self, size: Size, was_large: bool) -> bool {
        gauge!(EVENTS).set(size.events as f64);
        if let Some(oldest) = size.oldest {
            gauge!(OLDEST).set(oldest.timestamp_micros() as f64 / 1e6);
        }
        let is_large = size.events > self.warn_above;
        if is_large && !was_large {
            tracing::warn!(
                events = size.events,
                "the audit log has more events than AUTHAPI_AUDIT__WARN_EVENTS; shorten AUTHAPI_AUDIT__RETENTION, or \
                 make room and raise the limit"
            );
        }
        is_large
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        audit::{AuditAction, AuditEvent},
        changes::TrimAuditLog,
    };
    use metrics_exporter_prometheus::PrometheusBuilder;
    use testkit::{MemoryStorage, Storage, fixtures};

    async fn record(storage: &Storage, second: i64) {
        let event = AuditEvent::new(AuditAction::LoginFailed);
        let context = fixtures::context(fixtures::at(second));
        let recorded = storage.audit_events.record(event, context).await;
        recorded.expect("the storage succeeds");
    }

    #[tokio::test]
    async fn the_size_is_the_number_of_events_that_are_left_and_the_time_of_the_oldest() {
        let storage = MemoryStorage::default().storage();
        let size = AuditSize::new(Arc::clone(&storage.audit_log), 3);
        let measured = size.measure().await.expect("the storage succeeds");
        assert_eq!(measured, Size::default());
        for second in [10, 20, 30] {
            record(&storage, second).await;
        }
        let trim = TrimAuditLog {
            before: fixtures::at(25),
            limit: 9,
        };
        let context = fixtures::context(fixtures::at(40));
        let trimmed = storage.audit_log.trim(trim, context).await;
        assert_eq!(trimmed.expect("the storage succeeds"), 2);
        let measured = size.measure().await.expect("the storage succeeds");
        // The event of the trimming is one of them.
        let expected = Size {
            events: 2,
            oldest: Some(fixtures::at(30)),
        };
        assert_eq!(measured, expected);
    }

    #[test]
    fn a_log_is_large_above_the_limit_and_both_metrics_are_set() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let size = AuditSize::new(MemoryStorage::default().storage().audit_log, 3);
        for (events, is_large) in [(3, false), (4, true), (4, true), (3, false)] {
            let measured = Size {
                events,
                oldest: DateTime::from_timestamp(1_700_000_000, 500_000_000),
            };
            assert_eq!(size.observe(measured, false), is_large);
            let rendered = recorder.handle().render();
            let lines = [format!("{EVENTS} {events}"), format!("{OLDEST} 1700000000.5")];
            for line in lines {
                assert!(rendered.lines().any(|known| known == line), "{line}: {rendered}");
            }
        }
    }
}
