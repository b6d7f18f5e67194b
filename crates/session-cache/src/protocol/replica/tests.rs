use super::*;
use domain::{machine::MachineId, user::UserId};
use proptest::prelude::*;
use uuid::Uuid;

const TERMS: Terms = Terms::STANDARD;
const USER: UserId = UserId(Uuid::from_u128(1));
const HOLDER: PrincipalId = PrincipalId::User(USER);
const SESSION: SessionId = SessionId(Uuid::from_u128(2));

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn replica() -> Replica {
    Replica::new(ReplicaId(Uuid::from_u128(9)), TERMS)
}

fn lease(number: u32) -> LeaseId {
    LeaseId {
        replica: ReplicaId(Uuid::from_u128(9)),
        number,
    }
}

/// A replica whose first lease counts from `requested_at`.
fn holding(requested_at: Duration) -> Replica {
    let mut replica = replica();
    replica.record_request(requested_at);
    assert_eq!(replica.next_step(requested_at), LeaseStep::Acquire(lease(1)));
    replica.granted(lease(1), requested_at);
    replica
}

#[test]
fn nothing_is_served_from_memory_without_a_lease() {
    let mut replica = replica();
    let read = replica.begin_read(SESSION, ms(0));
    assert!(!replica.may_answer(&read, HOLDER, ms(0)));
    assert!(!replica.may_share(&read, ms(0)));
}

#[test]
fn a_lease_is_requested_while_there_are_requests() {
    let mut replica = replica();
    assert_eq!(replica.next_step(ms(0)), LeaseStep::Wait(None));
    replica.record_request(ms(10));
    assert_eq!(replica.next_step(ms(20)), LeaseStep::Acquire(lease(1)));
    assert_eq!(
        replica.next_step(ms(30)),
        LeaseStep::Acquire(lease(2)),
        "the response was lost"
    );
}

#[test]
fn a_lease_counts_from_before_its_request_or_renewal_was_sent() {
    let mut replica = holding(ms(0));
    let read = replica.begin_read(SESSION, ms(0));
    assert!(replica.may_answer(&read, HOLDER, ms(1899)));
    assert!(!replica.may_answer(&read, HOLDER, ms(1900)));
    replica.record_request(ms(400));
    assert_eq!(replica.next_step(ms(499)), LeaseStep::Wait(Some(ms(500))));
    assert_eq!(replica.next_step(ms(500)), LeaseStep::Renew(lease(1)));
    replica.granted(lease(1), ms(500));
    assert!(replica.may_answer(&read, HOLDER, ms(2399)));
    assert!(!replica.may_answer(&read, HOLDER, ms(2400)));
}

#[test]
fn a_late_response_does_not_shorten_a_lease() {
    let mut replica = holding(ms(500));
    replica.granted(lease(1), ms(100));
    assert!(replica.holds_lease(ms(2399)));
}

#[test]
fn a_refused_renewal_invalidates_everything_for_good() {
    let mut replica = holding(ms(0));
    let read = replica.begin_read(SESSION, ms(0));
    replica.refused(lease(1));
    assert!(!replica.may_answer(&read, HOLDER, ms(1)));
    replica.granted(lease(1), ms(1));
    assert!(!replica.holds_lease(ms(1)), "a late response restores nothing");
    assert_eq!(replica.next_step(ms(1)), LeaseStep::Acquire(lease(2)));
    replica.granted(lease(2), ms(1));
    assert!(!replica.may_answer(&read, HOLDER, ms(1)));
    let read = replica.begin_read(SESSION, ms(1));
    assert!(replica.may_answer(&read, HOLDER, ms(1)));
}

#[test]
fn snapshots_read_before_a_lease_are_not_served_under_it() {
    let mut replica = replica();
    replica.record_request(ms(0));
    let before = replica.begin_read(SESSION, ms(0));
    assert_eq!(replica.next_step(ms(0)), LeaseStep::Acquire(lease(1)));
    let meanwhile = replica.begin_read(SESSION, ms(0));
    replica.granted(lease(1), ms(0));
    for read in [before, meanwhile] {
        assert!(!replica.may_answer(&read, HOLDER, ms(0)));
        assert!(!replica.may_share(&read, ms(0)));
    }
}

#[test]
fn the_refusal_of_an_old_lease_does_not_affect_the_new_one() {
    let mut replica = holding(ms(0));
    replica.refused(lease(1));
    let LeaseStep::Acquire(second) = replica.next_step(ms(1)) else {
        panic!("no lease is requested");
    };
    replica.granted(second, ms(1));
    replica.refused(lease(1));
    assert!(replica.holds_lease(ms(2)));
}

