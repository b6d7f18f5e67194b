//! The complete edge over testkit's fakes, and a client.

use crate::wiring::use_cases;
use actix_web::{
    App,
    http::{Method, header::HeaderMap},
    test,
    web::Bytes,
};
use api_http::{Edge, HttpSettings, Mutations, configure};
use domain::{
    audit::{Actor, AuditNumber, ChainEnd, Origin, Seal, SignedCheckpoint, StoredCheckpoint},
    authority::Capability,
    password::Password,
    ports::{PortError, Throttle},
    revision::Precondition,
    role::{RoleName, RoleNames},
    steps::{ChangeRequest, UserRef},
    throttle::{Attempt, BudgetKind, Budgets, ThrottleDecision},
    use_cases::{NewUserRequest, RoleRequest},
    user::UserStatus,
};
use serde_json::{Value, json};
use std::{future::Future, net::SocketAddr, pin::Pin, rc::Rc, sync::Arc};
use testkit::{
    ClosedThrottle, Fakes, FixedClock, MemoryStorage, ModelThrottle, OpenThrottle, PlainHasher, ToySealer,
    fixtures::at,
};
use tokio::runtime::Handle;

pub const PASSWORD: &str = "correct horse battery staple";
pub const NEW_PASSWORD: &str = "quiet otters paint the moon";

/// The address of requests that name no other.
const HOME: [u8; 4] = [192, 0, 2, 7];

pub const ISSUER: &str = "https://auth.example";

pub struct TestApp {
    pub storage: MemoryStorage,
    pub clock: Arc<FixedClock>,
    pub hasher: Arc<PlainHasher>,
    pub edge: Edge,
}

pub fn app() -> TestApp {
    app_with(Arc::new(OpenThrottle))
}

/// Disables the documentation, for tests with hundreds of requests: the document would be generated
/// for each app.
pub fn without_docs(mut app: TestApp) -> TestApp {
    app.edge.settings.docs = false;
    app
}

/// An app whose throttle rejects every attempt.
pub fn throttled_app() -> TestApp {
    throttled_app_by(BudgetKind::Account)
}

/// An app whose throttle rejects every attempt because a budget of this kind is used up.
pub fn throttled_app_by(budget: BudgetKind) -> TestApp {
    app_with(Arc::new(ClosedThrottle {
        retry_after: std::time::Duration::from_millis(6_500),
        budget,
    }))
}

/// An app in which every attempt panics.
pub fn broken_app() -> TestApp {
    app_with(Arc::new(BrokenThrottle))
}

struct BrokenThrottle;

#[async_trait::async_trait]
impl Throttle for BrokenThrottle {
    async fn take(&self, _: &Attempt) -> Result<ThrottleDecision, PortError> {
        panic!("a bug")
    }

    async fn succeeded(&self, _: &Attempt, _: ThrottleDecision) {}
}

/// An app whose throttle counts attempts.
pub fn counting_app() -> TestApp {
    app_with(Arc::new(ModelThrottle::new(Budgets::DEFAULT)))
}

fn app_with(throttle: Arc<dyn Throttle>) -> TestApp {
    let fakes = Fakes {
        clock: Arc::new(FixedClock::new(at(1_000_000))),
        throttle,
        ..Fakes::default()
    };
    let edge = Edge {
        use_cases: use_cases(&fakes),
        settings: HttpSettings {
            trusted_proxies: vec![],
            docs: true,
            issuer: Some(ISSUER.to_owned()),
            ..HttpSettings::default()
        },
        clock: fakes.clock.clone(),
        randomness: fakes.randomness,
        mutations: Mutations::on(Handle::current()),
    };
    TestApp {
        storage: fakes.storage,
        clock: fakes.clock,
        hasher: fakes.hasher,
        edge,
    }
}

/// The tokens of a login.
#[derive(Clone, Debug)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

impl TestApp {
    /// Starts the app for requests that [`Request::send_to`] sends.
    pub async fn run(&self) -> Running {
        Running::start(&self.edge).await
    }

    pub fn get(&self, path: &str) -> Request<'_> {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Request<'_> {
        self.request(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Request<'_> {
        self.request(Method::PUT, path)
    }

    pub fn patch(&self, path: &str) -> Request<'_> {
        self.request(Method::PATCH, path)
    }

