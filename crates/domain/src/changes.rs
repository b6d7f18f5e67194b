//! Changes to accounts, sessions, the catalogue of roles and the audit log.
//!
//! A command decides: it states what it [reads](Reads), and turns the [facts](Facts) into a
//! [change](Change) or a [refusal](Refusal). Storage loads what the command reads and applies what
//! it decided, both in one transaction. All business rules of a change are here, and none is in an
//! adapter: who may make it, the order of refusals, epochs and revisions, which sessions end, the
//! audit event, and which session snapshots become stale.

mod accept_audit_log;
mod account;
mod add_machine_secret;
mod assign_machine_roles;
mod assign_roles;
mod catalogue;
mod change;
mod change_password;
mod create_machine;
mod delete_machine;
mod delete_role;
mod delete_user;
mod direct;
mod end_session;
mod end_sessions;
mod facts;
#[cfg(test)]
pub(crate) mod fixtures;
mod import_users;
mod machine_account;
mod machines;
mod open_session;
mod reauthenticate;
mod record_replay;
mod refusal;
mod register_user;
mod remove_machine_secret;
mod reset_password;
mod revoke_sessions;
mod set_machine_status;
mod set_status;
mod trim_audit_log;
mod write_role;

pub use accept_audit_log::AcceptAuditLog;
pub use account::Account;
pub use add_machine_secret::AddMachineSecret;
pub use assign_machine_roles::AssignMachineRoles;
pub use assign_roles::AssignRoles;
pub use catalogue::{CatalogueChange, CatalogueCommand, CatalogueFacts, CatalogueReads, RoleWritten};
pub use change::{Applied, Change, EndSessionsOf, UserChange};
pub use change_password::ChangePassword;
pub use create_machine::CreateMachine;
pub use delete_machine::DeleteMachine;
pub use delete_role::DeleteRole;
pub use delete_user::DeleteUser;
pub use direct::{DirectChange, DirectWrite, KnownAccount};
pub use end_session::EndSession;
pub use end_sessions::EndSessions;
pub use facts::{AccountState, Facts, LiveSession, OwnedSession, Reads};
pub use import_users::{ImportFacts, ImportUsers};
pub use machine_account::MachineAccount;
pub use machines::{MachineChange, MachineCommand, MachineDecision, MachineFacts, MachineReads};
pub use open_session::OpenSession;
pub use reauthenticate::Reauthenticate;
pub use record_replay::RecordReplay;
pub use refusal::{ChangeError, Refusal};
pub use register_user::RegisterUser;
pub use remove_machine_secret::RemoveMachineSecret;
pub use reset_password::{ResetPassword, ResetTo};
pub use revoke_sessions::RevokeSessions;
pub use set_machine_status::SetMachineStatus;
pub use set_status::SetStatus;
pub use trim_audit_log::{TrimAuditLog, TrimChange, TrimFacts};
pub use write_role::{MAX_ROLES, WriteRole};

use crate::invalidation::InvalidationScope;
use chrono::{DateTime, Utc};
use std::fmt;

/// A requested change to an account or its sessions.
pub trait Command: fmt::Debug + Send + Sync {
    /// Returns what storage has to load and lock before [`decide`](Self::decide) is called.
    fn reads(&self) -> Reads;

    /// Decides what to change at `at`. The result depends on the command and the arguments alone.
    ///
    /// # Errors
    /// Returns a [`Refusal`] if the rules do not allow the change. In that case nothing may be
    /// written.
    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal>;

    /// Returns the change that [`decide`](Self::decide) returns if the rows are as the command
    /// expects, for commands whose expectation one statement can check.
    fn direct(&self, _at: DateTime<Utc>) -> Option<DirectChange> {
        None
    }

    /// Returns the scope to invalidate when a refusal means that another request has already made
    /// this change: that request may still be waiting for replicas to acknowledge it.
    fn already_done(&self) -> Option<InvalidationScope>;
}

