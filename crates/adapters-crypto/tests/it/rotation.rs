//! Keys that are replaced while the service runs, and changes of the key folder.

use crate::forgery::{Workshop, claims, tokens};
use adapters_crypto::{
    CachedTokenVerifier, HmacRefreshMac, JwtTokens,
    keys::{
        Algorithm, FolderState, KeyEntry, KeyError, KeyFolder, KeyRing, KeyRules, KeyState, list,
        list_refresh_keys,
    },
};
use chrono::{DateTime, Utc};
use domain::{
    ports::{PublicKeys, RefreshTokenMac, TokenSigner, TokenVerifier},
    token::SignatureRefused,
};
use std::{
    fs,
    num::NonZeroUsize,
    os::unix::fs::symlink,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use tempfile::TempDir;
use testkit::FixedClock;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).expect("chrono represents the second")
}

fn ring(folder: &Path) -> KeyRing {
    KeyRing::load(folder, KeyRules::default()).expect("the key folder is valid")
}

fn entries(folder: &Path) -> Vec<KeyEntry> {
    list(folder, KeyRules::default()).expect("the key folder is valid")
}

fn lock(folder: &Path) -> KeyFolder {
    KeyFolder::lock(folder).expect("the folder can be locked")
}

fn publish(folder: &Path) -> String {
    let published = lock(folder).publish(Algorithm::EdDsa);
    published.expect("the key can be generated").kid
}

fn signed(tokens: &JwtTokens) -> String {
    let token = tokens.sign(&claims()).expect("signing succeeds");
    token.expose().to_owned()
}

/// Returns the id and the state of each key, by file name.
fn states(folder: &Path) -> Vec<(String, KeyState)> {
    let mut entries = entries(folder);
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    entries.into_iter().map(|key| (key.kid, key.state)).collect()
}

fn state_of(folder: &Path, kid: &str) -> KeyState {
    let states = states(folder).into_iter();
    let mut of_key = states.filter_map(|(known, state)| (known == kid).then_some(state));
    of_key.next().expect("the folder has the key")
}

#[test]
fn a_replaced_ring_verifies_old_and_new_tokens_and_signs_with_the_new_key_only_when_asked() {
    let workshop = Workshop::new(Algorithm::Es256);
    let (folder, tokens) = (workshop.folder.path(), &workshop.tokens);
    let before = signed(tokens);
    let second = publish(folder);

    tokens.replace(ring(folder));
    assert_eq!(tokens.jwk_set().keys.len(), 2);
    lock(folder).sign(&second, at(1)).expect("the folder is writable");
    tokens.replace(ring(folder));
    assert_eq!(
        tokens.signing_kid(),
        workshop.kid,
        "the key that signed still does"
    );
    tokens.sign_with("unknown");
    assert_eq!(tokens.signing_kid(), workshop.kid);
    tokens.sign_with(&second);
    let after = signed(tokens);
    let verified = tokens.verify(&after).expect("the key is known");
    assert_eq!(verified.kid, second);
    assert!(tokens.verify(&before).is_ok());

    lock(folder)
        .remove(&workshop.kid)
        .expect("the folder is writable");
    tokens.replace(ring(folder));
    assert_eq!(tokens.verify(&before), Err(SignatureRefused::Invalid));
    assert!(tokens.verify(&after).is_ok());
    assert_eq!(tokens.jwk_set().keys.len(), 1);
}

#[test]
fn a_ring_without_the_key_that_signed_signs_with_its_own() {
    let workshop = Workshop::new(Algorithm::Es256);
    let other = Workshop::new(Algorithm::Es256);
    workshop.tokens.replace(ring(other.folder.path()));
    assert_eq!(workshop.tokens.signing_kid(), other.kid);
}

#[test]
fn the_signature_cache_drops_the_tokens_of_a_removed_key() {
    let workshop = Workshop::new(Algorithm::Es256);
    let folder = workshop.folder.path();
    let tokens = Arc::new(tokens(folder));
    let clock = Arc::new(FixedClock::new(at(claims().iat)));
    let cache = CachedTokenVerifier::new(Arc::clone(&tokens) as _, clock, NonZeroUsize::MIN);
    let token = signed(&tokens);
    assert!(cache.verify(&token).is_ok());
    assert_eq!(cache.count(), 1);

    let second = publish(folder);
    lock(folder).sign(&second, at(1)).expect("the folder is writable");
    tokens.replace(ring(folder));
    assert!(cache.verify(&token).is_ok(), "the key is retired");
    lock(folder)
        .remove(&workshop.kid)
        .expect("the folder is writable");
    tokens.replace(ring(folder));
    assert_eq!(cache.verify(&token), Err(SignatureRefused::Invalid));
    assert!(!cache.has_key(&workshop.kid));
}

