//! Problem details as `application/problem+json` (RFC 9457). Status codes are decided here only.

mod code;
pub mod documented;
pub mod examples;
mod refusals;

pub use code::{Code, FieldCode};

use code::Budget;

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use domain::throttle::BudgetName;
use serde::Serialize;
use std::{borrow::Cow, fmt, time::Duration};
use utoipa::ToSchema;

/// A problem to send.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: Code,
    title: &'static str,
    detail: Cow<'static, str>,
    budget: Option<BudgetName>,
    errors: Vec<FieldProblem>,
    headers: Vec<(header::HeaderName, String)>,
}

/// A problem with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// Path of the field in the body, such as `new_roles[2]`, or the name of the parameter.
    #[schema(example = "password")]
    pub field: String,
    #[schema(example = "too_short")]
    pub code: FieldCode,
    /// Explanation for people.
    #[schema(example = "a password must have at least 8 characters")]
    pub detail: String,
}

/// A problem as it is sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// `urn:authapi:problem:` followed by the code.
    #[schema(example = "urn:authapi:problem:validation_failed")]
    r#type: String,
    /// The same text for every problem with this code.
    #[schema(example = "The request is invalid")]
    title: &'a str,
    /// The status of the response.
    #[schema(example = 422, minimum = 400, maximum = 599)]
    status: u16,
    /// Explanation for people.
    #[schema(example = "See `errors` for each field.")]
    detail: &'a str,
    #[schema(example = "validation_failed")]
    code: Code,
    /// The `X-Request-Id` of the response, to find the request in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d")]
    request_id: Option<&'a str>,
    /// With `too_many_attempts`, the budget that is used up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    budget: Option<Budget>,
    /// With `validation_failed` and other refusals of a field, the refused fields.
    #[serde(skip_serializing_if = "<[FieldProblem]>::is_empty")]
    errors: &'a [FieldProblem],
}

impl Problem {
    fn new(
        status: StatusCode,
        code: Code,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            budget: None,
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    fn with_header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets `Retry-After` in whole seconds, rounded up, at least one (RFC 9110, section 10.2.3).
    fn retry_after(self, wait: Duration) -> Self {
        let seconds = whole_seconds(wait);
        self.with_header(header::RETRY_AFTER, seconds.to_string())
    }

    /// Sets the challenge that a 401 or 403 carries (RFC 6750, section 3).
    fn challenge(self, challenge: &str) -> Self {
        self.with_header(header::WWW_AUTHENTICATE, challenge)
    }

    fn with_errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.errors = errors;
        self
    }

    fn with_budget(mut self, budget: BudgetName) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        self.code.as_str()
    }

    /// Returns the title, which is the same for every problem with this code.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// Returns the status of the response.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the body of the response, with the request's id if it is known.
    pub fn body<'a>(&'a self, request_id: Option<&'a str>) -> ProblemBody<'a> {
        ProblemBody {
            r#type: format!("urn:authapi:problem:{}", self.code.as_str()),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id,
            budget: self.budget.map(Budget::from),
            errors: &self.errors,
        }
    }

    /// Returns the 500 for a bug or damaged data. The caller of this function logs the cause.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Code::Internal,
            "Internal error",
            "The service failed. Report the request id to the operator.",
        )
    }

    /// Returns the 401 for a request without a token.
    pub fn token_missing() -> Self {
        // The challenge has no error code, because the request contained no credentials (RFC 6750,
        // section 3.1).
        Self::unauthorized(Code::TokenMissing, "Send a token: Authorization: Bearer ...").challenge("Bearer")
    }

    /// Returns the 401 for a token that cannot be parsed.
    pub fn token_malformed() -> Self {
        Self::bad_token(Code::TokenMalformed, "The token is malformed.")
    }

    fn unauthorized(code: Code, detail: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, "Not authenticated", detail)
    }

    fn bad_token(code: Code, detail: &'static str) -> Self {
        Self::unauthorized(code, detail).challenge(r#"Bearer error="invalid_token""#)
    }
}

/// Returns `wait` in whole seconds, rounded up, at least one.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0))
        .max(1)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Renders without the request's id. The middleware replaces the body by one with the id.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.as_str()));
        }
        let mut response = response
            .content_type("application/problem+json")
            .json(self.body(None));
        response.extensions_mut().insert(self.clone());
        response
    }
}

/// Truncates a client's text for echoing.
pub fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up_to_whole_seconds() {
        for (millis, seconds) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (60_000, 60)] {
            assert_eq!(
                whole_seconds(Duration::from_millis(millis)),
                seconds,
                "{millis} ms"
            );
        }
    }
}
