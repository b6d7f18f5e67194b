use crate::work::PacedWork;
use anyhow::{Context, Result};
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, HOST},
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::{net::SocketAddr, pin::pin, time::Duration};
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
    time::timeout,
};

/// How long to wait for a response.
const TIMEOUT: Duration = Duration::from_secs(30);

type Driver = http1::Connection<TokioIo<TcpStream>, Empty<Bytes>>;

/// A connection to a replica with the tokens for its requests. It is opened again after a failure.
pub struct Connection {
    runtime: Runtime,
    open: Option<Open>,
    work: PacedWork,
    address: SocketAddr,
    tokens: Vec<String>,
}

struct Open {
    sender: SendRequest<Empty<Bytes>>,
    driver: Driver,
}

/// The part of a response to a refresh that is used.
#[derive(Deserialize)]
struct Refreshed {
    refresh_token: String,
}

impl Connection {
    /// Opens a connection to a replica.
    pub fn open(work: PacedWork, address: SocketAddr, tokens: Vec<String>) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let open = runtime.block_on(Open::to(address))?;
        Ok(Self {
            runtime,
            open: Some(open),
            work,
            address,
            tokens,
        })
    }

    /// Sends one request. Returns the status or the kind of the failure; `None` if no token is
    /// left.
    pub fn send(&mut self) -> Option<Result<u16, &'static str>> {
        let (path, token) = match self.work {
            PacedWork::Logout => ("/logout", self.tokens.pop()?),
            // After a failure, the token is presented again.
            PacedWork::Refresh => ("/refresh", self.tokens.last()?.clone()),
        };
        let request = Request::post(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Empty::new())
            .expect("a path and a token are valid in a request");
        let exchange = exchange(&mut self.open, self.address, request);
        // The timer of a timeout is created inside the runtime.
        let response = async { timeout(TIMEOUT, exchange).await };
        Some(match self.runtime.block_on(response) {
            Ok(Ok((status, body))) => self.accept(status, &body),
            Ok(Err(_)) => self.fail("connection"),
            Err(_) => self.fail("timeout"),
        })
    }

    fn accept(&mut self, status: StatusCode, body: &[u8]) -> Result<u16, &'static str> {
        if self.work == PacedWork::Refresh && status == StatusCode::OK {
            let refreshed: Refreshed = serde_json::from_slice(body).map_err(|_| "body")?;
            self.tokens = vec![refreshed.refresh_token];
        }
        Ok(status.as_u16())
    }

    fn fail(&mut self, kind: &'static str) -> Result<u16, &'static str> {
        self.open = None;
        Err(kind)
    }
}

impl Open {
    async fn to(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver })
    }
}

/// Sends a request and reads the whole response.
async fn exchange(
    open: &mut Option<Open>,
    address: SocketAddr,
    request: Request<Empty<Bytes>>,
) -> Result<(StatusCode, Bytes)> {
    let Open { sender, driver } = match open {
        Some(open) => open,
        None => open.insert(Open::to(address).await?),
    };
    let response = async {
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        anyhow::Ok((status, response.into_body().collect().await?.to_bytes()))
    };
    match select(pin!(response), driver).await {
        Either::Left((response, _)) => response,
        Either::Right((closed, _)) => {
            closed?;
            None.context("the replica closed the connection")
        }
    }
}
