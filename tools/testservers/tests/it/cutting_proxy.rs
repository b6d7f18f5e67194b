use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant},
};
use testservers::{CuttingProxy, ProxyMode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, split},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// Longer than an echo on loopback takes, and short enough to wait for the absence of a response.
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(10);

/// Starts a server that returns what it receives.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("the listener has an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = split(stream);
                copy(&mut from, &mut to).await
            });
        }
    });
    address
}

async fn connected() -> (CuttingProxy, TcpStream) {
    let proxy = CuttingProxy::forward_to(echo().await).await;
    let mut stream = TcpStream::connect(proxy.address())
        .await
        .expect("the proxy accepts connections");
    assert!(echoes(&mut stream).await);
    (proxy, stream)
}

async fn echoes(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 5];
    stream.write_all(b"hello").await.is_ok()
        && matches!(timeout(LONG, stream.read_exact(&mut answer)).await, Ok(Ok(_)))
        && answer == *b"hello"
}

/// Returns the result of the read that ends the connection.
async fn end_of(stream: &mut TcpStream) -> Result<usize, ErrorKind> {
    let mut byte = [0];
    let end = timeout(LONG, stream.read(&mut byte))
        .await
        .expect("the connection ends in time");
    end.map_err(|error| error.kind())
}

#[tokio::test]
async fn the_mode_cut_closes_existing_and_new_connections() {
    let (proxy, mut old) = connected().await;
    proxy.set(ProxyMode::Cut);
    assert_eq!(end_of(&mut old).await, Ok(0));
    let mut new = TcpStream::connect(proxy.address())
        .await
        .expect("the proxy accepts connections");
    assert_eq!(end_of(&mut new).await, Ok(0));
    proxy.set(ProxyMode::Pass);
    let mut new = TcpStream::connect(proxy.address())
        .await
        .expect("the proxy accepts connections");
    assert!(echoes(&mut new).await);
}

#[tokio::test]
async fn the_mode_reset_resets_existing_and_new_connections() {
    let (proxy, mut old) = connected().await;
    proxy.set(ProxyMode::Reset);
    assert_eq!(end_of(&mut old).await, Err(ErrorKind::ConnectionReset));
    let mut new = TcpStream::connect(proxy.address())
        .await
        .expect("the proxy accepts connections");
    assert_eq!(end_of(&mut new).await, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_black_hole_discards_data_and_a_connection_that_lost_data_is_cut_afterwards() {
    let (proxy, mut stream) = connected().await;
    proxy.set(ProxyMode::BlackHole);
    stream.write_all(b"hello").await.expect("the data is accepted");
    let mut answer = [0; 5];
    assert!(
        timeout(SHORT, stream.read(&mut answer)).await.is_err(),
        "a response arrived"
    );
    proxy.set(ProxyMode::Pass);
    assert_eq!(end_of(&mut stream).await, Ok(0));
}

#[tokio::test]
async fn a_delay_applies_to_each_chunk_in_both_directions() {
    let (proxy, mut stream) = connected().await;
    proxy.set(ProxyMode::Delay(SHORT));
    let start = Instant::now();
    assert!(echoes(&mut stream).await);
    assert!(start.elapsed() >= 2 * SHORT, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_dropped_proxy_stops_listening() {
    let (proxy, mut stream) = connected().await;
    let address = proxy.address();
    drop(proxy);
    assert!(!matches!(end_of(&mut stream).await, Ok(1..)));
    assert!(TcpStream::connect(address).await.is_err());
}
