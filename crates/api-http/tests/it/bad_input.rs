//! Input that every endpoint rejects.

use crate::app::{PASSWORD, app};
use serde_json::json;

#[actix_web::test]
async fn unknown_paths_are_problems() {
    for path in [
        "//",
        "/nothing",
        "/me/",
        "/ME",
        "/docs2",
        "/%00",
        "/..%2f..%2fetc",
        "/me/sessions/x/y",
    ] {
        let answer = app().get(path).send().await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, "not_found"),
            "{path}"
        );
    }
}

#[actix_web::test]
async fn bodies_must_be_json_with_a_content_type() {
    let body = json!({"login": "alice", "password": PASSWORD}).to_string();
    for (content_type, accepted) in [
        ("application/json", true),
        ("application/json; charset=utf-8", true),
        ("Application/JSON", true),
        ("application/json; charset=iso-8859-1", false),
        ("text/plain", false),
        ("application/x-www-form-urlencoded", false),
        ("application/jsonp", false),
        ("", false),
    ] {
        let answer = app()
            .post("/register")
            .header("Content-Type", content_type)
            .bytes(body.clone())
            .send()
            .await;
        assert_eq!(answer.status == 201, accepted, "{content_type}: {}", answer.body);
        assert_eq!(answer.status == 415, !accepted, "{content_type}: {}", answer.body);
    }
    let untyped = app().post("/register").bytes(body.clone()).send().await;
    assert_eq!(untyped.code(), "unsupported_media_type");
    for (encoding, status) in [("identity", 201), ("gzip", 415)] {
        let encoded = app()
            .post("/register")
            .header("Content-Type", "application/json")
            .header("Content-Encoding", encoding)
            .bytes(body.clone())
            .send()
            .await;
        assert_eq!(encoded.status, status, "{encoding}: {}", encoded.body);
    }
}

#[actix_web::test]
async fn a_byte_order_mark_is_accepted_and_a_syntax_error_outranks_an_unknown_field() {
    let mut body = b"\xef\xbb\xbf".to_vec();
    body.extend(
        json!({"login": "alice", "password": PASSWORD})
            .to_string()
            .bytes(),
    );
    for (body, status) in [(body, 201), (br#"{"x", null}"#.to_vec(), 400)] {
        let request = app();
        let request = request
            .post("/register")
            .header("Content-Type", "application/json");
        let answer = request.bytes(body).send().await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}

#[actix_web::test]
async fn an_invalid_host_is_rejected_on_every_path() {
    for path in ["/health/live", "/me", "/nothing", "/docs/"] {
        // The client sends a valid one, too.
        let answer = app().get(path).header("Host", "other.example").send().await;
        let answered = (answer.status, answer.code());
        assert_eq!(answered, (400, "malformed_request".to_owned()), "{path}");
    }
}

#[actix_web::test]
async fn bodies_are_limited_to_16_kib() {
    let padded = |length: usize| {
        let body = json!({"login": "alice", "password": PASSWORD}).to_string();
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    for (length, status) in [(16 * 1024, 201), (16 * 1024 + 1, 413), (1_000_000, 413)] {
        let request = app();
        let answer = request
            .post("/register")
            .header("Content-Type", "application/json")
            .bytes(padded(length))
            .send()
            .await;
        assert_eq!(answer.status, status, "{length} bytes");
    }
}

#[actix_web::test]
async fn unknown_fields_are_rejected() {
    for body in [
        json!({"login": "alice", "password": PASSWORD, "roles": ["admin"]}),
        json!({"login": "alice"}),
        json!({"login": 7, "password": PASSWORD}),
        json!({"login": "alice", "password": ["a"]}),
        json!(null),
        json!([]),
    ] {
        let answer = app().post("/register").json(&body).send().await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (422, "validation_failed"),
            "{body}"
        );
        assert!(
            !answer.body["errors"]
                .as_array()
                .expect("the response contains errors")
                .is_empty()
        );
    }
}

#[actix_web::test]
async fn any_unicode_gets_a_regular_response() {
    for password in [
        "nul\u{0}nul nul",
        "bell\u{7} is a bell",
        "\u{202e}backwards is fine",
        "🦀 four odd friends 🪼",
    ] {
        let answer = app()
            .post("/register")
            .json(&json!({"login": "alice", "password": password}))
            .send()
            .await;
        assert!(
            matches!(answer.status, 201 | 422),
            "{password:?}: {}",
            answer.status
        );
    }
    let long = "é".repeat(3_000);
    let answer = app()
        .post("/register")
        .json(&json!({"login": long, "password": long}))
        .send()
        .await;
    assert_eq!(answer.status, 422);
    let errors = answer.body["errors"]
        .as_array()
        .expect("the response contains errors");
    assert!(
        errors.iter().all(|error| error["code"] == "too_long"),
        "{errors:?}"
    );
}

#[actix_web::test]
async fn responses_never_echo_a_secret() {
    let app = app();
    let secret = "hunter2-hunter2-\u{7}";
    for body in [
        json!({"login": "alice", "password": secret}),
        json!({"login": "alice", "password": [secret]}),
        json!({"login": "alice", "password": {"x": secret}}),
    ] {
        let answer = app.post("/register").json(&body).send().await;
        let text = String::from_utf8_lossy(&answer.raw).into_owned();
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[actix_web::test]
async fn a_safe_request_id_is_kept_and_others_are_replaced() {
    let app = app();
    let answer = app.get("/me").header("X-Request-Id", "trace-42").send().await;
    assert_eq!(answer.header("x-request-id"), "trace-42");
    for hostile in ["a b", "<script>", "a;b", &"x".repeat(65)] {
        let answer = app.get("/me").header("X-Request-Id", hostile).send().await;
        assert_ne!(answer.header("x-request-id"), hostile);
    }
}
