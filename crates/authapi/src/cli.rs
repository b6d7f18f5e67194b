//! The command line. Exit codes: 0 success, 1 failure, 2 invalid settings or usage.

mod audit;
mod passwords;
mod roles;
mod sessions;
mod users;
mod values;

pub use audit::{Audit, FollowAudit, ListAudit, VerifyAudit};
pub use passwords::{CheckPassword, Passwords};
pub use roles::{DeleteRole, Roles, SetRole};
pub use sessions::Sessions;
pub use users::{
    CreateUser, DeleteUser, ExportUsers, Format, ImportUsers, ListUsers, ResetPassword, SetRoles, Status,
    Users,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::{steps::UserRef, user::UserId};
use std::path::PathBuf;
use uuid::Uuid;

/// A self-hosted authentication service: users, roles and revocable tokens.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// Read this file instead of authapi.toml; it must exist.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXIT_CODES: &str = "Without a command, the service runs. Settings come from authapi.toml, .env and the environment \
    (AUTHAPI_...); `authapi config check` shows them.\n\nExit codes: 0 success, 1 failure, 2 invalid \
    settings or usage.";

#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(flatten)]
    Configured(Configured),
    #[command(flatten)]
    Document(Document),
}

/// Commands that read the settings.
#[derive(Debug, Subcommand)]
pub enum Configured {
    /// Run the service until SIGTERM or Ctrl-C.
    Serve,
    /// Migrate the database schema, or show its migrations.
    #[command(subcommand)]
    Migrate(Migrate),
    /// Generate or list signing keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Create, find, change, import and export users.
    #[command(subcommand)]
    Users(Users),
    /// Check a password against the rules for new ones.
    #[command(subcommand)]
    Passwords(Passwords),
    /// List, define and delete roles.
    #[command(subcommand)]
    Roles(Roles),
    /// List and end the sessions of a user.
    #[command(subcommand)]
    Sessions(Sessions),
    /// Read the audit log, and verify that it is unchanged.
    #[command(subcommand)]
    Audit(Audit),
    /// Show the settings.
    #[command(subcommand)]
    Config(Config),
    /// Check whether the running service is ready; exit code 0 if it is, else 1.
    Healthcheck,
}

/// Commands that write documents about this program, for which no settings are needed.
#[derive(Debug, Subcommand)]
pub enum Document {
    /// Print the OpenAPI document.
    Openapi {
        /// Version of OpenAPI. Use 3.0 for tools that do not read 3.1.
        #[arg(long, value_enum, default_value_t = OpenapiVersion::V3_1)]
        version: OpenapiVersion,
    },
    /// Print the completions of the command line for a shell.
    Completions { shell: Shell },
    /// Write the manual pages to a directory, which is created if it is missing.
    Man {
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// A version of the OpenAPI specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OpenapiVersion {
    #[value(name = "3.1")]
    V3_1,
    #[value(name = "3.0")]
    V3_0,
}

/// A shell that completes command lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Migrate {
    /// Apply all pending migrations. `serve` also does this at its start.
    Up,
    /// Revert the newest migration, and delete the data that only its schema holds.
    Down,
    /// List the migrations, applied and pending.
    Status(Listing),
}

