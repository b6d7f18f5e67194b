use crate::{
    bearer::AuthenticatedUser,
    problem::{
        Problem,
        documented::{OwnAccountRefused, TokenRefused, Unavailable},
    },
    state::Edge,
};
use actix_web::{HttpResponse, web::Data};
use chrono::{DateTime, Utc};
use domain::session::{SessionId, SessionSummary};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A user's sessions, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Sessions)]
pub struct SessionsResponse {
    pub sessions: Vec<DeviceResponse>,
}

/// A session, usually one device.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct DeviceResponse {
    id: Uuid,
    created_at: DateTime<Utc>,
    /// The hour in which the session was last refreshed: its start, or the login if that is later.
    last_used_at: DateTime<Utc>,
    /// When the session ends regardless of refreshes.
    expires_at: DateTime<Utc>,
    /// The `User-Agent` of the login; null if it had none.
    #[schema(required, example = "curl/8.14.1")]
    user_agent: Option<String>,
    /// The address of the login; null if it is unknown.
    #[schema(required, example = "192.0.2.7")]
    ip: Option<String>,
    /// Whether this is the session of this request.
    current: bool,
}

impl DeviceResponse {
    pub fn new(summary: SessionSummary, current: SessionId) -> Self {
        Self {
            id: summary.id.0,
            created_at: summary.created_at,
            last_used_at: summary.last_used_at,
            expires_at: summary.expires_at,
            user_agent: summary.user_agent,
            ip: summary.address.map(|address| address.to_string()),
            current: summary.id == current,
        }
    }
}

/// Lists the caller's live sessions.
///
/// The newest session is first. `current` marks the session of the request.
#[utoipa::path(
    get,
    path = "/me/sessions",
    tag = "own account",
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The caller's live sessions.", body = SessionsResponse),
        TokenRefused, OwnAccountRefused, Unavailable,
    )
)]
pub async fn list_sessions(
    edge: Data<Edge>,
    AuthenticatedUser(caller): AuthenticatedUser,
) -> Result<HttpResponse, Problem> {
    let summaries = edge
        .use_cases
        .administration
        .list_sessions
        .execute(&caller)
        .await?;
    let sessions = summaries
        .into_iter()
        .map(|summary| DeviceResponse::new(summary, caller.session()))
        .collect();
    Ok(HttpResponse::Ok().json(SessionsResponse { sessions }))
}
