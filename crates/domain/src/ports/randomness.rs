use crate::{
    session::{SessionId, SessionSecret},
    user::UserId,
};
use chrono::{DateTime, Utc};
use uuid::{Builder, Uuid};

/// A cryptographically secure source of random bytes.
#[cfg_attr(test, mockall::automock)]
pub trait Randomness: Send + Sync {
    /// MUST be unpredictable (NIST SP 800-90A) and MUST NOT fail: a system without entropy cannot run this service.
    fn bytes(&self) -> [u8; 32];
}

impl dyn Randomness + '_ {
    /// A fresh user id.
    pub fn user_id(&self, now: DateTime<Utc>) -> UserId {
        UserId(self.uuid(now))
    }

    /// A fresh session id.
    pub fn session_id(&self, now: DateTime<Utc>) -> SessionId {
        SessionId(self.uuid(now))
    }

    /// A fresh session's secret.
    pub fn session_secret(&self) -> SessionSecret {
        SessionSecret::new(self.bytes())
    }

    /// A `UUIDv7` (RFC 9562, section 5.7) of `now`.
    pub fn uuid(&self, now: DateTime<Utc>) -> Uuid {
        let random = self.bytes().first_chunk().copied().unwrap_or_default();
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
