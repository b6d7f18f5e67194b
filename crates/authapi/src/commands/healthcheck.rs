use crate::{Failure, settings::ServerSettings};
use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum length of the response that is read, in bytes; more than a status line needs.
const MAX_HEAD: u64 = 1024;

/// Requests `/health/ready` from the service that `server` describes.
pub fn run(server: &ServerSettings) -> Result<(), Failure> {
    let address = reachable(server.address());
    match status(address) {
        Ok(200) => Ok(()),
        Ok(status) => Err(Failure::new(format!("{address} is not ready: status {status}"))),
        Err(error) => Err(Failure::because(format!("{address} does not respond"), error)),
    }
}

/// Returns the address to connect to: the loopback address if the server listens on all interfaces.
fn reachable(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, address.port())
}

/// Requests `/health/ready` and returns the status code (RFC 9112, section 4).
fn status(address: SocketAddr) -> io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // Write the request at once: a server that closes the connection before it has read everything
    // resets it, and the response is lost.
    let request = format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    stream.take(MAX_HEAD).read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    head.strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| io::Error::other("the response is not HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    /// Starts a server that sends one response, and returns its address.
    fn responding(response: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("the listener has an address");
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client connects");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut chunk = [0; 512];
                let length = stream.read(&mut chunk).expect("the request can be read");
                assert!(length > 0, "the request is incomplete");
                request.extend_from_slice(&chunk[..length]);
            }
            assert!(request.starts_with(b"GET /health/ready HTTP/1.1\r\n"));
            stream
                .write_all(response.as_bytes())
                .expect("the client reads the response");
        });
        address
    }

    fn check(address: SocketAddr) -> Result<(), Failure> {
        run(&ServerSettings {
            host: address.ip(),
            port: address.port(),
            ..ServerSettings::default()
        })
    }

    #[test]
    fn only_a_ready_service_passes() {
        assert!(check(responding("HTTP/1.1 200 OK\r\n\r\n")).is_ok());
        for response in ["HTTP/1.1 503 Service Unavailable\r\n\r\n", "SSH-2.0\r\n", ""] {
            assert!(check(responding(response)).is_err(), "{response:?}");
        }
    }

    #[test]
    fn a_refused_connection_is_reported_in_one_line() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("the listener has an address");
        drop(listener);
        let line = check(address).expect_err("the connection is refused").to_string();
        assert!(
            line.starts_with(&format!("{address} does not respond: ")),
            "{line}"
        );
    }

    #[test]
    fn a_server_on_all_interfaces_is_checked_on_the_loopback_address() {
        for (listening, checked) in [
            ("0.0.0.0:8000", "127.0.0.1:8000"),
            ("[::]:8000", "[::1]:8000"),
            ("192.0.2.1:8000", "192.0.2.1:8000"),
        ] {
            let address = listening.parse().expect("the text is an address");
            assert_eq!(reachable(address).to_string(), checked);
        }
    }
}
