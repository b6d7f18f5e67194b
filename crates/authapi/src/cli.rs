//! The command line. Exit codes: 0 done, 1 it could not be done, 2 a setting or the command line is wrong.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A self-hosted authentication service: users, roles, and tokens that can be taken back.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// Read this file instead of authapi.toml; it must exist.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXIT_CODES: &str = "Without a command it serves. Settings come from authapi.toml, .env and the environment \
    (AUTHAPI_...); `authapi config check` shows them.\n\nExit codes: 0 done, 1 it could not be done, 2 a setting or \
    the command line is wrong.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service until SIGTERM or Ctrl-C.
    Serve,
    /// Bring the database's schema up or down, or show where it stands.
    #[command(subcommand)]
    Migrate(Migrate),
    /// Make or list signing keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Create and change users.
    #[command(subcommand)]
    Users(Users),
    /// Look at the settings.
    #[command(subcommand)]
    Config(Config),
    /// Print the OpenAPI document.
    Openapi,
    /// Ask the running service whether it is ready; exit code 0 if so, else 1.
    Healthcheck,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Migrate {
    /// Run the migrations that have not run yet. Serving does this by itself.
    Up,
    /// Take back the newest migration, and the data that only it has room for.
    Down,
    /// Show which migrations have run.
    Status(Listing),
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Keys {
    /// Make a signing key, and the refresh key if there is none.
    Generate {
        #[arg(long, value_enum, default_value_t = Algorithm::Es256)]
        algorithm: Algorithm,
    },
    /// List the signing keys.
    List(Listing),
}

/// What a signing key is for (RFC 7518, section 3.1; RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Algorithm {
    Es256,
    Eddsa,
    Rs256,
}

#[derive(Debug, Subcommand)]
pub enum Users {
    /// Create a user. The password is asked for, or read as one line of standard input.
    Create(CreateUser),
    /// List users by login.
    List(Listing),
    /// Give a user exactly these roles; the user's access tokens are dead when this returns.
    SetRoles(SetRoles),
    /// Keep a user out; all of the user's tokens are dead when this returns.
    Disable(WhichUser),
    /// Let a disabled user in again.
    Enable(WhichUser),
}

#[derive(Debug, Args)]
pub struct CreateUser {
    #[arg(long, value_name = "NAME")]
    pub login: String,
    /// May be given several times; `user` unless given.
    #[arg(long = "role", value_name = "NAME", default_value = "user")]
    pub roles: Vec<String>,
}

#[derive(Debug, Args)]
pub struct SetRoles {
    #[arg(long, value_name = "NAME")]
    pub login: String,
    /// May be given several times.
    #[arg(long = "role", value_name = "NAME", required = true)]
    pub roles: Vec<String>,
    /// Let the user's sessions live: their next refresh carries the new roles.
    #[arg(long)]
    pub keep_sessions: bool,
}

#[derive(Debug, Args)]
pub struct WhichUser {
    #[arg(long, value_name = "NAME")]
    pub login: String,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Config {
    /// Print the settings in force, secrets hidden.
    Check(Listing),
}

#[derive(Clone, Copy, Debug, Args)]
pub struct Listing {
    /// Print JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_defined() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_serves() {
        let cli = Cli::try_parse_from(["authapi"]).expect("a command line");
        assert!(cli.command.is_none());
    }

    #[test]
    fn every_documented_call_parses() {
        for call in [
            "serve",
            "serve --config other.toml",
            "--config other.toml migrate up",
            "migrate down",
            "migrate status --json",
            "keys generate",
            "keys generate --algorithm eddsa",
            "keys generate --algorithm rs256",
            "keys list --json",
            "users create --login ann --role admin --role user",
            "users list --json",
            "users set-roles --login ann --role user --keep-sessions",
            "users disable --login ann",
            "users enable --login ann",
            "config check --json",
            "openapi",
            "healthcheck",
        ] {
            let words = ["authapi"].into_iter().chain(call.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{call}");
        }
    }

    #[test]
    fn a_password_is_never_an_argument() {
        for call in [
            "users create --login ann --password secret",
            "users create --login ann secret",
        ] {
            let words = ["authapi"].into_iter().chain(call.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{call}");
        }
    }

    #[test]
    fn new_users_have_the_role_user_unless_told_otherwise() {
        let roles = |call: &str| {
            let words = ["authapi"].into_iter().chain(call.split(' '));
            match Cli::try_parse_from(words).expect("a command line").command {
                Some(Command::Users(Users::Create(create))) => create.roles,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(roles("users create --login ann"), ["user"]);
        assert_eq!(roles("users create --login ann --role admin"), ["admin"]);
    }
}
