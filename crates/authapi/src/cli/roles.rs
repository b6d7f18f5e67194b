//! `authapi roles ..`

use super::Listing;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Roles {
    /// List all roles, with what they allow.
    List(Listing),
    /// Make a role, or give one other properties: it is exactly as told afterwards, and what is not given is empty. What it
    /// allows is in force for everybody who has it when this returns.
    Set(SetRole),
    /// Remove a role that nobody has.
    Delete(DeleteRole),
}

#[derive(Debug, Args)]
pub struct SetRole {
    pub name: String,
    /// What the role is for.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub description: String,
    /// What it allows, as `subject:verb`; may be given several times.
    #[arg(long = "permission", value_name = "PERMISSION")]
    pub permissions: Vec<String>,
    /// Let every user take the role.
    #[arg(long)]
    pub self_assignable: bool,
    /// Say what would happen, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Debug, Args)]
pub struct DeleteRole {
    pub name: String,
    /// Say what would happen, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub listing: Listing,
}
