//! The lane that passwords are hashed and rated in: threads of its own, so that neither ever stalls the threads that answer
//! requests, and a queue with an end, so that a flood of logins costs neither memory nor ever longer waits.

mod admission;
mod meter;

use admission::{Admission, Place, Refusal};
use argon2::Block;
use domain::ports::PortError;
use meter::LaneMeter;
pub(crate) use meter::Work;
use request_scope::RequestScope;
use std::{
    io,
    num::NonZeroUsize,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use thiserror::Error;
use tokio::sync::oneshot;

/// How much lower than the rest of the process the lane's threads stand (`nice`, 0 to 19).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// The size of the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashPoolSettings {
    /// How many jobs are worked at once. Each costs a core, and the memory of one hash.
    pub threads: NonZeroUsize,
    /// How many jobs may wait. One more is refused at once, unless it is of a [request](request_scope::RequestScope) that was
    /// let in before; of those there may be as many again.
    pub queue: NonZeroUsize,
    /// A job that would wait longer than this, as jobs have lately been worked off, is refused at once. How long that takes
    /// is not known before the first.
    pub max_wait: Duration,
}

impl Default for HashPoolSettings {
    /// A thread for each core, 512 jobs, 5 seconds.
    fn default() -> Self {
        Self {
            threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            queue: NonZeroUsize::new(512).expect("512 is not 0"),
            max_wait: Duration::from_secs(5),
        }
    }
}

/// The blocks that one thread hashes in, from hash to hash.
pub type Blocks = Vec<Block>;

/// Where passwords are hashed and rated: a bounded first-come queue and the threads that work it off. They end when it is
/// dropped.
pub struct HashPool {
    /// `None` only while being dropped.
    queue: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
    admission: Arc<Admission>,
    meter: LaneMeter,
}

type Job = Box<dyn FnOnce(&mut Blocks) + Send>;

/// A job, or the lane, ended without an answer. The panic was reported where it happened.
#[derive(Debug, Error)]
#[error("a password hashing thread panicked")]
struct JobPanicked;

/// A job's answer to come.
pub struct Answer<T>(oneshot::Receiver<T>);

impl HashPool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(settings: HashPoolSettings) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(settings.queue.get().saturating_mul(2));
        let jobs = Arc::new(Mutex::new(jobs));
        let meter = LaneMeter::of_lane(settings.threads);
        let threads = (0..settings.threads.get())
            .map(|number| {
                let (jobs, meter) = (Arc::clone(&jobs), meter.clone());
                thread::Builder::new()
                    .name(format!("hash-{number}"))
                    .spawn(move || work_off(&jobs, &meter))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self {
            queue: Some(queue),
            threads,
            admission: Arc::new(Admission::of_lane(settings)),
            meter,
        })
    }

    /// Queues `job`, which hashes. It is not run when the answer has been dropped by the time its turn comes.
    ///
    /// # Errors
    /// [`PortError::Overloaded`] when the queue is full, or so long that the job would wait too long.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Blocks) -> T + Send + 'static,
    ) -> Result<Answer<T>, PortError> {
        self.submit_as(Work::Hash, job)
    }

    /// Queues `job`, which does such `work`.
    ///
    /// # Errors
    /// As [`HashPool::submit`].
    pub(crate) fn submit_as<T: Send + 'static>(
        &self,
        work: Work,
        job: impl FnOnce(&mut Blocks) -> T + Send + 'static,
    ) -> Result<Answer<T>, PortError> {
        let place = self.enter()?;
        let (sender, receiver) = oneshot::channel();
        let (queued_at, meter) = (Instant::now(), self.meter.clone());
        let job: Job = Box::new(move |blocks| {
            if sender.is_closed() {
                return;
            }
            let (answer, took) = meter.measured(work, queued_at.elapsed(), || job(blocks));
            // Before whoever asked can ask for more.
            place.leave_after(took);
            // Whoever asked may have gone away meanwhile.
            let _ = sender.send(answer);
        });
        let queue = self
            .queue
            .as_ref()
            .expect("the queue is there until the lane is dropped");
        // Before it is sent, since it may be taken at once.
        self.meter.queued();
        queue.try_send(job).map_err(|error| {
            self.meter.taken();
            match error {
                TrySendError::Full(_) => {
                    self.meter.refused(Refusal::QueueFull);
                    PortError::Overloaded
                }
                TrySendError::Disconnected(_) => PortError::Unavailable(Box::new(JobPanicked)),
            }
        })?;
        Ok(Answer(receiver))
    }

    /// A place for a job of the current request. Who registers has a password rated and then hashed; between the two they are
    /// not turned away any more.
    fn enter(&self) -> Result<Place, PortError> {
        let request = RequestScope::current();
        if request.as_ref().is_some_and(RequestScope::is_let_in) {
            return Ok(self.admission.enter_again());
        }
        let place = self.admission.enter().map_err(|refusal| {
            self.meter.refused(refusal);
            PortError::Overloaded
        })?;
        if let Some(request) = request {
            request.let_in();
        }
        Ok(place)
    }
}

