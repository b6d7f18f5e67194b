//! Builds the use cases from the ports and the settings, using the composition root of `domain`.

use crate::{
    Failure,
    settings::Settings,
    wiring::{PasswordPorts, Ports, password_policy, reset_rules, session_rules, token_rules},
};
use adapters_crypto::{ForeignHashForms, SystemClock};
use api_http::UseCases;
use domain::{
    core::{self, Administration, AdministrationPorts, AdministrationRules, Core, PasswordCheckPorts, Rules},
    use_cases::CheckPassword,
};
use std::{num::NonZeroUsize, sync::Arc};

/// Returns the use cases of the routes and of the start.
pub fn use_cases(ports: &Ports, settings: &Settings) -> UseCases {
    UseCases {
        core: core(ports, settings),
        administration: administration(ports, settings),
        public_keys: Arc::clone(&ports.public_keys),
        storage_health: Arc::clone(&ports.storage.health),
        redis_health: ports.redis_health.clone(),
        bus_health: ports.bus_health.clone(),
        session_bus: Some(ports.bus.into()),
        session_memory: ports.session_memory.clone(),
        clock_comparison: ports.clock_watch.clone().map(|watch| watch as _),
    }
}

fn core(ports: &Ports, settings: &Settings) -> Core {
    let storage = &ports.storage;
    let core_ports = core::Ports {
        accounts: Arc::clone(&storage.accounts),
        sessions: Arc::clone(&storage.sessions),
        snapshots: Arc::clone(&storage.snapshots),
        audit_events: Arc::clone(&storage.audit_events),
        revocations: Arc::clone(&ports.revocations),
        hasher: Arc::clone(&ports.hasher),
        meter: Arc::clone(&ports.meter),
        breached: Arc::clone(&ports.breached),
        throttle: Arc::clone(&ports.throttle),
        signer: Arc::clone(&ports.signer),
        verifier: Arc::clone(&ports.verifier),
        mac: Arc::clone(&ports.mac),
        clock: Arc::clone(&ports.clock),
        randomness: Arc::clone(&ports.randomness),
    };
    let rules = Rules {
        tokens: token_rules(&settings.tokens),
        sessions: session_rules(&settings.tokens),
        passwords: password_policy(settings),
        default_roles: settings.users.default_roles.clone(),
        failures_per_minute: settings.audit.failures_per_minute,
    };
    if settings.tokens.permissions {
        Core::with_permissions_in_tokens(core_ports, &rules, Arc::clone(&storage.roles))
    } else {
        Core::new(core_ports, &rules)
    }
}

fn administration(ports: &Ports, settings: &Settings) -> Administration {
    let storage = &ports.storage;
    let ports = AdministrationPorts {
        accounts: Arc::clone(&storage.accounts),
        users: Arc::clone(&storage.users),
        sessions: Arc::clone(&storage.session_directory),
        roles: Arc::clone(&storage.roles),
        audit: ports.audit_keys.ports(storage),
        revocations: Arc::clone(&ports.revocations),
        hasher: Arc::clone(&ports.hasher),
        meter: Arc::clone(&ports.meter),
        breached: Arc::clone(&ports.breached),
        foreign_hashes: Arc::new(ForeignHashForms),
        clock: Arc::clone(&ports.clock),
        randomness: Arc::clone(&ports.randomness),
    };
    Administration::new(ports, administration_rules(settings))
}

/// Returns the check of a password that is not stored. It starts one hash thread.
pub fn password_check(settings: &Settings) -> Result<CheckPassword, Failure> {
    let PasswordPorts { meter, breached, .. } = PasswordPorts::new(&settings.password, NonZeroUsize::MIN)?;
    let ports = PasswordCheckPorts {
        meter,
        breached,
        clock: Arc::new(SystemClock),
    };
    Ok(core::password_check(ports, password_policy(settings)))
}

/// Returns the rules of administration, for the server and the command line.
pub fn administration_rules(settings: &Settings) -> AdministrationRules {
    AdministrationRules {
        passwords: password_policy(settings),
        resets: reset_rules(&settings.password),
        default_roles: settings.users.default_roles.clone(),
    }
}