    pub fn delete(&self, path: &str) -> Request<'_> {
        self.request(Method::DELETE, path)
    }

    pub fn request(&self, method: Method, path: &str) -> Request<'_> {
        self.request_from(HOME, method, path)
    }

    pub fn request_from(&self, address: [u8; 4], method: Method, path: &str) -> Request<'_> {
        let peer = SocketAddr::from((address, 4711));
        let inner = test::TestRequest::with_uri(path)
            .method(method)
            .peer_addr(peer)
            .insert_header(("Host", "auth.example"));
        Request {
            edge: &self.edge,
            inner,
        }
    }

    /// Registers `login` and logs in.
    pub async fn user(&self, login: &str) -> Pair {
        let registered = self
            .post("/register")
            .json(&json!({"login": login, "password": PASSWORD}))
            .send()
            .await;
        assert_eq!(registered.status, 201, "{}", registered.body);
        self.log_in(login).await
    }

    /// Creates an admin as the operator, and logs in.
    pub async fn admin(&self, login: &str) -> Pair {
        self.create(login, RoleNames::from([RoleName::ADMIN, RoleName::USER]))
            .await;
        self.log_in(login).await
    }

    /// Creates a role with `permissions` and a user with only this role, and logs the user in.
    pub async fn holder(&self, login: &str, role: &str, permissions: &[&str]) -> Pair {
        self.role(role, permissions).await;
        let role = RoleName::parse(role).expect("the name is valid");
        self.create(login, RoleNames::from([role])).await;
        self.log_in(login).await
    }

    /// Stores a checkpoint of the audit log, and returns its note.
    pub async fn sign_checkpoint(&self) -> String {
        let end = ChainEnd {
            number: AuditNumber(17),
            seal: Seal([7; 32]),
        };
        let note = SignedCheckpoint::sign(end, &ToySealer).note().to_owned();
        let checkpoint = StoredCheckpoint {
            number: end.number,
            at: at(0),
            note: note.clone(),
        };
        let checkpoints = self.storage.storage().audit_checkpoints;
        let stored = checkpoints.store(checkpoint, at(0)).await;
        stored.expect("the checkpoint is stored");
        note
    }

    /// Creates a user as the operator.
    async fn create(&self, login: &str, roles: RoleNames) {
        let request = NewUserRequest {
            login: login.to_owned(),
            password: Password::new(PASSWORD.to_owned()),
            roles,
        };
        let create_user = &self.edge.use_cases.administration.create_user;
        create_user
            .execute(request, Actor::Operator, Origin::default())
            .await
            .expect("the user is stored");
    }

    /// Writes a role as the operator.
    pub async fn role(&self, name: &str, permissions: &[&str]) {
        let request = RoleRequest {
            name: name.to_owned(),
            description: String::new(),
            permissions: permissions.iter().map(|&text| text.to_owned()).collect(),
            self_assignable: false,
            precondition: Precondition::None,
            dry_run: false,
        };
        let written = self
            .edge
            .use_cases
            .administration
            .write_role
            .execute(Capability::of_operator(), request, Origin::default())
            .await;
        written.expect("the role is written");
    }

    /// Disables or enables a user as the operator.
    pub async fn set_status(&self, login: &str, status: UserStatus) {
        let request = by_operator(login);
        let set_status = &self.edge.use_cases.administration.set_status;
        let set = set_status
            .execute(Capability::of_operator(), request, status)
            .await;
        set.expect("the status is set");
    }

    /// Resets a user's password as the operator, to the one-time password [`NEW_PASSWORD`].
    pub async fn reset_password(&self, login: &str) {
        let request = by_operator(login);
        let password = Password::new(NEW_PASSWORD.to_owned());
        let reset_password = &self.edge.use_cases.administration.reset_password;
        let reset = reset_password
            .execute(Capability::of_operator(), request, Some(password))
            .await;
        reset.expect("the password is reset");
    }

    /// The id of the user of `pair`, whose tokens must be valid.
    pub async fn id(&self, pair: &Pair) -> String {
        let me = self.get("/me").bearer(&pair.access).send().await;
        me.body["id"]
            .as_str()
            .expect("the response contains an id")
            .to_owned()
    }

    pub async fn log_in(&self, login: &str) -> Pair {
        self.log_in_with(login, PASSWORD).await
    }

    pub async fn log_in_with(&self, login: &str, password: &str) -> Pair {
        let answer = self
            .post("/login")
            .json(&json!({"login": login, "password": password}))
            .send()
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.pair()
    }

    /// The code with which `/me` rejects an access token, or "accepted".
    pub async fn me_code(&self, pair: &Pair) -> String {
        let answer = self.get("/me").bearer(&pair.access).send().await;
        if answer.status == 200 {
            "accepted".to_owned()
        } else {
            answer.code()
        }
    }

    /// The code with which `/refresh` rejects a refresh token, or "accepted".
    pub async fn refresh_code(&self, pair: &Pair) -> String {
        let answer = self.post("/refresh").bearer(&pair.refresh).send().await;
        if answer.status == 200 {
            "accepted".to_owned()
        } else {
            answer.code()
        }
    }
}

