//! The figures of one load.

use crate::usage::as_f64;
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, time::Duration};

/// The result of one request.
#[derive(Clone, Copy, Debug)]
pub struct Response {
    pub latency: Duration,
    /// The status, or the kind of the failure.
    pub outcome: Result<u16, &'static str>,
}

/// The figures of one load, as the scripts for wrk print them.
#[derive(Clone, Debug, Deserialize)]
pub struct LoadReport {
    pub requests: u64,
    pub seconds: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    /// Failures by kind: socket errors, timeouts, and statuses of 400 and above.
    errors: BTreeMap<String, u64>,
    /// Responses by status, if they are counted.
    statuses: BTreeMap<String, u64>,
}

impl LoadReport {
    /// Summarises the responses that arrived within `seconds`.
    pub fn of(responses: &[Response], seconds: f64) -> Self {
        let mut latencies: Vec<Duration> = responses.iter().map(|it| it.latency).collect();
        latencies.sort_unstable();
        let (mut errors, mut statuses) = (BTreeMap::new(), BTreeMap::new());
        for response in responses {
            match response.outcome {
                Ok(status) => {
                    *statuses.entry(status.to_string()).or_default() += 1;
                    if status >= 400 {
                        *errors.entry("status".to_owned()).or_default() += 1;
                    }
                }
                Err(kind) => *errors.entry(kind.to_owned()).or_default() += 1,
            }
        }
        Self {
            requests: u64::try_from(responses.len()).expect("a length fits into 64 bits"),
            seconds,
            p50_ms: percentile_ms(&latencies, 500),
            p99_ms: percentile_ms(&latencies, 990),
            p999_ms: percentile_ms(&latencies, 999),
            errors,
            statuses,
        }
    }

    /// Returns the number of requests per second.
    pub fn rate(&self) -> f64 {
        as_f64(self.requests) / self.seconds
    }

    /// Returns the number of failed requests of all kinds.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Returns the number of failures by kind and, if statuses are counted, by status. Kinds
    /// without failures are omitted.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        let by_kind = self.errors.iter().map(|(kind, times)| (kind.clone(), *times));
        let by_status = self
            .statuses
            .iter()
            .filter(|(status, _)| status.as_str() > "399")
            .map(|(status, times)| (format!("status {status}"), *times));
        by_kind.chain(by_status).filter(|(_, times)| *times > 0).collect()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0}/s, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, errors {:?}",
            self.rate(),
            self.p50_ms,
            self.p99_ms,
            self.p999_ms,
            self.errors()
        )
    }
}

/// Returns the lowest of the sorted latencies that `permille` of a thousand do not exceed, in
/// milliseconds; 0 if there are none.
fn percentile_ms(sorted: &[Duration], permille: usize) -> f64 {
    let rank = (sorted.len() * permille).div_ceil(1_000);
    let latency = sorted.get(rank.saturating_sub(1));
    latency.copied().unwrap_or_default().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_percentile_is_the_lowest_latency_that_so_many_do_not_exceed() {
        let hundred: Vec<_> = (1..=100).map(millis).collect();
        for (latencies, permille, expected) in [
            (&hundred[..], 500, 50.0),
            (&hundred, 990, 99.0),
            (&hundred, 999, 100.0),
            (&hundred[..1], 500, 1.0),
            (&hundred[..3], 500, 2.0),
            (&[], 990, 0.0),
        ] {
            let found = percentile_ms(latencies, permille);
            assert!((found - expected).abs() < 1e-9, "{permille}: {found}");
        }
    }

    #[test]
    fn failed_requests_count_as_requests_and_have_a_latency() {
        let response = |latency, outcome| Response {
            latency: millis(latency),
            outcome,
        };
        let responses = [
            response(1, Ok(204)),
            response(3, Ok(503)),
            response(5, Err("timeout")),
            response(2, Ok(204)),
        ];
        let report = LoadReport::of(&responses, 2.0);
        let errors = [("status", 1), ("status 503", 1), ("timeout", 1)];
        let errors = errors.map(|(kind, times)| (kind.to_owned(), times));
        assert_eq!(report.errors(), BTreeMap::from(errors));
        assert_eq!((report.requests, report.failed()), (4, 2));
        assert!((report.rate() - 2.0).abs() < 1e-9);
        assert!((report.p50_ms - 2.0).abs() < 1e-9 && (report.p99_ms - 5.0).abs() < 1e-9);
    }

    #[test]
    fn errors_are_listed_by_kind_and_by_status_without_those_that_did_not_happen() {
        let report: LoadReport = serde_json::from_str(
            r#"{"requests":9,"seconds":1.0,"p50_ms":1.0,"p99_ms":2.0,"p999_ms":3.0,
                "errors":{"connect":0,"timeout":2,"status":3},"statuses":{"200":6,"401":1,"503":2}}"#,
        )
        .expect("the report is JSON");
        let expected = [
            ("status", 3),
            ("status 401", 1),
            ("status 503", 2),
            ("timeout", 2),
        ];
        let expected = expected.map(|(kind, times)| (kind.to_owned(), times));
        assert_eq!(report.errors(), BTreeMap::from(expected));
        assert_eq!(report.failed(), 5);
    }
}
