//! Hashes that other libraries made.
//!
//! They were made with Werkzeug 3.1.9, passlib 1.7.4 with bcrypt 4.0.1, argon2-cffi 25.1.0 and
//! Better Auth 1.7.25. Those of `WordPress` were computed with Python's `hmac`, `hashlib` and
//! bcrypt 5.0.0 from the description of `WordPress` 6.8.

use super::*;

const PASSWORD: &str = "lètmein";
/// `é` in NFC, and a ligature that only NFKC and NFKD replace.
const COMPOSED: &str = "p\u{e9}ch\u{e9} \u{fb01}ne";
/// NFC does not change the ligature and composes `é`.
const DECOMPOSED: &str = "pe\u{301}che\u{301} \u{fb01}ne";
/// bcrypt of the NFD and of the NFKC of [`COMPOSED`].
const OF_NFD: &str = "$2b$04$GpW0cibFGrWlVnA//X87N.L9jNWjZviW4VfFHQDfQOVMRPKjvpxd2";
const OF_NFKC: &str = "$2b$04$pcahXF6m3nnAzabi8By/M.nCuMizIX7Q5QjEcmv6Lj9OH769sdNjC";

#[tokio::test]
async fn hashes_of_werkzeug_verify() {
    for text in [
        "pbkdf2:sha1:1000$ps3TvZszvrdLjMMi$53fa4ab39c947265b86af8a5a63cea824b5094ff",
        "pbkdf2:sha256:1000$1tME66jQopVU5ZVh$5bc7121c8ae545908e237980077ad867b313462e86603fd1ccde73d7313da1ca",
        "pbkdf2:sha512:1000$VDS0KiJQKJHMHMsl$4b5487c864bfdac0edc35a9b964dbf272498e6a7684337dd74ca772dbcab3318ee52ca8afa9c7555a9ad050d21154b3cadebfb322f2c197c2214b05a008b0e1d",
        "scrypt:1024:8:1$Ohwbrt9HdMRKJEPH$cd28894ace4fe64c04c92d3348745ea63dd358a9eb67a13ac392ff034c454d9fe101ab8ac5a1f1fdd83fcd435b078fea4aba1d5d709c0c161374c0cd522efc96",
        "scrypt:32768:8:1$ZfPZzYuMsSZuWDfr$e19718034f7e5fc544480c45395eb21ab6a20b7d631f1e710ce9211e645682be7bf7f46a68db4821d522c5a16e7195cdf04a66aa01711d906ccc0c461e37d858",
    ] {
        verifies(PASSWORD, text).await;
    }
}

#[tokio::test]
async fn hashes_of_better_auth_verify() {
    for (password, text) in [
        (
            PASSWORD,
            "28398598cb8ed165eee0b8260b3398b0:afe5d29528f05eeca174ed0f02b2f47c25163c7720f8eefbd4d178b8a1748b6b612d7e9ca1f761ab0483f6f2aa30d0182289a344e5a65cf710429870293bfe7e",
        ),
        (
            COMPOSED,
            "7ccb1328553a3cd6015caa83b86efe40:34ac8bdc02050eaf42936aaf3794be0146c42e1a79555795ca19eb4f18f13f66d7b4a69ab4cc87585397b5c253660c0a2c17573cb5f9450273658ac8685ba73c",
        ),
    ] {
        verifies(password, text).await;
    }
}

#[tokio::test]
async fn hashes_of_wordpress_verify_without_surrounding_space_and_with_slashed_quotes() {
    for (password, text) in [
        (
            PASSWORD,
            "$wp$2y$04$kNnxxvwDRRnmIn9g30I2vO21USdJpv55xfddGajbQKtFpA.BBWZZa",
        ),
        (
            "  lètmein\t",
            "$wp$2y$04$8z.rIv.lmQhIL4rOlomcve.IhD3hssrTpq66p0ezOymdJlpFPjHTy",
        ),
        (
            "it's a \"quoted\\\" one",
            "$wp$2y$04$Tgx1IdhTKsclVT.miIlL5uFKfoNKsLVPcqoJvdk7CmFRlWoKibUHG",
        ),
        (
            "it's",
            "$wp$2y$04$gbU543zpfUHj.OINPmzEGehFuEG/byn0lIXOwu9tZSXZwWi5HPOQG",
        ),
        (
            &"x".repeat(100),
            "$wp$2y$04$jw5JT5uTH7FpFftgxQZFIeifWGOUa3gBo7P.Q2HZ.afxvRpSzONYm",
        ),
    ] {
        verifies(password, text).await;
    }
}

