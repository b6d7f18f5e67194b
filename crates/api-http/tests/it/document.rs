//! The OpenAPI document and its page.

use crate::app::app;
use actix_web::http::Method;
use api_http::openapi;
use std::path::Path;

#[test]
fn the_served_document_equals_the_committed_one() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let committed =
        std::fs::read_to_string(committed).expect("docs/openapi.json exists; `make openapi` writes it");
    let served = openapi().to_pretty_json().expect("the document is JSON");
    assert!(
        committed.trim_end() == served.trim_end(),
        "docs/openapi.json is behind the code: make openapi"
    );
}

#[actix_web::test]
async fn every_documented_route_is_mounted_and_rejects_other_methods() {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    for (path, operations) in document["paths"]
        .as_object()
        .expect("the document contains paths")
    {
        let documented: Vec<String> = operations
            .as_object()
            .expect("the path has operations")
            .keys()
            .map(|method| method.to_uppercase())
            .collect();
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE",
        ] {
            let answer = app()
                .request(Method::try_from(method).expect("the method is valid"), path)
                .send()
                .await;
            let twin = if method == "HEAD" { "GET" } else { method };
            let is_documented = documented.iter().any(|documented| documented == twin);
            assert_eq!(
                answer.status != 405,
                is_documented,
                "{method} {path}: {}",
                answer.status
            );
            if !is_documented {
                let allowed = answer.header("allow");
                assert!(
                    documented.iter().all(|method| allowed.contains(method)),
                    "{path}: {allowed}"
                );
            }
        }
    }
}

#[actix_web::test]
async fn page_and_document_have_a_strict_content_security_policy() {
    let app = app();
    let document = app.get("/openapi.json").send().await;
    assert_eq!(document.status, 200);
    assert_eq!(document.body["info"]["title"], "authapi");

    for (path, status) in [("/docs", 308), ("/", 307)] {
        let bare = app.get(path).send().await;
        assert_eq!(
            (bare.status, bare.header("location")),
            (status, "docs/"),
            "{path}"
        );
    }

    for (path, content_type) in [
        ("/docs/", "text/html"),
        ("/docs/swagger-initializer.js", "text/javascript"),
        ("/docs/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/swagger-ui.css", "text/css"),
    ] {
        let page = app.get(path).send().await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, content_type),
            "{path}"
        );
        let policy = page.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("script-src 'self';"),
            "{policy}"
        );
    }
    assert_eq!(app.get("/docs/no-such-file.js").send().await.code(), "not_found");
}

#[actix_web::test]
async fn documentation_can_be_disabled() {
    let mut app = app();
    app.edge.settings.docs = false;
    for path in ["/", "/docs", "/docs/", "/docs/swagger-ui.css", "/openapi.json"] {
        assert_eq!(app.get(path).send().await.code(), "not_found", "{path}");
    }
}
