//! `authapi users ..`

use super::{Listing, OneUser, UserSelector};
use clap::{Args, Subcommand, ValueEnum, value_parser};
use domain::{
    login::LoginPrefix,
    role::RoleName,
    user::{UserFilter, UserStatus},
};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Users {
    /// Create a user. Reads the password from a prompt, or from one line of standard input.
    Create(CreateUser),
    /// List users, ordered by login.
    List(ListUsers),
    /// Show one user.
    Show(OneUser),
    /// Replace the roles of a user; the user's access tokens are invalid once the command returns.
    SetRoles(SetRoles),
    /// Disable a user; the user's tokens are invalid once the command returns.
    Disable(OneUser),
    /// Enable a disabled user.
    Enable(OneUser),
    /// Print a one-time code with which the user can log in and must then change the password. The
    /// user's tokens are invalid once the command returns.
    ResetPassword(ResetPassword),
    /// Delete a user permanently; the user's tokens are invalid once the command returns.
    Delete(DeleteUser),
    /// Import users, with the password hashes of another system. Existing users are left unchanged,
    /// so an interrupted import can be run again.
    Import(ImportUsers),
    /// Write all users to standard output, in a format that `import` reads.
    Export(ExportUsers),
}

#[derive(Debug, Args)]
pub struct CreateUser {
    #[arg(long, value_name = "NAME")]
    pub login: String,
    /// Role of the user; may be repeated [default: `AUTHAPI_USERS__DEFAULT_ROLES`].
    #[arg(long = "role", value_name = "NAME")]
    pub roles: Vec<String>,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Debug, Args)]
pub struct ListUsers {
    /// Only users whose login starts with this prefix.
    #[arg(long, value_name = "PREFIX", value_parser = LoginPrefix::parse)]
    pub query: Option<LoginPrefix>,
    /// Only users who have this role.
    #[arg(long, value_name = "NAME", value_parser = RoleName::parse)]
    pub role: Option<RoleName>,
    #[arg(long, value_enum)]
    pub status: Option<Status>,
    /// Maximum number of users [default: no limit].
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub listing: Listing,
}

impl ListUsers {
    /// Returns the filter that these options describe.
    #[must_use]
    pub fn filter(&self) -> UserFilter {
        UserFilter {
            login: self.query.clone(),
            role: self.role.clone(),
            status: self.status.map(Into::into),
        }
    }
}

/// The status of a user; only active users have sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Status {
    Active,
    Disabled,
}

impl From<Status> for UserStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Disabled => Self::Disabled,
        }
    }
}

#[derive(Debug, Args)]
pub struct SetRoles {
    #[command(flatten)]
    pub selector: UserSelector,
    #[command(flatten)]
    pub new_roles: NewRoles,
    /// Keep the user's sessions; their next refresh adopts the new roles.
    #[arg(long)]
    pub keep_sessions: bool,
    /// Show what would change, without changing it.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub listing: Listing,
}

/// The roles that a user gets in place of the present ones.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct NewRoles {
    /// Role of the user; may be repeated.
    #[arg(long = "role", value_name = "NAME")]
    pub roles: Vec<String>,
    /// Remove all roles.
    #[arg(long)]
    pub none: bool,
}

#[derive(Debug, Args)]
pub struct ResetPassword {
    #[command(flatten)]
    pub selector: UserSelector,
    /// Set a one-time password instead of a code. Reads it from a prompt, or from one line of
    /// standard input.
    #[arg(long)]
    pub password: bool,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Debug, Args)]
pub struct DeleteUser {
    #[command(flatten)]
    pub selector: UserSelector,
    /// Delete without asking for confirmation.
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub listing: Listing,
}

/// The format of a user file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object per line.
    Jsonl,
    /// A header line with the column names, then one line per user.
    Csv,
}

#[derive(Debug, Args)]
pub struct ImportUsers {
    /// File to read; `-` reads standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Format of the file [default: csv if the name ends in `.csv`, else jsonl].
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Show what would be imported, without storing it.
    #[arg(long)]
    pub dry_run: bool,
    /// Write refused lines, with the reasons, to this file instead of standard error.
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    #[command(flatten)]
    pub listing: Listing,
}

impl ImportUsers {
    /// Returns the format of the file.
    #[must_use]
    pub fn format(&self) -> Format {
        let is_csv = || {
            let end = self.file.extension();
            end.is_some_and(|end| end.eq_ignore_ascii_case("csv"))
        };
        match self.format {
            Some(format) => format,
            None if is_csv() => Format::Csv,
            None => Format::Jsonl,
        }
    }
}

#[derive(Debug, Args)]
pub struct ExportUsers {
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    pub format: Format,
    /// Include password hashes; protect the output like the database.
    #[arg(long)]
    pub with_password_hashes: bool,
}
