//! The load during every fault, and its journal.

use crate::{
    client::Client,
    journal::{Outcome, STEPS, Step, Story},
    server::Server,
};
use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{task::JoinHandle, time::sleep};

/// The number of clients, each with one request at a time.
pub const WRITERS: usize = 6;
/// The number of users that a client works on in turn, so that every step is next for one of them.
const AT_ONCE: usize = STEPS.len();
/// The pause between two requests of a client: the load is steady, not the maximum.
const PACE: Duration = Duration::from_millis(10);
/// The pause of a client after a refusal. It is shorter than `Retry-After`, so that clients send
/// requests at the moment of recovery.
const SHORT_REST: Duration = Duration::from_millis(50);

/// A request, as the client sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub step: Step,
    pub asked: Instant,
    pub took: Duration,
    pub outcome: Outcome,
}

/// The requests of all clients.
#[derive(Default)]
pub struct Journal {
    pub stories: Vec<Story>,
    pub seen: Vec<Seen>,
}

/// Clients that send requests until the oracle ends.
pub struct Oracle {
    over: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Journal>>,
}

struct Writer {
    name: String,
    client: Client,
    /// The token of a separate admin: changing roles also locks the row of the admin.
    admin: String,
    replicas: usize,
    begun: usize,
    journal: Journal,
}

impl Oracle {
    /// Starts clients that act with the admin token `root` on users whose names start with `name`.
    pub async fn start(server: &Server, root: &str, name: &str) -> Self {
        let over: Arc<AtomicBool> = Arc::default();
        let mut ready = Vec::new();
        for number in 0..WRITERS {
            ready.push(Writer::prepare(server, root, format!("{name}-{number}")).await);
        }
        let writers = ready.into_iter();
        Self {
            writers: writers
                .map(|writer| tokio::spawn(writer.write_until(Arc::clone(&over))))
                .collect(),
            over,
        }
    }

    /// Stops the clients after their current requests and returns their journal.
    pub async fn end(&mut self) -> Journal {
        self.over.store(true, Ordering::Relaxed);
        let mut all = Journal::default();
        for writer in self.writers.drain(..) {
            let journal = writer.await.expect("clients do not panic");
            all.stories.extend(journal.stories);
            all.seen.extend(journal.seen);
        }
        all
    }
}

impl Writer {
    async fn prepare(server: &Server, root: &str, name: String) -> Self {
        let client = server.client();
        let admin = format!("{name}-admin");
        assert_eq!(client.register(&admin).await.status, 201);
        let made = client.assigning(root, &admin, &["admin"], false).send().await;
        assert_eq!(made.status, 200, "{}", made.body);
        Self {
            admin: client.session(&admin).await.access,
            client,
            name,
            replicas: server.replicas(),
            begun: 0,
            journal: Journal::default(),
        }
    }

    async fn write_until(mut self, over: Arc<AtomicBool>) -> Journal {
        let mut open = VecDeque::new();
        while !over.load(Ordering::Relaxed) {
            while open.len() < AT_ONCE {
                open.push_back(self.begin());
            }
            let (mut story, last) = open.pop_front().expect("a story was just added to `open`");
            let outcome = self.write(&mut story).await;
            // The outcome of a request without a response is unknown, and another step would hide
            // it.
            if outcome == Outcome::NoAnswer || story.done == Some(last) {
                self.journal.stories.push(story);
            } else {
                open.push_back((story, last));
            }
            sleep(match outcome {
                Outcome::Answered | Outcome::DoneBefore => PACE,
                Outcome::Refused | Outcome::NoAnswer => SHORT_REST,
            })
            .await;
        }
        self.journal.stories.extend(open.into_iter().map(|it| it.0));
        self.journal
    }

    /// Creates a story and its last step; each story is one step longer than the one before.
    fn begin(&mut self) -> (Story, Step) {
        let number = self.begun;
        self.begun += 1;
        (
            Story::of(format!("{}-{number}", self.name)),
            STEPS[STEPS.len() - 1 - number % STEPS.len()],
        )
    }

    async fn write(&mut self, story: &mut Story) -> Outcome {
        let step = story.next().expect("completed stories are not open");
        let asked = Instant::now();
        let outcome = story
            .take_next_step(&self.client, &self.admin, self.replicas)
            .await;
        self.journal.seen.push(Seen {
            step,
            asked,
            took: asked.elapsed(),
            outcome,
        });
        outcome
    }
}

impl Seen {
    /// Returns whether a successful response means that no replica may accept earlier tokens.
    pub fn revokes(&self) -> bool {
        matches!(self.step, Step::LoseRoles | Step::LogOut)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms ({:?})", self.took.as_millis(), self.step)
    }
}

impl Journal {
    /// Returns the number of requests with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.of(outcome).count()
    }

    /// Returns the slowest request with this outcome.
    pub fn slowest(&self, outcome: Outcome) -> Option<&Seen> {
        self.of(outcome).max_by_key(|seen| seen.took)
    }

    pub fn of(&self, outcome: Outcome) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(move |seen| seen.outcome == outcome)
    }
}
