//! Refusals of requests by their form, whatever they are about.

use crate::problem::{Code, FieldCode, FieldProblem, Problem};
use actix_web::http::{StatusCode, header};

impl Problem {
    /// Returns the 405 for a path that supports only the methods in `allowed`.
    pub fn method_not_allowed(allowed: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            Code::MethodNotAllowed,
            "Method not allowed",
            "The path does not support this method; see Allow.",
        )
        .with_header(header::ALLOW, allowed)
    }

    /// Returns the 404 for an unknown path.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Code::NotFound,
            "Not found",
            "This path does not exist.",
        )
    }

    /// Returns the 413 for a body of more than `limit` bytes.
    pub fn payload_too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Code::PayloadTooLarge,
            "Payload too large",
            format!("The body exceeds {limit} bytes."),
        )
    }

    /// Returns the 415 for a body that is not plain JSON.
    pub fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::UnsupportedMediaType,
            "Unsupported media type",
            "Send the body as application/json in UTF-8, uncompressed.",
        )
    }

    /// Returns the 400 for a request that cannot be parsed.
    pub fn malformed_request(detail: &'static str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            Code::MalformedRequest,
            "Malformed request",
            detail,
        )
    }

    /// Returns the 400 for a precondition in `header` that the operation does not evaluate.
    pub fn precondition_unsupported(header: &header::HeaderName) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            Code::PreconditionUnsupported,
            "Precondition not supported",
            format!(
                "This operation cannot be made conditional with {header}. Send it without this header; \
                 changes of one user or role support If-Match with an ETag."
            ),
        )
    }

    /// Returns the 408 for a body that did not arrive in time.
    pub fn request_timeout() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            Code::RequestTimeout,
            "Request timeout",
            "The body took too long to arrive.",
        )
    }

    /// Returns the 422 with one error for each invalid field.
    pub fn validation_failed(errors: Vec<FieldProblem>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            Code::ValidationFailed,
            "The request is invalid",
            "See `errors` for each field.",
        )
        .with_errors(errors)
    }

    /// Returns the 422 for a field or query parameter that violates a rule.
    pub fn field_refused(field: &str, code: FieldCode, detail: String) -> Self {
        Self::validation_failed(vec![FieldProblem {
            field: field.to_owned(),
            code,
            detail,
        }])
    }

    /// Returns the 400 for a request without a single valid `Host` header.
    pub fn malformed_host() -> Self {
        Self::malformed_request(
            "Send exactly one Host header: the host of the URL, with the port if it is not the default.",
        )
    }
}
