use super::PortError;
use crate::{
    audit::AuditContext,
    authority::Denied,
    session::{EndReason, NewSession, Rotation, SessionId, SessionSummary, StoredSession},
    token::TokenIdentity,
    user::{Epoch, UserId},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// What opening a session came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    Now,
    /// Stored, and the user's oldest sessions were ended for it.
    MadeRoom,
    /// The user changed, was disabled or went away since the epoch was read.
    Stale,
}

/// What a rotation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// This call rotated it; the session as it is now.
    Now(StoredSession),
    /// Another call was first, the session no longer lives, or there is none with this id and digest.
    Lost,
}

/// What ending a session came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Now,
    Before,
}

/// The end of all of a user's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokeSessions {
    pub user: UserId,
    /// On whose word, if not the operator's.
    pub authorized_by: Option<TokenIdentity>,
}

/// What it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionsRevoked {
    /// How many live sessions were ended.
    Now(u64),
    NoSuchUser,
    Denied(Denied),
}

/// Sessions at rest. Each method is one transaction; those that take a [`AuditContext`] write an audit row in it.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Stores `session` and sets its user's `last_login_at`.
    ///
    /// MUST store nothing and answer [`Opened::Stale`] unless the user is active and at `epoch`. When the user has more
    /// than `max` live sessions then, the oldest MUST be ended ([`EndReason::MadeRoom`]) until `max` are left, and the answer MUST
    /// be [`Opened::MadeRoom`] then and only then.
    async fn open(
        &self,
        session: NewSession,
        epoch: Epoch,
        max: u32,
        context: AuditContext,
    ) -> Result<Opened, PortError>;

    /// The session with its holder, both as of one instant, ended and expired ones included.
    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, PortError>;

    /// Takes one step of the refresh token, as one compare-and-swap. Nobody has read the session before.
    ///
    /// MUST change the session only while it stands at `rotation.from`, has this `rotation.secret_digest`, is live at
    /// `rotation.at` and its user is active; of any number of concurrent calls from one generation exactly one MUST answer
    /// [`Rotated::Now`]. The session MUST then expire for not being used at the earlier of `rotation.idle_until` and the end
    /// of its whole life.
    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError>;

    /// Ends `id` if it is `user`'s.
    ///
    /// Exactly one of any number of concurrent calls for a live session MUST answer [`Ended::Now`]; the rest, calls for
    /// sessions that have expired at `context.at`, are another user's or never were, MUST answer [`Ended::Before`] and
    /// change nothing.
    async fn end(
        &self,
        id: SessionId,
        user: UserId,
        reason: EndReason,
        context: AuditContext,
    ) -> Result<Ended, PortError>;

    /// Ends every live session of `user`; how many there were.
    async fn end_all(&self, user: UserId, reason: EndReason, context: AuditContext)
    -> Result<u64, PortError>;

    /// Ends every live session of a user on somebody's word.
    ///
    /// MUST ask [`Authority::revoke`](crate::authority::Authority::revoke) within the transaction, about the caller and the
    /// user as they are then, and change nothing when it denies. An event MUST be written even when no session was live.
    async fn revoke_sessions(
        &self,
        force: RevokeSessions,
        context: AuditContext,
    ) -> Result<SessionsRevoked, PortError>;

    /// The sessions of `user` that are live at `now`, newest first.
    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionSummary>, PortError>;

    /// Removes at most `limit` sessions that ended or expired before `before`; how many it removed. Live ones MUST stay.
    async fn remove_dead(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, PortError>;
}
