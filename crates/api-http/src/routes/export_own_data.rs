use super::{account::AccountResponse, list_sessions::DeviceResponse};
use crate::{
    bearer::Authenticated,
    chunked_body::chunked_json,
    problem::{
        Problem,
        documented::{PasswordChangeRequired, TokenRefused, Unavailable},
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
    audit::{Actor, AuditDetails, AuditRecord},
    role::Permission,
    user::UserId,
};
use serde::Serialize;
use utoipa::ToSchema;

/// What the service keeps about the caller. No password: only a hash of it is kept.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnData)]
pub struct OwnDataResponse {
    account: AccountResponse,
    /// What the roles allow, as the catalogue says now.
    permissions: Vec<String>,
    /// Live ones, newest first.
    sessions: Vec<DeviceResponse>,
    /// What was done to the account, newest first, at most 1,000.
    events: Vec<OwnEventResponse>,
}

/// Something that was done to the caller's account.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnEvent)]
pub struct OwnEventResponse {
    at: DateTime<Utc>,
    #[schema(value_type = String, example = "logged_in")]
    action: &'static str,
    /// `success` or `failure`.
    #[schema(value_type = String, example = "success")]
    outcome: &'static str,
    /// `self`, `administrator`, `operator` or `anonymous`.
    #[schema(value_type = String, example = "self")]
    by: &'static str,
    /// Not told of administrators.
    #[schema(example = "192.0.2.7")]
    ip: Option<String>,
    /// Not told of administrators.
    user_agent: Option<String>,
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    details: AuditDetails,
}

impl OwnEventResponse {
    /// Where others sat and what they used is their own data (GDPR, article 15, paragraph 4).
    fn new(record: AuditRecord, owner: UserId) -> Self {
        let (by, origin) = match record.actor {
            Actor::User(id) if id == owner => ("self", Some(record.origin)),
            Actor::User(_) => ("administrator", None),
            Actor::Operator => ("operator", None),
            Actor::Anonymous => ("anonymous", Some(record.origin)),
        };
        let origin = origin.unwrap_or_default();
        Self {
            at: record.at,
            action: record.event.action.as_str(),
            outcome: record.event.action.outcome().as_str(),
            by,
            ip: origin.address.map(|address| address.to_string()),
            user_agent: origin.user_agent,
            details: record.event.details,
        }
    }
}

/// Gives callers what is kept about them, as a file.
#[utoipa::path(
    get,
    path = "/me/export",
    tag = "own account",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The data, with `Content-Disposition: attachment`.", body = OwnDataResponse),
        TokenRefused, PasswordChangeRequired, Unavailable,
    )
)]
pub async fn export_own_data(
    edge: Data<Edge>,
    Authenticated(caller): Authenticated,
) -> Result<HttpResponse, Problem> {
    let data = edge
        .use_cases
        .administration
        .export_own_data
        .execute(&caller)
        .await?;
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
    });
    response.headers_mut().insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"authapi-export.json\""),
    );
    Ok(response)
}
