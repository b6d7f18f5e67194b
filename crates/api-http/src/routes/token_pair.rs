use super::access_token::TokenType;
use crate::{device::DeviceQuery, logged_user::LoggedUser};
use actix_web::{HttpResponse, HttpResponseBuilder, http::header};
use domain::{device_token::DeviceToken, steps::TokenPair};
use serde::Serialize;
use utoipa::ToSchema;

/// Access and refresh token (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
#[schema(as = TokenPair)]
pub struct TokenPairResponse<'a> {
    /// A JWT (RFC 9068). Send it as `Authorization: Bearer ...`.
    access_token: &'a str,
    #[schema(inline)]
    token_type: TokenType,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: i64,
    /// Opaque, valid for one refresh. Keep it secret.
    #[schema(example = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA")]
    refresh_token: &'a str,
    /// Seconds until the refresh token expires if it is not used.
    #[schema(example = 2_592_000)]
    refresh_expires_in: i64,
}

/// Returns the 200 response with `pair`, which must not be cached (RFC 6749, section 5.1).
pub fn token_pair(pair: &TokenPair) -> HttpResponse {
    with_pair(HttpResponse::Ok(), pair)
}

/// Returns the 200 response with `pair` and the device token of the new session.
pub fn opened_session(pair: &TokenPair, device: &DeviceToken, query: DeviceQuery) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    query.add_to(&mut response, device);
    with_pair(response, pair)
}

fn with_pair(mut response: HttpResponseBuilder, pair: &TokenPair) -> HttpResponse {
    let response = response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(TokenPairResponse {
            access_token: pair.access_token.expose(),
            token_type: TokenType::Bearer,
            expires_in: pair.expires_in.num_seconds(),
            refresh_token: pair.refresh_token.expose(),
            refresh_expires_in: pair.refresh_expires_in.num_seconds(),
        });
    LoggedUser(pair.user).of(response)
}
