//! Password hashes of this service and of other implementations, and damaged ones.

use adapters_crypto::{Argon2Hasher, Argon2Params, CostRefused, HashPool, HashPoolSettings};
use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
use domain::{
    password::{Password, PasswordHash},
    ports::{HashTicket, PasswordHasher, PortError, Verification},
};
use std::{
    io,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
};
use tokio::task::JoinSet;

const CHEAP: Argon2Params = Argon2Params {
    memory_kib: 64,
    iterations: 2,
    parallelism: 1,
};
/// The password of the hashes that the reference implementation made.
const PASSWORD: &str = "correct horse battery staple é";
const BY_REFERENCE: &str =
    "$argon2id$v=19$m=64,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$Ji5R0Eiv6zSjUnarxDp+Q9VZM4bcEjSE37qQqVnAXtM";
const BY_REFERENCE_FOUR_LANES: &str =
    "$argon2id$v=19$m=128,t=3,p=4$c2l4dGVlbiBieXRlIHNsdA$OwT6kzmFAmnHuSAdKdUKYiP9VgvZpTkE";
const BY_REFERENCE_DEFAULT: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$XzkptZp9Dzo3huqzYITyN/ALGTPYceTs4nXo+cYvCb8";
const BY_REFERENCE_ARGON2I: &str =
    "$argon2i$v=19$m=64,t=3,p=1$c2l4dGVlbiBieXRlIHNsdA$LuC5+YtKHOi41bgVHO03zW9a/D9A5N73q1MKiP0bQIk";

fn pool(settings: HashPoolSettings) -> Arc<HashPool> {
    Arc::new(HashPool::start(settings).expect("the threads can be started"))
}

