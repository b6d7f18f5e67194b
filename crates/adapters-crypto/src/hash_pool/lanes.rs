//! The lanes of one share of the queue.

use domain::throttle::Network;
use std::{
    cmp::min,
    collections::{HashMap, VecDeque},
};

/// The jobs of one network. Clients without an address share one lane.
pub type Lane = Option<Network>;

/// The error for a client that gets no place, or keeps none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    Full,
    /// A lane with fewer places took one of this lane's.
    Displaced,
}

/// Lanes with jobs and reservations, which are served in turns.
///
/// A reservation may lose its place like a job. Its owner learns this at the next step, which is
/// the first one that any reservation of the lane takes: the lane counts how many lost theirs.
pub struct Lanes<J> {
    /// The maximum number of places.
    pub max: usize,
    places: usize,
    by_network: HashMap<Lane, Waiting<J>>,
    /// The lanes with jobs, in the order in which they are served.
    ring: VecDeque<Lane>,
}

struct Waiting<J> {
    /// The number of reservations that are not settled.
    reserved: usize,
    /// The number of settled reservations.
    settled: usize,
    /// How many of both have lost their places.
    displaced: usize,
    jobs: VecDeque<J>,
}

impl<J> Lanes<J> {
    pub fn new(max: usize) -> Self {
        Self {
            max,
            places: 0,
            by_network: HashMap::new(),
            ring: VecDeque::new(),
        }
    }

    /// Returns the number of reserved places and jobs.
    pub fn places(&self) -> usize {
        self.places
    }

    /// Reserves a place. If all are taken, the lane with the most loses one: a reservation, or its
    /// newest job, which is returned.
    ///
    /// # Errors
    /// Returns [`NoPlace::Full`] unless that lane keeps at least as many places as `lane` has then.
    pub fn reserve(&mut self, lane: Lane) -> Result<Option<J>, NoPlace> {
        let displaced = self.make_room(lane)?;
        self.waiting(lane).reserved += 1;
        Ok(displaced)
    }

    /// Reserves a place that is settled.
    ///
    /// # Errors
    /// Returns [`NoPlace::Full`] as [`reserve`](Self::reserve) does.
    pub fn reserve_settled(&mut self, lane: Lane) -> Result<Option<J>, NoPlace> {
        let displaced = self.make_room(lane)?;
        self.waiting(lane).settled += 1;
        Ok(displaced)
    }

    /// Settles a reservation.
    ///
    /// # Errors
    /// Returns [`NoPlace::Displaced`] if it has lost its place. It is then gone.
    pub fn settle(&mut self, lane: Lane) -> Result<(), NoPlace> {
        let waiting = self.waiting(lane);
        waiting.reserved -= 1;
        if waiting.displaced > 0 {
            waiting.displaced -= 1;
            self.tidy(lane);
            return Err(NoPlace::Displaced);
        }
        waiting.settled += 1;
        Ok(())
    }

    /// Ends a reservation that is not settled.
    pub fn cancel(&mut self, lane: Lane) {
        self.waiting(lane).reserved -= 1;
        self.leave(lane);
    }

    /// Ends a settled reservation.
    pub fn cancel_settled(&mut self, lane: Lane) {
        self.waiting(lane).settled -= 1;
        self.leave(lane);
    }

    /// Queues `job` in the place of a settled reservation. Reservations that are not settled lose
    /// their places before settled ones, whose attempts were counted.
    ///
    /// # Errors
    /// Returns [`NoPlace::Displaced`] if the reservation has lost its place. It is then gone.
    pub fn push(&mut self, lane: Lane, job: J) -> Result<(), NoPlace> {
        let waiting = self.waiting(lane);
        waiting.settled -= 1;
        if waiting.displaced > waiting.reserved {
            waiting.displaced -= 1;
            self.tidy(lane);
            return Err(NoPlace::Displaced);
        }
        let is_first = waiting.jobs.is_empty();
        waiting.jobs.push_back(job);
        if is_first {
            self.ring.push_back(lane);
        }
        Ok(())
    }

