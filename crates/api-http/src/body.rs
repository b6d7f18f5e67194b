//! JSON bodies: bounded in size and time, and rejected with the cause.

mod media_type;

use crate::{
    field_errors::{field_problem, wrong_type},
    problem::Problem,
};
use actix_web::{
    FromRequest, HttpRequest,
    body::{BodyStream, to_bytes_limited},
    dev::Payload,
    http::header,
    web::Bytes,
};
use media_type::check_media_type;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use std::{future::Future, pin::Pin, time::Duration};
use tokio::time::timeout;

/// Maximum size of a body in bytes.
const LIMIT: usize = 16 * 1024;
/// Time limit for receiving a body.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// U+FEFF in UTF-8. A parser may ignore it at the start of a JSON text (RFC 8259, section 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A JSON body of the type that the route accepts.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = check_media_type(request).and_then(|()| check_length(request));
        let payload = payload.take();
        Box::pin(async move {
            checked?;
            parse(&read(payload).await?).map(Self)
        })
    }
}

/// An optional JSON body.
pub struct OptionalJsonBody<T>(pub Option<T>);

impl<T: DeserializeOwned + 'static> FromRequest for OptionalJsonBody<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let media_type = check_media_type(request);
        let length = check_length(request);
        let payload = payload.take();
        Box::pin(async move {
            length?;
            let body = read(payload).await?;
            if body.is_empty() {
                return Ok(Self(None));
            }
            media_type?;
            parse(&body).map(|body| Self(Some(body)))
        })
    }
}

/// Rejects a body whose declared length is too large, before any of it is read.
fn check_length(request: &HttpRequest) -> Result<(), Problem> {
    let said = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    match said {
        Some(length) if length > LIMIT => Err(Problem::payload_too_large(LIMIT)),
        _ => Ok(()),
    }
}

async fn read(payload: Payload) -> Result<Bytes, Problem> {
    match timeout(READ_TIMEOUT, to_bytes_limited(BodyStream::new(payload), LIMIT)).await {
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(_))) => Err(Problem::malformed_request("The body is incomplete.")),
        Ok(Err(_)) => Err(Problem::payload_too_large(LIMIT)),
        Err(_) => Err(Problem::request_timeout()),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    // serde would also accept an array with the fields in order.
    if !body.trim_ascii_start().starts_with(b"{") {
        let not_an_object = Problem::validation_failed(vec![wrong_type(".")]);
        return Err(malformed_or(body, not_an_object));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| malformed_or(body, refusal(&error)))?;
    deserializer.end().map_err(|_| not_json())?;
    Ok(parsed)
}

/// Returns `refusal`, unless `body` is not JSON at all: serde reports whichever error comes first,
/// and an unknown field may precede a syntax error.
fn malformed_or(body: &[u8], refusal: Problem) -> Problem {
    let is_json = str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    if is_json { refusal } else { not_json() }
}

fn not_json() -> Problem {
    Problem::malformed_request("The body is not JSON in UTF-8.")
}

fn refusal(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    match error.inner().classify() {
        Category::Syntax | Category::Eof | Category::Io => not_json(),
        Category::Data => Problem::validation_failed(vec![field_problem(error)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::FieldProblem;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "the tests only parse it")]
        login: String,
        #[expect(dead_code, reason = "the tests only parse it")]
        roles: Vec<String>,
    }

    fn refused(body: &[u8]) -> (String, Option<FieldProblem>) {
        let problem = parse::<Sample>(body).expect_err("the body is invalid");
        let code = problem.code().to_owned();
        let body = serde_json::to_value(problem.body(None)).expect("the problem can be serialised");
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        let first = errors.first().map(|error| FieldProblem {
            field: error["field"]
                .as_str()
                .expect("the error names a field")
                .to_owned(),
            code: serde_json::from_value(error["code"].clone()).expect("the error has a code"),
            detail: error["detail"]
                .as_str()
                .expect("the error has a detail")
                .to_owned(),
        });
        (code, first)
    }

    #[test]
    fn bodies_that_are_not_json_are_malformed() {
        let deep = "[".repeat(10_000);
        for body in [
            &b""[..],
            b"{",
            b"nonsense",
            b"{\"login\":\"a\",}",
            b"\xff\xfe",
            b"{\"login\":\"a\",\"roles\":[]} {}",
            deep.as_bytes(),
            b"{\"login\":\"\xc3\"}",
            // A refused field before the syntax error.
            b"{\"x\", null}",
            b"{\"x\":1,}",
            b"{\"x\":1",
            b"{\"x\":1} {}",
            b"{\"x\":\"\xc3\"}",
            b"{\"login\":1,",
            b"{\"login\":\"a\",\"login\":\"b\" \"roles\"}",
            b"[1,",
            b"[\"\xc3\"]",
            // Only one byte order mark, and only at the start.
            b"\xef\xbb\xbf\xef\xbb\xbf{\"login\":\"a\",\"roles\":[]}",
            b"\xef\xbb\xbf",
            b" \xef\xbb\xbf{}",
        ] {
            let (code, _) = refused(body);
            assert_eq!(code, "malformed_request", "{body:?}");
        }
    }

    #[test]
    fn json_of_another_shape_is_rejected_with_the_field() {
        for (body, field, code) in [
            (r"{}", "login", "missing_field"),
            (r#"{"login":"a"}"#, "roles", "missing_field"),
            (r#"{"login":1,"roles":[]}"#, "login", "wrong_type"),
            (r#"{"login":null,"roles":[]}"#, "login", "wrong_type"),
            (r#"{"login":"a","roles":["x",{}]}"#, "roles[1]", "wrong_type"),
            (
                r#"{"login":"a","login":"b","roles":[]}"#,
                "login",
                "duplicate_field",
            ),
            (
                r#"{"login":"a","roles":[],"admin":true}"#,
                "admin",
                "unknown_field",
            ),
            (r#"["a",[]]"#, ".", "wrong_type"),
            (r#""text""#, ".", "wrong_type"),
        ] {
            let (top, error) = refused(body.as_bytes());
            assert_eq!(top, "validation_failed", "{body}");
            let error = error.expect("the value has another type");
            assert_eq!(
                (error.field.as_str(), error.code.as_ref()),
                (field, code),
                "{body}"
            );
        }
    }

    #[test]
    fn a_byte_order_mark_is_ignored() {
        let body = b"\xef\xbb\xbf {\"login\":\"a\",\"roles\":[]}";
        assert!(parse::<Sample>(body).is_ok());
        let (code, error) = refused(b"\xef\xbb\xbf[]");
        assert_eq!(code, "validation_failed");
        assert_eq!(error.expect("an error").field, ".");
    }

    #[test]
    fn errors_never_contain_the_value() {
        let (_, error) = refused(br#"{"login":{"secret":"hunter2"},"roles":[]}"#);
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
