use crate::{
    bearer::Authenticated,
    if_match::IfMatch,
    problem::{
        Problem,
        documented::{IfMatchRefused, LastAdmin, NoSuchUser, StepUpRefused, Unavailable, UsersWriteRefused},
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

/// Deletes a user permanently.
///
/// The user's tokens are invalid on every replica once the response is sent. The login becomes
/// available again. Requires the permission `users:write`.
#[utoipa::path(
    delete,
    path = "/users/{id}",
    tag = "users",
    params(
        ("id" = Uuid, Path, description = "The user's id."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the user must have."),
    ),
    security(("accessToken" = [])),
    responses(
        (status = 204, description = "The user was deleted."),
        StepUpRefused, UsersWriteRefused, NoSuchUser, LastAdmin, IfMatchRefused, Unavailable,
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
    let id = UserId(id.into_inner());
    let request = ChangeRequest {
        user: UserRef::Id(id),
        if_revision: precondition.revision_of(id),
        origin: origin.0,
    };
    edge.mutations
        .run(async move { delete_user.execute(caller.capability()?, request).await })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
