use super::role::RoleResponse;
use crate::{
    bearer::Authenticated,
    etag::EntityTag,
    problem::{
        Problem,
        documented::{NoSuchRole, PasswordChangeRequired, TokenRefused, Unavailable},
    },
    state::Edge,
};
use actix_web::{
    HttpResponse,
    web::{Data, Path},
};

/// Returns a role.
///
/// Its `ETag` makes a later change conditional.
#[utoipa::path(
    get,
    path = "/roles/{name}",
    tag = "roles",
    params(
        ("name" = String, Path, description = "The role's name."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` that the client has."),
    ),
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The role, with an `ETag`.", body = RoleResponse, headers(("ETag" = String))),
        (status = 304, description = "The role still has the `ETag` in `If-None-Match`.", headers(("ETag" = String))),
        TokenRefused, PasswordChangeRequired, NoSuchRole, Unavailable,
    )
)]
pub async fn show_role(
    edge: Data<Edge>,
    _: Authenticated,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let roles = edge.use_cases.administration.list_roles.execute().await?;
    let role = roles
        .into_iter()
        .find(|role| role.name.as_str() == name.as_str())
        .ok_or_else(Problem::no_such_role)?;
    Ok(HttpResponse::Ok()
        .insert_header(EntityTag::of_role(role.revision).header())
        .json(RoleResponse::from(role)))
}
