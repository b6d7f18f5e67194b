//! Files of users: CSV and JSON Lines.

use adapters_crypto::ForeignHashForms;
use authapi::user_file::{Lines, Refusal, UserReader, UserWriter};
use domain::{
    login::Login,
    ports::ForeignHashes,
    role::{RoleName, RoleNames},
    use_cases::ImportRequest,
    user::{Credentials, UserStatus},
};
use std::slice;
use testkit::fixtures::{a_user, at};

pub fn check_csv(input: &[u8]) {
    check(input, UserReader::Csv(None));
}

pub fn check_jsonl(input: &[u8]) {
    check(input, UserReader::Jsonl);
}

fn check(input: &[u8], mut reader: UserReader) {
    for text in texts(input) {
        match text.and_then(|text| reader.read(&text)) {
            Ok(Some(request)) => {
                if let Some(user) = accepted(request) {
                    check_round_trip(&user);
                }
            }
            Ok(None) => {}
            Err(refusal) => {
                assert!(!refusal.code.is_empty() && !refusal.text.contains('\n'));
            }
        }
    }
}

/// Returns the lines, after checking that all of the file was read.
fn texts(input: &[u8]) -> Vec<Result<String, Refusal>> {
    let mut lines = Lines::new(input);
    let (mut texts, mut before) = (Vec::new(), (0, 0));
    while let Some(line) = lines.next_line().expect("memory can be read") {
        let here = (line.number, line.position);
        assert!(here.0 > before.0 && here.1 > before.1, "{before:?} {here:?}");
        assert!(here.1 <= input.len() as u64);
        before = here;
        texts.push(line.text.map(ToOwned::to_owned));
    }
    texts
}

/// Returns the user that an import would store, if it would.
fn accepted(request: ImportRequest) -> Option<Credentials> {
    let created_at = request.created_at.unwrap_or_else(|| at(0));
    // An import refuses the future.
    if created_at > at(0) {
        return None;
    }
    let mut user = a_user("another").registered_at(created_at);
    user.login = Login::parse(&request.login).ok()?;
    let names = request.roles.unwrap_or_default();
    let names = names.iter().map(|name| RoleName::parse(name));
    user.roles = names.collect::<Result<RoleNames, _>>().ok()?;
    if request.disabled {
        user.status = UserStatus::Disabled;
    }
    let hash = ForeignHashForms.accept(&request.password_hash).ok()?;
    Some(Credentials { user, hash })
}

/// An export of an accepted user, in either format, is read as the same user.
fn check_round_trip(user: &Credentials) {
    let formats = [
        (UserWriter::Jsonl { with_hashes: true }, UserReader::Jsonl),
        (UserWriter::Csv { with_hashes: true }, UserReader::Csv(None)),
    ];
    for (writer, mut reader) in formats {
        let lines = writer
            .write(slice::from_ref(user))
            .expect("memory can be written");
        let file = [writer.head().as_bytes(), &lines].concat();
        let mut read = Vec::new();
        for text in texts(&file) {
            let text = text.expect("an export has valid lines");
            read.extend(reader.read(&text).expect("an export can be read"));
        }
        let read: Vec<_> = read.into_iter().filter_map(accepted).collect();
        let [again] = &read[..] else {
            panic!("{} users in {:?}", read.len(), String::from_utf8_lossy(&file));
        };
        assert_eq!(again.user.login, user.user.login);
        assert_eq!(again.user.roles, user.user.roles);
        assert_eq!(again.user.status, user.user.status);
        assert_eq!(again.user.created_at, user.user.created_at);
        assert_eq!(again.hash, user.hash);
    }
}
