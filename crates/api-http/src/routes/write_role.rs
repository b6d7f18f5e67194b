use super::{dry_run::DryRunQuery, role::RoleResponse};
use crate::{
    bearer::Authenticated,
    body::JsonBody,
    if_match::{IfMatch, etag},
    problem::{
        Problem, ProblemBody,
        documented::{BodyRefused, IfMatchWithBodyRefused, TokenRefused, Unavailable},
    },
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Path, Query},
};
use domain::{changes::RoleWritten, use_cases::RoleRequest};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A role as it shall be, whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteRoleRequest {
    /// What it is for: at most 200 characters, none when it is left out.
    #[serde(default)]
    #[schema(example = "Edits articles.", max_length = 200)]
    description: String,
    /// What it allows: all of it, at most 64, each `subject:verb`.
    #[schema(example = json!(["articles:write"]), max_items = 64)]
    permissions: Vec<String>,
    /// Whether users may take it themselves; not, when it is left out.
    #[serde(default)]
    self_assignable: bool,
}

/// What writing a role would come to.
#[derive(Serialize, ToSchema)]
#[schema(as = RoleRehearsal)]
pub struct RoleDryRun {
    /// Always true.
    dry_run: bool,
    /// Whether the role would be new.
    created: bool,
    /// The role as it would be.
    role: RoleResponse,
    /// How many users have it.
    holders: u64,
}

/// The role as it is now; on a dry run, what would change.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum RoleOutcome {
    Written(RoleResponse),
    DryRun(RoleDryRun),
}

/// Makes a role, or gives one other properties. What it allows is in force at once for everybody who has it; nobody is
/// logged out.
#[utoipa::path(
    put,
    path = "/roles/{name}",
    tag = "roles",
    params(
        ("name" = String, Path, description = "1 to 64 of `a-z`, `0-9`, `_` and `-`, a letter first; not `update`."),
        DryRunQuery,
        ("If-Match" = Option<String>, Header, description = "Only while the role is there and stands at this `ETag`."),
    ),
    request_body = WriteRoleRequest,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The role as it is now, with an `ETag`; on a dry run, what would change.", body = RoleOutcome),
        (status = 201, description = "The role is new; `Location` tells where, `ETag` the revision.", body = RoleResponse),
        TokenRefused, BodyRefused, IfMatchWithBodyRefused, Unavailable,
        (status = 403, description = "`forbidden`: needs `roles:write`; `permission_not_grantable`, `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`role_built_in`, `catalogue_full`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "`precondition_failed`: it does not stand at the revision of `If-Match`, or is not there", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[expect(clippy::too_many_arguments, reason = "each is a part of the request")]
pub async fn write_role(
    edge: Data<Edge>,
    request: HttpRequest,
    origin: RequestOrigin,
    Authenticated(caller): Authenticated,
    name: Path<String>,
    query: Query<DryRunQuery>,
    precondition: IfMatch,
    body: JsonBody<WriteRoleRequest>,
) -> Result<HttpResponse, Problem> {
    let write_role = Arc::clone(&edge.use_cases.administration.write_role);
    let wanted = RoleRequest {
        name: name.into_inner(),
        description: body.0.description,
        permissions: body.0.permissions,
        self_assignable: body.0.self_assignable,
        precondition: precondition.0,
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
            dry_run: true,
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
        .insert_header(etag(written.role.revision))
        .json(RoleOutcome::Written(written.role.into()))
}