fn hasher(params: Argon2Params) -> Argon2Hasher {
    Argon2Hasher::new(params, pool(HashPoolSettings::default())).expect("the parameters are within bounds")
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

async fn verify(params: Argon2Params, text: &str, phc: &str) -> Result<Verification, PortError> {
    let hash = PasswordHash::from_phc(phc.to_owned());
    hasher(params)
        .verify(password(text), Some(hash), &mut HashTicket::default())
        .await
}

#[tokio::test]
async fn hashes_of_the_reference_implementation_verify() {
    for (params, phc, expected) in [
        (CHEAP, BY_REFERENCE, Verification::Right),
        (CHEAP, BY_REFERENCE_FOUR_LANES, Verification::RightButOutdated),
        (CHEAP, BY_REFERENCE_ARGON2I, Verification::RightButOutdated),
        (Argon2Params::default(), BY_REFERENCE_DEFAULT, Verification::Right),
        (
            Argon2Params::default(),
            BY_REFERENCE,
            Verification::RightButOutdated,
        ),
    ] {
        assert_eq!(
            verify(params, PASSWORD, phc)
                .await
                .expect("the hasher returns a result"),
            expected,
            "{phc}"
        );
        for wrong in [
            "",
            "correct horse battery staple",
            "correct horse battery staple É",
        ] {
            let verification = verify(params, wrong, phc)
                .await
                .expect("the hasher returns a result");
            assert_eq!(verification, Verification::Wrong, "{wrong}");
        }
    }
}

#[tokio::test]
async fn each_hash_is_a_phc_string_with_a_fresh_salt() {
    let hasher = hasher(Argon2Params {
        memory_kib: 72,
        iterations: 3,
        parallelism: 2,
    });
    let first = hasher
        .hash(password(PASSWORD), &mut HashTicket::default())
        .await
        .expect("the hasher returns a hash");
    let second = hasher
        .hash(password(PASSWORD), &mut HashTicket::default())
        .await
        .expect("the hasher returns a hash");
    let parts: Vec<_> = first.as_phc().split('$').collect();
    assert_eq!(parts[1..4], ["argon2id", "v=19", "m=72,t=3,p=2"]);
    assert_eq!((parts[4].len(), parts[5].len()), (22, 43), "16 and 32 bytes");
    let others: Vec<_> = second.as_phc().split('$').collect();
    assert_ne!(parts[4], others[4]);
    assert_ne!(parts[5], others[5]);
    for hash in [first, second] {
        let verification = hasher
            .verify(password(PASSWORD), Some(hash), &mut HashTicket::default())
            .await;
        assert_eq!(
            verification.expect("the hasher returns a result"),
            Verification::Right
        );
    }
}

#[tokio::test]
async fn any_change_of_parameters_makes_a_hash_outdated() {
    for changed in [
        Argon2Params {
            memory_kib: 65,
            ..CHEAP
        },
        Argon2Params {
            iterations: 1,
            ..CHEAP
        },
        Argon2Params {
            parallelism: 2,
            ..CHEAP
        },
    ] {
        let verification = verify(changed, PASSWORD, BY_REFERENCE).await;
        assert_eq!(
            verification.expect("the hasher returns a result"),
            Verification::RightButOutdated
        );
    }
}

#[tokio::test]
async fn unusable_and_too_expensive_hashes_are_wrong_and_logged() {
    let salt_and_hash = "c2l4dGVlbiBieXRlIHNsdA$Ji5R0Eiv6zSjUnarxDp+Q9VZM4bcEjSE37qQqVnAXtM";
    let mut broken: Vec<String> = [
        "",
        "plain",
        "$",
        "$$$$$",
        "$2b$12$abcdefghijklmnopqrstuu",
        "\u{0}",
    ]
    .map(str::to_owned)
    .into();
    for head in [
        "argon2id$v=19$m=4294967295,t=1,p=1",
        "argon2id$v=19$m=262145,t=1,p=1",
        "argon2id$v=19$m=64,t=4294967295,p=1",
        "argon2id$v=19$m=64,t=0,p=1",
        "argon2id$v=19$m=64,t=1,p=4294967295",
        "argon2id$v=19$m=64,t=1,p=0",
        "argon2id$v=19$m=7,t=1,p=1",
        "argon2id$v=19$m=64,t=1",
        "argon2id$v=19$m=64,t=1,p=1,data=AAAA",
        "argon2id$v=19$m=64,m=64,p=1",
        "argon2id$v=18$m=64,t=1,p=1",
        "argon2x$v=19$m=64,t=1,p=1",
        "scrypt$v=19$m=64,t=1,p=1",
    ] {
        broken.push(format!("${head}${salt_and_hash}"));
    }
    broken.push(
        BY_REFERENCE
            .rsplit_once('$')
            .expect("a PHC string contains `$`")
            .0
            .to_owned(),
    );
    broken.push(format!("{BY_REFERENCE}$more"));
    for phc in broken {
        let log = Log::default();
        let logging = tracing::subscriber::set_default(log.subscriber());
        let verification = verify(CHEAP, PASSWORD, &phc)
            .await
            .expect("the hasher returns a result");
        drop(logging);
        assert_eq!(verification, Verification::Wrong, "{phc}");
        let logged = log.text();
        assert!(logged.contains("ERROR"), "{phc}: {logged}");
        assert!(logged.contains("a stored password hash"), "{phc}: {logged}");
        assert!(!logged.contains("c2l4dGVl"), "{logged}");
    }
}

#[tokio::test]
async fn verifying_a_usable_hash_or_none_logs_nothing() {
    let log = Log::default();
    let logging = tracing::subscriber::set_default(log.subscriber());
    let hasher = hasher(CHEAP);
    for hash in [Some(PasswordHash::from_phc(BY_REFERENCE.to_owned())), None] {
        hasher
            .verify(password("wrong"), hash, &mut HashTicket::default())
            .await
            .expect("the hasher returns a result");
    }
    drop(logging);
    assert_eq!(log.text(), "");
}

/// Collects what the calling thread logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn subscriber(&self) -> impl tracing::Subscriber + use<> {
        let log = self.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no other thread panics").clone()).expect("the log is UTF-8")
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no other thread panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn parameters_out_of_bounds_are_rejected() {
    let wasteful = Argon2Params {
        memory_kib: u32::MAX,
        ..CHEAP
    };
    let refused = Argon2Hasher::new(wasteful, pool(HashPoolSettings::default())).err();
    assert_eq!(refused, Some(CostRefused::Memory));
}

#[tokio::test]
async fn a_flood_is_rejected_and_never_verified_wrongly() {
    let pool = pool(HashPoolSettings {
        threads: NonZeroUsize::MIN,
        queue: NonZeroUsize::MIN,
        ..HashPoolSettings::default()
    });
    let costly = Argon2Params {
        memory_kib: 8192,
        iterations: 4,
        parallelism: 1,
    };
    let hasher = Arc::new(Argon2Hasher::new(costly, pool).expect("the parameters are within bounds"));
    let hash = hasher
        .hash(password(PASSWORD), &mut HashTicket::default())
        .await
        .expect("the hasher returns a hash");
    let mut flood = JoinSet::new();
    for _ in 0..5000 {
        let (hasher, hash) = (Arc::clone(&hasher), hash.clone());
        flood.spawn(async move {
            hasher
                .verify(password(PASSWORD), Some(hash), &mut HashTicket::default())
                .await
        });
    }
    let (mut right, mut refused) = (0, 0);
    while let Some(answer) = flood.join_next().await {
        match answer.expect("the task does not panic") {
            Ok(Verification::Right) => right += 1,
            Err(PortError::Overloaded) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(right >= 1 && refused >= 1, "{right} right, {refused} refused");
    let afterwards = hasher
        .verify(password("wrong"), Some(hash), &mut HashTicket::default())
        .await;
    assert_eq!(
        afterwards.expect("the hasher returns a result"),
        Verification::Wrong
    );
}

/// The example of RFC 9106, section 5.3: the linked library, built for this processor, computes
/// argon2id.
#[test]
fn the_library_computes_the_example_of_the_standard() {
    let params = ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .data(AssociatedData::new(&[4; 12]).expect("12 bytes of associated data are allowed"))
        .build()
        .expect("the parameters are within bounds");
    let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params)
        .expect("8 bytes of secret are allowed");
    let mut tag = [0; 32];
    argon2
        .hash_password_into(&[1; 32], &[2; 16], &mut tag)
        .expect("the tag can be computed");
    let expected = [
        0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9, 0xd0,
        0x1e, 0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59,
    ];
    assert_eq!(tag, expected);
}
