use super::{Facts, Reads, Refusal};
use crate::{
    revision::Revision,
    token::TokenIdentity,
    user::{User, UserId},
};
use chrono::{DateTime, Utc};

/// An account to administer, and the authority to do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    pub user: UserId,
    /// Change the user only at this revision.
    pub if_revision: Option<Revision>,
    /// The caller's token, validated again in the transaction; `None` for the operator.
    pub authorized_by: Option<TokenIdentity>,
}

impl Account {
    pub(super) fn reads(self) -> Reads {
        Reads::target(self.user, self.authorized_by)
    }

    /// Returns the user, if the caller may administer them and they are at the requested revision.
    pub(super) fn admit(self, facts: &Facts, at: DateTime<Utc>) -> Result<&User, Refusal> {
        let target = facts.target()?;
        facts.authority(self.authorized_by, at)?.administer(target)?;
        require_revision(self.if_revision, target.user.revision)?;
        Ok(&target.user)
    }
}

/// Refuses a change that was requested for another revision.
pub(super) fn require_revision(requested: Option<Revision>, current: Revision) -> Result<(), Refusal> {
    if requested.is_some_and(|requested| requested != current) {
        return Err(Refusal::RevisionMismatch);
    }
    Ok(())
}
