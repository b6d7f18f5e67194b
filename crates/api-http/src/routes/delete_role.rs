use super::dry_run::DryRunQuery;
use crate::{
    bearer::Authenticated,
    if_match::IfMatch,
    problem::{Problem, ProblemBody},
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{
    HttpResponse,
    web::{Data, Path, Query},
};
use domain::use_cases::DeleteRoleRequest;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// That a role would go.
#[derive(Serialize, ToSchema)]
pub struct DeleteRoleRequestRehearsal {
    /// Always true.
    dry_run: bool,
    /// The name of the role that would go.
    #[schema(example = "editor")]
    role: String,
    /// How many users have it: none, or it could not go.
    #[schema(example = 0)]
    holders: u64,
}

/// Removes a role that nobody has.
#[utoipa::path(
    delete,
    path = "/roles/{name}",
    tag = "roles",
    params(
        ("name" = String, Path, description = "The role's name."),
        DryRunQuery,
        ("If-Match" = Option<String>, Header, description = "Only while the role stands at this `ETag`."),
    ),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The role would go: the answer to a dry run.", body = DeleteRoleRequestRehearsal),
        (status = 204, description = "The role is gone."),
        (status = 400, description = "`malformed_request`: `If-Match` cannot be read", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`token_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`, `token_outdated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: needs `roles:write`; `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: the catalogue has no such role", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`role_in_use`, `role_built_in`, `role_default`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "`precondition_failed`: it does not stand at the revision of `If-Match`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, with errors for each parameter", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `overloaded`, with Retry-After", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn delete_role(
    edge: Data<Edge>,
    origin: RequestOrigin,
    Authenticated(caller): Authenticated,
    name: Path<String>,
    query: Query<DryRunQuery>,
    precondition: IfMatch,
) -> Result<HttpResponse, Problem> {
    let delete_role = Arc::clone(&edge.use_cases.administration.delete_role);
    let role = name.into_inner();
    let removal = DeleteRoleRequest {
        name: role.clone(),
        if_revision: precondition.0.revision(),
        dry_run: query.dry_run,
    };
    edge.mutations
        .run(async move { delete_role.execute(caller.capability()?, removal, origin.0).await })
        .await?;
    Ok(if query.dry_run {
        HttpResponse::Ok().json(DeleteRoleRequestRehearsal {
            dry_run: true,
            role,
            holders: 0,
        })
    } else {
        HttpResponse::NoContent().finish()
    })
}
