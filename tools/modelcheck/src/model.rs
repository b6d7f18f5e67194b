use crate::{
    Mutant,
    database::{Database, LEASE},
    process::{Ask, Revoker, SESSION, Serving, USER, VIEW, ticks},
};
use domain::invalidation::InvalidationScope;
use session_cache::protocol::{Announcement, Demand, LeaseId, ReplicaId, Span, Step, Terms};
use stateright::{Model, Property};
use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
    time::Duration,
};

/// How far the search goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub replicas: u8,
    /// The replica whose requests are looked at. What one remembers changes nothing for the others, so one at a time will
    /// do; and of what it reads, the one view that will be answered wrongly, if there is one.
    pub watched: usize,
    /// Each of them revokes the session once.
    pub revokers: &'static [Seat],
    /// Whether the session is revoked by its id or by its user's.
    pub by_user: bool,
    pub ticks: u8,
    /// How often each replica may ask for a lease.
    pub leases: u32,
    /// How many requests of one replica to the database may be under way at once, lost ones among them.
    pub asks: usize,
    /// Whether replicas may leave in good order.
    pub leaving: bool,
}

/// Where a revoker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// In the first replica that serves.
    Serving,
    /// In a process of its own, as the command line is.
    Apart,
}

/// The protocol, as it is or with a rule broken.
#[derive(Clone, Copy, Debug)]
pub struct LeaseModel {
    pub bounds: Bounds,
    pub mutant: Option<Mutant>,
}

#[derive(Clone, Debug)]
pub struct State {
    now: u8,
    database: Database,
    serving: Vec<Serving>,
    revokers: Vec<Revoker>,
    asks: BTreeSet<Ask>,
    releases: BTreeSet<LeaseId>,
    /// What was said on the bus: by which revoker, and who acknowledged which. Nothing is ever taken away, so everything
    /// may arrive late, twice, in any order or never.
    announced: BTreeSet<usize>,
    acknowledged: BTreeSet<(usize, ReplicaId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Tick,
    /// A replica does what its state machine says about its lease.
    Step(usize),
    /// The database does what was asked of it.
    Execute(Ask),
    /// The answer arrives.
    Answer(Ask),
    Leave(usize),
    Release(LeaseId),
    BeginRead(usize),
    FinishRead(usize),
    Commit(usize),
    ReadHolders(usize),
    /// A replica hears a revoker.
    Hear {
        revoker: usize,
        replica: usize,
    },
    Acknowledge {
        revoker: usize,
        by: ReplicaId,
    },
    Evict(usize),
    AnswerRevocation(usize),
}

impl State {
    fn essence(&self) -> impl Hash + PartialEq + use<'_> {
        let serving: Vec<_> = self.serving.iter().map(|it| it.essence(self.now)).collect();
        let said = (&self.asks, &self.releases, &self.announced, &self.acknowledged);
        (self.now, &self.database, serving, &self.revokers, said)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.essence() == other.essence()
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.essence().hash(hasher);
    }
}

/// What must be possible, or the search shows nothing.
pub const SERVED: &str = "a request is answered from memory";
/// The invariant.
pub const NEVER: &str = "no request that starts after a revocation's answer is accepted";

/// With margins of nothing: any less would be found.
fn terms() -> Terms {
    let exact = |count| Span::new(ticks(count), Duration::ZERO);
    Terms {
        lease: exact(LEASE),
        snapshot: exact(VIEW),
        renew_every: ticks(1),
        // Whoever waits may always wait longer here, and nobody has to.
        patience: Duration::ZERO,
        idle_after: ticks(u8::MAX),
    }
}

impl LeaseModel {
    fn subject(&self) -> InvalidationScope {
        if self.bounds.by_user {
            InvalidationScope::User(USER)
        } else {
            InvalidationScope::Session(SESSION)
        }
    }

