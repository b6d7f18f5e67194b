use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The number of bytes that are written without waiting for more lines.
const BATCH_BYTES: usize = 64 * 1024;
/// How long the thread waits for more lines before it writes.
const BATCH_DELAY: Duration = Duration::from_millis(5);
/// Maximum number of bytes that wait to be written. Above it, logging blocks; lines are never
/// dropped.
const MAX_WAITING: usize = 4 * 1024 * 1024;
/// The capacity that the buffer keeps after a large batch.
const KEPT_CAPACITY: usize = 4 * BATCH_BYTES;
/// The wait budget for writing the remaining lines at the end of the process.
const END_BUDGET: Duration = Duration::from_secs(1);

/// Passes lines to a thread that writes them.
///
/// `tracing-appender` does this too, but wakes its thread for nearly every line or polls: a fifth
/// of the time of a service that answers `GET /me`. This thread wakes once for all lines of a
/// [`BATCH_DELAY`].
#[derive(Default)]
pub struct LineWriter {
    lines: Mutex<Lines>,
    /// Notified when the first line waits, when a batch is full, and at the end.
    pushed: Condvar,
    /// Notified when lines were taken and when the thread has ended.
    drained: Condvar,
}

#[derive(Default)]
struct Lines {
    waiting: Vec<u8>,
    /// No more lines are expected.
    ending: bool,
    /// No more lines are written.
    ended: bool,
}

impl LineWriter {
    /// Starts a thread that writes to `sink`. Lines that `sink` rejects because it is full or
    /// closed are lost: retrying would delay the end of the process.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(sink: impl Write + Send + 'static) -> io::Result<Arc<Self>> {
        let writer = Arc::new(Self::default());
        let thread = Arc::clone(&writer);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || thread.write_to(sink))?;
        Ok(writer)
    }

    /// Writes the remaining lines, for at most one second. Later lines are lost.
    pub fn end(&self) {
        let deadline = Instant::now() + END_BUDGET;
        let mut lines = self.lines();
        lines.ending = true;
        self.pushed.notify_one();
        while !lines.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.drained.wait_timeout(lines, left);
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let is_full = |lines: &mut Lines| lines.waiting.len() >= MAX_WAITING && !lines.ending;
        let waited = self.drained.wait_while(self.lines(), is_full);
        let mut lines = waited.unwrap_or_else(PoisonError::into_inner);
        if lines.ended {
            return;
        }
        let before = lines.waiting.len();
        lines.waiting.extend_from_slice(line);
        let is_first = before == 0;
        let is_enough = before < BATCH_BYTES && lines.waiting.len() >= BATCH_BYTES;
        drop(lines);
        // Waking the thread costs more than a line, so wake it only when needed.
        if is_first || is_enough {
            self.pushed.notify_one();
        }
    }

    fn write_to(&self, mut sink: impl Write) {
        let mut lines = Vec::new();
        let mut incomplete = false;
        loop {
            let is_last = self.take(&mut lines);
            // After a partially written line, start a new line.
            let separated = if incomplete { sink.write_all(b"\n") } else { Ok(()) };
            let written = separated.and_then(|()| sink.write_all(&lines));
            incomplete = written.and_then(|()| sink.flush()).is_err();
            if is_last {
                break;
            }
            lines.clear();
            lines.shrink_to(KEPT_CAPACITY);
        }
        self.lines().ended = true;
        self.drained.notify_all();
    }

    /// Waits for a batch of lines and swaps it with `room`, which is empty. Returns whether it is
    /// the last.
    fn take(&self, room: &mut Vec<u8>) -> bool {
        let is_none = |lines: &mut Lines| lines.waiting.is_empty() && !lines.ending;
        let is_few = |lines: &mut Lines| lines.waiting.len() < BATCH_BYTES && !lines.ending;
        let waited = self.pushed.wait_while(self.lines(), is_none);
        let lines = waited.unwrap_or_else(PoisonError::into_inner);
        let waited = self.pushed.wait_timeout_while(lines, BATCH_DELAY, is_few);
        let mut lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        mem::swap(&mut lines.waiting, room);
        let is_last = lines.ending;
        drop(lines);
        self.drained.notify_all();
        is_last
    }
}

