use crate::{
    bearer::Authenticated,
    problem::{
        Problem, ProblemBody,
        documented::{NoSuchUser, StepUpRefused, Unavailable},
    },
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use domain::{steps::UserRef, user::UserId};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// The number of ended sessions.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionsEnded)]
pub struct SessionsEndedResponse {
    /// Number of live sessions that were ended.
    sessions_ended: u64,
}

/// Logs a user out everywhere.
///
/// The user's tokens are invalid on every replica once the response is sent. Requires the
/// permission `sessions:revoke`.
#[utoipa::path(
    delete,
    path = "/users/{id}/sessions",
    tag = "users",
    params(("id" = Uuid, Path, description = "The user's id.")),
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "All sessions of the user were ended.", body = SessionsEndedResponse),
        StepUpRefused, NoSuchUser, Unavailable,
        (status = 403, description = "`forbidden`: requires `sessions:revoke`; `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn end_user_sessions(
    edge: Data<Edge>,
    origin: RequestOrigin,
    Authenticated(caller): Authenticated,
    id: Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let user_sessions = Arc::clone(&edge.use_cases.administration.user_sessions);
    let user_ref = UserRef::Id(UserId(id.into_inner()));
    let sessions_ended = edge
        .mutations
        .run(async move { user_sessions.end(caller.capability()?, &user_ref, origin.0).await })
        .await?;
    Ok(HttpResponse::Ok().json(SessionsEndedResponse { sessions_ended }))
}
