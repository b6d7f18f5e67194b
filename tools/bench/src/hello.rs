//! The limit of `/me`: the service's web server with a handler that does nothing.

use actix_web::{App, HttpResponse, HttpServer, http::header::ContentType, web};
use anyhow::Result;
use std::thread;

/// Serves on a free port, prints the address, and runs until it is killed.
pub fn serve(bytes: usize) -> Result<()> {
    let body = web::Bytes::from(json(bytes));
    let server = HttpServer::new(move || {
        let body = body.clone();
        App::new().default_service(web::to(move || {
            let answer = HttpResponse::Ok()
                .content_type(ContentType::json())
                .body(body.clone());
            async { answer }
        }))
    })
    .workers(thread::available_parallelism()?.get())
    .bind("127.0.0.1:0")?;
    for address in server.addrs() {
        println!("{address}");
    }
    Ok(actix_web::rt::System::new().block_on(server.run())?)
}

/// Returns a JSON string of exactly this many bytes, at least two.
fn json(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes.saturating_sub(2)))
}
