//! Loads the keys, after generating missing ones if that is allowed.

use crate::{Failure, live_keys::LiveKeys, settings::KeysSettings, signing_fence::SigningFence};
use adapters_crypto::keys::{
    AUDIT_KEY_FILE, Algorithm, AuditKey, KeyError, KeyRing, KeyRules, generate_audit_key,
    generate_first_signing_key, generate_refresh_key, has_refresh_key,
};
use domain::ports::Clock;
use session_cache::BootClock;
use std::{
    path::{self, Path, PathBuf},
    sync::Arc,
};

/// Loads the keys, to follow the folder while the process runs. Logs each generated key, since
/// losing a key logs out all users.
pub fn load(settings: &KeysSettings, clock: Arc<dyn Clock>) -> Result<LiveKeys, Failure> {
    if settings.generate_missing {
        generate_missing_keys(&settings.dir)?;
    }
    let fence = Arc::new(SigningFence::new(Arc::new(BootClock)));
    LiveKeys::load(settings.clone(), fence, clock).map_err(unusable)
}

/// Checks, before the schema is migrated, that keys which are not generated exist: the previous
/// version cannot use a database that was migrated.
pub fn check_present(settings: &KeysSettings) -> Result<(), Failure> {
    if settings.generate_missing {
        return Ok(());
    }
    KeyRing::load(&settings.dir, rules(settings)).map_err(unusable)?;
    AuditKey::load(&settings.dir).map_err(unusable)?;
    Ok(())
}

/// Loads the audit key.
pub fn load_audit_key(settings: &KeysSettings) -> Result<AuditKey, Failure> {
    AuditKey::load(&settings.dir).map_err(unusable)
}

/// Generates the audit key if there is none, and returns whether this process did. Logs it, since a
/// lost key makes events unverifiable.
pub fn ensure_audit_key(folder: &Path) -> Result<bool, Failure> {
    ensure(generate_audit_key(folder), "audit key")
}

/// Returns the path of the audit key, in full: it is often missing because a command runs in
/// another directory than the service.
pub fn audit_key_path(folder: &Path) -> PathBuf {
    let path = folder.join(AUDIT_KEY_FILE);
    path::absolute(&path).unwrap_or(path)
}

/// Returns whether `folder` has the keys of a service.
pub fn is_of_service(folder: &Path) -> bool {
    has_refresh_key(folder).unwrap_or(false)
}

/// Returns the rules that keys must follow.
pub fn rules(settings: &KeysSettings) -> KeyRules {
    KeyRules {
        allow_rsa_2048: settings.allow_rsa_2048,
    }
}

fn generate_missing_keys(folder: &Path) -> Result<(), Failure> {
    // A folder that has keys but no signing key is in the middle of a rotation; leave it unchanged.
    if let Some(generated) = generate_first_signing_key(folder, Algorithm::Es256).map_err(unusable)? {
        tracing::info!(path = %generated.path.display(), kid = generated.kid, "generated a signing key; back it up");
    }
    ensure(generate_refresh_key(folder), "refresh key").map(|_| ())
}

/// Logs the key that was `generated`, unless there was one. Returns whether it was generated.
fn ensure(generated: Result<PathBuf, KeyError>, name: &str) -> Result<bool, Failure> {
    match generated {
        Ok(path) => {
            tracing::info!(path = %path.display(), "generated the {name}; back it up");
            Ok(true)
        }
        Err(KeyError::Exists { .. }) => Ok(false),
        Err(error) => Err(unusable(error)),
    }
}

/// Returns the failure of a step that was not taken.
pub fn unchanged(error: KeyError) -> Failure {
    Failure::because("the key folder was not changed", error)
}

fn unusable(error: KeyError) -> Failure {
    Failure::because("the keys cannot be used", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live_keys::LoadedKeys;
    use adapters_crypto::{SystemClock, keys::list};
    use std::{sync::Barrier, thread};

    const ROUNDS: usize = 20;
    const STARTS: usize = 16;

    /// Loads the keys of one folder on many threads at once.
    fn load_at_once(settings: &KeysSettings) -> Vec<LoadedKeys> {
        let start = Barrier::new(STARTS);
        let start_one = || {
            start.wait();
            let keys = load(settings, Arc::new(SystemClock));
            keys.expect("the keys can be loaded").loaded()
        };
        thread::scope(|scope| {
            let starts: Vec<_> = (0..STARTS).map(|_| scope.spawn(start_one)).collect();
            let rings = starts
                .into_iter()
                .map(|ring| ring.join().expect("the thread does not panic"));
            rings.collect()
        })
    }

    #[test]
    fn concurrent_starts_on_an_empty_folder_generate_and_share_one_set_of_keys() {
        for round in 0..ROUNDS {
            let parent = tempfile::tempdir().expect("the folder can be created");
            let settings = KeysSettings {
                dir: parent.path().join("keys"),
                ..KeysSettings::default()
            };

            let rings = load_at_once(&settings);

            let stored = list(&settings.dir, rules(&settings)).expect("the keys can be listed");
            assert_eq!(stored.len(), 1, "round {round}: {stored:?}");
            for ring in &rings {
                assert_eq!(ring.signing, [stored[0].kid.as_str()], "round {round}");
                assert_eq!(ring.refresh, rings[0].refresh, "round {round}");
            }
        }
    }
}
