use super::Refusal;
use crate::{
    audit::{AuditAction, AuditEvent},
    login::CanonicalLogin,
    role::{RoleNames, joined},
    user::{Credentials, ImportedUser, User},
};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// Stores users from another system, all in one transaction. A refused user does not keep out the others.
///
/// Not a [`Command`](super::Command): storage handles thousands at once, with a handful of statements.
#[derive(Clone, Debug)]
pub struct ImportUsers(pub Vec<ImportedUser>);

/// What an import reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportFacts {
    /// Those of [`ImportUsers::logins`] that existing users have.
    pub taken: BTreeSet<CanonicalLogin>,
    /// Those of [`ImportUsers::roles`] that the catalogue contains.
    pub known_roles: RoleNames,
}

impl ImportUsers {
    /// Returns the logins to look up.
    pub fn logins(&self) -> impl Iterator<Item = &CanonicalLogin> {
        self.0.iter().map(|user| user.login.canonical())
    }

    /// Returns the roles to look up, and to lock against removal.
    #[must_use]
    pub fn roles(&self) -> RoleNames {
        self.0.iter().flat_map(|user| &user.roles).cloned().collect()
    }

    /// Decides for each user, in their order, whether to store them. Of several with one login the first is stored.
    #[must_use]
    pub fn decide(&self, facts: ImportFacts, at: DateTime<Utc>) -> Vec<Result<Credentials, Refusal>> {
        let ImportFacts {
            mut taken,
            known_roles,
        } = facts;
        let decide_one = |user: &ImportedUser| {
            if taken.contains(user.login.canonical()) {
                return Err(Refusal::LoginTaken);
            }
            if let Some(unknown) = user.roles.difference(&known_roles).next() {
                return Err(Refusal::UnknownRole(unknown.clone()));
            }
            taken.insert(user.login.canonical().clone());
            Ok(user.imported_at(at))
        };
        self.0.iter().map(decide_one).collect()
    }

    /// Returns the event to record for an imported user.
    #[must_use]
    pub fn event(user: &User) -> AuditEvent {
        AuditEvent::on(AuditAction::UserImported, user.id).with("roles", joined(&user.roles))
    }
}
