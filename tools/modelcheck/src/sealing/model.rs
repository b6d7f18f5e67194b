use super::{
    bounds::Bounds,
    change::{Change, Progress},
    mutant::Mutant,
    properties,
    sealer::{Look, Sealer, append, select},
    state::{Action, Chain, State},
};
use domain::audit::Unsealed;
use stateright::{Model, Property};

/// Changes and sealers, either intact or with one mutation.
#[derive(Clone, Copy, Debug)]
pub struct SealingModel {
    pub bounds: Bounds,
    pub mutant: Option<Mutant>,
}

impl SealingModel {
    fn rows(&self, change: usize) -> u8 {
        self.bounds.changes.get(change).copied().unwrap_or_default()
    }

    fn change_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, change) in state.changes.iter().enumerate() {
            match change.progress {
                Progress::Waiting if self.is_next(state, index) => actions.push(Action::Lock(index)),
                // A change that rolls back before it stores its event affects no sealer.
                Progress::Locked => actions.push(Action::Store(index)),
                Progress::Stored => {
                    actions.extend([Action::CommitChange(index), Action::RollBack(index)]);
                }
                Progress::Waiting | Progress::Committed | Progress::RolledBack => {}
            }
        }
    }

    /// Returns whether no change with the same rows and a lower index waits. Such changes are
    /// interchangeable, so they need not begin in every order.
    fn is_next(&self, state: &State, index: usize) -> bool {
        let mut before = state.changes.iter().take(index).enumerate();
        !before.any(|(other, change)| {
            change.progress == Progress::Waiting && self.rows(other) == self.rows(index)
        })
    }

    fn sealer_actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.sealers.len() < self.bounds.sealers && self.may_lock_chain(state) {
            actions.extend([Action::Begin(Look::New), Action::Begin(Look::All)]);
        }
        for (index, sealer) in state.sealers.iter().enumerate() {
            actions.push(Action::Abort(index));
            match sealer {
                Sealer::Locked { .. } => {
                    let take = |limit| Action::Take { sealer: index, limit };
                    actions.extend((1..=self.bounds.limit).map(take));
                }
                Sealer::Taken { .. } => actions.push(Action::Append(index)),
                Sealer::Appended { .. } => actions.push(Action::CommitSealing(index)),
                Sealer::Committed { .. } => actions.push(Action::Remove(index)),
            }
        }
    }

    /// Returns whether a sealer gets the lock of the chain: one that waits, and one that skips a
    /// locked row, begins only then.
    fn may_lock_chain(&self, state: &State) -> bool {
        let is_locked = state.sealers.iter().any(Sealer::holds_chain);
        !is_locked || self.mutant == Some(Mutant::NoChainLock)
    }

    fn apply(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Lock(index) | Action::Store(index) => self.lock_or_draw(state, index, action)?,
            Action::CommitChange(index) => state.changes.get_mut(index)?.progress = Progress::Committed,
            Action::RollBack(index) => state.changes.get_mut(index)?.progress = Progress::RolledBack,
            Action::Begin(look) => state.sealers.push(Sealer::Locked {
                chain: state.chain.clone(),
                look,
            }),
            Action::Take { sealer, limit } => self.take(state, sealer, limit)?,
            Action::Append(sealer) => self.append(state, sealer)?,
            Action::CommitSealing(sealer) => self.commit(state, sealer)?,
            Action::Abort(sealer) => {
                state.sealers.remove(sealer);
            }
            Action::Remove(sealer) => {
                let sealer = state.sealers.remove(sealer);
                remove_rows(state, sealer.taken());
            }
        }
        Some(())
    }

    /// Performs one of the first two steps of a change. It locks its rows first and then stores its
    /// event, which draws a number.
    fn lock_or_draw(&self, state: &mut State, index: usize, action: Action) -> Option<()> {
        let is_first = matches!(action, Action::Lock(_));
        if is_first == (self.mutant != Some(Mutant::NumberDrawnBeforeTheLock)) {
            self.lock_rows(state, index)?;
        } else {
            state.drawn += 1;
            state.changes.get_mut(index)?.seq = Some(state.drawn);
        }
        state.changes.get_mut(index)?.progress = if is_first {
            Progress::Locked
        } else {
            Progress::Stored
        };
        Some(())
    }

    /// Locks the rows of a change, unless another change has locked one of them.
    fn lock_rows(&self, state: &mut State, index: usize) -> Option<()> {
        let mut depends_on = 0;
        for (other, change) in state.changes.iter().enumerate() {
            if other == index || self.rows(other) & self.rows(index) == 0 {
                continue;
            }
            if change.holds_locks(self.mutant) {
                return None;
            }
            if change.progress == Progress::Committed {
                depends_on |= 1 << other;
            }
        }
        state.changes.get_mut(index)?.depends_on = depends_on;
        Some(())
    }

    fn take(&self, state: &mut State, sealer: usize, limit: usize) -> Option<()> {
        let Sealer::Locked { chain, look } = state.sealers.get(sealer)?.clone() else {
            return None;
        };
        let taken = select(state, &chain, look, limit, self.mutant);
        if taken.is_empty() {
            state.sealers.remove(sealer);
            return Some(());
        }
        let mut others = state.sealers.iter().flat_map(Sealer::taken);
        if others.any(|other| taken.contains(other)) {
            // The statement waits for a transaction that has removed one of the rows.
            return None;
        }
        if self.mutant == Some(Mutant::RemovalBeforeTheSealing) {
            remove_rows(state, &taken);
        }
        *state.sealers.get_mut(sealer)? = Sealer::Taken { chain, taken };
        Some(())
    }

    fn append(&self, state: &mut State, sealer: usize) -> Option<()> {
        let Sealer::Taken { chain, taken } = state.sealers.get(sealer)?.clone() else {
            return None;
        };
        let (events, chain) = append(&chain, &state.changes, &taken, &self.bounds, self.mutant);
        match self.mutant {
            Some(Mutant::RangesThatSurviveAnAbort) => state.chain.unsealed = chain.unsealed.clone(),
            Some(Mutant::HeadThatSurvivesAnAbort) => state.chain.head = chain.head,
            _ => {}
        }
        *state.sealers.get_mut(sealer)? = Sealer::Appended { chain, taken, events };
        Some(())
    }

    fn commit(&self, state: &mut State, sealer: usize) -> Option<()> {
        let Sealer::Appended { chain, taken, events } = state.sealers.remove(sealer) else {
            return None;
        };
        state.chain = chain;
        state.log.extend(events);
        if self.mutant == Some(Mutant::RemovalAfterTheSealing) {
            state.sealers.push(Sealer::Committed { taken });
        } else {
            remove_rows(state, &taken);
        }
        Some(())
    }
}

fn remove_rows(state: &mut State, taken: &[usize]) {
    for &index in taken {
        if let Some(change) = state.changes.get_mut(index) {
            change.is_removed = true;
        }
    }
}

impl Model for SealingModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            changes: vec![Change::default(); self.bounds.changes.len()],
            drawn: 0,
            chain: Chain {
                head: 0,
                // The columns' defaults in the migration.
                unsealed: Unsealed::between(&[1], &[i64::MAX]),
            },
            log: Vec::new(),
            sealers: Vec::new(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.change_actions(state, actions);
        self.sealer_actions(state, actions);
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        self.apply(&mut state, action)?;
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
