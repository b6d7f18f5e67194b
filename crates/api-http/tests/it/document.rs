//! The OpenAPI document and its page.

use crate::app::{Answer, app};
use actix_web::http::Method;
use api_http::openapi;
use serde_json::{Map, Value, json};
use std::path::Path;

#[test]
fn the_served_document_equals_the_committed_one() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let committed =
        std::fs::read_to_string(committed).expect("docs/openapi.json exists; `make openapi` writes it");
    let served = serde_json::to_string_pretty(&openapi()).expect("the document is JSON");
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
        ("/docs/", "text/html; charset=utf-8"),
        ("/docs/docs.js", "text/javascript"),
        ("/docs/docs.css", "text/css"),
        ("/docs/favicon.svg", "image/svg+xml"),
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
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
    }
    assert_eq!(app.get("/docs/no-such-file.js").send().await.code(), "not_found");
}

#[actix_web::test]
async fn page_and_document_are_compressed_and_revalidated() {
    let app = app();
    for path in [
        "/openapi.json",
        "/docs/",
        "/docs/docs.js",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
    ] {
        let get = || app.get(path).header("Accept-Encoding", "gzip");
        let page = get().send().await;
        assert_eq!(page.header("content-encoding"), "gzip", "{path}");
        assert_eq!(page.header("vary"), "Accept-Encoding", "{path}");
        assert_eq!(page.header("cache-control"), "public, no-cache", "{path}");
        let cached = get().header("If-None-Match", page.header("etag")).send().await;
        assert_eq!(
            (cached.status, cached.header("etag"), cached.header("vary")),
            (304, page.header("etag"), "Accept-Encoding"),
            "{path}"
        );
        let policy = |answer: &Answer| answer.header("content-security-policy").to_owned();
        assert_eq!(policy(&cached), policy(&page), "{path}");
        let plain = app.get(path).send().await;
        assert_eq!(plain.header("content-encoding"), "", "{path}");
        assert_ne!(plain.header("etag"), page.header("etag"), "{path}");
    }
}

#[actix_web::test]
async fn without_documentation_browsers_get_a_page_at_the_root() {
    let mut app = app();
    app.edge.settings.docs = false;
    for method in [Method::GET, Method::HEAD] {
        let browser = app
            .request(method, "/")
            .header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .send()
            .await;
        assert_eq!(browser.status, 200);
        assert_eq!(browser.header("content-type"), "text/html; charset=utf-8");
        let policy = browser.header("content-security-policy");
        assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'");
    }
    for accept in ["*/*", "application/json"] {
        let client = app.get("/").header("Accept", accept).send().await;
        assert_eq!(client.code(), "not_found", "{accept}");
    }
}

/// Calls `check` with each object below `value` and its path.
fn visit(value: &Value, path: &str, check: &mut impl FnMut(&str, &Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            check(path, members);
            for (name, member) in members {
                visit(member, &format!("{path}/{name}"), check);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, path, check)),
        _ => {}
    }
}

#[test]
fn fields_of_responses_are_either_always_sent_or_never_null() {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    let schemas = document["components"]["schemas"].as_object();
    for (name, schema) in schemas.expect("the document has schemas") {
        if name.ends_with("Request") {
            continue;
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (field, described) in schema["properties"].as_object().into_iter().flatten() {
            let is_nullable = described.to_string().contains("\"null\"");
            assert!(
                !is_nullable || required.contains(&json!(field)),
                "{name}.{field} may be null or absent"
            );
        }
    }
}

#[test]
fn parameters_and_request_bodies_are_never_null() {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    visit(&document["paths"], "", &mut |path, members| {
        for (name, member) in members {
            if name == "parameters" || name == "requestBody" {
                assert!(!member.to_string().contains("\"null\""), "{path}/{name}");
            }
        }
    });
    for path in ["/refresh", "/users/{id}/password"] {
        let operations = document["paths"][path].as_object().expect("the path exists");
        for operation in operations.values() {
            assert_eq!(operation["requestBody"]["required"], false, "{path}");
        }
    }
}

#[test]
fn every_operation_states_its_security_and_has_a_default_problem() {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    let mut public = Vec::new();
    let paths = document["paths"]
        .as_object()
        .expect("the document contains paths");
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().expect("the path has operations") {
            let security = operation["security"].as_array().expect("security is stated");
            if security.is_empty() {
                public.push(path.as_str());
            }
            let default = &operation["responses"]["default"]["content"]["application/problem+json"];
            assert_eq!(
                default["schema"]["$ref"], "#/components/schemas/Problem",
                "{method} {path}"
            );
        }
    }
    let expected = [
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/health/live",
        "/health/ready",
        "/login",
        "/register",
    ];
    public.sort_unstable();
    assert_eq!(public, expected);
}

#[test]
fn operations_are_in_the_order_of_their_use() {
    let text = serde_json::to_string(&openapi()).expect("the document is JSON");
    let positions = [
        "/register",
        "/login",
        "/refresh",
        "/me",
        "/logout",
        "/users",
        "/roles",
    ]
    .map(|path| {
        text.find(&format!("\"{path}\":"))
            .expect("the path is documented")
    });
    assert!(positions.is_sorted(), "{positions:?}");
}

#[actix_web::test]
async fn documentation_can_be_disabled() {
    let mut app = app();
    app.edge.settings.docs = false;
    for path in ["/", "/docs", "/docs/", "/docs/swagger-ui.css", "/openapi.json"] {
        assert_eq!(app.get(path).send().await.code(), "not_found", "{path}");
    }
}
