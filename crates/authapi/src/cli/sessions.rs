//! `authapi sessions ..`

use super::OneUser;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Sessions {
    /// List a user's live sessions, newest first.
    List(OneUser),
    /// End all of a user's sessions; all of the user's tokens are dead when this returns.
    End(OneUser),
}
