use crate::{
    ports::{PortError, Randomness, RefreshTokenMac, Roles, TokenSigner},
    refresh_token::{RefreshClaim, RefreshToken},
    role::{Permissions, RoleNames},
    session::{Holder, SecretDigest, SessionId, SessionSecret, StoredSession},
    token::{AccessClaims, AccessToken, TokenRules},
    user::UserId,
};
use chrono::{DateTime, Duration, Utc};
use std::sync::Arc;

/// Issues the tokens of a session. A step of logging in, refreshing, changing a password and
/// reauthenticating.
pub struct IssueTokens {
    pub(crate) signer: Arc<dyn TokenSigner>,
    pub(crate) mac: Arc<dyn RefreshTokenMac>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) rules: TokenRules,
    /// The role catalogue, if access tokens carry permissions.
    pub(crate) catalogue: Option<Arc<dyn Roles>>,
}

/// The tokens that a client receives (RFC 6749, section 5.1).
#[derive(Clone, Debug)]
pub struct TokenPair {
    /// The user of the session.
    pub user: UserId,
    pub access_token: AccessToken,
    /// The lifetime of the access token, in whole seconds.
    pub expires_in: Duration,
    pub refresh_token: RefreshToken,
    /// The lifetime of the refresh token if it is not used.
    pub refresh_expires_in: Duration,
}

/// An access token without a refresh token.
#[derive(Clone, Debug)]
pub struct IssuedAccessToken {
    pub access_token: AccessToken,
    /// The lifetime of the access token, in whole seconds.
    pub expires_in: Duration,
}

/// The session that an access token is issued for.
#[derive(Clone, Copy, Debug)]
pub struct AccessTokenRequest<'a> {
    pub session: SessionId,
    /// When the maximum lifetime of the session ends.
    pub expires_at: DateTime<Utc>,
    /// When the user's password was last checked in the session.
    pub authenticated_at: DateTime<Utc>,
    pub holder: &'a Holder,
}

impl IssueTokens {
    /// Creates a step that issues tokens without permissions.
    #[must_use]
    pub fn new(
        signer: Arc<dyn TokenSigner>,
        mac: Arc<dyn RefreshTokenMac>,
        randomness: Arc<dyn Randomness>,
        rules: TokenRules,
    ) -> Self {
        Self {
            signer,
            mac,
            randomness,
            rules,
            catalogue: None,
        }
    }

    /// Generates the secret of a new session and the digest to store. Only the session's tokens
    /// contain the secret.
    #[must_use]
    pub fn fresh_secret(&self) -> (SessionSecret, SecretDigest) {
        let secret = self.randomness.session_secret();
        let digest = self.mac.digest(&secret);
        (secret, digest)
    }

    /// Issues tokens for `session` at its current generation, with the roles and the epoch that
    /// were read with it.
    ///
    /// `secret` MUST be the session's secret. Storage does not have it: it comes from a refresh
    /// token, or from [`fresh_secret`](Self::fresh_secret) for a new session.
    ///
    /// # Errors
    /// Returns an error of the signer or the catalogue.
    pub async fn issue(
        &self,
        session: &StoredSession,
        secret: SessionSecret,
        now: DateTime<Utc>,
    ) -> Result<TokenPair, PortError> {
        let request = AccessTokenRequest {
            session: session.id,
            expires_at: session.lifetime.expires_at,
            authenticated_at: session.authenticated_at,
            holder: &session.holder,
        };
        let issued = self.issue_access_token(request, now).await?;
        Ok(TokenPair {
            user: session.holder.user,
            access_token: issued.access_token,
            expires_in: issued.expires_in,
            refresh_token: self.refresh_token(session, secret),
            refresh_expires_in: session.lifetime.idle_expires_at - now,
        })
    }

    /// Issues an access token. A check of the password in the future, under a clock that was ahead,
    /// counts as made now.
    ///
    /// # Errors
    /// Returns an error of the signer or the catalogue.
    pub async fn issue_access_token(
        &self,
        request: AccessTokenRequest<'_>,
        now: DateTime<Utc>,
    ) -> Result<IssuedAccessToken, PortError> {
        let roles = roles_in_token(request.holder);
        let permissions = self.permissions_of(&roles).await?;
        let expiry = self.rules.expiry(now, request.expires_at);
        let claims = AccessClaims {
            iss: self.rules.issuer.clone(),
            aud: self.rules.audience.clone(),
            sub: request.holder.user.0,
            client_id: self.rules.client_id.clone(),
            iat: now.timestamp(),
            exp: expiry,
            jti: self.randomness.uuid(now),
            sid: request.session.0,
            epoch: request.holder.epoch.0,
            roles,
            auth_time: Some(request.authenticated_at.min(now).timestamp()),
            permissions,
        };
        Ok(IssuedAccessToken {
            access_token: self.signer.sign(&claims)?,
            expires_in: Duration::seconds(expiry - now.timestamp()),
        })
    }

    async fn permissions_of(&self, roles: &RoleNames) -> Result<Option<Permissions>, PortError> {
        let Some(catalogue) = &self.catalogue else {
            return Ok(None);
        };
        if roles.is_empty() {
            return Ok(Some(Permissions::new()));
        }
        let found = catalogue.find(roles).await?;
        Ok(Some(
            found.into_iter().flat_map(|role| role.permissions).collect(),
        ))
    }

