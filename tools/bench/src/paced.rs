//! A load generator that sends requests when they are due.
//!
//! Each connection has a thread and sends one request at a time. At a fixed rate, the requests of
//! all connections are due at regular intervals, and a latency is counted from the time at which
//! the request was due, as by wrk2. So it includes the time for which a request waits for the
//! response to the previous one. Threads sleep more precisely than tasks, whose timers have a
//! resolution of a millisecond.

mod connection;

use crate::{
    load_report::{LoadReport, Response},
    usage::as_f64,
    work::PacedWork,
};
use anyhow::Result;
use connection::Connection;
use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

/// When requests are due.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// After the response to the connection's previous request.
    ClosedLoop,
    /// So many per second, over all connections.
    PerSecond(f64),
}

/// The parameters of one load.
pub struct PacedLoad {
    pub work: PacedWork,
    /// Each connection is to one replica.
    pub replicas: Vec<SocketAddr>,
    pub pace: Pace,
    /// The requests that are due within this time are sent.
    pub duration: Duration,
    /// The tokens of each connection: one for each logout, or the first one of a chain of
    /// refreshes. A connection without tokens stops.
    pub tokens: Vec<Vec<String>>,
}

/// When the requests of one connection are due.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    pace: Pace,
    start: Instant,
    duration: Duration,
    /// The number of this connection, from 0 on.
    number: u64,
    connections: u64,
}

impl PacedLoad {
    /// Opens the connections, and sends requests until none is due or no token is left.
    pub fn run(self) -> Result<LoadReport> {
        let addresses = self.replicas.iter().cycle();
        let connections = self.tokens.into_iter().zip(addresses);
        let connections = connections
            .map(|(tokens, &address)| Connection::open(self.work, address, tokens))
            .collect::<Result<Vec<_>>>()?;
        let start = Instant::now();
        let schedule = Schedule {
            pace: self.pace,
            start,
            duration: self.duration,
            number: 0,
            connections: u64::try_from(connections.len())?,
        };
        let responses = send_all(connections, schedule);
        Ok(LoadReport::of(&responses, start.elapsed().as_secs_f64()))
    }
}

fn send_all(connections: Vec<Connection>, schedule: Schedule) -> Vec<Response> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(connections)
            .map(|(number, connection)| {
                scope.spawn(move || send(connection, Schedule { number, ..schedule }))
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a connection does not panic"))
            .collect()
    })
}

fn send(mut connection: Connection, schedule: Schedule) -> Vec<Response> {
    let mut responses = Vec::new();
    for turn in 0.. {
        let Some(due) = schedule.due(turn, Instant::now()) else {
            break;
        };
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let Some(outcome) = connection.send() else {
            break;
        };
        responses.push(Response {
            latency: due.elapsed(),
            outcome,
        });
    }
    responses
}

impl Schedule {
    /// Returns when the request with number `turn` of the connection is due, counted from 0; `None`
    /// if that is after the end. The previous request was answered at `now`.
    fn due(&self, turn: u64, now: Instant) -> Option<Instant> {
        let due = match self.pace {
            Pace::ClosedLoop => now,
            Pace::PerSecond(rate) => {
                let position = turn * self.connections + self.number;
                self.start + Duration::from_secs_f64(as_f64(position) / rate)
            }
        };
        (due < self.start + self.duration).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(pace: Pace, number: u64) -> Schedule {
        Schedule {
            pace,
            start: Instant::now(),
            duration: Duration::from_secs(1),
            number,
            connections: 2,
        }
    }

    /// Returns after how many milliseconds the connection's requests are due, if each response
    /// arrives `latency` milliseconds after its request was sent.
    fn due_ms(schedule: &Schedule, latency: u64) -> Vec<u128> {
        let (mut now, mut due_ms) = (schedule.start, Vec::new());
        for turn in 0.. {
            let Some(due) = schedule.due(turn, now) else {
                break;
            };
            due_ms.push((due - schedule.start).as_millis());
            now = now.max(due) + Duration::from_millis(latency);
        }
        due_ms
    }

    #[test]
    fn at_a_fixed_rate_requests_are_due_regularly_however_late_the_responses_are() {
        let fixed = Pace::PerSecond(8.0);
        for latency in [0, 1, 400, 5_000] {
            assert_eq!(due_ms(&schedule(fixed, 0), latency), [0, 250, 500, 750]);
            assert_eq!(due_ms(&schedule(fixed, 1), latency), [125, 375, 625, 875]);
        }
    }

    #[test]
    fn in_a_closed_loop_requests_are_due_after_the_previous_response() {
        assert_eq!(due_ms(&schedule(Pace::ClosedLoop, 1), 400), [0, 400, 800]);
    }
}
