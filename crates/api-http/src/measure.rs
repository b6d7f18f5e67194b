//! What is counted of requests and their outcomes. Every label is one of a few texts of this program's own: no path,
//! login, id or address ever becomes one.

use crate::problem::Problem;
use actix_web::http::{Method, StatusCode};
use metrics::{Gauge, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use std::time::{Duration, Instant};

const REQUESTS: &str = "http_requests_total";
const DURATION: &str = "http_request_duration_seconds";
const IN_FLIGHT: &str = "http_requests_in_flight";
const REFUSALS: &str = "authapi_refusals_total";
const LOGINS: &str = "authapi_logins_total";
const REFRESHES: &str = "authapi_refresh_total";
const DEPENDENCY_UP: &str = "authapi_dependency_up";

/// Tells the recorder what the numbers mean.
pub fn describe() {
    describe_counter!(REQUESTS, "Requests that were answered.");
    describe_histogram!(
        DURATION,
        "Seconds from the head of a request to the head of its answer."
    );
    describe_gauge!(IN_FLIGHT, "Requests that are being answered.");
    describe_counter!(REFUSALS, "Answers that are problems, by their code.");
    describe_counter!(LOGINS, "Attempts to log in, by what they came to.");
    describe_counter!(REFRESHES, "Attempts to refresh, by what they came to.");
    describe_gauge!(
        DEPENDENCY_UP,
        "Whether a dependency answered the last check of readiness."
    );
}

/// A request that is being answered; no longer so when it is dropped, whoever hung up.
pub struct InFlight {
    started: Instant,
    method: &'static str,
    gauge: Gauge,
}

impl InFlight {
    pub fn start(method: &Method) -> Self {
        let gauge = gauge!(IN_FLIGHT);
        gauge.increment(1);
        Self {
            started: Instant::now(),
            method: method_label(method),
            gauge,
        }
    }

    /// Counts the answer, and tells how long it took. `route` is a pattern, never a path; `code` is a problem's.
    pub fn answered(self, route: &str, status: StatusCode, code: Option<&'static str>) -> Duration {
        let elapsed = self.started.elapsed();
        let status = status.as_str().to_owned();
        counter!(REQUESTS, "route" => route.to_owned(), "method" => self.method, "status" => status)
            .increment(1);
        histogram!(DURATION, "route" => route.to_owned(), "method" => self.method).record(elapsed);
        if let Some(code) = code {
            counter!(REFUSALS, "code" => code).increment(1);
        }
        elapsed
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.decrement(1);
    }
}

/// Counts what an attempt to log in came to.
pub fn log_in<T>(outcome: Result<T, Problem>) -> Result<T, Problem> {
    counter!(LOGINS, "outcome" => label_of(&outcome)).increment(1);
    outcome
}

/// Counts what an attempt to refresh came to.
pub fn refresh<T>(outcome: Result<T, Problem>) -> Result<T, Problem> {
    counter!(REFRESHES, "outcome" => label_of(&outcome)).increment(1);
    outcome
}

/// Notes whether `name` answered.
pub fn dependency(name: &'static str, is_up: bool) {
    gauge!(DEPENDENCY_UP, "dependency" => name).set(i32::from(is_up));
}

fn label_of<T>(outcome: &Result<T, Problem>) -> &'static str {
    match outcome {
        Ok(_) => "success",
        Err(problem) => problem.code(),
    }
}

/// Anybody may invent a method, so those that are not HTTP's own (RFC 9110, section 9.3; RFC 5789) are one.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "other",
    }
}
