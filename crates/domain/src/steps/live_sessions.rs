use crate::{
    ports::{PortError, SessionDirectory},
    session::SessionSummary,
    user::UserId,
};
use chrono::{DateTime, Utc};

/// Returns a user's live sessions, newest first, as a clock that shows `now` sees them.
///
/// # Errors
/// [`PortError`] if storage fails.
pub(crate) async fn live_sessions(
    sessions: &dyn SessionDirectory,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<SessionSummary>, PortError> {
    let listed = sessions.list(user, now).await?;
    Ok(listed.into_iter().map(|session| session.as_of(now)).collect())
}
