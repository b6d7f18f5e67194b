use crate::{
    caller::UserCaller,
    ports::{Clock, PortError, SessionDirectory},
    session::SessionSummary,
    steps,
};
use std::sync::Arc;

/// Lists the caller's live sessions, newest first.
pub struct ListSessions {
    pub(crate) sessions: Arc<dyn SessionDirectory>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl ListSessions {
    /// Returns the sessions that are live now.
    ///
    /// # Errors
    /// Returns a [`PortError`] if the port fails.
    pub async fn execute(&self, caller: &UserCaller) -> Result<Vec<SessionSummary>, PortError> {
        steps::live_sessions(&*self.sessions, caller.user().id, self.clock.now()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{SESSION, USER, now, user_caller},
        ports::MockSessionDirectory,
        use_cases::fixtures::clock,
    };
    use chrono::Duration;

    fn list(sessions: MockSessionDirectory) -> ListSessions {
        ListSessions {
            sessions: Arc::new(sessions),
            clock: clock(),
        }
    }

    #[tokio::test]
    async fn callers_see_their_own_sessions_as_of_now() {
        let mut sessions = MockSessionDirectory::new();
        sessions
            .expect_list()
            .withf(|user, at| *user == USER && *at == now())
            .once()
            .returning(|_, _| Ok(vec![]));
        let listed = list(sessions).execute(&user_caller()).await;
        assert!(listed.expect("storage is available").is_empty());
    }

    #[tokio::test]
    async fn a_session_opened_under_a_clock_ahead_is_listed_as_opened_now() {
        let day = Duration::days(1);
        let mut sessions = MockSessionDirectory::new();
        sessions.expect_list().once().returning(move |_, _| {
            Ok(vec![SessionSummary {
                id: SESSION,
                created_at: now() + day,
                last_used_at: now() + day,
                expires_at: now() + day * 3,
                user_agent: None,
                address: None,
            }])
        });
        let listed = list(sessions)
            .execute(&user_caller())
            .await
            .expect("storage is available");
        let times = |it: &SessionSummary| (it.created_at, it.last_used_at, it.expires_at);
        let listed: Vec<_> = listed.iter().map(times).collect();
        assert_eq!(listed, [(now(), now(), now() + day * 2)]);
    }
}
