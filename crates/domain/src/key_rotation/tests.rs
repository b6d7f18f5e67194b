use super::*;
use StepRefused::{InUse, NoReplica, NotBefore, NotLoaded, Retired, Signs, UnknownKey};

const TERMS: RotationTerms = RotationTerms {
    jwks_lifetime: TimeDelta::seconds(300),
    access_ttl: TimeDelta::seconds(900),
    clock_skew: TimeDelta::seconds(5),
};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).expect("chrono represents the second")
}

fn key(kid: &str, stage: KeyStage, since: i64) -> RotatingKey {
    RotatingKey {
        kid: kid.to_owned(),
        stage,
        since: at(since),
        used_until: None,
    }
}

fn used(until: i64, key: RotatingKey) -> RotatingKey {
    RotatingKey {
        used_until: Some(at(until)),
        ..key
    }
}

fn holder(signing: &str, loaded: &[(&str, i64)]) -> KeyHolder {
    KeyHolder {
        signing: signing.to_owned(),
        loaded: loaded
            .iter()
            .map(|(kid, since)| ((*kid).to_owned(), at(*since)))
            .collect(),
        access_ttl: TimeDelta::seconds(900),
    }
}

fn rotation(keys: Vec<RotatingKey>, replicas: Vec<KeyHolder>) -> KeyRotation {
    KeyRotation {
        keys,
        replicas,
        terms: TERMS,
    }
}

fn sign(kid: &str) -> Step {
    Step::Sign {
        kid: kid.to_owned(),
        urgent: false,
    }
}

fn sign_now(kid: &str) -> Step {
    Step::Sign {
        kid: kid.to_owned(),
        urgent: true,
    }
}

fn retire(kid: &str) -> Step {
    Step::Retire { kid: kid.to_owned() }
}

fn remove(kid: &str) -> Step {
    Step::Remove { kid: kid.to_owned() }
}

#[test]
fn a_step_is_allowed_only_if_no_token_and_no_cached_key_set_suffers() {
    use KeyStage::{Published, Signing};
    let keys = || {
        vec![
            key("old", KeyStage::Retired, 1_000),
            key("now", Signing, 1_000),
            key("next", Published, 1_000),
        ]
    };
    let all = [("old", 0), ("now", 0), ("next", 2_000)];
    let both = || vec![holder("now", &all), holder("now", &all)];
    let without = || vec![holder("now", &all), holder("now", &all[..2])];
    let lagging = || vec![holder("now", &all), holder("old", &all)];
    for (replicas, step, now, expected) in [
        (both(), sign("next"), 2_304, Err(NotBefore(at(2_305)))),
        (both(), sign("next"), 2_305, Ok(())),
        (both(), sign_now("next"), 2_000, Ok(())),
        (without(), sign("next"), 9_000, Err(NotLoaded(1))),
        (without(), sign_now("next"), 9_000, Err(NotLoaded(1))),
        (vec![], sign("next"), 9_000, Err(NoReplica)),
        (both(), sign("now"), 9_000, Err(Signs)),
        (both(), sign("old"), 9_000, Err(Retired)),
        (both(), sign("none"), 9_000, Err(UnknownKey)),
        (both(), retire("next"), 2_000, Ok(())),
        (both(), retire("now"), 9_000, Err(Signs)),
        (both(), retire("old"), 9_000, Err(Retired)),
        (both(), remove("old"), 1_904, Err(NotBefore(at(1_905)))),
        (both(), remove("old"), 1_905, Ok(())),
        (vec![], remove("old"), 1_905, Ok(())),
        (lagging(), remove("old"), 9_000, Err(InUse(1))),
        (both(), remove("next"), 2_000, Ok(())),
        (both(), remove("now"), 9_000, Err(Signs)),
        (both(), Step::Publish, 0, Ok(())),
    ] {
        let checked = rotation(keys(), replicas).check(&step, at(now));
        assert_eq!(checked, expected, "{step:?} at {now}");
    }
}

#[test]
fn a_retired_key_stays_until_the_last_token_of_any_replica_has_expired() {
    let retired = || key("old", KeyStage::Retired, 1_000);
    let patient = KeyHolder {
        access_ttl: TimeDelta::seconds(2_000),
        ..holder("now", &[("old", 0)])
    };
    for (key, replicas, allowed) in [
        (retired(), vec![], 1_905),
        (used(5_000, retired()), vec![], 5_905),
        (
            used(500, retired()),
            vec![holder("now", &[("old", 3_000)])],
            1_405,
        ),
        (retired(), vec![holder("now", &[("old", 3_000)])], 3_905),
        (retired(), vec![patient], 3_005),
    ] {
        let rotation = rotation(vec![key], replicas);
        let check = |now| rotation.check(&remove("old"), at(now));
        assert_eq!(check(allowed - 1), Err(NotBefore(at(allowed))), "{rotation:?}");
        assert_eq!(check(allowed), Ok(()), "{rotation:?}");
    }
}

#[test]
fn a_published_key_that_signed_stays_as_long_as_a_retired_one() {
    let rotation = rotation(vec![used(5_000, key("next", KeyStage::Published, 0))], vec![]);
    assert_eq!(
        rotation.check(&remove("next"), at(5_904)),
        Err(NotBefore(at(5_905)))
    );
    assert_eq!(rotation.check(&remove("next"), at(5_905)), Ok(()));
}

#[test]
fn a_service_publishes_when_the_key_is_old_then_signs_and_removes_when_allowed() {
    use KeyStage::{Published, Signing};
    let every = TimeDelta::seconds(10_000);
    let alone = || vec![key("now", Signing, 1_000)];
    let two = || vec![key("now", Signing, 1_000), key("next", Published, 11_000)];
    let three = || {
        vec![
            used(12_000, key("old", KeyStage::Retired, 11_500)),
            key("now", Signing, 11_500),
        ]
    };
    let loaded = [("old", 0), ("now", 0), ("next", 11_002)];
    for (keys, now, expected) in [
        (alone(), 10_999, None),
        (alone(), 11_000, Some(Step::Publish)),
        (two(), 11_306, None),
        (two(), 11_307, Some(sign("next"))),
        (three(), 12_904, None),
        (three(), 12_905, Some(remove("old"))),
        (vec![], 99_000, None),
    ] {
        let rotation = rotation(keys, vec![holder("now", &loaded)]);
        assert_eq!(rotation.due(every, at(now)), expected, "{now}");
    }
}

#[test]
fn a_service_leaves_a_published_key_alone_while_the_signing_key_is_young() {
    let keys = vec![
        key("now", KeyStage::Signing, 1_000),
        key("next", KeyStage::Published, 1_000),
    ];
    let rotation = rotation(keys, vec![holder("now", &[("now", 0), ("next", 0)])]);
    assert_eq!(rotation.due(TimeDelta::seconds(10_000), at(5_000)), None);
}

#[test]
fn a_refusal_states_the_time_from_which_the_step_is_allowed() {
    let text = NotBefore(at(1_905)).to_string();
    assert_eq!(text, "the step is allowed from 1970-01-01T00:31:45Z");
}
