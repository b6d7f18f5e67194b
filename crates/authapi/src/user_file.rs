//! Files of users: JSON Lines or CSV, one user per line.
//!
//! The fields are `login`, `password_hash`, `roles`, `disabled`, `created_at` and
//! `password_expires_at`. An export also
//! contains `id` and `last_login_at`, which an import ignores.

mod formulas;
mod lines;
mod mistaken;
mod read;
mod refusal;
mod write;

pub use lines::{Line, Lines};
pub use mistaken::mistaken_file;
pub use read::UserReader;
pub use refusal::Refusal;
pub use write::UserWriter;

/// The names of all fields.
const FIELDS: [&str; 8] = [
    "id",
    "login",
    "password_hash",
    "roles",
    "disabled",
    "created_at",
    "password_expires_at",
    "last_login_at",
];
/// The CSV value for no roles; an empty field means that the roles are unspecified.
const NO_ROLES: &str = "-";
