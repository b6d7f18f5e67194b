use super::world::{Client, World, abroad, attacker, home};
use domain::throttle::{TURN_HORIZON, ThrottleDecision};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};
use testkit::SplitMix;

const OWNERS_LOG_IN_EVERY: Duration = Duration::from_mins(10);
/// The time in which the budget of an account restores one attempt.
const RESTORED: Duration = Duration::from_secs(40);
/// How many new devices each owner tries during the attack.
const NEW_DEVICES: usize = 4;
/// In what time after the beginning of the attack its clients make their first attempt, in seconds.
const BEGINNING: u64 = 3600;

/// Many networks guess at some accounts. Each attempts again as soon as it may.
#[derive(Clone, Copy, Debug)]
pub struct Guessing {
    pub networks: u32,
    /// Addresses of each network.
    pub addresses: u32,
    pub accounts: usize,
    pub lasts: Duration,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Guessed {
    guesses: usize,
    refused_guesses: usize,
    most_in_an_hour: usize,
    logins_at_home: usize,
    logins_by_device: usize,
    refused_in_known_places: usize,
    /// How long each new device waited.
    waits: Vec<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Actor {
    Attacker {
        network: u32,
        account: usize,
    },
    AtHome {
        account: usize,
    },
    WithDevice {
        account: usize,
    },
    NewDevice {
        account: usize,
        number: usize,
        arrived: Duration,
    },
}

type Queue = BinaryHeap<Reverse<(Duration, Actor)>>;

impl Guessing {
    pub async fn run(&self) -> Guessed {
        let mut random = SplitMix::new(1);
        let mut world = World::new(self.accounts);
        let mut queue = self.actors(&mut random);
        let mut guessed = Guessed::default();
        while let Some(Reverse((at, actor))) = queue.pop() {
            if at > self.lasts {
                break;
            }
            world.advance_to(at);
            let decision = world.log_in(self.client(actor, &mut random)).await;
            guessed.count(actor, at, decision);
            if let Some(next) = next(actor, at, decision) {
                queue.push(Reverse((next, actor)));
            }
        }
        guessed.most_in_an_hour = world.most_in_an_hour();
        guessed
    }

    fn actors(&self, random: &mut SplitMix) -> Queue {
        let mut queue = Queue::new();
        for account in 0..self.accounts {
            for network in 0..self.networks {
                let begins = Duration::from_millis(random.below(BEGINNING * 1000));
                queue.push(Reverse((begins, Actor::Attacker { network, account })));
            }
            queue.push(Reverse((Duration::ZERO, Actor::AtHome { account })));
            queue.push(Reverse((Duration::ZERO, Actor::WithDevice { account })));
            for number in 0..NEW_DEVICES {
                // Early enough for the longest wait to end during the attack.
                let latest = self.lasts.saturating_sub(TURN_HORIZON + RESTORED);
                let arrived = Duration::from_secs(random.below(latest.as_secs()));
                let actor = Actor::NewDevice {
                    account,
                    number,
                    arrived,
                };
                queue.push(Reverse((arrived, actor)));
            }
        }
        queue
    }

    fn client(&self, actor: Actor, random: &mut SplitMix) -> Client {
        let (account, address) = match actor {
            Actor::Attacker { network, account } => {
                let host = random.below(self.addresses.into());
                let host = u32::try_from(host).expect("the number is small");
                (account, attacker(network, host, network % 2 == 1))
            }
            Actor::AtHome { account } => (account, home(account)),
            Actor::WithDevice { account } => (account, abroad(account, NEW_DEVICES)),
            Actor::NewDevice { account, number, .. } => (account, abroad(account, number)),
        };
        Client {
            account,
            address,
            has_device: matches!(actor, Actor::WithDevice { .. }),
            is_owner: !matches!(actor, Actor::Attacker { .. }),
        }
    }

    /// The longest that a new device may wait: for one restoration for each network that waits at
    /// the account, and not beyond the horizon. `Retry-After` is rounded up to a second.
    fn documented_wait(&self) -> Duration {
        let waiting = self.networks + u32::try_from(NEW_DEVICES).expect("the number is small");
        (RESTORED * waiting).min(TURN_HORIZON) + Duration::from_secs(1)
    }
}

/// Returns when an actor makes its next attempt, if it makes one.
fn next(actor: Actor, at: Duration, decision: ThrottleDecision) -> Option<Duration> {
    match (actor, decision) {
        (Actor::AtHome { .. } | Actor::WithDevice { .. }, _) => Some(at + OWNERS_LOG_IN_EVERY),
        (Actor::Attacker { .. }, ThrottleDecision::Refused { retry_after, .. }) => Some(at + retry_after),
        (Actor::NewDevice { .. }, ThrottleDecision::Refused { retry_after, .. }) => {
            Some(at + Duration::from_secs(retry_after.as_secs() + 1))
        }
        (Actor::Attacker { .. }, _) => Some(at),
        (Actor::NewDevice { .. }, _) => None,
    }
}

impl Guessed {
    fn count(&mut self, actor: Actor, at: Duration, decision: ThrottleDecision) {
        let is_allowed = decision == ThrottleDecision::Allowed;
        let counter = match (actor, is_allowed) {
            (Actor::Attacker { .. }, true) => &mut self.guesses,
            (Actor::Attacker { .. }, false) => &mut self.refused_guesses,
            (Actor::AtHome { .. }, true) => &mut self.logins_at_home,
            (Actor::WithDevice { .. }, true) => &mut self.logins_by_device,
            (Actor::AtHome { .. } | Actor::WithDevice { .. }, false) => &mut self.refused_in_known_places,
            (Actor::NewDevice { arrived, .. }, true) => return self.waits.push(at.saturating_sub(arrived)),
            (Actor::NewDevice { .. }, false) => return,
        };
        *counter += 1;
    }

    /// Prints the figures and compares them with the documented limits.
    pub fn check(mut self, guessing: &Guessing) {
        self.waits.sort();
        let median = self.waits.get(self.waits.len() / 2).copied().unwrap_or_default();
        let longest = self.waits.last().copied().unwrap_or_default();
        let hours = |wait: Duration| format!("{:.1} h", wait.as_secs_f64() / 3600.0);
        let rows = BTreeMap::from([
            ("1 guesses that reached a hash", self.guesses.to_string()),
            ("2 refused guesses", self.refused_guesses.to_string()),
            (
                "3 most attempts at one account in any hour",
                self.most_in_an_hour.to_string(),
            ),
            ("4 logins from known networks", self.logins_at_home.to_string()),
            ("5 logins from known devices", self.logins_by_device.to_string()),
            (
                "6 refused logins in known places",
                self.refused_in_known_places.to_string(),
            ),
            ("7 logins from new devices", self.waits.len().to_string()),
            ("8 their median wait", hours(median)),
            ("9 their longest wait", hours(longest)),
            ("9 the documented wait", hours(guessing.documented_wait())),
        ]);
        println!("{guessing:?}");
        for (name, figure) in rows {
            println!("| {} | {figure} |", &name[2..]);
        }
        assert!(self.most_in_an_hour <= 100, "{}", self.most_in_an_hour);
        assert_eq!(self.refused_in_known_places, 0);
        let logins = guessing.lasts.as_secs() / OWNERS_LOG_IN_EVERY.as_secs() + 1;
        let logins = usize::try_from(logins).expect("the number is small");
        assert_eq!(self.logins_at_home, guessing.accounts * logins);
        assert_eq!(self.logins_by_device, guessing.accounts * logins);
        assert_eq!(
            self.waits.len(),
            guessing.accounts * NEW_DEVICES,
            "every new device gets in"
        );
        assert!(longest <= guessing.documented_wait(), "{longest:?}");
        // Otherwise nothing was tested: the attackers use what the accounts permit.
        let most = guessing.accounts * (10 + 90 * 24);
        assert!(
            (most * 9 / 10..=most).contains(&self.guesses),
            "{} of {most}",
            self.guesses
        );
    }
}
