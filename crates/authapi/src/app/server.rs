//! The web server.

use super::{FIRST_HEAD_TIMEOUT, KEEP_ALIVE};
use crate::{
    open_files,
    settings::{ServerSettings, cores},
    traces,
};
use actix_http::HttpService;
use actix_server::Server;
use actix_service::{ServiceFactoryExt, fn_service, map_config};
use actix_web::{App, dev::AppConfig, middleware::from_fn, rt::net::TcpStream};
use api_http::{Connections, Edge, GuardedStream};
use std::{
    future::{Future, ready},
    io,
    net::TcpListener,
    sync::Arc,
};

/// Starts the web server, which runs until `stop`. Its workers have their own runtimes.
///
/// It is assembled like actix-web's `HttpServer`, whose connections are always TCP streams: here
/// they are [`GuardedStream`]s, which limit what actix does not.
pub fn start(
    listener: TcpListener,
    edge: Edge,
    settings: &ServerSettings,
    connections: Arc<Connections>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Server> {
    open_files::raise_limit();
    let workers = cores().get();
    let address = listener.local_addr()?;
    let builder = Server::build();
    let shutdown = builder.graceful_shutdown_signal();
    let server = builder
        .workers(workers)
        .max_concurrent_connections(settings.max_connections.div_ceil(workers))
        .shutdown_timeout(settings.shutdown_timeout.as_secs())
        .shutdown_signal(stop)
        .listen("authapi", listener, move || {
            let connections = Arc::clone(&connections);
            let accept = fn_service(move |socket: TcpStream| {
                let peer = socket.peer_addr().ok();
                let accepted = connections.accept(socket).map(|stream| (stream, peer));
                ready(accepted.ok_or(Refused))
            });
            let (edge, shutdown) = (edge.clone(), shutdown.clone());
            let app = App::new()
                .wrap(from_fn(traces::trace))
                .configure(api_http::configure(edge));
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let shutdown = shutdown.clone();
                    async move { shutdown.notified().await }
                })
                .client_request_timeout(FIRST_HEAD_TIMEOUT)
                .keep_alive(KEEP_ALIVE)
                .local_addr(address)
                .on_connect_ext(|stream: &GuardedStream, data| stream.attach(data))
                .h1(map_config(app, |()| AppConfig::default()))
                .map_err(|_| Refused);
            accept.and_then(http)
        })?
        .run();
    Ok(server)
}

/// A connection that ended early. What happened is recorded where it happens.
#[derive(Debug)]
struct Refused;
