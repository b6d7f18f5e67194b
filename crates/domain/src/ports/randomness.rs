use crate::{
    one_time_password::ResetCode,
    session::{SessionId, SessionSecret},
    user::UserId,
};
use chrono::{DateTime, Utc};
use uuid::{Builder, Uuid};

/// A cryptographically secure source of random bytes.
#[cfg_attr(test, mockall::automock)]
pub trait Randomness: Send + Sync {
    /// Returns 32 random bytes. They MUST be unpredictable (NIST SP 800-90A). An implementation
    /// without entropy MUST panic rather than return predictable bytes.
    fn bytes(&self) -> [u8; 32];
}

impl dyn Randomness + '_ {
    /// Creates a user id.
    pub fn user_id(&self, now: DateTime<Utc>) -> UserId {
        UserId(self.uuid(now))
    }

    /// Creates a session id.
    pub fn session_id(&self, now: DateTime<Utc>) -> SessionId {
        SessionId(self.uuid(now))
    }

    /// Creates the secret of a session.
    pub fn session_secret(&self) -> SessionSecret {
        SessionSecret::new(self.bytes())
    }

    /// Creates a one-time password.
    pub fn reset_code(&self) -> ResetCode {
        ResetCode::new(self.bytes())
    }

    /// Creates a `UUIDv7` (RFC 9562, section 5.7) with the time `now`.
    #[expect(clippy::missing_panics_doc, reason = "32 bytes contain 10")]
    pub fn uuid(&self, now: DateTime<Utc>) -> Uuid {
        let random = self.bytes().first_chunk().copied().expect("32 bytes contain 10");
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
