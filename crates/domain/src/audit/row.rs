//! The stored form of an event. The seal covers the exact text in the database, so that any change
//! to it is detected, even one that makes the row unreadable.

use super::{Actor, AuditAction, AuditContext, AuditDetails, AuditEvent, AuditNumber, AuditRecord, Origin};
use crate::{machine::MachineId, session::SessionId, user::UserId};
use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

/// The prefix of every sealed row, which identifies the version of the format.
const FORM: &[u8] = b"authapi audit row 1";
/// The key in the stored details of the id that the client chose for its request. It has no column,
/// because the seal covers the columns: rows sealed before it existed remain valid.
const CLIENT_REQUEST_ID: &str = "client_request_id";

/// A row of the audit log without its seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub number: AuditNumber,
    pub at: DateTime<Utc>,
    pub action: String,
    /// `anonymous`, `user` or `operator`.
    pub actor_kind: String,
    /// Set if and only if `actor_kind` is `user`.
    pub actor_id: Option<Uuid>,
    pub user_id: Option<Uuid>,
    pub session_id: Option<Uuid>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    /// A JSON object whose values are strings: the details of the event, and the id that the client
    /// chose for the request.
    pub details: String,
}

/// A row that this version of the service does not write: a newer version or another program added
/// or changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("event {0} of the audit log cannot be read")]
pub struct BrokenRow(pub AuditNumber);

impl AuditRow {
    /// Creates the row that stores `event` at `number`.
    #[must_use]
    pub fn new(number: AuditNumber, event: &AuditEvent, context: &AuditContext) -> Self {
        let (actor_kind, actor_id) = match context.actor {
            Actor::Anonymous => ("anonymous", None),
            Actor::User(id) => ("user", Some(id.0)),
            Actor::Machine(id) => ("machine", Some(id.0)),
            Actor::Operator => ("operator", None),
        };
        Self {
            number,
            at: context.at,
            action: event.action.as_str().to_owned(),
            actor_kind: actor_kind.to_owned(),
            actor_id,
            user_id: event.user.map(|id| id.0),
            session_id: event.session.map(|id| id.0),
            address: context.origin.address.map(|address| address.to_string()),
            user_agent: context.origin.user_agent.clone(),
            request_id: context.origin.request_id.clone(),
            details: stored_details(&event.details, context.origin.client_request_id.as_deref()),
        }
    }

    /// Returns the bytes to seal. Each part is preceded by its length, so two rows never have equal
    /// bytes.
    #[must_use]
    pub fn sealed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        let id = |id: &Option<Uuid>| id.map(|id| id.as_bytes().to_vec());
        let text = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
        for part in [
            Some(FORM.to_vec()),
            Some(self.number.0.to_be_bytes().to_vec()),
            Some(self.at.timestamp_micros().to_be_bytes().to_vec()),
            Some(self.action.as_bytes().to_vec()),
            Some(self.actor_kind.as_bytes().to_vec()),
            id(&self.actor_id),
            id(&self.user_id),
            id(&self.session_id),
            text(&self.address),
            text(&self.user_agent),
            text(&self.request_id),
            Some(self.details.as_bytes().to_vec()),
        ] {
            append(&mut bytes, part.as_deref());
        }
        bytes
    }

    fn actor(&self) -> Option<Actor> {
        match (self.actor_kind.as_str(), self.actor_id) {
            ("anonymous", None) => Some(Actor::Anonymous),
            ("user", Some(id)) => Some(Actor::User(UserId(id))),
            ("machine", Some(id)) => Some(Actor::Machine(MachineId(id))),
            ("operator", None) => Some(Actor::Operator),
            _ => None,
        }
    }

    fn event(&self, details: AuditDetails) -> Option<AuditEvent> {
        Some(AuditEvent {
            action: AuditAction::from_name(&self.action)?,
            user: self.user_id.map(UserId),
            session: self.session_id.map(SessionId),
            details,
        })
    }

    fn origin(&self, client_request_id: Option<String>) -> Option<Origin> {
        Some(Origin {
            address: self.address.as_deref().map(str::parse).transpose().ok()?,
            user_agent: self.user_agent.clone(),
            request_id: self.request_id.clone(),
            client_request_id,
        })
    }

    fn read(&self) -> Option<AuditRecord> {
        let mut details: AuditDetails = serde_json::from_str(&self.details).ok()?;
        let client_request_id = details.remove(CLIENT_REQUEST_ID);
        Some(AuditRecord {
            number: self.number,
            at: self.at,
            actor: self.actor()?,
            event: self.event(details)?,
            origin: self.origin(client_request_id)?,
        })
    }
}

fn stored_details(details: &AuditDetails, client_request_id: Option<&str>) -> String {
    let json =
        |details: &AuditDetails| serde_json::to_string(details).expect("a map of strings can be serialized");
    match client_request_id {
        None => json(details),
        Some(id) => {
            let mut details = details.clone();
            details.insert(CLIENT_REQUEST_ID.to_owned(), id.to_owned());
            json(&details)
        }
    }
}

