use crate::{
    CoreStorage,
    contract::support::{dry_run, execute},
    fixtures::context,
};
use chrono::{DateTime, Utc};
use domain::{
    changes::{Change, Command, Facts, Reads, Refusal},
    invalidation::InvalidationScope,
};
use std::sync::{Arc, Mutex};

/// A command that decides nothing, and keeps the facts that it was given.
#[derive(Debug)]
struct Probe {
    reads: Reads,
    facts: Mutex<Option<Facts>>,
}

impl Command for Probe {
    fn reads(&self) -> Reads {
        self.reads.clone()
    }

    fn decide(&self, facts: &Facts, _: DateTime<Utc>) -> Result<Change, Refusal> {
        let mut kept = self.facts.lock().expect("no other test panics");
        *kept = Some(facts.clone());
        Err(Refusal::SessionEnded)
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        None
    }
}

/// Returns what storage loads for `reads` at `at`, in a dry run as well as in an execution. Lists
/// are sorted.
pub(in crate::contract) async fn loaded(storage: &CoreStorage, reads: Reads, at: DateTime<Utc>) -> Facts {
    let [in_execution, in_dry_run] = [0; 2].map(|_| {
        Arc::new(Probe {
            reads: reads.clone(),
            facts: Mutex::default(),
        })
    });
    let executed = execute(storage, in_execution.clone(), context(at)).await;
    assert_eq!(executed.err(), Some(Refusal::SessionEnded));
    let dry = dry_run(storage, in_dry_run.clone(), context(at)).await;
    assert_eq!(dry.err(), Some(Refusal::SessionEnded));
    let [executed, dry] = [in_execution, in_dry_run].map(|probe| sorted(&probe));
    assert_eq!(executed, dry, "a dry run decides on other facts: {reads:?}");
    executed
}

fn sorted(probe: &Probe) -> Facts {
    let kept = probe.facts.lock().expect("no other test panics").take();
    let mut facts = kept.expect("storage lets the command decide");
    facts.live_sessions.sort_unstable();
    facts.roles.sort_by(|one, other| one.name.cmp(&other.name));
    facts
}
