//! The service's routes in an actix application of one's own, beside a route of one's own that lets in only whom the
//! service has logged in. It serves on a free port of the loopback, calls itself, and ends.
//!
//! `cargo run -p api-http --example mount`

use actix_web::{App, HttpServer, web, web::Data};
use api_http::{Authenticated, Edge, HttpSettings, Mutations, UseCases, configure};
use domain::core::{Administration, Core};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::error::Error;
use testkit::{Fakes, fixtures::PASSWORD};
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
    let fakes = Fakes::default();
    Edge {
        use_cases: UseCases {
            core: Core::new(fakes.ports(), &Fakes::rules()),
            administration: Administration::new(fakes.administration_ports(), Fakes::administration_rules()),
            public_keys: fakes.tokens.keys.clone(),
            storage_health: fakes.storage.storage().health,
            redis_health: None,
            session_memory: None,
        },
        settings: HttpSettings::default(),
        clock: fakes.clock,
        randomness: fakes.randomness,
        mutations: Mutations::on(Handle::current()),
    }
}
