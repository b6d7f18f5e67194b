use async_trait::async_trait;
use metrics::{counter, describe_counter};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, hyper::HyperClient};
use std::{
    error::Error,
    io,
    iter::successors,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

const EXPORTS: &str = "authapi_trace_exports_total";

/// The way to the collector, for the one thread that sends spans: it has no runtime, so this brings one.
#[derive(Debug)]
pub struct Collector {
    runtime: Runtime,
    http: HyperClient,
    is_away: AtomicBool,
}

impl Collector {
    /// # Errors
    /// When the system has no more file descriptors.
    pub fn new(timeout: Duration) -> io::Result<Self> {
        Ok(Self {
            runtime: Builder::new_current_thread().enable_all().build()?,
            http: HyperClient::with_default_connector(timeout, None),
            is_away: AtomicBool::new(false),
        })
    }

    /// Logs that the collector went away, and that it came back, and not each of the failures between.
    fn note(&self, answer: &Result<Response<Bytes>, HttpError>) {
        // Here, since the recorder comes after the collector.
        describe_counter!(EXPORTS, "Messages with spans for the collector, by outcome.");
        let failure = match answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(chain(&**error)),
        };
        let outcome = if failure.is_none() { "success" } else { "failed" };
        counter!(EXPORTS, "outcome" => outcome).increment(1);
        match (failure, self.is_away.load(Ordering::Relaxed)) {
            (Some(error), false) => tracing::warn!(error, "traces cannot be sent, and are dropped"),
            (None, true) => tracing::info!("traces are sent again"),
            (Some(_), true) | (None, false) => return,
        }
        self.is_away.fetch_not(Ordering::Relaxed);
    }
}

/// An error and its sources on one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let errors = successors(Some(error), |&error| error.source());
    errors.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // Between two messages nobody would notice that the collector has hung up.
        let close = "close".parse().expect("a header's value");
        request.headers_mut().insert("connection", close);
        let answer = self.runtime.block_on(self.http.send_bytes(request));
        self.note(&answer);
        answer
    }
}