    fn lease_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, serving) in state.serving.iter().enumerate() {
            let id = serving.core.id();
            let under_way = state.asks.iter().filter(|ask| ask.lease.replica == id).count();
            if under_way < self.bounds.asks {
                actions.push(Action::Step(index));
            }
            if self.bounds.leaving {
                actions.push(Action::Leave(index));
            }
        }
        for ask in &state.asks {
            actions.push(match ask.outcome {
                None => Action::Execute(*ask),
                Some(_) => Action::Answer(*ask),
            });
        }
        actions.extend(state.releases.iter().copied().map(Action::Release));
    }

    fn read_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let watched = self.bounds.watched;
        let Some(serving) = state.serving.get(watched) else {
            return;
        };
        // A read that asks the database after the commit learns of it, and is of no interest. Of those that ask before, it
        // does not matter when.
        if serving.reading.is_some() {
            actions.push(Action::FinishRead(watched));
        } else if serving.kept.is_none() && !state.database.revoked {
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
                Revoker::Committed(announcement) => match announcement.demand(ticks(state.now)) {
                    Demand::ReadHolders => actions.push(Action::ReadHolders(index)),
                    Demand::Evict(_) => actions.push(Action::Evict(index)),
                    Demand::Wait(_) => {}
                    Demand::Answer => actions.push(Action::AnswerRevocation(index)),
                },
                Revoker::Answered => {}
            }
        }
    }

    fn bus_actions(state: &State, actions: &mut Vec<Action>) {
        for &revoker in &state.announced {
            let heard = (0..state.serving.len()).map(|replica| Action::Hear { revoker, replica });
            actions.extend(heard);
        }
        let acknowledged = state.acknowledged.iter();
        actions.extend(acknowledged.map(|&(revoker, by)| Action::Acknowledge { revoker, by }));
    }

    fn apply(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Tick => state.now += 1,
            Action::Step(index) => self.step(state, index)?,
            Action::Execute(ask) => self.execute(state, ask),
            Action::Answer(ask) => self.answer(state, ask),
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
            Action::Hear { revoker, replica } => self.hear(state, revoker, replica)?,
            Action::Acknowledge { revoker, by } => {
                announcement(state, revoker)?.acknowledged(by);
            }
            Action::Evict(index) => self.evict(state, index)?,
            Action::AnswerRevocation(index) => *state.revokers.get_mut(index)? = Revoker::Answered,
        }
        Some(())
    }

    fn step(&self, state: &mut State, index: usize) -> Option<()> {
        let serving = state.serving.get_mut(index)?;
        serving.core.requested(Duration::ZERO);
        let (lease, is_renewal) = match serving.core.step(ticks(state.now)) {
            Step::Ask(lease) if serving.asked < self.bounds.leases => {
                serving.asked += 1;
                (lease, false)
            }
            Step::Renew(lease) => (lease, true),
            Step::Ask(_) | Step::Rest(_) => return None,
        };
        state.asks.insert(Ask {
            lease,
            is_renewal,
            asked_at: state.now,
            outcome: None,
        });
        Some(())
    }

    fn execute(&self, state: &mut State, ask: Ask) {
        let granted = if ask.is_renewal {
            state.database.renew(ask.lease, state.now, self.mutant)
        } else {
            state.database.acquire(ask.lease, state.now, self.mutant);
            true
        };
        state.asks.remove(&ask);
        state.asks.insert(Ask {
            outcome: Some(granted),
            ..ask
        });
    }

    fn answer(&self, state: &mut State, ask: Ask) {
        state.asks.remove(&ask);
        let to = state
            .serving
            .iter_mut()
            .find(|it| it.core.id() == ask.lease.replica);
        if let (Some(serving), Some(granted)) = (to, ask.outcome) {
            serving.answered(&ask, granted, state.now, self.mutant);
        }
    }

    fn commit(&self, state: &mut State, index: usize) -> Option<()> {
        state.database.revoked = true;
        let now = ticks(state.now);
        let mut announcement = Announcement::begin(now, terms());
        if self.bounds.revokers.get(index) == Some(&Seat::Serving) {
            let serving = state.serving.first_mut()?;
            if self.mutant != Some(Mutant::RevokerThatSparesItself) {
                serving.invalidate(self.subject(), state.now);
            }
            announcement.acknowledged(serving.core.id());
        }
        let revoker = state.revokers.get_mut(index)?;
        if let Revoker::HasReadHolders(holders) = revoker {
            announcement.holders(holders.iter().copied(), now);
            state.announced.insert(index);
        }
        *revoker = Revoker::Committed(announcement);
        Some(())
    }

    fn read_holders(state: &mut State, index: usize) -> Option<()> {
        let holders = state.database.holders(state.now);
        match state.revokers.get_mut(index)? {
            idle @ Revoker::Idle => *idle = Revoker::HasReadHolders(holders),
            Revoker::Committed(announcement) => {
                announcement.holders(holders, ticks(state.now));
                if announcement.is_awaited() {
                    state.announced.insert(index);
                }
            }
            Revoker::HasReadHolders(_) | Revoker::Answered => return None,
        }
        Some(())
    }

    fn hear(&self, state: &mut State, revoker: usize, replica: usize) -> Option<()> {
        let serving = state.serving.get_mut(replica)?;
        if self.mutant != Some(Mutant::AcknowledgementWithoutInvalidation) {
            serving.invalidate(self.subject(), state.now);
        }
        let first = state.acknowledged.insert((revoker, serving.core.id()));
        // To hear the same again changes nothing but a count.
        first.then_some(())
    }

    fn evict(&self, state: &mut State, index: usize) -> Option<()> {
        let now = ticks(state.now);
        let Demand::Evict(leases) = announcement(state, index)?.demand(now) else {
            return None;
        };
        if self.mutant != Some(Mutant::NoEviction) {
            state.database.evict(&leases, self.mutant);
        }
        if self.mutant == Some(Mutant::NoWaitAfterEviction) {
            *state.revokers.get_mut(index)? = Revoker::Answered;
        } else {
            announcement(state, index)?.evicted(now);
        }
        Some(())
    }
}

fn announcement(state: &mut State, index: usize) -> Option<&mut Announcement> {
    match state.revokers.get_mut(index)? {
        Revoker::Committed(announcement) => Some(announcement),
        Revoker::Idle | Revoker::HasReadHolders(_) | Revoker::Answered => None,
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
            asks: BTreeSet::new(),
            releases: BTreeSet::new(),
            announced: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < self.bounds.ticks {
            actions.push(Action::Tick);
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
                let answered = state.revokers.contains(&Revoker::Answered);
                let mut serving = state.serving.iter();
                !(answered && serving.any(|it| it.accepts(state.now, model.mutant)))
            }),
            Property::sometimes(SERVED, |model: &Self, state: &State| {
                let mut serving = state.serving.iter();
                serving.any(|it| it.accepts(state.now, model.mutant))
            }),
        ]
    }
}
