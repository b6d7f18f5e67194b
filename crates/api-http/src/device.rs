//! Device tokens in requests and responses: a header, or a cookie for clients that ask for one.

use crate::{cookie_path::CookiePathPrefix, cookie_values::cookie_values};
use actix_web::{
    FromRequest, HttpRequest, HttpResponseBuilder,
    cookie::time::Duration,
    dev::Payload,
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
};
use domain::device_token::DeviceToken;
use std::{
    convert::Infallible,
    future::{Ready, ready},
};

/// The header in both directions.
pub const DEVICE_TOKEN: HeaderName = HeaderName::from_static("device-token");
/// The cookie. Browsers accept the prefix `__Secure-` only with `Secure` (RFC 6265bis, section
/// 4.1.3).
const COOKIE: &str = "__Secure-authapi-device";
/// The only path to which browsers send the cookie, below the prefix of the service.
const COOKIE_PATH: &str = "/login";
/// How long a browser keeps the cookie. The service forgets a device sooner if its session ended
/// more than 30 days ago.
const COOKIE_MAX_AGE: Duration = Duration::days(120);

/// The device token of a request: from the header, otherwise from the cookie. A token that is not
/// valid is ignored by the login, so this extractor never fails.
pub struct PresentedDevice(pub Option<DeviceToken>);

impl FromRequest for PresentedDevice {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let header = request.headers().get(DEVICE_TOKEN);
        let header = header.and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let text = header.or_else(|| only_cookie(request.headers()));
        ready(Ok(Self(text.map(DeviceToken::new))))
    }
}

/// Returns the value of the cookie, unless it occurs more than once: another host of the same site
/// may have set one of them.
fn only_cookie(headers: &HeaderMap) -> Option<String> {
    let mut values = cookie_values(headers, COOKIE);
    match (values.next(), values.next()) {
        (Some(value), None) => Some(str::from_utf8(value).ok()?.to_owned()),
        _ => None,
    }
}

/// Adds `token` to a response as the header.
pub fn add_header(response: &mut HttpResponseBuilder, token: &DeviceToken) {
    response.insert_header((DEVICE_TOKEN, secret_value(token)));
}

/// Adds `token` to a response as the cookie.
pub fn add_cookie(response: &mut HttpResponseBuilder, token: &DeviceToken, prefix: &CookiePathPrefix) {
    let cookie = prefix.set_cookie(COOKIE, token.expose(), COOKIE_PATH, COOKIE_MAX_AGE);
    response.append_header((header::SET_COOKIE, cookie));
}

/// Returns the token as a header value that is redacted in `Debug`.
fn secret_value(token: &DeviceToken) -> HeaderValue {
    let mut value = HeaderValue::from_str(token.expose()).expect("base64url is valid in a header");
    value.set_sensitive(true);
    value
}
