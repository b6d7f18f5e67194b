use super::account::{AccountResponse, account};
use crate::{
    bearer::Authenticated,
    body::JsonBody,
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
use domain::{
    password::Password,
    steps::{ChangeRequest, UserRef},
    user::UserId,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// The user's next password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPasswordRequest {
    #[schema(value_type = String, format = Password, example = "quiet otters paint the moon", min_length = 8, max_length = 256)]
    new_password: SecretString,
}

/// Sets a user's password, which they must change after their next login. Their tokens are invalid
/// on every replica once the response is sent.
#[utoipa::path(
    put,
    path = "/users/{id}/password",
    tag = "users",
    params(
        ("id" = Uuid, Path, description = "The user's id."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the user must have."),
    ),
    request_body = ResetPasswordRequest,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The user after the change, with an `ETag`.", body = AccountResponse),
        StepUpRefused, NoSuchUser, BodyRefused, IfMatchRefused, Unavailable,
        (status = 403, description = "`forbidden`: requires `users:write`; `own_password`, `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn reset_password(
    edge: Data<Edge>,
    origin: RequestOrigin,
    Authenticated(caller): Authenticated,
    id: Path<Uuid>,
    precondition: IfMatch,
    body: JsonBody<ResetPasswordRequest>,
) -> Result<HttpResponse, Problem> {
    let reset_password = Arc::clone(&edge.use_cases.administration.reset_password);
    let id = UserId(id.into_inner());
    let request = ChangeRequest {
        user: UserRef::Id(id),
        if_revision: precondition.revision_of(id),
        origin: origin.0,
    };
    let password = Password::new(body.0.new_password.expose_secret().to_owned());
    let user = edge
        .mutations
        .run(async move {
            reset_password
                .execute(caller.capability()?, request, password)
                .await
        })
        .await?;
    Ok(account(user))
}
