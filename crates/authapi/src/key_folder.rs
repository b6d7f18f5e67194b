//! The keys in force, made first where they are missing and that is allowed.

use crate::{Failure, settings::KeysSettings};
use adapters_crypto::keys::{
    Algorithm, KeyError, KeyRing, KeyRules, generate_first_signing_key, generate_refresh_key,
};
use std::path::Path;

/// Reads the keys. A key that is made is told of: whoever loses it logs everybody out.
pub fn load(settings: &KeysSettings) -> Result<KeyRing, Failure> {
    if settings.generate_missing {
        make_missing(&settings.dir)?;
    }
    let rules = KeyRules {
        allow_rsa_2048: settings.allow_rsa_2048,
    };
    KeyRing::load(&settings.dir, rules).map_err(unusable)
}

fn make_missing(folder: &Path) -> Result<(), Failure> {
    // A folder with keys none of which signs is somebody's rotation, half done: not ours to end.
    if let Some(made) = generate_first_signing_key(folder, Algorithm::Es256).map_err(unusable)? {
        tracing::info!(path = %made.path.display(), kid = made.kid, "made a signing key: keep it safe");
    }
    make_refresh_key(folder)
}

fn make_refresh_key(folder: &Path) -> Result<(), Failure> {
    match generate_refresh_key(folder) {
        Ok(path) => {
            tracing::info!(path = %path.display(), "made the refresh key: keep it safe");
            Ok(())
        }
        Err(KeyError::Exists { .. }) => Ok(()),
        Err(error) => Err(unusable(error)),
    }
}

fn unusable(error: KeyError) -> Failure {
    Failure::because("the keys cannot be used", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use adapters_crypto::keys::list;
    use std::{sync::Barrier, thread};

    const ROUNDS: usize = 20;
    const STARTS: usize = 16;

    /// Loads the keys of one folder as often as replicas start on it, all at one moment.
    fn load_at_once(settings: &KeysSettings) -> Vec<KeyRing> {
        let start = Barrier::new(STARTS);
        let start_one = || {
            start.wait();
            load(settings).expect("keys")
        };
        thread::scope(|scope| {
            let starts: Vec<_> = (0..STARTS).map(|_| scope.spawn(start_one)).collect();
            let rings = starts.into_iter().map(|ring| ring.join().expect("no panic"));
            rings.collect()
        })
    }

    #[test]
    fn of_many_starts_on_an_empty_folder_one_makes_the_keys_and_all_use_them() {
        for round in 0..ROUNDS {
            let parent = tempfile::tempdir().expect("a folder");
            let settings = KeysSettings {
                dir: parent.path().join("keys"),
                ..KeysSettings::default()
            };

            let rings = load_at_once(&settings);

            let made = list(&settings.dir).expect("keys");
            assert_eq!(made.len(), 1, "round {round}: {made:?}");
            for ring in &rings {
                let kids: Vec<_> = ring.public_keys().iter().map(|key| &key.kid).collect();
                assert_eq!(kids, [&made[0].kid], "round {round}");
                assert_eq!(ring.refresh_key(), rings[0].refresh_key(), "round {round}");
            }
        }
    }
}
