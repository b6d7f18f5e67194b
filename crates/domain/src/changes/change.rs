//! What commands on accounts and sessions decide.

use super::Refusal;
use crate::{
    audit::AuditEvent,
    invalidation::InvalidationScope,
    password::PasswordHash,
    session::{EndReason, Generation, NewSession, SessionId},
    user::{Credentials, User, UserId},
};
use chrono::{DateTime, Utc};

/// The data to write. Storage writes all of it or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When the change is made: the time of every row that it writes.
    pub at: DateTime<Utc>,
    pub user: UserChange,
    /// The live sessions to end, and the reason.
    pub end_sessions: Option<(EndSessionsOf, EndReason)>,
    /// A session to store, after others have ended.
    pub open_session: Option<NewSession>,
    /// The session, and the generation that it is at, to mark: a replay of the rotation to this
    /// generation is recorded.
    pub record_replay: Option<(SessionId, Generation)>,
    /// A live session in which the user's password was checked at [`Change::at`].
    pub reauthenticated: Option<SessionId>,
    /// The scope that replicas must drop from their caches before the caller receives the result.
    pub invalidates: Option<InvalidationScope>,
    event: Option<AuditEvent>,
    counting: Counting,
}

/// Whether the audit event contains the number of sessions that ended, as `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    No,
    Yes,
    /// If no session ended, there is no event and the change changes nothing.
    OnlyIfAnyEnded,
}

/// The change to a user's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// Write nothing about a user.
    Nothing,
    /// Write nothing: the user already is as requested.
    Unchanged(User),
    /// Store a user, with their roles and hash.
    Insert(Credentials),
    /// Replace everything but the login, and the password hash only if `hash` is set.
    Update { user: User, hash: Option<PasswordHash> },
    /// Set the time of the last login to [`Change::at`], and the revision to the next one. Storage
    /// may write them in the statement that stores [`Change::open_session`], which MUST be set.
    LoggedIn(UserId),
    /// Store what [`LoggedIn`](Self::LoggedIn) does, and [`Change::at`] as the time at which the
    /// user's one-time password was used.
    LoggedInOnce(UserId),
    /// Remove the user with their roles and sessions. Contains the user as they were.
    Delete(User),
}

/// The sessions to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndSessionsOf {
    /// All live sessions of this user.
    User(UserId),
    /// These sessions, which are live.
    Sessions(Vec<SessionId>),
}

/// A change that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub change: Change,
    /// The number of sessions that ended or, in a dry run, that would end.
    pub sessions_ended: u64,
}

impl Change {
    pub(super) fn new(at: DateTime<Utc>, user: UserChange) -> Self {
        Self {
            at,
            user,
            end_sessions: None,
            open_session: None,
            record_replay: None,
            reauthenticated: None,
            invalidates: None,
            event: None,
            counting: Counting::No,
        }
    }

    /// Creates a change that writes nothing.
    pub(super) fn nothing(at: DateTime<Utc>) -> Self {
        Self::new(at, UserChange::Nothing)
    }

    /// Creates a change that writes nothing, because `user` already is as requested. It invalidates
    /// like the change: another request has made that, and may still be waiting for replicas.
    pub(super) fn unchanged(at: DateTime<Utc>, user: &User) -> Self {
        let scope = InvalidationScope::User(user.id);
        Self::new(at, UserChange::Unchanged(user.clone())).invalidating(scope)
    }

    /// Creates a change that stores `user` as given, except for the revision and the time of the
    /// update, which this method sets.
    pub(super) fn update(at: DateTime<Utc>, user: User, hash: Option<PasswordHash>) -> Self {
        let scope = InvalidationScope::User(user.id);
        let user = user.changed(at);
        Self::new(at, UserChange::Update { user, hash }).invalidating(scope)
    }

    pub(super) fn ending(self, sessions: EndSessionsOf, reason: EndReason) -> Self {
        Self {
            end_sessions: Some((sessions, reason)),
            ..self
        }
    }

    pub(super) fn opening(self, session: NewSession) -> Self {
        Self {
            open_session: Some(session),
            ..self
        }
    }

    pub(super) fn recording_replay(self, session: SessionId, generation: Generation) -> Self {
        Self {
            record_replay: Some((session, generation)),
            ..self
        }
    }

    pub(super) fn reauthenticating(self, session: SessionId) -> Self {
        Self {
            reauthenticated: Some(session),
            ..self
        }
    }

    pub(super) fn invalidating(self, scope: InvalidationScope) -> Self {
        Self {
            invalidates: Some(scope),
            ..self
        }
    }

    pub(super) fn recording(self, event: AuditEvent) -> Self {
        Self {
            event: Some(event),
            ..self
        }
    }

