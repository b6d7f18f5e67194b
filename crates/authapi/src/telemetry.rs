//! The log: one line an event, on standard error; and the spans that become traces.

use crate::{
    settings::{LogFormat, LogSettings},
    traces::Traces,
};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::ParseError,
    fmt,
    layer::SubscriberExt,
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

/// The web server's remarks on its threads, and its errors about garbage that strangers send, which tell an operator
/// nothing; a directive of `log.level` wins over it.
const QUIET: &str = "actix_server=warn,actix_http=off";

/// Sends events to standard error from now on, the `log` crate's included, and spans to `traces`. `RUST_LOG` plays no part: the level is a
/// setting like the others. Only the first call of a process counts.
///
/// # Errors
/// When `log.level` cannot be parsed, which checked settings rule out.
pub fn start(log: &LogSettings, traces: Option<&Traces>) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", log.level))?;
    let subscriber = Registry::default()
        .with(lines(log.format).with_filter(filter))
        .with(traces.map(Traces::layer));
    // Tests start several services in one process; the first one's log serves them all.
    let _: Result<(), TryInitError> = subscriber.try_init();
    Ok(())
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let is_for_people = match format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    if is_for_people {
        fmt::layer()
            .with_writer(stderr)
            .with_ansi(stderr().is_terminal())
            .with_target(false)
            .boxed()
    } else {
        fmt::layer()
            .json()
            .flatten_event(true)
            // Innermost only, and so without the request's id; the list has it.
            .with_current_span(false)
            .with_writer(stderr)
            .boxed()
    }
}
