use crate::error_chain::ErrorChain;
use request_scope::RequestScope;
use serde::{Serializer, ser::SerializeMap};
use std::{cell::RefCell, error::Error, fmt};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_log::NormalizeEvent;
use tracing_serde::{AsSerde, SerdeMapVisitor};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// Formats an event as one line of JSON: its fields between `timestamp`, `level` and `target`, and
/// the id of the current request.
///
/// Ignores spans. The JSON formatter of tracing-subscriber formats the fields of every request's
/// span, although most requests log nothing, and writes a line in many small writes: together a
/// tenth of the time of `GET /me`.
pub struct JsonLines;

thread_local! {
    /// A buffer for formatting, reused between lines.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // Take the buffer: formatting a field may itself log a line.
        let mut line = LINE.take();
        line.clear();
        let written = write_line(&mut line, event).map_err(|_| fmt::Error);
        let written = written.and_then(|()| writer.write_str(str::from_utf8(&line).map_err(|_| fmt::Error)?));
        LINE.set(line);
        written
    }
}

fn write_line(line: &mut Vec<u8>, event: &Event<'_>) -> serde_json::Result<()> {
    // Events of the crate `log` carry their level and target as fields.
    let normalised = event.normalized_metadata();
    let metadata = normalised.as_ref().unwrap_or_else(|| event.metadata());
    let mut json = serde_json::Serializer::new(&mut *line);
    let mut fields = json.serialize_map(None)?;
    fields.serialize_entry("timestamp", &now())?;
    fields.serialize_entry("level", &metadata.level().as_serde())?;
    let mut own = Fields(SerdeMapVisitor::new(fields));
    event.record(&mut own);
    let mut fields = own.0.take_serializer()?;
    if let Some(id) = RequestScope::current().as_ref().and_then(RequestScope::id) {
        fields.serialize_entry("request_id", id)?;
    }
    fields.serialize_entry("target", metadata.target())?;
    fields.end()?;
    line.push(b'\n');
    Ok(())
}

/// Writes fields with their types, and errors with all their causes.
struct Fields<S: SerializeMap>(SerdeMapVisitor<S>);

impl<S: SerializeMap> Visit for Fields<S> {
    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        self.record_debug(field, &format_args!("{}", ErrorChain(error)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.record_debug(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.record_bool(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.record_u64(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.record_i64(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.record_f64(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.record_str(field, value);
    }
}

fn now() -> String {
    let mut text = String::with_capacity(32);
    // Writing to a String does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::{
        io,
        sync::{Arc, Mutex},
        time::Duration,
    };
    use tracing_subscriber::{Registry, layer::SubscriberExt};

    #[derive(Debug, thiserror::Error)]
    #[error("it cannot be written")]
    struct Outer(#[source] io::Error);

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .expect("the lock is not poisoned")
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the one line that `log` produces, without its timestamp.
    fn line(log: impl FnOnce()) -> Value {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(JsonLines)
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(Registry::default().with(layer), log);
        let text = String::from_utf8(buffer.0.lock().expect("the lock is not poisoned").clone())
            .expect("the output is UTF-8");
        assert_eq!(text.find('\n'), Some(text.len() - 1), "{text:?}");
        let mut line: Value = serde_json::from_str(&text).expect("the output is JSON");
        let timestamp = line.as_object_mut().and_then(|line| line.remove("timestamp"));
        let timestamp = timestamp.as_ref().and_then(Value::as_str).unwrap_or_default();
        timestamp
            .parse::<chrono::DateTime<chrono::Utc>>()
            .expect("the timestamp is RFC 3339");
        line
    }

    #[test]
    fn a_line_contains_the_fields_of_its_event_with_their_types() {
        let error = Outer(io::Error::other("full"));
        let line = line(|| {
            tracing::error!(
                target: "there",
                number = 7,
                negative = -7,
                fraction = 0.5,
                truth = true,
                text = "a",
                none = None::<&str>,
                cause = &error as &dyn std::error::Error,
                "it {}",
                "broke"
            );
        });
        assert_eq!(
            line,
            json!({
                "level": "ERROR", "message": "it broke", "number": 7, "truth": true, "text": "a",
                "cause": "it cannot be written: full", "fraction": 0.5, "negative": -7, "target": "there",
            })
        );
    }

    #[test]
    fn client_input_is_escaped() {
        let hostile = "\"}\n{\"level\":\"ERROR\u{1b}[31m";
        let line = line(|| tracing::warn!(hostile, shown = %hostile));
        assert_eq!(line["hostile"], hostile);
        assert_eq!(line["shown"], hostile);
    }

    #[tokio::test]
    async fn a_line_has_the_request_id_in_any_span() {
        let logged =
            async { line(|| tracing::info_span!("inner", secret = 1).in_scope(|| tracing::info!("logged"))) };
        let alone = json!({ "level": "INFO", "message": "logged", "target": module_path!() });
        let named = RequestScope::identified("abc", Duration::from_secs(1));
        let mut within = alone.clone();
        within["request_id"] = "abc".into();
        assert_eq!(named.run(logged).await, within);
        assert_eq!(line(|| tracing::info!("logged")), alone);
    }
}
