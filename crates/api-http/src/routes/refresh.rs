use super::token_pair::{TokenPairResponse, token_pair};
use crate::{
    bearer::bearer_token,
    body::OptionalJsonBody,
    metrics,
    problem::{Problem, ProblemBody, documented::BodyRefused},
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{HttpRequest, HttpResponse, web::Data};
use domain::refresh_token::RefreshToken;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The refresh token, for clients that cannot set the header.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    #[schema(value_type = String, format = Password, example = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA")]
    refresh_token: SecretString,
}

/// Exchanges a refresh token for new tokens.
///
/// Send the token in the header or in the body. Within the grace window a repeated request returns
/// the same successor, so that a lost response does not log the user out. Any older token ends the
/// session, because it must have been copied.
#[utoipa::path(
    post,
    path = "/refresh",
    tag = "main",
    request_body(content = Option<RefreshRequest>),
    security(("refreshToken" = []), ()),
    responses(
        (status = 200, description = "The new tokens of the session.", body = TokenPairResponse),
        BodyRefused,
        (status = 400, description = "`malformed_request`, also if both header and body contain a token; `precondition_unsupported`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`token_missing`, `refresh_token_invalid`, `refresh_token_reused`, `session_revoked`, `session_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `overloaded`, with Retry-After; the token is still valid", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn refresh(
    edge: Data<Edge>,
    origin: RequestOrigin,
    request: HttpRequest,
    body: OptionalJsonBody<RefreshRequest>,
) -> Result<HttpResponse, Problem> {
    let token = the_one_token(&request, body.0)?;
    let refresh = Arc::clone(&edge.use_cases.core.refresh);
    let pair = edge
        .mutations
        .run(async move {
            let outcome = refresh.execute(&token, origin.0).await;
            metrics::record_refresh(outcome.map_err(Problem::from))
        })
        .await?;
    Ok(token_pair(&pair))
}

/// Returns the token from the header or from the body. A client must use only one of these methods
/// (RFC 6750, section 2).
fn the_one_token(request: &HttpRequest, body: Option<RefreshRequest>) -> Result<RefreshToken, Problem> {
    match (bearer_token(request)?, body) {
        (Some(token), None) => Ok(RefreshToken::new(token.expose().to_owned())),
        (None, Some(body)) => Ok(RefreshToken::new(body.refresh_token.expose_secret().to_owned())),
        (None, None) => Err(Problem::token_missing()),
        (Some(_), Some(_)) => Err(Problem::malformed_request(
            "Send the refresh token in the header or in the body, not in both.",
        )),
    }
}
