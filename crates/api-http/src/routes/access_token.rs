use actix_web::{HttpResponse, http::header};
use domain::steps::IssuedAccessToken;
use serde::Serialize;
use utoipa::ToSchema;

/// An access token without a refresh token (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
#[schema(as = AccessToken)]
pub struct AccessTokenResponse<'a> {
    /// A JWT (RFC 9068). Send it as `Authorization: Bearer ...`.
    #[schema(example = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl")]
    access_token: &'a str,
    #[schema(inline)]
    token_type: TokenType,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: i64,
}

/// The type of the access token (RFC 6750).
#[derive(Clone, Copy, Serialize, ToSchema)]
pub enum TokenType {
    Bearer,
}

/// Returns the 200 response with `issued`, which must not be cached (RFC 6749, section 5.1).
pub fn access_token(issued: &IssuedAccessToken) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(AccessTokenResponse {
            access_token: issued.access_token.expose(),
            token_type: TokenType::Bearer,
            expires_in: issued.expires_in.num_seconds(),
        })
}
