use super::account::AccountResponse;
use crate::{
    bearer::Authenticated,
    body::OptionalJsonBody,
    etag::EntityTag,
    if_match::IfMatch,
    problem::{
        Problem, ProblemBody,
        documented::{BodyRefused, IfMatchRefused, NoSuchUser, StepUpRefused, Unavailable},
    },
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use chrono::{DateTime, Utc};
use domain::{
    one_time_password::ResetCode,
    password::Password,
    steps::{ChangeRequest, UserRef},
    use_cases::PasswordReset,
    user::UserId,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// A one-time password of the administrator's choice.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPasswordRequest {
    #[schema(value_type = String, format = Password, example = "quiet otters paint the moon", min_length = 8, max_length = 256)]
    new_password: SecretString,
}

/// The user after a reset of the password, and the code if the service generated one.
#[derive(Serialize, ToSchema)]
#[schema(as = PasswordReset)]
struct PasswordResetResponse {
    /// The one-time password of the user, unless the request contained one. It is not shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "7k3md-0x2vq-9hw4c-tz81n", nullable = false)]
    reset_code: Option<String>,
    /// From when the one-time password opens no session.
    expires_at: DateTime<Utc>,
    user: AccountResponse,
}

/// Resets a user's password to a code that the service generates.
///
/// The user can log in with the code once, until it expires, and must then change the password.
/// Their tokens are invalid on every replica once the response is sent. A body with a password of
/// the administrator's choice is accepted only if the operator has enabled it. Requires the
/// permission `users:write`.
#[utoipa::path(
    put,
    path = "/users/{id}/password",
    tag = "users",
    params(
        ("id" = Uuid, Path, description = "The user's id."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the user must have."),
    ),
    request_body(content = Option<ResetPasswordRequest>),
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The code, and the user after the change with their `ETag`.", body = PasswordResetResponse, headers(("ETag" = String))),
        StepUpRefused, NoSuchUser, BodyRefused, IfMatchRefused, Unavailable,
        (status = 403, description = "`forbidden`: requires `users:write`; `own_password`, `chosen_password_disabled`, `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn reset_password(
    edge: Data<Edge>,
    origin: RequestOrigin,
    Authenticated(caller): Authenticated,
    id: Path<Uuid>,
    precondition: IfMatch,
    body: OptionalJsonBody<ResetPasswordRequest>,
) -> Result<HttpResponse, Problem> {
    let reset_password = Arc::clone(&edge.use_cases.administration.reset_password);
    let id = UserId(id.into_inner());
    let request = ChangeRequest {
        user: UserRef::Id(id),
        if_revision: precondition.revision_of(id),
        origin: origin.0,
    };
    let chosen = body
        .0
        .map(|body| Password::new(body.new_password.expose_secret().to_owned()));
    let reset = edge
        .mutations
        .run(async move {
            reset_password
                .execute(caller.capability()?, request, chosen)
                .await
        })
        .await?;
    Ok(password_reset(reset))
}

/// Returns the 200 response with `reset` and the `ETag` of the user.
fn password_reset(reset: PasswordReset) -> HttpResponse {
    let PasswordReset {
        user,
        code,
        expires_at,
    } = reset;
    HttpResponse::Ok()
        .insert_header(EntityTag::of_user(&user).header())
        .json(PasswordResetResponse {
            reset_code: code.as_ref().map(ResetCode::expose).map(str::to_owned),
            expires_at,
            user: user.into(),
        })
}
