//! The whole HTTP edge over testkit's fakes, with two users and a catalogue.

use actix_web::{App, http::StatusCode, test, test::TestRequest};
use api_http::{Edge, HttpSettings, Mutations, UseCases, configure};
use domain::changes::RegisterUser;
use domain::{
    core::{Administration, Core},
    role::{RoleName, RoleNames},
    user::{NewUser, UserPage},
};
use serde_json::{Value, json};
use std::{
    cell::RefCell, fmt::Write, future::Future, mem::ManuallyDrop, net::SocketAddr, pin::Pin, rc::Rc,
    sync::Arc,
};
use testkit::{
    Fakes, MemoryStorage,
    fixtures::{PASSWORD, a_role, a_user, an_admin, at, context},
};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::LocalSet,
};

/// The logins of all users, in the order of their canonical forms. The first is an admin.
pub const LOGINS: [&str; 5] = ["ann", "Bob", "carol", "жанна", "李小龙"];

pub struct Answer {
    pub status: StatusCode,
    pub media_type: String,
    pub body: Value,
}

type Pending = Pin<Box<dyn Future<Output = Answer>>>;

/// A running service.
pub struct Service {
    storage: MemoryStorage,
    send: Box<dyn Fn(TestRequest) -> Pending>,
    /// The access token of the admin.
    pub admin: String,
    /// The access token of the second user.
    pub user: String,
    /// The id of the second user.
    pub user_id: String,
}

thread_local! {
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    /// Never dropped at the end of the thread: dropping it needs other values of the thread.
    static KEPT: RefCell<Option<ManuallyDrop<Service>>> = const { RefCell::new(None) };
}

/// Runs `check` with a service that is in its initial state, unless `check` returns that it changed
/// an earlier one only in its audit log.
pub fn with_service(check: impl AsyncFnOnce(&Service) -> Reusable) {
    RUNTIME.with(|runtime| {
        LocalSet::new().block_on(runtime, async {
            let kept = KEPT.take();
            let service = match kept {
                Some(service) => ManuallyDrop::into_inner(service),
                None => Service::start().await,
            };
            if matches!(check(&service).await, Reusable::Yes) {
                KEPT.set(Some(ManuallyDrop::new(service)));
            }
        });
    });
}

/// Whether a service may be used for another input.
pub enum Reusable {
    Yes,
    No,
}

impl Service {
    async fn start() -> Self {
        let fakes = Fakes::default();
        let edge = edge(&fakes);
        let storage = fakes.storage.clone();
        populate(&storage).await;
        let service = Rc::new(test::init_service(App::new().configure(configure(edge))).await);
        let send = move |request: TestRequest| -> Pending {
            let service = Rc::clone(&service);
            let peer = SocketAddr::from(([192, 0, 2, 7], 4711));
            let request = request.peer_addr(peer).insert_header(("Host", "auth.example"));
            Box::pin(async move {
                let response = test::call_service(&*service, request.to_request()).await;
                let status = response.status();
                let media_type = response.headers().get("content-type");
                let media_type = media_type.and_then(|value| value.to_str().ok());
                let media_type = media_type.unwrap_or_default().to_owned();
                let raw = test::read_body(response).await;
                let body = serde_json::from_slice(&raw).unwrap_or(Value::Null);
                Answer {
                    status,
                    media_type,
                    body,
                }
            })
        };
        let mut started = Self {
            storage,
            send: Box::new(send),
            admin: String::new(),
            user: String::new(),
            user_id: String::new(),
        };
        let [admin, user, ..] = LOGINS;
        started.admin = started.log_in(admin).await;
        started.user = started.log_in(user).await;
        let me = TestRequest::get().uri("/me");
        let me = started
            .send(me.insert_header(("Authorization", format!("Bearer {}", started.user))))
            .await;
        started.user_id = text(&me.body, "id");
        started
    }

    async fn log_in(&self, login: &str) -> String {
        let body = json!({"login": login, "password": PASSWORD});
        let answer = self.send(TestRequest::post().uri("/login").set_json(body)).await;
        text(&answer.body, "access_token")
    }

    pub async fn send(&self, request: TestRequest) -> Answer {
        (self.send)(request).await
    }

    /// Returns a description of everything stored except the audit log.
    pub async fn state(&self) -> String {
        let storage = self.storage.storage();
        let page = UserPage {
            after: None,
            limit: 100,
        };
        let users = storage.users.export(page).await.expect("storage is available");
        let roles = storage.roles.list().await.expect("storage is available");
        let mut state = format!("{roles:?}");
        for user in users {
            let sessions = storage.session_directory.list(user.user.id, at(0)).await;
            let sessions = sessions.expect("storage is available");
            let hash = user.hash.as_phc();
            writeln!(state, "\n{user:?} {hash} {sessions:?}").expect("a text can be extended");
        }
        state
    }

    /// Returns whether an active admin exists.
    pub async fn has_admin(&self) -> bool {
        let found = self.storage.storage().users.any_admin().await;
        found.expect("storage is available")
    }
}

fn text(body: &Value, name: &str) -> String {
    let text = body.get(name).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("the response lacks {name}: {body}"))
        .to_owned()
}

fn edge(fakes: &Fakes) -> Edge {
    Edge {
        use_cases: UseCases {
            core: Core::new(fakes.ports(), &Fakes::rules()),
            administration: Administration::new(fakes.administration_ports(), Fakes::administration_rules()),
            public_keys: fakes.tokens.keys.clone(),
            storage_health: fakes.storage.storage().health,
            redis_health: None,
            bus_health: None,
            session_bus: None,
            session_memory: None,
            clock_comparison: None,
        },
        settings: HttpSettings::default(),
        clock: fakes.clock.clone(),
        randomness: fakes.randomness.clone(),
        mutations: Mutations::on(Handle::current()),
    }
}

async fn populate(storage: &MemoryStorage) {
    let storage = storage.storage();
    for (name, permissions) in [("r0", &["a:x"][..]), ("r1", &["users:read", "roles:assign"])] {
        let role = Arc::new(a_role(name, permissions));
        let written = storage.roles.execute(role, context(at(0))).await;
        written.expect("the role is written");
    }
    for (number, login) in LOGINS.into_iter().enumerate() {
        let new = if number == 0 {
            an_admin(login)
        } else {
            let name = RoleName::parse("r1").expect("the name is valid");
            NewUser {
                roles: RoleNames::from([RoleName::USER, name]),
                ..a_user(login)
            }
        };
        let register = Arc::new(RegisterUser(new));
        let registered = storage.accounts.execute(register, context(at(0))).await;
        registered.expect("the login is free");
    }
}
