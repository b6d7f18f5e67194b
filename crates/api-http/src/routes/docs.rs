//! The API explained: the OpenAPI document, and Swagger UI over it from inside the binary.

use super::{endpoint, get};
use crate::{openapi::openapi, problem::Problem};
use actix_web::{
    HttpResponse, Responder,
    http::header,
    web::{Data, Path, ServiceConfig},
};
use std::sync::Arc;
use utoipa_swagger_ui::Config;

/// Scripts and requests of this origin alone. Swagger UI writes its styles inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Document(String);

pub fn configure(config: &mut ServiceConfig) {
    let document = openapi().to_json().expect("the OpenAPI document is JSON");
    let page = Config::new(["../openapi.json"])
        .validator_url("none")
        .try_it_out_enabled(true)
        .display_request_duration(true);
    config
        .app_data(Data::new(Document(document)))
        .app_data(Data::new(page))
        .service(endpoint("/openapi.json", "GET, HEAD", [get().to(document_file)]))
        .service(endpoint("/docs", "GET, HEAD", [get().to(to_the_page)]))
        .service(endpoint("/docs/{file:.*}", "GET, HEAD", [get().to(page_file)]));
}

async fn document_file(document: Data<Document>) -> impl Responder {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(document.0.clone())
}

/// The page's files are named relative to `/docs/`.
async fn to_the_page() -> impl Responder {
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, "docs/"))
        .finish()
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
                .body(file.bytes.into_owned()))
        }
        Ok(None) => Err(Problem::not_found()),
        Err(error) => {
            tracing::error!(%error, "a file of the documentation could not be made");
            Err(Problem::not_found())
        }
    }
}
