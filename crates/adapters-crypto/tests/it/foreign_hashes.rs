//! Password hashes of other systems: which ones are accepted, and that these verify.

mod libraries;

use adapters_crypto::{Argon2Hasher, Argon2Params, ForeignHashForms, HashPool, HashPoolSettings};
use domain::{
    password::Password,
    ports::{ForeignHashRefused, ForeignHashes, HashTicket, PasswordHasher, Verification},
};
use proptest::{prelude::*, test_runner::Config};
use std::sync::Arc;

const BCRYPT: &str = "$2b$04$aTsUwsyowQuzRrDqFflhgeJ4TupwaHfvEA0ZkfV8qAQx32fRAXKd2";
/// The hash of RFC 7914, section 12, in base64.
const SCRYPT_HASH: &str =
    "/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA";
/// The example that Firebase publishes with its variant of scrypt: the project's parameters, then
/// salt and hash.
const FIREBASE: &str = "$firebase-scrypt$ln=14,r=8,\
    sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==,ss=Bw==\
    $42xEC+ixf3L2lw==\
    $lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";

fn hasher() -> Argon2Hasher {
    let cheap = Argon2Params {
        memory_kib: 64,
        iterations: 1,
        parallelism: 1,
    };
    let pool = HashPool::start(HashPoolSettings::default()).expect("the threads can be started");
    Argon2Hasher::new(cheap, Arc::new(pool)).expect("the parameters are within bounds")
}

async fn verify(text: &str, password: &str) -> Verification {
    let hash = ForeignHashForms
        .accept(text)
        .unwrap_or_else(|refused| panic!("{text}: {refused}"));
    let password = Password::new(password.to_owned());
    hasher()
        .verify(password, Some(hash), &mut HashTicket::default())
        .await
        .expect("the hasher returns a result")
}

async fn verifies(password: &str, text: &str) {
    assert_eq!(
        verify(text, password).await,
        Verification::RightButOutdated,
        "{text}"
    );
    let longer = format!("{password}z");
    for wrong in ["", "wrong", &longer, text] {
        if wrong != password {
            assert_eq!(
                verify(text, wrong).await,
                Verification::Wrong,
                "{wrong:?} against {text}"
            );
        }
    }
}

fn refusal(text: &str) -> ForeignHashRefused {
    ForeignHashForms.accept(text).expect_err(text)
}

