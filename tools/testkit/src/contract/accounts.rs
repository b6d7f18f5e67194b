//! The contract of [`Accounts`](domain::ports::Accounts), with the built-in roles only.
//!
//! [`domain::changes`] decides which changes are allowed and what they consist of. These cases
//! check what storage adds: it loads the facts, applies all of a change or none of it, and
//! serializes commands that affect each other.

mod assign_roles;
mod change_password;
mod delete_user;
mod end_session;
mod every_command;
mod facts;
mod known_places;
mod last_admin;
mod open_session;
pub(super) mod probe;
mod reauthenticate;
mod record_replay;
mod register_user;
mod replace_hash;
mod set_status;

part! {
    /// Defines a named test for each case of the contract of [`Accounts`](domain::ports::Accounts),
    /// with one module per group of cases.
    ///
    /// `$fresh` is an async function that returns a [`CoreStorage`](crate::CoreStorage) or a
    /// [`Storage`](crate::Storage) without users, and a guard that keeps it alive for the test.
    accounts_contract:
        every_command,
        register_user,
        replace_hash,
        open_session,
        end_session,
        record_replay,
        assign_roles,
        change_password,
        reauthenticate,
        set_status,
        delete_user,
        last_admin,
        known_places,
        facts,
}
