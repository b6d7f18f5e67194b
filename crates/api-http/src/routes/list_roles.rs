use super::role::RoleResponse;
use crate::{
    bearer::Authenticated,
    chunked_body::chunked_json,
    problem::{
        Problem,
        documented::{PasswordChangeRequired, TokenRefused, Unavailable},
    },
    state::Edge,
};
use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

/// All roles, ordered by name.
#[derive(Serialize, ToSchema)]
#[schema(as = Roles)]
pub struct RolesResponse {
    roles: Vec<RoleResponse>,
}

/// Lists all roles.
///
/// The roles are ordered by name, each with its permissions.
#[utoipa::path(
    get,
    path = "/roles",
    tag = "roles",
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "All roles.", body = RolesResponse),
        TokenRefused, PasswordChangeRequired, Unavailable,
    )
)]
pub async fn list_roles(edge: Data<Edge>, _: Authenticated) -> Result<HttpResponse, Problem> {
    let roles = edge.use_cases.administration.list_roles.execute().await?;
    let roles = roles.into_iter().map(RoleResponse::from).collect();
    Ok(chunked_json(&RolesResponse { roles }))
}
