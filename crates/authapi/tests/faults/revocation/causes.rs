//! Faults. Each one starts and ends repeatedly, lasts long enough to be detected, and counts its
//! rounds.

use super::{
    tally::{Tally, count},
    world::{REPLICAS, STEPPED, World},
};
use crate::redis::flush_until;
use adapters_postgres::{PoolSettings, PostgresBus, PostgresDatabase};
use adapters_redis::{RedisBus, RedisClient, RedisUrl};
use session_cache::ports::{BusEvent, InvalidationBus};
use std::{
    collections::VecDeque,
    fs,
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use testservers::ProxyMode;
use tokio::{
    task::block_in_place,
    time::{Instant, sleep, timeout_at},
};

/// Long enough for replicas to acquire leases and cache session snapshots again.
const WELL: Duration = Duration::from_secs(2);
/// Long enough for leases without acknowledgements to expire.
const WRONG: Duration = Duration::from_millis(2_500);
/// Shorter than a lease.
const BRIEF: Duration = Duration::from_secs(1);
/// The channel of the invalidations in Postgres.
const CHANNEL: &str = "authapi:invalidations";
/// How long a replica is suspended.
const HELD: Duration = Duration::from_secs(5);
/// A delay in each direction that makes acknowledgements late, although messages arrive in time.
const LATE: Duration = Duration::from_millis(120);
/// A delay in each direction that makes messages themselves arrive too late.
const TOO_LATE: Duration = Duration::from_millis(700);
/// The offsets to which a clock is stepped, in the format of faketime.
const STEPS: [&str; 2] = ["+3600", "+0"];
/// The number of messages kept for later repetition.
const KEPT: usize = 200;
/// How often one message is repeated.
const COPIES: usize = 2;

pub async fn nothing(_: Arc<World>, tally: Arc<Tally>) {
    loop {
        sleep(WELL).await;
        count(&tally.rounds);
    }
}

/// Cuts one replica after the other off from the bus.
pub async fn drop_messages(world: Arc<World>, tally: Arc<Tally>) {
    through_proxies(&world, &tally, &[ProxyMode::BlackHole]).await;
}

pub async fn hold_messages_back(world: Arc<World>, tally: Arc<Tally>) {
    let modes = [ProxyMode::Delay(LATE), ProxyMode::Delay(TOO_LATE)];
    through_proxies(&world, &tally, &modes).await;
}

/// Closes and resets the connections of one replica after the other to the bus.
pub async fn cut_connections(world: Arc<World>, tally: Arc<Tally>) {
    through_proxies(&world, &tally, &[ProxyMode::Cut, ProxyMode::Reset]).await;
}

/// Applies `modes` to the connections of each replica in turn, and then to those of all replicas.
async fn through_proxies(world: &World, tally: &Tally, modes: &[ProxyMode]) {
    for (round, mode) in modes.iter().cycle().enumerate() {
        let treated = round % (REPLICAS + 1);
        sleep(WELL).await;
        for (index, proxy) in world.proxies.iter().enumerate() {
            if treated == index || treated == REPLICAS {
                proxy.set(*mode);
            }
        }
        sleep(WRONG).await;
        for proxy in &world.proxies {
            proxy.set(ProxyMode::Pass);
        }
        count(&tally.rounds);
    }
}

/// A received message and its repetitions.
struct Heard {
    message: Vec<u8>,
    copies: usize,
    /// Whether it was repeated long after it was first received.
    is_late: bool,
}

/// Repeats messages of the bus in Redis, at once and much later.
pub async fn repeat_messages(world: Arc<World>, tally: Arc<Tally>) {
    let redis = world.redis();
    let url = RedisUrl::parse(redis.url()).expect("the URL is valid");
    let client = RedisClient::open(&url, RedisClient::COMMAND_BOUND).expect("the client can be built");
    repeat_all(&RedisBus::new(client, &channel(redis.address()).await), &tally).await;
}

/// Repeats messages of the bus in Postgres, at once and much later.
pub async fn repeat_notifications(world: Arc<World>, tally: Arc<Tally>) {
    let database = PostgresDatabase::connect(world.database_url(), PoolSettings::default()).await;
    let database = database.expect("the database can be opened");
    let bus = PostgresBus::open(&database, None, CHANNEL).expect("the URL is valid");
    repeat_all(&bus, &tally).await;
}

async fn repeat_all(bus: &dyn InvalidationBus, tally: &Tally) {
    let mut subscription = bus.subscribe().await.expect("the bus accepts subscriptions");
    let mut heard = VecDeque::new();
    loop {
        let over = Instant::now() + WELL;
        while let Ok(event) = timeout_at(over, subscription.next()).await {
            if let BusEvent::Message(message) = event {
                repeat(bus, &mut heard, message).await;
            }
        }
        count(&tally.rounds);
    }
}

/// Repeats `message` unless it was repeated often enough, and with each new message also an old
/// one.
async fn repeat(bus: &dyn InvalidationBus, heard: &mut VecDeque<Heard>, message: Vec<u8>) {
    if let Some(before) = heard.iter_mut().find(|it| it.message == message) {
        before.copies += 1;
        if before.copies < COPIES {
            say(bus, message).await;
        }
        return;
    }
    say(bus, message.clone()).await;
    heard.push_back(Heard {
        message,
        copies: 0,
        is_late: false,
    });
    if heard.len() > KEPT
        && let Some(old) = heard.pop_front()
        && !old.is_late
    {
        say(bus, old.message.clone()).await;
        heard.push_back(Heard {
            copies: COPIES,
            is_late: true,
            ..old
        });
    }
}

async fn say(bus: &dyn InvalidationBus, message: Vec<u8>) {
    if let Err(error) = bus.publish(message).await {
        println!("a repetition was lost: {error}");
    }
}

/// Returns the invalidation channel of the replicas.
async fn channel(redis: &str) -> String {
    loop {
        let mut stream = TcpStream::connect(redis).expect("Redis accepts connections");
        stream
            .write_all(b"PUBSUB CHANNELS\r\n")
            .expect("Redis reads the command");
        let mut answer = vec![0; 1024];
        let length = stream.read(&mut answer).expect("the server responds");
        let answer = String::from_utf8_lossy(&answer[..length]);
        // The reply is an array of one bulk string: `*1`, `$` and the length, the string.
        if let Some(channel) = answer.split("\r\n").nth(2).filter(|it| !it.is_empty()) {
            return channel.to_owned();
        }
        sleep(Duration::from_millis(20)).await;
    }
}

pub async fn flush_redis(world: Arc<World>, tally: Arc<Tally>) {
    loop {
        let over = Arc::new(AtomicBool::new(false));
        let flushing = {
            let (address, over) = (world.redis().address().to_owned(), Arc::clone(&over));
            thread::spawn(move || flush_until(&address, &over))
        };
        // If this future is dropped, the thread ends with its Redis.
        let over = EndsWithThis(over);
        sleep(WRONG).await;
        drop(over);
        assert_ne!(
            block_in_place(|| flushing.join()).expect("the thread does not panic"),
            0
        );
        count(&tally.rounds);
    }
}

struct EndsWithThis(Arc<AtomicBool>);

impl Drop for EndsWithThis {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub async fn kill_redis(world: Arc<World>, tally: Arc<Tally>) {
    loop {
        sleep(WELL).await;
        block_in_place(|| world.redis().kill());
        sleep(WRONG).await;
        block_in_place(|| world.redis().restart());
        count(&tally.rounds);
    }
}

pub async fn hold_redis(world: Arc<World>, tally: Arc<Tally>) {
    loop {
        sleep(WELL).await;
        world.redis().pause();
        sleep(WRONG).await;
        world.redis().resume();
        count(&tally.rounds);
    }
}

/// Kills Postgres and starts it again, for shorter and longer than a lease lasts.
pub async fn kill_postgres(world: Arc<World>, tally: Arc<Tally>) {
    for outage in [BRIEF, WRONG].iter().cycle() {
        sleep(WELL).await;
        block_in_place(|| world.postgres().kill());
        sleep(*outage).await;
        block_in_place(|| world.postgres().restart());
        count(&tally.rounds);
    }
}

/// Suspends and resumes Postgres, for shorter and longer than a lease lasts.
pub async fn hold_postgres(world: Arc<World>, tally: Arc<Tally>) {
    for outage in [BRIEF, WRONG].iter().cycle() {
        sleep(WELL).await;
        world.postgres().pause();
        sleep(*outage).await;
        world.postgres().resume();
        count(&tally.rounds);
    }
}

/// Suspends and resumes a replica repeatedly (SIGSTOP, SIGCONT).
pub async fn hold_a_replica(world: Arc<World>, tally: Arc<Tally>) {
    for round in 0.. {
        let replica = world.replica(round % REPLICAS);
        sleep(WELL).await;
        replica.hold();
        sleep(HELD).await;
        replica.wake();
        count(&tally.rounds);
    }
}

/// Kills and restarts a replica repeatedly (SIGKILL).
pub async fn kill_a_replica(world: Arc<World>, tally: Arc<Tally>) {
    for round in 0.. {
        let replica = world.replica(round % REPLICAS);
        sleep(WELL).await;
        block_in_place(|| replica.kill());
        sleep(WRONG).await;
        block_in_place(|| replica.wake());
        count(&tally.rounds);
    }
}

/// Steps the wall clock of one replica forward and back.
pub async fn step_the_clock(world: Arc<World>, tally: Arc<Tally>) {
    for step in STEPS.iter().cycle() {
        fs::write(&world.step_file, step).expect("the file can be written");
        sleep(WELL).await;
        // The step is visible by now: the server updates the date header twice a second.
        let (stepped, other) = tokio::join!(date_of(&world, STEPPED), date_of(&world, 0));
        let ahead = (stepped - other).num_minutes();
        assert_eq!(ahead > 30, *step != "+0", "{ahead} min ahead at {step}");
        count(&tally.rounds);
    }
}

/// Returns the current time according to a replica.
async fn date_of(world: &World, replica: usize) -> chrono::DateTime<chrono::FixedOffset> {
    let live = world.replica(replica).client().get("/health/live").send().await;
    chrono::DateTime::parse_from_rfc2822(live.header("date")).expect("the header contains a date")
}