    /// Takes the next job.
    pub fn pop(&mut self) -> Option<J> {
        let lane = self.ring.pop_front()?;
        let waiting = self.by_network.get_mut(&lane)?;
        let job = waiting.jobs.pop_front()?;
        if !waiting.jobs.is_empty() {
            self.ring.push_back(lane);
        }
        self.places -= 1;
        self.tidy(lane);
        Some(job)
    }

    /// Returns how many places come before the next one of `lane`.
    pub fn places_ahead(&self, lane: Lane) -> usize {
        self.ahead(lane, Waiting::places)
    }

    /// Returns how many jobs come before the next one of `lane`.
    pub fn jobs_ahead(&self, lane: Lane) -> usize {
        self.ahead(lane, |waiting| waiting.jobs.len())
    }

    /// Returns how many of what `count` counts in each lane come before the next one of `lane`.
    fn ahead(&self, lane: Lane, count: impl Fn(&Waiting<J>) -> usize) -> usize {
        let own = self.by_network.get(&lane).map_or(0, &count);
        let others = self.by_network.iter().filter(|(other, _)| **other != lane);
        own + others
            .map(|(_, waiting)| min(count(waiting), own + 1))
            .sum::<usize>()
    }

    /// Counts a place of `lane`, after taking one from another lane if all are taken.
    fn make_room(&mut self, lane: Lane) -> Result<Option<J>, NoPlace> {
        let displaced = if self.places < self.max {
            None
        } else {
            self.displace_for(lane)?
        };
        self.places += 1;
        Ok(displaced)
    }

    fn displace_for(&mut self, lane: Lane) -> Result<Option<J>, NoPlace> {
        let own = self.by_network.get(&lane).map_or(0, Waiting::places);
        let longest = self
            .by_network
            .iter_mut()
            .max_by_key(|(_, waiting)| waiting.places());
        let (&longest, waiting) = longest
            .filter(|(_, waiting)| waiting.places() > own + 1)
            .ok_or(NoPlace::Full)?;
        self.places -= 1;
        if waiting.displaced < waiting.reserved + waiting.settled {
            waiting.displaced += 1;
            return Ok(None);
        }
        let job = waiting.jobs.pop_back();
        if waiting.jobs.is_empty() {
            self.ring.retain(|lane| *lane != longest);
        }
        Ok(job)
    }

    /// Frees the place of a reservation that ends, or drops one that has lost its place.
    fn leave(&mut self, lane: Lane) {
        let waiting = self.waiting(lane);
        if waiting.displaced > 0 {
            waiting.displaced -= 1;
        } else {
            self.places -= 1;
        }
        self.tidy(lane);
    }

    fn waiting(&mut self, lane: Lane) -> &mut Waiting<J> {
        self.by_network.entry(lane).or_default()
    }

    /// Forgets `lane` if it has neither jobs nor reservations.
    fn tidy(&mut self, lane: Lane) {
        let is_empty = |waiting: &Waiting<J>| waiting.reserved + waiting.settled + waiting.jobs.len() == 0;
        if self.by_network.get(&lane).is_some_and(is_empty) {
            self.by_network.remove(&lane);
        }
    }
}

impl<J> Waiting<J> {
    fn places(&self) -> usize {
        self.reserved + self.settled + self.jobs.len() - self.displaced
    }
}

impl<J> Default for Waiting<J> {
    fn default() -> Self {
        Self {
            reserved: 0,
            settled: 0,
            displaced: 0,
            jobs: VecDeque::new(),
        }
    }
}

#[cfg(test)]
impl<J> Lanes<J> {
    /// Returns whether there are neither jobs nor reservations.
    pub fn is_empty(&self) -> bool {
        self.places == 0 && self.by_network.is_empty() && self.ring.is_empty()
    }
}
