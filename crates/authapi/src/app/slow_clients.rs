//! Clients that circumvent the timeouts of actix, over real sockets: the service closes each of
//! their connections (`api_http::Connections`).

use super::{Application, tests::settings};
use crate::settings::Settings;
use api_http::Timeouts;
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{net::TcpSocket, sync::oneshot, task::spawn_blocking};

/// The limit that a test reaches. In production it is longer.
const SHORT: Duration = Duration::from_secs(1);
/// The limit that a test does not reach.
const LONG: Duration = Duration::from_hours(1);
const SHORT_INACTIVITY: Timeouts = Timeouts {
    head: LONG,
    inactivity: SHORT,
};
const SHORT_HEADS: Timeouts = Timeouts {
    head: SHORT,
    inactivity: LONG,
};
/// The time after which a test fails. It is far shorter than the timeouts of actix.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The interval between the actions of a client.
const PACE: Duration = Duration::from_millis(50);
const GET_LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n";

/// A service with other limits; dropping it stops the service.
struct Service {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
    _folder: TempDir,
}

async fn service(timeouts: Timeouts, change: impl FnOnce(&mut Settings)) -> Service {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let mut settings = settings(folder.path());
    change(&mut settings);
    let mut application = Application::build(settings)
        .await
        .expect("the service can be built");
    application.timeouts = timeouts;
    let address = application.address();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(application.run(async {
        let _ = stopped.await;
    }));
    Service {
        address,
        _stop: stop,
        _folder: folder,
    }
}

/// Starts a service and runs `client` on a connection to it.
async fn with_a_connection(timeouts: Timeouts, client: impl FnOnce(TcpStream) + Send + 'static) {
    let service = service(timeouts, |_| {}).await;
    // Use a small buffer, so that an unread response does not fit into it.
    let socket = TcpSocket::new_v4().expect("the socket can be created");
    socket
        .set_recv_buffer_size(4096)
        .expect("the socket option can be set");
    let stream = socket
        .connect(service.address)
        .await
        .expect("the service accepts connections");
    let stream = stream.into_std().expect("the stream can be converted");
    stream
        .set_nonblocking(false)
        .expect("the blocking mode can be set");
    stream
        .set_read_timeout(Some(TIMEOUT))
        .expect("the timeout can be set");
    stream
        .set_write_timeout(Some(TIMEOUT))
        .expect("the timeout can be set");
    spawn_blocking(move || client(stream))
        .await
        .expect("the task does not panic");
}

/// Sends a request and reads the response.
fn get_live(stream: &mut TcpStream) {
    stream
        .write_all(GET_LIVE.as_bytes())
        .expect("the server reads the request");
    assert!(answer(stream).starts_with(b"HTTP/1.1 200 OK\r\n"));
}

/// Reads a response whose body is an object without objects in it.
fn answer(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the server responds");
        answer.extend(byte);
    }
    answer
}

/// Sends `bytes` repeatedly until the server closes the connection; returns how long that took.
fn send_until_closed(stream: &mut TcpStream, bytes: &[u8]) -> Duration {
    let started = Instant::now();
    loop {
        match stream.write_all(bytes) {
            Ok(()) => thread::sleep(PACE),
            Err(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
                    "{error}"
                );
                return started.elapsed();
            }
        }
        assert!(started.elapsed() < TIMEOUT, "the connection is still open");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_a_slow_second_head_is_closed() {
    with_a_connection(SHORT_HEADS, |mut stream| {
        get_live(&mut stream);
        stream
            .write_all(b"GET /health/live HTTP/1.1\r\nX-Slow: ")
            .expect("the server reads the request");
        send_until_closed(&mut stream, b"x");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_endless_chunks_after_a_refusal_is_closed() {
    with_a_connection(SHORT_INACTIVITY, |mut stream| {
        let head = "POST /nothing HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream
            .write_all(head.as_bytes())
            .expect("the server reads the request");
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).expect("the server responds");
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        send_until_closed(&mut stream, b"1\r\nx\r\n");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_an_unread_response_is_closed() {
    with_a_connection(SHORT_INACTIVITY, |mut stream| {
        // Request more than the socket buffers can hold.
        let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: test\r\n\r\n";
        stream
            .write_all(request.repeat(12).as_bytes())
            .expect("the server reads the request");
        let took = send_until_closed(&mut stream, b"G");
        assert!(took >= SHORT / 2, "not closed at once: {took:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_after_a_long_body_in_chunks_stays_open() {
    with_a_connection(SHORT_HEADS, |mut stream| {
        let head = "POST /login HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        // 72 kB that contain a body of 12 kB, which is not JSON. The server reads at most 48 KiB
        // before it parses the head.
        let body = "1\r\nx\r\n".repeat(12_000);
        let request = format!("{head}{body}0\r\n\r\n");
        stream
            .write_all(request.as_bytes())
            .expect("the server reads the request");
        assert!(answer(&mut stream).starts_with(b"HTTP/1.1 400 "));
        thread::sleep(SHORT * 3);
        get_live(&mut stream);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_client_keeps_its_connection() {
    with_a_connection(SHORT_INACTIVITY, |mut stream| {
        let started = Instant::now();
        while started.elapsed() < SHORT * 3 {
            get_live(&mut stream);
            thread::sleep(PACE);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_refused_before_it_takes_much_memory() {
    with_a_connection(SHORT_INACTIVITY, |mut stream| {
        get_live(&mut stream);
        let head = format!("GET /health/live HTTP/1.1\r\nX-Long: {}", "x".repeat(20_000));
        stream
            .write_all(head.as_bytes())
            .expect("the server reads the request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the server responds");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_a_limited_number_of_connections_on_all_workers_together() {
    let limit = 5;
    let service = service(SHORT_HEADS, |settings| {
        settings.server.max_connections_per_address = limit;
    })
    .await;
    let address = service.address;
    let clients = move || {
        let mut held: Vec<_> = (0..limit).map(|_| connect(address)).collect();
        for stream in &mut held {
            get_live(stream);
        }
        assert!(is_refused(&mut connect(address)));
        drop(held.pop());
        // The server has yet to read that the connection is closed.
        let started = Instant::now();
        while is_refused(&mut connect(address)) {
            assert!(started.elapsed() < TIMEOUT, "no connection is accepted");
        }
    };
    spawn_blocking(clients).await.expect("the task does not panic");
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the system accepts connections");
    stream
        .set_read_timeout(Some(TIMEOUT))
        .expect("the timeout can be set");
    stream
}

/// Returns whether the server closed the connection without a response.
fn is_refused(stream: &mut TcpStream) -> bool {
    let request = GET_LIVE.replace("test", "test\r\nConnection: close");
    let mut answer = String::new();
    let outcome = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.read_to_string(&mut answer));
    outcome.is_err() || answer.is_empty()
}
