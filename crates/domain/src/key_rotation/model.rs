//! Replicas that share a key folder, driven through random orders of steps, crashes and
//! suspensions.

use super::*;
use crate::{
    fixtures::replica_settings,
    replica::{ReplicaSettings, TokenLifetimes},
};
use proptest::prelude::*;
use std::collections::BTreeSet;

const TERMS: RotationTerms = RotationTerms {
    jwks_lifetime: TimeDelta::seconds(20),
    access_ttl: TimeDelta::seconds(30),
    clock_skew: TimeDelta::seconds(0),
};
/// How long the row of a replica counts, in seconds.
const ROW_TERM: i64 = 15;
const REPLICAS: usize = 3;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).expect("chrono represents the second")
}

fn settings() -> ReplicaSettings {
    let settings = replica_settings();
    ReplicaSettings {
        lifetimes: TokenLifetimes {
            access: TERMS.access_ttl.num_milliseconds(),
            ..settings.lifetimes
        },
        ..settings
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Event {
    Wait(i64),
    /// A replica loads the folder and stores its row.
    Load(usize),
    /// A replica reads the rows of the others and chooses the key that signs.
    Choose(usize),
    Issue(usize),
    Kill(usize),
    Start(usize),
    Publish,
    Sign(usize),
    Retire(usize),
    Remove(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let replica = 0..REPLICAS;
    let key = 0..4_usize;
    prop_oneof![
        4 => (1..12_i64).prop_map(Event::Wait),
        5 => replica.clone().prop_map(Event::Load),
        5 => replica.clone().prop_map(Event::Choose),
        4 => replica.clone().prop_map(Event::Issue),
        1 => replica.clone().prop_map(Event::Kill),
        1 => replica.prop_map(Event::Start),
        2 => Just(Event::Publish),
        3 => key.clone().prop_map(Event::Sign),
        1 => key.clone().prop_map(Event::Retire),
        3 => key.prop_map(Event::Remove),
    ]
}

#[derive(Clone, Debug)]
struct Replica {
    loaded: BTreeMap<String, DateTime<Utc>>,
    signing: String,
    /// The stored row, and when it was stored.
    row: (ReplicaSettings, i64),
}

/// A token, or a JWKS in the cache of another service.
#[derive(Debug)]
struct Token {
    kid: String,
    expires: i64,
}

struct World {
    now: i64,
    published: usize,
    folder: Vec<RotatingKey>,
    used_until: BTreeMap<String, i64>,
    replicas: [Option<Replica>; REPLICAS],
    tokens: Vec<Token>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            now: 0,
            published: 0,
            folder: Vec::new(),
            used_until: BTreeMap::new(),
            replicas: [const { None }; REPLICAS],
            tokens: Vec::new(),
        };
        world.publish();
        world.folder[0].stage = KeyStage::Signing;
        world.start(0);
        world
    }

    fn publish(&mut self) {
        self.folder.push(RotatingKey {
            kid: format!("key {}", self.published),
            stage: KeyStage::Published,
            since: at(self.now),
            used_until: None,
        });
        self.published += 1;
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Wait(seconds) => self.now += seconds,
            Event::Load(replica) => self.load(replica),
            Event::Choose(replica) => self.choose(replica),
            Event::Issue(replica) => self.issue(replica),
            Event::Kill(replica) => self.replicas[replica] = None,
            Event::Start(replica) => self.start(replica),
            Event::Publish => self.publish(),
            Event::Sign(key) => self.step(key, |kid| Step::Sign { kid, urgent: false }),
            Event::Retire(key) => self.step(key, |kid| Step::Retire { kid }),
            Event::Remove(key) => self.step(key, |kid| Step::Remove { kid }),
        }
    }

    /// Takes a step if it is allowed.
    fn step(&mut self, key: usize, step: impl Fn(String) -> Step) {
        let Some(kid) = self.folder.get(key).map(|key| key.kid.clone()) else {
            return;
        };
        let step = step(kid.clone());
        if self.rotation().check(&step, at(self.now)).is_err() {
            return;
        }
        let now = at(self.now);
        let mut enter = |stage, is_it: &dyn Fn(&RotatingKey) -> bool| {
            let keys = self.folder.iter_mut().filter(|key| is_it(key));
            keys.for_each(|key| (key.stage, key.since) = (stage, now));
        };
        match step {
            Step::Publish => unreachable!("only keys take steps"),
            Step::Sign { .. } => {
                enter(KeyStage::Retired, &|key| key.stage == KeyStage::Signing);
                enter(KeyStage::Signing, &|key| key.kid == kid);
            }
            Step::Retire { .. } => enter(KeyStage::Retired, &|key| key.kid == kid),
            Step::Remove { .. } => self.folder.retain(|key| key.kid != kid),
        }
    }

    fn rotation(&self) -> KeyRotation {
        let used = |key: &RotatingKey| RotatingKey {
            used_until: self.used_until.get(&key.kid).copied().map(at),
            ..key.clone()
        };
        KeyRotation {
            keys: self.folder.iter().map(used).collect(),
            replicas: self.rows(None).iter().map(KeyHolder::from).collect(),
            terms: TERMS,
        }
    }

    /// Returns the rows that count, except that of `own`.
    fn rows(&self, own: Option<usize>) -> Vec<ReplicaSettings> {
        let replicas = self.replicas.iter().enumerate();
        let others = replicas.filter(|(replica, _)| Some(*replica) != own);
        let rows = others.filter_map(|(_, replica)| replica.as_ref().map(|replica| &replica.row));
        let live = rows.filter(|(_, stored)| self.now < stored + ROW_TERM);
        live.map(|(row, _)| row.clone()).collect()
    }

    /// Returns the keys of the folder, the most preferred first.
    fn candidates(&self, current: Option<&str>) -> Vec<String> {
        let of = |stage| {
            let keys = self.folder.iter().filter(move |key| key.stage == stage);
            keys.map(|key| key.kid.clone())
        };
        let current = self
            .folder
            .iter()
            .filter(|key| Some(key.kid.as_str()) == current)
            .map(|key| key.kid.clone());
        of(KeyStage::Signing)
            .chain(current)
            .chain(of(KeyStage::Retired))
            .chain(of(KeyStage::Published))
            .collect()
    }

    fn start(&mut self, index: usize) {
        if self.replicas[index].is_some() {
            return;
        }
        let signing = self.candidates(None)[0].clone();
        self.replicas[index] = Some(Replica {
            loaded: BTreeMap::new(),
            signing,
            row: (settings(), self.now),
        });
        self.load(index);
        self.choose(index);
    }

    fn load(&mut self, index: usize) {
        let candidate = self.candidates(None)[0].clone();
        let now = self.now;
        let kids: Vec<_> = self.folder.iter().map(|key| key.kid.clone()).collect();
        let Some(replica) = &mut self.replicas[index] else {
            return;
        };
        let loaded = kids.into_iter().map(|kid| {
            let since = replica.loaded.get(&kid).copied().unwrap_or(at(now));
            (kid, since)
        });
        replica.loaded = loaded.collect();
        let current = replica.signing.clone();
        self.store(index, &candidate);
        self.extend(&current);
    }

    fn choose(&mut self, index: usize) {
        let current = self.replicas[index]
            .as_ref()
            .map(|replica| replica.signing.clone());
        let candidates = self.candidates(current.as_deref());
        let others = self.rows(Some(index));
        let Some(replica) = &mut self.replicas[index] else {
            return;
        };
        // A replica chooses among the keys that it has stored as loaded, under a row that counts.
        if self.now >= replica.row.1 + ROW_TERM {
            return;
        }
        let known: Vec<_> = candidates
            .into_iter()
            .filter(|kid| replica.loaded.contains_key(kid))
            .collect();
        let Some(chosen) = choose_signer(&known, &others).map(str::to_owned) else {
            return;
        };
        replica.signing.clone_from(&chosen);
        self.store(index, &chosen);
    }

    fn store(&mut self, index: usize, signing: &str) {
        let Some(replica) = &mut self.replicas[index] else {
            return;
        };
        let row = ReplicaSettings {
            signing_key: signing.to_owned(),
            accepted_keys: replica.loaded.keys().cloned().collect(),
            loaded_keys: replica
                .loaded
                .iter()
                .map(|(kid, since)| (kid.clone(), since.timestamp_millis()))
                .collect(),
            ..settings()
        };
        replica.row = (row, self.now);
        self.extend(signing);
    }

    fn extend(&mut self, kid: &str) {
        let until = self.used_until.entry(kid.to_owned()).or_default();
        *until = (*until).max(self.now + ROW_TERM);
    }

    /// Issues a token. A replica whose row no longer counts, or that no longer has the key with
    /// which it signed, loads the folder and chooses a key first.
    fn issue(&mut self, index: usize) {
        let Some(replica) = &self.replicas[index] else {
            return;
        };
        let has_key = replica.loaded.contains_key(&replica.signing);
        if self.now >= replica.row.1 + ROW_TERM || !has_key {
            self.load(index);
            self.choose(index);
        }
        let Some(replica) = &self.replicas[index] else {
            return;
        };
        let kid = replica.signing.clone();
        for other in self.rows(Some(index)) {
            assert!(
                other.accepted_keys.contains(&kid),
                "{kid} signs and {other:?} lacks it"
            );
        }
        self.tokens.push(Token {
            kid,
            expires: self.now + TERMS.access_ttl.num_seconds(),
        });
    }

    fn check(&self) {
        let live: BTreeSet<_> = self
            .tokens
            .iter()
            .filter(|token| self.now < token.expires)
            .map(|token| token.kid.as_str())
            .collect();
        for kid in live {
            assert!(
                self.folder.iter().any(|key| key.kid == kid),
                "the folder lacks {kid}"
            );
            for replica in self.replicas.iter().flatten() {
                let counts = self.now < replica.row.1 + ROW_TERM;
                let accepts = replica.loaded.contains_key(kid);
                assert!(accepts || !counts, "{replica:?} lacks {kid}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_order_of_steps_leaves_a_live_token_or_a_replica_without_a_key(
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut world = World::new();
        for event in events {
            world.apply(event);
            world.check();
        }
    }
}
