//! The log, one line per event on standard error, and the spans that become traces.
//!
//! A dedicated thread writes the lines in batches, so requests do not wait for them. The program
//! MUST [`end`] the log before the process exits, or hold a [`LogGuard`]; otherwise the last lines
//! are lost.

mod json_lines;
mod line_writer;

use crate::{
    settings::{LogFormat, LogSettings},
    traces::Traces,
};
use json_lines::JsonLines;
use line_writer::LineWriter;
use std::{
    error::Error,
    io::{IsTerminal, stderr},
    sync::{Arc, Mutex, PoisonError},
};
use tracing::Metadata;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, LevelFilter, filter_fn},
    fmt,
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Silences messages of the web server about its threads and about malformed requests, which do not
/// concern operators. Directives in `log.level` take precedence.
const QUIET: &str = "actix_server=warn,actix_http=off";

/// The writer of log lines, while the log is open.
static WRITER: Mutex<Option<Arc<LineWriter>>> = Mutex::new(None);

/// Starts the log on standard error, including events of the crate `log`, and passes spans to
/// `traces`. Ignores `RUST_LOG`. Only the first call in a process has an effect.
///
/// # Errors
/// If the thread cannot be started.
pub fn start(log: &LogSettings, traces: Option<&Traces>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let level = EnvFilter::try_new(format!("{QUIET},{}", log.level))?;
    let writer = LineWriter::start(stderr())?;
    let subscriber = Registry::default().with(lines(log.format, Arc::clone(&writer), level));
    // A `None` layer would enable all spans.
    let started = match traces {
        Some(traces) => subscriber.with(traces.layer()).try_init(),
        None => subscriber.try_init(),
    };
    // Tests start several services in one process; the log of the first serves all of them.
    if started.is_ok() {
        *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
    } else {
        writer.end();
    }
    Ok(())
}

/// Ends the log on drop.
pub struct LogGuard;

/// Writes the remaining lines, for at most one second. Later lines are lost.
pub fn end() {
    // Hold the lock, so that concurrent calls return only once the log has ended.
    let mut writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(writer) = writer.take() {
        writer.end();
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        end();
    }
}

fn lines<S>(format: LogFormat, writer: Arc<LineWriter>, level: EnvFilter) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let is_pretty = match format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    if is_pretty {
        fmt::layer()
            .with_writer(writer)
            .with_ansi(stderr().is_terminal())
            .with_target(false)
            .with_filter(level)
            .boxed()
    } else {
        // `level` restricts the level, not this filter. Without this hint the combination would
        // have none, and all crates would consider TRACE enabled.
        let only_events = filter_fn(is_event).with_max_level_hint(LevelFilter::TRACE);
        fmt::layer()
            .event_format(JsonLines)
            .with_writer(writer)
            // JSON lines contain no span fields, so spans are needed only for traces.
            .with_filter(FilterExt::<S>::and(only_events, level))
            .boxed()
    }
}

fn is_event(metadata: &Metadata<'_>) -> bool {
    !metadata.is_span()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::{Subscriber, subscriber::with_default};

    #[test]
    fn events_are_enabled_down_to_the_configured_level() {
        for format in [LogFormat::Json, LogFormat::Pretty] {
            let writer = LineWriter::start(Vec::new()).expect("the thread can be started");
            let level = EnvFilter::try_new("info").expect("the level is valid");
            let subscriber = Registry::default().with(lines(format, writer, level));
            assert_eq!(subscriber.max_level_hint(), Some(LevelFilter::INFO), "{format:?}");
            with_default(subscriber, || assert!(tracing::enabled!(tracing::Level::INFO)));
        }
    }
}
