use super::world::{Client, World, abroad, attacker, home};
use domain::throttle::ThrottleDecision;
use std::time::Duration;
use testkit::SplitMix;

const HOUR: Duration = Duration::from_hours(1);
/// Failures of a /24 or a /56 at once, and those that it regains in an hour.
const BURST: usize = 90;
const PER_HOUR: usize = 180;

/// One network tries each of many accounts in turn, as fast as it may, from all its addresses.
#[derive(Clone, Copy, Debug)]
pub struct Spray {
    pub is_ipv6: bool,
    pub accounts: usize,
    pub hours: u32,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Sprayed {
    guesses_at_once: usize,
    guesses: usize,
    refused_owners: usize,
}

impl Spray {
    pub async fn run(&self) -> Sprayed {
        let mut random = SplitMix::new(2);
        let mut world = World::new(self.accounts);
        let mut sprayed = Sprayed::default();
        for turn in 0_usize.. {
            if world.now() >= HOUR * self.hours {
                break;
            }
            let account = turn % self.accounts;
            let host = u32::try_from(random.below(256)).expect("the number is small");
            let guess = Client {
                account,
                address: attacker(7, host, self.is_ipv6),
                has_device: false,
                is_owner: false,
            };
            match world.log_in(guess).await {
                ThrottleDecision::Allowed | ThrottleDecision::AllowedByFallback => sprayed.guesses += 1,
                ThrottleDecision::Refused { retry_after, .. } => {
                    // Another address may attempt earlier, but no network regains more per second.
                    let wait = retry_after.min(Duration::from_secs(1));
                    world.advance_to(world.now() + wait);
                }
            }
            if world.now() == Duration::ZERO {
                sprayed.guesses_at_once = sprayed.guesses;
            }
        }
        sprayed.refused_owners = self.refused_owners(&mut world).await;
        sprayed
    }

    /// Returns how many logins of owners are refused, at home and from a network that is new.
    async fn refused_owners(&self, world: &mut World) -> usize {
        let mut refused = 0;
        for account in 0..self.accounts {
            for address in [home(account), abroad(account, 0)] {
                let owner = Client {
                    account,
                    address,
                    has_device: false,
                    is_owner: true,
                };
                refused += usize::from(world.log_in(owner).await != ThrottleDecision::Allowed);
            }
        }
        refused
    }
}

impl Sprayed {
    /// Prints the figures and compares them with the documented limits.
    pub fn check(&self, spray: &Spray) {
        println!("{spray:?}");
        println!("| guesses at once | {} |", self.guesses_at_once);
        println!("| guesses in {} h | {} |", spray.hours, self.guesses);
        println!("| refused logins of owners | {} |", self.refused_owners);
        let most = BURST + PER_HOUR * spray.hours as usize;
        assert!(self.guesses_at_once <= BURST, "{}", self.guesses_at_once);
        assert!(self.guesses <= most, "{} of {most}", self.guesses);
        // Otherwise nothing was tested: the network uses what it has.
        assert!(self.guesses * 10 > most * 9, "{} of {most}", self.guesses);
        assert_eq!(self.refused_owners, 0);
    }
}
