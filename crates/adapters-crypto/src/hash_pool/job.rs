use super::{Blocks, JobPanicked, Running, Work};
use domain::ports::PortError;
use std::time::Instant;
use tokio::sync::oneshot;

/// A job that waits in the queue.
pub trait Job: Send {
    /// Runs the job in the buffer `blocks`, unless its [`Answer`] was dropped.
    fn run(self: Box<Self>, running: Running, blocks: &mut Blocks);

    /// Answers that the pool is overloaded.
    fn reject(self: Box<Self>);
}

/// The pending result of a queued job.
pub struct Answer<T>(oneshot::Receiver<Result<T, PortError>>);

/// A job with the sender of its result.
struct Task<T, F> {
    work: Work,
    queued_at: Instant,
    job: F,
    sender: oneshot::Sender<Result<T, PortError>>,
}

/// Creates a job, and its pending result.
pub fn job<T, F>(work: Work, job: F) -> (Box<dyn Job>, Answer<T>)
where
    T: Send + 'static,
    F: FnOnce(&mut Blocks) -> T + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let task = Task {
        work,
        queued_at: Instant::now(),
        job,
        sender,
    };
    (Box::new(task), Answer(receiver))
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Blocks) -> T + Send,
{
    fn run(self: Box<Self>, running: Running, blocks: &mut Blocks) {
        let Self {
            work,
            queued_at,
            job,
            sender,
        } = *self;
        if sender.is_closed() {
            return;
        }
        let answer = running.metered(work, queued_at.elapsed(), || job(blocks));
        // The caller may have dropped the receiver meanwhile.
        let _ = sender.send(Ok(answer));
    }

    fn reject(self: Box<Self>) {
        // The caller may have dropped the receiver meanwhile.
        let _ = self.sender.send(Err(PortError::Overloaded));
    }
}

impl<T> Answer<T> {
    /// Waits for the job and returns its result.
    ///
    /// # Errors
    /// Returns [`PortError::Overloaded`] if the job lost its place to a client of another network,
    /// and [`PortError::Unavailable`] if it panicked.
    pub(crate) async fn get(self) -> Result<T, PortError> {
        match self.0.await {
            Ok(answer) => answer,
            Err(_gone) => Err(PortError::Unavailable(Box::new(JobPanicked))),
        }
    }
}
