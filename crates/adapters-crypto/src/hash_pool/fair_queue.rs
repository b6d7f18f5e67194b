//! The order in which jobs run: fair to the networks of clients, with a share for known places.

use domain::throttle::Network;
use std::{
    cmp::min,
    collections::{HashMap, VecDeque},
};

/// The maximum number of places that a lane borrows at once.
const MAX_BORROWED: usize = 4;

/// The jobs of one network. Clients without an address share one lane.
pub type Lane = Option<Network>;

/// A part of the queue with its own places. Every second job is taken from each, while both have
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    Known,
    Unknown,
}

/// A place that a use case holds until it submits its job or cancels it.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    Own(Share, Lane),
    /// The share of the client's place is full. The client may submit its job only if it turns out
    /// to be in a known place.
    Borrowed(Lane),
}

/// The error for a share that has no place for a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Waiting jobs and reserved places. It takes the lanes of a share in turns.
pub struct FairQueue<J> {
    known: Lanes<J>,
    unknown: Lanes<J>,
    borrowed: HashMap<Lane, usize>,
    /// Later jobs of use cases whose first job has run. They run before all others: their clients
    /// have waited already.
    later: VecDeque<J>,
    is_turn_of_known: bool,
}

/// The lanes of one share.
struct Lanes<J> {
    max: usize,
    places: usize,
    by_network: HashMap<Lane, Waiting<J>>,
    /// The lanes with jobs, in the order in which they are served.
    ring: VecDeque<Lane>,
}

struct Waiting<J> {
    /// The number of reserved places and jobs.
    places: usize,
    jobs: VecDeque<J>,
}

impl Share {
    fn other(self) -> Self {
        match self {
            Self::Known => Self::Unknown,
            Self::Unknown => Self::Known,
        }
    }
}

impl<J> FairQueue<J> {
    /// Creates a queue with `max` places for clients in unknown places, and a quarter of it for
    /// those in known places.
    pub fn new(max: usize) -> Self {
        Self {
            known: Lanes::new((max / 4).max(1)),
            unknown: Lanes::new(max),
            borrowed: HashMap::new(),
            later: VecDeque::new(),
            is_turn_of_known: true,
        }
    }

    /// Reserves a place. If the share is full, the lane with the most places loses its newest job,
    /// which is returned, unless `lane` has as many.
    ///
    /// # Errors
    /// Returns [`Full`] if there is no such lane.
    pub fn reserve(&mut self, share: Share, lane: Lane) -> Result<(Place, Option<J>), Full> {
        match (self.lanes(share).enter(lane), share) {
            (Ok(displaced), _) => Ok((Place::Own(share, lane), displaced)),
            (Err(Full), Share::Unknown) => Ok((self.borrow(lane)?, None)),
            (Err(full), _) => Err(full),
        }
    }

    /// Lends a place of the share of known places to a client whose place is not known yet.
    ///
    /// # Errors
    /// Returns [`Full`] if the lane or all lanes together have borrowed too many.
    pub fn borrow(&mut self, lane: Lane) -> Result<Place, Full> {
        if !self.may_borrow(lane) {
            return Err(Full);
        }
        *self.borrowed.entry(lane).or_default() += 1;
        Ok(Place::Borrowed(lane))
    }

    /// Moves `place` to `share`, in which the client is as it turned out. A client in a known place
    /// keeps a place of its own in the other share if the share of known places is full.
    ///
    /// # Errors
    /// Returns [`Full`] if the share has no place. The place is then free.
    pub fn move_to(&mut self, share: Share, place: Place) -> Result<(Place, Option<J>), Full> {
        let lane = match place {
            Place::Own(current, _) if current == share => return Ok((place, None)),
            Place::Own(_, lane) | Place::Borrowed(lane) => lane,
        };
        let entered = match (&place, share) {
            (Place::Borrowed(_), Share::Unknown) => Err(Full),
            _ => self.lanes(share).enter(lane),
        };
        match (entered, place) {
            (Ok(displaced), place) => {
                self.cancel(&place);
                Ok((Place::Own(share, lane), displaced))
            }
            (Err(Full), place @ Place::Own(Share::Unknown, _)) => Ok((place, None)),
            (Err(full), place) => {
                self.cancel(&place);
                Err(full)
            }
        }
    }

    /// Frees `place`.
    pub fn cancel(&mut self, place: &Place) {
        match place {
            Place::Own(share, lane) => self.lanes(*share).leave(*lane),
            Place::Borrowed(lane) => self.give_back(*lane),
        }
    }

