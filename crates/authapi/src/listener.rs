use crate::{Failure, settings::variable};
use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
};
use tokio::net::TcpSocket;

/// Maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 2048;

/// Listens on `address`, which comes from `host` and `port` in `section` of the settings.
///
/// # Errors
/// If the address cannot be bound; the message states the remedy.
pub fn listen(address: SocketAddr, section: &str) -> Result<TcpListener, Failure> {
    let listening = || -> io::Result<TcpListener> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // Allow a restart while connections of the previous process are in TIME_WAIT.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    listening().map_err(|error| listen_failure(address, section, error))
}

/// Returns the failure to listen on `address`.
pub fn listen_failure(address: SocketAddr, section: &str, error: io::Error) -> Failure {
    let setting = |name| variable(&format!("{section}.{name}"));
    match error.kind() {
        ErrorKind::AddrInUse => Failure::new(format!(
            "{address} is in use by another program; stop it, or change {} (0 selects a free port)",
            setting("port")
        )),
        ErrorKind::AddrNotAvailable => Failure::new(format!(
            "{address} is not an address of this machine; change {} (0.0.0.0 for all interfaces)",
            setting("host")
        )),
        ErrorKind::PermissionDenied => Failure::new(format!(
            "this user may not listen on {address}; set {} to 1024 or higher",
            setting("port")
        )),
        _ => Failure::because(format!("cannot listen on {address}"), error),
    }
}