#[test]
fn a_snapshot_expires() {
    let mut replica = holding(ms(0));
    let read = replica.begin_read(SESSION, ms(0));
    replica.granted(lease(1), ms(28_400));
    assert!(replica.may_answer(&read, HOLDER, ms(28_499)));
    assert!(!replica.may_answer(&read, HOLDER, ms(28_500)));
    assert!(!replica.may_share(&read, ms(28_500)));
}

#[test]
fn a_read_whose_user_changed_meanwhile_is_shared_and_then_discarded() {
    let mut replica = holding(ms(0));
    let read = replica.begin_read(SESSION, ms(0));
    replica.invalidate(&[InvalidationScope::User(USER)], ms(1));
    assert!(
        replica.may_share(&read, ms(2)),
        "the session's user is not known yet"
    );
    assert!(!replica.is_current(&read, HOLDER));
    replica.invalidate(&[InvalidationScope::Session(SESSION)], ms(3));
    assert!(!replica.may_share(&read, ms(4)));
}

#[test]
fn an_idle_replica_gives_up_its_lease_and_requests_another_when_needed() {
    let mut replica = holding(ms(0));
    let read = replica.begin_read(SESSION, ms(0));
    replica.granted(lease(1), ms(4_900));
    let generation = replica.generation();
    assert_eq!(replica.next_step(ms(5_000)), LeaseStep::Wait(None));
    assert_ne!(replica.generation(), generation);
    assert!(!replica.may_answer(&read, HOLDER, ms(5_000)));
    replica.record_request(ms(60_000));
    assert_eq!(replica.next_step(ms(60_000)), LeaseStep::Acquire(lease(2)));
}

#[test]
fn a_replica_that_leaves_serves_nothing_from_memory_and_returns_its_lease() {
    let mut replica = holding(ms(0));
    let read = replica.begin_read(SESSION, ms(0));
    assert_eq!(replica.leave(), Some(lease(1)));
    assert_eq!(replica.leave(), None);
    replica.record_request(ms(1));
    assert_eq!(replica.next_step(ms(1)), LeaseStep::Wait(None));
    replica.granted(lease(1), ms(1));
    assert!(!replica.may_answer(&read, HOLDER, ms(1)));
}

#[test]
fn a_distrusted_lease_serves_nothing_until_a_later_renewal_is_granted() {
    let mut replica = holding(ms(0));
    let old = replica.begin_read(SESSION, ms(0));
    replica.record_request(ms(300));
    replica.distrust_lease(ms(300));
    let new = replica.begin_read(SESSION, ms(300));
    assert!(!replica.may_answer(&new, HOLDER, ms(300)));
    replica.granted(lease(1), ms(300));
    assert!(!replica.holds_lease(ms(301)), "it may have been requested before");
    assert_eq!(replica.next_step(ms(800)), LeaseStep::Renew(lease(1)));
    replica.granted(lease(1), ms(800));
    assert!(
        replica.may_answer(&new, HOLDER, ms(801)),
        "the row has not expired"
    );
    assert!(
        !replica.may_answer(&old, HOLDER, ms(801)),
        "it is older than it seems"
    );
}

#[test]
fn a_lease_requested_before_it_was_distrusted_serves_nothing() {
    let mut replica = replica();
    replica.record_request(ms(0));
    assert_eq!(replica.next_step(ms(0)), LeaseStep::Acquire(lease(1)));
    replica.distrust_lease(ms(1));
    replica.granted(lease(1), ms(0));
    assert!(!replica.holds_lease(ms(2)));
}

/// An event of a random history.
#[derive(Clone, Debug)]
enum Event {
    /// Milliseconds pass.
    Wait(u16),
    Request,
    Distrust,
    TakeStep,
    /// The database answers the oldest open request.
    Granted,
    Refused,
    BeginRead(u8),
    Invalidate(Vec<InvalidationScope>),
    InvalidateAll,
}

fn session(number: u8) -> SessionId {
    SessionId(Uuid::from_u128(u128::from(number)))
}

/// The holder of a session: of an even one a user, and of an odd one a machine.
fn holder_of(session: u8) -> PrincipalId {
    match session % 2 {
        0 => UserId(Uuid::from_u128(1)).into(),
        _ => MachineId(Uuid::from_u128(1)).into(),
    }
}

fn event() -> impl Strategy<Value = Event> {
    let scope = prop_oneof![
        4 => (0_u8..4).prop_map(|number| InvalidationScope::Session(session(number))),
        2 => (0_u8..2).prop_map(|number| InvalidationScope::all_of(holder_of(number))),
        1 => Just(InvalidationScope::Everything),
    ];
    prop_oneof![
        6 => (0_u16..900).prop_map(Event::Wait),
        4 => Just(Event::Request),
        1 => Just(Event::Distrust),
        8 => Just(Event::TakeStep),
        8 => Just(Event::Granted),
        1 => Just(Event::Refused),
        6 => (0_u8..4).prop_map(Event::BeginRead),
        3 => proptest::collection::vec(scope, 1..3).prop_map(Event::Invalidate),
        1 => Just(Event::InvalidateAll),
    ]
}

