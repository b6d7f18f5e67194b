use crate::{
    bearer::Authenticated,
    if_match::IfMatch,
    problem::{
        Problem, ProblemBody,
        documented::{IfMatchRefused, LastAdmin, NoSuchUser, TokenRefused, Unavailable},
    },
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
        TokenRefused, NoSuchUser, LastAdmin, IfMatchRefused, Unavailable,
        (status = 403, description = "`forbidden`: needs `users:write`; `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
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