    /// Queues `job` in the place of its client.
    pub fn push(&mut self, share: Share, lane: Lane, job: J) {
        self.lanes(share).push(lane, job);
    }

    /// Queues a later job of a use case.
    ///
    /// # Errors
    /// Returns [`Full`] if as many wait as the queue has places for unknown clients.
    pub fn push_later(&mut self, job: J) -> Result<(), Full> {
        if self.later.len() >= self.unknown.max {
            return Err(Full);
        }
        self.later.push_back(job);
        Ok(())
    }

    /// Takes the job that runs next.
    pub fn pop(&mut self) -> Option<J> {
        if let Some(job) = self.later.pop_front() {
            return Some(job);
        }
        let first = if self.is_turn_of_known {
            Share::Known
        } else {
            Share::Unknown
        };
        [first, first.other()].into_iter().find_map(|share| {
            let job = self.lanes(share).pop()?;
            self.is_turn_of_known = share == Share::Unknown;
            Some(job)
        })
    }

    /// Returns how many jobs run before the next one of `lane`, at most. Reserved places count too.
    pub fn ahead(&self, share: Share, lane: Lane) -> usize {
        let in_own = self.share(share).ahead(lane, |waiting| waiting.places);
        self.later.len() + in_own + min(self.share(share.other()).places, in_own + 1)
    }

    /// Returns how many jobs wait in the share and run before the next one of `lane`, at most.
    pub fn jobs_ahead(&self, share: Share, lane: Lane) -> usize {
        self.later.len() + self.share(share).ahead(lane, |waiting| waiting.jobs.len())
    }

    /// Returns whether `lane` may borrow another place, so that one network cannot borrow all.
    fn may_borrow(&self, lane: Lane) -> bool {
        let of_lane = self.borrowed.get(&lane).copied().unwrap_or_default();
        of_lane < MAX_BORROWED && self.borrowed.values().sum::<usize>() < self.known.max
    }

    fn give_back(&mut self, lane: Lane) {
        if let Some(borrowed) = self.borrowed.get_mut(&lane) {
            *borrowed -= 1;
            if *borrowed == 0 {
                self.borrowed.remove(&lane);
            }
        }
    }

    fn share(&self, share: Share) -> &Lanes<J> {
        match share {
            Share::Known => &self.known,
            Share::Unknown => &self.unknown,
        }
    }

    fn lanes(&mut self, share: Share) -> &mut Lanes<J> {
        match share {
            Share::Known => &mut self.known,
            Share::Unknown => &mut self.unknown,
        }
    }
}

impl<J> Lanes<J> {
    fn new(max: usize) -> Self {
        Self {
            max,
            places: 0,
            by_network: HashMap::new(),
            ring: VecDeque::new(),
        }
    }

    fn enter(&mut self, lane: Lane) -> Result<Option<J>, Full> {
        let displaced = if self.places < self.max {
            None
        } else {
            Some(self.displace_for(lane)?)
        };
        self.places += 1;
        self.by_network.entry(lane).or_default().places += 1;
        Ok(displaced)
    }

    /// Removes the newest job of the lane with the most places, if that leaves it with at least as
    /// many as `lane` has afterwards.
    fn displace_for(&mut self, lane: Lane) -> Result<J, Full> {
        let own = self.by_network.get(&lane).map_or(0, |waiting| waiting.places);
        let with_jobs = self
            .by_network
            .iter()
            .filter(|(_, waiting)| !waiting.jobs.is_empty());
        let longest = with_jobs.max_by_key(|(_, waiting)| waiting.places);
        let (&longest, _) = longest
            .filter(|(_, waiting)| waiting.places > own + 1)
            .ok_or(Full)?;
        let jobs = self.by_network.get_mut(&longest).map(|waiting| &mut waiting.jobs);
        let (job, is_last) = jobs
            .and_then(|jobs| jobs.pop_back().map(|job| (job, jobs.is_empty())))
            .ok_or(Full)?;
        if is_last {
            self.ring.retain(|lane| *lane != longest);
        }
        self.leave(longest);
        Ok(job)
    }

    fn leave(&mut self, lane: Lane) {
        self.places -= 1;
        if let Some(waiting) = self.by_network.get_mut(&lane) {
            waiting.places -= 1;
            if waiting.places == 0 {
                self.by_network.remove(&lane);
            }
        }
    }

    fn push(&mut self, lane: Lane, job: J) {
        let waiting = self.by_network.entry(lane).or_default();
        if waiting.jobs.is_empty() {
            self.ring.push_back(lane);
        }
        waiting.jobs.push_back(job);
    }

