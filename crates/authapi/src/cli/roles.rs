//! `authapi roles ..`

use super::Listing;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Roles {
    /// List all roles with their permissions.
    List(Listing),
    /// Create a role, or replace an existing one; options left out become empty. Sessions of users
    /// who have the role use its new permissions once the command returns.
    Set(SetRole),
    /// Delete a role that no user has.
    Delete(DeleteRole),
}

#[derive(Debug, Args)]
pub struct SetRole {
    pub name: String,
    /// Purpose of the role.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub description: String,
    /// Permission of the role, as `subject:verb`; may be repeated.
    #[arg(long = "permission", value_name = "PERMISSION")]
    pub permissions: Vec<String>,
    /// Allow every user to assign the role to themselves.
    #[arg(long)]
    pub self_assignable: bool,
    /// Show what would change, without changing it.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Debug, Args)]
pub struct DeleteRole {
    pub name: String,
    /// Show what would change, without changing it.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub listing: Listing,
}
