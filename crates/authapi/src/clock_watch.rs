//! Comparison of this machine's clock with the database's. Replicas whose clocks differ reject each
//! other's tokens and disagree on when sessions end.

use crate::{background::ticks, metrics};
use chrono::TimeDelta;
use domain::{
    clock_skew::ClockSkew,
    ports::{Clock, ClockComparison, DatabaseClock, PortError},
};
use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The interval between comparisons.
const PERIOD: Duration = Duration::from_secs(10);

/// Compares the clocks regularly, and keeps the result of the last comparison.
pub struct ClockWatch {
    clock: Arc<dyn Clock>,
    database: Arc<dyn DatabaseClock>,
    /// The maximum difference.
    limit: TimeDelta,
    agrees: Mutex<Option<bool>>,
}

impl ClockWatch {
    /// Creates a watch that has not compared the clocks yet.
    pub fn new(clock: Arc<dyn Clock>, database: Arc<dyn DatabaseClock>, limit: TimeDelta) -> Self {
        Self {
            clock,
            database,
            limit,
            agrees: Mutex::new(None),
        }
    }

    /// Compares the clocks now, and logs if the result differs from the last one. If the database
    /// does not answer, the last result remains.
    pub async fn compare(&self) {
        match self.measure().await {
            Ok(skew) => self.note(skew),
            Err(error) => tracing::debug!(
                error = &error as &dyn Error,
                "the clock was not compared with the database's; retrying later"
            ),
        }
    }

    /// Compares the clocks until it is dropped.
    pub async fn run(&self) {
        let mut ticks = ticks(PERIOD);
        loop {
            ticks.tick().await;
            self.compare().await;
        }
    }

    async fn measure(&self) -> Result<ClockSkew, PortError> {
        let asked = self.clock.now();
        let database = self.database.now().await?;
        Ok(ClockSkew::measured(asked, database, self.clock.now()))
    }

    fn note(&self, skew: ClockSkew) {
        metrics::clock_skew(skew.ahead);
        let agrees = !skew.certainly_exceeds(self.limit);
        // `replace` returns the last result, which is valid even after a panic.
        let before = self
            .agrees
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(agrees);
        match (before, agrees) {
            (None | Some(true), false) => tracing::warn!(
                ahead_ms = skew.ahead.num_milliseconds(),
                limit_ms = self.limit.num_milliseconds(),
                "this machine's clock differs from the database's; synchronise both with NTP"
            ),
            (Some(false), true) => tracing::info!(
                ahead_ms = skew.ahead.num_milliseconds(),
                "this machine's clock agrees with the database's again"
            ),
            (None | Some(true), true) | (Some(false), false) => {}
        }
    }
}

impl ClockComparison for ClockWatch {
    fn agrees(&self) -> Option<bool> {
        *self.agrees.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use chrono::{DateTime, Utc};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use testkit::{FixedClock, fixtures::at};

    /// A database whose clock stands still, or which is unavailable.
    struct Standing(Mutex<Option<DateTime<Utc>>>);

    #[async_trait]
    impl DatabaseClock for Standing {
        async fn now(&self) -> Result<DateTime<Utc>, PortError> {
            self.0.lock().expect("no panic").ok_or(PortError::Overloaded)
        }
    }

    #[tokio::test]
    async fn the_result_is_that_of_the_last_comparison_that_the_database_answered() {
        let clock = Arc::new(FixedClock::new(at(0)));
        let database = Arc::new(Standing(Mutex::new(None)));
        let watch = ClockWatch::new(clock, Arc::clone(&database) as _, TimeDelta::seconds(5));
        assert_eq!(watch.agrees(), None, "not compared yet");
        for (second, agrees) in [
            (None, None),
            (Some(5), Some(true)),
            (Some(-6), Some(false)),
            (None, Some(false)),
            (Some(6), Some(false)),
            (Some(-5), Some(true)),
        ] {
            *database.0.lock().expect("no panic") = second.map(at);
            watch.compare().await;
            assert_eq!(watch.agrees(), agrees, "{second:?}");
        }
    }

    #[tokio::test]
    async fn the_difference_is_reported_as_a_metric() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _recording = ::metrics::set_default_local_recorder(&recorder);
        for (second, ahead) in [(0, 0), (-60, 60), (60, -60)] {
            let database = Arc::new(Standing(Mutex::new(Some(at(second)))));
            let clock = Arc::new(FixedClock::new(at(0)));
            let watch = ClockWatch::new(clock, database, TimeDelta::seconds(5));
            watch.compare().await;
            let rendered = recorder.handle().render();
            let line = format!("authapi_clock_skew_seconds {ahead}");
            assert!(rendered.lines().any(|known| known == line), "{line}: {rendered}");
        }
    }
}
