//! Mounts the service's routes in an actix application, beside a route of the application that
//! accepts only logged-in callers. Serves on a free loopback port, calls itself, and exits.
//!
//! `cargo run -p api-http --example mount`

use actix_web::{App, HttpServer, web, web::Data};
use api_http::{AuthenticatedUser, Edge, HttpSettings, Mutations, UseCases, configure};
use domain::core::{Administration, Core};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::error::Error;
use testkit::{Fakes, fixtures::PASSWORD};
use tokio::runtime::Handle;

/// A route of the application. Its caller has a valid access token.
async fn hello(AuthenticatedUser(caller): AuthenticatedUser) -> String {
    format!("hello, {}", caller.user().login.as_typed())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let edge = edge();
    let mutations = edge.mutations.clone();
    let server = HttpServer::new(move || {
        App::new()
            // Required by `AuthenticatedUser` in the application's routes, which must come first
            // because the service answers every other path.
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
    // Wait for running mutations before the runtime ends.
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

/// Returns the stable code of a problem.
async fn code(refusal: Response) -> Result<String, Box<dyn Error>> {
    assert_eq!(refusal.status(), 401);
    let problem: Value = refusal.json().await?;
    Ok(text(&problem, "code")?.to_owned())
}

/// Returns the string `field` of a response, or the field's name as the error if it is missing.
fn text<'a>(json: &'a Value, field: &'static str) -> Result<&'a str, &'static str> {
    json.get(field).and_then(Value::as_str).ok_or(field)
}

/// Creates the edge over testkit's fakes; an application passes its own adapters.
fn edge() -> Edge {
    let fakes = Fakes::default();
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
        clock: fakes.clock,
        randomness: fakes.randomness,
        mutations: Mutations::on(Handle::current()),
    }
}
