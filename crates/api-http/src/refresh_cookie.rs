//! The refresh token as a cookie, for browsers.
//!
//! Pages cannot read it, so a script that is injected into a page cannot copy the token. Only
//! `POST /refresh` and `POST /logout` accept it, and only from pages with a permitted origin.

use crate::{
    cookie_origin::CookieOrigins, cookie_path::CookiePathPrefix, cookie_values::cookie_values,
    problem::Problem, state::HttpSettings,
};
use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    cookie::time::Duration,
    http::{StatusCode, header},
};
use domain::{steps::TokenPair, use_cases::RefreshError};
use secrecy::SecretString;

/// The cookie. Browsers accept the prefix `__Secure-` only with `Secure` (RFC 6265bis, section
/// 4.1.3).
pub const COOKIE: &str = "__Secure-authapi-refresh";
/// The paths to which browsers send the cookie. Each has a cookie of its own.
const PATHS: [&str; 2] = ["/refresh", "/logout"];

/// The cookies of refresh tokens in responses.
#[derive(Clone, Copy)]
pub struct RefreshCookies<'a>(&'a CookiePathPrefix);

impl<'a> RefreshCookies<'a> {
    /// Returns the cookies for the paths of `settings`.
    pub fn of(settings: &'a HttpSettings) -> Self {
        Self(&settings.cookie_path_prefix)
    }

    /// Sets the refresh token of `pair`, for as long as it is valid.
    pub fn set(self, response: &mut HttpResponse, pair: &TokenPair) {
        let max_age = Duration::seconds(pair.refresh_expires_in.num_seconds());
        self.add(response, pair.refresh_token.expose(), max_age);
    }

    /// Removes the cookies from the browser.
    pub fn clear(self, response: &mut HttpResponse) {
        self.add(response, "", Duration::ZERO);
    }

    /// Returns the response to a request whose cookie was refused. A 401 also removes the cookies,
    /// because the token is of no further use; a 503 keeps them.
    pub fn refused(self, problem: &Problem) -> HttpResponse {
        let mut response = problem.error_response();
        if problem.status_code() == StatusCode::UNAUTHORIZED {
            self.clear(&mut response);
        }
        response
    }

    fn add(self, response: &mut HttpResponse, value: &str, max_age: Duration) {
        for path in PATHS {
            let cookie = self.0.set_cookie(COOKIE, value, path, max_age);
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

/// Returns the token in the cookie of a request without another token.
///
/// A cookie whose value has other characters than a token counts as an empty token, which is never
/// valid.
///
/// # Errors
/// Problems after which the browser must keep its cookies: `token_missing` without the cookie,
/// `cookie_origin_refused` if the request does not prove that a permitted page sent it, and
/// `refresh_token_invalid` if the cookie occurs more than once. Another host of the same site may
/// have set one of them. Only that of the user would be cleared.
pub fn cookie_token(request: &HttpRequest, settings: &HttpSettings) -> Result<SecretString, Problem> {
    let mut values = cookie_values(request.headers(), COOKIE);
    let first = values.next().ok_or_else(Problem::token_missing)?;
    CookieOrigins::of(settings).check(request.headers())?;
    if values.next().is_some() {
        return Err(RefreshError::Invalid.into());
    }
    let token = str::from_utf8(first).ok().filter(|_| is_token(first));
    Ok(SecretString::from(token.unwrap_or_default()))
}

/// Whether `value` has the characters of a refresh token, which is base64url. An access token has
/// dots, too.
fn is_token(value: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    value.iter().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{
        http::header::{self, HeaderValue},
        test::TestRequest,
    };
    use secrecy::ExposeSecret;

    const OWN: &str = "https://auth.example";

    fn token_of(cookies: &[&[u8]]) -> Result<String, &'static str> {
        let settings = HttpSettings {
            issuer: Some(OWN.to_owned()),
            ..HttpSettings::default()
        };
        let request = TestRequest::default().insert_header((header::ORIGIN, OWN));
        let request = cookies.iter().fold(request, |request, line| {
            let line = HeaderValue::from_bytes(line).expect("a header");
            request.append_header((header::COOKIE, line))
        });
        let token = cookie_token(&request.to_http_request(), &settings);
        token
            .map(|token| token.expose_secret().to_owned())
            .map_err(|problem| problem.code())
    }

    #[test]
    fn a_single_well_formed_cookie_is_the_token_and_a_repeated_one_is_refused() {
        for (cookies, expected) in [
            (&[][..], Err("token_missing")),
            (&[&b"other=x"[..]], Err("token_missing")),
            (&[b"x__Secure-authapi-refresh=abc"], Err("token_missing")),
            (&[b"__Secure-authapi-refresh2=abc"], Err("token_missing")),
            (&[b"__secure-authapi-refresh=abc"], Err("token_missing")),
            (&[b"__Secure-authapi-refresh=aB3-_"], Ok("aB3-_")),
            (&[b"a=1; __Secure-authapi-refresh=abc; =; b;\xff"], Ok("abc")),
            (&[b"a=1", b"__Secure-authapi-refresh=abc"], Ok("abc")),
            (&[b"__Secure-authapi-refresh"], Ok("")),
            (&[b"__Secure-authapi-refresh="], Ok("")),
            (&[b"__Secure-authapi-refresh=\"abc\""], Ok("")),
            (&[b"__Secure-authapi-refresh=a.b.c"], Ok("")),
            (&[b"__Secure-authapi-refresh=a%62c"], Ok("")),
            (&[b"__Secure-authapi-refresh=a c"], Ok("")),
            (&[b"__Secure-authapi-refresh=\xff"], Ok("")),
            (
                &[b"__Secure-authapi-refresh=abc; __Secure-authapi-refresh=abc"],
                Err("refresh_token_invalid"),
            ),
            (
                &[b"__Secure-authapi-refresh=abc", b"__Secure-authapi-refresh=def"],
                Err("refresh_token_invalid"),
            ),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(token_of(cookies), expected, "{cookies:?}");
        }
    }
}
