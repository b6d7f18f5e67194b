use super::{
    account::AccountResponse,
    audit_event::{ActionName, OutcomeName},
    list_sessions::DeviceResponse,
    role::PermissionText,
};
use crate::{
    bearer::AuthenticatedUser,
    chunked_body::chunked_json,
    problem::{
        Problem,
        documented::{OwnAccountRefused, TokenRefused, Unavailable},
    },
    state::Edge,
};
use actix_web::{
    HttpResponse,
    http::header::{self, HeaderValue},
    web::Data,
};
use chrono::{DateTime, Utc};
use domain::{
    audit::{Actor, AuditDetails, AuditRecord, BrokenRow},
    role::Permission,
    user::UserId,
};
use serde::Serialize;
use utoipa::ToSchema;

/// The data that the service stores about the caller. Of the password only a hash is stored.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnData)]
pub struct OwnDataResponse {
    account: AccountResponse,
    /// Permissions of the caller's roles, according to the current catalogue.
    #[schema(value_type = Vec<PermissionText>)]
    permissions: Vec<String>,
    /// Live sessions, newest first.
    sessions: Vec<DeviceResponse>,
    /// Events that affected the account, newest first, at most 1,000 with the unreadable ones.
    events: Vec<OwnEventResponse>,
    /// Numbers of those events that the service cannot read; the operator can.
    #[schema(example = json!([]))]
    unreadable_events: Vec<i64>,
}

/// An event that affected the caller's account.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnEvent, example = json!({
    "at": "2026-01-06T08:00:00Z",
    "action": "login_failed",
    "outcome": "failure",
    "by": "anonymous",
    "ip": "192.0.2.7",
    "user_agent": "curl/8.14.1",
    "details": {"cause": "wrong_password"}
}))]
pub struct OwnEventResponse {
    at: DateTime<Utc>,
    action: ActionName,
    outcome: OutcomeName,
    by: CausedBy,
    /// Null for administrators and the command line.
    #[schema(required, example = "192.0.2.7")]
    ip: Option<String>,
    /// Null for administrators and the command line.
    #[schema(required, example = "curl/8.14.1")]
    user_agent: Option<String>,
    /// Further details, depending on the action.
    #[schema(value_type = std::collections::BTreeMap<String, String>, example = json!({"cause": "wrong_password"}))]
    details: AuditDetails,
}

/// Who caused an event: the user, an administrator, the command line, or a caller who was not
/// logged in.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CausedBy {
    #[serde(rename = "self")]
    Owner,
    Administrator,
    Operator,
    Anonymous,
}

impl OwnEventResponse {
    /// The addresses and devices of others are their own data (GDPR, article 15(4)).
    fn new(record: AuditRecord, owner: UserId) -> Self {
        let (by, origin) = match record.actor {
            Actor::User(id) if id == owner => (CausedBy::Owner, Some(record.origin)),
            Actor::User(_) | Actor::Machine(_) => (CausedBy::Administrator, None),
            Actor::Operator => (CausedBy::Operator, None),
            Actor::Anonymous => (CausedBy::Anonymous, Some(record.origin)),
        };
        let origin = origin.unwrap_or_default();
        Self {
            at: record.at,
            action: record.event.action.into(),
            outcome: record.event.action.outcome().into(),
            by,
            ip: origin.address.map(|address| address.to_string()),
            user_agent: origin.user_agent,
            details: record.event.details,
        }
    }
}

/// Exports the data stored about the caller.
///
/// The response is a file: the account, its live sessions, and the events that affected it.
#[utoipa::path(
    get,
    path = "/me/export",
    tag = "own account",
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The data, with `Content-Disposition: attachment`.", body = OwnDataResponse, headers(("Content-Disposition" = String))),
        TokenRefused, OwnAccountRefused, Unavailable,
    )
)]
pub async fn export_own_data(
    edge: Data<Edge>,
    AuthenticatedUser(caller): AuthenticatedUser,
) -> Result<HttpResponse, Problem> {
    let data = edge
        .use_cases
        .administration
        .export_own_data
        .execute(&caller)
        .await?;
    if let Some(first) = data.unreadable.first() {
        // The operator should learn of it, too: it may be a sign of tampering.
        tracing::error!(
            events = data.unreadable.len(),
            "{}; an export of a user's data lacks it",
            BrokenRow(*first)
        );
    }
    let user = caller.user();
    let mut response = chunked_json(&OwnDataResponse {
        account: user.clone().into(),
        permissions: caller
            .permissions()
            .iter()
            .cloned()
            .map(Permission::into)
            .collect(),
        sessions: data
            .sessions
            .into_iter()
            .map(|summary| DeviceResponse::new(summary, caller.session()))
            .collect(),
        events: data
            .events
            .into_iter()
            .map(|record| OwnEventResponse::new(record, user.id))
            .collect(),
        unreadable_events: data.unreadable.iter().map(|number| number.0).collect(),
    });
    response.headers_mut().insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"authapi-export.json\""),
    );
    Ok(response)
}
