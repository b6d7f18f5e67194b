use crate::{
    ports::{PortError, RefreshTokenMac, Sessions},
    refresh_token::{RefreshClaim, RefreshToken},
    session::{Generation, StoredSession},
};
use std::sync::Arc;

/// Settles whether a refresh token is one of ours and whose: the step that refreshing and logging out share.
pub struct RecogniseRefreshToken {
    sessions: Arc<dyn Sessions>,
    mac: Arc<dyn RefreshTokenMac>,
}

/// An authentic refresh token: we made it, for this session. Whether it is still good is for the session to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    pub session: StoredSession,
    pub generation: Generation,
}

impl RecogniseRefreshToken {
    pub fn new(sessions: Arc<dyn Sessions>, mac: Arc<dyn RefreshTokenMac>) -> Self {
        Self { sessions, mac }
    }

    /// `None` when the token is not one of ours.
    pub async fn execute(&self, token: &RefreshToken) -> Result<Option<Recognised>, PortError> {
        let Ok((claim, mac)) = RefreshClaim::parse(token.expose()) else {
            return Ok(None);
        };
        let Some(session) = self.sessions.find(claim.session).await? else {
            return Ok(None);
        };
        let authentic = self.mac.verify(&claim.mac_input(&session.salt), &mac);
        Ok(authentic.then_some(Recognised {
            session,
            generation: claim.generation,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::MockSessions,
        use_cases::fixtures::{SESSION, mac, stored_session},
    };

    fn recognise(found: Option<StoredSession>) -> RecogniseRefreshToken {
        let mut sessions = MockSessions::new();
        sessions.expect_find().returning(move |_| Ok(found.clone()));
        RecogniseRefreshToken::new(Arc::new(sessions), mac())
    }

    fn token(mac: u8) -> RefreshToken {
        RefreshClaim {
            session: SESSION,
            generation: Generation(5),
        }
        .seal(&[mac; 32])
    }

    #[tokio::test]
    async fn our_own_token_is_recognised() {
        let recognised = recognise(Some(stored_session()))
            .execute(&token(7))
            .await
            .expect("storage answers");
        assert_eq!(
            recognised,
            Some(Recognised {
                session: stored_session(),
                generation: Generation(5)
            })
        );
    }

    #[tokio::test]
    async fn forged_foreign_and_malformed_tokens_are_not() {
        let forged = recognise(Some(stored_session())).execute(&token(8)).await;
        let foreign = recognise(None).execute(&token(7)).await;
        let malformed = recognise(Some(stored_session()))
            .execute(&RefreshToken::new("x".to_owned()))
            .await;
        for answer in [forged, foreign, malformed] {
            assert_eq!(answer.expect("storage answers"), None);
        }
    }
}
