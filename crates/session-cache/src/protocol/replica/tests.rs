use super::*;
use proptest::prelude::*;

const TERMS: Terms = Terms::STANDARD;
const USER: UserId = UserId(Uuid::from_u128(1));
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

/// A replica whose first lease counts from `asked_at`.
fn holding(asked_at: Duration) -> Replica {
    let mut replica = replica();
    replica.requested(asked_at);
    assert_eq!(replica.step(asked_at), Step::Ask(lease(1)));
    replica.granted(lease(1), asked_at);
    replica
}

#[test]
fn nothing_is_answered_from_memory_without_a_lease() {
    let mut replica = replica();
    let reading = replica.begin_read(SESSION, ms(0));
    assert!(!replica.may_answer(&reading, USER, ms(0)));
    assert!(!replica.may_share(&reading, ms(0)));
}

#[test]
fn a_lease_is_asked_for_when_there_are_requests() {
    let mut replica = replica();
    assert_eq!(replica.step(ms(0)), Step::Rest(None));
    replica.requested(ms(10));
    assert_eq!(replica.step(ms(20)), Step::Ask(lease(1)));
    assert_eq!(replica.step(ms(30)), Step::Ask(lease(2)), "the answer was lost");
}

#[test]
fn a_lease_counts_from_before_it_was_asked_for_or_renewed() {
    let mut replica = holding(ms(0));
    let reading = replica.begin_read(SESSION, ms(0));
    assert!(replica.may_answer(&reading, USER, ms(1899)));
    assert!(!replica.may_answer(&reading, USER, ms(1900)));
    replica.requested(ms(400));
    assert_eq!(replica.step(ms(499)), Step::Rest(Some(ms(500))));
    assert_eq!(replica.step(ms(500)), Step::Renew(lease(1)));
    replica.granted(lease(1), ms(500));
    assert!(replica.may_answer(&reading, USER, ms(2399)));
    assert!(!replica.may_answer(&reading, USER, ms(2400)));
}

#[test]
fn an_older_answer_does_not_shorten_a_lease() {
    let mut replica = holding(ms(500));
    replica.granted(lease(1), ms(100));
    assert!(replica.holds_lease(ms(2399)));
}

#[test]
fn a_refused_renewal_forgets_everything_for_good() {
    let mut replica = holding(ms(0));
    let reading = replica.begin_read(SESSION, ms(0));
    replica.refused(lease(1));
    assert!(!replica.may_answer(&reading, USER, ms(1)));
    replica.granted(lease(1), ms(1));
    assert!(!replica.holds_lease(ms(1)), "a late answer brings nothing back");
    assert_eq!(replica.step(ms(1)), Step::Ask(lease(2)));
    replica.granted(lease(2), ms(1));
    assert!(!replica.may_answer(&reading, USER, ms(1)));
    let reading = replica.begin_read(SESSION, ms(1));
    assert!(replica.may_answer(&reading, USER, ms(1)));
}

#[test]
fn what_was_read_before_a_lease_is_not_answered_under_it() {
    let mut replica = replica();
    replica.requested(ms(0));
    let before = replica.begin_read(SESSION, ms(0));
    assert_eq!(replica.step(ms(0)), Step::Ask(lease(1)));
    let meanwhile = replica.begin_read(SESSION, ms(0));
    replica.granted(lease(1), ms(0));
    for reading in [before, meanwhile] {
        assert!(!replica.may_answer(&reading, USER, ms(0)));
        assert!(!replica.may_share(&reading, ms(0)));
    }
}

#[test]
fn the_refusal_of_an_old_lease_leaves_the_new_one_alone() {
    let mut replica = holding(ms(0));
    replica.refused(lease(1));
    let Step::Ask(second) = replica.step(ms(1)) else {
        panic!("a lease is wanted");
    };
    replica.granted(second, ms(1));
    replica.refused(lease(1));
    assert!(replica.holds_lease(ms(2)));
}

#[test]
fn a_view_is_read_again_when_it_is_old() {
    let mut replica = holding(ms(0));
    let reading = replica.begin_read(SESSION, ms(0));
    replica.granted(lease(1), ms(28_400));
    assert!(replica.may_answer(&reading, USER, ms(28_499)));
    assert!(!replica.may_answer(&reading, USER, ms(28_500)));
    assert!(!replica.may_share(&reading, ms(28_500)));
}

#[test]
fn a_read_whose_user_changed_meanwhile_is_shared_and_then_left() {
    let mut replica = holding(ms(0));
    let reading = replica.begin_read(SESSION, ms(0));
    replica.invalidate(&[InvalidationScope::User(USER)], ms(1));
    assert!(
        replica.may_share(&reading, ms(2)),
        "nobody knows yet whose session it is"
    );
    assert!(!replica.is_current(&reading, USER));
    replica.invalidate(&[InvalidationScope::Session(SESSION)], ms(3));
    assert!(!replica.may_share(&reading, ms(4)));
}

#[test]
fn an_idle_replica_lets_its_lease_run_out_and_asks_again_when_it_is_needed() {
    let mut replica = holding(ms(0));
    let reading = replica.begin_read(SESSION, ms(0));
    replica.granted(lease(1), ms(4_900));
    let era = replica.era();
    assert_eq!(replica.step(ms(5_000)), Step::Rest(None));
    assert_ne!(replica.era(), era);
    assert!(!replica.may_answer(&reading, USER, ms(5_000)));
    replica.requested(ms(60_000));
    assert_eq!(replica.step(ms(60_000)), Step::Ask(lease(2)));
}

