use chrono::{DateTime, Utc};
use domain::audit::{Actor, AuditAction, AuditDetails, AuditOutcome, AuditRecord};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An audit event: who did what to whom, when and from where.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEvent, example = json!({
    "number": 17,
    "at": "2026-01-06T08:00:00Z",
    "action": "login_failed",
    "outcome": "failure",
    "actor": {"kind": "anonymous", "id": null},
    "user": "0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d",
    "session": null,
    "ip": "192.0.2.7",
    "user_agent": "curl/8.14.1",
    "request_id": "0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8e",
    "client_request_id": "checkout-7",
    "details": {"cause": "wrong_password"}
}))]
pub struct AuditEventResponse {
    /// Position in the audit log, without gaps.
    #[schema(example = 17)]
    number: i64,
    at: DateTime<Utc>,
    action: ActionName,
    outcome: OutcomeName,
    actor: ActorResponse,
    /// Id of the affected user, if there is one.
    #[schema(required)]
    user: Option<Uuid>,
    /// Id of the session in which it happened, if there was one.
    #[schema(required)]
    session: Option<Uuid>,
    #[schema(required, example = "192.0.2.7")]
    ip: Option<String>,
    #[schema(required, example = "curl/8.14.1")]
    user_agent: Option<String>,
    /// Id that the service gave the request, as in the log.
    #[schema(required, example = "0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8e")]
    request_id: Option<String>,
    /// `X-Request-Id` of the request, if the client sent a valid one.
    #[schema(required, example = "checkout-7")]
    client_request_id: Option<String>,
    /// Further details, depending on the action.
    #[schema(value_type = std::collections::BTreeMap<String, String>, example = json!({"cause": "wrong_password"}))]
    details: AuditDetails,
}

/// Who caused the event.
#[derive(Serialize, ToSchema)]
#[schema(as = Actor, example = json!({
    "kind": "user",
    "id": "0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d"
}))]
pub struct ActorResponse {
    kind: ActorKind,
    /// The id of the user or machine; null for the other kinds.
    #[schema(required)]
    id: Option<Uuid>,
}

/// The kind of an actor: a caller who is not logged in, a user, a machine, or an operator (the
/// command line).
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    Anonymous,
    User,
    Machine,
    Operator,
}

/// What happened.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditAction)]
pub enum ActionName {
    UserRegistered,
    RegistrationRefused,
    UserImported,
    LoggedIn,
    LoginFailed,
    Reauthenticated,
    ReauthenticationFailed,
    FailuresOmitted,
    SessionEnded,
    AllSessionsEnded,
    RefreshTokenReplayed,
    RefreshTokenReused,
    RolesChanged,
    PasswordChanged,
    PasswordReset,
    UserDisabled,
    UserEnabled,
    UserDeleted,
    RoleCreated,
    RoleChanged,
    RoleRemoved,
    MachineCreated,
    MachineRolesChanged,
    MachineDisabled,
    MachineEnabled,
    MachineDeleted,
    MachineSecretAdded,
    MachineSecretRemoved,
    #[serde(rename = "trail_trimmed")]
    AuditLogTrimmed,
    AuditLogAccepted,
    PendingEventForged,
    PendingEventMissing,
}

/// How the attempt ended.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditOutcome)]
pub enum OutcomeName {
    Success,
    Failure,
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
            action: event.action.into(),
            outcome: event.action.outcome().into(),
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
            Actor::Anonymous => (ActorKind::Anonymous, None),
            Actor::User(id) => (ActorKind::User, Some(id.0)),
            Actor::Machine(id) => (ActorKind::Machine, Some(id.0)),
            Actor::Operator => (ActorKind::Operator, None),
        };
        Self { kind, id }
    }
}

impl From<AuditAction> for ActionName {
    fn from(action: AuditAction) -> Self {
        match action {
            AuditAction::UserRegistered => Self::UserRegistered,
            AuditAction::RegistrationRefused => Self::RegistrationRefused,
            AuditAction::UserImported => Self::UserImported,
            AuditAction::LoggedIn => Self::LoggedIn,
            AuditAction::LoginFailed => Self::LoginFailed,
            AuditAction::Reauthenticated => Self::Reauthenticated,
            AuditAction::ReauthenticationFailed => Self::ReauthenticationFailed,
            AuditAction::FailuresOmitted => Self::FailuresOmitted,
            AuditAction::SessionEnded => Self::SessionEnded,
            AuditAction::AllSessionsEnded => Self::AllSessionsEnded,
            AuditAction::RefreshTokenReplayed => Self::RefreshTokenReplayed,
            AuditAction::RefreshTokenReused => Self::RefreshTokenReused,
            AuditAction::RolesChanged => Self::RolesChanged,
            AuditAction::PasswordChanged => Self::PasswordChanged,
            AuditAction::PasswordReset => Self::PasswordReset,
            AuditAction::UserDisabled => Self::UserDisabled,
            AuditAction::UserEnabled => Self::UserEnabled,
            AuditAction::UserDeleted => Self::UserDeleted,
            AuditAction::RoleCreated => Self::RoleCreated,
            AuditAction::RoleChanged => Self::RoleChanged,
            AuditAction::RoleRemoved => Self::RoleRemoved,
            AuditAction::MachineCreated => Self::MachineCreated,
            AuditAction::MachineRolesChanged => Self::MachineRolesChanged,
            AuditAction::MachineDisabled => Self::MachineDisabled,
            AuditAction::MachineEnabled => Self::MachineEnabled,
            AuditAction::MachineDeleted => Self::MachineDeleted,
            AuditAction::MachineSecretAdded => Self::MachineSecretAdded,
            AuditAction::MachineSecretRemoved => Self::MachineSecretRemoved,
            AuditAction::AuditLogTrimmed => Self::AuditLogTrimmed,
            AuditAction::AuditLogAccepted => Self::AuditLogAccepted,
            AuditAction::PendingEventForged => Self::PendingEventForged,
            AuditAction::PendingEventMissing => Self::PendingEventMissing,
        }
    }
}

impl From<AuditOutcome> for OutcomeName {
    fn from(outcome: AuditOutcome) -> Self {
        match outcome {
            AuditOutcome::Success => Self::Success,
            AuditOutcome::Failure => Self::Failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn actions_and_outcomes_have_the_names_of_the_core() {
        for action in AuditAction::ALL {
            assert_eq!(json!(ActionName::from(action)), json!(action.as_str()));
            let outcome = action.outcome();
            assert_eq!(json!(OutcomeName::from(outcome)), json!(outcome.as_str()));
        }
    }
}
