use super::{
    dry_run::{DryRunMark, DryRunQuery},
    user::UserResponse,
};
use crate::{
    bearer::Authenticated,
    body::JsonBody,
    etag::EntityTag,
    if_match::IfMatch,
    problem::{
        Problem, ProblemBody,
        documented::{
            BodyRefused, IfMatchRefused, LastAdmin, StepUpRefused, TooManyAttempts, Unavailable, UnknownRole,
        },
    },
    query::QueryParameters,
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{HttpResponse, web::Data};
use domain::{
    authority::Requester,
    steps::UserRef,
    use_cases::{self, AssignRolesOutcome, Assignee},
    user::User,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// The new roles of a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
// Every user may send this for themselves: another `login` requires a permission.
#[schema(example = json!({"new_roles": ["user"]}))]
pub struct AssignRolesRequest {
    /// All roles that the user will have. Roles not listed are removed.
    #[schema(example = json!(["user"]))]
    new_roles: Vec<String>,
    /// The user's login; the caller if omitted. Changing another user requires `roles:assign`.
    #[schema(example = "bob")]
    login: Option<String>,
    /// Keep the user's sessions. Their next refresh returns tokens with the new roles.
    #[serde(default)]
    #[schema(example = false)]
    keep_sessions: bool,
}

/// The result of a dry run.
#[derive(Serialize, ToSchema)]
pub struct UserDryRun {
    #[schema(inline)]
    dry_run: DryRunMark,
    /// The user after the change.
    user: UserResponse,
    /// Number of live sessions that would end.
    sessions_ended: u64,
    /// Whether all existing access tokens would become invalid.
    access_tokens_revoked: bool,
}

/// The user after the change; for a dry run, what would change.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum UserOutcome {
    Changed(UserResponse),
    DryRun(UserDryRun),
}

/// Changes the roles of the caller or of another user.
///
/// Tokens issued before are invalid on every replica once the response is sent.
#[utoipa::path(
    put,
    path = "/roles/update",
    tag = "main",
    params(
        DryRunQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the user must have."),
    ),
    request_body = AssignRolesRequest,
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The user after the change, with an `ETag`; for a dry run, what would change.", body = UserOutcome, headers(("ETag" = String))),
        StepUpRefused, LastAdmin, BodyRefused, IfMatchRefused, UnknownRole, TooManyAttempts, Unavailable,
        (status = 403, description = "`forbidden`: another user requires `roles:assign`; `role_not_assignable`, `out_of_reach`, `password_change_required`; `user_required`: a machine must name a user", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: no user has this login", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn assign_roles(
    edge: Data<Edge>,
    origin: RequestOrigin,
    Authenticated(caller): Authenticated,
    QueryParameters(query): QueryParameters<DryRunQuery>,
    precondition: IfMatch,
    body: JsonBody<AssignRolesRequest>,
) -> Result<HttpResponse, Problem> {
    let assign_roles = Arc::clone(&edge.use_cases.core.assign_roles);
    let AssignRolesRequest {
        new_roles,
        login,
        keep_sessions,
    } = body.0;
    let request = use_cases::AssignRolesRequest {
        assignee: login.map_or(Assignee::Caller, |login| Assignee::User(UserRef::Login(login))),
        new_roles,
        keep_sessions,
        if_revision: precondition.user_revision(),
        dry_run: query.dry_run,
    };
    let assigned = edge
        .mutations
        .run(async move {
            let requester = Requester::Caller(&caller);
            assign_roles.execute(requester, request, origin.0).await
        })
        .await?;
    Ok(if query.dry_run {
        HttpResponse::Ok().json(UserOutcome::DryRun(assigned.into()))
    } else {
        changed(assigned.user)
    })
}

impl From<AssignRolesOutcome> for UserDryRun {
    fn from(assigned: AssignRolesOutcome) -> Self {
        Self {
            dry_run: DryRunMark,
            user: assigned.user.into(),
            sessions_ended: assigned.sessions_ended,
            access_tokens_revoked: assigned.access_tokens_revoked,
        }
    }
}

fn changed(user: User) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(EntityTag::of_user(&user).header())
        .json(UserOutcome::Changed(user.into()))
}
