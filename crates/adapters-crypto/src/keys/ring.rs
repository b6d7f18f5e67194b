use super::{
    KeyError, KeyRules, KeyState, PublicKey,
    checked_key::{self, CheckedKey},
    key_pair::KeyPair,
    secret_bytes::read_secret_bytes,
};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{fmt, path::Path};
use zeroize::Zeroizing;

/// The name of the refresh key's file.
pub const REFRESH_KEY_FILE: &str = "refresh.key";

/// All keys of a folder, parsed: the signing key, the verifying keys, and the refresh key.
pub struct KeyRing {
    signing: SigningKey,
    public: Vec<PublicKey>,
    refresh_key: Zeroizing<[u8; 32]>,
}

/// The key that signs.
#[derive(Debug)]
pub(crate) struct SigningKey {
    pub public: PublicKey,
    pub pair: KeyPair,
}

impl KeyRing {
    /// Reads every key in `folder`.
    ///
    /// # Errors
    /// Returns the first problem found in the folder or its files.
    pub fn load(folder: &Path, rules: KeyRules) -> Result<Self, KeyError> {
        let mut signing = None;
        let mut public = Vec::new();
        for key in checked_key::read_all(folder, rules)? {
            let CheckedKey {
                file,
                pair,
                public: key,
                refused,
            } = key;
            if let Some(refused) = refused {
                return Err(refused);
            }
            public.push(key.clone());
            if file.state == KeyState::Signing {
                signing = Some(SigningKey { public: key, pair });
            }
        }
        let signing = signing.ok_or_else(|| KeyError::NoSigningKey {
            folder: folder.to_owned(),
        })?;
        Ok(Self {
            signing,
            public,
            refresh_key: read_refresh_key(folder)?,
        })
    }

    /// Returns the public parts of all keys whose tokens may be valid, starting with the signing
    /// key.
    #[must_use]
    pub fn public_keys(&self) -> &[PublicKey] {
        &self.public
    }

    /// Returns the key that authenticates refresh tokens.
    #[must_use]
    pub fn refresh_key(&self) -> &[u8; 32] {
        &self.refresh_key
    }

    /// Returns the id of the key that signs.
    #[must_use]
    pub fn signing_kid(&self) -> &str {
        &self.signing.public.kid
    }

    /// Returns a fingerprint of the refresh key, from which the key cannot be computed: a MAC of a
    /// fixed text, which is shorter than any input of a refresh token's MAC.
    #[must_use]
    pub fn refresh_key_fingerprint(&self) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.refresh_key);
        let mac = hmac::sign(&key, b"fingerprint of the refresh key");
        URL_SAFE_NO_PAD.encode(mac.as_ref().iter().copied().take(12).collect::<Vec<u8>>())
    }

    pub(crate) fn into_signing_key(self) -> SigningKey {
        self.signing
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

fn read_refresh_key(folder: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let missing = |path| KeyError::RefreshKeyMissing { path };
    let malformed = |path| KeyError::RefreshKeyMalformed { path };
    read_secret_bytes(folder, REFRESH_KEY_FILE, missing, malformed)
}