impl<T> Answer<T> {
    /// What the job returned.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] when it panicked.
    pub(crate) async fn get(self) -> Result<T, PortError> {
        let answer = self.0.await;
        answer.map_err(|_gone| PortError::Unavailable(Box::new(JobPanicked)))
    }
}

impl Drop for HashPool {
    /// Waits for the hashes that are being computed; jobs that are left have nobody who asks for them any more.
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            // Jobs that panic are caught, so there is nothing to be told here.
            let _ = thread.join();
        }
    }
}

fn work_off(jobs: &Mutex<Receiver<Job>>, meter: &LaneMeter) {
    step_back();
    let mut blocks = Blocks::new();
    while let Some(job) = next(jobs) {
        meter.taken();
        meter.busy();
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| job(&mut blocks)));
        meter.idle();
        if outcome.is_err() {
            tracing::error!("a password hashing job panicked; its thread goes on");
            blocks = Blocks::new();
        }
    }
}

/// The job whose turn it is; `None` when the lane was dropped. Threads take turns at waiting.
fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Lowers the calling thread's priority, so that a queue of logins does not slow other requests down.
fn step_back() {
    // Elsewhere priorities belong to the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "hash threads keep their priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
    use std::{
        cell::RefCell,
        collections::{BTreeMap, HashSet},
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
    };

    fn pool(threads: usize, queue: usize) -> HashPool {
        HashPool::start(HashPoolSettings {
            threads: NonZeroUsize::new(threads).expect("not 0"),
            queue: NonZeroUsize::new(queue).expect("not 0"),
            max_wait: Duration::from_hours(1),
        })
        .expect("threads")
    }

    /// A job that keeps a thread busy until the gate is dropped.
    fn occupy(pool: &HashPool) -> mpsc::Sender<()> {
        let (gate, closed) = mpsc::channel();
        let (running, started) = mpsc::channel();
        let answer = pool.submit(move |_: &mut Blocks| {
            running.send(()).expect("the test waits");
            let _ = closed.recv();
        });
        started.recv().expect("the job runs");
        // Kept for the gate's sake: a job whose answer is dropped while it runs still runs to its end.
        drop(answer.expect("an empty queue"));
        gate
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_what_was_taken_is_answered() {
        let pool = pool(1, 1);
        let gate = occupy(&pool);
        let queued = pool.submit(|_| 7).expect("room for one");
        let refused = pool.submit(|_| 8).err();
        assert!(matches!(refused, Some(PortError::Overloaded)));
        drop(gate);
        assert_eq!(queued.get().await.expect("an answer"), 7);
    }

    #[tokio::test]
    async fn jobs_are_answered_in_the_order_they_came() {
        let pool = pool(1, 100);
        let gate = occupy(&pool);
        let order = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<_> = (0..100)
            .map(|number| {
                let order = Arc::clone(&order);
                pool.submit(move |_| order.lock().expect("no panic").push(number))
                    .expect("room")
            })
            .collect();
        drop(gate);
        for answer in answers {
            answer.get().await.expect("an answer");
        }
        assert_eq!(*order.lock().expect("no panic"), (0..100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn who_would_wait_too_long_is_refused_at_once_and_who_is_let_in_is_served() {
        let pool = pool(1, 100);
        // The lane's patience is an hour.
        let took = Duration::from_mins(25);
        pool.admission.enter().expect("an empty lane").leave_after(took);
        let gate = occupy(&pool);
        let first = pool.submit(|_| 1).expect("a wait of 25 minutes");
        let second = pool.submit(|_| 2).expect("a wait of 50 minutes");
        assert!(matches!(pool.submit(|_| 3).err(), Some(PortError::Overloaded)));
        drop(gate);
        assert_eq!(first.get().await.expect("an answer"), 1);
        assert_eq!(second.get().await.expect("an answer"), 2);
    }

    #[tokio::test]
    async fn a_request_that_was_let_in_is_not_turned_away_at_its_next_job() {
        let pool = pool(1, 1);
        let work = async {
            let rated = pool.submit_as(Work::Rating, |_| 1).expect("an empty lane");
            rated.get().await.expect("an answer");
            let gate = occupy(&pool);
            let waiting = pool.submit(|_| 2).expect("let in before");
            let hashed = pool.submit(|_| 3).expect("let in before");
            // There is an end to it, whoever asks.
            assert!(matches!(pool.submit(|_| 4).err(), Some(PortError::Overloaded)));
            drop(gate);
            waiting.get().await.expect("an answer") + hashed.get().await.expect("an answer")
        };
        let request = RequestScope::with_patience(Duration::from_secs(1));
        assert_eq!(request.run(work).await, 5);

        let request = RequestScope::with_patience(Duration::from_secs(1));
        let gate = occupy(&pool);
        let waiting = pool.submit(|_| ()).expect("room for one");
        let turned_away = request.run(async { pool.submit(|_| ()).is_err() }).await;
        assert!(turned_away);
        drop(gate);
        waiting.get().await.expect("an answer");
    }

    #[tokio::test]
    async fn a_job_nobody_waits_for_is_skipped() {
        let pool = pool(1, 2);
        let gate = occupy(&pool);
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        drop(
            pool.submit(move |_| counted.fetch_add(1, Ordering::SeqCst))
                .expect("room"),
        );
        let last = pool.submit(|_| ()).expect("room");
        drop(gate);
        last.get().await.expect("an answer");
        assert_eq!(runs.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_job_that_panics_is_an_error_and_its_thread_goes_on() {
        let pool = pool(1, 1);
        let panicking = pool.submit(|_| -> () { panic!("on purpose") }).expect("room");
        assert!(matches!(panicking.get().await, Err(PortError::Unavailable(_))));
        for _ in 0..3 {
            assert_eq!(
                pool.submit(|_| 7).expect("room").get().await.expect("an answer"),
                7
            );
        }
    }

    #[tokio::test]
    async fn a_flood_of_jobs_uses_no_more_buffers_than_threads_and_no_more_places_than_the_queue_has() {
        let pool = pool(2, 50);
        let (first, second) = (occupy(&pool), occupy(&pool));
        let buffers = Arc::new(Mutex::new(HashSet::new()));
        let answers: Vec<_> = (0..5000)
            .filter_map(|_| {
                let buffers = Arc::clone(&buffers);
                let job = move |blocks: &mut Blocks| {
                    blocks.resize(16, Block::new());
                    buffers.lock().expect("no panic").insert(blocks.as_ptr() as usize);
                };
                pool.submit(job).ok()
            })
            .collect();
        assert_eq!(answers.len(), 50);
        drop((first, second));
        for answer in answers {
            answer.get().await.expect("an answer");
        }
        assert!((1..=2).contains(&buffers.lock().expect("no panic").len()));
    }

    /// A lane whose measurements go to the recorder that the snapshotter looks into.
    fn measured_lane(threads: usize, queue: usize) -> (HashPool, Snapshotter) {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let pool = metrics::with_local_recorder(&recorder, || pool(threads, queue));
        (pool, snapshotter)
    }

    /// Counters and gauges as they are, and of histograms the number of measurements, since the last call; a gauge that
    /// did not change since then is 0.
    fn measured(snapshotter: &Snapshotter) -> BTreeMap<String, i64> {
        let series = snapshotter.snapshot().into_vec().into_iter();
        series
            .map(|(key, _, description, value)| {
                assert!(description.is_some(), "{key:?} is not described");
                let labels = key.key().labels().map(metrics::Label::value);
                let name = labels.fold(key.key().name().to_owned(), |name, label| {
                    format!("{name} {label}")
                });
                let value = match value {
                    DebugValue::Counter(count) => i64::try_from(count).expect("few"),
                    DebugValue::Gauge(value) => {
                        format!("{value}").parse().expect("gauges count whole things")
                    }
                    DebugValue::Histogram(values) => i64::try_from(values.len()).expect("few"),
                };
                (name, value)
            })
            .collect()
    }

    #[tokio::test]
    async fn what_waits_what_runs_and_what_was_refused_is_measured() {
        let (pool, snapshotter) = measured_lane(1, 2);
        let gate = occupy(&pool);
        let first = pool.submit(|_| ()).expect("room");
        let second = pool.submit_as(Work::Rating, |_| ()).expect("room");
        assert!(pool.submit(|_| ()).is_err());
        let expected = [
            ("authapi_hash_duration_seconds hash", 0),
            ("authapi_hash_duration_seconds rating", 0),
            ("authapi_hash_queue_length", 2),
            ("authapi_hash_rejected_total queue_full", 1),
            ("authapi_hash_rejected_total would_wait_too_long", 0),
            ("authapi_hash_threads", 1),
            ("authapi_hash_threads_busy", 1),
            ("authapi_hash_wait_seconds", 1),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(measured(&snapshotter), BTreeMap::from(expected));

        drop(gate);
        first.get().await.expect("an answer");
        second.get().await.expect("an answer");
        // Waits for the thread, which counts after it has answered.
        drop(pool);
        let after = measured(&snapshotter);
        assert_eq!(after["authapi_hash_duration_seconds hash"], 2);
        assert_eq!(after["authapi_hash_duration_seconds rating"], 1);
        // What was there before has been taken away with the snapshot.
        assert_eq!(after["authapi_hash_queue_length"], -2);
        assert_eq!(after["authapi_hash_threads_busy"], -1);
    }

    #[tokio::test]
    async fn a_job_that_panics_does_not_leave_its_thread_busy_for_ever() {
        let (pool, snapshotter) = measured_lane(1, 1);
        let panicking = pool.submit(|_| -> () { panic!("on purpose") }).expect("room");
        assert!(panicking.get().await.is_err());
        drop(pool);
        let after = measured(&snapshotter);
        assert_eq!(after["authapi_hash_threads_busy"], 0);
        assert_eq!(after["authapi_hash_queue_length"], 0);
    }

    /// Tells when the thread that it belongs to ends.
    struct Farewell(mpsc::Sender<()>);

    impl Drop for Farewell {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    thread_local! {
        static FAREWELL: RefCell<Option<Farewell>> = const { RefCell::new(None) };
    }

    #[tokio::test]
    async fn the_threads_end_with_the_lane() {
        let pool = pool(1, 1);
        let (sender, farewells) = mpsc::channel();
        let job = move |_: &mut Blocks| FAREWELL.set(Some(Farewell(sender)));
        pool.submit(job).expect("room").get().await.expect("an answer");
        assert!(farewells.try_recv().is_err());
        drop(pool);
        assert!(farewells.try_recv().is_ok());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_threads_stand_back_behind_the_rest_of_the_process() {
        let priority = || rustix::process::getpriority_process(None).expect("a priority");
        let pool = pool(1, 1);
        let theirs = pool.submit(move |_| priority()).expect("room").get().await;
        assert_eq!(theirs.expect("an answer"), (priority() + NICENESS).min(19));
    }
}
