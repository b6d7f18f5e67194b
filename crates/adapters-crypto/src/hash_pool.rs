//! The pool in which passwords are hashed and rated. It has its own threads, so that this work does
//! not block the threads that serve requests, and a bounded queue, so that a flood of logins
//! neither exhausts memory nor lengthens the wait without limit. The queue is fair to networks
//! ([`fair_queue`]).

mod fair_queue;
mod job;
mod lanes;
mod mean_duration;
mod pool_metrics;
mod pool_state;

use argon2::Block;
use domain::ports::{HashTicket, PortError};
use fair_queue::Share;
pub use job::Answer;
use job::job;
use pool_metrics::Refusal;
pub(crate) use pool_metrics::Work;
use pool_state::{PoolState, Reservation, Running};
use std::{
    io,
    num::NonZeroUsize,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};
use thiserror::Error;

/// The increment to the niceness of the process for the pool's threads; the sum is at most 19.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// The size of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashPoolSettings {
    /// The number of jobs that run at once. Each uses a core and the memory of one hash.
    pub threads: NonZeroUsize,
    /// The number of jobs of clients in unknown places that may wait. A quarter of it may wait in
    /// addition for clients in known places, and the same number of later jobs of an already
    /// admitted [ticket](HashTicket).
    pub queue: NonZeroUsize,
    /// The maximum expected wait, estimated from the duration of recent jobs. A job that would wait
    /// longer is rejected at once. Not enforced before the first job has been measured.
    pub max_wait: Duration,
}

impl Default for HashPoolSettings {
    /// One thread per core, 512 jobs and 5 seconds.
    fn default() -> Self {
        Self {
            threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            queue: NonZeroUsize::new(512).expect("512 is not 0"),
            max_wait: Duration::from_secs(5),
        }
    }
}

/// The memory in which one thread hashes, reused for every hash.
pub type Blocks = Vec<Block>;

/// Hashes and rates passwords on its own threads, which end when the pool is dropped. Jobs wait in
/// a bounded queue that serves the networks of clients in turns, and clients in known places every
/// second time.
pub struct HashPool {
    threads: Vec<JoinHandle<()>>,
    state: Arc<PoolState>,
}

/// The error for a job that ended without a result. The panic that ended it was logged where it
/// happened.
#[derive(Debug, Error)]
#[error("a password hashing job panicked")]
struct JobPanicked;

impl HashPool {
    /// Starts the threads.
    ///
    /// # Errors
    /// Returns an error if the operating system cannot start another thread.
    pub fn start(settings: HashPoolSettings) -> io::Result<Self> {
        let mut pool = Self {
            threads: Vec::new(),
            state: Arc::new(PoolState::new(settings)),
        };
        for number in 0..settings.threads.get() {
            let state = Arc::clone(&pool.state);
            let thread = thread::Builder::new().name(format!("hash-{number}"));
            pool.threads.push(thread.spawn(move || run_jobs(&state))?);
        }
        Ok(pool)
    }

    /// Reserves a place for the next job of the use case that holds `ticket`.
    ///
    /// # Errors
    /// Returns [`PortError::Overloaded`] if the queue is full or the expected wait is too long.
    pub(crate) fn reserve(&self, ticket: &mut HashTicket) -> Result<(), PortError> {
        let reservation = self.place(ticket)?;
        ticket.keep_reservation(reservation);
        Ok(())
    }

    /// Decides whether the job of the use case that holds `ticket` may use its reserved place. Does
    /// nothing without one.
    ///
    /// # Errors
    /// Returns [`PortError::Overloaded`] if the place may not be used in the client's share, or the
    /// expected wait is too long. The place is then free.
    pub(crate) fn settle(&self, ticket: &mut HashTicket) -> Result<(), PortError> {
        let Some(mut reservation) = ticket.take_reservation() else {
            return Ok(());
        };
        let settled = self.state.settle(&mut reservation, share(ticket));
        settled.map_err(|refusal| self.overloaded(refusal))?;
        ticket.keep_reservation(reservation);
        Ok(())
    }

