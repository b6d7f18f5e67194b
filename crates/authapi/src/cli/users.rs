//! `authapi users ..`

use super::{Listing, OneUser, WhichUser};
use clap::{Args, Subcommand, ValueEnum, value_parser};
use domain::{
    login::LoginPrefix,
    role::RoleName,
    user::{UserFilter, UserStatus},
};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Users {
    /// Create a user. The password is asked for, or read as one line of standard input.
    Create(CreateUser),
    /// List users by login.
    List(ListUsers),
    /// Show one user.
    Show(OneUser),
    /// Give a user exactly these roles; the user's access tokens are dead when this returns.
    SetRoles(SetRoles),
    /// Keep a user out; all of the user's tokens are dead when this returns.
    Disable(OneUser),
    /// Let a disabled user in again.
    Enable(OneUser),
    /// Give a user a password that they must change when they next log in. It is asked for, or read as one line of
    /// standard input; all of the user's tokens are dead when this returns.
    ResetPassword(OneUser),
    /// Remove a user for good; all of the user's tokens are dead when this returns.
    Delete(DeleteUser),
    /// Take over users, with the password hashes that another system made. Whoever is there already is left as they are,
    /// so an import that broke off is simply run again.
    Import(ImportUsers),
    /// Write all users to standard output, in a form that `import` reads.
    Export(ExportUsers),
}

#[derive(Debug, Args)]
pub struct CreateUser {
    #[arg(long, value_name = "NAME")]
    pub login: String,
    /// May be given several times; `AUTHAPI_USERS__DEFAULT_ROLES` unless given.
    #[arg(long = "role", value_name = "NAME")]
    pub roles: Vec<String>,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Debug, Args)]
pub struct ListUsers {
    /// Only those whose logins begin so.
    #[arg(long, value_name = "PREFIX", value_parser = LoginPrefix::parse)]
    pub query: Option<LoginPrefix>,
    /// Only those who have this role.
    #[arg(long, value_name = "NAME", value_parser = RoleName::parse)]
    pub role: Option<RoleName>,
    #[arg(long, value_enum)]
    pub status: Option<Status>,
    /// The most users to list; all unless given.
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub listing: Listing,
}

impl ListUsers {
    /// Whom to list.
    #[must_use]
    pub fn filter(&self) -> UserFilter {
        UserFilter {
            login: self.query.clone(),
            role: self.role.clone(),
            status: self.status.map(Into::into),
        }
    }
}

/// Whether users may have sessions at all.
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
    pub who: WhichUser,
    /// May be given several times.
    #[arg(long = "role", value_name = "NAME", required_unless_present = "none")]
    pub roles: Vec<String>,
    /// No role at all.
    #[arg(long, conflicts_with = "roles")]
    pub none: bool,
    /// Let the user's sessions live: their next refresh carries the new roles.
    #[arg(long)]
    pub keep_sessions: bool,
    /// Say what would happen, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Debug, Args)]
pub struct DeleteUser {
    #[command(flatten)]
    pub who: WhichUser,
    /// Do not ask whether this is meant.
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub listing: Listing,
}

/// What users are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A JSON object a line.
    Jsonl,
    /// A line of names, then a line a user.
    Csv,
}

#[derive(Debug, Args)]
pub struct ImportUsers {
    /// What to read; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Unless given, csv when the file's name ends so, else jsonl.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Say what would happen, and store nobody.
    #[arg(long)]
    pub dry_run: bool,
    /// Write which lines were refused, and why, to this file and not to standard error.
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    #[command(flatten)]
    pub listing: Listing,
}

impl ImportUsers {
    /// What the file is taken for.
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
    /// Write what passwords are checked against, too: keep the file as you keep the database.
    #[arg(long)]
    pub with_password_hashes: bool,
}
