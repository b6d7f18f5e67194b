use crate::{
    bearer::AuthenticatedUser,
    problem::{
        Problem, ProblemBody,
        documented::{OwnAccountRefused, TokenRefused, Unavailable},
    },
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use domain::session::SessionId;
use std::sync::Arc;
use uuid::Uuid;

/// Ends one of the caller's sessions.
///
/// Its tokens are invalid on every replica once the response is sent.
#[utoipa::path(
    delete,
    path = "/me/sessions/{id}",
    tag = "own account",
    params(("id" = Uuid, Path, description = "The session's id, as listed by `GET /me/sessions`.")),
    security(("accessToken" = [])),
    responses(
        (status = 204, description = "The session was ended."),
        TokenRefused, OwnAccountRefused, Unavailable,
        (status = 404, description = "`not_found`: the caller has no live session with this id", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn end_session(
    edge: Data<Edge>,
    origin: RequestOrigin,
    AuthenticatedUser(caller): AuthenticatedUser,
    id: Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let end_session = Arc::clone(&edge.use_cases.core.end_session);
    let id = SessionId(id.into_inner());
    edge.mutations
        .run(async move { end_session.execute(&caller, id, origin.0).await })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
