//! Redis killed, suspended, flushed, disconnected and slow: requests succeed regardless.

use crate::{
    backing::Database,
    cells::{FINE, Row},
    scene::{Harm, Scene, setting},
    server::Place,
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use testservers::{CuttingProxy, Own, ProxyMode, Redis};

/// A delay longer than any wait of the service.
const TOO_FAR: Duration = Duration::from_secs(2);

const DEGRADED: Row = Row {
    ready: Some((200, "degraded")),
    ..FINE
};

/// Creates a place on Postgres that counts attempts in the Redis at `url`.
fn place(url: &str) -> Place {
    let database = Database::Postgres(testservers::postgres().fresh_database());
    setting(Place::on(
        tempfile::tempdir().expect("the folder can be created"),
        database,
        1,
    ))
    .with("REDIS__URL", url)
    .with("THROTTLE__ENABLED", "true")
}

/// Tests the service between `break_it` and `mend_it`.
async fn degraded(name: &'static str, break_it: fn(&Own<Redis>), mend_it: fn(&Own<Redis>)) {
    let redis = Redis::start_own();
    let mut scene = Scene::open(name, place(redis.url())).await;
    scene.breaks();
    break_it(&redis);
    scene.expect(&DEGRADED).await;
    mend_it(&redis);
    scene.is_mended().await;
    scene.close_and_look(Harm::Nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_dead_everything_works() {
    degraded("Redis killed, started again", Own::kill, Own::restart).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_hangs_everything_works() {
    degraded("Redis held still, let go", Own::pause, Own::resume).await;
}

/// Tests the service while a proxy disturbs its connections to Redis with `mode`.
async fn through_a_proxy(name: &'static str, mode: ProxyMode) {
    let redis = Redis::start_own();
    let proxy = CuttingProxy::forward_to(redis.address().parse().expect("the text is an address")).await;
    let mut scene = Scene::open(name, place(&format!("redis://{}", proxy.address()))).await;
    scene.breaks();
    proxy.set(mode);
    scene.expect(&DEGRADED).await;
    proxy.set(ProxyMode::Pass);
    scene.is_mended().await;
    scene.close_and_look(Harm::Nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_connections_to_redis_are_closed_everything_works() {
    through_a_proxy("connections to Redis closed", ProxyMode::Cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_connections_to_redis_are_reset_everything_works() {
    through_a_proxy("connections to Redis reset", ProxyMode::Reset).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_comes_back_from_redis_everything_works() {
    through_a_proxy("nothing comes back from Redis", ProxyMode::BlackHole).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_too_slow_everything_works() {
    through_a_proxy("Redis 2 s away", ProxyMode::Delay(TOO_FAR)).await;
}

/// Flushes a Redis repeatedly until `over` is set, and returns the number of flushes.
pub fn flush_until(address: &str, over: &AtomicBool) -> usize {
    let mut redis = TcpStream::connect(address).expect("Redis accepts connections");
    let mut times = 0;
    while !over.load(Ordering::Relaxed) {
        redis.write_all(b"FLUSHALL\r\n").expect("Redis reads the command");
        let mut answer = [0; 5];
        redis.read_exact(&mut answer).expect("Redis responds");
        assert_eq!(&answer, b"+OK\r\n");
        times += 1;
        thread::sleep(Duration::from_millis(2));
    }
    times
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_flushed_again_and_again_everything_works() {
    let redis = Redis::start_own();
    let mut scene = Scene::open("Redis flushed in a loop", place(redis.url())).await;
    let over = Arc::new(AtomicBool::new(false));
    let flushing = {
        let (address, over) = (redis.address().to_owned(), Arc::clone(&over));
        thread::spawn(move || flush_until(&address, &over))
    };
    scene.breaks();
    scene.expect(&FINE).await;
    over.store(true, Ordering::Relaxed);
    let times = flushing.join().expect("the thread does not panic");
    assert!(times > 100, "{times}");
    scene.is_mended().await;
    scene.close_and_look(Harm::Nothing).await;
}