/// Appends the length of `part` and `part` itself; an absent part has a length with all bits set.
fn append(bytes: &mut Vec<u8>, part: Option<&[u8]>) {
    let length = part.map_or(u64::MAX, |part| part.len() as u64);
    bytes.extend(length.to_be_bytes());
    bytes.extend(part.unwrap_or_default());
}

impl TryFrom<AuditRow> for AuditRecord {
    type Error = BrokenRow;

    fn try_from(row: AuditRow) -> Result<Self, BrokenRow> {
        row.read().ok_or(BrokenRow(row.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row() -> AuditRow {
        let context = AuditContext {
            at: DateTime::from_timestamp(1_000_000, 7_000).expect("chrono represents the second"),
            actor: Actor::User(UserId(Uuid::from_u128(1))),
            origin: Origin::new("192.0.2.7".parse().ok(), Some("curl/8"), Some("req-1".to_owned()))
                .named_by_client(Some("theirs".to_owned())),
        };
        let event = AuditEvent::on(AuditAction::RolesChanged, UserId(Uuid::from_u128(2)))
            .in_session(SessionId(Uuid::from_u128(3)))
            .with("before", "user")
            .with("after", "admin user");
        AuditRow::new(AuditNumber(5), &event, &context)
    }

    #[test]
    fn a_row_survives_a_round_trip() {
        let record = AuditRecord::try_from(row()).expect("the row is readable");
        assert_eq!(record.number, AuditNumber(5));
        assert_eq!(record.actor, Actor::User(UserId(Uuid::from_u128(1))));
        assert_eq!(record.event.details["after"], "admin user");
        assert_eq!(record.event.details.get(CLIENT_REQUEST_ID), None);
        assert_eq!(record.origin.request_id.as_deref(), Some("req-1"));
        assert_eq!(record.origin.client_request_id.as_deref(), Some("theirs"));
        let context = AuditContext {
            at: record.at,
            actor: record.actor,
            origin: record.origin.clone(),
        };
        assert_eq!(AuditRow::new(record.number, &record.event, &context), row());
    }

    #[test]
    fn a_row_without_a_client_request_id_is_stored_as_before_it_existed() {
        let mut old = row();
        old.details = r#"{"after":"admin user","before":"user"}"#.to_owned();
        let record = AuditRecord::try_from(old.clone()).expect("the row is readable");
        assert_eq!(record.origin.client_request_id, None);
        let context = AuditContext::new(record.at, record.actor, record.origin);
        assert_eq!(AuditRow::new(record.number, &record.event, &context), old);
    }

    type Spoil = fn(&mut AuditRow);

    #[test]
    fn an_unreadable_row_is_reported_by_number() {
        let spoilers: [Spoil; 6] = [
            |row| row.action = "logged_im".to_owned(),
            |row| row.actor_kind = "admin".to_owned(),
            |row| row.actor_id = None,
            |row| row.address = Some("192.0.2".to_owned()),
            |row| row.details = "{".to_owned(),
            |row| row.details = r#"{"a":1}"#.to_owned(),
        ];
        for spoil in spoilers {
            let mut row = row();
            spoil(&mut row);
            assert_eq!(AuditRecord::try_from(row), Err(BrokenRow(AuditNumber(5))));
        }
    }

    #[test]
    fn the_seal_covers_every_field() {
        let spoilers: [Spoil; 15] = [
            |row| row.number = AuditNumber(6),
            |row| row.at += chrono::Duration::microseconds(1),
            |row| row.action.push('s'),
            |row| row.actor_kind = "operator".to_owned(),
            |row| row.actor_id = None,
            |row| row.actor_id = Some(Uuid::from_u128(9)),
            |row| row.user_id = None,
            |row| row.session_id = None,
            |row| std::mem::swap(&mut row.user_id, &mut row.session_id),
            |row| row.address = None,
            |row| row.user_agent = Some(String::new()),
            |row| row.user_agent = None,
            |row| row.request_id = None,
            |row| std::mem::swap(&mut row.request_id, &mut row.user_agent),
            |row| row.details.push(' '),
        ];
        for (index, spoil) in spoilers.into_iter().enumerate() {
            let mut spoilt = row();
            spoil(&mut spoilt);
            assert_ne!(spoilt.sealed_bytes(), row().sealed_bytes(), "spoiler {index}");
        }
    }

    proptest! {
        #[test]
        fn text_cannot_move_between_fields(a in ".{0,9}", b in ".{0,9}", c in ".{0,9}", d in ".{0,9}") {
            let with = |agent: &str, request: &str| {
                let mut row = row();
                row.user_agent = Some(agent.to_owned());
                row.request_id = Some(request.to_owned());
                row.sealed_bytes()
            };
            prop_assert_eq!(with(&a, &b) == with(&c, &d), a == c && b == d);
        }
    }
}
