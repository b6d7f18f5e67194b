//! The load of a run: those who log in and revoke, those who read, and those who refresh.

use super::{
    life::{Life, User, is_put_off, session},
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

/// Between two revocations of one who revokes, in seconds: under a fault each takes longer than two.
const TURN: u32 = 3;
/// How many sessions each has open: some were seen before a fault and are ended under it.
const OPEN: usize = 3;
/// Between two requests of one who reads, and of one who refreshes.
const READING: Duration = Duration::from_millis(20);
const REFRESHING: Duration = Duration::from_millis(100);
/// How many live sessions are read at each replica, over and over.
const READ: usize = 8;
/// How many there are by whose right others are disabled.
const ADMINS: usize = 4;

/// Lets `cause` come and go in `world` under load until there was enough of both, and concludes.
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
        () = cause(Arc::clone(&world), Arc::clone(&tally)) => unreachable!("it comes again and again"),
        () = all(&mut revokers) => {}
    }
    block_in_place(|| world.mend());
    all(&mut others).await;
    tally.conclude(name);
}

/// Waits for the end of all, and fails with the first that failed.
async fn all(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
}

/// The tokens of admins: by their right revokers disable others.
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

/// Sessions that nobody revokes.
async fn live_sessions(world: &World, login: &str, count: usize) -> Vec<Pair> {
    // Another may have registered them.
    world.replica(0).client().register(login).await;
    let mut live = Vec::new();
    for number in 0..count {
        live.push(session(world, login, number).await);
    }
    live
}

/// Ends one session after the other, and has each probed, until there were enough.
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
        let life = open.pop_front().expect("some are open");
        if let Some((mut user, revoked)) = life.revoke(&world, &tally).await {
            probe(&world, &tally, revoked, &mut probing);
            user.enable(&world).await;
            open.push_back(user.log_in(&world, &tally).await);
        }
    }
    all(&mut probing).await;
}

/// Reads live sessions at one replica: they are never refused.
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

/// Refreshes a session, each time at another replica, and is let in at the next with what comes of it.
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
            Ok(answer) if is_put_off(answer.status) => {}
            Ok(answer) => {
                journal.note(format!("refused: {}", answer.body));
                tally.is_wrong("a live session was not refreshed", &journal);
                break;
            }
            // The same again: whoever lost an answer gets it once more.
            Err(_) => {}
        }
        sleep(REFRESHING).await;
    }
}

/// Shows a live session's token, which is accepted where it is answered.
async fn look(client: &Client, pair: &Pair, tally: &Tally, journal: &Journal) {
    count(&tally.load);
    if let Ok(answer) = client.get("/me").bearer(&pair.access).try_send().await
        && answer.status != 200
        && !is_put_off(answer.status)
    {
        journal.note(format!("refused: {}", answer.body));
        tally.is_wrong("a live session was refused", journal);
    }
}