#[derive(Clone, Debug, Subcommand)]
pub enum Keys {
    /// Generate a signing key, and the refresh key and the audit key if they are missing.
    Generate {
        #[arg(long, value_enum, default_value_t = Algorithm::Es256)]
        algorithm: Algorithm,
    },
    /// List the signing keys.
    List(Listing),
    /// Create a signing key that is published and signs later, or a refresh key.
    Publish {
        #[arg(long, value_enum, default_value_t = Algorithm::Es256)]
        algorithm: Algorithm,
        /// Create a refresh key. It makes new refresh tokens once every replica has loaded it.
        #[arg(long, conflicts_with = "algorithm")]
        refresh: bool,
        #[command(flatten)]
        listing: Listing,
    },
    /// Make a published key sign, and retire the key that signs.
    Rotate {
        /// The key that is to sign; the published key with the oldest file by default.
        #[arg(value_name = "KID", allow_hyphen_values = true)]
        kid: Option<String>,
        /// Do not wait until other services have fetched the key: they reject its tokens meanwhile.
        #[arg(long)]
        urgent: bool,
        #[command(flatten)]
        listing: Listing,
    },
    /// Retire a published key, so that it never signs.
    Retire {
        #[arg(value_name = "KID", allow_hyphen_values = true)]
        kid: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// Delete a retired or published key, or an older refresh key, once no valid token needs it.
    Remove {
        /// The id of a signing key, or the fingerprint of a refresh key.
        #[arg(value_name = "KEY", allow_hyphen_values = true)]
        key: String,
        #[command(flatten)]
        listing: Listing,
    },
}

/// The algorithm of a signing key (RFC 7518, section 3.1; RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Algorithm {
    Es256,
    Eddsa,
    Rs256,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Config {
    /// Print the effective settings, with secrets hidden, and log warnings about likely mistakes.
    Check(Listing),
}

#[derive(Clone, Copy, Debug, Args)]
pub struct Listing {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// The user that a command applies to, by id or by login.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct UserSelector {
    /// The user with this id.
    #[arg(long, value_name = "ID")]
    pub user: Option<Uuid>,
    /// The user with this login, in any spelling.
    #[arg(long, value_name = "NAME")]
    pub login: Option<String>,
}

impl From<UserSelector> for UserRef {
    fn from(selector: UserSelector) -> Self {
        match selector.user {
            Some(id) => Self::Id(UserId(id)),
            // clap requires one of the two; an empty login matches no user.
            None => Self::Login(selector.login.unwrap_or_default()),
        }
    }
}

/// A user, and the format of the output.
#[derive(Clone, Debug, Args)]
pub struct OneUser {
    #[command(flatten)]
    pub selector: UserSelector,
    #[command(flatten)]
    pub listing: Listing,
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
    fn serve_is_the_default_command() {
        let cli = Cli::try_parse_from(["authapi"]).expect("the command line is valid");
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
            "users create --login ann --role admin --role user --json",
            "users list --json",
            "users list --query an --role admin --status disabled --limit 5",
            "users show --login ann",
            "users show --user 01a2037a-ae9b-7011-beab-6d2ca028090e --json",
            "users set-roles --login ann --role user --keep-sessions",
            "users set-roles --login ann --role user --role editor",
            "users set-roles --login ann --none --dry-run --json",
            "users disable --login ann",
            "users enable --login ann --json",
            "users reset-password --login ann --json",
            "users reset-password --login ann --password",
            "users delete --login ann --yes",
            "users import users.jsonl",
            "users import - --format csv --dry-run --rejects rejects.jsonl --json",
            "users export",
            "users export --with-password-hashes --format csv",
            "passwords check",
            "passwords check --login ann --json",
            "roles list --json",
            "roles set editor --description May_edit. --permission pages:edit --self-assignable",
            "roles set editor --dry-run --json",
            "roles delete editor --dry-run",
            "sessions list --login ann --json",
            "sessions end --user 01a2037a-ae9b-7011-beab-6d2ca028090e",
            "audit list --json",
            "audit list --login ann --action roles_changed --from 2026-01-01T00:00:00Z --limit 5",
            "audit list --user 01a2037a-ae9b-7011-beab-6d2ca028090e --until 2026-01-01",
            "audit follow",
            "audit follow --json --after 0 --interval 60",
            "audit verify --json",
            "audit verify --anchor 7:365aa7d8f7f9402c4b9434502b4cc89ddb09fe50d7cd95b493b834c62d5a5370",
            "audit verify --checkpoint checkpoint.txt",
            "audit public-key",
            "audit accept",
            "config check --json",
            "openapi",
            "openapi --version 3.0",
            "openapi --version 3.1",
            "completions bash",
            "completions zsh",
            "completions fish",
            "man share/man/man1",
            "healthcheck",
        ] {
            let words = ["authapi"].into_iter().chain(call.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{call}");
        }
    }

    #[test]
    fn a_change_to_no_roles_must_be_explicit() {
        let call = ["authapi", "users", "set-roles", "--login", "ann"];
        let refused = Cli::try_parse_from(call).expect_err("no roles").to_string();
        assert!(
            refused.contains("--role <NAME>") && refused.contains("--none"),
            "{refused}"
        );
    }

    #[test]
    fn invalid_calls_are_refused() {
        for call in [
            "users create --login ann --password secret",
            "users create --login ann secret",
            "users reset-password --login ann secret",
            "users show",
            "passwords",
            "passwords check secret",
            "passwords check --password secret",
            "users show --login ann --user 01a2037a-ae9b-7011-beab-6d2ca028090e",
            "users show --user ann",
            "users set-roles --login ann",
            "users set-roles --login ann --role user --none",
            "users list --status asleep",
            "users list --limit 0",
            "users list --role Not-A-Role",
            "users list --query a_b__c__d__e__f__g__h__i__j__k__l__m__n__o__p__q__r__s__t__u__v__w__x__y__z",
            "openapi --version 2.0",
            "completions",
            "completions tcsh",
            "man",
            "users import",
            "users import users.xml --format xml",
            "audit list --action unheard_of",
            "audit list --from yesterday",
            "audit follow --after -1",
            "audit follow --interval 0",
            "audit follow --interval 61",
            "audit verify --anchor 7",
            "audit verify --anchor 7:abc",
            "audit verify --public-key authapi/audit",
        ] {
            let words = ["authapi"].into_iter().chain(call.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{call}");
        }
    }

    #[test]
    fn ids_of_keys_may_begin_with_hyphens() {
        for kid in ["-hW3", "--urgent-W3", "-", "W3"] {
            for call in [
                vec!["keys", "rotate", kid, "--urgent", "--json"],
                vec!["keys", "rotate", "--urgent", "--json", kid],
            ] {
                let cli =
                    Cli::try_parse_from(["authapi"].into_iter().chain(call)).expect("the call is valid");
                let Some(Command::Configured(Configured::Keys(Keys::Rotate {
                    kid: parsed,
                    urgent,
                    listing,
                }))) = cli.command
                else {
                    panic!("another command");
                };
                assert_eq!((parsed.as_deref(), urgent, listing.json), (Some(kid), true, true));
            }
            for command in ["retire", "remove"] {
                let call = ["authapi", "keys", command, kid, "--json"];
                assert!(Cli::try_parse_from(call).is_ok(), "{command} {kid}");
            }
        }
    }
}
