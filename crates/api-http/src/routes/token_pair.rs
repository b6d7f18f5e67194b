use super::access_token::TokenType;
use crate::{
    cookie_origin::CookieOrigins,
    device::{add_cookie, add_header},
    logged_principal::LoggedPrincipal,
    problem::Problem,
    refresh_cookie::RefreshCookies,
    state::HttpSettings,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, http::header};
use domain::{device_token::DeviceToken, steps::TokenPair};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How the response that opens a session returns its tokens.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// Whether to return the device token as the cookie `__Secure-authapi-device` instead of the
    /// header `Device-Token`.
    #[param(default = false, required = false)]
    device_cookie: bool,
    /// Whether to return the refresh token as the cookie `__Secure-authapi-refresh` instead of the
    /// field `refresh_token`.
    #[param(default = false, required = false)]
    refresh_cookie: bool,
}

impl SessionQuery {
    /// Refuses cookies for a page that may not use them.
    pub fn check(self, request: &HttpRequest, settings: &HttpSettings) -> Result<(), Problem> {
        if self.device_cookie || self.refresh_cookie {
            CookieOrigins::of(settings).check_to_set(request.headers())
        } else {
            Ok(())
        }
    }
}

/// Access and refresh token (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
#[schema(as = TokenPair)]
pub struct TokenPairResponse<'a> {
    /// A JWT (RFC 9068). Send it as `Authorization: Bearer ...`.
    #[schema(example = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl")]
    access_token: &'a str,
    #[schema(inline)]
    token_type: TokenType,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: i64,
    /// Opaque, valid for one refresh. Keep it secret. Absent if it is in the cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        value_type = String,
        required = false,
        example = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA"
    )]
    refresh_token: Option<&'a str>,
    /// Seconds until the refresh token expires if it is not used.
    #[schema(example = 2_592_000)]
    refresh_expires_in: i64,
}

/// Returns the 200 response with `pair`, whose refresh token is in `cookies` if there are any.
pub fn token_pair(pair: &TokenPair, cookies: Option<RefreshCookies<'_>>) -> HttpResponse {
    with_pair(HttpResponse::Ok(), pair, cookies)
}

/// Returns the 200 response with `pair` and the device token of the new session.
pub fn opened_session(
    pair: &TokenPair,
    device: &DeviceToken,
    query: SessionQuery,
    settings: &HttpSettings,
) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if query.device_cookie {
        add_cookie(&mut response, device, &settings.cookie_path_prefix);
    } else {
        add_header(&mut response, device);
    }
    let cookies = query.refresh_cookie.then(|| RefreshCookies::of(settings));
    with_pair(response, pair, cookies)
}

/// Completes a response, which must not be cached (RFC 6749, section 5.1).
fn with_pair(
    mut response: HttpResponseBuilder,
    pair: &TokenPair,
    cookies: Option<RefreshCookies<'_>>,
) -> HttpResponse {
    let mut response = response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(TokenPairResponse {
            access_token: pair.access_token.expose(),
            token_type: TokenType::Bearer,
            expires_in: pair.expires_in.num_seconds(),
            refresh_token: cookies.is_none().then(|| pair.refresh_token.expose()),
            refresh_expires_in: pair.refresh_expires_in.num_seconds(),
        });
    if let Some(cookies) = cookies {
        cookies.set(&mut response, pair);
    }
    LoggedPrincipal(pair.user.into()).of(response)
}
