//! The log: one line an event, on standard error; and the spans that become traces.
//!
//! A thread of its own writes the lines, many at a time when many come: a request does not wait for its line. Whoever ends
//! the process MUST [`end`] the log first, by an [`Ending`] where it may end in a panic, or the last lines are lost.

use crate::{
    settings::{LogFormat, LogSettings},
    traces::Traces,
};
use std::{
    io::{self, BufWriter, IsTerminal, Write, stderr},
    sync::{Mutex, PoisonError},
};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
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

/// Lines that wait to be written. When so many do, whoever has another one waits: none is dropped for being too many.
const QUEUE: usize = 10_000;
/// The most bytes that are written at once.
const AT_ONCE: usize = 64 * 1024;

/// What writes the lines, while the log lasts.
static WRITER: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// Sends events to standard error from now on, the `log` crate's included, and spans to `traces`. `RUST_LOG` plays no part: the level is a
/// setting like the others. Only the first call of a process counts.
///
/// # Errors
/// When `log.level` cannot be parsed, which checked settings rule out.
pub fn start(log: &LogSettings, traces: Option<&Traces>) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", log.level))?;
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(false)
        .buffered_lines_limit(QUEUE)
        .thread_name("log")
        .finish(BufWriter::with_capacity(AT_ONCE, Sink));
    let subscriber = Registry::default()
        .with(lines(log.format, writer).with_filter(filter))
        .with(traces.map(Traces::layer));
    // Tests start several services in one process; the first one's log serves them all.
    let started: Result<(), TryInitError> = subscriber.try_init();
    if started.is_ok() {
        *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    }
    Ok(())
}

/// Ends the log when it is dropped.
pub struct Ending;

/// Standard error. What it refuses, being full or closed, is lost: kept for later, it would be refused again, and the end of the
/// process would wait for it.
struct Sink;

/// Returns when all lines are written, or were not taken for a second. There MUST be none after this.
pub fn end() {
    // Whoever comes second returns when the first does.
    drop(WRITER.lock().unwrap_or_else(PoisonError::into_inner).take());
}

impl Drop for Ending {
    fn drop(&mut self) {
        end();
    }
}

impl Write for Sink {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let _ = stderr().write_all(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lines<S>(format: LogFormat, writer: NonBlocking) -> Box<dyn Layer<S> + Send + Sync>
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
            .boxed()
    } else {
        fmt::layer()
            .json()
            .flatten_event(true)
            // Innermost only, and so without the request's id; the list has it.
            .with_current_span(false)
            .with_writer(writer)
            .boxed()
    }
}
