//! Key folders: which ones are loaded, which ones are rejected, and the error messages.

use adapters_crypto::keys::{
    self, Algorithm, KeyEntry, KeyError, KeyRing, KeyRules, KeyState, generate_refresh_key,
    generate_signing_key,
};
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RsaKeyPair},
};
use pem::Pem;
use std::{
    collections::HashSet,
    error::Error,
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    thread,
};
use tempfile::TempDir;

fn complete() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("the folder can be created");
    let made = generate_signing_key(folder.path(), Algorithm::Es256).expect("the key can be generated");
    generate_refresh_key(folder.path()).expect("the refresh key can be generated");
    (folder, made.path)
}

fn list(folder: &Path) -> Result<Vec<KeyEntry>, KeyError> {
    keys::list(folder, KeyRules::default())
}

fn load(folder: &Path) -> Result<KeyRing, KeyError> {
    KeyRing::load(folder, KeyRules::default())
}

/// The one-line error for `folder`, which must name `path`.
fn error_text(folder: &Path, path: &Path) -> String {
    let text = load(folder).expect_err("the folder is rejected").to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(!text.contains('\n'), "{text}");
    text
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .expect("the metadata are readable")
        .permissions()
        .mode()
        & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("the mode can be changed");
}

fn write(path: &Path, contents: impl AsRef<[u8]>) {
    fs::write(path, contents).expect("the file can be written");
    set_mode(path, 0o600);
}

fn pem(tag: &str, der: &[u8]) -> String {
    pem::encode(&Pem::new(tag, der))
}

/// A new RSA key of 2048 bits, as PEM.
fn rsa_2048() -> String {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let der = AsDer::<Pkcs8V1Der>::as_der(&pair).expect("a document");
    pem("PRIVATE KEY", der.as_ref())
}

#[test]
fn the_first_key_signs_and_later_ones_are_published() {
    let (folder, first) = complete();
    let second = generate_signing_key(folder.path(), Algorithm::EdDsa).expect("the key can be generated");
    assert_eq!(second.state, KeyState::Published);

    let ring = load(folder.path()).expect("the key folder is valid");
    assert_eq!(ring.public_keys().len(), 2);
    let listed = list(folder.path()).expect("the key folder is valid");
    assert_eq!(listed.len(), 2);
    assert_eq!((listed[0].state, &listed[0].path), (KeyState::Signing, &first));
    assert_eq!(listed[1].kid, second.kid);
    assert_eq!(listed[1].algorithm, Algorithm::EdDsa);
    assert_eq!(ring.public_keys()[0].kid, listed[0].kid);
}

#[test]
fn files_are_named_after_algorithm_and_kid_and_accessible_only_to_their_owner() {
    let parent = TempDir::new().expect("the folder can be created");
    let folder = parent.path().join("new").join("keys");
    let made = generate_signing_key(&folder, Algorithm::EdDsa).expect("the key can be generated");
    let refresh_key = generate_refresh_key(&folder).expect("the refresh key can be generated");
    let name = format!("eddsa-{}.signing.pem", &made.kid[..8]);
    assert_eq!(made.path, folder.join(name));
    assert_eq!(mode(&folder), 0o700);
    assert_eq!((mode(&made.path), mode(&refresh_key)), (0o600, 0o600));
    let left: HashSet<_> = fs::read_dir(&folder)
        .expect("the folder is readable")
        .map(|entry| entry.expect("the entry is readable").path())
        .collect();
    assert_eq!(
        left,
        HashSet::from([made.path, refresh_key]),
        "no drafts are left"
    );
}

#[test]
fn a_refresh_key_is_never_overwritten() {
    let (folder, _) = complete();
    let path = folder.path().join("refresh.key");
    let before = fs::read(&path).expect("the file is readable");
    let refused = generate_refresh_key(folder.path()).expect_err("the folder is rejected");
    assert!(matches!(&refused, KeyError::Exists { path: named } if *named == path));
    assert_eq!(fs::read(&path).expect("the file is readable"), before);
    assert_eq!(
        fs::read_dir(folder.path())
            .expect("the folder is readable")
            .count(),
        2
    );
}

