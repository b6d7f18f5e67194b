use crate::{
    ports::RefreshTokenMac,
    refresh_token::{RefreshClaim, RefreshToken},
    session::{SecretDigest, StoredSession},
};
use std::sync::Arc;

/// Checks whether this service issued a refresh token. A step of refreshing and logging out. Reads
/// no storage, so a forged token costs one MAC computation.
pub struct RecogniseRefreshToken {
    mac: Arc<dyn RefreshTokenMac>,
}

/// An authentic refresh token: its MAC was computed with the service's key. Only the stored session
/// shows whether the token belongs to it and is still valid, since the session holds the digest of
/// the secret.
#[derive(Clone, Debug)]
pub struct Recognised {
    pub claim: RefreshClaim,
    pub secret_digest: SecretDigest,
}

impl Recognised {
    /// Returns whether the token was issued for `session`. A token with a valid MAC and a different
    /// secret was not issued for it: it was made with the service's key, but without a token of the
    /// session.
    #[must_use]
    pub fn is_of(&self, session: &StoredSession) -> bool {
        session.id == self.claim.session && session.secret_digest == self.secret_digest
    }
}

impl RecogniseRefreshToken {
    /// Creates a step that verifies tokens with `mac`.
    pub fn new(mac: Arc<dyn RefreshTokenMac>) -> Self {
        Self { mac }
    }

    /// Returns the contents of `token`, or `None` if this service did not issue it.
    #[must_use]
    pub fn execute(&self, token: &RefreshToken) -> Option<Recognised> {
        let (claim, mac) = RefreshClaim::parse(token.expose()).ok()?;
        self.mac
            .verify(claim.mac_input().as_slice(), &mac)
            .then(|| Recognised {
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
    fn an_issued_token_belongs_to_its_session() {
        let recognised = recognise(&token(5)).expect("this service issued the token");
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
    fn an_issued_token_does_not_belong_to_another_session() {
        let recognised = recognise(&token(5)).expect("this service issued the token");
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
