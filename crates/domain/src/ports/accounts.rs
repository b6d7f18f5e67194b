use super::PortError;
use crate::{
    audit::AuditContext,
    changes::{Applied, ChangeError, Command},
    login::CanonicalLogin,
    password::PasswordHash,
    session::SessionId,
    throttle::Network,
    user::{Credentials, User, UserId},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// The places of which a login asks whether the account knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceQuery {
    /// The [site](Network::site) of the client's address, if known.
    pub network: Option<Network>,
    /// The session of the device token that the client presented, if any.
    pub device: Option<SessionId>,
    /// A network is known if a session was opened from it after this time.
    pub since: DateTime<Utc>,
}

/// A user's credentials, and which of the places of a [`PlaceQuery`] the account knows.
#[derive(Clone, Debug)]
pub struct LoginFacts {
    pub credentials: Credentials,
    pub is_network_known: bool,
    pub is_device_known: bool,
}

/// Storage of accounts and their sessions, for making changes. Each method is one transaction.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Returns the user with this id, if there is one.
    async fn find(&self, id: UserId) -> Result<Option<User>, PortError>;

    /// Returns the user with this login and the hash of their password, if there is one.
    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError>;

    /// Returns the user with this login, the hash of their password and which of `places` the
    /// account knows, if there is one, all read at the same instant.
    ///
    /// A network is known if a session of the user with this
    /// [network](crate::session::NewSession::network) was opened after `places.since`, whether it
    /// is live or not; a device, if the session exists and is the user's. In both cases the session
    /// MUST NOT have ended for a reason that does not
    /// [keep the place known](crate::session::EndReason::keeps_place_known), and MUST NOT have been
    /// opened before the last change that
    /// [forgets the user's places](crate::changes::Change::forgets_places_of).
    async fn find_for_login(
        &self,
        login: &CanonicalLogin,
        places: PlaceQuery,
    ) -> Result<Option<LoginFacts>, PortError>;

    /// Replaces the hash `old` with `new`, a hash of the same password. Returns whether it was
    /// replaced.
    ///
    /// It MUST replace nothing if the hash is no longer `old`, and MUST NOT change epoch, revision
    /// or sessions.
    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError>;

    /// Executes `command` in one transaction: loads and locks what it
    /// [reads](crate::changes::Reads), calls its decision with `context.at`, and applies the change
    /// together with its audit event. It may make the command's
    /// [direct change](crate::changes::DirectChange) instead, if the expectation of that change
    /// holds.
    ///
    /// It MUST apply all of the change or, after any error, none of it. Commands that read the same
    /// user, session or role MUST be serialised. Of concurrent commands that may remove an
    /// administrator, each MUST see the effects of the ones before it. Of concurrent commands that
    /// need one login, exactly one MUST succeed; the others MUST fail with
    /// [`Refusal::LoginTaken`](crate::changes::Refusal::LoginTaken). A user MUST NOT ever have a
    /// role that is not in the catalogue.
    async fn execute(&self, command: Arc<dyn Command>, context: AuditContext)
    -> Result<Applied, ChangeError>;

    /// Returns what [`execute`](Self::execute) would return now. It MUST write nothing.
    async fn dry_run(&self, command: Arc<dyn Command>, context: AuditContext)
    -> Result<Applied, ChangeError>;
}