/// The rules of the protocol without counters: the oracle keeps the whole history and derives each
/// answer from it.
#[derive(Default)]
struct Oracle {
    /// For each read: its session, when it began, and whether no invalidation has covered it since.
    reads: Vec<(SnapshotRead, u8, Duration, bool)>,
    holding: Option<(LeaseId, Duration)>,
    distrusted_at: Option<Duration>,
}

impl Oracle {
    fn invalidate(&mut self, covers: impl Fn(u8) -> bool) {
        for (_, session, _, current) in &mut self.reads {
            *current &= !covers(*session);
        }
    }

    fn granted(&mut self, lease: LeaseId, requested_at: Duration, newest: LeaseId, dead: &[LeaseId]) {
        match &mut self.holding {
            Some((held, from)) if *held == lease => *from = (*from).max(requested_at),
            None if lease == newest && !dead.contains(&lease) => {
                self.holding = Some((lease, requested_at));
                self.invalidate(|_| true);
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// In any order of events, a snapshot is served exactly when the lease holds, the snapshot is
    /// young enough and no invalidation has covered it since its read began.
    #[test]
    fn snapshots_are_served_from_memory_exactly_when_the_protocol_allows_it(events in proptest::collection::vec(event(), 1..120)) {
        let (mut replica, mut oracle) = (replica(), Oracle::default());
        let (mut now, mut open, mut dead, mut newest) = (Duration::ZERO, Vec::new(), Vec::new(), lease(0));
        for event in events {
            match event {
                Event::Wait(milliseconds) => now += ms(u64::from(milliseconds)),
                Event::Request => replica.record_request(now),
                Event::Distrust => {
                    replica.distrust_lease(now);
                    oracle.distrusted_at = Some(now);
                    oracle.invalidate(|_| true);
                }
                Event::TakeStep => match replica.next_step(now) {
                    LeaseStep::Acquire(lease) => {
                        prop_assert!(lease > newest, "a number is used once");
                        newest = lease;
                        open.push((lease, now));
                    }
                    LeaseStep::Renew(lease) => {
                        prop_assert_eq!(oracle.holding.map(|(held, _)| held), Some(lease));
                        open.push((lease, now));
                    }
                    LeaseStep::Wait(None) => {
                        if let Some((lease, _)) = oracle.holding.take() {
                            dead.push(lease);
                            oracle.invalidate(|_| true);
                        }
                    }
                    LeaseStep::Wait(Some(until)) => prop_assert!(until > now),
                },
                Event::Granted if !open.is_empty() => {
                    let (lease, requested_at) = open.remove(0);
                    replica.granted(lease, requested_at);
                    oracle.granted(lease, requested_at, newest, &dead);
                }
                Event::Refused if !open.is_empty() => {
                    let (lease, _) = open.remove(0);
                    replica.refused(lease);
                    if oracle.holding.is_some_and(|(held, _)| held == lease) {
                        oracle.holding = None;
                        dead.push(lease);
                        oracle.invalidate(|_| true);
                    }
                }
                Event::Granted | Event::Refused => {}
                Event::BeginRead(number) => {
                    let read = replica.begin_read(session(number), now);
                    oracle.reads.push((read, number, now, true));
                }
                Event::Invalidate(scopes) => {
                    replica.invalidate(&scopes, now);
                    oracle.invalidate(|number| {
                        [InvalidationScope::Session(session(number)), InvalidationScope::all_of(holder_of(number)), InvalidationScope::Everything]
                            .iter()
                            .any(|scope| scopes.contains(scope))
                    });
                }
                Event::InvalidateAll => {
                    replica.invalidate_all();
                    oracle.invalidate(|_| true);
                }
            }
            let trusts = |from: Duration| oracle.distrusted_at.is_none_or(|at| from > at);
            let holds = oracle.holding.is_some_and(|(_, from)| trusts(from) && now.saturating_sub(from) < TERMS.lease.trusted());
            prop_assert_eq!(replica.holds_lease(now), holds);
            for (read, number, begun_at, current) in &oracle.reads {
                let answered = holds && *current && now.saturating_sub(*begun_at) < TERMS.snapshot.trusted();
                prop_assert_eq!(replica.may_answer(read, holder_of(*number), now), answered);
                prop_assert_eq!(replica.is_current(read, holder_of(*number)), *current);
            }
        }
    }
}
