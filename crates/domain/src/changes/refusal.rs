use crate::{
    authority::Denied, invalidation::InvalidationScope, ports::PortError, role::RoleName,
    token::TokenIdentity,
};
use thiserror::Error;

/// Why a change was refused. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("the login is taken")]
    LoginTaken,
    #[error("the user does not exist")]
    UserNotFound,
    /// The user was disabled or deleted, or is no longer at the epoch at which they were read.
    #[error("the user was changed concurrently")]
    UserChanged,
    /// The session ended, expired, belongs to another user or does not exist.
    #[error("the session has ended")]
    SessionEnded,
    /// The audit log already has an event for a replay of the session's last rotation, or the
    /// session was rotated again.
    #[error("the replay is already recorded")]
    ReplayRecorded,
    #[error("the role {:?} does not exist", .0.as_str())]
    UnknownRole(RoleName),
    /// No active user with the role `admin` would remain.
    #[error("the last active admin must keep the role admin and cannot be disabled or deleted")]
    LastAdmin,
    /// The user or the role is at another revision than the request names.
    #[error("the revision does not match")]
    RevisionMismatch,
    #[error("the role does not exist")]
    RoleNotFound,
    #[error("the role is in use (users: {0})")]
    RoleInUse(u64),
    #[error("the catalogue is full")]
    CatalogueFull,
    #[error("the machine does not exist")]
    MachineNotFound,
    #[error("a machine has this name")]
    MachineNameTaken,
    /// There are [`MAX_MACHINES`](crate::machine::MAX_MACHINES) machines.
    #[error("there are too many machines")]
    TooManyMachines,
    /// The machine has [`MAX_SECRETS`](crate::machine::MAX_SECRETS) secrets that have not expired.
    #[error("the machine has too many secrets")]
    TooManySecrets,
    #[error("the machine has no such secret")]
    SecretNotFound,
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// Why a change failed.
#[derive(Debug, Error)]
pub enum ChangeError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Whether the change was made is unknown, unless the error states it.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<Denied> for ChangeError {
    fn from(denied: Denied) -> Self {
        Self::Refused(denied.into())
    }
}

impl Refusal {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::LoginTaken => "login_taken",
            Self::UserNotFound
            | Self::SessionEnded
            | Self::ReplayRecorded
            | Self::RoleNotFound
            | Self::MachineNotFound
            | Self::SecretNotFound => "not_found",
            Self::UserChanged => "token_outdated",
            Self::UnknownRole(_) => "unknown_role",
            Self::LastAdmin => "last_admin",
            Self::RevisionMismatch => "precondition_failed",
            Self::RoleInUse(_) => "role_in_use",
            Self::CatalogueFull => "catalogue_full",
            Self::MachineNameTaken => "machine_name_taken",
            Self::TooManyMachines => "too_many_machines",
            Self::TooManySecrets => "too_many_secrets",
            Self::Denied(denied) => denied.code(),
        }
    }

    /// Returns what the refusal shows to be stale: `already_done` if another request has made the
    /// change before, and the user of `caller` if their token is outdated.
    pub(super) fn invalidates(
        &self,
        already_done: Option<InvalidationScope>,
        caller: Option<TokenIdentity>,
    ) -> Option<InvalidationScope> {
        match self {
            Self::UserNotFound
            | Self::SessionEnded
            | Self::RoleNotFound
            | Self::MachineNotFound
            | Self::SecretNotFound => already_done,
            Self::Denied(Denied::Stale) => caller.map(|token| InvalidationScope::all_of(token.principal)),
            Self::LoginTaken
            | Self::UserChanged
            | Self::ReplayRecorded
            | Self::UnknownRole(_)
            | Self::LastAdmin
            | Self::RevisionMismatch
            | Self::RoleInUse(_)
            | Self::CatalogueFull
            | Self::MachineNameTaken
            | Self::TooManyMachines
            | Self::TooManySecrets
            | Self::Denied(
                Denied::Forbidden(_)
                | Denied::StepUpRequired { .. }
                | Denied::OutOfReach
                | Denied::NotAssignable(_)
                | Denied::NotGrantable(_)
                | Denied::NotSelfAssignable,
            ) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        role::Permission,
        session::SessionId,
        user::{Epoch, UserId},
    };
    use uuid::Uuid;

    /// Clients depend on the codes.
    #[test]
    fn the_codes_are_stable() {
        let denied = |denied: Denied| Refusal::Denied(denied);
        for (refusal, code) in [
            (Refusal::LoginTaken, "login_taken"),
            (Refusal::UserNotFound, "not_found"),
            (Refusal::UserChanged, "token_outdated"),
            (Refusal::SessionEnded, "not_found"),
            (Refusal::UnknownRole(RoleName::USER), "unknown_role"),
            (Refusal::LastAdmin, "last_admin"),
            (Refusal::RevisionMismatch, "precondition_failed"),
            (Refusal::RoleNotFound, "not_found"),
            (Refusal::RoleInUse(1), "role_in_use"),
            (Refusal::CatalogueFull, "catalogue_full"),
            (denied(Denied::Stale), "token_outdated"),
            (denied(Denied::Forbidden(Permission::ROLES_WRITE)), "forbidden"),
            (denied(Denied::OutOfReach), "out_of_reach"),
            (
                denied(Denied::NotAssignable(RoleName::ADMIN)),
                "role_not_assignable",
            ),
            (
                denied(Denied::NotGrantable(Permission::ROLES_WRITE)),
                "permission_not_grantable",
            ),
            (denied(Denied::NotSelfAssignable), "self_assignable_not_grantable"),
        ] {
            assert_eq!(refusal.code(), code, "{refusal:?}");
        }
    }

    #[test]
    fn a_refusal_invalidates_only_what_it_shows_to_be_stale() {
        let (user, session) = (UserId(Uuid::from_u128(1)), SessionId(Uuid::from_u128(2)));
        let caller = Some(TokenIdentity {
            principal: user.into(),
            session,
            epoch: Epoch::FIRST,
        });
        let done = Some(InvalidationScope::Session(session));
        for (refusal, expected) in [
            (Refusal::SessionEnded, done),
            (Refusal::UserNotFound, done),
            (Refusal::RoleNotFound, done),
            (
                Refusal::Denied(Denied::Stale),
                Some(InvalidationScope::User(user)),
            ),
            (Refusal::Denied(Denied::OutOfReach), None),
            (Refusal::LastAdmin, None),
        ] {
            assert_eq!(refusal.invalidates(done, caller), expected, "{refusal:?}");
        }
    }
}
