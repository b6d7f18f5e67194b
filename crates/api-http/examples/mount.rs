//! The service's routes in an actix application of one's own, beside a route of one's own that lets in only whom the
//! service has logged in. It serves on a free port of the loopback, calls itself, and ends.
//!
//! `cargo run -p api-http --example mount`

use actix_web::{App, HttpServer, web, web::Data};
use api_http::{Authenticated, Edge, HttpSettings, Mutations, UseCases, configure};
use domain::{
    password::PasswordPolicy,
    ports::{Clock, Randomness},
    role::{RoleName, RoleNames},
    session::SessionRules,
    use_cases::{
        AcceptPassword, AssignRoles, Authenticate, ChangePassword, ConfirmPassword, CreateUser,
        DeleteOwnAccount, DeleteRole, DeleteUser, EndSession, ExportOwnData, FindUsers, IssueTokens,
        ListRoles, ListSessions, LogIn, LogOut, ReadAudit, RecogniseRefreshToken, RecordFailedAttempt,
        Refresh, Register, ResetPassword, SetStatus, UserSessions, WriteRole,
    },
};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::{error::Error, sync::Arc};
use testkit::{
    CountingRandomness, FixedClock, MemoryStorage, OpenThrottle, PlainHasher, PlainMeter, PlainTokens,
    ToyMac,
    fixtures::{PASSWORD, at, token_rules},
};
use tokio::runtime::Handle;

/// A route of one's own: its caller is somebody whose access token stands at this moment.
async fn hello(Authenticated(caller): Authenticated) -> String {
    format!("hello, {}", caller.user().login.as_typed())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let edge = edge();
    let mutations = edge.mutations.clone();
    let server = HttpServer::new(move || {
        App::new()
            // For `Authenticated` in one's own routes; those come first, since the service answers every other path.
            .app_data(Data::new(edge.clone()))
            .route("/hello", web::get().to(hello))
            .configure(configure(edge.clone()))
    })
    .workers(1)
    .bind(("127.0.0.1", 0))?;
    let address = *server.addrs().first().expect("a bound server has an address");
    let server = server.run();
    let (stop, serving) = (server.handle(), tokio::spawn(server));

    walk(&format!("http://{address}")).await?;

    stop.stop(true).await;
    serving.await??;
    // What was begun is ended before the runtime goes.
    mutations.drain().await;
    Ok(())
}

async fn walk(url: &str) -> Result<(), Box<dyn Error>> {
    let client = Client::builder().no_proxy().build()?;
    let post = |path: &str| client.post(format!("{url}{path}"));
    let hello = |token: &str| client.get(format!("{url}/hello")).bearer_auth(token).send();
    let alice = json!({"login": "alice", "password": PASSWORD});

    let stranger = client.get(format!("{url}/hello")).send().await?;
    assert_eq!(code(stranger).await?, "token_missing");
    println!("a stranger is refused");

    assert_eq!(post("/register").json(&alice).send().await?.status(), 201);
    let pair: Value = post("/login").json(&alice).send().await?.json().await?;
    let token = text(&pair, "access_token")?;
    let answer = hello(token).await?.text().await?;
    assert_eq!(answer, "hello, alice");
    println!("alice logs in: {answer}");

    assert_eq!(post("/logout").bearer_auth(token).send().await?.status(), 204);
    assert_eq!(code(hello(token).await?).await?, "token_revoked");
    println!("after the logout the same token is refused, by the application's own route too");
    Ok(())
}

/// The stable code of a refusal.
async fn code(refusal: Response) -> Result<String, Box<dyn Error>> {
    assert_eq!(refusal.status(), 401);
    let problem: Value = refusal.json().await?;
    Ok(text(&problem, "code")?.to_owned())
}

/// A text of an answer by its name; the name again when it is not there.
fn text<'a>(json: &'a Value, field: &'static str) -> Result<&'a str, &'static str> {
    json.get(field).and_then(Value::as_str).ok_or(field)
}