/// A line MUST be passed in a single call; otherwise lines of other threads may be interleaved.
impl Write for &LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

    /// A sink that sends each write to a channel and blocks until it is received.
    struct ChannelSink(SyncSender<Vec<u8>>);

    impl Write for ChannelSink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let sent = self.0.send(bytes.to_vec());
            sent.map_err(|_| io::Error::other("the receiver was dropped"))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn writer() -> (Arc<LineWriter>, Receiver<Vec<u8>>) {
        let (sink, written) = sync_channel(0);
        (
            LineWriter::start(ChannelSink(sink)).expect("the thread can be started"),
            written,
        )
    }

    fn write(writer: &LineWriter, line: &str) {
        let mut writer = writer;
        writer
            .write_all(line.as_bytes())
            .expect("the lines can be written");
    }

    /// Ends the writer, and returns what it wrote.
    fn end(writer: &Arc<LineWriter>, written: Receiver<Vec<u8>>) -> Vec<u8> {
        let reader = thread::spawn(move || written.into_iter().flatten().collect());
        writer.end();
        reader.join().expect("the thread does not panic")
    }

    #[test]
    fn lines_of_many_threads_are_complete_and_in_order_per_thread() {
        const LINES: usize = 20_000;
        let (writer, written) = writer();
        let reader = thread::spawn(move || written.into_iter().flatten().collect::<Vec<u8>>());
        thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let writer = &writer;
                scope.spawn(move || {
                    (0..LINES).for_each(|number| write(writer, &format!("{name} {number}\n")));
                });
            }
        });
        writer.end();
        let text = String::from_utf8(reader.join().expect("the thread does not panic"))
            .expect("the lines are UTF-8");
        for name in ["a ", "b ", "c "] {
            let numbers = text.lines().filter_map(|line| line.strip_prefix(name));
            assert!(numbers.map(str::parse).eq((0..LINES).map(Ok)), "{name}");
        }
        assert_eq!(text.lines().count(), 3 * LINES);
    }

    #[test]
    fn a_single_line_is_written() {
        let (writer, written) = writer();
        write(&writer, "alone\n");
        assert_eq!(written.recv().expect("the line is written"), b"alone\n");
        write(&writer, "another\n");
        assert_eq!(written.recv().expect("the line is written"), b"another\n");
    }

    #[test]
    fn logging_blocks_and_drops_nothing_while_the_sink_blocks() {
        const LINES: usize = 40;
        const LENGTH: usize = MAX_WAITING / 4;
        let (writer, written) = writer();
        let shared = Arc::clone(&writer);
        let (sender, progress) = channel();
        let producer = thread::spawn(move || {
            for number in 1..=LINES {
                write(&shared, &"x".repeat(LENGTH));
                // The receiver may have been dropped at the end.
                let _ = sender.send(number);
            }
        });
        while progress.recv().expect("a line was logged") < MAX_WAITING / LENGTH {}
        let mut bytes = 0;
        while bytes < LINES * LENGTH {
            let waiting = writer.lines().waiting.len();
            assert!(waiting < MAX_WAITING + LENGTH, "{waiting}");
            bytes += written.recv().expect("more bytes are written").len();
        }
        producer.join().expect("the thread does not panic");
        assert_eq!(bytes, LINES * LENGTH);
    }

    #[test]
    fn after_a_partially_written_line_the_next_starts_on_a_new_line() {
        /// Accepts half of the first write, rejects the second, and accepts all later ones.
        struct FullOnce(SyncSender<Vec<u8>>, u8);
        impl Write for FullOnce {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 = self.1.saturating_add(1);
                let taken = match self.1 {
                    1 => bytes.len() / 2,
                    2 => return Err(io::Error::other("full")),
                    _ => bytes.len(),
                };
                let _ = self.0.send(bytes[..taken].to_vec());
                Ok(taken)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (sink, written) = sync_channel(0);
        let writer = LineWriter::start(FullOnce(sink, 0)).expect("the thread can be started");
        write(&writer, "first\n");
        assert_eq!(written.recv().expect("half of the line is written"), b"fir");
        write(&writer, "second\n");
        assert_eq!(end(&writer, written), b"\nsecond\n");
    }

    #[test]
    fn the_end_writes_waiting_lines() {
        let (writer, written) = writer();
        write(&writer, "last\n");
        assert_eq!(end(&writer, written), b"last\n");
        write(&writer, "too late\n");
        writer.end();
    }

    #[test]
    fn the_end_does_not_wait_for_a_closed_sink() {
        let (writer, written) = writer();
        drop(written);
        write(&writer, "lost\n");
        writer.end();
        assert!(writer.lines().ended);
    }

    #[test]
    fn the_end_stops_waiting_for_a_blocked_sink() {
        let (writer, written) = writer();
        write(&writer, "stuck\n");
        writer.end();
        assert!(!writer.lines().ended);
        drop(written);
    }
}
