//! Device tokens in requests and responses: a header, or a cookie for clients that ask for one.

use actix_web::{
    FromRequest, HttpRequest, HttpResponseBuilder,
    cookie::{Cookie, SameSite, time::Duration},
    dev::Payload,
    http::header::{HeaderName, HeaderValue},
};
use domain::device_token::DeviceToken;
use serde::Deserialize;
use std::{
    convert::Infallible,
    future::{Ready, ready},
};
use utoipa::IntoParams;

/// The header in both directions.
pub const DEVICE_TOKEN: HeaderName = HeaderName::from_static("device-token");
/// The cookie. Browsers accept the prefix `__Secure-` only with `Secure` (RFC 6265bis, section
/// 4.1.3).
const COOKIE: &str = "__Secure-authapi-device";
/// The only path to which browsers send the cookie.
const COOKIE_PATH: &str = "/login";
/// How long a browser keeps the cookie. The service forgets a device sooner if its session ended
/// more than 30 days ago.
const COOKIE_MAX_AGE: Duration = Duration::days(120);

/// How a login returns the device token.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeviceQuery {
    /// Whether to return the device token as the cookie `__Secure-authapi-device` instead of the
    /// header `Device-Token`.
    #[param(default = false, required = false)]
    device_cookie: bool,
}

/// The device token of a request: from the header, otherwise from the cookie. A token that is not
/// valid is ignored by the login, so this extractor never fails.
pub struct PresentedDevice(pub Option<DeviceToken>);

impl FromRequest for PresentedDevice {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let header = request.headers().get(DEVICE_TOKEN);
        let header = header.and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let text = header.or_else(|| Some(request.cookie(COOKIE)?.value().to_owned()));
        ready(Ok(Self(text.map(DeviceToken::new))))
    }
}

impl DeviceQuery {
    /// Adds `token` to a response.
    pub fn add_to(self, response: &mut HttpResponseBuilder, token: &DeviceToken) {
        if self.device_cookie {
            response.cookie(cookie(token));
        } else {
            response.insert_header((DEVICE_TOKEN, secret_value(token)));
        }
    }
}

fn cookie(token: &DeviceToken) -> Cookie<'static> {
    Cookie::build(COOKIE, token.expose().to_owned())
        .path(COOKIE_PATH)
        .max_age(COOKIE_MAX_AGE)
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .finish()
}

/// Returns the token as a header value that is redacted in `Debug`.
fn secret_value(token: &DeviceToken) -> HeaderValue {
    let mut value = HeaderValue::from_str(token.expose()).expect("base64url is valid in a header");
    value.set_sensitive(true);
    value
}
