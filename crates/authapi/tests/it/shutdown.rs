//! SIGTERM: requests in progress are answered and kept, no connection is reset, and the program
//! ends in time.

use crate::{
    client::{Client, PASSWORD},
    log::answered,
    server::{Place, Server, Stopped},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

/// The time within which a server must end.
const IN_TIME: Duration = Duration::from_secs(10);
/// Longer than anything here takes; reached only when a test fails.
const TIMEOUT: Duration = Duration::from_mins(1);
/// The processor time after which the hashing thread is clearly at work, in clock ticks of 10 ms.
const CLEARLY_AT_WORK: u64 = 5;

fn check_clean(stopped: &Stopped) {
    assert!(stopped.took < IN_TIME, "{:?}", stopped.took);
    check_end(stopped);
}

fn check_end(stopped: &Stopped) {
    assert_eq!(stopped.status.code(), Some(0), "{:#?}", stopped.log);
    for last in &stopped.last_lines {
        let last: Value = serde_json::from_str(last).expect("the line is a JSON event");
        assert_eq!(last["message"], "stopped");
    }
}

/// The status of each request of one client, by request id; `None` where there was no response.
type Outcomes = BTreeMap<String, Option<u16>>;

/// Registers users until the server ends.
async fn register_until_the_end(client: Client, number: usize) -> Outcomes {
    let mut outcomes = Outcomes::new();
    loop {
        let id = format!("user-{number}-{}", outcomes.len());
        let call = client.registering(&id).header("X-Request-Id", id.as_bytes());
        let answer = call.try_send().await.ok();
        let is_over = answer.is_none();
        outcomes.insert(id, answer.map(|answer| answer.status));
        if is_over {
            return outcomes;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_every_request_that_was_accepted_is_answered() {
    let server = Server::start();
    let clients: Vec<_> = (0..8)
        .map(|number| tokio::spawn(register_until_the_end(server.client(), number)))
        .collect();
    let under_way = |line: &str| line.contains("user-7-5").then_some(());
    server
        .log()
        .wait_for(TIMEOUT, under_way)
        .expect("the server logs the requests in time");

    let stopped = server.terminate();

    check_clean(&stopped);
    let mut outcomes = Outcomes::new();
    for client in clients {
        outcomes.extend(client.await.expect("the task does not panic"));
    }
    let received: BTreeSet<String> = outcomes
        .iter()
        .filter_map(|(id, status)| status.map(|_| id.clone()))
        .collect();
    assert_eq!(
        answered(&stopped.log),
        received,
        "every logged response was received"
    );
    assert!(
        outcomes.values().flatten().all(|status| *status == 201),
        "{outcomes:?}"
    );

    let client = stopped.place.start();
    let client = client.client();
    for (id, status) in outcomes {
        let known = client.logging_in(&id, PASSWORD).send().await.status;
        assert_eq!(known, if status.is_some() { 200 } else { 401 }, "{id}");
    }
}

/// A place with slow hashing on one thread: about a fifth of a second for each of `passes`, and
/// more on a busy machine, because the hashing threads have low priority.
fn slow(passes: &str) -> Place {
    Place::new()
        .with("PASSWORD__MEMORY_KIB", "131072")
        .with("PASSWORD__ITERATIONS", passes)
        .with("PASSWORD__HASH_THREADS", "1")
        .with("SERVER__SHUTDOWN_TIMEOUT", "1m")
}

/// Starts a registration of `login` whose body the server has requested (RFC 9110, section 10.1.1)
/// and received.
fn registration_accepted(server: &Server, login: &str) -> TcpStream {
    let body = format!(r#"{{"login":"{login}","password":"{PASSWORD}"}}"#);
    let head =
        "POST /register HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nExpect: 100-continue";
    let mut stream = TcpStream::connect(server.address()).expect("the server accepts connections");
    stream
        .set_read_timeout(Some(TIMEOUT))
        .expect("the timeout can be set");
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n", body.len()).expect("the server reads the request");
    let mut take_next_step = *b"HTTP/1.1 100 Continue\r\n\r\n";
    stream
        .read_exact(&mut take_next_step)
        .expect("the server responds");
    assert!(take_next_step.starts_with(b"HTTP/1.1 100 "));
    stream
        .write_all(body.as_bytes())
        .expect("the server reads the request");
    stream
}

/// Starts the first registration of a server, and waits until its hash is being computed.
fn registration_under_way(server: &Server, login: &str) -> TcpStream {
    let stream = registration_accepted(server, login);
    wait_for_hashing(server.pid());
    stream
}

/// Resets the connection, as when the client's process dies.
fn reset(stream: TcpStream) {
    stream
        .set_nonblocking(true)
        .expect("the blocking mode can be set");
    let stream = tokio::net::TcpStream::from_std(stream).expect("the stream can be converted");
    stream.set_zero_linger().expect("the socket option can be set");
}

/// Waits until the hashing thread has been busy for a while.
fn wait_for_hashing(pid: u32) {
    let deadline = Instant::now() + TIMEOUT;
    while hashing_time(pid) < CLEARLY_AT_WORK {
        assert!(Instant::now() < deadline, "no hash is being computed");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The run time of the thread `hash-0` of a process in clock ticks: fields 14 and 15 of its `stat`
/// (proc(5)).
fn hashing_time(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is running");
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok());
    stats
        .filter(|stat| stat.contains("(hash-0)"))
        .flat_map(|stat| {
            let ticks = stat.split_whitespace().skip(13).take(2);
            ticks
                .filter_map(|ticks| ticks.parse::<u64>().ok())
                .collect::<Vec<_>>()
        })
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_requests_in_flight_are_answered() {
    let server = slow("8").start();
    let mut streams = [
        ("alice", registration_under_way(&server, "alice")),
        // Waits for the only hashing thread.
        ("bob", registration_accepted(&server, "bob")),
    ];

    let stopped = server.terminate();

    for (login, stream) in &mut streams {
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("the server responds and closes the connection");
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        assert!(answer.contains(&format!(r#""login":"{login}""#)), "{answer}");
    }
    check_end(&stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_kept_when_its_client_disconnects() {
    let server = slow("1").start();
    reset(registration_under_way(&server, "alice"));
    let client = server.client();
    let deadline = Instant::now() + TIMEOUT;
    while client.logging_in("alice", PASSWORD).send().await.status != 200 {
        assert!(Instant::now() < deadline, "the request was abandoned");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_kept_when_its_client_disconnects_and_the_server_stops() {
    let server = slow("1").start();
    reset(registration_under_way(&server, "alice"));
    let stopped = server.terminate();
    check_clean(&stopped);
    stopped.place.start().client().session("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_and_half_open_connections_do_not_delay_the_end() {
    let server = Server::start();
    let mut idle = TcpStream::connect(server.address()).expect("the server accepts connections");
    write!(idle, "GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n").expect("the server reads the request");
    let mut begun = [0; 12];
    idle.read_exact(&mut begun).expect("the server responds");
    let silent = TcpStream::connect(server.address()).expect("the server accepts connections");
    let mut half = TcpStream::connect(server.address()).expect("the server accepts connections");
    write!(half, "POST /login HTTP/1.1\r\nHost: test\r\nContent-Le").expect("the server reads the request");

    check_clean(&server.terminate());
    drop((idle, silent, half));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_stops_at_once() {
    let server = slow("8").start();
    let _stream = registration_under_way(&server, "alice");
    server.ask_to_stop();
    server.wait_until_each_says("stopping: ");
    let stopped = server.terminate();
    assert_eq!(stopped.status.code(), Some(1));
    assert!(stopped.last_lines[0].contains("by a second signal"));
}
