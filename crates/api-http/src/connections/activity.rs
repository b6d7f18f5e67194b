use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// When a request last began or was answered on one connection.
///
/// actix limits the time of a connection's first head, and of nothing that follows. Whoever runs the server can put an
/// `Arc` of this into each connection's data (`HttpServer::on_connect`), where the edge finds it, and close the connections
/// that are quiet for too long. Routes of one's own have to mark it themselves.
#[derive(Debug)]
pub struct ConnectionActivity {
    opened: Instant,
    /// Milliseconds from the opening to the last request or answer.
    marked: AtomicU64,
}

impl ConnectionActivity {
    /// That of a connection that is opened now.
    #[must_use]
    pub fn opened_now() -> Self {
        Self {
            opened: Instant::now(),
            marked: AtomicU64::new(0),
        }
    }

    /// A request begins, or is answered.
    pub fn mark(&self) {
        let millis = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.marked.store(millis, Ordering::Relaxed);
    }

    /// How long no request has begun nor been answered.
    #[must_use]
    pub fn quiet_for(&self) -> Duration {
        let marked = Duration::from_millis(self.marked.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(marked)
    }
}
