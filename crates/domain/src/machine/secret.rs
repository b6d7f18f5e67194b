use crate::{
    ports::RefreshTokenMac,
    session::{Lifetime, SecretDigest, SessionId, SessionSecret},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use uuid::Builder;
use zeroize::Zeroizing;

/// What every secret of a machine begins with, so that scanners find secrets in code and logs.
const PREFIX: &str = "authapi_m_";
/// The number of random bytes in a secret.
const RANDOM_LENGTH: usize = 32;
/// The number of bytes of the checksum: the first ones of the digest of the random bytes.
const CHECKSUM_LENGTH: usize = 4;
/// Length of the text after the prefix: 36 bytes in base64url.
const ENCODED_LENGTH: usize = 48;
/// When a secret without an expiry expires: the end of the year 9999, in seconds since 1970. Both
/// databases store it.
const NEVER: i64 = 253_402_300_799;

/// A stored secret of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineSecret {
    /// The session that the secret is. It follows from the digest, and is not a secret.
    pub id: SessionId,
    pub digest: SecretDigest,
    pub created_at: DateTime<Utc>,
    /// `None` if the secret does not expire.
    pub expires_at: Option<DateTime<Utc>>,
    /// The hour, UTC, of the last request with the secret; `None` if there was none.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The text of a secret: `authapi_m_`, then 32 random bytes and the first 4 bytes of their SHA-256
/// in base64url. A client shows it once; the service stores only the digest. It is redacted in
/// `Debug` and wiped when dropped.
#[derive(Clone, Debug)]
pub struct MachineSecretText(SecretString);

/// What a presented secret proves if a machine has it: the session to look up, and the digest to
/// compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretProof {
    pub session: SessionId,
    pub digest: SecretDigest,
}

/// The error for a text that is not a machine's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the text is not a machine's secret")]
pub struct NotAMachineSecret;

impl MachineSecret {
    /// Creates a secret that `proof` proves.
    #[must_use]
    pub fn new(proof: SecretProof, created_at: DateTime<Utc>, expires_at: Option<DateTime<Utc>>) -> Self {
        Self {
            id: proof.session,
            digest: proof.digest,
            created_at,
            expires_at,
            last_used_at: None,
        }
    }

    /// Returns the lifetime of the session that the secret is.
    #[must_use]
    pub fn lifetime(&self) -> Lifetime {
        let never = DateTime::from_timestamp(NEVER, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let expires_at = self.expires_at.unwrap_or(never);
        Lifetime {
            created_at: self.created_at,
            idle_expires_at: expires_at,
            expires_at,
            ended: None,
        }
    }
}

impl MachineSecretText {
    /// Returns the text of `secret`.
    #[must_use]
    pub fn new(secret: &SessionSecret, mac: &dyn RefreshTokenMac) -> Self {
        let SecretDigest(digest) = mac.digest(secret);
        let parts = secret.expose().iter().chain(&digest[..CHECKSUM_LENGTH]);
        let mut bytes = Zeroizing::new([0; RANDOM_LENGTH + CHECKSUM_LENGTH]);
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = *from;
        }
        let mut text = String::with_capacity(PREFIX.len() + ENCODED_LENGTH);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(&bytes[..], &mut text);
        Self(SecretString::from(text))
    }

    /// Returns the text, for the response that shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl SecretProof {
    /// Returns the proof of `secret`.
    #[must_use]
    pub fn of(secret: &SessionSecret, mac: &dyn RefreshTokenMac) -> Self {
        let digest = mac.digest(secret);
        let SecretDigest(bytes) = digest;
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(bytes) {
            *to = from;
        }
        Self {
            session: SessionId(Builder::from_custom_bytes(id).into_uuid()),
            digest,
        }
    }

