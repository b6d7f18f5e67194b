use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// So many bytes are written at once, without waiting for more.
const AT_ONCE: usize = 64 * 1024;
/// How long lines may wait for others to be written with.
const GATHERING: Duration = Duration::from_millis(5);
/// Bytes that may wait to be written. While so many do, whoever has another line waits: none is dropped for being one too many.
const MOST: usize = 4 * 1024 * 1024;
/// Room that is kept for the next lines when many have gone.
const KEPT_ROOM: usize = 4 * AT_ONCE;
/// How long the end of the process waits for lines to be taken.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// Hands lines to a thread that writes them.
///
/// `tracing-appender` is made for this too. Its thread is woken for nearly every line, or looks for the next one again and again:
/// a fifth of the time of a service that answers `GET /me`. This one is woken once for all the lines of [`GATHERING`].
#[derive(Default)]
pub struct LineWriter {
    lines: Mutex<Lines>,
    /// There are lines, or enough of them, or there will be no more.
    given: Condvar,
    /// There is room again, or all is written.
    taken: Condvar,
}

#[derive(Default)]
struct Lines {
    waiting: Vec<u8>,
    /// Nothing more will be given.
    ending: bool,
    /// Nothing more will be written.
    ended: bool,
}

impl LineWriter {
    /// Writes to `sink` from now on. What it refuses, being full or closed, is lost: kept for later, it would be refused again,
    /// and the end of the process would wait for it.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(sink: impl Write + Send + 'static) -> io::Result<Arc<Self>> {
        let writer = Arc::new(Self::default());
        let thread = Arc::clone(&writer);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || thread.write_to(sink))?;
        Ok(writer)
    }

    /// Returns when all lines are written, or after a second. Lines that come after it are lost.
    pub fn end(&self) {
        let deadline = Instant::now() + LAST_CHANCE;
        let mut lines = self.lines();
        lines.ending = true;
        self.given.notify_one();
        while !lines.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.taken.wait_timeout(lines, left);
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, line: &[u8]) {
        let is_full = |lines: &mut Lines| lines.waiting.len() >= MOST && !lines.ending;
        let waited = self.taken.wait_while(self.lines(), is_full);
        let mut lines = waited.unwrap_or_else(PoisonError::into_inner);
        if lines.ended {
            return;
        }
        let before = lines.waiting.len();
        lines.waiting.extend_from_slice(line);
        let is_first = before == 0;
        let is_enough = before < AT_ONCE && lines.waiting.len() >= AT_ONCE;
        drop(lines);
        // To wake the thread costs more than the line itself, so the lines in between do not.
        if is_first || is_enough {
            self.given.notify_one();
        }
    }

    fn write_to(&self, mut sink: impl Write) {
        let mut lines = Vec::new();
        let mut torn = false;
        loop {
            let is_last = self.take(&mut lines);
            // After a line that was written in part the next one begins on a line of its own.
            let mended = if torn { sink.write_all(b"\n") } else { Ok(()) };
            let written = mended.and_then(|()| sink.write_all(&lines));
            torn = written.and_then(|()| sink.flush()).is_err();
            if is_last {
                break;
            }
            lines.clear();
            lines.shrink_to(KEPT_ROOM);
        }
        self.lines().ended = true;
        self.taken.notify_all();
    }

    /// Waits for lines, and for a moment for more of them, and exchanges them for `room`, which is empty. Whether they are the last.
    fn take(&self, room: &mut Vec<u8>) -> bool {
        let is_none = |lines: &mut Lines| lines.waiting.is_empty() && !lines.ending;
        let is_few = |lines: &mut Lines| lines.waiting.len() < AT_ONCE && !lines.ending;
        let waited = self.given.wait_while(self.lines(), is_none);
        let lines = waited.unwrap_or_else(PoisonError::into_inner);
        let waited = self.given.wait_timeout_while(lines, GATHERING, is_few);
        let mut lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        mem::swap(&mut lines.waiting, room);
        let is_last = lines.ending;
        drop(lines);
        self.taken.notify_all();
        is_last
    }
}