    /// Records `event` with the number of sessions that ended, as `count`.
    pub(super) fn recording_count(self, event: AuditEvent) -> Self {
        Self {
            counting: Counting::Yes,
            ..self.recording(event)
        }
    }

    /// Records what [`recording_count`](Self::recording_count) does. If no session ended, the
    /// change records nothing and changes nothing, so it does not forget places either.
    pub(super) fn recording_count_if_any(self, event: AuditEvent) -> Self {
        Self {
            counting: Counting::OnlyIfAnyEnded,
            ..self.recording(event)
        }
    }

    /// Returns the user whose places of earlier sessions become unknown: the change ends all of
    /// their sessions for a reason that does not [keep places known](EndReason::keeps_place_known).
    /// `sessions_ended` is the number of sessions that ended when the change was applied.
    #[must_use]
    pub fn forgets_places_of(&self, sessions_ended: u64) -> Option<UserId> {
        if self.changes_nothing(sessions_ended) {
            return None;
        }
        match self.end_sessions {
            Some((EndSessionsOf::User(user), reason)) if !reason.keeps_place_known() => Some(user),
            _ => None,
        }
    }

    /// Returns the audit event to write in the same transaction, or `None` if there is none.
    /// `sessions_ended` is the number of sessions that ended when the change was applied.
    #[must_use]
    pub fn event(&self, sessions_ended: u64) -> Option<AuditEvent> {
        if self.changes_nothing(sessions_ended) {
            return None;
        }
        let event = self.event.clone()?;
        match self.counting {
            Counting::No => Some(event),
            Counting::Yes | Counting::OnlyIfAnyEnded => Some(event.with("count", sessions_ended)),
        }
    }

    fn changes_nothing(&self, sessions_ended: u64) -> bool {
        self.counting == Counting::OnlyIfAnyEnded && sessions_ended == 0
    }
}

impl Applied {
    /// Returns the affected user: as they are now, or as they were if the change deleted them.
    ///
    /// # Errors
    /// Returns [`Refusal::UserNotFound`] if the change did not affect a user.
    pub fn into_user(self) -> Result<User, Refusal> {
        match self.change.user {
            UserChange::Insert(Credentials { user, .. })
            | UserChange::Update { user, .. }
            | UserChange::Unchanged(user)
            | UserChange::Delete(user) => Ok(user),
            UserChange::Nothing | UserChange::LoggedIn(_) | UserChange::LoggedInOnce(_) => {
                Err(Refusal::UserNotFound)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::AuditAction,
        fixtures::{USER, credentials, now, user},
    };

    fn applied(user: UserChange) -> Applied {
        Applied {
            change: Change::new(now(), user),
            sessions_ended: 0,
        }
    }

    #[test]
    fn the_user_of_a_change_is_returned_as_they_are_now_and_a_deleted_one_as_they_were() {
        for change in [
            UserChange::Insert(credentials()),
            UserChange::Update {
                user: user(),
                hash: None,
            },
            UserChange::Unchanged(user()),
            UserChange::Delete(user()),
        ] {
            assert_eq!(applied(change).into_user(), Ok(user()));
        }
        for change in [
            UserChange::Nothing,
            UserChange::LoggedIn(USER),
            UserChange::LoggedInOnce(USER),
        ] {
            assert_eq!(applied(change).into_user(), Err(Refusal::UserNotFound));
        }
    }

    #[test]
    fn the_number_of_sessions_is_recorded_only_in_events_that_count_them() {
        let event = || AuditEvent::on(AuditAction::AllSessionsEnded, USER);
        let change = Change::nothing(now());
        assert_eq!(change.event(2), None);
        assert_eq!(change.clone().recording(event()).event(2), Some(event()));
        let counts = |sessions| Some(event().with("count", sessions));
        let always = change.clone().recording_count(event());
        assert_eq!((always.event(2), always.event(0)), (counts(2), counts(0)));
        let if_any = change.recording_count_if_any(event());
        assert_eq!((if_any.event(2), if_any.event(0)), (counts(2), None));
    }

    #[test]
    fn places_are_forgotten_only_by_a_change_that_is_recorded() {
        let event = || AuditEvent::on(AuditAction::AllSessionsEnded, USER);
        let ending = |reason| Change::nothing(now()).ending(EndSessionsOf::User(USER), reason);
        let forgotten = |change: Change| [2, 0].map(|ended| change.forgets_places_of(ended));

        let revoked = ending(EndReason::SessionsRevoked);
        let always = revoked.clone().recording_count(event());
        assert_eq!(forgotten(always), [Some(USER), Some(USER)]);
        let if_any = revoked.recording_count_if_any(event());
        assert_eq!(forgotten(if_any), [Some(USER), None]);
        let harmless = ending(EndReason::LoggedOut).recording_count(event());
        assert_eq!(forgotten(harmless), [None, None]);
    }
}
