//! This server's entry among the replicas of its database, and the comparison with theirs.

use crate::{
    Failure,
    bus::BusKind,
    settings::{TokensSettings, variable},
    wiring::delta,
};
use domain::{
    ports::{PortError, Replicas},
    replica::{LifetimeSetting, Mismatch, ReplicaSettings, RunningReplica, SharedSetting, TokenLifetimes},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;
use uuid::Uuid;

/// How long a replica counts as running, and may make tokens, after it agreed with the others. One
/// that was killed counts for as long.
pub const TERM: Duration = Duration::from_secs(15);
/// The wait budget for removing the entry at shutdown.
const LEAVE_BUDGET: Duration = Duration::from_millis(400);

/// Returns how this server issues, verifies and revokes tokens, and the id of its audit key. The
/// keys of the tokens are left out.
pub fn replica_settings(settings: &TokensSettings, audit_key: String, bus: BusKind) -> ReplicaSettings {
    let millis = |span| delta(span).num_milliseconds();
    ReplicaSettings {
        issuer: settings.issuer.clone(),
        audience: settings.audience.clone(),
        client_id: settings.client_id.clone(),
        signing_key: String::new(),
        accepted_keys: BTreeSet::new(),
        loaded_keys: BTreeMap::new(),
        refresh_key: String::new(),
        accepted_refresh_keys: BTreeSet::new(),
        audit_key: Some(audit_key),
        bus: Some(bus.name().to_owned()),
        lifetimes: TokenLifetimes {
            access: millis(settings.access_ttl),
            refresh_idle: millis(settings.refresh_idle_ttl),
            refresh: millis(settings.refresh_ttl),
            refresh_grace: millis(settings.refresh_grace),
            step_up: Some(millis(settings.step_up_max_age)),
        },
    }
}

/// The entry of this server among the replicas of its database.
#[derive(Clone)]
pub struct ReplicaEntry {
    replicas: Arc<dyn Replicas>,
    /// New with each start.
    id: Uuid,
    /// Whether the database has one server at a time. The entries of others are then those of
    /// servers that were killed.
    is_alone: bool,
}

impl ReplicaEntry {
    /// Creates the entry without storing it.
    pub fn new(replicas: Arc<dyn Replicas>, id: Uuid, is_alone: bool) -> Self {
        Self {
            replicas,
            id,
            is_alone,
        }
    }

    /// Stores the entry, which lasts for `term`.
    pub async fn store(&self, settings: ReplicaSettings, term: Duration) -> Result<(), PortError> {
        let replica = RunningReplica {
            id: self.id,
            settings,
        };
        self.replicas.store(&replica, term).await
    }

    /// Returns the settings of the other replicas that run.
    pub async fn others(&self) -> Result<Vec<ReplicaSettings>, PortError> {
        if self.is_alone {
            return Ok(Vec::new());
        }
        self.replicas.others(self.id).await
    }

    /// Returns whether every running replica authenticates its audit events.
    pub async fn all_have_audit_keys(&self) -> Result<bool, PortError> {
        let others = self.others().await?;
        Ok(others.iter().all(|other| other.audit_key.is_some()))
    }

    /// Removes the entry. If the database is unavailable, it expires later.
    pub async fn leave(&self) {
        let removed = timeout(LEAVE_BUDGET, self.replicas.remove(self.id)).await;
        if !matches!(removed, Ok(Ok(()))) {
            tracing::debug!("the entry of this replica was not removed and expires");
        }
    }
}

/// Compares the settings `own` of this server with those of the `others`, and logs what may differ.
///
/// # Errors
/// If another replica would reject the tokens or the audit events of this one, or miss its
/// invalidations, or the other way round, unless `may_differ`.
pub fn compare(own: &ReplicaSettings, others: &[ReplicaSettings], may_differ: bool) -> Result<(), Failure> {
    compare_lifetimes(own, others);
    check_same(own, others, may_differ)?;
    if let Some(mismatch) = others.iter().find_map(|other| own.mismatch(other)) {
        let (what, effect) = (describe(&mismatch), effect(mismatch.setting));
        tracing::warn!("{what}, so that each will {effect} of the other");
    }
    Ok(())
}

/// Checks what [`compare`] checks, and logs nothing.
///
/// # Errors
/// Those of [`compare`].
pub fn check_same(
    own: &ReplicaSettings,
    others: &[ReplicaSettings],
    may_differ: bool,
) -> Result<(), Failure> {
    let other_audit_key = others.iter().find_map(|other| own.audit_key_mismatch(other));
    let mismatch = if may_differ {
        other_audit_key
    } else {
        others.iter().find_map(|other| own.mismatch(other))
    };
    mismatch.map_or(Ok(()), |mismatch| Err(refusal(&mismatch)))
}

/// Logs lifetimes that differ. They are no reason to refuse: replicas accept each other's tokens,
/// and an operator changes lifetimes by restarting one replica after the other.
fn compare_lifetimes(own: &ReplicaSettings, others: &[ReplicaSettings]) {
    let differing: BTreeSet<String> = others
        .iter()
        .flat_map(|other| own.other_lifetimes(other))
        .map(|lifetime| variable(lifetime_key(lifetime)))
        .collect();
    if !differing.is_empty() {
        let settings = Vec::from_iter(differing).join(", ");
        tracing::warn!(
            settings,
            "another replica runs with other lifetimes; restart it with those of this one"
        );
    }
}

/// Checks that no running replica has another audit key than `own`: each process would seal the
/// pending events of the other as forged.
pub async fn check_audit_key(replicas: &dyn Replicas, own: &str) -> Result<(), Failure> {
    let running = replicas.others(Uuid::nil()).await;
    let running = running.map_err(|error| Failure::because("the replicas cannot be compared", error))?;
    let there = running
        .into_iter()
        .find_map(|other| other.audit_key.filter(|key| key != own));
    there.map_or(Ok(()), |there| {
        Err(refusal(&Mismatch {
            setting: SharedSetting::AuditKey,
            here: own.to_owned(),
            there,
        }))
    })
}

/// Returns the failure because of `mismatch`, with the remedies. No setting permits two audit keys.
fn refusal(mismatch: &Mismatch) -> Failure {
    let (what, effect) = (describe(mismatch), effect(mismatch.setting));
    let meanwhile = match mismatch.setting {
        SharedSetting::AuditKey => String::new(),
        _ => format!(
            "; for a change without a stop, set {}=true",
            variable("tokens.allow_mixed_replicas")
        ),
    };
    Failure::new(format!(
        "{what}, so that each would {effect} of the other: correct it, or stop the other replicas first \
         (one that was killed counts for {} more seconds){meanwhile}",
        TERM.as_secs(),
    ))
}

fn describe(mismatch: &Mismatch) -> String {
    let Mismatch { setting, here, there } = mismatch;
    match setting {
        SharedSetting::Issuer => differs("tokens.issuer", here, there),
        SharedSetting::Audience => differs("tokens.audience", here, there),
        SharedSetting::ClientId => differs("tokens.client_id", here, there),
        SharedSetting::SigningKeys => format!(
            "{}: this replica signs with the key {here} and a running one with {there}, and not both have both keys",
            variable("keys.dir"),
        ),
        SharedSetting::RefreshKey => format!(
            "{}: refresh.key is not that of a running replica (fingerprints {here} and {there})",
            variable("keys.dir"),
        ),
        SharedSetting::AuditKey => format!(
            "{}: audit.key is not that of a running replica (ids {here} and {there})",
            variable("keys.dir"),
        ),
        SharedSetting::Bus => format!(
            "{}: invalidations of sessions go through {here} here and through {there} at a running replica",
            variable("redis.url"),
        ),
    }
}

/// Returns what replicas that differ in `setting` do wrong with what the other makes.
fn effect(setting: SharedSetting) -> &'static str {
    match setting {
        SharedSetting::AuditKey => "reject the audit events",
        SharedSetting::Bus => "miss the invalidations",
        SharedSetting::Issuer
        | SharedSetting::Audience
        | SharedSetting::ClientId
        | SharedSetting::SigningKeys
        | SharedSetting::RefreshKey => "reject the tokens",
    }
}

fn differs(key: &str, here: &str, there: &str) -> String {
    format!(
        "{} is {here:?} here and {there:?} at a running replica",
        variable(key)
    )
}

fn lifetime_key(lifetime: LifetimeSetting) -> &'static str {
    match lifetime {
        LifetimeSetting::Access => "tokens.access_ttl",
        LifetimeSetting::RefreshIdle => "tokens.refresh_idle_ttl",
        LifetimeSetting::Refresh => "tokens.refresh_ttl",
        LifetimeSetting::RefreshGrace => "tokens.refresh_grace",
        LifetimeSetting::StepUp => "tokens.step_up_max_age",
    }
}
