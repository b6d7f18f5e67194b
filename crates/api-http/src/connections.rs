//! Closes connections that a slow or idle client would keep open.
//!
//! actix limits how long the head of a connection's first request may take, and how long a
//! connection stays open between requests. Three kinds of clients get around both limits:
//!
//! - one that sends the head of a later request byte by byte;
//! - one that goes on sending a chunked body after it was answered;
//! - one that does not read its response.
//!
//! On such a connection, no request begins and none is answered. Connections without either are
//! closed as follows:
//!
//! 1. [`Connections::watch`] registers each connection that the server accepts, with an
//!    [`Activity`] in the connection's data.
//! 2. The edge's middleware marks the activity when a request begins and when it is answered.
//! 3. [`Connections::close_inactive`] closes every connection that was not marked for longer than a
//!    limit.
//!
//! The middleware uses [`UnreadBody`] to detect a request that was answered before the end of its
//! body. Such a response carries `Connection: close`, so a well-behaved client need not wait for
//! the limit. [`chunked_body`] bounds the memory for a client that does not read. [`body`] limits
//! the time for receiving a body.
//!
//! [`chunked_body`]: crate::chunked_body
//! [`body`]: crate::body

mod activity;
mod unread_body;

pub use activity::{Activity, mark_activity};
pub use unread_body::UnreadBody;

use actix_web::{dev::Extensions, rt::net::TcpStream};
use rustix::net::{Shutdown, shutdown, sockopt::set_socket_linger};
use std::{
    any::Any,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};

/// Number of checks per limit. A connection is closed at most a tenth of the limit late.
const CHECKS_PER_LIMIT: u32 = 10;

/// The open connections of a server, which closes inactive ones.
///
/// Keep-alive and the time limit of the first request head do not end a connection whose client
/// sends a later head, or the body of an answered request, byte by byte, nor one whose client does
/// not read the response. Pass each connection to [`watch`](Self::watch), and run
/// [`close_inactive`](Self::close_inactive) concurrently with the server. Only the routes of this
/// crate count as activity.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<Vec<Weak<Connection>>>,
}

/// An open connection. The connection's data owns it, so it is dropped with the connection.
#[derive(Debug)]
struct Connection {
    /// A duplicate of the socket's descriptor, because actix lends the socket only during set-up.
    descriptor: OwnedFd,
    activity: Arc<Activity>,
}

impl Connections {
    /// Registers a newly accepted connection. Call it in `HttpServer::on_connect`. If the process
    /// has no file descriptor left to watch the connection, it is closed.
    ///
    /// # Panics
    /// If `socket` is not a TCP stream.
    pub fn watch(&self, socket: &dyn Any, data: &mut Extensions) {
        let socket = socket
            .downcast_ref::<TcpStream>()
            .expect("the server listens on TCP, without TLS");
        match Connection::of(socket) {
            Ok(connection) => {
                let connection = Arc::new(connection);
                data.insert(Arc::clone(&connection.activity));
                self.open().push(Arc::downgrade(&connection));
                data.insert(connection);
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "closed a connection because no file descriptor is left; raise the limit of open files"
                );
                // The client may have closed it already.
                let _ = shutdown(socket, Shutdown::Both);
            }
        }
    }

    /// Closes each connection on which no request has begun or been answered for `limit`, forever.
    /// The future may be dropped at any time.
    pub async fn close_inactive(self: Arc<Self>, limit: Duration) {
        let mut ticks = interval(limit / CHECKS_PER_LIMIT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.close_once(limit);
        }
    }

    fn close_once(&self, limit: Duration) {
        self.open().retain(|connection| {
            let Some(connection) = connection.upgrade() else {
                return false;
            };
            let is_inactive = connection.activity.inactive_for() > limit;
            if is_inactive {
                tracing::debug!("closed an inactive connection");
                connection.close();
            }
            !is_inactive
        });
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    fn of(socket: &TcpStream) -> io::Result<Self> {
        Ok(Self {
            descriptor: socket.as_fd().try_clone_to_owned()?,
            activity: Arc::new(Activity::now()),
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
