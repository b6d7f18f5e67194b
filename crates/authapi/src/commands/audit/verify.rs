use super::super::output;
use crate::{Failure, cli::VerifyAudit, operator::Operator, progress::Progress};
use domain::{
    audit::{AuditNumber, Broken, ChainEnd, ChainEnds},
    authority::Capability,
    use_cases::VerifyAuditError,
};
use serde::Serialize;

/// Verifies the audit log from its first event to its last.
pub async fn run(operator: &Operator, request: &VerifyAudit) -> Result<(), Failure> {
    let verified = verify(operator, request.anchor).await;
    if request.listing.json {
        match &verified {
            Ok(ends) => output::json_line(&IntactRow::from(*ends))?,
            Err(error) => print_broken(error)?,
        }
    } else if let Ok(ends) = &verified {
        output::line(format_args!(
            "{} events are unchanged; the last is {}",
            checked(*ends),
            written(ends.head)
        ))?;
    }
    match verified {
        Ok(_) => Ok(()),
        Err(VerifyAuditError::Port(error)) => Err(Failure::because("the audit log cannot be read", error)),
        Err(error) => Err(Failure::because("the audit log failed verification", error)),
    }
}

async fn verify(operator: &Operator, anchor: Option<ChainEnd>) -> Result<ChainEnds, VerifyAuditError> {
    let mut progress: Option<Progress> = None;
    let by = Capability::of_operator();
    let verify = operator.verify_audit.execute(by, anchor, |reached| {
        let base = reached.ends.base.number.0;
        let total = u64::try_from(reached.ends.head.number.0 - base).ok();
        let done = u64::try_from(reached.reached.number.0 - base).unwrap_or_default();
        let progress = progress.get_or_insert_with(|| Progress::new("events", total));
        progress.update(done, done);
    });
    verify.await
}

/// Returns the number of events between the ends.
fn checked(ends: ChainEnds) -> i64 {
    ends.head.number.0 - ends.base.number.0
}

/// Formats an event the way `--anchor` accepts it.
fn written(end: ChainEnd) -> String {
    format!("{}:{}", end.number, end.seal)
}

/// The JSON output for an intact audit log.
#[derive(Serialize)]
struct IntactRow {
    intact: bool,
    checked: i64,
    /// The last event that was trimmed.
    base: String,
    head: String,
}

impl From<ChainEnds> for IntactRow {
    fn from(ends: ChainEnds) -> Self {
        Self {
            intact: true,
            checked: checked(ends),
            base: written(ends.base),
            head: written(ends.head),
        }
    }
}

/// The JSON output for an audit log that was tampered with.
#[derive(Serialize)]
struct BrokenRow {
    intact: bool,
    /// The first event that differs from what was written.
    event: i64,
    cause: String,
}

fn print_broken(error: &VerifyAuditError) -> Result<(), Failure> {
    match broken_at(error) {
        Some(number) => output::json_line(&BrokenRow {
            intact: false,
            event: number.0,
            cause: error.to_string(),
        }),
        None => Ok(()),
    }
}

fn broken_at(error: &VerifyAuditError) -> Option<AuditNumber> {
    match error {
        VerifyAuditError::Broken(
            Broken::Missing(number) | Broken::Changed(number) | Broken::Added(number),
        ) => Some(*number),
        VerifyAuditError::AnotherChain(anchor) => Some(anchor.number),
        VerifyAuditError::AnchorTrimmed(_) | VerifyAuditError::Port(_) => None,
    }
}
