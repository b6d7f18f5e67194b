use crate::{Failure, settings::variable};
use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
};
use tokio::net::TcpSocket;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 2048;

/// Listens on `address`, which `section` of the settings names by `host` and `port`.
///
/// # Errors
/// Why it cannot, with the mend.
pub fn listen(address: SocketAddr, section: &str) -> Result<TcpListener, Failure> {
    let listening = || -> io::Result<TcpListener> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // A restart must not wait for the connections of the last run to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    listening().map_err(|error| unbound(address, section, error))
}

/// Why nothing listens on `address`.
pub fn unbound(address: SocketAddr, section: &str, error: io::Error) -> Failure {
    let setting = |name| variable(&format!("{section}.{name}"));
    match error.kind() {
        ErrorKind::AddrInUse => Failure::new(format!(
            "{address} is taken by another program: stop it, or choose another {} (0 lets the system choose)",
            setting("port")
        )),
        ErrorKind::AddrNotAvailable => Failure::new(format!(
            "{address} is not an address of this machine: choose another {} (0.0.0.0 for every network)",
            setting("host")
        )),
        ErrorKind::PermissionDenied => Failure::new(format!(
            "this user may not listen on {address}: choose a {} from 1024 on",
            setting("port")
        )),
        _ => Failure::because(format!("cannot listen on {address}"), error),
    }
}
