use super::token_pair::{SessionQuery, TokenPairResponse, opened_session};
use crate::{
    bearer::EvenWithResetPassword,
    body::JsonBody,
    problem::{
        Problem, ProblemBody,
        documented::{BodyRefused, CookieOriginOrMachineRefused, TooManyAttempts, Unavailable},
    },
    query::QueryParameters,
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{HttpRequest, HttpResponse, web::Data};
use domain::{password::Password, use_cases::NewPasswordRequest};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The current and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePasswordRequest {
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    current_password: SecretString,
    #[schema(value_type = String, format = Password, example = "quiet otters paint the moon", min_length = 8, max_length = 256)]
    new_password: SecretString,
}

/// Changes the caller's password.
///
/// Returns tokens of a new session. All other sessions and tokens of the caller become invalid.
#[utoipa::path(
    put,
    path = "/me/password",
    tag = "own account",
    params(SessionQuery),
    request_body = ChangePasswordRequest,
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The password was changed and a new session opened.", body = TokenPairResponse, headers(("Device-Token" = String, description = "A token with which the device is known at its next login."), ("Set-Cookie" = String))),
        CookieOriginOrMachineRefused, BodyRefused, TooManyAttempts, Unavailable,
        (status = 422, description = "`validation_failed`, with errors for each field; `password_unchanged`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`invalid_credentials`: the current password is wrong; or `token_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`, `token_outdated`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn change_password(
    edge: Data<Edge>,
    origin: RequestOrigin,
    request: HttpRequest,
    EvenWithResetPassword(caller): EvenWithResetPassword,
    query: QueryParameters<SessionQuery>,
    body: JsonBody<ChangePasswordRequest>,
) -> Result<HttpResponse, Problem> {
    query.0.check(&request, &edge.settings)?;
    let change_password = Arc::clone(&edge.use_cases.core.change_password);
    let ChangePasswordRequest {
        current_password,
        new_password,
    } = body.0;
    let request = NewPasswordRequest {
        current: Password::new(current_password.expose_secret().to_owned()),
        new: Password::new(new_password.expose_secret().to_owned()),
    };
    let opened = edge
        .mutations
        .run(async move { change_password.execute(&caller, request, origin.0).await })
        .await?;
    Ok(opened_session(
        &opened.tokens,
        &opened.device,
        query.0,
        &edge.settings,
    ))
}
