//! The HTTP edge as one actix-web configuration.

use crate::{
    docs,
    endpoint::{endpoint, mount, mount_at},
    home, metrics,
    problem::Problem,
    request,
    request_ids::RequestIds,
    routes::{endpoints, metadata},
    state::Edge,
};
use actix_web::{
    HttpResponse, middleware,
    web::{self, Data, PathConfig, ServiceConfig},
};
use std::sync::Arc;

/// Mounts all routes. The middleware applies to these routes only, so an application can mount them
/// next to its own routes or under a prefix.
pub fn configure(edge: Edge) -> impl FnOnce(&mut ServiceConfig) {
    metrics::describe();
    move |config| {
        let docs = edge.settings.docs;
        let scope = web::scope("")
            .app_data(RequestIds::new(Arc::clone(&edge.randomness)))
            .app_data(Data::new(edge))
            .app_data(PathConfig::default().error_handler(|_, _| Problem::not_found().into()))
            .configure(|config| mount(&endpoints(), config))
            .configure(|config| {
                let metadata = endpoint!(metadata::metadata);
                mount_at(metadata::BEFORE_ISSUER_PATH, &metadata, config);
            })
            .configure(|config| home::configure(docs, config))
            .configure(|config| {
                if docs {
                    docs::configure(config);
                }
            })
            .default_service(web::to(async || Err::<HttpResponse, _>(Problem::not_found())));
        // The outermost layer, because an early response leaves part of the body unread.
        config.service(scope.wrap(middleware::from_fn(request::handle)));
    }
}
