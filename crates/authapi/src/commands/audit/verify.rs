use super::super::output::{self, instant};
use crate::{Failure, cli::VerifyAudit, operator::Operator, progress::Progress, settings::Settings};
use domain::{
    audit::{ChainEnd, ChainEnds},
    authority::Capability,
    use_cases::{VerifiedLog, VerifyAuditError, VerifyAuditRequest},
};
use serde::Serialize;
use std::{fs, path::Path};

/// Verifies the audit log from its first event to its last.
pub async fn run(settings: &Settings, request: VerifyAudit) -> Result<(), Failure> {
    let checkpoint = request.checkpoint.as_deref().map(read).transpose()?;
    let (anchor, skips_macs) = (request.anchor, request.public_key.is_some());
    let operator = match request.public_key {
        None => Operator::open_to_verify(settings).await?,
        Some(key) => Operator::open_to_verify_with(settings, key).await?,
    };
    let wanted = VerifyAuditRequest {
        anchor,
        checkpoint,
        skips_macs,
    };
    let verified = verify(&operator, &wanted).await;
    if request.listing.json {
        match &verified {
            Ok(log) => output::json_line(&IntactRow::from(*log))?,
            Err(error) => print_broken(error)?,
        }
    } else if let Ok(log) = &verified {
        output::line(format_args!(
            "{} events are unchanged; the last is {}",
            checked(log.ends),
            written(log.ends.head)
        ))?;
        output::line(format_args!("checkpoints cover the events up to {}", log.covered))?;
        if let Some(oldest) = log.backlog.oldest {
            let (count, oldest) = (log.backlog.count, instant(oldest));
            output::line(format_args!(
                "{count} more events are not sealed yet; the oldest is of {oldest}"
            ))?;
        }
    }
    match verified {
        Ok(_) => Ok(()),
        Err(VerifyAuditError::Port(error)) => Err(Failure::because("the audit log cannot be read", error)),
        Err(error) => Err(Failure::because("the audit log failed verification", error)),
    }
}

/// Reads a checkpoint that was kept outside the database.
fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = || format!("{} cannot be read", path.display());
    let text = fs::read_to_string(path).map_err(|error| Failure::because(unreadable(), error))?;
    Ok(with_line_feeds(&text))
}

/// Returns the note as it was signed, with one line feed at its end. Programs that extract it from
/// a log add another one, and editors change the ends of lines.
fn with_line_feeds(text: &str) -> String {
    format!("{}\n", text.replace("\r\n", "\n").trim())
}

async fn verify(operator: &Operator, request: &VerifyAuditRequest) -> Result<VerifiedLog, VerifyAuditError> {
    let mut progress: Option<Progress> = None;
    let by = Capability::of_operator();
    let verify = operator.verify_audit.execute(by, request, |reached| {
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
    /// The last event that a signed checkpoint covers.
    covered: i64,
    /// The number of events that are not sealed yet.
    pending: u64,
    oldest_pending: Option<String>,
}

impl From<VerifiedLog> for IntactRow {
    fn from(log: VerifiedLog) -> Self {
        Self {
            intact: true,
            checked: checked(log.ends),
            base: written(log.ends.base),
            head: written(log.ends.head),
            covered: log.covered.0,
            pending: log.backlog.count,
            oldest_pending: log.backlog.oldest.map(instant),
        }
    }
}

/// The JSON output for an audit log that was tampered with.
#[derive(Serialize)]
struct BrokenRow {
    intact: bool,
    /// The first event that differs from what was written, if it is known.
    event: Option<i64>,
    cause: String,
}

fn print_broken(error: &VerifyAuditError) -> Result<(), Failure> {
    let number = match error {
        VerifyAuditError::Broken(broken) => broken.number(),
        VerifyAuditError::NoCheckpointYet(number) => Some(*number),
        VerifyAuditError::Trimmed(_) | VerifyAuditError::Port(_) => return Ok(()),
    };
    output::json_line(&BrokenRow {
        intact: false,
        event: number.map(|number| number.0),
        cause: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_restored_from_a_log_or_an_editor() {
        let note = "authapi/audit\n7\nNlqK\n\n\u{2014} authapi/audit gLJ3\n";
        for text in [
            note.to_owned(),
            format!("{note}\n"),
            note.replace('\n', "\r\n"),
            note.trim_end().to_owned(),
        ] {
            assert_eq!(with_line_feeds(&text), note, "{text:?}");
        }
    }
}
