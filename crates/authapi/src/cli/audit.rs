//! `authapi audit ..`

use super::{Listing, values};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, value_parser};
use domain::audit::{AuditAction, ChainEnd};
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List events, newest first.
    List(ListAudit),
    /// Prove that no event was changed, removed or swapped; else exit code 1, and the number of the first that was.
    Verify(VerifyAudit),
}

#[derive(Debug, Args)]
pub struct ListAudit {
    /// Only what was done to the user with this id, who need not be there any more.
    #[arg(long, value_name = "ID", conflicts_with = "login")]
    pub user: Option<Uuid>,
    /// Only what was done to the user with this login.
    #[arg(long, value_name = "NAME")]
    pub login: Option<String>,
    /// Only what the user with this id did.
    #[arg(long, value_name = "ID")]
    pub actor: Option<Uuid>,
    /// Only what is called so, such as `login_failed`.
    #[arg(long, value_name = "NAME", value_parser = values::action)]
    pub action: Option<AuditAction>,
    /// Only from this instant on, as in 2026-01-31T12:00:00Z; a date alone means its beginning.
    #[arg(long, value_name = "TIME", value_parser = values::instant)]
    pub from: Option<DateTime<Utc>>,
    /// Only before this instant.
    #[arg(long, value_name = "TIME", value_parser = values::instant)]
    pub until: Option<DateTime<Utc>>,
    /// The most events to list; all unless given.
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Debug, Args)]
pub struct VerifyAudit {
    /// An event that was noted elsewhere, as an earlier run printed it: the chain has to run through it.
    #[arg(long, value_name = "NUMBER:SEAL", value_parser = values::anchor)]
    pub anchor: Option<ChainEnd>,
    #[command(flatten)]
    pub listing: Listing,
}