#[test]
fn no_token_is_rejected_while_keys_rotate() {
    const ROTATIONS: usize = 30;
    let workshop = Workshop::new(Algorithm::EdDsa);
    let (folder, tokens) = (workshop.folder.path(), &workshop.tokens);
    let done = AtomicBool::new(false);
    let sign_and_verify = || {
        while !done.load(Ordering::Relaxed) {
            let token = signed(tokens);
            assert!(tokens.verify(&token).is_ok(), "{token}");
        }
    };
    thread::scope(|scope| {
        let workers = [scope.spawn(sign_and_verify), scope.spawn(sign_and_verify)];
        for round in 0..ROTATIONS {
            let kid = publish(folder);
            tokens.replace(ring(folder));
            lock(folder).sign(&kid, at(1)).expect("the folder is writable");
            tokens.replace(ring(folder));
            tokens.sign_with(&kid);
            assert_eq!(tokens.jwk_set().keys.len(), round + 2);
        }
        done.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().expect("no token is rejected");
        }
    });
}

#[test]
fn a_rotation_renames_the_files_and_records_when() {
    let workshop = Workshop::new(Algorithm::Es256);
    let folder = workshop.folder.path();
    let second = publish(folder);
    lock(folder)
        .sign(&second, at(1_000))
        .expect("the folder is writable");
    for entry in entries(folder) {
        let (state, name) = if entry.kid == second {
            (KeyState::Signing, ".signing.pem")
        } else {
            (KeyState::Retired, ".retired.pem")
        };
        assert_eq!((entry.state, entry.since), (state, at(1_000)), "{entry:?}");
        assert!(entry.path.to_string_lossy().ends_with(name), "{entry:?}");
    }
    lock(folder)
        .sign(&second, at(2_000))
        .expect("a key that signs already");
    let since: Vec<_> = entries(folder).iter().map(|entry| entry.since).collect();
    assert_eq!(since, [at(1_000), at(1_000)]);
}

#[test]
fn a_rotation_that_was_killed_after_any_rename_leaves_a_valid_folder_and_is_completed() {
    for renames in 1..=2 {
        let workshop = Workshop::new(Algorithm::Es256);
        let folder = workshop.folder.path();
        let second = publish(folder);
        let rename = |from: KeyState, to: &str| {
            let entries = entries(folder).into_iter();
            let mut in_state = entries.filter(|entry| {
                let name = entry.path.to_string_lossy();
                name.ends_with(&format!(".{from}.pem"))
            });
            let path = in_state.next().expect("a key in this state").path;
            let name = path.to_string_lossy().replace(&format!(".{from}."), to);
            fs::rename(&path, name).expect("the file can be renamed");
        };
        rename(KeyState::Published, ".successor.");
        if renames == 2 {
            rename(KeyState::Signing, ".retired.");
        }

        assert_eq!(ring(folder).signing_kid(), second, "after {renames}");
        assert_eq!(
            ring(folder).preferred_kids(),
            [second.clone(), workshop.kid.clone()]
        );
        drop(lock(folder));
        assert_eq!(state_of(folder, &second), KeyState::Signing);
        assert_eq!(state_of(folder, &workshop.kid), KeyState::Retired);
        let names: Vec<_> = entries(folder)
            .iter()
            .map(|entry| entry.path.display().to_string())
            .collect();
        assert!(names[0].ends_with(".signing.pem"), "{names:?}");
        assert!(names[1].ends_with(".retired.pem"), "{names:?}");
    }
}

#[test]
fn a_change_of_a_key_that_the_folder_lacks_is_refused_with_its_id() {
    let workshop = Workshop::new(Algorithm::Es256);
    let folder = lock(workshop.folder.path());
    for refused in [
        folder.sign("no-such-key", at(1)),
        folder.retire("no-such-key", at(1)),
        folder.remove("no-such-key"),
        folder.remove_refresh_key("no-such-key"),
    ] {
        let error = refused.expect_err("the folder lacks the key");
        assert!(matches!(error, KeyError::NoSuchKey { .. }), "{error}");
        assert!(error.to_string().contains("no-such-key"), "{error}");
    }
}

