use crate::{session::SessionId, user::UserId};

/// What changed, and so whose views must not be answered any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvalidationScope {
    /// One session ended.
    Session(SessionId),
    /// A user changed, or all of their sessions ended.
    User(UserId),
    /// Something changed that many share, such as what a role allows.
    Everything,
}