    /// Parses a text that a client presents as a machine's secret.
    ///
    /// # Errors
    /// Returns [`NotAMachineSecret`] unless `text` is exactly what [`MachineSecretText::new`] would
    /// return for some secret, so that a mistyped or truncated secret causes no lookup.
    pub fn parse(text: &str, mac: &dyn RefreshTokenMac) -> Result<Self, NotAMachineSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(NotAMachineSecret)?;
        if encoded.len() != ENCODED_LENGTH {
            return Err(NotAMachineSecret);
        }
        // The bytes are wiped even if the text turns out to be invalid at its end.
        let mut bytes = Zeroizing::new(Vec::with_capacity(ENCODED_LENGTH));
        let decoded = URL_SAFE_NO_PAD.decode_vec(encoded, &mut bytes);
        decoded.map_err(|_| NotAMachineSecret)?;
        let (random, checksum) = bytes
            .split_first_chunk::<RANDOM_LENGTH>()
            .ok_or(NotAMachineSecret)?;
        let proof = Self::of(&SessionSecret::new(*random), mac);
        if proof.digest.0.starts_with(checksum) {
            Ok(proof)
        } else {
            Err(NotAMachineSecret)
        }
    }

    /// Returns whether `secret` is the one that was presented.
    #[must_use]
    pub fn proves(&self, secret: &MachineSecret) -> bool {
        self.session == secret.id && self.digest.is_same(&secret.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::MockRefreshTokenMac;
    use proptest::prelude::*;

    /// A digest each byte of which depends on every byte of the secret (FNV-1a).
    fn mac() -> MockRefreshTokenMac {
        let mut mac = MockRefreshTokenMac::new();
        mac.expect_digest().returning(|secret| {
            let step = |state: u64, byte: &u8| (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            let mut state = secret.expose().iter().fold(0xcbf2_9ce4_8422_2325, step);
            SecretDigest(std::array::from_fn(|_| {
                state = step(state, &1);
                state.to_be_bytes()[0]
            }))
        });
        mac
    }

    fn text(bytes: [u8; 32]) -> String {
        MachineSecretText::new(&SessionSecret::new(bytes), &mac())
            .expose()
            .to_owned()
    }

    proptest! {
        #[test]
        fn a_secret_is_proved_by_its_text_alone(bytes: [u8; 32], other: [u8; 32]) {
            let created_at = DateTime::<Utc>::UNIX_EPOCH;
            let proof = SecretProof::of(&SessionSecret::new(bytes), &mac());
            let stored = MachineSecret::new(proof, created_at, None);
            prop_assert_eq!(SecretProof::parse(&text(bytes), &mac()), Ok(proof));
            prop_assert!(proof.proves(&stored));
            let presented = SecretProof::parse(&text(other), &mac()).expect("a secret");
            prop_assert_eq!(presented.proves(&stored), bytes == other);
        }

        #[test]
        fn a_text_with_one_other_character_is_not_a_secret(bytes: [u8; 32], place in 0..58_usize, letter in "[A-Za-z0-9_-]") {
            let mut changed = text(bytes);
            changed.replace_range(place..=place, &letter);
            prop_assume!(changed != text(bytes));
            let presented = SecretProof::parse(&changed, &mac());
            prop_assert_eq!(presented, Err(NotAMachineSecret));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text: String) {
            prop_assert_eq!(SecretProof::parse(&text, &mac()), Err(NotAMachineSecret));
        }
    }

    #[test]
    fn shorter_and_longer_texts_are_not_secrets() {
        let whole = text([7; 32]);
        let longer = format!("{whole}A");
        for text in [
            "",
            PREFIX,
            &whole[1..],
            &whole[..57],
            &longer,
            &whole[PREFIX.len()..],
        ] {
            assert_eq!(SecretProof::parse(text, &mac()), Err(NotAMachineSecret), "{text}");
        }
    }

    #[test]
    fn debug_output_contains_no_secret() {
        let shown = format!(
            "{:?}",
            MachineSecretText::new(&SessionSecret::new([7; 32]), &mac())
        );
        assert!(
            !shown.contains(&text([7; 32])) && shown.contains("REDACTED"),
            "{shown}"
        );
    }

    #[test]
    fn a_secret_without_expiry_outlives_every_session() {
        let created_at = DateTime::<Utc>::UNIX_EPOCH;
        let proof = SecretProof::of(&SessionSecret::new([7; 32]), &mac());
        let unlimited = MachineSecret::new(proof, created_at, None).lifetime();
        assert_eq!(unlimited.expires_at.to_rfc3339(), "9999-12-31T23:59:59+00:00");
        let limited = MachineSecret::new(proof, created_at, Some(created_at)).lifetime();
        assert_eq!(limited.expires_at, created_at);
    }
}
