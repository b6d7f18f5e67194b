use crate::contract::prelude::*;
use domain::{
    changes::{Change, Facts},
    invalidation::InvalidationScope,
};
use std::sync::Mutex;

/// A command that stores the facts it is given and refuses to change anything.
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
        let mut kept = self.facts.lock().expect("no other thread panics");
        *kept = Some(facts.clone());
        Err(Refusal::SessionEnded)
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        None
    }
}

/// Returns what storage loads for `reads` at `at`, with sorted lists. Asserts that a dry run and an
/// execution load the same facts.
pub(in crate::contract) async fn loaded(storage: &CoreStorage, reads: Reads, at: DateTime<Utc>) -> Facts {
    let probe = Arc::new(Probe {
        reads,
        facts: Mutex::default(),
    });
    let executed = execute(storage, probe.clone(), context(at)).await;
    assert_eq!(executed, Err(Refusal::SessionEnded));
    let facts = sorted(&probe);
    let dry = dry_run(storage, probe.clone(), context(at)).await;
    assert_eq!(dry, Err(Refusal::SessionEnded));
    assert_eq!(sorted(&probe), facts, "facts of a dry run of {probe:?}");
    facts
}

/// Takes the facts that `probe` was given, with sorted lists.
fn sorted(probe: &Probe) -> Facts {
    let kept = probe.facts.lock().expect("no other thread panics").take();
    let mut facts = kept.expect("storage calls the command");
    facts.live_sessions.sort_unstable();
    facts.roles.sort_by(|one, other| one.name.cmp(&other.name));
    facts
}