fn by_operator(login: &str) -> ChangeRequest {
    ChangeRequest {
        user: UserRef::Login(login.to_owned()),
        if_revision: None,
        origin: Origin::default(),
    }
}

pub struct Request<'a> {
    edge: &'a Edge,
    inner: test::TestRequest,
}

impl Request<'_> {
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.inner = self.inner.append_header((name, value));
        self
    }

    /// Sends the request from another address than `192.0.2.7`.
    pub fn from(mut self, address: &str) -> Self {
        let address = address.parse().expect("the address is valid");
        self.inner = self.inner.peer_addr(SocketAddr::new(address, 4711));
        self
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.inner = self.inner.set_json(body);
        self
    }

    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.inner = self.inner.set_payload(body);
        self
    }

    pub async fn send(self) -> Answer {
        let running = Running::start(self.edge).await;
        self.send_to(&running).await
    }

    /// Sends the request to an app that is running.
    pub async fn send_to(self, running: &Running) -> Answer {
        (running.0)(self.inner).await
    }
}

type Answering = Pin<Box<dyn Future<Output = Answer>>>;

/// An app that was built once, for tests with thousands of requests.
pub struct Running(Box<dyn Fn(test::TestRequest) -> Answering>);

impl Running {
    async fn start(edge: &Edge) -> Self {
        let service = test::init_service(App::new().configure(configure(edge.clone()))).await;
        let service = Rc::new(service);
        Self(Box::new(move |request| {
            let service = Rc::clone(&service);
            Box::pin(async move {
                let response = test::call_service(&*service, request.to_request()).await;
                let status = response.status().as_u16();
                let headers = response.headers().clone();
                let raw = test::read_body(response).await;
                let body = serde_json::from_slice(&raw).unwrap_or(Value::Null);
                let answer = Answer {
                    status,
                    headers,
                    body,
                    raw,
                };
                answer.check_form();
                answer
            })
        }))
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    pub raw: Bytes,
}

impl Answer {
    pub fn code(&self) -> String {
        self.body["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub fn pair(&self) -> Pair {
        let text = |name: &str| {
            self.body[name]
                .as_str()
                .expect("the response contains a token")
                .to_owned()
        };
        Pair {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    /// Checks what holds for every response.
    fn check_form(&self) {
        let request_id = self.header("x-request-id");
        assert!(!request_id.is_empty());
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert!(!self.headers.contains_key("server"));
        if self.status < 400 || self.raw.is_empty() || self.body["dependencies"].is_object() {
            return;
        }
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{:?}",
            self.raw
        );
        assert_eq!(self.body["status"], self.status);
        assert_eq!(self.body["type"], format!("urn:authapi:problem:{}", self.code()));
        assert_eq!(self.body["request_id"], request_id);
        for text in ["title", "detail"] {
            assert!(
                self.body[text].as_str().is_some_and(|text| !text.is_empty()),
                "{}",
                self.body
            );
        }
        assert_eq!(self.status == 401, self.is_401_code(), "{}", self.body);
        assert_eq!(
            self.headers.contains_key("www-authenticate"),
            matches!(self.status, 401 | 403)
        );
        assert_eq!(
            self.headers.contains_key("retry-after"),
            matches!(self.status, 429 | 503)
        );
    }

    fn is_401_code(&self) -> bool {
        let code = self.code();
        code.starts_with("token_")
            || code.starts_with("refresh_token_")
            || code.starts_with("session_")
            || code == "invalid_credentials"
            || code == "insufficient_user_authentication"
    }
}
