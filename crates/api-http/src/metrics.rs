//! Metrics of requests and their outcomes. Label values come from this program alone: a path,
//! login, id or address never becomes one.

use crate::problem::Problem;
use ::metrics::{Gauge, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use actix_web::http::{Method, StatusCode};
use std::time::{Duration, Instant};

const REQUESTS: &str = "http_requests_total";
const DURATION: &str = "http_request_duration_seconds";
const IN_FLIGHT: &str = "http_requests_in_flight";
const REFUSALS: &str = "authapi_refusals_total";
const LOGINS: &str = "authapi_logins_total";
const REAUTHENTICATIONS: &str = "authapi_reauthentications_total";
const REFRESHES: &str = "authapi_refresh_total";
const REFUSED_CONNECTIONS: &str = "authapi_refused_connections_total";
const DEPENDENCY_UP: &str = "authapi_dependency_up";

/// Registers the descriptions of all metrics with the recorder.
pub fn describe() {
    describe_counter!(REQUESTS, "Number of answered requests.");
    describe_histogram!(
        DURATION,
        "Time in seconds from the head of a request to the head of its response."
    );
    describe_gauge!(IN_FLIGHT, "Number of requests in flight.");
    describe_counter!(REFUSALS, "Number of problem responses, by code.");
    describe_counter!(LOGINS, "Number of login attempts, by outcome.");
    describe_counter!(
        REAUTHENTICATIONS,
        "Number of attempts to reauthenticate, by outcome."
    );
    describe_counter!(REFRESHES, "Number of refresh attempts, by outcome.");
    describe_counter!(
        REFUSED_CONNECTIONS,
        "Number of connections closed because their address had too many."
    );
    describe_gauge!(
        DEPENDENCY_UP,
        "Whether a dependency passed the last readiness check."
    );
}

/// A request in flight. Dropping it ends the request, answered or not.
pub struct RequestMeter {
    started: Instant,
    method: &'static str,
    gauge: Gauge,
}

impl RequestMeter {
    /// Counts a request of `method` as in flight from now on.
    pub fn start(method: &Method) -> Self {
        let gauge = gauge!(IN_FLIGHT);
        gauge.increment(1);
        Self {
            started: Instant::now(),
            method: method_label(method),
            gauge,
        }
    }

    /// Records the response and returns how long it took. `route` is the pattern of the path, never
    /// the path itself; `code` is the code of the problem, if the response is one.
    pub fn record_response(self, route: &str, status: StatusCode, code: Option<&'static str>) -> Duration {
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

impl Drop for RequestMeter {
    fn drop(&mut self) {
        self.gauge.decrement(1);
    }
}

/// Counts a connection that was closed because its address had too many.
pub fn record_refused_connection() {
    counter!(REFUSED_CONNECTIONS).increment(1);
}

/// Counts a login attempt by its outcome, and returns the outcome.
pub fn record_login<T>(outcome: Result<T, Problem>) -> Result<T, Problem> {
    counter!(LOGINS, "outcome" => outcome_label(&outcome)).increment(1);
    outcome
}

/// Counts an attempt to reauthenticate by its outcome, and returns the outcome.
pub fn record_reauthentication<T>(outcome: Result<T, Problem>) -> Result<T, Problem> {
    counter!(REAUTHENTICATIONS, "outcome" => outcome_label(&outcome)).increment(1);
    outcome
}

/// Counts a refresh attempt by its outcome, and returns the outcome.
pub fn record_refresh<T>(outcome: Result<T, Problem>) -> Result<T, Problem> {
    counter!(REFRESHES, "outcome" => outcome_label(&outcome)).increment(1);
    outcome
}

/// Sets whether the dependency `name` passed its last readiness check.
pub fn set_dependency_up(name: &'static str, is_up: bool) {
    gauge!(DEPENDENCY_UP, "dependency" => name).set(i32::from(is_up));
}

fn outcome_label<T>(outcome: &Result<T, Problem>) -> &'static str {
    match outcome {
        Ok(_) => "success",
        Err(problem) => problem.code(),
    }
}

/// Clients can send any method: all but the standard ones (RFC 9110, section 9.3; RFC 5789) share
/// the label `other`.
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
