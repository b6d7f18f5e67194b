//! Receives notifications on a connection of its own.

use std::{error::Error, future::poll_fn, pin::Pin};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc::UnboundedSender,
};
use tokio_postgres::{AsyncMessage, Connection};

/// Drives a connection until it ends.
pub type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Returns the driver of `connection`, which sends the payloads of notifications to `payloads`.
pub fn driver<S, T>(connection: Connection<S, T>, payloads: UnboundedSender<String>) -> Driver
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Box::pin(forward(connection, payloads))
}

async fn forward<S, T>(mut connection: Connection<S, T>, payloads: UnboundedSender<String>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(received) = poll_fn(|context| connection.poll_message(context)).await {
        match received {
            Ok(AsyncMessage::Notification(notification)) => {
                if payloads.send(notification.payload().to_owned()).is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn Error,
                    "the connection for notifications failed"
                );
                return;
            }
        }
    }
}
