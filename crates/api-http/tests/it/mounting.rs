//! The edge as part of another application.

use crate::app::app;
use actix_web::{
    App,
    http::StatusCode,
    test,
    web::{self, Data},
};
use api_http::{AuthenticatedUser, Edge, configure};

async fn hello(AuthenticatedUser(caller): AuthenticatedUser) -> String {
    format!("hello, {}", caller.user().login.as_typed())
}

/// Sends a request to an application with a route beside the edge.
async fn ask(edge: &Edge, path: &str, token: Option<&str>) -> (StatusCode, String) {
    let application = App::new()
        .app_data(Data::new(edge.clone()))
        .route("/hello", web::get().to(hello))
        .configure(configure(edge.clone()));
    let service = test::init_service(application).await;
    let mut request = test::TestRequest::with_uri(path).insert_header(("Host", "auth.example"));
    if let Some(token) = token {
        request = request.append_header(("Authorization", format!("Bearer {token}")));
    }
    let response = test::call_service(&service, request.to_request()).await;
    let status = response.status();
    let body = test::read_body(response).await;
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[actix_web::test]
async fn an_application_route_accepts_a_token_until_logout() {
    let app = app();
    let pair = app.user("alice").await;
    let access = Some(pair.access.as_str());
    assert_eq!(
        ask(&app.edge, "/hello", access).await,
        (StatusCode::OK, "hello, alice".to_owned())
    );

    let logged_out = app.post("/logout").bearer(&pair.access).send().await;
    assert_eq!(logged_out.status, 204);
    for (token, code) in [(access, "token_revoked"), (None, "token_missing")] {
        let (status, body) = ask(&app.edge, "/hello", token).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(body.contains(&format!(r#""code":"{code}""#)), "{body}");
    }
}

#[actix_web::test]
async fn the_edge_works_beside_application_routes() {
    let app = app();
    let (status, _) = ask(&app.edge, "/health/live", None).await;
    assert_eq!(status, StatusCode::OK);
    let (status, body) = ask(&app.edge, "/nowhere", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.contains(r#""code":"not_found""#), "{body}");
}

#[actix_web::test]
async fn the_edge_works_under_a_prefix() {
    let app = app();
    let below = web::scope("/auth").configure(configure(app.edge.clone()));
    let application = App::new()
        .service(below)
        .route("/hello", web::get().to(async || "hello"));
    let service = test::init_service(application).await;
    for (path, status) in [
        ("/auth/health/live", StatusCode::OK),
        ("/auth/docs/", StatusCode::OK),
        ("/auth/", StatusCode::TEMPORARY_REDIRECT),
        ("/auth/me", StatusCode::UNAUTHORIZED),
        ("/hello", StatusCode::OK),
        ("/health/live", StatusCode::NOT_FOUND),
    ] {
        let request = test::TestRequest::with_uri(path).insert_header(("Host", "auth.example"));
        let response = test::call_service(&service, request.to_request()).await;
        assert_eq!(response.status(), status, "{path}");
    }
}
