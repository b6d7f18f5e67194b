use chrono::{DateTime, Utc};
use domain::audit::{Actor, AuditDetails, AuditRecord};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An audit event: who did what to whom, when and from where.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub struct AuditEventResponse {
    /// Position in the audit log, without gaps.
    #[schema(example = 17)]
    number: i64,
    at: DateTime<Utc>,
    #[schema(value_type = String, example = "roles_changed")]
    action: &'static str,
    /// `success` or `failure`.
    #[schema(value_type = String, example = "success")]
    outcome: &'static str,
    actor: ActorResponse,
    /// Id of the affected user.
    user: Option<Uuid>,
    session: Option<Uuid>,
    #[schema(example = "192.0.2.7")]
    ip: Option<String>,
    user_agent: Option<String>,
    /// Id that the service gave the request, as in the log.
    request_id: Option<String>,
    /// `X-Request-Id` of the request, if the client sent a valid one.
    client_request_id: Option<String>,
    /// Further details, depending on the action.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    details: AuditDetails,
}

/// Who caused the event.
#[derive(Serialize, ToSchema)]
#[schema(as = Actor)]
pub struct ActorResponse {
    /// `anonymous`, `user` or `operator` (the command line).
    #[schema(value_type = String, example = "user")]
    kind: &'static str,
    /// The user's id.
    id: Option<Uuid>,
}

impl From<AuditRecord> for AuditEventResponse {
    fn from(record: AuditRecord) -> Self {
        let AuditRecord {
            number,
            at,
            actor,
            event,
            origin,
        } = record;
        Self {
            number: number.0,
            at,
            action: event.action.as_str(),
            outcome: event.action.outcome().as_str(),
            actor: actor.into(),
            user: event.user.map(|id| id.0),
            session: event.session.map(|id| id.0),
            ip: origin.address.map(|address| address.to_string()),
            user_agent: origin.user_agent,
            request_id: origin.request_id,
            client_request_id: origin.client_request_id,
            details: event.details,
        }
    }
}

impl From<Actor> for ActorResponse {
    fn from(actor: Actor) -> Self {
        let (kind, id) = match actor {
            Actor::Anonymous => ("anonymous", None),
            Actor::User(id) => ("user", Some(id.0)),
            Actor::Operator => ("operator", None),
        };
        Self { kind, id }
    }
}
