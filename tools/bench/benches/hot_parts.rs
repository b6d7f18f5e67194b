//! Benchmarks of the parts of a request: `make bench-parts`.

#[expect(
    dead_code,
    clippy::indexing_slicing,
    reason = "the benchmarks call one route, and a response without the expected field should panic"
)]
#[path = "../../../crates/api-http/tests/it/app.rs"]
mod app;
#[path = "../../../crates/api-http/tests/it/wiring.rs"]
mod wiring;

use actix_web::{App, http::header::AUTHORIZATION, test};
use adapters_crypto::{
    Argon2Hasher, Argon2Params, CachedTokenVerifier, HashPool, HashPoolSettings, HmacRefreshMac, JwtTokens,
    OsRandomness, SystemClock,
    keys::{Algorithm, KeyRing, KeyRules, generate_first_signing_key, generate_refresh_key},
};
use api_http::configure;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use domain::{
    changes::{OpenSession, RegisterUser},
    login::Login,
    password::Password,
    ports::{
        Clock, HashTicket, PasswordHasher, RefreshTokenMac, SessionMemory, SessionSnapshots, TokenVerifier,
    },
    refresh_token::RefreshClaim,
    session::{NewSession, SessionSecret, StoredSession},
    steps::IssueTokens,
    user::NewUser,
};
use session_cache::protocol::ReplicaId;
use session_cache::{
    BootClock, CacheLimits, CachedSessionSnapshots, InvalidationListener, LeaseRenewer, ProcessBus,
    SessionCoherence,
};
use std::{hint::black_box, num::NonZeroUsize, sync::Arc, time::Duration};
use testkit::{
    MemoryLeases, MemoryStorage,
    fixtures::{PASSWORD, a_session, a_user, context, identity, token_rules, unique_uuid},
};
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the runtime can be built")
}

fn keys(algorithm: Algorithm) -> KeyRing {
    let folder = tempfile::tempdir().expect("the folder can be created");
    generate_first_signing_key(folder.path(), algorithm).expect("the key can be generated");
    generate_refresh_key(folder.path()).expect("the key can be generated");
    KeyRing::load(folder.path(), KeyRules::default()).expect("the keys can be loaded")
}

/// Returns a user and a session of the user that was just opened.
fn alice() -> (NewUser, NewSession) {
    let user = a_user("alice");
    let session = a_session(user.id, SystemClock.now());
    (user, session)
}

fn stored() -> StoredSession {
    let (user, session) = alice();
    session.stored(&user.registered_at(session.created_at))
}

fn secret() -> SessionSecret {
    SessionSecret::new([7; 32])
}

/// Measures, for each algorithm, the tokens of a login or refresh, the first verification of an
/// access token, and the next.
fn tokens(c: &mut Criterion) {
    let runtime = runtime();
    let (session, now) = (stored(), SystemClock.now());
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256] {
        let ring = keys(algorithm);
        let mac = Arc::new(HmacRefreshMac::new(ring.refresh_key()));
        let tokens = Arc::new(JwtTokens::new(ring));
        let issue = IssueTokens::new(tokens.clone(), mac, Arc::new(OsRandomness), token_rules());
        let issued = || {
            runtime
                .block_on(issue.issue(&session, secret(), now))
                .expect("the tokens can be issued")
        };
        c.bench_function(&format!("tokens, {}, issued", algorithm.name()), |b| {
            b.iter(issued);
        });
        let token = issued().access_token;
        c.bench_function(
            &format!("tokens, {}, first verification", algorithm.name()),
            |b| {
                b.iter(|| {
                    tokens
                        .verify(black_box(token.expose()))
                        .expect("the token is valid")
                });
            },
        );
        let most = NonZeroUsize::new(1_000).expect("1,000 is not 0");
        let cached = CachedTokenVerifier::new(tokens, Arc::new(SystemClock), most);
        c.bench_function(
            &format!("tokens, {}, cached verification", algorithm.name()),
            |b| {
                b.iter(|| {
                    cached
                        .verify(black_box(token.expose()))
                        .expect("the token is valid")
                });
            },
        );
    }
}

