use crate::{
    bearer::AuthenticatedUser,
    body::JsonBody,
    problem::{
        Problem,
        documented::{
            BodyRefused, LastAdmin, OwnAccountRefused, PasswordWrong, TooManyAttempts, Unavailable,
        },
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

/// The caller's password, so that a stolen token does not suffice.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteOwnAccountRequest {
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    password: SecretString,
}

/// Deletes the caller's account permanently.
///
/// The user's tokens are invalid on every replica once the response is sent. The login becomes
/// available again.
#[utoipa::path(
    delete,
    path = "/me",
    tag = "own account",
    request_body = DeleteOwnAccountRequest,
    security(("accessToken" = [])),
    responses(
        (status = 204, description = "The account was deleted."),
        PasswordWrong, OwnAccountRefused, LastAdmin, BodyRefused, TooManyAttempts, Unavailable,
    )
)]
pub async fn delete_own_account(
    edge: Data<Edge>,
    origin: RequestOrigin,
    AuthenticatedUser(caller): AuthenticatedUser,
    body: JsonBody<DeleteOwnAccountRequest>,
) -> Result<HttpResponse, Problem> {
    let delete_own_account = Arc::clone(&edge.use_cases.core.delete_own_account);
    let password = Password::new(body.0.password.expose_secret().to_owned());
    edge.mutations
        .run(async move { delete_own_account.execute(&caller, password, origin.0).await })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