    fn pop(&mut self) -> Option<J> {
        let lane = self.ring.pop_front()?;
        let waiting = self.by_network.get_mut(&lane)?;
        let job = waiting.jobs.pop_front()?;
        if !waiting.jobs.is_empty() {
            self.ring.push_back(lane);
        }
        self.leave(lane);
        Some(job)
    }

    /// Returns how many of what `count` counts in each lane come before the next one of `lane`.
    fn ahead(&self, lane: Lane, count: impl Fn(&Waiting<J>) -> usize) -> usize {
        let own = self.by_network.get(&lane).map_or(0, &count);
        let others = self.by_network.iter().filter(|(other, _)| **other != lane);
        own + others
            .map(|(_, waiting)| min(count(waiting), own + 1))
            .sum::<usize>()
    }
}

impl<J> Default for Waiting<J> {
    fn default() -> Self {
        Self {
            places: 0,
            jobs: VecDeque::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};

    /// A job: the number of its lane, and its number in the lane.
    type Job = (u8, usize);

    fn network(number: u8) -> Network {
        Network::site(IpAddr::V4(Ipv4Addr::new(198, 18, number, 1)))
    }

    /// Queues a job if a place is left. Returns the job that loses its place.
    fn submit(queue: &mut FairQueue<Job>, share: Share, job: Job) -> Result<Option<Job>, Full> {
        match queue.reserve(share, Some(network(job.0)))? {
            (Place::Own(share, lane), displaced) => {
                queue.push(share, lane, job);
                Ok(displaced)
            }
            (borrowed, _) => {
                queue.cancel(&borrowed);
                Err(Full)
            }
        }
    }

    fn flooded(max: usize, share: Share) -> FairQueue<Job> {
        let mut queue = FairQueue::new(max);
        for number in 0.. {
            if submit(&mut queue, share, (1, number)).is_err() {
                return queue;
            }
        }
        queue
    }

    fn order(mut queue: FairQueue<Job>) -> Vec<Job> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn networks_are_served_in_turns_and_each_in_its_own_order() {
        let mut queue = FairQueue::new(10);
        for job in [(1, 0), (1, 1), (1, 2), (2, 0), (3, 0), (2, 1)] {
            assert_eq!(submit(&mut queue, Share::Unknown, job), Ok(None));
        }
        assert_eq!(order(queue), [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)]);
    }

    #[test]
    fn known_places_have_every_second_turn() {
        let mut queue = FairQueue::new(40);
        for number in 0..3 {
            for (share, lane) in [(Share::Unknown, 1), (Share::Known, 2)] {
                assert_eq!(submit(&mut queue, share, (lane, number)), Ok(None));
            }
        }
        assert_eq!(order(queue), [(2, 0), (1, 0), (2, 1), (1, 1), (2, 2), (1, 2)]);
    }

    #[test]
    fn a_network_takes_the_place_of_a_flood() {
        let mut queue = flooded(4, Share::Unknown);
        assert_eq!(submit(&mut queue, Share::Unknown, (2, 0)), Ok(Some((1, 3))));
        assert_eq!(submit(&mut queue, Share::Unknown, (2, 1)), Ok(Some((1, 2))));
        assert_eq!(submit(&mut queue, Share::Unknown, (2, 2)), Err(Full));
        // Both networks have two places, and lose one each.
        assert!(matches!(submit(&mut queue, Share::Unknown, (3, 0)), Ok(Some(_))));
        assert!(matches!(submit(&mut queue, Share::Unknown, (4, 0)), Ok(Some(_))));
        assert_eq!(submit(&mut queue, Share::Unknown, (5, 0)), Err(Full));
        assert_eq!(order(queue).len(), 4);
    }

    #[test]
    fn a_client_that_turns_out_to_be_known_gets_a_place_during_a_flood_of_any_width() {
        let mut queue = FairQueue::new(8);
        for number in 1..=8 {
            assert_eq!(submit(&mut queue, Share::Unknown, (number, 0)), Ok(None));
        }
        let (place, displaced) = queue
            .reserve(Share::Unknown, Some(network(9)))
            .expect("a place can be borrowed");
        assert_eq!((&place, displaced), (&Place::Borrowed(Some(network(9))), None));
        let (place, _) = queue.move_to(Share::Known, place).expect("the share has places");
        assert_eq!(place, Place::Own(Share::Known, Some(network(9))));
        queue.push(Share::Known, Some(network(9)), (9, 0));
        assert_eq!(order(queue).first(), Some(&(9, 0)));
    }

