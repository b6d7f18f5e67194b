use super::*;
use proptest::prelude::*;

fn id() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn publication() -> impl Strategy<Value = PublicationId> {
    (id(), any::<u64>()).prop_map(|(publisher, number)| PublicationId {
        publisher: ReplicaId(publisher),
        number,
    })
}

fn scope() -> impl Strategy<Value = InvalidationScope> {
    prop_oneof![
        10 => id().prop_map(|id| InvalidationScope::Session(SessionId(id))),
        10 => id().prop_map(|id| InvalidationScope::User(UserId(id))),
        10 => id().prop_map(|id| InvalidationScope::Machine(MachineId(id))),
        1 => Just(InvalidationScope::Everything),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let scopes = proptest::collection::vec(scope(), 1..40);
    prop_oneof![
        (publication(), scopes).prop_map(|(of, scopes)| Message::invalidate(of, scopes)),
        (publication(), id()).prop_map(|(publication, by)| Message::Acknowledge {
            publication,
            by: ReplicaId(by)
        }),
        (id(), any::<u64>()).prop_map(|(by, number)| Message::Probe {
            by: ReplicaId(by),
            number
        }),
    ]
}

fn a_publication() -> PublicationId {
    PublicationId {
        publisher: ReplicaId(Uuid::from_u128(1)),
        number: 2,
    }
}

proptest! {
    #[test]
    fn decoding_reverses_encoding(message in message()) {
        prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn a_truncated_message_never_decodes_as_another_kind(message in message(), cut in any::<prop::sample::Index>()) {
        let bytes = message.encode();
        let cut = &bytes[..cut.index(bytes.len())];
        if let Ok(Message::Invalidate { scopes, .. }) = Message::decode(cut) {
            // A prefix may hold fewer scopes. The bus delivers messages whole or not at all.
            prop_assert_eq!(cut.len(), 26 + 17 * scopes.len());
        } else {
            prop_assert_eq!(Message::decode(cut), Err(DecodeError::Malformed));
        }
    }

    #[test]
    fn any_bytes_decode_or_fail_cleanly(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }

    #[test]
    fn any_body_of_a_known_kind_decodes_or_fails_cleanly(
        kind in INVALIDATE..=PROBE,
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let bytes = [&[VERSION, kind], &body[..]].concat();
        match Message::decode(&bytes) {
            Ok(message) => prop_assert_eq!(message.encode(), bytes),
            Err(error) => prop_assert_eq!(error, DecodeError::Malformed),
        }
    }
}

#[test]
fn other_versions_and_kinds_are_unknown_and_short_input_is_malformed() {
    for (bytes, error) in [
        (&[][..], DecodeError::Malformed),
        (&[1], DecodeError::Malformed),
        (&[0], DecodeError::Unknown),
        (&[2, 1], DecodeError::Unknown),
        (&[1, 0], DecodeError::Unknown),
        (&[1, 4, 0], DecodeError::Unknown),
        (&[1, 1, 0], DecodeError::Malformed),
    ] {
        assert_eq!(Message::decode(bytes), Err(error), "{bytes:?}");
    }
}

/// Replicas of different versions exchange these bytes during an upgrade.
#[test]
fn a_scope_has_a_kind_that_never_changes() {
    let id = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
    for (scope, kind, id) in [
        (InvalidationScope::Session(SessionId(id)), 1, id),
        (InvalidationScope::User(UserId(id)), 2, id),
        (InvalidationScope::Everything, 3, Uuid::nil()),
        (InvalidationScope::Machine(MachineId(id)), 4, id),
    ] {
        let bytes = Message::invalidate(a_publication(), vec![scope]).encode();
        assert_eq!(bytes[26..], [&[kind], &id.as_bytes()[..]].concat(), "{scope:?}");
    }
}

#[test]
fn too_many_scopes_become_everything() {
    let scope = |number| InvalidationScope::Session(SessionId(Uuid::from_u128(number)));
    let full: Vec<_> = (0..MAX_SCOPES as u128).map(scope).collect();
    let more: Vec<_> = (0..=MAX_SCOPES as u128).map(scope).collect();
    let scopes = |scopes| match Message::invalidate(a_publication(), scopes) {
        Message::Invalidate { scopes, .. } => scopes,
        other => panic!("{other:?}"),
    };
    assert_eq!(scopes(full.clone()), full);
    assert!(Message::decode(&Message::invalidate(a_publication(), full).encode()).is_ok());
    assert_eq!(scopes(more), [InvalidationScope::Everything]);
    assert_eq!(scopes(vec![scope(2), scope(1), scope(2)]), [scope(1), scope(2)]);
}
