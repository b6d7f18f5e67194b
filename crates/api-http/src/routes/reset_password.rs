use super::account::{AccountResponse, account};
use crate::{
    bearer::Authenticated,
    body::JsonBody,
    if_match::IfMatch,
    problem::{
        Problem, ProblemBody,
        documented::{BodyRefused, IfMatchWithBodyRefused, NoSuchUser, TokenRefused, Unavailable},
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

/// The password that the user logs in with next.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPasswordRequest {
    #[schema(value_type = String, format = Password, example = "quiet otters paint the moon", min_length = 8, max_length = 256)]
    new_password: SecretString,
}

/// Gives a user a password that they must change after their next login. Every token of theirs is refused on every replica
/// when the answer arrives.
#[utoipa::path(
    put,
    path = "/users/{id}/password",
    tag = "users",
    params(
        ("id" = Uuid, Path, description = "The user's id."),
        ("If-Match" = Option<String>, Header, description = "Only while the user stands at this `ETag`."),
    ),
    request_body = ResetPasswordRequest,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The user as they are now; `ETag` tells the revision.", body = AccountResponse),
        TokenRefused, NoSuchUser, BodyRefused, IfMatchWithBodyRefused, Unavailable,
        (status = 403, description = "`forbidden`: needs `users:write`; `own_password`, `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
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
    let request = ChangeRequest {
        user: UserRef::Id(UserId(id.into_inner())),
        if_revision: precondition.0.revision(),
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
