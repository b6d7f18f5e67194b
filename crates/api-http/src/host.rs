//! The `Host` header (RFC 9112, section 3.2).

use crate::problem::Problem;
use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{RequestHead, ServiceRequest, ServiceResponse},
    http::{
        Version,
        header::{self, HeaderValue},
        uri::Authority,
    },
    middleware::Next,
};

/// Refuses requests with an invalid `Host`. Inside the CORS layers, so that pages can read the
/// refusal.
pub async fn require_host<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match check_host(request.head()) {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(problem) => Ok(request.error_response(problem).map_into_right_body()),
    }
}

/// Refuses a preflight with an invalid `Host`. The CORS layers answer it before [`require_host`].
pub fn check_preflight_host(request: &ServiceRequest, is_preflight: bool) -> Result<(), Problem> {
    if is_preflight {
        check_host(request.head())
    } else {
        Ok(())
    }
}

/// Refuses a request with several `Host` headers or an invalid one, and an HTTP/1.1 request without
/// one. Proxies disagree on which host such a request is for.
fn check_host(head: &RequestHead) -> Result<(), Problem> {
    let mut hosts = head.headers().get_all(header::HOST);
    let is_right = match (hosts.next(), hosts.next()) {
        (None, _) => head.version != Version::HTTP_11,
        (Some(host), None) => is_host(host),
        (Some(_), Some(_)) => false,
    };
    if is_right {
        Ok(())
    } else {
        Err(Problem::malformed_host())
    }
}

/// Whether `value` is a host with an optional port, without user information. An HTTP URL must not
/// have an empty host (RFC 9110, section 4.2.1).
fn is_host(value: &HeaderValue) -> bool {
    let Some(authority) = value
        .to_str()
        .ok()
        .and_then(|host| host.parse::<Authority>().ok())
    else {
        return false;
    };
    let host = authority.host();
    let port = authority.as_str().strip_prefix(host);
    !host.is_empty() && port.is_some_and(is_port)
}

/// Whether `text` is empty, or a colon followed by a port, which may be missing.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(digits) => {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.is_empty() || is_number && digits.parse::<u16>().is_ok()
        }
        None => text.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn is_accepted(version: Version, hosts: &[&[u8]]) -> bool {
        let request = hosts
            .iter()
            .fold(TestRequest::default().version(version), |request, host| {
                let host = HeaderValue::from_bytes(host).expect("a header");
                request.append_header((header::HOST, host))
            });
        check_host(request.to_http_request().head()).is_ok()
    }

    #[test]
    fn a_host_has_an_optional_port_and_nothing_else() {
        for (host, accepted) in [
            (&b"auth.example"[..], true),
            (b"auth.example:8000", true),
            (b"auth.example:", true),
            (b"AUTH_api-1", true),
            (b"127.0.0.1:80", true),
            (b"[::1]", true),
            (b"[2001:db8::1]:8000", true),
            (b"", false),
            (b":8000", false),
            (b"auth.example:http", false),
            (b"auth.example:+80", false),
            (b"auth.example:65536", false),
            (b"auth.example:80:80", false),
            (b"user@auth.example", false),
            (b"@auth.example", false),
            (b"auth.example/path", false),
            (b"auth.example?x", false),
            (b"auth.example#x", false),
            (b"http://auth.example", false),
            (b"auth example", false),
            (b"auth.example, other.example", false),
            (b"a<b", false),
            (b"[::1", false),
            (b"::1]", false),
            (b"caf\xc3\xa9.example", false),
        ] {
            let text = host.escape_ascii();
            assert_eq!(is_accepted(Version::HTTP_11, &[host]), accepted, "{text}");
        }
    }

    #[test]
    fn an_http_1_1_request_has_exactly_one_host() {
        let one: &[u8] = b"auth.example";
        for (version, hosts, accepted) in [
            (Version::HTTP_11, &[][..], false),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_2, &[], true),
            (Version::HTTP_10, &[&b"a b"[..]], false),
            (Version::HTTP_11, &[one], true),
            (Version::HTTP_11, &[one, one], false),
            (Version::HTTP_10, &[one, b"other.example"], false),
        ] {
            assert_eq!(is_accepted(version, hosts), accepted, "{version:?} {hosts:?}");
        }
    }
}