#[test]
fn concurrent_processes_generate_one_signing_key() {
    let folder = TempDir::new().expect("the folder can be created");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                generate_signing_key(folder.path(), Algorithm::EdDsa).expect("the key can be generated")
            });
        }
    });
    let states: Vec<_> = list(folder.path())
        .expect("the key folder is valid")
        .iter()
        .map(|key| key.state)
        .collect();
    assert_eq!(states.len(), 8);
    assert_eq!(
        states.iter().filter(|state| **state == KeyState::Signing).count(),
        1
    );
}

#[test]
fn generated_keys_are_loaded_unchanged() {
    let (folder, _) = complete();
    let (first, second) = (
        load(folder.path()).expect("the key folder is valid"),
        load(folder.path()).expect("the key folder is valid"),
    );
    assert_eq!(first.public_keys(), second.public_keys());
    assert_eq!(first.refresh_key(), second.refresh_key());
    assert_ne!(first.refresh_key(), &[0; 32]);
}

#[test]
fn a_refresh_key_is_base64_with_or_without_a_line_end() {
    let (folder, _) = complete();
    let path = folder.path().join("refresh.key");
    for text in [
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n",
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\r\n",
        "\u{feff}AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n",
    ] {
        write(&path, text);
        assert_eq!(
            load(folder.path())
                .expect("the key folder is valid")
                .refresh_key(),
            &[1; 32]
        );
    }
    for text in [
        "",
        "AQEB",
        "not base64 at all!",
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==",
    ] {
        write(&path, text);
        assert!(
            error_text(folder.path(), &path).contains("32 bytes in base64"),
            "{text}"
        );
    }
    fs::remove_file(&path).expect("the file can be removed");
    assert!(error_text(folder.path(), &path).contains("missing"));
}

#[test]
fn files_accessible_to_others_are_rejected() {
    let (folder, key) = complete();
    let refresh_key = folder.path().join("refresh.key");
    for path in [&key, &refresh_key] {
        for refused in [0o604, 0o602, 0o620, 0o644, 0o664, 0o666, 0o777] {
            set_mode(path, refused);
            let text = error_text(folder.path(), path);
            assert!(text.contains(&format!("chmod 600 {}", path.display())), "{text}");
        }
        for accepted in [0o640, 0o440, 0o400, 0o600] {
            set_mode(path, accepted);
            assert!(load(folder.path()).is_ok(), "{accepted:o}");
        }
    }
    set_mode(&key, 0o644);
    assert!(matches!(
        list(folder.path()),
        Err(KeyError::TooOpen { mode: 0o644, .. })
    ));
}

#[test]
fn a_file_that_kubernetes_mounts_for_everyone_is_rejected_with_its_own_remedy() {
    let (folder, key) = complete();
    set_mode(&key, 0o644);
    // Kubernetes keeps the files of a secret in a folder that `..data` links to.
    symlink("..2026_11_28", folder.path().join("..data")).expect("a link");
    let text = error_text(folder.path(), &key);
    assert!(
        text.contains("defaultMode: 0440") && text.contains("fsGroup"),
        "{text}"
    );
    assert!(!text.contains("chmod"), "{text}");
}

#[test]
fn a_private_key_is_found_among_other_documents() {
    let (folder, key) = complete();
    let contents = fs::read_to_string(&key).expect("a key");
    let expected = load(folder.path()).expect("a ring").public_keys().to_vec();
    let certificate = pem("CERTIFICATE", b"whatever");
    for contents in [
        format!("{certificate}{contents}"),
        format!("{contents}{certificate}"),
        format!("Bag Attributes\n    friendlyName: a\n{certificate}{certificate}Key Attributes\n{contents}"),
        format!("\u{feff}{contents}"),
    ] {
        write(&key, &contents);
        assert_eq!(
            load(folder.path()).expect("a ring").public_keys(),
            expected,
            "{contents}"
        );
    }
    write(&key, format!("{contents}{contents}"));
    assert!(matches!(load(folder.path()), Err(KeyError::SeveralKeys { .. })));
    assert!(error_text(folder.path(), &key).contains("several private keys"));
}

