//! Rotations of keys while a replica is suspended or killed.

use crate::{
    client::{Client, PASSWORD},
    it::key_rotation::{PAUSE, TIMEOUT, kid_of, place, publish, rotate_to},
    server::Server,
};
use rustix::process::{Pid, Signal, kill_process};
use std::time::Instant;
use tokio::time::sleep;

/// The number of logins at the replica that continues.
const LOGINS: usize = 50;

/// Starts replicas whose tokens expire soon, so that a retired key can be removed soon.
fn start() -> Server {
    place().with("TOKENS__ACCESS_TTL", "2s").start()
}

fn signal_first(server: &Server, signal: Signal) {
    let pid = i32::try_from(server.pid()).expect("a process id is positive");
    let pid = Pid::from_raw(pid).expect("a process id is not 0");
    kill_process(pid, signal).expect("the process is running");
}

/// Waits until each of these replicas signs with the key `kid`.
async fn wait_until_signing(replicas: &[Client], kid: &str) {
    let deadline = Instant::now() + TIMEOUT;
    for replica in replicas {
        while kid_of(&replica.session("alice").await) != kid {
            assert!(Instant::now() < deadline, "the key {kid} does not sign");
            sleep(PAUSE).await;
        }
    }
}

/// Removes the key `kid` as soon as that is allowed.
async fn remove(server: &Server, kid: &str) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let run = server.place().run(&["keys", "remove", kid], "");
        if run.code == Some(0) {
            return;
        }
        assert!(Instant::now() < deadline, "{}", run.stderr);
        sleep(PAUSE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_suspended_during_a_rotation_makes_no_token_that_others_reject() {
    let server = start();
    server.client().user("alice").await;
    let replicas = server.each();
    let (suspended, others) = replicas.split_first().expect("there are three replicas");
    let kid = publish(&server);
    // Allowed only when every replica has loaded the key.
    let old = rotate_to(&server, &kid).await;
    signal_first(&server, Signal::STOP);
    wait_until_signing(others, &kid).await;
    remove(&server, &old).await;
    signal_first(&server, Signal::CONT);

    let mut made = 0;
    for _ in 0..LOGINS {
        let answer = suspended.logging_in("alice", PASSWORD).send_once().await;
        if answer.status == 503 {
            continue;
        }
        made += 1;
        let pair = answer.pair();
        for replica in &replicas {
            let me = replica.me(&pair.access).await;
            let code = me.code_or_accepted();
            assert!(["accepted", "token_expired"].contains(&code.as_str()), "{code}");
        }
    }
    wait_until_signing(&replicas, &kid).await;
    println!("{made} of {LOGINS} logins were answered with tokens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_killed_does_not_hold_up_a_rotation() {
    let mut server = start();
    server.client().user("alice").await;
    assert!(server.kill(1));
    let kid = publish(&server);
    let old = rotate_to(&server, &kid).await;
    wait_until_signing(&server.each(), &kid).await;
    server.start_missing();
    wait_until_signing(&server.each(), &kid).await;
    remove(&server, &old).await;
    let pair = server.client().session("alice").await;
    for replica in server.each() {
        let code = replica.me_code(&pair.access).await;
        assert!(["accepted", "token_expired"].contains(&code.as_str()), "{code}");
    }
}
