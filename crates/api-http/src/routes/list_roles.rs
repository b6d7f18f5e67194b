use super::role::RoleResponse;
use crate::{
    bearer::Authenticated,
    pieces::Pieces,
    problem::{Problem, ProblemBody},
    state::Edge,
};
use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

/// The catalogue, in the order of the roles' names.
#[derive(Serialize, ToSchema)]
#[schema(as = Roles)]
pub struct RolesResponse {
    roles: Vec<RoleResponse>,
}

/// Lists the roles that there are.
#[utoipa::path(
    get,
    path = "/roles",
    tag = "roles",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "All roles.", body = RolesResponse),
        (status = 401, description = "`token_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`, `token_outdated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `overloaded`, with Retry-After", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list_roles(edge: Data<Edge>, _: Authenticated) -> Result<HttpResponse, Problem> {
    let roles = edge.use_cases.administration.list_roles.execute().await?;
    let roles = roles.into_iter().map(RoleResponse::from).collect();
    Ok(Pieces::json(&RolesResponse { roles }))
}