#[tokio::test]
async fn both_versions_of_bcrypt_sha256_of_passlib_verify() {
    for text in [
        "$bcrypt-sha256$2a,4$R8K86k8Z4JdWuaUAPihWCu$1XyEnEXWlUm5L2Ve5/MBePxqk0F0POG",
        "$bcrypt-sha256$2b,4$dGOv/7eKAJ0bmyaUqiLTru$Toa20W0kBegfEtY6bOgFmLed2jEZDEK",
        "$bcrypt-sha256$v=2,t=2b,r=4$gMa1.nG3eLlzXEY2izr.7O$K6wVIcmqvvj6yZfKBbI1vKPElGvOSeS",
    ] {
        verifies(PASSWORD, text).await;
    }
    for text in [
        "$bcrypt-sha256$2b,4$6yeHESQhT5A3kKdMW3TI2O$NufnHG0mIU8Le3V6pYT8GZ3RUYa3Msy",
        "$bcrypt-sha256$v=2,t=2b,r=4$VYd82TfDzReN0rDrRY6AQ.$q/X5nit2u0pMEAUMej.ITBacA4D.vfi",
    ] {
        verifies(&"x".repeat(100), text).await;
    }
}

#[tokio::test]
async fn hashes_with_the_labels_of_ldap_servers_verify() {
    for text in [
        "{CRYPT}$2b$04$DY0OyA7eOIBTMwWbyP39LezgQBqHhd3W/OKFZYuLwxToLtI2OBmjq",
        "{BCRYPT}$2b$04$DY0OyA7eOIBTMwWbyP39LezgQBqHhd3W/OKFZYuLwxToLtI2OBmjq",
        "{bcrypt}$2b$04$DY0OyA7eOIBTMwWbyP39LezgQBqHhd3W/OKFZYuLwxToLtI2OBmjq",
        "{ARGON2}$argon2i$m=64,t=1,p=1$c29tZXNhbHQxNmJ5dGVzIQ$uydzP0A3I0c6shRU9eiYjSUZpRW6Cw/S0MKD8HobVIs",
        "{PBKDF2}1000$o5QyBoCw1tobQ.idUwoBQA$Oa3tlMbgm2shs5iEVYn18qAwv/8",
        "{PBKDF2-SHA256}1000$jzGmlBLCOOdcS2kNYSwFoA$nyMRJDgoFuuFIdrXJpPIb/.55guNKQzsXbuLHf/5PWk",
        "{PBKDF2-SHA512}1000$eg9ByLlXKiUkpBTCOEcohQ$pKuW.qUua39FpJEpRRWrfwNXtyZmRpZbJwv1EvmwDGfvNjgxSKzvdLx90cwaAhS5iPMXNHJwanRpS1wL2/Kl9g",
    ] {
        verifies(PASSWORD, text).await;
    }
}

#[tokio::test]
async fn argon2_without_a_version_is_version_16() {
    for (name, hash) in [
        ("argon2d", "73vKr5TbJWyIt8cQMDwSjIiyLA596DoTXbr85lAvNkM"),
        ("argon2i", "uydzP0A3I0c6shRU9eiYjSUZpRW6Cw/S0MKD8HobVIs"),
        ("argon2id", "IDXyE0jkjtd8EAxFhjN9/nff6pNP5wmFSi/VDlhLzY8"),
    ] {
        for version in ["", "v=16$"] {
            let text = format!("${name}${version}m=64,t=1,p=1$c29tZXNhbHQxNmJ5dGVzIQ${hash}");
            verifies(PASSWORD, &text).await;
        }
    }
}

