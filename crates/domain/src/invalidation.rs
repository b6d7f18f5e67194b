//! What a change makes stale: the session snapshots that no replica may use any more.

use crate::{session::SessionId, user::UserId};

/// The session snapshots that a change makes stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvalidationScope {
    /// One session ended.
    Session(SessionId),
    /// A user changed, or all of their sessions ended.
    User(UserId),
    /// Something changed that many share, such as what a role allows.
    Everything,
}
