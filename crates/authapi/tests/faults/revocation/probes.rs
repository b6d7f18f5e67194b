//! Probes that ask every replica whether it accepts a revoked token.

use super::{
    life::{Revoked, is_inconclusive},
    tally::{Tally, count},
    world::{REPLICAS, World},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep_until};

/// The number of simultaneous probes of each replica.
const AT_ONCE: usize = 2;
/// When each probe is repeated, counted from the answer: before and after leases expire and
/// snapshots are read again.
const AGAIN: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// Probes every replica at once and again later, in separate tasks.
pub fn probe(world: &Arc<World>, tally: &Arc<Tally>, revoked: Revoked, probing: &mut JoinSet<()>) {
    let revoked = Arc::new(revoked);
    let at_once = [Duration::ZERO; AT_ONCE];
    for after in at_once.into_iter().chain(AGAIN) {
        for index in 0..REPLICAS {
            let (world, tally) = (Arc::clone(world), Arc::clone(tally));
            let revoked = Arc::clone(&revoked);
            probing.spawn(async move {
                sleep_until((revoked.answered + after).into()).await;
                ask(&world, &tally, &revoked, index).await;
            });
        }
    }
}

async fn ask(world: &World, tally: &Tally, revoked: &Revoked, index: usize) {
    let replica = world.replica(index);
    let _turn = replica
        .probes
        .acquire()
        .await
        .expect("the semaphore is never closed");
    let asked = Instant::now();
    let call = replica.client().get("/me").bearer(&revoked.token);
    let answer = call.try_send().await;
    let answer = answer.map(|answer| (answer.status, answer.code_or_accepted()));
    revoked.journal.note(format!(
        "replica {index}, asked {:?} after the answer, says {answer:?}",
        asked - revoked.answered
    ));
    match answer {
        Ok((200, _)) => tally.is_wrong("a revoked token was accepted", &revoked.journal),
        Ok((401, code)) if matches!(&*code, "token_revoked" | "token_outdated") => count(&tally.refused),
        Ok((status, _)) if !is_inconclusive(status) => {
            tally.is_wrong("a revoked token was refused for another reason", &revoked.journal);
        }
        Ok(_) | Err(_) => count(&tally.unsettled),
    }
}
