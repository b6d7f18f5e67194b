use crate::error_chain::ErrorChain;
use async_trait::async_trait;
use metrics::{counter, describe_counter};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, hyper::HyperClient};
use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

const EXPORTS: &str = "authapi_trace_exports_total";

/// An HTTP client for the exporting thread, which runs outside a runtime; the client brings its
/// own.
#[derive(Debug)]
pub struct Collector {
    runtime: Runtime,
    http: HyperClient,
    is_unavailable: AtomicBool,
}

impl Collector {
    /// Creates a client.
    ///
    /// # Errors
    /// If the system has no free file descriptors.
    pub fn new(timeout: Duration) -> io::Result<Self> {
        Ok(Self {
            runtime: Builder::new_current_thread().enable_all().build()?,
            http: HyperClient::with_default_connector(timeout, None),
            is_unavailable: AtomicBool::new(false),
        })
    }

    /// Counts the outcome, and logs when the collector becomes unavailable or available again.
    fn record(&self, answer: &Result<Response<Bytes>, HttpError>) {
        // Describe the counter here, because the metrics recorder is installed after `new`.
        describe_counter!(EXPORTS, "Exports of spans to the collector, by outcome.");
        let failure = match answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(ErrorChain(&**error).to_string()),
        };
        let outcome = if failure.is_none() { "success" } else { "failed" };
        counter!(EXPORTS, "outcome" => outcome).increment(1);
        match (failure, self.is_unavailable.load(Ordering::Relaxed)) {
            (Some(error), false) => tracing::warn!(error, "traces cannot be exported and are dropped"),
            (None, true) => tracing::info!("traces are exported again"),
            (Some(_), true) | (None, false) => return,
        }
        self.is_unavailable.fetch_not(Ordering::Relaxed);
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // Without this, a connection that the collector closed between two exports would fail the
        // next one.
        let close = "close".parse().expect("\"close\" is a valid header value");
        request.headers_mut().insert("connection", close);
        let answer = self.runtime.block_on(self.http.send_bytes(request));
        self.record(&answer);
        answer
    }
}