#[test]
fn a_published_key_can_be_retired_and_removed() {
    let workshop = Workshop::new(Algorithm::Es256);
    let folder = workshop.folder.path();
    let second = publish(folder);
    lock(folder)
        .retire(&second, at(5))
        .expect("the folder is writable");
    assert_eq!(state_of(folder, &second), KeyState::Retired);
    lock(folder).remove(&second).expect("the folder is writable");
    assert_eq!(states(folder), [(workshop.kid.clone(), KeyState::Signing)]);
}

#[test]
fn the_state_of_a_folder_changes_with_its_keys_only() {
    let workshop = Workshop::new(Algorithm::Es256);
    let folder = workshop.folder.path();
    let mut last = FolderState::of(folder);
    let mut changed = || {
        let state = FolderState::of(folder);
        std::mem::replace(&mut last, state.clone()) != state
    };
    assert!(!changed());
    fs::write(folder.join("audit.checkpoint"), "text").expect("the folder is writable");
    fs::write(folder.join(".x.pem.tmp"), "text").expect("the folder is writable");
    assert!(!changed(), "no key changed");
    let second = publish(folder);
    assert!(changed(), "a key was added");
    lock(folder).sign(&second, at(1)).expect("the folder is writable");
    assert!(changed(), "a key signs");
    lock(folder)
        .remove(&workshop.kid)
        .expect("the folder is writable");
    assert!(changed(), "a key was removed");
    lock(folder)
        .publish_refresh_key(at(1))
        .expect("the folder is writable");
    assert!(changed(), "a refresh key was added");
    assert!(!changed());
}

#[test]
fn the_state_of_a_mounted_secret_changes_when_kubernetes_replaces_it() {
    let (one, other) = (Workshop::new(Algorithm::Es256), Workshop::new(Algorithm::Es256));
    let volume = TempDir::new().expect("the folder can be created");
    for (version, keys) in [("..one", &one), ("..other", &other)] {
        let version = volume.path().join(version);
        fs::create_dir(&version).expect("the folder can be created");
        let key = &entries(keys.folder.path())[0].path;
        fs::copy(key, version.join("key.signing.pem")).expect("the key can be copied");
    }
    let data = volume.path().join("..data");
    symlink("..one", &data).expect("the link can be created");
    symlink("..data/key.signing.pem", volume.path().join("key.signing.pem"))
        .expect("the link can be created");
    let before = FolderState::of(volume.path());
    assert_eq!(before, FolderState::of(volume.path()));

    symlink("..other", volume.path().join("..new")).expect("the link can be created");
    fs::rename(volume.path().join("..new"), &data).expect("the link can be replaced");
    assert_ne!(before, FolderState::of(volume.path()));
    assert_eq!(entries(volume.path())[0].kid, other.kid);
}

#[test]
fn refresh_keys_form_a_ring_whose_newest_key_makes_tokens() {
    let workshop = Workshop::new(Algorithm::Es256);
    let folder = workshop.folder.path();
    let mac = HmacRefreshMac::of_ring(&ring(folder));
    let input = [7; 53];
    let before = mac.sign(&input);
    let first = mac.signing_fingerprint();
    for second in [9, 10] {
        let newest = lock(folder).publish_refresh_key(at(second));
        let newest = newest.expect("the folder is writable").fingerprint;
        assert_eq!(list_refresh_keys(folder).expect("a list")[0].fingerprint, newest);
    }
    let fingerprints = ring(folder).refresh_key_fingerprints();
    assert_eq!(fingerprints.len(), 3);
    assert_eq!(fingerprints[2], first);

    mac.replace(&ring(folder));
    assert_eq!(mac.sign(&input), before, "the key that made tokens still does");
    mac.sign_with(&fingerprints[0]);
    let after = mac.sign(&input);
    assert_ne!(after, before);
    assert!(mac.verify(&input, &before) && mac.verify(&input, &after));

    lock(folder)
        .remove_refresh_key(&first)
        .expect("the folder is writable");
    mac.replace(&ring(folder));
    assert!(!mac.verify(&input, &before), "the key was removed");
    assert!(mac.verify(&input, &after));
    assert_eq!(mac.signing_fingerprint(), fingerprints[0]);
}
