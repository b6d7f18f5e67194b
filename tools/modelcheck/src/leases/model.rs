use super::{
    bounds::{Bounds, Seat},
    database::{Database, LEASE},
    mutant::Mutant,
    process::{LeaseRequest, Revoker, SESSION, SNAPSHOT, Serving, USER, ticks},
    state::{Action, State},
};
use domain::invalidation::InvalidationScope;
use session_cache::protocol::{LeaseStep, Publication, PublicationStep, Span, Terms};
use stateright::{Model, Property};
use std::{collections::BTreeSet, time::Duration};

/// The protocol, either intact or with one mutation.
#[derive(Clone, Copy, Debug)]
pub struct LeaseModel {
    pub bounds: Bounds,
    pub mutant: Option<Mutant>,
}

/// The name of the property that some request is answered from memory. If no such state were
/// reachable, the search would prove nothing.
pub const SERVED: &str = "a request is answered from memory";
/// The name of the invariant.
pub const NEVER: &str = "no request that starts after a completed revocation is accepted";

/// Returns terms with margins of zero, because the search would report any smaller margin as
/// unsafe.
fn terms() -> Terms {
    let exact = |count| Span::new(ticks(count), Duration::ZERO);
    Terms {
        lease: exact(LEASE),
        snapshot: exact(SNAPSHOT),
        renew_every: ticks(1),
        // The model may prolong each wait, so no wait needs a minimum.
        acknowledgement_budget: Duration::ZERO,
        idle_after: ticks(u8::MAX),
    }
}

impl LeaseModel {
    fn scope(&self) -> InvalidationScope {
        if self.bounds.by_user {
            InvalidationScope::User(USER)
        } else {
            InvalidationScope::Session(SESSION)
        }
    }

