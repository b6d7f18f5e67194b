//! The OpenAPI document and Swagger UI, served from the binary.

mod asset;

use crate::{endpoint::resource, openapi::openapi, problem::Problem};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web::{self, Bytes, Path, ServiceConfig},
};
use asset::Asset;
use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};
use utoipa_swagger_ui::Config;

/// Allows scripts, styles and requests of this origin only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The OpenAPI document. It is generated on first use, because it takes megabytes of memory, and
/// often no client requests it.
static DOCUMENT: LazyLock<Asset> = LazyLock::new(|| {
    let document = serde_json::to_vec(&openapi()).expect("the OpenAPI document is JSON");
    Asset::compress("application/json", &document)
});

/// The files of the page by name. They refer to each other by relative URLs, so that the page works
/// below a prefix.
static FILES: LazyLock<[(&str, Asset); 6]> = LazyLock::new(|| {
    let own = |content_type, text: &str| Asset::compress(content_type, text.as_bytes());
    [
        (
            "",
            own("text/html; charset=utf-8", include_str!("docs/index.html")),
        ),
        ("docs.css", own("text/css", include_str!("docs/docs.css"))),
        ("docs.js", own("text/javascript", include_str!("docs/docs.js"))),
        (
            "favicon.svg",
            own("image/svg+xml", include_str!("docs/favicon.svg")),
        ),
        ("swagger-ui.css", swagger_ui("swagger-ui.css", "text/css")),
        (
            "swagger-ui-bundle.js",
            swagger_ui("swagger-ui-bundle.js", "text/javascript"),
        ),
    ]
});

/// Returns a file of Swagger UI, which is in the binary in compressed form.
fn swagger_ui(name: &str, content_type: &'static str) -> Asset {
    let file = utoipa_swagger_ui::serve(name, Arc::new(Config::default()))
        .expect("only the initializer is generated, which can fail")
        .expect("Swagger UI contains the file");
    match file.bytes {
        Cow::Borrowed(bytes) if file.gzpipped => Asset::compressed(content_type, Bytes::from_static(bytes)),
        bytes => Asset::compress(content_type, &bytes),
    }
}

/// Mounts the document and the page.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(resource(
            "/openapi.json",
            [(Method::GET, web::route().to(document_file))],
        ))
        .service(resource("/docs", [(Method::GET, web::route().to(to_page))]))
        .service(resource(
            "/docs/{file:.*}",
            [(Method::GET, web::route().to(page_file))],
        ));
}

async fn document_file(request: HttpRequest) -> HttpResponse {
    DOCUMENT.respond(&request)
}

/// Redirects from `/docs` to `/docs/`, because the page names its files relative to it.
async fn to_page() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, "docs/"))
        // The web server flushes responses without a body at once, even if many wait to be read.
        .body("The documentation is at docs/.\n")
}

async fn page_file(request: HttpRequest, file: Path<String>) -> Result<HttpResponse, Problem> {
    let found = FILES.iter().find(|(name, _)| *name == file.as_str());
    let (_, asset) = found.ok_or_else(Problem::not_found)?;
    let mut response = asset.respond(&request);
    let policy = header::HeaderValue::from_static(POLICY);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}
