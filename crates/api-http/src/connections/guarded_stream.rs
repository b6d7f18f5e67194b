use super::{
    Connection,
    activity::{Activity, Turn},
};
use actix_web::{dev::Extensions, rt::net::TcpStream};
use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Number of headers that actix does not accept.
const TOO_MANY_HEADERS: usize = 97;
/// Maximum number of reads of the rest of a refused head.
const MAX_DISCARDED: u32 = 32;

/// The stream of an accepted connection, which limits the length of each request's head.
///
/// actix buffers up to 128 KiB of a head, and this cannot be configured. Neither does it limit the
/// time of any head but a connection's first; the stream records when one has begun.
#[derive(Debug)]
pub struct GuardedStream {
    stream: TcpStream,
    connection: Arc<Connection>,
    /// The rest of the text that makes actix refuse a head, once one was too long.
    refusal: Option<Vec<u8>>,
}

impl GuardedStream {
    pub(super) fn new(stream: TcpStream, connection: Arc<Connection>) -> Self {
        Self {
            stream,
            connection,
            refusal: None,
        }
    }

    /// Adds the connection's activity to its data, where the routes of this crate expect it. Call
    /// it in `HttpServiceBuilder::on_connect_ext`.
    pub fn attach(&self, data: &mut Extensions) {
        data.insert(Arc::clone(&self.connection.activity));
    }

    fn activity(&self) -> &Activity {
        &self.connection.activity
    }

    /// Appends headers to a head that is too long until actix responds with 431, in its turn after
    /// the responses to earlier requests. After that, the stream ends.
    fn refuse_head(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) {
        if self.refusal.is_none() {
            self.discard_what_has_arrived(context);
        }
        let headers = || [b"\r\n".to_vec(), b"x:y\r\n".repeat(TOO_MANY_HEADERS)].concat();
        let rest = self.refusal.get_or_insert_with(headers);
        let part: Vec<u8> = rest.drain(..rest.len().min(buffer.remaining())).collect();
        buffer.put_slice(&part);
    }

    /// Reads the rest of a head that the client has already sent: otherwise the system resets the
    /// connection when it is closed, and the client does not see the response.
    fn discard_what_has_arrived(&mut self, context: &mut Context<'_>) {
        let mut scratch = [MaybeUninit::uninit(); 4096];
        for _ in 0..MAX_DISCARDED {
            let mut discarded = ReadBuf::uninit(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(context, &mut discarded) {
                Poll::Ready(Ok(())) if !discarded.filled().is_empty() => {}
                _ => return,
            }
        }
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let turn = match this.refusal {
            Some(_) => Turn::RefuseHead,
            None => this.activity().turn(),
        };
        match turn {
            Turn::Read => {}
            Turn::Yield => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Turn::RefuseHead => {
                this.refuse_head(context, buffer);
                return Poll::Ready(Ok(()));
            }
            Turn::Close => {
                let error = io::Error::new(io::ErrorKind::InvalidData, "too many requests are pipelined");
                return Poll::Ready(Err(error));
            }
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let count = buffer.filled().len().saturating_sub(before);
        this.activity()
            .receive(u64::try_from(count).unwrap_or(u64::MAX), Instant::now());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
