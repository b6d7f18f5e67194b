//! The scope of an invalidation: which session snapshots replicas must drop after a change.

use crate::{session::SessionId, user::UserId};

/// The session snapshots that a change makes stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvalidationScope {
    /// One session, which ended.
    Session(SessionId),
    /// All sessions of a user who changed, or whose sessions ended.
    User(UserId),
    /// All sessions, after a change to something shared such as a role's permissions.
    Everything,
}
