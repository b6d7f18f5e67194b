use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// How a [`CuttingProxy`] treats existing and new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyMode {
    /// Forwards all data.
    Pass,
    /// Closes existing connections, and new ones as soon as they are accepted.
    Cut,
    /// Resets existing connections (RST), and new ones as soon as they are accepted.
    Reset,
    /// Accepts connections, reads and discards what they send, and sends nothing back.
    BlackHole,
    /// Forwards all data, each chunk after this delay.
    Delay(Duration),
}

/// A TCP proxy on the loopback interface whose mode can be changed while it runs.
///
/// Dropping it closes all connections. It requires a tokio runtime with I/O and time enabled.
#[derive(Debug)]
pub struct CuttingProxy {
    address: SocketAddr,
    mode: watch::Sender<ProxyMode>,
    accepting: JoinHandle<()>,
}

impl CuttingProxy {
    /// Listens on a free port and forwards each connection to a new connection to `server`.
    ///
    /// # Panics
    /// If no port is available.
    pub async fn forward_to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a loopback port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let (mode, modes) = watch::channel(ProxyMode::Pass);
        let accepting = tokio::spawn(accept(listener, server, modes));
        Self {
            address,
            mode,
            accepting,
        }
    }

    /// Returns the address that clients connect to instead of the server's.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Applies `mode` to all existing and future connections.
    ///
    /// A connection that lost data in [`ProxyMode::BlackHole`] is closed when the mode next
    /// changes, because the rest of its stream would be corrupt.
    pub fn set(&self, mode: ProxyMode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        // The connection tasks belong to this task's `JoinSet`, so they are aborted too.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, modes: watch::Receiver<ProxyMode>) {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((client, _)) = listener.accept().await {
            connections.spawn(serve(client, server, modes.clone()));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(client: TcpStream, server: SocketAddr, mut modes: watch::Receiver<ProxyMode>) {
    let mode = *modes.borrow_and_update();
    match mode {
        ProxyMode::Cut => return,
        ProxyMode::Reset => return reset(client),
        ProxyMode::Pass | ProxyMode::BlackHole | ProxyMode::Delay(_) => {}
    }
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let ended = {
        let up = pass(&mut from_client, &mut to_server, modes.clone());
        let down = pass(&mut from_server, &mut to_client, modes.clone());
        tokio::select! {
            ended = up => ended,
            ended = down => ended,
        }
    };
    if ended == Ended::Reset
        && let Ok(client) = from_client.reunite(to_client)
    {
        reset(client);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Closed,
    Reset,
}

/// Forwards bytes in one direction until either side closes or the mode ends the connection.
async fn pass(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut modes: watch::Receiver<ProxyMode>,
) -> Ended {
    let mut chunk = vec![0; 16 * 1024];
    let mut lost = false;
    loop {
        let mode = *modes.borrow_and_update();
        match mode {
            ProxyMode::Cut => return Ended::Closed,
            ProxyMode::Reset => return Ended::Reset,
            ProxyMode::Pass | ProxyMode::Delay(_) if lost => return Ended::Closed,
            ProxyMode::Pass | ProxyMode::Delay(_) | ProxyMode::BlackHole => {}
        }
        let length = tokio::select! {
            length = from.read(&mut chunk) => length.unwrap_or(0),
            changed = modes.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Ended::Closed,
            },
        };
        let Some(bytes) = chunk.get(..length).filter(|it| !it.is_empty()) else {
            return Ended::Closed;
        };
        let mode = *modes.borrow();
        match mode {
            ProxyMode::BlackHole => {
                lost = true;
                continue;
            }
            ProxyMode::Delay(delay) => sleep(delay).await,
            ProxyMode::Pass | ProxyMode::Cut | ProxyMode::Reset => {}
        }
        if to.write_all(bytes).await.is_err() {
            return Ended::Closed;
        }
    }
}

fn reset(stream: TcpStream) {
    // With a linger of zero, closing sends RST instead of FIN.
    let _ = stream.set_zero_linger();
    drop(stream);
}