#[test]
fn a_replica_that_leaves_answers_nothing_more_and_names_its_lease() {
    let mut replica = holding(ms(0));
    let reading = replica.begin_read(SESSION, ms(0));
    assert_eq!(replica.leave(), Some(lease(1)));
    assert_eq!(replica.leave(), None);
    replica.requested(ms(1));
    assert_eq!(replica.step(ms(1)), Step::Rest(None));
    replica.granted(lease(1), ms(1));
    assert!(!replica.may_answer(&reading, USER, ms(1)));
}

/// One thing that happens; times are milliseconds that pass before it.
#[derive(Clone, Debug)]
enum Event {
    Wait(u16),
    Request,
    Step,
    /// The database answers what was asked longest ago of what is still open.
    Granted,
    Refused,
    BeginRead(u8),
    Invalidate(Vec<InvalidationScope>),
    Forget,
}

fn session(number: u8) -> SessionId {
    SessionId(Uuid::from_u128(u128::from(number)))
}

/// The user of a session.
fn user_of(session: u8) -> UserId {
    UserId(Uuid::from_u128(u128::from(session % 2)))
}

fn event() -> impl Strategy<Value = Event> {
    let subject = prop_oneof![
        4 => (0_u8..4).prop_map(|number| InvalidationScope::Session(session(number))),
        2 => (0_u8..2).prop_map(|number| InvalidationScope::User(user_of(number))),
        1 => Just(InvalidationScope::Everything),
    ];
    prop_oneof![
        6 => (0_u16..900).prop_map(Event::Wait),
        4 => Just(Event::Request),
        8 => Just(Event::Step),
        8 => Just(Event::Granted),
        1 => Just(Event::Refused),
        6 => (0_u8..4).prop_map(Event::BeginRead),
        3 => proptest::collection::vec(subject, 1..3).prop_map(Event::Invalidate),
        1 => Just(Event::Forget),
    ]
}

/// What the protocol says, told without counters: everything that happened is kept, and each question goes through it.
#[derive(Default)]
struct Oracle {
    /// For each read that began: its session, when, and whether it can still be answered for what was invalidated since.
    reads: Vec<(Reading, u8, Duration, bool)>,
    holding: Option<(LeaseId, Duration)>,
}

impl Oracle {
    fn outdate(&mut self, touched: impl Fn(u8) -> bool) {
        for (_, session, _, current) in &mut self.reads {
            *current &= !touched(*session);
        }
    }

    fn granted(&mut self, lease: LeaseId, asked_at: Duration, newest: LeaseId, dead: &[LeaseId]) {
        match &mut self.holding {
            Some((held, from)) if *held == lease => *from = (*from).max(asked_at),
            None if lease == newest && !dead.contains(&lease) => {
                self.holding = Some((lease, asked_at));
                self.outdate(|_| true);
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever happens in whatever order: a view is answered exactly when the lease holds, the view is young enough and
    /// nothing touched it since its read began.
    #[test]
    fn memory_answers_exactly_what_the_protocol_allows(events in proptest::collection::vec(event(), 1..120)) {
        let (mut replica, mut oracle) = (replica(), Oracle::default());
        let (mut now, mut open, mut dead, mut newest) = (Duration::ZERO, Vec::new(), Vec::new(), lease(0));
        for event in events {
            match event {
                Event::Wait(milliseconds) => now += ms(u64::from(milliseconds)),
                Event::Request => replica.requested(now),
                Event::Step => match replica.step(now) {
                    Step::Ask(lease) => {
                        prop_assert!(lease > newest, "a number is used once");
                        newest = lease;
                        open.push((lease, now));
                    }
                    Step::Renew(lease) => {
                        prop_assert_eq!(oracle.holding.map(|(held, _)| held), Some(lease));
                        open.push((lease, now));
                    }
                    Step::Rest(None) => {
                        if let Some((lease, _)) = oracle.holding.take() {
                            dead.push(lease);
                            oracle.outdate(|_| true);
                        }
                    }
                    Step::Rest(Some(until)) => prop_assert!(until > now),
                },
                Event::Granted if !open.is_empty() => {
                    let (lease, asked_at) = open.remove(0);
                    replica.granted(lease, asked_at);
                    oracle.granted(lease, asked_at, newest, &dead);
                }
                Event::Refused if !open.is_empty() => {
                    let (lease, _) = open.remove(0);
                    replica.refused(lease);
                    if oracle.holding.is_some_and(|(held, _)| held == lease) {
                        oracle.holding = None;
                        dead.push(lease);
                        oracle.outdate(|_| true);
                    }
                }
                Event::Granted | Event::Refused => {}
                Event::BeginRead(number) => {
                    let reading = replica.begin_read(session(number), now);
                    oracle.reads.push((reading, number, now, true));
                }
                Event::Invalidate(subjects) => {
                    replica.invalidate(&subjects, now);
                    oracle.outdate(|number| {
                        [InvalidationScope::Session(session(number)), InvalidationScope::User(user_of(number)), InvalidationScope::Everything]
                            .iter()
                            .any(|subject| subjects.contains(subject))
                    });
                }
                Event::Forget => {
                    replica.forget();
                    oracle.outdate(|_| true);
                }
            }
            let holds = oracle.holding.is_some_and(|(_, from)| now.saturating_sub(from) < TERMS.lease.trusted());
            prop_assert_eq!(replica.holds_lease(now), holds);
            for (reading, number, begun_at, current) in &oracle.reads {
                let answered = holds && *current && now.saturating_sub(*begun_at) < TERMS.snapshot.trusted();
                prop_assert_eq!(replica.may_answer(reading, user_of(*number), now), answered);
                prop_assert_eq!(replica.is_current(reading, user_of(*number)), *current);
            }
        }
    }
}
