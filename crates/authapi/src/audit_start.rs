//! What a server checks about the audit log before it writes to it.

use crate::{Failure, audit_keys::AuditKeys};
use domain::{
    audit::{AuditNumber, ChainEnd},
    ports::AuditLog,
    use_cases::{ResumeAuditLog, ResumeAuditLogError},
};

/// Checks that the audit log continues its newest checkpoints.
pub async fn resume(resume: &ResumeAuditLog) -> Result<(), Failure> {
    resume.execute().await.map_err(|error| match error {
        ResumeAuditLogError::Port(error) => Failure::because("the audit log cannot be read", error),
        ResumeAuditLogError::Broken(broken) => Failure::because(
            "the audit log cannot be continued; put the right database and audit.key in place, or accept the log as it \
             is with `authapi audit accept`",
            broken,
        ),
    })
}

/// Returns the last event for which the first checkpoint vouches although it has no MAC. If this
/// process generated the audit key, no event can have a MAC yet, and no checkpoint can have been
/// removed. A key that existed before proves neither: then every event needs a MAC.
pub async fn vouched(keys: &AuditKeys, audit_log: &dyn AuditLog) -> Result<AuditNumber, Failure> {
    if !keys.is_generated() {
        return Ok(ChainEnd::START.number);
    }
    let ends = audit_log.ends().await;
    let ends = ends.map_err(|error| Failure::because("the audit log cannot be read", error))?;
    Ok(ends.head.number)
}
