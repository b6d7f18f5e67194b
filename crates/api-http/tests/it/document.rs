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

/// Returns a response of an operation, which may be a reference to a component.
pub fn response<'a>(document: &'a Value, operation: &'a Value, status: &str) -> &'a Value {
    let response = &operation["responses"][status];
    match response["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference
                .strip_prefix('#')
                .expect("the component is in the document");
            document.pointer(pointer).expect("the component exists")
        }
        None => response,
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
            let default = &response(&document, operation, "default")["content"]["application/problem+json"];
            assert_eq!(
                default["schema"]["$ref"], "#/components/schemas/Problem",
                "{method} {path}"
            );
        }
    }
    let expected = [
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/audit/checkpoint",
        "/audit/public-key",
        "/health/live",
        "/health/ready",
        "/login",
        "/register",
    ];
    public.sort_unstable();
    assert_eq!(public, expected);
}

#[test]
fn a_dry_run_refers_to_the_schema_of_what_it_changes() {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    let schemas = document["components"]["schemas"].as_object();
    let schemas = schemas.expect("the document has schemas");
    for (name, field) in [("User", "user"), ("Account", "user"), ("Role", "role")] {
        let reference = format!("#/components/schemas/{name}");
        let dry_run = format!("{name}DryRun");
        assert_eq!(schemas[&dry_run]["properties"][field]["$ref"], reference);
        let outcome = &schemas[&format!("{name}Outcome")]["oneOf"];
        let expected = json!([{"$ref": reference}, {"$ref": format!("#/components/schemas/{dry_run}")}]);
        assert_eq!(*outcome, expected);
    }
    let names: Vec<_> = schemas.keys().filter(|name| name.contains('_')).collect();
    assert!(names.is_empty(), "{names:?}");
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

/// Collects the paths of texts below `schema` for which tools would invent the example "string".
fn texts_without_example(schema: &Value, path: &str, found: &mut Vec<String>) {
    let is_shown = ["example", "examples", "const", "enum", "format"]
        .iter()
        .any(|keyword| schema.get(keyword).is_some());
    if is_shown || schema.get("$ref").is_some() {
        return;
    }
    let kind = &schema["type"];
    if kind == "string"
        || kind
            .as_array()
            .is_some_and(|kinds| kinds.contains(&json!("string")))
    {
        found.push(path.to_owned());
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        texts_without_example(field, &format!("{path}.{name}"), found);
    }
    for parts in ["items", "additionalProperties"] {
        if let Some(part) = schema.get(parts) {
            texts_without_example(part, path, found);
        }
    }
    for keyword in ["oneOf", "anyOf", "allOf"] {
        for alternative in schema[keyword].as_array().into_iter().flatten() {
            texts_without_example(alternative, path, found);
        }
    }
}

#[test]
fn no_generated_example_contains_the_text_string() {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    let mut found = Vec::new();
    let schemas = document["components"]["schemas"].as_object();
    for (name, schema) in schemas.expect("the document has schemas") {
        texts_without_example(schema, name, &mut found);
    }
    for part in [&document["paths"], &document["components"]["responses"]] {
        visit(part, "", &mut |path, members| {
            if path.contains("/content/")
                && !members.contains_key("example")
                && let Some(schema) = members.get("schema")
            {
                texts_without_example(schema, path, &mut found);
            }
        });
    }
    assert_eq!(found, [""; 0]);
}

#[test]
fn the_examples_of_problems_fit_their_operation() {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    let example = |path: &str, method: &str, status: &str, code: &str| {
        let response = response(&document, &document["paths"][path][method], status);
        let content = &response["content"]["application/problem+json"];
        content["examples"][code]["value"].clone()
    };
    let forbidden = example("/audit", "get", "403", "forbidden");
    let detail = forbidden["detail"].as_str().expect("the problem has a detail");
    assert!(detail.contains("audit:read"), "{detail}");
    for (path, method, field, code) in [
        ("/me", "get", "verbose", "unknown_field"),
        ("/register", "post", "password", "too_short"),
    ] {
        let error = &example(path, method, "422", "validation_failed")["errors"][0];
        assert_eq!((&error["field"], &error["code"]), (&json!(field), &json!(code)));
    }
    for (path, method, is_about_body) in [("/me", "get", false), ("/register", "post", true)] {
        let malformed = example(path, method, "400", "malformed_request").to_string();
        assert_eq!(malformed.contains("The body"), is_about_body, "{malformed}");
    }
}

#[test]
fn a_refresh_or_logout_may_use_the_cookie_that_a_login_sets() {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    let scheme = &document["components"]["securitySchemes"]["refreshCookie"];
    assert_eq!(
        (&scheme["type"], &scheme["in"], &scheme["name"]),
        (
            &json!("apiKey"),
            &json!("cookie"),
            &json!("__Secure-authapi-refresh")
        )
    );
    for path in ["/refresh", "/logout"] {
        let security = document["paths"][path]["post"]["security"].as_array();
        let security = security.expect("security is stated");
        assert!(security.contains(&json!({"refreshCookie": []})), "{path}");
    }
    for (path, method, status, header) in [
        ("/login", "post", "200", "Set-Cookie"),
        ("/me/password", "put", "200", "Set-Cookie"),
        ("/refresh", "post", "200", "Set-Cookie"),
        ("/refresh", "post", "401", "Set-Cookie"),
        ("/logout", "post", "204", "Set-Cookie"),
        ("/logout", "post", "401", "Set-Cookie"),
        ("/me/export", "get", "200", "Content-Disposition"),
    ] {
        let headers = &response(&document, &document["paths"][path][method], status)["headers"];
        assert!(headers[header].is_object(), "{path} {status} {header}");
    }
}

#[test]
fn the_example_of_a_change_of_roles_is_for_the_caller() {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["AssignRolesRequest"]["example"],
        json!({"new_roles": ["user"]})
    );
    assert_eq!(
        schemas["UpdateUserRequest"]["example"],
        json!({"status": "disabled"})
    );
    let keeps = &schemas["AssignUserRolesRequest"]["properties"]["keep_sessions"];
    assert_eq!(keeps["example"], false);
}

#[actix_web::test]
async fn documentation_can_be_disabled() {
    let mut app = app();
    app.edge.settings.docs = false;
    for path in ["/", "/docs", "/docs/", "/docs/swagger-ui.css", "/openapi.json"] {
        assert_eq!(app.get(path).send().await.code(), "not_found", "{path}");
    }
}