    /// Queues `job` for the use case that holds `ticket`; `work` is its kind, for the metrics. The
    /// job is skipped if its [`Answer`] is dropped before it starts.
    ///
    /// # Errors
    /// Returns [`PortError::Overloaded`] if the queue is full or the expected wait is too long.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        work: Work,
        ticket: &mut HashTicket,
        work_to_do: impl FnOnce(&mut Blocks) -> T + Send + 'static,
    ) -> Result<Answer<T>, PortError> {
        let (job, answer) = job(work, work_to_do);
        let pushed = if ticket.is_admitted() {
            self.state.push_later(job)
        } else {
            let reservation = match ticket.take_reservation() {
                Some(reservation) => reservation,
                None => self.place(ticket)?,
            };
            self.state.push(reservation, share(ticket), job)
        };
        pushed.map_err(|refusal| self.overloaded(refusal))?;
        ticket.admit();
        Ok(answer)
    }

    fn place(&self, ticket: &HashTicket) -> Result<Reservation, PortError> {
        let place = self.state.reserve(share(ticket), ticket.client().network);
        place.map_err(|refusal| self.overloaded(refusal))
    }

    fn overloaded(&self, refusal: Refusal) -> PortError {
        self.state.metrics.refused(refusal);
        PortError::Overloaded
    }
}

fn share(ticket: &HashTicket) -> Share {
    if ticket.client().is_known {
        Share::Known
    } else {
        Share::Unknown
    }
}

impl Drop for HashPool {
    /// Waits for the threads to end. Queued jobs whose `Answer` has been dropped are skipped.
    fn drop(&mut self) {
        self.state.close();
        for thread in self.threads.drain(..) {
            // A thread catches the panics of its jobs, so there is no panic to report.
            let _ = thread.join();
        }
    }
}

fn run_jobs(state: &Arc<PoolState>) {
    lower_priority();
    let mut blocks = Blocks::new();
    while let Some((job, running)) = state.next() {
        state.metrics.busy();
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| job.run(running, &mut blocks)));
        state.metrics.idle();
        if outcome.is_err() {
            tracing::error!("a password hashing job panicked; its thread continues");
            blocks = Blocks::new();
        }
    }
}

