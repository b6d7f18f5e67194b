use super::{
    KeyError, KeyRules, KeyState, PublicKey,
    checked_key::{self, CheckedKey},
    key_pair::KeyPair,
    refresh_keys::{self, RefreshKey},
};
use std::{fmt, path::Path};

/// All keys of a folder, parsed: the signing keys and the refresh keys.
pub struct KeyRing {
    /// The signing key first.
    keys: Vec<RingKey>,
    public: Vec<PublicKey>,
    /// The newest first; at least one.
    refresh_keys: Vec<RefreshKey>,
}

/// A key of a ring.
#[derive(Debug)]
pub struct RingKey {
    pub state: KeyState,
    pub public: PublicKey,
    pub pair: KeyPair,
}

impl KeyRing {
    /// Reads every key in `folder`.
    ///
    /// # Errors
    /// Returns the first problem found in the folder or its files.
    pub fn load(folder: &Path, rules: KeyRules) -> Result<Self, KeyError> {
        let keys: Result<Vec<_>, _> = checked_key::read_all(folder, rules)?
            .into_iter()
            .map(RingKey::try_from)
            .collect();
        let keys = keys?;
        if keys.first().is_none_or(|key| key.state != KeyState::Signing) {
            return Err(KeyError::NoSigningKey {
                folder: folder.to_owned(),
            });
        }
        Ok(Self {
            public: keys.iter().map(|key| key.public.clone()).collect(),
            keys,
            refresh_keys: refresh_keys::read_all(folder)?,
        })
    }

    /// Returns the public parts of all keys whose tokens may be valid, starting with the signing
    /// key.
    #[must_use]
    pub fn public_keys(&self) -> &[PublicKey] {
        &self.public
    }

    /// Returns the newest key that authenticates refresh tokens.
    #[must_use]
    pub fn refresh_key(&self) -> &[u8; 32] {
        &self.newest_refresh_key().key
    }

    /// Returns the id of the key that signs.
    #[must_use]
    pub fn signing_kid(&self) -> &str {
        let signing = self.public.first();
        &signing.expect("a ring has a signing key").kid
    }

    /// Returns the ids of the keys in the order in which they are preferred for signing: the signing
    /// key, retired ones, published ones.
    #[must_use]
    pub fn preferred_kids(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.keys.iter().collect();
        keys.sort_by_key(|key| match key.state {
            KeyState::Signing => 0,
            KeyState::Retired => 1,
            KeyState::Published => 2,
        });
        keys.into_iter().map(|key| key.public.kid.clone()).collect()
    }

    /// Returns the fingerprint of the newest refresh key.
    #[must_use]
    pub fn refresh_key_fingerprint(&self) -> String {
        self.newest_refresh_key().fingerprint.clone()
    }

    /// Returns the fingerprints of the refresh keys, the newest first.
    #[must_use]
    pub fn refresh_key_fingerprints(&self) -> Vec<String> {
        let keys = self.refresh_keys.iter();
        keys.map(|key| key.fingerprint.clone()).collect()
    }

    fn newest_refresh_key(&self) -> &RefreshKey {
        self.refresh_keys.first().expect("a ring has a refresh key")
    }

    pub(crate) fn refresh_keys(&self) -> &[RefreshKey] {
        &self.refresh_keys
    }

    pub(crate) fn into_keys(self) -> Vec<RingKey> {
        self.keys
    }
}

impl TryFrom<CheckedKey> for RingKey {
    type Error = KeyError;

    fn try_from(key: CheckedKey) -> Result<Self, Self::Error> {
        match key.refused {
            Some(refused) => Err(refused),
            None => Ok(Self {
                state: key.file.state,
                public: key.public,
                pair: key.pair,
            }),
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}
