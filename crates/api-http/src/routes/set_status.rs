use super::account::{AccountResponse, StatusName, account};
use crate::{
    bearer::Authenticated,
    body::JsonBody,
    if_match::IfMatch,
    problem::{Problem, ProblemBody},
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use domain::{
    steps::{ChangeRequest, UserRef},
    user::UserId,
};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// What shall be different about a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUserRequest {
    status: StatusName,
}

/// Disables or enables a user. Every token of a disabled user is refused on every replica when the answer arrives.
#[utoipa::path(
    patch,
    path = "/users/{id}",
    tag = "users",
    params(
        ("id" = Uuid, Path, description = "The user's id."),
        ("If-Match" = Option<String>, Header, description = "Only while the user stands at this `ETag`."),
    ),
    request_body = UpdateUserRequest,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The user as they are now; `ETag` tells the revision.", body = AccountResponse),
        (status = 400, description = "`malformed_request`, also when `If-Match` cannot be read", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`token_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`, `token_outdated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: needs `users:write`; `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such user", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`last_admin`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "`precondition_failed`: it does not stand at the revision of `If-Match`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`payload_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, with errors for each field", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `overloaded`, with Retry-After", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn set_status(
    edge: Data<Edge>,
    origin: RequestOrigin,
    Authenticated(caller): Authenticated,
    id: Path<Uuid>,
    precondition: IfMatch,
    body: JsonBody<UpdateUserRequest>,
) -> Result<HttpResponse, Problem> {
    let set_status = Arc::clone(&edge.use_cases.administration.set_status);
    let request = ChangeRequest {
        user: UserRef::Id(UserId(id.into_inner())),
        if_revision: precondition.0.revision(),
        origin: origin.0,
    };
    let status = body.0.status.into();
    let user = edge
        .mutations
        .run(async move { set_status.execute(caller.capability()?, request, status).await })
        .await?;
    Ok(account(user))
}