    fn refresh_token(&self, session: &StoredSession, secret: SessionSecret) -> RefreshToken {
        let claim = RefreshClaim {
            session: session.id,
            generation: session.generation,
            secret,
        };
        claim.seal(&self.mac.sign(claim.mac_input().as_slice()))
    }
}

/// Returns no roles for a user who must change their password first, so that services that only
/// verify signatures reject the user.
fn roles_in_token(holder: &Holder) -> RoleNames {
    if holder.must_change_password {
        RoleNames::new()
    } else {
        holder.roles.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{SECRET, now, stored_session},
        ports::{MockRoles, MockTokenSigner},
        role::{Permission, RoleName, built_in},
        session::Generation,
        use_cases::fixtures::{issue_tokens_with, mac, randomness},
    };

    #[tokio::test]
    async fn the_tokens_carry_their_session_and_lifetime() {
        let mut signer = MockTokenSigner::new();
        signer
            .expect_sign()
            .withf(|claims| {
                claims.iat == 1_000_000
                    && claims.exp == 1_000_900
                    && claims.epoch == 4
                    && claims.iss == "https://auth.example"
                    && claims.jti.get_version_num() == 7
            })
            .once()
            .returning(|_| Ok(AccessToken::new("signed".to_owned())));
        let issue = issue_tokens_with(signer);

        let pair = issue
            .issue(&stored_session(), SessionSecret::new(SECRET), now())
            .await
            .expect("the signer and the catalogue are available");

        assert_eq!(pair.access_token.expose(), "signed");
        assert_eq!(pair.expires_in, Duration::minutes(15));
        assert_eq!(pair.refresh_expires_in, Duration::days(1));
        let (claim, mac) =
            RefreshClaim::parse(pair.refresh_token.expose()).expect("the refresh token is well formed");
        assert_eq!(
            (claim.session, claim.generation),
            (stored_session().id, Generation(5))
        );
        assert_eq!((*claim.secret.expose(), mac), (SECRET, [7; 32]));
    }

    #[test]
    fn a_fresh_secret_is_random_and_comes_with_its_digest() {
        let issue = issue_tokens_with(MockTokenSigner::new());
        let (secret, digest) = issue.fresh_secret();
        assert_eq!(*secret.expose(), randomness().bytes());
        assert_eq!(digest, mac().digest(&secret));
    }

    /// Issues the tokens of `session` and returns the roles and permissions in the access token.
    async fn carried(
        session: StoredSession,
        catalogue: Option<MockRoles>,
    ) -> (RoleNames, Option<Permissions>) {
        let claims = Arc::new(std::sync::Mutex::new(None));
        let kept = Arc::clone(&claims);
        let mut signer = MockTokenSigner::new();
        signer.expect_sign().returning(move |signed| {
            *kept.lock().expect("no other thread panics") =
                Some((signed.roles.clone(), signed.permissions.clone()));
            Ok(AccessToken::new("signed".to_owned()))
        });
        let issue = IssueTokens {
            catalogue: catalogue.map(|catalogue| Arc::new(catalogue) as _),
            ..issue_tokens_with(signer)
        };
        let secret = SessionSecret::new(SECRET);
        let issued = issue.issue(&session, secret, now()).await;
        issued.expect("the signer and the catalogue are available");
        claims
            .lock()
            .expect("no other thread panics")
            .take()
            .expect("a token was signed")
    }

    #[tokio::test]
    async fn access_tokens_carry_permissions_only_with_a_catalogue() {
        let (roles, permissions) = carried(stored_session(), None).await;
        assert_eq!((roles, permissions), (RoleNames::from([RoleName::USER]), None));
        let mut catalogue = MockRoles::new();
        catalogue
            .expect_find()
            .withf(|names| *names == RoleNames::from([RoleName::USER]))
            .once()
            .returning(|_| Ok(built_in().into()));
        let (_, permissions) = carried(stored_session(), Some(catalogue)).await;
        assert!(permissions.is_some_and(|permissions| permissions.contains(&Permission::AUDIT_READ)));
    }

    #[tokio::test]
    async fn an_access_token_carries_the_time_of_the_check_unless_it_is_in_the_future() {
        let checked = stored_session().authenticated_at;
        for (authenticated_at, expected) in [
            (checked, checked),
            (now(), now()),
            (now() + Duration::hours(1), now()),
        ] {
            let mut signer = MockTokenSigner::new();
            signer
                .expect_sign()
                .withf(move |claims| claims.auth_time == Some(expected.timestamp()))
                .once()
                .returning(|_| Ok(AccessToken::new("signed".to_owned())));
            let session = StoredSession {
                authenticated_at,
                ..stored_session()
            };
            let secret = SessionSecret::new(SECRET);
            let issued = issue_tokens_with(signer).issue(&session, secret, now()).await;
            assert!(issued.is_ok(), "{authenticated_at}");
        }
    }

    #[tokio::test]
    async fn tokens_of_a_user_who_must_change_their_password_carry_no_roles_or_permissions() {
        let mut session = stored_session();
        session.holder.must_change_password = true;
        let mut catalogue = MockRoles::new();
        catalogue.expect_find().never();
        let (roles, permissions) = carried(session, Some(catalogue)).await;
        assert_eq!((roles, permissions), (RoleNames::new(), Some(Permissions::new())));
    }
}
