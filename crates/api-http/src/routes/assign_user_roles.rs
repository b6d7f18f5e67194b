use super::{
    account::AccountResponse,
    dry_run::{DryRunMark, DryRunQuery},
};
use crate::{
    bearer::Authenticated,
    body::JsonBody,
    etag::EntityTag,
    if_match::IfMatch,
    problem::{
        Problem, ProblemBody,
        documented::{
            BodyRefused, IfMatchRefused, LastAdmin, NoSuchUser, StepUpRefused, TooManyAttempts, Unavailable,
            UnknownRole,
        },
    },
    query::QueryParameters,
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use domain::{
    authority::Requester,
    steps::UserRef,
    use_cases::{AssignRolesOutcome, AssignRolesRequest, Assignee},
    user::{User, UserId},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// The new roles of a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignUserRolesRequest {
    /// All roles that the user will have. Roles not listed are removed.
    #[schema(example = json!(["user"]))]
    new_roles: Vec<String>,
    /// Keep the user's sessions. Their next refresh returns tokens with the new roles.
    #[serde(default)]
    #[schema(example = false)]
    keep_sessions: bool,
}

/// The result of a dry run.
#[derive(Serialize, ToSchema)]
pub struct AccountDryRun {
    #[schema(inline)]
    dry_run: DryRunMark,
    /// The user after the change.
    user: AccountResponse,
    /// Number of live sessions that would end.
    sessions_ended: u64,
    /// Whether all existing access tokens would become invalid.
    access_tokens_revoked: bool,
}

/// The user after the change; for a dry run, what would change.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum AccountOutcome {
    Changed(AccountResponse),
    DryRun(AccountDryRun),
}

/// Changes a user's roles.
///
/// Tokens issued before are invalid on every replica once the response is sent.
#[utoipa::path(
    put,
    path = "/users/{id}/roles",
    tag = "users",
    params(
        ("id" = Uuid, Path, description = "The user's id."),
        DryRunQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the user must have."),
    ),
    request_body = AssignUserRolesRequest,
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The user after the change, with an `ETag`; for a dry run, what would change.", body = AccountOutcome, headers(("ETag" = String))),
        StepUpRefused, NoSuchUser, LastAdmin, BodyRefused, IfMatchRefused, UnknownRole, TooManyAttempts, Unavailable,
        (status = 403, description = "`forbidden`: changing another user's roles requires `roles:assign`; `role_not_assignable`, `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn assign_user_roles(
    edge: Data<Edge>,
    origin: RequestOrigin,
    Authenticated(caller): Authenticated,
    id: Path<Uuid>,
    QueryParameters(query): QueryParameters<DryRunQuery>,
    precondition: IfMatch,
    body: JsonBody<AssignUserRolesRequest>,
) -> Result<HttpResponse, Problem> {
    let assign_roles = Arc::clone(&edge.use_cases.core.assign_roles);
    let request = AssignRolesRequest {
        assignee: Assignee::User(UserRef::Id(UserId(id.into_inner()))),
        new_roles: body.0.new_roles,
        keep_sessions: body.0.keep_sessions,
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
        HttpResponse::Ok().json(AccountOutcome::DryRun(assigned.into()))
    } else {
        changed(assigned.user)
    })
}

impl From<AssignRolesOutcome> for AccountDryRun {
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
        .json(AccountOutcome::Changed(user.into()))
}
