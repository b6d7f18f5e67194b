use crate::{
    audit::{Actor, AuditContext, Origin},
    changes::{ChangeError, RecordReplay},
    ports::{Accounts, PortError},
    session::{OriginLikeness, StoredSession},
};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Records that a token before the current one of `session` was presented again, from an origin
/// that compares to that of the last rotation as `likeness` states. Writes nothing if `session`
/// shows that a replay since its last rotation is recorded already.
///
/// Returns `false` if `session` is out of date: since it was read, it was rotated or ended, or
/// another request recorded a replay. The caller MUST read it again before it issues tokens.
pub(crate) async fn record_replay(
    accounts: &dyn Accounts,
    session: &StoredSession,
    likeness: OriginLikeness,
    now: DateTime<Utc>,
    origin: Origin,
) -> Result<bool, PortError> {
    if session.last_rotation.replay_recorded {
        return Ok(true);
    }
    let command = RecordReplay {
        session: session.id,
        user: session.holder.user,
        generation: session.generation,
        origin: likeness,
    };
    let context = AuditContext::new(now, Actor::Anonymous, origin);
    match accounts.execute(Arc::new(command), context).await {
        Ok(_) => Ok(true),
        Err(ChangeError::Refused(_)) => Ok(false),
        Err(ChangeError::Port(error)) => Err(error),
    }
}
