use super::PortError;
use crate::session::{Rotation, SessionId, StoredSession};
use async_trait::async_trait;

/// The outcome of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// This call rotated the session: the session as it is now.
    Done(StoredSession),
    /// Another call was first, the session is no longer live, or there is none with this id and digest.
    Lost,
}

/// Sessions at rest, as refresh tokens need them. Each method is one transaction.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Returns the session with its holder, both as of one instant; ended and expired sessions too.
    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, PortError>;

    /// Takes one step of the refresh token, as one compare-and-swap. The caller has not read the session before.
    ///
    /// MUST change the session only while it is at `rotation.from`, has this `rotation.secret_digest`, is live at
    /// `rotation.at` and its user is active; of any number of concurrent calls from one generation exactly one MUST return
    /// [`Rotated::Done`]. The session MUST then expire for lack of use at the earlier of `rotation.idle_until` and the end
    /// of its whole life.
    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError>;
}
