//! The media type and the encodings that a body may have.

use crate::problem::Problem;
use actix_web::{
    HttpMessage, HttpRequest,
    http::header::{self, HeaderMap},
};

/// Accepts JSON in UTF-8, the encoding that RFC 8259 (section 8.1) requires, without compression.
pub fn check_media_type(request: &HttpRequest) -> Result<(), Problem> {
    let is_json = request.content_type().eq_ignore_ascii_case("application/json");
    // UTF-8 if there is no `charset`.
    let is_utf8 = request
        .encoding()
        .is_ok_and(|encoding| encoding.name() == "UTF-8");
    if is_json && is_utf8 && is_unencoded(request.headers()) {
        Ok(())
    } else {
        Err(Problem::unsupported_media_type())
    }
}

/// Whether no `Content-Encoding` changes the body. `identity` changes nothing (RFC 9110, section
/// 12.5.3).
fn is_unencoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn is_accepted(content_type: &str, content_encodings: &[&str]) -> bool {
        let request = TestRequest::default().insert_header((header::CONTENT_TYPE, content_type));
        let request = content_encodings.iter().fold(request, |request, coding| {
            request.append_header((header::CONTENT_ENCODING, *coding))
        });
        check_media_type(&request.to_http_request()).is_ok()
    }

    #[test]
    fn only_json_in_utf_8_is_accepted() {
        for (content_type, accepted) in [
            ("application/json", true),
            ("APPLICATION/json", true),
            ("application/json;", true),
            ("application/json; charset=utf-8", true),
            ("application/json;charset=UTF-8", true),
            ("application/json; charset=\"utf-8\"", true),
            ("application/json; charset=utf8", true),
            ("application/json; profile=x; charset=utf-8", true),
            ("application/json; charset=utf-16", false),
            ("application/json; charset=iso-8859-1", false),
            ("application/json; charset=us-ascii", false),
            ("application/json; charset=nonsense", false),
            ("application/json; profile=x; charset=latin1", false),
            ("application/problem+json", false),
            ("text/json", false),
            ("", false),
        ] {
            assert_eq!(is_accepted(content_type, &[]), accepted, "{content_type}");
        }
    }

    #[test]
    fn only_the_identity_encoding_is_accepted() {
        for (codings, accepted) in [
            (&["identity"][..], true),
            (&["Identity"], true),
            (&["identity, identity"], true),
            (&["identity", "identity"], true),
            (&[""], true),
            (&["gzip"], false),
            (&["identity, gzip"], false),
            (&["identity", "br"], false),
            (&["x-identity"], false),
        ] {
            assert_eq!(is_accepted("application/json", codings), accepted, "{codings:?}");
        }
    }
}