#[tokio::test]
async fn a_hash_of_any_normalisation_form_verifies() {
    for (typed, text) in [
        (COMPOSED, OF_NFD),
        (DECOMPOSED, OF_NFD),
        (COMPOSED, OF_NFKC),
        (DECOMPOSED, OF_NFKC),
        ("p\u{e9}ch\u{e9} fine", OF_NFKC),
    ] {
        assert_eq!(
            verify(text, typed).await,
            Verification::RightButOutdated,
            "{typed:?}"
        );
    }
    for (typed, text) in [
        ("p\u{e9}ch\u{e9} fine", OF_NFD),
        ("peche fine", OF_NFKC),
        ("PE\u{301}CHE\u{301} FINE", OF_NFKC),
    ] {
        assert_eq!(verify(text, typed).await, Verification::Wrong, "{typed:?}");
    }
}

#[test]
fn hashes_of_these_libraries_that_cannot_be_accepted_are_refused_with_the_reason() {
    let key = "ab".repeat(64);
    for (text, refused) in [
        ("pbkdf2:sha256$1tME66jQopVU5ZVh$5bc7", "is missing"),
        ("pbkdf2:md5:1000$1tME66jQopVU5ZVh$5bc7", "not supported"),
        ("pbkdf2:sha256:1000$1tME66jQopVU5ZVh$xyz", "not hexadecimal"),
        ("scrypt:1000:8:1$1tME66jQopVU5ZVh$5bc7", "power of two"),
        ("scrypt:4194304:8:1$1tME66jQopVU5ZVh$5bc7", "256 MiB"),
        ("scrypt:32768:8$1tME66jQopVU5ZVh$5bc7", "not supported"),
        ("sha256$1tME66jQopVU5ZVh$5bc7", "fast digest"),
        ("$P$H69bi8pnz73Td9R9n9eyx22Nt4kIYM1", "fast digest"),
        ("{SSHA}pH+fnzsZWyWhWhDmdPAlmYEnUT/tvZfy", "fast digest"),
        ("{BCRYPT}pH+fnzsZWyWhWhDmdPAlmYEnUT/tvZfy", "not supported"),
        ("{CRYPT}$6$seasalt$8xBlGd3jVgvJ92hWPxi5w", "not supported"),
        ("{noop}secret", "not supported"),
        (
            "{PBKDF2-SHA256}1000000000$jzGmlBLCOOdcS2kNYSwFoA$nyMRJDgoFuuFIdrXJpPIb/.55guNKQzsXbuLHf/5PWk",
            "too expensive",
        ),
        (
            "$wp$2y$15$kNnxxvwDRRnmIn9g30I2vO21USdJpv55xfddGajbQKtFpA.BBWZZa",
            "above 14",
        ),
        (
            "$wp$argon2id$v=19$m=64,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$5X8M3A6KY2o98xsl1DnfJpaxc9OdBrgUbl3HjifV1qo",
            "superfluous",
        ),
        (
            "$bcrypt-sha256$2b,15$dGOv/7eKAJ0bmyaUqiLTru$Toa20W0kBegfEtY6bOgFmLed2jEZDEK",
            "above 14",
        ),
        (
            "$bcrypt-sha256$v=3,t=2b,r=4$gMa1.nG3eLlzXEY2izr.7O$K6wVIcmqvvj6yZfKBbI1vKPElGvOSeS",
            "not supported",
        ),
        (
            "$bcrypt-sha256$v=2,t=2x,r=4$gMa1.nG3eLlzXEY2izr.7O$K6wVIcmqvvj6yZfKBbI1vKPElGvOSeS",
            "superfluous",
        ),
        (
            "$bcrypt-sha256$2b,4$dGOv/7eKAJ0bmyaUqiLT$Toa20W0kBegfEtY6bOgFmLed2jEZDEK",
            "bcrypt's base64",
        ),
        (
            "$argon2id$v=18$m=64,t=1,p=1$c29tZXNhbHQxNmJ5dGVzIQ$IDXyE0jkjtd8EAxFhjN9/nff6pNP5wmFSi/VDlhLzY8",
            "not supported",
        ),
        ("28398598cb8ed165eee0b8260b3398b0:afe5", "not supported"),
        (
            &format!("28398598cb8ed165eee0b8260b3398bx:{key}"),
            "not supported",
        ),
        (
            &format!("28398598cb8ed165eee0b8260b3398b0:{key}:"),
            "not supported",
        ),
    ] {
        let said = refusal(text).to_string();
        assert!(said.contains(refused), "{text}: {said}");
    }
}
