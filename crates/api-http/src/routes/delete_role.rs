use super::dry_run::{DryRunMark, DryRunQuery};
use crate::{
    bearer::Authenticated,
    if_match::IfMatch,
    problem::{
        Problem, ProblemBody,
        documented::{IfMatchRefused, NoSuchRole, StepUpRefused, Unavailable},
    },
    query::QueryParameters,
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use domain::use_cases::DeleteRoleRequest;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The result of a dry run.
#[derive(Serialize, ToSchema)]
pub struct RoleRemovalDryRun {
    #[schema(inline)]
    dry_run: DryRunMark,
    /// Name of the role that would be deleted.
    #[schema(example = "editor")]
    role: String,
    /// Number of users who have the role: always 0, because a role in use is not deleted.
    #[schema(example = 0)]
    holders: u64,
}

/// Deletes a role.
///
/// A role that users have is not deleted. Requires the permission `roles:write`.
#[utoipa::path(
    delete,
    path = "/roles/{name}",
    tag = "roles",
    params(
        ("name" = String, Path, description = "The role's name."),
        DryRunQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the role must have."),
    ),
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "Dry run: the role would be deleted.", body = RoleRemovalDryRun),
        (status = 204, description = "The role was deleted."),
        StepUpRefused, NoSuchRole, IfMatchRefused, Unavailable,
        (status = 403, description = "`forbidden`: requires `roles:write`; `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`role_in_use`, `role_built_in`, `role_default`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn delete_role(
    edge: Data<Edge>,
    origin: RequestOrigin,
    Authenticated(caller): Authenticated,
    name: Path<String>,
    QueryParameters(query): QueryParameters<DryRunQuery>,
    precondition: IfMatch,
) -> Result<HttpResponse, Problem> {
    let delete_role = Arc::clone(&edge.use_cases.administration.delete_role);
    let role = name.into_inner();
    let removal = DeleteRoleRequest {
        name: role.clone(),
        if_revision: precondition.role_revision(),
        dry_run: query.dry_run,
    };
    edge.mutations
        .run(async move { delete_role.execute(caller.capability()?, removal, origin.0).await })
        .await?;
    Ok(if query.dry_run {
        HttpResponse::Ok().json(RoleRemovalDryRun {
            dry_run: DryRunMark,
            role,
            holders: 0,
        })
    } else {
        HttpResponse::NoContent().finish()
    })
}
