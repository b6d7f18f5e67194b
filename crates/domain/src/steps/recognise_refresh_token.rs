use crate::{
    ports::RefreshTokenMac,
    refresh_token::{RefreshClaim, RefreshToken},
    session::{SecretDigest, StoredSession},
};
use std::sync::Arc;

/// Settles whether a refresh token is one of ours: the step that refreshing and logging out share. It reads nothing, so a
/// forged token costs a MAC and no more.
pub struct RecogniseRefreshToken {
    mac: Arc<dyn RefreshTokenMac>,
}

/// An authentic refresh token: whoever made it had our key. Whose it is and whether it is still good is for the session to
/// say, which alone knows the digest.
#[derive(Clone, Debug)]
pub struct Recognised {
    pub claim: RefreshClaim,
    pub secret_digest: SecretDigest,
}

impl Recognised {
    /// Whether it was issued for `session`. A token with another secret was not, though its MAC be right: somebody made it
    /// who has the key and no token of the session.
    #[must_use]
    pub fn is_of(&self, session: &StoredSession) -> bool {
        session.id == self.claim.session && session.secret_digest == self.secret_digest
    }
}

impl RecogniseRefreshToken {
    pub fn new(mac: Arc<dyn RefreshTokenMac>) -> Self {
        Self { mac }
    }

    /// `None` when the token was not issued by this service.
    #[must_use]
    pub fn execute(&self, token: &RefreshToken) -> Option<Recognised> {
        let (claim, mac) = RefreshClaim::parse(token.expose()).ok()?;
        self.mac.verify(&claim.mac_input(), &mac).then(|| Recognised {
            secret_digest: self.mac.digest(&claim.secret),
            claim,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{SECRET, SESSION, stored_session},
        session::{Generation, SessionId},
        use_cases::fixtures::{forged, mac, token},
    };
    use uuid::Uuid;

    fn recognise(token: &RefreshToken) -> Option<Recognised> {
        RecogniseRefreshToken::new(mac()).execute(token)
    }

    #[test]
    fn our_own_token_is_recognised_as_its_sessions() {
        let recognised = recognise(&token(5)).expect("a token of ours");
        let RefreshClaim {
            session,
            generation,
            secret,
        } = &recognised.claim;
        assert_eq!((*session, *generation), (SESSION, Generation(5)));
        assert_eq!(*secret.expose(), SECRET);
        assert_eq!(recognised.secret_digest, stored_session().secret_digest);
        assert!(recognised.is_of(&stored_session()));
    }

    #[test]
    fn it_is_no_other_sessions() {
        let recognised = recognise(&token(5)).expect("a token of ours");
        let other = StoredSession {
            id: SessionId(Uuid::nil()),
            ..stored_session()
        };
        let of_another_secret = StoredSession {
            secret_digest: SecretDigest([0; 32]),
            ..stored_session()
        };
        assert!(!recognised.is_of(&other));
        assert!(!recognised.is_of(&of_another_secret));
    }

    #[test]
    fn forged_and_malformed_tokens_are_not_recognised() {
        let of_the_first_version = format!("AQ{}", &token(5).expose()[2..]);
        for token in [
            forged(5),
            RefreshToken::new("x".to_owned()),
            RefreshToken::new(of_the_first_version),
        ] {
            assert!(recognise(&token).is_none(), "{}", token.expose());
        }
    }
}
