use super::{
    dry_run::{DryRunMark, DryRunQuery},
    role::{PermissionText, RoleResponse},
};
use crate::{
    bearer::Authenticated,
    body::JsonBody,
    etag::EntityTag,
    if_match::RolePrecondition,
    problem::{
        Problem, ProblemBody,
        documented::{BodyRefused, IfMatchRefused, StepUpRefused, Unavailable},
    },
    query::QueryParameters,
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Path},
};
use domain::{changes::RoleWritten, use_cases::RoleRequest};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// The complete new contents of a role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteRoleRequest {
    /// Purpose of the role, at most 200 characters. Empty if omitted.
    #[serde(default)]
    #[schema(example = "Edits articles.", max_length = 200)]
    description: String,
    /// All permissions of the role, at most 64, each `subject:verb`.
    #[schema(value_type = Vec<PermissionText>, example = json!(["articles:write"]), max_items = 64)]
    permissions: Vec<String>,
    /// Whether users may assign the role to themselves. False if omitted.
    #[serde(default)]
    #[schema(example = false)]
    self_assignable: bool,
}

/// The result of a dry run.
#[derive(Serialize, ToSchema)]
pub struct RoleDryRun {
    #[schema(inline)]
    dry_run: DryRunMark,
    /// Whether the role would be created.
    created: bool,
    /// The role after the change.
    role: RoleResponse,
    /// Number of users who have the role.
    holders: u64,
}

/// The role after the change; for a dry run, what would change.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum RoleOutcome {
    Written(RoleResponse),
    DryRun(RoleDryRun),
}

/// Creates or replaces a role.
///
/// The new permissions apply at once to every user who has the role. No session ends. Requires the
/// permission `roles:write`.
#[utoipa::path(
    put,
    path = "/roles/{name}",
    tag = "roles",
    params(
        ("name" = String, Path, description = "1 to 64 of `a-z`, `0-9`, `_` and `-`, starting with a letter; not `update`.", max_length = 64, pattern = "^[a-z][a-z0-9_-]*$"),
        DryRunQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the existing role must have."),
        ("If-None-Match" = Option<String>, Header, description = "`*`, so that an existing role is not replaced."),
    ),
    request_body = WriteRoleRequest,
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The role after the change, with an `ETag`; for a dry run, what would change.", body = RoleOutcome, headers(("ETag" = String))),
        (status = 201, description = "The role was created; `Location` is its URL.", body = RoleResponse, headers(("ETag" = String), ("Location" = String))),
        StepUpRefused, BodyRefused, IfMatchRefused, Unavailable,
        (status = 403, description = "`forbidden`: requires `roles:write`; `permission_not_grantable`, `self_assignable_not_grantable`, `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`role_built_in`, `catalogue_full`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "`precondition_failed`: the role does not match `If-Match`, or does not exist, or does despite `If-None-Match: *`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[expect(clippy::too_many_arguments, reason = "each is a part of the request")]
pub async fn write_role(
    edge: Data<Edge>,
    request: HttpRequest,
    origin: RequestOrigin,
    Authenticated(caller): Authenticated,
    name: Path<String>,
    QueryParameters(query): QueryParameters<DryRunQuery>,
    RolePrecondition(precondition): RolePrecondition,
    body: JsonBody<WriteRoleRequest>,
) -> Result<HttpResponse, Problem> {
    let write_role = Arc::clone(&edge.use_cases.administration.write_role);
    let wanted = RoleRequest {
        name: name.into_inner(),
        description: body.0.description,
        permissions: body.0.permissions,
        self_assignable: body.0.self_assignable,
        precondition,
        dry_run: query.dry_run,
    };
    let written = edge
        .mutations
        .run(async move { write_role.execute(caller.capability()?, wanted, origin.0).await })
        .await?;
    Ok(if query.dry_run {
        HttpResponse::Ok().json(RoleOutcome::DryRun(written.into()))
    } else {
        answer(written, request.path())
    })
}

impl From<RoleWritten> for RoleDryRun {
    fn from(written: RoleWritten) -> Self {
        Self {
            dry_run: DryRunMark,
            created: written.created,
            role: written.role.into(),
            holders: written.holders,
        }
    }
}

fn answer(written: RoleWritten, path: &str) -> HttpResponse {
    let mut response = if written.created {
        HttpResponse::Created()
    } else {
        HttpResponse::Ok()
    };
    if written.created {
        response.insert_header((header::LOCATION, path));
    }
    response
        .insert_header(EntityTag::of_role(written.role.revision).header())
        .json(RoleOutcome::Written(written.role.into()))
}
