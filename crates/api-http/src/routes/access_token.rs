use actix_web::{HttpResponse, http::header};
use domain::steps::IssuedAccessToken;
use serde::Serialize;
use utoipa::ToSchema;

/// An access token without a refresh token (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
#[schema(as = AccessToken)]
pub struct AccessTokenResponse<'a> {
    /// A JWT (RFC 9068). Send it as `Authorization: Bearer ...`.
    access_token: &'a str,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: i64,
}

/// Returns the 200 response with `issued`, which must not be cached (RFC 6749, section 5.1).
pub fn access_token(issued: &IssuedAccessToken) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(AccessTokenResponse {
            access_token: issued.access_token.expose(),
            token_type: "Bearer",
            expires_in: issued.expires_in.num_seconds(),
        })
}