    #[test]
    fn a_borrowed_place_is_no_place_for_an_unknown_client_and_their_number_is_bounded() {
        let mut queue = flooded(8, Share::Unknown);
        for number in 0..8 {
            assert_eq!(submit(&mut queue, Share::Unknown, (1, number)), Err(Full));
        }
        let borrowed: Vec<_> = (0..2)
            .map(|_| {
                queue
                    .reserve(Share::Unknown, Some(network(1)))
                    .expect("a place can be borrowed")
                    .0
            })
            .collect();
        assert_eq!(
            queue.reserve(Share::Unknown, Some(network(1))).map(|_| ()),
            Err(Full)
        );
        for place in borrowed {
            assert_eq!(queue.move_to(Share::Unknown, place).map(|_| ()), Err(Full));
        }
        assert!(queue.reserve(Share::Unknown, Some(network(1))).is_ok());
    }

    #[test]
    fn a_client_with_a_forged_claim_moves_to_the_other_share() {
        let mut queue: FairQueue<Job> = FairQueue::new(4);
        let (place, _) = queue
            .reserve(Share::Known, Some(network(1)))
            .expect("the queue is empty");
        let (place, _) = queue.move_to(Share::Unknown, place).expect("the queue is empty");
        assert_eq!(place, Place::Own(Share::Unknown, Some(network(1))));
        assert_eq!((queue.known.places, queue.unknown.places), (0, 1));

        let (place, _) = queue
            .reserve(Share::Known, Some(network(1)))
            .expect("the share is empty");
        let mut queue = flooded(4, Share::Unknown);
        assert_eq!(
            queue
                .reserve(Share::Known, Some(network(1)))
                .map(|(place, _)| place),
            Ok(place)
        );
        let place = Place::Own(Share::Known, Some(network(1)));
        assert_eq!(queue.move_to(Share::Unknown, place).map(|_| ()), Err(Full));
        assert_eq!((queue.known.places, queue.unknown.places), (0, 4));
    }

    #[test]
    fn later_jobs_run_first_and_are_bounded() {
        let mut queue = flooded(2, Share::Unknown);
        assert_eq!(queue.push_later((5, 0)), Ok(()));
        assert_eq!(queue.push_later((5, 1)), Ok(()));
        assert_eq!(queue.push_later((5, 2)), Err(Full));
        assert_eq!(order(queue), [(5, 0), (5, 1), (1, 0), (1, 1)]);
    }

    proptest! {
        /// However many jobs other networks have queued, a job runs after at most one round of
        /// them for each job of its own network, twice if both shares have jobs.
        #[test]
        fn a_flood_delays_its_own_network_only(
            jobs in prop::collection::vec((0_u8..6, any::<bool>()), 0..60),
            is_known: bool,
        ) {
            let mut queue = FairQueue::new(64);
            for (number, (lane, is_known)) in jobs.into_iter().enumerate() {
                let share = if is_known { Share::Known } else { Share::Unknown };
                let _ = submit(&mut queue, share, (lane, number));
            }
            let share = if is_known { Share::Known } else { Share::Unknown };
            let ahead = queue.ahead(share, Some(network(99)));
            prop_assert!(ahead <= 6 + 7, "{ahead} ahead");
            prop_assert!(submit(&mut queue, share, (99, 0)).is_ok());
            let position = order(queue).iter().position(|job| job.0 == 99);
            prop_assert!(position.is_some_and(|position| position <= ahead), "{position:?} of {ahead}");
        }

        /// The counters of places agree with the jobs and reservations after any operations.
        #[test]
        fn no_place_is_lost(operations in prop::collection::vec((0_u8..4, 0_u8..5), 0..200)) {
            let mut queue = FairQueue::new(8);
            let mut held = Vec::new();
            for (lane_number, operation) in operations {
                let share = if lane_number % 2 == 0 { Share::Known } else { Share::Unknown };
                match (operation, held.pop()) {
                    (0, place) => {
                        held.extend(place);
                        held.extend(queue.reserve(share, Some(network(lane_number))).map(|(place, _)| place));
                    }
                    (1, Some(place)) => queue.cancel(&place),
                    (2, Some(place)) => held.extend(queue.move_to(share, place).map(|(place, _)| place)),
                    (3, Some(Place::Own(share, at))) => queue.push(share, at, (lane_number, 0)),
                    (_, place) => {
                        held.extend(place);
                        queue.pop();
                    }
                }
            }
            for place in &held {
                queue.cancel(place);
            }
            while queue.pop().is_some() {}
            prop_assert_eq!((queue.known.places, queue.unknown.places, queue.borrowed.len()), (0, 0, 0));
            prop_assert!(queue.known.by_network.is_empty() && queue.unknown.by_network.is_empty());
        }
    }
}
