use super::{Commit, operation::Operation};
use crate::{database::pool_metrics::PoolMetrics, error::StorageError};
use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// An operation, from its arrival to its answer.
pub struct Queued {
    pub operation: Box<dyn Operation>,
    pub commit: Commit,
    /// When it was queued.
    pub asked: Instant,
    /// Until when it may wait for other operations and processes.
    pub deadline: Instant,
}

/// The operations that wait for the writer, in the order of their arrival. Callers add and withdraw
/// them, and the writer takes them out to start them.
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    metrics: PoolMetrics,
}

#[derive(Default)]
struct State {
    /// By a number that rises with each operation.
    waiting: BTreeMap<u64, Queued>,
    next_number: u64,
    is_closed: bool,
}

/// The place of an operation in the queue. Dropping it withdraws the operation.
pub struct Place {
    queue: Arc<Queue>,
    number: u64,
}

impl Queued {
    /// Returns whether the deadline has passed.
    pub fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

impl Queue {
    /// Creates an empty queue.
    pub fn new(metrics: PoolMetrics) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            metrics,
        }
    }

    /// Adds an operation. Drops it if the queue is closed.
    pub fn add(self: &Arc<Self>, queued: Queued) -> Place {
        let mut state = self.state();
        let number = state.next_number;
        state.next_number += 1;
        if !state.is_closed {
            state.waiting.insert(number, queued);
            self.changed.notify_one();
        }
        Place {
            queue: Arc::clone(self),
            number,
        }
    }

    /// Takes the next operation out, and waits for one if there is none. Returns `None` after the
    /// last one if the queue is closed.
    pub fn next(&self) -> Option<Queued> {
        let mut state = self.state();
        loop {
            if let Some(next) = self.take_if(&mut state, |_| true) {
                return Some(next);
            }
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes the next operation out if it is already queued and may join a group.
    pub fn next_in_group(&self) -> Option<Queued> {
        self.take_if(&mut self.state(), |commit| commit == Commit::InGroup)
    }

    /// Accepts no further operations.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_one();
    }

    /// Drops all operations and accepts no further ones, because the writer has ended.
    pub fn abandon(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.waiting.clear();
    }

    /// Takes the first operation out if it `may_start`. Refuses those before it that are late:
    /// their callers are about to give up.
    fn take_if(&self, state: &mut State, may_start: impl Fn(Commit) -> bool) -> Option<Queued> {
        while let Some(first) = state.waiting.first_entry() {
            if first.get().is_late() {
                let late = first.remove();
                self.metrics.timed_out(late.asked.elapsed());
                late.operation.answer(Err(StorageError::Busy));
            } else if may_start(first.get().commit) {
                let next = first.remove();
                self.metrics.wait.record(next.asked.elapsed());
                return Some(next);
            } else {
                return None;
            }
        }
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of operations that wait.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.state().waiting.len()
    }
}

impl Place {
    /// Returns whether the operation had not started. In that case, it never will.
    pub fn withdraw(&self) -> bool {
        let withdrawn = self.queue.state().waiting.remove(&self.number);
        withdrawn.is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.withdraw();
    }
}
