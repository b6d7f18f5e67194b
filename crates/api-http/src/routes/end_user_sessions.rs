use crate::{
    bearer::Authenticated,
    problem::{
        Problem, ProblemBody,
        documented::{NoSuchUser, TokenRefused, Unavailable},
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

/// What came to its end.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionsEnded)]
pub struct SessionsEndedResponse {
    /// How many live sessions there were.
    sessions_ended: u64,
}

/// Logs a user out everywhere. Their tokens are refused on every replica when the answer arrives.
#[utoipa::path(
    delete,
    path = "/users/{id}/sessions",
    tag = "users",
    params(("id" = Uuid, Path, description = "The user's id.")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "All of the user's sessions have ended.", body = SessionsEndedResponse),
        TokenRefused, NoSuchUser, Unavailable,
        (status = 403, description = "`forbidden`: needs `sessions:revoke`; `out_of_reach`, `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
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
