//! Storage that tells every replica what it revoked before it says so itself. All that revokes goes through these
//! decorators, so that no use case can forget it, nor whoever puts the use cases together anew.
//!
//! What is announced is what an answer says to be so, and not only what this call did: whoever finds that somebody else
//! has revoked already may be quicker than that other one, who still waits for replicas to acknowledge. Rehearsals revoke
//! nothing and announce nothing.
//!
//! An error announces nothing. Perhaps the change was committed and the answer lost; but nobody was told that it was, and
//! whoever tries again finds it done and announces it. Until then replicas answer from before for as long as a session
//! snapshot is cached at most (30 seconds, `session_cache::protocol::Terms::snapshot`).

mod roles;
mod sessions;
mod users;

pub use roles::InvalidatingRoles;
pub use sessions::InvalidatingSessions;
pub use users::InvalidatingUsers;

use crate::{authority::Denied, invalidation::InvalidationScope, ports::Revocations, token::TokenIdentity};

async fn announce(revocations: &dyn Revocations, subject: Option<InvalidationScope>) {
    if let Some(subject) = subject {
        revocations.publish(vec![subject]).await;
    }
}

/// Whom a refusal calls outdated: callers are told that their token is dead, and so it must be, everywhere.
fn outdated(denied: &Denied, caller: Option<TokenIdentity>) -> Option<InvalidationScope> {
    match denied {
        Denied::Stale => caller.map(|caller| InvalidationScope::User(caller.user)),
        Denied::Forbidden(_) | Denied::OutOfReach | Denied::NotAssignable(_) | Denied::NotGrantable(_) => {
            None
        }
    }
}

#[cfg(test)]
mod fixtures;
