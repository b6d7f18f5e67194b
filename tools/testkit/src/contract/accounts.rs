//! The contract of [`Accounts`](domain::ports::Accounts), command by command, over the built-in
//! roles.
//!
//! Which changes are allowed and what they consist of is decided in [`domain::changes`]. These
//! cases check what storage adds: that it loads the facts, applies all of a change or none of it,
//! and lets no two commands overlook each other.

mod assign_roles;
mod change_password;
mod delete_user;
mod dry_run;
mod end_session;
mod facts;
mod last_admin;
mod open_session;
pub(super) mod probe;
mod register_user;
mod replace_hash;
mod reset_password;
mod revoke_sessions;
mod set_status;
mod unknown_or_changed;

part! {
    /// One named test for each case of the contract of [`Accounts`](domain::ports::Accounts), in a
    /// module for each command.
    ///
    /// `$fresh` is an async function that returns a [`CoreStorage`](crate::CoreStorage) or a
    /// [`Storage`](crate::Storage) without users, and a guard that keeps it alive for the test.
    accounts_contract:
        register_user,
        replace_hash,
        open_session,
        end_session,
        revoke_sessions,
        assign_roles,
        change_password,
        reset_password,
        set_status,
        delete_user,
        unknown_or_changed,
        last_admin,
        dry_run,
        facts,
}
