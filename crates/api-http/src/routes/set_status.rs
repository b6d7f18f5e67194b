use super::account::{AccountResponse, StatusName, account};
use crate::{
    bearer::Authenticated,
    body::JsonBody,
    if_match::IfMatch,
    problem::{
        Problem,
        documented::{
            BodyRefused, IfMatchRefused, LastAdmin, NoSuchUser, StepUpRefused, Unavailable, UsersWriteRefused,
        },
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
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// The new status of a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"status": "disabled"}))]
pub struct UpdateUserRequest {
    status: StatusName,
}

/// Disables or enables a user.
///
/// The tokens of a disabled user are invalid on every replica once the response is sent. Requires
/// the permission `users:write`.
#[utoipa::path(
    patch,
    path = "/users/{id}",
    tag = "users",
    params(
        ("id" = Uuid, Path, description = "The user's id."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the user must have."),
    ),
    request_body = UpdateUserRequest,
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The user after the change, with an `ETag`.", body = AccountResponse, headers(("ETag" = String))),
        StepUpRefused, UsersWriteRefused, NoSuchUser, LastAdmin, BodyRefused, IfMatchRefused, Unavailable,
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
    let id = UserId(id.into_inner());
    let request = ChangeRequest {
        user: UserRef::Id(id),
        if_revision: precondition.revision_of(id),
        origin: origin.0,
    };
    let status = body.0.status.into();
    let user = edge
        .mutations
        .run(async move { set_status.execute(caller.capability()?, request, status).await })
        .await?;
    Ok(account(user))
}
