use super::role::RoleResponse;
use crate::{
    bearer::Authenticated,
    if_match::etag,
    problem::{Problem, ProblemBody},
    state::Edge,
};
use actix_web::{
    HttpResponse,
    web::{Data, Path},
};

/// Shows one role.
#[utoipa::path(
    get,
    path = "/roles/{name}",
    tag = "roles",
    params(("name" = String, Path, description = "The role's name.")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The role; `ETag` tells the revision.", body = RoleResponse),
        (status = 401, description = "`token_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`, `token_outdated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: the catalogue has no such role", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `overloaded`, with Retry-After", body = ProblemBody, content_type = "application/problem+json"),
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