#[test]
fn a_list_names_the_keys_that_a_start_refuses() {
    let (folder, first) = complete();
    let small = folder.path().join("rsa.retired.pem");
    write(&small, rsa_2048());
    let second = folder.path().join("zz.signing.pem");
    let generated = generate_signing_key(folder.path(), Algorithm::EdDsa).expect("a key");
    fs::rename(generated.path, &second).expect("a rename");
    let copy = folder.path().join("copy.published.pem");
    fs::copy(&first, &copy).expect("a copy");

    let listed = list(folder.path()).expect("a list");
    let refused = |path: &Path| {
        let entry = listed.iter().find(|entry| entry.path == path).expect("an entry");
        entry.refused.clone().unwrap_or_default()
    };
    assert_eq!(refused(&first), "");
    assert!(refused(&small).contains("an RSA key of 2048 bits"), "{listed:#?}");
    assert!(refused(&second).contains("are both signing keys"), "{listed:#?}");
    assert!(refused(&copy).contains("contain the same key"), "{listed:#?}");
    let rules = KeyRules { allow_rsa_2048: true };
    let allowed = keys::list(folder.path(), rules).expect("a list");
    assert_eq!(allowed.iter().filter(|entry| entry.refused.is_some()).count(), 2);
}

#[test]
fn a_folder_writable_by_others_is_rejected_by_every_function() {
    let (folder, _) = complete();
    let path = folder.path();
    for refused in [0o777, 0o702, 0o770, 0o757] {
        set_mode(path, refused);
        let text = error_text(path, path);
        assert!(text.contains(&format!("chmod go-w {}", path.display())), "{text}");
    }
    let errors = [
        list(path).map(|_| ()),
        generate_signing_key(path, Algorithm::EdDsa).map(|_| ()),
        generate_refresh_key(path).map(|_| ()),
    ];
    for error in errors {
        let error = error.expect_err("the folder is rejected");
        assert!(
            matches!(error, KeyError::FolderTooOpen { mode: 0o757, .. }),
            "{error}"
        );
    }
    for accepted in [0o700, 0o755, 0o750, 0o1777] {
        set_mode(path, accepted);
        assert!(load(path).is_ok(), "{accepted:o}");
    }
}

#[test]
fn a_missing_folder_and_a_missing_signing_key_are_reported() {
    let folder = TempDir::new().expect("the folder can be created");
    let missing = folder.path().join("nowhere");
    assert!(matches!(load(&missing), Err(KeyError::FolderMissing { .. })));
    assert!(error_text(&missing, &missing).contains("authapi keys generate"));
    assert!(error_text(folder.path(), folder.path()).contains("authapi keys generate"));

    let (folder, key) = complete();
    fs::rename(&key, folder.path().join("old.retired.pem")).expect("the file can be renamed");
    assert!(matches!(load(folder.path()), Err(KeyError::NoSigningKey { .. })));
    assert_eq!(list(folder.path()).expect("the key folder is valid").len(), 1);
}

#[test]
fn an_unreadable_file_is_reported_with_its_cause() {
    let (folder, _) = complete();
    let path = folder.path().join("folder.signing.pem");
    fs::create_dir(&path).expect("the folder can be created");
    set_mode(&path, 0o700);
    error_text(folder.path(), &path);
    let refused = load(folder.path()).expect_err("the folder is rejected");
    assert!(refused.source().is_some());
}

#[test]
fn two_signing_keys_and_a_duplicate_key_are_reported_with_both_names() {
    let (folder, first) = complete();
    let second = generate_signing_key(folder.path(), Algorithm::Es256).expect("the key can be generated");
    let renamed = folder.path().join("zz.signing.pem");
    fs::rename(&second.path, &renamed).expect("the file can be renamed");
    assert!(matches!(
        load(folder.path()),
        Err(KeyError::TwoSigningKeys { .. })
    ));
    let text = error_text(folder.path(), &first);
    assert!(text.contains("zz.signing.pem"), "{text}");

    fs::copy(&first, &renamed).expect("the file can be copied");
    assert!(matches!(load(folder.path()), Err(KeyError::SameKeyTwice { .. })));
    let copy = folder.path().join("copy.retired.pem");
    fs::rename(&renamed, &copy).expect("the file can be renamed");
    assert!(error_text(folder.path(), &copy).contains(&first.display().to_string()));
}

