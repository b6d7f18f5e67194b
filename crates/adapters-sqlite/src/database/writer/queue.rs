use super::{
    Commit,
    operation::{Operation, Slot},
};
use crate::database::pool_metrics::PoolMetrics;
use metrics::Histogram;
use std::{sync::mpsc::Receiver, time::Instant};

/// An operation that waits for its turn.
pub struct Queued {
    pub slot: Slot,
    pub commit: Commit,
    /// When it was queued.
    pub asked: Instant,
    /// Until when it may wait for other processes.
    pub deadline: Instant,
}

/// An operation whose turn it is.
pub struct Started {
    pub operation: Box<dyn Operation>,
    pub commit: Commit,
    pub deadline: Instant,
}

/// The operations that wait for the writer, in the order of their arrival. Skips those whose
/// callers stopped waiting.
pub struct Queue {
    queued: Receiver<Queued>,
    /// An operation that could not join a group, and is next.
    next: Option<Queued>,
    wait: Histogram,
}

impl Queue {
    /// Creates a queue that receives from `queued`.
    pub fn new(queued: Receiver<Queued>, metrics: &PoolMetrics) -> Self {
        Self {
            queued,
            next: None,
            wait: metrics.wait.clone(),
        }
    }

    /// Starts the next operation, and waits for one if there is none. Returns `None` after the
    /// last one, if no handle can add another.
    pub fn next(&mut self) -> Option<Started> {
        loop {
            let queued = self.next.take().map_or_else(|| self.queued.recv().ok(), Some)?;
            if let Some(started) = self.start(&queued) {
                return Some(started);
            }
        }
    }

    /// Starts the next operation if it is already queued and may join a group.
    pub fn next_in_group(&mut self) -> Option<Started> {
        loop {
            let queued = self.queued.try_recv().ok()?;
            if queued.commit == Commit::Alone {
                self.next = Some(queued);
                return None;
            }
            if let Some(started) = self.start(&queued) {
                return Some(started);
            }
        }
    }

    fn start(&self, queued: &Queued) -> Option<Started> {
        let operation = queued.slot.take()?;
        self.wait.record(queued.asked.elapsed());
        Some(Started {
            operation,
            commit: queued.commit,
            deadline: queued.deadline,
        })
    }
}
