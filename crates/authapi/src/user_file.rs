//! Files of users: JSON Lines or CSV, a user a line.
//!
//! The fields are `login`, `password_hash`, `roles`, `disabled` and `created_at`. What is exported has two more, which are
//! not taken over: `id` and `last_login_at`.

mod lines;
mod read;
mod refusal;
mod write;

pub use lines::Lines;
pub use read::UserReader;
pub use refusal::Refusal;
pub use write::UserWriter;

/// Every field that a user may have.
const FIELDS: [&str; 7] = [
    "id",
    "login",
    "password_hash",
    "roles",
    "disabled",
    "created_at",
    "last_login_at",
];
/// How no role at all is written in CSV, where an empty field means that roles are not told.
const NO_ROLES: &str = "-";
