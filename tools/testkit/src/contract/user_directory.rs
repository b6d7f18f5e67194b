//! The contract of [`UserDirectory`](domain::ports::UserDirectory).

mod any_admin;
mod import_users;
mod list_users;

part! {
    /// Defines a named test for each case of the contract of
    /// [`UserDirectory`](domain::ports::UserDirectory).
    ///
    /// `$fresh` is an async function that returns a [`Storage`](crate::Storage) without users, and
    /// a guard that keeps it alive for the test.
    user_directory_contract: any_admin, list_users, import_users,
}
