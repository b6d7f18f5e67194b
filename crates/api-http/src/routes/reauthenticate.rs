use super::access_token::{AccessTokenResponse, access_token};
use crate::{
    bearer::AuthenticatedUser,
    body::JsonBody,
    metrics,
    problem::{
        Problem,
        documented::{BodyRefused, OwnAccountRefused, PasswordWrong, TooManyAttempts, Unavailable},
    },
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{HttpResponse, web::Data};
use domain::password::Password;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The caller's password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReauthenticateRequest {
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    password: SecretString,
}

/// Checks the caller's password again.
///
/// Returns an access token that suffices for changes answered with
/// `insufficient_user_authentication` (RFC 9470). Earlier access tokens stay valid, but do not
/// suffice. The refresh token stays the same.
#[utoipa::path(
    post,
    path = "/me/reauthenticate",
    tag = "own account",
    request_body = ReauthenticateRequest,
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The password is right; this is a new access token of the session.", body = AccessTokenResponse),
        PasswordWrong, OwnAccountRefused, BodyRefused, TooManyAttempts, Unavailable,
    )
)]
pub async fn reauthenticate(
    edge: Data<Edge>,
    origin: RequestOrigin,
    AuthenticatedUser(caller): AuthenticatedUser,
    body: JsonBody<ReauthenticateRequest>,
) -> Result<HttpResponse, Problem> {
    let reauthenticate = Arc::clone(&edge.use_cases.core.reauthenticate);
    let password = Password::new(body.0.password.expose_secret().to_owned());
    let issued = edge
        .mutations
        .run(async move {
            let outcome = reauthenticate.execute(&caller, password, origin.0).await;
            metrics::record_reauthentication(outcome.map_err(Problem::from))
        })
        .await?;
    Ok(access_token(&issued))
}
