use super::super::output;
use crate::{Failure, cli::Listing, operator::Operator, settings::Settings, storage::take_server_lock};
use adapters_crypto::SystemClock;
use domain::{
    audit::{Actor, AuditContext, Origin},
    ports::{Clock, Replicas},
};
use serde::Serialize;
use uuid::Uuid;

/// The new end of the audit log.
#[derive(Serialize)]
struct AcceptedRow {
    head: String,
    checkpoint: String,
}

/// Accepts the audit log as it is, and signs its end. Refuses while a server runs.
pub async fn run(settings: &Settings, listing: Listing) -> Result<(), Failure> {
    let operator = Operator::open_to_accept(settings).await?;
    let _lock = take_server_lock(&settings.database)?;
    if let Some(replicas) = &operator.replicas {
        check_none_runs(&**replicas).await?;
    }
    let context = AuditContext::new(SystemClock.now(), Actor::Operator, Origin::default());
    let accepted = operator.accept_audit_log.execute(context).await;
    let accepted = accepted.map_err(|error| Failure::because("the audit log was not accepted", error))?;
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

/// Checks that no replica runs. One that was killed counts as running for some seconds.
async fn check_none_runs(replicas: &dyn Replicas) -> Result<(), Failure> {
    let running = replicas.others(Uuid::nil()).await;
    let running = running.map_err(|error| Failure::because("the replicas cannot be read", error))?;
    if running.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the audit log was not accepted: {} replicas are running; stop them first (one that was killed counts for 15 \
         more seconds)",
        running.len()
    )))
}
