use super::role::RoleResponse;
use crate::{
    bearer::Authenticated,
    if_match::etag,
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
#[utoipa::path(
    get,
    path = "/roles/{name}",
    tag = "roles",
    params(("name" = String, Path, description = "The role's name.")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The role; `ETag` is the revision.", body = RoleResponse),
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
        .insert_header(etag(role.revision))
        .json(RoleResponse::from(role)))
}
