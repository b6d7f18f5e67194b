use super::super::output;
use crate::{Failure, cli::Listing, operator::Operator, settings::Settings};
use adapters_crypto::SystemClock;
use domain::{
    audit::{Actor, AuditContext, Origin},
    ports::{Clock, Replicas},
    use_cases::AcceptAuditLogError,
};
use serde::Serialize;
use uuid::Uuid;

/// The new end of the audit log.
#[derive(Serialize)]
struct AcceptedRow {
    head: String,
    checkpoint: String,
}

/// Accepts the audit log as it is, and signs its end. Servers may run: they adopt the new
/// checkpoint within a minute.
pub async fn run(settings: &Settings, listing: Listing) -> Result<(), Failure> {
    let operator = Operator::open_to_accept(settings).await?;
    if let Some(replicas) = &operator.replicas {
        check_all_write_macs(&**replicas).await?;
    }
    let context = AuditContext::new(SystemClock.now(), Actor::Operator, Origin::default());
    let accepted = operator.accept_audit_log.execute(context).await;
    let accepted = accepted.map_err(failure)?;
    let end = accepted.end();
    let row = AcceptedRow {
        head: format!("{}:{}", end.number, end.seal),
        checkpoint: accepted.note().to_owned(),
    };
    if listing.json {
        output::json_line(&row)
    } else {
        output::line(format_args!("the audit log continues after event {}", row.head))
    }
}

fn failure(error: AcceptAuditLogError) -> Failure {
    let what = match error {
        AcceptAuditLogError::Broken(_) => "the audit log was accepted, and later events were not signed",
        AcceptAuditLogError::Port(_) => "the audit log was not accepted",
    };
    Failure::because(what, error)
}

/// Checks that no running replica is of a version before MACs: its next event would have none, and
/// no checkpoint would cover it.
async fn check_all_write_macs(replicas: &dyn Replicas) -> Result<(), Failure> {
    let running = replicas.others(Uuid::nil()).await;
    let running = running.map_err(|error| Failure::because("the replicas cannot be read", error))?;
    let old = running
        .iter()
        .filter(|replica| replica.audit_key.is_none())
        .count();
    if old == 0 {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the audit log was not accepted: {old} running replicas are of a version that writes no MACs; upgrade or stop \
         them first (one that was killed counts for 15 more seconds)"
    )))
}
