use super::account::{AccountResponse, account};
use crate::{
    bearer::Authenticated,
    problem::{
        Problem,
        documented::{NoSuchUser, TokenRefused, Unavailable, UsersReadRefused},
    },
    state::Edge,
};
use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use domain::{steps::UserRef, user::UserId};
use uuid::Uuid;

/// Returns a user.
///
/// Its `ETag` makes a later change conditional. Requires the permission `users:read`.
#[utoipa::path(
    get,
    path = "/users/{id}",
    tag = "users",
    params(
        ("id" = Uuid, Path, description = "The user's id."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` that the client has."),
    ),
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The user, with an `ETag`.", body = AccountResponse, headers(("ETag" = String))),
        (status = 304, description = "The user still has the `ETag` in `If-None-Match`.", headers(("ETag" = String))),
        TokenRefused, UsersReadRefused, NoSuchUser, Unavailable,
    )
)]
pub async fn show_user(
    edge: Data<Edge>,
    Authenticated(caller): Authenticated,
    id: Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let user_ref = UserRef::Id(UserId(id.into_inner()));
    let user = edge
        .use_cases
        .administration
        .find_users
        .one(caller.capability()?, &user_ref)
        .await?;
    user.map(account).ok_or_else(Problem::no_such_user)
}
