mod rotation;

use super::output;
use crate::{
    Failure,
    cli::{self, Keys, Listing},
    key_folder,
    settings::{KeysSettings, Settings},
};
use adapters_crypto::keys::{
    Algorithm, KeyEntry, KeyError, KeyState, generate_audit_key, generate_refresh_key, generate_signing_key,
    list,
};
use serde::Serialize;

/// Generates, lists and rotates keys.
pub async fn run(settings: &Settings, command: Keys) -> Result<(), Failure> {
    match command {
        Keys::Generate { algorithm } => generate(&settings.keys, algorithm.into()),
        Keys::List(listing) => show(&settings.keys, listing),
        Keys::Publish {
            refresh: true,
            listing,
            ..
        } => rotation::publish_refresh(settings, listing),
        Keys::Publish {
            algorithm, listing, ..
        } => rotation::publish(settings, algorithm.into(), listing),
        Keys::Rotate { kid, urgent, listing } => rotation::rotate(settings, kid, urgent, listing).await,
        Keys::Retire { kid, listing } => rotation::retire(settings, &kid, listing).await,
        Keys::Remove { key, listing } => rotation::remove(settings, &key, listing).await,
    }
}

fn generate(settings: &KeysSettings, algorithm: Algorithm) -> Result<(), Failure> {
    let failed = |error| Failure::because("the key was not created", error);
    let generated = generate_signing_key(&settings.dir, algorithm).map_err(failed)?;
    let use_ = match generated.state {
        KeyState::Signing => "signs tokens from the next start",
        KeyState::Published | KeyState::Retired => "is published and does not sign yet",
    };
    output::line(format_args!(
        "{} (kid {}) {use_}",
        generated.path.display(),
        generated.kid
    ))?;
    for (generated, use_) in [
        (
            generate_refresh_key(&settings.dir),
            "authenticates refresh tokens",
        ),
        (generate_audit_key(&settings.dir), "authenticates the audit log"),
    ] {
        match generated {
            Ok(path) => output::line(format_args!("{} {use_}", path.display()))?,
            Err(KeyError::Exists { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// The state of a key with which the service does not start.
const REFUSED: &str = "refused";

/// A signing key in the output of `keys list`.
#[derive(Serialize)]
struct KeyRow {
    kid: String,
    algorithm: &'static str,
    state: &'static str,
    path: String,
    /// Why the service refuses to start with this key.
    cause: Option<String>,
}

impl From<KeyEntry> for KeyRow {
    fn from(key: KeyEntry) -> Self {
        Self {
            kid: key.kid,
            algorithm: key.algorithm.name(),
            state: if key.refused.is_some() {
                REFUSED
            } else {
                key.state.name()
            },
            path: key.path.display().to_string(),
            cause: key.refused,
        }
    }
}

fn show(settings: &KeysSettings, listing: Listing) -> Result<(), Failure> {
    let keys = match list(&settings.dir, key_folder::rules(settings)) {
        Err(KeyError::FolderMissing { .. }) => Vec::new(),
        other => other.map_err(|error| Failure::because("the keys cannot be listed", error))?,
    };
    let rows: Vec<KeyRow> = keys.into_iter().map(KeyRow::from).collect();
    if listing.json {
        return output::json(&rows);
    }
    if rows.is_empty() {
        output::nothing("no keys");
    }
    rows.iter().try_for_each(|key| {
        let cause = key.cause.as_deref().map(|cause| format!("  ({cause})"));
        output::line(format_args!(
            "{:<9}  {:<5}  {}  {}{}",
            key.state,
            key.algorithm,
            key.kid,
            key.path,
            cause.unwrap_or_default()
        ))
    })
}

impl From<cli::Algorithm> for Algorithm {
    fn from(algorithm: cli::Algorithm) -> Self {
        match algorithm {
            cli::Algorithm::Es256 => Self::Es256,
            cli::Algorithm::Eddsa => Self::EdDsa,
            cli::Algorithm::Rs256 => Self::Rs256,
        }
    }
}
