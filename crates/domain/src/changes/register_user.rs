use super::{Change, Command, Facts, Reads, Refusal, UserChange};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    role::joined,
    user::{Credentials, NewUser},
};
use chrono::{DateTime, Utc};

/// Stores a new user.
#[derive(Clone, Debug)]
pub struct RegisterUser(pub NewUser);

impl Command for RegisterUser {
    fn reads(&self) -> Reads {
        Reads {
            login: Some(self.0.login.canonical().clone()),
            roles: self.0.roles.clone(),
            ..Reads::default()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        if facts.login_taken {
            return Err(Refusal::LoginTaken);
        }
        facts.require_known(&self.0.roles)?;
        let user = self.0.registered_at(at);
        let event =
            AuditEvent::on(AuditAction::UserRegistered, user.id).with("roles", joined(&user.roles));
        let hash = self.0.hash.clone();
        Ok(Change::new(at, UserChange::Insert(Credentials { user, hash })).recording(event))
    }

    /// No snapshot shows a user that was never stored.
    fn already_done(&self) -> Option<InvalidationScope> {
        None
    }
}