#[tokio::test]
async fn bcrypt_of_crypt_blowfish_and_jbcrypt_verifies() {
    for (password, text) in [
        (
            "U*U",
            "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        ),
        (
            "U*U*",
            "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK",
        ),
        (
            "U*U*U",
            "$2y$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a",
        ),
        ("", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
        (
            "a",
            "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
        ),
        (
            "abcdefghijklmnopqrstuvwxyz",
            "$2a$08$aTsUwsyowQuzRrDqFflhgekJ8d9/7Z3GV3UcgvzQW3J5zMyrTvlz.",
        ),
        ("lètmein", BCRYPT),
    ] {
        verifies(password, text).await;
    }
}

#[tokio::test]
async fn bcrypt_reads_72_bytes_and_stops_at_a_nul() {
    let of_72 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let text = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
    for (password, expected) in [
        (of_72.to_owned(), Verification::RightButOutdated),
        (
            format!("{of_72}chars after 72 are ignored"),
            Verification::RightButOutdated,
        ),
        (
            format!("{of_72}{}", "é".repeat(100_000)),
            Verification::RightButOutdated,
        ),
        (of_72[..71].to_owned(), Verification::Wrong),
    ] {
        assert_eq!(
            verify(text, &password).await,
            expected,
            "{} bytes",
            password.len()
        );
    }
    assert_eq!(
        verify(BCRYPT, "lètmein\0more").await,
        Verification::RightButOutdated
    );
    assert_eq!(verify(BCRYPT, "\0lètmein").await, Verification::Wrong);
}

#[tokio::test]
async fn hashes_of_django_verify() {
    for text in [
        "pbkdf2_sha256$390000$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
        "pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=",
        "pbkdf2_sha1$1000$seasalt$ljleU4wBmTtz/MoG5YTwxpM0d7I=",
        "scrypt$16384$seasalt$8$5$ECMIUp+LMxMSK8xB/IVyba+KYGTI7FTnet025q/1f/vBAVnnP3hdYqJuRi+mJn6ji6ze3Fbb7JEFPKGpuEf5vw==",
        "bcrypt$$2b$04$aTsUwsyowQuzRrDqFflhgeJ4TupwaHfvEA0ZkfV8qAQx32fRAXKd2",
        "bcrypt_sha256$$2b$04$aTsUwsyowQuzRrDqFflhgeihJS1/mfIkeAzBe8mobMbJ3fWYNAaoa",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$c2Vhc2FsdHNlYXNhbHQ$5X8M3A6KY2o98xsl1DnfJpaxc9OdBrgUbl3HjifV1qo",
    ] {
        verifies("lètmein", text).await;
    }
    let long = "bcrypt_sha256$$2b$04$aTsUwsyowQuzRrDqFflhgeHx4pcg2CPgINQd56R29SfKZ3b.gOnZC";
    verifies(&"x".repeat(100), long).await;
}

#[tokio::test]
async fn hashes_of_passlib_verify() {
    for text in [
        "$pbkdf2$1000$//79/Pv6.fg$L.cNkOWpPbFVw.EXCLA1oVsQ0E4",
        "$pbkdf2-sha256$1000$//79/Pv6.fg$b8R96jWc1f3Fie6qIph7B9lcEmIr14ngeyUGOUaMkiU",
        "$pbkdf2-sha512$1000$//79/Pv6.fg$rDylGK7KgsMbtVlhfCkc2QTd4TRW6KaMJtLRhY.e4rue12zMZePKYeI0MU.nSwHv.cTgwC0/njY2NdamQHtZYg",
        "$scrypt$ln=10,r=8,p=1$//79/Pv6+fg$UMXnkwXiajewxcxutUzjCIDrM0ZsjLow0KKju7rKqaA",
    ] {
        verifies("lètmein", text).await;
    }
    let documented = "$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdAw$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M";
    verifies("password", documented).await;
}

#[tokio::test]
async fn the_examples_of_rfc_7914_verify_as_phc_strings() {
    let pbkdf2 = "TdzY9guYviGDDO5e8icB+WQaRBjQTAQUrv8Ih2s0q1ah1CWhIlgzVJrbhBtRybMXaicr3ruh0HhHj2Kzl/M8jQ";
    for parameters in ["i=80000", "i=80000,l=64", "80000"] {
        let text = format!("$pbkdf2-sha256${parameters}$TmFDbA${pbkdf2}");
        verifies("Password", &text).await;
    }
    let scrypt = format!("$scrypt$ln=10,r=8,p=16$TmFDbA${SCRYPT_HASH}");
    verifies("password", &scrypt).await;
}

#[tokio::test]
async fn the_example_of_firebase_verifies_in_either_base64() {
    verifies("user1password", FIREBASE).await;
    let (head, hash) = FIREBASE.split_once("$42x").expect("the hash has a salt");
    let web_safe = hash.replace('+', "-").replace('/', "_").replace('=', "");
    verifies("user1password", &format!("{head}$42x{web_safe}")).await;
    for (part, other) in [
        ("ss=Bw==", "ss=CA=="),
        ("sk=jx", "sk=kx"),
        ("ln=14", "ln=13"),
        ("$42x", "$43x"),
    ] {
        let text = FIREBASE.replace(part, other);
        assert_eq!(
            verify(&text, "user1password").await,
            Verification::Wrong,
            "{other}"
        );
    }
}

#[tokio::test]
async fn a_hash_is_stored_without_labels_and_in_a_common_notation() {
    for (text, kept) in [
        (format!("bcrypt${BCRYPT}"), BCRYPT.to_owned()),
        (FIREBASE.to_owned(), FIREBASE.to_owned()),
        (format!("{{CRYPT}}{BCRYPT}"), BCRYPT.to_owned()),
        (
            "pbkdf2:sha256:1000$seasalt$00112233445566778899aabbccddeeff".to_owned(),
            "$pbkdf2-sha256$1000$c2Vhc2FsdA$ABEiM0RVZneImaq7zN3u/w".to_owned(),
        ),
        (
            "scrypt:1024:8:1$seasalt$00112233445566778899aabbccddeeff".to_owned(),
            "scrypt$1024$seasalt$8$1$ABEiM0RVZneImaq7zN3u/w==".to_owned(),
        ),
    ] {
        assert_eq!(
            ForeignHashForms
                .accept(&text)
                .expect("the hash is accepted")
                .as_phc(),
            kept
        );
    }
}

/// To compute them would take days.
#[test]
fn too_expensive_hashes_are_rejected() {
    let scrypt = |parameters: &str| format!("$scrypt${parameters}$TmFDbA${SCRYPT_HASH}");
    for text in [
        BCRYPT.replace("$04$", "$15$"),
        BCRYPT.replace("$04$", "$31$"),
        BCRYPT.replace("$04$", "$4294967295$"),
        format!("bcrypt_sha256${}", BCRYPT.replace("$04$", "$31$")),
        scrypt("ln=31,r=8,p=1"),
        scrypt("ln=4294967295,r=1,p=1"),
        scrypt("ln=19,r=8,p=1"),
        scrypt("ln=17,r=8,p=3"),
        scrypt("ln=14,r=4294967295,p=4294967295"),
        scrypt("ln=1,r=1,p=4294967295"),
        format!("scrypt$2147483648$seasalt$8$1${SCRYPT_HASH}"),
        FIREBASE.replace("ln=14", "ln=255"),
        FIREBASE.replace("r=8", "r=4294967295"),
        "$pbkdf2-sha512$i=4000000000$c2Vhc2FsdA$rDylGK7KgsMbtVlhfCkc2QTd4TRW6KaMJtLRhY8".to_owned(),
        "pbkdf2_sha256$4000000000$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=".to_owned(),
        format!("$pbkdf2-sha512$1000001$TmFDbA${SCRYPT_HASH}"),
        format!("$pbkdf2-sha256$1000001$TmFDbA${SCRYPT_HASH}"),
        format!("$pbkdf2$500001$TmFDbA${SCRYPT_HASH}"),
        format!("$argon2id$v=19$m=4194304,t=9,p=1$c2Vhc2FsdHNlYXNhbHQ${SCRYPT_HASH}"),
    ] {
        let refused = refusal(&text);
        assert!(
            matches!(refused, ForeignHashRefused::TooCostly(_)),
            "{text}: {refused:?}"
        );
    }
}

#[test]
fn hashes_at_the_maximum_cost_are_accepted() {
    for text in [
        BCRYPT.replace("$04$", "$14$"),
        format!("$scrypt$ln=18,r=8,p=1$TmFDbA${SCRYPT_HASH}"),
        format!("$scrypt$ln=10,r=8,p=256$TmFDbA${SCRYPT_HASH}"),
        format!("$pbkdf2-sha512$1000000$TmFDbA${SCRYPT_HASH}"),
        format!("$pbkdf2-sha256$1000000$TmFDbA${SCRYPT_HASH}"),
        format!("$pbkdf2$500000$TmFDbA${SCRYPT_HASH}"),
        "pbkdf2_sha256$2000000$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=".to_owned(),
    ] {
        assert!(ForeignHashForms.accept(&text).is_ok(), "{text}");
    }
}

#[test]
fn hashes_that_are_too_easy_to_guess_are_rejected() {
    for text in [
        "pbkdf2_sha256$999$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
        "pbkdf2_sha256$0$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
        "pbkdf2_sha256$390000$sea$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
        "$scrypt$ln=9,r=8,p=1$//79/Pv6+fg$UMXnkwXiajewxcxutUzjCIDrM0ZsjLow0KKju7rKqaA",
        "md5$seasalt$3f86d0d3d465b7b458c231bf3555c0e3",
        "sha1$seasalt$cff36ea83f5706ce9aa7454e63e431fc726b2dc8",
        "{SSHA}MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
    ] {
        let refused = refusal(text);
        assert!(
            matches!(refused, ForeignHashRefused::TooWeak(_)),
            "{text}: {refused:?}"
        );
    }
}

#[test]
fn unsupported_formats_are_reported_as_such() {
    for text in [
        "",
        "$",
        "$$$$",
        "a password",
        "88a434c88cca4e900f7874cd98123f43",
        "!unusable",
        "$1$seasalt$8xBlGd3jVgvJ92hWPxi5w",
        "$6$seasalt$8xBlGd3jVgvJ92hWPxi5w",
        "$2x$04$aTsUwsyowQuzRrDqFflhgeJ4TupwaHfvEA0ZkfV8qAQx32fRAXKd2",
        "2b$04$aTsUwsyowQuzRrDqFflhgeJ4TupwaHfvEA0ZkfV8qAQx32fRAXKd2",
        "$argon2x$v=19$m=64,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$5X8M3A6KY2o98xsl1DnfJpaxc9OdBrgUbl3HjifV1qo",
    ] {
        assert_eq!(refusal(text), ForeignHashRefused::UnknownForm, "{text}");
    }
}

#[test]
fn damaged_hashes_are_rejected() {
    let pbkdf2 = "pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=";
    for text in [
        "$2b$12".to_owned(),
        format!("{BCRYPT}a"),
        BCRYPT[..59].to_owned(),
        BCRYPT.replace("$04$", "$03$"),
        BCRYPT.replace("$04$", "$+4$"),
        BCRYPT.replace("$04$", "$$"),
        BCRYPT.replace('J', "é"),
        format!("{BCRYPT}$"),
        "bcrypt_sha256$2b".to_owned(),
        pbkdf2.replace("1000", "1e9"),
        pbkdf2.replace("1000", "99999999999999999999"),
        pbkdf2.replace("JgZr", "Jg!r"),
        format!("{pbkdf2}$more"),
        "pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6X".to_owned(),
        "$pbkdf2-sha256$i=1000,l=31$TmFDbA$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A".to_owned(),
        "$pbkdf2-sha256$i=1000,x=32$TmFDbA$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A".to_owned(),
        format!("$scrypt$ln=10,r=8$TmFDbA${SCRYPT_HASH}"),
        format!("$scrypt$r=8,ln=10,p=1$TmFDbA${SCRYPT_HASH}"),
        format!("$scrypt$ln=10,r=8,p=1,x=1$TmFDbA${SCRYPT_HASH}"),
        format!("$scrypt$ln=10,r=0,p=1$TmFDbA${SCRYPT_HASH}"),
        format!("scrypt$16383$seasalt$8$1${SCRYPT_HASH}"),
        format!("scrypt$0$seasalt$8$1${SCRYPT_HASH}"),
        FIREBASE.replace("sk=jxsp", "sk="),
        "a".repeat(2000),
    ] {
        let refused = refusal(&text);
        assert!(
            matches!(refused, ForeignHashRefused::Damaged(_)),
            "{text}: {refused:?}"
        );
    }
}

#[test]
fn errors_contain_no_part_of_the_hash() {
    for text in [
        FIREBASE.replace("ln=14", "ln=255"),
        format!("{BCRYPT}a"),
        "a password".to_owned(),
    ] {
        let said = format!("{0} {0:?}", refusal(&text));
        assert!(
            !text
                .split(['$', ',', '='])
                .any(|part| part.len() > 3 && said.contains(part)),
            "{said}"
        );
    }
}

/// Texts that resemble a hash: fragments of real ones in any order.
fn almost_a_hash() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "2a", "2b", "bcrypt", "bcrypt_sha256", "pbkdf2", "pbkdf2-sha512", "pbkdf2_sha256", "scrypt",
            "firebase-scrypt", "argon2", "argon2id", "wp", "2y", "bcrypt-sha256", "2b,4", "v=2,t=2b,r=4", "{CRYPT}",
            "{PBKDF2}1000", "pbkdf2:sha256:1000", "scrypt:1024:8:1", ":", "6eef", "v=19", "04", "31", "1000", "16384", "i=1000", "i=1000,l=64",
            "ln=10,r=8,p=1", "ln=63,r=4294967295,p=4294967295", "ln=200,r=8,p=1", "m=64,t=1,p=1", "8", "seasalt", "TmFDbA",
            "ln=14,r=8,sk=TmFDbA,ss=", SCRYPT_HASH, "aTsUwsyowQuzRrDqFflhgeJ4TupwaHfvEA0ZkfV8qAQx32fRAXKd2",
        ]).prop_map(str::to_owned),
        1 => "[0-9a-zA-Z=,./+é]{0,70}",
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.join("$"))
}

proptest! {
    #![proptest_config(Config { cases: 4096, failure_persistence: None, ..Config::default() })]

    #[test]
    fn parsing_any_text_does_not_panic(tail in almost_a_hash(), sign in any::<bool>()) {
        let text = if sign { format!("${tail}") } else { tail };
        let _ = ForeignHashForms.accept(&text);
    }
}

proptest! {
    #![proptest_config(Config { cases: 24, failure_persistence: None, ..Config::default() })]

    #[test]
    fn verifying_any_password_does_not_panic(password in any::<String>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("the runtime can be built");
        for text in [
            BCRYPT,
            "bcrypt_sha256$$2b$04$aTsUwsyowQuzRrDqFflhgeihJS1/mfIkeAzBe8mobMbJ3fWYNAaoa",
            "pbkdf2_sha1$1000$seasalt$ljleU4wBmTtz/MoG5YTwxpM0d7I=",
            "$scrypt$ln=10,r=8,p=1$//79/Pv6+fg$UMXnkwXiajewxcxutUzjCIDrM0ZsjLow0KKju7rKqaA",
            FIREBASE,
        ] {
            prop_assert_eq!(runtime.block_on(verify(text, &password)), Verification::Wrong);
        }
    }
}
