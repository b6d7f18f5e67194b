//! The effect of a response on its connection: memory use, and whether it stays open.

use crate::{
    app::{PASSWORD, TestApp, app, broken_app},
    cors::{PAGE, with_page},
};
use actix_web::{
    App,
    body::{BodySize, MessageBody},
    dev::ServiceResponse,
    http::{ConnectionType, Method},
    test::{self, TestRequest},
};
use api_http::configure;
use serde_json::json;
use std::{future::poll_fn, pin::pin};

/// Maximum number of bytes that a response may pass to the server at once.
const CHUNK: usize = 16 * 1024;

async fn answer(request: TestRequest) -> ServiceResponse<impl MessageBody> {
    answer_of(app(), request).await
}

async fn answer_of(app: TestApp, request: TestRequest) -> ServiceResponse<impl MessageBody> {
    let service = test::init_service(App::new().configure(configure(app.edge))).await;
    let peer = ([192, 0, 2, 7], 4711).into();
    let request = request.peer_addr(peer).insert_header(("Host", "auth.example"));
    test::call_service(&service, request.to_request()).await
}

#[actix_web::test]
async fn large_responses_are_sent_in_chunks() {
    for path in ["/docs/swagger-ui-bundle.js", "/docs/docs.js", "/openapi.json"] {
        let response = answer(TestRequest::with_uri(path)).await;
        assert_eq!(response.status(), 200, "{path}");
        let mut body = pin!(response.into_body());
        let size = body.size();
        let mut sent = 0;
        while let Some(piece) = poll_fn(|context| body.as_mut().poll_next(context)).await {
            let piece = piece.map_err(Into::into).expect("the chunk can be read");
            assert!((1..=CHUNK).contains(&piece.len()), "{path}: {}", piece.len());
            sent += piece.len() as u64;
        }
        assert_eq!(size, BodySize::Sized(sent), "{path}");
    }
}

/// actix buffers responses without a body even if the client does not read. Of the routes without
/// authentication, only these redirects could have no body.
#[actix_web::test]
async fn the_redirects_to_the_documentation_have_a_body() {
    for (path, status) in [("/", 307), ("/docs", 308)] {
        let response = answer(TestRequest::with_uri(path)).await;
        assert_eq!(response.status(), status, "{path}");
        assert!(!test::read_body(response).await.is_empty(), "{path}");
    }
}

/// Unlike a response without a body, an empty stream is not buffered if the client does not read.
#[actix_web::test]
async fn a_304_without_authentication_is_an_empty_stream() {
    let request = TestRequest::with_uri("/.well-known/jwks.json").insert_header(("If-None-Match", "*"));
    let response = answer(request).await;
    assert_eq!(response.status(), 304);
    assert_eq!(response.response().body().size(), BodySize::Stream);
    assert!(!response.response().head().chunked());
    assert!(test::read_body(response).await.is_empty());
}

#[actix_web::test]
async fn the_response_to_a_preflight_is_an_empty_stream() {
    for (app, path) in [(with_page(app()), "/me"), (app(), "/.well-known/jwks.json")] {
        let request = TestRequest::with_uri(path)
            .method(Method::OPTIONS)
            .insert_header(("Origin", PAGE))
            .insert_header(("Access-Control-Request-Method", "GET"));
        let response = answer_of(app, request).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.response().body().size(), BodySize::Stream, "{path}");
        // Without chunks, the length ends the response, in HTTP/1.0 too.
        assert!(!response.response().head().chunked(), "{path}");
        let length = response.headers().get("content-length");
        assert!(length.is_some_and(|length| length == "0"), "{path}");
        assert!(test::read_body(response).await.is_empty(), "{path}");
    }
}

#[actix_web::test]
async fn a_response_before_the_end_of_the_body_closes_the_connection() {
    let login = json!({"login": "missing", "password": PASSWORD}).to_string();
    let large = " ".repeat(CHUNK + 1);
    for (method, path, content_type, body, status, closes) in [
        (Method::POST, "/nothing", "application/json", &login, 404, true),
        (Method::PUT, "/login", "application/json", &login, 405, true),
        (Method::POST, "/login", "text/plain", &login, 415, true),
        (Method::POST, "/login", "application/json", &large, 413, true),
        (Method::POST, "/logout", "application/json", &login, 401, true),
        (Method::GET, "/health/live", "application/json", &login, 200, true),
        (Method::POST, "/login", "application/json", &login, 401, false),
        (Method::POST, "/register", "application/json", &login, 201, false),
    ] {
        let what = format!("{method} {path} as {content_type}");
        let request = TestRequest::with_uri(path)
            .method(method)
            .insert_header(("Content-Type", content_type))
            .set_payload(body.clone());
        let response = answer(request).await;
        assert_eq!(response.status(), status, "{what}");
        let connection = response.response().head().connection_type();
        assert_eq!(connection == ConnectionType::Close, closes, "{what}");
    }
}

#[actix_web::test]
async fn a_panicking_mutation_is_answered() {
    let answer = broken_app()
        .post("/register")
        .json(&json!({"login": "alice", "password": PASSWORD}))
        .send()
        .await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
    assert!(!String::from_utf8_lossy(&answer.raw).contains("a bug"));
}
