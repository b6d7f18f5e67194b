//! The commands of a key rotation.

use super::super::output;
use crate::{
    Failure,
    audit_keys::AuditKeys,
    cli::Listing,
    key_folder::{self, unchanged},
    key_stages::{KeyStages, Stages},
    settings::Settings,
    storage::Database,
};
use adapters_crypto::{
    SystemClock,
    keys::{Algorithm, KeyError, KeyFolder, KeyRing, KeyState},
};
use chrono::{DateTime, Utc};
use domain::{
    key_rotation::{Step, StepRefused},
    ports::Clock,
};
use serde::Serialize;
use std::{
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

/// The wait budget for another process that is changing the folder.
const LOCK_BUDGET: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// A step that was taken, as JSON.
#[derive(Serialize)]
struct Taken<'a> {
    step: &'static str,
    /// The id of a signing key, or the fingerprint of a refresh key.
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    /// The id of the key that signed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired: Option<&'a str>,
}

impl<'a> Taken<'a> {
    fn new(step: &'static str, key: &'a str) -> Self {
        Self {
            step,
            key,
            path: None,
            retired: None,
        }
    }

    fn print(&self, listing: Listing, text: &str) -> Result<(), Failure> {
        if listing.json {
            return output::json(self);
        }
        output::line(text)
    }
}

/// Creates a published key. It needs no other step, and no database.
pub fn publish(settings: &Settings, algorithm: Algorithm, listing: Listing) -> Result<(), Failure> {
    let folder = lock_used(settings)?;
    let generated = folder.publish(algorithm).map_err(unchanged)?;
    let text = format!(
        "{} (kid {}) is published; a running service loads it within seconds",
        generated.path.display(),
        generated.kid
    );
    let taken = Taken {
        path: Some(generated.path),
        ..Taken::new("published", &generated.kid)
    };
    taken.print(listing, &text)
}

/// Creates a refresh key.
pub fn publish_refresh(settings: &Settings, listing: Listing) -> Result<(), Failure> {
    let folder = lock_used(settings)?;
    let generated = folder.publish_refresh_key(SystemClock.now()).map_err(unchanged)?;
    let text = format!(
        "{} (fingerprint {}) authenticates new refresh tokens once every replica has loaded it",
        generated.path.display(),
        generated.fingerprint
    );
    let taken = Taken {
        path: Some(generated.path),
        ..Taken::new("published", &generated.fingerprint)
    };
    taken.print(listing, &text)
}

/// Makes the published key `kid` sign, or the oldest one, and retires the key that signs.
pub async fn rotate(
    settings: &Settings,
    kid: Option<String>,
    urgent: bool,
    listing: Listing,
) -> Result<(), Failure> {
    let (folder, stages, now) = begin(settings).await?;
    let next = || stages.signing.next_to_sign().map(|key| key.kid.clone());
    let kid = kid.or_else(next).ok_or_else(|| {
        Failure::new("the key folder has no published key; create one with `authapi keys publish`")
    })?;
    let signed = stages.keys.iter().find(|key| key.state == KeyState::Signing);
    let step = Step::Sign {
        kid: kid.clone(),
        urgent,
    };
    check(&stages, &step, &kid, now)?;
    folder.sign(&kid, now).map_err(unchanged)?;
    let retired = signed.map(|key| key.kid.as_str());
    let text = format!(
        "{kid} signs from now on, as soon as each running replica has noticed{}",
        retired.map_or_else(String::new, |retired| format!("; {retired} is retired"))
    );
    let taken = Taken {
        retired,
        ..Taken::new("signing", &kid)
    };
    taken.print(listing, &text)
}

/// Retires the published key `kid`.
pub async fn retire(settings: &Settings, kid: &str, listing: Listing) -> Result<(), Failure> {
    let (folder, stages, now) = begin(settings).await?;
    check(&stages, &Step::Retire { kid: kid.to_owned() }, kid, now)?;
    folder.retire(kid, now).map_err(unchanged)?;
    Taken::new("retired", kid).print(listing, &format!("{kid} is retired and will not sign"))
}

/// Deletes the signing key or refresh key `key`.
pub async fn remove(settings: &Settings, key: &str, listing: Listing) -> Result<(), Failure> {
    let (folder, stages, now) = begin(settings).await?;
    if stages.refresh.keys.iter().any(|it| it.fingerprint == key) {
        let checked = stages.refresh.check_remove(key, now);
        checked.map_err(|refused| refusal(key, &refused))?;
        folder.remove_refresh_key(key).map_err(unchanged)?;
    } else {
        check(&stages, &Step::Remove { kid: key.to_owned() }, key, now)?;
        folder.remove(key).map_err(unchanged)?;
    }
    Taken::new("removed", key).print(listing, &format!("{key} is deleted"))
}

/// Locks the folder, and reads what decides on a step.
async fn begin(settings: &Settings) -> Result<(KeyFolder, Stages, DateTime<Utc>), Failure> {
    let database = Database::open_existing(&settings.database).await?;
    database.check_schema().await?;
    database.check_migrated().await?;
    let ports = database.ports(&AuditKeys::load(&settings.keys)?);
    let folder = lock(settings)?;
    let stages = KeyStages::new(settings, &ports).read().await?;
    Ok((folder, stages, SystemClock.now()))
}

/// Locks the folder of a service: a new one would not be the intended one.
fn lock_used(settings: &Settings) -> Result<KeyFolder, Failure> {
    KeyRing::load(&settings.keys.dir, key_folder::rules(&settings.keys)).map_err(unchanged)?;
    lock(settings)
}

/// Locks the folder, after waiting for a process that is changing it.
fn lock(settings: &Settings) -> Result<KeyFolder, Failure> {
    let deadline = Instant::now() + LOCK_BUDGET;
    loop {
        match KeyFolder::lock(&settings.keys.dir) {
            Err(KeyError::Locked { .. }) if Instant::now() < deadline => sleep(PAUSE),
            other => return other.map_err(unchanged),
        }
    }
}

fn check(stages: &Stages, step: &Step, kid: &str, now: DateTime<Utc>) -> Result<(), Failure> {
    let checked = stages.signing.check(step, now);
    checked.map_err(|refused| refusal(kid, &refused))
}

fn refusal(key: &str, refused: &StepRefused) -> Failure {
    Failure::new(format!("nothing was changed; key {key}: {refused}"))
}