/// Returns what replicas must drop from their caches before the caller of `command` gets `result`.
///
/// A failure of storage invalidates nothing. If the change was made nevertheless, the client does
/// not know it, and its next attempt finds the change made and invalidates the scope.
#[must_use]
pub fn invalidated(
    command: &dyn Command,
    result: &Result<Applied, ChangeError>,
) -> Option<InvalidationScope> {
    match result {
        Ok(applied) => applied.change.invalidates,
        Err(ChangeError::Refused(refusal)) => {
            refusal.invalidates(command.already_done(), command.reads().caller)
        }
        Err(ChangeError::Port(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::Denied,
        caller::SessionSnapshot,
        changes::fixtures::{CALLER, facts_about, new_session, permissions, snapshot, token},
        fixtures::{EPOCH, SESSION, USER, caller, hash, now, snapshot_with, stored_session, user, user_in},
        ports::PortError,
        role::{Permission, RoleName},
        session::{EndReason, OriginLikeness},
        user::{Epoch, NewUser, User, UserStatus},
    };
    use chrono::Duration;

    const USER_SCOPE: Option<InvalidationScope> = Some(InvalidationScope::User(USER));
    const SESSION_SCOPE: Option<InvalidationScope> = Some(InvalidationScope::Session(SESSION));
    const CALLER_SCOPE: Option<InvalidationScope> = Some(InvalidationScope::User(CALLER));

    fn account() -> Account {
        Account {
            user: USER,
            if_revision: None,
            authorized_by: Some(token()),
        }
    }

    fn assign_roles() -> AssignRoles {
        AssignRoles {
            user: USER,
            roles: [RoleName::USER].into(),
            keep_sessions: true,
            if_revision: None,
            authorized_by: Some(token()),
        }
    }

    fn set_status(status: UserStatus) -> SetStatus {
        SetStatus {
            account: account(),
            status,
        }
    }

    fn open_session(max_sessions: u32) -> OpenSession {
        OpenSession {
            session: new_session(),
            epoch: EPOCH,
            known: None,
            max_sessions,
        }
    }

    fn end_session() -> EndSession {
        EndSession {
            session: SESSION,
            user: USER,
            reason: EndReason::LoggedOut,
        }
    }

    fn end_sessions() -> EndSessions {
        EndSessions {
            user: USER,
            reason: EndReason::LoggedOut,
        }
    }

    fn record_replay() -> RecordReplay {
        RecordReplay {
            session: SESSION,
            user: USER,
            generation: stored_session().generation,
            origin: OriginLikeness::UNKNOWN,
        }
    }

    fn revoke_sessions() -> RevokeSessions {
        RevokeSessions {
            user: USER,
            authorized_by: Some(token()),
        }
    }

    fn register_user() -> RegisterUser {
        RegisterUser(NewUser {
            id: USER,
            login: user().login,
            hash: hash("$made"),
            roles: [RoleName::USER].into(),
        })
    }

    fn change_password() -> ChangePassword {
        ChangePassword {
            authorized_by: caller().identity(),
            hash: hash("$new"),
            session: new_session(),
        }
    }

    fn reauthenticate() -> Reauthenticate {
        Reauthenticate {
            authorized_by: caller().identity(),
        }
    }

    fn reset_password() -> ResetPassword {
        ResetPassword {
            account: account(),
            hash: hash("$new"),
            to: ResetTo::Code,
            expires_at: now() + Duration::hours(1),
        }
    }

    /// An active user with one live session, and an administrator as the caller.
    fn facts() -> Facts {
        Facts {
            live_sessions: vec![LiveSession {
                number: 1,
                created_at: now() - Duration::hours(1),
                id: SESSION,
            }],
            session: Some(OwnedSession::from(&stored_session())),
            ..facts_about(user())
        }
    }

    fn asked_by(caller: SessionSnapshot) -> Facts {
        Facts {
            caller: Some(caller),
            ..facts()
        }
    }

    fn apply(command: &dyn Command, facts: &Facts) -> Result<Applied, ChangeError> {
        let change = command.decide(facts, now())?;
        Ok(Applied {
            change,
            sessions_ended: 0,
        })
    }

    #[test]
    fn a_change_invalidates_the_state_that_it_makes_stale() {
        let own = || asked_by(snapshot_with(permissions(&[])));
        let disabled = || {
            facts_about(User {
                status: UserStatus::Disabled,
                ..user()
            })
        };
        let commands: [(&dyn Command, Facts, Option<InvalidationScope>); 18] = [
            (&register_user(), facts(), None),
            (&record_replay(), facts(), None),
            (&assign_roles(), facts(), USER_SCOPE),
            (&change_password(), own(), USER_SCOPE),
            // Snapshots do not contain the time of the check.
            (&reauthenticate(), own(), None),
            (&reset_password(), facts(), USER_SCOPE),
            (&set_status(UserStatus::Disabled), facts(), USER_SCOPE),
            (&set_status(UserStatus::Active), disabled(), USER_SCOPE),
            // The user already has the requested status.
            (&set_status(UserStatus::Active), facts(), USER_SCOPE),
            (&set_status(UserStatus::Disabled), disabled(), USER_SCOPE),
            (&DeleteUser(account()), facts(), USER_SCOPE),
            (&open_session(2), facts(), None),
            // The live session exceeds the limit.
            (&open_session(1), facts(), USER_SCOPE),
            (&end_session(), facts(), SESSION_SCOPE),
            (&end_sessions(), facts(), USER_SCOPE),
            // The user does not exist.
            (&end_sessions(), Facts::default(), USER_SCOPE),
            (&revoke_sessions(), facts(), USER_SCOPE),
            (&revoke_sessions(), disabled(), USER_SCOPE),
        ];
        for (command, facts, expected) in commands {
            let result = apply(command, &facts);
            assert!(result.is_ok(), "{command:?}: {result:?}");
            assert_eq!(invalidated(command, &result), expected, "{command:?}");
        }
    }

    #[test]
    fn a_refusal_because_the_change_was_already_made_invalidates_like_the_change() {
        let stale = || {
            let mut snapshot = snapshot(permissions(&[]));
            user_in(&mut snapshot).epoch = Epoch(9);
            asked_by(snapshot)
        };
        let commands: [(&dyn Command, Facts, Refusal, Option<InvalidationScope>); 14] = [
            (
                &assign_roles(),
                Facts::default(),
                Refusal::UserNotFound,
                USER_SCOPE,
            ),
            (&assign_roles(), stale(), Denied::Stale.into(), CALLER_SCOPE),
            (
                &change_password(),
                Facts::default(),
                Denied::Stale.into(),
                USER_SCOPE,
            ),
            (
                &reauthenticate(),
                Facts::default(),
                Denied::Stale.into(),
                USER_SCOPE,
            ),
            (
                &reset_password(),
                Facts::default(),
                Refusal::UserNotFound,
                USER_SCOPE,
            ),
            (&reset_password(), stale(), Denied::Stale.into(), CALLER_SCOPE),
            (
                &set_status(UserStatus::Active),
                Facts::default(),
                Refusal::UserNotFound,
                USER_SCOPE,
            ),
            (
                &set_status(UserStatus::Disabled),
                Facts::default(),
                Refusal::UserNotFound,
                USER_SCOPE,
            ),
            (
                &set_status(UserStatus::Disabled),
                stale(),
                Denied::Stale.into(),
                CALLER_SCOPE,
            ),
            (
                &DeleteUser(account()),
                Facts::default(),
                Refusal::UserNotFound,
                USER_SCOPE,
            ),
            (
                &DeleteUser(account()),
                stale(),
                Denied::Stale.into(),
                CALLER_SCOPE,
            ),
            (
                &end_session(),
                Facts::default(),
                Refusal::SessionEnded,
                SESSION_SCOPE,
            ),
            (
                &revoke_sessions(),
                Facts::default(),
                Refusal::UserNotFound,
                USER_SCOPE,
            ),
            (&revoke_sessions(), stale(), Denied::Stale.into(), CALLER_SCOPE),
        ];
        for (command, facts, refusal, expected) in commands {
            let result = apply(command, &facts);
            assert_eq!(invalidated(command, &result), expected, "{command:?}");
            assert!(
                matches!(&result, Err(ChangeError::Refused(refused)) if *refused == refusal),
                "{command:?}: {result:?}"
            );
        }
    }

    #[test]
    fn other_refusals_and_failures_of_storage_invalidate_nothing() {
        let commands: [&dyn Command; 12] = [
            &register_user(),
            &record_replay(),
            &assign_roles(),
            &change_password(),
            &reauthenticate(),
            &reset_password(),
            &set_status(UserStatus::Disabled),
            &DeleteUser(account()),
            &open_session(1),
            &end_session(),
            &end_sessions(),
            &revoke_sessions(),
        ];
        for command in commands {
            let errors: [ChangeError; 15] = [
                Refusal::LoginTaken.into(),
                Refusal::ReplayRecorded.into(),
                Refusal::UserChanged.into(),
                Refusal::UnknownRole(RoleName::USER).into(),
                Refusal::LastAdmin.into(),
                Refusal::RevisionMismatch.into(),
                Refusal::RoleInUse(1).into(),
                Refusal::CatalogueFull.into(),
                Denied::Forbidden(Permission::USERS_WRITE).into(),
                Denied::StepUpRequired {
                    max_age: Duration::minutes(15),
                }
                .into(),
                Denied::OutOfReach.into(),
                Denied::NotAssignable(RoleName::ADMIN).into(),
                Denied::NotGrantable(Permission::USERS_READ).into(),
                PortError::Overloaded.into(),
                PortError::Unavailable("down".into()).into(),
            ];
            for error in errors {
                let result = Err(error);
                assert_eq!(invalidated(command, &result), None, "{command:?}: {result:?}");
            }
        }
    }

    /// The user or session was never stored, or the change that came first has invalidated it.
    #[test]
    fn refused_registrations_logins_and_records_of_replays_invalidate_nothing() {
        for command in [&register_user() as &dyn Command, &open_session(1)] {
            let result = Err(Refusal::UserNotFound.into());
            assert_eq!(invalidated(command, &result), None, "{command:?}");
        }
        let result = Err(Refusal::SessionEnded.into());
        assert_eq!(invalidated(&record_replay(), &result), None);
    }

    /// Every outcome that a client can see, identified by its text.
    #[test]
    fn each_refusal_has_a_text() {
        for (refusal, text) in [
            (Refusal::LoginTaken, "the login is taken"),
            (Refusal::UserNotFound, "the user does not exist"),
            (Refusal::UserChanged, "the user was changed concurrently"),
            (Refusal::SessionEnded, "the session has ended"),
            (Refusal::ReplayRecorded, "the replay is already recorded"),
            (
                Refusal::UnknownRole(RoleName::USER),
                "the role \"user\" does not exist",
            ),
            (
                Refusal::LastAdmin,
                "the last active admin must keep the role admin and cannot be disabled or deleted",
            ),
            (Refusal::RevisionMismatch, "the revision does not match"),
            (Refusal::RoleNotFound, "the role does not exist"),
            (Refusal::RoleInUse(3), "the role is in use (users: 3)"),
            (Refusal::CatalogueFull, "the catalogue is full"),
            (Denied::Stale.into(), "the caller's token is outdated"),
        ] {
            assert_eq!(ChangeError::from(refusal).to_string(), text);
        }
    }
}
