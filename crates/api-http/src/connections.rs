//! Which connections are open, and an end for those on which nothing happens.

use actix_web::{dev::Extensions, rt::net::TcpStream};
use api_http::ConnectionActivity;
use rustix::{
    net::{Shutdown, shutdown, sockopt::set_socket_linger},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use std::{
    any::Any,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};

/// A connection is closed a tenth of the limit late at most.
const LOOKS_IN_A_LIMIT: u32 = 10;

/// The open connections of a server.
///
/// actix limits the time of a connection's first head, and keeps idle connections no longer than it is told. It waits for
/// ever for a later head that is sent byte by byte, for the end of a body in chunks that nobody wants, and for a client
/// that does not read its answer. On all of these no request begins and none is answered, which is what is watched here.
#[derive(Default)]
pub struct Connections {
    open: Mutex<Vec<Weak<Connection>>>,
}

/// An open connection. It lies in the connection's own data, and so ends with it.
struct Connection {
    /// A second descriptor of the socket: actix lends the first one for a moment alone.
    descriptor: OwnedFd,
    activity: Arc<ConnectionActivity>,
}

impl Connections {
    /// Watches over a connection that was just accepted; for `HttpServer::on_connect`. One that cannot be watched over,
    /// since the process has no descriptor left, is closed.
    ///
    /// # Panics
    /// When `socket` is not a TCP stream.
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
                tracing::warn!(%error, "closed a connection: raise the limit of open files");
                // It may have ended by itself.
                let _ = shutdown(socket, Shutdown::Both);
            }
        }
    }

    /// Closes connections on which no request has begun nor been answered for `limit`, again and again; drop it at any
    /// time.
    pub async fn close_the_quiet(self: Arc<Self>, limit: Duration) {
        let mut ticks = interval(limit / LOOKS_IN_A_LIMIT);
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
            let is_quiet = connection.activity.quiet_for() > limit;
            if is_quiet {
                tracing::debug!("closed a connection on which nothing happened");
                connection.close();
            }
            !is_quiet
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
            activity: Arc::new(ConnectionActivity::opened_now()),
        })
    }

    /// Ends reading and writing, of which the worker that serves the connection is told as if the client had hung up.
    fn close(&self) {
        // Without this the system would keep an answer that nobody reads for minutes.
        let _ = set_socket_linger(&self.descriptor, Some(Duration::ZERO));
        // It may have ended by itself.
        let _ = shutdown(&self.descriptor, Shutdown::Both);
    }
}

/// Lets this process open as many files as it may be allowed to. Shells and services start it with 1,024, a limit that
/// old programs need, and a connection takes two.
pub fn allow_many() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_can_be_open_as_the_system_allows() {
        let limit = getrlimit(Resource::Nofile);
        let low = Rlimit {
            current: limit.maximum.map(|most| most.min(1024)),
            ..limit
        };
        setrlimit(Resource::Nofile, low).expect("less is always allowed");
        allow_many();
        assert_eq!(getrlimit(Resource::Nofile).current, limit.maximum);
    }
}
