//! The order in which jobs run: fair to the networks of clients, with a share for known places.

use super::lanes::{Lane, Lanes, NoPlace};
use std::{
    cmp::min,
    collections::{HashMap, VecDeque},
};

/// The maximum number of places that a lane borrows at once.
const MAX_BORROWED: usize = 4;

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
    /// A place in the share in which the client is as it turned out. Only this may get a job.
    Settled(Share, Lane),
    /// The share of the client's place is full. The client may submit its job only if it turns out
    /// to be in a known place.
    Borrowed(Lane),
}

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

    /// Reserves a place. If the share is full, the lane with the most places loses one, unless
    /// `lane` has as many: a reservation, or its newest job, which is returned.
    ///
    /// # Errors
    /// Returns [`NoPlace::Full`] if there is no such lane.
    pub fn reserve(&mut self, share: Share, lane: Lane) -> Result<(Place, Option<J>), NoPlace> {
        match (self.lanes(share).reserve(lane), share) {
            (Ok(displaced), _) => Ok((Place::Own(share, lane), displaced)),
            (Err(_), Share::Unknown) => Ok((self.borrow(lane)?, None)),
            (Err(no_place), Share::Known) => Err(no_place),
        }
    }

    /// Lends a place of the share of known places to a client whose place is not known yet.
    ///
    /// # Errors
    /// Returns [`NoPlace::Full`] if the lane or all lanes together have borrowed too many.
    pub fn borrow(&mut self, lane: Lane) -> Result<Place, NoPlace> {
        if !self.may_borrow(lane) {
            return Err(NoPlace::Full);
        }
        *self.borrowed.entry(lane).or_default() += 1;
        Ok(Place::Borrowed(lane))
    }

    /// Settles `place` in `share`, in which the client is as it turned out. A client in a known
    /// place keeps a place of its own in the other share if the share of known places is full.
    ///
    /// # Errors
    /// Returns a [`NoPlace`] if the share has no place, or another network took the client's. The
    /// place is then free.
    pub fn settle(&mut self, share: Share, place: Place) -> Result<(Place, Option<J>), NoPlace> {
        match place {
            Place::Settled(..) => Ok((place, None)),
            Place::Own(current, lane) if current == share => self.keep(current, lane),
            Place::Own(current, lane) => match self.lanes(share).reserve_settled(lane) {
                Err(_) if current == Share::Unknown => self.keep(current, lane),
                moved => {
                    self.lanes(current).cancel(lane);
                    Ok((Place::Settled(share, lane), moved?))
                }
            },
            Place::Borrowed(lane) => {
                self.give_back(lane);
                if share == Share::Unknown {
                    return Err(NoPlace::Full);
                }
                let displaced = self.lanes(share).reserve_settled(lane)?;
                Ok((Place::Settled(share, lane), displaced))
            }
        }
    }

    fn keep(&mut self, share: Share, lane: Lane) -> Result<(Place, Option<J>), NoPlace> {
        self.lanes(share).settle(lane)?;
        Ok((Place::Settled(share, lane), None))
    }

    /// Frees `place`.
    pub fn cancel(&mut self, place: &Place) {
        match place {
            Place::Own(share, lane) => self.lanes(*share).cancel(*lane),
            Place::Settled(share, lane) => self.lanes(*share).cancel_settled(*lane),
            Place::Borrowed(lane) => self.give_back(*lane),
        }
    }

    /// Queues `job` in the settled place of its client.
    ///
    /// # Errors
    /// Returns [`NoPlace::Displaced`] if another network took the place.
    pub fn push(&mut self, share: Share, lane: Lane, job: J) -> Result<(), NoPlace> {
        self.lanes(share).push(lane, job)
    }

    /// Queues a later job of a use case.
    ///
    /// # Errors
    /// Returns [`NoPlace::Full`] if as many wait as the queue has places for unknown clients.
    pub fn push_later(&mut self, job: J) -> Result<(), NoPlace> {
        if self.later.len() >= self.unknown.max {
            return Err(NoPlace::Full);
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
        let in_own = self.share(share).places_ahead(lane);
        self.later.len() + in_own + min(self.share(share.other()).places(), in_own + 1)
    }

    /// Returns how many jobs wait in the share and run before the next one of `lane`, at most.
    pub fn jobs_ahead(&self, share: Share, lane: Lane) -> usize {
        self.later.len() + self.share(share).jobs_ahead(lane)
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

#[cfg(test)]
mod tests {
    use super::{
        NoPlace::{Displaced, Full},
        *,
    };
    use domain::throttle::Network;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};

    /// A job: the number of its lane, and its number in the lane.
    type Job = (u8, usize);

    fn network(number: u8) -> Network {
        Network::site(IpAddr::V4(Ipv4Addr::new(198, 18, number, 1)))
    }

    /// Queues a job if a place is left. Returns the job that loses its place.
    fn submit(queue: &mut FairQueue<Job>, share: Share, job: Job) -> Result<Option<Job>, NoPlace> {
        let (place, displaced) = queue.reserve(share, Some(network(job.0)))?;
        let (place, _) = queue.settle(share, place)?;
        push(queue, &place, job)?;
        Ok(displaced)
    }

    fn push(queue: &mut FairQueue<Job>, place: &Place, job: Job) -> Result<(), NoPlace> {
        let Place::Settled(share, lane) = place else {
            panic!("{place:?} is not settled");
        };
        queue.push(*share, *lane, job)
    }

    /// Reserves a place of its own for the network number `lane`.
    fn reserve(queue: &mut FairQueue<Job>, lane: u8) -> Place {
        let reserved = queue.reserve(Share::Unknown, Some(network(lane)));
        let (place, displaced) = reserved.expect("the queue has a place");
        assert_eq!(
            (&place, displaced),
            (&Place::Own(Share::Unknown, Some(network(lane))), None)
        );
        place
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
        let (place, _) = queue.settle(Share::Known, place).expect("the share has places");
        assert_eq!(place, Place::Settled(Share::Known, Some(network(9))));
        assert_eq!(push(&mut queue, &place, (9, 0)), Ok(()));
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
            assert_eq!(queue.settle(Share::Unknown, place).map(|_| ()), Err(Full));
        }
        assert!(queue.reserve(Share::Unknown, Some(network(1))).is_ok());
    }

    #[test]
    fn a_client_with_a_forged_claim_moves_to_the_other_share() {
        let mut queue: FairQueue<Job> = FairQueue::new(4);
        let (place, _) = queue
            .reserve(Share::Known, Some(network(1)))
            .expect("the queue is empty");
        let (place, _) = queue.settle(Share::Unknown, place).expect("the queue is empty");
        assert_eq!(place, Place::Settled(Share::Unknown, Some(network(1))));
        assert_eq!((queue.known.places(), queue.unknown.places()), (0, 1));

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
        assert_eq!(queue.settle(Share::Unknown, place).map(|_| ()), Err(Full));
        assert_eq!((queue.known.places(), queue.unknown.places()), (0, 4));
    }

    #[test]
    fn a_network_takes_the_place_of_a_reservation_whose_job_has_not_come() {
        let mut queue = FairQueue::new(4);
        let [first, second, third, fourth] = [(); 4].map(|()| reserve(&mut queue, 1));
        let others = [(); 2].map(|()| reserve(&mut queue, 2));
        for place in [first, second] {
            let settled = queue.settle(Share::Unknown, place);
            assert_eq!(settled.map(|_| ()), Err(Displaced));
        }
        for (number, place) in [third, fourth].into_iter().enumerate() {
            let (place, _) = queue.settle(Share::Unknown, place).expect("the place is left");
            assert_eq!(push(&mut queue, &place, (1, number)), Ok(()));
        }
        for place in &others {
            queue.cancel(place);
        }
        assert_eq!(order(queue), [(1, 0), (1, 1)]);
    }

    #[test]
    fn a_settled_place_is_lost_after_those_that_are_not() {
        let mut queue = FairQueue::new(4);
        let [first, second, third, fourth] = [(); 4].map(|()| reserve(&mut queue, 1));
        let settled = [first, second, third].map(|place| {
            let settled = queue.settle(Share::Unknown, place);
            settled.expect("the place is left").0
        });
        reserve(&mut queue, 2);
        let [first, second, third] = settled;
        // The reservation that is not settled has lost its place.
        assert_eq!(push(&mut queue, &first, (1, 0)), Ok(()));
        reserve(&mut queue, 2);
        assert_eq!(push(&mut queue, &second, (1, 1)), Err(Displaced));
        queue.cancel(&fourth);
        assert_eq!(push(&mut queue, &third, (1, 2)), Ok(()));
        assert_eq!(order(queue), [(1, 0), (1, 2)]);
    }

    #[test]
    fn a_displaced_client_that_turns_out_to_be_known_gets_a_place_in_that_share() {
        let mut queue = FairQueue::new(4);
        let [first, ..] = [(); 4].map(|()| reserve(&mut queue, 1));
        reserve(&mut queue, 2);
        let (place, _) = queue.settle(Share::Known, first).expect("the share has places");
        assert_eq!(push(&mut queue, &place, (1, 0)), Ok(()));
        assert_eq!((queue.known.places(), queue.unknown.places()), (1, 4));
    }

    #[test]
    fn a_reservation_that_ends_pays_for_one_that_lost_its_place() {
        let mut queue = FairQueue::new(4);
        let [first, second, ..] = [(); 4].map(|()| reserve(&mut queue, 1));
        reserve(&mut queue, 2);
        queue.cancel(&first);
        assert_eq!(queue.unknown.places(), 4);
        assert!(queue.settle(Share::Unknown, second).is_ok());
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
                    (2, Some(place)) => held.extend(queue.settle(share, place).map(|(place, _)| place)),
                    (3, Some(Place::Settled(share, at))) => {
                        let _ = queue.push(share, at, (lane_number, 0));
                    }
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
            prop_assert!(queue.known.is_empty() && queue.unknown.is_empty() && queue.borrowed.is_empty());
        }
    }
}
