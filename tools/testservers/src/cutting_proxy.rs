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

/// How a [`CuttingProxy`] treats connections, those that exist and those that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyMode {
    /// Everything is passed on.
    Pass,
    /// Connections are closed, new ones at once.
    Cut,
    /// Connections are reset (RST), new ones at once.
    Reset,
    /// Connections are accepted, what they bring is read and goes nowhere, and nothing comes back.
    BlackHole,
    /// Everything is passed on, each piece after this long.
    Delay(Duration),
}

/// A TCP proxy on loopback whose mode is switched while it runs. It ends with its value. It needs a tokio runtime with
/// I/O and time.
#[derive(Debug)]
pub struct CuttingProxy {
    address: SocketAddr,
    mode: watch::Sender<ProxyMode>,
    accepting: JoinHandle<()>,
}

impl CuttingProxy {
    /// Listens on a free port and passes everything on to `server`, which is asked for anew with each connection.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub async fn forward_to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port on loopback");
        let address = listener.local_addr().expect("a listener has an address");
        let (mode, modes) = watch::channel(ProxyMode::Pass);
        let accepting = tokio::spawn(accept(listener, server, modes));
        Self {
            address,
            mode,
            accepting,
        }
    }

    /// Where to connect to in the server's place.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Treats every connection by `mode` from now on. A connection that lost anything in a black hole is cut when the
    /// mode is another again, since what follows would not fit what went before.
    pub fn set(&self, mode: ProxyMode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        // The connections are tasks of this one and end with it.
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

/// Passes bytes on in one direction until one side closes or the mode says so.
async fn pass(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut modes: watch::Receiver<ProxyMode>,
) -> Ended {
    let mut piece = vec![0; 16 * 1024];
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
            length = from.read(&mut piece) => length.unwrap_or(0),
            changed = modes.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Ended::Closed,
            },
        };
        let Some(bytes) = piece.get(..length).filter(|it| !it.is_empty()) else {
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
    // Without a linger the close below sends RST in place of FIN.
    let _ = stream.set_zero_linger();
    drop(stream);
}
