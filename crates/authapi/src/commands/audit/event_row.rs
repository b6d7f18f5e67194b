use super::super::output::{ListRow, instant, words};
use domain::audit::{Actor, AuditDetails, AuditRecord};
use serde::Serialize;

/// An event in the output of `audit list` and `audit follow`.
#[derive(Serialize)]
pub struct EventRow {
    number: i64,
    at: String,
    action: &'static str,
    outcome: &'static str,
    actor: String,
    user: Option<String>,
    session: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    client_request_id: Option<String>,
    details: AuditDetails,
}

impl From<AuditRecord> for EventRow {
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
            at: instant(at),
            action: event.action.as_str(),
            outcome: event.action.outcome().as_str(),
            actor: match actor {
                Actor::Anonymous => "anonymous".to_owned(),
                Actor::User(id) => id.to_string(),
                Actor::Machine(id) => id.to_string(),
                Actor::Operator => "operator".to_owned(),
            },
            user: event.user.map(|id| id.to_string()),
            session: event.session.map(|id| id.0.to_string()),
            address: origin.address.map(|address| address.to_string()),
            user_agent: origin.user_agent,
            request_id: origin.request_id,
            client_request_id: origin.client_request_id,
            details: event.details,
        }
    }
}

impl ListRow for EventRow {
    const HEADINGS: &'static [&'static str] =
        &["NUMBER", "AT", "ACTION", "ACTOR", "USER", "ADDRESS", "DETAILS"];
    const NONE: &'static str = "no events";

    fn cells(&self) -> Vec<String> {
        let details = self
            .details
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"));
        vec![
            self.number.to_string(),
            self.at.clone(),
            self.action.to_owned(),
            self.actor.clone(),
            self.user.clone().unwrap_or_default(),
            self.address.clone().unwrap_or_default(),
            words(details, " "),
        ]
    }
}
