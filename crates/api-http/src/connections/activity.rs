use super::Timeouts;
use actix_web::{
    HttpRequest,
    http::header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Maximum length of a request's head in bytes. actix would buffer 128 KiB.
pub const MAX_HEAD: u64 = 16 * 1024;

/// What happens on a connection. Its stream, the edge's middleware and the watch share it.
#[derive(Debug)]
pub struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// When the connection was opened, or a request last began or was answered on it.
    marked: Instant,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between two requests.
    Idle,
    /// Part of a head has arrived.
    Head {
        since: Instant,
        bytes: u64,
        /// Whether the server had the chance to parse all of them.
        is_parsed: bool,
    },
    /// A request is being answered.
    Request {
        /// The length of its body; of a body that is sent in chunks, once it was read.
        body: Option<u64>,
        /// The number of bytes that arrived after its head.
        bytes: u64,
    },
    /// A request was answered before its body arrived, so the connection serves no other.
    Closing,
}

/// What the stream may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Read,
    /// Let the server parse what it has.
    Yield,
    /// The head is too long.
    RefuseHead,
    /// The client sends more requests without waiting for a response than one head is long.
    Close,
}

impl Activity {
    /// Creates the activity of a connection that is opened at `now`.
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(State {
            marked: now,
            phase: Phase::Idle,
        }))
    }

    /// Returns whether the connection has to be closed, because a head or the next activity did not
    /// arrive in time.
    pub fn is_overdue(&self, timeouts: Timeouts, now: Instant) -> bool {
        let state = self.state();
        let is_slow = match state.phase {
            Phase::Head { since, .. } => now.saturating_duration_since(since) > timeouts.head,
            Phase::Idle | Phase::Request { .. } | Phase::Closing => false,
        };
        is_slow || now.saturating_duration_since(state.marked) > timeouts.inactivity
    }

    /// Returns what the stream may do next. After [`Turn::Yield`], the server parses what it has.
    pub fn turn(&self) -> Turn {
        match &mut self.state().phase {
            Phase::Head { bytes, is_parsed, .. } if *bytes >= MAX_HEAD => {
                if mem::replace(is_parsed, true) {
                    Turn::RefuseHead
                } else {
                    Turn::Yield
                }
            }
            Phase::Request {
                body: Some(body),
                bytes,
            } if *bytes > body.saturating_add(MAX_HEAD) => Turn::Close,
            Phase::Idle | Phase::Head { .. } | Phase::Request { .. } | Phase::Closing => Turn::Read,
        }
    }

    /// Counts bytes that arrived at `now`.
    pub fn receive(&self, count: u64, now: Instant) {
        let mut state = self.state();
        match &mut state.phase {
            Phase::Idle if count > 0 => state.phase = Phase::head(now, count),
            Phase::Head { bytes, .. } | Phase::Request { bytes, .. } => *bytes += count,
            Phase::Idle | Phase::Closing => {}
        }
    }

    fn begin(&self, body: Option<u64>, now: Instant) {
        let mut state = self.state();
        state.marked = now;
        state.phase = Phase::Request { body, bytes: 0 };
    }

    /// Marks that the whole body of the request was read. Of a body that is sent in chunks, the
    /// length is not known before: what arrived until now counts as the body.
    pub fn end_body(&self) {
        if let Phase::Request { body, bytes } = &mut self.state().phase {
            body.get_or_insert(*bytes);
        }
    }

    fn end(&self, is_unread: bool, now: Instant) {
        let mut state = self.state();
        state.marked = now;
        state.phase = match state.phase {
            _ if is_unread => Phase::Closing,
            // More than the body arrived, so this is the start of the next head. Bytes that arrived
            // together with the request's own head, or with the end of a body that is sent in
            // chunks, are not known, but those are few.
            Phase::Request {
                body: Some(body),
                bytes,
            } if bytes > body => Phase::head(now, 0),
            _ => Phase::Idle,
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Phase {
    fn head(since: Instant, bytes: u64) -> Self {
        Self::Head {
            since,
            bytes,
            is_parsed: false,
        }
    }
}

/// Marks the beginning of `request` on its connection. Does nothing if the server does not watch
/// connections.
pub fn begin_request(request: &HttpRequest) {
    if let Some(activity) = request.conn_data::<Arc<Activity>>() {
        activity.begin(body_length(request), Instant::now());
    }
}

/// Marks on the connection that `request` was answered. `is_unread` states that the rest of its
/// body may still arrive.
pub fn end_request(request: &HttpRequest, is_unread: bool) {
    if let Some(activity) = request.conn_data::<Arc<Activity>>() {
        activity.end(is_unread, Instant::now());
    }
}

/// Returns the length of the body; `None` if it is sent in chunks. actix has rejected invalid
/// lengths.
fn body_length(request: &HttpRequest) -> Option<u64> {
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    Some(length.and_then(|it| it.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const TIMEOUTS: Timeouts = Timeouts {
        head: Duration::from_secs(10),
        inactivity: Duration::from_secs(80),
    };

    /// A connection and the time on it.
    struct Client {
        activity: Activity,
        now: Instant,
    }

    impl Client {
        fn connect() -> Self {
            let now = Instant::now();
            Self {
                activity: Activity::new(now),
                now,
            }
        }

        fn wait(&mut self, seconds: u64) -> &mut Self {
            self.now += Duration::from_secs(seconds);
            self
        }

        fn send(&mut self, bytes: u64) -> &mut Self {
            self.activity.receive(bytes, self.now);
            self
        }

        /// The rest of a head arrives, and the request begins.
        fn begin(&mut self, body: Option<u64>) -> &mut Self {
            self.send(20);
            self.activity.begin(body, self.now);
            self
        }

        fn end_body(&mut self) -> &mut Self {
            self.activity.end_body();
            self
        }

        fn end(&mut self, is_unread: bool) -> &mut Self {
            self.activity.end(is_unread, self.now);
            self
        }

        fn is_closed(&self) -> bool {
            self.activity.is_overdue(TIMEOUTS, self.now)
        }

        fn turn(&self) -> Turn {
            self.activity.turn()
        }
    }

    #[test]
    fn every_head_has_a_deadline_however_slowly_it_arrives() {
        let mut client = Client::connect();
        for _ in 0..3 {
            client.send(1).wait(6);
            assert!(!client.is_closed());
            client.begin(Some(0)).end(false);
        }
        client.send(1).wait(6).send(1).wait(4);
        assert!(!client.is_closed());
        client.send(1).wait(1);
        assert!(client.is_closed());
    }

    #[test]
    fn an_idle_connection_and_a_slow_request_have_the_longer_limit() {
        let mut client = Client::connect();
        client.wait(80);
        assert!(!client.is_closed());
        client.begin(Some(9)).wait(80);
        assert!(!client.is_closed());
        client.end(false).wait(80);
        assert!(!client.is_closed());
        client.wait(1);
        assert!(client.is_closed());
    }

    #[test]
    fn a_head_that_arrives_during_a_request_has_its_deadline_from_the_response_on() {
        for (body, bytes, has_deadline) in [
            (Some(0), 0, false),
            (Some(0), 1, true),
            (Some(500), 500, false),
            (Some(500), 501, true),
        ] {
            let mut client = Client::connect();
            client.begin(body).send(bytes).wait(60).end(false).wait(11);
            assert_eq!(client.is_closed(), has_deadline, "{body:?} {bytes}");
        }
    }

    #[test]
    fn a_body_in_chunks_of_any_length_is_no_head_and_what_follows_it_is() {
        for body in [0, MAX_HEAD, MAX_HEAD + 1, 100 * MAX_HEAD] {
            for (next, has_deadline) in [(0, false), (1, true)] {
                let mut client = Client::connect();
                client.begin(None).send(body).end_body().send(next);
                client.wait(60).end(false).wait(11);
                assert_eq!(client.is_closed(), has_deadline, "{body} {next}");
            }
        }
    }

    #[test]
    fn a_head_that_is_too_long_is_refused_after_the_server_parsed_it() {
        let mut client = Client::connect();
        client.send(MAX_HEAD - 1);
        assert_eq!(client.turn(), Turn::Read);
        client.send(1);
        assert_eq!((client.turn(), client.turn()), (Turn::Yield, Turn::RefuseHead));

        let mut client = Client::connect();
        client.send(MAX_HEAD + 9_000);
        assert_eq!(client.turn(), Turn::Yield);
        client.begin(Some(100_000));
        assert_eq!(client.turn(), Turn::Read);
    }

    #[test]
    fn a_client_cannot_send_more_than_a_head_before_the_response() {
        let mut client = Client::connect();
        client.begin(Some(500)).send(500 + MAX_HEAD);
        assert_eq!(client.turn(), Turn::Read);
        client.send(1);
        assert_eq!(client.turn(), Turn::Close);
    }

    #[test]
    fn the_body_of_an_answered_request_is_no_head() {
        let mut client = Client::connect();
        client.begin(Some(1_000_000)).end(true).send(500_000).wait(60);
        assert_eq!(client.turn(), Turn::Read);
        assert!(!client.is_closed());
    }
}
