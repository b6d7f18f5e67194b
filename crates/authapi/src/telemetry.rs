//! The log: one line an event, on standard error; and the spans that become traces.
//!
//! A thread of its own writes the lines, many at a time when many come: a request does not wait for its line. Whoever ends
//! the process MUST [`end`] the log first, by an [`Ending`] where it may end in a panic, or the last lines are lost.

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

/// The web server's remarks on its threads, and its errors about garbage that strangers send, which tell an operator
/// nothing; a directive of `log.level` wins over it.
const QUIET: &str = "actix_server=warn,actix_http=off";

/// What writes the lines, while the log lasts.
static WRITER: Mutex<Option<Arc<LineWriter>>> = Mutex::new(None);

/// Sends events to standard error from now on, the `log` crate's included, and spans to `traces`. `RUST_LOG` plays no part: the level is a
/// setting like the others. Only the first call of a process counts.
///
/// # Errors
/// When `log.level` cannot be parsed, which checked settings rule out, or the thread cannot be made.
pub fn start(log: &LogSettings, traces: Option<&Traces>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let level = EnvFilter::try_new(format!("{QUIET},{}", log.level))?;
    let writer = LineWriter::start(stderr())?;
    let subscriber = Registry::default().with(lines(log.format, Arc::clone(&writer), level));
    // A layer that is not there would want every span all the same.
    let started = match traces {
        Some(traces) => subscriber.with(traces.layer()).try_init(),
        None => subscriber.try_init(),
    };
    // Tests start several services in one process; the first one's log serves them all.
    if started.is_ok() {
        *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
    } else {
        writer.end();
    }
    Ok(())
}

/// Ends the log when it is dropped.
pub struct Ending;

/// Returns when all lines are written, or after a second. There MUST be none after this.
pub fn end() {
    // Whoever comes second returns when the first does.
    let mut writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(writer) = writer.take() {
        writer.end();
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        end();
    }
}

fn lines<S>(format: LogFormat, writer: Arc<LineWriter>, level: EnvFilter) -> Box<dyn Layer<S> + Send + Sync>
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
            .with_writer(writer)
            .with_ansi(stderr().is_terminal())
            .with_target(false)
            .with_filter(level)
            .boxed()
    } else {
        // It leaves the level to the other: without a hint of its own there would be none, and every crate would think that
        // its traces are wanted.
        let no_spans = filter_fn(is_no_span).with_max_level_hint(LevelFilter::TRACE);
        fmt::layer()
            .event_format(JsonLines)
            .with_writer(writer)
            // No line tells of a span, so that nobody need make one when there are no traces either.
            .with_filter(FilterExt::<S>::and(no_spans, level))
            .boxed()
    }
}

fn is_no_span(told: &Metadata<'_>) -> bool {
    !told.is_span()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::{Subscriber, subscriber::with_default};

    #[test]
    fn lines_are_wanted_down_to_the_level_that_is_set() {
        for format in [LogFormat::Json, LogFormat::Pretty] {
            let writer = LineWriter::start(Vec::new()).expect("a thread");
            let level = EnvFilter::try_new("info").expect("a level");
            let subscriber = Registry::default().with(lines(format, writer, level));
            assert_eq!(subscriber.max_level_hint(), Some(LevelFilter::INFO), "{format:?}");
            with_default(subscriber, || assert!(tracing::enabled!(tracing::Level::INFO)));
        }
    }
}