/// The whole edge over testkit's fakes, where an application has its adapters.
fn edge() -> Edge {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(at(0)));
    let randomness: Arc<dyn Randomness> = Arc::new(CountingRandomness::default());
    Edge {
        use_cases: use_cases(&clock, &randomness),
        settings: HttpSettings::default(),
        clock,
        randomness,
        mutations: Mutations::on(Handle::current()),
    }
}

fn use_cases(clock: &Arc<dyn Clock>, randomness: &Arc<dyn Randomness>) -> UseCases {
    let storage = MemoryStorage::default().storage();
    let keys = PlainTokens::default().tokens();
    let (hasher, mac) = (Arc::new(PlainHasher::default()), Arc::new(ToyMac::default()));
    let (policy, rules) = (PasswordPolicy::default(), SessionRules::default());
    let (clock, rng) = (|| clock.clone(), || randomness.clone());
    let (users, sessions) = (|| storage.users.clone(), || storage.sessions.clone());
    let (catalogue, trail) = (|| storage.roles.clone(), || storage.audit.clone());
    let (open, hasher) = (|| Arc::new(OpenThrottle), || hasher.clone());
    // What everybody begins with who registers.
    let default_roles = RoleNames::from([RoleName::USER]);
    let issue = Arc::new(IssueTokens::new(keys.signer, mac.clone(), rng(), token_rules()));
    let issue = || issue.clone();
    let recognise = Arc::new(RecogniseRefreshToken::new(mac));
    let access = Authenticate::new(keys.verifier, storage.snapshots.clone(), clock(), token_rules());
    let access = Arc::new(access);
    let accept = Arc::new(AcceptPassword::new(Arc::new(PlainMeter::default()), policy));
    let accept = || accept.clone();
    // How many failed attempts a minute the audit trail keeps.
    let note = Arc::new(RecordFailedAttempt::new(trail(), 100));
    let confirm = Arc::new(ConfirmPassword::new(
        open(),
        users(),
        hasher(),
        note.clone(),
        clock(),
    ));
    let create_user = Arc::new(CreateUser::new(users(), accept(), hasher(), clock(), rng()));
    let password = ChangeOwnPassword::new(
        confirm.clone(),
        users(),
        accept(),
        hasher(),
        issue(),
        clock(),
        rng(),
        rules,
    );
    let log_in = LogIn::new(
        open(),
        users(),
        hasher(),
        sessions(),
        issue(),
        note,
        clock(),
        rng(),
        rules,
    );
    UseCases {
        register: Register::new(open(), create_user, default_roles.clone()).into(),
        log_in: log_in.into(),
        log_out: LogOut::new(access.clone(), recognise.clone(), sessions(), clock(), rules).into(),
        refresh: Refresh::new(recognise, sessions(), issue(), clock(), rules).into(),
        assign_roles: AssignRoles::new(users(), clock()).into(),
        change_own_password: password.into(),
        list_sessions: ListSessions::new(sessions(), clock()).into(),
        end_session: EndSession::new(sessions(), clock()).into(),
        delete_own_account: DeleteOwnAccount::new(confirm, users(), clock()).into(),
        export_own_data: ExportOwnData::new(sessions(), trail(), clock()).into(),
        find_users: FindUsers::new(users()).into(),
        set_status: SetStatus::new(users(), clock()).into(),
        delete_user: DeleteUser::new(users(), clock()).into(),
        reset_password: ResetPassword::new(users(), accept(), hasher(), clock()).into(),
        user_sessions: UserSessions::new(users(), sessions(), clock()).into(),
        list_roles: ListRoles::new(catalogue()).into(),
        write_role: WriteRole::new(catalogue(), clock()).into(),
        delete_role: DeleteRole::new(catalogue(), clock(), default_roles).into(),
        read_audit: ReadAudit::new(trail()).into(),
        authenticate: access,
        public_keys: keys.keys,
        storage_health: storage.health.clone(),
        redis_health: None,
        session_memory: None,
    }
}
