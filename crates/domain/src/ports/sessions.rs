use super::PortError;
use crate::session::{Rotation, SessionId, StoredSession};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// The result of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "almost every rotation is done")]
pub enum Rotated {
    /// This call rotated the session. Contains the new state of the session.
    Done(StoredSession),
    /// Another call rotated it first, the session is not live, or no session has this id and
    /// digest.
    Lost,
}

/// Storage of sessions, for refreshing them. Each method is one transaction.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Returns the session with its holder, both read at the same instant. Ended and expired
    /// sessions are returned too.
    ///
    /// The ages of the last rotation and of the burst MUST be measured by one clock for all
    /// replicas: storage that replicas share MUST use its own. Other storage may compare `now`, the
    /// time of the call, with the times of the rotations. The origin of the last rotation MUST be
    /// `None` unless it was stored by the rotation to the session's current generation.
    async fn find(&self, id: SessionId, now: DateTime<Utc>) -> Result<Option<StoredSession>, PortError>;

    /// Applies one rotation as a compare-and-swap. The caller need not have read the session.
    ///
    /// It MUST change the session only if it is at `rotation.from`, has `rotation.secret_digest`,
    /// is live at `rotation.at` and its user is active. Of any number of concurrent calls from one
    /// generation, exactly one MUST return [`Rotated::Done`]. The session MUST then expire, unless
    /// it is refreshed again, at the earlier of `rotation.idle_until` and the end of its maximum
    /// lifetime. A session that was opened after `rotation.at`, under a clock that was ahead, MUST
    /// then be stored as opened at `rotation.at`, with the same maximum lifetime. The time of the
    /// last check of the password MUST stay as it is, or become `rotation.at` if it is later. The
    /// origin of the rotation MUST be stored, and no replay since it is recorded yet.
    ///
    /// The burst of the session MUST become what [`Burst::of_rotation`] returns for the stored
    /// burst, `rotation.from` and `rotation.grace`, and MUST NOT begin after the rotation. Decide
    /// on both of its parts by one reading of the clock that measures its age: a burst that took
    /// over only the generation of the previous one would cover tokens for longer than the window.
    ///
    /// [`Burst::of_rotation`]: crate::session::Burst::of_rotation
    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError>;
}
