use crate::{
    bearer::Authenticated,
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
use std::sync::Arc;
use uuid::Uuid;

/// Deletes a user for good. Their tokens are refused on every replica when the answer arrives; their login is free again.
#[utoipa::path(
    delete,
    path = "/users/{id}",
    tag = "users",
    params(
        ("id" = Uuid, Path, description = "The user's id."),
        ("If-Match" = Option<String>, Header, description = "Only while the user stands at this `ETag`."),
    ),
    security(("bearer" = [])),
    responses(
        (status = 204, description = "The user is gone."),
        (status = 400, description = "`malformed_request`: `If-Match` cannot be read", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`token_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`, `token_outdated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: needs `users:write`; `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such user", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`last_admin`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "`precondition_failed`: it does not stand at the revision of `If-Match`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `overloaded`, with Retry-After", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn delete_user(
    edge: Data<Edge>,
    origin: RequestOrigin,
    Authenticated(caller): Authenticated,
    id: Path<Uuid>,
    precondition: IfMatch,
) -> Result<HttpResponse, Problem> {
    let delete_user = Arc::clone(&edge.use_cases.administration.delete_user);
    let request = ChangeRequest {
        user: UserRef::Id(UserId(id.into_inner())),
        if_revision: precondition.0.revision(),
        origin: origin.0,
    };
    edge.mutations
        .run(async move { delete_user.execute(caller.capability()?, request).await })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
