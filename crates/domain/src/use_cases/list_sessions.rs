use crate::{
    caller::Caller,
    ports::{Clock, PortError, SessionDirectory},
    session::SessionSummary,
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
    pub async fn execute(&self, caller: &Caller) -> Result<Vec<SessionSummary>, PortError> {
        self.sessions.list(caller.user().id, self.clock.now()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{USER, caller, now},
        ports::MockSessionDirectory,
        use_cases::fixtures::clock,
    };

    #[tokio::test]
    async fn callers_see_their_own_sessions_as_of_now() {
        let mut sessions = MockSessionDirectory::new();
        sessions
            .expect_list()
            .withf(|user, at| *user == USER && *at == now())
            .once()
            .returning(|_, _| Ok(vec![]));
        let list = ListSessions {
            sessions: Arc::new(sessions),
            clock: clock(),
        };
        assert!(
            list.execute(&caller())
                .await
                .expect("storage is available")
                .is_empty()
        );
    }
}
