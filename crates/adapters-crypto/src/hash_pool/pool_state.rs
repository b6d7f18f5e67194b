use super::{
    HashPoolSettings,
    fair_queue::{FairQueue, Place, Share},
    job::Job,
    lanes::{Lane, NoPlace},
    mean_duration::MeanDuration,
    pool_metrics::{PoolMetrics, Refusal, Work},
};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What the threads of a pool and its callers share.
pub struct PoolState {
    settings: HashPoolSettings,
    queue: Mutex<Queue>,
    has_changed: Condvar,
    mean: MeanDuration,
    pub metrics: PoolMetrics,
}

struct Queue {
    jobs: FairQueue<Box<dyn Job>>,
    running: usize,
    is_closed: bool,
}

/// A place in the queue. Dropping it frees the place.
pub struct Reservation {
    pool: Arc<PoolState>,
    place: Option<Place>,
}

/// A job that a thread has taken. Dropping it records that the thread is free.
pub struct Running {
    pool: Arc<PoolState>,
}

impl PoolState {
    pub fn new(settings: HashPoolSettings) -> Self {
        Self {
            settings,
            queue: Mutex::new(Queue {
                jobs: FairQueue::new(settings.queue.get()),
                running: 0,
                is_closed: false,
            }),
            has_changed: Condvar::new(),
            mean: MeanDuration::default(),
            metrics: PoolMetrics::new(settings.threads),
        }
    }

    /// Reserves a place.
    ///
    /// # Errors
    /// Returns a [`Refusal`] if there is none, or the expected wait is too long.
    pub fn reserve(self: &Arc<Self>, share: Share, lane: Lane) -> Result<Reservation, Refusal> {
        let mut queue = self.queue();
        let (place, displaced) = if !self.is_slow(&queue, share, lane) {
            queue.jobs.reserve(share, lane)?
        } else if share == Share::Unknown && !self.is_slow(&queue, Share::Known, lane) {
            // The client may turn out to be in a known place, which waits less.
            let place = queue.jobs.borrow(lane);
            (place.map_err(|_no_place| Refusal::WouldWaitTooLong)?, None)
        } else {
            return Err(Refusal::WouldWaitTooLong);
        };
        drop(queue);
        self.reject(displaced);
        Ok(Reservation {
            pool: Arc::clone(self),
            place: Some(place),
        })
    }

    /// Decides whether the reserved place may be used in `share`. Afterwards the expected wait is
    /// not checked again.
    ///
    /// # Errors
    /// Returns a [`Refusal`] if it may not. The place is then free.
    pub fn settle(&self, reservation: &mut Reservation, share: Share) -> Result<(), Refusal> {
        self.settle_in(&mut self.queue(), reservation, share)
    }

    /// Queues `job` in the reserved place, if it was settled or may be used in `share`.
    ///
    /// # Errors
    /// Returns a [`Refusal`] if it may not.
    pub fn push(&self, mut reservation: Reservation, share: Share, job: Box<dyn Job>) -> Result<(), Refusal> {
        let mut queue = self.queue();
        self.settle_in(&mut queue, &mut reservation, share)?;
        let Some(Place::Settled(share, lane)) = reservation.place.take() else {
            return Err(Refusal::QueueFull);
        };
        queue.jobs.push(share, lane, job)?;
        // Before a thread can take the job.
        self.metrics.queued();
        drop(queue);
        self.has_changed.notify_one();
        Ok(())
    }

    fn settle_in(
        &self,
        queue: &mut Queue,
        reservation: &mut Reservation,
        share: Share,
    ) -> Result<(), Refusal> {
        if let Some(Place::Settled(..)) = reservation.place {
            return Ok(());
        }
        let place = reservation.place.take().ok_or(Refusal::QueueFull)?;
        let share = match place {
            // The client keeps its place where it waits less.
            Place::Own(Share::Unknown, lane) if self.is_slow(queue, share, lane) => Share::Unknown,
            _ => share,
        };
        let (place, displaced) = queue.jobs.settle(share, place)?;
        self.reject(displaced);
        // The mean may have risen since the place was reserved.
        if let Place::Settled(share, lane) = place
            && self.waits_too_long(queue.running + queue.jobs.jobs_ahead(share, lane))
        {
            queue.jobs.cancel(&place);
            return Err(Refusal::WouldWaitTooLong);
        }
        reservation.place = Some(place);
        Ok(())
    }

    /// Queues a later job of a use case whose first job was accepted.
    ///
    /// # Errors
    /// Returns a [`Refusal`] if too many such jobs wait.
    pub fn push_later(&self, job: Box<dyn Job>) -> Result<(), Refusal> {
        self.queue().jobs.push_later(job)?;
        self.metrics.queued();
        self.has_changed.notify_one();
        Ok(())
    }

    /// Waits for the next job; `None` if the pool was closed.
    pub fn next(self: &Arc<Self>) -> Option<(Box<dyn Job>, Running)> {
        let mut queue = self.queue();
        loop {
            if let Some(job) = queue.jobs.pop() {
                queue.running += 1;
                self.metrics.taken();
                let pool = Arc::clone(self);
                return Some((job, Running { pool }));
            }
            if queue.is_closed {
                return None;
            }
            queue = self
                .has_changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    #[cfg(test)]
    pub fn record_duration(&self, took: Duration) {
        self.mean.record(took);
    }

    /// Lets the threads end when the queue is empty.
    pub fn close(&self) {
        self.queue().is_closed = true;
        self.has_changed.notify_all();
    }

    /// Returns whether a new job of `lane` would wait too long in `share`.
    fn is_slow(&self, queue: &Queue, share: Share, lane: Lane) -> bool {
        self.waits_too_long(queue.running + queue.jobs.ahead(share, lane))
    }

    fn waits_too_long(&self, ahead: usize) -> bool {
        self.mean.expected_wait(ahead, self.settings.threads.get()) > self.settings.max_wait
    }

    fn reject(&self, job: Option<Box<dyn Job>>) {
        if let Some(job) = job {
            self.metrics.taken();
            self.metrics.refused(Refusal::Displaced);
            job.reject();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // No method panics between two changes of the queue, so it is valid after a panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<NoPlace> for Refusal {
    fn from(no_place: NoPlace) -> Self {
        match no_place {
            NoPlace::Full => Self::QueueFull,
            NoPlace::Displaced => Self::Displaced,
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.pool.queue().jobs.cancel(&place);
        }
    }
}

impl Running {
    /// Runs `job`, which has waited for `waited`. When this returns the thread is free, so that the
    /// caller can queue its next job.
    pub fn metered<T>(self, work: Work, waited: Duration, job: impl FnOnce() -> T) -> T {
        let (answer, took) = self.pool.metrics.metered(work, waited, job);
        // Ratings and look-ups are mostly faster, and would make a flood of logins look short.
        if work == Work::Hash {
            self.pool.mean.record(took);
        }
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.pool.queue().running -= 1;
    }
}
