use super::unwritable;
use crate::Failure;
use std::io::{BufWriter, Error, ErrorKind, Stdout, Write, stdout};

/// Standard output for more than somebody may want to read: whoever writes looks now and then whether
/// [it is still read](Self::is_read).
pub struct Stream {
    out: BufWriter<Stdout>,
    is_read: bool,
}

impl Stream {
    pub fn new() -> Self {
        Self {
            out: BufWriter::with_capacity(1 << 16, stdout()),
            is_read: true,
        }
    }

    /// Whether nobody has hung up so far.
    pub fn is_read(&self) -> bool {
        self.is_read
    }

    /// Writes `text` and the end of a line.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())?;
        self.bytes(b"\n")
    }

    /// Writes `bytes` as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if !self.is_read {
            return Ok(());
        }
        let written = self.out.write_all(bytes);
        self.settle(written)
    }

    /// Whatever was written has been handed on when this returns.
    pub fn flush(&mut self) -> Result<(), Failure> {
        if !self.is_read {
            return Ok(());
        }
        let written = self.out.flush();
        self.settle(written)
    }

    fn settle(&mut self, written: Result<(), Error>) -> Result<(), Failure> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_read = false;
                Ok(())
            }
            written => written.map_err(unwritable),
        }
    }
}
