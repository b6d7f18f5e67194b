//! The keys in force, made first where they are missing and that is allowed.

use crate::{Failure, settings::KeysSettings};
use adapters_crypto::keys::{
    Algorithm, KeyError, KeyRing, KeyRules, generate_refresh_key, generate_signing_key, list,
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
    let has_none = match list(folder) {
        Ok(keys) => keys.is_empty(),
        Err(KeyError::FolderMissing { .. }) => true,
        Err(error) => return Err(unusable(error)),
    };
    if has_none {
        let made = generate_signing_key(folder, Algorithm::Es256).map_err(unusable)?;
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
