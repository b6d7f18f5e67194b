//! A service that embeds authapi's core with axum, custom storage and the real cryptography. It
//! listens on a free port of the loopback interface, calls itself, and ends.
//!
//! `cargo run -p axum-service` registers a user, logs in and out, and shows that the token is then
//! refused. `cargo test -p axum-service` runs the contracts of the four storage ports for
//! `store.rs`.

mod http;
mod store;

use adapters_crypto::{
    Argon2Hasher, Argon2Params, HashPool, HashPoolSettings, HmacRefreshMac, JwtTokens, OsRandomness,
    SystemClock, ZxcvbnMeter,
    keys::{Algorithm, KeyRing, KeyRules, generate_first_signing_key, generate_refresh_key},
};
use adapters_throttle::InProcessThrottle;
use anyhow::{Result, ensure};
use chrono::Duration;
use domain::{
    core::{Core, Ports, Rules},
    password::PasswordPolicy,
    ports::{NoBreachedPasswords, NothingCached},
    role::RoleName,
    session::SessionRules,
    throttle::Budgets,
    token::TokenRules,
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use store::OwnStorage;
use tokio::net::TcpListener;

/// Builds the use cases. Each run creates new keys in `keys`; a real service keeps its keys.
fn core(keys: &Path, issuer: &str) -> Result<Core> {
    generate_first_signing_key(keys, Algorithm::Es256)?;
    generate_refresh_key(keys)?;
    let keys = KeyRing::load(keys, KeyRules::default())?;
    let mac = HmacRefreshMac::new(keys.refresh_key());
    let tokens = Arc::new(JwtTokens::new(keys));
    let hash_pool = Arc::new(HashPool::start(HashPoolSettings::default())?);
    let storage = Arc::new(OwnStorage::default());
    let ports = Ports {
        accounts: storage.clone(),
        sessions: storage.clone(),
        snapshots: storage.clone(),
        audit_events: storage,
        // Storage is read for each request, so no cache has to be invalidated.
        revocations: Arc::new(NothingCached),
        hasher: Arc::new(Argon2Hasher::new(Argon2Params::default(), hash_pool.clone())?),
        meter: Arc::new(ZxcvbnMeter::new(hash_pool)),
        breached: Arc::new(NoBreachedPasswords),
        throttle: Arc::new(InProcessThrottle::new(&Budgets::DEFAULT)?),
        signer: tokens.clone(),
        verifier: tokens,
        mac: Arc::new(mac),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(OsRandomness),
    };
    let rules = Rules {
        tokens: TokenRules {
            issuer: issuer.to_owned(),
            audience: "example".to_owned(),
            client_id: "example".to_owned(),
            access_ttl: Duration::minutes(15),
            step_up_max_age: Duration::minutes(15),
        },
        sessions: SessionRules::default(),
        passwords: PasswordPolicy::default(),
        default_roles: [RoleName::USER].into(),
        failures_per_minute: 60,
    };
    Ok(Core::new(ports, &rules))
}

#[tokio::main]
async fn main() -> Result<()> {
    let keys = tempfile::tempdir()?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = http::router(core(keys.path(), &url)?);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    walk(&url).await?;
    server.abort();
    Ok(())
}

async fn walk(url: &str) -> Result<()> {
    let client = Client::builder().no_proxy().build()?;
    let alice = json!({"login": "alice", "password": "correct horse battery staple"});
    let post = |path: &str| client.post(format!("{url}{path}"));

    let registered = post("/register").json(&alice).send().await?;
    ensure!(registered.status() == StatusCode::CREATED, "{registered:?}");
    println!("alice is registered");
    let again = post("/register").json(&alice).send().await?;
    ensure!(again.status() == StatusCode::CONFLICT, "{again:?}");

    let pair: Value = post("/login").json(&alice).send().await?.json().await?;
    let token = pair
        .get("access_token")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let me = || client.get(format!("{url}/me")).bearer_auth(token).send();
    let answer: Value = me().await?.json().await?;
    ensure!(answer == json!({"login": "alice", "roles": ["user"]}), "{answer}");
    println!("alice is logged in: {answer}");

    let ended = post("/logout").bearer_auth(token).send().await?;
    ensure!(ended.status() == StatusCode::NO_CONTENT, "{ended:?}");
    let refused = me().await?;
    ensure!(refused.status() == StatusCode::UNAUTHORIZED, "{refused:?}");
    let refused: Value = refused.json().await?;
    ensure!(refused == json!({"code": "token_revoked"}), "{refused}");
    println!("alice is logged out, and the token is refused: {refused}");
    Ok(())
}
