//! The OpenAPI document and Swagger UI, served from the binary.

use crate::{chunked_body::chunked, endpoint::resource, openapi::openapi, problem::Problem};
use actix_web::{
    HttpResponse, Responder,
    http::{Method, StatusCode, header},
    web::{self, Bytes, Data, Path, ServiceConfig},
};
use std::{
    borrow::Cow,
    error::Error,
    sync::{Arc, LazyLock},
};
use utoipa_swagger_ui::Config;

/// Allows scripts and requests of this origin only. Swagger UI needs inline styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The OpenAPI document. It is generated on first use, because it takes megabytes of memory, and
/// often no client requests it.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let document = openapi().to_json().expect("the OpenAPI document is JSON");
    Bytes::from(document)
});

/// Mounts the document and the page.
pub fn configure(config: &mut ServiceConfig) {
    let page = Config::new(["../openapi.json"])
        .validator_url("none")
        .try_it_out_enabled(true)
        .display_request_duration(true);
    let redirect = |status| web::route().to(move || async move { redirect_to_page(status) });
    config
        .app_data(Data::new(page))
        // Not permanent: what is at `/` may change with the setting.
        .service(resource(
            "/",
            [(Method::GET, redirect(StatusCode::TEMPORARY_REDIRECT))],
        ))
        .service(resource(
            "/openapi.json",
            [(Method::GET, web::route().to(document_file))],
        ))
        .service(resource(
            "/docs",
            [(Method::GET, redirect(StatusCode::PERMANENT_REDIRECT))],
        ))
        .service(resource(
            "/docs/{file:.*}",
            [(Method::GET, web::route().to(page_file))],
        ));
}

async fn document_file() -> impl Responder {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(chunked(DOCUMENT.clone()))
}

/// Redirects to `/docs/`: from `/docs`, because the page names its files relative to it, and from
/// `/`, because a reader may know only the service's address.
fn redirect_to_page(status: StatusCode) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::LOCATION, "docs/"))
        // The web server flushes responses without a body at once, even if many wait to be read.
        .body("The documentation is at docs/.\n")
}

async fn page_file(file: Path<String>, config: Data<Config<'static>>) -> Result<HttpResponse, Problem> {
    match utoipa_swagger_ui::serve(&file, Arc::clone(&config)) {
        Ok(Some(file)) => {
            let mut response = HttpResponse::Ok();
            if file.gzpipped {
                response.insert_header((header::CONTENT_ENCODING, "gzip"));
            }
            Ok(response
                .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
                .content_type(file.content_type)
                .body(chunked(shared(file.bytes))))
        }
        Ok(None) => Err(Problem::not_found()),
        Err(error) => {
            tracing::error!(
                error = &*error as &(dyn Error + 'static),
                "cannot generate a documentation file"
            );
            Err(Problem::not_found())
        }
    }
}

/// Borrows files that are part of the binary instead of copying them.
fn shared(bytes: Cow<'static, [u8]>) -> Bytes {
    match bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_are_not_copied() {
        let config = Arc::new(Config::new(["../openapi.json"]));
        for name in ["swagger-ui-bundle.js", "swagger-ui.css"] {
            let file = utoipa_swagger_ui::serve(name, Arc::clone(&config))
                .expect("the file can be served")
                .expect("Swagger UI contains the file");
            let original = file.bytes.as_ptr();
            assert_eq!(shared(file.bytes).as_ptr(), original, "{name}");
        }
    }
}
