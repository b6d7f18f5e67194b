//! `authapi sessions ..`

use super::OneUser;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Sessions {
    /// List the live sessions of a user, newest first.
    List(OneUser),
    /// End all sessions of a user; the user's tokens are invalid once the command returns.
    End(OneUser),
}