fn refresh_tokens(c: &mut Criterion) {
    let mac = HmacRefreshMac::new(&[7; 32]);
    let session = stored();
    let claim = RefreshClaim {
        session: session.id,
        generation: session.generation,
        secret: secret(),
    };
    let derive = || claim.seal(&mac.sign(claim.mac_input().as_slice()));
    c.bench_function("refresh token, derived", |b| b.iter(derive));
    let token = derive();
    c.bench_function("refresh token, verified", |b| {
        b.iter(|| {
            let (claim, seal) =
                RefreshClaim::parse(black_box(token.expose())).expect("the token is well-formed");
            assert!(mac.verify(claim.mac_input().as_slice(), &seal));
            mac.digest(&claim.secret)
        });
    });
}

/// Measures the lookup of a cached session snapshot while the replica holds a lease.
fn snapshots(c: &mut Criterion) {
    let runtime = runtime();
    let storage = MemoryStorage::default().storage();
    let leases = Arc::new(MemoryLeases::default());
    let (bus, clock) = (Arc::new(ProcessBus::default()), Arc::new(BootClock));
    let limits = CacheLimits::default();
    let calendar = Arc::new(SystemClock);
    let id = ReplicaId(unique_uuid());
    let coherence = SessionCoherence::new(id, leases, bus, clock, calendar, limits);
    let snapshots = CachedSessionSnapshots::new(storage.snapshots, Arc::clone(&coherence));
    let (listener, renewer) = (
        InvalidationListener::new(Arc::clone(&coherence)),
        LeaseRenewer::new(Arc::clone(&coherence)),
    );
    let (new, session) = alice();
    let now = session.created_at;
    let user = new.registered_at(now);
    let asked = identity(&user, &session);
    runtime.block_on(async {
        let register = Arc::new(RegisterUser(new));
        let registered = storage.accounts.execute(register, context(now)).await;
        registered.expect("the command succeeds");
        let open = Arc::new(OpenSession {
            session,
            epoch: user.epoch,
            known: None,
            max_sessions: 9,
        });
        let opened = storage.accounts.execute(open, context(now)).await;
        opened.expect("the command succeeds");
    });
    runtime.spawn(async move { listener.run().await });
    runtime.spawn(async move { renewer.run().await });
    runtime.block_on(async {
        while !coherence.holds_lease() {
            snapshots
                .snapshot_for(asked, now)
                .await
                .expect("the snapshot can be read");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    c.bench_function("session, cached lookup", |b| {
        b.iter(|| {
            let snapshot = runtime.block_on(snapshots.snapshot_for(black_box(asked), now));
            assert!(snapshot.expect("the snapshot can be read").is_some());
        });
    });
}

/// Measures `GET /me` without sockets, over fakes: routing, authentication, JSON and metrics.
fn me(c: &mut Criterion) {
    let system = actix_web::rt::System::new();
    let (service, token) = system.block_on(async {
        let app = app::app();
        let pair = app.user("alice").await;
        let service = test::init_service(App::new().configure(configure(app.edge.clone()))).await;
        (service, format!("Bearer {}", pair.access))
    });
    let request = || {
        let request = test::TestRequest::with_uri("/me")
            .peer_addr(([192, 0, 2, 7], 4711).into())
            .insert_header(("Host", "auth.example"));
        request
            .insert_header((AUTHORIZATION, token.as_str()))
            .to_request()
    };
    c.bench_function("GET /me without sockets", |b| {
        b.iter_batched(
            request,
            |request| {
                let response = system.block_on(test::call_service(&service, request));
                assert!(response.status().is_success());
            },
            BatchSize::SmallInput,
        );
    });
}

fn logins(c: &mut Criterion) {
    for (name, login) in [("ASCII", "ann@example.com"), ("Cyrillic", "иван.иванов")] {
        c.bench_function(&format!("login, {name}, parsed"), |b| {
            b.iter(|| Login::parse(black_box(login)).expect("the login is valid"));
        });
    }
}

/// Measures one hash at a time, each on a hash thread.
fn passwords(c: &mut Criterion) {
    let runtime = runtime();
    let pool = Arc::new(HashPool::start(HashPoolSettings::default()).expect("the threads can be started"));
    let hasher = Argon2Hasher::new(Argon2Params::default(), pool).expect("the default cost is valid");
    let mut group = c.benchmark_group("slow");
    group.sample_size(20);
    group.bench_function("password, hashed", |b| {
        b.iter(|| {
            runtime
                .block_on(hasher.hash(Password::new(PASSWORD.to_owned()), &mut HashTicket::default()))
                .expect("the password can be hashed")
        });
    });
    group.finish();
}

criterion_group!(parts, tokens, refresh_tokens, snapshots, me, logins, passwords);
criterion_main!(parts);