/// Lowers the calling thread's priority, so that a queue of logins does not slow down other
/// requests.
fn lower_priority() {
    // On other systems a priority applies to the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "cannot lower the priority of the hash threads"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{ports::HashClient, throttle::Network};
    use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
    use std::{
        cell::RefCell,
        collections::{BTreeMap, HashSet},
        net::{IpAddr, Ipv4Addr},
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
    };

    fn pool(threads: usize, queue: usize) -> HashPool {
        HashPool::start(HashPoolSettings {
            threads: NonZeroUsize::new(threads).expect("the number is not 0"),
            queue: NonZeroUsize::new(queue).expect("the number is not 0"),
            max_wait: Duration::from_hours(1),
        })
        .expect("the threads can be started")
    }

    /// Queues a job that hashes, with a new ticket.
    fn submit<T: Send + 'static>(
        pool: &HashPool,
        job: impl FnOnce(&mut Blocks) -> T + Send + 'static,
    ) -> Result<Answer<T>, PortError> {
        pool.submit(Work::Hash, &mut HashTicket::default(), job)
    }

    /// Queues a job that keeps a thread busy until the returned gate is dropped.
    fn occupy(pool: &HashPool) -> mpsc::Sender<()> {
        let (gate, closed) = mpsc::channel();
        let (running, started) = mpsc::channel();
        let answer = submit(pool, move |_: &mut Blocks| {
            running.send(()).expect("the test waits");
            let _ = closed.recv();
        });
        started.recv().expect("the job runs");
        // Dropping the answer does not stop a job that already runs.
        drop(answer.expect("the queue is empty"));
        gate
    }

    #[tokio::test]
    async fn a_full_queue_rejects_at_once_and_admitted_jobs_are_answered() {
        let pool = pool(1, 1);
        let gate = occupy(&pool);
        let queued = submit(&pool, |_| 7).expect("the queue has room for one job");
        let refused = submit(&pool, |_| 8).err();
        assert!(matches!(refused, Some(PortError::Overloaded)));
        drop(gate);
        assert_eq!(queued.get().await.expect("the job returns a result"), 7);
    }

    #[tokio::test]
    async fn jobs_run_in_the_order_of_submission() {
        let pool = pool(1, 100);
        let gate = occupy(&pool);
        let order = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<_> = (0..100)
            .map(|number| {
                let order = Arc::clone(&order);
                submit(&pool, move |_| {
                    order.lock().expect("no other thread panics").push(number);
                })
                .expect("the queue has room")
            })
            .collect();
        drop(gate);
        for answer in answers {
            answer.get().await.expect("the job returns a result");
        }
        assert_eq!(
            *order.lock().expect("no other thread panics"),
            (0..100).collect::<Vec<_>>()
        );
    }

    #[tokio::test]
    async fn a_job_that_would_wait_too_long_is_rejected_at_once_and_an_admitted_one_runs() {
        let pool = pool(1, 100);
        // The pools of these tests accept waits of up to an hour.
        pool.state.record_duration(Duration::from_mins(25));
        let gate = occupy(&pool);
        let first = submit(&pool, |_| 1).expect("a wait of 25 minutes is allowed");
        let second = submit(&pool, |_| 2).expect("a wait of 50 minutes is allowed");
        assert!(matches!(submit(&pool, |_| 3).err(), Some(PortError::Overloaded)));
        drop(gate);
        assert_eq!(first.get().await.expect("the job returns a result"), 1);
        assert_eq!(second.get().await.expect("the job returns a result"), 2);
    }

    /// Creates the ticket of a client in the network number `network`.
    fn ticket_of(network: u8, is_known: bool) -> HashTicket {
        HashTicket::new(HashClient {
            network: Some(Network::site(IpAddr::V4(Ipv4Addr::new(198, 18, network, 1)))),
            is_known,
        })
    }

    #[tokio::test]
    async fn a_flood_of_one_network_does_not_delay_another_and_loses_its_newest_job_to_it() {
        let pool = pool(1, 4);
        let gate = occupy(&pool);
        let order = Arc::new(Mutex::new(Vec::new()));
        let queue = |name: &'static str, mut ticket: HashTicket| {
            let order = Arc::clone(&order);
            pool.submit(Work::Hash, &mut ticket, move |_| {
                order.lock().expect("no other thread panics").push(name);
            })
        };
        let mut flood: Vec<_> = (0..4)
            .map(|_| queue("flood", ticket_of(1, false)).expect("the queue has room"))
            .collect();
        let other = queue("other", ticket_of(2, false)).expect("the flood makes room");
        let known = queue("known", ticket_of(3, true)).expect("known places have a share");
        let displaced = flood.pop().expect("four jobs were queued");
        assert!(matches!(displaced.get().await, Err(PortError::Overloaded)));
        drop(gate);
        for answer in flood.into_iter().chain([other, known]) {
            answer.get().await.expect("the job returns a result");
        }
        let order = order.lock().expect("no other thread panics").clone();
        assert_eq!(order, ["known", "flood", "other", "flood", "flood"]);
    }

    #[tokio::test]
    async fn a_reserved_place_is_kept_until_the_ticket_is_dropped() {
        let pool = pool(1, 1);
        let gate = occupy(&pool);
        let mut ticket = HashTicket::default();
        pool.reserve(&mut ticket).expect("the queue has room for one job");
        assert!(!ticket.is_admitted());
        assert!(submit(&pool, |_| 1).is_err());
        drop(ticket);
        let queued = submit(&pool, |_| 2).expect("the place is free again");
        drop(gate);
        assert_eq!(queued.get().await.expect("the job returns a result"), 2);
    }

    #[tokio::test]
    async fn a_full_queue_has_a_place_for_a_client_that_turns_out_to_be_known() {
        let pool = pool(1, 1);
        let gate = occupy(&pool);
        let waiting = submit(&pool, |_| 1).expect("the queue has room for one job");
        for (is_known, expected) in [(false, None), (true, Some(2))] {
            let mut ticket = HashTicket::default();
            pool.reserve(&mut ticket)
                .expect("a place is lent until the client is known");
            ticket.set_known(is_known);
            let answer = pool.submit(Work::Hash, &mut ticket, |_| 2).ok();
            assert_eq!(answer.is_some(), is_known);
            if let Some(answer) = answer {
                drop(gate);
                assert_eq!(answer.get().await.ok(), expected);
                break;
            }
        }
        assert_eq!(waiting.get().await.expect("the job returns a result"), 1);
    }

    #[tokio::test]
    async fn a_lent_place_is_refused_to_an_unknown_client_when_it_is_settled() {
        let pool = pool(1, 1);
        let _gate = occupy(&pool);
        let _waiting = submit(&pool, |_| 1).expect("the queue has room for one job");
        let mut ticket = HashTicket::default();
        pool.reserve(&mut ticket)
            .expect("a place is lent until the client is known");
        assert!(matches!(pool.settle(&mut ticket), Err(PortError::Overloaded)));
        let mut other = HashTicket::default();
        pool.reserve(&mut other).expect("the place can be lent again");
    }

    #[tokio::test]
    async fn a_settled_place_is_kept_when_the_expected_wait_grows() {
        let pool = pool(1, 100);
        let gate = occupy(&pool);
        let first = submit(&pool, |_| 1).expect("the queue has room");
        let [mut settled, mut reserved] = [HashTicket::default(), HashTicket::default()];
        pool.reserve(&mut settled).expect("the queue has room");
        pool.reserve(&mut reserved).expect("the queue has room");
        pool.settle(&mut settled).expect("no job was measured yet");
        // The pools of these tests accept waits of up to an hour.
        pool.state.record_duration(Duration::from_hours(2));
        assert!(pool.settle(&mut reserved).is_err());
        let second = pool
            .submit(Work::Hash, &mut settled, |_| 2)
            .expect("the place is settled");
        drop(gate);
        assert_eq!(first.get().await.expect("the job returns a result"), 1);
        assert_eq!(second.get().await.expect("the job returns a result"), 2);
    }

    #[tokio::test]
    async fn a_network_with_slow_reads_does_not_keep_all_places() {
        let (pool, snapshotter) = metered_pool(1, 2);
        let gate = occupy(&pool);
        let mut slow = [ticket_of(1, false), ticket_of(1, false)];
        for ticket in &mut slow {
            pool.reserve(ticket).expect("the queue has room");
        }
        let other = pool
            .submit(Work::Hash, &mut ticket_of(2, false), |_| 2)
            .expect("the network with more places makes room");
        let [first, second] = &mut slow;
        assert!(matches!(pool.settle(first), Err(PortError::Overloaded)));
        pool.settle(second).expect("the network keeps one place");
        assert_eq!(recorded(&snapshotter)["authapi_hash_rejected_total displaced"], 1);
        drop(gate);
        assert_eq!(other.get().await.expect("the job returns a result"), 2);
    }

    #[tokio::test]
    async fn settling_without_a_reserved_place_does_nothing() {
        let pool = pool(1, 1);
        let _gate = occupy(&pool);
        let _waiting = submit(&pool, |_| 1).expect("the queue has room for one job");
        assert!(pool.settle(&mut HashTicket::default()).is_ok());
    }

    #[tokio::test]
    async fn later_jobs_of_an_admitted_ticket_are_accepted() {
        let (pool, mut ticket) = (pool(1, 1), HashTicket::default());
        let rated = pool
            .submit(Work::Rating, &mut ticket, |_| 1)
            .expect("the pool is empty");
        rated.get().await.expect("the job returns a result");
        let gate = occupy(&pool);
        let waiting = submit(&pool, |_| 2).expect("the queue has room for one job");
        let mut rejected = HashTicket::default();
        assert!(pool.submit(Work::Hash, &mut rejected, |_| 3).is_err());
        assert!(!rejected.is_admitted());
        let hashed = pool
            .submit(Work::Hash, &mut ticket, |_| 4)
            .expect("the ticket was admitted");
        // Jobs of admitted tickets are bounded too.
        let beyond = pool.submit(Work::Hash, &mut ticket, |_| 5).err();
        assert!(matches!(beyond, Some(PortError::Overloaded)));
        drop(gate);
        assert_eq!(waiting.get().await.expect("the job returns a result"), 2);
        assert_eq!(hashed.get().await.expect("the job returns a result"), 4);
    }

    #[tokio::test]
    async fn a_job_whose_answer_was_dropped_is_skipped() {
        let pool = pool(1, 2);
        let gate = occupy(&pool);
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        drop(submit(&pool, move |_| counted.fetch_add(1, Ordering::SeqCst)).expect("the queue has room"));
        let last = submit(&pool, |_| ()).expect("the queue has room");
        drop(gate);
        last.get().await.expect("the job returns a result");
        assert_eq!(runs.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_panicking_job_returns_an_error_and_its_thread_continues() {
        let pool = pool(1, 1);
        let panicking = submit(&pool, |_| -> () { panic!("on purpose") }).expect("the queue has room");
        assert!(matches!(panicking.get().await, Err(PortError::Unavailable(_))));
        for _ in 0..3 {
            assert_eq!(
                submit(&pool, |_| 7)
                    .expect("the queue has room")
                    .get()
                    .await
                    .expect("the job returns a result"),
                7
            );
        }
    }

    #[tokio::test]
    async fn a_flood_of_jobs_uses_one_buffer_per_thread_and_no_more_places_than_the_queue_has() {
        let pool = pool(2, 50);
        let (first, second) = (occupy(&pool), occupy(&pool));
        let buffers = Arc::new(Mutex::new(HashSet::new()));
        let answers: Vec<_> = (0..5000)
            .filter_map(|_| {
                let buffers = Arc::clone(&buffers);
                let job = move |blocks: &mut Blocks| {
                    blocks.resize(16, Block::new());
                    buffers
                        .lock()
                        .expect("no other thread panics")
                        .insert(blocks.as_ptr() as usize);
                };
                submit(&pool, job).ok()
            })
            .collect();
        assert_eq!(answers.len(), 50);
        drop((first, second));
        for answer in answers {
            answer.get().await.expect("the job returns a result");
        }
        assert!((1..=2).contains(&buffers.lock().expect("no other thread panics").len()));
    }

    /// A pool whose metrics go to the recorder of the returned snapshotter.
    fn metered_pool(threads: usize, queue: usize) -> (HashPool, Snapshotter) {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let pool = metrics::with_local_recorder(&recorder, || pool(threads, queue));
        (pool, snapshotter)
    }

    /// Returns the change of each counter and gauge, and the number of measurements of each
    /// histogram, since the previous call: taking a snapshot resets them all.
    fn recorded(snapshotter: &Snapshotter) -> BTreeMap<String, i64> {
        let series = snapshotter.snapshot().into_vec().into_iter();
        series
            .map(|(key, _, description, value)| {
                assert!(description.is_some(), "{key:?} is not described");
                let labels = key.key().labels().map(metrics::Label::value);
                let name = labels.fold(key.key().name().to_owned(), |name, label| {
                    format!("{name} {label}")
                });
                let value = match value {
                    DebugValue::Counter(count) => i64::try_from(count).expect("the count fits in an i64"),
                    DebugValue::Gauge(value) => format!("{value}").parse().expect("gauges are whole numbers"),
                    DebugValue::Histogram(values) => {
                        i64::try_from(values.len()).expect("the count fits in an i64")
                    }
                };
                (name, value)
            })
            .collect()
    }

    #[tokio::test]
    async fn waiting_running_and_rejected_jobs_are_metered() {
        let (pool, snapshotter) = metered_pool(1, 2);
        let gate = occupy(&pool);
        let first = submit(&pool, |_| ()).expect("the queue has room");
        let second = pool
            .submit(Work::Rating, &mut HashTicket::default(), |_| ())
            .expect("the queue has room");
        assert!(submit(&pool, |_| ()).is_err());
        let expected = [
            ("authapi_hash_duration_seconds hash", 0),
            ("authapi_hash_duration_seconds lookup", 0),
            ("authapi_hash_duration_seconds rating", 0),
            ("authapi_hash_queue_length", 2),
            ("authapi_hash_rejected_total displaced", 0),
            ("authapi_hash_rejected_total queue_full", 1),
            ("authapi_hash_rejected_total would_wait_too_long", 0),
            ("authapi_hash_threads", 1),
            ("authapi_hash_threads_busy", 1),
            ("authapi_hash_wait_seconds", 1),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(recorded(&snapshotter), BTreeMap::from(expected));

        drop(gate);
        first.get().await.expect("the job returns a result");
        second.get().await.expect("the job returns a result");
        // Wait for the thread, which updates the metrics after it has answered.
        drop(pool);
        let after = recorded(&snapshotter);
        assert_eq!(after["authapi_hash_duration_seconds hash"], 2);
        assert_eq!(after["authapi_hash_duration_seconds rating"], 1);
        // The previous snapshot reset the gauge.
        assert_eq!(after["authapi_hash_queue_length"], -2);
        assert_eq!(after["authapi_hash_threads_busy"], -1);
    }

    #[tokio::test]
    async fn a_panicking_job_does_not_leave_its_thread_metered_as_busy() {
        let (pool, snapshotter) = metered_pool(1, 1);
        let panicking = submit(&pool, |_| -> () { panic!("on purpose") }).expect("the queue has room");
        assert!(panicking.get().await.is_err());
        drop(pool);
        let after = recorded(&snapshotter);
        assert_eq!(after["authapi_hash_threads_busy"], 0);
        assert_eq!(after["authapi_hash_queue_length"], 0);
    }

    /// Sends a message when the thread that owns it ends.
    struct ThreadEnd(mpsc::Sender<()>);

    impl Drop for ThreadEnd {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    thread_local! {
        static THREAD_END: RefCell<Option<ThreadEnd>> = const { RefCell::new(None) };
    }

    #[tokio::test]
    async fn the_threads_end_with_the_pool() {
        let pool = pool(1, 1);
        let (sender, ends) = mpsc::channel();
        let job = move |_: &mut Blocks| THREAD_END.set(Some(ThreadEnd(sender)));
        submit(&pool, job)
            .expect("the queue has room")
            .get()
            .await
            .expect("the job returns a result");
        assert!(ends.try_recv().is_err());
        drop(pool);
        assert!(ends.try_recv().is_ok());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_threads_have_a_lower_priority_than_the_process() {
        let priority = || rustix::process::getpriority_process(None).expect("the priority is readable");
        let pool = pool(1, 1);
        let lowered = submit(&pool, move |_| priority())
            .expect("the queue has room")
            .get()
            .await;
        assert_eq!(
            lowered.expect("the job returns a result"),
            (priority() + NICENESS).min(19)
        );
    }
}
