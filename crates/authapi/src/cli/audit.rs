//! `authapi audit ..`

use super::{Listing, values};
use adapters_crypto::CheckpointPublicKey;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, value_parser};
use domain::audit::{AuditAction, ChainEnd};
use std::path::PathBuf;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List events, newest first.
    List(ListAudit),
    /// Print new events, oldest first, until SIGINT or SIGTERM.
    Follow(FollowAudit),
    /// Verify that no event was changed, removed or reordered; otherwise print the first that was,
    /// and exit with 1.
    Verify(VerifyAudit),
    /// Continue a log that contradicts its checkpoints, after a backup was restored or the audit
    /// key was lost; or begin the checkpoints of an upgraded log. Servers may run.
    Accept(Listing),
    /// Print the public key with which checkpoints are verified.
    PublicKey,
}

#[derive(Debug, Args)]
pub struct ListAudit {
    /// Only events that affect the user with this id, who may have been deleted.
    #[arg(long, value_name = "ID", conflicts_with = "login")]
    pub user: Option<Uuid>,
    /// Only events that affect the user with this login.
    #[arg(long, value_name = "NAME")]
    pub login: Option<String>,
    /// Only events caused by the user with this id.
    #[arg(long, value_name = "ID")]
    pub actor: Option<Uuid>,
    /// Only events with this action, such as `login_failed`.
    #[arg(long, value_name = "NAME", value_parser = values::action)]
    pub action: Option<AuditAction>,
    /// Only events at or after this instant, such as 2026-01-31T12:00:00Z; a date means its start,
    /// in UTC.
    #[arg(long, value_name = "TIME", value_parser = values::instant)]
    pub from: Option<DateTime<Utc>>,
    /// Only events before this instant.
    #[arg(long, value_name = "TIME", value_parser = values::instant)]
    pub until: Option<DateTime<Utc>>,
    /// Maximum number of events [default: no limit].
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Debug, Args)]
pub struct FollowAudit {
    /// Begin after the event with this number; 0 begins with the oldest event [default: only events
    /// from now on].
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(i64).range(0..))]
    pub after: Option<i64>,
    /// Seconds between two looks for new events.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = value_parser!(u64).range(1..=60))]
    pub interval: u64,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Debug, Args)]
pub struct VerifyAudit {
    /// Require the log to contain this event, as printed by an earlier run.
    #[arg(long, value_name = "NUMBER:SEAL", value_parser = values::anchor)]
    pub anchor: Option<ChainEnd>,
    /// Require the log to contain the event of the checkpoint in this file, which was kept outside
    /// the database.
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Verify without the audit key: with this public key, as `audit public-key` prints it. Then
    /// events after the last checkpoint may be forged.
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<CheckpointPublicKey>,
    #[command(flatten)]
    pub listing: Listing,
}
