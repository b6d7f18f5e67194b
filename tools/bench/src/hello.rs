//! The limit of `/me`: a server that is the same as the service's and does nothing.

use actix_web::{App, HttpResponse, HttpServer, http::header::ContentType, web};
use anyhow::Result;
use std::thread;

/// Serves on a port that the system chooses, which is printed, until it is killed.
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

/// A JSON text of exactly so many bytes, two at the least.
fn json(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes.saturating_sub(2)))
}
