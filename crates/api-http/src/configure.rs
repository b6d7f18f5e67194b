//! The HTTP edge as one actix-web configuration.

use crate::{
    cors, docs,
    endpoint::{endpoint, resource_at, resources},
    home,
    host::require_host,
    metrics,
    problem::Problem,
    request,
    request_ids::RequestIds,
    routes::{api_endpoints, metadata, public_endpoints},
    state::Edge,
};
use actix_web::{
    HttpResponse,
    middleware::from_fn,
    web::{self, Data, PathConfig, ServiceConfig},
};
use std::sync::Arc;

/// Mounts all routes. The middleware applies to these routes only, so an application can mount them
/// next to its own routes or under a prefix.
pub fn configure(edge: Edge) -> impl FnOnce(&mut ServiceConfig) {
    metrics::describe();
    move |config| {
        let docs = edge.settings.docs;
        let api = web::scope("")
            .configure(|config| mount_api(docs, config))
            .default_service(web::to(async || Err::<HttpResponse, _>(Problem::not_found())))
            .wrap(from_fn(require_host))
            .wrap(cors::listed(&edge.settings.cors_origins));
        let scope = web::scope("")
            .app_data(RequestIds::new(Arc::clone(&edge.randomness)))
            .app_data(Data::new(edge))
            .app_data(PathConfig::default().error_handler(|_, _| Problem::not_found().into()))
            .configure(mount_public)
            // Last, because it answers every path.
            .service(api);
        // The outermost layer, because an early response leaves part of the body unread.
        config.service(scope.wrap(from_fn(request::handle)));
    }
}

fn mount_api(docs: bool, config: &mut ServiceConfig) {
    for resource in resources(&api_endpoints()) {
        config.service(resource);
    }
    home::configure(docs, config);
    if docs {
        docs::configure(config);
    }
}

/// Mounts the documents that all pages may read.
fn mount_public(config: &mut ServiceConfig) {
    let below_issuer = resource_at(metadata::BEFORE_ISSUER_PATH, &endpoint!(metadata::metadata));
    for resource in resources(&public_endpoints()).into_iter().chain([below_issuer]) {
        let resource = resource.wrap(from_fn(require_host)).wrap(cors::public());
        config.service(resource.wrap(cors::always_public()));
    }
}
