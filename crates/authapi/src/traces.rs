//! Traces: spans of requests and their waits, exported to an OpenTelemetry collector (OTLP over
//! HTTP, protobuf).
//!
//! A dedicated thread exports them in batches. While the collector is unavailable or slow, spans
//! are dropped; requests never wait.

mod collector;

use crate::{Failure, settings::TracesSettings};
use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header::HeaderMap},
    middleware::Next,
};
use collector::Collector;
use domain::audit::Origin;
use opentelemetry::{
    Context, KeyValue,
    context::FutureExt,
    propagation::{Extractor, TextMapPropagator},
    trace::{SpanKind, SpanRef, Status, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider},
};
use std::{sync::OnceLock, time::Duration};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// Maximum number of ended spans that wait to be exported; further spans are dropped.
const QUEUE: usize = 2048;
/// Maximum number of spans per export.
const BATCH: usize = 512;
/// The interval between exports.
const PERIOD: Duration = Duration::from_secs(2);
/// The timeout of an export.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
/// The timeout of the last export at shutdown: what requests and changes leave of ten seconds.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
/// Prefixes of the crates whose spans are exported. Exporting the exporter's own spans would never
/// end.
const EXPORTED_CRATES: [&str; 4] = ["adapters_", "api_http", "authapi", "domain"];

const TRACEPARENT: &str = "traceparent";

/// The tracer of requests, one per process.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// The export of traces. Dropping it exports the remaining spans.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Starts the export of traces if the settings enable it. MUST NOT be called inside an
    /// asynchronous runtime, nor the returned value be dropped there.
    ///
    /// # Errors
    /// If the exporting thread cannot be started.
    pub fn start(settings: &TracesSettings) -> Result<Option<Self>, Failure> {
        let Some(url) = &settings.otlp_endpoint else {
            return Ok(None);
        };
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Failure::because("traces cannot be exported", error)
        };
        let collector = Collector::new(EXPORT_TIMEOUT).map_err(|error| failed(error.into()))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_endpoint(url.traces())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(|error| failed(error.into()))?;
        let provider = provider(exporter, settings.sample_ratio.get());
        let tracer = provider.tracer("authapi");
        // A later call in the same process keeps the first tracer, as with the log.
        let _ = TRACER.set(tracer.clone());
        Ok(Some(Self { provider, tracer }))
    }

    /// Returns the layer that converts the program's spans to OpenTelemetry spans.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.tracer.clone())
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_targets(EXPORTED_CRATES.map(|name| (name, LevelFilter::INFO))))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if self.provider.shutdown_with_timeout(FLUSH_TIMEOUT).is_err() {
            tracing::warn!("stopped before all traces were exported");
        }
    }
}

fn provider(exporter: SpanExporter, ratio: f64) -> SdkTracerProvider {
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(PERIOD)
        .build();
    let resource = Resource::builder()
        .with_service_name("authapi")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    SdkTracerProvider::builder()
        .with_span_processor(
            BatchSpanProcessor::builder(exporter)
                .with_batch_config(config)
                .build(),
        )
        // The client that started a trace decides whether it is kept.
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
        .with_resource(resource)
        .build()
}

/// Middleware that creates a span for each request, in the client's trace if there is one.
pub async fn trace(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(tracer) = TRACER.get() else {
        return next.call(request).await;
    };
    let parent = parent(request.headers());
    let method = method_name(request.method());
    let span = tracer
        .span_builder(method)
        .with_kind(SpanKind::Server)
        .with_attributes([KeyValue::new("http.request.method", method)])
        .start_with_context(tracer, &parent);
    let context = parent.with_span(span);
    let response = next.call(request).with_context(context.clone()).await?;
    record_response(&context.span(), method, &response);
    Ok(response)
}

/// Returns the client's trace (W3C Trace Context), if it sent one. Ignores `tracestate`, which only
/// the system that started the trace can interpret.
fn parent(headers: &HeaderMap) -> Context {
    let traceparent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let extractor = Traceparent(traceparent);
    TraceContextPropagator::new().extract_with_context(&Context::new(), &extractor)
}

struct Traceparent<'a>(Option<&'a str>);

impl Extractor for Traceparent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.filter(|_| key == TRACEPARENT)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.map(|_| TRACEPARENT).into_iter().collect()
    }
}

/// Names the span and records the response, following OpenTelemetry's semantic conventions for
/// HTTP.
fn record_response<B>(span: &SpanRef<'_>, method: &'static str, response: &ServiceResponse<B>) {
    if let Some(route) = response.request().match_pattern() {
        span.update_name(format!("{method} {route}"));
        span.set_attribute(KeyValue::new("http.route", route));
    }
    let status = response.status();
    span.set_attribute(KeyValue::new(
        "http.response.status_code",
        i64::from(status.as_u16()),
    ));
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
    let extensions = response.request().extensions();
    if let Some(id) = extensions
        .get()
        .and_then(|origin: &Origin| origin.request_id.clone())
    {
        span.set_attribute(KeyValue::new("request_id", id));
    }
}

/// Returns the method as a label; clients may send arbitrary methods.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
