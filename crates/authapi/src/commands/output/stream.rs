use super::unwritable;
use crate::Failure;
use std::io::{BufWriter, Error, ErrorKind, Stdout, Write, stdout};

/// Buffered standard output. Callers that print many lines check [`is_read`](Self::is_read) and
/// stop once the reader has closed its end.
pub struct Stream {
    out: BufWriter<Stdout>,
    is_read: bool,
}

impl Stream {
    /// Starts to buffer standard output.
    pub fn new() -> Self {
        Self {
            out: BufWriter::with_capacity(1 << 16, stdout()),
            is_read: true,
        }
    }

    /// Returns whether standard output still has a reader.
    pub fn is_read(&self) -> bool {
        self.is_read
    }

    /// Writes `text` and a line feed.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())?;
        self.bytes(b"\n")
    }

    /// Writes `bytes` unchanged.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if !self.is_read {
            return Ok(());
        }
        let written = self.out.write_all(bytes);
        self.check(written)
    }

    /// Flushes the buffer.
    pub fn flush(&mut self) -> Result<(), Failure> {
        if !self.is_read {
            return Ok(());
        }
        let written = self.out.flush();
        self.check(written)
    }

    fn check(&mut self, written: Result<(), Error>) -> Result<(), Failure> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_read = false;
                Ok(())
            }
            written => written.map_err(unwritable),
        }
    }
}