/// A line MUST come in one piece, or another's may come between.
impl Write for &LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.give(line);
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

    /// Tells what it is given, and waits until that is taken.
    struct Told(SyncSender<Vec<u8>>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let sent = self.0.send(bytes.to_vec());
            sent.map_err(|_| io::Error::other("nobody listens"))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn writer() -> (Arc<LineWriter>, Receiver<Vec<u8>>) {
        let (told, heard) = sync_channel(0);
        (LineWriter::start(Told(told)).expect("a thread"), heard)
    }

    fn write(writer: &LineWriter, line: &str) {
        let mut writer = writer;
        writer.write_all(line.as_bytes()).expect("it takes lines");
    }

    /// Everything until the writer has ended.
    fn ended(writer: &Arc<LineWriter>, heard: Receiver<Vec<u8>>) -> Vec<u8> {
        let reader = thread::spawn(move || heard.into_iter().flatten().collect());
        writer.end();
        reader.join().expect("no panic")
    }

    #[test]
    fn every_line_of_many_threads_comes_whole_and_each_threads_in_order() {
        const LINES: usize = 20_000;
        let (writer, heard) = writer();
        let reader = thread::spawn(move || heard.into_iter().flatten().collect::<Vec<u8>>());
        thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let writer = &writer;
                scope.spawn(move || {
                    (0..LINES).for_each(|number| write(writer, &format!("{name} {number}\n")));
                });
            }
        });
        writer.end();
        let text = String::from_utf8(reader.join().expect("no panic")).expect("whole lines");
        for name in ["a ", "b ", "c "] {
            let numbers = text.lines().filter_map(|line| line.strip_prefix(name));
            assert!(numbers.map(str::parse).eq((0..LINES).map(Ok)), "{name}");
        }
        assert_eq!(text.lines().count(), 3 * LINES);
    }

    #[test]
    fn a_line_alone_is_written_though_no_other_comes() {
        let (writer, heard) = writer();
        write(&writer, "alone\n");
        assert_eq!(heard.recv().expect("a line"), b"alone\n");
        write(&writer, "another\n");
        assert_eq!(heard.recv().expect("a line"), b"another\n");
    }

    #[test]
    fn nothing_is_dropped_while_nobody_takes_lines_and_whoever_has_more_waits() {
        const LINES: usize = 40;
        const LENGTH: usize = MOST / 4;
        let (writer, heard) = writer();
        let giving = Arc::clone(&writer);
        let (number_of, so_far) = channel();
        let giver = thread::spawn(move || {
            for number in 1..=LINES {
                write(&giving, &"x".repeat(LENGTH));
                // Nobody may want to know any more.
                let _ = number_of.send(number);
            }
        });
        while so_far.recv().expect("the giver gives") < MOST / LENGTH {}
        let mut bytes = 0;
        while bytes < LINES * LENGTH {
            let waiting = writer.lines().waiting.len();
            assert!(waiting < MOST + LENGTH, "{waiting}");
            bytes += heard.recv().expect("more of it").len();
        }
        giver.join().expect("no panic");
        assert_eq!(bytes, LINES * LENGTH);
    }

    #[test]
    fn after_a_line_that_broke_off_the_next_one_begins_anew() {
        /// Takes half of what it is given first, and is full then; later it takes everything.
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
        let (told, heard) = sync_channel(0);
        let writer = LineWriter::start(FullOnce(told, 0)).expect("a thread");
        write(&writer, "first\n");
        assert_eq!(heard.recv().expect("half of it"), b"fir");
        write(&writer, "second\n");
        assert_eq!(ended(&writer, heard), b"\nsecond\n");
    }

    #[test]
    fn the_end_brings_out_what_waits() {
        let (writer, heard) = writer();
        write(&writer, "last\n");
        assert_eq!(ended(&writer, heard), b"last\n");
        write(&writer, "too late\n");
        writer.end();
    }

    #[test]
    fn the_end_does_not_wait_for_a_reader_who_has_gone() {
        let (writer, heard) = writer();
        drop(heard);
        write(&writer, "lost\n");
        writer.end();
        assert!(writer.lines().ended);
    }

    #[test]
    fn the_end_does_not_wait_for_ever_for_a_reader_who_does_not_read() {
        let (writer, heard) = writer();
        write(&writer, "stuck\n");
        writer.end();
        assert!(!writer.lines().ended);
        drop(heard);
    }
}