    fn lease_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, serving) in state.serving.iter().enumerate() {
            let id = serving.core.id();
            let in_flight = state
                .requests
                .iter()
                .filter(|request| request.lease.replica == id)
                .count();
            if in_flight < self.bounds.requests {
                actions.push(Action::Step(index));
            }
            if self.bounds.leaving {
                actions.push(Action::Leave(index));
            }
        }
        for request in &state.requests {
            actions.push(match request.outcome {
                None => Action::Execute(*request),
                Some(_) => Action::Respond(*request),
            });
        }
        actions.extend(state.releases.iter().copied().map(Action::Release));
    }

    fn read_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let watched = self.bounds.watched;
        let Some(serving) = state.serving.get(watched) else {
            return;
        };
        // Only a read that queries the database before the commit can be stale: later queries
        // return the revoked session. It does not matter when such a read queries the database.
        if serving.reading.is_some() {
            actions.push(Action::FinishRead(watched));
        } else if serving.cached.is_none() && !state.database.revoked {
            actions.push(Action::BeginRead(watched));
        }
    }

    fn revoker_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, revoker) in state.revokers.iter().enumerate() {
            match revoker {
                Revoker::Idle if self.mutant == Some(Mutant::HoldersReadBeforeTheCommit) => {
                    actions.push(Action::ReadHolders(index));
                }
                Revoker::Idle | Revoker::HasReadHolders(_) => actions.push(Action::Commit(index)),
                Revoker::Publishing(publication) => match publication.next_step(ticks(state.now)) {
                    PublicationStep::ReadHolders => actions.push(Action::ReadHolders(index)),
                    PublicationStep::Evict(_) => actions.push(Action::Evict(index)),
                    PublicationStep::Wait(_) => {}
                    PublicationStep::Done => actions.push(Action::Complete(index)),
                },
                Revoker::Done => {}
            }
        }
    }

    fn bus_actions(state: &State, actions: &mut Vec<Action>) {
        for &revoker in &state.published {
            let received = (0..state.serving.len()).map(|replica| Action::Invalidate { revoker, replica });
            actions.extend(received);
        }
        let acknowledged = state.acknowledged.iter();
        actions.extend(acknowledged.map(|&(revoker, by)| Action::Acknowledge { revoker, by }));
    }

    fn apply(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Tick => state.now += 1,
            Action::Pause(index) => {
                state.now += 1;
                let now = state.now;
                state.serving.get_mut(index)?.pause(now, self.mutant);
            }
            Action::Step(index) => self.step(state, index)?,
            Action::Execute(request) => self.execute(state, request),
            Action::Respond(request) => self.respond(state, request),
            Action::Leave(index) => {
                let lease = state.serving.get_mut(index)?.core.leave()?;
                state.releases.insert(lease);
            }
            Action::Release(lease) => {
                state.releases.remove(&lease);
                state.database.release(lease);
            }
            Action::BeginRead(index) => state.serving.get_mut(index)?.begin_read(state.now),
            Action::FinishRead(index) => state.serving.get_mut(index)?.finish_read(self.mutant),
            Action::Commit(index) => self.commit(state, index)?,
            Action::ReadHolders(index) => Self::read_holders(state, index)?,
            Action::Invalidate { revoker, replica } => self.invalidate(state, revoker, replica)?,
            Action::Acknowledge { revoker, by } => {
                state.publication(revoker)?.record_acknowledgement(by);
            }
            Action::Evict(index) => self.evict(state, index)?,
            Action::Complete(index) => *state.revokers.get_mut(index)? = Revoker::Done,
        }
        Some(())
    }

    fn step(&self, state: &mut State, index: usize) -> Option<()> {
        let serving = state.serving.get_mut(index)?;
        serving.core.record_request(Duration::ZERO);
        let requested_at = serving.clock(state.now);
        let (lease, is_renewal) = match serving.core.next_step(ticks(requested_at)) {
            LeaseStep::Acquire(lease) if serving.requested < self.bounds.leases => {
                serving.requested += 1;
                (lease, false)
            }
            LeaseStep::Renew(lease) => (lease, true),
            LeaseStep::Acquire(_) | LeaseStep::Wait(_) => return None,
        };
        state.requests.insert(LeaseRequest {
            lease,
            is_renewal,
            requested_at,
            outcome: None,
        });
        Some(())
    }

    fn execute(&self, state: &mut State, request: LeaseRequest) {
        let granted = if request.is_renewal {
            state.database.renew(request.lease, state.now, self.mutant)
        } else {
            state.database.acquire(request.lease, state.now, self.mutant);
            true
        };
        state.requests.remove(&request);
        state.requests.insert(LeaseRequest {
            outcome: Some(granted),
            ..request
        });
    }

    fn respond(&self, state: &mut State, request: LeaseRequest) {
        state.requests.remove(&request);
        let to = state
            .serving
            .iter_mut()
            .find(|it| it.core.id() == request.lease.replica);
        if let (Some(serving), Some(granted)) = (to, request.outcome) {
            serving.receive_response(&request, granted, state.now, self.mutant);
        }
    }

    fn commit(&self, state: &mut State, index: usize) -> Option<()> {
        state.database.revoked = true;
        let now = ticks(state.now);
        let mut publication = Publication::begin(now, terms());
        if self.bounds.revokers.get(index) == Some(&Seat::Serving) {
            let serving = state.serving.first_mut()?;
            if self.mutant != Some(Mutant::PublisherThatSkipsItself) {
                serving.invalidate(self.scope(), state.now);
            }
            publication.record_acknowledgement(serving.core.id());
        }
        let revoker = state.revokers.get_mut(index)?;
        if let Revoker::HasReadHolders(holders) = revoker {
            publication.record_holders(holders.iter().copied(), now);
            state.published.insert(index);
        }
        *revoker = Revoker::Publishing(publication);
        Some(())
    }

    fn read_holders(state: &mut State, index: usize) -> Option<()> {
        let holders = state.database.holders(state.now);
        match state.revokers.get_mut(index)? {
            idle @ Revoker::Idle => *idle = Revoker::HasReadHolders(holders),
            Revoker::Publishing(publication) => {
                publication.record_holders(holders, ticks(state.now));
                if publication.awaits_acknowledgements() {
                    state.published.insert(index);
                }
            }
            Revoker::HasReadHolders(_) | Revoker::Done => return None,
        }
        Some(())
    }

    fn invalidate(&self, state: &mut State, revoker: usize, replica: usize) -> Option<()> {
        let serving = state.serving.get_mut(replica)?;
        if self.mutant != Some(Mutant::AcknowledgementWithoutInvalidation) {
            serving.invalidate(self.scope(), state.now);
        }
        let is_new = state.acknowledged.insert((revoker, serving.core.id()));
        // A repeated message changes only a counter.
        is_new.then_some(())
    }

    fn evict(&self, state: &mut State, index: usize) -> Option<()> {
        let now = ticks(state.now);
        let PublicationStep::Evict(leases) = state.publication(index)?.next_step(now) else {
            return None;
        };
        if self.mutant != Some(Mutant::NoEviction) {
            state.database.evict(&leases, self.mutant);
        }
        if self.mutant == Some(Mutant::NoWaitAfterEviction) {
            *state.revokers.get_mut(index)? = Revoker::Done;
        } else {
            state.publication(index)?.record_eviction(now);
        }
        Some(())
    }
}

impl Model for LeaseModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let serving = (1..=self.bounds.replicas).map(|index| Serving::new(index, terms()));
        vec![State {
            now: 0,
            database: Database::default(),
            serving: serving.collect(),
            revokers: vec![Revoker::Idle; self.bounds.revokers.len()],
            requests: BTreeSet::new(),
            releases: BTreeSet::new(),
            published: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < self.bounds.ticks {
            actions.push(Action::Tick);
            let watched = self.bounds.watched;
            if state
                .serving
                .get(watched)
                .is_some_and(|it| it.behind < self.bounds.pauses)
            {
                actions.push(Action::Pause(watched));
            }
        }
        self.lease_actions(state, actions);
        self.read_actions(state, actions);
        self.revoker_actions(state, actions);
        Self::bus_actions(state, actions);
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        self.apply(&mut state, action)?;
        let now = state.now;
        state.serving.iter_mut().for_each(|it| it.tidy(now, self.mutant));
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NEVER, |model: &Self, state: &State| {
                let completed = state.revokers.contains(&Revoker::Done);
                let mut serving = state.serving.iter();
                !(completed && serving.any(|it| it.accepts(state.now, model.mutant)))
            }),
            Property::sometimes(SERVED, |model: &Self, state: &State| {
                let mut serving = state.serving.iter();
                serving.any(|it| it.accepts(state.now, model.mutant))
            }),
        ]
    }
}
