use super::dry_run::DryRunQuery;
use crate::{
    bearer::Authenticated,
    if_match::IfMatch,
    problem::{
        Problem, ProblemBody,
        documented::{IfMatchRefused, NoSuchRole, ParametersRefused, TokenRefused, Unavailable},
    },
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
#[schema(as = RoleRemovalRehearsal)]
pub struct RoleRemovalDryRun {
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
        (status = 200, description = "The role would go: the answer to a dry run.", body = RoleRemovalDryRun),
        (status = 204, description = "The role is gone."),
        TokenRefused, NoSuchRole, IfMatchRefused, ParametersRefused, Unavailable,
        (status = 403, description = "`forbidden`: needs `roles:write`; `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`role_in_use`, `role_built_in`, `role_default`", body = ProblemBody, content_type = "application/problem+json"),
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
        HttpResponse::Ok().json(RoleRemovalDryRun {
            dry_run: true,
            role,
            holders: 0,
        })
    } else {
        HttpResponse::NoContent().finish()
    })
}
