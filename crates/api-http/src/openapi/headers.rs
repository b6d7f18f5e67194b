//! The headers of responses.

use super::problems::MEDIA_TYPE;
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::openapi::{
    Object, ObjectBuilder, Ref, RefOr, Response,
    header::{Header, HeaderBuilder},
    path::Operation,
    schema::Type,
};

/// A response header, as components of the document describe it.
struct Described {
    /// The name in responses.
    name: &'static str,
    component: &'static str,
    description: &'static str,
    example: &'static str,
}

const REQUEST_ID: Described = Described {
    name: "X-Request-Id",
    component: "RequestId",
    description: "The id of the request: the client's `X-Request-Id` if it sent a valid one.",
    example: "0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d",
};
const CACHE_CONTROL: Described = Described {
    name: "Cache-Control",
    component: "CacheControl",
    description: "How long the response may be cached (RFC 9111, section 5.2).",
    example: "no-store",
};
const CHALLENGE: Described = Described {
    name: "WWW-Authenticate",
    component: "Challenge",
    description: "What the request lacks (RFC 6750, section 3; RFC 9470, section 3).",
    example: "Bearer error=\"invalid_token\"",
};
const RATE_LIMIT: Described = Described {
    name: "RateLimit",
    component: "RateLimit",
    description: "The budget that is used up, the attempts that remain (`r`), and the seconds until \
                  there are more (`t`).",
    example: "\"network\";r=0;t=30",
};
const RETRY_AFTER: Described = Described {
    name: "Retry-After",
    component: "RetryAfter",
    description: "Seconds to wait before the next attempt (RFC 9110, section 10.2.3).",
    example: "1",
};
const ENTITY_TAG: Described = Described {
    name: "ETag",
    component: "EntityTag",
    description: "The state of what is returned, for `If-Match` and `If-None-Match` (RFC 9110, section 8.8.3).",
    example: "\"7\"",
};
const LOCATION: Described = Described {
    name: "Location",
    component: "Location",
    description: "The path of what was created (RFC 9110, section 10.2.2).",
    example: "/roles/editor",
};
const SET_COOKIE: Described = Described {
    name: "Set-Cookie",
    component: "SetCookie",
    description: "If the request asked for cookies or sent one: the refresh token, once for each path that \
                  accepts it, or the device token; empty to remove it (RFC 6265).",
    example: "__Secure-authapi-refresh=q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA; HttpOnly; SameSite=Strict; Secure; Path=/refresh; Max-Age=2592000",
};
const CONTENT_DISPOSITION: Described = Described {
    name: "Content-Disposition",
    component: "ContentDisposition",
    description: "The name under which browsers save the response (RFC 6266).",
    example: "attachment; filename=\"authapi-export.json\"",
};
const ALL: [Described; 9] = [
    REQUEST_ID,
    CACHE_CONTROL,
    CHALLENGE,
    RATE_LIMIT,
    RETRY_AFTER,
    ENTITY_TAG,
    LOCATION,
    SET_COOKIE,
    CONTENT_DISPOSITION,
];

/// Returns the descriptions of all headers, by component.
pub fn components() -> BTreeMap<String, RefOr<Header>> {
    let described = ALL.into_iter();
    described
        .map(|header| (header.component.to_owned(), header.into()))
        .collect()
}

/// Completes the headers of all responses.
pub fn complete(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            complete_response(status, response);
        }
    }
}

/// Adds the headers that a response has because of its status, and describes those that routes
/// declare by name.
pub fn complete_response(status: &str, response: &mut Response) {
    let is_problem = response.content.contains_key(MEDIA_TYPE);
    let mut add = |header: &Described| {
        response
            .headers
            .insert(header.name.to_owned(), header.reference());
    };
    add(&REQUEST_ID);
    if !is_problem {
        add(&CACHE_CONTROL);
    }
    match status {
        "401" | "403" => add(&CHALLENGE),
        "429" => {
            add(&RETRY_AFTER);
            add(&RATE_LIMIT);
        }
        "503" => add(&RETRY_AFTER),
        _ => {}
    }
    for header in &ALL {
        if let Some(declared) = response.headers.get_mut(header.name) {
            *declared = header.reference();
        }
    }
}

impl Described {
    fn reference(&self) -> RefOr<Header> {
        RefOr::Ref(Ref::new(format!("#/components/headers/{}", self.component)))
    }
}

impl From<Described> for RefOr<Header> {
    fn from(header: Described) -> Self {
        let schema: Object = if header.component == RETRY_AFTER.component {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer);
            seconds.minimum(Some(1)).examples([json!(1)]).build()
        } else {
            let text = ObjectBuilder::new().schema_type(Type::String);
            text.examples([json!(header.example)]).build()
        };
        HeaderBuilder::new()
            .description(Some(header.description))
            .schema(Some(schema))
            .build()
            .into()
    }
}
