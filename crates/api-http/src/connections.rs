//! Closes connections that a slow or idle client would keep open, and those of a client that has
//! too many.
//!
//! actix limits how long the head of a connection's first request may take, and how long a
//! connection stays open between requests. Four kinds of clients get around both limits:
//!
//! - one that sends the head of a later request byte by byte;
//! - one that goes on sending a chunked body after it was answered;
//! - one that does not read its response;
//! - one that opens many connections.
//!
//! They are limited as follows:
//!
//! 1. [`Connections::accept`] closes a connection of an address that has too many
//!    ([`ConnectionLimits`]), and registers each other one with an [`Activity`]. It returns a
//!    [`GuardedStream`], which counts the bytes of each head and refuses one that is too long.
//! 2. The edge's middleware notes in the activity when a request begins and when it is answered.
//! 3. [`Connections::close_overdue`] closes every connection on which a head takes too long, or on
//!    which no request began or was answered for too long ([`Timeouts`]).
//!
//! The middleware uses [`UnreadBody`] to detect a request that was answered before the end of its
//! body. Such a response carries `Connection: close`, so a well-behaved client need not wait for
//! the limit. [`chunked_body`] bounds the memory for a client that does not read. [`body`] limits
//! the time for receiving a body.
//!
//! [`chunked_body`]: crate::chunked_body
//! [`body`]: crate::body

mod activity;
mod guarded_stream;
mod per_address;
mod unread_body;

pub use activity::{Activity, begin_request, end_request};
pub use guarded_stream::GuardedStream;
pub use per_address::ConnectionLimits;
pub use unread_body::UnreadBody;

use actix_web::rt::net::TcpStream;
use per_address::{PerAddress, Slot};
use rustix::net::{Shutdown, shutdown, sockopt::set_socket_linger};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval};

/// Number of checks per timeout. A connection is closed at most a tenth of its timeout late.
const CHECKS_PER_TIMEOUT: u32 = 10;

/// How long a connection may be slow before it is closed.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the first byte of a request's head to its last.
    pub head: Duration,
    /// During which no request begins and none is answered.
    pub inactivity: Duration,
}

/// The open connections of a server, which closes slow and inactive ones.
///
/// actix has no time limit for a connection whose client sends a later head, or the body of an
/// answered request, byte by byte, nor for one whose client does not read the response. Pass each
/// connection to [`accept`](Self::accept), and run [`close_overdue`](Self::close_overdue)
/// concurrently with the server. The server MUST serve only the routes of this crate, because only
/// they note that a request began.
#[derive(Debug)]
pub struct Connections {
    open: Mutex<Vec<Weak<Connection>>>,
    per_address: PerAddress,
}

/// An open connection. Its stream owns it, so it is dropped with the connection.
#[derive(Debug)]
struct Connection {
    /// A duplicate of the socket's descriptor, because the worker owns the socket.
    descriptor: OwnedFd,
    activity: Arc<Activity>,
    _slot: Slot,
}

impl Connections {
    /// Creates a registry without connections.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Self {
        Self {
            open: Mutex::default(),
            per_address: PerAddress::new(limits),
        }
    }

    /// Registers a newly accepted connection. Returns `None` and closes it if its address has too
    /// many connections, or if the process has no file descriptor left to watch it.
    pub fn accept(&self, stream: TcpStream) -> Option<GuardedStream> {
        // Without a peer, the client has already disconnected.
        let peer = stream.peer_addr().ok()?.ip();
        let Some(slot) = self.per_address.admit(peer) else {
            // Otherwise the system keeps the closed connection for a minute.
            let _ = set_socket_linger(&stream, Some(Duration::ZERO));
            return None;
        };
        match Connection::of(&stream, slot) {
            Ok(connection) => {
                let connection = Arc::new(connection);
                self.open().push(Arc::downgrade(&connection));
                Some(GuardedStream::new(stream, connection))
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "closed a connection because no file descriptor is left; raise the limit of open files"
                );
                None
            }
        }
    }

    /// Closes each connection that exceeds one of the `timeouts`, forever. The future may be
    /// dropped at any time.
    pub async fn close_overdue(self: Arc<Self>, timeouts: Timeouts) {
        let mut ticks = interval(timeouts.head.min(timeouts.inactivity) / CHECKS_PER_TIMEOUT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.close_once(timeouts);
        }
    }

    fn close_once(&self, timeouts: Timeouts) {
        let now = Instant::now();
        self.open().retain(|connection| {
            let Some(connection) = connection.upgrade() else {
                return false;
            };
            let is_overdue = connection.activity.is_overdue(timeouts, now);
            if is_overdue {
                tracing::debug!("closed a slow or inactive connection");
                connection.close();
            }
            !is_overdue
        });
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    fn of(socket: &TcpStream, slot: Slot) -> io::Result<Self> {
        Ok(Self {
            descriptor: socket.as_fd().try_clone_to_owned()?,
            activity: Arc::new(Activity::new(Instant::now())),
            _slot: slot,
        })
    }

    /// Shuts the socket down in both directions. To the worker it looks as if the client
    /// disconnected.
    fn close(&self) {
        // Otherwise the system keeps an unread response for minutes.
        let _ = set_socket_linger(&self.descriptor, Some(Duration::ZERO));
        // The client may have closed it already.
        let _ = shutdown(&self.descriptor, Shutdown::Both);
    }
}
