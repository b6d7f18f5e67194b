//! The keys that this process uses, which follow the key folder while it runs.

use crate::{
    error_chain::ErrorChain,
    key_folder,
    settings::KeysSettings,
    signing_fence::{FencedSigner, SigningFence},
};
use adapters_crypto::{
    HmacRefreshMac, JwtTokens,
    keys::{FolderState, KeyError, KeyRing},
};
use chrono::{DateTime, Utc};
use domain::{
    key_rotation::{choose_refresh_key, choose_signer},
    ports::{Clock, TokenSigner},
    replica::ReplicaSettings,
};
use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The keys that a process has loaded. Contains no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedKeys {
    /// The ids of the signing keys, the most preferred first.
    pub signing: Vec<String>,
    /// The fingerprints of the refresh keys, the newest first.
    pub refresh: Vec<String>,
    /// Since when each signing key is in the JWKS of this process, in milliseconds since 1970.
    pub since: BTreeMap<String, i64>,
}

impl LoadedKeys {
    /// Returns the keys of `ring`, which is in use from `now` on. The keys in `before` were already
    /// in use.
    pub fn of(ring: &KeyRing, before: &BTreeMap<String, i64>, now: DateTime<Utc>) -> Self {
        let signing = ring.preferred_kids();
        let since = |kid: &String| before.get(kid).copied().unwrap_or(now.timestamp_millis());
        Self {
            since: signing.iter().map(|kid| (kid.clone(), since(kid))).collect(),
            refresh: ring.refresh_key_fingerprints(),
            signing,
        }
    }
}

/// The keys with which a process makes tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signers {
    /// The id of the key that signs access tokens.
    pub access: String,
    /// The fingerprint of the key that authenticates refresh tokens.
    pub refresh: String,
}

/// When to read the key folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Only if it looks different from when it was last read.
    IfChanged,
    Always,
}

/// The keys of the tokens, which are replaced when the key folder changes.
pub struct LiveKeys {
    settings: KeysSettings,
    pub jwt: Arc<JwtTokens>,
    pub mac: Arc<HmacRefreshMac>,
    pub fence: Arc<SigningFence>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    loaded: LoadedKeys,
    /// The folder when it was last read; `None` if it could not be used then.
    folder: Option<FolderState>,
    /// Why the folder could not be used.
    refused: Option<String>,
}

impl LiveKeys {
    /// Loads the keys of the folder.
    ///
    /// # Errors
    /// If the folder or a key cannot be used.
    pub fn load(
        settings: KeysSettings,
        fence: Arc<SigningFence>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KeyError> {
        let folder = FolderState::of(&settings.dir);
        let ring = KeyRing::load(&settings.dir, key_folder::rules(&settings))?;
        let state = State {
            loaded: LoadedKeys::of(&ring, &BTreeMap::new(), clock.now()),
            folder: Some(folder),
            refused: None,
        };
        Ok(Self {
            settings,
            mac: Arc::new(HmacRefreshMac::of_ring(&ring)),
            jwt: Arc::new(JwtTokens::new(ring)),
            fence,
            clock,
            state: Mutex::new(state),
        })
    }

    /// Returns the port that signs access tokens while the fence is open.
    pub fn signer(&self) -> Arc<dyn TokenSigner> {
        Arc::new(FencedSigner::new(
            Arc::clone(&self.jwt) as _,
            Arc::clone(&self.fence),
        ))
    }

    /// Returns the keys in use.
    pub fn loaded(&self) -> LoadedKeys {
        self.state().loaded.clone()
    }

    /// Reads the key folder again, and returns whether other keys are in use now. If it cannot be
    /// used, logs why, and the keys stay.
    ///
    /// Does not hold the lock while it reads: a file system may hang.
    pub fn follow(&self, look: Look) -> bool {
        // Look first: a change while the keys are read is seen the next time.
        let folder = FolderState::of(&self.settings.dir);
        if look == Look::IfChanged && self.state().folder.as_ref() == Some(&folder) {
            return false;
        }
        let ring = KeyRing::load(&self.settings.dir, key_folder::rules(&self.settings));
        let mut state = self.state();
        match ring {
            Ok(ring) => {
                state.folder = Some(folder);
                state.refused = None;
                self.replace(&mut state.loaded, ring)
            }
            Err(error) => {
                state.folder = None;
                note_refusal(&mut state.refused, &error);
                false
            }
        }
    }

    /// Returns the keys with which to make tokens, so that each of the `others` accepts them.
    pub fn choose(&self, others: &[ReplicaSettings]) -> Signers {
        let loaded = self.loaded();
        let current = self.jwt.signing_kid();
        let (preferred, rest) = loaded.signing.split_at(loaded.signing.len().min(1));
        let current = rest.iter().filter(|kid| **kid == current);
        let candidates: Vec<String> = preferred.iter().chain(current).chain(rest).cloned().collect();
        let access = choose_signer(&candidates, others);
        let refresh = choose_refresh_key(&loaded.refresh, others);
        Signers {
            access: access.expect("a ring has a signing key").to_owned(),
            refresh: refresh.expect("a ring has a refresh key").to_owned(),
        }
    }

    /// Makes tokens with `signers` from now on.
    pub fn sign_with(&self, signers: &Signers) {
        if *signers == self.signers() {
            return;
        }
        self.jwt.sign_with(&signers.access);
        self.mac.sign_with(&signers.refresh);
        tracing::info!(
            kid = signers.access,
            refresh_key = signers.refresh,
            "tokens are made with other keys from now on"
        );
    }

    /// Returns the keys with which tokens are made.
    pub fn signers(&self) -> Signers {
        Signers {
            access: self.jwt.signing_kid(),
            refresh: self.mac.signing_fingerprint(),
        }
    }

    /// Uses the keys of `ring`. If a key that makes tokens is not one of them, no token is made
    /// until the replicas have agreed on another one.
    fn replace(&self, loaded: &mut LoadedKeys, ring: KeyRing) -> bool {
        let new = LoadedKeys::of(&ring, &loaded.since, self.clock.now());
        let signers = self.signers();
        if !new.signing.contains(&signers.access) || !new.refresh.contains(&signers.refresh) {
            self.fence.close();
        }
        self.mac.replace(&ring);
        self.jwt.replace(ring);
        let before = mem::replace(loaded, new);
        if before == *loaded {
            return false;
        }
        tracing::info!(
            signing_keys = loaded.signing.join(" "),
            refresh_keys = loaded.refresh.join(" "),
            "loaded the changed keys"
        );
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs why the folder cannot be used, unless it is the reason that was logged last.
fn note_refusal(last: &mut Option<String>, error: &KeyError) {
    let refused = ErrorChain(error).to_string();
    if last.as_ref() != Some(&refused) {
        tracing::error!(
            error = refused,
            "the key folder changed and cannot be used; the loaded keys stay in use"
        );
        *last = Some(refused);
    }
}
