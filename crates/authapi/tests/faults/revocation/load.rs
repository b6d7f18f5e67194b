//! The load of a run: clients that log in and revoke, clients that read, and clients that refresh.

use super::{
    life::{Life, User, is_inconclusive, session},
    probes::probe,
    tally::{Journal, Tally, count},
    world::{REPLICAS, World},
};
use crate::client::{Client, Pair};
use std::{collections::VecDeque, future::Future, sync::Arc, time::Duration};
use tokio::{
    select,
    task::{JoinSet, block_in_place},
    time::{MissedTickBehavior, interval, sleep},
};

/// The seconds between two revocations of one client: under a fault, each takes more than two.
const TURN: u32 = 3;
/// The number of open sessions per client: some are cached before a fault and revoked during it.
const OPEN: usize = 3;
/// The pause between two requests of a reading or refreshing client.
const READING: Duration = Duration::from_millis(20);
const REFRESHING: Duration = Duration::from_millis(100);
/// The number of live sessions read repeatedly at each replica.
const READ: usize = 8;
/// The number of admins that disable users.
const ADMINS: usize = 4;

/// Applies `cause` to `world` under load until there were enough rounds and revocations, and
/// concludes.
pub async fn run<F: Future<Output = ()>>(
    name: &str,
    world: Arc<World>,
    cause: impl FnOnce(Arc<World>, Arc<Tally>) -> F,
) {
    let tally = Arc::new(Tally::new());
    let admins = admins(&world).await;
    let mut others = JoinSet::new();
    for index in 0..REPLICAS {
        let live = live_sessions(&world, "reader", READ).await;
        others.spawn(read(Arc::clone(&world), Arc::clone(&tally), index, live));
        let refreshed = live_sessions(&world, "refresher", 1).await;
        others.spawn(refresh(Arc::clone(&world), Arc::clone(&tally), index, refreshed));
    }
    let mut revokers = JoinSet::new();
    for (number, admin) in (0..TURN * tally.a_second).zip(admins.iter().cycle()) {
        let admin = Arc::clone(admin);
        revokers.spawn(revoke(Arc::clone(&world), Arc::clone(&tally), number, admin));
    }
    select! {
        () = cause(Arc::clone(&world), Arc::clone(&tally)) => unreachable!("a fault is repeated until it is cancelled"),
        () = all(&mut revokers) => {}
    }
    block_in_place(|| world.mend());
    all(&mut others).await;
    tally.conclude(name, world.slowest_revocation());
}

/// Waits for all tasks and fails with the first that failed.
async fn all(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        ended.expect("the task does not panic");
    }
}

/// Returns the tokens of the admins that disable users.
async fn admins(world: &World) -> Vec<Arc<str>> {
    let client = world.replica(0).client();
    let root = client.session("root").await.access;
    let mut admins = Vec::new();
    for number in 0..ADMINS {
        let login = format!("admin-{number}");
        assert_eq!(client.register(&login).await.status, 201);
        let made = client.assigning(&root, &login, &["admin"], false).send().await;
        assert_eq!(made.status, 200, "{}", made.body);
        admins.push(client.session(&login).await.access.into());
    }
    admins
}

/// Creates sessions that are never revoked.
async fn live_sessions(world: &World, login: &str, count: usize) -> Vec<Pair> {
    // Another task may have registered them.
    world.replica(0).client().register(login).await;
    let mut live = Vec::new();
    for number in 0..count {
        live.push(session(world, login, number).await);
    }
    live
}

/// Revokes one session after the other, and has each probed, until there were enough.
async fn revoke(world: Arc<World>, tally: Arc<Tally>, number: u32, admin: Arc<str>) {
    let mut open: VecDeque<Life> = VecDeque::new();
    let mut probing = JoinSet::new();
    let mut turns = interval(Duration::from_secs(TURN.into()));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sleep(Duration::from_secs(1) * number / tally.a_second).await;
    while !tally.is_enough() {
        while open.len() < OPEN {
            let user = User::register(&world, &admin).await;
            open.push_back(user.log_in(&world, &tally).await);
        }
        turns.tick().await;
        let life = open.pop_front().expect("a session is open");
        if let Some((mut user, revoked)) = life.revoke(&world, &tally).await {
            probe(&world, &tally, revoked, &mut probing);
            user.enable(&world).await;
            open.push_back(user.log_in(&world, &tally).await);
        }
    }
    all(&mut probing).await;
}

/// Reads live sessions at one replica and reports each refusal.
async fn read(world: Arc<World>, tally: Arc<Tally>, index: usize, live: Vec<Pair>) {
    for pair in live.iter().cycle() {
        if tally.is_enough() {
            break;
        }
        let replica = world.replica(index);
        if replica.is_awake() {
            let journal = Journal::begin(format!("a session that lives on is read at replica {index}"));
            look(&replica.client(), pair, &tally, &journal).await;
        }
        sleep(READING).await;
    }
}

/// Refreshes a session at one replica after the other and uses the new token at the next.
async fn refresh(world: Arc<World>, tally: Arc<Tally>, number: usize, mut pair: Vec<Pair>) {
    let mut pair = pair.remove(0);
    for turn in number.. {
        if tally.is_enough() {
            break;
        }
        let (index, replica) = world.on_time(turn);
        let journal = Journal::begin(format!("a session is refreshed at replica {index}"));
        count(&tally.load);
        match replica
            .client()
            .post("/refresh")
            .bearer(&pair.refresh)
            .try_send()
            .await
        {
            Ok(answer) if answer.status == 200 => {
                pair = answer.pair();
                let (index, next) = world.on_time(turn + 1);
                journal.note(format!("its new token is shown to replica {index}"));
                look(&next.client(), &pair, &tally, &journal).await;
            }
            Ok(answer) if is_inconclusive(answer.status) => {}
            Ok(answer) => {
                journal.note(format!("refused: {}", answer.body));
                tally.is_wrong("a live session was not refreshed", &journal);
                break;
            }
            // Without an answer, the client repeats the request and gets the same pair.
            Err(_) => {}
        }
        sleep(REFRESHING).await;
    }
}

/// Uses a live session's token and reports a refusal.
async fn look(client: &Client, pair: &Pair, tally: &Tally, journal: &Journal) {
    count(&tally.load);
    if let Ok(answer) = client.get("/me").bearer(&pair.access).try_send().await
        && answer.status != 200
        && !is_inconclusive(answer.status)
    {
        journal.note(format!("refused: {}", answer.body));
        tally.is_wrong("a live session was refused", journal);
    }
}
