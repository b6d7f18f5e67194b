use super::list_sessions::{DeviceResponse, SessionsResponse};
use crate::{
    bearer::Authenticated,
    problem::{
        Problem, ProblemBody,
        documented::{NoSuchUser, TokenRefused, Unavailable},
    },
    state::Edge,
};
use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use domain::{steps::UserRef, user::UserId};
use uuid::Uuid;

/// Lists a user's live sessions.
///
/// The newest session is first. Requires the permission `sessions:revoke`.
#[utoipa::path(
    get,
    path = "/users/{id}/sessions",
    tag = "users",
    params(("id" = Uuid, Path, description = "The user's id.")),
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The user's live sessions.", body = SessionsResponse),
        TokenRefused, NoSuchUser, Unavailable,
        (status = 403, description = "`forbidden`: requires `sessions:revoke`; `password_change_required`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list_user_sessions(
    edge: Data<Edge>,
    Authenticated(caller): Authenticated,
    id: Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let user_ref = UserRef::Id(UserId(id.into_inner()));
    let summaries = edge
        .use_cases
        .administration
        .user_sessions
        .list(caller.capability()?, &user_ref)
        .await?;
    let sessions = summaries
        .into_iter()
        .map(|summary| DeviceResponse::new(summary, caller.session()))
        .collect();
    Ok(HttpResponse::Ok().json(SessionsResponse { sessions }))
}
