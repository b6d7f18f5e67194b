//! `authapi passwords ..`

use super::Listing;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Passwords {
    /// Check a password, read from a prompt or from standard input, without storing it; exit code 0
    /// if it would be accepted, else 1.
    Check(CheckPassword),
}

#[derive(Debug, Args)]
pub struct CheckPassword {
    /// The login of the account, which the password must not contain.
    #[arg(long, value_name = "NAME")]
    pub login: Option<String>,
    #[command(flatten)]
    pub listing: Listing,
}