#[test]
fn unsupported_keys_and_other_files_are_reported_differently() {
    let (folder, _) = complete();
    let path = folder.path().join("other.published.pem");
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)
        .and_then(|pair| pair.to_pkcs8v1())
        .expect("the key can be generated");
    for contents in [
        String::new(),
        "no PEM".to_owned(),
        pem("CERTIFICATE", b"whatever"),
        pem("PUBLIC KEY", b"whatever"),
        pem("EC PRIVATE KEY", b"whatever"),
        pem("ENCRYPTED PRIVATE KEY", b"whatever"),
    ] {
        write(&path, &contents);
        assert!(matches!(load(folder.path()), Err(KeyError::NotAKey { .. })));
        assert!(error_text(folder.path(), &path).contains("openssl pkcs8"));
    }
    for der in [p384.as_ref(), b"not DER", b""] {
        write(&path, pem("PRIVATE KEY", der));
        assert!(matches!(load(folder.path()), Err(KeyError::Unsupported { .. })));
        assert!(error_text(folder.path(), &path).contains("P-256"));
    }
}

#[test]
fn a_short_rsa_key_loads_only_when_allowed() {
    let (folder, _) = complete();
    let path = folder.path().join("rsa.published.pem");
    write(&path, rsa_2048());
    assert!(matches!(
        load(folder.path()),
        Err(KeyError::RsaTooSmall { bits: 2048, .. })
    ));
    assert!(error_text(folder.path(), &path).contains("2048"));
    let rules = KeyRules { allow_rsa_2048: true };
    let ring = KeyRing::load(folder.path(), rules).expect("the key folder is valid");
    assert_eq!(ring.public_keys().len(), 2);
}

#[test]
fn other_files_in_the_folder_are_ignored() {
    let (folder, _) = complete();
    for name in [
        "README.md",
        ".gitignore",
        "key.pem",
        ".signing.pem",
        "signing.pem",
        "xsigning.pem",
        "x.signing.pem.bak",
        ".x.signing.pem.0123.tmp",
        "x.signing.PEM",
    ] {
        fs::write(folder.path().join(name), "whatever").expect("the file can be written");
    }
    assert_eq!(
        load(folder.path())
            .expect("the key folder is valid")
            .public_keys()
            .len(),
        1
    );
}

#[test]
fn debug_output_contains_no_secret() {
    let (folder, key) = complete();
    let ring = load(folder.path()).expect("the key folder is valid");
    let refresh_key = fs::read_to_string(folder.path().join("refresh.key")).expect("the file is readable");
    let shown = format!(
        "{ring:?} {:?}",
        adapters_crypto::HmacRefreshMac::new(ring.refresh_key())
    );
    assert!(!shown.contains(refresh_key.trim()));
    assert!(!shown.contains(&format!("{:?}", ring.refresh_key())));
    let pem = fs::read_to_string(key).expect("the file is readable");
    assert!(!shown.contains(pem.lines().nth(1).expect("a PEM file has several lines")));
}

#[test]
fn algorithms_are_parsed_in_any_case() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.name().to_lowercase().parse(), Ok(algorithm));
        assert_eq!(algorithm.name().to_uppercase().parse(), Ok(algorithm));
    }
    assert!("es384".parse::<Algorithm>().is_err());
}

#[test]
fn refresh_keys_have_different_fingerprints() {
    let (one, _) = complete();
    let (other, _) = complete();
    let [one, again, other] =
        [one.path(), one.path(), other.path()].map(|folder| load(folder).expect("good keys"));
    assert_eq!(one.refresh_key_fingerprint(), again.refresh_key_fingerprint());
    assert_ne!(one.refresh_key_fingerprint(), other.refresh_key_fingerprint());
    assert_eq!(one.refresh_key_fingerprint().len(), 16);
}

#[test]
fn the_signing_key_is_named_by_its_id() {
    let (folder, _) = complete();
    let published = generate_signing_key(folder.path(), Algorithm::Es256).expect("a second key");
    let ring = load(folder.path()).expect("good keys");
    assert_ne!(ring.signing_kid(), published.kid);
    assert!(ring.public_keys().iter().any(|key| key.kid == ring.signing_kid()));
}
